//! Which panes are on the screen, for each size of the terminal.
//!
//! Owns: the size rules, as named constants, and the drawing of a whole frame: header, panes, footer,
//! overlay. Panes draw themselves. Called by `run` and by the snapshot tests.
//!
//! ```text
//! from 138x40          from 110x32          from 60x16          smaller
//! ┌ sessions ───────┐  ┌ sessions ───────┐  header, tabs        the table
//! ├ ladder ┬ media ─┤  ├ ladder ┬ chosen ┤  one pane            and a hint
//! ├ talk ──┼ turns ─┤  │        │        │  footer
//! └────────┴────────┘  └────────┴────────┘
//! ```

use super::{
    header,
    model::Model,
    overlay,
    pane::{self, Pane},
    theme,
};
use ratatui::{Frame, layout::Rect, text::Line};

/// From here on there is room for more than the table: columns, rows.
pub const ONE_PANE_FROM: (u16, u16) = (60, 16);
/// From here on the table and two panes.
pub const THREE_PANES_FROM: (u16, u16) = (110, 32);
/// From here on the table and four panes.
pub const FIVE_PANES_FROM: (u16, u16) = (138, 40);
/// Rows of the table, with its frame, above other panes: at least, and at most this share of the screen.
const TABLE_ROWS_MIN: u16 = 7;
const TABLE_SHARE: u16 = 3;

/// How many panes a screen has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// The table and a hint.
    TableOnly,
    /// One pane with tabs.
    OnePane,
    /// The table and two panes.
    ThreePanes,
    /// The table and four panes.
    FivePanes,
}

impl Arrangement {
    /// The one for a screen of this size.
    #[must_use]
    pub const fn of(width: u16, height: u16) -> Self {
        if width >= FIVE_PANES_FROM.0 && height >= FIVE_PANES_FROM.1 {
            Self::FivePanes
        } else if width >= THREE_PANES_FROM.0 && height >= THREE_PANES_FROM.1 {
            Self::ThreePanes
        } else if width >= ONE_PANE_FROM.0 && height >= ONE_PANE_FROM.1 {
            Self::OnePane
        } else {
            Self::TableOnly
        }
    }
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    if area.is_empty() {
        return;
    }
    match Arrangement::of(area.width, area.height) {
        Arrangement::TableOnly => table_only(frame, area, model),
        Arrangement::OnePane => one_pane(frame, area, model),
        arrangement => many_panes(frame, area, model, arrangement),
    }
    overlay::render(frame, area, model);
    if model.ascii {
        theme::spell_in_ascii(frame.buffer_mut());
    }
}

fn table_only(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let mut area = area;
    if area.height >= 3 {
        let hint = format!(" {}x{} or more shows a call; q quits", ONE_PANE_FROM.0, ONE_PANE_FROM.1);
        let line = Line::styled(hint, model.theme.dim);
        pane::paint(frame, pane::take_bottom(&mut area, 1), vec![line]);
    }
    pane::render(frame, area, model, Pane::Sessions);
}

fn one_pane(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let mut area = area;
    let line = Line::styled("─".repeat(usize::from(area.width)), model.theme.border);
    let lines = match model.current().filter(|_| model.in_call()) {
        Some(view) => vec![header::call(view, model, area.width), header::tabs(model), line.clone()],
        None => vec![header::first(model, area.width), header::second(model, area.width), line.clone()],
    };
    pane::paint(frame, pane::take_top(&mut area, 3), lines);
    let bottom = vec![line, header::footer(model, area.width)];
    pane::paint(frame, pane::take_bottom(&mut area, 2), bottom);
    pane::render(frame, area, model, model.pane);
}

fn many_panes(frame: &mut Frame<'_>, area: Rect, model: &Model, arrangement: Arrangement) {
    let mut area = area;
    let lines = vec![header::first(model, area.width), header::second(model, area.width)];
    pane::paint(frame, pane::take_top(&mut area, 2), lines);
    let footer = header::footer(model, area.width);
    pane::paint(frame, pane::take_bottom(&mut area, 1), vec![footer]);
    if model.zoom {
        pane::render_framed(frame, area, model, model.pane);
        return;
    }
    // As high as its calls need, so that an idle gateway leaves room for the one call.
    let wanted = u16::try_from(model.visible().len()).unwrap_or(u16::MAX).saturating_add(5);
    let most = (area.height / TABLE_SHARE).max(TABLE_ROWS_MIN);
    let table = pane::take_top(&mut area, wanted.clamp(TABLE_ROWS_MIN, most));
    pane::render_framed(frame, table, model, Pane::Sessions);
    if arrangement == Arrangement::ThreePanes {
        let right = match model.pane {
            Pane::Sessions | Pane::Ladder => Pane::Talk,
            other => other,
        };
        side_by_side(frame, area, model, (Pane::Ladder, right));
        return;
    }
    let rows = area.height / 2 + area.height % 2;
    let upper = pane::take_top(&mut area, rows);
    side_by_side(frame, upper, model, (Pane::Ladder, Pane::Media));
    let corner = if model.pane == Pane::Overview { Pane::Overview } else { Pane::Turns };
    side_by_side(frame, area, model, (Pane::Talk, corner));
}

fn side_by_side(frame: &mut Frame<'_>, area: Rect, model: &Model, panes: (Pane, Pane)) {
    let mut area = area;
    let half = area.width / 2;
    let left = pane::take_left(&mut area, half);
    pane::render_framed(frame, left, model, panes.0);
    pane::render_framed(frame, area, model, panes.1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_a_screen_count() {
        assert_eq!(Arrangement::of(59, 100), Arrangement::TableOnly);
        assert_eq!(Arrangement::of(200, 15), Arrangement::TableOnly);
        assert_eq!(Arrangement::of(80, 24), Arrangement::OnePane);
        assert_eq!(Arrangement::of(200, 31), Arrangement::OnePane);
        assert_eq!(Arrangement::of(110, 32), Arrangement::ThreePanes);
        assert_eq!(Arrangement::of(140, 45), Arrangement::FivePanes);
    }
}
