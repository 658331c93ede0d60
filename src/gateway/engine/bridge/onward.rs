//! Which calls go on, and as whose: what a rule, an agent or a client of the API asks for, before anybody is looked up.
//!
//! Knows rules, tolls and identities (RFC 3261 §16.3, RFC 3323, RFC 3325); the ways to the callee are `ways`.

use super::super::{Denied, Engine, Kind, Offered};
use crate::{
    clock::SystemClock,
    error::{Error, Result},
    gateway::router::{Routed, Seated},
    redact::printable,
    route::Target,
    sip::{
        carried,
        uri::{Uri, unescaped},
    },
    unit::CallId,
};
use std::time::Duration;

/// One way rings for so long unless the rule says otherwise.
const RING: Duration = Duration::from_secs(30);
/// `Max-Forwards` of calls that begin here.
const HOPS: u32 = 70;

/// Where a call goes on to.
#[derive(Clone, Debug)]
pub(in crate::gateway::engine) struct Onward {
    /// A user or a trunk.
    pub(super) target: Target,
    /// Called number, rewritten.
    pub(super) to: String,
    /// Calling number, rewritten.
    pub(super) from: String,
    /// The caller's name.
    pub(super) display: String,
    /// The caller does not want to be known (RFC 3323).
    pub(super) private: bool,
    /// Headers that go on as they came.
    pub(super) carried: Vec<(String, String)>,
    /// That the calling number is the caller's is known, not just said.
    pub(super) proven: bool,
    pub(super) ring: Duration,
    pub(super) rule: String,
    /// `Max-Forwards` that is left.
    pub(super) hops: u32,
    /// The caller's offer: its order of codecs is ours.
    pub(super) sdp: Option<Vec<u8>>,
    /// The caller talks to an agent, and goes on if this fails.
    pub(super) caller_up: bool,
}

/// What an INVITE says of its caller, kept for those to whom the call may go on.
#[derive(Clone, Debug, Default)]
pub(in crate::gateway::engine) struct Caller {
    /// Their name.
    display: String,
    /// They do not want to be known (RFC 3323).
    private: bool,
    /// Their number is vouched for: by a trunk, or by the password of the user whose name it is.
    proven: bool,
    /// What else they said that goes on.
    carried: Vec<(String, String)>,
}

impl Caller {
    /// `across`: the headers that go on.
    pub(in crate::gateway::engine) fn of(offered: &Offered, from_trunk: bool, across: &[String]) -> Self {
        let privacy = offered.headers.first("Privacy").unwrap_or_default().to_ascii_lowercase();
        let anonymous = offered.from.host.eq_ignore_ascii_case("anonymous.invalid");
        let asked = privacy.split([';', ' ', ',']).any(|word| matches!(word, "id" | "user" | "header"));
        let own = offered.user.as_deref() == Some(unescaped(offered.from.number()).as_str());
        Self {
            display: offered.display.clone(),
            private: anonymous || asked,
            proven: from_trunk || own,
            carried: carried::across(&offered.headers, across),
        }
    }
}

impl Engine {
    /// Where a routed call goes on to, if it does; refused if it goes in a circle or costs too much.
    pub(in crate::gateway::engine) fn onward(
        &mut self,
        offered: &Offered,
        routed: &Routed,
        from_trunk: bool,
    ) -> Result<Option<Onward>, Denied> {
        let Seated::Bridge(target, ring, _) = &routed.seat else { return Ok(None) };
        let hops = offered.headers.first("Max-Forwards").and_then(|left| left.trim().parse().ok()).unwrap_or(HOPS);
        let denied =
            |status, key: &str, what: &str| Err(Denied::by_key(status, key, format!("rule {}: {what}", routed.rule)));
        if hops == 0 {
            return denied(483, "max-forwards", "too many hops");
        }
        // Ours, come back: over proxies a Call-ID stays as it is.
        if self.endpoint.is_own_call(&offered.call_id) {
            return denied(482, "loop", "the call came back to where it left");
        }
        if let Target::User(user) = target
            && self.endpoint.registrar().bindings(SystemClock::now(), user).next().is_none()
            && self.pages.of(user).next().is_none()
        {
            let why = format!("rule {}: user {user} has no telephone registered here", routed.rule);
            return Err(Denied { status: 480, rule: routed.rule.clone(), why, detail: String::new() });
        }
        self.spend(target, &routed.to)?;
        let caller = Caller::of(offered, from_trunk, &self.config.signalling.headers_across);
        // A number that a rule made is the operator's word.
        let proven = caller.proven || routed.from != unescaped(offered.from.number());
        Ok(Some(Onward {
            target: target.clone(),
            to: routed.to.clone(),
            from: routed.from.clone(),
            display: caller.display,
            private: caller.private,
            carried: caller.carried,
            proven,
            ring: ring.unwrap_or(RING),
            rule: routed.rule.clone(),
            hops: hops.min(HOPS) - 1,
            sdp: offered.sdp.clone(),
            caller_up: false,
        }))
    }

    /// Users of ours cost nothing; trunks do.
    fn spend(&mut self, target: &Target, number: &str) -> Result<(), Denied> {
        if matches!(target, Target::Trunk(_)) {
            self.tolls
                .begin(SystemClock::now(), number)
                .map_err(|refused| Denied::by_key(403, refused.rule, refused.why))?;
        }
        Ok(())
    }

    /// The API puts a caller through; gives the new session's name.
    pub(in crate::gateway::engine) fn put_through(
        &mut self,
        call: CallId,
        target: Target,
        number: String,
    ) -> Result<CallId> {
        if self.draining.is_some() {
            return Err(Error::machine("the gateway is draining: no new calls"));
        }
        match &target {
            Target::Trunk(name) if self.trunk(name).is_none() => {
                return Err(Error::usage(format!("there is no trunk {} in the config", printable(name))));
            }
            Target::User(name) if !self.config.signalling.users.iter().any(|user| user.name == *name) => {
                return Err(Error::usage(format!("there is no user {} in the config", printable(name))));
            }
            _ => {}
        }
        let leg = self.leg_of(call).ok_or_else(|| Error::new(Kind::Refused, "the call is over"))?;
        if self.is_bridged(leg) || self.is_in_conference(call) {
            return Err(Error::new(Kind::Refused, format!("call {call} is bridged already")));
        }
        let is_callee = self.bridges.all.values().any(|bridging| bridging.callee_leg == leg);
        if is_callee || self.endpoint.is_ringing(leg) || self.pages.direct.contains(&leg) {
            return Err(Error::new(Kind::Refused, format!("call {call} is not answered yet")));
        }
        self.spend(&target, &number).map_err(|denied| {
            self.sink.hub.counters.refuse(&denied.rule);
            Error::new(Kind::Refused, format!("{}: {}", denied.rule, denied.why))
        })?;
        let known = self.sessions.get(&leg);
        let from = known.map(|known| known.far_end.clone()).unwrap_or_default();
        let caller = known.map(|known| known.caller.clone()).unwrap_or_default();
        let onward = Onward {
            target,
            to: number,
            from,
            display: caller.display,
            private: caller.private,
            carried: caller.carried,
            proven: caller.proven,
            ring: RING,
            rule: String::new(),
            hops: HOPS,
            sdp: None,
            caller_up: true,
        };
        Ok(self.go_onward(leg, call, onward))
    }
}

impl Onward {
    /// What every INVITE of it carries.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![("Max-Forwards".to_owned(), self.hops.to_string())];
        headers.extend(self.carried.iter().cloned());
        if self.private {
            headers.push(("Privacy".to_owned(), "id".to_owned()));
        }
        headers
    }

    /// A page that has proved whose it is calls as that user.
    pub(in crate::gateway::engine) fn known_as(&mut self, user: &str) {
        user.clone_into(&mut self.from);
        self.proven = true;
    }

    /// Number and name as a page shows them.
    pub(super) fn shown(&self) -> (String, String) {
        if self.private || self.from.is_empty() {
            return ("anonymous".to_owned(), String::new());
        }
        (self.from.clone(), self.display.clone())
    }

    /// From and display name: `own`, or nobody's (RFC 3323 §4.1.1.3).
    pub(super) fn identity(&self, own: Uri) -> (Uri, String) {
        if self.private || self.from.is_empty() {
            return (Uri::sip("anonymous", "anonymous.invalid", None), "Anonymous".to_owned());
        }
        (own, self.display.clone())
    }
}
