//! Stages that are programs: one process for each request, its standard input and output as body and answer.
//!
//! Owns the lives of the processes. Each is the head of a group of its own, and the group is killed when nobody waits for
//! its answer any more: a barge-in, a timeout, the end of the call. None inherits what looks like a key, or the urgency of
//! a media thread. Called by the driver of the stages; what is said to whom is [`Talk`](crate::agent::stages::talk::Talk)'s.

use super::Part;
use crate::{
    agent::{
        seat::{Program, StagePlan, StagedPlan},
        stages::{Ask, Problem, Settings, Stage},
    },
    gateway::priority,
    redact::printable,
};
use bytes::Bytes;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{process::Stdio, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    sync::mpsc,
    task::JoinHandle,
};

/// After its last word a program may take so long to end.
const END_WITHIN: Duration = Duration::from_secs(1);
/// What of its errors is kept, and what of them is told.
const ERRORS_MAX: usize = 8 << 10;
const TOLD_MAX: usize = 200;
/// Variables whose names hold one of these are not a program's business.
const SECRETS: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIALS", "VOXGW"];

/// A program with its arguments, or why it cannot be started.
type Startable = Result<(Program, Vec<String>), Problem>;

/// The programs of one call.
#[derive(Debug)]
pub(super) struct Programs {
    /// How each stage that is one is started, or why it cannot be.
    commands: [Option<Startable>; 3],
    /// Those that wait for their request.
    ahead: [Option<JoinHandle<Result<Process, Problem>>>; 3],
}

impl Programs {
    /// The programs of `plan` with what `settings` fill in; those that are to be started ahead are.
    pub(super) fn new(plan: &StagedPlan, settings: &Settings) -> Self {
        let command = |stage: Stage| {
            let StagePlan::Program(program) = &plan.stages[stage as usize] else { return None };
            let arguments = program.arguments(stage, settings);
            let failed = |text| Problem { text, passing: false };
            Some(arguments.map(|arguments| (program.clone(), arguments)).map_err(failed))
        };
        let mut programs = Self { commands: Stage::ALL.map(command), ahead: [const { None }; 3] };
        for stage in Stage::ALL {
            programs.prepare(stage);
        }
        programs
    }

    /// The process that answers `ask`, which may be starting still; none if the stage is no program.
    pub(super) fn start(&mut self, stage: Stage) -> Option<JoinHandle<Result<Process, Problem>>> {
        let command = self.commands[stage as usize].as_ref()?;
        let started = self.ahead[stage as usize].take().unwrap_or_else(|| spawn(command.clone()));
        self.prepare(stage);
        Some(started)
    }

    fn prepare(&mut self, stage: Stage) {
        if let Some(command @ Ok((program, _))) = &self.commands[stage as usize]
            && program.ahead
        {
            self.ahead[stage as usize] = Some(spawn(command.clone()));
        }
    }
}

/// On a thread of its own: starting a process may take milliseconds, which packets do not have.
fn spawn(command: Startable) -> JoinHandle<Result<Process, Problem>> {
    tokio::task::spawn_blocking(move || {
        let (program, arguments) = command?;
        // The child inherits both policy and niceness of whoever starts it.
        priority::lower();
        let mut command = Command::new(&program.name);
        command.args(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            let shown = name.to_string_lossy().to_ascii_uppercase();
            if SECRETS.iter().any(|secret| shown.contains(secret)) {
                command.env_remove(&name);
            }
        }
        let started = command.process_group(0).kill_on_drop(true).spawn();
        let name = program.short().to_owned();
        started.map(|child| Process { child, name: name.clone() }).map_err(|problem| Problem {
            text: format!("{name} could not be started: {problem}"),
            // Not there, or not for us: it will not be there in a moment either.
            passing: !matches!(problem.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied),
        })
    })
}

/// A program that runs; with it its whole group ends.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    name: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        // No number: it has ended and was waited for, so the number may be another's by now.
        if let Some(group) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

/// One request, and its answer piece by piece.
pub(super) async fn carry(starting: JoinHandle<Result<Process, Problem>>, ask: Ask, to: mpsc::Sender<(u32, Part)>) {
    let id = ask.id;
    let outcome = match starting.await {
        Ok(Ok(mut process)) => process.answer(ask, &to).await,
        Ok(Err(problem)) => Err(problem),
        Err(problem) => Err(Problem { text: problem.to_string(), passing: true }),
    };
    let part = match outcome {
        Ok(()) => Part::End,
        Err(problem) => Part::Failed(problem),
    };
    let _ = to.send((id, part)).await;
}

impl Process {
    async fn answer(&mut self, ask: Ask, to: &mpsc::Sender<(u32, Part)>) -> Result<(), Problem> {
        let taken = (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take());
        let (Some(mut input), Some(mut output), Some(mut errors)) = taken else {
            return Err(self.problem("has no pipes"));
        };
        let write = async {
            // Who has heard enough closes its input: what counts is its answer.
            let _ = input.write_all(&ask.body).await;
            drop(input);
        };
        let read = async {
            let mut piece = vec![0; 8 << 10];
            loop {
                match output.read(&mut piece).await {
                    Ok(0) => return Ok(()),
                    Ok(length) => {
                        let bytes = Bytes::copy_from_slice(&piece[..length]);
                        if to.send((ask.id, Part::Piece(bytes))).await.is_err() {
                            return Ok(());
                        }
                    }
                    Err(problem) => return Err(problem),
                }
            }
        };
        let complain = async {
            let mut said = Vec::new();
            let mut piece = vec![0; 1 << 10];
            while let Ok(length @ 1..) = errors.read(&mut piece).await {
                said.extend_from_slice(&piece[..length]);
                let surplus = said.len().saturating_sub(ERRORS_MAX);
                said.drain(..surplus);
            }
            said
        };
        // Whoever it has started may hold its error output open for ever.
        let whole = async { tokio::join!(write, read).1 };
        tokio::pin!(whole, complain);
        let mut said = None;
        let heard = loop {
            tokio::select! {
                heard = &mut whole => break heard,
                errors = &mut complain, if said.is_none() => said = Some(errors),
            }
        };
        if let Err(problem) = heard {
            return Err(self.problem(&format!("could not be read: {problem}")));
        }
        let ended = tokio::time::timeout(END_WITHIN, self.child.wait()).await;
        let said = match said {
            Some(said) => said,
            None => tokio::time::timeout(Duration::from_millis(100), complain).await.unwrap_or_default(),
        };
        match ended {
            // It has closed its output: the answer is whole, and its end comes with us.
            Err(_) => Ok(()),
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                let said = String::from_utf8_lossy(&said);
                let last = said.trim_end().lines().last().unwrap_or_default();
                let last: String = printable(last).to_string().chars().take(TOLD_MAX).collect();
                let last = if last.is_empty() { String::new() } else { format!(": {last}") };
                Err(self.problem(&format!("ended with {status}{last}")))
            }
            Ok(Err(problem)) => Err(self.problem(&problem.to_string())),
        }
    }

    fn problem(&self, what: &str) -> Problem {
        Problem { text: format!("{} {what}", self.name), passing: true }
    }
}

#[cfg(test)]
mod tests;
