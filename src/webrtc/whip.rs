//! WHIP (RFC 9725): POST an offer, PATCH candidates, DELETE to hang up. For clients that are not our page.
//!
//! Owns the table of sessions by their unguessable names. What WHIP only sends, this sends and receives: the answer is
//! `sendrecv` where the offer is. Routed by [`super::server`].

use super::{
    ice_servers,
    protocol::{self, FromPage},
    server::{Ends, Web, bearer, problem, refusal},
};
use crate::gateway::session::web::Refused;
use axum::{
    body::Bytes,
    extract::{Extension, Path, Query, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rand::Rng as _;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::mpsc;

/// The one tag of a session's ICE: restarts are not made over WHIP.
const ETAG: &str = "\"1\"";

/// Sessions by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions(Arc<Mutex<HashMap<String, Known>>>);

#[derive(Clone, Debug)]
struct Known {
    to: mpsc::Sender<FromPage>,
    /// Who began it ends it.
    token: String,
}

impl Sessions {
    /// Remembers a session for as long as it lives.
    fn keep(&self, to: mpsc::Sender<FromPage>, token: &str) -> String {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        let id = format!("{:032x}", u128::from_be_bytes(bytes));
        self.table().insert(id.clone(), Known { to: to.clone(), token: token.to_owned() });
        let (sessions, name) = (self.clone(), id.clone());
        tokio::spawn(async move {
            to.closed().await;
            sessions.table().remove(&name);
        });
        id
    }

    fn table(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &str, headers: &HeaderMap) -> Option<mpsc::Sender<FromPage>> {
        self.table().get(id).filter(|known| known.token == bearer(headers)).map(|known| known.to.clone())
    }
}

/// What pages of other origins may do here.
pub(super) async fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, PATCH, DELETE, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    let accepts = [("Accept-Post", "application/sdp"), ("Accept-Patch", "application/trickle-ice-sdpfrag")];
    (StatusCode::NO_CONTENT, headers, accepts).into_response()
}

fn is_kind(headers: &HeaderMap, kind: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(kind)
}

#[expect(clippy::result_large_err, reason = "the error is the answer")]
fn text(body: Result<Bytes, BytesRejection>, most: usize) -> Result<String, Response> {
    let too_long = || problem(StatusCode::PAYLOAD_TOO_LARGE, &format!("more than {most} bytes"));
    let body = body.map_err(|_| too_long())?;
    if body.len() > most {
        return Err(too_long());
    }
    String::from_utf8(body.into()).map_err(|_| problem(StatusCode::BAD_REQUEST, "the body is no text"))
}

/// POST: the offer.
pub(super) async fn begin(
    State(web): State<Arc<Web>>,
    Extension(ends): Extension<Ends>,
    Path(to): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if !is_kind(&headers, "application/sdp") {
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the offer is application/sdp");
    }
    let name = query.get("name").map_or("", String::as_str);
    for (what, value) in [("to", to.as_str()), ("name", name)] {
        if let Err(why) = protocol::fit_name(what, value) {
            return problem(StatusCode::BAD_REQUEST, &why);
        }
    }
    let offer = match text(body, super::peer::OFFER_MAX) {
        Ok(offer) => offer,
        Err(refused) => return refused,
    };
    let mut links = Vec::new();
    let joined = match web.judge(&ends, bearer(&headers), &to, name) {
        Ok(wish) => {
            links = ice_servers::links(&web.ice_servers(&wish.name));
            web.join(&ends, wish, offer, web.transport("http", "https"), None).await
        }
        Err(refused) => Err(refused),
    };
    match joined {
        Ok(joined) => {
            let id = web.whip.keep(joined.to, bearer(&headers));
            let location = HeaderValue::from_str(&format!("/whip/session/{id}"));
            let mut response = (StatusCode::CREATED, joined.answer).into_response();
            let out = response.headers_mut();
            out.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/sdp"));
            out.insert(header::ETAG, HeaderValue::from_static(ETAG));
            out.insert("Accept-Patch", HeaderValue::from_static("application/trickle-ice-sdpfrag"));
            for link in links.iter().filter_map(|link| HeaderValue::from_str(link).ok()) {
                out.append(header::LINK, link);
            }
            if let Ok(location) = location {
                out.insert(header::LOCATION, location);
            }
            out.insert(
                "X-Call",
                HeaderValue::from_str(&joined.call.to_string()).unwrap_or(HeaderValue::from_static("")),
            );
            response
        }
        Err(refused) => refusal(&refused),
    }
}

/// PATCH: candidates that were found later (RFC 8840).
pub(super) async fn trickle(
    State(web): State<Arc<Web>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(session) = web.whip.find(&id, &headers) else { return gone() };
    if !is_kind(&headers, "application/trickle-ice-sdpfrag") {
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "candidates are application/trickle-ice-sdpfrag");
    }
    match headers.get(header::IF_MATCH).map(|value| value.to_str().unwrap_or_default()) {
        Some(ETAG) => {}
        // RFC 9725 §4.3.3: a restart. The session goes on as it is.
        Some("*") => return problem(StatusCode::UNPROCESSABLE_ENTITY, "ICE is not restarted over WHIP; begin anew"),
        Some(_) => return problem(StatusCode::PRECONDITION_FAILED, "this is not the session's ETag"),
        None => return problem(StatusCode::PRECONDITION_REQUIRED, "send If-Match with the session's ETag"),
    }
    let fragment = match text(body, super::peer::OFFER_MAX) {
        Ok(fragment) => fragment,
        Err(refused) => return refused,
    };
    let candidates = fragment.lines().filter_map(|line| line.trim().strip_prefix("a=candidate:"));
    for candidate in candidates.take(super::peer::CANDIDATES_MAX) {
        let candidate = format!("candidate:{candidate}");
        if session.try_send(FromPage::Candidate { candidate }).is_err() {
            return refusal(&Refused { status: 429, why: "too many candidates at once".to_owned() });
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

/// DELETE: hang up.
pub(super) async fn end(State(web): State<Arc<Web>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let Some(session) = web.whip.find(&id, &headers) else { return gone() };
    let _ = session.send(FromPage::Bye { reason: "DELETE".to_owned() }).await;
    // Its ports are free when this is.
    session.closed().await;
    StatusCode::OK.into_response()
}

fn gone() -> Response {
    problem(StatusCode::NOT_FOUND, "there is no such session, or it is somebody else's")
}
