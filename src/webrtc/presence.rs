//! A page that waits to be called: its WebSocket from `register` to its end, and what rings meanwhile.
//!
//! Each call that it takes is a WebSocket of its own ([`super::signal`]), so that a call ends with its own socket and the
//! page stays. Whom it rings for is the engine's business.

use super::{
    protocol::{self, FromPage, ToPage},
    server::{Ends, Proof, Web},
    signal::{PING_EVERY, Pace, SEND_WITHIN, Socket, send},
};
use crate::gateway::{PageId, session::web::Refused};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::{sync::mpsc, time::timeout};
use tokio_tungstenite::tungstenite::Message;

/// Rings and ends of rings that may wait for a slow page; beyond it the page does not ring.
const RINGS_MAX: usize = 32;

/// Registers the page and waits with it, until it goes.
pub(super) async fn wait(web: &Web, ends: &Ends, socket: &mut Socket, proof: &Proof) -> Result<(), Refused> {
    let user = web.prove(ends, proof)?;
    let (to, mut rings) = mpsc::channel(RINGS_MAX);
    let page = web.present(ends, &user, to).await?;
    let outcome = if send(socket, ToPage::Registered { user: &user }.json()).await {
        talk(web, page, socket, &mut rings).await
    } else {
        Ok(())
    };
    web.handle().absent(page).await;
    outcome
}

async fn talk(web: &Web, page: PageId, socket: &mut Socket, rings: &mut mpsc::Receiver<String>) -> Result<(), Refused> {
    let mut ping = tokio::time::interval(PING_EVERY);
    let (mut answered, mut pace) = (true, Pace::default());
    loop {
        tokio::select! {
            told = rings.recv() => match told {
                Some(told) => if !send(socket, told).await { return Ok(()) },
                None => return Err(Refused { status: 503, why: "the gateway stops".to_owned() }),
            },
            message = socket.next() => {
                answered = true;
                pace.step()?;
                let text = match message {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                    Some(Ok(_)) => continue,
                };
                match protocol::read(&text) {
                    Ok(FromPage::Decline { ring }) => web.handle().decline(page, ring).await,
                    Ok(FromPage::Bye { .. }) => return Ok(()),
                    Ok(_) => {}
                    Err(why) => {
                        let error = ToPage::Error { status: 400, why: &why }.json();
                        if !send(socket, error).await { return Ok(()) }
                    }
                }
            }
            _ = ping.tick() => {
                if !answered {
                    return Ok(());
                }
                answered = false;
                if !matches!(timeout(SEND_WITHIN, socket.send(Message::Ping("".into()))).await, Ok(Ok(()))) {
                    return Ok(());
                }
            }
        }
    }
}
