//! What an agent may ask of the gateway besides speaking: to hang up, to put the caller through, to press keys, to hold,
//! to write a text, to make room for another agent, to leave a note.
//!
//! Words only. `call::acting` judges whether the call is in a state for it, `call::pipeline` and the engine carry it out,
//! and every agent hears of it by [`super::Command::Acted`] with the number that it gave.

use crate::redact::Pii;

/// Longest address, name of an agent, or run of digits.
const SHORT_MAX: usize = 256;
/// Longest text and value.
const LONG_MAX: usize = 4_096;

/// What an agent asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// End the call once the last word is out.
    HangUp {
        /// For the journal; may be empty.
        reason: String,
    },
    /// Send the caller to somebody and let go: REFER where the caller's side takes it, else as [`Self::Bridge`].
    Transfer {
        /// `sip:carol@example.org`, a user of ours, or a number.
        to: String,
        /// The trunk that reaches a number; none is the caller's own, or the only one.
        trunk: Option<String>,
    },
    /// Put the caller through; the agent stays until somebody answers, and goes on if nobody does.
    Bridge {
        /// A user of ours, or a number.
        to: String,
        /// As in [`Self::Transfer`].
        trunk: Option<String>,
    },
    /// Press keys towards the caller: `0-9 * # A-D`; commas and spaces are left out.
    Digits(String),
    /// Hold the caller, with music.
    Hold,
    /// Take the caller back.
    Resume,
    /// Write a text.
    Text {
        /// A user of ours, a whole SIP address, or a number; none is the caller, within the call.
        to: Option<String>,
        /// The words.
        text: String,
    },
    /// Let another agent go on with the call.
    Switch {
        /// Its profile.
        agent: String,
    },
    /// Leave a name and a value in the journal.
    Set {
        /// Letters, digits, `_`, `-`, `.`; 64 characters at most.
        name: String,
        /// Anything.
        value: String,
    },
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is under way and another outcome will follow: a telephone rings, the far end was asked.
    Begun(String),
    /// It has happened; in words, if there is more to say.
    Done(String),
    /// It has not, and why: words that an agent can read out or act upon.
    Refused(String),
}

impl Outcome {
    /// Whether no other will follow.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Begun(_))
    }

    /// `begun`, `done`, `refused`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Begun(_) => "begun",
            Self::Done(_) => "done",
            Self::Refused(_) => "refused",
        }
    }

    /// Its words.
    #[must_use]
    pub fn words(&self) -> &str {
        let (Self::Begun(words) | Self::Done(words) | Self::Refused(words)) = self;
        words
    }
}

impl Action {
    /// The names of all actions, as journals and scripts have them.
    pub const NAMES: &[&str] = &["hang_up", "transfer", "bridge", "digits", "hold", "resume", "text", "switch", "set"];

    /// One of [`Self::NAMES`].
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::HangUp { .. } => "hang_up",
            Self::Transfer { .. } => "transfer",
            Self::Bridge { .. } => "bridge",
            Self::Digits(_) => "digits",
            Self::Hold => "hold",
            Self::Resume => "resume",
            Self::Text { .. } => "text",
            Self::Switch { .. } => "switch",
            Self::Set { .. } => "set",
        }
    }

    /// What it is about, for the journal: whom, which keys, which words.
    #[must_use]
    pub fn about(&self) -> Pii {
        Pii(match self {
            Self::HangUp { reason } => reason.clone(),
            Self::Transfer { to, trunk } | Self::Bridge { to, trunk } => match trunk {
                Some(trunk) => format!("{to} by {trunk}"),
                None => to.clone(),
            },
            Self::Digits(digits) => digits.clone(),
            Self::Hold | Self::Resume => String::new(),
            Self::Text { to, text } => match to {
                Some(to) => format!("to {to}: {text}"),
                None => text.clone(),
            },
            Self::Switch { agent } => agent.clone(),
            Self::Set { value, .. } => value.clone(),
        })
    }

    /// Whether it makes sense by itself. What a model or a stranger's bot asks for may be anything.
    ///
    /// # Errors
    /// What is wrong, in words for the agent.
    pub fn check(&self) -> Result<(), String> {
        let short = |what: &str, text: &str| match text {
            "" => Err(format!("{what} is empty")),
            text if text.len() > SHORT_MAX => Err(format!("{what} is longer than {SHORT_MAX} bytes")),
            text if text.chars().any(char::is_control) => Err(format!("{what} has control characters")),
            _ => Ok(()),
        };
        let long = |what: &str, text: &str| {
            if text.len() > LONG_MAX { Err(format!("{what} is longer than {LONG_MAX} bytes")) } else { Ok(()) }
        };
        match self {
            Self::HangUp { reason } => long("the reason", reason),
            Self::Transfer { to, trunk } | Self::Bridge { to, trunk } => {
                short("to", to)?;
                trunk.as_deref().map_or(Ok(()), |trunk| short("trunk", trunk))
            }
            Self::Digits(digits) => {
                short("digits", digits)?;
                let is_key = |c: char| c.is_ascii_digit() || "*#ABCDabcd, ".contains(c);
                let some = digits.chars().any(|c| !", ".contains(c));
                (some && digits.chars().all(is_key)).then_some(()).ok_or_else(|| "digits are 0-9, *, # and A-D".into())
            }
            Self::Hold | Self::Resume => Ok(()),
            Self::Text { to, text } => {
                to.as_deref().map_or(Ok(()), |to| short("to", to))?;
                if text.is_empty() { Err("the text is empty".into()) } else { long("the text", text) }
            }
            Self::Switch { agent } => short("agent", agent),
            Self::Set { name, value } => {
                let is_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
                if name.is_empty() || name.len() > 64 || !name.chars().all(is_word) {
                    return Err("a name has letters, digits, _, - and ., 64 at most".into());
                }
                long("the value", value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        let refused = |action: Action| action.check().unwrap_err();
        assert_eq!(refused(Action::Digits("12x".into())), "digits are 0-9, *, # and A-D");
        assert_eq!(refused(Action::Digits(", ,".into())), "digits are 0-9, *, # and A-D");
        assert_eq!(refused(Action::Bridge { to: String::new(), trunk: None }), "to is empty");
        let sneaky = Action::Transfer { to: "sip:a@b\r\nX: y".into(), trunk: None };
        assert_eq!(refused(sneaky), "to has control characters");
        assert_eq!(refused(Action::Text { to: None, text: "x".repeat(5_000) }), "the text is longer than 4096 bytes");
        assert!(refused(Action::Set { name: "a b".into(), value: String::new() }).starts_with("a name has letters"));
        assert_eq!(Action::Digits("1, 2#".into()).check(), Ok(()));
        assert_eq!(Action::Text { to: None, text: "line\nline".into() }.check(), Ok(()));
    }

    #[test]
    fn every_action_has_its_name() {
        let all = [
            Action::HangUp { reason: String::new() },
            Action::Transfer { to: String::new(), trunk: None },
            Action::Bridge { to: String::new(), trunk: None },
            Action::Digits(String::new()),
            Action::Hold,
            Action::Resume,
            Action::Text { to: None, text: String::new() },
            Action::Switch { agent: String::new() },
            Action::Set { name: String::new(), value: String::new() },
        ];
        let names: Vec<&str> = all.iter().map(Action::name).collect();
        assert_eq!(names, Action::NAMES);
    }
}
