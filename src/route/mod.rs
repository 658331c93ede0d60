//! Routing as a pure function: rules and the facts of a call in, a decision with its reasons out.
//!
//! Owns what a rule says and when it matches. Does not know where rules come from (`config`), nor who carries a
//! decision out (`gateway::router`) or explains it (`voxgw config route`). Time is a value: weekday and minute.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod hours;
mod pattern;
mod rewrite;
pub mod tolls;

pub use crate::network::Network;
pub use hours::{Hours, Moment};
pub use pattern::{HeaderIs, Pattern, Registered};
pub use rewrite::Rewrite;

use std::{cmp::Reverse, fmt, net::IpAddr, time::Duration};

/// One rule. It matches when every condition that it gives holds; of a list, one item is enough.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What logs, journals and refusals call it.
    pub name: String,
    /// Called number.
    pub to: Vec<Pattern>,
    /// Calling number.
    pub from: Vec<Pattern>,
    /// Trunk that the call came by.
    pub trunk: Vec<Pattern>,
    /// Address that the call came from.
    pub source: Vec<Network>,
    /// Headers: values of one name are alternatives, different names must all be there.
    pub headers: Vec<HeaderIs>,
    /// When.
    pub time: Vec<Hours>,
    /// Whether a registered user calls.
    pub registered: Option<Registered>,
    /// What happens.
    pub target: Target,
    /// A user or a trunk rings for so long; none is 30 s.
    pub ring: Option<Duration>,
    /// The caller hears a ring tone of ours meanwhile, not the own telephone's.
    pub ringback: bool,
    /// Changes the called number.
    pub rewrite_to: Rewrite,
    /// Changes the calling number.
    pub rewrite_from: Rewrite,
}

/// What a rule does with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An agent profile answers.
    Agent(String),
    /// The call is refused.
    Refuse {
        /// 300 to 699.
        status: u16,
        /// In words, for the caller.
        reason: Option<String>,
    },
    /// A registered user is called.
    User(String),
    /// The call leaves by a trunk.
    Trunk(String),
    /// A script's menus: the file.
    Ivr(String),
    /// The call goes into a conference.
    Conference(String),
}

impl Target {
    /// The agent that answers, if one does: a profile's name, or `ivr:FILE`.
    #[must_use]
    pub fn agent(&self) -> Option<String> {
        match self {
            Self::Agent(name) => Some(name.clone()),
            Self::Ivr(file) => Some(format!("ivr:{file}")),
            Self::Refuse { .. } | Self::User(_) | Self::Trunk(_) | Self::Conference(_) => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(name) => write!(f, "agent {name}"),
            Self::Refuse { status, reason: None } => write!(f, "refuse {status}"),
            Self::Refuse { status, reason: Some(reason) } => write!(f, "refuse {status} ({reason})"),
            Self::User(name) => write!(f, "user {name}"),
            Self::Trunk(name) => write!(f, "trunk {name}"),
            Self::Ivr(file) => write!(f, "ivr {file}"),
            Self::Conference(name) => write!(f, "conference {name}"),
        }
    }
}

/// What is known of a call when it comes in.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Called number.
    pub to: String,
    /// Calling number.
    pub from: String,
    /// Address that it came from.
    pub source: Option<IpAddr>,
    /// Trunk that it came by.
    pub trunk: Option<String>,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// Registered user who calls.
    pub registered: Option<String>,
    /// Local time.
    pub at: Moment,
}

/// A condition that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The rule's key: `to`, `time`, …
    pub condition: &'static str,
    /// What the rule wants.
    pub wanted: String,
    /// What the call had.
    pub seen: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: was {}", self.condition, self.wanted, self.seen)
    }
}

/// How one rule judges a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Conditions that hold.
    pub held: Vec<&'static str>,
    /// Conditions that do not; none means that the rule matches.
    pub failed: Vec<Failure>,
}

impl Verdict {
    fn note(&mut self, condition: &'static str, holds: bool, wanted: impl FnOnce() -> String, seen: &str) {
        if holds {
            self.held.push(condition);
        } else {
            let seen = if seen.is_empty() { "none".to_owned() } else { seen.to_owned() };
            self.failed.push(Failure { condition, wanted: wanted(), seen });
        }
    }
}

/// A rule that was looked at and did not match.
#[derive(Clone, Debug)]
pub struct Miss<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Why not.
    pub verdict: Verdict,
}

/// What becomes of a call.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// The first rule that matches.
    pub rule: Option<&'a Rule>,
    /// Called number, rewritten.
    pub to: String,
    /// Calling number, rewritten.
    pub from: String,
    /// The rules before it, in order.
    pub misses: Vec<Miss<'a>>,
}

impl<'a> Decision<'a> {
    /// The rule that came nearest without matching: fewest conditions failed, then most held, then the first.
    #[must_use]
    pub fn nearest(&self) -> Option<&Miss<'a>> {
        self.misses.iter().min_by_key(|miss| (miss.verdict.failed.len(), Reverse(miss.verdict.held.len())))
    }
}

/// The first rule that matches, and why those before it do not.
#[must_use]
pub fn decide<'a>(rules: &'a [Rule], facts: &Facts) -> Decision<'a> {
    let mut misses = Vec::new();
    for rule in rules {
        let verdict = judge(rule, facts);
        if verdict.failed.is_empty() {
            let (to, from) = (rule.rewrite_to.of(&facts.to), rule.rewrite_from.of(&facts.from));
            return Decision { rule: Some(rule), to, from, misses };
        }
        misses.push(Miss { rule, verdict });
    }
    Decision { rule: None, to: facts.to.clone(), from: facts.from.clone(), misses }
}

/// Every condition of one rule against a call.
#[must_use]
pub fn judge(rule: &Rule, facts: &Facts) -> Verdict {
    let mut verdict = Verdict::default();
    let trunk = facts.trunk.as_deref().unwrap_or_default();
    for (condition, patterns, value) in
        [("to", &rule.to, facts.to.as_str()), ("from", &rule.from, &facts.from), ("trunk", &rule.trunk, trunk)]
    {
        if !patterns.is_empty() {
            // Without a trunk not even `*` holds: it asks for any trunk.
            let there = condition != "trunk" || facts.trunk.is_some();
            let holds = there && patterns.iter().any(|pattern| pattern.matches(value));
            verdict.note(condition, holds, || either(patterns), value);
        }
    }
    if !rule.source.is_empty() {
        let holds = facts.source.is_some_and(|ip| rule.source.iter().any(|network| network.contains(ip)));
        let seen = facts.source.map(|ip| ip.to_string()).unwrap_or_default();
        verdict.note("source", holds, || either(&rule.source), &seen);
    }
    for header in &rule.headers {
        let named = || facts.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&header.name));
        let holds = named().any(|(_, value)| header.values.iter().any(|pattern| pattern.matches(value)));
        let seen = named().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ");
        verdict.note("header", holds, || format!("{}: {}", header.name, either(&header.values)), &seen);
    }
    if !rule.time.is_empty() {
        let holds = rule.time.iter().any(|hours| hours.contains(facts.at));
        verdict.note("time", holds, || either(&rule.time), &facts.at.to_string());
    }
    if let Some(registered) = &rule.registered {
        let user = facts.registered.as_deref();
        verdict.note("registered", registered.matches(user), || registered.to_string(), user.unwrap_or_default());
    }
    verdict
}

impl Rule {
    /// A rule without conditions.
    #[must_use]
    pub fn new(name: &str, target: Target) -> Self {
        Self {
            name: name.to_owned(),
            to: Vec::new(),
            from: Vec::new(),
            trunk: Vec::new(),
            source: Vec::new(),
            headers: Vec::new(),
            time: Vec::new(),
            registered: None,
            target,
            ring: None,
            ringback: false,
            rewrite_to: Rewrite::default(),
            rewrite_from: Rewrite::default(),
        }
    }

    /// Whether it matches every call, so that no rule after it is ever looked at.
    #[must_use]
    pub fn catches_all(&self) -> bool {
        let any = |patterns: &[Pattern]| patterns.is_empty() || patterns.iter().any(Pattern::is_any);
        any(&self.to)
            && any(&self.from)
            && self.trunk.is_empty()
            && self.source.is_empty()
            && self.headers.is_empty()
            && self.time.is_empty()
            && self.registered.is_none()
    }
}

fn either<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests;
