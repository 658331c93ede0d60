//! Tools that the agent has called and that have not answered yet: which may run, how long they take, who still waits.
//!
//! Pure: [`super::pipeline`] asks it, the driver runs what is to run. Does not know what tools do.

use super::journal::{ToolChange, ToolState, rounded};
use crate::{
    agent::{
        event::ToolCall,
        wire::tool::{Arguments, Tool, text},
    },
    clock::Instant,
    redact::Pii,
};
use serde_json::Value;
use std::sync::Arc;

/// Tools that run at once; a model that calls more has lost its way.
const RUNNING_MAX: usize = 8;
/// How much of a result the journal keeps.
const KEPT_MAX: usize = 2_048;

/// What came of a tool.
pub type Answer = Result<Value, String>;

/// A tool that is to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The agent's name for this call of it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What it is given.
    pub arguments: Arguments,
}

/// A tool that has answered: what the agent is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// The agent's name for this call of it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its result.
    pub result: Option<Answer>,
}

/// The tools of one call.
#[derive(Debug, Default)]
pub struct Tools {
    offered: Arc<[Tool]>,
    running: Vec<(String, String, Instant)>,
    /// Actions that calls of tools have become: number, the agent's name for the call, the tool.
    actions: Vec<(u32, String, String)>,
    acted: u32,
}

impl Tools {
    /// The agent may call these.
    #[must_use]
    pub fn new(offered: Arc<[Tool]>) -> Self {
        Self { offered, ..Self::default() }
    }

    /// The agent calls one: it is to run, or the agent is told at once why it does not.
    pub fn call(&mut self, now: Instant, call: ToolCall) -> (ToolChange, Result<Run, Done>) {
        let ToolCall { id, name, arguments } = call;
        let tool = self.offered.iter().find(|tool| tool.name == name);
        let mut change = changed(&id, &name, ToolState::Called);
        let run = match tool {
            None => Err(format!("there is no tool called {name}")),
            Some(_) if self.running.iter().any(|(running, ..)| *running == id) => {
                Err("this call is being worked on already".to_owned())
            }
            Some(_) if self.running.len() >= RUNNING_MAX => {
                Err(format!("{RUNNING_MAX} tools are at work already; wait for their results"))
            }
            Some(tool) => tool.arguments(&arguments).inspect(|arguments| {
                change.arguments = Pii(kept(&tool.redacted(arguments)));
            }),
        };
        match run {
            Ok(arguments) => {
                self.running.push((id.clone(), name.clone(), now));
                (change, Ok(Run { id, name, arguments }))
            }
            Err(problem) => {
                change.state = ToolState::Failed;
                change.result = Pii(problem.clone());
                (change, Err(Done { id, name, result: Some(Err(problem)) }))
            }
        }
    }

    /// One has answered; nothing if nobody waits for it any more.
    pub fn done(&mut self, now: Instant, id: &str, answer: Answer) -> Option<(ToolChange, Done)> {
        let (id, name, since) = self.take(id)?;
        let (state, text) = match &answer {
            Ok(value) => (ToolState::Answered, text(value)),
            Err(problem) => (ToolState::Failed, problem.clone()),
        };
        let change = ToolChange {
            result: Pii(kept(&text)),
            took_ms: Some(rounded(now.since(since).as_secs_f64() * 1_000.0)),
            ..changed(&id, &name, state)
        };
        Some((change, Done { id, name, result: Some(answer) }))
    }

    /// Whether the agent waits for one.
    #[must_use]
    pub fn are_at_work(&self) -> bool {
        !self.running.is_empty()
    }

    /// A tool of the gateway's own: the number of the action that it becomes.
    pub fn act(&mut self, run: &Run) -> u32 {
        self.acted += 1;
        self.actions.push((self.acted, run.id.clone(), run.name.clone()));
        self.acted
    }

    /// The call of a tool that has become the action of this number, which goes on if its outcome is not `last`.
    pub fn of_action(&mut self, number: u32, last: bool) -> Option<(String, String)> {
        let at = self.actions.iter().position(|(known, ..)| *known == number)?;
        let (_, id, name) = if last { self.actions.remove(at) } else { self.actions[at].clone() };
        Some((id, name))
    }

    /// The agent does not want to know any more.
    pub fn cancel(&mut self, now: Instant, id: &str) -> Option<ToolChange> {
        let (id, name, since) = self.take(id)?;
        let took_ms = Some(rounded(now.since(since).as_secs_f64() * 1_000.0));
        Some(ToolChange { took_ms, ..changed(&id, &name, ToolState::Cancelled) })
    }

    fn take(&mut self, id: &str) -> Option<(String, String, Instant)> {
        let at = self.running.iter().position(|(running, ..)| running == id)?;
        Some(self.running.remove(at))
    }
}

fn changed(id: &str, name: &str, state: ToolState) -> ToolChange {
    ToolChange {
        id: kept(id),
        name: kept(name),
        state,
        arguments: Pii::default(),
        result: Pii::default(),
        took_ms: None,
    }
}

fn kept(text: &str) -> String {
    let mut text = text.to_owned();
    if text.len() > KEPT_MAX {
        text.truncate(text.floor_char_boundary(KEPT_MAX));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools() -> Tools {
        let tool = |name: &str| Tool { name: name.into(), description: String::new(), parameters: None };
        Tools::new([tool("weather"), tool("time")].into())
    }

    fn call(id: &str, name: &str) -> ToolCall {
        ToolCall { id: id.into(), name: name.into(), arguments: "{}".into() }
    }

    #[test]
    fn a_tool_runs_once_and_its_time_is_told() {
        let mut tools = tools();
        let (change, run) = tools.call(Instant::from_millis(100), call("1", "weather"));
        assert_eq!((change.state, change.arguments.0.as_str()), (ToolState::Called, "{}"));
        assert_eq!(run.unwrap().name, "weather");
        let (change, run) = tools.call(Instant::from_millis(110), call("1", "weather"));
        assert_eq!((change.state, run.is_err()), (ToolState::Failed, true), "the same call again");
        let (change, done) = tools.done(Instant::from_millis(350), "1", Ok(Value::from("sunny"))).unwrap();
        assert_eq!(
            (change.state, change.took_ms, change.result.0.as_str()),
            (ToolState::Answered, Some(250.0), "sunny")
        );
        assert_eq!(done.result, Some(Ok(Value::from("sunny"))));
        assert!(tools.done(Instant::from_millis(400), "1", Ok(Value::Null)).is_none(), "only once");
    }

    #[test]
    fn what_may_not_run_is_answered_at_once() {
        let mut tools = tools();
        let (change, run) = tools.call(Instant::ZERO, call("1", "wether"));
        assert!(change.result.0.contains("no tool called wether") && run.is_err());
        for n in 0..RUNNING_MAX {
            assert!(tools.call(Instant::ZERO, call(&format!("c{n}"), "time")).1.is_ok());
        }
        assert!(tools.call(Instant::ZERO, call("more", "time")).0.result.0.contains("at work already"));
    }

    #[test]
    fn results_that_nobody_waits_for_are_dropped() {
        let mut tools = tools();
        tools.call(Instant::ZERO, call("1", "time")).1.unwrap();
        assert_eq!(tools.cancel(Instant::from_millis(30), "1").map(|change| change.took_ms), Some(Some(30.0)));
        assert_eq!(tools.cancel(Instant::from_millis(30), "1"), None);
        assert!(tools.done(Instant::from_millis(40), "1", Err("late".into())).is_none());
    }

    #[test]
    fn the_journal_keeps_the_beginning_of_long_results() {
        let mut tools = tools();
        tools.call(Instant::ZERO, call("1", "time")).1.unwrap();
        let long = Value::from("ä".repeat(5_000));
        let (change, done) = tools.done(Instant::ZERO, "1", Ok(long.clone())).unwrap();
        assert!(change.result.0.len() <= KEPT_MAX + 4);
        assert_eq!(done.result, Some(Ok(long)), "the agent gets all of it");
    }
}
