//! Digits as telephone-events (RFC 4733): each digit heard exactly once, each digit sent reliably.
//!
//! In: keyed on the RTP timestamp, so a lost first packet, a lost marker or three lost end packets still give one
//! digit. Out: one event at a time, its packets paced by the caller's tick, the last one sent three times (§2.5.1.4).

use std::collections::VecDeque;

/// Digits by event code (RFC 4733 §3.2).
const DIGITS: &[u8; 16] = b"0123456789*#ABCD";

/// Timestamp units after which an event goes on in a new segment.
const SEGMENT: u32 = 0xffff;

/// The digit of an event code.
#[must_use]
pub fn digit_of(event: u8) -> Option<char> {
    DIGITS.get(usize::from(event)).map(|digit| char::from(*digit))
}

/// The event code of a digit.
#[must_use]
pub fn event_of(digit: char) -> Option<u8> {
    let position = DIGITS.iter().position(|known| char::from(*known) == digit.to_ascii_uppercase())?;
    u8::try_from(position).ok()
}

/// A digit that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Which.
    pub digit: char,
    /// How long it was held so far, in timestamp units.
    pub duration: u32,
}

/// Puts one source's event packets together.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    current: Option<Event>,
    /// Timestamps of events that were reported, newest last: stragglers must not count again.
    reported: VecDeque<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    /// Of its newest segment.
    timestamp: u32,
    digit: char,
    /// Of the segments before.
    before: u32,
    duration: u16,
}

impl Listener {
    /// Takes in the payload of one event packet; gives the digit when its end is seen, or the one before when a
    /// new event shows that its end was lost.
    pub fn packet(&mut self, timestamp: u32, payload: &[u8]) -> Option<Heard> {
        let [event, flags, high, low, ..] = *payload else { return None };
        let digit = digit_of(event)?;
        let duration = u16::from_be_bytes([high, low]);
        if self.reported.contains(&timestamp) {
            return None;
        }
        // A key held for longer than the field can say goes on in a new segment (§2.5.1.3): the same key still.
        if let Some(current) = &mut self.current
            && current.digit == digit
            && current.timestamp.wrapping_add(SEGMENT) == timestamp
        {
            let before =
                std::mem::replace(current, Event { timestamp, digit, before: current.before + SEGMENT, duration });
            self.told(before.timestamp);
        }
        let unfinished = match self.current {
            Some(current) if current.timestamp != timestamp => self.finish(),
            _ => None,
        };
        let known = self.current.get_or_insert(Event { timestamp, digit, before: 0, duration });
        known.duration = known.duration.max(duration);
        let ended = flags & 0x80 != 0;
        if unfinished.is_some() {
            // One digit a packet: a packet that both closes the last event and ends its own is very short;
            // its retransmissions will report it.
            return unfinished;
        }
        if ended { self.finish() } else { None }
    }

    /// Closes an event whose end never came.
    pub fn finish(&mut self) -> Option<Heard> {
        let event = self.current.take()?;
        self.told(event.timestamp);
        Some(Heard { digit: event.digit, duration: event.before.saturating_add(u32::from(event.duration)) })
    }

    fn told(&mut self, timestamp: u32) {
        if self.reported.len() == 8 {
            self.reported.pop_front();
        }
        self.reported.push_back(timestamp);
    }

    /// Whether an event is open.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.current.is_some()
    }
}

/// One packet of an event to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// Set on the first packet of an event.
    pub marker: bool,
    /// Ticks since the event's first packet's timestamp; the RTP timestamp stays at the event's start.
    pub payload: [u8; 4],
    /// The digit, once its first end packet is made.
    pub finished: Option<char>,
}

/// Sends digits one after another.
#[derive(Clone, Debug, Default)]
pub struct Speaker {
    waiting: VecDeque<char>,
    current: Option<Sending>,
    /// Ticks of silence between two digits.
    pause: u32,
}

#[derive(Clone, Copy, Debug)]
struct Sending {
    digit: char,
    event: u8,
    elapsed: u32,
    ends_sent: u8,
}

/// How long each digit is held: long enough for slow detectors.
const HOLD_MS: u32 = 100;
/// Silence between two digits.
const PAUSE_MS: u32 = 60;
/// Digits that may wait.
const WAITING_MAX: usize = 64;

impl Speaker {
    /// Puts a digit in line; false if it is none or the line is full.
    pub fn press(&mut self, digit: char) -> bool {
        if event_of(digit).is_none() || self.waiting.len() >= WAITING_MAX {
            return false;
        }
        self.waiting.push_back(digit.to_ascii_uppercase());
        true
    }

    /// Whether something is being sent or waits.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.current.is_some() || !self.waiting.is_empty() || self.pause > 0
    }

    /// The packet of this tick; `ptime_ms` is the tick's length and `clock_hz` the RTP clock.
    pub fn tick(&mut self, ptime_ms: u32, clock_hz: u32) -> Option<EventPacket> {
        if self.current.is_none() {
            if self.pause > 0 {
                self.pause = self.pause.saturating_sub(ptime_ms);
                return None;
            }
            let digit = self.waiting.pop_front()?;
            self.current = Some(Sending { digit, event: event_of(digit)?, elapsed: 0, ends_sent: 0 });
        }
        let sending = self.current.as_mut()?;
        let marker = sending.elapsed == 0;
        sending.elapsed = (sending.elapsed + ptime_ms).min(HOLD_MS.max(ptime_ms));
        let ended = sending.elapsed >= HOLD_MS;
        let duration = u16::try_from(sending.elapsed * (clock_hz / 1_000)).unwrap_or(u16::MAX).to_be_bytes();
        // Volume 10: −10 dBm0.
        let payload = [sending.event, if ended { 0x8a } else { 0x0a }, duration[0], duration[1]];
        let mut finished = None;
        if ended {
            if sending.ends_sent == 0 {
                finished = Some(sending.digit);
            }
            sending.ends_sent += 1;
            if sending.ends_sent == 3 {
                self.current = None;
                self.pause = PAUSE_MS;
            }
        }
        Some(EventPacket { marker, payload, finished })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payloads(digit: char) -> Vec<[u8; 4]> {
        let mut speaker = Speaker::default();
        speaker.press(digit);
        std::iter::from_fn(|| speaker.tick(20, 8_000)).map(|packet| packet.payload).collect()
    }

    #[test]
    fn a_key_held_for_long_is_one_key() {
        let mut listener = Listener::default();
        assert_eq!(listener.packet(1_000, &[5, 10, 0xff, 0xff]), None);
        let next = 1_000 + 0xffff;
        assert_eq!(listener.packet(next, &[5, 10, 0, 160]), None, "it goes on");
        assert_eq!(listener.packet(1_000, &[5, 10, 0xff, 0xff]), None, "a straggler");
        let heard = listener.packet(next, &[5, 0x8a, 1, 0]).unwrap();
        assert_eq!((heard.digit, heard.duration), ('5', 0xffff + 256));
        assert_eq!(listener.packet(next, &[5, 0x8a, 1, 0]), None);
        assert!(!listener.is_open());
    }

    #[test]
    fn a_digit_is_heard_once_whatever_is_lost() {
        let packets = payloads('5');
        assert_eq!(packets.len(), 7, "four going, three ends");
        for lost in 0..1_u32 << packets.len() {
            let mut listener = Listener::default();
            let mut heard: Vec<char> = Vec::new();
            for (n, payload) in packets.iter().enumerate() {
                if lost & (1 << n) == 0 {
                    heard.extend(listener.packet(4_000, payload).map(|h| h.digit));
                }
            }
            heard.extend(listener.finish().map(|h| h.digit));
            let expected = if lost == (1 << packets.len()) - 1 { "" } else { "5" };
            assert_eq!(heard.iter().collect::<String>(), expected, "lost {lost:b}");
        }
    }

    #[test]
    fn a_lost_end_is_made_up_for_by_the_next_digit_and_stragglers_do_not_count() {
        let mut listener = Listener::default();
        assert_eq!(listener.packet(0, &[1, 10, 0, 160]), None);
        assert_eq!(listener.packet(2_000, &[2, 10, 0, 160]).map(|h| h.digit), Some('1'));
        assert_eq!(listener.packet(0, &[1, 0x8a, 3, 32]), None);
        assert_eq!(listener.packet(2_000, &[2, 0x8a, 3, 32]).map(|h| h.digit), Some('2'));
        assert_eq!(listener.packet(2_000, &[2, 0x8a, 3, 32]), None);
    }

    #[test]
    fn junk_is_no_digit() {
        let mut listener = Listener::default();
        assert_eq!(listener.packet(0, &[]), None);
        assert_eq!(listener.packet(0, &[16, 0x80, 0, 0]), None);
        assert!(!Speaker::default().press('x'));
    }

    #[test]
    fn two_digits_in_a_row_are_two() {
        let mut speaker = Speaker::default();
        speaker.press('7');
        speaker.press('7');
        let mut listener = Listener::default();
        let (mut heard, mut start) = (Vec::new(), 0);
        for tick in 0..40_u32 {
            if let Some(packet) = speaker.tick(20, 8_000) {
                if packet.marker {
                    start = tick * 160;
                }
                heard.extend(listener.packet(start, &packet.payload));
            }
        }
        assert_eq!(heard.iter().map(|h| h.digit).collect::<String>(), "77");
        assert!(!speaker.is_busy());
    }
}
