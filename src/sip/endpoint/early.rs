//! Descriptions before the answer: early media (RFC 3261 §13.2.1, 3262 §5, 3311, 6337 §3).
//!
//! As a caller: each branch of our INVITE may answer our offer in a provisional response. What came reliably is final
//! for that branch; what came otherwise is what its 200 will repeat. As a callee: a description in a reliable 183 is
//! our answer, so the 200 has none, and waits for that response's PRACK.

use super::{Endpoint, Event, Instant, LegId, Request, Response, leg::Leg};
use crate::sip::dialog::Dialog;

/// The answer to our offer that a branch gave before its 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EarlyAnswer {
    pub(super) sdp: Vec<u8>,
    /// It came in a reliable response, or in an UPDATE: nothing later changes it.
    pub(super) reliable: bool,
}

impl Leg {
    /// The dialog that a request with this From tag belongs to: of a branch while none has answered.
    pub(super) fn dialog_with(&mut self, their_tag: &str) -> Option<&mut Dialog> {
        if self.dialog.is_some() {
            return self.dialog.as_mut();
        }
        self.early
            .iter_mut()
            .map(|early| &mut early.dialog)
            .find(|dialog| dialog.remote.tag().unwrap_or_default() == their_tag)
    }

    /// Offer and answer of the INVITE have been exchanged before its 200: UPDATE may change the session (RFC 3311 §5.1).
    pub(super) fn is_described_early(&self, their_tag: &str) -> bool {
        self.described_early
            || self.early.iter().any(|early| {
                early.dialog.remote.tag().unwrap_or_default() == their_tag
                    && early.answer.as_ref().is_some_and(|answer| answer.reliable)
            })
    }
}

impl Endpoint {
    /// A provisional response to our INVITE, which is the first of its kind on its branch: tells of it, with the
    /// description if it has a new one.
    pub(super) fn progress(&mut self, id: LegId, response: &Response, reliable: bool) {
        let tag = tag_of(response);
        let sdp = response.sdp().map(<[u8]>::to_vec);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let branch = leg.early.iter_mut().find(|early| early.dialog.remote.tag().unwrap_or_default() == tag);
        let fresh = match (branch, sdp) {
            (Some(branch), Some(sdp)) => {
                let known = branch.answer.as_ref().is_some_and(|answer| answer.reliable || answer.sdp == sdp);
                if known {
                    None
                } else {
                    branch.answer = Some(EarlyAnswer { sdp: sdp.clone(), reliable });
                    Some(sdp)
                }
            }
            _ => None,
        };
        self.event(Event::Progress(id, response.status, fresh));
    }

    /// The description that counts once a branch has answered: its reliable early one, else the 200's, else the early.
    pub(super) fn final_answer(response: &Response, early: Option<EarlyAnswer>) -> Option<Vec<u8>> {
        match early {
            Some(early) if early.reliable => Some(early.sdp),
            early => response.sdp().map(<[u8]>::to_vec).or_else(|| early.map(|early| early.sdp)),
        }
    }

    /// An UPDATE with an offer came in before the answer: from now on that is how the branch describes itself.
    pub(super) fn updated_early(&mut self, id: LegId, request: &Request) {
        let tag = request.headers.from().ok().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let branch = leg.early.iter_mut().find(|early| early.dialog.remote.tag().unwrap_or_default() == tag);
        if let (Some(branch), Some(sdp)) = (branch, request.sdp()) {
            branch.answer = Some(EarlyAnswer { sdp: sdp.to_vec(), reliable: true });
        }
    }

    /// Forgets the branches of a leg, but for the dialog that it goes on with.
    pub(super) fn forget_early(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        for early in leg.early.drain(..) {
            let key = early.dialog.key();
            if leg.dialog.as_ref().is_none_or(|dialog| dialog.key() != key) {
                self.dialogs.remove(&key);
            }
        }
    }

    /// Our 200 has to wait: a reliable 183 of ours with a description has no PRACK yet (RFC 3262 §3).
    pub(super) fn answer_waits(&mut self, id: LegId, sdp: &str) -> bool {
        let Some(leg) = self.legs.get_mut(&id) else { return false };
        let waits = leg.provisional.as_ref().is_some_and(|provisional| provisional.described);
        if waits {
            leg.answer_waiting = Some(sdp.to_owned());
        }
        waits
    }

    /// A reliable response of ours has its PRACK.
    pub(super) fn provisional_acknowledged(&mut self, now: Instant, id: LegId, described: bool) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.described_early |= described;
        if let Some(sdp) = leg.answer_waiting.take() {
            self.answer(now, id, sdp);
        }
    }
}

fn tag_of(response: &Response) -> String {
    response.headers.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default()
}
