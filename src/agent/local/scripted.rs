//! `scripted`: a small agent from a TOML file. Greets, answers to the end of speech, to keys, to silence and to
//! being interrupted, with prompts from WAV files or from inside the binary. In `text` and `send_digits`, `{{from}}`,
//! `{{to}}` and `{{X-Tenant}}` stand for who calls, who is called, and a header of the INVITE.
//!
//! ```toml
//! name = "front desk"
//! end_of_speech = "600ms"
//! [greeting]
//! say = "builtin:greeting"
//! text = "Hello."
//! [[reply]]
//! say = "thanks.wav"
//! [[digit]]
//! press = "*"
//! say = "builtin:goodbye"
//! hang_up = true
//! [silence]
//! after = "10s"
//! say = "builtin:silence"
//! times = 2
//! [interrupted]
//! say = "sorry.wav"
//! ```

use super::LocalAgent;
use crate::{
    agent::event::{About, Command, Event, Output, Sound},
    clock::Instant,
    media::dsp::vad::SpeechEdge,
    unit::parse_duration,
};
use serde::Deserialize;
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// A script with its sounds loaded: shared by all calls that use it.
#[derive(Debug)]
pub struct Script {
    /// What it calls itself.
    pub name: String,
    end_of_speech: Duration,
    greeting: Option<Line>,
    replies: Vec<Line>,
    digits: Vec<(char, Line)>,
    silence: Option<(Duration, u32, Line)>,
    interrupted: Option<Line>,
    goodbye: Option<Line>,
}

/// Gives a sound by its name.
pub type Loader<'a> = dyn FnMut(&str) -> Result<Sound, String> + 'a;

/// One thing to say and what follows.
#[derive(Clone, Debug, Default)]
struct Line {
    sound: Option<Sound>,
    text: String,
    digits: String,
    hang_up: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    end_of_speech: Option<String>,
    greeting: Option<FileLine>,
    #[serde(default)]
    reply: Vec<FileLine>,
    #[serde(default)]
    digit: Vec<FileLine>,
    silence: Option<FileLine>,
    interrupted: Option<FileLine>,
    goodbye: Option<FileLine>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLine {
    say: Option<String>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    send_digits: String,
    #[serde(default)]
    hang_up: bool,
    press: Option<String>,
    after: Option<String>,
    times: Option<u32>,
}

/// The script that ships inside the binary: what a gateway without key and config says.
pub const DEFAULT: &str = include_str!("../prompts/default.toml");

impl Script {
    /// Reads a script; `load` gives a sound by its name.
    ///
    /// # Errors
    /// Names the place and what is wrong with it.
    pub fn parse(text: &str, load: &mut Loader<'_>) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|problem| problem.to_string())?;
        let mut line = |place: &str, line: FileLine| -> Result<Line, String> {
            let sound =
                line.say.as_deref().map(&mut *load).transpose().map_err(|problem| format!("{place}: {problem}"))?;
            Ok(Line { sound, text: line.text, digits: line.send_digits, hang_up: line.hang_up })
        };
        let span = |place: &str, text: Option<&str>, otherwise: Duration| {
            text.map_or(Ok(otherwise), |text| parse_duration(text).map_err(|problem| format!("{place}: {problem}")))
        };
        let end_of_speech = span("end_of_speech", file.end_of_speech.as_deref(), Duration::from_millis(600))?;
        let mut digits = Vec::new();
        for digit in file.digit {
            let press = digit.press.clone().unwrap_or_default();
            let [key] = press.chars().collect::<Vec<_>>()[..] else {
                return Err("digit: press needs one key, like press = \"1\"".into());
            };
            digits.push((key, line("digit", digit)?));
        }
        let silence = file
            .silence
            .map(|silence| {
                let after = span("silence.after", silence.after.as_deref(), Duration::from_secs(10))?;
                if after < Duration::from_secs(1) {
                    return Err("silence.after: at least 1s".to_owned());
                }
                Ok((after, silence.times.unwrap_or(2), line("silence", silence)?))
            })
            .transpose()?;
        Ok(Self {
            name: file.name,
            end_of_speech,
            greeting: file.greeting.map(|greeting| line("greeting", greeting)).transpose()?,
            replies: file.reply.into_iter().map(|reply| line("reply", reply)).collect::<Result<_, _>>()?,
            digits,
            silence,
            interrupted: file.interrupted.map(|interrupted| line("interrupted", interrupted)).transpose()?,
            goodbye: file.goodbye.map(|goodbye| line("goodbye", goodbye)).transpose()?,
        })
    }
}

/// The agent of one call.
#[derive(Debug)]
pub struct Scripted {
    script: Arc<Script>,
    replied: usize,
    talking: bool,
    hang_up_when_played: bool,
    was_interrupted: bool,
    answer_at: Instant,
    silence_at: Instant,
    prompted: u32,
    about: About,
    out: VecDeque<Event>,
}

impl Scripted {
    /// An agent that follows `script`.
    #[must_use]
    pub fn new(script: Arc<Script>) -> Self {
        Self {
            script,
            replied: 0,
            talking: false,
            hang_up_when_played: false,
            was_interrupted: false,
            answer_at: Instant::FAR_FUTURE,
            silence_at: Instant::FAR_FUTURE,
            prompted: 0,
            about: About::default(),
            out: VecDeque::from([Event::Ready]),
        }
    }

    fn say(&mut self, now: Instant, line: &Line) {
        if !line.text.is_empty() {
            self.out.push_back(Event::AgentText(self.about.fill(&line.text)));
        }
        if let Some(sound) = &line.sound {
            self.out.push_back(sound.said());
        }
        self.out.push_back(Event::TurnComplete);
        if !line.digits.is_empty() {
            self.out.push_back(Event::Digits(self.about.fill(&line.digits)));
        }
        if line.hang_up {
            self.out.push_back(Event::HangUp("the script ended".into()));
        }
        self.talking = line.sound.is_some();
        self.hang_up_when_played = line.hang_up;
        self.silence_at = if self.talking { Instant::FAR_FUTURE } else { self.next_silence(now) };
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
        let goodbye = script.goodbye.clone().unwrap_or_default();
        self.say(now, &Line { hang_up: true, ..goodbye });
    }
}

impl LocalAgent for Scripted {
    fn about(&mut self, about: &About) {
        self.about = about.clone();
    }

    fn handle(&mut self, now: Instant, command: Command<'_>) {
        match command {
            Command::Start => {
                let script = Arc::clone(&self.script);
                match &script.greeting {
                    Some(line) => self.say(now, line),
                    None => self.silence_at = self.next_silence(now),
                }
            }
            Command::Speech(SpeechEdge::Started(_)) => {
                self.answer_at = Instant::FAR_FUTURE;
                self.silence_at = Instant::FAR_FUTURE;
            }
            Command::Speech(SpeechEdge::Ended(at)) if !self.hang_up_when_played => {
                self.answer_at = at + self.script.end_of_speech;
            }
            Command::Digit(digit) => {
                let script = Arc::clone(&self.script);
                self.prompted = 0;
                if let Some((_, line)) = script.digits.iter().find(|(key, _)| *key == digit || *key == '?') {
                    if self.talking {
                        self.out.push_back(Event::Interrupted);
                    }
                    self.say(now, line);
                }
            }
            Command::Interrupted { .. } => {
                self.talking = false;
                self.was_interrupted = true;
                self.silence_at = self.next_silence(now);
            }
            Command::Played => {
                self.talking = false;
                self.silence_at = self.next_silence(now);
            }
            Command::Held(true) => self.silence_at = Instant::FAR_FUTURE,
            Command::Held(false) => self.silence_at = self.next_silence(now),
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
    }

    fn timeout(&self) -> Instant {
        self.answer_at.min(self.silence_at)
    }

    fn poll(&mut self) -> Output {
        self.out.pop_front().map_or_else(|| Output::Timeout(self.timeout()), Output::Event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> Scripted {
        let script = Script::parse(DEFAULT, &mut |_| {
            Ok(Sound { rate: crate::unit::SampleRate::HZ_8000, samples: Arc::from([1_i16; 80]) })
        })
        .unwrap();
        Scripted::new(Arc::new(script))
    }

    fn drain(agent: &mut Scripted) -> Vec<Event> {
        std::iter::from_fn(|| match agent.poll() {
            Output::Event(event) => Some(event),
            Output::Timeout(_) => None,
        })
        .collect()
    }

    #[test]
    fn it_greets_answers_and_asks_into_silence() {
        let mut agent = agent();
        assert_eq!(drain(&mut agent), [Event::Ready]);
        agent.handle(Instant::ZERO, Command::Start);
        assert!(drain(&mut agent).contains(&Event::TurnComplete));
        agent.handle(Instant::from_millis(2_000), Command::Played);
        agent.handle(Instant::from_millis(5_000), Command::Speech(SpeechEdge::Ended(Instant::from_millis(4_800))));
        let Output::Timeout(at) = agent.poll() else { panic!() };
        agent.handle_timeout(at);
        assert_eq!(drain(&mut agent)[0], Event::EndOfSpeech);
        let mut now = Instant::from_millis(8_000);
        let mut prompts = 0;
        loop {
            agent.handle(now, Command::Played);
            let Output::Timeout(at) = agent.poll() else { panic!() };
            now = at;
            agent.handle_timeout(now);
            prompts += 1;
            if drain(&mut agent).iter().any(|event| matches!(event, Event::HangUp(_))) {
                break;
            }
        }
        assert_eq!(prompts, 3, "twice asked, then goodbye");
    }

    #[test]
    fn what_the_invite_said_can_be_said_and_pressed() {
        let text = "name = 'x'\n[greeting]\ntext = 'For {{X-Tenant}}'\nsend_digits = '{{X-Pin}}#'";
        let script = Script::parse(text, &mut |_| Err("none".into())).unwrap();
        let mut agent = Scripted::new(Arc::new(script));
        let headers = vec![("X-Tenant".to_owned(), "acme".to_owned()), ("x-pin".to_owned(), "42".to_owned())];
        agent.about(&About { headers, ..About::default() });
        agent.handle(Instant::ZERO, Command::Start);
        let said = drain(&mut agent);
        assert!(said.contains(&Event::AgentText("For acme".into())), "{said:?}");
        assert!(said.contains(&Event::Digits("42#".into())), "{said:?}");
    }

    #[test]
    fn mistakes_in_a_script_are_named() {
        let parse = |text: &str| Script::parse(text, &mut |name| Err(format!("no sound {name}"))).unwrap_err();
        assert!(parse("name = 'x'\ngreting = 1").contains("greting"));
        assert!(parse("name = 'x'\n[greeting]\nsay = 'a.wav'").contains("greeting: no sound a.wav"));
        assert!(parse("name = 'x'\n[[digit]]\npress = '12'").contains("one key"));
        assert!(parse("name = 'x'\n[silence]\nafter = '5'").contains("did you mean 5s"));
    }
}
