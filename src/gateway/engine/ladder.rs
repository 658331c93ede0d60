//! Messages on their way into their calls' ladders and captures. What was said to whom is `sip::endpoint`'s to tell.

use super::Engine;
use crate::{
    call::journal::{Direction, SipMessage},
    clock::SystemClock,
    gateway::session::{Captured, In},
    redact::sip_text,
    sip::{
        endpoint::{Trace, label_of},
        message::Message,
    },
};

impl Engine {
    /// A message for its call's ladder.
    pub(super) fn trace(&mut self, trace: Trace) {
        if self.trace_refused(&trace) {
            return;
        }
        let known = trace
            .leg
            .and_then(|leg| self.sessions.get(&leg).or_else(|| self.sessions.get(&self.bridges.session_leg(leg)?)));
        let Some(known) = known else {
            // An INVITE's own trace comes just before the event that makes its session.
            self.waiting_trace = Some(trace);
            return;
        };
        let (message, packet) = self.describe(&trace);
        let _ = known.to.try_send(In::Trace(Box::new(message), packet));
    }

    pub(super) fn describe(&self, trace: &Trace) -> (SipMessage, Option<Captured>) {
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
}

/// What an SDP in a message offers, for the ladder.
pub(in crate::gateway) fn sdp_words(text: &str) -> String {
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
