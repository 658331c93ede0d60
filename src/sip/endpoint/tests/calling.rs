//! Calls of ours against written answers: forks, challenges in a row and within the call, other targets, giving up.

use super::*;
use crate::{redact::Secret, sip::auth::Credentials};

/// The far end's address.
const THERE: &str = "198.51.100.7:5060";

pub(super) fn path(remote: &str) -> Path {
    Path {
        transport: Transport::Udp,
        local: "192.0.2.9:5060".parse().unwrap(),
        remote: remote.parse().unwrap(),
        connection: None,
    }
}

/// One of our calls, and what it has sent and told so far.
pub(super) struct Calling {
    pub(super) endpoint: Endpoint,
    pub(super) leg: LegId,
    pub(super) now: Instant,
    pub(super) sent: Vec<(String, String)>,
    pub(super) events: Vec<Event>,
}

impl Calling {
    pub(super) fn new() -> Self {
        let mut endpoint = endpoint(1);
        let leg = endpoint.new_leg();
        let outgoing = Outgoing {
            to: Uri::parse("sip:bob@example.org").unwrap(),
            target: None,
            from: Uri::parse("sip:alice@192.0.2.9").unwrap(),
            display: String::new(),
            path: path(THERE),
            sdp: "v=0".into(),
            headers: vec![],
            credentials: Some(Credentials { user: "alice".into(), password: Secret::new("pw") }),
        };
        endpoint.command(Instant::ZERO, Command::Invite(leg, Box::new(outgoing)));
        let mut this = Self { endpoint, leg, now: Instant::ZERO, sent: Vec::new(), events: Vec::new() };
        this.drain();
        this
    }

    pub(super) fn drain(&mut self) {
        loop {
            match self.endpoint.poll() {
                Output::Transmit(path, bytes) => {
                    self.sent.push((path.remote.to_string(), String::from_utf8(bytes).unwrap()));
                }
                Output::Event(event) => self.events.push(event),
                Output::Trace(_) => {}
                Output::Timeout(_) => return,
            }
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        self.endpoint.command(self.now, command);
        self.drain();
    }

    /// Runs timers for so long.
    pub(super) fn run(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            let Output::Timeout(at) = self.endpoint.poll() else { panic!("not drained") };
            if at > until {
                break;
            }
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    /// Everything of a method that was sent, with where it went.
    pub(super) fn all(&self, method: &str) -> Vec<&(String, String)> {
        self.sent.iter().filter(|(_, text)| text.starts_with(method)).collect()
    }

    /// The newest of a method.
    pub(super) fn newest(&self, method: &str) -> String {
        self.all(method).last().unwrap_or_else(|| panic!("no {method} in {:#?}", self.sent)).1.clone()
    }

    /// Answers a request of ours.
    pub(super) fn answer(&mut self, to: &str, status: u16, tag: &str, more: &str) {
        let line = |name: &str| to.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        let to_line = line("To:");
        let to_line = if to_line.contains("tag=") || status == 100 { to_line } else { format!("{to_line};tag={tag}") };
        let text = format!(
            "SIP/2.0 {status} X\r\n{}\r\n{}\r\n{to_line}\r\n{}\r\n{}\r\n{more}Content-Length: 0\r\n\r\n",
            line("Via:"),
            line("From:"),
            line("Call-ID:"),
            line("CSeq:")
        );
        self.endpoint.handle(self.now, path(THERE), text.as_bytes());
        self.drain();
    }

    pub(super) fn tried_next(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::TryNext(..))).count()
    }

    pub(super) fn ended(&self) -> Option<&Ended> {
        self.events.iter().find_map(|event| if let Event::Ended(_, ended) = event { Some(ended) } else { None })
    }

    pub(super) fn is_answered(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Answered(..)))
    }
}

pub(super) fn header<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name} in {text}"))
}

pub(super) fn cseq(text: &str) -> u32 {
    header(text, "CSeq").split(' ').next().unwrap().parse().unwrap()
}

// Forks (RFC 3261 §13.2.2.4, RFC 3262)

#[test]
fn each_branch_of_a_fork_has_its_own_prack_and_the_second_answer_is_ended() {
    let mut call = Calling::new();
    let invite = call.newest("INVITE");
    let ringing = |rseq: u32, branch: u32| {
        format!("Contact: <sip:bob@203.0.113.{branch}>\r\nRequire: 100rel\r\nRSeq: {rseq}\r\n")
    };
    call.answer(&invite, 180, "a", &ringing(7, 1));
    call.answer(&invite, 180, "b", &ringing(70, 2));
    call.answer(&invite, 183, "a", &ringing(8, 1));
    let pracks: Vec<(String, String, String)> = call
        .all("PRACK")
        .iter()
        .map(|(remote, text)| (remote.clone(), header(text, "To").to_owned(), header(text, "RAck").to_owned()))
        .collect();
    let to = |tag: &str| format!("<sip:bob@example.org>;tag={tag}");
    assert_eq!(
        pracks,
        [
            ("203.0.113.1:5060".to_owned(), to("a"), "7 1 INVITE".to_owned()),
            ("203.0.113.2:5060".to_owned(), to("b"), "70 1 INVITE".to_owned()),
            ("203.0.113.1:5060".to_owned(), to("a"), "8 1 INVITE".to_owned()),
        ]
    );
    // One that is out of order is not acknowledged, a repetition neither.
    call.answer(&invite, 183, "a", &ringing(10, 1));
    call.answer(&invite, 183, "b", &ringing(70, 2));
    assert_eq!(call.all("PRACK").len(), 3);
    for prack in call.all("PRACK").iter().map(|(_, text)| text.clone()).collect::<Vec<_>>() {
        call.answer(&prack, 200, "", "");
    }

    call.answer(&invite, 200, "b", "Contact: <sip:bob@203.0.113.2>\r\n");
    assert!(call.is_answered());
    let ack = call.all("ACK")[0].clone();
    assert_eq!((ack.0.as_str(), cseq(&ack.1)), ("203.0.113.2:5060", 1));
    // The other branch answers too, and once more because our ACK was lost.
    for round in 1..=2 {
        call.now += Duration::from_secs(1);
        call.answer(&invite, 200, "a", "Contact: <sip:bob@203.0.113.1>\r\n");
        assert_eq!(call.all("ACK").len(), 1 + round);
        let (remote, ack) = call.all("ACK")[round];
        assert_eq!((remote.as_str(), cseq(ack), header(ack, "To")), ("203.0.113.1:5060", 1, to("a").as_str()));
    }
    let (remote, bye) = call.all("BYE")[0].clone();
    assert_eq!((remote.as_str(), header(&bye, "To")), ("203.0.113.1:5060", to("a").as_str()));
    let last_prack =
        call.all("PRACK").iter().filter(|(_, text)| text.contains("tag=a")).map(|(_, text)| cseq(text)).max();
    assert!(Some(cseq(&bye)) > last_prack, "numbers go on in the branch that we rang: {bye}");
    call.answer(&bye, 200, "", "");
    assert_eq!(call.ended(), None, "the call itself goes on");

    call.command(Command::HangUp(call.leg, None));
    let (remote, bye) = call.all("BYE").last().map(|found| (*found).clone()).unwrap();
    assert_eq!((remote.as_str(), header(&bye, "To")), ("203.0.113.2:5060", to("b").as_str()));
    assert_eq!(cseq(&bye), 3, "after INVITE and PRACK");
    call.answer(&bye, 200, "", "");
    assert_eq!(call.ended().map(|ended| ended.by), Some(EndedBy::Us));
    call.run(T1_64 * 3);
    assert_eq!(call.endpoint.alive(), (0, 0, 0));
}

// Challenges (RFC 3261 §22)

pub(super) const PROXY: &str = "Proxy-Authenticate: Digest realm=\"proxy\", nonce=\"p1\", qop=\"auth\"\r\n";
pub(super) const FAR: &str = "WWW-Authenticate: Digest realm=\"far\", nonce=\"f1\", qop=\"auth\"\r\n";

#[test]
fn the_far_end_and_a_proxy_may_challenge_one_after_the_other() {
    let mut call = Calling::new();
    call.answer(&call.newest("INVITE"), 401, "x", FAR);
    call.answer(&call.newest("INVITE"), 407, "y", PROXY);
    let invite = call.newest("INVITE");
    assert_eq!(cseq(&invite), 3);
    let (far, proxy) = (header(&invite, "Authorization"), header(&invite, "Proxy-Authorization"));
    assert!(far.contains("realm=\"far\"") && far.contains("nc=00000002"), "used twice: {far}");
    assert!(proxy.contains("realm=\"proxy\"") && proxy.contains("nc=00000001"), "{proxy}");
    // A nonce that is too old by now may be replaced once.
    call.answer(&invite, 401, "x", &FAR.replace("f1", "f2").replace("qop", "stale=true, qop"));
    let invite = call.newest("INVITE");
    assert!(header(&invite, "Authorization").contains("nonce=\"f2\"") && invite.contains("nonce=\"p1\""), "{invite}");
    call.answer(&invite, 200, "z", "Contact: <sip:bob@203.0.113.1>\r\n");
    assert!(call.is_answered() && call.all("ACK").len() == 4);
    // Wrong all the same: not asked again.
    let mut wrong = Calling::new();
    wrong.answer(&wrong.newest("INVITE"), 407, "x", PROXY);
    wrong.answer(&wrong.newest("INVITE"), 407, "x", PROXY);
    assert_eq!(wrong.ended().and_then(|ended| ended.status), Some(407));
}

#[test]
fn requests_within_the_call_answer_challenges_too() {
    let mut call = Calling::new();
    call.answer(&call.newest("INVITE"), 200, "b", "Contact: <sip:bob@203.0.113.1>\r\n");
    call.command(Command::Reinvite(call.leg, "v=0 hold".into()));
    let first = call.newest("INVITE");
    call.answer(&first, 401, "", FAR);
    let second = call.newest("INVITE");
    assert_eq!((cseq(&first), cseq(&second)), (2, 3));
    assert!(header(&second, "Authorization").contains("realm=\"far\"") && second.ends_with("v=0 hold"), "{second}");
    assert_eq!(call.all("ACK").len(), 2, "the 401 has its ACK");
    call.answer(&second, 200, "", "Contact: <sip:bob@203.0.113.1>\r\n");
    assert!(call.events.iter().any(|event| matches!(event, Event::Changed(_, Ok(_)))));
    assert_eq!(cseq(&call.newest("ACK")), 3);
    call.command(Command::HangUp(call.leg, Some("SIP;cause=200;text=\"done\"".into())));
    call.answer(&call.newest("BYE"), 407, "", PROXY);
    let bye = call.newest("BYE");
    assert_eq!((cseq(&bye), header(&bye, "Reason")), (5, "SIP;cause=200;text=\"done\""));
    assert!(header(&bye, "Proxy-Authorization").contains("realm=\"proxy\""), "{bye}");
    call.answer(&bye, 200, "", "");
    assert_eq!(call.ended().map(|ended| ended.by), Some(EndedBy::Us));
    call.run(T1_64 * 3);
    assert_eq!(call.endpoint.alive(), (0, 0, 0));
}

// Other targets (RFC 3263 §4.3)

fn to_next(call: &mut Calling, remote: &str) {
    call.command(Command::Next(Attempt::Leg(call.leg), Ok(path(remote))));
}

#[test]
fn a_silent_target_is_left_after_four_seconds_and_the_last_is_waited_for() {
    let mut call = Calling::new();
    call.command(Command::Spares(Attempt::Leg(call.leg), 1));
    call.run(Duration::from_millis(3_999));
    assert_eq!(call.tried_next(), 0);
    call.run(Duration::from_millis(1));
    let failure = Failure { status: 408, why: "no answer".into(), retry_after: None };
    assert!(matches!(call.events.last(), Some(Event::TryNext(Attempt::Leg(_), found)) if *found == failure));
    let first = call.newest("INVITE");
    assert_eq!(call.all("INVITE").len(), 4, "0, 0.5, 1.5 and 3.5 s");
    to_next(&mut call, "198.51.100.8:5060");
    let (remote, second) = call.all("INVITE").last().map(|found| (*found).clone()).unwrap();
    assert_eq!(remote, "198.51.100.8:5060");
    assert_ne!(header(&first, "Via"), header(&second, "Via"));
    let rest = |text: &str| text.lines().filter(|line| !line.starts_with("Via:")).collect::<Vec<_>>().join("\n");
    assert_eq!(rest(&first), rest(&second), "the same request but for its branch");
    call.run(Duration::from_secs(31));
    assert_eq!((call.tried_next(), call.ended()), (1, None), "64·T1 for the last");
    call.run(Duration::from_secs(2));
    assert_eq!(call.ended().and_then(|ended| ended.status), Some(408));
    // An answer of the first comes too late for anybody.
    call.answer(&first, 200, "late", "Contact: <sip:bob@203.0.113.1>\r\n");
    assert!(!call.is_answered());
    call.run(T1_64 * 3);
    assert_eq!(call.endpoint.alive(), (0, 0, 0));
}

#[test]
fn a_target_that_was_left_and_answers_all_the_same_is_told_that_nobody_wants_it() {
    let mut call = Calling::new();
    call.command(Command::Spares(Attempt::Leg(call.leg), 1));
    call.run(Duration::from_secs(4));
    let first = call.newest("INVITE");
    to_next(&mut call, "198.51.100.8:5060");
    let second = call.newest("INVITE");
    call.answer(&first, 180, "late", "Contact: <sip:bob@203.0.113.1>\r\n");
    assert_eq!(header(&call.newest("CANCEL"), "Via"), header(&first, "Via"));
    call.answer(&first, 200, "late", "Contact: <sip:bob@203.0.113.1>\r\n");
    assert_eq!((call.all("ACK").len(), call.all("BYE").len(), call.is_answered()), (1, 1, false));
    assert!(header(&call.newest("BYE"), "To").contains("tag=late"));
    call.answer(&second, 200, "b", "Contact: <sip:bob@198.51.100.8>\r\n");
    assert!(call.is_answered());
    assert_eq!(call.all("BYE").len(), 1);
}

#[test]
fn a_target_that_works_on_it_has_time_and_one_that_says_503_has_none() {
    let mut call = Calling::new();
    call.command(Command::Spares(Attempt::Leg(call.leg), 2));
    call.answer(&call.newest("INVITE"), 100, "", "");
    call.run(Duration::from_mins(1));
    assert_eq!(call.tried_next(), 0);
    call.answer(&call.newest("INVITE"), 503, "x", "Retry-After: 120 (maintenance)\r\n");
    assert_eq!(call.all("ACK").len(), 1);
    let after = Some(Duration::from_mins(2));
    assert!(
        matches!(call.events.last(), Some(Event::TryNext(_, failure)) if failure.status == 503 && failure.retry_after == after)
    );
    to_next(&mut call, "198.51.100.8:5060");
    // A challenge of the second is answered, whatever the first has asked.
    call.answer(&call.newest("INVITE"), 401, "y", FAR);
    assert!(call.newest("INVITE").contains("Authorization: Digest"));
    assert_eq!(call.all("INVITE").last().unwrap().0, "198.51.100.8:5060");
    // It falls silent: the third gets the request without the second's credentials.
    call.run(Duration::from_secs(33));
    assert_eq!(call.tried_next(), 2);
    to_next(&mut call, "198.51.100.9:5060");
    assert!(!call.newest("INVITE").contains("Authorization"));
    call.answer(&call.newest("INVITE"), 503, "z", "");
    assert_eq!(call.ended().map(|ended| (ended.status, ended.answered_by_peer)), Some((Some(503), true)));
}

#[test]
fn what_is_refused_or_cancelled_goes_nowhere_else() {
    for status in [486, 404, 600, 500] {
        let mut call = Calling::new();
        call.command(Command::Spares(Attempt::Leg(call.leg), 1));
        call.answer(&call.newest("INVITE"), status, "x", "");
        assert_eq!((call.tried_next(), call.ended().and_then(|ended| ended.status)), (0, Some(status)));
    }
    let mut call = Calling::new();
    call.command(Command::Spares(Attempt::Leg(call.leg), 1));
    call.endpoint.connection_lost(call.now, path(THERE), "udp 198.51.100.7:5060: Connection refused");
    call.drain();
    assert_eq!((call.tried_next(), call.ended()), (1, None));
    // Between two targets: nobody is there to be told.
    call.command(Command::HangUp(call.leg, None));
    assert_eq!(call.ended().map(|ended| ended.by), Some(EndedBy::Us));
    to_next(&mut call, "198.51.100.8:5060");
    assert_eq!(call.all("INVITE").len(), 1);
    let mut call = Calling::new();
    call.command(Command::Spares(Attempt::Leg(call.leg), 1));
    call.answer(&call.newest("INVITE"), 503, "x", "");
    call.command(Command::Next(Attempt::Leg(call.leg), Err("no way".into())));
    assert_eq!(call.ended().map(|ended| ended.reason.as_str()), Some("no way"));
    call.run(T1_64 * 3);
    assert_eq!(call.endpoint.alive(), (0, 0, 0));
}

#[test]
fn what_is_asked_goes_elsewhere_too_with_its_number() {
    let mut call = Calling::new();
    let ask = Ask {
        method: Method::Register,
        uri: Uri::parse("sip:example.org").unwrap(),
        to: Uri::parse("sip:alice@example.org").unwrap(),
        from: Uri::parse("sip:alice@example.org").unwrap(),
        path: path(THERE),
        sequence: Some(("one-sequence".into(), 4)),
        headers: vec![("Expires".into(), "600".into())],
        body: None,
        credentials: None,
    };
    let attempt = Attempt::Ask(AskId(1));
    call.command(Command::Ask(AskId(1), Box::new(ask)));
    call.command(Command::Spares(attempt, 2));
    call.run(Duration::from_secs(4));
    call.command(Command::Next(attempt, Ok(path("198.51.100.8:5060"))));
    call.answer(&call.newest("REGISTER"), 503, "x", "");
    call.command(Command::Next(attempt, Ok(path("198.51.100.9:5060"))));
    assert_eq!(call.tried_next(), 2);
    let (remote, register) = call.all("REGISTER").last().map(|found| (*found).clone()).unwrap();
    assert_eq!(
        (remote.as_str(), cseq(&register), header(&register, "Call-ID")),
        ("198.51.100.9:5060", 4, "one-sequence")
    );
    call.run(Duration::from_secs(31));
    assert!(!call.events.iter().any(|event| matches!(event, Event::Replied(..))));
    call.run(Duration::from_secs(2));
    assert!(matches!(call.events.last(), Some(Event::Replied(_, reply)) if (reply.status, reply.cseq) == (408, 4)));
}

// Giving up

#[test]
fn a_call_that_rings_for_a_minute_is_given_up() {
    // As the engine places the call that a REFER asks for.
    let mut call = Calling::new();
    call.command(Command::GiveUpAfter(call.leg, Duration::from_mins(1)));
    let invite = call.newest("INVITE");
    call.answer(&invite, 180, "b", "Contact: <sip:bob@203.0.113.1>\r\n");
    call.run(Duration::from_secs(59));
    assert!(call.all("CANCEL").is_empty());
    call.run(Duration::from_secs(1));
    call.answer(&call.newest("CANCEL"), 200, "b", "");
    call.answer(&invite, 487, "b", "");
    assert_eq!(call.ended().map(|ended| (ended.by, ended.status)), Some((EndedBy::Us, Some(487))));
    // One that was answered goes on.
    let mut call = Calling::new();
    call.command(Command::GiveUpAfter(call.leg, Duration::from_mins(1)));
    call.answer(&call.newest("INVITE"), 200, "b", "Contact: <sip:bob@203.0.113.1>\r\n");
    call.run(Duration::from_mins(5));
    assert_eq!(call.ended(), None);
}
