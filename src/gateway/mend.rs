//! Recordings that a crash left behind: when a gateway starts, their headers are made to say what is there.
//!
//! Owns `call.wav` of calls that nobody runs any more; the writer keeps the headers of those that run. Called once by
//! the writer's thread, before its first call.

use super::writer::{is_being_written, is_call_folder};
use crate::{media::file::wav, unit::SampleRate};
use std::{
    fs::File,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

/// Mends every recording below `folder` whose header says less or more than there is; gives those that it changed.
pub(super) fn recordings(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        // A link is not followed: what it shows is not ours.
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && is_call_folder(&entry.file_name()))
        .map(|entry| entry.path())
        .filter(|call| !is_run(call))
        .map(|call| call.join("call.wav"))
        .filter(|sound| mend(sound).unwrap_or(false))
        .collect()
}

fn is_run(call: &Path) -> bool {
    let journal = call.join("session.jsonl");
    let changed = std::fs::symlink_metadata(&journal).and_then(|meta| meta.modified());
    changed.is_ok_and(|changed| is_being_written(&journal, changed))
}

/// Whether the header had to be changed. Only files with a header as we write it are touched.
fn mend(sound: &Path) -> std::io::Result<bool> {
    if !std::fs::symlink_metadata(sound)?.is_file() {
        return Ok(false);
    }
    let file = File::options().read(true).write(true).open(sound)?;
    let mut head = [0; wav::HEADER_BYTES];
    file.read_exact_at(&mut head, 0)?;
    let channels = u16::from_le_bytes([head[22], head[23]]);
    let rate = SampleRate(u32::from_le_bytes([head[24], head[25], head[26], head[27]]));
    let said = u64::from(u32::from_le_bytes([head[40], head[41], head[42], head[43]]));
    if channels == 0 || channels > 2 || rate.0 == 0 || rate.0 > 192_000 || head != wav::header(rate, channels, said) {
        return Ok(false);
    }
    let length = file.metadata()?.len().saturating_sub(wav::HEADER_BYTES as u64);
    // A piece that was cut off in the middle of a frame.
    let whole = length - length % u64::from(channels * 2);
    let header = wav::header(rate, channels, whole);
    if header == head && length == whole {
        return Ok(false);
    }
    file.set_len(wav::HEADER_BYTES as u64 + whole)?;
    file.write_all_at(&header, 0)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "20261121T082802026Z-c-0000000a";

    fn call(folder: &Path, name: &str, said: u64, bytes: usize) -> PathBuf {
        let call = folder.join(name);
        std::fs::create_dir(&call).unwrap();
        std::fs::write(call.join("session.jsonl"), "{}\n").unwrap();
        let mut sound = wav::header(SampleRate::HZ_8000, 2, said).to_vec();
        sound.resize(wav::HEADER_BYTES + bytes, 7);
        std::fs::write(call.join("call.wav"), sound).unwrap();
        call.join("call.wav")
    }

    #[test]
    fn a_header_that_says_too_little_or_too_much_is_mended_once() {
        for (said, there, frames) in [(0, 4_000, 1_000), (8_000, 4_003, 1_000), (4_000, 4_002, 1_000), (16, 0, 0)] {
            let temporary = tempfile::tempdir().unwrap();
            let sound = call(temporary.path(), NAME, said, there);
            assert_eq!(recordings(temporary.path()), std::slice::from_ref(&sound), "{said} and {there}");
            let read = hound::WavReader::open(&sound).unwrap();
            assert_eq!((read.duration(), read.spec().channels), (frames, 2));
            assert!(recordings(temporary.path()).is_empty(), "nothing is left to do");
        }
    }

    #[test]
    fn what_is_right_running_foreign_or_elsewhere_is_left_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let good = call(temporary.path(), NAME, 4_000, 4_000);
        let foreign = call(temporary.path(), "holiday", 0, 4_000);
        let running = call(temporary.path(), "20261121T082802026Z-c-0000000b", 0, 4_000);
        let journal = File::open(running.with_file_name("session.jsonl")).unwrap();
        journal.try_lock().unwrap();
        let other = call(temporary.path(), "20261121T082802026Z-c-0000000c", 0, 0);
        std::fs::write(&other, [b'x'; 90]).unwrap();
        let linked = call(temporary.path(), "20261121T082802026Z-c-0000000d", 0, 0);
        std::fs::remove_file(&linked).unwrap();
        std::os::unix::fs::symlink(&foreign, &linked).unwrap();
        let before = [&good, &foreign, &running, &other].map(|path| std::fs::read(path).unwrap());
        assert!(recordings(temporary.path()).is_empty());
        assert_eq!([&good, &foreign, &running, &other].map(|path| std::fs::read(path).unwrap()), before);
        drop(journal);
        assert_eq!(recordings(temporary.path()), [running]);
    }
}
