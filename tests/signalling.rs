//! Signalling over real sockets: what is refused and by which limit, and which way requests take: several telephones of a
//! user by their preference, forks, long requests, names in Record-Route, trunks that only have a name.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/dns.rs"]
mod dns;
#[path = "support/party.rs"]
mod party;
#[path = "support/program.rs"]
mod program;

use dns::{Zone, pause};
use party::{Party, Talk};
use program::{Gateway, Home, LIMIT, finished_journals, until};
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use voxgw::{
    media::dsp::tone,
    redact::Secret,
    sip::{
        auth::{Challenge, Credentials},
        message::Request,
    },
    unit::SampleRate,
};

/// Payload types of PCMU and of telephone-event.
const BOTH: &[u8] = &[0, 101];
const SECOND: Duration = Duration::from_secs(1);

// What is refused

/// Each request is a transaction of its own.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// An OPTIONS with more header lines, whose body is as long as it says or not.
fn options(transport: &str, more: &str, length: &str, body: &str) -> String {
    format!(
        "OPTIONS sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;branch=z9hG4bK{};rport\r\n\
         From: <sip:a@x>;tag=1\r\nTo: <sip:us@y>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n{more}\
         Content-Length: {length}\r\n\r\n{body}",
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// A stream to a gateway.
fn stream(gateway: &Gateway) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", gateway.tcp)).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// What comes within a moment, and whether the stream has ended.
fn answer(stream: &mut TcpStream) -> (String, bool) {
    stream.set_read_timeout(Some(SECOND)).unwrap();
    let (mut said, mut buffer) = (String::new(), [0; 4_096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (said, true),
            Ok(length) => said.push_str(&String::from_utf8_lossy(&buffer[..length])),
            Err(problem) if problem.kind() == std::io::ErrorKind::WouldBlock => return (said, false),
            Err(_) => return (said, true),
        }
    }
}

/// The answer to a datagram; empty if there is none within a second.
fn ask(gateway: &Gateway, text: &str) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(SECOND)).unwrap();
    socket.send_to(text.as_bytes(), ("127.0.0.1", gateway.udp)).unwrap();
    let mut buffer = vec![0; 65_536];
    let length = socket.recv(&mut buffer).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn headers_without_end_and_messages_that_are_too_long_end_their_stream() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    // A line of 64 KB and more, and lines without end.
    let endless =
        (0..).map(|line| if line == 0 { "OPTIONS sip:us SIP/2.0\r\n".to_owned() } else { "X: y\r\n".to_owned() });
    let one_line =
        std::iter::once("OPTIONS sip:us SIP/2.0\r\nX: ".to_owned()).chain(std::iter::repeat("y".repeat(1_024)));
    let endless: Box<dyn Iterator<Item = String>> = Box::new(endless);
    for pieces in [endless, Box::new(one_line)] {
        let mut stream = stream(&gateway);
        let mut written = 0;
        for piece in pieces {
            if stream.write_all(piece.as_bytes()).is_err() {
                break;
            }
            written += piece.len();
            // What the kernel holds for us is not what the gateway read.
            assert!(written < 16_000_000, "nobody stopped us");
        }
        assert!(answer(&mut stream).1, "the stream is closed");
    }
    // A length that no message may have is not waited for.
    for length in ["65537", "99999999999999999999", "-1"] {
        let mut stream = stream(&gateway);
        stream.write_all(options("TCP", "", length, "").as_bytes()).unwrap();
        let began = Instant::now();
        assert!(answer(&mut stream).1 && began.elapsed() < SECOND, "Content-Length: {length}");
    }
    assert!(ask(&gateway, &options("UDP", "", "0", "")).starts_with("SIP/2.0 200"), "others are heard");
    gateway.stop().exits(0);
}

#[test]
fn a_header_of_64_kb_and_too_many_headers_are_refused_with_400() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let of = |length: usize| format!("X-Long: {}\r\n", "x".repeat(length));
    assert!(ask(&gateway, &options("UDP", &of(8_000), "0", "")).starts_with("SIP/2.0 200"));
    assert!(ask(&gateway, &options("UDP", &of(64_000), "0", "")).starts_with("SIP/2.0 400 header too long"));
    assert!(
        ask(&gateway, &options("UDP", &"X: y\r\n".repeat(130), "0", "")).starts_with("SIP/2.0 400 too many headers")
    );
    let mut stream = stream(&gateway);
    stream.write_all(options("TCP", &of(64_000), "0", "").as_bytes()).unwrap();
    let (said, closed) = answer(&mut stream);
    assert!(said.starts_with("SIP/2.0 400 header too long") && !closed, "{said}");
    gateway.stop().exits(0);
}

#[test]
fn a_body_shorter_or_longer_than_its_length_does_no_harm() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    // A datagram ends where it ends (RFC 3261 §18.3): too short is a fault, what is too much is not looked at.
    assert!(ask(&gateway, &options("UDP", "", "10", "short")).starts_with("SIP/2.0 400"));
    assert!(ask(&gateway, &options("UDP", "", "5", "short and more")).starts_with("SIP/2.0 200"));
    // On a stream what is too much begins the next message, which it spoils.
    let mut longer = stream(&gateway);
    longer.write_all(options("TCP", "", "0", "and more").as_bytes()).unwrap();
    assert!(answer(&mut longer).0.starts_with("SIP/2.0 200"));
    longer.write_all(options("TCP", "", "0", "").as_bytes()).unwrap();
    assert!(!answer(&mut longer).0.contains("SIP/2.0 200"), "that one is spoilt");
    // And too little is waited for, 32 seconds at most: others are not held up.
    let mut shorter = stream(&gateway);
    shorter.write_all(options("TCP", "", "10", "short").as_bytes()).unwrap();
    assert_eq!(answer(&mut shorter), (String::new(), false));
    let mut other = stream(&gateway);
    other.write_all(options("TCP", "", "0", "").as_bytes()).unwrap();
    assert!(answer(&mut other).0.starts_with("SIP/2.0 200"));
    shorter.write_all(b"5more").unwrap();
    assert!(answer(&mut shorter).0.starts_with("SIP/2.0 200"), "it was only slow");
    gateway.stop().exits(0);
}

// Telephones of a user

/// A gateway whose calls go to bob, who has a password.
fn to_bob(home: &Home, rule: &str) -> Gateway {
    home.file("voxgw.toml", format!("[users.bob]\npassword = 'pw'\n[[routes]]\nname = 'bob'\nuser = 'bob'\n{rule}\n"));
    home.serve("echo:live", &[])
}

/// Registers bob's telephone.
fn register(phone: &Party, gateway: &Gateway, q: &str) {
    let uri = format!("sip:127.0.0.1:{}", gateway.udp);
    let request = |number: u32, more: &str| {
        format!(
            "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {0};branch=z9hG4bK{1}{number};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:bob@127.0.0.1>;tag=r\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: r{1}\r\nCSeq: {number} REGISTER\r\n\
             Contact: <sip:bob@{0}>;q={q}\r\nExpires: 600\r\n{more}Content-Length: 0\r\n\r\n",
            phone.address,
            phone.address.port()
        )
    };
    let there = ([127, 0, 0, 1], gateway.udp).into();
    phone.send_to(request(1, "").as_bytes(), there);
    let asked = phone.response(401);
    let challenge = Challenge::parse(asked.headers.first("WWW-Authenticate").unwrap()).unwrap();
    let credentials = Credentials { user: "bob".to_owned(), password: Secret::new("pw") };
    let proof = challenge.answer(&credentials, "REGISTER", &uri, "c", 1);
    phone.send_to(request(2, &format!("Authorization: {proof}\r\n")).as_bytes(), there);
    phone.response(200);
}

#[test]
fn telephones_ring_by_their_preference_and_the_next_when_the_first_are_not_there() {
    let (home, here) = (Home::new(), Party::at("127.0.0.2"));
    let gateway = to_bob(&home, "");
    let [desk, hall, cellar] = [(); 3].map(|()| Party::new());
    register(&cellar, &gateway, "0.3");
    register(&desk, &gateway, "0.9");
    register(&hall, &gateway, "0.9");
    let invite = here.invite("bob", gateway.udp, &[], BOTH);
    let (one, two) = (desk.request("INVITE"), hall.request("INVITE"));
    assert!(!cellar.hears("INVITE", SECOND / 2), "not while the preferred ones ring");
    desk.answer(&one, 480, &[], None);
    assert!(!cellar.hears("INVITE", SECOND / 2), "one of them still rings");
    hall.answer(&two, 486, &[], None);
    let last = cellar.request("INVITE");
    let theirs = cellar.take(&last, &[], BOTH);
    let ours = here.answered(&invite);
    over(&here, ours, &cellar, theirs, gateway);
}

#[test]
fn a_telephone_takes_long_invites_by_tcp_and_as_datagrams_where_it_has_none() {
    let long = "x".repeat(700);
    for listens in [true, false] {
        let (home, here, phone) = (Home::new(), Party::at("127.0.0.2"), Party::new());
        let gateway = to_bob(&home, "");
        register(&phone, &gateway, "1");
        let listener = listens.then(|| TcpListener::bind(phone.address).unwrap());
        here.invite("bob", gateway.udp, &[("X-Long", long.as_str())], BOTH);
        if let Some(listener) = listener {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = vec![0; 1_301];
            stream.read_exact(&mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            let via = format!("Via: SIP/2.0/TCP 127.0.0.1:{};", gateway.tcp);
            assert!(text.starts_with("INVITE ") && text.contains(&via), "{text}");
            drop((stream, listener));
        }
        let call = phone.request("INVITE");
        assert!(
            call.headers.first("Via").unwrap().contains("/UDP") && call.headers.first("X-Long").is_some(),
            "{call:?}"
        );
        phone.answer(&call, 486, &[], None);
        here.response(486);
        gateway.stop().exits(0);
    }
}

// Forks

/// A gateway that sends all calls to a trunk.
fn onward(home: &Home, server: &str, more: &str) -> Gateway {
    home.file(
        "voxgw.toml",
        format!("{more}\n[trunks.carrier]\nserver = '{server}'\nping = '0s'\n[[routes]]\nname = 'on'\ntrunk_out = 'carrier'\n"),
    );
    home.serve("echo:live", &[])
}

/// Two seconds of a tone.
fn sound(hertz: f64) -> Vec<i16> {
    let mut sound = Vec::new();
    tone::sine(hertz, 8_000.0, SampleRate::HZ_8000, 0, 16_000, &mut sound);
    sound
}

/// Whether the last of what was heard is this tone.
fn ends_with(party: &Party, hertz: f64) -> bool {
    let (heard, _) = party.heard(Duration::from_millis(100));
    let end = &heard[heard.len().saturating_sub(6_000)..heard.len().saturating_sub(2_000)];
    end.len() == 4_000 && tone::share_at(hertz, SampleRate::HZ_8000, end) > 0.9
}

#[test]
fn each_branch_of_a_fork_has_its_own_media_and_the_one_that_answers_stays() {
    let (home, here, proxy) = (Home::new(), Party::at("127.0.0.2"), Party::new());
    let gateway = onward(&home, &format!("sip:{}", proxy.address), "");
    let (desk, hall) = (Party::new(), Party::new());
    let invite = here.invite("bob", gateway.udp, &[], BOTH);
    let call = proxy.request("INVITE");
    let at_desk = proxy.fork(&call, 183, "desk", &desk, BOTH);
    here.response(183);
    desk.speak(&at_desk, &sound(1_000.0));
    assert!(ends_with(&here, 1_000.0), "the first branch's early media");
    let in_hall = proxy.fork(&call, 183, "hall", &hall, BOTH);
    pause(Duration::from_millis(200));
    // The other branch goes on beside it.
    for (quiet, loud) in sound(1_000.0).chunks(160).zip(sound(1_700.0).chunks(160)) {
        desk.speak_at_once(&at_desk, quiet);
        hall.speak(&in_hall, loud);
    }
    assert!(ends_with(&here, 1_700.0), "the newest branch's");
    let theirs = proxy.fork(&call, 200, "desk", &desk, BOTH);
    proxy.request("ACK");
    let ours = here.answered(&invite);
    pause(Duration::from_millis(200));
    desk.speak(&theirs, &sound(1_000.0));
    assert!(ends_with(&here, 1_000.0), "the first branch has answered");
    over(&here, ours, &proxy, theirs, gateway);
}

// Names

#[test]
fn a_name_in_record_route_is_where_the_requests_of_the_call_go() {
    let (home, here, proxy, edge) = (Home::new(), Party::at("127.0.0.2"), Party::new(), Party::at("127.0.0.3"));
    let zone = Zone::serve("edge.test 60 A 127.0.0.3");
    let gateway = onward(&home, &format!("sip:{}", proxy.address), &zone.config());
    let invite = here.invite("bob", gateway.udp, &[], BOTH);
    let call = proxy.request("INVITE");
    let route = format!("<sip:edge.test:{};lr>", edge.address.port());
    proxy.answer(&call, 200, &[("Record-Route", &route)], Some(&proxy.sdp(BOTH)));
    let acknowledged = edge.request("ACK");
    assert_eq!(acknowledged.headers.first("Route"), Some(route.as_str()));
    let ours = here.answered(&invite);
    here.hang_up(ours);
    let bye: Request = edge.request("BYE");
    edge.answer(&bye, 200, &[], None);
    finished_journals(&gateway.recordings, 2);
    assert_eq!(zone.asked("A edge.test"), 1);
    gateway.stop().exits(0);
}

#[test]
fn a_trunk_that_is_neither_registered_nor_pinged_is_known_by_its_name() {
    let zone = Zone::serve("carrier.test 60 A 127.0.0.2\nsecond.test 60 A 127.0.0.3");
    let home = Home::new();
    home.file(
        "voxgw.toml",
        format!(
            "{}[trunks.carrier]\nserver = ['sip:carrier.test:5099', 'sip:second.test:5099']\nping = '0s'\n\
             [[routes]]\nname = 'carriers'\ntrunk = 'carrier'\nagent = 'echo:live'\n",
            zone.config()
        ),
    );
    let gateway = home.serve("echo:live", &[]);
    assert!(until(LIMIT, || zone.asked("A carrier.test") == 1 && zone.asked("A second.test") == 1));
    pause(Duration::from_millis(300));
    for (place, status) in [("127.0.0.2", 200), ("127.0.0.3", 200), ("127.0.0.4", 404)] {
        let party = Party::at(place);
        let invite = party.invite("bob", gateway.udp, &[], BOTH);
        if status == 200 {
            let talk = party.answered(&invite);
            party.hang_up(talk);
        } else {
            party.response(status);
        }
    }
    gateway.stop().exits(0);
}

/// The caller hangs up; everything ends, and the gateway goes.
fn over(here: &Party, ours: Talk, there: &Party, _theirs: Talk, gateway: Gateway) {
    here.hang_up(ours);
    let bye = there.request("BYE");
    there.answer(&bye, 200, &[], None);
    finished_journals(&gateway.recordings, 2);
    gateway.stop().exits(0);
}
