//! Keep-alives of our own on connections that we made and are registered over (RFC 5626 §3.5.1, RFC 7118 §6).
//!
//! A dead connection is noticed by its missing pong. Byte streams: who has ponged once must go on, for plain RFC 3261
//! peers never do. WebSocket: everybody must (RFC 6455 §5.5.2). Used by the loops of `stream` and `ws`.

use rand::RngExt as _;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// RFC 5626 §4.4.1: a pong comes within this time.
pub(super) const PONG_WITHIN: Duration = Duration::from_secs(10);

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Send a ping.
    Ping,
    /// Nothing yet.
    Rest,
    /// No pong came.
    Dead,
}

/// The pace of one connection.
#[derive(Debug)]
pub(super) struct Keep {
    on: Arc<AtomicBool>,
    every: Duration,
    next: Option<Instant>,
    waiting: bool,
    pongs: bool,
}

impl Keep {
    /// One that pings `every` so often once `on` says so; `pongs` if the far end is bound to answer.
    pub(super) fn new(every: Duration, on: Arc<AtomicBool>, pongs: bool) -> Self {
        let mut keep = Self { on, every, next: None, waiting: false, pongs };
        keep.rest();
        keep
    }

    /// For those who connected to us.
    pub(super) fn never() -> Self {
        Self::new(Duration::ZERO, Arc::default(), false)
    }

    /// Waits until something is due.
    pub(super) async fn due(&self) {
        match self.next {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// What is due now.
    pub(super) fn beat(&mut self) -> Beat {
        if self.waiting && self.pongs {
            return Beat::Dead;
        }
        self.rest();
        if !self.on.load(Ordering::Relaxed) {
            return Beat::Rest;
        }
        self.waiting = true;
        if self.pongs {
            self.next = Some(Instant::now() + PONG_WITHIN);
        }
        Beat::Ping
    }

    /// A ping is out.
    pub(super) const fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Something came: the far end lives. `pong` if it was one.
    pub(super) fn heard(&mut self, pong: bool) {
        self.pongs |= pong;
        if std::mem::take(&mut self.waiting) {
            self.rest();
        }
    }

    /// The next ping: between 80 and 100 % of the interval, so that many do not beat as one.
    fn rest(&mut self) {
        let share = 0.8 + 0.2 * rand::rng().random::<f64>();
        self.next = (!self.every.is_zero()).then(|| Instant::now() + self.every.mul_f64(share));
    }
}
