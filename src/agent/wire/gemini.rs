//! Gemini Live (`BidiGenerateContent`) on the wire: JSON in text frames out, JSON in binary or text frames in.
//!
//! Owns the setup message, what may be sent when, and the reading of every server field that a call needs. Does
//! not know sockets: [`super::super::socket`] carries the frames. Field names are the vendor's; unknown server
//! fields are ignored, nothing empty is ever sent (the service refuses unknown and empty fields with 1007).

use super::{AfterClose, Auth, Encoding, Facts, Provider, Settings, Uplink, decode_base64, tool::Tool};
use crate::{
    agent::event::{Command, Event, ToolCall},
    unit::SampleRate,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{borrow::Cow, collections::VecDeque, sync::Arc};

/// The row.
pub const PROVIDER: Provider = Provider {
    name: "gemini",
    about: "Gemini Live over WebSocket; needs GEMINI_API_KEY, GOOGLE_API_KEY or key_file",
    endpoint: "wss://generativelanguage.googleapis.com",
    keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
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
        "end_of_speech",
    ],
    url: |settings, base| {
        let version = settings.api_version.as_deref().unwrap_or("v1beta");
        format!("{base}/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent")
    },
    auth: |_, _| Auth::Header(Cow::Borrowed("x-goog-api-key")),
    sound: r#"{"realtimeInput":{"audio""#,
    retries: 0,
    speaks: Some(DOWNLINK_RATE),
    ends_turns: true,
    encodings: &[],
    wire: |settings, _: &Facts| Box::new(Wire::new(Arc::clone(settings))),
};

/// What the service hears natively.
pub const UPLINK_RATE: SampleRate = SampleRate::HZ_16000;
/// What it speaks unless it says otherwise.
pub const DOWNLINK_RATE: SampleRate = SampleRate::HZ_24000;
/// The model when none is named.
pub const DEFAULT_MODEL: &str = "gemini-3.8-live";
/// Models that were shut down, and what took their place.
const RETIRED: &[(&str, &str)] = &[
    ("gemini-live-2.5-flash-preview", DEFAULT_MODEL),
    ("gemini-2.0-flash-live-001", DEFAULT_MODEL),
    ("gemini-2.0-flash-exp", DEFAULT_MODEL),
];

/// The model that took the place of a retired one.
#[must_use]
pub fn successor_of(model: &str) -> Option<&'static str> {
    RETIRED.iter().find(|(retired, _)| *retired == model.trim_start_matches("models/")).map(|(_, next)| *next)
}

/// One call's translation.
#[derive(Debug)]
pub struct Wire {
    settings: Arc<Settings>,
    live: bool,
    started: bool,
    greeted: bool,
    going_away: bool,
    reconnects: u32,
    handle: Option<String>,
    /// Calls of tools on this connection that have no answer yet.
    calls: Vec<String>,
    /// Results of tools that another connection asked for.
    late: Vec<String>,
    uplink: Uplink,
}

impl Wire {
    /// A wire for a new call.
    #[must_use]
    pub const fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            live: false,
            started: false,
            greeted: false,
            going_away: false,
            reconnects: 0,
            handle: None,
            calls: Vec::new(),
            late: Vec::new(),
            uplink: Uplink::new(Encoding::Pcm(UPLINK_RATE)),
        }
    }

    /// A wire that only listens: for a cassette.
    #[must_use]
    pub fn listening() -> Self {
        Self::new(Arc::default())
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

    fn audio_message(&mut self, samples: &[i16]) -> String {
        const HEAD: &str = r#"{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":""#;
        self.uplink.message(HEAD, samples, "\"}}}")
    }

    fn content(content: ServerContent<'_>, events: &mut VecDeque<Event>) {
        if content.interrupted {
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
                events.push_back(event);
            }
        }
        if let Some(text) = content.output_transcription.and_then(|said| said.text) {
            events.push_back(Event::AgentText(text.into_owned()));
        }
        // generationComplete: all audio has been sent. turnComplete may come later, or alone after a cut; with a
        // background answer pending (IN_PROGRESS) the next turn follows by itself.
        if content.generation_complete || content.turn_complete {
            events.push_back(Event::TurnComplete);
        }
    }
}

impl super::Wire for Wire {
    fn label(&self) -> String {
        PROVIDER.name.to_owned()
    }

    fn rate(&self) -> SampleRate {
        UPLINK_RATE
    }

    fn setup(&mut self, messages: &mut Vec<String>, _events: &mut VecDeque<Event>) {
        self.live = false;
        self.going_away = false;
        // A resumed session does not know what was asked after its handle.
        self.calls.clear();
        let settings = &self.settings;
        let mut speech = Map::new();
        if let Some(language) = &settings.language {
            speech.insert("languageCode".into(), json!(language));
        }
        if let Some(voice) = &settings.voice {
            speech.insert("voiceConfig".into(), json!({"prebuiltVoiceConfig": {"voiceName": voice}}));
        }
        let mut generation = Map::new();
        generation.insert("responseModalities".into(), json!(["AUDIO"]));
        if let Some(temperature) = settings.temperature {
            generation.insert("temperature".into(), json!(temperature));
        }
        if !speech.is_empty() {
            generation.insert("speechConfig".into(), Value::Object(speech));
        }
        let model = settings.model.as_deref().unwrap_or(DEFAULT_MODEL).trim_start_matches("models/");
        let mut setup = Map::new();
        setup.insert("model".into(), json!(format!("models/{model}")));
        setup.insert("generationConfig".into(), Value::Object(generation));
        if let Some(instructions) = settings.instructions.as_deref().filter(|text| !text.trim().is_empty()) {
            setup.insert("systemInstruction".into(), json!({"parts": [{"text": instructions}]}));
        }
        if !settings.tools.is_empty() {
            let functions: Vec<Value> = settings.tools.iter().map(declared).collect();
            setup.insert("tools".into(), json!([{"functionDeclarations": functions}]));
        }
        if let Some(silence_ms) = settings.silence_ms {
            let detection = json!({"automaticActivityDetection": {"silenceDurationMs": silence_ms}});
            setup.insert("realtimeInputConfig".into(), detection);
        }
        setup.insert("inputAudioTranscription".into(), json!({}));
        setup.insert("outputAudioTranscription".into(), json!({}));
        setup.insert(
            "sessionResumption".into(),
            self.handle.as_ref().map_or_else(|| json!({}), |handle| json!({"handle": handle})),
        );
        setup.insert("contextWindowCompression".into(), json!({"slidingWindow": {}}));
        messages.push(json!({"setup": setup}).to_string());
    }

    fn send(&mut self, command: Command<'_>, messages: &mut Vec<String>) {
        match command {
            Command::Start => {
                self.started = true;
                self.greet(messages);
            }
            Command::Audio { samples, .. } if self.live => messages.push(self.audio_message(samples)),
            Command::Audio { samples, .. } => self.uplink.wait(samples),
            Command::Digit(digit) => {
                self.late.push(text_message(&format!("The caller pressed the key {digit}.")));
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
        }
        if let Some(activity) = message.voice_activity
            && activity.kind.as_deref() == Some("ACTIVITY_END")
        {
            events.push_back(Event::EndOfSpeech);
        }
        if let Some(content) = message.server_content {
            Self::content(content, events);
        }
        if let Some(going) = message.go_away {
            self.going_away = true;
            let left = going.time_left.unwrap_or_default();
            events.push_back(Event::GoingAway(format!("the provider closes this connection in {left}")));
        }
        for call in message.tool_call.map(|call| call.function_calls).unwrap_or_default() {
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
        self.tell_late(messages);
        while let Some(chunk) = self.uplink.waited() {
            messages.push(self.audio_message(&chunk));
        }
    }

    fn is_going_away(&self) -> bool {
        self.going_away
    }

    fn suspend(&mut self) {
        self.live = false;
    }

    // Codes are those seen from the service; its reason text is the only useful part.
    fn closed(&mut self, code: u16, reason: &str) -> AfterClose {
        let was_live = std::mem::take(&mut self.live);
        let said =
            if reason.is_empty() { format!("closed with {code}") } else { format!("closed with {code}: {reason}") };
        let passing = matches!(code, 1_000 | 1_001 | 1_006 | 1_011 | 1_012 | 1_013);
        if self.handle.is_some() && !was_live && !passing {
            // A handle that is not taken any more: once more without it.
            self.handle = None;
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
        AfterClose::GiveUp(format!("{said}{hint}"))
    }
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
    error: Option<Value>,
    code: Option<Value>,
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
mod tests {
    use super::{super::Wire as _, *};

    fn receive(wire: &mut Wire, frame: &str) -> Vec<Event> {
        let mut events = VecDeque::new();
        wire.receive(frame.as_bytes(), &mut events);
        events.into()
    }

    fn setup_of(wire: &mut Wire) -> String {
        let mut messages = Vec::new();
        wire.setup(&mut messages, &mut VecDeque::new());
        assert_eq!(messages.len(), 1);
        messages.remove(0)
    }

    #[test]
    fn nothing_is_sent_before_the_setup_is_complete_and_what_waited_follows() {
        let mut wire = Wire::listening();
        let mut messages = Vec::new();
        wire.send(Command::Start, &mut messages);
        wire.send(Command::Audio { rate: UPLINK_RATE, samples: &vec![1; 50_000] }, &mut messages);
        assert!(messages.is_empty());
        assert_eq!(receive(&mut wire, r#"{"setupComplete":{}}"#), [Event::Ready]);
        wire.due(&mut messages);
        assert!(messages[0].contains("Greet them"));
        assert_eq!(messages.len(), 1 + 20, "two seconds in pieces of 100 ms, the oldest dropped");
        assert!(
            messages[1].starts_with(r#"{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"AQAB"#)
        );
    }

    #[test]
    fn the_setup_has_every_field_in_its_place_and_nothing_empty() {
        let settings = Settings {
            voice: Some("Kore".into()),
            language: Some("en-US".into()),
            instructions: Some("Be brief.".into()),
            temperature: Some(0.5),
            silence_ms: Some(500),
            ..Settings::default()
        };
        let setup: Value = serde_json::from_str(&setup_of(&mut Wire::new(Arc::new(settings)))).unwrap();
        let setup = &setup["setup"];
        assert_eq!(setup["model"], "models/gemini-3.8-live");
        assert_eq!(setup["generationConfig"]["responseModalities"][0], "AUDIO");
        assert_eq!(
            setup["generationConfig"]["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"],
            "Kore"
        );
        assert_eq!(setup["systemInstruction"]["parts"][0]["text"], "Be brief.");
        let bare = setup_of(&mut Wire::listening());
        assert!(!bare.contains("null") && !bare.contains("[]") && !bare.contains("speechConfig"));
    }

    #[test]
    fn one_message_may_say_many_things() {
        let mut wire = Wire::listening();
        let events = receive(
            &mut wire,
            r#"{"serverContent":{"interrupted":true,"turnComplete":true,"newThing":1,
                "inputTranscription":{"text":" I was \u00e4"},"outputTranscription":{"text":"Sure"},
                "modelTurn":{"parts":[{"text":"hm","thought":true},{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AQD_fw"}}]}},
                "usageMetadata":{"totalTokenCount":"7"}}"#,
        );
        assert_eq!(
            events,
            [
                Event::Interrupted,
                Event::CallerText(" I was ä".into()),
                Event::Audio { rate: SampleRate::HZ_24000, samples: vec![1, i16::MAX] },
                Event::AgentText("Sure".into()),
                Event::TurnComplete,
            ]
        );
    }

    #[test]
    fn odd_frames_are_notes_not_failures() {
        let mut wire = Wire::listening();
        for frame in [
            "",
            "{",
            "[]",
            "null",
            &"[".repeat(10_000),
            r#"{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"!!"}}]}}}"#,
            r#"{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=11025","data":"AAAA"}}]}}}"#,
        ] {
            for event in receive(&mut wire, frame) {
                assert!(matches!(event, Event::Note(_)), "{event:?}");
            }
        }
    }

    #[test]
    fn closes_are_retried_only_when_that_can_help() {
        let mut wire = Wire::listening();
        let give_up = wire.closed(1_007, "API key not valid. Please pass a valid API key.");
        assert!(matches!(give_up, AfterClose::GiveUp(text) if text.contains("GEMINI_API_KEY")));
        receive(&mut wire, r#"{"setupComplete":{}}"#);
        receive(&mut wire, r#"{"sessionResumptionUpdate":{"newHandle":"h1","resumable":true}}"#);
        receive(&mut wire, r#"{"sessionResumptionUpdate":{"newHandle":"h2","resumable":false}}"#);
        receive(&mut wire, r#"{"goAway":{"timeLeft":"9.5s"}}"#);
        assert!(wire.is_going_away());
        assert_eq!(wire.closed(1_011, "Deadline expired"), AfterClose::Reconnect);
        assert!(setup_of(&mut wire).contains(r#""handle":"h1""#));
        assert_eq!(wire.closed(1_007, "invalid handle"), AfterClose::Reconnect);
        assert!(!setup_of(&mut wire).contains("h1"), "once more without the handle");
        assert!(matches!(wire.closed(1_007, "x"), AfterClose::GiveUp(_)));
    }

    #[test]
    fn retired_models_name_their_successor() {
        assert_eq!(successor_of("models/gemini-live-2.5-flash-preview"), Some(DEFAULT_MODEL));
        assert_eq!(successor_of(DEFAULT_MODEL), None);
    }

    #[test]
    fn tools_are_declared_called_answered_and_taken_back() {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        let tool = |name: &str, parameters| Tool { name: name.into(), description: "d".into(), parameters };
        let tools = [tool("weather", Some(schema.clone())), tool("time", None)].into();
        let mut wire = Wire::new(Arc::new(Settings { tools, ..Settings::default() }));
        let setup: Value = serde_json::from_str(&setup_of(&mut wire)).unwrap();
        let functions = json!([{"name": "weather", "description": "d", "parametersJsonSchema": schema},
            {"name": "time", "description": "d"}]);
        assert_eq!(setup["setup"]["tools"], json!([{"functionDeclarations": functions}]));
        receive(&mut wire, r#"{"setupComplete":{}}"#);
        let called = receive(
            &mut wire,
            r#"{"toolCall":{"functionCalls":[{"id":"1","name":"weather","args":{"city":"Ulm"}},{"id":"2","name":"time"}]}}"#,
        );
        let call = |id: &str, name: &str, arguments: &str| {
            Event::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() })
        };
        assert_eq!(called, [call("1", "weather", r#"{"city":"Ulm"}"#), call("2", "time", "")]);
        let cancelled = receive(&mut wire, r#"{"toolCallCancellation":{"ids":["2"]}}"#);
        assert_eq!(cancelled, [Event::ToolsCancelled(vec!["2".into()])]);
        let mut messages = Vec::new();
        wire.send(Command::ToolResult { id: "1", name: "weather", result: Ok(&json!("sunny")) }, &mut messages);
        let sent: Value = serde_json::from_str(&messages[0]).unwrap();
        let wanted = json!([{"id": "1", "name": "weather", "response": {"output": "sunny"}}]);
        assert_eq!(sent["toolResponse"]["functionResponses"], wanted);
    }

    #[test]
    fn a_result_after_a_new_connection_is_told_in_words() {
        let mut wire = Wire::listening();
        receive(&mut wire, r#"{"setupComplete":{}}"#);
        receive(&mut wire, r#"{"toolCall":{"functionCalls":[{"id":"1","name":"weather","args":{}}]}}"#);
        assert_eq!(wire.closed(1_006, ""), AfterClose::Reconnect);
        setup_of(&mut wire);
        let mut messages = Vec::new();
        wire.send(Command::ToolResult { id: "1", name: "weather", result: Err("no answer") }, &mut messages);
        assert_eq!(messages, Vec::<String>::new());
        receive(&mut wire, r#"{"setupComplete":{}}"#);
        wire.due(&mut messages);
        assert_eq!(messages, [text_message("The tool weather, which you called before, has failed: no answer")]);
    }
}
