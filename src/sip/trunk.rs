//! One upstream: registered and kept so, pinged, with failover (RFC 3261 §10.2, RFC 5626 §4.5 for the waiting).
//!
//! Says what to ask when, and takes what came back. Does not know sockets, names or credentials: the engine asks.

use crate::clock::Instant;
use std::time::Duration;

/// The first wait after a failure; each further one doubles it.
const WAIT_FIRST: Duration = Duration::from_secs(2);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_mins(5);

/// How a trunk is kept up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many servers there are.
    pub servers: usize,
    /// Register there.
    pub register: bool,
    /// Asked for when registering.
    pub expires: Duration,
    /// OPTIONS this often; zero never.
    pub ping: Duration,
}

/// What to ask the server at this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// REGISTER for so long; zero removes the binding.
    Register(usize, Duration),
    /// OPTIONS.
    Ping(usize),
}

/// What came back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer {
    /// Final status; 408 for none.
    pub status: u16,
    /// Of our Contact, or the header.
    pub expires: Option<Duration>,
    /// `Min-Expires` of a 423.
    pub min_expires: Option<Duration>,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// Where a trunk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Asked, not answered yet.
    Trying,
    /// Registered, or answering pings.
    Up,
    /// Neither registered nor pinged: nothing is known.
    Unwatched,
    /// Refused or silent, with the newest status.
    Down(u16),
}

/// The machine.
#[derive(Debug)]
pub struct Trunk {
    settings: Settings,
    state: State,
    server: usize,
    expires: Duration,
    failures: u32,
    /// Servers tried since the last success.
    tried: usize,
    register_at: Instant,
    ping_at: Instant,
    registering: bool,
    pinging: Option<Instant>,
    registered_until: Instant,
    round_trip: Option<Duration>,
    leaving: bool,
}

impl Trunk {
    /// A trunk that begins at `now`.
    #[must_use]
    pub const fn new(now: Instant, settings: Settings) -> Self {
        let watched = settings.register || !settings.ping.is_zero();
        Self {
            state: if watched { State::Trying } else { State::Unwatched },
            server: 0,
            expires: settings.expires,
            failures: 0,
            tried: 0,
            register_at: if settings.register { now } else { Instant::FAR_FUTURE },
            ping_at: if settings.ping.is_zero() { Instant::FAR_FUTURE } else { now },
            registering: false,
            pinging: None,
            registered_until: Instant::ZERO,
            round_trip: None,
            leaving: false,
            settings,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The server in use.
    #[must_use]
    pub const fn server(&self) -> usize {
        self.server
    }

    /// For how long the registration still holds.
    #[must_use]
    pub fn registered_for(&self, now: Instant) -> Option<Duration> {
        (self.settings.register && self.registered_until > now).then(|| self.registered_until.since(now))
    }

    /// Whether there is still something to take back: a binding, or a REGISTER whose answer is not there yet.
    #[must_use]
    pub fn is_leaving(&self, now: Instant) -> bool {
        self.registered_for(now).is_some() || self.settings.register && self.registering
    }

    /// The newest ping's round trip.
    #[must_use]
    pub const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// When to call [`Self::poll`] again.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        let register = if self.registering { Instant::FAR_FUTURE } else { self.register_at };
        let ping = if self.pinging.is_some() { Instant::FAR_FUTURE } else { self.ping_at };
        register.min(ping)
    }

    /// What is to be asked now; call it until it gives none.
    pub fn poll(&mut self, now: Instant) -> Option<Wish> {
        if !self.registering && now >= self.register_at {
            self.registering = true;
            self.register_at = Instant::FAR_FUTURE;
            let expires = if self.leaving { Duration::ZERO } else { self.expires };
            return Some(Wish::Register(self.server, expires));
        }
        if self.pinging.is_none() && now >= self.ping_at {
            self.pinging = Some(now);
            self.ping_at = Instant::FAR_FUTURE;
            return Some(Wish::Ping(self.server));
        }
        None
    }

    /// Takes the binding back, if there is one or one is asked for.
    pub fn leave(&mut self, now: Instant) {
        if self.registered_for(now).is_some() || self.registering {
            self.leaving = true;
            self.register_at = now;
        }
        self.ping_at = Instant::FAR_FUTURE;
    }

    /// The connection that it was registered over is gone, and with it the way to us (RFC 5626 §4.4): registers anew at
    /// once, spread over a second by `random` (0 to 1), because a server that goes takes many connections along.
    pub fn flow_lost(&mut self, now: Instant, random: f64) {
        if !self.leaving && !self.registering && self.registered_for(now).is_some() {
            self.state = State::Trying;
            self.registered_until = Instant::ZERO;
            self.register_at = now + Duration::from_secs(1).mul_f64(random);
        }
    }

    /// A wish was answered; `random` (0 to 1) spreads the times of many trunks. True if the state has changed.
    pub fn answered(&mut self, now: Instant, wish: Wish, answer: Answer, random: f64) -> bool {
        let before = self.state;
        match wish {
            Wish::Register(_, expires) if self.leaving && !expires.is_zero() => {
                // It was under way when we left: what it brought is taken back next.
                self.registering = false;
                if (200..300).contains(&answer.status) {
                    self.registered_until = now + answer.expires.unwrap_or(expires);
                }
            }
            Wish::Register(..) => self.registered(now, answer, random),
            Wish::Ping(server) => self.pinged(now, server, answer, random),
        }
        before != self.state
    }

    fn registered(&mut self, now: Instant, answer: Answer, random: f64) {
        self.registering = false;
        if self.leaving {
            self.registered_until = Instant::ZERO;
            self.state = State::Down(answer.status);
            return;
        }
        match answer.status {
            200..=299 => {
                let granted = answer.expires.unwrap_or(self.expires).max(Duration::from_secs(1));
                self.state = State::Up;
                self.failures = 0;
                self.tried = 0;
                self.registered_until = now + granted;
                // Early enough for several repetitions before it runs out, and not all trunks at once.
                self.register_at = now + granted.mul_f64(0.7 + 0.15 * random);
            }
            423 if answer.min_expires.is_some_and(|min| min > self.expires) => {
                self.expires = answer.min_expires.unwrap_or(self.expires);
                self.register_at = now;
            }
            status => self.failed(now, status, answer.retry_after, random),
        }
    }

    fn pinged(&mut self, now: Instant, server: usize, answer: Answer, random: f64) {
        let sent_at = self.pinging.take().unwrap_or(now);
        if self.leaving {
            return;
        }
        self.ping_at = now + self.settings.ping.mul_f64(0.9 + 0.2 * random);
        if server != self.server {
            return;
        }
        // Any answer says that somebody is there; 503 says that they take no calls.
        let alive = !matches!(answer.status, 408 | 503);
        self.round_trip = alive.then(|| now.since(sent_at));
        if alive {
            if !self.settings.register {
                self.state = State::Up;
                self.tried = 0;
            }
        } else if self.settings.register {
            // Do not wait for the refresh to find out.
            if self.state == State::Up {
                self.failed(now, answer.status, answer.retry_after, random);
            }
        } else {
            self.state = State::Down(answer.status);
            self.next_server();
            self.ping_at = if self.tried < self.settings.servers { now } else { self.ping_at };
        }
    }

    fn failed(&mut self, now: Instant, status: u16, retry_after: Option<Duration>, random: f64) {
        self.state = State::Down(status);
        self.registered_until = Instant::ZERO;
        // Wrong credentials are wrong at every server; another may help with the rest.
        let elsewhere = !matches!(status, 401 | 403 | 407 | 404);
        if elsewhere {
            self.next_server();
            if self.tried < self.settings.servers && retry_after.is_none() {
                self.register_at = now;
                return;
            }
            self.tried = 0;
        }
        let doubled = WAIT_FIRST * 2_u32.pow(self.failures.min(10));
        self.failures += 1;
        let wait = if elsewhere { doubled.min(WAIT_MAX) } else { WAIT_MAX };
        // Between half of it and all of it: a thousand clients do not come back in one moment.
        let wait = wait.mul_f64(0.5 + 0.5 * random);
        self.register_at = now + retry_after.map_or(wait, |after| after.max(wait));
    }

    const fn next_server(&mut self) {
        self.tried += 1;
        if self.settings.servers > 0 {
            self.server = (self.server + 1) % self.settings.servers;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(servers: usize, register: bool, ping_s: u64) -> Settings {
        Settings { servers, register, expires: Duration::from_mins(10), ping: Duration::from_secs(ping_s) }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    fn status(status: u16) -> Answer {
        Answer { status, ..Answer::default() }
    }

    #[test]
    fn a_registration_is_refreshed_before_it_runs_out() {
        let mut trunk = Trunk::new(at(0), settings(1, true, 0));
        let wish = trunk.poll(at(0)).unwrap();
        assert_eq!(wish, Wish::Register(0, Duration::from_mins(10)));
        assert_eq!(trunk.poll(at(0)), None, "one at a time");
        let granted = Answer { status: 200, expires: Some(Duration::from_secs(100)), ..Answer::default() };
        assert!(trunk.answered(at(1), wish, granted, 1.0));
        assert_eq!((trunk.state(), trunk.timeout()), (State::Up, at(86)));
        assert_eq!(trunk.registered_for(at(51)), Some(Duration::from_secs(50)));
        trunk.leave(at(60));
        assert_eq!(trunk.poll(at(60)), Some(Wish::Register(0, Duration::ZERO)));
    }

    #[test]
    fn a_registration_that_comes_while_leaving_is_taken_back() {
        let mut trunk = Trunk::new(at(0), settings(1, true, 0));
        let wish = trunk.poll(at(0)).unwrap();
        trunk.leave(at(1));
        assert_eq!(trunk.poll(at(1)), None, "one at a time");
        trunk.answered(at(2), wish, status(200), 0.5);
        assert!(trunk.registered_for(at(2)).is_some());
        let wish = trunk.poll(at(2)).unwrap();
        assert_eq!(wish, Wish::Register(0, Duration::ZERO));
        trunk.answered(at(3), wish, status(200), 0.5);
        assert!(trunk.registered_for(at(3)).is_none() && trunk.timeout().is_far_future());
    }

    #[test]
    fn who_leaves_before_the_first_answer_waits_for_it() {
        let mut trunk = Trunk::new(at(0), settings(1, true, 0));
        let wish = trunk.poll(at(0)).unwrap();
        trunk.leave(at(0));
        assert!(trunk.is_leaving(at(0)));
        trunk.answered(at(1), wish, status(200), 0.5);
        let wish = trunk.poll(at(1)).unwrap();
        assert!(trunk.is_leaving(at(1)));
        trunk.answered(at(2), wish, status(200), 0.5);
        assert!(!trunk.is_leaving(at(2)));
        let mut idle = Trunk::new(at(0), settings(1, false, 30));
        idle.poll(at(0));
        idle.leave(at(0));
        assert!(!idle.is_leaving(at(0)), "a ping is nothing to wait for");
    }

    #[test]
    fn a_lost_connection_registers_anew_within_a_second() {
        let mut trunk = Trunk::new(at(0), settings(1, true, 0));
        let wish = trunk.poll(at(0)).unwrap();
        trunk.flow_lost(at(0), 1.0);
        assert_eq!(trunk.poll(at(1)), None, "one is under way");
        trunk.answered(at(1), wish, status(200), 0.5);
        trunk.flow_lost(at(5), 1.0);
        assert_eq!((trunk.state(), trunk.timeout()), (State::Trying, at(6)));
        assert_eq!(trunk.poll(at(6)), Some(wish));
        trunk.leave(at(6));
        trunk.flow_lost(at(6), 1.0);
        assert!(trunk.timeout().is_far_future(), "who leaves does not come back");
    }

    #[test]
    fn failures_go_to_the_next_server_and_then_wait_longer_and_longer() {
        let mut trunk = Trunk::new(at(0), settings(2, true, 0));
        let mut now = at(0);
        let mut waits = Vec::new();
        let mut servers = Vec::new();
        for _ in 0..8 {
            let wish = trunk.poll(now).unwrap();
            if let Wish::Register(server, _) = wish {
                servers.push(server);
            }
            trunk.answered(now, wish, status(408), 1.0);
            waits.push(trunk.timeout().since(now).as_secs());
            now = trunk.timeout();
        }
        assert_eq!(servers, [0, 1, 0, 1, 0, 1, 0, 1]);
        assert_eq!(waits, [0, 2, 0, 4, 0, 8, 0, 16]);
        assert_eq!(trunk.state(), State::Down(408));
    }

    #[test]
    fn wrong_credentials_wait_long_and_stay_where_they_are() {
        let mut trunk = Trunk::new(at(0), settings(2, true, 0));
        let wish = trunk.poll(at(0)).unwrap();
        trunk.answered(at(0), wish, status(403), 0.0);
        assert_eq!((trunk.server(), trunk.timeout()), (0, at(150)));
    }

    #[test]
    fn brief_intervals_and_retry_after_are_heeded() {
        let mut trunk = Trunk::new(at(0), settings(1, true, 0));
        let wish = trunk.poll(at(0)).unwrap();
        let brief = Answer { status: 423, min_expires: Some(Duration::from_mins(15)), ..Answer::default() };
        trunk.answered(at(0), wish, brief, 0.5);
        let wish = trunk.poll(at(0)).unwrap();
        assert_eq!(wish, Wish::Register(0, Duration::from_mins(15)));
        let busy = Answer { status: 503, retry_after: Some(Duration::from_mins(2)), ..Answer::default() };
        trunk.answered(at(0), wish, busy, 0.5);
        assert_eq!(trunk.timeout(), at(120));
    }

    #[test]
    fn pings_tell_whether_a_trunk_is_there() {
        let mut trunk = Trunk::new(at(0), settings(2, false, 30));
        let wish = trunk.poll(at(0)).unwrap();
        assert!(trunk.answered(at(1), wish, status(405), 0.5));
        assert_eq!((trunk.state(), trunk.round_trip()), (State::Up, Some(Duration::from_secs(1))));
        let wish = trunk.poll(trunk.timeout()).unwrap();
        trunk.answered(at(40), wish, status(408), 0.5);
        assert_eq!((trunk.state(), trunk.server(), trunk.timeout()), (State::Down(408), 1, at(40)));
    }
}
