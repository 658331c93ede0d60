//! Tools that the gateway itself performs: what models are told of them, and the action that a call of one means.
//!
//! One row for each; the names are those of `agents.*.tools`. Who may be called and what it may cost is judged where
//! actions are carried out.

use super::tool::{Arguments, Tool, schema, text};
use crate::agent::event::Action;
use serde_json::Value;

/// One of them.
#[derive(Debug)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// For the model.
    description: &'static str,
    /// JSON Schema of its arguments.
    parameters: &'static str,
    action: fn(&Arguments) -> Action,
}

/// All of them.
pub static BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "hang_up",
        description: "Ends the call after your last word. Say goodbye first.",
        parameters: r#"{"type":"object","properties":{"reason":{"type":"string","description":"Why, in a few words."}}}"#,
        action: |arguments| Action::HangUp { reason: word(arguments, "reason") },
    },
    BuiltIn {
        name: "transfer",
        description: "Sends the caller to somebody else and leaves the call. Say so to the caller first.",
        parameters: TO_SOMEBODY,
        action: |arguments| Action::Transfer { to: word(arguments, "to"), trunk: None },
    },
    BuiltIn {
        name: "bridge",
        description: "Calls somebody and puts the caller through when they answer. If they do not, you go on with the caller.",
        parameters: TO_SOMEBODY,
        action: |arguments| Action::Bridge { to: word(arguments, "to"), trunk: None },
    },
    BuiltIn {
        name: "send_dtmf",
        description: "Presses keys of the telephone, for menus of other machines.",
        parameters: r#"{"type":"object","properties":{"digits":{"type":"string","description":"0-9, * and #"}},"required":["digits"]}"#,
        action: |arguments| Action::Digits(word(arguments, "digits")),
    },
    BuiltIn {
        name: "hold",
        description: "Holds the caller, who hears music until you call resume.",
        parameters: NOTHING,
        action: |_| Action::Hold,
    },
    BuiltIn {
        name: "resume",
        description: "Takes the caller back who was held.",
        parameters: NOTHING,
        action: |_| Action::Resume,
    },
    BuiltIn {
        name: "send_sms",
        description: "Sends a text message, to the caller if nobody else is named.",
        parameters: r#"{"type":"object","properties":{"text":{"type":"string"},"to":{"type":"string","description":"A telephone number or a user's name."}},"required":["text"]}"#,
        action: |arguments| Action::Text {
            to: arguments.get("to").filter(|to| !to.is_null()).map(text).filter(|to| !to.trim().is_empty()),
            text: word(arguments, "text"),
        },
    },
    BuiltIn {
        name: "switch_agent",
        description: "Lets another agent go on with the call.",
        parameters: r#"{"type":"object","properties":{"agent":{"type":"string","description":"Its name."}},"required":["agent"]}"#,
        action: |arguments| Action::Switch { agent: word(arguments, "agent") },
    },
    BuiltIn {
        name: "set_variable",
        description: "Notes a fact about this call for the operator, under a short name.",
        parameters: r#"{"type":"object","properties":{"name":{"type":"string","description":"Letters, digits, _, - and ."},"value":{"type":"string"}},"required":["name","value"]}"#,
        action: |arguments| Action::Set { name: word(arguments, "name"), value: word(arguments, "value") },
    },
];

const NOTHING: &str = r#"{"type":"object","properties":{}}"#;
const TO_SOMEBODY: &str = r#"{"type":"object","properties":{"to":{"type":"string","description":"A telephone number, a user's name, or a SIP address."}},"required":["to"]}"#;

/// The row called `name`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|row| row.name == name)
}

impl BuiltIn {
    /// As models see it.
    #[must_use]
    pub fn tool(&self) -> Tool {
        let parameters = Some(self.parameters).filter(|parameters| *parameters != NOTHING);
        Tool {
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            parameters: parameters.and_then(|parameters| schema(parameters).ok()),
        }
    }

    /// What a call of it asks for.
    #[must_use]
    pub fn action(&self, arguments: &Arguments) -> Action {
        (self.action)(arguments)
    }
}

fn word(arguments: &Arguments, name: &str) -> String {
    arguments.get(name).filter(|value| !matches!(value, Value::Null)).map(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_schema_and_an_action_that_makes_sense() {
        let arguments: Arguments =
            serde_json::from_str(r#"{"to":"carol","digits":"12#","text":"hi","agent":"a","name":"n","value":7}"#)
                .unwrap();
        for row in BUILT_IN {
            let tool = row.tool();
            assert!(super::super::tool::is_name(row.name) && !tool.description.is_empty());
            assert_eq!(tool.parameters.is_none(), row.parameters == NOTHING, "{}", row.name);
            assert_eq!(row.action(&arguments).check(), Ok(()), "{}", row.name);
        }
        let set = by_name("set_variable").unwrap().action(&arguments);
        assert_eq!(set, Action::Set { name: "n".into(), value: "7".into() });
        let sms = by_name("send_sms").unwrap().action(&arguments);
        assert_eq!(sms, Action::Text { to: Some("carol".into()), text: "hi".into() });
    }
}
