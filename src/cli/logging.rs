//! Logs: text or JSON, to stderr or a file, with a level per module (`sip`, `rtp`, `agent`, `call`, `recording`).

use crate::{
    config::Config,
    error::{Error, Result},
};
use std::fs::File;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// A filter that says something about every module: without a level of its own the others would fall silent.
fn filter_of(text: &str, default_level: &str) -> String {
    let is_whole = text.split(',').any(|item| !item.contains('='));
    if is_whole { text.to_owned() } else { format!("{default_level},{text}") }
}

/// What was logged is written when this is dropped.
#[must_use]
pub struct Writing(#[expect(dead_code, reason = "held for its drop")] WorkerGuard);

/// Starts logging as the config says. `default_level` holds where `is_set` says that nobody named one, and for the
/// modules that a filter does not name.
///
/// # Errors
/// A filter that cannot be read, a file that cannot be made.
pub fn start(config: &Config, default_level: &str, is_set: bool) -> Result<Writing> {
    let level = if is_set { filter_of(&config.log_level, default_level) } else { default_level.to_owned() };
    let filter = EnvFilter::try_new(&level).map_err(|problem| {
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
    // Calls never wait for whoever reads the log: a terminal that was stopped, a pipe that nobody empties. Lines that
    // find no room are dropped.
    let (writer, writing) = match file {
        Some(file) => tracing_appender::non_blocking(file),
        None => tracing_appender::non_blocking(std::io::stderr()),
    };
    let outcome = if config.log_format == "json" {
        registry.with(fmt::layer().json().flatten_event(true).with_writer(writer)).try_init()
    } else {
        registry.with(fmt::layer().with_ansi(false).with_writer(writer)).try_init()
    };
    outcome.map_err(|problem| Error::usage(format!("could not start logging: {problem}")))?;
    Ok(Writing(writing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_of_one_module_leaves_the_others_as_they_were() {
        assert_eq!(filter_of("sip=debug", "info"), "info,sip=debug");
        assert_eq!(filter_of("sip=debug,warn", "info"), "sip=debug,warn");
        assert_eq!(filter_of("trace", "info"), "trace");
    }
}
