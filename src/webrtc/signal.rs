//! The WebSocket of a page (RFC 6455): messages of [`super::protocol`] in, events out. One call a socket.
//!
//! When the socket goes, so does its call. Routed by [`super::server`].

use super::{
    line::{Line, Socket, send},
    presence,
    protocol::{self, FromPage, MESSAGE_MAX, ToPage},
    server::{Ends, Proof, Room, Web, Wish, problem},
};
use crate::{gateway::session::web::Refused, redact::Secret};
use axum::{
    extract::{Extension, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt as _;
use hyper_util::rt::TokioIo;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

/// Events that may wait for a slow page; then they are dropped and counted.
const EVENTS_MAX: usize = 256;
/// A page that says nothing for so long before it joins is sent away.
const JOIN_WITHIN: Duration = Duration::from_secs(20);
/// GET with `Upgrade: websocket`.
pub(super) async fn upgrade(
    State(web): State<Arc<Web>>,
    Extension(ends): Extension<Ends>,
    Extension(room): Extension<Room>,
    mut request: Request,
) -> Response {
    let said = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let asks = said(header::UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
        && said(header::SEC_WEBSOCKET_VERSION) == Some("13");
    let Some(key) = said(header::SEC_WEBSOCKET_KEY).filter(|_| asks).map(|key| derive_accept_key(key.as_bytes()))
    else {
        return problem(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket, version 13; see docs/WEBRTC.md");
    };
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_MAX)).max_frame_size(Some(MESSAGE_MAX));
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        talk(&web, ends, socket).await;
        drop(room);
    });
    let Ok(accept) = HeaderValue::from_str(&key) else {
        return problem(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key");
    };
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

async fn talk(web: &Web, ends: Ends, mut socket: Socket) {
    if let Err(refused) = conversation(web, &ends, &mut socket).await {
        let error = ToPage::Error { status: refused.status, why: &refused.why }.json();
        let _ = send(&mut socket, error).await;
    }
    let _ = timeout(Duration::from_secs(1), socket.close(None)).await;
}

/// The next message of the page; none when it is gone.
async fn next(socket: &mut Socket) -> Option<Result<FromPage, Refused>> {
    loop {
        return match socket.next().await? {
            Ok(Message::Text(text)) => Some(protocol::read(&text).map_err(|why| Refused { status: 400, why })),
            Ok(Message::Binary(_)) => Some(Err(Refused { status: 400, why: "messages are text".to_owned() })),
            Ok(Message::Close(_)) | Err(_) => None,
            Ok(_) => continue,
        };
    }
}

async fn conversation(web: &Web, ends: &Ends, socket: &mut Socket) -> Result<(), Refused> {
    let late = || Refused { status: 408, why: format!("no offer within {} s", JOIN_WITHIN.as_secs()) };
    let Some(first) = timeout(JOIN_WITHIN, next(socket)).await.map_err(|_| late())? else { return Ok(()) };
    let (ring, wish) = match first? {
        FromPage::Register { user, password, token } => {
            let proof = Proof { user, password: Secret::new(&password), token };
            return presence::wait(web, ends, socket, &proof).await;
        }
        // Who knows the ring's name has been asked who it is.
        FromPage::Join { ring, name, to, .. } if !ring.is_empty() => (ring, Wish { to, name, user: None }),
        FromPage::Join { to, user, password, .. } if !password.is_empty() => {
            let proof = Proof { user, password: Secret::new(&password), token: String::new() };
            let user = web.prove(ends, &proof)?;
            (String::new(), Wish { to, name: user.clone(), user: Some(user) })
        }
        FromPage::Join { to, name, token, .. } => (String::new(), web.judge(ends, &token, &to, &name)?),
        _ => return Err(Refused { status: 400, why: "the first message is join or register".to_owned() }),
    };
    let servers = web.ice_servers(&wish.name);
    if !send(socket, ToPage::Joined { ice_servers: &servers }.json()).await {
        return Ok(());
    }
    let offer = timeout(JOIN_WITHIN, async {
        loop {
            match next(socket).await {
                Some(Ok(FromPage::Offer { sdp })) => break Ok(Some(sdp)),
                None | Some(Ok(FromPage::Bye { .. })) => break Ok(None),
                Some(Ok(_)) => {}
                Some(Err(wrong)) => break Err(wrong),
            }
        }
    });
    let Some(offer) = offer.await.map_err(|_| late())?? else { return Ok(()) };
    let (events_to, events) = mpsc::channel(EVENTS_MAX);
    let transport = web.transport("ws", "wss");
    let joined = if ring.is_empty() {
        web.join(ends, wish, offer, transport, Some(events_to)).await?
    } else {
        web.pick_up(ends, ring, offer, transport, events_to).await?
    };
    let call = joined.call.to_string();
    if !send(socket, ToPage::Answer { call: &call, sdp: &joined.answer }.json()).await {
        return Ok(());
    }
    let mut line = Line::new(socket, events);
    while let Some(message) = line.next().await? {
        // When it is over, the last events are still to be sent.
        drop(joined.to.send(message).await);
    }
    Ok(())
}
