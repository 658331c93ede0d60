//! `SIPp` as a child process: calling (UAC) or called (UAS), one call a run.

use crate::process::{Running, free_ports, own, tail, text_of, wait_for_udp};
use std::{path::Path, process::Command, time::Duration};
use tempfile::TempDir;

/// No scenario takes longer unless it says so; `SIPp` fails at this time.
const LIMIT_SECONDS: u32 = 30;

/// A run of `SIPp`. Its folder is its working directory, where media files must be.
pub struct Sipp {
    running: Option<Running>,
    command: Command,
    folder: TempDir,
    limit_seconds: u32,
    /// Its SIP port.
    pub port: u16,
    /// Its RTP port.
    pub media: u16,
}

impl Sipp {
    /// Will call a target, `address:port`.
    pub fn caller(scenario: &str, target: &str) -> Self {
        Self::new(scenario, Some(target))
    }

    /// Will wait for a call.
    pub fn called(scenario: &str) -> Self {
        Self::new(scenario, None)
    }

    fn new(scenario: &str, target: Option<&str>) -> Self {
        let folder = TempDir::with_prefix("voxgw-sipp-").expect("a temporary folder");
        // SIPp takes its media port and the one two above when it starts
        let (port, media, control) = (free_ports(2), free_ports(4), free_ports(2));
        let mut command = Command::new("sipp");
        command.arg("-sf").arg(own("sipp").join(format!("{scenario}.xml")));
        command.args(target).args(["-s", "echo", "-m", "1", "-nostdin"]);
        command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-mi", "127.0.0.1", "-mp", &media.to_string()]);
        command.args(["-ci", "127.0.0.1", "-cp", &control.to_string()]);
        command.args(["-trace_err", "-error_file", "errors.log"]);
        command.args(["-trace_msg", "-message_file", "messages.log"]);
        command.args(["-trace_logs", "-log_file", "actions.log"]);
        Self { running: None, command, folder, limit_seconds: LIMIT_SECONDS, port, media }
    }

    /// Adds flags.
    pub fn with(mut self, flags: &[&str]) -> Self {
        self.command.args(flags);
        self
    }

    /// Sets a keyword of the scenario.
    pub fn key(self, name: &str, value: &str) -> Self {
        self.with(&["-key", name, value])
    }

    /// Sets the time on the phone.
    pub fn talking_for(self, seconds: u32) -> Self {
        let milliseconds = (seconds * 1_000).to_string();
        self.with(&["-d", &milliseconds])
    }

    /// Sets the credentials for challenges.
    pub fn credentials(self, user: &str, password: &str) -> Self {
        self.with(&["-s", user, "-au", user, "-ap", password])
    }

    /// Lets messages pass that the scenario does not expect where it is.
    pub fn tolerant(self) -> Self {
        self.with(&["-default_behaviors", "all,-abortunexp"])
    }

    /// Allows a scenario to take longer.
    pub const fn lasting(mut self, seconds: u32) -> Self {
        self.limit_seconds = seconds;
        self
    }

    /// Where its media files must be.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it and does not wait.
    pub fn start(mut self) -> Self {
        self.command.args(["-timeout", &self.limit_seconds.to_string(), "-timeout_error"]);
        self.running = Some(Running::start("sipp", &mut self.command, self.folder.path()));
        self
    }

    /// Starts it and waits until it listens.
    pub fn listen(self) -> Self {
        let mut started = self.start();
        let port = started.port;
        if let Some(running) = &mut started.running {
            wait_for_udp(port, running);
        }
        started
    }

    /// Waits for the end of the one call and fails unless it went as the scenario says.
    pub fn assert_succeeds(&mut self) {
        let limit = Duration::from_secs(u64::from(self.limit_seconds) + 5);
        let status = self.running.as_mut().expect("it was started").wait(limit);
        assert!(status.success(), "sipp ended with {status}\n{}", self.report());
    }

    /// Waits for the end and fails if it went as the scenario says.
    pub fn assert_fails(&mut self) {
        let limit = Duration::from_secs(u64::from(self.limit_seconds) + 5);
        let status = self.running.as_mut().expect("it was started").wait(limit);
        assert!(!status.success(), "sipp should have failed\n{}", self.report());
    }

    /// Runs a call from start to end.
    pub fn run(self) -> Self {
        let mut started = self.start();
        started.assert_succeeds();
        started
    }

    /// The messages sent and received.
    pub fn messages(&self) -> String {
        text_of(&self.folder.path().join("messages.log"))
    }

    /// Errors, actions and messages, for a failed test.
    pub fn report(&self) -> String {
        let log = |name: &str| {
            let text = text_of(&self.folder.path().join(name));
            format!("--- sipp {name}\n{}\n", tail(&text))
        };
        let output = self.running.as_ref().map(Running::stderr).unwrap_or_default();
        [log("errors.log"), log("actions.log"), log("messages.log"), tail(&output).to_owned()].concat()
    }

    /// How often a message with this first line was received, retransmissions included.
    pub fn received(&self, first_line: &str, sequence: &str) -> usize {
        self.messages()
            .split("-----------------------------------------------")
            .filter(|part| part.contains("message received ["))
            .filter(|part| part.contains(first_line) && part.contains(&format!("CSeq: {sequence}")))
            .count()
    }
}
