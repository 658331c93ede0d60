//! Which digits count: some telephones send one key as telephone-event or tone, and again in an INFO.
//!
//! Owns what `media.dtmf` lets in and what is the same key a second time. Sound and digits themselves are
//! `pipeline::sound`'s, which asks before it passes a digit on. Called by `pipeline::sound`; its counts go to lints.

use crate::{clock::Instant, media::dsp::digits::Mode};
use std::time::Duration;

/// A digit of an INFO and the same in RTP belong to one key if they come within this of each other.
const ONE_KEY: Duration = Duration::from_secs(1);

/// Digits so far.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Digits come in RTP: those in INFO are the same ones again.
    in_rtp: bool,
    /// The newest digit that an INFO brought before any came in RTP.
    informed: Option<(Instant, char)>,
    as_tones: u32,
    twice: u32,
}

impl Keys {
    /// A digit in RTP: a telephone-event if those were agreed on (`in_events`), else a tone. Whether it counts.
    pub(super) fn heard(&mut self, now: Instant, mode: Mode, digit: char, in_events: bool) -> bool {
        self.in_rtp = true;
        // Who asked for tones is not told that they come.
        self.as_tones += u32::from(mode == Mode::Auto && !in_events);
        let before = self.informed.take();
        let is_again = before.is_some_and(|(at, known)| known == digit && now.since(at) < ONE_KEY);
        self.twice += u32::from(is_again);
        !is_again
    }

    /// A digit in an INFO. Whether it counts.
    pub(super) fn informed(&mut self, now: Instant, mode: Mode, digit: char) -> bool {
        if !mode.events() {
            return false;
        }
        self.twice += u32::from(self.in_rtp);
        if !self.in_rtp {
            self.informed = Some((now, digit));
        }
        !self.in_rtp
    }

    /// Digits heard as tones for want of telephone-event.
    pub(super) const fn as_tones(&self) -> u32 {
        self.as_tones
    }

    /// Digits that came in two ways at once.
    pub(super) const fn twice(&self) -> u32 {
        self.twice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn a_key_that_comes_twice_counts_once_whichever_way_is_first() {
        let mut keys = Keys::default();
        assert!(keys.informed(at(0), Mode::Auto, '5'));
        assert!(!keys.heard(at(120), Mode::Auto, '5', true), "the same key");
        assert!(keys.heard(at(400), Mode::Auto, '5', true), "pressed again");
        assert!(!keys.informed(at(420), Mode::Auto, '5'));
        assert_eq!((keys.twice(), keys.as_tones()), (2, 0));
    }

    #[test]
    fn another_key_or_much_later_is_not_the_same() {
        let mut keys = Keys::default();
        assert!(keys.informed(at(0), Mode::Auto, '5') && keys.informed(at(500), Mode::Auto, '6'));
        assert!(keys.heard(at(600), Mode::Auto, '7', false));
        let mut keys = Keys::default();
        assert!(keys.informed(at(0), Mode::Events, '5') && keys.heard(at(5_000), Mode::Events, '5', true));
        assert_eq!(keys.twice(), 0);
    }

    #[test]
    fn tones_that_were_asked_for_are_no_fault_and_info_is_then_not_read() {
        let mut keys = Keys::default();
        assert!(!keys.informed(at(0), Mode::Inband, '1') && !keys.informed(at(0), Mode::Off, '1'));
        assert!(keys.heard(at(10), Mode::Inband, '1', false));
        assert_eq!((keys.twice(), keys.as_tones()), (0, 0));
        assert!(keys.heard(at(900), Mode::Auto, '1', false));
        assert_eq!(keys.as_tones(), 1);
    }
}
