//! The arguments: names, meanings, checks. Help, man pages and completions are made from these definitions.

use crate::media::codec::CODECS;
use crate::unit::{CallId, parse_duration, parse_rate};
use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValuesParser};
use jiff::civil::DateTime;
use std::{net::IpAddr, path::PathBuf, time::Duration};

/// The codec table, for help and completions.
fn codec_names() -> PossibleValuesParser {
    PossibleValuesParser::new(CODECS.iter().map(|codec| codec.name))
}

/// The gateway between the phone network and speech AI.
#[derive(Debug, Parser)]
#[command(name = "voxgw", version, about, propagate_version = true, arg_required_else_help = false)]
pub struct Arguments {
    /// What everybody understands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags that every subcommand takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// Use this config file, and no other
    #[arg(short, long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Read no config file
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_config: bool,
    /// Only results and errors; twice: only errors
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub quiet: u8,
    /// Log more: debug; twice: trace
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Log filter: error, warn, info, debug, trace, or per module: warn,sip=debug
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Global options")]
    pub log: Option<String>,
    /// Log as text or json
    #[arg(long, global = true, value_name = "FORMAT", value_parser = ["text", "json"], help_heading = "Global options")]
    pub log_format: Option<String>,
    /// Log into this file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub log_file: Option<PathBuf>,
    /// Show no progress bars
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_progress: bool,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "parsed once")]
pub enum Command {
    /// Run the gateway: answer calls with an agent
    ///
    /// Without config and key it answers on udp/5060 and tcp/5060 with the offline agent.
    /// Ctrl-C or SIGTERM drains: no new calls, the running ones finish.
    #[command(
        after_help = "Examples:\n  voxgw serve\n  voxgw serve --agent echo --sip udp:127.0.0.1:5070\n  GEMINI_API_KEY=… voxgw serve --agent gemini --pcap all"
    )]
    Serve(Serve),
    /// Call someone: a file, silence, an echo, or an AI caller
    ///
    /// The exit code says what failed: 3 not reached, 4 refused, 5 agent, 6 media, 7 this machine.
    #[command(
        after_help = "Examples:\n  voxgw dial sip:127.0.0.1 --play recordings/question.wav --record out.wav\n  voxgw dial sip:127.0.0.1 --silence --dtmf '*@6s'\n  voxgw dial sip:127.0.0.1 --play q.wav --repeat 100 --concurrency 20 --rate 10/s -o json"
    )]
    Dial(Dial),
    /// Run a recording or capture through the same path again, offline
    ///
    /// WAV of any rate, pcap, pcapng, or a call folder. Without an agent it is a media report.
    #[command(
        after_help = "Examples:\n  voxgw replay recordings/two-party.pcap\n  voxgw replay recordings/question.wav --agent scripted --out /tmp/run\n  voxgw replay CALL_FOLDER --agent recorded"
    )]
    Replay(Replay),
    /// Watch sessions, live or from a file
    #[command(
        after_help = "Examples:\n  voxgw monitor\n  voxgw monitor --demo\n  voxgw monitor CALL_FOLDER/session.jsonl\n  voxgw monitor --once -o json"
    )]
    Monitor(Monitor),
    /// Act on a running gateway: hang up, press keys, hold, transfer, place a call
    ///
    /// A call is named as `monitor` shows it, or by the beginning of its name that only one has.
    #[command(
        after_help = "Examples:\n  voxgw calls ls --filter 'state:up agent:gemini'\n  voxgw calls hangup c-7f3a\n  voxgw calls transfer 7f3a sip:carol@example.org\n  voxgw calls place +4930123456 --trunk carrier --agent support"
    )]
    Calls(Calls),
    /// List microphones and loudspeakers, for dial --mic
    Devices {
        /// How to print them: text or json
        #[arg(short, long, value_name = "FORMAT", default_value = "text")]
        output: Format,
    },
    /// Work with the recordings of calls
    #[command(subcommand)]
    Recordings(RecordingsCommand),
    /// List agents, and try one without a telephone
    #[command(subcommand)]
    Agents(AgentsCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script
    Completions {
        /// For this shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page
    Man {
        /// Of this subcommand
        command: Option<String>,
        /// Write all pages into this folder
        #[arg(long, value_name = "DIR")]
        all: Option<PathBuf>,
    },
}

/// `voxgw calls …`
#[derive(Debug, Args)]
pub struct Calls {
    /// The gateway: unix:PATH or http://HOST:PORT; without it the local one
    #[arg(long, value_name = "TARGET", env = "VOXGW_API", global = true)]
    pub gateway: Option<String>,
    /// File with the API's token
    #[arg(long, value_name = "FILE", hide_env_values = true, env = "VOXGW_TOKEN_FILE", global = true)]
    pub token_file: Option<PathBuf>,
    #[command(subcommand)]
    pub command: CallsCommand,
}

/// What is done to a call.
#[derive(Debug, Subcommand)]
pub enum CallsCommand {
    /// List them, as monitor --once does
    Ls {
        /// Only these: state:up agent:gemini mos<3.8 p95>1200
        #[arg(long, value_name = "EXPR", default_value = "")]
        filter: String,
        /// Sort by a column: p95:desc
        #[arg(long, value_name = "COLUMN", default_value = "")]
        sort: String,
        /// How to print them
        #[arg(short, long, value_name = "FORMAT", default_value = "text")]
        output: Format,
    },
    /// End a call
    Hangup {
        /// The call
        call: String,
        /// For its journal
        #[arg(long)]
        reason: Option<String>,
    },
    /// Press keys towards the far end
    Dtmf {
        /// The call
        call: String,
        /// 0-9, *, # and A-D
        keys: String,
    },
    /// Hold the far end
    Hold {
        /// The call
        call: String,
    },
    /// Take the far end back
    Resume {
        /// The call
        call: String,
    },
    /// Ask the far end to call somebody else, or to take our place in another call
    Transfer {
        /// The call
        call: String,
        /// A SIP address, or another call
        to: String,
    },
    /// Put an agent's caller through to a user of ours, or with --trunk to a number; prints the new leg
    Bridge {
        /// The call
        call: String,
        /// A user of ours, or a number
        to: String,
        /// Through this trunk
        #[arg(long)]
        trunk: Option<String>,
    },
    /// Put a call into a conference
    Conference {
        /// The call
        call: String,
        /// The conference; made if it is not there
        name: String,
    },
    /// Pause a recording, or let it go on
    Recording {
        /// The call
        call: String,
        /// What it shall be
        #[arg(value_parser = ["paused", "on"])]
        state: String,
    },
    /// Place a call with an agent of the gateway; prints its name
    Place {
        /// A SIP address, a user of ours, or with --trunk a number
        to: String,
        /// Who talks; else the gateway's default
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
        /// Through this trunk
        #[arg(long)]
        trunk: Option<String>,
        /// As whom
        #[arg(long, value_name = "URI")]
        from: Option<String>,
    },
    /// Send a text (SIP MESSAGE), and say whether it was taken
    Text {
        /// A SIP address, or a user of ours
        to: String,
        /// The words
        text: String,
        /// As whom
        #[arg(long, value_name = "URI", default_value = "sip:voxgw@voxgw.invalid")]
        from: String,
    },
}

/// `voxgw recordings …`
#[derive(Debug, Subcommand)]
pub enum RecordingsCommand {
    /// Write recordings as Opus in Ogg, an eighth of the size, for browsers and mail
    ///
    /// Both sides stay on their channels: left the caller, right the agent. Prints the names of the files.
    #[command(
        after_help = "Examples:\n  voxgw recordings export CALL_FOLDER\n  voxgw recordings export out.wav --out out.opus"
    )]
    Export(Export),
}

/// `voxgw recordings export`
#[derive(Args, Clone, Debug)]
pub struct Export {
    /// Call folders, or WAV files
    #[arg(value_name = "CALL", required = true)]
    pub calls: Vec<PathBuf>,
    /// Write this file, or into this folder [default: call.opus in the call folder]
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long)]
    pub force: bool,
}

/// `voxgw config …`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every value with its origin, or one key with its meaning
    Show {
        /// This key only
        key: Option<String>,
        /// Only what is not default
        #[arg(long)]
        changed: bool,
    },
    /// Check a config file
    Check {
        /// The file; else the one that would be used
        file: Option<PathBuf>,
    },
    /// Say which routing rule takes a call, and why the others do not
    ///
    /// Exit code 0: an agent answers. 4: the call is refused, or no rule matches.
    #[command(
        after_help = "Examples:\n  voxgw config route --to +4930123456\n  voxgw config route --to 100 --source 10.0.0.7 --at 2026-11-21T09:00\n  voxgw config route --to 100 --header 'X-Tenant: acme' -o json"
    )]
    Route(RouteQuestion),
    /// Write the commented template
    Init {
        /// Print it instead
        #[arg(long)]
        print: bool,
        /// Replace an existing file
        #[arg(long)]
        force: bool,
    },
}

/// `voxgw config route`: an invented call.
#[derive(Args, Clone, Debug)]
pub struct RouteQuestion {
    /// Called number
    #[arg(long, value_name = "NUMBER")]
    pub to: String,
    /// Calling number
    #[arg(long, value_name = "NUMBER", default_value = "")]
    pub from: String,
    /// Address that the call comes from
    #[arg(long, value_name = "IP")]
    pub source: Option<IpAddr>,
    /// Trunk that the call comes by
    #[arg(long, value_name = "NAME")]
    pub trunk: Option<String>,
    /// Header of the INVITE; repeatable
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    /// Local time of the call [default: now]
    #[arg(long, value_name = "DATETIME")]
    pub at: Option<DateTime>,
    /// Registered user who calls
    #[arg(long, value_name = "NAME")]
    pub registered: Option<String>,
    /// How to print the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    pub output: String,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// One document at the end
    Json,
    /// One JSON object a line: records as they happen, or one line for each call or file
    Jsonl,
    /// A table for spreadsheets
    Csv,
}

/// `voxgw serve`
#[derive(Args, Clone, Debug, Default)]
pub struct Serve {
    /// Listen here: udp:, tcp:, tls:, ws: or wss:, on port 5060 (tls 5061) if none is named; repeatable [default: udp:0.0.0.0:5060 and tcp:0.0.0.0:5060]
    #[arg(long, value_name = "TRANSPORT:HOST:PORT")]
    pub sip: Vec<String>,
    /// Ports for RTP and RTCP [default: 10000-20000]
    #[arg(long, value_name = "LOW-HIGH")]
    pub rtp_ports: Option<String>,
    /// The address that others reach us at, or auto
    #[arg(long, value_name = "IP")]
    pub advertise: Option<String>,
    /// Agent that answers: scripted, echo, echo:live, gemini, or a profile of the config
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Local API: unix:PATH, HOST:PORT (with --api-token-file), or off
    #[arg(long, value_name = "PLACE", hide_env_values = true, env = "VOXGW_API")]
    pub api: Option<String>,
    /// File with the token that the API wants on TCP
    #[arg(long, value_name = "FILE", hide_env_values = true, env = "VOXGW_TOKEN_FILE")]
    pub api_token_file: Option<PathBuf>,
    /// Serve browsers here: the softphone, WebSocket and WHIP; off
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:8088")]
    pub web: Option<String>,
    /// Keep calls: always (journal and sound), journal, or never
    #[arg(long, value_name = "WHEN", value_parser = ["always", "journal", "never"])]
    pub record: Option<String>,
    /// Where the call folders are
    #[arg(long, value_name = "DIR")]
    pub recordings: Option<PathBuf>,
    /// Keep a capture of each call
    #[arg(long, value_name = "WHAT", value_parser = ["off", "sip", "all", "decrypted"])]
    pub pcap: Option<String>,
    /// Keep every provider frame in agent.jsonl, for replay --agent recorded
    #[arg(long)]
    pub agent_frames: bool,
    /// Calls at once
    #[arg(long, value_name = "N")]
    pub max_calls: Option<usize>,
    /// How long calls may go on after SIGTERM, like 30s
    #[arg(long, value_name = "TIME")]
    pub drain: Option<String>,
    /// Media workers; 0 is one per core
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Bind, report and exit
    #[arg(long)]
    pub check: bool,
}

/// `voxgw dial`
#[derive(Args, Clone, Debug)]
pub struct Dial {
    /// Whom to call: sip:NAME@HOST, sip:HOST, HOST, or the http(s) URL of a WHIP server
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// Play this file; repeatable, one after another
    #[arg(long, value_name = "FILE", group = "source")]
    pub play: Vec<PathBuf>,
    /// Send silence
    #[arg(long, group = "source")]
    pub silence: bool,
    /// Send back what is heard
    #[arg(long, group = "source")]
    pub echo: bool,
    /// An AI caller: scripted, gemini, or a profile of the config
    #[arg(long, value_name = "NAME", group = "source")]
    pub agent: Option<String>,
    /// Do the steps of this file, and check what it expects; repeatable, a call each; a folder stands for its .toml files
    #[arg(long, value_name = "FILE", group = "source", conflicts_with_all = ["dtmf", "hangup_after", "delay"])]
    pub scenario: Vec<PathBuf>,
    /// Talk through a microphone, and hear the call; a device of `voxgw devices`, or the system's
    ///
    /// While the far end speaks the microphone is silent, or it would hear itself out of the loudspeaker.
    #[arg(
        long,
        value_name = "DEVICE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        group = "source"
    )]
    pub mic: Option<String>,
    /// With --mic: hear the call from this device
    #[arg(long, value_name = "DEVICE", requires = "mic")]
    pub speaker: Option<String>,
    /// With --mic: a headset, which the microphone does not hear; both may speak at once
    #[arg(long, requires = "mic")]
    pub headset: bool,
    /// Write both sides into this WAV: left what we sent, right what came back
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Keep call folders here
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,
    /// Write a capture of the call
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// Press keys: 1,2,#@3s presses 1, 2 and # three seconds after the answer; repeatable
    #[arg(long, value_name = "KEYS[@TIME]")]
    pub dtmf: Vec<String>,
    /// Hang up after: a time like 5s, silence:2s, or turns:3
    ///
    /// A time counts from the end of the last file or from the last key; without --play and --dtmf from the answer.
    /// silence:2s: both sides have been silent for so long after the far end spoke. turns:3: it has answered so many times.
    #[arg(long, value_name = "RULE")]
    pub hangup_after: Option<String>,
    /// Exit with 1 if this is so at a call's end: mos<3.8, lost>1%, gap.p95>1200ms, lint>=error; repeatable
    #[arg(long, value_name = "CONDITION")]
    pub fail_if: Vec<String>,
    /// Write the calls and what was checked into this file, as JUnit's XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// With --play: begin so long after the answer, whatever is heard [default: 500ms, or when the far end has finished
    /// speaking]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub delay: Option<Duration>,
    /// Ring at most this long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    pub ring: Duration,
    /// Talk at most this long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_duration)]
    pub max: Duration,
    /// As whom
    #[arg(long, value_name = "URI")]
    pub from: Option<String>,
    /// User name for a challenge; the password comes from `VOXGW_PASSWORD` or --password-file
    #[arg(long, value_name = "NAME", hide_env_values = true, env = "VOXGW_USER")]
    pub user: Option<String>,
    /// File with the password, or with a WHIP server's bearer token
    #[arg(long, value_name = "FILE", hide_env_values = true, env = "VOXGW_PASSWORD_FILE")]
    pub password_file: Option<PathBuf>,
    /// Send the call through this proxy
    #[arg(long, value_name = "URI")]
    pub proxy: Option<String>,
    /// Extra header; repeatable
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    /// Codecs in the order of the offer
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = codec_names(), ignore_case = true)]
    pub codec: Vec<String>,
    /// Sound in one packet: 10ms to 60ms
    #[arg(long, value_name = "TIME")]
    pub ptime: Option<String>,
    /// Encrypt the sound: off, optional (if the far end can), required; keys travel over TLS only
    #[arg(long, value_name = "POLICY", value_parser = ["off", "optional", "required"])]
    pub srtp: Option<String>,
    /// Local SIP address
    #[arg(long, value_name = "TRANSPORT:HOST:PORT")]
    pub sip: Vec<String>,
    /// Ports for RTP and RTCP [default: 20002-29999]
    #[arg(long, value_name = "LOW-HIGH")]
    pub rtp_ports: Option<String>,
    /// Place so many calls
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub repeat: u32,
    /// So many at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub concurrency: u32,
    /// Begin so many a second: 10/s, 30/m
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub rate: Option<f64>,
    /// How to print the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// `voxgw replay`
#[derive(Args, Clone, Debug)]
pub struct Replay {
    /// WAV, pcap, pcapng, or a call folder
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// none, echo, echo:live, scripted, gemini, recorded (the folder's agent.jsonl), or a profile
    #[arg(long, value_name = "NAME", default_value = "none")]
    pub agent: String,
    /// max, real, or a factor like 2x [default: max for offline agents, real for gemini]
    #[arg(long, value_name = "SPEED")]
    pub speed: Option<String>,
    /// Codec of streams that no SIP describes, and of what a WAV is sent with
    #[arg(long, value_name = "NAME", value_parser = codec_names(), ignore_case = true)]
    pub codec: Option<String>,
    /// Only this stream of a capture, like 0x3f21a9c4
    #[arg(long, value_name = "SSRC")]
    pub ssrc: Option<String>,
    /// Which side of a stereo WAV talks: caller (left), agent (right) or both (mixed)
    #[arg(long, value_name = "SIDE", default_value = "caller", value_parser = ["caller", "agent", "both"])]
    pub leg: String,
    /// Write report.json into this folder; with an agent also session.jsonl, call.wav and sent.pcap
    ///
    /// Several inputs get a folder each, below it and of their name. An input is never replaced.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Exit with 1 if this is so: lost>1%, mos<3.8, lint>=error; repeatable
    ///
    /// Without an agent it is asked of each stream, with one of the conversation.
    #[arg(long, value_name = "CONDITION")]
    pub fail_if: Vec<String>,
    /// How to print the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// `voxgw monitor`
#[derive(Args, Clone, Debug, Default)]
pub struct Monitor {
    /// unix:PATH, http://HOST:PORT, a session.jsonl or a call folder; nothing is the local gateway
    #[arg(value_name = "TARGET", hide_env_values = true, env = "VOXGW_API")]
    pub target: Option<String>,
    /// Show invented calls; needs no gateway
    #[arg(long)]
    pub demo: bool,
    /// Print once and exit
    #[arg(long)]
    pub once: bool,
    /// With -o jsonl: go on printing events
    #[arg(long)]
    pub watch: bool,
    /// Only these: state:up agent:gemini mos<3.8 p95>1200
    #[arg(long, value_name = "EXPR", default_value = "")]
    pub filter: String,
    /// Sort by a column: p95:desc
    #[arg(long, value_name = "COLUMN", default_value = "")]
    pub sort: String,
    /// Open this pane: sessions, overview, ladder, media, talk, turns
    #[arg(long, value_name = "NAME")]
    pub pane: Option<String>,
    /// Open this call; with --once and --watch print only this one
    #[arg(long, value_name = "ID")]
    pub call: Option<CallId>,
    /// Plain letters instead of lines and bullets
    #[arg(long)]
    pub ascii: bool,
    /// Mask numbers and words
    #[arg(long)]
    pub privacy: bool,
    /// Allow hanging up
    #[arg(long)]
    pub control: bool,
    /// File with the API's token
    #[arg(long, value_name = "FILE", hide_env_values = true, env = "VOXGW_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// How to print with --once
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub output: Format,
}

/// `voxgw agents`
#[derive(Subcommand, Clone, Debug)]
pub enum AgentsCommand {
    /// List all agents, and whether they could take a call
    Ls {
        /// How to print the result
        #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
        output: String,
    },
    /// Talk to an agent: how fast it is ready, how fast it answers
    ///
    /// The sound takes the same way as in a call; no telephone and no gateway is needed. A provider's session costs what it
    /// costs. Exit code 5 if the agent fails or says nothing in any run.
    #[command(
        after_help = "Examples:\n  voxgw agents test gemini\n  voxgw agents test support --wav question.wav --runs 5 -o json"
    )]
    Test(AgentTest),
}

/// `voxgw agents test`
#[derive(Args, Clone, Debug)]
pub struct AgentTest {
    /// A profile, or a kind
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What the caller says, after the greeting; else two words that are inside the program
    #[arg(long, value_name = "FILE")]
    pub wav: Option<PathBuf>,
    /// So many conversations, one after another
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub runs: u32,
    /// Silence before the sound, for the greeting [default: 4s; 500ms if the agent waits for the caller]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub delay: Option<Duration>,
    /// How to print the result
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    pub output: String,
}
