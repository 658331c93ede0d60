//! MOCKS of two streaming services: Deepgram's `/v1/listen` and ElevenLabs' `/v1/text-to-speech/{voice}/stream-input`, on one
//! port. They hear no words and speak in tones: a [`Script`] says what.
//!
//! What they check: the path, each parameter of the query (known ones only, their values), the key's header; of the ear that
//! sound is binary, whole samples, and text is `Finalize`, `KeepAlive` or `CloseStream`; of the voice that the first
//! message is a single space with nothing but settings, that a sentence ends with a space, that nothing follows the end.
//! A violation is written down and the connection closed with 1008.

use base64::Engine as _;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::StatusCode,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use voxgw::{media::dsp::tone, unit::SampleRate};

/// What the mocks do.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Other keys are refused with 401.
    pub key: String,
    /// What the caller said, per utterance; then the last again and again.
    pub hears: Vec<String>,
    /// The ear does not confirm `Finalize`, as the vendor's may not.
    pub unconfirmed: bool,
    /// The first so many connections of the ear break at their first sound.
    pub ear_breaks: usize,
    /// The first so many connections of the voice close with 1011 at the sentence.
    pub voice_breaks: usize,
    /// A sentence that holds these words has this pitch and this length in milliseconds.
    pub voices: Vec<(&'static str, f64, usize)>,
    /// Between two pieces of a tenth of a second.
    pub pace: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    script: Script,
    violations: Mutex<Vec<String>>,
    /// Samples that each connection of the ear got, and their rate.
    heard: Mutex<Vec<(u32, Vec<i16>)>>,
    /// Sentences, and whether they were let go before their end.
    spoken: Mutex<Vec<(String, bool)>>,
    counts: Mutex<(usize, usize)>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running mocks.
#[derive(Debug)]
pub struct MockStreams {
    /// `ws://127.0.0.1:PORT/v1`.
    pub url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for MockStreams {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Socket = WebSocketStream<TcpStream>;

impl MockStreams {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("ws://{}/v1", listener.local_addr().expect("it is bound"));
        let shared = Arc::new(Shared { script, ..Shared::default() });
        let all = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, Arc::clone(&all)));
            }
        });
        Self { url, shared, task }
    }

    /// What the gateway did that no vendor's reference allows.
    pub fn violations(&self) -> Vec<String> {
        locked(&self.shared.violations).clone()
    }

    /// What each connection of the ear heard: rate and samples.
    pub fn heard(&self) -> Vec<(u32, Vec<i16>)> {
        locked(&self.shared.heard).clone()
    }

    /// Sentences, and whether their connection was closed before their end.
    pub fn spoken(&self) -> Vec<(String, bool)> {
        locked(&self.shared.spoken).clone()
    }
}

/// Which service a path asks for, and its parameters.
#[derive(Clone, Debug)]
enum Asked {
    Ear(u32),
    Voice(u32),
}

fn asked(request: &Request, script: &Script) -> Result<Asked, (StatusCode, String)> {
    let uri = request.uri();
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let query: Vec<(&str, &str)> =
        uri.query().unwrap_or_default().split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
    let value = |name: &str| query.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let wrong = |text: String| Err((StatusCode::BAD_REQUEST, text));
    let known =
        |names: &[&str]| query.iter().find(|(name, _)| !names.contains(name)).map(|(name, _)| (*name).to_owned());
    if uri.path() == "/v1/listen" {
        if header("authorization") != format!("Token {}", script.key) {
            return Err((StatusCode::UNAUTHORIZED, String::new()));
        }
        let names = [
            "model",
            "encoding",
            "sample_rate",
            "channels",
            "punctuate",
            "smart_format",
            "interim_results",
            "language",
        ];
        if let Some(name) = known(&names) {
            return wrong(format!("listen has no parameter {name} here"));
        }
        let rate = value("sample_rate").and_then(|rate| rate.parse().ok()).unwrap_or(0);
        let flags = ["punctuate", "smart_format", "interim_results"];
        let good = value("encoding") == Some("linear16")
            && value("channels") == Some("1")
            && [8_000, 16_000, 24_000].contains(&rate)
            && value("model").is_some_and(|model| !model.is_empty())
            && flags.iter().all(|flag| matches!(value(flag), Some("true" | "false") | None));
        return if good { Ok(Asked::Ear(rate)) } else { wrong(format!("listen: {query:?}")) };
    }
    let voice = uri.path().strip_prefix("/v1/text-to-speech/").and_then(|rest| rest.strip_suffix("/stream-input"));
    match voice {
        Some(voice) if !voice.is_empty() && !voice.contains('/') => {
            if header("xi-api-key") != script.key {
                return Err((StatusCode::UNAUTHORIZED, String::new()));
            }
            if let Some(name) =
                known(&["model_id", "output_format", "auto_mode", "language_code", "inactivity_timeout"])
            {
                return wrong(format!("stream-input has no parameter {name} here"));
            }
            let rate = value("output_format").and_then(|format| format.strip_prefix("pcm_")?.parse().ok()).unwrap_or(0);
            let good = [8_000, 16_000, 24_000].contains(&rate)
                && value("model_id").is_some_and(|model| model.starts_with("eleven_"))
                && value("language_code").is_none_or(|code| code.len() == 2);
            if good { Ok(Asked::Voice(rate)) } else { wrong(format!("stream-input: {query:?}")) }
        }
        _ => Err((StatusCode::NOT_FOUND, format!("no such path: {}", uri.path()))),
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let mut found = None;
    #[expect(clippy::result_large_err, reason = "the crate's own type")]
    let look = |request: &Request, response: Response| match asked(request, &shared.script) {
        Ok(asked) => {
            found = Some(asked);
            Ok(response)
        }
        Err((status, text)) => {
            if !text.is_empty() {
                locked(&shared.violations).push(text);
            }
            let mut refused = ErrorResponse::new(None);
            *refused.status_mut() = status;
            Err(refused)
        }
    };
    let Ok(mut socket) = accept_hdr_async(stream, look).await else { return };
    let outcome = match found {
        Some(Asked::Ear(rate)) => ear(&mut socket, rate, &shared).await,
        Some(Asked::Voice(rate)) => voice(&mut socket, rate, &shared).await,
        None => return,
    };
    if let Err(violation) = outcome {
        locked(&shared.violations).push(violation.clone());
        let frame =
            CloseFrame { code: CloseCode::Policy, reason: violation.chars().take(100).collect::<String>().into() };
        let _ = socket.close(Some(frame)).await;
    }
}

async fn ear(socket: &mut Socket, rate: u32, shared: &Shared) -> Result<(), String> {
    let number = {
        let mut counts = locked(&shared.counts);
        counts.0 += 1;
        counts.0 - 1
    };
    let utterance = number.saturating_sub(shared.script.ear_breaks);
    let at = {
        let mut heard = locked(&shared.heard);
        heard.push((rate, Vec::new()));
        heard.len() - 1
    };
    let hears = &shared.script.hears;
    let words = hears.get(utterance).or(hears.last()).cloned().unwrap_or_default();
    let mut told = 0;
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Binary(bytes) => {
                if bytes.is_empty() || bytes.len() % 2 != 0 {
                    return Err(format!("{} bytes of 16-bit sound", bytes.len()));
                }
                let samples = bytes.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]]));
                locked(&shared.heard)[at].1.extend(samples);
                if number < shared.script.ear_breaks {
                    return Ok(());
                }
            }
            Message::Text(text) => {
                let value: Value = serde_json::from_str(&text).map_err(|_| format!("no JSON: {text}"))?;
                let object = value.as_object().ok_or("no object")?;
                match (value["type"].as_str(), object.len()) {
                    (Some("Finalize"), 1) => {
                        // What was told as final before is not told again.
                        let all: Vec<&str> = words.split(' ').collect();
                        let rest = all[told.min(all.len())..].join(" ");
                        told = all.len();
                        let half = rest.len() / 2;
                        let half = rest[..half].rfind(' ').unwrap_or(0);
                        let (one, other) = rest.split_at(half);
                        for (part, last) in [(one, false), (other, true)] {
                            let confirmed = last && !shared.script.unconfirmed;
                            let results = json!({"type": "Results", "channel_index": [0, 1], "start": 0.0, "duration": 1.0,
                                "is_final": true, "speech_final": false, "from_finalize": confirmed,
                                "channel": {"alternatives": [{"transcript": part.trim(), "confidence": 0.9, "words": []}]},
                                "metadata": {"request_id": "r", "model_uuid": "m"}});
                            let _ = socket.send(Message::text(results.to_string())).await;
                        }
                    }
                    (Some("KeepAlive"), 1) => {}
                    (Some("CloseStream"), 1) => {
                        let metadata = json!({"type": "Metadata", "request_id": "r", "duration": 1.0, "channels": 1});
                        let _ = socket.send(Message::text(metadata.to_string())).await;
                        let _ = socket.close(None).await;
                        return Ok(());
                    }
                    _ => return Err(format!("listen knows no {text}")),
                }
            }
            Message::Close(_) => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

async fn voice(socket: &mut Socket, rate: u32, shared: &Shared) -> Result<(), String> {
    let (mut begun, mut sentence) = (false, String::new());
    loop {
        let Some(Ok(message)) = socket.next().await else { return Ok(()) };
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Ok(()),
            Message::Binary(_) => return Err("stream-input takes text only".to_owned()),
            _ => continue,
        };
        let value: Value = serde_json::from_str(&text).map_err(|_| format!("no JSON: {text}"))?;
        let object = value.as_object().ok_or("no object")?;
        let said = value["text"].as_str().ok_or_else(|| format!("no text in {text}"))?;
        if !begun {
            let known = ["text", "voice_settings", "generation_config"];
            if said != " " || object.keys().any(|key| !known.contains(&key.as_str())) {
                return Err(format!("the first message must be a space and settings: {text}"));
            }
            begun = true;
        } else if said.is_empty() {
            if object.len() != 1 || sentence.is_empty() {
                return Err(format!("an end with more, or with nothing before it: {text}"));
            }
            break;
        } else {
            if !said.ends_with(' ')
                || object.keys().any(|key| !["text", "flush", "try_trigger_generation"].contains(&key.as_str()))
            {
                return Err(format!("a text must end with a space: {text}"));
            }
            sentence.push_str(said);
        }
    }
    let number = {
        let mut counts = locked(&shared.counts);
        counts.1 += 1;
        counts.1 - 1
    };
    if number < shared.script.voice_breaks {
        let _ = socket.close(Some(CloseFrame { code: CloseCode::Error, reason: "busy".into() })).await;
        return Ok(());
    }
    let sentence = sentence.trim().to_owned();
    let at = {
        let mut spoken = locked(&shared.spoken);
        spoken.push((sentence.clone(), true));
        spoken.len() - 1
    };
    let known = shared.script.voices.iter().find(|(words, ..)| sentence.contains(words));
    let (hz, ms) = known.map_or((700.0, sentence.chars().count() * 60), |(_, hz, ms)| (*hz, *ms));
    let (mut samples, per_ms) = (Vec::new(), rate as usize / 1_000);
    tone::sine(hz, 9_000.0, SampleRate(rate), 0, ms * per_ms, &mut samples);
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    // Odd on purpose: samples are cut in two.
    for piece in bytes.chunks(per_ms * 200 + 1) {
        let audio = base64::engine::general_purpose::STANDARD.encode(piece);
        let message = json!({"audio": audio, "isFinal": null, "normalizedAlignment": null, "alignment": null});
        if socket.send(Message::text(message.to_string())).await.is_err() {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(shared.script.pace) => {}
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => return Err(format!("after the end: {text}")),
                _ => return Ok(()),
            },
        }
    }
    let _ = socket.send(Message::text(json!({"audio": null, "isFinal": true}).to_string())).await;
    locked(&shared.spoken)[at].1 = false;
    let _ = socket.next().await;
    Ok(())
}
