//! Admission: an INVITE becomes a session or a refusal; and what any new session is given.
//!
//! Which rule takes a call is the router's business; what a refusal leaves in the journal is in `refused`.

use super::{Engine, Known, bridge, handle::Originate, new_call_id};
use crate::{
    agent::seat::{Plan, What},
    call::{
        self,
        journal::{Direction, Header, SCHEMA},
        pipeline::{Settings, srtp},
    },
    clock::SystemClock,
    config::Transfers,
    gateway::{
        router::{Denied, Seated},
        session::{Begin, Start, consult::Ask},
        writer,
    },
    media::dsp::mix::Role,
    net::ports::PortPair,
    redact::Pii,
    sip::{
        endpoint::{LegId, Offered},
        uri::escaped,
    },
    unit::CallId,
};
use rand::Rng as _;
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::mpsc;

impl Engine {
    /// Admission: draining, too many calls, the rules, no port.
    pub(super) fn offered(&mut self, leg: LegId, offered: Offered) {
        let called = [&offered.target, &offered.to];
        let trunk = self.trunk_addresses.calling(offered.path.remote.ip(), &called).map(str::to_owned);
        if let Some(old) = offered.replaces {
            self.replaced(leg, old, offered, trunk.is_some());
            return;
        }
        let known = trunk.is_some() || offered.user.is_some();
        let stranger = self.places.stranger(offered.path.remote.ip(), known);
        let routed = match self.room_for(stranger) {
            Ok(()) => self.router.route(&offered, trunk.clone(), SystemClock::wall()),
            Err(denied) => Err(denied),
        };
        let admitted = routed.and_then(|routed| {
            let onward = self.onward(&offered, &routed, trunk.is_some())?;
            let pair = self.ports.bind(offered.path.local.ip());
            Ok((routed, onward, pair.map_err(|problem| Denied::by_key(503, "media.rtp_ports", problem))?))
        });
        let (routed, onward, ports) = match admitted {
            Ok(admitted) => admitted,
            Err(denied) => return self.deny(leg, &offered, denied),
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
            from: Pii(routed.from),
            to: Pii(routed.to),
            agent: plan.name.clone(),
            started: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sip_call_id: offered.call_id.clone(),
            rule: routed.rule,
            headers: self.carried(&offered, trunk.is_some()),
        };
        let rtp_port = ports.rtp.local_addr().map_or(0, |address| address.port());
        let ip = self.config.advertise.unwrap_or_else(|| offered.path.local.ip());
        let srtp = self.encryption(&offered.path, trunk.as_deref(), "");
        let rtp = SocketAddr::new(ip, rtp_port);
        let mut settings = self.settings(header, &plan, trunk.as_deref(), rtp, srtp, None);
        settings.call.waits = onward.is_some() || conference.is_some();
        if ringback {
            settings.call.early = call::Early::Ring;
        }
        let worker = conference.as_ref().and_then(|name| self.conferences.worker(name));
        let worker = worker.unwrap_or_else(|| self.workers.least_busy());
        let caller = bridge::Caller::of(&offered, trunk.is_some(), &self.config.signalling.headers_across);
        self.spawn(
            leg,
            call,
            Begin::Offered(offered.sdp, offered.target.to_string()),
            settings,
            plan,
            Some(ports),
            worker,
        );
        if let Some(session) = self.sessions.get_mut(&leg) {
            (session.caller, session.stranger) = (caller, stranger);
        }
        self.may_refer(leg, known);
        // The trunk may ask within the call who we are.
        let upstream = trunk.and_then(|name| self.config.signalling.trunks.iter().find(|trunk| trunk.name == name));
        if let Some(credentials) = upstream.and_then(|upstream| upstream.credentials.clone()) {
            self.endpoint.command(SystemClock::now(), super::Command::Credentials(leg, credentials));
        }
        if let Some(onward) = onward {
            self.go_onward(leg, call, onward);
        }
        if let Some(name) = conference {
            self.sit_down(leg, &name, Role::Talks);
        }
    }

    pub(super) fn settings(
        &self,
        mut header: Header,
        plan: &Plan,
        trunk: Option<&str>,
        rtp: SocketAddr,
        srtp: srtp::Settings,
        originate: Option<&Originate>,
    ) -> Settings {
        let wall = SystemClock::wall();
        header.started = wall.rfc3339();
        let direction = header.direction;
        Settings {
            call: call::Settings {
                direction,
                owner: plan.owner,
                barge_in: plan.barge_in,
                manners: Arc::clone(&plan.manners),
                patience: self.config.patience,
                agent_silence: self.config.agent_silence,
                max_duration: originate.and_then(|o| o.max_duration).unwrap_or(self.config.max_duration),
                ring_max: originate.map_or(Duration::from_secs(30), |o| o.ring),
                early: plan.early,
                waits: false,
            },
            header,
            wall,
            codecs: self.codecs(plan, trunk),
            ptime: self.config.ptime,
            tuning: self.config.tuning,
            rtp,
            srtp,
            seed: rand::rng().next_u64(),
            agent_rate: plan.rate(),
            agent_speaks: plan.speaks(),
            tools: plan.offered(),
            prebuffer: plan.prebuffer,
            apology: Arc::clone(&self.apology),
            hold_music: self.hold_music.clone(),
            record: self.config.recording.sound && self.sink.writer.is_some(),
            tone: self.config.recording.tone,
            we_are_caller: direction == Direction::Out,
            media_timeout: self.config.media_timeout,
            hang_up_after_silence: originate.and_then(|o| o.hang_up_after_silence),
            hang_up_after_turns: originate.and_then(|o| o.hang_up_after_turns),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a call and where it lives")]
    pub(super) fn spawn(
        &mut self,
        leg: LegId,
        call: CallId,
        begin: Begin,
        settings: Settings,
        plan: Arc<Plan>,
        ports: Option<PortPair>,
        worker: usize,
    ) {
        let (to, from) = mpsc::channel(512);
        if let Some(writer) = &self.sink.writer {
            writer.send(writer::In::Open(call, writer::folder_name(settings.wall, call)));
        }
        let far_end = match settings.header.direction {
            Direction::In => settings.header.from.0.clone(),
            Direction::Out => settings.header.to.0.clone(),
        };
        let may_refer = self.config.transfers == Transfers::All;
        let (caller, is_page) = (bridge::Caller::default(), matches!(begin, Begin::Joined(_) | Begin::Whip(_)));
        self.sessions.insert(leg, Known { call, to, may_refer, far_end, caller, stranger: None, worker, is_page });
        if let Some(trace) = self.waiting_trace.take().filter(|trace| trace.leg == Some(leg)) {
            self.trace(trace);
        }
        let ask = self.ask_about(&begin, &settings.header, &plan);
        let start = Start {
            call,
            leg,
            begin,
            settings,
            plan,
            ports,
            from,
            engine: self.sessions_to.clone(),
            sink: self.sink.clone(),
            pcap: self.config.recording.pcap,
            agent_frames: self.config.recording.agent_frames,
            http: Arc::clone(&self.http),
            ask,
        };
        self.workers.spawn(worker, start);
    }

    /// Whom to ask about an incoming call for an agent.
    pub(super) fn ask_about(&self, begin: &Begin, header: &Header, plan: &Plan) -> Option<Ask> {
        let uri = match begin {
            _ if matches!(plan.what, What::Far) => return None,
            Begin::Dialled | Begin::Whip(_) => return None,
            Begin::Offered(_, uri) => uri.clone(),
            Begin::Joined(joining) => format!("sip:{}@{}", escaped(&header.to.0), joining.local.ip()),
        };
        let callback = self.config.callback_of(&plan.name)?;
        let (sip_call_id, rule) = (header.sip_call_id.clone(), header.rule.clone());
        Some(Ask { callback, uri, sip_call_id, rule, tools: self.config.tools.clone() })
    }

    /// Whether a leg's far end is `known` well enough to send us elsewhere.
    pub(super) fn may_refer(&mut self, leg: LegId, known: bool) {
        if self.config.transfers == Transfers::Known
            && let Some(session) = self.sessions.get_mut(&leg)
        {
            session.may_refer = known;
        }
    }
}
