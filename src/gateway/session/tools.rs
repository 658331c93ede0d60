//! The agent's tools at work: requests to the addresses of the config, each a task of the call's own worker.
//!
//! Fills in what the addresses leave open, and reads answers. What may run, and who hears of it, is the pipeline's.

use crate::{
    agent::{event::About, mcp::Server, seat::Plan, wire::tool::text},
    call::tools::{Answer, Run},
    config::HttpTool,
    gateway::mcp,
    net::http::{self, Patience},
    network::url::{Url, escaped},
    redact::Secret,
};
use bytes::Bytes;
use serde_json::Value;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::AbortHandle};

/// Longest answer of a tool: more than that no model can use in a conversation.
const ANSWER_MAX: usize = 64 << 10;

/// The tools of one call that are at work.
#[derive(Debug)]
pub(super) struct Tools {
    client: Arc<http::Client>,
    running: HashMap<String, AbortHandle>,
    to: mpsc::UnboundedSender<(String, Answer)>,
    /// What has come of them.
    pub(super) done: mpsc::UnboundedReceiver<(String, Answer)>,
}

impl Tools {
    pub(super) fn new(client: Arc<http::Client>) -> Self {
        let (to, done) = mpsc::unbounded_channel();
        Self { client, running: HashMap::new(), to, done }
    }

    /// Begins one of a plan's; [`Self::done`] has what comes of it.
    pub(super) fn run(&mut self, plan: &Plan, call: &str, about: &About, run: Run) {
        let (client, to, id) = (Arc::clone(&self.client), self.to.clone(), run.id.clone());
        self.running.retain(|_, task| !task.is_finished());
        let Some(tool) = plan.tools.iter().find(|tool| tool.tool.name == run.name) else {
            let has = |server: &&Arc<Server>| server.tools().iter().any(|tool| tool.name == run.name);
            let Some(server) = plan.mcp.iter().find(has).cloned() else {
                let _ = to.send((id, Err("this tool is not there".to_owned())));
                return;
            };
            let name = run.id.clone();
            let task = tokio::task::spawn_local(async move {
                let answer = mcp::call(&client, &server, &run.name, &run.arguments).await;
                if let Err(problem) = &answer {
                    let (tool, server) = (&run.name, &server.settings.name);
                    tracing::warn!(target: "agent", event = "agent.tool_failed", %tool, %server, "{problem}");
                }
                let _ = to.send((id, answer));
            });
            self.running.insert(name, task.abort_handle());
            return;
        };
        let request = match request(tool, call, about, &run) {
            Ok(request) => request,
            Err(problem) => {
                let _ = to.send((id, Err(problem)));
                return;
            }
        };
        // Once: what a tool does may not bear being done twice.
        let patience = Patience { within: tool.timeout, tries: 1, pause: Duration::ZERO, answer_max: ANSWER_MAX };
        let name = run.name;
        let task = tokio::task::spawn_local(async move {
            let answer = client.send(&request, patience).await.map(|answer| read(&answer.body)).map_err(|error| {
                tracing::warn!(
                    target: "agent", event = "agent.tool_failed", tool = name, hint = error.hint_text(), "{error}"
                );
                // Not the address: the model reads it out.
                let text = error.to_string();
                text.split_once(": ").map_or(text.clone(), |(_, problem)| problem.to_owned())
            });
            let _ = to.send((id, answer));
        });
        self.running.insert(run.id, task.abort_handle());
    }

    /// Nobody waits for it any more.
    pub(super) fn cancel(&mut self, id: &str) {
        if let Some(task) = self.running.remove(id) {
            task.abort();
        }
    }

    /// Nobody waits for any of them.
    pub(super) fn cancel_all(&mut self) {
        self.running.drain().for_each(|(_, task)| task.abort());
    }
}

impl Drop for Tools {
    fn drop(&mut self) {
        self.cancel_all();
    }
}

/// JSON as it is, else text.
fn read(body: &Bytes) -> Value {
    let text = String::from_utf8_lossy(body);
    match text.trim() {
        "" => Value::from("done"),
        text => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
    }
}

/// The request of a tool. What the address names is not sent again.
fn request(tool: &HttpTool, call: &str, about: &About, run: &Run) -> Result<http::Request, String> {
    let mut used = Vec::new();
    // An empty segment, or one of dots, would lead elsewhere.
    let written = |value: &str| (!value.trim_matches('.').is_empty()).then(|| escaped(value));
    let address = about.fill_with(&tool.url, written, |name| {
        let argument = run.arguments.get(name)?;
        used.push(name.to_owned());
        Some(text(argument))
    });
    let address = address.ok_or("an argument that is a part of the address is empty")?;
    let mut url = Url::parse(&address).map_err(|problem| format!("the address {problem}"))?;
    let rest = run.arguments.iter().filter(|(name, _)| !used.contains(name));
    let body = if tool.asks_by_query() {
        url = url.with_query(rest.map(|(name, value)| (name.as_str(), text(value))));
        None
    } else {
        let rest: serde_json::Map<String, Value> = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
        Some(("application/json".into(), Bytes::from(Value::Object(rest).to_string())))
    };
    let mut headers =
        vec![("X-Voxgw-Call".to_owned(), Secret::new(call)), ("X-Voxgw-Tool".to_owned(), Secret::new(&tool.tool.name))];
    headers.extend(tool.headers.iter().map(|(name, value)| (name.clone(), Secret::new(&about.fill(value.reveal())))));
    Ok(http::Request { method: tool.method.clone(), url, headers, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::wire::tool::Tool;
    use hyper::Method;

    fn tool(method: Method, url: &str) -> HttpTool {
        HttpTool {
            tool: Tool { name: "order".into(), description: String::new(), parameters: None },
            url: url.to_owned(),
            method,
            headers: vec![("X-Caller".into(), Secret::new("{{from}}"))],
            timeout: Duration::from_secs(1),
        }
    }

    fn asked(tool: &HttpTool, arguments: &str) -> Result<http::Request, String> {
        let about = About { from: "+49 30".into(), ..About::default() };
        let arguments = serde_json::from_str(arguments).unwrap();
        request(tool, "c-1", &about, &Run { id: "1".into(), name: "order".into(), arguments })
    }

    #[test]
    fn arguments_go_where_the_address_wants_them_and_the_rest_follows() {
        let get = tool(Method::GET, "https://h/orders/{{number}}?by={{from}}");
        let request = asked(&get, r#"{"number":"a/b","lines":2,"open":true}"#).unwrap();
        assert_eq!(request.url.path(), "/orders/a%2Fb?by=%2B49%2030&lines=2&open=true");
        assert!(request.body.is_none());
        let post = tool(Method::POST, "https://h/orders/{{number}}");
        let request = asked(&post, r#"{"number":7,"text":"ä"}"#).unwrap();
        assert_eq!((request.url.path(), request.body.unwrap().1), ("/orders/7", Bytes::from(r#"{"text":"ä"}"#)));
        let shown: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {}", value.reveal())).collect();
        assert_eq!(shown, ["X-Voxgw-Call: c-1", "X-Voxgw-Tool: order", "X-Caller: +49 30"]);
    }

    #[test]
    fn arguments_cannot_walk_through_the_address() {
        let get = tool(Method::GET, "https://h/orders/{{number}}/state");
        for walk in ["..", ".", ""] {
            assert!(asked(&get, &format!(r#"{{"number":"{walk}"}}"#)).is_err(), "{walk}");
        }
        assert!(asked(&get, "{}").is_err(), "the address has a hole");
    }

    #[test]
    fn answers_are_json_or_text() {
        assert_eq!(read(&Bytes::from(" {\"a\":1}\n"))["a"], 1);
        assert_eq!(read(&Bytes::from("plain words\n")), "plain words");
        assert_eq!(read(&Bytes::new()), "done");
    }
}
