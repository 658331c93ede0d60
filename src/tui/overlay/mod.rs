//! What lies over the panes: help and the question before a call is ended.
//!
//! Owns: the frame in the middle of the screen. Which overlay is open is in the model, what its keys do in
//! `update`. Called by the layout after the panes are drawn.

pub mod confirm;
pub mod help;

use super::{
    model::{Model, Overlay},
    text,
};
use ratatui::{
    Frame,
    layout::Rect,
    text::Line,
    widgets::{Block, BorderType, Clear},
};

/// Draws the open overlay, if there is one.
pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    match &model.overlay {
        Overlay::None => {}
        Overlay::Help { filter, selected } => help::render(frame, area, model, filter, *selected),
        Overlay::ConfirmHangup(call) => confirm::render(frame, area, model, *call),
    }
}

/// Clears a frame of at most `width` by `height` cells in the middle and gives its inside.
fn window(frame: &mut Frame<'_>, area: Rect, model: &Model, size: (u16, u16), titles: (&str, &str)) -> Rect {
    let (width, height) = (size.0.min(area.width), size.1.min(area.height));
    let area = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    let block = Block::bordered()
        .border_type(BorderType::Thick)
        .border_style(model.theme.focused)
        .title_top(Line::styled(format!(" {} ", titles.0), model.theme.title))
        .title_top(
            Line::styled(format!(" {} ", text::fit(titles.1, usize::from(width / 2))), model.theme.dim).right_aligned(),
        );
    let inside = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    inside
}
