//! A door before a mock: what becomes of each connection, one after another, is said beforehand. Carries bytes.

use futures_util::StreamExt as _;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

/// What becomes of one connection.
#[derive(Clone, Debug)]
pub enum Visit {
    /// To the mock.
    Through,
    /// To the mock for so long; then nothing is carried and nothing closed.
    ThroughFor(Duration),
    /// Cut before the upgrade.
    Dropped,
    /// 503 instead of the upgrade.
    Unavailable,
    /// Upgraded, and closed with this code when the first message comes.
    Closed(u16),
}

/// The running door.
#[derive(Debug)]
pub struct Door {
    /// The mock's address through this door.
    pub url: String,
    task: JoinHandle<()>,
}

impl Door {
    /// Before `url`; connections beyond `visits` go through.
    pub async fn before(url: &str, visits: impl IntoIterator<Item = Visit>) -> Self {
        let place = url.trim_start_matches("ws://");
        let (authority, path) =
            place.split_once('/').map_or((place, String::new()), |(a, path)| (a, format!("/{path}")));
        let there: SocketAddr = authority.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}{path}", listener.local_addr().unwrap());
        let mut visits: Vec<Visit> = visits.into_iter().collect();
        visits.reverse();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(receive(stream, there, visits.pop().unwrap_or(Visit::Through)));
            }
        });
        Self { url, task }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn receive(mut stream: TcpStream, there: SocketAddr, visit: Visit) {
    match visit {
        Visit::Dropped => {}
        Visit::Through => {
            let mut far = TcpStream::connect(there).await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut far).await;
        }
        Visit::ThroughFor(time) => {
            let mut far = TcpStream::connect(there).await.unwrap();
            let _ = tokio::time::timeout(time, copy_bidirectional(&mut stream, &mut far)).await;
            // Both stay open, and nobody reads.
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        Visit::Unavailable => {
            let mut request = vec![0; 4_096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await;
            let _ = stream.shutdown().await;
        }
        Visit::Closed(code) => {
            let mut stream = tokio_tungstenite::accept_async(stream).await.unwrap();
            let _ = stream.next().await;
            let _ = stream.close(Some(CloseFrame { code: CloseCode::from(code), reason: "try later".into() })).await;
            while let Some(Ok(_)) = stream.next().await {}
        }
    }
}
