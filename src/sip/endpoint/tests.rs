//! Flows in virtual time: two endpoints, or one against written messages.

mod calling;
mod dialogs;
mod inside;
mod proof;
mod ways;

use super::*;
use crate::sip::tx::{T1_64, Transport};

struct Pair {
    now: Instant,
    ends: [Endpoint; 2],
    addresses: [SocketAddr; 2],
    events: [Vec<Event>; 2],
    /// Messages in flight are lost when this says so: sender, its label.
    lose: fn(usize, &str) -> bool,
    seen: Vec<(usize, String)>,
}

fn endpoint(seed: u8) -> Endpoint {
    Endpoint::new(Settings { transactions_max: 1_000, seed: [seed; 32], ..Settings::default() })
}

impl Pair {
    fn new() -> Self {
        Self {
            now: Instant::ZERO,
            ends: [endpoint(1), endpoint(2)],
            addresses: ["192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap()],
            events: [Vec::new(), Vec::new()],
            lose: |_, _| false,
            seen: Vec::new(),
        }
    }

    fn path(&self, from: usize) -> Path {
        Path {
            transport: Transport::Udp,
            local: self.addresses[from],
            remote: self.addresses[1 - from],
            connection: None,
        }
    }

    fn drain(&mut self, side: usize) {
        loop {
            match self.ends[side].poll() {
                Output::Timeout(_) => return,
                Output::Event(event) => self.events[side].push(event),
                Output::Trace(_) => {}
                Output::Transmit(path, bytes) => {
                    let label = label_of(&Message::parse(&bytes).unwrap()).0;
                    self.seen.push((side, label.clone()));
                    if path.remote == self.addresses[1 - side] && !(self.lose)(side, &label) {
                        let there = self.path(1 - side);
                        self.ends[1 - side].handle(self.now, there, &bytes);
                        self.drain(1 - side);
                    }
                }
            }
        }
    }

    fn command(&mut self, side: usize, command: Command) {
        self.ends[side].command(self.now, command);
        self.drain(side);
    }

    fn run(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            let next = self.ends.iter_mut().map(|end| match end.poll() {
                Output::Timeout(at) => at,
                other => panic!("not drained: {other:?}"),
            });
            let next = next.min().unwrap();
            if next > until {
                break;
            }
            self.now = self.now.max(next);
            for side in 0..2 {
                self.ends[side].handle_timeout(self.now);
                self.drain(side);
            }
        }
        self.now = until;
    }

    fn call(&mut self) -> LegId {
        let leg = self.ends[0].new_leg();
        let outgoing = Outgoing {
            to: Uri::parse("sip:bob@192.0.2.2").unwrap(),
            target: None,
            from: Uri::parse("sip:alice@192.0.2.1").unwrap(),
            display: String::new(),
            path: self.path(0),
            sdp: "v=0 offer".into(),
            headers: vec![],
            credentials: None,
        };
        self.command(0, Command::Invite(leg, Box::new(outgoing)));
        leg
    }

    fn their_leg(&self) -> LegId {
        self.events[1]
            .iter()
            .find_map(|event| if let Event::Invite(leg, _) = event { Some(*leg) } else { None })
            .unwrap()
    }

    fn ended(&self, side: usize) -> Option<&Ended> {
        self.events[side].iter().find_map(|event| if let Event::Ended(_, ended) = event { Some(ended) } else { None })
    }

    fn labels(&self, side: usize) -> Vec<&str> {
        self.seen.iter().filter(|(from, _)| *from == side).map(|(_, label)| label.as_str()).collect()
    }

    /// Nothing may be left when all timers have run out.
    fn assert_clean(&mut self) {
        self.run(T1_64 * 3);
        assert_eq!(self.ends[0].alive(), (0, 0, 0));
        assert_eq!(self.ends[1].alive(), (0, 0, 0));
    }
}

#[test]
fn a_call_is_answered_and_ended_and_nothing_is_left() {
    let mut pair = Pair::new();
    let leg = pair.call();
    let theirs = pair.their_leg();
    pair.command(1, Command::Ring(theirs, None));
    pair.command(1, Command::Answer(theirs, "v=0 answer".into()));
    assert!(matches!(pair.events[0].last(), Some(Event::Answered(_, Some(sdp))) if sdp == b"v=0 answer"));
    assert!(matches!(pair.events[1].last(), Some(Event::Acknowledged(..))));
    pair.command(0, Command::HangUp(leg, None));
    assert_eq!(pair.ended(1).map(|ended| ended.by), Some(EndedBy::Far));
    assert_eq!(pair.ended(0).map(|ended| ended.by), Some(EndedBy::Us));
    assert_eq!(pair.labels(0), ["INVITE", "ACK", "BYE"]);
    assert_eq!(pair.labels(1), ["180 Ringing", "200 OK", "200 OK"]);
    pair.assert_clean();
}

#[test]
fn trying_is_sent_only_when_nothing_else_was() {
    let mut pair = Pair::new();
    pair.call();
    pair.run(Duration::from_millis(250));
    assert_eq!(pair.labels(1), ["100 Trying"]);
}

#[test]
fn a_200_is_repeated_until_its_ack_comes() {
    let mut pair = Pair::new();
    pair.lose = |_, label| label == "ACK";
    pair.call();
    let theirs = pair.their_leg();
    pair.command(1, Command::Answer(theirs, "v=0".into()));
    pair.run(Duration::from_secs(10));
    assert!(pair.labels(1).len() >= 5, "{:?}", pair.seen);
    pair.lose = |_, _| false;
    pair.run(Duration::from_secs(5));
    assert!(pair.events[1].iter().any(|event| matches!(event, Event::Acknowledged(..))));
}

#[test]
fn without_any_ack_the_call_is_given_up_and_nothing_is_left() {
    let mut pair = Pair::new();
    pair.lose = |_, label| label == "ACK";
    pair.call();
    let theirs = pair.their_leg();
    pair.command(1, Command::Answer(theirs, "v=0".into()));
    pair.run(T1_64 + Duration::from_secs(1));
    assert_eq!(pair.ended(1).map(|ended| ended.by), Some(EndedBy::Network));
    assert_eq!(pair.ended(0).map(|ended| ended.by), Some(EndedBy::Far), "told by BYE");
    pair.assert_clean();
}

#[test]
fn a_hang_up_before_the_ack_waits_for_it() {
    let mut pair = Pair::new();
    pair.lose = |_, label| label == "ACK";
    pair.call();
    let theirs = pair.their_leg();
    pair.command(1, Command::Answer(theirs, "v=0".into()));
    pair.command(1, Command::HangUp(theirs, None));
    assert!(!pair.labels(1).contains(&"BYE"));
    pair.lose = |_, _| false;
    pair.run(Duration::from_secs(2));
    assert!(pair.labels(1).contains(&"BYE"));
    pair.assert_clean();
}

#[test]
fn a_cancelled_call_ends_with_487_on_both_sides() {
    let mut pair = Pair::new();
    let leg = pair.call();
    let theirs = pair.their_leg();
    pair.command(1, Command::Ring(theirs, None));
    pair.command(0, Command::HangUp(leg, None));
    assert_eq!(pair.ended(0).and_then(|ended| ended.status), Some(487));
    assert_eq!(pair.ended(1).and_then(|ended| ended.status), Some(487));
    assert_eq!(pair.labels(0), ["INVITE", "CANCEL", "ACK"]);
    pair.assert_clean();
}

#[test]
fn a_cancelled_call_whose_phone_falls_silent_is_given_up() {
    let mut pair = Pair::new();
    let leg = pair.call();
    let theirs = pair.their_leg();
    pair.command(1, Command::Ring(theirs, None));
    pair.lose = |_, label| label.starts_with("487");
    pair.command(0, Command::HangUp(leg, None));
    assert!(pair.ended(0).is_none());
    pair.run(T1_64 + Duration::from_secs(1));
    assert!(pair.ended(0).is_some());
    pair.assert_clean();
}

#[test]
fn a_cancel_waits_for_a_provisional_response() {
    let mut pair = Pair::new();
    let leg = pair.call();
    pair.command(0, Command::HangUp(leg, None));
    assert_eq!(pair.labels(0), ["INVITE"]);
    pair.run(Duration::from_secs(1));
    assert!(pair.labels(0).contains(&"CANCEL"));
    pair.assert_clean();
}

#[test]
fn a_cancel_that_crosses_the_200_is_followed_by_bye() {
    let mut pair = Pair::new();
    let leg = pair.call();
    let theirs = pair.their_leg();
    pair.command(1, Command::Ring(theirs, None));
    pair.lose = |_, label| label == "CANCEL";
    pair.command(0, Command::HangUp(leg, None));
    pair.command(1, Command::Answer(theirs, "v=0".into()));
    assert_eq!(pair.labels(0), ["INVITE", "CANCEL", "ACK", "BYE"]);
    pair.assert_clean();
}

#[test]
fn a_refusal_is_acknowledged_and_final() {
    let mut pair = Pair::new();
    pair.call();
    let theirs = pair.their_leg();
    let refusal = Refusal { status: 503, headers: vec![("Retry-After".into(), "5".into())] };
    pair.command(1, Command::Refuse(theirs, refusal));
    assert_eq!(pair.ended(0).and_then(|ended| ended.status), Some(503));
    assert_eq!(pair.labels(0), ["INVITE", "ACK"]);
    pair.assert_clean();
}

#[test]
fn an_unanswered_call_times_out_as_408() {
    let mut pair = Pair::new();
    pair.lose = |side, _| side == 0;
    pair.call();
    pair.run(T1_64 + Duration::from_secs(1));
    let ended = pair.ended(0).unwrap();
    assert_eq!((ended.status, ended.answered_by_peer), (Some(408), false));
    pair.assert_clean();
}

#[test]
fn keep_alives_are_no_dropped_messages() {
    let mut endpoint = endpoint(1);
    let path = Pair::new().path(0);
    endpoint.handle(Instant::ZERO, path, b"\r\n\r\n");
    assert_eq!(endpoint.counters().dropped, 0);
    endpoint.handle(Instant::ZERO, path, b"nonsense");
    assert_eq!(endpoint.counters().dropped, 1);
}

fn send(endpoint: &mut Endpoint, now: Instant, text: &str) -> Vec<String> {
    let path = Path {
        transport: Transport::Udp,
        local: "192.0.2.9:5060".parse().unwrap(),
        remote: "198.51.100.7:40000".parse().unwrap(),
        connection: None,
    };
    endpoint.handle(now, path, text.replace('\n', "\r\n").as_bytes());
    sent(endpoint)
}

fn sent(endpoint: &mut Endpoint) -> Vec<String> {
    let mut sent = Vec::new();
    loop {
        match endpoint.poll() {
            Output::Transmit(path, bytes) => {
                sent.push(format!("{}\n{}", path.remote, String::from_utf8(bytes).unwrap()));
            }
            Output::Timeout(_) => return sent,
            _ => {}
        }
    }
}

fn request(method: &str, branch: &str, to_tag: &str, cseq: u32, extra: &str) -> String {
    format!(
        "{method} sip:us@192.0.2.9 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK{branch}\nFrom: <sip:a@x>;tag=t\n\
         To: <sip:us@y>{to_tag}\nCall-ID: c1\nCSeq: {cseq} {method}\nContact: <sip:a@10.0.0.1>\nMax-Forwards: 70\n{extra}\n"
    )
}

#[test]
fn requests_without_a_call_get_the_right_refusal() {
    for (method, to_tag, extra, status) in [
        ("OPTIONS", "", "", "200"),
        ("REGISTER", "", "", "403"),
        ("MESSAGE", "", "Content-Type: text/plain\nContent-Length: 1\n\nx", "200"),
        ("REFER", "", "", "481"),
        ("INFO", ";tag=unknown", "", "481"),
        ("UPDATE", ";tag=unknown", "", "481"),
        ("PRACK", ";tag=unknown", "", "481"),
        ("NOTIFY", "", "", "481"),
        ("SUBSCRIBE", "", "", "405"),
        ("NEWMETHOD", "", "", "405"),
        ("BYE", ";tag=unknown", "", "481"),
        ("BYE", "", "", "481"),
        ("CANCEL", "", "", "481"),
        ("INVITE", ";tag=unknown", "", "481"),
        ("INVITE", "", "Require: 100rel, magic\n", "420"),
        ("INVITE", "", "Content-Type: text/plain\nContent-Length: 1\n\nx", "415"),
    ] {
        let mut endpoint = endpoint(1);
        let sent = send(&mut endpoint, Instant::ZERO, &request(method, "1", to_tag, 1, extra));
        let (to, message) = sent.first().map(|sent| sent.split_once('\n').unwrap()).unwrap_or_default();
        assert!(message.starts_with(&format!("SIP/2.0 {status}")), "{method}: {message}");
        assert_eq!(to, "198.51.100.7:40000", "rport is honoured");
        assert!(message.contains("received=198.51.100.7") && message.contains("rport=40000"));
        if status == "405" {
            assert!(message.contains("Allow: INVITE, ACK, BYE, CANCEL, OPTIONS"));
        }
        if status == "420" {
            assert!(message.contains("Unsupported: magic"));
        }
    }
}

#[test]
fn a_repeated_invite_starts_no_second_call_and_a_merged_one_is_refused() {
    let mut endpoint = endpoint(1);
    let invite = request("INVITE", "1", "", 1, "");
    send(&mut endpoint, Instant::ZERO, &invite);
    endpoint.command(Instant::ZERO, Command::Ring(LegId(1), None));
    sent(&mut endpoint);
    let again = send(&mut endpoint, Instant::from_millis(10), &invite);
    assert!(again[0].contains("180 Ringing") && again.len() == 1);
    let merged = send(&mut endpoint, Instant::from_millis(20), &request("INVITE", "2", "", 1, ""));
    assert!(merged[0].contains("482"), "{merged:?}");
    assert_eq!(endpoint.alive().2, 1);
    // RFC 6026: a copy of the INVITE after ACK must not start a call either.
    endpoint.command(Instant::from_millis(30), Command::Answer(LegId(1), "v=0".into()));
    let ok = sent(&mut endpoint);
    let tag = ok[0].split("To: <sip:us@y>;tag=").nth(1).unwrap().lines().next().unwrap().to_owned();
    send(&mut endpoint, Instant::from_millis(40), &request("ACK", "3", &format!(";tag={tag}"), 1, ""));
    assert!(send(&mut endpoint, Instant::from_millis(50), &invite).is_empty());
    // A forged BYE with a guessed Call-ID does not end it.
    let forged = send(&mut endpoint, Instant::from_millis(60), &request("BYE", "4", ";tag=guess", 2, ""));
    assert!(forged[0].contains("481"));
    assert_eq!(endpoint.alive().2, 1);
    // re-INVITE while the last is pending: 500 with Retry-After; older numbers: 500.
    let in_dialog = format!(";tag={tag}");
    send(&mut endpoint, Instant::from_millis(70), &request("INVITE", "5", &in_dialog, 5, ""));
    let second = send(&mut endpoint, Instant::from_millis(80), &request("INVITE", "6", &in_dialog, 6, ""));
    assert!(second[0].contains("500") && second[0].contains("Retry-After"));
    endpoint.command(Instant::from_millis(90), Command::RefuseReinvite(LegId(1), 488));
    assert!(sent(&mut endpoint)[0].contains("488"));
    let old = send(&mut endpoint, Instant::from_millis(95), &request("BYE", "7", &in_dialog, 2, ""));
    assert!(old[0].contains("500"), "{old:?}");
    let bye = send(&mut endpoint, Instant::from_millis(99), &request("BYE", "8", &in_dialog, 9, ""));
    assert!(bye[0].contains("200 OK"));
    assert_eq!(endpoint.alive().2, 0);
}

#[test]
fn broken_requests_get_400_with_the_reason_and_junk_is_counted() {
    let mut endpoint = endpoint(1);
    let broken = request("INVITE", "1", "", 1, "").replace("Call-ID: c1\n", "");
    assert!(send(&mut endpoint, Instant::ZERO, &broken)[0].contains("SIP/2.0 400 no Call-ID"));
    send(&mut endpoint, Instant::ZERO, "not sip at all\n\n");
    assert_eq!((endpoint.counters().refused, endpoint.counters().dropped), (1, 1));
}

#[test]
fn a_challenge_is_answered_once() {
    let mut endpoint = endpoint(1);
    let leg = endpoint.new_leg();
    let outgoing = Outgoing {
        to: Uri::parse("sip:bob@198.51.100.7").unwrap(),
        target: None,
        from: Uri::parse("sip:alice@192.0.2.9").unwrap(),
        display: String::new(),
        path: Path {
            transport: Transport::Udp,
            local: "192.0.2.9:5060".parse().unwrap(),
            remote: "198.51.100.7:5060".parse().unwrap(),
            connection: None,
        },
        sdp: "v=0".into(),
        headers: vec![],
        credentials: Some(Credentials { user: "alice".into(), password: crate::redact::Secret::new("pw") }),
    };
    endpoint.command(Instant::ZERO, Command::Invite(leg, Box::new(outgoing)));
    let refuse = |invite: &str| {
        let line = |name: &str| invite.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        format!(
            "SIP/2.0 401 Unauthorized\n{}\n{}\n{};tag=z\n{}\n{}\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\n\n",
            line("Via"),
            line("From"),
            line("To"),
            line("Call-ID"),
            line("CSeq")
        )
    };
    let first = sent(&mut endpoint).remove(0);
    let second = send(&mut endpoint, Instant::from_millis(10), &refuse(&first));
    assert!(second[0].contains("ACK sip:bob") && second[1].contains("Authorization: Digest username=\"alice\""));
    assert!(second[1].contains("CSeq: 2 INVITE"));
    let third = send(&mut endpoint, Instant::from_millis(20), &refuse(&second[1]));
    assert_eq!(third.len(), 1, "only the ACK: wrong credentials are not tried again");
    assert_eq!(endpoint.alive().2, 0);
}

/// A call to `to` over a transport; gives the endpoint, the leg, its path and the INVITE.
fn call_over(transport: Transport, to: &str) -> (Endpoint, LegId, Path, String) {
    let mut caller = endpoint(1);
    let path = Path {
        transport,
        local: "192.0.2.1:5061".parse().unwrap(),
        remote: "192.0.2.2:5061".parse().unwrap(),
        connection: Some(9),
    };
    let outgoing = Outgoing {
        to: Uri::parse(to).unwrap(),
        target: None,
        from: Uri::parse("sip:alice@192.0.2.1").unwrap(),
        display: String::new(),
        path,
        sdp: "v=0\r\n".into(),
        headers: Vec::new(),
        credentials: None,
    };
    let leg = caller.new_leg();
    caller.command(Instant::ZERO, Command::Invite(leg, Box::new(outgoing)));
    loop {
        match caller.poll() {
            Output::Transmit(_, bytes) => return (caller, leg, path, String::from_utf8(bytes).unwrap()),
            Output::Timeout(_) => panic!("no INVITE"),
            _ => {}
        }
    }
}

#[test]
fn via_and_contact_name_the_transport() {
    for (transport, to, via, contact) in [
        (Transport::Tcp, "sip:bob@b", "SIP/2.0/TCP 192.0.2.1:5061", "<sip:voxgw@192.0.2.1:5061;transport=tcp>"),
        (Transport::Tls, "sip:bob@b", "SIP/2.0/TLS 192.0.2.1:5061", "<sip:voxgw@192.0.2.1:5061;transport=tls>"),
        (Transport::Tls, "sips:bob@b", "SIP/2.0/TLS 192.0.2.1:5061", "<sips:voxgw@192.0.2.1:5061;transport=tls>"),
        (Transport::Ws, "sip:bob@b", "SIP/2.0/WS 192.0.2.1:5061", "<sip:voxgw@192.0.2.1:5061;transport=ws>"),
        (Transport::Wss, "sip:bob@b", "SIP/2.0/WSS 192.0.2.1:5061", "<sip:voxgw@192.0.2.1:5061;transport=ws>"),
    ] {
        let (_, _, _, invite) = call_over(transport, to);
        assert!(invite.contains(via) && invite.contains(contact), "{transport:?}: {invite}");
    }
}

#[test]
fn a_call_whose_connection_cannot_be_made_ends_at_once_and_says_why() {
    let (mut caller, leg, path, _) = call_over(Transport::Tls, "sips:bob@b");
    let other = Path { transport: Transport::Tcp, connection: None, ..path };
    caller.connection_lost(Instant::ZERO, other, "another transport");
    assert_eq!(caller.alive(), (1, 0, 1), "nothing of this call");
    caller.connection_lost(Instant::ZERO, path, "could not connect");
    let ended = std::iter::from_fn(|| match caller.poll() {
        Output::Timeout(_) => None,
        output => Some(output),
    })
    .find_map(|output| match output {
        Output::Event(Event::Ended(of, ended)) if of == leg => Some(ended),
        _ => None,
    });
    let ended = ended.expect("an end");
    assert_eq!((ended.by, ended.status, ended.reason.as_str()), (EndedBy::Network, Some(408), "could not connect"));
    assert_eq!(caller.alive(), (0, 0, 0), "nothing is left");
}
