//! An agent that owes an answer and gives none: since when, when that is worth a word, and when it is lost.
//!
//! [`super::Call`] tells what happens, with its time. What the socket does about a silent provider is its own.

use crate::clock::Instant;
use std::time::Duration;

/// Voice that is shorter is a cough: no answer is owed.
const WORDS_MIN: Duration = Duration::from_millis(250);

/// What has come due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// For a lint.
    Stalled,
    /// It will not answer any more; in words.
    Lost(String),
}

/// The silence of one call's agent.
#[derive(Debug, Default)]
pub(super) struct Silence {
    caller_since: Option<Instant>,
    owed: Option<Owed>,
    /// In words, the newest silence that was too long.
    seen: Option<String>,
}

#[derive(Debug)]
struct Owed {
    since: Instant,
    what: &'static str,
    noted: bool,
}

impl Silence {
    /// The caller began to speak: nothing is owed until that ends.
    pub(super) const fn caller_started(&mut self, at: Instant) {
        self.caller_since = Some(at);
        self.owed = None;
    }

    /// The caller's last word was at `at`.
    pub(super) fn caller_ended(&mut self, at: Instant) {
        if self.caller_since.take().is_some_and(|since| at.since(since) >= WORDS_MIN) {
            self.owes(at, "the caller's last word");
        }
    }

    /// From `now` on the agent owes an answer to `what`.
    pub(super) const fn owes(&mut self, now: Instant, what: &'static str) {
        self.owed = Some(Owed { since: now, what, noted: false });
    }

    /// The agent gave a sign that it goes on, or nobody expects one.
    pub(super) const fn came(&mut self) {
        self.owed = None;
    }

    /// Whether an answer is owed.
    pub(super) const fn is_owed(&self) -> bool {
        self.owed.is_some()
    }

    /// What it had said before was heard to its end now: only from here on is it silent.
    pub(super) fn fell_quiet(&mut self, now: Instant) {
        if let Some(owed) = &mut self.owed {
            owed.since = owed.since.max(now);
        }
    }

    /// When [`Self::due`] is wanted; `limit` is not zero.
    pub(super) fn timeout(&self, limit: Duration) -> Instant {
        self.owed.as_ref().map_or(Instant::FAR_FUTURE, |owed| owed.since + if owed.noted { limit * 2 } else { limit })
    }

    /// What has come due after `limit`, and after twice as long.
    pub(super) fn due(&mut self, now: Instant, limit: Duration) -> Option<Due> {
        if now < self.timeout(limit) {
            return None;
        }
        let owed = self.owed.as_mut()?;
        let said = format!("nothing from the agent for {} s after {}", now.since(owed.since).as_secs(), owed.what);
        let first = !std::mem::replace(&mut owed.noted, true);
        self.seen = Some(said.clone());
        if first {
            return Some(Due::Stalled);
        }
        self.owed = None;
        Some(Due::Lost(said))
    }

    /// The newest silence that was too long, in words.
    pub(super) fn seen(&self) -> Option<&str> {
        self.seen.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(15);
    const fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn silence_counts_from_the_last_word_and_is_told_once_then_lost() {
        let mut silence = Silence::default();
        assert_eq!(silence.timeout(LIMIT), Instant::FAR_FUTURE);
        silence.caller_started(at(1_000));
        silence.caller_ended(at(2_000));
        assert_eq!(silence.timeout(LIMIT), at(17_000));
        assert_eq!(silence.due(at(16_999), LIMIT), None);
        assert_eq!(silence.due(at(17_000), LIMIT), Some(Due::Stalled));
        assert_eq!(silence.seen(), Some("nothing from the agent for 15 s after the caller's last word"));
        assert_eq!((silence.timeout(LIMIT), silence.due(at(20_000), LIMIT)), (at(32_000), None));
        assert!(matches!(silence.due(at(32_000), LIMIT), Some(Due::Lost(said)) if said.contains("30 s")));
        assert_eq!((silence.timeout(LIMIT), silence.due(at(90_000), LIMIT)), (Instant::FAR_FUTURE, None));
    }

    #[test]
    fn coughs_answers_and_new_words_owe_nothing_and_old_words_are_heard_first() {
        let mut silence = Silence::default();
        silence.caller_started(at(1_000));
        silence.caller_ended(at(1_200));
        assert_eq!(silence.timeout(LIMIT), Instant::FAR_FUTURE, "a cough");
        silence.owes(at(2_000), "the result of a tool");
        silence.fell_quiet(at(3_000));
        assert_eq!(silence.timeout(LIMIT), at(18_000));
        silence.fell_quiet(at(1_000));
        assert_eq!(silence.timeout(LIMIT), at(18_000));
        silence.caller_started(at(4_000));
        assert_eq!(silence.timeout(LIMIT), Instant::FAR_FUTURE, "the caller speaks");
        silence.caller_ended(at(5_000));
        silence.came();
        assert_eq!(silence.timeout(LIMIT), Instant::FAR_FUTURE, "the agent answers");
    }
}
