//! What passes between a call and its agent, whichever agent it is.
//!
//! The vocabulary only: providers' wires translate to and from it, offline agents speak it natively.

mod action;

pub use crate::media::dsp::vad::SpeechEdge;
pub use action::{Action, Outcome};

use crate::{call::journal::Check, clock::Instant, unit::SampleRate};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// A piece of sound that an offline agent plays.
#[derive(Clone, Debug, PartialEq)]
pub struct Sound {
    /// Rate of `samples`.
    pub rate: SampleRate,
    /// 16-bit mono.
    pub samples: Arc<[i16]>,
}

impl Sound {
    /// As what an agent says.
    #[must_use]
    pub fn said(&self) -> Event {
        Event::Audio { rate: self.rate, samples: self.samples.to_vec() }
    }
}

/// What an agent may know of a call before a word is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Who calls.
    pub from: String,
    /// Who is called.
    pub to: String,
    /// What else the INVITE said: names and values.
    pub headers: Vec<(String, String)>,
    /// What the callback said of it: names and values.
    pub variables: Vec<(String, String)>,
}

impl About {
    /// What a journal's first line says.
    #[must_use]
    pub fn of(header: &crate::call::journal::Header) -> Self {
        let headers = header.headers.iter().map(|carried| (carried.name.clone(), carried.value.0.clone()));
        Self { from: header.from.0.clone(), to: header.to.0.clone(), headers: headers.collect(), ..Self::default() }
    }

    /// The text with `{{from}}`, `{{to}}`, `{{name}}` of the variables and `{{Header-Name}}` filled in; what is not there
    /// is empty. Values come from strangers: control characters are taken out, and what they hold is not filled in again.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        self.fill_with(text, |value| Some(value.to_owned()), |_| None).unwrap_or_default()
    }

    /// The same with `more` names, which come first, and each value as `written`; none if one cannot be written.
    pub fn fill_with(
        &self,
        text: &str,
        written: impl Fn(&str) -> Option<String>,
        mut more: impl FnMut(&str) -> Option<String>,
    ) -> Option<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, behind)) = after.split_once("}}") else { break };
            filled.push_str(before);
            let value = more(name.trim()).unwrap_or_else(|| self.value(name.trim()).to_owned());
            filled.push_str(&written(&value.chars().filter(|c| !c.is_control()).collect::<String>())?);
            rest = behind;
        }
        filled.push_str(rest);
        Some(filled)
    }

    /// Gives a name a value; whatever else had that name is forgotten, so that no stranger's header stands for it.
    pub fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    fn value(&self, name: &str) -> &str {
        match name {
            "from" => &self.from,
            "to" => &self.to,
            _ => self
                .variables
                .iter()
                .chain(&self.headers)
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map_or("", |(_, value)| value.as_str()),
        }
    }
}

/// From the call to its agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command<'a> {
    /// The call was answered: greet, or wait for the caller.
    Start,
    /// The caller's sound, in order and continuous.
    Audio {
        /// Rate of `samples`: what the agent asked for.
        rate: SampleRate,
        /// 16-bit mono.
        samples: &'a [i16],
    },
    /// The caller began or ceased to speak, as our own detector says.
    Speech(SpeechEdge),
    /// The caller pressed a key.
    Digit(char),
    /// The caller wrote this; sent only to agents that read.
    Text(&'a str),
    /// The caller was sent the last of the agent's present turn.
    Played,
    /// The agent's turn was cut, by us or as it asked for; so much of it was heard.
    Interrupted {
        /// Milliseconds that the caller was sent.
        heard_ms: u32,
    },
    /// All sound before this mark of the agent's was sent to the caller, or thrown away.
    Marked(u32),
    /// The caller holds us, or is back.
    Held(bool),
    /// What became of something that it asked for.
    Acted {
        /// The number that it gave.
        id: u32,
        /// What.
        outcome: &'a Outcome,
    },
    /// A tool that it called has done its work, or could not.
    ToolResult {
        /// The call's name, as it gave it.
        id: &'a str,
        /// The tool's name.
        name: &'a str,
        /// What came of it.
        result: Result<&'a Value, &'a str>,
    },
    /// The call is over.
    Close,
}

/// An agent calls one of its tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// Its name for this call of the tool.
    pub id: String,
    /// The tool.
    pub name: String,
    /// JSON text of an object, as the model wrote it.
    pub arguments: String,
}

/// From an agent to its call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// It takes audio.
    Ready,
    /// Sound of its present turn. A turn begins with its first sound or text.
    Audio {
        /// Rate of `samples`.
        rate: SampleRate,
        /// 16-bit mono.
        samples: Vec<i16>,
    },
    /// It wants to know when all its sound so far was sent. Numbers grow.
    Mark(u32),
    /// It decided that the caller's turn is over.
    EndOfSpeech,
    /// Up to now the answer waited for this: a part of the gap.
    Step {
        /// What it was, in a word.
        name: &'static str,
        /// Who can shorten it.
        owner: String,
    },
    /// All sound of its turn has been given.
    TurnComplete,
    /// It noticed that the caller interrupts: throw away what was not played.
    Interrupted,
    /// A fragment of what the caller said.
    CallerText(String),
    /// A fragment of what it says.
    AgentText(String),
    /// It calls a tool.
    ToolCall(ToolCall),
    /// It does not want the results of these calls of tools any more.
    ToolsCancelled(Vec<String>),
    /// It wants digits sent.
    Digits(String),
    /// It wants the call to end, once its last word is out.
    HangUp(String),
    /// It asks something of the gateway; [`Command::Acted`] answers.
    Act {
        /// Its own number for it.
        id: u32,
        /// What.
        action: Action,
    },
    /// What the provider counts of an answer, or of the account.
    Usage(crate::call::journal::Usage),
    /// It will close its connection.
    GoingAway(String),
    /// A step of a scenario held, or did not.
    Checked(Check),
    /// Something the operator should know.
    Note(String),
    /// It cannot go on.
    Failed(String),
    /// It has closed, as wanted.
    Closed(String),
}

/// What an offline agent gives when asked for the next thing.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// For the call.
    Event(Event),
    /// Nothing more; it wants to hear of the time then.
    Timeout(Instant),
}

/// One provider frame with its time: a line of `agent.jsonl`, the cassette.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CassetteFrame {
    /// Seconds since the call's start.
    pub t: f64,
    /// `in` from the provider, `out` to it.
    pub direction: crate::call::journal::Direction,
    /// Which wire reads it, on the first frame of a connection; frames before there were several are Gemini's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<String>,
    /// The JSON text. Audio that we sent is left out, its length is said.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_once_with_what_is_known() {
        let about = About {
            from: "+4930123".into(),
            to: "support".into(),
            headers: vec![("X-Tenant".into(), "ac\u{1b}me {{to}}".into())],
            variables: vec![("level".into(), "gold".into())],
        };
        assert_eq!(about.fill("{{level}} {{X-Level}}"), "gold ");
        assert_eq!(about.fill("{{from}} of {{ x-tenant }}: {{X-None}}{{open"), "+4930123 of acme {{to}}: {{open");
        assert_eq!(about.fill("plain {x}"), "plain {x}");
    }
}
