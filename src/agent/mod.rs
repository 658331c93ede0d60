//! The speech AIs: what passes between a call and its agent, the agents themselves, and their sockets.
//!
//! [`event`], [`wire`] and [`local`] are pure. [`socket`] is the one WebSocket client. [`PROVIDERS`] is the table of
//! kinds: help, `--agent` values and the config's check come from it.

pub mod event;
pub mod local;
pub mod prompts;
pub mod seat;
pub mod socket;
pub mod wire;

/// The kinds of agents: name and what it is.
pub static PROVIDERS: &[(&str, &str)] = &[
    ("echo", "says back what it heard when the caller stops; echo:live loops at once"),
    ("scripted", "an offline agent from a TOML file, or the one inside the binary"),
    ("gemini", "Gemini Live over WebSocket; needs GEMINI_API_KEY, GOOGLE_API_KEY or key_file"),
];
