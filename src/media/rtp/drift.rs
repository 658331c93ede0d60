//! The sender's clock against ours, in parts per million.
//!
//! Owns the fit alone: a line through the least delayed packet of each second (jitter only ever adds delay, so that one
//! says most about the clocks). Used by `stats` for the journal and by `playout` for its correction.

use crate::{clock::Instant, unit::SampleRate};

/// Seconds of arrivals before a figure is believed.
const SECONDS_MIN: f64 = 60.0;

/// Least squares of media time over arrival time, one point a second.
#[derive(Clone, Debug, Default)]
pub struct DriftMeter {
    origin: Option<(Instant, u64)>,
    count: f64,
    sum_x: f64,
    sum_y: f64,
    sum_xx: f64,
    sum_xy: f64,
    second: u64,
    earliest: Option<(f64, f64)>,
}

impl DriftMeter {
    /// Takes in a packet with the extended `timestamp` in ticks of `clock` that arrived at `at`.
    pub fn add(&mut self, at: Instant, timestamp: u64, clock: SampleRate) {
        let (origin, first) = *self.origin.get_or_insert((at, timestamp));
        let arrival_s = at.signed_ms_since(origin) / 1_000.0;
        let media_s = (timestamp as f64 - first as f64) / f64::from(clock.0.max(1));
        let second = at.since(origin).as_secs();
        if second != self.second {
            self.second = second;
            if let Some((x, y)) = self.earliest.take() {
                self.count += 1.0;
                self.sum_x += x;
                self.sum_y += y;
                self.sum_xx += x * x;
                self.sum_xy += x * y;
            }
        }
        let lead = media_s - arrival_s;
        if self.earliest.is_none_or(|(_, best)| lead > best) {
            self.earliest = Some((arrival_s, lead));
        }
    }

    /// How much faster than ours the sender's clock runs; none before a minute.
    #[must_use]
    pub fn ppm(&self) -> Option<f64> {
        if self.count < SECONDS_MIN {
            return None;
        }
        let spread = self.count * self.sum_xx - self.sum_x * self.sum_x;
        (spread > 0.0).then(|| (self.count * self.sum_xy - self.sum_x * self.sum_y) / spread * 1e6)
    }
}
