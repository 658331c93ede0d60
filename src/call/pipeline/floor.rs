//! What agents that only stream sound do not say or want to know: when their turn is over, when a mark is reached.

use super::{Pipeline, Told};
use crate::{agent::event::Event as AgentEvent, call::Input as CallInput, clock::Instant};
use std::{collections::VecDeque, time::Duration};

/// Silence after the last of an agent's sound that ends its turn, if it does not say so itself.
const TURN_ENDS_AFTER: Duration = Duration::from_millis(400);
/// Marks that may wait.
const MARKS_MAX: usize = 1_000;

/// Marks and the end of turns.
#[derive(Debug)]
pub(super) struct Floor {
    ends_turns: bool,
    /// When sound of the agent last came, or was last sent.
    sound_at: Instant,
    /// All sound that was ever put in line.
    given: Duration,
    /// How much must have been sent when a mark is reached.
    marks: VecDeque<(Duration, u32)>,
}

impl Default for Floor {
    fn default() -> Self {
        Self { ends_turns: true, sound_at: Instant::ZERO, given: Duration::ZERO, marks: VecDeque::new() }
    }
}

impl Floor {
    pub(super) const fn set_ends_turns(&mut self, ends_turns: bool) {
        self.ends_turns = ends_turns;
    }

    /// Nobody waits for marks any more.
    pub(super) fn forget_marks(&mut self) {
        self.marks.clear();
    }

    /// Marks that wait.
    pub(super) fn marks(&self) -> usize {
        self.marks.len()
    }

    /// Sound was put in line.
    pub(super) fn give(&mut self, now: Instant, span: Duration) {
        self.sound_at = now;
        self.given += span;
    }
}

impl Pipeline {
    pub(super) fn mark(&mut self, now: Instant, mark: u32) {
        if self.floor.marks.len() < MARKS_MAX {
            self.floor.marks.push_back((self.floor.given, mark));
        }
        self.marks_reached(now);
    }

    /// Tells the newest mark that has been reached: the agent knows the ones before.
    pub(super) fn marks_reached(&mut self, now: Instant) {
        if self.floor.marks.is_empty() {
            return;
        }
        let waiting = self.media.as_ref().map_or(Duration::ZERO, |media| media.outbound.queued());
        let sent = self.floor.given.saturating_sub(waiting);
        let mut reached = None;
        while let Some((at, mark)) = self.floor.marks.front()
            && (*at <= sent || waiting.is_zero())
        {
            reached = Some(*mark);
            self.floor.marks.pop_front();
        }
        if let Some(mark) = reached {
            self.tell(now, Told::Marked(mark));
        }
    }

    /// Ends the turn of an agent that has fallen silent without saying that it is done.
    pub(super) fn end_silent_turn(&mut self, now: Instant) {
        if self.floor.ends_turns {
            return;
        }
        let Some(media) = &self.media else { return };
        if !media.outbound.is_drained() {
            self.floor.sound_at = now;
        } else if self.call.turns.audible().is_some() && now.since(self.floor.sound_at) >= TURN_ENDS_AFTER {
            self.call.handle(now, CallInput::Agent(AgentEvent::TurnComplete));
            self.floor.sound_at = now;
        }
    }
}
