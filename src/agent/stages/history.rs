//! What was said in a call, as the model is told of it with each question: only what was heard of its own words.
//!
//! Owns the order of messages that chat completions demand (results follow the calls that asked for them), and how much
//! is remembered. Called by [`super::talk`].

use super::Settings;
use crate::agent::wire::tool::{late, text};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;

/// What is remembered, in characters; the oldest goes first.
const MEMORY_MAX: usize = 60_000;

/// The conversation so far.
#[derive(Debug, Default)]
pub struct History {
    items: VecDeque<Item>,
    newest: u32,
}

#[derive(Debug)]
enum Item {
    Caller(String),
    /// What the model is told besides.
    Told(String),
    Agent(Said),
}

/// An answer of the model's.
#[derive(Debug)]
struct Said {
    id: u32,
    text: String,
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    arguments: String,
    result: Option<String>,
    /// The model was told that the result is not there yet.
    promised: bool,
}

impl History {
    /// The caller said this; goes on with what was said last, if that was the caller too.
    pub fn caller(&mut self, text: &str) {
        match self.items.back_mut() {
            Some(Item::Caller(words)) => {
                words.push(' ');
                words.push_str(text);
            }
            _ => self.items.push_back(Item::Caller(text.to_owned())),
        }
        self.forget();
    }

    /// The model is to know this.
    pub fn tell(&mut self, text: String) {
        self.items.push_back(Item::Told(text));
        self.forget();
    }

    /// Whether the caller spoke last.
    #[must_use]
    pub fn caller_was_last(&self) -> bool {
        matches!(self.items.back(), Some(Item::Caller(_)))
    }

    /// An answer begins: the number that it is known by.
    pub fn answer(&mut self) -> u32 {
        self.newest += 1;
        self.items.push_back(Item::Agent(Said { id: self.newest, text: String::new(), calls: Vec::new() }));
        self.newest
    }

    /// More of an answer.
    pub fn say(&mut self, answer: u32, sentence: &str) {
        if let Some(said) = self.said(answer) {
            if !said.text.is_empty() {
                said.text.push(' ');
            }
            said.text.push_str(sentence);
        }
    }

    /// Only this of an answer was heard.
    pub fn heard(&mut self, answer: u32, text: &str) {
        if let Some(said) = self.said(answer) {
            text.trim().clone_into(&mut said.text);
        }
        self.items.retain(|item| {
            !matches!(item, Item::Agent(said) if said.id == answer && said.text.is_empty() && said.calls.is_empty())
        });
    }

    /// An answer of which nothing has come is none.
    pub fn drop_empty(&mut self, answer: u32) {
        let text = self.said(answer).map(|said| said.text.clone()).unwrap_or_default();
        self.heard(answer, &text);
    }

    /// A call of a tool within an answer.
    pub fn call(&mut self, answer: u32, id: &str, name: &str, arguments: &str) {
        if let Some(said) = self.said(answer) {
            let (id, name, arguments) = (id.to_owned(), name.to_owned(), arguments.to_owned());
            said.calls.push(Call { id, name, arguments, result: None, promised: false });
        }
    }

    /// A tool has answered. Tells whether the model waits for no other.
    pub fn result(&mut self, id: &str, result: Result<&Value, &str>) -> bool {
        let calls =
            self.items.iter_mut().filter_map(|item| if let Item::Agent(said) = item { Some(said) } else { None });
        let mut words = None;
        if let Some(call) = calls.flat_map(|said| &mut said.calls).find(|call| call.id == id) {
            if call.promised || call.result.is_some() {
                words = Some(late(&call.name, result));
            } else {
                call.result = Some(match result {
                    Ok(value) => text(value),
                    Err(problem) => json!({"error": problem}).to_string(),
                });
            }
        }
        if let Some(words) = words {
            self.tell(words);
        }
        !self.waits_for_tools()
    }

    /// Whether a tool that was called has not answered.
    #[must_use]
    pub fn waits_for_tools(&self) -> bool {
        self.items.iter().any(|item| {
            matches!(item, Item::Agent(said) if said.calls.iter().any(|call| call.result.is_none() && !call.promised))
        })
    }

    fn said(&mut self, answer: u32) -> Option<&mut Said> {
        self.items.iter_mut().rev().find_map(|item| match item {
            Item::Agent(said) if said.id == answer => Some(said),
            _ => None,
        })
    }

    fn forget(&mut self) {
        let size = |item: &Item| match item {
            Item::Caller(text) | Item::Told(text) => text.len(),
            Item::Agent(said) => {
                said.text.len()
                    + said
                        .calls
                        .iter()
                        .map(|call| call.arguments.len() + call.result.as_ref().map_or(0, String::len))
                        .sum::<usize>()
            }
        };
        let mut sum: usize = self.items.iter().map(size).sum();
        while sum > MEMORY_MAX && self.items.len() > 1 {
            sum -= self.items.pop_front().as_ref().map_or(0, size);
        }
    }

    /// The question: body of `POST /chat/completions`. Tools that have not answered are promised.
    #[must_use]
    pub fn question(&mut self, settings: &Settings) -> Vec<u8> {
        let told = &settings.told;
        let mut messages = Vec::with_capacity(self.items.len() + 1);
        if let Some(instructions) = told.instructions.as_deref().filter(|text| !text.trim().is_empty()) {
            messages.push(json!({"role": "system", "content": instructions}));
        }
        for item in &mut self.items {
            match item {
                Item::Caller(text) => messages.push(json!({"role": "user", "content": text})),
                Item::Told(text) => messages.push(json!({"role": "system", "content": text})),
                Item::Agent(said) => said.write(&mut messages),
            }
        }
        let mut body = Map::new();
        body.insert("model".into(), json!(told.model.as_deref().unwrap_or(super::LLM_MODEL)));
        body.insert("messages".into(), Value::Array(messages));
        body.insert("stream".into(), json!(true));
        body.insert("stream_options".into(), json!({"include_usage": true}));
        let mut put = |name: &str, value: Option<Value>| value.map(|value| body.insert(name.into(), value));
        put("temperature", told.temperature.map(Value::from));
        put("max_completion_tokens", told.max_tokens.map(Value::from));
        put("reasoning_effort", told.reasoning.as_deref().map(Value::from));
        if !told.tools.is_empty() {
            let tools = told.tools.iter().map(|tool| {
                let mut function = json!({"name": tool.name, "description": tool.description});
                function["parameters"] =
                    tool.parameters.clone().unwrap_or_else(|| json!({"type": "object", "properties": {}}));
                json!({"type": "function", "function": function})
            });
            put("tools", Some(tools.collect()));
        }
        Value::Object(body).to_string().into_bytes()
    }
}

impl Said {
    fn write(&mut self, messages: &mut Vec<Value>) {
        let mut message = json!({"role": "assistant", "content": self.text});
        if self.calls.is_empty() {
            if !self.text.is_empty() {
                messages.push(message);
            }
            return;
        }
        if self.text.is_empty() {
            message["content"] = Value::Null;
        }
        let calls = self.calls.iter().map(|call| {
            let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
            json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
        });
        message["tool_calls"] = calls.collect();
        messages.push(message);
        for call in &mut self.calls {
            call.promised |= call.result.is_none();
            let content = call.result.as_deref().unwrap_or("The tool is still at work; its result will follow.");
            messages.push(json!({"role": "tool", "tool_call_id": call.id, "content": content}));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn messages(history: &mut History) -> Vec<Value> {
        let body: Value = serde_json::from_slice(&history.question(&Settings::default())).unwrap();
        body["messages"].as_array().unwrap().clone()
    }

    #[test]
    fn results_follow_their_calls_and_late_ones_are_told_in_words() {
        let mut history = History::default();
        history.caller("Where is it?");
        let answer = history.answer();
        history.call(answer, "c1", "order", "{\"n\":1}");
        history.call(answer, "c2", "hang_up", "");
        assert!(!history.result("c1", Ok(&json!({"at": "home"}))));
        assert!(history.waits_for_tools());
        let first = messages(&mut history);
        assert_eq!((first.len(), &first[1]["content"]), (4, &Value::Null));
        assert_eq!(first[1]["tool_calls"][1]["function"]["arguments"], "{}");
        assert_eq!((&first[2]["tool_call_id"], &first[2]["content"]), (&json!("c1"), &json!("{\"at\":\"home\"}")));
        assert!(first[3]["content"].as_str().unwrap().contains("still at work"));
        assert!(history.result("c2", Err("no")) && !history.waits_for_tools());
        let second = messages(&mut history);
        assert_eq!(second[4]["role"], "system");
        assert!(second[4]["content"].as_str().unwrap().contains("hang_up"), "{second:?}");
    }

    #[test]
    fn only_what_was_heard_stays_and_the_oldest_is_forgotten() {
        let mut history = History::default();
        history.caller("One.");
        history.caller("Two.");
        let answer = history.answer();
        history.say(answer, "I say");
        history.say(answer, "a lot.");
        history.heard(answer, "I say");
        let unheard = history.answer();
        history.say(unheard, "Never.");
        history.heard(unheard, "");
        let found = messages(&mut history);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!((&found[0]["content"], &found[1]["content"]), (&json!("One. Two."), &json!("I say")));
        for n in 0..200 {
            history.tell(format!("{n}"));
            history.caller(&"x".repeat(1_000));
        }
        assert!(history.items.len() < 130);
    }

    #[test]
    fn the_question_has_what_the_profile_says() {
        let told = crate::agent::wire::Settings {
            instructions: Some("Be brief.".into()),
            temperature: Some(0.5),
            max_tokens: Some(99),
            tools: [crate::agent::wire::builtin::by_name("hang_up").unwrap().tool()].into(),
            ..Default::default()
        };
        let settings = Settings { told: Arc::new(told), ..Settings::default() };
        let body: Value = serde_json::from_slice(&History::default().question(&settings)).unwrap();
        assert_eq!(body["messages"], json!([{"role": "system", "content": "Be brief."}]));
        assert_eq!((&body["stream"], &body["max_completion_tokens"]), (&json!(true), &json!(99)));
        assert_eq!(body["tools"][0]["function"]["name"], "hang_up");
    }
}
