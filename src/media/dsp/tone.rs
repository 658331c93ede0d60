//! Tones: a sine generator and Goertzel's detector for one frequency.

use crate::unit::SampleRate;
use std::f64::consts::TAU;

/// Appends `count` samples of a sine of `frequency_hz` at `amplitude` (0 to 32,767), from sample `start`.
#[expect(clippy::cast_possible_truncation, reason = "samples of a sine")]
pub fn sine(frequency_hz: f64, amplitude: f64, rate: SampleRate, start: usize, count: usize, samples: &mut Vec<i16>) {
    let step = TAU * frequency_hz / f64::from(rate.0);
    samples.extend((start..start + count).map(|n| ((n as f64 * step).sin() * amplitude) as i16));
}

/// Share of the energy of `samples` that lies at `frequency_hz`: 1 for a pure tone, near 0 without it.
#[must_use]
pub fn share_at(frequency_hz: f64, rate: SampleRate, samples: &[i16]) -> f64 {
    let coefficient = 2.0 * (TAU * frequency_hz / f64::from(rate.0)).cos();
    let (mut s1, mut s2, mut energy) = (0.0, 0.0, 0.0);
    for sample in samples {
        let x = f64::from(*sample);
        let s0 = x + coefficient * s1 - s2;
        s2 = s1;
        s1 = s0;
        energy += x * x;
    }
    if energy <= 0.0 {
        return 0.0;
    }
    let power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
    (2.0 * power / (energy * samples.len() as f64)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_found_where_it_is_and_only_there() {
        let mut samples = Vec::new();
        sine(1_013.0, 8_000.0, SampleRate::HZ_8000, 0, 800, &mut samples);
        assert!(share_at(1_013.0, SampleRate::HZ_8000, &samples) > 0.95);
        assert!(share_at(1_400.0, SampleRate::HZ_8000, &samples) < 0.05);
        assert!(share_at(1_000.0, SampleRate::HZ_8000, &[]) < 0.01);
    }
}
