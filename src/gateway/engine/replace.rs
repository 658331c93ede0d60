//! A new far end takes the place of a call's (RFC 3891), and we send one far end to another (RFC 5589 §7).
//!
//! The session, with agent and conversation, stays; only its leg changes. Who may do that is who may send us elsewhere
//! (`outbound.transfers`).

use super::{Command, Denied, Engine, Offered, Refusal, printable};
use crate::{
    call::journal::Level, clock::SystemClock, config::Transfers, gateway::session::In, sip::endpoint::LegId,
    unit::CallId,
};

impl Engine {
    /// An INVITE wants to take the place of `old`.
    pub(super) fn replaced(&mut self, new: LegId, old: LegId, offered: Offered, from_trunk: bool) {
        let now = SystemClock::now();
        // Names and tags of a dialog can be overheard: they prove nothing.
        let known =
            from_trunk || offered.user.is_some() || self.endpoint.source_of(old) == Some(offered.path.remote.ip());
        let may = match self.config.transfers {
            Transfers::Off => false,
            Transfers::Known => known,
            Transfers::All => true,
        };
        if !may {
            let why = "this caller may not take the place of another";
            return self.deny(new, &offered, Denied::by_key(403, "outbound.transfers", why));
        }
        let offered_user = offered.user.is_some();
        let busy = |call: &CallId| self.replacing.contains_key(call);
        let session = self.sessions.get(&old).filter(|known| !busy(&known.call) && self.draining.is_none());
        let Some(known) = session else {
            self.endpoint.command(now, Command::Refuse(new, Refusal::status(481)));
            return;
        };
        let (call, to) = (known.call, known.to.clone());
        if let Some(trace) = self.waiting_trace.take().filter(|trace| trace.leg == Some(new)) {
            let (message, packet) = self.describe(&trace);
            let _ = to.try_send(In::Trace(Box::new(message), packet));
        }
        let text = format!("{} takes the place of the far end (Replaces)", printable(offered.from.number()));
        let _ = to.try_send(In::Note(Level::Info, text));
        if to.try_send(In::Replaced(offered.sdp, !offered.path.transport.is_secure())).is_err() {
            self.endpoint.command(now, Command::Refuse(new, Refusal::status(503)));
            return;
        }
        // Who takes a place does not inherit the trust that its holder had.
        let known = from_trunk || offered_user;
        self.replacing.insert(call, (new, known));
    }

    /// The session goes on with its new far end.
    pub(super) fn take_place(&mut self, call: CallId, sdp: String) {
        let now = SystemClock::now();
        let Some(old) = self.leg_of(call) else { return };
        let Some((new, known)) = self.replacing.remove(&call) else {
            // Whoever came is gone, and the sound has moved to them: there is no way back to whom they replaced.
            self.tell(old, In::HangUp("who took the far end's place hung up".to_owned()));
            return;
        };
        let Some(session) = self.sessions.remove(&old) else { return };
        self.give_up_moves_of(old);
        self.sessions.insert(new, session);
        self.bridges.moved(old, new);
        self.may_refer(new, known);
        self.endpoint.command(now, Command::Answer(new, sdp));
        self.endpoint.command(now, Command::HangUp(old, Some("SIP;cause=200;text=\"replaced\"".into())));
    }

    /// It cannot: everything stays as it was.
    pub(super) fn refuse_place(&mut self, call: CallId, status: u16) {
        if let Some((new, _)) = self.replacing.remove(&call) {
            self.endpoint.command(SystemClock::now(), Command::Refuse(new, Refusal::status(status)));
        }
    }

    /// The session is over: nobody takes a place in it.
    pub(super) fn give_up_replacing(&mut self, call: CallId) {
        self.refuse_place(call, 481);
    }

    /// Sends the far end of `call` to take our place in `other`; see [`super::Handle::transfer_to`].
    pub(super) fn transfer_to(&mut self, call: CallId, other: CallId) -> Option<bool> {
        let (leg, other) = (self.leg_of(call)?, self.leg_of(other)?);
        let (Some(_), Some(to)) = (self.endpoint.place_in(leg), self.endpoint.place_in(other)) else {
            return Some(false);
        };
        self.endpoint.command(SystemClock::now(), Command::Transfer(leg, to));
        Some(true)
    }
}
