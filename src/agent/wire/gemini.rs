//! Gemini Live (`BidiGenerateContent`) on the wire: JSON in text frames out, JSON in binary or text frames in.
//!
//! Owns the setup message, what may be sent when, and the reading of every server field that a call needs. Does
//! not know sockets: [`super::super::socket`] carries the frames. Field names are the vendor's; unknown server
//! fields are ignored, nothing empty is ever sent (the service refuses unknown and empty fields with 1007).

pub mod models;

use super::{AfterClose, Auth, Encoding, Facts, Provider, Settings, Uplink, decode_base64, tool::Tool};
use crate::{
    agent::event::{Command, Event, SpeechEdge, ToolCall},
    call::journal::Usage,
    unit::SampleRate,
};
use models::{Proactive, family_of, plain};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{borrow::Cow, collections::VecDeque, sync::Arc, time::Duration};

/// The row.
pub const PROVIDER: Provider = Provider {
    name: "gemini",
    about: "Gemini Live over WebSocket; needs GEMINI_API_KEY, GOOGLE_API_KEY or key_file",
    endpoint: ENDPOINT,
    keys: KEYS,
    key_optional: false,
    settings: &[
        "endpoint",
        "api_version",
        "key_file",
        "model",
        "voice",
        "language",
        "instructions",
        "tell_headers",
        "temperature",
        "greeting",
        "tools",
        "mcp",
        "end_of_speech",
        "vad",
        "vad_prefix",
        "start_sensitivity",
        "end_sensitivity",
        "turn_coverage",
        "transcription",
        "max_tokens",
        "reasoning",
        "thinking_budget",
        "proactive_audio",
        "affective_dialog",
        "translate_to",
        "translate_echo",
        "compress_at",
        "compress_to",
        "project",
        "location",
    ],
    check: models::check,
    keys_of: |settings| if settings.project.is_some() { VERTEX_KEYS } else { KEYS },
    url: |settings, base, key| {
        let version = models::version(settings, key);
        if settings.project.is_some() {
            let own = (base == ENDPOINT).then(|| vertex_host(location_of(settings)));
            let base = own.as_deref().unwrap_or(base);
            return format!("{base}/ws/google.cloud.aiplatform.{version}.LlmBidiService/BidiGenerateContent");
        }
        let method = if is_ephemeral(key) { "BidiGenerateContentConstrained" } else { "BidiGenerateContent" };
        format!("{base}/ws/google.ai.generativelanguage.{version}.GenerativeService.{method}")
    },
    auth: |settings, _, key| match () {
        () if settings.project.is_some() => Auth::Bearer,
        () if is_ephemeral(key) => Auth::Token,
        () => Auth::Header(Cow::Borrowed("x-goog-api-key")),
    },
    sound: r#"{"realtimeInput":{"audio""#,
    retries: 0,
    retries_once_live: 3,
    speaks: Some(DOWNLINK_RATE),
    ends_turns: true,
    full_duplex: false,
    answers: |settings| !models::may_stay_silent(settings),
    reads: true,
    encodings: &[],
    wire: |settings, facts: &Facts| Box::new(Wire::new(Arc::clone(settings), facts.interruptible)),
};

/// What the service hears natively.
pub const UPLINK_RATE: SampleRate = SampleRate::HZ_16000;
/// What it speaks unless it says otherwise.
pub const DOWNLINK_RATE: SampleRate = SampleRate::HZ_24000;
/// The model when none is named.
pub const DEFAULT_MODEL: &str = "gemini-3.8-live";
const ENDPOINT: &str = "wss://generativelanguage.googleapis.com";
const KEYS: &[&str] = &["GEMINI_API_KEY", "GOOGLE_API_KEY"];
/// Vertex takes access tokens, no keys.
const VERTEX_KEYS: &[&str] = &["GOOGLE_OAUTH_ACCESS_TOKEN"];
/// Where Vertex is asked if the profile does not say.
const LOCATION: &str = "us-central1";
/// Before the service closes, a connection is left even if the model still speaks.
const LEAVES_BEFORE: Duration = Duration::from_secs(2);
/// How long the end of a turn is waited for if it did not say when it closes.
const LEAVES_WITHIN: Duration = Duration::from_secs(5);
/// A message with sound, before the sound and behind it.
const AUDIO: &str = r#"{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":""#;
const AUDIO_END: &str = "\"}}}";
/// Of an answer that broke off, so many of its last characters are told.
const BROKEN_OFF_MAX: usize = 1_000;
/// Sound before the onset that the model hears too when our own detector opens its ear.
const PREFIX_MS: u32 = 300;

/// Short-lived tokens, made for one session, say what they are.
fn is_ephemeral(key: &str) -> bool {
    key.starts_with("auth_tokens/")
}

fn location_of(settings: &Settings) -> &str {
    settings.location.as_deref().unwrap_or(LOCATION)
}

fn vertex_host(location: &str) -> String {
    if location == "global" {
        "wss://aiplatform.googleapis.com".to_owned()
    } else {
        format!("wss://{location}-aiplatform.googleapis.com")
    }
}

/// One call's translation.
#[derive(Debug)]
pub struct Wire {
    settings: Arc<Settings>,
    live: bool,
    started: bool,
    greeted: bool,
    going_away: bool,
    /// For so long after it said so the end of the model's turn is waited for.
    stays: Duration,
    /// Sound of a turn has come, and not its end.
    answering: bool,
    /// Words of that turn.
    answer: String,
    /// The connection was left in the middle of a turn that had these words; the next one is asked to go on.
    broken_off: Option<String>,
    /// Whoever listens has not been told that this turn is over.
    owes_end: bool,
    reconnects: u32,
    handle: Option<String>,
    /// The handle came after the caller's newest words.
    handle_knows: bool,
    /// `NO_INTERRUPTION` if not.
    interruptible: bool,
    /// Our own detector says when the caller speaks: now.
    speaks: bool,
    /// The model was told so on this connection.
    in_activity: bool,
    /// Calls of tools on this connection that have no answer yet.
    calls: Vec<String>,
    /// Results of tools that another connection asked for.
    late: Vec<String>,
    uplink: Uplink,
}

impl Wire {
    /// A wire for a new call.
    #[must_use]
    pub const fn new(settings: Arc<Settings>, interruptible: bool) -> Self {
        Self {
            settings,
            live: false,
            started: false,
            greeted: false,
            going_away: false,
            stays: Duration::ZERO,
            answering: false,
            answer: String::new(),
            broken_off: None,
            owes_end: false,
            reconnects: 0,
            handle: None,
            handle_knows: false,
            interruptible,
            speaks: false,
            in_activity: false,
            calls: Vec::new(),
            late: Vec::new(),
            uplink: Uplink::new(Encoding::Pcm(UPLINK_RATE)),
        }
    }

    /// A wire that only listens: for a cassette.
    #[must_use]
    pub fn listening() -> Self {
        Self::new(Arc::default(), true)
    }

    fn greet(&mut self, messages: &mut Vec<String>) {
        if self.live
            && self.started
            && !self.greeted
            && let Some(greeting) = &self.settings.greeting
        {
            self.greeted = true;
            messages.push(text_message(greeting));
        }
    }

    /// What tools had to say when their connection was gone: as words, for the model does not know the calls any more.
    fn tell_late(&mut self, messages: &mut Vec<String>) {
        if self.live {
            messages.append(&mut self.late);
        }
    }

    /// After a turn that the last connection broke off: there is nobody else to end the silence.
    fn go_on(&mut self, messages: &mut Vec<String>) {
        let Some(words) = self.broken_off.take() else { return };
        let surplus = words.chars().count().saturating_sub(BROKEN_OFF_MAX);
        let words: String = words.chars().skip(surplus).collect();
        let words = words.trim();
        messages.push(text_message(&if words.is_empty() {
            "The connection broke while you spoke. Say again what you were saying.".to_owned()
        } else {
            format!("The connection broke while you spoke. Go on after these words of yours: {words}")
        }));
    }

    /// Our own detector decides what the model hears.
    fn detects(&self) -> bool {
        self.settings.vad.as_deref() == Some("local")
    }

    fn hears(&mut self, samples: &[i16], messages: &mut Vec<String>) {
        if !self.detects() && self.live {
            return messages.push(self.audio_message(samples));
        }
        self.uplink.wait(samples);
        if self.detects() && !self.speaks {
            self.uplink.keep(self.settings.vad_prefix_ms.unwrap_or(PREFIX_MS) as usize);
        }
        if self.live {
            self.tell_speech(messages);
        }
    }

    /// What our own detector found: the beginning with what lay before it, and all sound until the end.
    fn tell_speech(&mut self, messages: &mut Vec<String>) {
        let speaks = self.speaks || self.uplink.is_asking_again();
        if speaks && !std::mem::replace(&mut self.in_activity, true) {
            messages.push(r#"{"realtimeInput":{"activityStart":{}}}"#.to_owned());
        }
        if !self.in_activity {
            return;
        }
        messages.extend(std::iter::from_fn(|| self.uplink.waited(AUDIO, AUDIO_END)));
        if !self.speaks {
            self.in_activity = false;
            messages.push(r#"{"realtimeInput":{"activityEnd":{}}}"#.to_owned());
        }
    }

    fn speech(&mut self, speaks: bool, messages: &mut Vec<String>) {
        self.speaks = speaks;
        self.uplink.speech(speaks);
        // What its handle stands for ends before this.
        self.handle_knows &= !speaks;
        if self.live && self.detects() {
            self.tell_speech(messages);
        }
    }

    fn generation(&self) -> Map<String, Value> {
        let settings = &self.settings;
        let mut speech = Map::new();
        if let Some(language) = &settings.language {
            speech.insert("languageCode".into(), json!(language));
        }
        if let Some(voice) = &settings.voice {
            speech.insert("voiceConfig".into(), json!({"prebuiltVoiceConfig": {"voiceName": voice}}));
        }
        let mut thinking = Map::new();
        if let Some(level) = &settings.reasoning {
            thinking.insert("thinkingLevel".into(), json!(level.to_uppercase()));
        }
        if let Some(budget) = settings.thinking_budget {
            thinking.insert("thinkingBudget".into(), json!(budget));
        }
        let mut generation = Map::new();
        generation.insert("responseModalities".into(), json!(["AUDIO"]));
        if let Some(temperature) = settings.temperature {
            generation.insert("temperature".into(), json!(temperature));
        }
        if let Some(most) = settings.max_tokens {
            generation.insert("maxOutputTokens".into(), json!(most));
        }
        if !speech.is_empty() {
            generation.insert("speechConfig".into(), Value::Object(speech));
        }
        if !thinking.is_empty() {
            generation.insert("thinkingConfig".into(), Value::Object(thinking));
        }
        if settings.affective_dialog == Some(true) {
            generation.insert("enableAffectiveDialog".into(), json!(true));
        }
        if let Some(language) = &settings.translate_to {
            let echo = settings.translate_echo.unwrap_or(false);
            let translation = json!({"targetLanguageCode": language, "echoTargetLanguage": echo});
            generation.insert("translationConfig".into(), translation);
        }
        generation
    }

    /// How it listens; empty if all is as the service has it.
    fn listening_config(&self) -> Map<String, Value> {
        let settings = &self.settings;
        let mut detection = Map::new();
        if self.detects() {
            detection.insert("disabled".into(), json!(true));
        } else {
            let mut sensitivity = |name: &str, prefix: &str, word: &Option<String>| {
                if let Some(word) = word {
                    detection.insert(name.into(), json!(format!("{prefix}_SENSITIVITY_{}", word.to_uppercase())));
                }
            };
            sensitivity("startOfSpeechSensitivity", "START", &settings.start_sensitivity);
            sensitivity("endOfSpeechSensitivity", "END", &settings.end_sensitivity);
            if let Some(prefix_ms) = settings.vad_prefix_ms {
                detection.insert("prefixPaddingMs".into(), json!(prefix_ms));
            }
            if let Some(silence_ms) = settings.silence_ms {
                detection.insert("silenceDurationMs".into(), json!(silence_ms));
            }
        }
        let mut config = Map::new();
        if !detection.is_empty() {
            config.insert("automaticActivityDetection".into(), Value::Object(detection));
        }
        if !self.interruptible {
            config.insert("activityHandling".into(), json!("NO_INTERRUPTION"));
        }
        if let Some(coverage) = &settings.turn_coverage {
            let all = coverage == "all";
            let word = if all { "TURN_INCLUDES_ALL_INPUT" } else { "TURN_INCLUDES_ONLY_ACTIVITY" };
            config.insert("turnCoverage".into(), json!(word));
        }
        config
    }

    fn audio_message(&mut self, samples: &[i16]) -> String {
        self.uplink.message(AUDIO, samples, AUDIO_END)
    }

    fn content(&mut self, content: ServerContent<'_>, events: &mut VecDeque<Event>) {
        if content.interrupted {
            self.turn_ended();
            events.push_back(Event::Interrupted);
        }
        if let Some(text) = content.input_transcription.and_then(|said| said.text) {
            events.push_back(Event::CallerText(text.into_owned()));
        }
        for part in content.model_turn.map(|turn| turn.parts).unwrap_or_default() {
            // Thoughts are never spoken; other text comes with outputTranscription.
            if let Some(blob) = part.inline_data
                && let Some(event) = audio_event(&blob)
            {
                if matches!(event, Event::Audio { .. }) {
                    self.answering = true;
                    self.uplink.answered();
                }
                events.push_back(event);
            }
        }
        if let Some(text) = content.output_transcription.and_then(|said| said.text) {
            self.answer.push_str(&text);
            events.push_back(Event::AgentText(text.into_owned()));
        }
        // generationComplete: all audio has been sent. turnComplete may come later, or alone after a cut; with a
        // background answer pending (IN_PROGRESS) the next turn follows by itself.
        if content.generation_complete || content.turn_complete {
            self.turn_ended();
            events.push_back(Event::TurnComplete);
        }
    }

    fn turn_ended(&mut self) {
        self.answering = false;
        self.answer.clear();
    }
}

impl super::Wire for Wire {
    fn label(&self) -> String {
        PROVIDER.name.to_owned()
    }

    fn rate(&self) -> SampleRate {
        UPLINK_RATE
    }

    fn setup(&mut self, messages: &mut Vec<String>, events: &mut VecDeque<Event>) {
        self.suspend();
        self.going_away = false;
        if std::mem::take(&mut self.owes_end) {
            events.push_back(Event::TurnComplete);
        }
        // A resumed session does not know what was asked after its handle.
        self.calls.clear();
        if !self.handle_knows {
            self.uplink.ask_again();
        }
        self.in_activity = false;
        let settings = &self.settings;
        let model = plain(settings.model.as_deref().unwrap_or(DEFAULT_MODEL));
        let name = match &settings.project {
            Some(project) => {
                format!("projects/{project}/locations/{}/publishers/google/models/{model}", location_of(settings))
            }
            None => format!("models/{model}"),
        };
        let mut setup = Map::new();
        setup.insert("model".into(), json!(name));
        setup.insert("generationConfig".into(), Value::Object(self.generation()));
        if let Some(instructions) = settings.instructions.as_deref().filter(|text| !text.trim().is_empty()) {
            setup.insert("systemInstruction".into(), json!({"parts": [{"text": instructions}]}));
        }
        if !settings.tools.is_empty() {
            let functions: Vec<Value> = settings.tools.iter().map(declared).collect();
            setup.insert("tools".into(), json!([{"functionDeclarations": functions}]));
        }
        let listening = self.listening_config();
        if !listening.is_empty() {
            setup.insert("realtimeInputConfig".into(), Value::Object(listening));
        }
        // Where it is always on, the field may not even say so.
        let sends = |has: &Proactive| !matches!(has, Proactive::Always);
        if let Some(proactive) = settings.proactive_audio.filter(|_| sends(&family_of(model).proactive)) {
            setup.insert("proactivity".into(), json!({"proactiveAudio": proactive}));
        }
        if settings.transcription.as_deref() != Some("none") {
            setup.insert("inputAudioTranscription".into(), json!({}));
        }
        setup.insert("outputAudioTranscription".into(), json!({}));
        setup.insert(
            "sessionResumption".into(),
            self.handle.as_ref().map_or_else(|| json!({}), |handle| json!({"handle": handle})),
        );
        let window = settings.compress_to.map_or_else(|| json!({}), |to| json!({"targetTokens": to.to_string()}));
        let mut compression = Map::new();
        if let Some(at) = settings.compress_at {
            compression.insert("triggerTokens".into(), json!(at.to_string()));
        }
        compression.insert("slidingWindow".into(), window);
        setup.insert("contextWindowCompression".into(), Value::Object(compression));
        messages.push(json!({"setup": setup}).to_string());
    }

    fn send(&mut self, command: Command<'_>, messages: &mut Vec<String>) {
        match command {
            Command::Start => {
                self.started = true;
                self.greet(messages);
            }
            Command::Audio { samples, .. } => self.hears(samples, messages),
            Command::Speech(edge) => self.speech(matches!(edge, SpeechEdge::Started(_)), messages),
            Command::Digit(digit) => {
                self.late.push(text_message(&format!("The caller pressed the key {digit}.")));
                self.tell_late(messages);
            }
            Command::Text(text) => {
                self.late.push(text_message(text));
                self.tell_late(messages);
            }
            Command::ToolResult { id, name, result } => {
                let known = self.calls.iter().position(|call| call == id);
                if let Some(at) = known.filter(|_| self.live) {
                    self.calls.remove(at);
                    messages.push(tool_response(id, name, result));
                } else {
                    self.late.push(text_message(&super::tool::late(name, result)));
                    self.tell_late(messages);
                }
            }
            // While held nothing is heard: the model must not wait for the end of a word.
            Command::Held(true) if self.detects() => self.speech(false, messages),
            Command::Held(true) if self.live => {
                messages.push(r#"{"realtimeInput":{"audioStreamEnd":true}}"#.to_owned());
            }
            _ => {}
        }
    }

    fn receive(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        let message: ServerMessage<'_> = match serde_json::from_slice(frame) {
            Ok(message) => message,
            Err(problem) => {
                events.push_back(Event::Note(format!("a frame from the provider could not be read: {problem}")));
                return;
            }
        };
        if message.setup_complete.is_some() {
            self.live = true;
            events.push_back(Event::Ready);
        }
        if let Some(update) = message.session_resumption_update
            && update.resumable
            && let Some(handle) = update.new_handle.filter(|handle| !handle.is_empty())
        {
            self.handle = Some(handle.into_owned());
            self.handle_knows = !self.speaks;
        }
        if let Some(activity) = message.voice_activity
            && activity.kind.as_deref() == Some("ACTIVITY_END")
        {
            events.push_back(Event::EndOfSpeech);
        }
        if let Some(usage) = message.usage_metadata {
            events.push_back(Event::Usage(usage.into()));
        }
        if let Some(content) = message.server_content {
            self.content(content, events);
        }
        if let Some(going) = message.go_away {
            self.going_away = true;
            let left = going.time_left.unwrap_or_default();
            self.stays = time_left(&left).map_or(LEAVES_WITHIN, |left| left.saturating_sub(LEAVES_BEFORE));
            events.push_back(Event::GoingAway(format!("the provider closes this connection in {left}")));
        }
        for call in message.tool_call.map(|call| call.function_calls).unwrap_or_default() {
            self.uplink.answered();
            self.calls.push(call.id.clone());
            let arguments = call.args.map(|args| args.to_string()).unwrap_or_default();
            events.push_back(Event::ToolCall(ToolCall { id: call.id, name: call.name, arguments }));
        }
        if let Some(cancelled) = message.tool_call_cancellation {
            self.calls.retain(|call| !cancelled.ids.contains(call));
            events.push_back(Event::ToolsCancelled(cancelled.ids));
        }
        if let Some(error) = message.error {
            events.push_back(Event::Note(format!("the provider says: {error}")));
        } else if let Some(code) = message.code {
            events.push_back(Event::Note(format!("the provider says: code {code}")));
        }
    }

    fn due(&mut self, messages: &mut Vec<String>) {
        if !self.live {
            return;
        }
        self.greet(messages);
        self.go_on(messages);
        self.tell_late(messages);
        if self.detects() {
            return self.tell_speech(messages);
        }
        messages.extend(std::iter::from_fn(|| self.uplink.waited(AUDIO, AUDIO_END)));
    }

    fn leaves_within(&self) -> Option<Duration> {
        self.going_away.then_some(if self.answering { self.stays } else { Duration::ZERO })
    }

    fn suspend(&mut self) {
        self.live = false;
        if std::mem::take(&mut self.answering) {
            self.broken_off = Some(std::mem::take(&mut self.answer));
            self.owes_end = true;
        }
        self.answer.clear();
    }

    // Codes are those seen from the service; its reason text is the only useful part.
    fn closed(&mut self, code: u16, reason: &str) -> AfterClose {
        let was_live = self.live;
        self.suspend();
        let said =
            if reason.is_empty() { format!("closed with {code}") } else { format!("closed with {code}: {reason}") };
        let passing = matches!(code, 1_000 | 1_001 | 1_006 | 1_011 | 1_012 | 1_013);
        if self.handle.is_some() && !was_live && !passing {
            // A handle that is not taken any more: once more without it.
            self.handle = None;
            return AfterClose::Reconnect;
        }
        if was_live && self.going_away {
            // As it said.
            return AfterClose::Reconnect;
        }
        if passing && was_live && self.reconnects < 3 {
            self.reconnects += 1;
            return AfterClose::Reconnect;
        }
        let hint = match code {
            1_007 if reason.contains("API key") => "; check GEMINI_API_KEY",
            1_008 if reason.contains("not found") => "; check agents.NAME.model",
            1_008 if reason.contains("unregistered") => "; set GEMINI_API_KEY",
            1_011 if reason.contains("quota") => "; check the project's quota",
            _ => "",
        };
        let said = format!("{said}{hint}");
        if passing && !was_live { AfterClose::TryAgain(said) } else { AfterClose::GiveUp(said) }
    }
}

/// Seconds as protobuf writes a duration: `9.5s`.
fn time_left(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

fn text_message(text: &str) -> String {
    json!({"realtimeInput": {"text": text}}).to_string()
}

/// A tool as the setup has it. Nothing empty: the service refuses that.
fn declared(tool: &Tool) -> Value {
    let mut function = Map::new();
    function.insert("name".into(), json!(tool.name));
    function.insert("description".into(), json!(tool.description));
    if let Some(parameters) = &tool.parameters {
        function.insert("parametersJsonSchema".into(), parameters.clone());
    }
    Value::Object(function)
}

fn tool_response(id: &str, name: &str, result: Result<&Value, &str>) -> String {
    let response = match result {
        Ok(value) => json!({"output": value}),
        Err(problem) => json!({"error": problem}),
    };
    json!({"toolResponse": {"functionResponses": [{"id": id, "name": name, "response": response}]}}).to_string()
}

fn audio_event(blob: &Blob<'_>) -> Option<Event> {
    let mime = blob.mime_type.as_deref().unwrap_or_default();
    if !mime.is_empty() && !mime.starts_with("audio/") {
        return None;
    }
    let rate = mime.split(';').find_map(|part| part.trim().strip_prefix("rate=")?.parse().ok());
    let rate = SampleRate(rate.unwrap_or(DOWNLINK_RATE.0));
    if !matches!(rate.0, 8_000 | 16_000 | 24_000 | 48_000) {
        return Some(Event::Note(format!("the provider sent audio at {rate}, which is not a rate that it announces")));
    }
    let Some(bytes) = blob.data.as_deref().and_then(decode_base64) else {
        return Some(Event::Note("the provider sent audio that is not base64".into()));
    };
    let samples = bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    Some(Event::Audio { rate, samples })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerMessage<'a> {
    setup_complete: Option<Value>,
    #[serde(borrow)]
    server_content: Option<ServerContent<'a>>,
    tool_call: Option<ToolCalls>,
    tool_call_cancellation: Option<Cancellation>,
    go_away: Option<GoAway>,
    #[serde(borrow)]
    session_resumption_update: Option<ResumptionUpdate<'a>>,
    voice_activity: Option<VoiceActivity>,
    usage_metadata: Option<UsageMetadata>,
    error: Option<Value>,
    code: Option<Value>,
}

/// Counts may be numbers or text: protobuf's int64.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct UsageMetadata {
    prompt_token_count: Value,
    response_token_count: Value,
    thoughts_token_count: Value,
    cached_content_token_count: Value,
    total_token_count: Value,
    prompt_tokens_details: Vec<Share>,
    response_tokens_details: Vec<Share>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Share {
    modality: Value,
    token_count: Value,
}

impl From<UsageMetadata> for Usage {
    fn from(said: UsageMetadata) -> Self {
        let of = |count: &Value| count.as_u64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0);
        let audio = |shares: &[Share]| -> u64 {
            let audio = shares.iter().filter(|share| share.modality == "AUDIO");
            audio.fold(0, |sum, share| sum.saturating_add(of(&share.token_count)))
        };
        Self {
            input_tokens: of(&said.prompt_token_count),
            output_tokens: of(&said.response_token_count),
            total_tokens: of(&said.total_token_count),
            input_audio_tokens: audio(&said.prompt_tokens_details),
            output_audio_tokens: audio(&said.response_tokens_details),
            cached_tokens: of(&said.cached_content_token_count),
            thinking_tokens: of(&said.thoughts_token_count),
            limits: Vec::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolCalls {
    #[serde(default)]
    function_calls: Vec<FunctionCall>,
}

#[derive(Deserialize)]
struct FunctionCall {
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
    args: Option<Value>,
}

#[derive(Deserialize)]
struct Cancellation {
    #[serde(default)]
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct ServerContent<'a> {
    #[serde(borrow)]
    model_turn: Option<ModelTurn<'a>>,
    #[serde(borrow)]
    input_transcription: Option<Transcription<'a>>,
    #[serde(borrow)]
    output_transcription: Option<Transcription<'a>>,
    interrupted: bool,
    generation_complete: bool,
    turn_complete: bool,
}

#[derive(Deserialize)]
struct ModelTurn<'a> {
    #[serde(borrow, default)]
    parts: Vec<Part<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow)]
    inline_data: Option<Blob<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Blob<'a> {
    #[serde(borrow)]
    mime_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Transcription<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoAway {
    time_left: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResumptionUpdate<'a> {
    #[serde(borrow)]
    new_handle: Option<Cow<'a, str>>,
    #[serde(default)]
    resumable: bool,
}

#[derive(Deserialize)]
struct VoiceActivity {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[cfg(test)]
mod tests;
