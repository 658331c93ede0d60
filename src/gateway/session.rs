//! One call's driver: sockets, clock and channels around the [`Pipeline`]. Decides nothing.

pub mod consult;
mod stages;
mod tools;
pub mod web;
pub mod whip;

use super::{
    engine::ToEngine,
    hub::Sink,
    line::{Chair, End, LineId, Lines, across::Away},
    mux::{self, Mux},
    pressure::Pace,
    writer,
};
use crate::{
    agent::{
        attach::{self, Claims, Slot},
        event::{About, Command, Event as AgentEvent, Outcome},
        seat::{Plan, What},
        socket::{self, Opened, Outgoing, Shared},
        wire::Facts,
    },
    call::{
        bridge::Side,
        journal::{AgentState, Direction, Level, RecordingState, SipMessage},
        pipeline::{Bridged, Input, Newcomer, Output, Pipeline, Seat, Settings, SipAction},
    },
    clock::{Instant, SystemClock},
    config::Pcap,
    gateway::mcp,
    media::dsp::mix::Role,
    net::{http, ports::PortPair},
    sip::endpoint::{Ended, EndedBy, LegId},
    unit::CallId,
};
use std::{cell::Cell, net::SocketAddr, rc::Rc, sync::Arc};
use tokio::{io::ReadBuf, net::UdpSocket, sync::mpsc};

/// A packet for a capture: wall clock in nanoseconds, from, to, bytes.
pub type Captured = (u64, SocketAddr, SocketAddr, Vec<u8>);

/// What the engine tells a session.
#[derive(Debug)]
pub enum In {
    /// An outgoing call rings.
    Progress(u16),
    /// An outgoing call has media before the answer.
    EarlyMedia(u16, Vec<u8>),
    /// An outgoing call was answered.
    Answered(Option<Vec<u8>>),
    /// Our 200 was acknowledged.
    Acknowledged(Option<Vec<u8>>),
    /// The far end changes the session.
    Reinvite(Option<Vec<u8>>),
    /// The signalling is over.
    Ended(Ended),
    /// A message passed.
    Trace(Box<SipMessage>, Option<Captured>),
    /// A page takes this call of ours.
    Taken(Box<crate::gateway::engine::Taken>),
    /// Somebody wants it to end.
    HangUp(String),
    /// Somebody sends digits.
    Press(String),
    /// Somebody pauses the recording, or goes on with it.
    PauseRecording(bool),
    /// The far end took our change of the session.
    Changed(Option<Vec<u8>>),
    /// It refused, with this status.
    NotChanged(u16),
    /// Somebody holds the far end, or takes it back.
    Hold(bool),
    /// Another far end wants to take the place of ours.
    Replaced(Option<Vec<u8>>, bool),
    /// A digit in an INFO, and its length in milliseconds.
    Digit(char, u32),
    /// Something for the journal.
    Note(Level, String),
    /// A transfer needs a description of ours for the new far end, whose signalling may be readable on its way.
    OfferAgain(tokio::sync::oneshot::Sender<String>, bool),
    /// The new far end has answered: the session is on this leg now.
    Moved(LegId, Option<Vec<u8>>),
    /// It has not, with the reason; everything stays as it was.
    NotMoved(String),
    /// What the other leg of a bridge does.
    Bridged(Bridged),
    /// Another agent takes over, as the one before it asked by this number.
    Switch(u32, Arc<Plan>),
    /// A platform takes the agent's chair.
    Attach(Box<(Claims, Slot)>, tokio::sync::oneshot::Sender<Result<(), String>>),
    /// What became of an action of the agent's, by its number.
    Acted(u32, Outcome),
    /// From now on the two legs hear each other over this line; the other's session, and who it is.
    Join(LineId, Side, CallId, String),
    /// It sits down in a conference; with this if that lives on another worker.
    Enter(Chair, Option<Box<Away>>),
    /// It is silent for the others of its conference, or not.
    Mute(bool),
    /// Whom it hears in its conference, and who hears it.
    Role(Role),
    /// It is so much louder for the others of its conference, in decibels.
    Gain(f32),
}

/// How the call begins.
#[derive(Debug)]
pub enum Begin {
    /// An INVITE with this description came in, for this Request-URI.
    Offered(Option<Vec<u8>>, String),
    /// We call: the engine sends our INVITE with the first offer of these settings.
    Dialled,
    /// A browser joined with an offer.
    Joined(Box<web::Joining>),
    /// We call a WHIP server.
    Whip(Box<whip::Whip>),
}

/// Everything a call needs.
#[derive(Debug)]
pub struct Start {
    /// Its name.
    pub call: CallId,
    /// Its leg.
    pub leg: LegId,
    /// How it begins.
    pub begin: Begin,
    /// Its settings.
    pub settings: Settings,
    /// Its agent.
    pub plan: Arc<Plan>,
    /// Its sockets; a browser's call may have none of its own.
    pub ports: Option<PortPair>,
    /// From the engine.
    pub from: mpsc::Receiver<In>,
    /// To the engine.
    pub engine: mpsc::Sender<ToEngine>,
    /// Where records and sound go.
    pub sink: Sink,
    /// What to keep besides.
    pub pcap: Pcap,
    /// Keep provider frames.
    pub agent_frames: bool,
    /// Asks tools and the callback.
    pub http: Arc<http::Client>,
    /// Whom to ask before the agent is connected.
    pub ask: Option<consult::Ask>,
}

/// Runs a call to its end; `lines` and `mux` are those of its worker.
pub async fn run(start: Start, lines: Lines, mux: Mux, pace: Arc<Pace>) {
    let Start { call, leg, begin, mut settings, plan, ports, mut from, engine, sink, pcap, agent_frames, http, ask } =
        start;
    drop(mcp::refresh(&http, &plan.mcp));
    let plan = plan.equipped();
    settings.tools = plan.offered();
    let (rtp, rtcp, _lease) = match ports {
        Some(PortPair { rtp, rtcp, lease }) => {
            let (Ok(rtp), Ok(rtcp)) = (UdpSocket::from_std(rtp), UdpSocket::from_std(rtcp)) else { return };
            (Some(rtp), Some(rtcp), Some(lease))
        }
        None => (None, None, None),
    };
    let now = SystemClock::now();
    let local = settings.rtp;
    let outgoing = settings.header.direction == Direction::Out;
    let wall_ns = settings.wall.0 * 1_000;
    let about = About::of(&settings.header);
    let seat = seat(&plan, &about);
    let codecs: Vec<&'static str> = settings.codecs.iter().map(|codec| codec.name).collect();
    let events = settings.tuning.dtmf.events();
    let mut session = Session {
        call,
        leg,
        pipeline: Pipeline::new(now, settings, seat),
        plan,
        about,
        rtp,
        rtcp,
        mux,
        seat: None,
        local,
        engine,
        sink,
        pace,
        capture: matches!(pcap, Pcap::All | Pcap::Decrypted).then_some(wall_ns),
        decrypted: pcap == Pcap::Decrypted,
        paused: Rc::default(),
        agent_frames,
        outgoing,
        origin: now,
        remote: None,
        stages: None,
        events: None,
        messages: Vec::new(),
        rings: false,
        peer_codecs: (codecs, events),
        is_web: matches!(begin, Begin::Joined(_) | Begin::Whip(_)),
        tools: tools::Tools::new(Arc::clone(&http)),
        http: Arc::clone(&http),
        goodbye: None,
        web: None,
        lines,
        line: None,
        begun: false,
        entering: None,
        over: false,
        unsent: 0,
    };
    // The INVITE itself comes before what follows from it; what follows from ours comes after we have begun, however
    // late this session runs for the first time.
    while !matches!(begin, Begin::Dialled)
        && let Ok(input) = from.try_recv()
    {
        session.engine_says(input).await;
    }
    if let Some(ask) = ask
        && let consult::Verdict::Over(refused) = Box::pin(session.consult(ask, http, &mut from)).await
    {
        if let (Begin::Joined(joining), Some((status, why))) = (begin, refused) {
            let _ = joining.reply.send(Err(web::Refused { status, why: why.clone() }));
            session.input(Input::SipEnded { by: "us", status: Some(status), reason: why }).await;
        }
        return session.converse(&mut from).await;
    }
    match begin {
        Begin::Offered(sdp, _) => session.input(Input::Offered(sdp.as_deref())).await,
        Begin::Dialled => {
            // The engine has sent it already.
            let _ = session.pipeline.offer();
            session.input(Input::Dialled).await;
        }
        Begin::Joined(joining) => Box::pin(session.join(*joining)).await,
        Begin::Whip(whip) => {
            let client = Arc::clone(&session.http);
            Box::pin(session.call_whip(*whip, &client, &mut from)).await;
        }
    }
    session.begun = true;
    if let Some((chair, away)) = session.entering.take() {
        session.enter(chair, away).await;
    }
    session.converse(&mut from).await;
}

struct Session {
    call: CallId,
    leg: LegId,
    pipeline: Pipeline,
    plan: Arc<Plan>,
    about: About,
    /// None if a shared port is all that it has.
    rtp: Option<UdpSocket>,
    rtcp: Option<UdpSocket>,
    mux: Mux,
    /// Its place on a port that browsers share.
    seat: Option<mux::Seat>,
    local: SocketAddr,
    engine: mpsc::Sender<ToEngine>,
    sink: Sink,
    pace: Arc<Pace>,
    /// Wall clock at the start, nanoseconds, if RTP is captured.
    capture: Option<u64>,
    /// RTP is captured as it was before encryption.
    decrypted: bool,
    /// Nothing of what is said is kept.
    paused: Rc<Cell<bool>>,
    agent_frames: bool,
    outgoing: bool,
    origin: Instant,
    remote: Option<(Rc<Shared>, mpsc::Sender<Outgoing>)>,
    stages: Option<stages::Stages>,
    events: Option<mpsc::Receiver<AgentEvent>>,
    messages: Vec<String>,
    /// The caller hears ringing already.
    rings: bool,
    /// What a page that takes this call may speak: codecs by name, telephone-events.
    peer_codecs: (Vec<&'static str>, bool),
    /// A browser, without a leg.
    is_web: bool,
    tools: tools::Tools,
    http: Arc<http::Client>,
    /// What a WHIP server hears at the end.
    goodbye: Option<whip::Goodbye>,
    /// The far end is a browser.
    web: Option<Box<web::Link>>,
    lines: Lines,
    /// The way to the other leg of a bridge.
    line: Option<End>,
    /// The INVITE has been handled; a conference that waits until then, or for the answer.
    begun: bool,
    entering: Option<(Chair, Option<Box<Away>>)>,
    over: bool,
    unsent: u64,
}

/// The next datagram: its length and source. One task waits for one socket, so its waker has a place of its own there;
/// `recv_from` would enter and leave the socket's list of waiting tasks with every turn of the loop.
async fn arrive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> std::io::Result<(usize, SocketAddr)> {
    std::future::poll_fn(|context| {
        let Some(socket) = socket else { return std::task::Poll::Pending };
        let mut space = ReadBuf::new(buffer);
        socket.poll_recv_from(context, &mut space).map_ok(|source| (space.filled().len(), source))
    })
    .await
}

impl Session {
    async fn converse(&mut self, from: &mut mpsc::Receiver<In>) {
        let mut buffer = vec![0; 2_048];
        let mut control = vec![0; 2_048];
        let timer = tokio::time::sleep_until(SystemClock::deadline(self.timeout()));
        tokio::pin!(timer);
        while !self.over {
            let at = SystemClock::deadline(self.timeout());
            if timer.deadline() != at {
                timer.as_mut().reset(at);
            }
            tokio::select! {
                biased;
                input = from.recv() => match input {
                    Some(input) => self.engine_says(input).await,
                    // The engine is gone: so is the call.
                    None => return,
                },
                () = &mut timer => {
                    self.pace.fired(tokio::time::Instant::now().saturating_duration_since(timer.deadline()));
                    self.web_due().await;
                    self.hear_line().await;
                    self.input(Input::Timeout).await;
                    if let Some(why) = self.pipeline.take_lost_agent() {
                        self.agent_failed(why).await;
                    }
                }
                message = web::page(&mut self.web) => self.page_says(message).await,
                received = arrive(self.rtp.as_ref(), &mut buffer) => if let Ok((length, source)) = received {
                    self.datagram(source, &buffer[..length], self.local).await;
                    // What else has arrived is taken in the same turn of the loop.
                    for _ in 0..8 {
                        let Some(rtp) = &self.rtp else { break };
                        let Ok((length, source)) = rtp.try_recv_from(&mut buffer) else { break };
                        self.datagram(source, &buffer[..length], self.local).await;
                    }
                },
                Some((id, outcome)) = self.tools.done.recv() => self.input(Input::ToolDone(&id, outcome)).await,
                event = receive(&mut self.events), if !self.pipeline.is_full() => match event {
                    Some(AgentEvent::Failed(why)) => self.agent_failed(why).await,
                    Some(event) => self.input(Input::Agent(event)).await,
                    None => self.events = None,
                },
                (source, bytes) = mux::arrive(self.seat.as_ref()) => self.shared(source, bytes).await,
                received = arrive(self.rtcp.as_ref(), &mut control) => if let Ok((length, source)) = received {
                    let local = SocketAddr::new(self.local.ip(), self.local.port() + 1);
                    self.datagram(source, &control[..length], local).await;
                },
            }
        }
    }

    fn timeout(&self) -> Instant {
        let at = self.pipeline.timeout();
        self.web.as_ref().map_or(at, |link| at.min(link.timeout()))
    }

    async fn engine_says(&mut self, input: In) {
        match input {
            In::Progress(status) => self.input(Input::Progress(status)).await,
            In::EarlyMedia(status, sdp) => self.input(Input::EarlyMedia(status, &sdp)).await,
            In::NotChanged(status) => self.input(Input::NotChanged(status)).await,
            In::Hold(hold) => self.input(Input::Hold(hold)).await,
            In::Replaced(sdp, in_clear) => self.input(Input::Replaced(sdp.as_deref(), in_clear)).await,
            In::Answered(sdp) => {
                self.input(Input::Answered(sdp.as_deref())).await;
                if let Some((chair, away)) = self.entering.take() {
                    self.enter(chair, away).await;
                }
            }
            In::Acknowledged(sdp) => self.input(Input::Acknowledged(sdp.as_deref())).await,
            In::Reinvite(sdp) => self.input(Input::Reinvite(sdp.as_deref())).await,
            In::Ended(ended) => {
                let by = match ended.by {
                    EndedBy::Far if self.outgoing => "callee",
                    EndedBy::Far => "caller",
                    EndedBy::Us => "us",
                    EndedBy::Network => "network",
                };
                if let Some(link) = &mut self.web {
                    link.close(SystemClock::now(), &ended.reason);
                }
                self.measure();
                self.input(Input::SipEnded { by, status: ended.status, reason: ended.reason }).await;
            }
            In::Trace(message, packet) => {
                if let Some((at_ns, source, destination, bytes)) = packet
                    && let Some(writer) = &self.sink.writer
                {
                    writer.send(writer::In::Packet(self.call, at_ns, source, destination, bytes));
                }
                self.input(Input::SipTrace(*message)).await;
            }
            In::Taken(taken) => Box::pin(self.taken(*taken)).await,
            In::HangUp(reason) => self.input(Input::HangUp(reason)).await,
            In::Press(digits) => self.input(Input::Press(&digits)).await,
            In::PauseRecording(paused) => {
                self.input(Input::PauseRecording(paused)).await;
                self.paused.set(paused);
            }
            In::Changed(sdp) => self.input(Input::Changed(sdp.as_deref())).await,
            In::Digit(digit, duration_ms) => self.input(Input::InfoDigit(digit, duration_ms)).await,
            In::Note(level, text) => self.input(Input::Note(level, text)).await,
            In::OfferAgain(reply, in_clear) => {
                let _ = reply.send(self.pipeline.offer_elsewhere(in_clear));
            }
            In::Moved(leg, sdp) => {
                self.leg = leg;
                self.pipeline.has_moved();
                self.input(Input::Changed(sdp.as_deref())).await;
            }
            In::Switch(id, plan) => self.switch(id, plan).await,
            In::Attach(wish, reply) => self.attach(*wish, reply).await,
            In::Acted(id, outcome) => self.input(Input::Acted(id, outcome)).await,
            In::Bridged(bridged) => self.input(Input::Bridged(bridged)).await,
            In::Join(line, side, peer, name) => {
                self.line = Some(self.lines.end(line, side));
                self.input(Input::Bridged(Bridged::Join(peer, name))).await;
            }
            In::Enter(chair, away) if self.begun => self.enter(chair, away).await,
            In::Enter(chair, away) => self.entering = Some((chair, away)),
            In::Mute(muted) => {
                let done = self.line.as_ref().is_some_and(|end| end.mute(muted));
                let text = if muted { "muted in its conference" } else { "heard in its conference again" };
                if done {
                    self.input(Input::Note(Level::Info, text.to_owned())).await;
                }
            }
            In::Role(role) => {
                let _ = self.line.as_ref().is_some_and(|end| end.set_role(role));
            }
            In::Gain(decibels) => {
                let _ = self.line.as_ref().is_some_and(|end| end.set_gain(decibels));
            }
            In::NotMoved(text) => self.input(Input::Note(Level::Warn, text)).await,
        }
    }

    /// Sits down in a conference; a call that waits for it is answered, a call of ours that still rings goes there later.
    async fn enter(&mut self, chair: Chair, away: Option<Box<Away>>) {
        self.input(Input::Bridged(Bridged::Answer)).await;
        if !self.pipeline.is_up() {
            self.entering = Some((chair, away));
            return;
        }
        // Whom it talked to before is left first.
        self.line = None;
        self.line = Some(match away {
            Some(away) => away.sit(),
            None => self.lines.seat(SystemClock::now(), &chair),
        });
        self.input(Input::Bridged(Bridged::Enter(format!("conference {}", chair.room)))).await;
    }

    /// What the other leg has said since our last packet.
    async fn hear_line(&mut self) {
        if let Some(line) = &self.line {
            line.due(SystemClock::now());
        }
        while let Some(held) = self.line.as_ref().and_then(End::take) {
            if let Some(far) = held.far() {
                self.input(Input::Far(far)).await;
            }
            if let Some(line) = &self.line {
                line.give_back(held);
            }
        }
    }

    async fn datagram(&mut self, source: SocketAddr, bytes: &[u8], local: SocketAddr) {
        if self.web.is_some() {
            return self.web_datagram(source, bytes).await;
        }
        if !self.decrypted {
            self.keep(source, local, bytes);
        }
        self.input(Input::Datagram { from: source, bytes }).await;
        if self.decrypted
            && let Some(plain) = self.pipeline.plain_in(bytes)
        {
            self.keep(source, local, plain);
        }
    }

    /// One input and all that follows from it.
    async fn input(&mut self, input: Input<'_>) {
        let now = SystemClock::now();
        self.pipeline.handle(now, input);
        loop {
            match self.pipeline.poll() {
                Output::Timeout(_) => match self.web.as_mut().and_then(|link| link.next()) {
                    Some(input) => self.pipeline.handle(now, input),
                    None => return self.flush(),
                },
                Output::Rtp(to, bytes) => {
                    if let Some(link) = &mut self.web {
                        link.rtp(now, bytes);
                    } else
                    // The kernel's buffer is full or the network is down: what is late is worthless.
                    if self.rtp.as_ref().is_none_or(|rtp| rtp.try_send_to(bytes, to).is_err()) {
                        self.unsent += 1;
                    }
                    if let (Some(wall_ns), Some(writer), false) = (self.capture, &self.sink.writer, self.paused.get()) {
                        let at_ns = wall_ns + (now.as_nanos() - self.origin.as_nanos());
                        let kept = if self.decrypted { self.pipeline.plain_out() } else { bytes };
                        writer.send(writer::In::Packet(self.call, at_ns, self.local, to, kept.to_vec()));
                    }
                }
                // A browser's reports are the peer's.
                Output::Rtcp { .. } if self.web.is_some() => {}
                Output::Rtcp { to, mux, bytes } => {
                    let socket = if mux { &self.rtp } else { &self.rtcp };
                    let _ = socket.as_ref().map(|socket| socket.try_send_to(&bytes, to));
                    // Encrypted ones tell nobody anything beside packets that are not.
                    if !self.decrypted {
                        let port = self.local.port() + u16::from(!mux);
                        self.keep(SocketAddr::new(self.local.ip(), port), to, &bytes);
                    }
                }
                Output::Sip(SipAction::Ring) if std::mem::take(&mut self.rings) => {}
                Output::Sip(action) => {
                    if self.goodbye.is_some() && matches!(action, SipAction::HangUp(_)) {
                        Box::pin(self.say_goodbye()).await;
                    }
                    let action = match &mut self.web {
                        Some(link) => link.sip(now, action),
                        None => Some(action),
                    };
                    if let Some(action) = action {
                        let _ = self.engine.send(ToEngine::Sip(self.call, action)).await;
                    }
                }
                Output::Far(far) => {
                    if let Some(line) = &self.line {
                        line.push(far);
                    }
                }
                Output::ConnectAgent => self.connect_agent(),
                Output::Act(id, action) => {
                    let _ = self.engine.send(ToEngine::Act(self.call, id, action)).await;
                }
                Output::Agent { command, voiced_since } => {
                    let close = command == Command::Close;
                    if let Some((shared, to)) = &self.remote {
                        shared.wire.borrow_mut().send(command, &mut self.messages);
                        let mut since = voiced_since;
                        for text in self.messages.drain(..) {
                            // Full: the provider takes nothing any more; its socket will say why.
                            let _ = to.try_send((text, since.take()));
                        }
                    }
                    if let Some(stages) = &self.stages {
                        stages.say(command);
                    }
                    if close {
                        (self.remote, self.stages) = (None, None);
                    }
                }
                Output::Tool(run) => {
                    let call = self.call.to_string();
                    self.tools.run(&self.plan, &call, &self.about, run);
                }
                Output::CancelTool(id) => self.tools.cancel(&id),
                Output::Record(record) => {
                    log(self.call, &record);
                    if let Some(link) = &mut self.web {
                        link.record(now, &record);
                    }
                    let record = Arc::new(record);
                    if let Some(writer) = &self.sink.writer {
                        writer.send(writer::In::Line(self.call, Arc::clone(&record)));
                    }
                    self.sink.hub.record(self.call, record);
                }
                Output::Sound { rate, samples } => {
                    if let Some(writer) = &self.sink.writer {
                        writer.send(writer::In::Sound(self.call, rate, samples));
                    }
                }
                Output::Over => {
                    self.over = true;
                    self.flush();
                    if let Some(writer) = &self.sink.writer {
                        writer.send(writer::In::Close(self.call));
                    }
                    let _ = self.engine.send(ToEngine::SessionOver(self.call)).await;
                    return;
                }
            }
        }
    }

    async fn switch(&mut self, id: u32, plan: Arc<Plan>) {
        if let Err(why) = self.pipeline.may_switch() {
            return self.input(Input::Acted(id, Outcome::Refused(why.to_owned()))).await;
        }
        let newcomer = self.newcomer(Some(id), plan);
        self.input(Input::Switch(Box::new(newcomer))).await;
    }

    async fn attach(
        &mut self,
        (claims, slot): (Claims, Slot),
        reply: tokio::sync::oneshot::Sender<Result<(), String>>,
    ) {
        let may = self.pipeline.may_switch().map_err(str::to_owned);
        let takes = may.is_ok();
        // Whoever asked may have gone meanwhile.
        if reply.send(may).is_ok() && takes {
            let plan = Arc::new(attach::plan(&claims, slot, &self.plan));
            let newcomer = self.newcomer(None, plan);
            self.input(Input::Switch(Box::new(newcomer))).await;
        }
    }

    /// The provider is lost for good: the next agent of the profile's fallback takes the call, else there is an apology.
    async fn agent_failed(&mut self, why: String) {
        match self.plan.next().filter(|_| self.pipeline.may_fall_back()) {
            Some(next) => {
                self.measure();
                let newcomer = self.newcomer(None, Arc::new(next));
                self.input(Input::FallBack(why, Box::new(newcomer))).await;
            }
            None => self.input(Input::Agent(AgentEvent::Failed(why))).await,
        }
    }

    fn newcomer(&mut self, id: Option<u32>, plan: Arc<Plan>) -> Newcomer {
        drop(mcp::refresh(&self.http, &plan.mcp));
        let plan = plan.equipped();
        let newcomer = Newcomer {
            id,
            name: plan.name.clone(),
            seat: seat(&plan, &self.about),
            owner: plan.owner,
            barge_in: plan.barge_in,
            manners: Arc::clone(&plan.manners),
            prebuffer: plan.prebuffer,
            rate: plan.rate(),
            speaks: plan.speaks(),
            tools: plan.offered(),
        };
        self.tools.cancel_all();
        // What the old one says from here on is nobody's.
        (self.plan, self.events) = (plan, None);
        newcomer
    }

    fn connect_agent(&mut self) {
        if let What::Staged(plan) = &self.plan.what {
            let (stages, events) = {
                let cassette = stages::Cassette { to: self.cassette(), origin: self.origin };
                stages::Stages::open(plan, &self.about, Arc::clone(&self.http), cassette)
            };
            self.pipeline.set_agent(stages.rate, true);
            self.pipeline.set_agent_is_awaited();
            (self.stages, self.events) = (Some(stages), Some(events));
            return;
        }
        let What::Remote(plan) = &self.plan.what else { return };
        let codec = self.pipeline.codec().to_owned();
        let facts = Facts { call: self.call.to_string(), about: self.about.clone(), codec, ..Facts::default() };
        let Opened { shared, to, events } = socket::open(plan, &facts, self.origin, self.cassette());
        self.pipeline.set_agent(shared.wire.borrow().rate(), plan.provider.ends_turns);
        self.pipeline.set_agent_answers(plan.answers());
        self.pipeline.set_agent_reads(plan.provider.reads);
        self.remote = Some((shared, to));
        self.events = Some(events);
    }

    fn cassette(&self) -> Option<mpsc::UnboundedSender<crate::agent::event::CassetteFrame>> {
        let writer = self.sink.writer.clone().filter(|_| self.agent_frames)?;
        let (call, paused) = (self.call, Rc::clone(&self.paused));
        let (to, mut frames) = mpsc::unbounded_channel();
        tokio::task::spawn_local(async move {
            while let Some(frame) = frames.recv().await {
                if paused.get() {
                    continue;
                }
                writer.send(writer::In::Frame(call, frame));
            }
        });
        Some(to)
    }

    /// What the socket measured goes into the summary.
    fn measure(&mut self) {
        if let Some((shared, _)) = &self.remote {
            self.pipeline.set_uplink_latency(shared.uplink.borrow().percentiles());
        }
    }

    fn keep(&self, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        if let (Some(wall_ns), Some(writer), false) = (self.capture, &self.sink.writer, self.paused.get()) {
            let at_ns = wall_ns + (SystemClock::now().as_nanos() - self.origin.as_nanos());
            writer.send(writer::In::Packet(self.call, at_ns, source, destination, bytes.to_vec()));
        }
    }
}

/// Who sits on the agent's chair.
fn seat(plan: &Plan, about: &About) -> Seat {
    match (&plan.what, plan.local()) {
        (What::Far, _) => Seat::Far,
        (_, None) => Seat::Remote,
        (_, Some(mut agent)) => {
            agent.about(about);
            Seat::Local(agent)
        }
    }
}

async fn receive(events: &mut Option<mpsc::Receiver<AgentEvent>>) -> Option<AgentEvent> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

/// The log's share of the journal: what an operator wants to read as it happens.
fn log(call: CallId, record: &crate::call::journal::Record) {
    use crate::call::journal::Body;
    match &record.body {
        Body::Session(header) => tracing::info!(
            target: "call", event = "call.started", %call, direction = header.direction.name(),
            from = %crate::redact::printable(&header.from.0), to = %crate::redact::printable(&header.to.0), agent = %header.agent
        ),
        Body::State(change) => tracing::info!(
            target: "sip", event = "sip.state", %call, state = change.state.name(),
            status = change.status, reason = %crate::redact::printable(&change.reason)
        ),
        Body::Sip(message) => tracing::debug!(
            target: "sip", event = if message.direction == Direction::In { "sip.received" } else { "sip.sent" }, %call,
            label = %crate::redact::printable(&message.label), peer = %message.peer, again = message.retransmission
        ),
        Body::Media(change) => tracing::info!(
            target: "rtp", event = "rtp.media", %call, codec = %change.codec, remote = %change.remote,
            source = %change.source, direction = %change.direction
        ),
        Body::Agent(change) if change.state == AgentState::Failed => tracing::warn!(
            target: "agent", event = "agent.failed", %call, text = %crate::redact::printable(&change.text)
        ),
        Body::Agent(change) => tracing::info!(
            target: "agent", event = "agent.state", %call, state = change.state.name(),
            text = %crate::redact::printable(&change.text)
        ),
        Body::Dtmf(digit) => {
            tracing::debug!(target: "rtp", event = "rtp.dtmf", %call, direction = digit.direction.name());
        }
        Body::Turn(turn) => tracing::debug!(
            target: "agent", event = "agent.turn", %call, turn = turn.turn.0, gap_ms = turn.gap_ms, cut = turn.cut
        ),
        Body::Check(check) if !check.passed => {
            tracing::warn!(target: "call", event = "call.check", %call, "{}", crate::redact::printable(&check.words()));
        }
        Body::Lint(lint) => tracing::warn!(
            target: "lint", event = "lint.fired", %call, name = %lint.name, evidence = %lint.evidence
        ),
        Body::Recording(change) if change.state == RecordingState::Tone => {}
        Body::Recording(change) => {
            tracing::info!(target: "recording", event = "recording.state", %call, state = change.state.name());
        }
        Body::Action(change) => tracing::info!(
            target: "agent", event = "agent.action", %call, id = change.id, action = %change.action,
            state = change.state.name(), text = %crate::redact::printable(&change.text)
        ),
        Body::Bridge(change) => tracing::info!(
            target: "call", event = "call.bridge", %call, state = change.state.name(),
            peer = change.peer.map(|peer| peer.to_string()), text = %crate::redact::printable(&change.text)
        ),
        Body::Tool(change) => tracing::info!(
            target: "agent", event = "agent.tool", %call, tool = %crate::redact::printable(&change.name),
            state = change.state.name(), took_ms = change.took_ms
        ),
        Body::Note(note) if note.level == Level::Error => {
            tracing::error!(target: "call", event = "call.note", %call, "{}", crate::redact::printable(&note.text));
        }
        Body::Note(note) => {
            tracing::warn!(target: "call", event = "call.note", %call, "{}", crate::redact::printable(&note.text));
        }
        Body::Summary(summary) => tracing::info!(
            target: "call", event = "call.ended", %call, seconds = summary.duration_s, ended_by = %summary.ended_by,
            reason = %crate::redact::printable(&summary.reason), lost_percent = summary.stats.inbound.loss_percent,
            mos = summary.stats.inbound.mos, turns = summary.turns
        ),
        Body::Ice(change) => tracing::info!(
            target: "rtp", event = "webrtc.state", %call, state = change.state, remote = %change.remote
        ),
        Body::Usage(usage) => {
            tracing::debug!(target: "agent", event = "agent.usage", %call, tokens = usage.total_tokens);
        }
        Body::Speech(_) | Body::Transcript(_) | Body::Stats(_) | Body::Check(_) | Body::Unknown => {}
    }
}
