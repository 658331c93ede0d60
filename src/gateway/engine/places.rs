//! Who still finds a place: how many calls there may be, how many of one stranger, and what is kept for those we know.
//!
//! Without it one address that begins calls and says no more holds every place. Decides only; who runs calls is told.

use super::{Denied, Engine};
use crate::{
    clock::SystemClock,
    network::{Network, owner},
};
use std::{net::IpAddr, sync::atomic::Ordering};

/// The limits.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// Calls at once.
    pub max_calls: usize,
    /// Of these strangers never take so many, in percent: they are kept for trunks, users and calls of ours.
    pub reserved_percent: usize,
    /// Calls at once of one stranger; zero is no limit.
    pub per_source: usize,
    /// No strangers: our own proxies.
    pub trusted: Vec<Network>,
}

impl Places {
    /// Whom a caller counts as, who is `known` as a trunk or a user with its password or not; none is no stranger.
    pub(super) fn stranger(&self, source: IpAddr, known: bool) -> Option<IpAddr> {
        let trusted = || self.trusted.iter().any(|network| network.contains(source));
        (!known && !trusted()).then(|| owner(source))
    }

    /// Whether there is room for one more beside these, each of them [`Self::stranger`]s or not.
    pub(super) fn admit(
        &self,
        running: impl ExactSizeIterator<Item = Option<IpAddr>>,
        stranger: Option<IpAddr>,
    ) -> Result<(), Denied> {
        if running.len() >= self.max_calls {
            return Err(Denied::by_key(
                503,
                "gateway.max_calls",
                format!("gateway.max_calls = {} is reached", self.max_calls),
            ));
        }
        let Some(stranger) = stranger else { return Ok(()) };
        let (mut own, mut all) = (0, 0);
        for source in running.flatten() {
            all += 1;
            own += usize::from(source == stranger);
        }
        if self.per_source > 0 && own >= self.per_source {
            let denied = Denied::by_key(
                503,
                "sip.limits.calls_per_source",
                format!("sip.limits.calls_per_source = {} is reached", self.per_source),
            );
            let detail = "a carrier or a proxy is better a trunk, or in sip.limits.trusted".to_owned();
            return Err(Denied { detail, ..denied });
        }
        if all >= self.max_calls - self.max_calls.saturating_mul(self.reserved_percent.min(100)) / 100 {
            let why = format!("the places for strangers are taken: {all}");
            return Err(Denied::by_key(503, "gateway.reserved_percent", why));
        }
        Ok(())
    }
}

impl Engine {
    /// Whether a call may begin at all, whatever the rules say; a caller who is no stranger finds room before one who is.
    pub(super) fn room_for(&self, stranger: Option<IpAddr>) -> Result<(), Denied> {
        if self.draining.is_some() {
            return Err(Denied::by_key(503, "gateway.drain", "the gateway is draining"));
        }
        if self.pressure.is_too_high() {
            return Err(Denied::by_key(503, "media.overload", "the gateway is overloaded: calls that run come first"));
        }
        self.places.admit(self.sessions.values().map(|known| known.stranger), stranger)
    }

    /// Calls that run come before calls that begin.
    pub(super) fn feel_pressure(&mut self) {
        let now = SystemClock::now();
        let (fired, late) = self.workers.pace();
        if !self.pressure.look(now, (fired, late)) {
            return;
        }
        self.sink.hub.counters.overloaded.store(self.pressure.is_too_high(), Ordering::Relaxed);
        if self.pressure.is_too_high() {
            let hint =
                "fewer calls (gateway.max_calls), or more cores; other programs: permit real time with LimitRTPRIO=10";
            tracing::warn!(target: "gateway", event = "media.overload", calls = self.sessions.len(), hint);
        } else {
            tracing::info!(target: "gateway", event = "media.overload_over", calls = self.sessions.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn places() -> Places {
        let trusted = vec!["127.0.0.0/8".parse().unwrap()];
        Places { max_calls: 10, reserved_percent: 20, per_source: 3, trusted }
    }

    fn rule(places: &Places, running: &[Option<IpAddr>], stranger: Option<IpAddr>) -> String {
        places.admit(running.iter().copied(), stranger).map_or_else(|denied| denied.rule, |()| String::new())
    }

    #[test]
    fn one_stranger_holds_no_more_than_its_share() {
        let (places, one) = (places(), places().stranger(ip("192.0.2.1"), false));
        let running = [one; 3];
        assert_eq!(rule(&places, &running[..2], one), "");
        assert_eq!(rule(&places, &running, one), "sip.limits.calls_per_source");
        assert_eq!(rule(&places, &running, places.stranger(ip("192.0.2.2"), false)), "", "another");
        assert_eq!(rule(&places, &running, None), "", "a trunk");
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_stranger() {
        let places = places();
        let running: Vec<_> = (1..=3).map(|host| places.stranger(ip(&format!("2001:db8::{host}")), false)).collect();
        assert_eq!(rule(&places, &running, places.stranger(ip("2001:db8::9:9"), false)), "sip.limits.calls_per_source");
        assert_eq!(rule(&places, &running, places.stranger(ip("2001:db8:0:1::1"), false)), "");
    }

    #[test]
    fn strangers_leave_room_for_those_we_know() {
        let places = places();
        let running: Vec<_> = (1..=8).map(|host| places.stranger(ip(&format!("192.0.2.{host}")), false)).collect();
        assert_eq!(rule(&places, &running, places.stranger(ip("192.0.2.99"), false)), "gateway.reserved_percent");
        assert_eq!(rule(&places, &running, places.stranger(ip("192.0.2.99"), true)), "");
        assert_eq!(rule(&places, &running, places.stranger(ip("127.0.0.1"), false)), "", "our own proxy");
        let full: Vec<_> = running.iter().copied().chain([None, None]).collect();
        assert_eq!(rule(&places, &full, None), "gateway.max_calls");
    }

    #[test]
    fn no_limits_are_no_limits() {
        let places = Places { max_calls: 2, ..Places::default() };
        let one = places.stranger(ip("192.0.2.1"), false);
        assert_eq!(rule(&places, &[one], one), "");
    }
}
