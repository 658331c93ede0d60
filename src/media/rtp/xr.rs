//! Extended reports (RFC 3611) over the `rtcp` crate: `VoIP` metrics, and the round trip of those who only listen.
//!
//! Owns what the blocks hold. `report` sends them when the far end's description asks for them (`a=rtcp-xr`, §5) and
//! reads them always. Figures that nobody knows are 127 (§4.7).

use super::burst::{BurstFigures, GMIN};
use rtcp::{
    extended_report::{
        DLRRReport, DLRRReportBlock, ExtendedReport, ReceiverReferenceTimeReportBlock, VoIPMetricsReportBlock,
    },
    packet::Packet,
};

/// What the far end's description asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `voip-metrics`.
    pub voip_metrics: bool,
    /// `rcvr-rtt`: receiver reference times, and answers to its own.
    pub round_trip: bool,
}

impl Wanted {
    /// From the value of `a=rtcp-xr`.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let has = |name: &str| value.split_ascii_whitespace().any(|item| item.split('=').next() == Some(name));
        Self { voip_metrics: has("voip-metrics"), round_trip: has("rcvr-rtt") }
    }
}

/// One direction's quality, as its receiver measured it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VoipMetrics {
    /// Packets lost, of those expected: 0 to 1.
    pub lost: f64,
    /// Packets thrown away, late or early: 0 to 1.
    pub discarded: f64,
    /// Bursts and gaps.
    pub bursts: BurstFigures,
    /// Sound in one packet.
    pub ptime_ms: f64,
    /// Round trip between the RTP ends.
    pub round_trip_ms: Option<f64>,
    /// Delay inside the receiver: packet length and buffers.
    pub end_system_ms: f64,
    /// Level of speech, dBFS.
    pub level_dbfs: Option<f64>,
    /// R factor.
    pub r: Option<f64>,
    /// Listening and conversational quality.
    pub mos: Option<(f64, f64)>,
}

/// A sine at full scale is +3.14 dBm0 in µ-law (G.711).
#[expect(clippy::approx_constant, reason = "decibels")]
const DBM0_OF_FULL_SCALE: f64 = 3.14;
const UNKNOWN: u8 = 127;

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the field")]
fn byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the field")]
fn word(value: f64) -> u16 {
    value.round().clamp(0.0, 65_535.0) as u16
}

impl VoipMetrics {
    fn block(&self, about: u32) -> VoIPMetricsReportBlock {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a signed byte of dBm0")]
        let level = self
            .level_dbfs
            .map_or(UNKNOWN, |level| (level + DBM0_OF_FULL_SCALE).round().clamp(-127.0, 126.0) as i8 as u8);
        VoIPMetricsReportBlock {
            ssrc: about,
            loss_rate: byte(self.lost * 256.0),
            discard_rate: byte(self.discarded * 256.0),
            burst_density: byte(self.bursts.burst_density * 256.0),
            gap_density: byte(self.bursts.gap_density * 256.0),
            burst_duration: word(self.bursts.burst_packets * self.ptime_ms),
            gap_duration: word(self.bursts.gap_packets * self.ptime_ms),
            round_trip_delay: word(self.round_trip_ms.unwrap_or(0.0)),
            end_system_delay: word(self.end_system_ms),
            signal_level: level,
            noise_level: UNKNOWN,
            rerl: UNKNOWN,
            gmin: u8::try_from(GMIN).unwrap_or(u8::MAX),
            rfactor: self.r.map_or(UNKNOWN, |r| byte(r.min(100.0))),
            ext_rfactor: UNKNOWN,
            mos_lq: self.mos.map_or(UNKNOWN, |(listening, _)| byte(listening * 10.0)),
            mos_cq: self.mos.map_or(UNKNOWN, |(_, conversation)| byte(conversation * 10.0)),
            // Enhanced concealment; what is late is waited for 40 ms at most.
            rx_config: 0b1000_0000,
            reserved: 0,
            jb_nominal: 0,
            jb_maximum: 40,
            jb_abs_max: 40,
        }
    }

    fn of(block: &VoIPMetricsReportBlock) -> Self {
        let known = |value: u8| (value != UNKNOWN).then_some(f64::from(value));
        let mos = known(block.mos_lq).zip(known(block.mos_cq));
        Self {
            lost: f64::from(block.loss_rate) / 256.0,
            discarded: f64::from(block.discard_rate) / 256.0,
            bursts: BurstFigures {
                bursts: u64::from(block.burst_duration > 0),
                burst_density: f64::from(block.burst_density) / 256.0,
                burst_packets: f64::from(block.burst_duration),
                gap_density: f64::from(block.gap_density) / 256.0,
                gap_packets: f64::from(block.gap_duration),
                ratio: 1.0,
            },
            ptime_ms: 1.0,
            round_trip_ms: (block.round_trip_delay > 0).then_some(f64::from(block.round_trip_delay)),
            end_system_ms: f64::from(block.end_system_delay),
            level_dbfs: known(block.signal_level)
                .map(|_| f64::from(block.signal_level.cast_signed()) - DBM0_OF_FULL_SCALE),
            r: known(block.rfactor),
            mos: mos.map(|(listening, conversation)| (listening / 10.0, conversation / 10.0)),
        }
    }
}

/// A report to send.
#[must_use]
pub fn make(
    sender: u32,
    about: u32,
    metrics: Option<&VoipMetrics>,
    ntp: Option<u64>,
    heard: Option<(u32, u32)>,
) -> ExtendedReport {
    let mut reports: Vec<Box<dyn Packet>> = Vec::new();
    if let Some(ntp_timestamp) = ntp {
        reports.push(Box::new(ReceiverReferenceTimeReportBlock { ntp_timestamp }));
    }
    if let Some((last_rr, dlrr)) = heard {
        reports.push(Box::new(DLRRReportBlock { reports: vec![DLRRReport { ssrc: about, last_rr, dlrr }] }));
    }
    if let Some(metrics) = metrics {
        reports.push(Box::new(metrics.block(about)));
    }
    ExtendedReport { sender_ssrc: sender, reports }
}

/// What a received report says to `us`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Said {
    /// Of what we send.
    pub metrics: Option<VoipMetrics>,
    /// The sender's clock, for our answer: the middle 32 bits.
    pub reference: Option<u32>,
    /// Our clock as the sender saw it, and how long ago, in 1/65,536 s.
    pub answer: Option<(u32, u32)>,
}

/// Reads a report.
#[must_use]
pub fn read(report: &ExtendedReport, us: u32) -> Said {
    let mut said = Said::default();
    for block in &report.reports {
        let any = block.as_any();
        if let Some(block) = any.downcast_ref::<VoIPMetricsReportBlock>() {
            if block.ssrc == us {
                said.metrics = Some(VoipMetrics::of(block));
            }
        } else if let Some(block) = any.downcast_ref::<ReceiverReferenceTimeReportBlock>() {
            #[expect(clippy::cast_possible_truncation, reason = "the middle 32 bits")]
            let stamp = (block.ntp_timestamp >> 16) as u32;
            said.reference = Some(stamp);
        } else if let Some(block) = any.downcast_ref::<DLRRReportBlock>()
            && let Some(answer) = block.reports.iter().find(|answer| answer.ssrc == us && answer.last_rr != 0)
        {
            said.answer = Some((answer.last_rr, answer.dlrr));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_read() {
        let metrics = VoipMetrics {
            lost: 0.0625,
            discarded: 0.0,
            bursts: BurstFigures {
                bursts: 1,
                burst_density: 0.5,
                burst_packets: 4.0,
                gap_density: 0.0,
                gap_packets: 50.0,
                ratio: 2.0,
            },
            ptime_ms: 20.0,
            round_trip_ms: Some(80.0),
            end_system_ms: 20.0,
            level_dbfs: Some(-23.14),
            r: Some(77.0),
            mos: Some((4.0, 3.9)),
        };
        let packets: Vec<Box<dyn Packet>> = vec![Box::new(make(1, 2, Some(&metrics), Some(7 << 16), Some((5, 6))))];
        let mut bytes = rtcp::packet::marshal(&packets).unwrap();
        let back = rtcp::packet::unmarshal(&mut bytes).unwrap();
        let said = read(back[0].as_any().downcast_ref().unwrap(), 2);
        let heard = said.metrics.unwrap();
        assert_eq!((heard.lost, heard.bursts.burst_packets, heard.bursts.gap_packets), (0.0625, 80.0, 1_000.0));
        assert_eq!((heard.r, heard.mos, heard.round_trip_ms), (Some(77.0), Some((4.0, 3.9)), Some(80.0)));
        assert!((heard.level_dbfs.unwrap() + 23.14).abs() < 0.01);
        assert_eq!((said.reference, said.answer), (Some(7), Some((5, 6))));
        assert_eq!(read(back[0].as_any().downcast_ref().unwrap(), 9), Said { reference: Some(7), ..Said::default() });
    }

    #[test]
    fn a_description_says_what_it_wants() {
        let wanted = Wanted::parse("rcvr-rtt=all:10 voip-metrics");
        assert!(wanted.voip_metrics && wanted.round_trip);
        assert_eq!(Wanted::parse("pkt-loss-rle stat-summary=loss"), Wanted::default());
    }
}
