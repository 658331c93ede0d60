//! The softphone in a real browser, and aiortc over WHIP: programs with ICE, DTLS, SRTP and jitter buffers of their own.
//!
//! Both ignore loopback, so they run in one network namespace and the gateway in another, with a cable between them.

use crate::{
    audio::{self, assert_tone, padded, tone},
    process::{Running, own, text_of, voxgw, wait_until},
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::net::UnixStream;

/// A tone of which lost packets cannot hide in whole periods.
const TONE: f64 = 1_013.0;
/// The gateway's end of the cable, and the browser's.
const GATEWAY: &str = "10.99.0.1";
const BROWSER: &str = "10.99.0.2";
/// How long anything may take to come about.
const LIMIT: Duration = Duration::from_secs(30);

/// Two namespaces and the cable; gone when this is.
struct Cable {
    names: [String; 2],
}

impl Cable {
    fn new() -> Self {
        let id = std::process::id();
        let names = [format!("voxgw-gw-{id}"), format!("voxgw-br-{id}")];
        let ends = [format!("vg{id}"), format!("vb{id}")];
        let this = Self { names: names.clone() };
        for name in &names {
            ip(&["netns", "add", name]);
        }
        ip(&["link", "add", &ends[0], "netns", &names[0], "type", "veth", "peer", "name", &ends[1], "netns", &names[1]]);
        for ((name, end), address) in names.iter().zip(&ends).zip([GATEWAY, BROWSER]) {
            ip(&["-n", name, "addr", "add", &format!("{address}/24"), "dev", end]);
            ip(&["-n", name, "link", "set", end, "up"]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        this
    }

    /// A command that runs at the gateway's end (0) or the browser's (1).
    fn at(&self, end: usize, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[end]]).arg(program);
        command
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().expect("ip of iproute2; scripts/interop installs it");
    assert!(status.success(), "ip {arguments:?}: network namespaces need root");
}

/// A gateway at its end of the cable.
struct Gateway {
    running: Running,
    folder: TempDir,
}

impl Gateway {
    fn start(cable: &Cable, agent: &str) -> Self {
        let folder = TempDir::with_prefix("voxgw-browser-").expect("a temporary folder");
        fs::write(folder.path().join("voxgw.toml"), "web.join = 'anybody'\nregistrar.file = ''\n").expect("a config");
        let binary = PathBuf::from(voxgw().get_program());
        let mut command = cable.at(0, &binary);
        command.args(["serve", "--config", "voxgw.toml", "--agent", agent, "--record", "always"]);
        command.args(["--recordings", "calls", "--api", "off", "--rtp-ports", "20000-20100"]);
        command.args(["--sip", &format!("udp:{GATEWAY}:5060"), "--web", &format!("{GATEWAY}:8088")]);
        let mut running = Running::start("voxgw-serve", &mut command, folder.path());
        running.wait_for_word("ready", LIMIT);
        Self { running, folder }
    }

    /// The journal of its only call, once that is over, and the caller's and the agent's sound.
    fn only_call(&self) -> (Vec<Value>, Vec<f32>, Vec<f32>) {
        let calls = self.folder.path().join("calls");
        let folder = || fs::read_dir(&calls).ok()?.flatten().next().map(|entry| entry.path());
        let journal = || -> Vec<Value> {
            let text = folder().map(|folder| text_of(&folder.join("session.jsonl"))).unwrap_or_default();
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
        };
        let over = wait_until(LIMIT, || journal().last().is_some_and(|line| line["kind"] == "summary"));
        assert!(over, "no summary\n{}", self.running.report());
        std::thread::sleep(Duration::from_millis(200));
        let (caller, agent) = crate::gateway::two_channels(&folder().expect("a call").join("call.wav"));
        (journal(), caller, agent)
    }
}

/// Chromium without a screen, its microphone a file, driven by its `DevTools` protocol over a port of its namespace.
struct Chromium {
    running: Running,
    folder: TempDir,
}

impl Chromium {
    /// Opens `url`; its microphone says `said` (8 kHz) once.
    fn open(cable: &Cable, url: &str, said: &[f32]) -> Self {
        let folder = TempDir::with_prefix("voxgw-chromium-").expect("a temporary folder");
        let microphone = folder.path().join("said.wav");
        audio::write_wav(&microphone, said);
        let mut command = cable.at(1, Path::new("chromium"));
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"])
            .args(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"])
            .arg(format!("--use-file-for-fake-audio-capture={}%noloop", microphone.display()))
            .arg("--autoplay-policy=no-user-gesture-required")
            .arg(format!("--unsafely-treat-insecure-origin-as-secure=http://{GATEWAY}:8088"))
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .args(["--remote-debugging-port=9222", "--window-size=1200,760", url]);
        let running = Running::start("chromium", &mut command, folder.path());
        Self { running, folder }
    }
}
