//! Media workers: one thread with one runtime per core; a call lives and dies on one of them.

use super::{
    engine::ToEngine,
    line::{Lines, across},
    mux::Mux,
    pressure::Pace,
    priority::{self, Granted},
    session::{self, Start},
};
use crate::{
    call::pipeline::SipAction,
    clock::SystemClock,
    error::{Error, Result},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;

/// A worker with so many calls rests before it looks for what came: being woken for each packet alone costs more than
/// the packet. With fewer there is no need, and their sound goes out at once.
const RESTS_FROM: usize = 32;
/// How long; sound is later by so much at most.
const REST: Duration = Duration::from_millis(2);

/// All workers.
#[derive(Clone, Debug)]
pub struct Workers {
    all: Vec<Worker>,
}

#[derive(Clone, Debug)]
struct Worker {
    to: mpsc::UnboundedSender<Work>,
    calls: Arc<AtomicUsize>,
    pace: Arc<Pace>,
}

/// What a worker is given.
#[derive(Debug)]
enum Work {
    Call(Box<Start>),
    /// A seat in a conference of this worker, for a session of another.
    Host(across::Host),
}

impl Workers {
    /// Starts `count` workers, 0 is one per core; `urgent` ones ask the kernel to come before other programs.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(count: usize, urgent: bool) -> Result<Self> {
        let all = (0..Self::count(count)).map(|number| start_one(number, urgent)).collect::<Result<_>>()?;
        Ok(Self { all })
    }

    /// How many `gateway.workers` are: 0 is one per core.
    #[must_use]
    pub fn count(wanted: usize) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if wanted == 0 { cores } else { wanted }
    }

    /// The worker with the fewest calls.
    #[must_use]
    pub fn least_busy(&self) -> usize {
        let calls = |number: &usize| self.all[*number].calls.load(Ordering::Relaxed);
        (0..self.all.len()).min_by_key(calls).unwrap_or(0)
    }

    /// Gives a call to a worker, by its number.
    pub fn spawn(&self, worker: usize, start: Start) {
        if let Some(worker) = self.all.get(worker) {
            worker.calls.fetch_add(1, Ordering::Relaxed);
            let _ = worker.to.send(Work::Call(Box::new(start)));
        }
    }

    /// Gives a worker the seat in its conference of a session that lives elsewhere.
    pub fn host(&self, worker: usize, host: across::Host) {
        if let Some(worker) = self.all.get(worker) {
            let _ = worker.to.send(Work::Host(host));
        }
    }

    /// Timers that have fired on all workers, and those among them that were late.
    #[must_use]
    pub fn pace(&self) -> (u64, u64) {
        let add = |(fired, late), worker: &Worker| {
            let (more, later) = worker.pace.counts();
            (fired + more, late + later)
        };
        self.all.iter().fold((0, 0), add)
    }

    /// Calls on all workers.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.all.iter().map(|worker| worker.calls.load(Ordering::Relaxed)).sum()
    }
}

fn start_one(number: usize, urgent: bool) -> Result<Worker> {
    let (to, mut from) = mpsc::unbounded_channel::<Work>();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let pace = Arc::new(Pace::default());
    let paced = Arc::clone(&pace);
    let failed = |source: std::io::Error| Error::machine(format!("could not start a media worker: {source}"));
    let resting = Arc::clone(&calls);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || {
            if resting.load(Ordering::Relaxed) >= RESTS_FROM {
                std::thread::sleep(REST);
            }
        })
        .build()
        .map_err(failed)?;
    std::thread::Builder::new()
        .name(format!("media-{number}"))
        .spawn(move || {
            let granted = urgent.then(priority::raise);
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async move {
                let (lines, mux) = (Lines::default(), Mux::default());
                let mut unsaid = granted.filter(|_| number == 0);
                while let Some(work) = from.recv().await {
                    let start = match work {
                        Work::Call(start) => *start,
                        Work::Host(host) => {
                            tokio::task::spawn_local(carry(host.at(lines.clone())));
                            continue;
                        }
                    };
                    if let Some(granted) = unsaid.take() {
                        say(granted);
                    }
                    let (counted, paced) = (Arc::clone(&counted), Arc::clone(&paced));
                    let (lines, mux) = (lines.clone(), mux.clone());
                    tokio::task::spawn_local(async move {
                        let (call, engine, sink) = (start.call, start.engine.clone(), start.sink.clone());
                        let began = SystemClock::now();
                        // A panic ends this call only: its task is its own.
                        let outcome = tokio::task::spawn_local(session::run(start, lines, mux, paced)).await;
                        if let Err(panic) = outcome {
                            tracing::error!(target: "call", event = "call.panicked", %call, "{panic}");
                            let t = SystemClock::now().since(began).as_secs_f64();
                            sink.broken_off(call, t, "a bug of voxgw ended this call; the log has more");
                            let reason = SipAction::HangUp("SIP;cause=500".into());
                            let _ = engine.send(ToEngine::Sip(call, reason)).await;
                            let _ = engine.send(ToEngine::SessionOver(call)).await;
                        }
                        counted.fetch_sub(1, Ordering::Relaxed);
                    });
                }
            });
        })
        .map_err(failed)?;
    Ok(Worker { to, calls, pace })
}

/// Carries the sound of a seat until its session is gone.
async fn carry(mut guest: across::Guest) {
    let mut tick = tokio::time::interval(across::TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        if !guest.carry(SystemClock::now()) {
            return;
        }
    }
}

/// Said once, with the first call of the first worker: all get the same.
fn say(granted: Granted) {
    let hint = match granted {
        Granted::RealTime => "",
        Granted::Favoured | Granted::Ordinary => {
            "other programs can delay calls; permit real time with LimitRTPRIO=10 or CAP_SYS_NICE"
        }
    };
    tracing::info!(target: "gateway", event = "media.priority", granted = granted.name(), hint);
}
