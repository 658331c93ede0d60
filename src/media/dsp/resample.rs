//! Telephony rates, up or down by a whole factor, or by 2:3 and 3:2: a short stateful polyphase FIR.
//!
//! Kaiser window, cut at the lower rate's Nyquist edge: flat within 0.5 dB to 85 % of it (3.4 kHz at 8 kHz, 6.8 kHz at
//! 16 kHz), images of that band below −60 dB. Delay: 16 samples of the lower rate, 2 ms at 8 kHz and 1 ms at 16 kHz
//! ([`Resampler::delay`]). One resampler per direction and call; chunks of any size give the same samples as one
//! long chunk. Odd ratios (files, devices) go through rubato in [`super::super::file::wav`].
//!
//! The inner loop runs over outputs, not taps: each output keeps its own sum, so the compiler may use whole
//! vectors without reordering any of them.

use crate::unit::SampleRate;
use std::time::Duration;

/// Taps for each factor at the higher rate.
const TAPS_PER_FACTOR: usize = 32;
/// The same for each of two phases, where both rates have their phases.
const TAPS_PER_PAIR: usize = TAPS_PER_FACTOR / 2;
/// Outputs of each phase for which lines are long enough.
const BLOCK: usize = 80;
/// Sums that are kept in registers: five of 256 bits.
const TOGETHER: usize = 40;
/// Outputs for an input, at most.
const FACTOR_MAX: usize = 6;

/// Converts one direction of one call.
#[derive(Clone, Debug)]
pub struct Resampler {
    direction: Ratio,
    /// One filter per phase, each [`TAPS_PER_FACTOR`] long.
    phases: Vec<[f32; TAPS_PER_FACTOR]>,
    /// Of 2:3 and 3:2: for each output of a cycle and each line its filter, and how far back in the line it begins.
    pairs: Vec<(usize, [f32; TAPS_PER_PAIR])>,
    /// Per phase of a down-sampler, or one stream of an up-sampler: last samples, then the new ones.
    lines: Vec<Vec<f32>>,
    /// Down-sampling: where in the cycle of phases the next input falls.
    next_phase: usize,
    wide_vectors: bool,
    delay: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ratio {
    Same,
    Up(usize),
    Down(usize),
    /// So many outputs for so many inputs; one of them is 2.
    Both(usize, usize),
}

impl Resampler {
    /// From `from` to `to`: the larger must be a multiple of the smaller, up to 6 times, or one and a half times.
    ///
    /// # Errors
    /// Names the pair of rates that is not supported.
    pub fn new(from: SampleRate, to: SampleRate) -> Result<Self, String> {
        let ratio = if from == to {
            Ratio::Same
        } else if from.0 > 0 && to.0.is_multiple_of(from.0) && to.0 / from.0 <= 6 {
            Ratio::Up((to.0 / from.0) as usize)
        } else if to.0 > 0 && from.0 > 0 && from.0.is_multiple_of(to.0) && from.0 / to.0 <= 6 {
            Ratio::Down((from.0 / to.0) as usize)
        } else if from.0 > 0 && from.0.checked_mul(3) == to.0.checked_mul(2) {
            Ratio::Both(3, 2)
        } else if to.0 > 0 && from.0.checked_mul(2) == to.0.checked_mul(3) {
            Ratio::Both(2, 3)
        } else {
            return Err(format!("cannot resample {from} to {to} on the packet path"));
        };
        let (phases, lines, history) = match ratio {
            Ratio::Same => (Vec::new(), 0, 0),
            Ratio::Up(factor) => (split(&design(factor, factor as f64), factor), 1, TAPS_PER_FACTOR - 1),
            Ratio::Down(factor) => (split(&design(factor, 1.0), factor), factor, TAPS_PER_FACTOR - 1),
            Ratio::Both(_, down) => (Vec::new(), down, TAPS_PER_PAIR),
        };
        let delay = match ratio {
            Ratio::Same => Duration::ZERO,
            // Half the filter, which runs at the higher rate, or where both meet.
            _ => Duration::from_secs_f64((TAPS_PER_FACTOR as f64) / 2.0 / f64::from(from.0.min(to.0))),
        };
        Ok(Self {
            direction: ratio,
            phases,
            pairs: if let Ratio::Both(up, down) = ratio { pairs(up, down) } else { Vec::new() },
            lines: vec![vec![0.0; history]; lines],
            next_phase: 0,
            wide_vectors: wide::available(),
            delay,
        })
    }

    /// Appends what is still on its way and begins anew, from silence.
    pub fn flush(&mut self, output: &mut Vec<i16>) {
        let low = TAPS_PER_FACTOR;
        let silence = match self.direction {
            Ratio::Same => 0,
            Ratio::Up(_) => low,
            Ratio::Down(factor) => low * factor,
            Ratio::Both(up, down) => low * down / up.min(down),
        };
        self.process(&[0; 6 * TAPS_PER_FACTOR][..silence], output);
    }

    /// Begins anew, from silence.
    pub fn reset(&mut self) {
        for line in &mut self.lines {
            line.fill(0.0);
        }
    }

    /// How much later sound comes out than it went in.
    #[must_use]
    pub const fn delay(&self) -> Duration {
        self.delay
    }

    /// Appends the converted `input` to `output`.
    pub fn process(&mut self, input: &[i16], output: &mut Vec<i16>) {
        if self.direction == Ratio::Same {
            output.extend_from_slice(input);
        } else if self.wide_vectors {
            wide::convert(self, input, output);
        } else {
            self.convert(input, output);
        }
    }

    /// In pieces of a block, so that lines stay as short as a filter and a block whatever the length of `input`.
    #[expect(clippy::inline_always, reason = "must be compiled again inside the function with wider vectors")]
    #[inline(always)]
    fn convert(&mut self, input: &[i16], output: &mut Vec<i16>) {
        match self.direction {
            Ratio::Same => {}
            Ratio::Up(factor) => {
                output.reserve(input.len() * factor);
                for piece in input.chunks(BLOCK) {
                    self.up(factor, piece, output);
                }
            }
            Ratio::Down(factor) => {
                output.reserve(input.len() / factor + 1);
                for piece in input.chunks(BLOCK * factor) {
                    self.down(factor, piece, output);
                }
            }
            Ratio::Both(up, down) => {
                output.reserve((input.len() / down + 1) * up);
                for piece in input.chunks(BLOCK * down) {
                    self.both(up, down, piece, output);
                }
            }
        }
    }

    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn both(&mut self, up: usize, down: usize, input: &[i16], output: &mut Vec<i16>) {
        self.deal(down, input);
        let ready = self.lines[down - 1].len() - TAPS_PER_PAIR;
        let mut sums = [[0.0_f32; BLOCK]; FACTOR_MAX];
        for (sums, pairs) in sums.iter_mut().zip(self.pairs.chunks_exact(down)) {
            for (line, (later, taps)) in self.lines.iter().zip(pairs) {
                convolve(taps, &line[*later..], &mut sums[..ready]);
            }
        }
        interleave(&sums[..up], ready, output);
        for line in &mut self.lines {
            drop_front(line, ready);
        }
    }

    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn up(&mut self, factor: usize, input: &[i16], output: &mut Vec<i16>) {
        let line = &mut self.lines[0];
        line.extend(input.iter().map(|sample| f32::from(*sample)));
        let mut sums = [[0.0_f32; BLOCK]; FACTOR_MAX];
        for (sums, taps) in sums.iter_mut().zip(&self.phases) {
            convolve(taps, line, &mut sums[..input.len()]);
        }
        interleave(&sums[..factor], input.len(), output);
        drop_front(line, input.len());
    }

    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn down(&mut self, factor: usize, input: &[i16], output: &mut Vec<i16>) {
        self.deal(factor, input);
        // An output is due for each complete cycle of phases.
        let ready = self.lines[factor - 1].len() - (TAPS_PER_FACTOR - 1);
        let mut sums = [0.0_f32; BLOCK];
        for (line, taps) in self.lines.iter().zip(self.phases.iter().rev()) {
            // The newest input of a cycle meets the filter's first tap.
            convolve(taps, line, &mut sums[..ready]);
        }
        output.extend(sums[..ready].iter().map(|sum| to_sample(*sum)));
        for line in &mut self.lines {
            drop_front(line, ready);
        }
    }

    /// One sample to each line in turn.
    #[expect(clippy::inline_always, reason = "as above")]
    #[inline(always)]
    fn deal(&mut self, lines: usize, input: &[i16]) {
        for (n, line) in self.lines.iter_mut().enumerate() {
            let first = (n + lines - self.next_phase) % lines;
            line.extend(input.iter().skip(first).step_by(lines).map(|sample| f32::from(*sample)));
        }
        self.next_phase = (self.next_phase + input.len()) % lines;
    }
}

/// One sample of each row in turn, `count` times.
#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn interleave(sums: &[[f32; BLOCK]], count: usize, output: &mut Vec<i16>) {
    if let [first, second] = sums {
        output.extend(first.iter().zip(second).take(count).flat_map(|(a, b)| [to_sample(*a), to_sample(*b)]));
        return;
    }
    for at in 0..count {
        output.extend(sums.iter().map(|row| to_sample(row[at])));
    }
}

#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn drop_front(line: &mut Vec<f32>, count: usize) {
    line.copy_within(count.., 0);
    line.truncate(line.len() - count);
}

/// To the nearest sample, ties to even. Adding 1.5 · 2²³ leaves the rounded number in the low bits of the sum: this
/// works on whole vectors, where `round_ties_even` is a library call for each sample on processors without SSE4.1.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "clamped to the type's range")]
#[inline]
fn to_sample(value: f32) -> i16 {
    const MAGIC: f32 = 12_582_912.0;
    (value.clamp(-32_768.0, 32_767.0) + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits()) as i32 as i16
}

/// `sums[j] += Σ taps[k] · line[j + (K−1) − k]`.
#[expect(clippy::inline_always, reason = "as above")]
#[inline(always)]
fn convolve<const TAPS: usize>(taps: &[f32; TAPS], line: &[f32], sums: &mut [f32]) {
    let mut at = 0;
    // The usual case: sums that fit into registers stay there for all taps.
    while let Some(sums) = sums.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<TOGETHER>())
        && let Some(windows) = line.get(at..at + TOGETHER + TAPS - 1)
    {
        let mut own = *sums;
        for (tap, window) in taps.iter().rev().zip(windows.array_windows::<TOGETHER>()) {
            for (sum, x) in own.iter_mut().zip(window) {
                *sum += tap * x;
            }
        }
        *sums = own;
        at += TOGETHER;
    }
    for (sum, window) in sums[at..].iter_mut().zip(line[at..].windows(TAPS)) {
        for (tap, x) in taps.iter().rev().zip(window) {
            *sum += tap * x;
        }
    }
}

/// The same code compiled for 256-bit vectors, where the processor has them.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "calling code compiled for a feature that was checked at run time")]
mod wide {
    use super::Resampler;

    pub(super) fn available() -> bool {
        std::arch::is_x86_feature_detected!("avx2")
    }

    #[target_feature(enable = "avx2")]
    fn convert_avx2(resampler: &mut Resampler, input: &[i16], output: &mut Vec<i16>) {
        resampler.convert(input, output);
    }

    pub(super) fn convert(resampler: &mut Resampler, input: &[i16], output: &mut Vec<i16>) {
        // SAFETY: `wide_vectors` is set only if `available()` said so when the resampler was made.
        unsafe { convert_avx2(resampler, input, output) }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod wide {
    use super::Resampler;

    pub(super) const fn available() -> bool {
        false
    }

    pub(super) fn convert(resampler: &mut Resampler, input: &[i16], output: &mut Vec<i16>) {
        resampler.convert(input, output);
    }
}

/// Low-pass at half the lower rate, `factor` times which is where it runs.
fn design(factor: usize, gain: f64) -> Vec<f64> {
    let length = TAPS_PER_FACTOR * factor;
    let cutoff = 0.5 / factor as f64;
    let beta = 0.1102 * (71.0 - 8.7);
    let middle = (length - 1) as f64 / 2.0;
    let mut taps: Vec<f64> = (0..length)
        .map(|n| {
            let x = n as f64 - middle;
            let sinc = if x == 0.0 {
                2.0 * cutoff
            } else {
                (std::f64::consts::TAU * cutoff * x).sin() / (std::f64::consts::PI * x)
            };
            let position = x / (middle + 0.5);
            sinc * bessel_i0(beta * (1.0 - position * position).max(0.0).sqrt()) / bessel_i0(beta)
        })
        .collect();
    let scale = gain / taps.iter().sum::<f64>();
    for tap in &mut taps {
        *tap *= scale;
    }
    taps
}

/// `factor` phases of a filter; phase `p` holds taps `p, p + factor, …`.
#[expect(clippy::cast_possible_truncation, reason = "filter design")]
fn split(taps: &[f64], factor: usize) -> Vec<[f32; TAPS_PER_FACTOR]> {
    (0..factor)
        .map(|phase| {
            let mut own = [0.0; TAPS_PER_FACTOR];
            for (k, tap) in own.iter_mut().enumerate() {
                *tap = taps[k * factor + phase] as f32;
            }
            own
        })
        .collect()
}

/// Filters of a ratio `up`:`down`, of which one is 2. Output `q` of cycle `j` is the sum over `k` of `h[k·up + p]`
/// times input `j·down + c − k`, with `p = q·down mod up` and `c = q·down / up`. Input `n` lies in line `n mod down`:
/// so each line has every `down`th of those taps, beginning with the first that meets it.
#[expect(clippy::cast_possible_truncation, reason = "filter design")]
fn pairs(up: usize, down: usize) -> Vec<(usize, [f32; TAPS_PER_PAIR])> {
    let taps = design(up.max(down), up as f64);
    let mut pairs = Vec::with_capacity(up * down);
    for output in 0..up {
        let (phase, newest) = (output * down % up, output * down / up);
        for line in 0..down {
            // A line behind the newest input is met one cycle earlier.
            let later = usize::from(newest >= line);
            let first = if newest >= line { newest - line } else { newest + down - line };
            let mut own = [0.0; TAPS_PER_PAIR];
            for (t, tap) in own.iter_mut().enumerate() {
                *tap = taps[(first + down * t) * up + phase] as f32;
            }
            pairs.push((later, own));
        }
    }
    pairs
}

/// Modified Bessel function of the first kind, order 0, by its series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        let half = x / 2.0 / f64::from(k);
        term *= half * half;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::tone;

    fn convert(from: u32, to: u32, input: &[i16]) -> Vec<i16> {
        let mut output = Vec::new();
        Resampler::new(SampleRate(from), SampleRate(to)).unwrap().process(input, &mut output);
        output
    }

    fn rms(samples: &[i16]) -> f64 {
        (samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>() / samples.len() as f64).sqrt()
    }

    /// Every pair of rates that calls, agents and recordings bring together.
    const PAIRS: [(u32, u32); 14] = [
        (8_000, 16_000),
        (16_000, 8_000),
        (8_000, 24_000),
        (24_000, 8_000),
        (16_000, 24_000),
        (24_000, 16_000),
        (8_000, 48_000),
        (48_000, 8_000),
        (16_000, 48_000),
        (48_000, 16_000),
        (24_000, 48_000),
        (48_000, 24_000),
        (12_000, 8_000),
        (8_000, 12_000),
    ];

    fn sine(frequency: f64, rate: u32) -> Vec<i16> {
        let mut samples = Vec::new();
        tone::sine(frequency, 16_000.0, SampleRate(rate), 0, rate as usize / 2, &mut samples);
        samples
    }

    /// What is left when the sine that fits best is taken away, against that sine.
    fn beside_db(frequency: f64, rate: u32, samples: &[i16]) -> f64 {
        let (mut cc, mut ss, mut cs, mut xc, mut xs, mut xx) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let (s, c) = (std::f64::consts::TAU * frequency * n as f64 / f64::from(rate)).sin_cos();
            let x = f64::from(*sample);
            (cc, ss, cs) = (cc + c * c, ss + s * s, cs + c * s);
            (xc, xs, xx) = (xc + x * c, xs + x * s, xx + x * x);
        }
        let determinant = cc * ss - cs * cs;
        let (a, b) = ((xc * ss - xs * cs) / determinant, (xs * cc - xc * cs) / determinant);
        let fitted = a * xc + b * xs;
        10.0 * ((xx - fitted).max(1e-3) / fitted).log10()
    }

    #[test]
    fn the_voice_band_is_flat_and_images_are_gone() {
        for (from, to) in PAIRS {
            let low = f64::from(from.min(to));
            // A sweep over the pass-band: to 3.4 kHz at 8 kHz.
            for step in 1..=40 {
                let frequency = 0.425 * low * f64::from(step) / 40.0 + 3.0;
                let input = sine(frequency, from);
                let output = convert(from, to, &input);
                let settled = &output[to as usize / 10..];
                let gain_db = 20.0 * (rms(settled) / rms(&input)).log10();
                assert!(gain_db.abs() < 0.5, "{from}→{to} at {frequency}: {gain_db:.2} dB");
                // What is not the tone is images, and the rounding to 16 bits.
                let rest_db = beside_db(frequency, to, settled);
                assert!(rest_db < -60.0, "{from}→{to} at {frequency}: {rest_db:.1} dB beside the tone");
            }
        }
    }

    #[test]
    fn what_cannot_be_held_at_the_lower_rate_is_removed() {
        for (from, to) in PAIRS.into_iter().filter(|(from, to)| from > to) {
            let (low, high) = (f64::from(to), f64::from(from));
            // From where aliases would reach the pass-band, to the end.
            let (first, last) = (0.5876 * low, 0.49 * high);
            for step in (0..=20).filter(|_| first < last) {
                let frequency = first + (last - first) * f64::from(step) / 20.0;
                let input = sine(frequency, from);
                let output = convert(from, to, &input);
                let left_db = 20.0 * (rms(&output[to as usize / 10..]).max(0.1) / rms(&input)).log10();
                assert!(left_db < -60.0, "{from}→{to} at {frequency}: {left_db:.1} dB");
            }
        }
    }

    #[test]
    fn the_delay_is_as_stated() {
        for (from, to) in PAIRS {
            let resampler = Resampler::new(SampleRate(from), SampleRate(to)).unwrap();
            // The phase of a slow tone says the delay to a fraction of a sample.
            let frequency = 100.0;
            let output = convert(from, to, &sine(frequency, from));
            let (mut real, mut imaginary) = (0.0, 0.0);
            let settled = output.iter().enumerate().skip(to as usize / 10).take(to as usize / 10);
            for (n, sample) in settled {
                let angle = std::f64::consts::TAU * frequency * n as f64 / f64::from(to);
                real += f64::from(*sample) * angle.cos();
                imaginary += f64::from(*sample) * angle.sin();
            }
            let measured_ms = -real.atan2(imaginary) / std::f64::consts::TAU / frequency * 1_000.0;
            let stated_ms = resampler.delay().as_secs_f64() * 1_000.0;
            assert!((measured_ms - stated_ms).abs() < 0.13, "{from}→{to}: {measured_ms:.3}, stated {stated_ms:.3} ms");
        }
    }

    #[test]
    fn chunks_of_any_size_give_the_same_samples() {
        let mut input = Vec::new();
        tone::sine(700.0, 9_000.0, SampleRate(24_000), 0, 5_000, &mut input);
        for (from, to) in PAIRS {
            let whole = convert(from, to, &input);
            let mut resampler = Resampler::new(SampleRate(from), SampleRate(to)).unwrap();
            let mut pieces = Vec::new();
            let mut rest = &input[..];
            for size in [1, 7, 480, 3, 961, 33, 2].iter().cycle() {
                let (piece, tail) = rest.split_at((*size).min(rest.len()));
                resampler.process(piece, &mut pieces);
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            // Blocks may be summed in another order of vector lanes; at most the last bit differs.
            assert_eq!(whole.len(), pieces.len());
            assert!(whole.iter().zip(&pieces).all(|(a, b)| (a - b).abs() <= 1), "{from}→{to}");
        }
    }

    #[test]
    fn what_is_flushed_does_not_come_again() {
        for (from, to) in PAIRS {
            let mut resampler = Resampler::new(SampleRate(from), SampleRate(to)).unwrap();
            let mut output = Vec::new();
            resampler.process(&sine(700.0, from), &mut output);
            let before = output.len();
            resampler.flush(&mut output);
            let tail = &output[before..];
            assert!(tail.iter().any(|sample| sample.abs() > 3_000), "{from}→{to}: the last of it");
            assert!(tail.len() <= (to / 100) as usize, "{from}→{to}: {} samples", tail.len());
            let mut after = Vec::new();
            resampler.process(&vec![0; from as usize / 50], &mut after);
            assert!(after.iter().all(|sample| sample.abs() <= 1), "{from}→{to}: then silence");
        }
    }

    #[test]
    fn rates_that_do_not_divide_are_named() {
        assert!(Resampler::new(SampleRate(44_100), SampleRate(8_000)).unwrap_err().contains("44100 Hz"));
        assert!(Resampler::new(SampleRate(0), SampleRate(8_000)).is_err());
    }
}
