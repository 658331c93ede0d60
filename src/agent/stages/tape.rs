//! The cassette of a `pipeline` agent: what its stages were asked and what they answered, piece by piece, as lines of JSON.
//!
//! Owns the shape of an entry, which the driver writes and [`crate::agent::taped`] reads. Sound that we sent is left out, its
//! length is said; keys are in headers, which are not entries.

use super::{Ask, Interrupts, Problem, Settings, Shape, Stage, speech::Format};
use crate::{agent::wire, unit::SampleRate};
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{sync::Arc, time::Duration};

/// Name of the wire in `agent.jsonl`.
pub const LABEL: &str = "pipeline";

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The first: what a replay needs to know.
    Setup(Setup),
    /// A stage is asked.
    Ask {
        /// Number of the request.
        id: u32,
        /// Which stage.
        stage: String,
        /// What: the model's question, the sentence, the length of sound.
        body: String,
    },
    /// A piece of an answer that is text.
    Text {
        /// Of which request.
        id: u32,
        /// The piece.
        text: String,
    },
    /// A piece that is none.
    Bytes {
        /// Of which request.
        id: u32,
        /// The piece.
        base64: String,
    },
    /// An answer is whole.
    End {
        /// Of which request.
        id: u32,
    },
    /// There is no answer, or it broke off.
    Failed {
        /// Of which request.
        id: u32,
        /// Why.
        text: String,
        /// Asking again may help.
        passing: bool,
    },
    /// The model called a tool.
    ToolCalled {
        /// Its name for the call.
        id: String,
    },
    /// What came of it.
    ToolResult {
        /// Its name for the call.
        id: String,
        /// The tool.
        name: String,
        /// The result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Value>,
        /// Or why there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// What decides how a conversation goes, besides the answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Samples a second that the ear gets.
    pub rate: u32,
    /// Samples a second of the voice, where it gives samples without a head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice_rate: Option<u32>,
    /// How long a stage may be silent.
    pub within_ms: u64,
    /// Who answers for each stage's time.
    pub owners: [String; 3],
    /// What each stage is.
    pub shapes: [Shape; 3],
    /// Who decides that the caller interrupts.
    pub interrupts: Interrupts,
    /// A key interrupts.
    pub keys_interrupt: bool,
    /// It speaks first.
    pub greets: bool,
    /// Silence that ends the caller's turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u32>,
}

impl Setup {
    /// Of a conversation.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            rate: super::talk::Talk::rate(settings).0,
            voice_rate: if let Format::Pcm(rate) = settings.format { Some(rate.0) } else { None },
            within_ms: u64::try_from(settings.within.as_millis()).unwrap_or(u64::MAX),
            owners: settings.owners.clone(),
            shapes: settings.shapes,
            interrupts: settings.interrupts,
            keys_interrupt: settings.keys_interrupt,
            greets: settings.told.greeting.is_some(),
            silence_ms: settings.told.silence_ms,
        }
    }

    /// Settings for the same conversation.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let told = wire::Settings {
            greeting: self.greets.then(|| "Greet the caller.".to_owned()),
            silence_ms: self.silence_ms,
            audio: Some(wire::Encoding::Pcm(SampleRate(self.rate))),
            ..wire::Settings::default()
        };
        Settings {
            told: Arc::new(told),
            format: self.voice_rate.map_or(Format::Wav, |rate| Format::Pcm(SampleRate(rate))),
            within: Duration::from_millis(self.within_ms),
            owners: self.owners.clone(),
            shapes: self.shapes,
            interrupts: self.interrupts,
            keys_interrupt: self.keys_interrupt,
            ..Settings::default()
        }
    }
}

impl Entry {
    /// A request.
    #[must_use]
    pub fn ask(ask: &Ask) -> Self {
        let body = if ask.stage == Stage::Stt {
            format!("{} bytes of sound", ask.body.len())
        } else {
            String::from_utf8_lossy(&ask.body).into_owned()
        };
        Self::Ask { id: ask.id, stage: ask.stage.name().to_owned(), body }
    }

    /// A piece of an answer.
    #[must_use]
    pub fn piece(id: u32, bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text { id, text: text.to_owned() },
            Err(_) => Self::Bytes { id, base64: base64::engine::general_purpose::STANDARD.encode(bytes) },
        }
    }

    /// A failure.
    #[must_use]
    pub fn failed(id: u32, problem: &Problem) -> Self {
        Self::Failed { id, text: problem.text.clone(), passing: problem.passing }
    }

    /// As a line's text.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
