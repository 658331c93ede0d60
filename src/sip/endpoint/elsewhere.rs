//! Failover (RFC 3263 §4.3): a target that is silent, unreachable or answers 503 is left for the next.
//!
//! The engine has the list of targets; here is known when one has failed, and how the request goes to another: the same
//! but for its Via, with a branch of its own. A challenge that was answered was the old target's.

use super::{
    AskId, Ended, EndedBy, Endpoint, Event, Instant, Key, LegId, Path, Response, ask::Asked, leg::Stage, number_of,
};
use crate::sip::tx::{T1_64, table::State};
use std::time::Duration;

/// How long a target may be silent when there is another. Timer B's 64·T1 is a SHOULD (RFC 3261 §17.1.1.2); within 8·T1
/// a request has gone out four times.
const SILENT_MAX: Duration = Duration::from_secs(4);

/// What goes to a list of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attempt {
    /// An INVITE.
    Leg(LegId),
    /// A request outside of calls.
    Ask(AskId),
}

/// Why a target did not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// 503 that it said or that stands for a lost connection; 408 for silence.
    pub status: u16,
    /// In words.
    pub why: String,
    /// Its `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// No word within the time.
    pub(super) fn silent() -> Self {
        Self { status: 408, why: "no answer".to_owned(), retry_after: None }
    }

    /// It could not be reached.
    pub(super) fn lost(why: &str) -> Self {
        Self { status: 503, why: why.to_owned(), retry_after: None }
    }

    /// It said so.
    pub(super) fn of(response: &Response) -> Self {
        let digits = response.headers.first("Retry-After").unwrap_or_default().trim();
        let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
        Self {
            status: response.status,
            why: format!("{} {}", response.status, response.reason),
            retry_after: digits.parse().ok().map(Duration::from_secs),
        }
    }
}

impl Endpoint {
    /// Our call is not to ring any longer than `span` from now.
    pub(super) fn give_up_after(&mut self, now: Instant, id: LegId, span: Duration) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.give_up_at = now + span;
            self.arm_leg(id);
        }
    }

    /// It has rung for long enough.
    pub(super) fn give_up_timer(&mut self, now: Instant, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| now >= leg.give_up_at) else { return };
        leg.give_up_at = Instant::FAR_FUTURE;
        if leg.stage == Stage::Early {
            self.hang_up(now, id, None);
        }
    }

    /// So many targets are left: this one is not waited for as long.
    pub(super) fn spares(&mut self, now: Instant, attempt: Attempt, count: usize) {
        let key = match attempt {
            Attempt::Leg(id) => {
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.spares = count;
                    leg.sign_by = if count > 0 { now + SILENT_MAX } else { Instant::FAR_FUTURE };
                    self.arm_leg(id);
                }
                None
            }
            Attempt::Ask(id) => self.asks.iter_mut().find(|(_, asked)| asked.id == id).map(|(key, asked)| {
                asked.spares = count;
                key.clone()
            }),
        };
        if let Some(key) = key.filter(|_| count > 0) {
            self.wait_less(now, &key);
        }
    }

    /// The target has had its time. Its transaction goes on to its end without a leg: what it still answers to this
    /// INVITE is cancelled, or acknowledged and ended, as for a call that was hung up.
    pub(super) fn sign_timer(&mut self, now: Instant, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| now >= leg.sign_by) else { return };
        leg.sign_by = Instant::FAR_FUTURE;
        let Some(key) = leg.invite.clone() else { return };
        if self.transactions.get(&key).is_none_or(|tx| tx.state != State::Trying) {
            return;
        }
        if self.leg_elsewhere(id, &Failure::silent()) {
            self.clients.remove(&key);
            if let Some(tx) = self.transactions.get_mut(&key) {
                tx.fall_silent();
            }
        }
    }

    fn wait_less(&mut self, now: Instant, key: &Key) {
        if let Some(tx) = self.transactions.get_mut(key).filter(|tx| tx.state == State::Trying) {
            tx.end_by(now + SILENT_MAX);
            self.arm(key);
        }
    }

    /// A provisional answer: whoever works on it has all the time there is.
    pub(super) fn ask_is_heard(&mut self, now: Instant, key: &Key) {
        if self.asks.get(key).is_some_and(|asked| asked.spares > 0)
            && let Some(tx) = self.transactions.get_mut(key)
        {
            tx.end_by(now + T1_64);
            self.arm(key);
        }
    }

    /// Our INVITE is to go elsewhere; false if there is no elsewhere.
    pub(super) fn leg_elsewhere(&mut self, id: LegId, failure: &Failure) -> bool {
        let Some(leg) = self.legs.get_mut(&id) else { return false };
        if leg.spares == 0 || leg.stage != Stage::Early || leg.dialog.is_some() {
            return false;
        }
        let request = leg.invite.take().and_then(|key| self.transactions.get(&key).map(|tx| &tx.request));
        let Some(number) = request.map(|request| number_of(&request.headers)) else { return false };
        leg.spares -= 1;
        leg.resumes = Some(number);
        leg.challenges.clear();
        self.event(Event::TryNext(Attempt::Leg(id), failure.clone()));
        true
    }

    /// The same for something asked.
    pub(super) fn ask_elsewhere(&mut self, mut asked: Asked, failure: &Failure) {
        asked.spares -= 1;
        asked.answered.clear();
        let id = asked.id;
        self.between.insert(id, asked);
        self.event(Event::TryNext(Attempt::Ask(id), failure.clone()));
    }

    /// The engine has found the next target, or none.
    pub(super) fn next_target(&mut self, now: Instant, attempt: Attempt, path: Result<Path, String>) {
        match attempt {
            Attempt::Leg(id) => self.leg_next(now, id, path),
            Attempt::Ask(id) => {
                let Some(mut asked) = self.between.remove(&id) else { return };
                match path {
                    Ok(path) => {
                        asked.ask.path = path;
                        let spares = asked.spares;
                        self.send_ask(now, asked, Vec::new());
                        self.spares(now, attempt, spares);
                    }
                    Err(why) => self.ask_over(&asked, 503, why),
                }
            }
        }
    }

    fn leg_next(&mut self, now: Instant, id: LegId, path: Result<Path, String>) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let (Some(number), Some(outgoing)) = (leg.resumes.take(), leg.outgoing.as_mut()) else { return };
        match path.and_then(|path| keep_keys(outgoing, path)) {
            Ok(path) => {
                outgoing.path = path;
                leg.path = path;
                let spares = leg.spares;
                self.send_invite(now, id, number);
                self.spares(now, Attempt::Leg(id), spares);
            }
            Err(_) if self.next_contact(id, number) => {}
            Err(reason) => {
                let ended = Ended { by: EndedBy::Network, status: Some(408), reason, answered_by_peer: false };
                self.end(now, id, ended);
            }
        }
    }
}

/// Keys of SRTP that began their way over TLS do not go on where they can be read (RFC 4568 §7).
fn keep_keys(outgoing: &super::Outgoing, path: Path) -> Result<Path, String> {
    let exposed = outgoing.path.transport.is_secure() && !path.transport.is_secure();
    if exposed && outgoing.sdp.contains("a=crypto:") {
        return Err(format!("SRTP keys must not go over {}", path.transport.lower_name()));
    }
    Ok(path)
}
