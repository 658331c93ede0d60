//! The speech AIs: what passes between a call and its agent, the agents themselves, and their sockets.
//!
//! [`event`], [`wire`], [`stages`], [`local`] and [`mcp`] are pure. [`socket`] is the one WebSocket client. The table of kinds is
//! [`wire::PROVIDERS`]. [`attach`]: who comes to us.

pub mod attach;
pub mod callback;
pub mod event;
pub mod local;
pub mod mcp;
pub mod prompts;
pub mod seat;
pub mod socket;
pub mod stages;
pub mod taped;
pub mod token;
pub mod wire;
