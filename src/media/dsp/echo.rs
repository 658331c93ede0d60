//! Whether our own sound comes back: how late and how much weaker.
//!
//! Compares how loud we were with how loud the far end was, every 10 ms of the last three seconds, at lags up to 600 ms
//! (RTP there and back, and the far end's buffers). Loudness survives codecs and loudspeakers where waveforms do not.
//! Called by `call::pipeline` with both directions, and asked once a second.

use super::level::Energy;
use crate::{clock::Instant, unit::DbFs};
use std::time::Duration;

/// One value each 10 ms.
const STEP_NANOS: u64 = 10_000_000;
/// Values kept: three seconds, the longest lag, and room for late ones.
const KEPT: usize = 400;
const WINDOW: usize = 300;
const LAG_MIN: usize = 2;
const LAG_MAX: usize = 60;
/// So alike the two loudnesses must be, twice in a row at the same lag.
const ALIKE_MIN: f32 = 0.75;
/// We must have spoken for so much of the window.
const SPOKEN_MIN: usize = 100;
/// −50 dBFS: less is no voice of ours.
const VOICE: f32 = 103.4;

/// An echo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Echo {
    /// From our packet to its echo.
    pub delay: Duration,
    /// How much weaker it is: echo return loss.
    pub loss_db: f32,
}

/// Loudness of one direction: root mean squares, so that one bang does not decide what is alike.
#[derive(Clone, Debug)]
struct Track {
    loudness: Box<[f32]>,
    newest: u64,
}

impl Default for Track {
    fn default() -> Self {
        Self { loudness: vec![0.0; KEPT].into_boxed_slice(), newest: 0 }
    }
}

impl Track {
    #[expect(clippy::cast_possible_truncation, reason = "a remainder")]
    const fn slot(step: u64) -> usize {
        (step % KEPT as u64) as usize
    }

    fn add(&mut self, at: Instant, energy: &Energy) {
        let first = at.as_nanos() / STEP_NANOS;
        for (step, (squares, samples)) in (first..).zip(energy.pieces()) {
            // What nobody wrote was silent.
            for passed in (self.newest + 1).max(step.saturating_sub(KEPT as u64))..step {
                self.loudness[Self::slot(passed)] = 0.0;
            }
            self.newest = self.newest.max(step);
            self.loudness[Self::slot(step)] = (squares / samples.max(1) as f32).sqrt();
        }
    }

    /// The window that ends before `end`, in a row.
    fn window(&self, end: u64) -> [f32; WINDOW] {
        let mut row = [0.0; WINDOW];
        for (step, value) in (end - WINDOW as u64..end).zip(&mut row) {
            if step <= self.newest && step + KEPT as u64 > self.newest {
                *value = self.loudness[Self::slot(step)];
            }
        }
        row
    }
}

/// The machine.
#[derive(Clone, Debug, Default)]
pub struct EchoMeter {
    sent: Track,
    heard: Track,
    suspect: Option<usize>,
}

impl EchoMeter {
    /// We sent sound of this energy at `at`.
    pub fn sent(&mut self, at: Instant, energy: &Energy) {
        self.sent.add(at, energy);
    }

    /// Sound of this energy arrived at `at`.
    pub fn heard(&mut self, at: Instant, energy: &Energy) {
        self.heard.add(at, energy);
    }

    /// The echo, if there was one just now and a second ago.
    pub fn measure(&mut self) -> Option<Echo> {
        let end = self.heard.newest;
        if end < WINDOW as u64 {
            return None;
        }
        let sent = self.sent.window(end);
        let found = if sent.iter().filter(|loudness| **loudness > VOICE).count() < SPOKEN_MIN {
            None
        } else {
            let heard = self.heard.window(end);
            best(&sent, &heard, LAG_MIN)
                // An agent that repeats the far end leads it: then it is no echo of us.
                .filter(|(_, alike)| *alike >= ALIKE_MIN && best(&heard, &sent, 0).is_none_or(|led| *alike > led.1))
                .map(|(lag, _)| (lag, heard))
        };
        let before = std::mem::replace(&mut self.suspect, found.map(|(lag, _)| lag));
        let (lag, heard) = found?;
        before.filter(|before| before.abs_diff(lag) <= 2)?;
        let (mut out, mut back) = (0.0, 0.0);
        for (sent, heard) in sent.iter().zip(&heard[lag..]).filter(|(sent, _)| **sent > VOICE) {
            out += sent * sent;
            back += heard * heard;
        }
        let loss_db = DbFs::of_mean_square(out).0 - DbFs::of_mean_square(back).0;
        Some(Echo { delay: Duration::from_millis(10 * lag as u64), loss_db: loss_db.max(0.0) })
    }
}

/// The lag from `lag_min` at which `then` is most like `first`, and how much.
fn best(first: &[f32; WINDOW], then: &[f32; WINDOW], lag_min: usize) -> Option<(usize, f32)> {
    let (mut first_sums, mut then_sums) = (Sums::of(&first[..WINDOW - lag_min]), Sums::of(&then[lag_min..]));
    let mut best = None;
    for lag in lag_min..=LAG_MAX {
        let (one, other) = (&first[..WINDOW - lag], &then[lag..]);
        let count = one.len() as f32;
        let spread = (first_sums.spread(count), then_sums.spread(count));
        // A far end that is steady has no echo: nothing there to compare.
        if spread.0 > 0.0 && spread.1 > count * count {
            let alike =
                (count * product(one, other) - first_sums.values * then_sums.values) / (spread.0 * spread.1).sqrt();
            if best.is_none_or(|(_, most)| alike > most) {
                best = Some((lag, alike));
            }
        }
        first_sums.remove(one[one.len() - 1]);
        then_sums.remove(other[0]);
    }
    best
}

/// Of one row: the sums that a correlation needs.
struct Sums {
    values: f32,
    squares: f32,
}

impl Sums {
    fn of(row: &[f32]) -> Self {
        Self { values: row.iter().sum(), squares: product(row, row) }
    }

    fn remove(&mut self, value: f32) {
        self.values -= value;
        self.squares -= value * value;
    }

    fn spread(&self, count: f32) -> f32 {
        count * self.squares - self.values * self.values
    }
}

/// Sum of products, in eight parts.
fn product(one: &[f32], other: &[f32]) -> f32 {
    let ((ones, one_rest), (others, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let mut sums = [0.0_f32; 8];
    for (one, other) in ones.iter().zip(others) {
        for (sum, (one, other)) in sums.iter_mut().zip(one.iter().zip(other)) {
            *sum += one * other;
        }
    }
    sums.iter().sum::<f32>() + one_rest.iter().zip(other_rest).map(|(one, other)| one * other).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::SampleRate;

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
            meter.sent(at, &Energy::of(SampleRate::HZ_8000, &[talk(step, 1); 80]));
            meter.heard(at, &Energy::of(SampleRate::HZ_8000, &[heard(step); 80]));
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
