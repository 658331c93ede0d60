//! The command line: arguments, one file per subcommand, what is printed where, exit codes.
//!
//! stdout is the result, stderr the talk. Errors say what was tried and what came back, the hint on its own line.

mod agents;
mod arguments;
mod calls;
mod conditions;
mod config;
mod devices;
mod dial;
mod generate;
mod logging;
mod monitor;
mod printer;
mod recordings;
mod replay;
mod route;
mod serve;

pub use arguments::{Arguments, Command};
pub use generate::{completions, man_pages};

use crate::{
    config::{Config, Layers},
    error::{Error, Result},
};
use arguments::Global;
use clap::Parser as _;
use printer::Printer;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::OnceLock,
};

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => {
            // Help and version are results; everything else is wrong use. A broken pipe is a success.
            let _ = message.print();
            return ExitCode::from(if message.use_stderr() { 2 } else { 0 });
        }
    };
    let printer = Printer::new(&arguments.global);
    match run(arguments, &printer) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            printer.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

fn run(arguments: Arguments, printer: &Printer) -> Result<u8> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let global = arguments.global;
    match arguments.command {
        None => {
            printer.result(&orientation());
            Ok(0)
        }
        Some(Command::Serve(serve)) => serve::run(&global, &serve, printer),
        Some(Command::Dial(dial)) => dial::run(&global, &dial, printer),
        Some(Command::Replay(replay)) => replay::run(&global, &replay, printer),
        Some(Command::Monitor(monitor)) => monitor::run(&global, &monitor, printer),
        Some(Command::Calls(calls)) => calls::run(&calls, printer),
        Some(Command::Devices { output }) => devices::list(output, printer),
        Some(Command::Recordings(command)) => recordings::run(&command, printer),
        Some(Command::Agents(command)) => agents::run(&global, &command, printer),
        Some(Command::Config(command)) => config::run(&global, &command, printer),
        Some(Command::Completions { shell }) => {
            printer.result(&completions(shell));
            Ok(0)
        }
        Some(Command::Man { command, all }) => generate::man(command.as_deref(), all.as_deref(), printer),
    }
}

fn orientation() -> String {
    let found = find_config(None).map_or_else(
        || "no config file found; the defaults work".to_owned(),
        |path| format!("config: {}", path.display()),
    );
    format!(
        "voxgw {}: the gateway between the phone network and speech AI\n{found}\n\n\
         voxgw serve                       answer calls on port 5060\n\
         voxgw dial sip:127.0.0.1 --echo   call it\n\
         voxgw replay FILE                 run a recording or capture through the same path\n\
         voxgw monitor --demo              look at the live view\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// The one config file: `--config`, `$VOXGW_CONFIG`, `./voxgw.toml`, the user's, the system's.
fn find_config(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = named {
        return Some(path.to_owned());
    }
    if let Some(path) = std::env::var_os("VOXGW_CONFIG").filter(|path| !path.is_empty()) {
        return Some(PathBuf::from(path));
    }
    let user = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    [
        Some(PathBuf::from("voxgw.toml")),
        user.map(|folder| folder.join("voxgw/config.toml")),
        Some(PathBuf::from("/etc/voxgw/config.toml")),
    ]
    .into_iter()
    .flatten()
    .find(|path| path.is_file())
}

/// All layers but the command's own flags.
fn layers(global: &Global) -> Result<Layers> {
    let mut layers = Layers::defaults();
    if !global.no_config
        && let Some(path) = find_config(global.config.as_deref())
    {
        let text = std::fs::read_to_string(&path).map_err(|source| Error::file("read", &path, &source))?;
        layers.add_file_text(&text, &path)?;
    }
    let outside: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    // A layer after the other: the environment wins over `.env` whichever way either spells a key.
    for (variables, source) in [(dot_env()?, ".env"), (&outside[..], "environment")] {
        layers.add_environment(variables, source)?;
        for (name, key) in NAMED {
            let set = variables.iter().rev().find(|(known, value)| known == name && !value.is_empty());
            if let Some((_, value)) = set {
                let is_log = key.starts_with("log.");
                let value = if is_log { value.to_ascii_lowercase() } else { value.clone() };
                layers.add_variable(key, &value, name, source);
            }
        }
    }
    if let Some(level) = &global.log {
        layers.add_flag("log.level", level);
    } else if global.verbose > 0 {
        layers.add_flag("log.level", if global.verbose == 1 { "debug" } else { "trace" });
    }
    if let Some(format) = &global.log_format {
        layers.add_flag("log.format", format);
    }
    if let Some(path) = &global.log_file {
        layers.add_flag("log.file", &path.display().to_string());
    }
    Ok(layers)
}

/// Variables with names of their own, and the keys that they set.
const NAMED: [(&str, &str); 4] = [
    ("LOG_LEVEL", "log.level"),
    ("LOG_FORMAT", "log.format"),
    ("VOXGW_LOG", "log.level"),
    ("VOXGW_RECORDINGS", "recording.folder"),
];

/// A variable of the environment, or of `.env`.
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).or_else(|| {
        let inside = dot_env().ok()?.iter().rev().find(|(known, value)| known == name && !value.is_empty());
        inside.map(|(_, value)| value.clone())
    })
}

/// Whether somebody asked for a level of the log: else the commands that print lines of their own log errors only.
fn is_log_level_set(global: &Global) -> bool {
    let names = ["LOG_LEVEL", "VOXGW_LOG", "VOXGW__LOG__LEVEL"];
    global.log.is_some() || global.verbose > 0 || names.iter().any(|name| environment(name).is_some())
}

/// What `.env` in the current folder says; nothing if there is none. Read once: it may be a pipe.
///
/// # Errors
/// It cannot be read, or a line of it makes no sense.
fn dot_env() -> Result<&'static [(String, String)]> {
    /// Variables, or whether the file itself is the problem, and the problem.
    type Found = Result<Vec<(String, String)>, (bool, String)>;
    static FOUND: OnceLock<Found> = OnceLock::new();
    let found = FOUND.get_or_init(|| match std::fs::read(".env") {
        Ok(bytes) => crate::config::dotenv::parse(&bytes, &|name| std::env::var(name).ok())
            .map_err(|(line, problem)| (false, format!(".env line {line} {problem}"))),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err((true, format!("could not read .env: {source}"))),
    });
    match found {
        Ok(variables) => Ok(variables),
        Err((true, problem)) => Err(Error::machine(problem.as_str()).hint("make it a file, or move it away")),
        Err((false, problem)) => {
            Err(Error::usage(problem.as_str()).hint("write NAME=value, one a line; comments begin with #"))
        }
    }
}

/// `~` at the start of the recordings folder is the home folder.
fn expand_home(config: &mut Config) {
    if let (Ok(rest), Some(home)) = (config.recording.folder.strip_prefix("~"), std::env::var_os("HOME")) {
        config.recording.folder = PathBuf::from(home).join(rest);
    }
    if let (Some(Ok(rest)), Some(home)) =
        (config.signalling.bindings_file.as_ref().map(|file| file.strip_prefix("~")), std::env::var_os("HOME"))
    {
        config.signalling.bindings_file = Some(PathBuf::from(home).join(rest));
    }
}

/// The profile that answers when none is named: the first provider whose key is there, else the offline agent.
///
/// # Errors
/// A key file is named that cannot be read: who has a key does not want the offline agent.
fn default_agent(config: &Config) -> Result<String> {
    if config.agent != "auto" {
        return Ok(config.agent.clone());
    }
    // A bot of one's own is somewhere that only a profile can say.
    for provider in crate::agent::wire::PROVIDERS.iter().filter(|provider| !provider.endpoint.is_empty()) {
        if crate::agent::seat::key(provider, &config.profile(provider.name)?, &environment)?.is_some() {
            return Ok(provider.name.to_owned());
        }
    }
    Ok("scripted".to_owned())
}
