//! The speech AIs: what passes between a call and its agent, and the agents themselves.
pub mod event;
pub mod local;
pub mod wire;
