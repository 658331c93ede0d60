//! Who has the floor while both make sound, and what the gateway does in a silence: the decisions of [`onset`](super::onset)
//! and [`aside`](super::aside) carried out, and the account of each barge-in.

use super::{
    Call, CallState, Effect, aside,
    journal::{BargeIn as Audit, Body, Level, Note, rounded},
    manners::Manners,
    onset::Verdict,
};
use crate::{clock::Instant, redact::Pii};
use std::sync::Arc;

impl Call {
    /// What the caller's sound means for what is heard.
    pub(super) fn floor_is(&mut self, now: Instant, verdict: Option<Verdict>, since: Option<Instant>) {
        match verdict {
            Some(Verdict::Cut) => {
                self.cut_by = Some(("voice", now, since));
                self.effects.push_back(Effect::Cut { tell_agent: true });
            }
            Some(Verdict::Pause) => self.effects.push_back(Effect::Pause),
            Some(Verdict::Resume) => {
                let ms = since.map_or(0, |since| now.since(since).as_millis());
                self.silent_from = None;
                self.effects.push_back(Effect::Resume);
                let text = format!("the agent paused for a sound of the caller's and went on after {ms} ms");
                self.record(Body::Note(Note { level: Level::Info, text }));
            }
            None => {}
        }
    }

    /// Nothing comes of the sound that the caller made: what paused goes on.
    pub(super) fn go_on(&mut self, now: Instant) {
        let verdict = self.onset.ended();
        self.floor_is(now, verdict, self.caller_since);
    }

    /// The caller pressed a key: that interrupts, if it is to.
    pub(super) fn key(&mut self, now: Instant) {
        self.asides.see(now, aside::Scene { caller: true, ..aside::Scene::default() });
        if self.settings.manners.keys == Some(true) && self.agent_audible && !self.is_ending() {
            self.cut_by = Some(("key", now, Some(now)));
            self.effects.push_back(Effect::Cut { tell_agent: true });
        }
    }

    /// How the agent behaves.
    #[must_use]
    pub fn manners(&self) -> Arc<Manners> {
        Arc::clone(&self.settings.manners)
    }

    /// It pauses: the first packet without its voice goes out then.
    pub const fn falls_silent(&mut self, at: Instant) {
        self.silent_from = Some(at);
    }

    /// Whether something is being said that is not the agent's.
    #[must_use]
    pub const fn says_aside(&self) -> bool {
        self.asides.is_playing()
    }

    /// Tells the asides what goes on.
    pub(super) fn look_around(&mut self, now: Instant) {
        let open = self.state == CallState::Up
            && self.agent_started
            && self.agent_failed.is_none()
            && !self.put_through
            && !self.hung_up
            && !self.is_ending();
        let waits = self.tools_at_work || (self.is_awaited && self.silence.is_owed());
        let (caller, agent) = (self.caller_since.is_some(), self.agent_audible);
        self.asides.see(now, aside::Scene { caller, agent, waits, open });
    }

    /// What is known of a barge-in.
    pub(super) fn audit(
        &mut self,
        (by, decided_at, since): (&str, Instant, Option<Instant>),
        flushed_ms: u32,
        silent_at: Instant,
        generated: String,
    ) -> Audit {
        let after = |at: Instant| since.map(|since| rounded(at.signed_ms_since(since)));
        let silent_ms = after(silent_at);
        if let (Some(silent_ms), "voice") = (silent_ms, by) {
            let pauses = self.settings.barge_in == super::BargeIn::Pause;
            let wanted = self.settings.manners.speech_min(pauses) + self.settings.manners.grace;
            self.barge_in_ms = Some(silent_ms - wanted.as_secs_f64() * 1_000.0);
        }
        Audit {
            by: by.to_owned(),
            at: since.map(|since| rounded(since.signed_ms_since(self.origin) / 1_000.0)),
            decided_ms: after(decided_at),
            silent_ms,
            flushed_ms,
            generated: Pii(generated),
        }
    }
}
