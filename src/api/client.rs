//! The client side: asks a gateway over its Unix socket or over HTTP with a token, and follows its events.

use super::model::{Snapshot, StreamItem};
use crate::{
    error::{Error, Kind, Result},
    redact::Secret,
    unit::CallId,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{path::PathBuf, time::Duration};
use tokio::net::{TcpStream, UnixStream};

/// An answer of a snapshot at most.
const ANSWER_MAX: usize = 64 << 20;
/// One line of the event stream at most.
const LINE_MAX: usize = 64 << 20;

/// Where a gateway is.
#[derive(Clone, Debug)]
pub struct Target {
    place: Place,
    token: Option<Secret>,
}

#[derive(Clone, Debug)]
enum Place {
    Unix(PathBuf),
    Http(String),
}

/// The socket when none is named: in the user's runtime folder, else in the temporary one.
#[must_use]
pub fn default_socket() -> PathBuf {
    if let Some(folder) = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()) {
        return PathBuf::from(folder).join("voxgw.sock");
    }
    let user = std::env::var("USER").unwrap_or_else(|_| "user".to_owned());
    std::env::temp_dir().join(format!("voxgw-{user}")).join("voxgw.sock")
}

impl Target {
    /// Reads `unix:PATH`, `http://HOST:PORT`, or nothing for the default socket.
    ///
    /// # Errors
    /// Says how targets are written.
    pub fn parse(text: Option<&str>, token: Option<Secret>) -> Result<Self> {
        let place = match text {
            None | Some("unix:auto") => Place::Unix(default_socket()),
            Some(text) => {
                if let Some(path) = text.strip_prefix("unix:") {
                    Place::Unix(PathBuf::from(path))
                } else if let Some(host) = text.strip_prefix("http://") {
                    Place::Http(host.trim_end_matches('/').to_owned())
                } else {
                    return Err(Error::usage(format!("'{text}' is no gateway"))
                        .hint("write unix:PATH, http://HOST:PORT, or a session.jsonl"));
                }
            }
        };
        Ok(Self { place, token })
    }

    /// For headers and messages.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.place {
            Place::Unix(path) => format!("unix:{}", path.display()),
            Place::Http(host) => format!("http://{host}"),
        }
    }

    /// Everything at this moment.
    ///
    /// # Errors
    /// The gateway cannot be reached or says no.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let bytes = self.ask(Method::GET, "/v1/sessions", Bytes::new()).await?;
        serde_json::from_slice(&bytes)
            .map_err(|wrong| Error::new(Kind::Unreachable, format!("{} answered nonsense: {wrong}", self.name())))
    }

    /// Ends a call.
    ///
    /// # Errors
    /// The gateway cannot be reached or knows no such call.
    pub async fn hang_up(&self, call: CallId) -> Result<()> {
        self.post(&format!("/v1/sessions/{call}/hangup"), &Value::Null).await.map(|_| ())
    }

    /// Holds a call, or takes it off hold.
    ///
    /// # Errors
    /// The gateway cannot be reached or knows no such call.
    pub async fn hold(&self, call: CallId, hold: bool) -> Result<()> {
        let wish = if hold { "hold" } else { "resume" };
        self.post(&format!("/v1/sessions/{call}/{wish}"), &Value::Null).await.map(|_| ())
    }

    /// Asks for something at a place of docs/API.md; what it answers, or nothing.
    ///
    /// # Errors
    /// The gateway cannot be reached, or says no: its own words.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let bytes = self.ask(Method::POST, path, body).await?;
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Follows the events; `take` gets the snapshot first, and says whether to go on.
    ///
    /// # Errors
    /// The connection ended, or never began.
    pub async fn follow(&self, mut take: impl FnMut(StreamItem) -> bool) -> Result<()> {
        let mut body = self.send(Method::GET, "/v1/events", Bytes::new()).await?.into_body();
        let mut buffer: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|lost| self.lost(&lost.to_string()))?;
            let Some(data) = frame.data_ref() else { continue };
            buffer.extend_from_slice(data);
            let mut start = 0;
            while let Some(length) = buffer[start..].iter().position(|byte| *byte == b'\n') {
                let line = &buffer[start..start + length];
                start += length + 1;
                // Items of a later version are skipped.
                if let Ok(item) = serde_json::from_slice::<StreamItem>(line)
                    && !take(item)
                {
                    return Ok(());
                }
            }
            buffer.drain(..start);
            if buffer.len() > LINE_MAX {
                return Err(self.lost("a line that is too long"));
            }
        }
        Err(self.lost("the gateway closed the stream"))
    }

    fn lost(&self, why: &str) -> Error {
        Error::new(Kind::Unreachable, format!("lost {}: {why}", self.name()))
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes> {
        let answer = self.send(method, path, body).await?;
        let collected = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
        collected.map(http_body_util::Collected::to_bytes).map_err(|lost| self.lost(&lost.to_string()))
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<hyper::Response<Incoming>> {
        // A text is waited for as long as SIP waits for an answer (64·T1).
        let limit = Duration::from_secs(if path == "/v1/messages" { 40 } else { 5 });
        let answer = tokio::time::timeout(limit, self.send_unbounded(method, path, body)).await;
        let answer = answer.map_err(|_| self.unreachable(&format!("no answer within {} s", limit.as_secs())))??;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::UNAUTHORIZED if self.token.is_some() => {
                Err(Error::new(Kind::Refused, format!("{} refused the token", self.name())).hint(
                    "use the token that the gateway's api.token_file holds: --token-file FILE, or VOXGW_TOKEN_FILE",
                ))
            }
            StatusCode::UNAUTHORIZED => Err(Error::new(Kind::Refused, format!("{} wants a token", self.name()))
                .hint("give --token-file FILE, or VOXGW_TOKEN_FILE")),
            status => {
                let text =
                    answer.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                let said = serde_json::from_slice::<Value>(&text)
                    .ok()
                    .and_then(|value| match value["status"].as_u64() {
                        // A text that nobody took.
                        Some(status) => Some(format!("{status} {}", value["reason"].as_str().unwrap_or_default())),
                        None => value["error"].as_str().map(str::to_owned),
                    })
                    .unwrap_or_else(|| status.to_string());
                Err(Error::new(Kind::Refused, format!("{} says: {said}", self.name())))
            }
        }
    }

    async fn send_unbounded(&self, method: Method, path: &str, body: Bytes) -> Result<hyper::Response<Incoming>> {
        let mut request = Request::builder().method(method).uri(path).header("host", "voxgw");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        let request = request.body(Full::new(body)).map_err(|wrong| Error::usage(format!("bad request: {wrong}")))?;
        let unreachable = |problem: String| self.unreachable(&problem);
        match &self.place {
            Place::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(|source| unreachable(source.to_string()))?;
                exchange(TokioIo::new(stream), request).await.map_err(unreachable)
            }
            Place::Http(host) => {
                let stream = TcpStream::connect(host).await.map_err(|source| unreachable(source.to_string()))?;
                exchange(TokioIo::new(stream), request).await.map_err(unreachable)
            }
        }
    }

    fn unreachable(&self, why: &str) -> Error {
        Error::new(Kind::Unreachable, format!("could not reach a gateway at {}: {why}", self.name()))
            .hint("is `voxgw serve` running? its ready line says where its API is; monitor --demo needs none")
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<hyper::Response<Incoming>, String>
where
    S: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.map_err(|problem| problem.to_string())?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    sender.send_request(request).await.map_err(|problem| problem.to_string())
}
