//! From a profile of kind `pipeline` to its three services: addresses, and which of them gets which key.
//!
//! A service with a base URL of its own gets only a key of its own: no key goes where its owner did not send it.

use crate::{
    agent::{
        event::About,
        stages::{Interrupts, Settings, Stage},
        wire,
    },
    call::BargeIn,
    config::{AgentProfile, read_secret, secret_from_environment, stages::behind},
    error::{Error, Kind, Result},
    network::url::Url,
    redact::Secret,
};
use std::sync::Arc;

/// Where stages are that the profile does not place.
const ENDPOINT: &str = "https://api.openai.com/v1";
/// Holds the key of stages without a place of their own.
const KEY: &str = "OPENAI_API_KEY";

/// Where one stage is.
#[derive(Clone, Debug)]
pub struct StagePlan {
    /// The whole address.
    pub url: Url,
    /// Its key, if it needs one.
    pub key: Option<Secret>,
    /// Where the key is looked for, for messages.
    pub key_name: &'static str,
}

/// The three stages and what they are told.
#[derive(Clone, Debug)]
pub struct StagedPlan {
    /// In the order of [`Stage::ALL`].
    pub stages: [StagePlan; 3],
    /// What the profile says.
    pub settings: Settings,
}

impl StagedPlan {
    /// The plan of a profile.
    ///
    /// # Errors
    /// An address that is none, a key that is not there.
    pub fn of(profile: &AgentProfile, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let place = |stage: Stage| stage_plan(stage, profile, env);
        let stages = [place(Stage::Stt)?, place(Stage::Llm)?, place(Stage::Tts)?];
        let owners = [0, 1, 2].map(|at: usize| stages[at].url.authority().to_owned());
        let settings = Settings {
            told: Arc::new(profile.remote.clone()),
            stt_model: profile.stages.stt_model.clone(),
            tts_model: profile.stages.tts_model.clone(),
            format: profile.stages.format,
            within: profile.stages.within,
            owners,
            interrupts: match profile.barge_in {
                None | Some(BargeIn::Local) => Interrupts::Voice,
                Some(BargeIn::Provider) => Interrupts::Words,
                Some(BargeIn::Off) => Interrupts::Never,
            },
        };
        Ok(Self { stages, settings })
    }

    /// The settings for one call: what is known of it is filled in.
    #[must_use]
    pub fn for_call(&self, about: &About) -> Settings {
        Settings { told: Arc::new(self.settings.told.for_call(about)), ..self.settings.clone() }
    }

    /// The plan with other words.
    #[must_use]
    pub fn with(&self, told: wire::Settings) -> Self {
        Self { stages: self.stages.clone(), settings: Settings { told: Arc::new(told), ..self.settings.clone() } }
    }
}

fn stage_plan(stage: Stage, profile: &AgentProfile, env: &dyn Fn(&str) -> Option<String>) -> Result<StagePlan> {
    let own = profile.stages.base[stage as usize].as_ref();
    let key_file = profile.stages.key_file[stage as usize].as_ref();
    let own_name = match stage {
        Stage::Stt => "VOXGW_STT_KEY",
        Stage::Llm => "VOXGW_LLM_KEY",
        Stage::Tts => "VOXGW_TTS_KEY",
    };
    let (base, setting) = match own {
        Some(url) => (
            format!("{}://{}{}", if url.is_secure() { "https" } else { "http" }, url.authority(), url.path()),
            stage.name(),
        ),
        None => (profile.endpoint.clone().unwrap_or_else(|| ENDPOINT.to_owned()), "endpoint"),
    };
    let url = behind(&base, stage.path(), &format!("agents.{}.{setting}", profile.name))?;
    let mut key = match key_file {
        Some(path) => Some(read_secret(path)?),
        None => secret_from_environment(own_name, env)?,
    };
    if own.is_some() {
        return Ok(StagePlan { url, key, key_name: own_name });
    }
    if key.is_none() {
        key = match &profile.key_file {
            Some(path) => Some(read_secret(path)?),
            None => secret_from_environment(KEY, env)?,
        };
    }
    if key.is_none() && profile.endpoint.is_none() {
        let problem = format!("agent {}: there is no key for its {} at {ENDPOINT}", profile.name, stage.name());
        return Err(Error::new(Kind::Agent, problem).hint(format!(
            "set {KEY}, or agents.NAME.key_file; or name a service of your own: agents.NAME.{}",
            stage.name()
        )));
    }
    Ok(StagePlan { url, key, key_name: KEY })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layers};
    use std::path::Path;

    fn plan(profile: &str, env: &[(&str, &str)]) -> Result<StagedPlan> {
        let mut layers = Layers::defaults();
        layers.add_file_text(&format!("[agents.p]\nkind = 'pipeline'\n{profile}"), Path::new("voxgw.toml"))?;
        layers.check_names()?;
        let config = Config::from_layers(&layers)?;
        assert!(config.warnings().is_empty(), "{:?}", config.warnings());
        let env = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        StagedPlan::of(&config.profile("p")?, &env)
    }

    #[test]
    fn keys_go_only_where_they_were_sent() {
        let env = [("OPENAI_API_KEY", "sk-vendor"), ("VOXGW_TTS_KEY", "voice-key")];
        let plan = plan("stt = 'http://127.0.0.1:9000/v1/'\ntts = 'https://voice.example.org'", &env).unwrap();
        let found = plan.stages.map(|stage| {
            (format!("{}{}", stage.url.authority(), stage.url.path()), stage.key.map(|key| key.reveal().to_owned()))
        });
        let expected = [
            ("127.0.0.1:9000/v1/audio/transcriptions", None),
            ("api.openai.com/v1/chat/completions", Some("sk-vendor")),
            ("voice.example.org/audio/speech", Some("voice-key")),
        ];
        assert_eq!(found, expected.map(|(place, key)| (place.to_owned(), key.map(str::to_owned))));
        assert_eq!(plan.settings.owners, ["127.0.0.1:9000", "api.openai.com", "voice.example.org"]);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (profile, wrong) in [
            ("", "no key for its stt"),
            ("endpoint = 'wss://h/v1'", "agents.p.endpoint = wss://h/v1: must begin with https://"),
            ("llm = 'h/v1'", "agents.p.llm"),
            ("tts_format = 'mp3'", "must be one of wav"),
            ("audio = 'pcmu'", "pcm8, pcm16, pcm24"),
            ("stage_timeout = '1ms'", "100ms or more"),
        ] {
            let problem = plan(profile, &[]).unwrap_err().to_string();
            assert!(problem.contains(wrong), "{profile}: {problem}");
        }
        assert!(
            plan("endpoint = 'http://127.0.0.1:8000/v1'\nbarge_in = 'provider'", &[]).is_ok(),
            "local servers need none"
        );
    }
}
