//! Where trunks call from: which trunk a call is of, by its source.
//!
//! Two trunks may be two accounts at one carrier, with the same servers. A call from there is the one's whose user it calls
//! (who registers has that user in its Contact), else the one's whose name comes first in the alphabet; it does not
//! depend on which of them was heard of last. Knows when names are to be looked up, and does not look: `engine::outside`
//! tells what it found.

use crate::{
    clock::Instant,
    config::Trunk,
    sip::uri::{Uri, unescaped},
};
use std::{collections::HashMap, net::IpAddr, time::Duration};

/// Names are looked up this often, also of trunks that are neither registered nor pinged, and of servers that are not
/// used now: calls may come from there. The resolver asks when the TTL is over.
const LOOK_EVERY: Duration = Duration::from_mins(5);
/// An address that a name has not had for so long is the trunk's no more. Names that stand for many addresses show a few
/// of them at a time.
const FORGET_AFTER: Duration = Duration::from_mins(10);

/// Where trunks call from, as far as their servers' addresses are known.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// Names and users, in the order of the names.
    trunks: Vec<(String, String)>,
    servers: Vec<Server>,
    /// Places in `trunks`, the lowest first.
    at: HashMap<IpAddr, Vec<usize>>,
}

/// One server of a trunk.
#[derive(Debug)]
struct Server {
    /// Whose it is: a place in `trunks`.
    place: usize,
    uri: Uri,
    /// Its name is to be looked up then.
    look_at: Instant,
    /// Its addresses, and when they were in an answer.
    seen: Vec<(IpAddr, Instant)>,
}

/// What an answer has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// Addresses that the trunk was not known to have, and whose they were before.
    pub(super) new: Vec<(IpAddr, Option<String>)>,
    /// Addresses that are no trunk's any more.
    pub(super) gone: Vec<IpAddr>,
}

impl Addresses {
    /// Those that the config names by their addresses; names are due at once.
    pub(super) fn new(trunks: &[Trunk]) -> Self {
        let mut this = Self::default();
        for (place, trunk) in trunks.iter().enumerate() {
            this.trunks.push((trunk.name.clone(), unescaped(&trunk.aor.user)));
            for uri in &trunk.servers {
                this.add(place, uri.clone());
            }
        }
        this
    }

    fn add(&mut self, place: usize, uri: Uri) {
        let number: Option<IpAddr> = uri.host.parse().ok();
        let look_at = if number.is_some() { Instant::FAR_FUTURE } else { Instant::ZERO };
        self.servers.push(Server { place, uri, look_at, seen: Vec::new() });
        if let (Some(ip), Some(server)) = (number, self.servers.last_mut()) {
            server.seen.push((ip, Instant::FAR_FUTURE));
            self.index();
        }
    }

    /// All of them.
    pub(super) fn ips(&self) -> impl Iterator<Item = IpAddr> {
        self.at.keys().copied()
    }

    /// When a name is to be looked up.
    pub(super) fn timeout(&self) -> Instant {
        self.servers.iter().map(|server| server.look_at).min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// Names that are to be looked up now, and whose they are.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(usize, Uri)> {
        let due = self.servers.iter_mut().filter(|server| server.look_at <= now);
        due.map(|server| {
            server.look_at = now + LOOK_EVERY;
            (server.place, server.uri.clone())
        })
        .collect()
    }

    /// A server of the trunk at `place` has these addresses. That none were found is no answer, and not for here.
    pub(super) fn found(&mut self, now: Instant, place: usize, server: &Uri, ips: &[IpAddr]) -> Change {
        let mut change = Change::default();
        let of = |known: &&mut Server| known.place == place && known.uri == *server;
        let Some(server) = self.servers.iter_mut().find(of) else { return change };
        let before = self.at.clone();
        for ip in ips {
            match server.seen.iter_mut().find(|(known, _)| known == ip) {
                Some((_, seen)) => *seen = now.max(*seen),
                None => server.seen.push((*ip, now)),
            }
        }
        server.seen.retain(|(_, seen)| *seen + FORGET_AFTER > now);
        self.index();
        for ip in ips.iter().filter(|ip| !before.get(ip).is_some_and(|there| there.contains(&place))) {
            if change.new.iter().all(|(known, _)| known != ip) {
                let other =
                    before.get(ip).and_then(|there| self.trunks.get(*there.first()?)).map(|(name, _)| name.clone());
                change.new.push((*ip, other));
            }
        }
        change.gone = before.into_keys().filter(|ip| !self.at.contains_key(ip)).collect();
        change
    }

    fn index(&mut self) {
        self.at.clear();
        for server in &self.servers {
            for (ip, _) in &server.seen {
                let there = self.at.entry(*ip).or_default();
                if !there.contains(&server.place) {
                    there.push(server.place);
                    there.sort_unstable();
                }
            }
        }
    }

    /// Whether a trunk calls from there.
    pub(super) fn is_trunk(&self, ip: IpAddr) -> bool {
        self.at.contains_key(&ip)
    }

    /// The trunk that calls from there; of several the first by name.
    pub(super) fn at(&self, ip: IpAddr) -> Option<&str> {
        let place = *self.at.get(&ip)?.first()?;
        self.trunks.get(place).map(|(name, _)| name.as_str())
    }

    /// The trunk that calls from there; of several the one whose user is called, in this order.
    pub(super) fn calling(&self, ip: IpAddr, called: &[&Uri]) -> Option<&str> {
        let there = self.at.get(&ip)?;
        let own = |uri: &&Uri| {
            let number = unescaped(uri.number());
            there
                .iter()
                .filter_map(|place| self.trunks.get(*place))
                .find(|(_, user)| !user.is_empty() && *user == number)
        };
        match called.iter().find_map(own) {
            Some((name, _)) => Some(name),
            None => self.at(ip),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap()
    }

    fn addresses(servers: &[&str]) -> Addresses {
        let trunks = [("north", "4930"), ("south", "4989")];
        let trunks = trunks.map(|(name, user)| (name.to_owned(), user.to_owned())).to_vec();
        let mut addresses = Addresses { trunks, ..Addresses::default() };
        for (place, server) in servers.iter().enumerate() {
            addresses.add(place, uri(server));
        }
        addresses
    }

    #[test]
    fn of_two_trunks_at_one_address_the_called_one_is_meant_and_else_the_first() {
        let (ip, now): (IpAddr, _) = ([192, 0, 2, 1].into(), Instant::from_millis(1));
        let mut addresses = addresses(&["sip:carrier.example", "sip:carrier.example"]);
        let server = uri("sip:carrier.example");
        assert_eq!(addresses.found(now, 1, &server, &[ip]).new, [(ip, None)]);
        assert_eq!(addresses.calling(ip, &[&uri("sip:4930@h")]), Some("south"), "the only one that is known");
        assert_eq!(addresses.found(now, 0, &server, &[ip]).new, [(ip, Some("south".to_owned()))]);
        // It stays so, whoever is heard of again.
        assert_eq!(addresses.found(now, 1, &server, &[ip]), Change::default());
        assert_eq!(addresses.at(ip), Some("north"));
        assert_eq!(addresses.calling(ip, &[&uri("sip:4989@h"), &uri("sip:4930@h")]), Some("south"));
        assert_eq!(addresses.calling(ip, &[&uri("sip:x@h"), &uri("sip:%34989@h")]), Some("south"));
        assert_eq!(addresses.calling(ip, &[&uri("sip:x@h")]), Some("north"));
        assert_eq!(addresses.calling([192, 0, 2, 2].into(), &[&uri("sip:4930@h")]), None);
    }

    #[test]
    fn names_are_looked_up_again_and_an_address_that_a_name_no_longer_has_is_a_stranger_s() {
        let (old, new, number): (IpAddr, IpAddr, IpAddr) =
            ([192, 0, 2, 1].into(), [192, 0, 2, 2].into(), [192, 0, 2, 9].into());
        let mut addresses = addresses(&["sip:carrier.example", "sip:192.0.2.9"]);
        let server = uri("sip:carrier.example");
        assert_eq!(addresses.due(Instant::ZERO), [(0, server.clone())], "a number is known");
        assert_eq!(addresses.timeout(), Instant::ZERO + LOOK_EVERY);
        assert_eq!(addresses.found(Instant::ZERO, 0, &server, &[old]).new, [(old, None)]);
        assert!(addresses.is_trunk(old) && addresses.is_trunk(number));
        // For a while both count: some names show a few of their addresses at a time.
        let mut now = Instant::ZERO + LOOK_EVERY;
        assert_eq!(addresses.due(now).len(), 1);
        assert_eq!(addresses.found(now, 0, &server, &[new]), Change { new: vec![(new, None)], gone: Vec::new() });
        assert!(addresses.is_trunk(old) && addresses.is_trunk(new));
        now += LOOK_EVERY;
        assert_eq!(addresses.found(now, 0, &server, &[new]), Change { new: Vec::new(), gone: vec![old] });
        assert!(!addresses.is_trunk(old) && addresses.at(new) == Some("north"));
        assert_eq!(addresses.at(number), Some("south"), "what the config says stays");
    }
}
