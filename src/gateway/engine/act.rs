//! What agents ask of the gateway, by the same paths and under the same limits as the API: transfers, bridges, texts.
//!
//! `call` has judged that the call is in a state for it; here it is decided how a caller gets to somebody ([`way`]), and
//! each outcome goes back to the session by the agent's own number. `outbound.*` bounds all of it: an agent does what a
//! caller talks it into.

use super::{Command, Engine, In, Request, Writing, outside::DATAGRAM_MAX, printable};
use crate::{
    agent::event::{Action, Outcome},
    clock::SystemClock,
    error::Error,
    route::Target,
    sip::{
        endpoint::LegId,
        tx::Transport,
        uri::{Uri, escaped, unescaped},
    },
    unit::CallId,
};
use std::collections::HashMap;
use tokio::sync::oneshot;

/// What agents have asked for and what is not done yet, by call; the numbers are the agents' own.
#[derive(Debug, Default)]
pub(super) struct Acting {
    /// Our REFER is under way; and what to do instead if the far end knows no REFER.
    transfers: HashMap<CallId, (u32, Option<(Target, String)>)>,
    /// Somebody is being called.
    bridges: HashMap<CallId, u32>,
    /// A text within the call waits for its answer.
    texts: HashMap<CallId, u32>,
}

impl Acting {
    /// The call is over.
    pub(super) fn forget(&mut self, call: CallId) {
        self.transfers.remove(&call);
        self.bridges.remove(&call);
        self.texts.remove(&call);
    }

    fn puts_through(&self, call: CallId) -> bool {
        self.transfers.contains_key(&call) || self.bridges.contains_key(&call)
    }
}

/// How a caller gets to somebody.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// We ask the far end to go there; and what to do instead if it turns out not to know how.
    Refer(Uri, Option<(Target, String)>),
    /// We call there ourselves.
    Bridge(Target, String),
}

/// What is known when a way is looked for.
struct Known<'a> {
    users: &'a [&'a str],
    /// Trunks and the servers that they use now.
    trunks: &'a [(&'a str, Uri)],
    /// The trunk that the caller came by.
    from: Option<&'a str>,
    /// The far end takes REFER.
    refer: bool,
}

/// The way to `to`: a user of ours, a whole SIP address, or a number that a trunk reaches.
///
/// # Errors
/// Why there is none, in words for the agent.
fn way(to: &str, trunk: Option<&str>, known: &Known<'_>) -> Result<Way, String> {
    let by_trunk = |number: &str, name: Option<&str>| {
        let name = match (name, known.from, known.trunks) {
            (Some(name), ..) | (None, Some(name), _) => name,
            (None, None, [(only, _)]) => only,
            (None, None, []) => return Err("there is no user of that name, and no trunk that reaches a number".into()),
            (None, None, _) => return Err("there are several trunks: name the one that reaches the number".into()),
        };
        match known.trunks.iter().find(|(known, _)| *known == name) {
            Some((name, server)) => Ok(((*name).to_owned(), Uri { user: escaped(number), ..server.clone() })),
            None => Err(format!("there is no trunk {}", printable(name))),
        }
    };
    if trunk.is_none() && known.users.contains(&to) {
        return Ok(Way::Bridge(Target::User(to.to_owned()), to.to_owned()));
    }
    let uri = to.contains(':').then(|| Uri::parse(to).map_err(|_| "that is no address".to_owned())).transpose()?;
    if let Some(uri) = uri.filter(|uri| uri.scheme != "tel") {
        if !uri.is_sip() || uri.host.is_empty() {
            return Err("that is no whole SIP address, like sip:carol@example.org".to_owned());
        }
        let there = known.trunks.iter().find(|(_, server)| server.host.eq_ignore_ascii_case(&uri.host));
        let bridge = there.map(|(name, _)| (Target::Trunk((*name).to_owned()), unescaped(&uri.user)));
        return match (known.refer, bridge) {
            (true, bridge) => Ok(Way::Refer(uri, bridge)),
            (false, Some((target, number))) => Ok(Way::Bridge(target, number)),
            (false, None) => {
                let why = "the caller's side takes no REFER, and we put through to users and trunks only";
                Err(why.to_owned())
            }
        };
    }
    let number = to.strip_prefix("tel:").unwrap_or(to).split(';').next().unwrap_or_default();
    if number.is_empty() || !number.chars().all(|c| c.is_ascii_alphanumeric() || "+*#-_.".contains(c)) {
        return Err("that is no user, number or whole SIP address".to_owned());
    }
    let (name, uri) = by_trunk(number, trunk)?;
    let own = known.from == Some(name.as_str());
    let bridge = (Target::Trunk(name), number.to_owned());
    // A trunk takes back what came by it; of a number at another it knows nothing.
    if own && known.refer { Ok(Way::Refer(uri, Some(bridge))) } else { Ok(Way::Bridge(bridge.0, bridge.1)) }
}

/// Whether a status says that the far end does not do transfers, rather than that this one failed.
const fn knows_no_refer(status: u16) -> bool {
    matches!(status, 403 | 405 | 420 | 489 | 501)
}

impl Engine {
    /// An agent asks for something.
    pub(super) fn act(&mut self, call: CallId, id: u32, action: Action) {
        let begun = match action {
            Action::Transfer { to, trunk } => self.act_transfer(call, id, &to, trunk.as_deref()),
            Action::Bridge { to, trunk } => self.act_bridge(call, id, &to, trunk.as_deref()),
            Action::Text { to, text } => self.act_text(call, id, to.as_deref(), text),
            Action::Switch { agent } => self.act_switch(call, id, &agent),
            // The call does these itself.
            action => Err(format!("{} is nothing for the gateway", action.name())),
        };
        if let Err(why) = begun {
            self.acted(call, id, Outcome::Refused(why));
        }
    }

    /// The agent hears what became of it.
    pub(super) fn acted(&self, call: CallId, id: u32, outcome: Outcome) {
        self.tell_call(call, In::Acted(id, outcome));
    }

    fn way(&self, leg: LegId, to: &str, trunk: Option<&str>, refer: bool) -> Result<Way, String> {
        let signalling = &self.config.signalling;
        let users: Vec<&str> = signalling.users.iter().map(|user| user.name.as_str()).collect();
        let server = |name: &str| self.servers_of(name).into_iter().next();
        let trunks: Vec<(&str, Uri)> =
            signalling.trunks.iter().filter_map(|trunk| Some((trunk.name.as_str(), server(&trunk.name)?))).collect();
        let far = self.endpoint.far_side(leg);
        let from = far.as_ref().and_then(|(path, ..)| self.trunk_addresses.at(path.remote.ip()));
        let refer = refer && far.as_ref().is_some_and(|(_, takes, _)| *takes);
        way(to, trunk, &Known { users: &users, trunks: &trunks, from, refer })
    }

    fn leg_to_put_through(&self, call: CallId) -> Result<LegId, String> {
        if self.acting.puts_through(call) {
            return Err("the caller is being put through already".to_owned());
        }
        self.leg_of(call).ok_or_else(|| "the call is over".to_owned())
    }

    fn act_transfer(&mut self, call: CallId, id: u32, to: &str, trunk: Option<&str>) -> Result<(), String> {
        let leg = self.leg_to_put_through(call)?;
        match self.way(leg, to, trunk, true)? {
            Way::Refer(uri, instead) => {
                // Whoever carries the new call may charge us for it.
                self.may_spend(&unescaped(uri.number()))?;
                self.acting.transfers.insert(call, (id, instead));
                self.acted(call, id, Outcome::Begun("the caller's side was asked to call there".to_owned()));
                self.endpoint.command(SystemClock::now(), Command::Transfer(leg, uri));
                Ok(())
            }
            Way::Bridge(target, number) => self.put_through_for(call, id, target, number),
        }
    }

    fn act_bridge(&mut self, call: CallId, id: u32, to: &str, trunk: Option<&str>) -> Result<(), String> {
        let leg = self.leg_to_put_through(call)?;
        match self.way(leg, to, trunk, false)? {
            Way::Bridge(target, number) => self.put_through_for(call, id, target, number),
            Way::Refer(..) => Err("we put through to users and trunks only".to_owned()),
        }
    }

    /// The operator transfers a page.
    pub(super) fn put_page_through(&mut self, call: CallId, leg: LegId, to: &Uri) -> Result<(), String> {
        let own = self.config.signalling.users.iter().any(|user| user.name == to.user) && self.is_ours(&to.host);
        let to = if own { to.user.clone() } else { to.to_string() };
        match self.way(leg, &to, None, false)? {
            Way::Bridge(target, number) => {
                self.put_through(call, target, number).map(drop).map_err(|problem| problem.to_string())
            }
            Way::Refer(..) => Err("we put through to users and trunks only".to_owned()),
        }
    }

    /// Whether a host is an address that we listen at.
    fn is_ours(&self, host: &str) -> bool {
        host.parse().is_ok_and(|ip: std::net::IpAddr| {
            let streams = self.streams_bound.iter().map(|(_, bound)| bound.ip());
            let mut bound = self.sockets.iter().map(|(bound, _)| bound.ip()).chain(streams);
            bound.any(|known| known == ip) || self.config.advertise == Some(ip)
        })
    }

    fn put_through_for(&mut self, call: CallId, id: u32, target: Target, number: String) -> Result<(), String> {
        let name = target.to_string();
        let leg = self.put_through(call, target, number).map_err(|problem| problem.to_string())?;
        self.acting.bridges.insert(call, id);
        self.acted(call, id, Outcome::Begun(format!("calling {name} ({leg})")));
        Ok(())
    }

    fn may_spend(&mut self, number: &str) -> Result<(), String> {
        self.tolls.begin(SystemClock::now(), number).map_err(|refused| {
            self.sink.hub.counters.refuse(refused.rule);
            format!("{}: {}", refused.rule, refused.why)
        })
    }

    /// A bridge of `call` has come about, or not.
    pub(super) fn act_put_through(&mut self, call: CallId, outcome: Outcome) {
        if let Some(id) = self.acting.bridges.remove(&call) {
            self.acted(call, id, outcome);
        }
    }

    /// Our REFER gets on; true if it is no more, because we call there ourselves.
    pub(super) fn act_transferred(&mut self, leg: LegId, status: u16) -> bool {
        let Some(call) = self.sessions.get(&leg).map(|known| known.call).filter(|_| status >= 200) else {
            return false;
        };
        let Some((id, instead)) = self.acting.transfers.remove(&call) else { return false };
        match instead {
            _ if status < 300 => self.acted(call, id, Outcome::Done("the caller talks to them".to_owned())),
            Some((target, number)) if knows_no_refer(status) => {
                if let Err(why) = self.put_through_for(call, id, target, number) {
                    self.acted(call, id, Outcome::Refused(why));
                }
                return true;
            }
            _ => self.acted(call, id, Outcome::Refused(format!("the transfer failed with {status}"))),
        }
        false
    }

    fn act_switch(&self, call: CallId, id: u32, agent: &str) -> Result<(), String> {
        let plan = self.router.another(agent)?;
        self.tell_call(call, In::Switch(id, plan));
        Ok(())
    }

    // Texts

    fn act_text(&mut self, call: CallId, id: u32, to: Option<&str>, text: String) -> Result<(), String> {
        let leg = self.leg_of(call).ok_or("the call is over")?;
        let (path, _, own) = self.endpoint.far_side(leg).ok_or("the caller's side takes no texts")?;
        let Some(to) = to else {
            if self.acting.texts.contains_key(&call) {
                return Err("another text is under way".to_owned());
            }
            if path.transport == Transport::Udp && text.len() > DATAGRAM_MAX {
                return Err(format!("over UDP a text within a call has {DATAGRAM_MAX} bytes at most"));
            }
            self.acting.texts.insert(call, id);
            self.endpoint.command(SystemClock::now(), Command::Text(leg, text));
            return Ok(());
        };
        let mut writing = Writing { to: Uri::default(), from: own, text, credentials: None };
        match self.way(leg, to, None, true)? {
            Way::Bridge(Target::User(user), _) => writing.to = Uri { scheme: "sip".into(), user, ..Uri::default() },
            Way::Bridge(Target::Trunk(name), number) | Way::Refer(_, Some((Target::Trunk(name), number))) => {
                self.may_spend(&number)?;
                let server = self.servers_of(&name).into_iter().next().ok_or("the trunk has no server")?;
                let trunk = self.config.signalling.trunks.iter().find(|trunk| trunk.name == name);
                let trunk = trunk.ok_or("the trunk is gone")?;
                writing.to = Uri { user: escaped(&number), ..server };
                writing.from = trunk.aor.clone();
                writing.credentials.clone_from(&trunk.credentials);
            }
            Way::Refer(uri, _) => {
                self.may_spend(&unescaped(uri.number()))?;
                writing.to = uri;
            }
            Way::Bridge(..) => return Err("that is nobody to write to".to_owned()),
        }
        self.write_for(call, id, writing);
        Ok(())
    }

    /// Names are looked up, and the answer waited for, beside the engine.
    fn write_for(&self, call: CallId, id: u32, writing: Writing) {
        let (requests, resolver) = (self.requests_to.clone(), self.resolver.clone());
        tokio::spawn(async move {
            let sent = async {
                let found = if writing.to.host.is_empty() { None } else { Some(resolver.find(&writing.to).await?) };
                let (reply, answer) = oneshot::channel();
                let gone = || Error::machine("the gateway is shutting down");
                let to = requests.upgrade().ok_or_else(gone)?;
                to.send(Request::Text(Box::new(writing), found, reply)).await.map_err(|_| gone())?;
                drop(to);
                answer.await.map_err(|_| gone())?
            };
            let outcome = match sent.await {
                Ok(reply) if reply.status < 300 => Outcome::Done(String::new()),
                Ok(reply) => Outcome::Refused(format!("{} {}", reply.status, printable(&reply.reason))),
                Err(problem) => Outcome::Refused(printable(&problem.to_string()).into_owned()),
            };
            if let Some(requests) = requests.upgrade() {
                let _ = requests.send(Request::Acted(call, id, outcome)).await;
            }
        });
    }

    /// The far end has answered a text within the call.
    pub(super) fn texted(&mut self, leg: LegId, status: u16) {
        let Some(call) = self.sessions.get(&leg).map(|known| known.call) else { return };
        let Some(id) = self.acting.texts.remove(&call) else { return };
        let outcome = match status {
            200..=299 => Outcome::Done(String::new()),
            status => Outcome::Refused(format!("the caller's side answered {status}")),
        };
        self.acted(call, id, outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(to: &str, trunk: Option<&str>, from: Option<&str>, refer: bool) -> String {
        let server = |text: &str| Uri::parse(text).unwrap();
        let trunks = [("one", server("sip:one.example")), ("two", server("sip:two.example"))];
        match way(to, trunk, &Known { users: &["alice", "200"], trunks: &trunks, from, refer }) {
            Ok(Way::Refer(uri, None)) => format!("refer {uri}"),
            Ok(Way::Refer(uri, Some((target, number)))) => format!("refer {uri} or {target} {number}"),
            Ok(Way::Bridge(target, number)) => format!("{target} {number}"),
            Err(why) => why,
        }
    }

    #[test]
    fn users_are_called_by_us_numbers_by_a_trunk_addresses_by_the_far_end() {
        assert_eq!(find("alice", None, None, true), "user alice alice");
        assert_eq!(find("200", None, Some("one"), true), "user 200 200");
        assert_eq!(
            find("200", Some("two"), Some("one"), true),
            "trunk two 200",
            "whoever names a trunk means a number"
        );
        assert_eq!(find("+4930", None, Some("one"), true), "refer sip:+4930@one.example or trunk one +4930");
        assert_eq!(find("tel:+4930;phone-context=x", None, Some("one"), false), "trunk one +4930");
        assert_eq!(find("+4930", Some("two"), Some("one"), true), "trunk two +4930");
        assert!(find("+4930", None, None, true).contains("several trunks"));
        assert!(find("+4930", Some("three"), None, true).contains("no trunk three"));
        assert_eq!(find("sip:carol@far.example", None, None, true), "refer sip:carol@far.example");
        assert!(find("sip:carol@far.example", None, None, false).contains("takes no REFER"));
        assert_eq!(find("sip:7@two.example", None, None, false), "trunk two 7");
        for wrong in ["mailto:x@y", "sip:", "a b", "tel:", "1/2"] {
            assert!(find(wrong, None, None, true).starts_with("that is no"), "{wrong}");
        }
    }
}
