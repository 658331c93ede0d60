//! The local API: what a running gateway tells and takes, and the client that asks it.
//!
//! `GET /v1/sessions` (snapshot), `GET /v1/sessions/ID`, `POST /v1/sessions/ID/hangup`, `POST /v1/sessions/ID/dtmf`,
//! `GET /v1/events` (snapshot first, then JSON Lines), `GET /v1/health`, `GET /v1/stream` (a platform attaches).

pub mod client;
mod conference;
pub mod model;
pub mod server;
mod stream;
