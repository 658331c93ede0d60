//! The program under test as a child process: a home of its own, a clean environment, bounded in time, none left behind.
//!
//! A [`Home`] is a temporary folder that is the current folder, `HOME` and every `XDG_*` of what runs in it, so no
//! config, `.env` or socket of the user is found. Gateways listen on ports that the system chooses and say which.
#![allow(dead_code, reason = "each test file uses its part")]

use serde_json::Value;
use std::{
    env,
    fs::{self, File, Permissions},
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long a program may take before the test fails.
pub const LIMIT: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(10);
/// RTP ports of one program.
const WINDOW: u16 = 40;
/// The first of them; the last stay below the ports that the system gives away.
const FIRST_RTP_PORT: u16 = 28_200;
const WINDOWS: u16 = 110;

/// A folder that programs run in.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
    started: AtomicU16,
}

impl Home {
    /// An empty one.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("vx").tempdir().expect("a temporary folder");
        for name in ["run", "tmp", "out"] {
            let path = folder.path().join(name);
            fs::create_dir(&path).expect("a folder in a new one");
            fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("a folder of one's own");
        }
        Self { folder, started: AtomicU16::new(0) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file in it.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).expect("a file in the home");
        path
    }

    /// Where programs put what is temporary.
    pub fn temporary(&self) -> PathBuf {
        self.path().join("tmp")
    }

    /// The program with arguments and nothing else from outside.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_voxgw"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null()).env_clear();
        for name in ["PATH", "LLVM_PROFILE_FILE"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env("XDG_RUNTIME_DIR", self.path().join("run"))
            .env("TMPDIR", self.temporary());
        command
    }

    /// Starts it; its output goes into files.
    pub fn start(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Running {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let place = |name: &str| self.path().join("out").join(format!("{number}.{name}"));
        let (stdout, stderr) = (place("stdout"), place("stderr"));
        let child = self
            .command(arguments)
            .envs(variables.iter().copied())
            .stdout(File::create(&stdout).expect("a file for the output"))
            .stderr(File::create(&stderr).expect("a file for the errors"))
            .spawn()
            .expect("the program starts");
        Running { child, name: arguments.join(" "), stdout, stderr, started: Instant::now() }
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Done {
        self.start(&[], arguments).wait()
    }

    /// Runs it to its end with variables.
    pub fn run_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Done {
        self.start(variables, arguments).wait()
    }

    /// Places calls.
    pub fn dial(&self, target: &str, more: &[&str]) -> Done {
        self.start_dial(target, more).wait()
    }

    /// Begins to place calls.
    pub fn start_dial(&self, target: &str, more: &[&str]) -> Running {
        let window = rtp_window();
        let mut arguments = vec!["dial", target, "--rtp-ports", &window];
        arguments.extend(more);
        self.start(&[], &arguments)
    }

    /// A gateway that is ready.
    pub fn serve(&self, agent: &str, more: &[&str]) -> Gateway {
        self.serve_with(&[], agent, more)
    }

    /// A gateway with variables that is ready.
    pub fn serve_with(&self, variables: &[(&str, &str)], agent: &str, more: &[&str]) -> Gateway {
        let recordings = self.path().join("calls");
        let socket = self.path().join("run/api.sock");
        let (window, place) = (rtp_window(), format!("unix:{}", socket.display()));
        let folder = recordings.display().to_string();
        let mut arguments = vec!["serve", "--agent", agent, "--rtp-ports", &window, "--recordings", &folder];
        arguments.extend(["--sip", "udp:127.0.0.1:0", "--sip", "tcp:127.0.0.1:0"]);
        if !more.contains(&"--api") {
            arguments.extend(["--api", &place]);
        }
        arguments.extend(more);
        let mut running = self.start(variables, &arguments);
        running.wait_for_word("Ctrl-C drains");
        let said = running.stderr();
        assert!(said.contains("ready"), "{said}");
        let api = said.lines().find_map(|line| line.strip_prefix("  api     ")).unwrap_or_default().to_owned();
        let (udp, tcp) = (port_after(&said, "udp:127.0.0.1:"), port_after(&said, "tcp:127.0.0.1:"));
        Gateway { running, udp, tcp, api, socket, recordings }
    }
}

/// A gateway that runs.
#[derive(Debug)]
pub struct Gateway {
    /// Its process.
    pub running: Running,
    /// Its SIP port on UDP.
    pub udp: u16,
    /// Its SIP port on TCP.
    pub tcp: u16,
    /// Where its API is, as it says itself.
    pub api: String,
    /// Where its API's socket is, unless another place was named.
    pub socket: PathBuf,
    /// Where its call folders are.
    pub recordings: PathBuf,
}

impl Gateway {
    /// Somebody to call there.
    pub fn target(&self) -> String {
        format!("sip:bob@127.0.0.1:{}", self.udp)
    }

    /// Asks its API: a request line without its version, and a body; gives the status and the document.
    pub fn ask(&self, line: &str, body: &str) -> (u16, Value) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let length = body.len();
        write!(stream, "{line} HTTP/1.1\r\nHost: v\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Waits until a call is up.
    pub fn wait_until_up(&mut self) {
        self.running.wait_for_word("state=\"up\"");
    }

    /// Asks it to end and waits for that.
    pub fn stop(self) -> Done {
        self.running.signal("TERM");
        self.running.wait()
    }
}

/// A program that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    stdout: PathBuf,
    stderr: PathBuf,
    started: Instant,
}

impl Running {
    /// What it has written to standard error.
    pub fn stderr(&self) -> String {
        text_of(&self.stderr)
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_some()
    }

    /// Waits until its standard error holds a word.
    #[track_caller]
    pub fn wait_for_word(&mut self, word: &str) {
        until(LIMIT, || text_of(&self.stderr).contains(word) || self.has_ended());
        let said = self.stderr();
        assert!(said.contains(word), "`{}` never said {word:?} but\n{said}", self.name);
    }

    /// Sends a signal: `TERM`, `INT`.
    pub fn signal(&self, name: &str) {
        let order = format!("kill -{name} {}", self.child.id());
        let done = Command::new("sh").args(["-c", &order]).status().expect("a shell");
        assert!(done.success(), "{order}");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Done {
        let ended = until(LIMIT, || self.has_ended());
        let took = self.started.elapsed();
        let (stdout, stderr) = (text_of(&self.stdout), text_of(&self.stderr));
        assert!(ended, "`{}` still runs after {LIMIT:?}\n{stdout}\n{stderr}", self.name);
        let code = self.child.wait().expect("a child that ended").code();
        Done { name: self.name.clone(), code, stdout, stderr, took }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A program that has ended.
#[derive(Debug)]
pub struct Done {
    /// Its arguments.
    pub name: String,
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its results.
    pub stdout: String,
    /// Its talk.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Done {
    /// It ended with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        let Self { name, code: found, stdout, stderr, .. } = &self;
        assert_eq!(*found, Some(code), "`{name}`\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        self
    }

    /// Its talk holds these words.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "`{}` does not say {word:?} but\n{}", self.name, self.stderr);
        }
        self
    }

    /// Its talk is one error line and one hint.
    #[track_caller]
    pub fn complains(self) -> Self {
        let lines: Vec<&str> = self.stderr.lines().collect();
        let good = matches!(&lines[..], [error, hint] if error.starts_with("error: ") && hint.starts_with("hint: "));
        assert!(good, "`{}` does not say an error and a hint but\n{}", self.name, self.stderr);
        self
    }

    /// Its result as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|problem| panic!("`{}`: {problem}\n{}", self.name, self.stdout))
    }
}

/// A call's journal.
#[derive(Debug)]
pub struct Journal {
    /// The call's folder.
    pub folder: PathBuf,
    /// Its lines.
    pub records: Vec<Value>,
}

impl Journal {
    /// The records of a kind.
    pub fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.records.iter().filter(|record| record["kind"] == kind).collect()
    }

    /// Its last line.
    #[track_caller]
    pub fn summary(&self) -> &Value {
        let last = self.records.last().expect("a journal has lines");
        assert_eq!(last["kind"], "summary", "{last}");
        last
    }
}

/// The journals in a folder of call folders, oldest first.
pub fn journals(folder: &Path) -> Vec<Journal> {
    let mut folders: Vec<PathBuf> =
        fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    folders.sort();
    folders
        .into_iter()
        .filter(|folder| folder.join("session.jsonl").is_file())
        .map(|folder| {
            let text = text_of(&folder.join("session.jsonl"));
            let records = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            Journal { folder, records }
        })
        .collect()
}

/// Waits until a folder holds so many journals that are finished.
#[track_caller]
pub fn finished_journals(folder: &Path, count: usize) -> Vec<Journal> {
    let finished = || {
        let all = journals(folder);
        all.into_iter()
            .filter(|journal| journal.records.last().is_some_and(|last| last["kind"] == "summary"))
            .collect::<Vec<_>>()
    };
    until(LIMIT, || finished().len() >= count);
    let found = finished();
    assert_eq!(found.len(), count, "finished journals in {}", folder.display());
    found
}

/// Every file under a folder.
pub fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(files_under(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

/// Looks at a condition until it holds or time is up; tells whether it holds.
pub fn until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(STEP);
    }
}

/// A range of RTP ports that no other program of this test run has.
pub fn rtp_window() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let low = FIRST_RTP_PORT + WINDOW * (NEXT.fetch_add(1, Ordering::Relaxed) % WINDOWS);
    format!("{low}-{}", low + WINDOW - 1)
}

/// Writes 16-bit samples, interleaved.
pub fn write_wav(path: &Path, sample_rate: u32, channels: u16, samples: &[i16]) {
    let spec = hound::WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).expect("a WAV can be made");
    for sample in samples {
        writer.write_sample(*sample).expect("a sample can be written");
    }
    writer.finalize().expect("a WAV can be finished");
}

/// The channels of a WAV.
#[track_caller]
pub fn read_wav(path: &Path) -> Vec<Vec<i16>> {
    let mut reader = hound::WavReader::open(path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
    let count = usize::from(reader.spec().channels);
    let mut channels = vec![Vec::new(); count];
    for (at, sample) in reader.samples::<i16>().enumerate() {
        channels[at % count].push(sample.expect("a whole WAV"));
    }
    channels
}

/// The text of a file; empty when it does not exist.
fn text_of(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The number after a word.
pub fn port_after(text: &str, word: &str) -> u16 {
    let (_, rest) = text.split_once(word).unwrap_or_else(|| panic!("no {word} in\n{text}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a port")
}
