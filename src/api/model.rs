//! What clients see: the state of a session, folded from its journal, and of the gateway.
//!
//! One fold for everybody: the server's snapshots, the monitor's live view and the monitor's file view all
//! come from [`SessionView::apply`]. Nothing here waits, reads or writes.

pub use crate::call::latency::percentile;
use crate::{
    call::journal::{
        Body, BridgeState, CallState, Direction, Fragment, Header, IceChange, InboundStats, Level, Lint, MediaChange,
        OutboundStats, Record, RecordingState, SipMessage, Summary, Turn, Who,
    },
    redact::Pii,
    unit::{CallId, TurnId},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Schema of `GET /v1/sessions`.
pub const SNAPSHOT_SCHEMA: &str = "voxgw.snapshot/1";
/// Newest events a view keeps for the ladder.
pub const EVENTS_KEPT: usize = 400;
/// Newest seconds a view keeps for the graphs.
pub const SECONDS_KEPT: usize = 900;

/// The whole gateway at one moment: what a client gets before the events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`SNAPSHOT_SCHEMA`].
    pub schema: String,
    /// The gateway itself.
    pub gateway: GatewayView,
    /// Sessions, running ones first, newest first; finished ones are kept for a while.
    pub sessions: Vec<SessionView>,
}

/// The gateway itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GatewayView {
    /// Its name in journals.
    pub name: String,
    /// Version of voxgw.
    pub version: String,
    /// Seconds since it started.
    pub uptime_s: f64,
    /// Wall clock, RFC 3339 UTC.
    pub now: String,
    /// No new calls are taken.
    pub draining: bool,
    /// No new calls are taken until media threads keep up again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub overloaded: bool,
    /// Calls that were answered and still run.
    pub up: u32,
    /// Calls not answered yet.
    pub ringing: u32,
    /// Calls since the start.
    pub calls_total: u64,
    /// Calls refused since the start, with or without a session.
    pub refused_total: u64,
    /// Of them, those that a routing rule or a limit refused, by its name; `none` is that no rule matched.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub refused_by: BTreeMap<String, u64>,
    /// Of them, those that left no journal because there were too many (`recording.refused_per_minute`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused_unrecorded_total: u64,
    /// SIP messages dropped because they could not be answered.
    pub sip_dropped_total: u64,
    /// Journal records dropped because the disk was slower than the calls.
    pub records_dropped_total: u64,
    /// Pairs of RTP and RTCP ports in use, of [`Self::rtp_ports`].
    #[serde(default)]
    pub rtp_ports_used: usize,
    /// Such pairs in `media.rtp_ports`: when all are in use, calls are refused.
    #[serde(default)]
    pub rtp_ports: usize,
    /// Datagrams on browsers' ports that were of no session, or not authentic.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub web_strays_total: u64,
    /// What is wrong with recording right now, if anything: `disk full`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub recording_problem: String,
    /// Where it listens: `udp:0.0.0.0:5060`.
    pub listening: Vec<String>,
    /// Upstreams and how they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trunks: Vec<TrunkView>,
    /// Users with a telephone registered here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserView>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// One upstream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrunkView {
    /// Its name in the config.
    pub name: String,
    /// The server in use.
    pub server: String,
    /// `up`, `trying`, `down`, or `unwatched` if it is neither registered at nor pinged.
    pub state: String,
    /// The status that says why it is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Seconds that our registration there still holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_for_s: Option<u64>,
    /// Round trip of the newest OPTIONS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ping_ms: Option<f64>,
    /// The proxies that its registrar wants our requests to pass (RFC 3608), first hop first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_route: Vec<String>,
}

/// One registered user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UserView {
    /// The user's name.
    pub name: String,
    /// Contacts, the preferred one first.
    pub contacts: Vec<String>,
}

/// How a browser is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// ICE: `checking`, `connected`, `disconnected`, `closed`.
    pub ice: String,
    /// DTLS: `new`, `connecting`, `connected`, `closed`.
    pub dtls: String,
    /// Our address of the pair of candidates in use; empty until one is chosen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub local: String,
    /// The browser's, or its relay's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remote: String,
}

impl ConnectionView {
    fn apply(&mut self, change: &IceChange) {
        let (ice, dtls) = match change.state.as_str() {
            "handshake" => ("connected", "connecting"),
            "connected" => ("connected", "connected"),
            "disconnected" => ("disconnected", "connected"),
            "closed" => ("closed", "closed"),
            other => (other, "new"),
        };
        (self.ice, self.dtls) = (ice.to_owned(), dtls.to_owned());
        if !change.remote.is_empty() {
            (self.local, self.remote) = (change.local.clone(), change.remote.clone());
        }
    }
}

/// One line of the ladder or the log: an event without its bulk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds since the call's start.
    pub t: f64,
    /// The record.
    #[serde(flatten)]
    pub body: Body,
}

/// One second of a call, for graphs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Jitter now.
    pub jitter_ms: f32,
    /// Loss within this second.
    pub loss_percent: f32,
    /// MOS estimate of the call so far; 0 is unknown.
    pub mos: f32,
    /// The caller spoke in it.
    pub caller: bool,
    /// The agent spoke in it.
    pub agent: bool,
}

/// What was said by one side in one turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Utterance {
    /// When its first words came, seconds since the call's start.
    pub t: f64,
    /// Whose words.
    pub who: Who,
    /// In which turn.
    pub turn: TurnId,
    /// The words so far.
    pub text: String,
    /// The caller interrupted it.
    #[serde(default)]
    pub cut: bool,
    /// The gap before it, if it is the agent's and has been measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_ms: Option<f64>,
}

/// One session, as far as its journal tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionView {
    /// The journal's first line.
    pub header: Header,
    /// Where the call stands.
    pub state: CallState,
    /// Why it is there.
    #[serde(default)]
    pub reason: String,
    /// Last SIP status of the INVITE.
    #[serde(default)]
    pub status: Option<u16>,
    /// Time of the newest record: how long the call has lasted.
    pub t: f64,
    /// When it was answered.
    #[serde(default)]
    pub answered_at: Option<f64>,
    /// The session of the leg that this one is bridged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridged_to: Option<CallId>,
    /// What media was agreed on.
    #[serde(default)]
    pub media: Option<MediaChange>,
    /// How a browser is connected; none for telephones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionView>,
    /// Newest figures of what comes in.
    pub inbound: InboundStats,
    /// Newest figures of what goes out.
    pub outbound: OutboundStats,
    /// The caller speaks.
    pub caller_speaks: bool,
    /// The agent speaks.
    pub agent_speaks: bool,
    /// The operator has paused the recording.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recording_paused: bool,
    /// Finished turns.
    #[serde(default)]
    pub turns: Vec<Turn>,
    /// Transcript in the order in which it was said.
    #[serde(default)]
    pub talk: Vec<Utterance>,
    /// Checks that fired, newest last, each name once.
    #[serde(default)]
    pub lints: Vec<Lint>,
    /// Digits heard.
    #[serde(default)]
    pub dtmf: String,
    /// Newest events for the ladder, bulk (stats, transcript) left out.
    #[serde(default)]
    pub events: VecDeque<Event>,
    /// Newest seconds for the graphs.
    #[serde(default)]
    pub seconds: VecDeque<Second>,
    /// The journal's last line, once it is there.
    #[serde(default)]
    pub summary: Option<Box<Summary>>,
}

impl SessionView {
    /// Takes in the next record of the journal. Order matters; unknown kinds are skipped.
    pub fn apply(&mut self, record: &Record) {
        self.t = self.t.max(record.t);
        let keep_event = match &record.body {
            Body::Session(header) => {
                self.header = header.clone();
                false
            }
            Body::State(change) => {
                self.state = change.state;
                self.reason.clone_from(&change.reason);
                self.status = change.status.or(self.status);
                if change.state == CallState::Up && self.answered_at.is_none() {
                    self.answered_at = Some(record.t);
                }
                true
            }
            Body::Media(change) => {
                self.media = Some(change.clone());
                true
            }
            Body::Speech(speech) => {
                match speech.who {
                    Who::Caller => self.caller_speaks = speech.speaking,
                    Who::Agent => self.agent_speaks = speech.speaking,
                }
                if speech.speaking
                    && let Some(second) = self.seconds.back_mut()
                {
                    second.caller |= speech.who == Who::Caller;
                    second.agent |= speech.who == Who::Agent;
                }
                false
            }
            Body::Dtmf(digit) => {
                if digit.direction == Direction::In {
                    self.dtmf.push(digit.digit);
                }
                true
            }
            Body::Transcript(fragment) => {
                self.say(record.t, fragment);
                false
            }
            Body::Turn(turn) => {
                if let Some(said) =
                    self.talk.iter_mut().rev().find(|said| said.turn == turn.turn && said.who == Who::Agent)
                {
                    said.cut = turn.cut;
                    said.gap_ms = turn.gap_ms;
                }
                self.turns.push(turn.clone());
                false
            }
            Body::Stats(stats) => {
                self.second(&stats.inbound);
                self.inbound = stats.inbound.clone();
                self.outbound = stats.outbound.clone();
                false
            }
            Body::Lint(lint) => {
                if !self.lints.iter().any(|known| known.name == lint.name) {
                    self.lints.push(lint.clone());
                }
                true
            }
            Body::Summary(summary) => {
                self.inbound = summary.stats.inbound.clone();
                self.outbound = summary.stats.outbound.clone();
                self.caller_speaks = false;
                self.agent_speaks = false;
                self.summary = Some(summary.clone());
                false
            }
            Body::Ice(change) => {
                self.connection.get_or_insert_default().apply(change);
                // The pair that carries the media is where it goes; before, an address stood for the browser.
                if let Some(media) = self.media.as_mut().filter(|_| !change.remote.is_empty()) {
                    media.local.clone_from(&change.local);
                    media.remote.clone_from(&change.remote);
                    "ice".clone_into(&mut media.source);
                }
                true
            }
            Body::Recording(change) => {
                if change.state != RecordingState::Tone {
                    self.recording_paused = change.state == RecordingState::Paused;
                }
                true
            }
            Body::Bridge(change) => {
                self.bridged_to = change.peer.filter(|_| change.state != BridgeState::Failed);
                true
            }
            Body::Sip(_)
            | Body::Agent(_)
            | Body::Action(_)
            | Body::Tool(_)
            | Body::Check(_)
            | Body::Usage(_)
            | Body::Note(_) => true,
            Body::Unknown => false,
        };
        if keep_event {
            if self.events.len() == EVENTS_KEPT {
                self.events.pop_front();
            }
            self.events.push_back(Event { t: record.t, body: record.body.clone() });
        }
    }

    /// The call's name.
    #[must_use]
    pub const fn call(&self) -> CallId {
        self.header.call
    }

    /// Gaps of all turns that have one, in order.
    pub fn gaps_ms(&self) -> impl Iterator<Item = f64> + '_ {
        self.turns.iter().filter_map(|turn| turn.gap_ms)
    }

    /// The gap that `percent` of the turns stay under (nearest rank), if there are turns.
    #[must_use]
    pub fn gap_percentile_ms(&self, percent: f64) -> Option<f64> {
        percentile(self.gaps_ms().collect(), percent)
    }

    /// The worst level among the lints.
    #[must_use]
    pub fn worst_lint(&self) -> Option<Level> {
        self.lints.iter().map(|lint| lint.level).max()
    }

    /// SIP messages among the kept events.
    pub fn sip_messages(&self) -> impl Iterator<Item = (f64, &SipMessage)> + '_ {
        self.events.iter().filter_map(|event| match &event.body {
            Body::Sip(message) => Some((event.t, message)),
            _ => None,
        })
    }

    fn say(&mut self, t: f64, fragment: &Fragment) {
        let same = |said: &&mut Utterance| said.turn == fragment.turn && said.who == fragment.who;
        if let Some(said) = self.talk.iter_mut().rev().take(6).find(same) {
            said.text.push_str(&fragment.text.0);
            return;
        }
        // Order of the turns, not of arrival: within a turn the caller spoke first.
        let before =
            |said: &Utterance| (said.turn, said.who == Who::Agent) > (fragment.turn, fragment.who == Who::Agent);
        let at = self.talk.iter().position(before).unwrap_or(self.talk.len());
        self.talk.insert(
            at,
            Utterance {
                t,
                who: fragment.who,
                turn: fragment.turn,
                text: fragment.text.0.trim_start().to_owned(),
                cut: false,
                gap_ms: None,
            },
        );
    }

    #[expect(clippy::cast_possible_truncation, reason = "for a graph of text cells")]
    fn second(&mut self, now: &InboundStats) {
        let expected = now.expected.saturating_sub(self.inbound.expected);
        let lost = now.lost.saturating_sub(self.inbound.lost);
        if self.seconds.len() == SECONDS_KEPT {
            self.seconds.pop_front();
        }
        self.seconds.push_back(Second {
            jitter_ms: now.jitter_ms as f32,
            loss_percent: if expected == 0 { 0.0 } else { lost as f32 * 100.0 / expected as f32 },
            mos: now.mos.unwrap_or(0.0) as f32,
            caller: self.caller_speaks,
            agent: self.agent_speaks,
        });
    }
}

/// One line of the event stream, `GET /v1/events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nearly all are records")]
pub enum StreamItem {
    /// Always first.
    Snapshot(Box<Snapshot>),
    /// A record of a call's journal.
    Record {
        /// Which call.
        call: CallId,
        /// What happened.
        record: Record,
    },
    /// Once a second.
    Gateway(Box<GatewayView>),
    /// A text message (SIP MESSAGE) came in.
    Text {
        /// Wall clock, RFC 3339 UTC.
        at: String,
        /// The call that it came in, if it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<CallId>,
        /// Who wrote.
        from: Pii,
        /// To whom.
        to: Pii,
        /// Whose password it was sent with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// `text/plain`, …
        content_type: String,
        /// The words.
        text: Pii,
    },
    /// This client was too slow: so many items were dropped since the last one.
    Dropped {
        /// How many.
        count: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{call::journal::StateChange, redact::Pii};

    fn words(turn: u32, who: Who, text: &str) -> Record {
        Record {
            t: 1.0,
            body: Body::Transcript(Fragment { who, turn: TurnId(turn), text: Pii(text.to_owned()), written: false }),
        }
    }

    #[test]
    fn a_browser_s_connection_is_told_as_ice_and_dtls_with_its_pair() {
        let mut view = SessionView::default();
        let mut seen = Vec::new();
        let pair = ("192.0.2.1:4000", "198.51.100.7:5000");
        for (state, local, remote) in [
            ("checking", "", ""),
            ("handshake", "", ""),
            ("connected", pair.0, pair.1),
            ("disconnected", pair.0, pair.1),
            ("connected", pair.0, "198.51.100.7:5001"),
            ("closed", "", ""),
        ] {
            let change = IceChange { state: state.into(), local: local.into(), remote: remote.into() };
            view.apply(&Record { t: 1.0, body: Body::Ice(change) });
            let ConnectionView { ice, dtls, local, remote } = view.connection.clone().unwrap();
            seen.push(format!("{ice}/{dtls} {local} {remote}"));
        }
        assert_eq!(
            seen,
            [
                "checking/new  ",
                "connected/connecting  ",
                "connected/connected 192.0.2.1:4000 198.51.100.7:5000",
                "disconnected/connected 192.0.2.1:4000 198.51.100.7:5000",
                "connected/connected 192.0.2.1:4000 198.51.100.7:5001",
                "closed/closed 192.0.2.1:4000 198.51.100.7:5001",
            ]
        );
        assert_eq!(view.events.len(), 6, "the ladder shows each");
    }

    #[test]
    fn transcripts_are_ordered_by_turn_not_by_arrival() {
        let mut view = SessionView::default();
        // The provider's transcript of the caller arrives after the answer began.
        view.apply(&words(2, Who::Agent, "Two charges"));
        view.apply(&words(2, Who::Caller, " I was charged"));
        view.apply(&words(2, Who::Caller, " twice"));
        view.apply(&words(2, Who::Agent, " on the 3rd."));
        let said: Vec<_> = view.talk.iter().map(|said| (said.who, said.text.as_str())).collect();
        assert_eq!(said, [(Who::Caller, "I was charged twice"), (Who::Agent, "Two charges on the 3rd.")]);
    }

    #[test]
    fn a_view_keeps_the_newest_events_only() {
        let mut view = SessionView::default();
        for n in 0..EVENTS_KEPT + 10 {
            let change = StateChange { state: CallState::Up, reason: n.to_string(), status: None };
            view.apply(&Record { t: n as f64, body: Body::State(change) });
        }
        assert_eq!(view.events.len(), EVENTS_KEPT);
        assert_eq!(view.answered_at, Some(0.0));
    }

    #[test]
    fn percentiles_use_the_nearest_rank() {
        assert_eq!(percentile(vec![3.0, 1.0, 2.0], 50.0), Some(2.0));
        assert_eq!(percentile(vec![1.0], 99.0), Some(1.0));
        assert_eq!(percentile(vec![], 50.0), None);
    }
}
