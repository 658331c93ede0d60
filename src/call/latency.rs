//! Percentiles of what the gateway itself adds, in fixed memory.

use super::journal::{Percentiles, rounded};
use std::time::Duration;

/// Buckets of 0.25 ms up to 64 ms; the last holds everything above.
const BUCKETS: usize = 257;
const STEP: Duration = Duration::from_micros(250);

/// Counts spans.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Made with the first span: half of all calls have nothing to measure.
    counts: Vec<u32>,
    count: u64,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Vec::new(), count: 0, max: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one span.
    pub fn add(&mut self, span: Duration) {
        if self.counts.is_empty() {
            self.counts.resize(BUCKETS, 0);
        }
        let bucket = usize::try_from(span.as_nanos() / STEP.as_nanos()).unwrap_or(BUCKETS).min(BUCKETS - 1);
        self.counts[bucket] += 1;
        self.count += 1;
        self.max = self.max.max(span);
    }

    /// The percentiles, if anything was counted. Upper edges of the buckets, at most the maximum.
    #[must_use]
    pub fn percentiles(&self) -> Option<Percentiles> {
        (self.count > 0).then(|| Percentiles {
            count: self.count,
            p50_ms: self.at(50),
            p99_ms: self.at(99),
            max_ms: rounded(self.max.as_secs_f64() * 1_000.0),
        })
    }

    fn at(&self, percent: u64) -> f64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank && bucket < BUCKETS - 1 {
                let edge = STEP * u32::try_from(bucket + 1).unwrap_or(u32::MAX);
                return rounded(edge.min(self.max).as_secs_f64() * 1_000.0);
            }
        }
        rounded(self.max.as_secs_f64() * 1_000.0)
    }
}

/// The value that `percent` of `values` stay at or under (nearest rank).
#[must_use]
pub fn percentile(mut values: Vec<f64>, percent: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    let rank = ((percent / 100.0 * values.len() as f64).ceil() as usize).clamp(1, values.len());
    Some(values[rank - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_hundred_spans() {
        let mut histogram = Histogram::default();
        for ms in 1..=100 {
            histogram.add(Duration::from_millis(ms));
        }
        let found = histogram.percentiles().unwrap();
        assert_eq!((found.count, found.max_ms), (100, 100.0));
        assert!((50.0..=50.3).contains(&found.p50_ms));
        assert!((found.p99_ms - 100.0).abs() < 1e-9, "beyond the buckets the maximum is said");
        assert_eq!(Histogram::default().percentiles(), None);
    }
}
