//! The writer: one thread that owns all files of all calls. Calls never wait for a disk.
//!
//! A folder per call: `session.jsonl`, `call.wav` (stereo, header kept right once a second), `call.pcap`,
//! `agent.jsonl`. When the disk fails the call goes on, the operator is told, and writing is tried again with the
//! next piece. Old folders are removed by age and by total size.

use super::hub::HubHandle;
use crate::{
    agent::event::CassetteFrame,
    call::journal::Record,
    config::Recording,
    error::{Error, Result},
    media::file::{pcap, wav},
    unit::{CallId, SampleRate},
};
use std::{
    collections::HashMap,
    fs::File,
    io::{BufWriter, Write as _},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
    },
    time::{Duration, Instant, SystemTime},
};

/// Each open file's buffer: journals are flushed line by line, sound comes in pieces anyway.
const BUFFER: usize = 1_024;
/// What may wait for the disk.
const WAITING_MAX: usize = 16_384;
/// The writer sleeps so long between two looks at what waits: waking a thread for each line of each call would cost
/// the calls more than the writing.
const REST: Duration = Duration::from_millis(50);

/// What reaches the writer.
#[derive(Debug)]
pub enum In {
    /// A call began: its folder's name.
    Open(CallId, String),
    /// A line of its journal.
    Line(CallId, Arc<Record>),
    /// A piece of its sound, stereo, 8 kHz.
    Sound(CallId, Vec<i16>),
    /// A packet for its capture: wall clock in nanoseconds, from, to, bytes.
    Packet(CallId, u64, SocketAddr, SocketAddr, Vec<u8>),
    /// A provider frame.
    Frame(CallId, CassetteFrame),
    /// It is over: finish its files.
    Close(CallId),
    /// Finish everything and stop.
    Stop(SyncSender<()>),
}

/// A way to reach the writer. Clones share it.
#[derive(Clone, Debug)]
pub struct WriterHandle {
    to: SyncSender<In>,
    hub: HubHandle,
}

impl WriterHandle {
    /// Hands on; drops and counts if the disk is far behind.
    pub fn send(&self, input: In) {
        if let Err(TrySendError::Full(_)) = self.to.try_send(input) {
            self.hub.counters.records_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Finishes all files; waits for it.
    pub fn stop(&self) {
        let (done, wait) = sync_channel(1);
        if self.to.send(In::Stop(done)).is_ok() {
            let _ = wait.recv_timeout(Duration::from_secs(5));
        }
    }
}

/// Starts the writer's thread.
///
/// # Errors
/// The folder cannot be made.
pub fn start(recording: Recording, hub: HubHandle) -> Result<WriterHandle> {
    private_folder(&recording.folder)
        .map_err(|source| Error::file("make the recordings folder", &recording.folder, &source))?;
    let (to, from) = sync_channel(WAITING_MAX);
    let handle = WriterHandle { to, hub: hub.clone() };
    let writer = Writer { recording, hub, calls: HashMap::new(), failing: false, pruned_at: None, scratch: Vec::new() };
    std::thread::Builder::new()
        .name("writer".into())
        .spawn(move || writer.run(&from))
        .map_err(|source| Error::machine(format!("could not start the writer's thread: {source}")))?;
    Ok(handle)
}

struct Writer {
    recording: Recording,
    hub: HubHandle,
    calls: HashMap<CallId, CallFiles>,
    failing: bool,
    pruned_at: Option<Instant>,
    /// Samples on their way to bytes.
    scratch: Vec<u8>,
}

struct CallFiles {
    folder: PathBuf,
    journal: Option<BufWriter<File>>,
    sound: Sound,
    capture: Option<BufWriter<File>>,
    frames: Option<BufWriter<File>>,
}

/// `call.wav`: stereo, 8 kHz, 16 bits. Written by hand: a piece is one system call, and so is its header; what a full
/// disk did not take is silence in its place.
#[derive(Default)]
struct Sound {
    file: Option<File>,
    /// Bytes of sound so far, written or not.
    length: u64,
    header_at: Option<Instant>,
}

impl Writer {
    fn run(mut self, from: &Receiver<In>) {
        self.prune();
        loop {
            let input = match from.try_recv() {
                Ok(input) => input,
                Err(TryRecvError::Empty) if self.calls.is_empty() => match from.recv() {
                    Ok(input) => input,
                    Err(_) => return,
                },
                Err(TryRecvError::Empty) => {
                    std::thread::sleep(REST);
                    continue;
                }
                Err(TryRecvError::Disconnected) => return,
            };
            if let In::Stop(done) = input {
                for (_, files) in self.calls.drain() {
                    finish(files);
                }
                let _ = done.send(());
                return;
            }
            // Only what reaches the disk at once says that the disk works.
            let reaches_disk = matches!(input, In::Open(..) | In::Line(..));
            let outcome = self.handle(input);
            if reaches_disk || outcome.is_err() {
                self.tell(outcome);
            }
        }
    }

    fn handle(&mut self, input: In) -> std::io::Result<()> {
        match input {
            In::Open(call, name) => {
                let folder = self.recording.folder.join(name);
                self.calls.insert(
                    call,
                    CallFiles {
                        folder: folder.clone(),
                        journal: None,
                        sound: Sound::default(),
                        capture: None,
                        frames: None,
                    },
                );
                private_folder(&folder)
            }
            In::Line(call, record) => {
                let Some(files) = self.calls.get_mut(&call) else {
                    return Err(std::io::Error::other("the call's folder could not be made"));
                };
                let file = open(&mut files.journal, &files.folder, "session.jsonl", &[])?;
                file.write_all(record.to_line().as_bytes())?;
                file.write_all(b"\n")?;
                file.flush()
            }
            In::Sound(call, piece) => {
                let Some(files) = self.calls.get_mut(&call) else { return Ok(()) };
                files.write_sound(&piece, &mut self.scratch)
            }
            In::Packet(call, at_ns, source, destination, bytes) => {
                let Some(files) = self.calls.get_mut(&call) else { return Ok(()) };
                let mut record = Vec::with_capacity(bytes.len() + 64);
                pcap::write_record(&mut record, at_ns, source, destination, &bytes);
                open(&mut files.capture, &files.folder, "call.pcap", &pcap::file_header())?.write_all(&record)
            }
            In::Frame(call, frame) => {
                let Some(files) = self.calls.get_mut(&call) else { return Ok(()) };
                let line = serde_json::to_string(&frame).unwrap_or_default();
                let file = open(&mut files.frames, &files.folder, "agent.jsonl", &[])?;
                file.write_all(line.as_bytes())?;
                file.write_all(b"\n")
            }
            In::Close(call) => {
                if let Some(files) = self.calls.remove(&call) {
                    finish(files);
                }
                if self.pruned_at.is_none_or(|at| at.elapsed() > Duration::from_mins(1)) {
                    self.prune();
                }
                Ok(())
            }
            In::Stop(_) => Ok(()),
        }
    }

    /// Tells the operator once when writing begins to fail, and once when it works again.
    fn tell(&mut self, outcome: std::io::Result<()>) {
        match outcome {
            Ok(()) if self.failing => {
                self.failing = false;
                tracing::info!(target: "recording", event = "recording.resumed", "writing works again");
                self.hub.recording_problem(String::new());
            }
            Ok(()) => {}
            Err(problem) => {
                self.hub.counters.records_dropped.fetch_add(1, Ordering::Relaxed);
                if !self.failing {
                    self.failing = true;
                    let text = format!("cannot write to {}: {problem}", self.recording.folder.display());
                    tracing::error!(target: "recording", event = "recording.failed", "{text}; calls go on without it");
                    self.hub.recording_problem(text);
                }
            }
        }
    }

    /// Retention: folders too old, then the oldest while the total is too large. Running calls stay.
    fn prune(&mut self) {
        self.pruned_at = Some(Instant::now());
        let running: Vec<PathBuf> = self.calls.values().map(|files| files.folder.clone()).collect();
        let Ok(entries) = std::fs::read_dir(&self.recording.folder) else { return };
        let mut folders: Vec<(SystemTime, u64, PathBuf)> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.join("session.jsonl").is_file() && !running.contains(path))
            .filter_map(|path| {
                let changed = std::fs::metadata(path.join("session.jsonl")).and_then(|meta| meta.modified()).ok()?;
                Some((changed, size_of(&path), path))
            })
            .collect();
        folders.sort();
        let mut total: u64 = folders.iter().map(|(_, size, _)| size).sum();
        for (changed, size, path) in folders {
            let too_old = changed.elapsed().is_ok_and(|age| age > self.recording.keep);
            if too_old || total > self.recording.max_size {
                total = total.saturating_sub(size);
                match std::fs::remove_dir_all(&path) {
                    Ok(()) => tracing::info!(target: "recording", event = "recording.pruned", folder = %path.display()),
                    Err(problem) => tracing::warn!(target: "recording", "cannot remove {}: {problem}", path.display()),
                }
            }
        }
    }
}

impl CallFiles {
    fn write_sound(&mut self, piece: &[i16], bytes: &mut Vec<u8>) -> std::io::Result<()> {
        bytes.clear();
        bytes.extend(piece.iter().flat_map(|sample| sample.to_le_bytes()));
        let at = wav::HEADER_BYTES as u64 + self.sound.length;
        self.sound.length += bytes.len() as u64;
        let file = match &mut self.sound.file {
            Some(file) => file,
            slot => slot.insert(private_file(self.folder.join("call.wav"))?),
        };
        file.write_all_at(bytes, at)?;
        // A crash loses at most a second: the header is made right.
        if self.sound.header_at.is_none_or(|at| at.elapsed() >= Duration::from_secs(1)) {
            self.sound.mend_header()?;
        }
        Ok(())
    }
}

impl Sound {
    fn mend_header(&mut self) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        self.header_at = Some(Instant::now());
        // A disk that took nothing at the end leaves the file shorter than the call.
        let written = file.metadata()?.len().saturating_sub(wav::HEADER_BYTES as u64);
        file.write_all_at(&wav::header(SampleRate::HZ_8000, 2, self.length.min(written)), 0)
    }
}

fn open<'a>(
    slot: &'a mut Option<BufWriter<File>>,
    folder: &Path,
    name: &str,
    first: &[u8],
) -> std::io::Result<&'a mut BufWriter<File>> {
    if slot.is_none() {
        let mut file = BufWriter::with_capacity(BUFFER, private_file(folder.join(name))?);
        file.write_all(first)?;
        *slot = Some(file);
    }
    slot.as_mut().ok_or_else(|| std::io::Error::other("no file"))
}

/// Voices and numbers of people: for the owner only.
fn private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn private_file(path: PathBuf) -> std::io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn finish(mut files: CallFiles) {
    for mut file in [files.journal, files.capture, files.frames].into_iter().flatten() {
        let _ = file.flush();
    }
    let _ = files.sound.mend_header();
}

fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(folder: &Path, keep: Duration, max_size: u64) -> Writer {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let hub = runtime.block_on(async { super::super::hub::start("test", vec![]) });
        let recording = Recording {
            journal: true,
            sound: true,
            pcap: crate::config::Pcap::Off,
            agent_frames: false,
            folder: folder.to_owned(),
            keep,
            max_size,
        };
        Writer { recording, hub, calls: HashMap::new(), failing: false, pruned_at: None, scratch: Vec::new() }
    }

    #[test]
    fn the_oldest_folders_go_first_when_there_is_too_much() {
        let temporary = tempfile::tempdir().unwrap();
        for (n, name) in ["a", "b", "c"].iter().enumerate() {
            let folder = temporary.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("session.jsonl"), vec![b'x'; 1_000]).unwrap();
            let stamp = SystemTime::now() - Duration::from_secs(100 - n as u64);
            File::options().write(true).open(folder.join("session.jsonl")).unwrap().set_modified(stamp).unwrap();
        }
        std::fs::create_dir(temporary.path().join("not-a-call")).unwrap();
        writer(temporary.path(), Duration::from_hours(1), 1_500).prune();
        let left: Vec<bool> = ["a", "b", "c", "not-a-call"].iter().map(|n| temporary.path().join(n).exists()).collect();
        assert_eq!(left, [false, false, true, true]);
        writer(temporary.path(), Duration::from_secs(1), 1 << 40).prune();
        assert!(!temporary.path().join("c").exists(), "too old");
    }

    #[test]
    fn a_full_disk_is_told_once_and_writing_is_tried_again() {
        let temporary = tempfile::tempdir().unwrap();
        let mut writer = writer(temporary.path(), Duration::from_hours(1), 1 << 40);
        let call = CallId(1);
        writer.handle(In::Open(call, "call".into())).unwrap();
        let record = || {
            In::Line(
                call,
                Arc::new(
                    Record::from_line(r#"{"t":1.0,"kind":"speech","who":"agent","speaking":true}"#).unwrap().unwrap(),
                ),
            )
        };
        // A folder in the journal's place: every write fails.
        std::fs::create_dir(temporary.path().join("call/session.jsonl")).unwrap();
        for _ in 0..3 {
            let outcome = writer.handle(record());
            assert!(outcome.is_err());
            writer.tell(outcome);
        }
        assert!(writer.failing);
        std::fs::remove_dir(temporary.path().join("call/session.jsonl")).unwrap();
        let outcome = writer.handle(record());
        writer.tell(outcome);
        assert!(!writer.failing);
        assert!(temporary.path().join("call/session.jsonl").is_file());
    }
}
