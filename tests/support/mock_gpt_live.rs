//! A MOCK of OpenAI's GPT-Live sessions, for tests and for trying voxgw without a key. No model speaks: a [`Script`]
//! says what is played and when, and a strict checker judges every message of the client.
//!
//! What it checks: path and key; that `session.start` comes first and once, with every field where the vendor's types
//! have it and no others; that no sound comes before `session.started`; that texts are short and name their delegation
//! or null; that results of tools follow a call, and that the second model is asked to go on when all are there.
//!
//! What it imitates: one stream of sound without turns, in real time, silence included; a model that yields a moment
//! after it is spoken over; transcripts in fragments; tools that a second model calls.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use serde_json::{Map, Value, json};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::CloseFrame,
    },
};
use voxgw::{agent::wire::Encoding, media::dsp::tone, unit::SampleRate};

/// Length of one piece of the stream.
const PIECE_MS: usize = 100;
/// The model goes on for so long after it is spoken over.
const YIELDS_AFTER_MS: usize = 200;

/// Something that the model says.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its pitch.
    pub hz: f64,
    /// Its length.
    pub ms: usize,
    /// Its words.
    pub words: &'static str,
}

/// Something unpleasant.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// In the middle of each answer: this close; 1006 cuts the connection.
    CloseMidReply(u16),
    /// Nothing comes after the upgrade.
    Silent,
    /// The session cannot be started: an `error` with this code, then a close.
    Refused(&'static str),
    /// The session ends after its first answer, for this reason.
    Closed(&'static str),
    /// After the start: these frames.
    Frames(Vec<Message>),
}

/// What the mock does.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Any other key is refused with 401.
    pub key: Option<String>,
    /// Answers, one after the other, then from the start again.
    pub replies: Vec<Reply>,
    /// What the caller said.
    pub hears: &'static str,
    /// Something unpleasant, on this many first connections.
    pub fault: Option<(Fault, usize)>,
    /// What the caller says first leads to a call of this tool.
    pub calls: Option<(&'static str, Value)>,
}

/// What one connection saw.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// The session that was asked for.
    pub session: Value,
    /// The caller's sound, decoded.
    pub heard: Vec<i16>,
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
    next_reply: Mutex<usize>,
}

/// The running mock.
#[derive(Debug)]
pub struct MockGptLive {
    /// `ws://127.0.0.1:PORT/v1`.
    pub url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl MockGptLive {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start(script: Script) -> Self {
        Self::listen(script, "127.0.0.1:0").await
    }

    /// Listens there.
    pub async fn listen(script: Script, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let url = format!("ws://{}/v1", listener.local_addr().expect("bound"));
        let shared = Arc::new(Shared { script, ..Shared::default() });
        let theirs = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let mut sessions = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                sessions.spawn(session(stream, Arc::clone(&theirs)));
            }
        });
        Self { url, shared, task }
    }

    /// All logs, in the order of the connections.
    pub fn logs(&self) -> Vec<Log> {
        lock(&self.shared.logs).clone()
    }

    /// All rules broken.
    pub fn violations(&self) -> Vec<String> {
        self.logs().into_iter().flat_map(|log| log.violations).collect()
    }
}

impl Drop for MockGptLive {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn session(stream: TcpStream, shared: Arc<Shared>) {
    let mut log = Log::default();
    let script = shared.script.clone();
    #[expect(clippy::result_large_err, reason = "the callback's type")]
    let upgrade = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        if request.uri() != "/v1/live/sessions" {
            log.violations.push(format!("path {}", request.uri()));
        }
        let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        if script.key.is_some() && given.and_then(|value| value.strip_prefix("Bearer ")) != script.key.as_deref() {
            let body = json!({"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}});
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
    let fault = script.fault.clone().filter(|(_, first)| number < *first).map(|(fault, _)| fault);
    let (to, mut from) = stream.split();
    let mut session = Session {
        to,
        number,
        fault,
        shared: Arc::clone(&shared),
        format: Encoding::Pcm(SampleRate::HZ_24000),
        asked: false,
        started: false,
        saying: None,
        passed: 0,
        spoken_over: None,
        loud: 0,
        quiet: 0,
        hears: false,
        muted: false,
        spoke: 0,
        calls: Vec::new(),
        ids: Vec::new(),
        open: true,
    };
    if session.fault == Some(Fault::Silent) {
        while from.next().await.is_some() {}
        return;
    }
    let mut piece = tokio::time::interval(Duration::from_millis(PIECE_MS as u64));
    while session.open {
        tokio::select! {
            message = from.next() => match message {
                Some(Ok(Message::Text(text))) => session.message(&text).await,
                Some(Ok(Message::Binary(_))) => session.violation("a binary message").await,
                Some(Ok(_)) => {}
                _ => return,
            },
            _ = piece.tick(), if session.started => session.piece().await,
        }
    }
    // A connection that is dropped with unread bytes is reset, and takes the close frame with it.
    let _ = tokio::time::timeout(Duration::from_secs(1), async { while from.next().await.is_some() {} }).await;
}

struct Session {
    to: SplitSink<WebSocketStream<TcpStream>, Message>,
    number: usize,
    fault: Option<Fault>,
    shared: Arc<Shared>,
    format: Encoding,
    asked: bool,
    started: bool,
    /// What it says, and how much of it was sent.
    saying: Option<(Reply, usize)>,
    /// Milliseconds of its stream.
    passed: usize,
    /// It is spoken over for so long.
    spoken_over: Option<usize>,
    loud: usize,
    quiet: usize,
    hears: bool,
    muted: bool,
    spoke: usize,
    calls: Vec<String>,
    ids: Vec<String>,
    open: bool,
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
        self.event(json!({"type": "error", "event_id": "e", "error": error})).await;
    }

    async fn close(&mut self, code: u16) {
        if code != 1_006 {
            let frame = CloseFrame { code: code.into(), reason: "as the script says".into() };
            let _ = self.to.send(Message::Close(Some(frame))).await;
        }
        self.open = false;
    }

    async fn message(&mut self, text: &str) {
        let Ok(message) = serde_json::from_str::<Value>(text) else { return self.violation("not JSON").await };
        for words in self.check(&message) {
            self.violation(&words).await;
        }
        let kind = message["type"].as_str().unwrap_or_default().to_owned();
        if kind == "session.input_audio.append" {
            return self.hear(message["audio"].as_str().unwrap_or_default()).await;
        }
        self.log(|log| log.messages.push(message.clone()));
        match kind.as_str() {
            "session.start" => self.start(&message["session"]).await,
            "session.commentary.append" | "response.create" => self.speak(),
            "session.input_audio.mute" => self.muted = true,
            "session.input_audio.unmute" => self.muted = false,
            "response.item.create" => {
                let id = message["item"]["call_id"].as_str().unwrap_or_default().to_owned();
                self.calls.retain(|call| *call != id);
            }
            "session.close" => {
                let closed = json!({"type": "session.closed", "event_id": "e", "reason": "close_requested", "usage": {"seconds": 1.5}});
                self.event(closed).await;
                self.close(1_000).await;
            }
            _ => {}
        }
    }

    async fn start(&mut self, session: &Value) {
        self.log(|log| log.session = session.clone());
        if let Some(Fault::Refused(code)) = self.fault {
            let error = json!({"type": "invalid_request_error", "code": code, "message": "You may not."});
            self.event(json!({"type": "error", "event_id": "e", "error": error})).await;
            return self.close(1_000).await;
        }
        self.format = match session["audio"]["format"]["type"].as_str() {
            Some("audio/pcmu") => Encoding::Pcmu,
            Some("audio/pcma") => Encoding::Pcma,
            _ if session["audio"]["format"]["rate"] == 16_000 => Encoding::Pcm(SampleRate::HZ_16000),
            _ => Encoding::Pcm(SampleRate::HZ_24000),
        };
        // A real service takes its time, and what does not wait for it shows.
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.event(json!({"type": "session.started", "event_id": "e", "session": {"id": "live_1", "expires_at": 1}}))
            .await;
        self.started = true;
        if let Some(Fault::Frames(frames)) = self.fault.clone() {
            for frame in frames {
                self.open &= self.to.send(frame).await.is_ok();
            }
        }
    }

    fn speak(&mut self) {
        let replies = &self.shared.script.replies;
        if replies.is_empty() {
            return;
        }
        let mut next = lock(&self.shared.next_reply);
        self.saying = Some((replies[*next % replies.len()].clone(), 0));
        *next += 1;
        self.spoken_over = None;
    }

    /// The next piece of the stream: sound, or silence.
    async fn piece(&mut self) {
        let rate = self.format.rate();
        let length = rate.0 as usize * PIECE_MS / 1_000;
        let mut samples = Vec::new();
        if let Some((reply, sent)) = self.saying.take() {
            tone::sine(reply.hz, 9_000.0, rate, sent * rate.0 as usize / 1_000, length, &mut samples);
            if sent == 0 {
                let (start, end) = (self.passed, self.passed + reply.ms);
                for word in reply.words.split_inclusive(' ') {
                    self.event(json!({"type": "session.output_transcript.delta", "event_id": "e", "delta": word, "start_ms": start, "end_ms": end})).await;
                }
            }
            if let Some(Fault::CloseMidReply(code)) = self.fault
                && sent >= reply.ms / 2
            {
                return self.close(code).await;
            }
            let over = self.spoken_over.is_some_and(|over| over >= YIELDS_AFTER_MS);
            if sent + PIECE_MS < reply.ms && !over {
                self.saying = Some((reply, sent + PIECE_MS));
            } else {
                self.spoke += 1;
                self.spoken_over = None;
            }
        } else {
            samples.resize(length, 0);
            if let Some(Fault::Closed(reason)) = self.fault
                && self.spoke > 0
            {
                self.event(
                    json!({"type": "session.closed", "event_id": "e", "reason": reason, "usage": {"seconds": 9.0}}),
                )
                .await;
                return self.close(1_000).await;
            }
        }
        self.passed += PIECE_MS;
        let mut bytes = Vec::new();
        self.format.encode(&samples, &mut bytes);
        self.event(json!({"type": "session.output_audio.delta", "delta": BASE64_STANDARD.encode(bytes)})).await;
    }

    async fn hear(&mut self, audio: &str) {
        let Ok(bytes) = BASE64_STANDARD.decode(audio) else { return };
        let samples = self.format.decode(&bytes);
        self.log(|log| log.heard.extend(&samples));
        if self.muted {
            return;
        }
        let per_ms = self.format.rate().0 as usize / 1_000;
        for frame in samples.chunks(per_ms * 10) {
            let loud = frame.iter().any(|sample| sample.unsigned_abs() > 1_000);
            (self.loud, self.quiet) = if loud { (self.loud + 10, 0) } else { (0, self.quiet + 10) };
            if self.loud >= 60 {
                self.hears = true;
                if self.saying.is_some() {
                    *self.spoken_over.get_or_insert(0) += 10;
                }
            }
            if self.hears && self.quiet >= 500 {
                self.hears = false;
                self.answer().await;
            }
        }
    }

    /// The caller has spoken.
    async fn answer(&mut self) {
        for word in self.shared.script.hears.split_inclusive(' ') {
            self.event(json!({"type": "session.input_transcript.delta", "event_id": "e", "delta": word, "start_ms": 1, "end_ms": 2})).await;
        }
        if let Some((name, arguments)) = self.shared.script.calls.clone()
            && self.ids.is_empty()
        {
            let id = "call_1".to_owned();
            self.ids.push(id.clone());
            self.calls.push(id.clone());
            let delegation = json!({"id": "del_1", "target": "responses", "type": "delegation"});
            self.event(json!({"type": "session.delegation.created", "event_id": "e", "offset_ms": 1, "delegation": delegation})).await;
            let item =
                json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments.to_string()});
            for kind in ["response.output_item.added", "response.output_item.done"] {
                let event = json!({"type": kind, "output_index": 0, "item": item});
                self.event(
                    json!({"type": "response.event", "event_id": "e", "delegation_id": "del_1", "event": event}),
                )
                .await;
            }
            return;
        }
        self.speak();
    }

    fn check(&mut self, message: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let kind = message["type"].as_str().unwrap_or_default();
        let Some((_, must)) = MESSAGES.iter().find(|(known, _)| *known == kind) else {
            return vec![format!("no message is of the type '{kind}'")];
        };
        let fields = message.as_object().cloned().unwrap_or_default();
        wrong.extend(
            must.iter().filter(|field| !fields.contains_key(**field)).map(|field| format!("{kind} without {field}")),
        );
        wrong.extend(unknown(&fields, &[&["type", "event_id"], *must].concat(), kind));
        if !self.asked && kind != "session.start" {
            wrong.push(format!("{kind} before session.start"));
        }
        match kind {
            "session.start" => {
                if std::mem::replace(&mut self.asked, true) {
                    wrong.push("a second session.start".into());
                }
                wrong.extend(check_session(&message["session"]));
            }
            _ if !self.started => wrong.push(format!("{kind} before session.started")),
            "session.input_audio.append" => {
                let bytes = message["audio"].as_str().and_then(|audio| BASE64_STANDARD.decode(audio).ok());
                if bytes.is_none_or(|bytes| bytes.is_empty()) {
                    wrong.push("audio that is empty or not base64".into());
                }
            }
            "session.instructions.append" | "session.commentary.append" | "session.thinking.append" => {
                let content = message["content"].as_str().unwrap_or_default();
                if content.is_empty() || content.chars().count() > 2_000 {
                    wrong.push(format!("content of {} characters", content.chars().count()));
                }
                if !message["delegation_id"].is_null() {
                    wrong.push("delegation ids are not accepted with Responses delegation".into());
                }
            }
            "response.item.create" => {
                let item = &message["item"];
                let known = self.ids.iter().any(|id| item["call_id"] == **id);
                if item["type"] != "function_call_output" || !known || !item["output"].is_string() {
                    wrong.push(format!("a result that answers no call: {item}"));
                }
            }
            "response.create" if !self.calls.is_empty() => wrong.push("a result is missing".into()),
            _ => {}
        }
        wrong
    }
}

/// Fields that each message must have besides its type; it may have an `event_id`.
const MESSAGES: &[(&str, &[&str])] = &[
    ("session.start", &["session"]),
    ("session.input_audio.append", &["audio"]),
    ("session.input_audio.mute", &[]),
    ("session.input_audio.unmute", &[]),
    ("session.instructions.append", &["content", "delegation_id"]),
    ("session.commentary.append", &["content", "delegation_id"]),
    ("session.thinking.append", &["content", "delegation_id"]),
    ("response.item.create", &["item"]),
    ("response.create", &[]),
    ("session.close", &[]),
];

fn unknown(fields: &Map<String, Value>, known: &[&str], place: &str) -> Vec<String> {
    let strange = fields.keys().filter(|field| !known.contains(&field.as_str()));
    strange.map(|field| format!("Unknown parameter: '{place}.{field}'")).collect()
}

fn check_session(session: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for (path, known) in [
        ("", &["model", "instructions", "audio", "delegation", "input"][..]),
        ("audio", &["format", "output"]),
        ("audio.format", &["type", "rate"]),
        ("audio.output", &["voice"]),
        ("delegation", &["type", "responses", "acknowledgement_delay_ms"]),
        (
            "delegation.responses",
            &["model", "instructions", "tools", "tool_choice", "reasoning", "max_output_tokens", "parallel_tool_calls"],
        ),
    ] {
        let found = path.split('.').filter(|part| !part.is_empty()).fold(session, |value, part| &value[part]);
        if let Some(fields) = found.as_object() {
            wrong.extend(unknown(fields, known, &format!("session.{path}")));
        }
    }
    if !session["model"].is_string() {
        wrong.push("session without model".into());
    }
    let format = &session["audio"]["format"];
    let good = match format["type"].as_str() {
        Some("audio/pcm") => format["rate"] == 16_000 || format["rate"] == 24_000,
        Some("audio/pcmu" | "audio/pcma") => format["rate"] == 8_000,
        _ => false,
    };
    if !good {
        wrong.push(format!("audio.format: {format}"));
    }
    for item in session["input"].as_array().into_iter().flatten() {
        let part = if item["role"] == "assistant" { "output_text" } else { "input_text" };
        if item["content"][0]["type"] != part || item["content"].as_array().is_none_or(|parts| parts.len() != 1) {
            wrong.push(format!("input: {item}"));
        }
    }
    for tool in session["delegation"]["responses"]["tools"].as_array().into_iter().flatten() {
        if tool["type"] != "function" || !tool["name"].is_string() || !tool["parameters"].is_object() {
            wrong.push(format!("tool: {tool}"));
        }
    }
    wrong
}
