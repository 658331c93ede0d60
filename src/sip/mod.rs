//! SIP as pure machines: messages, transactions, dialogs, descriptions of sessions.
//!
//! Owns RFC 3261 (with 3581, 6026, 3264, 4566) up to "a leg was offered, answered, ended". Does not know sockets,
//! media or calls; `gateway::engine` feeds it bytes and takes its events. Nothing here waits: [`endpoint::Endpoint`]
//! takes `now` and says when it wants to be called again.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod auth;
pub mod carried;
pub mod cause;
pub mod dialog;
pub mod endpoint;
pub mod header;
pub mod limits;
pub mod locate;
pub mod message;
pub mod method;
pub mod registrar;
pub mod sdp;
pub mod stream;
pub mod trunk;
pub mod tx;
pub mod uri;
