//! Where requests go when a name stands for several servers (RFC 3263): one after the other, the dead ones last.
//!
//! Owns a [`Trail`] for each request under way to a name, and the memory of what failed. Which target follows which is
//! `sip::locate`'s, when one has failed the endpoint's.

use super::{AskedFor, Command, Engine, Request, SystemClock, Transport, Uri, endpoint::Attempt, endpoint::Failure};
use crate::{
    call::journal::Level,
    error::{Error, Kind, Result},
    gateway::session::In,
    net::resolve::Found,
    redact::printable,
    sip::{
        endpoint::{Ended, EndedBy, LegId, Reply},
        locate::{Dead, Target},
        tx::Path,
        uri::unescaped,
    },
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    net::IpAddr,
};

/// A request on its way through its targets.
#[derive(Debug)]
pub(super) struct Trail {
    hop: Uri,
    rest: VecDeque<Target>,
    /// The one that is being tried.
    current: Option<Target>,
    /// Those that did not do, and why.
    tried: Vec<String>,
    asked: String,
    /// A call's sound is bound to this address of ours: it cannot move on to another.
    from: Option<IpAddr>,
}

/// All of them, and what is known to be dead.
#[derive(Debug, Default)]
pub(super) struct Trails {
    under_way: HashMap<Attempt, Trail>,
    dead: Dead,
    /// Legs that a redirection sent to somebody whose calls count (`outbound.minutes_per_day`).
    pub(super) elsewhere: HashSet<LegId>,
}

impl Trail {
    /// Only targets that nobody can listen to on the way: the description holds keys.
    pub(super) fn stay_secure(&mut self) {
        self.rest.retain(|target| target.transport.is_secure());
    }

    /// What was tried, for people; nothing if there was nothing to choose from.
    fn words(&self) -> String {
        if self.asked.is_empty() {
            return String::new();
        }
        format!("; tried {}; asked {}", self.tried.join("; "), self.asked)
    }
}

impl Engine {
    /// The way to the first target that there is a way to, and the trail behind it.
    ///
    /// # Errors
    /// There is no way to any.
    pub(super) fn set_out(&mut self, hop: &Uri, found: Found) -> Result<(Path, Trail)> {
        let targets = self.trails.dead.last(SystemClock::now(), found.targets);
        let mut trail = Trail {
            hop: hop.clone(),
            rest: targets.into(),
            current: None,
            tried: Vec::new(),
            asked: found.asked,
            from: None,
        };
        let mut failed = None;
        while let Some(target) = trail.rest.pop_front() {
            match self.path_to(hop, target.transport, target.remote) {
                Ok(path) => {
                    trail.current = Some(target);
                    return Ok((path, trail));
                }
                Err(problem) => {
                    trail.tried.push(format!("{target}: {problem}"));
                    failed.get_or_insert(problem);
                }
            }
        }
        Err(failed
            .unwrap_or_else(|| Error::new(Kind::Unreachable, format!("there is no way to {hop}{}", trail.words()))))
    }

    /// What was just begun goes on along this trail if need be. `from` binds it to an address of ours.
    pub(super) fn go_along(&mut self, attempt: Attempt, mut trail: Trail, from: Option<IpAddr>) {
        trail.from = from.filter(|_| self.config.advertise.is_none());
        self.endpoint.command(SystemClock::now(), Command::Spares(attempt, trail.rest.len()));
        self.trails.under_way.insert(attempt, trail);
    }

    /// The current target did not do.
    pub(super) fn try_next(&mut self, attempt: Attempt, failure: &Failure) {
        let now = SystemClock::now();
        let Some(mut trail) = self.trails.under_way.remove(&attempt) else {
            return self.endpoint.command(now, Command::Next(attempt, Err(failure.why.clone())));
        };
        let mut failed = String::new();
        if let Some(target) = trail.current.take() {
            self.trails.dead.mark(now, target.end(), failure.retry_after);
            failed = format!("{target}: {}", failure.why);
            trail.tried.push(failed.clone());
        }
        let mut path = Err(format!("no target of {} takes it", trail.hop));
        while let Some(target) = trail.rest.pop_front() {
            match self.path_to(&trail.hop, target.transport, target.remote) {
                Ok(found) if trail.from.is_none_or(|ip| ip == found.local.ip()) => {
                    trail.current = Some(target);
                    path = Ok(found);
                    break;
                }
                Ok(_) => trail.tried.push(format!("{target}: the sound of this call is bound to another address")),
                Err(problem) => trail.tried.push(format!("{target}: {problem}")),
            }
        }
        if let (Some(target), Attempt::Leg(leg)) = (&trail.current, attempt) {
            let leg = self.moves.get(&leg).map_or(leg, |moving| moving.from);
            let leg = self.bridges.session_leg(leg).unwrap_or(leg);
            self.tell(leg, In::Note(Level::Warn, printable(&format!("{failed}; trying {target}")).into_owned()));
        }
        tracing::info!(target: "sip", event = "sip.next_target", failed = %printable(&failed), found = path.is_ok());
        if let (Ok(path), Attempt::Ask(id)) = (&path, attempt)
            && let Some(AskedFor::Trunk(_, _, connection)) = self.asked.get_mut(&id)
        {
            *connection = path.connection;
        }
        let spares = trail.rest.len();
        self.trails.under_way.insert(attempt, trail);
        self.endpoint.command(now, Command::Next(attempt, path));
        self.endpoint.command(now, Command::Spares(attempt, spares));
    }

    /// The current target has answered.
    pub(super) fn arrived(&mut self, attempt: Attempt) {
        if let Some(target) = self.trails.under_way.remove(&attempt).and_then(|trail| trail.current) {
            self.trails.dead.revive(target.end());
        }
    }

    /// A call is over; if nothing worked, its reason says what was tried.
    pub(super) fn leg_at_end(&mut self, leg: LegId, mut ended: Ended) -> Ended {
        let failed = ended.status == Some(503) && ended.answered_by_peer
            || ended.by == EndedBy::Network && ended.status.is_some() && !ended.answered_by_peer;
        if !failed {
            self.arrived(Attempt::Leg(leg));
        } else if let Some(words) = self.gave_up(Attempt::Leg(leg), &ended.reason) {
            ended.reason.push_str(&words);
        }
        ended
    }

    /// The same for something asked.
    pub(super) fn reply_at_end(&mut self, attempt: Attempt, mut reply: Reply) -> Reply {
        let failed = matches!(reply.status, 408 | 503);
        if !failed {
            self.arrived(attempt);
        } else if let Some(words) = self.gave_up(attempt, &reply.reason) {
            reply.reason.push_str(&words);
        }
        reply
    }

    fn gave_up(&mut self, attempt: Attempt, why: &str) -> Option<String> {
        let mut trail = self.trails.under_way.remove(&attempt)?;
        if let Some(target) = trail.current.take() {
            self.trails.dead.mark(SystemClock::now(), target.end(), None);
            trail.tried.push(format!("{target}: {why}"));
        }
        Some(trail.words()).filter(|words| !words.is_empty())
    }

    /// A 3xx names somebody. Another number, or anybody from a telephone of ours, is a call of its own that must be
    /// allowed; then their servers are looked up beside the engine.
    pub(super) fn redirected(&mut self, leg: LegId, to: Uri, same_number: bool) {
        let now = SystemClock::now();
        self.trails.under_way.remove(&Attempt::Leg(leg));
        if !same_number || self.bridges.is_free(leg) {
            if let Err(refused) = self.tolls.begin(now, &unescaped(to.number())) {
                self.sink.hub.counters.refuse(refused.rule);
                let why = format!("the redirection is refused by {}: {}", refused.rule, refused.why);
                return self.endpoint.command(now, Command::Next(Attempt::Leg(leg), Err(why)));
            }
            self.trails.elsewhere.insert(leg);
        }
        let (requests, resolver) = (self.requests_to.clone(), self.resolver.clone());
        tokio::spawn(async move {
            let found = resolver.find(&to).await;
            if let Some(requests) = requests.upgrade() {
                let _ = requests.send(Request::Redirected(leg, to, found)).await;
            }
        });
    }

    /// They were found, or not.
    pub(super) fn redirected_to(&mut self, leg: LegId, to: &Uri, found: Result<Found>) {
        let now = SystemClock::now();
        let attempt = Attempt::Leg(leg);
        // Its caller may have hung up meanwhile.
        let Some(bound) = self.endpoint.local_ip_of(leg) else { return };
        match found.and_then(|found| self.set_out(to, found)) {
            Ok((path, _)) if self.config.advertise.is_none() && path.local.ip() != bound => {
                let why = format!("redirected to {to}, but the sound of this call is bound to {bound}");
                self.endpoint.command(now, Command::Next(attempt, Err(printable(&why).into_owned())));
            }
            Ok((path, trail)) => {
                self.endpoint.command(now, Command::Next(attempt, Ok(path)));
                self.go_along(attempt, trail, Some(path.local.ip()));
            }
            Err(problem) => {
                let why = format!("redirected to {}, but {problem}", printable(&to.to_string()));
                self.endpoint.command(now, Command::Next(attempt, Err(why)));
            }
        }
    }
}

impl Engine {
    /// A dialog goes by a name: it is looked up beside the engine.
    pub(super) fn locate(&self, leg: LegId, name: Uri) {
        let (requests, resolver) = (self.requests_to.clone(), self.resolver.clone());
        tokio::spawn(async move {
            let found = resolver.find(&name).await;
            if let Some(requests) = requests.upgrade() {
                let _ = requests.send(Request::Located(leg, name, found)).await;
            }
        });
    }

    /// It was found, or not. What was dead a moment ago is not the first choice.
    pub(super) fn located(&mut self, leg: LegId, name: Uri, found: Result<Found>) {
        let now = SystemClock::now();
        let place = match found {
            Ok(found) => self.trails.dead.last(now, found.targets).first().map(|target| target.remote),
            Err(problem) => {
                tracing::info!(target: "sip", event = "sip.no_such_hop", "{}", printable(&problem.to_string()));
                None
            }
        };
        self.endpoint.command(now, Command::Located(leg, name, place));
    }
}

/// An INVITE of ours without headers that others name: description of six codecs, headers of the stack.
const INVITE_BYTES: usize = 1_020;
/// RFC 3261 §18.1.1: longer requests do not go as datagrams, which networks would cut into pieces.
const REQUEST_MAX: usize = 1_300;

impl Engine {
    /// Targets for an INVITE with these headers besides its own.
    pub(super) fn for_invite(&self, found: Found, headers: &[(String, String)]) -> Found {
        let more: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        by_length(found, INVITE_BYTES + more > REQUEST_MAX && self.has_tcp())
    }

    /// Whether we take streams: only then can we be called back over one.
    pub(super) fn has_tcp(&self) -> bool {
        self.streams_bound.iter().any(|(known, _)| *known == Transport::Tcp)
    }
}

/// What is too long for a datagram goes by TCP where we have it, and only if nobody takes it there as a datagram (RFC 3261
/// §18.1.1).
pub(super) fn by_length(mut found: Found, too_long: bool) -> Found {
    if too_long {
        let twice = |target: Target| {
            let stream =
                (target.transport == Transport::Udp).then(|| Target { transport: Transport::Tcp, ..target.clone() });
            stream.into_iter().chain([target])
        };
        found.targets = found.targets.into_iter().flat_map(twice).collect();
    }
    found
}
