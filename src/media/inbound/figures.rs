//! The journal's figures of the way in: of the source that sends now, and of those that are gone.
//!
//! Knows counters, no packets. Called by `media::inbound`. RFC 3550, G.107.

use super::Inbound;
use crate::{
    call::journal::{InboundStats, rounded},
    media::rtp::mos,
    unit::DbFs,
};
use std::time::Duration;

/// Figures of sources that are gone.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past {
    pub(super) packets: u64,
    pub(super) expected: u64,
    pub(super) lost: u64,
    pub(super) late: u64,
    pub(super) duplicate: u64,
    pub(super) reordered: u64,
    pub(super) burst_max: u32,
    pub(super) jitter_max_ms: f64,
}

impl Inbound {
    /// The journal's figures. Levels start a new window with each call of this.
    #[expect(clippy::cast_possible_truncation, reason = "figures for people")]
    pub fn take_stats(&mut self, elapsed: Duration, round_trip_ms: Option<f64>) -> InboundStats {
        let Past { mut packets, mut expected, mut lost, late, mut duplicate, mut reordered, mut burst_max, .. } =
            self.past;
        let mut jitter_max_ms = self.past.jitter_max_ms;
        let (mut jitter_ms, mut jitter_mean_ms, mut drift_ppm, mut ssrc) = (0.0, 0.0, None, String::new());
        if let Some(stats) = &self.stats {
            let (stream_expected, stream_lost) = stats.counts();
            packets += stats.received();
            expected += stream_expected;
            lost += stream_lost;
            duplicate += stats.duplicate();
            reordered += stats.reordered();
            burst_max = burst_max.max(stats.burst_max());
            let (now, max, mean) = stats.jitter_ms();
            jitter_ms = now;
            jitter_mean_ms = mean;
            jitter_max_ms = jitter_max_ms.max(max);
            drift_ppm = stats.drift_ppm().map(rounded);
            ssrc = stats.ssrc.to_string();
        }
        let loss_percent = if expected == 0 { 0.0 } else { lost as f64 * 100.0 / expected as f64 };
        let burst = self.bursts.figures();
        let delay_ms = round_trip_ms.unwrap_or(0.0) / 2.0 + f64::from(self.ptime.ms()) + 2.0 * jitter_ms;
        let quality = (packets >= 50).then(|| {
            mos::estimate(&mos::Line {
                delay_ms: delay_ms as f32,
                loss_percent: loss_percent as f32,
                burst_ratio: burst.ratio as f32,
                impairment: self.codec().impairment,
                wideband: self.codec().is_wideband(),
            })
        });
        let hundredths = |mos: crate::unit::Mos| (f64::from(mos.0) * 100.0).round() / 100.0;
        let ptime_ms = f64::from(self.ptime.ms());
        let share = |part: Duration| rounded(part.as_secs_f64() * 100.0 / elapsed.as_secs_f64().max(0.001));
        InboundStats {
            packets,
            expected,
            lost,
            loss_percent: rounded(loss_percent),
            burst_max,
            late: late + self.order.late(),
            duplicate,
            reordered,
            jitter_ms: rounded(jitter_ms),
            jitter_max_ms: rounded(jitter_max_ms),
            jitter_mean_ms: rounded(jitter_mean_ms),
            concealed_percent: rounded(self.frames_concealed as f64 * 100.0 / self.frames_total.max(1) as f64),
            level_dbfs: rounded(f64::from(self.level.take_level().0)),
            peak_dbfs: rounded(f64::from(self.level.peak().0)),
            talk_percent: share(self.vad.spoken()).min(100.0),
            drift_ppm,
            mos: quality.map(|quality| hundredths(quality.mos_cq)),
            mos_lq: quality.map(|quality| hundredths(quality.mos_lq)),
            r_factor: quality.map(|quality| rounded(f64::from(quality.r))),
            delay_ms: (packets > 0).then(|| rounded(delay_ms)),
            bursts: burst.bursts,
            burst_percent: rounded(burst.burst_density * 100.0),
            burst_ms: rounded(burst.burst_packets * ptime_ms),
            gap_percent: rounded(burst.gap_density * 100.0),
            gap_ms: rounded(burst.gap_packets * ptime_ms),
            speech_dbfs: (self.speech.1 >= 50)
                .then(|| rounded(f64::from(DbFs::of_mean_square((self.speech.0 / f64::from(self.speech.1)) as f32).0))),
            clipped: self.level.clipped(),
            comfort_noise: self.comfort_noise,
            unexpected: self.unexpected,
            // Both directions are needed: `call::pipeline` knows.
            echo_delay_ms: None,
            echo_loss_db: None,
            double_talk_percent: 0.0,
            ssrc,
            refused: self.refused,
            // Counted before packets come here.
            srtp_failed: 0,
            srtp_replayed: 0,
            // The recorder knows.
            unrecorded_ms: 0,
        }
    }

    pub(super) fn bury_source(&mut self) {
        let Some(gone) = self.stats.take() else { return };
        let (expected, lost) = gone.counts();
        self.past.packets += gone.received();
        self.past.expected += expected;
        self.past.lost += lost;
        self.past.duplicate += gone.duplicate();
        self.past.reordered += gone.reordered();
        self.past.burst_max = self.past.burst_max.max(gone.burst_max());
        self.past.jitter_max_ms = self.past.jitter_max_ms.max(gone.jitter_ms().1);
    }
}
