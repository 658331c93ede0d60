//! Voice told from noise: how much speech is missed, how much noise is taken for it.

use super::{
    golden,
    sounds::{Chance, kit, recording},
};
use std::fmt::Write as _;
use voxgw::{
    clock::Instant,
    media::dsp::{
        level::Energy,
        vad::{Detector, Kind},
    },
    unit::SampleRate,
};

const STEP: usize = 80;

fn power(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64
}

/// Speech with a second of nothing before and after, and which 10 ms hold voice: 30 dB under the loudest and above.
fn speech(kit: &std::path::Path) -> (Vec<i16>, Vec<bool>) {
    let mut samples = vec![0; 8_000];
    for name in ["allison_agent-user", "own_q1_8k", "allison_vm-intro", "own_q2_8k", "allison_demo-echotest"] {
        samples.extend(recording(kit, name));
        samples.resize(samples.len() + 12_000, 0);
    }
    samples.truncate(samples.len() / STEP * STEP);
    let levels: Vec<f64> = samples.chunks(STEP).map(power).collect();
    let loudest = levels.iter().copied().fold(0.0, f64::max);
    (samples, levels.iter().map(|level| *level > loudest / 1_000.0).collect())
}

fn noise(kind: &str, kit: &std::path::Path, length: usize) -> Vec<f64> {
    let mut chance = Chance(17);
    if kind == "white" {
        return (0..length).map(|_| (chance.next() - 0.5) * 2.0).collect();
    }
    // Babble: eight places of a long speech at once.
    let long = recording(kit, "allison_demo-instruct");
    let starts: Vec<usize> = (0..8).map(|_| (chance.next() * long.len() as f64) as usize).collect();
    (0..length).map(|n| starts.iter().map(|start| f64::from(long[(start + n) % long.len()])).sum()).collect()
}

/// Shares of voiced steps missed, and of silent ones taken for speech; 200 ms of hangover after voice are not counted.
fn rates(kind: Kind, samples: &[i16], voiced: &[bool]) -> (f64, f64) {
    let mut detector = Detector::of_kind(SampleRate::HZ_8000, kind);
    let (mut missed, mut voice, mut false_alarms, mut silence, mut since) = (0, 0, 0, 0, 100);
    for (n, step) in samples.chunks(STEP).enumerate() {
        detector.add(Instant::from_millis(n as u64 * 10), step, &Energy::of(SampleRate::HZ_8000, step));
        let heard = detector.is_speaking() || detector.is_voiced_now();
        since = if voiced[n] { 0 } else { since + 1 };
        if voiced[n] {
            voice += 1;
            missed += u32::from(!heard);
        } else if since > 24 {
            silence += 1;
            false_alarms += u32::from(heard);
        }
    }
    (f64::from(missed) / f64::from(voice), f64::from(false_alarms) / f64::from(silence))
}

#[test]
fn miss_and_false_rates_in_noise_are_as_known() {
    let Some(kit) = kit() else { return println!("skipped: no kit") };
    let (clean, voiced) = speech(&kit);
    let talking: Vec<i16> =
        clean.chunks(STEP).zip(&voiced).filter(|(_, voiced)| **voiced).flat_map(|(step, _)| step.to_vec()).collect();
    let mut table = String::from("noise   SNR dB |  energy miss% false% |  neural miss% false%\n");
    let mut line = |name: &str, snr: &str, samples: &[i16]| {
        let (energy, neural) = (rates(Kind::Energy, samples, &voiced), rates(Kind::Neural, samples, &voiced));
        let _ = writeln!(
            table,
            "{name:7} {snr:>6} | {:12.0} {:6.0} | {:12.0} {:6.0}",
            energy.0 * 100.0,
            energy.1 * 100.0,
            neural.0 * 100.0,
            neural.1 * 100.0
        );
        (energy, neural)
    };
    let (energy, neural) = line("none", "", &clean);
    assert!(energy.0 < 0.05 && energy.1 < 0.06 && neural.0 < 0.05 && neural.1 < 0.06, "{energy:?} {neural:?}");
    for name in ["white", "babble"] {
        let noise = noise(name, &kit, clean.len());
        let noise_power = noise.iter().map(|x| x * x).sum::<f64>() / noise.len() as f64;
        for snr_db in [20.0, 10.0, 5.0] {
            let gain = (power(&talking) / noise_power / 10_f64.powf(snr_db / 10.0)).sqrt();
            let noisy: Vec<i16> = clean.iter().zip(&noise).map(|(s, n)| (f64::from(*s) + n * gain) as i16).collect();
            let (energy, neural) = line(name, &format!("{snr_db:.0}"), &noisy);
            if name == "white" {
                assert!(neural.0 < 0.05 && neural.1 < 0.15, "{snr_db} dB of white noise: {neural:?}");
                assert!(neural.0 <= energy.0 + 0.02, "{snr_db} dB: {neural:?} {energy:?}");
            }
        }
    }
    println!("{table}");
    golden("vad.txt", &table);
}
