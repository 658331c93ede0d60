//! What calls of ours may cost: numbers that may be called, calls a minute, minutes a day.
//!
//! A stolen password or a caller who talks an agent into a transfer must not be able to spend a fortune overnight.

use super::Pattern;
use crate::clock::Instant;
use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::Duration,
};

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

/// The purse. Calls have names of the kind `C`.
#[derive(Debug)]
pub struct Tolls<C> {
    settings: Settings,
    begun: VecDeque<Instant>,
    /// Calls that ended: when, and how many minutes they cost.
    talked: VecDeque<(Instant, u64)>,
    talking: HashMap<C, Talking>,
    refused: u64,
}

/// A call that was answered. Minutes begun are minutes spent, as carriers count them.
#[derive(Clone, Copy, Debug)]
struct Talking {
    minutes: u64,
    /// Another minute begins.
    next_at: Instant,
    /// It may not begin: the call is to end.
    is_over: bool,
}

impl<C: Copy + Eq + Hash + Ord> Tolls<C> {
    /// Nothing spent yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let (begun, talked) = (VecDeque::new(), VecDeque::new());
        Self { settings, begun, talked, talking: HashMap::new(), refused: 0 }
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
        let minutes = self.minutes(now);
        if self.settings.minutes_per_day > 0 && minutes >= self.settings.minutes_per_day {
            let why = format!("{minutes} minutes were talked within 24 hours");
            return Err(Refused { rule: "outbound.minutes_per_day", why });
        }
        Ok(())
    }

    /// Minutes spent within 24 hours, those of calls that run included.
    fn minutes(&mut self, now: Instant) -> u64 {
        while self.talked.front().is_some_and(|(at, _)| now.since(*at) >= DAY) {
            self.talked.pop_front();
        }
        self.talked.iter().map(|(_, minutes)| minutes).sum::<u64>()
            + self.talking.values().map(|call| call.minutes).sum::<u64>()
    }

    /// A call was answered: its first minute begins, if [`Self::due`] does not end it at once.
    pub fn answered(&mut self, now: Instant, call: C) {
        if self.settings.minutes_per_day > 0 {
            self.talking.insert(call, Talking { minutes: 0, next_at: now, is_over: false });
        }
    }

    /// A call has ended; nothing if it was never answered.
    pub fn ended(&mut self, now: Instant, call: C) {
        if let Some(call) = self.talking.remove(&call)
            && call.minutes > 0
        {
            self.talked.push_back((now, call.minutes));
        }
    }

    /// When the next minute of a call begins.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        let next = self.talking.values().filter(|call| !call.is_over).map(|call| call.next_at).min();
        next.unwrap_or(Instant::FAR_FUTURE)
    }

    /// Begins the minutes that are due. Gives the calls that are to end because there are none left, each once.
    pub fn due(&mut self, now: Instant) -> Vec<C> {
        let mut over = Vec::new();
        while self.timeout() <= now {
            let minutes = self.minutes(now);
            let due = self.talking.iter_mut().filter(|(_, call)| !call.is_over && call.next_at <= now);
            // Of those due at once the first by name goes on.
            let Some((name, call)) = due.min_by_key(|(name, call)| (call.next_at, **name)) else { break };
            if minutes < self.settings.minutes_per_day {
                call.minutes += 1;
                call.next_at += MINUTE;
            } else {
                call.is_over = true;
                over.push(*name);
            }
        }
        over
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
        let mut tolls = Tolls::<u32>::new(Settings { allow, ..Settings::default() });
        assert_eq!(rule(tolls.begin(at(0), "+4930123")), "");
        assert_eq!(rule(tolls.begin(at(0), "100")), "");
        assert_eq!(rule(tolls.begin(at(0), "+883123")), "outbound.allow");
        assert_eq!(tolls.refused(), 1);
    }

    #[test]
    fn calls_a_minute_slide() {
        let mut tolls = Tolls::<u32>::new(Settings { calls_per_minute: 2, ..Settings::default() });
        assert_eq!(
            [0, 30, 59, 60, 61].map(|s| rule(tolls.begin(at(s), "1")).is_empty()),
            [true, true, false, true, false]
        );
    }

    #[test]
    fn minutes_a_day_are_counted_as_begun() {
        let mut tolls = Tolls::<u32>::new(Settings { minutes_per_day: 3, ..Settings::default() });
        tolls.answered(at(0), 1);
        assert!(tolls.due(at(61)).is_empty());
        tolls.ended(at(61), 1);
        assert_eq!(rule(tolls.begin(at(62), "1")), "");
        tolls.answered(at(70), 2);
        assert!(tolls.due(at(70)).is_empty());
        tolls.ended(at(71), 2);
        assert_eq!(rule(tolls.begin(at(72), "1")), "outbound.minutes_per_day");
        assert_eq!(rule(tolls.begin(at(86_400 + 61), "1")), "");
    }

    #[test]
    fn calls_that_run_end_where_a_minute_may_not_begin() {
        let mut tolls = Tolls::<u32>::new(Settings { minutes_per_day: 5, ..Settings::default() });
        tolls.answered(at(0), 1);
        assert!(tolls.due(at(0)).is_empty());
        tolls.answered(at(30), 2);
        assert!(tolls.due(at(30)).is_empty());
        // Their minutes: 0 and 60 and 120, 30 and 90.
        assert!(tolls.due(at(149)).is_empty());
        assert_eq!(rule(tolls.begin(at(149), "1")), "outbound.minutes_per_day");
        assert_eq!(tolls.timeout(), at(150));
        assert_eq!(tolls.due(at(150)), [2]);
        assert_eq!(tolls.due(at(179)), [0_u32; 0], "each once");
        assert_eq!(tolls.due(at(180)), [1]);
        assert_eq!(tolls.timeout(), Instant::FAR_FUTURE);
        tolls.ended(at(181), 1);
        tolls.ended(at(181), 2);
        tolls.answered(at(200), 3);
        assert_eq!(tolls.due(at(200)), [3], "it rang while others talked");
    }
}
