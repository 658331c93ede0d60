//! Whether the media workers keep up: calls that run come before calls that begin.
//!
//! Sessions say how late their timers fire ([`Pace`]); the engine looks each second ([`Pressure`]) and takes no new
//! calls while many are so late that callers hear gaps. Does not know why: other programs, too many calls, a small
//! machine.

use crate::clock::Instant;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// A timer is late after this: with the packet before it, a gap of over 60 ms.
const LATE: Duration = Duration::from_millis(40);
/// How often the engine looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many timers must have fired for a judgement: four calls' worth.
const TIMERS_MIN: u64 = 200;
/// Late ones of all that are too many, in percent.
const TOO_MANY_PERCENT: u64 = 10;
/// So many looks in a row decide, either way.
const LOOKS: u32 = 2;

/// Timers of all sessions since the start.
#[derive(Debug, Default)]
pub struct Pace {
    fired: AtomicU64,
    late: AtomicU64,
}

impl Pace {
    /// A timer has fired, so much after its time.
    pub fn fired(&self, late_by: Duration) {
        self.fired.fetch_add(1, Ordering::Relaxed);
        if late_by > LATE {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Timers that have fired, and those among them that were late.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.fired.load(Ordering::Relaxed), self.late.load(Ordering::Relaxed))
    }
}

/// The judgement.
#[derive(Debug)]
pub(super) struct Pressure {
    looked_at: Instant,
    before: (u64, u64),
    /// Looks in a row that contradict it.
    against: u32,
    too_high: bool,
}

impl Pressure {
    pub(super) const fn new(now: Instant) -> Self {
        Self { looked_at: now, before: (0, 0), against: 0, too_high: false }
    }

    /// When to look again.
    pub(super) fn timeout(&self) -> Instant {
        self.looked_at + LOOK_EVERY
    }

    /// No new calls now.
    pub(super) const fn is_too_high(&self) -> bool {
        self.too_high
    }

    /// Looks at [`Pace::counts`] of all workers together; true if the judgement changed.
    pub(super) fn look(&mut self, now: Instant, (fired, late): (u64, u64)) -> bool {
        if now < self.timeout() {
            return false;
        }
        let (fired_since, late_since) = (fired - self.before.0, late - self.before.1);
        (self.looked_at, self.before) = (now, (fired, late));
        let is_bad = fired_since >= TIMERS_MIN && late_since * 100 >= fired_since * TOO_MANY_PERCENT;
        self.against = if is_bad == self.too_high { 0 } else { self.against + 1 };
        let changes = self.against >= LOOKS;
        if changes {
            (self.too_high, self.against) = (is_bad, 0);
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks each second; timers and late ones of each second.
    fn judged(seconds: &[(u64, u64)]) -> Vec<bool> {
        let mut pressure = Pressure::new(Instant::ZERO);
        let mut all = (0, 0);
        let look = |(second, (fired, late)): (u64, &(u64, u64))| {
            all = (all.0 + fired, all.1 + late);
            pressure.look(Instant::from_millis((second + 1) * 1_000), all);
            pressure.is_too_high()
        };
        (0..).zip(seconds).map(look).collect()
    }

    #[test]
    fn two_bad_seconds_close_and_two_good_ones_open() {
        let seconds = [(5_000, 0), (5_000, 600), (5_000, 0), (5_000, 600), (4_000, 3_000), (5_000, 0), (5_000, 499)];
        assert_eq!(judged(&seconds), [false, false, false, false, true, true, false]);
    }

    #[test]
    fn a_call_or_two_that_stumble_close_nothing() {
        assert_eq!(judged(&[(100, 100), (100, 100), (100, 100)]), [false; 3]);
    }

    #[test]
    fn timers_are_late_when_a_caller_hears_it() {
        let pace = Pace::default();
        for millis in [0, 1, 40, 41, 400] {
            pace.fired(Duration::from_millis(millis));
        }
        assert_eq!(pace.counts(), (5, 2));
    }
}
