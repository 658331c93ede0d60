//! A MOCK of an MCP server over streamable HTTP that judges every request: a session is begun first and named in all that
//! follows, with the revision; each POST takes both kinds of answers.

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What the mock does.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Answers are events, with others between them.
    pub events: bool,
    /// Sessions are forgotten after so many requests in them.
    pub forgets_after: Option<usize>,
    /// What it wants in `Authorization`.
    pub key: Option<&'static str>,
}

#[derive(Debug, Default)]
struct Inner {
    script: Script,
    sessions: usize,
    used: usize,
    initialized: bool,
    /// Requests, without their heads.
    asked: Vec<Value>,
    wrong: Vec<String>,
}

/// The running mock.
#[derive(Debug)]
pub struct MockMcp {
    /// `http://127.0.0.1:PORT/mcp`
    pub url: String,
    inner: Arc<Mutex<Inner>>,
    task: tokio::task::JoinHandle<()>,
}

impl MockMcp {
    pub async fn start(script: Script) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner { script, ..Inner::default() }));
        let router = Router::new().route("/mcp", post(answer)).with_state(Arc::clone(&inner));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, task }
    }

    /// Requests of this method.
    pub fn asked(&self, method: &str) -> Vec<Value> {
        self.inner.lock().unwrap().asked.iter().filter(|asked| asked["method"] == method).cloned().collect()
    }

    pub fn violations(&self) -> Vec<String> {
        self.inner.lock().unwrap().wrong.clone()
    }
}

impl Drop for MockMcp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(inner): State<Arc<Mutex<Inner>>>, headers: HeaderMap, body: String) -> Response {
    let mut inner = inner.lock().unwrap();
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if inner.script.key.is_some_and(|key| said("authorization") != key) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let message: Value = serde_json::from_str(&body).unwrap_or_default();
    let method = message["method"].as_str().unwrap_or_default().to_owned();
    inner.asked.push(message.clone());
    let mut wrong = Vec::new();
    if message["jsonrpc"] != "2.0" || said("content-type") != "application/json" {
        wrong.push(format!("not JSON-RPC: {body}"));
    }
    if !said("accept").contains("application/json") || !said("accept").contains("text/event-stream") {
        wrong.push(format!("Accept: {}", said("accept")));
    }
    let id = message["id"].clone();
    if id.is_number() == (method == "notifications/initialized") {
        wrong.push(format!("{method} with id {id}"));
    }
    if method == "initialize" {
        inner.sessions += 1;
        (inner.used, inner.initialized) = (0, false);
        if !message["params"]["clientInfo"]["name"].is_string() || !message["params"]["capabilities"].is_object() {
            wrong.push(format!("initialize: {}", message["params"]));
        }
        inner.wrong.extend(wrong);
        let result = json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "mock", "version": "1"}});
        let session = format!("s{}", inner.sessions);
        return ([("mcp-session-id", session)], respond(&inner, &id, &result)).into_response();
    }
    inner.used += 1;
    if said("mcp-session-id") != format!("s{}", inner.sessions)
        || inner.script.forgets_after.is_some_and(|n| inner.used > n)
    {
        inner.script.forgets_after = None;
        return StatusCode::NOT_FOUND.into_response();
    }
    if said("mcp-protocol-version") != "2025-06-18" {
        wrong.push(format!("{method} without the revision"));
    }
    if !inner.initialized && method != "notifications/initialized" {
        wrong.push(format!("{method} before notifications/initialized"));
    }
    let text = |text: String| json!({"content": [{"type": "text", "text": text}]});
    let result = match method.as_str() {
        "notifications/initialized" => {
            inner.initialized = true;
            inner.wrong.extend(wrong);
            return StatusCode::ACCEPTED.into_response();
        }
        "tools/list" if message["params"]["cursor"].is_null() => json!({"nextCursor": "2", "tools": [
            {"name": "weather", "description": "How the weather is.", "inputSchema": {"$schema": "x", "type": "object",
                "properties": {"city": {"type": "string"}}, "required": ["city"]}},
            {"name": "not/for/models", "inputSchema": {"type": "object"}}]}),
        "tools/list" => {
            json!({"tools": [{"name": "broken", "description": "Fails.", "inputSchema": {"type": "object"}}]})
        }
        "tools/call" if message["params"]["name"] == "weather" => {
            text(format!("sunny in {}", message["params"]["arguments"]["city"].as_str().unwrap_or("?")))
        }
        "tools/call" if message["params"]["name"] == "broken" => {
            json!({"content": [{"type": "text", "text": "out of order"}], "isError": true})
        }
        _ => {
            wrong.push(format!("asked for {method} {}", message["params"]));
            json!({})
        }
    };
    inner.wrong.extend(wrong);
    respond(&inner, &id, &result)
}

fn respond(inner: &Inner, id: &Value, result: &Value) -> Response {
    let answer = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
    if !inner.script.events {
        return ([("content-type", "application/json")], answer).into_response();
    }
    let note = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}});
    let events = format!(": hello\n\nevent: message\ndata: {note}\n\nevent: message\ndata: {answer}\n\n");
    ([("content-type", "text/event-stream; charset=utf-8")], events).into_response()
}
