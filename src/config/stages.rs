//! `agents.NAME` of kind `pipeline`: where its three stages are, and what each is asked for.

use super::Reader;
use crate::{
    agent::stages::{Stage, WITHIN, speech::Format},
    agent::wire::Encoding,
    error::{Error, Result},
    network::url::Url,
    unit::{SampleRate, parse_duration},
};
use std::{path::PathBuf, time::Duration};

/// The kind of its profiles.
pub const PIPELINE: &str = "pipeline";
/// What it is, for people.
pub const ABOUT: &str = "speech to text, a language model, text to speech: three services over HTTP, yours or OpenAI's";
/// Its settings, besides those of all profiles.
pub(super) const SETTINGS: &[&str] = &[
    "endpoint",
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
    "vad_prefix",
    "audio",
    "speed",
    "max_tokens",
    "reasoning",
    "stt",
    "stt_key_file",
    "stt_model",
    "llm",
    "llm_key_file",
    "tts",
    "tts_key_file",
    "tts_model",
    "tts_format",
    "stage_timeout",
    "stt_command",
    "stt_format",
    "tts_command",
    "command_ahead",
    "stt_api",
    "tts_api",
];

/// What a profile says of its stages.
#[derive(Clone, Debug, PartialEq)]
pub struct Stages {
    /// Base URL of each that has its own.
    pub base: [Option<Url>; 3],
    /// File that holds the key of each that has its own.
    pub key_file: [Option<PathBuf>; 3],
    /// Model that writes down.
    pub stt_model: Option<String>,
    /// Model that speaks.
    pub tts_model: Option<String>,
    /// How it gives its sound.
    pub format: Format,
    /// How long one may be silent.
    pub within: Duration,
    /// Program and arguments of each that is one; empty is none.
    pub command: [Vec<String>; 3],
    /// The ear's program wants a WAV.
    pub program_of_wav: bool,
    /// Programs are started before they are needed.
    pub ahead: bool,
    /// The ear is Deepgram's.
    pub deepgram: bool,
    /// The voice is `ElevenLabs`'.
    pub elevenlabs: bool,
}

impl Default for Stages {
    fn default() -> Self {
        Self {
            base: [None, None, None],
            key_file: [None, None, None],
            stt_model: None,
            tts_model: None,
            format: Format::Pcm(SampleRate::HZ_24000),
            within: WITHIN,
            command: [const { Vec::new() }; 3],
            program_of_wav: false,
            ahead: false,
            deepgram: false,
            elevenlabs: false,
        }
    }
}

impl Reader<'_> {
    pub(super) fn stages(&self, key: &dyn Fn(&str) -> String, audio: Option<Encoding>) -> Result<Stages> {
        if audio.is_some_and(|audio| !matches!(audio, Encoding::Pcm(_))) {
            return Err(self.wrong(&key("audio"), "must be one of pcm8, pcm16, pcm24 for pipeline"));
        }
        let text = |field: &str| self.optional(&key(field), |text| Ok(text.to_owned()));
        let mut stages = Stages {
            stt_model: text("stt_model")?,
            tts_model: text("tts_model")?,
            within: self.optional(&key("stage_timeout"), parse_duration)?.unwrap_or(WITHIN),
            ..Stages::default()
        };
        if stages.within < Duration::from_millis(100) {
            return Err(self.wrong(&key("stage_timeout"), "must be 100ms or more"));
        }
        if let Some(format) = self.optional(&key("tts_format"), format)? {
            stages.format = format;
        }
        for stage in Stage::ALL {
            let name = stage.name();
            // A WebSocket is asked for over HTTP.
            let base = |text: &str| match text.strip_prefix("ws") {
                Some(rest) if rest.starts_with(':') || rest.starts_with("s:") => Url::parse(&format!("http{rest}")),
                _ => Url::parse(text),
            };
            stages.base[stage as usize] = self.optional(&key(name), base)?;
            stages.key_file[stage as usize] = text(&format!("{name}_key_file"))?.map(PathBuf::from);
            // The model has no program: what a conversation is, none of them agrees on.
            let command = key(&format!("{name}_command"));
            let words = self.layers.value(&command).filter(|_| stage != Stage::Llm);
            let words = words.map(|(words, _)| words.items()).unwrap_or_default();
            if !words.is_empty() && stages.base[stage as usize].is_some() {
                return Err(self.wrong(&command, &format!("{name}_command and {name} cannot both be given")));
            }
            stages.command[stage as usize] = words;
        }
        let api = |field: &str, other: &str| {
            self.optional(&key(field), |text| match text {
                "openai" => Ok(false),
                text if text == other => Ok(true),
                _ => Err(format!("must be one of openai, {other}")),
            })
            .map(Option::unwrap_or_default)
        };
        (stages.deepgram, stages.elevenlabs) = (api("stt_api", "deepgram")?, api("tts_api", "elevenlabs")?);
        for (streams, field, stage) in
            [(stages.deepgram, "stt_api", Stage::Stt), (stages.elevenlabs, "tts_api", Stage::Tts)]
        {
            if streams && !stages.command[stage as usize].is_empty() {
                return Err(self.wrong(&key(field), &format!("{}_command is a program and has no API", stage.name())));
            }
        }
        if stages.elevenlabs && text("voice")?.is_none() {
            return Err(self.wrong(&key("tts_api"), "needs voice: the id of one of the account's voices"));
        }
        if stages.elevenlabs && stages.format == Format::Wav {
            return Err(self.wrong(&key("tts_format"), "must be one of pcm8, pcm16, pcm24 with tts_api elevenlabs"));
        }
        stages.program_of_wav = self
            .optional(&key("stt_format"), |text| match text {
                "pcm" => Ok(false),
                "wav" => Ok(true),
                _ => Err("must be one of pcm, wav".to_owned()),
            })?
            .unwrap_or_default();
        stages.ahead = self
            .optional(&key("command_ahead"), |text| text.parse().map_err(|_| "must be true or false".to_owned()))?
            .unwrap_or_default();
        Ok(stages)
    }
}

fn format(text: &str) -> Result<Format, String> {
    match (text, Encoding::parse(text)) {
        ("wav", _) => Ok(Format::Wav),
        (_, Some(Encoding::Pcm(rate))) => Ok(Format::Pcm(rate)),
        _ => Err("must be one of wav, pcm8, pcm16, pcm24".to_owned()),
    }
}

/// A base URL with a path behind it.
///
/// # Errors
/// Names the setting.
pub fn behind(base: &str, path: &str, setting: &str) -> Result<Url> {
    let address = format!("{}{path}", base.trim_end_matches('/'));
    Url::parse(&address).map_err(|problem| {
        Error::usage(format!("{setting} = {base}: {problem}")).hint("name the service: https://api.openai.com/v1")
    })
}
