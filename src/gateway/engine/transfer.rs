//! Transfers (RFC 3515, RFC 5589): the far end sends us elsewhere, or we send it.

use super::{Command, Engine, Move, Path, Request, encryption, printable, targets::Trail};
use crate::{
    call::journal::Level,
    clock::SystemClock,
    error::Result,
    gateway::session::In,
    net::resolve::Found,
    sip::{
        endpoint::{Attempt, Ended, LegId, Outgoing},
        uri::{Uri, unescaped},
    },
    unit::CallId,
};
use std::time::Duration;
use tokio::sync::oneshot;

/// Whom we are sent to may ring for so long.
const RING_MAX: Duration = Duration::from_mins(1);

/// Whom a REFER names, and the way there.
#[derive(Debug)]
pub(super) struct Elsewhere {
    /// The leg that is to be left.
    leg: LegId,
    to: Uri,
    path: Path,
    trail: Trail,
}

impl Engine {
    /// The operator sends a call's far end elsewhere; false if there is no such call. A page knows no REFER: we call there
    /// ourselves, if we can, and put it through.
    pub(super) fn transfer(&mut self, call: CallId, to: Uri) -> bool {
        let Some(leg) = self.leg_of(call) else { return false };
        if self.sessions.get(&leg).is_none_or(|known| !known.is_page) {
            self.endpoint.command(SystemClock::now(), Command::Transfer(leg, to));
        } else if let Err(why) = self.put_page_through(call, leg, &to) {
            self.tell(leg, In::Note(Level::Warn, format!("the page is not transferred: {}", printable(&why))));
        }
        true
    }

    /// The far end asks us to call somebody else: the session goes on with them, if they answer.
    pub(super) fn referred(&mut self, leg: LegId, to: Uri) {
        // A stranger's REFER would make us call, and pay for, whomever the stranger likes.
        if self.draining.is_some() || !self.sessions.get(&leg).is_some_and(|known| known.may_refer) {
            self.sink.hub.counters.refuse("outbound.transfers");
            self.tell(leg, In::Note(Level::Warn, "a transfer is refused by outbound.transfers".to_owned()));
            self.endpoint.command(SystemClock::now(), Command::TellReferrer(leg, 403));
            return;
        }
        self.tell(leg, In::Note(Level::Info, format!("the far end transfers us to {}", printable(&to.to_string()))));
        let (requests, resolver) = (self.requests_to.clone(), self.resolver.clone());
        tokio::spawn(async move {
            let found = resolver.find(&to).await;
            if let Some(requests) = requests.upgrade() {
                let _ = requests.send(Request::Referral(leg, to, found)).await;
            }
        });
    }

    pub(super) fn follow(&mut self, leg: LegId, to: Uri, found: Result<Found>) {
        if let Err(refused) = self.tolls.begin(SystemClock::now(), &unescaped(to.number())) {
            self.sink.hub.counters.refuse(refused.rule);
            self.tell(
                leg,
                In::Note(Level::Warn, format!("the transfer is refused by {}: {}", refused.rule, refused.why)),
            );
            self.endpoint.command(SystemClock::now(), Command::TellReferrer(leg, 403));
            return;
        }
        let found = found.and_then(|found| self.set_out(&to, found)).and_then(|(path, mut trail)| {
            let srtp = self.encryption(&path, None, &to.host);
            encryption::check(&srtp, &path)?;
            if encryption::has_keys(&srtp) {
                trail.stay_secure();
            }
            Ok((path, trail))
        });
        if let Err(problem) = &found {
            self.tell(leg, In::Note(Level::Warn, printable(&format!("the transfer failed: {problem}")).into_owned()));
        }
        let (Ok((path, trail)), Some(known)) = (found, self.sessions.get(&leg)) else {
            self.endpoint.command(SystemClock::now(), Command::TellReferrer(leg, 503));
            return;
        };
        let (reply, offer) = oneshot::channel();
        let _ = known.to.try_send(In::OfferAgain(reply, !path.transport.is_secure()));
        let requests = self.requests_to.clone();
        // Nobody waits for a session while all others wait for us.
        tokio::spawn(async move {
            let offer = offer.await.ok();
            if let Some(requests) = requests.upgrade() {
                let _ = requests.send(Request::Elsewhere(Box::new(Elsewhere { leg, to, path, trail }), offer)).await;
            }
        });
    }

    /// The session has made its offer for whom a REFER names; none if it is over.
    pub(super) fn follow_with(&mut self, elsewhere: Elsewhere, offer: Option<String>) {
        let Elsewhere { leg, mut to, path, trail } = elsewhere;
        let Some(sdp) = offer.filter(|_| self.sessions.contains_key(&leg)) else {
            self.endpoint.command(SystemClock::now(), Command::TellReferrer(leg, 503));
            return;
        };
        // Headers in a Refer-To are headers of the INVITE: Replaces, of an attended transfer (RFC 3891 §3).
        let headers = headers_of(&std::mem::take(&mut to.headers));
        let (user, host) = ("voxgw".to_owned(), path.local.ip().to_string());
        let new = self.endpoint.new_leg();
        let outgoing = Outgoing {
            to,
            target: None,
            from: Uri::sip(&user, &host, Some(path.local.port())),
            display: String::new(),
            path,
            sdp,
            headers,
            credentials: None,
        };
        self.moves.insert(new, Move { from: leg, ended: None });
        self.endpoint.command(SystemClock::now(), Command::Invite(new, Box::new(outgoing)));
        self.endpoint.command(SystemClock::now(), Command::GiveUpAfter(new, RING_MAX));
        self.go_along(Attempt::Leg(new), trail, Some(path.local.ip()));
    }

    /// The new far end has answered: the session is theirs.
    pub(super) fn moved(&mut self, new: LegId, moving: &Move, sdp: Option<Vec<u8>>) {
        let now = SystemClock::now();
        self.endpoint.command(now, Command::TellReferrer(moving.from, 200));
        let Some(known) = self.sessions.remove(&moving.from) else {
            self.endpoint.command(now, Command::HangUp(new, None));
            return;
        };
        if known.to.try_send(In::Moved(new, sdp)).is_err() {
            self.endpoint.command(now, Command::HangUp(new, None));
            return;
        }
        self.sessions.insert(new, known);
        self.bridges.moved(moving.from, new);
        self.endpoint.command(now, Command::HangUp(moving.from, Some("SIP;cause=200;text=\"transferred\"".into())));
    }

    /// The session on `leg` ends, or wants to: nobody is to take it over any more.
    pub(super) fn give_up_moves_of(&mut self, leg: LegId) {
        let new: Vec<LegId> = self.moves.iter().filter(|(_, moving)| moving.from == leg).map(|(new, _)| *new).collect();
        for new in new {
            self.endpoint.command(SystemClock::now(), Command::HangUp(new, None));
        }
    }

    /// A leg is over: its session's end, unless the session is on its way to another leg.
    pub(super) fn ended(&mut self, leg: LegId, ended: Ended) {
        self.ended_refused(leg);
        self.trails.elsewhere.remove(&leg);
        // Who wanted a place and hung up does not take it.
        self.replacing.retain(|_, (new, _)| *new != leg);
        self.tolls.ended(SystemClock::now(), leg);
        if let Some(moving) = self.moves.remove(&leg) {
            let status = ended.status.filter(|status| *status >= 300).unwrap_or(503);
            self.endpoint.command(SystemClock::now(), Command::TellReferrer(moving.from, status));
            let text = format!("the transfer failed with {status}: {}", printable(&ended.reason));
            self.tell(moving.from, In::NotMoved(text));
            if let Some(ended) = moving.ended {
                self.tell(moving.from, In::Ended(ended));
            }
            return;
        }
        // Many hang up as soon as they know that we call: the session waits for what comes of that.
        if let Some(moving) = self.moves.values_mut().find(|moving| moving.from == leg) {
            moving.ended = Some(ended);
            return;
        }
        self.tell(leg, In::Ended(ended.clone()));
        self.bridge_ended(leg, &ended);
    }

    /// A digit of ours was not taken.
    pub(super) fn not_pressed(&self, leg: LegId, status: u16) {
        let why = if status == 405 { "takes no INFO".to_owned() } else { format!("answered an INFO with {status}") };
        let text = format!("a digit was not taken: the far end takes no telephone-event, and {why}");
        self.tell(leg, In::Note(Level::Warn, text));
    }

    /// How our own REFER gets on. Only a call that was answered lets the old one go.
    pub(super) fn transferred(&mut self, leg: LegId, status: u16) {
        if self.act_transferred(leg, status) {
            return;
        }
        let level = if status < 300 { Level::Info } else { Level::Warn };
        let what = match status {
            100..=199 => "in progress",
            200..=299 => "done",
            _ => "failed; the call goes on",
        };
        self.tell(leg, In::Note(level, format!("transfer {what}: {status}")));
        if (200..300).contains(&status) {
            self.tell(leg, In::HangUp("transferred".to_owned()));
        }
    }
}

/// `Replaces=a%40b%3Bto-tag%3D1&X=y` as headers.
fn headers_of(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (unescaped(name), unescaped(value)))
        // What a stranger's URI may put into our INVITE (RFC 3261 §19.1.5).
        .filter(|(name, _)| ["Replaces", "Require", "Subject"].iter().any(|known| known.eq_ignore_ascii_case(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refer_to_may_bring_replaces_and_little_else() {
        let headers = headers_of("Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Route=%3Csip:evil%3E&Body=x%");
        assert_eq!(headers, [("Replaces".to_owned(), "a@b;to-tag=1;from-tag=2".to_owned())]);
    }
}
