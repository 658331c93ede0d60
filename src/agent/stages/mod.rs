//! The agent of kind `pipeline`: speech to text, a language model, text to speech, each a service of its own over HTTP,
//! or a program on this machine.
//!
//! Owns the whole conversation as one machine, [`talk::Talk`], which asks its three [`Stage`]s and takes their answers
//! piece by piece. Knows no socket, clock or key: `gateway::session` carries requests, [`super::seat`] finds keys and
//! addresses. The shapes are those of OpenAI's HTTP API, which local servers speak as well; a program takes the sound or
//! the sentence on its standard input, and answers on its standard output.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod deepgram;
pub mod elevenlabs;
pub mod history;
pub mod requests;
pub mod sentences;
pub mod speech;
pub mod sse;
pub mod talk;
pub mod tape;

use super::{
    event::{Command, Event},
    wire,
};
use crate::{clock::Instant, unit::SampleRate};
use serde::{Deserialize, Serialize};
use speech::Format;
use std::{sync::Arc, time::Duration};

/// Writes down what the caller says, if the profile names no model.
pub const STT_MODEL: &str = "gpt-transcribe";
/// Answers, if the profile names no model.
pub const LLM_MODEL: &str = "gpt-5-mini";
/// Speaks, if the profile names no model.
pub const TTS_MODEL: &str = "gpt-4o-mini-tts";
/// The voice, if the profile names none: the service asks for one.
pub const VOICE: &str = "alloy";

/// One of the three services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Speech to text.
    Stt,
    /// The language model.
    Llm,
    /// Text to speech.
    Tts,
}

impl Stage {
    /// All of them, in the order of a turn.
    pub const ALL: [Self; 3] = [Self::Stt, Self::Llm, Self::Tts];

    /// Its name in settings and journals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stt => "stt",
            Self::Llm => "llm",
            Self::Tts => "tts",
        }
    }

    /// Behind the base URL.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Stt => "/audio/transcriptions",
            Self::Llm => "/chat/completions",
            Self::Tts => "/audio/speech",
        }
    }
}

/// What a stage is, and so what it is sent and what its answers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// OpenAI's HTTP API.
    #[default]
    Http,
    /// A program: 16-bit little-endian mono samples in and text out, or text in and sound out.
    Program,
    /// A program that wants a WAV.
    ProgramOfWav,
    /// An ear that hears while the caller speaks, over a WebSocket: [`deepgram`].
    Deepgram,
    /// A voice over a WebSocket: [`elevenlabs`].
    ElevenLabs,
}

impl Shape {
    /// A program on this machine.
    #[must_use]
    pub const fn is_program(self) -> bool {
        matches!(self, Self::Program | Self::ProgramOfWav)
    }
}

/// Who decides that the caller interrupts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interrupts {
    /// Voice, as our own detector hears it.
    #[default]
    Voice,
    /// Words, as they were written down.
    Words,
    /// The call says so: its detector listens more closely, or pauses what is heard meanwhile.
    Call,
    /// Nothing.
    Never,
}

/// What a profile says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What all agents with a model are told: instructions, voice, language, tools and so on.
    pub told: Arc<wire::Settings>,
    /// Model that writes down.
    pub stt_model: Option<String>,
    /// Model that speaks.
    pub tts_model: Option<String>,
    /// How it is to give its sound.
    pub format: Format,
    /// A stage that says nothing for so long has failed.
    pub within: Duration,
    /// Who answers for each stage's time, in the parts of a gap: the host, or the program.
    pub owners: [String; 3],
    /// What each stage is.
    pub shapes: [Shape; 3],
    /// Who decides that the caller interrupts.
    pub interrupts: Interrupts,
    /// A key interrupts, unless nothing does.
    pub keys_interrupt: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            told: Arc::default(),
            stt_model: None,
            tts_model: None,
            format: Format::Pcm(SampleRate::HZ_24000),
            within: WITHIN,
            owners: Stage::ALL.map(|stage| stage.name().to_owned()),
            shapes: [Shape::Http; 3],
            interrupts: Interrupts::Voice,
            keys_interrupt: true,
        }
    }
}

/// How long a stage may be silent, if the profile does not say: callers hang up soon after.
pub const WITHIN: Duration = Duration::from_secs(8);

/// A request for one of the stages.
#[derive(Clone, PartialEq, Eq)]
pub struct Ask {
    /// Its number; the answers' pieces carry it.
    pub id: u32,
    /// Whom.
    pub stage: Stage,
    /// Type of the body.
    pub content_type: String,
    /// The body.
    pub body: Arc<[u8]>,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ask {{ {} to {}, {} bytes }}", self.id, self.stage.name(), self.body.len())
    }
}

/// Why a request has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// In words, without any key.
    pub text: String,
    /// Asking again may help: 429, 5xx, a broken connection.
    pub passing: bool,
}

/// What happens to a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Input<'a> {
    /// The call says something.
    Call(Command<'a>),
    /// A piece of the body of a 2xx answer.
    Piece(u32, &'a [u8]),
    /// The body is over.
    End(u32),
    /// There is no answer, or it broke off.
    Failed(u32, Problem),
    /// Time passed.
    Timeout,
}

/// What it wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Tell the call.
    Event(Event),
    /// Ask a stage.
    Ask(Ask),
    /// Nobody waits for this answer any more: close its connection.
    Drop(u32),
    /// More of what the caller says, for an ear that hears meanwhile.
    Hear(Vec<i16>),
    /// That utterance is over.
    HeardOut,
    /// Nothing more; call [`talk::Talk::handle`] with [`Input::Timeout`] then.
    Timeout(Instant),
}
