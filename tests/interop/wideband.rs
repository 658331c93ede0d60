//! Wideband with baresip, whose G.722 is spandsp's and whose Opus is libopus: what is said reaches both ends, and what
//! of it lies above 4 kHz too.

use crate::{
    audio::{find, level, narrowed, tone_share_at, voice, voice_later},
    baresip::{Baresip, PhoneCodec},
    gateway::{Dial, Gateway, Settings},
};
use std::{f64::consts::TAU, time::Duration};

/// A tone that no narrowband call carries; 5,913 Hz has no whole number of periods in any packet.
const BRIGHT: f64 = 5_913.0;

/// A codec of baresip.
struct Wide {
    /// Our name of it.
    name: &'static str,
    /// Baresip's name of it.
    account: &'static str,
    /// Its rate there.
    rate: u32,
    /// Least correlation below 3.4 kHz: Opus is a model of a voice, not its wave.
    likeness: f64,
}

const G722: Wide = Wide { name: "g722", account: "G722/16000/1", rate: 16_000, likeness: 0.95 };
const OPUS: Wide = Wide { name: "opus", account: "opus/48000/2", rate: 48_000, likeness: 0.85 };
const L16: Wide = Wide { name: "l16", account: "L16/16000/1", rate: 16_000, likeness: 0.99 };

impl Wide {
    fn codec(&self) -> PhoneCodec {
        PhoneCodec { name: self.account.to_owned(), rate: self.rate }
    }
}

/// What one side says.
struct Said {
    seed: u64,
    rate: u32,
    /// At that rate.
    samples: Vec<f32>,
}

const SECONDS: u32 = 5;

/// The voice of the other tests at another rate, and the bright tone through all of it.
fn bright_voice(seed: u64, rate: u32) -> Said {
    let narrow = voice(SECONDS, seed);
    let factor = rate as usize / 8_000;
    // Between two samples as a sinc says.
    let upsampled = |n: usize| -> f32 {
        let (whole, part) = ((n / factor) as i64, (n % factor) as f64 / factor as f64);
        let sum: f64 = (-24..=24_i64)
            .filter_map(|k| {
                let x = part - k as f64;
                let sinc = if x == 0.0 { 1.0 } else { (TAU / 2.0 * x).sin() / (TAU / 2.0 * x) };
                let window = 0.5 + 0.5 * (TAU / 2.0 * x / 25.0).cos();
                Some(f64::from(*narrow.get(usize::try_from(whole + k).ok()?)?) * sinc * window)
            })
            .sum();
        sum as f32
    };
    let bright = |n: usize| (0.03 * (TAU * BRIGHT * n as f64 / f64::from(rate)).sin()) as f32;
    let samples = (0..narrow.len() * factor).map(|n| 0.8 * upsampled(n) + bright(n)).collect();
    Said { seed, rate, samples }
}

/// Likeness of two pieces, 1 for the same wave.
fn likeness(one: &[f32], other: &[f32]) -> f64 {
    let (mut product, mut own, mut there) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (f64::from(*a), f64::from(*b));
        (product, own, there) = (product + a * b, own + a * a, there + b * b);
    }
    product / (own * there).sqrt().max(f64::MIN_POSITIVE)
}

/// Median of the likeness of pieces of 250 ms, each where it fits best: the way may last a part of a sample, which at
/// 3 kHz is half a wave, and a recording follows the sender's clock a sample at a time.
fn typical_likeness(seed: u64, recording: &[f32], delay_ms: f64) -> f64 {
    const PIECE: usize = 2_000;
    let parts: Vec<Vec<f32>> = [0.0, 0.25, 0.5, 0.75].iter().map(|part| voice_later(SECONDS, seed, *part)).collect();
    let shift = (delay_ms * 8.0).round() as i64;
    let best = |start: usize| {
        let places = (shift - 8..=shift + 8).filter_map(|shift| {
            let at = usize::try_from(start as i64 + shift).ok()?;
            recording.get(at..at + PIECE)
        });
        places
            .flat_map(|there| parts.iter().map(move |part| likeness(&part[start..start + PIECE], there)))
            .fold(0.0, f64::max)
    };
    let mut found: Vec<f64> = (2_000..SECONDS as usize * 8_000 - PIECE).step_by(4_000).map(best).collect();
    found.sort_by(f64::total_cmp);
    found[found.len() / 2]
}

/// Median share of the bright tone in pieces of 50 ms.
fn brightness(samples: &[f32], rate: u32) -> f64 {
    let pieces = sounding_at(samples, rate).chunks_exact(rate as usize / 20);
    let mut shares: Vec<f64> = pieces.map(|piece| tone_share_at(piece, rate, BRIGHT)).collect();
    shares.sort_by(f64::total_cmp);
    shares.get(shares.len() / 2).copied().unwrap_or(0.0)
}

/// Fails unless the voice is there below 3.4 kHz and the tone above 4 kHz.
fn assert_wide(what: &str, said: &Said, heard: &[f32], rate: u32, wide: &Wide) {
    let narrow = narrowed(heard, rate);
    let found = find(&voice(SECONDS, said.seed), &narrow).unwrap_or_else(|| panic!("{what}: nothing to look in"));
    let best = typical_likeness(said.seed, &narrow, found.delay_ms);
    let (own, share) = (brightness(&said.samples, said.rate), brightness(heard, rate));
    eprintln!("{what}: {found:?}, likeness {best:.4}, bright {share:.4} of {own:.4}");
    assert!(best > wide.likeness && found.slip_ms <= 60.0, "{what}: {best:.4}, {found:?}");
    assert!((0.6..1.1).contains(&found.gain), "{what}: level changed: {found:?}");
    assert!(share > own * 0.25 && share < own * 2.5, "{what}: {share:.5} of its power at {BRIGHT} Hz, of {own:.5}");
}

/// From the first to the last loud 10 ms.
fn sounding_at(samples: &[f32], rate: u32) -> &[f32] {
    let block = rate as usize / 100;
    let loud = |part: &[f32]| level(part) > 0.02;
    let first = samples.chunks(block).position(loud).unwrap_or(0);
    let last = samples.chunks(block).rposition(loud).unwrap_or(0);
    &samples[first * block..((last + 1) * block).min(samples.len())]
}

/// baresip calls the echo and hears itself.
fn echo_call(wide: &Wide, seed: u64) {
    let said = bright_voice(seed, wide.rate);
    let settings = Settings::new(&format!("media.codecs = ['{}']", wide.name));
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let mut phone = Baresip::calling(gateway.sip, &said.samples, wide.codec(), 9);
    phone.wait(Duration::from_secs(20));
    let call = gateway.only_call();
    call.assert_ended_well(wide.name);
    gateway.stop();
    let (rate, voices) = call.wideband_voices();
    assert_eq!(rate, 16_000, "wideband is recorded as such");
    assert_wide("caller in call.wav", &said, &voices[0], rate, wide);
    assert_wide("agent in call.wav", &said, &voices[1], rate, wide);
    let (rate, heard) = crate::audio::read_wav_at(&phone.dump());
    assert_wide("sound at baresip", &said, &heard[0], rate, wide);
}

/// dial and baresip talk at the same time, each hears the other.
fn dialled_call(wide: &Wide, seed: u64) {
    let (here, there) = (bright_voice(seed, 16_000), bright_voice(seed + 1, wide.rate));
    let mut phone = Baresip::answering(&there.samples, wide.codec());
    let flags = ["--codec", wide.name, "--delay", "500ms", "--hangup-after", "silence:2s", "--max", "20s"];
    let mut padded = here.samples.clone();
    padded.resize(padded.len() + 16_000, 0.0);
    let mut dial = Dial::start_at(phone.sip, 16_000, &padded, &flags);
    dial.assert_ends_with(0, Duration::from_secs(30));
    phone.stop();
    let (rate, voices) = dial.wideband_voices();
    assert_eq!(rate, 16_000);
    assert_wide("what dial sent", &here, &voices[0], rate, wide);
    assert_wide("what dial heard", &there, &voices[1], rate, wide);
    let (rate, heard) = crate::audio::read_wav_at(&phone.dump());
    assert_wide("sound at baresip", &here, &heard[0], rate, wide);
}

#[test]
#[ignore = "needs baresip"]
fn baresip_hears_itself_in_g722() {
    echo_call(&G722, 31);
}

#[test]
#[ignore = "needs baresip"]
fn baresip_hears_itself_in_opus() {
    echo_call(&OPUS, 32);
}

#[test]
#[ignore = "needs baresip"]
fn baresip_hears_itself_in_l16() {
    echo_call(&L16, 33);
}

#[test]
#[ignore = "needs baresip"]
fn dial_and_baresip_hear_each_other_in_g722() {
    dialled_call(&G722, 34);
}

#[test]
#[ignore = "needs baresip"]
fn dial_and_baresip_hear_each_other_in_opus() {
    dialled_call(&OPUS, 36);
}
