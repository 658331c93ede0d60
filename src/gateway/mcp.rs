//! Carries messages to MCP servers and their answers back: lists of tools in the background, calls of them as they come.
//!
//! What the messages mean is `agent::mcp`'s. Nobody waits for a list: a call begins with the tools that are known then.

use crate::{
    agent::{
        mcp::{self, Reader, Server, Session, TOOLS_MAX},
        wire::tool::{Arguments, Tool},
    },
    call::tools::Answer,
    clock::SystemClock,
    net::http::{Client, Request},
    redact::Secret,
};
use bytes::Bytes;
use hyper::Method;
use serde_json::Value;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Longest answer that is read.
const ANSWER_MAX: usize = 1 << 20;
/// Pages of a list of tools.
const PAGES_MAX: usize = 16;

/// Why an exchange failed.
enum Failed {
    /// The server knows our session no more.
    NoSession,
    Other(String),
}

impl Failed {
    fn words(self) -> String {
        match self {
            Self::NoSession => "the server ends every session at once".to_owned(),
            Self::Other(words) => words,
        }
    }
}

/// Asks for the tools of each server whose list is not fresh; gives the tasks, of the runtime that this is called in.
pub fn refresh(client: &Arc<Client>, servers: &[Arc<Server>]) -> Vec<JoinHandle<()>> {
    let now = SystemClock::now();
    let due = servers.iter().filter(|server| server.wants_asking(now));
    due.map(|server| {
        let (client, server) = (Arc::clone(client), Arc::clone(server));
        tokio::spawn(async move {
            let within = server.settings.timeout;
            let list = tokio::time::timeout(within, list(&client, &server)).await;
            let list = list.unwrap_or_else(|_| Err(format!("no answer within {} s", within.as_secs_f32())));
            let name = &server.settings.name;
            match &list {
                Ok(tools) => {
                    tracing::info!(target: "agent", event = "mcp.tools", server = %name, count = tools.len());
                }
                Err(problem) => {
                    tracing::warn!(target: "agent", event = "mcp.failed", server = %name, "{problem}");
                }
            }
            server.told(list);
        })
    })
    .collect()
}

/// Calls a tool, within the server's own time.
pub async fn call(client: &Client, server: &Server, name: &str, arguments: &Arguments) -> Answer {
    let within = server.settings.timeout;
    let asked = ask(client, server, |id| mcp::call(id, name, arguments));
    match tokio::time::timeout(within, asked).await {
        Ok(Ok(result)) => mcp::outcome(&result),
        Ok(Err(problem)) => Err(problem),
        Err(_) => Err(format!("no answer within {} s", within.as_secs_f32())),
    }
}

async fn list(client: &Client, server: &Server) -> Result<Vec<Tool>, String> {
    let (mut tools, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..PAGES_MAX {
        let result = ask(client, server, |id| mcp::list(id, cursor.as_deref())).await?;
        let (more, odd, next) = mcp::page(&result);
        tools.extend(more);
        for problem in odd {
            tracing::warn!(target: "agent", event = "mcp.tool", server = %server.settings.name, "{problem}");
        }
        cursor = next;
        if cursor.is_none() || tools.len() >= TOOLS_MAX {
            break;
        }
    }
    Ok(tools)
}

/// A request within a session; a session that the server has forgotten is begun anew, once.
async fn ask(client: &Client, server: &Server, message: impl Fn(u64) -> String) -> Result<Value, String> {
    for _ in 0..2 {
        let session = match server.session() {
            Some(session) => session,
            None => begin(client, server).await.map_err(Failed::words)?,
        };
        let id = server.number();
        match exchange(client, server, Some(&session), id, message(id)).await {
            Ok((result, _)) => return Ok(result),
            Err(Failed::NoSession) => server.set_session(None),
            Err(failed) => return Err(failed.words()),
        }
    }
    Err(Failed::NoSession.words())
}

async fn begin(client: &Client, server: &Server) -> Result<Session, Failed> {
    let id = server.number();
    let (result, session) = exchange(client, server, None, id, mcp::initialize(id)).await?;
    let session = Session { id: session, revision: mcp::revision(&result).map_err(Failed::Other)? };
    let request = request(server, Some(&session), mcp::initialized());
    // 202 without a body.
    client.open(&request).await.map_err(|failed| Failed::Other(failed.error.to_string()))?;
    server.set_session(Some(session.clone()));
    Ok(session)
}

/// One request and its answer, and the session that the server named.
async fn exchange(
    client: &Client,
    server: &Server,
    session: Option<&Session>,
    id: u64,
    message: String,
) -> Result<(Value, Option<String>), Failed> {
    let request = request(server, session, message);
    let mut stream = client.open(&request).await.map_err(|failed| match failed.status {
        Some(404) if session.is_some_and(|session| session.id.is_some()) => Failed::NoSession,
        // Not the address: the model reads it out.
        _ => {
            let text = failed.error.to_string();
            Failed::Other(text.split_once(": ").map_or(text.clone(), |(_, problem)| problem.to_owned()))
        }
    })?;
    let named = stream.headers.get("mcp-session-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut reader = Reader::new(id, &stream.content_type);
    loop {
        let piece = stream.next().await.map_err(|error| Failed::Other(error.to_string()))?;
        let Some(piece) = piece else { break };
        if let Some(answer) = reader.push(&piece) {
            return answer.map(|result| (result, named)).map_err(Failed::Other);
        }
        if reader.size() > ANSWER_MAX {
            return Err(Failed::Other(format!("answered more than {ANSWER_MAX} bytes")));
        }
    }
    reader.end().map(|result| (result, named)).map_err(Failed::Other)
}

fn request(server: &Server, session: Option<&Session>, message: String) -> Request {
    let mut headers = vec![("Accept".to_owned(), Secret::new("application/json, text/event-stream"))];
    if let Some(session) = session {
        headers.push(("MCP-Protocol-Version".to_owned(), Secret::new(&session.revision)));
        if let Some(id) = &session.id {
            headers.push(("Mcp-Session-Id".to_owned(), Secret::new(id)));
        }
    }
    headers.extend(server.settings.headers.iter().cloned());
    let body = Some(("application/json".into(), Bytes::from(message)));
    Request { method: Method::POST, url: server.settings.url.clone(), headers, body }
}
