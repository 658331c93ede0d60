//! Sounds and chance for tests: the same on every machine.

use std::path::PathBuf;

/// Chance that is the same each time (`SplitMix64`).
pub struct Chance(pub u64);

impl Chance {
    /// From 0 to 1.
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A voice without words at 8 kHz: harmonics of a wandering pitch in syllables, with pauses between phrases.
pub fn voice(seconds: usize) -> Vec<i16> {
    let mut phase = 0.0_f64;
    (0..seconds * 8_000)
        .map(|n| {
            let t = n as f64 / 8_000.0;
            let pitch_hz = 120.0 + 25.0 * (t * 1.7).sin() + 10.0 * (t * 5.3).sin();
            phase += pitch_hz / 8_000.0;
            let syllable = (std::f64::consts::PI * (t * 4.0).fract()).sin();
            let speaking = if (t / 2.5).fract() < 0.7 { 1.0 } else { 0.0 };
            let sound: f64 =
                (1..=8).map(|k| (std::f64::consts::TAU * phase * f64::from(k)).sin() / f64::from(k)).sum::<f64>();
            (sound * syllable * speaking * 6_000.0) as i16
        })
        .collect()
}

/// The kit of third-party material, if it is here.
pub fn kit() -> Option<PathBuf> {
    let named = std::env::var_os("VOXGW_KIT").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/kit");
    named.into_iter().chain([beside]).find(|place| place.join("wav").is_dir())
}

/// The sound of a WAV file of the kit, as one channel.
pub fn recording(kit: &std::path::Path, name: &str) -> Vec<i16> {
    let bytes = std::fs::read(kit.join("wav").join(format!("{name}.wav"))).unwrap();
    voxgw::media::file::wav::read(&bytes).unwrap().mono()
}
