//! Stages that stream over a WebSocket: an ear that hears while the caller speaks, a voice that gets a sentence.
//!
//! A connection for each utterance, opened at its first sound, and one for each sentence, of which one is opened before it is
//! needed. Ending a task closes its connection. What is said is `agent::stages::deepgram` and `elevenlabs`.

use super::Part;
use crate::{
    agent::{
        seat::Service,
        stages::{
            Ask, Problem, Settings,
            deepgram::{self, Heard, Listener},
            elevenlabs::{self, Said},
            talk::Talk,
        },
    },
    clock::{Instant, SystemClock},
};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        self, Message,
        client::IntoClientRequest as _,
        http::{HeaderName, HeaderValue},
        protocol::{CloseFrame, WebSocketConfig},
    },
};

/// From dialling to the WebSocket being open.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A message of a service: a second of sound is 64 KB.
const MESSAGE_MAX: usize = 4 << 20;

type Stream = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// What the ear is told.
#[derive(Debug)]
pub(super) enum ToEar {
    /// More of what the caller says.
    Sound(Vec<i16>),
    /// What was said so far is wanted; the body holds all of it.
    Ask(Ask),
}

fn failed(text: String, passing: bool) -> Problem {
    Problem { text, passing }
}

fn broken(problem: &tungstenite::Error) -> Problem {
    failed(format!("the connection broke: {problem}"), true)
}

fn closed(close: Option<&CloseFrame>) -> Problem {
    let words = close.map_or_else(String::new, |close| format!(" with {} {}", u16::from(close.code), close.reason));
    failed(format!("the service closed{words}"), true)
}

async fn connect(
    service: &Service,
    path_and_query: &str,
    key: Option<(&'static str, String)>,
) -> Result<Stream, Problem> {
    let scheme = if service.url.is_secure() { "wss" } else { "ws" };
    let place = service.url.authority();
    let url = format!("{scheme}://{place}{path_and_query}");
    let mut request = url.into_client_request().map_err(|problem| failed(format!("{place}: {problem}"), false))?;
    if let Some((name, value)) = key {
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| failed(format!("{} has characters that no key has", service.key_name), false))?;
        value.set_sensitive(true);
        request.headers_mut().insert(HeaderName::from_static(name), value);
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(8 << 10)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX));
    let connecting = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
    match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
        Ok(Ok((stream, _))) => Ok(stream),
        Ok(Err(tungstenite::Error::Http(response))) => {
            let status = response.status();
            let hint = match status.as_u16() {
                401 | 403 => format!("; check {}", service.key_name),
                404 => "; check the base URL, the model and the voice".to_owned(),
                _ => String::new(),
            };
            let passing = status.is_server_error() || status.as_u16() == 429;
            Err(failed(format!("{place} refused with {status}{hint}"), passing))
        }
        Ok(Err(problem)) => Err(failed(format!("could not connect to {place}: {problem}"), true)),
        Err(_) => Err(failed(format!("could not connect to {place} within {} s", CONNECT_WITHIN.as_secs()), true)),
    }
}

// The ear

/// One utterance, from its first sound until nobody wants it any more.
pub(super) async fn listen(
    service: Service,
    settings: Arc<Settings>,
    mut from: mpsc::UnboundedReceiver<ToEar>,
    to: mpsc::Sender<(u32, Part)>,
) {
    let mut asked: Option<u32> = None;
    let outcome = hear(&service, &settings, &mut from, &to, &mut asked).await;
    let Err(problem) = outcome else { return };
    // Nobody is told of a failure before something was asked; then it is asked again, with all of the sound.
    while asked.is_none() {
        match from.recv().await {
            Some(ToEar::Ask(ask)) => asked = Some(ask.id),
            Some(ToEar::Sound(_)) => {}
            None => return,
        }
    }
    if let Some(id) = asked {
        let _ = to.send((id, Part::Failed(problem))).await;
    }
}

async fn hear(
    service: &Service,
    settings: &Settings,
    from: &mut mpsc::UnboundedReceiver<ToEar>,
    to: &mpsc::Sender<(u32, Part)>,
    asked: &mut Option<u32>,
) -> Result<(), Problem> {
    let path = format!("{}?{}", service.url.path(), deepgram::query(settings, Talk::rate(settings)));
    let key = service.key.as_ref().map(|key| ("authorization", format!("Token {}", key.reveal())));
    let mut stream = connect(service, &path, key).await?;
    let mut listener = Listener::default();
    // Bytes of the utterance that have gone out.
    let mut sent = 0;
    let mut whole_at: Option<tokio::time::Instant> = None;
    loop {
        let keep_alive = tokio::time::sleep(deepgram::KEEP_ALIVE);
        let due = async {
            match whole_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            told = from.recv() => match told {
                Some(ToEar::Sound(samples)) => {
                    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                    sent += bytes.len();
                    stream.send(Message::binary(bytes)).await.map_err(|problem| broken(&problem))?;
                }
                Some(ToEar::Ask(ask)) => {
                    *asked = Some(ask.id);
                    // What this connection has not heard: all of it, if it is a new one.
                    let rest = ask.body.get(sent..).unwrap_or_default();
                    for piece in rest.chunks(8 << 10) {
                        stream.send(Message::binary(Bytes::copy_from_slice(piece))).await.map_err(|problem| broken(&problem))?;
                    }
                    sent = sent.max(ask.body.len());
                    stream.send(Message::text(deepgram::FINALIZE)).await.map_err(|problem| broken(&problem))?;
                    whole_at = Some(tokio::time::Instant::now() + deepgram::WHOLE_WITHIN);
                }
                None => {
                    let _ = stream.send(Message::text(deepgram::CLOSE)).await;
                    let _ = stream.close(None).await;
                    return Ok(());
                }
            },
            message = stream.next() => {
                let heard = match message {
                    Some(Ok(Message::Text(text))) => listener.receive(&text),
                    Some(Ok(Message::Close(close))) => return Err(closed(close.as_ref())),
                    Some(Ok(_)) => Heard::Nothing,
                    Some(Err(problem)) => return Err(broken(&problem)),
                    None => return Err(failed("the connection broke".to_owned(), true)),
                };
                match heard {
                    Heard::Whole => {
                        whole_at = None;
                        answer(asked, listener.words(), to).await;
                    }
                    Heard::Failed(problem) => return Err(problem),
                    Heard::Nothing => {}
                }
            }
            () = due => {
                whole_at = None;
                answer(asked, listener.words(), to).await;
            }
            () = keep_alive => {
                stream.send(Message::text(deepgram::KEEP_ALIVE_TEXT)).await.map_err(|problem| broken(&problem))?;
            }
        }
    }
}

/// The answer to what was asked, in the shape of a transcription.
async fn answer(asked: &mut Option<u32>, words: &str, to: &mpsc::Sender<(u32, Part)>) {
    let Some(id) = asked.take() else { return };
    let body = serde_json::json!({"text": words}).to_string();
    let _ = to.send((id, Part::Piece(body.into()))).await;
    let _ = to.send((id, Part::End)).await;
}

// The voice

/// Connections of the voice of one call: the next one is opened before it is needed.
#[derive(Debug)]
pub(super) struct Voice {
    service: Service,
    settings: Arc<Settings>,
    ahead: Option<(Instant, Opening)>,
}

type Opening = JoinHandle<Result<Stream, Problem>>;

/// The service closes what is idle for 20 s.
const AHEAD_FOR: Duration = Duration::from_secs(15);

impl Voice {
    pub(super) const fn new(service: Service, settings: Arc<Settings>) -> Self {
        Self { service, settings, ahead: None }
    }

    /// A sentence is about to come: a connection is opened, unless one waits.
    pub(super) fn prepare(&mut self) {
        let now = SystemClock::now();
        if self.ahead.as_ref().is_none_or(|(opened_at, _)| now.since(*opened_at) > AHEAD_FOR) {
            self.ahead = Some((now, self.open()));
        }
    }

    fn open(&self) -> Opening {
        let (service, settings) = (self.service.clone(), Arc::clone(&self.settings));
        tokio::task::spawn_local(async move {
            let path = format!("{}{}", service.url.path().trim_end_matches('/'), elevenlabs::path(&settings));
            let key = service.key.as_ref().map(|key| ("xi-api-key", key.reveal().to_owned()));
            let mut stream = connect(&service, &path, key).await?;
            let hello = elevenlabs::hello(&settings);
            stream.send(Message::text(hello)).await.map_err(|problem| broken(&problem))?;
            Ok(stream)
        })
    }

    /// Speaks a sentence; the next one follows soon, as a rule.
    pub(super) fn speak(&mut self, ask: Ask, to: mpsc::Sender<(u32, Part)>) -> JoinHandle<()> {
        self.prepare();
        let Some((_, opening)) = self.ahead.take() else { return tokio::task::spawn_local(async {}) };
        self.prepare();
        tokio::task::spawn_local(async move {
            let part = match say(opening, &ask, &to).await {
                Ok(()) => Part::End,
                Err(problem) => Part::Failed(problem),
            };
            let _ = to.send((ask.id, part)).await;
        })
    }
}

async fn say(opening: Opening, ask: &Ask, to: &mpsc::Sender<(u32, Part)>) -> Result<(), Problem> {
    let mut stream = opening.await.map_err(|problem| failed(problem.to_string(), true))??;
    for text in elevenlabs::sentence(&String::from_utf8_lossy(&ask.body)) {
        stream.send(Message::text(text)).await.map_err(|problem| broken(&problem))?;
    }
    loop {
        let said = match stream.next().await {
            Some(Ok(Message::Text(text))) => elevenlabs::receive(&text)?,
            Some(Ok(Message::Close(close))) => return Err(closed(close.as_ref())),
            Some(Ok(_)) => continue,
            Some(Err(problem)) => return Err(broken(&problem)),
            None => return Err(failed("the connection broke".to_owned(), true)),
        };
        match said {
            Said::Sound(bytes) if bytes.is_empty() => {}
            Said::Sound(bytes) => {
                if to.send((ask.id, Part::Piece(bytes.into()))).await.is_err() {
                    return Ok(());
                }
            }
            Said::End => {
                let _ = stream.close(None).await;
                return Ok(());
            }
        }
    }
}
