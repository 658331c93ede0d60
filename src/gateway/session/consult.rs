//! The callback of one call: asked while the caller hears ringing, before the agent is connected and media agreed on.
//!
//! The call may end meanwhile, which lets the server go. What the answer means is `agent::callback`'s; who is asked
//! about which call is the engine's.

use super::{In, Session, seat};
use crate::{
    agent::{
        callback::{self, ANSWER_MAX, Answer},
        seat::{Plan, What},
        wire::tool::Tool,
    },
    call::{
        journal::{Level, ToolChange, ToolState, rounded},
        pipeline::{Consulted, Input, SipAction},
    },
    clock::SystemClock,
    config::{Callback, Fallback, HttpTool, tools_named},
    error::Error,
    gateway::engine::ToEngine,
    net::http::{self, Client, Patience},
    redact::{Pii, Secret},
};
use bytes::Bytes;
use hyper::Method;
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// Before the second try.
const PAUSE: Duration = Duration::from_millis(100);

/// Who is asked about this call, and what is told of it besides what its agent may know.
#[derive(Debug)]
pub struct Ask {
    /// Where and how long.
    pub callback: Callback,
    /// The Request-URI.
    pub uri: String,
    /// SIP's name of the call.
    pub sip_call_id: String,
    /// The rule that brought it here.
    pub rule: String,
    /// The tools that an answer may name.
    pub tools: Vec<Arc<HttpTool>>,
}

/// What becomes of the call.
pub(super) enum Verdict {
    /// It goes on, with whatever the answer changed.
    GoOn,
    /// It was refused with this status, or has ended by itself (none).
    Over(Option<(u16, String)>),
}

impl Session {
    /// Asks; signalling goes on meanwhile.
    pub(super) async fn consult(&mut self, ask: Ask, client: Arc<Client>, from: &mut mpsc::Receiver<In>) -> Verdict {
        let began = SystemClock::now();
        let (call, agent) = (self.call.to_string(), self.plan.name.clone());
        let question = callback::question(&self.about, &ask.uri, &call, &ask.sip_call_id, &agent, &ask.rule);
        let asked = format!("POST {}", ask.callback.url);
        self.tell_asked(ToolState::Called, asked, None).await;
        // The caller hears that something happens.
        if !self.is_web {
            let _ = self.engine.send(ToEngine::Sip(self.call, SipAction::Ring)).await;
            self.rings = true;
        }
        let request = request(&ask.callback, question);
        let patience =
            Patience { within: ask.callback.timeout, tries: ask.callback.tries, pause: PAUSE, answer_max: ANSWER_MAX };
        let answer = client.send(&request, patience);
        tokio::pin!(answer);
        let answer = loop {
            tokio::select! {
                biased;
                input = from.recv() => match input {
                    Some(input) => self.engine_says(input).await,
                    None => return Verdict::Over(None),
                },
                answer = &mut answer => break answer,
            }
            if self.over || self.pipeline.is_hung_up() {
                let took_ms = rounded(SystemClock::now().since(began).as_secs_f64() * 1_000.0);
                self.tell_asked(ToolState::Cancelled, String::new(), Some(took_ms)).await;
                return Verdict::Over(None);
            }
        };
        let took_ms = Some(rounded(SystemClock::now().since(began).as_secs_f64() * 1_000.0));
        let read = |error: Error| (error.to_string(), error.hint_text().map(str::to_owned));
        let answer = match answer {
            Ok(answer) => callback::read(&answer.body).map_err(|problem| (problem, None)),
            Err(error) => Err(read(error)),
        };
        let plan = match answer {
            Ok(answer) => {
                self.tell_asked(ToolState::Answered, answer.shown(), took_ms).await;
                if !answer.unknown.is_empty() {
                    let text = format!("the callback's answer has unknown fields: {}", answer.unknown.join(", "));
                    self.input(Input::Note(Level::Warn, text)).await;
                }
                if let Some((status, reason)) = answer.refuse {
                    let reason = if reason.is_empty() { "refused by the callback".to_owned() } else { reason };
                    return self.refuse(status, reason).await;
                }
                self.about.variables.clone_from(&answer.variables);
                self.changed(answer, &ask.tools).await
            }
            Err((problem, hint)) => {
                tracing::warn!(
                    target: "call", event = "call.callback_failed", call = %self.call, hint = hint.as_deref(), "{problem}"
                );
                self.tell_asked(ToolState::Failed, problem, took_ms).await;
                match ask.callback.fallback {
                    Fallback::AsConfigured => Arc::clone(&self.plan),
                    Fallback::Refuse => return self.refuse(503, "the callback does not answer".to_owned()).await,
                    Fallback::Agent(name) => self.another(&name).await.unwrap_or_else(|| Arc::clone(&self.plan)),
                }
            }
        };
        if self.over || self.pipeline.is_hung_up() {
            return Verdict::Over(None);
        }
        if plan.name != self.plan.name {
            let text = format!("agent {} takes the call instead of {}", plan.name, self.plan.name);
            self.input(Input::Note(Level::Info, text)).await;
        }
        let consulted = Consulted {
            seat: seat(&plan, &self.about),
            owner: plan.owner,
            barge_in: plan.barge_in,
            manners: Arc::clone(&plan.manners),
            early: plan.early,
            codecs: plan.codecs.clone(),
            prebuffer: plan.prebuffer,
            rate: plan.rate(),
            speaks: plan.speaks(),
            tools: plan.offered(),
        };
        self.plan = plan;
        self.input(Input::Consulted(Box::new(consulted))).await;
        Verdict::GoOn
    }

    /// The agent as the answer wants it.
    async fn changed(&mut self, answer: Answer, all: &[Arc<HttpTool>]) -> Arc<Plan> {
        let mut plan = Arc::clone(&self.plan);
        if let Some(name) = &answer.agent
            && *name != plan.name
            && let Some(other) = self.another(name).await
        {
            plan = other;
        }
        let tools = match &answer.tools {
            Some(names) => Some(self.tools_of(names, all).await),
            None => None,
        };
        if matches!(plan.what, What::Remote(_) | What::Staged(_)) {
            return Arc::new(plan.for_call(answer, tools));
        }
        let vain = [
            ("system_instructions", answer.system_instructions.is_some()),
            ("voice", answer.voice.is_some()),
            ("language", answer.language.is_some()),
            ("greeting", answer.greeting.is_some()),
            ("tools", answer.tools.is_some()),
        ];
        let vain: Vec<&str> = vain.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect();
        if !vain.is_empty() {
            let text = format!(
                "the callback's {} is without effect: agent {} has no such setting",
                vain.join(", "),
                plan.name
            );
            self.input(Input::Note(Level::Warn, text)).await;
        }
        plan
    }

    /// One that is not there is left out, and said.
    async fn tools_of(&mut self, names: &[String], all: &[Arc<HttpTool>]) -> (Vec<Arc<HttpTool>>, Vec<Tool>) {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for name in names {
            match tools_named(all, std::slice::from_ref(name), "the callback's tools") {
                Ok(_) => known.push(name.clone()),
                Err(error) => unknown.push(error.to_string()),
            }
        }
        for text in unknown {
            self.input(Input::Note(Level::Warn, text)).await;
        }
        tools_named(all, &known, "tools").unwrap_or_default()
    }

    /// Another agent of the config; what is wrong with it is said.
    async fn another(&mut self, name: &str) -> Option<Arc<Plan>> {
        let (reply, plan) = oneshot::channel();
        let _ = self.engine.send(ToEngine::Plan(name.to_owned(), reply)).await;
        match plan.await {
            Ok(Ok(plan)) => Some(plan.equipped()),
            Ok(Err(why)) => {
                self.input(Input::Note(Level::Error, format!("the callback's agent: {why}"))).await;
                None
            }
            Err(_) => None,
        }
    }

    async fn refuse(&mut self, status: u16, why: String) -> Verdict {
        if self.over || self.pipeline.is_hung_up() {
            return Verdict::Over(None);
        }
        if !self.is_web {
            self.input(Input::Deny(status, why.clone())).await;
        }
        Verdict::Over(Some((status, why)))
    }

    async fn tell_asked(&mut self, state: ToolState, text: String, took_ms: Option<f64>) {
        let called = state == ToolState::Called;
        let (arguments, result) = if called { (text, String::new()) } else { (String::new(), text) };
        let (id, name) = ("callback".to_owned(), "callback".to_owned());
        let change = ToolChange { id, name, state, arguments: Pii(arguments), result: Pii(result), took_ms };
        self.input(Input::Asked(change)).await;
    }
}

fn request(callback: &Callback, body: String) -> http::Request {
    let mut headers = Vec::new();
    if let Some(secret) = &callback.secret {
        let timestamp = SystemClock::wall().0 / 1_000_000;
        headers.push(("X-Voxgw-Timestamp".to_owned(), Secret::new(&timestamp.to_string())));
        headers.push(("X-Voxgw-Signature".to_owned(), Secret::new(&callback::signature(secret, timestamp, &body))));
    }
    let body = Some(("application/json".into(), Bytes::from(body)));
    http::Request { method: Method::POST, url: callback.url.clone(), headers, body }
}
