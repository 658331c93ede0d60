//! What a callback has changed before anything began: another agent on the chair, or none at all.

use super::{Body, CallInput, Level, Note, Out, Pipeline, Seat, SipAction, Tools};
use crate::{
    agent::wire::tool::Tool,
    call::{BargeIn, Early, manners::Manners, turn::Owner},
    clock::Instant,
    media::codec::Codec,
    unit::SampleRate,
};
use std::{sync::Arc, time::Duration};

/// Who takes the call after all.
#[derive(Debug)]
pub struct Consulted {
    /// The agent, or that it is remote.
    pub seat: Seat,
    /// Whose the model is.
    pub owner: Owner,
    /// Who decides that the caller interrupts.
    pub barge_in: BargeIn,
    /// How it behaves towards the caller.
    pub manners: Arc<Manners>,
    /// What the caller hears before the answer.
    pub early: Early,
    /// Codecs of its calls, if it has its own.
    pub codecs: Option<Vec<&'static Codec>>,
    /// Sound gathered before a turn plays.
    pub prebuffer: Duration,
    /// Rate that a remote agent wants to hear.
    pub rate: Option<SampleRate>,
    /// Rate that it speaks at.
    pub speaks: SampleRate,
    /// What it may call.
    pub tools: Arc<[Tool]>,
}

impl Pipeline {
    pub(super) fn consulted(&mut self, now: Instant, consulted: Consulted) {
        let Consulted { seat, owner, barge_in, manners, early, codecs, prebuffer, rate, speaks, tools } = consulted;
        self.seat = seat;
        self.tools = Tools::new(tools);
        self.set_agent(rate.unwrap_or(SampleRate::HZ_8000), true);
        self.settings.agent_rate = rate;
        self.settings.agent_speaks = speaks;
        self.settings.prebuffer = prebuffer;
        self.settings.call.early = early;
        // Only what this call was allowed before: its trunk may have its own.
        let allowed = |codec: &&'static Codec| self.settings.codecs.iter().any(|known| known.name == codec.name);
        let codecs: Vec<_> = codecs.unwrap_or_default().into_iter().filter(allowed).collect();
        if !codecs.is_empty() {
            self.settings.codecs = codecs;
        }
        self.call.consulted(now, owner, barge_in, manners, early);
    }

    /// The call is not taken.
    pub(super) fn deny(&mut self, now: Instant, status: u16, why: String) {
        self.record(now, Body::Note(Note { level: Level::Warn, text: format!("{status}: {why}") }));
        self.call.handle(now, CallInput::Refused(why.clone()));
        self.push(Out::Sip(SipAction::Refuse(status, why)));
    }

    /// Whether we have ended it, or refused it.
    #[must_use]
    pub const fn is_hung_up(&self) -> bool {
        self.over || self.call.is_hung_up()
    }
}
