//! What calls of ours may cost: numbers that may be called, calls a minute, minutes a day.
//!
//! A stolen password or a caller who talks an agent into a transfer must not be able to spend a fortune overnight.

use super::Pattern;
use crate::clock::Instant;
use std::{collections::VecDeque, time::Duration};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// The limits; zero is none.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Numbers that may be called; empty is all.
    pub allow: Vec<Pattern>,
    /// Calls begun within any minute.
    pub calls_per_minute: usize,
    /// Time talked within any 24 hours, all calls together.
    pub minutes_per_day: u64,
}

/// Why a call is not placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The setting that says no.
    pub rule: &'static str,
    /// In words.
    pub why: String,
}

/// The purse.
#[derive(Debug, Default)]
pub struct Tolls {
    settings: Settings,
    begun: VecDeque<Instant>,
    /// Calls that ended: when, and how long they were.
    talked: VecDeque<(Instant, Duration)>,
    refused: u64,
}

impl Tolls {
    /// Nothing spent yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Calls that were refused here.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Asks for a call to `number` and counts it as begun.
    ///
    /// # Errors
    /// Names the setting that says no.
    pub fn begin(&mut self, now: Instant, number: &str) -> Result<(), Refused> {
        let judged = self.judge(now, number);
        match judged {
            Ok(()) => self.begun.push_back(now),
            Err(_) => self.refused += 1,
        }
        judged
    }

    fn judge(&mut self, now: Instant, number: &str) -> Result<(), Refused> {
        let settings = &self.settings;
        if !settings.allow.is_empty() && !settings.allow.iter().any(|pattern| pattern.matches(number)) {
            let why = "no pattern of outbound.allow matches the number".to_owned();
            return Err(Refused { rule: "outbound.allow", why });
        }
        while self.begun.front().is_some_and(|at| now.since(*at) >= MINUTE) {
            self.begun.pop_front();
        }
        if settings.calls_per_minute > 0 && self.begun.len() >= settings.calls_per_minute {
            let why = format!("{} calls were begun within a minute", self.begun.len());
            return Err(Refused { rule: "outbound.calls_per_minute", why });
        }
        while self.talked.front().is_some_and(|(at, _)| now.since(*at) >= DAY) {
            self.talked.pop_front();
        }
        let minutes = self.talked.iter().map(|(_, length)| *length).sum::<Duration>().as_secs() / 60;
        if settings.minutes_per_day > 0 && minutes >= settings.minutes_per_day {
            let why = format!("{minutes} minutes were talked within 24 hours");
            return Err(Refused { rule: "outbound.minutes_per_day", why });
        }
        Ok(())
    }

    /// A call has ended after `length`. Minutes begun are minutes spent, as carriers count them.
    pub fn ended(&mut self, now: Instant, length: Duration) {
        if self.settings.minutes_per_day > 0 && !length.is_zero() {
            self.talked.push_back((now, Duration::from_mins(length.as_secs().div_ceil(60).max(1))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    fn rule(outcome: Result<(), Refused>) -> &'static str {
        outcome.map_or_else(|refused| refused.rule, |()| "")
    }

    #[test]
    fn only_numbers_that_are_allowed_are_called() {
        let allow = vec!["+49*".parse().unwrap(), "100".parse().unwrap()];
        let mut tolls = Tolls::new(Settings { allow, ..Settings::default() });
        assert_eq!(rule(tolls.begin(at(0), "+4930123")), "");
        assert_eq!(rule(tolls.begin(at(0), "100")), "");
        assert_eq!(rule(tolls.begin(at(0), "+883123")), "outbound.allow");
        assert_eq!(tolls.refused(), 1);
    }

    #[test]
    fn calls_a_minute_slide() {
        let mut tolls = Tolls::new(Settings { calls_per_minute: 2, ..Settings::default() });
        assert_eq!(
            [0, 30, 59, 60, 61].map(|s| rule(tolls.begin(at(s), "1")).is_empty()),
            [true, true, false, true, false]
        );
    }

    #[test]
    fn minutes_a_day_are_counted_as_begun() {
        let mut tolls = Tolls::new(Settings { minutes_per_day: 3, ..Settings::default() });
        tolls.ended(at(0), Duration::from_secs(61));
        assert_eq!(rule(tolls.begin(at(1), "1")), "");
        tolls.ended(at(10), Duration::from_secs(1));
        assert_eq!(rule(tolls.begin(at(11), "1")), "outbound.minutes_per_day");
        assert_eq!(rule(tolls.begin(at(86_400), "1")), "");
    }
}
