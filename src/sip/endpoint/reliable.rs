//! Reliable provisional responses (RFC 3262), both roles.
//!
//! As a server: 180 or 183 with `RSeq` is repeated until PRACK. As a client: such a response gets its PRACK, within
//! the early dialog that it belongs to; each branch of a fork has its own.

use super::{
    Endpoint, Event, Instant, Key, LegId, Method, Path, Refusal, Request, Response, Role, leg::Stage, number_of,
};
use crate::sip::{
    dialog::Dialog,
    tx::{T1, T1_64},
};
use std::time::Duration;

/// A call that rings says so again this often.
const RING_EVERY: Duration = Duration::from_mins(1);

/// When we send provisional responses reliably.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reliability {
    /// Never; callers that require it are refused with 420.
    Off,
    /// When the caller requires it.
    #[default]
    Required,
    /// When the caller supports it.
    Supported,
}

/// A provisional response that waits for its PRACK.
#[derive(Debug)]
pub(super) struct Provisional {
    pub(super) bytes: Vec<u8>,
    pub(super) path: Path,
    pub(super) rseq: u32,
    /// It has our answer.
    pub(super) described: bool,
    pub(super) cseq: u32,
    pub(super) interval: Duration,
    pub(super) next_at: Instant,
    pub(super) give_up_at: Instant,
}

/// One branch that answered our INVITE provisionally.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) dialog: Dialog,
    /// The newest `RSeq` that was acknowledged.
    rseq: Option<u32>,
    /// What it answered to our offer.
    pub(super) answer: Option<super::early::EarlyAnswer>,
}

/// Whether a list header names an option.
pub(super) fn names_option(headers: &super::Headers, header: &str, option: &str) -> bool {
    headers.all(header).flat_map(|list| list.split(',')).any(|known| known.trim().eq_ignore_ascii_case(option))
}

impl Endpoint {
    /// Makes a provisional response reliable if the caller wants that.
    pub(super) fn make_reliable(&mut self, now: Instant, id: LegId, key: &Key, response: &mut Response) {
        let wanted = |request: &Request, header: &str| names_option(&request.headers, header, "100rel");
        let Some(tx) = self.transactions.get(key) else { return };
        // The first reliable response would have to carry our offer (RFC 3261 §13.2.1), which goes in the 200 instead.
        if tx.request.sdp().is_none() {
            return;
        }
        let described = !response.body.is_empty();
        let wants = match self.settings.reliability {
            Reliability::Off => false,
            // Early media is no use if the caller never hears of it.
            Reliability::Required if described => wanted(&tx.request, "Require") || wanted(&tx.request, "Supported"),
            Reliability::Required => wanted(&tx.request, "Require"),
            Reliability::Supported => wanted(&tx.request, "Require") || wanted(&tx.request, "Supported"),
        };
        let (path, cseq) = (tx.path, number_of(&tx.request.headers));
        let Some(leg) = self.legs.get_mut(&id) else { return };
        // One at a time (§3): the next must wait for this one's PRACK.
        if !wants || leg.provisional.is_some() {
            return;
        }
        leg.rseq += 1;
        response.headers.push("Require", "100rel");
        response.headers.push("RSeq", leg.rseq.to_string());
        leg.provisional = Some(Provisional {
            bytes: response.to_bytes(),
            path,
            rseq: leg.rseq,
            described,
            cseq,
            interval: T1,
            next_at: now + T1,
            give_up_at: now + T1_64,
        });
        self.arm_leg(id);
    }

    /// Whether nothing but 100 may be said before the 200: the caller takes reliable responses only, and the first of those
    /// would have to carry our offer.
    pub(super) fn must_be_quiet(&self, key: &Key) -> bool {
        let request = self.transactions.get(key).map(|tx| &tx.request);
        request.is_some_and(|request| request.sdp().is_none() && names_option(&request.headers, "Require", "100rel"))
    }

    /// A provisional response went out: it is repeated each minute, or proxies take the call for dead (RFC 3261 §13.3.1.1).
    pub(super) fn rang(&mut self, now: Instant, id: LegId, status: u16) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.rings_again = (now + RING_EVERY, status);
        }
        self.arm_leg(id);
    }

    /// The minute is over. What was described once is not described again.
    pub(super) fn ring_timer(&mut self, now: Instant, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| now >= leg.rings_again.0) else { return };
        let status = leg.rings_again.1;
        leg.rings_again.0 = Instant::FAR_FUTURE;
        if leg.stage != Stage::Early {
            return;
        }
        let Some((key, mut response)) = self.invite_response(id, status) else { return };
        self.make_reliable(now, id, &key, &mut response);
        self.respond(now, &key, &response);
        self.rang(now, id, status);
    }

    /// A PRACK came in.
    pub(super) fn prack(&mut self, now: Instant, key: &Key, request: &Request) {
        let leg = self.leg_of(request);
        let rack = request.headers.first("RAck").and_then(|rack| {
            let mut words = rack.split_whitespace();
            Some((words.next()?.parse::<u32>().ok()?, words.next()?.parse::<u32>().ok()?, words.next()? == "INVITE"))
        });
        let mut described = false;
        let waited = leg.and_then(|id| self.legs.get_mut(&id)).is_some_and(|leg| {
            let matches =
                leg.provisional.as_ref().is_some_and(|waiting| rack == Some((waiting.rseq, waiting.cseq, true)));
            if matches {
                described = leg.provisional.take().is_some_and(|waiting| waiting.described);
                if let (Some(dialog), Ok(cseq)) = (&mut leg.dialog, request.headers.cseq()) {
                    dialog.accepts(&cseq);
                }
            }
            matches
        });
        // §5: an offer in it is answered in its 200.
        if let (Some(id), true, Some(sdp)) = (leg, waited && described, request.sdp().map(<[u8]>::to_vec)) {
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.update = Some(key.clone());
            }
            self.event(Event::Reinvite(id, Some(sdp)));
        } else {
            let response = self.dressed(request, if waited { 200 } else { 481 });
            self.respond(now, key, &response);
        }
        if let (Some(id), true) = (leg, waited) {
            self.provisional_acknowledged(now, id, described);
        }
    }

    /// Repeats the provisional response, or gives up.
    pub(super) fn provisional_timer(&mut self, now: Instant, id: LegId) {
        let Some(waiting) = self.legs.get_mut(&id).and_then(|leg| leg.provisional.as_mut()) else { return };
        if now >= waiting.give_up_at {
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.provisional = None;
            }
            // §3: the INVITE is refused.
            let warning = ("Warning".to_owned(), "399 voxgw \"no PRACK within 32 s\"".to_owned());
            self.refuse(now, id, &Refusal { status: 504, headers: vec![warning] });
        } else if now >= waiting.next_at {
            waiting.interval *= 2;
            waiting.next_at = now + waiting.interval;
            let (path, bytes) = (waiting.path, waiting.bytes.clone());
            self.transmit(Some(id), path, bytes, true);
        }
    }

    /// A provisional response to our INVITE: remembers its branch, acknowledges it if it is reliable, and gives
    /// whether it is. None if it is a repetition that was acknowledged before.
    pub(super) fn early(&mut self, now: Instant, id: LegId, request: &Request, response: &Response) -> Option<bool> {
        let Some(dialog) = Dialog::of_client(request, response) else { return Some(false) };
        let Some(leg) = self.legs.get_mut(&id) else { return Some(false) };
        let known = leg.early.iter().position(|early| early.dialog.key() == dialog.key());
        let at = known.unwrap_or(leg.early.len());
        // More branches than any fork has: somebody plays games.
        if known.is_none() && leg.early.len() >= 16 {
            return None;
        }
        if known.is_none() {
            // Requests may come within it: UPDATE, INFO.
            self.dialogs.insert(dialog.key(), id);
            leg.early.push(Early { dialog, rseq: None, answer: None });
        }
        let early = &mut leg.early[at];
        let reliable = names_option(&response.headers, "Require", "100rel");
        let rseq = response.headers.first("RSeq").and_then(|text| text.trim().parse::<u32>().ok());
        let (true, Some(rseq)) = (reliable, rseq) else { return Some(false) };
        // §4: only the next in order counts; others are repeated by the far end.
        if early.rseq.is_some_and(|known| rseq != known.wrapping_add(1)) {
            return None;
        }
        early.rseq = Some(rseq);
        let mut prack = early.dialog.request(Method::Prack, None);
        prack.headers.push("RAck", format!("{rseq} {} INVITE", number_of(&request.headers)));
        let place = leg.place_of(&leg.early[at].dialog, leg.path);
        let path = Self::way_within(&leg.early[at].dialog, Role::Client, leg.path, place);
        let key = self.send_request(now, prack, path);
        self.clients.insert(key, id);
        Some(true)
    }

    /// Our call was answered on this branch: it, the others forgotten.
    pub(super) fn take_early(&mut self, id: LegId, key: &(String, String, String)) -> Option<Early> {
        let leg = self.legs.get_mut(&id)?;
        let at = leg.early.iter().position(|early| early.dialog.key() == *key);
        let taken = at.map(|at| leg.early.swap_remove(at));
        self.forget_early(id);
        taken
    }
}
