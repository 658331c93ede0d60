//! The settings of a session of OpenAI Realtime, every field in GA's place. Does not know what happens in it.

use super::{
    super::{Encoding, Settings, tool::Tool},
    TRANSCRIPTION,
};
use serde_json::{Map, Value, json};

/// What `session.update` asks for.
pub(super) fn wanted(settings: &Settings, encoding: Encoding, interruptible: bool) -> Value {
    let format = match encoding {
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
    input.insert("turn_detection".into(), turn_detection(settings, interruptible));
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

/// Who ends the caller's turn, and how.
pub(super) fn turn_detection(settings: &Settings, interruptible: bool) -> Value {
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
    detection.insert("interrupt_response".into(), json!(interruptible));
    Value::Object(detection)
}

/// A tool as the session has it.
fn declared(tool: &Tool) -> Value {
    let parameters = tool.parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    json!({"type": "function", "name": tool.name, "description": tool.description, "parameters": parameters})
}
