//! SIP over TCP: connections in and out, their messages, their limits.

use super::udp::{Received, bound, busy};
use crate::{
    config::Listen,
    error::Result,
    sip::{
        stream::{Cut, Framer},
        tx::{Path, Transport},
    },
};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// Connections from one address.
const PER_ADDRESS_MAX: usize = 50;
/// A message must be complete within this time; a connection that never sends one is closed too.
const MESSAGE_WITHIN: Duration = Duration::from_secs(32);
/// A connection without traffic is closed after this: longer than the longest call, whose BYE must still find it.
const IDLE_MAX: Duration = Duration::from_hours(2);
/// Connecting out may take this long.
const CONNECT_WITHIN: Duration = Duration::from_secs(4);

/// What happens on connections.
#[derive(Debug)]
pub enum Event {
    /// A connection can be written to.
    Opened {
        /// Its number.
        id: u64,
        /// The other side.
        remote: SocketAddr,
        /// Bytes to write.
        writer: mpsc::Sender<Vec<u8>>,
    },
    /// A message came.
    Received(Received),
    /// It is gone.
    Closed {
        /// Its number.
        id: u64,
        /// The other side.
        remote: SocketAddr,
    },
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Binds a listener.
///
/// # Errors
/// Names the address and what to do about a busy port.
pub fn bind(listen: Listen) -> Result<TcpListener> {
    bound(listen.address, socket2::Type::STREAM)
        .and_then(|socket| {
            socket.listen(1_024)?;
            TcpListener::from_std(socket.into())
        })
        .map_err(|source| busy(listen, &source))
}

/// Takes connections until the receiver is gone.
pub async fn accept(listener: TcpListener, to: mpsc::Sender<Event>) {
    let counts: Arc<Mutex<HashMap<IpAddr, usize>>> = Arc::default();
    loop {
        let Ok((stream, remote)) = listener.accept().await else {
            // Out of file descriptors, most likely: let some close.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if to.is_closed() {
            return;
        }
        let allowed = {
            let mut counts = counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let count = counts.entry(remote.ip()).or_default();
            *count += 1;
            *count <= PER_ADDRESS_MAX
        };
        let (to, counts) = (to.clone(), Arc::clone(&counts));
        tokio::spawn(async move {
            if allowed {
                serve(stream, remote, to).await;
            }
            let mut counts = counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(count) = counts.get_mut(&remote.ip()) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&remote.ip());
                }
            }
        });
    }
}

/// Connects out and serves the connection; `first` is written at once.
pub fn connect(remote: SocketAddr, first: Vec<u8>, to: mpsc::Sender<Event>) -> u64 {
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    tokio::spawn(async move {
        let connected = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(remote)).await;
        let Ok(Ok(mut stream)) = connected else {
            let _ = to.send(Event::Closed { id, remote }).await;
            return;
        };
        if stream.write_all(&first).await.is_err() {
            let _ = to.send(Event::Closed { id, remote }).await;
            return;
        }
        run(id, stream, remote, to).await;
    });
    id
}

async fn serve(stream: TcpStream, remote: SocketAddr, to: mpsc::Sender<Event>) {
    run(NEXT_ID.fetch_add(1, Ordering::Relaxed), stream, remote, to).await;
}

async fn run(id: u64, stream: TcpStream, remote: SocketAddr, to: mpsc::Sender<Event>) {
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let (writer, mut to_write) = mpsc::channel::<Vec<u8>>(256);
    if to.send(Event::Opened { id, remote, writer }).await.is_err() {
        return;
    }
    let path = Path { transport: Transport::Tcp, remote, local, connection: Some(id) };
    let (mut read, mut write) = stream.into_split();
    let mut framer = Framer::default();
    let mut buffer = vec![0; 8 * 1024];
    let mut complete = false;
    'connection: loop {
        // A half message must be finished soon; a quiet connection may rest, once it has said something.
        let patience = if framer.pending() > 0 || !complete { MESSAGE_WITHIN } else { IDLE_MAX };
        tokio::select! {
            read = tokio::time::timeout(patience, read.read(&mut buffer)) => {
                let Ok(Ok(length @ 1..)) = read else { break };
                framer.push(&buffer[..length]);
                loop {
                    match framer.cut() {
                        Cut::More => break,
                        Cut::Ping => if write.write_all(b"\r\n").await.is_err() { break 'connection },
                        Cut::Broken(_) => break 'connection,
                        Cut::Message(bytes) => {
                            complete = true;
                            if to.send(Event::Received(Received { path, bytes })).await.is_err() {
                                break 'connection;
                            }
                        }
                    }
                }
            }
            bytes = to_write.recv() => {
                let Some(bytes) = bytes else { break };
                // A peer that does not read is gone.
                if !matches!(tokio::time::timeout(MESSAGE_WITHIN, write.write_all(&bytes)).await, Ok(Ok(()))) { break }
            }
        }
    }
    let _ = to.send(Event::Closed { id, remote }).await;
}
