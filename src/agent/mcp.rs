//! The Model Context Protocol as a client speaks it over HTTP ("streamable HTTP", revision 2025-06-18): JSON-RPC in POSTs,
//! answers as JSON or as server-sent events.
//!
//! Owns the messages, what answers mean, and what is known of a server: its session, its tools. Only tools are asked
//! for; a server that asks something of us gets no answer, for we announce no capability. Pure: `gateway::mcp` carries
//! the messages. Called from there.

use super::wire::tool::{self, Tool};
use crate::clock::Instant;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The revision that we ask for.
pub const REVISION: &str = "2025-06-18";
/// Revisions that mean the same for what we do.
const KNOWN: &[&str] = &["2025-03-26", REVISION, "2025-11-25"];
/// Tools of one server: more make models worse, not better.
pub const TOOLS_MAX: usize = 128;
/// Its list is asked for anew after this.
const FRESH_FOR: Duration = Duration::from_mins(5);
/// A server whose list could not be had is asked again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// `initialize`.
#[must_use]
pub fn initialize(id: u64) -> String {
    let client = json!({"name": "voxgw", "version": env!("CARGO_PKG_VERSION")});
    let params = json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": client});
    json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params}).to_string()
}

/// `notifications/initialized`, which gets no answer.
#[must_use]
pub fn initialized() -> String {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string()
}

/// `tools/list`, from where the last page ended.
#[must_use]
pub fn list(id: u64, cursor: Option<&str>) -> String {
    let params = cursor.map_or_else(|| json!({}), |cursor| json!({"cursor": cursor}));
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/list", "params": params}).to_string()
}

/// `tools/call`.
#[must_use]
pub fn call(id: u64, name: &str, arguments: &tool::Arguments) -> String {
    let params = json!({"name": name, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}).to_string()
}

/// Reads a body as it comes: one JSON message, or events with one each.
#[derive(Debug)]
pub struct Reader {
    id: u64,
    is_events: bool,
    line: Vec<u8>,
    data: String,
    whole: Vec<u8>,
}

impl Reader {
    /// For the answer to this request, by the body's content type.
    #[must_use]
    pub fn new(id: u64, content_type: &str) -> Self {
        let is_events = content_type == "text/event-stream";
        Self { id, is_events, line: Vec::new(), data: String::new(), whole: Vec::new() }
    }

    /// How much is kept of what is not read yet.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.line.len() + self.data.len() + self.whole.len()
    }

    /// More of the body; the answer as soon as it is there.
    pub fn push(&mut self, bytes: &[u8]) -> Option<Result<Value, String>> {
        if !self.is_events {
            self.whole.extend_from_slice(bytes);
            return None;
        }
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
            if let Some(data) = line.strip_prefix("data:") {
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            } else if line.is_empty() && !self.data.is_empty() {
                let data = std::mem::take(&mut self.data);
                // What the server says besides, and what it asks of us, is not for us.
                if let Some(answer) = serde_json::from_str(&data).ok().and_then(|message| answer(message, self.id)) {
                    return Some(answer);
                }
            }
        }
        None
    }

    /// The body has ended.
    ///
    /// # Errors
    /// It has no answer, or a failure.
    pub fn end(self) -> Result<Value, String> {
        let message = serde_json::from_slice(&self.whole).ok();
        message.and_then(|message| answer(message, self.id)).unwrap_or_else(|| Err("the answer is missing".to_owned()))
    }
}

/// What a message is worth as the answer to `id`.
fn answer(message: Value, id: u64) -> Option<Result<Value, String>> {
    // Batches are of an older revision.
    let mut messages = match message {
        Value::Array(all) => all,
        one => vec![one],
    };
    let at = messages.iter().position(|message| message["id"] == id && message.get("method").is_none())?;
    let mut message = messages.swap_remove(at);
    if let Some(error) = message.get("error") {
        let words: String = error["message"].as_str().unwrap_or("no reason given").chars().take(200).collect();
        return Some(Err(format!("{words} ({})", error["code"])));
    }
    Some(Ok(message["result"].take()))
}

/// The revision that the server speaks.
///
/// # Errors
/// It is none that we do.
pub fn revision(result: &Value) -> Result<String, String> {
    let said = result["protocolVersion"].as_str().unwrap_or_default();
    if KNOWN.contains(&said) {
        return Ok(said.to_owned());
    }
    let said: String = said.chars().take(40).collect();
    Err(format!("the server speaks revision '{said}' of MCP, not one of {}", KNOWN.join(", ")))
}

/// Tools of one page, those that cannot be offered with the reason, and where the next page begins.
#[must_use]
pub fn page(result: &Value) -> (Vec<Tool>, Vec<String>, Option<String>) {
    let (mut tools, mut odd) = (Vec::new(), Vec::new());
    for told in result["tools"].as_array().into_iter().flatten() {
        let name = told["name"].as_str().unwrap_or_default();
        let shown: String = name.chars().take(64).collect();
        if !tool::is_name(name) {
            odd.push(format!("{shown}: models take no such name"));
            continue;
        }
        let mut schema = told["inputSchema"].clone();
        if let Some(schema) = schema.as_object_mut() {
            // Providers refuse a dialect that is named.
            schema.remove("$schema");
        }
        match tool::schema(&schema.to_string()) {
            Ok(schema) => tools.push(Tool {
                name: name.to_owned(),
                description: told["description"].as_str().or(told["title"].as_str()).unwrap_or_default().to_owned(),
                parameters: schema["properties"].as_object().is_some_and(|all| !all.is_empty()).then_some(schema),
            }),
            Err(problem) => odd.push(format!("{shown}: its inputSchema {problem}")),
        }
    }
    let next = result["nextCursor"].as_str().filter(|cursor| !cursor.is_empty()).map(str::to_owned);
    (tools, odd, next)
}

/// What a call of a tool came to, for the model.
///
/// # Errors
/// The tool says that it failed, and how.
pub fn outcome(result: &Value) -> Result<Value, String> {
    let words: Vec<String> = result["content"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|part| match part["type"].as_str().unwrap_or_default() {
            "text" => part["text"].as_str().unwrap_or_default().to_owned(),
            "resource" => part["resource"]["text"].as_str().map_or_else(|| "(a file)".to_owned(), str::to_owned),
            // Nothing that is said on the telephone.
            other => format!("({other})"),
        })
        .collect();
    let words = words.join("\n");
    if result["isError"] == true {
        return Err(if words.is_empty() { "the tool failed".to_owned() } else { words });
    }
    match result.get("structuredContent") {
        Some(value) if value.is_object() => Ok(value.clone()),
        _ if words.is_empty() => Ok(Value::from("done")),
        _ => Ok(serde_json::from_str(&words).unwrap_or_else(|_| Value::from(words))),
    }
}

/// What is known of a server now.
#[derive(Debug, Default)]
struct Known {
    tools: Arc<[Tool]>,
    session: Option<Session>,
    /// When its tools were last asked for.
    asked: Option<Instant>,
    /// Why they could not be had.
    problem: Option<String>,
}

/// A session with a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// `Mcp-Session-Id`, if the server wants one.
    pub id: Option<String>,
    /// The revision that was agreed on.
    pub revision: String,
}

/// One server of the config, and what is known of it: shared by all calls.
#[derive(Debug)]
pub struct Server {
    /// Its table in the config.
    pub settings: crate::config::McpServer,
    known: Mutex<Known>,
    next: std::sync::atomic::AtomicU64,
}

impl Server {
    /// A server of which nothing is known yet.
    #[must_use]
    pub fn new(settings: crate::config::McpServer) -> Self {
        Self { settings, known: Mutex::default(), next: std::sync::atomic::AtomicU64::new(1) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next request's number.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    /// Its tools as they were last told, of those that the config wants.
    #[must_use]
    pub fn tools(&self) -> Arc<[Tool]> {
        Arc::clone(&self.known().tools)
    }

    /// Why its tools are not known, if they are not.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.known().problem.clone()
    }

    /// Whether its list should be asked for now; who is told so must ask.
    pub fn wants_asking(&self, now: Instant) -> bool {
        let mut known = self.known();
        let span = if known.problem.is_some() { AGAIN_AFTER } else { FRESH_FOR };
        let due = known.asked.is_none_or(|asked| now.since(asked) >= span);
        if due {
            known.asked = Some(now);
        }
        due
    }

    /// Its list came, or did not: then the last one stays.
    pub fn told(&self, list: Result<Vec<Tool>, String>) {
        let mut known = self.known();
        match list {
            Ok(mut tools) => {
                let wanted = &self.settings.tools;
                tools.retain(|tool| wanted.is_empty() || wanted.contains(&tool.name));
                tools.truncate(TOOLS_MAX);
                (known.tools, known.problem) = (tools.into(), None);
            }
            Err(problem) => known.problem = Some(problem),
        }
    }

    /// The session, if there is one.
    #[must_use]
    pub fn session(&self) -> Option<Session> {
        self.known().session.clone()
    }

    /// A session was begun; none: it is over.
    pub fn set_session(&self, session: Option<Session>) {
        self.known().session = session;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_found_in_bodies_of_both_kinds() {
        let mut json = Reader::new(7, "application/json");
        assert_eq!(json.push(br#"{"jsonrpc":"2.0","id":7,"#), None);
        json.push(br#""result":{"a":1}}"#);
        assert_eq!(json.end(), Ok(json!({"a": 1})));
        let mut events = Reader::new(7, "text/event-stream");
        let told =
            b"event: message\r\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\r\n\r\n: ping\n\
            data: {\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}\n\ndata: {\"jsonrpc\":\"2.0\",\n";
        assert_eq!(events.push(told), None, "the server's own messages, one with our number");
        let end = b"data: \"id\":7,\"error\":{\"code\":-32602,\"message\":\"no such tool\"}}\n\n";
        assert_eq!(events.push(end), Some(Err("no such tool (-32602)".into())));
        assert!(Reader::new(7, "text/event-stream").end().is_err());
        let mut odd = Reader::new(7, "application/json");
        odd.push(&[0xff; 40]);
        assert!(odd.end().is_err());
    }

    #[test]
    fn tools_that_models_can_call_are_offered_and_the_others_named() {
        let schema = json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object",
            "properties": {"city": {"type": "string"}}, "required": ["city"]});
        let (tools, odd, next) = page(&json!({"nextCursor": "p2", "tools": [
            {"name": "weather", "description": "How it is.", "inputSchema": schema},
            {"name": "time", "inputSchema": {"type": "object"}},
            {"name": "a.b", "inputSchema": {"type": "object"}},
            {"name": "odd", "inputSchema": {"type": "string"}}]}));
        assert_eq!(tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["weather", "time"]);
        assert!(tools[0].parameters.as_ref().unwrap().get("$schema").is_none() && tools[1].parameters.is_none());
        assert_eq!((odd.len(), next.as_deref()), (2, Some("p2")));
    }

    #[test]
    fn outcomes_are_data_words_or_failures() {
        let text = |text: &str| json!({"content": [{"type": "text", "text": text}]});
        assert_eq!(outcome(&text("sunny")), Ok(json!("sunny")));
        assert_eq!(outcome(&text("{\"a\":1}")), Ok(json!({"a": 1})));
        assert_eq!(outcome(&json!({"content": [], "structuredContent": {"b": 2}})), Ok(json!({"b": 2})));
        assert_eq!(outcome(&json!({"content": [{"type": "image", "data": "x"}]})), Ok(json!("(image)")));
        assert_eq!(outcome(&json!({"content": []})), Ok(json!("done")));
        let failed = json!({"content": [{"type": "text", "text": "closed"}], "isError": true});
        assert_eq!(outcome(&failed), Err("closed".into()));
    }

    #[test]
    fn revisions_that_we_do_not_speak_are_named() {
        assert_eq!(revision(&json!({"protocolVersion": "2025-03-26"})), Ok("2025-03-26".into()));
        assert!(revision(&json!({"protocolVersion": "2024-11-05"})).unwrap_err().contains("2024-11-05"));
    }
}
