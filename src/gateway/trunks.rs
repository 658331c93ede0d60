//! The trunks of this gateway: their machines, and what is asked of their servers.
//!
//! Owns a [`trunk::Trunk`] for each upstream of the config. Called by `gateway::engine`, which resolves names and sends.

use crate::{
    api::model::TrunkView,
    clock::Instant,
    config::Trunk as Upstream,
    sip::{
        endpoint::Reply,
        message::Headers,
        method::Method,
        trunk::{self, Answer, State, Wish},
        uri::{NameAddr, Uri, find_param, split_outside_quotes},
    },
};
use std::time::Duration;

/// More proxies than any request passes.
const ROUTES_MAX: usize = 8;

/// All trunks.
#[derive(Debug)]
pub struct Trunks {
    all: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    upstream: Upstream,
    machine: trunk::Trunk,
    /// Call-ID and number of its registrations: one sequence for the process's life (RFC 3261 §10.2.4).
    sequence: (String, u32),
    /// Of the newest answer to REGISTER (RFC 3608).
    service_route: Vec<String>,
}

/// What to ask of whom.
#[derive(Debug)]
pub struct Errand {
    /// Which trunk.
    pub trunk: usize,
    /// What for.
    pub wish: Wish,
    /// REGISTER or OPTIONS.
    pub method: Method,
    /// The server.
    pub server: Uri,
    /// Our address there.
    pub aor: Uri,
    /// `Expires` of a REGISTER.
    pub headers: Vec<(String, String)>,
    /// Call-ID and number of a REGISTER.
    pub sequence: Option<(String, u32)>,
    /// For a challenge.
    pub credentials: Option<crate::sip::auth::Credentials>,
}

impl Trunks {
    /// The config's trunks at `now`; `id` is random and names their registrations.
    #[must_use]
    pub fn new(now: Instant, upstreams: &[Upstream], id: u64) -> Self {
        let kept = |(at, upstream): (usize, &Upstream)| Kept {
            machine: trunk::Trunk::new(
                now,
                trunk::Settings {
                    servers: upstream.servers.len(),
                    register: upstream.register,
                    expires: upstream.expires,
                    ping: upstream.ping,
                },
            ),
            upstream: upstream.clone(),
            sequence: (format!("{id:016x}-{at}"), 0),
            service_route: Vec::new(),
        };
        Self { all: upstreams.iter().enumerate().map(kept).collect() }
    }

    /// When something is due.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        self.all.iter().map(|kept| kept.machine.timeout()).min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// The next errand that is due.
    pub fn poll(&mut self, now: Instant) -> Option<Errand> {
        self.all.iter_mut().enumerate().find_map(|(at, kept)| {
            let wish = kept.machine.poll(now)?;
            let (server, expires) = match wish {
                Wish::Register(server, expires) => (server, Some(expires)),
                Wish::Ping(server) => (server, None),
            };
            let server = kept.upstream.servers.get(server)?.clone();
            let sequence = expires.map(|_| {
                kept.sequence.1 += 1;
                kept.sequence.clone()
            });
            Some(Errand {
                trunk: at,
                wish,
                method: if expires.is_some() { Method::Register } else { Method::Options },
                server,
                aor: kept.upstream.aor.clone(),
                headers: expires.map(|expires| ("Expires".into(), expires.as_secs().to_string())).into_iter().collect(),
                sequence,
                credentials: kept.upstream.credentials.clone(),
            })
        })
    }

    /// Takes an errand's answer; says in words what changed, if it is worth a line in the log.
    pub fn answered(&mut self, now: Instant, trunk: usize, wish: Wish, reply: &Reply, random: f64) -> Option<String> {
        let kept = self.all.get_mut(trunk)?;
        if matches!(wish, Wish::Register(..)) {
            kept.sequence.1 = kept.sequence.1.max(reply.cseq);
            if (200..300).contains(&reply.status) {
                kept.service_route = routes_of(&reply.headers);
            }
        }
        let answer = Answer {
            status: reply.status,
            expires: granted(&reply.headers, &kept.upstream.aor.user),
            min_expires: seconds(&reply.headers, "Min-Expires"),
            retry_after: seconds(&reply.headers, "Retry-After"),
        };
        kept.machine.answered(now, wish, answer, random).then(|| {
            let what = if matches!(wish, Wish::Register(..)) { "REGISTER" } else { "OPTIONS" };
            format!(
                "trunk {} is {}: {what} was answered with {} {}",
                kept.upstream.name,
                name_of(kept.machine.state()),
                reply.status,
                reply.reason
            )
        })
    }

    /// The connection that a trunk was registered over is gone.
    pub fn flow_lost(&mut self, now: Instant, trunk: usize, random: f64) {
        if let Some(kept) = self.all.get_mut(trunk) {
            kept.machine.flow_lost(now, random);
        }
    }

    /// A trunk's name.
    #[must_use]
    pub fn name(&self, trunk: usize) -> Option<&str> {
        self.all.get(trunk).map(|kept| kept.upstream.name.as_str())
    }

    /// The server that a trunk uses now, by its place in the config.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<usize> {
        self.all.iter().find(|kept| kept.upstream.name == name).map(|kept| kept.machine.server())
    }

    /// The Service-Route that its registrar gave (RFC 3608).
    #[must_use]
    pub fn service_route(&self, name: &str) -> &[String] {
        self.all.iter().find(|kept| kept.upstream.name == name).map_or(&[], |kept| &kept.service_route)
    }

    /// Takes all registrations back.
    pub fn leave(&mut self, now: Instant) {
        for kept in &mut self.all {
            kept.machine.leave(now);
        }
    }

    /// Whether a registration still holds somewhere, or may yet come to hold: one is under way.
    #[must_use]
    pub fn is_leaving(&self, now: Instant) -> bool {
        self.all.iter().any(|kept| kept.machine.is_leaving(now))
    }

    /// What the operator sees.
    #[must_use]
    pub fn views(&self, now: Instant) -> Vec<TrunkView> {
        let view = |kept: &Kept| TrunkView {
            name: kept.upstream.name.clone(),
            server: kept.upstream.servers.get(kept.machine.server()).map(ToString::to_string).unwrap_or_default(),
            state: name_of(kept.machine.state()).to_owned(),
            status: match kept.machine.state() {
                State::Down(status) => Some(status),
                _ => None,
            },
            registered_for_s: kept.machine.registered_for(now).map(|left| left.as_secs()),
            service_route: kept.service_route.clone(),
            ping_ms: kept.machine.round_trip().map(|span| crate::call::journal::rounded(span.as_secs_f64() * 1_000.0)),
        };
        self.all.iter().map(view).collect()
    }
}

const fn name_of(state: State) -> &'static str {
    match state {
        State::Trying => "trying",
        State::Up => "up",
        State::Unwatched => "unwatched",
        State::Down(_) => "down",
    }
}

/// `Service-Route` of a 200, as `Route` of what we send (RFC 3608 §6.1); one that is no address makes all of it useless.
fn routes_of(headers: &Headers) -> Vec<String> {
    let lists = headers.all("Service-Route").flat_map(|list| split_outside_quotes(list, ','));
    let routes: Option<Vec<String>> = lists
        .take(ROUTES_MAX)
        .map(|route| NameAddr::parse(route).ok().filter(|route| route.uri.is_sip()).map(|route| route.to_string()))
        .collect();
    routes.unwrap_or_default()
}

fn seconds(headers: &Headers, name: &str) -> Option<Duration> {
    let digits: String = headers.first(name)?.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(Duration::from_secs)
}

/// For how long our own Contact was taken: its parameter, else the header.
fn granted(headers: &Headers, user: &str) -> Option<Duration> {
    let ours = headers.all("Contact").filter_map(|contact| NameAddr::parse(contact).ok()).find(|c| c.uri.user == user);
    ours.and_then(|contact| find_param(&contact.params, "expires")?.parse().ok().map(Duration::from_secs))
        .or_else(|| seconds(headers, "Expires"))
}
