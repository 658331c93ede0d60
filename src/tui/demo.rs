//! A made-up gateway with seven calls, the same every time.
//!
//! Owns: the numbers behind `monitor --demo`, the screenshots and the snapshot tests. It is built by
//! applying journal records, so it can show only what a journal can tell. Invented parties and addresses
//! (RFC 5737); nothing random, no clock. Called by the command line and by tests.

use super::text;
use crate::{
    api::model::{GatewayView, SNAPSHOT_SCHEMA, SessionView, Snapshot},
    call::journal::{
        AgentChange, AgentState, Body, CallState, Digit, Direction, Fragment, Header, InboundStats, Level, Lint,
        MediaChange, Note, OutboundStats, Part, Record, SCHEMA, SipMessage, Speech, StateChange, Stats, Summary, Turn,
        Verdict, Who,
    },
    redact::Pii,
    unit::{CallId, TurnId},
};

const VERSION: &str = "0.1.0";
const GATEWAY: &str = "gw-demo-1";
const PEER: &str = "192.0.2.10:5060";
const LOCAL: &str = "198.51.100.5:5060";
/// Packets in a second at 20 ms.
const PACKETS_A_SECOND: u64 = 50;

/// The gateway and its calls.
#[must_use]
pub fn snapshot() -> Snapshot {
    let sessions = vec![
        long_call(),
        plain_call(&Plan {
            id: 0x7f39,
            from: "+12065550143",
            to: "sales",
            agent: "openai",
            seconds: 67,
            ..Plan::usual()
        }),
        plain_call(&Plan {
            id: 0x7f37,
            out: true,
            from: "+390612345",
            to: "",
            agent: "pipeline",
            codec: "g722",
            seconds: 41,
            ..Plan::usual()
        }),
        plain_call(&Plan {
            id: 0x7f36,
            from: "anonymous",
            codec: "pcma",
            seconds: 595,
            jitter_ms: 38.4,
            loss_percent: 2.1,
            mos: 3.6,
            ..Plan::usual()
        }),
        failed_call(),
        waiting_call(0x7f33, "+442071838750", Direction::In, CallState::Offered, 6.0),
        waiting_call(0x7f32, "+33142685300", Direction::Out, CallState::Ringing, 3.0),
    ];
    Snapshot {
        schema: SNAPSHOT_SCHEMA.to_owned(),
        gateway: GatewayView {
            name: GATEWAY.to_owned(),
            version: VERSION.to_owned(),
            uptime_s: 533_460.0,
            now: "2026-11-21T14:02:31Z".to_owned(),
            up: 4,
            ringing: 2,
            calls_total: 41,
            refused_total: 2,
            listening: vec![format!("udp:{LOCAL}")],
            ..GatewayView::default()
        },
        sessions,
    }
}

/// A call under construction: records are applied as a journal would be read.
struct Script {
    view: SessionView,
}

impl Script {
    fn new(id: u32, from: &str, to: &str, agent: &str, direction: Direction) -> Self {
        let header = Header {
            schema: SCHEMA.to_owned(),
            call: CallId(id),
            gateway: GATEWAY.to_owned(),
            direction,
            from: Pii(from.to_owned()),
            to: Pii(to.to_owned()),
            agent: agent.to_owned(),
            started: "2026-11-21T13:58:19Z".to_owned(),
            version: VERSION.to_owned(),
            sip_call_id: format!("{id:08x}@192.0.2.10"),
            rule: String::new(),
            headers: Vec::new(),
        };
        let mut script = Self { view: SessionView::default() };
        script.at(0.0, Body::Session(header));
        script
    }

    fn at(&mut self, t: f64, body: Body) {
        self.view.apply(&Record { t, body });
    }

    fn state(&mut self, t: f64, state: CallState, reason: &str, status: Option<u16>) {
        self.at(t, Body::State(StateChange { state, reason: reason.to_owned(), status }));
    }

    fn sip(&mut self, t: f64, direction: Direction, first: &str, cseq: (u32, &str), sdp: &str) {
        let status: Option<u16> = first.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let label = match status {
            Some(_) => first.trim_start_matches("SIP/2.0 "),
            None => first.split(' ').next().unwrap_or_default(),
        };
        let body = if sdp.is_empty() { "" } else { "v=0\r\nm=audio 40012 RTP/AVP 0 101\r\n" };
        let text = format!(
            "{first}\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bKdemo\r\nFrom: <sip:{}@192.0.2.10>;tag=1\r\n\
             To: <sip:{}@198.51.100.5>\r\nCall-ID: {}\r\nCSeq: {} {}\r\nContact: <sip:{LOCAL}>\r\n\r\n{body}",
            self.view.header.from.0, self.view.header.to.0, self.view.header.sip_call_id, cseq.0, cseq.1
        );
        let message = SipMessage {
            direction,
            peer: PEER.to_owned(),
            local: LOCAL.to_owned(),
            transport: "udp".to_owned(),
            label: label.to_owned(),
            method: cseq.1.to_owned(),
            status,
            cseq: cseq.0,
            sdp: if sdp.is_empty() { String::new() } else { format!("sdp {sdp}") },
            retransmission: false,
            text,
        };
        self.at(t, Body::Sip(message));
    }

    fn answered(&mut self, codec: &str) {
        self.sip(0.0, Direction::In, "INVITE sip:support@198.51.100.5 SIP/2.0", (1, "INVITE"), "pcmu,g722,opus");
        self.sip(0.001, Direction::Out, "SIP/2.0 100 Trying", (1, "INVITE"), "");
        self.agent(0.002, AgentState::Connecting);
        self.sip(0.004, Direction::Out, "SIP/2.0 180 Ringing", (1, "INVITE"), "");
        self.state(0.004, CallState::Ringing, "", Some(180));
        self.agent(0.317, AgentState::Ready);
        self.sip(0.320, Direction::Out, "SIP/2.0 200 OK", (1, "INVITE"), codec);
        self.state(0.320, CallState::Up, "", Some(200));
        self.sip(0.371, Direction::In, "ACK sip:support@198.51.100.5 SIP/2.0", (1, "ACK"), "");
        let media = MediaChange {
            srtp: String::new(),
            codec: codec.to_owned(),
            payload_type: if codec == "pcma" { 8 } else { 0 },
            ptime_ms: 20,
            local: "198.51.100.5:40012".to_owned(),
            remote: "192.0.2.10:14002".to_owned(),
            source: "latched".to_owned(),
            direction: "sendrecv".to_owned(),
        };
        self.at(0.392, Body::Media(media));
    }

    fn agent(&mut self, t: f64, state: AgentState) {
        self.at(t, Body::Agent(AgentChange { state, text: String::new() }));
    }

    fn says(&mut self, t: f64, who: Who, turn: u32, text: &str) {
        self.at(t, Body::Transcript(Fragment { who, turn: TurnId(turn), text: Pii(text.to_owned()), written: false }));
    }

    /// A turn with its words; the gap is the sum of the parts.
    fn turn(&mut self, turn: u32, at: f64, caller: &str, agent: &str, parts: &[(&str, f64, &str)]) {
        if !caller.is_empty() {
            self.says(at - 2.0, Who::Caller, turn, caller);
        }
        self.says(at, Who::Agent, turn, agent);
        let gap = (!parts.is_empty()).then(|| parts.iter().map(|(_, ms, _)| ms).sum());
        let part = |(name, ms, owner): &(&str, f64, &str)| Part {
            name: (*name).to_owned(),
            ms: *ms,
            owner: (*owner).to_owned(),
        };
        self.at(
            at,
            Body::Turn(Turn {
                turn: TurnId(turn),
                at: Some(at),
                gap_ms: gap,
                parts: parts.iter().map(part).collect(),
                caller: Pii(caller.to_owned()),
                agent: Pii(agent.to_owned()),
                cut: caller.starts_with("no wait"),
                heard_ms: 2_400,
                generated_ms: 3_000,
                barge_in: None,
            }),
        );
    }

    /// A second of talk for each second of the call: who speaks changes every few seconds.
    fn seconds(&mut self, plan: &Plan) {
        let mut stats = Stats::default();
        for second in 1..=plan.seconds {
            // Small, irregular and the same every time.
            let wobble = f64::from(second * 37 % 11) / 10.0;
            let burst = second % 90 == 75;
            for (who, speaking) in [(Who::Caller, second % 9 < 3), (Who::Agent, second % 9 > 3)] {
                self.at(f64::from(second), Body::Speech(Speech { who, speaking }));
            }
            stats.inbound = inbound(
                plan,
                second,
                plan.jitter_ms * (0.6 + wobble * 0.4) + if burst { 9.0 } else { 0.0 },
                &stats.inbound,
            );
            stats.outbound = OutboundStats {
                packets: u64::from(second) * PACKETS_A_SECOND,
                queue_ms: 60,
                level_dbfs: -18.0,
                talk_percent: 52.0,
                remote_loss_percent: Some(0.0),
                remote_jitter_ms: Some(2.7),
                rtt_ms: Some(34.0),
                ssrc: "0x3f21a9c4".to_owned(),
                ..OutboundStats::default()
            };
            self.at(f64::from(second), Body::Stats(stats.clone()));
        }
    }
}

/// What differs from call to call.
struct Plan {
    id: u32,
    out: bool,
    from: &'static str,
    to: &'static str,
    agent: &'static str,
    codec: &'static str,
    seconds: u32,
    jitter_ms: f64,
    loss_percent: f64,
    mos: f64,
}

impl Plan {
    const fn usual() -> Self {
        Self {
            id: 0x7f3a,
            out: false,
            from: "+49301234567",
            to: "support",
            agent: "gemini",
            codec: "pcmu",
            seconds: 252,
            jitter_ms: 6.2,
            loss_percent: 0.1,
            mos: 4.3,
        }
    }

    fn script(&self) -> Script {
        let direction = if self.out { Direction::Out } else { Direction::In };
        Script::new(self.id, self.from, self.to, self.agent, direction)
    }
}

fn inbound(plan: &Plan, second: u32, jitter_ms: f64, before: &InboundStats) -> InboundStats {
    let expected = u64::from(second) * PACKETS_A_SECOND;
    // Losses come in bursts: one bad second in ninety.
    let lost = before.lost + if second % 90 == 75 { text::whole(plan.loss_percent * 45.0) } else { 0 };
    InboundStats {
        packets: expected - lost.min(expected),
        expected,
        lost,
        loss_percent: plan.loss_percent,
        burst_max: 2,
        late: 2,
        reordered: 4,
        jitter_ms,
        jitter_max_ms: before.jitter_max_ms.max(jitter_ms),
        jitter_mean_ms: plan.jitter_ms,
        concealed_percent: plan.loss_percent,
        level_dbfs: -21.0,
        peak_dbfs: -4.0,
        talk_percent: 31.0,
        drift_ppm: (second > 10).then_some(11.0),
        mos: Some(plan.mos),
        ssrc: "0x1d0c55e2".to_owned(),
        ..InboundStats::default()
    }
}

fn long_call() -> SessionView {
    let plan = Plan { codec: "opus", jitter_ms: 3.1, mos: 4.4, ..Plan::usual() };
    let mut script = plan.script();
    script.answered(plan.codec);
    script.turn(1, 4.0, "", "Hello, you have reached billing. How can I help you?", &[]);
    script.at(12.007, Body::Dtmf(Digit { direction: Direction::In, digit: '1', duration_ms: 120 }));
    let quick = |model| [("endpoint", 300.0, "setting"), ("model", model, "provider"), ("playout", 60.0, "voxgw")];
    script.turn(2, 19.0, "I have a question about my invoice", "Of course. Which month is it about?", &quick(330.0));
    script.turn(3, 58.0, "March", "Let me open the statement of March.", &quick(280.0));
    script.sip(90.012, Direction::In, "UPDATE sip:support@198.51.100.5 SIP/2.0", (2, "UPDATE"), "");
    script.sip(90.013, Direction::Out, "SIP/2.0 200 OK", (2, "UPDATE"), "");
    script.turn(4, 100.0, "yes", "Two positions were booked on the first day.", &quick(252.0));
    script.turn(5, 151.0, "no wait, the second one", "The second position is the refund of", &quick(228.0));
    script.turn(6, 200.0, "can you check again", "Of course. I am looking at the March statement now.", &quick(342.0));
    let slow = [
        ("endpoint", 300.0, "setting"),
        ("model", 612.0, "provider"),
        ("tool", 201.0, "yours"),
        ("playout", 60.0, "voxgw"),
        ("other", 7.0, "-"),
    ];
    script.turn(
        7,
        241.0,
        "I was charged twice for the March invoice, can you check?",
        "I can see two charges on the 3rd, let me open the refund form for you",
        &slow,
    );
    script.at(
        241.0,
        Body::Lint(Lint {
            name: "ai-slow-first-audio".to_owned(),
            level: Level::Warn,
            evidence: "1180 ms > 1000 ms (1 of 7 turns)".to_owned(),
            cure: "shorten agents.support.silence_ms, or let the tool answer while it works".to_owned(),
        }),
    );
    script.at(241.5, Body::Note(Note { level: Level::Info, text: "tool lookup_invoice took 201 ms".to_owned() }));
    script.seconds(&plan);
    script.view
}

fn plain_call(plan: &Plan) -> SessionView {
    let mut script = plan.script();
    script.answered(plan.codec);
    script.turn(1, 2.0, "", "Good afternoon, how can I help you?", &[]);
    let parts = [
        ("endpoint", 400.0, "setting"),
        ("model", 330.0 + f64::from(plan.seconds % 211), "provider"),
        ("playout", 60.0, "voxgw"),
    ];
    script.turn(2, 12.0, "Are you open on Sunday?", "We are, from ten to four.", &parts);
    script.seconds(plan);
    if plan.loss_percent > 1.0 {
        for (name, level, evidence) in
            [("burst-loss", Level::Error, "4 packets lost in a row"), ("jitter", Level::Warn, "38.4 ms > 30 ms")]
        {
            let cure = "look at the way from 192.0.2.10: Wi-Fi, a full uplink, a VPN".to_owned();
            script.at(
                f64::from(plan.seconds),
                Body::Lint(Lint { name: name.to_owned(), level, evidence: evidence.to_owned(), cure }),
            );
        }
    }
    script.view
}

fn failed_call() -> SessionView {
    let plan = Plan { id: 0x7f30, seconds: 150, ..Plan::usual() };
    let mut script = plan.script();
    script.answered(plan.codec);
    script.turn(1, 2.0, "", "Good afternoon, how can I help you?", &[]);
    script.seconds(&plan);
    script.sip(150.0, Direction::In, "SIP/2.0 486 Busy Here", (3, "REFER"), "");
    script.agent(150.1, AgentState::Closed);
    script.state(150.2, CallState::Failed, "busy on transfer", Some(486));
    let stats = Stats { inbound: script.view.inbound.clone(), outbound: script.view.outbound.clone() };
    let summary = Summary {
        duration_s: 150.2,
        answered_after_ms: Some(320.0),
        ended_by: "us".to_owned(),
        reason: "busy on transfer".to_owned(),
        status: Some(486),
        codec: plan.codec.to_owned(),
        stats,
        turns: 1,
        sip: Verdict::Fail,
        media: Verdict::Pass,
        agent: Verdict::Pass,
        ..Summary::default()
    };
    script.at(150.2, Body::Summary(Box::new(summary)));
    script.view
}

fn waiting_call(id: u32, from: &str, direction: Direction, state: CallState, seconds: f64) -> SessionView {
    let mut script = Script::new(id, from, "support", "gemini", direction);
    script.sip(0.0, direction, "INVITE sip:support@198.51.100.5 SIP/2.0", (1, "INVITE"), "pcmu,pcma");
    let status = (state == CallState::Ringing).then_some(180);
    script.state(0.5, state, "waiting for the answer", status);
    script.agent(seconds, AgentState::Connecting);
    script.view
}
