//! RTCP sender and receiver reports (RFC 3550 §6.4), made and read over the `rtcp` crate.
//!
//! Owns the report interval and the round-trip calculation. Every few seconds, so it may allocate.

use super::{
    stats::StreamStats,
    xr::{self, VoipMetrics, Wanted},
};
use crate::{
    clock::{Instant, WallTime},
    unit::{SampleRate, Ssrc},
};
use rtcp::{
    extended_report::ExtendedReport,
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
    /// Whose, middle 32 bits of the last report's NTP time, and when it came.
    last_sender_report: Option<(u32, u32, Instant)>,
    latest: Option<RemoteReport>,
    /// What the far end wants of RFC 3611.
    wanted: Wanted,
    /// What it said last: its measure of us, its clock and when that came.
    remote_metrics: Option<VoipMetrics>,
    reference: Option<(u32, Instant)>,
    /// Round trip by its answer to our receiver reference time, for those who send no sound.
    xr_rtt_ms: Option<f64>,
    said_goodbye: bool,
}

impl Reporter {
    /// Reports from `ssrc`; `cname` must not tell who or where we are (RFC 7022); thirteen characters need
    /// no octets to fill up behind them, which the crate does not leave null.
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
            wanted: Wanted::default(),
            remote_metrics: None,
            reference: None,
            xr_rtt_ms: None,
            said_goodbye: false,
        }
    }

    /// When the next report is due.
    #[must_use]
    pub const fn timeout(&self) -> Instant {
        self.next_at
    }

    /// The far end's description asks for these extended reports.
    pub const fn set_wanted(&mut self, wanted: Wanted) {
        self.wanted = wanted;
    }

    /// What the far end measured of our stream, by RFC 3611.
    #[must_use]
    pub const fn remote_metrics(&self) -> Option<VoipMetrics> {
        self.remote_metrics
    }

    /// Somebody else is there now: what the one before said is not theirs.
    pub const fn forget_far_end(&mut self) {
        self.last_sender_report = None;
        self.latest = None;
        self.remote_metrics = None;
        self.reference = None;
        self.xr_rtt_ms = None;
    }

    /// The extended report that goes with [`Self::make`]'s, if the far end wants one.
    #[must_use]
    pub fn extended(&self, now: Instant, wall: WallTime, about: Ssrc, metrics: &VoipMetrics) -> Option<Vec<u8>> {
        let heard = self.reference.map(|(stamp, at)| (stamp, delay_of(now, at)));
        if self.wanted == Wanted::default() && heard.is_none() {
            return None;
        }
        let metrics = self.wanted.voip_metrics.then_some(metrics);
        let reference = self.wanted.round_trip.then(|| wall.ntp());
        let report: Box<dyn Packet> = Box::new(xr::make(self.ssrc.0, about.0, metrics, reference, heard));
        rtcp::packet::marshal(&[report]).map(|bytes| bytes.to_vec()).ok()
    }

    /// Round trip: by our sender reports, else by our receiver reference times.
    #[must_use]
    pub fn rtt_ms(&self) -> Option<f64> {
        self.latest.and_then(|report| report.rtt_ms).or(self.xr_rtt_ms)
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
        self.compound(report)
    }

    /// The last words: an empty report and BYE (§6.6).
    #[must_use]
    pub fn goodbye(&self) -> Vec<u8> {
        let empty = ReceiverReport { ssrc: self.ssrc.0, ..ReceiverReport::default() };
        let mut bytes = self.compound(Box::new(empty));
        // By hand: the crate's BYE has an empty reason and a padding of three octets, which is malformed (§6.4.1: a
        // multiple of four).
        bytes.extend([0x81, 203, 0, 1]);
        bytes.extend(self.ssrc.0.to_be_bytes());
        bytes
    }

    fn compound(&self, report: Box<dyn Packet>) -> Vec<u8> {
        let description = SourceDescription {
            chunks: vec![SourceDescriptionChunk {
                source: self.ssrc.0,
                items: vec![SourceDescriptionItem { sdes_type: SdesType::SdesCname, text: self.cname.clone().into() }],
            }],
        };
        let packets: Vec<Box<dyn Packet>> = vec![report, Box::new(description)];
        rtcp::packet::marshal(&packets).map(|bytes| bytes.to_vec()).unwrap_or_default()
    }

    fn reception(&self, now: Instant, stats: &mut StreamStats, clock: SampleRate) -> ReceptionReport {
        let of_theirs = self.last_sender_report.filter(|(source, ..)| *source == stats.ssrc.0);
        let (last_sender_report, delay) = of_theirs.map_or((0, 0), |(_, stamp, at)| (stamp, delay_of(now, at)));
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
                self.last_sender_report = Some((report.ssrc, stamp, now));
                &report.reports
            } else if let Some(report) = any.downcast_ref::<ReceiverReport>() {
                &report.reports
            } else if let Some(report) = any.downcast_ref::<ExtendedReport>() {
                self.extended_said(now, wall, report);
                continue;
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

    fn extended_said(&mut self, now: Instant, wall: WallTime, report: &ExtendedReport) {
        let said = xr::read(report, self.ssrc.0);
        self.remote_metrics = said.metrics.or(self.remote_metrics);
        self.reference = said.reference.map(|stamp| (stamp, now)).or(self.reference);
        if let Some((stamp, delay)) = said.answer {
            self.xr_rtt_ms = round_trip_ms(wall, stamp, delay).or(self.xr_rtt_ms);
        }
    }
}

/// From `at` to `now` in 1/65,536 s.
fn delay_of(now: Instant, at: Instant) -> u32 {
    u32::try_from(now.since(at).as_nanos() * 65_536 / 1_000_000_000).unwrap_or(u32::MAX)
}

/// From our stamp that was answered `delay` after it had arrived; none if that was a minute ago or more.
fn round_trip_ms(wall: WallTime, stamp: u32, delay: u32) -> Option<f64> {
    #[expect(clippy::cast_possible_truncation, reason = "the middle 32 bits")]
    let arrival = (wall.ntp() >> 16) as u32;
    let span = arrival.wrapping_sub(stamp).wrapping_sub(delay);
    // A negative span is a clock that was set back or rounding: no round trip is that fast.
    let rtt_ms = if span > u32::MAX / 2 { 0.0 } else { f64::from(span) * 1_000.0 / 65_536.0 };
    (rtt_ms < 60_000.0).then_some(rtt_ms)
}

fn read_report(wall: WallTime, report: &ReceptionReport, clock: SampleRate) -> RemoteReport {
    let stamp = Some(report.last_sender_report).filter(|stamp| *stamp != 0);
    let rtt_ms = stamp.and_then(|stamp| round_trip_ms(wall, stamp, report.delay));
    let lost = if report.total_lost > 0x7f_ffff { 0 } else { report.total_lost };
    RemoteReport {
        loss_percent: f64::from(report.fraction_lost) * 100.0 / 256.0,
        lost,
        jitter_ms: f64::from(report.jitter) * 1_000.0 / f64::from(clock.0.max(1)),
        rtt_ms,
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
    fn one_who_only_listens_learns_the_round_trip_and_what_the_other_hears() {
        let start = Instant::from_millis(1_000);
        let wall = WallTime(1_700_000_000_000_000);
        let ms = Duration::from_millis;
        let mut a = Reporter::new(start, Ssrc(1), "a".into());
        let mut b = Reporter::new(start, Ssrc(2), "b".into());
        let metrics = VoipMetrics { lost: 0.25, r: Some(60.0), mos: Some((3.2, 3.1)), ..VoipMetrics::default() };
        assert_eq!(a.extended(start, wall, Ssrc(2), &metrics), None, "nobody asked");
        a.set_wanted(Wanted::parse("rcvr-rtt=all voip-metrics"));
        let mut first = a.make(start, wall, None, None, SampleRate::HZ_8000);
        first.extend(a.extended(start, wall, Ssrc(2), &metrics).unwrap());
        assert!(b.handle(start + ms(25), wall.after(ms(25)), &first, SampleRate::HZ_8000));
        assert_eq!(b.remote_metrics().map(|heard| (heard.lost, heard.mos)), Some((0.25, Some((3.2, 3.1)))));
        // It did not ask for metrics, but whoever tells us its clock is answered.
        let mut answer = b.make(start + ms(525), wall.after(ms(525)), None, None, SampleRate::HZ_8000);
        answer.extend(b.extended(start + ms(525), wall.after(ms(525)), Ssrc(1), &metrics).unwrap());
        assert!(a.handle(start + ms(550), wall.after(ms(550)), &answer, SampleRate::HZ_8000));
        let rtt = a.rtt_ms().unwrap();
        assert!((rtt - 50.0).abs() < 0.1, "{rtt}");
        assert_eq!(a.remote_metrics(), None);
    }

    #[test]
    fn a_compound_is_made_of_whole_words_and_pads_nothing() {
        let reporter = Reporter::new(Instant::ZERO, Ssrc(7), "0123456789abc".into());
        let goodbye = reporter.goodbye();
        let (mut rest, mut kinds) = (&goodbye[..], Vec::new());
        while let [first, kind, high, low, ..] = *rest {
            assert_eq!(first >> 5, 0b100, "version 2, no padding: {goodbye:02x?}");
            kinds.push(kind);
            let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
            if kind == 202 {
                assert_eq!(&rest[8..10], [1, 13]);
                assert_eq!(&rest[10..length], b"0123456789abc\0", "the end of the items is null");
            }
            rest = &rest[length..];
        }
        assert_eq!((kinds.as_slice(), rest.len()), (&[201, 202, 203][..], 0));
    }

    #[test]
    fn junk_is_refused() {
        let mut reporter = Reporter::new(Instant::ZERO, Ssrc(1), "a".into());
        assert!(!reporter.handle(Instant::ZERO, WallTime(0), &[0x80, 200, 0, 200, 1], SampleRate::HZ_8000));
        assert!(!reporter.handle(Instant::ZERO, WallTime(0), &[], SampleRate::HZ_8000));
    }
}
