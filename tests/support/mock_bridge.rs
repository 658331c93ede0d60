//! A MOCK bot that is reached by WebSocket in the shape of Twilio's Media Streams, for tests and for trying voxgw
//! without one. It judges every message of the platform strictly, plays tones, clears when the caller interrupts, and
//! sets a mark behind each answer. It does not hear words.
//!
//! What it checks: text frames only; `connected`, then `start`, once each; every field of each message in its place,
//! with its type, and no others; sids in their shape and the same throughout; sequence numbers and chunks without a
//! gap; timestamps that count the sound; 20 ms in each message; marks only of names that it set, in their order;
//! nothing after `stop`.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
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
        http::StatusCode,
        protocol::CloseFrame,
    },
};
use voxgw::{agent::wire::Encoding, media::dsp::tone, unit::SampleRate};

/// Something unpleasant.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// In the middle of the greeting: this close; 1006 cuts the connection.
    CloseMidReply(u16),
    /// Before the greeting: these frames.
    Frames(Vec<Message>),
    /// Every connection is refused with this status.
    Refused(u16),
    /// The bot closes as bots do to end a call, after its greeting.
    HangsUp,
}

/// What the mock does.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Tones of the answers, hertz and milliseconds: a greeting first.
    pub replies: Vec<(f64, u32)>,
    /// Something unpleasant, on this many first connections.
    pub fault: Option<(Fault, usize)>,
}

/// What one connection saw.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// Path and query.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `start` message's inside.
    pub start: Value,
    /// The caller's sound.
    pub heard: Vec<i16>,
    /// Keys that the caller pressed.
    pub digits: String,
    /// Marks that were answered: name and how long after the mark was set.
    pub marks: Vec<(String, Duration)>,
    /// A `stop` came.
    pub stopped: bool,
    /// How often the caller's voice made it clear.
    pub clears: usize,
    /// Rules broken.
    pub violations: Vec<String>,
}

#[derive(Debug, Default)]
struct Shared {
    script: Script,
    logs: Mutex<Vec<Log>>,
    next_reply: Mutex<usize>,
}

/// The running mock.
#[derive(Debug)]
pub struct MockBridge {
    /// `ws://127.0.0.1:PORT/media`.
    pub url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl MockBridge {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start(script: Script) -> Self {
        Self::listen(script, "127.0.0.1:0").await
    }

    /// Listens there.
    pub async fn listen(script: Script, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let url = format!("ws://{}/media", listener.local_addr().expect("bound"));
        let shared = Arc::new(Shared { script, ..Shared::default() });
        let task = tokio::spawn(serve(listener, Arc::clone(&shared)));
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

impl Drop for MockBridge {
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
    let number = lock(&shared.logs).len();
    let fault = shared.script.fault.clone().filter(|(_, first)| number < *first).map(|(fault, _)| fault);
    #[expect(clippy::result_large_err, reason = "the callback's type")]
    let upgrade = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        log.path = request.uri().to_string();
        log.authorization =
            request.headers().get("authorization").and_then(|value| Some(value.to_str().ok()?.to_owned()));
        if let Some(Fault::Refused(status)) = fault {
            let mut refused = ErrorResponse::new(Some("no".to_owned()));
            *refused.status_mut() = StatusCode::from_u16(status).expect("a status");
            return Err(refused);
        }
        Ok(response)
    };
    let accepted = accept_hdr_async(stream, upgrade).await;
    lock(&shared.logs).push(log);
    let Ok(stream) = accepted else { return };
    let (to, mut from) = stream.split();
    let mut bot = Bot {
        to,
        shared,
        number,
        fault,
        checker: Checker::default(),
        stream: String::new(),
        encoding: Encoding::Pcmu,
        speaking_until: None,
        voiced_ms: 0,
        quiet_ms: 0,
        speaking: false,
        frame: Vec::new(),
        turns: 0,
        set: VecDeque::new(),
        open: true,
        closes: false,
    };
    while bot.open {
        match from.next().await {
            Some(Ok(Message::Text(text))) => bot.message(&text).await,
            Some(Ok(Message::Binary(_))) => bot.log(|log| log.violations.push("a binary message".into())),
            Some(Ok(_)) => {}
            _ => return,
        }
    } // A connection that is dropped with unread bytes is reset, and takes the close frame with it.
    if bot.closes {
        let _ = tokio::time::timeout(Duration::from_secs(1), async { while from.next().await.is_some() {} }).await;
    }
}

struct Bot {
    to: SplitSink<WebSocketStream<TcpStream>, Message>,
    shared: Arc<Shared>,
    number: usize,
    fault: Option<Fault>,
    checker: Checker,
    stream: String,
    encoding: Encoding,
    /// Until the platform must have played what was sent.
    speaking_until: Option<Instant>,
    voiced_ms: u32,
    quiet_ms: u32,
    speaking: bool,
    frame: Vec<i16>,
    turns: usize,
    set: VecDeque<(String, Instant)>,
    open: bool,
    closes: bool,
}

impl Bot {
    fn log(&self, change: impl FnOnce(&mut Log)) {
        change(&mut lock(&self.shared.logs)[self.number]);
    }

    async fn tell(&mut self, message: Value) {
        self.open &= self.to.send(Message::text(message.to_string())).await.is_ok();
    }

    async fn message(&mut self, text: &str) {
        let Ok(message) = serde_json::from_str::<Value>(text) else {
            return self.log(|log| log.violations.push("not JSON".into()));
        };
        let wrong = self.checker.check(&message);
        self.log(|log| log.violations.extend(wrong));
        match message["event"].as_str().unwrap_or_default() {
            "start" => {
                message["streamSid"].as_str().unwrap_or_default().clone_into(&mut self.stream);
                let format = &message["start"]["mediaFormat"];
                let rate = SampleRate(format["sampleRate"].as_u64().unwrap_or(8_000) as u32);
                self.encoding = if format["encoding"] == "audio/l16" { Encoding::Pcm(rate) } else { Encoding::Pcmu };
                self.log(|log| log.start = message["start"].clone());
                if let Some(Fault::Frames(frames)) = self.fault.clone() {
                    for frame in frames {
                        self.open &= self.to.send(frame).await.is_ok();
                    }
                }
                self.speak().await;
                if self.fault == Some(Fault::HangsUp) {
                    self.close(1_000).await;
                }
            }
            "media" => self.hear(message["media"]["payload"].as_str().unwrap_or_default()).await,
            "dtmf" => self.log(|log| log.digits.push_str(message["dtmf"]["digit"].as_str().unwrap_or_default())),
            "mark" => {
                let name = message["mark"]["name"].as_str().unwrap_or_default().to_owned();
                match self.set.pop_front() {
                    Some((set, at)) if set == name => self.log(|log| log.marks.push((name, at.elapsed()))),
                    other => self.log(|log| log.violations.push(format!("the mark {name} instead of {other:?}"))),
                }
            }
            "stop" => self.log(|log| log.stopped = true),
            _ => {}
        }
    }

    async fn hear(&mut self, payload: &str) {
        let samples = self.encoding.decode(&BASE64_STANDARD.decode(payload).unwrap_or_default());
        self.log(|log| log.heard.extend(&samples));
        let power: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let voiced = (power / samples.len().max(1) as f64).sqrt() > 400.0;
        (self.voiced_ms, self.quiet_ms) = if voiced { (self.voiced_ms + 20, 0) } else { (0, self.quiet_ms + 20) };
        if !self.speaking && self.voiced_ms >= 60 {
            self.speaking = true;
            if self.speaking_until.take().is_some_and(|until| until > Instant::now()) {
                self.log(|log| log.clears += 1);
                self.tell(json!({"event": "clear", "streamSid": self.stream})).await;
            }
        } else if self.speaking && self.quiet_ms >= 500 {
            self.speaking = false;
            self.speak().await;
        }
    }

    /// All of an answer at once, as bots may: the platform plays it in real time. Then a mark.
    async fn speak(&mut self) {
        let replies = &self.shared.script.replies;
        let Some((hz, ms)) = (!replies.is_empty()).then(|| {
            let mut next = lock(&self.shared.next_reply);
            *next += 1;
            replies[(*next - 1) % replies.len()]
        }) else {
            return;
        };
        self.turns += 1;
        let rate = self.encoding.rate();
        let mut samples = Vec::new();
        tone::sine(hz, 9_000.0, rate, 0, ms as usize * rate.0 as usize / 1_000, &mut samples);
        let chunks: Vec<&[i16]> = samples.chunks(rate.0 as usize / 10).collect();
        for (n, chunk) in chunks.iter().enumerate() {
            let mut bytes = Vec::new();
            self.encoding.encode(chunk, &mut bytes);
            let media = json!({"payload": BASE64_STANDARD.encode(bytes)});
            self.tell(json!({"event": "media", "streamSid": self.stream, "media": media})).await;
            if let Some(Fault::CloseMidReply(code)) = self.fault
                && n == chunks.len() / 2
            {
                return self.close(code).await;
            }
        }
        let name = format!("answer {}", self.turns);
        self.set.push_back((name.clone(), Instant::now()));
        self.tell(json!({"event": "mark", "streamSid": self.stream, "mark": {"name": name}})).await;
        self.speaking_until = Some(Instant::now() + Duration::from_millis(u64::from(ms)));
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

/// Judges the platform's messages.
#[derive(Debug, Default)]
struct Checker {
    connected: bool,
    stream: Option<String>,
    call: Value,
    sequence: u64,
    chunk: u64,
    samples: u64,
    rate: u64,
    bytes: u64,
    stopped: bool,
}

/// The fields of each message.
const MESSAGES: &[(&str, &[&str])] = &[
    ("connected", &["event", "protocol", "version"]),
    ("start", &["event", "sequenceNumber", "start", "streamSid"]),
    ("media", &["event", "sequenceNumber", "media", "streamSid"]),
    ("dtmf", &["event", "streamSid", "sequenceNumber", "dtmf"]),
    ("mark", &["event", "sequenceNumber", "streamSid", "mark"]),
    ("stop", &["event", "sequenceNumber", "stop", "streamSid"]),
];

impl Checker {
    fn check(&mut self, message: &Value) -> Vec<String> {
        let event = message["event"].as_str().unwrap_or_default();
        let Some((_, fields)) = MESSAGES.iter().find(|(known, _)| *known == event) else {
            return vec![format!("no message is called '{event}'")];
        };
        let mut wrong = has(message, fields, event);
        if self.stopped {
            wrong.push(format!("{event} after stop"));
        }
        if event == "connected" {
            if std::mem::replace(&mut self.connected, true)
                || message["protocol"] != "Call"
                || message["version"] != "1.0.0"
            {
                wrong.push(format!("connected: {message}"));
            }
            return wrong;
        }
        self.sequence += 1;
        if !is_number(&message["sequenceNumber"], self.sequence) {
            wrong.push(format!(
                "{event}: sequenceNumber {} instead of \"{}\"",
                message["sequenceNumber"], self.sequence
            ));
        }
        if event == "start" {
            wrong.extend(self.start(message));
        } else if message["streamSid"].as_str() != self.stream.as_deref() || self.stream.is_none() {
            wrong.push(format!("{event} on the stream {}", message["streamSid"]));
        }
        match event {
            "media" => wrong.extend(self.media(&message["media"])),
            "dtmf" => {
                let digit = message["dtmf"]["digit"].as_str().unwrap_or_default();
                wrong.extend(has(&message["dtmf"], &["track", "digit"], "dtmf"));
                if digit.len() != 1 || message["dtmf"]["track"] != "inbound_track" {
                    wrong.push(format!("dtmf: {message}"));
                }
            }
            "mark" => wrong.extend(has(&message["mark"], &["name"], "mark")),
            "stop" => {
                self.stopped = true;
                wrong.extend(has(&message["stop"], &["accountSid", "callSid"], "stop"));
                if message["stop"]["callSid"] != self.call {
                    wrong.push("stop of another call".into());
                }
            }
            _ => {}
        }
        wrong
    }

    fn start(&mut self, message: &Value) -> Vec<String> {
        let start = &message["start"];
        let mut wrong =
            has(start, &["streamSid", "accountSid", "callSid", "tracks", "customParameters", "mediaFormat"], "start");
        if !self.connected || self.stream.is_some() {
            wrong.push("start comes once, after connected".into());
        }
        for (name, prefix) in [("streamSid", "MZ"), ("accountSid", "AC"), ("callSid", "CA")] {
            let sid = start[name].as_str().unwrap_or_default();
            let good =
                sid.len() == 34 && sid.starts_with(prefix) && sid[2..].bytes().all(|byte| byte.is_ascii_hexdigit());
            if !good {
                wrong.push(format!("{name} {sid}"));
            }
        }
        if start["streamSid"] != message["streamSid"] || start["tracks"] != json!(["inbound"]) {
            wrong.push(format!("start: {message}"));
        }
        if !start["customParameters"].as_object().is_some_and(|all| all.values().all(Value::is_string)) {
            wrong.push("customParameters are texts".into());
        }
        let format = &start["mediaFormat"];
        wrong.extend(has(format, &["encoding", "sampleRate", "channels"], "mediaFormat"));
        self.rate = format["sampleRate"].as_u64().unwrap_or(0);
        self.bytes = if format["encoding"] == "audio/l16" { 2 } else { 1 };
        let good = match format["encoding"].as_str() {
            Some("audio/x-mulaw") => self.rate == 8_000,
            Some("audio/l16") => [8_000, 16_000, 24_000].contains(&self.rate),
            _ => false,
        };
        if !good || format["channels"] != 1 {
            wrong.push(format!("mediaFormat {format}"));
        }
        self.stream = start["streamSid"].as_str().map(str::to_owned);
        self.call = start["callSid"].clone();
        wrong
    }

    fn media(&mut self, media: &Value) -> Vec<String> {
        let mut wrong = has(media, &["track", "chunk", "timestamp", "payload"], "media");
        self.chunk += 1;
        let ms = (self.samples * 1_000).checked_div(self.rate).unwrap_or(0);
        if media["track"] != "inbound" || !is_number(&media["chunk"], self.chunk) || !is_number(&media["timestamp"], ms)
        {
            wrong.push(format!(
                "media: chunk {} at {} instead of {} at {ms}",
                media["chunk"], media["timestamp"], self.chunk
            ));
        }
        match media["payload"].as_str().and_then(|text| BASE64_STANDARD.decode(text).ok()) {
            Some(payload) if payload.len() as u64 == self.rate / 50 * self.bytes => {
                self.samples += payload.len() as u64 / self.bytes;
            }
            other => wrong.push(format!("media: a payload of {:?} bytes", other.map(|payload| payload.len()))),
        }
        wrong
    }
}

/// A number as text.
fn is_number(value: &Value, number: u64) -> bool {
    value.as_str() == Some(number.to_string().as_str())
}

/// Exactly these fields.
fn has(value: &Value, fields: &[&str], place: &str) -> Vec<String> {
    let Some(found) = value.as_object() else { return vec![format!("{place} is no object")] };
    let mut wrong: Vec<String> = fields
        .iter()
        .filter(|field| !found.contains_key(**field))
        .map(|field| format!("{place} without {field}"))
        .collect();
    wrong.extend(found.keys().filter(|key| !fields.contains(&key.as_str())).map(|key| format!("{place} has {key}")));
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checker_takes_what_is_right_and_names_what_is_wrong() {
        let sid = |prefix: &str| format!("{prefix}{:032x}", 7);
        let start = |rate: u64| {
            json!({"event": "start", "sequenceNumber": "1", "streamSid": sid("MZ"), "start": {"streamSid": sid("MZ"),
                "accountSid": sid("AC"), "callSid": sid("CA"), "tracks": ["inbound"], "customParameters": {"a": "b"},
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": rate, "channels": 1}}})
        };
        let connected = json!({"event": "connected", "protocol": "Call", "version": "1.0.0"});
        let media = |sequence: Value, chunk: &str, timestamp: &str, bytes: usize| {
            json!({"event": "media", "sequenceNumber": sequence, "streamSid": sid("MZ"), "media": {"track": "inbound",
                "chunk": chunk, "timestamp": timestamp, "payload": BASE64_STANDARD.encode(vec![0; bytes])}})
        };
        let mut checker = Checker::default();
        for message in
            [&connected, &start(8_000), &media(json!("2"), "1", "0", 160), &media(json!("3"), "2", "20", 160)]
        {
            assert_eq!(checker.check(message), Vec::<String>::new());
        }
        for (wrong, message) in [
            ("sequenceNumber", media(json!(4), "3", "40", 160)),
            ("chunk", media(json!("5"), "5", "60", 160)),
            ("320 bytes", media(json!("6"), "5", "60", 320).clone()),
            ("once", start(8_000)),
            ("no message", json!({"event": "hello"})),
        ] {
            let found = checker.check(&message).join("; ").replace("Some(320)", "320");
            assert!(found.contains(wrong), "{wrong}: {found}");
        }
        assert!(Checker::default().check(&start(16_000)).join("; ").contains("mediaFormat"));
    }
}
