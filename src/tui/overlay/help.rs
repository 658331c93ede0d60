//! Help: the action table, filtered as one types; Enter runs the chosen row.
//!
//! Owns: the drawing and what a typed word matches (names, sentences, keys). An action that cannot act now
//! is dim and says why. Called by the overlay module to draw and by `update` to know the rows.

use super::super::{
    action::{ACTIONS, Binding},
    model::Model,
    pane, text, update,
};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

const WIDTH: u16 = 76;
const NAME_CELLS: usize = 17;
const KEYS_CELLS: usize = 14;

/// Rows whose name, keys or sentence contain what was typed.
#[must_use]
pub fn matching(typed: &str) -> Vec<&'static Binding> {
    let wanted = typed.trim().to_lowercase();
    let matches = |binding: &&Binding| {
        binding.keys.iter().any(|key| key.name().to_lowercase() == wanted)
            || binding.name.contains(&wanted)
            || binding.about.to_lowercase().contains(&wanted)
    };
    ACTIONS.iter().filter(matches).collect()
}

/// Draws it.
pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model, filter: &str, selected: usize) {
    let rows = matching(filter);
    let height = area.height.saturating_sub(2);
    let title = format!("{} of {} actions", rows.len(), ACTIONS.len());
    let mut inside = super::window(frame, area, model, (WIDTH, height), ("help", &title));
    let theme = &model.theme;
    let hint = "type to filter, ⏎ runs it, Esc closes";
    let typed_cells = usize::from(inside.width).saturating_sub(text::width(hint) + 2);
    let input = Line::from(vec![
        Span::styled(format!(" {}", text::left(&format!("{}_", text::clean(filter)), typed_cells)), theme.title),
        Span::styled(hint, theme.dim),
    ]);
    pane::paint(frame, pane::take_top(&mut inside, 2), vec![input]);

    let visible = usize::from(inside.height);
    let selected = selected.min(rows.len().saturating_sub(1));
    let top = (selected + 1).saturating_sub(visible);
    let about_cells = usize::from(inside.width).saturating_sub(NAME_CELLS + KEYS_CELLS + 4);
    let lines = rows.iter().enumerate().skip(top).take(visible).map(|(at, binding)| {
        let reason = update::reason_against(binding, model);
        let marker = if at == selected { "▶" } else { " " };
        let about = reason.map_or_else(|| binding.about.to_owned(), |why| format!("{} ({why})", binding.about));
        let style = if reason.is_some() { theme.dim } else { theme.plain };
        Line::from(vec![
            Span::styled(format!(" {marker}{} ", text::left(binding.name, NAME_CELLS)), style),
            Span::styled(
                text::left(&binding.key_names(), KEYS_CELLS),
                if reason.is_some() { theme.dim } else { theme.key },
            ),
            Span::styled(text::fit(&about, about_cells), style),
        ])
    });
    let lines = lines.collect();
    pane::paint(frame, inside, lines);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_keys_are_found() {
        assert!(matching("sort").len() >= 3);
        assert!(matching("ctrl-u").iter().any(|row| row.name == "page-up"));
        assert_eq!(matching("").len(), ACTIONS.len());
        assert!(matching("no such thing").is_empty());
    }
}
