//! One SIP message: read, written; and a whole call's signalling through the endpoint, without sockets.
#![allow(clippy::unwrap_used, reason = "figures of a bench")]

use criterion::{Criterion, criterion_group, criterion_main};
use std::{hint::black_box, net::SocketAddr};
use voxgw::{
    clock::Instant,
    sip::{
        endpoint::{Command, Endpoint, Event, Output, Settings},
        message::Message,
        tx::{Path, Transport},
    },
};

/// What a telephone behind a proxy sends: 15 headers and a description.
const INVITE: &str = "INVITE sip:support@203.0.113.5 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKBRANCHp;rport\r\n\
    Via: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bKBRANCHc;received=198.51.100.7;rport=40312\r\n\
    Record-Route: <sip:192.0.2.10;lr;ftag=8f2a>\r\nMax-Forwards: 69\r\n\
    From: \"Alice Example\" <sip:+493012345@example.org>;tag=TAG\r\nTo: <sip:support@example.org>\r\n\
    Call-ID: CALLID@10.0.0.7\r\nCSeq: 1 INVITE\r\nContact: <sip:+493012345@198.51.100.7:40312;ob>\r\n\
    Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, REFER, NOTIFY, MESSAGE\r\nSupported: replaces, timer, 100rel\r\n\
    User-Agent: Telephone/1.0\r\nP-Asserted-Identity: <sip:+493012345@example.org>\r\n\
    Content-Type: application/sdp\r\nContent-Length: 193\r\n\r\n\
    v=0\r\no=- 3870 3870 IN IP4 10.0.0.7\r\ns=call\r\nc=IN IP4 10.0.0.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\n\
    a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

fn invite(number: u64) -> String {
    INVITE.replace("BRANCH", &format!("{number:x}")).replace("CALLID", &format!("{number:x}")).replace("TAG", "a1")
}

fn path() -> Path {
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    Path {
        transport: Transport::Udp,
        remote: address("192.0.2.10:5060"),
        local: address("203.0.113.5:5060"),
        connection: None,
    }
}

/// INVITE, 180, 200, ACK, BYE, 200: what one answered call costs.
fn whole_call(endpoint: &mut Endpoint, now: Instant, number: u64) {
    let invite = invite(number);
    endpoint.handle(now, path(), invite.as_bytes());
    let (mut leg, mut answer) = (None, None);
    let mut drain = |endpoint: &mut Endpoint, leg: &mut Option<_>| loop {
        match endpoint.poll() {
            Output::Timeout(_) => return,
            Output::Event(Event::Invite(id, _)) => *leg = Some(id),
            Output::Transmit(_, bytes) => answer = Some(bytes),
            _ => {}
        }
    };
    drain(endpoint, &mut leg);
    let id = leg.unwrap();
    endpoint.command(now, Command::Ring(id, None));
    endpoint.command(now, Command::Answer(id, "v=0\r\n".to_owned()));
    drain(endpoint, &mut leg);
    let Ok(Message::Response(response)) = Message::parse(&answer.unwrap()) else { unreachable!() };
    let to = response.headers.first("To").unwrap();
    for (method, cseq) in [("ACK", 1), ("BYE", 2)] {
        let text = format!(
            "{method} sip:voxgw@203.0.113.5 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{method}{number:x}\r\n\
             From: \"Alice Example\" <sip:+493012345@example.org>;tag=a1\r\nTo: {to}\r\nCall-ID: {number:x}@10.0.0.7\r\n\
             CSeq: {cseq} {method}\r\nMax-Forwards: 69\r\nContent-Length: 0\r\n\r\n"
        );
        endpoint.handle(now, path(), text.as_bytes());
        while !matches!(endpoint.poll(), Output::Timeout(_)) {}
    }
}

fn benches(criterion: &mut Criterion) {
    let text = invite(1);
    criterion.bench_function("parse an INVITE", |bencher| {
        bencher.iter(|| Message::parse(black_box(text.as_bytes())).unwrap());
    });
    let message = Message::parse(text.as_bytes()).unwrap();
    criterion.bench_function("write an INVITE", |bencher| bencher.iter(|| black_box(&message).to_bytes()));
    let mut endpoint = Endpoint::new(Settings { transactions_max: usize::MAX, ..Settings::default() });
    let (mut number, mut now) = (0_u64, Instant::ZERO);
    criterion.bench_function("a whole call's signalling", |bencher| {
        bencher.iter(|| {
            number += 1;
            // A thousand calls a second, so that transactions end as they do in life.
            now = Instant::from_millis(number);
            endpoint.handle_timeout(now);
            whole_call(&mut endpoint, now, number);
        });
    });
}

criterion_group!(all, benches);
criterion_main!(all);
