//! One monotonic clock for the whole gateway.
//!
//! Owns the [`Instant`] that every pure machine takes as `now`, and the only two places that make one:
//! [`SystemClock`] (shells) and [`VirtualClock`] (replay, tests). Pure code never asks for the time.

use std::{
    ops::{Add, AddAssign, Sub},
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A point on the clock: nanoseconds since the clock's origin.
///
/// Unlike [`std::time::Instant`] it can be made from a number, so a capture's time stamps and a
/// simulated clock are ordinary values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The clock's origin.
    pub const ZERO: Self = Self(0);
    /// "Not happening": later than anything a machine will be asked about.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// `micros` microseconds after the origin.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros * 1_000)
    }

    /// `millis` milliseconds after the origin.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Milliseconds since `earlier`, signed, with fractions.
    #[must_use]
    pub fn signed_ms_since(self, earlier: Self) -> f64 {
        if self.0 >= earlier.0 { (self.0 - earlier.0) as f64 / 1e6 } else { -((earlier.0 - self.0) as f64 / 1e6) }
    }

    /// Whether this stands for "not happening".
    #[must_use]
    pub const fn is_far_future(self) -> bool {
        self.0 == u64::MAX
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// Microseconds since 1970 (UTC): what a journal's header and RTCP's NTP stamps are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime(pub u64);

impl WallTime {
    /// This moment plus `span`.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }

    /// 64-bit NTP time (RFC 5905 §6): seconds since 1900 in the high half, fraction in the low.
    #[must_use]
    pub const fn ntp(self) -> u64 {
        let seconds = self.0 / 1_000_000 + 2_208_988_800;
        let fraction = ((self.0 % 1_000_000) << 32) / 1_000_000;
        (seconds << 32) | fraction
    }

    /// RFC 3339 text in UTC with milliseconds.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let micros = i64::try_from(self.0).unwrap_or(i64::MAX);
        jiff::Timestamp::from_microsecond(micros)
            .map(|stamp| stamp.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
            .unwrap_or_default()
    }
}

/// The process's real clock. All copies share one origin.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

static ORIGIN: OnceLock<std::time::Instant> = OnceLock::new();

impl SystemClock {
    fn origin() -> std::time::Instant {
        *ORIGIN.get_or_init(std::time::Instant::now)
    }

    /// Now, on the monotonic clock.
    #[must_use]
    pub fn now() -> Instant {
        Instant(u64::try_from(Self::origin().elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Now, on the wall clock.
    #[must_use]
    pub fn wall() -> WallTime {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
    }

    /// The runtime's spelling of `at`, for its timers.
    #[must_use]
    pub fn deadline(at: Instant) -> tokio::time::Instant {
        let a_day_away = Duration::from_hours(24).min(at.since(Self::now()));
        tokio::time::Instant::from_std(Self::origin() + (Self::now() + a_day_away).since(Instant::ZERO))
    }
}

/// A clock that moves only when told.
#[derive(Clone, Copy, Debug, Default)]
pub struct VirtualClock {
    now: Instant,
}

impl VirtualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub const fn starting_at(now: Instant) -> Self {
        Self { now }
    }

    /// Where the clock stands.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Moves to `at`; never backwards.
    pub fn advance_to(&mut self, at: Instant) {
        self.now = self.now.max(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_saturate_instead_of_wrapping() {
        assert_eq!(Instant::FAR_FUTURE + Duration::from_secs(1), Instant::FAR_FUTURE);
        assert_eq!(Instant::from_millis(5) - Instant::from_millis(9), Duration::ZERO);
        assert!((Instant::from_millis(5).signed_ms_since(Instant::from_millis(9)) + 4.0).abs() < 1e-9);
    }

    #[test]
    fn ntp_time_counts_from_1900() {
        let unix_zero_and_a_half = WallTime(500_000);
        assert_eq!(unix_zero_and_a_half.ntp() >> 32, 2_208_988_800);
        assert_eq!(unix_zero_and_a_half.ntp() & 0xffff_ffff, 0x8000_0000);
    }
}
