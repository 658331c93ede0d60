//! The one HTTP client: a request to an address of the config, its answer, or why there is none (RFC 9110, RFC 9112).
//!
//! Owns connections (kept open for the next request), TLS, times, sizes, tries and what redirects may do. No proxies, no
//! cookies, no other host than the one that was named. Answers are read whole ([`Client::send`]) or as they come
//! ([`Client::open`]). Does not know what the bodies mean. Called by `gateway`.

use super::tls;
use crate::{
    config,
    error::{Error, Kind, Result},
    network::url::Url,
    redact::Secret,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Uri,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, LOCATION, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use std::{
    borrow::Cow,
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::TcpStream, time::Instant};

/// Connections that wait for the next request to one host.
const IDLE_MAX: usize = 8;
/// How long they wait: servers close theirs after 60 s and more.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// Redirects within the host that are followed.
const REDIRECTS_MAX: usize = 3;
/// How much of a refusal's body is told, in characters.
const TOLD_MAX: usize = 200;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST` and so on.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// Names and values.
    pub headers: Vec<(String, Secret)>,
    /// Content type and bytes.
    pub body: Option<(Cow<'static, str>, Bytes)>,
}

/// How long and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the first try to the answer's last byte, all tries together.
    pub within: Duration,
    /// Tries; those after the first follow failed connections and 429, 500, 502, 503, 504.
    pub tries: u32,
    /// Before the second try; twice as long before each further one.
    pub pause: Duration,
    /// Longest answer in bytes.
    pub answer_max: usize,
}

/// A 2xx answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// Tries that it took.
    pub tries: u32,
}

/// Whatever came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// `Location`; empty if there is none.
    pub location: String,
    /// The body, as text; of a refusal its beginning.
    pub body: String,
}

/// Encrypted or not, host, port.
type Origin = (bool, String, u16);
type Sender = SendRequest<Full<Bytes>>;

/// The client; one for the program, shared by all runtimes.
#[derive(Debug)]
pub struct Client {
    tls: Arc<tls::Client>,
    idle: Mutex<HashMap<Origin, Vec<(Sender, Instant)>>>,
}

/// Why a try failed.
#[derive(Debug)]
pub struct Failed {
    /// Names the address, what came back, and what to do.
    pub error: Error,
    /// Another try may do better: 429, 5xx, a broken connection.
    pub passing: bool,
    /// Status of an answer that is none of 2xx.
    pub status: Option<u16>,
}

/// A 2xx answer whose body is read as it comes. Dropped before its end, its connection is closed.
#[derive(Debug)]
pub struct Stream {
    name: String,
    /// Its type, without parameters, in lower case.
    pub content_type: String,
    /// All its headers.
    pub headers: HeaderMap,
    body: Incoming,
}

impl Stream {
    /// The next piece of the body; none at its end.
    ///
    /// # Errors
    /// The answer broke off.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.body.frame().await.map(|frame| frame.map(hyper::body::Frame::into_data)) {
                None => return Ok(None),
                Some(Ok(Ok(data))) if data.is_empty() => {}
                Some(Ok(Ok(data))) => return Ok(Some(data)),
                // Trailers.
                Some(Ok(Err(_))) => {}
                Some(Err(_)) => {
                    let error = Error::new(Kind::Unreachable, format!("{}: the answer broke off", self.name));
                    return Err(error.hint("see the log of the server"));
                }
            }
        }
    }
}

impl Client {
    /// A client that trusts the CAs of this file, or those of the system.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn new(ca: Option<PathBuf>) -> Result<Self> {
        let settings = config::Tls { verify_server: true, ca, ..config::Tls::default() };
        // The words of SIP's keys do not fit here.
        let tls = tls::Client::new(settings).map_err(|error| {
            let hint = error.hint_text().map(str::to_owned);
            let error = Error::new(error.kind(), error.to_string().replace("sip.tls.ca", "http.ca"));
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })?;
        Ok(Self { tls: Arc::new(tls), idle: Mutex::default() })
    }

    /// Asks, again if that may help.
    ///
    /// # Errors
    /// Names the address, what came back, and what to do.
    pub async fn send(&self, request: &Request, patience: Patience) -> Result<Answer> {
        let deadline = Instant::now() + patience.within;
        let mut pause = patience.pause;
        let mut tries = 1;
        loop {
            let failed = match tokio::time::timeout_at(deadline, self.follow(request, patience.answer_max)).await {
                Ok(Ok((status, body))) => return Ok(Answer { status, body, tries }),
                Ok(Err(failed)) => failed,
                Err(_) => return Err(late(request, patience)),
            };
            if !failed.passing || tries >= patience.tries {
                return Err(failed.error);
            }
            if tokio::time::timeout_at(deadline, tokio::time::sleep(pause)).await.is_err() {
                return Err(failed.error);
            }
            pause *= 2;
            tries += 1;
        }
    }

    /// Asks once and follows nothing.
    ///
    /// # Errors
    /// Nothing came back whole and in time.
    pub async fn once(&self, request: &Request, within: Duration, answer_max: usize) -> Result<Reply> {
        let exchange = async {
            let response = self.exchange(request, &request.url).await.map_err(|failed| failed.error)?;
            let status = response.status();
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let location = location.unwrap_or_default().to_owned();
            let body = read(response.into_body(), answer_max, status.is_success()).await;
            let body =
                body.map_err(|_| passing(request, "the answer broke off or is too long", "see its log").error)?;
            let body = String::from_utf8_lossy(&body).into_owned();
            Ok(Reply { status: status.as_u16(), location, body })
        };
        let patience = Patience { within, tries: 1, pause: Duration::ZERO, answer_max };
        tokio::time::timeout(within, exchange).await.unwrap_or_else(|_| Err(late(request, patience)))
    }

    /// Asks once, for an answer that is read as it comes. Waits as long as the server does not answer: whoever asks has
    /// the patience.
    ///
    /// # Errors
    /// There is no answer, or none of 2xx.
    pub async fn open(&self, request: &Request) -> Result<Stream, Failed> {
        let (_, response) = self.opened(request).await?;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let content_type = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (head, body) = response.into_parts();
        Ok(Stream { name: name(request), content_type, headers: head.headers, body })
    }

    /// One try, read whole.
    async fn follow(&self, request: &Request, answer_max: usize) -> Result<(u16, Bytes), Failed> {
        let (status, response) = self.opened(request).await?;
        let body = read(response.into_body(), answer_max, true).await.map_err(|problem| match problem {
            Unread::TooLong => final_(request, &format!("answered more than {answer_max} bytes"), "answer less"),
            Unread::Broken => passing(request, "the answer broke off", "see the log of the server"),
        })?;
        Ok((status, body))
    }

    /// One try, redirects within the host included: a 2xx answer whose body was not read.
    async fn opened(&self, request: &Request) -> Result<(u16, hyper::Response<Incoming>), Failed> {
        let mut url = request.url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let response = self.exchange(request, &url).await?;
            let status = response.status();
            if status.is_redirection() {
                let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
                let location = location.unwrap_or_default();
                // Other redirects turn a POST into a GET: not what was asked for.
                let keeps = matches!(status.as_u16(), 307 | 308) || request.method == Method::GET;
                match url.redirected(location).filter(|_| keeps) {
                    Some(next) => {
                        url = next;
                        continue;
                    }
                    None => return Err(final_(request, &format!("answered {status}, which is not followed"), FOLLOW)),
                }
            }
            if status.is_success() {
                return Ok((status.as_u16(), response));
            }
            let body = read(response.into_body(), TOLD_MAX * 4, false).await.unwrap_or_default();
            let passing = matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504);
            let hint = match status.as_u16() {
                401 | 403 => "check the headers that carry its key",
                404 | 405 => "check the URL and the method",
                _ => "see the log of the server",
            };
            let error = Error::new(Kind::Refused, format!("{}: answered {status}{}", name(request), told(&body)));
            return Err(Failed { error: error.hint(hint), passing, status: Some(status.as_u16()) });
        }
        Err(final_(request, &format!("redirected more than {REDIRECTS_MAX} times"), FOLLOW))
    }

    async fn exchange(&self, request: &Request, url: &Url) -> Result<hyper::Response<Incoming>, Failed> {
        let origin = url.origin();
        let mut message = message(request, url)?;
        let broke = |problem: &hyper::Error| {
            passing(request, &format!("the connection broke: {problem}"), "see the log of the server")
        };
        while let Some(mut sender) = self.take_idle(&origin) {
            match sender.try_send_request(message).await {
                Ok(response) => {
                    self.keep(origin, sender);
                    return Ok(response);
                }
                // Closed while it waited, and nothing was sent: the next one.
                Err(mut problem) => match problem.take_message() {
                    Some(unsent) => message = unsent,
                    None => return Err(broke(problem.error())),
                },
            }
        }
        let mut sender = self.connect(request, url).await?;
        let response = sender.send_request(message).await.map_err(|problem| broke(&problem))?;
        self.keep(origin, sender);
        Ok(response)
    }

    async fn connect(&self, request: &Request, url: &Url) -> Result<Sender, Failed> {
        let (secure, host, port) = url.origin();
        let host = host.trim_matches(['[', ']']);
        let check = "check the URL, and that the server is up";
        let stream = TcpStream::connect((host, port))
            .await
            .map_err(|problem| passing(request, &format!("could not connect: {problem}"), check))?;
        let _ = stream.set_nodelay(true);
        let failed = |problem: hyper::Error| passing(request, &format!("could not connect: {problem}"), check);
        if !secure {
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
            tokio::spawn(connection);
            return Ok(sender);
        }
        let stream = tls::connect(&self.tls, stream, host).await.map_err(|problem| {
            let hint = "the server's certificate must name the host, and be signed by a CA that this system trusts";
            passing(request, &format!("TLS failed: {}", problem.replace("sip.tls.ca", "http.ca")), hint)
        })?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn take_idle(&self, origin: &Origin) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.get_mut(origin)?;
        // The newest is the likeliest to be open; one whose answer is still being read is not ready.
        waiting.retain(|(sender, since)| !sender.is_closed() && since.elapsed() < IDLE_FOR);
        let ready = waiting.iter().rposition(|(sender, _)| sender.is_ready())?;
        Some(waiting.remove(ready).0)
    }

    fn keep(&self, origin: Origin, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.entry(origin).or_default();
        if waiting.len() == IDLE_MAX {
            waiting.remove(0);
        }
        waiting.push((sender, Instant::now()));
    }
}

const FOLLOW: &str = "only redirects within the host are followed, for POST only 307 and 308; name the last address";

fn message(request: &Request, url: &Url) -> Result<hyper::Request<Full<Bytes>>, Failed> {
    let mut headers = HeaderMap::new();
    let unfit = |what: &str| final_(request, &format!("{what} cannot be sent"), "check the headers' names and values");
    let authority = url.authority();
    headers.insert(HOST, HeaderValue::from_str(authority).map_err(|_| unfit("the host"))?);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("voxgw/", env!("CARGO_PKG_VERSION"))));
    let body = match &request.body {
        Some((content_type, body)) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).map_err(|_| unfit("the content type"))?);
            body.clone()
        }
        None => Bytes::new(),
    };
    for (name, value) in &request.headers {
        let header = HeaderName::try_from(name).map_err(|_| unfit(&format!("the header {name}")))?;
        let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| unfit(&format!("the value of {name}")))?;
        // Not shown by anybody's debug output.
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    let path: Uri = url.path().parse().map_err(|_| unfit("the path"))?;
    let mut message = hyper::Request::new(Full::new(body));
    *message.method_mut() = request.method.clone();
    *message.uri_mut() = path;
    *message.headers_mut() = headers;
    Ok(message)
}

enum Unread {
    TooLong,
    Broken,
}

/// The body. Of a refusal only what is told is read; one that breaks off is told as far as it came.
async fn read(mut body: Incoming, most: usize, whole: bool) -> Result<Bytes, Unread> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) if bytes.len() + data.len() > most && whole => return Err(Unread::TooLong),
            Ok(Ok(data)) if bytes.len() + data.len() > most => {
                bytes.extend_from_slice(&data[..most - bytes.len()]);
                break;
            }
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            // Trailers.
            Ok(Err(_)) => {}
            Err(_) if whole => return Err(Unread::Broken),
            Err(_) => break,
        }
    }
    Ok(bytes.into())
}

fn name(request: &Request) -> String {
    format!("{} {}", request.method, request.url)
}

fn told(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(TOLD_MAX).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}

fn passing(request: &Request, what: &str, hint: &str) -> Failed {
    Failed {
        error: Error::new(Kind::Unreachable, format!("{}: {what}", name(request))).hint(hint),
        passing: true,
        status: None,
    }
}

fn final_(request: &Request, what: &str, hint: &str) -> Failed {
    Failed { passing: false, ..passing(request, what, hint) }
}

fn late(request: &Request, patience: Patience) -> Error {
    let text = format!("{}: no answer within {} ms", name(request), patience.within.as_millis());
    Error::new(Kind::Unreachable, text).hint("make the server answer sooner, or allow it more time")
}
