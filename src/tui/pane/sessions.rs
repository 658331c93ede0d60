//! The table of calls, with a preview of the chosen one where no other pane shows it.
//!
//! Owns: the drawing of rows, headings, the filter line and the preview. Columns, their widths and their
//! texts come from `columns`; order and filter from the model.

use super::{nothing, paint, rule, take_bottom, take_top, talk, turns};
use crate::{
    api::model::SessionView,
    call::journal::Who,
    tui::{
        columns::{self, Look},
        layout::Arrangement,
        model::Model,
        text, theme,
    },
};
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

/// A lower pane keeps its rows for calls.
const PREVIEW_FROM_ROWS: u16 = 15;
const PREVIEW_ROWS: u16 = 5;
/// A lower pane has no room for the filter line.
const FILTER_FROM_ROWS: u16 = 6;

/// Draws it.
pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let mut area = area;
    let rows = model.visible();
    let chosen = model.current().map(SessionView::call);
    if area.height >= FILTER_FROM_ROWS {
        filter_line(frame, take_bottom(&mut area, 1), model, rows.len());
    }
    let screen = frame.area();
    // Otherwise other panes show the call.
    let alone = model.zoom || Arrangement::of(screen.width, screen.height) == Arrangement::OnePane;
    if alone
        && area.height >= PREVIEW_FROM_ROWS
        && let Some(view) = model.current()
    {
        preview(frame, take_bottom(&mut area, PREVIEW_ROWS), model, view);
    }
    let columns = columns::chosen(area.width.saturating_sub(1));
    paint(frame, take_top(&mut area, 1), vec![headings(model, &columns)]);
    if rows.is_empty() {
        let why = if model.sessions.is_empty() { "no calls yet" } else { "no call passes the filter; Esc clears it" };
        nothing(frame, area, model, why);
        return;
    }
    let visible = usize::from(area.height);
    let at = rows.iter().position(|view| Some(view.call()) == chosen);
    let top = at.map_or(0, |at| (at + 1).saturating_sub(visible));
    let lines = rows
        .iter()
        .skip(top)
        .take(visible)
        .map(|view| row(model, &columns, view, Some(view.call()) == chosen))
        .collect();
    paint(frame, area, lines);
}

type Chosen = [(usize, &'static columns::Column, u16)];

fn headings(model: &Model, columns: &Chosen) -> Line<'static> {
    let mut line = String::from(" ");
    for (place, (at, column, cells)) in columns.iter().enumerate() {
        if place > 0 {
            line.push(' ');
        }
        let cells = usize::from(*cells);
        let header = if model.sort == Some(*at) {
            let mark = if model.reverse { "▼" } else { "▲" };
            // The mark must be seen even where the word fills the column.
            let word: String = column.header.chars().take(cells.saturating_sub(1)).collect();
            format!("{word}{mark}")
        } else {
            column.header.to_owned()
        };
        line.push_str(&if column.right { text::right(&header, cells) } else { text::left(&header, cells) });
    }
    Line::styled(line, model.theme.title)
}

fn row(model: &Model, columns: &Chosen, view: &SessionView, chosen: bool) -> Line<'static> {
    let look = Look { privacy: model.privacy, words: false };
    let base = if view.state.is_over() { model.theme.dim } else { model.theme.plain };
    let mut spans = vec![Span::raw(if chosen { "▶" } else { " " })];
    for (place, (_, column, cells)) in columns.iter().enumerate() {
        if place > 0 {
            spans.push(Span::raw(" "));
        }
        let cells = usize::from(*cells);
        let cell = (column.cell)(view, look);
        let cell = if column.right { text::right(&cell, cells) } else { text::left(&cell, cells) };
        spans.push(Span::styled(cell, base.patch(cell_style(model, column.name, view))));
    }
    let line = Line::from(spans);
    if chosen { line.style(model.theme.title) } else { line }
}

fn cell_style(model: &Model, column: &str, view: &SessionView) -> Style {
    match column {
        "state" => model.theme.state(view.state),
        "lint" | "note" => view.worst_lint().map_or(model.theme.plain, |level| model.theme.level(level)),
        _ => Style::new(),
    }
}

fn filter_line(frame: &mut Frame<'_>, area: Rect, model: &Model, shown: usize) {
    let theme = &model.theme;
    let right = format!("{shown} of {} calls ", model.sessions.len());
    let room = usize::from(area.width).saturating_sub(text::width(&right));
    let typed = text::clean(&model.filter_text);
    let (mut words, mut style) = match (&model.filter_error, model.filter_editing) {
        (_, true) => (format!(" filter ▏{typed}_"), theme.title),
        (Some(_), false) => (format!(" filter ▏{typed}"), theme.bad),
        (None, false) if typed.is_empty() => (String::new(), theme.plain),
        (None, false) => (format!(" filter ▏{typed}"), theme.plain),
    };
    if let Some(why) = &model.filter_error {
        words = format!("{words}  {}", text::clean(why));
        style = theme.warn;
    }
    let line = Line::from(vec![Span::styled(text::left(&words, room), style), Span::styled(right, theme.dim)]);
    paint(frame, area, vec![line]);
}

fn preview(frame: &mut Frame<'_>, area: Rect, model: &Model, view: &SessionView) {
    let width = usize::from(area.width);
    let left = format!("{} ─ transcript", view.call());
    let right = match view.turns.len() {
        0 => "⏎ open call".to_owned(),
        turns => format!("last turn of {turns} ─ ⏎ open call"),
    };
    let mut lines = vec![rule(area.width, &left, &right, model)];
    let newest = view.talk.len().saturating_sub(2);
    for said in view.talk.iter().skip(newest) {
        let style = if said.who == Who::Caller { model.theme.caller } else { model.theme.agent };
        let gap = said.gap_ms.map(|ms| format!("▏{} ms ", text::number(Some(ms), 0))).unwrap_or_default();
        let room = width.saturating_sub(14 + text::width(&gap) + 1);
        lines.push(Line::from(vec![
            Span::styled(format!("{} ", text::right(&text::clock(said.t), 5)), model.theme.dim),
            Span::styled(text::left(said.who.name(), 8), style),
            Span::raw(text::left(&talk::words(said, model.privacy), room)),
            Span::styled(gap, model.theme.dim),
        ]));
    }
    if let Some(turn) = view.turns.last().filter(|turn| !turn.parts.is_empty()) {
        lines.push(Line::styled(text::fit(&format!("      ╰ {}", turns::parts_line(turn)), width), model.theme.dim));
    }
    if let Some(lint) = view.lints.iter().max_by_key(|lint| lint.level) {
        let words = format!("{} {}  {}", theme::level_mark(lint.level), lint.name, lint.evidence);
        lines.push(Line::styled(text::fit(&text::clean(&words), width), model.theme.level(lint.level)));
    }
    if view.talk.is_empty() && view.lints.is_empty() {
        let why =
            if view.reason.is_empty() { "nobody has said anything yet".to_owned() } else { text::clean(&view.reason) };
        lines.push(Line::styled(text::fit(&format!(" {why}"), width), model.theme.dim));
    }
    paint(frame, area, lines);
}
