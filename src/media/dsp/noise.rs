//! Comfort noise (RFC 3389): what a sender that is silent wants heard instead of nothing.

/// Coefficients that are used; the RFC lets a receiver take fewer than were sent.
const ORDER_MAX: usize = 12;

/// Noise as one description says: so loud, with this spectrum.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    /// Greatest value of the white noise before the filter.
    amplitude: f32,
    reflection: [f32; ORDER_MAX],
    order: usize,
    /// Backward errors of the lattice.
    state: [f32; ORDER_MAX + 1],
    random: u32,
}

impl ComfortNoise {
    /// Noise of the payload of an RFC 3389 packet (§3): its level in −dBov, then quantised reflection coefficients.
    /// None if it is empty.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (level, coefficients) = payload.split_first()?;
        let mut reflection = [0.0; ORDER_MAX];
        let order = coefficients.len().min(ORDER_MAX);
        let mut gain = 1.0_f32;
        for (k, quantised) in reflection.iter_mut().zip(coefficients) {
            // §3.2; a value of 255 is not used. Kept inside the unit circle.
            *k = (258.0 * (f32::from(*quantised) - 127.0) / 32_768.0).clamp(-0.98, 0.98);
            gain *= 1.0 - *k * *k;
        }
        let rms = 32_768.0 * 10.0_f32.powf(-f32::from(level & 0x7f) / 20.0);
        // Uniform noise has a third of its peak's power; the filter adds what the coefficients say.
        let amplitude = rms * (3.0 * gain).sqrt();
        Some(Self { amplitude, reflection, order, state: [0.0; ORDER_MAX + 1], random: 0x1234_5678 })
    }

    /// Appends `count` samples. The spectrum belongs to the codec's rate, whichever that is.
    pub fn make(&mut self, count: usize, samples: &mut Vec<i16>) {
        for _ in 0..count {
            let sample = self.next_sample();
            samples.push(sample);
        }
    }

    /// Takes over how it sounds from `newer` without starting anew.
    pub fn become_like(&mut self, newer: &Self) {
        (self.amplitude, self.reflection, self.order) = (newer.amplitude, newer.reflection, newer.order);
    }

    #[expect(clippy::cast_possible_truncation, reason = "clamped to the type's range")]
    fn next_sample(&mut self) -> i16 {
        self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let white = f32::from(((self.random >> 16) as u16).cast_signed()) / 32_768.0;
        // All-pole lattice: from the last coefficient to the first.
        let mut forward = white * self.amplitude;
        for m in (0..self.order).rev() {
            forward -= self.reflection[m] * self.state[m];
            self.state[m + 1] = self.state[m] + self.reflection[m] * forward;
        }
        self.state[0] = forward;
        forward.clamp(-32_768.0, 32_767.0) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::DbFs;

    fn level_of(payload: &[u8]) -> (f32, Vec<i16>) {
        let mut samples = Vec::new();
        ComfortNoise::parse(payload).unwrap().make(80_000, &mut samples);
        let squares: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
        #[expect(clippy::cast_possible_truncation, reason = "a level")]
        let mean = (squares / samples.len() as f64) as f32;
        (DbFs::of_mean_square(mean).0, samples)
    }

    #[test]
    fn noise_is_as_loud_as_told() {
        for (payload, expected) in [(&[40_u8][..], -40.0), (&[60], -60.0), (&[50, 200, 100, 140], -50.0)] {
            let (level, _) = level_of(payload);
            assert!((level - expected).abs() < 1.0, "{payload:?}: {level}");
        }
        assert!(ComfortNoise::parse(&[]).is_none());
    }

    #[test]
    fn the_spectrum_follows_the_coefficients() {
        let likeness = |samples: &[i16]| {
            let product: f64 = samples.windows(2).map(|pair| f64::from(pair[0]) * f64::from(pair[1])).sum();
            product / samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>()
        };
        assert!(likeness(&level_of(&[40]).1).abs() < 0.05, "white");
        assert!(likeness(&level_of(&[40, 40]).1) > 0.5, "a negative first coefficient is dark noise");
    }

    #[test]
    fn wild_coefficients_stay_bounded() {
        let (_, samples) = level_of(&[0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0]);
        assert_eq!(samples.len(), 80_000);
    }
}
