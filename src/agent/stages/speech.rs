//! The sound of one sentence as a service streams it: raw 16-bit samples, or a WAV whose length nobody knows yet.
//!
//! Owns the head of the WAV, samples cut in two by the network, and rates that telephony does not have. Called by
//! [`super::talk`].

use crate::{
    media::{codec::g711::Law, dsp::resample::Resampler},
    unit::SampleRate,
};
use std::f64::consts::PI;

/// A head that is longer than this is none.
const HEAD_MAX: usize = 64 << 10;
/// Rates that a WAV may have.
const RATES: std::ops::RangeInclusive<u32> = 6_000..=96_000;

/// What the service was asked for, or is known to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 16-bit mono samples without a head, at this rate.
    Pcm(SampleRate),
    /// A WAV.
    Wav,
}

/// The reader of one body.
#[derive(Debug)]
pub struct Speech {
    format: Format,
    /// Bytes that are not a whole head or frame yet.
    rest: Vec<u8>,
    body: Option<Body>,
}

#[derive(Debug)]
struct Body {
    rate: SampleRate,
    channels: usize,
    sample: Sample,
    /// Of an odd rate: the way to [`ODD_TO`].
    odd: Option<Odd>,
    /// Bytes of sound that the head promises; more than that are other chunks.
    left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sample {
    Pcm16,
    Law(Law),
}

impl Speech {
    /// For a body that should be `format`; one that begins with `RIFF` is a WAV whatever was asked for.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self { format, rest: Vec::new(), body: None }
    }

    /// More of the body; its samples, and their rate.
    ///
    /// # Errors
    /// In words: it is no sound that can be played.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(SampleRate, Vec<i16>), String> {
        self.rest.extend_from_slice(bytes);
        let body = match &mut self.body {
            Some(body) => body,
            none => match head(&self.rest, self.format)? {
                Some((body, length)) => {
                    self.rest.drain(..length);
                    none.insert(body)
                }
                None => return Ok((SampleRate::HZ_16000, Vec::new())),
            },
        };
        let frame = body.channels * if body.sample == Sample::Pcm16 { 2 } else { 1 };
        let most = usize::try_from(body.left).unwrap_or(usize::MAX);
        let whole = self.rest.len().min(most) / frame * frame;
        body.left -= whole as u64;
        let mut samples = Vec::with_capacity(whole / frame);
        match body.sample {
            Sample::Pcm16 => {
                // The first channel: voices have but one.
                let frames = self.rest[..whole].chunks_exact(frame);
                samples.extend(frames.map(|frame| i16::from_le_bytes([frame[0], frame[1]])));
            }
            Sample::Law(law) => {
                let first: Vec<u8> = self.rest[..whole].iter().step_by(frame).copied().collect();
                law.expand(&first, &mut samples);
            }
        }
        if body.left < frame as u64 {
            self.rest.clear();
        } else {
            self.rest.drain(..whole);
        }
        Ok(match &mut body.odd {
            Some(odd) => (ODD_TO, odd.process(&samples)),
            None => (body.rate, samples),
        })
    }
}

/// The sound that begins here, and the length of its head; none as long as that cannot be said.
fn head(bytes: &[u8], format: Format) -> Result<Option<(Body, usize)>, String> {
    let wav = bytes.starts_with(b"RIFF");
    if !wav && b"RIFF".starts_with(bytes) {
        return Ok(None);
    }
    if !wav {
        let looks_like_text = bytes.starts_with(b"{") || bytes.starts_with(b"<");
        return match format {
            Format::Pcm(rate) if !looks_like_text => {
                Ok(Some((Body { rate, channels: 1, sample: Sample::Pcm16, odd: odd(rate), left: u64::MAX }, 0)))
            }
            Format::Pcm(_) => Err("the answer is text, not sound".to_owned()),
            Format::Wav => Err("the answer is no WAV".to_owned()),
        };
    }
    let number = |at: usize, length: usize| {
        let bytes = bytes.get(at..at + length)?;
        Some(bytes.iter().rev().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)))
    };
    let mut at = 12;
    let mut described = None;
    loop {
        if at > HEAD_MAX {
            return Err("the WAV's head does not end".to_owned());
        }
        let (Some(name), Some(length)) = (bytes.get(at..at + 4), number(at + 4, 4)) else { return Ok(None) };
        let from = at + 8;
        match name {
            b"fmt " => {
                let (Some(kind), Some(channels), Some(rate), Some(bits)) =
                    (number(from, 2), number(from + 2, 2), number(from + 4, 4), number(from + 14, 2))
                else {
                    return Ok(None);
                };
                // Extensible: what it is stands at the front of its GUID.
                let kind = match kind {
                    0xfffe => match number(from + 24, 2) {
                        Some(kind) => kind,
                        None => return Ok(None),
                    },
                    kind => kind,
                };
                let sample = match (kind, bits) {
                    (1, 16) => Sample::Pcm16,
                    (6, 8) => Sample::Law(Law::A),
                    (7, 8) => Sample::Law(Law::Mu),
                    _ => return Err(format!("a WAV of kind {kind} with {bits} bits cannot be played")),
                };
                if !RATES.contains(&rate) || !(1..=8).contains(&channels) {
                    return Err(format!("a WAV of {channels} channels at {rate} Hz cannot be played"));
                }
                described = Some((SampleRate(rate), channels as usize, sample));
            }
            b"data" => {
                let (rate, channels, sample) = described.ok_or("the WAV does not say what it is")?;
                // Whoever streams does not know the length: 0 or as much as there can be.
                let left = if length == 0 || length >= 0x7fff_0000 { u64::MAX } else { u64::from(length) };
                return Ok(Some((Body { rate, channels, sample, odd: odd(rate), left }, from)));
            }
            _ => {}
        }
        at = from + length as usize + (length % 2) as usize;
    }
}

/// What odd rates become.
const ODD_TO: SampleRate = SampleRate::HZ_16000;

/// The way from a rate that the packet path cannot take to [`ODD_TO`]; none for those that it takes.
fn odd(rate: SampleRate) -> Option<Odd> {
    let all = [SampleRate::HZ_8000, SampleRate::HZ_16000, SampleRate(48_000)];
    let taken = all.iter().all(|to| Resampler::new(rate, *to).is_ok());
    (!taken).then(|| Odd::new(f64::from(rate.0), f64::from(ODD_TO.0)))
}

/// Half the taps of the filter.
const HALF: usize = 16;
/// Places between two samples for which there are filters.
const PLACES: usize = 64;

/// Any rate to any other: a windowed sinc, looked up at the nearest of [`PLACES`] places; images below −40 dB, as good
/// as a telephone.
struct Odd {
    /// Inputs for an output.
    step: f64,
    taps: Vec<[f32; HALF * 2]>,
    line: Vec<f32>,
    /// Where the next output falls in the line.
    at: f64,
}

impl std::fmt::Debug for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Odd").field("step", &self.step).finish_non_exhaustive()
    }
}

impl Odd {
    fn new(from: f64, to: f64) -> Self {
        // Nothing above the lower rate's half may pass.
        let edge = 0.92 * (to / from).min(1.0);
        let tap = |place: usize, n: usize| {
            let x = n as f64 - (HALF as f64 - 1.0) - place as f64 / PLACES as f64;
            let window = 0.5 + 0.5 * (PI * x / HALF as f64).cos();
            let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * edge * x).sin() / (PI * edge * x) };
            if x.abs() >= HALF as f64 { 0.0 } else { edge * sinc * window }
        };
        let taps = (0..PLACES)
            .map(|place| {
                #[expect(clippy::cast_possible_truncation, reason = "a filter's tap")]
                std::array::from_fn(|n| tap(place, n) as f32)
            })
            .collect();
        Self { step: from / to, taps, line: vec![0.0; HALF - 1], at: 0.0 }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places in a line; samples")]
    fn process(&mut self, samples: &[i16]) -> Vec<i16> {
        self.line.extend(samples.iter().map(|sample| f32::from(*sample)));
        let mut out = Vec::with_capacity((samples.len() as f64 / self.step) as usize + 1);
        while self.at as usize + HALF * 2 <= self.line.len() {
            let first = self.at as usize;
            let place = ((self.at - first as f64) * PLACES as f64) as usize;
            let sum: f32 =
                self.line[first..first + HALF * 2].iter().zip(&self.taps[place]).map(|(x, tap)| x * tap).sum();
            out.push(sum.clamp(-32_768.0, 32_767.0).round() as i16);
            self.at += self.step;
        }
        let used = (self.at as usize).min(self.line.len());
        self.line.drain(..used);
        self.at -= used as f64;
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{dsp::tone, file::wav};

    fn read(format: Format, body: &[u8], step: usize) -> Result<(SampleRate, Vec<i16>), String> {
        let (mut speech, mut all, mut rate) = (Speech::new(format), Vec::new(), SampleRate::HZ_8000);
        for part in body.chunks(step) {
            let (at, samples) = speech.push(part)?;
            if !samples.is_empty() {
                rate = at;
            }
            all.extend(samples);
        }
        Ok((rate, all))
    }

    #[test]
    fn samples_come_out_whole_however_the_network_cuts_them() {
        let samples: Vec<i16> = (-500..500).map(|n| n * 31).collect();
        let raw: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut file = wav::write(SampleRate::HZ_24000, 1, &samples);
        let format = Format::Pcm(SampleRate::HZ_24000);
        for step in [1, 3, 44, 999, 5_000] {
            assert_eq!(read(format, &raw, step), Ok((SampleRate::HZ_24000, samples.clone())));
            assert_eq!(read(Format::Wav, &file, step), Ok((SampleRate::HZ_24000, samples.clone())));
            assert_eq!(read(format, &file, step), Ok((SampleRate::HZ_24000, samples.clone())), "a WAV after all");
        }
        // What follows the sound is not played; a stream's head does not know how long it gets.
        file.extend_from_slice(b"LIST\x04\0\0\0abcd");
        assert_eq!(read(Format::Wav, &file, 7).unwrap().1, samples);
        file.truncate(44 + raw.len());
        file[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(read(Format::Wav, &file, 7).unwrap().1, samples);
    }

    #[test]
    fn odd_rates_keep_their_pitch_and_length() {
        for rate in [22_050, 44_100, 11_025] {
            let mut samples = Vec::new();
            tone::sine(1_000.0, 8_000.0, SampleRate(rate), 0, rate as usize, &mut samples);
            let (to, played) = read(Format::Wav, &wav::write(SampleRate(rate), 1, &samples), 1_001).unwrap();
            assert_eq!(to, ODD_TO);
            assert!((15_900..=16_001).contains(&played.len()), "{rate}: {}", played.len());
            let share = tone::share_at(1_000.0, to, &played[1_000..9_000]);
            assert!(share > 0.99, "{rate}: {share}");
        }
    }

    #[test]
    fn what_is_no_sound_is_refused() {
        let pcm = Format::Pcm(SampleRate::HZ_24000);
        assert!(read(pcm, br#"{"error":"no"}"#, 50).unwrap_err().contains("text"));
        assert!(read(Format::Wav, b"ID3\x03mp3", 50).unwrap_err().contains("no WAV"));
        let mut float = wav::write(SampleRate::HZ_24000, 1, &[1, 2]);
        float[20] = 3;
        assert!(read(pcm, &float, 50).unwrap_err().contains("kind 3"));
        let endless = [&b"RIFF\0\0\0\0WAVE"[..], &b"junk\xff\xff\xff\x7f"[..]].concat();
        assert!(read(Format::Wav, &endless, 50).unwrap_err().contains("does not end"));
        assert!(read(pcm, b"", 1).unwrap().1.is_empty());
    }
}
