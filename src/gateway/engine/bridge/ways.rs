//! The ways to a callee: looked up beside the engine, then the callee's session is opened and the bridge begins.
//!
//! Telephones by q, a trunk's servers one after the other (RFC 3263), pages with the first of them. Whether the call may
//! go on at all `onward` has decided.

use super::{
    super::{
        Begin, Engine, Kind, Request, Settings, encryption, new_call_id, outside::way_to, pages::PageId, targets::Trail,
    },
    Bridging, End, In, Onward,
};
use crate::{
    agent::seat::Plan,
    call::{
        bridge::{self, Bridge},
        journal::{Direction, Header, SCHEMA},
        pipeline::{Bridged, Pipeline, srtp},
    },
    clock::SystemClock,
    config::{Identity, Trunk},
    error::{Error, Result},
    media::codec::Codec,
    net::resolve::Found,
    redact::Pii,
    route::Target,
    sip::{
        endpoint::{LegId, Outgoing},
        sdp::Description,
        tx::Path,
        uri::{NameAddr, Uri, escaped},
    },
    unit::CallId,
};
use futures_util::future::join_all;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// A trunk's server that gives no sign for so long is left for the next: four repetitions over UDP.
const SIGN_WITHIN: Duration = Duration::from_secs(4);

impl Engine {
    /// The caller has a session: looks for the callee's ways beside the engine.
    pub(in crate::gateway::engine) fn go_onward(
        &mut self,
        caller_leg: LegId,
        caller: CallId,
        onward: Onward,
    ) -> CallId {
        let callee = new_call_id();
        self.bridges.newest += 1;
        let (id, name) = (self.bridges.newest, onward.target.to_string());
        self.bridges.legs.insert(caller_leg, (id, End::Caller));
        self.tell(caller_leg, In::Bridged(Bridged::Calling(callee, name.clone())));
        let servers = match &onward.target {
            Target::Trunk(trunk) => self.servers_of(trunk),
            _ => Vec::new(),
        };
        // A trunk's Service-Route (RFC 3608) comes first, whichever of its servers is called.
        let routes = match &onward.target {
            Target::Trunk(trunk) => self.trunks.service_route(trunk),
            _ => &[],
        };
        let first = routes.first().and_then(|route| NameAddr::parse(route).ok()).map(|route| route.uri);
        let bridging = Bridging {
            onward,
            name,
            caller,
            caller_leg,
            callee,
            callee_leg: self.endpoint.new_leg(),
            machine: None,
            pages: Vec::new(),
            ways: Vec::new(),
            trails: Vec::new(),
            legs: Vec::new(),
            answer: None,
            taken: None,
            joined: false,
            accepted: false,
            ended: None,
        };
        self.bridges.all.insert(id, bridging);
        let (requests, resolver) = (self.requests_to.clone(), self.resolver.clone());
        tokio::spawn(async move {
            let look_up = |server: Uri| {
                let (resolver, hop) = (resolver.clone(), first.clone().unwrap_or_else(|| server.clone()));
                async move {
                    let found = resolver.find(&hop).await;
                    (server, found)
                }
            };
            let found = join_all(servers.into_iter().map(look_up)).await;
            if let Some(requests) = requests.upgrade() {
                let _ = requests.send(Request::Onward(id, found)).await;
            }
        });
        callee
    }

    /// A trunk's servers, the one that it uses now first.
    pub(in crate::gateway::engine) fn servers_of(&self, trunk: &str) -> Vec<Uri> {
        let Some(upstream) = self.trunk(trunk) else { return Vec::new() };
        let mut servers = upstream.servers.clone();
        let at = self.trunks.server(trunk).unwrap_or(0).min(servers.len().saturating_sub(1));
        servers.rotate_left(at);
        servers
    }

    pub(super) fn trunk(&self, name: &str) -> Option<&Trunk> {
        self.config.signalling.trunks.iter().find(|trunk| trunk.name == name)
    }

    /// Names were looked up: opens the callee's session and begins.
    pub(in crate::gateway::engine) fn ways_found(&mut self, id: u64, found: Vec<(Uri, Result<Found>)>) {
        let Some(bridging) = self.bridges.all.get(&id) else { return };
        let onward = bridging.onward.clone();
        let mut trails = Vec::new();
        let pages: Vec<PageId> = match &onward.target {
            Target::User(user) => self.pages.of(user).collect(),
            _ => Vec::new(),
        };
        let (ways, mut groups, nobody) = match &onward.target {
            Target::Trunk(trunk) => self.ways_through(trunk, &onward, found, &mut trails),
            Target::User(user) => self.ways_to(user, &onward),
            _ => (Vec::new(), Vec::new(), (500, "this is no target to call".to_owned())),
        };
        // Pages ring with the telephones that the user likes best.
        match groups.first_mut() {
            Some(first) => *first += pages.len(),
            None if !pages.is_empty() => groups.push(pages.len()),
            None => {}
        }
        let settings = bridge::Settings {
            groups,
            same_place: matches!(onward.target, Target::Trunk(_)),
            ring: onward.ring,
            sign_within: SIGN_WITHIN,
            caller_up: onward.caller_up,
            nobody,
        };
        if let Some(bridging) = self.bridges.all.get_mut(&id) {
            bridging.trails = trails;
            bridging.pages.clone_from(&pages);
        }
        // One offer goes everywhere: if one way can be read, its keys are those for a way that can be read.
        let weakest = ways.iter().find(|way| !way.path.transport.is_secure()).or(ways.first());
        let way = weakest.map(|way| (way.path, way.to.host.clone()));
        let page = pages.first().and_then(|page| self.pages.media(*page));
        let sdp = if way.is_none() && page.is_none() {
            String::new()
        } else {
            match self.open_callee(id, &onward, way, page) {
                Ok(sdp) => sdp,
                Err(problem) => {
                    let nobody = (500, problem.to_string());
                    let settings = bridge::Settings { groups: Vec::new(), nobody, ..settings };
                    return self.begin_bridge(id, Vec::new(), settings);
                }
            }
        };
        let ways = ways.into_iter().map(|way| Outgoing { sdp: sdp.clone(), ..way }).collect();
        self.begin_bridge(id, ways, settings);
    }

    fn begin_bridge(&mut self, id: u64, ways: Vec<Outgoing>, settings: bridge::Settings) {
        let Some(bridging) = self.bridges.all.get_mut(&id) else { return };
        bridging.legs = vec![None; bridging.pages.len() + ways.len()];
        bridging.ways = ways;
        bridging.machine = Some(Bridge::new(settings));
        self.bridge_input(id, bridge::Input::Begin);
    }

    /// The callee's session on the caller's worker; gives its offer.
    fn open_callee(
        &mut self,
        id: u64,
        onward: &Onward,
        way: Option<(Path, String)>,
        page: Option<(IpAddr, IpAddr)>,
    ) -> Result<String> {
        let (local, ip) = place(way.as_ref().map(|(path, _)| path.local.ip()), page, self.config.advertise);
        let trunk = match &onward.target {
            Target::Trunk(trunk) => Some(trunk.as_str()),
            _ => None,
        };
        let srtp = match &way {
            Some((path, host)) => {
                let srtp = self.encryption(path, trunk, host);
                encryption::check(&srtp, path)?;
                srtp
            }
            // A page has keys of its own.
            None => srtp::Settings::default(),
        };
        let secure = encryption::has_keys(&srtp);
        let ports = self.ports.bind(local).map_err(Error::machine)?;
        let missing = || Error::new(Kind::Bug, "the bridge is gone");
        let bridging = self.bridges.all.get(&id).ok_or_else(missing)?;
        let (leg, call, caller) = (bridging.callee_leg, bridging.callee, bridging.caller);
        let worker = self.sessions.get(&bridging.caller_leg).map(|known| known.worker).ok_or_else(missing)?;
        self.sink.hub.counters.calls.fetch_add(1, Ordering::Relaxed);
        let header = Header {
            schema: SCHEMA.to_owned(),
            call,
            gateway: self.config.name.clone(),
            direction: Direction::Out,
            from: Pii(onward.from.clone()),
            to: Pii(onward.to.clone()),
            agent: "bridge".to_owned(),
            started: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sip_call_id: String::new(),
            rule: onward.rule.clone(),
            headers: Vec::new(),
        };
        let port = ports.rtp.local_addr().map_or(0, |address| address.port());
        let plan = Arc::new(Plan::far("bridge"));
        let settings = self.settings(header, &plan, trunk, SocketAddr::new(ip, port), srtp, None);
        let mut settings = Settings {
            codecs: in_their_order(&settings.codecs, onward.sdp.as_deref()),
            // The caller's session records both.
            record: false,
            we_are_caller: false,
            ..settings
        };
        settings.call.waits = true;
        if let Some(bridging) = self.bridges.all.get_mut(&id).filter(|_| secure) {
            bridging.trails.iter_mut().flatten().for_each(Trail::stay_secure);
        }
        let sdp = Pipeline::first_offer(&settings);
        self.spawn(leg, call, Begin::Dialled, settings, plan, Some(ports), worker);
        // Whom we call we know.
        self.may_refer(leg, true);
        self.tell(leg, In::Bridged(Bridged::Calling(caller, "the caller".to_owned())));
        Ok(sdp)
    }

    /// All telephones of a user, in groups by their preference.
    fn ways_to(&self, user: &str, onward: &Onward) -> (Vec<Outgoing>, Vec<usize>, (u16, String)) {
        let mut bindings: Vec<_> = self.endpoint.registrar().bindings(SystemClock::now(), user).collect();
        bindings.sort_by_key(|binding| std::cmp::Reverse(binding.q));
        let groups = bindings.chunk_by(|one, next| one.q == next.q).map(<[_]>::len).collect();
        let way = |binding: &&crate::sip::registrar::Binding| {
            let path = way_to(binding);
            let host = path.local.ip().to_string();
            let own = Uri::sip(&escaped(&onward.from), &host, Some(path.local.port()));
            let mut headers = onward.headers();
            headers.extend(binding.path.iter().map(|value| ("Route".to_owned(), value.clone())));
            let (from, display) = onward.identity(own);
            Outgoing {
                to: Uri::sip(user, &host, None),
                target: Some(binding.contact.clone()),
                from,
                display,
                path,
                sdp: String::new(),
                headers,
                credentials: None,
            }
        };
        let ways = bindings.iter().map(way).collect();
        (ways, groups, (480, format!("user {user} has no telephone registered here")))
    }

    /// The servers of a trunk that can be reached, one after the other.
    fn ways_through(
        &mut self,
        trunk: &str,
        onward: &Onward,
        found: Vec<(Uri, Result<Found>)>,
        trails: &mut Vec<Option<Trail>>,
    ) -> (Vec<Outgoing>, Vec<usize>, (u16, String)) {
        let Some(upstream) = self.trunk(trunk).cloned() else {
            return (Vec::new(), Vec::new(), (500, format!("there is no trunk {trunk} in the config")));
        };
        let routes = self.trunks.service_route(trunk).to_vec();
        let first = routes.first().and_then(|route| NameAddr::parse(route).ok()).map(|route| route.uri);
        let mut problem = "it has no server".to_owned();
        let mut ways = Vec::new();
        for (server, address) in found {
            let hop = first.as_ref().unwrap_or(&server);
            let address = address.map(|found| self.for_invite(found, &onward.carried));
            let (path, trail) = match address.and_then(|found| self.set_out(hop, found)) {
                Ok(found) => found,
                Err(failed) => {
                    problem = failed.to_string();
                    continue;
                }
            };
            let caller = Uri { user: escaped(&onward.from), ..upstream.aor.clone() };
            let shown = match upstream.identity {
                Identity::Trunk => upstream.aor.clone(),
                Identity::Caller => caller,
            };
            // What anybody could have written into From is shown, but not vouched for.
            let asserted = if onward.proven { shown.clone() } else { upstream.aor.clone() };
            let mut headers = onward.headers();
            if onward.private || upstream.identity == Identity::Caller {
                // RFC 3325 §9.1: the trunk is trusted with the number, whoever is called is not.
                headers.push(("P-Asserted-Identity".to_owned(), NameAddr::of(asserted).to_string()));
            }
            let (from, mut display) = onward.identity(shown);
            if upstream.identity == Identity::Trunk && !onward.private {
                display = String::new();
            }
            headers.extend(routes.iter().map(|route| ("Route".to_owned(), route.clone())));
            trails.push(Some(trail));
            ways.push(Outgoing {
                to: Uri { user: escaped(&onward.to), ..server.clone() },
                target: None,
                from,
                display,
                path,
                sdp: String::new(),
                headers,
                credentials: upstream.credentials.clone(),
            });
        }
        let groups = vec![1; ways.len()];
        (ways, groups, (502, format!("trunk {trunk} cannot be reached: {problem}")))
    }
}

/// Where a callee's session receives, and what its telephones are told: one socket for telephones and pages alike.
fn place(way: Option<IpAddr>, page: Option<(IpAddr, IpAddr)>, advertise: Option<IpAddr>) -> (IpAddr, IpAddr) {
    match (way, page) {
        (Some(local), Some((bind, _))) if local != bind && local.is_ipv4() == bind.is_ipv4() => {
            let any: IpAddr = if local.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
            (any, advertise.unwrap_or(local))
        }
        (Some(local), _) => (local, advertise.unwrap_or(local)),
        (None, Some((bind, tell))) => (bind, tell),
        (None, None) => ([0, 0, 0, 0].into(), [0, 0, 0, 0].into()),
    }
}

/// Our codecs, those that the caller offered first and in its order: what is the same on both legs need not be decoded.
fn in_their_order(ours: &[&'static Codec], sdp: Option<&[u8]>) -> Vec<&'static Codec> {
    let mut codecs = ours.to_vec();
    let offered = sdp.and_then(|sdp| Description::parse(sdp).ok());
    let Some(media) = offered.and_then(|offer| offer.media.into_iter().find(|media| media.kind == "audio")) else {
        return codecs;
    };
    let place = |codec: &&Codec| {
        let named = media
            .rtpmaps
            .iter()
            .find(|(_, name, clock, _)| name.eq_ignore_ascii_case(codec.encoding) && *clock == codec.clock.0);
        let payload_type = named.map_or(codec.payload_type.0, |(payload_type, ..)| *payload_type).to_string();
        media.formats.iter().position(|format| *format == payload_type).unwrap_or(usize::MAX)
    };
    codecs.sort_by_key(|codec| place(codec));
    codecs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::CODECS;

    #[test]
    fn the_caller_s_order_of_codecs_is_the_callee_s() {
        let ours: Vec<&'static Codec> = CODECS.iter().take(2).collect();
        let names = |sdp: Option<&[u8]>| in_their_order(&ours, sdp).iter().map(|codec| codec.name).collect::<Vec<_>>();
        let sdp =
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0\r\n";
        assert_eq!(names(Some(sdp.as_bytes())), ["pcma", "pcmu"]);
        assert_eq!(names(None), ["pcmu", "pcma"]);
        assert_eq!(names(Some(b"nonsense")), ["pcmu", "pcma"]);
    }
}
