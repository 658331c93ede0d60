//! The hub: takes every journal record, folds it into views, hands it to subscribers and to the writer.
//!
//! One task. A slow subscriber loses items and is told how many; a slow disk loses records and the gateway's view
//! says so; no call ever waits for either.

use super::{post::Post, writer};
use crate::{
    api::model::{GatewayView, SNAPSHOT_SCHEMA, SessionView, Snapshot, StreamItem, TrunkView, UserView},
    call::{
        journal::{Record, rounded},
        summary,
    },
    clock::{Instant, SystemClock},
    net::ports::Ports,
    unit::CallId,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{broadcast, mpsc, oneshot};

/// Finished sessions stay visible for so long.
const KEEP_FINISHED: Duration = Duration::from_mins(15);
/// Finished sessions kept at most.
const KEEP_MAX: usize = 500;
/// Items a subscriber may lag behind.
const LAG_MAX: usize = 2_048;

/// Counters that the engine writes and the hub reads.
#[derive(Debug, Default)]
pub struct Counters {
    /// Calls since the start.
    pub calls: AtomicU64,
    /// Calls and requests refused.
    pub refused: AtomicU64,
    /// Refused calls that left no journal: there were too many.
    pub refused_unrecorded: AtomicU64,
    /// Calls refused by each rule or limit. Locked for one look or one step, and never by a call.
    pub refused_by: Mutex<BTreeMap<String, u64>>,
    /// SIP messages dropped.
    pub dropped: AtomicU64,
    /// Records that did not reach the disk.
    pub records_dropped: AtomicU64,
    /// No new calls.
    pub draining: AtomicBool,
    /// None for now: media threads do not keep up.
    pub overloaded: AtomicBool,
    /// Datagrams on browsers' ports that were nobody's.
    pub web_strays: AtomicU64,
    /// The pool of RTP ports, once there is one.
    pub rtp_ports: OnceLock<Ports>,
}

/// What reaches the hub.
#[derive(Debug)]
pub enum In {
    /// A record of a call.
    Record(CallId, Arc<Record>),
    /// Somebody wants to know everything, and then what happens.
    Subscribe(oneshot::Sender<(Snapshot, broadcast::Receiver<Arc<StreamItem>>)>),
    /// Somebody wants to know everything once.
    Snapshot(oneshot::Sender<Snapshot>),
    /// Somebody wants to know how the gateway is, without its calls.
    Gateway(oneshot::Sender<GatewayView>),
    /// Somebody wants to know one call.
    Session(CallId, oneshot::Sender<Option<SessionView>>),
    /// The writer's trouble, or its end.
    RecordingProblem(String),
    /// How the trunks are.
    Trunks(Vec<TrunkView>),
    /// Who is registered.
    Users(Vec<UserView>),
    /// A text came in.
    Text(Box<StreamItem>),
}

/// A way to reach the hub. Clones share it.
#[derive(Clone, Debug)]
pub struct HubHandle {
    to: mpsc::Sender<In>,
    /// Counters that the engine writes.
    pub counters: Arc<Counters>,
}

impl Counters {
    /// A limit has turned away so many since the start.
    pub fn turned_away(&self, limit: &str, count: u64) {
        if count > 0 {
            let mut by = self.refused_by.lock().unwrap_or_else(PoisonError::into_inner);
            by.insert(limit.to_owned(), count);
        }
    }

    /// A call was refused by this rule or limit.
    pub fn refuse(&self, rule: &str) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let mut by = self.refused_by.lock().unwrap_or_else(PoisonError::into_inner);
        *by.entry(rule.to_owned()).or_default() += 1;
    }
}

impl HubHandle {
    /// Hands on a record; drops and counts it if the hub is far behind.
    pub fn record(&self, call: CallId, record: Arc<Record>) {
        if self.to.try_send(In::Record(call, record)).is_err() {
            self.counters.records_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Everything, and then what happens.
    pub async fn subscribe(&self) -> Option<(Snapshot, broadcast::Receiver<Arc<StreamItem>>)> {
        let (reply, answer) = oneshot::channel();
        self.to.send(In::Subscribe(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Everything once.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        let (reply, answer) = oneshot::channel();
        self.to.send(In::Snapshot(reply)).await.ok()?;
        answer.await.ok()
    }

    /// The gateway, without its calls.
    pub async fn gateway(&self) -> Option<GatewayView> {
        let (reply, answer) = oneshot::channel();
        self.to.send(In::Gateway(reply)).await.ok()?;
        answer.await.ok()
    }

    /// One call, if it is there; none outside if the hub is gone.
    pub async fn session(&self, call: CallId) -> Option<Option<SessionView>> {
        let (reply, answer) = oneshot::channel();
        self.to.send(In::Session(call, reply)).await.ok()?;
        answer.await.ok()
    }

    /// How the trunks are.
    pub fn trunks(&self, views: Vec<TrunkView>) {
        let _ = self.to.try_send(In::Trunks(views));
    }

    /// Who is registered.
    pub fn users(&self, views: Vec<UserView>) {
        let _ = self.to.try_send(In::Users(views));
    }

    /// A text came in.
    pub fn text(&self, item: StreamItem) {
        let _ = self.to.try_send(In::Text(Box::new(item)));
    }

    /// The writer's trouble; an empty text says that it is over.
    pub fn recording_problem(&self, problem: String) {
        let _ = self.to.try_send(In::RecordingProblem(problem));
    }
}

/// Starts the hub.
#[must_use]
pub fn start(name: &str, listening: Vec<String>, post: Post) -> HubHandle {
    let (to, from) = mpsc::channel(65_536);
    let counters = Arc::new(Counters::default());
    let hub = Hub {
        name: name.to_owned(),
        listening,
        started: SystemClock::now(),
        sessions: HashMap::new(),
        finished: Vec::new(),
        subscribers: broadcast::Sender::new(LAG_MAX),
        counters: Arc::clone(&counters),
        problem: String::new(),
        trunks: Vec::new(),
        users: Vec::new(),
    };
    tokio::spawn(async move {
        let _post = post;
        hub.run(from).await;
    });
    HubHandle { to, counters }
}

struct Hub {
    name: String,
    listening: Vec<String>,
    started: Instant,
    sessions: HashMap<CallId, SessionView>,
    finished: Vec<(Instant, CallId)>,
    subscribers: broadcast::Sender<Arc<StreamItem>>,
    counters: Arc<Counters>,
    problem: String,
    trunks: Vec<TrunkView>,
    users: Vec<UserView>,
}

impl Hub {
    async fn run(mut self, mut from: mpsc::Receiver<In>) {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                input = from.recv() => {
                    let Some(input) = input else { return };
                    self.handle(input);
                }
                _ = second.tick() => {
                    self.forget_old();
                    if self.subscribers.receiver_count() > 0 {
                        self.publish(StreamItem::Gateway(Box::new(self.view())));
                    }
                }
            }
        }
    }

    fn handle(&mut self, input: In) {
        match input {
            In::Record(call, record) => {
                let view = self.sessions.entry(call).or_default();
                view.apply(&record);
                if view.summary.is_some() {
                    self.finished.push((SystemClock::now(), call));
                }
                if self.subscribers.receiver_count() > 0 {
                    self.publish(StreamItem::Record { call, record: (*record).clone() });
                }
            }
            In::Subscribe(reply) => {
                let receiver = self.subscribers.subscribe();
                let _ = reply.send((self.snapshot(), receiver));
            }
            In::Snapshot(reply) => {
                let _ = reply.send(self.snapshot());
            }
            In::Gateway(reply) => {
                let _ = reply.send(self.view());
            }
            In::Session(call, reply) => {
                let _ = reply.send(self.sessions.get(&call).cloned());
            }
            In::RecordingProblem(problem) => self.problem = problem,
            In::Trunks(views) => self.trunks = views,
            In::Users(views) => self.users = views,
            In::Text(item) => self.publish(*item),
        }
    }

    fn publish(&self, item: StreamItem) {
        let _ = self.subscribers.send(Arc::new(item));
    }

    fn forget_old(&mut self) {
        let now = SystemClock::now();
        let surplus = self.finished.len().saturating_sub(KEEP_MAX);
        let old = self.finished.iter().take_while(|(at, _)| now.since(*at) > KEEP_FINISHED).count().max(surplus);
        for (_, call) in self.finished.drain(..old) {
            self.sessions.remove(&call);
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut sessions: Vec<SessionView> = self.sessions.values().cloned().collect();
        sessions.sort_by(|a, b| {
            (a.state.is_over(), &b.header.started, a.call()).cmp(&(b.state.is_over(), &a.header.started, b.call()))
        });
        Snapshot { schema: SNAPSHOT_SCHEMA.to_owned(), gateway: self.view(), sessions }
    }

    fn view(&self) -> GatewayView {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let running = || self.sessions.values().filter(|view| !view.state.is_over());
        let up = running().filter(|view| view.answered_at.is_some()).count();
        GatewayView {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: SystemClock::now().since(self.started).as_secs_f64().round(),
            now: SystemClock::wall().rfc3339(),
            draining: self.counters.draining.load(Ordering::Relaxed),
            overloaded: self.counters.overloaded.load(Ordering::Relaxed),
            up: u32::try_from(up).unwrap_or(u32::MAX),
            ringing: u32::try_from(running().count() - up).unwrap_or(u32::MAX),
            calls_total: count(&self.counters.calls),
            refused_total: count(&self.counters.refused),
            refused_unrecorded_total: count(&self.counters.refused_unrecorded),
            refused_by: self.counters.refused_by.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            sip_dropped_total: count(&self.counters.dropped),
            records_dropped_total: count(&self.counters.records_dropped),
            rtp_ports_used: self.counters.rtp_ports.get().map_or(0, Ports::used),
            rtp_ports: self.counters.rtp_ports.get().map_or(0, Ports::capacity),
            web_strays_total: count(&self.counters.web_strays),
            recording_problem: self.problem.clone(),
            listening: self.listening.clone(),
            trunks: self.trunks.clone(),
            users: self.users.clone(),
        }
    }
}

/// Where a call's records and sound go.
#[derive(Clone, Debug)]
pub struct Sink {
    /// The hub.
    pub hub: HubHandle,
    /// The disk, if calls are kept.
    pub writer: Option<writer::WriterHandle>,
}

impl Sink {
    /// Ends the records of a call that cannot do it itself any more, `t` seconds after its start.
    pub fn broken_off(&self, call: CallId, t: f64, reason: &str) {
        for record in summary::broken_off(rounded(t), reason).map(Arc::new) {
            if let Some(writer) = &self.writer {
                writer.send(writer::In::Line(call, Arc::clone(&record)));
            }
            self.hub.record(call, record);
        }
        if let Some(writer) = &self.writer {
            writer.send(writer::In::Close(call));
        }
    }
}
