//! Calls that a crash left behind: when a gateway starts, the headers of their recordings are made to say what is there,
//! and their journals that they are over.
//!
//! Owns `call.wav` and `session.jsonl` of calls that nobody runs any more; the writer keeps those that run. Called once
//! by the writer's thread, before its first call.

use super::writer::{is_being_written, is_call_folder};
use crate::{
    call::{
        journal::{Body, Record},
        summary,
    },
    media::file::wav,
    unit::SampleRate,
};
use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

/// A summary is much shorter.
const TAIL_BYTES: u64 = 64 << 10;
/// What an operator reads of such a call.
const REASON: &str = "the gateway stopped in the middle of the call";

/// Mends every call below `folder` that nobody runs; gives the files that it changed.
pub(super) fn calls(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let abandoned = entries
        .flatten()
        // A link is not followed: what it shows is not ours.
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && is_call_folder(&entry.file_name()))
        .map(|entry| entry.path())
        .filter(|call| !is_run(call));
    let mut mended = Vec::new();
    for call in abandoned {
        let (sound, journal) = (call.join("call.wav"), call.join("session.jsonl"));
        mended.extend(mend(&sound).unwrap_or(false).then_some(sound));
        mended.extend(end(&journal).unwrap_or(false).then_some(journal));
    }
    mended
}

/// Whether a journal had no end. A line that was cut off goes, the last time that was written is that of the end.
fn end(journal: &Path) -> std::io::Result<bool> {
    if !std::fs::symlink_metadata(journal)?.is_file() {
        return Ok(false);
    }
    let mut file = File::options().read(true).write(true).open(journal)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let last = tail[..whole].trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    // Only what is a journal of ours is touched.
    let Ok(Some(last)) = Record::from_line(&String::from_utf8_lossy(last)) else { return Ok(false) };
    if matches!(last.body, Body::Summary(_)) {
        return Ok(false);
    }
    let lines: String = summary::broken_off(last.t, REASON).iter().map(|record| record.to_line() + "\n").collect();
    file.set_len(from + whole as u64)?;
    file.write_all_at(lines.as_bytes(), from + whole as u64)?;
    Ok(true)
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
            assert_eq!(calls(temporary.path()), std::slice::from_ref(&sound), "{said} and {there}");
            let read = hound::WavReader::open(&sound).unwrap();
            assert_eq!((read.duration(), read.spec().channels), (frames, 2));
            assert!(calls(temporary.path()).is_empty(), "nothing is left to do");
        }
    }

    #[test]
    fn a_journal_without_an_end_gets_one() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join(NAME);
        std::fs::create_dir(&folder).unwrap();
        let journal = folder.join("session.jsonl");
        let speech = r#"{"t":3.5,"kind":"speech","who":"agent","speaking":true}"#;
        std::fs::write(&journal, format!("{speech}\n{{\"t\":4.0,\"ki")).unwrap();
        assert_eq!(calls(temporary.path()), std::slice::from_ref(&journal));
        let text = std::fs::read_to_string(&journal).unwrap();
        let records: Vec<Record> = text.lines().map(|line| Record::from_line(line).unwrap().unwrap()).collect();
        assert_eq!(records.len(), 3, "{text}");
        assert!(matches!(&records[2].body, Body::Summary(end) if end.ended_by == "crash"));
        assert!((records[2].t - 3.5).abs() < 1e-9);
        assert!(calls(temporary.path()).is_empty(), "nothing is left to do");
        // What is no journal of ours stays as it is.
        std::fs::write(&journal, "{}\n").unwrap();
        assert!(calls(temporary.path()).is_empty());
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
        assert!(calls(temporary.path()).is_empty());
        assert_eq!([&good, &foreign, &running, &other].map(|path| std::fs::read(path).unwrap()), before);
        drop(journal);
        assert_eq!(calls(temporary.path()), [running]);
    }
}
