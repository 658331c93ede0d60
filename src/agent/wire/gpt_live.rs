//! GPT-Live on the wire: OpenAI's full-duplex sessions, JSON in text frames both ways.
//!
//! Owns the start of a session, the stream of the model's sound, and the tools, which a second model calls. There are
//! no turns: the model's sound is one stream with silence in it, so a turn is what lies between two silences of it,
//! and whether the caller interrupts is for our own detector to say. There is no truncation either: the model hears
//! when it is spoken over. A new connection is told what was said. Does not know sockets.

use super::{
    AfterClose, Auth, Encoding, Facts, Finding, Provider, Settings, Uplink, decode_base64,
    openai::{
        frames::{ErrorEvent, Kind, OutputItem, read},
        hint,
        words::{Memory, Speaker},
    },
    tool::{late, text},
};
use crate::{
    agent::event::{Command, Event, SpeechEdge, ToolCall},
    unit::SampleRate,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{borrow::Cow, collections::VecDeque, sync::Arc, time::Duration};

/// The row.
pub const PROVIDER: Provider = Provider {
    name: "gpt-live",
    about: "OpenAI GPT-Live over WebSocket, full duplex; needs OPENAI_API_KEY or key_file",
    endpoint: "wss://api.openai.com/v1",
    keys: &["OPENAI_API_KEY"],
    key_optional: true,
    settings: &[
        "endpoint",
        "key_file",
        "model",
        "voice",
        "instructions",
        "tell_headers",
        "greeting",
        "tools",
        "mcp",
        "delegate",
        "audio",
        "reasoning",
        "max_tokens",
    ],
    check,
    keys_of: |_| &["OPENAI_API_KEY"],
    url: |_, base, _| {
        let path = if base.ends_with("/live/sessions") { "" } else { "/live/sessions" };
        format!("{base}{path}")
    },
    auth: |_, _, _| Auth::Bearer,
    sound: APPEND,
    retries: 0,
    retries_once_live: 3,
    speaks: None,
    ends_turns: false,
    full_duplex: true,
    reads: false,
    answers: |_| false,
    encodings: &["pcmu", "pcma", "pcm16", "pcm24"],
    wire: |settings, facts| Box::new(Wire::new(Arc::clone(settings), facts)),
};

/// The model when none is named.
pub const DEFAULT_MODEL: &str = "gpt-live-1";
/// How a message with sound begins.
const APPEND: &str = r#"{"type":"session.input_audio.append","audio":""#;
/// Sound that stays below this is the stream's silence: about -36 dB of full scale.
const SILENCE_MAX: i16 = 500;
/// Silence that belongs to what is said; more of it passes by itself, for the stream comes as it is made.
const PAUSE_MAX_MS: usize = 200;
/// Silence within the stream that ends a turn.
const TURN_ENDS_AFTER_MS: usize = 600;
/// After an interruption the stream is not heard until it was silent for so long…
const YIELDS_WITHIN_MS: usize = 120;
/// …or has gone on for so long: the model heard no interruption in it, and means to go on.
const GOES_ON_AFTER_MS: usize = 700;
/// Characters of one appended text: the service takes 500 tokens, and in some scripts each character is one.
const APPEND_MAX: usize = 500;
/// What the model is told of the call so far, in messages.
const HISTORY_MAX: usize = 120;

/// What a profile asks for in vain.
fn check(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    if settings.delegate.is_none() {
        for (field, given) in
            [("reasoning", settings.reasoning.is_some()), ("max_tokens", settings.max_tokens.is_some())]
        {
            if given {
                found.push(Finding::doubt(field, "is without effect: it is for the model that delegate names".into()));
            }
        }
    }
    found
}

/// Where the model's stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    /// It says nothing.
    Silent,
    /// It speaks; silent for so many samples.
    Speaks(usize),
    /// It was interrupted: samples that passed since, and how many of the newest were silent.
    Interrupted(usize, usize),
}

/// One call's translation.
#[derive(Debug)]
pub struct Wire {
    settings: Arc<Settings>,
    encoding: Encoding,
    live: bool,
    started: bool,
    greeted: bool,
    going_away: bool,
    ever_live: bool,
    /// The service ended the session and said so.
    closing: bool,
    reconnects: u32,
    /// The connection broke while it spoke: the next one is asked to go on.
    broken_off: bool,
    event: u64,
    uplink: Uplink,
    stream: Stream,
    /// Calls of tools on this connection that have no result yet.
    calls: Vec<String>,
    /// What could not be told because there was no connection.
    late: Vec<String>,
    /// The newest words, until the other side speaks.
    saying: Option<(Speaker, String)>,
    memory: Memory,
    messages: Vec<String>,
}

impl Wire {
    /// A wire for a new call.
    #[must_use]
    pub fn new(settings: Arc<Settings>, facts: &Facts) -> Self {
        let native = match facts.codec.as_str() {
            "pcmu" => Encoding::Pcmu,
            "pcma" => Encoding::Pcma,
            _ => Encoding::Pcm(SampleRate::HZ_24000),
        };
        let encoding = settings.audio.unwrap_or(native);
        Self {
            settings,
            encoding,
            live: false,
            started: false,
            greeted: false,
            going_away: false,
            ever_live: false,
            closing: false,
            reconnects: 0,
            broken_off: false,
            event: 0,
            uplink: Uplink::new(encoding),
            stream: Stream::Silent,
            calls: Vec::new(),
            late: Vec::new(),
            saying: None,
            memory: Memory::default(),
            messages: Vec::new(),
        }
    }

    /// A message with our own number, so that errors can name it.
    fn message(&mut self, kind: &str, fields: Value) -> String {
        self.event += 1;
        let mut message = Map::new();
        message.insert("type".into(), json!(kind));
        message.insert("event_id".into(), json!(format!("v{}", self.event)));
        if let Value::Object(fields) = fields {
            message.extend(fields);
        }
        Value::Object(message).to_string()
    }

    fn ask(&mut self, kind: &str, fields: Value) {
        let message = self.message(kind, fields);
        self.messages.push(message);
    }

    /// Developer's words, which the model heeds and does not say.
    fn instruct(&mut self, words: &str) {
        let words: Vec<char> = words.chars().collect();
        for piece in words.chunks(APPEND_MAX) {
            let content: String = piece.iter().collect();
            self.ask("session.instructions.append", json!({"content": content, "delegation_id": null}));
        }
    }

    /// What it was told lately is to be spoken about now.
    fn speak_up(&mut self) {
        let content = "Speak now, as you were just instructed.";
        self.ask("session.commentary.append", json!({"content": content, "delegation_id": null}));
    }

    fn session(&self) -> Value {
        let settings = &self.settings;
        let format = match self.encoding {
            Encoding::Pcmu => json!({"type": "audio/pcmu", "rate": 8_000}),
            Encoding::Pcma => json!({"type": "audio/pcma", "rate": 8_000}),
            Encoding::Pcm(rate) => json!({"type": "audio/pcm", "rate": rate.0}),
        };
        let mut audio = Map::new();
        audio.insert("format".into(), format);
        if let Some(voice) = &settings.voice {
            let own = voice.starts_with("voice_");
            audio.insert("output".into(), json!({"voice": if own { json!({"id": voice}) } else { json!(voice) }}));
        }
        let mut session = Map::new();
        session.insert("model".into(), json!(settings.model.as_deref().unwrap_or(DEFAULT_MODEL)));
        if let Some(instructions) = settings.instructions.as_deref().filter(|text| !text.trim().is_empty()) {
            session.insert("instructions".into(), json!(instructions));
        }
        session.insert("audio".into(), Value::Object(audio));
        if let Some(model) = &settings.delegate {
            session.insert("delegation".into(), json!({"type": "responses", "responses": self.delegate(model)}));
        }
        let said = self.memory.all();
        let history: Vec<Value> = said[said.len().saturating_sub(HISTORY_MAX)..]
            .iter()
            .map(|(who, text)| {
                let (role, kind) = match who {
                    Speaker::Caller => ("user", "input_text"),
                    Speaker::Agent => ("assistant", "output_text"),
                };
                json!({"type": "message", "role": role, "content": [{"type": kind, "text": text}]})
            })
            .collect();
        if !history.is_empty() {
            session.insert("input".into(), json!(history));
        }
        Value::Object(session)
    }

    /// The model that calls the tools, and the tools.
    fn delegate(&self, model: &str) -> Value {
        let settings = &self.settings;
        let tools: Vec<Value> = settings
            .tools
            .iter()
            .map(|tool| {
                let parameters = tool.parameters.clone();
                let parameters = parameters.unwrap_or_else(|| json!({"type": "object", "properties": {}}));
                json!({"type": "function", "name": tool.name, "description": tool.description, "parameters": parameters})
            })
            .collect();
        let mut delegate = Map::new();
        delegate.insert("model".into(), json!(model));
        if let Some(instructions) = settings.instructions.as_deref().filter(|text| !text.trim().is_empty()) {
            delegate.insert("instructions".into(), json!(instructions));
        }
        if !tools.is_empty() {
            delegate.insert("tools".into(), json!(tools));
        }
        if let Some(effort) = &settings.reasoning {
            delegate.insert("reasoning".into(), json!({"effort": effort}));
        }
        if let Some(most) = settings.max_tokens {
            delegate.insert("max_output_tokens".into(), json!(most));
        }
        Value::Object(delegate)
    }

    fn greet(&mut self) {
        if self.live && self.started && !std::mem::replace(&mut self.greeted, true) {
            // Whoever has talked already is not greeted again.
            if let Some(greeting) = self.settings.greeting.clone().filter(|_| self.memory.is_empty()) {
                self.instruct(&greeting);
                self.speak_up();
            }
        }
    }

    fn tell_late(&mut self) {
        if self.live && !self.late.is_empty() {
            for words in std::mem::take(&mut self.late) {
                self.instruct(&words);
            }
            self.speak_up();
        }
    }

    fn tell(&mut self, words: String) {
        self.late.push(words);
        self.tell_late();
    }

    fn result(&mut self, id: &str, name: &str, result: Result<&Value, &str>) {
        let Some(at) = self.calls.iter().position(|call| call == id).filter(|_| self.live) else {
            return self.tell(late(name, result));
        };
        self.calls.remove(at);
        let output = match result {
            Ok(value) => text(value),
            Err(problem) => json!({"error": problem}).to_string(),
        };
        let item = json!({"type": "function_call_output", "call_id": id, "output": output});
        self.ask("response.item.create", json!({"item": item}));
        if self.calls.is_empty() {
            self.ask("response.create", json!({}));
        }
    }

    fn said(&mut self, who: Speaker, words: &str) {
        match &mut self.saying {
            Some((last, said)) if *last == who => said.push_str(words),
            _ => {
                self.remember();
                self.saying = Some((who, words.to_owned()));
            }
        }
    }

    fn remember(&mut self) {
        if let Some((who, words)) = self.saying.take() {
            self.memory.remember(who, &words);
        }
    }

    // Frames

    fn began(&mut self, events: &mut VecDeque<Event>) {
        if std::mem::replace(&mut self.live, true) {
            return;
        }
        self.ever_live = true;
        events.push_back(Event::Ready);
        if std::mem::take(&mut self.broken_off) {
            self.instruct("The connection broke while you spoke. Go on where you were.");
            self.speak_up();
        }
        self.greet();
        self.tell_late();
    }

    fn sound(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(delta) = read::<Delta<'_>>(frame, events) else { return };
        let Some(bytes) = decode_base64(&delta.delta) else {
            events.push_back(Event::Note("the provider sent audio that is not base64".into()));
            return;
        };
        let samples = self.encoding.decode(&bytes);
        let silent = samples.iter().all(|sample| sample.saturating_abs() <= SILENCE_MAX);
        let in_ms = |samples: usize| samples * 1_000 / self.encoding.rate().0 as usize;
        self.stream = match self.stream {
            Stream::Silent if silent => return,
            Stream::Speaks(quiet) if silent => Stream::Speaks(quiet + samples.len()),
            Stream::Silent | Stream::Speaks(_) => Stream::Speaks(0),
            Stream::Interrupted(passed, quiet) => {
                let (passed, quiet) = (passed + samples.len(), if silent { quiet + samples.len() } else { 0 });
                if in_ms(quiet) < YIELDS_WITHIN_MS && in_ms(passed) < GOES_ON_AFTER_MS {
                    self.stream = Stream::Interrupted(passed, quiet);
                    return;
                }
                // What comes from here on is new.
                events.push_back(Event::TurnComplete);
                self.stream = Stream::Silent;
                if silent {
                    return;
                }
                Stream::Speaks(0)
            }
        };
        self.uplink.answered();
        let quiet_ms = if let Stream::Speaks(quiet) = self.stream { in_ms(quiet) } else { 0 };
        if quiet_ms >= TURN_ENDS_AFTER_MS {
            self.stream = Stream::Silent;
            return events.push_back(Event::TurnComplete);
        }
        if quiet_ms > PAUSE_MAX_MS {
            return;
        }
        events.push_back(Event::Audio { rate: self.encoding.rate(), samples });
    }

    fn words(&mut self, who: Speaker, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(delta) = read::<Delta<'_>>(frame, events) else { return };
        self.said(who, &delta.delta);
        let words = delta.delta.into_owned();
        events.push_back(match who {
            Speaker::Caller => Event::CallerText(words),
            Speaker::Agent => Event::AgentText(words),
        });
    }

    /// What the second model does: only its calls of tools are for us.
    fn delegated(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(Delegated { event }) = read(frame, events) else { return };
        if event.kind.as_deref() != Some("response.output_item.done") {
            return;
        }
        let Some(item) = event.item.filter(|item| item.kind.as_deref() == Some("function_call")) else { return };
        if let (Some(id), Some(name)) = (item.call_id, item.name) {
            self.uplink.answered();
            self.calls.push(id.clone());
            events.push_back(Event::ToolCall(ToolCall { id, name, arguments: item.arguments.unwrap_or_default() }));
        }
    }

    fn ended(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(Closed { reason }) = read(frame, events) else { return };
        match reason.as_deref().unwrap_or_default() {
            // As we asked.
            "close_requested" => self.closing = true,
            "expired" | "connection_lost" => {
                self.going_away = true;
                let why = if reason.as_deref() == Some("expired") { "has expired" } else { "was lost" };
                events.push_back(Event::GoingAway(format!("the session {why}")));
            }
            other => {
                let other: String = other.chars().take(60).collect();
                events.push_back(Event::Failed(format!("the service ended the session: {other}")));
            }
        }
    }

    fn error(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(ErrorEvent { error }) = read(frame, events) else { return };
        let code = error.code.as_deref().unwrap_or_default();
        if self.live {
            events.push_back(Event::Note(format!("the provider says: {}", error.words())));
        } else {
            events.push_back(Event::Failed(format!("the service refused: {}{}", error.words(), hint(code))));
        }
    }
}

impl super::Wire for Wire {
    fn label(&self) -> String {
        format!("{} {}", PROVIDER.name, self.encoding.name())
    }

    fn rate(&self) -> SampleRate {
        self.encoding.rate()
    }

    fn setup(&mut self, messages: &mut Vec<String>, _events: &mut VecDeque<Event>) {
        self.suspend();
        self.going_away = false;
        let session = self.session();
        messages.push(self.message("session.start", json!({"session": session})));
    }

    fn send(&mut self, command: Command<'_>, messages: &mut Vec<String>) {
        match command {
            Command::Start => {
                self.started = true;
                self.greet();
            }
            Command::Audio { samples, .. } if self.live => {
                messages.push(self.uplink.message(APPEND, samples, "\"}"));
            }
            Command::Audio { samples, .. } => self.uplink.wait(samples),
            Command::Speech(edge) => self.uplink.speech(matches!(edge, SpeechEdge::Started(_))),
            Command::Digit(digit) => self.tell(format!("The caller pressed the key {digit}.")),
            Command::Held(held) if self.live => {
                let kind = if held { "session.input_audio.mute" } else { "session.input_audio.unmute" };
                self.ask(kind, json!({}));
            }
            Command::ToolResult { id, name, result } => self.result(id, name, result),
            Command::Interrupted { .. } => self.stream = Stream::Interrupted(0, 0),
            Command::Close if self.live => self.ask("session.close", json!({})),
            _ => {}
        }
        messages.append(&mut self.messages);
    }

    fn receive(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(Kind { kind }) = read(frame, events) else { return };
        match &*kind {
            "session.output_audio.delta" => self.sound(frame, events),
            "session.output_transcript.delta" => self.words(Speaker::Agent, frame, events),
            "session.input_transcript.delta" => self.words(Speaker::Caller, frame, events),
            "session.started" => self.began(events),
            "response.event" => self.delegated(frame, events),
            "session.closed" => self.ended(frame, events),
            "error" => self.error(frame, events),
            _ => {}
        }
    }

    fn due(&mut self, messages: &mut Vec<String>) {
        messages.append(&mut self.messages);
        if self.live {
            messages.extend(std::iter::from_fn(|| self.uplink.waited(APPEND, "\"}")));
        }
    }

    fn leaves_within(&self) -> Option<Duration> {
        self.going_away.then_some(Duration::ZERO)
    }

    fn suspend(&mut self) {
        self.live = false;
        // A question that nobody has answered is asked again as it was spoken: its words would be a second one.
        if self.uplink.ask_again() {
            self.saying.take_if(|(who, _)| *who == Speaker::Caller);
        } else {
            self.broken_off |= matches!(self.stream, Stream::Speaks(_));
        }
        self.remember();
        self.stream = Stream::Silent;
        self.calls.clear();
        self.messages.clear();
    }

    fn closed(&mut self, code: u16, reason: &str) -> AfterClose {
        let was_live = self.live;
        self.suspend();
        let passing = matches!(code, 1_000 | 1_001 | 1_006 | 1_011 | 1_012 | 1_013);
        if passing && was_live && !self.closing && self.reconnects < 3 {
            self.reconnects += 1;
            return AfterClose::Reconnect;
        }
        let said = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let hint = if self.ever_live { "" } else { "; check OPENAI_API_KEY and agents.NAME.model" };
        let said = format!("closed with {code}{said}{hint}");
        if passing && !was_live { AfterClose::TryAgain(said) } else { AfterClose::GiveUp(said) }
    }
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    delta: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Delegated {
    event: ResponseEvent,
}

#[derive(Deserialize)]
struct ResponseEvent {
    #[serde(rename = "type")]
    kind: Option<String>,
    item: Option<OutputItem>,
}

#[derive(Deserialize)]
struct Closed {
    reason: Option<String>,
}

#[cfg(test)]
mod tests;
