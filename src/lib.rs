//! voxgw: the gateway between the phone network and speech AI.
pub mod agent;
pub mod api;
pub mod call;
pub mod clock;
pub mod error;
pub mod media;
pub mod redact;
pub mod sip;
pub mod tui;
pub mod unit;
