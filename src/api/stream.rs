//! Where platforms come in: a token for one call is asked for here, and a WebSocket that shows it is handed to the call.
//!
//! The token is all that the WebSocket needs: whoever runs the platform need not know the API's own. What is spoken on it
//! is [`crate::agent::wire::bridge`]'s.

use super::server::{Arrived, not_running, problem, read};
use crate::{
    agent::{
        attach::{Claims, Connection, PURPOSE, Pipe, Slot, TOKEN_MAX_S, TOKEN_S, number},
        socket,
    },
    clock::SystemClock,
    gateway::Handle,
    unit::CallId,
};
use axum::{
    Json,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper_util::rt::TokioIo;
use rand::Rng as _;
use serde::Deserialize;
use std::collections::BTreeMap;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role},
};

/// Where the WebSocket is.
pub(super) const PLACE: &str = "/v1/stream";

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    valid_s: Option<u64>,
    audio: Option<String>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

fn now() -> u64 {
    SystemClock::wall().0 / 1_000_000
}

/// A token with which a platform may attach to this call, once.
pub(super) async fn mint(State(handle): State<Handle>, Path(call): Path<String>, body: Arrived) -> Response {
    let wish: Wish = match read(body) {
        Ok(wish) => wish,
        Err(problem) => return problem,
    };
    let valid_s = wish.valid_s.unwrap_or(TOKEN_S);
    if !(1..=TOKEN_MAX_S).contains(&valid_s) {
        return problem(StatusCode::BAD_REQUEST, &format!("valid_s is 1 to {TOKEN_MAX_S}"));
    }
    let runs = match (call.parse::<CallId>(), handle.hub.snapshot().await) {
        (Ok(id), Some(all)) => all.sessions.iter().any(|session| session.call() == id && !session.state.is_over()),
        _ => false,
    };
    if !runs {
        return not_running(&handle, &call).await;
    }
    let claims = Claims {
        aud: PURPOSE.to_owned(),
        sub: call,
        exp: now() + valid_s,
        jti: number(rand::rng().next_u64()),
        audio: wish.audio,
        parameters: wish.parameters,
    };
    if let Err(why) = claims.check() {
        return problem(StatusCode::BAD_REQUEST, &why);
    }
    let token = handle.stream_key.sign(&claims);
    (StatusCode::CREATED, Json(serde_json::json!({"token": token, "expires": claims.exp, "path": PLACE})))
        .into_response()
}

/// Which call, on what terms, and the handshake's answer.
#[expect(clippy::result_large_err, reason = "the error is the answer")]
fn asked(handle: &Handle, headers: &HeaderMap) -> Result<(CallId, Claims, HeaderValue), Response> {
    let said = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let token = said(header::AUTHORIZATION).and_then(|value| value.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map_or("", |(_, token)| token.trim());
    let refused = |why| problem(StatusCode::UNAUTHORIZED, why);
    let claims: Claims = handle.stream_key.read(token, now()).map_err(refused)?;
    let call = claims.sub.parse::<CallId>().ok().filter(|_| claims.aud == PURPOSE);
    let call = call.ok_or_else(|| refused("the token is not for a stream"))?;
    let asks = said(header::UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
        && said(header::SEC_WEBSOCKET_VERSION) == Some("13");
    let accept = said(header::SEC_WEBSOCKET_KEY).filter(|_| asks).map(|key| derive_accept_key(key.as_bytes()));
    let accept = accept
        .and_then(|accept| HeaderValue::from_str(&accept).ok())
        .ok_or_else(|| problem(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket, version 13; see docs/API.md"))?;
    if !handle.streams_used.once(&claims, now()) {
        return Err(refused("the token was used already"));
    }
    Ok((call, claims, accept))
}

/// GET with `Upgrade: websocket` and the token as bearer.
pub(super) async fn attach(State(handle): State<Handle>, mut request: Request) -> Response {
    let (call, claims, accept) = match asked(&handle, request.headers()) {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    let (to, slot) = Slot::new();
    let number = claims.jti.clone();
    match handle.attach(call, claims, slot).await {
        Some(Ok(())) => {}
        refused => {
            handle.streams_used.not_used(&number);
            return match refused {
                Some(Err(why)) => problem(StatusCode::CONFLICT, &why),
                _ => not_running(&handle, &call.to_string()).await,
            };
        }
    }
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgraded.await else { return };
        let pipe: Box<dyn Pipe> = Box::new(TokioIo::new(upgraded));
        let socket: Connection = WebSocketStream::from_raw_socket(pipe, Role::Server, Some(socket::limits())).await;
        // Nobody waits any more: the call is over, and the connection closes.
        let _ = to.send(socket);
    });
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}
