//! voxgw: the gateway between the phone network and speech AI.
pub mod agent;
pub mod api;
pub mod call;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod gateway;
pub mod media;
pub mod net;
pub mod redact;
pub mod replay;
pub mod report;
pub mod route;
pub mod sip;
pub mod tui;
pub mod unit;
