//! What a page and the gateway say to each other over the WebSocket, as JSON: one object a message, `type` names it.
//!
//! docs/WEBRTC.md holds the schema; a test compares. Both sides skip types that they do not know, and fields too. Pure:
//! [`super::signal`] carries the messages, `gateway::session` makes the events out of the call's records.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::{
    call::journal::{Body, Record},
    clock::Instant,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest message: an offer of the largest size, escaped.
pub const MESSAGE_MAX: usize = 64 * 1024;
/// Messages of one page in a second; trickled candidates come in bursts.
pub const MESSAGES_PER_SECOND: u32 = 100;
/// Longest text to the agent, in bytes.
const TEXT_MAX: usize = 4_000;
/// Texts to the agent within [`TEXTS_WITHIN`]: each asks for an answer, and answers cost money.
pub const TEXTS_MAX: u32 = 10;
/// See [`TEXTS_MAX`].
pub const TEXTS_WITHIN: Duration = Duration::from_secs(10);
/// Longest name of somebody or something.
const NAME_MAX: usize = 64;

/// What a page says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromPage {
    /// The first message: whom it wants, who it is.
    Join {
        /// Number or name, as rules compare it.
        #[serde(default)]
        to: String,
        /// Shown as the caller: `web:NAME`.
        #[serde(default)]
        name: String,
        /// Join token or bearer token.
        #[serde(default)]
        token: String,
        /// A user of the config, instead of a token.
        #[serde(default)]
        user: String,
        /// Its password.
        #[serde(default)]
        password: String,
        /// The name of a ring: it takes that call.
        #[serde(default)]
        ring: String,
    },
    /// The first message of a page that wants to be called: as whom, and the proof.
    Register {
        /// A user of the config; empty for the token's `sub`.
        #[serde(default)]
        user: String,
        /// Its password.
        #[serde(default)]
        password: String,
        /// Join token or bearer token, instead of a password.
        #[serde(default)]
        token: String,
    },
    /// It does not take this call.
    Decline {
        /// The ring's name.
        ring: String,
    },
    /// A description: the first begins the call, later ones change it (ICE restart).
    Offer {
        /// SDP.
        sdp: String,
    },
    /// A candidate found later; empty when there are no more.
    Candidate {
        /// `candidate:…`
        #[serde(default)]
        candidate: String,
    },
    /// A key, for pages that cannot send it as sound.
    Dtmf {
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// How long it was held.
        #[serde(default = "default_ms")]
        ms: u32,
    },
    /// The microphone was switched off or on.
    Mute {
        /// Off.
        muted: bool,
    },
    /// Words for the agent, as if they had been said.
    Text {
        /// The words.
        text: String,
    },
    /// It is over.
    Bye {
        /// Why, in words.
        #[serde(default)]
        reason: String,
    },
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

const fn default_ms() -> u32 {
    100
}

/// What the gateway says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToPage<'a> {
    /// It may make its offer.
    Joined {
        /// For `RTCPeerConnection`.
        ice_servers: &'a [IceServer],
    },
    /// It can be called.
    Registered {
        /// As whom.
        user: &'a str,
    },
    /// Somebody calls: join with `ring`, or decline it.
    Incoming {
        /// The ring's name; good for one join.
        ring: &'a str,
        /// Who calls: a number or name, or anonymous.
        from: &'a str,
        /// Their name as they say it; may be empty.
        name: &'a str,
    },
    /// It rings no more.
    Cancelled {
        /// The ring's name.
        ring: &'a str,
        /// In words.
        reason: &'a str,
    },
    /// The answer to an offer.
    Answer {
        /// The call's name in journals and API.
        call: &'a str,
        /// SDP.
        sdp: &'a str,
    },
    /// Something was refused; without a call this is the end.
    Error {
        /// As in HTTP and SIP: 401, 403, 404, 413, 429, 480, 488, 503.
        status: u16,
        /// In words.
        why: &'a str,
    },
    /// The call's state.
    State {
        /// offered, ringing, up, held, ending, ended, failed.
        state: &'a str,
        /// In words.
        reason: &'a str,
    },
    /// The connection's state.
    Connection {
        /// checking, handshake, connected, disconnected, closed.
        state: &'a str,
        /// Our address of the chosen pair.
        #[serde(skip_serializing_if = "str::is_empty")]
        local: &'a str,
        /// The page's.
        #[serde(skip_serializing_if = "str::is_empty")]
        remote: &'a str,
    },
    /// The agent's connection.
    Agent {
        /// connecting, ready, `going_away`, closed, failed.
        state: &'a str,
    },
    /// Somebody began or ceased to speak.
    Speech {
        /// caller or agent.
        who: &'a str,
        /// Began.
        speaking: bool,
    },
    /// A piece of what was said; pieces of one turn and speaker belong together as they are.
    Transcript {
        /// caller or agent.
        who: &'a str,
        /// The turn's number.
        turn: u32,
        /// The piece.
        text: &'a str,
    },
    /// A turn of the agent is over.
    Turn {
        /// Its number.
        turn: u32,
        /// From the caller's last voice to the agent's first.
        #[serde(skip_serializing_if = "Option::is_none")]
        gap_ms: Option<f64>,
        /// The caller cut it short.
        cut: bool,
    },
    /// A digit was heard.
    Dtmf {
        /// Which.
        digit: char,
    },
    /// Once a second: how the gateway hears the page.
    Stats {
        /// Of the page's packets.
        loss_percent: f64,
        /// Theirs.
        jitter_ms: f64,
        /// There and back.
        #[serde(skip_serializing_if = "Option::is_none")]
        rtt_ms: Option<f64>,
        /// Estimated, 1 to 4.5.
        #[serde(skip_serializing_if = "Option::is_none")]
        mos: Option<f64>,
    },
    /// The last message.
    Bye {
        /// caller, us, network, agent.
        by: &'a str,
        /// In words.
        reason: &'a str,
    },
}

/// A STUN or TURN server, in the words of `RTCIceServer`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IceServer {
    /// `stun:…` or `turn:…`.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// Its password.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub credential: String,
}

impl ToPage<'_> {
    /// As it goes out.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Reads a message.
///
/// # Errors
/// Says what is wrong, for the page.
pub fn read(text: &str) -> Result<FromPage, String> {
    if text.len() > MESSAGE_MAX {
        return Err(format!("a message of {} bytes; {MESSAGE_MAX} is the most", text.len()));
    }
    let message: FromPage = serde_json::from_str(text).map_err(|problem| format!("no message: {problem}"))?;
    match &message {
        FromPage::Join { to, name, user, ring, .. } => {
            fit_name("to", to)?;
            fit_name("name", name)?;
            fit_name("user", user)?;
            fit_name("ring", ring)?;
        }
        FromPage::Register { user, .. } => fit_name("user", user)?,
        FromPage::Decline { ring } => fit_name("ring", ring)?,
        FromPage::Text { text } => {
            if text.trim().is_empty() {
                return Err("a text without words".to_owned());
            }
            if text.len() > TEXT_MAX {
                return Err(format!("a text of {} bytes; {TEXT_MAX} is the most", text.len()));
            }
            if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
                return Err("a text with control characters".to_owned());
            }
        }
        FromPage::Dtmf { digit, ms } => {
            if !matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D') {
                return Err(format!("{digit:?} is no digit"));
            }
            if !(40..=6_000).contains(ms) {
                return Err(format!("{ms} ms is no length of a digit: 40 to 6000"));
            }
        }
        _ => {}
    }
    Ok(message)
}

/// How often somebody does something.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    most: u32,
    within: Duration,
    since: Instant,
    count: u32,
}

impl Pace {
    /// At most `most` times within `within`.
    #[must_use]
    pub const fn new(most: u32, within: Duration) -> Self {
        Self { most, within, since: Instant::ZERO, count: 0 }
    }

    /// Once more; false if that is too often.
    pub fn step(&mut self, now: Instant) -> bool {
        if now.since(self.since) >= self.within {
            (self.since, self.count) = (now, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count <= self.most
    }
}

/// Names become the user part of an address and a line in journals.
///
/// # Errors
/// Says what is wrong with it.
pub fn fit_name(what: &str, name: &str) -> Result<(), String> {
    if name.len() > NAME_MAX {
        return Err(format!("{what} has {} bytes; {NAME_MAX} is the most", name.len()));
    }
    if name.chars().any(|c| c.is_control() || "<>\"@;?\\".contains(c)) {
        return Err(format!("{what} has a character that names do not have"));
    }
    Ok(())
}

/// What a page is told of a record of its call; nothing of most.
#[must_use]
pub fn event(record: &Record) -> Option<String> {
    let event = match &record.body {
        Body::State(change) => ToPage::State { state: change.state.name(), reason: told(&change.reason) },
        Body::Ice(change) => ToPage::Connection { state: &change.state, local: &change.local, remote: &change.remote },
        Body::Agent(change) => ToPage::Agent { state: change.state.name() },
        Body::Speech(speech) => ToPage::Speech { who: speech.who.name(), speaking: speech.speaking },
        Body::Transcript(said) => ToPage::Transcript { who: said.who.name(), turn: said.turn.0, text: &said.text.0 },
        Body::Turn(turn) => ToPage::Turn { turn: turn.turn.0, gap_ms: turn.gap_ms, cut: turn.cut },
        Body::Dtmf(digit) => ToPage::Dtmf { digit: digit.digit },
        Body::Stats(stats) => ToPage::Stats {
            loss_percent: stats.inbound.loss_percent,
            jitter_ms: stats.inbound.jitter_ms,
            rtt_ms: stats.outbound.rtt_ms,
            mos: stats.inbound.mos,
        },
        Body::Summary(summary) => ToPage::Bye { by: &summary.ended_by, reason: told(&summary.reason) },
        _ => return None,
    };
    Some(event.json())
}

/// A reason, as far as it is a stranger's business: what failed behind us, where and with which account is not.
fn told(reason: &str) -> &str {
    if reason.starts_with("the agent failed") { "the agent failed" } else { reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::journal::{CallState, IceChange, StateChange};

    #[test]
    fn messages_are_read_and_bounded() {
        let join = read(r#"{"type":"join","to":"echo","name":"Anna","later":1}"#).unwrap();
        let none = String::new;
        let (to, name) = ("echo".into(), "Anna".into());
        assert_eq!(join, FromPage::Join { to, name, token: none(), user: none(), password: none(), ring: none() });
        assert_eq!(read(r#"{"type":"dtmf","digit":"5"}"#), Ok(FromPage::Dtmf { digit: '5', ms: 100 }));
        assert_eq!(read(r#"{"type":"candidate"}"#), Ok(FromPage::Candidate { candidate: String::new() }));
        assert_eq!(read(r#"{"type":"wave"}"#), Ok(FromPage::Unknown), "a later version's");
        for wrong in [
            "",
            "[]",
            "null",
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"offer"}"#,
            r#"{"type":"dtmf","digit":"55"}"#,
            r#"{"type":"dtmf","digit":"x"}"#,
            r#"{"type":"text","text":" \n"}"#,
            r#"{"type":"text","text":"a\u0007b"}"#,
            &format!(r#"{{"type":"text","text":"{}"}}"#, "x".repeat(TEXT_MAX + 1)),
            r#"{"type":"dtmf","digit":"1","ms":9999999}"#,
            r#"{"type":"join","to":"a\u0000b"}"#,
            r#"{"type":"join","name":"<a>"}"#,
            &format!(r#"{{"type":"join","name":"{}"}}"#, "n".repeat(65)),
            &format!(r#"{{"type":"offer","sdp":"{}"}}"#, "x".repeat(MESSAGE_MAX)),
            &"[".repeat(10_000),
        ] {
            assert!(read(wrong).is_err(), "{}", &wrong[..wrong.len().min(80)]);
        }
    }

    #[test]
    fn too_often_is_told_and_forgiven_later() {
        let mut pace = Pace::new(2, Duration::from_secs(1));
        let at = Instant::from_millis;
        assert_eq!([5_000, 5_001, 5_002, 5_999, 6_000].map(|ms| pace.step(at(ms))), [true, true, false, false, true]);
    }

    #[test]
    fn records_become_events() {
        let record = |body| Record { t: 1.0, body };
        let up = Body::State(StateChange { state: CallState::Up, reason: String::new(), status: Some(200) });
        assert_eq!(event(&record(up)).unwrap(), r#"{"type":"state","state":"up","reason":""}"#);
        let ice = IceChange { state: "connected".into(), local: "192.0.2.1:4".into(), remote: "192.0.2.2:5".into() };
        assert_eq!(
            event(&record(Body::Ice(ice))).unwrap(),
            r#"{"type":"connection","state":"connected","local":"192.0.2.1:4","remote":"192.0.2.2:5"}"#
        );
        assert_eq!(event(&record(Body::Unknown)), None);
    }

    #[test]
    fn the_schema_names_every_message_and_field() {
        let page = include_str!("../../docs/WEBRTC.md");
        let says: Vec<String> = [
            ToPage::Joined { ice_servers: &[IceServer::default()] },
            ToPage::Registered { user: "" },
            ToPage::Incoming { ring: "", from: "", name: "" },
            ToPage::Cancelled { ring: "", reason: "" },
            ToPage::Answer { call: "", sdp: "" },
            ToPage::Error { status: 400, why: "" },
            ToPage::State { state: "", reason: "" },
            ToPage::Connection { state: "", local: "1", remote: "2" },
            ToPage::Agent { state: "" },
            ToPage::Speech { who: "", speaking: true },
            ToPage::Transcript { who: "", turn: 1, text: "" },
            ToPage::Turn { turn: 1, gap_ms: Some(1.0), cut: false },
            ToPage::Dtmf { digit: '1' },
            ToPage::Stats { loss_percent: 0.0, jitter_ms: 0.0, rtt_ms: Some(0.0), mos: Some(0.0) },
            ToPage::Bye { by: "", reason: "" },
        ]
        .iter()
        .map(ToPage::json)
        .collect();
        for text in says {
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            let kind = value["type"].as_str().unwrap();
            let row = page.lines().find(|line| line.starts_with(&format!("| `{kind}` ")) && line.contains("gateway"));
            let row = row.unwrap_or_else(|| panic!("{kind} is not in docs/WEBRTC.md"));
            for field in value.as_object().unwrap().keys().filter(|field| *field != "type") {
                assert!(row.contains(&format!("`{field}`")), "{kind}.{field} is not in docs/WEBRTC.md");
            }
        }
        for (kind, fields) in [
            ("join", &["to", "name", "token", "user", "password", "ring"][..]),
            ("register", &["user", "password", "token"]),
            ("decline", &["ring"]),
            ("offer", &["sdp"]),
            ("candidate", &["candidate"]),
            ("dtmf", &["digit", "ms"]),
            ("mute", &["muted"]),
            ("text", &["text"]),
            ("bye", &["reason"]),
        ] {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{kind}` ")) && line.contains("page"));
            let row = row.unwrap_or_else(|| panic!("{kind} is not in docs/WEBRTC.md"));
            assert!(fields.iter().all(|field| row.contains(&format!("`{field}`"))), "{kind}: {row}");
        }
    }
}
