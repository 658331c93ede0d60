//! Sound to play, and judges of sound that came back: tone power, level, delay, correlation, gaps.
//!
//! G.711 is written here a second time, so that the gateway's own tables are not their own judge.

use std::{f64::consts::TAU, path::Path};

/// Samples a second in all of these tests.
pub const RATE: u32 = 8_000;
/// Length of the pieces of a reference that are looked for.
const PIECE: usize = 4_000;
/// Distance between the starts of two pieces.
const PIECE_STEP: usize = 6_000;
/// How far a piece may be from where its neighbours are: 200 ms.
const SEARCH: usize = 1_600;
/// Energy of a piece that is taken for silence: -86 dB.
const SILENT: f64 = 1e-5;
/// A piece below this level carries nothing to look for.
const QUIET: f64 = 0.005;

/// The two laws of G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// PCMU, payload type 0.
    Mu,
    /// PCMA, payload type 8.
    A,
}

impl Law {
    /// The encoding's name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mu => "PCMU",
            Self::A => "PCMA",
        }
    }

    /// The static RTP payload type.
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Mu => 0,
            Self::A => 8,
        }
    }

    /// One byte as a sample between -1 and 1.
    pub fn decode(self, byte: u8) -> f32 {
        let value = match self {
            Self::Mu => decode_mu(byte),
            Self::A => decode_a(byte),
        };
        f32::from(value) / 32_768.0
    }

    /// Samples as bytes, each the nearest there is.
    pub fn encode(self, samples: &[f32]) -> Vec<u8> {
        let table: Vec<f32> = (0..=255).map(|byte| self.decode(byte)).collect();
        let nearest = |sample: &f32| {
            (0..=255_u8)
                .min_by(|&one, &other| {
                    let error = |byte: u8| (table[usize::from(byte)] - sample).abs();
                    error(one).total_cmp(&error(other))
                })
                .expect("256 bytes")
        };
        samples.iter().map(nearest).collect()
    }
}

/// µ-law by the formula of G.711.
fn decode_mu(byte: u8) -> i16 {
    let bits = !byte;
    let magnitude = ((i16::from(bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7);
    if bits & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

/// A-law by the formula of G.711.
fn decode_a(byte: u8) -> i16 {
    let bits = byte ^ 0x55;
    let segment = (bits >> 4) & 7;
    let mantissa = (i16::from(bits & 0x0f) << 4) + 8;
    let magnitude = if segment == 0 { mantissa } else { (mantissa + 0x100) << (segment - 1) };
    if bits & 0x80 == 0 { -magnitude } else { magnitude }
}

/// Something like a voice: sixty partials between 300 and 3000 Hz, four syllables a second, never the same twice.
pub fn voice(seconds: u32, seed: u64) -> Vec<f32> {
    voice_later(seconds, seed, 0.0)
}

/// The same voice, begun this part of a sample later.
pub fn voice_later(seconds: u32, seed: u64, part: f64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let partials: Vec<(f64, f64)> = (0..60).map(|_| (300.0 + 2_700.0 * random(), TAU * random())).collect();
    let sample = |index: u32| {
        let time = (f64::from(index) - part) / f64::from(RATE);
        let sum: f64 = partials.iter().map(|(frequency, phase)| (TAU * frequency * time + phase).sin()).sum();
        let syllable = 0.6 + 0.4 * (TAU * 4.0 * time).sin();
        (0.025 * sum * syllable) as f32
    };
    (0..seconds * RATE).map(sample).collect()
}

/// A pure tone at a quarter of full scale.
pub fn tone(frequency: f64, seconds: u32) -> Vec<f32> {
    let step = TAU * frequency / f64::from(RATE);
    (0..seconds * RATE).map(|index| (0.25 * (step * f64::from(index)).sin()) as f32).collect()
}

/// Sound followed by silence.
pub fn padded(samples: &[f32], seconds: u32) -> Vec<f32> {
    let mut all = samples.to_vec();
    all.resize(samples.len() + (seconds * RATE) as usize, 0.0);
    all
}

/// Writes a mono file with 16 bits at any rate.
pub fn write_wav(path: &Path, rate: u32, samples: &[f32]) {
    let form =
        hound::WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, form).expect("a wav can be written");
    for sample in samples {
        writer.write_sample((sample * 32_767.0).round() as i16).expect("a sample can be written");
    }
    writer.finalize().expect("a wav can be finished");
}

/// Reads a file with 16 bits and 8 kHz, channel by channel.
pub fn read_wav(path: &Path) -> Vec<Vec<f32>> {
    let (rate, channels) = read_wav_at(path);
    assert_eq!(rate, RATE, "rate of {}", path.display());
    channels
}

/// Reads a file with 16 bits at any rate, channel by channel.
pub fn read_wav_at(path: &Path) -> (u32, Vec<Vec<f32>>) {
    let mut reader =
        hound::WavReader::open(path).unwrap_or_else(|problem| panic!("{} cannot be read: {problem}", path.display()));
    let form = reader.spec();
    assert_eq!(form.bits_per_sample, 16, "form of {}", path.display());
    let channels = usize::from(form.channels);
    let all: Vec<f32> =
        reader.samples::<i16>().map(|sample| f32::from(sample.expect("a whole wav")) / 32_768.0).collect();
    let split = |channel: usize| all.iter().skip(channel).step_by(channels).copied().collect();
    (form.sample_rate, (0..channels).map(split).collect())
}

/// The part below 3.4 kHz of sound at a multiple of 8 kHz, at 8 kHz: what the judges here look at.
pub fn narrowed(samples: &[f32], rate: u32) -> Vec<f32> {
    let factor = (rate / RATE) as usize;
    if factor <= 1 {
        return samples.to_vec();
    }
    let half = 32 * factor as i64;
    let taps: Vec<f64> = (-half..=half)
        .map(|n| {
            let x = n as f64 / factor as f64;
            let sinc = if n == 0 { 1.0 } else { (TAU / 2.0 * x).sin() / (TAU / 2.0 * x) };
            let window = 0.5 + 0.5 * (TAU / 2.0 * n as f64 / half as f64).cos();
            sinc * window / factor as f64
        })
        .collect();
    (0..samples.len() / factor)
        .map(|at| {
            let middle = (at * factor) as i64;
            let sum: f64 = (middle - half..=middle + half)
                .zip(&taps)
                .filter_map(|(n, tap)| Some(f64::from(*samples.get(usize::try_from(n).ok()?)?) * tap))
                .sum();
            sum as f32
        })
        .collect()
}

/// Root of the mean square.
pub fn level(samples: &[f32]) -> f64 {
    (energy(samples) / samples.len().max(1) as f64).sqrt()
}

/// Sum of the squares.
fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|&sample| f64::from(sample) * f64::from(sample)).sum()
}

/// Share of the power at one frequency (Goertzel): 1 for the pure tone, near 0 for anything else.
pub fn tone_share(samples: &[f32], frequency: f64) -> f64 {
    tone_share_at(samples, RATE, frequency)
}

/// The same of sound at any rate.
pub fn tone_share_at(samples: &[f32], rate: u32, frequency: f64) -> f64 {
    let angle = TAU * frequency / f64::from(rate);
    let coefficient = 2.0 * angle.cos();
    let (mut last, mut before) = (0.0, 0.0);
    for &sample in samples {
        (last, before) = (f64::from(sample) + coefficient * last - before, last);
    }
    let power = last * last + before * before - coefficient * last * before;
    2.0 * power / (samples.len().max(1) as f64 * energy(samples)).max(f64::MIN_POSITIVE)
}

/// The longest time in which every 10 ms are below a level, in milliseconds.
pub fn longest_gap_ms(samples: &[f32], threshold: f64) -> u32 {
    let (mut longest, mut current) = (0, 0);
    for block in samples.chunks(RATE as usize / 100) {
        current = if level(block) < threshold { current + 10 } else { 0 };
        longest = longest.max(current);
    }
    longest
}

/// The part of a recording between its first and its last loud 10 ms.
pub fn sounding(samples: &[f32], threshold: f64) -> &[f32] {
    let block = RATE as usize / 100;
    let loud: Vec<usize> = samples
        .chunks(block)
        .enumerate()
        .filter(|(_, part)| level(part) >= threshold)
        .map(|(index, _)| index)
        .collect();
    match (loud.first(), loud.last()) {
        (Some(first), Some(last)) => &samples[first * block..((last + 1) * block).min(samples.len())],
        _ => &[],
    }
}

/// Where and how well a reference was found in a recording.
#[derive(Clone, Debug)]
pub struct Found {
    /// How much later than in the reference, in milliseconds; negative if the recording began later.
    pub delay_ms: f64,
    /// Median of the pieces' normalised correlations.
    pub typical: f64,
    /// The worst of them.
    pub weakest: f64,
    /// Largest less smallest delay of the pieces.
    pub slip_ms: f64,
    /// Level of the recording against the reference.
    pub gain: f64,
}

/// Looks for a reference in a recording, piece by piece.
pub fn find(reference: &[f32], recording: &[f32]) -> Option<Found> {
    let starts: Vec<usize> = (PIECE_STEP / 4..(reference.len() + 1).saturating_sub(PIECE))
        .step_by(PIECE_STEP)
        .filter(|&start| level(&reference[start..start + PIECE]) > QUIET)
        .collect();
    let &anchor = starts.get(starts.len() / 2)?;
    let last = recording.len().checked_sub(PIECE)?;
    let (position, _) = best_place(&reference[anchor..anchor + PIECE], recording, 0, last)?;
    let shift = position as i64 - anchor as i64;
    let pieces: Vec<(i64, f64, f64)> =
        starts.iter().map(|&start| place_near(reference, recording, start, shift)).collect();
    Some(summed_up(&pieces, shift))
}

/// Delay, correlation and gain of one piece that should be near `shift`.
fn place_near(reference: &[f32], recording: &[f32], start: usize, shift: i64) -> (i64, f64, f64) {
    let piece = &reference[start..start + PIECE];
    let from = (start as i64 + shift - SEARCH as i64).max(0) as usize;
    let to = (start as i64 + shift + SEARCH as i64).min(recording.len() as i64 - PIECE as i64);
    let place = usize::try_from(to).ok().and_then(|to| best_place(piece, recording, from, to));
    place.map_or((shift, 0.0, 0.0), |(position, correlation)| {
        let gain = level(&recording[position..position + PIECE]) / level(piece);
        (position as i64 - start as i64, correlation, gain)
    })
}

/// The pieces' figures as one.
fn summed_up(pieces: &[(i64, f64, f64)], shift: i64) -> Found {
    let mut correlations: Vec<f64> = pieces.iter().map(|piece| piece.1).collect();
    correlations.sort_by(f64::total_cmp);
    let mut gains: Vec<f64> = pieces.iter().map(|piece| piece.2).collect();
    gains.sort_by(f64::total_cmp);
    // a piece that was not found says nothing about time
    let delays = || pieces.iter().filter(|piece| piece.1 > 0.5).map(|piece| piece.0);
    let slip = delays().max().unwrap_or(0) - delays().min().unwrap_or(0);
    Found {
        delay_ms: milliseconds(shift),
        typical: correlations[correlations.len() / 2],
        weakest: correlations[0],
        slip_ms: milliseconds(slip),
        gain: gains[gains.len() / 2],
    }
}

/// Samples as time.
fn milliseconds(samples: i64) -> f64 {
    samples as f64 * 1_000.0 / f64::from(RATE)
}

/// The position between two others at which a piece correlates best, and how well.
fn best_place(piece: &[f32], recording: &[f32], from: usize, to: usize) -> Option<(usize, f64)> {
    let own = energy(piece);
    let mut window = energy(recording.get(from..from + piece.len())?);
    let mut best: Option<(usize, f64)> = None;
    for position in from..=to {
        let part = &recording[position..position + piece.len()];
        let correlation = dot(piece, part) / (own * window.max(SILENT)).sqrt();
        if best.is_none_or(|(_, highest)| correlation > highest) {
            best = Some((position, correlation));
        }
        if let Some(&entering) = recording.get(position + piece.len()) {
            window += f64::from(entering).powi(2) - f64::from(part[0]).powi(2);
            window = window.max(0.0);
        }
    }
    best
}

/// Sum of the products, in sixteen lanes so that the compiler can use vectors.
fn dot(one: &[f32], other: &[f32]) -> f64 {
    let mut lanes = [0.0_f32; 16];
    for (left, right) in one.chunks_exact(16).zip(other.chunks_exact(16)) {
        for ((lane, left), right) in lanes.iter_mut().zip(left).zip(right) {
            *lane += left * right;
        }
    }
    lanes.iter().map(|&lane| f64::from(lane)).sum()
}

/// Fails unless the recording holds the whole reference, at its level and without a jump in time.
pub fn assert_heard(what: &str, reference: &[f32], recording: &[f32]) -> Found {
    let found = find(reference, recording).unwrap_or_else(|| {
        panic!("{what}: {} samples are too few to find {} in", recording.len(), reference.len());
    });
    eprintln!("{what}: {found:?}");
    assert!(found.typical > 0.95 && found.weakest > 0.6, "{what}: does not sound like what was said: {found:?}");
    assert!(found.slip_ms <= 60.0, "{what}: time jumps: {found:?}");
    assert!((0.8..1.25).contains(&found.gain), "{what}: level changed: {found:?}");
    found
}

/// Fails unless the recording holds a tone of that frequency for that long, without a hole.
pub fn assert_tone(what: &str, recording: &[f32], frequency: f64, seconds: f64) {
    let part = sounding(recording, 0.05);
    let length = part.len() as f64 / f64::from(RATE);
    let share = tone_share(part, frequency);
    let gap = longest_gap_ms(part, 0.05);
    eprintln!("{what}: {length:.2} s of sound, share {share:.3}, longest gap {gap} ms, level {:.3}", level(part));
    assert!((length - seconds).abs() < 0.3, "{what}: {length:.2} s of tone instead of {seconds}");
    assert!(share > 0.9, "{what}: only {share:.3} of the power is at {frequency} Hz");
    assert!(gap <= 20, "{what}: a hole of {gap} ms");
}
