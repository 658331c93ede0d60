//! The turns: how long the caller waited each time, and what the wait was made of.
//!
//! Owns: the waterfall (one letter per part, first letter of its name), the list of the chosen turn's parts
//! with who can shorten each, and what counts as slow. The parts of a turn sum to its gap; that is the
//! journal's promise. The talk pane borrows the bar, the sessions pane the line of parts.

use super::{nothing, paint, rule, take_bottom, take_top};
use crate::{
    api::model::SessionView,
    call::journal::Turn,
    redact::mask,
    tui::{model::Model, text},
};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

/// A gap from here on is marked.
pub const SLOW_GAP_MS: f64 = 1_000.0;
/// Milliseconds in one letter of the bars beside the transcript.
pub const TALK_CELL_MS: f64 = 50.0;
/// A lower pane shows the list only.
const PARTS_FROM_ROWS: u16 = 12;
/// A narrower pane shows no words in the list.
const WORDS_FROM_COLUMNS: usize = 72;

/// Whether the caller waited too long.
#[must_use]
pub fn is_slow_ms(gap_ms: f64) -> bool {
    gap_ms > SLOW_GAP_MS
}

/// Whether the caller waited too long for this turn.
#[must_use]
pub fn is_slow(turn: &Turn) -> bool {
    turn.gap_ms.is_some_and(is_slow_ms)
}

/// Draws it.
pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let Some(view) = model.current() else {
        return nothing(frame, area, model, "no call is chosen");
    };
    let Some(chosen) = model.turn.at(view.turns.len()) else {
        return nothing(frame, area, model, "no turn is over yet");
    };
    let mut area = area;
    let footer = format!(
        " all turns  p50 {}  p95 {}  max {} ms  n {}",
        text::number(view.gap_percentile_ms(50.0), 0),
        text::number(view.gap_percentile_ms(95.0), 0),
        text::number(view.gap_percentile_ms(100.0), 0),
        view.turns.len()
    );
    paint(frame, take_bottom(&mut area, 1), vec![Line::styled(footer, model.theme.dim)]);
    if area.height >= PARTS_FROM_ROWS
        && let Some(turn) = view.turns.get(chosen)
    {
        let lines = parts(model, turn, area.width);
        let rows = text::cells(lines.len()).min(area.height / 2);
        paint(frame, take_bottom(&mut area, rows), lines);
    }
    list(frame, area, model, view, chosen);
}

fn list(frame: &mut Frame<'_>, area: Rect, model: &Model, view: &SessionView, chosen: usize) {
    let mut area = area;
    let width = usize::from(area.width);
    let words = if width >= WORDS_FROM_COLUMNS { width / 2 - 18 } else { 0 };
    let bar_cells = width.saturating_sub(words + 24);
    let longest = view.gaps_ms().fold(400.0, f64::max);
    let cell_ms = longest / f64::from(u32::try_from(bar_cells.max(1)).unwrap_or(u32::MAX));
    let said = if words == 0 { String::new() } else { text::left("caller said", words) };
    let head = format!("   #    at {said} gap ms  ▏{} ms a letter", text::number(Some(cell_ms), 0));
    paint(frame, take_top(&mut area, 1), vec![Line::styled(text::fit(&head, width), model.theme.title)]);

    let visible = usize::from(area.height);
    let top = (chosen + 1).saturating_sub(visible);
    let lines = view.turns.iter().enumerate().skip(top).take(visible).map(|(at, turn)| {
        let slow = is_slow(turn);
        let said = if words == 0 { String::new() } else { text::left(&caller_words(turn, model.privacy), words) };
        let marker = if at == chosen { "▶" } else { " " };
        let time = turn.at.map_or_else(|| text::UNKNOWN.to_owned(), text::clock);
        Line::from(vec![
            Span::raw(format!("{marker}{} {} ", text::right(&turn.turn.0.to_string(), 3), text::right(&time, 5))),
            Span::styled(said, model.theme.caller),
            Span::styled(
                format!(" {}  ", text::right(&text::number(turn.gap_ms, 0), 6)),
                if slow { model.theme.warn } else { model.theme.plain },
            ),
            Span::raw(text::fit(&bar(turn, cell_ms, bar_cells), bar_cells)),
            Span::styled(if slow { " !" } else { "" }, model.theme.warn),
        ])
    });
    let lines = lines.collect();
    paint(frame, area, lines);
}

fn caller_words(turn: &Turn, privacy: bool) -> String {
    let words = text::wrap(&turn.caller.0, usize::MAX).join(" ");
    let words = match (words.is_empty(), privacy) {
        (true, _) => "(greeting)".to_owned(),
        (false, true) => mask(&words),
        (false, false) => words,
    };
    if turn.cut { format!("⤺ {words}") } else { words }
}

fn parts(model: &Model, turn: &Turn, width: u16) -> Vec<Line<'static>> {
    let title = format!("turn {}", turn.turn.0);
    let mut lines = vec![rule(width, &title, "parts add up to the measured gap", model)];
    for part in &turn.parts {
        let name = text::clean(&part.name);
        lines.push(Line::raw(format!(
            "  {} {} {}  {}",
            letter(&part.name),
            text::left(&name, 16),
            text::right(&text::number(Some(part.ms), 0), 6),
            text::clean(&part.owner)
        )));
    }
    let gap = text::right(&text::number(turn.gap_ms, 0), 6);
    lines.push(Line::styled(format!("  = {} {gap}", text::left("caller hears", 16)), model.theme.title));
    let heard = format!("  heard {} of {} ms", turn.heard_ms, turn.generated_ms);
    lines.push(Line::styled(if turn.cut { format!("{heard}  ⤺ cut") } else { heard }, model.theme.dim));
    lines
}

/// The parts of a gap in one line: `endpoint 300 ▏model 612`.
#[must_use]
pub fn parts_line(turn: &Turn) -> String {
    let parts: Vec<String> =
        turn.parts.iter().map(|part| format!("{} {}", part.name, text::number(Some(part.ms), 0))).collect();
    text::clean(&parts.join(" ▏"))
}

/// One letter for each `cell_ms` of a gap, at most `limit` letters; parts are rounded at their ends, so the
/// whole is as long as the gap is.
#[must_use]
pub fn bar(turn: &Turn, cell_ms: f64, limit: usize) -> String {
    let mut bar = String::new();
    let mut end_ms = 0.0;
    let mut length = 0;
    for part in &turn.parts {
        end_ms += part.ms.max(0.0);
        let end = usize::try_from(text::whole(end_ms / cell_ms.max(0.1) + 0.5)).unwrap_or(usize::MAX).min(limit);
        while length < end {
            bar.push(letter(&part.name));
            length += 1;
        }
    }
    bar
}

fn letter(name: &str) -> char {
    name.chars().next().filter(char::is_ascii_alphanumeric).unwrap_or('?')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::journal::Part;

    #[test]
    fn a_bar_is_as_long_as_its_gap_and_never_longer_than_its_room() {
        let part = |name: &str, ms| Part { name: name.to_owned(), ms, owner: String::new() };
        let turn = Turn {
            parts: vec![part("endpoint", 300.0), part("model", 620.0), part("playout", 60.0)],
            ..Turn::default()
        };
        assert_eq!(bar(&turn, 100.0, 99), "eeemmmmmmp");
        assert_eq!(bar(&turn, 100.0, 4), "eeem");
        assert_eq!(bar(&turn, f64::NAN, 0), "");
        let odd = Turn { parts: vec![part("", f64::INFINITY)], ..Turn::default() };
        assert_eq!(bar(&odd, 1.0, 3), "???");
    }
}
