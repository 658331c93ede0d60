//! Names in Contact and Record-Route (RFC 3261 §12.2.1.1, RFC 3263 §4): requests within a dialog go where its first hop
//! is, also when that is a name.
//!
//! The engine knows the DNS; here is known which names a leg has met, and what waits for them. A response of a call of
//! ours that names somebody new waits for the answer, so that even its ACK goes there. While a name is not known, and
//! where it leads nowhere, requests take the way that the call came.

use super::{Dialog, Endpoint, Event, Instant, Key, LegId, Path, Response, leg::Leg};
use crate::sip::{tx::Transport, uri::Uri};
use std::{net::SocketAddr, time::Duration};

/// A response waits so long for a name, which is mostly known from the INVITE.
const NAME_WITHIN: Duration = Duration::from_secs(2);
/// Names of one leg, responses of one leg that wait.
const MAX: usize = 8;

/// The names that a leg has met, and the responses that wait for one.
#[derive(Debug)]
pub(super) struct Names {
    /// None where a name leads nowhere, or nobody knows yet.
    known: Vec<(Uri, Option<SocketAddr>)>,
    waiting: Vec<(Key, Response)>,
    /// They wait until then.
    pub(super) until: Instant,
}

impl Default for Names {
    fn default() -> Self {
        Self { known: Vec::new(), waiting: Vec::new(), until: Instant::FAR_FUTURE }
    }
}

impl Names {
    /// Where a hop is, if it is a name that was found.
    pub(super) fn place_of(&self, hop: &Uri) -> Option<SocketAddr> {
        self.known.iter().find(|(name, _)| name == hop).and_then(|(_, place)| *place)
    }

    fn has(&self, hop: &Uri) -> bool {
        self.known.iter().any(|(name, _)| name == hop)
    }
}

/// The hop's name as it is asked for: by the transport that the dialog has. Over TLS and WebSocket the connection is
/// what counts: its certificate was checked for the name that was called.
fn name_of(hop: &Uri, over: Path) -> Option<Uri> {
    let is_name = hop.host.parse::<std::net::IpAddr>().is_err();
    if !is_name || !matches!(over.transport, Transport::Udp | Transport::Tcp) {
        return None;
    }
    let mut name = Uri::sip("", &hop.host, hop.port);
    name.params.push(("transport".to_owned(), Some(over.transport.lower_name().to_owned())));
    Some(name)
}

impl Leg {
    /// Where the first hop of a dialog over `over` is, if it is a name that was found.
    pub(super) fn place_of(&self, dialog: &Dialog, over: Path) -> Option<SocketAddr> {
        self.names.place_of(&name_of(&dialog.next_hop(), over)?)
    }
}

impl Endpoint {
    /// Asks for the name of a leg's first hop, if that is a new one.
    pub(super) fn look_for(&mut self, id: LegId) {
        let Some(leg) = self.legs.get(&id) else { return };
        let name = leg.dialog.as_ref().and_then(|dialog| name_of(&dialog.next_hop(), leg.path));
        if let Some(name) = name {
            self.ask_for(id, name);
        }
    }

    fn ask_for(&mut self, id: LegId, name: Uri) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.names.has(&name) {
            return;
        }
        if leg.names.known.len() >= MAX {
            leg.names.known.remove(0);
        }
        leg.names.known.push((name.clone(), None));
        self.event(Event::Locate(id, name));
    }

    /// Whether a response to our INVITE has to wait, because it makes a dialog with somebody whose place is not known.
    pub(super) fn waits_for_name(&mut self, now: Instant, id: LegId, key: &Key, response: &Response) -> bool {
        if !(101..300).contains(&response.status) {
            return false;
        }
        let Some(leg) = self.legs.get(&id).filter(|leg| leg.dialog.is_none()) else { return false };
        let request = self.transactions.get(key).map(|tx| &tx.request);
        let dialog = request.and_then(|request| Dialog::of_client(request, response));
        let Some(name) = dialog.and_then(|dialog| name_of(&dialog.next_hop(), leg.path)) else { return false };
        // Behind one that waits everything waits: their order counts.
        if (leg.names.has(&name) && leg.names.waiting.is_empty()) || leg.names.waiting.len() >= MAX {
            return false;
        }
        self.ask_for(id, name);
        let Some(leg) = self.legs.get_mut(&id) else { return false };
        leg.names.waiting.push((key.clone(), response.clone()));
        leg.names.until = leg.names.until.min(now + NAME_WITHIN);
        self.arm_leg(id);
        true
    }

    /// The engine has found a name, or not.
    pub(super) fn located(&mut self, now: Instant, id: LegId, name: &Uri, place: Option<SocketAddr>) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if let Some((_, known)) = leg.names.known.iter_mut().find(|(known, _)| known == name) {
            *known = place;
        }
        self.go_on_with_names(now, id);
    }

    /// Nobody has said where the name is.
    pub(super) fn name_timer(&mut self, now: Instant, id: LegId) {
        if self.legs.get(&id).is_some_and(|leg| now >= leg.names.until) {
            self.go_on_with_names(now, id);
        }
    }

    fn go_on_with_names(&mut self, now: Instant, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.names.until = Instant::FAR_FUTURE;
        for (key, response) in std::mem::take(&mut leg.names.waiting) {
            self.client_response(now, &key, &response);
        }
    }

    /// A leg is over: a 200 that still waited is acknowledged and ended.
    pub(super) fn end_waiting(&mut self, now: Instant, leg: &mut Leg) {
        for (key, response) in std::mem::take(&mut leg.names.waiting) {
            let request = self.transactions.get(&key).map(|tx| tx.request.clone());
            if let Some(request) = request.filter(|_| (200..300).contains(&response.status)) {
                self.end_unwanted(now, &key, &request, &response);
            }
        }
    }
}
