//! Calls of ours to users who have only pages: the pages ring without a SIP leg, and who takes the call becomes its far end.
//!
//! A telephone of the user comes first, if there is one ([`super::originate`]); calls of callers that a rule or an agent
//! sends to a user are bridges, whose branches pages are ([`super::bridge`]).

use super::{Begin, Engine, In, LegId, endpoint::Ended, handle::Originate, new_call_id, pages::Taken, srtp};
use crate::{
    call::journal::{Direction, Header, SCHEMA},
    error::{Error, Kind, Result},
    redact::{Pii, printable},
    sip::endpoint::EndedBy,
    unit::CallId,
};
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

impl Engine {
    /// Whether pages, and nothing else, can take a call to this user.
    pub(super) fn has_only_pages(&self, user: &str) -> bool {
        self.registered(user).is_err() && self.pages.of(user).next().is_some()
    }

    /// Rings at all pages of a user; the call has passed the limits.
    pub(super) fn call_pages(&mut self, originate: &Originate) -> Result<CallId> {
        let user = originate.to.user.clone();
        let pages: Vec<_> = self.pages.of(&user).collect();
        let media = pages.first().and_then(|page| self.pages.media(*page));
        let gone = || Error::new(Kind::Unreachable, format!("the page of {} is gone", printable(&user)));
        let (bind, tell) = media.ok_or_else(gone)?;
        let worker = self.workers.least_busy();
        let shared = self.shared_port(bind, worker);
        let ports = if shared.is_some() { None } else { Some(self.ports.bind(bind).map_err(Error::machine)?) };
        let own = ports.as_ref().and_then(|ports| ports.rtp.local_addr().ok());
        let port = shared.or(own).map_or(0, |address| address.port());
        let call = new_call_id();
        self.sink.hub.counters.calls.fetch_add(1, Ordering::Relaxed);
        let plan = Arc::clone(&originate.plan);
        let header = Header {
            schema: SCHEMA.to_owned(),
            call,
            gateway: self.config.name.clone(),
            direction: Direction::Out,
            from: Pii(originate.from.number().to_owned()),
            to: Pii(user.clone()),
            agent: plan.name.clone(),
            started: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sip_call_id: String::new(),
            rule: String::new(),
            headers: Vec::new(),
        };
        let keys = srtp::Settings::default();
        let settings = self.settings(header, &plan, None, SocketAddr::new(tell, port), keys, Some(originate));
        let leg = self.endpoint.new_leg();
        // We offer nothing: who takes the call does.
        self.spawn(leg, call, Begin::Dialled, settings, plan, ports, worker);
        for page in pages {
            self.ring_page(page, leg, originate.from.number(), &originate.from.user);
        }
        self.pages.direct.insert(leg);
        if self.pages.is_rung_for(leg) {
            self.tell(leg, In::Progress(180));
        } else {
            self.direct_over(leg, 480, "the page is gone");
        }
        Ok(call)
    }

    /// One of the pages will not take it: when none is left, the call is over.
    pub(super) fn direct_over(&mut self, leg: LegId, status: u16, reason: &str) {
        if !self.pages.is_rung_for(leg) && self.pages.direct.remove(&leg) {
            let (by, reason) = (EndedBy::Far, reason.to_owned());
            self.tell(leg, In::Ended(Ended { by, status: Some(status), reason, answered_by_peer: true }));
        }
    }

    /// A page takes it; gives the call back if it is a bridge's.
    pub(super) fn direct_taken(&mut self, leg: LegId, mut taken: Taken) -> Option<Taken> {
        if !self.pages.direct.remove(&leg) {
            return Some(taken);
        }
        while self.stop_ringing(leg, "taken at another page") {}
        if let Some(known) = self.sessions.get(&leg) {
            taken.joining.shared = self.shared_port(taken.media.0, known.worker);
        }
        if let Some(known) = self.sessions.get_mut(&leg) {
            known.is_page = true;
        }
        self.tell(leg, In::Taken(Box::new(taken)));
        None
    }

    /// Nobody is to take it any more; false if it is no such call, or somebody has.
    pub(super) fn give_up_pages(&mut self, leg: LegId) -> bool {
        if !self.pages.direct.remove(&leg) {
            return false;
        }
        while self.stop_ringing(leg, "given up") {}
        let (by, reason) = (EndedBy::Us, "given up".to_owned());
        self.tell(leg, In::Ended(Ended { by, status: Some(487), reason, answered_by_peer: false }));
        true
    }
}
