//! OpenAI Realtime (GA) on the wire: JSON in text frames both ways; also for services that speak the same.
//!
//! Owns the session settings, what may be sent when, the answers in progress and what of them the caller has heard.
//! Sends GA names only; reads the beta's names as well, since compatible services still use them. There is no
//! resumption: a new connection is told in words what was said on the old one. Does not know sockets.

mod account;

use super::{
    AfterClose, Auth, Encoding, Facts, Provider, Settings, Uplink, decode_base64,
    tool::{Tool, late, text},
};
use crate::{
    agent::event::{Command, Event, ToolCall},
    network::url::escaped,
    unit::SampleRate,
};
use account::{Limits, Tokens, check};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{borrow::Cow, collections::VecDeque, sync::Arc, time::Duration};

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
    encodings: &["pcmu", "pcma", "pcm24"],
    wire: |settings, facts| Box::new(Wire::new(Arc::clone(settings), facts)),
};

/// The model when none is named.
pub const DEFAULT_MODEL: &str = "gpt-realtime-2.1";
/// Writes down what the caller says.
const TRANSCRIPTION: &str = "gpt-transcribe";
/// How a message with sound begins.
const APPEND: &str = r#"{"type":"input_audio_buffer.append","audio":""#;
/// What was said that a new connection is told of, in characters; the oldest goes first.
const MEMORY_MAX: usize = 8_000;
/// Utterances of the caller whose words are awaited; beyond, the oldest is given up.
const UTTERANCES_MAX: usize = 16;
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
    /// The caller speaks: the service answers by itself when that ends.
    caller_speaks: bool,
    /// The connection broke off an answer: the next one is asked to go on.
    broken_off: bool,
    /// Pieces of the turn that plays, in order.
    items: Vec<Item>,
    /// What the caller said, in the order in which it was said.
    utterances: VecDeque<Utterance>,
    /// Words of the answer in progress.
    answer: String,
    memory: VecDeque<(Speaker, String)>,
    messages: Vec<String>,
}

/// A message of the model within the turn that plays.
#[derive(Debug)]
struct Item {
    id: String,
    content_index: u64,
    received: usize,
}

#[derive(Debug)]
struct Utterance {
    id: String,
    text: String,
    given: usize,
    done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaker {
    Caller,
    Agent,
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
            caller_speaks: false,
            broken_off: false,
            items: Vec::new(),
            utterances: VecDeque::new(),
            answer: String::new(),
            memory: VecDeque::new(),
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

    fn session(&self) -> Value {
        let settings = &self.settings;
        let format = match self.encoding {
            Encoding::Pcmu => json!({"type": "audio/pcmu"}),
            Encoding::Pcma => json!({"type": "audio/pcma"}),
            Encoding::Pcm(rate) => json!({"type": "audio/pcm", "rate": rate.0}),
        };
        let mut transcription = Map::new();
        transcription.insert("model".into(), json!(settings.transcription.as_deref().unwrap_or(TRANSCRIPTION)));
        if let Some(language) = &settings.language {
            // ISO 639: the region of en-US says nothing about words.
            transcription.insert("language".into(), json!(language.split('-').next()));
        }
        let mut input = Map::new();
        input.insert("format".into(), format.clone());
        if settings.transcription.as_deref() != Some("none") {
            input.insert("transcription".into(), Value::Object(transcription));
        }
        if let Some(kind) = settings.noise_reduction.as_deref().filter(|kind| *kind != "none") {
            input.insert("noise_reduction".into(), json!({"type": kind}));
        }
        input.insert("turn_detection".into(), self.turn_detection());
        let mut output = Map::new();
        output.insert("format".into(), format);
        if let Some(voice) = &settings.voice {
            let own = voice.starts_with("voice_");
            output.insert("voice".into(), if own { json!({"id": voice}) } else { json!(voice) });
        }
        if let Some(speed) = settings.speed {
            output.insert("speed".into(), json!(speed));
        }
        let mut session = Map::new();
        session.insert("type".into(), json!("realtime"));
        session.insert("output_modalities".into(), json!(["audio"]));
        if let Some(instructions) = settings.instructions.as_deref().filter(|text| !text.trim().is_empty()) {
            session.insert("instructions".into(), json!(instructions));
        }
        session.insert("audio".into(), json!({"input": input, "output": output}));
        if !settings.tools.is_empty() {
            let tools: Vec<Value> = settings.tools.iter().map(declared).collect();
            session.insert("tools".into(), json!(tools));
        }
        if let Some(most) = settings.max_tokens {
            session.insert("max_output_tokens".into(), json!(most));
        }
        if let Some(effort) = &settings.reasoning {
            session.insert("reasoning".into(), json!({"effort": effort}));
        }
        Value::Object(session)
    }

    fn turn_detection(&self) -> Value {
        let settings = &self.settings;
        let mut detection = Map::new();
        let semantic = settings.vad.as_deref() == Some("semantic_vad");
        detection.insert("type".into(), json!(if semantic { "semantic_vad" } else { "server_vad" }));
        if semantic {
            if let Some(eagerness) = &settings.eagerness {
                detection.insert("eagerness".into(), json!(eagerness));
            }
        } else {
            let mut put = |name: &str, value: Option<Value>| value.map(|value| detection.insert(name.into(), value));
            put("threshold", settings.vad_threshold.map(Value::from));
            put("prefix_padding_ms", settings.vad_prefix_ms.map(Value::from));
            put("silence_duration_ms", settings.silence_ms.map(Value::from));
            put("idle_timeout_ms", settings.idle_ms.map(Value::from));
        }
        detection.insert("create_response".into(), json!(true));
        detection.insert("interrupt_response".into(), json!(self.interruptible));
        Value::Object(detection)
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

    fn remember(&mut self, who: Speaker, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        match self.memory.back_mut() {
            Some((last, words)) if *last == who => {
                words.push(' ');
                words.push_str(text);
            }
            _ => self.memory.push_back((who, text.to_owned())),
        }
        while self.memory.iter().map(|(_, text)| text.len()).sum::<usize>() > MEMORY_MAX {
            self.memory.pop_front();
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
        for (who, text) in self.memory.clone() {
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
        self.remember(Speaker::Agent, &answer);
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

    /// Words of the caller come per utterance, and the second one's may come before the first one's are done.
    fn heard(&mut self, id: &str, text: Option<(&str, bool)>, done: bool, events: &mut VecDeque<Event>) {
        if !self.utterances.iter().any(|utterance| utterance.id == id) {
            if self.utterances.len() >= UTTERANCES_MAX
                && let Some(oldest) = self.utterances.front_mut()
            {
                oldest.done = true;
            }
            let utterance = Utterance { id: id.to_owned(), text: String::new(), given: 0, done: false };
            self.utterances.push_back(utterance);
        }
        if let Some(utterance) = self.utterances.iter_mut().find(|utterance| utterance.id == id) {
            match text {
                Some((text, false)) => utterance.text.push_str(text),
                // The whole of it: what was not said in fragments.
                Some((text, true)) if utterance.text.is_empty() => text.clone_into(&mut utterance.text),
                _ => {}
            }
            utterance.done |= done;
        }
        while let Some(front) = self.utterances.front_mut() {
            if front.given < front.text.len() {
                // Utterances are apart: the next one's words do not run into these.
                let mut words = front.text[front.given..].to_owned();
                if front.given == 0 && !words.starts_with(' ') {
                    words.insert(0, ' ');
                }
                front.given = front.text.len();
                events.push_back(Event::CallerText(words));
            }
            if !front.done {
                return;
            }
            if let Some(Utterance { text, .. }) = self.utterances.pop_front() {
                self.remember(Speaker::Caller, &text);
            }
        }
    }

    fn transcribed(&mut self, kind: &str, frame: &[u8], events: &mut VecDeque<Event>) {
        let Some(said) = read::<Said<'_>>(frame, events) else { return };
        let id = said.item_id.as_deref().unwrap_or_default();
        match kind {
            "delta" => self.heard(id, said.delta.as_deref().map(|text| (text, false)), false, events),
            "completed" => self.heard(id, said.transcript.as_deref().map(|text| (text, true)), true, events),
            "failed" => {
                events.push_back(Event::Note("the caller's words could not be written down".into()));
                self.heard(id, None, true, events);
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
        let session = self.session();
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
            Command::Digit(digit) if self.live => {
                self.say("user", "input_text", &format!("The caller pressed the key {digit}."));
                self.respond();
            }
            Command::Digit(digit) => self.late.push(format!("The caller pressed the key {digit}.")),
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
                    self.heard(&id, None, false, events);
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
        while self.live
            && let Some(chunk) = self.uplink.waited()
        {
            messages.push(self.uplink.message(APPEND, &chunk, "\"}"));
        }
    }

    // What expired answers nothing more: there is no end of a turn to wait for.
    fn leaves_within(&self) -> Option<Duration> {
        self.going_away.then_some(Duration::ZERO)
    }

    fn suspend(&mut self) {
        self.live = false;
        let answer = std::mem::take(&mut self.answer);
        self.remember(Speaker::Agent, &answer);
        for utterance in std::mem::take(&mut self.utterances) {
            self.remember(Speaker::Caller, &utterance.text);
        }
        // Nobody would say anything until the caller does.
        if std::mem::take(&mut self.awaits_answer) {
            // The greeting is in no memory: it is asked for anew.
            let greeting = self.memory.is_empty() && self.settings.greeting.is_some();
            self.greeted &= !greeting;
            self.broken_off |= !greeting;
        }
        self.broken_off |= self.wants_response || (self.response.is_some() && self.cut.is_none());
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

/// A tool as the session has it.
fn declared(tool: &Tool) -> Value {
    let parameters = tool.parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    json!({"type": "function", "name": tool.name, "description": tool.description, "parameters": parameters})
}

fn hint(code: &str) -> &'static str {
    match code {
        "invalid_api_key" => "; check OPENAI_API_KEY",
        "model_not_found" => "; check agents.NAME.model",
        "insufficient_quota" => "; check the account's credit",
        _ => "",
    }
}

/// How the service says that it speaks: GA's object, or the beta's word.
fn output_of(session: &Value) -> Option<Encoding> {
    let format = &session["audio"]["output"]["format"];
    let kind = format["type"].as_str().or_else(|| session["output_audio_format"].as_str())?;
    match kind {
        "audio/pcmu" | "g711_ulaw" => Some(Encoding::Pcmu),
        "audio/pcma" | "g711_alaw" => Some(Encoding::Pcma),
        "audio/pcm" | "pcm16" => {
            let rate = format["rate"]
                .as_u64()
                .and_then(|rate| u32::try_from(rate).ok())
                .map_or(SampleRate::HZ_24000, SampleRate);
            matches!(rate.0, 8_000 | 16_000 | 24_000 | 48_000).then_some(Encoding::Pcm(rate))
        }
        _ => None,
    }
}

/// One frame as `T`; what cannot be read is said, not fatal.
fn read<'a, T: Deserialize<'a>>(frame: &'a [u8], events: &mut VecDeque<Event>) -> Option<T> {
    serde_json::from_slice(frame)
        .map_err(|problem| {
            events.push_back(Event::Note(format!("a frame from the provider could not be read: {problem}")));
        })
        .ok()
}

fn host(base: &str) -> &str {
    let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority.split(':').next().unwrap_or_default()
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, rename = "delta")]
    piece: Cow<'a, str>,
    #[serde(borrow)]
    response_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    item_id: Option<Cow<'a, str>>,
    content_index: Option<u64>,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    item_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    delta: Option<Cow<'a, str>>,
    #[serde(borrow)]
    transcript: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct SessionEvent {
    session: Value,
}

#[derive(Deserialize)]
struct ResponseEvent {
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    id: Option<String>,
    status: Option<String>,
    status_details: Option<StatusDetails>,
    usage: Option<Tokens>,
    #[serde(default)]
    output: Vec<OutputItem>,
}

#[derive(Deserialize)]
struct StatusDetails {
    error: Option<ErrorBody>,
}

#[derive(Deserialize)]
struct OutputItem {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    call_id: Option<String>,
    /// JSON text.
    arguments: Option<String>,
    response_id: Option<String>,
}

#[derive(Deserialize)]
struct ErrorEvent {
    error: ErrorBody,
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    message: Option<String>,
}

impl ErrorBody {
    fn words(&self) -> String {
        let name = self.code.clone().or_else(|| self.kind.clone()).unwrap_or_default();
        let message: String = self.message.as_deref().unwrap_or_default().chars().take(300).collect();
        if message.is_empty() { name } else { format!("{name}: {message}") }
    }
}

#[cfg(test)]
mod tests;
