//! What an agent asks of the gateway: whether the call is in a state for it, and its traces in the journal.
//!
//! Judges and writes down; what takes signalling or media is [`Effect::Act`], whose outcome comes back as
//! [`super::Input::Acted`].

use super::{
    BargeIn, Call, Effect,
    journal::{ActionChange, ActionState, AgentChange, AgentState, Body, Level, Note},
    turn::Owner,
};
use crate::{
    agent::event::{Action, Outcome},
    clock::Instant,
    redact::Pii,
};

/// Actions that may be under way at once.
const WAITING_MAX: usize = 8;
/// Actions of one call: an agent that has gone mad is stopped here.
const ALL_MAX: u32 = 500;

/// Actions of one call.
#[derive(Debug, Default)]
pub(super) struct Acting {
    /// The agent's numbers of those without an outcome, and their names.
    pub(super) waiting: Vec<(u32, &'static str)>,
    asked: u32,
}

impl Call {
    pub(super) fn act(&mut self, now: Instant, id: u32, action: Action) {
        if self.acting.asked > ALL_MAX {
            // Said once; what comes after that is not even written down.
            return;
        }
        self.acting.asked += 1;
        let name = match &action {
            Action::Set { name, .. } => name.chars().take(64).collect(),
            _ => String::new(),
        };
        self.record(Body::Action(ActionChange {
            id,
            action: action.name().to_owned(),
            state: ActionState::Asked,
            name,
            about: Pii(action.about().0.chars().take(4_096).collect()),
            text: String::new(),
        }));
        let refused = self.acting.waiting.iter().any(|(known, _)| *known == id);
        self.acting.waiting.push((id, action.name()));
        if refused {
            return self.acted(id, Outcome::Refused(format!("number {id} is in use")));
        }
        if let Err(why) = action.check().and_then(|()| self.may_act(&action)) {
            return self.acted(id, Outcome::Refused(why));
        }
        match action {
            Action::HangUp { reason } => {
                let reason = if reason.trim().is_empty() { "the agent hung up".to_owned() } else { reason };
                self.end_after_last_words(now, "agent", reason);
                self.acted(id, Outcome::Done("the call ends after the last word".to_owned()));
            }
            Action::Set { .. } => self.acted(id, Outcome::Done(String::new())),
            action => self.effects.push_back(Effect::Act(id, action)),
        }
    }

    fn may_act(&self, action: &Action) -> Result<(), String> {
        if self.acting.asked > ALL_MAX {
            return Err(format!("this call has had {ALL_MAX} actions"));
        }
        if self.acting.waiting.len() > WAITING_MAX {
            return Err(format!("{WAITING_MAX} actions are under way already"));
        }
        if self.hung_up || (self.is_ending() && !matches!(action, Action::Set { .. })) {
            return Err("the call is ending".to_owned());
        }
        if self.answered_at.is_none() && !matches!(action, Action::HangUp { .. } | Action::Set { .. }) {
            return Err("the call is not answered yet".to_owned());
        }
        Ok(())
    }

    /// What became of an action: for the journal and for the agent. An outcome that nobody waits for is nobody's.
    pub(super) fn acted(&mut self, id: u32, outcome: Outcome) {
        let Some(at) = self.acting.waiting.iter().rposition(|(known, _)| *known == id) else { return };
        let (_, name) = self.acting.waiting[at];
        if outcome.is_final() {
            self.acting.waiting.remove(at);
        }
        let state = match &outcome {
            Outcome::Begun(_) => ActionState::Begun,
            Outcome::Done(_) => ActionState::Done,
            Outcome::Refused(_) => ActionState::Refused,
        };
        self.record(Body::Action(ActionChange {
            id,
            action: name.to_owned(),
            state,
            name: String::new(),
            about: Pii::default(),
            text: outcome.words().to_owned(),
        }));
        self.effects.push_back(Effect::TellActed(id, outcome));
    }

    /// Another agent takes over: it is connected now, and starts when the last word of the old one has been heard.
    pub(super) fn switched(&mut self, now: Instant, name: String, owner: Owner, barge_in: BargeIn) {
        self.forget_actions();
        self.record(Body::Agent(AgentChange { state: AgentState::Closed, text: format!("{name} takes over") }));
        self.turns.stop_refusing();
        if let Some((turn, true)) = self.turns.complete() {
            self.after_you = true;
            self.effects.push_back(Effect::CompleteTurn(turn));
        }
        (self.settings.owner, self.settings.barge_in) = (owner, barge_in);
        // Until it is connected nobody knows.
        self.set_agent_answers(false);
        (self.agent_ready, self.agent_started) = (false, false);
        self.connect_started = Some(now);
        self.record(Body::Agent(AgentChange { state: AgentState::Connecting, text: name }));
        self.effects.push_back(Effect::ConnectAgent);
    }

    /// The agent has failed, and another is about to take its place: the caller hears no apology.
    pub(super) fn fell_back(&mut self, reason: String, to: &str) {
        let text = format!("the agent failed: {reason}; {to} takes the call");
        self.record(Body::Agent(AgentChange { state: AgentState::Failed, text: reason }));
        self.record(Body::Note(Note { level: Level::Error, text: text.clone() }));
        self.fell_back = Some(text);
    }

    /// The agent has gone: nobody waits for an outcome any more.
    pub(super) fn forget_actions(&mut self) {
        self.acting.waiting.clear();
    }
}
