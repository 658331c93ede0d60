//! Requests that come in, and what the engine answers to them.

use super::{
    Ended, EndedBy, Endpoint, Event, Instant, Key, Kind, Leg, LegId, Message, Method, Offered, Path, Refusal,
    Reliability, Request, Response, Role, TRYING_AFTER, TimerOf, TxEvent, invite_name,
    leg::{Stage, Unacknowledged},
    number_of, reply_path,
};
use crate::sip::{
    dialog::Dialog,
    limits::Verdict,
    method::METHODS,
    tx::{T1, T1_64, T2, Transport},
    uri::Uri,
};
use std::{cmp::Reverse, net::SocketAddr};

impl Endpoint {
    pub(super) fn request(&mut self, now: Instant, path: Path, request: Request, bytes: &[u8]) {
        let Some(key) = Key::of_request(&request) else { return };
        if self.turns_away(now, &key, path, &request, bytes) {
            return;
        }
        let leg = self.leg_of(&request).or_else(|| self.calls.get(request.headers.call_id()).copied());
        let again = self.transactions.contains_key(&key) && request.method != Method::Ack;
        // A new INVITE's trace waits until its leg has a number.
        let new_call = !again && leg.is_none() && request.method == Method::Invite;
        if !new_call {
            self.trace(leg, false, path, bytes.to_vec(), again);
        }
        if request.method == Method::Ack {
            self.acknowledged(now, &key, &request);
            return;
        }
        if again {
            self.drive(now, &key, TxEvent::Request, None);
            return;
        }
        let reply = reply_path(&request, path);
        if self.transactions.len() >= self.settings.transactions_max && self.leg_of(&request).is_none() {
            // Stateless: under overload nothing is remembered.
            self.counters.refused += 1;
            let mut response = self.dressed(&request, 503);
            response.headers.push("Retry-After", "5");
            self.note_turned(now, path, &request, bytes, &response, None);
            self.transmit(leg, reply, response.to_bytes(), false);
            return;
        }
        let kind = if request.method == Method::Invite { Kind::InviteServer } else { Kind::OtherServer };
        let refusal = self.refusal_of(&request);
        self.begin(now, key.clone(), kind, request.clone(), reply, Vec::new());
        let judged = match refusal {
            Some((status, headers)) => {
                self.counters.refused += 1;
                let mut response = self.dressed(&request, status);
                for (name, value) in headers {
                    response.headers.push(name, value);
                }
                Err((Box::new(response), None))
            }
            None => self.authenticated(now, path, &request),
        };
        let user = match judged {
            Ok(user) => user,
            Err((response, rule)) => {
                self.note_turned(now, path, &request, bytes, &response, rule);
                if new_call {
                    self.trace(None, false, path, bytes.to_vec(), false);
                }
                self.respond(now, &key, &response);
                return;
            }
        };
        let inside = request.headers.to().is_ok_and(|to| to.tag().is_some());
        match request.method {
            Method::Invite if self.leg_of(&request).is_some() => self.reinvite(now, key, &request),
            Method::Invite => self.new_call(now, key, path, reply, &request, bytes, user),
            Method::Bye => self.bye(now, &key, &request),
            Method::Cancel => self.cancel(now, &key, &request),
            Method::Register => self.register(now, &key, path, &request, user.as_deref().unwrap_or_default()),
            Method::Prack => self.prack(now, &key, &request),
            Method::Message if !inside => self.text(now, &key, None, &request, user),
            Method::Info | Method::Update | Method::Refer | Method::Notify | Method::Message => {
                self.inside(now, key, &request);
            }
            // In a dialog it asks about the call, which goes on.
            Method::Options if self.leaving && !inside => {
                let mut response = self.dressed(&request, 503);
                response.headers.push("Retry-After", "60");
                self.respond(now, &key, &response);
            }
            _ => {
                let mut response = self.dressed(&request, 200);
                response.headers.push("Allow", super::allow());
                response.headers.push("Accept", "application/sdp, application/dtmf-relay, text/plain");
                response.headers.push("Supported", SUPPORTED.join(", "));
                self.respond(now, &key, &response);
            }
        }
    }

    /// Requests that begin something are counted and may be turned away; true if this one was. Nothing is remembered
    /// of it.
    fn turns_away(&mut self, now: Instant, key: &Key, path: Path, request: &Request, bytes: &[u8]) -> bool {
        if request.method == Method::Ack || self.is_of_ours(key, request) {
            return false;
        }
        let source = path.remote.ip();
        if self.guard.has_banned_users(now, source)
            && self.who_is_meant(request).is_some_and(|user| self.guard.is_banned(now, source, &user))
        {
            self.guard.silenced();
            return true;
        }
        let user_agent = request.headers.first("User-Agent").unwrap_or_default();
        match self.guard.request(now, source, user_agent) {
            Verdict::Heard => false,
            Verdict::Silence | Verdict::Banned => true,
            Verdict::TooMany(limit) => {
                let mut response = self.dressed(request, 503);
                response.headers.push("Retry-After", "5");
                self.note_turned(now, path, request, bytes, &response, Some(limit));
                self.transmit(None, reply_path(request, path), response.to_bytes(), false);
                true
            }
        }
    }

    /// Whether a request belongs to a transaction or dialog that there is. A To tag that anybody can make up, or a
    /// CANCEL of nothing, is no way around the limits, nor is a call for guessing passwords.
    fn is_of_ours(&self, key: &Key, request: &Request) -> bool {
        let within = request.method != Method::Register && self.leg_of(request).is_some();
        let cancels = request.method == Method::Cancel
            && Key::of_cancelled(request).is_some_and(|key| self.transactions.contains_key(&key));
        within || cancels || self.transactions.contains_key(key)
    }

    /// Whether a message belongs to what goes on already, whoever sent it.
    pub(super) fn goes_on(&self, message: &Message) -> bool {
        match message {
            Message::Request(request) => Key::of_request(request).is_some_and(|key| self.is_of_ours(&key, request)),
            Message::Response(response) => {
                Key::of_response(&response.headers).is_some_and(|key| self.transactions.contains_key(&key))
            }
        }
    }

    /// Whether an option that a request requires is one that it may require here.
    fn understands(&self, request: &Request, option: &str) -> bool {
        SUPPORTED.iter().any(|known| known.eq_ignore_ascii_case(option))
            && (!option.eq_ignore_ascii_case("100rel") || self.settings.reliability != Reliability::Off)
            && (!option.eq_ignore_ascii_case("path") || request.method == Method::Register)
    }

    /// What is refused here, without asking the engine (§8.2).
    fn refusal_of(&self, request: &Request) -> Option<(u16, Vec<(&'static str, String)>)> {
        if !METHODS.iter().any(|(known, _)| *known == request.method) {
            return Some((405, Vec::new()));
        }
        let Ok(uri) = Uri::parse(&request.uri) else { return Some((400, Vec::new())) };
        if !uri.is_sip() && uri.scheme != "tel" {
            return Some((416, Vec::new()));
        }
        if request.headers.first("Max-Forwards").is_some_and(|left| left.trim().parse::<u32>().is_err()) {
            return Some((400, Vec::new()));
        }
        let unknown: Vec<&str> = request
            .headers
            .all("Require")
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .filter(|option| !option.is_empty() && !self.understands(request, option))
            .collect();
        if !unknown.is_empty() && request.method != Method::Cancel {
            return Some((420, vec![("Unsupported", unknown.join(", "))]));
        }
        let in_dialog = request.headers.to().is_ok_and(|to| to.tag().is_some());
        if in_dialog && self.leg_of(request).is_none() && matches!(request.method, Method::Invite | Method::Bye) {
            return Some((481, Vec::new()));
        }
        if request.method == Method::Bye && !in_dialog {
            return Some((481, Vec::new()));
        }
        if request.method == Method::Invite && !in_dialog && self.is_merged(request) {
            return Some((482, Vec::new()));
        }
        let describes = matches!(request.method, Method::Invite | Method::Update);
        if describes && !request.body.is_empty() && request.sdp().is_none() {
            return Some((415, vec![("Accept", "application/sdp".to_owned())]));
        }
        None
    }

    /// The same request by another way (§8.2.2.2).
    fn is_merged(&self, request: &Request) -> bool {
        let known = self.invites.get(&invite_name(request));
        known.is_some_and(|known| Some(known) != Key::of_request(request).as_ref())
    }

    pub(super) fn leg_of(&self, request: &Request) -> Option<LegId> {
        let ours = request.headers.to().ok()?.tag()?.to_owned();
        let theirs = request.headers.from().ok()?.tag().unwrap_or_default().to_owned();
        self.dialogs.get(&(request.headers.call_id().to_owned(), ours, theirs)).copied()
    }

    #[expect(clippy::too_many_arguments, reason = "one INVITE and how it came")]
    fn new_call(
        &mut self,
        now: Instant,
        key: Key,
        path: Path,
        reply: Path,
        request: &Request,
        bytes: &[u8],
        user: Option<String>,
    ) {
        let tag = self.token();
        let Some(dialog) = Dialog::of_server(request, &tag) else {
            self.trace(None, false, path, bytes.to_vec(), false);
            let mut response = self.dressed(request, 400);
            response.reason = "no usable Contact".into();
            self.note_turned(now, path, request, bytes, &response, None);
            self.respond(now, &key, &response);
            return;
        };
        let replaces = match self.replaced_by(request) {
            Ok(replaces) => replaces,
            Err(status) => {
                self.trace(None, false, path, bytes.to_vec(), false);
                let response = self.dressed(request, status);
                self.note_turned(now, path, request, bytes, &response, None);
                self.respond(now, &key, &response);
                return;
            }
        };
        let id = self.new_leg();
        // No leg has this number yet, so this only judges the wish; the timer starts with the 200.
        if let Err((status, headers)) = self.agree_on_timer(now, id, request) {
            self.trace(None, false, path, bytes.to_vec(), false);
            let mut response = self.dressed(request, status);
            for (name, value) in headers {
                response.headers.push(name, value);
            }
            self.respond(now, &key, &response);
            return;
        }
        let mut leg = Leg::new(Role::Server, &dialog.call_id, &tag, reply);
        // Requests go back the way the INVITE came unless a proxy or another Contact says otherwise.
        leg.path = path;
        leg.invite = Some(key);
        leg.trying_at = now + TRYING_AFTER;
        self.dialogs.insert(dialog.key(), id);
        self.calls.insert(dialog.call_id.clone(), id);
        let from = dialog.remote.clone();
        let to = request.headers.to().map(|to| to.uri).unwrap_or_default();
        leg.dialog = Some(dialog);
        leg.user.clone_from(&user);
        self.legs.insert(id, leg);
        self.note_allowed(id, &request.headers);
        self.arm_leg(id);
        self.trace(Some(id), false, path, bytes.to_vec(), false);
        self.event(Event::Invite(
            id,
            Box::new(Offered {
                from: from.uri,
                display: from.display,
                to,
                target: Uri::parse(&request.uri).unwrap_or_default(),
                call_id: request.headers.call_id().to_owned(),
                sdp: request.sdp().map(<[u8]>::to_vec),
                path,
                headers: request.headers.clone(),
                user,
                replaces,
            }),
        ));
        self.look_for(id);
    }

    fn reinvite(&mut self, now: Instant, key: Key, request: &Request) {
        let Some(id) = self.leg_of(request) else { return };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let in_order = request.headers.cseq().is_ok_and(|cseq| leg.dialog.as_mut().is_some_and(|d| d.accepts(&cseq)));
        let status = if !in_order {
            Some(500)
        } else if leg.invite.as_ref().is_some_and(|pending| {
            self.transactions.get(pending).is_some_and(|tx| tx.kind == Kind::InviteClient && is_open(tx))
        }) {
            // §14.2: ours is on its way.
            Some(491)
        } else if leg.invite.as_ref().is_some_and(|pending| self.transactions.get(pending).is_some_and(is_open)) {
            Some(500)
        } else if leg.stage == Stage::Closing {
            Some(481)
        } else {
            None
        };
        let refusal = match status {
            Some(500) => Some((500, vec![("Retry-After", (now.as_nanos() % 10).to_string())])),
            Some(status) => Some((status, Vec::new())),
            None => self.agree_on_timer(now, id, request).err(),
        };
        if let Some((status, headers)) = refusal {
            let mut response = self.dressed(request, status);
            for (name, value) in headers {
                response.headers.push(name, value);
            }
            self.respond(now, &key, &response);
            return;
        }
        self.note_allowed(id, &request.headers);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if let Some(dialog) = &mut leg.dialog {
            dialog.refresh_target(&request.headers);
        }
        leg.invite = Some(key);
        leg.trying_at = now + TRYING_AFTER;
        self.arm_leg(id);
        self.look_for(id);
        self.event(Event::Reinvite(id, request.sdp().map(<[u8]>::to_vec)));
    }

    pub(super) fn ring(&mut self, now: Instant, id: LegId, sdp: Option<String>) {
        let status = if sdp.is_some() { 183 } else { 180 };
        let Some((key, mut response)) = self.invite_response(id, status) else { return };
        if self.must_be_quiet(&key) {
            return;
        }
        if let Some(sdp) = sdp {
            response.headers.push("Allow", super::allow());
            response.headers.push("Content-Type", "application/sdp");
            response.body = sdp.clone().into_bytes();
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.described = Some(sdp);
            }
        }
        self.quiet_trying(id);
        self.make_reliable(now, id, &key, &mut response);
        self.respond(now, &key, &response);
        self.rang(now, id, status);
    }

    pub(super) fn answer(&mut self, now: Instant, id: LegId, sdp: String) {
        self.success(now, id, sdp);
    }

    /// Answers a re-INVITE, or an UPDATE with an offer: whichever is pending.
    pub(super) fn answer_reinvite(&mut self, now: Instant, id: LegId, answer: Result<String, u16>) {
        if let (Ok(sdp), Some(leg)) = (&answer, self.legs.get_mut(&id)) {
            leg.described = Some(sdp.clone());
        }
        if self.answer_update(now, id, &answer) {
            return;
        }
        match answer {
            Ok(sdp) => self.success(now, id, sdp),
            Err(status) => {
                let Some((key, mut response)) = self.invite_response(id, status) else { return };
                response.headers.remove("Contact");
                self.quiet_trying(id);
                self.respond(now, &key, &response);
            }
        }
    }

    /// 200 with a description, repeated until ACK.
    fn success(&mut self, now: Instant, id: LegId, sdp: String) {
        if self.answer_waits(id, &sdp) {
            return;
        }
        // What a reliable provisional response has said already is not said again (RFC 6337 §3.1).
        let early = self.legs.get(&id).is_some_and(|leg| leg.stage == Stage::Early && leg.described_early);
        let Some((key, mut response)) = self.invite_response(id, 200) else { return };
        let request = self.transactions.get(&key).map(|tx| tx.request.clone());
        // It was judged when it came in: this starts the timer.
        for (name, value) in request.and_then(|request| self.agree_on_timer(now, id, &request).ok()).unwrap_or_default()
        {
            response.headers.push(name, value);
        }
        response.headers.push("Allow", super::allow());
        response.headers.push("Supported", SUPPORTED.join(", "));
        if !early {
            response.headers.push("Content-Type", "application/sdp");
            response.body = sdp.into_bytes();
        }
        self.quiet_trying(id);
        self.respond(now, &key, &response);
        let path = self.transactions.get(&key).map(|tx| tx.path);
        if let (Some(leg), Some(path)) = (self.legs.get_mut(&id), path) {
            if leg.stage == Stage::Early {
                leg.stage = Stage::Unacknowledged;
            }
            leg.provisional = None;
            if !early {
                leg.described = Some(String::from_utf8_lossy(&response.body).into_owned());
            }
            leg.unacknowledged = Some(Unacknowledged {
                bytes: response.to_bytes(),
                path,
                cseq: number_of(&response.headers),
                interval: T1,
                next_at: now + T1,
                give_up_at: now + T1_64,
            });
        }
        self.arm_leg(id);
    }

    pub(super) fn refuse(&mut self, now: Instant, id: LegId, refusal: &Refusal) {
        let ended = Ended {
            by: EndedBy::Us,
            status: Some(refusal.status),
            reason: crate::sip::method::reason_phrase(refusal.status),
            answered_by_peer: false,
        };
        let Some((key, mut response)) = self.invite_response(id, refusal.status) else {
            // It has had its final response already: nothing is left to refuse.
            if self.legs.get(&id).is_some_and(|leg| leg.stage == Stage::Early) {
                self.end(now, id, ended);
            }
            return;
        };
        response.headers.remove("Contact");
        for (name, value) in &refusal.headers {
            response.headers.push(name, value.clone());
        }
        self.respond(now, &key, &response);
        self.end(now, id, ended);
    }

    /// A response to a leg's pending INVITE with its To tag, Contact and Record-Route.
    pub(super) fn invite_response(&mut self, id: LegId, status: u16) -> Option<(Key, Response)> {
        let leg = self.legs.get(&id)?;
        let key = leg.invite.clone()?;
        let (tag, path) = (leg.local_tag.clone(), leg.path);
        let open = self.transactions.get(&key).filter(|tx| tx.kind == Kind::InviteServer && is_open(tx));
        let request = open?.request.clone();
        let mut response = self.dressed(&request, status);
        if let Ok(to) = request.headers.to() {
            response.headers.set_first("To", to.with_tag(&tag).to_string());
        }
        for route in request.headers.all("Record-Route") {
            response.headers.push("Record-Route", route);
        }
        response.headers.push("Contact", self.contact(path, &request.uri));
        Some((key, response))
    }

    fn bye(&mut self, now: Instant, key: &Key, request: &Request) {
        let Some(id) = self.leg_of(request) else { return };
        let in_order = request.headers.cseq().is_ok_and(|cseq| {
            self.legs.get_mut(&id).and_then(|leg| leg.dialog.as_mut()).is_some_and(|dialog| dialog.accepts(&cseq))
        });
        let response = self.dressed(request, if in_order { 200 } else { 500 });
        self.respond(now, key, &response);
        if !in_order {
            return;
        }
        // A pending INVITE of theirs is answered with 487 (§15.1.2).
        if let Some((pending, mut response)) = self.invite_response(id, 487) {
            response.headers.remove("Contact");
            self.respond(now, &pending, &response);
        }
        let reason = request.headers.first("Reason").unwrap_or("BYE").to_owned();
        self.end(now, id, Ended { by: EndedBy::Far, status: None, reason, answered_by_peer: true });
    }

    fn cancel(&mut self, now: Instant, key: &Key, request: &Request) {
        let target = Key::of_cancelled(request).filter(|key| self.transactions.contains_key(key));
        let Some(target) = target else {
            let response = self.dressed(request, 481);
            self.respond(now, key, &response);
            return;
        };
        let mut response = self.dressed(request, 200);
        let leg = self.calls.get(request.headers.call_id()).copied();
        let leg = leg.filter(|id| self.legs.get(id).is_some_and(|leg| leg.invite.as_ref() == Some(&target)));
        if let (Some(leg), Ok(to)) = (leg.and_then(|id| self.legs.get(&id)), request.headers.to()) {
            response.headers.set_first("To", to.with_tag(&leg.local_tag).to_string());
        }
        self.respond(now, key, &response);
        // §9.2: after a final response CANCEL has no effect.
        let Some(id) = leg else { return };
        let Some((pending, mut response)) = self.invite_response(id, 487) else { return };
        response.headers.remove("Contact");
        self.respond(now, &pending, &response);
        if self.legs.get(&id).is_some_and(|leg| leg.stage == Stage::Early) {
            let reason = request.headers.first("Reason").unwrap_or("CANCEL").to_owned();
            self.end(now, id, Ended { by: EndedBy::Far, status: Some(487), reason, answered_by_peer: true });
        }
    }

    fn acknowledged(&mut self, now: Instant, key: &Key, request: &Request) {
        // ACK of a failure belongs to the transaction; ACK of a 2xx to the dialog.
        if self.transactions.get(key).is_some_and(|tx| tx.kind == Kind::InviteServer) {
            self.drive(now, key, TxEvent::Ack, None);
        }
        let Some(id) = self.leg_of(request) else { return };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let waited = leg.unacknowledged.as_ref().is_some_and(|waiting| waiting.cseq == number_of(&request.headers));
        if !waited {
            return;
        }
        leg.unacknowledged = None;
        if leg.stage == Stage::Unacknowledged {
            leg.stage = Stage::Confirmed;
        }
        let hang_up = leg.hang_up_when_acknowledged;
        let reason = leg.reason.clone();
        self.event(Event::Acknowledged(id, request.sdp().map(<[u8]>::to_vec)));
        if hang_up {
            self.hang_up(now, id, reason.as_deref());
        }
    }

    pub(super) fn leg_timer(&mut self, now: Instant, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if now >= leg.trying_at {
            leg.trying_at = Instant::FAR_FUTURE;
            if let Some((key, mut response)) = self.invite_response(id, 100) {
                response.headers.remove("Contact");
                response.headers.remove("Record-Route");
                self.respond(now, &key, &response);
            }
        }
        self.give_up_timer(now, id);
        self.name_timer(now, id);
        self.sign_timer(now, id);
        self.provisional_timer(now, id);
        self.ring_timer(now, id);
        self.session_timer_due(now, id);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let mut given_up = false;
        let mut again = None;
        if let Some(waiting) = &mut leg.unacknowledged {
            if now >= waiting.give_up_at {
                given_up = true;
            } else if now >= waiting.next_at {
                waiting.interval = (waiting.interval * 2).min(T2);
                waiting.next_at = now + waiting.interval;
                again = Some((waiting.path, waiting.bytes.clone()));
            }
        }
        if let Some((path, bytes)) = again {
            self.transmit(Some(id), path, bytes, true);
        }
        if given_up {
            // §13.3.1.4: the session is ended with BYE.
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.unacknowledged = None;
                leg.stage = Stage::Confirmed;
            }
            self.hang_up(now, id, Some("SIP;cause=408;text=\"no ACK\""));
            self.end(
                now,
                id,
                Ended {
                    by: EndedBy::Network,
                    status: None,
                    reason: "no ACK for our 200 within 32 s".into(),
                    answered_by_peer: false,
                },
            );
            return;
        }
        self.arm_leg(id);
    }

    pub(super) fn arm_leg(&mut self, id: LegId) {
        if let Some(at) = self.legs.get(&id).map(Leg::timeout)
            && !at.is_far_future()
        {
            self.timers.push(Reverse((at, TimerOf::Leg(id.0))));
        }
    }

    fn quiet_trying(&mut self, id: LegId) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.trying_at = Instant::FAR_FUTURE;
        }
    }

    /// Where in-dialog requests go: the first route or the Contact if it is an address of the kind we came by;
    /// through NAT, back where the INVITE came from.
    pub(super) fn dialog_path(leg: &Leg) -> Path {
        leg.dialog
            .as_ref()
            .map_or(leg.path, |dialog| Self::way_within(dialog, leg.role, leg.path, leg.place_of(dialog, leg.path)))
    }

    /// The same for a dialog that came about over `path`, whose first hop, if it is a name, is at `place`.
    pub(super) fn way_within(dialog: &Dialog, role: Role, over: Path, place: Option<SocketAddr>) -> Path {
        let hop = dialog.next_hop();
        if dialog.route_set.is_empty()
            && let Some(ip) = hop.host.parse().ok().or_else(|| place.map(|place| place.ip()))
            && is_private(ip)
            && ip != over.remote.ip()
        {
            return over;
        }
        let path = place.map_or_else(|| Self::path_to(&hop, over), |remote| Path { remote, ..over });
        // Our calls over plain TCP go where the Contact says, as over UDP. TLS stays: another address has no name to check.
        let stays = role == Role::Server || over.transport != Transport::Tcp || path.remote == over.remote;
        Path { connection: over.connection.filter(|_| stays), ..path }
    }

    /// `path` with the hop's address, if it is a number. A connection is used while it lives; this is where to connect
    /// when it does not.
    pub(super) fn path_to(hop: &Uri, path: Path) -> Path {
        match hop.host.parse::<std::net::IpAddr>() {
            Ok(ip) if !ip.is_unspecified() => {
                Path { remote: SocketAddr::new(ip, hop.port.unwrap_or(path.transport.default_port())), ..path }
            }
            _ => path,
        }
    }

    /// Forgets a leg and tells the engine.
    pub(super) fn end(&mut self, now: Instant, id: LegId, ended: Ended) {
        // What they wait for an answer to gets one: a server transaction without a response has no timer.
        let update = self.legs.get_mut(&id).and_then(|leg| leg.update.take());
        if let Some(key) = update
            && let Some(request) = self.transactions.get(&key).map(|tx| tx.request.clone())
        {
            let response = self.dressed(&request, 481);
            self.respond(now, &key, &response);
        }
        if let Some((key, mut response)) = self.invite_response(id, 487) {
            response.headers.remove("Contact");
            self.respond(now, &key, &response);
        }
        let Some(mut leg) = self.legs.remove(&id) else { return };
        self.end_waiting(now, &mut leg);
        for dialog in leg.dialog.iter().chain(leg.early.iter().map(|early| &early.dialog)) {
            self.dialogs.remove(&dialog.key());
        }
        // The Call-ID is remembered until its transactions are gone, for the ladder; the map is swept below.
        self.event(Event::Ended(id, ended));
        if self.calls.get(&leg.call_id) == Some(&id) {
            self.calls.remove(&leg.call_id);
        }
    }
}

/// Extensions that we know (RFC 4028, 3262, 3327, 3891): what `Supported` lists and `Require` may name.
pub(super) const SUPPORTED: &[&str] = &["timer", "100rel", "path", "replaces"];

/// Whether no final response was sent yet.
pub(super) const fn is_open(tx: &crate::sip::tx::Transaction) -> bool {
    matches!(tx.state, crate::sip::tx::table::State::Trying | crate::sip::tx::table::State::Proceeding)
}

const fn is_private(ip: std::net::IpAddr) -> bool {
    match ip {
        std::net::IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        std::net::IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
