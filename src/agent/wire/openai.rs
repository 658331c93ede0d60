//! OpenAI Realtime (GA) on the wire: JSON in text frames both ways; also for services that speak the same.
//!
//! Owns the session settings, what may be sent when, the answers in progress and what of them the caller has heard.
//! Sends GA names only; reads the beta's names as well, since compatible services still use them. There is no
//! resumption: a new connection is told in words what was said on the old one. Does not know sockets.

mod account;
pub(super) mod frames;
mod session;
pub(super) mod words;

use super::{
    AfterClose, Auth, Encoding, Facts, Provider, Settings, Uplink, decode_base64,
    tool::{late, text},
};
use crate::{
    agent::event::{Command, Event, SpeechEdge, ToolCall},
    network::url::escaped,
    unit::SampleRate,
};
use account::{Limits, Tokens, check};
use frames::{Delta, ErrorEvent, Kind, OutputItem, ResponseEvent, Said, SessionEvent, output_of, read};
use serde_json::{Map, Value, json};
use std::{borrow::Cow, collections::VecDeque, sync::Arc, time::Duration};
use words::{Heard, Memory, Speaker, Utterances};

/// The row.
pub const PROVIDER: Provider = Provider {
    name: "openai",
    about: "OpenAI Realtime over WebSocket, or a service that speaks it; needs OPENAI_API_KEY or key_file",
    endpoint: "wss://api.openai.com/v1",
    keys: &["OPENAI_API_KEY"],
    key_optional: true,
    settings: &[
        "endpoint",
        "key_file",
        "model",
        "voice",
        "language",
        "instructions",
        "tell_headers",
        "greeting",
        "tools",
        "mcp",
        "end_of_speech",
        "audio",
        "vad",
        "vad_threshold",
        "vad_prefix",
        "eagerness",
        "idle",
        "transcription",
        "noise_reduction",
        "speed",
        "max_tokens",
        "reasoning",
    ],
    check,
    keys_of: |_| &["OPENAI_API_KEY"],
    url: |settings, base, _| {
        let path = if base.ends_with("/realtime") { "" } else { "/realtime" };
        format!("{base}{path}?model={}", escaped(settings.model.as_deref().unwrap_or(DEFAULT_MODEL)))
    },
    // Azure's resources take their keys in a header of their own.
    auth: |_, base, _| {
        if host(base).ends_with(".azure.com") { Auth::Header(Cow::Borrowed("api-key")) } else { Auth::Bearer }
    },
    sound: APPEND,
    retries: 0,
    retries_once_live: 3,
    speaks: None,
    ends_turns: true,
    full_duplex: false,
    answers: |_| true,
    reads: true,
    encodings: &["pcmu", "pcma", "pcm24"],
    wire: |settings, facts| Box::new(Wire::new(Arc::clone(settings), facts)),
};

/// The model when none is named.
pub const DEFAULT_MODEL: &str = "gpt-realtime-2.1";
/// Writes down what the caller says.
const TRANSCRIPTION: &str = "gpt-transcribe";
/// How a message with sound begins.
const APPEND: &str = r#"{"type":"input_audio_buffer.append","audio":""#;
/// Calls of tools that are remembered, so that none is told twice.
const TOLD_MAX: usize = 64;
/// Errors that mean only that we were too late.
const HARMLESS: &[&str] = &["response_cancel_not_active", "input_audio_buffer_commit_empty"];

/// One call's translation.
#[derive(Debug)]
pub struct Wire {
    settings: Arc<Settings>,
    interruptible: bool,
    encoding: Encoding,
    /// How the service encodes: as asked for, unless it says otherwise.
    downlink: Encoding,
    live: bool,
    started: bool,
    greeted: bool,
    going_away: bool,
    ever_live: bool,
    reconnects: u32,
    failures: u32,
    event: u64,
    uplink: Uplink,
    /// Calls of tools that were told, the newest last.
    told: VecDeque<String>,
    /// The answer that is being made.
    response: Option<String>,
    /// One that was cut: what still comes of it is dropped.
    cut: Option<String>,
    /// We want an answer as soon as none is being made.
    wants_response: bool,
    /// An answer was asked for, by us or by the end of the caller's words, and has not begun.
    awaits_answer: bool,
    /// Calls of tools on this connection that have no result yet.
    calls: Vec<String>,
    /// Results of tools that another connection asked for.
    late: Vec<String>,
    /// What the caller said last is there in words.
    in_words: bool,
    /// The caller speaks: the service answers by itself when that ends.
    caller_speaks: bool,
    /// The connection broke off an answer: the next one is asked to go on.
    broken_off: bool,
    /// Pieces of the turn that plays, in order.
    items: Vec<Item>,
    /// What the caller said, in the order in which it was said.
    utterances: Utterances,
    /// Words of the answer in progress.
    answer: String,
    memory: Memory,
    messages: Vec<String>,
}

/// A message of the model within the turn that plays.
#[derive(Debug)]
struct Item {
    id: String,
    content_index: u64,
    received: usize,
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
            interruptible: facts.interruptible,
            encoding,
            downlink: encoding,
            live: false,
            started: false,
            greeted: false,
            going_away: false,
            ever_live: false,
            reconnects: 0,
            failures: 0,
            event: 0,
            uplink: Uplink::new(encoding),
            told: VecDeque::new(),
            response: None,
            cut: None,
            wants_response: false,
            awaits_answer: false,
            calls: Vec::new(),
            late: Vec::new(),
            in_words: false,
            caller_speaks: false,
            broken_off: false,
            items: Vec::new(),
            utterances: Utterances::default(),
            answer: String::new(),
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

    /// What follows from what was received, gathered for [`super::Wire::due`].
    fn ask(&mut self, kind: &str, fields: Value) {
        let message = self.message(kind, fields);
        self.messages.push(message);
    }

    fn say(&mut self, role: &str, kind: &str, text: &str) {
        let item = json!({"type": "message", "role": role, "content": [{"type": kind, "text": text}]});
        self.ask("conversation.item.create", json!({"item": item}));
    }

    /// At most one answer at a time: the next is asked for when the last is done.
    fn respond(&mut self) {
        if self.response.is_none() {
            self.wants_response = false;
            self.awaits_answer = true;
            self.ask("response.create", json!({}));
        } else {
            self.wants_response = true;
        }
    }

    fn greet(&mut self) {
        if self.live && self.started && !self.greeted {
            self.greeted = true;
            if let Some(greeting) = self.settings.greeting.clone() {
                self.say("system", "input_text", &greeting);
                self.respond();
            }
        }
    }

    /// A function call, which may be told twice: when its arguments are there, and when the answer is done.
    fn called(&mut self, item: OutputItem, events: &mut VecDeque<Event>) {
        let (Some(id), Some(name)) = (item.call_id, item.name) else { return };
        if self.told.contains(&id) {
            return;
        }
        self.told.push_back(id.clone());
        if self.told.len() > TOLD_MAX {
            self.told.pop_front();
        }
        self.uplink.answered();
        self.calls.push(id.clone());
        let arguments = item.arguments.unwrap_or_default();
        events.push_back(Event::ToolCall(ToolCall { id, name, arguments }));
    }

    /// A result goes into the conversation; when the last one is there the model is asked to go on.
    fn result(&mut self, id: &str, name: &str, result: Result<&Value, &str>) {
        let Some(at) = self.calls.iter().position(|call| call == id).filter(|_| self.live) else {
            self.late.push(late(name, result));
            return self.tell_late();
        };
        self.calls.remove(at);
        let output = match result {
            Ok(value) => text(value),
            Err(problem) => json!({"error": problem}).to_string(),
        };
        let item = json!({"type": "function_call_output", "call_id": id, "output": output});
        self.ask("conversation.item.create", json!({"item": item}));
        self.go_on();
    }

    fn tell_late(&mut self) {
        if self.live && !self.late.is_empty() {
            for words in std::mem::take(&mut self.late) {
                self.say("system", "input_text", &words);
            }
            self.go_on();
        }
    }

    fn go_on(&mut self) {
        if self.calls.is_empty() && !self.caller_speaks {
            self.respond();
        }
    }

    /// The caller heard so much of the turn: what was being said is shortened to that, what came after is taken
    /// back, so that the model knows what it did not say.
    fn truncate(&mut self, heard_ms: u32) {
        let rate = self.downlink.rate();
        let mut heard = rate.0 as usize * heard_ms as usize / 1_000;
        for item in std::mem::take(&mut self.items) {
            if heard < item.received {
                // Rounded down: more than was received is refused.
                let audio_end_ms = heard * 1_000 / rate.0 as usize;
                let fields =
                    json!({"item_id": item.id, "content_index": item.content_index, "audio_end_ms": audio_end_ms});
                self.ask("conversation.item.truncate", fields);
            }
            heard = heard.saturating_sub(item.received);
        }
    }

    // Frames

    fn settled(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        if let Ok(SessionEvent { session }) = serde_json::from_slice(frame)
            && let Some(encoding) = output_of(&session)
            && encoding != self.downlink
        {
            let text = format!("the service speaks {}, not {} as asked for", encoding.name(), self.encoding.name());
            events.push_back(Event::Note(text));
            self.downlink = encoding;
        }
        if self.live {
            return;
        }
        self.live = true;
        self.ever_live = true;
        events.push_back(Event::Ready);
        for (who, text) in self.memory.all() {
            match who {
                Speaker::Caller => self.say("user", "input_text", &text),
                Speaker::Agent => self.say("assistant", "output_text", &text),
            }
        }
        if std::mem::take(&mut self.broken_off) {
            self.respond();
        }
        self.greet();
        self.tell_late();
    }

    fn sound(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(delta) = read::<Delta<'_>>(frame, events) else { return };
        if self.is_cut(delta.response_id.as_deref()) {
            return;
        }
        let Some(bytes) = decode_base64(&delta.piece) else {
            events.push_back(Event::Note("the provider sent audio that is not base64".into()));
            return;
        };
        self.uplink.answered();
        let samples = self.downlink.decode(&bytes);
        let id = delta.item_id.as_deref().unwrap_or_default();
        match self.items.last_mut() {
            Some(item) if item.id == id => item.received += samples.len(),
            _ => {
                let content_index = delta.content_index.unwrap_or(0);
                self.items.push(Item { id: id.to_owned(), content_index, received: samples.len() });
            }
        }
        events.push_back(Event::Audio { rate: self.downlink.rate(), samples });
    }

    fn words(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(delta) = read::<Delta<'_>>(frame, events) else { return };
        if !self.is_cut(delta.response_id.as_deref()) {
            self.answer.push_str(&delta.piece);
            events.push_back(Event::AgentText(delta.piece.into_owned()));
        }
    }

    fn is_cut(&self, response: Option<&str>) -> bool {
        self.cut.is_some() && self.cut.as_deref() == response.or(self.response.as_deref())
    }

    fn interrupted(&mut self, events: &mut VecDeque<Event>) {
        if !self.interruptible {
            return;
        }
        // What the caller says now is answered; an answer owed to a key would be spoken into it.
        self.wants_response = false;
        self.cut = self.response.clone().or(self.cut.take());
        // Late sound is known by its answer's name here: nothing else need be refused.
        events.extend([Event::Interrupted, Event::TurnComplete]);
    }

    fn done(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(ResponseEvent { response }) = read(frame, events) else { return };
        self.response = None;
        let answer = std::mem::take(&mut self.answer);
        self.memory.remember(Speaker::Agent, &answer);
        if let Some(tokens) = response.usage {
            events.push_back(Event::Usage(tokens.into()));
        }
        let error = response.status_details.and_then(|details| details.error);
        match response.status.as_deref() {
            Some("failed") => {
                let said = error.map_or_else(|| "no reason given".to_owned(), |error| error.words());
                self.failures += 1;
                if self.failures > 1 || said.contains("insufficient_quota") {
                    events.push_back(Event::Failed(format!("the model cannot answer: {said}")));
                    return;
                }
                events.push_back(Event::Note(format!("an answer failed and is asked for again: {said}")));
                self.wants_response = true;
            }
            Some("incomplete") => {
                events.push_back(Event::Note("the model broke off its answer: max_tokens, or a filter".into()));
            }
            _ => self.failures = 0,
        }
        // What a cut answer had begun to call is not called.
        let calls = response.output.into_iter().filter(|item| item.kind.as_deref() == Some("function_call"));
        for item in calls.filter(|_| response.status.as_deref() != Some("cancelled")) {
            self.called(item, events);
        }
        self.cut = None;
        events.push_back(Event::TurnComplete);
        if self.wants_response && self.calls.is_empty() {
            self.respond();
        }
    }

    fn error(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(ErrorEvent { error }) = read(frame, events) else { return };
        let code = error.code.as_deref().unwrap_or_default();
        if code == "session_expired" {
            self.going_away = true;
            events.push_back(Event::GoingAway("the session has reached its longest duration".into()));
        } else if code == "conversation_already_has_active_response" {
            self.wants_response = true;
        } else if !self.live {
            events.push_back(Event::Failed(format!("the service refused: {}{}", error.words(), hint(code))));
        } else if !HARMLESS.contains(&code) {
            events.push_back(Event::Note(format!("the provider says: {}", error.words())));
        }
    }

    fn heard(&mut self, id: &str, what: Heard<'_>, events: &mut VecDeque<Event>) {
        let (words, whole) = self.utterances.heard(id, what);
        events.extend(words.into_iter().map(Event::CallerText));
        for text in whole {
            self.in_words |= !text.trim().is_empty();
            self.memory.remember(Speaker::Caller, &text);
        }
    }

    fn transcribed(&mut self, kind: &str, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(said) = read::<Said<'_>>(frame, events) else { return };
        let id = said.item_id.as_deref().unwrap_or_default();
        match kind {
            "delta" => self.heard(id, Heard::Piece(said.delta.as_deref().unwrap_or_default()), events),
            "completed" => self.heard(id, Heard::Whole(said.transcript.as_deref()), events),
            "failed" => {
                events.push_back(Event::Note("the caller's words could not be written down".into()));
                self.heard(id, Heard::Whole(None), events);
            }
            _ => {}
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
        self.downlink = self.encoding;
        let session = session::wanted(&self.settings, self.encoding, self.interruptible);
        messages.push(self.message("session.update", json!({"session": session})));
    }

    fn send(&mut self, command: Command<'_>, messages: &mut Vec<String>) {
        match command {
            Command::Start => {
                self.started = true;
                self.greet();
            }
            Command::Audio { samples, .. } if self.live => messages.push(self.uplink.message(APPEND, samples, "\"}")),
            Command::Audio { samples, .. } => self.uplink.wait(samples),
            Command::Speech(edge) => {
                let speaks = matches!(edge, SpeechEdge::Started(_));
                self.uplink.speech(speaks);
                self.in_words &= !speaks;
            }
            Command::Digit(digit) if self.live => {
                self.say("user", "input_text", &format!("The caller pressed the key {digit}."));
                self.respond();
            }
            Command::Digit(digit) => self.late.push(format!("The caller pressed the key {digit}.")),
            Command::Text(text) if self.live => {
                self.say("user", "input_text", text);
                self.respond();
            }
            Command::Text(text) => self.late.push(text.to_owned()),
            // Half a word before the hold must not wait for its end.
            Command::Held(true) if self.live => self.ask("input_audio_buffer.clear", json!({})),
            Command::ToolResult { id, name, result } => self.result(id, name, result),
            Command::Played => self.items.clear(),
            Command::Interrupted { heard_ms } if self.live => {
                if self.cut.is_none() && self.response.is_some() {
                    // Our own detector was first.
                    self.cut.clone_from(&self.response);
                    self.ask("response.cancel", json!({}));
                }
                self.truncate(heard_ms);
            }
            _ => {}
        }
        messages.append(&mut self.messages);
    }

    fn receive(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(Kind { kind }) = read(frame, events) else { return };
        match &*kind {
            "response.output_audio.delta" | "response.audio.delta" => self.sound(frame, events),
            "response.output_audio_transcript.delta"
            | "response.audio_transcript.delta"
            | "response.output_text.delta"
            | "response.text.delta" => self.words(frame, events),
            "session.updated" => self.settled(frame, events),
            "input_audio_buffer.speech_started" => {
                self.caller_speaks = true;
                self.interrupted(events);
            }
            "input_audio_buffer.speech_stopped" => {
                self.caller_speaks = false;
                events.push_back(Event::EndOfSpeech);
            }
            "response.function_call_arguments.done" => {
                if let Some(item) = read::<OutputItem>(frame, events)
                    && !self.is_cut(item.response_id.as_deref())
                {
                    self.called(item, events);
                }
            }
            "input_audio_buffer.committed" => {
                self.awaits_answer |= self.response.is_none();
                if let Some(Said { item_id: Some(id), .. }) = read(frame, events)
                    && self.settings.transcription.as_deref() != Some("none")
                {
                    self.heard(&id, Heard::Began, events);
                }
            }
            "response.created" => {
                if let Some(ResponseEvent { response }) = read(frame, events) {
                    self.awaits_answer = false;
                    self.response = Some(response.id.unwrap_or_default());
                    self.answer.clear();
                }
            }
            "response.done" => self.done(frame, events),
            "rate_limits.updated" => {
                if let Some(limits) = read::<Limits<'_>>(frame, events) {
                    events.extend(limits.spent().map(Event::Note));
                    let usage = limits.usage();
                    if !usage.limits.is_empty() {
                        events.push_back(Event::Usage(usage));
                    }
                }
            }
            "error" => self.error(frame, events),
            other => {
                if let Some(kind) = other.strip_prefix("conversation.item.input_audio_transcription.") {
                    self.transcribed(kind, frame, events);
                }
            }
        }
    }

    fn due(&mut self, messages: &mut Vec<String>) {
        messages.append(&mut self.messages);
        if self.live {
            messages.extend(std::iter::from_fn(|| self.uplink.waited(APPEND, "\"}")));
        }
    }

    // What expired answers nothing more: there is no end of a turn to wait for.
    fn leaves_within(&self) -> Option<Duration> {
        self.going_away.then_some(Duration::ZERO)
    }

    fn suspend(&mut self) {
        self.live = false;
        let answer = std::mem::take(&mut self.answer);
        self.memory.remember(Speaker::Agent, &answer);
        let half = self.utterances.give_up();
        let awaits = std::mem::take(&mut self.awaits_answer);
        // A question of which there are no words is asked again as it was spoken.
        if self.in_words || !self.uplink.ask_again() {
            for text in half {
                self.memory.remember(Speaker::Caller, &text);
            }
            // Nobody would say anything until the caller does.
            if awaits {
                // The greeting is in no memory: it is asked for anew.
                let greeting = self.memory.is_empty() && self.settings.greeting.is_some();
                self.greeted &= !greeting;
                self.broken_off |= !greeting;
            }
            self.broken_off |= self.wants_response || (self.response.is_some() && self.cut.is_none());
        }
        self.response = None;
        self.cut = None;
        self.wants_response = false;
        self.calls.clear();
        self.caller_speaks = false;
        self.items.clear();
        self.messages.clear();
    }

    fn closed(&mut self, code: u16, reason: &str) -> AfterClose {
        let was_live = self.live;
        self.suspend();
        let passing = matches!(code, 1_000 | 1_001 | 1_006 | 1_011 | 1_012 | 1_013);
        if passing && was_live && self.reconnects < 3 {
            self.reconnects += 1;
            return AfterClose::Reconnect;
        }
        let said = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let hint = if self.ever_live { "" } else { "; check OPENAI_API_KEY and agents.NAME.model" };
        let said = format!("closed with {code}{said}{hint}");
        if passing && !was_live { AfterClose::TryAgain(said) } else { AfterClose::GiveUp(said) }
    }
}

pub(super) fn hint(code: &str) -> &'static str {
    match code {
        "invalid_api_key" => "; check OPENAI_API_KEY",
        "model_not_found" => "; check agents.NAME.model",
        "insufficient_quota" => "; check the account's credit",
        _ => "",
    }
}

fn host(base: &str) -> &str {
    let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
