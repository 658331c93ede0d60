//! The whole path of one call as one machine: RTP in → frames → agent → frames → RTP out, with the [`Call`] deciding.
//!
//! `gateway::session` drives it with sockets and the real clock, `replay` with a file and a virtual one, `tests/world.rs`
//! with a simulated network: the same code each time. It does not wait, read or send.
//!
//! Rule: after each [`Pipeline::handle`], drain [`Pipeline::poll`] until it answers [`Output::Timeout`].

use super::{
    Call, Effect, Input as CallInput, Settings as CallSettings,
    journal::{
        Body, Digit, Direction, Header, Level, MediaChange, Note, Part, Percentiles, Record, SipMessage, Stats,
        Summary, Turn, rounded,
    },
    latency::Histogram,
    lint,
    summary::{Outcome, judge},
};
use crate::{
    agent::{
        event::{Command, Event as AgentEvent, Output as AgentOutput},
        local::LocalAgent,
    },
    clock::{Instant, WallTime},
    media::{
        codec,
        dsp::{resample::Resampler, vad::SpeechEdge},
        inbound::{self, Inbound},
        outbound::{self, Outbound},
        recorder::{Recorder, Side},
        rtp::{packet::is_rtcp, report::Reporter},
    },
    sip::sdp::{
        Description,
        negotiate::{self, Agreed, Local, Offerable},
    },
    unit::{Ptime, SampleRate, Ssrc, TurnId},
};
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
    /// Where we receive RTP, as the far end reaches it.
    pub rtp: SocketAddr,
    /// Random: first sequence number, timestamp, source number.
    pub seed: u64,
    /// Rate that a remote agent wants to hear; local agents hear the codec's.
    pub agent_rate: Option<SampleRate>,
    /// Sound gathered before a turn of the agent starts to play.
    pub prebuffer: Duration,
    /// What is said when the agent fails (8 kHz).
    pub apology: Arc<[i16]>,
    /// Sound is to be recorded.
    pub record: bool,
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
    /// Our call was answered.
    Answered(Option<&'a [u8]>),
    /// Our 200 was acknowledged.
    Acknowledged(Option<&'a [u8]>),
    /// The far end changes the session.
    Reinvite(Option<&'a [u8]>),
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
    /// The operator, a drain.
    HangUp(String),
    /// The operator sends digits.
    Press(&'a str),
    /// Something for the journal from outside: a full disk.
    Note(Level, String),
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
    /// Connect the remote agent.
    ConnectAgent,
    /// Tell the remote agent.
    Agent {
        /// What.
        command: Command<'a>,
        /// For sound that holds voice: arrival of its oldest packet.
        voiced_since: Option<Instant>,
    },
    /// For the journal.
    Record(Record),
    /// Stereo sound for the recording, interleaved, 8 kHz.
    Sound(Vec<i16>),
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
    /// 200 with this description.
    Answer(String),
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
    Rtcp { to: SocketAddr, mux: bool, bytes: Vec<u8> },
    Sip(SipAction),
    ConnectAgent,
    Tell(Told),
    Audio(Vec<i16>, Option<Instant>),
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
    /// The inbound's position 0 on the recording's clock; none until the next frame says where it is.
    anchor: Option<i64>,
    /// Frames in a row that lie elsewhere than their arrival says.
    misplaced: u32,
    first_packet_after: Option<Duration>,
    source_changes: u32,
}

impl Media {
    /// Where a frame that arrived at `at` lies on the recording's clock. The sender's clock places it; when that has
    /// been more than 50 ms off its arrival for half a second (hold, skew), it is placed anew.
    fn place(&mut self, at: Instant, position: u64, length: usize) -> u64 {
        let signed = |samples: u64| i64::try_from(samples).unwrap_or(i64::MAX);
        let arrival = signed(self.inbound.rate().samples_in(at.since(self.started_at)) as u64) - signed(length as u64);
        let position = signed(position);
        let anchor = *self.anchor.get_or_insert(arrival.max(0) - position);
        let off = arrival - (anchor + position);
        self.misplaced = if off.abs() > 400 { self.misplaced + 1 } else { 0 };
        if self.misplaced > 25 {
            self.misplaced = 0;
            self.anchor = Some(arrival - position);
        }
        u64::try_from(self.anchor.unwrap_or(anchor) + position).unwrap_or(0)
    }
}

/// Sound on its way to the agent, gathered into messages.
#[derive(Debug)]
struct Uplink {
    rate: SampleRate,
    resampler: Option<Resampler>,
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
    /// Our offer is out and their answer is awaited.
    offered: bool,
    sdp_version: u64,
    /// The answer to their offer, until it is sent.
    our_answer: Option<String>,
    uplink: Uplink,
    recorder: Recorder,
    samples: Vec<i16>,
    spare_samples: Vec<Vec<i16>>,
    spare_datagrams: Vec<Vec<u8>>,
    current_samples: Vec<i16>,
    current_datagram: Vec<u8>,
    out: VecDeque<Out>,
    next_stats_at: Instant,
    audio_received_at: Option<Instant>,
    uplink_latency: Option<Percentiles>,
    downlink: Histogram,
    fired: Vec<&'static str>,
    newest_gap_ms: Option<f64>,
    digits: String,
    expected_media: bool,
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
            offered: false,
            sdp_version: 0,
            our_answer: None,
            uplink: Uplink { rate, resampler: None, chunk: Vec::new(), voiced_since: None },
            recorder: Recorder::default(),
            samples: Vec::new(),
            spare_samples: Vec::new(),
            spare_datagrams: Vec::new(),
            current_samples: Vec::new(),
            current_datagram: Vec::new(),
            out: VecDeque::new(),
            next_stats_at: Instant::FAR_FUTURE,
            audio_received_at: None,
            uplink_latency: None,
            downlink: Histogram::default(),
            fired: Vec::new(),
            newest_gap_ms: None,
            digits: String::new(),
            expected_media: false,
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

    /// The description for our own INVITE.
    pub fn offer(&mut self) -> String {
        self.offered = true;
        negotiate::offer(&self.offerable(), &self.local())
    }

    /// What the socket measured from RTP in to provider socket.
    pub const fn set_uplink_latency(&mut self, measured: Option<Percentiles>) {
        self.uplink_latency = measured;
    }

    /// When the call began.
    #[must_use]
    pub const fn origin(&self) -> Instant {
        self.origin
    }

    /// Whether the call was answered and media flows.
    #[must_use]
    pub const fn has_media(&self) -> bool {
        self.media.is_some()
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
            Input::Offered(sdp) => self.invited(now, sdp),
            Input::Dialled => self.call.handle(now, CallInput::Begin),
            Input::Progress(status) => self.call.handle(now, CallInput::Progress(status)),
            Input::Answered(sdp) => self.answered(now, sdp),
            Input::Acknowledged(sdp) => self.acknowledged(now, sdp),
            Input::Reinvite(sdp) => self.reinvited(now, sdp),
            Input::SipEnded { by, status, reason } => {
                self.call.handle(now, CallInput::SipEnded { by, status, reason });
            }
            Input::SipTrace(message) => self.record(now, Body::Sip(message)),
            Input::HangUp(reason) => self.call.handle(now, CallInput::HangUp { by: "us", reason }),
            Input::Press(digits) => self.press(now, digits),
            Input::Note(level, text) => self.record(now, Body::Note(Note { level, text })),
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
                Output::Rtp(to, &self.current_datagram)
            }
            Out::Audio(samples, voiced_since) => {
                let used = std::mem::replace(&mut self.current_samples, samples);
                self.spare_samples.push(used);
                let command = Command::Audio { rate: self.uplink.rate, samples: &self.current_samples };
                Output::Agent { command, voiced_since }
            }
            Out::Rtcp { to, mux, bytes } => Output::Rtcp { to, mux, bytes },
            Out::Sip(action) => Output::Sip(action),
            Out::ConnectAgent => Output::ConnectAgent,
            Out::Tell(told) => Output::Agent { command: told.command(), voiced_since: None },
            Out::Record(record) => Output::Record(*record),
            Out::Sound(sound) => Output::Sound(sound),
            Out::Over => Output::Over,
        }
    }

    /// When [`Input::Timeout`] is wanted.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        if self.over {
            return Instant::FAR_FUTURE;
        }
        let mut at = self.call.timeout().min(self.next_stats_at);
        if let Some(media) = &self.media {
            at = at.min(media.inbound.timeout()).min(media.outbound.timeout()).min(media.reporter.timeout());
        }
        if let Seat::Local(agent) = &self.seat {
            at = at.min(agent.timeout());
        }
        at
    }

    // Signalling

    fn offerable(&self) -> Offerable {
        Offerable {
            codecs: self.settings.codecs.iter().map(|codec| (codec.name, codec.payload_type)).collect(),
            ptime: self.settings.ptime,
        }
    }

    fn local(&mut self) -> Local {
        self.sdp_version += 1;
        Local { address: self.settings.rtp, session: (self.settings.seed >> 2, self.sdp_version), hold: false }
    }

    fn invited(&mut self, now: Instant, sdp: Option<&[u8]>) {
        if let Some(sdp) = sdp {
            match self.negotiated(sdp) {
                Ok((agreed, text)) => {
                    self.our_answer = Some(text);
                    self.start_media(now, agreed);
                }
                Err(problem) => {
                    self.record(now, Body::Note(Note { level: Level::Error, text: format!("488: {problem}") }));
                    self.call.handle(now, CallInput::Refused(problem.clone()));
                    self.push(Out::Sip(SipAction::Refuse(488, problem)));
                    return;
                }
            }
        }
        self.call.handle(now, CallInput::Begin);
    }

    fn negotiated(&mut self, sdp: &[u8]) -> Result<(Agreed, String), String> {
        let offer = Description::parse(sdp)?;
        let (can, local) = (self.offerable(), self.local());
        negotiate::answer(&offer, &can, &local).map_err(|refused| refused.to_string())
    }

    fn answered(&mut self, now: Instant, sdp: Option<&[u8]>) {
        if self.take_answer(now, sdp) {
            self.call.handle(now, CallInput::Answered);
        }
    }

    fn acknowledged(&mut self, now: Instant, sdp: Option<&[u8]>) {
        // The ACK carries their answer when our 200 made the offer.
        if self.offered && !self.take_answer(now, sdp) {
            return;
        }
        self.call.handle(now, CallInput::Acknowledged);
    }

    /// Reads the answer to our offer; hangs up if there is no agreement.
    fn take_answer(&mut self, now: Instant, sdp: Option<&[u8]>) -> bool {
        self.offered = false;
        let local = self.local();
        let agreed = sdp
            .ok_or_else(|| "the answer has no session description".to_owned())
            .and_then(Description::parse)
            .and_then(|answer| {
                negotiate::accept(&answer, &self.offerable(), &local).map_err(|refused| refused.to_string())
            });
        match agreed {
            Ok(agreed) => {
                let held = !agreed.flow.sends();
                self.start_media(now, agreed);
                self.call.handle(now, CallInput::Held(held));
                true
            }
            Err(problem) => {
                self.record(now, Body::Note(Note { level: Level::Error, text: problem.clone() }));
                self.call.handle(now, CallInput::HangUp { by: "us", reason: format!("no media: {problem}") });
                false
            }
        }
    }

    fn reinvited(&mut self, now: Instant, sdp: Option<&[u8]>) {
        let Some(sdp) = sdp else {
            // Offerless: our offer goes in the 200, their answer comes with the ACK.
            let text = self.offer();
            self.push(Out::Sip(SipAction::AnswerReinvite(text)));
            return;
        };
        match self.negotiated(sdp) {
            Ok((agreed, text)) => {
                self.push(Out::Sip(SipAction::AnswerReinvite(text)));
                let held = !agreed.flow.sends();
                self.start_media(now, agreed);
                self.call.handle(now, CallInput::Held(held));
            }
            Err(problem) => {
                self.record(
                    now,
                    Body::Note(Note { level: Level::Warn, text: format!("re-INVITE refused: {problem}") }),
                );
                self.push(Out::Sip(SipAction::RefuseReinvite(488)));
            }
        }
    }

    /// Starts media, or changes it.
    fn start_media(&mut self, now: Instant, agreed: Agreed) {
        let ours = codec::by_name(&agreed.codec.0).unwrap_or(&codec::CODECS[0]);
        let expected = agreed.flow.receives();
        self.expected_media |= expected;
        let settings_in = inbound::Settings {
            codecs: agreed
                .accepts
                .iter()
                .filter_map(|(payload_type, name)| Some((*payload_type, codec::by_name(name)?)))
                .collect(),
            event: agreed.event_in,
            described: Some(agreed.remote),
            expected,
        };
        let settings_out = outbound::Settings {
            codec: ours,
            payload_type: agreed.codec.1,
            event: agreed.event,
            ptime: agreed.ptime,
            sending: agreed.flow.sends(),
        };
        let change = MediaChange {
            codec: ours.name.to_owned(),
            payload_type: agreed.codec.1.0,
            ptime_ms: agreed.ptime.ms(),
            local: self.settings.rtp.to_string(),
            remote: agreed.remote.to_string(),
            source: "sdp".to_owned(),
            direction: agreed.flow.name().to_owned(),
        };
        if let Some(media) = &mut self.media {
            // After a hold the sender's positions say nothing about the time that passed.
            media.anchor = None;
            media.inbound.renegotiate(now, settings_in);
            media.outbound.renegotiate(settings_out);
            if media.agreed.remote != agreed.remote {
                media.remote = agreed.remote;
                media.remote_rtcp = agreed.remote_rtcp;
            }
            media.agreed = agreed;
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "the low half of a random number")]
            let ssrc = Ssrc((self.settings.seed >> 7) as u32);
            let mut outbound = Outbound::new(now, settings_out, ssrc, self.settings.seed.rotate_left(17));
            outbound.set_prebuffer(self.settings.prebuffer);
            self.media = Some(Media {
                inbound: Inbound::new(now, settings_in, agreed.ptime),
                outbound,
                reporter: Reporter::new(now, ssrc, format!("{:012x}", self.settings.seed >> 16)),
                remote: agreed.remote,
                remote_rtcp: agreed.remote_rtcp,
                started_at: now,
                anchor: None,
                misplaced: 0,
                first_packet_after: None,
                source_changes: 0,
                agreed,
            });
            self.next_stats_at = now + STATS_EVERY;
            if matches!(self.seat, Seat::Local(_)) {
                self.uplink.rate = ours.rate;
            }
        }
        self.record(now, Body::Media(change));
    }

    // Media in

    fn datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let wall = self.wall(now);
        let Some(media) = &mut self.media else { return };
        if is_rtcp(bytes) {
            if from.ip() == media.remote_rtcp.ip() || from.ip() == media.remote.ip() {
                media.reporter.handle(now, wall, bytes, media.inbound.codec().clock);
            }
            return;
        }
        media.inbound.handle_rtp(now, from, bytes);
        self.heard(now);
    }

    /// What came out of the inbound path goes its ways.
    fn heard(&mut self, now: Instant) {
        let mut samples = std::mem::take(&mut self.samples);
        while let Some(out) = self.media.as_mut().and_then(|media| media.inbound.poll(&mut samples)) {
            match out {
                inbound::Out::Frame { at, position, voiced, .. } => self.frame(at, position, voiced, &samples),
                inbound::Out::Speech(edge) => {
                    self.far_spoke |= matches!(edge, SpeechEdge::Ended(_));
                    if let SpeechEdge::Started(at) = edge {
                        self.answered_us(now, at);
                    }
                    self.call.handle(now, CallInput::Speech(edge));
                    self.tell(now, Told::Speech(edge));
                }
                inbound::Out::Digit(heard) => {
                    let clock_khz = 8;
                    let duration_ms = u32::from(heard.duration) / clock_khz;
                    self.digits.push(heard.digit);
                    self.record(now, Body::Dtmf(Digit { direction: Direction::In, digit: heard.digit, duration_ms }));
                    self.call.handle(now, CallInput::Digit(heard.digit));
                    self.tell(now, Told::Digit(heard.digit));
                }
                inbound::Out::Latched(source) => self.latched(now, source),
                inbound::Out::NewSource(_) => {
                    if let Some(media) = &mut self.media {
                        media.source_changes += 1;
                    }
                }
            }
        }
        self.samples = samples;
    }

    /// We are the caller and the far end began to speak: the silence that we heard is its gap.
    fn answered_us(&mut self, now: Instant, at: Instant) {
        let Some(spoken_at) = self.own_voice_at.take().filter(|_| self.settings.we_are_caller) else { return };
        let gap_ms = rounded(at.signed_ms_since(spoken_at));
        // Within a frame of our own voice it is talking over us, not answering.
        if gap_ms < 60.0 {
            return;
        }
        self.answer_gaps_ms.push(gap_ms);
        self.newest_gap_ms = Some(gap_ms);
        let part = Part { name: "far end".to_owned(), ms: gap_ms, owner: "far end".to_owned() };
        let turn = Turn {
            turn: TurnId(u32::try_from(self.answer_gaps_ms.len()).unwrap_or(u32::MAX)),
            at: Some(rounded(at.signed_ms_since(self.origin) / 1_000.0)),
            gap_ms: Some(gap_ms),
            parts: vec![part],
            ..Turn::default()
        };
        self.record(now, Body::Turn(turn));
    }

    fn latched(&mut self, now: Instant, source: SocketAddr) {
        let Some(media) = &mut self.media else { return };
        media.first_packet_after.get_or_insert(now.since(media.started_at));
        if media.remote == source {
            return;
        }
        // Symmetric RTP (RFC 4961): answer to where packets come from.
        media.remote = source;
        media.remote_rtcp =
            if media.agreed.rtcp_mux { source } else { SocketAddr::new(source.ip(), source.port().saturating_add(1)) };
        let change = MediaChange {
            codec: media.agreed.codec.0.clone(),
            payload_type: media.agreed.codec.1.0,
            ptime_ms: media.agreed.ptime.ms(),
            local: self.settings.rtp.to_string(),
            remote: source.to_string(),
            source: "latched".to_owned(),
            direction: media.agreed.flow.name().to_owned(),
        };
        self.record(now, Body::Media(change));
    }

    /// One frame: to the recording, and resampled and gathered to the agent.
    fn frame(&mut self, at: Instant, position: u64, voiced: bool, samples: &[i16]) {
        let Some(media) = &mut self.media else { return };
        let rate = media.inbound.rate();
        if self.settings.record {
            let side = if self.settings.we_are_caller { Side::Agent } else { Side::Caller };
            self.recorder.add(side, media.place(at, position, samples.len()), samples);
        }
        if let Seat::Local(agent) = &mut self.seat {
            agent.handle(at, Command::Audio { rate, samples });
            return;
        }
        let uplink = &mut self.uplink;
        if voiced && uplink.voiced_since.is_none() {
            uplink.voiced_since = Some(at);
        }
        if rate == uplink.rate {
            uplink.chunk.extend_from_slice(samples);
        } else {
            if uplink.resampler.is_none() {
                uplink.resampler = Resampler::new(rate, uplink.rate).ok();
            }
            if let Some(resampler) = &mut uplink.resampler {
                resampler.process(samples, &mut uplink.chunk);
            }
        }
        let full = if uplink.voiced_since.is_some() { Duration::from_millis(18) } else { SILENT_CHUNK };
        if uplink.rate.duration_of(uplink.chunk.len()) >= full {
            let mut chunk = self.spare_samples.pop().unwrap_or_default();
            chunk.clear();
            std::mem::swap(&mut chunk, &mut uplink.chunk);
            let voiced_since = uplink.voiced_since.take();
            self.out.push_back(Out::Audio(chunk, voiced_since));
        }
    }

    // Media out

    fn agent(&mut self, now: Instant, event: AgentEvent, received_at: Instant) {
        let AgentEvent::Audio { rate, samples } = event else {
            self.call.handle(now, CallInput::Agent(event));
            return;
        };
        let Some(turn) = self.call.accept_audio(now, rate.duration_of(samples.len())) else { return };
        let Some(media) = &mut self.media else { return };
        if media.outbound.is_drained() {
            self.audio_received_at = Some(received_at);
        }
        let dropped_ms = media.outbound.enqueue(now, turn, rate, &samples);
        if dropped_ms > 0 {
            let text = format!("the agent is more than a minute ahead: {dropped_ms} ms of its sound were dropped");
            self.record(now, Body::Note(Note { level: Level::Warn, text }));
        }
    }

    fn tick(&mut self, now: Instant) {
        if let Some(media) = &mut self.media {
            // Nothing is said before the answer.
            media.outbound.set_sending(media.agreed.flow.sends() && self.call.answered_at().is_some());
        }
        while let Some(media) = &mut self.media
            && media.outbound.timeout() <= now
        {
            let mut datagram = self.spare_datagrams.pop().unwrap_or_default();
            let ticked = media.outbound.tick(now, &mut datagram);
            if ticked.sent {
                if self.settings.we_are_caller && ticked.voice && is_voice(media.outbound.played()) {
                    self.own_voice_at = Some(now);
                }
                if self.settings.record {
                    let side = if self.settings.we_are_caller { Side::Caller } else { Side::Agent };
                    self.recorder.add(side, ticked.position, media.outbound.played());
                }
                let remote = media.remote;
                self.out.push_back(Out::Rtp(remote, datagram));
            } else {
                self.spare_datagrams.push(datagram);
            }
            if let Some(turn) = ticked.began {
                if let Some(received_at) = self.audio_received_at.take() {
                    self.downlink.add(now.since(received_at));
                }
                self.call.handle(now, CallInput::Began(turn));
            }
            if let Some(turn) = ticked.finished {
                self.call.handle(now, CallInput::Finished(turn));
            }
            if let Some(digit) = ticked.digit {
                self.record(now, Body::Dtmf(Digit { direction: Direction::Out, digit, duration_ms: 100 }));
            }
        }
        if self.settings.record
            && let Some(piece) = self.recorder.take_piece()
        {
            self.push(Out::Sound(piece));
        }
        if self.call.is_ending() && self.media.as_ref().is_none_or(|media| media.outbound.is_drained()) {
            self.call.handle(now, CallInput::Drained);
        }
    }

    fn press(&mut self, now: Instant, digits: &str) {
        for digit in digits.chars().filter(|digit| !digit.is_whitespace() && *digit != ',') {
            let taken = self.media.as_mut().is_some_and(|media| media.outbound.press(digit));
            if !taken {
                let text = format!("digit {digit} was not sent: the far end takes no telephone-event, or it is none");
                self.record(now, Body::Note(Note { level: Level::Warn, text }));
            }
        }
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
        // What fell due may have given the agent something to say in this very moment.
        self.settle(now);
        self.tick(now);
        self.report(now);
        if now >= self.next_stats_at {
            self.next_stats_at += STATS_EVERY;
            self.stats(now);
        }
    }

    fn report(&mut self, now: Instant) {
        let wall = self.wall(now);
        let Some(media) = &mut self.media else { return };
        if media.reporter.timeout() > now {
            return;
        }
        let clock = media.inbound.codec().clock;
        let bytes = media.reporter.make(now, wall, media.outbound.totals(), media.inbound.stream(), clock);
        let (to, mux) = (media.remote_rtcp, media.agreed.rtcp_mux);
        self.push(Out::Rtcp { to, mux, bytes });
    }

    fn take_stats(&mut self, now: Instant) -> Stats {
        let Some(media) = &mut self.media else { return Stats::default() };
        let remote = media.reporter.latest();
        let rtt_ms = remote.and_then(|report| report.rtt_ms).map(rounded);
        let mut outbound = media.outbound.take_stats();
        outbound.rtt_ms = rtt_ms;
        outbound.remote_loss_percent = remote.map(|report| rounded(report.loss_percent));
        outbound.remote_jitter_ms = remote.map(|report| rounded(report.jitter_ms));
        Stats { inbound: media.inbound.take_stats(now.since(media.started_at), rtt_ms), outbound }
    }

    fn stats(&mut self, now: Instant) {
        let stats = self.take_stats(now);
        self.lints(now, &stats);
        let lost_media = self.media.as_ref().is_some_and(|media| {
            let timeout = self.settings.media_timeout;
            let held = self.call.state() == super::journal::CallState::Held;
            !timeout.is_zero()
                && !held
                && media.agreed.flow.receives()
                && now.since(media.inbound.last_packet_at()) >= timeout
        });
        if lost_media && self.call.answered_at().is_some() {
            let seconds = self.settings.media_timeout.as_secs();
            let reason = format!("nothing was received for {seconds} s");
            self.call.handle(now, CallInput::HangUp { by: "network", reason });
        }
        self.hang_up_rules(now);
        self.record(now, Body::Stats(stats));
    }

    /// `dial --hangup-after`.
    fn hang_up_rules(&mut self, now: Instant) {
        let Some(media) = &self.media else { return };
        let quiet = self.settings.hang_up_after_silence.is_some_and(|span| {
            self.far_spoke
                && media.outbound.is_drained()
                && !media.inbound.is_speaking()
                && now.since(media.inbound.last_voiced()) >= span
        });
        if quiet {
            self.call.handle(now, CallInput::HangUp { by: "us", reason: "the far end fell silent".into() });
        }
        let answers = u32::try_from(self.answer_gaps_ms.len()).unwrap_or(u32::MAX);
        let waiting = self.media.as_ref().is_some_and(|media| media.inbound.is_speaking());
        if !waiting && self.settings.hang_up_after_turns.is_some_and(|turns| answers >= turns) {
            self.call.handle(now, CallInput::HangUp { by: "us", reason: "enough turns".into() });
        }
    }

    fn lints(&mut self, now: Instant, stats: &Stats) {
        let Some(media) = &self.media else { return };
        let facts = lint::Facts {
            up_for: self.call.answered_at().map_or(Duration::ZERO, |at| now.since(at)),
            expects_media: media.agreed.flow.receives(),
            inbound: &stats.inbound,
            outbound: &stats.outbound,
            described: Some(media.agreed.remote),
            source: media.inbound.source(),
            source_changes: media.source_changes,
            newest_gap_ms: self.newest_gap_ms,
            agent_connect: self.call.agent_connect(),
            agent_failed: self.call.agent_failed().is_some(),
            first_packet_after: media.first_packet_after,
        };
        for found in lint::check(&facts, &mut self.fired) {
            self.record(now, Body::Lint(found));
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
            Effect::Ring => self.push(Out::Sip(SipAction::Ring)),
            Effect::Answer => self.answer(),
            Effect::HangUp(reason) => {
                self.push(Out::Sip(SipAction::HangUp(reason)));
                self.goodbye();
            }
            Effect::StartAgent => self.tell(now, Told::Start),
            Effect::Played => self.tell(now, Told::Played),
            Effect::Cut { tell_agent } => self.cut(now, tell_agent),
            Effect::CompleteTurn(turn) => {
                if let Some(media) = &mut self.media {
                    media.outbound.complete(turn);
                }
            }
            Effect::Apologise => self.apologise(now),
            Effect::Press(digits) => self.press(now, &digits),
            Effect::TellHeld(held) => self.tell(now, Told::Held(held)),
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
        // Without an offer in the INVITE ours goes into the 200.
        let text = match self.our_answer.take() {
            Some(text) => text,
            None => self.offer(),
        };
        self.push(Out::Sip(SipAction::Answer(text)));
    }

    fn apologise(&mut self, now: Instant) {
        let apology = Arc::clone(&self.settings.apology);
        let Some(media) = &mut self.media else { return };
        let turn = TurnId(u32::MAX);
        media.outbound.enqueue(now, turn, SampleRate::HZ_8000, &apology);
        media.outbound.complete(turn);
    }

    fn cut(&mut self, now: Instant, tell_agent: bool) {
        let Some(media) = &mut self.media else { return };
        let cut = media.outbound.cut();
        self.audio_received_at = None;
        self.call.cut_after(now, cut.heard_ms);
        if tell_agent {
            self.tell(now, Told::Interrupted(cut.heard_ms));
            if matches!(self.seat, Seat::Local(_)) {
                self.call.turns.stop_refusing();
            }
        } else if matches!(self.seat, Seat::Local(_)) {
            self.call.turns.stop_refusing();
        }
    }

    fn tell(&mut self, now: Instant, told: Told) {
        match &mut self.seat {
            Seat::Local(agent) => agent.handle(now, told.command()),
            Seat::Remote => self.push(Out::Tell(told)),
        }
    }

    fn goodbye(&mut self) {
        let Some(media) = &self.media else { return };
        let (to, mux, bytes) = (media.remote_rtcp, media.agreed.rtcp_mux, media.reporter.goodbye());
        self.push(Out::Rtcp { to, mux, bytes });
    }

    fn finish(&mut self, now: Instant) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if self.settings.record {
            let rest = self.recorder.finish();
            if !rest.is_empty() {
                self.push(Out::Sound(rest));
            }
        }
        self.tell(now, Told::Close);
        let stats = self.take_stats(now);
        self.lints(now, &stats);
        let summary = self.summary(now, stats);
        self.record(now, Body::Summary(Box::new(summary)));
        self.push(Out::Over);
    }

    fn summary(&mut self, now: Instant, stats: Stats) -> Summary {
        let (ended_by, reason, status) = self.call.ending();
        let reason = reason.to_owned();
        let (mut turns, cuts) = self.call.turns.counts();
        let mut gaps = self.call.turns.gaps_ms().to_vec();
        if self.settings.we_are_caller {
            gaps.clone_from(&self.answer_gaps_ms);
            turns = u32::try_from(gaps.len()).unwrap_or(u32::MAX);
        }
        let gap = |percent| super::latency::percentile(gaps.clone(), percent);
        let mut summary = Summary {
            duration_s: rounded(now.signed_ms_since(self.origin) / 1_000.0),
            answered_after_ms: self.call.answered_at().map(|at| rounded(at.signed_ms_since(self.origin))),
            ended_by: ended_by.to_owned(),
            reason: reason.clone(),
            status,
            codec: self.media.as_ref().map(|media| media.agreed.codec.0.clone()).unwrap_or_default(),
            turns,
            cuts,
            gap_p50_ms: gap(50.0),
            gap_p95_ms: gap(95.0),
            gap_max_ms: gap(100.0),
            dtmf: self.digits.clone(),
            uplink: self.uplink_latency,
            downlink: if matches!(self.seat, Seat::Remote) { self.downlink.percentiles() } else { None },
            lints: self.fired.iter().map(|name| (*name).to_owned()).collect(),
            ..Summary::default()
        };
        let outcome = Outcome {
            state: self.call.state(),
            answered: self.call.answered_at().is_some(),
            up_for: self.call.answered_at().map_or(Duration::ZERO, |at| now.since(at)),
            ended_by,
            expected_media: self.expected_media,
            agent_ready: self.call.agent_was_ready(),
            // The far gateway says so in its BYE when its agent could not be reached.
            agent_failed: self.call.agent_failed().is_some()
                || (self.settings.we_are_caller && ended_by == "callee" && reason.contains("cause=503")),
        };
        judge(&mut summary, &outcome, &stats);
        summary.stats = stats;
        summary
    }

    fn wall(&self, now: Instant) -> WallTime {
        self.settings.wall.after(now.since(self.origin))
    }

    fn record(&mut self, now: Instant, body: Body) {
        let t = (now.signed_ms_since(self.origin) * 1_000.0).round() / 1e6;
        self.push(Out::Record(Box::new(Record { t, body })));
    }

    fn push(&mut self, out: Out) {
        self.out.push_back(out);
    }
}

/// Loud enough to be a voice rather than the noise of a recording.
fn is_voice(samples: &[i16]) -> bool {
    let squares: i64 = samples.iter().map(|sample| i64::from(*sample) * i64::from(*sample)).sum();
    // −45 dBFS.
    squares > 33_000 * i64::try_from(samples.len()).unwrap_or(0)
}
