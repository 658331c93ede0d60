//! `play` and `silence`: the caller's side of `dial`. Plays sound once the far end is there, then waits or hangs up.

use super::LocalAgent;
use crate::{
    agent::event::{Command, Event, Output, Sound},
    clock::Instant,
    media::dsp::vad::SpeechEdge,
};
use std::{collections::VecDeque, time::Duration};

/// The agent. With no sound it is silence.
#[derive(Debug)]
pub struct Play {
    files: VecDeque<Sound>,
    digits: VecDeque<(Duration, String)>,
    started: Option<Instant>,
    start_after: Duration,
    hang_up_after: Option<Duration>,
    hang_up_at: Instant,
    next_at: Instant,
    sent: bool,
    /// Waits for the far end to finish before it begins.
    waits_to_begin: bool,
    /// Waits for the far end to finish before it hangs up.
    waits_to_end: bool,
    /// Says why it hangs up.
    reason: &'static str,
    out: VecDeque<Event>,
}

/// A patient player begins when the far end has been silent for so long.
const FAR_END_SILENT: Duration = Duration::from_millis(700);

impl Play {
    /// Plays `files` one after another, `start_after` the answer; presses `digits` at their times
    /// after the answer; hangs up `hang_up_after` the last of it, or never. With nothing to play and press that is so
    /// long after the answer.
    #[must_use]
    pub fn new(
        files: Vec<Sound>,
        digits: Vec<(Duration, String)>,
        start_after: Duration,
        hang_up_after: Option<Duration>,
    ) -> Self {
        Self {
            reason: if files.is_empty() { "the time was over" } else { "played to the end" },
            files: files.into(),
            digits: digits.into(),
            started: None,
            start_after,
            hang_up_after,
            hang_up_at: Instant::FAR_FUTURE,
            next_at: Instant::FAR_FUTURE,
            sent: false,
            waits_to_begin: false,
            waits_to_end: false,
            out: VecDeque::from([Event::Ready]),
        }
    }

    /// Lets the far end finish before it begins, before it hangs up.
    #[must_use]
    pub const fn waiting(mut self, to_begin: bool, to_end: bool) -> Self {
        self.waits_to_begin = to_begin;
        self.waits_to_end = to_end;
        self
    }

    fn finish_if_done(&mut self, now: Instant) {
        if self.files.is_empty()
            && self.digits.is_empty()
            && let Some(after) = self.hang_up_after
            && self.hang_up_at.is_far_future()
        {
            self.hang_up_at = now + after;
        }
    }
}

impl LocalAgent for Play {
    fn handle(&mut self, now: Instant, command: Command<'_>) {
        match command {
            Command::Start => {
                self.started = Some(now);
                self.next_at = if self.files.is_empty() { Instant::FAR_FUTURE } else { now + self.start_after };
                self.finish_if_done(now);
            }
            Command::Speech(SpeechEdge::Started(_)) => {
                if self.waits_to_begin {
                    self.next_at = Instant::FAR_FUTURE;
                }
                if self.waits_to_end {
                    self.hang_up_at = Instant::FAR_FUTURE;
                }
            }
            Command::Speech(SpeechEdge::Ended(at)) if !self.sent => {
                if self.waits_to_begin && !self.files.is_empty() {
                    self.next_at = at + FAR_END_SILENT;
                } else if self.waits_to_end && self.files.is_empty() && self.digits.is_empty() {
                    self.hang_up_at = self.hang_up_after.map_or(Instant::FAR_FUTURE, |after| at + after);
                }
            }
            Command::Played if self.sent => {
                self.sent = false;
                if self.files.is_empty() {
                    self.finish_if_done(now);
                } else {
                    self.next_at = now;
                }
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if now >= self.next_at {
            self.next_at = Instant::FAR_FUTURE;
            if let Some(file) = self.files.pop_front() {
                self.sent = true;
                self.out.push_back(file.said());
                self.out.push_back(Event::TurnComplete);
            }
        }
        if let (Some(started), Some((after, _))) = (self.started, self.digits.front())
            && now >= started + *after
            && let Some((_, digits)) = self.digits.pop_front()
        {
            self.out.push_back(Event::Digits(digits));
            if !self.sent {
                self.finish_if_done(now);
            }
        }
        if now >= self.hang_up_at {
            self.hang_up_at = Instant::FAR_FUTURE;
            self.hang_up_after = None;
            self.out.push_back(Event::HangUp(self.reason.into()));
        }
    }

    fn timeout(&self) -> Instant {
        let digit = match (self.started, self.digits.front()) {
            (Some(started), Some((after, _))) => started + *after,
            _ => Instant::FAR_FUTURE,
        };
        self.next_at.min(digit).min(self.hang_up_at)
    }

    fn poll(&mut self) -> Output {
        self.out.pop_front().map_or_else(|| Output::Timeout(self.timeout()), Output::Event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::SampleRate;
    use std::sync::Arc;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// What it wants at a moment, `Ready` left out.
    fn due(play: &mut Play, now: Instant) -> Vec<Event> {
        play.handle_timeout(now);
        let events = std::iter::from_fn(|| match play.poll() {
            Output::Event(event) => Some(event),
            Output::Timeout(_) => None,
        });
        events.filter(|event| !matches!(event, Event::Ready | Event::TurnComplete)).collect()
    }

    fn player() -> Play {
        let sound = Sound { rate: SampleRate::HZ_8000, samples: Arc::from([1_i16; 8]) };
        Play::new(vec![sound], vec![], Duration::from_millis(500), Some(Duration::from_secs(1)))
    }

    #[test]
    fn a_rule_for_the_end_does_not_change_the_beginning() {
        let mut play = player().waiting(true, false);
        play.handle(at(0), Command::Start);
        play.handle(at(100), Command::Speech(SpeechEdge::Started(at(80))));
        assert_eq!(due(&mut play, at(5_000)), [], "the far end speaks");
        play.handle(at(6_200), Command::Speech(SpeechEdge::Ended(at(6_000))));
        assert_eq!(due(&mut play, at(6_600)), []);
        assert_eq!(due(&mut play, at(6_700)).len(), 1);
        play.handle(at(6_800), Command::Played);
        play.handle(at(7_000), Command::Speech(SpeechEdge::Started(at(7_000))));
        assert_eq!(due(&mut play, at(7_800)), [Event::HangUp("played to the end".into())], "whatever is heard");
    }

    #[test]
    fn silence_ends_when_its_time_is_over() {
        let mut play = Play::new(vec![], vec![], Duration::ZERO, Some(Duration::from_secs(1)));
        play.handle(at(0), Command::Start);
        assert_eq!(due(&mut play, at(999)), []);
        assert_eq!(due(&mut play, at(1_000)), [Event::HangUp("the time was over".into())]);
    }
}
