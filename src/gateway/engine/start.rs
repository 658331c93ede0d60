//! How the engine begins: binds the signalling sockets, starts hub, writer and workers, restores what was bound.
//!
//! Called once, by the program. Does not serve anything: that is `Engine::run`.

use super::{
    Engine, TRANSACTIONS_MAX, WAITING_MAX, act, addresses, bridge, conference, handle::Handle, join, pages,
    places::Places, refused, targets,
};
use crate::{
    agent::prompts,
    call::pipeline::Music,
    clock::SystemClock,
    config::Config,
    error::Result,
    gateway::{
        bindings,
        hub::{self, Sink},
        mcp, post,
        pressure::Pressure,
        router::Router,
        trunks::Trunks,
        worker::Workers,
        writer,
    },
    net::{
        connections::Connections,
        crowd::{Crowd, Limits},
        http,
        ports::Ports,
        resolve::Resolver,
        stream::{self, Door},
        tcp, tls, udp,
    },
    route::tolls::Tolls,
    sip::{
        endpoint::{self, Endpoint},
        limits,
        tx::Transport,
    },
};
use rand::Rng as _;
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::sync::mpsc;

impl Engine {
    /// Binds everything and starts; call it inside the runtime. `answering` takes incoming calls: the rules, one
    /// agent, or nobody.
    ///
    /// # Errors
    /// An address or port that cannot be bound, a folder that cannot be made.
    pub fn start(config: Arc<Config>, answering: impl Into<Router>) -> Result<Handle> {
        let (packets_to, packets) = mpsc::channel(WAITING_MAX);
        let (streams_to, stream_events) = mpsc::channel(WAITING_MAX);
        let (mut sockets, mut listening, mut listeners) = (Vec::new(), Vec::new(), Vec::new());
        let mut streams_bound = Vec::new();
        let connections = Connections::new(tls::Client::new(config.tls.clone())?, streams_to.clone())
            .pinging(config.signalling.keep_alive);
        let trunk_addresses = addresses::Addresses::new(&config.signalling.trunks);
        let crowd = crowd_of(&config, trunk_addresses.ips());
        let origins: Arc<[String]> = Arc::from(config.signalling.origins.clone());
        for listen in &config.listen {
            match listen.transport {
                Transport::Udp => {
                    let socket = udp::bind(*listen)?;
                    let bound = socket.local_addr().unwrap_or(listen.address);
                    listening.push(format!("udp:{bound}"));
                    sockets.push((bound, socket));
                }
                transport => {
                    let tls = transport.is_secure().then(|| tls::acceptor(&config.tls)).transpose()?;
                    let listener = tcp::bind(*listen)?;
                    let bound = listener.local_addr().unwrap_or(listen.address);
                    listening.push(format!("{}:{bound}", transport.lower_name()));
                    streams_bound.push((transport, bound));
                    listeners
                        .push((listener, Door { transport, tls, crowd: crowd.clone(), origins: Arc::clone(&origins) }));
                }
            }
        }
        let http = Arc::new(http::Client::new(config.http_ca.clone())?);
        let posts = post::Watch::default();
        let hub = hub::start(&config.name, listening.clone(), posts.post("hub"));
        let writer = if config.recording.journal {
            Some(writer::start(config.recording.clone(), hub.clone(), posts.post("writer"))?)
        } else {
            None
        };
        for (_, socket) in &sockets {
            tokio::spawn(udp::receive(Arc::clone(socket), packets_to.clone()));
            tokio::spawn(udp::refusals(Arc::clone(socket), streams_to.clone()));
        }
        for (listener, door) in listeners {
            tokio::spawn(stream::accept(listener, door, streams_to.clone()));
        }
        let workers = Workers::start(config.workers, config.urgent)?;
        let (sessions_to, from_sessions) = mpsc::channel(WAITING_MAX);
        let (to, requests) = mpsc::channel(256);
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        let signalling = &config.signalling;
        let mut endpoint = Endpoint::new(endpoint::Settings {
            advertise: config.advertise,
            transactions_max: TRANSACTIONS_MAX,
            seed,
            realm: signalling.realm.clone(),
            algorithms: signalling.algorithms.clone(),
            accounts: signalling.users.clone(),
            authenticate: signalling.authenticate,
            trusted: trunk_addresses.ips().collect(),
            registrar: signalling.registrar.clone(),
            timers: signalling.timers,
            reliability: signalling.reliability,
            limits: signalling.limits.clone(),
            refusals_per_minute: config.recording.refused_per_minute,
            redirected_anywhere: config.tolls.allow.is_empty(),
            ..endpoint::Settings::default()
        });
        let takes_tcp = streams_bound.iter().filter(|(transport, _)| *transport == Transport::Tcp);
        endpoint.takes_tcp_at(takes_tcp.map(|(_, bound)| *bound).collect());
        if let Some((ago, saved)) = signalling.bindings_file.as_deref().and_then(bindings::read) {
            endpoint.restore_bindings(SystemClock::now(), ago, saved);
        }
        let router: Router = answering.into();
        // By the first call their tools are known.
        let lists = router.plans().flat_map(|plan| mcp::refresh(&http, &plan.mcp)).collect();
        let lists = Arc::new(tokio::sync::Mutex::new(lists));
        let join_key = Arc::new(join::key(config.web.secret_file.as_deref())?);
        let stream_key = Arc::new(join::key(None)?);
        let upstreams = Arc::from(signalling.trunks.clone());
        let udp_bound: Vec<SocketAddr> = sockets.iter().map(|(bound, _)| *bound).collect();
        let resolver = Arc::new(Resolver::new(&signalling.dns, &udp_bound)?);
        let hold_music = match config.hold_music.as_str() {
            "off" => Music::Off,
            "builtin" => Music::Tune,
            file => Music::Sound(prompts::load_narrow(std::path::Path::new(file))?),
        };
        let places = places_of(&config);
        let engine = Self {
            places,
            endpoint,
            bindings_due: None,
            bindings_written: bindings::Written::default(),
            tolls: Tolls::new(config.tolls.clone()),
            trunks: Trunks::new(SystemClock::now(), &signalling.trunks, rand::rng().next_u64()),
            trunk_addresses,
            resolver: Arc::clone(&resolver),
            trails: targets::Trails::default(),
            parcels: HashMap::new(),
            flows: HashMap::new(),
            next_ask: 1,
            asked: HashMap::new(),
            requests_to: to.downgrade(),
            bridges: bridge::Bridges::default(),
            acting: act::Acting::default(),
            conferences: conference::Conferences::default(),
            pages: pages::Pages::default(),
            moves: HashMap::new(),
            replacing: HashMap::new(),
            refusals: refused::Refusals::new(SystemClock::now(), config.recording.refused_per_minute),
            ports: hub.counters.rtp_ports.get_or_init(|| Ports::new(config.rtp_ports.clone())).clone(),
            config,
            router,
            sockets,
            streams_bound,
            connections,
            workers: workers.clone(),
            sink: Sink { hub: hub.clone(), writer: writer.clone() },
            sessions: HashMap::new(),
            sessions_to,
            http,
            apology: prompts::builtin("apology"),
            hold_music,
            pressure: Pressure::new(SystemClock::now()),
            crowd,
            draining: None,
            deadline_passed: false,
            leaving_until: None,
            waiting_trace: None,
            refused_before: 0,
            untold_before: 0,
            away_before: limits::Counters::default(),
        };
        let post = posts.post("engine");
        tokio::spawn(async move {
            let _post = post;
            engine.run(packets, stream_events, from_sessions, requests).await;
        });
        let streams_used = Arc::default();
        Ok(Handle {
            to,
            hub,
            writer,
            listening,
            workers,
            join_key,
            stream_key,
            streams_used,
            upstreams,
            resolver,
            posts,
            lists,
        })
    }
}

/// Connections of others: trunks and our own proxies are spared.
fn crowd_of(config: &Config, trunks: impl Iterator<Item = IpAddr>) -> Crowd {
    let signalling = &config.signalling;
    let limits = Limits { max: signalling.connections_max, per_source: signalling.connections_per_source };
    let crowd = Crowd::of(limits, signalling.limits.trusted.clone());
    trunks.for_each(|ip| crowd.spare(ip));
    crowd
}

/// Places for calls; nothing is kept where there is nobody to keep it for.
fn places_of(config: &Config) -> Places {
    let signalling = &config.signalling;
    let knows_somebody = !signalling.trunks.is_empty() || !signalling.users.is_empty();
    Places {
        max_calls: config.max_calls,
        reserved_percent: if knows_somebody { config.reserved_percent } else { 0 },
        per_source: signalling.calls_per_source,
        trusted: signalling.limits.trusted.clone(),
    }
}
