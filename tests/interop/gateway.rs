//! The program under test: `voxgw serve` on free ports, `voxgw dial`, and what they leave behind.

use crate::{
    api::Api,
    audio,
    process::{self, Running, free_ports, voxgw},
};
use serde_json::Value;
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// How long the gateway may take to come up.
const START: Duration = Duration::from_secs(10);
/// How long it may take to write a call down.
const WRITTEN: Duration = Duration::from_secs(10);
/// How long it may take to drain and go.
const STOP: Duration = Duration::from_secs(15);
/// RTP ports for one gateway.
const RTP_PORTS: u16 = 20;

/// A gateway that answers.
pub struct Gateway {
    running: Running,
    folder: TempDir,
    /// Its SIP port, UDP and TCP.
    pub sip: u16,
    rtp: u16,
    agent: String,
    flags: Vec<String>,
}

impl Gateway {
    /// Starts one with an agent.
    pub fn start(agent: &str) -> Self {
        Self::start_with(agent, &[])
    }

    /// Starts one with an agent and more flags.
    pub fn start_with(agent: &str, flags: &[&str]) -> Self {
        Self::launch(agent, &[&["--no-config"], flags].concat())
    }

    /// Starts one with an agent of a config file.
    pub fn start_configured(agent: &str, config: &Path) -> Self {
        Self::launch(agent, &["--config", &config.display().to_string()])
    }

    /// Starts one with an agent and the certificates of a config file, for TLS on a port.
    pub fn start_secure(agent: &str, config: &Path, port: u16) -> Self {
        let listen = format!("tls:127.0.0.1:{port}");
        Self::launch(agent, &["--config", &config.display().to_string(), "--sip", &listen])
    }

    fn launch(agent: &str, flags: &[&str]) -> Self {
        let folder = TempDir::with_prefix("voxgw-interop-").expect("a temporary folder");
        let (sip, rtp) = (free_ports(2), free_ports(RTP_PORTS));
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let running = Self::run(&folder, sip, rtp, agent, &flags);
        Self { running, folder, sip, rtp, agent: agent.to_owned(), flags }
    }

    fn run(folder: &TempDir, sip: u16, rtp: u16, agent: &str, flags: &[String]) -> Running {
        let mut command = voxgw();
        command
            .args(["serve", "--agent", agent, "--record", "always"])
            .args(["--sip", &format!("udp:127.0.0.1:{sip}"), "--sip", &format!("tcp:127.0.0.1:{sip}")])
            .args(["--rtp-ports", &format!("{rtp}-{}", rtp + RTP_PORTS - 1)])
            .arg("--recordings")
            .arg(folder.path().join("calls"))
            .arg("--api")
            .arg(format!("unix:{}", folder.path().join("api.sock").display()))
            .args(flags);
        let mut running = Running::start("voxgw-serve", &mut command, folder.path());
        running.wait_for_word("ready", START);
        running
    }

    /// Ends it and starts it again at the same addresses.
    pub fn restart(&mut self) {
        self.stop();
        self.running = Self::run(&self.folder, self.sip, self.rtp, &self.agent, &self.flags);
    }

    /// Its local API.
    pub fn api(&self) -> Api {
        Api::at(self.folder.path().join("api.sock"))
    }

    /// Address to call.
    pub fn target(&self) -> String {
        format!("127.0.0.1:{}", self.sip)
    }

    /// Asks it to drain and waits for a clean end.
    pub fn stop(&mut self) {
        self.begin_to_stop();
        self.finish();
    }

    /// Waits for a clean end; it was asked before.
    pub fn finish(&mut self) {
        let status = self.running.wait(STOP);
        assert!(status.success(), "SIGTERM ends it with {status}\n{}", self.running.report());
    }

    /// Asks it to drain and does not wait.
    pub fn begin_to_stop(&mut self) {
        self.running.terminate();
    }

    /// Ends it without a word to anybody.
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// What it said, for a failed test.
    pub fn report(&self) -> String {
        self.running.report()
    }

    /// Folders of the calls so far.
    pub fn call_folders(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect_journals(&self.folder.path().join("calls"), &mut found);
        found.sort();
        found
    }

    /// The one call that there was, once it is written down.
    pub fn only_call(&self) -> Call {
        self.calls(1).swap_remove(0)
    }

    /// All calls that there were, once they are written down: so many.
    pub fn calls(&self, count: usize) -> Vec<Call> {
        let read = || self.call_folders().iter().map(|folder| Call::read(folder)).collect::<Vec<_>>();
        let is_done = |calls: &[Call]| calls.iter().filter(|call| call.summary().is_some()).count() >= count;
        let done = process::wait_until(WRITTEN, || is_done(&read()));
        let calls = read();
        assert!(done, "{count} calls with a summary are expected in {:?}\n{}", self.call_folders(), self.report());
        assert_eq!(calls.len(), count, "so many calls were made\n{}", self.report());
        calls
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if thread::panicking() {
            self.folder.disable_cleanup(true);
            eprintln!("kept for a look: {}\n{}", self.folder.path().display(), self.report());
        }
    }
}

/// A config file for a gateway.
pub struct Settings {
    folder: TempDir,
}

impl Settings {
    /// With this text, where `@DIR@` is the folder that it is in.
    pub fn new(text: &str) -> Self {
        let folder = TempDir::with_prefix("voxgw-settings-").expect("a temporary folder");
        let text = text.replace("@DIR@", &folder.path().display().to_string());
        fs::write(folder.path().join("voxgw.toml"), text).expect("the config can be written");
        Self { folder }
    }

    /// A user who may register with the password "rabbit-hole", bindings kept in the same folder, and more text. Only
    /// its MD5 is known, so only MD5 is asked for: `SIPp` and baresip 1.0 give up where SHA-256 is offered too.
    pub fn of_alice(more: &str) -> Self {
        Self::new(&format!(
            "registrar.file = '@DIR@/bindings.json'
{more}
[users.alice]
ha1 = '22dabf2631ac4fe2d4f25351b522b995'
"
        ))
    }

    /// An agent called `slow` that never comes up: its provider takes the connection and says no word. A call to it
    /// rings for `patience`.
    pub fn of_slow_agent(provider: &TcpListener, patience: &str) -> Self {
        let endpoint = provider.local_addr().expect("its address");
        let this = Self::new(&format!(
            "call.patience = '{patience}'\n[agents.slow]\nkind = 'gemini'\nendpoint = 'ws://{endpoint}'\nkey_file = '@DIR@/key'\n"
        ));
        fs::write(this.folder.path().join("key"), "a-key-that-nobody-reads").expect("the key can be written");
        this
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("voxgw.toml")
    }
}

/// Finds the folders with a journal.
fn collect_journals(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect_journals(&path, found);
        } else if path.file_name().is_some_and(|name| name == "session.jsonl") {
            found.push(folder.to_owned());
        }
    }
}

/// A call as the gateway wrote it down.
pub struct Call {
    /// Where.
    pub folder: PathBuf,
    /// The journal.
    pub records: Vec<Value>,
}

impl Call {
    /// Reads a call folder. A last line that is still being written is left out.
    fn read(folder: &Path) -> Self {
        let text = process::text_of(&folder.join("session.jsonl"));
        let records = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Self { folder: folder.to_owned(), records }
    }

    /// Records of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.records.iter().filter(move |record| record["kind"] == kind)
    }

    /// The first line: who called whom.
    pub fn header(&self) -> &Value {
        self.of_kind("session").next().expect("a journal begins with it")
    }

    /// The last line, once there is one.
    pub fn summary(&self) -> Option<&Value> {
        self.of_kind("summary").last()
    }

    /// The words of its notes, one a line.
    pub fn notes(&self) -> String {
        self.of_kind("note").filter_map(|note| note["text"].as_str()).collect::<Vec<_>>().join("\n")
    }

    /// The call's states in their order.
    pub fn states(&self) -> Vec<&str> {
        self.of_kind("state").filter_map(|record| record["state"].as_str()).collect()
    }

    /// Both channels of `call.wav`: caller, agent.
    pub fn voices(&self) -> (Vec<f32>, Vec<f32>) {
        two_channels(&self.folder.join("call.wav"))
    }

    /// Rate and both channels of `call.wav`.
    pub fn wideband_voices(&self) -> (u32, Vec<Vec<f32>>) {
        audio::read_wav_at(&self.folder.join("call.wav"))
    }

    /// Fails unless the journal tells of a call that was answered, with that codec, and ended by the caller.
    pub fn assert_ended_well(&self, codec: &str) {
        let summary = self.summary().expect("a call that is over has a summary");
        assert_eq!(summary["status"], 200, "{summary}");
        assert_eq!(summary["sip"], "pass", "{summary}");
        assert_eq!(summary["ended_by"], "caller", "{summary}");
        let used = summary["codec"].as_str().unwrap_or_default();
        assert!(used.eq_ignore_ascii_case(codec), "{codec} was agreed on: {summary}");
        assert_eq!(self.states().last(), Some(&"ended"), "{:?}", self.states());
    }
}

/// Reads a stereo file.
pub fn two_channels(path: &Path) -> (Vec<f32>, Vec<f32>) {
    let channels = audio::read_wav(path);
    let [left, right]: [Vec<f32>; 2] =
        channels.try_into().unwrap_or_else(|_| panic!("{} is not stereo", path.display()));
    (left, right)
}

/// `voxgw dial` placing one call.
pub struct Dial {
    running: Running,
    folder: TempDir,
}

impl Dial {
    /// Calls a port with something to say. The user is the only one whom our baresip knows; `SIPp` takes any.
    pub fn start(port: u16, said: &[f32], flags: &[&str]) -> Self {
        Self::launch(&format!("sip:baresip@127.0.0.1:{port}"), said, &[&["--no-config"], flags].concat())
    }

    /// The same over TLS, with the certificates of a config file.
    pub fn start_secure(port: u16, said: &[f32], config: &Path, flags: &[&str]) -> Self {
        let config = config.display().to_string();
        let target = format!("sip:baresip@127.0.0.1:{port};transport=tls");
        Self::launch(&target, said, &[&["--config", &config], flags].concat())
    }

    /// Calls a whole address, with a config file.
    pub fn start_named(target: &str, said: &[f32], config: &Path, flags: &[&str]) -> Self {
        Self::launch(target, said, &[&["--config", &config.display().to_string()], flags].concat())
    }

    /// Calls a port with sound at another rate.
    pub fn start_at(port: u16, rate: u32, said: &[f32], flags: &[&str]) -> Self {
        Self::launch_at(&format!("sip:baresip@127.0.0.1:{port}"), rate, said, &[&["--no-config"], flags].concat())
    }

    fn launch(target: &str, said: &[f32], flags: &[&str]) -> Self {
        Self::launch_at(target, audio::RATE, said, flags)
    }

    fn launch_at(target: &str, rate: u32, said: &[f32], flags: &[&str]) -> Self {
        let folder = TempDir::with_prefix("voxgw-dial-").expect("a temporary folder");
        audio::write_wav(&folder.path().join("said.wav"), rate, said);
        let mut command = voxgw();
        command.args(["dial", target]).args(["--play", "said.wav", "--record", "out.wav", "-o", "json"]).args(flags);
        let running = Running::start("voxgw-dial", &mut command, folder.path());
        Self { running, folder }
    }

    /// Waits for its end and checks the exit code.
    pub fn assert_ends_with(&mut self, code: i32, limit: Duration) {
        let status = self.running.wait(limit);
        assert_eq!(status.code(), Some(code), "dial ended with {status}\n{}", self.running.report());
    }

    /// The JSON document on standard output.
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.running.stdout())
            .unwrap_or_else(|problem| panic!("dial's output is no JSON: {problem}\n{}", self.running.report()))
    }

    /// Rate and both channels of its recording.
    pub fn wideband_voices(&self) -> (u32, Vec<Vec<f32>>) {
        audio::read_wav_at(&self.folder.path().join("out.wav"))
    }

    /// Both channels of its recording: what it said, what it heard.
    pub fn voices(&self) -> (Vec<f32>, Vec<f32>) {
        two_channels(&self.folder.path().join("out.wav"))
    }

    /// Its call as it was written down with `--journal kept`.
    pub fn call(&self) -> Call {
        let mut found = Vec::new();
        collect_journals(&self.folder.path().join("kept"), &mut found);
        assert_eq!(found.len(), 1, "one call was kept");
        Call::read(&found[0])
    }

    /// What it said, for a failed test.
    pub fn report(&self) -> String {
        self.running.report()
    }
}
