//! Replay: a file through the production path, on a virtual clock.
//!
//! [`source`] turns WAV, pcap, pcapng and call folders into streams of timed RTP packets; [`media_report`] runs one
//! through `media::inbound` alone; [`converse`] runs one through the whole [`Pipeline`] with an agent. Offline agents
//! run as fast as the machine can; the journal is the same to the byte each time.

pub mod source;

use crate::{
    agent::{
        event::Event as AgentEvent,
        seat::{Plan, What},
        socket::{self, Opened, Shared},
        wire::Facts,
    },
    call::{
        self,
        journal::{Body, Direction, Header, InboundStats, Level, Lint, Record, SCHEMA, Summary, Turn, rounded},
        pipeline::{Input, Output, Pipeline, Seat, Settings, SipAction},
    },
    clock::{Instant, SystemClock, VirtualClock, WallTime},
    media::{
        codec::{CODECS, Codec},
        inbound::{Inbound, Out, Settings as InboundSettings},
        rtp::packet::Packet,
    },
    redact::Pii,
    unit::{CallId, PayloadType, Ptime, SampleRate},
};
use serde::Serialize;
use std::{fmt::Write as _, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// One direction of one conversation: packets with the times at which they arrived.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Where from.
    pub source: SocketAddr,
    /// Where to.
    pub destination: SocketAddr,
    /// Codecs by payload type.
    pub codecs: Vec<(PayloadType, &'static Codec)>,
    /// Payload types of telephone-event, with their clocks.
    pub events: Vec<(PayloadType, SampleRate)>,
    /// Milliseconds of a packet, as far as can be told.
    pub ptime: Ptime,
    /// Arrival times from the capture's start, and datagrams.
    pub packets: Vec<(Instant, Vec<u8>)>,
    /// The side that sent the INVITE; of a recording, its only side.
    pub is_caller: bool,
    /// SIP Call-ID that described it, if any did.
    pub call_id: String,
}

/// What the media report says of one stream.
#[derive(Clone, Debug, Serialize)]
pub struct StreamReport {
    /// Where from.
    pub source: String,
    /// Where to.
    pub destination: String,
    /// Codec of its packets.
    pub codec: String,
    /// First packet, seconds from the capture's start.
    pub starts_s: f64,
    /// First to last packet, seconds.
    pub duration_s: f64,
    /// The journal's figures over the whole stream.
    pub stats: InboundStats,
    /// Mean and maximum of the jitter as Wireshark counts it: a digit's packets move its arrival clock but not its
    /// timestamp clock, so every digit shows as jitter that nobody hears.
    pub jitter_wireshark_ms: (f64, f64),
    /// Seconds and digits.
    pub digits: Vec<(f64, char)>,
    /// What is wrong with it.
    pub lints: Vec<Lint>,
    /// Jitter at each second.
    pub jitter_series_ms: Vec<f64>,
    /// Loss within each second.
    pub loss_series_percent: Vec<f64>,
}

/// Runs a stream through the inbound path and says what was found.
#[must_use]
pub fn media_report(stream: &Stream) -> StreamReport {
    let start = stream.packets.first().map_or(Instant::ZERO, |(at, _)| *at);
    let end = stream.packets.last().map_or(Instant::ZERO, |(at, _)| *at);
    let settings = InboundSettings {
        codecs: stream.codecs.clone(),
        events: stream.events.clone(),
        wanted: SampleRate::HZ_16000,
        described: Some(stream.source),
        // Pauses are the sender's; silence is put in for agents only.
        expected: false,
    };
    let mut inbound = Inbound::new(start, settings, stream.ptime);
    let (mut samples, mut digits) = (Vec::new(), Vec::new());
    let (mut jitter, mut loss) = (Vec::new(), Vec::new());
    let (mut next_second, mut before) = (start + Duration::from_secs(1), (0, 0));
    let mut level = crate::media::dsp::level::LevelMeter::default();
    let mut drain = |inbound: &mut Inbound, now: Instant, digits: &mut Vec<(f64, char)>| {
        while let Some(out) = inbound.poll(&mut samples) {
            match out {
                Out::Digit { digit, .. } => digits.push((rounded(now.signed_ms_since(Instant::ZERO) / 1_000.0), digit)),
                Out::Frame { energy, .. } => level.add(&samples, &energy),
                _ => {}
            }
        }
    };
    for (at, bytes) in &stream.packets {
        while inbound.timeout() <= *at {
            let due = inbound.timeout();
            inbound.handle_timeout(due);
            drain(&mut inbound, due, &mut digits);
        }
        while next_second <= *at {
            let (expected, lost) = inbound.stream().map_or((0, 0), |stats| stats.counts());
            jitter.push(rounded(inbound.stream().map_or(0.0, |stats| stats.jitter_ms().0)));
            let (expected_now, lost_now) = (expected.saturating_sub(before.0), lost.saturating_sub(before.1));
            loss.push(if expected_now == 0 { 0.0 } else { rounded(lost_now as f64 * 100.0 / expected_now as f64) });
            before = (expected, lost);
            next_second += Duration::from_secs(1);
        }
        inbound.handle_rtp(*at, stream.source, bytes);
        drain(&mut inbound, *at, &mut digits);
    }
    while !inbound.timeout().is_far_future() {
        let due = inbound.timeout();
        inbound.handle_timeout(due);
        drain(&mut inbound, due, &mut digits);
    }
    let duration = end.since(start) + stream.ptime.duration();
    let mut stats = inbound.take_stats(duration, None);
    let jitter_wireshark_ms = wireshark_jitter(stream);
    stats.level_dbfs = rounded(f64::from(level.take_level().0));
    StreamReport {
        source: stream.source.to_string(),
        destination: stream.destination.to_string(),
        codec: inbound.codec().name.to_owned(),
        starts_s: rounded(start.signed_ms_since(Instant::ZERO) / 1_000.0),
        duration_s: rounded(duration.as_secs_f64()),
        lints: lints(&stats, duration),
        stats,
        jitter_wireshark_ms,
        digits,
        jitter_series_ms: jitter,
        loss_series_percent: loss,
    }
}

/// Mean and maximum as Wireshark's RTP streams window shows them.
fn wireshark_jitter(stream: &Stream) -> (f64, f64) {
    let (mut jitter, mut max, mut mean, mut count) = (0.0_f64, 0.0_f64, 0.0_f64, 0_u32);
    let (mut last_at, mut last_timestamp) = (None, None);
    for (at, bytes) in &stream.packets {
        let Ok(packet) = Packet::parse(bytes) else { continue };
        count += 1;
        let codec = stream.codecs.iter().find(|(known, _)| *known == packet.payload_type).map(|(_, codec)| *codec);
        if let Some(codec) = codec {
            if let (Some(last_at), Some(last_timestamp)) = (last_at, last_timestamp) {
                let ticks: u32 = packet.timestamp.wrapping_sub(last_timestamp);
                let sent_ms = f64::from(ticks.cast_signed()) * 1_000.0 / f64::from(codec.clock.0);
                let change = (at.signed_ms_since(last_at) - sent_ms).abs();
                // A jump by more than ten seconds is a new stream under the old number, not jitter.
                if change < 10_000.0 {
                    jitter = (15.0 * jitter + change) / 16.0;
                }
                max = max.max(jitter);
                // Its mean is renewed with timed packets only, but weighted by all.
                mean = (mean * f64::from(count.saturating_sub(2)) + jitter) / f64::from((count - 1).max(1));
            }
            last_timestamp = Some(packet.timestamp);
        }
        last_at = Some(*at);
    }
    (rounded(mean), rounded(max))
}

fn lints(stats: &InboundStats, duration: Duration) -> Vec<Lint> {
    let facts = call::lint::Facts {
        up_for: duration,
        expects_media: true,
        inbound: stats,
        outbound: &call::journal::OutboundStats::default(),
        described: None,
        source: None,
        source_changes: 0,
        newest_gap_ms: None,
        barge_in_ms: None,
        agent_connect: None,
        agent_failed: false,
        agent_stalled: None,
        agent_fell_back: None,
        first_packet_after: None,
        ptimes_ms: (0, 0),
        fallback: None,
        tone_digits: 0,
        digits_twice: 0,
    };
    call::lint::check(&facts, &mut Vec::new())
}

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as the machine can.
    Max,
    /// This many times real time.
    Times(f64),
}

/// What a conversation gave.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The journal.
    pub records: Vec<Record>,
    /// Stereo sound, interleaved: left caller, right agent.
    pub sound: Vec<i16>,
    /// Samples a second of one channel of it.
    pub rate: SampleRate,
    /// RTP packets that went to the caller, with their times.
    pub sent: Vec<(Instant, Vec<u8>)>,
    /// The journal's last line.
    pub summary: Summary,
    /// All turns.
    pub turns: Vec<Turn>,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            sound: Vec::new(),
            rate: SampleRate::HZ_8000,
            sent: Vec::new(),
            summary: Summary::default(),
            turns: Vec::new(),
        }
    }
}

impl Conversation {
    /// The journal as text.
    #[must_use]
    pub fn journal(&self) -> String {
        self.records.iter().fold(String::new(), |mut text, record| {
            let _ = writeln!(text, "{}", record.to_line());
            text
        })
    }
}

/// Quiet on both sides for so long after the last packet ends the call.
const QUIET_AT_END: Duration = Duration::from_secs(3);
/// The agent may go on for so long after the last packet.
const LONGEST_END: Duration = Duration::from_mins(1);

/// Runs a stream through the whole path with an agent. `progress` is told how far it is, 0 to 1.
///
/// For a remote agent this must run inside a `LocalSet`, and the clock is the real one.
pub async fn converse(
    stream: &Stream,
    plan: &Plan,
    seat: Seat,
    name: &str,
    speed: Speed,
    progress: &mut dyn FnMut(f64),
) -> Conversation {
    let remote = matches!(seat, Seat::Remote);
    let first = stream.packets.first().map_or(Instant::ZERO, |(at, _)| *at);
    let base = if remote { SystemClock::now() } else { Instant::from_millis(1_000) };
    let started = tokio::time::Instant::now();
    // Packets keep their distances; the first arrives a moment after the answer.
    let arrival = |at: Instant| base + at.since(first) + Duration::from_millis(20);
    let pipeline = Pipeline::new(base, settings(stream, plan, name), seat);
    let mut run = Run {
        pipeline,
        conversation: Conversation::default(),
        clock: VirtualClock::starting_at(base),
        remote: None,
        events: None,
        plan,
        over: false,
        last_sound: base,
    };
    let offer = sdp_of(stream);
    run.input(base, Input::Offered(Some(offer.as_bytes())));
    let end = arrival(stream.packets.last().map_or(Instant::ZERO, |(at, _)| *at)) + Duration::from_millis(20);
    let mut packets = stream.packets.iter().peekable();
    while !run.over {
        let packet_at = packets.peek().map_or(Instant::FAR_FUTURE, |(at, _)| arrival(*at));
        let done_at =
            if packet_at.is_far_future() { run.last_sound.max(end) + QUIET_AT_END } else { Instant::FAR_FUTURE };
        let next = packet_at.min(run.pipeline.timeout()).min(done_at).min(end + LONGEST_END);
        let mut event = None;
        if remote {
            tokio::select! {
                received = receive(&mut run.events) => event = received,
                () = tokio::time::sleep_until(SystemClock::deadline(next)) => {}
            }
            run.clock.advance_to(SystemClock::now());
        } else {
            if let Speed::Times(factor) = speed {
                tokio::time::sleep_until(started + next.since(base).div_f64(factor)).await;
            }
            run.clock.advance_to(next);
        }
        let now = run.clock.now();
        if let Some(event) = event {
            run.input(now, Input::Agent(event));
        } else if packet_at <= now {
            if let Some((_, bytes)) = packets.next() {
                run.input(now, Input::Datagram { from: stream.source, bytes });
            }
        } else if done_at <= now || end + LONGEST_END <= now {
            run.input(now, Input::SipEnded { by: "caller", status: None, reason: "end of the recording".into() });
        } else {
            run.input(now, Input::Timeout);
        }
        let whole = end.since(base).as_secs_f64();
        progress((now.since(base).as_secs_f64() / whole.max(0.001)).min(1.0));
    }
    run.conversation
}

async fn receive(events: &mut Option<mpsc::Receiver<AgentEvent>>) -> Option<AgentEvent> {
    match events {
        Some(events) => match events.recv().await {
            Some(event) => Some(event),
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

struct Run<'a> {
    pipeline: Pipeline,
    conversation: Conversation,
    clock: VirtualClock,
    remote: Option<(Rc<Shared>, mpsc::Sender<socket::Outgoing>)>,
    events: Option<mpsc::Receiver<AgentEvent>>,
    plan: &'a Plan,
    over: bool,
    last_sound: Instant,
}

impl Run<'_> {
    /// One input and all that follows; the signalling answers at once.
    fn input(&mut self, now: Instant, input: Input<'_>) {
        self.pipeline.handle(now, input);
        loop {
            let tool;
            let reply = match self.pipeline.poll() {
                Output::Timeout(_) => return,
                Output::Sip(SipAction::Answer(_)) => Some(Input::Acknowledged(None)),
                Output::Sip(SipAction::HangUp(_)) => {
                    Some(Input::SipEnded { by: "us", status: None, reason: "hung up".into() })
                }
                Output::Sip(SipAction::Refuse(status, reason)) => {
                    Some(Input::SipEnded { by: "us", status: Some(status), reason })
                }
                Output::Act(id, _) => {
                    let why = "a replay has no gateway to do that".to_owned();
                    Some(Input::Acted(id, crate::agent::event::Outcome::Refused(why)))
                }
                Output::Sip(_) | Output::Far(_) | Output::Rtcp { .. } | Output::CancelTool(_) => None,
                // Nothing is done twice in the world because a file is played again.
                Output::Tool(run) => {
                    tool = run.id;
                    Some(Input::ToolDone(&tool, Err("tools do not work while a recording is played".into())))
                }
                Output::Rtp(_, bytes) => {
                    self.conversation.sent.push((now, bytes.to_vec()));
                    None
                }
                Output::ConnectAgent => {
                    self.connect(now);
                    None
                }
                Output::Agent { command, voiced_since } => {
                    if let Some((shared, to)) = &self.remote {
                        let mut messages = Vec::new();
                        shared.wire.borrow_mut().send(command, &mut messages);
                        for text in messages {
                            let _ = to.try_send((text, voiced_since));
                        }
                    }
                    None
                }
                Output::Record(record) => {
                    self.record(now, record);
                    None
                }
                Output::Sound { rate, samples } => {
                    self.conversation.rate = rate;
                    self.conversation.sound.extend(samples);
                    None
                }
                Output::Over => {
                    self.over = true;
                    self.remote = None;
                    return;
                }
            };
            if let Some(reply) = reply {
                self.pipeline.handle(now, reply);
            }
        }
    }

    fn record(&mut self, now: Instant, record: Record) {
        match &record.body {
            Body::Turn(turn) => self.conversation.turns.push(turn.clone()),
            Body::Summary(summary) => self.conversation.summary = (**summary).clone(),
            // As long as somebody speaks the end waits.
            Body::Speech(_) | Body::Transcript(_) => self.last_sound = now,
            Body::Stats(stats) if stats.outbound.queue_ms > 0 => self.last_sound = now,
            _ => {}
        }
        self.conversation.records.push(record);
    }

    fn connect(&mut self, now: Instant) {
        let What::Remote(plan) = &self.plan.what else { return };
        let facts = Facts { codec: self.pipeline.codec().to_owned(), ..Facts::default() };
        let Opened { shared, to, events } = socket::open(plan, &facts, now, None);
        self.pipeline.set_agent(shared.wire.borrow().rate(), plan.provider.ends_turns);
        self.remote = Some((shared, to));
        self.events = Some(events);
    }
}

/// The description that the recorded caller would have sent.
fn sdp_of(stream: &Stream) -> String {
    let address = stream.source.ip();
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    let mut formats: Vec<String> = stream.codecs.iter().map(|(pt, _)| pt.0.to_string()).collect();
    formats.extend(stream.events.iter().map(|(pt, _)| pt.0.to_string()));
    let mut text = format!(
        "v=0\r\no=- 1 1 IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\nm=audio {} RTP/AVP {}\r\n",
        stream.source.port(),
        formats.join(" ")
    );
    for (payload_type, codec) in &stream.codecs {
        let _ = write!(text, "a=rtpmap:{} {}\r\n", payload_type.0, codec.rtpmap());
    }
    for (event, clock) in &stream.events {
        let _ = write!(text, "a=rtpmap:{} telephone-event/{}\r\n", event.0, clock.0);
    }
    let _ = write!(text, "a=ptime:{}\r\n", stream.ptime.ms());
    text
}

fn settings(stream: &Stream, plan: &Plan, name: &str) -> Settings {
    Settings {
        tone: call::pipeline::recording::Tone::default(),
        srtp: call::pipeline::srtp::Settings::default(),
        call: call::Settings {
            direction: Direction::In,
            owner: plan.owner,
            barge_in: plan.barge_in,
            manners: Arc::clone(&plan.manners),
            patience: Duration::from_secs(10),
            agent_silence: Duration::ZERO,
            max_duration: Duration::from_hours(24),
            ring_max: Duration::from_secs(30),
            early: call::Early::Off,
            waits: false,
        },
        header: Header {
            schema: SCHEMA.to_owned(),
            call: CallId(0),
            gateway: "replay".to_owned(),
            direction: Direction::In,
            from: Pii(stream.source.to_string()),
            to: Pii(name.to_owned()),
            agent: plan.name.clone(),
            started: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sip_call_id: stream.call_id.clone(),
            rule: String::new(),
            headers: Vec::new(),
        },
        wall: WallTime(0),
        codecs: CODECS.iter().collect(),
        ptime: stream.ptime,
        tuning: crate::media::Tuning::default(),
        rtp: stream.destination,
        seed: 0x0076_6f78_6777_0001,
        agent_rate: plan.rate(),
        agent_speaks: plan.speaks(),
        tools: plan.offered(),
        prebuffer: plan.prebuffer,
        apology: crate::agent::prompts::builtin("apology"),
        hold_music: call::pipeline::Music::Off,
        record: true,
        we_are_caller: false,
        media_timeout: Duration::ZERO,
        hang_up_after_silence: None,
        hang_up_after_turns: None,
    }
}

/// The plan of `--agent recorded`.
#[must_use]
pub fn recorded_plan() -> Plan {
    Plan {
        name: "recorded".to_owned(),
        barge_in: call::BargeIn::Provider,
        manners: Arc::default(),
        owner: call::turn::Owner::Provider,
        prebuffer: Duration::ZERO,
        early: call::Early::Off,
        codecs: None,
        tools: Arc::default(),
        mcp: Arc::default(),
        fallback: Arc::default(),
        what: What::Play(crate::agent::seat::PlayPlan::default()),
    }
}

/// Whether a lint is bad enough to fail a report.
#[must_use]
pub fn is_bad(lint: &Lint) -> bool {
    lint.level >= Level::Error
}
