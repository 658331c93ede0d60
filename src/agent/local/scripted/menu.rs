//! Menus: which choice the keys so far make. Knows no time and no sound.

use super::file::Line;
use std::time::Duration;

/// All keys of a telephone.
pub(super) const KEYS: &str = "0123456789*#ABCD";

/// A prompt and what keys do after it.
#[derive(Debug)]
pub(super) struct Menu {
    pub(super) name: String,
    pub(super) prompt: Line,
    /// From the prompt's end to the first key.
    pub(super) timeout: Duration,
    /// From one key to the next.
    pub(super) gap: Duration,
    /// So often it is heard without a valid choice.
    pub(super) tries: u32,
    pub(super) choices: Vec<Choice>,
    pub(super) collect: Option<Collect>,
    pub(super) invalid: Line,
    pub(super) no_input: Line,
    /// After the last try; none says goodbye and hangs up.
    pub(super) failed: Option<Line>,
}

/// Keys and what they do. `x` is any digit, `?` any one key that nothing else begins with.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) press: String,
    pub(super) line: Line,
}

/// Keys that become a value.
#[derive(Debug)]
pub(super) struct Collect {
    pub(super) into: String,
    pub(super) least: usize,
    pub(super) most: usize,
    /// Ends it.
    pub(super) end: Option<char>,
    /// Begins it anew.
    pub(super) again: Option<char>,
    pub(super) then: Line,
}

/// What the keys so far are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// Not enough.
    More,
    /// The caller begins anew.
    Again,
    /// This choice.
    Chosen(usize),
    /// A value.
    Collected(String),
    /// Nothing that there is.
    Wrong,
}

impl Choice {
    fn begins_with(&self, keys: &str) -> bool {
        let mut press = self.press.chars();
        keys.chars()
            .all(|key| press.next().is_some_and(|wanted| wanted == key || (wanted == 'x' && key.is_ascii_digit())))
    }

    fn is(&self, keys: &str) -> bool {
        self.press.len() == keys.len() && self.begins_with(keys)
    }
}

impl Menu {
    /// Every line of it.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        let fixed = [&self.prompt, &self.invalid, &self.no_input].into_iter().chain(&self.failed);
        fixed
            .chain(self.choices.iter().map(|choice| &choice.line))
            .chain(self.collect.iter().map(|collect| &collect.then))
    }

    /// After another key; `keys` are all since the menu listens.
    pub(super) fn typed(&self, keys: &str) -> Typed {
        if let Some(collect) = &self.collect {
            return self.collecting(collect, keys);
        }
        let longer = self.choices.iter().any(|choice| choice.press.len() > keys.len() && choice.begins_with(keys));
        match self.exactly(keys) {
            Some(choice) if !longer => Typed::Chosen(choice),
            _ if longer => Typed::More,
            // Who has waited for no longer number says so with #.
            _ => match keys.strip_suffix('#').filter(|keys| !keys.is_empty()).and_then(|keys| self.exactly(keys)) {
                Some(choice) => Typed::Chosen(choice),
                None => Typed::Wrong,
            },
        }
    }

    /// No further key came in time.
    pub(super) fn at_gap(&self, keys: &str) -> Typed {
        match &self.collect {
            Some(collect) if keys.len() >= collect.least => Typed::Collected(keys.to_owned()),
            Some(_) => Typed::Wrong,
            None => self.exactly(keys).map_or(Typed::Wrong, Typed::Chosen),
        }
    }

    /// One that is written out wins over one with `x`, that over `?`.
    fn exactly(&self, keys: &str) -> Option<usize> {
        let find = |wanted: &dyn Fn(&Choice) -> bool| self.choices.iter().position(wanted);
        find(&|choice| choice.press == keys)
            .or_else(|| find(&|choice| choice.is(keys)))
            .or_else(|| find(&|choice| choice.press == "?").filter(|_| keys.len() == 1))
    }

    fn collecting(&self, collect: &Collect, keys: &str) -> Typed {
        let mut before = keys.chars();
        let Some(key) = before.next_back() else { return Typed::More };
        let before = before.as_str();
        if collect.again == Some(key) {
            return Typed::Again;
        }
        if before.is_empty()
            && let Some(choice) = self.exactly(keys)
        {
            return Typed::Chosen(choice);
        }
        if collect.end == Some(key) {
            let enough = before.len() >= collect.least;
            return if enough { Typed::Collected(before.to_owned()) } else { Typed::Wrong };
        }
        match key.is_ascii_digit() {
            false => Typed::Wrong,
            true if keys.len() >= collect.most => Typed::Collected(keys.to_owned()),
            true => Typed::More,
        }
    }
}
