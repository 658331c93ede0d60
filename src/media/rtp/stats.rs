//! What the network delivered: loss, bursts, order and jitter of one source (RFC 3550 §6.4.1, A.1, A.3, A.8).
//!
//! Fed with every packet as it arrives, before any reordering, so that the figures are the network's.

use super::{drift::DriftMeter, packet::Packet};
use crate::{
    clock::Instant,
    unit::{SampleRate, Ssrc},
};

/// Where extended sequence numbers begin. A whole number of cycles, which RTCP does not see.
const HIGH: u64 = 1 << 40;
/// Sequence numbers further ahead than this start a new stream (A.1, `MAX_DROPOUT`).
const MAX_DROPOUT: u16 = 3_000;
/// Sequence numbers this far behind are late, not a restart (A.1, `MAX_MISORDER`).
const MAX_MISORDER: u16 = 200;
/// Newest sequence numbers remembered to tell duplicates.
const WINDOW: u64 = 256;

/// How a packet stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The first of its source, or the first after a restart.
    First,
    /// Next in line, or ahead of it.
    Ahead,
    /// Behind a later one.
    Reordered,
    /// Seen before.
    Duplicate,
    /// A jump that is not believed until a second packet confirms it (A.1, `bad_seq`).
    Suspect,
}

/// Figures of one source.
#[derive(Clone, Debug)]
pub struct StreamStats {
    clock: SampleRate,
    /// Whose stream.
    pub ssrc: Ssrc,
    base: u64,
    highest: u64,
    seen: [u64; (WINDOW / 64) as usize],
    suspect: Option<u16>,
    received: u64,
    duplicate: u64,
    reordered: u64,
    jitter: f64,
    jitter_max: f64,
    jitter_sum: f64,
    last: Option<(Instant, u32)>,
    extended_timestamp: u64,
    /// Runs of loss that can no longer be filled.
    burst_max: u32,
    prior: (u64, u64),
    drift: DriftMeter,
}

impl StreamStats {
    /// Figures of a source whose timestamps tick at `clock`.
    #[must_use]
    pub fn new(clock: SampleRate, ssrc: Ssrc) -> Self {
        Self {
            clock,
            ssrc,
            base: 0,
            highest: 0,
            seen: [0; 4],
            suspect: None,
            received: 0,
            duplicate: 0,
            reordered: 0,
            jitter: 0.0,
            jitter_max: 0.0,
            jitter_sum: 0.0,
            last: None,
            extended_timestamp: 0,
            burst_max: 0,
            prior: (0, 0),
            drift: DriftMeter::default(),
        }
    }

    /// Timestamps tick at `clock` from the next packet on: the sender changed to another codec. Distances across the
    /// change are not jitter (RFC 7160 §4.1).
    pub fn set_clock(&mut self, clock: SampleRate) {
        if self.clock != clock {
            self.clock = clock;
            self.last = None;
            self.drift = DriftMeter::default();
        }
    }

    /// Takes in a packet's arrival; gives how it stands and its extended sequence number. `timed` says that its
    /// timestamp advances with time: not so for telephone-events (RFC 4733 §2.2.1).
    pub fn arrived(&mut self, at: Instant, packet: &Packet<'_>, timed: bool) -> (Arrival, u64) {
        let sequence = packet.sequence;
        let (arrival, extended) = self.place(sequence);
        if matches!(arrival, Arrival::Duplicate | Arrival::Suspect) {
            return (arrival, extended);
        }
        self.received += 1;
        if timed {
            self.time(at, packet.timestamp);
        } else {
            self.jitter_sum += self.jitter;
        }
        (arrival, extended)
    }

    fn place(&mut self, sequence: u16) -> (Arrival, u64) {
        if self.received == 0 && self.highest == 0 {
            self.restart(sequence);
            return (Arrival::First, self.highest);
        }
        #[expect(clippy::cast_possible_truncation, reason = "the low half is the sequence number")]
        let highest = self.highest as u16;
        let ahead = sequence.wrapping_sub(highest);
        let behind = highest.wrapping_sub(sequence);
        if ahead == 0 {
            self.duplicate += 1;
            return (Arrival::Duplicate, self.highest);
        }
        if ahead < MAX_DROPOUT {
            self.suspect = None;
            let from = self.highest;
            self.highest += u64::from(ahead);
            for skipped in from + 1..=self.highest {
                // Leaving the window: whatever is missing there stays lost.
                self.forget(skipped);
            }
            self.mark(self.highest);
            self.note_burst(u32::from(ahead) - 1);
            return (Arrival::Ahead, self.highest);
        }
        if behind <= MAX_MISORDER {
            let extended = self.highest - u64::from(behind);
            if self.highest < u64::from(behind) || self.is_marked(extended) {
                self.duplicate += 1;
                return (Arrival::Duplicate, extended);
            }
            self.mark(extended);
            self.reordered += 1;
            self.base = self.base.min(extended);
            return (Arrival::Reordered, extended);
        }
        if self.suspect == Some(sequence) {
            // Two in a row: the other side restarted without telling us.
            self.restart(sequence);
            return (Arrival::First, self.highest);
        }
        self.suspect = Some(sequence.wrapping_add(1));
        (Arrival::Suspect, 0)
    }

    /// Starts counting anew at `sequence`, keeping what was received and lost so far.
    fn restart(&mut self, sequence: u16) {
        let (expected, _) = self.counts();
        // High enough that counting back never goes below zero.
        self.highest = HIGH + u64::from(sequence);
        self.base = self.highest - expected.min(HIGH);
        self.seen = [0; 4];
        self.mark(self.highest);
        self.suspect = None;
        self.last = None;
        self.drift = DriftMeter::default();
    }

    const fn slot(extended: u64) -> (usize, u64) {
        ((extended % WINDOW / 64) as usize, 1 << (extended % 64))
    }

    const fn mark(&mut self, extended: u64) {
        let (word, bit) = Self::slot(extended);
        self.seen[word] |= bit;
    }

    const fn forget(&mut self, extended: u64) {
        let (word, bit) = Self::slot(extended);
        self.seen[word] &= !bit;
    }

    const fn is_marked(&self, extended: u64) -> bool {
        let (word, bit) = Self::slot(extended);
        self.seen[word] & bit != 0
    }

    fn note_burst(&mut self, run: u32) {
        self.burst_max = self.burst_max.max(run);
    }

    /// RFC 3550 A.8: J += (|D| − J) / 16 over all packets in order of arrival.
    fn time(&mut self, at: Instant, timestamp: u32) {
        if let Some((last_at, last_timestamp)) = self.last {
            let ticks = timestamp.wrapping_sub(last_timestamp).cast_signed();
            let sent_ms = f64::from(ticks) * 1_000.0 / f64::from(self.clock.0.max(1));
            let transit_change = (at.signed_ms_since(last_at) - sent_ms).abs();
            // A jump of the timestamp by more than ten seconds is a new stream, not jitter.
            if transit_change < 10_000.0 {
                self.jitter += (transit_change - self.jitter) / 16.0;
                self.jitter_max = self.jitter_max.max(self.jitter);
            }
            self.jitter_sum += self.jitter;
            // The sender stood still, or counts from elsewhere: that is no clock that runs fast or slow.
            if transit_change > 1_000.0 {
                self.drift = DriftMeter::default();
            }
            let forward = i64::from(ticks);
            self.extended_timestamp = self.extended_timestamp.saturating_add_signed(forward);
        } else {
            self.extended_timestamp = (1 << 40) + u64::from(timestamp);
        }
        self.drift.add(at, self.extended_timestamp, self.clock);
        self.last = Some((at, timestamp));
    }

    /// Packets expected and lost so far.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        if self.received == 0 {
            return (0, 0);
        }
        let expected = self.highest - self.base + 1;
        (expected, expected.saturating_sub(self.received))
    }

    /// Packets that arrived, duplicates not counted.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Packets that arrived twice.
    #[must_use]
    pub const fn duplicate(&self) -> u64 {
        self.duplicate
    }

    /// Packets that arrived behind a later one.
    #[must_use]
    pub const fn reordered(&self) -> u64 {
        self.reordered
    }

    /// Longest run of sequence numbers that were missing when the next packet came.
    #[must_use]
    pub const fn burst_max(&self) -> u32 {
        self.burst_max
    }

    /// Jitter now, its maximum and its mean over the packets, all in milliseconds.
    #[must_use]
    pub fn jitter_ms(&self) -> (f64, f64, f64) {
        let mean = self.jitter_sum / self.received.saturating_sub(1).max(1) as f64;
        (self.jitter, self.jitter_max, mean)
    }

    /// Sender's clock against ours in parts per million; none before a minute.
    #[must_use]
    pub fn drift_ppm(&self) -> Option<f64> {
        self.drift.ppm()
    }

    /// Highest extended sequence number, as RTCP reports it.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "RTCP carries the low 32 bits")]
    pub const fn highest(&self) -> u32 {
        (self.highest - HIGH) as u32
    }

    /// Loss since the last call of this, as RTCP's fraction of 256 (A.3).
    pub fn take_fraction_lost(&mut self) -> u8 {
        let (expected, _) = self.counts();
        let (expected_before, received_before) = self.prior;
        self.prior = (expected, self.received);
        let expected = expected.saturating_sub(expected_before);
        let lost = expected.saturating_sub(self.received.saturating_sub(received_before));
        (lost * 256).checked_div(expected).map_or(0, |fraction| u8::try_from(fraction).unwrap_or(255))
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small numbers of tests")]
mod tests {
    use super::*;
    use crate::unit::PayloadType;

    fn packet(sequence: u16, timestamp: u32) -> Packet<'static> {
        Packet { marker: false, payload_type: PayloadType(0), sequence, timestamp, ssrc: Ssrc(1), payload: &[] }
    }

    fn feed(order: &[u16]) -> (StreamStats, Vec<Arrival>) {
        let mut stats = StreamStats::new(SampleRate::HZ_8000, Ssrc(1));
        let arrivals = order
            .iter()
            .enumerate()
            .map(|(n, sequence)| {
                let at = Instant::from_millis(20 * n as u64);
                stats.arrived(at, &packet(*sequence, u32::from(*sequence) * 160), true).0
            })
            .collect();
        (stats, arrivals)
    }

    #[test]
    fn loss_and_bursts_are_counted_across_the_wrap() {
        let (stats, _) = feed(&[65_533, 65_534, 2, 3]);
        assert_eq!(stats.counts(), (7, 3));
        assert_eq!(stats.burst_max(), 3);
    }

    #[test]
    fn late_and_double_packets_are_told_apart() {
        let (stats, arrivals) = feed(&[10, 12, 11, 12, 11]);
        assert_eq!(
            arrivals,
            [Arrival::First, Arrival::Ahead, Arrival::Reordered, Arrival::Duplicate, Arrival::Duplicate]
        );
        assert_eq!(stats.counts(), (3, 0));
        assert_eq!((stats.reordered(), stats.duplicate()), (1, 2));
    }

    #[test]
    fn a_restart_needs_two_packets_in_a_row() {
        let (stats, arrivals) = feed(&[10, 11, 40_000, 12, 40_001, 40_002]);
        assert_eq!(arrivals[2], Arrival::Suspect);
        assert_eq!(arrivals[3], Arrival::Ahead);
        assert_eq!(arrivals[4..], [Arrival::Suspect, Arrival::First]);
        assert_eq!(stats.counts().1, 0, "a restart is not 39,000 lost packets");
    }

    #[test]
    fn evenly_spaced_packets_have_no_jitter_and_a_late_one_has_a_sixteenth() {
        let mut stats = StreamStats::new(SampleRate::HZ_8000, Ssrc(1));
        for n in 0..50_u16 {
            stats.arrived(Instant::from_millis(20 * u64::from(n)), &packet(n, u32::from(n) * 160), true);
        }
        assert!(stats.jitter_ms().1 < 1e-9);
        stats.arrived(Instant::from_millis(20 * 50 + 16), &packet(50, 50 * 160), true);
        assert!((stats.jitter_ms().0 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_fast_clock_is_measured() {
        let mut stats = StreamStats::new(SampleRate::HZ_8000, Ssrc(1));
        for n in 0..3_500_u32 {
            // 100 ppm fast: each 20 ms of media arrives after 19.998 ms.
            let at = Instant::from_nanos(u64::from(n) * 19_998_000);
            stats.arrived(at, &packet(n as u16, n * 160), true);
        }
        let ppm = stats.drift_ppm().unwrap();
        assert!((ppm - 100.0).abs() < 5.0, "{ppm}");
    }
}
