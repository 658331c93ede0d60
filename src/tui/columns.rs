//! The columns of the sessions table, as one table of their own.
//!
//! Owns: header, widths, priority, cell text and sort key of each column, and the choice of columns for a
//! width: they drop by priority and are never squeezed below their minimum; what room is left goes to the
//! ones that can use it. Draws nothing. Called by the sessions pane, `--once` and the CSV, so all three agree.

use super::{text, theme};
use crate::{
    api::model::SessionView,
    call::journal::{CallState, Direction, Level},
    redact::Pii,
};
use std::cmp::Ordering;

/// How cells are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Mask numbers.
    pub privacy: bool,
    /// Words instead of glyphs, for text that is not a screen.
    pub words: bool,
}

/// What a column is sorted by.
#[derive(Clone, Debug, PartialEq)]
pub enum SortKey {
    /// A figure; unknown ones stay at the end in either direction.
    Number(Option<f64>),
    /// Letters.
    Text(String),
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in `--sort` and in the CSV's first line.
    pub name: &'static str,
    /// Its heading on the screen.
    pub header: &'static str,
    /// Its heading where cells are words.
    pub words_header: &'static str,
    /// It is dropped rather than made narrower.
    pub min: u16,
    /// More would be empty.
    pub max: u16,
    /// The highest number is dropped first.
    pub priority: u8,
    /// Numbers stand to the right.
    pub right: bool,
    /// Its text.
    pub cell: fn(&SessionView, Look) -> String,
    /// What it is sorted by.
    pub key: fn(&SessionView) -> SortKey,
}

/// Every column from left to right.
pub static COLUMNS: &[Column] = &[
    Column {
        name: "id",
        header: "ID",
        words_header: "ID",
        min: 10,
        max: 10,
        priority: 0,
        right: false,
        cell: |view, _| view.call().to_string(),
        key: |view| SortKey::Text(view.call().to_string()),
    },
    Column {
        name: "state",
        header: "S",
        words_header: "STATE",
        min: 1,
        max: 1,
        priority: 1,
        right: false,
        cell: |view, look| if look.words { view.state.name() } else { theme::state_glyph(view.state) }.to_owned(),
        key: |view| SortKey::Text(view.state.name().to_owned()),
    },
    Column {
        name: "dir",
        header: "D",
        words_header: "DIR",
        min: 1,
        max: 1,
        priority: 7,
        right: false,
        cell: direction,
        key: |view| SortKey::Text(view.header.direction.name().to_owned()),
    },
    Column {
        name: "start",
        header: "START",
        words_header: "START",
        min: 8,
        max: 8,
        priority: 13,
        right: false,
        cell: |view, _| start(view),
        key: |view| SortKey::Text(view.header.started.clone()),
    },
    Column {
        name: "from",
        header: "FROM",
        words_header: "FROM",
        min: 12,
        max: 16,
        priority: 2,
        right: false,
        cell: |view, look| party(&view.header.from, look),
        key: |view| SortKey::Text(view.header.from.0.clone()),
    },
    Column {
        name: "to",
        header: "TO",
        words_header: "TO",
        min: 6,
        max: 12,
        priority: 11,
        right: false,
        cell: |view, look| party(&view.header.to, look),
        key: |view| SortKey::Text(view.header.to.0.clone()),
    },
    Column {
        name: "agent",
        header: "AGENT",
        words_header: "AGENT",
        min: 6,
        max: 12,
        priority: 8,
        right: false,
        cell: |view, _| or_unknown(&view.header.agent),
        key: |view| SortKey::Text(view.header.agent.clone()),
    },
    Column {
        name: "dur",
        header: "DUR",
        words_header: "DUR",
        min: 5,
        max: 5,
        priority: 3,
        right: true,
        cell: |view, _| text::clock(view.t),
        key: |view| SortKey::Number(Some(view.t)),
    },
    Column {
        name: "codec",
        header: "CODEC",
        words_header: "CODEC",
        min: 5,
        max: 6,
        priority: 12,
        right: false,
        cell: |view, _| or_unknown(codec(view)),
        key: |view| SortKey::Text(codec(view).to_owned()),
    },
    Column {
        name: "jitter",
        header: "JIT",
        words_header: "JIT",
        min: 4,
        max: 4,
        priority: 10,
        right: true,
        cell: |view, _| text::number(jitter(view), 1),
        key: |view| SortKey::Number(jitter(view)),
    },
    Column {
        name: "loss",
        header: "LOSS",
        words_header: "LOSS",
        min: 4,
        max: 4,
        priority: 9,
        right: true,
        cell: |view, _| text::number(loss(view), 1),
        key: |view| SortKey::Number(loss(view)),
    },
    Column {
        name: "mos",
        header: "MOS",
        words_header: "MOS",
        min: 3,
        max: 3,
        priority: 6,
        right: true,
        cell: |view, _| text::number(view.inbound.mos, 1),
        key: |view| SortKey::Number(view.inbound.mos),
    },
    Column {
        name: "turns",
        header: "TURNS",
        words_header: "TURNS",
        min: 5,
        max: 5,
        priority: 14,
        right: true,
        cell: |view, _| view.turns.len().to_string(),
        key: |view| SortKey::Number(Some(f64::from(u32::try_from(view.turns.len()).unwrap_or(u32::MAX)))),
    },
    Column {
        name: "p50",
        header: "P50",
        words_header: "P50",
        min: 4,
        max: 5,
        priority: 15,
        right: true,
        cell: |view, _| text::number(view.gap_percentile_ms(50.0), 0),
        key: |view| SortKey::Number(view.gap_percentile_ms(50.0)),
    },
    Column {
        name: "p95",
        header: "P95",
        words_header: "P95",
        min: 4,
        max: 5,
        priority: 4,
        right: true,
        cell: |view, _| text::number(view.gap_percentile_ms(95.0), 0),
        key: |view| SortKey::Number(view.gap_percentile_ms(95.0)),
    },
    Column {
        name: "cuts",
        header: "CUTS",
        words_header: "CUTS",
        min: 4,
        max: 4,
        priority: 16,
        right: true,
        cell: |view, _| cuts(view).to_string(),
        key: |view| SortKey::Number(Some(f64::from(cuts(view)))),
    },
    Column {
        name: "lint",
        header: "LINT",
        words_header: "LINT",
        min: 4,
        max: 4,
        priority: 5,
        right: false,
        cell: lint,
        key: |view| SortKey::Number(Some(severity(view))),
    },
    Column {
        name: "note",
        header: "NOTE",
        words_header: "NOTE",
        min: 12,
        max: 60,
        priority: 17,
        right: false,
        cell: |view, _| note(view),
        key: |view| SortKey::Text(note(view)),
    },
];

/// A column by its name or heading, any case, and its index.
#[must_use]
pub fn by_name(name: &str) -> Option<usize> {
    let same = |known: &str| known.eq_ignore_ascii_case(name);
    COLUMNS.iter().position(|column| same(column.name) || same(column.header))
}

/// Sorts rows; rows that are equal keep their order.
pub fn sort(rows: &mut [&SessionView], column: &Column, reverse: bool) {
    rows.sort_by(|a, b| match ((column.key)(a), (column.key)(b)) {
        (SortKey::Number(Some(a)), SortKey::Number(Some(b))) => turned(a.total_cmp(&b), reverse),
        (SortKey::Number(a), SortKey::Number(b)) => b.is_some().cmp(&a.is_some()),
        (SortKey::Text(a), SortKey::Text(b)) => turned(a.cmp(&b), reverse),
        // A column gives one kind of key.
        (SortKey::Number(_), SortKey::Text(_)) | (SortKey::Text(_), SortKey::Number(_)) => Ordering::Equal,
    });
}

const fn turned(order: Ordering, reverse: bool) -> Ordering {
    if reverse { order.reverse() } else { order }
}

/// The columns that fit into `width` cells with one cell between them, and how wide each one is.
#[must_use]
pub fn chosen(width: u16) -> Vec<(usize, &'static Column, u16)> {
    let mut order: Vec<usize> = (0..COLUMNS.len()).collect();
    order.sort_by_key(|at| COLUMNS[*at].priority);
    let mut left = width;
    let mut taken: Vec<(usize, &'static Column, u16)> = Vec::new();
    for at in order {
        let column = &COLUMNS[at];
        let needed = column.min + u16::from(!taken.is_empty());
        let Some(rest) = left.checked_sub(needed) else { break };
        left = rest;
        taken.push((at, column, column.min));
    }
    // Still in the order of priority: the important ones grow first.
    for (_, column, cells) in &mut taken {
        let more = left.min(column.max - column.min);
        *cells += more;
        left -= more;
    }
    taken.sort_by_key(|(at, ..)| *at);
    taken
}

fn direction(view: &SessionView, look: Look) -> String {
    let name = match (view.header.direction, look.words) {
        (direction, true) => direction.name(),
        (Direction::In, false) => "i",
        (Direction::Out, false) => "o",
    };
    name.to_owned()
}

fn start(view: &SessionView) -> String {
    text::time_of_day(&view.header.started, 0.0)
        .and_then(|time| time.get(..8).map(str::to_owned))
        .unwrap_or_else(|| text::UNKNOWN.to_owned())
}

fn party(party: &Pii, look: Look) -> String {
    or_unknown(&party.shown(look.privacy))
}

fn or_unknown(text: &str) -> String {
    if text.is_empty() { text::UNKNOWN.to_owned() } else { text::clean(text) }
}

fn codec(view: &SessionView) -> &str {
    view.media.as_ref().map_or("", |media| media.codec.as_str())
}

fn jitter(view: &SessionView) -> Option<f64> {
    (view.inbound.packets > 0).then_some(view.inbound.jitter_ms)
}

fn loss(view: &SessionView) -> Option<f64> {
    (view.inbound.packets > 0).then_some(view.inbound.loss_percent)
}

fn cuts(view: &SessionView) -> u32 {
    u32::try_from(view.turns.iter().filter(|turn| turn.cut).count()).unwrap_or(u32::MAX)
}

fn severity(view: &SessionView) -> f64 {
    let worst = match view.worst_lint() {
        None => 0.0,
        Some(Level::Info) => 1_000.0,
        Some(Level::Warn) => 2_000.0,
        Some(Level::Error) => 3_000.0,
    };
    worst + f64::from(u32::try_from(view.lints.len()).unwrap_or(u32::MAX))
}

/// `!!2` is the worst level and how many; a call that failed without a lint shows its status.
fn lint(view: &SessionView, look: Look) -> String {
    if look.words {
        return view.lints.iter().map(|lint| text::clean(&lint.name)).collect::<Vec<_>>().join(" ");
    }
    match (view.worst_lint(), view.status) {
        (Some(level), _) => format!("{}{}", theme::level_mark(level), view.lints.len()),
        (None, Some(status)) if view.state == CallState::Failed => status.to_string(),
        (None, _) => String::new(),
    }
}

fn note(view: &SessionView) -> String {
    let mut words: Vec<String> = Vec::new();
    if view.state == CallState::Failed {
        words.extend(view.status.map(|status| status.to_string()));
    }
    words.extend(view.lints.iter().map(|lint| format!("{} {}", theme::level_mark(lint.level), lint.name)));
    if !view.reason.is_empty() {
        words.push(view.reason.clone());
    }
    text::clean(&words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_drop_by_priority_and_are_never_squeezed() {
        for width in 0..300 {
            let chosen = chosen(width);
            let used: u16 = chosen.iter().map(|(_, _, cells)| cells + 1).sum();
            assert!(used <= width + 1, "{width}");
            assert!(chosen.iter().all(|(_, column, cells)| *cells >= column.min && *cells <= column.max));
        }
        let names: Vec<_> = chosen(79).iter().map(|(_, column, _)| column.header).collect();
        assert_eq!(names, ["ID", "S", "D", "FROM", "TO", "AGENT", "DUR", "CODEC", "JIT", "LOSS", "MOS", "P95", "LINT"]);
        assert_eq!(chosen(200).len(), COLUMNS.len());
    }

    #[test]
    fn priorities_are_all_different() {
        let mut priorities: Vec<_> = COLUMNS.iter().map(|column| column.priority).collect();
        priorities.sort_unstable();
        priorities.dedup();
        assert_eq!(priorities.len(), COLUMNS.len());
    }

    #[test]
    fn the_unknown_stands_last_in_either_direction() {
        let view = |mos| {
            let mut view = SessionView::default();
            view.inbound.mos = mos;
            view
        };
        let (low, high, unknown) = (view(Some(2.0)), view(Some(4.0)), view(None));
        let column = &COLUMNS[by_name("MOS").unwrap()];
        let mut rows = [&unknown, &low, &high];
        sort(&mut rows, column, true);
        assert_eq!(rows.map(|view| view.inbound.mos), [Some(4.0), Some(2.0), None]);
        sort(&mut rows, column, false);
        assert_eq!(rows.map(|view| view.inbound.mos), [Some(2.0), Some(4.0), None]);
    }
}
