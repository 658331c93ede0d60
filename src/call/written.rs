//! Words of the transcript, said or written: what the caller writes is a turn of its own, and an answer is owed to it.
//!
//! Called by [`super::Call`]; whether the agent reads at all is `pipeline::written`'s to know.

use super::{
    Call,
    journal::{Body, Fragment, Who},
};
use crate::{clock::Instant, redact::Pii, unit::TurnId};

/// A piece of what somebody said.
pub(super) const fn said(who: Who, turn: TurnId, text: String) -> Body {
    Body::Transcript(Fragment { who, turn, text: Pii(text), written: false })
}

impl Call {
    /// The caller wrote to the agent.
    pub(super) fn wrote(&mut self, now: Instant, text: String) {
        // Pieces of a turn stand beside each other as they are: a space before this one.
        let text = Pii(format!(" {text}"));
        let turn = self.turns.caller_wrote(&text.0);
        self.silence.owes(now, "what the caller wrote");
        self.record(Body::Transcript(Fragment { who: Who::Caller, turn, text, written: true }));
    }
}
