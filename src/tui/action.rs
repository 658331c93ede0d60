//! The table of everything that a key can do.
//!
//! Owns: names, keys, where each action works, and its sentence. The footer and the help overlay are made
//! from [`ACTIONS`], so neither can be out of date, and a name from it is what a config file binds. What an
//! action does to the model is in `update`; this file knows no model. Called by `update`, the footer and
//! the help overlay.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Declares the enum together with the list of its variants, so that a test can walk them.
macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident,)*) => {
        /// What a key asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $variant,)*
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

actions! {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// The first row.
    First,
    /// The last row.
    Last,
    /// Into the chosen thing.
    Open,
    /// Out of it.
    Back,
    /// One layer off; never quits.
    Peel,
    /// To the next pane.
    NextPane,
    /// To the pane before.
    PreviousPane,
    /// The first pane: sessions, or the overview of a call.
    ShowOverview,
    /// The ladder.
    ShowLadder,
    /// The media figures.
    ShowMedia,
    /// The transcript.
    ShowTalk,
    /// The turns.
    ShowTurns,
    /// The focused pane on the whole screen.
    Zoom,
    /// Hold the picture still.
    Freeze,
    /// Follow the newest.
    Follow,
    /// Write the filter.
    Filter,
    /// Sort by the column to the left.
    SortLeft,
    /// Sort by the column to the right.
    SortRight,
    /// Turn the order round.
    Reverse,
    /// To the next call with a lint, or the next slow turn.
    NextProblem,
    /// To the one before.
    PreviousProblem,
    /// Relative, delta or clock time.
    TimeStyle,
    /// Mask numbers and words.
    Privacy,
    /// The next theme.
    Theme,
    /// End the chosen call.
    Hangup,
    /// Hold the chosen call, or take it off hold.
    Hold,
    /// What the keys do.
    Help,
    /// Leave the monitor.
    Quit,
}

/// Where an action works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Everywhere.
    Any,
    /// In the table of sessions.
    Sessions,
    /// In the panes of one call.
    Call,
}

impl Place {
    /// The word in help.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "everywhere",
            Self::Sessions => "sessions",
            Self::Call => "call",
        }
    }

    /// Whether two places have keys in common.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self == other || self == Self::Any || other == Self::Any
    }
}

/// One key, with or without Ctrl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub code: KeyCode,
    /// Together with Ctrl.
    pub control: bool,
}

impl Key {
    /// Whether this is the key that was pressed.
    #[must_use]
    pub fn is(&self, event: &KeyEvent) -> bool {
        self.code == event.code
            && self.control == event.modifiers.contains(KeyModifiers::CONTROL)
            && !event.modifiers.contains(KeyModifiers::ALT)
    }

    /// How it is written in the footer and in help.
    #[must_use]
    pub fn name(&self) -> String {
        let name = match self.code {
            KeyCode::Up => "↑".to_owned(),
            KeyCode::Down => "↓".to_owned(),
            KeyCode::Left => "←".to_owned(),
            KeyCode::Right => "→".to_owned(),
            KeyCode::Enter => "⏎".to_owned(),
            KeyCode::Char(' ') => "␣".to_owned(),
            KeyCode::Char(character) => character.to_string(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::BackTab => "Shift-Tab".to_owned(),
            KeyCode::F(number) => format!("F{number}"),
            other => format!("{other:?}"),
        };
        if self.control { format!("Ctrl-{name}") } else { name }
    }
}

/// One row of [`ACTIONS`].
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Name in config and help: `sort-left`.
    pub name: &'static str,
    /// Its keys; the first one stands in the footer.
    pub keys: &'static [Key],
    /// Where it works.
    pub place: Place,
    /// What it asks for.
    pub action: Action,
    /// What it does, in a line.
    pub about: &'static str,
    /// Its word in the footer; empty if it is not there.
    pub short: &'static str,
}

impl Binding {
    /// All its keys, as help writes them.
    #[must_use]
    pub fn key_names(&self) -> String {
        self.keys.iter().map(Key::name).collect::<Vec<_>>().join(" ")
    }
}

/// The action that a key stands for in `place` (sessions or call).
#[must_use]
pub fn of_key(event: &KeyEvent, place: Place) -> Option<&'static Binding> {
    ACTIONS.iter().find(|binding| binding.place.overlaps(place) && binding.keys.iter().any(|key| key.is(event)))
}

/// The row of an action.
#[must_use]
pub fn binding(action: Action) -> Option<&'static Binding> {
    ACTIONS.iter().find(|binding| binding.action == action)
}

const fn key(code: KeyCode) -> Key {
    Key { code, control: false }
}

const fn letter(character: char) -> Key {
    key(KeyCode::Char(character))
}

const fn control(character: char) -> Key {
    Key { code: KeyCode::Char(character), control: true }
}

/// A macro and not a function: keys in a literal live as long as the table.
macro_rules! row {
    ($name:expr, $keys:expr, $place:expr, $action:expr, $about:expr, $short:expr $(,)?) => {
        Binding { name: $name, keys: $keys, place: $place, action: $action, about: $about, short: $short }
    };
}

/// Every action. The order is that of the footer and of help.
pub static ACTIONS: &[Binding] = &[
    row!("up", &[key(KeyCode::Up), letter('k')], Place::Any, Action::Up, "one row up", ""),
    row!("down", &[key(KeyCode::Down), letter('j')], Place::Any, Action::Down, "one row down", "move"),
    row!("page-up", &[key(KeyCode::PageUp), control('u')], Place::Any, Action::PageUp, "a page up", ""),
    row!("page-down", &[key(KeyCode::PageDown), control('d')], Place::Any, Action::PageDown, "a page down", ""),
    row!("first", &[letter('g'), key(KeyCode::Home)], Place::Any, Action::First, "the first row", ""),
    row!("last", &[letter('G'), key(KeyCode::End)], Place::Any, Action::Last, "the last row", ""),
    row!(
        "open",
        &[key(KeyCode::Enter), key(KeyCode::Right), letter('l')],
        Place::Any,
        Action::Open,
        "open the chosen call, or a message's whole text",
        "open",
    ),
    row!(
        "back",
        &[key(KeyCode::Left), letter('h'), key(KeyCode::Backspace)],
        Place::Any,
        Action::Back,
        "back to where it was opened from",
        "",
    ),
    row!("peel", &[key(KeyCode::Esc)], Place::Any, Action::Peel, "one layer off: zoom, text, call, filter", "back"),
    row!("next-pane", &[key(KeyCode::Tab)], Place::Any, Action::NextPane, "to the next pane", "pane"),
    row!("previous-pane", &[key(KeyCode::BackTab)], Place::Any, Action::PreviousPane, "to the pane before", ""),
    row!("filter", &[letter('/')], Place::Sessions, Action::Filter, "filter the calls as you type", "filter"),
    row!("sort-left", &[letter('<')], Place::Sessions, Action::SortLeft, "sort by the column to the left", ""),
    row!("sort-right", &[letter('>')], Place::Sessions, Action::SortRight, "sort by the column to the right", "sort"),
    row!("reverse-sort", &[letter('r')], Place::Sessions, Action::Reverse, "turn the order round", "reverse"),
    row!("overview", &[letter('1')], Place::Any, Action::ShowOverview, "sessions, or the overview of a call", ""),
    row!("ladder", &[letter('2')], Place::Any, Action::ShowLadder, "who sent what to whom, and when", ""),
    row!("media", &[letter('3')], Place::Any, Action::ShowMedia, "both directions of the sound in figures", ""),
    row!("talk", &[letter('4')], Place::Any, Action::ShowTalk, "what was said", ""),
    row!("turns", &[letter('5')], Place::Any, Action::ShowTurns, "how long the caller waited, and for what", ""),
    row!("zoom", &[letter('z')], Place::Any, Action::Zoom, "this pane on the whole screen, and back", "zoom"),
    row!("freeze", &[letter(' ')], Place::Any, Action::Freeze, "hold the picture; data keeps arriving", "freeze"),
    row!("follow", &[letter('f')], Place::Call, Action::Follow, "follow the newest", "follow"),
    row!(
        "next-problem",
        &[letter('n')],
        Place::Any,
        Action::NextProblem,
        "next call with a lint, or slow turn",
        "problem",
    ),
    row!("previous-problem", &[letter('N')], Place::Any, Action::PreviousProblem, "the one before", ""),
    row!("time", &[letter('w')], Place::Call, Action::TimeStyle, "time as relative, delta or clock", "time"),
    row!("privacy", &[letter('p')], Place::Any, Action::Privacy, "mask numbers and words", "privacy"),
    row!("theme", &[letter('t')], Place::Any, Action::Theme, "the next theme", ""),
    row!("hangup", &[letter('x')], Place::Any, Action::Hangup, "end the chosen call, after asking", ""),
    row!("hold", &[letter('H')], Place::Any, Action::Hold, "hold the chosen call, or take it off hold", ""),
    row!("help", &[letter('?'), key(KeyCode::F(1))], Place::Any, Action::Help, "what the keys do", "help"),
    row!("quit", &[letter('q'), control('c')], Place::Any, Action::Quit, "leave the monitor", "quit"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_in_the_table_once() {
        for action in Action::ALL {
            assert_eq!(ACTIONS.iter().filter(|row| row.action == *action).count(), 1, "{action:?}");
        }
        assert_eq!(ACTIONS.len(), Action::ALL.len());
    }

    #[test]
    fn no_two_actions_share_a_key_where_both_work() {
        for (at, one) in ACTIONS.iter().enumerate() {
            assert!(!one.keys.is_empty(), "{} has no key", one.name);
            for other in &ACTIONS[at + 1..] {
                assert_ne!(one.name, other.name);
                let shared = one.keys.iter().any(|key| other.keys.contains(key));
                assert!(!(shared && one.place.overlaps(other.place)), "{} and {}", one.name, other.name);
            }
        }
    }

    #[test]
    fn keys_are_found_by_place_and_modifier() {
        let pressed = |code, modifiers| KeyEvent::new(code, modifiers);
        let slash = pressed(KeyCode::Char('/'), KeyModifiers::NONE);
        assert_eq!(of_key(&slash, Place::Sessions).map(|row| row.action), Some(Action::Filter));
        assert!(of_key(&slash, Place::Call).is_none());
        let page = pressed(KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(of_key(&page, Place::Call).map(|row| row.action), Some(Action::PageUp));
        // Terminals send Shift with capitals and with Shift-Tab.
        let last = pressed(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(of_key(&last, Place::Call).map(|row| row.action), Some(Action::Last));
    }
}
