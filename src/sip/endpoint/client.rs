//! Requests that we send, and the responses to them.

use super::{
    Credentials, Ended, EndedBy, Endpoint, Event, Failure, Headers, Instant, Key, Leg, LegId, Method, Outgoing, Path,
    Request, Response, Role, TxEvent, ask::strongest_challenge, leg::Stage, number_of,
};
use crate::sip::{
    dialog::Dialog,
    header::{CSeq, MAGIC_COOKIE, Via},
    message::Message,
    method::reason_phrase,
    tx::{
        T1_64,
        table::{Kind, State},
    },
    uri::NameAddr,
};

/// More PRACKs than one branch of a fork gets from us.
const NUMBERS_OF_PRACKS: u32 = 1_000;

/// Extensions that our calls understand.
const SUPPORTED_BY_CALLS: &str = "timer, 100rel, replaces";

impl Endpoint {
    pub(super) fn invite(&mut self, now: Instant, id: LegId, outgoing: Outgoing) {
        let call_id = format!("{}@{}", self.token(), self.host_of(outgoing.path.local).ip());
        let tag = self.token();
        let mut leg = Leg::new(Role::Client, &call_id, &tag, outgoing.path);
        leg.credentials.clone_from(&outgoing.credentials);
        leg.outgoing = Some(Box::new(outgoing));
        self.calls.insert(call_id, id);
        self.legs.insert(id, leg);
        self.send_invite(now, id, 1);
    }

    pub(super) fn send_invite(&mut self, now: Instant, id: LegId, cseq: u32) {
        let authorization = self.authorization_of(id);
        self.forget_early(id);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.described = leg.outgoing.as_ref().map(|outgoing| outgoing.sdp.clone());
        }
        let Some(leg) = self.legs.get(&id) else { return };
        let Some(outgoing) = &leg.outgoing else { return };
        let from = NameAddr { display: outgoing.display.clone(), uri: outgoing.from.clone(), params: Vec::new() };
        let path = outgoing.path;
        let mut headers = Headers::default();
        headers.push("From", from.with_tag(&leg.local_tag).to_string());
        headers.push("To", NameAddr::of(outgoing.to.clone()).to_string());
        headers.push("Call-ID", leg.call_id.clone());
        headers.push("CSeq", CSeq { number: cseq, method: Method::Invite }.to_string());
        if !outgoing.headers.iter().any(|(name, _)| name == "Max-Forwards") {
            headers.push("Max-Forwards", "70");
        }
        headers.push("Contact", self.contact(path, &outgoing.to.to_string()));
        headers.push("Allow", super::allow());
        headers.push("Supported", SUPPORTED_BY_CALLS);
        for (name, value) in self.timer_wish(leg) {
            headers.push(name, value);
        }
        for (name, value) in &outgoing.headers {
            headers.push(name, value.clone());
        }
        for (name, value) in authorization {
            headers.push(name, value);
        }
        headers.push("Content-Type", "application/sdp");
        let body = outgoing.sdp.clone().into_bytes();
        let uri = outgoing.target.as_ref().unwrap_or(&outgoing.to).to_string();
        let request = Request { method: Method::Invite, uri, headers, body };
        let key = self.send_request(now, request, path);
        self.clients.insert(key.clone(), id);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.invite = Some(key);
        }
    }

    pub(super) fn response(&mut self, now: Instant, path: Path, response: &Response, bytes: &[u8]) {
        let leg = self.calls.get(response.headers.call_id()).copied();
        let key = Key::of_response(&response.headers);
        let known = key.filter(|key| self.transactions.contains_key(key));
        let Some(key) = known else {
            // A 2xx that nobody waits for: repeated after its transaction was forgotten, or by another branch.
            self.trace(leg, false, path, bytes.to_vec(), true);
            return;
        };
        let again =
            self.transactions.get(&key).is_some_and(|tx| !matches!(tx.state, State::Trying | State::Proceeding));
        self.trace(leg, false, path, bytes.to_vec(), again);
        let event = match response.status {
            100..=199 => TxEvent::Provisional,
            200..=299 => TxEvent::Success,
            _ => TxEvent::Failure,
        };
        self.drive(now, &key, event, Some(response));
    }

    /// A response that a client transaction passes up.
    pub(super) fn client_response(&mut self, now: Instant, key: &Key, response: &Response) {
        if self.ask_answered(now, key, response) {
            return;
        }
        let Some(tx) = self.transactions.get(key) else { return };
        let request = tx.request.clone();
        if tx.kind == Kind::OtherClient {
            let Some(id) = self.clients.get(key).copied().filter(|_| response.status >= 200) else { return };
            if matches!(response.status, 401 | 407) && self.proves_itself(now, id, &request, response) {
                return;
            }
            match request.method {
                Method::Bye => self.closed(now, key),
                Method::Update => self.refresh_answered(now, id, response),
                Method::Refer => self.refer_answered(id, response),
                Method::Info => self.pressed(now, id, response.status),
                Method::Message if response.status >= 200 => self.event(Event::Texted(id, response.status)),
                _ => {}
            }
            return;
        }
        let Some(id) = self.clients.get(key).copied().filter(|id| self.legs.contains_key(id)) else {
            // The leg is gone (we cancelled): a late 2xx must still be acknowledged and ended.
            match response.status {
                100..=199 => self.cancel_invite(now, key, None),
                200..=299 => self.end_unwanted(now, key, &request, response),
                _ => {}
            }
            return;
        };
        if self.waits_for_name(now, id, key, response) {
            return;
        }
        self.note_allowed(id, &response.headers);
        if self.legs.get(&id).is_some_and(|leg| leg.reinvite.as_ref() == Some(key)) {
            self.reinvite_answered(now, id, &request, response);
            return;
        }
        match response.status {
            100 => self.event(Event::Progress(id, 100, None)),
            101..=199 => {
                if let Some(reliable) = self.early(now, id, &request, response)
                    && self.legs.get(&id).is_some_and(|leg| leg.stage == Stage::Early)
                {
                    self.progress(id, response, reliable);
                }
            }
            200..=299 => self.accepted(now, key, id, &request, response),
            401 | 407 if self.challenged(now, id, &request, response) => {}
            422 if self.legs.get_mut(&id).and_then(|leg| Self::longer_interval(leg, response)).is_some() => {
                self.send_invite(now, id, number_of(&request.headers) + 1);
            }
            300..=399 if self.redirected(id, &request, response) => {}
            503 if self.leg_elsewhere(id, &Failure::of(response)) => {}
            // 6xx is everybody's answer.
            400..=599 if self.next_contact(id, number_of(&request.headers) + 1) => {}
            status => {
                let said = response.headers.first("Reason").or_else(|| response.headers.first("Warning"));
                let reason =
                    said.map_or_else(|| response.reason.clone(), |said| format!("{}: {said}", response.reason));
                let cancelled = self.legs.get(&id).is_some_and(|leg| leg.stage == Stage::Closing);
                let by = if cancelled { EndedBy::Us } else { EndedBy::Far };
                self.end(now, id, Ended { by, status: Some(status), reason, answered_by_peer: true });
            }
        }
    }

    fn accepted(&mut self, now: Instant, key: &Key, id: LegId, request: &Request, response: &Response) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let tag = response.headers.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
        match &leg.dialog {
            Some(dialog) if dialog.remote.tag() == Some(tag.as_str()) => {
                // The 200 again: our ACK was lost.
                if let Some(ack) = leg.last_ack.clone() {
                    let path = self.legs.get(&id).map(Self::dialog_path);
                    if let Some(path) = path {
                        self.transmit(Some(id), path, ack, true);
                    }
                }
                return;
            }
            Some(_) => {
                // Another branch of a fork answered too: one call is enough.
                self.end_unwanted(now, key, request, response);
                return;
            }
            None => {}
        }
        let Some(mut dialog) = Dialog::of_client(request, response) else {
            self.end(
                now,
                id,
                Ended {
                    by: EndedBy::Network,
                    status: Some(response.status),
                    reason: "the 200 had no To tag".into(),
                    answered_by_peer: true,
                },
            );
            return;
        };
        let early = self.take_early(id, &dialog.key());
        if let Some(early) = &early {
            dialog.continues(&early.dialog);
        }
        let sdp = Self::final_answer(response, early.and_then(|early| early.answer));
        self.dialogs.insert(dialog.key(), id);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let closing = leg.stage == Stage::Closing;
        leg.stage = Stage::Confirmed;
        leg.dialog = Some(dialog);
        self.send_ack(id, number_of(&request.headers));
        if closing {
            // It was answered while we gave up.
            self.hang_up(now, id, None);
            return;
        }
        self.timer_agreed(now, id, response);
        self.event(Event::Answered(id, sdp));
    }

    /// ACK of a 2xx: a request of the dialog with a branch of its own (§13.2.2.4).
    fn send_ack(&mut self, id: LegId, cseq: u32) {
        let branch = format!("{MAGIC_COOKIE}{}", self.token());
        let Some(leg) = self.legs.get(&id) else { return };
        let path = Self::dialog_path(leg);
        let via = self.via(path, branch);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(dialog) = &mut leg.dialog else { return };
        let mut ack = dialog.request(Method::Ack, Some(cseq));
        ack.headers.push_front("Via", via);
        let bytes = ack.to_bytes();
        leg.last_ack = Some(bytes.clone());
        self.transmit(Some(id), path, bytes, false);
    }

    pub(super) fn via(&self, path: Path, branch: String) -> String {
        let host = self.host_of(path.local);
        let mut via = Via {
            version: "2.0".to_owned(),
            transport: path.transport.name().to_owned(),
            host: host.ip().to_string(),
            port: Some(host.port()),
            params: Vec::new(),
        };
        via.set_param("branch", branch);
        via.params.push(("rport".to_owned(), None));
        via.to_string()
    }

    /// ACK of a failure: same branch, same route as the INVITE (§17.1.1.3).
    pub(super) fn send_failure_ack(&mut self, key: &Key, response: &Response) {
        let Some(tx) = self.transactions.get(key) else { return };
        let invite = &tx.request;
        let mut headers = Headers::default();
        headers.push("Via", invite.headers.first("Via").unwrap_or_default());
        for route in invite.headers.all("Route") {
            headers.push("Route", route);
        }
        headers.push("From", invite.headers.first("From").unwrap_or_default());
        headers.push("To", response.headers.first("To").unwrap_or_default());
        headers.push("Call-ID", invite.headers.call_id());
        headers.push("CSeq", CSeq { number: number_of(&invite.headers), method: Method::Ack }.to_string());
        headers.push("Max-Forwards", "70");
        let ack = Request { method: Method::Ack, uri: invite.uri.clone(), headers, body: Vec::new() };
        let (path, leg) = (tx.path, self.calls.get(invite.headers.call_id()).copied());
        self.transmit(leg, path, ack.to_bytes(), false);
    }

    /// Answers a challenge; true if a new INVITE went out. A proxy and the far end may ask one after the other, and a
    /// nonce that is stale may be replaced once.
    fn challenged(&mut self, now: Instant, id: LegId, request: &Request, response: &Response) -> bool {
        let Some((challenge, name)) = strongest_challenge(response) else { return false };
        let Some(leg) = self.legs.get_mut(&id) else { return false };
        let can = leg.stage == Stage::Early && leg.outgoing.as_ref().is_some_and(|to| to.credentials.is_some());
        let tried = leg.challenges.iter().position(|(_, known, _)| *known == name);
        if !can || tried.is_some_and(|at| !challenge.stale || leg.challenges[at].0.stale) {
            return false;
        }
        if let Some(at) = tried {
            leg.challenges.remove(at);
        }
        leg.challenges.push((challenge, name, 0));
        self.send_invite(now, id, number_of(&request.headers) + 1);
        true
    }

    /// The answers to all challenges that our INVITE has met, each counted.
    fn authorization_of(&mut self, id: LegId) -> Vec<(&'static str, String)> {
        let cnonce = self.token();
        let Some(leg) = self.legs.get_mut(&id) else { return Vec::new() };
        let Some(outgoing) = &leg.outgoing else { return Vec::new() };
        let Some(credentials) = &outgoing.credentials else { return Vec::new() };
        let uri = outgoing.target.as_ref().unwrap_or(&outgoing.to).to_string();
        leg.challenges
            .iter_mut()
            .map(|(challenge, name, count)| {
                *count += 1;
                (*name, challenge.answer(credentials, "INVITE", &uri, &cnonce, *count))
            })
            .collect()
    }

    /// Challenges within a call that came in are answered with these.
    pub(super) fn is_known_as(&mut self, id: LegId, credentials: Credentials) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.credentials = Some(credentials);
        }
    }

    /// A request within the dialog was challenged: sends it again with credentials, once. True if it did.
    fn proves_itself(&mut self, now: Instant, id: LegId, request: &Request, response: &Response) -> bool {
        let Some((challenge, name)) = strongest_challenge(response) else { return false };
        let cnonce = self.token();
        let Some(leg) = self.legs.get_mut(&id) else { return false };
        let (Some(credentials), Some(dialog)) = (leg.credentials.clone(), leg.dialog.as_mut()) else { return false };
        if leg.proven.contains(&number_of(&request.headers)) {
            return false;
        }
        let mut again = dialog.request(request.method.clone(), None);
        let ours = number_of(&again.headers);
        leg.proven.push(ours);
        for (header, value) in request.headers.iter() {
            let made =
                again.headers.first(header).is_some() || ["Via", "User-Agent", "Content-Length"].contains(&header);
            if !made && header != name {
                again.headers.push(header, value);
            }
        }
        again.headers.push(name, challenge.answer(&credentials, again.method.token(), &again.uri, &cnonce, 1));
        again.body.clone_from(&request.body);
        let Some(leg) = self.legs.get(&id) else { return false };
        let path = Self::dialog_path(leg);
        let invite = again.method == Method::Invite;
        let key = self.send_request(now, again, path);
        self.clients.insert(key.clone(), id);
        if let Some(leg) = self.legs.get_mut(&id).filter(|_| invite) {
            leg.invite = Some(key.clone());
            leg.reinvite = Some(key);
        }
        true
    }

    /// Our re-INVITE: with a new description, or with the one that stands (a refresh).
    pub(super) fn send_reinvite(&mut self, now: Instant, id: LegId, sdp: Option<String>) {
        let Some(leg) = self.legs.get(&id) else { return };
        let pending = leg.invite.as_ref().and_then(|key| self.transactions.get(key)).is_some_and(super::is_open);
        let (up, timer) = (leg.stage == Stage::Confirmed && leg.update.is_none(), leg.timer);
        let Some(sdp) = sdp.or_else(|| leg.described.clone()) else { return };
        let request = if up && !pending { self.request_within(id, Method::Invite) } else { None };
        let Some((mut invite, path)) = request else {
            self.refresh_again_soon(now, id);
            self.event(Event::Changed(id, Err(491)));
            return;
        };
        let contact = self.contact(path, &invite.uri);
        invite.headers.push("Contact", contact);
        invite.headers.push("Allow", super::allow());
        invite.headers.push("Supported", SUPPORTED_BY_CALLS);
        if let Some(timer) = timer {
            // §7.4: who refreshes goes on refreshing; in this request we are the uac.
            let who = if timer.ours { "uac" } else { "uas" };
            invite.headers.push("Session-Expires", format!("{};refresher={who}", timer.interval.as_secs()));
        }
        invite.headers.push("Content-Type", "application/sdp");
        invite.body = sdp.clone().into_bytes();
        let key = self.send_request(now, invite, path);
        self.clients.insert(key.clone(), id);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.described = Some(sdp);
            leg.invite = Some(key.clone());
            leg.reinvite = Some(key);
        }
    }

    fn reinvite_answered(&mut self, now: Instant, id: LegId, request: &Request, response: &Response) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if response.status < 200 {
            // Whoever says 100 and then nothing is not waited for without end.
            let key = leg.reinvite.clone();
            if let Some(key) = key
                && let Some(tx) = self.transactions.get_mut(&key)
            {
                tx.end_by(now + T1_64);
                self.arm(&key);
            }
            return;
        }
        if matches!(response.status, 401 | 407) && self.proves_itself(now, id, request, response) {
            return;
        }
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.reinvite = None;
        match response.status {
            200..=299 => {
                if let Some(dialog) = &mut leg.dialog {
                    dialog.refresh_target(&response.headers);
                }
                self.look_for(id);
                self.send_ack(id, number_of(&request.headers));
                self.timer_agreed(now, id, response);
                self.event(Event::Changed(id, Ok(response.sdp().map(<[u8]>::to_vec))));
            }
            408 | 481 => {
                self.hang_up(now, id, Some("SIP;cause=481;text=\"the session is gone\""));
            }
            status => {
                self.refresh_again_soon(now, id);
                self.event(Event::Changed(id, Err(status)));
            }
        }
    }

    pub(super) fn hang_up(&mut self, now: Instant, id: LegId, reason: Option<&str>) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if let Some(reason) = reason {
            leg.reason = Some(reason.to_owned());
        }
        match (leg.role, leg.stage) {
            (_, Stage::Closing) => {}
            (Role::Server, Stage::Early) => self.refuse(now, id, &super::Refusal::status(480)),
            (Role::Server, Stage::Unacknowledged) => leg.hang_up_when_acknowledged = true,
            (Role::Client, Stage::Early) => {
                let ringing = leg
                    .invite
                    .as_ref()
                    .and_then(|key| self.transactions.get(key))
                    .is_some_and(|tx| tx.state == State::Proceeding);
                if ringing {
                    leg.stage = Stage::Closing;
                    self.send_cancel(now, id);
                } else {
                    // §9.1: CANCEL must wait for a provisional response; the caller need not.
                    let reason = "given up before any answer".to_owned();
                    self.end(now, id, Ended { by: EndedBy::Us, status: Some(408), reason, answered_by_peer: false });
                }
            }
            (_, Stage::Confirmed | Stage::Unacknowledged) => {
                leg.stage = Stage::Closing;
                self.send_bye(now, id);
            }
        }
    }

    fn send_bye(&mut self, now: Instant, id: LegId) {
        let Some(leg) = self.legs.get(&id) else { return };
        let path = Self::dialog_path(leg);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(dialog) = &mut leg.dialog else { return };
        let mut bye = dialog.request(Method::Bye, None);
        if let Some(reason) = &leg.reason {
            bye.headers.push("Reason", reason.clone());
        }
        let key = self.send_request(now, bye, path);
        self.clients.insert(key, id);
    }

    /// CANCEL: same branch, Request-URI, route and number as the INVITE (§9.1).
    fn send_cancel(&mut self, now: Instant, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.stage = Stage::Closing;
        if let Some(key) = leg.invite.clone() {
            self.cancel_invite(now, &key, Some(id));
        }
    }

    fn cancel_invite(&mut self, now: Instant, invite_key: &Key, leg: Option<LegId>) {
        let Some(tx) = self.transactions.get(invite_key) else { return };
        let invite = &tx.request;
        let mut headers = Headers::default();
        headers.push("Via", invite.headers.first("Via").unwrap_or_default());
        for route in invite.headers.all("Route") {
            headers.push("Route", route);
        }
        for name in ["From", "To", "Call-ID"] {
            headers.push(name, invite.headers.first(name).unwrap_or_default());
        }
        headers.push("CSeq", CSeq { number: number_of(&invite.headers), method: Method::Cancel }.to_string());
        headers.push("Max-Forwards", "70");
        // RFC 3326 §2: a telephone whose call was answered elsewhere shows no missed call.
        if let Some(reason) = leg.and_then(|id| self.legs.get(&id)).and_then(|leg| leg.reason.clone()) {
            headers.push("Reason", reason);
        }
        let cancel = Request { method: Method::Cancel, uri: invite.uri.clone(), headers, body: Vec::new() };
        let Some(branch) = cancel.headers.via().ok().and_then(|via| via.branch().map(str::to_owned)) else { return };
        let path = tx.path;
        let key = Key::of_client(&branch, &Method::Cancel);
        if self.transactions.contains_key(&key) {
            return;
        }
        let bytes = cancel.to_bytes();
        if let Some(leg) = leg {
            self.clients.insert(key.clone(), leg);
        }
        self.begin(now, key, Kind::OtherClient, cancel, path, bytes.clone());
        self.transmit(leg, path, bytes, false);
        if let Some(tx) = self.transactions.get_mut(invite_key) {
            tx.end_by(now + T1_64);
        }
        self.arm(invite_key);
    }

    /// Acknowledges and ends a 2xx that nobody wants.
    pub(super) fn end_unwanted(&mut self, now: Instant, key: &Key, request: &Request, response: &Response) {
        let Some(path) = self.transactions.get(key).map(|tx| tx.path) else { return };
        let Some(mut dialog) = Dialog::of_client(request, response) else { return };
        let path = Self::way_within(&dialog, Role::Client, path, None);
        // PRACKs of ours to this branch have numbers behind the INVITE's; those between may be left out (§12.2.2).
        dialog.skips(NUMBERS_OF_PRACKS);
        let branch = format!("{MAGIC_COOKIE}{}", self.token());
        let via = self.via(path, branch);
        let mut ack = dialog.request(Method::Ack, Some(number_of(&request.headers)));
        ack.headers.push_front("Via", via);
        self.transmit(None, path, ack.to_bytes(), false);
        let bye = dialog.request(Method::Bye, None);
        self.send_request(now, bye, path);
    }

    /// A BYE of ours was answered.
    fn closed(&mut self, now: Instant, key: &Key) {
        let Some(id) = self.clients.get(key).copied() else { return };
        let reason = self.legs.get(&id).and_then(|leg| leg.reason.clone()).unwrap_or_else(|| "BYE".into());
        self.end(now, id, Ended { by: EndedBy::Us, status: None, reason, answered_by_peer: true });
    }

    pub(super) fn transaction_timed_out(&mut self, now: Instant, key: &Key) {
        self.ask_timed_out(key);
        let Some(tx) = self.transactions.get(key) else { return };
        let Some(id) = self.clients.get(key).copied() else { return };
        let (kind, method, number) = (tx.kind, tx.request.method.clone(), number_of(&tx.request.headers));
        let Some(leg) = self.legs.get(&id) else { return };
        let early = kind == Kind::InviteClient && leg.dialog.is_none();
        if early
            && leg.invite.as_ref() == Some(key)
            && (self.leg_elsewhere(id, &Failure::silent()) || self.next_contact(id, number + 1))
        {
            return;
        }
        let Some(leg) = self.legs.get(&id) else { return };
        match kind {
            // It went elsewhere: nobody waits for this one.
            Kind::InviteClient if leg.dialog.is_none() && leg.invite.as_ref() != Some(key) => {}
            Kind::InviteClient if leg.dialog.is_none() => {
                let reason = leg.reason.clone().unwrap_or_else(|| "no answer to our INVITE within 32 s".to_owned());
                self.end(now, id, Ended { by: EndedBy::Network, status: Some(408), reason, answered_by_peer: false });
            }
            // RFC 5057: nobody answers in the dialog any more.
            Kind::InviteClient if leg.reinvite.as_ref() == Some(key) => {
                self.hang_up(now, id, Some("SIP;cause=408;text=\"no answer to our re-INVITE\""));
            }
            Kind::OtherClient if method == Method::Update => {
                self.hang_up(now, id, Some("SIP;cause=408;text=\"no answer to our UPDATE\""));
            }
            Kind::OtherClient if method == Method::Message => self.event(Event::Texted(id, 408)),
            Kind::OtherClient if method == Method::Info => self.pressed(now, id, 408),
            Kind::OtherClient if method == Method::Refer => self.event(Event::Transfer(id, 408)),
            Kind::OtherClient if method == Method::Bye => {
                let reason = "no answer to our BYE within 32 s".to_owned();
                self.end(now, id, Ended { by: EndedBy::Us, status: None, reason, answered_by_peer: false });
            }
            Kind::OtherClient if method == Method::Cancel && leg.stage == Stage::Closing && leg.dialog.is_none() => {
                let reason = "no answer to our CANCEL".to_owned();
                self.end(now, id, Ended { by: EndedBy::Us, status: Some(487), reason, answered_by_peer: false });
            }
            _ => {}
        }
    }
}

/// Label of a message for ladders: `INVITE` or `200 OK`; method and status; `CSeq` number.
#[must_use]
pub fn label_of(message: &Message) -> (String, String, Option<u16>, u32) {
    let number = number_of(message.headers());
    match message {
        Message::Request(request) => (request.method.to_string(), request.method.to_string(), None, number),
        Message::Response(response) => {
            let method = response.headers.cseq().map(|cseq| cseq.method.to_string()).unwrap_or_default();
            let phrase =
                if response.reason.is_empty() { reason_phrase(response.status) } else { response.reason.clone() };
            (format!("{} {phrase}", response.status), method, Some(response.status), number)
        }
    }
}
