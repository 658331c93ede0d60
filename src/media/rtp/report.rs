//! RTCP sender and receiver reports (RFC 3550 §6.4), made and read over the `rtcp` crate.
//!
//! Owns the report interval and the round-trip calculation. Every few seconds, so it may allocate.

use super::stats::StreamStats;
use crate::{
    clock::{Instant, WallTime},
    unit::{SampleRate, Ssrc},
};
use rtcp::{
    goodbye::Goodbye,
    packet::Packet,
    receiver_report::ReceiverReport,
    reception_report::ReceptionReport,
    sender_report::SenderReport,
    source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem},
};
use std::time::Duration;

/// What the far end says about what we sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RemoteReport {
    /// Loss since its last report.
    pub loss_percent: f64,
    /// Packets lost since the start; may be negative with duplicates, clamped to zero.
    pub lost: u32,
    /// Its jitter.
    pub jitter_ms: f64,
    /// Round trip, if it answers one of our reports.
    pub rtt_ms: Option<f64>,
}

/// What we sent, for our sender reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct SentTotals {
    /// RTP packets.
    pub packets: u32,
    /// Payload bytes.
    pub octets: u32,
    /// RTP timestamp that belongs to now.
    pub timestamp: u32,
}

/// One call's reports.
#[derive(Debug)]
pub struct Reporter {
    ssrc: Ssrc,
    cname: String,
    interval: Duration,
    next_at: Instant,
    /// Middle 32 bits of the last report's NTP time, and when it came.
    last_sender_report: Option<(u32, Instant)>,
    latest: Option<RemoteReport>,
    said_goodbye: bool,
}

impl Reporter {
    /// Reports from `ssrc`; `cname` must not tell who or where we are (RFC 7022).
    #[must_use]
    pub fn new(now: Instant, ssrc: Ssrc, cname: String) -> Self {
        // 5 s ± a tenth by the source's number, so that calls do not report in step (§6.3.1).
        let interval = Duration::from_millis(4_500 + u64::from(ssrc.0 % 1_000));
        Self {
            ssrc,
            cname,
            interval,
            next_at: now + interval / 2,
            last_sender_report: None,
            latest: None,
            said_goodbye: false,
        }
    }

    /// When the next report is due.
    #[must_use]
    pub const fn timeout(&self) -> Instant {
        self.next_at
    }

    /// What the far end said last.
    #[must_use]
    pub const fn latest(&self) -> Option<RemoteReport> {
        self.latest
    }

    /// What somebody else who reads the far end's RTCP says of it.
    pub const fn told(&mut self, report: RemoteReport) {
        self.latest = Some(report);
    }

    /// Whether the far end said BYE.
    #[must_use]
    pub const fn said_goodbye(&self) -> bool {
        self.said_goodbye
    }

    /// The compound report that is due at `now`.
    pub fn make(
        &mut self,
        now: Instant,
        wall: WallTime,
        sent: Option<SentTotals>,
        heard: Option<&mut StreamStats>,
        clock: SampleRate,
    ) -> Vec<u8> {
        self.next_at = now + self.interval;
        let reports: Vec<_> = heard.into_iter().map(|stats| self.reception(now, stats, clock)).collect();
        let report: Box<dyn Packet> = match sent {
            Some(sent) => Box::new(SenderReport {
                ssrc: self.ssrc.0,
                ntp_time: wall.ntp(),
                rtp_time: sent.timestamp,
                packet_count: sent.packets,
                octet_count: sent.octets,
                reports,
                ..SenderReport::default()
            }),
            None => Box::new(ReceiverReport { ssrc: self.ssrc.0, reports, ..ReceiverReport::default() }),
        };
        self.compound(report, None)
    }

    /// The last words: an empty report and BYE (§6.6).
    #[must_use]
    pub fn goodbye(&self) -> Vec<u8> {
        let empty = ReceiverReport { ssrc: self.ssrc.0, ..ReceiverReport::default() };
        let bye = Goodbye { sources: vec![self.ssrc.0], ..Goodbye::default() };
        self.compound(Box::new(empty), Some(Box::new(bye)))
    }

    fn compound(&self, report: Box<dyn Packet>, last: Option<Box<dyn Packet>>) -> Vec<u8> {
        let description = SourceDescription {
            chunks: vec![SourceDescriptionChunk {
                source: self.ssrc.0,
                items: vec![SourceDescriptionItem { sdes_type: SdesType::SdesCname, text: self.cname.clone().into() }],
            }],
        };
        let mut packets: Vec<Box<dyn Packet>> = vec![report, Box::new(description)];
        packets.extend(last);
        rtcp::packet::marshal(&packets).map(|bytes| bytes.to_vec()).unwrap_or_default()
    }

    fn reception(&self, now: Instant, stats: &mut StreamStats, clock: SampleRate) -> ReceptionReport {
        let (last_sender_report, delay) = self.last_sender_report.map_or((0, 0), |(stamp, at)| {
            let delay = now.since(at).as_nanos() * 65_536 / 1_000_000_000;
            (stamp, u32::try_from(delay).unwrap_or(u32::MAX))
        });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "jitter is small and positive")]
        let jitter = (stats.jitter_ms().0 * f64::from(clock.0) / 1_000.0) as u32;
        ReceptionReport {
            ssrc: stats.ssrc.0,
            fraction_lost: stats.take_fraction_lost(),
            total_lost: u32::try_from(stats.counts().1).unwrap_or(u32::MAX).min(0x7f_ffff),
            last_sequence_number: stats.highest(),
            jitter,
            last_sender_report,
            delay,
        }
    }

    /// Takes in a datagram from the far end; false if it is no RTCP.
    pub fn handle(&mut self, now: Instant, wall: WallTime, mut bytes: &[u8], clock: SampleRate) -> bool {
        let Ok(packets) = rtcp::packet::unmarshal(&mut bytes) else { return false };
        for packet in packets {
            let any = packet.as_any();
            let reports = if let Some(report) = any.downcast_ref::<SenderReport>() {
                #[expect(clippy::cast_possible_truncation, reason = "the middle 32 bits")]
                let stamp = (report.ntp_time >> 16) as u32;
                self.last_sender_report = Some((stamp, now));
                &report.reports
            } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
                &report.reports
            } else {
                self.said_goodbye |= any.is::<Goodbye>();
                continue;
            };
            if let Some(about_us) = reports.iter().find(|report| report.ssrc == self.ssrc.0) {
                self.latest = Some(read_report(wall, about_us, clock));
            }
        }
        true
    }
}

fn read_report(wall: WallTime, report: &ReceptionReport, clock: SampleRate) -> RemoteReport {
    let rtt_ms = (report.last_sender_report != 0).then(|| {
        #[expect(clippy::cast_possible_truncation, reason = "the middle 32 bits")]
        let arrival = (wall.ntp() >> 16) as u32;
        let span = arrival.wrapping_sub(report.last_sender_report).wrapping_sub(report.delay);
        // A negative span is a clock that was set back or rounding: no round trip is that fast.
        if span > u32::MAX / 2 { 0.0 } else { f64::from(span) * 1_000.0 / 65_536.0 }
    });
    let lost = if report.total_lost > 0x7f_ffff { 0 } else { report.total_lost };
    RemoteReport {
        loss_percent: f64::from(report.fraction_lost) * 100.0 / 256.0,
        lost,
        jitter_ms: f64::from(report.jitter) * 1_000.0 / f64::from(clock.0.max(1)),
        rtt_ms: rtt_ms.filter(|rtt| *rtt < 60_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_reporters_measure_the_round_trip() {
        let start = Instant::from_millis(1_000);
        let wall = WallTime(1_700_000_000_000_000);
        let clock = SampleRate::HZ_8000;
        let mut a = Reporter::new(start, Ssrc(1), "a".into());
        let mut b = Reporter::new(start, Ssrc(2), "b".into());
        let mut heard = StreamStats::new(clock, Ssrc(1));
        let packet = super::super::packet::Packet {
            marker: false,
            payload_type: crate::unit::PayloadType(0),
            sequence: 9,
            timestamp: 0,
            ssrc: Ssrc(1),
            payload: &[],
        };
        heard.arrived(start, &packet, true);
        let sent = SentTotals { packets: 1, octets: 160, timestamp: 0 };
        let ms = Duration::from_millis;
        let first = a.make(start, wall, Some(sent), None, clock);
        assert!(b.handle(start + ms(30), wall.after(ms(30)), &first, clock));
        let answer = b.make(start + ms(530), wall.after(ms(530)), None, Some(&mut heard), clock);
        assert!(a.handle(start + ms(560), wall.after(ms(560)), &answer, clock));
        let rtt = a.latest().and_then(|report| report.rtt_ms).unwrap();
        assert!((rtt - 60.0).abs() < 0.1, "{rtt}");
        assert!(a.handle(start, wall, &b.goodbye(), clock) && a.said_goodbye());
    }

    #[test]
    fn junk_is_refused() {
        let mut reporter = Reporter::new(Instant::ZERO, Ssrc(1), "a".into());
        assert!(!reporter.handle(Instant::ZERO, WallTime(0), &[0x80, 200, 0, 200, 1], SampleRate::HZ_8000));
        assert!(!reporter.handle(Instant::ZERO, WallTime(0), &[], SampleRate::HZ_8000));
    }
}
