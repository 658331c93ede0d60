//! Sound on its way: packets, codecs, order, tones, files. Pure: it takes `now` and returns data.
//!
//! Owns what happens to audio between a socket and the call: [`inbound`] (RTP in → frames) and [`outbound`]
//! (frames → RTP out). Does not know SIP, agents or the call's state; `call::pipeline` joins them.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod codec;
pub mod decoding;
pub mod dsp;
pub mod encoding;
pub mod file;

pub mod inbound;
mod latch;
pub mod outbound;
pub mod recorder;
pub mod relay;
pub mod room;
pub mod rtp;

/// How this side listens, whatever was agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// How digits come and go.
    pub dtmf: dsp::digits::Mode,
    /// By what voice is told from noise.
    pub vad: dsp::vad::Kind,
}
