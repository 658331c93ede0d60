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
mod outside;
mod pages;
mod policy;
mod refused;
mod replace;
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
    router::{Denied, Router, Seated},
    session::{Begin, In, Start, consult::Ask},
    trunks::{Errand, Trunks},
    worker::Workers,
};
use crate::{
    agent::{
        event::Action,
        prompts,
        seat::{Plan, What},
    },
    call::{
        self,
        journal::{Direction, Header, SCHEMA},
        pipeline::{Music, Settings, SipAction, srtp},
    },
    clock::SystemClock,
    config::{Config, Transfers},
    error::{Error, Kind, Result},
    media::dsp::mix::Role,
    net::{
        connections::Connections,
        crowd::Crowd,
        http,
        ports::Ports,
        resolve::{Found, Resolver},
        stream::{self, Door},
        tcp, tls, udp,
    },
    redact::{Pii, printable},
    route::tolls::Tolls,
    sip::{
        endpoint::{self, AskId, Command, Endpoint, Event, LegId, Offered, Output, Refusal, Reply, Trace},
        trunk::Wish,
        tx::{Path, Transport},
        uri::{Uri, escaped, unescaped},
    },
    unit::CallId,
};
use rand::{Rng as _, RngExt as _};
use std::{
    collections::HashMap,
    net::SocketAddr,
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
    tolls: Tolls,
    /// Calls of ours that were answered, and when.
    talking: HashMap<LegId, crate::clock::Instant>,
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
    /// Binds everything and starts; call it inside the runtime. `answering` takes incoming calls: the rules, one
    /// agent, or nobody.
    ///
    /// # Errors
    /// An address or port that cannot be bound, a folder that cannot be made.
    pub fn start(config: Arc<Config>, answering: impl Into<Router>) -> Result<Handle> {
        let (packets_to, packets) = mpsc::channel(WAITING_MAX);
        let (streams_to, stream_events) = mpsc::channel(WAITING_MAX);
        let (mut sockets, mut listening, mut listeners) = (Vec::new(), Vec::new(), Vec::new());
        let mut streams_bound = Vec::new();
        let connections = Connections::new(tls::Client::new(config.tls.clone())?, streams_to.clone())
            .pinging(config.signalling.keep_alive);
        let (crowd, origins) =
            (Crowd::of(config.signalling.connections_max), Arc::from(config.signalling.origins.clone()));
        for listen in &config.listen {
            match listen.transport {
                Transport::Udp => {
                    let socket = udp::bind(*listen)?;
                    let bound = socket.local_addr().unwrap_or(listen.address);
                    listening.push(format!("udp:{bound}"));
                    sockets.push((bound, socket));
                }
                transport => {
                    let tls = transport.is_secure().then(|| tls::acceptor(&config.tls)).transpose()?;
                    let listener = tcp::bind(*listen)?;
                    let bound = listener.local_addr().unwrap_or(listen.address);
                    listening.push(format!("{}:{bound}", transport.lower_name()));
                    streams_bound.push((transport, bound));
                    listeners
                        .push((listener, Door { transport, tls, crowd: crowd.clone(), origins: Arc::clone(&origins) }));
                }
            }
        }
        let http = Arc::new(http::Client::new(config.http_ca.clone())?);
        let posts = super::post::Watch::default();
        let hub = super::hub::start(&config.name, listening.clone(), posts.post("hub"));
        let writer = if config.recording.journal {
            Some(super::writer::start(config.recording.clone(), hub.clone(), posts.post("writer"))?)
        } else {
            None
        };
        for (_, socket) in &sockets {
            tokio::spawn(udp::receive(Arc::clone(socket), packets_to.clone()));
            tokio::spawn(udp::refusals(Arc::clone(socket), streams_to.clone()));
        }
        for (listener, door) in listeners {
            tokio::spawn(stream::accept(listener, door, streams_to.clone()));
        }
        let workers = Workers::start(config.workers, config.urgent)?;
        let (sessions_to, from_sessions) = mpsc::channel(WAITING_MAX);
        let (to, requests) = mpsc::channel(256);
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        let signalling = &config.signalling;
        let trunk_addresses = addresses::Addresses::new(&signalling.trunks);
        let mut endpoint = Endpoint::new(endpoint::Settings {
            advertise: config.advertise,
            transactions_max: TRANSACTIONS_MAX,
            seed,
            realm: signalling.realm.clone(),
            algorithms: signalling.algorithms.clone(),
            accounts: signalling.users.clone(),
            authenticate: signalling.authenticate,
            trusted: trunk_addresses.ips().collect(),
            registrar: signalling.registrar.clone(),
            timers: signalling.timers,
            reliability: signalling.reliability,
            limits: signalling.limits.clone(),
            refusals_per_minute: config.recording.refused_per_minute,
            redirected_anywhere: config.tolls.allow.is_empty(),
            ..endpoint::Settings::default()
        });
        if let Some((ago, saved)) = signalling.bindings_file.as_deref().and_then(bindings::read) {
            endpoint.restore_bindings(SystemClock::now(), ago, saved);
        }
        let join_key = Arc::new(join::key(config.web.secret_file.as_deref())?);
        let upstreams = Arc::from(signalling.trunks.clone());
        let udp_bound: Vec<SocketAddr> = sockets.iter().map(|(bound, _)| *bound).collect();
        let resolver = Arc::new(Resolver::new(&signalling.dns, &udp_bound)?);
        let hold_music = match config.hold_music.as_str() {
            "off" => Music::Off,
            "builtin" => Music::Tune,
            file => Music::Sound(prompts::load_narrow(std::path::Path::new(file))?),
        };
        let engine = Self {
            endpoint,
            bindings_due: None,
            bindings_written: bindings::Written::default(),
            tolls: Tolls::new(config.tolls.clone()),
            trunks: Trunks::new(SystemClock::now(), &signalling.trunks, rand::rng().next_u64()),
            trunk_addresses,
            resolver: Arc::clone(&resolver),
            trails: targets::Trails::default(),
            parcels: HashMap::new(),
            flows: HashMap::new(),
            next_ask: 1,
            asked: HashMap::new(),
            requests_to: to.downgrade(),
            bridges: bridge::Bridges::default(),
            acting: act::Acting::default(),
            conferences: conference::Conferences::default(),
            pages: pages::Pages::default(),
            moves: HashMap::new(),
            replacing: HashMap::new(),
            refusals: refused::Refusals::new(SystemClock::now(), config.recording.refused_per_minute),
            ports: hub.counters.rtp_ports.get_or_init(|| Ports::new(config.rtp_ports.clone())).clone(),
            config,
            router: answering.into(),
            sockets,
            streams_bound,
            connections,
            workers: workers.clone(),
            sink: Sink { hub: hub.clone(), writer: writer.clone() },
            sessions: HashMap::new(),
            sessions_to,
            http,
            apology: prompts::builtin("apology"),
            hold_music,
            draining: None,
            deadline_passed: false,
            leaving_until: None,
            waiting_trace: None,
            refused_before: 0,
            untold_before: 0,
            away_before: crate::sip::limits::Counters::default(),
            talking: HashMap::new(),
        };
        let post = posts.post("engine");
        tokio::spawn(async move {
            let _post = post;
            engine.run(packets, stream_events, from_sessions, requests).await;
        });
        Ok(Handle { to, hub, writer, listening, workers, join_key, upstreams, resolver, posts })
    }

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
        let mut next_at = self.settle().min(self.trunks.timeout());
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
                    Some(request) => self.request(request).await,
                    // Every handle is gone: the program ends.
                    None => return,
                },
                () = tokio::time::sleep_until(SystemClock::deadline(next_at)), if !next_at.is_far_future() => {
                    self.endpoint.handle_timeout(SystemClock::now());
                    self.bridges_due();
                }
                () = tokio::time::sleep_until(drain_at.unwrap_or_else(tokio::time::Instant::now)), if drain_at.is_some() => {
                    self.drain_deadline();
                }
            }
            self.run_errands();
            if self.bindings_due.is_some_and(|due| due <= SystemClock::now()) {
                self.bindings_due = None;
                self.keep_bindings();
            }
            next_at = self.settle().min(self.trunks.timeout());
            next_at = next_at.min(self.bridges.timeout());
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
                self.talking.insert(leg, SystemClock::now());
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

    /// Admission: draining, too many calls, the rules, no port.
    fn offered(&mut self, leg: LegId, offered: Offered) {
        let called = [&offered.target, &offered.to];
        let trunk = self.trunk_addresses.calling(offered.path.remote.ip(), &called).map(str::to_owned);
        if let Some(old) = offered.replaces {
            self.replaced(leg, old, offered, trunk.is_some());
            return;
        }
        let routed = if self.draining.is_some() {
            Err(Denied::by_key(503, "gateway.drain", "the gateway is draining"))
        } else if self.sessions.len() >= self.config.max_calls {
            let why = format!("gateway.max_calls = {} is reached", self.config.max_calls);
            Err(Denied::by_key(503, "gateway.max_calls", why))
        } else {
            self.router.route(&offered, trunk.clone(), SystemClock::wall())
        };
        let admitted = routed.and_then(|routed| {
            let onward = self.onward(&offered, &routed, trunk.is_some())?;
            let pair = self.ports.bind(offered.path.local.ip());
            Ok((routed, onward, pair.map_err(|problem| Denied::by_key(503, "media.rtp_ports", problem))?))
        });
        let (routed, onward, ports) = match admitted {
            Ok(admitted) => admitted,
            Err(denied) => return self.deny(leg, &offered, denied),
        };
        let ringback = matches!(routed.seat, Seated::Bridge(.., true));
        let (plan, conference) = match routed.seat {
            Seated::Agent(plan) => (plan, None),
            Seated::Bridge(target, ..) => (Arc::new(Plan::far(&target.to_string())), None),
            Seated::Conference(name) => (Arc::new(Plan::far(&format!("conference {name}"))), Some(name)),
        };
        self.sink.hub.counters.calls.fetch_add(1, Ordering::Relaxed);
        let call = new_call_id();
        let header = Header {
            schema: SCHEMA.to_owned(),
            call,
            gateway: self.config.name.clone(),
            direction: Direction::In,
            from: Pii(routed.from),
            to: Pii(routed.to),
            agent: plan.name.clone(),
            started: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sip_call_id: offered.call_id.clone(),
            rule: routed.rule,
            headers: self.carried(&offered, trunk.is_some()),
        };
        let rtp_port = ports.rtp.local_addr().map_or(0, |address| address.port());
        let ip = self.config.advertise.unwrap_or_else(|| offered.path.local.ip());
        let srtp = self.encryption(&offered.path, trunk.as_deref(), "");
        let rtp = SocketAddr::new(ip, rtp_port);
        let mut settings = self.settings(header, &plan, trunk.as_deref(), rtp, srtp, None);
        settings.call.waits = onward.is_some() || conference.is_some();
        if ringback {
            settings.call.early = call::Early::Ring;
        }
        let worker = conference.as_ref().and_then(|name| self.conferences.worker(name));
        let worker = worker.unwrap_or_else(|| self.workers.least_busy());
        let known = trunk.is_some() || offered.user.is_some();
        let caller = bridge::Caller::of(&offered, trunk.is_some(), &self.config.signalling.headers_across);
        self.spawn(leg, call, Begin::Offered(offered.sdp, offered.target.to_string()), settings, plan, ports, worker);
        if let Some(session) = self.sessions.get_mut(&leg) {
            session.caller = caller;
        }
        self.may_refer(leg, known);
        if let Some(onward) = onward {
            self.go_onward(leg, call, onward);
        }
        if let Some(name) = conference {
            self.sit_down(leg, &name, Role::Talks);
        }
    }

    fn settings(
        &self,
        mut header: Header,
        plan: &Plan,
        trunk: Option<&str>,
        rtp: SocketAddr,
        srtp: srtp::Settings,
        originate: Option<&Originate>,
    ) -> Settings {
        let wall = SystemClock::wall();
        header.started = wall.rfc3339();
        let direction = header.direction;
        Settings {
            call: call::Settings {
                direction,
                owner: plan.owner,
                barge_in: plan.barge_in,
                patience: self.config.patience,
                agent_silence: self.config.agent_silence,
                max_duration: originate.and_then(|o| o.max_duration).unwrap_or(self.config.max_duration),
                ring_max: originate.map_or(Duration::from_secs(30), |o| o.ring),
                early: plan.early,
                waits: false,
            },
            header,
            wall,
            codecs: self.codecs(plan, trunk),
            ptime: self.config.ptime,
            tuning: self.config.tuning,
            rtp,
            srtp,
            seed: rand::rng().next_u64(),
            agent_rate: plan.rate(),
            agent_speaks: plan.speaks(),
            tools: plan.offered(),
            prebuffer: plan.prebuffer,
            apology: Arc::clone(&self.apology),
            hold_music: self.hold_music.clone(),
            record: self.config.recording.sound && self.sink.writer.is_some(),
            tone: self.config.recording.tone,
            we_are_caller: direction == Direction::Out,
            media_timeout: self.config.media_timeout,
            hang_up_after_silence: originate.and_then(|o| o.hang_up_after_silence),
            hang_up_after_turns: originate.and_then(|o| o.hang_up_after_turns),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a call and where it lives")]
    fn spawn(
        &mut self,
        leg: LegId,
        call: CallId,
        begin: Begin,
        settings: Settings,
        plan: Arc<Plan>,
        ports: crate::net::ports::PortPair,
        worker: usize,
    ) {
        let (to, from) = mpsc::channel(512);
        if let Some(writer) = &self.sink.writer {
            writer.send(super::writer::In::Open(call, super::writer::folder_name(settings.wall, call)));
        }
        let far_end = match settings.header.direction {
            Direction::In => settings.header.from.0.clone(),
            Direction::Out => settings.header.to.0.clone(),
        };
        let may_refer = self.config.transfers == Transfers::All;
        let (caller, is_page) = (bridge::Caller::default(), matches!(begin, Begin::Joined(_) | Begin::Whip(_)));
        self.sessions.insert(leg, Known { call, to, may_refer, far_end, caller, worker, is_page });
        if let Some(trace) = self.waiting_trace.take().filter(|trace| trace.leg == Some(leg)) {
            self.trace(trace);
        }
        let ask = self.ask_about(&begin, &settings.header, &plan);
        let start = Start {
            call,
            leg,
            begin,
            settings,
            plan,
            ports,
            from,
            engine: self.sessions_to.clone(),
            sink: self.sink.clone(),
            pcap: self.config.recording.pcap,
            agent_frames: self.config.recording.agent_frames,
            http: Arc::clone(&self.http),
            ask,
        };
        self.workers.spawn(worker, start);
    }

    /// Whom to ask about an incoming call for an agent.
    fn ask_about(&self, begin: &Begin, header: &Header, plan: &Plan) -> Option<Ask> {
        let uri = match begin {
            _ if matches!(plan.what, What::Far) => return None,
            Begin::Dialled(_) | Begin::Whip(_) => return None,
            Begin::Offered(_, uri) => uri.clone(),
            Begin::Joined(joining) => format!("sip:{}@{}", escaped(&header.to.0), joining.local.ip()),
        };
        let callback = self.config.callback_of(&plan.name)?;
        let (sip_call_id, rule) = (header.sip_call_id.clone(), header.rule.clone());
        Some(Ask { callback, uri, sip_call_id, rule, tools: self.config.tools.clone() })
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
                    self.sessions.remove(&leg);
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
                    if self.give_up_calling(leg) {
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

    /// Whether a leg's far end is `known` well enough to send us elsewhere.
    fn may_refer(&mut self, leg: LegId, known: bool) {
        if self.config.transfers == Transfers::Known
            && let Some(session) = self.sessions.get_mut(&leg)
        {
            session.may_refer = known;
        }
    }

    fn leg_of(&self, call: CallId) -> Option<LegId> {
        self.sessions.iter().find(|(_, known)| known.call == call).map(|(leg, _)| *leg)
    }

    // Requests

    async fn request(&mut self, request: Request) {
        match request {
            Request::Originate(originate, found, reply) => {
                let outcome = self.originate(*originate, found).await;
                let _ = reply.send(outcome);
            }
            Request::Transfer(call, to, reply) => {
                let leg = self.sessions.iter().find(|(_, known)| known.call == call).map(|(leg, _)| *leg);
                if let Some(leg) = leg {
                    self.endpoint.command(SystemClock::now(), Command::Transfer(leg, to));
                }
                let _ = reply.send(leg.is_some());
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
            Request::Plan(name, reply) => {
                let _ = reply.send(self.router.plan(name.as_deref()));
            }
            Request::Errand(errand, found) => self.errand(*errand, found),
            Request::Referral(leg, to, found) => self.follow(leg, to, found).await,
            Request::Onward(id, found) => self.ways_found(id, found).await,
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

    async fn originate(&mut self, mut originate: Originate, found: Option<Found>) -> Result<CallId> {
        if self.draining.is_some() {
            return Err(Error::machine("the gateway is draining: no new calls"));
        }
        if self.codecs(&originate.plan, originate.trunk.as_deref()).is_empty() {
            let agent = &originate.plan.name;
            let problem = format!("no codec of agents.{agent}.codecs is allowed by the trunk's codecs or media.codecs");
            return Err(Error::usage(problem));
        }
        self.tolls.begin(SystemClock::now(), &unescaped(originate.to.number())).map_err(|refused| {
            self.sink.hub.counters.refuse(refused.rule);
            Error::new(Kind::Refused, format!("{}: {}", refused.rule, refused.why))
        })?;
        let mut trail = None;
        let (path, target) = if let Some(found) = found {
            let found = self.for_invite(found, &originate.headers);
            let (path, rest) = self.set_out(originate.proxy.as_ref().unwrap_or(&originate.to), found)?;
            trail = Some(rest);
            (path, None)
        } else {
            let (path, contact, route) = self.registered(&originate.to.user)?;
            originate.headers.extend(route.into_iter().map(|value| ("Route".to_owned(), value)));
            (path, Some(contact))
        };
        let srtp = self.encryption(&path, originate.trunk.as_deref(), &originate.to.host);
        encryption::check(&srtp, &path)?;
        if let Some(trail) = trail.as_mut().filter(|_| encryption::has_keys(&srtp)) {
            trail.stay_secure();
        }
        let local_ip = path.local.ip();
        let ports = self.ports.bind(local_ip).map_err(Error::machine)?;
        let rtp_port = ports.rtp.local_addr().map_or(0, |address| address.port());
        let call = new_call_id();
        self.sink.hub.counters.calls.fetch_add(1, Ordering::Relaxed);
        let header = Header {
            schema: SCHEMA.to_owned(),
            call,
            gateway: self.config.name.clone(),
            direction: Direction::Out,
            from: Pii(originate.from.number().to_owned()),
            to: Pii(originate.to.number().to_owned()),
            agent: originate.plan.name.clone(),
            started: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sip_call_id: String::new(),
            rule: String::new(),
            headers: Vec::new(),
        };
        let ip = self.config.advertise.unwrap_or(local_ip);
        let plan = Arc::clone(&originate.plan);
        let rtp = SocketAddr::new(ip, rtp_port);
        let settings = self.settings(header, &plan, originate.trunk.as_deref(), rtp, srtp, Some(&originate));
        let leg = self.endpoint.new_leg();
        let (reply, sdp) = oneshot::channel();
        let worker = self.workers.least_busy();
        self.spawn(leg, call, Begin::Dialled(reply), settings, plan, ports, worker);
        self.may_refer(leg, true);
        let sdp = sdp.await.map_err(|_| Error::new(Kind::Bug, "the session ended before it began"))?;
        let mut to = originate.to;
        if to.host.is_empty() {
            to.host = path.remote.ip().to_string();
        }
        let outgoing = endpoint::Outgoing {
            to,
            target,
            from: originate.from,
            display: String::new(),
            path,
            sdp,
            headers: originate.headers,
            credentials: originate.credentials,
        };
        self.endpoint.command(SystemClock::now(), Command::Invite(leg, Box::new(outgoing)));
        if let Some(trail) = trail {
            self.go_along(endpoint::Attempt::Leg(leg), trail, Some(local_ip));
        }
        Ok(call)
    }

    /// The way of a call: for streams the connection is there, or on its way. Our Contact is where we listen; where we
    /// do not, the far end has our side of the connection.
    fn path_to(&mut self, hop: &Uri, transport: Transport, remote: SocketAddr) -> Result<Path> {
        let same_family = |bound: &SocketAddr| bound.is_ipv4() == remote.is_ipv4();
        if transport.is_stream() {
            let path = self.connections.to(transport, remote, &hop.host)?;
            let mut bound = self.streams_bound.iter().filter(|(known, _)| *known == transport).map(|(_, bound)| *bound);
            let port = bound.find(same_family).map_or(path.local.port(), |bound| bound.port());
            return Ok(Path { local: SocketAddr::new(path.local.ip(), port), ..path });
        }
        let Some(bound) = self.sockets.iter().map(|(bound, _)| *bound).find(same_family) else {
            return Err(
                Error::usage(format!("no UDP socket of the family of {remote} is open")).hint("add --sip udp:[::]:0")
            );
        };
        let local = SocketAddr::new(crate::net::local_ip_towards(remote.ip()), bound.port());
        Ok(Path { transport, remote, local, connection: None })
    }
}

/// Addresses of a trunk that are written as numbers: their requests are not challenged.
fn new_call_id() -> CallId {
    CallId(rand::rng().next_u32())
}
