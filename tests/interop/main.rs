//! Calls between the gateway and telephones that other people wrote: `SIPp`, baresip, Kamailio, and tshark as
//! a reader.
//!
//! Every test is ignored by default because it needs foreign programs; `scripts/interop` installs them and runs
//! all. Run one by hand with `cargo test --release --test interop -- --ignored --test-threads=1 NAME`.
//! Playing captures and capturing on loopback need root. `VOXGW_BIN` names another binary to test, `VOXGW_KIT`
//! the folder with public recordings.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

mod api;
mod audio;
mod baresip;
mod baresip_registered;
mod baresip_srtp;
mod bridge;
mod browser;
mod capture;
mod dispatcher;
#[path = "../support/dns.rs"]
mod dns;
mod espeak;
mod ffmpeg;
mod files;
mod gateway;
mod ivr;
mod kamailio;
#[allow(dead_code, reason = "shared by several test targets")]
#[path = "../support/mock_pipeline.rs"]
mod mock_pipeline;
mod pesq;
mod pipecat;
mod process;
mod sipp;
mod sipp_called;
mod sipp_dialogs;
mod sipp_inside;
mod sipp_media;
mod sipp_registrar;
mod sipp_signalling;
mod sipp_targets;
mod sipp_tls;
mod sipp_transfer;
mod tshark;
mod wideband;
