//! Programs as child processes: bounded in time, their output kept, none left behind.

use std::{
    collections::HashSet,
    env, fs,
    fs::File,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(20);
/// How much of a log a failure shows.
const SHOWN: usize = 8_000;
/// First port that tests use; below the range from which the system picks by itself.
const FIRST_PORT: u16 = 12_000;
/// Where the search for ports ends.
const LAST_PORT: u16 = 31_000;

/// A program that runs, with its output in files.
pub struct Running {
    child: Child,
    name: String,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    /// Starts a program in a folder, where its output goes too.
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Self {
        let stdout = folder.join(format!("{name}.stdout"));
        let stderr = folder.join(format!("{name}.stderr"));
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).expect("a file for the output"))
            .stderr(File::create(&stderr).expect("a file for the errors"))
            .spawn()
            .unwrap_or_else(|problem| panic!("{name} does not start: {problem}; scripts/interop installs it"));
        Self { child, name: name.to_owned(), stdout, stderr }
    }

    /// What it wrote to standard output.
    pub fn stdout(&self) -> String {
        text_of(&self.stdout)
    }

    /// What it wrote to standard error.
    pub fn stderr(&self) -> String {
        text_of(&self.stderr)
    }

    /// Both outputs, for a failed test.
    pub fn report(&self) -> String {
        format!(
            "--- {} stdout\n{}\n--- {} stderr\n{}\n",
            self.name,
            tail(&self.stdout()),
            self.name,
            tail(&self.stderr())
        )
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_some()
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let ended = wait_until(limit, || self.child.try_wait().expect("a child can be asked").is_some());
        assert!(ended, "{} still runs after {limit:?}\n{}", self.name, self.report());
        self.child.wait().expect("a child that ended")
    }

    /// Waits until its standard error holds a word.
    pub fn wait_for_word(&mut self, word: &str, limit: Duration) {
        let found = wait_until(limit, || self.stderr().contains(word) || self.has_ended());
        assert!(found && self.stderr().contains(word), "{} never said {word:?}\n{}", self.name, self.report());
    }

    /// Asks it to end.
    pub fn terminate(&mut self) {
        if !self.has_ended() {
            let id = self.child.id().to_string();
            let _ = Command::new("kill").args(["-TERM", &id]).status();
        }
    }
}

impl Running {
    /// Ends it at once, without a word.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.terminate();
        if !wait_until(Duration::from_secs(5), || matches!(self.child.try_wait(), Ok(Some(_)))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Looks at a condition until it holds or time is up; tells whether it holds.
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
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

/// The text of a file; empty when it does not exist.
pub fn text_of(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The last part of a long text.
pub fn tail(text: &str) -> &str {
    let mut start = text.len().saturating_sub(SHOWN);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

/// The first of `count` neighbouring ports that are free for UDP and TCP; always even.
pub fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(FIRST_PORT);
    let step = count.next_multiple_of(2);
    loop {
        let first = NEXT.fetch_add(step, Ordering::Relaxed);
        assert!(first < LAST_PORT, "no free ports on 127.0.0.1");
        if (first..first + count).all(is_free) {
            return first;
        }
    }
}

/// Whether nobody holds a port.
fn is_free(port: u16) -> bool {
    UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Waits until a program has taken its UDP port.
pub fn wait_for_udp(port: u16, running: &mut Running) {
    let taken = wait_until(Duration::from_secs(5), || UdpSocket::bind(("127.0.0.1", port)).is_err());
    assert!(taken && !running.has_ended(), "{} does not listen on {port}\n{}", running.name, running.report());
}

/// A line between a telephone and a port: the first copy of each message is lost, every later one comes twice.
pub struct BadLine {
    near: u16,
}

impl BadLine {
    /// To a port, for as long as the test runs.
    pub fn towards(port: u16) -> Self {
        let outside = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let near = outside.local_addr().expect("its address").port();
        let inside = UdpSocket::bind("127.0.0.1:0").expect("a port");
        inside.connect(("127.0.0.1", port)).expect("loopback");
        let (answers, back) = (inside.try_clone().expect("a socket"), outside.try_clone().expect("a socket"));
        let telephone = Arc::new(Mutex::new(None));
        let known = Arc::clone(&telephone);
        thread::spawn(move || {
            let (mut seen, mut buffer) = (HashSet::new(), [0; 8_192]);
            while let Ok((length, source)) = outside.recv_from(&mut buffer) {
                *known.lock().expect("nobody panics") = Some(source);
                if !seen.insert(buffer[..length].to_vec()) {
                    let _ = (inside.send(&buffer[..length]), inside.send(&buffer[..length]));
                }
            }
        });
        thread::spawn(move || {
            let (mut seen, mut buffer) = (HashSet::new(), [0; 8_192]);
            while let Ok(length) = answers.recv(&mut buffer) {
                let target = *telephone.lock().expect("nobody panics");
                if let Some(target) = target.filter(|_| !seen.insert(buffer[..length].to_vec())) {
                    let _ = (back.send_to(&buffer[..length], target), back.send_to(&buffer[..length], target));
                }
            }
        });
        Self { near }
    }

    /// Address to call.
    pub fn target(&self) -> String {
        format!("127.0.0.1:{}", self.near)
    }
}

/// The program under test.
pub fn voxgw() -> Command {
    let binary = env::var_os("VOXGW_BIN").map_or_else(|| env!("CARGO_BIN_EXE_voxgw").into(), PathBuf::from);
    // the tests run it in other folders
    Command::new(fs::canonicalize(&binary).unwrap_or(binary))
}

/// A file of the kit of public recordings, if the kit is there; says so if not.
pub fn kit(path: &str) -> Option<PathBuf> {
    let folder = env::var_os("VOXGW_KIT")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/kit"), PathBuf::from);
    let file = folder.join(path);
    if file.exists() {
        return Some(file);
    }
    eprintln!("skipped: {} is not there; set VOXGW_KIT", file.display());
    None
}

/// A file beside these tests.
pub fn own(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(path)
}
