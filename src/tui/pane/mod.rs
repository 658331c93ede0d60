//! The panes: one file each with one function that draws it.
//!
//! Owns: the table of panes and the drawing that they share (frames, rules, painting of lines). A pane is a
//! function of frame, area and model: it reads the model and changes nothing. Which panes are on the screen
//! is decided in `layout`. To add one: a file here, a variant of [`Pane`], a row in [`PANES`], an action.

pub mod ladder;
pub mod media;
pub mod overview;
pub mod sessions;
pub mod talk;
pub mod turns;

use super::{model::Model, text};
use crate::api::model::{ConnectionView, SessionView};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Block, BorderType, Paragraph},
};

/// A view of the calls or of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The table of calls.
    #[default]
    Sessions,
    /// One call on one page.
    Overview,
    /// Who sent what to whom.
    Ladder,
    /// The sound in figures.
    Media,
    /// What was said.
    Talk,
    /// How long the caller waited.
    Turns,
}

impl Pane {
    /// All of them, in the order of Tab.
    pub const ALL: &'static [Self] =
        &[Self::Sessions, Self::Overview, Self::Ladder, Self::Media, Self::Talk, Self::Turns];

    /// A pane by its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        PANES.iter().find(|row| row.name.eq_ignore_ascii_case(name)).map(|row| row.pane)
    }

    /// Its name: `ladder`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("", |row| row.name)
    }

    /// The pane after it.
    #[must_use]
    pub fn next(self) -> Self {
        self.moved(1)
    }

    /// The pane before it.
    #[must_use]
    pub fn previous(self) -> Self {
        self.moved(Self::ALL.len() - 1)
    }

    fn moved(self, places: usize) -> Self {
        let at = Self::ALL.iter().position(|pane| *pane == self).unwrap_or(0);
        Self::ALL.get((at + places) % Self::ALL.len()).copied().unwrap_or_default()
    }

    fn row(self) -> Option<&'static Row> {
        PANES.iter().find(|row| row.pane == self)
    }
}

/// One row of [`PANES`].
pub struct Row {
    /// Which.
    pub pane: Pane,
    /// The key that shows it in a call; the table has none there.
    pub key: char,
    /// Its name in tabs, titles and options.
    pub name: &'static str,
    /// Draws it.
    pub render: fn(&mut Frame<'_>, Rect, &Model),
}

/// Every pane.
pub static PANES: &[Row] = &[
    Row { pane: Pane::Sessions, key: ' ', name: "sessions", render: sessions::render },
    Row { pane: Pane::Overview, key: '1', name: "overview", render: overview::render },
    Row { pane: Pane::Ladder, key: '2', name: "ladder", render: ladder::render },
    Row { pane: Pane::Media, key: '3', name: "media", render: media::render },
    Row { pane: Pane::Talk, key: '4', name: "talk", render: talk::render },
    Row { pane: Pane::Turns, key: '5', name: "turns", render: turns::render },
];

/// Draws a pane without a frame.
pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model, pane: Pane) {
    if let Some(row) = pane.row() {
        (row.render)(frame, area, model);
    }
}

/// Draws a pane in a frame; the one that takes the keys has a thick one.
pub fn render_framed(frame: &mut Frame<'_>, area: Rect, model: &Model, pane: Pane) {
    let focused = model.pane == pane;
    let call = model.current().filter(|_| pane != Pane::Sessions).map(|view| view.call().to_string());
    let title = format!(" {} {} ", pane.name(), call.unwrap_or_default());
    let block = Block::bordered()
        .border_type(if focused { BorderType::Thick } else { BorderType::Plain })
        .border_style(if focused { model.theme.focused } else { model.theme.border })
        .title_top(Line::styled(text::fit(&title.replace("  ", " "), usize::from(area.width)), model.theme.title))
        .title_top(Line::styled(format!(" {} ", corner(model, pane)), model.theme.dim).right_aligned());
    let inside = block.inner(area);
    frame.render_widget(block, area);
    render(frame, inside, model, pane);
}

/// What stands at the right end of a pane's frame.
fn corner(model: &Model, pane: Pane) -> String {
    let follows = |follows: bool| if follows { "following" } else { "f follows" }.to_owned();
    match pane {
        Pane::Sessions => format!("{} of {}", model.visible().len(), model.sessions.len()),
        Pane::Ladder => follows(model.ladder.follows()),
        Pane::Talk => follows(model.talk.follows()),
        Pane::Turns => follows(model.turn.follows()),
        Pane::Media => "1 s cells".to_owned(),
        Pane::Overview => String::new(),
    }
}

/// Draws lines from the top of an area; what does not fit is not drawn.
pub fn paint(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
    frame.render_widget(Paragraph::new(lines), area);
}

/// Draws one sentence where there is nothing to show.
pub fn nothing(frame: &mut Frame<'_>, area: Rect, model: &Model, why: &str) {
    paint(frame, area, vec![Line::styled(format!(" {why}"), model.theme.dim)]);
}

/// Cuts rows from the top of an area.
pub fn take_top(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let top = Rect { height: rows, ..*area };
    area.y += rows;
    area.height -= rows;
    top
}

/// Cuts rows from the bottom of an area.
pub fn take_bottom(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    area.height -= rows;
    Rect { y: area.y + area.height, height: rows, ..*area }
}

/// Cuts columns from the left of an area.
pub fn take_left(area: &mut Rect, columns: u16) -> Rect {
    let columns = columns.min(area.width);
    let left = Rect { width: columns, ..*area };
    area.x += columns;
    area.width -= columns;
    left
}

/// A rule with words in it: `─ left ──── right ──`.
#[must_use]
pub fn rule(width: u16, left: &str, right: &str, model: &Model) -> Line<'static> {
    let width = usize::from(width);
    let left = text::fit(&format!(" {left} "), width.saturating_sub(4));
    let room = width.saturating_sub(text::width(&left) + 4);
    let right = if right.is_empty() || room < 4 { String::new() } else { text::fit(&format!(" {right} "), room) };
    let fill = width.saturating_sub(text::width(&left) + text::width(&right) + 3);
    Line::from(vec![
        Span::styled("─", model.theme.border),
        Span::styled(left, model.theme.title),
        Span::styled("─".repeat(fill), model.theme.border),
        Span::styled(right, model.theme.dim),
        Span::styled("──", model.theme.border),
    ])
}

/// `from → to`, masked if wanted.
#[must_use]
pub fn parties(view: &SessionView, privacy: bool) -> String {
    let shown = |party: &crate::redact::Pii| {
        if party.0.is_empty() { text::UNKNOWN.to_owned() } else { text::clean(&party.shown(privacy)) }
    };
    format!("{} → {}", shown(&view.header.from), shown(&view.header.to))
}

/// A browser's connection: ICE, DTLS, and the pair of candidates in use; its address is hidden if wanted.
#[must_use]
pub fn connection(connection: &ConnectionView, privacy: bool) -> String {
    let ConnectionView { ice, dtls, local, remote } = connection;
    let remote = if privacy { "hidden" } else { remote };
    let pair = if local.is_empty() { String::new() } else { format!("  {local} ↔ {remote}") };
    text::clean(&format!("ICE {ice}  DTLS {dtls}{pair}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_s_connection_is_told_and_its_address_hidden() {
        let mut view = ConnectionView { ice: "checking".into(), dtls: "new".into(), ..ConnectionView::default() };
        assert_eq!(connection(&view, false), "ICE checking  DTLS new");
        (view.local, view.remote) = ("192.0.2.1:40".into(), "198.51.100.7:50".into());
        assert_eq!(connection(&view, false), "ICE checking  DTLS new  192.0.2.1:40 ↔ 198.51.100.7:50");
        assert_eq!(connection(&view, true), "ICE checking  DTLS new  192.0.2.1:40 ↔ hidden");
    }

    #[test]
    fn panes_and_their_table_agree() {
        for pane in Pane::ALL {
            assert_eq!(Pane::from_name(pane.name()), Some(*pane));
            assert_eq!(pane.next().previous(), *pane);
        }
        assert_eq!(PANES.len(), Pane::ALL.len());
    }

    #[test]
    fn cutting_more_than_there_is_leaves_nothing() {
        let mut area = Rect::new(3, 4, 10, 5);
        assert_eq!(take_top(&mut area, 2), Rect::new(3, 4, 10, 2));
        assert_eq!(take_bottom(&mut area, 1), Rect::new(3, 8, 10, 1));
        assert_eq!(take_left(&mut area, 99), Rect::new(3, 6, 10, 2));
        assert!(area.is_empty());
    }
}
