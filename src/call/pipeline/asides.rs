//! Sound between the agent and the line that is not the agent's: what the gateway itself says, and pauses of what the
//! agent says. What is said and when is [`crate::call::Call`]'s.

use super::{Body, CallInput, Level, Note, Pipeline};
use crate::{call::aside::Aside, clock::Instant, unit::TurnId};
use std::time::Duration;

/// The turn of what the gateway says: nobody's answer.
pub(super) const ASIDE: TurnId = TurnId(u32::MAX - 2);
/// What is left of an aside is heard before the answer; more of it is cut.
const FINISH_MAX: Duration = Duration::from_millis(700);

impl Pipeline {
    /// Says it, if nothing else is heard.
    pub(super) fn say(&mut self, now: Instant, aside: Aside) {
        let manners = self.call.manners();
        let said = match aside {
            Aside::Filler => {
                manners.filler.as_ref().map(|filler| (&filler.sound, &filler.text, "the answer takes its time"))
            }
            Aside::DeadAir => manners.dead_air.as_ref().map(|air| (&air.sound, &air.text, "nobody speaks")),
        };
        let free = !self.hold.on && self.background.is_none();
        if let (Some((sound, text, why)), Some(media)) = (said, &mut self.media)
            && free
            && media.outbound.is_drained()
            && !sound.samples.is_empty()
        {
            media.outbound.enqueue(now, ASIDE, sound.rate, &sound.samples);
            media.outbound.complete(ASIDE);
            let text =
                if text.is_empty() { format!("a sound was played: {why}") } else { format!("said \"{text}\": {why}") };
            self.record(now, Body::Note(Note { level: Level::Info, text }));
        } else {
            self.call.handle(now, CallInput::AsideOver);
        }
    }

    /// Nothing of an aside is left to be heard.
    pub(super) fn aside_over(&mut self, now: Instant) {
        if self.call.says_aside() && self.media.as_ref().is_none_or(|media| media.outbound.is_drained()) {
            self.call.handle(now, CallInput::AsideOver);
        }
    }

    /// The agent has something to say, or the caller has: an aside that is being said makes room.
    pub(super) fn hush(&mut self, now: Instant, at_once: bool) {
        if !self.call.says_aside() {
            return;
        }
        if let Some(media) = &mut self.media
            && (at_once || media.outbound.queued() > FINISH_MAX)
        {
            media.outbound.cut();
        }
        self.call.handle(now, CallInput::AsideOver);
    }

    /// What the agent says waits, or goes on.
    pub(super) fn wait(&mut self, now: Instant, pause: bool) {
        let Some(media) = &mut self.media else { return };
        if pause {
            media.outbound.pause();
            self.call.falls_silent(media.outbound.timeout().max(now));
        } else {
            media.outbound.resume();
        }
    }
}
