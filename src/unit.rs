//! The numbers of this trade, each with its unit in the type.
//!
//! Depends on nothing of ours; everybody uses it.

use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Samples per second of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SampleRate(pub u32);

impl SampleRate {
    /// G.711.
    pub const HZ_8000: Self = Self(8_000);
    /// What Gemini Live hears.
    pub const HZ_16000: Self = Self(16_000);
    /// What Gemini Live speaks.
    pub const HZ_24000: Self = Self(24_000);
    /// Opus.
    pub const HZ_48000: Self = Self(48_000);

    /// Samples in `span`, rounded down.
    #[must_use]
    pub fn samples_in(self, span: Duration) -> usize {
        usize::try_from(span.as_nanos() * u128::from(self.0) / 1_000_000_000).unwrap_or(usize::MAX)
    }

    /// How long `samples` last; zero for a rate of zero.
    #[must_use]
    pub fn duration_of(self, samples: usize) -> Duration {
        if self.0 == 0 {
            return Duration::ZERO;
        }
        let nanos = samples as u128 * 1_000_000_000 / u128::from(self.0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// Milliseconds of audio in one RTP packet: 10 to 60 (RFC 3551 §4.2 allows 0 to 200).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ptime(u8);

impl Ptime {
    /// The usual one.
    pub const MS_20: Self = Self(20);

    /// The nearest length that this gateway sends: a multiple of 10 from 10 to 60.
    #[must_use]
    pub fn nearest(ms: u32) -> Self {
        let tens = (ms.min(1_000) + 5) / 10;
        Self(u8::try_from(tens.clamp(1, 6) * 10).unwrap_or(20))
    }

    /// In milliseconds.
    #[must_use]
    pub const fn ms(self) -> u8 {
        self.0
    }

    /// As a time span.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64)
    }
}

/// RTP payload type, 0 to 127 (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PayloadType(pub u8);

/// RTP synchronisation source (RFC 3550 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ssrc(pub u32);

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

/// Level relative to digital full scale: 0 is the loudest, silence is about −96.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DbFs(pub f32);

impl DbFs {
    /// What is said of digital silence.
    pub const SILENCE: Self = Self(-96.0);

    /// Level of a mean square of 16-bit samples.
    #[must_use]
    pub fn of_mean_square(mean_square: f32) -> Self {
        if mean_square <= 0.26 {
            return Self::SILENCE;
        }
        Self(10.0 * (mean_square / (32_768.0 * 32_768.0)).log10())
    }
}

/// Estimated mean opinion score, 1.0 to 4.5 (ITU-T G.107 Annex B).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mos(pub f32);

/// Names a call within one gateway: `c-` and eight hex digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u32);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c-{:08x}", self.0)
    }
}

impl std::str::FromStr for CallId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("c-").unwrap_or(text);
        if digits.is_empty() || digits.len() > 8 {
            return Err(format!("'{text}' is no call id; they look like c-7f3a0c11"));
        }
        u32::from_str_radix(digits, 16)
            .map(Self)
            .map_err(|_| format!("'{text}' is no call id; they look like c-7f3a0c11"))
    }
}

impl Serialize for CallId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Numbers the turns of one call from 1; turn 1 is the greeting if the agent speaks first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TurnId(pub u32);

/// Parses a time span with its unit: `20ms`, `5s`, `2m`, `1h`.
///
/// # Errors
/// A number without a unit is an error that shows the right spelling.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let value: f64 = number.parse().map_err(|_| format!("'{text}' is no time span; write 20ms, 5s, 2m or 1h"))?;
    let seconds = match unit.trim() {
        "ms" => value / 1_000.0,
        "s" => value,
        "m" | "min" => value * 60.0,
        "h" => value * 3_600.0,
        "d" => value * 86_400.0,
        "" => return Err(format!("'{text}' has no unit; did you mean {text}s or {text}ms?")),
        other => return Err(format!("'{other}' is no unit of time; use ms, s, m, h or d")),
    };
    if !(0.0..=31_536_000.0).contains(&seconds) {
        return Err(format!("'{text}' is out of range; at most one year"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Parses a size with its unit: `500M`, `20G`, `4096B`.
///
/// # Errors
/// A number without a unit is an error that shows the right spelling.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let value: u64 = number.parse().map_err(|_| format!("'{text}' is no size; write 500M or 20G"))?;
    if unit.trim().is_empty() {
        return Err(format!("'{text}' has no unit; did you mean {text}G or {text}M?"));
    }
    let factor: u64 = match unit.trim().to_ascii_uppercase().trim_end_matches("IB").trim_end_matches('B') {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err(format!("'{unit}' is no unit of size; use K, M, G or T")),
    };
    value.checked_mul(factor).ok_or_else(|| format!("'{text}' is too large"))
}

/// Parses a rate: `10/s` or `30/m`, as events per second.
///
/// # Errors
/// A number without a unit is an error that shows the right spelling.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    let (number, unit) = text.split_once('/').ok_or_else(|| format!("'{text}' has no unit; did you mean {text}/s?"))?;
    let value: f64 = number.trim().parse().map_err(|_| format!("'{text}' is no rate; write 10/s"))?;
    let per_second = match unit.trim() {
        "s" => value,
        "m" | "min" => value / 60.0,
        other => return Err(format!("'/{other}' is no rate; use /s or /m")),
    };
    if per_second.is_finite() && per_second > 0.0 {
        Ok(per_second)
    } else {
        Err(format!("'{text}' is no rate above zero"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ptime_is_rounded_into_what_we_send() {
        assert_eq!(Ptime::nearest(0).ms(), 10);
        assert_eq!(Ptime::nearest(30).ms(), 30);
        assert_eq!(Ptime::nearest(200).ms(), 60);
        assert_eq!(Ptime::nearest(u32::MAX).ms(), 60);
    }

    #[test]
    fn durations_need_a_unit_and_say_so() {
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert!(parse_duration("30").unwrap_err().contains("30s or 30ms"));
        assert!(parse_duration("-3s").is_err());
        assert!(parse_duration("s").is_err());
    }

    #[test]
    fn sizes_and_rates() {
        assert_eq!(parse_size("20G"), Ok(20 << 30));
        assert_eq!(parse_size("64KiB"), Ok(64 << 10));
        assert_eq!(parse_size("4096B"), Ok(4_096));
        assert!(parse_size("20").unwrap_err().contains("20G or 20M"));
        assert!(parse_size("99999999999T").is_err());
        assert_eq!(parse_rate("30/m"), Ok(0.5));
        assert!(parse_rate("10").is_err());
        assert!(parse_rate("0/s").is_err());
    }

    #[test]
    fn call_ids_round_trip() {
        let id = CallId(0x7f3a);
        assert_eq!(id.to_string().parse::<CallId>(), Ok(id));
        assert!("c-xyz".parse::<CallId>().is_err());
        assert!("c-+1".parse::<CallId>().is_ok_and(|id| id == CallId(1)) || "c-+1".parse::<CallId>().is_err());
    }
}
