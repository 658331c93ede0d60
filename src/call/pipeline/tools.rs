//! The agent's tools within the path: what it calls goes out as [`super::Output::Tool`], what comes of it goes back.

use super::{AgentEvent, Body, CallInput, Out, Pipeline, Seat};
use crate::{
    agent::{
        event::{Command, Outcome, ToolCall},
        wire::builtin,
    },
    call::{
        journal::ToolChange,
        tools::{Answer, Done},
    },
    clock::Instant,
    redact::Pii,
};

impl Pipeline {
    pub(super) fn tool_called(&mut self, now: Instant, call: ToolCall) {
        let (change, run) = self.tools.call(now, call);
        self.record_tool(now, change);
        self.call.tool_called();
        self.call.set_tools_at_work(now, self.tools.are_at_work());
        // A recorded agent has had its answers.
        if !matches!(self.seat, Seat::Remote) {
            return;
        }
        match run {
            Ok(run) => match builtin::by_name(&run.name) {
                Some(row) => {
                    let action = row.action(&run.arguments);
                    let id = self.tools.act(&run);
                    self.call.handle(now, CallInput::Agent(AgentEvent::Act { id, action }));
                }
                None => self.push(Out::Tool(run)),
            },
            Err(done) => self.push(Out::ToolDone(done)),
        }
    }

    pub(super) fn tools_cancelled(&mut self, now: Instant, ids: Vec<String>) {
        for id in ids {
            if let Some(change) = self.tools.cancel(now, &id) {
                self.record_tool(now, change);
                self.push(Out::CancelTool(id));
            }
        }
        self.call.set_tools_at_work(now, self.tools.are_at_work());
    }

    pub(super) fn tool_done(&mut self, now: Instant, id: &str, answer: Answer) {
        if let Some((change, done)) = self.tools.done(now, id, answer) {
            self.record_tool(now, change);
            self.call.tool_answered(now);
            self.push(Out::ToolDone(done));
        }
        self.call.set_tools_at_work(now, self.tools.are_at_work());
    }

    /// What became of an action: the result of a tool, if it was one.
    pub(super) fn tool_acted(&mut self, now: Instant, number: u32, outcome: &Outcome) -> bool {
        let Some((id, name)) = self.tools.of_action(number, outcome.is_final()) else { return false };
        let answer = match outcome {
            Outcome::Done(words) if words.is_empty() => Ok("done".into()),
            Outcome::Done(words) | Outcome::Begun(words) => Ok(words.as_str().into()),
            Outcome::Refused(why) => Err(why.clone()),
        };
        match self.tools.done(now, &id, answer.clone()) {
            Some((change, done)) => {
                self.record_tool(now, change);
                // A model that is told that the call ends would begin to speak again.
                if name != "hang_up" || answer.is_err() {
                    self.push(Out::ToolDone(done));
                }
            }
            // It was told that the action had begun; that it failed after all it hears as well.
            None if answer.is_err() => self.push(Out::ToolDone(Done { id, name, result: Some(answer) })),
            None => {}
        }
        self.call.set_tools_at_work(now, self.tools.are_at_work());
        true
    }

    pub(super) fn record_tool(&mut self, now: Instant, mut change: ToolChange) {
        if self.recording.is_paused() {
            (change.arguments, change.result) = (Pii::default(), Pii::default());
        }
        self.record(now, Body::Tool(change));
    }

    /// What the agent is told of the tool that is done.
    pub(super) fn tool_result(&self) -> Command<'_> {
        let done = &self.current_tool;
        let result = match &done.result {
            Some(Ok(value)) => Ok(value),
            Some(Err(problem)) => Err(problem.as_str()),
            None => Err("no result"),
        };
        Command::ToolResult { id: &done.id, name: &done.name, result }
    }
}
