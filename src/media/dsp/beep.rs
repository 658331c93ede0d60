//! The soft tone that tells people that a call is recorded: 200 ms of 1400 Hz, mixed into what they hear.
//!
//! Owns one beep on its way; when there is one is `call::pipeline`'s business.

use super::tone::sine;
use crate::unit::SampleRate;
use std::time::Duration;

/// Within 1260 to 1540 Hz and 170 to 250 ms, as telephone companies have used it for decades.
const FREQUENCY_HZ: f64 = 1_400.0;
const SPAN: Duration = Duration::from_millis(200);
/// −30 dBFS: heard beside a voice, and not over it.
const AMPLITUDE: f64 = 1_000.0;
/// Rises and falls for so long, so that it does not click.
const RAMP: Duration = Duration::from_millis(10);

/// One listener's beep.
#[derive(Debug, Default)]
pub struct Beep {
    /// Samples of it that were heard already; none is no beep.
    at: Option<usize>,
    sound: Vec<i16>,
}

impl Beep {
    /// Silent.
    #[must_use]
    pub const fn new() -> Self {
        Self { at: None, sound: Vec::new() }
    }

    /// Begins with the next samples.
    pub const fn start(&mut self) {
        self.at = Some(0);
    }

    /// Whether the next samples hold some of it.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.at.is_some()
    }

    /// Mixes what is due into `samples`.
    #[expect(clippy::cast_possible_truncation, reason = "a share of a sample")]
    pub fn mix(&mut self, rate: SampleRate, samples: &mut [i16]) {
        let Some(at) = self.at else { return };
        let (span, ramp) = (rate.samples_in(SPAN), rate.samples_in(RAMP).max(1));
        let count = samples.len().min(span.saturating_sub(at));
        self.sound.clear();
        sine(FREQUENCY_HZ, AMPLITUDE, rate, at, count, &mut self.sound);
        for (n, (sample, tone)) in samples.iter_mut().zip(&self.sound).enumerate() {
            let edge = (at + n).min(span - (at + n)).min(ramp);
            let tone = f64::from(*tone) * edge as f64 / ramp as f64;
            *sample = sample.saturating_add(tone as i16);
        }
        self.at = Some(at + count).filter(|at| *at < span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::tone::share_at;

    #[test]
    fn it_is_heard_for_a_fifth_of_a_second_whatever_the_packets_and_does_not_click() {
        for (rate, frame) in [(SampleRate::HZ_8000, 160), (SampleRate::HZ_16000, 333), (SampleRate::HZ_8000, 7)] {
            let mut beep = Beep::default();
            let mut heard = vec![0; rate.samples_in(Duration::from_millis(300))];
            beep.start();
            for samples in heard.chunks_mut(frame) {
                beep.mix(rate, samples);
            }
            let span = rate.samples_in(SPAN);
            assert!(!beep.is_on() && heard[span..].iter().all(|sample| *sample == 0));
            assert!(share_at(FREQUENCY_HZ, rate, &heard[..span]) > 0.9);
            assert!(heard.iter().all(|sample| sample.abs() <= 1_000));
            assert!(heard[0].abs() < 20 && heard[span - 1].abs() < 120);
        }
    }

    #[test]
    fn a_voice_at_full_level_does_not_overflow() {
        let mut beep = Beep::default();
        beep.start();
        let mut loud = vec![i16::MAX; 1_600];
        beep.mix(SampleRate::HZ_8000, &mut loud);
        assert!(loud.iter().all(|sample| *sample > 31_000));
    }
}
