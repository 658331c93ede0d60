//! Figures of a call as the journal keeps them: once a second of both directions, and percentiles of its end.
//!
//! Words only: `media` and `call::pipeline` measure, `call::summary` judges.

use serde::{Deserialize, Serialize};

/// Once a second: both directions' figures, counted since the call's start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// What comes from the caller.
    pub inbound: InboundStats,
    /// What goes to the caller.
    pub outbound: OutboundStats,
}

/// What the network delivered from the caller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InboundStats {
    /// RTP packets that arrived, duplicates not counted.
    pub packets: u64,
    /// Packets that the sequence numbers promise (RFC 3550 A.3).
    pub expected: u64,
    /// `expected − packets`, never below zero.
    pub lost: u64,
    /// `lost` of `expected`.
    pub loss_percent: f64,
    /// Longest run of lost packets.
    pub burst_max: u32,
    /// Arrived after they had been concealed.
    pub late: u64,
    /// Arrived twice.
    pub duplicate: u64,
    /// Arrived behind a later one.
    pub reordered: u64,
    /// Interarrival jitter (RFC 3550 §6.4.1) now.
    pub jitter_ms: f64,
    /// The largest since the start.
    pub jitter_max_ms: f64,
    /// Mean of all packets.
    #[serde(default)]
    pub jitter_mean_ms: f64,
    /// Audio made up for lost packets.
    pub concealed_percent: f64,
    /// Level of the last second.
    pub level_dbfs: f64,
    /// Loudest sample since the start.
    pub peak_dbfs: f64,
    /// Share of the call in which the caller spoke.
    pub talk_percent: f64,
    /// Sender's clock against ours; none before a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_ppm: Option<f64>,
    /// MOS-CQE, estimated by G.107.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos: Option<f64>,
    /// MOS-LQE: without the delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos_lq: Option<f64>,
    /// R factor (G.107), on the scale of G.107.1 for wideband codecs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r_factor: Option<f64>,
    /// From mouth to ear, estimated: half the round trip, a packet, and the buffer that its jitter needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<f64>,
    /// Bursts of loss (RFC 3611 §4.7.2, Gmin 16).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bursts: u64,
    /// Loss within bursts.
    #[serde(default, skip_serializing_if = "is_none")]
    pub burst_percent: f64,
    /// Mean length of a burst.
    #[serde(default, skip_serializing_if = "is_none")]
    pub burst_ms: f64,
    /// Loss between bursts.
    #[serde(default, skip_serializing_if = "is_none")]
    pub gap_percent: f64,
    /// Mean length of what lies between bursts.
    #[serde(default, skip_serializing_if = "is_none")]
    pub gap_ms: f64,
    /// Level while the caller spoke, since the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech_dbfs: Option<f64>,
    /// Runs of three or more samples at full scale.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clipped: u64,
    /// Comfort noise packets (RFC 3389).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub comfort_noise: u64,
    /// Packets of a payload type that was not agreed on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unexpected: u64,
    /// The agent's voice returns after so long…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo_delay_ms: Option<f64>,
    /// …weaker by so much: echo return loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo_loss_db: Option<f64>,
    /// Share of the call in which both spoke.
    #[serde(default, skip_serializing_if = "is_none")]
    pub double_talk_percent: f64,
    /// Synchronisation source, as `0x…`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ssrc: String,
    /// Packets refused: wrong source, wrong payload type, not RTP.
    #[serde(default)]
    pub refused: u64,
    /// RTP and RTCP that SRTP found forged: another key, or changed on its way.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub srtp_failed: u64,
    /// RTP and RTCP that SRTP had seen before, or that came too late to tell.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub srtp_replayed: u64,
    /// Milliseconds of sound that came too late for the recording.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unrecorded_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
pub(super) const fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_none(figure: &f64) -> bool {
    *figure == 0.0
}

/// What we sent to the caller, and what its RTCP says of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OutboundStats {
    /// RTP packets sent.
    pub packets: u64,
    /// Audio waiting to be sent.
    pub queue_ms: u32,
    /// Level of the last second.
    pub level_dbfs: f64,
    /// Share of the call in which the agent spoke.
    pub talk_percent: f64,
    /// Times the queue ran dry inside a turn.
    pub underruns: u64,
    /// Ticks that came more than 20 ms late.
    pub late_ticks: u64,
    /// The wait of another leg's sound before it goes out, in a bridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playout: Option<PlayoutStats>,
    /// Loss that the far end reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_loss_percent: Option<f64>,
    /// Jitter that the far end reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_jitter_ms: Option<f64>,
    /// Round trip by RTCP (RFC 3550 §6.4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<f64>,
    /// MOS-CQE at the far end, estimated by G.107 from what it reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos: Option<f64>,
    /// The same without the delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mos_lq: Option<f64>,
    /// R factor of the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r_factor: Option<f64>,
    /// MOS-CQ that the far end itself reports (RFC 3611 §4.7.5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_mos: Option<f64>,
    /// Synchronisation source, as `0x…`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ssrc: String,
}

/// What evens out another leg's sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlayoutStats {
    /// The wait now.
    pub delay_ms: f64,
    /// The wait that the spread of delays asks for.
    pub target_ms: f64,
    /// Sound made up here because nothing was there to play, since the start.
    pub concealed_ms: f64,
    /// Sound put in to wait longer.
    pub inserted_ms: f64,
    /// Sound taken out to wait less.
    pub dropped_ms: f64,
    /// Frames that came after their turn.
    pub late: u64,
}

/// Percentiles of a span in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many were measured.
    pub count: u64,
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Largest.
    pub max_ms: f64,
}
