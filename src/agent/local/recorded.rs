//! `recorded`: plays back `agent.jsonl`, the cassette: every provider frame at its time, no key, no network.
//!
//! Frames go through the provider's own wire, so a replay tests the same code that the live call used.

use super::LocalAgent;
use crate::{
    agent::{
        event::{CassetteFrame, Command, Event, Output},
        wire::{Wire, listening},
    },
    call::journal::Direction,
    clock::Instant,
};
use std::{collections::VecDeque, time::Duration};

/// The agent.
#[derive(Debug)]
pub struct Recorded {
    frames: VecDeque<CassetteFrame>,
    origin: Instant,
    wire: Box<dyn Wire>,
    out: VecDeque<Event>,
}

impl Recorded {
    /// Plays `text` (JSON Lines of [`CassetteFrame`]) on a call that started at `origin`.
    ///
    /// # Errors
    /// Names the line that is no frame.
    pub fn parse(text: &str, origin: Instant) -> Result<Self, String> {
        let mut frames = VecDeque::new();
        let mut label = None;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let frame: CassetteFrame =
                serde_json::from_str(line).map_err(|problem| format!("line {}: {problem}", number + 1))?;
            if !frame.t.is_finite() || frame.t < 0.0 || frame.t > 1e7 {
                return Err(format!("line {}: t is out of range", number + 1));
            }
            label = label.or_else(|| frame.wire.clone());
            if frame.direction == Direction::In {
                frames.push_back(frame);
            }
        }
        if frames.is_empty() {
            return Err("holds no frame from the provider".into());
        }
        let label = label.as_deref().unwrap_or("gemini");
        let wire = listening(label).ok_or_else(|| format!("was kept of '{label}', which is no provider here"))?;
        Ok(Self { frames, origin, wire, out: VecDeque::new() })
    }
}

impl LocalAgent for Recorded {
    fn handle(&mut self, _now: Instant, _command: Command<'_>) {}

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(frame) = self.frames.front() {
            if self.origin + Duration::from_secs_f64(frame.t) > now {
                return;
            }
            if let Some(frame) = self.frames.pop_front() {
                self.wire.receive(frame.text.as_bytes(), &mut self.out);
            }
        }
    }

    fn timeout(&self) -> Instant {
        let next = self.frames.front().map(|frame| self.origin + Duration::from_secs_f64(frame.t));
        next.unwrap_or(Instant::FAR_FUTURE)
    }

    fn poll(&mut self) -> Output {
        self.out.pop_front().map_or_else(|| Output::Timeout(self.timeout()), Output::Event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_at_their_times() {
        let tape = "{\"t\":0.1,\"direction\":\"out\",\"text\":\"{}\"}\n{\"t\":0.5,\"direction\":\"in\",\"text\":\"{\\\"setupComplete\\\":{}}\"}\n";
        let mut agent = Recorded::parse(tape, Instant::from_millis(1_000)).unwrap();
        assert_eq!(agent.poll(), Output::Timeout(Instant::from_millis(1_500)));
        agent.handle_timeout(Instant::from_millis(1_500));
        assert_eq!(agent.poll(), Output::Event(Event::Ready));
        assert!(Recorded::parse("", Instant::ZERO).is_err());
        assert!(Recorded::parse("{", Instant::ZERO).unwrap_err().starts_with("line 1"));
        assert!(Recorded::parse("{\"t\":-1,\"direction\":\"in\",\"text\":\"\"}", Instant::ZERO).is_err());
    }
}
