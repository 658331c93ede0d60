//! A strict checker of what a client sends to Gemini Live: TEST CODE, the judge inside `mock_gemini`.
//!
//! The authority is the vendor's protocol as its SDKs define it. No sockets and no clocks here: [`Checker::check`] gets the text
//! of one message after the other and answers with what it meant and with everything that was wrong about it.
//!
//! It checks: one JSON object per message with exactly one of the five kinds; `setup` first and once; nothing between
//! `setup` and `setupComplete`; every field name at every level against tables (lowerCamelCase or `snake_case`, never
//! both), with a hint where a misplaced field belongs; types, exact enums, nothing null and nothing empty; the rules
//! that depend on the model; audio format, chunk length and base64; activity signals only with manual detection and
//! `audioStreamEnd` only with automatic; answers only to tool calls that were made and not cancelled.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT},
};
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};

/// The only MIME type of caller audio this gateway may send.
pub const AUDIO_IN: &str = "audio/pcm;rate=16000";
/// The close code of a bad message.
pub const BAD_MESSAGE: u16 = 1007;
/// Samples per millisecond of caller audio.
const PER_MS: f64 = 16.0;
/// Longest chunk of caller audio.
const LONGEST_MS: f64 = 100.0;
/// Shortest chunk in the middle of a stream.
const SHORTEST_MS: f64 = 20.0;
/// Shortest chunk at either end of a stream.
const SHORTEST_FLUSH_MS: f64 = 10.0;

/// One thing the client did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong, for the reader of a test report.
    pub words: String,
    /// The close reason, phrased as the service does.
    pub reason: String,
}

impl Violation {
    /// A violation with the service's general words as its close reason.
    #[must_use]
    pub fn new(words: impl Into<String>) -> Self {
        let words = words.into();
        Self { reason: format!("Request contains an invalid argument. {words}"), words }
    }

    fn unknown(name: &str, path: &str) -> Self {
        let belongs = belongs(name).filter(|place| *place != path);
        let hint = belongs.map_or(String::new(), |place| format!(", it belongs into {place}"));
        if path.is_empty() {
            return Self {
                words: format!("unknown field \"{name}\" at the top level{hint}"),
                reason: format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."),
            };
        }
        let at = snake(path);
        Self {
            words: format!("unknown field \"{name}\" in {path}{hint}"),
            reason: format!("Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field."),
        }
    }

    fn value(path: &str, what: &str, got: &Value) -> Self {
        let mut shown = got.to_string();
        if shown.chars().count() > 60 {
            shown = shown.chars().take(60).chain("...".chars()).collect();
        }
        let at = snake(path);
        Self {
            words: format!("{path} must be {what}, is {shown}"),
            reason: format!("Invalid value at '{at}', {shown}"),
        }
    }
}

/// What a message meant.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    /// The session is configured.
    Setup(Box<SetupFacts>),
    /// Caller audio, 16 kHz.
    Audio(Vec<i16>),
    /// The caller audio pauses.
    AudioStreamEnd,
    /// The caller begins to speak, says the client.
    ActivityStart,
    /// The caller has ended, says the client.
    ActivityEnd,
    /// `realtimeInput.text`.
    Text(String),
    /// `clientContent`: all texts of all turns, and whether the model is to answer.
    Content {
        /// The texts in order.
        texts: Vec<String>,
        /// `turnComplete`.
        complete: bool,
    },
    /// One answer to one tool call.
    ToolAnswer {
        /// Of the call.
        id: String,
        /// The whole functionResponse.
        answer: Value,
    },
    /// `contextUpdate`.
    ContextUpdate(Value),
}

/// What the mock has to know of a setup.
#[derive(Clone, Debug, PartialEq)]
pub struct SetupFacts {
    /// Without `models/`.
    pub model: String,
    /// The service detects speech by itself.
    pub automatic: bool,
    /// Caller speech interrupts a reply.
    pub interrupts: bool,
    /// `silenceDurationMs`, if given.
    pub silence_ms: Option<u32>,
    /// The caller's words are wanted as text.
    pub input_transcription: bool,
    /// The model's words are wanted as text.
    pub output_transcription: bool,
    /// Resumption handles are wanted.
    pub resumption: bool,
    /// The session to resume.
    pub handle: Option<String>,
    /// `initialHistoryInClientContent`.
    pub initial_history: bool,
    /// The whole setup as it came.
    pub json: Value,
}

impl SetupFacts {
    /// Which rules hold for the model.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(&self.model)
    }
}

/// Models that share their rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// gemini-3.8-live.
    Live38,
    /// gemini-3.8-live-extended-thinking.
    Live38Extended,
    /// gemini-3.5-live-translate.
    Translate,
    /// gemini-3.1-flash-live.
    Live31,
    /// gemini-2.5-flash-native-audio.
    Native25,
    /// Shut down in 2025.
    Dead,
    /// Not in the notes.
    Other,
}

impl Family {
    /// By the name without `models/`.
    #[must_use]
    pub fn of(model: &str) -> Self {
        if ["gemini-live-2.5-flash-preview", "gemini-2.0-flash-live-001"].contains(&model) {
            Self::Dead
        } else if model.starts_with("gemini-3.8-live-extended-thinking") {
            Self::Live38Extended
        } else if model.starts_with("gemini-3.8-live") {
            Self::Live38
        } else if model.starts_with("gemini-3.5-live-translate") {
            Self::Translate
        } else if model.starts_with("gemini-3.1-flash-live") {
            Self::Live31
        } else if model.starts_with("gemini-2.5-flash-native-audio") {
            Self::Native25
        } else {
            Self::Other
        }
    }

    /// Turns carry `interactionStatus`, `contextUpdate` is known.
    #[must_use]
    pub fn is_38(self) -> bool {
        matches!(self, Self::Live38 | Self::Live38Extended)
    }
}

/// The answer about one message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    /// What it meant, as far as it could be understood.
    pub events: Vec<ClientEvent>,
    /// What was wrong with it.
    pub violations: Vec<Violation>,
}

/// What the request path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathFacts {
    /// `v1beta`, `v1`, `v1alpha`.
    pub version: String,
    /// The method for ephemeral tokens.
    pub constrained: bool,
    /// Vertex's service, not the Developer API's.
    pub vertex: bool,
    /// The service accepts `//ws/...`, but a client of ours must not ask that way.
    pub double_slash: bool,
}

/// Reads the path of the upgrade request (without the query).
///
/// # Errors
///
/// In words, if the service has no such path.
pub fn check_path(path: &str) -> Result<PathFacts, String> {
    let wrong = || format!("no such path: {path}");
    let double_slash = path.starts_with("//");
    let rest = path.trim_start_matches('/').strip_prefix("ws/").ok_or_else(wrong)?;
    if let Some(rest) = rest.strip_prefix("google.cloud.aiplatform.") {
        let (version, method) = rest.split_once(".LlmBidiService/").ok_or_else(wrong)?;
        if method != "BidiGenerateContent" || !["v1", "v1beta1"].contains(&version) {
            return Err(wrong());
        }
        return Ok(PathFacts { version: version.to_owned(), constrained: false, vertex: true, double_slash });
    }
    let rest = rest.strip_prefix("google.ai.generativelanguage.").ok_or_else(wrong)?;
    let (version, method) = rest.split_once(".GenerativeService.").ok_or_else(wrong)?;
    let constrained = match method {
        "BidiGenerateContent" => false,
        "BidiGenerateContentConstrained" => true,
        _ => return Err(wrong()),
    };
    if !["v1", "v1beta", "v1alpha"].contains(&version) {
        return Err(wrong());
    }
    Ok(PathFacts { version: version.to_owned(), constrained, vertex: false, double_slash })
}

// ---------------------------------------------------------------------------------------------------------------
// the tables

/// What a field holds.
enum Kind {
    /// Text, not empty.
    Str,
    Bool,
    Number,
    /// A whole number, may be negative.
    Int,
    /// A whole number of at least zero.
    Count,
    /// A whole number of at least zero, as a number or as text.
    Int64,
    Enum(&'static [&'static str]),
    Enums(&'static [&'static str]),
    Strs,
    Obj(&'static Shape),
    Objs(&'static Shape),
    /// An object whose keys are free and whose values are objects of the shape.
    ObjMap(&'static Shape),
    StrMap,
    /// Any JSON object; nobody looks inside.
    Free,
    /// Anything but null.
    Any,
    /// Known, but not allowed here.
    Refused(&'static str),
}

/// The fields an object may have.
struct Shape {
    fields: &'static [(&'static str, Kind)],
}

static EMPTY: Shape = Shape { fields: &[] };
static UNION: [&str; 5] = ["setup", "clientContent", "realtimeInput", "toolResponse", "contextUpdate"];

static SETUP: Shape = Shape {
    fields: &[
        ("model", Kind::Str),
        ("generationConfig", Kind::Obj(&GENERATION)),
        ("systemInstruction", Kind::Obj(&CONTENT)),
        ("tools", Kind::Objs(&TOOL)),
        ("realtimeInputConfig", Kind::Obj(&REALTIME_CONFIG)),
        ("inputAudioTranscription", Kind::Obj(&TRANSCRIPTION)),
        ("outputAudioTranscription", Kind::Obj(&TRANSCRIPTION)),
        ("sessionResumption", Kind::Obj(&RESUMPTION)),
        ("contextWindowCompression", Kind::Obj(&COMPRESSION)),
        ("proactivity", Kind::Obj(&PROACTIVITY)),
        ("historyConfig", Kind::Obj(&HISTORY)),
        ("safetySettings", Kind::Objs(&SAFETY)),
        ("labels", Kind::StrMap),
        ("explicitVadSignal", Kind::Refused("is for Vertex only")),
    ],
};
static GENERATION: Shape = Shape {
    fields: &[
        ("responseModalities", Kind::Enums(&["AUDIO", "TEXT", "IMAGE"])),
        ("temperature", Kind::Number),
        ("topP", Kind::Number),
        ("topK", Kind::Number),
        ("maxOutputTokens", Kind::Count),
        ("seed", Kind::Int),
        ("mediaResolution", Kind::Enum(&["MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH"])),
        ("speechConfig", Kind::Obj(&SPEECH)),
        ("thinkingConfig", Kind::Obj(&THINKING)),
        ("enableAffectiveDialog", Kind::Bool),
        ("translationConfig", Kind::Obj(&TRANSLATION)),
    ],
};
static SPEECH: Shape = Shape { fields: &[("languageCode", Kind::Str), ("voiceConfig", Kind::Obj(&VOICE))] };
static VOICE: Shape = Shape { fields: &[("prebuiltVoiceConfig", Kind::Obj(&PREBUILT))] };
static PREBUILT: Shape = Shape { fields: &[("voiceName", Kind::Str)] };
static THINKING: Shape = Shape {
    fields: &[
        ("thinkingLevel", Kind::Enum(&["MINIMAL", "LOW", "MEDIUM", "HIGH"])),
        ("thinkingBudget", Kind::Int),
        ("includeThoughts", Kind::Bool),
    ],
};
static TRANSLATION: Shape = Shape { fields: &[("targetLanguageCode", Kind::Str), ("echoTargetLanguage", Kind::Bool)] };
static CONTENT: Shape =
    Shape { fields: &[("role", Kind::Enum(&["user", "model", "system"])), ("parts", Kind::Objs(&PART))] };
static PART: Shape = Shape {
    fields: &[
        ("text", Kind::Str),
        ("inlineData", Kind::Obj(&BLOB)),
        ("functionCall", Kind::Free),
        ("functionResponse", Kind::Free),
    ],
};
static BLOB: Shape = Shape { fields: &[("mimeType", Kind::Str), ("data", Kind::Str)] };
static TOOL: Shape =
    Shape { fields: &[("functionDeclarations", Kind::Objs(&FUNCTION)), ("googleSearch", Kind::Obj(&EMPTY))] };
static FUNCTION: Shape = Shape {
    fields: &[
        ("name", Kind::Str),
        ("description", Kind::Str),
        ("behavior", Kind::Enum(&["BLOCKING", "NON_BLOCKING"])),
        ("parameters", Kind::Obj(&SCHEMA)),
        ("parametersJsonSchema", Kind::Free),
    ],
};
static SCHEMA: Shape = Shape {
    fields: &[
        (
            "type",
            Kind::Enum(&[
                "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL", "string", "number", "integer",
                "boolean", "array", "object", "null",
            ]),
        ),
        ("format", Kind::Str),
        ("title", Kind::Str),
        ("description", Kind::Str),
        ("nullable", Kind::Bool),
        ("enum", Kind::Strs),
        ("properties", Kind::ObjMap(&SCHEMA)),
        ("required", Kind::Strs),
        ("propertyOrdering", Kind::Strs),
        ("items", Kind::Obj(&SCHEMA)),
        ("anyOf", Kind::Objs(&SCHEMA)),
        ("minItems", Kind::Int64),
        ("maxItems", Kind::Int64),
        ("minProperties", Kind::Int64),
        ("maxProperties", Kind::Int64),
        ("minLength", Kind::Int64),
        ("maxLength", Kind::Int64),
        ("minimum", Kind::Number),
        ("maximum", Kind::Number),
        ("pattern", Kind::Str),
        ("example", Kind::Any),
        ("default", Kind::Any),
    ],
};
static REALTIME_CONFIG: Shape = Shape {
    fields: &[
        ("automaticActivityDetection", Kind::Obj(&DETECTION)),
        ("activityHandling", Kind::Enum(&["START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"])),
        (
            "turnCoverage",
            Kind::Enum(&[
                "TURN_INCLUDES_ONLY_ACTIVITY",
                "TURN_INCLUDES_ALL_INPUT",
                "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
            ]),
        ),
    ],
};
static DETECTION: Shape = Shape {
    fields: &[
        ("disabled", Kind::Bool),
        ("startOfSpeechSensitivity", Kind::Enum(&["START_SENSITIVITY_HIGH", "START_SENSITIVITY_LOW"])),
        ("endOfSpeechSensitivity", Kind::Enum(&["END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW"])),
        ("prefixPaddingMs", Kind::Count),
        ("silenceDurationMs", Kind::Count),
    ],
};
static TRANSCRIPTION: Shape = Shape {
    fields: &[
        ("languageCodes", Kind::Strs),
        ("customVocabulary", Kind::Strs),
        ("wordTimestamp", Kind::Any),
        ("diarization", Kind::Any),
        ("mode", Kind::Any),
    ],
};
static RESUMPTION: Shape =
    Shape { fields: &[("handle", Kind::Str), ("transparent", Kind::Refused("is for Vertex only"))] };
static COMPRESSION: Shape = Shape { fields: &[("triggerTokens", Kind::Int64), ("slidingWindow", Kind::Obj(&SLIDING))] };
static SLIDING: Shape = Shape { fields: &[("targetTokens", Kind::Int64)] };
static PROACTIVITY: Shape = Shape { fields: &[("proactiveAudio", Kind::Bool)] };
static HISTORY: Shape = Shape { fields: &[("initialHistoryInClientContent", Kind::Bool)] };
static SAFETY: Shape = Shape {
    fields: &[
        (
            "category",
            Kind::Enum(&[
                "HARM_CATEGORY_HARASSMENT",
                "HARM_CATEGORY_HATE_SPEECH",
                "HARM_CATEGORY_SEXUALLY_EXPLICIT",
                "HARM_CATEGORY_DANGEROUS_CONTENT",
                "HARM_CATEGORY_CIVIC_INTEGRITY",
            ]),
        ),
        (
            "threshold",
            Kind::Enum(&["BLOCK_LOW_AND_ABOVE", "BLOCK_MEDIUM_AND_ABOVE", "BLOCK_ONLY_HIGH", "BLOCK_NONE", "OFF"]),
        ),
    ],
};
static CLIENT_CONTENT: Shape = Shape { fields: &[("turns", Kind::Objs(&CONTENT)), ("turnComplete", Kind::Bool)] };
static REALTIME_INPUT: Shape = Shape {
    fields: &[
        ("audio", Kind::Obj(&BLOB)),
        ("video", Kind::Obj(&BLOB)),
        ("text", Kind::Str),
        ("activityStart", Kind::Obj(&EMPTY)),
        ("activityEnd", Kind::Obj(&EMPTY)),
        ("audioStreamEnd", Kind::Bool),
        ("mediaChunks", Kind::Refused("is the old field: refused or ignored by the models of today, use audio")),
    ],
};
static TOOL_RESPONSE: Shape = Shape { fields: &[("functionResponses", Kind::Objs(&FUNCTION_RESPONSE))] };
static FUNCTION_RESPONSE: Shape = Shape {
    fields: &[
        ("id", Kind::Str),
        ("name", Kind::Str),
        ("response", Kind::Free),
        ("scheduling", Kind::Enum(&["SILENT", "WHEN_IDLE", "INTERRUPT"])),
        ("willContinue", Kind::Bool),
    ],
};
static CONTEXT_UPDATE: Shape =
    Shape { fields: &[("systemInstruction", Kind::Obj(&CONTENT)), ("tools", Kind::Obj(&TOOLS))] };
static TOOLS: Shape = Shape { fields: &[("tools", Kind::Objs(&TOOL))] };

/// Where a misplaced field may have been meant to go, the likeliest place first.
static PLACES: [(&str, &Shape); 11] = [
    ("setup", &SETUP),
    ("setup.generationConfig", &GENERATION),
    ("setup.generationConfig.speechConfig", &SPEECH),
    ("setup.generationConfig.speechConfig.voiceConfig", &VOICE),
    ("setup.generationConfig.speechConfig.voiceConfig.prebuiltVoiceConfig", &PREBUILT),
    ("setup.generationConfig.thinkingConfig", &THINKING),
    ("setup.realtimeInputConfig", &REALTIME_CONFIG),
    ("setup.realtimeInputConfig.automaticActivityDetection", &DETECTION),
    ("setup.proactivity", &PROACTIVITY),
    ("realtimeInput", &REALTIME_INPUT),
    ("clientContent", &CLIENT_CONTENT),
];

/// The place where a field of this name is known.
fn belongs(name: &str) -> Option<&'static str> {
    PLACES.iter().find(|(_, shape)| shape.fields.iter().any(|(known, _)| spelled(name, known))).map(|(place, _)| *place)
}

// ---------------------------------------------------------------------------------------------------------------
// names

/// `generationConfig` as `generation_config`; dots and indices stay.
#[must_use]
pub fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
            out.push(c.to_ascii_lowercase());
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a key on the wire names this field, in either spelling.
fn spelled(key: &str, field: &str) -> bool {
    key == field || (key.contains('_') && key == snake(field))
}

/// A member by its lowerCamelCase name, in either spelling.
fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    value.get(name).or_else(|| value.get(snake(name)))
}

/// A member of a member.
fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |inner, name| member(inner, name))
}

fn bool_at(value: &Value, path: &[&str]) -> Option<bool> {
    at(value, path).and_then(Value::as_bool)
}

fn str_at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v str> {
    at(value, path).and_then(Value::as_str)
}

/// The items of a list member; none if it is missing or something else.
fn items<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    member(value, name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

// ---------------------------------------------------------------------------------------------------------------
// the walk along the tables

fn walk_object(value: &Value, shape: &Shape, path: &str, out: &mut Vec<Violation>) {
    let Some(map) = value.as_object() else {
        out.push(Violation::value(path, "an object", value));
        return;
    };
    let mut seen = HashSet::new();
    for (key, inner) in map {
        let Some((name, kind)) = shape.fields.iter().find(|(name, _)| spelled(key, name)) else {
            out.push(Violation::unknown(key, path));
            continue;
        };
        if !seen.insert(*name) {
            out.push(Violation::new(format!("{path}.{name} is given in both spellings")));
        }
        walk(inner, kind, &format!("{path}.{name}"), out);
    }
}

fn walk_list(
    value: &Value,
    what: &str,
    path: &str,
    out: &mut Vec<Violation>,
    each: impl Fn(&Value, &str, &mut Vec<Violation>),
) {
    let Some(list) = value.as_array() else {
        out.push(Violation::value(path, what, value));
        return;
    };
    if list.is_empty() {
        out.push(Violation::new(format!("{path} is an empty list; leave it out")));
    }
    for (i, item) in list.iter().enumerate() {
        each(item, &format!("{path}[{i}]"), out);
    }
}

fn walk_str(value: &Value, path: &str, out: &mut Vec<Violation>) {
    match value.as_str() {
        None => out.push(Violation::value(path, "text", value)),
        Some("") => out.push(Violation::new(format!("{path} is empty; leave it out"))),
        Some(_) => {}
    }
}

fn walk_enum(value: &Value, known: &[&str], path: &str, out: &mut Vec<Violation>) {
    if !value.as_str().is_some_and(|text| known.contains(&text)) {
        out.push(Violation::value(path, &format!("one of {}", known.join(", ")), value));
    }
}

fn walk(value: &Value, kind: &Kind, path: &str, out: &mut Vec<Violation>) {
    if value.is_null() {
        out.push(Violation::new(format!("{path} is null; leave it out")));
        return;
    }
    let must = |ok: bool, what: &str, out: &mut Vec<Violation>| {
        if !ok {
            out.push(Violation::value(path, what, value));
        }
    };
    match kind {
        Kind::Str => walk_str(value, path, out),
        Kind::Bool => must(value.is_boolean(), "true or false", out),
        Kind::Number => must(value.is_number(), "a number", out),
        Kind::Int => must(value.is_i64(), "a whole number", out),
        Kind::Count => must(value.is_u64(), "a whole number of at least 0", out),
        Kind::Int64 => {
            let ok = value.is_u64() || value.as_str().is_some_and(|text| text.parse::<u64>().is_ok());
            must(ok, "a whole number of at least 0, as number or text", out);
        }
        Kind::Enum(known) => walk_enum(value, known, path, out),
        Kind::Enums(known) => {
            walk_list(value, "a list", path, out, |item, path, out| walk_enum(item, known, path, out));
        }
        Kind::Strs => walk_list(value, "a list of texts", path, out, walk_str),
        Kind::Obj(shape) => walk_object(value, shape, path, out),
        Kind::Objs(shape) => {
            walk_list(value, "a list of objects", path, out, |item, path, out| walk_object(item, shape, path, out));
        }
        Kind::ObjMap(shape) => {
            must(value.is_object(), "an object", out);
            for (key, inner) in value.as_object().into_iter().flatten() {
                walk_object(inner, shape, &format!("{path}.{key}"), out);
            }
        }
        Kind::StrMap => {
            must(value.is_object(), "an object", out);
            for (key, inner) in value.as_object().into_iter().flatten() {
                must(inner.is_string(), &format!("an object of texts (see \"{key}\")"), out);
            }
        }
        Kind::Free => must(value.is_object(), "an object", out),
        Kind::Any => {}
        Kind::Refused(why) => out.push(Violation::new(format!("{path} {why}"))),
    }
}

// ---------------------------------------------------------------------------------------------------------------
// setup

/// Everything that is wrong with one `setup`, and what the mock needs of it. `version` is the one in the request path,
/// empty if unknown.
#[must_use]
pub fn check_setup(setup: &Value, version: &str, vertex: bool) -> (SetupFacts, Vec<Violation>) {
    let mut out = Vec::new();
    walk_object(setup, &SETUP, "setup", &mut out);

    let named = str_at(setup, &["model"]).unwrap_or_default();
    if named.is_empty() {
        out.push(Violation::new("setup.model is missing"));
    } else if vertex {
        let parts: Vec<&str> = named.split('/').collect();
        if !matches!(&parts[..], ["projects", _, "locations", _, "publishers", "google", "models", _]) {
            let want = "projects/P/locations/L/publishers/google/models/M";
            out.push(Violation::new(format!("setup.model must be {want} on Vertex, is \"{named}\"")));
        }
    } else if !named.starts_with("models/") {
        out.push(Violation::new(format!("setup.model must begin with models/, is \"{named}\"")));
    }
    let model = named.rsplit_once("models/").map_or(named, |(_, model)| model).to_owned();
    let family = Family::of(&model);

    let modalities = at(setup, &["generationConfig", "responseModalities"]);
    if modalities != Some(&serde_json::json!(["AUDIO"])) {
        let is = modalities.map_or_else(|| "missing".to_owned(), Value::to_string);
        out.push(Violation::new(format!("setup.generationConfig.responseModalities must be [\"AUDIO\"], is {is}")));
    }
    if let Some(instruction) = member(setup, "systemInstruction") {
        check_instruction(instruction, "setup.systemInstruction", &mut out);
    }
    check_tools(items(setup, "tools"), "setup.tools", family, &mut out);
    check_thinking(setup, family, &mut out);
    check_model_rules(setup, family, if vertex { "" } else { version }, &mut out);

    let detection = ["realtimeInputConfig", "automaticActivityDetection"];
    let detection = at(setup, &detection).cloned().unwrap_or_default();
    let handling = str_at(setup, &["realtimeInputConfig", "activityHandling"]);
    let facts = SetupFacts {
        automatic: !bool_at(&detection, &["disabled"]).unwrap_or(false),
        interrupts: handling != Some("NO_INTERRUPTION"),
        silence_ms: member(&detection, "silenceDurationMs")
            .and_then(Value::as_u64)
            .and_then(|ms| u32::try_from(ms).ok()),
        input_transcription: member(setup, "inputAudioTranscription").is_some(),
        output_transcription: member(setup, "outputAudioTranscription").is_some(),
        resumption: member(setup, "sessionResumption").is_some(),
        handle: str_at(setup, &["sessionResumption", "handle"]).map(str::to_owned),
        initial_history: bool_at(setup, &["historyConfig", "initialHistoryInClientContent"]).unwrap_or(false),
        json: setup.clone(),
        model,
    };
    (facts, out)
}

fn check_instruction(instruction: &Value, path: &str, out: &mut Vec<Violation>) {
    if !instruction.is_object() {
        return; // said already
    }
    let parts = items(instruction, "parts");
    if parts.is_empty() {
        out.push(Violation::new(format!("{path} has no parts")));
    }
    for (i, part) in parts.iter().enumerate() {
        let only_text = part.as_object().is_some_and(|map| map.len() == 1) && member(part, "text").is_some();
        if !only_text {
            out.push(Violation::new(format!("{path}.parts[{i}] must have text and nothing else")));
        }
    }
}

fn check_tools(tools: &[Value], path: &str, family: Family, out: &mut Vec<Violation>) {
    let mut names = HashSet::new();
    for (i, tool) in tools.iter().enumerate() {
        if tool.as_object().is_some_and(Map::is_empty) {
            out.push(Violation::new(format!("{path}[{i}] is empty")));
        }
        for (k, function) in items(tool, "functionDeclarations").iter().enumerate() {
            let path = format!("{path}[{i}].functionDeclarations[{k}]");
            let name = str_at(function, &["name"]).unwrap_or_default();
            if !good_function_name(name) {
                out.push(Violation::new(format!("{path}.name is not a function name: \"{name}\"")));
            }
            if !names.insert(name) {
                out.push(Violation::new(format!("{path}: \"{name}\" is declared twice")));
            }
            if member(function, "parameters").is_some() && member(function, "parametersJsonSchema").is_some() {
                out.push(Violation::new(format!("{path} has both parameters and parametersJsonSchema")));
            }
            if family == Family::Live31 && str_at(function, &["behavior"]) == Some("NON_BLOCKING") {
                out.push(Violation::new(format!("{path}.behavior: this model has synchronous tools only")));
            }
        }
    }
}

/// Letter or underscore first, then letters, digits and `_.:-`, 128 at most.
fn good_function_name(name: &str) -> bool {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && name.len() <= 128 && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c))
}

fn check_thinking(setup: &Value, family: Family, out: &mut Vec<Violation>) {
    let Some(thinking) = at(setup, &["generationConfig", "thinkingConfig"]) else { return };
    let level = member(thinking, "thinkingLevel").is_some();
    if level && member(thinking, "thinkingBudget").is_some() {
        out.push(Violation::new("thinkingLevel and thinkingBudget are alternatives, both are set"));
    }
    if level && family == Family::Live38 {
        out.push(Violation::new("gemini-3.8-live has no thinkingLevel"));
    }
    if level && family == Family::Native25 {
        out.push(Violation::new("this model has a thinkingBudget, no thinkingLevel"));
    }
}

fn check_model_rules(setup: &Value, family: Family, version: &str, out: &mut Vec<Violation>) {
    let proactive = bool_at(setup, &["proactivity", "proactiveAudio"]);
    let affective = at(setup, &["generationConfig", "enableAffectiveDialog"]).is_some();
    let translates = at(setup, &["generationConfig", "translationConfig"]).is_some();
    if translates && !matches!(family, Family::Translate | Family::Other) {
        out.push(Violation::new("translationConfig is for translate models"));
    }
    let detection = at(setup, &["realtimeInputConfig", "automaticActivityDetection"]);
    if let Some(detection) = detection.and_then(Value::as_object)
        && detection.get("disabled") == Some(&Value::Bool(true))
        && detection.len() > 1
    {
        out.push(Violation::new("automaticActivityDetection is disabled, and yet configured"));
    }
    match family {
        Family::Live38Extended if affective => {
            out.push(Violation::new("enableAffectiveDialog was removed from gemini-3.8-live"));
        }
        Family::Live38 => {
            if proactive == Some(false) {
                out.push(Violation::new("proactiveAudio: false is an error on gemini-3.8-live, it is always on"));
            }
            if affective {
                out.push(Violation::new("enableAffectiveDialog was removed from gemini-3.8-live"));
            }
        }
        Family::Live31 => {
            if affective || member(setup, "proactivity").is_some() {
                out.push(Violation::new("gemini-3.1-flash-live has neither proactivity nor affective dialog"));
            }
        }
        Family::Translate => {
            if at(setup, &["generationConfig", "translationConfig", "targetLanguageCode"]).is_none() {
                out.push(Violation::new(
                    "a translate model needs generationConfig.translationConfig.targetLanguageCode",
                ));
            }
        }
        Family::Native25 => {
            if (affective || member(setup, "proactivity").is_some()) && !["", "v1alpha"].contains(&version) {
                out.push(Violation::new("proactivity and affective dialog of this model need v1alpha"));
            }
        }
        Family::Live38Extended | Family::Dead | Family::Other => {}
    }
}

// ---------------------------------------------------------------------------------------------------------------
// the messages of one session

/// How far the session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing came yet.
    First,
    /// `setup` came, `setupComplete` was not sent.
    Waiting,
    /// Everything else may come.
    Live,
}

#[derive(Clone, Debug)]
struct Call {
    name: String,
    cancelled: bool,
    answered: bool,
}

/// Judges the messages of one session in their order.
#[derive(Clone, Debug)]
pub struct Checker {
    stage: Stage,
    version: String,
    vertex: bool,
    facts: Option<SetupFacts>,
    /// The next audio is the first of its stream.
    at_start: bool,
    /// The last audio was too short for the middle of a stream.
    short: Option<f64>,
    in_activity: bool,
    anything: bool,
    calls: HashMap<String, Call>,
}

impl Checker {
    /// At the start of a session; `version` from the request path, empty if unknown.
    #[must_use]
    pub fn new(version: &str) -> Self {
        Self {
            stage: Stage::First,
            version: version.to_owned(),
            vertex: false,
            facts: None,
            at_start: true,
            short: None,
            in_activity: false,
            anything: false,
            calls: HashMap::new(),
        }
    }

    /// The session is Vertex's.
    #[must_use]
    pub fn of_vertex(mut self, vertex: bool) -> Self {
        self.vertex = vertex;
        self
    }

    /// `setupComplete` goes out now.
    pub fn set_live(&mut self) {
        self.stage = Stage::Live;
    }

    /// A tool call goes out now.
    pub fn called(&mut self, id: &str, name: &str) {
        let call = Call { name: name.to_owned(), cancelled: false, answered: false };
        self.calls.insert(id.to_owned(), call);
    }

    /// A tool call is taken back now.
    pub fn cancelled(&mut self, id: &str) {
        if let Some(call) = self.calls.get_mut(id) {
            call.cancelled = true;
        }
    }

    /// Judges one message.
    pub fn check(&mut self, text: &str) -> Checked {
        let mut out = Checked::default();
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => {
                out.violations.push(Violation {
                    words: format!("a message is not JSON: {error}"),
                    reason: format!("Invalid JSON payload received. {error}"),
                });
                return out;
            }
        };
        let Some(map) = value.as_object() else {
            out.violations.push(Violation::new("a message is not a JSON object"));
            return out;
        };
        let mut found: Option<(&'static str, &Value)> = None;
        for (key, inner) in map {
            let Some(kind) = UNION.iter().copied().find(|kind| spelled(key, kind)) else {
                out.violations.push(Violation::unknown(key, ""));
                continue;
            };
            if let Some((other, _)) = found {
                out.violations.push(Violation::new(format!("a message carries both {other} and {kind}")));
            }
            found = Some((kind, inner));
        }
        let Some((kind, inner)) = found else {
            out.violations.push(Violation::new(format!("a message carries none of {}", UNION.join(", "))));
            return out;
        };
        match (self.stage, kind) {
            (Stage::First, "setup") => self.setup(inner, &mut out),
            (Stage::First, _) => {
                out.violations.push(Violation::new(format!("the first message is {kind}, not setup")));
            }
            (_, "setup") => out.violations.push(Violation::new("setup was sent twice")),
            (Stage::Waiting, _) => {
                out.violations.push(Violation::new(format!("{kind} was sent before setupComplete")));
            }
            (Stage::Live, "realtimeInput") => self.realtime(inner, &mut out),
            (Stage::Live, "clientContent") => self.content(inner, &mut out),
            (Stage::Live, "toolResponse") => self.tool_response(inner, &mut out),
            (Stage::Live, _) => self.context_update(inner, &mut out),
        }
        out
    }

    fn family(&self) -> Family {
        self.facts.as_ref().map_or(Family::Other, SetupFacts::family)
    }

    fn automatic(&self) -> bool {
        self.facts.as_ref().is_none_or(|facts| facts.automatic)
    }

    fn setup(&mut self, setup: &Value, out: &mut Checked) {
        let (facts, mut violations) = check_setup(setup, &self.version, self.vertex);
        out.violations.append(&mut violations);
        self.stage = Stage::Waiting;
        self.facts = Some(facts.clone());
        out.events.push(ClientEvent::Setup(Box::new(facts)));
    }

    fn realtime(&mut self, input: &Value, out: &mut Checked) {
        walk_object(input, &REALTIME_INPUT, "realtimeInput", &mut out.violations);
        if input.as_object().is_some_and(Map::is_empty) {
            out.violations.push(Violation::new("realtimeInput is empty"));
        }
        if member(input, "activityStart").is_some() {
            self.activity(true, out);
        }
        if let Some(blob) = member(input, "audio") {
            self.audio(blob, out);
        }
        if let Some(text) = str_at(input, &["text"]) {
            self.anything = true;
            out.events.push(ClientEvent::Text(text.to_owned()));
        }
        if member(input, "activityEnd").is_some() {
            self.activity(false, out);
        }
        match bool_at(input, &["audioStreamEnd"]) {
            None => {}
            Some(false) => out.violations.push(Violation::new("audioStreamEnd: false says nothing")),
            Some(true) => {
                if !self.automatic() {
                    out.violations.push(Violation::new("audioStreamEnd is for automatic activity detection only"));
                }
                self.short = None;
                self.at_start = true;
                out.events.push(ClientEvent::AudioStreamEnd);
            }
        }
    }

    fn activity(&mut self, start: bool, out: &mut Checked) {
        let name = if start { "activityStart" } else { "activityEnd" };
        if self.automatic() {
            out.violations.push(Violation::new(format!("{name} was sent with automatic activity detection on")));
        }
        if self.in_activity == start {
            let why = if start { "inside an activity" } else { "outside of an activity" };
            out.violations.push(Violation::new(format!("{name} was sent {why}")));
        }
        self.in_activity = start;
        self.short = None;
        self.at_start = true;
        out.events.push(if start { ClientEvent::ActivityStart } else { ClientEvent::ActivityEnd });
    }

    fn audio(&mut self, blob: &Value, out: &mut Checked) {
        self.anything = true;
        if let Some(ms) = self.short.take() {
            out.violations.push(Violation::new(format!("an audio chunk in the middle of a stream had only {ms} ms")));
        }
        match str_at(blob, &["mimeType"]) {
            Some(AUDIO_IN) => {}
            other => {
                let words =
                    format!("realtimeInput.audio.mimeType must be {AUDIO_IN}, is {}", other.unwrap_or("missing"));
                out.violations.push(Violation::new(words));
            }
        }
        let samples = match decode_pcm(str_at(blob, &["data"]).unwrap_or_default()) {
            Ok(samples) => samples,
            Err(words) => {
                out.violations.push(Violation::new(format!("realtimeInput.audio.data {words}")));
                return;
            }
        };
        let ms = samples.len() as f64 / PER_MS;
        if ms > LONGEST_MS {
            out.violations.push(Violation::new(format!("an audio chunk has {ms} ms, {LONGEST_MS} is the most")));
        } else if ms < SHORTEST_FLUSH_MS {
            out.violations.push(Violation::new(format!("an audio chunk has only {ms} ms")));
        } else if ms < SHORTEST_MS && !self.at_start {
            self.short = Some(ms);
        }
        self.at_start = false;
        out.events.push(ClientEvent::Audio(samples));
    }

    fn content(&mut self, content: &Value, out: &mut Checked) {
        walk_object(content, &CLIENT_CONTENT, "clientContent", &mut out.violations);
        if content.as_object().is_some_and(Map::is_empty) {
            out.violations.push(Violation::new("clientContent is empty"));
        }
        if self.family() == Family::Live31 {
            let history = self.facts.as_ref().is_some_and(|facts| facts.initial_history);
            if self.anything || !history {
                out.violations.push(Violation::new("this model takes clientContent only as initial history"));
            }
        }
        let mut texts = Vec::new();
        for (i, turn) in items(content, "turns").iter().enumerate() {
            match str_at(turn, &["role"]) {
                Some("user" | "model") => {}
                _ => {
                    out.violations.push(Violation::new(format!("clientContent.turns[{i}].role must be user or model")));
                }
            }
            let parts = items(turn, "parts");
            if parts.is_empty() {
                out.violations.push(Violation::new(format!("clientContent.turns[{i}] has no parts")));
            }
            texts.extend(parts.iter().filter_map(|part| str_at(part, &["text"])).map(str::to_owned));
        }
        let complete = bool_at(content, &["turnComplete"]).unwrap_or(false);
        out.events.push(ClientEvent::Content { texts, complete });
    }

    fn tool_response(&mut self, response: &Value, out: &mut Checked) {
        walk_object(response, &TOOL_RESPONSE, "toolResponse", &mut out.violations);
        let answers = items(response, "functionResponses");
        if answers.is_empty() {
            out.violations.push(Violation::new("toolResponse has no functionResponses"));
        }
        for (i, answer) in answers.iter().enumerate() {
            let path = format!("toolResponse.functionResponses[{i}]");
            if member(answer, "response").is_none() {
                out.violations.push(Violation::new(format!("{path}.response is missing")));
            }
            let Some(id) = str_at(answer, &["id"]) else {
                out.violations.push(Violation::new(format!("{path}.id is missing")));
                continue;
            };
            let name = str_at(answer, &["name"]);
            match self.calls.get_mut(id) {
                None => out.violations.push(Violation::new(format!("{path}.id \"{id}\" was never called"))),
                Some(call) => {
                    if call.cancelled {
                        out.violations.push(Violation::new(format!("{path}.id \"{id}\" was cancelled")));
                    }
                    if call.answered {
                        out.violations.push(Violation::new(format!("{path}.id \"{id}\" was answered before")));
                    }
                    if name != Some(call.name.as_str()) {
                        let is = name.unwrap_or("missing");
                        let words = format!("{path}.name is {is}, the call was to {}", call.name);
                        out.violations.push(Violation::new(words));
                    }
                    call.answered = !bool_at(answer, &["willContinue"]).unwrap_or(false);
                }
            }
            out.events.push(ClientEvent::ToolAnswer { id: id.to_owned(), answer: answer.clone() });
        }
    }

    fn context_update(&mut self, update: &Value, out: &mut Checked) {
        walk_object(update, &CONTEXT_UPDATE, "contextUpdate", &mut out.violations);
        if update.as_object().is_some_and(Map::is_empty) {
            out.violations.push(Violation::new("contextUpdate is empty"));
        }
        if !self.family().is_38() {
            out.violations.push(Violation::new("contextUpdate is known to the 3.8 models only"));
        }
        if let Some(instruction) = member(update, "systemInstruction") {
            check_instruction(instruction, "contextUpdate.systemInstruction", &mut out.violations);
        }
        if let Some(tools) = member(update, "tools") {
            check_tools(items(tools, "tools"), "contextUpdate.tools.tools", self.family(), &mut out.violations);
        }
        out.events.push(ClientEvent::ContextUpdate(update.clone()));
    }
}

/// Samples out of base64 (either alphabet, padded or not) of little-endian 16-bit PCM.
///
/// # Errors
///
/// In words.
pub fn decode_pcm(data: &str) -> Result<Vec<i16>, String> {
    if data.is_empty() {
        return Err("is empty or missing".to_owned());
    }
    let bytes = match STANDARD_PAD_INDIFFERENT.decode(data) {
        Ok(bytes) => bytes,
        Err(error) => URL_SAFE_PAD_INDIFFERENT.decode(data).map_err(|_| format!("is not base64: {error}"))?,
    };
    if !bytes.len().is_multiple_of(2) {
        return Err(format!("has an odd number of bytes: {}", bytes.len()));
    }
    Ok(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good_setup() -> Value {
        json!({
            "model": "models/gemini-3.8-live",
            "generationConfig": {
                "responseModalities": ["AUDIO"],
                "temperature": 0.8,
                "speechConfig": {"languageCode": "en-US",
                    "voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
            },
            "systemInstruction": {"parts": [{"text": "Be kind."}]},
            "tools": [{"functionDeclarations": [{"name": "hang_up", "parameters": {
                "type": "OBJECT", "properties": {"why": {"type": "STRING"}}, "required": ["why"]}}]}],
            "realtime_input_config": {"automaticActivityDetection": {"silenceDurationMs": 400}},
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
            "sessionResumption": {},
            "contextWindowCompression": {"triggerTokens": "25600", "slidingWindow": {"targetTokens": 12800}},
        })
    }

    fn words(setup: &Value) -> String {
        check_setup(setup, "v1beta", false).1.into_iter().map(|v| v.words).collect::<Vec<_>>().join("; ")
    }

    fn live(setup: Value) -> Checker {
        let mut checker = Checker::new("v1beta");
        let checked = checker.check(&json!({ "setup": setup }).to_string());
        assert_eq!(checked.violations, []);
        checker.set_live();
        checker
    }

    fn audio(samples: usize) -> String {
        let data = STANDARD_PAD_INDIFFERENT.encode(vec![0_u8; samples * 2]);
        json!({"realtimeInput": {"audio": {"mimeType": AUDIO_IN, "data": data}}}).to_string()
    }

    #[test]
    fn a_good_setup_passes() {
        let (facts, violations) = check_setup(&good_setup(), "v1beta", false);
        assert_eq!(violations, []);
        assert_eq!(facts.model, "gemini-3.8-live");
        assert_eq!(facts.silence_ms, Some(400));
        assert!(facts.automatic && facts.interrupts && facts.resumption && facts.handle.is_none());
        assert!(facts.input_transcription && facts.output_transcription);
    }

    #[test]
    fn unknown_fields_are_named_as_the_service_does() {
        let mut setup = good_setup();
        setup["generationConfig"]["voice"] = json!("Kore");
        let (_, violations) = check_setup(&setup, "", false);
        assert_eq!(violations.len(), 1);
        assert_eq!(
            violations[0].reason,
            "Invalid JSON payload received. Unknown name \"voice\" at 'setup.generation_config': Cannot find field."
        );
    }

    #[test]
    fn misplaced_fields_get_a_hint() {
        let mut setup = good_setup();
        setup["responseModalities"] = json!(["AUDIO"]);
        assert_eq!(
            words(&setup),
            "unknown field \"responseModalities\" in setup, it belongs into setup.generationConfig"
        );
    }

    #[test]
    fn wrong_values_are_violations() {
        let cases = [
            ("/model", json!("gemini-3.8-live"), "must begin with models/"),
            ("/generationConfig/responseModalities", json!(["audio"]), "must be one of AUDIO"),
            ("/generationConfig/responseModalities", json!(["TEXT"]), "must be [\"AUDIO\"]"),
            ("/systemInstruction", json!("Be kind."), "must be an object"),
            ("/systemInstruction/parts", json!([]), "empty list"),
            ("/tools", json!([]), "setup.tools is an empty list"),
            ("/tools", json!(null), "setup.tools is null"),
            ("/tools/0/functionDeclarations/0/name", json!("1st"), "not a function name"),
            ("/contextWindowCompression/triggerTokens", json!(-1), "at least 0"),
        ];
        for (pointer, value, expected) in cases {
            let mut setup = good_setup();
            *setup.pointer_mut(pointer).expect("the test names a field of the good setup") = value;
            let said = words(&setup);
            assert!(said.contains(expected), "{pointer}: {said}");
        }
    }

    #[test]
    fn model_rules() {
        let mut setup = good_setup();
        setup["generationConfig"]["thinkingConfig"] = json!({"thinkingLevel": "MINIMAL", "thinkingBudget": 0});
        setup["proactivity"] = json!({"proactiveAudio": false});
        let said = words(&setup);
        assert!(
            said.contains("alternatives") && said.contains("no thinkingLevel") && said.contains("always on"),
            "{said}"
        );
        setup["model"] = json!("models/gemini-3.8-live-extended-thinking");
        assert_eq!(words(&setup), "thinkingLevel and thinkingBudget are alternatives, both are set");
        let mut setup = good_setup();
        setup["model"] = json!("models/gemini-3.5-live-translate-preview");
        assert!(words(&setup).contains("translationConfig"));
    }

    #[test]
    fn the_order_of_messages() {
        let mut checker = Checker::new("");
        assert!(checker.check(&audio(320)).violations[0].words.contains("not setup"));
        let setup = json!({"setup": good_setup()}).to_string();
        assert_eq!(checker.check(&setup).violations, []);
        assert!(checker.check(&audio(320)).violations[0].words.contains("before setupComplete"));
        checker.set_live();
        assert!(checker.check(&setup).violations[0].words.contains("twice"));
        let both = json!({"realtimeInput": {"text": "a"}, "clientContent": {"turnComplete": true}}).to_string();
        assert!(checker.check(&both).violations[0].words.contains("both"));
        assert!(checker.check("{}").violations[0].words.contains("none of"));
        assert!(checker.check("[").violations[0].words.contains("not JSON"));
    }

    #[test]
    fn audio_lengths() {
        let mut checker = live(good_setup());
        assert_eq!(checker.check(&audio(160)).violations, [], "a short first chunk");
        assert_eq!(checker.check(&audio(320)).events, [ClientEvent::Audio(vec![0; 320])]);
        assert_eq!(checker.check(&audio(1600)).violations, []);
        assert!(checker.check(&audio(1601)).violations[0].words.contains("the most"));
        assert!(checker.check(&audio(100)).violations[0].words.contains("only 6.25 ms"));
        assert_eq!(checker.check(&audio(200)).violations, [], "may be the last one");
        assert!(checker.check(&audio(320)).violations[0].words.contains("only 12.5 ms"));
        assert_eq!(checker.check(&audio(200)).violations, []);
        let end = json!({"realtimeInput": {"audioStreamEnd": true}}).to_string();
        assert_eq!(checker.check(&end).violations, []);
        assert_eq!(checker.check(&audio(320)).violations, []);
    }

    #[test]
    fn audio_format() {
        let mut checker = live(good_setup());
        let message = json!({"realtimeInput": {"audio": {"mimeType": "audio/pcm", "data": "AAAA"}}}).to_string();
        let said: Vec<_> = checker.check(&message).violations.into_iter().map(|v| v.words).collect();
        assert!(said[0].contains("mimeType") && said[1].contains("odd number"), "{said:?}");
        let message = json!({"realtimeInput": {"mediaChunks": [{"mimeType": AUDIO_IN, "data": "AAAA"}]}}).to_string();
        assert!(checker.check(&message).violations[0].words.contains("old field"));
        assert!(decode_pcm("AA*A").is_err());
        assert_eq!(decode_pcm("__8"), Ok(vec![-1]));
        assert_eq!(decode_pcm("//8="), Ok(vec![-1]));
    }

    #[test]
    fn activity_needs_manual_detection() {
        let start = json!({"realtimeInput": {"activityStart": {}}}).to_string();
        let stop = json!({"realtimeInput": {"audioStreamEnd": true}}).to_string();
        assert!(live(good_setup()).check(&start).violations[0].words.contains("automatic"));
        let mut setup = good_setup();
        setup["realtime_input_config"]["automaticActivityDetection"] = json!({"disabled": true});
        let mut checker = live(setup);
        assert_eq!(checker.check(&start).events, [ClientEvent::ActivityStart]);
        assert!(checker.check(&start).violations[0].words.contains("inside an activity"));
        assert!(checker.check(&stop).violations[0].words.contains("automatic"));
    }

    #[test]
    fn tool_answers() {
        let answer = |id: &str| {
            let one = json!({"id": id, "name": "hang_up", "response": {"output": {"nothing": null}}});
            json!({"toolResponse": {"functionResponses": [one]}}).to_string()
        };
        let mut checker = live(good_setup());
        checker.called("a", "hang_up");
        checker.called("b", "hang_up");
        checker.cancelled("b");
        assert_eq!(checker.check(&answer("a")).violations, []);
        assert!(checker.check(&answer("a")).violations[0].words.contains("answered before"));
        assert!(checker.check(&answer("b")).violations[0].words.contains("cancelled"));
        assert!(checker.check(&answer("c")).violations[0].words.contains("never called"));
    }

    #[test]
    fn paths() {
        let path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
        let facts = check_path(path).expect("a good path");
        assert_eq!((facts.version.as_str(), facts.constrained, facts.double_slash), ("v1beta", false, false));
        assert!(check_path(&format!("/{path}Constrained")).is_ok_and(|facts| facts.constrained && facts.double_slash));
        assert!(check_path("/ws/google.ai.generativelanguage.v9.GenerativeService.BidiGenerateContent").is_err());
        let vertex = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent";
        assert!(check_path(vertex).is_ok_and(|facts| facts.vertex));
        assert!(check_path("/").is_err());
    }
}
