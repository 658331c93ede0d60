//! The server side: axum on a Unix socket (mode 0600) or on TCP with a bearer token.

use super::{conference, model::StreamItem, stream};
use crate::{
    error::{Error, Kind, Result},
    gateway::{Handle, Originate, Writing},
    redact::{Secret, printable},
    secret::same,
    sip::{
        carried,
        uri::{NameAddr, Uri},
    },
    unit::CallId,
};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path as PathPart, Request, State, rejection::BytesRejection},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, UnixListener, UnixStream},
    sync::{broadcast, mpsc},
};

/// Where the API listens; the Unix socket's file goes away when this is dropped.
#[derive(Debug)]
pub struct Listening {
    /// For the ready line: `unix:/run/…` or `http://127.0.0.1:8080`.
    pub place: String,
    path: Option<PathBuf>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Starts the API on `place`: `unix:PATH`, `HOST:PORT` or `off` (gives none).
///
/// # Errors
/// The place is taken, or a TCP place without a token.
pub async fn start(place: &str, token: Option<Secret>, handle: Handle) -> Result<Option<Listening>> {
    if place == "off" {
        return Ok(None);
    }
    if let Some(path) = place.strip_prefix("unix:") {
        let path = if path == "auto" { super::client::default_socket() } else { PathBuf::from(path) };
        let listener = bind_unix(&path).await?;
        tokio::spawn(async move { axum::serve(listener, router(handle, None)).await });
        return Ok(Some(Listening { place: format!("unix:{}", path.display()), path: Some(path) }));
    }
    let listener = bind_tcp(place, token.as_ref()).await?;
    let bound = listener.local_addr().map_or_else(|_| place.to_owned(), |address| address.to_string());
    tokio::spawn(async move { axum::serve(listener, router(handle, token.map(Arc::new))).await });
    Ok(Some(Listening { place: format!("http://{bound}"), path: None }))
}

/// Binds `place` as [`start`] would and lets go of it again, for `serve --check`; changes nothing on disk. Gives the
/// place as [`start`] would name it.
///
/// # Errors
/// As [`start`].
pub async fn check(place: &str, token: Option<&Secret>) -> Result<String> {
    if place == "off" {
        return Ok(place.to_owned());
    }
    if let Some(path) = place.strip_prefix("unix:") {
        let path = if path == "auto" { super::client::default_socket() } else { PathBuf::from(path) };
        look_for_another(&path).await?;
        // Where the folder is not there yet, it could be made.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        if folder.is_dir() {
            drop(bind_hidden(&path)?);
            let _ = std::fs::remove_file(hidden_name(&path));
        }
        return Ok(format!("unix:{}", path.display()));
    }
    let listener = bind_tcp(place, token).await?;
    Ok(listener.local_addr().map_or_else(|_| place.to_owned(), |address| format!("http://{address}")))
}

async fn bind_tcp(place: &str, token: Option<&Secret>) -> Result<TcpListener> {
    if token.is_none() {
        return Err(Error::usage(format!("api.listen = {place}: on TCP the API needs a token"))
            .hint("set api.token_file, or use unix:PATH"));
    }
    TcpListener::bind(place).await.map_err(|source| {
        Error::machine(format!("could not listen on {place} for the API: {source}"))
            .hint("choose another port with --api HOST:PORT")
    })
}

/// A socket of a gateway that runs, or a file, is not taken. Gives whether a dead one's socket is there.
async fn look_for_another(path: &Path) -> Result<bool> {
    let Ok(found) = std::fs::symlink_metadata(path) else { return Ok(false) };
    if !found.file_type().is_socket() {
        return Err(Error::machine(format!("{} is there already and is no socket", path.display()))
            .hint("choose another place with --api unix:PATH"));
    }
    if UnixStream::connect(path).await.is_ok() {
        return Err(Error::machine(format!("another gateway answers on {}", path.display()))
            .hint("stop it, or choose another place with --api unix:PATH"));
    }
    Ok(true)
}

fn hidden_name(path: &Path) -> PathBuf {
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(format!(".{}", std::process::id()));
    PathBuf::from(hidden)
}

fn bind_hidden(path: &Path) -> Result<UnixListener> {
    let failed = |source: &std::io::Error| Error::file("make the API's socket", path, source);
    let hidden = hidden_name(path);
    let _ = std::fs::remove_file(&hidden);
    let listener = UnixListener::bind(&hidden).map_err(|source| failed(&source))?;
    std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o600)).map_err(|source| failed(&source))?;
    Ok(listener)
}

/// Binds under another name with mode 0600 and then moves it in place: nobody can connect in between.
async fn bind_unix(path: &Path) -> Result<UnixListener> {
    let failed = |source: &std::io::Error| Error::file("make the API's socket", path, source);
    if look_for_another(path).await? {
        std::fs::remove_file(path).map_err(|source| failed(&source))?;
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|source| failed(&source))?;
        if path == super::client::default_socket() && !is_ours(folder) {
            return Err(Error::machine(format!("{} is not ours alone", folder.display()))
                .hint("remove it, or choose another place with --api unix:PATH"));
        }
    }
    let listener = bind_hidden(path)?;
    std::fs::rename(hidden_name(path), path).map_err(|source| failed(&source))?;
    Ok(listener)
}

/// Whether a folder belongs to the user that this runs as, and nobody else can write to it.
fn is_ours(folder: &Path) -> bool {
    let (Ok(found), Ok(own)) = (std::fs::metadata(folder), std::fs::metadata("/proc/self")) else { return true };
    found.uid() == own.uid() && found.mode() & 0o022 == 0
}

fn router(handle: Handle, token: Option<Arc<Secret>>) -> Router {
    // Platforms show a token of their own.
    let open = Router::new().route(stream::PLACE, get(stream::attach)).with_state(handle.clone());
    guarded(handle, token).merge(open)
}

fn guarded(handle: Handle, token: Option<Arc<Secret>>) -> Router {
    let router = Router::new()
        .route("/v1/health", get(health))
        .route("/v1/sessions", get(sessions))
        .route("/v1/sessions/{call}", get(session).delete(hang_up_plain))
        .route("/v1/sessions/{call}/hangup", post(hang_up))
        .route("/v1/sessions/{call}/dtmf", post(press))
        .route("/v1/sessions/{call}/hold", post(hold))
        .route("/v1/sessions/{call}/resume", post(resume))
        .route("/v1/sessions/{call}/transfer", post(transfer))
        .route("/v1/sessions/{call}/recording", post(recording))
        .route("/v1/sessions/{call}/bridge", post(bridge))
        .route("/v1/sessions/{call}/conference", post(conference::enter))
        .route("/v1/sessions/{call}/stream", post(stream::mint))
        .route("/v1/conferences", get(conference::all))
        .route("/v1/conferences/{name}/mute", post(conference::mute))
        .route("/v1/conferences/{name}/gain", post(conference::gain))
        .route("/v1/conferences/{name}/role", post(conference::role))
        .route("/v1/conferences/{name}/kick", post(conference::kick))
        .route("/v1/calls", post(place))
        .route("/v1/messages", post(write))
        .route("/v1/join-tokens", post(mint))
        .route("/v1/events", get(events))
        .method_not_allowed_fallback(|| async {
            problem(StatusCode::METHOD_NOT_ALLOWED, "this place takes another method; see docs/API.md")
        })
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is no such place; see docs/API.md") })
        .with_state(handle);
    match token {
        None => router,
        Some(token) => router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let token = Arc::clone(&token);
            async move {
                if authorized(&request, &token) {
                    next.run(request).await
                } else {
                    problem(StatusCode::UNAUTHORIZED, "send Authorization: Bearer with the API's token")
                }
            }
        })),
    }
}

fn authorized(request: &Request, token: &Secret) -> bool {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    // The scheme's case does not matter (RFC 9110 §11.1).
    let given =
        given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let given = given.map_or("", |(_, token)| token.trim());
    same(given.as_bytes(), token.reveal().as_bytes())
}

#[derive(Serialize)]
struct Problem<'a> {
    error: &'a str,
}

pub(super) fn problem(status: StatusCode, error: &str) -> Response {
    (status, Json(Problem { error })).into_response()
}

fn gone() -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "the gateway is shutting down")
}

async fn health(State(handle): State<Handle>) -> Response {
    match handle.hub.gateway().await {
        Some(gateway) if gateway.draining => (StatusCode::SERVICE_UNAVAILABLE, Json(gateway)).into_response(),
        Some(gateway) => Json(gateway).into_response(),
        None => gone(),
    }
}

async fn sessions(State(handle): State<Handle>) -> Response {
    match handle.hub.snapshot().await {
        Some(snapshot) => Json(snapshot).into_response(),
        None => gone(),
    }
}

async fn session(State(handle): State<Handle>, PathPart(call): PathPart<String>) -> Response {
    let Ok(call) = call.parse::<CallId>() else { return unknown_call(&call) };
    match handle.hub.session(call).await {
        Some(Some(session)) => Json(session).into_response(),
        Some(None) => unknown_call(&call.to_string()),
        None => gone(),
    }
}

fn unknown_call(call: &str) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is no call {}", printable(call)))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HangUp {
    reason: Option<String>,
}

async fn hang_up(State(handle): State<Handle>, PathPart(call): PathPart<String>, body: Arrived) -> Response {
    let wish: HangUp = match read(body) {
        Ok(wish) => wish,
        Err(problem) => return problem,
    };
    let reason = wish.reason.unwrap_or_else(|| "hung up by the operator".to_owned());
    end(&handle, &call, &reason).await
}

async fn hang_up_plain(State(handle): State<Handle>, PathPart(call): PathPart<String>) -> Response {
    end(&handle, &call, "hung up by the operator").await
}

async fn end(handle: &Handle, text: &str, reason: &str) -> Response {
    match text.parse::<CallId>() {
        Ok(call) if handle.hang_up(call, reason).await => StatusCode::ACCEPTED.into_response(),
        _ => not_running(handle, text).await,
    }
}

/// Why nothing can be done to a call: it is over, or there never was one.
pub(super) async fn not_running(handle: &Handle, text: &str) -> Response {
    let Ok(call) = text.parse::<CallId>() else { return unknown_call(text) };
    match handle.hub.snapshot().await {
        Some(all) if all.sessions.iter().any(|session| session.call() == call) => {
            problem(StatusCode::CONFLICT, &format!("call {call} has ended already"))
        }
        _ => unknown_call(text),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Press {
    digits: String,
}

async fn press(State(handle): State<Handle>, PathPart(call): PathPart<String>, body: Arrived) -> Response {
    let wish: Press = match required(body, "{\"digits\":\"12#\"}") {
        Ok(wish) => wish,
        Err(problem) => return problem,
    };
    if wish.digits.is_empty() || !wish.digits.chars().all(|key| crate::media::rtp::dtmf::event_of(key).is_some()) {
        return problem(StatusCode::BAD_REQUEST, "digits are 0-9, *, # and A-D");
    }
    match call.parse::<CallId>() {
        Ok(id) if handle.press(id, &wish.digits).await => StatusCode::ACCEPTED.into_response(),
        _ => not_running(&handle, &call).await,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recording {
    state: String,
}

async fn recording(State(handle): State<Handle>, PathPart(call): PathPart<String>, body: Arrived) -> Response {
    let wish: Recording = match required(body, "{\"state\":\"paused\"}") {
        Ok(wish) => wish,
        Err(problem) => return problem,
    };
    let paused = match wish.state.as_str() {
        "paused" => true,
        "on" => false,
        _ => return problem(StatusCode::BAD_REQUEST, "state is paused or on"),
    };
    match call.parse::<CallId>() {
        Ok(id) if handle.pause_recording(id, paused).await => StatusCode::ACCEPTED.into_response(),
        _ => not_running(&handle, &call).await,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    /// An address.
    to: Option<String>,
    /// Another call here, whose far end ours is to talk to.
    to_call: Option<String>,
}

async fn hold(State(handle): State<Handle>, PathPart(call): PathPart<String>) -> Response {
    change_hold(&handle, &call, true).await
}

async fn resume(State(handle): State<Handle>, PathPart(call): PathPart<String>) -> Response {
    change_hold(&handle, &call, false).await
}

async fn change_hold(handle: &Handle, call: &str, hold: bool) -> Response {
    match call.parse::<CallId>() {
        Ok(id) if handle.hold(id, hold).await => StatusCode::ACCEPTED.into_response(),
        _ => not_running(handle, call).await,
    }
}

/// Attended: the far end of `call` takes our place in another call of ours.
async fn transfer_to_call(handle: &Handle, call: &str, other: &str) -> Response {
    let (Ok(id), Ok(other)) = (call.parse::<CallId>(), other.parse::<CallId>()) else {
        return problem(StatusCode::BAD_REQUEST, "to_call is a call's name, like c-f4bea8cd");
    };
    if id == other {
        return problem(StatusCode::BAD_REQUEST, "to_call must be another call");
    }
    match handle.transfer_to(id, other).await {
        Some(true) => StatusCode::ACCEPTED.into_response(),
        Some(false) => problem(StatusCode::CONFLICT, "both calls must have been answered"),
        None => {
            let snapshot = handle.hub.snapshot().await;
            let runs = snapshot
                .is_some_and(|all| all.sessions.iter().any(|session| session.call() == id && !session.state.is_over()));
            not_running(handle, &if runs { other } else { id }.to_string()).await
        }
    }
}

async fn transfer(State(handle): State<Handle>, PathPart(call): PathPart<String>, body: Arrived) -> Response {
    let wish: Transfer = match required(body, "{\"to\":\"sip:carol@example.org\"}") {
        Ok(wish) => wish,
        Err(problem) => return problem,
    };
    let to = match (wish.to, wish.to_call) {
        (Some(to), None) => to,
        (None, Some(other)) => return transfer_to_call(&handle, &call, &other).await,
        _ => return problem(StatusCode::BAD_REQUEST, "give either to or to_call"),
    };
    let Some(to) = Uri::parse(&to).ok().filter(|to| to.is_sip() && !to.host.is_empty()) else {
        return problem(StatusCode::BAD_REQUEST, "to must be a whole SIP address, like sip:carol@example.org");
    };
    match call.parse::<CallId>() {
        Ok(id) if handle.transfer(id, to).await => StatusCode::ACCEPTED.into_response(),
        _ => not_running(&handle, &call).await,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutThrough {
    to: String,
    trunk: Option<String>,
}

/// Puts an agent's caller through to a person; the answer names the new leg's session.
async fn bridge(State(handle): State<Handle>, PathPart(call): PathPart<String>, body: Arrived) -> Response {
    let wish: PutThrough = match required(body, "{\"to\":\"alice\"}") {
        Ok(wish) => wish,
        Err(problem) => return problem,
    };
    if whom(&wish.to).is_none_or(|to| !to.host.is_empty()) {
        return problem(StatusCode::BAD_REQUEST, "to is a user of ours, or with trunk a number, like +4930123");
    }
    let Ok(id) = call.parse::<CallId>() else { return unknown_call(&call) };
    match handle.bridge(id, &wish.to, wish.trunk.as_deref()).await {
        Ok(leg) => (StatusCode::ACCEPTED, Json(serde_json::json!({"call": leg}))).into_response(),
        Err(failed) if failed.kind() == Kind::Refused => match not_running(&handle, &call).await {
            told if told.status() == StatusCode::NOT_FOUND => told,
            _ => problem(StatusCode::CONFLICT, &failed.to_string()),
        },
        Err(failed) => failure(&failed),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    to: String,
    agent: Option<String>,
    from: Option<String>,
    trunk: Option<String>,
    /// For our INVITE.
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// `alice` is a user who is registered here, `sip:…` anybody.
fn whom(text: &str) -> Option<Uri> {
    if text.contains(':') {
        return Uri::parse(text).ok().filter(|uri| uri.is_sip() && !uri.host.is_empty());
    }
    let good = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-_.".contains(c));
    good.then(|| Uri { scheme: "sip".into(), user: text.to_owned(), ..Uri::default() })
}

async fn place(State(handle): State<Handle>, body: Arrived) -> Response {
    let wish: Place = match required(body, "{\"to\":\"alice\",\"agent\":\"echo\"}") {
        Ok(wish) => wish,
        Err(problem) => return problem,
    };
    for (name, value) in &wish.headers {
        if let Err(wrong) = carried::may_set(name, value) {
            return problem(StatusCode::BAD_REQUEST, &format!("headers: {}: {wrong}", printable(name)));
        }
    }
    let (mut to, mut credentials, mut own) = (whom(&wish.to), None, "sip:voxgw@voxgw.invalid".to_owned());
    if let Some(trunk) = &wish.trunk {
        let number = to.as_ref().filter(|to| to.host.is_empty()).map(|to| to.user.clone());
        let Some(number) = number else {
            return problem(StatusCode::BAD_REQUEST, "through a trunk, to is a number, like +4930123");
        };
        let Some((there, aor, known)) = handle.through(trunk, &number).await else {
            return problem(StatusCode::BAD_REQUEST, "there is no such trunk in the config");
        };
        (to, credentials, own) = (Some(there), known, aor.to_string());
    }
    let routes = match &wish.trunk {
        Some(trunk) => handle.service_route(trunk).await,
        None => Vec::new(),
    };
    let from = wish.from.as_deref().unwrap_or(&own);
    let (Some(to), Ok(from)) = (to, Uri::parse(from)) else {
        return problem(StatusCode::BAD_REQUEST, "to and from are SIP addresses; to may be a registered user's name");
    };
    let Some(plan) = handle.plan(wish.agent.as_deref()).await else {
        return problem(StatusCode::BAD_REQUEST, "this gateway was not started with that agent");
    };
    let originate = Originate {
        to,
        from,
        proxy: routes.first().and_then(|route| NameAddr::parse(route).ok()).map(|route| route.uri),
        whip: None,
        headers: wish.headers.into_iter().chain(routes.into_iter().map(|route| ("Route".to_owned(), route))).collect(),
        credentials,
        trunk: wish.trunk,
        plan,
        ring: Duration::from_mins(1),
        max_duration: None,
        hang_up_after_silence: None,
        hang_up_after_turns: None,
    };
    match handle.originate(originate).await {
        Ok(call) => (StatusCode::CREATED, Json(serde_json::json!({"call": call}))).into_response(),
        Err(failed) => failure(&failed),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    to: String,
    from: String,
    text: String,
}

/// Sends a text and waits for what the far end says to it.
async fn write(State(handle): State<Handle>, body: Arrived) -> Response {
    let wish: Write = match required(body, "{\"to\":\"alice\",\"from\":\"sip:desk@example.org\",\"text\":\"…\"}") {
        Ok(wish) => wish,
        Err(problem) => return problem,
    };
    let (Some(to), Some(from)) = (whom(&wish.to), Uri::parse(&wish.from).ok().filter(Uri::is_sip)) else {
        return problem(StatusCode::BAD_REQUEST, "to and from are SIP addresses; to may be a registered user's name");
    };
    match handle.text(Writing { to, from, text: wish.text, credentials: None }).await {
        Ok(reply) => {
            let delivered = (200..300).contains(&reply.status);
            let told = serde_json::json!({"delivered": delivered, "status": reply.status, "reason": reply.reason});
            (if delivered { StatusCode::OK } else { StatusCode::BAD_GATEWAY }, Json(told)).into_response()
        }
        Err(failed) => failure(&failed),
    }
}

/// The longest life of a join token, and the one that it gets without a wish.
const JOIN_TOKEN_MAX_S: u64 = 24 * 3_600;
const JOIN_TOKEN_S: u64 = 300;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mint {
    name: Option<String>,
    to: Option<String>,
    valid_s: Option<u64>,
}

/// A token that lets a browser join.
async fn mint(State(handle): State<Handle>, body: Arrived) -> Response {
    let wish: Mint = match read(body) {
        Ok(wish) => wish,
        Err(problem) => return problem,
    };
    let (sub, to) = (wish.name.unwrap_or_default(), wish.to.unwrap_or_default());
    for (what, value) in [("name", &sub), ("to", &to)] {
        if let Err(why) = crate::webrtc::protocol::fit_name(what, value) {
            return problem(StatusCode::BAD_REQUEST, &why);
        }
    }
    let valid_s = wish.valid_s.unwrap_or(JOIN_TOKEN_S);
    if !(1..=JOIN_TOKEN_MAX_S).contains(&valid_s) {
        return problem(StatusCode::BAD_REQUEST, &format!("valid_s is 1 to {JOIN_TOKEN_MAX_S}"));
    }
    let exp = crate::clock::SystemClock::wall().0 / 1_000_000 + valid_s;
    let token = handle.join_key.sign(&crate::webrtc::token::Claims { sub, to, exp });
    (StatusCode::CREATED, Json(serde_json::json!({"token": token, "expires": exp}))).into_response()
}

pub(super) fn failure(error: &Error) -> Response {
    let status = match error.kind() {
        Kind::Usage => StatusCode::BAD_REQUEST,
        Kind::Unreachable => StatusCode::BAD_GATEWAY,
        // `outbound.*` says no: asking again changes nothing.
        Kind::Refused => StatusCode::CONFLICT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    problem(status, &error.to_string())
}

#[expect(clippy::result_large_err, reason = "the error is the answer")]
pub(super) fn required<T: for<'de> Deserialize<'de>>(body: Arrived, example: &str) -> Result<T, Response> {
    serde_json::from_slice(&whole(body)?)
        .map_err(|wrong| problem(StatusCode::BAD_REQUEST, &format!("body must be {example}: {wrong}")))
}

/// A request's body as far as it came.
pub(super) type Arrived = Result<Bytes, BytesRejection>;

#[expect(clippy::result_large_err, reason = "the error is the answer")]
fn whole(body: Arrived) -> Result<Bytes, Response> {
    body.map_err(|rejection| problem(rejection.status(), &format!("the body was not taken: {}", rejection.body_text())))
}

#[expect(clippy::result_large_err, reason = "the error is the answer")]
pub(super) fn read<T: Default + for<'de> Deserialize<'de>>(body: Arrived) -> Result<T, Response> {
    let body = whole(body)?;
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&body).map_err(|wrong| problem(StatusCode::BAD_REQUEST, &format!("bad body: {wrong}")))
}

/// Snapshot first, then items as they come, one JSON object a line. A client that is too slow is told how many it
/// missed; the gateway does not wait for it.
async fn events(State(handle): State<Handle>) -> Response {
    let Some((snapshot, mut items)) = handle.hub.subscribe().await else { return gone() };
    let (to, from) = mpsc::channel::<Result<Bytes, std::convert::Infallible>>(16);
    tokio::spawn(async move {
        if to.send(Ok(line(&StreamItem::Snapshot(Box::new(snapshot))))).await.is_err() {
            return;
        }
        loop {
            let item = match items.recv().await {
                Ok(item) => line(&item),
                Err(broadcast::error::RecvError::Lagged(count)) => line(&StreamItem::Dropped { count }),
                Err(broadcast::error::RecvError::Closed) => return,
            };
            if to.send(Ok(item)).await.is_err() {
                return;
            }
        }
    });
    let stream =
        futures_util::stream::unfold(from, |mut from| async move { from.recv().await.map(|item| (item, from)) });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response()
}

fn line(item: &StreamItem) -> Bytes {
    let mut text = serde_json::to_vec(item).unwrap_or_default();
    text.push(b'\n');
    Bytes::from(text)
}
