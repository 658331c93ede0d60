//! The question before a call is ended.
//!
//! Owns: the drawing. It names the call and its parties, since the table may have moved under the cursor;
//! only `y` means yes, which `update` decides. Called by the overlay module.

use super::super::{model::Model, pane, text};
use crate::unit::CallId;
use ratatui::{Frame, layout::Rect, text::Line};

/// Draws it.
pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model, call: CallId) {
    let inside = super::window(frame, area, model, (56, 7), ("hang up?", &call.to_string()));
    let view = model.sessions.iter().find(|view| view.call() == call);
    let parties = view.map_or_else(|| text::UNKNOWN.to_owned(), |view| pane::parties(view, model.privacy));
    let lines = vec![
        Line::default(),
        Line::raw(format!(" {}", text::fit(&parties, usize::from(inside.width).saturating_sub(2)))),
        Line::styled(" The caller hears the call end.", model.theme.warn),
        Line::default(),
        Line::styled(" y  end the call      any other key  leave it", model.theme.key),
    ];
    pane::paint(frame, inside, lines);
}
