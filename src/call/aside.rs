//! What the gateway itself says into a call: a word while the caller waits for an answer, a question when nobody speaks;
//! and when a silence ends the call.
//!
//! Asides are no turns: nobody generated them, and no agent hears of them. [`super::Call`] says what the scene is.

use super::manners::Manners;
use crate::clock::Instant;
use std::time::Duration;

/// Fillers for one answer: after that the caller hears what the agent's failure leads to.
const FILLERS_MAX: u32 = 5;

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// While the caller waits.
    Filler,
    /// When nobody speaks.
    DeadAir,
}

/// What goes on in the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scene {
    /// The caller speaks, or pressed a key just now.
    pub(super) caller: bool,
    /// The agent is heard.
    pub(super) agent: bool,
    /// The caller waits for an answer, or a tool is at work.
    pub(super) waits: bool,
    /// The call is up, the agent has begun, nobody is held, nothing ends.
    pub(super) open: bool,
}

/// What has come due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Say(Aside),
    /// The silence has lasted for too long; in words.
    HangUp(String),
}

/// The asides of one call.
#[derive(Debug, Default)]
pub(super) struct Asides {
    quiet_since: Option<Instant>,
    waits_since: Option<Instant>,
    prompts: u32,
    fillers: u32,
    playing: bool,
}

impl Asides {
    /// What goes on now.
    pub(super) fn see(&mut self, now: Instant, scene: Scene) {
        // What an agent says by itself is no sign of the caller.
        if scene.caller {
            self.prompts = 0;
        }
        if scene.caller || scene.agent {
            self.fillers = 0;
        }
        let is_quiet = scene.open && !scene.caller && !scene.agent && !self.playing;
        let keep = |since: Option<Instant>, holds: bool| holds.then(|| since.unwrap_or(now));
        self.waits_since = keep(self.waits_since, is_quiet && scene.waits);
        self.quiet_since = keep(self.quiet_since, is_quiet && !scene.waits);
    }

    /// The aside was heard to its end, or never began.
    pub(super) const fn over(&mut self) {
        self.playing = false;
    }

    pub(super) const fn is_playing(&self) -> bool {
        self.playing
    }

    /// When [`Self::due`] is wanted.
    pub(super) fn timeout(&self, manners: &Manners) -> Instant {
        let after = |since: Option<Instant>, after: Option<Duration>| Some(since? + after?);
        let filler = manners.filler.as_ref().filter(|_| self.fillers < FILLERS_MAX).map(|filler| filler.after);
        let dead_air = manners.dead_air.as_ref().map(|dead_air| dead_air.after);
        let filler = after(self.waits_since, filler).unwrap_or(Instant::FAR_FUTURE);
        after(self.quiet_since, dead_air).unwrap_or(Instant::FAR_FUTURE).min(filler)
    }

    /// What has come due; asides count as being said from here on.
    pub(super) fn due(&mut self, now: Instant, manners: &Manners) -> Option<Due> {
        if now < self.timeout(manners) {
            return None;
        }
        if self.waits_since.take().is_some() {
            self.fillers += 1;
            self.playing = true;
            return Some(Due::Say(Aside::Filler));
        }
        let (_, dead_air) = (self.quiet_since.take()?, manners.dead_air.as_ref()?);
        if self.prompts < dead_air.prompts {
            self.prompts += 1;
            self.playing = true;
            return Some(Due::Say(Aside::DeadAir));
        }
        let asked = match self.prompts {
            0 => String::new(),
            1 => ", after one question".to_owned(),
            prompts => format!(", after {prompts} questions"),
        };
        Some(Due::HangUp(format!("silence: nobody has spoken for {} s{asked}", dead_air.after.as_secs_f64())))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::manners::{DeadAir, Filler},
        *,
    };
    use crate::{agent::event::Sound, unit::SampleRate};

    const fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn manners() -> Manners {
        let sound = Sound { rate: SampleRate::HZ_8000, samples: [0; 8].into() };
        Manners {
            dead_air: Some(DeadAir {
                after: Duration::from_secs(8),
                prompts: 2,
                sound: sound.clone(),
                text: "Hello?".into(),
            }),
            filler: Some(Filler { after: Duration::from_millis(2_500), sound, text: "One moment.".into() }),
            ..Manners::default()
        }
    }

    const QUIET: Scene = Scene { caller: false, agent: false, waits: false, open: true };

    #[test]
    fn who_says_nothing_is_asked_twice_and_let_go() {
        let (mut asides, manners) = (Asides::default(), manners());
        asides.see(at(0), Scene { open: false, ..QUIET });
        assert_eq!(asides.timeout(&manners), Instant::FAR_FUTURE, "not up yet");
        asides.see(at(1_000), QUIET);
        asides.see(at(2_000), QUIET);
        let mut from = 1_000;
        for n in 0..2 {
            assert_eq!(asides.timeout(&manners), at(from + 8_000), "{n}");
            assert_eq!(asides.due(at(from + 8_000), &manners), Some(Due::Say(Aside::DeadAir)), "{n}");
            asides.see(at(from + 8_500), QUIET);
            assert_eq!(asides.timeout(&manners), Instant::FAR_FUTURE, "{n}: while it is said");
            from += 9_000;
            asides.over();
            asides.see(at(from), QUIET);
        }
        let end = asides.due(at(from + 8_000), &manners);
        assert_eq!(end, Some(Due::HangUp("silence: nobody has spoken for 8 s, after 2 questions".into())));
    }

    #[test]
    fn a_word_of_the_caller_begins_anew() {
        let (mut asides, manners) = (Asides::default(), manners());
        asides.see(at(0), QUIET);
        asides.due(at(8_000), &manners);
        asides.over();
        asides.see(at(9_000), Scene { caller: true, ..QUIET });
        assert_eq!(asides.timeout(&manners), Instant::FAR_FUTURE);
        asides.see(at(10_000), Scene { agent: true, ..QUIET });
        asides.see(at(12_000), QUIET);
        for from in [12_000, 21_000] {
            assert_eq!(asides.due(at(from + 8_000), &manners), Some(Due::Say(Aside::DeadAir)), "asked twice again");
            asides.over();
            asides.see(at(from + 9_000), QUIET);
        }
    }

    #[test]
    fn what_an_agent_says_by_itself_is_no_sign_of_the_caller() {
        let (mut asides, manners) = (Asides::default(), manners());
        let mut from = 0;
        for _ in 0..2 {
            asides.see(at(from), QUIET);
            assert_eq!(asides.due(at(from + 8_000), &manners), Some(Due::Say(Aside::DeadAir)));
            asides.over();
            asides.see(at(from + 9_000), Scene { agent: true, ..QUIET });
            from += 12_000;
        }
        asides.see(at(from), QUIET);
        assert!(matches!(asides.due(at(from + 8_000), &manners), Some(Due::HangUp(_))));
    }

    #[test]
    fn who_waits_hears_a_word_now_and_then_but_not_for_ever_and_is_not_asked_whether_they_are_there() {
        let (mut asides, manners) = (Asides::default(), manners());
        let waits = Scene { waits: true, ..QUIET };
        asides.see(at(0), waits);
        let mut now = 0;
        for n in 0..5 {
            now += 2_500;
            assert_eq!(asides.due(at(now), &manners), Some(Due::Say(Aside::Filler)), "{n}");
            now += 600;
            asides.over();
            asides.see(at(now), waits);
        }
        assert_eq!(asides.timeout(&manners), Instant::FAR_FUTURE);
        asides.see(at(now + 100), Scene { agent: true, ..waits });
        asides.see(at(now + 900), waits);
        assert_eq!(asides.timeout(&manners), at(now + 3_400), "a tool that goes on after a word");
    }
}
