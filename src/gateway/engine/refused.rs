//! Calls that come in and are refused: what the caller is told, and the short journal that tells of it.
//!
//! A refused call has no session, so its few records are written here: who, the INVITE, the answer, what refused it.
//! So many a minute and no more (`recording.refused_per_minute`): a flood must not fill the disk, nor push real calls
//! out of the views. What is left out is counted.

use super::{Command, Denied, Engine, LegId, Offered, Refusal, Trace, endpoint::Turned, new_call_id, printable};
use crate::{
    call::journal::{
        Body, CallState, Carried, Direction, Header, Level, Note, Record, SCHEMA, SipMessage, StateChange, Summary,
        Verdict,
    },
    clock::{Instant, SystemClock},
    gateway::writer,
    redact::Pii,
    sip::carried,
    unit::CallId,
};
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

/// Bytes of a message that such a journal keeps.
const TEXT_MAX: usize = 4_096;

/// Refused calls whose answer is on its way out, and how many more may be written down.
#[derive(Debug)]
pub(super) struct Refusals {
    per_minute: f64,
    left: f64,
    counted_at: Instant,
    open: HashMap<LegId, Refused>,
}

#[derive(Debug)]
struct Refused {
    call: CallId,
    began: Instant,
    status: u16,
    rule: String,
    why: String,
}

impl Refusals {
    pub(super) fn new(now: Instant, per_minute: usize) -> Self {
        let per_minute = per_minute as f64;
        Self { per_minute, left: per_minute, counted_at: now, open: HashMap::new() }
    }

    /// Whether one more may be written down now.
    fn take(&mut self, now: Instant) -> bool {
        let grown = now.since(self.counted_at).as_secs_f64() * self.per_minute / 60.0;
        self.left = (self.left + grown).min(self.per_minute);
        self.counted_at = now;
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }
}

impl Engine {
    /// What of the INVITE goes into journal, view and agent.
    pub(super) fn carried(&self, offered: &Offered, from_trunk: bool) -> Vec<Carried> {
        let signalling = &self.config.signalling;
        let source = offered.path.remote.ip();
        let trusted = from_trunk || signalling.limits.trusted.iter().any(|network| network.contains(source));
        carried::carried(&offered.headers, &signalling.headers, trusted)
            .into_iter()
            .map(|(name, value)| Carried { name, value: Pii(printable(&value).into_owned()) })
            .collect()
    }

    /// Every refusal names what refused: in the log, in a short journal, and in `Warning` for the caller.
    pub(super) fn deny(&mut self, leg: LegId, offered: &Offered, denied: Denied) {
        let Denied { status, rule, why, detail } = denied;
        tracing::warn!(
            target: "sip", event = "sip.refused", status, rule = rule.as_str(), reason = why, nearest = %printable(&detail),
            from = %printable(&offered.from.to_string()), to = %printable(&offered.target.to_string()),
            source = %offered.path.remote
        );
        self.sink.hub.counters.refuse(&rule);
        let mut refusal = Refusal::status(status);
        if status == 503 {
            refusal.headers.push(("Retry-After".into(), "5".into()));
        }
        refusal.headers.push(("Warning".into(), format!("399 voxgw \"{why}\"")));
        self.begin_refused(leg, offered, Refused { call: new_call_id(), began: SystemClock::now(), status, rule, why });
        self.endpoint.command(SystemClock::now(), Command::Refuse(leg, refusal));
    }

    fn begin_refused(&mut self, leg: LegId, offered: &Offered, refused: Refused) {
        let trace = self.waiting_trace.take().filter(|trace| trace.leg == Some(leg));
        if !self.refusals.take(refused.began) {
            self.sink.hub.counters.refused_unrecorded.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.open_refused(offered, &refused);
        if let Some(trace) = trace {
            let message = self.short_message(&trace);
            self.write_refused(&refused, Body::Sip(message));
        }
        self.refusals.open.insert(leg, refused);
    }

    /// The endpoint has refused a call, and tells of so many a minute.
    pub(super) fn turned(&mut self, turned: Turned) {
        let Turned { offered, status, rule, why, invite, answer } = turned;
        tracing::warn!(
            target: "sip", event = "sip.refused", status, rule, reason = %printable(&why),
            from = %printable(&offered.from.to_string()), to = %printable(&offered.target.to_string()),
            source = %offered.path.remote
        );
        let (call, began) = (new_call_id(), SystemClock::now());
        let refused = Refused { call, began, status, rule: rule.to_owned(), why };
        self.open_refused(&offered, &refused);
        for (sent, bytes) in [(false, invite), (true, answer)] {
            let trace = Trace { leg: None, sent, path: offered.path, bytes, retransmission: false };
            let message = self.short_message(&trace);
            self.write_refused(&refused, Body::Sip(message));
        }
        self.close_refused(&refused);
    }

    /// A browser's call was refused: there is no message to show.
    pub(super) fn refused_browser(&mut self, offered: &Offered, status: u16, rule: &str, why: &str) {
        let (call, began) = (new_call_id(), SystemClock::now());
        let refused = Refused { call, began, status, rule: rule.to_owned(), why: why.to_owned() };
        if self.refusals.take(began) {
            self.open_refused(offered, &refused);
            self.close_refused(&refused);
        } else {
            self.sink.hub.counters.refused_unrecorded.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn open_refused(&self, offered: &Offered, refused: &Refused) {
        let wall = SystemClock::wall();
        if let Some(writer) = &self.sink.writer {
            writer.send(writer::In::Open(refused.call, writer::folder_name(wall, refused.call)));
        }
        let header = Header {
            schema: SCHEMA.to_owned(),
            call: refused.call,
            gateway: self.config.name.clone(),
            direction: Direction::In,
            from: Pii(offered.from.number().to_owned()),
            to: Pii(offered.target.number().to_owned()),
            agent: String::new(),
            started: wall.rfc3339(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sip_call_id: offered.call_id.clone(),
            rule: refused.rule.clone(),
            headers: self.carried(offered, self.trunk_addresses.is_trunk(offered.path.remote.ip())),
        };
        self.write_refused(refused, Body::Session(header));
    }

    /// A message of a refused call; false if it is none.
    pub(super) fn trace_refused(&self, trace: &Trace) -> bool {
        let Some(refused) = trace.leg.and_then(|leg| self.refusals.open.get(&leg)) else { return false };
        let message = self.short_message(trace);
        self.write_refused(refused, Body::Sip(message));
        true
    }

    /// The leg of a refused call is over: its last lines.
    pub(super) fn ended_refused(&mut self, leg: LegId) {
        if let Some(refused) = self.refusals.open.remove(&leg) {
            self.close_refused(&refused);
        }
    }

    fn close_refused(&self, refused: &Refused) {
        let status = refused.status;
        let text = format!("refused by {}: {}", printable(&refused.rule), printable(&refused.why));
        self.write_refused(refused, Body::Note(Note { level: Level::Warn, text: text.clone() }));
        let state = StateChange { state: CallState::Failed, reason: text.clone(), status: Some(status) };
        self.write_refused(refused, Body::State(state));
        let summary = Summary {
            ended_by: "us".to_owned(),
            q850: crate::sip::cause::q850("", Some(status)),
            reason: text,
            status: Some(status),
            sip: Verdict::Fail,
            ..Summary::default()
        };
        self.write_refused(refused, Body::Summary(Box::new(summary)));
        if let Some(writer) = &self.sink.writer {
            writer.send(writer::In::Close(refused.call));
        }
    }

    fn write_refused(&self, refused: &Refused, body: Body) {
        let t = (SystemClock::now().signed_ms_since(refused.began) * 1_000.0).round() / 1e6;
        let record = Arc::new(Record { t, body });
        if let Some(writer) = &self.sink.writer {
            writer.send(writer::In::Line(refused.call, Arc::clone(&record)));
        }
        self.sink.hub.record(refused.call, record);
    }

    fn short_message(&self, trace: &Trace) -> SipMessage {
        let (mut message, _) = self.describe(trace);
        if message.text.len() > TEXT_MAX {
            message.text.truncate(message.text.floor_char_boundary(TEXT_MAX));
            message.text.push('…');
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_minute_are_written_down_and_no_more() {
        let mut refusals = Refusals::new(Instant::ZERO, 10);
        assert_eq!((0..50).filter(|_| refusals.take(Instant::from_millis(10))).count(), 10);
        let minute = (0..6_000).filter(|n| refusals.take(Instant::from_millis(10 * n))).count();
        assert!((9..=10).contains(&minute), "{minute}");
        assert!(!Refusals::new(Instant::ZERO, 0).take(Instant::from_millis(99_999)));
    }
}
