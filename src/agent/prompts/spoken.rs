//! Words of a script as sound: spoken once, when the script is read, by a program of this machine.

use crate::{agent::event::Sound, media::file::wav, unit::SampleRate};
use std::{
    io::{Read as _, Write as _},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// A sentence takes no longer to speak, its model's loading included.
const WITHIN: Duration = Duration::from_secs(30);

/// What the program (its name and arguments) makes of `text`, which it reads as one line: a WAV, at 16 kHz, or 8 kHz if it
/// holds no more.
///
/// # Errors
/// In words: it is not there, fails, takes too long, or gives no WAV.
pub fn speak(command: &[String], text: &str) -> Result<Sound, String> {
    let (name, arguments) = command.split_first().ok_or("tts_command names no program")?;
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|problem| format!("{name} could not be started: {problem}"))?;
    let line = format!("{}\n", text.split_whitespace().collect::<Vec<_>>().join(" "));
    if let Some(mut input) = child.stdin.take() {
        // Who has heard enough closes its input: what counts is its answer.
        let _ = input.write_all(line.as_bytes());
    }
    let mut output = child.stdout.take().ok_or("it has no output")?;
    let (to, read) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let outcome = output.read_to_end(&mut bytes).map(|_| bytes);
        let _ = to.send(outcome);
    });
    let bytes = read.recv_timeout(WITHIN);
    if bytes.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|problem| format!("{name}: {problem}"))?;
    let bytes = bytes
        .map_err(|_| format!("{name} said nothing for {} s", WITHIN.as_secs()))?
        .map_err(|problem| format!("{name}: {problem}"))?;
    if !status.success() {
        return Err(format!("{name} ended with {status}"));
    }
    let wav = wav::read(&bytes).map_err(|problem| format!("{name} gave no WAV: {problem}"))?;
    let rate = if wav.rate < SampleRate::HZ_16000 { SampleRate::HZ_8000 } else { SampleRate::HZ_16000 };
    let samples = wav::resample(&wav.mono(), wav.rate, rate)?;
    Ok(Sound { rate, samples: samples.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_program_speaks_and_one_that_does_not_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wav");
        let mut bytes = wav::header(SampleRate::HZ_8000, 1, 1_600).to_vec();
        bytes.resize(bytes.len() + 1_600, 1);
        std::fs::write(&file, bytes).unwrap();
        let sound = speak(&command(&["cat", &file.display().to_string()]), "Hello.").unwrap();
        assert_eq!((sound.rate, sound.samples.len()), (SampleRate::HZ_8000, 800));
        for (words, problem) in [
            (&["/nowhere/voice"][..], "could not be started"),
            (&["cat"][..], "gave no WAV"),
            (&["false"][..], "ended with"),
            (&[][..], "names no program"),
        ] {
            let told = speak(&command(words), "Hello.").unwrap_err();
            assert!(told.contains(problem), "{words:?}: {told}");
        }
    }
}
