//! What was said, in the order in which it was said: [`Utterances`] of the caller as they are written down, and a
//! [`Memory`] of both sides that a new connection is told.

use std::collections::VecDeque;

/// What was said that a new connection is told of, in bytes; the oldest goes first.
const MEMORY_MAX: usize = 8_000;
/// Utterances of the caller whose words are awaited; beyond, the oldest is given up.
const UTTERANCES_MAX: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::agent::wire) enum Speaker {
    Caller,
    Agent,
}

/// What both have said.
#[derive(Debug, Default)]
pub(in crate::agent::wire) struct Memory {
    said: VecDeque<(Speaker, String)>,
}

impl Memory {
    pub(in crate::agent::wire) fn remember(&mut self, who: Speaker, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        match self.said.back_mut() {
            Some((last, words)) if *last == who => {
                words.push(' ');
                words.push_str(text);
            }
            _ => self.said.push_back((who, text.to_owned())),
        }
        while self.said.iter().map(|(_, text)| text.len()).sum::<usize>() > MEMORY_MAX {
            self.said.pop_front();
        }
    }

    pub(in crate::agent::wire) fn is_empty(&self) -> bool {
        self.said.is_empty()
    }

    /// All of it, the oldest first.
    pub(in crate::agent::wire) fn all(&self) -> Vec<(Speaker, String)> {
        self.said.iter().cloned().collect()
    }
}

#[derive(Debug)]
struct Utterance {
    id: String,
    text: String,
    given: usize,
    done: bool,
}

/// What comes of an utterance.
#[derive(Clone, Copy, Debug)]
pub(in crate::agent::wire) enum Heard<'a> {
    /// It was made: its words follow.
    Began,
    /// More of its words.
    Piece(&'a str),
    /// All of them; those that were not said in pieces.
    Whole(Option<&'a str>),
}

/// What the caller said. Words come per utterance, and the second one's may come before the first one's are done.
#[derive(Debug, Default)]
pub(in crate::agent::wire) struct Utterances {
    waiting: VecDeque<Utterance>,
}

impl Utterances {
    /// Words in order that can be given on now, and utterances that are whole.
    pub(in crate::agent::wire) fn heard(&mut self, id: &str, what: Heard<'_>) -> (Vec<String>, Vec<String>) {
        if !self.waiting.iter().any(|utterance| utterance.id == id) {
            if self.waiting.len() >= UTTERANCES_MAX
                && let Some(oldest) = self.waiting.front_mut()
            {
                oldest.done = true;
            }
            self.waiting.push_back(Utterance { id: id.to_owned(), text: String::new(), given: 0, done: false });
        }
        if let Some(utterance) = self.waiting.iter_mut().find(|utterance| utterance.id == id) {
            match what {
                Heard::Piece(text) => utterance.text.push_str(text),
                Heard::Whole(Some(text)) if utterance.text.is_empty() => text.clone_into(&mut utterance.text),
                _ => {}
            }
            utterance.done |= matches!(what, Heard::Whole(_));
        }
        let (mut words, mut whole) = (Vec::new(), Vec::new());
        while let Some(front) = self.waiting.front_mut() {
            if front.given < front.text.len() {
                // Utterances are apart: the next one's words do not run into these.
                let mut next = front.text[front.given..].to_owned();
                if front.given == 0 && !next.starts_with(' ') {
                    next.insert(0, ' ');
                }
                front.given = front.text.len();
                words.push(next);
            }
            if !front.done {
                break;
            }
            whole.extend(self.waiting.pop_front().map(|utterance| utterance.text));
        }
        (words, whole)
    }

    /// The connection is gone: as much as there is of those that wait.
    pub(in crate::agent::wire) fn give_up(&mut self) -> Vec<String> {
        self.waiting.drain(..).map(|utterance| utterance.text).collect()
    }
}
