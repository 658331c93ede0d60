//! Responses whose connection is gone (RFC 3261 §18.2.2, RFC 3263 §5): to the address that the request came from at the
//! port that its Via names, else to the servers of the name in its Via.
//!
//! Owns what waits for such a connection. Over UDP a response goes where the request came from, and over WebSocket
//! nobody can be connected to.

use super::{Engine, Path, Request, Transport};
use crate::{
    error::Result,
    net::resolve::Found,
    sip::{locate::Wanted, message::Message},
};
use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
};

/// Responses that wait at once; more are lost, as they would be without all this.
const WAITING_MAX: usize = 256;

/// A response on its way.
#[derive(Debug)]
pub(super) struct Parcel {
    bytes: Vec<u8>,
    transport: Transport,
    /// The sent-by: what a certificate must name.
    name: String,
    rest: VecDeque<SocketAddr>,
    /// Asked for when nobody of `rest` takes it.
    wanted: Option<Wanted>,
}

/// By the connection that is being made.
pub(super) type Parcels = HashMap<u64, Vec<Parcel>>;

impl Engine {
    /// Takes a response whose connection is gone; false if it is none, or its connection is there.
    pub(super) fn answers_elsewhere(&mut self, path: Path, bytes: &[u8]) -> bool {
        if !bytes.starts_with(b"SIP/2.0 ") || path.transport.is_websocket() || self.connections.leads(path) {
            return false;
        }
        let Some(via) = Message::parse(bytes).ok().and_then(|message| message.headers().via().ok()) else {
            return false;
        };
        let port = via.port.unwrap_or(path.transport.default_port());
        let is_name = via.host.parse::<std::net::IpAddr>().is_err();
        let wanted = is_name.then(|| Wanted {
            host: via.host.clone(),
            port: via.port,
            transport: Some(path.transport),
            secure: false,
        });
        self.deliver(Parcel {
            bytes: bytes.to_vec(),
            transport: path.transport,
            name: via.host,
            rest: VecDeque::from([SocketAddr::new(path.remote.ip(), port)]),
            wanted,
        });
        true
    }

    /// To the next place; when there is none, the name is looked up beside the engine.
    fn deliver(&mut self, mut parcel: Parcel) {
        if self.parcels.len() >= WAITING_MAX {
            return;
        }
        while let Some(remote) = parcel.rest.pop_front() {
            let Ok(path) = self.connections.to(parcel.transport, remote, &parcel.name) else { continue };
            let sent = self.connections.send(path, parcel.bytes.clone());
            if let (Ok(()), Some(connection)) = (sent, path.connection) {
                self.parcels.entry(connection).or_default().push(parcel);
                return;
            }
        }
        let Some(wanted) = parcel.wanted.take() else { return };
        let (requests, resolver) = (self.requests_to.clone(), self.resolver.clone());
        tokio::spawn(async move {
            let found = resolver.search(&wanted, &wanted.host).await;
            if let Some(requests) = requests.upgrade() {
                let _ = requests.send(Request::Deliver(Box::new(parcel), found)).await;
            }
        });
    }

    /// The servers of a sent-by were found, or not.
    pub(super) fn deliver_to(&mut self, mut parcel: Parcel, found: Result<Found>) {
        match found {
            Ok(found) => {
                parcel.rest = found.targets.iter().map(|target| target.remote).collect();
                self.deliver(parcel);
            }
            Err(problem) => tracing::debug!(target: "sip", event = "sip.unsent", "a response: {problem}"),
        }
    }

    /// A connection is gone. If it never came about, what waited for it goes on.
    pub(super) fn undelivered(&mut self, connection: u64, made: bool) {
        for parcel in self.parcels.remove(&connection).unwrap_or_default() {
            if !made {
                self.deliver(parcel);
            }
        }
    }
}
