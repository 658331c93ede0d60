//! Bridges: a call that goes on to a user's telephones or through a trunk (B2BUA).
//!
//! Carries out what `call::bridge` decides: sends INVITEs, joins both sessions on a line of their media worker. The
//! callee's session is one, however many branches ring; whichever branch wins becomes its leg. Routes enter at
//! [`Engine::onward`], agents' callers by the API at [`Engine::put_through`], both in `onward`; whom to call, `ways` finds.

mod onward;
mod ways;

pub(super) use onward::{Caller, Onward};

use super::{
    Command, Engine, In, Refusal,
    endpoint::Attempt,
    pages::{PageId, Taken},
    targets::Trail,
};
use crate::{
    agent::event::Outcome,
    call::{
        bridge::{self, Action, Bridge, Side, reason_of},
        journal::Level,
        pipeline::Bridged,
    },
    clock::{Instant, SystemClock},
    gateway::{line::LineId, session::web::Refused},
    redact::printable,
    route::Target,
    sip::endpoint::{Ended, EndedBy, LegId, Outgoing},
    unit::CallId,
};
use std::collections::HashMap;

/// Whose a leg of a bridge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Caller,
    Branch(usize),
}

/// All bridges.
#[derive(Debug, Default)]
pub(super) struct Bridges {
    all: HashMap<u64, Bridging>,
    legs: HashMap<LegId, (u64, End)>,
    newest: u64,
}

/// One bridge.
#[derive(Debug)]
struct Bridging {
    onward: Onward,
    /// `user alice`, `trunk carrier`.
    name: String,
    caller: CallId,
    caller_leg: LegId,
    callee: CallId,
    /// Where the callee's session is found: a number that is no leg until a branch wins.
    callee_leg: LegId,
    /// None until the ways are known.
    machine: Option<Bridge>,
    /// Pages of the user: the first branches.
    pages: Vec<PageId>,
    /// What to send on each branch after those.
    ways: Vec<Outgoing>,
    /// Where each branch goes on along, if its server's name stands for several.
    trails: Vec<Option<Trail>>,
    legs: Vec<Option<LegId>>,
    answer: Option<Vec<u8>>,
    /// A page that has answered.
    taken: Option<Box<Taken>>,
    joined: bool,
    /// The callee's session has agreed with it on media.
    accepted: bool,
    /// Why nobody answered: by whom, status, words.
    ended: Option<(EndedBy, u16, String)>,
}

impl Bridges {
    /// A branch that rings a user of ours, which costs nothing.
    pub(super) fn is_free(&self, leg: LegId) -> bool {
        let of = self.legs.get(&leg).and_then(|(id, _)| self.all.get(id));
        of.is_some_and(|bridging| matches!(bridging.onward.target, Target::User(_)))
    }

    /// When a bridge wants to hear of the time.
    pub(super) fn timeout(&self) -> Instant {
        let machines = self.all.values().filter_map(|bridging| bridging.machine.as_ref());
        machines.map(Bridge::timeout).min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// The leg under which the session is found that a branch belongs to.
    pub(super) fn session_leg(&self, leg: LegId) -> Option<LegId> {
        let (id, _) = self.legs.get(&leg)?;
        self.all.get(id).map(|bridging| bridging.callee_leg)
    }

    /// A leg has taken over another's session.
    pub(super) fn moved(&mut self, from: LegId, to: LegId) {
        let Some((id, end)) = self.legs.remove(&from) else { return };
        self.legs.insert(to, (id, end));
        let Some(bridging) = self.all.get_mut(&id) else { return };
        match end {
            End::Caller => bridging.caller_leg = to,
            End::Branch(branch) => {
                bridging.callee_leg = to;
                bridging.legs[branch] = Some(to);
            }
        }
    }
}

impl Engine {
    // What happens

    /// An outgoing leg gives a sign; true if it is a bridge's.
    pub(super) fn bridge_progress(&mut self, leg: LegId, status: u16, sdp: Option<&[u8]>) -> bool {
        let Some((id, End::Branch(branch))) = self.bridges.legs.get(&leg).copied() else { return false };
        let Some(bridging) = self.bridges.all.get_mut(&id) else { return true };
        let session = bridging.callee_leg;
        let heard = bridging.machine.as_ref().is_some_and(|machine| machine.would_be_heard(branch));
        match sdp {
            Some(sdp) if heard => self.tell(session, In::EarlyMedia(status, sdp.to_vec())),
            None if status > 100 => self.tell(session, In::Progress(status)),
            _ => {}
        }
        self.bridge_input(id, bridge::Input::Progress { branch, status, sound: sdp.is_some() });
        true
    }

    /// An outgoing leg was answered; true if it is a bridge's.
    pub(super) fn bridge_answered(&mut self, leg: LegId, sdp: Option<&[u8]>) -> bool {
        let Some((id, End::Branch(branch))) = self.bridges.legs.get(&leg).copied() else { return false };
        if let Some(bridging) = self.bridges.all.get_mut(&id).filter(|bridging| !bridging.joined) {
            bridging.answer = sdp.map(<[u8]>::to_vec);
        }
        self.bridge_input(id, bridge::Input::Answered { branch });
        true
    }

    /// A page answers for its branch.
    pub(super) fn bridge_taken(&mut self, leg: LegId, taken: Taken) {
        let Some((id, End::Branch(branch))) = self.bridges.legs.get(&leg).copied() else { return };
        if let Some(bridging) = self.bridges.all.get_mut(&id) {
            bridging.taken = Some(Box::new(taken));
        }
        self.bridge_input(id, bridge::Input::Answered { branch });
        // Somebody else was quicker.
        if let Some(late) = self.bridges.all.get_mut(&id).and_then(|bridging| bridging.taken.take()) {
            let why = "somebody else took the call".to_owned();
            let _ = late.joining.reply.send(Err(Refused { status: 410, why }));
            self.session_of_bridge_over(leg);
        }
    }

    /// A leg is over; its session has been told.
    pub(super) fn bridge_ended(&mut self, leg: LegId, ended: &Ended) {
        let Some((id, end)) = self.bridges.legs.remove(&leg) else { return };
        let reason = ended.reason.clone();
        match end {
            End::Caller if self.bridges.all.get(&id).is_some_and(|bridging| bridging.machine.is_none()) => {
                self.bridges.all.remove(&id);
            }
            End::Caller => {
                if let Some(bridging) = self.bridges.all.get_mut(&id) {
                    bridging.ended.get_or_insert((EndedBy::Us, 487, reason.clone()));
                }
                self.bridge_input(id, bridge::Input::CallerEnded { reason });
            }
            End::Branch(branch) => {
                let (status, by_peer) = (ended.status, ended.answered_by_peer);
                self.bridge_input(id, bridge::Input::Ended { branch, status, by_peer, reason });
            }
        }
    }

    /// A session is over whose leg the endpoint knows nothing of: a browser's, or one that panicked.
    pub(super) fn session_of_bridge_over(&mut self, leg: LegId) {
        let gone = Ended { by: EndedBy::Us, status: None, reason: String::new(), answered_by_peer: false };
        self.bridge_ended(leg, &gone);
    }

    /// The callee's session ends before anybody answered: its telephones stop ringing. True if it is such a session.
    pub(super) fn give_up_calling(&mut self, leg: LegId) -> bool {
        let mut waiting = self.bridges.all.iter();
        let id = waiting.find(|(_, bridging)| !bridging.joined && bridging.callee_leg == leg).map(|(id, _)| *id);
        if let Some(id) = id {
            self.bridge_input(id, bridge::Input::GiveUp);
        }
        id.is_some()
    }

    /// One side holds, or is back: the other side's far end hears of it.
    pub(super) fn bridge_held(&self, leg: LegId, held: bool) {
        let Some((id, end)) = self.bridges.legs.get(&leg) else { return };
        let Some(bridging) = self.bridges.all.get(id).filter(|bridging| bridging.joined) else { return };
        let other = if *end == End::Caller { bridging.callee_leg } else { bridging.caller_leg };
        self.tell(other, In::Bridged(Bridged::Hold(held)));
    }

    /// Bridges whose time has come.
    pub(super) fn bridges_due(&mut self) {
        let now = SystemClock::now();
        if self.bridges.timeout() > now {
            return;
        }
        let is_due = |bridging: &Bridging| bridging.machine.as_ref().is_some_and(|machine| machine.timeout() <= now);
        let due: Vec<u64> =
            self.bridges.all.iter().filter(|(_, bridging)| is_due(bridging)).map(|(id, _)| *id).collect();
        for id in due {
            self.bridge_input(id, bridge::Input::Timeout);
        }
    }

    /// Whether a leg is one of a bridge's.
    pub(super) fn is_bridged(&self, leg: LegId) -> bool {
        self.bridges.legs.contains_key(&leg)
    }

    // What is done

    fn bridge_input(&mut self, id: u64, input: bridge::Input) {
        let now = SystemClock::now();
        let Some(machine) = self.bridges.all.get_mut(&id).and_then(|bridging| bridging.machine.as_mut()) else {
            return;
        };
        machine.handle(now, input);
        while let Some(bridging) = self.bridges.all.get_mut(&id)
            && let Some(action) = bridging.machine.as_mut().and_then(Bridge::poll)
        {
            self.bridge_action(now, id, action);
        }
    }

    fn bridge_action(&mut self, now: Instant, id: u64, action: Action) {
        let Some(bridging) = self.bridges.all.get_mut(&id) else { return };
        let (caller, callee) = (bridging.caller_leg, bridging.callee_leg);
        match action {
            Action::Invite(branch) => {
                let leg = self.endpoint.new_leg();
                if let Some(page) = bridging.pages.get(branch).copied() {
                    let (from, display) = bridging.onward.shown();
                    bridging.legs[branch] = Some(leg);
                    self.bridges.legs.insert(leg, (id, End::Branch(branch)));
                    return self.ring_page(page, leg, &from, &display);
                }
                let Some(way) = bridging.ways.get(branch - bridging.pages.len()).cloned() else { return };
                bridging.legs[branch] = Some(leg);
                self.bridges.legs.insert(leg, (id, End::Branch(branch)));
                let trail = bridging.trails.get_mut(branch).and_then(Option::take);
                let local = way.path.local.ip();
                self.endpoint.command(now, Command::Invite(leg, Box::new(way)));
                if let Some(trail) = trail {
                    self.go_along(Attempt::Leg(leg), trail, Some(local));
                }
            }
            Action::Drop(branch, reason) => {
                if let Some(leg) = bridging.legs.get(branch).copied().flatten()
                    && !self.stop_ringing(leg, reason)
                {
                    self.endpoint.command(now, Command::HangUp(leg, Some(reason.to_owned())));
                }
            }
            Action::Ring => self.tell(caller, In::Bridged(Bridged::Ring { sound: false })),
            Action::Sound(_) => {
                self.connect(id);
                self.tell(caller, In::Bridged(Bridged::Ring { sound: true }));
            }
            Action::Join(branch) => self.answered_by(now, id, branch),
            Action::Fail { status, reason, text } => {
                let (rule, up, name) = (bridging.onward.rule.clone(), bridging.onward.caller_up, bridging.name.clone());
                bridging.ended = Some((EndedBy::Far, status, text.clone()));
                let text = format!("{name}: {status} {}", printable(&text));
                let call = bridging.caller;
                self.act_put_through(call, Outcome::Refused(format!("not put through to {text}")));
                self.tell(caller, In::Bridged(Bridged::Failed(text.clone())));
                if up {
                    return self.tell(caller, In::Note(Level::Warn, format!("not put through to {text}")));
                }
                tracing::info!(target: "call", event = "call.not_bridged", status, rule = rule.as_str(), "{text}");
                if self.refuse_page(caller, status, &text) {
                    return;
                }
                let why = format!("399 voxgw \"rule {rule}: {}\"", text.replace(['"', '\\'], "'"));
                let headers = vec![("Reason".to_owned(), reason), ("Warning".to_owned(), why)];
                self.endpoint.command(now, Command::Refuse(caller, Refusal { status, headers }));
            }
            Action::HangUp(Side::Caller, reason) if !bridging.accepted => {
                let text = "what it answered cannot be used".to_owned();
                self.bridge_action(now, id, Action::Fail { status: 502, reason, text });
            }
            Action::HangUp(Side::Caller, header) => {
                self.tell(caller, In::Bridged(Bridged::Ended { by: "callee", header }));
            }
            Action::HangUp(Side::Callee, header) => {
                self.tell(callee, In::Bridged(Bridged::Ended { by: "caller", header }));
            }
            Action::Over => self.bridge_over(id),
        }
    }

    /// A branch won: the callee's session is on its leg now, and both hear each other.
    fn answered_by(&mut self, now: Instant, id: u64, branch: usize) {
        let Some(bridging) = self.bridges.all.get_mut(&id) else { return };
        let Some(leg) = bridging.legs.get(branch).copied().flatten() else { return };
        let before = std::mem::replace(&mut bridging.callee_leg, leg);
        let answer = bridging.answer.take();
        let mut taken = bridging.taken.take();
        bridging.joined = true;
        if matches!(bridging.onward.target, Target::Trunk(_)) || self.trails.elsewhere.contains(&leg) {
            self.tolls.answered(now, leg);
        }
        let Some(mut known) = self.sessions.remove(&before) else {
            if taken.is_some() {
                return self.session_of_bridge_over(leg);
            }
            return self.endpoint.command(now, Command::HangUp(leg, None));
        };
        known.is_page = taken.is_some();
        if let Some(taken) = &mut taken {
            taken.joining.shared = self.shared_port(taken.media.0, known.worker);
        }
        self.sessions.insert(leg, known);
        self.tell(leg, taken.map_or(In::Answered(answer), In::Taken));
    }

    /// The callee's session has agreed with its far end: only now the caller is answered, who may pay from then on.
    pub(super) fn callee_accepted(&mut self, leg: LegId) {
        let Some((id, End::Branch(_))) = self.bridges.legs.get(&leg).copied() else { return };
        let Some(bridging) = self.bridges.all.get_mut(&id).filter(|bridging| bridging.joined) else { return };
        bridging.accepted = true;
        let (caller, call) = (bridging.caller_leg, bridging.caller);
        self.act_put_through(call, Outcome::Done(String::new()));
        self.connect(id);
        self.tell(caller, In::Bridged(Bridged::Answer));
    }

    /// Both sessions are given their ends of the line; twice does nothing more.
    fn connect(&self, id: u64) {
        let Some(bridging) = self.bridges.all.get(&id) else { return };
        let line = LineId(id);
        self.tell(bridging.callee_leg, In::Join(line, Side::Callee, bridging.caller, "the caller".to_owned()));
        self.tell(bridging.caller_leg, In::Join(line, Side::Caller, bridging.callee, bridging.name.clone()));
    }

    fn bridge_over(&mut self, id: u64) {
        let Some(bridging) = self.bridges.all.remove(&id) else { return };
        self.bridges.legs.retain(|_, (of, _)| *of != id);
        if bridging.joined {
            return;
        }
        // No branch took the callee's session over: it ends as they did.
        let (by, status, reason) = bridging.ended.unwrap_or((EndedBy::Us, 487, String::new()));
        if by == EndedBy::Us {
            let header = reason_of(&reason);
            self.tell(bridging.callee_leg, In::Bridged(Bridged::Ended { by: "caller", header }));
        }
        let gone = Ended { by, status: Some(status), reason, answered_by_peer: true };
        self.tell(bridging.callee_leg, In::Ended(gone));
    }
}
