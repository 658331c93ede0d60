//! WebRTC: browsers reach the same agents, journals and recordings as telephones do.
//!
//! [`peer`] is the far end as a machine: ICE, DTLS and SRTP on one side, plain RTP packets on the other, so that a call
//! from a browser runs through `call::pipeline` like any other. [`protocol`] is what pages and gateway say to each other
//! over the WebSocket; [`token`] says who may join; [`ice_servers`] what pages are told of STUN and TURN. These are pure. The shells are [`server`] (the listener, TLS,
//! origins), [`whip`] (RFC 9725), [`signal`] (the WebSocket) and [`presence`]
//! (pages that wait to be called); [`page`] is the softphone. `gateway::session` drives a
//! peer; nothing here decides about calls.

pub mod ice_servers;
mod line;
pub mod page;
pub mod peer;
pub mod presence;
pub mod protocol;
pub mod server;
pub mod signal;
pub mod token;
pub mod whip;
