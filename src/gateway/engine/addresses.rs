//! Where trunks call from: which trunk a call is of, by its source.
//!
//! Two trunks may be two accounts at one carrier, with the same servers. A call from there is the one's whose user it calls
//! (who registers has that user in its Contact), else the one's whose name comes first in the alphabet; it does not
//! depend on which of them was heard of last. Does not look up names: `engine::outside` tells what it found.

use crate::{
    config::Trunk,
    sip::uri::{Uri, unescaped},
};
use std::{collections::HashMap, net::IpAddr};

/// Where trunks call from, as far as their servers' addresses are known.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// Names and users, in the order of the names.
    trunks: Vec<(String, String)>,
    /// Places in `trunks`, the lowest first.
    at: HashMap<IpAddr, Vec<usize>>,
}

impl Addresses {
    /// Those that the config names by their addresses.
    pub(super) fn new(trunks: &[Trunk]) -> Self {
        let named = |trunk: &Trunk| (trunk.name.clone(), unescaped(&trunk.aor.user));
        let mut this = Self { trunks: trunks.iter().map(named).collect(), at: HashMap::new() };
        for (place, trunk) in trunks.iter().enumerate() {
            for ip in trunk.servers.iter().filter_map(|server| server.host.parse().ok()) {
                this.learn(ip, place);
            }
        }
        this
    }

    /// All of them.
    pub(super) fn ips(&self) -> impl Iterator<Item = IpAddr> {
        self.at.keys().copied()
    }

    /// The trunk at `place` among all calls from there. If it is not alone, and was not known before: who was there
    /// first.
    pub(super) fn learn(&mut self, ip: IpAddr, place: usize) -> Option<&str> {
        let there = self.at.entry(ip).or_default();
        if there.contains(&place) || place >= self.trunks.len() {
            return None;
        }
        there.push(place);
        there.sort_unstable();
        let other = *there.iter().find(|other| **other != place)?;
        self.trunks.get(other).map(|(name, _)| name.as_str())
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

    #[test]
    fn of_two_trunks_at_one_address_the_called_one_is_meant_and_else_the_first() {
        let ip: IpAddr = [192, 0, 2, 1].into();
        let trunks = [("north", "4930"), ("south", "4989")];
        let trunks = trunks.map(|(name, user)| (name.to_owned(), user.to_owned())).to_vec();
        let mut addresses = Addresses { trunks, at: HashMap::new() };
        let uri = |text: &str| Uri::parse(text).unwrap();
        assert_eq!(addresses.learn(ip, 1), None);
        assert_eq!(addresses.calling(ip, &[&uri("sip:4930@h")]), Some("south"), "the only one that is known");
        assert_eq!(addresses.learn(ip, 0), Some("south"));
        // It stays so, whoever is heard of again.
        assert_eq!(addresses.learn(ip, 1), None);
        assert_eq!(addresses.at(ip), Some("north"));
        assert_eq!(addresses.calling(ip, &[&uri("sip:4989@h"), &uri("sip:4930@h")]), Some("south"));
        assert_eq!(addresses.calling(ip, &[&uri("sip:x@h"), &uri("sip:%34989@h")]), Some("south"));
        assert_eq!(addresses.calling(ip, &[&uri("sip:x@h")]), Some("north"));
        assert_eq!(addresses.calling([192, 0, 2, 2].into(), &[&uri("sip:4930@h")]), None);
    }
}
