//! Whether our own sound comes back: how late and how much weaker.
//!
//! Compares how loud we were with how loud the far end was, every 10 ms of the last three seconds, at lags up to 600 ms
//! (RTP there and back, and the far end's buffers). Loudness survives codecs and loudspeakers where waveforms do not.
//! Called by `call::pipeline` with both directions, and asked once a second.

use crate::{clock::Instant, unit::DbFs};
use std::{ops::Range, time::Duration};

/// One value each 10 ms.
const STEP_NANOS: u64 = 10_000_000;
/// Values kept: three seconds, the longest lag, and room for late ones.
const KEPT: usize = 400;
const WINDOW: u64 = 300;
const LAG_MIN: u64 = 2;
const LAG_MAX: u64 = 60;
/// So alike the two loudnesses must be, twice in a row at the same lag.
const ALIKE_MIN: f32 = 0.75;
/// We must have spoken for so much of the window.
const SPOKEN_MIN: usize = 100;
/// Mean square of −50 dBFS: less is no voice of ours.
const VOICE: f32 = 10_700.0;

/// An echo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Echo {
    /// From our packet to its echo.
    pub delay: Duration,
    /// How much weaker it is: echo return loss.
    pub loss_db: f32,
}

/// Loudness of one direction.
#[derive(Clone, Debug)]
struct Track {
    squares: Box<[f32]>,
    newest: u64,
}

impl Default for Track {
    fn default() -> Self {
        Self { squares: vec![0.0; KEPT].into_boxed_slice(), newest: 0 }
    }
}

impl Track {
    #[expect(clippy::cast_possible_truncation, reason = "a remainder")]
    const fn slot(step: u64) -> usize {
        (step % KEPT as u64) as usize
    }

    fn add(&mut self, at: Instant, length: Duration, samples: &[i16]) {
        let steps = usize::try_from(length.as_nanos() / u128::from(STEP_NANOS)).unwrap_or(1).clamp(1, 12);
        let first = at.as_nanos() / STEP_NANOS;
        let piece = (samples.len() / steps).max(1);
        for (n, samples) in samples.chunks(piece).take(steps).enumerate() {
            let step = first + n as u64;
            // What nobody wrote was silent.
            for passed in (self.newest + 1).max(step.saturating_sub(KEPT as u64))..step {
                self.squares[Self::slot(passed)] = 0.0;
            }
            self.newest = self.newest.max(step);
            let squares: i64 = samples.iter().map(|sample| i64::from(i32::from(*sample) * i32::from(*sample))).sum();
            self.squares[Self::slot(step)] = squares as f32 / samples.len().max(1) as f32;
        }
    }

    fn at(&self, step: u64) -> f32 {
        let known = step <= self.newest && step + KEPT as u64 > self.newest;
        if known { self.squares[Self::slot(step)] } else { 0.0 }
    }
}

/// The machine.
#[derive(Clone, Debug, Default)]
pub struct EchoMeter {
    sent: Track,
    heard: Track,
    suspect: Option<u64>,
}

impl EchoMeter {
    /// We sent this at `at`.
    pub fn sent(&mut self, at: Instant, length: Duration, samples: &[i16]) {
        self.sent.add(at, length, samples);
    }

    /// This arrived at `at`.
    pub fn heard(&mut self, at: Instant, length: Duration, samples: &[i16]) {
        self.heard.add(at, length, samples);
    }

    /// The echo, if there was one just now and a second ago.
    pub fn measure(&mut self) -> Option<Echo> {
        let end = self.heard.newest;
        let start = end.checked_sub(WINDOW)?;
        let spoken = (start..end).filter(|step| self.sent.at(*step) > VOICE).count();
        let found = if spoken < SPOKEN_MIN {
            None
        } else {
            (LAG_MIN..=LAG_MAX)
                .map(|lag| (lag, likeness(&self.sent, &self.heard, start..end, lag)))
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .filter(|(_, alike)| *alike >= ALIKE_MIN && *alike > self.led(start, end))
        };
        let before = std::mem::replace(&mut self.suspect, found.map(|(lag, _)| lag));
        let (lag, _) = found?;
        before.filter(|before| before.abs_diff(lag) <= 2)?;
        let (mut out, mut back) = (0.0, 0.0);
        for step in start + lag..end {
            let sent = self.sent.at(step - lag);
            if sent > VOICE {
                out += sent;
                back += self.heard.at(step);
            }
        }
        let loss_db = DbFs::of_mean_square(out).0 - DbFs::of_mean_square(back).0;
        Some(Echo { delay: Duration::from_millis(10 * lag), loss_db: loss_db.max(0.0) })
    }

    /// How much it looks as if we repeated the far end (an agent that echoes does): then it is no echo of us.
    fn led(&self, start: u64, end: u64) -> f32 {
        (0..=LAG_MAX).map(|lag| likeness(&self.heard, &self.sent, start..end, lag)).fold(0.0, f32::max)
    }
}

/// Correlation of the loudness of `first` with that of `then` `lag` steps later (square roots, so that one bang does not
/// decide).
fn likeness(first: &Track, then: &Track, steps: Range<u64>, lag: u64) -> f32 {
    let (mut count, mut sums, mut squares, mut product) = (0.0_f32, (0.0_f32, 0.0_f32), (0.0_f32, 0.0_f32), 0.0_f32);
    for step in steps.start + lag..steps.end {
        let (one, other) = (first.at(step - lag).sqrt(), then.at(step).sqrt());
        count += 1.0;
        sums = (sums.0 + one, sums.1 + other);
        squares = (squares.0 + one * one, squares.1 + other * other);
        product += one * other;
    }
    let spread = (count * squares.0 - sums.0 * sums.0, count * squares.1 - sums.1 * sums.1);
    // A far end that is steady has no echo: nothing there to compare.
    if spread.0 <= 0.0 || spread.1 <= count * count {
        0.0
    } else {
        (count * product - sums.0 * sums.1) / (spread.0 * spread.1).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loudness of a talker: syllables of changing length and strength.
    fn talk(step: u64, seed: u64) -> i16 {
        let length = 16 + seed;
        let word = step / length + seed * 1_000;
        let strength = word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60;
        if step % length < 12 { i16::try_from(strength * 500).unwrap() } else { 0 }
    }

    fn measure(heard: impl Fn(u64) -> i16) -> Option<Echo> {
        let mut meter = EchoMeter::default();
        let mut echo = None;
        for step in 0..1_000_u64 {
            let at = Instant::from_millis(step * 10);
            meter.sent(at, Duration::from_millis(10), &[talk(step, 1); 80]);
            meter.heard(at, Duration::from_millis(10), &[heard(step); 80]);
            if step % 100 == 99 {
                echo = meter.measure();
            }
        }
        echo
    }

    #[test]
    fn an_echo_has_a_delay_and_a_loss() {
        let echo = measure(|step| talk(step.saturating_sub(23), 1) / 4).unwrap();
        assert_eq!(echo.delay, Duration::from_millis(230));
        assert!((echo.loss_db - 12.0).abs() < 1.5, "{echo:?}");
    }

    #[test]
    fn silence_a_hum_and_another_talker_are_no_echo() {
        assert_eq!(measure(|_| 0), None);
        assert_eq!(measure(|_| 900), None);
        assert_eq!(measure(|step| talk(step, 7)), None);
        assert_eq!(measure(|step| talk(step + 10, 1)), None, "we repeat what it says");
    }
}
