//! A caller who makes a sound while the agent is heard: an interruption, or a cough.
//!
//! Our own detector reports an onset after 50 ms. Where more than that is wanted the agent goes on, or pauses, until the
//! voice has lasted long enough; what ends sooner was a cough. [`super::Call`] tells what is heard.

use super::{BargeIn, manners::Manners};
use crate::clock::Instant;

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The caller has the floor.
    Cut,
    /// The agent waits for what comes of it.
    Pause,
    /// It was a cough: the agent goes on.
    Resume,
}

/// The sound that the caller makes now.
#[derive(Debug, Default)]
pub(super) struct Onset {
    /// It set in then, and nothing is decided.
    since: Option<Instant>,
    paused: bool,
}

impl Onset {
    /// A voice set in at `at` while the agent is heard, whose turn began at `turn`.
    pub(super) fn started(
        &mut self,
        policy: BargeIn,
        manners: &Manners,
        at: Instant,
        now: Instant,
        turn: Instant,
    ) -> Option<Verdict> {
        let in_grace = now < turn + manners.grace;
        match policy {
            BargeIn::Local if !in_grace && !manners.is_patient() => Some(Verdict::Cut),
            BargeIn::Local | BargeIn::Pause => {
                self.since = Some(at);
                self.paused = policy == BargeIn::Pause && !in_grace;
                self.paused.then_some(Verdict::Pause)
            }
            BargeIn::Provider | BargeIn::Off => None,
        }
    }

    /// Whether it matters how long the voice lasts.
    pub(super) const fn is_open(&self) -> bool {
        self.since.is_some()
    }

    /// The voice was still there at `at`.
    pub(super) fn lasts(&mut self, policy: BargeIn, manners: &Manners, at: Instant, turn: Instant) -> Option<Verdict> {
        let least = manners.speech_min(policy == BargeIn::Pause);
        if at < self.since? + least || at < turn + manners.grace {
            return None;
        }
        self.clear();
        Some(Verdict::Cut)
    }

    /// It ceased, or whatever it was does not matter any more.
    pub(super) fn ended(&mut self) -> Option<Verdict> {
        let paused = self.paused;
        self.clear();
        paused.then_some(Verdict::Resume)
    }

    /// What played is gone.
    pub(super) const fn clear(&mut self) {
        (self.since, self.paused) = (None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn manners(speech_ms: u64, grace_ms: u64) -> Manners {
        let speech_min = (speech_ms > 0).then_some(Duration::from_millis(speech_ms));
        Manners { speech_min, grace: Duration::from_millis(grace_ms), ..Manners::default() }
    }

    #[test]
    fn a_voice_cuts_at_once_unless_more_is_wanted() {
        let mut onset = Onset::default();
        let (plain, turn) = (manners(0, 0), at(0));
        assert_eq!(onset.started(BargeIn::Local, &plain, at(1_000), at(1_060), turn), Some(Verdict::Cut));
        assert_eq!(onset.started(BargeIn::Off, &plain, at(1_000), at(1_060), turn), None);
        assert!(!onset.is_open());
        let strict = manners(300, 0);
        assert_eq!(onset.started(BargeIn::Local, &strict, at(1_000), at(1_060), turn), None);
        assert_eq!(onset.lasts(BargeIn::Local, &strict, at(1_299), turn), None);
        assert_eq!(onset.lasts(BargeIn::Local, &strict, at(1_300), turn), Some(Verdict::Cut));
        assert_eq!(onset.lasts(BargeIn::Local, &strict, at(1_400), turn), None, "once");
    }

    #[test]
    fn a_cough_gives_the_floor_back() {
        let mut onset = Onset::default();
        let plain = manners(0, 0);
        assert_eq!(onset.started(BargeIn::Pause, &plain, at(1_000), at(1_060), at(0)), Some(Verdict::Pause));
        assert_eq!(onset.lasts(BargeIn::Pause, &plain, at(1_200), at(0)), None);
        assert_eq!(onset.ended(), Some(Verdict::Resume));
        assert_eq!(onset.ended(), None);
        onset.started(BargeIn::Pause, &plain, at(2_000), at(2_060), at(0));
        assert_eq!(onset.lasts(BargeIn::Pause, &plain, at(2_400), at(0)), Some(Verdict::Cut));
        assert_eq!(onset.ended(), None, "nothing is left that could go on");
        onset.started(BargeIn::Local, &manners(300, 0), at(3_000), at(3_060), at(0));
        assert_eq!(onset.ended(), None, "it never paused");
    }

    #[test]
    fn nobody_interrupts_the_first_words_but_who_goes_on_does() {
        for policy in [BargeIn::Local, BargeIn::Pause] {
            let mut onset = Onset::default();
            let polite = manners(0, 1_000);
            assert_eq!(onset.started(policy, &polite, at(5_100), at(5_160), at(5_000)), None, "{policy:?}");
            assert_eq!(onset.lasts(policy, &polite, at(5_900), at(5_000)), None, "{policy:?}");
            assert_eq!(onset.lasts(policy, &polite, at(6_000), at(5_000)), Some(Verdict::Cut), "{policy:?}");
        }
    }
}
