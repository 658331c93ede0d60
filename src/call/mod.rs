//! What should happen in a call: the machine that decides, and [`pipeline`], the whole path of one call around it.
//!
//! [`Call`] owns the state of one conversation: when to ring, answer and hang up, when the agent starts, what a
//! barge-in cuts, when an apology is due. It does not move bytes and does not know sockets: `pipeline` feeds it and
//! carries out its [`Effect`]s. One rule: after each [`Call::handle`], drain [`Call::poll`] to the end.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod acting;
pub mod aside;
pub mod bridge;
pub mod check;
mod floor;
pub mod journal;
pub mod latency;
pub mod lint;
pub mod manners;
mod onset;
pub mod pipeline;
mod silence;
pub mod summary;
mod terms;
pub mod tools;
pub mod turn;
mod written;

use crate::{agent::event::Event as AgentEvent, clock::Instant, media::dsp::vad::SpeechEdge, unit::TurnId};
use journal::{AgentChange, AgentState, Body, CallState, Direction, Level, Note, Speech, StateChange, Verdict, Who};
use manners::Manners;
use std::{collections::VecDeque, sync::Arc, time::Duration};
pub use terms::{BargeIn, Early, Effect, Input, Settings};
use turn::{Owner, Turns};

/// The machine.
#[derive(Debug)]
pub struct Call {
    settings: Settings,
    /// The call's start.
    origin: Instant,
    state: CallState,
    /// Turns and words.
    pub turns: Turns,
    agent_ready: bool,
    agent_started: bool,
    /// It starts when the last word of the agent before it has been heard.
    after_you: bool,
    agent_failed: Option<String>,
    /// It answers each time, if only to say that it has nothing to say.
    agent_answers: bool,
    silence: silence::Silence,
    /// Its answer is awaited whenever the caller has spoken.
    is_awaited: bool,
    onset: onset::Onset,
    asides: aside::Asides,
    /// The first packet of what is heard went out then.
    turn_began: Instant,
    /// The caller speaks since then.
    caller_since: Option<Instant>,
    tools_at_work: bool,
    /// Another leg is heard instead of an agent.
    put_through: bool,
    /// Who decided to cut what is heard, and when it began to be one.
    cut_by: Option<(&'static str, Instant, Option<Instant>)>,
    /// It paused: the first packet without its voice went out then.
    silent_from: Option<Instant>,
    /// Silence at the newest barge-in came so long after the caller's onset, beyond what was wanted.
    barge_in_ms: Option<f64>,
    /// It has been silent for too long: why it counts as lost, until somebody asks.
    agent_lost: Option<String>,
    acknowledged: bool,
    /// The agent was started before the answer, at that time.
    early_since: Option<Instant>,
    /// It has been heard since.
    early_heard: bool,
    apologised: bool,
    answered_at: Option<Instant>,
    connect_started: Option<Instant>,
    connect_took: Option<Duration>,
    agent_audible: bool,
    /// The call ends when everything has been said, at the latest then.
    ending: Option<(Instant, &'static str, String)>,
    hung_up: bool,
    ended_by: &'static str,
    reason: String,
    status: Option<u16>,
    over: bool,
    checks: Verdict,
    acting: acting::Acting,
    /// The newest agent that failed and was replaced, in words.
    fell_back: Option<String>,
    usage: Option<journal::Usage>,
    effects: VecDeque<Effect>,
}

/// What an agent says before the answer may take this long: proxies give up on calls that ring for three minutes.
const EARLY_MAX: Duration = Duration::from_mins(1);
/// The last words may take this long.
const LAST_WORDS_MAX: Duration = Duration::from_secs(20);

impl Call {
    /// A call that starts at `now`.
    #[must_use]
    pub fn new(now: Instant, settings: Settings) -> Self {
        Self {
            settings,
            origin: now,
            state: CallState::Offered,
            turns: Turns::default(),
            agent_ready: false,
            agent_started: false,
            after_you: false,
            agent_failed: None,
            agent_answers: false,
            silence: silence::Silence::default(),
            is_awaited: false,
            onset: onset::Onset::default(),
            asides: aside::Asides::default(),
            turn_began: now,
            caller_since: None,
            tools_at_work: false,
            put_through: false,
            cut_by: None,
            silent_from: None,
            barge_in_ms: None,
            agent_lost: None,
            acknowledged: false,
            early_since: None,
            early_heard: false,
            apologised: false,
            answered_at: None,
            connect_started: None,
            connect_took: None,
            agent_audible: false,
            ending: None,
            hung_up: false,
            ended_by: "us",
            reason: String::new(),
            status: None,
            over: false,
            checks: Verdict::None,
            acting: acting::Acting::default(),
            fell_back: None,
            usage: None,
            effects: VecDeque::new(),
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        if self.over {
            return;
        }
        match input {
            Input::Begin => self.begin(now),
            Input::Refused(reason) => {
                self.hung_up = true;
                self.ended_by = "us";
                self.reason = reason;
            }
            Input::Progress(status) => {
                if self.state == CallState::Offered {
                    self.enter(CallState::Ringing, "", Some(status));
                }
            }
            Input::EarlyMedia(status) => {
                if self.answered_at.is_none() {
                    self.enter(CallState::Ringing, "early media", Some(status));
                }
            }
            Input::Answered => {
                self.acknowledged = true;
                self.up(now);
                self.start_agent(now);
                self.apologise_if_failed(now);
            }
            Input::Acknowledged => {
                self.acknowledged = true;
                self.start_agent(now);
                self.apologise_if_failed(now);
            }
            Input::SipEnded { by, status, reason } => self.sip_ended(now, by, status, reason),
            Input::Agent(event) => self.agent(now, event),
            Input::Speech(edge) => self.speech(now, edge),
            Input::Digit(_) => self.key(now),
            Input::AsideOver => self.asides.over(),
            Input::Wrote(text) => self.wrote(now, text),
            Input::Began(turn) => self.began(now, turn),
            Input::Finished => self.finished(now),
            Input::Drained => {
                if let Some((_, by, reason)) = self.ending.take() {
                    self.hang_up(by, reason);
                }
            }
            Input::Held(held) => self.held(now, held),
            Input::HangUp { by, reason } => self.hang_up(by, reason),
            Input::Ring => {
                if self.state == CallState::Offered {
                    self.enter(CallState::Ringing, "", Some(180));
                }
                self.effects.push_back(Effect::Ring);
            }
            Input::Answer => self.answer_if_inbound(now),
            Input::NotAnswered(reason) => {
                self.hung_up = true;
                self.ended_by = "callee";
                self.reason = reason;
            }
            Input::FarEnded { by, header } => self.hang_up_with(by, header.clone(), header),
            Input::HandedOver(to) => {
                self.agent_answers = false;
                self.put_through = true;
                self.go_on(now);
                self.forget_actions();
                if self.agent_audible {
                    self.effects.push_back(Effect::Cut { tell_agent: false });
                }
                let text = format!("the caller was put through to {to}");
                self.record(Body::Agent(AgentChange { state: AgentState::Closed, text }));
            }
            Input::Switched { name, owner, barge_in, manners } => {
                self.go_on(now);
                self.settings.manners = manners;
                self.switched(now, name, owner, barge_in);
            }
            Input::FellBack { reason, to } => self.fell_back(reason, &to),
            Input::Acted(id, outcome) => self.acted(id, outcome),
            Input::Timeout => self.timed_out(now),
        }
        self.look_around(now);
    }

    /// The next effect.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Input::Timeout`] is wanted.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        if self.over || self.hung_up {
            return Instant::FAR_FUTURE;
        }
        let mut at = Instant::FAR_FUTURE;
        match (self.answered_at, self.settings.direction) {
            (Some(answered), _) => at = at.min(answered + self.settings.max_duration),
            (None, _) if self.settings.waits => {}
            (None, Direction::In) => at = at.min(self.answer_at()),
            (None, Direction::Out) => at = at.min(self.origin + self.settings.ring_max),
        }
        if let Some((deadline, ..)) = self.ending {
            at = at.min(deadline);
        }
        if self.is_waiting() {
            at = at.min(self.silence.timeout(self.settings.agent_silence));
        }
        at.min(self.asides.timeout(&self.settings.manners))
    }

    /// The agent answers each time it is spoken to, if it does: then its silence counts.
    pub const fn set_agent_answers(&mut self, answers: bool) {
        self.agent_answers = answers;
        self.is_awaited = answers;
        self.silence.came();
    }

    /// Its answer is awaited whenever the caller has spoken, though somebody else sees to it that one comes.
    pub const fn set_agent_is_awaited(&mut self) {
        self.is_awaited = true;
    }

    /// Tools are at work, or none is.
    pub fn set_tools_at_work(&mut self, now: Instant, at_work: bool) {
        if std::mem::replace(&mut self.tools_at_work, at_work) != at_work {
            self.look_around(now);
        }
    }

    /// Whether it matters how long the caller's voice lasts: [`Self::voice_lasts`] is wanted.
    #[must_use]
    pub const fn listens_closely(&self) -> bool {
        self.onset.is_open()
    }

    /// The caller's voice was still there at `at`.
    pub fn voice_lasts(&mut self, now: Instant, at: Instant) {
        if self.is_ending() || !self.agent_audible {
            return self.onset.clear();
        }
        let since = self.caller_since;
        let verdict = self.onset.lasts(self.settings.barge_in, &self.settings.manners, at, self.turn_began);
        self.floor_is(now, verdict, since);
    }

    /// How long after the caller's onset the agent fell silent at the newest barge-in, milliseconds beyond the voice that
    /// was wanted.
    #[must_use]
    pub const fn barge_in_ms(&self) -> Option<f64> {
        self.barge_in_ms
    }

    /// A tool's result was given to the agent.
    pub const fn tool_answered(&mut self, now: Instant) {
        self.silence.owes(now, "a tool's result");
    }

    /// A tool was called.
    pub const fn tool_called(&mut self) {
        self.silence.came();
    }

    /// Once: why an agent that has been silent for too long counts as lost.
    pub const fn take_lost(&mut self) -> Option<String> {
        self.agent_lost.take()
    }

    /// The newest silence of the agent that was too long, in words.
    #[must_use]
    pub fn agent_stalled(&self) -> Option<&str> {
        self.silence.seen()
    }

    /// Whether the agent may be silent for too long now: nothing of it is heard, and nothing else is awaited.
    fn is_waiting(&self) -> bool {
        self.agent_answers
            && self.agent_started
            && !self.settings.agent_silence.is_zero()
            && !self.agent_audible
            && !self.is_ending()
            && self.agent_failed.is_none()
            && self.state != CallState::Held
            && self.acting.waiting.is_empty()
    }

    /// Where the call stands.
    #[must_use]
    pub const fn state(&self) -> CallState {
        self.state
    }

    /// When it was answered.
    #[must_use]
    pub const fn answered_at(&self) -> Option<Instant> {
        self.answered_at
    }

    /// From connecting the agent to its being ready.
    #[must_use]
    pub const fn agent_connect(&self) -> Option<Duration> {
        self.connect_took
    }

    /// Why the agent failed, if it did.
    #[must_use]
    pub fn agent_failed(&self) -> Option<&str> {
        self.agent_failed.as_deref()
    }

    /// What the steps of a scenario came to.
    #[must_use]
    pub const fn checks(&self) -> Verdict {
        self.checks
    }

    /// Which agent failed and who took its place, in words.
    #[must_use]
    pub fn fell_back_to(&self) -> Option<&str> {
        self.fell_back.as_deref()
    }

    /// What its providers counted, if they did.
    #[must_use]
    pub const fn usage(&self) -> Option<&journal::Usage> {
        self.usage.as_ref()
    }

    /// Whether the agent was ever ready.
    #[must_use]
    pub const fn agent_was_ready(&self) -> bool {
        self.agent_ready
    }

    /// Whether we have ended it, or refused it.
    #[must_use]
    pub const fn is_hung_up(&self) -> bool {
        self.hung_up || self.over
    }

    /// Before it begins: who takes it. The time that it took to find out does not count as the agent's.
    pub fn consulted(&mut self, now: Instant, owner: Owner, barge_in: BargeIn, manners: Arc<Manners>, early: Early) {
        let settings = &mut self.settings;
        settings.manners = manners;
        (settings.owner, settings.barge_in, settings.early) = (owner, barge_in, early);
        settings.patience += now.since(self.origin);
    }

    /// Whether the call ends as soon as everything has been said.
    #[must_use]
    pub const fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Who ended it, why, and the final status.
    #[must_use]
    pub fn ending(&self) -> (&'static str, &str, Option<u16>) {
        (self.ended_by, &self.reason, self.status)
    }

    /// Sound of the agent came: the turn it belongs to, none if it must be thrown away.
    pub fn accept_audio(&mut self, now: Instant, span: Duration) -> Option<TurnId> {
        if self.hung_up || self.apologised {
            return None;
        }
        self.silence.came();
        self.turns.audio(now, span)
    }

    /// The turn that was cut after `heard_ms` of it.
    ///
    /// `flushed_ms` of sound were thrown away; the first packet without it goes out at `silent_at`.
    pub fn cut_after(&mut self, now: Instant, heard_ms: u32, flushed_ms: u32, silent_at: Instant) {
        let interrupted = !self.over;
        self.onset.clear();
        let cut_by = self.cut_by.take();
        let silent_at = self.silent_from.take().unwrap_or(silent_at);
        let generated = self.turns.words();
        if let Some(mut turn) = self.turns.close_as(now, self.origin, self.settings.owner, Some(heard_ms), interrupted)
        {
            if let Some((by, decided_at, since)) = cut_by.filter(|_| interrupted) {
                turn.barge_in = Some(self.audit((by, decided_at, since), flushed_ms, silent_at, generated));
            }
            self.record(Body::Turn(turn));
        }
        self.agent_quiet();
        self.silence.fell_quiet(now);
        if interrupted {
            self.answer_after_early_words(now);
        }
        if std::mem::take(&mut self.after_you) {
            self.start_agent(now);
        }
    }

    fn begin(&mut self, now: Instant) {
        self.enter(CallState::Offered, "", None);
        if self.settings.waits {
            return;
        }
        self.connect_started = Some(now);
        self.record(Body::Agent(AgentChange { state: AgentState::Connecting, text: String::new() }));
        self.effects.push_back(Effect::ConnectAgent);
        if self.settings.direction == Direction::In {
            self.effects.push_back(Effect::Ring);
        }
    }

    fn agent(&mut self, now: Instant, event: AgentEvent) {
        // What tells of the caller, of the connection or of money is no answer.
        if matches!(
            event,
            AgentEvent::AgentText(_)
                | AgentEvent::TurnComplete
                | AgentEvent::Act { .. }
                | AgentEvent::Digits(_)
                | AgentEvent::HangUp(_)
        ) {
            self.silence.came();
        }
        match event {
            AgentEvent::Ready => self.agent_is_ready(now),
            // The path's own: sound, marks in it, tools.
            AgentEvent::Audio { .. }
            | AgentEvent::Mark(_)
            | AgentEvent::ToolCall(_)
            | AgentEvent::ToolsCancelled(_) => {}
            AgentEvent::EndOfSpeech => self.turns.decided(now),
            AgentEvent::Step { name, owner } => self.turns.step(now, name, owner),
            AgentEvent::TurnComplete => {
                if let Some((turn, has_audio)) = self.turns.complete() {
                    if has_audio {
                        self.effects.push_back(Effect::CompleteTurn(turn));
                    } else {
                        // Words without sound: nothing to wait for.
                        self.finished(now);
                    }
                }
            }
            AgentEvent::Interrupted => {
                // Harmless when nothing plays: some models say it directly after a turn.
                if self.turns.audible().is_some() {
                    self.cut_by = Some(("agent", now, self.caller_since));
                    self.effects.push_back(Effect::Cut { tell_agent: false });
                }
            }
            AgentEvent::CallerText(text) => {
                let turn = self.turns.caller_text(&text);
                self.record(written::said(Who::Caller, turn, text));
            }
            AgentEvent::AgentText(text) => {
                if let Some(turn) = self.turns.agent_text(now, &text) {
                    self.record(written::said(Who::Agent, turn, text));
                }
            }
            AgentEvent::Digits(digits) => self.effects.push_back(Effect::Press(digits)),
            AgentEvent::Act { id, action } => self.act(now, id, action),
            AgentEvent::HangUp(reason) => self.end_after_last_words(now, "agent", reason),
            AgentEvent::GoingAway(text) => {
                self.record(Body::Agent(AgentChange { state: AgentState::GoingAway, text }));
            }
            AgentEvent::Checked(check) => {
                if self.checks != Verdict::Fail {
                    self.checks = if check.passed { Verdict::Pass } else { Verdict::Fail };
                }
                self.record(Body::Check(check));
            }
            AgentEvent::Usage(usage) => {
                self.usage.get_or_insert_default().add(&usage);
                self.record(Body::Usage(usage));
            }
            AgentEvent::Note(text) => self.record(Body::Note(Note { level: Level::Warn, text })),
            AgentEvent::Failed(reason) => self.agent_has_failed(now, reason),
            AgentEvent::Closed(text) => self.record(Body::Agent(AgentChange { state: AgentState::Closed, text })),
        }
    }

    fn agent_is_ready(&mut self, now: Instant) {
        if !self.agent_ready {
            self.connect_took = self.connect_started.map(|started| now.since(started));
        }
        self.agent_ready = true;
        self.record(Body::Agent(AgentChange { state: AgentState::Ready, text: String::new() }));
        if !self.speaks_early() {
            self.answer_if_inbound(now);
        }
        self.start_agent(now);
    }

    /// The INVITE has no offer that early media could answer.
    pub const fn has_no_early_media(&mut self) {
        self.settings.early = Early::Off;
    }

    fn speaks_early(&self) -> bool {
        self.settings.early == Early::Agent
            && self.settings.direction == Direction::In
            && self.answered_at.is_none()
            && !self.hung_up
    }

    /// When an incoming call is answered at the latest.
    fn answer_at(&self) -> Instant {
        match self.early_since {
            Some(since) if self.early_heard => since + EARLY_MAX,
            // It waits for the caller, who waits for us.
            Some(since) => since + self.settings.patience,
            None => self.origin + self.settings.patience,
        }
    }

    /// What was to be said before the answer has been said, or interrupted.
    fn answer_after_early_words(&mut self, now: Instant) {
        if self.early_since.is_some() && !self.is_ending() {
            self.answer_if_inbound(now);
        }
    }

    fn agent_has_failed(&mut self, now: Instant, reason: String) {
        if self.agent_failed.is_some() {
            return;
        }
        self.record(Body::Agent(AgentChange { state: AgentState::Failed, text: reason.clone() }));
        self.agent_failed = Some(reason);
        self.answer_if_inbound(now);
        self.apologise_if_failed(now);
    }

    fn answer_if_inbound(&mut self, now: Instant) {
        if self.settings.direction == Direction::In && self.answered_at.is_none() && !self.hung_up {
            self.effects.push_back(Effect::Answer);
            self.up(now);
        }
    }

    fn up(&mut self, now: Instant) {
        if self.answered_at.is_none() {
            self.answered_at = Some(now);
            self.status = Some(200);
            self.enter(CallState::Up, "", Some(200));
        }
    }

    fn start_agent(&mut self, now: Instant) {
        let early = self.speaks_early();
        if self.agent_ready && (self.acknowledged || early) && !self.agent_started && !self.after_you {
            self.agent_started = true;
            self.early_since = early.then_some(now);
            self.effects.push_back(Effect::StartAgent);
        }
    }

    /// The caller hears an apology, then the call ends with 503 as its cause.
    fn apologise_if_failed(&mut self, now: Instant) {
        let Some(reason) = self.agent_failed.clone() else { return };
        if self.apologised || !self.acknowledged || self.ending.is_some() {
            return;
        }
        if self.turns.audible().is_some() {
            self.effects.push_back(Effect::Cut { tell_agent: false });
        }
        self.apologised = true;
        self.effects.push_back(Effect::Apologise);
        self.end_after_last_words(now, "agent", format!("the agent failed: {reason}"));
    }

    fn end_after_last_words(&mut self, now: Instant, by: &'static str, reason: String) {
        if self.ending.is_none() && !self.hung_up {
            // When we placed the call, the agent is us.
            let by = if self.settings.direction == Direction::Out { "us" } else { by };
            // The last words are heard, whatever sound the caller makes.
            self.go_on(now);
            self.enter(CallState::Ending, &reason, None);
            self.ending = Some((now + LAST_WORDS_MAX, by, reason));
        }
    }

    fn hang_up(&mut self, by: &'static str, reason: String) {
        let header = if self.agent_failed.is_some() {
            "SIP;cause=503;text=\"agent unreachable\"".to_owned()
        } else {
            "Q.850;cause=16;text=\"normal call clearing\"".to_owned()
        };
        self.hang_up_with(by, reason, header);
    }

    fn hang_up_with(&mut self, by: &'static str, reason: String, header: String) {
        if self.hung_up {
            return;
        }
        self.hung_up = true;
        self.ending = None;
        self.ended_by = by;
        self.reason = reason;
        self.effects.push_back(Effect::HangUp(header));
    }

    fn sip_ended(&mut self, now: Instant, by: &'static str, status: Option<u16>, reason: String) {
        if !self.hung_up {
            self.ended_by = by;
            self.reason = reason;
        }
        if let Some(status) = status {
            self.status = Some(status);
        }
        if self.turns.audible().is_some() {
            // Cut by the end of the call: what was heard is known to the playout.
            self.effects.push_back(Effect::Cut { tell_agent: false });
        } else if let Some(turn) = self.turns.close(now, self.origin, self.settings.owner, None) {
            self.record(Body::Turn(turn));
        }
        let failed = self.answered_at.is_none() || self.agent_failed.is_some() || self.ended_by == "network";
        let state = if failed { CallState::Failed } else { CallState::Ended };
        let reason = self.reason.clone();
        self.enter(state, &reason, self.status);
        self.over = true;
        self.effects.push_back(Effect::Over);
    }

    fn speech(&mut self, now: Instant, edge: SpeechEdge) {
        match edge {
            SpeechEdge::Started(at) => {
                self.caller_since = Some(at);
                self.silence.caller_started(at);
                self.turns.caller_started();
                self.record(Body::Speech(Speech { who: Who::Caller, speaking: true }));
                if self.agent_audible && !self.is_ending() {
                    let (policy, turn) = (self.settings.barge_in, self.turn_began);
                    let verdict = self.onset.started(policy, &self.settings.manners, at, now, turn);
                    self.floor_is(now, verdict, Some(at));
                }
            }
            SpeechEdge::Ended(at) => {
                self.go_on(now);
                self.caller_since = None;
                self.silence.caller_ended(at);
                self.turns.caller_ended(at);
                self.record(Body::Speech(Speech { who: Who::Caller, speaking: false }));
            }
        }
    }

    fn began(&mut self, now: Instant, turn: TurnId) {
        self.turns.first_sent(now, turn);
        self.early_heard = true;
        if !self.agent_audible {
            self.agent_audible = true;
            self.turn_began = now;
            self.record(Body::Speech(Speech { who: Who::Agent, speaking: true }));
        }
    }

    fn finished(&mut self, now: Instant) {
        if let Some(turn) = self.turns.close(now, self.origin, self.settings.owner, None) {
            self.record(Body::Turn(turn));
        }
        self.agent_quiet();
        self.silence.fell_quiet(now);
        self.answer_after_early_words(now);
        if std::mem::take(&mut self.after_you) {
            return self.start_agent(now);
        }
        self.effects.push_back(Effect::Played);
    }

    fn agent_quiet(&mut self) {
        if std::mem::take(&mut self.agent_audible) {
            self.record(Body::Speech(Speech { who: Who::Agent, speaking: false }));
        }
    }

    fn held(&mut self, now: Instant, held: bool) {
        self.go_on(now);
        let state = if held { CallState::Held } else { CallState::Up };
        if self.answered_at.is_some() && self.state != state && !self.is_ending() {
            self.silence.came();
            self.enter(state, "", None);
            self.effects.push_back(Effect::TellHeld(held));
        }
    }

    fn timed_out(&mut self, now: Instant) {
        if let Some((deadline, by, reason)) = self.ending.clone()
            && now >= deadline
        {
            self.hang_up(by, reason);
            return;
        }
        if self.is_waiting()
            && let Some(silence::Due::Lost(why)) = self.silence.due(now, self.settings.agent_silence)
        {
            self.agent_lost = Some(why);
        }
        match self.asides.due(now, &self.settings.manners) {
            Some(aside::Due::Say(aside)) => self.effects.push_back(Effect::Say(aside)),
            Some(aside::Due::HangUp(why)) => self.end_after_last_words(now, "us", why),
            None => {}
        }
        match (self.answered_at, self.settings.direction) {
            (Some(answered), _) if now >= answered + self.settings.max_duration => {
                self.hang_up("us", format!("longer than {} s", self.settings.max_duration.as_secs()));
            }
            (None, _) if self.settings.waits => {}
            (None, Direction::In) if now >= self.answer_at() => self.answer_if_inbound(now),
            (None, Direction::Out) if now >= self.origin + self.settings.ring_max => {
                self.status = Some(408);
                self.hang_up("us", format!("not answered within {} s", self.settings.ring_max.as_secs()));
            }
            _ => {}
        }
    }

    fn enter(&mut self, state: CallState, reason: &str, status: Option<u16>) {
        self.state = state;
        self.record(Body::State(StateChange { state, reason: reason.to_owned(), status }));
    }

    fn record(&mut self, body: Body) {
        self.effects.push_back(Effect::Record(body));
    }
}

#[cfg(test)]
mod tests;
