//! The writer: one thread that owns all files of all calls. Calls never wait for a disk.
//!
//! A folder per call: `session.jsonl`, `call.wav` (stereo, header kept right once a second), `call.pcap`,
//! `agent.jsonl`. When the disk fails the call goes on, the operator is told, and writing is tried again with the
//! next piece. Old folders are removed by age and by total size, but only ours, and none that a gateway still writes:
//! whoever writes a journal holds its lock.

use super::{hub::HubHandle, post::Post};
use crate::{
    agent::event::CassetteFrame,
    call::journal::Record,
    clock::WallTime,
    config::Recording,
    error::{Error, Result},
    media::file::{pcap, wav},
    unit::{CallId, SampleRate},
};
use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    io::{BufWriter, Write as _},
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, channel, sync_channel},
    },
    time::{Duration, Instant, SystemTime},
};

/// The capture's buffer: lines go out one by one, sound comes in pieces anyway.
const BUFFER: usize = 1_024;
/// What may wait for the disk: beyond it sound and packets are dropped, beyond twice as much lines of journals too. That
/// a call begins and ends is never dropped: there are no more of these than calls.
const WAITING_MAX: usize = 16_384;
/// The writer sleeps so long between two looks at what waits: waking a thread for each line of each call would cost
/// the calls more than the writing.
const REST: Duration = Duration::from_millis(50);
/// Old folders are looked for this often; after a call at most once a minute.
const PRUNE_EVERY: Duration = Duration::from_mins(5);
/// While writing fails the disk is tried this often.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// What is written to try it: a full disk often still takes a line.
const PROBE_BYTES: usize = 64 << 10;
/// Nothing has failed for so long: writing works again. A full disk takes a piece now and then.
const CALM: Duration = Duration::from_secs(5);
/// Where the file system knows no locks, a journal that changed so lately belongs to a running call.
const YOUNG: Duration = Duration::from_mins(10);

/// What reaches the writer.
#[derive(Debug)]
pub enum In {
    /// A call began: its folder's name.
    Open(CallId, String),
    /// A line of its journal.
    Line(CallId, Arc<Record>),
    /// A piece of its sound, stereo, 8 kHz.
    Sound(CallId, SampleRate, Vec<i16>),
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
    to: Sender<In>,
    waiting: Arc<AtomicUsize>,
    hub: HubHandle,
}

impl WriterHandle {
    /// Hands on; drops and counts if the disk is far behind.
    pub fn send(&self, input: In) {
        let may_wait = match input {
            In::Sound(..) | In::Packet(..) | In::Frame(..) => WAITING_MAX,
            In::Line(..) => 2 * WAITING_MAX,
            In::Open(..) | In::Close(_) | In::Stop(_) => usize::MAX,
        };
        if self.waiting.load(Ordering::Relaxed) >= may_wait {
            self.hub.counters.records_dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _ = self.to.send(input);
    }

    /// Finishes all files; waits for it.
    pub fn stop(&self) {
        let (done, wait) = sync_channel(1);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        if self.to.send(In::Stop(done)).is_ok() {
            let _ = wait.recv_timeout(Duration::from_secs(5));
        }
    }
}

/// Whether the recordings folder is there or could be made; makes nothing.
///
/// # Errors
/// Something that is no folder is in the way.
pub fn check(folder: &Path) -> Result<()> {
    let there = folder.ancestors().find(|path| !path.as_os_str().is_empty() && path.exists());
    let Some(there) = there.filter(|path| !path.is_dir()) else { return Ok(()) };
    let source = std::io::Error::from(std::io::ErrorKind::NotADirectory);
    Err(Error::file("make the recordings folder", folder, &source)
        .hint(format!("{} is in the way: choose another folder with --recordings DIR", there.display())))
}

/// Starts the writer's thread.
///
/// # Errors
/// The folder cannot be made.
pub fn start(recording: Recording, hub: HubHandle, post: Post) -> Result<WriterHandle> {
    private_folder(&recording.folder)
        .map_err(|source| Error::file("make the recordings folder", &recording.folder, &source))?;
    let (to, from) = channel();
    let waiting = Arc::default();
    let handle = WriterHandle { to, waiting: Arc::clone(&waiting), hub: hub.clone() };
    let writer = Writer::new(recording, hub);
    std::thread::Builder::new()
        .name("writer".into())
        .spawn(move || {
            let _post = post;
            writer.run(&from, &waiting);
        })
        .map_err(|source| Error::machine(format!("could not start the writer's thread: {source}")))?;
    Ok(handle)
}

struct Writer {
    recording: Recording,
    hub: HubHandle,
    calls: HashMap<CallId, CallFiles>,
    trouble: Option<Trouble>,
    pruned_at: Option<Instant>,
    /// Samples and lines on their way to bytes.
    scratch: Vec<u8>,
}

/// Writing fails.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    /// When it did for the last time.
    failed_at: Instant,
    probed_at: Instant,
}

struct CallFiles {
    folder: PathBuf,
    journal: Lines,
    sound: Sound,
    capture: Option<BufWriter<File>>,
    frames: Lines,
}

/// A file of whole lines: what a full disk took of one is taken back.
#[derive(Default)]
struct Lines {
    file: Option<File>,
    /// Bytes of whole lines.
    length: u64,
}

/// `call.wav`: stereo, 8 kHz or 16 kHz, 16 bits. Written by hand: a piece is one system call, and so is its header; what a full
/// disk did not take is silence in its place.
#[derive(Default)]
struct Sound {
    file: Option<File>,
    /// Bytes of sound so far, written or not.
    length: u64,
    header_at: Option<Instant>,
    rate: Option<SampleRate>,
}

impl Writer {
    fn new(recording: Recording, hub: HubHandle) -> Self {
        Self { recording, hub, calls: HashMap::new(), trouble: None, pruned_at: None, scratch: Vec::new() }
    }

    fn run(mut self, from: &Receiver<In>, waiting: &AtomicUsize) {
        for mended in super::mend::calls(&self.recording.folder) {
            tracing::info!(target: "recording", event = "recording.mended", file = %mended.display());
        }
        loop {
            let input = match from.try_recv() {
                Ok(input) => input,
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    self.look_after();
                    if !self.calls.is_empty() {
                        std::thread::sleep(REST);
                        continue;
                    }
                    let longest = if self.trouble.is_some() { PROBE_EVERY } else { PRUNE_EVERY };
                    match from.recv_timeout(longest) {
                        Ok(input) => input,
                        Err(RecvTimeoutError::Timeout) => continue,
                        Err(RecvTimeoutError::Disconnected) => return,
                    }
                }
            };
            waiting.fetch_sub(1, Ordering::Relaxed);
            if let In::Stop(done) = input {
                for (_, files) in self.calls.drain() {
                    finish(files);
                }
                let _ = done.send(());
                return;
            }
            if let Err(problem) = self.handle(input) {
                self.failed(&problem);
            }
        }
    }

    /// What has its time rather than its occasion: retention, and trying a disk that fails.
    fn look_after(&mut self) {
        if self.pruned_at.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
            self.prune();
        }
        let Some(trouble) = &mut self.trouble else { return };
        if trouble.probed_at.elapsed() < PROBE_EVERY {
            return;
        }
        trouble.probed_at = Instant::now();
        match probe(&self.recording.folder) {
            Err(_) => trouble.failed_at = Instant::now(),
            Ok(()) if trouble.failed_at.elapsed() >= CALM => {
                self.trouble = None;
                tracing::info!(target: "recording", event = "recording.resumed", "writing works again");
                self.hub.recording_problem(String::new());
            }
            Ok(()) => {}
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
                        journal: Lines::default(),
                        sound: Sound::default(),
                        capture: None,
                        frames: Lines::default(),
                    },
                );
                private_folder(&folder)
            }
            In::Line(call, record) => {
                let Some(files) = self.calls.get_mut(&call) else {
                    return Err(std::io::Error::other("the call's folder could not be made"));
                };
                files.journal.write(&files.folder.join("session.jsonl"), &record.to_line(), &mut self.scratch)
            }
            In::Sound(call, rate, piece) => {
                let Some(files) = self.calls.get_mut(&call) else { return Ok(()) };
                files.sound.rate = Some(rate);
                files.write_sound(&piece, &mut self.scratch)
            }
            In::Packet(call, at_ns, source, destination, bytes) => {
                let Some(files) = self.calls.get_mut(&call) else { return Ok(()) };
                let mut record = Vec::with_capacity(bytes.len() + 64);
                pcap::write_record(&mut record, at_ns, source, destination, &bytes);
                files.capture()?.write_all(&record)
            }
            In::Frame(call, frame) => {
                let Some(files) = self.calls.get_mut(&call) else { return Ok(()) };
                let line = serde_json::to_string(&frame).unwrap_or_default();
                files.frames.write(&files.folder.join("agent.jsonl"), &line, &mut self.scratch)
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

    /// Tells the operator once when writing begins to fail.
    fn failed(&mut self, problem: &std::io::Error) {
        self.hub.counters.records_dropped.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        if let Some(trouble) = &mut self.trouble {
            trouble.failed_at = now;
            return;
        }
        self.trouble = Some(Trouble { failed_at: now, probed_at: now });
        let text = format!("cannot write to {}: {problem}", self.recording.folder.display());
        tracing::error!(target: "recording", event = "recording.failed", "{text}; calls go on without it");
        self.hub.recording_problem(text);
    }

    /// Retention: folders too old, then the oldest while the total is too large. Running calls stay, whoever runs
    /// them, and so does whatever is no call folder.
    fn prune(&mut self) {
        self.pruned_at = Some(Instant::now());
        let running: Vec<PathBuf> = self.calls.values().map(|files| files.folder.clone()).collect();
        let Ok(entries) = std::fs::read_dir(&self.recording.folder) else { return };
        let mut folders: Vec<(SystemTime, u64, PathBuf)> = entries
            .flatten()
            // A link is not followed: what it shows is not ours.
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && is_call_folder(&entry.file_name()))
            .map(|entry| entry.path())
            .filter(|path| !running.contains(path))
            .filter_map(|path| {
                let changed = if let Ok(journal) = std::fs::symlink_metadata(path.join("session.jsonl")) {
                    journal.modified().ok().filter(|_| journal.is_file())?
                } else {
                    // A full disk may have left a folder without a journal; a young one may still get one.
                    let made = std::fs::symlink_metadata(&path).and_then(|folder| folder.modified()).ok()?;
                    made.elapsed().ok().filter(|age| *age > JOURNAL_LATE)?;
                    made
                };
                Some((changed, size_of(&path), path))
            })
            .collect();
        folders.sort();
        let mut total: u64 = folders.iter().map(|(_, size, _)| size).sum();
        for (changed, size, path) in folders {
            let too_old = changed.elapsed().is_ok_and(|age| age > self.recording.keep);
            if (too_old || total > self.recording.max_size) && !is_being_written(&path.join("session.jsonl"), changed) {
                total = total.saturating_sub(size);
                match std::fs::remove_dir_all(&path) {
                    Ok(()) => tracing::info!(target: "recording", event = "recording.pruned", folder = %path.display()),
                    Err(problem) => tracing::warn!(target: "recording", "cannot remove {}: {problem}", path.display()),
                }
            }
        }
    }
}

/// What a call's folder is called: its start and its name.
pub fn folder_name(start: WallTime, call: CallId) -> String {
    let stamp: String = start.rfc3339().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{stamp}-{call}")
}

/// A folder that has no journal after so long never gets one.
const JOURNAL_LATE: Duration = Duration::from_hours(1);

/// Whether a folder's name is one that [`folder_name`] gives.
pub(super) fn is_call_folder(name: &std::ffi::OsStr) -> bool {
    let Some((stamp, call)) = name.to_str().and_then(|name| name.split_once('-')) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let stamped = stamp.strip_suffix('Z').and_then(|stamp| stamp.split_once('T'));
    stamped.is_some_and(|(day, time)| day.len() == 8 && digits(day) && time.len() >= 6 && digits(time))
        && call.parse::<CallId>().is_ok_and(|id| id.to_string() == call)
}

/// Whether a gateway, this or another, still writes a journal: then it holds its lock.
pub(super) fn is_being_written(journal: &Path, changed: SystemTime) -> bool {
    match File::open(journal).map(|file| file.try_lock()) {
        Ok(Ok(())) => false,
        Ok(Err(TryLockError::WouldBlock)) => true,
        Ok(Err(TryLockError::Error(_))) | Err(_) => changed.elapsed().is_ok_and(|age| age < YOUNG),
    }
}

/// Writes a little and takes it away again.
fn probe(folder: &Path) -> std::io::Result<()> {
    private_folder(folder)?;
    let path = folder.join(format!(".probe-{}", std::process::id()));
    let written = private_file(path.clone()).and_then(|mut file| {
        file.write_all(&vec![0; PROBE_BYTES])?;
        // Some file systems say only now that there is no room.
        file.sync_data()
    });
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}

impl Lines {
    /// Writes a line whole, or not at all.
    fn write(&mut self, path: &Path, line: &str, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        bytes.clear();
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        let file = match &mut self.file {
            Some(file) => file,
            slot => {
                let file = make_file(path)?;
                // Says that the call runs; without locks its age says so.
                let _ = file.try_lock();
                slot.insert(file)
            }
        };
        if let Err(problem) = file.write_all_at(bytes, self.length) {
            let _ = file.set_len(self.length);
            return Err(problem);
        }
        self.length += bytes.len() as u64;
        Ok(())
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
            slot => slot.insert(make_file(&self.folder.join("call.wav"))?),
        };
        file.write_all_at(bytes, at)?;
        // A crash loses at most a second: the header is made right.
        if self.sound.header_at.is_none_or(|at| at.elapsed() >= Duration::from_secs(1)) {
            self.sound.mend_header()?;
        }
        Ok(())
    }

    fn capture(&mut self) -> std::io::Result<&mut BufWriter<File>> {
        match &mut self.capture {
            Some(file) => Ok(file),
            slot => {
                let mut file = BufWriter::with_capacity(BUFFER, make_file(&self.folder.join("call.pcap"))?);
                file.write_all(&pcap::file_header())?;
                Ok(slot.insert(file))
            }
        }
    }
}

impl Sound {
    fn mend_header(&mut self) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        self.header_at = Some(Instant::now());
        // A disk that took nothing at the end leaves the file shorter than the call.
        let written = file.metadata()?.len().saturating_sub(wav::HEADER_BYTES as u64);
        file.write_all_at(&wav::header(self.rate.unwrap_or(SampleRate::HZ_8000), 2, self.length.min(written)), 0)
    }
}

/// Voices and numbers of people: for the owner only.
fn private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn private_file(path: PathBuf) -> std::io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// A file in a call's folder, which a full disk may have refused when the call began.
fn make_file(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    private_file(path.to_owned())
}

fn finish(mut files: CallFiles) {
    if let Some(mut capture) = files.capture {
        let _ = capture.flush();
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
    use crate::call::journal::{Body, Level, Note};

    fn writer(folder: &Path, keep: Duration, max_size: u64) -> Writer {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let hub = runtime.block_on(async {
            super::super::hub::start("test", vec![], super::super::post::Watch::default().post("hub"))
        });
        let recording = Recording {
            journal: true,
            sound: true,
            pcap: crate::config::Pcap::Off,
            tone: crate::call::pipeline::recording::Tone::default(),
            refused_per_minute: 10,
            agent_frames: false,
            folder: folder.to_owned(),
            keep,
            max_size,
        };
        Writer::new(recording, hub)
    }

    /// A call folder whose journal of 1000 bytes changed some time ago.
    fn call_folder(parent: &Path, name: &str, age: Duration) -> PathBuf {
        let folder = parent.join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("session.jsonl"), vec![b'x'; 1_000]).unwrap();
        let journal = File::options().write(true).open(folder.join("session.jsonl")).unwrap();
        journal.set_modified(SystemTime::now() - age).unwrap();
        folder
    }

    const NAMES: [&str; 3] =
        ["20261121T082802026Z-c-0000000a", "20261121T082803026Z-c-0000000b", "20261121T082804026Z-c-0000000c"];

    #[test]
    fn the_oldest_folders_go_first_when_there_is_too_much() {
        let temporary = tempfile::tempdir().unwrap();
        for (n, name) in NAMES.iter().enumerate() {
            call_folder(temporary.path(), name, Duration::from_secs(100 - n as u64));
        }
        writer(temporary.path(), Duration::from_hours(1), 1_500).prune();
        let left = NAMES.map(|name| temporary.path().join(name).exists());
        assert_eq!(left, [false, false, true]);
        writer(temporary.path(), Duration::from_secs(1), 1 << 40).prune();
        assert!(!temporary.path().join(NAMES[2]).exists(), "too old");
    }

    #[test]
    fn a_disk_that_hangs_costs_sound_first_and_never_a_beginning_or_an_end() {
        let temporary = tempfile::tempdir().unwrap();
        let hub = writer(temporary.path(), Duration::from_hours(1), 1).hub;
        let (to, from) = channel();
        let handle = WriterHandle { to, waiting: Arc::default(), hub: hub.clone() };
        let call = CallId(7);
        let line = Arc::new(Record { t: 0.0, body: Body::Note(Note { level: Level::Info, text: String::new() }) });
        for _ in 0..=WAITING_MAX {
            handle.send(In::Sound(call, SampleRate::HZ_8000, Vec::new()));
        }
        let dropped = || hub.counters.records_dropped.load(Ordering::Relaxed);
        assert_eq!(dropped(), 1);
        for _ in 0..=WAITING_MAX {
            handle.send(In::Line(call, Arc::clone(&line)));
        }
        assert_eq!(dropped(), 2);
        handle.send(In::Close(call));
        handle.send(In::Open(CallId(8), "next".to_owned()));
        assert_eq!((dropped(), from.try_iter().count()), (2, 2 * WAITING_MAX + 2));
    }

    #[test]
    fn only_call_folders_are_removed_and_no_links() {
        let temporary = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let old = Duration::from_hours(1);
        let target = call_folder(elsewhere.path(), NAMES[0], old);
        std::os::unix::fs::symlink(&target, temporary.path().join(NAMES[0])).unwrap();
        let foreign = ["keep-this", "20261121-c-0000000a", "20261121T082802026Z-c-a", "c-0000000a"];
        for name in foreign {
            call_folder(temporary.path(), name, old);
        }
        writer(temporary.path(), Duration::from_secs(1), 1).prune();
        assert!(target.join("session.jsonl").is_file() && temporary.path().join(NAMES[0]).is_symlink());
        assert!(foreign.iter().all(|name| temporary.path().join(name).is_dir()));
        let name = folder_name(crate::clock::SystemClock::wall(), CallId(7));
        assert!(is_call_folder(name.as_ref()), "{name}");
    }

    #[test]
    fn a_call_that_another_gateway_runs_is_kept() {
        let temporary = tempfile::tempdir().unwrap();
        let mut other = writer(temporary.path(), Duration::from_hours(1), 1 << 40);
        other.handle(In::Open(CallId(1), NAMES[0].into())).unwrap();
        other.handle(line(CallId(1))).unwrap();
        let folder = temporary.path().join(NAMES[0]);
        writer(temporary.path(), Duration::ZERO, 1).prune();
        assert!(folder.join("session.jsonl").is_file(), "its journal is being written");
        other.handle(In::Close(CallId(1))).unwrap();
        writer(temporary.path(), Duration::ZERO, 1).prune();
        assert!(!folder.exists());
    }

    fn line(call: CallId) -> In {
        let text = r#"{"t":1.0,"kind":"speech","who":"agent","speaking":true}"#;
        In::Line(call, Arc::new(Record::from_line(text).unwrap().unwrap()))
    }

    #[test]
    fn a_failing_disk_is_told_once_until_nothing_has_failed_for_a_while() {
        let temporary = tempfile::tempdir().unwrap();
        let mut writer = writer(temporary.path(), Duration::from_hours(1), 1 << 40);
        let call = CallId(1);
        writer.handle(In::Open(call, "call".into())).unwrap();
        // A folder in the journal's place: every write fails.
        std::fs::create_dir(temporary.path().join("call/session.jsonl")).unwrap();
        for _ in 0..3 {
            let problem = writer.handle(line(call)).unwrap_err();
            writer.failed(&problem);
        }
        assert!(writer.trouble.is_some());
        std::fs::remove_dir(temporary.path().join("call/session.jsonl")).unwrap();
        writer.handle(line(call)).unwrap();
        assert!(temporary.path().join("call/session.jsonl").is_file());
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        writer.trouble = Some(Trouble { failed_at: ago(3), probed_at: ago(3) });
        writer.look_after();
        assert!(writer.trouble.is_some(), "one piece that was taken proves nothing");
        writer.trouble = Some(Trouble { failed_at: ago(6), probed_at: ago(3) });
        writer.look_after();
        assert!(writer.trouble.is_none());
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 1, "the probe was left behind");
    }

    #[test]
    fn a_line_that_does_not_fit_is_taken_back() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("session.jsonl");
        let mut lines = Lines::default();
        let mut scratch = Vec::new();
        lines.write(&path, "one", &mut scratch).unwrap();
        // What a full disk leaves behind of a line: its beginning.
        std::fs::write(&path, "one\ntw").unwrap();
        let writable = lines.file.replace(File::open(&path).unwrap());
        assert!(lines.write(&path, "two", &mut scratch).is_err(), "a file open for reading takes nothing");
        lines.file = writable;
        lines.write(&path, "2", &mut scratch).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n2\n");
    }
}
