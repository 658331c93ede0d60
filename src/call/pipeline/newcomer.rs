//! Another agent takes over a call, because the old one asks for it or has failed: the old one is closed, what it has said
//! is heard to its end, then the new one starts.

use super::{Pipeline, Seat, Told, Tools};
use crate::{
    agent::{event::Outcome, wire::tool::Tool},
    call::{BargeIn, Input as CallInput, manners::Manners, turn::Owner},
    clock::Instant,
    unit::SampleRate,
};
use std::{sync::Arc, time::Duration};

/// Who takes over.
#[derive(Debug)]
pub struct Newcomer {
    /// The number under which the old agent asked for it; none if it has failed.
    pub id: Option<u32>,
    /// Profile name.
    pub name: String,
    /// The agent, or that it is remote.
    pub seat: Seat,
    /// Whose the model is.
    pub owner: Owner,
    /// Who decides that the caller interrupts.
    pub barge_in: BargeIn,
    /// How it behaves towards the caller.
    pub manners: Arc<Manners>,
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
    /// Whether another agent may take over now.
    ///
    /// # Errors
    /// Why not, in words for the agent.
    pub fn may_switch(&self) -> Result<(), &'static str> {
        if matches!(self.seat, Seat::Far) {
            Err("the caller was put through")
        } else if self.over || self.call.is_ending() || self.call.is_hung_up() || self.call.answered_at().is_none() {
            Err("the call is not up")
        } else if self.hold.on {
            Err("the caller is held")
        } else {
            Ok(())
        }
    }

    /// Whether another agent may take the place of one that has failed: also while it rings, and while the caller holds us.
    #[must_use]
    pub fn may_fall_back(&self) -> bool {
        !matches!(self.seat, Seat::Far) && !self.over && !self.call.is_ending() && !self.call.is_hung_up()
    }

    /// The agent has failed, and `newcomer` takes its calls.
    pub(super) fn fall_back(&mut self, now: Instant, reason: String, newcomer: Newcomer) {
        self.call.handle(now, CallInput::FellBack { reason, to: newcomer.name.clone() });
        self.switch(now, newcomer);
    }

    pub(super) fn switch(&mut self, now: Instant, newcomer: Newcomer) {
        let Newcomer { id, name, seat, owner, barge_in, manners, prebuffer, rate, speaks, tools } = newcomer;
        if let Some(id) = id {
            self.call.handle(now, CallInput::Acted(id, Outcome::Done(String::new())));
        }
        // It hears that it may go before it goes.
        self.settle(now);
        self.tell(now, Told::Close);
        self.seat = seat;
        self.tools = Tools::new(tools);
        self.call.set_tools_at_work(now, false);
        self.set_agent(rate.unwrap_or(SampleRate::HZ_8000), true);
        self.floor.forget_marks();
        self.settings.agent_rate = rate;
        self.settings.agent_speaks = speaks;
        self.settings.prebuffer = prebuffer;
        if let Some(media) = &mut self.media {
            media.outbound.set_prebuffer(prebuffer);
        }
        self.call.handle(now, CallInput::Switched { name, owner, barge_in, manners });
    }
}
