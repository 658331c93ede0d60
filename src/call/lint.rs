//! Lints for calls: small named checks with evidence and a cure. One table; each fires once in a call.

use super::journal::{InboundStats, Level, Lint, OutboundStats};
use std::{net::SocketAddr, time::Duration};

/// What a check may look at, once a second and at the end.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Since the answer.
    pub up_for: Duration,
    /// The far end is expected to send.
    pub expects_media: bool,
    /// From the caller.
    pub inbound: &'a InboundStats,
    /// To the caller.
    pub outbound: &'a OutboundStats,
    /// Where the far end said it is.
    pub described: Option<SocketAddr>,
    /// Where its packets come from.
    pub source: Option<SocketAddr>,
    /// Sources seen after the first.
    pub source_changes: u32,
    /// Gap of the newest turn.
    pub newest_gap_ms: Option<f64>,
    /// From connecting to ready.
    pub agent_connect: Option<Duration>,
    /// The agent failed.
    pub agent_failed: bool,
    /// Answer to first packet.
    pub first_packet_after: Option<Duration>,
}

/// One check: what it saw, if it fires.
type Check = fn(&Facts<'_>) -> Option<String>;

/// The rows: name, level, check, what to try.
#[rustfmt::skip]
pub static LINTS: &[(&str, Level, Check, &str)] = &[
    ("no-rtp", Level::Error, no_rtp, "look at the caller's firewall and at the address in our SDP (advertise)"),
    ("one-way-audio", Level::Error, one_way_audio, "the far end reports that nothing arrives: check NAT and advertise"),
    ("late-media", Level::Warn, late_media, "media began long after the answer: look for a slow ACK or NAT binding"),
    ("nat-mismatch", Level::Info, nat_mismatch, "the phone is behind NAT; symmetric RTP copes, its SDP is wrong"),
    ("ssrc-change", Level::Info, ssrc_change, "the far end restarted its stream; figures are kept across it"),
    ("jitter", Level::Warn, jitter, "the network between here and the caller delays unevenly"),
    ("burst-loss", Level::Error, burst_loss, "packets are lost in a row: look for wireless or an overloaded link"),
    ("loss", Level::Warn, loss, "look at the network between here and the caller"),
    ("srtp-failures", Level::Warn, srtp_failures, "both sides must hold the same key: look for a box between them that changes descriptions or packets"),
    ("clock-drift", Level::Warn, clock_drift, "the far end's clock runs wrong; long calls will need correction"),
    ("clipping", Level::Warn, clipping, "the caller's microphone or gateway is too loud"),
    ("ai-connect-slow", Level::Warn, ai_connect_slow, "the provider was slow to connect: look at DNS, TLS and region"),
    ("ai-slow-first-audio", Level::Warn, ai_slow_first_audio, "see the turn's parts for who to ask"),
    ("ai-failed", Level::Error, ai_failed, "see the agent's records in the ladder"),
];

fn no_rtp(facts: &Facts<'_>) -> Option<String> {
    (facts.expects_media && facts.up_for >= Duration::from_secs(5) && facts.inbound.packets == 0)
        .then(|| format!("no packet within {} s of the answer", facts.up_for.as_secs()))
}

fn one_way_audio(facts: &Facts<'_>) -> Option<String> {
    let hears_nothing = facts.outbound.remote_loss_percent.is_some_and(|loss| loss > 95.0);
    (hears_nothing && facts.outbound.packets > 250).then(|| "the far end's RTCP says that it hears nothing".into())
}

fn late_media(facts: &Facts<'_>) -> Option<String> {
    let after = facts.first_packet_after.filter(|after| *after > Duration::from_secs(1))?;
    Some(format!("first packet {} ms after the answer", after.as_millis()))
}

fn nat_mismatch(facts: &Facts<'_>) -> Option<String> {
    let (described, source) = (facts.described?, facts.source?);
    (described != source).then(|| format!("SDP says {described}, packets come from {source}"))
}

fn ssrc_change(facts: &Facts<'_>) -> Option<String> {
    (facts.source_changes > 0).then(|| format!("{} new sources", facts.source_changes))
}

fn jitter(facts: &Facts<'_>) -> Option<String> {
    (facts.inbound.jitter_ms > 30.0).then(|| format!("jitter {:.1} ms > 30 ms", facts.inbound.jitter_ms))
}

fn burst_loss(facts: &Facts<'_>) -> Option<String> {
    (facts.inbound.burst_max >= 5).then(|| format!("{} packets lost in a row", facts.inbound.burst_max))
}

fn loss(facts: &Facts<'_>) -> Option<String> {
    (facts.inbound.expected > 100 && facts.inbound.loss_percent > 1.0)
        .then(|| format!("{:.1} % of {} packets lost", facts.inbound.loss_percent, facts.inbound.expected))
}

fn srtp_failures(facts: &Facts<'_>) -> Option<String> {
    let failed = facts.inbound.srtp_failed;
    (failed > 10 && failed * 100 > facts.inbound.packets)
        .then(|| format!("{failed} packets were not authentic, {} were", facts.inbound.packets))
}

fn clock_drift(facts: &Facts<'_>) -> Option<String> {
    let ppm = facts.inbound.drift_ppm.filter(|ppm| ppm.abs() > 300.0 && facts.up_for > Duration::from_secs(30))?;
    Some(format!("{ppm:+.0} ppm"))
}

fn clipping(facts: &Facts<'_>) -> Option<String> {
    (facts.inbound.peak_dbfs > -0.2 && facts.inbound.level_dbfs > -10.0)
        .then(|| format!("peak {:.1} dBFS at level {:.0} dBFS", facts.inbound.peak_dbfs, facts.inbound.level_dbfs))
}

fn ai_connect_slow(facts: &Facts<'_>) -> Option<String> {
    let took = facts.agent_connect.filter(|took| *took > Duration::from_millis(1_500))?;
    Some(format!("ready after {} ms", took.as_millis()))
}

fn ai_slow_first_audio(facts: &Facts<'_>) -> Option<String> {
    let gap = facts.newest_gap_ms.filter(|gap| *gap > 1_500.0)?;
    Some(format!("{gap:.0} ms > 1500 ms"))
}

fn ai_failed(facts: &Facts<'_>) -> Option<String> {
    facts.agent_failed.then(|| "the agent could not be reached or broke off".into())
}

/// Checks that fire now and have not fired before; `fired` remembers them.
pub fn check(facts: &Facts<'_>, fired: &mut Vec<&'static str>) -> Vec<Lint> {
    let mut found = Vec::new();
    for (name, level, check, cure) in LINTS {
        if fired.contains(name) {
            continue;
        }
        if let Some(evidence) = check(facts) {
            fired.push(name);
            found.push(Lint { name: (*name).to_owned(), level: *level, evidence, cure: (*cure).to_owned() });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_fires_on_its_fault_once_and_not_on_a_good_call() {
        let good_in = InboundStats {
            packets: 500,
            srtp_failed: 5,
            expected: 500,
            level_dbfs: -20.0,
            peak_dbfs: -3.0,
            ..Default::default()
        };
        let bad_in = InboundStats {
            packets: 0,
            expected: 500,
            loss_percent: 9.0,
            burst_max: 9,
            jitter_ms: 80.0,
            drift_ppm: Some(-900.0),
            peak_dbfs: 0.0,
            level_dbfs: -5.0,
            srtp_failed: 500,
            ..Default::default()
        };
        let good_out = OutboundStats { packets: 500, ..Default::default() };
        let bad_out = OutboundStats { packets: 500, remote_loss_percent: Some(100.0), ..Default::default() };
        let facts = |bad: bool| Facts {
            up_for: Duration::from_mins(1),
            expects_media: true,
            inbound: if bad { &bad_in } else { &good_in },
            outbound: if bad { &bad_out } else { &good_out },
            described: Some(SocketAddr::from(([10, 0, 0, 1], 4000))),
            source: Some(SocketAddr::from(([10, 0, 0, if bad { 9 } else { 1 }], 4000))),
            source_changes: u32::from(bad),
            newest_gap_ms: Some(if bad { 4_000.0 } else { 600.0 }),
            agent_connect: Some(Duration::from_millis(if bad { 4_000 } else { 200 })),
            agent_failed: bad,
            first_packet_after: Some(Duration::from_millis(if bad { 4_000 } else { 20 })),
        };
        let mut fired = Vec::new();
        assert_eq!(check(&facts(false), &mut fired), []);
        let found = check(&facts(true), &mut fired);
        assert_eq!(found.len(), LINTS.len(), "{found:?}");
        assert_eq!(check(&facts(true), &mut fired), []);
    }
}
