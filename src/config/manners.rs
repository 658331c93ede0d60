//! `agents.NAME`: how an agent behaves towards the caller, whatever its kind.

use super::Reader;
use crate::{error::Result, unit::parse_duration};
use std::time::Duration;

/// What a profile says of its manners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MannersOf {
    /// `barge_in_speech`.
    pub speech_min: Option<Duration>,
    /// `barge_in_grace`.
    pub grace: Duration,
    /// `barge_in_keys`.
    pub keys: Option<bool>,
    /// `dead_air`: after how long, how often, and what is said.
    pub dead_air: Option<(Duration, u32, Said)>,
    /// `filler`: after how long, and what is said.
    pub filler: Option<(Duration, Said)>,
}

/// A sound and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// As scripts name it.
    pub sound: String,
    /// For the journal.
    pub text: String,
}

/// Settings of every kind.
pub(super) const SETTINGS: [&str; 10] = [
    "barge_in_speech",
    "barge_in_grace",
    "barge_in_keys",
    "dead_air",
    "dead_air_prompts",
    "dead_air_say",
    "dead_air_text",
    "filler",
    "filler_say",
    "filler_text",
];

impl Reader<'_> {
    pub(super) fn manners(&self, key: &dyn Fn(&str) -> String) -> Result<MannersOf> {
        let span = |field: &str| self.optional(&key(field), parse_duration);
        let text = |field: &str| self.optional(&key(field), |text| Ok(text.to_owned()));
        // 0s is none.
        let after = |field: &str, least: Duration| -> Result<Option<Duration>> {
            let after = span(field)?.filter(|after| !after.is_zero());
            match after {
                Some(after) if after < least => {
                    Err(self.wrong(&key(field), &format!("must be {} ms or more; 0s is never", least.as_millis())))
                }
                after => Ok(after),
            }
        };
        let said = |field: &str, sound: &str, words: &str| -> Result<Said> {
            let own = text(&format!("{field}_say"))?;
            let text = text(&format!("{field}_text"))?;
            // The words of another sound are not known.
            let words = if own.is_some() { "" } else { words };
            Ok(Said { sound: own.unwrap_or_else(|| sound.to_owned()), text: text.unwrap_or_else(|| words.to_owned()) })
        };
        let prompts = self.optional(&key("dead_air_prompts"), |text| {
            let number = text.parse().ok().filter(|number| *number <= 100_u32);
            number.ok_or_else(|| "must be a whole number, 100 at most".to_owned())
        })?;
        let dead_air = match after("dead_air", Duration::from_secs(1))? {
            Some(after) => {
                Some((after, prompts.unwrap_or(2), said("dead_air", "builtin:silence", "Are you still there?")?))
            }
            None => None,
        };
        let filler = match after("filler", Duration::from_millis(200))? {
            Some(after) => Some((after, said("filler", "builtin:moment", "One moment, please.")?)),
            None => None,
        };
        Ok(MannersOf {
            speech_min: span("barge_in_speech")?,
            grace: span("barge_in_grace")?.unwrap_or_default(),
            keys: self
                .optional(&key("barge_in_keys"), |text| text.parse().map_err(|_| "must be true or false".to_owned()))?,
            dead_air,
            filler,
        })
    }
}
