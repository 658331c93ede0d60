//! The HTTP client over real sockets: tries, times, sizes, redirects, connections, TLS, and what its errors say.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/mock_http.rs"]
mod mock_http;

use bytes::Bytes;
use hyper::Method;
use mock_http::{Answer, MockHttp};
use std::time::{Duration, Instant};
use voxgw::{
    error::{Error, Kind},
    net::http::{Client, Patience, Request},
    network::url::Url,
    redact::Secret,
};

const PATIENCE: Patience =
    Patience { within: Duration::from_secs(2), tries: 3, pause: Duration::from_millis(20), answer_max: 1_000 };

fn post(url: &str) -> Request {
    let headers = vec![("Authorization".to_owned(), Secret::new("Bearer s3cret-of-the-server"))];
    let body = Some(("application/json".into(), Bytes::from_static(b"{\"a\":1}")));
    Request { method: Method::POST, url: Url::parse(url).unwrap(), headers, body }
}

fn words(error: &Error) -> String {
    format!("{error} | {}", error.hint_text().unwrap_or_default())
}

#[tokio::test]
async fn a_request_arrives_whole_and_connections_are_used_again() {
    let server = MockHttp::start([Answer::of(200, "{\"ok\":true}")]).await;
    let client = Client::new(None).unwrap();
    for _ in 0..3 {
        let answer = client.send(&post(&format!("{}/hook?t=1", server.url)), PATIENCE).await.unwrap();
        assert_eq!((answer.status, answer.tries, answer.body), (200, 1, Bytes::from_static(b"{\"ok\":true}")));
    }
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.connection == 1), "one connection for all");
    assert_eq!((asked[0].line.as_str(), asked[0].body.as_str()), ("POST /hook?t=1", "{\"a\":1}"));
    assert_eq!(asked[0].header("authorization"), "Bearer s3cret-of-the-server");
    assert_eq!(asked[0].header("content-type"), "application/json");
    assert!(server.url.ends_with(asked[0].header("host")), "{asked:?}");
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_does_not_is_told_at_once() {
    let server = MockHttp::start([Answer::of(500, "down"), Answer::of(503, ""), Answer::of(200, "ok")]).await;
    let client = Client::new(None).unwrap();
    let answer = client.send(&post(&server.url), PATIENCE).await.unwrap();
    assert_eq!((answer.tries, server.asked().len()), (3, 3));

    let server = MockHttp::start([Answer::of(500, "the database\nis down")]).await;
    let error = client.send(&post(&format!("{}/x?token=s3cret", server.url)), PATIENCE).await.unwrap_err();
    assert_eq!((error.kind(), server.asked().len()), (Kind::Refused, 3));
    let said = words(&error);
    assert!(said.contains("/x?…: answered 500 Internal Server Error: the database is down"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");

    let server = MockHttp::start([Answer::of(401, "no")]).await;
    let said = words(&client.send(&post(&server.url), PATIENCE).await.unwrap_err());
    assert!(said.contains("401 Unauthorized: no") && said.contains("headers that carry its key"), "{said}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn nobody_waits_longer_than_allowed_and_the_server_is_let_go() {
    let server = MockHttp::start([Answer::of(200, "late").after(30_000)]).await;
    let client = Client::new(None).unwrap();
    let began = Instant::now();
    let patience = Patience { within: Duration::from_millis(300), ..PATIENCE };
    let said = words(&client.send(&post(&server.url), patience).await.unwrap_err());
    assert!(began.elapsed() < Duration::from_secs(2) && said.contains("no answer within 300 ms"), "{said}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.gone(), 1, "the connection is closed");
}

#[tokio::test]
async fn long_answers_broken_ones_and_closed_ports_are_told() {
    let client = Client::new(None).unwrap();
    let server = MockHttp::start([Answer::of(200, &"x".repeat(1_001))]).await;
    assert!(words(&client.send(&post(&server.url), PATIENCE).await.unwrap_err()).contains("more than 1000 bytes"));
    let broken = Answer { breaks: true, ..Answer::of(200, "half of this") };
    let server = MockHttp::start([broken, Answer::of(200, "whole")]).await;
    assert_eq!(client.send(&post(&server.url), PATIENCE).await.unwrap().tries, 2, "and tried again");
    let said = words(&client.send(&post("http://127.0.0.1:9/"), PATIENCE).await.unwrap_err());
    assert!(said.contains("could not connect") && said.contains("that the server is up"), "{said}");
}

#[tokio::test]
async fn redirects_stay_at_their_host_and_keep_the_method() {
    let client = Client::new(None).unwrap();
    let server = MockHttp::start([Answer::of(308, "").header("location: /new"), Answer::of(200, "here")]).await;
    client.send(&post(&server.url), PATIENCE).await.unwrap();
    assert_eq!((server.asked()[1].line.as_str(), server.asked()[1].body.as_str()), ("POST /new", "{\"a\":1}"));
    for (status, location) in [(302, "/new"), (307, "http://127.0.0.1:9/"), (307, ""), (307, "/")] {
        let server = MockHttp::start([Answer::of(status, "").header(&format!("location: {location}"))]).await;
        let said = words(&client.send(&post(&server.url), PATIENCE).await.unwrap_err());
        assert!(said.contains("redirect"), "{status} {location}: {said}");
        assert!(server.asked().len() <= 4, "not for ever");
    }
}

#[tokio::test]
async fn the_servers_certificate_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let _ = stream.read(&mut [0; 4_096]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
                let _ = stream.shutdown().await;
            });
        }
    });
    let url = format!("https://localhost:{port}/");
    let said = words(&Client::new(None).unwrap().send(&post(&url), PATIENCE).await.unwrap_err());
    assert!(said.contains("TLS failed") && said.contains("http.ca"), "{said}");
    let client = Client::new(Some(ca)).unwrap();
    assert_eq!(client.send(&post(&url), PATIENCE).await.unwrap().body, Bytes::from_static(b"hi"));
    let said = words(&client.send(&post(&url.replace("localhost", "127.0.0.1")), PATIENCE).await.unwrap_err());
    assert!(said.contains("TLS failed"), "another name: {said}");
}

#[tokio::test]
async fn an_answer_is_read_as_it_comes_and_one_that_is_let_go_closes_its_connection() {
    let client = Client::new(None).unwrap();
    let server =
        MockHttp::start([Answer::of(200, &"x".repeat(100_000)).header("content-type: Audio/PCM; rate=24000")]).await;
    let mut stream = client.open(&post(&server.url)).await.unwrap();
    assert_eq!(stream.content_type, "audio/pcm");
    let (mut length, mut pieces) = (0, 0);
    while let Some(bytes) = stream.next().await.unwrap() {
        (length, pieces) = (length + bytes.len(), pieces + 1);
    }
    assert!(length == 100_000 && pieces > 1, "{pieces} pieces of {length}");
    // More than fits on the way.
    let server = MockHttp::start([Answer::of(200, &"x".repeat(20 << 20))]).await;
    drop(client.open(&post(&server.url)).await.unwrap());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.gone(), 1, "nobody reads the rest");

    let server = MockHttp::start([Answer { breaks: true, ..Answer::of(200, "0123456789") }]).await;
    let mut stream = client.open(&post(&server.url)).await.unwrap();
    let mut read = Vec::new();
    let error = loop {
        match stream.next().await {
            Ok(Some(bytes)) => read.extend_from_slice(&bytes),
            Ok(None) => panic!("it broke off"),
            Err(error) => break error,
        }
    };
    assert!(read == b"01234" && words(&error).contains("broke off"), "{error}");

    for (status, passing) in [(429, true), (503, true), (401, false), (404, false)] {
        let server = MockHttp::start([Answer::of(status, "no")]).await;
        let failed = client.open(&post(&server.url)).await.unwrap_err();
        assert_eq!((failed.passing, failed.status, server.asked().len()), (passing, Some(status), 1));
    }
}
