//! The WebSocket of a page (RFC 6455): messages of [`super::protocol`] in, events out. One call a socket.
//!
//! When the socket goes, so does its call. Routed by [`super::server`].

use super::{
    protocol::{self, FromPage, MESSAGE_MAX, MESSAGES_PER_SECOND, ToPage},
    server::{Ends, Room, Web, problem},
};
use crate::gateway::session::web::Refused;
use axum::{
    extract::{Extension, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
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
/// A page is asked this often whether it is there, and is gone after one that it did not answer.
const PING_EVERY: Duration = Duration::from_secs(15);
/// A message that a page does not take in this time ends its socket.
const SEND_WITHIN: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<TokioIo<Upgraded>>;

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

async fn send(socket: &mut Socket, text: String) -> bool {
    matches!(timeout(SEND_WITHIN, socket.send(Message::text(text))).await, Ok(Ok(())))
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
    let FromPage::Join { to, name, token } = first? else {
        return Err(Refused { status: 400, why: "the first message is join".to_owned() });
    };
    let wish = web.judge(ends, &token, &to, &name)?;
    if !send(socket, ToPage::Joined { ice_servers: &[] }.json()).await {
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
    let (events_to, mut events) = mpsc::channel(EVENTS_MAX);
    let joined = web.join(ends, wish, offer, web.transport("ws", "wss"), Some(events_to)).await?;
    let call = joined.call.to_string();
    if !send(socket, ToPage::Answer { call: &call, sdp: &joined.answer }.json()).await {
        return Ok(());
    }
    let mut ping = tokio::time::interval(PING_EVERY);
    let (mut answered, mut in_this_second, mut second) = (true, 0_u32, tokio::time::Instant::now());
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => if !send(socket, event).await { return Ok(()) },
                // The call is over and everything was said.
                None => return Ok(()),
            },
            message = socket.next() => {
                answered = true;
                if second.elapsed() >= Duration::from_secs(1) {
                    second = tokio::time::Instant::now();
                    in_this_second = 0;
                }
                in_this_second += 1;
                if in_this_second > MESSAGES_PER_SECOND {
                    let why = format!("more than {MESSAGES_PER_SECOND} messages in a second");
                    return Err(Refused { status: 429, why });
                }
                let text = match message {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                    Some(Ok(_)) => continue,
                };
                match protocol::read(&text) {
                    // When it is over, the last events are still to be sent.
                    Ok(message) => drop(joined.to.send(message).await),
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
