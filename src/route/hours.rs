//! Times of the week: `Mon-Fri 08:00-18:00`, `Sat,Sun`, `22:00-06:00`.

use crate::clock::WallTime;
use jiff::{civil::DateTime, tz::TimeZone};
use std::{fmt, str::FromStr};

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAY_MINUTES: u16 = 24 * 60;

/// A minute of the week, local time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// 0 is Monday.
    day: u8,
    /// Since midnight.
    minute: u16,
}

impl Moment {
    /// A moment of the calendar.
    #[must_use]
    pub fn of(time: DateTime) -> Self {
        let day = u8::try_from(time.weekday().to_monday_zero_offset()).unwrap_or(0);
        let part = |value: i8| u16::try_from(value).unwrap_or(0);
        Self { day, minute: part(time.hour()) * 60 + part(time.minute()) }
    }

    /// What the clocks of `zone` show.
    #[must_use]
    pub fn in_zone(wall: WallTime, zone: &TimeZone) -> Self {
        let micros = i64::try_from(wall.0).unwrap_or(i64::MAX);
        let stamp = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Self::of(zone.to_datetime(stamp))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:02}:{:02}", DAYS[usize::from(self.day % 7)], self.minute / 60, self.minute % 60)
    }
}

/// Days and a span of each; one that crosses midnight belongs to the day on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    text: String,
    days: [bool; 7],
    from: u16,
    to: u16,
}

impl Hours {
    /// Whether the moment lies in them; the last minute does not.
    #[must_use]
    pub fn contains(&self, at: Moment) -> bool {
        let today = usize::from(at.day % 7);
        let yesterday = (today + 6) % 7;
        if self.from < self.to {
            return self.days[today] && (self.from..self.to).contains(&at.minute);
        }
        self.days[today] && at.minute >= self.from || self.days[yesterday] && at.minute < self.to
    }
}

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no time; write Mon-Fri 08:00-18:00, Sat,Sun or 22:00-06:00");
        let (mut days, mut span) = (None, None);
        for word in text.split_whitespace() {
            let is_clock = word.starts_with(|c: char| c.is_ascii_digit());
            if is_clock && span.is_none() {
                span = Some(read_span(word).ok_or_else(wrong)?);
            } else if !is_clock && days.is_none() && span.is_none() {
                days = Some(read_days(word).ok_or_else(wrong)?);
            } else {
                return Err(wrong());
            }
        }
        if days.is_none() && span.is_none() {
            return Err(wrong());
        }
        let (from, to) = span.unwrap_or((0, DAY_MINUTES));
        if from == to {
            return Err(format!("'{text}' begins when it ends; for whole days leave the hours out"));
        }
        Ok(Self { text: text.to_owned(), days: days.unwrap_or([true; 7]), from, to })
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `Mon-Fri`, `Fri-Mon`, `Tue,Thu`.
fn read_days(word: &str) -> Option<[bool; 7]> {
    let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
    let mut days = [false; 7];
    for part in word.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        for step in 0..=(last + 7 - first) % 7 {
            days[(first + step) % 7] = true;
        }
    }
    Some(days)
}

/// `08:00-18:00` in minutes.
fn read_span(word: &str) -> Option<(u16, u16)> {
    let (from, to) = word.split_once('-')?;
    let (from, to) = (read_clock(from)?, read_clock(to)?);
    (from < DAY_MINUTES).then_some((from, to))
}

fn read_clock(word: &str) -> Option<u16> {
    let (hour, minute) = word.split_once(':')?;
    let two = |digits: &str| (digits.len() <= 2).then(|| digits.parse::<u16>().ok()).flatten();
    let (hour, minute) = (two(hour)?, two(minute).filter(|_| minute.len() == 2)?);
    (minute < 60 && hour * 60 + minute <= DAY_MINUTES).then_some(hour * 60 + minute)
}
