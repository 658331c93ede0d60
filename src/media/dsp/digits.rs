//! Digits as tones in the sound (ITU-T Q.23, Q.24): heard without being fooled by speech, and made.
//!
//! Owns the frequencies, Goertzel's filters and the guards: level, twist, the rest of each group, the share of all
//! energy, harmonics, length. `inbound` listens when no telephone-event was agreed on; `outbound` makes tones when the
//! far end takes no telephone-event. RFC 4733 digits are `rtp::dtmf`'s.

use super::tone;
use crate::unit::SampleRate;
use std::{collections::VecDeque, f32::consts::TAU, time::Duration};

const LOW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH_HZ: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const DIGITS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// How digits come and go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Telephone-events if both know them, else tones.
    #[default]
    Auto,
    /// Telephone-events only.
    Events,
    /// Tones only.
    Inband,
    /// Neither.
    Off,
}

impl Mode {
    /// Its names in the configuration.
    pub const NAMES: [(&str, Self); 4] =
        [("auto", Self::Auto), ("events", Self::Events), ("inband", Self::Inband), ("off", Self::Off)];

    /// Whether telephone-events are used where they were agreed on.
    #[must_use]
    pub const fn events(self) -> bool {
        matches!(self, Self::Auto | Self::Events)
    }

    /// Whether tones are used, if telephone-events were agreed on (`agreed`) or not.
    #[must_use]
    pub const fn tones(self, agreed: bool) -> bool {
        match self {
            Self::Auto => !agreed,
            Self::Inband => true,
            Self::Events | Self::Off => false,
        }
    }
}

/// A block is 102 samples at 8 kHz, 12.75 ms: the shortest in which neighbours of a group are told apart.
const BLOCK_8K: usize = 102;
/// Mean square below which a block holds no digit: −36 dBFS, about what Q.24 asks of the two tones together.
const LEVEL_MIN: f32 = 270_000.0;
/// The high group may be stronger by 8 dB, the low group by 4 dB (Q.24; lines attenuate high tones more).
const TWIST_HIGH: f32 = 6.3;
const TWIST_LOW: f32 = 2.5;
/// A tone is 8 dB above the others of its group.
const ABOVE_GROUP: f32 = 6.3;
/// Of all energy so much lies in the two tones: voices have harmonics.
const SHARE_MIN: f32 = 0.80;
/// Blocks that make a digit, and blocks without it that end it: 40 ms hold at least three beginnings of a block.
const HITS: u32 = 3;
const MISSES: u32 = 2;

/// A digit that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Which.
    pub digit: char,
    /// How long.
    pub duration: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
struct Filter {
    coefficient: f32,
    s1: f32,
    s2: f32,
}

impl Filter {
    fn at(frequency_hz: f32, rate: SampleRate) -> Self {
        Self { coefficient: 2.0 * (TAU * frequency_hz / rate.0 as f32).cos(), ..Self::default() }
    }

    const fn add(&mut self, x: f32) {
        let s0 = x + self.coefficient * self.s1 - self.s2;
        self.s2 = self.s1;
        self.s1 = s0;
    }

    /// Power of the block, and starts the next.
    const fn take(&mut self) -> f32 {
        let power = self.s1 * self.s1 + self.s2 * self.s2 - self.coefficient * self.s1 * self.s2;
        self.s1 = 0.0;
        self.s2 = 0.0;
        power
    }
}

/// Listens to one direction.
#[derive(Clone, Debug)]
pub struct Listener {
    filters: [Filter; 8],
    block: Vec<f32>,
    block_samples: usize,
    block_length: Duration,
    energy: f32,
    candidate: Option<char>,
    hits: u32,
    misses: u32,
}

impl Listener {
    /// For sound at `rate`, 8 kHz or more.
    #[must_use]
    pub fn new(rate: SampleRate) -> Self {
        let mut filters = [Filter::default(); 8];
        for (filter, hz) in filters.iter_mut().zip(LOW_HZ.iter().chain(&HIGH_HZ)) {
            *filter = Filter::at(*hz, rate);
        }
        let block_samples = (rate.0 as usize * BLOCK_8K / 8_000).max(1);
        Self {
            filters,
            block: Vec::with_capacity(block_samples),
            block_samples,
            block_length: rate.duration_of(block_samples),
            energy: 0.0,
            candidate: None,
            hits: 0,
            misses: 0,
        }
    }

    /// Takes in samples; gives a digit when it has ended.
    pub fn add(&mut self, samples: &[i16]) -> Option<Heard> {
        let mut heard = None;
        for sample in samples {
            let x = f32::from(*sample);
            self.energy += x * x;
            self.block.push(x);
            if self.block.len() == self.block_samples {
                let digit = self.judge();
                self.block.clear();
                self.energy = 0.0;
                heard = self.follow(digit).or(heard);
            }
        }
        heard
    }

    /// The digit that a full block holds.
    fn judge(&mut self) -> Option<char> {
        let count = self.block_samples as f32;
        if self.energy < LEVEL_MIN * count {
            return None;
        }
        let mut powers = [0.0; 8];
        for (filter, power) in self.filters.iter_mut().zip(&mut powers) {
            for x in &self.block {
                filter.add(*x);
            }
            *power = filter.take();
        }
        let (low, low_power) = strongest(&powers[..4])?;
        let (high, high_power) = strongest(&powers[4..])?;
        let twisted = high_power > low_power * TWIST_HIGH || low_power > high_power * TWIST_LOW;
        // A pure tone of the block has power energy × N / 2.
        let share = (low_power + high_power) * 2.0 / (self.energy * count);
        (!twisted && share >= SHARE_MIN).then_some(DIGITS[low][high])
    }

    fn follow(&mut self, digit: Option<char>) -> Option<Heard> {
        if digit.is_some() && digit == self.candidate {
            self.hits += 1 + self.misses;
            self.misses = 0;
            return None;
        }
        self.misses += 1;
        let broken = digit.is_some() && self.candidate.is_some();
        if self.candidate.is_some() && self.misses < MISSES && !broken {
            return None;
        }
        let ended = self.finish();
        if digit.is_some() {
            self.candidate = digit;
            self.hits = 1;
        }
        ended
    }

    /// Whether the newest block was, or may have been, part of a digit.
    #[must_use]
    pub const fn is_hearing(&self) -> bool {
        self.candidate.is_some()
    }

    /// The digit that was being heard.
    pub fn finish(&mut self) -> Option<Heard> {
        let digit = self.candidate.take().filter(|_| self.hits >= HITS);
        let duration = self.block_length * self.hits;
        self.hits = 0;
        self.misses = 0;
        digit.map(|digit| Heard { digit, duration })
    }
}

/// Place and power of the strongest, if it stands out of its group.
fn strongest(powers: &[f32]) -> Option<(usize, f32)> {
    let (place, power) = powers.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let alone = powers.iter().enumerate().all(|(n, other)| n == place || other * ABOVE_GROUP < power);
    alone.then_some((place, power))
}

/// How long a digit sounds, and how long silence follows.
const ON_MS: u32 = 100;
const OFF_MS: u32 = 100;
/// Each tone: −9 dBFS for the high one, 2 dB less for the low one.
const HIGH_AMPLITUDE: f64 = 11_600.0;
const LOW_AMPLITUDE: f64 = 9_200.0;
/// Digits that may wait.
const WAITING_MAX: usize = 64;

/// Makes tones, one digit after another.
#[derive(Clone, Debug, Default)]
pub struct Speaker {
    waiting: VecDeque<char>,
    /// Samples of the front digit and its silence that are made.
    at: usize,
    parts: Vec<i16>,
}

impl Speaker {
    /// Puts a digit in line; false if it is none or the line is full.
    pub fn press(&mut self, digit: char) -> bool {
        let digit = digit.to_ascii_uppercase();
        if place_of(digit).is_none() || self.waiting.len() >= WAITING_MAX {
            return false;
        }
        self.waiting.push_back(digit);
        true
    }

    /// Whether something sounds or waits.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Replaces `samples` by the next `count`; gives the digit whose sound ended in them.
    pub fn next(&mut self, rate: SampleRate, count: usize, samples: &mut Vec<i16>) -> Option<char> {
        samples.clear();
        let per_ms = rate.0 as usize / 1_000;
        let (on, all) = (ON_MS as usize * per_ms, (ON_MS + OFF_MS) as usize * per_ms);
        let mut finished = None;
        while samples.len() < count {
            let Some((low, high)) = self.waiting.front().and_then(|digit| place_of(*digit)) else { break };
            let want = count - samples.len();
            if self.at < on {
                let take = want.min(on - self.at);
                let from = samples.len();
                tone::sine(f64::from(LOW_HZ[low]), LOW_AMPLITUDE, rate, self.at, take, samples);
                self.parts.clear();
                tone::sine(f64::from(HIGH_HZ[high]), HIGH_AMPLITUDE, rate, self.at, take, &mut self.parts);
                for (sample, part) in samples[from..].iter_mut().zip(&self.parts) {
                    *sample += part;
                }
                self.at += take;
                if self.at == on {
                    finished = self.waiting.front().copied();
                }
                continue;
            }
            let take = want.min(all - self.at);
            samples.resize(samples.len() + take, 0);
            self.at += take;
            if self.at == all {
                self.at = 0;
                self.waiting.pop_front();
            }
        }
        samples.resize(count, 0);
        finished
    }
}

fn place_of(digit: char) -> Option<(usize, usize)> {
    let low = DIGITS.iter().position(|row| row.contains(&digit))?;
    DIGITS[low].iter().position(|known| *known == digit).map(|high| (low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tones with amplitudes, for so many milliseconds with silence around.
    fn pair(hz: (f64, f64), amplitudes: (f64, f64), ms: usize, rate: SampleRate) -> Vec<i16> {
        let per_ms = rate.0 as usize / 1_000;
        let (mut low, mut high) = (Vec::new(), Vec::new());
        tone::sine(hz.0, amplitudes.0, rate, 0, ms * per_ms, &mut low);
        tone::sine(hz.1, amplitudes.1, rate, 0, ms * per_ms, &mut high);
        let mut samples = vec![0; 53 * per_ms];
        samples.extend(low.iter().zip(&high).map(|(a, b)| a + b));
        samples.resize(samples.len() + 100 * per_ms, 0);
        samples
    }

    fn hear(rate: SampleRate, samples: &[i16]) -> String {
        let mut listener = Listener::new(rate);
        samples.chunks(160).filter_map(|frame| listener.add(frame)).map(|heard| heard.digit).collect()
    }

    #[test]
    fn every_digit_that_is_made_is_heard_once_at_both_rates() {
        for rate in [SampleRate::HZ_8000, SampleRate::HZ_16000, SampleRate::HZ_48000] {
            let mut speaker = Speaker::default();
            for digit in "1234567890*#abcd11".chars() {
                assert!(speaker.press(digit));
            }
            assert!(!speaker.press('x'));
            let (mut samples, mut all, mut made) = (Vec::new(), Vec::new(), String::new());
            while speaker.is_busy() {
                made.extend(speaker.next(rate, rate.0 as usize / 50, &mut samples));
                all.extend_from_slice(&samples);
            }
            assert_eq!(made, "1234567890*#ABCD11");
            assert_eq!(hear(rate, &all), made, "{rate:?}");
        }
    }

    #[test]
    fn level_twist_length_and_frequency_have_limits() {
        let rate = SampleRate::HZ_8000;
        let at = |hz: (f64, f64), amplitudes: (f64, f64), ms: usize| hear(rate, &pair(hz, amplitudes, ms, rate));
        let five = (770.0, 1_336.0);
        assert_eq!(at(five, (8_000.0, 8_000.0), 50), "5");
        // Level: −30 dBFS a tone is heard, −45 is not.
        assert_eq!(at(five, (1_036.0, 1_036.0), 60), "5");
        assert_eq!(at(five, (184.0, 184.0), 60), "");
        // Twist: 6 dB more of the high tone and 3 dB more of the low one are usual, 12 and 8 are not.
        assert_eq!(at(five, (4_000.0, 8_000.0), 60), "5");
        assert_eq!(at(five, (8_000.0, 5_700.0), 60), "5");
        assert_eq!(at(five, (2_000.0, 8_000.0), 60), "");
        assert_eq!(at(five, (8_000.0, 3_000.0), 60), "");
        // Frequency: 1.5 % off is a digit (Q.24), 4 % off is none.
        assert_eq!(at((770.0 * 1.015, 1_336.0 * 1.015), (8_000.0, 8_000.0), 60), "5");
        assert_eq!(at((770.0 * 1.04, 1_336.0 * 1.04), (8_000.0, 8_000.0), 60), "");
        // Length: 20 ms are none.
        assert_eq!(at(five, (8_000.0, 8_000.0), 20), "");
        // One tone is none.
        assert_eq!(at(five, (8_000.0, 0.0), 100), "");
    }
}
