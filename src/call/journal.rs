//! The journal: one record format for everything that happened in a call.
//!
//! `serve` writes it (`session.jsonl`), the API streams it, `monitor` draws it live or from a file, `replay`
//! compares it. One JSON object a line: `t` is seconds since the call's start on the monotonic clock, `kind`
//! names the record. Readers skip kinds they do not know; fields are only added within a version.
//! Numbers carry their unit in the name.

mod figures;
mod usage;

use figures::is_zero;
pub use figures::{InboundStats, OutboundStats, Percentiles, PlayoutStats, Stats};
pub use usage::{RateLimit, Usage};

use crate::{
    redact::Pii,
    unit::{CallId, TurnId},
};
use serde::{Deserialize, Serialize};

/// Version of the format, in the header's `schema`.
pub const SCHEMA: &str = "voxgw.journal/1";

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Seconds since the call's start, microsecond steps.
    pub t: f64,
    /// What happened.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "the large one comes once a second and is handed on at once")]
pub enum Body {
    /// First line of a journal: who, when, which version.
    Session(Header),
    /// A SIP message as it was on the wire, above TLS, credentials cut.
    Sip(SipMessage),
    /// The call's state changed.
    State(StateChange),
    /// Media was agreed on or its far end moved.
    Media(MediaChange),
    /// A browser's connection changed: ICE and DTLS.
    Ice(IceChange),
    /// The agent's connection changed.
    Agent(AgentChange),
    /// The call goes on to another leg, which has a session of its own.
    Bridge(BridgeChange),
    /// The agent asked something of the gateway, or what became of it.
    Action(ActionChange),
    /// Somebody began or ceased to speak.
    Speech(Speech),
    /// A digit, in or out.
    Dtmf(Digit),
    /// A fragment of what was said; fragments of one turn and side are concatenated as they are.
    Transcript(Fragment),
    /// A turn is over, with its gap explained.
    Turn(Turn),
    /// Once a second: both directions' figures.
    Stats(Stats),
    /// A named check fired.
    Lint(Lint),
    /// The recording was paused or goes on, or the tone that tells of it was heard.
    Recording(RecordingChange),
    /// The agent called a tool, or the tool has answered.
    Tool(ToolChange),
    /// A step of a scenario held, or did not.
    Check(Check),
    /// What the provider counts of an answer, or of the account.
    Usage(Usage),
    /// Something the operator must know.
    Note(Note),
    /// Last line of a journal.
    Summary(Box<Summary>),
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Direction of a call as the gateway sees it, or of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Towards the gateway.
    #[default]
    In,
    /// Away from the gateway.
    Out,
}

impl Direction {
    /// `in` or `out`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// The two voices of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// The person on the phone.
    Caller,
    /// The speech AI.
    Agent,
}

impl Who {
    /// `caller` or `agent`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Agent => "agent",
        }
    }
}

/// How good or bad a note or lint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// `!`
    Warn,
    /// `!!`
    Error,
}

/// Who, when, which version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// The call within its gateway.
    pub call: CallId,
    /// The gateway's name; with `call` it names the call in the world.
    pub gateway: String,
    /// Who called whom.
    pub direction: Direction,
    /// Calling party: the user part or the whole URI.
    pub from: Pii,
    /// Called party.
    pub to: Pii,
    /// Agent profile.
    pub agent: String,
    /// Wall-clock start, RFC 3339 UTC; empty in a replay, which has no wall clock.
    pub started: String,
    /// Version of voxgw that wrote this.
    pub version: String,
    /// SIP Call-ID, if there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sip_call_id: String,
    /// Routing rule that brought the call here; empty without rules.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// What else the INVITE said (`sip.headers`), in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Carried>,
}

/// A header of the INVITE; `(private)` if its owner asks for that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Carried {
    /// As it was written.
    pub name: String,
    /// Cut at a kilobyte.
    pub value: Pii,
}

/// A SIP message as it was on the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SipMessage {
    /// Received or sent.
    pub direction: Direction,
    /// `address:port` of the other side.
    pub peer: String,
    /// `address:port` of our side.
    pub local: String,
    /// `udp` or `tcp`.
    pub transport: String,
    /// `INVITE` or `200 OK`.
    pub label: String,
    /// Method of the request, or of the response's `CSeq`.
    pub method: String,
    /// Status of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// `CSeq` number.
    pub cseq: u32,
    /// `sdp pcmu,pcma` when it carries a description.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sdp: String,
    /// The same message sent or received again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retransmission: bool,
    /// The whole text.
    pub text: String,
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    /// INVITE came in or went out.
    #[default]
    Offered,
    /// 180 or 183.
    Ringing,
    /// 200; people can talk.
    Up,
    /// One side holds.
    Held,
    /// Saying the last words.
    Ending,
    /// Over, as wanted.
    Ended,
    /// Over, not as wanted.
    Failed,
}

impl CallState {
    /// The word in tables and filters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Ringing => "ringing",
            Self::Up => "up",
            Self::Held => "held",
            Self::Ending => "ending",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Failed)
    }
}

/// The call's state changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateChange {
    /// The new state.
    pub state: CallState,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// SIP status that brought it about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// Media was agreed on or its far end moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediaChange {
    /// `pcmu`, `pcma`.
    pub codec: String,
    /// RTP payload type.
    pub payload_type: u8,
    /// Milliseconds in a packet that we send.
    pub ptime_ms: u8,
    /// Our RTP address.
    pub local: String,
    /// Where we send to.
    pub remote: String,
    /// `sdp`: as the description says; `latched`: where packets came from.
    pub source: String,
    /// `sendrecv`, `sendonly`, `recvonly`, `inactive`: ours.
    pub direction: String,
    /// SRTP's suite, like `AES_CM_128_HMAC_SHA1_80`; empty for plain RTP.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub srtp: String,
}

/// A browser's connection changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceChange {
    /// `checking`, `handshake` (ICE works, DTLS has begun), `connected`, `disconnected`, `closed`.
    pub state: String,
    /// Our address of the chosen pair; empty before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub local: String,
    /// The browser's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remote: String,
}

/// Connection states of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Opening its connection.
    Connecting,
    /// Takes audio.
    Ready,
    /// Said that it will close soon.
    GoingAway,
    /// Closed, as wanted.
    Closed,
    /// Could not be reached, or broke.
    Failed,
}

impl AgentState {
    /// The word in ladders.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Ready => "ready",
            Self::GoingAway => "going away",
            Self::Closed => "closed",
            Self::Failed => "failed",
        }
    }
}

/// The agent's connection changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentChange {
    /// The new state.
    pub state: AgentState,
    /// What the provider said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// What becomes of a bridge to another leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BridgeState {
    /// The other leg is being called.
    Calling,
    /// Both hear each other.
    Joined,
    /// The other leg could not be had.
    Failed,
    /// They do not any more; how much has passed.
    Left,
}

impl BridgeState {
    /// The word in ladders.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calling => "calling",
            Self::Joined => "joined",
            Self::Failed => "failed",
            Self::Left => "left",
        }
    }
}

/// The call goes on to another leg.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BridgeChange {
    /// The other leg's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<CallId>,
    /// What becomes of it.
    pub state: BridgeState,
    /// `user alice`, or why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// With `left`: packets of the other leg that went to this far end as they came.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub passed: u64,
    /// With `left`: packets that were encoded anew.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub transcoded: u64,
    /// With `left`: frames that came too late for their turn.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

/// What becomes of something that an agent asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    /// The agent asks.
    Asked,
    /// It is under way.
    Begun,
    /// It has happened.
    Done,
    /// It has not.
    Refused,
}

impl ActionState {
    /// The word in ladders.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// The agent asked something of the gateway, or what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionChange {
    /// The agent's number for it: pairs what was asked with what became of it.
    pub id: u32,
    /// `hang_up`, `transfer`, `bridge`, `digits`, `hold`, `resume`, `text`, `switch`, `set`.
    pub action: String,
    /// How far it is.
    pub state: ActionState,
    /// The name that `set` gives a value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// With `asked`: whom, which keys, which words, which value.
    #[serde(default)]
    pub about: Pii,
    /// What became of it, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// Somebody began or ceased to speak.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speech {
    /// Whose voice.
    pub who: Who,
    /// Began, or ceased.
    pub speaking: bool,
}

/// A digit, in or out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digit {
    /// Heard or sent.
    pub direction: Direction,
    /// `0`–`9`, `*`, `#`, `A`–`D`.
    pub digit: char,
    /// How long it was held, as far as packets told.
    pub duration_ms: u32,
}

/// A fragment of what was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fragment {
    /// Whose words.
    pub who: Who,
    /// In which turn.
    pub turn: TurnId,
    /// The words, spaces included.
    pub text: Pii,
    /// They were written, not said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub written: bool,
}

/// A turn is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Which.
    pub turn: TurnId,
    /// When the first RTP packet of the answer went out, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<f64>,
    /// Silence that the caller heard: last voiced packet in to first packet of the answer out. None for a
    /// greeting or when the caller said nothing before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_ms: Option<f64>,
    /// What the gap is made of; the parts sum to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// What the caller said before it.
    #[serde(default)]
    pub caller: Pii,
    /// What the agent said, up to the cut if there was one.
    #[serde(default)]
    pub agent: Pii,
    /// The caller interrupted it.
    #[serde(default)]
    pub cut: bool,
    /// Audio of the turn that was sent to the caller.
    pub heard_ms: u32,
    /// Audio of the turn that the agent made.
    pub generated_ms: u32,
    /// How it was interrupted, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barge_in: Option<BargeIn>,
}

/// The account of one barge-in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BargeIn {
    /// Who decided: `voice` (our detector), `agent` (the provider, or words that were written down), `key`.
    pub by: String,
    /// When the caller's voice or key came in, seconds; not there if our detector heard none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<f64>,
    /// From there to the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_ms: Option<f64>,
    /// From there to the first packet without the agent's voice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_ms: Option<f64>,
    /// Sound of the agent's that was thrown away.
    pub flushed_ms: u32,
    /// All that the agent had said, heard or not; the turn's `agent` is what was heard.
    #[serde(default)]
    pub generated: Pii,
}

/// One part of a gap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// `endpoint`, `model`, `playout`, `uplink`, `other`.
    pub name: String,
    /// How long.
    pub ms: f64,
    /// Who can shorten it: `setting`, `provider`, `yours`, `voxgw`, `network`, or `-`.
    pub owner: String,
}

/// A named check fired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lint {
    /// Its name: a row of `call::lint::LINTS`.
    pub name: String,
    /// How bad.
    pub level: Level,
    /// What was seen.
    pub evidence: String,
    /// What to try.
    pub cure: String,
}

/// What became of the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingChange {
    /// What.
    pub state: RecordingState,
}

/// States of the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// It goes on.
    On,
    /// Silence lies in the place of sound from now on; words and digits are not written down.
    Paused,
    /// A tone told that the call is recorded.
    Tone,
}

impl RecordingState {
    /// As in the journal.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Paused => "paused",
            Self::Tone => "tone",
        }
    }
}

/// What becomes of a tool that the agent called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolState {
    /// It works.
    Called,
    /// It has given its result.
    Answered,
    /// It could not; why is its result.
    Failed,
    /// The agent does not want to know any more.
    Cancelled,
}

impl ToolState {
    /// As in the journal.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Called => "called",
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The agent called a tool, or the tool has answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolChange {
    /// The agent's name for this call of the tool.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What becomes of it.
    pub state: ToolState,
    /// With `called`: its arguments as JSON, those that are secret cut.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub arguments: Pii,
    /// With `answered` and `failed`: what the agent is told, cut at two kilobytes.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub result: Pii,
    /// From the call to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
}

impl ToolChange {
    /// `weather answered in 120 ms: {"sky":"clear"}`
    #[must_use]
    pub fn words(&self) -> String {
        let took = self.took_ms.map(|ms| format!(" in {ms:.0} ms")).unwrap_or_default();
        let text = if self.state == ToolState::Called { &self.arguments.0 } else { &self.result.0 };
        let text = if text.is_empty() { String::new() } else { format!(": {text}") };
        format!("{} {}{took}{text}", self.name, self.state.name())
    }
}

fn is_empty(text: &Pii) -> bool {
    text.0.is_empty()
}

/// Something that was to be checked: a step of a scenario, or (step 0) a condition on the whole call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Number of the step, from 1.
    pub step: u32,
    /// What was done, or demanded.
    pub what: String,
    /// It held.
    pub passed: bool,
    /// What was seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
}

impl Check {
    /// `step 3 say hello.wav: spoke after 400 ms`.
    #[must_use]
    pub fn words(&self) -> String {
        let step = if self.step == 0 { String::new() } else { format!("step {} ", self.step) };
        let evidence = if self.evidence.is_empty() { String::new() } else { format!(": {}", self.evidence) };
        format!("{step}{}{evidence}", self.what)
    }
}

/// Something the operator must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// How bad.
    pub level: Level,
    /// One sentence.
    pub text: String,
}

/// A verdict of the summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As wanted.
    Pass,
    /// Not as wanted.
    Fail,
    /// Nothing to judge.
    #[default]
    None,
}

impl Verdict {
    /// The word in summaries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::None => "none",
        }
    }
}

/// Last line of a journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// From the first INVITE to the end, seconds.
    pub duration_s: f64,
    /// INVITE to 200, milliseconds; none if it was never answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_after_ms: Option<f64>,
    /// `caller`, `callee`, `us`, `agent`, `network`, or `crash` if the gateway did not see its end.
    pub ended_by: String,
    /// In words.
    pub reason: String,
    /// Final SIP status of the INVITE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The cause in ITU-T Q.850's numbers: 16 is normal, 17 busy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q850: Option<u8>,
    /// Codec at the end.
    pub codec: String,
    /// Final figures.
    pub stats: Stats,
    /// Number of turns of the agent.
    pub turns: u32,
    /// Median gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_p50_ms: Option<f64>,
    /// 95th percentile of the gaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_p95_ms: Option<f64>,
    /// Largest gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_max_ms: Option<f64>,
    /// Turns that the caller cut.
    pub cuts: u32,
    /// Digits heard.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dtmf: String,
    /// RTP in to provider socket, voiced frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<Percentiles>,
    /// Provider socket to RTP out, first packet of a talk spurt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downlink: Option<Percentiles>,
    /// What the provider counted, all answers together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Names of the lints that fired.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lints: Vec<String>,
    /// Signalling went as wanted.
    pub sip: Verdict,
    /// Media went as wanted.
    pub media: Verdict,
    /// The agent did its part.
    pub agent: Verdict,
    /// What the user asked to be checked.
    pub checks: Verdict,
}

impl Record {
    /// The record as one line without its line end.
    ///
    /// # Panics
    /// Never: records are plain data.
    #[must_use]
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("records are plain data")
    }

    /// Reads one line. Blank lines give nothing.
    ///
    /// # Errors
    /// Says where the line is no record.
    pub fn from_line(line: &str) -> Result<Option<Self>, String> {
        if line.trim().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(line).map(Some).map_err(|problem| format!("not a journal record: {problem}"))
    }
}

/// Rounds to the step that journals keep: three decimals.
#[must_use]
pub fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_line() {
        let record =
            Record { t: 1.25, body: Body::Dtmf(Digit { direction: Direction::In, digit: '#', duration_ms: 100 }) };
        assert_eq!(record.to_line(), r##"{"t":1.25,"kind":"dtmf","direction":"in","digit":"#","duration_ms":100}"##);
        assert_eq!(Record::from_line(&record.to_line()), Ok(Some(record)));
    }

    #[test]
    fn kinds_and_fields_of_later_versions_are_skipped() {
        let later = r#"{"t":3.0,"kind":"hologram","shape":"cube"}"#;
        assert_eq!(Record::from_line(later).unwrap().unwrap().body, Body::Unknown);
        let more = r#"{"t":3.0,"kind":"speech","who":"agent","speaking":true,"mood":"good"}"#;
        assert!(matches!(Record::from_line(more), Ok(Some(Record { body: Body::Speech(_), .. }))));
        assert!(Record::from_line("{").is_err());
        assert_eq!(Record::from_line("  "), Ok(None));
    }
}
