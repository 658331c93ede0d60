//! A browser's call: admitted and routed like an INVITE, on a session without a SIP leg behind it.

use super::{Engine, bridge::Caller, new_call_id};
use crate::{
    agent::seat::Plan,
    call::{
        Early,
        journal::{Direction, Header, SCHEMA},
        pipeline::srtp,
    },
    clock::SystemClock,
    config::read_secret,
    error::{Error, Result},
    gateway::{
        router::{Denied, Seated},
        session::{
            Begin,
            web::{Joining, Refused},
        },
    },
    jwt::Key,
    media::dsp::mix::Role,
    network::url::percent_encoded,
    redact::{Pii, printable},
    sip::{
        endpoint::Offered,
        message::Headers,
        tx,
        uri::{Uri, unescaped},
    },
    webrtc::token::SECRET_MIN,
};
use rand::Rng as _;
use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, atomic::Ordering},
};

/// A page that wants to join, as it comes to the engine.
#[derive(Debug)]
pub struct Join {
    /// Whom it wants: a number or name as rules compare it.
    pub to: String,
    /// Who it says it is; the call is from `web:NAME`.
    pub name: String,
    /// The name that its token vouches for.
    pub user: Option<String>,
    /// Where we receive its media: the socket's address, and what browsers are told.
    pub media: (IpAddr, IpAddr),
    /// The rest is the session's.
    pub joining: Joining,
}

/// The secret of join tokens: the file's, or one for this run.
pub(super) fn key(file: Option<&Path>) -> Result<Key> {
    let Some(file) = file else {
        let mut secret = [0; 32];
        rand::rng().fill_bytes(&mut secret);
        return Ok(Key::new(&secret));
    };
    let secret = read_secret(file)?;
    if secret.reveal().len() < SECRET_MIN {
        return Err(Error::usage(format!(
            "web.secret_file {} holds less than {SECRET_MIN} characters",
            file.display()
        ))
        .hint("write a random secret into it, like that of: openssl rand -hex 32"));
    }
    Ok(Key::new(secret.reveal().as_bytes()))
}

impl Engine {
    /// The port that browsers of a worker share, if they do.
    pub(super) fn shared_port(&self, bind: IpAddr, worker: usize) -> Option<SocketAddr> {
        let first = self.config.web.media_port?;
        Some(SocketAddr::new(bind, first.checked_add(u16::try_from(worker).ok()?)?))
    }

    /// Admission as for an INVITE.
    pub(super) fn join(&mut self, join: Join) {
        let Join { to, name, user, media: (bind, tell), mut joining } = join;
        let from = format!("web:{}", if name.is_empty() { "guest" } else { name.as_str() });
        let sdp = Some(joining.offer.clone().into_bytes());
        let offered = Offered { display: name, sdp, ..as_offered(&to, &from, user, joining.source, joining.local) };
        let stranger = self.places.stranger(offered.path.remote.ip(), offered.user.is_some());
        let routed = match self.room_for(stranger) {
            Ok(()) => self.router.route(&offered, None, SystemClock::wall()),
            Err(denied) => Err(denied),
        };
        let admitted = routed.and_then(|routed| {
            let mut onward = self.onward(&offered, &routed, false)?;
            if let (Some(onward), Some(user), true) = (&mut onward, &offered.user, routed.from == from) {
                onward.known_as(user);
            }
            let pair = match self.config.web.media_port {
                Some(_) => None,
                None => Some(self.ports.bind(bind).map_err(|problem| Denied::by_key(503, "media.rtp_ports", problem))?),
            };
            Ok((routed, onward, pair))
        });
        let (routed, onward, ports) = match admitted {
            Ok(admitted) => admitted,
            Err(denied) => {
                tracing::warn!(
                    target: "call", event = "webrtc.refused", status = denied.status, rule = denied.rule.as_str(),
                    reason = denied.why, from = %printable(&from), to = %printable(&to), source = %joining.source
                );
                self.sink.hub.counters.refuse(&denied.rule);
                self.refused_browser(&offered, denied.status, &denied.rule, &denied.why);
                let _ = joining.reply.send(Err(Refused { status: denied.status, why: denied.why }));
                return;
            }
        };
        let ringback = matches!(routed.seat, Seated::Bridge(.., true));
        let (plan, conference) = match routed.seat {
            Seated::Agent(plan) => (plan, None),
            Seated::Bridge(target, ..) => (Arc::new(Plan::far(&target.to_string())), None),
            Seated::Conference(name) => (Arc::new(Plan::far(&format!("conference {name}"))), Some(name)),
        };
        self.sink.hub.counters.calls.fetch_add(1, Ordering::Relaxed);
        let call = new_call_id();
        let header = Header {
            schema: SCHEMA.to_owned(),
            call,
            gateway: self.config.name.clone(),
            direction: Direction::In,
            from: Pii(unescaped(&routed.from)),
            to: Pii(unescaped(&routed.to)),
            agent: plan.name.clone(),
            started: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sip_call_id: String::new(),
            rule: routed.rule,
            headers: Vec::new(),
        };
        let worker = conference.as_ref().and_then(|name| self.conferences.worker(name));
        let worker = worker.unwrap_or_else(|| self.workers.least_busy());
        joining.shared = self.shared_port(bind, worker);
        let own = ports.as_ref().and_then(|ports| ports.rtp.local_addr().ok());
        let port = joining.shared.or(own).map_or(0, |address| address.port());
        // The peer encrypts, with keys of its own handshake.
        let plain = srtp::Settings::default();
        let mut settings = self.settings(header, &plan, None, SocketAddr::new(tell, port), plain, None);
        // A leg's number without a leg: what SIP is told of it goes nowhere.
        let leg = self.endpoint.new_leg();
        settings.call.waits = onward.is_some() || conference.is_some();
        if ringback {
            settings.call.early = Early::Ring;
        }
        self.spawn(leg, call, Begin::Joined(Box::new(joining)), settings, plan, ports, worker);
        if let Some(session) = self.sessions.get_mut(&leg) {
            (session.caller, session.stranger) = (Caller::of(&offered, false, &[]), stranger);
        }
        if let Some(onward) = onward {
            self.go_onward(leg, call, onward);
        }
        if let Some(name) = conference {
            self.sit_down(leg, &name, Role::Talks);
        }
    }
}

/// What the rules compare, in their own words.
fn as_offered(to: &str, from: &str, user: Option<String>, source: SocketAddr, local: SocketAddr) -> Offered {
    let uri = |user: &str| Uri {
        scheme: "sip".to_owned(),
        user: escaped(user),
        host: local.ip().to_string(),
        port: None,
        params: Vec::new(),
        headers: String::new(),
    };
    Offered {
        from: uri(from),
        display: String::new(),
        to: uri(to),
        target: uri(to),
        call_id: String::new(),
        sdp: None,
        path: tx::Path { transport: tx::Transport::Wss, remote: source, local, connection: None },
        headers: Headers::default(),
        user,
        replaces: None,
    }
}

/// As a URI's user part, whatever is in it (RFC 3986 §2.1); the router undoes it.
fn escaped(name: &str) -> String {
    percent_encoded(name, b"+*#-_.")
}
