//! A page's WebSocket while both sides have something to say: its messages in, ours out, and whether it is still there.
//!
//! Knows no calls: [`super::signal`] has it for the page of one call, [`super::presence`] for a page that waits.

use super::protocol::{self, FromPage, MESSAGES_PER_SECOND, Pace, ToPage};
use crate::{clock::SystemClock, gateway::session::web::Refused};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::{
    sync::mpsc,
    time::{Interval, timeout},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

/// A page is asked this often whether it is there, and is gone after one that it did not answer.
const PING_EVERY: Duration = Duration::from_secs(15);
/// A message that a page does not take in this time ends its socket.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// A page's socket.
pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Sends a text; false if the page does not take it.
pub(super) async fn send(socket: &mut Socket, text: String) -> bool {
    matches!(timeout(SEND_WITHIN, socket.send(Message::text(text))).await, Ok(Ok(())))
}

/// Both directions of one socket.
#[derive(Debug)]
pub(super) struct Line<'s> {
    socket: &'s mut Socket,
    /// What the page is to be told; when its other end is dropped, everything has been.
    told: mpsc::Receiver<String>,
    ping: Interval,
    answered: bool,
    pace: Pace,
}

impl<'s> Line<'s> {
    /// A line that tells the page what comes from `told`.
    pub(super) fn new(socket: &'s mut Socket, told: mpsc::Receiver<String>) -> Self {
        let pace = Pace::new(MESSAGES_PER_SECOND, Duration::from_secs(1));
        Self { socket, told, ping: tokio::time::interval(PING_EVERY), answered: true, pace }
    }

    /// The next message of the page; none when the page is gone, or nobody will tell it anything any more. What cannot be
    /// read it hears of here.
    pub(super) async fn next(&mut self) -> Result<Option<FromPage>, Refused> {
        loop {
            tokio::select! {
                told = self.told.recv() => match told {
                    Some(told) => if !send(self.socket, told).await { return Ok(None) },
                    None => return Ok(None),
                },
                message = self.socket.next() => {
                    self.answered = true;
                    if !self.pace.step(SystemClock::now()) {
                        let why = format!("more than {MESSAGES_PER_SECOND} messages in a second");
                        return Err(Refused { status: 429, why });
                    }
                    let text = match message {
                        Some(Ok(Message::Text(text))) => text,
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(None),
                        Some(Ok(_)) => continue,
                    };
                    match protocol::read(&text) {
                        Ok(message) => return Ok(Some(message)),
                        Err(why) => {
                            let error = ToPage::Error { status: 400, why: &why }.json();
                            if !send(self.socket, error).await { return Ok(None) }
                        }
                    }
                }
                _ = self.ping.tick() => {
                    if !std::mem::take(&mut self.answered) {
                        return Ok(None);
                    }
                    let ping = self.socket.send(Message::Ping("".into()));
                    if !matches!(timeout(SEND_WITHIN, ping).await, Ok(Ok(()))) {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Whether nobody will tell the page anything any more.
    pub(super) fn is_over(&self) -> bool {
        self.told.is_closed()
    }
}
