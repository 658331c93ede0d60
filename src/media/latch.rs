//! Whose packets belong to a call: where the description says, or, behind NAT, where a stream comes from (symmetric RTP).
//!
//! The described address is always believed, whoever was before it. Any other has to show a stream first: some packets
//! of one source number, in order, within a second, so that a stray packet of a stranger neither is heard nor draws the
//! call's sound to itself. It cannot take over from a source that sends. Knows addresses and numbers, no payloads;
//! used by `media::inbound`. RFC 4961; RFC 3550 §A.1 waits in the same way before it believes a source.

use crate::{clock::Instant, unit::Ssrc};
use std::{net::SocketAddr, time::Duration};

/// A new source must wait until the one before was silent for so long…
const SILENCE: Duration = Duration::from_secs(2);
/// …and then send so many good packets…
const PACKETS: u32 = 5;
/// …within this time.
const WITHIN: Duration = Duration::from_secs(1);
/// One or two lost packets do not break a stream.
const STEP_MAX: u16 = 3;
/// Strangers that are watched at once: one cannot push another out before its fifth packet.
const WATCHED: usize = 4;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the call's.
    Heard,
    /// It is, and from now on all of its source are; so many of them were refused before.
    Latched(u32),
    /// It is not, as far as can be told now.
    Refused,
}

/// A source that is not believed yet.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    from: SocketAddr,
    ssrc: Ssrc,
    sequence: u16,
    count: u32,
    since: Instant,
}

/// The machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Latch {
    source: Option<SocketAddr>,
    candidates: [Option<Candidate>; WATCHED],
}

impl Latch {
    /// Where packets come from, once they do.
    pub(super) const fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// Whether `from` is where packets come from.
    pub(super) fn is_source(&self, from: SocketAddr) -> bool {
        self.source == Some(from)
    }

    /// Signalling moved the stream.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Judges a packet that is not from [`Self::source`]. `described` none believes anyone; `heard_at` is when the
    /// source's newest packet came.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        from: SocketAddr,
        described: Option<SocketAddr>,
        heard_at: Instant,
        (ssrc, sequence): (Ssrc, u16),
    ) -> Verdict {
        let Some(described) = described else {
            return if self.source.is_none() { self.latch(from, 0) } else { Verdict::Heard };
        };
        if described == from {
            return self.latch(from, 0);
        }
        if self.source.is_some() && now.since(heard_at) < SILENCE {
            return Verdict::Refused;
        }
        let count = self.watch(now, from, ssrc, sequence);
        if count < PACKETS { Verdict::Refused } else { self.latch(from, count - 1) }
    }

    fn latch(&mut self, from: SocketAddr, refused: u32) -> Verdict {
        *self = Self { source: Some(from), ..Self::default() };
        Verdict::Latched(refused)
    }

    /// How many good packets came from there.
    fn watch(&mut self, now: Instant, from: SocketAddr, ssrc: Ssrc, sequence: u16) -> u32 {
        let fresh = Candidate { from, ssrc, sequence, count: 1, since: now };
        if let Some(known) = self.candidates.iter_mut().flatten().find(|known| known.from == from) {
            let step = sequence.wrapping_sub(known.sequence);
            if known.ssrc != ssrc || now.since(known.since) > WITHIN {
                *known = fresh;
            } else if (1..=STEP_MAX).contains(&step) {
                known.sequence = sequence;
                known.count += 1;
            } else if (STEP_MAX + 1..=u16::MAX - STEP_MAX).contains(&step) {
                *known = fresh;
            }
            // Sent twice, or out of order: says nothing.
            return known.count;
        }
        // An empty place, or that of one who gave up, or who is least far.
        let progress = |known: &Candidate| (now.since(known.since) <= WITHIN, known.count, known.since);
        let place = self.candidates.iter_mut().min_by_key(|place| place.as_ref().map(progress));
        if let Some(place) = place {
            *place = Some(fresh);
        }
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIBED: &str = "192.0.2.1:4000";
    const NATTED: &str = "203.0.113.5:31000";
    const STRANGER: &str = "198.51.100.9:4000";

    /// A latch and what it is told, in milliseconds.
    struct Line {
        latch: Latch,
        heard_at: Instant,
    }

    impl Line {
        fn new() -> Self {
            Self { latch: Latch::default(), heard_at: Instant::ZERO }
        }

        fn packet(&mut self, ms: u64, from: &str, ssrc: u32, sequence: u16) -> bool {
            let (now, from) = (Instant::from_millis(ms), from.parse().unwrap());
            let heard = self.latch.is_source(from)
                || self.latch.judge(now, from, DESCRIBED.parse().ok(), self.heard_at, (Ssrc(ssrc), sequence))
                    != Verdict::Refused;
            if heard {
                self.heard_at = now;
            }
            heard
        }

        fn source(&self) -> Option<String> {
            self.latch.source().map(|source| source.to_string())
        }
    }

    #[test]
    fn the_described_address_wins_at_any_time() {
        for began_ms in [0, 500, 1_200, 60_000] {
            let mut line = Line::new();
            for n in 0..100_u16 {
                line.packet(u64::from(n) * 20, STRANGER, 7, n);
            }
            assert_eq!(line.source().as_deref(), Some(STRANGER), "a whole stream, and nobody else: as from behind NAT");
            assert!(line.packet(2_000 + began_ms, DESCRIBED, 8, 1));
            assert!(!line.packet(2_001 + began_ms, STRANGER, 7, 101));
            assert_eq!(line.source().as_deref(), Some(DESCRIBED));
        }
    }

    #[test]
    fn a_sparse_stranger_is_never_believed() {
        let mut line = Line::new();
        for n in 0..200_u16 {
            assert!(!line.packet(u64::from(n) * 500, STRANGER, 7, n));
        }
        assert_eq!(line.source(), None);
    }

    #[test]
    fn a_stream_needs_one_source_number_in_order_within_a_second() {
        /// When in milliseconds, source number, sequence number.
        type Packets = [(u64, u32, u16); 5];
        let tries: [(&str, Packets, bool); 6] = [
            ("in order", [(0, 7, 65_534), (20, 7, 65_535), (40, 7, 0), (60, 7, 1), (80, 7, 2)], true),
            ("two lost", [(0, 7, 1), (20, 7, 2), (80, 7, 5), (100, 7, 6), (120, 7, 7)], true),
            ("other source numbers", [(0, 7, 1), (20, 8, 2), (40, 7, 3), (60, 8, 4), (80, 7, 5)], false),
            ("at random", [(0, 7, 1), (20, 7, 900), (40, 7, 30_000), (60, 7, 7), (80, 7, 60_000)], false),
            ("one and the same", [(0, 7, 1), (20, 7, 1), (40, 7, 1), (60, 7, 1), (80, 7, 1)], false),
            ("too slow", [(0, 7, 1), (260, 7, 2), (520, 7, 3), (780, 7, 4), (1_040, 7, 5)], false),
        ];
        for (name, packets, believed) in tries {
            let mut line = Line::new();
            for (ms, ssrc, sequence) in packets {
                line.packet(ms, NATTED, ssrc, sequence);
            }
            assert_eq!(line.source().is_some(), believed, "{name}");
        }
    }

    #[test]
    fn strangers_beside_it_do_not_keep_a_phone_behind_nat_out() {
        let mut line = Line::new();
        for n in 0..5_u16 {
            let ms = u64::from(n) * 20;
            for other in 1..=3 {
                line.packet(ms, &format!("198.51.100.{other}:4000"), u32::from(n), n * 1_000);
            }
            line.packet(ms, NATTED, 5, n);
        }
        assert_eq!(line.source().as_deref(), Some(NATTED), "after 80 ms");
    }

    #[test]
    fn a_source_that_sends_is_not_taken_over_and_one_that_fell_silent_is() {
        let mut line = Line::new();
        for n in 0..500_u16 {
            line.packet(u64::from(n) * 20, NATTED, 5, n);
            assert!(!line.packet(u64::from(n) * 20 + 3, STRANGER, 7, n));
        }
        assert_eq!(line.source().as_deref(), Some(NATTED));
        // It stops at 9.98 s.
        for n in 0..200_u16 {
            if line.packet(10_000 + u64::from(n) * 20, STRANGER, 7, 500 + n) {
                assert_eq!(n, 103, "two seconds and five packets");
                return;
            }
        }
        panic!("a moved phone must be followed");
    }
}
