//! From a profile of kind `pipeline` to its three services: addresses, and which of them gets which key; or programs.
//!
//! A service with a base URL of its own gets only a key of its own: no key goes where its owner did not send it.

use crate::{
    agent::{
        event::About,
        stages::{Interrupts, Settings, Shape, Stage, deepgram, elevenlabs, talk::Talk},
        wire,
    },
    call::{BargeIn, manners::Manners},
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

/// What one stage is.
#[derive(Clone, Debug)]
pub enum StagePlan {
    /// A service over HTTP.
    Service(Service),
    /// A program on this machine.
    Program(Program),
}

/// Where a service is.
#[derive(Clone, Debug)]
pub struct Service {
    /// The whole address.
    pub url: Url,
    /// Its key, if it needs one.
    pub key: Option<Secret>,
    /// Where the key is looked for, for messages.
    pub key_name: &'static str,
}

/// How a program is started: without a shell, so that nothing which is filled in can be a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its name, looked for in `PATH`, or where it is.
    pub name: String,
    /// What it is given; `{{language}}`, `{{voice}}`, `{{model}}`, `{{speed}}` and `{{rate}}` are filled in.
    pub arguments: Vec<String>,
    /// One is started before it is needed.
    pub ahead: bool,
}

impl Program {
    /// Its name without the folders.
    #[must_use]
    pub fn short(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// The arguments for one call.
    ///
    /// # Errors
    /// In words: a value would be taken for an option.
    pub fn arguments(&self, stage: Stage, settings: &Settings) -> std::result::Result<Vec<String>, String> {
        let told = &settings.told;
        let own = if stage == Stage::Stt { &settings.stt_model } else { &settings.tts_model };
        let values = [
            ("language", told.language.clone()),
            ("voice", told.voice.clone()),
            ("model", own.clone()),
            ("speed", told.speed.map(|speed| speed.to_string())),
            ("rate", Some(Talk::rate(settings).0.to_string())),
        ];
        let mut filled = self.arguments.clone();
        for (name, value) in values {
            let (mark, value) = (format!("{{{{{name}}}}}"), value.unwrap_or_default());
            for argument in filled.iter_mut().filter(|argument| argument.contains(&mark)) {
                if argument.starts_with(&mark) && value.starts_with('-') {
                    return Err(format!("{name} = {value} would be an option of {}", self.short()));
                }
                *argument = argument.replace(&mark, &value);
            }
        }
        Ok(filled)
    }
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
    /// An address that is none, a key that is not there, a program whose arguments cannot be made.
    pub fn of(profile: &AgentProfile, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let place = |stage: Stage| stage_plan(stage, profile, env);
        let stages = [place(Stage::Stt)?, place(Stage::Llm)?, place(Stage::Tts)?];
        let owners = [0, 1, 2].map(|at: usize| match &stages[at] {
            StagePlan::Service(service) => service.url.authority().to_owned(),
            StagePlan::Program(program) => program.short().to_owned(),
        });
        let shape = |stage: Stage| match &stages[stage as usize] {
            StagePlan::Service(_) if stage == Stage::Stt && profile.stages.deepgram => Shape::Deepgram,
            StagePlan::Service(_) if stage == Stage::Tts && profile.stages.elevenlabs => Shape::ElevenLabs,
            StagePlan::Service(_) => Shape::Http,
            StagePlan::Program(_) if stage == Stage::Stt && profile.stages.program_of_wav => Shape::ProgramOfWav,
            StagePlan::Program(_) => Shape::Program,
        };
        let manners =
            Manners { speech_min: profile.manners.speech_min, grace: profile.manners.grace, ..Manners::default() };
        let is_patient = manners.is_patient();
        let shapes = Stage::ALL.map(shape);
        let settings = Settings {
            told: Arc::new(profile.remote.clone()),
            stt_model: profile.stages.stt_model.clone(),
            tts_model: profile.stages.tts_model.clone(),
            format: profile.stages.format,
            within: profile.stages.within,
            owners,
            shapes,
            interrupts: match profile.barge_in {
                Some(BargeIn::Pause) => Interrupts::Call,
                None | Some(BargeIn::Local) if is_patient => Interrupts::Call,
                None | Some(BargeIn::Local) => Interrupts::Voice,
                Some(BargeIn::Provider) => Interrupts::Words,
                Some(BargeIn::Off) => Interrupts::Never,
            },
            keys_interrupt: profile.manners.keys != Some(false),
        };
        for (stage, plan) in Stage::ALL.into_iter().zip(&stages) {
            if let StagePlan::Program(program) = plan {
                program.arguments(stage, &settings).map_err(|problem| {
                    Error::usage(format!("agents.{}.{}_command: {problem}", profile.name, stage.name()))
                })?;
            }
        }
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
    if let Some((name, arguments)) = profile.stages.command[stage as usize].split_first() {
        let (name, arguments) = (name.clone(), arguments.to_vec());
        return Ok(StagePlan::Program(Program { name, arguments, ahead: profile.stages.ahead }));
    }
    let own = profile.stages.base[stage as usize].as_ref();
    let key_file = profile.stages.key_file[stage as usize].as_ref();
    let own_name = match stage {
        Stage::Stt => "VOXGW_STT_KEY",
        Stage::Llm => "VOXGW_LLM_KEY",
        Stage::Tts => "VOXGW_TTS_KEY",
    };
    let streaming = match stage {
        Stage::Stt if profile.stages.deepgram => Some((deepgram::ENDPOINT, deepgram::PATH, "DEEPGRAM_API_KEY")),
        Stage::Tts if profile.stages.elevenlabs => Some((elevenlabs::ENDPOINT, "", "ELEVENLABS_API_KEY")),
        _ => None,
    };
    if let Some((endpoint, path, vendor_key)) = streaming {
        let base = own.map_or_else(
            || endpoint.to_owned(),
            |url| format!("{}://{}{}", if url.is_secure() { "https" } else { "http" }, url.authority(), url.path()),
        );
        let url = behind(&base, path, &format!("agents.{}.{}", profile.name, stage.name()))?;
        let mut key = match key_file {
            Some(path) => Some(read_secret(path)?),
            None => secret_from_environment(own_name, env)?,
        };
        // A server of one's own does not get the vendor's.
        if key.is_none() && own.is_none() {
            key = secret_from_environment(vendor_key, env)?;
            if key.is_none() {
                let problem = format!("agent {}: there is no key for its {} at {endpoint}", profile.name, stage.name());
                return Err(Error::new(Kind::Agent, problem)
                    .hint(format!("set {vendor_key}, or agents.NAME.{}_key_file", stage.name())));
            }
        }
        let key_name = if own.is_some() { own_name } else { vendor_key };
        return Ok(StagePlan::Service(Service { url, key, key_name }));
    }
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
        return Ok(StagePlan::Service(Service { url, key, key_name: own_name }));
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
    Ok(StagePlan::Service(Service { url, key, key_name: KEY }))
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
            let StagePlan::Service(stage) = stage else { panic!("no program") };
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
    fn programs_need_no_address_and_no_value_becomes_an_option() {
        let plan = |more: &str| {
            plan(
                &format!(
                    "llm = 'http://127.0.0.1:1/v1'\nstt_command = ['/opt/ear', '-l', '{{{{language}}}}', '--rate={{{{rate}}}}']\n\
                 tts_command = 'espeak-ng, --stdin, --stdout'\n{more}"
                ),
                &[],
            )
        };
        let good = plan("language = 'de'\naudio = 'pcm8'\nstt_format = 'wav'\ncommand_ahead = true").unwrap();
        let StagePlan::Program(ear) = &good.stages[0] else { panic!("{:?}", good.stages) };
        assert_eq!(ear.arguments(Stage::Stt, &good.settings).unwrap(), ["-l", "de", "--rate=8000"]);
        assert_eq!(
            (ear.ahead, good.settings.owners.clone()),
            (true, ["ear", "127.0.0.1:1", "espeak-ng"].map(str::to_owned))
        );
        assert_eq!(good.settings.shapes, [Shape::ProgramOfWav, Shape::Http, Shape::Program]);
        let problem = plan("language = '--config=/etc/passwd'").unwrap_err().to_string();
        assert!(problem.contains("agents.p.stt_command") && problem.contains("would be an option of ear"), "{problem}");
    }

    #[test]
    fn streams_have_keys_of_their_own() {
        let env = [("DEEPGRAM_API_KEY", "dg"), ("ELEVENLABS_API_KEY", "el"), ("OPENAI_API_KEY", "sk")];
        let profile = "stt_api = 'deepgram'\ntts_api = 'elevenlabs'\nvoice = 'v'";
        let both = plan(profile, &env).unwrap();
        assert_eq!(both.settings.shapes, [Shape::Deepgram, Shape::Http, Shape::ElevenLabs]);
        let found = both.stages.map(|stage| {
            let StagePlan::Service(stage) = stage else { panic!("no program") };
            (stage.url.to_string(), stage.key.map(|key| key.reveal().to_owned()).unwrap_or_default())
        });
        let expected = [
            ("https://api.deepgram.com/v1/listen", "dg"),
            ("https://api.openai.com/v1/chat/completions", "sk"),
            ("https://api.elevenlabs.io/v1", "el"),
        ];
        assert_eq!(found, expected.map(|(url, key)| (url.to_owned(), key.to_owned())));
        let own = plan(&format!("{profile}\nstt = 'ws://127.0.0.1:9/v1'\ntts = 'wss://h/v1'"), &env).unwrap();
        for stage in [&own.stages[0], &own.stages[2]] {
            let StagePlan::Service(stage) = stage else { panic!("no program") };
            assert!(stage.key.is_none(), "a server of one's own gets no vendor's key: {}", stage.url);
        }
        assert!(
            plan(profile, &env[1..])
                .unwrap_err()
                .to_string()
                .contains("no key for its stt at https://api.deepgram.com")
        );
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
            ("tts_api = 'elevenlabs'", "needs voice"),
            ("stt_api = 'whisper'", "must be one of openai, deepgram"),
            ("stt_api = 'deepgram'\nstt_command = ['x']", "stt_command is a program"),
            ("stt_format = 'mp3'", "must be one of pcm, wav"),
            ("stt = 'http://127.0.0.1:1/v1'\nstt_command = 'x'", "stt_command and stt"),
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
