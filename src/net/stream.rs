//! Connections that carry SIP: taking them in, their limits, and the loop that reads and writes their messages.
//!
//! One task per connection, whatever it is made of: a `Line` is a connection after its handshakes. TCP and TLS share the
//! loop here (RFC 3261 §18.3, keep-alives of RFC 5626 §3.5.1); that of WebSocket is in `ws`. Which connection a message
//! takes is the business of [`super::connections`].

use super::{
    crowd::Crowd,
    keep::{Beat, Keep},
    tls,
    udp::Received,
    ws,
};
use crate::sip::{
    stream::{Cut, Framer},
    tx::{Path, Transport},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, TlsStream};
use tokio_tungstenite::WebSocketStream;

/// A message must be complete within this time; a connection that never sends one is closed too.
pub(super) const MESSAGE_WITHIN: Duration = Duration::from_secs(32);
/// A connection without traffic is closed after this: longer than the longest call, whose BYE must still find it.
pub(super) const IDLE_MAX: Duration = Duration::from_hours(2);
/// Connecting out may take this long.
const CONNECT_WITHIN: Duration = Duration::from_secs(4);
/// TLS and WebSocket must be agreed on within this time.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// Saying goodbye may take this long.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// Messages that wait to be written.
pub(super) const WAITING_MAX: usize = 256;

/// What happens on connections.
#[derive(Debug)]
pub enum Event {
    /// Somebody connected: the connection can be written to.
    Opened {
        /// Its number.
        id: u64,
        /// Its two ends.
        path: Path,
        /// Bytes to write, one message at a time.
        writer: mpsc::Sender<Vec<u8>>,
    },
    /// A message came.
    Received(Received),
    /// A datagram of ours did not arrive, as ICMP says.
    Undelivered {
        /// To whom it went.
        remote: SocketAddr,
        /// What happened, in words.
        why: String,
    },
    /// Somebody was not let in: there are too many connections.
    TurnedAway(IpAddr),
    /// It is gone, or was never made.
    Closed {
        /// Its number.
        id: u64,
        /// Its two ends.
        path: Path,
        /// There was a connection.
        made: bool,
        /// What happened, in words.
        why: String,
    },
}

/// A number for a connection.
pub(super) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What a listener wants of those who connect.
#[derive(Clone)]
pub struct Door {
    /// What is spoken here.
    pub transport: Transport,
    /// Our side of TLS, for the secure transports.
    pub tls: Option<TlsAcceptor>,
    /// Who is in already; of all listeners together.
    pub crowd: Crowd,
    /// Web pages that may connect by WebSocket; none is all.
    pub origins: Arc<[String]>,
}

/// Takes connections until the receiver is gone. Handshakes run in the connections' own tasks.
pub async fn accept(listener: TcpListener, door: Door, to: mpsc::Sender<Event>) {
    loop {
        let Ok((stream, remote)) = listener.accept().await else {
            // Out of file descriptors, most likely: let some close.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if to.is_closed() {
            return;
        }
        let Some(place) = door.crowd.enter(remote.ip()) else {
            // Full: it is counted another time.
            let _ = to.try_send(Event::TurnedAway(remote.ip()));
            continue;
        };
        let (door, to) = (door.clone(), to.clone());
        tokio::spawn(async move {
            serve(stream, remote, &door, &to).await;
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, remote: SocketAddr, door: &Door, to: &mpsc::Sender<Event>) {
    let Ok(local) = stream.local_addr() else { return };
    let id = next_id();
    let path = Path { transport: door.transport, remote, local, connection: Some(id) };
    let line = match timeout(HANDSHAKE_WITHIN, Line::answer(stream, door)).await {
        Ok(Ok(line)) => line,
        Ok(Err(why)) => return handshake_failed(path, &why),
        Err(_) => return handshake_failed(path, "not complete within 10 s"),
    };
    let (writer, mut to_write) = mpsc::channel(WAITING_MAX);
    if to.send(Event::Opened { id, path, writer }).await.is_err() {
        return;
    }
    let why = line.run(path, to, &mut to_write, &mut Keep::never()).await;
    let _ = to.send(Event::Closed { id, path, made: true, why }).await;
}

fn handshake_failed(path: Path, why: &str) {
    let transport = path.transport.lower_name();
    tracing::info!(target: "sip", event = "sip.handshake_failed", transport, remote = %path.remote, "{why}");
}

/// Connects out and serves the connection. What is written meanwhile waits; if there will be no connection, that is
/// told as its end. `name` is whom the certificate must name.
pub(super) fn connect(
    path: Path,
    socket: TcpSocket,
    name: String,
    tls: Arc<tls::Client>,
    to: mpsc::Sender<Event>,
    mut to_write: mpsc::Receiver<Vec<u8>>,
    mut keep: Keep,
) {
    tokio::spawn(async move {
        let place = format!("{} {}", path.transport.lower_name(), path.remote);
        let made = match timeout(CONNECT_WITHIN, socket.connect(path.remote)).await {
            Ok(Ok(stream)) => match timeout(HANDSHAKE_WITHIN, Line::ask(stream, path, &name, &tls)).await {
                Ok(made) => made,
                Err(_) => Err("no handshake within 10 s".to_owned()),
            },
            Ok(Err(problem)) => Err(problem.to_string()),
            Err(_) => Err("no answer within 4 s".to_owned()),
        };
        let was_made = made.is_ok();
        let why = match made {
            Ok(line) => format!("{place}: {}", line.run(path, &to, &mut to_write, &mut keep).await),
            Err(why) => format!("could not connect to {place}: {why}"),
        };
        tracing::debug!(target: "sip", event = "sip.connection_closed", "{why}");
        let id = path.connection.unwrap_or_default();
        let _ = to.send(Event::Closed { id, path, made: was_made, why }).await;
    });
}

/// A connection after its handshakes.
enum Line {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Ws(Box<WebSocketStream<TcpStream>>),
    Wss(Box<WebSocketStream<TlsStream<TcpStream>>>),
}

impl Line {
    /// Our side of the handshakes with somebody who connected.
    async fn answer(stream: TcpStream, door: &Door) -> Result<Self, String> {
        let _ = stream.set_nodelay(true);
        let secure = async |stream| match &door.tls {
            Some(tls) => tls.accept(stream).await.map(TlsStream::from).map_err(|problem| tls::explain(&problem)),
            None => Err("there is no certificate".to_owned()),
        };
        Ok(match door.transport {
            Transport::Udp | Transport::Tcp => Self::Tcp(stream),
            Transport::Tls => Self::Tls(Box::new(secure(stream).await?)),
            Transport::Ws => Self::Ws(Box::new(ws::accept(stream, &door.origins).await?)),
            Transport::Wss => Self::Wss(Box::new(ws::accept(secure(stream).await?, &door.origins).await?)),
        })
    }

    /// Our side of the handshakes where we connected.
    async fn ask(stream: TcpStream, path: Path, name: &str, tls: &Arc<tls::Client>) -> Result<Self, String> {
        let _ = stream.set_nodelay(true);
        Ok(match path.transport {
            Transport::Udp | Transport::Tcp => Self::Tcp(stream),
            Transport::Tls => Self::Tls(Box::new(tls::connect(tls, stream, name).await?)),
            Transport::Ws => Self::Ws(Box::new(ws::connect(stream, name, path.remote.port()).await?)),
            Transport::Wss => {
                let stream = tls::connect(tls, stream, name).await?;
                Self::Wss(Box::new(ws::connect(stream, name, path.remote.port()).await?))
            }
        })
    }

    /// Reads and writes messages until the connection ends; tells why it did.
    async fn run(
        self,
        path: Path,
        to: &mpsc::Sender<Event>,
        to_write: &mut mpsc::Receiver<Vec<u8>>,
        keep: &mut Keep,
    ) -> String {
        match self {
            Self::Tcp(stream) => framed(stream, path, to, to_write, keep).await,
            Self::Tls(stream) => framed(*stream, path, to, to_write, keep).await,
            Self::Ws(stream) => ws::run(*stream, path, to, to_write, keep).await,
            Self::Wss(stream) => ws::run(*stream, path, to, to_write, keep).await,
        }
    }
}

/// The loop of a byte stream.
async fn framed<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    path: Path,
    to: &mpsc::Sender<Event>,
    to_write: &mut mpsc::Receiver<Vec<u8>>,
    keep: &mut Keep,
) -> String {
    let why = exchange(&mut stream, path, to, to_write, keep).await;
    let _ = timeout(CLOSE_WITHIN, stream.shutdown()).await;
    why
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    path: Path,
    to: &mpsc::Sender<Event>,
    to_write: &mut mpsc::Receiver<Vec<u8>>,
    keep: &mut Keep,
) -> String {
    let mut framer = Framer::default();
    let mut buffer = vec![0; 8 * 1024];
    let mut complete = false;
    let mut due = rests_until(complete);
    loop {
        tokio::select! {
            read = tokio::time::timeout_at(due, stream.read(&mut buffer)) => {
                let mut began = framer.pending() == 0;
                match read {
                    Ok(Ok(length @ 1..)) => {
                        framer.push(&buffer[..length]);
                        // The pong is taken out: two of them would look like a ping.
                        let pong = keep.is_waiting() && framer.take_pong();
                        keep.heard(pong);
                    }
                    Ok(Ok(0)) => return "closed by the far end".to_owned(),
                    Ok(Err(problem)) => return tls::explain(&problem),
                    Err(_) => return "no message came in time".to_owned(),
                }
                loop {
                    match framer.cut() {
                        Cut::More => break,
                        Cut::Ping => if !write(stream, b"\r\n").await { return not_read() },
                        Cut::Broken(problem) => return problem.to_owned(),
                        Cut::Message(bytes) => {
                            (complete, began) = (true, true);
                            if to.send(Event::Received(Received { path, bytes })).await.is_err() {
                                return "the gateway stops".to_owned();
                            }
                        }
                    }
                }
                // Each message has its own time: single bytes do not buy more of it.
                if framer.pending() == 0 || framer.is_blank() {
                    due = rests_until(complete);
                } else if began {
                    due = tokio::time::Instant::now() + MESSAGE_WITHIN;
                }
            }
            () = keep.due() => match keep.beat() {
                Beat::Ping => if !write(stream, b"\r\n\r\n").await { return not_read() },
                Beat::Rest => {}
                Beat::Dead => return NO_PONG.to_owned(),
            },
            bytes = to_write.recv() => {
                let Some(bytes) = bytes else { return "not needed any more".to_owned() };
                if !write(stream, &bytes).await { return not_read() }
                if framer.pending() == 0 {
                    due = rests_until(complete);
                }
            }
        }
    }
}

/// Writes all of it; a peer that does not read is gone.
async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> bool {
    let written = async {
        stream.write_all(bytes).await?;
        // TLS may hold the last record back.
        stream.flush().await
    };
    matches!(timeout(MESSAGE_WITHIN, written).await, Ok(Ok(())))
}

/// When a connection with nothing half said is closed: it may rest, once it has said something.
fn rests_until(complete: bool) -> tokio::time::Instant {
    tokio::time::Instant::now() + if complete { IDLE_MAX } else { MESSAGE_WITHIN }
}

/// How a connection ends that does not answer our pings.
pub(super) const NO_PONG: &str = "no answer to our keep-alive within 10 s";

fn not_read() -> String {
    "the far end does not read".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::crowd::Limits;
    use tokio::io::{DuplexStream, duplex};

    const ONE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n";

    /// A connection's loop, the far end of it, what comes of it, and a way to write.
    fn running() -> (tokio::task::JoinHandle<String>, DuplexStream, mpsc::Receiver<Event>, mpsc::Sender<Vec<u8>>) {
        let (near, far) = duplex(4_096);
        let ((to, events), (writer, mut to_write)) = (mpsc::channel(8), mpsc::channel(8));
        let any = SocketAddr::from(([127, 0, 0, 1], 5060));
        let path = Path { transport: Transport::Tls, remote: any, local: any, connection: Some(1) };
        let task = tokio::spawn(async move { framed(near, path, &to, &mut to_write, &mut Keep::never()).await });
        (task, far, events, writer)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_kept_pings_and_ends_when_pongs_stay_away() {
        let (near, mut far) = duplex(4_096);
        let ((to, _events), (_writer, mut to_write)) = (mpsc::channel(8), mpsc::channel(8));
        let any = SocketAddr::from(([127, 0, 0, 1], 5060));
        let path = Path { transport: Transport::Tcp, remote: any, local: any, connection: Some(1) };
        let mut keep = Keep::new(Duration::from_secs(30), Arc::new(true.into()), false);
        let task = tokio::spawn(async move { framed(near, path, &to, &mut to_write, &mut keep).await });
        // A message, so that the connection may rest at all.
        far.write_all(ONE).await.unwrap();
        let mut ping = [0; 4];
        for round in 0..60 {
            let begin = tokio::time::Instant::now();
            far.read_exact(&mut ping).await.unwrap();
            assert_eq!(&ping, b"\r\n\r\n");
            let waited = begin.elapsed();
            assert!((24..=30).contains(&waited.as_secs()), "{waited:?}");
            // A peer that never pongs is not held to it; who has begun is.
            if round >= 30 {
                far.write_all(b"\r\n").await.unwrap();
            }
        }
        let begin = tokio::time::Instant::now();
        far.read_exact(&mut ping).await.unwrap();
        assert_eq!(task.await.unwrap(), NO_PONG);
        assert!(begin.elapsed() <= Duration::from_secs(40), "{:?}", begin.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_half_a_message_is_closed_after_32_seconds() {
        for said in [&b""[..], &ONE[..10], &[ONE, &ONE[..10]].concat()] {
            let begin = tokio::time::Instant::now();
            let (task, mut far, _events, _writer) = running();
            far.write_all(said).await.unwrap();
            assert_eq!(task.await.unwrap(), "no message came in time");
            assert_eq!(begin.elapsed().as_secs(), MESSAGE_WITHIN.as_secs());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handshake_that_is_not_finished_ends_after_ten_seconds() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = listener.local_addr().unwrap();
        let (to, _events) = mpsc::channel(8);
        let door = Door {
            transport: Transport::Ws,
            tls: None,
            crowd: Crowd::of(Limits { max: 9, per_source: 9 }, Vec::new()),
            origins: Arc::from([]),
        };
        tokio::spawn(accept(listener, door, to));
        let mut stream = TcpStream::connect(there).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.unwrap();
        let begin = tokio::time::Instant::now();
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0, "closed");
        assert!(begin.elapsed() <= HANDSHAKE_WITHIN, "{:?}", begin.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn single_bytes_do_not_buy_time() {
        let begin = tokio::time::Instant::now();
        let (task, mut far, _events, _writer) = running();
        let slowly = async {
            for byte in ONE.iter().cycle() {
                tokio::time::sleep(Duration::from_secs(5)).await;
                if far.write_all(&[*byte]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            ended = task => assert_eq!(ended.unwrap(), "no message came in time"),
            () = slowly => {}
        }
        assert!(begin.elapsed() <= Duration::from_secs(5) + MESSAGE_WITHIN, "{:?}", begin.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_nobody_uses_is_closed_after_two_hours() {
        let begin = tokio::time::Instant::now();
        let (task, mut far, _events, writer) = running();
        far.write_all(ONE).await.unwrap();
        tokio::time::sleep(Duration::from_mins(90)).await;
        writer.send(b"OPTIONS".to_vec()).await.unwrap();
        assert_eq!(task.await.unwrap(), "no message came in time");
        assert_eq!(begin.elapsed(), Duration::from_mins(90) + IDLE_MAX, "from the last message of either side");
        drop(writer);
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_connection_outlives_a_call() {
        let (task, mut far, mut events, writer) = running();
        far.write_all(ONE).await.unwrap();
        assert!(matches!(events.recv().await, Some(Event::Received(received)) if received.bytes == ONE));
        tokio::time::sleep(Duration::from_hours(1)).await;
        writer.send(b"BYE".to_vec()).await.unwrap();
        let mut said = [0; 3];
        far.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"BYE");
        drop(far);
        assert_eq!(task.await.unwrap(), "closed by the far end");
    }
}
