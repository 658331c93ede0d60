//! Media before the answer (RFC 3261 §13.2.1, 3960, 6337 §3), and a far end that takes another's place (RFC 3891).

use super::{
    Out, Pipeline, SipAction,
    background::Sound,
    hold::Hold,
    srtp::{Settings, Srtp},
};
use crate::{
    call::{
        Early, Input as CallInput,
        journal::{Body, Level, Note},
    },
    clock::Instant,
    sip::sdp::{Description, negotiate},
};

impl Pipeline {
    /// Our call has media before anybody answers: heard and recorded, but nobody's turn.
    pub(super) fn early_media(&mut self, now: Instant, status: u16, sdp: &[u8]) {
        let (local, security) = (self.local(), self.srtp.offered());
        let agreed = Description::parse(sdp).and_then(|answer| {
            negotiate::accept(&answer, &self.offerable(security), &local).map_err(|refused| refused.to_string())
        });
        match agreed {
            Ok(agreed) => {
                self.early = true;
                self.described = Some(sdp.to_vec());
                self.start_media(now, agreed);
                self.call.handle(now, CallInput::EarlyMedia(status));
            }
            Err(problem) => {
                self.note(now, Level::Warn, format!("early media of the {status} cannot be taken: {problem}"));
                self.call.handle(now, CallInput::Progress(status));
            }
        }
    }

    /// Rings with a description: the caller hears what we send until we answer.
    pub(super) fn ring_with_media(&mut self) {
        let Some(text) = self.our_answer.clone() else {
            // Without an offer there is nothing to answer to yet.
            self.push(Out::Sip(SipAction::Ring));
            return;
        };
        self.early = true;
        if self.settings.call.early == Early::Ring {
            self.play(Some(Sound::Ringing));
        }
        self.push(Out::Sip(SipAction::RingWithMedia(text)));
    }

    /// From here on the far end is a page, whose connection has keys of its own: whatever was offered, no packet is
    /// encrypted here.
    pub fn forget_keys(&mut self) {
        self.srtp = Srtp::new(Settings::default());
    }

    /// Whether what comes in is before the answer of a call of ours: tones and announcements of the network.
    pub(super) const fn is_unanswered_call_of_ours(&self) -> bool {
        self.settings.we_are_caller && self.call.answered_at().is_none()
    }

    /// Another far end takes the place of ours, with this offer or none: the conversation goes on with it.
    pub(super) fn replaced(&mut self, now: Instant, sdp: Option<&[u8]>, in_clear: bool) {
        let before = self.srtp.moves(in_clear);
        let negotiated = match sdp {
            Some(sdp) => self.negotiated(now, sdp).map(Some),
            None => self.srtp.for_answer().forbids_offer().map_or(Ok(None), |problem| Err(problem.to_owned())),
        };
        let text = match negotiated {
            Ok(negotiated) => {
                self.hold = Hold::default();
                self.play(None);
                let text = if let Some((agreed, text)) = negotiated {
                    let held = !agreed.flow.sends();
                    self.start_media(now, agreed);
                    self.call.handle(now, CallInput::Held(held));
                    text
                } else {
                    self.offer_in_200 = true;
                    let text = self.offer_elsewhere(in_clear);
                    self.srtp.arrived_elsewhere();
                    text
                };
                self.described = sdp.map(<[u8]>::to_vec);
                text
            }
            Err(problem) => {
                self.srtp.moves(before);
                self.record(now, Body::Note(Note { level: Level::Warn, text: format!("Replaces refused: {problem}") }));
                self.push(Out::Sip(SipAction::RefuseReplacing(488)));
                return;
            }
        };
        self.push(Out::Sip(SipAction::AnswerReplacing(text)));
        if self.call.answered_at().is_none() {
            self.call.handle(now, CallInput::Answered);
        }
    }
}
