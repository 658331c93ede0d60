//! Speech or not by a small neural network (`earshot`), for lines where noise is loud.
//!
//! Owns the way into the network: sound of any rate becomes frames of 16 ms at 16 kHz. Knows nothing of floors, runs and
//! hangover: those are `vad`'s, which asks for the newest score.

use super::resample::Resampler;
use crate::unit::SampleRate;

/// Samples that the network looks at at once: 16 ms at 16 kHz.
const FRAME: usize = 256;

/// One direction's network.
pub struct Neural {
    network: Box<earshot::Detector>,
    rate: SampleRate,
    resampler: Option<Resampler>,
    /// The newest sample at 8 kHz.
    last: i16,
    waiting: Vec<i16>,
    score: f32,
}

impl std::fmt::Debug for Neural {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Neural").field("score", &self.score).finish_non_exhaustive()
    }
}

impl Neural {
    /// For sound at `rate`; none if that cannot be made 16 kHz.
    #[must_use]
    pub fn new(rate: SampleRate) -> Option<Self> {
        let resampler = match rate {
            SampleRate::HZ_16000 | SampleRate::HZ_8000 => None,
            _ => Some(Resampler::new(rate, SampleRate::HZ_16000).ok()?),
        };
        let waiting = Vec::with_capacity(2 * FRAME);
        Some(Self { network: earshot::Detector::default_boxed(), rate, resampler, last: 0, waiting, score: 0.0 })
    }

    /// Takes in `samples`; gives the score of the newest whole frame: 0 noise, 1 voice.
    pub fn add(&mut self, samples: &[i16]) -> f32 {
        match &mut self.resampler {
            Some(resampler) => resampler.process(samples, &mut self.waiting),
            None if self.rate == SampleRate::HZ_8000 => self.double(samples),
            None => self.waiting.extend_from_slice(samples),
        }
        let mut used = 0;
        while let Some(frame) = self.waiting.get(used..used + FRAME) {
            self.score = self.network.predict_i16(frame);
            used += FRAME;
        }
        self.waiting.drain(..used);
        self.score
    }

    /// From 8 to 16 kHz by straight lines. The images above 4 kHz are wanted: noise without an upper half looks like a
    /// voice to the network (a score of 0.6 instead of 0.3).
    fn double(&mut self, samples: &[i16]) {
        for sample in samples {
            self.waiting.push(i16::midpoint(self.last, *sample));
            self.waiting.push(*sample);
            self.last = *sample;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loud_noise_of_a_telephone_line_is_no_voice() {
        for amplitude in [100_i32, 1_000, 3_000] {
            let mut neural = Neural::new(SampleRate::HZ_8000).unwrap();
            let (mut bits, mut highest) = (1_u32, 0.0_f32);
            for frame in 0..500 {
                let noise: Vec<i16> = (0..80)
                    .map(|_| {
                        bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        i16::try_from((i32::try_from(bits >> 16).unwrap() - 32_768) * amplitude / 32_768).unwrap()
                    })
                    .collect();
                let score = neural.add(&noise);
                highest = if frame > 50 { highest.max(score) } else { 0.0 };
            }
            assert!(highest < 0.5, "amplitude {amplitude}: {highest}");
        }
    }
}
