//! Bridges: a call that goes on to a user's telephones or through a trunk (B2BUA).
//!
//! Carries out what `call::bridge` decides: finds the ways, opens the callee's session beside the caller's, sends INVITEs,
//! joins both on a line of their media worker. The callee's session is one, however many branches ring; whichever branch
//! wins becomes its leg. Routes enter at [`Engine::onward`], agents' callers by the API at [`Engine::put_through`].

use super::{
    Begin, Command, Denied, Engine, In, Kind, Offered, Refusal, Request, Settings, encryption,
    endpoint::Attempt,
    new_call_id,
    outside::way_to,
    pages::{PageId, Taken},
    targets::Trail,
};
use crate::{
    agent::{event::Outcome, seat::Plan},
    call::{
        bridge::{self, Action, Bridge, Side, reason_of},
        journal::{Direction, Header, Level, SCHEMA},
        pipeline::{Bridged, srtp},
    },
    clock::{Instant, SystemClock},
    config::{Identity, Trunk},
    error::{Error, Result},
    gateway::{
        line::LineId,
        router::{Routed, Seated},
        session::web::Refused,
    },
    media::codec::Codec,
    net::resolve::Found,
    redact::{Pii, printable},
    route::Target,
    sip::{
        carried,
        endpoint::{Ended, EndedBy, LegId, Outgoing},
        sdp::Description,
        tx::Path,
        uri::{NameAddr, Uri, escaped, unescaped},
    },
    unit::CallId,
};
use futures_util::future::join_all;
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::oneshot;

/// One way rings for so long unless the rule says otherwise.
const RING: Duration = Duration::from_secs(30);
/// A trunk's server that gives no sign for so long is left for the next: four repetitions over UDP.
const SIGN_WITHIN: Duration = Duration::from_secs(4);
/// `Max-Forwards` of calls that begin here.
const HOPS: u32 = 70;

/// Where a call goes on to.
#[derive(Clone, Debug)]
pub(super) struct Onward {
    /// A user or a trunk.
    target: Target,
    /// Called number, rewritten.
    to: String,
    /// Calling number, rewritten.
    from: String,
    /// The caller's name.
    display: String,
    /// The caller does not want to be known (RFC 3323).
    private: bool,
    /// Headers that go on as they came.
    carried: Vec<(String, String)>,
    /// That the calling number is the caller's is known, not just said.
    proven: bool,
    ring: Duration,
    rule: String,
    /// `Max-Forwards` that is left.
    hops: u32,
    /// The caller's offer: its order of codecs is ours.
    sdp: Option<Vec<u8>>,
    /// The caller talks to an agent, and goes on if this fails.
    caller_up: bool,
}

/// What an INVITE says of its caller, kept for those to whom the call may go on.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
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
    pub(super) fn of(offered: &Offered, from_trunk: bool, across: &[String]) -> Self {
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

/// Whose a leg of a bridge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Caller,
    Branch(usize),
}

/// All bridges.
#[derive(Debug, Default)]
pub(super) struct Bridges {
    all: HashMap<u64, Bridging>,
    legs: HashMap<LegId, (u64, End)>,
    newest: u64,
}

/// One bridge.
#[derive(Debug)]
struct Bridging {
    onward: Onward,
    /// `user alice`, `trunk carrier`.
    name: String,
    caller: CallId,
    caller_leg: LegId,
    callee: CallId,
    /// Where the callee's session is found: a number that is no leg until a branch wins.
    callee_leg: LegId,
    /// None until the ways are known.
    machine: Option<Bridge>,
    /// Pages of the user: the first branches.
    pages: Vec<PageId>,
    /// What to send on each branch after those.
    ways: Vec<Outgoing>,
    /// Where each branch goes on along, if its server's name stands for several.
    trails: Vec<Option<Trail>>,
    legs: Vec<Option<LegId>>,
    answer: Option<Vec<u8>>,
    /// A page that has answered.
    taken: Option<Box<Taken>>,
    joined: bool,
    /// The callee's session has agreed with it on media.
    accepted: bool,
    /// Why nobody answered: by whom, status, words.
    ended: Option<(EndedBy, u16, String)>,
}

impl Bridges {
    /// A branch that rings a user of ours, which costs nothing.
    pub(super) fn is_free(&self, leg: LegId) -> bool {
        let of = self.legs.get(&leg).and_then(|(id, _)| self.all.get(id));
        of.is_some_and(|bridging| matches!(bridging.onward.target, Target::User(_)))
    }

    /// When a bridge wants to hear of the time.
    pub(super) fn timeout(&self) -> Instant {
        let machines = self.all.values().filter_map(|bridging| bridging.machine.as_ref());
        machines.map(Bridge::timeout).min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// The leg under which the session is found that a branch belongs to.
    pub(super) fn session_leg(&self, leg: LegId) -> Option<LegId> {
        let (id, _) = self.legs.get(&leg)?;
        self.all.get(id).map(|bridging| bridging.callee_leg)
    }

    /// A leg has taken over another's session.
    pub(super) fn moved(&mut self, from: LegId, to: LegId) {
        let Some((id, end)) = self.legs.remove(&from) else { return };
        self.legs.insert(to, (id, end));
        let Some(bridging) = self.all.get_mut(&id) else { return };
        match end {
            End::Caller => bridging.caller_leg = to,
            End::Branch(branch) => {
                bridging.callee_leg = to;
                bridging.legs[branch] = Some(to);
            }
        }
    }
}

impl Engine {
    /// Where a routed call goes on to, if it does; refused if it goes in a circle or costs too much.
    pub(super) fn onward(
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

    /// The caller has a session: looks for the callee's ways beside the engine.
    pub(super) fn go_onward(&mut self, caller_leg: LegId, caller: CallId, onward: Onward) -> CallId {
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
    pub(super) fn servers_of(&self, trunk: &str) -> Vec<Uri> {
        let Some(upstream) = self.trunk(trunk) else { return Vec::new() };
        let mut servers = upstream.servers.clone();
        let at = self.trunks.server(trunk).unwrap_or(0).min(servers.len().saturating_sub(1));
        servers.rotate_left(at);
        servers
    }

    fn trunk(&self, name: &str) -> Option<&Trunk> {
        self.config.signalling.trunks.iter().find(|trunk| trunk.name == name)
    }

    /// Names were looked up: opens the callee's session and begins.
    pub(super) async fn ways_found(&mut self, id: u64, found: Vec<(Uri, Result<Found>)>) {
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
            match self.open_callee(id, &onward, way, page).await {
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
    async fn open_callee(
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
        let (reply, sdp) = oneshot::channel();
        self.spawn(leg, call, Begin::Dialled(reply), settings, plan, ports, worker);
        // Whom we call we know.
        self.may_refer(leg, true);
        self.tell(leg, In::Bridged(Bridged::Calling(caller, "the caller".to_owned())));
        sdp.await.map_err(|_| Error::new(Kind::Bug, "the session ended before it began"))
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

    // What happens

    /// An outgoing leg gives a sign; true if it is a bridge's.
    pub(super) fn bridge_progress(&mut self, leg: LegId, status: u16, sdp: Option<&[u8]>) -> bool {
        let Some((id, End::Branch(branch))) = self.bridges.legs.get(&leg).copied() else { return false };
        let Some(bridging) = self.bridges.all.get_mut(&id) else { return true };
        let session = bridging.callee_leg;
        let heard = bridging.machine.as_ref().is_some_and(|machine| machine.would_be_heard(branch));
        match sdp {
            Some(sdp) if heard => self.tell(session, In::EarlyMedia(status, sdp.to_vec())),
            None if status > 100 => self.tell(session, In::Progress(status)),
            _ => {}
        }
        self.bridge_input(id, bridge::Input::Progress { branch, status, sound: sdp.is_some() });
        true
    }

    /// An outgoing leg was answered; true if it is a bridge's.
    pub(super) fn bridge_answered(&mut self, leg: LegId, sdp: Option<&[u8]>) -> bool {
        let Some((id, End::Branch(branch))) = self.bridges.legs.get(&leg).copied() else { return false };
        if let Some(bridging) = self.bridges.all.get_mut(&id).filter(|bridging| !bridging.joined) {
            bridging.answer = sdp.map(<[u8]>::to_vec);
        }
        self.bridge_input(id, bridge::Input::Answered { branch });
        true
    }

    /// A page answers for its branch.
    pub(super) fn bridge_taken(&mut self, leg: LegId, taken: Taken) {
        let Some((id, End::Branch(branch))) = self.bridges.legs.get(&leg).copied() else { return };
        if let Some(bridging) = self.bridges.all.get_mut(&id) {
            bridging.taken = Some(Box::new(taken));
        }
        self.bridge_input(id, bridge::Input::Answered { branch });
        // Somebody else was quicker.
        if let Some(late) = self.bridges.all.get_mut(&id).and_then(|bridging| bridging.taken.take()) {
            let why = "somebody else took the call".to_owned();
            let _ = late.joining.reply.send(Err(Refused { status: 410, why }));
            self.session_of_bridge_over(leg);
        }
    }

    /// A leg is over; its session has been told.
    pub(super) fn bridge_ended(&mut self, leg: LegId, ended: &Ended) {
        let Some((id, end)) = self.bridges.legs.remove(&leg) else { return };
        let reason = ended.reason.clone();
        match end {
            End::Caller if self.bridges.all.get(&id).is_some_and(|bridging| bridging.machine.is_none()) => {
                self.bridges.all.remove(&id);
            }
            End::Caller => {
                if let Some(bridging) = self.bridges.all.get_mut(&id) {
                    bridging.ended.get_or_insert((EndedBy::Us, 487, reason.clone()));
                }
                self.bridge_input(id, bridge::Input::CallerEnded { reason });
            }
            End::Branch(branch) => {
                let (status, by_peer) = (ended.status, ended.answered_by_peer);
                self.bridge_input(id, bridge::Input::Ended { branch, status, by_peer, reason });
            }
        }
    }

    /// A session is over whose leg the endpoint knows nothing of: a browser's, or one that panicked.
    pub(super) fn session_of_bridge_over(&mut self, leg: LegId) {
        let gone = Ended { by: EndedBy::Us, status: None, reason: String::new(), answered_by_peer: false };
        self.bridge_ended(leg, &gone);
    }

    /// The callee's session ends before anybody answered: its telephones stop ringing. True if it is such a session.
    pub(super) fn give_up_calling(&mut self, leg: LegId) -> bool {
        let mut waiting = self.bridges.all.iter();
        let id = waiting.find(|(_, bridging)| !bridging.joined && bridging.callee_leg == leg).map(|(id, _)| *id);
        if let Some(id) = id {
            self.bridge_input(id, bridge::Input::GiveUp);
        }
        id.is_some()
    }

    /// One side holds, or is back: the other side's far end hears of it.
    pub(super) fn bridge_held(&self, leg: LegId, held: bool) {
        let Some((id, end)) = self.bridges.legs.get(&leg) else { return };
        let Some(bridging) = self.bridges.all.get(id).filter(|bridging| bridging.joined) else { return };
        let other = if *end == End::Caller { bridging.callee_leg } else { bridging.caller_leg };
        self.tell(other, In::Bridged(Bridged::Hold(held)));
    }

    /// Bridges whose time has come.
    pub(super) fn bridges_due(&mut self) {
        let now = SystemClock::now();
        if self.bridges.timeout() > now {
            return;
        }
        let is_due = |bridging: &Bridging| bridging.machine.as_ref().is_some_and(|machine| machine.timeout() <= now);
        let due: Vec<u64> =
            self.bridges.all.iter().filter(|(_, bridging)| is_due(bridging)).map(|(id, _)| *id).collect();
        for id in due {
            self.bridge_input(id, bridge::Input::Timeout);
        }
    }

    /// The API puts a caller through; gives the new session's name.
    pub(super) fn put_through(&mut self, call: CallId, target: Target, number: String) -> Result<CallId> {
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
        if is_callee || self.endpoint.is_ringing(leg) {
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

    /// Whether a leg is one of a bridge's.
    pub(super) fn is_bridged(&self, leg: LegId) -> bool {
        self.bridges.legs.contains_key(&leg)
    }

    // What is done

    fn bridge_input(&mut self, id: u64, input: bridge::Input) {
        let now = SystemClock::now();
        let Some(machine) = self.bridges.all.get_mut(&id).and_then(|bridging| bridging.machine.as_mut()) else {
            return;
        };
        machine.handle(now, input);
        while let Some(bridging) = self.bridges.all.get_mut(&id)
            && let Some(action) = bridging.machine.as_mut().and_then(Bridge::poll)
        {
            self.bridge_action(now, id, action);
        }
    }

    fn bridge_action(&mut self, now: Instant, id: u64, action: Action) {
        let Some(bridging) = self.bridges.all.get_mut(&id) else { return };
        let (caller, callee) = (bridging.caller_leg, bridging.callee_leg);
        match action {
            Action::Invite(branch) => {
                let leg = self.endpoint.new_leg();
                if let Some(page) = bridging.pages.get(branch).copied() {
                    let (from, display) = bridging.onward.shown();
                    bridging.legs[branch] = Some(leg);
                    self.bridges.legs.insert(leg, (id, End::Branch(branch)));
                    return self.ring_page(page, leg, &from, &display);
                }
                let Some(way) = bridging.ways.get(branch - bridging.pages.len()).cloned() else { return };
                bridging.legs[branch] = Some(leg);
                self.bridges.legs.insert(leg, (id, End::Branch(branch)));
                let trail = bridging.trails.get_mut(branch).and_then(Option::take);
                let local = way.path.local.ip();
                self.endpoint.command(now, Command::Invite(leg, Box::new(way)));
                if let Some(trail) = trail {
                    self.go_along(Attempt::Leg(leg), trail, Some(local));
                }
            }
            Action::Drop(branch, reason) => {
                if let Some(leg) = bridging.legs.get(branch).copied().flatten()
                    && !self.stop_ringing(leg, reason)
                {
                    self.endpoint.command(now, Command::HangUp(leg, Some(reason.to_owned())));
                }
            }
            Action::Ring => self.tell(caller, In::Bridged(Bridged::Ring { sound: false })),
            Action::Sound(_) => {
                self.connect(id);
                self.tell(caller, In::Bridged(Bridged::Ring { sound: true }));
            }
            Action::Join(branch) => self.answered_by(now, id, branch),
            Action::Fail { status, reason, text } => {
                let (rule, up, name) = (bridging.onward.rule.clone(), bridging.onward.caller_up, bridging.name.clone());
                bridging.ended = Some((EndedBy::Far, status, text.clone()));
                let text = format!("{name}: {status} {}", printable(&text));
                let call = bridging.caller;
                self.act_put_through(call, Outcome::Refused(format!("not put through to {text}")));
                self.tell(caller, In::Bridged(Bridged::Failed(text.clone())));
                if up {
                    return self.tell(caller, In::Note(Level::Warn, format!("not put through to {text}")));
                }
                tracing::info!(target: "call", event = "call.not_bridged", status, rule = rule.as_str(), "{text}");
                if self.refuse_page(caller, status, &text) {
                    return;
                }
                let why = format!("399 voxgw \"rule {rule}: {}\"", text.replace(['"', '\\'], "'"));
                let headers = vec![("Reason".to_owned(), reason), ("Warning".to_owned(), why)];
                self.endpoint.command(now, Command::Refuse(caller, Refusal { status, headers }));
            }
            Action::HangUp(Side::Caller, reason) if !bridging.accepted => {
                let text = "what it answered cannot be used".to_owned();
                self.bridge_action(now, id, Action::Fail { status: 502, reason, text });
            }
            Action::HangUp(Side::Caller, header) => {
                self.tell(caller, In::Bridged(Bridged::Ended { by: "callee", header }));
            }
            Action::HangUp(Side::Callee, header) => {
                self.tell(callee, In::Bridged(Bridged::Ended { by: "caller", header }));
            }
            Action::Over => self.bridge_over(id),
        }
    }

    /// A branch won: the callee's session is on its leg now, and both hear each other.
    fn answered_by(&mut self, now: Instant, id: u64, branch: usize) {
        let Some(bridging) = self.bridges.all.get_mut(&id) else { return };
        let Some(leg) = bridging.legs.get(branch).copied().flatten() else { return };
        let before = std::mem::replace(&mut bridging.callee_leg, leg);
        let answer = bridging.answer.take();
        let taken = bridging.taken.take();
        bridging.joined = true;
        if matches!(bridging.onward.target, Target::Trunk(_)) || self.trails.elsewhere.contains(&leg) {
            self.tolls.answered(now, leg);
        }
        let Some(mut known) = self.sessions.remove(&before) else {
            if taken.is_some() {
                return self.session_of_bridge_over(leg);
            }
            return self.endpoint.command(now, Command::HangUp(leg, None));
        };
        known.is_page = taken.is_some();
        self.sessions.insert(leg, known);
        self.tell(leg, taken.map_or(In::Answered(answer), In::Taken));
    }

    /// The callee's session has agreed with its far end: only now the caller is answered, who may pay from then on.
    pub(super) fn callee_accepted(&mut self, leg: LegId) {
        let Some((id, End::Branch(_))) = self.bridges.legs.get(&leg).copied() else { return };
        let Some(bridging) = self.bridges.all.get_mut(&id).filter(|bridging| bridging.joined) else { return };
        bridging.accepted = true;
        let (caller, call) = (bridging.caller_leg, bridging.caller);
        self.act_put_through(call, Outcome::Done(String::new()));
        self.connect(id);
        self.tell(caller, In::Bridged(Bridged::Answer));
    }

    /// Both sessions are given their ends of the line; twice does nothing more.
    fn connect(&self, id: u64) {
        let Some(bridging) = self.bridges.all.get(&id) else { return };
        let line = LineId(id);
        self.tell(bridging.callee_leg, In::Join(line, Side::Callee, bridging.caller, "the caller".to_owned()));
        self.tell(bridging.caller_leg, In::Join(line, Side::Caller, bridging.callee, bridging.name.clone()));
    }

    fn bridge_over(&mut self, id: u64) {
        let Some(bridging) = self.bridges.all.remove(&id) else { return };
        self.bridges.legs.retain(|_, (of, _)| *of != id);
        if bridging.joined {
            return;
        }
        // No branch took the callee's session over: it ends as they did.
        let (by, status, reason) = bridging.ended.unwrap_or((EndedBy::Us, 487, String::new()));
        if by == EndedBy::Us {
            let header = reason_of(&reason);
            self.tell(bridging.callee_leg, In::Bridged(Bridged::Ended { by: "caller", header }));
        }
        let gone = Ended { by, status: Some(status), reason, answered_by_peer: true };
        self.tell(bridging.callee_leg, In::Ended(gone));
    }
}

impl Onward {
    /// What every INVITE of it carries.
    fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![("Max-Forwards".to_owned(), self.hops.to_string())];
        headers.extend(self.carried.iter().cloned());
        if self.private {
            headers.push(("Privacy".to_owned(), "id".to_owned()));
        }
        headers
    }

    /// A page that has proved whose it is calls as that user.
    pub(super) fn known_as(&mut self, user: &str) {
        user.clone_into(&mut self.from);
        self.proven = true;
    }

    /// Number and name as a page shows them.
    fn shown(&self) -> (String, String) {
        if self.private || self.from.is_empty() {
            return ("anonymous".to_owned(), String::new());
        }
        (self.from.clone(), self.display.clone())
    }

    /// From and display name: `own`, or nobody's (RFC 3323 §4.1.1.3).
    fn identity(&self, own: Uri) -> (Uri, String) {
        if self.private || self.from.is_empty() {
            return (Uri::sip("anonymous", "anonymous.invalid", None), "Anonymous".to_owned());
        }
        (own, self.display.clone())
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
