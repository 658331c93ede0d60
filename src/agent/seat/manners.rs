//! The manners of a profile with their sounds, read once.

use crate::{
    agent::{event::Sound, prompts},
    call::manners::{DeadAir, Filler, Manners},
    config::AgentProfile,
    error::{Error, Result},
};

/// What a profile wants.
///
/// # Errors
/// A sound that is not there; names its key.
pub(super) fn manners(profile: &AgentProfile) -> Result<Manners> {
    let wanted = &profile.manners;
    let sound = |field: &str, name: &str| -> Result<Sound> {
        let wrong = |problem: String| {
            Error::usage(format!("agents.{}.{field} = {name}: {}", profile.name, problem.trim_end()))
                .hint("a sound is builtin:NAME, tone:HERTZ:MILLISECONDS, or a WAV file")
        };
        prompts::of_script(name, None).map_err(wrong)
    };
    let dead_air = wanted.dead_air.as_ref().map(|(after, prompts, said)| {
        let sound = sound("dead_air_say", &said.sound)?;
        Ok(DeadAir { after: *after, prompts: *prompts, sound, text: said.text.clone() })
    });
    let filler = wanted.filler.as_ref().map(|(after, said)| {
        Ok(Filler { after: *after, sound: sound("filler_say", &said.sound)?, text: said.text.clone() })
    });
    Ok(Manners {
        speech_min: wanted.speech_min,
        grace: wanted.grace,
        keys: wanted.keys,
        dead_air: dead_air.transpose()?,
        filler: filler.transpose()?,
    })
}
