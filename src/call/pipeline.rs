//! The whole path of one call as one machine: RTP in → frames → agent → frames → RTP out, with the [`Call`] deciding.
//!
//! `gateway::session` drives it with sockets and the real clock, `replay` with a file and a virtual one, `tests/world.rs`
//! with a simulated network: the same code each time. It does not wait, read or send.
//!
//! Rule: after each [`Pipeline::handle`], drain [`Pipeline::poll`] until it answers [`Output::Timeout`].

pub mod formats;

mod acting;
mod asides;
mod background;
mod consulted;
mod early;
mod far;
mod figures;
mod floor;
mod hold;
mod keys;
mod newcomer;
mod placement;
pub mod recording;
mod signalling;
mod sound;
pub mod srtp;
mod tools;
mod written;

pub use consulted::Consulted;
pub use far::Bridged;
pub use newcomer::Newcomer;

use super::{
    Call, Effect, Input as CallInput, Settings as CallSettings,
    journal::{Body, Header, IceChange, InboundStats, Level, Note, Percentiles, Record, SipMessage, ToolChange},
    latency::Histogram,
    tools::{Answer, Done, Run, Tools},
};
use crate::{
    agent::{
        event::{Action, Command, Event as AgentEvent, Outcome, Output as AgentOutput},
        local::LocalAgent,
        wire::tool::Tool,
    },
    clock::{Instant, WallTime},
    media::{
        Tuning, codec,
        dsp::{echo::EchoMeter, resample::Resampler, vad::SpeechEdge},
        inbound::Inbound,
        outbound::Outbound,
        recorder::Recorder,
        relay::{Far, FarSound},
        rtp::report::{RemoteReport, Reporter},
    },
    sip::sdp::negotiate::{self, Agreed},
    unit::{Ptime, SampleRate, TurnId},
};
pub use background::Music;
use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

/// How one call is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the call decides by.
    pub call: CallSettings,
    /// First line of its journal.
    pub header: Header,
    /// Wall clock at the call's start.
    pub wall: WallTime,
    /// Codecs in our order, packet length that we like.
    pub codecs: Vec<&'static codec::Codec>,
    /// Packet length that we like.
    pub ptime: Ptime,
    /// How this side listens.
    pub tuning: Tuning,
    /// Where we receive RTP, as the far end reaches it.
    pub rtp: SocketAddr,
    /// How it is encrypted.
    pub srtp: srtp::Settings,
    /// Random: first sequence number, timestamp, source number.
    pub seed: u64,
    /// Rate that a remote agent wants to hear, until its wire says another; local agents hear the codec's.
    pub agent_rate: Option<SampleRate>,
    /// Rate that the agent speaks at: what an encoder that leaves the choice is given.
    pub agent_speaks: SampleRate,
    /// What the agent may call.
    pub tools: Arc<[Tool]>,
    /// Sound gathered before a turn of the agent starts to play.
    pub prebuffer: Duration,
    /// What is said when the agent fails (8 kHz).
    pub apology: Arc<[i16]>,
    /// What those hear whom we hold.
    pub hold_music: Music,
    /// Sound is to be recorded.
    pub record: bool,
    /// And whoever hears that it is.
    pub tone: recording::Tone,
    /// Recording channels are swapped: we are the caller (`dial`).
    pub we_are_caller: bool,
    /// The call ends when nothing arrives for so long; zero never.
    pub media_timeout: Duration,
    /// `dial --hangup-after silence:…`: the far end is silent for so long after having spoken.
    pub hang_up_after_silence: Option<Duration>,
    /// `dial --hangup-after turns:…`.
    pub hang_up_after_turns: Option<u32>,
}

/// What happens on the way.
#[derive(Debug)]
pub enum Input<'a> {
    /// An INVITE came in.
    Offered(Option<&'a [u8]>),
    /// Our INVITE went out with [`Pipeline::offer`].
    Dialled,
    /// Our call rings.
    Progress(u16),
    /// Our call has media before the answer: the status, and the description.
    EarlyMedia(u16, &'a [u8]),
    /// Our call was answered.
    Answered(Option<&'a [u8]>),
    /// Our 200 was acknowledged.
    Acknowledged(Option<&'a [u8]>),
    /// The far end changes the session.
    Reinvite(Option<&'a [u8]>),
    /// The answer to a change of ours, or the description of a new far end.
    Changed(Option<&'a [u8]>),
    /// The far end has refused a change of ours, with this status.
    NotChanged(u16),
    /// The operator holds the far end, or takes it back.
    Hold(bool),
    /// Another far end takes the place of ours (Replaces), with this offer; whether its signalling can be read on its way.
    Replaced(Option<&'a [u8]>, bool),
    /// A digit in an INFO, and its length in milliseconds.
    InfoDigit(char, u32),
    /// The caller writes to the agent; ask [`Pipeline::may_write`] first.
    Wrote(String),
    /// The signalling is over.
    SipEnded {
        /// `caller`, `us`, `network`.
        by: &'static str,
        /// Final status.
        status: Option<u16>,
        /// In words.
        reason: String,
    },
    /// A message passed.
    SipTrace(SipMessage),
    /// A datagram on the RTP or RTCP port.
    Datagram {
        /// Where from.
        from: SocketAddr,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// A remote agent says something.
    Agent(AgentEvent),
    /// The callback was asked about the call, or has answered.
    Asked(ToolChange),
    /// Before anything began: who takes the call after all.
    Consulted(Box<Consulted>),
    /// Before anything began: the call is refused with this status, and why.
    Deny(u16, String),
    /// A tool has answered, or could not: the agent's name for the call of it.
    ToolDone(&'a str, Answer),
    /// The operator, a drain.
    HangUp(String),
    /// The operator sends digits.
    Press(&'a str),
    /// The operator pauses the recording, or goes on with it.
    PauseRecording(bool),
    /// Something for the journal from outside: a full disk.
    Note(Level, String),
    /// A browser's connection changed.
    Ice(IceChange),
    /// What a browser reports of us, where RTCP is not ours.
    FarReport(RemoteReport),
    /// What the other leg of a bridge does.
    Bridged(Bridged),
    /// What the other leg of a bridge says.
    Far(Far<'a>),
    /// Another agent takes over.
    Switch(Box<Newcomer>),
    /// The agent has failed, and why; another takes the call.
    FallBack(String, Box<Newcomer>),
    /// What became of [`Output::Act`].
    Acted(u32, Outcome),
    /// Time passed.
    Timeout,
}

/// What the driver must do.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "handed over at once, never kept")]
pub enum Output<'a> {
    /// Send this on the RTP port.
    Rtp(SocketAddr, &'a [u8]),
    /// Send this on the RTCP port (or the RTP port with rtcp-mux).
    Rtcp {
        /// Where to.
        to: SocketAddr,
        /// From the RTP port.
        mux: bool,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Signalling.
    Sip(SipAction),
    /// For the other leg of the bridge.
    Far(Far<'a>),
    /// Connect the remote agent.
    ConnectAgent,
    /// Tell the remote agent.
    Agent {
        /// What.
        command: Command<'a>,
        /// For sound that holds voice: arrival of its oldest packet.
        voiced_since: Option<Instant>,
    },
    /// The agent asks this of the gateway; [`Input::Acted`] answers with its number.
    Act(u32, Action),
    /// The agent has called this tool; [`Input::ToolDone`] answers.
    Tool(Run),
    /// The agent does not wait for this one any more.
    CancelTool(String),
    /// For the journal.
    Record(Record),
    /// Stereo sound for the recording, interleaved.
    Sound {
        /// Samples a second of one channel; the same from start to end.
        rate: SampleRate,
        /// Left and right in turns.
        samples: Vec<i16>,
    },
    /// Everything is said; the summary was the last record.
    Over,
    /// Nothing more; call [`Pipeline::handle`] with [`Input::Timeout`] then.
    Timeout(Instant),
}

/// Signalling that a call wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SipAction {
    /// 180.
    Ring,
    /// 183 with this description: early media.
    RingWithMedia(String),
    /// The far end holds, or is back: the other leg of the bridge hears of it.
    Held(bool),
    /// 200 with this description.
    Answer(String),
    /// Press a digit in an INFO, of so many milliseconds.
    Digit(char, u32),
    /// Change the session from our side.
    Reinvite(String),
    /// Take the far end that replaces ours.
    AnswerReplacing(String),
    /// The far end's answer to our call was accepted: whoever waits for it may be answered.
    Accepted,
    /// Refuse it; the session goes on as it was.
    RefuseReplacing(u16),
    /// Refuse the INVITE.
    Refuse(u16, String),
    /// Answer a re-INVITE.
    AnswerReinvite(String),
    /// Refuse a re-INVITE.
    RefuseReinvite(u16),
    /// End it, with this `Reason`.
    HangUp(String),
}

/// What waits to be polled; sound and packets lie in pooled buffers.
#[derive(Debug)]
enum Out {
    Rtp(SocketAddr, Vec<u8>),
    Rtcp {
        to: SocketAddr,
        mux: bool,
        bytes: Vec<u8>,
    },
    Sip(SipAction),
    ConnectAgent,
    Tell(Told),
    Audio(Vec<i16>, Option<Instant>),
    FarSound {
        at: Instant,
        position: u64,
        is_filling: bool,
        is_digit: bool,
        codec: &'static codec::Codec,
        rate: SampleRate,
        payload: Vec<u8>,
        samples: Vec<i16>,
    },
    FarAnew,
    FarDigit(char, u32),
    FarTone(char, u32),
    Act(u32, Action),
    TellActed(u32, Outcome),
    TellText(String),
    Tool(Run),
    CancelTool(String),
    ToolDone(Done),
    Record(Box<Record>),
    Sound(Vec<i16>),
    Over,
}

/// Commands to the agent that own what they say.
#[derive(Clone, Copy, Debug)]
enum Told {
    Start,
    Speech(SpeechEdge),
    Digit(char),
    Played,
    Interrupted(u32),
    Marked(u32),
    Held(bool),
    Close,
}

impl Told {
    const fn command(self) -> Command<'static> {
        match self {
            Self::Start => Command::Start,
            Self::Speech(edge) => Command::Speech(edge),
            Self::Digit(digit) => Command::Digit(digit),
            Self::Played => Command::Played,
            Self::Interrupted(heard_ms) => Command::Interrupted { heard_ms },
            Self::Marked(mark) => Command::Marked(mark),
            Self::Held(held) => Command::Held(held),
            Self::Close => Command::Close,
        }
    }
}

/// Who sits on the agent's chair.
#[derive(Debug)]
pub enum Seat {
    /// An offline agent, run here.
    Local(Box<dyn LocalAgent>),
    /// A provider; its socket is the driver's.
    Remote,
    /// The other leg of a bridge.
    Far,
}

/// Both directions of agreed media.
#[derive(Debug)]
struct Media {
    inbound: Inbound,
    outbound: Outbound,
    reporter: Reporter,
    agreed: Agreed,
    /// Where we send.
    remote: SocketAddr,
    remote_rtcp: SocketAddr,
    started_at: Instant,
    placement: placement::Placement,
    first_packet_after: Option<Duration>,
    source_changes: u32,
    echo: EchoMeter,
    /// Both spoke for so long.
    double_talk: Duration,
    /// The newest second, for extended reports.
    newest: InboundStats,
}

/// Sound on its way to the agent, gathered into messages.
#[derive(Debug)]
struct Uplink {
    rate: SampleRate,
    /// From the rate of the frames, which changes if the codec does.
    resampler: Option<(SampleRate, Resampler)>,
    chunk: Vec<i16>,
    voiced_since: Option<Instant>,
}

/// In silence one message holds this much; while the caller speaks each frame goes at once.
const SILENT_CHUNK: Duration = Duration::from_millis(60);
/// Statistics are recorded this often.
const STATS_EVERY: Duration = Duration::from_secs(1);

/// The machine.
#[derive(Debug)]
pub struct Pipeline {
    settings: Settings,
    origin: Instant,
    call: Call,
    seat: Seat,
    media: Option<Media>,
    /// The far end speaks, and whoever wants to know was told.
    speech_open: bool,
    /// Our 200 made the offer: the ACK carries their answer.
    offer_in_200: bool,
    sdp_version: u64,
    /// The answer to their offer, until it is sent.
    our_answer: Option<String>,
    /// Media runs before the answer.
    early: bool,
    /// How the far end described itself before it answered.
    described: Option<Vec<u8>>,
    hold: hold::Hold,
    background: Option<background::Background>,
    uplink: Uplink,
    /// From the first media on, which decide its rate.
    recorder: Option<Recorder>,
    recording: recording::Recording,
    srtp: srtp::Srtp,
    samples: Vec<i16>,
    spare_samples: Vec<Vec<i16>>,
    spare_datagrams: Vec<Vec<u8>>,
    current_samples: Vec<i16>,
    current_datagram: Vec<u8>,
    current_outcome: Outcome,
    /// The remote agent reads what the caller writes.
    reads: bool,
    current_text: String,
    tools: Tools,
    current_tool: Done,
    out: VecDeque<Out>,
    next_stats_at: Instant,
    audio_received_at: Option<Instant>,
    uplink_latency: Option<Percentiles>,
    downlink: Histogram,
    floor: floor::Floor,
    fired: Vec<&'static str>,
    newest_gap_ms: Option<f64>,
    digits: String,
    keys: keys::Keys,
    /// Why narrowband is spoken where it need not be.
    fallback: Option<String>,
    expected_media: bool,
    bridge: far::Bridge,
    far_spoke: bool,
    /// When we are the caller: the last moment of our voice that nobody has answered yet.
    own_voice_at: Option<Instant>,
    /// When we are the caller: the far end's gaps.
    answer_gaps_ms: Vec<f64>,
    closing: bool,
    over: bool,
}

impl Pipeline {
    /// A call that starts at `now`.
    #[must_use]
    pub fn new(now: Instant, settings: Settings, seat: Seat) -> Self {
        let call = Call::new(now, settings.call.clone());
        let rate = settings.agent_rate.unwrap_or(SampleRate::HZ_8000);
        let mut pipeline = Self {
            origin: now,
            call,
            seat,
            media: None,
            speech_open: false,
            offer_in_200: false,
            sdp_version: 0,
            our_answer: None,
            early: false,
            described: None,
            hold: hold::Hold::default(),
            background: None,
            uplink: Uplink { rate, resampler: None, chunk: Vec::new(), voiced_since: None },
            recorder: None,
            recording: recording::Recording::new(settings.tone),
            srtp: srtp::Srtp::new(settings.srtp.clone()),
            samples: Vec::new(),
            spare_samples: Vec::new(),
            spare_datagrams: Vec::new(),
            current_samples: Vec::new(),
            current_datagram: Vec::new(),
            current_outcome: Outcome::Done(String::new()),
            reads: false,
            current_text: String::new(),
            tools: Tools::new(Arc::clone(&settings.tools)),
            current_tool: Done::default(),
            out: VecDeque::new(),
            next_stats_at: Instant::FAR_FUTURE,
            audio_received_at: None,
            uplink_latency: None,
            downlink: Histogram::default(),
            floor: floor::Floor::default(),
            fired: Vec::new(),
            newest_gap_ms: None,
            digits: String::new(),
            keys: keys::Keys::default(),
            fallback: None,
            expected_media: false,
            bridge: far::Bridge::default(),
            far_spoke: false,
            own_voice_at: None,
            answer_gaps_ms: Vec::new(),
            closing: false,
            over: false,
            settings,
        };
        let header = pipeline.settings.header.clone();
        pipeline.record(now, Body::Session(header));
        pipeline
    }

    /// The description that a call with these settings offers first, before there is a call: what [`Self::offer`] will say.
    #[must_use]
    pub fn first_offer(settings: &Settings) -> String {
        let security = srtp::Srtp::new(settings.srtp.clone()).for_offer();
        negotiate::offer(&settings.offerable(&[], security), &settings.local(1, false))
    }

    /// The description for our own INVITE.
    pub fn offer(&mut self) -> String {
        let security = self.srtp.for_offer();
        self.sdp_version += 1;
        negotiate::offer(&self.offerable(security), &self.local())
    }

    /// The description for an INVITE to somebody else, whose signalling may be readable on its way.
    pub fn offer_elsewhere(&mut self, in_clear: bool) -> String {
        let security = self.srtp.for_offer_elsewhere(in_clear);
        self.sdp_version += 1;
        negotiate::offer(&self.offerable(security), &self.local())
    }

    /// For a capture: the datagram that was handled last as it was before encryption, `bytes` as it arrived; none if it
    /// was not authentic.
    #[must_use]
    pub fn plain_in<'a>(&'a self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        self.srtp.plain(bytes)
    }

    /// For a capture: the RTP packet that [`Self::poll`] gave last as it was before encryption.
    #[must_use]
    pub fn plain_out(&self) -> &[u8] {
        &self.current_datagram
    }

    /// Whether the call was answered and is not over.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.call.answered_at().is_some() && !self.over
    }

    /// Whom we made an offer elsewhere has answered it: the session is theirs.
    pub fn has_moved(&mut self) {
        self.srtp.arrived_elsewhere();
    }

    /// What the socket measured from RTP in to provider socket.
    pub const fn set_uplink_latency(&mut self, measured: Option<Percentiles>) {
        self.uplink_latency = measured;
    }

    /// A remote agent is being connected: the rate that it wants to hear, and whether it says when its turns end.
    pub fn set_agent(&mut self, rate: SampleRate, ends_turns: bool) {
        self.reads = false;
        self.floor.set_ends_turns(ends_turns);
        self.uplink = Uplink { rate, resampler: None, chunk: Vec::new(), voiced_since: None };
    }

    /// That agent answers each time it is spoken to: if it does not, something is wrong with it.
    pub const fn set_agent_answers(&mut self, answers: bool) {
        self.call.set_agent_answers(answers);
    }

    /// That agent's answer is awaited, though it has times of its own for what does not come.
    pub const fn set_agent_is_awaited(&mut self) {
        self.call.set_agent_is_awaited();
    }

    /// Once: why the agent counts as lost, though nobody has said so: it has been silent for too long.
    pub const fn take_lost_agent(&mut self) -> Option<String> {
        self.call.take_lost()
    }

    /// Name of the codec that was agreed on, or that we would like best.
    #[must_use]
    pub fn codec(&self) -> &'static str {
        let agreed = self.media.as_ref().map(|media| media.inbound.codec().name);
        agreed.or_else(|| self.settings.codecs.first().map(|codec| codec.name)).unwrap_or("pcmu")
    }

    /// When the call began.
    #[must_use]
    pub const fn origin(&self) -> Instant {
        self.origin
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        if self.over {
            return;
        }
        match input {
            Input::Datagram { from, bytes } => self.datagram(now, from, bytes),
            Input::Timeout => self.due(now),
            Input::Agent(event) => self.agent(now, event, now),
            Input::Asked(change) => self.record_tool(now, change),
            Input::Consulted(consulted) => self.consulted(now, *consulted),
            Input::Deny(status, why) => self.deny(now, status, why),
            Input::ToolDone(id, outcome) => self.tool_done(now, id, outcome),
            Input::Offered(sdp) => self.invited(now, sdp),
            Input::Dialled => self.call.handle(now, CallInput::Begin),
            Input::Progress(status) => self.call.handle(now, CallInput::Progress(status)),
            Input::EarlyMedia(status, sdp) => self.early_media(now, status, sdp),
            Input::Answered(sdp) => self.answered(now, sdp),
            Input::Acknowledged(sdp) => self.acknowledged(now, sdp),
            Input::Reinvite(sdp) => self.reinvited(now, sdp),
            Input::Changed(sdp) => self.changed(now, sdp),
            Input::NotChanged(status) => self.not_changed(now, status),
            Input::Hold(hold) => self.hold(now, hold),
            Input::Replaced(sdp, in_clear) => self.replaced(now, sdp, in_clear),
            Input::InfoDigit(digit, duration_ms) => self.info_digit(now, digit, duration_ms),
            Input::Wrote(text) => self.wrote(now, text),
            Input::SipEnded { by, status, reason } => {
                self.call.handle(now, CallInput::SipEnded { by, status, reason });
            }
            Input::Bridged(bridged) => self.bridged(now, bridged),
            Input::Far(far) => self.far(now, far),
            Input::Switch(newcomer) => self.switch(now, *newcomer),
            Input::FallBack(reason, newcomer) => self.fall_back(now, reason, *newcomer),
            Input::Acted(id, outcome) => self.call.handle(now, CallInput::Acted(id, outcome)),
            Input::SipTrace(message) => self.record(now, Body::Sip(message)),
            Input::HangUp(reason) => self.call.handle(now, CallInput::HangUp { by: "us", reason }),
            Input::Press(digits) => self.press(now, digits),
            Input::PauseRecording(paused) => self.pause_recording(now, paused),
            Input::Note(level, text) => self.record(now, Body::Note(Note { level, text })),
            Input::Ice(change) => self.record(now, Body::Ice(change)),
            Input::FarReport(report) => {
                if let Some(media) = &mut self.media {
                    media.reporter.told(report);
                }
            }
        }
        self.settle(now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Output<'_> {
        let Some(out) = self.out.pop_front() else { return Output::Timeout(self.timeout()) };
        match out {
            Out::Rtp(to, bytes) => {
                let used = std::mem::replace(&mut self.current_datagram, bytes);
                self.spare_datagrams.push(used);
                // Nothing goes out where the key is used up.
                Output::Rtp(to, self.srtp.protect(&self.current_datagram).unwrap_or_default())
            }
            Out::Audio(samples, voiced_since) => {
                let used = std::mem::replace(&mut self.current_samples, samples);
                self.spare_samples.push(used);
                let command = Command::Audio { rate: self.uplink.rate, samples: &self.current_samples };
                Output::Agent { command, voiced_since }
            }
            Out::FarSound { at, position, is_filling, is_digit, codec, rate, payload, samples } => {
                let used = std::mem::replace(&mut self.current_samples, samples);
                self.spare_samples.push(used);
                let used = std::mem::replace(&mut self.current_datagram, payload);
                self.spare_datagrams.push(used);
                let (payload, samples) = (&self.current_datagram[..], &self.current_samples[..]);
                Output::Far(Far::Sound(FarSound { at, position, is_filling, is_digit, codec, rate, payload, samples }))
            }
            Out::FarAnew => Output::Far(Far::Anew),
            Out::FarDigit(digit, duration_ms) => Output::Far(Far::Digit(digit, duration_ms)),
            Out::FarTone(digit, duration_ms) => Output::Far(Far::Tone(digit, duration_ms)),
            Out::Rtcp { to, mux, bytes } => {
                let bytes = self.srtp.protect(&bytes).unwrap_or_default().to_vec();
                Output::Rtcp { to, mux, bytes }
            }
            Out::Sip(action) => Output::Sip(action),
            Out::ConnectAgent => Output::ConnectAgent,
            Out::Act(id, action) => Output::Act(id, action),
            Out::TellActed(id, outcome) => {
                self.current_outcome = outcome;
                let command = Command::Acted { id, outcome: &self.current_outcome };
                Output::Agent { command, voiced_since: None }
            }
            Out::TellText(text) => {
                self.current_text = text;
                Output::Agent { command: Command::Text(&self.current_text), voiced_since: None }
            }
            Out::Tell(told) => Output::Agent { command: told.command(), voiced_since: None },
            Out::Tool(run) => Output::Tool(run),
            Out::CancelTool(id) => Output::CancelTool(id),
            Out::ToolDone(done) => {
                self.current_tool = done;
                Output::Agent { command: self.tool_result(), voiced_since: None }
            }
            Out::Record(record) => Output::Record(*record),
            Out::Sound(samples) => {
                let rate = self.recorder.as_ref().map_or(SampleRate::HZ_8000, Recorder::rate);
                Output::Sound { rate, samples }
            }
            Out::Over => Output::Over,
        }
    }

    /// When [`Input::Timeout`] is wanted.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        if self.over {
            return Instant::FAR_FUTURE;
        }
        let mut at = self.call.timeout().min(self.next_stats_at).min(self.hold.again_at);
        if let Some(media) = &self.media {
            at = at.min(media.inbound.timeout()).min(media.outbound.timeout()).min(media.reporter.timeout());
        }
        if let Seat::Local(agent) = &self.seat {
            at = at.min(agent.timeout());
        }
        at
    }

    // Time

    fn due(&mut self, now: Instant) {
        if let Some(media) = &mut self.media
            && media.inbound.timeout() <= now
        {
            media.inbound.handle_timeout(now);
            self.heard(now);
        }
        if let Seat::Local(agent) = &mut self.seat
            && agent.timeout() <= now
        {
            agent.handle_timeout(now);
        }
        if self.call.timeout() <= now {
            self.call.handle(now, CallInput::Timeout);
        }
        self.hold_due(now);
        // What fell due may have given the agent something to say in this very moment.
        self.settle(now);
        self.tick(now);
        self.report(now);
        if now >= self.next_stats_at {
            self.next_stats_at += STATS_EVERY;
            self.stats(now);
        }
    }

    // Decisions

    /// Carries out what the call decided and what the local agent wants, until both are quiet.
    fn settle(&mut self, now: Instant) {
        loop {
            if let Some(effect) = self.call.poll() {
                self.effect(now, effect);
                continue;
            }
            if let Seat::Local(agent) = &mut self.seat
                && self.media.is_some()
                && let AgentOutput::Event(event) = agent.poll()
            {
                self.agent(now, event, now);
                continue;
            }
            // The summary is the last record: only when everything else has been said.
            if self.closing {
                self.finish(now);
            }
            return;
        }
    }

    fn effect(&mut self, now: Instant, effect: Effect) {
        match effect {
            Effect::ConnectAgent => {
                if matches!(self.seat, Seat::Remote) {
                    self.push(Out::ConnectAgent);
                } else if let Seat::Local(agent) = &mut self.seat {
                    // An offline agent is ready at once, media or not.
                    while let AgentOutput::Event(event) = agent.poll() {
                        self.call.handle(now, CallInput::Agent(event));
                    }
                }
            }
            Effect::Ring if self.settings.call.early == super::Early::Off => self.push(Out::Sip(SipAction::Ring)),
            Effect::Ring => self.ring_with_media(),
            Effect::Answer => self.answer(),
            Effect::HangUp(reason) => {
                self.push(Out::Sip(SipAction::HangUp(reason)));
                self.goodbye();
            }
            Effect::StartAgent => self.tell(now, Told::Start),
            Effect::Played => self.tell(now, Told::Played),
            Effect::Cut { tell_agent } => self.cut(now, tell_agent),
            Effect::Pause => self.wait(now, true),
            Effect::Resume => self.wait(now, false),
            Effect::Say(aside) => self.say(now, aside),
            Effect::CompleteTurn(turn) => {
                if let Some(media) = &mut self.media {
                    media.outbound.complete(turn);
                }
            }
            Effect::Apologise => self.apologise(now),
            Effect::Press(digits) => self.press(now, &digits),
            Effect::TellHeld(held) => {
                // Whom we hold ourselves is no hold of theirs.
                if matches!(self.seat, Seat::Far) && !self.hold.on {
                    self.push(Out::Sip(SipAction::Held(held)));
                }
                self.tell(now, Told::Held(held));
            }
            Effect::Act(id, action) => self.act(now, id, action),
            Effect::TellActed(id, outcome) => self.tell_acted(now, id, outcome),
            Effect::Record(body) => {
                if let Body::Turn(turn) = &body {
                    if self.settings.we_are_caller {
                        // Our own turns are nobody's gap; the far end's are recorded as they are heard.
                        return;
                    }
                    self.newest_gap_ms = turn.gap_ms.or(self.newest_gap_ms);
                }
                self.record(now, body);
            }
            Effect::Over => self.closing = true,
        }
    }

    fn answer(&mut self) {
        self.play(None);
        // Without an offer in the INVITE ours goes into the 200.
        let text = self.our_answer.take().unwrap_or_else(|| {
            self.offer_in_200 = true;
            self.offer()
        });
        self.push(Out::Sip(SipAction::Answer(text)));
    }

    fn apologise(&mut self, now: Instant) {
        self.play(None);
        let apology = Arc::clone(&self.settings.apology);
        let Some(media) = &mut self.media else { return };
        let turn = TurnId(u32::MAX);
        media.outbound.enqueue(now, turn, SampleRate::HZ_8000, &apology);
        media.outbound.complete(turn);
    }

    fn cut(&mut self, now: Instant, tell_agent: bool) {
        let Some(media) = &mut self.media else { return };
        let cut = media.outbound.cut();
        let silent_at = media.outbound.timeout().max(now);
        self.marks_reached(now);
        self.audio_received_at = None;
        // What the gateway said itself was no part of the turn.
        let heard_ms = if cut.turn == Some(asides::ASIDE) { 0 } else { cut.heard_ms };
        self.call.cut_after(now, heard_ms, cut.flushed_ms, silent_at);
        // A provider wants to know what was heard even when it asked for the cut itself.
        if tell_agent || matches!(self.seat, Seat::Remote) {
            self.tell(now, Told::Interrupted(heard_ms));
        }
        if matches!(self.seat, Seat::Local(_)) {
            self.call.turns.stop_refusing();
        }
    }

    fn tell(&mut self, now: Instant, told: Told) {
        match &mut self.seat {
            Seat::Local(agent) => agent.handle(now, told.command()),
            Seat::Remote => self.push(Out::Tell(told)),
            Seat::Far => {}
        }
    }

    fn goodbye(&mut self) {
        let Some(media) = &self.media else { return };
        let (to, mux, bytes) = (media.remote_rtcp, media.agreed.rtcp_mux, media.reporter.goodbye());
        self.push(Out::Rtcp { to, mux, bytes });
    }

    fn wall(&self, now: Instant) -> WallTime {
        self.settings.wall.after(now.since(self.origin))
    }

    fn record(&mut self, now: Instant, mut body: Body) {
        if self.recording.withholds(&mut body) {
            return;
        }
        let t = (now.signed_ms_since(self.origin) * 1_000.0).round() / 1e6;
        self.push(Out::Record(Box::new(Record { t, body })));
    }

    fn push(&mut self, out: Out) {
        self.out.push_back(out);
    }
}
