//! `dial --scenario`: a caller that does one step after another and says which of them held.
//!
//! `file` reads the script, here is what happens when. It hears of the far end what the call's own detector says, so it
//! judges what a caller would hear. Each step gives at least one [`Event::Checked`]; the first that does not hold ends
//! the call. Called by `call::pipeline`, as the agent on our side of a call of `dial`.

mod file;

pub use file::{Caller, Scenario};

use super::LocalAgent;
use crate::{
    agent::event::{Command, Event, Output},
    call::journal::Check,
    clock::Instant,
    media::dsp::vad::SpeechEdge,
};
use file::{Deed, Step, Wanted};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// A pause between words is shorter.
const SILENT_FOR: Duration = Duration::from_millis(500);
/// Speech is told of so much after it began or ended: a limit is judged no sooner.
const TOLD_AFTER: Duration = Duration::from_millis(500);
/// From one key to the next, as keys are sent.
const KEY: Duration = Duration::from_millis(200);
/// The last key's echo and the last word are waited for so long before we hang up.
const LAST_MOMENT: Duration = Duration::from_millis(200);

/// What the far end is doing.
#[derive(Debug, Default)]
struct FarEnd {
    /// It began to speak then, and has not stopped.
    speaking_since: Option<Instant>,
    /// It stopped then.
    silent_since: Option<Instant>,
    /// It has spoken since we last began to say something.
    has_answered: bool,
    /// Its keys that no step has asked for.
    keys: String,
}

/// Something that the far end must do.
#[derive(Debug)]
struct Pending {
    wanted: Wanted,
    /// The limit counts from here.
    from: Instant,
    within: Duration,
    /// When it began to speak after `from`.
    spoke_at: Option<Instant>,
}

/// What the present step is waiting for.
#[derive(Debug, PartialEq, Eq)]
enum Doing {
    /// Before the answer, or after the end.
    Nothing,
    /// The far end, before our sound interrupts it.
    ToInterrupt,
    /// Our sound to be heard.
    Saying,
    /// A moment.
    Until(Instant),
    /// Only what is expected of the far end.
    Expecting,
}

/// The caller of one call.
#[derive(Debug)]
pub struct Player {
    scenario: Arc<Scenario>,
    at: usize,
    began: Instant,
    doing: Doing,
    pending: Vec<Pending>,
    far: FarEnd,
    out: VecDeque<Event>,
}

impl Player {
    /// A caller that plays `scenario`.
    #[must_use]
    pub fn new(scenario: Arc<Scenario>) -> Self {
        Self {
            scenario,
            at: 0,
            began: Instant::FAR_FUTURE,
            doing: Doing::Nothing,
            pending: Vec::new(),
            far: FarEnd::default(),
            out: VecDeque::from([Event::Ready]),
        }
    }

    /// Begins the step at `self.at`, or ends the call behind the last.
    fn begin(&mut self, now: Instant) {
        let scenario = Arc::clone(&self.scenario);
        let Some(step) = scenario.steps.get(self.at) else {
            self.doing = Doing::Nothing;
            self.out.push_back(Event::HangUp("the scenario's end".into()));
            return;
        };
        self.began = now;
        self.doing = match &step.deed {
            Deed::Wait(wanted, within) => {
                self.expect(now, *within, wanted.clone());
                Doing::Expecting
            }
            Deed::Say(_) => {
                self.speak(now, step);
                Doing::Saying
            }
            Deed::Interrupt { .. } => Doing::ToInterrupt,
            Deed::Press(keys) => {
                // An answer to a key may follow what it interrupted without a pause.
                self.far.has_answered = self.far.speaking_since.is_some();
                self.out.push_back(Event::Digits(keys.clone()));
                Doing::Until(now + KEY * u32::try_from(keys.len()).unwrap_or(u32::MAX))
            }
            Deed::Pause(span) => Doing::Until(now + *span),
            Deed::HangUp => Doing::Until(now + LAST_MOMENT),
        };
    }

    fn speak(&mut self, now: Instant, step: &Step) {
        let (Deed::Say(sound) | Deed::Interrupt { sound, .. }) = &step.deed else { return };
        self.far.has_answered = false;
        self.out.push_back(sound.said());
        self.out.push_back(Event::TurnComplete);
        if let Some(within) = step.silent_within {
            self.expect(now, within, Wanted::Silence(SILENT_FOR));
        }
    }

    fn expect(&mut self, from: Instant, within: Duration, wanted: Wanted) {
        let spoke_at = self.far.speaking_since.map(|since| since.max(from));
        self.pending.push(Pending { wanted, from, within, spoke_at });
    }

    /// Our part of the step is done: now the far end's.
    fn done(&mut self, now: Instant) {
        let scenario = Arc::clone(&self.scenario);
        let Some(step) = scenario.steps.get(self.at) else { return };
        self.doing = Doing::Expecting;
        if let Some(within) = step.speaks_within {
            self.expect(now, within, Wanted::Speech);
        } else if step.silent_within.is_none() {
            self.checked(true, String::new());
        }
    }

    /// Says what became of the step, or of a part of it.
    fn checked(&mut self, passed: bool, evidence: String) {
        let step = u32::try_from(self.at).unwrap_or(u32::MAX).saturating_add(1);
        let what = self.scenario.steps.get(self.at).map_or_else(String::new, |step| step.what.clone());
        let why = format!("step {step}, {what}: {evidence}");
        self.out.push_back(Event::Checked(Check { step, what, passed, evidence }));
        if !passed {
            self.doing = Doing::Nothing;
            self.pending.clear();
            self.out.push_back(Event::HangUp(why));
        }
    }

    /// Judges what is expected, then goes on if all of the step is done.
    fn judge(&mut self, now: Instant) {
        while self.doing != Doing::Nothing {
            let judged = self.pending.iter().enumerate().find_map(|(at, pending)| {
                let (passed, evidence) = pending.judge(now, &self.far)?;
                Some((at, passed, evidence))
            });
            if let Some((at, passed, evidence)) = judged {
                if let Wanted::Keys(keys) = self.pending.remove(at).wanted {
                    self.far.keys.drain(..self.far.keys.find(&keys).map_or(0, |found| found + keys.len()));
                }
                self.checked(passed, evidence);
            } else if self.doing == Doing::Expecting && self.pending.is_empty() {
                self.at += 1;
                self.begin(now);
            } else {
                return;
            }
        }
    }

    /// The far end has spoken long enough for an interruption, or never will.
    fn interrupt_if_due(&mut self, now: Instant) {
        let scenario = Arc::clone(&self.scenario);
        let Some(step) = scenario.steps.get(self.at) else { return };
        let Deed::Interrupt { after, within, .. } = &step.deed else { return };
        match self.far.speaking_since {
            Some(since) if now >= since + *after => {
                self.speak(now, step);
                self.doing = Doing::Saying;
            }
            None if now >= self.began + *within + TOLD_AFTER => {
                self.checked(false, format!("nobody spoke within {}", seconds(*within)));
            }
            _ => {}
        }
    }

    fn interrupt_at(&self) -> Instant {
        match self.scenario.steps.get(self.at).map(|step| &step.deed) {
            Some(Deed::Interrupt { after, within, .. }) => match self.far.speaking_since {
                Some(since) => since + *after,
                None => self.began + *within + TOLD_AFTER,
            },
            _ => Instant::FAR_FUTURE,
        }
    }
}

impl Pending {
    /// Whether it has come, or cannot come any more; none while that is open.
    fn judge(&self, now: Instant, far: &FarEnd) -> Option<(bool, String)> {
        let deadline = self.from + self.within;
        let took = |at: Instant| seconds(at.since(self.from));
        match &self.wanted {
            Wanted::Speech => match self.spoke_at {
                Some(at) => Some((at <= deadline, format!("spoke after {}", took(at)))),
                None => (now >= deadline + TOLD_AFTER)
                    .then(|| (false, format!("did not speak within {}", seconds(self.within)))),
            },
            // Silence that has lasted.
            Wanted::Silence(lasting) => match (far.speaking_since, far.silent_since.unwrap_or(self.from)) {
                (None, since) if now >= since.max(self.from) + *lasting => {
                    let at = since.max(self.from);
                    Some((at <= deadline, format!("silent after {}", took(at))))
                }
                _ if now >= deadline + *lasting + TOLD_AFTER => {
                    Some((false, format!("still speaking after {}", seconds(self.within))))
                }
                _ => None,
            },
            // It has said something and is done with it.
            Wanted::End(lasting) => match (far.speaking_since, far.silent_since) {
                (None, Some(since)) if far.has_answered && now >= since + *lasting => {
                    Some((true, format!("done after {}", took(since.max(self.from)))))
                }
                _ if now >= deadline => {
                    let what = if far.has_answered { "was not done" } else { "did not speak" };
                    Some((false, format!("{what} within {}", seconds(self.within))))
                }
                _ => None,
            },
            // The call itself says when that happens.
            Wanted::HangUp => (now >= deadline).then(|| (false, format!("still there after {}", seconds(self.within)))),
            Wanted::Keys(keys) => {
                if far.keys.contains(keys.as_str()) {
                    return Some((true, format!("after {}", took(now))));
                }
                let heard = if far.keys.is_empty() { "no key" } else { &far.keys };
                (now >= deadline).then(|| (false, format!("heard {heard} within {}", seconds(self.within))))
            }
        }
    }

    /// When it may have changed by time alone.
    fn due(&self, far: &FarEnd) -> Instant {
        let deadline = self.from + self.within;
        match &self.wanted {
            Wanted::Speech => deadline + TOLD_AFTER,
            Wanted::Silence(lasting) => match far.speaking_since {
                None => far.silent_since.unwrap_or(self.from).max(self.from) + *lasting,
                Some(_) => deadline + *lasting + TOLD_AFTER,
            },
            Wanted::End(lasting) => match (far.speaking_since, far.silent_since) {
                (None, Some(since)) if far.has_answered => (since + *lasting).min(deadline),
                _ => deadline,
            },
            Wanted::Keys(_) | Wanted::HangUp => deadline,
        }
    }
}

/// `340 ms`, `2.5 s`.
fn seconds(span: Duration) -> String {
    if span < Duration::from_secs(1) {
        format!("{} ms", span.as_millis())
    } else {
        format!("{:.1} s", span.as_secs_f64())
    }
}

impl LocalAgent for Player {
    fn handle(&mut self, now: Instant, command: Command<'_>) {
        match command {
            Command::Start => self.begin(now),
            Command::Speech(SpeechEdge::Started(at)) => {
                self.far.speaking_since = Some(at);
                self.far.has_answered = true;
                for pending in &mut self.pending {
                    pending.spoke_at = pending.spoke_at.or(Some(at.max(pending.from)));
                }
            }
            Command::Speech(SpeechEdge::Ended(at)) => {
                self.far.speaking_since = None;
                self.far.silent_since = Some(at);
            }
            Command::Digit(key) => self.far.keys.push(key),
            Command::Played if self.doing == Doing::Saying => self.done(now),
            Command::Close => self.doing = Doing::Nothing,
            _ => return,
        }
        self.judge(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self.doing {
            Doing::ToInterrupt => self.interrupt_if_due(now),
            Doing::Until(at) if now >= at => self.done(now),
            _ => {}
        }
        self.judge(now);
    }

    fn timeout(&self) -> Instant {
        let own = match self.doing {
            Doing::Nothing => return Instant::FAR_FUTURE,
            Doing::Until(at) => at,
            Doing::ToInterrupt => self.interrupt_at(),
            Doing::Saying | Doing::Expecting => Instant::FAR_FUTURE,
        };
        self.pending.iter().map(|pending| pending.due(&self.far)).fold(own, Instant::min)
    }

    fn poll(&mut self) -> Output {
        self.out.pop_front().map_or_else(|| Output::Timeout(self.timeout()), Output::Event)
    }
}

#[cfg(test)]
mod tests;
