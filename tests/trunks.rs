//! Trunks and the limits of our calls, end to end with the binary: rules that ask for the trunk, `outbound.*`, a trunk
//! that is registered over a connection, and leaving.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/dns.rs"]
mod dns;
#[path = "support/program.rs"]
mod program;

use dns::Peer;
use program::{Gateway, Home, LIMIT, finished_journals, until};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

const TALK: &[&str] = &["--silence", "--hangup-after", "300ms", "-o", "json"];

fn home_with(config: &str) -> Home {
    let home = Home::new();
    home.file("voxgw.toml", config);
    home
}

fn ask(gateway: &Gateway, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(&gateway.socket).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: voxgw\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, document) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap();
    (status, serde_json::from_str(document).unwrap_or(Value::Null))
}

fn call(gateway: &Gateway, to: &str) -> (u16, Value) {
    ask(gateway, "POST", "/v1/calls", &json!({"to": to}).to_string())
}

#[test]
fn a_rule_asks_for_the_trunk_that_a_call_comes_by() {
    let home = home_with(
        "[trunks.other]\nserver = 'sip:192.0.2.1'\nping = '0s'\n[trunks.carrier]\nserver = 'sip:127.0.0.1:9'\nping = '1h'\n\
         [[routes]]\nname = 'others'\ntrunk = 'other'\nagent = 'echo'\n[[routes]]\nname = 'carriers'\ntrunk = 'car*'\nagent = 'echo:live'\n",
    );
    let gateway = home.serve("echo", &["--sip", "udp:[::1]:0"]);
    home.dial(&gateway.target(), TALK).exits(0);
    let journals = finished_journals(&gateway.recordings, 1);
    assert_eq!(
        (&journals[0].records[0]["rule"], &journals[0].records[0]["agent"]),
        (&json!("carriers"), &json!("echo:live"))
    );
    // By another address of this machine comes nobody's trunk.
    let port = program::port_after(&gateway.running.stderr(), "udp:[::1]:");
    let refused = home.dial(&format!("sip:bob@[::1]:{port}"), TALK).exits(4).json();
    let summary = &refused["calls"][0]["summary"];
    assert!(summary["status"] == 404 && summary["reason"].as_str().unwrap().contains("no rule matched"), "{summary}");
}

#[test]
fn of_two_trunks_at_one_server_the_called_one_is_meant() {
    let home = home_with(
        "[trunks.south]\nserver = 'sip:127.0.0.1:9'\nuser = '4989'\nping = '0s'\n\
         [trunks.north]\nserver = 'sip:127.0.0.1:9'\nuser = '4930'\nping = '0s'\n\
         [[routes]]\nname = 'southern'\ntrunk = 'south'\nagent = 'echo:live'\n\
         [[routes]]\nname = 'northern'\ntrunk = 'north'\nagent = 'echo:live'\n",
    );
    let gateway = home.serve("echo", &[]);
    let told = gateway.running.stderr();
    assert!(told.contains("trunks north and south have the same server"), "{told}");
    for number in ["4989", "4930", "1"] {
        home.dial(&format!("sip:{number}@127.0.0.1:{}", gateway.udp), TALK).exits(0);
    }
    let journals = finished_journals(&gateway.recordings, 3);
    let rules: Vec<&str> = journals.iter().map(|journal| journal.records[0]["rule"].as_str().unwrap()).collect();
    assert_eq!(rules[..2], ["southern", "northern"]);
    // Nobody's number is the first one's by name.
    assert_eq!(rules[2], "northern", "{told}");
    gateway.stop().exits(0);
}

#[test]
fn calls_of_ours_stay_within_their_limits() {
    let peer = Peer::saying("486 Busy Here", "");
    let home = home_with("[outbound]\nallow = ['+49*']\ncalls_per_minute = 2\n");
    let gateway = home.serve("echo:live", &[]);
    let number = |number: &str| format!("sip:{number}@127.0.0.1:{}", peer.port);
    let refused = |to: &str, rule: &str| {
        let (status, document) = call(&gateway, to);
        assert!(status >= 400 && document.to_string().contains(rule), "{to}: {status} {document}");
    };
    refused(&number("+1900"), "outbound.allow");
    refused(&number("%2B1900"), "outbound.allow");
    for _ in 0..2 {
        let (status, document) = call(&gateway, &number("+4930"));
        assert_eq!(status, 201, "{document}");
    }
    refused(&number("+4930"), "outbound.calls_per_minute");
    assert!(until(LIMIT, || peer.heard("INVITE").len() == 2));
    assert!(
        peer.heard("INVITE").iter().all(|invite| invite.starts_with("INVITE sip:+4930@")),
        "no call but those allowed"
    );
    let (_, health) = ask(&gateway, "GET", "/v1/health", "");
    let by = &health["refused_by"];
    assert_eq!((&by["outbound.allow"], &by["outbound.calls_per_minute"]), (&json!(2), &json!(1)), "{health}");
}

/// Reads one SIP message off a connection; a lone pair of line ends is one too.
fn read_message(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        text.push_str(&line);
        if text == "\r\n\r\n" || !text.starts_with("\r\n") && text.ends_with("\r\n\r\n") {
            return Some(text);
        }
    }
}

fn reply_to(request: &str, status: &str, more: &str) -> String {
    let line = |name: &str| request.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    format!(
        "SIP/2.0 {status}\r\n{}\r\n{}\r\n{};tag=r\r\n{}\r\n{}\r\n{more}Content-Length: 0\r\n\r\n",
        line("Via:"),
        line("From:"),
        line("To:"),
        line("Call-ID:"),
        line("CSeq:")
    )
}

#[test]
fn a_connection_that_a_trunk_is_registered_over_is_pinged_and_made_anew_when_it_is_dead() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let home = home_with(&format!(
        "[sip]\nkeep_alive = '1s'\n[trunks.carrier]\nserver = 'sip:127.0.0.1:{port};transport=tcp'\nuser = 'us'\n\
         register = true\nping = '0s'\n"
    ));
    let mut gateway = home.serve("echo:live", &[]);
    let accept = || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut reader = BufReader::new(stream);
        let register = read_message(&mut reader).unwrap();
        assert!(register.starts_with("REGISTER "), "{register}");
        let contact = register.lines().find(|line| line.starts_with("Contact:")).unwrap();
        let reply = reply_to(&register, "200 OK", &format!("{contact};expires=600\r\n"));
        reader.get_mut().write_all(reply.as_bytes()).unwrap();
        reader
    };
    let mut first = accept();
    gateway.running.wait_for_word("trunk carrier is up");
    for _ in 0..2 {
        assert_eq!(read_message(&mut first).unwrap(), "\r\n\r\n", "a ping");
        first.get_mut().write_all(b"\r\n").unwrap();
    }
    // The far end is gone without a word: its socket is open, and nobody answers.
    let begin = Instant::now();
    let second = accept();
    let took = begin.elapsed();
    assert!((9..20).contains(&took.as_secs()), "ten seconds for the pong: {took:?}");
    drop(second);
    // Closed: at once.
    let begin = Instant::now();
    let _third = accept();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn calls_through_a_trunk_pass_the_proxies_that_its_registrar_names() {
    let proxy = Peer::saying("486 Busy Here", "");
    let routes =
        format!("Service-Route: <sip:127.0.0.1:{};lr>, <sip:inner.example.org;lr>\r\nExpires: 600\r\n", proxy.port);
    let registrar = Peer::saying("200 OK", &routes);
    let home = home_with(&format!(
        "[trunks.carrier]\nserver = 'sip:127.0.0.1:{}'\nuser = 'us'\nregister = true\nping = '0s'\n",
        registrar.port
    ));
    let mut gateway = home.serve("echo:live", &[]);
    gateway.running.wait_for_word("trunk carrier is up");
    let body = json!({"to": "+4930999", "trunk": "carrier"}).to_string();
    let (status, document) = ask(&gateway, "POST", "/v1/calls", &body);
    assert_eq!(status, 201, "{document}");
    assert!(until(LIMIT, || !proxy.heard("INVITE").is_empty()));
    let invite = &proxy.heard("INVITE")[0];
    assert!(invite.starts_with(&format!("INVITE sip:+4930999@127.0.0.1:{} ", registrar.port)), "{invite}");
    let found: Vec<&str> = invite.lines().filter(|line| line.starts_with("Route:")).collect();
    assert_eq!(
        found,
        [format!("Route: <sip:127.0.0.1:{};lr>", proxy.port), "Route: <sip:inner.example.org;lr>".to_owned()]
    );
    assert!(registrar.heard("INVITE").is_empty());
}

#[test]
fn who_leaves_before_the_first_answer_takes_the_registration_back() {
    let registrar = UdpSocket::bind("127.0.0.1:0").unwrap();
    registrar.set_read_timeout(Some(LIMIT)).unwrap();
    let home = home_with(&format!(
        "[trunks.carrier]\nserver = 'sip:127.0.0.1:{}'\nuser = 'us'\nregister = true\nping = '0s'\n",
        registrar.local_addr().unwrap().port()
    ));
    let gateway = home.serve("echo:live", &[]);
    let mut buffer = [0; 4_096];
    let mut read = || {
        let (length, from) = registrar.recv_from(&mut buffer).unwrap();
        (String::from_utf8_lossy(&buffer[..length]).into_owned(), from)
    };
    let (first, from) = read();
    gateway.running.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    registrar.send_to(reply_to(&first, "200 OK", "Expires: 600\r\n").as_bytes(), from).unwrap();
    let back = loop {
        let (request, _) = read();
        if !request.contains("CSeq: 1 REGISTER") {
            break request;
        }
    };
    assert!(back.contains("Expires: 0") && back.contains("CSeq: 2 REGISTER"), "{back}");
    registrar.send_to(reply_to(&back, "200 OK", "").as_bytes(), from).unwrap();
    gateway.running.wait().exits(0);
}
