//! A scenario's file: from TOML to steps, with every mistake named by its place and the nearest name.

use crate::{
    agent::{
        event::Sound,
        local::scripted::{Loader, at_line, span, with_nearest},
    },
    unit::parse_duration,
};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// A scenario with its sounds loaded: shared by all calls that play it.
#[derive(Debug)]
pub struct Scenario {
    /// What it calls itself.
    pub name: String,
    /// Conditions on the call's summary, as they are written; `call::check` reads them.
    pub expect: Vec<String>,
    /// Who calls, and how.
    pub caller: Caller,
    pub(super) steps: Vec<Step>,
}

impl Scenario {
    /// Whether the far end is to end the call.
    #[must_use]
    pub fn ends_there(&self) -> bool {
        self.steps.last().is_some_and(|step| matches!(step.deed, Deed::Wait(Wanted::HangUp, _)))
    }

    /// What each step does, in words.
    #[must_use]
    pub fn steps(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.what.as_str()).collect()
    }
}

/// Who calls, and how; what is not given is the command line's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// A number, a name, or a whole SIP address.
    pub from: Option<String>,
    /// Codecs in the order of the offer.
    #[serde(default)]
    pub codec: Vec<String>,
    /// Headers of the INVITE.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// One step.
#[derive(Debug)]
pub(super) struct Step {
    /// In words, for people.
    pub(super) what: String,
    pub(super) deed: Deed,
    /// The far end speaks so soon after our part.
    pub(super) speaks_within: Option<Duration>,
    /// The far end is silent so soon after our sound has begun.
    pub(super) silent_within: Option<Duration>,
}

/// What we do.
#[derive(Debug)]
pub(super) enum Deed {
    /// Nothing, until the far end has done something.
    Wait(Wanted, Duration),
    Say(Sound),
    /// The far end has spoken for `after`; it must begin `within`.
    Interrupt {
        sound: Sound,
        after: Duration,
        within: Duration,
    },
    Press(String),
    Pause(Duration),
    HangUp,
}

/// What the far end must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Speech,
    /// Be silent for so long, whatever was before.
    Silence(Duration),
    /// Speak, then be silent for so long.
    End(Duration),
    Keys(String),
    /// End the call.
    HangUp,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    expect: Vec<String>,
    #[serde(default)]
    caller: Caller,
    #[serde(default)]
    step: Vec<FileStep>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileStep {
    wait: Option<FileWait>,
    say: Option<String>,
    interrupt: Option<String>,
    after: Option<String>,
    dtmf: Option<String>,
    pause: Option<String>,
    #[serde(default)]
    hang_up: bool,
    #[serde(default)]
    expect: FileExpect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileWait {
    #[serde(default)]
    agent_speaks: bool,
    agent_stops: Option<String>,
    digits: Option<String>,
    #[serde(default)]
    agent_hangs_up: bool,
    within: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileExpect {
    agent_speaks_within: Option<String>,
    agent_silent_within: Option<String>,
}

/// A wait without `within`, and for the far end that is to be interrupted.
const PATIENCE: Duration = Duration::from_secs(10);
/// The far end speaks for so long before it is interrupted.
const INTERRUPT_AFTER: Duration = Duration::from_millis(500);
/// Digits that can be sent (RFC 4733).
const KEYS: &str = "0123456789*#ABCD";

impl Scenario {
    /// Reads a scenario; `load` gives a sound by its name.
    ///
    /// # Errors
    /// Names the place, what is wrong with it, and the name that was probably meant.
    pub fn parse(text: &str, load: &mut Loader<'_>) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|problem| with_nearest(&at_line(text, &problem)))?;
        if file.step.is_empty() {
            return Err("has no [[step]]".into());
        }
        let last = file.step.len();
        let mut steps = Vec::with_capacity(last);
        for (number, step) in (1..).zip(file.step) {
            let place = format!("step {number}");
            let step = read_step(&place, step, load)?;
            if matches!(step.deed, Deed::HangUp | Deed::Wait(Wanted::HangUp, _)) && number < last {
                return Err(format!("{place}: ends the call; the steps behind it are never reached"));
            }
            steps.push(step);
        }
        Ok(Self { name: file.name, expect: file.expect, caller: file.caller, steps })
    }
}

fn read_step(place: &str, step: FileStep, load: &mut Loader<'_>) -> Result<Step, String> {
    let given = [
        ("wait", step.wait.is_some()),
        ("say", step.say.is_some()),
        ("interrupt", step.interrupt.is_some()),
        ("dtmf", step.dtmf.is_some()),
        ("pause", step.pause.is_some()),
        ("hang_up", step.hang_up),
    ];
    let names: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    let [deed] = names[..] else {
        let all = given.map(|(name, _)| name).join(", ");
        return Err(format!("{place}: does one thing of {all}; this one has {}", names.len()));
    };
    if step.after.is_some() && deed != "interrupt" {
        return Err(format!("{place}.after: goes with interrupt"));
    }
    let limit = |key: &str, text: Option<&str>| {
        text.map(|text| parse_duration(text).map_err(|problem| format!("{place}.expect.{key}: {problem}"))).transpose()
    };
    let speaks_within = limit("agent_speaks_within", step.expect.agent_speaks_within.as_deref())?;
    let silent_within = limit("agent_silent_within", step.expect.agent_silent_within.as_deref())?;
    if silent_within.is_some() && !matches!(deed, "say" | "interrupt") {
        return Err(format!("{place}.expect.agent_silent_within: goes with say or interrupt"));
    }
    if speaks_within.is_some() && matches!(deed, "wait" | "hang_up") {
        return Err(format!("{place}.expect.agent_speaks_within: does not go with {deed}"));
    }
    let mut sound = |key: &str, name: &str| {
        let sound = load(name).map_err(|problem| format!("{place}.{key}: {problem}"))?;
        if sound.samples.is_empty() { Err(format!("{place}.{key}: {name} holds no sound")) } else { Ok(sound) }
    };
    let (deed, what) = match (step.wait, step.say, step.interrupt, step.dtmf, step.pause) {
        (Some(wait), ..) => read_wait(place, wait)?,
        (_, Some(name), ..) => (Deed::Say(sound("say", &name)?), format!("say {name}")),
        (_, _, Some(name), ..) => {
            let after = span(&format!("{place}.after"), step.after.as_deref(), INTERRUPT_AFTER)?;
            let deed = Deed::Interrupt { sound: sound("interrupt", &name)?, after, within: PATIENCE };
            (deed, format!("interrupt with {name}"))
        }
        (_, _, _, Some(keys), _) => {
            if keys.is_empty() || !keys.chars().all(|key| KEYS.contains(key)) {
                return Err(format!("{place}.dtmf: keys are 0-9, *, # and A-D"));
            }
            let what = format!("press {keys}");
            (Deed::Press(keys), what)
        }
        (.., Some(text)) => {
            (Deed::Pause(span(&format!("{place}.pause"), Some(&text), Duration::ZERO)?), format!("pause {text}"))
        }
        _ => (Deed::HangUp, "hang up".to_owned()),
    };
    Ok(Step { what, deed, speaks_within, silent_within })
}

fn read_wait(place: &str, wait: FileWait) -> Result<(Deed, String), String> {
    let within = span(&format!("{place}.wait.within"), wait.within.as_deref(), PATIENCE)?;
    let (wanted, what) = match (wait.agent_speaks, wait.agent_stops, wait.digits, wait.agent_hangs_up) {
        (true, None, None, false) => (Wanted::Speech, "wait until the agent speaks".to_owned()),
        (false, Some(text), None, false) => {
            let lasting = span(&format!("{place}.wait.agent_stops"), Some(&text), Duration::ZERO)?;
            (Wanted::End(lasting), format!("wait until the agent has spoken and is silent for {text}"))
        }
        (false, None, Some(keys), false) if !keys.is_empty() && keys.chars().all(|key| KEYS.contains(key)) => {
            let what = format!("wait for the keys {keys}");
            (Wanted::Keys(keys), what)
        }
        (false, None, None, true) => (Wanted::HangUp, "wait until the agent hangs up".to_owned()),
        (false, None, Some(_), false) => return Err(format!("{place}.wait.digits: keys are 0-9, *, # and A-D")),
        _ => {
            let ways = "agent_speaks = true, agent_stops = \"600ms\", digits = \"12\", agent_hangs_up = true";
            return Err(format!("{place}.wait: one of {ways}"));
        }
    };
    Ok((Deed::Wait(wanted, within), what))
}
