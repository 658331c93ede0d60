//! Frames of OpenAI Realtime as they are read: GA's and the beta's shapes. What they mean is the parent's.

use super::{super::Encoding, Tokens};
use crate::{agent::event::Event, unit::SampleRate};
use serde::Deserialize;
use serde_json::Value;
use std::{borrow::Cow, collections::VecDeque};

/// One frame as `T`; what cannot be read is said, not fatal.
pub(in crate::agent::wire) fn read<'a, T: Deserialize<'a>>(frame: &'a [u8], events: &mut VecDeque<Event>) -> Option<T> {
    serde_json::from_slice(frame)
        .map_err(|problem| {
            events.push_back(Event::Note(format!("a frame from the provider could not be read: {problem}")));
        })
        .ok()
}

/// How the service says that it speaks: GA's object, or the beta's word.
pub(super) fn output_of(session: &Value) -> Option<Encoding> {
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

#[derive(Deserialize)]
pub(in crate::agent::wire) struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
}

#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow, rename = "delta")]
    pub piece: Cow<'a, str>,
    #[serde(borrow)]
    pub response_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub item_id: Option<Cow<'a, str>>,
    pub content_index: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    pub item_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub delta: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub transcript: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct SessionEvent {
    pub session: Value,
}

#[derive(Deserialize)]
pub(super) struct ResponseEvent {
    pub response: Response,
}

#[derive(Deserialize)]
pub(super) struct Response {
    pub id: Option<String>,
    pub status: Option<String>,
    pub status_details: Option<StatusDetails>,
    pub usage: Option<Tokens>,
    #[serde(default)]
    pub output: Vec<OutputItem>,
}

#[derive(Deserialize)]
pub(super) struct StatusDetails {
    pub error: Option<ErrorBody>,
}

#[derive(Deserialize)]
pub(in crate::agent::wire) struct OutputItem {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub name: Option<String>,
    pub call_id: Option<String>,
    /// JSON text.
    pub arguments: Option<String>,
    pub response_id: Option<String>,
}

#[derive(Deserialize)]
pub(in crate::agent::wire) struct ErrorEvent {
    pub error: ErrorBody,
}

#[derive(Deserialize)]
pub(in crate::agent::wire) struct ErrorBody {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub code: Option<String>,
    pub message: Option<String>,
}

impl ErrorBody {
    pub fn words(&self) -> String {
        let name = self.code.clone().or_else(|| self.kind.clone()).unwrap_or_default();
        let message: String = self.message.as_deref().unwrap_or_default().chars().take(300).collect();
        if message.is_empty() { name } else { format!("{name}: {message}") }
    }
}
