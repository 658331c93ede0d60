//! The callback: what a server is told of a call before its agent is connected, and what it may change.
//!
//! Pure: the request's body and signature, the reading of the answer. [`crate::agent::seat`] applies the answer;
//! `gateway` asks. The names `system_instructions`, `voice`, `language` are those of the SIP-to-Gemini proxy.

use super::event::About;
use crate::{redact::Secret, secret::MacKey};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Longest answer that is read, in bytes.
pub const ANSWER_MAX: usize = 256 << 10;
/// Variables of one call.
const VARIABLES_MAX: usize = 64;
/// How much of an instruction the journal keeps, in characters.
const SHOWN_MAX: usize = 500;

/// What the server wants for this call; what it does not name stays as configured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// System instruction.
    pub system_instructions: Option<String>,
    /// Voice.
    pub voice: Option<String>,
    /// Language code.
    pub language: Option<String>,
    /// Another profile.
    pub agent: Option<String>,
    /// What the model is told so that it greets; an empty one lets it wait.
    pub greeting: Option<String>,
    /// What it may call, by name.
    pub tools: Option<Vec<String>>,
    /// The call is not taken: status, why.
    pub refuse: Option<(u16, String)>,
    /// For `{{name}}` in instructions, greetings and tools.
    pub variables: Vec<(String, String)>,
    /// Fields that mean nothing here.
    pub unknown: Vec<String>,
}

/// The body of the request.
#[must_use]
pub fn question(about: &About, uri: &str, call: &str, sip_call_id: &str, agent: &str, rule: &str) -> String {
    let headers: Map<String, Value> = about.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let mut question = json!({
        "uri": uri, "from": about.from, "to": about.to, "call_id": call, "agent": agent, "headers": headers
    });
    for (name, value) in [("sip_call_id", sip_call_id), ("rule", rule)] {
        if !value.is_empty() {
            question[name] = json!(value);
        }
    }
    question.to_string()
}

/// `X-Voxgw-Signature`: `v1=` and the HMAC-SHA256 of `TIMESTAMP.BODY` in hexadecimal.
#[must_use]
pub fn signature(secret: &Secret, timestamp: u64, body: &str) -> String {
    let mut text = "v1=".to_owned();
    for byte in MacKey::new(secret.reveal().as_bytes()).sign(format!("{timestamp}.{body}").as_bytes()) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads the answer. An empty one changes nothing.
///
/// # Errors
/// Says which field is wrong, and how.
pub fn read(body: &[u8]) -> Result<Answer, String> {
    if body.trim_ascii().is_empty() {
        return Ok(Answer::default());
    }
    let value: Value = serde_json::from_slice(body).map_err(|problem| format!("the answer is not JSON: {problem}"))?;
    let Value::Object(fields) = value else { return Err(format!("the answer is {}, not an object", kind(&value))) };
    let mut answer = Answer::default();
    for (name, value) in fields {
        // null is the same as nothing.
        if value.is_null() {
            continue;
        }
        match name.as_str() {
            "system_instructions" => answer.system_instructions = Some(text(&name, value)?),
            "voice" => answer.voice = Some(text(&name, value)?).filter(|voice| !voice.is_empty()),
            "language" => answer.language = Some(text(&name, value)?).filter(|language| !language.is_empty()),
            "agent" => answer.agent = Some(text(&name, value)?).filter(|agent| !agent.is_empty()),
            "greeting" => answer.greeting = Some(text(&name, value)?),
            "tools" => {
                let Value::Array(names) = value else {
                    return Err(format!("tools must be a list of names, not {}", kind(&value)));
                };
                answer.tools = Some(names.into_iter().map(|tool| text("tools", tool)).collect::<Result<_, _>>()?);
            }
            "refuse" => answer.refuse = Some(refusal(value)?),
            "variables" => {
                let Value::Object(all) = value else {
                    return Err(format!("variables must be an object, not {}", kind(&value)));
                };
                if all.len() > VARIABLES_MAX {
                    return Err(format!("variables are more than {VARIABLES_MAX}"));
                }
                let words = |value: Value| match value {
                    Value::String(text) => text,
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                answer.variables = all.into_iter().map(|(name, value)| (name, words(value))).collect();
            }
            _ => answer.unknown.push(name.chars().take(64).collect()),
        }
    }
    Ok(answer)
}

/// `{"status": 486, "reason": "…"}`, or `true` for 603.
fn refusal(value: Value) -> Result<(u16, String), String> {
    if value == true {
        return Ok((603, String::new()));
    }
    let Value::Object(fields) = value else {
        return Err(format!("refuse must be an object with status and reason, not {}", kind(&value)));
    };
    let status = fields.get("status").map_or(Some(603), Value::as_u64).filter(|status| (300..=699).contains(status));
    let status = status.ok_or("refuse.status must be a number from 300 to 699")?;
    let reason = fields.get("reason").and_then(Value::as_str).unwrap_or_default();
    // It goes into a header.
    let reason = reason.chars().filter(|c| !c.is_control() && !"\"\\".contains(*c)).take(200).collect();
    Ok((u16::try_from(status).unwrap_or(603), reason))
}

fn text(name: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(format!("{name} must be text, not {}", kind(&other))),
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Answer {
    /// For the journal: instructions cut, values of variables not told.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut shown = Map::new();
        let mut put = |name: &str, text: &Option<String>| {
            if let Some(text) = text {
                shown.insert(name.to_owned(), json!(text.chars().take(SHOWN_MAX).collect::<String>()));
            }
        };
        put("system_instructions", &self.system_instructions);
        put("voice", &self.voice);
        put("language", &self.language);
        put("agent", &self.agent);
        put("greeting", &self.greeting);
        if let Some(tools) = &self.tools {
            shown.insert("tools".into(), json!(tools));
        }
        if let Some((status, reason)) = &self.refuse {
            shown.insert("refuse".into(), json!({"status": status, "reason": reason}));
        }
        if !self.variables.is_empty() {
            let names: Map<String, Value> = self.variables.iter().map(|(name, _)| (name.clone(), json!("…"))).collect();
            shown.insert("variables".into(), Value::Object(names));
        }
        Value::Object(shown).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_tells_of_the_call_and_is_signed() {
        let headers = vec![("X-Tenant".to_owned(), "acme".to_owned())];
        let about = About { from: "+49301".into(), to: "100".into(), headers, ..About::default() };
        let body = question(&about, "sip:100@h", "c-1", "abc@h", "support", "");
        let value: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            value,
            json!({"uri": "sip:100@h", "from": "+49301", "to": "100", "call_id": "c-1", "sip_call_id": "abc@h",
                "agent": "support", "headers": {"X-Tenant": "acme"}})
        );
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac s3cret
        let signed = signature(&Secret::new("s3cret"), 1_700_000_000, "{}");
        assert_eq!(signed, "v1=97926816e98fbb41ccb1673225ff29a2f35369099990e1b1561651e7bd097ebf");
    }

    #[test]
    fn the_answer_is_read_and_wrong_types_are_named() {
        let answer = read(
            br#"{"system_instructions":"Be brief.","voice":"Kore","language":"de-DE","greeting":"","tools":["order"],
                "variables":{"name":"Ann","points":7},"mood":"good","agent":null}"#,
        )
        .unwrap();
        assert_eq!((answer.voice.as_deref(), answer.language.as_deref()), (Some("Kore"), Some("de-DE")));
        assert_eq!((answer.greeting.as_deref(), answer.agent.as_deref()), (Some(""), None));
        assert_eq!(answer.variables, [("name".into(), "Ann".into()), ("points".into(), "7".into())]);
        assert_eq!(answer.unknown, ["mood"]);
        assert!(!answer.shown().contains("Ann") && answer.shown().contains("Be brief."));
        assert_eq!(read(b" \n"), Ok(Answer::default()));
        for (body, wrong) in [
            ("<html>", "not JSON"),
            ("[1]", "is a list, not an object"),
            (r#"{"voice":7}"#, "voice must be text, not a number"),
            (r#"{"tools":"order"}"#, "tools must be a list of names, not text"),
            (r#"{"tools":[{}]}"#, "tools must be text, not an object"),
            (r#"{"variables":[]}"#, "variables must be an object, not a list"),
            (r#"{"refuse":{"status":200}}"#, "from 300 to 699"),
            (r#"{"refuse":"no"}"#, "refuse must be an object"),
        ] {
            let problem = read(body.as_bytes()).unwrap_err();
            assert!(problem.contains(wrong), "{body}: {problem}");
        }
        assert_eq!(read(br#"{"refuse":true}"#).unwrap().refuse, Some((603, String::new())));
        let refused = read(br#"{"refuse":{"status":486,"reason":"we are \"closed\"\r\nX: y"}}"#).unwrap().refuse;
        assert_eq!(refused, Some((486, "we are closedX: y".to_owned())));
    }
}
