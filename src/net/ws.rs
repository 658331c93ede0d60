//! SIP over WebSocket (RFC 7118): the handshake with subprotocol `sip` on both sides, one SIP message per message.
//!
//! Generic over what carries it: `ws` and `wss` differ below. Called by [`super::stream`].

use super::{
    keep::{Beat, Keep},
    stream::{Event, IDLE_MAX, MESSAGE_WITHIN, NO_PONG},
    udp::Received,
};
use crate::sip::{message::MESSAGE_MAX, tx::Path};
use futures_util::{SinkExt as _, StreamExt as _};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Bytes, Message,
        client::IntoClientRequest as _,
        error::ProtocolError,
        handshake::{
            machine::TryParse as _,
            server::{Request, create_response, write_response},
        },
        http::{
            HeaderValue,
            header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL},
        },
        protocol::{Role, WebSocketConfig},
    },
};

/// RFC 7118 §4.1.
const SUBPROTOCOL: HeaderValue = HeaderValue::from_static("sip");
/// A handshake's request is not longer than this.
const HEAD_MAX: usize = 8 * 1024;
/// Saying goodbye may take this long.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Small buffers: messages of SIP are, and connections are many.
fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
}

/// The server's side of the handshake. Who asks for something else is told so in HTTP. `origins` are the web pages that
/// may ask, or all; a program that is no browser has none and may.
pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    origins: &[String],
) -> Result<WebSocketStream<S>, String> {
    let mut head = Vec::with_capacity(1_024);
    let (length, request) = loop {
        match Request::try_parse(&head) {
            Ok(Some(found)) => break found,
            Ok(None) if head.len() < HEAD_MAX => {}
            Ok(None) => return refuse(stream, "431 Request Header Fields Too Large", "the request is too long").await,
            Err(problem) => return refuse(stream, "400 Bad Request", &problem.to_string()).await,
        }
        if stream.read_buf(&mut head).await.map_err(|problem| problem.to_string())? == 0 {
            return Err("closed within the handshake".to_owned());
        }
    };
    let mut response = match create_response(&request) {
        Ok(response) => response,
        Err(tungstenite::Error::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingSecWebSocketVersionHeader,
        )) => return refuse(stream, "426 Upgrade Required", "this is SIP over WebSocket, version 13").await,
        Err(problem) => return refuse(stream, "400 Bad Request", &problem.to_string()).await,
    };
    let mut pages = request.headers().get_all(ORIGIN).iter();
    let is_known = |page: &HeaderValue| {
        page.to_str().is_ok_and(|page| origins.iter().any(|known| known.eq_ignore_ascii_case(page.trim())))
    };
    if !origins.is_empty() && !pages.all(is_known) {
        return refuse(stream, "403 Forbidden", "this page may not connect (sip.ws.origins)").await;
    }
    let mut offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let speaks_sip = offered.any(|value| {
        value.to_str().is_ok_and(|names| names.split(',').any(|name| name.trim().eq_ignore_ascii_case("sip")))
    });
    if !speaks_sip {
        return refuse(stream, "400 Bad Request", "the WebSocket subprotocol must be sip (RFC 7118)").await;
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let mut bytes = Vec::new();
    write_response(&mut bytes, &response).map_err(|problem| problem.to_string())?;
    let answered = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    answered.await.map_err(|problem: std::io::Error| problem.to_string())?;
    let rest = head.split_off(length);
    Ok(WebSocketStream::from_partially_read(stream, rest, Role::Server, Some(config())).await)
}

async fn refuse<S: AsyncWrite + Unpin, T>(mut stream: S, status: &str, why: &str) -> Result<T, String> {
    let upgrade = if status.starts_with("426") { "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" } else { "" };
    let text = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{upgrade}Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{why}\n",
        why.len() + 1
    );
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
    Err(format!("{status}: {why}"))
}

/// The client's side of the handshake.
pub(super) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    port: u16,
) -> Result<WebSocketStream<S>, String> {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    // The scheme is only words here: the stream is connected, and secured if it is to be.
    let mut request =
        format!("ws://{host}:{port}/").into_client_request().map_err(|problem| format!("{host}: {problem}"))?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    match tokio_tungstenite::client_async_with_config(request, stream, Some(config())).await {
        Ok((stream, _)) => Ok(stream),
        Err(problem) => Err(format!("no WebSocket for SIP: {problem}")),
    }
}

/// Reads and writes messages until the connection ends; tells why it did.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: WebSocketStream<S>,
    path: Path,
    to: &mpsc::Sender<Event>,
    to_write: &mut mpsc::Receiver<Vec<u8>>,
    keep: &mut Keep,
) -> String {
    let why = exchange(&mut stream, path, to, to_write, keep).await;
    let _ = timeout(CLOSE_WITHIN, stream.close(None)).await;
    why
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut WebSocketStream<S>,
    path: Path,
    to: &mpsc::Sender<Event>,
    to_write: &mut mpsc::Receiver<Vec<u8>>,
    keep: &mut Keep,
) -> String {
    let mut complete = false;
    let rests_until = |complete| tokio::time::Instant::now() + if complete { IDLE_MAX } else { MESSAGE_WITHIN };
    let mut due = rests_until(complete);
    loop {
        tokio::select! {
            frame = tokio::time::timeout_at(due, stream.next()) => {
                due = rests_until(complete);
                keep.heard(matches!(frame, Ok(Some(Ok(Message::Pong(_))))));
                let bytes = match frame {
                    Ok(Some(Ok(Message::Text(text)))) => Bytes::from(text),
                    Ok(Some(Ok(Message::Binary(bytes)))) => bytes,
                    Ok(None | Some(Ok(Message::Close(_)))) => return "closed by the far end".to_owned(),
                    // Pings are answered below us.
                    Ok(Some(Ok(_))) => continue,
                    Ok(Some(Err(problem))) => return problem.to_string(),
                    Err(_) => return "no message came in time".to_owned(),
                };
                // Keep-alives as on a stream (RFC 7118 §6, RFC 5626 §3.5.1).
                if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
                    if bytes.len() >= 4 && !write(stream, Message::text("\r\n")).await {
                        return not_read();
                    }
                    continue;
                }
                complete = true;
                due = rests_until(complete);
                if to.send(Event::Received(Received { path, bytes: bytes.to_vec() })).await.is_err() {
                    return "the gateway stops".to_owned();
                }
            }
            () = keep.due() => match keep.beat() {
                Beat::Ping => if !write(stream, Message::Ping(Bytes::new())).await { return not_read() },
                Beat::Rest => {}
                Beat::Dead => return NO_PONG.to_owned(),
            },
            bytes = to_write.recv() => {
                let Some(bytes) = bytes else { return "not needed any more".to_owned() };
                // Text if it is: browsers' libraries expect that.
                let message = String::from_utf8(bytes)
                    .map_or_else(|problem| Message::binary(problem.into_bytes()), Message::text);
                if !write(stream, message).await {
                    return not_read();
                }
                due = rests_until(complete);
            }
        }
    }
}

async fn write<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut WebSocketStream<S>, message: Message) -> bool {
    matches!(timeout(MESSAGE_WITHIN, stream.send(message)).await, Ok(Ok(())))
}

fn not_read() -> String {
    "the far end does not read".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client that sends these bytes reads, and what the server says.
    async fn answer_to(request: &str) -> (String, Result<(), String>) {
        let (mut client, server) = tokio::io::duplex(16 << 10);
        client.write_all(request.as_bytes()).await.unwrap();
        let outcome = accept(server, &["https://phone.example.org".to_owned()]).await.map(|_| ());
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        (said, outcome)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_kept_pings_and_ends_without_a_pong() {
        let (near, far) = tokio::io::duplex(16 << 10);
        let ((to, _events), (writer, mut to_write)) = (mpsc::channel(8), mpsc::channel(8));
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 80));
        let path = Path { transport: crate::sip::tx::Transport::Ws, remote: any, local: any, connection: Some(1) };
        let mut keep = Keep::new(Duration::from_secs(20), std::sync::Arc::new(true.into()), true);
        let near = WebSocketStream::from_raw_socket(near, Role::Client, Some(config())).await;
        let task = tokio::spawn(async move { run(near, path, &to, &mut to_write, &mut keep).await });
        let mut far = WebSocketStream::from_raw_socket(far, Role::Server, Some(config())).await;
        far.send(Message::text("OPTIONS sip:a SIP/2.0\r\n\r\n")).await.unwrap();
        for _ in 0..5 {
            // Reading answers pings, as every WebSocket does.
            assert!(matches!(far.next().await, Some(Ok(Message::Ping(_)))));
            let _ = timeout(Duration::from_secs(1), far.next()).await;
        }
        let begin = tokio::time::Instant::now();
        // Nobody reads any more.
        assert_eq!(task.await.unwrap(), NO_PONG);
        assert!((10..=31).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
        drop((writer, far));
    }

    fn upgrade(more: &str) -> String {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        )
    }

    #[tokio::test]
    async fn the_subprotocol_is_sip_and_is_echoed() {
        let (said, outcome) = answer_to(&upgrade("Sec-WebSocket-Protocol: chat, sip\r\n")).await;
        assert_eq!(outcome, Ok(()));
        assert!(said.starts_with("HTTP/1.1 101") && said.contains("sec-websocket-protocol: sip\r\n"), "{said}");
        for other in ["", "Sec-WebSocket-Protocol: chat\r\n"] {
            let (said, outcome) = answer_to(&upgrade(other)).await;
            assert!(said.starts_with("HTTP/1.1 400") && said.contains("subprotocol must be sip"), "{said}");
            assert!(outcome.is_err());
        }
    }

    #[tokio::test]
    async fn pages_that_are_not_on_the_list_are_refused_and_programs_are_not_pages() {
        let sip = "Sec-WebSocket-Protocol: sip\r\n";
        for (origin, status) in [
            ("Origin: https://phone.example.org\r\n", "101"),
            ("Origin: HTTPS://Phone.Example.org\r\n", "101"),
            ("Origin: https://evil.example.org\r\n", "403"),
            ("Origin: https://phone.example.org.evil.example\r\n", "403"),
            ("Origin: null\r\n", "403"),
            ("", "101"),
        ] {
            let (said, _) = answer_to(&upgrade(&format!("{sip}{origin}"))).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{origin}: {said}");
        }
    }

    #[tokio::test]
    async fn who_asks_for_something_else_is_told_in_http() {
        for (request, status) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "426"),
            (upgrade("").replace("Version: 13", "Version: 8"), "426"),
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "400"),
            ("OPTIONS sip:a SIP/2.0\r\n\r\n".to_owned(), "400"),
            (format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(HEAD_MAX)), "431"),
        ] {
            let (said, outcome) = answer_to(&request).await;
            assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {said}");
            assert!(outcome.is_err());
        }
    }
}
