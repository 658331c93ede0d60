//! What the caller says: the sound of one utterance, when it is over, and the words that it was.
//!
//! A pause may be the end or a breath: what was said is written down at once, the words wait until the pause has lasted,
//! and are thrown away if the caller goes on, who is then written down as a whole.

use super::{Event, Interrupts, Output, Pending, Settings, Stage, TEXT_MAX, Talk};
use crate::{
    agent::stages::{Shape, requests},
    clock::Instant,
    unit::SampleRate,
};
use std::{collections::VecDeque, time::Duration};

/// Sound before the onset of speech that belongs to it, if the profile does not say: the detector takes a while.
const PREFIX_MS: u32 = 400;
/// Silence that ends the caller's turn, if the profile does not say.
const END_OF_SPEECH_MS: u32 = 600;
/// An utterance that is longer is written down in pieces: services take 25 MB, and a minute is two.
const UTTERANCE_MAX: Duration = Duration::from_mins(1);

/// Of one that a stream hears as it is said, so much is kept: 20 MB.
const STREAM_MAX: Duration = Duration::from_mins(10);

/// The ear.
#[derive(Debug)]
pub(super) struct Ear {
    rate: SampleRate,
    prefix: usize,
    silence: Duration,
    /// The newest sound, for the next onset.
    before: VecDeque<i16>,
    sound: Vec<i16>,
    /// An utterance is being heard or written down.
    open: bool,
    speaks: bool,
    /// The turn is over then.
    ends_at: Instant,
    /// It is over; its words are awaited.
    is_over: bool,
    /// The answer of the stage so far.
    answer: Vec<u8>,
    /// Words that wait for the end of the turn.
    words: Option<String>,
}

impl Ear {
    pub(super) fn new(settings: &Settings) -> Self {
        let rate = Talk::rate(settings);
        let prefix_ms = settings.told.vad_prefix_ms.unwrap_or(PREFIX_MS).min(2_000);
        let silence_ms = settings.told.silence_ms.unwrap_or(END_OF_SPEECH_MS);
        Self {
            rate,
            prefix: rate.samples_in(Duration::from_millis(prefix_ms.into())),
            silence: Duration::from_millis(silence_ms.into()),
            before: VecDeque::new(),
            sound: Vec::new(),
            open: false,
            speaks: false,
            ends_at: Instant::FAR_FUTURE,
            is_over: false,
            answer: Vec::new(),
            words: None,
        }
    }

    /// When the caller's turn is over.
    pub(super) const fn ends_at(&self) -> Instant {
        self.ends_at
    }

    /// The caller speaks, or has spoken and nobody knows yet what.
    pub(super) const fn is_busy(&self) -> bool {
        self.open
    }

    /// Sound of the caller. Tells that the utterance has become too long for one request.
    pub(super) fn hear(&mut self, samples: &[i16], streams: bool) -> bool {
        if !self.open {
            self.before.extend(samples);
            let surplus = self.before.len().saturating_sub(self.prefix);
            self.before.drain(..surplus);
            return false;
        }
        if streams {
            // It has heard already; what is kept is for a connection that breaks.
            if self.rate.duration_of(self.sound.len()) < STREAM_MAX {
                self.sound.extend_from_slice(samples);
            }
            return false;
        }
        self.sound.extend_from_slice(samples);
        self.speaks && self.rate.duration_of(self.sound.len()) >= UTTERANCE_MAX
    }

    fn begins(&mut self) {
        if !self.open {
            self.sound.clear();
            self.sound.extend(self.before.drain(..));
            self.open = true;
        }
        (self.speaks, self.ends_at, self.is_over, self.words) = (true, Instant::FAR_FUTURE, false, None);
        self.answer.clear();
    }

    /// Voice has ceased at `at`. Tells whether anything was heard.
    pub(super) fn falls_silent(&mut self, now: Instant, at: Instant) -> bool {
        if !std::mem::take(&mut self.speaks) || !self.open {
            return false;
        }
        self.ends_at = (at + self.silence).max(now);
        true
    }

    /// More of the stage's answer.
    pub(super) fn written(&mut self, bytes: &[u8]) {
        if self.answer.len() < TEXT_MAX {
            self.answer.extend_from_slice(bytes);
        }
    }

    pub(super) fn forget_answer(&mut self) {
        self.answer.clear();
    }

    /// Nothing was said.
    pub(super) fn forget(&mut self) {
        self.sound.clear();
        self.before.clear();
        self.answer.clear();
        (self.open, self.speaks, self.is_over, self.words) = (false, false, false, None);
        self.ends_at = Instant::FAR_FUTURE;
    }
}

impl Talk {
    pub(super) fn caller_begins(&mut self, now: Instant) {
        if self.leaving {
            return;
        }
        self.drop_asks(|stage| stage == Stage::Stt);
        let goes_on = self.ear.is_busy();
        self.ear.begins();
        if !goes_on && self.streams() {
            self.out.push_back(Output::Hear(self.ear.sound.clone()));
        }
        match self.settings.interrupts {
            Interrupts::Voice => self.yield_floor(now),
            Interrupts::Words | Interrupts::Call if !self.mouth.is_heard() => self.yield_floor(now),
            Interrupts::Words | Interrupts::Call | Interrupts::Never => {}
        }
    }

    /// Has written down what was said so far; of a monologue a piece, which is not asked for again.
    pub(super) fn ask_for_words(&mut self, now: Instant, is_piece: bool) {
        let sound = if is_piece { std::mem::take(&mut self.ear.sound) } else { self.ear.sound.clone() };
        let rate = self.ear.rate;
        self.ask(now, |id, settings| requests::transcription(id, settings, rate, &sound));
    }

    /// The pause has lasted: the caller is done.
    pub(super) fn endpoint(&mut self, now: Instant) {
        self.ear.ends_at = Instant::FAR_FUTURE;
        self.ear.is_over = true;
        self.event(Event::EndOfSpeech);
        if let Some(words) = self.ear.words.take() {
            self.understood(now, &words);
        }
    }

    /// The stage has answered.
    pub(super) fn written(&mut self, now: Instant, pending: Pending) {
        let answer = std::mem::take(&mut self.ear.answer);
        let shape = self.settings.shapes[Stage::Stt as usize];
        let words = match requests::words(shape, &answer) {
            Ok(words) => words,
            Err(text) => {
                let (id, problem) = (pending.ask.id, super::Problem { text, passing: true });
                self.asks.push(pending);
                return self.failed(now, id, problem);
            }
        };
        if self.ear.is_over {
            self.understood(now, &words);
        } else if self.ear.speaks {
            // A piece of a monologue.
            self.caller_said(&words);
        } else {
            self.ear.words = Some(words);
        }
    }

    /// The ear hears what the caller says as it is said.
    pub(super) fn streams(&self) -> bool {
        self.settings.shapes[Stage::Stt as usize] == Shape::Deepgram
    }

    /// The utterance is over, or of no interest.
    pub(super) fn ear_over(&mut self) {
        self.ear.forget();
        if self.streams() {
            self.out.push_back(Output::HeardOut);
        }
    }

    fn caller_said(&mut self, words: &str) {
        if words.is_empty() {
            return;
        }
        let space = if self.history.caller_was_last() { " " } else { "" };
        self.event(Event::CallerText(format!("{space}{words}")));
        self.history.caller(words);
        (self.owed, self.cut_short) = (true, false);
    }

    /// The caller's turn is over, and these were its words.
    fn understood(&mut self, now: Instant, words: &str) {
        self.ear_over();
        self.stage_done(Stage::Stt);
        self.caller_said(words);
        if self.owed {
            if self.settings.interrupts == Interrupts::Words && self.mouth.is_heard() && !words.is_empty() {
                self.yield_floor(now);
            }
            self.owe(now);
        } else if self.cut_short && self.answer.is_none() {
            // A cough: what it broke off is not lost.
            self.cut_short = false;
            self.history.tell(
                "The caller made a sound but said nothing. Go on where you were interrupted, without a word about it."
                    .to_owned(),
            );
            self.owe(now);
        }
    }
}
