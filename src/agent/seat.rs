//! From a profile to an agent that can take calls: scripts are read once, keys are found, addresses are made.

use super::{
    event::Sound,
    local::{
        LocalAgent,
        echo::Echo,
        play::Play,
        scripted::{DEFAULT, Script, Scripted},
    },
    prompts,
    wire::gemini,
};
use crate::{
    call::{BargeIn, Early, turn::Owner},
    config::{AgentProfile, read_secret, secret_from_environment},
    error::{Error, Kind, Result},
    redact::Secret,
    unit::SampleRate,
};
use std::{path::Path, sync::Arc, time::Duration};

/// The vendor's address.
const GEMINI: &str = "wss://generativelanguage.googleapis.com";

/// An agent that is ready to be seated at any number of calls.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Profile name.
    pub name: String,
    /// Who decides that the caller interrupts.
    pub barge_in: BargeIn,
    /// Whose the model is.
    pub owner: Owner,
    /// Sound gathered before a turn plays.
    pub prebuffer: Duration,
    /// What a caller hears before the answer.
    pub early: Early,
    /// What it is.
    pub what: What,
}

/// What an agent is.
#[derive(Clone, Debug)]
pub enum What {
    /// `echo`.
    Echo {
        /// Loops at once.
        live: bool,
    },
    /// `scripted`.
    Scripted(Arc<Script>),
    /// `gemini`.
    Gemini(Arc<GeminiPlan>),
    /// `dial --play` and `--silence`.
    Play(PlayPlan),
}

/// Where Gemini is and what it is told.
#[derive(Debug)]
pub struct GeminiPlan {
    /// Whole URL without a key.
    pub url: String,
    /// Goes into a header.
    pub key: Secret,
    /// Setup.
    pub settings: gemini::Settings,
}

/// What `dial` plays.
#[derive(Clone, Debug, Default)]
pub struct PlayPlan {
    /// Sounds, one after another.
    pub files: Vec<Sound>,
    /// Digits and when they are pressed.
    pub digits: Vec<(Duration, String)>,
    /// From the answer to the first sound.
    pub start_after: Duration,
    /// From the last sound to hanging up.
    pub hang_up_after: Option<Duration>,
    /// Let the far end finish before beginning.
    pub waits_to_begin: bool,
    /// Let the far end finish before hanging up.
    pub waits_to_end: bool,
}

impl Plan {
    /// The plan of a profile.
    ///
    /// # Errors
    /// A script that cannot be read, a key that is not there.
    pub fn of(profile: &AgentProfile, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let what = match profile.kind.as_str() {
            "echo" => What::Echo { live: profile.live },
            "gemini" => What::Gemini(Arc::new(gemini_plan(profile, env)?)),
            _ => What::Scripted(Arc::new(script(profile.script.as_deref())?)),
        };
        let (barge_in, owner, prebuffer) = match &what {
            What::Gemini(_) => (BargeIn::Provider, Owner::Provider, Duration::ZERO),
            What::Echo { live: true } => (BargeIn::Off, Owner::Offline, Duration::from_millis(40)),
            _ => (BargeIn::Local, Owner::Offline, Duration::ZERO),
        };
        Ok(Self {
            name: profile.name.clone(),
            barge_in: profile.barge_in.unwrap_or(barge_in),
            owner,
            prebuffer: profile.prebuffer.unwrap_or(prebuffer),
            early: profile.early,
            what,
        })
    }

    /// The plan of `dial --play`, `--silence`.
    #[must_use]
    pub fn play(name: &str, play: PlayPlan) -> Self {
        Self {
            name: name.to_owned(),
            barge_in: BargeIn::Off,
            owner: Owner::Offline,
            prebuffer: Duration::ZERO,
            early: Early::Off,
            what: What::Play(play),
        }
    }

    /// An offline agent for one call; none if it is remote.
    #[must_use]
    pub fn local(&self) -> Option<Box<dyn LocalAgent>> {
        Some(match &self.what {
            What::Echo { live } => Box::new(Echo::new(*live)),
            What::Scripted(script) => Box::new(Scripted::new(Arc::clone(script))),
            What::Play(play) => {
                let player = Play::new(play.files.clone(), play.digits.clone(), play.start_after, play.hang_up_after);
                Box::new(player.waiting(play.waits_to_begin, play.waits_to_end))
            }
            What::Gemini(_) => return None,
        })
    }

    /// Rate that it speaks at, as far as it may choose.
    #[must_use]
    pub const fn speaks(&self) -> SampleRate {
        match &self.what {
            What::Gemini(_) => gemini::DOWNLINK_RATE,
            What::Echo { .. } | What::Scripted(_) | What::Play(_) => SampleRate::HZ_16000,
        }
    }

    /// Rate that a remote agent wants to hear.
    #[must_use]
    pub const fn rate(&self) -> Option<SampleRate> {
        match &self.what {
            What::Gemini(_) => Some(gemini::UPLINK_RATE),
            _ => None,
        }
    }
}

/// Reads a script, or the one inside the binary.
///
/// # Errors
/// Names the file and the place.
pub fn script(path: Option<&Path>) -> Result<Script> {
    let Some(path) = path else {
        return Script::parse(DEFAULT, &mut |name| prompts::of_script(name, None))
            .map_err(|problem| Error::new(Kind::Bug, format!("the script inside the binary: {problem}")));
    };
    let text = std::fs::read_to_string(path).map_err(|source| Error::file("read", path, &source))?;
    Script::parse(&text, &mut |name| prompts::of_script(name, path.parent()))
        .map_err(|problem| Error::usage(format!("{}: {}", path.display(), problem.trim_end())))
}

/// The key: file of the profile, `GEMINI_API_KEY`, `GOOGLE_API_KEY`, or their `_FILE` variants.
///
/// # Errors
/// Names the file that could not be read.
pub fn gemini_key(profile: &AgentProfile, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Secret>> {
    if let Some(path) = &profile.key_file {
        return read_secret(path).map(Some);
    }
    for name in ["GEMINI_API_KEY", "GOOGLE_API_KEY"] {
        if let Some(key) = secret_from_environment(name, env)? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn gemini_plan(profile: &AgentProfile, env: &dyn Fn(&str) -> Option<String>) -> Result<GeminiPlan> {
    let key = gemini_key(profile, env)?.ok_or_else(|| {
        Error::new(Kind::Agent, format!("agent {}: there is no key for Gemini", profile.name))
            .hint("set GEMINI_API_KEY, or agents.NAME.key_file; without a key use --agent scripted")
    })?;
    let base = profile.endpoint.as_deref().unwrap_or(GEMINI).trim_end_matches('/');
    if !base.starts_with("ws://") && !base.starts_with("wss://") {
        return Err(Error::usage(format!(
            "agents.{}.endpoint = {base}: must begin with wss:// or ws://",
            profile.name
        )));
    }
    let url =
        format!("{base}/ws/google.ai.generativelanguage.{}.GenerativeService.BidiGenerateContent", profile.api_version);
    Ok(GeminiPlan { url, key, settings: profile.gemini.clone() })
}
