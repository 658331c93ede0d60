//! What is too long for a datagram (RFC 3261 §18.1.1): it goes by TCP, and as a datagram where nobody takes TCP.
//!
//! Looks at each request of ours as it is at last, credentials and routes included, whatever it belongs to. A request that
//! fell back is the same but for its Via and branch. Called by `Endpoint::send_request` and when a connection is lost.

use super::{Endpoint, Instant, Key, Path, Request};
use crate::sip::{
    tx::Transport,
    uri::{NameAddr, Uri},
};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Longer requests do not go as datagrams: 1500 bytes of an Ethernet packet less what other layers may need.
const REQUEST_MAX: usize = 1_300;
/// Who has refused TCP is not asked again for so long.
const REFUSED_FOR: Duration = Duration::from_hours(1);
/// So many of those are remembered.
const REFUSED_MAX: usize = 4_096;

/// Where we take TCP, what went by it for its length alone, and who does not take it.
#[derive(Debug, Default)]
pub(super) struct Large {
    listening: Vec<SocketAddr>,
    under_way: HashMap<Key, Path>,
    refused: HashMap<SocketAddr, Instant>,
}

impl Large {
    /// The way for a request of `length` bytes instead of `path`, if it is too long for that.
    fn way(&self, now: Instant, request: &Request, path: Path, length: usize) -> Option<Path> {
        let refused = self.refused.get(&path.remote).is_some_and(|until| *until > now);
        if length <= REQUEST_MAX || path.transport != Transport::Udp || refused || is_behind_nat(request, path) {
            return None;
        }
        let ours = |bound: &&SocketAddr| {
            bound.ip() == path.local.ip() || bound.ip().is_unspecified() && bound.is_ipv4() == path.local.is_ipv4()
        };
        // Without a port of ours for TCP nobody could call us back over it.
        let port = self.listening.iter().find(ours)?.port();
        Some(Path { transport: Transport::Tcp, local: SocketAddr::new(path.local.ip(), port), ..path })
    }

    /// A transaction is over.
    pub(super) fn over(&mut self, key: &Key) {
        self.under_way.remove(key);
    }
}

/// Whether a request goes to another address than it names: its far end is behind NAT, where no connection can reach it.
fn is_behind_nat(request: &Request, path: Path) -> bool {
    let route = request.headers.first("Route").and_then(|route| NameAddr::parse(route).ok()).map(|route| route.uri);
    let hop = route.or_else(|| Uri::parse(&request.uri).ok());
    hop.and_then(|hop| hop.host.parse::<IpAddr>().ok()).is_some_and(|ip| ip != path.remote.ip())
}

impl Endpoint {
    /// Where we take TCP: only then can what is long go by it.
    pub fn takes_tcp_at(&mut self, listening: Vec<SocketAddr>) {
        self.large.listening = listening;
    }

    /// The way for a request, with a Via of so many bytes still to come.
    pub(super) fn way_for(&self, now: Instant, request: &Request, path: Path, via: usize) -> Path {
        self.large.way(now, request, path, request.to_bytes().len() + via).unwrap_or(path)
    }

    /// A request went by TCP because it is long.
    pub(super) fn goes_by_tcp(&mut self, key: &Key, instead_of: Path) {
        self.large.under_way.insert(key.clone(), instead_of);
    }

    /// Its connection was refused or is gone: better in pieces than not at all. False if it was not for its length that
    /// the request took TCP.
    pub(super) fn as_datagram(&mut self, now: Instant, key: &Key) -> bool {
        let Some(path) = self.large.under_way.remove(key) else { return false };
        let Some(tx) = self.transactions.remove(key) else { return false };
        if self.large.refused.len() >= REFUSED_MAX {
            self.large.refused.retain(|_, until| *until > now);
            if self.large.refused.len() >= REFUSED_MAX {
                self.large.refused.clear();
            }
        }
        self.large.refused.insert(path.remote, now + REFUSED_FOR);
        let mut request = tx.request;
        request.headers.remove("Via");
        request.headers.remove("User-Agent");
        let again = self.send_request(now, request, path);
        if let Some(id) = self.clients.remove(key) {
            self.clients.insert(again.clone(), id);
            if let Some(leg) = self.legs.get_mut(&id) {
                for known in [&mut leg.invite, &mut leg.reinvite] {
                    if known.as_ref() == Some(key) {
                        *known = Some(again.clone());
                    }
                }
            }
        }
        if let Some(asked) = self.asks.remove(key) {
            self.asks.insert(again, asked);
        }
        true
    }
}
