//! Order without waiting: a packet in order goes on at once; only a gap is waited for, and only so long.
//!
//! The speech AI needs order, not isochronous playout, so nothing is held while nothing is missing. A gap is
//! held open for the reorder window; then the missing packets are given up and the caller conceals them.
//! Adaptive playout for human ears is another stage (conference, bridge).

use crate::{clock::Instant, unit::PayloadType};
use std::{collections::VecDeque, time::Duration};

/// Packets held behind a gap at most; more force the gap closed.
const HELD_MAX: usize = 32;

/// What comes out, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// A packet whose payload was put into the caller's buffer.
    Packet {
        /// Its RTP timestamp.
        timestamp: u32,
        /// What its payload is.
        payload_type: PayloadType,
        /// When it arrived.
        at: Instant,
    },
    /// So many packets in a row are given up.
    Missing {
        /// How many.
        count: u32,
        /// Timestamp of the packet after the gap.
        until: u32,
    },
}

#[derive(Debug)]
struct Held {
    sequence: u64,
    timestamp: u32,
    payload_type: PayloadType,
    at: Instant,
    payload: Vec<u8>,
}

/// One source's packets on their way into order.
#[derive(Debug)]
pub struct Order {
    window: Duration,
    next: Option<u64>,
    held: VecDeque<Held>,
    spare: Vec<Vec<u8>>,
    late: u64,
    give_up_at: Instant,
}

impl Order {
    /// Gaps that open from now on are held open for `window`.
    pub const fn set_window(&mut self, window: Duration) {
        self.window = window;
    }

    /// Gaps are held open for `window`.
    #[must_use]
    pub const fn new(window: Duration) -> Self {
        Self { window, next: None, held: VecDeque::new(), spare: Vec::new(), late: 0, give_up_at: Instant::FAR_FUTURE }
    }

    /// Takes in a packet. True if it is next in line: then the caller uses `payload` itself and nothing is
    /// copied. Otherwise it is held, or dropped if its turn has passed.
    pub fn push(
        &mut self,
        at: Instant,
        sequence: u64,
        timestamp: u32,
        payload_type: PayloadType,
        payload: &[u8],
    ) -> bool {
        let next = *self.next.get_or_insert(sequence);
        if sequence == next && self.held.front().is_none_or(|held| held.sequence > sequence) {
            self.next = Some(next + 1);
            return true;
        }
        if sequence < next {
            self.late += 1;
            return false;
        }
        let place = self.held.partition_point(|held| held.sequence < sequence);
        if self.held.get(place).is_some_and(|held| held.sequence == sequence) {
            return false;
        }
        let mut own = self.spare.pop().unwrap_or_default();
        own.clear();
        own.extend_from_slice(payload);
        if self.held.is_empty() {
            self.give_up_at = at + self.window;
        }
        self.held.insert(place, Held { sequence, timestamp, payload_type, at, payload: own });
        false
    }

    /// What can go on now: packets behind a closed gap, or a gap that is given up.
    pub fn poll(&mut self, now: Instant, payload: &mut Vec<u8>) -> Option<Ordered> {
        let next = self.next?;
        let front = self.held.front()?;
        if front.sequence > next {
            if now < self.give_up_at && self.held.len() < HELD_MAX {
                return None;
            }
            self.next = Some(front.sequence);
            let count = u32::try_from(front.sequence - next).unwrap_or(u32::MAX);
            return Some(Ordered::Missing { count, until: front.timestamp });
        }
        let mut held = self.held.pop_front()?;
        self.next = Some(held.sequence + 1);
        std::mem::swap(payload, &mut held.payload);
        self.spare.push(held.payload);
        let ordered = Ordered::Packet { timestamp: held.timestamp, payload_type: held.payload_type, at: held.at };
        // The window of the next gap starts when the packet behind it arrived.
        self.give_up_at = self.held.front().map_or(Instant::FAR_FUTURE, |held| held.at + self.window);
        Some(ordered)
    }

    /// After [`Ordered::Missing`]: the packet behind the gap, which some codecs can say the lost one with.
    #[must_use]
    pub fn next(&self) -> Option<(PayloadType, &[u8])> {
        self.held.front().map(|held| (held.payload_type, &held.payload[..]))
    }

    /// When a gap will be given up.
    #[must_use]
    pub const fn timeout(&self) -> Instant {
        self.give_up_at
    }

    /// Packets that came after their gap was given up.
    #[must_use]
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// Forgets everything: a new source.
    pub fn reset(&mut self) {
        self.next = None;
        while let Some(held) = self.held.pop_front() {
            self.spare.push(held.payload);
        }
        self.give_up_at = Instant::FAR_FUTURE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        Order::new(Duration::from_millis(40))
    }

    fn push(order: &mut Order, at: Instant, sequence: u64, timestamp: u32, payload: &[u8]) -> bool {
        order.push(at, sequence, timestamp, PayloadType(0), payload)
    }

    fn drain(order: &mut Order, now: u64) -> Vec<Ordered> {
        let mut payload = Vec::new();
        std::iter::from_fn(|| order.poll(Instant::from_millis(now), &mut payload)).collect()
    }

    #[test]
    fn what_is_in_order_is_never_held() {
        let mut order = order();
        for n in 0..100 {
            assert!(push(&mut order, Instant::from_millis(n), 500 + n, 0, &[1]));
        }
        assert!(order.timeout().is_far_future());
    }

    #[test]
    fn a_gap_that_is_filled_in_time_costs_nothing_but_the_wait() {
        let mut order = order();
        assert!(push(&mut order, Instant::from_millis(0), 1, 0, &[1]));
        assert!(!push(&mut order, Instant::from_millis(20), 3, 320, &[3]));
        assert_eq!(drain(&mut order, 25), []);
        assert!(push(&mut order, Instant::from_millis(30), 2, 160, &[2]));
        let packets = drain(&mut order, 30);
        assert_eq!(
            packets,
            [Ordered::Packet { timestamp: 320, payload_type: PayloadType(0), at: Instant::from_millis(20) }]
        );
        assert!(order.timeout().is_far_future());
    }

    #[test]
    fn a_gap_is_given_up_after_the_window_and_stragglers_are_late() {
        let mut order = order();
        push(&mut order, Instant::from_millis(0), 1, 0, &[]);
        push(&mut order, Instant::from_millis(20), 4, 480, &[]);
        assert_eq!(order.timeout(), Instant::from_millis(60));
        let given_up = drain(&mut order, 60);
        assert_eq!(given_up[0], Ordered::Missing { count: 2, until: 480 });
        assert_eq!(given_up.len(), 2);
        assert!(!push(&mut order, Instant::from_millis(70), 2, 160, &[]));
        assert_eq!(order.late(), 1);
    }

    #[test]
    fn held_packets_are_bounded() {
        let mut order = order();
        push(&mut order, Instant::ZERO, 1, 0, &[]);
        for n in 0..HELD_MAX as u64 {
            push(&mut order, Instant::ZERO, 3 + n, 0, &[]);
        }
        assert_eq!(drain(&mut order, 1).len(), 1 + HELD_MAX);
    }
}
