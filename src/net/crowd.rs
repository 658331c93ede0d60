//! How many connections there may be: of one source, and of all together.
//!
//! Shared by all listeners. A source is an IPv4 address or an IPv6 network of 64 bits, for whoever has one of its
//! addresses has all of them.

use crate::network::{Network, owner};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

/// Of all connections, those that only spared sources get: one in so many.
const KEPT: usize = 10;

/// All connections that others have made.
#[derive(Clone, Debug)]
pub struct Crowd {
    counts: Arc<Mutex<Counts>>,
    limits: Limits,
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All together, those in their handshake included.
    pub max: usize,
    /// Of one source.
    pub per_source: usize,
}

#[derive(Debug, Default)]
struct Counts {
    of: HashMap<IpAddr, usize>,
    all: usize,
    /// They have no limit of their own, and the last of all places are theirs: trusted networks, trunks.
    spared: Vec<Network>,
    /// Those of them that were spared since.
    learned: Vec<IpAddr>,
}

/// One connection's place in the crowd, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Crowd,
    source: IpAddr,
}

impl Crowd {
    /// So many at once; `spared` are not limited by themselves.
    #[must_use]
    pub fn of(limits: Limits, spared: Vec<Network>) -> Self {
        Self { counts: Arc::new(Mutex::new(Counts { spared, ..Counts::default() })), limits }
    }

    /// Another address that has no limit of its own.
    pub fn spare(&self, ip: IpAddr) {
        let mut counts = self.counts();
        let known = counts.spared.iter().any(|network| network.contains(ip));
        if let (false, Ok(network)) = (known, ip.to_string().parse()) {
            counts.spared.push(network);
            counts.learned.push(ip);
        }
    }

    /// It has one again; what was spared from the start stays so.
    pub fn spare_no_more(&self, ip: IpAddr) {
        let mut counts = self.counts();
        let Some(at) = counts.learned.iter().position(|known| *known == ip) else { return };
        counts.learned.swap_remove(at);
        if let Ok(network) = ip.to_string().parse::<Network>() {
            counts.spared.retain(|known| *known != network);
        }
    }

    /// A place for somebody; none if there are too many.
    pub(super) fn enter(&self, ip: IpAddr) -> Option<Place> {
        let source = owner(ip);
        let mut counts = self.counts();
        let Limits { max, per_source } = self.limits;
        let is_spared = counts.spared.iter().any(|network| network.contains(ip));
        let max = if is_spared || counts.spared.is_empty() { max } else { max - max / KEPT };
        let own = counts.of.get(&source).copied().unwrap_or_default();
        if counts.all >= max || (!is_spared && own >= per_source) {
            return None;
        }
        counts.all += 1;
        *counts.of.entry(source).or_default() += 1;
        drop(counts);
        Some(Place { crowd: self.clone(), source })
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts();
        counts.all -= 1;
        if let Some(count) = counts.of.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.of.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn crowd(max: usize, spared: &[&str]) -> Crowd {
        let spared = spared.iter().map(|network| network.parse().unwrap()).collect();
        Crowd::of(Limits { max, per_source: 50 }, spared)
    }

    #[test]
    fn a_network_of_64_bits_is_one_source() {
        let crowd = crowd(1_000, &[]);
        let mut places: Vec<Place> =
            (0..50).map(|host| crowd.enter(ip(&format!("2001:db8::{host:x}"))).unwrap()).collect();
        assert!(crowd.enter(ip("2001:db8::ffff:1")).is_none());
        assert!(crowd.enter(ip("2001:db8:0:1::1")).is_some());
        assert!(crowd.enter(ip("192.0.2.1")).is_some() && crowd.enter(ip("::ffff:192.0.2.1")).is_some());
        places.pop();
        assert!(crowd.enter(ip("2001:db8::ffff:1")).is_some(), "one has gone");
    }

    #[test]
    fn all_together_are_bounded_and_those_who_go_make_room() {
        let crowd = crowd(3, &[]);
        let places: Vec<Option<Place>> = (1..=4).map(|host| crowd.enter(IpAddr::from([192, 0, 2, host]))).collect();
        assert!(places[..3].iter().all(Option::is_some) && places[3].is_none());
        drop(places);
        assert!(crowd.enter(ip("192.0.2.9")).is_some());
        assert!(crowd.counts().of.is_empty(), "nobody is remembered");
    }

    #[test]
    fn trunks_find_a_place_when_strangers_have_taken_theirs() {
        let crowd = crowd(100, &["10.0.0.0/8"]);
        crowd.spare(ip("198.51.100.7"));
        let strangers: Vec<Option<Place>> = (0..100).map(|host| crowd.enter(IpAddr::from([192, 0, 2, host]))).collect();
        assert_eq!(strangers.iter().flatten().count(), 90);
        let trunk = ["10.1.2.3", "198.51.100.7"].map(|spared| crowd.enter(ip(spared)));
        assert!(trunk.iter().all(Option::is_some));
        drop(strangers);
        let many: Vec<Option<Place>> = (0..98).map(|_| crowd.enter(ip("10.1.2.3"))).collect();
        assert!(many.iter().all(Option::is_some), "more than one source may have");
    }
}
