//! Who takes an incoming call: the rules' decision, turned into a seated agent, a bridge, or a refusal that names its rule.
//!
//! The decision itself is `route::decide`, which knows neither SIP nor agents. The engine calls this, once a call.

use crate::{
    agent::seat::{Plan, What},
    clock::WallTime,
    config::{Config, Fallback},
    error::{Error, Result, nearest},
    redact::printable,
    route::{Facts, Miss, Moment, Rule, Target, decide},
    sip::{
        endpoint::Offered,
        uri::{Uri, unescaped},
    },
};
use jiff::tz::TimeZone;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// The rules, and every agent that they name, ready. Without rules one agent answers everything, or nobody does.
#[derive(Debug, Default)]
pub struct Router {
    default: Option<Arc<Plan>>,
    rules: Vec<Rule>,
    plans: HashMap<String, Arc<Plan>>,
    /// Agents that another may pass a call on to, or why they cannot be used.
    others: HashMap<String, Result<Arc<Plan>, String>>,
    zone: Option<TimeZone>,
}

impl From<Option<Arc<Plan>>> for Router {
    fn from(default: Option<Arc<Plan>>) -> Self {
        Self { default, ..Self::default() }
    }
}

/// Who takes a call.
#[derive(Debug)]
pub(super) enum Seated {
    Agent(Arc<Plan>),
    /// A user or a trunk, for how long it may ring, and whether the caller hears a tone of ours meanwhile.
    Bridge(Target, Option<Duration>, bool),
    /// A conference.
    Conference(String),
}

/// A call that is taken.
#[derive(Debug)]
pub(super) struct Routed {
    pub(super) seat: Seated,
    /// Empty without rules.
    pub(super) rule: String,
    pub(super) to: String,
    pub(super) from: String,
}

/// A call that is refused, and why.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) status: u16,
    /// The rule, or the config key that acts as one.
    pub(super) rule: String,
    /// For the caller.
    pub(super) why: String,
    /// For the log: what the rules compared.
    pub(super) detail: String,
}

impl Denied {
    /// Refused by a setting.
    pub(super) fn by_key(status: u16, key: &str, why: impl Into<String>) -> Self {
        Self { status, rule: key.to_owned(), why: why.into(), detail: String::new() }
    }
}

impl Router {
    /// The config's rules with every agent that they name; a missing key or script is told here, not to a caller.
    ///
    /// # Errors
    /// Whatever `plan` finds wrong.
    pub fn of(config: &Config, mut plan: impl FnMut(&str) -> Result<Arc<Plan>>) -> Result<Self> {
        let mut plans = HashMap::new();
        for rule in &config.routes {
            if let Some(name) = rule.target.agent()
                && !plans.contains_key(&name)
            {
                let seated = plan(&name)?;
                plans.insert(name, seated);
            }
        }
        Ok(Self {
            default: None,
            rules: config.routes.clone(),
            plans,
            zone: Some(config.time_zone.clone()),
            ..Self::default()
        })
    }

    /// Every agent that it may seat.
    pub(super) fn plans(&self) -> impl Iterator<Item = &Arc<Plan>> {
        self.plans.values().chain(&self.default).chain(self.others.values().flatten())
    }

    /// Also gets ready every other agent of the config: calls may be passed on to them. One that only the config names
    /// need not be usable: whoever asks for it is told why not.
    ///
    /// # Errors
    /// A script or `callback.fallback` names an agent that cannot be used, a script a trunk that there is not.
    pub fn with_others(mut self, config: &Config, mut plan: impl FnMut(&str) -> Result<Arc<Plan>>) -> Result<Self> {
        for profile in &config.agents {
            if self.plan(Some(&profile.name)).is_some() {
                continue;
            }
            self.others.insert(profile.name.clone(), plan(&profile.name).map_err(|problem| problem.to_string()));
        }
        // Needed when something else is broken already: what it lacks is told now.
        if let Fallback::Agent(name) = &config.callback.0.fallback
            && self.another(name).is_err()
        {
            self.others.insert(name.clone(), Ok(plan(name)?));
        }
        let mut scripts: Vec<Arc<Plan>> = self.plans.values().chain(&self.default).cloned().collect();
        scripts.extend(self.others.values().flatten().cloned());
        while let Some(seated) = scripts.pop() {
            let What::Scripted(script) = &seated.what else { continue };
            let (agents, trunks) = script.names();
            let wrong = |what: &str, name: &str| format!("the script of agent {}: {what} = {name}", seated.name);
            for name in agents {
                if self.another(name).is_ok() {
                    continue;
                }
                let found = plan(name).map_err(|problem| {
                    let error = Error::usage(format!("{}: {problem}", wrong("agent", name)));
                    error.hint(problem.hint_text().unwrap_or("an agent's script names only agents that can be used"))
                })?;
                scripts.push(Arc::clone(&found));
                self.others.insert(name.to_owned(), Ok(found));
            }
            let known: Vec<&str> = config.signalling.trunks.iter().map(|trunk| trunk.name.as_str()).collect();
            if let Some(name) = trunks.iter().find(|name| !known.contains(name)) {
                let error = Error::usage(format!("{}: there is no trunk of that name", wrong("trunk", name)));
                return Err(match nearest(name, known) {
                    Some(near) => error.hint(format!("did you mean {near}?")),
                    None => error.hint(format!("trunks are [trunks.NAME] in the config: [trunks.{name}]")),
                });
            }
        }
        Ok(self)
    }

    /// The agent of that name, for a call that goes on with it.
    pub(super) fn another(&self, name: &str) -> Result<Arc<Plan>, String> {
        if let Some(plan) = self.plan(Some(name)) {
            return Ok(plan);
        }
        if let Some(found) = self.others.get(name) {
            return found.clone().map_err(|why| format!("agent {name} cannot be used: {why}"));
        }
        let names = self.plans.keys().chain(self.others.keys()).map(String::as_str);
        let near = nearest(name, names).map(|near| format!("; did you mean {near}?"));
        Err(format!("there is no agent {}{}", printable(name), near.unwrap_or_default()))
    }

    /// The agent of that name, or the one that takes calls without rules.
    pub(super) fn plan(&self, name: Option<&str>) -> Option<Arc<Plan>> {
        match name {
            None => self.default.clone(),
            Some(name) => self.plans.get(name).or(self.default.as_ref().filter(|plan| plan.name == name)).cloned(),
        }
    }

    /// Who takes this call; `trunk` is the one that it came from.
    pub(super) fn route(&self, offered: &Offered, trunk: Option<String>, wall: WallTime) -> Result<Routed, Denied> {
        if self.rules.is_empty() {
            let plan = self.default.clone();
            let plan = plan.ok_or_else(|| Denied::by_key(480, "call.agent", "no agent answers calls here"))?;
            let (to, from) = (offered.to.number().to_owned(), offered.from.number().to_owned());
            return Ok(Routed { seat: Seated::Agent(plan), rule: String::new(), to, from });
        }
        let decision = decide(&self.rules, &self.facts(offered, trunk, wall));
        let Some(rule) = decision.rule else {
            let nearest = decision.nearest();
            let near = nearest.map(|miss| {
                let keys: Vec<&str> = miss.verdict.failed.iter().map(|failure| failure.condition).collect();
                // Only names: what the rule compares with is nothing for strangers.
                format!("; the nearest is {} ({})", miss.rule.name, keys.join(", "))
            });
            return Err(Denied {
                status: 404,
                rule: "none".into(),
                why: format!("no rule matched{}", near.unwrap_or_default()),
                detail: nearest.map(told).unwrap_or_default(),
            });
        };
        let denied = |status, what: &str| {
            let why = format!("rule {}: {what}", rule.name);
            Denied { status, rule: rule.name.clone(), why, detail: decision.nearest().map(told).unwrap_or_default() }
        };
        match &rule.target {
            Target::Agent(_) | Target::Ivr(_) => match rule.target.agent().and_then(|name| self.plans.get(&name)) {
                Some(plan) => Ok(Routed {
                    seat: Seated::Agent(Arc::clone(plan)),
                    rule: rule.name.clone(),
                    to: decision.to,
                    from: decision.from,
                }),
                None => Err(denied(480, "its agent is not there")),
            },
            Target::Refuse { status, reason } => Err(denied(*status, reason.as_deref().unwrap_or("refused"))),
            Target::Conference(name) => Ok(Routed {
                seat: Seated::Conference(name.clone()),
                rule: rule.name.clone(),
                to: decision.to,
                from: decision.from,
            }),
            target @ (Target::User(_) | Target::Trunk(_)) => Ok(Routed {
                seat: Seated::Bridge(target.clone(), rule.ring, rule.ringback),
                rule: rule.name.clone(),
                to: decision.to,
                from: decision.from,
            }),
        }
    }

    fn facts(&self, offered: &Offered, trunk: Option<String>, wall: WallTime) -> Facts {
        // The Request-URI says where the call is to go now; To is only what was dialled once.
        let to = if offered.target.user.is_empty() { &offered.to } else { &offered.target };
        Facts {
            to: plain(to),
            from: plain(&offered.from),
            source: Some(offered.path.remote.ip().to_canonical()),
            trunk,
            headers: offered.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            registered: offered.user.clone(),
            at: Moment::in_zone(wall, self.zone.as_ref().unwrap_or(&TimeZone::UTC)),
        }
    }
}

/// `RULE: to = 1*: was 200, time = …`
fn told(miss: &Miss<'_>) -> String {
    let failed: Vec<String> = miss.verdict.failed.iter().map(ToString::to_string).collect();
    format!("{}: {}", miss.rule.name, failed.join(", "))
}

/// The number with its escapes undone: `%31` is `1` (RFC 3261 §19.1.4), or a rule could be walked around.
fn plain(uri: &Uri) -> String {
    unescaped(uri.number())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_do_not_hide_a_number() {
        for (uri, wanted) in [
            ("sip:%31%30%30@h", "100"),
            ("sip:%2B49@h", "+49"),
            ("sip:1%@h", "1%"),
            ("sip:%ff@h", "%ff"),
            ("tel:+49;x=y", "+49"),
        ] {
            assert_eq!(plain(&Uri::parse(uri).unwrap()), wanted, "{uri}");
        }
    }
}
