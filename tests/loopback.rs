//! Transports over real sockets on this machine: TLS and its certificates, WebSocket, IPv6, connections used again.
//!
//! Calls go between two programs; what no telephone would say is written by hand to a raw connection.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/program.rs"]
mod program;

use futures_util::{SinkExt as _, StreamExt as _};
use program::{Gateway, Home, LIMIT, finished_journals, port_after, until};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use serde_json::json;
use std::{fs, net::TcpListener, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, http::HeaderValue},
};

/// A short call of `dial`.
const CALL: &[&str] = &["--silence", "--hangup-after", "300ms", "-o", "json"];
/// Names of this machine.
const HERE: &[&str] = &["localhost", "127.0.0.1", "::1"];

// Certificates

/// A CA of our own.
struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Writes `NAME.crt` and `NAME.key`.
    fn sign(&self, home: &Home, name: &str, subjects: &[&str]) -> (PathBuf, PathBuf) {
        let subjects: Vec<String> = subjects.iter().map(|subject| (*subject).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(subjects).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key_file = home.file(&format!("{name}.key"), key.serialize_pem());
        (home.file(&format!("{name}.crt"), certificate.pem()), key_file)
    }
}

/// A home whose programs have a certificate for this machine and trust its CA; `more` are keys of `[sip.tls]`.
fn home_with(more: &str) -> (Home, Ca) {
    let (home, ca) = (Home::new(), Ca::new());
    ca.sign(&home, "server", HERE);
    home.file("ca.pem", &ca.pem);
    let tls = format!("[sip.tls]\ncertificate = 'server.crt'\nkey = 'server.key'\nca = 'ca.pem'\n{more}\n");
    home.file("voxgw.toml", tls);
    (home, ca)
}

/// A gateway that listens here too, and its port there.
fn serve(home: &Home, listen: &str) -> (Gateway, u16) {
    let gateway = home.serve("echo:live", &["--sip", &format!("{listen}:0")]);
    let port = port_after(&gateway.running.stderr(), &format!("{listen}:"));
    (gateway, port)
}

// Raw connections

async fn connect_tls(ca: &Ca, port: u16) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

fn options(transport: &str) -> String {
    format!(
        "OPTIONS sip:voxgw@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} df7jal23ls0d.invalid;branch=z9hG4bK56sdasks\r\n\
         From: <sip:alice@example.org>;tag=1\r\nTo: <sip:voxgw@127.0.0.1>\r\nCall-ID: 7@{transport}\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// What comes until an empty line, within the limit.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut text = String::new();
    let reading = async {
        while !text.ends_with("\r\n\r\n") {
            text.push(char::from(stream.read_u8().await.unwrap()));
        }
    };
    tokio::time::timeout(LIMIT, reading).await.expect("an answer");
    text
}

fn assert_options_answered(answer: &str, transport: &str) {
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    assert!(answer.contains(&format!("SIP/2.0/{transport} df7jal23ls0d.invalid")), "{answer}");
    assert!(answer.contains("received=127.0.0.1"), "{answer}");
}

// TLS

#[tokio::test]
async fn options_over_tls_are_answered_and_pings_too() {
    let (home, ca) = home_with("");
    let (_gateway, port) = serve(&home, "tls:127.0.0.1");
    // Somebody who does not go on with the handshake keeps nobody from it.
    let _silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut stream = connect_tls(&ca, port).await;
    stream.write_all(options("TLS").as_bytes()).await.unwrap();
    assert_options_answered(&read_head(&mut stream).await, "TLS");
    stream.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    tokio::time::timeout(LIMIT, stream.read_exact(&mut pong)).await.expect("a pong").unwrap();
    assert_eq!(&pong, b"\r\n");
}

#[test]
fn a_whole_call_goes_over_tls_with_sip_and_sips() {
    let (home, _) = home_with("");
    let (gateway, port) = serve(&home, "tls:127.0.0.1");
    for (count, target) in
        [format!("sip:bob@127.0.0.1:{port};transport=tls"), format!("sips:bob@127.0.0.1:{port}")].iter().enumerate()
    {
        let document = home.dial(target, CALL).exits(0).json();
        assert_eq!((&document["sip"], &document["media"]), (&json!("pass"), &json!("pass")));
        let journal = &finished_journals(&gateway.recordings, count + 1)[count];
        let messages = journal.of_kind("sip");
        assert!(messages.iter().all(|sip| sip["transport"] == "tls"));
        let scheme = target.split(':').next().unwrap();
        for sip in messages.iter().filter(|sip| sip["label"] == "INVITE" || sip["label"] == "200 OK") {
            let text = sip["text"].as_str().unwrap();
            if sip["method"] == "INVITE" {
                assert!(text.contains("SIP/2.0/TLS "), "{text}");
                assert!(
                    text.contains(&format!("<{scheme}:voxgw@127.0.0.1:")) && text.contains(";transport=tls>"),
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn a_second_call_uses_the_connection_of_the_first() {
    let (home, _) = home_with("");
    for (transport, calls) in [("tls", 2), ("ws", 4)] {
        let (gateway, port) = serve(&home, &format!("{transport}:127.0.0.1"));
        let target = format!("sip:bob@127.0.0.1:{port};transport={transport}");
        home.dial(&target, &[CALL, &["--repeat", "2"]].concat()).exits(0);
        let journals = finished_journals(&gateway.recordings, calls);
        let newest = &journals[calls - 2..];
        let mut peers: Vec<String> = newest
            .iter()
            .flat_map(|journal| journal.of_kind("sip"))
            .map(|sip| sip["peer"].as_str().unwrap().to_owned())
            .collect();
        peers.dedup();
        assert_eq!(peers.len(), 1, "{transport}: {peers:?}");
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_with_the_cure() {
    let (home, _) = home_with("");
    let (_gateway, port) = serve(&home, "tls:127.0.0.1");
    home.file("other.pem", Ca::new().pem);
    let target = format!("sip:bob@127.0.0.1:{port};transport=tls");
    let dial = |variables: &[(&str, &str)], target: &str| {
        let window = program::rtp_window();
        home.run_with(variables, &["dial", target, "--rtp-ports", &window, "--silence", "--hangup-after", "300ms"])
    };
    let wrong_ca = [("VOXGW__SIP__TLS__CA", "other.pem")];
    let refused = dial(&wrong_ca, &target).exits(3);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("signed by nobody whom we trust") && said.contains("sip.tls.ca"), "{said}");
    assert!(refused.took < Duration::from_secs(5), "it is told at once, not after 32 s");
    let unchecked = [("VOXGW__SIP__TLS__CA", "other.pem"), ("VOXGW__SIP__TLS__VERIFY_SERVER", "false")];
    dial(&unchecked, &target).exits(0);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let (home, ca) = home_with("");
    ca.sign(&home, "server", &["somebody-else.test"]);
    let (_gateway, port) = serve(&home, "tls:127.0.0.1");
    let refused = home.dial(&format!("sip:bob@127.0.0.1:{port};transport=tls"), CALL).exits(3);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("call it by a name that its certificate has"), "{said}");
}

#[test]
fn clients_without_a_certificate_are_refused_where_one_is_wanted() {
    let (home, ca) = home_with("verify_client = true");
    ca.sign(&home, "phone", &["phone.test"]);
    let (_gateway, port) = serve(&home, "tls:127.0.0.1");
    let target = format!("sip:bob@127.0.0.1:{port};transport=tls");
    let refused = home.dial(&target, CALL).exits(3);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("sip.tls.client_certificate"), "{said}");
    let variables =
        [("VOXGW__SIP__TLS__CLIENT_CERTIFICATE", "phone.crt"), ("VOXGW__SIP__TLS__CLIENT_KEY", "phone.key")];
    let window = program::rtp_window();
    home.run_with(&variables, &[&["dial", &target, "--rtp-ports", &window], CALL].concat()).exits(0);
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart() {
    let (home, ca) = home_with("");
    let (_gateway, port) = serve(&home, "tls:127.0.0.1");
    let shown = async || connect_tls(&ca, port).await.get_ref().1.peer_certificates().unwrap()[0].clone();
    let first = shown().await;
    fs::write(home.path().join("server.crt"), "nothing of use").unwrap();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(first, shown().await, "a broken file leaves the old one in place");
    ca.sign(&home, "server", HERE);
    let deadline = tokio::time::Instant::now() + LIMIT;
    while shown().await == first {
        assert!(tokio::time::Instant::now() < deadline, "the new certificate is never shown");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[test]
fn secure_addresses_without_a_certificate_say_what_to_set() {
    let home = Home::new();
    for listen in ["tls:127.0.0.1:0", "wss:127.0.0.1:0"] {
        let done = home.run(&["serve", "--agent", "echo", "--sip", listen, "--api", "off"]).exits(2).complains();
        done.says(&[listen, "hint: set sip.tls.certificate and sip.tls.key"]);
    }
    home.file("voxgw.toml", "[sip.tls]\ncertificate = 'a.crt'\nkey = 'a.key'\n");
    let done = home.run(&["serve", "--agent", "echo", "--sip", "tls:127.0.0.1:0", "--api", "off"]).exits(7).complains();
    done.says(&["could not read a.crt", "hint: "]);
}

#[test]
fn a_far_end_without_tls_is_told_apart_at_once() {
    let (home, _) = home_with("");
    let gateway = home.serve("echo:live", &[]);
    let target = format!("sip:bob@127.0.0.1:{};transport=tls", gateway.tcp);
    let done = home.dial(&target, CALL).exits(3);
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(said.contains("could not connect to tls 127.0.0.1"), "{said}");
    assert!(done.took < Duration::from_secs(5), "plain TCP closes at once");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let done = home.dial(&format!("sip:bob@127.0.0.1:{closed};transport=tls"), CALL).exits(3);
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(said.contains("refused"), "{said}");
}

// WebSocket

async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    protocol: Option<&'static str>,
) -> Result<WebSocketStream<S>, Error> {
    let mut request = "ws://localhost/".into_client_request().unwrap();
    if let Some(protocol) = protocol {
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(protocol));
    }
    client_async(request, stream).await.map(|(stream, response)| {
        assert_eq!(response.headers()["Sec-WebSocket-Protocol"], "sip");
        stream
    })
}

async fn next_text<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut WebSocketStream<S>) -> String {
    let message = tokio::time::timeout(LIMIT, stream.next()).await.expect("a message").unwrap().unwrap();
    message.into_text().unwrap().to_string()
}

async fn options_over<S: AsyncRead + AsyncWrite + Unpin>(stream: S, transport: &str) {
    let mut stream = upgrade(stream, Some("chat, sip")).await.unwrap();
    stream.send(Message::text(options(transport))).await.unwrap();
    assert_options_answered(&next_text(&mut stream).await, transport);
    // Again, without a length, in a binary message: RFC 7118 §4.2 needs neither.
    let short = options(transport).replace("Content-Length: 0\r\n", "").replace("CSeq: 1", "CSeq: 2");
    stream.send(Message::binary(short.replace("56sdasks", "another1").into_bytes())).await.unwrap();
    assert_options_answered(&next_text(&mut stream).await, transport);
    stream.send(Message::text("\r\n\r\n")).await.unwrap();
    assert_eq!(next_text(&mut stream).await, "\r\n");
}

#[tokio::test]
async fn options_over_websocket_are_answered() {
    let home = Home::new();
    let (_gateway, port) = serve(&home, "ws:127.0.0.1");
    options_over(TcpStream::connect(("127.0.0.1", port)).await.unwrap(), "WS").await;
}

#[tokio::test]
async fn options_over_secure_websocket_are_answered() {
    let (home, ca) = home_with("");
    let (_gateway, port) = serve(&home, "wss:127.0.0.1");
    options_over(connect_tls(&ca, port).await, "WSS").await;
}

#[tokio::test]
async fn a_websocket_for_something_else_is_refused() {
    let home = Home::new();
    let (_gateway, port) = serve(&home, "ws:127.0.0.1");
    for protocol in [None, Some("chat")] {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let Err(Error::Http(response)) = upgrade(stream, protocol).await else { panic!("{protocol:?} was accepted") };
        assert_eq!(response.status(), 400);
    }
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 426 ") && head.contains("Upgrade: websocket"), "{head}");
}

#[test]
fn a_whole_call_goes_over_websocket() {
    let (home, _) = home_with("");
    for (count, transport) in ["ws", "wss"].into_iter().enumerate() {
        let (gateway, port) = serve(&home, &format!("{transport}:127.0.0.1"));
        let document = home.dial(&format!("sip:bob@127.0.0.1:{port};transport={transport}"), CALL).exits(0).json();
        assert_eq!((&document["sip"], &document["media"]), (&json!("pass"), &json!("pass")));
        let journal = &finished_journals(&gateway.recordings, count + 1)[count];
        assert!(journal.of_kind("sip").iter().all(|sip| sip["transport"] == transport));
    }
}

// IPv6

#[test]
fn calls_go_over_ipv6() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no ::1");
        return;
    }
    let (home, _) = home_with("");
    let gateway = home.serve("echo:live", &["--sip", "udp:[::1]:0", "--sip", "tcp:[::1]:0", "--sip", "tls:[::1]:0"]);
    let said = gateway.running.stderr();
    for (count, transport) in ["udp", "tcp", "tls"].into_iter().enumerate() {
        let port = port_after(&said, &format!("{transport}:[::1]:"));
        let target = format!("sip:bob@[::1]:{port};transport={transport}");
        let document = home.dial(&target, CALL).exits(0).json();
        assert_eq!((&document["sip"], &document["media"]), (&json!("pass"), &json!("pass")), "{transport}");
        assert!(until(LIMIT, || program::journals(&gateway.recordings).len() > count));
        let journal = &finished_journals(&gateway.recordings, count + 1)[count];
        let messages = journal.of_kind("sip");
        assert!(messages.iter().all(|sip| sip["transport"] == transport && sip["local"] == format!("[::1]:{port}")));
    }
}

// SRTP

#[test]
fn over_tls_sound_is_encrypted_and_no_key_is_left_anywhere() {
    let (home, _) = home_with("");
    for (policy, pcap) in [("required", "all"), ("optional", "decrypted")] {
        let gateway = home.serve("echo:live", &["--sip", "tls:127.0.0.1:0", "--pcap", pcap]);
        let port = port_after(&gateway.running.stderr(), "tls:127.0.0.1:");
        let kept = home.path().join(policy);
        let more = [
            "--srtp",
            policy,
            "--codec",
            "pcmu",
            "--silence",
            "--hangup-after",
            "1500ms",
            "--journal",
            kept.to_str().unwrap(),
        ];
        home.dial(&format!("sip:bob@localhost:{port};transport=tls"), &more).exits(0);
        let journal = finished_journals(&gateway.recordings, 1).remove(0);
        assert_eq!(journal.of_kind("media")[0]["srtp"], "AEAD_AES_256_GCM", "{policy}");
        assert!(journal.summary()["stats"]["inbound"]["packets"].as_u64() > Some(40));
        // Silence in µ-law is 0xff: it can be seen in a capture of what was before encryption, and only there.
        let capture = fs::read(journal.folder.join("call.pcap")).unwrap();
        let silence = capture.windows(160).any(|bytes| bytes.iter().all(|byte| *byte == 0xff));
        assert_eq!(silence, pcap == "decrypted");
        for folder in [&journal.folder, &program::journals(&kept)[0].folder] {
            for entry in fs::read_dir(folder).unwrap() {
                let bytes = fs::read(entry.unwrap().path()).unwrap();
                let text = String::from_utf8_lossy(&bytes).to_lowercase();
                assert_eq!(text.matches("inline:").count(), text.matches("inline:(redacted)").count());
            }
        }
        assert!(!gateway.running.stderr().contains("inline"));
        fs::remove_dir_all(&gateway.recordings).unwrap();
        gateway.stop().exits(0);
    }
}

#[test]
fn keys_are_not_sent_over_udp_unless_that_is_allowed() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let more = ["--srtp", "required", "--silence", "--hangup-after", "1s"];
    let refused = home.dial(&gateway.target(), &more).exits(2);
    refused.says(&["SRTP is required, and its keys would travel in the clear over udp", "media.srtp_over_plain"]);
    home.dial(&gateway.target(), &["--srtp", "optional", "--silence", "--hangup-after", "1s"]).exits(0);
    assert!(finished_journals(&gateway.recordings, 1)[0].of_kind("media")[0].get("srtp").is_none());
    gateway.stop().exits(0);

    home.file("voxgw.toml", "media.srtp_over_plain = true\n");
    fs::remove_dir_all(home.path().join("calls")).unwrap();
    let gateway = home.serve("echo:live", &[]);
    home.dial(&gateway.target(), &more).exits(0);
    let journal = finished_journals(&gateway.recordings, 1).remove(0);
    assert_eq!(journal.of_kind("media")[0]["srtp"], "AEAD_AES_256_GCM");
    assert!(journal.of_kind("note")[0]["text"].as_str().unwrap().contains("can be read on its way"));
    gateway.stop().exits(0);
}
