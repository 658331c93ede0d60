//! Configuration: flag > environment > `.env` > one TOML file > default, with the origin of every value.
//!
//! One table ([`KEYS`]) names every key with its default and meaning; unknown keys, the template and `config show`
//! come from it. Files are never merged. `${VAR}` and `${file:PATH}` expand in strings.

mod accounts;
mod agents;
mod callback;
pub mod dotenv;
mod encryption;
mod keys;
mod layers;
mod manners;
mod mcp;
mod routes;
pub mod stages;
mod tools;
mod web;

pub use accounts::{Identity, Signalling, Trunk, is_secret};
pub use agents::{AgentProfile, agent_kinds};
pub use callback::{Asks, Callback, Fallback};
pub use encryption::Encryption;
pub use keys::{KEYS, Key, row, template};
pub use layers::{Layers, Origin, Value};
pub use mcp::McpServer;
pub use tools::{HttpTool, named as tools_named};
pub use web::{Joining, TurnAccess, Web};

use crate::{
    error::{Error, Result},
    media::{
        Tuning,
        codec::{self, Codec},
        dsp::{digits::Mode, vad::Kind},
    },
    network::url::Url,
    redact::Secret,
    route::Rule,
    sip::tx::Transport,
    unit::{Ptime, parse_duration, parse_size},
};
use jiff::tz::TimeZone;
use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Everything that `serve` and `dial` need, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Name of this gateway in journals.
    pub name: String,
    /// Calls at once.
    pub max_calls: usize,
    /// Of these, what is kept for those we know, in percent.
    pub reserved_percent: usize,
    /// How long calls may go on after SIGTERM.
    pub drain: Duration,
    /// Media workers; 0 is one per core.
    pub workers: usize,
    /// Media workers ask the kernel to come before other programs.
    pub urgent: bool,
    /// Where SIP listens.
    pub listen: Vec<Listen>,
    /// Certificates of SIP.
    pub tls: Tls,
    /// The address that others reach us at.
    pub advertise: Option<IpAddr>,
    /// Users, trunks, timers: the rest of SIP.
    pub signalling: Signalling,
    /// What calls of ours may cost.
    pub tolls: crate::route::tolls::Settings,
    /// Whose REFER is followed.
    pub transfers: Transfers,
    /// Ports for RTP and RTCP.
    pub rtp_ports: RangeInclusive<u16>,
    /// Encryption of media.
    pub encryption: Encryption,
    /// Codecs in order.
    pub codecs: Vec<&'static Codec>,
    /// Packet length that we like.
    pub ptime: Ptime,
    /// What those hear whom we hold: `builtin`, `off`, or a WAV file.
    pub hold_music: String,
    /// How digits and voice are heard.
    pub tuning: Tuning,
    /// A call ends when nothing arrives for so long; zero never.
    pub media_timeout: Duration,
    /// Agent profile of calls.
    pub agent: String,
    /// Longest call.
    pub max_duration: Duration,
    /// Answer after this even if the agent is not ready.
    pub patience: Duration,
    /// An answer that an agent owes is missed after this; zero never.
    pub agent_silence: Duration,
    /// Recording and journals.
    pub recording: Recording,
    /// Where the API listens: `unix:PATH`, `HOST:PORT` or `off`.
    pub api: String,
    /// File with the bearer token that the API wants on TCP.
    pub api_token_file: Option<PathBuf>,
    /// Where browsers find us.
    pub web: Web,
    /// Log filter: `info`, `warn,sip=debug`.
    pub log_level: String,
    /// `text` or `json`.
    pub log_format: String,
    /// Log into this file instead of stderr.
    pub log_file: Option<PathBuf>,
    /// Agent profiles by name.
    pub agents: Vec<AgentProfile>,
    /// What agents may call.
    pub tools: Vec<Arc<HttpTool>>,
    /// How callbacks are asked, and the address of all agents' calls.
    pub callback: (Callback, Option<Url>),
    /// Trusted by requests of ours; none is the system's CAs.
    pub http_ca: Option<PathBuf>,
    /// Routing rules in order.
    pub routes: Vec<Rule>,
    /// Clock of the rules' times.
    pub time_zone: TimeZone,
}

/// Whose REFER sends us to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfers {
    /// Nobody's.
    Off,
    /// Of trunks, of users who have proved who they are, of those whom we called.
    Known,
    /// Anybody's.
    All,
}

/// One listening address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// What is spoken there.
    pub transport: Transport,
    /// Address and port.
    pub address: SocketAddr,
}

impl std::str::FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no SIP address; write udp:0.0.0.0:5060, tcp:[::]:5060, tls:, ws: or wss:");
        let (transport, address) = text.split_once(':').ok_or_else(wrong)?;
        let transport = Transport::from_name(transport).ok_or_else(wrong)?;
        let bare = |ip| SocketAddr::new(ip, transport.default_port());
        let address = address.parse().or_else(|_| address.parse::<IpAddr>().map(bare).map_err(|_| wrong()))?;
        Ok(Self { transport, address })
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.transport.lower_name(), self.address)
    }
}

/// Certificates of SIP over TLS and secure WebSocket, all as PEM files.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Ours as a server, with its chain.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The CAs that we trust; none is the system's.
    pub ca: Option<PathBuf>,
    /// Those who connect must show a certificate.
    pub verify_client: bool,
    /// The certificates of those whom we connect to are checked.
    pub verify_server: bool,
    /// Ours as a client.
    pub client_certificate: Option<PathBuf>,
    /// Its key.
    pub client_key: Option<PathBuf>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            ca: None,
            verify_client: false,
            verify_server: true,
            client_certificate: None,
            client_key: None,
        }
    }
}

/// What is kept of a call.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Write journals and call folders at all.
    pub journal: bool,
    /// Write `call.wav`.
    pub sound: bool,
    /// Write `call.pcap`.
    pub pcap: Pcap,
    /// The beep that tells of it.
    pub tone: crate::call::pipeline::recording::Tone,
    /// Write `agent.jsonl`.
    pub agent_frames: bool,
    /// Journals of refused calls in a minute.
    pub refused_per_minute: usize,
    /// Where the folders are.
    pub folder: PathBuf,
    /// Folders older than this are removed.
    pub keep: Duration,
    /// The oldest folders are removed beyond this.
    pub max_size: u64,
}

/// What `call.pcap` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pcap {
    /// No file.
    Off,
    /// SIP only.
    Sip,
    /// SIP and RTP as they were on the wire.
    All,
    /// SIP, and RTP as it was before encryption.
    Decrypted,
}

impl Config {
    /// Reads the typed values out of the layers.
    ///
    /// # Errors
    /// Names the key, where its value came from, and what is wrong with it.
    pub fn from_layers(layers: &Layers) -> Result<Self> {
        layers.check_names()?;
        let reader = Reader { layers };
        let (tools, mcp) = (reader.tools()?, reader.mcp()?);
        let config = Self {
            name: reader.text("gateway.name")?,
            max_calls: reader.count("gateway.max_calls")?,
            reserved_percent: reader.parsed("gateway.reserved_percent", |text| match text.parse() {
                Ok(percent @ 0..=100) => Ok(percent),
                _ => Err("must be 0 to 100".to_owned()),
            })?,
            drain: reader.span("gateway.drain")?,
            workers: reader.count("gateway.workers")?,
            urgent: reader.one_of("gateway.priority", &["auto", "normal"])? == "auto",
            listen: reader.listen()?,
            tls: reader.tls()?,
            advertise: reader
                .optional("sip.advertise", |text| {
                    if text == "auto" {
                        Ok(None)
                    } else {
                        text.parse().map(Some).map_err(|_| "is no IP address".to_owned())
                    }
                })?
                .flatten(),
            signalling: reader.signalling()?,
            tolls: reader.tolls()?,
            transfers: match reader.one_of("outbound.transfers", &["off", "known", "all"])?.as_str() {
                "off" => Transfers::Off,
                "all" => Transfers::All,
                _ => Transfers::Known,
            },
            rtp_ports: reader.parsed("media.rtp_ports", parse_ports)?,
            encryption: reader.encryption()?,
            codecs: reader.codecs()?,
            ptime: reader.parsed("media.ptime", |text| match text.trim_end_matches("ms").parse::<u32>() {
                Ok(ms) if (10..=60).contains(&ms) && ms % 10 == 0 => Ok(Ptime::nearest(ms)),
                _ => Err("must be 10ms, 20ms, … 60ms".to_owned()),
            })?,
            hold_music: reader.text("media.hold_music")?,
            tuning: Tuning {
                dtmf: reader.named("media.dtmf", &Mode::NAMES)?,
                vad: reader.named("media.vad", &Kind::NAMES)?,
            },
            media_timeout: reader.span("media.timeout")?,
            agent: reader.text("call.agent")?,
            max_duration: reader.span("call.max_duration")?,
            patience: reader.span("call.patience")?,
            agent_silence: reader.span("call.agent_silence")?,
            recording: reader.recording()?,
            api: reader.text("api.listen")?,
            api_token_file: reader.optional("api.token_file", |text| Ok(PathBuf::from(text)))?,
            web: reader.web()?,
            log_level: reader.parsed("log.level", check_log_filter)?,
            log_format: reader.one_of("log.format", &["text", "json"])?,
            log_file: reader.optional("log.file", |text| Ok(PathBuf::from(text)))?,
            agents: reader.agents(&tools, &mcp)?,
            tools,
            callback: reader.callback()?,
            http_ca: reader.optional("http.ca", |path| Ok(PathBuf::from(path)))?,
            routes: reader.routes()?,
            time_zone: reader.parsed("call.time_zone", routes::zone)?,
        };
        routes::check_agents(&config, &reader)?;
        config.check_fallbacks()?;
        if let Fallback::Agent(agent) = &config.callback.0.fallback {
            config.profile(agent)?;
        }
        if let Some(listen) = config.listen.iter().find(|listen| listen.transport.is_secure())
            && config.tls.certificate.is_none()
        {
            return Err(Error::usage(format!("sip.listen has {listen}, but there is no certificate"))
                .hint("set sip.tls.certificate and sip.tls.key to PEM files"));
        }
        Ok(config)
    }

    /// What is allowed but will not do what it seems to.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = routes::warnings(&self.routes, &self.signalling);
        warnings.extend(agents::warnings(&self.agents));
        warnings
    }
}

struct Reader<'a> {
    layers: &'a Layers,
}

impl Reader<'_> {
    fn wrong(&self, key: &str, problem: &str) -> Error {
        let (value, origin) = self.layers.value(key).map_or_else(
            || (String::new(), String::new()),
            |(value, origin)| {
                let shown = if is_secret(key) { "…".to_owned() } else { value.to_string() };
                (shown, format!(" (from {origin})"))
            },
        );
        Error::usage(format!("{key} = {value}{origin}: {problem}"))
            .hint(format!("see the meaning of {key} with: voxgw config show {key}"))
    }

    fn text(&self, key: &str) -> Result<String> {
        let (value, _) = self.layers.value(key).ok_or_else(|| self.wrong(key, "is missing"))?;
        Ok(value.to_string())
    }

    fn parsed<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T> {
        parse(&self.text(key)?).map_err(|problem| self.wrong(key, &problem))
    }

    fn optional<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>> {
        match self.layers.value(key) {
            Some((value, _)) if !value.to_string().is_empty() => self.parsed(key, parse).map(Some),
            _ => Ok(None),
        }
    }

    fn span(&self, key: &str) -> Result<Duration> {
        self.parsed(key, parse_duration)
    }

    fn count(&self, key: &str) -> Result<usize> {
        self.parsed(key, |text| text.parse().map_err(|_| "must be a whole number".to_owned()))
    }

    fn flag(&self, key: &str) -> Result<bool> {
        self.parsed(key, |text| text.parse().map_err(|_| "must be true or false".to_owned()))
    }

    fn one_of(&self, key: &str, words: &[&str]) -> Result<String> {
        self.parsed(key, |text| {
            if words.contains(&text) {
                Ok(text.to_owned())
            } else {
                Err(format!("must be one of {}", words.join(", ")))
            }
        })
    }

    /// A value by its name.
    fn named<T: Copy>(&self, key: &str, names: &[(&str, T)]) -> Result<T> {
        let words: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let word = self.one_of(key, &words)?;
        let found = names.iter().find(|(name, _)| *name == word);
        found.map(|(_, value)| *value).ok_or_else(|| self.wrong(key, "is unknown"))
    }

    fn listen(&self) -> Result<Vec<Listen>> {
        let (value, _) = self.layers.value("sip.listen").ok_or_else(|| self.wrong("sip.listen", "is missing"))?;
        let all: Vec<Listen> = value
            .items()
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_, String>>()
            .map_err(|problem| self.wrong("sip.listen", &problem))?;
        if all.is_empty() { Err(self.wrong("sip.listen", "needs at least one address")) } else { Ok(all) }
    }

    fn tls(&self) -> Result<Tls> {
        let file = |key: &str| self.optional(key, |text| Ok(PathBuf::from(text)));
        let pair = |certificate: &str, key: &str| {
            let both = (file(certificate)?, file(key)?);
            match &both {
                (Some(_), None) => Err(Error::usage(format!("{certificate} is set, {key} is not")).hint("set both")),
                (None, Some(_)) => Err(Error::usage(format!("{key} is set, {certificate} is not")).hint("set both")),
                _ => Ok(both),
            }
        };
        let (certificate, key) = pair("sip.tls.certificate", "sip.tls.key")?;
        let (client_certificate, client_key) = pair("sip.tls.client_certificate", "sip.tls.client_key")?;
        Ok(Tls {
            certificate,
            key,
            ca: file("sip.tls.ca")?,
            verify_client: self.flag("sip.tls.verify_client")?,
            verify_server: self.flag("sip.tls.verify_server")?,
            client_certificate,
            client_key,
        })
    }

    fn codecs(&self) -> Result<Vec<&'static Codec>> {
        self.codecs_of("media.codecs")?.ok_or_else(|| self.wrong("media.codecs", "is missing"))
    }

    /// Codecs of a key in their order; none if it is not set.
    fn codecs_of(&self, key: &str) -> Result<Option<Vec<&'static Codec>>> {
        let Some((value, _)) = self.layers.value(key) else { return Ok(None) };
        let codecs: Option<Vec<_>> = value.items().iter().map(|name| codec::by_name(name)).collect();
        let codecs = codecs.filter(|codecs| !codecs.is_empty());
        codecs.map(Some).ok_or_else(|| self.wrong(key, &format!("codecs are {}", codec::names())))
    }

    fn recording(&self) -> Result<Recording> {
        let tone_to = self.one_of("recording.tone_to", &["both", "far_end", "agent"])?;
        let mode = self.one_of("recording.mode", &["always", "journal", "never"])?;
        Ok(Recording {
            journal: mode != "never",
            sound: mode == "always",
            tone: crate::call::pipeline::recording::Tone {
                every: self.span("recording.tone_every")?,
                to_far_end: tone_to != "agent",
                to_agent: tone_to != "far_end",
            },
            pcap: match self.one_of("recording.pcap", &["off", "sip", "all", "decrypted"])?.as_str() {
                "sip" => Pcap::Sip,
                "all" => Pcap::All,
                "decrypted" => Pcap::Decrypted,
                _ => Pcap::Off,
            },
            agent_frames: self.flag("recording.agent_frames")?,
            refused_per_minute: self.count("recording.refused_per_minute")?,
            folder: PathBuf::from(self.text("recording.folder")?),
            // Zero would empty the folder at once; who wants to keep nothing says so with the mode.
            keep: self.parsed("recording.keep", |text| match parse_duration(text)? {
                Duration::ZERO => Err("must be above zero: recording.mode = never keeps nothing".to_owned()),
                span => Ok(span),
            })?,
            max_size: self.parsed("recording.max_size", |text| match parse_size(text)? {
                0 => Err("must be above zero: recording.mode = never keeps nothing, 100T keeps all".to_owned()),
                size => Ok(size),
            })?,
        })
    }
}

/// Modules that write into the log.
pub static LOG_MODULES: &[&str] = &["gateway", "sip", "call", "rtp", "agent", "lint", "recording", "web"];

/// `info`, or `warn,sip=debug`: every item a level, or a module with one.
fn check_log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    for item in text.split(',') {
        let (module, level) = item.split_once('=').map_or((None, item), |(module, level)| (Some(module.trim()), level));
        let level = level.trim();
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            return Err(format!("'{level}' is no level; levels are {}", LEVELS.join(", ")));
        }
        if let Some(module) = module.filter(|module| !LOG_MODULES.contains(module)) {
            return Err(match crate::error::nearest(module, LOG_MODULES.iter().copied()) {
                Some(near) => format!("there is no module {module}; did you mean {near}?"),
                None => format!("there is no module {module}; modules are {}", LOG_MODULES.join(", ")),
            });
        }
    }
    Ok(text.to_owned())
}

fn parse_ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let wrong = || "must be a range like 10000-20000".to_owned();
    let (low, high) = text.split_once('-').ok_or_else(wrong)?;
    let low: u16 = low.trim().parse().map_err(|_| wrong())?;
    let high: u16 = high.trim().parse().map_err(|_| wrong())?;
    if low < 1_024 || high <= low {
        Err("must be above 1023 and hold at least two ports".into())
    } else {
        Ok(low..=high)
    }
}

/// Reads a secret from a file.
///
/// # Errors
/// Names the file.
pub fn read_secret(path: &Path) -> Result<Secret> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::file("read", path, &source))?;
    let secret = Secret::new(&text);
    if secret.reveal().is_empty() {
        return Err(Error::usage(format!("{} is empty: it should hold a key or token", path.display()))
            .hint("write the key or token into its first line"));
    }
    Ok(secret)
}

/// A secret from `NAME`, or from the file that `NAME_FILE` names.
///
/// # Errors
/// Names the file that could not be read.
pub fn secret_from_environment(name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Secret>> {
    if let Some(value) = env(name).filter(|value| !value.trim().is_empty()) {
        return Ok(Some(Secret::new(&value)));
    }
    match env(&format!("{name}_FILE")) {
        Some(path) => read_secret(Path::new(&path))
            .map(Some)
            .map_err(|problem| problem.hint(format!("{name}_FILE names it: correct it, or unset it"))),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config> {
        let mut layers = Layers::defaults();
        layers.add_file_text(file, Path::new("voxgw.toml"))?;
        let env: Vec<(String, String)> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        layers.add_environment(&env, "environment")?;
        for (key, value) in flags {
            layers.add_flag(key, value);
        }
        Config::from_layers(&layers)
    }

    #[test]
    fn flags_beat_environment_beats_file_beats_default() {
        let file = "[gateway]\nname = 'file'\nmax_calls = 5\n[media]\nptime = '30ms'";
        let env = [("VOXGW__GATEWAY__MAX_CALLS", "6"), ("VOXGW__GATEWAY__DRAIN", "7s")];
        let config = config(file, &env, &[("gateway.drain", "8s")]).unwrap();
        assert_eq!((config.name.as_str(), config.max_calls, config.ptime.ms()), ("file", 6, 30));
        assert_eq!(config.drain, Duration::from_secs(8));
        assert_eq!(config.codecs[0].name, "g722", "wideband first");
    }

    #[test]
    fn mistakes_name_the_key_its_origin_and_the_nearest_name() {
        let error = |file: &str| config(file, &[], &[]).unwrap_err();
        let unknown = error("[gateway]\nmax_cals = 5");
        assert!(unknown.to_string().contains("gateway.max_cals"), "{unknown}");
        assert!(unknown.hint_text().unwrap().contains("gateway.max_calls"));
        let wrong = error("[gateway]\ndrain = '5'").to_string();
        assert!(wrong.contains("gateway.drain = 5 (from voxgw.toml") && wrong.contains("5s or 5ms"), "{wrong}");
        let tls = error("[sip]\nlisten = ['tls:0.0.0.0:5061']");
        assert!(tls.to_string().contains("tls:0.0.0.0:5061, but there is no certificate"), "{tls}");
        assert!(tls.hint_text().unwrap().contains("sip.tls.key"));
        assert!(error("[sip.tls]\ncertificate = 'a.pem'").to_string().contains("sip.tls.key is not"));
        for (key, value) in [("max_size", "20"), ("max_size", "0G"), ("max_size", "0"), ("keep", "0d")] {
            let wrong = error(&format!("[recording]\n{key} = '{value}'"));
            assert!(wrong.to_string().contains(&format!("recording.{key} = {value}")), "{wrong}");
        }
        assert!(error("[log]\nlevel = 'sipp=debug'").to_string().contains("did you mean sip?"));
        assert!(error("[log]\nlevel = 'hyper=debug'").to_string().contains("modules are gateway, sip"));
        assert!(
            error("[agents.x]\nkind = 'gemni'")
                .to_string()
                .contains("echo, scripted, gemini, openai, gpt-live, bridge")
        );
        assert!(error("[agents.x]\nkind = 'echo'\nvoise = 'x'").hint_text().unwrap().contains("voice"));
        assert!(error("gateway = ").to_string().contains("voxgw.toml"));
        assert!(config("", &[("VOXGW__GATEWAY__NAM", "x")], &[]).is_err());
    }

    #[test]
    fn addresses_without_a_port_have_the_transports_own() {
        for (text, full) in [
            ("udp:127.0.0.1", "udp:127.0.0.1:5060"),
            ("tls:127.0.0.1", "tls:127.0.0.1:5061"),
            ("ws:0.0.0.0", "ws:0.0.0.0:80"),
            ("wss:::1", "wss:[::1]:443"),
            ("tls:[::]:5071", "tls:[::]:5071"),
        ] {
            assert_eq!(text.parse::<Listen>().map(|listen| listen.to_string()), Ok(full.to_owned()));
        }
        assert!("sctp:127.0.0.1".parse::<Listen>().is_err() && "tls:host:5061".parse::<Listen>().is_err());
    }

    #[test]
    fn profiles_are_found_by_name_or_built_in() {
        let config = config("[agents.support]\nkind = 'gemini'\nvoice = 'Kore'\ngreeting = 'none'", &[], &[]).unwrap();
        let support = config.profile("support").unwrap();
        assert_eq!(support.without_effect, Vec::<&str>::new());
        assert_eq!((support.remote.voice.as_deref(), support.remote.greeting), (Some("Kore"), None));
        assert!(config.profile("echo:live").unwrap().live);
        assert!(config.profile("suport").unwrap_err().hint_text().unwrap().contains("support"));
    }

    #[test]
    fn a_setting_that_a_kind_does_not_have_is_warned_about() {
        let config = config("[agents.support]\nkind = 'gemini'\neagerness = 'low'", &[], &[]).unwrap();
        assert_eq!(config.warnings(), ["agents.support.eagerness is without effect: gemini has no such setting"]);
    }

    #[test]
    fn what_a_model_has_not_is_an_error_and_a_model_that_is_gone_a_warning() {
        let gone = config("[agents.a]\nkind = 'gemini'\nmodel = 'gemini-live-2.5-flash-preview'", &[], &[]).unwrap();
        let warning = &gone.warnings()[0];
        assert!(warning.contains("agents.a.model") && warning.contains("successor is gemini-3.8-live"), "{warning}");
        let problem = config("[agents.a]\nkind = 'gemini'\nreasoning = 'low'", &[], &[]).unwrap_err().to_string();
        assert!(problem.contains("agents.a.reasoning = low") && problem.contains("thinkingLevel"), "{problem}");
        let old = config("[agents.a]\nkind = 'openai'\nmodel = 'gpt-4o-realtime-preview'", &[], &[]).unwrap();
        assert!(old.warnings()[0].contains("successor is gpt-realtime-2.1"), "{:?}", old.warnings());
    }

    #[test]
    fn the_template_is_a_valid_config_and_names_every_key() {
        let text = template();
        for key in KEYS {
            let last = key.path.rsplit('.').next().unwrap();
            assert!(text.contains(&format!("{last} = ")), "{}", key.path);
        }
        let uncommented: String =
            text.lines().map(|line| line.strip_prefix("#= ").unwrap_or(line)).collect::<Vec<_>>().join("\n");
        config(&uncommented, &[], &[]).unwrap();
    }
}
