//! Where the far end's sound lies on the recording's clock, which is ours.
//!
//! The sender's clock says how far apart its frames are, their arrival says when they were sent: late ones were held up,
//! the earliest tell the truth. So the place follows the smallest delay of each two seconds, and learns by how much the
//! sender's clock runs wrong (100 ppm are a third of a second in an hour): the recording stays aligned. The sound
//! follows by a sample at a time, spread over a frame by the recorder, in pauses if there are any. All figures are samples of the recording.

/// The smallest delay is looked for among so many frames: 2 s of packets of 20 ms.
const SPAN: u32 = 100;
/// Frames in a row that lie elsewhere than their arrival says (hold, new source) before they are placed anew.
const MISPLACED_MAX: u32 = 25;
/// So much sooner is more than a clock that runs wrong: 1 ms.
const SOONER: f64 = 8.0;
/// Share of an error that is corrected within a span, and the share that is taken for the clock's, once the clock is
/// known; the first spans count more.
const CORRECTED: f64 = 0.2;
const LEARNED: f64 = 0.02;
/// The sound stays where it is for less than this share of `far`: an eighth of a millisecond, a sample at 8 kHz.
const HELD: f64 = 0.125 / 50.0;
/// In speech, which is moved once the clock is known (so many spans, half a minute): a quarter of a millisecond.
const HELD_IN_SPEECH: f64 = 0.25 / 50.0;
const KNOWN: f64 = 15.0;
/// Frames between two moves in speech, times `far`: five a second at 8 kHz, 600 ppm.
const MOVES: f64 = 4_000.0;
/// What is further away than this share of `far`, 5 ms, is a jump: it is made at once.
const JUMP: f64 = 1.0 / 10.0;
/// No clock runs wronger: 1000 ppm of 160 samples.
const RATE_MAX: f64 = 0.16;

/// Where a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Of its first sample, in samples of the recording.
    pub(super) position: u64,
    /// Samples by which it is to be longer (1) or shorter (−1) than it came, so that the next one joins it.
    pub(super) slip: i8,
}

/// One call's placement.
#[derive(Debug, Default)]
pub(super) struct Placement {
    /// The sender's position 0; none until the next frame says where it is.
    anchor: Option<f64>,
    /// How far it moves with each frame: the sender's clock runs wrong.
    rate: f64,
    /// What is still to be corrected, a sample per frame at most.
    error: f64,
    /// Where the sound's position 0 is: a whole sample, which follows `anchor`.
    held: f64,
    /// Frames since it moved.
    still: u32,
    misplaced: u32,
    /// Smallest delay of this span beyond what was expected, and its frames.
    least: f64,
    frames: u32,
    /// Spans so far.
    spans: f64,
}

impl Placement {
    /// What comes next is placed by its arrival alone.
    pub(super) const fn forget(&mut self) {
        self.anchor = None;
    }

    /// Place of a frame that begins at `position` of the sender's clock and, by its arrival, at `arrival` of ours;
    /// `far` is a distance that is no jitter: 50 ms. What was `made_up` here says nothing about the sender; `quiet` is asked
    /// whether nothing is said in the frame, where a move is best made.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole samples, never below zero")]
    pub(super) fn place(
        &mut self,
        arrival: i64,
        position: i64,
        far: i64,
        made_up: bool,
        quiet: impl FnOnce() -> bool,
    ) -> Place {
        let (arrival, position) = (arrival as f64, position as f64);
        if made_up {
            let position = self.anchor.map_or(arrival, |_| self.held + position) as u64;
            return Place { position, slip: 0 };
        }
        let known = self.anchor.filter(|_| self.misplaced <= MISPLACED_MAX);
        let mut anchor = known.unwrap_or_else(|| {
            (self.misplaced, self.frames, self.least, self.error, self.spans) = (0, 0, f64::MAX, 0.0, 0.0);
            arrival - position
        });
        anchor += self.rate;
        let late = arrival - position - anchor;
        if late.abs() > far as f64 {
            self.misplaced += 1;
        } else {
            self.misplaced = 0;
            self.least = self.least.min(late);
        }
        self.frames += 1;
        if self.frames >= SPAN {
            if self.least < f64::MAX {
                let k = self.spans;
                let corrected = (1.0 / (k + 1.0)).max(CORRECTED);
                // One span alone says nothing of a clock.
                let learned = if k < 1.0 { 0.0 } else { (2.0 / ((k + 3.0) * (k + 4.0))).max(LEARNED) };
                self.spans += 1.0;
                self.error = self.least * corrected;
                self.rate = (self.rate + self.least * learned / f64::from(SPAN)).clamp(-RATE_MAX, RATE_MAX);
            }
            (self.frames, self.least) = (0, f64::MAX);
        }
        if late < -SOONER && late >= -(far as f64) {
            // Who comes that much sooner than anybody was not held up: one step is heard less than many.
            anchor += late;
            (self.error, self.frames, self.least) = (0.0, 0, f64::MAX);
        } else {
            let step = self.error.clamp(-1.0, 1.0);
            self.error -= step;
            anchor += step;
        }
        self.anchor = Some(anchor);
        let ahead = anchor - self.held;
        if known.is_none() || ahead.abs() > far as f64 * JUMP {
            self.held = anchor.round();
            return Place { position: (self.held + position) as u64, slip: 0 };
        }
        let place = (self.held + position) as u64;
        self.still += 1;
        let off = |share: f64| ahead.abs() >= far as f64 * share;
        let in_speech = || self.spans >= KNOWN && off(HELD_IN_SPEECH) && f64::from(self.still) * (far as f64) >= MOVES;
        let slip = if !off(HELD) || !(in_speech() || quiet()) { 0.0 } else { ahead.signum() };
        if slip != 0.0 {
            self.still = 0;
            self.held += slip;
        }
        Place { position: place, slip: slip as i8 }
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "figures of tests"
)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

    /// Milliseconds by which frames lie wrong after the first half minute: least and most.
    fn an_hour(ppm: f64, jitter_ms: f64, loss_percent: u32, pauses: bool) -> (f64, f64) {
        let mut random = StdRng::seed_from_u64(7);
        let mut placement = Placement::default();
        let (mut least, mut most) = (f64::MAX, f64::MIN);
        let mut next = None;
        for n in 0..180_000_i64 {
            if random.random_range(0..100) < loss_percent {
                continue;
            }
            // The sender's 20 ms, by our clock.
            let sent_ms = n as f64 * 20.0 * (1.0 + ppm / 1e6);
            let arrived_ms = sent_ms + random.random_range(0.0..=jitter_ms);
            let place = placement.place((arrived_ms * 8.0) as i64, n * 160, 400, false, || pauses && n % 100 < 20);
            if let Some((position, expected)) = next.filter(|(was, _)| *was == n - 1) {
                assert_eq!(place.position, expected, "frame {position} does not join the one before");
            }
            next = (sent_ms > if pauses { 10_000.0 } else { 60_000.0 })
                .then(|| (n, (place.position + 160).saturating_add_signed(place.slip.into())));
            // Half a minute is what it takes to know a clock, and in speech without a pause as much again.
            if sent_ms > if pauses { 30_000.0 } else { 60_000.0 } {
                let wrong_ms = place.position as f64 / 8.0 - sent_ms;
                least = least.min(wrong_ms);
                most = most.max(wrong_ms);
            }
        }
        (least, most)
    }

    #[test]
    fn an_hour_with_a_wrong_clock_jitter_and_loss_stays_within_a_millisecond() {
        for ppm in [-100.0, -30.0, 0.0, 30.0, 100.0] {
            for (jitter_ms, loss_percent) in [(0.0, 0), (5.0, 1), (20.0, 5), (30.0, 10)] {
                // Speech has pauses, music has none.
                for pauses in [false, true] {
                    let (least, most) = an_hour(ppm, jitter_ms, loss_percent, pauses);
                    let all = format!("{ppm} ppm, {jitter_ms} ms, {loss_percent} %: {least:.2} to {most:.2} ms");
                    assert!(least > -1.0 && most < 1.0, "{all}, pauses: {pauses}");
                }
            }
        }
    }

    #[test]
    fn a_jump_of_the_senders_clock_is_followed_after_half_a_second() {
        let mut placement = Placement::default();
        let place = |placement: &mut Placement, n: i64, behind: i64| {
            placement.place(n * 160, n * 160 - behind, 400, false, || true).position
        };
        for n in 0..200 {
            assert_eq!(place(&mut placement, n, 0), n as u64 * 160);
        }
        // It paused for a second without its clock.
        for n in 200..=225 {
            place(&mut placement, n, 8_000);
        }
        // Its place is its arrival again, as ours was before.
        for n in 226..400 {
            assert_eq!(place(&mut placement, n, 8_000), n as u64 * 160, "frame {n}");
        }
    }

    #[test]
    fn a_first_packet_that_was_held_up_is_put_right_by_the_next_and_made_up_sound_misleads_nobody() {
        let mut placement = Placement::default();
        // Silence put in before anything arrives.
        assert_eq!(placement.place(640, 0, 400, true, || true), Place { position: 640, slip: 0 });
        assert_eq!(placement.place(1_300, 160, 400, false, || true), Place { position: 1_300, slip: 0 });
        for n in 2..400 {
            let place = placement.place(1_100 + (n - 1) * 160, n * 160, 400, n % 7 == 0, || true);
            assert_eq!(place.position as i64, 1_100 + (n - 1) * 160, "frame {n}");
        }
    }

    #[test]
    fn any_numbers_give_a_place() {
        let mut placement = Placement::default();
        for (arrival, position) in [(0, i64::MAX), (i64::MAX, 0), (-5, 3), (i64::MIN, i64::MAX), (7, 7)] {
            for _ in 0..40 {
                placement.place(arrival, position, 400, position == 7, || true);
            }
        }
    }
}
