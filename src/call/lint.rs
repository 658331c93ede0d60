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
    /// At the newest barge-in: from the caller's onset to silence, beyond the voice that was wanted.
    pub barge_in_ms: Option<f64>,
    /// From connecting to ready.
    pub agent_connect: Option<Duration>,
    /// The agent failed.
    pub agent_failed: bool,
    /// The agent was silent for too long when an answer was owed: in words.
    pub agent_stalled: Option<&'a str>,
    /// An agent failed and another took its place: in words.
    pub agent_fell_back: Option<&'a str>,
    /// Answer to first packet.
    pub first_packet_after: Option<Duration>,
    /// Sound in one packet: agreed on, and what comes.
    pub ptimes_ms: (u32, u32),
    /// Narrowband is spoken where it need not be: in words, why.
    pub fallback: Option<&'a str>,
    /// Digits heard as tones for want of telephone-event.
    pub tone_digits: u32,
    /// Digits that came in two ways at once.
    pub digits_twice: u32,
}

/// One check: what it saw, if it fires.
type Check = fn(&Facts<'_>) -> Option<String>;

/// Talk-over that callers notice.
const BARGE_IN_SLOW_MS: f64 = 500.0;

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
    ("no-audio", Level::Warn, no_audio, "packets come but hold silence: look for a muted microphone"),
    ("low-level", Level::Warn, low_level, "the caller is too quiet: look at the microphone or the gateway's gain"),
    ("echo", Level::Warn, echo, "the agent's voice comes back: look for a loudspeaker or a hybrid without echo canceller"),
    ("talk-over", Level::Info, talk_over, "both spoke at once: look at barge_in, and at echo"),
    ("late-packets", Level::Warn, late_packets, "packets come too late to be heard: the network delays unevenly"),
    ("recording-late", Level::Warn, recording_late, "packets came too late for the recording, which has silence there; look at jitter and stalls"),
    ("wrong-payload", Level::Warn, wrong_payload, "the far end sends a codec that was not agreed on; look at its answer"),
    ("comfort-noise", Level::Info, comfort_noise, "the far end suppresses silence; pauses are filled here"),
    ("ptime-mismatch", Level::Info, ptime_mismatch, "the far end sends packets of another length than agreed; that works"),
    ("codec-fallback", Level::Info, codec_fallback, "see codecs of gateway, trunk and agent, and the far end's order"),
    ("dtmf-inband", Level::Info, dtmf_inband, "the far end knows no telephone-event; tones are the less certain way"),
    ("dtmf-duplicate", Level::Info, dtmf_duplicate, "each counted once here; let the far end send keys one way, RFC 4733 or INFO"),
    ("mos", Level::Warn, low_mos, "see loss, jitter and round trip for the cause"),
    ("ai-connect-slow", Level::Warn, ai_connect_slow, "the provider was slow to connect: look at DNS, TLS and region"),
    ("ai-slow-first-audio", Level::Warn, ai_slow_first_audio, "see the turn's parts for who to ask"),
    ("barge-in-slow", Level::Warn, barge_in_slow, "the caller spoke and the agent went on: see the turn's barge_in for where the time went"),
    ("ai-stall", Level::Error, ai_stall, "the provider stalls, or the model does not answer: see the cassette; call.agent_silence says how long is too long"),
    ("ai-fallback", Level::Error, ai_fallback, "the caller was served by another agent: see why the first one failed"),
    ("ai-failed", Level::Error, ai_failed, "see the agent's records in the ladder"),
];

fn no_rtp(facts: &Facts<'_>) -> Option<String> {
    (facts.expects_media && facts.up_for >= Duration::from_secs(5) && facts.inbound.packets == 0)
        .then(|| format!("no packet within {} s of the answer", facts.up_for.as_secs()))
}

fn barge_in_slow(facts: &Facts<'_>) -> Option<String> {
    let ms = facts.barge_in_ms.filter(|ms| *ms > BARGE_IN_SLOW_MS)?;
    Some(format!("the agent was heard for {ms:.0} ms after the caller had spoken long enough to interrupt"))
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
    let inbound = facts.inbound;
    let loud = inbound.peak_dbfs > -0.2 && inbound.level_dbfs > -10.0;
    // A cough clips once; a wrong gain clips in every word.
    (inbound.clipped > 50 || loud).then(|| {
        let (peak, level) = (inbound.peak_dbfs, inbound.level_dbfs);
        format!("{} times at full scale, peak {peak:.1} dBFS at level {level:.0} dBFS", inbound.clipped)
    })
}

fn no_audio(facts: &Facts<'_>) -> Option<String> {
    let silent = facts.inbound.packets > 500 && facts.inbound.peak_dbfs < -55.0;
    (facts.expects_media && silent && facts.up_for >= Duration::from_secs(10))
        .then(|| format!("peak {:.0} dBFS in {} packets", facts.inbound.peak_dbfs, facts.inbound.packets))
}

fn low_level(facts: &Facts<'_>) -> Option<String> {
    let level = facts.inbound.speech_dbfs.filter(|level| *level < -40.0)?;
    Some(format!("speech at {level:.0} dBFS < -40 dBFS"))
}

fn echo(facts: &Facts<'_>) -> Option<String> {
    let (loss, delay) = (facts.inbound.echo_loss_db?, facts.inbound.echo_delay_ms?);
    (loss < 20.0).then(|| format!("it returns after {delay:.0} ms, {loss:.0} dB weaker"))
}

fn talk_over(facts: &Facts<'_>) -> Option<String> {
    (facts.up_for > Duration::from_secs(20) && facts.inbound.double_talk_percent > 15.0)
        .then(|| format!("{:.0} % of the call", facts.inbound.double_talk_percent))
}

fn late_packets(facts: &Facts<'_>) -> Option<String> {
    let (late, expected) = (facts.inbound.late, facts.inbound.expected);
    (expected > 100 && late * 100 > expected).then(|| format!("{late} of {expected} packets"))
}

fn recording_late(facts: &Facts<'_>) -> Option<String> {
    let missed_ms = facts.inbound.unrecorded_ms;
    (missed_ms >= 100).then(|| format!("{missed_ms} ms of the caller's sound are not in it"))
}

fn wrong_payload(facts: &Facts<'_>) -> Option<String> {
    (facts.inbound.unexpected > 5).then(|| format!("{} packets of another payload type", facts.inbound.unexpected))
}

fn comfort_noise(facts: &Facts<'_>) -> Option<String> {
    (facts.inbound.comfort_noise > 0).then(|| format!("{} packets of comfort noise", facts.inbound.comfort_noise))
}

fn ptime_mismatch(facts: &Facts<'_>) -> Option<String> {
    let (agreed, comes) = facts.ptimes_ms;
    (facts.inbound.packets > 50 && agreed != comes).then(|| format!("{comes} ms come, {agreed} ms were agreed on"))
}

fn codec_fallback(facts: &Facts<'_>) -> Option<String> {
    facts.fallback.map(str::to_owned)
}

fn dtmf_inband(facts: &Facts<'_>) -> Option<String> {
    (facts.tone_digits > 0).then(|| format!("{} digits came as tones in the sound", facts.tone_digits))
}

fn dtmf_duplicate(facts: &Facts<'_>) -> Option<String> {
    (facts.digits_twice > 0).then(|| format!("{} digits came in RTP and in INFO", facts.digits_twice))
}

fn low_mos(facts: &Facts<'_>) -> Option<String> {
    let mos = facts.inbound.mos.filter(|mos| *mos < 3.6 && facts.up_for > Duration::from_secs(5))?;
    Some(format!("estimated MOS {mos:.1} < 3.6"))
}

fn ai_connect_slow(facts: &Facts<'_>) -> Option<String> {
    let took = facts.agent_connect.filter(|took| *took > Duration::from_millis(1_500))?;
    Some(format!("ready after {} ms", took.as_millis()))
}

fn ai_slow_first_audio(facts: &Facts<'_>) -> Option<String> {
    let gap = facts.newest_gap_ms.filter(|gap| *gap > 1_500.0)?;
    Some(format!("{gap:.0} ms > 1500 ms"))
}

fn ai_stall(facts: &Facts<'_>) -> Option<String> {
    facts.agent_stalled.map(str::to_owned)
}

fn ai_fallback(facts: &Facts<'_>) -> Option<String> {
    facts.agent_fell_back.map(str::to_owned)
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
            packets: 900,
            expected: 900,
            level_dbfs: -20.0,
            peak_dbfs: -3.0,
            speech_dbfs: Some(-22.0),
            echo_loss_db: Some(40.0),
            echo_delay_ms: Some(200.0),
            double_talk_percent: 3.0,
            late: 2,
            unrecorded_ms: 60,
            clipped: 4,
            unexpected: 1,
            srtp_failed: 5,
            drift_ppm: Some(40.0),
            mos: Some(4.3),
            jitter_ms: 4.0,
            ..Default::default()
        };
        let bad_ins = [
            InboundStats { packets: 0, expected: 0, ..good_in.clone() },
            InboundStats {
                loss_percent: 9.0,
                burst_max: 9,
                jitter_ms: 80.0,
                drift_ppm: Some(-900.0),
                late: 60,
                mos: Some(2.0),
                ..good_in.clone()
            },
            InboundStats { peak_dbfs: 0.0, level_dbfs: -5.0, clipped: 400, ..good_in.clone() },
            InboundStats { peak_dbfs: -70.0, level_dbfs: -80.0, speech_dbfs: Some(-48.0), ..good_in.clone() },
            InboundStats { echo_loss_db: Some(9.0), double_talk_percent: 40.0, ..good_in.clone() },
            InboundStats { unrecorded_ms: 400, ..good_in.clone() },
            InboundStats { unexpected: 300, comfort_noise: 30, srtp_failed: 500, ..good_in.clone() },
        ];
        let good_out = OutboundStats { packets: 500, ..Default::default() };
        let bad_out = OutboundStats { packets: 500, remote_loss_percent: Some(100.0), ..Default::default() };
        let facts = |bad: Option<usize>| Facts {
            up_for: Duration::from_mins(1),
            expects_media: true,
            inbound: bad.map_or(&good_in, |n| &bad_ins[n]),
            outbound: if bad.is_some() { &bad_out } else { &good_out },
            described: Some(SocketAddr::from(([10, 0, 0, 1], 4000))),
            source: Some(SocketAddr::from(([10, 0, 0, if bad.is_some() { 9 } else { 1 }], 4000))),
            source_changes: u32::from(bad.is_some()),
            newest_gap_ms: Some(if bad.is_some() { 4_000.0 } else { 600.0 }),
            barge_in_ms: Some(if bad.is_some() { 700.0 } else { 120.0 }),
            agent_connect: Some(Duration::from_millis(if bad.is_some() { 4_000 } else { 200 })),
            agent_failed: bad.is_some(),
            agent_stalled: bad.map(|_| "nothing from the agent for 15 s after the caller's last word"),
            agent_fell_back: bad.map(|_| "the agent failed: refused; scripted takes the call"),
            first_packet_after: Some(Duration::from_millis(if bad.is_some() { 4_000 } else { 20 })),
            ptimes_ms: if bad.is_some() { (20, 60) } else { (20, 20) },
            fallback: bad.map(|_| "pcmu is spoken, though the far end knows g722 too"),
            tone_digits: u32::from(bad.is_some()),
            digits_twice: if bad.is_some() { 4 } else { 0 },
        };
        let mut fired = Vec::new();
        assert_eq!(check(&facts(None), &mut fired), []);
        let found: Vec<Lint> = (0..bad_ins.len()).flat_map(|n| check(&facts(Some(n)), &mut fired)).collect();
        assert_eq!(found.len(), LINTS.len(), "{found:?}");
        assert_eq!(check(&facts(Some(1)), &mut fired), []);
    }
}
