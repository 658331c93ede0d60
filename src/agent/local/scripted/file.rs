//! A script's file: from TOML to lines and menus, with every mistake named by its place and the nearest name.

use super::menu::{Choice, Collect, KEYS, Menu};
use crate::{
    agent::event::{Action, Sound},
    error::nearest,
    media::dsp::tone::sine,
    unit::{SampleRate, parse_duration},
};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A script with its sounds loaded: shared by all calls that use it.
#[derive(Debug)]
pub struct Script {
    /// What it calls itself.
    pub name: String,
    pub(super) end_of_speech: Duration,
    pub(super) greeting: Option<Line>,
    pub(super) replies: Vec<Line>,
    pub(super) digits: Vec<(char, Line)>,
    pub(super) silence: Option<(Duration, u32, Line)>,
    pub(super) interrupted: Option<Line>,
    pub(super) goodbye: Option<Line>,
    pub(super) menus: Vec<Menu>,
    /// The menu that follows the greeting.
    pub(super) start: Option<usize>,
    /// A fifth of a second of ring tone, and of silence: what is heard while somebody is called.
    pub(super) ring: [Sound; 2],
}

/// Gives a sound by its name.
pub type Loader<'a> = dyn FnMut(&str) -> Result<Sound, String> + 'a;

/// One thing to say and what follows.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) sounds: Vec<Sound>,
    pub(super) text: String,
    pub(super) digits: String,
    pub(super) set: Vec<(String, String)>,
    /// To whom, none is the caller; and the words.
    pub(super) write: Option<(Option<String>, String)>,
    pub(super) then: Then,
    /// When what follows was refused.
    pub(super) failed: Option<Box<Line>>,
}

/// What follows a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing: the menu is heard again, or the caller has the word.
    #[default]
    Stay,
    HangUp,
    Goto(usize),
    /// Transfer, bridge or switch, its texts not filled in yet.
    Ask(Action),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    end_of_speech: Option<String>,
    /// A program that speaks lines without a sound; whoever loads the sounds runs it.
    #[serde(default)]
    tts_command: Vec<String>,
    start: Option<String>,
    greeting: Option<FileLine>,
    #[serde(default)]
    reply: Vec<FileLine>,
    #[serde(default)]
    digit: Vec<FileLine>,
    silence: Option<FileLine>,
    interrupted: Option<FileLine>,
    goodbye: Option<FileLine>,
    #[serde(default)]
    menu: BTreeMap<String, FileMenu>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Sounds {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLine {
    say: Option<Sounds>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    send_digits: String,
    #[serde(default)]
    set: BTreeMap<String, String>,
    write: Option<String>,
    write_to: Option<String>,
    #[serde(default)]
    hang_up: bool,
    goto: Option<String>,
    transfer: Option<String>,
    bridge: Option<String>,
    trunk: Option<String>,
    agent: Option<String>,
    failed: Option<Box<FileLine>>,
    press: Option<String>,
    after: Option<String>,
    times: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMenu {
    say: Option<Sounds>,
    #[serde(default)]
    text: String,
    timeout: Option<String>,
    gap: Option<String>,
    tries: Option<u32>,
    #[serde(default)]
    digit: Vec<FileLine>,
    collect: Option<FileCollect>,
    then: Option<FileLine>,
    invalid: Option<FileLine>,
    no_input: Option<FileLine>,
    failed: Option<FileLine>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCollect {
    into: String,
    least: Option<usize>,
    most: Option<usize>,
    end: Option<String>,
    again: Option<String>,
}

/// Samples of a piece of ring tone: whole waves of 425 Hz.
const RING_PIECE: usize = 1_600;
/// Before words that are to be spoken, in the name of a sound.
pub const SPOKEN: &str = "text:";
/// Longest run of keys that is collected.
const COLLECT_MAX: usize = 64;

impl Script {
    /// Reads a script; `load` gives a sound by its name.
    ///
    /// # Errors
    /// Names the place, what is wrong with it, and the name that was probably meant.
    pub fn parse(text: &str, load: &mut Loader<'_>) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|problem| with_nearest(&at_line(text, &problem)))?;
        let names: Vec<String> = file.menu.keys().cloned().collect();
        let mut reader = Reader { names: &names, load, speaks: !file.tts_command.is_empty() };
        let start = match (&file.start, names.is_empty()) {
            (Some(name), _) => Some(reader.menu_called("start", name)?),
            (None, true) => None,
            (None, false) => match names.iter().position(|name| name == "main") {
                None if names.len() > 1 => {
                    return Err(format!("start: say which of the menus is the first: {}", names.join(", ")));
                }
                found => found.or(Some(0)),
            },
        };
        let end_of_speech = span("end_of_speech", file.end_of_speech.as_deref(), Duration::from_millis(600))?;
        let mut digits = Vec::new();
        for digit in file.digit {
            let [key] = digit.press.as_deref().unwrap_or_default().chars().collect::<Vec<_>>()[..] else {
                return Err("digit: press needs one key, like press = \"1\"".into());
            };
            digits.push((key, reader.line("digit", digit, &["press"])?));
        }
        let silence = file.silence.map(|silence| {
            let after = span("silence.after", silence.after.as_deref(), Duration::from_secs(10))?;
            if after < Duration::from_secs(1) {
                return Err("silence.after: at least 1s".to_owned());
            }
            Ok((after, silence.times.unwrap_or(2), reader.line("silence", silence, &["after", "times"])?))
        });
        let silence = silence.transpose()?;
        let mut some = |place: &str, line: Option<FileLine>| line.map(|line| reader.line(place, line, &[])).transpose();
        let greeting = some("greeting", file.greeting)?;
        let interrupted = some("interrupted", file.interrupted)?;
        let goodbye = some("goodbye", file.goodbye)?;
        let replies = file.reply.into_iter().map(|reply| reader.line("reply", reply, &[])).collect::<Result<_, _>>()?;
        let menus = file.menu.into_iter().map(|(name, menu)| reader.menu(&name, menu)).collect::<Result<_, _>>()?;
        let ring = [ring_tone(), Sound { rate: SampleRate::HZ_8000, samples: Arc::from([0; RING_PIECE]) }];
        Ok(Self {
            name: file.name,
            end_of_speech,
            greeting,
            replies,
            digits,
            silence,
            interrupted,
            goodbye,
            menus,
            start,
            ring,
        })
    }

    /// Whether callers choose by keys: what they say meanwhile does not interrupt it.
    #[must_use]
    pub const fn has_menus(&self) -> bool {
        !self.menus.is_empty()
    }

    /// The names of its menus, and of the first that a caller comes to.
    #[must_use]
    pub fn menus(&self) -> (Vec<&str>, Option<&str>) {
        let names: Vec<&str> = self.menus.iter().map(|menu| menu.name.as_str()).collect();
        let first = self.start.and_then(|start| names.get(start).copied());
        (names, first)
    }

    /// Agents that it passes calls on to, and trunks that it names, as far as they are written out.
    #[must_use]
    pub fn names(&self) -> (Vec<&str>, Vec<&str>) {
        let (mut agents, mut trunks) = (Vec::new(), Vec::new());
        let talk = self.greeting.iter().chain(&self.replies).chain(&self.interrupted).chain(&self.goodbye);
        let talk =
            talk.chain(self.digits.iter().map(|(_, line)| line)).chain(self.silence.iter().map(|(.., line)| line));
        let lines = talk.chain(self.menus.iter().flat_map(Menu::lines));
        for mut line in lines {
            loop {
                match &line.then {
                    Then::Ask(Action::Switch { agent }) if !agent.contains("{{") => agents.push(agent.as_str()),
                    Then::Ask(
                        Action::Bridge { trunk: Some(trunk), .. } | Action::Transfer { trunk: Some(trunk), .. },
                    ) if !trunk.contains("{{") => {
                        trunks.push(trunk.as_str());
                    }
                    _ => {}
                }
                let Some(next) = line.failed.as_deref() else { break };
                line = next;
            }
        }
        (agents, trunks)
    }
}

struct Reader<'a, 'l> {
    names: &'a [String],
    load: &'a mut Loader<'l>,
    /// Lines without a sound are spoken.
    speaks: bool,
}

impl Reader<'_, '_> {
    fn menu_called(&self, place: &str, name: &str) -> Result<usize, String> {
        self.names.iter().position(|known| known == name).ok_or_else(|| {
            let hint = match nearest(name, self.names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {near}?"),
                None if self.names.is_empty() => "there are none".to_owned(),
                None => format!("menus are {}", self.names.join(", ")),
            };
            format!("{place}: there is no menu {name}; {hint}")
        })
    }

    fn sounds(&mut self, place: &str, say: Option<Sounds>, text: &str) -> Result<Vec<Sound>, String> {
        let names = match say {
            None if self.speaks && !text.trim().is_empty() => {
                if text.contains("{{") {
                    return Err(format!(
                        "{place}.text: what is filled in during the call cannot be spoken ahead; give it a say"
                    ));
                }
                vec![format!("{SPOKEN}{text}")]
            }
            None => Vec::new(),
            Some(Sounds::One(name)) => vec![name],
            Some(Sounds::Several(names)) => names,
        };
        names.iter().map(|name| (self.load)(name).map_err(|problem| format!("{place}.say: {problem}"))).collect()
    }

    /// `own`: keys besides those of all lines.
    fn line(&mut self, place: &str, line: FileLine, own: &[&str]) -> Result<Line, String> {
        for (key, given) in
            [("press", line.press.is_some()), ("after", line.after.is_some()), ("times", line.times.is_some())]
        {
            if given && !own.contains(&key) {
                return Err(format!("{place}.{key}: a {place} has no such key"));
            }
        }
        let sounds = self.sounds(place, line.say, &line.text)?;
        let follows = [
            ("hang_up", line.hang_up),
            ("goto", line.goto.is_some()),
            ("transfer", line.transfer.is_some()),
            ("bridge", line.bridge.is_some()),
            ("agent", line.agent.is_some()),
        ];
        let given: Vec<&str> = follows.iter().filter(|(_, given)| *given).map(|(key, _)| *key).collect();
        if let [first, second, ..] = given[..] {
            return Err(format!("{place}.{second}: {first} follows already; a line has one of them"));
        }
        if line.trunk.is_some() && line.transfer.is_none() && line.bridge.is_none() {
            return Err(format!("{place}.trunk: goes with transfer or bridge"));
        }
        if line.write_to.is_some() && line.write.is_none() {
            return Err(format!("{place}.write_to: goes with write, the words"));
        }
        let then = if line.hang_up {
            Then::HangUp
        } else if let Some(name) = &line.goto {
            Then::Goto(self.menu_called(&format!("{place}.goto"), name)?)
        } else if let Some(to) = line.transfer {
            Then::Ask(Action::Transfer { to, trunk: line.trunk })
        } else if let Some(to) = line.bridge {
            Then::Ask(Action::Bridge { to, trunk: line.trunk })
        } else if let Some(agent) = line.agent {
            Then::Ask(Action::Switch { agent })
        } else {
            Then::Stay
        };
        for name in line.set.keys() {
            let action = Action::Set { name: name.clone(), value: String::new() };
            action.check().map_err(|problem| format!("{place}.set.{name}: {problem}"))?;
        }
        let failed = match line.failed {
            Some(_) if !matches!(then, Then::Ask(_)) => {
                return Err(format!("{place}.failed: goes with transfer, bridge or agent"));
            }
            Some(failed) => Some(Box::new(self.line(&format!("{place}.failed"), *failed, &[])?)),
            None => None,
        };
        Ok(Line {
            sounds,
            text: line.text,
            digits: line.send_digits,
            set: line.set.into_iter().collect(),
            write: line.write.map(|words| (line.write_to, words)),
            then,
            failed,
        })
    }

    fn menu(&mut self, name: &str, menu: FileMenu) -> Result<Menu, String> {
        let place = format!("menu.{name}");
        let prompt = Line { sounds: self.sounds(&place, menu.say, &menu.text)?, text: menu.text, ..Line::default() };
        let mut choices: Vec<Choice> = Vec::new();
        for digit in menu.digit {
            let here = format!("{place}.digit");
            let press = digit.press.clone().unwrap_or_default();
            if press != "?" && (press.is_empty() || !press.chars().all(|key| key == 'x' || KEYS.contains(key))) {
                let what = "press needs keys, like \"1\", \"42\", \"2xx\" (x is any digit), or \"?\" for any other";
                return Err(format!("{here}: {what}"));
            }
            if choices.iter().any(|choice| choice.press == press) {
                return Err(format!("{here}: press = \"{press}\" is there twice"));
            }
            let line = self.line(&format!("{here}[{press}]"), digit, &["press"])?;
            choices.push(Choice { press, line });
        }
        let collect = match (menu.collect, menu.then) {
            (Some(collect), then) => {
                let then = then.map(|then| self.line(&format!("{place}.then"), then, &[])).transpose()?;
                Some(collected(&place, collect, then.unwrap_or_default(), &choices)?)
            }
            (None, Some(_)) => {
                return Err(format!("{place}.then: goes with collect; a digit says itself what follows"));
            }
            (None, None) => None,
        };
        if choices.is_empty() && collect.is_none() {
            return Err(format!("{place}: has neither a digit nor collect"));
        }
        let timeout = span(&format!("{place}.timeout"), menu.timeout.as_deref(), Duration::from_secs(7))?;
        if timeout < Duration::from_secs(1) {
            return Err(format!("{place}.timeout: at least 1s"));
        }
        let mut some = |key: &str, line: Option<FileLine>| {
            line.map(|line| self.line(&format!("{place}.{key}"), line, &[])).transpose()
        };
        Ok(Menu {
            name: name.to_owned(),
            prompt,
            timeout,
            gap: span(&format!("{place}.gap"), menu.gap.as_deref(), Duration::from_secs(3))?,
            tries: menu.tries.unwrap_or(3).max(1),
            choices,
            collect,
            invalid: some("invalid", menu.invalid)?.unwrap_or_default(),
            no_input: some("no_input", menu.no_input)?.unwrap_or_default(),
            failed: some("failed", menu.failed)?,
        })
    }
}

fn collected(place: &str, collect: FileCollect, then: Line, choices: &[Choice]) -> Result<Collect, String> {
    let one = |key: &str, text: Option<&str>, otherwise: Option<char>| match text {
        None => Ok(otherwise),
        Some("") => Ok(None),
        Some(text) if text.chars().count() == 1 && KEYS.contains(text) => Ok(text.chars().next()),
        Some(_) => Err(format!("{place}.collect.{key}: one key, like \"#\", or \"\" for none")),
    };
    let (end, again) = (one("end", collect.end.as_deref(), Some('#'))?, one("again", collect.again.as_deref(), None)?);
    let action = Action::Set { name: collect.into.clone(), value: String::new() };
    action.check().map_err(|problem| format!("{place}.collect.into: {problem}"))?;
    let (least, most) = (collect.least.unwrap_or(1), collect.most.unwrap_or(COLLECT_MAX));
    if least == 0 || least > most || most > COLLECT_MAX {
        return Err(format!("{place}.collect: least and most are 1 to {COLLECT_MAX}, and least is not more than most"));
    }
    let is_taken = |choice: &&Choice| {
        let mut keys = choice.press.chars();
        let key = keys.next();
        keys.next().is_some() || key.is_none_or(|key| key.is_ascii_digit() || "x?".contains(key)) || key == end
    };
    if let Some(choice) = choices.iter().find(is_taken) {
        return Err(format!("{place}.digit: press = \"{}\" is collected; beside collect one of * # A-D", choice.press));
    }
    Ok(Collect { into: collect.into, least, most, end, again, then })
}

pub(in crate::agent::local) fn span(place: &str, text: Option<&str>, otherwise: Duration) -> Result<Duration, String> {
    text.map_or(Ok(otherwise), |text| parse_duration(text).map_err(|problem| format!("{place}: {problem}")))
}

/// `line 4: what is wrong`.
pub(in crate::agent::local) fn at_line(text: &str, problem: &toml::de::Error) -> String {
    let message = problem.message().trim_end();
    match problem.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message.to_owned(),
    }
}

/// An unknown key's message, with the key that was probably meant: "unknown field `a`, expected one of `b`, `c`".
pub(in crate::agent::local) fn with_nearest(problem: &str) -> String {
    let mut words = problem.split("unknown field `").nth(1).into_iter().flat_map(|rest| rest.split('`').step_by(2));
    let Some(wrong) = words.next() else { return problem.to_owned() };
    match nearest(wrong, words) {
        Some(near) => format!("{problem}; did you mean {near}?"),
        None => problem.to_owned(),
    }
}

fn ring_tone() -> Sound {
    let (rate, mut samples) = (SampleRate::HZ_8000, Vec::new());
    sine(425.0, 4_000.0, rate, 0, RING_PIECE, &mut samples);
    Sound { rate, samples: samples.into() }
}
