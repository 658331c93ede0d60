//! What an agent asks of the gateway, as far as media does it: keys and hold. The rest goes out as [`super::Output::Act`].

use super::{Out, Pipeline, Seat, sound::INFO_MS};
use crate::{
    agent::event::{Action, Command, Outcome},
    call::Input as CallInput,
    clock::Instant,
};

impl Pipeline {
    /// The call has judged: this is to be done.
    pub(super) fn act(&mut self, now: Instant, id: u32, action: Action) {
        let refused = match action {
            Action::Digits(digits) => match self.press_all(now, &digits) {
                Ok(count) => return self.acted(now, id, Outcome::Done(format!("{count} digits are being sent"))),
                Err(why) => why,
            },
            Action::Hold | Action::Resume => match self.try_hold(now, action == Action::Hold, Some(id)) {
                Ok(()) => return,
                Err(why) => why,
            },
            action => return self.push(Out::Act(id, action)),
        };
        self.acted(now, id, Outcome::Refused(refused));
    }

    fn acted(&mut self, now: Instant, id: u32, outcome: Outcome) {
        self.call.handle(now, CallInput::Acted(id, outcome));
    }

    fn press_all(&mut self, now: Instant, digits: &str) -> Result<usize, String> {
        let keys = digits.chars().filter(|key| !", ".contains(*key)).map(|key| key.to_ascii_uppercase());
        let mut sent = 0;
        for key in keys {
            let media = self.media.as_mut().ok_or("the call has no media")?;
            if !media.outbound.press(key) && !self.inform(now, key, INFO_MS) {
                return Err("the far end takes no digits: no telephone-event was agreed on".to_owned());
            }
            sent += 1;
        }
        Ok(sent)
    }

    /// The agent hears what became of what it asked for.
    pub(super) fn tell_acted(&mut self, now: Instant, id: u32, outcome: Outcome) {
        if matches!(self.seat, Seat::Remote) && self.tool_acted(now, id, &outcome) {
            return;
        }
        match &mut self.seat {
            Seat::Local(agent) => agent.handle(now, Command::Acted { id, outcome: &outcome }),
            Seat::Remote => self.push(Out::TellActed(id, outcome)),
            Seat::Far => {}
        }
    }
}
