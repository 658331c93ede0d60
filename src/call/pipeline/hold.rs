//! Hold from our side (RFC 3261 §14, 3264 §8.4): a re-INVITE that says `sendonly` with music, `inactive` without.
//!
//! The agent is told and pauses: nothing of it is heard, and it hears nothing. Where both sides change the session at
//! once (491) ours waits a while and asks again (§14.1).

use super::{
    Out, Pipeline, SipAction,
    background::{Music, Sound},
};
use crate::{
    agent::event::Outcome,
    call::Input as CallInput,
    call::journal::{Body, Direction, Level, Note},
    clock::Instant,
};
use std::time::Duration;

/// So often a change that met theirs is asked for.
const TRIES_MAX: u32 = 6;

/// Whether we hold, and what we have asked for.
#[derive(Debug)]
pub(super) struct Hold {
    /// Our descriptions say so.
    pub(super) on: bool,
    /// Our re-INVITE waits for its answer: what it wants.
    asked: Option<bool>,
    /// It is sent again then.
    pub(super) again_at: Instant,
    tries: u32,
    /// It is the other leg of a bridge that holds: its sound is what the far end hears, and music is its business.
    passed_on: bool,
    /// What the other leg wants by now, while our re-INVITE waits for its answer.
    wanted: Option<bool>,
    /// The agent asked for it, with this number.
    act: Option<u32>,
}

impl Default for Hold {
    fn default() -> Self {
        Self {
            on: false,
            asked: None,
            again_at: Instant::FAR_FUTURE,
            tries: 0,
            passed_on: false,
            wanted: None,
            act: None,
        }
    }
}

impl Pipeline {
    /// Somebody wants the far end held, or back.
    pub(super) fn hold(&mut self, now: Instant, hold: bool) {
        if let Err(problem) = self.try_hold(now, hold, None) {
            let wish = if hold { "hold" } else { "resume" };
            self.note(now, Level::Warn, format!("{wish}: {problem}"));
        }
    }

    /// The same; `act` is the agent's number if it is the agent who wants it.
    pub(super) fn try_hold(&mut self, now: Instant, hold: bool, act: Option<u32>) -> Result<(), String> {
        let problem = if self.call.answered_at().is_none() || self.call.is_ending() || self.media.is_none() {
            Some("is not up")
        } else if self.hold.asked.is_some() {
            Some("is being changed already")
        } else if self.hold.on == hold {
            Some(if hold { "is held already" } else { "is not held by us" })
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(format!("the call {problem}"));
        }
        if hold {
            self.pause(now);
        }
        self.hold = Hold { on: hold, asked: Some(hold), tries: 1, act, ..Hold::default() };
        self.ask(now);
        Ok(())
    }

    /// The other leg of a bridge holds, or is back: so does our far end hear. An operator's hold stays as it is.
    pub(super) fn pass_hold(&mut self, now: Instant, hold: bool) {
        let busy = self.call.answered_at().is_none() || self.call.is_ending() || self.media.is_none();
        if self.hold.asked.is_some() {
            self.hold.wanted = Some(hold);
            return;
        }
        if busy || self.hold.on == hold {
            return;
        }
        self.hold = Hold { on: hold, asked: Some(hold), tries: 1, passed_on: true, ..Hold::default() };
        self.ask(now);
    }

    fn ask(&mut self, now: Instant) {
        let mut text = self.offer();
        // Without music there is nothing to send either (RFC 3264 §8.4).
        if self.hold.on && !self.hold.passed_on && matches!(self.settings.hold_music, Music::Off) {
            text = text.replace("a=sendonly\r\n", "a=inactive\r\n");
        }
        let what = if self.hold.on { "hold" } else { "take off hold" };
        self.note(now, Level::Info, format!("we {what} the far end"));
        self.push(Out::Sip(SipAction::Reinvite(text)));
    }

    /// The agent falls silent in the middle of its word, and knows.
    fn pause(&mut self, now: Instant) {
        if self.call.turns.audible().is_some() {
            self.cut(now, true);
        }
        if !matches!(self.settings.hold_music, Music::Off) {
            self.play(Some(Sound::Music(self.settings.hold_music.clone())));
        }
        self.call.handle(now, CallInput::Held(true));
    }

    /// The far end has answered our re-INVITE, or a new far end our offer.
    pub(super) fn changed(&mut self, now: Instant, sdp: Option<&[u8]>) {
        if self.hold.again_at.is_far_future() {
            self.hold.asked = None;
        }
        if !self.hold.on {
            self.play(None);
        }
        self.take_answer(now, sdp);
        if self.hold.asked.is_none() {
            self.hold_acted(now, Outcome::Done(String::new()));
        }
        if let Some(wanted) = self.hold.wanted.take().filter(|_| self.hold.asked.is_none()) {
            self.pass_hold(now, wanted);
        }
    }

    /// It has refused: at once again later if both asked at the same time, else everything is as before.
    pub(super) fn not_changed(&mut self, now: Instant, status: u16) {
        let Some(hold) = self.hold.asked.filter(|_| self.hold.again_at.is_far_future()) else {
            self.note(now, Level::Warn, format!("our re-INVITE was refused with {status}"));
            return;
        };
        if status == 491 && self.hold.tries < TRIES_MAX {
            self.hold.again_at = now + self.patience_after_glare();
            return;
        }
        let wish = if hold { "hold" } else { "resume" };
        self.note(now, Level::Warn, format!("{wish} was refused with {status}: everything is as it was"));
        self.hold_acted(now, Outcome::Refused(format!("the far end refused it with {status}")));
        self.hold = Hold { on: !hold, ..Hold::default() };
        if hold {
            self.play(None);
            let held = self.media.as_ref().is_some_and(|media| !media.agreed.flow.sends());
            self.call.handle(now, CallInput::Held(held));
        }
    }

    /// The agent asked for what has now become of our re-INVITE.
    fn hold_acted(&mut self, now: Instant, outcome: Outcome) {
        if let Some(id) = self.hold.act.take() {
            self.call.handle(now, CallInput::Acted(id, outcome));
        }
    }

    /// §14.1: who made the Call-ID waits 2.1 to 4 s, the other up to 2 s, in steps of 10 ms.
    fn patience_after_glare(&self) -> Duration {
        let chance = self.settings.seed.rotate_left(self.hold.tries * 11) >> 7;
        let ours = self.settings.header.direction == Direction::Out;
        Duration::from_millis(10 * if ours { 210 + chance % 191 } else { chance % 201 })
    }

    /// It is time to ask again.
    pub(super) fn hold_due(&mut self, now: Instant) {
        if now < self.hold.again_at {
            return;
        }
        self.hold.again_at = Instant::FAR_FUTURE;
        self.hold.tries += 1;
        self.ask(now);
    }

    pub(super) fn note(&mut self, now: Instant, level: Level, text: String) {
        self.record(now, Body::Note(Note { level, text }));
    }
}
