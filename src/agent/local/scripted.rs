//! `scripted`: a small agent from a TOML file. Greets, answers to the end of speech, to keys, to silence and to
//! being interrupted, leads through menus, and asks the gateway for transfers, bridges and other agents. Prompts are WAV
//! files, tones, or from inside the binary. In texts and in what it asks for, `{{from}}`, `{{to}}`, `{{X-Tenant}}` stand
//! for who calls, who is called, and a header of the INVITE; `{{keys}}` for the keys of the last choice, `{{NAME}}` for
//! what was collected or set, `{{outcome}}` for why something was refused.
//!
//! ```toml
//! name = "switchboard"
//! [greeting]
//! say = "builtin:greeting"
//! [menu.main]
//! say = "choose.wav"
//! timeout = "7s"
//! tries = 3
//! no_input = { say = "builtin:silence" }
//! [[menu.main.digit]]
//! press = "1"
//! goto = "account"
//! [[menu.main.digit]]
//! press = "2xx"
//! bridge = "{{keys}}"
//! failed = { say = "busy.wav", goto = "main" }
//! [menu.account]
//! collect = { into = "account", least = 4, most = 8 }
//! then = { agent = "billing" }
//! ```
//!
//! `file` reads it, `menu` knows what keys choose; here is what happens when.

mod file;
mod menu;

pub use file::{Loader, SPOKEN, Script};
pub(super) use file::{at_line, span, with_nearest};

use super::LocalAgent;
use crate::{
    agent::event::{About, Action, Command, Event, Outcome, Output, Sound},
    clock::Instant,
    media::dsp::vad::SpeechEdge,
};
use file::{Line, Then};
use menu::{Menu, Typed};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// The script that ships inside the binary: what a gateway without key and config says.
pub const DEFAULT: &str = include_str!("../prompts/default.toml");

/// The agent of one call.
#[derive(Debug)]
pub struct Scripted {
    script: Arc<Script>,
    started: bool,
    replied: usize,
    talking: bool,
    hang_up_when_played: bool,
    was_interrupted: bool,
    answer_at: Instant,
    silence_at: Instant,
    prompted: u32,
    /// The menu that the caller is in.
    at: Option<At>,
    /// What follows the line that is being said.
    next: Option<Next>,
    /// Somebody is being called, or another agent fetched.
    waiting: Option<Waiting>,
    /// A key that only ends what was complete already, if it comes before then.
    swallow: Option<(char, Instant)>,
    newest_id: u32,
    about: About,
    out: VecDeque<Event>,
}

/// A menu and what has been typed in it.
#[derive(Debug)]
struct At {
    menu: usize,
    keys: String,
    /// Prompts without a valid choice.
    tried: u32,
    /// No key, or no further key, by then.
    due: Instant,
}

/// What follows a line.
#[derive(Debug)]
struct Next {
    then: Then,
    failed: Option<Box<Line>>,
}

#[derive(Debug)]
struct Waiting {
    id: u32,
    failed: Option<Box<Line>>,
    /// A ring tone is heard; so many pieces of it have been given.
    rung: usize,
    /// The next piece is due then.
    ring_at: Instant,
}

/// How long a piece of ring tone is.
const RING_PIECE: Duration = Duration::from_millis(200);

impl Scripted {
    /// An agent that follows `script`.
    #[must_use]
    pub fn new(script: Arc<Script>) -> Self {
        Self {
            script,
            started: false,
            replied: 0,
            talking: false,
            hang_up_when_played: false,
            was_interrupted: false,
            answer_at: Instant::FAR_FUTURE,
            silence_at: Instant::FAR_FUTURE,
            prompted: 0,
            at: None,
            next: None,
            waiting: None,
            swallow: None,
            newest_id: 0,
            about: About::default(),
            out: VecDeque::from([Event::Ready]),
        }
    }

    // Saying

    fn say(&mut self, now: Instant, line: &Line) {
        if !line.text.is_empty() {
            self.out.push_back(Event::AgentText(self.about.fill(&line.text)));
        }
        self.out.extend(line.sounds.iter().map(Sound::said));
        // Words without sound belong to what is said next, if that follows at once.
        if !line.sounds.is_empty() || line.then == Then::HangUp || (line.then == Then::Stay && self.at.is_none()) {
            self.out.push_back(Event::TurnComplete);
        }
        if !line.digits.is_empty() {
            self.out.push_back(Event::Digits(self.about.fill(&line.digits)));
        }
        for (name, value) in &line.set {
            let value = self.about.fill(value);
            self.set(name, &value);
        }
        if let Some((to, words)) = &line.write {
            let (to, text) = (to.as_deref().map(|to| self.about.fill(to)), self.about.fill(words));
            self.ask(Action::Text { to, text });
        }
        if line.then == Then::HangUp {
            self.out.push_back(Event::HangUp("the script ended".into()));
        }
        self.talking = !line.sounds.is_empty();
        self.hang_up_when_played = line.then == Then::HangUp;
        self.silence_at = Instant::FAR_FUTURE;
        self.listen_never();
        self.next = Some(Next { then: line.then.clone(), failed: line.failed.clone() });
        if !self.talking {
            self.follow(now);
        }
    }

    /// The line has been said: what follows.
    fn follow(&mut self, now: Instant) {
        let Some(Next { then, failed }) = self.next.take() else { return self.rest(now) };
        match then {
            Then::HangUp => {}
            Then::Goto(menu) => self.enter(now, menu),
            Then::Stay => match &self.at {
                Some(at) => self.prompt(now, at.menu),
                None => self.rest(now),
            },
            Then::Ask(action) => {
                let fill = |text: String| self.about.fill(&text);
                let action = match action {
                    Action::Transfer { to, trunk } => Action::Transfer { to: fill(to), trunk: trunk.map(fill) },
                    Action::Bridge { to, trunk } => Action::Bridge { to: fill(to), trunk: trunk.map(fill) },
                    Action::Switch { agent } => Action::Switch { agent: fill(agent) },
                    other => other,
                };
                let id = self.ask(action);
                self.waiting = Some(Waiting { id, failed, rung: 0, ring_at: Instant::FAR_FUTURE });
            }
        }
    }

    /// The caller has the word.
    fn rest(&mut self, now: Instant) {
        let script = Arc::clone(&self.script);
        match &mut self.at {
            Some(at) => {
                let menu = &script.menus[at.menu];
                at.due = now + if at.keys.is_empty() { menu.timeout } else { menu.gap };
            }
            None => self.silence_at = self.next_silence(now),
        }
    }

    fn next_silence(&self, now: Instant) -> Instant {
        self.script.silence.as_ref().map_or(Instant::FAR_FUTURE, |(after, ..)| now + *after)
    }

    fn reply(&mut self, now: Instant) {
        self.out.push_back(Event::EndOfSpeech);
        self.prompted = 0;
        let script = Arc::clone(&self.script);
        if std::mem::take(&mut self.was_interrupted)
            && let Some(line) = &script.interrupted
        {
            self.say(now, line);
            return;
        }
        // In turn; the last one repeats.
        let Some(line) = script.replies.get(self.replied.min(script.replies.len().saturating_sub(1))) else {
            self.silence_at = self.next_silence(now);
            return;
        };
        self.replied += 1;
        self.say(now, line);
    }

    fn nudge(&mut self, now: Instant) {
        let script = Arc::clone(&self.script);
        let Some((_, times, line)) = &script.silence else { return };
        self.prompted += 1;
        if self.prompted <= *times {
            self.say(now, line);
            return;
        }
        self.say_goodbye(now);
    }

    fn say_goodbye(&mut self, now: Instant) {
        let goodbye = self.script.goodbye.clone().unwrap_or_default();
        self.say(now, &Line { then: Then::HangUp, ..goodbye });
    }

    /// Falls silent in the middle of a word.
    fn hush(&mut self) {
        if std::mem::take(&mut self.talking) {
            self.out.push_back(Event::Interrupted);
        }
    }

    // Menus

    fn enter(&mut self, now: Instant, menu: usize) {
        self.at = Some(At { menu, keys: String::new(), tried: 0, due: Instant::FAR_FUTURE });
        self.prompt(now, menu);
    }

    fn prompt(&mut self, now: Instant, menu: usize) {
        let script = Arc::clone(&self.script);
        self.say_then_listen(now, &script.menus[menu]);
    }

    fn say_then_listen(&mut self, now: Instant, menu: &Menu) {
        if !menu.prompt.text.is_empty() {
            self.out.push_back(Event::AgentText(self.about.fill(&menu.prompt.text)));
        }
        self.out.extend(menu.prompt.sounds.iter().map(Sound::said));
        self.out.push_back(Event::TurnComplete);
        self.talking = !menu.prompt.sounds.is_empty();
        self.next = None;
        self.silence_at = Instant::FAR_FUTURE;
        if let Some(at) = &mut self.at {
            at.keys.clear();
        }
        if self.talking {
            self.listen_never();
        } else {
            self.rest(now);
        }
    }

    const fn listen_never(&mut self) {
        if let Some(at) = &mut self.at {
            at.due = Instant::FAR_FUTURE;
        }
    }

    fn pressed(&mut self, now: Instant, key: char) {
        self.prompted = 0;
        if self.waiting.is_some() || self.hang_up_when_played || !self.started {
            return;
        }
        match self.next.as_ref().map(|next| &next.then) {
            // It has been decided: keys do not change it any more.
            Some(Then::Ask(_)) => return,
            // Who knows the way does not wait for the words.
            Some(Then::Goto(menu)) => {
                self.at = Some(At { menu: *menu, keys: String::new(), tried: 0, due: Instant::FAR_FUTURE });
            }
            _ => {}
        }
        let script = Arc::clone(&self.script);
        let Some(at) = &mut self.at else {
            if let Some((_, line)) = script.digits.iter().find(|(known, _)| *known == key || *known == '?') {
                self.hush();
                self.say(now, line);
            }
            return;
        };
        if self.swallow.take().is_some_and(|(end, until)| end == key && now < until) && at.keys.is_empty() {
            return;
        }
        at.keys.push(key);
        let (menu, keys) = (&script.menus[at.menu], at.keys.clone());
        self.next = None;
        self.hush();
        let typed = menu.typed(&keys);
        if let (Some(collect), Typed::Collected(_)) = (&menu.collect, &typed) {
            self.swallow = collect.end.filter(|end| *end != key).map(|end| (end, now + menu.gap));
        }
        self.take(now, menu, &keys, typed);
    }

    fn take(&mut self, now: Instant, menu: &Menu, keys: &str, typed: Typed) {
        match typed {
            Typed::More => self.rest(now),
            Typed::Again => {
                if let Some(at) = &mut self.at {
                    at.keys.clear();
                }
                self.rest(now);
            }
            Typed::Chosen(choice) => {
                self.chosen();
                self.about.set("keys", keys);
                self.say(now, &menu.choices[choice].line);
            }
            Typed::Collected(value) => {
                self.chosen();
                let Some(collect) = &menu.collect else { return };
                self.set(&collect.into, &value);
                self.say(now, &collect.then);
            }
            Typed::Wrong => self.tried(now, menu, &menu.invalid),
        }
    }

    fn chosen(&mut self) {
        if let Some(at) = &mut self.at {
            (at.tried, at.due) = (0, Instant::FAR_FUTURE);
            at.keys.clear();
        }
    }

    /// Nothing valid came: says so and asks again, or gives up.
    fn tried(&mut self, now: Instant, menu: &Menu, line: &Line) {
        let Some(at) = &mut self.at else { return };
        at.keys.clear();
        at.tried += 1;
        if at.tried < menu.tries {
            return self.say(now, line);
        }
        at.tried = 0;
        match &menu.failed {
            Some(line) => self.say(now, line),
            None => self.say_goodbye(now),
        }
    }

    fn menu_due(&mut self, now: Instant) {
        let script = Arc::clone(&self.script);
        let Some(at) = self.at.as_mut().filter(|at| now >= at.due) else { return };
        at.due = Instant::FAR_FUTURE;
        let (menu, keys) = (&script.menus[at.menu], at.keys.clone());
        if keys.is_empty() {
            self.tried(now, menu, &menu.no_input);
        } else {
            self.take(now, menu, &keys, menu.at_gap(&keys));
        }
    }

    // Asking

    fn ask(&mut self, action: Action) -> u32 {
        self.newest_id += 1;
        self.out.push_back(Event::Act { id: self.newest_id, action });
        self.newest_id
    }

    fn set(&mut self, name: &str, value: &str) {
        self.about.set(name, value);
        self.ask(Action::Set { name: name.to_owned(), value: value.to_owned() });
    }

    fn acted(&mut self, now: Instant, id: u32, outcome: &Outcome) {
        let Some(waiting) = self.waiting.as_mut().filter(|waiting| waiting.id == id) else { return };
        match outcome {
            // Whoever is asked to go elsewhere hears that side's ring tone, and so does who is called by us: ours.
            Outcome::Begun(_) if waiting.rung == 0 => {
                // One piece plays, one waits.
                waiting.ring_at = now;
                self.ring();
                self.ring();
            }
            Outcome::Begun(_) | Outcome::Done(_) => {}
            Outcome::Refused(why) => {
                let Some(Waiting { failed, rung, .. }) = self.waiting.take() else { return };
                if rung > 0 {
                    self.out.push_back(Event::TurnComplete);
                }
                self.about.set("outcome", why);
                match failed {
                    Some(line) => self.say(now, &line),
                    None => self.say(now, &Line::default()),
                }
            }
        }
    }

    /// Another piece of ring tone: a second of five it rings.
    fn ring(&mut self) {
        let Some(waiting) = &mut self.waiting else { return };
        let piece = &self.script.ring[usize::from(waiting.rung % 25 >= 5)];
        waiting.ring_at += if waiting.rung == 0 { Duration::ZERO } else { RING_PIECE };
        waiting.rung += 1;
        self.out.push_back(piece.said());
    }
}

impl LocalAgent for Scripted {
    fn about(&mut self, about: &About) {
        self.about = about.clone();
    }

    fn handle(&mut self, now: Instant, command: Command<'_>) {
        match command {
            Command::Start => {
                self.started = true;
                let script = Arc::clone(&self.script);
                match (&script.greeting, script.start) {
                    (Some(line), Some(menu)) if line.then == Then::Stay => {
                        self.say(now, &Line { then: Then::Goto(menu), ..line.clone() });
                    }
                    (Some(line), _) => self.say(now, line),
                    (None, Some(menu)) => self.enter(now, menu),
                    (None, None) => self.silence_at = self.next_silence(now),
                }
            }
            Command::Speech(SpeechEdge::Started(_)) => {
                self.answer_at = Instant::FAR_FUTURE;
                self.silence_at = Instant::FAR_FUTURE;
            }
            // In a menu keys count, and nobody is answered while somebody is called.
            Command::Speech(SpeechEdge::Ended(at))
                if !self.hang_up_when_played && self.at.is_none() && self.waiting.is_none() =>
            {
                self.answer_at = at + self.script.end_of_speech;
            }
            Command::Digit(digit) => self.pressed(now, digit),
            Command::Interrupted { .. } if self.waiting.is_none() => {
                self.talking = false;
                self.was_interrupted = true;
                self.follow(now);
            }
            Command::Played if self.started && self.waiting.is_none() => {
                self.talking = false;
                self.follow(now);
            }
            Command::Acted { id, outcome } => self.acted(now, id, outcome),
            Command::Close => {
                (self.waiting, self.at, self.next) = (None, None, None);
                self.silence_at = Instant::FAR_FUTURE;
                self.answer_at = Instant::FAR_FUTURE;
            }
            Command::Held(true) => {
                self.silence_at = Instant::FAR_FUTURE;
                self.listen_never();
            }
            Command::Held(false) if self.waiting.is_none() && !self.talking => self.rest(now),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if now >= self.answer_at {
            self.answer_at = Instant::FAR_FUTURE;
            if !self.talking {
                self.reply(now);
            }
        }
        if now >= self.silence_at {
            self.silence_at = Instant::FAR_FUTURE;
            self.nudge(now);
        }
        self.menu_due(now);
        while self.waiting.as_ref().is_some_and(|waiting| now >= waiting.ring_at) {
            self.ring();
        }
    }

    fn timeout(&self) -> Instant {
        let due = self.at.as_ref().map_or(Instant::FAR_FUTURE, |at| at.due);
        let ring_at = self.waiting.as_ref().map_or(Instant::FAR_FUTURE, |waiting| waiting.ring_at);
        self.answer_at.min(self.silence_at).min(due).min(ring_at)
    }

    fn poll(&mut self) -> Output {
        self.out.pop_front().map_or_else(|| Output::Timeout(self.timeout()), Output::Event)
    }
}

#[cfg(test)]
mod tests;
