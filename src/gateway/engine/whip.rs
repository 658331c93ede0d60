//! Our calls to WHIP servers: no leg, no name to resolve by SIP's rules; the session does the rest.

use super::{Begin, Engine, Originate, Settings, new_call_id, srtp};
use crate::{
    call::journal::{Direction, Header, SCHEMA},
    clock::SystemClock,
    error::{Error, Kind, Result},
    gateway::{Handle, session::whip::Whip},
    network::url::Url,
    redact::{Pii, Secret},
    unit::CallId,
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
};

impl Handle {
    /// The server of a WHIP call: its address, and its requests' headers.
    pub(super) async fn whip_server(&self, originate: &Originate, url: &Url) -> Result<Whip> {
        let (_, host, port) = url.origin();
        let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await;
        let remote = found.ok().and_then(|mut all| all.next()).ok_or_else(|| {
            Error::new(Kind::Unreachable, format!("{host} cannot be found")).hint("check the URL's host")
        })?;
        let plain = |(name, value): &(String, String)| (name.clone(), Secret::new(value));
        let mut headers: Vec<(String, Secret)> = originate.headers.iter().map(plain).collect();
        if let Some(known) = &originate.credentials {
            let bearer = format!("Bearer {}", known.password.reveal());
            headers.push(("Authorization".to_owned(), Secret::new(&bearer)));
        }
        Ok(Whip { url: url.clone(), remote, headers })
    }
}

impl Engine {
    pub(super) fn call_whip(&mut self, originate: &Originate, whip: Whip) -> Result<CallId> {
        if self.draining.is_some() {
            return Err(Error::machine("the gateway is draining: no new calls"));
        }
        let plan = Arc::clone(&originate.plan);
        if self.codecs(&plan, None).is_empty() {
            let problem = format!("no codec of agents.{}.codecs is allowed by media.codecs", plan.name);
            return Err(Error::usage(problem));
        }
        self.tolls.begin(SystemClock::now(), originate.to.number()).map_err(|refused| {
            self.sink.hub.counters.refuse(refused.rule);
            Error::new(Kind::Refused, format!("{}: {}", refused.rule, refused.why))
        })?;
        let towards = crate::net::local_ip_towards(whip.remote.ip());
        // As for browsers: a server on this machine tells its outward address.
        let outward = crate::net::local_ip_towards([192, 0, 2, 1].into());
        let local: IpAddr = if towards.is_loopback() && !outward.is_unspecified() { outward } else { towards };
        let ports = self.ports.bind(local).map_err(Error::machine)?;
        let call = new_call_id();
        self.sink.hub.counters.calls.fetch_add(1, Ordering::Relaxed);
        let header = Header {
            schema: SCHEMA.to_owned(),
            call,
            gateway: self.config.name.clone(),
            direction: Direction::Out,
            from: Pii(originate.from.number().to_owned()),
            to: Pii(originate.to.number().to_owned()),
            agent: plan.name.clone(),
            started: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sip_call_id: String::new(),
            rule: String::new(),
            headers: Vec::new(),
        };
        let rtp = SocketAddr::new(local, ports.rtp.local_addr().map_or(0, |address| address.port()));
        let settings: Settings = self.settings(header, &plan, None, rtp, srtp::Settings::default(), Some(originate));
        let leg = self.endpoint.new_leg();
        let worker = self.workers.least_busy();
        // From the offer on: nobody else tells the engine when a server has answered.
        self.tolls.answered(SystemClock::now(), leg);
        self.spawn(leg, call, Begin::Whip(Box::new(whip)), settings, plan, Some(ports), worker);
        Ok(call)
    }
}
