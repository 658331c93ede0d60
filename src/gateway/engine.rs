//! The engine: owns the SIP endpoint and its sockets, admits calls, and passes signalling between legs and sessions.
//!
//! One task. Inbound and outbound calls enter here and nowhere else. Does not touch media or agents.

use super::{
    hub::{HubHandle, Sink},
    session::{Begin, Captured, In, Start},
    worker::Workers,
    writer::WriterHandle,
};
use crate::{
    agent::{prompts, seat::Plan},
    call::{
        self,
        journal::{Direction, Header, SCHEMA, SipMessage},
        pipeline::{Settings, SipAction},
    },
    clock::SystemClock,
    config::Config,
    error::{Error, Kind, Result},
    net::{ports::Ports, tcp, udp},
    redact::{Pii, sip_text},
    sip::{
        auth::Credentials,
        endpoint::{self, Command, Endpoint, Event, LegId, Offered, Output, Refusal, Trace, label_of},
        message::Message,
        tx::{Path, Transport},
        uri::Uri,
    },
    unit::CallId,
};
use rand::Rng as _;
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

/// What sessions tell the engine.
#[derive(Debug)]
pub enum ToEngine {
    /// Signalling that a call wants.
    Sip(LegId, SipAction),
    /// The session has finished.
    SessionOver(LegId),
}

/// A call to place.
#[derive(Debug)]
pub struct Originate {
    /// Whom.
    pub to: Uri,
    /// As whom.
    pub from: Uri,
    /// First hop instead of the target's own address.
    pub proxy: Option<Uri>,
    /// Extra headers.
    pub headers: Vec<(String, String)>,
    /// For a challenge.
    pub credentials: Option<Credentials>,
    /// Who talks on our side.
    pub plan: Arc<Plan>,
    /// For how long it may ring.
    pub ring: Duration,
    /// Longest call; none is the config's.
    pub max_duration: Option<Duration>,
    /// Hang up when the far end has been silent for so long after speaking.
    pub hang_up_after_silence: Option<Duration>,
    /// Hang up after so many turns.
    pub hang_up_after_turns: Option<u32>,
}

/// What a handle asks the engine for.
#[derive(Debug)]
enum Request {
    Originate(Box<Originate>, oneshot::Sender<Result<CallId>>),
    HangUp(CallId, String, oneshot::Sender<bool>),
    Press(CallId, String, oneshot::Sender<bool>),
    Drain(Duration, oneshot::Sender<()>),
    HangUpAll(String),
    Alive(oneshot::Sender<(usize, usize, usize)>),
}

/// A way to reach the engine. Clones share it.
#[derive(Clone, Debug)]
pub struct Handle {
    to: mpsc::Sender<Request>,
    /// The hub.
    pub hub: HubHandle,
    writer: Option<WriterHandle>,
    /// Where SIP listens.
    pub listening: Vec<String>,
    workers: Workers,
}

impl Handle {
    /// Places a call.
    ///
    /// # Errors
    /// The target cannot be resolved, no port is free, the gateway is draining.
    pub async fn originate(&self, originate: Originate) -> Result<CallId> {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Originate(Box::new(originate), reply)).await;
        answer.await.unwrap_or_else(|_| Err(Error::new(Kind::Bug, "the engine has stopped")))
    }

    /// Ends a call; false if there is none of that name.
    pub async fn hang_up(&self, call: CallId, reason: &str) -> bool {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::HangUp(call, reason.to_owned(), reply)).await;
        answer.await.unwrap_or(false)
    }

    /// Sends digits to a call's far end; false if there is no such call.
    pub async fn press(&self, call: CallId, digits: &str) -> bool {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Press(call, digits.to_owned(), reply)).await;
        answer.await.unwrap_or(false)
    }

    /// Takes no new calls, waits for the running ones, ends what is left at the deadline.
    pub async fn drain(&self, within: Duration) {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Drain(within, reply)).await;
        let _ = answer.await;
    }

    /// Ends all calls now.
    pub async fn hang_up_all(&self, reason: &str) {
        let _ = self.to.send(Request::HangUpAll(reason.to_owned())).await;
    }

    /// Transactions, dialogs and legs that are alive.
    pub async fn alive(&self) -> Option<(usize, usize, usize)> {
        let (reply, answer) = oneshot::channel();
        self.to.send(Request::Alive(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Finishes all files.
    pub fn finish_files(&self) {
        if let Some(writer) = self.writer.clone() {
            writer.stop();
        }
    }

    /// Calls that are running.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.workers.calls()
    }
}

/// One call, as the engine knows it.
#[derive(Debug)]
struct Known {
    call: CallId,
    to: mpsc::Sender<In>,
}

/// The engine.
pub struct Engine {
    config: Arc<Config>,
    plan: Option<Arc<Plan>>,
    endpoint: Endpoint,
    sockets: Vec<(SocketAddr, Arc<UdpSocket>)>,
    /// Where TCP listens: what our Contact says on calls over TCP.
    tcp_bound: Vec<SocketAddr>,
    streams: HashMap<u64, mpsc::Sender<Vec<u8>>>,
    streams_to: HashMap<SocketAddr, u64>,
    tcp_events: mpsc::Sender<tcp::Event>,
    ports: Ports,
    workers: Workers,
    sink: Sink,
    sessions: HashMap<LegId, Known>,
    sessions_to: mpsc::Sender<ToEngine>,
    apology: Arc<[i16]>,
    draining: Option<(tokio::time::Instant, oneshot::Sender<()>)>,
    /// Drain's deadline has passed once: everybody was told to hang up.
    deadline_passed: bool,
    /// The newest INVITE's own trace, until its session exists.
    waiting_trace: Option<Trace>,
    refused_before: u64,
}

impl Engine {
    /// Binds everything and starts; call it inside the runtime. `plan` answers incoming calls; without one they are refused.
    ///
    /// # Errors
    /// An address or port that cannot be bound, a folder that cannot be made.
    pub fn start(config: Arc<Config>, plan: Option<Arc<Plan>>) -> Result<Handle> {
        let (packets_to, packets) = mpsc::channel(WAITING_MAX);
        let (tcp_to, tcp_events) = mpsc::channel(WAITING_MAX);
        let (mut sockets, mut listening, mut listeners) = (Vec::new(), Vec::new(), Vec::new());
        let mut tcp_bound = Vec::new();
        for listen in &config.listen {
            match listen.transport {
                Transport::Udp => {
                    let socket = udp::bind(*listen)?;
                    let bound = socket.local_addr().unwrap_or(listen.address);
                    listening.push(format!("udp:{bound}"));
                    sockets.push((bound, socket));
                }
                Transport::Tcp => {
                    let listener = tcp::bind(*listen)?;
                    let bound = listener.local_addr().unwrap_or(listen.address);
                    listening.push(format!("tcp:{bound}"));
                    tcp_bound.push(bound);
                    listeners.push(listener);
                }
            }
        }
        let hub = super::hub::start(&config.name, listening.clone());
        let writer = if config.recording.journal {
            Some(super::writer::start(config.recording.clone(), hub.clone())?)
        } else {
            None
        };
        for (_, socket) in &sockets {
            tokio::spawn(udp::receive(Arc::clone(socket), packets_to.clone()));
        }
        for listener in listeners {
            tokio::spawn(tcp::accept(listener, tcp_to.clone()));
        }
        let workers = Workers::start(config.workers)?;
        let (sessions_to, from_sessions) = mpsc::channel(WAITING_MAX);
        let (to, requests) = mpsc::channel(256);
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        let engine = Self {
            endpoint: Endpoint::new(endpoint::Settings {
                user_agent: concat!("voxgw/", env!("CARGO_PKG_VERSION")).to_owned(),
                advertise: config.advertise,
                transactions_max: TRANSACTIONS_MAX,
                seed,
            }),
            ports: Ports::new(config.rtp_ports.clone()),
            config,
            plan,
            sockets,
            tcp_bound,
            streams: HashMap::new(),
            streams_to: HashMap::new(),
            tcp_events: tcp_to,
            workers: workers.clone(),
            sink: Sink { hub: hub.clone(), writer: writer.clone() },
            sessions: HashMap::new(),
            sessions_to,
            apology: prompts::builtin("apology"),
            draining: None,
            deadline_passed: false,
            waiting_trace: None,
            refused_before: 0,
        };
        tokio::spawn(engine.run(packets, tcp_events, from_sessions, requests));
        Ok(Handle { to, hub, writer, listening, workers })
    }

    async fn run(
        mut self,
        mut packets: mpsc::Receiver<udp::Received>,
        mut tcp_events: mpsc::Receiver<tcp::Event>,
        mut from_sessions: mpsc::Receiver<ToEngine>,
        mut requests: mpsc::Receiver<Request>,
    ) {
        let mut next_at = crate::clock::Instant::FAR_FUTURE;
        loop {
            let drain_at = self.draining.as_ref().map(|(at, _)| *at);
            tokio::select! {
                Some(message) = from_sessions.recv() => self.session_says(message),
                Some(received) = packets.recv() => {
                    self.endpoint.handle(SystemClock::now(), received.path, &received.bytes);
                }
                Some(event) = tcp_events.recv() => self.stream(event),
                request = requests.recv() => match request {
                    Some(request) => self.request(request).await,
                    // Every handle is gone: the program ends.
                    None => return,
                },
                () = tokio::time::sleep_until(SystemClock::deadline(next_at)), if !next_at.is_far_future() => {
                    self.endpoint.handle_timeout(SystemClock::now());
                }
                () = tokio::time::sleep_until(drain_at.unwrap_or_else(tokio::time::Instant::now)), if drain_at.is_some() => {
                    self.drain_deadline();
                }
            }
            next_at = self.settle();
            self.finish_drain();
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
        match path.transport {
            Transport::Udp => {
                let socket = self
                    .sockets
                    .iter()
                    .find(|(bound, _)| bound.port() == path.local.port() && bound.is_ipv4() == path.remote.is_ipv4())
                    .or_else(|| self.sockets.iter().find(|(bound, _)| bound.is_ipv4() == path.remote.is_ipv4()));
                if let Some((_, socket)) = socket
                    && let Err(problem) = socket.try_send_to(&bytes, path.remote)
                {
                    tracing::debug!(target: "sip", event = "sip.unsent", remote = %path.remote, "{problem}");
                }
            }
            Transport::Tcp => {
                let known = path.connection.filter(|id| self.streams.contains_key(id));
                let id = known.or_else(|| self.streams_to.get(&path.remote).copied());
                if let Some(stream) = id.and_then(|id| self.streams.get(&id)) {
                    // Full: the far end does not read; its connection will be closed.
                    let _ = stream.try_send(bytes);
                } else {
                    let id = tcp::connect(path.remote, bytes, self.tcp_events.clone());
                    self.streams_to.insert(path.remote, id);
                }
            }
        }
    }

    fn stream(&mut self, event: tcp::Event) {
        match event {
            tcp::Event::Opened { id, remote, writer } => {
                self.streams.insert(id, writer);
                self.streams_to.insert(remote, id);
            }
            tcp::Event::Received(received) => {
                self.endpoint.handle(SystemClock::now(), received.path, &received.bytes);
            }
            tcp::Event::Closed { id, remote } => {
                self.streams.remove(&id);
                self.streams_to.retain(|_, known| *known != id);
                self.endpoint.connection_lost(SystemClock::now(), id, remote);
            }
        }
    }

    // Calls

    fn event(&mut self, event: Event) {
        match event {
            Event::Invite(leg, offered) => self.offered(leg, *offered),
            Event::Acknowledged(leg, sdp) => self.tell(leg, In::Acknowledged(sdp)),
            Event::Reinvite(leg, sdp) => self.tell(leg, In::Reinvite(sdp)),
            Event::Progress(leg, status, _) => self.tell(leg, In::Progress(status)),
            Event::Answered(leg, sdp) => self.tell(leg, In::Answered(sdp)),
            Event::Ended(leg, ended) => self.tell(leg, In::Ended(ended)),
        }
    }

    fn tell(&self, leg: LegId, input: In) {
        if let Some(known) = self.sessions.get(&leg)
            && known.to.try_send(input).is_err()
        {
            tracing::warn!(target: "call", event = "call.stuck", call = %known.call, "the session does not take signalling");
        }
    }

    /// Admission: draining, too many calls, no agent, no port.
    fn offered(&mut self, leg: LegId, offered: Offered) {
        let refuse = |status: u16, why: &str| {
            tracing::warn!(
                target: "sip", event = "sip.refused", status, rule = why,
                from = %crate::redact::printable(&offered.from.to_string()), source = %offered.path.remote
            );
            let mut refusal = Refusal::status(status);
            if status == 503 {
                refusal.headers.push(("Retry-After".into(), "5".into()));
            }
            refusal.headers.push(("Warning".into(), format!("399 voxgw \"{why}\"")));
            Command::Refuse(leg, refusal)
        };
        let plan = match &self.plan {
            _ if self.draining.is_some() => Err((503, "the gateway is draining".to_owned())),
            _ if self.sessions.len() >= self.config.max_calls => {
                Err((503, format!("gateway.max_calls = {} is reached", self.config.max_calls)))
            }
            None => Err((480, "no agent answers calls here".to_owned())),
            Some(plan) => Ok(Arc::clone(plan)),
        };
        let admitted = plan.and_then(|plan| {
            let pair = self.ports.bind(offered.path.local.ip()).map_err(|problem| (503, problem))?;
            Ok((plan, pair))
        });
        let (plan, ports) = match admitted {
            Ok(admitted) => admitted,
            Err((status, why)) => {
                self.sink.hub.counters.refused.fetch_add(1, Ordering::Relaxed);
                let command = refuse(status, &why);
                self.endpoint.command(SystemClock::now(), command);
                return;
            }
        };
        self.sink.hub.counters.calls.fetch_add(1, Ordering::Relaxed);
        let call = new_call_id();
        let header = Header {
            schema: SCHEMA.to_owned(),
            call,
            gateway: self.config.name.clone(),
            direction: Direction::In,
            from: Pii(offered.from.number().to_owned()),
            to: Pii(offered.to.number().to_owned()),
            agent: plan.name.clone(),
            started: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sip_call_id: offered.call_id.clone(),
        };
        let rtp_port = ports.rtp.local_addr().map_or(0, |address| address.port());
        let ip = self.config.advertise.unwrap_or_else(|| offered.path.local.ip());
        let settings = self.settings(header, &plan, SocketAddr::new(ip, rtp_port), None);
        self.spawn(leg, call, Begin::Offered(offered.sdp), settings, plan, ports);
    }

    fn settings(&self, mut header: Header, plan: &Plan, rtp: SocketAddr, originate: Option<&Originate>) -> Settings {
        let wall = SystemClock::wall();
        header.started = wall.rfc3339();
        let direction = header.direction;
        Settings {
            call: call::Settings {
                direction,
                owner: plan.owner,
                barge_in: plan.barge_in,
                patience: self.config.patience,
                max_duration: originate.and_then(|o| o.max_duration).unwrap_or(self.config.max_duration),
                ring_max: originate.map_or(Duration::from_secs(30), |o| o.ring),
            },
            header,
            wall,
            codecs: self.config.codecs.clone(),
            ptime: self.config.ptime,
            rtp,
            seed: rand::rng().next_u64(),
            agent_rate: plan.rate(),
            prebuffer: plan.prebuffer,
            apology: Arc::clone(&self.apology),
            record: self.config.recording.sound && self.sink.writer.is_some(),
            we_are_caller: direction == Direction::Out,
            media_timeout: self.config.media_timeout,
            hang_up_after_silence: originate.and_then(|o| o.hang_up_after_silence),
            hang_up_after_turns: originate.and_then(|o| o.hang_up_after_turns),
        }
    }

    fn spawn(
        &mut self,
        leg: LegId,
        call: CallId,
        begin: Begin,
        settings: Settings,
        plan: Arc<Plan>,
        ports: crate::net::ports::PortPair,
    ) {
        let (to, from) = mpsc::channel(512);
        if let Some(writer) = &self.sink.writer {
            writer.send(super::writer::In::Open(call, super::writer::folder_name(settings.wall, call)));
        }
        self.sessions.insert(leg, Known { call, to });
        if let Some(trace) = self.waiting_trace.take().filter(|trace| trace.leg == Some(leg)) {
            self.trace(trace);
        }
        self.workers.spawn(Start {
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
        });
    }

    fn session_says(&mut self, message: ToEngine) {
        let now = SystemClock::now();
        match message {
            ToEngine::SessionOver(leg) => {
                self.sessions.remove(&leg);
            }
            ToEngine::Sip(leg, action) => {
                let command = match action {
                    SipAction::Ring => Command::Ring(leg, None),
                    SipAction::Answer(sdp) => Command::Answer(leg, sdp),
                    SipAction::Refuse(status, why) => {
                        self.sink.hub.counters.refused.fetch_add(1, Ordering::Relaxed);
                        let headers = vec![("Warning".into(), format!("304 voxgw \"{why}\""))];
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

    /// A message for its call's ladder.
    fn trace(&mut self, trace: Trace) {
        let Some(known) = trace.leg.and_then(|leg| self.sessions.get(&leg)) else {
            // An INVITE's own trace comes just before the event that makes its session.
            self.waiting_trace = Some(trace);
            return;
        };
        let (message, packet) = self.describe(&trace);
        let _ = known.to.try_send(In::Trace(Box::new(message), packet));
    }

    fn describe(&self, trace: &Trace) -> (SipMessage, Option<Captured>) {
        let (label, method, status, cseq) = Message::parse(&trace.bytes)
            .map_or_else(|_| ("?".into(), String::new(), None, 0), |message| label_of(&message));
        let text = String::from_utf8_lossy(&trace.bytes);
        let message = SipMessage {
            direction: if trace.sent { Direction::Out } else { Direction::In },
            peer: trace.path.remote.to_string(),
            local: trace.path.local.to_string(),
            transport: trace.path.transport.lower_name().to_owned(),
            label,
            method,
            status,
            cseq,
            sdp: sdp_words(&text),
            retransmission: trace.retransmission,
            text: sip_text(&text),
        };
        let packet =
            (self.config.recording.pcap != crate::config::Pcap::Off && self.sink.writer.is_some()).then(|| {
                let (source, destination) = if trace.sent {
                    (trace.path.local, trace.path.remote)
                } else {
                    (trace.path.remote, trace.path.local)
                };
                (SystemClock::wall().0 * 1_000, source, destination, message.text.clone().into_bytes())
            });
        (message, packet)
    }

    // Requests

    async fn request(&mut self, request: Request) {
        match request {
            Request::Originate(originate, reply) => {
                let outcome = self.originate(*originate).await;
                let _ = reply.send(outcome);
            }
            Request::HangUp(call, reason, reply) => {
                let _ = reply.send(self.tell_call(call, In::HangUp(reason)));
            }
            Request::Press(call, digits, reply) => {
                let _ = reply.send(self.tell_call(call, In::Press(digits)));
            }
            Request::Drain(within, reply) => {
                self.sink.hub.counters.draining.store(true, Ordering::Relaxed);
                self.draining = Some((tokio::time::Instant::now() + within, reply));
            }
            Request::HangUpAll(reason) => {
                for known in self.sessions.values() {
                    let _ = known.to.try_send(In::HangUp(reason.clone()));
                }
            }
            Request::Alive(reply) => {
                let _ = reply.send(self.endpoint.alive());
            }
        }
    }

    fn tell_call(&self, call: CallId, input: In) -> bool {
        self.sessions.values().find(|known| known.call == call).is_some_and(|known| known.to.try_send(input).is_ok())
    }

    async fn originate(&mut self, originate: Originate) -> Result<CallId> {
        if self.draining.is_some() {
            return Err(Error::machine("the gateway is draining: no new calls"));
        }
        let hop = originate.proxy.as_ref().unwrap_or(&originate.to);
        let transport = match hop.param("transport").map(str::to_ascii_lowercase).as_deref() {
            Some("tcp") => Transport::Tcp,
            None | Some("udp") => Transport::Udp,
            Some(other) => return Err(Error::usage(format!("transport={other} is not there yet; use udp or tcp"))),
        };
        let remote = resolve(hop).await?;
        let local_ip = crate::net::local_ip_towards(remote.ip());
        let same_family = |bound: &SocketAddr| bound.is_ipv4() == remote.is_ipv4();
        let port = match transport {
            Transport::Udp => self.sockets.iter().map(|(bound, _)| *bound).find(same_family),
            Transport::Tcp => self.tcp_bound.iter().copied().find(same_family),
        }
        .map_or(0, |bound| bound.port());
        if transport == Transport::Udp && port == 0 {
            return Err(
                Error::usage(format!("no UDP socket of the family of {remote} is open")).hint("add --sip udp:[::]:0")
            );
        }
        let local = SocketAddr::new(local_ip, port);
        let path = Path { transport, remote, local, connection: None };
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
        };
        let ip = self.config.advertise.unwrap_or(local_ip);
        let plan = Arc::clone(&originate.plan);
        let settings = self.settings(header, &plan, SocketAddr::new(ip, rtp_port), Some(&originate));
        let leg = self.endpoint.new_leg();
        let (reply, sdp) = oneshot::channel();
        self.spawn(leg, call, Begin::Dialled(reply), settings, plan, ports);
        let sdp = sdp.await.map_err(|_| Error::new(Kind::Bug, "the session ended before it began"))?;
        let mut to = originate.to;
        if to.host.is_empty() {
            to.host = remote.ip().to_string();
        }
        let outgoing = endpoint::Outgoing {
            to,
            from: originate.from,
            display: String::new(),
            path,
            sdp,
            headers: originate.headers,
            credentials: originate.credentials,
        };
        self.endpoint.command(SystemClock::now(), Command::Invite(leg, Box::new(outgoing)));
        Ok(call)
    }

    // Draining

    fn drain_deadline(&mut self) {
        for known in self.sessions.values() {
            let _ = known.to.try_send(In::HangUp("the gateway shuts down".into()));
        }
        // BYEs are answered within moments, or not at all: the second time nobody is waited for.
        if std::mem::replace(&mut self.deadline_passed, true) {
            self.sessions.clear();
        } else if let Some((at, _)) = &mut self.draining {
            *at = tokio::time::Instant::now() + Duration::from_secs(2);
        }
    }

    fn finish_drain(&mut self) {
        if self.draining.is_some()
            && self.sessions.is_empty()
            && let Some((_, reply)) = self.draining.take()
        {
            let _ = reply.send(());
            // Still refusing new calls until the program ends.
            let (never, _) = oneshot::channel();
            self.draining = Some((tokio::time::Instant::now() + Duration::from_hours(24), never));
        }
    }
}

fn new_call_id() -> CallId {
    CallId(rand::rng().next_u32())
}

/// What an SDP in a message offers, for the ladder.
fn sdp_words(text: &str) -> String {
    let Some(line) = text.lines().find(|line| line.starts_with("m=audio")) else { return String::new() };
    let names: Vec<String> = line
        .split_whitespace()
        .skip(3)
        .take(6)
        .map(|format| {
            let prefix = format!("a=rtpmap:{format} ");
            text.lines()
                .find_map(|line| line.strip_prefix(&prefix))
                .and_then(|map| map.split('/').next())
                .map_or_else(|| static_name(format), str::to_ascii_lowercase)
        })
        .filter(|name| name != "telephone-event")
        .collect();
    names.join(",")
}

fn static_name(format: &str) -> String {
    match format {
        "0" => "pcmu".into(),
        "8" => "pcma".into(),
        other => other.to_owned(),
    }
}

/// Address of a URI's host: a number, or the first that the system's resolver gives.
async fn resolve(uri: &Uri) -> Result<SocketAddr> {
    let port = uri.port.unwrap_or(5060);
    let host =
        if uri.host.is_empty() { return Err(Error::usage(format!("{uri} has no host to call"))) } else { &uri.host };
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let looked_up = tokio::time::timeout(Duration::from_secs(5), tokio::net::lookup_host((host.as_str(), port))).await;
    let unreachable = |what: String| {
        Error::new(Kind::Unreachable, format!("could not find the host of {uri}: {what}"))
            .hint("check the name, or give an address")
    };
    match looked_up {
        Ok(Ok(mut found)) => found.next().ok_or_else(|| unreachable("it has no address".into())),
        Ok(Err(problem)) => Err(unreachable(problem.to_string())),
        Err(_) => Err(unreachable("no answer from the resolver within 5 s".into())),
    }
}
