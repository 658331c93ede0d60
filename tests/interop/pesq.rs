//! How good speech is behind a live gateway, by PESQ: ITU-T P.862 at 8 kHz, P.862.2 at 16 kHz, by the `pesq` package.
//!
//! Clean calls of the program with itself over loopback. The figures are in docs/MEDIA.md.

use crate::{
    audio::{self, narrowed},
    gateway::{Dial, Gateway, Settings},
};
use std::{env, path::Path, process::Command, time::Duration};
use tempfile::TempDir;

/// Speech at 16 kHz with something above 4 kHz: the project's own, or of the kit.
fn speech() -> Vec<f32> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kit = env::var_os("VOXGW_KIT").map_or_else(|| root.join("../shared/kit"), Into::into);
    let kits = kit.join("wav/own_long_16k.wav");
    let path = if kits.is_file() { kits } else { root.join("recordings/short-answer.wav") };
    let (rate, channels) = audio::read_wav_at(&path);
    assert_eq!(rate, 16_000, "{}", path.display());
    let mut samples = channels[0].clone();
    // PESQ wants 8 to 12 s with some silence around.
    samples.truncate(10 * 16_000);
    samples
}

/// What PESQ says of `heard` against `said`, both at `rate`: 1 to 4.5.
fn score(said: &[f32], heard: &[f32], rate: u32) -> f64 {
    let folder = TempDir::with_prefix("voxgw-pesq-").expect("a temporary folder");
    let (reference, degraded) = (folder.path().join("reference.wav"), folder.path().join("degraded.wav"));
    audio::write_wav(&reference, rate, said);
    audio::write_wav(&degraded, rate, heard);
    let python = env::var("VOXGW_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/score.py");
    let output = Command::new(&python).arg(script).args([&reference, &degraded]).output().expect("python runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().unwrap_or_else(|_| {
        panic!("PESQ gave {text:?}; it needs the packages pesq and numpy\n{}", String::from_utf8_lossy(&output.stderr))
    })
}

/// Speech through a call in one codec: scores at 8 kHz and, of wideband, at 16 kHz, as the agent heard it and as it came
/// back by the echo.
fn scores(codec: &str) -> Vec<(&'static str, f64)> {
    let said = speech();
    let settings = Settings::new(&format!("media.codecs = ['{codec}']"));
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let mut padded = said.clone();
    padded.resize(padded.len() + 16_000, 0.0);
    let mut dial =
        Dial::start_at(gateway.sip, 16_000, &padded, &["--codec", codec, "--hangup-after", "1s", "--max", "40s"]);
    dial.assert_ends_with(0, Duration::from_mins(1));
    let (rate, there) = gateway.only_call().wideband_voices();
    gateway.stop();
    let (_, back) = dial.wideband_voices();
    let narrow = narrowed(&said, 16_000);
    let mut scores = Vec::new();
    for (once, twice, heard) in
        [("there, 8 kHz", "there, 16 kHz", &there[0]), ("and back, 8 kHz", "and back, 16 kHz", &back[1])]
    {
        scores.push((once, score(&narrow, &narrowed(heard, rate), 8_000)));
        if rate == 16_000 {
            scores.push((twice, score(&said, heard, 16_000)));
        }
    }
    eprintln!("{codec}: {scores:.2?}");
    scores
}

/// Fails below these scores of what the agent hears. The two seconds of our own score lower than the kit's speech.
fn assert_scores(codec: &str, narrow: f64, wide: f64) {
    for (what, score) in scores(codec) {
        let least = match what {
            "there, 8 kHz" => narrow,
            "there, 16 kHz" => wide,
            // Coded twice.
            "and back, 8 kHz" => narrow - 0.5,
            _ => wide - 0.7,
        };
        assert!(score > least, "{codec} {what}: {score:.2}, at least {least:.2}");
    }
}

#[test]
#[ignore = "needs python3 with pesq"]
fn speech_is_good_in_g711() {
    assert_scores("pcmu", 3.8, 0.0);
    assert_scores("pcma", 3.8, 0.0);
}

#[test]
#[ignore = "needs python3 with pesq"]
fn speech_is_good_in_g722() {
    assert_scores("g722", 3.8, 3.3);
}

#[test]
#[ignore = "needs python3 with pesq"]
fn speech_is_good_in_opus() {
    assert_scores("opus", 3.8, 3.6);
}

#[test]
#[ignore = "needs python3 with pesq"]
fn speech_is_whole_in_l16() {
    assert_scores("l16", 4.3, 4.3);
}
