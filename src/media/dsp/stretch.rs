//! Time-scale steps: takes one pitch period out of sound or puts one in, without a seam that is heard.
//!
//! Owns the search for the period and the overlap-add; the caller owns when and how much. Used by `rtp::playout`.

use crate::unit::SampleRate;

/// The lag at which the first half of `samples` looks most like what follows, from 2.5 ms to `longest` samples, and how
/// alike the two are (1: the same, 0: unrelated). None if `samples` holds less than 2.5 ms beyond `longest`.
#[must_use]
pub fn best_lag(rate: SampleRate, samples: &[i16], longest: usize) -> Option<(usize, f32)> {
    let shortest = rate.0 as usize / 400;
    let window = samples.len().checked_sub(longest)?.min(rate.0 as usize / 100);
    if window < shortest || longest < shortest {
        return None;
    }
    let head = &samples[..window];
    let head_energy = energy(head).max(1);
    // Every second lag is near enough to find the hill; its neighbours are looked at afterwards.
    let likeness = |lag: usize| {
        let later = &samples[lag..lag + window];
        let product: i64 = head.iter().zip(later).map(|(a, b)| i64::from(i32::from(*a) * i32::from(*b))).sum();
        product as f32 / ((head_energy as f32) * (energy(later).max(1) as f32)).sqrt()
    };
    let mut best = (shortest, f32::MIN);
    for lag in (shortest..=longest).step_by(2) {
        let alike = likeness(lag);
        if alike > best.1 {
            best = (lag, alike);
        }
    }
    for lag in [best.0.saturating_sub(1).max(shortest), (best.0 + 1).min(longest)] {
        let alike = likeness(lag);
        if alike > best.1 {
            best = (lag, alike);
        }
    }
    Some(best)
}

/// Takes `lag` samples out at the front of `samples`: the first `lag` fade into what lies `lag` later.
pub fn shorten(samples: &mut Vec<i16>, lag: usize) {
    let lag = lag.min(samples.len() / 2);
    for n in 0..lag {
        samples[n + lag] = mix(samples[n], samples[n + lag], n, lag);
    }
    samples.drain(..lag);
}

/// Puts `lag` samples in: after the first `lag` the sound fades back to its beginning and goes on from there.
pub fn lengthen(samples: &mut Vec<i16>, lag: usize) {
    let lag = lag.min(samples.len() / 2);
    let length = samples.len();
    samples.resize(length + lag, 0);
    samples.copy_within(lag..length, 2 * lag);
    // Now: 0..lag the beginning, lag..2 lag a gap (still holding the original), then the original from lag on.
    for n in 0..lag {
        let (onwards, again) = (samples[lag + n], samples[n]);
        samples[lag + n] = mix(onwards, again, n, lag);
    }
}

fn energy(samples: &[i16]) -> i64 {
    samples.iter().map(|sample| i64::from(i32::from(*sample) * i32::from(*sample))).sum()
}

#[expect(clippy::cast_possible_truncation, reason = "between two samples")]
fn mix(from: i16, to: i16, n: usize, of: usize) -> i16 {
    let share = (n as f32 + 0.5) / of as f32;
    (f32::from(from) * (1.0 - share) + f32::from(to) * share) as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::tone::{share_at, sine};

    fn tone() -> Vec<i16> {
        let mut samples = Vec::new();
        sine(160.0, 8_000.0, SampleRate::HZ_8000, 0, 320, &mut samples);
        samples
    }

    #[test]
    fn a_period_is_found_and_may_be_taken_out_or_put_in_unheard() {
        let (lag, alike) = best_lag(SampleRate::HZ_8000, &tone(), 120).unwrap();
        assert_eq!((lag % 50, alike > 0.99), (0, true), "160 Hz is 50 samples: {lag} {alike}");
        for (change, length) in [(shorten as fn(&mut Vec<i16>, usize), 270), (lengthen, 370)] {
            let mut samples = tone();
            change(&mut samples, 50);
            assert_eq!(samples.len(), length);
            assert!(share_at(160.0, SampleRate::HZ_8000, &samples) > 0.95, "still the tone");
            let step = samples.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs()).max();
            assert!(step < Some(1_100), "no click: {step:?}");
        }
    }

    #[test]
    fn too_little_sound_is_left_alone() {
        assert_eq!(best_lag(SampleRate::HZ_8000, &[1; 30], 120), None);
        let mut samples = vec![1, 2, 3];
        shorten(&mut samples, 100);
        assert_eq!(samples.len(), 2);
    }
}
