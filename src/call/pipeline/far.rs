//! The other leg of a bridge on the agent's chair: what it does to this call, and sound and digits both ways.
//!
//! A bridged call is two ordinary calls, each with its own pipeline; each is the other's far end. What one hears goes out
//! as [`super::Output::Far`] and comes into the other as [`super::Input::Far`]; the driver carries it. Who rings, answers
//! and hangs up when is decided by `call::bridge`.

use super::{Media, Out, Pipeline, Seat, Told};
use crate::{
    call::journal::{Body, BridgeChange, BridgeState, Level, Note},
    call::{Early, Input as CallInput},
    clock::Instant,
    media::relay::{Far, Relay},
    unit::{CallId, SampleRate},
};

/// What the other leg does.
#[derive(Clone, Debug)]
pub enum Bridged {
    /// It is being called: its session, and who it is, in words.
    Calling(CallId, String),
    /// It rings; with sound, the far end is to hear it before the answer.
    Ring {
        /// 183 instead of 180.
        sound: bool,
    },
    /// It was answered: so are we.
    Answer,
    /// From now on both hear each other: its session, and who it is, in words.
    Join(CallId, String),
    /// From now on this call is in a conference, in words.
    Enter(String),
    /// It could not be had. This call is refused, or goes on as it was; in words, why.
    Failed(String),
    /// It is over: so are we.
    Ended {
        /// `caller` or `callee`.
        by: &'static str,
        /// `Reason` header.
        header: String,
    },
    /// It holds us, or is back: so does our far end hear.
    Hold(bool),
}

/// What a pipeline keeps of its bridge.
#[derive(Debug, Default)]
pub(super) struct Bridge {
    /// Somebody is heard: the other leg, or a conference.
    joined: bool,
    /// The other leg; none in a conference.
    peer: Option<CallId>,
    name: String,
}

impl Pipeline {
    pub(super) fn bridged(&mut self, now: Instant, bridged: Bridged) {
        match bridged {
            Bridged::Calling(peer, name) => self.note_bridge(now, BridgeState::Calling, Some(peer), name),
            Bridged::Ring { sound } => self.ring(now, sound),
            Bridged::Answer => self.call.handle(now, CallInput::Answer),
            Bridged::Join(peer, name) => self.join(now, Some(peer), name),
            Bridged::Enter(name) => self.join(now, None, name),
            Bridged::Failed(text) => {
                self.note_bridge(now, BridgeState::Failed, None, text.clone());
                if self.call.answered_at().is_none() {
                    self.call.handle(now, CallInput::NotAnswered(text));
                }
            }
            Bridged::Ended { by, header } => self.call.handle(now, CallInput::FarEnded { by, header }),
            Bridged::Hold(hold) => self.pass_hold(now, hold),
        }
    }

    /// What the other leg says.
    pub(super) fn far(&mut self, now: Instant, far: Far<'_>) {
        let Some(media) = &mut self.media else { return };
        if !media.outbound.relayed(far)
            && let Far::Digit(digit, duration_ms) = far
            && !self.inform(now, digit, duration_ms)
        {
            let text = format!("digit {digit} of the other leg was not sent: the far end takes no telephone-event");
            self.record(now, Body::Note(Note { level: Level::Warn, text }));
        }
    }

    /// A frame of ours goes to the other leg.
    pub(super) fn pass_on(&mut self, at: Instant, position: u64, rate: SampleRate, samples: &[i16]) {
        let Some(Media { inbound, .. }) = self.media.as_ref().filter(|_| self.bridge.joined) else { return };
        let mut payload = self.spare_datagrams.pop().unwrap_or_default();
        payload.clear();
        let mut sound = self.spare_samples.pop().unwrap_or_default();
        sound.clear();
        let heard = self.recording.heard_by_agent(rate, samples);
        if std::ptr::eq(heard, samples) {
            payload.extend_from_slice(inbound.payload());
        }
        sound.extend_from_slice(heard);
        let (codec, is_filling, is_digit) = (inbound.codec(), inbound.is_filling(), inbound.is_digit());
        self.out.push_back(Out::FarSound { at, position, is_filling, is_digit, codec, rate, payload, samples: sound });
    }

    /// Both directions of our media know the other leg, if there are both.
    pub(super) fn hear_far(&mut self) {
        if let Some(media) = self.media.as_mut().filter(|_| self.bridge.joined) {
            media.inbound.keep_payloads();
            media.outbound.join();
        }
    }

    /// What passed, at the end.
    pub(super) fn leave(&mut self, now: Instant) {
        if !std::mem::take(&mut self.bridge.joined) {
            return;
        }
        let peer = self.bridge.peer.take();
        let counters = self.media.as_ref().and_then(|media| media.outbound.relay()).map(Relay::counters);
        let counters = counters.unwrap_or_default();
        let change = BridgeChange {
            peer,
            state: BridgeState::Left,
            text: std::mem::take(&mut self.bridge.name),
            passed: counters.passed,
            transcoded: counters.transcoded,
            dropped: counters.dropped,
        };
        self.record(now, Body::Bridge(change));
    }

    fn note_bridge(&mut self, now: Instant, state: BridgeState, peer: Option<CallId>, text: String) {
        self.record(now, Body::Bridge(BridgeChange { peer, state, text, passed: 0, transcoded: 0, dropped: 0 }));
    }

    fn ring(&mut self, now: Instant, sound: bool) {
        if sound || self.settings.call.early == Early::Ring {
            self.ring_with_media();
        } else {
            self.call.handle(now, CallInput::Ring);
        }
    }

    fn join(&mut self, now: Instant, peer: Option<CallId>, name: String) {
        if self.bridge.joined {
            return;
        }
        if !matches!(self.seat, Seat::Far) {
            // An agent's caller is put through: from here on it has nothing to say.
            self.call.handle(now, CallInput::HandedOver(name.clone()));
            self.settle(now);
            self.tell(now, Told::Close);
            self.seat = Seat::Far;
            self.uplink.chunk.clear();
        }
        // Our own ring tone ends where the other leg begins.
        self.play(None);
        (self.bridge.joined, self.bridge.peer) = (true, peer);
        self.bridge.name.clone_from(&name);
        self.note_bridge(now, BridgeState::Joined, peer, name);
        self.hear_far();
    }
}
