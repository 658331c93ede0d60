//! How an agent behaves towards a caller in the small: how sure our detector must be before it cuts, what is said into
//! a silence that lasts, what is heard while an answer takes its time.
//!
//! Values only, from the profile; [`super::Call`] and `pipeline` act by them.

use crate::{agent::event::Sound, media::dsp::vad::Detector};
use std::time::Duration;

/// Voice that must last so long before a paused agent is cut, if the profile does not say.
pub const PAUSE_MIN: Duration = Duration::from_millis(400);

/// The manners of one agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manners {
    /// Voice that must last so long to interrupt, where our own detector decides; none is the policy's own.
    pub speech_min: Option<Duration>,
    /// Nobody interrupts by voice so soon after the agent began to speak.
    pub grace: Duration,
    /// A key interrupts; none leaves that to the agent.
    pub keys: Option<bool>,
    /// What is done when nobody speaks.
    pub dead_air: Option<DeadAir>,
    /// What is heard while the caller waits for an answer.
    pub filler: Option<Filler>,
}

/// When nobody speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadAir {
    /// For so long.
    pub after: Duration,
    /// The caller is asked so often; then the call ends.
    pub prompts: u32,
    /// What is played.
    pub sound: Sound,
    /// Its words, for the journal.
    pub text: String,
}

/// While the caller waits.
#[derive(Clone, Debug, PartialEq)]
pub struct Filler {
    /// The answer is not there for so long, and again so long after the filler was heard.
    pub after: Duration,
    /// What is played.
    pub sound: Sound,
    /// Its words, for the journal.
    pub text: String,
}

impl Manners {
    /// Voice that must last so long, under a policy that pauses or not.
    #[must_use]
    pub fn speech_min(&self, pauses: bool) -> Duration {
        // The detector itself reports nothing that is shorter.
        let own = if pauses { PAUSE_MIN } else { Detector::ONSET };
        self.speech_min.unwrap_or(own).max(Detector::ONSET)
    }

    /// Whether a voice must be more than our detector's onset to interrupt.
    #[must_use]
    pub fn is_patient(&self) -> bool {
        self.speech_min.is_some_and(|least| least > Detector::ONSET) || !self.grace.is_zero()
    }
}
