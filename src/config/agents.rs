//! Agent profiles: `[agents.NAME]`, and the kinds that there are.

use super::{
    Asks, Config, HttpTool, McpServer, Reader,
    manners::{self, MannersOf},
    stages::{self, PIPELINE, Stages},
    tools,
};
use crate::{
    agent::wire::{self, ENCODINGS, Encoding, PROVIDERS},
    call::{BargeIn, Early},
    error::{Error, Result},
    media::codec::Codec,
    unit::parse_duration,
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// The kinds of agents that need no network.
static OFFLINE: &[(&str, &str)] = &[
    ("echo", "says back what it heard when the caller stops; echo:live loops at once"),
    ("scripted", "an offline agent from a TOML file, or the one inside the binary"),
];
/// Settings of every profile, whatever its kind.
const COMMON: &[&str] =
    &["kind", "barge_in", "prebuffer", "early_media", "speaks_early", "codecs", "callback", "fallback"];

/// The kinds of agents: name and what it is. A profile of the same name is always there.
pub fn agent_kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    let providers = PROVIDERS.iter().map(|provider| (provider.name, provider.about));
    OFFLINE.iter().copied().chain(providers).chain([(PIPELINE, stages::ABOUT)])
}

/// One agent profile.
#[derive(Clone, Debug)]
pub struct AgentProfile {
    /// Its name.
    pub name: String,
    /// One of [`agent_kinds`].
    pub kind: String,
    /// `echo`: loop at once.
    pub live: bool,
    /// `scripted`: the script; none is the one inside the binary.
    pub script: Option<PathBuf>,
    /// A provider's base URL.
    pub endpoint: Option<String>,
    /// File that holds the provider's key.
    pub key_file: Option<PathBuf>,
    /// What the provider is told.
    pub remote: wire::Settings,
    /// `pipeline`: its services.
    pub stages: Stages,
    /// What it may call.
    pub tools: Vec<Arc<HttpTool>>,
    /// Servers whose tools it may call.
    pub mcp: Vec<Arc<McpServer>>,
    /// Who is asked about its calls.
    pub asks: Asks,
    /// Who decides that the caller interrupts; none is the kind's own way.
    pub barge_in: Option<BargeIn>,
    /// How it behaves towards the caller.
    pub manners: MannersOf,
    /// Sound gathered before a turn plays.
    pub prebuffer: Option<Duration>,
    /// What a caller hears before the answer.
    pub early: Early,
    /// Codecs of its calls in their order; none leaves that to trunk and gateway.
    pub codecs: Option<Vec<&'static Codec>>,
    /// Profiles that take its calls when it fails, in order.
    pub fallback: Vec<String>,
    /// Settings that are given and that its kind does not have.
    pub without_effect: Vec<&'static str>,
    /// What its provider or model may not do as asked.
    pub doubts: Vec<wire::Finding>,
}

/// What profiles say in vain.
pub(super) fn warnings(profiles: &[AgentProfile]) -> impl Iterator<Item = String> {
    profiles.iter().flat_map(|profile| {
        let AgentProfile { name, kind, .. } = profile;
        let said = move |field: &&str| format!("agents.{name}.{field} is without effect: {kind} has no such setting");
        let doubted = move |found: &wire::Finding| format!("agents.{name}.{}: {}", found.field, found.problem);
        profile.without_effect.iter().map(said).chain(profile.doubts.iter().map(doubted))
    })
}

impl AgentProfile {
    /// A profile with the defaults of `kind`.
    #[must_use]
    pub fn of_kind(name: &str, kind: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            live: false,
            script: None,
            endpoint: None,
            key_file: None,
            remote: wire::Settings::default(),
            stages: Stages::default(),
            tools: Vec::new(),
            mcp: Vec::new(),
            asks: Asks::AsAll,
            barge_in: None,
            manners: MannersOf::default(),
            prebuffer: None,
            early: Early::Off,
            codecs: None,
            fallback: Vec::new(),
            without_effect: Vec::new(),
            doubts: Vec::new(),
        }
    }
}

impl Config {
    /// Every `fallback` names agents that there are.
    ///
    /// # Errors
    /// Names the profile, and the nearest agent.
    pub(super) fn check_fallbacks(&self) -> Result<()> {
        for profile in &self.agents {
            for name in &profile.fallback {
                self.profile(name).map_err(|problem| {
                    let said = Error::usage(format!("agents.{}.fallback: {problem}", profile.name));
                    match problem.hint_text() {
                        Some(hint) => said.hint(hint.to_owned()),
                        None => said,
                    }
                })?;
            }
        }
        Ok(())
    }

    /// The profile called `name`: from the config, or one of the built-in ones.
    ///
    /// # Errors
    /// Names the nearest profile.
    pub fn profile(&self, name: &str) -> Result<AgentProfile> {
        if let Some(profile) = self.agents.iter().find(|profile| profile.name == name) {
            return Ok(profile.clone());
        }
        match name {
            _ if agent_kinds().any(|(kind, _)| kind == name) => Ok(AgentProfile::of_kind(name, name)),
            _ if name.strip_prefix("ivr:").is_some_and(|file| !file.is_empty()) => {
                let script = name.strip_prefix("ivr:").map(PathBuf::from);
                Ok(AgentProfile { script, ..AgentProfile::of_kind(name, "scripted") })
            }
            "echo:live" => Ok(AgentProfile { live: true, ..AgentProfile::of_kind(name, "echo") }),
            _ => {
                let known: Vec<&str> = self
                    .agents
                    .iter()
                    .map(|profile| profile.name.as_str())
                    .chain(agent_kinds().map(|(kind, _)| kind))
                    .chain(["echo:live"])
                    .collect();
                let error = Error::usage(format!("there is no agent called '{name}'"));
                Err(match crate::error::nearest(name, known.iter().copied()) {
                    Some(near) => error.hint(format!("did you mean {near}?")),
                    None => error.hint(format!("agents are: {}", known.join(", "))),
                })
            }
        }
    }
}

impl Reader<'_> {
    pub(super) fn agents(&self, tools: &[Arc<HttpTool>], mcp: &[Arc<McpServer>]) -> Result<Vec<AgentProfile>> {
        self.layers.names_under("agents").iter().map(|name| self.agent(name, tools, mcp)).collect()
    }

    fn agent(&self, name: &str, tools: &[Arc<HttpTool>], mcp: &[Arc<McpServer>]) -> Result<AgentProfile> {
        let key = |field: &str| format!("agents.{name}.{field}");
        let text = |field: &str| self.optional(&key(field), |text| Ok(text.to_owned()));
        let kind = text("kind")?.unwrap_or_else(|| name.split(':').next().unwrap_or(name).to_owned());
        if !agent_kinds().any(|(known, _)| known == kind) {
            let names: Vec<&str> = agent_kinds().map(|(known, _)| known).collect();
            return Err(self.wrong(&key("kind"), &format!("must be one of {}", names.join(", "))));
        }
        let mut profile = AgentProfile::of_kind(name, &kind);
        profile.without_effect = self.without_effect(name, &kind);
        profile.live = self
            .optional(&key("live"), |text| text.parse().map_err(|_| "must be true or false".into()))?
            .unwrap_or(false);
        profile.script = text("script")?.map(PathBuf::from);
        profile.endpoint = text("endpoint")?;
        profile.key_file = text("key_file")?.map(PathBuf::from);
        let names = self.layers.value(&key("tools")).map(|(names, _)| names.items()).unwrap_or_default();
        let (requests, offered) = tools::named(tools, &names, &key("tools"))?;
        profile.tools = requests;
        profile.mcp = self.mcp_named(mcp, &key("mcp"))?;
        profile.asks = self.asks(&key("callback"))?;
        profile.remote = self.remote(&key)?;
        if kind == PIPELINE {
            profile.stages = self.stages(&key, profile.remote.audio)?;
        }
        // A setting that the kind does not have at all is warned of above.
        if let (Some(audio), Some(provider)) = (profile.remote.audio, wire::by_name(&kind))
            && !provider.encodings.is_empty()
            && !provider.encodings.contains(&audio.name())
        {
            return Err(
                self.wrong(&key("audio"), &format!("must be one of {} for {kind}", provider.encodings.join(", ")))
            );
        }
        if let Some(provider) = wire::by_name(&kind) {
            let said = |found: &wire::Finding| !profile.without_effect.contains(&found.field);
            for found in (provider.check)(&profile.remote).into_iter().filter(said) {
                if found.is_error {
                    return Err(self.wrong(&key(found.field), &found.problem));
                }
                profile.doubts.push(found);
            }
        }
        let calls = !offered.is_empty() || !profile.mcp.is_empty();
        if kind == wire::gpt_live::PROVIDER.name && calls && profile.remote.delegate.is_none() {
            let field = if offered.is_empty() { "mcp" } else { "tools" };
            return Err(self.wrong(&key(field), "needs delegate: the model that calls them, for this one only speaks"));
        }
        profile.remote.tools = offered.into();
        profile.barge_in = self.optional(&key("barge_in"), |text| match text {
            "provider" => Ok(BargeIn::Provider),
            "local" => Ok(BargeIn::Local),
            "pause" => Ok(BargeIn::Pause),
            "off" => Ok(BargeIn::Off),
            _ => Err("must be provider, local, pause or off".to_owned()),
        })?;
        profile.manners = self.manners(&key)?;
        let flag = |field: &str| {
            self.optional(&key(field), |text| text.parse().map_err(|_| "must be true or false".to_owned()))
                .map(Option::unwrap_or_default)
        };
        profile.early = match (flag("early_media")?, flag("speaks_early")?) {
            (_, true) => Early::Agent,
            (true, false) => Early::Ring,
            (false, false) => Early::Off,
        };
        profile.prebuffer = self.optional(&key("prebuffer"), parse_duration)?;
        profile.codecs = self.codecs_of(&key("codecs"))?;
        profile.fallback = self.layers.value(&key("fallback")).map(|(names, _)| names.items()).unwrap_or_default();
        if profile.fallback.iter().any(|next| next == name) {
            return Err(self.wrong(&key("fallback"), "an agent cannot stand in for itself"));
        }
        Ok(profile)
    }

    /// Settings that are given and that the provider does not have.
    fn without_effect(&self, name: &str, kind: &str) -> Vec<&'static str> {
        let settings = wire::by_name(kind).map(|provider| provider.settings);
        let Some(settings) = settings.or((kind == PIPELINE).then_some(stages::SETTINGS)) else {
            let given = |field: &&str| self.layers.value(&format!("agents.{name}.{field}")).is_some();
            return ["tools", "mcp"].into_iter().filter(given).collect();
        };
        let fields = super::KEYS.iter().filter_map(|row| row.path.strip_prefix("agents.*."));
        fields
            .filter(|field| !COMMON.contains(field) && !manners::SETTINGS.contains(field) && !settings.contains(field))
            .filter(|field| self.layers.value(&format!("agents.{name}.{field}")).is_some())
            .collect()
    }

    fn remote(&self, key: &dyn Fn(&str) -> String) -> Result<wire::Settings> {
        let text = |field: &str| self.optional(&key(field), |text| Ok(text.to_owned()));
        let ms = |field: &str| -> Result<Option<u32>> {
            let span = self.optional(&key(field), parse_duration)?;
            Ok(span.map(|span| u32::try_from(span.as_millis()).unwrap_or(u32::MAX)))
        };
        let number = |field: &str, least: f64, most: f64| {
            self.optional(&key(field), |text| {
                let number: Option<f64> = text.parse().ok();
                number.filter(|number| (least..=most).contains(number)).ok_or(format!("must be from {least} to {most}"))
            })
        };
        let one_of = |field: &str, words: &[&str]| {
            self.optional(&key(field), |text| {
                words.contains(&text).then(|| text.to_owned()).ok_or(format!("must be one of {}", words.join(", ")))
            })
        };
        let flag = |field: &str| {
            self.optional(&key(field), |text| text.parse().map_err(|_| "must be true or false".to_owned()))
        };
        let tokens = |field: &str| {
            self.optional(&key(field), |text| {
                let number: Option<u32> = text.parse().ok().filter(|number| *number > 0);
                number.ok_or_else(|| "must be a number of tokens".to_owned())
            })
        };
        // They become part of an address.
        let part = |field: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
            self.optional(&key(field), |text| {
                text.bytes().all(fits).then(|| text.to_owned()).ok_or("must be letters, digits and dashes".to_owned())
            })
        };
        let greeting = match text("greeting")? {
            Some(greeting) => (greeting != "none").then_some(greeting),
            None => wire::Settings::default().greeting,
        };
        Ok(wire::Settings {
            model: text("model")?,
            voice: text("voice")?,
            language: text("language")?,
            instructions: text("instructions")?,
            tells_headers: self
                .optional(&key("tell_headers"), |text| text.parse().map_err(|_| "must be true or false".into()))?
                .unwrap_or(false),
            temperature: number("temperature", 0.0, 2.0)?,
            greeting,
            silence_ms: ms("end_of_speech")?,
            api_version: text("api_version")?,
            audio: self.optional(&key("audio"), |text| {
                let names: Vec<&str> = ENCODINGS.iter().map(|(name, _)| *name).collect();
                Encoding::parse(text).ok_or_else(|| format!("must be one of {}", names.join(", ")))
            })?,
            vad: one_of("vad", &["server_vad", "semantic_vad", "local"])?,
            vad_threshold: number("vad_threshold", 0.0, 1.0)?,
            vad_prefix_ms: ms("vad_prefix")?,
            eagerness: one_of("eagerness", &["low", "medium", "high", "auto"])?,
            idle_ms: ms("idle")?,
            transcription: text("transcription")?,
            noise_reduction: one_of("noise_reduction", &["near_field", "far_field", "none"])?,
            speed: number("speed", 0.25, 1.5)?,
            max_tokens: self
                .optional(&key("max_tokens"), |text| text.parse().map_err(|_| "must be a whole number".to_owned()))?,
            reasoning: text("reasoning")?,
            start_sensitivity: one_of("start_sensitivity", &["high", "low"])?,
            end_sensitivity: one_of("end_sensitivity", &["high", "low"])?,
            turn_coverage: one_of("turn_coverage", &["activity", "all"])?,
            thinking_budget: self.optional(&key("thinking_budget"), |text| {
                let number = text.parse().ok().filter(|number| *number >= -1_i32);
                number.ok_or_else(|| "must be a whole number; 0 is no thinking, -1 as the model likes".to_owned())
            })?,
            proactive_audio: flag("proactive_audio")?,
            affective_dialog: flag("affective_dialog")?,
            translate_to: text("translate_to")?,
            translate_echo: flag("translate_echo")?,
            compress_at: tokens("compress_at")?,
            compress_to: tokens("compress_to")?,
            project: part("project")?,
            location: part("location")?,
            auth: self.optional(&key("auth"), |text| {
                let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                text.bytes()
                    .all(is_token)
                    .then(|| text.to_owned())
                    .ok_or("must be bearer, jwt or the name of a header".into())
            })?,
            parameters: self.pairs(&key("parameters"))?,
            tools: Arc::default(),
            delegate: text("delegate")?,
            reconnects: self.optional(&key("reconnects"), |text| {
                let number = text.parse().ok().filter(|number| *number <= 10_u32);
                number.ok_or_else(|| "must be a whole number, 10 at most".to_owned())
            })?,
        })
    }

    /// A list of `NAME=VALUE`.
    fn pairs(&self, key: &str) -> Result<Vec<(String, String)>> {
        let items = self.layers.value(key).map(|(value, _)| value.items()).unwrap_or_default();
        let pair = |item: &String| {
            let (name, value) =
                item.split_once('=').ok_or_else(|| self.wrong(key, "must be a list of \"NAME=VALUE\""))?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        };
        items.iter().filter(|item| !item.is_empty()).map(pair).collect()
    }
}
