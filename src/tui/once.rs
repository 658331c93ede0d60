//! The sessions table without a screen: text for `monitor --once` and CSV.
//!
//! Owns: the layout of both and the safety of the CSV against spreadsheets that run cells as formulas.
//! Columns come from `columns`, selection from `filter`. Pure: text in, text out; the caller prints it.

use super::{
    columns::{self, COLUMNS, Column, Look},
    filter::Filter,
    model::Totals,
    text,
};
use crate::api::model::{SessionView, Snapshot, TrunkView};
use std::fmt::Write as _;

/// Columns of the text, in this order.
const TEXT_COLUMNS: &[&str] =
    &["id", "state", "dir", "from", "to", "agent", "dur", "codec", "jitter", "loss", "mos", "p95", "lint"];
/// Cells between two columns.
const GAP: usize = 2;

/// The table and one line of totals, at most `width` cells wide; 0 is as wide as it needs.
/// `sort` is a column, `p95` or `p95:desc` or `p95:asc`; empty keeps the snapshot's order.
///
/// # Errors
/// Names the columns when `sort` is none of them.
pub fn once_text(
    snapshot: &Snapshot,
    filter: &Filter,
    sort: &str,
    width: u16,
    privacy: bool,
) -> Result<String, String> {
    let rows = once_rows(snapshot, filter, sort)?;
    let look = Look { privacy, words: true };
    let mut columns: Vec<(&Column, usize, Vec<String>)> = TEXT_COLUMNS
        .iter()
        .filter_map(|name| COLUMNS.get(columns::by_name(name)?))
        .map(|column| {
            let cells: Vec<String> = rows.iter().map(|view| (column.cell)(view, look)).collect();
            let widest = cells.iter().map(|cell| text::width(cell)).max().unwrap_or(0);
            (column, widest.max(column.words_header.len()), cells)
        })
        .collect();
    let limit = if width == 0 { usize::MAX } else { usize::from(width) };
    while columns.len() > 1 && columns.iter().map(|(_, wide, _)| wide + GAP).sum::<usize>() > limit.saturating_add(GAP)
    {
        let Some(last) = (0..columns.len()).max_by_key(|at| columns[*at].0.priority) else { break };
        columns.remove(last);
    }
    let mut lines = vec![line(columns.iter().map(|(column, wide, _)| (*column, *wide, column.words_header)))];
    for row in 0..rows.len() {
        lines.push(line(columns.iter().map(|(column, wide, cells)| (*column, *wide, cells[row].as_str()))));
    }
    let totals = Totals::of(rows.iter().copied());
    lines.push(format!(
        "{} of {} calls · {} ringing · loss {} · p95 {}",
        rows.len(),
        snapshot.sessions.len(),
        snapshot.gateway.ringing,
        text::with_unit(totals.loss_percent, 1, "%"),
        text::with_unit(totals.p95_ms, 0, " ms"),
    ));
    lines.extend(snapshot.gateway.trunks.iter().map(trunk_line));
    if snapshot.gateway.draining {
        lines.push("draining: no new calls".to_owned());
    }
    if snapshot.gateway.overloaded {
        lines.push("overloaded: no new calls until media threads keep up".to_owned());
    }
    if !snapshot.gateway.recording_problem.is_empty() {
        lines.push(format!("recording: {}", text::clean(&snapshot.gateway.recording_problem)));
    }
    let mut table: String = lines.iter().map(|line| text::fit(line, limit)).collect::<Vec<_>>().join("\n");
    table.push('\n');
    Ok(table)
}

/// `trunk carrier up · sip:sip.example.org · registered for 423 s · ping 12 ms`
fn trunk_line(trunk: &TrunkView) -> String {
    let mut text = format!("trunk {} {}", text::clean(&trunk.name), text::clean(&trunk.state));
    if let Some(status) = trunk.status {
        let _ = write!(text, " ({status})");
    }
    let _ = write!(text, " · {}", text::clean(&trunk.server));
    if let Some(seconds) = trunk.registered_for_s {
        let _ = write!(text, " · registered for {seconds} s");
    }
    if let Some(ping_ms) = trunk.ping_ms {
        let _ = write!(text, " · ping {}", text::with_unit(Some(ping_ms), 0, " ms"));
    }
    text
}

/// The table with every column as CSV (RFC 4180, line ends `\n`).
///
/// # Errors
/// Names the columns when `sort` is none of them.
pub fn once_csv(snapshot: &Snapshot, filter: &Filter, sort: &str, privacy: bool) -> Result<String, String> {
    let look = Look { privacy, words: true };
    let mut csv = COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>().join(",");
    csv.push('\n');
    for view in once_rows(snapshot, filter, sort)? {
        let cells: Vec<String> = COLUMNS.iter().map(|column| csv_cell(&(column.cell)(view, look))).collect();
        csv.push_str(&cells.join(","));
        csv.push('\n');
    }
    Ok(csv)
}

/// The calls that a filter leaves, sorted as for [`once_text`].
///
/// # Errors
/// Names the columns when `sort` is none of them.
pub fn once_rows<'a>(snapshot: &'a Snapshot, filter: &Filter, sort: &str) -> Result<Vec<&'a SessionView>, String> {
    let mut rows: Vec<&SessionView> = snapshot.sessions.iter().filter(|view| filter.matches(view)).collect();
    if sort.is_empty() {
        return Ok(rows);
    }
    let (name, order) = sort.split_once(':').unwrap_or((sort, "asc"));
    let names = || COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>().join(" ");
    let column = columns::by_name(name)
        .and_then(|at| COLUMNS.get(at))
        .ok_or_else(|| format!("'{name}' is no column; there are {}", names()))?;
    let reverse = match order {
        "asc" => false,
        "desc" => true,
        other => return Err(format!("'{other}' is no order; write {name}:asc or {name}:desc")),
    };
    columns::sort(&mut rows, column, reverse);
    Ok(rows)
}

fn line<'a>(cells: impl Iterator<Item = (&'a Column, usize, &'a str)>) -> String {
    let mut line = String::new();
    for (column, wide, cell) in cells {
        if !line.is_empty() {
            line.extend(std::iter::repeat_n(' ', GAP));
        }
        line.push_str(&if column.right { text::right(cell, wide) } else { text::left(cell, wide) });
    }
    line.trim_end().to_owned()
}

/// Spreadsheets run cells that begin like a formula, and callers choose their own names.
fn csv_cell(text: &str) -> String {
    // A spreadsheet knows an empty cell; a dash in a column of numbers is a word to it.
    let text = if text == text::UNKNOWN { "" } else { text };
    let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{redact::Pii, unit::CallId};

    fn snapshot(from: &str) -> Snapshot {
        let mut view = SessionView::default();
        view.header.call = CallId(1);
        view.header.from = Pii(from.to_owned());
        Snapshot { sessions: vec![view], ..Snapshot::default() }
    }

    #[test]
    fn a_caller_cannot_plant_a_formula() {
        let csv = once_csv(&snapshot("=cmd|' /C calc'!A0,\"x\""), &Filter::default(), "", false).unwrap();
        assert!(csv.contains("\"'=cmd|"), "{csv}");
        let csv = once_csv(&snapshot("+4930"), &Filter::default(), "", false).unwrap();
        assert!(csv.contains(",'+4930,"), "{csv}");
    }

    #[test]
    fn text_drops_columns_that_do_not_fit() {
        let snapshot = snapshot("+49301234567");
        let all = once_text(&snapshot, &Filter::default(), "", 0, false).unwrap();
        assert!(all.starts_with("ID"), "{all}");
        assert!(all.contains("+49301234567") && all.contains("LINT"));
        for width in 1..120 {
            let text = once_text(&snapshot, &Filter::default(), "p95:desc", width, true).unwrap();
            assert!(text.lines().all(|line| text::width(line) <= usize::from(width)), "{text}");
            assert!(!text.contains("+49301234567"));
        }
    }

    #[test]
    fn what_is_wrong_with_the_gateway_is_said() {
        let mut snapshot = snapshot("+4930");
        snapshot.gateway.draining = true;
        snapshot.gateway.overloaded = true;
        snapshot.gateway.recording_problem = "cannot write to /calls: no space".to_owned();
        let text = once_text(&snapshot, &Filter::default(), "", 0, false).unwrap();
        assert!(text.ends_with("draining: no new calls\noverloaded: no new calls until media threads keep up\nrecording: cannot write to /calls: no space\n"), "{text}");
    }

    #[test]
    fn a_wrong_sort_names_the_right_ones() {
        let problem = once_text(&Snapshot::default(), &Filter::default(), "speed", 80, false).unwrap_err();
        assert!(problem.contains("p95"), "{problem}");
        assert!(once_csv(&Snapshot::default(), &Filter::default(), "p95:up", false).is_err());
    }
}
