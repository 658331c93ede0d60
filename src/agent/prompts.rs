//! Sounds that ship inside the binary, and how a script's sounds are found. Those inside have 8 kHz; files have
//! 16 kHz, if there is that much in them.

mod spoken;

use crate::{
    agent::event::Sound,
    error::{Error, Result},
    media::{dsp::tone::sine, file::wav},
    unit::SampleRate,
};
pub use spoken::speak;
use std::{path::Path, sync::Arc};

/// The sounds named `builtin:…` (own speech by espeak-ng).
static BUILTIN: &[(&str, &[u8])] = &[
    ("greeting", include_bytes!("prompts/greeting.wav")),
    ("reply", include_bytes!("prompts/reply.wav")),
    ("digit", include_bytes!("prompts/digit.wav")),
    ("silence", include_bytes!("prompts/silence.wav")),
    ("goodbye", include_bytes!("prompts/goodbye.wav")),
    ("moment", include_bytes!("prompts/moment.wav")),
    ("apology", include_bytes!("prompts/apology.wav")),
];

/// A sound from inside the binary, at 8 kHz; empty for a name that is not there.
#[must_use]
pub fn builtin(name: &str) -> Arc<[i16]> {
    BUILTIN
        .iter()
        .find(|(known, _)| *known == name)
        .and_then(|(_, bytes)| wav::read(bytes).ok())
        .map_or_else(|| Arc::from([]), |wav| Arc::from(wav.mono()))
}

/// A WAV file's sound, one channel: at 16 kHz, or 8 kHz if it holds no more.
///
/// # Errors
/// Names the file and what is wrong with it.
pub fn load(path: &Path) -> Result<Sound> {
    load_as(path, |rate| if rate < SampleRate::HZ_16000 { SampleRate::HZ_8000 } else { SampleRate::HZ_16000 })
}

/// A WAV file's sound at 8 kHz, one channel.
///
/// # Errors
/// As [`load`].
pub fn load_narrow(path: &Path) -> Result<Arc<[i16]>> {
    load_as(path, |_| SampleRate::HZ_8000).map(|sound| sound.samples)
}

fn load_as(path: &Path, rate_for: impl Fn(SampleRate) -> SampleRate) -> Result<Sound> {
    let bytes = std::fs::read(path).map_err(|source| Error::file("read", path, &source))?;
    let wrong = |problem: String| {
        Error::usage(format!("{}: {problem}", path.display())).hint("any WAV will do: PCM, float or G.711, any rate")
    };
    let wav = wav::read(&bytes).map_err(wrong)?;
    let rate = rate_for(wav.rate);
    let samples = wav::resample(&wav.mono(), wav.rate, rate).map_err(wrong)?;
    Ok(Sound { rate, samples: samples.into() })
}

/// `440:300`: a tone of 440 Hz for 300 ms, which begins and ends softly.
fn beep(text: &str) -> Option<Sound> {
    let (hertz, ms) = text.split_once(':')?;
    let hertz: u32 = hertz.parse().ok().filter(|hertz| (50..=3_400).contains(hertz))?;
    let ms: usize = ms.parse().ok().filter(|ms| (20..=60_000).contains(ms))?;
    let (rate, mut samples) = (SampleRate::HZ_8000, Vec::new());
    sine(f64::from(hertz), 8_000.0, rate, 0, ms * 8, &mut samples);
    let length = samples.len();
    for n in 0..40 {
        let soft = i16::try_from(n).unwrap_or(0);
        samples[n] = samples[n] / 40 * soft;
        samples[length - 1 - n] = samples[length - 1 - n] / 40 * soft;
    }
    Some(Sound { rate, samples: samples.into() })
}

/// A sound of a script: `builtin:NAME`, `tone:HERTZ:MILLISECONDS`, or a file beside the script.
///
/// # Errors
/// Names what was not found.
pub fn of_script(name: &str, folder: Option<&Path>) -> Result<Sound, String> {
    if let Some(builtin_name) = name.strip_prefix("builtin:") {
        let sound = builtin(builtin_name);
        let names: Vec<&str> = BUILTIN.iter().map(|(name, _)| *name).collect();
        return if sound.is_empty() {
            Err(format!("no sound is called {name}; inside the binary are {}", names.join(", ")))
        } else {
            Ok(Sound { rate: SampleRate::HZ_8000, samples: sound })
        };
    }
    if let Some(tone) = name.strip_prefix("tone:") {
        return beep(tone)
            .ok_or_else(|| format!("{name} is no tone; write tone:HERTZ:MILLISECONDS, like tone:440:300"));
    }
    let path = folder.map_or_else(|| Path::new(name).to_owned(), |folder| folder.join(name));
    load(&path).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sound_inside_the_binary_can_be_played() {
        for (name, _) in BUILTIN {
            let sound = builtin(name);
            assert!(sound.len() > 4_000, "{name}");
            assert!(sound.iter().any(|sample| sample.abs() > 5_000), "{name} is too quiet");
        }
        let tone = of_script("tone:440:100", None).unwrap();
        assert!(tone.samples.len() == 800 && tone.samples[0] == 0 && tone.samples[799].abs() < 200);
        assert!(of_script("tone:9:100", None).unwrap_err().contains("tone:HERTZ:MILLISECONDS"));
        assert!(of_script("builtin:nope", None).unwrap_err().contains("greeting"));
    }
}
