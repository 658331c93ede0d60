//! How loud: level over a window and loudest sample since the start.

use crate::unit::DbFs;

/// Measures one direction of a call.
#[derive(Clone, Debug, Default)]
pub struct LevelMeter {
    squares: f64,
    samples: u64,
    peak: u16,
    /// Samples at full scale in a row, now.
    full: u32,
    clipped: u64,
}

/// Sum of the squares: in eight parts, so that whole vectors may be used.
#[must_use]
pub fn sum_of_squares(samples: &[i16]) -> f32 {
    let square = |sample: i16| f32::from(sample) * f32::from(sample);
    let (eights, rest) = samples.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for eight in eights {
        for (sum, sample) in sums.iter_mut().zip(eight) {
            *sum += square(*sample);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|sample| square(*sample)).sum::<f32>()
}

/// At or above this a sample is at full scale: 0.98, which is the loudest code of G.711 and above.
const FULL_SCALE: u16 = 32_112;
/// So many in a row are clipped; a voice touches the edge for less.
const CLIPPED_RUN: u32 = 3;

impl LevelMeter {
    /// Takes in `samples`; gives their mean square.
    pub fn add(&mut self, samples: &[i16]) -> f32 {
        if samples.is_empty() {
            return 0.0;
        }
        let squares = sum_of_squares(samples);
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        if peak >= FULL_SCALE {
            for sample in samples {
                self.full = if sample.unsigned_abs() >= FULL_SCALE { self.full + 1 } else { 0 };
                self.clipped += u64::from(self.full == CLIPPED_RUN);
            }
        } else {
            self.full = 0;
        }
        self.squares += f64::from(squares);
        self.samples += samples.len() as u64;
        self.peak = self.peak.max(peak);
        squares / samples.len() as f32
    }

    /// Level since the last call of this, and starts the next window.
    #[expect(clippy::cast_possible_truncation, reason = "a level needs few digits")]
    pub fn take_level(&mut self) -> DbFs {
        if self.samples == 0 {
            return DbFs::SILENCE;
        }
        let level = DbFs::of_mean_square((self.squares / self.samples as f64) as f32);
        self.squares = 0.0;
        self.samples = 0;
        level
    }

    /// Runs of at least three samples at full scale since the start.
    #[must_use]
    pub const fn clipped(&self) -> u64 {
        self.clipped
    }

    /// Loudest sample since the start.
    #[must_use]
    pub fn peak(&self) -> DbFs {
        DbFs::of_mean_square(f32::from(self.peak) * f32::from(self.peak))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_scale_square_is_zero_and_silence_is_the_floor() {
        let mut meter = LevelMeter::default();
        meter.add(&[i16::MIN; 160]);
        assert!(meter.take_level().0.abs() < 0.01);
        assert_eq!(meter.clipped(), 1, "one run");
        meter.add(&[0; 160]);
        meter.add(&[32_767, 32_767, 0, -32_768]);
        assert_eq!(meter.clipped(), 1, "two in a row are a loud voice");
        meter.take_level();
        meter.add(&[0; 160]);
        assert_eq!(meter.take_level(), DbFs::SILENCE);
        assert!(meter.peak().0.abs() < 0.01);
        assert_eq!(meter.take_level(), DbFs::SILENCE);
    }
}
