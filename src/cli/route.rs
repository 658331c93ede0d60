//! `voxgw config route`: which rule takes a call, and why the others do not.

use super::{Printer, arguments::RouteQuestion, default_agent};
use crate::{
    agent::seat::script,
    clock::SystemClock,
    config::Config,
    error::{Error, Kind, Result},
    route::{Decision, Facts, Moment, Rule, Target, Verdict, decide, judge},
};
use serde_json::{Value, json};
use std::{fmt::Write as _, path::Path};

const SCHEMA: &str = "voxgw.route/1";

pub(super) fn run(config: &Config, question: &RouteQuestion, printer: &Printer) -> Result<u8> {
    let facts = facts(config, question)?;
    let decision = decide(&config.routes, &facts);
    let answer = Answer::of(config, &decision);
    printer.result(&match question.output.as_str() {
        "json" => format!("{:#}", answer.document(config, &facts)),
        _ => answer.text(config, &facts),
    });
    Ok(answer.exit_code)
}

fn facts(config: &Config, question: &RouteQuestion) -> Result<Facts> {
    let header = |text: &String| {
        let (name, value) = text.split_once(':').ok_or_else(|| {
            Error::usage(format!("--header {text}: there is no colon")).hint("write --header 'NAME: VALUE'")
        })?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    Ok(Facts {
        to: question.to.clone(),
        from: question.from.clone(),
        source: question.source,
        trunk: question.trunk.clone(),
        headers: question.header.iter().map(header).collect::<Result<_>>()?,
        registered: question.registered.clone(),
        at: question.at.map_or_else(|| Moment::in_zone(SystemClock::wall(), &config.time_zone), Moment::of),
    })
}

/// What a script leads through, in words.
fn menus_of(file: &str) -> String {
    match script(Some(Path::new(file))) {
        Err(problem) => format!("cannot be used: {problem}"),
        Ok(script) => match script.menus() {
            (menus, Some(first)) => format!("{}: menus {}; begins with {first}", script.name, menus.join(", ")),
            (_, None) => format!("{}: no menus", script.name),
        },
    }
}

/// What a call would get, in words.
struct Answer<'a> {
    decision: &'a Decision<'a>,
    /// `agent`, `refuse`, `user`, `trunk`, `ivr`, `default`, `none`.
    kind: &'static str,
    /// Target in words.
    target: String,
    /// Status of a refusal.
    status: Option<u16>,
    exit_code: u8,
}

impl<'a> Answer<'a> {
    fn of(config: &Config, decision: &'a Decision<'a>) -> Self {
        let (kind, target, status) = match decision.rule.map(|rule| &rule.target) {
            None if config.routes.is_empty() => {
                let agent = default_agent(config).unwrap_or_else(|problem| problem.to_string());
                ("default", format!("agent {agent} (call.agent, for there are no rules)"), None)
            }
            None => ("none", "refused with 404: no rule matches".to_owned(), Some(404)),
            Some(target @ Target::Agent(_)) => ("agent", target.to_string(), None),
            Some(target @ Target::Refuse { status, .. }) => ("refuse", target.to_string(), Some(*status)),
            Some(target @ Target::User(_)) => ("user", target.to_string(), None),
            Some(target @ Target::Trunk(_)) => ("trunk", target.to_string(), None),
            Some(target @ Target::Ivr(file)) => ("ivr", format!("{target} ({})", menus_of(file)), None),
            Some(target @ Target::Conference(_)) => ("conference", target.to_string(), None),
        };
        let exit_code = status.map_or(0, |_| Kind::Refused.exit_code());
        Self { decision, kind, target, status, exit_code }
    }

    /// Every rule with its verdict, in order; those behind the winner are judged too.
    fn rules<'b>(
        &'b self,
        config: &'b Config,
        facts: &'b Facts,
    ) -> impl Iterator<Item = (&'b Rule, &'static str, Verdict)> {
        let winner = self.decision.misses.len();
        config.routes.iter().enumerate().map(move |(number, rule)| {
            let verdict = judge(rule, facts);
            let word = match (verdict.failed.is_empty(), number == winner) {
                (true, true) => "wins",
                (true, false) => "too late",
                (false, _) => "no",
            };
            (rule, word, verdict)
        })
    }

    fn text(&self, config: &Config, facts: &Facts) -> String {
        let rule = self.decision.rule.map(|rule| format!("rule {}: ", rule.name)).unwrap_or_default();
        let mut text = format!("{rule}{}\n", self.target);
        for (what, before, after) in [("to", &facts.to, &self.decision.to), ("from", &facts.from, &self.decision.from)]
        {
            if before != after {
                let _ = writeln!(text, "  {what:<6} {before} becomes {after}");
            }
        }
        if self.decision.rule.is_none()
            && let Some(miss) = self.decision.nearest()
        {
            let _ = writeln!(text, "  nearest {}", miss.rule.name);
        }
        let width = config.routes.iter().map(|rule| rule.name.chars().count()).max().unwrap_or(0);
        for (number, (rule, word, verdict)) in self.rules(config, facts).enumerate() {
            let failed: Vec<String> = verdict.failed.iter().map(ToString::to_string).collect();
            let why = match word {
                "no" => failed.join("; "),
                "too late" => "would match, but the first that matches wins".to_owned(),
                _ if verdict.held.is_empty() => "it has no conditions".to_owned(),
                _ => format!("{} hold", verdict.held.join(", ")),
            };
            let _ = writeln!(text, "  {:>3}  {:<width$}  {word:<8}  {why}", number + 1, rule.name);
        }
        text
    }

    fn document(&self, config: &Config, facts: &Facts) -> Value {
        let rules: Vec<Value> = self
            .rules(config, facts)
            .map(|(rule, word, verdict)| {
                let failed: Vec<Value> = verdict
                    .failed
                    .iter()
                    .map(|f| json!({ "condition": f.condition, "wanted": f.wanted, "seen": f.seen }))
                    .collect();
                let target = rule.target.to_string();
                json!({ "name": rule.name, "verdict": word, "target": target, "held": verdict.held, "failed": failed })
            })
            .collect();
        json!({
            "schema": SCHEMA,
            "result": self.kind,
            "rule": self.decision.rule.map(|rule| &rule.name),
            "target": self.target,
            "status": self.status,
            "to": self.decision.to,
            "from": self.decision.from,
            "at": facts.at.to_string(),
            "nearest": self.decision.nearest().map(|miss| &miss.rule.name),
            "rules": rules,
            "exit_code": self.exit_code,
        })
    }
}
