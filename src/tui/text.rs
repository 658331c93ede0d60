//! Text measured in terminal cells, and numbers as the monitor writes them.
//!
//! Owns: cutting, padding and wrapping by display width, clocks, and `—` for what is not known. Everything
//! that came from outside passes [`clean`] or [`wrap`] before it is drawn, so no escape sequence and no
//! change of writing direction reaches the terminal. Does not know what it formats. Called by the columns,
//! the panes and the overlays.

use crate::redact::printable;
use std::iter::repeat_n;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What is shown for a figure that nobody knows; a zero would be a lie.
pub const UNKNOWN: &str = "—";

/// A screen shows less than this; longer texts are cut before they are measured.
const LONGEST_CHARS: usize = 8_000;

/// Text from outside on one line: control characters as escapes, direction marks dropped.
#[must_use]
pub fn clean(text: &str) -> String {
    let kept: String = text.chars().take(LONGEST_CHARS).filter(|c| !turns_direction(*c)).collect();
    printable(&kept).into_owned()
}

/// These reorder the cells around them, so a caller's name could rewrite the line that it stands in.
const fn turns_direction(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Cells that `text` takes.
#[must_use]
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text in at most `cells` cells, cut with `…`.
#[must_use]
pub fn fit(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let Some(room) = cells.checked_sub(1) else { return String::new() };
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += UnicodeWidthChar::width(c).unwrap_or(0);
        if used > room {
            break;
        }
        kept.push(c);
    }
    // A variation selector can make the whole wider than its characters.
    while width(&kept) > room && kept.pop().is_some() {}
    kept.push('…');
    kept
}

/// The text in exactly `cells` cells, from the left.
#[must_use]
pub fn left(text: &str, cells: usize) -> String {
    let mut text = fit(text, cells);
    let missing = cells.saturating_sub(width(&text));
    text.extend(repeat_n(' ', missing));
    text
}

/// The text in exactly `cells` cells, to the right.
#[must_use]
pub fn right(text: &str, cells: usize) -> String {
    let text = fit(text, cells);
    let mut padded: String = repeat_n(' ', cells.saturating_sub(width(&text))).collect();
    padded.push_str(&text);
    padded
}

/// Words in lines of at most `cells` cells (at least two); a word that is longer is broken.
#[must_use]
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let flat: String = text.chars().take(LONGEST_CHARS).map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let cells = cells.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in clean(&flat).split(' ').filter(|word| !word.is_empty()) {
        let needed = width(word) + usize::from(!line.is_empty());
        if used + needed <= cells {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            used += needed;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        for c in word.chars() {
            let more = UnicodeWidthChar::width(c).unwrap_or(0);
            if used + more > cells {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            used += more;
            line.push(c);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A number with so many decimals, or [`UNKNOWN`].
#[must_use]
pub fn number(value: Option<f64>, decimals: usize) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.decimals$}"),
        _ => UNKNOWN.to_owned(),
    }
}

/// The number followed by its unit, or [`UNKNOWN`] alone.
#[must_use]
pub fn with_unit(value: Option<f64>, decimals: usize, unit: &str) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.decimals$}{unit}"),
        _ => UNKNOWN.to_owned(),
    }
}

/// A count with its digits in groups of three: `12 604`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// Seconds as `4:12`, from one hour on as `1h02`, from one hundred hours on as `4d04`.
#[must_use]
pub fn clock(seconds: f64) -> String {
    let whole = whole(seconds);
    let (hours, minutes) = (whole / 3_600, whole / 60 % 60);
    match hours {
        0 => format!("{minutes}:{:02}", whole % 60),
        1..100 => format!("{hours}h{minutes:02}"),
        _ => format!("{}d{:02}", hours / 24, hours % 24),
    }
}

/// Wall-clock time, `14:02:31.383`, of `t` seconds after an RFC 3339 time; none if that is not one.
#[must_use]
pub fn time_of_day(started: &str, t: f64) -> Option<String> {
    let hours: f64 = started.get(11..13)?.parse().ok()?;
    let minutes: f64 = started.get(14..16)?.parse().ok()?;
    let seconds: f64 = started
        .get(17..)
        .and_then(|rest| rest.trim_end_matches('Z').parse().ok())
        .or_else(|| started.get(17..19)?.parse().ok())?;
    let millis = whole((hours * 3_600.0 + minutes * 60.0 + seconds + t) * 1_000.0 + 0.5) % 86_400_000;
    let (whole, rest) = (millis / 1_000, millis % 1_000);
    Some(format!("{:02}:{:02}:{:02}.{rest:03}", whole / 3_600, whole / 60 % 60, whole % 60))
}

/// The whole part of a number that is not negative; nonsense is zero.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates and takes NaN as 0")]
pub fn whole(value: f64) -> u64 {
    value.max(0.0) as u64
}

/// A number of cells or rows as ratatui counts them.
#[must_use]
pub fn cells(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_are_cut_by_cells_not_by_letters() {
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 1), "…");
        assert_eq!(fit("日本語", 0), "");
        assert_eq!(width(&left("日本語", 4)), 4);
        assert_eq!(right("7", 3), "  7");
    }

    #[test]
    fn words_wrap_and_long_ones_break() {
        assert_eq!(wrap("two words\r\nmore", 5), ["two", "words", "more"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("語語", 0), ["語", "語"]);
        assert!(wrap("  ", 5).is_empty());
    }

    #[test]
    fn no_name_can_drive_the_terminal() {
        assert_eq!(clean("a\u{1b}[2J\u{202e}b"), "a\\u{1b}[2Jb");
        assert!(wrap("x\u{1b}[31my", 40)[0].starts_with("x\\u{1b}"));
    }

    #[test]
    fn numbers_and_clocks() {
        assert_eq!(count(12_604), "12 604");
        assert_eq!(count(7), "7");
        assert_eq!(number(None, 1), "—");
        assert_eq!(number(Some(f64::NAN), 1), "—");
        assert_eq!(clock(252.9), "4:12");
        assert_eq!(clock(3_725.0), "1h02");
        assert_eq!(clock(-1.0), "0:00");
        assert_eq!(time_of_day("2026-11-21T23:59:59.5Z", 1.0).as_deref(), Some("00:00:00.500"));
        assert_eq!(time_of_day("", 1.0), None);
    }
}
