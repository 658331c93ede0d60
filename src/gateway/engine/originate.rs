//! Calls of ours to a telephone or trunk: what they may cost, by which way, their session and their INVITE.
//!
//! Where a number leads is found before (`outside`); failover along a trail is in `targets`.

use super::{Engine, encryption, handle::Originate, new_call_id};
use crate::{
    call::{
        journal::{Direction, Header, Level, SCHEMA},
        pipeline::Pipeline,
    },
    clock::SystemClock,
    error::{Error, Kind, Result},
    gateway::session::{Begin, In},
    net::resolve::Found,
    redact::Pii,
    sip::{
        endpoint::{self, Command},
        tx::{Path, Transport},
        uri::{Uri, unescaped},
    },
    unit::CallId,
};
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

impl Engine {
    pub(super) fn originate(&mut self, mut originate: Originate, found: Option<Found>) -> Result<CallId> {
        if self.draining.is_some() {
            return Err(Error::machine("the gateway is draining: no new calls"));
        }
        self.room_for(None).map_err(|denied| Error::machine(format!("no new calls: {}", denied.why)))?;
        if self.codecs(&originate.plan, originate.trunk.as_deref()).is_empty() {
            let agent = &originate.plan.name;
            let problem = format!("no codec of agents.{agent}.codecs is allowed by the trunk's codecs or media.codecs");
            return Err(Error::usage(problem));
        }
        self.tolls.begin(SystemClock::now(), &unescaped(originate.to.number())).map_err(|refused| {
            self.sink.hub.counters.refuse(refused.rule);
            Error::new(Kind::Refused, format!("{}: {}", refused.rule, refused.why))
        })?;
        if found.is_none() && self.has_only_pages(&originate.to.user) {
            return self.call_pages(&originate);
        }
        let mut trail = None;
        let (path, target) = if let Some(found) = found {
            let found = self.for_invite(found, &originate.headers);
            let (path, rest) = self.set_out(originate.proxy.as_ref().unwrap_or(&originate.to), found)?;
            trail = Some(rest);
            (path, None)
        } else {
            let (path, contact, route) = self.registered(&originate.to.user)?;
            originate.headers.extend(route.into_iter().map(|value| ("Route".to_owned(), value)));
            (path, Some(contact))
        };
        let srtp = self.encryption(&path, originate.trunk.as_deref(), &originate.to.host);
        encryption::check(&srtp, &path)?;
        if let Some(trail) = trail.as_mut().filter(|_| encryption::has_keys(&srtp)) {
            trail.stay_secure();
        }
        let local_ip = path.local.ip();
        let ports = self.ports.bind(local_ip).map_err(Error::machine)?;
        let rtp_port = ports.rtp.local_addr().map_or(0, |address| address.port());
        let call = new_call_id();
        self.sink.hub.counters.calls.fetch_add(1, Ordering::Relaxed);
        let header = Header {
            schema: SCHEMA.to_owned(),
            call,
            gateway: self.config.name.clone(),
            direction: Direction::Out,
            from: Pii(originate.from.number().to_owned()),
            to: Pii(originate.to.number().to_owned()),
            agent: originate.plan.name.clone(),
            started: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sip_call_id: String::new(),
            rule: String::new(),
            headers: Vec::new(),
        };
        let ip = self.config.advertise.unwrap_or(local_ip);
        let plan = Arc::clone(&originate.plan);
        let rtp = SocketAddr::new(ip, rtp_port);
        let settings = self.settings(header, &plan, originate.trunk.as_deref(), rtp, srtp, Some(&originate));
        let leg = self.endpoint.new_leg();
        let worker = self.workers.least_busy();
        let sdp = Pipeline::first_offer(&settings);
        self.spawn(leg, call, Begin::Dialled, settings, plan, Some(ports), worker);
        self.may_refer(leg, true);
        let mut to = originate.to;
        if to.host.is_empty() {
            to.host = path.remote.ip().to_string();
        }
        let outgoing = endpoint::Outgoing {
            to,
            target,
            from: originate.from,
            display: String::new(),
            path,
            sdp,
            headers: originate.headers,
            credentials: originate.credentials,
        };
        self.endpoint.command(SystemClock::now(), Command::Invite(leg, Box::new(outgoing)));
        if let Some(trail) = trail {
            self.go_along(endpoint::Attempt::Leg(leg), trail, Some(local_ip));
        }
        Ok(call)
    }

    /// Calls of ours whose next minute is one too many end before it.
    pub(super) fn end_beyond_tolls(&mut self) {
        const WHY: &str = "outbound.minutes_per_day";
        for leg in self.tolls.due(SystemClock::now()) {
            self.sink.hub.counters.refuse(WHY);
            self.tell(leg, In::Note(Level::Warn, format!("{WHY} is spent: the call ends")));
            if self.sessions.contains_key(&leg) {
                self.tell(leg, In::HangUp(WHY.to_owned()));
            } else {
                self.endpoint.command(SystemClock::now(), Command::HangUp(leg, None));
            }
        }
    }

    /// The way of a call: for streams the connection is there, or on its way. Our Contact is where we listen; where we
    /// do not, the far end has our side of the connection.
    pub(super) fn path_to(&mut self, hop: &Uri, transport: Transport, remote: SocketAddr) -> Result<Path> {
        let same_family = |bound: &SocketAddr| bound.is_ipv4() == remote.is_ipv4();
        if transport.is_stream() {
            let path = self.connections.to(transport, remote, &hop.host)?;
            let mut bound = self.streams_bound.iter().filter(|(known, _)| *known == transport).map(|(_, bound)| *bound);
            let port = bound.find(same_family).map_or(path.local.port(), |bound| bound.port());
            return Ok(Path { local: SocketAddr::new(path.local.ip(), port), ..path });
        }
        let Some(bound) = self.sockets.iter().map(|(bound, _)| *bound).find(same_family) else {
            return Err(
                Error::usage(format!("no UDP socket of the family of {remote} is open")).hint("add --sip udp:[::]:0")
            );
        };
        let local = SocketAddr::new(crate::net::local_ip_towards(remote.ip()), bound.port());
        Ok(Path { transport, remote, local, connection: None })
    }
}
