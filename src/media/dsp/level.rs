//! How loud: level over a window and loudest sample since the start.

use crate::unit::DbFs;

/// Measures one direction of a call.
#[derive(Clone, Debug, Default)]
pub struct LevelMeter {
    squares: f64,
    samples: u64,
    peak: u16,
}

impl LevelMeter {
    /// Takes in `samples`; gives their mean square.
    pub fn add(&mut self, samples: &[i16]) -> f32 {
        if samples.is_empty() {
            return 0.0;
        }
        let mut squares = 0_i64;
        let mut peak = 0;
        for sample in samples {
            squares += i64::from(i32::from(*sample) * i32::from(*sample));
            peak = peak.max(sample.unsigned_abs());
        }
        self.squares += squares as f64;
        self.samples += samples.len() as u64;
        self.peak = self.peak.max(peak);
        squares as f32 / samples.len() as f32
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
        meter.add(&[0; 160]);
        assert_eq!(meter.take_level(), DbFs::SILENCE);
        assert!(meter.peak().0.abs() < 0.01);
        assert_eq!(meter.take_level(), DbFs::SILENCE);
    }
}
