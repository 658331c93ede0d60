//! Dialogs before the answer, and dialogs that take another's place, in virtual time.

use super::*;

impl Pair {
    /// A request of one side within a dialog of the other's INVITE, as text, given to the other side.
    fn give(&mut self, side: usize, text: &str) {
        let (now, path) = (self.now, self.path(side));
        self.ends[side].handle(now, path, text.as_bytes());
        self.drain(side);
    }

    /// The newest INVITE that this side has sent.
    fn invite_of(&self, side: usize) -> Request {
        let invites = self.ends[side].transactions.values().filter(|tx| tx.kind == Kind::InviteClient);
        invites.map(|tx| tx.request.clone()).max_by_key(|invite| number_of(&invite.headers)).unwrap()
    }

    /// A response to side 0's INVITE from a branch with this tag, with more headers and a description.
    fn branch(&mut self, status: u16, tag: &str, more: &[(&str, &str)], sdp: &str) {
        let invite = self.invite_of(0);
        let mut response = invite.response(status);
        let to = invite.headers.to().unwrap().with_tag(tag).to_string();
        response.headers.set_first("To", to);
        response.headers.push("Contact", format!("<sip:{tag}@192.0.2.2>"));
        for (name, value) in more {
            response.headers.push(name, *value);
        }
        if !sdp.is_empty() {
            response.headers.push("Content-Type", "application/sdp");
            response.body = sdp.as_bytes().to_vec();
        }
        let text = String::from_utf8(response.to_bytes()).unwrap();
        self.give(0, &text);
    }

    fn described(&self, side: usize) -> Vec<String> {
        let events = self.events[side].iter().filter_map(|event| match event {
            Event::Progress(_, _, Some(sdp)) => Some(format!("early {}", String::from_utf8_lossy(sdp))),
            Event::Answered(_, Some(sdp)) => Some(format!("answer {}", String::from_utf8_lossy(sdp))),
            Event::Reinvite(_, Some(sdp)) => Some(format!("offer {}", String::from_utf8_lossy(sdp))),
            _ => None,
        });
        events.collect()
    }

    /// An INVITE of a third party to side 1, which wants to replace a dialog.
    fn replacing(&mut self, n: u32, replaces: &str) {
        let text = format!(
            "INVITE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKr{n}\r\n\
             From: <sip:carol@x>;tag=c{n}\r\nTo: <sip:bob@x>\r\nCall-ID: r{n}\r\nCSeq: 1 INVITE\r\nRequire: replaces\r\n\
             Contact: <sip:carol@192.0.2.1>\r\nReplaces: {replaces}\r\nContent-Length: 0\r\n\r\n"
        );
        self.give(1, &text);
    }

    fn replaced(&self) -> Option<(LegId, LegId)> {
        self.events[1].iter().rev().find_map(|event| match event {
            Event::Invite(new, offered) => offered.replaces.map(|old| (*new, old)),
            _ => None,
        })
    }

    /// Call-ID, side 1's tag, side 0's tag: as a Replaces that side 1 gets.
    fn name_of(&self, leg: LegId) -> String {
        let (id, ours, theirs) = self.ends[1].legs[&leg].dialog.as_ref().unwrap().key();
        format!("{id};to-tag={ours};from-tag={theirs}")
    }
}

// Early media, calling

#[test]
fn an_early_description_counts_for_a_200_without_one_or_with_the_same() {
    for last in ["", "v=0 early"] {
        let mut pair = Pair::new();
        pair.lose = |_, label| label == "INVITE";
        pair.call();
        pair.branch(183, "a", &[], "v=0 early");
        // A proxy repeats it; nothing is new.
        pair.branch(183, "a", &[], "v=0 early");
        pair.branch(200, "a", &[], last);
        assert_eq!(pair.described(0), ["early v=0 early", "answer v=0 early"], "{last:?}");
    }
}

#[test]
fn what_came_reliably_is_final_and_what_did_not_is_what_the_200_says() {
    for (more, wanted) in
        [(&[("Require", "100rel"), ("RSeq", "7")][..], "answer v=0 early"), (&[][..], "answer v=0 late")]
    {
        let mut pair = Pair::new();
        pair.lose = |_, label| label == "INVITE";
        pair.call();
        pair.branch(183, "a", more, "v=0 early");
        pair.branch(200, "a", &[], "v=0 late");
        assert_eq!(pair.described(0), ["early v=0 early", wanted]);
    }
}

#[test]
fn the_newest_branch_has_the_line_until_one_answers() {
    let mut pair = Pair::new();
    pair.lose = |_, label| label == "INVITE";
    pair.call();
    pair.branch(183, "a", &[("Require", "100rel"), ("RSeq", "1")], "v=0 a");
    pair.branch(180, "c", &[], "");
    pair.branch(183, "b", &[("Require", "100rel"), ("RSeq", "9")], "v=0 b");
    pair.branch(200, "a", &[], "");
    assert_eq!(pair.described(0), ["early v=0 a", "early v=0 b", "answer v=0 a"]);
    assert_eq!(pair.count(0, "PRACK"), 2);
    let (_, dialogs, _) = pair.ends[0].alive();
    assert_eq!(dialogs, 1, "the other branches are forgotten");
}

#[test]
fn a_branch_may_change_its_media_by_update_before_it_answers() {
    let mut pair = Pair::new();
    pair.lose = |_, label| label == "INVITE";
    let leg = pair.call();
    let invite = pair.invite_of(0);
    let update = |n: u32, tag: &str| {
        let (from, to) = (invite.headers.to().unwrap().with_tag(tag), invite.headers.from().unwrap());
        format!(
            "UPDATE sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKu{n}\r\nFrom: {from}\r\n\
             To: {to}\r\nCall-ID: {}\r\nCSeq: {n} UPDATE\r\nContact: <sip:{tag}@192.0.2.2>\r\n\
             Content-Type: application/sdp\r\nContent-Length: 10\r\n\r\nv=0 update",
            invite.headers.call_id()
        )
    };
    // Not before its answer is settled: RFC 3311 §5.1.
    pair.branch(183, "a", &[], "v=0 a");
    let text = update(1, "a");
    pair.give(0, &text);
    assert_eq!(pair.count(0, "491"), 1);
    pair.branch(183, "b", &[("Require", "100rel"), ("RSeq", "1")], "v=0 b");
    let text = update(2, "b");
    pair.give(0, &text);
    pair.command(0, Command::AnswerReinvite(leg, "v=0 ours".into()));
    assert_eq!(pair.labels(0).last(), Some(&"200 OK"));
    pair.branch(200, "b", &[], "v=0 b");
    assert_eq!(pair.described(0), ["early v=0 a", "early v=0 b", "offer v=0 update", "answer v=0 update"]);
}

#[test]
fn nothing_is_left_of_branches_when_the_call_fails() {
    let mut pair = Pair::new();
    pair.lose = |_, label| label == "INVITE";
    pair.call();
    pair.branch(183, "a", &[], "v=0 a");
    pair.branch(180, "b", &[], "");
    pair.branch(486, "a", &[], "");
    assert_eq!(pair.ended(0).and_then(|ended| ended.status), Some(486));
    pair.assert_clean();
}

// Early media, called

#[test]
fn our_description_in_a_183_is_reliable_and_not_said_again() {
    let mut pair = Pair::new();
    let ours = pair.call();
    let theirs = pair.their_leg();
    // The 200 waits for the PRACK of the description (RFC 3262 §3).
    pair.lose = |_, label| label == "PRACK";
    pair.command(1, Command::Ring(theirs, Some("v=0 ringing".into())));
    pair.command(1, Command::Answer(theirs, "v=0 ringing".into()));
    assert_eq!(pair.count(1, "200"), 0);
    pair.lose = |_, _| false;
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.described(0), ["early v=0 ringing", "answer v=0 ringing"]);
    let invite = pair.ends[1].legs[&theirs].unacknowledged.is_none();
    assert!(invite, "it was acknowledged");
    assert!(matches!(pair.events[1].last(), Some(Event::Acknowledged(_, None))));
    pair.command(0, Command::HangUp(ours, None));
    pair.assert_clean();
}

#[test]
fn a_caller_may_change_its_media_by_update_before_our_answer() {
    let mut pair = Pair::new();
    let ours = pair.call();
    let theirs = pair.their_leg();
    pair.command(1, Command::Ring(theirs, Some("v=0 ringing".into())));
    let early = pair.ends[0].legs.get_mut(&ours).unwrap();
    let mut update = early.early[0].dialog.request(Method::Update, None);
    update.headers.push("Contact", "<sip:alice@192.0.2.1>");
    update.headers.push("Content-Type", "application/sdp");
    update.body = b"v=0 other".to_vec();
    let (now, path) = (pair.now, pair.path(0));
    pair.ends[0].send_request(now, update, path);
    pair.drain(0);
    assert_eq!(pair.described(1), ["offer v=0 other"]);
    pair.command(1, Command::AnswerReinvite(theirs, "v=0 changed".into()));
    assert!(pair.events[1].iter().all(|event| !matches!(event, Event::Acknowledged(..))), "the call still rings");
    pair.command(1, Command::Answer(theirs, "v=0 changed".into()));
    assert!(matches!(pair.events[1].last(), Some(Event::Acknowledged(..))));
    pair.command(0, Command::HangUp(ours, None));
    pair.assert_clean();
}

#[test]
fn a_caller_that_hangs_up_before_the_prack_leaves_nothing() {
    let mut pair = Pair::new();
    let ours = pair.call();
    let theirs = pair.their_leg();
    pair.lose = |_, label| label == "PRACK";
    pair.command(1, Command::Ring(theirs, Some("v=0 ringing".into())));
    pair.command(1, Command::Answer(theirs, "v=0 ringing".into()));
    pair.command(0, Command::HangUp(ours, None));
    assert_eq!(pair.ended(1).and_then(|ended| ended.status), Some(487));
    pair.lose = |_, _| false;
    pair.assert_clean();
}

// Replaces

#[test]
fn an_invite_takes_the_place_of_a_dialog() {
    let mut pair = Pair::new();
    let (_, theirs) = pair.up();
    let name = pair.name_of(theirs);
    pair.replacing(1, &name);
    let (new, old) = pair.replaced().expect("it names the leg");
    assert_eq!(old, theirs);
    pair.command(1, Command::Answer(new, "v=0 again".into()));
    pair.command(1, Command::HangUp(old, Some("SIP;cause=200;text=\"replaced\"".into())));
    assert_eq!(pair.ended(0).map(|ended| ended.by), Some(EndedBy::Far), "the old far end is told by BYE");
    assert_eq!(pair.ends[1].alive().2, 1, "the new leg");
}

#[test]
fn a_replaces_that_fits_nothing_is_refused_as_the_rfc_says() {
    let mut pair = Pair::new();
    let (_, theirs) = pair.up();
    let name = pair.name_of(theirs);
    pair.replacing(1, "nobody;to-tag=1;from-tag=2");
    pair.replacing(2, &format!("{name};early-only"));
    pair.replacing(3, "nonsense");
    pair.replacing(4, &format!("{name}\r\nReplaces: {name}"));
    // Tags the other way round are another dialog's.
    let (id, ours, far) = pair.ends[1].legs[&theirs].dialog.as_ref().unwrap().key();
    pair.replacing(5, &format!("{id};to-tag={far};from-tag={ours}"));
    pair.command(1, Command::HangUp(theirs, None));
    let refusals: Vec<&str> = pair.labels(1).into_iter().filter(|label| label.starts_with('4')).collect();
    let statuses: Vec<&str> = refusals.iter().map(|label| &label[..3]).collect();
    assert_eq!(statuses, ["481", "486", "400", "400", "481"]);
    assert!(pair.replaced().is_none());
}

#[test]
fn a_dialog_that_is_over_or_rings_here_cannot_be_replaced_but_one_that_we_began_can() {
    let mut pair = Pair::new();
    let (_, theirs) = pair.up();
    let name = pair.name_of(theirs);
    pair.lose = |side, _| side == 1;
    pair.command(1, Command::HangUp(theirs, None));
    pair.replacing(1, &name);
    assert_eq!(pair.count(1, "603"), 1);
    // It rings here.
    let mut pair = Pair::new();
    pair.call();
    let theirs = pair.their_leg();
    let name = pair.name_of(theirs);
    pair.replacing(1, &name);
    assert_eq!(pair.count(1, "481"), 1);
    // We ring there: side 0 called, and somebody takes the place of whom it called.
    let mut pair = Pair::new();
    let ours = pair.call();
    let theirs = pair.their_leg();
    pair.command(1, Command::Ring(theirs, None));
    let (id, local, remote) = pair.ends[0].legs[&ours].early[0].dialog.key();
    let text = format!(
        "INVITE sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKr9\r\n\
         From: <sip:carol@x>;tag=c9\r\nTo: <sip:alice@x>\r\nCall-ID: r9\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:carol@192.0.2.2>\r\nReplaces: {id};to-tag={local};from-tag={remote};early-only\r\n\r\n"
    );
    pair.give(0, &text);
    let replaced = pair.events[0].iter().find_map(|event| match event {
        Event::Invite(_, offered) => offered.replaces,
        _ => None,
    });
    assert_eq!(replaced, Some(ours));
}

#[test]
fn whom_we_send_to_our_place_names_it_as_its_far_end_knows_it() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.up();
    let place = pair.ends[0].place_in(ours).unwrap();
    assert_eq!(place.host, "192.0.2.2");
    let replaces = crate::sip::uri::unescaped(place.headers.strip_prefix("Replaces=").unwrap());
    assert_eq!(replaces, pair.name_of(theirs));
    pair.replacing(1, &replaces);
    assert_eq!(pair.replaced().map(|(_, old)| old), Some(theirs));
    assert_eq!(pair.ends[0].place_in(LegId(99)), None);
}
