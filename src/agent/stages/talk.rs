//! One conversation of a `pipeline` agent: when the caller has spoken it is written down, answered, and the answer is
//! spoken sentence by sentence while the model still writes.
//!
//! Owns who is asked what and when, what is spoken in which order, what was heard of it, and what becomes of stages that
//! fail. The parts: `ear` (what the caller says), `mouth` (what is spoken), this file (the answers between them).
//! One rule: after each [`Talk::handle`], drain [`Talk::poll`] until it says [`Output::Timeout`].

mod ear;
mod mouth;

use super::{
    Ask, Input, Interrupts, Output, Problem, Settings, Stage,
    history::History,
    sentences::Sentences,
    sse::{self, CallPiece, Piece},
};
use crate::{
    agent::event::{Command, Event, ToolCall},
    call::journal::Usage,
    clock::Instant,
    media::dsp::vad::SpeechEdge,
    unit::SampleRate,
};
use ear::Ear;
use mouth::Mouth;
use serde_json::Value;
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// Before a stage is asked again.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// A cut that was asked for and that the call does not confirm within this had nothing to cut.
const CUT_WITHIN: Duration = Duration::from_millis(300);
/// Keys that follow one another sooner than this are told together.
const KEYS_GAP: Duration = Duration::from_millis(1_200);
/// Calls of tools in one answer.
const CALLS_MAX: usize = 16;
/// Longest answer of the ear that is read, and longest arguments of a tool.
const TEXT_MAX: usize = 1 << 20;

/// The machine.
#[derive(Debug)]
pub struct Talk {
    settings: Arc<Settings>,
    ready: bool,
    started: bool,
    over: bool,
    on_hold: bool,
    /// The model wants the call to end: its last words are not interrupted.
    leaving: bool,
    ear: Ear,
    mouth: Mouth,
    history: History,
    newest: u32,
    asks: Vec<Pending>,
    answer: Option<Answer>,
    /// The caller has said something, or a tool has, that nobody has answered.
    owed: bool,
    /// The last answer was interrupted.
    cut_short: bool,
    /// A cut was asked for; it is taken for done then.
    cut_by: Instant,
    /// The model is asked again then.
    again_at: Instant,
    /// Answers in a row that failed.
    failures: u32,
    keys: String,
    keys_at: Instant,
    /// What waits for the call's answer.
    held_back: VecDeque<Event>,
    out: VecDeque<Output>,
}

/// A request that has no whole answer yet.
#[derive(Debug)]
struct Pending {
    ask: Ask,
    /// It has failed if nothing came until then.
    silent_at: Instant,
    /// It is asked again then.
    again_at: Instant,
    tries: u32,
    /// Something of the answer came.
    began: bool,
}

/// An answer that the model writes.
#[derive(Debug)]
struct Answer {
    ask: u32,
    /// Its number in the history.
    number: u32,
    reader: sse::Reader,
    sentences: Sentences,
    calls: Vec<CallPiece>,
    /// It said why it ends.
    is_whole: bool,
    /// A sentence of it was given to the voice.
    spoke: bool,
    /// What it cost, as the service counts.
    usage: Option<Usage>,
}

impl Talk {
    /// A conversation of a call that begins at `now`. It prepares its greeting at once, so that the first word is there
    /// when the call is answered.
    #[must_use]
    pub fn new(now: Instant, settings: Arc<Settings>) -> Self {
        let mut talk = Self {
            ear: Ear::new(&settings),
            mouth: Mouth::default(),
            settings,
            ready: false,
            started: false,
            over: false,
            on_hold: false,
            leaving: false,
            history: History::default(),
            newest: 0,
            asks: Vec::new(),
            answer: None,
            owed: false,
            cut_short: false,
            cut_by: Instant::FAR_FUTURE,
            again_at: Instant::FAR_FUTURE,
            failures: 0,
            keys: String::new(),
            keys_at: Instant::FAR_FUTURE,
            held_back: VecDeque::new(),
            out: VecDeque::new(),
        };
        match talk.settings.told.greeting.clone() {
            Some(greeting) => {
                talk.history.tell(greeting);
                talk.owe(now);
            }
            None => talk.is_ready(),
        }
        talk
    }

    /// The rate at which the caller is to be heard.
    #[must_use]
    pub fn rate(settings: &Settings) -> SampleRate {
        settings.told.audio.map_or(SampleRate::HZ_16000, crate::agent::wire::Encoding::rate)
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        if self.over {
            return;
        }
        match input {
            Input::Call(command) => self.told(now, command),
            Input::Piece(id, bytes) => {
                let until = now + self.settings.within;
                let Some(pending) = self.asks.iter_mut().find(|pending| pending.ask.id == id) else { return };
                (pending.began, pending.silent_at) = (true, until);
                match pending.ask.stage {
                    Stage::Stt => self.ear.written(bytes),
                    Stage::Llm => self.read(now, bytes),
                    Stage::Tts => self.voiced(now, id, bytes),
                }
            }
            Input::End(id) => {
                let Some(pending) = self.take(id) else { return };
                match pending.ask.stage {
                    Stage::Stt => self.written(now, pending),
                    Stage::Llm => self.answered(now),
                    Stage::Tts => self.spoken(now, pending),
                }
            }
            Input::Failed(id, problem) => self.failed(now, id, problem),
            Input::Timeout => self.due(now),
        }
    }

    /// The next thing that it wants.
    pub fn poll(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| Output::Timeout(self.timeout()))
    }

    /// Whether it wants something.
    #[must_use]
    pub fn wants(&self) -> bool {
        !self.out.is_empty()
    }

    /// When [`Input::Timeout`] is wanted.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        if self.over {
            return Instant::FAR_FUTURE;
        }
        let asks = self.asks.iter().map(|pending| pending.silent_at.min(pending.again_at));
        asks.chain([self.ear.ends_at(), self.cut_by, self.again_at, self.keys_at]).min().unwrap_or(Instant::FAR_FUTURE)
    }

    fn due(&mut self, now: Instant) {
        if now >= self.ear.ends_at() {
            self.endpoint(now);
        }
        if now >= self.cut_by {
            // Nothing was there to cut: all of it was heard.
            self.cut_by = Instant::FAR_FUTURE;
            self.mouth.all_heard();
            self.respond(now);
        }
        if now >= self.again_at {
            self.again_at = Instant::FAR_FUTURE;
            self.respond(now);
        }
        if now >= self.keys_at {
            self.keys_at = Instant::FAR_FUTURE;
            let keys: Vec<String> = std::mem::take(&mut self.keys).chars().map(String::from).collect();
            let keys = keys.join(" ");
            self.history.tell(format!("The caller pressed on the telephone: {keys}"));
            self.owe(now);
        }
        let (within, mut late) = (self.settings.within, Vec::new());
        for pending in &mut self.asks {
            if now >= pending.again_at {
                pending.again_at = Instant::FAR_FUTURE;
                pending.silent_at = now + within;
                self.out.push_back(Output::Ask(pending.ask.clone()));
            } else if now >= pending.silent_at {
                late.push((pending.ask.id, pending.began));
            }
        }
        for (id, began) in late {
            self.out.push_back(Output::Drop(id));
            let text = format!("nothing came for {} s", within.as_secs_f32());
            self.failed(now, id, Problem { text, passing: began });
        }
    }

    fn told(&mut self, now: Instant, command: Command<'_>) {
        match command {
            Command::Start => {
                self.started = true;
                let waiting = std::mem::take(&mut self.held_back);
                self.out.extend(waiting.into_iter().map(Output::Event));
            }
            Command::Audio { samples, .. } if !self.on_hold => {
                if self.ear.is_busy() && self.streams() {
                    self.out.push_back(Output::Hear(samples.to_vec()));
                }
                if self.ear.hear(samples, self.streams()) {
                    self.ask_for_words(now, true);
                }
            }
            Command::Speech(SpeechEdge::Started(_)) if !self.on_hold => self.caller_begins(now),
            Command::Speech(SpeechEdge::Ended(at)) => {
                if self.ear.falls_silent(now, at) {
                    // The pause may be the end: what was said so far is written down meanwhile.
                    self.ask_for_words(now, false);
                }
            }
            Command::Digit(digit) => {
                self.keys.push(digit);
                self.keys_at = now + KEYS_GAP;
                let is_heard = self.mouth.is_heard();
                if self.settings.interrupts != Interrupts::Never && (self.settings.keys_interrupt || !is_heard) {
                    self.yield_floor(now);
                }
            }
            Command::Played => {
                self.mouth.played();
                self.cut_by = Instant::FAR_FUTURE;
                self.respond(now);
            }
            Command::Interrupted { heard_ms } => self.cut(now, heard_ms),
            Command::Marked(mark) => {
                self.mouth.reached(mark);
                self.feed(now);
            }
            Command::Held(held) => {
                self.on_hold = held;
                if held {
                    // Half a word before the hold must not wait for its end.
                    self.ear_over();
                    self.drop_asks(|stage| stage == Stage::Stt);
                } else {
                    self.respond(now);
                }
            }
            Command::ToolResult { id, result, .. } => self.tool_result(now, id, result),
            Command::Close => {
                self.drop_asks(|_| true);
                self.over = true;
            }
            Command::Audio { .. } | Command::Speech(_) | Command::Text(_) | Command::Acted { .. } => {}
        }
    }

    // Asking

    /// Asks a stage; its number.
    fn ask(&mut self, now: Instant, make: impl FnOnce(u32, &Settings) -> Ask) -> u32 {
        self.newest += 1;
        let ask = make(self.newest, &self.settings);
        self.out.push_back(Output::Ask(ask.clone()));
        let silent_at = now + self.settings.within;
        self.asks.push(Pending { ask, silent_at, again_at: Instant::FAR_FUTURE, tries: 1, began: false });
        self.newest
    }

    fn take(&mut self, id: u32) -> Option<Pending> {
        let at = self.asks.iter().position(|pending| pending.ask.id == id)?;
        Some(self.asks.remove(at))
    }

    fn drop_asks(&mut self, of: impl Fn(Stage) -> bool) {
        let out = &mut self.out;
        self.asks.retain(|pending| {
            let dropped = of(pending.ask.stage);
            if dropped {
                out.push_back(Output::Drop(pending.ask.id));
            }
            !dropped
        });
    }

    /// A stage failed: it is asked again if that may help, and the caller has not heard half of it.
    fn failed(&mut self, now: Instant, id: u32, problem: Problem) {
        let Some(mut pending) = self.take(id) else { return };
        let stage = pending.ask.stage;
        let text = format!("{}: {}", stage.name(), problem.text);
        match stage {
            Stage::Llm => return self.answer_failed(now, problem.passing, text),
            Stage::Tts if self.mouth.has_sound(id) => return self.sentence_broke(now, id, text),
            Stage::Stt => self.ear.forget_answer(),
            Stage::Tts => {}
        }
        if !problem.passing || pending.tries > 1 {
            return self.give_up(text);
        }
        self.note(format!("{text}; asking again"));
        self.newest += 1;
        (pending.ask.id, pending.tries) = (self.newest, pending.tries + 1);
        (pending.began, pending.silent_at, pending.again_at) = (false, Instant::FAR_FUTURE, now + RETRY_AFTER);
        if stage == Stage::Tts {
            self.mouth.again(id, self.newest, self.settings.format);
        }
        self.asks.push(pending);
    }

    fn give_up(&mut self, text: String) {
        self.drop_asks(|_| true);
        self.over = true;
        self.out.push_back(Output::Event(Event::Failed(text)));
    }

    fn note(&mut self, text: String) {
        self.out.push_back(Output::Event(Event::Note(text)));
    }

    // Telling

    fn is_ready(&mut self) {
        if !std::mem::replace(&mut self.ready, true) {
            self.out.push_back(Output::Event(Event::Ready));
        }
    }

    /// Something for the call, which hears nothing before it was answered.
    fn event(&mut self, event: Event) {
        if self.started { self.out.push_back(Output::Event(event)) } else { self.held_back.push_back(event) }
    }

    /// Up to now the answer waited for this.
    fn step(&mut self, name: &'static str, owner: &str) {
        self.event(Event::Step { name, owner: owner.to_owned() });
    }

    fn stage_done(&mut self, stage: Stage) {
        let owner = self.settings.owners[stage as usize].clone();
        self.step(stage.name(), &owner);
    }

    // The floor

    /// The caller speaks: what was not heard is thrown away.
    fn yield_floor(&mut self, now: Instant) {
        if self.leaving || !self.started {
            return;
        }
        if self.mouth.is_heard() {
            self.event(Event::Interrupted);
            self.stop();
            // What was heard of it is the answer.
            self.owed = false;
            self.cut_by = now + CUT_WITHIN;
        } else if self.answer.is_some() || self.mouth.is_busy() {
            // Nothing was heard: the question stays open.
            self.stop();
            self.unsay();
            self.owed = true;
        }
    }

    /// Ends the answer in progress where it is.
    fn stop(&mut self) {
        self.drop_asks(|stage| stage != Stage::Stt);
        self.again_at = Instant::FAR_FUTURE;
        if let Some(answer) = self.answer.take() {
            self.history.drop_empty(answer.number);
        }
        self.unsay();
        self.mouth.stop();
    }

    /// Takes back from the history what waits to be spoken.
    fn unsay(&mut self) {
        for (number, text) in self.mouth.without_waiting() {
            self.history.heard(number, &text);
        }
    }

    /// The call has cut us after so much of the turn.
    fn cut(&mut self, now: Instant, heard_ms: u32) {
        self.stop();
        let heard = self.mouth.cut(Duration::from_millis(heard_ms.into()));
        let nothing = heard.iter().all(|(_, text)| text.is_empty());
        for (number, text) in heard {
            self.history.heard(number, &text);
        }
        // Closes the turn: what comes next is not late sound of this one.
        self.event(Event::TurnComplete);
        self.cut_short = true;
        self.cut_by = Instant::FAR_FUTURE;
        self.owed |= nothing;
        self.respond(now);
    }

    /// An answer is owed, at once if nobody speaks.
    fn owe(&mut self, now: Instant) {
        self.owed = true;
        self.respond(now);
    }

    // The model

    /// Asks the model if an answer is owed, unless the caller speaks, or one is being made or may not be interrupted.
    fn respond(&mut self, now: Instant) {
        let later = [self.cut_by, self.again_at, self.keys_at].iter().any(|at| *at != Instant::FAR_FUTURE);
        if !self.owed || later {
            return;
        }
        // What was said into our words without cutting them is answered after them.
        let waits = matches!(self.settings.interrupts, Interrupts::Never | Interrupts::Call) && self.mouth.is_busy();
        if self.answer.is_some() || self.ear.is_busy() || self.on_hold || waits {
            return;
        }
        let body = self.history.question(&self.settings);
        let number = self.history.answer();
        let ask = self.ask(now, |id, _| Ask {
            id,
            stage: Stage::Llm,
            content_type: "application/json".to_owned(),
            body: body.into(),
        });
        self.answer = Some(Answer {
            ask,
            number,
            reader: sse::Reader::default(),
            sentences: Sentences::default(),
            calls: Vec::new(),
            is_whole: false,
            spoke: false,
            usage: None,
        });
    }

    fn read(&mut self, now: Instant, bytes: &[u8]) {
        let Some(answer) = &mut self.answer else { return };
        let mut pieces = Vec::new();
        answer.reader.push(bytes, &mut pieces);
        self.pieces(now, pieces);
    }

    fn pieces(&mut self, now: Instant, pieces: Vec<Piece>) {
        for piece in pieces {
            let Some(answer) = &mut self.answer else { return };
            match piece {
                Piece::Text(text) => {
                    let mut whole = Vec::new();
                    answer.sentences.push(&text, &mut whole);
                    self.speak(now, whole);
                }
                Piece::Call(piece) => {
                    if piece.index >= CALLS_MAX {
                        continue;
                    }
                    if answer.calls.len() <= piece.index {
                        answer.calls.resize_with(piece.index + 1, CallPiece::default);
                    }
                    let call = &mut answer.calls[piece.index];
                    call.id.push_str(&piece.id);
                    call.name.push_str(&piece.name);
                    if call.arguments.len() < TEXT_MAX {
                        call.arguments.push_str(&piece.arguments);
                    }
                }
                Piece::Finished(reason) => {
                    answer.is_whole = true;
                    if reason == "length" || reason == "content_filter" {
                        self.note(format!("llm: the answer was ended by the service: {reason}"));
                    }
                }
                // Some servers count on with every piece: the newest is the sum.
                Piece::Usage(usage) => answer.usage = Some(usage),
                Piece::Odd(problem) => self.note(format!("llm: {problem}")),
                Piece::Error(problem) => {
                    let ask = answer.ask;
                    self.take(ask);
                    self.out.push_back(Output::Drop(ask));
                    return self.answer_failed(now, true, format!("llm: {problem}"));
                }
                Piece::Done => {
                    // Its connection may close when it likes.
                    let ask = answer.ask;
                    answer.is_whole = true;
                    self.take(ask);
                    return self.answered(now);
                }
            }
        }
    }

    /// The model has written all of its answer.
    fn answered(&mut self, now: Instant) {
        let Some(answer) = &mut self.answer else { return };
        if !answer.is_whole {
            let mut pieces = Vec::new();
            answer.reader.finish(&mut pieces);
            self.pieces(now, pieces);
        }
        let Some(answer) = &mut self.answer else { return };
        let mut whole = Vec::new();
        answer.sentences.finish(&mut whole);
        let has_words = answer.spoke || !whole.is_empty();
        if !has_words && answer.calls.is_empty() && !answer.is_whole {
            return self.answer_failed(now, true, "llm: the answer broke off".to_owned());
        }
        self.speak(now, whole);
        let Some(answer) = self.answer.take() else { return };
        if let Some(usage) = answer.usage {
            self.out.push_back(Output::Event(Event::Usage(usage)));
        }
        // Unless the caller has spoken meanwhile.
        (self.owed, self.cut_short, self.failures) = (self.history.caller_was_last(), false, 0);
        let number = answer.number;
        if !has_words && answer.calls.is_empty() {
            self.note("llm: the model answered without a word".to_owned());
        }
        for (index, call) in answer.calls.into_iter().enumerate().filter(|(_, call)| !call.name.is_empty()) {
            let CallPiece { id, name, arguments, .. } = call;
            // Some servers leave the name of the call out.
            let id = if id.is_empty() { format!("call_{number}_{index}") } else { id };
            self.leaving |= name == "hang_up";
            self.history.call(number, &id, &name, &arguments);
            self.event(Event::ToolCall(ToolCall { id, name, arguments }));
        }
        self.history.drop_empty(number);
        self.turn_may_end(now);
    }

    /// The model has failed: it is asked once more, and told what it has said already.
    fn answer_failed(&mut self, now: Instant, passing: bool, text: String) {
        self.failures += 1;
        if !passing || self.failures > 1 {
            return self.give_up(text);
        }
        self.note(format!("{text}; asking again"));
        if let Some(answer) = self.answer.take() {
            self.history.drop_empty(answer.number);
            if answer.spoke {
                self.history.tell("Your answer was broken off there. Go on exactly where it ends.".to_owned());
            }
        }
        self.again_at = now + RETRY_AFTER;
    }

    fn tool_result(&mut self, now: Instant, id: &str, result: Result<&Value, &str>) {
        self.leaving = false;
        if self.history.result(id, result) {
            self.step("tool", "tool");
            self.owe(now);
        }
    }
}

#[cfg(test)]
mod tests;
