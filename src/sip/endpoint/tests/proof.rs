//! Who proves what, besides INVITE and REGISTER: MESSAGE and REFER challenged on both sides (RFC 3261 §22.2, §22.3),
//! requests within calls that came in; and descriptions in PRACK (RFC 3262 §5).

use super::{
    calling::{Calling, FAR, PROXY, header, path},
    *,
};
use crate::{
    redact::Secret,
    sip::{
        auth::{Credentials, server::Account},
        endpoint::{Ask, AskId, Authenticate, Reliability},
    },
};

fn alice(password: &str) -> Credentials {
    Credentials { user: "alice".into(), password: Secret::new(password) }
}

/// The second end knows alice, and asks whom its settings say.
fn guarded(authenticate: Authenticate) -> Pair {
    let mut pair = Pair::new();
    let accounts = vec![Account::of_password("alice", "voxgw", &Secret::new("right"))];
    pair.ends[1] = Endpoint::new(Settings { seed: [2; 32], accounts, authenticate, ..Settings::default() });
    pair
}

/// A call of alice's that is up: both legs.
fn call_of_alice(pair: &mut Pair, password: &str) -> (LegId, LegId) {
    let leg = pair.ends[0].new_leg();
    let outgoing = Outgoing {
        to: Uri::parse("sip:bob@192.0.2.2").unwrap(),
        target: None,
        from: Uri::parse("sip:alice@192.0.2.1").unwrap(),
        display: String::new(),
        path: pair.path(0),
        sdp: "v=0 offer".into(),
        headers: vec![],
        credentials: Some(alice(password)),
    };
    pair.command(0, Command::Invite(leg, Box::new(outgoing)));
    let theirs = pair.their_leg();
    pair.command(1, Command::Answer(theirs, "v=0 answer".into()));
    (leg, theirs)
}

fn is_referred(pair: &Pair) -> bool {
    pair.events[1].iter().any(|event| matches!(event, Event::Referred(..)))
}

fn carol() -> Uri {
    Uri::parse("sip:carol@192.0.2.9").unwrap()
}

#[test]
fn a_refer_of_a_user_who_has_shown_no_password_yet_is_challenged_and_proves_it() {
    let mut pair = guarded(Authenticate::Register);
    let (ours, theirs) = call_of_alice(&mut pair, "right");
    pair.command(0, Command::Transfer(ours, carol()));
    assert!(pair.labels(1).contains(&"401 Unauthorized"), "{:?}", pair.seen);
    assert_eq!(pair.labels(0).iter().filter(|label| **label == "REFER").count(), 2);
    assert!(is_referred(&pair));
    let proven = |event: &Event| matches!(event, Event::Proven(leg, user) if *leg == theirs && user == "alice");
    let places: Vec<usize> = [
        pair.events[1].iter().position(proven),
        pair.events[1].iter().position(|event| matches!(event, Event::Referred(..))),
    ]
    .map(Option::unwrap)
    .into();
    assert!(places[0] < places[1], "who it is is known before what it wants");
    // Once is enough.
    pair.command(1, Command::TellReferrer(theirs, 486));
    pair.command(0, Command::Transfer(ours, carol()));
    assert_eq!(pair.labels(1).iter().filter(|label| label.starts_with("401")).count(), 1);
}

#[test]
fn a_refer_with_a_wrong_password_is_refused_and_nobody_is_called() {
    let mut pair = guarded(Authenticate::Register);
    let (ours, _) = call_of_alice(&mut pair, "wrong");
    pair.command(0, Command::Transfer(ours, carol()));
    assert!(!is_referred(&pair));
    assert!(pair.events[0].iter().any(|event| matches!(event, Event::Transfer(leg, 401) if *leg == ours)));
    assert!(pair.events[1].iter().any(|event| matches!(event, Event::WrongPassword(user, ..) if user == "alice")));
}

#[test]
fn a_refer_of_a_caller_whose_invite_was_challenged_is_not_challenged_again() {
    let mut pair = guarded(Authenticate::All);
    let (ours, _) = call_of_alice(&mut pair, "right");
    pair.command(0, Command::Transfer(ours, carol()));
    assert!(is_referred(&pair));
    assert_eq!(pair.labels(1).iter().filter(|label| label.starts_with("401")).count(), 1, "of the INVITE");
}

#[test]
fn a_text_outside_of_calls_is_challenged_and_names_its_user() {
    for (password, status) in [("right", 200), ("wrong", 401)] {
        let mut pair = guarded(Authenticate::All);
        let ask = Ask {
            method: Method::Message,
            uri: Uri::parse("sip:desk@192.0.2.2").unwrap(),
            to: Uri::parse("sip:desk@192.0.2.2").unwrap(),
            from: Uri::parse("sip:alice@192.0.2.2").unwrap(),
            path: pair.path(0),
            sequence: None,
            headers: Vec::new(),
            body: Some(("text/plain".into(), b"hello".to_vec())),
            credentials: Some(alice(password)),
        };
        pair.command(0, Command::Ask(AskId(1), Box::new(ask)));
        assert!(pair.events[0].iter().any(|event| matches!(event, Event::Replied(_, reply) if reply.status == status)));
        let texts: Vec<Option<String>> = pair.events[1]
            .iter()
            .filter_map(|event| if let Event::Text(text) = event { Some(text.user.clone()) } else { None })
            .collect();
        assert_eq!(texts, if status == 200 { vec![Some("alice".to_owned())] } else { Vec::new() });
    }
}

#[test]
fn texts_and_transfers_of_ours_answer_challenges_of_far_ends_and_proxies() {
    let mut call = Calling::new();
    call.answer(&call.newest("INVITE"), 200, "b", "Contact: <sip:bob@203.0.113.1>\r\n");
    for (challenge, status, answer) in [(FAR, 401, "Authorization"), (PROXY, 407, "Proxy-Authorization")] {
        call.command(Command::Text(call.leg, "hello".into()));
        call.answer(&call.newest("MESSAGE"), status, "", challenge);
        let again = call.newest("MESSAGE");
        assert!(header(&again, answer).contains("uri=\"sip:bob@203.0.113.1\"") && again.ends_with("hello"), "{again}");
        call.answer(&again, 200, "", "");
        assert!(matches!(call.events.last(), Some(Event::Texted(_, 200))), "{:?}", call.events.last());
        call.command(Command::Transfer(call.leg, carol()));
        call.answer(&call.newest("REFER"), status, "", challenge);
        let again = call.newest("REFER");
        assert!(header(&again, answer).contains("response="), "{again}");
        assert_eq!(header(&again, "Refer-To"), "<sip:carol@192.0.2.9>");
        // Wrong all the same: it is not asked for without end.
        call.answer(&again, status, "", challenge);
        assert!(matches!(call.events.last(), Some(Event::Transfer(_, told)) if *told == status));
    }
    // Outside of calls.
    let ask = Ask {
        method: Method::Message,
        uri: Uri::parse("sip:bob@example.org").unwrap(),
        to: Uri::parse("sip:bob@example.org").unwrap(),
        from: Uri::parse("sip:alice@192.0.2.9").unwrap(),
        path: path("198.51.100.7:5060"),
        sequence: None,
        headers: Vec::new(),
        body: Some(("text/plain".into(), b"outside".to_vec())),
        credentials: Some(alice("pw")),
    };
    call.command(Command::Ask(AskId(4), Box::new(ask)));
    call.answer(&call.newest("MESSAGE"), 407, "x", PROXY);
    let again = call.newest("MESSAGE");
    assert!(header(&again, "Proxy-Authorization").contains("realm=\"proxy\"") && again.ends_with("outside"), "{again}");
    call.answer(&again, 202, "x", "");
    assert!(matches!(call.events.last(), Some(Event::Replied(_, reply)) if reply.status == 202));
}

/// An INVITE that came in, answered and acknowledged: the endpoint and our tag.
fn answered() -> (Endpoint, String) {
    let mut endpoint = endpoint(1);
    send(&mut endpoint, Instant::ZERO, &request("INVITE", "1", "", 1, ""));
    endpoint.command(Instant::ZERO, Command::Answer(LegId(1), "v=0".into()));
    let ok = sent(&mut endpoint);
    let tag = tag_in(&ok[0]);
    send(&mut endpoint, Instant::ZERO, &request("ACK", "2", &format!(";tag={tag}"), 1, ""));
    (endpoint, tag)
}

fn tag_in(response: &str) -> String {
    response.split("To: <sip:us@y>;tag=").nth(1).unwrap().lines().next().unwrap().to_owned()
}

#[test]
fn a_trunk_that_called_us_may_ask_within_the_call_who_we_are() {
    let (mut endpoint, _) = answered();
    endpoint.command(Instant::ZERO, Command::Credentials(LegId(1), alice("pw")));
    endpoint.command(Instant::ZERO, Command::Text(LegId(1), "hello".into()));
    let first = sent(&mut endpoint).pop().unwrap();
    let copied: Vec<&str> = first
        .lines()
        .filter(|line| ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name)))
        .collect();
    let copied = copied.join("\n");
    let again = send(&mut endpoint, Instant::ZERO, &format!("SIP/2.0 407 X\n{copied}\n{}\n", PROXY.replace('\r', "")));
    assert!(again[0].contains("MESSAGE ") && again[0].contains("Proxy-Authorization: Digest"), "{again:?}");
}

// Descriptions and reliable responses (RFC 3262 §5)

const OFFER: &str = "Content-Type: application/sdp\nContent-Length: 9\n\nv=0 offer";

fn reliable() -> Endpoint {
    Endpoint::new(Settings { seed: [1; 32], reliability: Reliability::Supported, ..Settings::default() })
}

/// Like [`sent`], with events.
fn all(endpoint: &mut Endpoint) -> (Vec<String>, Vec<Event>) {
    let (mut texts, mut events) = (Vec::new(), Vec::new());
    loop {
        match endpoint.poll() {
            Output::Transmit(_, bytes) => texts.push(String::from_utf8(bytes).unwrap()),
            Output::Event(event) => events.push(event),
            Output::Trace(_) => {}
            Output::Timeout(_) => return (texts, events),
        }
    }
}

#[test]
fn an_offer_in_a_prack_is_answered_in_its_200() {
    let mut endpoint = reliable();
    send(&mut endpoint, Instant::ZERO, &request("INVITE", "1", "", 1, &format!("Supported: 100rel\n{OFFER}")));
    endpoint.command(Instant::ZERO, Command::Ring(LegId(1), Some("v=0 early".into())));
    let progress = sent(&mut endpoint);
    assert!(progress[0].contains("RSeq: 1"), "{progress:?}");
    let in_dialog = format!(";tag={}", tag_in(&progress[0]));
    let prack = request("PRACK", "2", &in_dialog, 2, &format!("RAck: 1 1 INVITE\n{}", OFFER.replace("offer", "other")));
    let there = path("198.51.100.7:40000");
    endpoint.handle(Instant::ZERO, there, prack.replace('\n', "\r\n").as_bytes());
    let (said, events) = all(&mut endpoint);
    assert!(said.is_empty(), "the answer is the session's to write: {said:?}");
    assert!(matches!(events.last(), Some(Event::Reinvite(LegId(1), Some(sdp))) if sdp == b"v=0 other"));
    endpoint.command(Instant::ZERO, Command::AnswerReinvite(LegId(1), "v=0 agreed".into()));
    let (said, _) = all(&mut endpoint);
    assert!(
        said[0].contains("200 OK") && said[0].contains("CSeq: 2 PRACK") && said[0].ends_with("v=0 agreed"),
        "{said:?}"
    );
    endpoint.command(Instant::ZERO, Command::Answer(LegId(1), "v=0 agreed".into()));
    let (said, _) = all(&mut endpoint);
    assert!(said[0].contains("CSeq: 1 INVITE") && said[0].ends_with("Content-Length: 0\r\n\r\n"), "{said:?}");
}

#[test]
fn without_an_offer_no_response_of_ours_is_reliable_and_who_requires_that_hears_100_only() {
    for (header, rings) in [("Supported", true), ("Require", false)] {
        let mut endpoint = reliable();
        send(&mut endpoint, Instant::ZERO, &request("INVITE", "1", "", 1, &format!("{header}: 100rel\n")));
        endpoint.command(Instant::ZERO, Command::Ring(LegId(1), None));
        let said = sent(&mut endpoint);
        assert_eq!(said.iter().any(|text| text.contains("180 Ringing") && !text.contains("RSeq")), rings, "{said:?}");
        endpoint.handle_timeout(Instant::from_millis(300));
        let said = sent(&mut endpoint);
        assert_eq!(said.iter().any(|text| text.contains("100 Trying")), !rings, "{said:?}");
        endpoint.command(Instant::from_millis(400), Command::Answer(LegId(1), "v=0 ours".into()));
        let said = sent(&mut endpoint);
        assert!(said[0].contains("200 OK") && said[0].ends_with("v=0 ours"), "the offer goes in the 200: {said:?}");
    }
}
