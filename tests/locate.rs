//! Finding servers (RFC 3263) over real sockets: a small DNS on loopback, gateways behind names, and peers that fail.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/dns.rs"]
mod dns;
#[path = "support/program.rs"]
mod program;

use dns::{Peer, Zone, closed_port, pause};
use program::{Gateway, Home, LIMIT, finished_journals, until};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    time::Duration,
};

/// A short call of `dial`.
const CALL: &[&str] = &["--silence", "--hangup-after", "300ms", "-o", "json"];

/// A home whose programs ask this zone.
fn home_of(zone: &Zone, more: &str) -> Home {
    let home = Home::new();
    home.file("voxgw.toml", format!("{}{more}", zone.config()));
    home
}

/// Status and document of a POST to a gateway's API.
fn post(gateway: &Gateway, path: &str, body: &Value) -> (u16, Value) {
    let mut stream = UnixStream::connect(&gateway.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
    let body = body.to_string();
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: voxgw\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, document) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap();
    (status, serde_json::from_str(document).unwrap_or(Value::Null))
}

/// The transport and peer of each INVITE that a gateway took.
fn transports(gateway: &Gateway, calls: usize) -> Vec<String> {
    let invite = |journal: &program::Journal| {
        let messages = journal.of_kind("sip");
        let first = messages.iter().find(|sip| sip["label"] == "INVITE").unwrap();
        first["transport"].as_str().unwrap().to_owned()
    };
    finished_journals(&gateway.recordings, calls).iter().map(invite).collect()
}

#[test]
fn naptr_and_srv_lead_to_a_gateway_by_tcp() {
    let zone = Zone::serve("");
    let home = home_of(&zone, "");
    let gateway = home.serve("echo:live", &[]);
    zone.set(&format!(
        "gw.test 60 NAPTR 10 20 s SIP+D2U _sip._udp.gw.test
         gw.test 60 NAPTR 10 10 s SIP+D2T _sip._tcp.gw.test
         _sip._udp.gw.test 60 SRV 0 0 {} host.gw.test
         _sip._tcp.gw.test 60 SRV 0 0 {} host.gw.test
         host.gw.test 60 A 127.0.0.1",
        gateway.udp, gateway.tcp
    ));
    let document = home.dial("sip:bob@gw.test", CALL).exits(0).json();
    assert_eq!((&document["sip"], &document["media"]), (&json!("pass"), &json!("pass")));
    home.dial("sip:bob@gw.test;transport=udp", CALL).exits(0);
    assert_eq!(transports(&gateway, 2), ["tcp", "udp"]);
    assert_eq!(zone.asked("NAPTR gw.test"), 1, "who names the transport asks for no NAPTR");
    // A port: the name is a host.
    home.dial(&format!("sip:bob@host.gw.test:{}", gateway.udp), CALL).exits(0);
    assert_eq!(zone.asked("SRV _sip._udp.host.gw.test"), 0);
}

#[test]
fn a_dead_target_is_left_for_the_next_and_not_tried_again_at_once() {
    let (zone, silent) = (Zone::serve(""), Peer::saying("", ""));
    let home = home_of(&zone, "");
    let gateway = home.serve("echo:live", &[]);
    zone.set(&format!(
        "_sip._udp.gw.test 60 SRV 1 0 {} dead.gw.test
         _sip._udp.gw.test 60 SRV 2 0 {} deaf.gw.test
         _sip._udp.gw.test 60 SRV 3 0 {} alive.gw.test
         dead.gw.test 60 A 127.0.0.1
         deaf.gw.test 60 A 127.0.0.1
         alive.gw.test 60 A 127.0.0.1",
        closed_port(),
        silent.port,
        gateway.udp
    ));
    let done = home.dial("sip:bob@gw.test", &[CALL, &["--repeat", "2", "--journal", "kept"]].concat()).exits(0);
    // ICMP speaks at once; silence takes four seconds, once: the second call begins where the first ended.
    assert!((4..12).contains(&done.took.as_secs()), "{:?}", done.took);
    let invites = silent.heard("INVITE");
    assert_eq!(invites.len(), 4, "one call only: {}", invites.len());
    let branch = |text: &str| text.lines().find(|line| line.starts_with("Via:")).unwrap().to_owned();
    assert!(invites.iter().all(|invite| branch(invite) == branch(&invites[0])));
    let journals = finished_journals(&home.path().join("kept"), 2);
    let notes: Vec<String> = journals[0].of_kind("note").iter().map(|note| note["text"].to_string()).collect();
    assert!(notes.iter().any(|note| note.contains("(dead.gw.test)") && note.contains("trying udp")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("(deaf.gw.test): no answer")), "{notes:?}");
    assert_eq!(
        journals[1].of_kind("note").iter().filter(|note| note["text"].to_string().contains("trying")).count(),
        0
    );
    // The request is the same but for its branch.
    let arrived = finished_journals(&gateway.recordings, 2);
    let messages = arrived[0].of_kind("sip");
    let text = messages[0]["text"].as_str().unwrap();
    let line = |text: &str, name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().trim().to_owned();
    for name in ["Call-ID:", "CSeq:", "From:"] {
        assert_eq!(line(text, name), line(&invites[0], name));
    }
    assert_ne!(branch(text).trim(), branch(&invites[0]).trim());
}

#[test]
fn who_answers_503_is_left_for_the_next_for_as_long_as_it_says() {
    let (zone, busy) = (Zone::serve(""), Peer::saying("503 Service Unavailable", "Retry-After: 300\r\n"));
    let home = home_of(&zone, "");
    let gateway = home.serve("echo:live", &[]);
    zone.set(&format!(
        "_sip._udp.gw.test 60 SRV 1 0 {} one.gw.test
         _sip._udp.gw.test 60 SRV 2 0 {} two.gw.test
         one.gw.test 60 A 127.0.0.1
         two.gw.test 60 A 127.0.0.1",
        busy.port, gateway.udp
    ));
    home.dial("sip:bob@gw.test", &[CALL, &["--repeat", "3"]].concat()).exits(0);
    assert_eq!(finished_journals(&gateway.recordings, 3).len(), 3);
    assert_eq!((busy.heard("INVITE").len(), busy.heard("ACK").len()), (1, 1));
    // Another refusal is an answer, and the last word.
    let refusing = Peer::saying("486 Busy Here", "");
    zone.set(&format!(
        "_sip._udp.no.test 60 SRV 1 0 {} one.no.test
         _sip._udp.no.test 60 SRV 2 0 {} one.no.test
         one.no.test 60 A 127.0.0.1",
        refusing.port, gateway.udp
    ));
    home.dial("sip:bob@no.test", CALL).exits(4);
}

#[test]
fn when_nothing_works_it_is_said_what_was_tried() {
    let (zone, busy) = (Zone::serve(""), Peer::saying("503 Service Unavailable", ""));
    let home = home_of(&zone, "");
    let closed = closed_port();
    zone.set(&format!(
        "_sip._udp.gw.test 60 SRV 1 0 {closed} dead.gw.test
         _sip._udp.gw.test 60 SRV 2 0 {} busy.gw.test
         dead.gw.test 60 A 127.0.0.1
         busy.gw.test 60 A 127.0.0.1",
        busy.port
    ));
    let done = home.dial("sip:bob@gw.test", &["--silence"]).exits(4);
    let said = format!("{}{}", done.stdout, done.stderr);
    for words in [
        &format!("udp 127.0.0.1:{closed} (dead.gw.test): udp 127.0.0.1:{closed}: Connection refused"),
        &format!("udp 127.0.0.1:{} (busy.gw.test): Service Unavailable", busy.port),
        "NAPTR gw.test: no such name",
        "SRV _sip._udp.gw.test: dead.gw.test.",
        "A/AAAA busy.gw.test: 127.0.0.1",
    ] {
        assert!(said.contains(words), "no {words:?} in\n{said}");
    }
    let unknown = home.dial("sip:bob@nobody.test", &["--silence"]).exits(3);
    unknown.says(&[
        "could not find the host of sip:bob@nobody.test",
        "A/AAAA nobody.test: no such name",
        "hint: check the name",
    ]);
    // A DNS server that is not there.
    home.file("voxgw.toml", format!("[sip]\ndns = [\"127.0.0.1:{}\"]\n", closed_port()));
    let done = home.dial("sip:bob@gw.test", &["--silence"]).exits(3);
    assert!(done.took < Duration::from_secs(15) && done.stderr.contains("NAPTR gw.test: "), "{done:?}");
    let deaf = Peer::saying("", "");
    home.file("voxgw.toml", format!("[sip]\ndns = [\"127.0.0.1:{}\"]\n", deaf.port));
    let done = home.dial("sip:bob@gw.test", &["--silence"]).exits(3);
    assert!(done.took < Duration::from_secs(15), "{:?}", done.took);
    done.says(&["NAPTR gw.test: no answer from the DNS server", "A/AAAA gw.test: no answer"]);
    home.file("voxgw.toml", "[sip]\ndns = [\"nowhere\"]\n");
    home.dial("sip:bob@gw.test", &["--silence"]).exits(2).complains().says(&["sip.dns", "192.0.2.53"]);
}

#[test]
fn answers_are_kept_for_their_time_and_no_longer() {
    let (zone, peer) = (Zone::serve(""), Peer::saying("486 Busy Here", ""));
    let home = home_of(&zone, "");
    let gateway = home.serve("echo:live", &[]);
    let records = |ttl: u32| {
        zone.set(&format!(
            "kept{ttl}.test {ttl} NAPTR 10 10 s SIP+D2U _sip._udp.kept{ttl}.test
             _sip._udp.kept{ttl}.test {ttl} SRV 0 0 {} host.kept{ttl}.test
             host.kept{ttl}.test {ttl} A 127.0.0.1",
            peer.port
        ));
    };
    for (ttl, asked) in [(60, 1), (1, 2)] {
        records(ttl);
        for _ in 0..2 {
            let (status, document) = post(&gateway, "/v1/calls", &json!({"to": format!("sip:bob@kept{ttl}.test")}));
            assert_eq!(status, 201, "{document}");
            pause(Duration::from_millis(1_300));
        }
        for question in [format!("NAPTR kept{ttl}.test"), format!("SRV _sip._udp.kept{ttl}.test")] {
            assert_eq!(zone.asked(&question), asked, "{question}");
        }
    }
    assert!(until(LIMIT, || peer.heard("INVITE").len() == 4));
}

#[test]
fn a_trunk_is_a_name_with_several_targets() {
    let (zone, dead, alive) = (Zone::serve(""), Peer::saying("503 Down", ""), Peer::saying("200 OK", ""));
    zone.set(&format!(
        "_sip._udp.carrier.test 60 SRV 1 0 {} one.carrier.test
         _sip._udp.carrier.test 60 SRV 2 0 {} two.carrier.test
         one.carrier.test 60 A 127.0.0.1
         two.carrier.test 60 A 127.0.0.1",
        dead.port, alive.port
    ));
    let home = home_of(&zone, "[trunks.carrier]\nserver = 'sip:carrier.test'\nping = '30s'\n");
    let mut gateway = home.serve("echo:live", &[]);
    gateway.running.wait_for_word("trunk carrier is up");
    assert_eq!((dead.heard("OPTIONS").len(), alive.heard("OPTIONS").len()), (1, 1));
    // Calls through it know what the ping found out.
    let (status, document) = post(&gateway, "/v1/calls", &json!({"to": "+4930123", "trunk": "carrier"}));
    assert_eq!(status, 201, "{document}");
    assert!(until(LIMIT, || !alive.heard("INVITE").is_empty()));
    assert!(alive.heard("INVITE sip:+4930123@carrier.test").len() == 1 && dead.heard("INVITE").is_empty());
}

#[test]
fn a_3xx_may_name_a_name() {
    let zone = Zone::serve("");
    let home = home_of(&zone, "");
    let gateway = home.serve("echo:live", &[]);
    zone.set(&format!(
        "_sip._udp.gw.test 60 SRV 1 0 {} dead.gw.test
         _sip._udp.gw.test 60 SRV 2 0 {} host.gw.test
         dead.gw.test 60 A 127.0.0.1
         host.gw.test 60 A 127.0.0.1",
        closed_port(),
        gateway.udp
    ));
    let contacts = "Contact: <sip:bob@192.0.2.1:9>;q=0.1\r\nContact: <sip:bob@gw.test>;q=0.9\r\n";
    let moved = Peer::saying("302 Moved Temporarily", contacts);
    home.dial(&format!("sip:bob@127.0.0.1:{}", moved.port), CALL).exits(0);
    let journals = finished_journals(&gateway.recordings, 1);
    let invite = journals[0].of_kind("sip")[0]["text"].as_str().unwrap().to_owned();
    assert!(invite.starts_with("INVITE sip:bob@gw.test") && invite.contains("CSeq: 2 INVITE"), "{invite}");
    let lost = Peer::saying("302 Moved Temporarily", "Contact: <sip:bob@nobody.test>\r\n");
    let done = home.dial(&format!("sip:bob@127.0.0.1:{}", lost.port), &["--silence"]).exits(3);
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(said.contains("redirected to sip:bob@nobody.test") && said.contains("no such name"), "{said}");
}

#[test]
fn a_response_whose_connection_is_gone_goes_to_the_name_in_its_via() {
    let zone = Zone::serve("");
    let home = home_of(&zone, "");
    let gateway = home.serve("echo:live", &[]);
    // Nobody listens where the request came from; the name leads elsewhere.
    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    zone.set(&format!(
        "_sip._tcp.caller.test 60 SRV 0 0 {port} edge.caller.test
         edge.caller.test 60 A 127.0.0.2"
    ));
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
    let invite = format!(
        "INVITE sip:bob@gw SIP/2.0\r\nVia: SIP/2.0/TCP caller.test;branch=z9hG4bK1\r\nFrom: <sip:a@caller.test>;tag=1\r\n\
         To: <sip:bob@gw>\r\nCall-ID: lost\r\nCSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.2:{port};transport=tcp>\r\n\
         Max-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    );
    let mut caller = TcpStream::connect(("127.0.0.1", gateway.tcp)).unwrap();
    caller.write_all(invite.as_bytes()).unwrap();
    drop(caller);
    let (mut back, _) = listener.accept().unwrap();
    back.set_read_timeout(Some(LIMIT)).unwrap();
    let mut said = String::new();
    while !said.contains("SIP/2.0 200 OK") {
        let mut buffer = [0; 4_096];
        let length = back.read(&mut buffer).unwrap();
        assert!(length > 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    assert!(said.contains("Via: SIP/2.0/TCP caller.test;branch=z9hG4bK1;received=127.0.0.1"), "{said}");
    assert_eq!(zone.asked("SRV _sip._tcp.caller.test"), 1);
}

#[test]
fn texts_move_on_too_and_long_ones_go_by_tcp() {
    let (zone, busy) = (Zone::serve(""), Peer::saying("503 Down", ""));
    let home = home_of(&zone, "");
    let gateway = home.serve("echo:live", &[]);
    let there = Home::new();
    let mut other = there.serve("echo:live", &[]);
    zone.set(&format!(
        "_sip._udp.gw.test 60 SRV 1 0 {} one.gw.test
         _sip._udp.gw.test 60 SRV 2 0 {} two.gw.test
         _sip._udp.lone.test 60 SRV 2 0 {} two.gw.test
         one.gw.test 60 A 127.0.0.1
         two.gw.test 60 A 127.0.0.1",
        busy.port, other.udp, busy.port
    ));
    let write = |to: &str, text: &str| {
        post(&gateway, "/v1/messages", &json!({"to": to, "from": "sip:desk@example.org", "text": text}))
    };
    let (status, document) = write("sip:bob@gw.test", "short");
    assert_eq!((status, &document["status"]), (200, &json!(200)), "{document}");
    other.running.wait_for_word("length=5");
    assert_eq!(busy.heard("MESSAGE").len(), 1);
    // The same address takes TCP only where it listens: TCP and UDP have different ports here.
    let (status, document) = write(&format!("sip:bob@127.0.0.1:{}", other.tcp), &"x".repeat(2_000));
    assert_eq!((status, &document["status"]), (200, &json!(200)), "{document}");
    other.running.wait_for_word("length=2000");
    // Nobody takes TCP there: better a cut datagram than none (RFC 3261 §18.1.1).
    let (status, document) = write(&format!("sip:bob@127.0.0.1:{}", other.udp), &"y".repeat(3_000));
    assert_eq!((status, &document["status"]), (200, &json!(200)), "{document}");
    other.running.wait_for_word("length=3000");
    let (status, document) = write("sip:bob@lone.test", "short");
    assert_eq!((status, &document["status"]), (502, &json!(503)), "{document}");
    assert!(document["reason"].as_str().unwrap().contains("SRV _sip._udp.lone.test"), "{document}");
}
