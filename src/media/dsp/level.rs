//! How loud: the energy of a frame, level over a window, loudest sample since the start.
//!
//! A frame is summed once, by [`Energy::of`]; meter, voice detection and echo estimate all take that.

use crate::unit::{DbFs, SampleRate};

/// Pieces of 10 ms that a frame may have: the longest gap that is concealed, or a packet of 120 ms.
const PIECES_MAX: usize = 20;

/// The energy of one frame, in pieces of 10 ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Energy {
    squares: [f32; PIECES_MAX],
    /// Samples of a piece; the last may have fewer, and takes what is beyond [`PIECES_MAX`].
    piece: usize,
    samples: usize,
}

impl Energy {
    /// Of `samples` at `rate`.
    #[must_use]
    pub fn of(rate: SampleRate, samples: &[i16]) -> Self {
        let piece = (rate.0 as usize / 100).max(1);
        let mut squares = [0.0; PIECES_MAX];
        for (n, samples) in samples.chunks(piece).enumerate() {
            squares[n.min(PIECES_MAX - 1)] += sum_of_squares(samples);
        }
        Self { squares, piece, samples: samples.len() }
    }

    /// Each piece: the sum of its squares, and its samples.
    pub fn pieces(&self) -> impl Iterator<Item = (f32, usize)> + '_ {
        let count = self.samples.div_ceil(self.piece).min(PIECES_MAX);
        (0..count).map(move |n| {
            let rest = self.samples - n * self.piece;
            (self.squares[n], if n + 1 == count { rest } else { self.piece })
        })
    }

    /// The mean of all squares; 0 of nothing.
    #[must_use]
    pub fn mean_square(&self) -> f32 {
        self.squares.iter().sum::<f32>() / self.samples.max(1) as f32
    }
}

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
    /// Takes in `samples`, whose energy this is.
    pub fn add(&mut self, samples: &[i16], energy: &Energy) {
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        if peak >= FULL_SCALE {
            for sample in samples {
                self.full = if sample.unsigned_abs() >= FULL_SCALE { self.full + 1 } else { 0 };
                self.clipped += u64::from(self.full == CLIPPED_RUN);
            }
        } else {
            self.full = 0;
        }
        self.squares += f64::from(energy.squares.iter().sum::<f32>());
        self.samples += samples.len() as u64;
        self.peak = self.peak.max(peak);
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

    fn take(meter: &mut LevelMeter, samples: &[i16]) {
        meter.add(samples, &Energy::of(SampleRate::HZ_8000, samples));
    }

    #[test]
    fn pieces_hold_the_whole_frame_whatever_its_length() {
        for length in [0, 1, 79, 80, 81, 160, 480, 1_600, 5_000] {
            let energy = Energy::of(SampleRate::HZ_8000, &vec![3; length]);
            let (sum, samples) =
                energy.pieces().fold((0.0, 0), |(sum, all), (squares, samples)| (sum + squares, all + samples));
            assert!((sum - 9.0 * length as f32).abs() < 0.5 && samples == length);
            assert!(energy.pieces().all(|(squares, samples)| (squares - 9.0 * samples as f32).abs() < 0.5));
            assert!((energy.mean_square() - if length == 0 { 0.0 } else { 9.0 }).abs() < 0.01);
        }
    }

    #[test]
    fn a_full_scale_square_is_zero_and_silence_is_the_floor() {
        let mut meter = LevelMeter::default();
        take(&mut meter, &[i16::MIN; 160]);
        assert!(meter.take_level().0.abs() < 0.01);
        assert_eq!(meter.clipped(), 1, "one run");
        take(&mut meter, &[0; 160]);
        take(&mut meter, &[32_767, 32_767, 0, -32_768]);
        assert_eq!(meter.clipped(), 1, "two in a row are a loud voice");
        meter.take_level();
        take(&mut meter, &[0; 160]);
        assert_eq!(meter.take_level(), DbFs::SILENCE);
        assert!(meter.peak().0.abs() < 0.01);
        assert_eq!(meter.take_level(), DbFs::SILENCE);
    }
}
