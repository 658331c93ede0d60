//! Tools as models see them: a name, what it is for, and the JSON Schema of its arguments.
//!
//! Owns what may be called how, which arguments are secret, and what a call lacks. Does not know what a tool does:
//! `gateway` runs them, `call::tools` keeps their time.

mod check;

use serde_json::{Map, Value};

/// A tool that a model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does and when to call it, for the model.
    pub description: String,
    /// JSON Schema of its arguments, an object; none takes no arguments.
    pub parameters: Option<Value>,
}

/// Arguments of a call, by name.
pub type Arguments = Map<String, Value>;

/// Longest arguments of a call that are read, in bytes.
const ARGUMENTS_MAX: usize = 64 << 10;

/// Whether all providers take `name`: letters, digits, `_` and `-`, no digit first, 64 at most.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// Reads the JSON Schema of arguments.
///
/// # Errors
/// Says what is wrong with it.
pub fn schema(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|problem| format!("is not JSON: {problem}"))?;
    if value["type"] != "object" {
        return Err("must be the JSON Schema of an object: {\"type\": \"object\", \"properties\": {…}}".to_owned());
    }
    if let Some(properties) = value.get("properties")
        && !properties.as_object().is_some_and(|all| all.values().all(Value::is_object))
    {
        return Err("properties must hold one schema for each argument".to_owned());
    }
    if let Some(required) = value.get("required") {
        let names = required.as_array().ok_or("required must be a list of names")?;
        let unknown =
            names.iter().find(|name| name.as_str().is_none_or(|name| value["properties"].get(name).is_none()));
        if let Some(name) = unknown {
            return Err(format!("required names {name}, which properties do not have"));
        }
    }
    Ok(value)
}

impl Tool {
    /// The arguments of a call.
    ///
    /// # Errors
    /// For the model: what it did wrong.
    pub fn arguments(&self, text: &str) -> Result<Arguments, String> {
        if text.len() > ARGUMENTS_MAX {
            return Err("the arguments are too long".to_owned());
        }
        let mut arguments: Arguments = match text.trim() {
            "" | "null" => Arguments::new(),
            text => serde_json::from_str(text).map_err(|_| "the arguments must be one JSON object".to_owned())?,
        };
        if super::builtin::by_name(&self.name).is_some() {
            // The gateway's own tools take words; a model that says 12 means its digits.
            let scalars = arguments.values_mut().filter(|value| value.is_number() || value.is_boolean());
            scalars.for_each(|value| *value = Value::String(value.to_string()));
        }
        let arguments = Value::Object(arguments);
        let problem = self.parameters.as_ref().and_then(|schema| check::problem(&arguments, schema, ""));
        match (arguments, problem) {
            (Value::Object(arguments), None) => Ok(arguments),
            (_, problem) => Err(problem.unwrap_or_default()),
        }
    }

    /// Arguments for the journal: those that the schema calls secret (`"writeOnly": true` or `"format": "password"`)
    /// are cut, at every depth.
    #[must_use]
    pub fn redacted(&self, arguments: &Arguments) -> String {
        let mut shown = Value::Object(arguments.clone());
        if let Some(schema) = &self.parameters {
            cut_secrets(&mut shown, schema);
        }
        shown.to_string()
    }
}

/// A result in words, for a model that has forgotten that it asked.
#[must_use]
pub fn late(name: &str, result: Result<&Value, &str>) -> String {
    match result {
        Ok(value) => format!("The tool {name}, which you called before, has answered: {}", text(value)),
        Err(problem) => format!("The tool {name}, which you called before, has failed: {problem}"),
    }
}

/// Words as they are, else JSON.
#[must_use]
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn cut_secrets(value: &mut Value, schema: &Value) {
    if schema["writeOnly"] == true || schema["format"] == "password" {
        *value = Value::from("…");
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                cut_secrets(field, &schema["properties"][name.as_str()]);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| cut_secrets(item, &schema["items"])),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(parameters: &str) -> Tool {
        Tool { name: "t".into(), description: String::new(), parameters: Some(schema(parameters).unwrap()) }
    }

    #[test]
    fn schemas_that_no_model_could_follow_are_told_apart() {
        for (text, wrong) in [
            ("{", "not JSON"),
            ("[]", "of an object"),
            (r#"{"type":"string"}"#, "of an object"),
            (r#"{"type":"object","properties":{"a":1}}"#, "one schema for each"),
            (r#"{"type":"object","properties":{},"required":["a"]}"#, "required names \"a\""),
            (r#"{"type":"object","required":"a"}"#, "list of names"),
        ] {
            let problem = schema(text).unwrap_err();
            assert!(problem.contains(wrong), "{text}: {problem}");
        }
        for (name, good) in [("look_up", true), ("1st", false), ("a b", false), ("", false), ("a.b", false)] {
            assert_eq!(is_name(name), good, "{name}");
        }
    }

    #[test]
    fn what_a_call_lacks_is_told_to_the_model() {
        let tool = tool(r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#);
        assert_eq!(tool.arguments(r#"{"city":"Ulm"}"#).unwrap()["city"], "Ulm");
        for (text, wrong) in [("", "missing arguments: city"), (r#"{"city":null}"#, "city"), ("[1]", "JSON object")] {
            let problem = tool.arguments(text).unwrap_err();
            assert!(problem.contains(wrong), "{text}: {problem}");
        }
        assert!(tool.arguments(&format!("{{\"city\":\"{}\"}}", "x".repeat(ARGUMENTS_MAX))).is_err());
    }

    #[test]
    fn secret_arguments_are_cut_at_every_depth() {
        let tool = tool(
            r#"{"type":"object","properties":{"pin":{"type":"string","format":"password"},
                "who":{"type":"object","properties":{"card":{"type":"string","writeOnly":true}}},
                "codes":{"type":"array","items":{"type":"string","format":"password"}}}}"#,
        );
        let arguments = tool.arguments(r#"{"pin":"1234","who":{"name":"Ann","card":"4711"},"codes":["a"]}"#).unwrap();
        assert_eq!(tool.redacted(&arguments), r#"{"codes":["…"],"pin":"…","who":{"card":"…","name":"Ann"}}"#);
    }
}
