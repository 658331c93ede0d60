//! From a profile to an agent that can take calls: scripts are read once, keys are found, addresses are made.

mod manners;
mod staged;

use manners::manners;
pub use staged::{Program, Service, StagePlan, StagedPlan};

use super::{
    attach, callback,
    event::Sound,
    local::{
        LocalAgent,
        echo::Echo,
        handset::{Ends, Handset, Meters},
        play::Play,
        scenario::{Player, Scenario},
        scripted::{DEFAULT, SPOKEN, Script, Scripted},
    },
    mcp, prompts,
    stages::talk::Talk,
    token,
    wire::{self, Auth, Facts, Provider, Wire, tool::Tool},
};
use crate::{
    call::{BargeIn, Early, manners::Manners, turn::Owner},
    clock::WallTime,
    config::{AgentProfile, Config, HttpTool, read_secret, secret_from_environment, stages::PIPELINE},
    error::{Error, Kind, Result},
    media::codec::Codec,
    redact::Secret,
    unit::SampleRate,
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// An agent that is ready to be seated at any number of calls.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Profile name.
    pub name: String,
    /// Who decides that the caller interrupts.
    pub barge_in: BargeIn,
    /// How it behaves towards the caller.
    pub manners: Arc<Manners>,
    /// Whose the model is.
    pub owner: Owner,
    /// Sound gathered before a turn plays.
    pub prebuffer: Duration,
    /// What a caller hears before the answer.
    pub early: Early,
    /// Codecs of its calls in their order; none leaves that to trunk and gateway.
    pub codecs: Option<Vec<&'static Codec>>,
    /// What it may call.
    pub tools: Arc<[Arc<HttpTool>]>,
    /// Servers whose tools it may call as well.
    pub mcp: Arc<[Arc<mcp::Server>]>,
    /// Who takes its calls when it fails, in order; their own fallbacks do not count.
    pub fallback: Arc<[Arc<Plan>]>,
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
    /// A provider's.
    Remote(Arc<RemotePlan>),
    /// `pipeline`: three services, one after the other.
    Staged(Arc<StagedPlan>),
    /// `dial --play` and `--silence`.
    Play(PlayPlan),
    /// `dial --scenario`.
    Scenario(Arc<Scenario>),
    /// `dial --mic`.
    Handset(HandsetPlan),
    /// Nobody: the other leg of a bridge is heard.
    Far,
}

/// Where a provider is and what it is told.
#[derive(Debug)]
pub struct RemotePlan {
    /// Its row.
    pub provider: &'static Provider,
    /// Whole URL without a key.
    pub url: String,
    /// How the key travels.
    pub auth: Auth,
    /// The key, if it needs one.
    pub key: Option<Secret>,
    /// The file that it was read from: read anew for each connection, for tokens are renewed.
    pub key_file: Option<PathBuf>,
    /// What the profile says.
    pub settings: Arc<wire::Settings>,
    /// Whether the caller may interrupt.
    pub interruptible: bool,
    /// It comes to us: its connection will be here.
    pub slot: Option<attach::Slot>,
}

impl RemotePlan {
    /// A wire for one call.
    #[must_use]
    pub fn wire(&self, facts: &Facts) -> Box<dyn Wire> {
        let settings = Arc::new(self.settings.for_call(&facts.about));
        (self.provider.wire)(&settings, &Facts { interruptible: self.interruptible, ..facts.clone() })
    }

    /// The rate that it would like to hear, whatever the call's codec.
    #[must_use]
    pub fn hears(&self) -> SampleRate {
        self.wire(&Facts { codec: String::new(), ..Facts::default() }).rate()
    }

    /// Whether it answers each time that the caller has spoken.
    #[must_use]
    pub fn answers(&self) -> bool {
        (self.provider.answers)(&self.settings)
    }

    /// Scheme and host, for messages: without what may stand before an `@`.
    #[must_use]
    pub fn place(&self) -> String {
        let start = self.url.find("://").map_or(0, |at| at + 3);
        let end = self.url[start..].find(['/', '?']).map_or(self.url.len(), |end| start + end);
        let host = self.url[start..end].rsplit('@').next().unwrap_or_default();
        format!("{}{host}", &self.url[..start])
    }

    /// The header that carries the key, for one connection of `call`.
    #[must_use]
    pub fn credentials(&self, key: Option<&Secret>, call: &str, now: WallTime) -> Option<(String, Secret)> {
        let key = key?;
        let bearer = |token: &str| ("authorization".to_owned(), Secret::new(&format!("Bearer {token}")));
        Some(match &self.auth {
            Auth::Header(name) => (name.to_string(), key.clone()),
            Auth::Bearer => bearer(key.reveal()),
            Auth::Token => ("authorization".to_owned(), Secret::new(&format!("Token {}", key.reveal()))),
            Auth::Jwt => bearer(&token::sign(key, call, now)),
        })
    }
}

/// A person at this machine's devices.
#[derive(Clone, Debug)]
pub struct HandsetPlan {
    /// The devices, until the one call of this plan takes them.
    pub ends: Arc<Mutex<Option<Box<dyn Ends>>>>,
    /// How loud both are.
    pub meters: Arc<Meters>,
    /// Both may speak at once.
    pub headset: bool,
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
    /// The plan of the profile called `name`, with the plans of its fallback.
    ///
    /// # Errors
    /// There is no such profile; it, or one of its fallback, cannot be used: a script that cannot be read, a key that
    /// is not there.
    pub fn named(config: &Config, name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let profile = config.profile(name)?;
        let mut plan = Self::of(&profile, env)?;
        let others = profile.fallback.iter().map(|other| Self::of(&config.profile(other)?, env).map(Arc::new));
        plan.fallback = others.collect::<Result<Vec<_>>>()?.into();
        Ok(plan)
    }

    /// Who takes over when it fails; none if nobody does.
    #[must_use]
    pub fn next(&self) -> Option<Self> {
        let (next, rest) = self.fallback.split_first()?;
        Some(Self { fallback: rest.into(), ..(**next).clone() })
    }

    /// The plan of a profile, without its fallback.
    ///
    /// # Errors
    /// A script that cannot be read, a key that is not there.
    pub fn of(profile: &AgentProfile, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let what = match profile.kind.as_str() {
            "echo" => What::Echo { live: profile.live },
            PIPELINE => What::Staged(Arc::new(StagedPlan::of(profile, env)?)),
            kind => match wire::by_name(kind) {
                Some(provider) => What::Remote(Arc::new(remote_plan(provider, profile, env)?)),
                None => What::Scripted(Arc::new(script(profile.script.as_deref())?)),
            },
        };
        let (barge_in, owner, prebuffer) = match &what {
            // Nobody announces anything, and the model's sound comes as it is made.
            What::Remote(remote) if remote.provider.full_duplex => {
                (BargeIn::Local, Owner::Provider, Duration::from_millis(60))
            }
            What::Remote(_) => (BargeIn::Provider, Owner::Provider, Duration::ZERO),
            What::Staged(_) => (BargeIn::Local, Owner::Provider, Duration::ZERO),
            What::Scripted(script) if script.has_menus() => (BargeIn::Off, Owner::Offline, Duration::ZERO),
            What::Echo { live: true } => (BargeIn::Off, Owner::Offline, Duration::from_millis(40)),
            _ => (BargeIn::Local, Owner::Offline, Duration::ZERO),
        };
        Ok(Self {
            name: profile.name.clone(),
            barge_in: profile.barge_in.unwrap_or(barge_in),
            manners: Arc::new(manners(profile)?),
            owner,
            prebuffer: profile.prebuffer.unwrap_or(prebuffer),
            early: profile.early,
            codecs: profile.codecs.clone(),
            tools: profile.tools.clone().into(),
            mcp: profile.mcp.iter().map(|server| Arc::new(mcp::Server::new((**server).clone()))).collect(),
            fallback: Arc::default(),
            what,
        })
    }

    /// This plan for one call, as its callback wants it: what the answer does not name stays.
    #[must_use]
    pub fn for_call(&self, answer: callback::Answer, tools: Option<(Vec<Arc<HttpTool>>, Vec<Tool>)>) -> Self {
        let mut plan = self.clone();
        let mut settings = match &self.what {
            What::Remote(remote) => (*remote.settings).clone(),
            What::Staged(staged) => (*staged.settings.told).clone(),
            _ => return plan,
        };
        settings.instructions = answer.system_instructions.or(settings.instructions);
        settings.voice = answer.voice.or(settings.voice);
        settings.language = answer.language.or(settings.language);
        if let Some(greeting) = answer.greeting {
            settings.greeting = Some(greeting).filter(|greeting| !greeting.is_empty());
        }
        if let Some((requests, offered)) = tools {
            plan.tools = requests.into();
            settings.tools = offered.into();
        }
        plan.what = self.told(settings);
        plan
    }

    /// What it is, told something else.
    fn told(&self, settings: wire::Settings) -> What {
        let remote = match &self.what {
            What::Remote(remote) => remote,
            What::Staged(staged) => return What::Staged(Arc::new(staged.with(settings))),
            other => return other.clone(),
        };
        What::Remote(Arc::new(RemotePlan {
            provider: remote.provider,
            url: remote.url.clone(),
            auth: remote.auth.clone(),
            key: remote.key.clone(),
            key_file: remote.key_file.clone(),
            settings: Arc::new(settings),
            interruptible: remote.interruptible,
            slot: remote.slot.clone(),
        }))
    }

    /// This plan with the tools that its servers have now. What the profile itself names comes first.
    #[must_use]
    pub fn equipped(self: &Arc<Self>) -> Arc<Self> {
        let mut settings = match &self.what {
            What::Remote(remote) if !self.mcp.is_empty() => (*remote.settings).clone(),
            What::Staged(staged) if !self.mcp.is_empty() => (*staged.settings.told).clone(),
            _ => return Arc::clone(self),
        };
        let mut offered = settings.tools.to_vec();
        for tool in self.mcp.iter().flat_map(|server| server.tools().to_vec()) {
            if offered.iter().all(|known| known.name != tool.name) {
                offered.push(tool);
            }
        }
        settings.tools = offered.into();
        Arc::new(Self { what: self.told(settings), ..(**self).clone() })
    }

    /// The plan of `dial --play`, `--silence`.
    #[must_use]
    pub fn play(name: &str, play: PlayPlan) -> Self {
        Self::ours(name, What::Play(play))
    }

    /// The plan of `dial --mic`.
    #[must_use]
    pub fn handset(handset: HandsetPlan) -> Self {
        Self { prebuffer: Duration::from_millis(40), ..Self::ours("handset", What::Handset(handset)) }
    }

    /// The plan of `dial --scenario`.
    #[must_use]
    pub fn scenario(scenario: Scenario) -> Self {
        Self::ours(&scenario.name.clone(), What::Scenario(Arc::new(scenario)))
    }

    /// The plan of a leg that is bridged to another, called `name` in its journal.
    #[must_use]
    pub fn far(name: &str) -> Self {
        Self::ours(name, What::Far)
    }

    /// Nobody's model, which nobody interrupts.
    fn ours(name: &str, what: What) -> Self {
        Self {
            name: name.to_owned(),
            barge_in: BargeIn::Off,
            manners: Arc::default(),
            owner: Owner::Offline,
            prebuffer: Duration::ZERO,
            early: Early::Off,
            codecs: None,
            tools: Arc::default(),
            mcp: Arc::default(),
            fallback: Arc::default(),
            what,
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
            What::Handset(handset) => {
                let ends = handset.ends.lock().unwrap_or_else(PoisonError::into_inner).take();
                match ends {
                    Some(ends) => Box::new(Handset::new(ends, Arc::clone(&handset.meters), handset.headset)),
                    // Another call has them.
                    None => Box::new(Play::new(Vec::new(), Vec::new(), Duration::ZERO, None)),
                }
            }
            What::Scenario(scenario) => Box::new(Player::new(Arc::clone(scenario))),
            What::Remote(_) | What::Staged(_) | What::Far => return None,
        })
    }

    /// Rate that it speaks at, as far as it may choose.
    #[must_use]
    pub fn speaks(&self) -> SampleRate {
        match &self.what {
            What::Remote(remote) => remote.provider.speaks.unwrap_or_else(|| remote.hears()),
            What::Staged(_) => SampleRate::HZ_24000,
            What::Echo { .. }
            | What::Scripted(_)
            | What::Play(_)
            | What::Scenario(_)
            | What::Handset(_)
            | What::Far => SampleRate::HZ_16000,
        }
    }

    /// What a model is told that it may call.
    #[must_use]
    pub fn offered(&self) -> Arc<[Tool]> {
        match &self.what {
            What::Remote(remote) => Arc::clone(&remote.settings.tools),
            What::Staged(staged) => Arc::clone(&staged.settings.told.tools),
            _ => Arc::default(),
        }
    }

    /// Rate that a remote agent wants to hear.
    #[must_use]
    pub fn rate(&self) -> Option<SampleRate> {
        match &self.what {
            What::Remote(remote) => Some(remote.hears()),
            What::Staged(staged) => Some(Talk::rate(&staged.settings)),
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
    // What is wrong with the file is the reader's to say.
    let command: Vec<String> = toml::from_str::<toml::Table>(&text)
        .ok()
        .and_then(|mut table| table.remove("tts_command")?.try_into().ok())
        .unwrap_or_default();
    let script = Script::parse(&text, &mut |name| match name.strip_prefix(SPOKEN) {
        Some(words) => prompts::speak(&command, words),
        None => prompts::of_script(name, path.parent()),
    });
    script.map_err(|problem| misread(path, problem, "docs/CONFIGURATION.md has the keys of scripts, under Scripts"))
}

/// Reads a scenario.
///
/// # Errors
/// Names the file and the place.
pub fn scenario(path: &Path) -> Result<Scenario> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::file("read", path, &source))?;
    let scenario = Scenario::parse(&text, &mut |name| prompts::of_script(name, path.parent()));
    scenario.map_err(|problem| misread(path, problem, "docs/SCENARIOS.md has the keys"))
}

/// What is wrong with a file of ours, the name that was meant as the hint.
fn misread(path: &Path, problem: String, otherwise: &str) -> Error {
    let (problem, hint) = match problem.rsplit_once("; did you mean ") {
        Some((problem, near)) => (problem.to_owned(), format!("did you mean {near}")),
        None => (problem, otherwise.to_owned()),
    };
    Error::usage(format!("{}: {}", path.display(), problem.trim_end())).hint(hint)
}

/// The key: file of the profile, or the provider's environment variables and their `_FILE` variants.
///
/// # Errors
/// Names the file that could not be read.
pub fn key(
    provider: &Provider,
    profile: &AgentProfile,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Secret>> {
    if let Some(path) = &profile.key_file {
        return read_secret(path).map(Some);
    }
    for name in (provider.keys_of)(&profile.remote) {
        if let Some(key) = secret_from_environment(name, env)? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn remote_plan(
    provider: &'static Provider,
    profile: &AgentProfile,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<RemotePlan> {
    let base = profile.endpoint.as_deref().unwrap_or(provider.endpoint).trim_end_matches('/');
    if profile.remote.auth.as_deref() == Some("jwt") && key(provider, profile, env)?.is_none() {
        let name = provider.keys.first().copied().unwrap_or_default();
        let problem = format!("agents.{}.auth = jwt: there is no secret to sign with", profile.name);
        return Err(Error::new(Kind::Agent, problem).hint(format!("set {name}, or agents.NAME.key_file")));
    }
    let is_web_socket = base.starts_with("ws://") || base.starts_with("wss://");
    if base.is_empty() {
        let problem = format!("agents.{}.endpoint is not given", profile.name);
        return Err(Error::usage(problem).hint("name the service: endpoint = \"wss://bot.example.com/ws\""));
    }
    if !is_web_socket {
        return Err(Error::usage(format!(
            "agents.{}.endpoint = {base}: must begin with wss:// or ws://",
            profile.name
        )));
    }
    let key = key(provider, profile, env)?;
    let word = key.as_ref().map(Secret::reveal).unwrap_or_default();
    let (url, auth) = ((provider.url)(&profile.remote, base, word), (provider.auth)(&profile.remote, base, word));
    if key.is_none() && !(provider.key_optional && profile.endpoint.is_some()) {
        let name = (provider.keys_of)(&profile.remote).first().copied().unwrap_or_default();
        let problem = format!("agent {}: there is no key for {}", profile.name, provider.name);
        return Err(Error::new(Kind::Agent, problem)
            .hint(format!("set {name}, or agents.NAME.key_file; without a key use --agent scripted")));
    }
    Ok(RemotePlan {
        provider,
        url,
        auth,
        key,
        key_file: profile.key_file.clone(),
        settings: Arc::new(profile.remote.clone()),
        interruptible: profile.barge_in != Some(BargeIn::Off),
        slot: None,
    })
}
