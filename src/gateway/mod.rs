//! The gateway: the engine that owns signalling, the workers that own calls, the hub that knows them all.
//!
//! ```text
//! net::{udp,tcp} ──▶ engine (sip::Endpoint) ──▶ session (call::Pipeline, one task per call, pinned to a worker)
//!                        ▲                          │ records
//!                        └────── SipAction ─────────┤
//!                                                   ▼
//!                                   hub (views, subscribers) ──▶ writer (files, one thread)
//! ```

pub mod bindings;
pub mod engine;
pub mod hub;
pub mod line;
mod mcp;
mod mend;
pub mod mux;
pub mod post;
pub(crate) mod pressure;
pub mod priority;
pub mod router;
pub mod session;
pub mod trunks;
pub mod worker;
pub mod writer;

pub use engine::{
    ConferenceView, Deed, Engine, Handle, Join, Originate, PageId, PickUp, Presence, Writing, conference_role,
};
pub use router::Router;
pub use worker::Workers;
