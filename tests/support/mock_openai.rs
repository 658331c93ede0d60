//! A MOCK of OpenAI's Realtime service (GA), for tests and for trying voxgw without a key. No model speaks: a
//! [`Script`] says what is played and when, and a strict checker judges every message of the client.
//!
//! What it checks: the path and its `model`, that no beta header is sent, the key; that `session.update` comes first
//! and once, with every field where GA has it; that no sound comes before `session.updated`; that messages have the
//! fields of their type and no others, and a number of their own except for sound; that a truncation names an item it
//! sent and not more than its sound; that an answer is not asked for while one is made; that tool results follow a call.
//! A violation is recorded and answered with an `error`, as the service does.
//!
//! What it imitates: the order of events of an answer, sound faster than real time, server VAD by energy with
//! `speech_started`, `speech_stopped` and `committed`, cancelled answers, transcripts that come after the answer began.
//! It does not hear words.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Bytes, Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::CloseFrame,
    },
};
use voxgw::{agent::wire::Encoding, media::dsp::tone, unit::SampleRate};

/// One spoken answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its pitch.
    pub hz: f64,
    /// Its length.
    pub ms: u32,
    /// Fragments of its transcript.
    pub words: Vec<String>,
}

impl Reply {
    /// A tone that is said to be these words.
    pub fn tone(hz: f64, ms: u32, words: &[&str]) -> Self {
        Self { hz, ms, words: words.iter().map(|word| (*word).to_owned()).collect() }
    }
}

/// Something unpleasant.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// In the middle of each answer: this close; 1006 cuts the connection.
    CloseMidReply(u16),
    /// Nothing comes after the upgrade.
    Silent,
    /// Before the first answer: these frames.
    Frames(Vec<Message>),
    /// Each answer ends as failed, with this code.
    Failed(&'static str),
    /// The session cannot be set up: an `error` with this code, then a close.
    Refused(&'static str),
}

/// What the mock does.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Any other key is refused with 401.
    pub key: Option<String>,
    /// Answers, one after the other, then from the start again.
    pub replies: Vec<Reply>,
    /// What the caller said, per utterance.
    pub hears: Vec<String>,
    /// Something unpleasant, on this many first connections.
    pub fault: Option<(Fault, usize)>,
    /// The first answer is a call of this function instead.
    pub calls: Option<(&'static str, Value)>,
    /// Events with the beta's names.
    pub beta_names: bool,
}

/// What one connection saw.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Path and query.
    pub path: String,
    /// The session that was asked for.
    pub session: Value,
    /// The caller's sound, decoded.
    pub heard: Vec<i16>,
    /// The caller's sound, as it came.
    pub payload: Vec<u8>,
    /// Messages but those with sound.
    pub messages: Vec<Value>,
    /// Rules broken.
    pub violations: Vec<String>,
}

impl Log {
    /// Messages of this type.
    pub fn of(&self, kind: &str) -> Vec<&Value> {
        self.messages.iter().filter(|message| message["type"] == kind).collect()
    }
}

#[derive(Debug, Default)]
struct Shared {
    script: Script,
    logs: Mutex<Vec<Log>>,
    refused: Mutex<usize>,
    next_reply: Mutex<usize>,
}

/// The running mock.
#[derive(Debug)]
pub struct MockOpenAi {
    /// `ws://127.0.0.1:PORT/v1`.
    pub url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl MockOpenAi {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start(script: Script) -> Self {
        Self::listen(script, "127.0.0.1:0").await
    }

    /// Listens there.
    pub async fn listen(script: Script, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let url = format!("ws://{}/v1", listener.local_addr().expect("bound"));
        let shared = Arc::new(Shared { script, ..Shared::default() });
        let task = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { url, shared, task }
    }

    /// All logs, in the order of the connections.
    pub fn logs(&self) -> Vec<Log> {
        lock(&self.shared.logs).clone()
    }

    /// Connections that were refused.
    pub fn refused(&self) -> usize {
        *lock(&self.shared.refused)
    }

    /// All rules broken.
    pub fn violations(&self) -> Vec<String> {
        self.logs().into_iter().flat_map(|log| log.violations).collect()
    }
}

impl Drop for MockOpenAi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        sessions.spawn(session(stream, Arc::clone(&shared)));
    }
}

async fn session(stream: TcpStream, shared: Arc<Shared>) {
    let mut log = Log::default();
    let script = shared.script.clone();
    #[expect(clippy::result_large_err, reason = "the callback's type")]
    let upgrade = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        log.path = request.uri().to_string();
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        if header("openai-beta").is_some() {
            log.violations.push("OpenAI-Beta: the beta was switched off".into());
        }
        if !log.path.starts_with("/v1/realtime?model=") || log.path.contains("//") {
            log.violations.push(format!("path {}", log.path));
        }
        let given = header("authorization").and_then(|value| value.strip_prefix("Bearer ")).or(header("api-key"));
        if script.key.is_some() && given != script.key.as_deref() {
            *lock(&shared.refused) += 1;
            let body = json!({"error": {"message": "Incorrect API key provided: sk-wr**ong. You can find your API key.",
                "type": "invalid_request_error", "code": "invalid_api_key"}});
            let mut refused = ErrorResponse::new(Some(body.to_string()));
            *refused.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::UNAUTHORIZED;
            return Err(refused);
        }
        Ok(response)
    };
    let Ok(stream) = accept_hdr_async(stream, upgrade).await else { return };
    let number = {
        let mut logs = lock(&shared.logs);
        logs.push(log);
        logs.len() - 1
    };
    let (to, mut from) = stream.split();
    let fault = script.fault.clone().filter(|(_, first)| number < *first).map(|(fault, _)| fault);
    let mut session = Session {
        to,
        shared: Arc::clone(&shared),
        number,
        fault,
        checker: Checker::default(),
        format: Encoding::Pcm(SampleRate::HZ_24000),
        steps: VecDeque::new(),
        response: None,
        count: 0,
        utterances: 0,
        vad: Vad::default(),
        interrupts: true,
        open: true,
        closes: false,
    };
    if session.fault == Some(Fault::Silent) {
        while from.next().await.is_some() {}
        return;
    }
    let created =
        json!({"type": "session.created", "event_id": "event_0", "session": {"type": "realtime", "id": "sess_1"}});
    session.event(created).await;
    while session.open {
        let due = session.steps.front().map(|(at, _)| *at);
        tokio::select! {
            message = from.next() => match message {
                Some(Ok(Message::Text(text))) => session.message(&text).await,
                Some(Ok(Message::Binary(_))) => session.violation("a binary message").await,
                Some(Ok(_)) => {}
                _ => return,
            },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => session.step().await,
        }
    } // A connection that is dropped with unread bytes is reset, and takes the close frame with it.
    if session.closes {
        let _ = tokio::time::timeout(Duration::from_secs(1), async { while from.next().await.is_some() {} }).await;
    }
}

/// What comes next of an answer.
#[derive(Debug)]
enum Step {
    Updated(Value),
    Event(Value),
    Sound { item: String, samples: usize, event: Value },
    Done,
    Close(u16),
}

struct Session {
    to: SplitSink<WebSocketStream<TcpStream>, Message>,
    shared: Arc<Shared>,
    number: usize,
    fault: Option<Fault>,
    checker: Checker,
    format: Encoding,
    steps: VecDeque<(Instant, Step)>,
    response: Option<String>,
    count: usize,
    utterances: usize,
    vad: Vad,
    interrupts: bool,
    open: bool,
    closes: bool,
}

impl Session {
    fn log(&self, change: impl FnOnce(&mut Log)) {
        change(&mut lock(&self.shared.logs)[self.number]);
    }

    async fn event(&mut self, event: Value) {
        self.open &= self.to.send(Message::text(event.to_string())).await.is_ok();
    }

    async fn violation(&mut self, words: &str) {
        self.log(|log| log.violations.push(words.to_owned()));
        let error = json!({"type": "invalid_request_error", "code": "unknown_parameter", "message": words});
        self.event(json!({"type": "error", "event_id": "event_e", "error": error})).await;
    }

    async fn message(&mut self, text: &str) {
        let Ok(message) = serde_json::from_str::<Value>(text) else { return self.violation("not JSON").await };
        for words in self.checker.check(&message, self.response.is_some()) {
            self.violation(&words).await;
        }
        let kind = message["type"].as_str().unwrap_or_default().to_owned();
        if kind != "input_audio_buffer.append" {
            self.log(|log| log.messages.push(message.clone()));
        }
        match kind.as_str() {
            "session.update" => self.update(&message["session"]).await,
            "input_audio_buffer.append" => self.hear(message["audio"].as_str().unwrap_or_default()).await,
            "response.create" => self.answer(),
            "response.cancel" if self.response.is_some() => self.cancelled("client_cancelled").await,
            "conversation.item.create" => {
                self.event(json!({"type": "conversation.item.added", "event_id": "e", "item": message["item"]})).await;
            }
            "conversation.item.truncate" => {
                let (id, end) = (&message["item_id"], &message["audio_end_ms"]);
                let event = json!({"type": "conversation.item.truncated", "item_id": id, "content_index": 0, "audio_end_ms": end});
                self.event(event).await;
            }
            _ => {}
        }
    }

    async fn update(&mut self, session: &Value) {
        self.log(|log| log.session = session.clone());
        if let Some(Fault::Refused(code)) = self.fault {
            let error = json!({"type": "invalid_request_error", "code": code, "message": "You may not."});
            self.event(json!({"type": "error", "event_id": "e", "error": error})).await;
            return self.close(1_000).await;
        }
        self.format = match session["audio"]["output"]["format"]["type"].as_str() {
            Some("audio/pcmu") => Encoding::Pcmu,
            Some("audio/pcma") => Encoding::Pcma,
            _ => Encoding::Pcm(SampleRate::HZ_24000),
        };
        self.checker.rate = self.format.rate().0 as usize;
        let detection = &session["audio"]["input"]["turn_detection"];
        self.vad = Vad {
            rate: self.checker.rate,
            silence_ms: detection["silence_duration_ms"].as_u64().unwrap_or(500),
            ..Vad::default()
        };
        self.interrupts = detection["interrupt_response"] != false;
        // A real service takes its time, and what does not wait for it shows.
        let event = json!({"type": "session.updated", "event_id": "event_1", "session": session});
        self.steps.push_back((Instant::now() + Duration::from_millis(50), Step::Updated(event)));
    }

    async fn hear(&mut self, audio: &str) {
        let Ok(bytes) = BASE64_STANDARD.decode(audio) else { return };
        let samples = self.format.decode(&bytes);
        self.log(|log| {
            log.heard.extend(&samples);
            log.payload.extend(&bytes);
        });
        for heard in self.vad.push(&samples) {
            let id = format!("user_{}", self.utterances);
            let ms = self.vad.ms;
            if heard {
                self.event(json!({"type": "input_audio_buffer.speech_started", "event_id": "e", "audio_start_ms": ms, "item_id": id})).await;
                if self.response.is_some() && self.interrupts {
                    self.cancelled("turn_detected").await;
                }
            } else {
                self.utterances += 1;
                self.event(json!({"type": "input_audio_buffer.speech_stopped", "event_id": "e", "audio_end_ms": ms, "item_id": id})).await;
                self.event(json!({"type": "input_audio_buffer.committed", "event_id": "e", "item_id": id, "previous_item_id": null})).await;
                self.answer();
                self.transcribe(&id);
            }
        }
    }

    /// What the caller said comes in pieces while the answer has begun.
    fn transcribe(&mut self, id: &str) {
        let hears = &self.shared.script.hears;
        let Some(text) = hears.get((self.utterances - 1) % hears.len().max(1)) else { return };
        let half = text.floor_char_boundary(text.len() / 2);
        let kind = |end: &str| format!("conversation.item.input_audio_transcription.{end}");
        let events = [
            json!({"type": kind("delta"), "item_id": id, "content_index": 0, "delta": text[..half]}),
            json!({"type": kind("delta"), "item_id": id, "content_index": 0, "delta": text[half..]}),
            json!({"type": kind("completed"), "item_id": id, "content_index": 0, "transcript": text}),
        ];
        let at = Instant::now() + Duration::from_millis(150);
        for event in events {
            let place = self.steps.iter().position(|(due, _)| *due > at).unwrap_or(self.steps.len());
            self.steps.insert(place, (at, Step::Event(event)));
        }
    }

    /// Plans an answer: events in the service's order, sound ten times faster than it plays.
    fn answer(&mut self) {
        if self.response.is_some() {
            return;
        }
        self.count += 1;
        let (response, item) =
            (format!("resp_{}_{}", self.number, self.count), format!("item_{}_{}", self.number, self.count));
        let mut at = Instant::now() + Duration::from_millis(60);
        let mut plan = |after_ms: u64, step: Step| {
            at += Duration::from_millis(after_ms);
            self.steps.push_back((at, step));
        };
        let ids = |kind: &str, fields: Value| {
            let mut event = json!({"type": kind, "event_id": "e", "response_id": response, "item_id": item, "output_index": 0, "content_index": 0});
            event.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            event
        };
        plan(
            0,
            Step::Event(
                json!({"type": "response.created", "event_id": "e", "response": {"id": response, "status": "in_progress"}}),
            ),
        );
        let limits = json!([{"name": "requests", "limit": 100, "remaining": 99, "reset_seconds": 0.6}]);
        plan(0, Step::Event(json!({"type": "rate_limits.updated", "event_id": "e", "rate_limits": limits})));
        let fault = self.fault.clone();
        if let Some(Fault::Frames(frames)) = &fault
            && self.count == 1
        {
            for frame in frames {
                plan(
                    5,
                    Step::Event(json!({"raw": match frame {
                        Message::Binary(bytes) => json!({"binary": bytes.to_vec()}),
                        other => json!(other.to_text().unwrap_or_default()),
                    }})),
                );
            }
        }
        if let Some((name, arguments)) = self.shared.script.calls.clone().filter(|_| self.count == 1) {
            let call =
                json!({"type": "function_call", "call_id": "call_1", "name": name, "arguments": arguments.to_string()});
            self.checker.called.push("call_1".to_owned());
            plan(
                20,
                Step::Event(ids(
                    "response.function_call_arguments.done",
                    json!({"call_id": "call_1", "name": name, "arguments": arguments.to_string()}),
                )),
            );
            plan(
                5,
                Step::Event(
                    json!({"type": "response.done", "event_id": "e", "response": {"id": response, "status": "completed", "output": [call]}}),
                ),
            );
            plan(0, Step::Done);
            self.response = Some(response);
            return;
        }
        let replies = &self.shared.script.replies;
        let reply = if replies.is_empty() {
            Reply::tone(700.0, 500, &["Yes."])
        } else {
            let mut next = lock(&self.shared.next_reply);
            *next += 1;
            replies[(*next - 1) % replies.len()].clone()
        };
        let mut samples = Vec::new();
        let rate = self.format.rate();
        tone::sine(reply.hz, 9_000.0, rate, 0, reply.ms as usize * rate.0 as usize / 1_000, &mut samples);
        let mut words = reply.words.iter();
        let (audio, transcript) = if self.shared.script.beta_names {
            ("response.audio", "response.audio_transcript")
        } else {
            ("response.output_audio", "response.output_audio_transcript")
        };
        let chunks: Vec<&[i16]> = samples.chunks(rate.0 as usize / 5).collect();
        for (n, chunk) in chunks.iter().enumerate() {
            if let Some(word) = words.next() {
                plan(0, Step::Event(ids(&format!("{transcript}.delta"), json!({"delta": word}))));
            }
            let mut bytes = Vec::new();
            self.format.encode(chunk, &mut bytes);
            let event = ids(&format!("{audio}.delta"), json!({"delta": BASE64_STANDARD.encode(bytes)}));
            plan(20, Step::Sound { item: item.clone(), samples: chunk.len(), event });
            if let Some(Fault::CloseMidReply(code)) = fault
                && n == chunks.len() / 2
            {
                plan(0, Step::Close(code));
            }
        }
        for word in words {
            plan(0, Step::Event(ids(&format!("{transcript}.delta"), json!({"delta": word}))));
        }
        plan(0, Step::Event(ids(&format!("{audio}.done"), json!({}))));
        plan(0, Step::Event(ids(&format!("{transcript}.done"), json!({"transcript": reply.words.concat()}))));
        let done = match fault {
            Some(Fault::Failed(code)) => json!({"id": response, "status": "failed",
                "status_details": {"type": "failed", "error": {"type": "server_error", "code": code, "message": "The model is down."}}}),
            _ => json!({"id": response, "status": "completed", "output": [],
                "usage": {"total_tokens": 30, "input_tokens": 10, "output_tokens": 20,
                    "input_token_details": {"text_tokens": 4, "audio_tokens": 6, "cached_tokens": 3},
                    "output_token_details": {"text_tokens": 5, "audio_tokens": 15}}}),
        };
        plan(0, Step::Event(json!({"type": "response.done", "event_id": "e", "response": done})));
        plan(0, Step::Done);
        self.response = Some(response);
    }

    async fn cancelled(&mut self, reason: &str) {
        let Some(response) = self.response.take() else { return };
        // One more delta is on its way, as ever.
        let late = self.steps.iter().position(|(_, step)| matches!(step, Step::Sound { .. }));
        let late = late.and_then(|at| self.steps.remove(at));
        let keep = |step: &Step| matches!(step, Step::Event(event) if event["type"].as_str().is_some_and(|kind| kind.starts_with("conversation.")));
        self.steps.retain(|(_, step)| keep(step));
        if let Some((_, Step::Sound { event, item, samples })) = late {
            *self.checker.items.entry(item).or_default() += samples;
            self.event(event).await;
        }
        let done = json!({"id": response, "status": "cancelled", "status_details": {"type": "cancelled", "reason": reason}, "output": []});
        self.event(json!({"type": "response.done", "event_id": "e", "response": done})).await;
    }

    async fn step(&mut self) {
        let Some((_, step)) = self.steps.pop_front() else { return };
        match step {
            Step::Event(event) if event.get("raw").is_some() => {
                let frame = match &event["raw"] {
                    Value::String(text) => Message::text(text.clone()),
                    raw => {
                        let bytes = raw["binary"].as_array().into_iter().flatten().filter_map(Value::as_u64);
                        Message::Binary(bytes.map(|byte| byte as u8).collect::<Bytes>())
                    }
                };
                self.open &= self.to.send(frame).await.is_ok();
            }
            Step::Updated(event) => {
                self.checker.told = true;
                self.event(event).await;
            }
            Step::Event(event) => self.event(event).await,
            Step::Sound { item, samples, event } => {
                *self.checker.items.entry(item).or_default() += samples;
                self.event(event).await;
            }
            Step::Done => self.response = None,
            Step::Close(code) => self.close(code).await,
        }
    }

    async fn close(&mut self, code: u16) {
        if code != 1_006 {
            let frame = CloseFrame { code: code.into(), reason: "as the script says".into() };
            let _ = self.to.send(Message::Close(Some(frame))).await;
            let _ = self.to.flush().await;
            self.closes = true;
        }
        self.open = false;
    }
}

/// Speech by energy.
#[derive(Debug, Default)]
struct Vad {
    rate: usize,
    silence_ms: u64,
    frame: Vec<i16>,
    ms: u64,
    voiced_ms: u64,
    quiet_ms: u64,
    speaking: bool,
}

impl Vad {
    /// True for a beginning, false for an end.
    fn push(&mut self, samples: &[i16]) -> Vec<bool> {
        let mut heard = Vec::new();
        for sample in samples {
            self.frame.push(*sample);
            if self.frame.len() < self.rate / 100 {
                continue;
            }
            let power: f64 = self.frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
            let voiced = (power / self.frame.len() as f64).sqrt() > 400.0;
            self.frame.clear();
            self.ms += 10;
            (self.voiced_ms, self.quiet_ms) = if voiced { (self.voiced_ms + 10, 0) } else { (0, self.quiet_ms + 10) };
            if !self.speaking && self.voiced_ms >= 60 {
                self.speaking = true;
                heard.push(true);
            } else if self.speaking && self.quiet_ms >= self.silence_ms {
                self.speaking = false;
                heard.push(false);
            }
        }
        heard
    }
}

/// Judges the client's messages.
#[derive(Debug, Default)]
struct Checker {
    /// `session.update` has come.
    updated: bool,
    /// `session.updated` has gone.
    told: bool,
    /// Samples a second.
    rate: usize,
    /// Sound sent of each item.
    items: BTreeMap<String, usize>,
    called: Vec<String>,
    ids: Vec<String>,
}

/// Fields that each message may have; those before the bar it must.
const MESSAGES: &[(&str, &[&str], &[&str])] = &[
    ("session.update", &["event_id", "session"], &[]),
    ("input_audio_buffer.append", &["audio"], &["event_id"]),
    ("input_audio_buffer.clear", &["event_id"], &[]),
    ("input_audio_buffer.commit", &["event_id"], &[]),
    ("conversation.item.create", &["event_id", "item"], &["previous_item_id"]),
    ("conversation.item.truncate", &["event_id", "item_id", "content_index", "audio_end_ms"], &[]),
    ("response.create", &["event_id"], &["response"]),
    ("response.cancel", &["event_id"], &["response_id"]),
];

/// Fields of each object of a session, by its path.
const SESSION: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "type",
            "output_modalities",
            "instructions",
            "audio",
            "tools",
            "tool_choice",
            "max_output_tokens",
            "truncation",
            "reasoning",
            "parallel_tool_calls",
            "tracing",
            "prompt",
            "include",
        ],
    ),
    ("audio", &["input", "output"]),
    ("audio.input", &["format", "transcription", "noise_reduction", "turn_detection"]),
    ("audio.input.format", &["type", "rate"]),
    ("audio.output.format", &["type", "rate"]),
    ("audio.input.transcription", &["model", "language", "prompt"]),
    ("audio.input.noise_reduction", &["type"]),
    ("audio.output", &["format", "voice", "speed"]),
    ("reasoning", &["effort"]),
];

impl Checker {
    fn check(&mut self, message: &Value, responding: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        let kind = message["type"].as_str().unwrap_or_default();
        let Some((_, must, may)) = MESSAGES.iter().find(|(known, ..)| *known == kind) else {
            return vec![format!("no message is of the type '{kind}'")];
        };
        let fields = message.as_object().cloned().unwrap_or_default();
        wrong.extend(
            must.iter().filter(|field| !fields.contains_key(**field)).map(|field| format!("{kind} without {field}")),
        );
        wrong.extend(unknown(&fields, &[&["type"], *must, *may].concat(), kind));
        if let Some(id) = message["event_id"].as_str() {
            if self.ids.iter().any(|known| known == id) {
                wrong.push(format!("event_id {id} was used before"));
            }
            self.ids.push(id.to_owned());
        }
        if !self.updated && kind != "session.update" {
            wrong.push(format!("{kind} before session.update"));
        }
        match kind {
            "session.update" => {
                if std::mem::replace(&mut self.updated, true) {
                    wrong.push("a second session.update".into());
                }
                wrong.extend(check_session(&message["session"]));
            }
            "input_audio_buffer.append" => {
                let bytes = message["audio"].as_str().and_then(|audio| BASE64_STANDARD.decode(audio).ok());
                if bytes.is_none_or(|bytes| bytes.is_empty()) {
                    wrong.push("audio that is empty or not base64".into());
                }
                if !self.told {
                    wrong.push("sound before session.updated".into());
                }
            }
            "conversation.item.truncate" => {
                let sent = message["item_id"].as_str().and_then(|id| self.items.get(id));
                let end = message["audio_end_ms"].as_u64();
                match (sent, end) {
                    (None, _) => wrong.push("a truncation of an item that was never sent".into()),
                    (_, None) => wrong.push("audio_end_ms is not a whole number".into()),
                    (Some(sent), Some(end)) if end as usize * self.rate / 1_000 > *sent => {
                        wrong.push(format!(
                            "audio content of {} ms is already shorter than {end} ms",
                            sent * 1_000 / self.rate
                        ));
                    }
                    _ => {}
                }
            }
            "response.create" if responding => wrong.push("conversation already has an active response".into()),
            "conversation.item.create" => wrong.extend(self.check_item(&message["item"])),
            _ => {}
        }
        wrong
    }

    fn check_item(&self, item: &Value) -> Option<String> {
        match item["type"].as_str() {
            Some("message") => {
                let part = match item["role"].as_str() {
                    Some("user" | "system") => "input_text",
                    Some("assistant") => "output_text",
                    role => return Some(format!("role {role:?}")),
                };
                let content = &item["content"][0];
                let good = content["type"] == part && content["text"].as_str().is_some_and(|text| !text.is_empty());
                (!good).then(|| format!("content of {} must be {part}: {content}", item["role"]))
            }
            Some("function_call_output") => {
                let known = item["call_id"].as_str().is_some_and(|id| self.called.iter().any(|called| called == id));
                (!known || !item["output"].is_string())
                    .then(|| format!("a result that answers no call, or is no text: {item}"))
            }
            kind => Some(format!("an item of the type {kind:?}")),
        }
    }
}

fn unknown(fields: &Map<String, Value>, known: &[&str], place: &str) -> Vec<String> {
    let mut wrong: Vec<String> = fields
        .keys()
        .filter(|field| !known.contains(&field.as_str()))
        .map(|field| format!("Unknown parameter: '{place}.{field}'"))
        .collect();
    wrong.extend(
        fields.iter().filter(|(_, value)| value.is_null()).map(|(field, _)| format!("{place}.{field} is null")),
    );
    wrong
}

fn check_session(session: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, known) in SESSION {
        let found = path.split('.').filter(|part| !part.is_empty()).fold(session, |value, part| &value[part]);
        if let Some(fields) = found.as_object() {
            wrong.extend(unknown(fields, known, &format!("session.{path}")));
        }
    }
    if session["type"] != "realtime" {
        wrong.push("session.type must be realtime".into());
    }
    if session["output_modalities"] != json!(["audio"]) && session["output_modalities"] != json!(["text"]) {
        wrong.push("output_modalities is audio or text".into());
    }
    for side in ["input", "output"] {
        let format = &session["audio"][side]["format"];
        let good = match format["type"].as_str() {
            Some("audio/pcm") => format["rate"] == 24_000,
            Some("audio/pcmu" | "audio/pcma") => format.get("rate").is_none(),
            _ => false,
        };
        if !good {
            wrong.push(format!("audio.{side}.format: {format}"));
        }
    }
    let detection = &session["audio"]["input"]["turn_detection"];
    let known: &[&str] = match detection["type"].as_str() {
        Some("server_vad") => &[
            "type",
            "threshold",
            "prefix_padding_ms",
            "silence_duration_ms",
            "create_response",
            "interrupt_response",
            "idle_timeout_ms",
        ],
        Some("semantic_vad") => &["type", "eagerness", "create_response", "interrupt_response"],
        _ => &[],
    };
    if let Some(fields) = detection.as_object() {
        wrong.extend(unknown(fields, known, "session.audio.input.turn_detection"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(change: impl FnOnce(&mut Value)) -> Value {
        let mut session = json!({"type": "realtime", "output_modalities": ["audio"], "audio": {
            "input": {"format": {"type": "audio/pcmu"}, "turn_detection": {"type": "server_vad"}},
            "output": {"format": {"type": "audio/pcm", "rate": 24_000}}}});
        change(&mut session);
        json!({"type": "session.update", "event_id": "a", "session": session})
    }

    #[test]
    fn the_checker_takes_what_is_right_and_names_what_is_wrong() {
        let check = |message: &Value| Checker { rate: 8_000, ..Checker::default() }.check(message, false).join("; ");
        assert_eq!(check(&update(|_| {})), "");
        for (wrong, change) in [
            ("session..voice", (|s| s["voice"] = json!("marin")) as fn(&mut Value)),
            ("session..temperature", |s| s["temperature"] = json!(0.7)),
            ("session.type", |s| s["type"] = json!(null)),
            ("audio.output.format", |s| s["audio"]["output"]["format"]["rate"] = json!(16_000)),
            ("audio.input.format", |s| s["audio"]["input"]["format"] = json!("g711_ulaw")),
            ("output_modalities", |s| s["output_modalities"] = json!(["audio", "text"])),
            ("turn_detection.eagerness", |s| s["audio"]["input"]["turn_detection"]["eagerness"] = json!("low")),
        ] {
            let found = check(&update(change));
            assert!(found.contains(wrong), "{wrong}: {found}");
        }
        let mut checker = Checker { rate: 8_000, ..Checker::default() };
        assert!(
            checker.check(&json!({"type": "input_audio_buffer.append", "audio": "AA=="}), false)[0].contains("before")
        );
        checker.check(&update(|_| {}), false);
        let sound = json!({"type": "input_audio_buffer.append", "audio": "AA=="});
        assert_eq!(checker.check(&sound, false), ["sound before session.updated"]);
        checker.told = true;
        assert_eq!(checker.check(&sound, false), Vec::<String>::new());
        checker.items.insert("i".into(), 800);
        let truncate = |id: &str, item: &str, ms: u64| json!({"type": "conversation.item.truncate", "event_id": id, "item_id": item, "content_index": 0, "audio_end_ms": ms});
        assert_eq!(checker.check(&truncate("b", "i", 100), false), Vec::<String>::new());
        assert!(checker.check(&truncate("c", "i", 101), false)[0].contains("already shorter"));
        assert!(checker.check(&truncate("d", "j", 1), false)[0].contains("never sent"));
        assert!(checker.check(&truncate("d", "i", 1), false)[0].contains("used before"));
        let create = json!({"type": "response.create", "event_id": "e"});
        assert!(checker.check(&create, true)[0].contains("active response"));
        let result = json!({"type": "conversation.item.create", "event_id": "f", "item":
            {"type": "function_call_output", "call_id": "c", "output": "{}"}});
        assert!(checker.check(&result, false)[0].contains("answers no call"));
    }
}
