//! How many connections there may be: of one source, and of all together.
//!
//! Shared by all listeners. A source is an IPv4 address or an IPv6 network of 64 bits, for whoever has one of its
//! addresses has all of them.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex},
};

/// Connections of one source, those in their handshake included.
pub(super) const PER_SOURCE_MAX: usize = 50;

/// All connections that others have made.
#[derive(Clone, Debug)]
pub struct Crowd {
    counts: Arc<Mutex<Counts>>,
    max: usize,
}

#[derive(Debug, Default)]
struct Counts {
    of: HashMap<IpAddr, usize>,
    all: usize,
}

/// One connection's place in the crowd, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Crowd,
    source: IpAddr,
}

impl Crowd {
    /// So many at once.
    #[must_use]
    pub fn of(max: usize) -> Self {
        Self { counts: Arc::default(), max }
    }

    /// A place for somebody; none if there are too many.
    pub(super) fn enter(&self, ip: IpAddr) -> Option<Place> {
        let source = source_of(ip);
        let mut counts = self.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if counts.all >= self.max || counts.of.get(&source).is_some_and(|count| *count >= PER_SOURCE_MAX) {
            return None;
        }
        counts.all += 1;
        *counts.of.entry(source).or_default() += 1;
        drop(counts);
        Some(Place { crowd: self.clone(), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        counts.all -= 1;
        if let Some(count) = counts.of.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                counts.of.remove(&self.source);
            }
        }
    }
}

fn source_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => ip
            .to_ipv4_mapped()
            .map_or_else(|| IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))), IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_of_64_bits_is_one_source() {
        let crowd = Crowd::of(1_000);
        let mut places: Vec<Place> =
            (0..PER_SOURCE_MAX).map(|host| crowd.enter(ip(&format!("2001:db8::{host:x}"))).unwrap()).collect();
        assert!(crowd.enter(ip("2001:db8::ffff:1")).is_none());
        assert!(crowd.enter(ip("2001:db8:0:1::1")).is_some());
        assert!(crowd.enter(ip("192.0.2.1")).is_some() && crowd.enter(ip("::ffff:192.0.2.1")).is_some());
        places.pop();
        assert!(crowd.enter(ip("2001:db8::ffff:1")).is_some(), "one has gone");
    }

    #[test]
    fn all_together_are_bounded_and_those_who_go_make_room() {
        let crowd = Crowd::of(3);
        let places: Vec<Option<Place>> = (1..=4).map(|host| crowd.enter(IpAddr::from([192, 0, 2, host]))).collect();
        assert!(places[..3].iter().all(Option::is_some) && places[3].is_none());
        drop(places);
        assert!(crowd.enter(ip("192.0.2.9")).is_some());
        assert!(crowd.counts.lock().unwrap().of.is_empty(), "nobody is remembered");
    }
}
