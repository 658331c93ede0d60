//! Logs: text or JSON, to stderr or a file, with a level per module (`sip`, `rtp`, `agent`, `call`, `recording`).

use crate::{
    config::Config,
    error::{Error, Result},
};
use std::{fs::File, sync::Mutex};
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Starts logging as the config says; `quiet_default` is used when the level was not set by anybody.
///
/// # Errors
/// A filter that cannot be read, a file that cannot be made.
pub fn start(config: &Config, default_level: Option<&str>) -> Result<()> {
    let level = default_level.unwrap_or(&config.log_level);
    let filter = EnvFilter::try_new(level).map_err(|problem| {
        Error::usage(format!("log.level = {level}: {problem}")).hint("write info, or warn,sip=debug")
    })?;
    // These print whole requests, keys included, when asked for enough.
    let filter = ["tungstenite=info", "tokio_tungstenite=info", "rustls=info", "hyper=info"]
        .into_iter()
        .filter_map(|cap| cap.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    let registry = tracing_subscriber::registry().with(filter);
    let file = config
        .log_file
        .as_ref()
        .map(|path| {
            File::options().create(true).append(true).open(path).map_err(|source| Error::file("open", path, &source))
        })
        .transpose()?;
    let outcome = match (config.log_format.as_str(), file) {
        ("json", Some(file)) => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(Mutex::new(file))).try_init()
        }
        ("json", None) => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
        }
        (_, Some(file)) => registry.with(fmt::layer().with_ansi(false).with_writer(Mutex::new(file))).try_init(),
        (_, None) => registry.with(fmt::layer().with_ansi(false).with_writer(std::io::stderr)).try_init(),
    };
    outcome.map_err(|problem| Error::usage(format!("could not start logging: {problem}")))
}
