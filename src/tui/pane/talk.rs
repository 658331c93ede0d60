//! The transcript: who said what and when, where the caller cut in, and how long he waited.
//!
//! Owns: the drawing, wrapped by display width, newest at the bottom. The cursor names the newest utterance
//! on the screen, so new words do not push away what is being read. With privacy on, words are masked.

use super::{nothing, paint, turns};
use crate::{
    api::model::{SessionView, Utterance},
    call::journal::Who,
    redact::mask,
    tui::{model::Model, text},
};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

/// Cells for time and name.
const GUTTER_CELLS: usize = 14;

/// Draws it.
pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let Some(view) = model.current() else {
        return nothing(frame, area, model, "no call is chosen");
    };
    let Some(newest) = model.talk.at(view.talk.len()) else {
        return nothing(frame, area, model, "nobody has said anything yet");
    };
    let height = usize::from(area.height);
    let width = usize::from(area.width);
    // From the newest upwards until the screen is full: a long call costs no more than a short one.
    let mut blocks = Vec::new();
    let mut used = 0;
    for said in view.talk.iter().take(newest + 1).rev() {
        let block = block(model, view, said, width);
        used += block.len();
        blocks.push(block);
        if used >= height {
            break;
        }
    }
    let lines: Vec<Line<'_>> = blocks.into_iter().rev().flatten().collect();
    let hidden = lines.len().saturating_sub(height);
    paint(frame, area, lines.into_iter().skip(hidden).collect());
}

/// The words of an utterance on one line, masked if wanted.
#[must_use]
pub fn words(said: &Utterance, privacy: bool) -> String {
    let flat = text::wrap(&said.text, usize::MAX).join(" ");
    let flat = if privacy { mask(&flat) } else { flat };
    if said.cut { format!("{flat} ⤺ cut") } else { flat }
}

fn block(model: &Model, view: &SessionView, said: &Utterance, width: usize) -> Vec<Line<'static>> {
    let theme = &model.theme;
    let style = if said.who == Who::Caller { theme.caller } else { theme.agent };
    let room = width.saturating_sub(GUTTER_CELLS + 1);
    let mut lines = Vec::new();
    for (at, part) in text::wrap(&words(said, model.privacy), room).into_iter().enumerate() {
        let (time, who) = if at == 0 { (text::clock(said.t), said.who.name()) } else { (String::new(), "") };
        lines.push(Line::from(vec![
            Span::styled(format!("{} ", text::right(&time, 5)), theme.dim),
            Span::styled(text::left(who, 8), style),
            Span::raw(part),
        ]));
    }
    if let Some(gap) = said.gap_ms {
        let turn = view.turns.iter().rev().find(|turn| turn.turn == said.turn);
        let bar_cells = room.saturating_sub(14).min(40);
        let bar = turn.map(|turn| turns::bar(turn, turns::TALK_CELL_MS, bar_cells)).unwrap_or_default();
        let slow = turns::is_slow_ms(gap);
        let words = format!("{} ms ▏ {bar}{}", text::number(Some(gap), 0), if slow { "  !" } else { "" });
        lines.push(Line::styled(
            format!("{:GUTTER_CELLS$}{}", "", text::fit(&words, room)),
            if slow { theme.warn } else { theme.dim },
        ));
    }
    lines
}
