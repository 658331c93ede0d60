//! What is spoken: sentences on their way to the voice and to the call, in order, and what of them was heard.
//!
//! Two sentences are with the voice at most: the one that is heard next, and the one after it. Sound of the second waits
//! here until the first is whole.

use super::{Event, Output, Pending, Stage, Talk};
use crate::{
    agent::stages::{
        requests,
        speech::{Format, Speech},
    },
    clock::Instant,
    unit::SampleRate,
};
use std::{collections::VecDeque, time::Duration};

/// Sentences that are with the voice at once.
const ASKED_MAX: usize = 2;
/// Sentences that have sound and were not heard yet: nobody makes sound for a caller who may interrupt.
const AHEAD_MAX: usize = 4;
/// Sound of one sentence; more is a voice that does not find its end.
const SENTENCE_MAX: Duration = Duration::from_mins(2);
/// Sentences in a row that broke off.
const BROKEN_MAX: u32 = 3;
/// How fast people speak, for a sentence whose length is not known yet.
const MS_PER_CHARACTER: f64 = 65.0;

/// The mouth.
#[derive(Debug, Default)]
pub(super) struct Mouth {
    queue: VecDeque<Sentence>,
    given: VecDeque<Given>,
    newest: u32,
    reached: u32,
    /// A turn has begun and its end was not told.
    turn: bool,
    /// It has sound.
    sounds: bool,
    broken: u32,
}

/// A sentence of which the call has not got all.
#[derive(Debug)]
struct Sentence {
    mark: u32,
    /// The answer that it is of.
    number: u32,
    text: String,
    ask: Option<u32>,
    speech: Speech,
    ready: Vec<(SampleRate, Vec<i16>)>,
    length: Duration,
    /// All its sound is here.
    is_whole: bool,
}

/// A sentence that the call has got, and that belongs to the turn that plays.
#[derive(Debug)]
struct Given {
    mark: u32,
    number: u32,
    text: String,
    length: Duration,
    is_whole: bool,
}

impl Mouth {
    /// Something is being spoken, or will be.
    pub(super) fn is_busy(&self) -> bool {
        !self.queue.is_empty() || self.is_heard()
    }

    /// The caller hears us, as far as we know.
    pub(super) fn is_heard(&self) -> bool {
        self.given.iter().any(|given| !given.is_whole || given.mark > self.reached)
    }

    /// Sound of this request was given to the call.
    pub(super) fn has_sound(&self, ask: u32) -> bool {
        self.queue.iter().any(|sentence| sentence.ask == Some(ask) && !sentence.length.is_zero())
    }

    /// The request is made once more, under another number.
    pub(super) fn again(&mut self, ask: u32, other: u32, format: Format) {
        if let Some(sentence) = self.queue.iter_mut().find(|sentence| sentence.ask == Some(ask)) {
            (sentence.ask, sentence.speech) = (Some(other), Speech::new(format));
        }
    }

    /// The turn was heard to its end: what was given since is the next one's.
    pub(super) fn played(&mut self) {
        let reached = self.reached;
        self.given.retain(|given| !given.is_whole || given.mark > reached);
    }

    /// All that was given was heard.
    pub(super) fn all_heard(&mut self) {
        self.given.clear();
    }

    pub(super) fn reached(&mut self, mark: u32) {
        self.reached = self.reached.max(mark);
    }

    /// The answers of which sentences wait, and what stays of them without those.
    pub(super) fn without_waiting(&self) -> Vec<(u32, String)> {
        let mut answers: Vec<(u32, String)> = Vec::new();
        for sentence in &self.queue {
            if !answers.iter().any(|(number, _)| *number == sentence.number) {
                answers.push((sentence.number, self.text_of(sentence.number)));
            }
        }
        answers
    }

    fn text_of(&self, number: u32) -> String {
        let texts: Vec<&str> =
            self.given.iter().filter(|given| given.number == number).map(|given| given.text.as_str()).collect();
        texts.join(" ")
    }

    /// What waits is not spoken any more.
    pub(super) fn stop(&mut self) {
        self.queue.clear();
    }

    /// The turn was cut after so much: what was heard of each of its answers.
    pub(super) fn cut(&mut self, heard: Duration) -> Vec<(u32, String)> {
        self.queue.clear();
        (self.turn, self.sounds) = (false, false);
        let mut left = heard;
        let mut answers: Vec<(u32, String)> = Vec::new();
        for given in self.given.drain(..) {
            let words = if given.is_whole && left >= given.length {
                given.text.as_str()
            } else {
                let guess = Duration::from_secs_f64(given.text.chars().count() as f64 * MS_PER_CHARACTER / 1_000.0);
                let length = if given.is_whole { given.length } else { given.length.max(guess) };
                first_words(&given.text, left.as_secs_f64() / length.as_secs_f64().max(0.001))
            };
            left = left.saturating_sub(given.length);
            match answers.last_mut() {
                Some((number, text)) if *number == given.number => {
                    text.push(' ');
                    text.push_str(words);
                }
                _ => answers.push((given.number, words.to_owned())),
            }
        }
        for (_, text) in &mut answers {
            text.truncate(text.trim_end().len());
        }
        answers
    }
}

/// The words of a text that fit into this share of it, whole ones only.
fn first_words(text: &str, share: f64) -> &str {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    let at = (text.len() as f64 * share.clamp(0.0, 1.0)) as usize;
    if at >= text.len() {
        return text;
    }
    let at = text.floor_char_boundary(at);
    if text[at..].starts_with(char::is_whitespace) {
        return &text[..at];
    }
    text[..at].rfind(char::is_whitespace).map_or("", |end| &text[..end])
}

impl Talk {
    /// Sentences of the answer that is being written.
    pub(super) fn speak(&mut self, now: Instant, sentences: Vec<String>) {
        for text in sentences {
            let Some(answer) = &mut self.answer else { return };
            let (number, is_first) = (answer.number, !std::mem::replace(&mut answer.spoke, true));
            if is_first {
                self.stage_done(Stage::Llm);
            }
            self.history.say(number, &text);
            let mouth = &mut self.mouth;
            mouth.newest += 1;
            mouth.turn = true;
            mouth.queue.push_back(Sentence {
                mark: mouth.newest,
                number,
                text,
                ask: None,
                speech: Speech::new(self.settings.format),
                ready: Vec::new(),
                length: Duration::ZERO,
                is_whole: false,
            });
        }
        self.feed(now);
    }

    /// Gives the voice what it may have.
    pub(super) fn feed(&mut self, now: Instant) {
        loop {
            let mouth = &self.mouth;
            let asked = mouth.queue.iter().filter(|sentence| sentence.ask.is_some() && !sentence.is_whole).count();
            let with_sound = mouth.queue.iter().filter(|sentence| sentence.ask.is_some()).count()
                + mouth.given.iter().filter(|given| given.is_whole && given.mark > mouth.reached).count();
            if asked >= ASKED_MAX || with_sound >= AHEAD_MAX {
                return;
            }
            let Some(at) = mouth.queue.iter().position(|sentence| sentence.ask.is_none()) else { return };
            let text = mouth.queue[at].text.clone();
            let ask = self.ask(now, |id, settings| requests::speech(id, settings, &text));
            self.mouth.queue[at].ask = Some(ask);
        }
    }

    /// Sound of a sentence.
    pub(super) fn voiced(&mut self, now: Instant, id: u32, bytes: &[u8]) {
        let Some(sentence) = self.mouth.queue.iter_mut().find(|sentence| sentence.ask == Some(id)) else { return };
        match sentence.speech.push(bytes) {
            Ok((_, samples)) if samples.is_empty() => {}
            Ok((rate, samples)) => {
                sentence.length += rate.duration_of(samples.len());
                let endless = sentence.length > SENTENCE_MAX;
                sentence.ready.push((rate, samples));
                if endless {
                    sentence.is_whole = true;
                    self.take(id);
                    self.out.push_back(Output::Drop(id));
                    self.note("tts: a sentence does not end; it was cut after two minutes".to_owned());
                }
                self.give(now);
            }
            Err(text) => {
                self.out.push_back(Output::Drop(id));
                self.failed(now, id, super::Problem { text, passing: true });
            }
        }
    }

    /// All sound of a sentence has come.
    pub(super) fn spoken(&mut self, now: Instant, pending: Pending) {
        let id = pending.ask.id;
        if !self.mouth.has_sound(id) {
            self.asks.push(pending);
            let text = "the answer holds no sound".to_owned();
            return self.failed(now, id, super::Problem { text, passing: true });
        }
        self.mouth.broken = 0;
        self.sentence_is_whole(now, id);
    }

    /// A sentence broke off after the caller has heard the first of it: the next goes on.
    pub(super) fn sentence_broke(&mut self, now: Instant, id: u32, text: String) {
        self.mouth.broken += 1;
        if self.mouth.broken >= BROKEN_MAX {
            return self.give_up(text);
        }
        self.note(format!("{text}; the rest of a sentence is lost"));
        self.sentence_is_whole(now, id);
    }

    fn sentence_is_whole(&mut self, now: Instant, id: u32) {
        if let Some(sentence) = self.mouth.queue.iter_mut().find(|sentence| sentence.ask == Some(id)) {
            sentence.is_whole = true;
        }
        self.give(now);
        self.feed(now);
    }

    /// Gives the call what is next in order.
    fn give(&mut self, now: Instant) {
        while let Some(sentence) = self.mouth.queue.front_mut() {
            let (mark, number, is_whole) = (sentence.mark, sentence.number, sentence.is_whole);
            let ready = std::mem::take(&mut sentence.ready);
            if !ready.is_empty() && self.mouth.given.back().is_none_or(|given| given.mark != mark) {
                let text = sentence.text.clone();
                self.mouth.given.push_back(Given { mark, number, text, length: Duration::ZERO, is_whole: false });
                self.sentence_begins();
            }
            for (rate, samples) in ready {
                if let Some(given) = self.mouth.given.back_mut() {
                    given.length += rate.duration_of(samples.len());
                }
                self.event(Event::Audio { rate, samples });
            }
            if !is_whole {
                return;
            }
            if let Some(given) = self.mouth.given.back_mut().filter(|given| given.mark == mark) {
                given.is_whole = true;
            }
            self.event(Event::Mark(mark));
            self.mouth.queue.pop_front();
        }
        self.turn_may_end(now);
    }

    /// The first sound of a sentence is there: its words are told with it.
    fn sentence_begins(&mut self) {
        let is_first = !std::mem::replace(&mut self.mouth.sounds, true);
        if is_first {
            self.stage_done(Stage::Tts);
        }
        self.is_ready();
        let text = self.mouth.given.back().map(|given| given.text.clone()).unwrap_or_default();
        let space = if is_first { "" } else { " " };
        self.event(Event::AgentText(format!("{space}{text}")));
    }

    /// All is written and all of it is given: the turn ends when it was heard.
    pub(super) fn turn_may_end(&mut self, now: Instant) {
        if self.answer.is_some() || self.again_at != Instant::FAR_FUTURE || !self.mouth.queue.is_empty() {
            return;
        }
        self.mouth.sounds = false;
        if std::mem::take(&mut self.mouth.turn) {
            self.event(Event::TurnComplete);
        }
        // Nothing to say is a greeting as well.
        self.is_ready();
        self.respond(now);
    }
}
