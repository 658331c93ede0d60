//! A page that waits to be called: its WebSocket from `register` to its end, and what rings meanwhile.
//!
//! Each call that it takes is a WebSocket of its own ([`super::signal`]), so that a call ends with its own socket and the
//! page stays. Whom it rings for is the engine's business.

use super::{
    line::{Line, Socket, send},
    protocol::{FromPage, ToPage},
    server::{Ends, Proof, Web},
};
use crate::gateway::{PageId, session::web::Refused};
use tokio::sync::mpsc;

/// Rings and ends of rings that may wait for a slow page; beyond it the page does not ring.
const RINGS_MAX: usize = 32;

/// Registers the page and waits with it, until it goes.
pub(super) async fn wait(web: &Web, ends: &Ends, socket: &mut Socket, proof: &Proof) -> Result<(), Refused> {
    let user = web.prove(ends, proof)?;
    let (to, rings) = mpsc::channel(RINGS_MAX);
    let page = web.present(ends, &user, to).await?;
    let outcome = if send(socket, ToPage::Registered { user: &user }.json()).await {
        talk(web, page, socket, rings).await
    } else {
        Ok(())
    };
    web.handle().absent(page).await;
    outcome
}

async fn talk(web: &Web, page: PageId, socket: &mut Socket, rings: mpsc::Receiver<String>) -> Result<(), Refused> {
    let mut line = Line::new(socket, rings);
    while let Some(message) = line.next().await? {
        match message {
            FromPage::Decline { ring } => web.handle().decline(page, ring).await,
            FromPage::Bye { .. } => return Ok(()),
            _ => {}
        }
    }
    if line.is_over() { Err(Refused { status: 503, why: "the gateway stops".to_owned() }) } else { Ok(()) }
}
