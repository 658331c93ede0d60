//! Which connection a message takes: the open ones by number and by where they lead, and new ones when there is none.
//!
//! Owned by `gateway::engine`. Connections are told apart by transport and remote address, so TCP and TLS to one
//! address are never mixed (RFC 3261 §18.1.1), and a certificate that was checked for one name serves no other (RFC 5922 §4).

use super::{
    keep::Keep,
    stream::{self, Event, WAITING_MAX},
    tcp, tls,
};
use crate::{
    error::{Error, Kind, Result},
    sip::tx::{Path, Transport},
};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;

/// Names of far ends that are remembered for connecting again.
const NAMES_MAX: usize = 4_096;

/// Where a connection leads.
type End = (Transport, SocketAddr);

struct Open {
    writer: mpsc::Sender<Vec<u8>>,
    path: Path,
    /// Whom we connected to; none if they did.
    name: Option<String>,
    /// It is kept alive; only those that we made can be.
    keep: Arc<AtomicBool>,
}

/// All open connections.
pub struct Connections {
    events: mpsc::Sender<Event>,
    tls: Arc<tls::Client>,
    open: HashMap<u64, Open>,
    to: HashMap<End, u64>,
    /// What the certificates of those whom we called must say: a path has no name.
    names: HashMap<End, String>,
    /// How often those that are kept are pinged; zero never.
    keep_every: Duration,
}

impl Connections {
    /// None yet; what happens on them goes to `events`.
    #[must_use]
    pub fn new(tls: tls::Client, events: mpsc::Sender<Event>) -> Self {
        let (open, to, names) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { events, tls: Arc::new(tls), open, to, names, keep_every: Duration::ZERO }
    }

    /// With pings this often on those that are kept; zero never.
    #[must_use]
    pub const fn pinging(mut self, every: Duration) -> Self {
        self.keep_every = every;
        self
    }

    /// This one is needed: it is pinged from now on, and closed when it does not answer.
    pub fn keep_alive(&self, id: u64) {
        if let Some(open) = self.open.get(&id) {
            open.keep.store(true, Ordering::Relaxed);
        }
    }

    /// The connection to somebody whom we want to call, made if there is none; it can be written to at once. `name` is
    /// the host of the URI.
    ///
    /// # Errors
    /// There is no socket to connect from.
    pub fn to(&mut self, transport: Transport, remote: SocketAddr, name: &str) -> Result<Path> {
        let known = self.to.get(&(transport, remote)).and_then(|id| self.open.get(id));
        if let Some(open) = known.filter(|open| !transport.is_secure() || open.name.as_deref() == Some(name)) {
            return Ok(open.path);
        }
        if self.names.len() > NAMES_MAX {
            self.names.clear();
        }
        self.names.insert((transport, remote), name.to_owned());
        self.connect(transport, remote)
    }

    /// Sends a message: over its path's own connection while that lives, else over one that leads there, else a new one.
    ///
    /// # Errors
    /// Says why there is no way.
    pub fn send(&mut self, path: Path, bytes: Vec<u8>) -> Result<()> {
        let end = (path.transport, path.remote);
        let known = path.connection.filter(|id| self.open.contains_key(id)).or_else(|| self.to.get(&end).copied());
        let id = match known {
            Some(id) => Some(id),
            // Who came by WebSocket cannot be reached any other way.
            None if path.transport.is_websocket() && !self.names.contains_key(&end) => {
                return Err(Error::new(Kind::Unreachable, format!("the WebSocket of {} is closed", path.remote)));
            }
            None => self.connect(path.transport, path.remote)?.connection,
        };
        if let Some(open) = id.and_then(|id| self.open.get(&id)) {
            // Full: the far end does not read; its connection will be closed.
            let _ = open.writer.try_send(bytes);
        }
        Ok(())
    }

    /// Whether there is a connection that a message on this path would take.
    #[must_use]
    pub fn leads(&self, path: Path) -> bool {
        path.connection.is_some_and(|id| self.open.contains_key(&id))
            || self.to.contains_key(&(path.transport, path.remote))
    }

    /// Somebody connected.
    pub fn opened(&mut self, id: u64, path: Path, writer: mpsc::Sender<Vec<u8>>) {
        self.open.insert(id, Open { writer, path, name: None, keep: Arc::default() });
        self.to.insert((path.transport, path.remote), id);
    }

    /// A connection is gone.
    pub fn closed(&mut self, id: u64) {
        if let Some(open) = self.open.remove(&id) {
            let end = (open.path.transport, open.path.remote);
            if self.to.get(&end) == Some(&id) {
                self.to.remove(&end);
            }
        }
    }

    fn connect(&mut self, transport: Transport, remote: SocketAddr) -> Result<Path> {
        let ip = super::local_ip_towards(remote.ip());
        let (socket, local) = tcp::socket_from(ip)
            .map_err(|source| Error::machine(format!("could not open a socket on {ip} to {remote}: {source}")))?;
        let id = stream::next_id();
        let path = Path { transport, remote, local, connection: Some(id) };
        let name = self.names.get(&(transport, remote)).cloned().unwrap_or_else(|| remote.ip().to_string());
        let (writer, to_write) = mpsc::channel(WAITING_MAX);
        let keep = Arc::new(AtomicBool::new(false));
        let pace = Keep::new(self.keep_every, Arc::clone(&keep), transport.is_websocket());
        stream::connect(path, socket, name.clone(), Arc::clone(&self.tls), self.events.clone(), to_write, pace);
        self.open.insert(id, Open { writer, path, name: Some(name), keep });
        self.to.insert((transport, remote), id);
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_are_told_apart_by_transport_address_and_checked_name() {
        let there = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let remote = there.local_addr().unwrap();
        let (events, _received) = mpsc::channel(64);
        let mut connections = Connections::new(tls::Client::new(crate::config::Tls::default()).unwrap(), events);
        let mut id = |transport, name| connections.to(transport, remote, name).unwrap().connection;
        let (tcp, tls, ws) = (id(Transport::Tcp, "a"), id(Transport::Tls, "a"), id(Transport::Ws, "a"));
        assert!(tcp != tls && tls != ws && ws != tcp);
        assert_eq!((id(Transport::Tcp, "b"), id(Transport::Tls, "a")), (tcp, tls), "used again");
        assert_ne!(id(Transport::Tls, "b"), tls, "its certificate was checked for another name");
        connections.closed(tcp.unwrap());
        assert_ne!(connections.to(Transport::Tcp, remote, "a").unwrap().connection, tcp);
    }

    #[tokio::test]
    async fn messages_take_their_own_connection_and_who_came_by_websocket_is_not_called_back() {
        let (events, _received) = mpsc::channel(64);
        let mut connections = Connections::new(tls::Client::new(crate::config::Tls::default()).unwrap(), events);
        let remote = "192.0.2.1:40000".parse().unwrap();
        let local = "127.0.0.1:80".parse().unwrap();
        let path = Path { transport: Transport::Ws, remote, local, connection: Some(7) };
        let (writer, mut written) = mpsc::channel(4);
        connections.opened(7, path, writer);
        // The Contact is another address; the connection is what counts.
        connections.send(Path { remote: "192.0.2.9:5060".parse().unwrap(), ..path }, b"1".to_vec()).unwrap();
        connections.send(Path { connection: None, ..path }, b"2".to_vec()).unwrap();
        assert_eq!((written.try_recv(), written.try_recv()), (Ok(b"1".to_vec()), Ok(b"2".to_vec())));
        connections.closed(7);
        assert!(connections.send(path, b"3".to_vec()).unwrap_err().to_string().contains("is closed"));
    }
}
