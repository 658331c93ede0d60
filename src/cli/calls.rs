//! `voxgw calls`: acts on a running gateway through its API, as `monitor` looks at it.
//!
//! What each act is called there, and what it sends, is [`CallsCommand::request`]; docs/API.md describes the places.

use super::{
    Printer,
    arguments::{Calls, CallsCommand, Monitor},
    monitor,
};
use crate::{
    api::client::Target,
    error::{Error, Result},
};
use serde_json::{Value, json};

pub(super) fn run(arguments: &Calls, printer: &Printer) -> Result<u8> {
    if let CallsCommand::Ls { filter, sort, output } = &arguments.command {
        return monitor::list(
            &Monitor {
                target: arguments.gateway.clone(),
                token_file: arguments.token_file.clone(),
                filter: filter.clone(),
                sort: sort.clone(),
                output: *output,
                once: true,
                ..Monitor::default()
            },
            printer,
        );
    }
    let runtime = monitor::runtime()?;
    let target = monitor::gateway(arguments.gateway.as_deref(), arguments.token_file.as_deref())?;
    runtime.block_on(act(&target, &arguments.command, printer))?;
    Ok(0)
}

async fn act(target: &Target, command: &CallsCommand, printer: &Printer) -> Result<()> {
    let mut request = command.request();
    let call = match request.call {
        Some(text) => Some(find(target, text).await?),
        None => None,
    };
    if let Some(other) = request.body["to_call"].as_str() {
        request.body["to_call"] = find(target, other).await?.into();
    }
    let place =
        call.as_ref().map_or_else(|| request.place.to_owned(), |call| format!("sessions/{call}/{}", request.place));
    let answer = target.post(&format!("/v1/{place}"), &request.body).await?;
    match (&answer["call"], &answer["status"], call) {
        // The name of a new call or leg is the result: scripts go on with it.
        (Value::String(new), ..) => printer.result(new),
        (_, Value::Number(status), _) => {
            printer.note(&format!("taken by the far end: {status} {}", answer["reason"].as_str().unwrap_or_default()));
        }
        (.., Some(call)) => printer.note(&format!("{call}: {}", request.done)),
        _ => {}
    }
    Ok(())
}

/// What is asked of the API.
struct Request<'a> {
    /// The call it is about, as it was typed.
    call: Option<&'a str>,
    /// Below `/v1/sessions/CALL/`, or without a call below `/v1/`.
    place: &'a str,
    body: Value,
    /// For people, once it was accepted.
    done: &'a str,
}

impl CallsCommand {
    fn request(&self) -> Request<'_> {
        let of = |call, place, body, done| Request { call: Some(call), place, body, done };
        match self {
            // Not asked of one place.
            Self::Ls { .. } => Request { call: None, place: "sessions", body: Value::Null, done: "" },
            Self::Hangup { call, reason } => of(
                call,
                "hangup",
                reason.as_ref().map_or(Value::Null, |reason| json!({"reason": reason})),
                "hanging up",
            ),
            Self::Dtmf { call, keys } => of(call, "dtmf", json!({"digits": keys}), "pressing"),
            Self::Hold { call } => of(call, "hold", Value::Null, "holding"),
            Self::Resume { call } => of(call, "resume", Value::Null, "taking it back"),
            Self::Transfer { call, to } => {
                let key = if to.starts_with("sip:") || to.starts_with("sips:") { "to" } else { "to_call" };
                of(call, "transfer", json!({key: to}), "transferring")
            }
            Self::Bridge { call, to, trunk } => of(call, "bridge", with_trunk(json!({"to": to}), trunk.as_deref()), ""),
            Self::Conference { call, name } => of(call, "conference", json!({"name": name}), "into the conference"),
            Self::Recording { call, state } => of(call, "recording", json!({"state": state}), "recording is told"),
            Self::Place { to, agent, trunk, from } => {
                let mut body = with_trunk(json!({"to": to}), trunk.as_deref());
                for (key, value) in [("agent", agent), ("from", from)] {
                    if let Some(value) = value {
                        body[key] = value.as_str().into();
                    }
                }
                Request { call: None, place: "calls", body, done: "" }
            }
            Self::Text { to, from, text } => {
                Request { call: None, place: "messages", body: json!({"to": to, "from": from, "text": text}), done: "" }
            }
        }
    }
}

fn with_trunk(mut body: Value, trunk: Option<&str>) -> Value {
    if let Some(trunk) = trunk {
        body["trunk"] = trunk.into();
    }
    body
}

/// The running call that is meant: its whole name, or the beginning of it that only one has, with or without `c-`.
async fn find(target: &Target, text: &str) -> Result<String> {
    let snapshot = target.snapshot().await?;
    let running = snapshot.sessions.iter().filter(|session| !session.state.is_over());
    let names: Vec<String> = running.map(|session| session.call().to_string()).collect();
    let wanted = text.strip_prefix("c-").unwrap_or(text);
    let found: Vec<&String> = names.iter().filter(|name| name[2..].starts_with(wanted)).collect();
    match found[..] {
        [one] => Ok(one.clone()),
        // The gateway says what is wrong with it.
        [] if text.len() == "c-00000000".len() => Ok(text.to_owned()),
        [] if names.is_empty() => Err(Error::usage(format!("no call is called {text}")).hint("no call is running")),
        [] => Err(Error::usage(format!("no call is called {text}")).hint(format!("running are {}", names.join(", ")))),
        _ => {
            let names: Vec<&str> = found.iter().map(|name| name.as_str()).collect();
            Err(Error::usage(format!("several calls begin with {text}"))
                .hint(format!("name one of {}", names.join(", "))))
        }
    }
}
