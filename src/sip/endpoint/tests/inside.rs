//! Registration, reliable provisional responses, session timers, UPDATE, INFO, REFER, texts: two endpoints in virtual
//! time.

use super::*;
use crate::{
    redact::Secret,
    sip::{
        auth::{Credentials, server::Account},
        endpoint::{Ask, AskId, Reliability, Reply, TimerSettings},
    },
};

fn account(password: &str) -> Vec<Account> {
    vec![Account::of_password("alice", "voxgw", &Secret::new(password))]
}

fn ask(pair: &Pair, method: Method, password: &str) -> Ask {
    Ask {
        method,
        uri: Uri::parse("sip:192.0.2.2").unwrap(),
        to: Uri::parse("sip:alice@192.0.2.2").unwrap(),
        from: Uri::parse("sip:alice@192.0.2.2").unwrap(),
        path: pair.path(0),
        sequence: None,
        headers: vec![("Expires".into(), "600".into())],
        body: None,
        credentials: Some(Credentials { user: "alice".into(), password: Secret::new(password) }),
    }
}

impl Pair {
    fn with(change: impl Fn(usize, &mut Settings)) -> Self {
        let mut pair = Self::new();
        for side in 0..2 {
            let mut settings =
                Settings { transactions_max: 1_000, seed: [if side == 0 { 1 } else { 2 }; 32], ..Settings::default() };
            change(side, &mut settings);
            pair.ends[side] = Endpoint::new(settings);
        }
        pair
    }

    pub(super) fn up(&mut self) -> (LegId, LegId) {
        let ours = self.call();
        let theirs = self.their_leg();
        self.command(1, Command::Ring(theirs, None));
        self.command(1, Command::Answer(theirs, "v=0 answer".into()));
        self.run(Duration::from_millis(100));
        (ours, theirs)
    }

    fn reply(&self) -> Option<&Reply> {
        self.events[0].iter().find_map(|event| if let Event::Replied(_, reply) = event { Some(reply) } else { None })
    }

    pub(super) fn count(&self, side: usize, label: &str) -> usize {
        self.labels(side).iter().filter(|known| known.starts_with(label)).count()
    }
}

#[test]
fn a_telephone_registers_with_its_password_and_not_without() {
    let mut pair = Pair::with(|_, settings| settings.accounts = account("rabbit"));
    let right = ask(&pair, Method::Register, "rabbit");
    pair.command(0, Command::Ask(AskId(1), Box::new(right)));
    let reply = pair.reply().unwrap();
    assert_eq!((reply.status, reply.cseq), (200, 2));
    assert!(reply.headers.first("Contact").unwrap().ends_with(";expires=600"));
    assert_eq!(pair.labels(1), ["401 Unauthorized", "200 OK"]);
    let bindings: Vec<_> = pair.ends[1].registrar().bindings(pair.now, "alice").collect();
    assert_eq!(bindings[0].contact.to_string(), "sip:alice@192.0.2.1:5060");
    assert!(pair.events[1].iter().any(|event| matches!(event, Event::Bindings(user, 1) if user == "alice")));

    pair.events[0].clear();
    let wrong = ask(&pair, Method::Register, "hatter");
    pair.command(0, Command::Ask(AskId(2), Box::new(wrong)));
    assert_eq!(pair.reply().unwrap().status, 401);
    assert!(
        pair.events[1].iter().any(|event| matches!(event, Event::WrongPassword(user, _, false) if user == "alice"))
    );
    // It runs out by itself.
    pair.run(Duration::from_secs(700));
    assert!(pair.events[1].iter().any(|event| matches!(event, Event::Bindings(user, 0) if user == "alice")));
    pair.assert_clean();
}

#[test]
fn the_registrar_names_the_proxies_that_requests_are_to_pass() {
    let mut pair = Pair::with(|_, settings| {
        settings.accounts = account("rabbit");
        settings.registrar.service_route = "<sip:edge.example.org;lr>".to_owned();
    });
    let register = ask(&pair, Method::Register, "rabbit");
    pair.command(0, Command::Ask(AskId(1), Box::new(register)));
    assert_eq!(pair.reply().unwrap().headers.first("Service-Route"), Some("<sip:edge.example.org;lr>"));
}

#[test]
fn without_users_nobody_registers_and_another_users_name_is_refused() {
    let mut pair = Pair::new();
    let right = ask(&pair, Method::Register, "rabbit");
    pair.command(0, Command::Ask(AskId(1), Box::new(right)));
    assert_eq!(pair.reply().unwrap().status, 403);
    let mut pair = Pair::with(|_, settings| settings.accounts = account("rabbit"));
    let mut bobs = ask(&pair, Method::Register, "rabbit");
    bobs.to = Uri::parse("sip:bob@192.0.2.2").unwrap();
    pair.command(0, Command::Ask(AskId(1), Box::new(bobs)));
    assert_eq!(pair.reply().unwrap().status, 403);
    assert_eq!(pair.ends[1].registrar().users().count(), 0);
}

#[test]
fn calls_are_challenged_if_the_gateway_says_so() {
    for (authenticate, from, challenged) in [
        (Authenticate::Register, "alice", false),
        (Authenticate::Users, "alice", true),
        (Authenticate::Users, "stranger", false),
        (Authenticate::All, "stranger", true),
    ] {
        let mut pair = Pair::with(|_, settings| {
            settings.accounts = account("rabbit");
            settings.authenticate = authenticate;
        });
        let leg = pair.ends[0].new_leg();
        let outgoing = Outgoing {
            to: Uri::parse("sip:bob@192.0.2.2").unwrap(),
            target: None,
            from: Uri::parse(&format!("sip:{from}@192.0.2.1")).unwrap(),
            display: String::new(),
            path: pair.path(0),
            sdp: "v=0 offer".into(),
            headers: vec![],
            credentials: Some(Credentials { user: "alice".into(), password: Secret::new("rabbit") }),
        };
        pair.command(0, Command::Invite(leg, Box::new(outgoing)));
        assert_eq!(pair.count(1, "401"), usize::from(challenged), "{authenticate:?} {from}");
        let user = pair.events[1].iter().find_map(|event| match event {
            Event::Invite(_, offered) => Some(offered.user.clone()),
            _ => None,
        });
        assert_eq!(user, Some(challenged.then(|| "alice".to_owned())));
    }
}

#[test]
fn a_reliable_180_is_repeated_until_prack() {
    let mut pair = Pair::with(|_, settings| settings.reliability = Reliability::Supported);
    // The first two PRACKs are lost.
    pair.lose = |_, label| label == "PRACK";
    pair.call();
    let theirs = pair.their_leg();
    pair.command(1, Command::Ring(theirs, None));
    pair.run(Duration::from_secs(3));
    assert!(pair.count(1, "180") >= 2, "{:?}", pair.labels(1));
    pair.lose = |_, _| false;
    pair.run(Duration::from_secs(5));
    let ringing = pair.count(1, "180");
    pair.run(Duration::from_secs(10));
    assert_eq!(pair.count(1, "180"), ringing, "acknowledged");
    pair.command(1, Command::Answer(theirs, "v=0 answer".into()));
    pair.run(Duration::from_secs(1));
    assert!(pair.events[0].iter().any(|event| matches!(event, Event::Answered(..))));
    // CSeq goes on after the PRACK: the BYE is in order.
    let ours = LegId(1);
    pair.command(0, Command::HangUp(ours, None));
    assert_eq!(pair.labels(1).last(), Some(&"200 OK"));
    pair.assert_clean();
}

#[test]
fn a_reliable_180_that_nobody_acknowledges_refuses_the_call() {
    let mut pair = Pair::with(|_, settings| settings.reliability = Reliability::Supported);
    pair.lose = |_, label| label == "PRACK";
    pair.call();
    let theirs = pair.their_leg();
    pair.command(1, Command::Ring(theirs, None));
    pair.run(Duration::from_secs(40));
    assert_eq!(pair.ended(0).unwrap().status, Some(504));
    pair.assert_clean();
}

#[test]
fn sessions_are_refreshed_by_update_and_end_when_nobody_does() {
    let mut pair = Pair::new();
    pair.up();
    pair.run(Duration::from_mins(90));
    let updates = pair.count(0, "UPDATE");
    assert!((5..=6).contains(&updates), "{updates}");
    assert!(pair.ended(0).is_none() && pair.ended(1).is_none());
    // The caller dies without a word.
    pair.lose = |side, _| side == 0;
    pair.run(Duration::from_mins(30));
    let ended = pair.ended(1).unwrap();
    assert!(ended.by == EndedBy::Network && ended.reason.contains("did not refresh"), "{ended:?}");
    assert!(pair.count(1, "BYE") >= 1);
}

#[test]
fn a_refresh_that_nobody_answers_ends_the_call() {
    let mut pair = Pair::new();
    pair.up();
    pair.lose = |side, _| side == 1;
    pair.run(Duration::from_secs(1_000));
    assert!(pair.ended(0).is_some());
    pair.lose = |_, _| false;
    pair.assert_clean();
}

#[test]
fn a_session_timer_too_short_is_refused_and_asked_for_again_longer() {
    let mut pair = Pair::with(|side, settings| {
        let (expires, min) = if side == 0 { (100, 90) } else { (1_800, 600) };
        settings.timers = TimerSettings { expires: Duration::from_secs(expires), min: Duration::from_secs(min) };
    });
    pair.up();
    assert_eq!(pair.count(1, "422"), 1);
    assert!(pair.events[0].iter().any(|event| matches!(event, Event::Answered(..))));
    pair.run(Duration::from_secs(310));
    assert_eq!(pair.count(0, "UPDATE"), 1, "half of 600 s");
}

#[test]
fn a_peer_without_update_is_refreshed_by_reinvite() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.up();
    pair.ends[0].legs.get_mut(&ours).unwrap().takes_update = false;
    pair.run(Duration::from_secs(901));
    let offered = pair.events[1].iter().rev().find_map(|event| match event {
        Event::Reinvite(_, sdp) => sdp.clone(),
        _ => None,
    });
    assert_eq!(offered.as_deref(), Some(b"v=0 offer".as_slice()));
    pair.command(1, Command::AnswerReinvite(theirs, "v=0 answer".into()));
    assert!(matches!(pair.events[0].last(), Some(Event::Changed(_, Ok(Some(_))))));
    pair.run(Duration::from_mins(1));
    assert_eq!(pair.labels(0).last(), Some(&"ACK"));
}

#[test]
fn both_changing_at_once_is_glare() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.up();
    pair.lose = |_, label| label == "INVITE";
    pair.command(0, Command::Reinvite(ours, "v=0 hold".into()));
    pair.lose = |_, _| false;
    pair.command(1, Command::Reinvite(theirs, "v=0 other".into()));
    assert!(pair.events[1].iter().any(|event| matches!(event, Event::Changed(_, Err(491)))));
}

#[test]
fn a_transfer_tells_the_one_who_asked_how_it_went() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.up();
    let target = Uri::parse("sip:carol@192.0.2.9").unwrap();
    pair.command(0, Command::Transfer(ours, target.clone()));
    assert!(
        pair.events[1].iter().any(|event| matches!(event, Event::Referred(leg, to) if *leg == theirs && *to == target))
    );
    assert!(matches!(pair.events[0].last(), Some(Event::Transfer(_, 100))));
    pair.command(1, Command::TellReferrer(theirs, 180));
    pair.command(1, Command::TellReferrer(theirs, 486));
    assert!(matches!(pair.events[0].last(), Some(Event::Transfer(_, 486))));
    let told = pair.count(1, "NOTIFY");
    pair.command(1, Command::TellReferrer(theirs, 200));
    assert_eq!(pair.count(1, "NOTIFY"), told, "the subscription is over");
    // A NOTIFY that nobody asked for.
    pair.command(0, Command::Transfer(ours, target));
    pair.command(1, Command::TellReferrer(theirs, 200));
    assert!(matches!(pair.events[0].last(), Some(Event::Transfer(_, 200))));
    pair.assert_clean_after_hang_up(ours);
}

#[test]
fn texts_arrive_inside_and_outside() {
    let mut pair = Pair::new();
    let mut text = ask(&pair, Method::Message, "");
    text.body = Some(("text/plain".into(), b"good evening".to_vec()));
    pair.command(0, Command::Ask(AskId(9), Box::new(text.clone())));
    assert_eq!(pair.reply().unwrap().status, 200);
    let Some(Event::Text(got)) = pair.events[1].last() else { panic!("{:?}", pair.events[1]) };
    assert_eq!((got.body.as_str(), got.leg, got.from.user.as_str()), ("good evening", None, "alice"));
    pair.events[0].clear();
    text.body = Some(("image/png".into(), vec![0; 9]));
    pair.command(0, Command::Ask(AskId(10), Box::new(text)));
    assert_eq!(pair.reply().unwrap().status, 415);
}

/// The second end has an account of `alice`, and bans after two wrong passwords.
fn banning() -> Pair {
    Pair::with(|side, settings| {
        if side == 1 {
            settings.accounts = account("rabbit");
            settings.limits.ban_after = 2;
        }
    })
}

/// A wrong password for a user.
fn guess(pair: &mut Pair, user: &str) {
    let mut wrong = ask(pair, Method::Register, "hatter");
    wrong.to = Uri::parse(&format!("sip:{user}@192.0.2.2")).unwrap();
    wrong.credentials = Some(Credentials { user: user.into(), password: Secret::new("hatter") });
    pair.command(0, Command::Ask(AskId(1), Box::new(wrong)));
}

#[test]
fn a_user_whose_password_is_guessed_is_banned_at_that_address_and_others_are_not() {
    let mut pair = banning();
    for _ in 0..2 {
        guess(&mut pair, "alice");
    }
    assert!(matches!(pair.events[1].last(), Some(Event::WrongPassword(_, _, true))));
    let said = pair.labels(1).len();
    let right = ask(&pair, Method::Register, "rabbit");
    pair.command(0, Command::Ask(AskId(9), Box::new(right)));
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.labels(1).len(), said, "silence");
    assert!(pair.ends[1].turned_away().banned > 0);
    guess(&mut pair, "bob");
    assert_eq!(pair.labels(1).len(), said + 2, "others are heard");
    let (ours, _) = pair.up();
    pair.command(0, Command::HangUp(ours, None));
    assert!(pair.ended(1).is_some());
    // The ban is over before the client gives up.
    pair.run(Duration::from_mins(1));
    let again = ask(&pair, Method::Register, "rabbit");
    pair.events[0].clear();
    pair.command(0, Command::Ask(AskId(10), Box::new(again)));
    assert_eq!(pair.reply().map(|reply| reply.status), Some(200));
}

#[test]
fn the_right_password_forgives_the_wrong_ones_before_it() {
    let mut pair = banning();
    for n in 0..5 {
        guess(&mut pair, "alice");
        pair.events[0].clear();
        let right = ask(&pair, Method::Register, "rabbit");
        pair.command(0, Command::Ask(AskId(10 + n), Box::new(right)));
        assert_eq!(pair.reply().map(|reply| reply.status), Some(200), "{n}");
    }
    assert_eq!(pair.ends[1].turned_away().bans, 0);
}

#[test]
fn a_banned_address_is_heard_in_its_calls_and_transactions_only() {
    let mut pair = banning();
    let (ours, theirs) = pair.up();
    pair.events[1].clear();
    let (second, _) = pair.up();
    for user in ["alice", "bob", "carol"] {
        guess(&mut pair, user);
    }
    assert_eq!(pair.ends[1].turned_away().bans, 1);
    // Nothing new is heard, with whatever To tag.
    let said = pair.labels(1).len();
    let third = pair.call();
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.labels(1).len(), said, "silence");
    let silenced = pair.ends[1].turned_away().banned;
    assert!(silenced > 0);
    // A call lets nobody guess on: REGISTER within it.
    let (mut register, path) = pair.ends[0].request_within(ours, Method::Register).unwrap();
    register.headers.push("Contact", "<sip:alice@192.0.2.1>");
    let now = pair.now;
    pair.ends[0].send_request(now, register, path);
    pair.drain(0);
    assert_eq!(pair.labels(1).len(), said, "silence");
    // What runs goes on: our offers and their ACK, their offers, digits, and the end by either side.
    pair.command(0, Command::Reinvite(ours, "v=0 hold".into()));
    assert!(matches!(pair.events[1].last(), Some(Event::Reinvite(..))));
    pair.command(1, Command::AnswerReinvite(theirs, "v=0 held".into()));
    assert!(pair.labels(0).last().is_some_and(|label| label.starts_with("ACK")), "{:?}", pair.labels(0));
    pair.command(1, Command::HangUp(theirs, None));
    assert!(pair.ended(0).is_some(), "its 200 is heard");
    assert_eq!(pair.events[1].iter().filter(|event| matches!(event, Event::Ended(..))).count(), 1);
    pair.command(0, Command::HangUp(second, None));
    assert_eq!(pair.events[1].iter().filter(|event| matches!(event, Event::Ended(..))).count(), 2);
    pair.command(0, Command::HangUp(third, None));
    pair.assert_clean();
}

#[test]
fn a_call_that_ends_with_a_question_open_leaves_nothing() {
    let mut pair = Pair::new();
    let (ours, _) = pair.up();
    // UPDATE with an offer, then BYE before the engine has answered it.
    let (mut update, path) = pair.ends[0].request_within(ours, Method::Update).unwrap();
    update.headers.push("Contact", "<sip:alice@192.0.2.1>");
    update.headers.push("Content-Type", "application/sdp");
    update.body = b"v=0 other".to_vec();
    let now = pair.now;
    pair.ends[0].send_request(now, update, path);
    pair.drain(0);
    assert!(matches!(pair.events[1].last(), Some(Event::Reinvite(..))));
    pair.command(0, Command::HangUp(ours, None));
    assert_eq!(pair.count(1, "481"), 1);
    pair.assert_clean();
}

#[test]
fn a_made_up_tag_is_no_way_around_the_limits() {
    let mut pair = Pair::with(|_, settings| settings.limits.per_source = 1.0);
    for n in 0..50 {
        let text = format!(
            "OPTIONS sip:us@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{n}\r\n\
             From: <sip:a@x>;tag=1\r\nTo: <sip:us@x>;tag=made-up\r\nCall-ID: {n}\r\nCSeq: 1 OPTIONS\r\n\r\n"
        );
        let (now, path) = (pair.now, pair.path(1));
        pair.ends[1].handle(now, path, text.as_bytes());
        pair.drain(1);
    }
    assert_eq!(pair.count(1, "503"), 45, "a burst of five, no more");
}

#[test]
fn a_redirection_to_another_number_is_not_followed() {
    for (contact, followed) in [("sip:bob@192.0.2.2:5070", true), ("sip:+900123@192.0.2.2", false)] {
        let mut pair = Pair::with(|_, settings| settings.redirected_anywhere = false);
        pair.call();
        let theirs = pair.their_leg();
        let headers = vec![("Contact".to_owned(), format!("<{contact}>"))];
        pair.command(1, Command::Refuse(theirs, Refusal { status: 302, headers }));
        // The engine says whether calls may go there, and where that is.
        let asked = pair.events[0].iter().find_map(|event| match event {
            Event::Redirected(leg, to, same_number) => Some((*leg, to.to_string(), *same_number)),
            _ => None,
        });
        if let Some((leg, to, same_number)) = asked {
            assert!(followed && same_number && to == contact, "{to}");
            let path = pair.path(0);
            pair.command(0, Command::Next(Attempt::Leg(leg), Ok(path)));
        }
        assert_eq!(pair.count(0, "INVITE"), if followed { 2 } else { 1 }, "{contact}");
        assert_eq!(pair.ended(0).is_some(), !followed);
    }
}

#[test]
fn the_contacts_of_a_redirection_are_tried_in_their_order() {
    let mut pair = Pair::new();
    pair.call();
    let theirs = pair.their_leg();
    let contacts = "<sip:c@192.0.2.2>;q=0.1, <sip:a@192.0.2.2>;q=0.9, <sip:b@192.0.2.2>;q=0.5, <tel:1>";
    // One field with all, as others write it.
    let headers = contacts.split(", ").map(|contact| ("Contact".to_owned(), contact.to_owned())).collect();
    pair.command(1, Command::Refuse(theirs, Refusal { status: 302, headers }));
    let mut seen = Vec::new();
    // Busy, nobody there by the DNS, and one who answers.
    for n in 0..3 {
        let asked = pair.events[0].iter().rev().find_map(|event| match event {
            Event::Redirected(leg, to, _) => Some((*leg, to.user.clone())),
            _ => None,
        });
        let (leg, to) = asked.unwrap();
        seen.push(to);
        let path = if n == 1 { Err("no such name".to_owned()) } else { Ok(pair.path(0)) };
        pair.command(0, Command::Next(Attempt::Leg(leg), path));
        let newest = pair.events[1].iter().rev().find_map(|event| match event {
            Event::Invite(leg, _) => Some(*leg),
            _ => None,
        });
        match n {
            0 => pair.command(1, Command::Refuse(newest.unwrap(), Refusal::status(486))),
            2 => pair.command(1, Command::Answer(newest.unwrap(), "v=0 answer".into())),
            _ => {}
        }
    }
    assert_eq!(seen, ["a", "b", "c"]);
    assert_eq!(pair.count(0, "INVITE"), 3);
    assert!(pair.events[0].iter().any(|event| matches!(event, Event::Answered(..))));
}

#[test]
fn a_6xx_of_a_contact_ends_the_search() {
    let mut pair = Pair::new();
    pair.call();
    let theirs = pair.their_leg();
    let headers = ["a", "b"].map(|user| ("Contact".to_owned(), format!("<sip:{user}@192.0.2.2>"))).to_vec();
    pair.command(1, Command::Refuse(theirs, Refusal { status: 300, headers }));
    let leg = pair.events[0].iter().find_map(|event| match event {
        Event::Redirected(leg, ..) => Some(*leg),
        _ => None,
    });
    let path = pair.path(0);
    pair.command(0, Command::Next(Attempt::Leg(leg.unwrap()), Ok(path)));
    let newest = pair.events[1].iter().rev().find_map(|event| match event {
        Event::Invite(leg, _) => Some(*leg),
        _ => None,
    });
    pair.command(1, Command::Refuse(newest.unwrap(), Refusal::status(603)));
    assert_eq!(pair.ended(0).unwrap().status, Some(603));
}

#[test]
fn who_rings_for_long_says_so_each_minute() {
    let mut pair = Pair::new();
    let leg = pair.call();
    let theirs = pair.their_leg();
    pair.command(1, Command::Ring(theirs, None));
    pair.run(Duration::from_secs(185));
    assert_eq!(pair.count(1, "180 Ringing"), 4);
    pair.command(1, Command::Answer(theirs, "v=0 answer".into()));
    pair.run(Duration::from_secs(130));
    assert_eq!(pair.count(1, "180 Ringing"), 4);
    pair.assert_clean_after_hang_up(leg);
}

#[test]
fn calls_refused_here_are_told_of_and_challenges_are_not() {
    let mut pair = Pair::with(|_, settings| settings.refusals_per_minute = 3);
    let turned = |pair: &Pair| -> Vec<(u16, &'static str)> {
        let of = pair.events[1].iter().filter_map(|event| match event {
            Event::Turned(turned) => Some((turned.status, turned.rule)),
            _ => None,
        });
        of.collect()
    };
    let say = |pair: &mut Pair, method: &str, n: u32, more: &str| {
        let text = format!(
            "{method} sip:us@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{n}\r\n\
             From: <sip:a@x>;tag=1\r\nTo: <sip:us@x>\r\nCall-ID: {n}\r\nCSeq: 1 {method}\r\n{more}\r\n"
        );
        let (now, path) = (pair.now, pair.path(1));
        pair.ends[1].handle(now, path, text.as_bytes());
        pair.drain(1);
    };
    say(&mut pair, "OPTIONS", 1, "Require: x\r\n");
    assert!(turned(&pair).is_empty(), "that was no call");
    say(&mut pair, "INVITE", 2, "Require: x\r\n");
    say(&mut pair, "INVITE", 3, "");
    pair.ends[1].set_overloaded(true);
    say(&mut pair, "INVITE", 4, "Contact: <sip:a@192.0.2.1>\r\n");
    assert_eq!(turned(&pair), [(420, "require"), (400, "syntax"), (503, "overload")]);
    say(&mut pair, "INVITE", 5, "Contact: <sip:a@192.0.2.1>\r\n");
    assert_eq!((turned(&pair).len(), pair.ends[1].counters().untold), (3, 1));
}

#[test]
fn overload_is_answered_with_503_and_forgotten() {
    let mut pair = Pair::new();
    pair.ends[1].set_overloaded(true);
    pair.call();
    assert_eq!(pair.ended(0).unwrap().status, Some(503));
    assert_eq!(pair.ends[1].alive(), (0, 0, 0));
}

impl Pair {
    fn assert_clean_after_hang_up(&mut self, leg: LegId) {
        self.command(0, Command::HangUp(leg, None));
        self.assert_clean();
    }
}
