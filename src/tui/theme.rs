//! How roles look: named styles, the glyphs of states, and the ASCII spelling of everything drawn.
//!
//! Owns: the themes `terminal` (the sixteen colours and the background of the user's terminal) and `mono`.
//! Nothing is told by colour alone; a glyph or a word says it too. `--ascii` is one pass over the finished
//! screen ([`spell_in_ascii`]), so panes draw one way only. Called by the panes, the overlays and the header.

use crate::call::journal::{CallState, Level};
use ratatui::{
    buffer::Buffer,
    style::{Color, Modifier, Style},
};

/// Styles by what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Its name in options.
    pub name: &'static str,
    /// Ordinary text.
    pub plain: Style,
    /// What is there but not to be read first.
    pub dim: Style,
    /// Headings of tables and panes.
    pub title: Style,
    /// A key in the footer and in help.
    pub key: Style,
    /// As wanted.
    pub good: Style,
    /// `!`
    pub warn: Style,
    /// `!!`
    pub bad: Style,
    /// The chosen row.
    pub selected: Style,
    /// Rules and frames.
    pub border: Style,
    /// The frame of the pane that takes the keys.
    pub focused: Style,
    /// The caller's words and voice.
    pub caller: Style,
    /// The agent's words and voice.
    pub agent: Style,
}

impl Theme {
    /// The default: what the user's terminal calls green is green.
    #[must_use]
    pub const fn terminal() -> Self {
        let plain = Style::new();
        Self {
            name: "terminal",
            plain,
            dim: plain.fg(Color::DarkGray),
            title: plain.add_modifier(Modifier::BOLD),
            key: plain.fg(Color::Cyan),
            good: plain.fg(Color::Green),
            warn: plain.fg(Color::Yellow),
            bad: plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            selected: plain.add_modifier(Modifier::REVERSED),
            border: plain.fg(Color::DarkGray),
            focused: plain.fg(Color::Cyan),
            caller: plain.fg(Color::Blue),
            agent: plain.fg(Color::Magenta),
        }
    }

    /// Without colour.
    #[must_use]
    pub const fn mono() -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        Self {
            name: "mono",
            plain,
            dim: plain.add_modifier(Modifier::DIM),
            title: bold,
            key: bold,
            good: plain,
            warn: bold,
            bad: bold.add_modifier(Modifier::UNDERLINED),
            selected: plain.add_modifier(Modifier::REVERSED),
            border: plain,
            focused: bold,
            caller: plain,
            agent: bold,
        }
    }

    /// The theme after this one.
    #[must_use]
    pub fn next(&self) -> Self {
        if self.name == "terminal" { Self::mono() } else { Self::terminal() }
    }

    /// Style of a call's state.
    #[must_use]
    pub const fn state(&self, state: CallState) -> Style {
        match state {
            CallState::Up => self.good,
            CallState::Failed => self.bad,
            CallState::Offered | CallState::Ringing | CallState::Held => self.warn,
            CallState::Ending | CallState::Ended => self.dim,
        }
    }

    /// Style of a lint's or note's level.
    #[must_use]
    pub const fn level(&self, level: Level) -> Style {
        match level {
            Level::Info => self.plain,
            Level::Warn => self.warn,
            Level::Error => self.bad,
        }
    }
}

/// `i`, `!` or `!!`.
#[must_use]
pub const fn level_mark(level: Level) -> &'static str {
    match level {
        Level::Info => "i",
        Level::Warn => "!",
        Level::Error => "!!",
    }
}

/// One cell for a state.
#[must_use]
pub const fn state_glyph(state: CallState) -> &'static str {
    match state {
        CallState::Up | CallState::Ending => "●",
        CallState::Offered => "○",
        CallState::Ringing => "◌",
        CallState::Failed => "✕",
        CallState::Ended => "·",
        CallState::Held => "‖",
    }
}

/// Replaces the glyphs of our own drawing by ASCII; what people are called or say stays as it is.
pub fn spell_in_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let mut characters = cell.symbol().chars();
        let (Some(character), None) = (characters.next(), characters.next()) else { continue };
        if let Some(plain) = ascii(character) {
            cell.set_char(plain);
        }
    }
}

const fn ascii(character: char) -> Option<char> {
    Some(match character {
        '●' | '▇' | '✓' => '*',
        '○' => 'o',
        '◌' | '▂' => '.',
        '✕' => 'x',
        '·' | '─' | '┄' | '—' | '━' | '▄' | '–' => '-',
        '‖' | '═' | '▅' => '=',
        '│' | '┃' | '▏' => '|',
        '┌' | '┐' | '└' | '┘' | '┏' | '┓' | '┗' | '┛' | '╰' | '▆' | '┼' => '+',
        '▶' | '→' => '>',
        '◀' | '←' | '⤺' => '<',
        '▲' | '▀' | '↑' => '^',
        '▼' | '↓' => 'v',
        '▁' | '␣' => '_',
        '▃' => ':',
        '█' => '#',
        '…' => '~',
        '↻' => 'r',
        '⏎' => 'E',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_touches_drawing_and_leaves_names() {
        let mut buffer = Buffer::with_lines(["●─ Zoë 日 ✕"]);
        spell_in_ascii(&mut buffer);
        let line: String = buffer.content.iter().map(|cell| cell.symbol().to_owned()).collect();
        assert!(line.starts_with("*- Zoë 日"), "{line}");
        assert!(line.ends_with('x'), "{line}");
    }

    #[test]
    fn every_state_has_its_ascii_glyph() {
        let states = [
            CallState::Up,
            CallState::Offered,
            CallState::Ringing,
            CallState::Failed,
            CallState::Ended,
            CallState::Held,
        ];
        let plain: String = states.iter().filter_map(|state| ascii(state_glyph(*state).chars().next()?)).collect();
        assert_eq!(plain, "*o.x-=");
    }
}
