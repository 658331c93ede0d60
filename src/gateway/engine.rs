//! The engine: owns the SIP endpoint and its sockets, admits calls, and passes signalling between legs and sessions.
//!
//! One task. Inbound and outbound calls enter here and nowhere else. Does not touch media or agents.

mod act;
mod addresses;
mod answers;
mod bridge;
mod conference;
mod draining;
mod encryption;
mod handle;
mod join;
mod ladder;
mod offered;
mod originate;
mod outside;
mod page_calls;
mod pages;
mod places;
mod policy;
mod refused;
mod replace;
mod start;
mod targets;
mod transfer;
mod whip;

pub use conference::{Deed, Member as ConferenceMember, View as ConferenceView, role as conference_role};
pub use handle::{Handle, Originate, Writing};
pub use join::Join;
pub(super) use ladder::sdp_words;
pub use pages::{PageId, PickUp, Presence, Taken};

use handle::Request;

use super::{
    bindings,
    hub::Sink,
    pressure::Pressure,
    router::{Denied, Router},
    session::{Begin, In},
    trunks::{Errand, Trunks},
    worker::Workers,
};
use crate::{
    agent::{event::Action, seat::Plan},
    call::pipeline::{Music, Settings, SipAction, srtp},
    clock::SystemClock,
    config::Config,
    error::{Kind, Result},
    net::{
        connections::Connections,
        crowd::Crowd,
        http,
        ports::Ports,
        resolve::Resolver,
        stream::{self},
        udp,
    },
    redact::printable,
    route::tolls::Tolls,
    sip::{
        endpoint::{self, AskId, Command, Endpoint, Event, LegId, Offered, Output, Refusal, Reply, Trace},
        trunk::Wish,
        tx::{Path, Transport},
        uri::Uri,
    },
    unit::CallId,
};
use rand::{Rng as _, RngExt as _};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    net::UdpSocket,
    sync::{mpsc, oneshot},
};

/// Messages and commands that may wait for the engine.
const WAITING_MAX: usize = 8_192;
/// SIP transactions at once.
const TRANSACTIONS_MAX: usize = 20_000;
/// How long a gateway that goes waits for its upstreams to know it: two repetitions over UDP.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// Changed bindings are on the disk within this time.
const BINDINGS_WITHIN: Duration = Duration::from_millis(200);

/// What sessions tell the engine.
#[derive(Debug)]
pub enum ToEngine {
    /// Signalling that a call wants. Calls move from leg to leg; their names stay.
    Sip(CallId, SipAction),
    /// Its agent asks for something, with its number for it.
    Act(CallId, u32, Action),
    /// It wants this agent, as its callback says.
    Plan(String, oneshot::Sender<Result<Arc<Plan>, String>>),
    /// The session has finished.
    SessionOver(CallId),
}

/// One call, as the engine knows it.
#[derive(Debug)]
struct Known {
    call: CallId,
    to: mpsc::Sender<In>,
    /// Its far end may send us elsewhere with REFER.
    may_refer: bool,
    /// Number of its far end.
    far_end: String,
    /// What its INVITE said of who calls.
    caller: bridge::Caller,
    /// Nobody we know called, and from here.
    stranger: Option<IpAddr>,
    /// The media worker that it lives on.
    worker: usize,
    /// Its far end is a page: there is no leg.
    is_page: bool,
}

/// The engine.
pub struct Engine {
    config: Arc<Config>,
    router: Router,
    endpoint: Endpoint,
    sockets: Vec<(SocketAddr, Arc<UdpSocket>)>,
    /// Where streams are taken: what our Contact says on calls over them.
    streams_bound: Vec<(Transport, SocketAddr)>,
    connections: Connections,
    ports: Ports,
    workers: Workers,
    sink: Sink,
    sessions: HashMap<LegId, Known>,
    sessions_to: mpsc::Sender<ToEngine>,
    http: Arc<http::Client>,
    apology: Arc<[i16]>,
    hold_music: Music,
    /// Who still finds a place.
    places: places::Places,
    pressure: Pressure,
    /// Who is connected.
    crowd: Crowd,
    draining: Option<(tokio::time::Instant, oneshot::Sender<()>)>,
    /// Drain's deadline has passed once: everybody was told to hang up.
    deadline_passed: bool,
    /// Upstreams are told until then that we go.
    leaving_until: Option<crate::clock::Instant>,
    /// The newest INVITE's own trace, until its session exists.
    waiting_trace: Option<Trace>,
    refused_before: u64,
    untold_before: u64,
    away_before: crate::sip::limits::Counters,
    /// What calls of ours may cost.
    tolls: Tolls<LegId>,
    /// Bindings have changed and are to be written down then: many telephones refresh in one moment.
    bindings_due: Option<crate::clock::Instant>,
    bindings_written: bindings::Written,
    trunks: Trunks,
    trunk_addresses: addresses::Addresses,
    resolver: Arc<Resolver>,
    trails: targets::Trails,
    /// Responses that wait for a connection.
    parcels: answers::Parcels,
    /// Connections that trunks are registered over.
    flows: HashMap<u64, usize>,
    next_ask: u64,
    asked: HashMap<AskId, AskedFor>,
    /// For tasks that look up names on the engine's behalf.
    requests_to: mpsc::WeakSender<Request>,
    /// Calls that were refused, until their answer is out.
    refusals: refused::Refusals,
    /// Calls whose far end is being replaced: the leg that is to take its place, and whether we know whose it is.
    replacing: HashMap<CallId, (LegId, bool)>,
    /// Calls that go on to somebody else.
    bridges: bridge::Bridges,
    /// What agents have asked for and what is not done yet.
    acting: act::Acting,
    conferences: conference::Conferences,
    pages: pages::Pages,
    /// New legs that are to take over a session, and the leg that has it.
    moves: HashMap<LegId, Move>,
}

/// Why something was asked.
#[derive(Debug)]
enum AskedFor {
    /// Over this connection, if it is one.
    Trunk(usize, Wish, Option<u64>),
    Text(oneshot::Sender<Result<Reply>>),
}

/// A call that goes to somebody else's leg because the far end asked for it.
#[derive(Debug)]
struct Move {
    from: LegId,
    /// The old leg has ended already: how.
    ended: Option<endpoint::Ended>,
}

impl Engine {
    async fn run(
        mut self,
        mut packets: mpsc::Receiver<udp::Received>,
        mut stream_events: mpsc::Receiver<stream::Event>,
        mut from_sessions: mpsc::Receiver<ToEngine>,
        mut requests: mpsc::Receiver<Request>,
    ) {
        self.show_users();
        self.sink.hub.trunks(self.trunks.views(SystemClock::now()));
        // Nobody else may wake us: trunks begin by themselves.
        self.run_errands();
        let mut next_at = self.settle().min(self.trunks.timeout()).min(self.trunk_addresses.timeout());
        loop {
            let drain_at = self.draining.as_ref().map(|(at, _)| *at);
            tokio::select! {
                Some(message) = from_sessions.recv() => self.session_says(message),
                Some(received) = packets.recv() => {
                    self.mind_the_queue(packets.len());
                    self.endpoint.handle(SystemClock::now(), received.path, &received.bytes);
                }
                Some(event) = stream_events.recv() => self.stream(event),
                request = requests.recv() => match request {
                    Some(request) => self.request(request),
                    // Every handle is gone: the program ends.
                    None => return,
                },
                () = tokio::time::sleep_until(SystemClock::deadline(next_at)), if !next_at.is_far_future() => {
                    self.endpoint.handle_timeout(SystemClock::now());
                    self.bridges_due();
                }
                () = tokio::time::sleep_until(SystemClock::deadline(self.pressure.timeout())), if !self.sessions.is_empty() => {
                    self.feel_pressure();
                }
                () = tokio::time::sleep_until(drain_at.unwrap_or_else(tokio::time::Instant::now)), if drain_at.is_some() => {
                    self.drain_deadline();
                }
            }
            self.run_errands();
            self.end_beyond_tolls();
            if self.bindings_due.is_some_and(|due| due <= SystemClock::now()) {
                self.bindings_due = None;
                self.keep_bindings();
            }
            next_at = self.settle().min(self.trunks.timeout()).min(self.trunk_addresses.timeout());
            next_at = next_at.min(self.bridges.timeout()).min(self.tolls.timeout());
            next_at = next_at.min(self.bindings_due.unwrap_or(crate::clock::Instant::FAR_FUTURE));
            self.finish_drain();
            next_at = self.leaving_until.map_or(next_at, |until| next_at.min(until));
        }
    }

    /// Requests that would begin something are turned away while the queue is long, before anybody's call suffers.
    const fn mind_the_queue(&mut self, waiting: usize) {
        if waiting > WAITING_MAX / 4 {
            self.endpoint.set_overloaded(true);
        } else if waiting < WAITING_MAX / 32 {
            self.endpoint.set_overloaded(false);
        }
    }

    /// Carries out what the endpoint wants; gives when it wants to hear of the time.
    fn settle(&mut self) -> crate::clock::Instant {
        loop {
            match self.endpoint.poll() {
                Output::Timeout(at) => {
                    let counters = self.endpoint.counters();
                    let shared = &self.sink.hub.counters;
                    shared.dropped.store(counters.dropped, Ordering::Relaxed);
                    shared.refused.fetch_add(counters.refused - self.refused_before, Ordering::Relaxed);
                    self.refused_before = counters.refused;
                    shared.refused_unrecorded.fetch_add(counters.untold - self.untold_before, Ordering::Relaxed);
                    self.untold_before = counters.untold;
                    let away = self.endpoint.turned_away();
                    if away != self.away_before {
                        for (limit, count) in [
                            ("sip.limits.allow", away.denied),
                            ("sip.limits.per_source", away.limited),
                            ("sip.limits.global", away.limited_globally),
                            ("sip.limits.ban_after", away.banned),
                            ("sip.limits.scanners", away.scanners),
                            ("overload", away.overload),
                        ] {
                            shared.turned_away(limit, count);
                        }
                        self.away_before = away;
                    }
                    return at;
                }
                Output::Transmit(path, bytes) => self.transmit(path, bytes),
                Output::Trace(trace) => self.trace(trace),
                Output::Event(event) => self.event(event),
            }
        }
    }

    // Network

    fn transmit(&mut self, path: Path, bytes: Vec<u8>) {
        if path.transport == Transport::Udp {
            let socket = self
                .sockets
                .iter()
                .find(|(bound, _)| bound.port() == path.local.port() && bound.is_ipv4() == path.remote.is_ipv4())
                .or_else(|| self.sockets.iter().find(|(bound, _)| bound.is_ipv4() == path.remote.is_ipv4()));
            if let Some((_, socket)) = socket
                && let Err(problem) = udp::send(socket, &bytes, path.remote)
            {
                tracing::debug!(target: "sip", event = "sip.unsent", remote = %path.remote, "{problem}");
            }
            return;
        }
        if !self.answers_elsewhere(path, &bytes)
            && let Err(problem) = self.connections.send(path, bytes)
        {
            self.endpoint.connection_lost(SystemClock::now(), path, &problem.to_string());
        }
    }

    fn stream(&mut self, event: stream::Event) {
        match event {
            stream::Event::Opened { id, path, writer } => self.connections.opened(id, path, writer),
            stream::Event::Received(received) => {
                self.endpoint.handle(SystemClock::now(), received.path, &received.bytes);
            }
            stream::Event::Undelivered { remote, why } => {
                let (transport, local) = (Transport::Udp, SocketAddr::from(([0, 0, 0, 0], 0)));
                let path = Path { transport, remote, local, connection: None };
                self.endpoint.connection_lost(SystemClock::now(), path, &why);
            }
            stream::Event::TurnedAway(ip) => {
                tracing::debug!(target: "sip", event = "sip.connection_turned_away", source = %ip);
                self.sink.hub.counters.refuse("sip.limits.connections");
            }
            stream::Event::Closed { id, path, made, why } => {
                self.connections.closed(id);
                self.undelivered(id, made);
                if let Some(trunk) = self.flows.remove(&id) {
                    self.trunks.flow_lost(SystemClock::now(), trunk, rand::rng().random::<f64>());
                    self.sink.hub.trunks(self.trunks.views(SystemClock::now()));
                }
                self.endpoint.connection_lost(SystemClock::now(), path, &why);
            }
        }
    }

    // Calls

    fn event(&mut self, event: Event) {
        match event {
            Event::Invite(leg, offered) => self.offered(leg, *offered),
            Event::Acknowledged(leg, sdp) => self.tell(leg, In::Acknowledged(sdp)),
            Event::Reinvite(leg, sdp) => self.tell(leg, In::Reinvite(sdp)),
            Event::Progress(leg, status, sdp) if self.bridge_progress(leg, status, sdp.as_deref()) => {}
            Event::Progress(_, 100, _) => {}
            Event::Progress(leg, status, sdp) => match (self.moves.get(&leg), sdp) {
                (Some(moving), _) => {
                    self.endpoint.command(SystemClock::now(), Command::TellReferrer(moving.from, status));
                }
                (None, Some(sdp)) => self.tell(leg, In::EarlyMedia(status, sdp)),
                (None, None) => self.tell(leg, In::Progress(status)),
            },
            Event::Answered(leg, sdp) => {
                self.arrived(endpoint::Attempt::Leg(leg));
                if self.bridge_answered(leg, sdp.as_deref()) {
                    return;
                }
                self.tolls.answered(SystemClock::now(), leg);
                match self.moves.remove(&leg) {
                    Some(moving) => self.moved(leg, &moving, sdp),
                    None => self.tell(leg, In::Answered(sdp)),
                }
            }
            Event::Ended(leg, ended) => {
                let ended = self.leg_at_end(leg, ended);
                self.ended(leg, ended);
            }
            Event::TryNext(attempt, failure) => self.try_next(attempt, &failure),
            Event::Redirected(leg, to, same_number) => self.redirected(leg, to, same_number),
            Event::Changed(leg, Ok(sdp)) => self.tell(leg, In::Changed(sdp)),
            Event::Changed(leg, Err(status)) => self.tell(leg, In::NotChanged(status)),
            Event::Digit(leg, digit, duration_ms) => self.tell(leg, In::Digit(digit, duration_ms)),
            Event::NotPressed(leg, status) => self.not_pressed(leg, status),
            Event::Referred(leg, to) => self.referred(leg, to),
            Event::Transfer(leg, status) => self.transferred(leg, status),
            Event::Texted(leg, status) => self.texted(leg, status),
            Event::Text(text) => self.text(*text),
            Event::Locate(leg, name) => self.locate(leg, name),
            Event::Proven(leg, _) => self.may_refer(leg, true),
            Event::Replied(id, reply) => {
                let reply = self.reply_at_end(endpoint::Attempt::Ask(id), reply);
                self.replied(id, reply);
            }
            Event::Bindings(user, count) => {
                tracing::info!(target: "sip", event = "sip.bindings", user = %printable(&user), contacts = count);
                self.show_users();
                self.bindings_due.get_or_insert_with(|| SystemClock::now() + BINDINGS_WITHIN);
            }
            Event::Turned(turned) => self.turned(*turned),
            Event::WrongPassword(user, source, banned) => {
                tracing::warn!(target: "sip", event = "sip.wrong_password", user = %printable(&user), %source, banned);
            }
        }
    }

    fn tell(&self, leg: LegId, input: In) {
        if let Some(known) = self.sessions.get(&leg)
            && known.to.try_send(input).is_err()
        {
            tracing::warn!(target: "call", event = "call.stuck", call = %known.call, "the session does not take signalling");
        }
    }

    fn session_says(&mut self, message: ToEngine) {
        let now = SystemClock::now();
        match message {
            ToEngine::Act(call, id, action) => self.act(call, id, action),
            ToEngine::Plan(name, reply) => {
                let _ = reply.send(self.router.another(&name));
            }
            ToEngine::SessionOver(call) => {
                self.acting.forget(call);
                self.conferences.leave(call);
                self.give_up_replacing(call);
                if let Some(leg) = self.leg_of(call) {
                    if self.sessions.remove(&leg).is_some_and(|known| known.is_page) {
                        self.tolls.ended(now, leg);
                    }
                    self.give_up_pages(leg);
                    self.session_of_bridge_over(leg);
                    self.give_up_calling(leg);
                    self.give_up_moves_of(leg);
                    // Nothing if it is over there too.
                    self.endpoint.command(now, Command::HangUp(leg, None));
                }
            }
            ToEngine::Sip(call, action) => {
                let Some(leg) = self.leg_of(call) else { return };
                if matches!(action, SipAction::HangUp(_)) {
                    self.give_up_moves_of(leg);
                    if self.give_up_calling(leg) || self.give_up_pages(leg) {
                        return;
                    }
                }
                let command = match action {
                    SipAction::AnswerReplacing(sdp) => return self.take_place(call, sdp),
                    SipAction::Accepted => return self.callee_accepted(leg),
                    SipAction::RefuseReplacing(status) => return self.refuse_place(call, status),
                    SipAction::Reinvite(sdp) => Command::Reinvite(leg, sdp),
                    SipAction::Ring => Command::Ring(leg, None),
                    SipAction::RingWithMedia(sdp) => Command::Ring(leg, Some(sdp)),
                    SipAction::Held(held) => return self.bridge_held(leg, held),
                    SipAction::Answer(sdp) => Command::Answer(leg, sdp),
                    SipAction::Digit(digit, duration_ms) => Command::Press(leg, digit, duration_ms),
                    SipAction::Refuse(status, why) => {
                        self.sink.hub.counters.refused.fetch_add(1, Ordering::Relaxed);
                        // 304 is media; what a callback refuses is anything.
                        let code = if status == 488 { 304 } else { 399 };
                        let headers = vec![("Warning".into(), format!("{code} voxgw \"{why}\""))];
                        Command::Refuse(leg, Refusal { status, headers })
                    }
                    SipAction::AnswerReinvite(sdp) => Command::AnswerReinvite(leg, sdp),
                    SipAction::RefuseReinvite(status) => Command::RefuseReinvite(leg, status),
                    SipAction::HangUp(reason) => Command::HangUp(leg, Some(reason)),
                };
                self.endpoint.command(now, command);
            }
        }
    }

    fn leg_of(&self, call: CallId) -> Option<LegId> {
        self.sessions.iter().find(|(_, known)| known.call == call).map(|(leg, _)| *leg)
    }

    // Requests

    fn request(&mut self, request: Request) {
        match request {
            Request::Originate(originate, found, reply) => {
                let outcome = self.originate(*originate, found);
                let _ = reply.send(outcome);
            }
            Request::Transfer(call, to, reply) => {
                let _ = reply.send(self.transfer(call, to));
            }
            Request::Whip(originate, whip, reply) => {
                let _ = reply.send(self.call_whip(&originate, *whip));
            }
            Request::Join(join) => self.join(*join),
            Request::Present(presence, reply) => {
                let _ = reply.send(self.present(*presence));
            }
            Request::Absent(page) => self.absent(page),
            Request::Decline(page, ring) => self.decline(page, &ring),
            Request::PickUp(taken) => self.pick_up(*taken),
            Request::Text(writing, found, reply) => self.write(*writing, found, reply),
            Request::Deliver(parcel, found) => self.deliver_to(*parcel, found),
            Request::Redirected(leg, to, found) => self.redirected_to(leg, &to, found),
            Request::TransferTo(call, other, reply) => {
                let _ = reply.send(self.transfer_to(call, other));
            }
            Request::Hold(call, hold, reply) => {
                let _ = reply.send(self.tell_call(call, In::Hold(hold)));
            }
            // Without a session the reply is dropped, and says so.
            Request::Attach(call, wish, reply) => drop(self.tell_call(call, In::Attach(wish, reply))),
            Request::Plan(name, reply) => {
                let _ = reply.send(self.router.plan(name.as_deref()));
            }
            Request::Located(leg, name, found) => self.located(leg, name, found),
            Request::TrunkIsAt(trunk, server, found) => self.trunk_found(trunk, &server, found),
            Request::Errand(errand, found) => self.errand(*errand, found),
            Request::Referral(leg, to, found) => self.follow(leg, to, found),
            Request::Elsewhere(new, offer) => self.follow_with(*new, offer),
            Request::Onward(id, found) => self.ways_found(id, found),
            Request::Bridge(call, target, number, reply) => {
                let _ = reply.send(self.put_through(call, target, number));
            }
            Request::Conferences(reply) => {
                let _ = reply.send(self.conferences.views());
            }
            Request::Confer(call, name, role, reply) => {
                let _ = reply.send(self.confer(call, &name, role));
            }
            Request::Attend(name, call, deed, reply) => {
                let _ = reply.send(self.attend(&name, call, deed));
            }
            Request::HangUp(call, reason, reply) => {
                let _ = reply.send(self.tell_call(call, In::HangUp(reason)));
            }
            Request::PauseRecording(call, paused, reply) => {
                let _ = reply.send(self.tell_call(call, In::PauseRecording(paused)));
            }
            Request::Press(call, digits, reply) => {
                let _ = reply.send(self.tell_call(call, In::Press(digits)));
            }
            Request::Drain(within, reply) => {
                self.sink.hub.counters.draining.store(true, Ordering::Relaxed);
                self.endpoint.set_leaving();
                let now = SystemClock::now();
                self.trunks.leave(now);
                self.leaving_until = Some(now + LEAVE_MAX);
                self.draining = Some((tokio::time::Instant::now() + within, reply));
            }
            Request::HangUpAll(reason) => {
                for known in self.sessions.values() {
                    let _ = known.to.try_send(In::HangUp(reason.clone()));
                }
            }
            Request::Acted(call, id, outcome) => self.acted(call, id, outcome),
            Request::Alive(reply) => {
                let _ = reply.send(self.endpoint.alive());
            }
        }
    }

    fn tell_call(&self, call: CallId, input: In) -> bool {
        self.sessions.values().find(|known| known.call == call).is_some_and(|known| known.to.try_send(input).is_ok())
    }
}

/// A name that no call in memory has, as good as surely.
fn new_call_id() -> CallId {
    CallId(rand::rng().next_u32())
}
