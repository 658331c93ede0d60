//! What the caller writes to the agent, from the page of a browser: to agents that read, and to nobody else.

use super::{Out, Pipeline, Seat};
use crate::{call::Input as CallInput, clock::Instant};

impl Pipeline {
    /// The remote agent that is being connected reads what the caller writes.
    pub const fn set_agent_reads(&mut self, reads: bool) {
        self.reads = reads;
    }

    /// Whether the caller may write to the agent now.
    ///
    /// # Errors
    /// Why not, in words for the caller.
    pub fn may_write(&self) -> Result<(), &'static str> {
        match self.seat {
            Seat::Far => Err("the other end is no agent: it reads no texts"),
            Seat::Local(_) => Err("this agent reads no texts"),
            Seat::Remote if !self.reads && self.call.agent_was_ready() => Err("this agent reads no texts"),
            Seat::Remote if !self.is_up() || !self.reads => Err("nobody is there yet who could read it"),
            Seat::Remote if self.call.is_ending() || self.call.is_hung_up() => Err("the call is ending"),
            Seat::Remote => Ok(()),
        }
    }

    pub(super) fn wrote(&mut self, now: Instant, text: String) {
        if self.may_write().is_ok() {
            self.call.handle(now, CallInput::Wrote(text.clone()));
            self.push(Out::TellText(text));
        }
    }
}
