//! Conferences over HTTP: who is in which, and what is done to a member.
//!
//! Reads requests and writes answers; the engine does it. Called by `api::server`.

use super::server::{Arrived, failure, not_running, problem, required};
use crate::{
    error::Kind,
    gateway::{Deed, Handle, conference_role},
    unit::CallId,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enter {
    name: String,
    role: Option<String>,
    to: Option<CallId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct As {
    call: CallId,
    role: String,
    to: Option<CallId>,
}

/// What a role may be.
const ROLES: &str = "role is talks, listens, or whispers with the call that it whispers to as to";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Of {
    call: CallId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mute {
    call: CallId,
    #[serde(default = "yes")]
    muted: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gain {
    call: CallId,
    decibels: f32,
}

/// All conferences.
pub(super) async fn all(State(handle): State<Handle>) -> Response {
    Json(serde_json::json!({"conferences": handle.conferences().await})).into_response()
}

/// Puts a running call into a conference.
pub(super) async fn enter(State(handle): State<Handle>, Path(call): Path<String>, body: Arrived) -> Response {
    let wish: Enter = match required(body, "{\"name\":\"team\"}") {
        Ok(wish) => wish,
        Err(problem) => return problem,
    };
    let Some(role) = conference_role(wish.role.as_deref().unwrap_or("talks"), wish.to) else {
        return problem(StatusCode::BAD_REQUEST, ROLES);
    };
    let Ok(id) = call.parse::<CallId>() else { return not_running(&handle, &call).await };
    match handle.confer(id, &wish.name, role).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(failed) if failed.kind() == Kind::Refused => match not_running(&handle, &call).await {
            told if told.status() == StatusCode::NOT_FOUND => told,
            _ => problem(StatusCode::CONFLICT, &failed.to_string()),
        },
        Err(failed) => failure(&failed),
    }
}

async fn attend(handle: &Handle, name: &str, call: CallId, deed: Deed) -> Response {
    if handle.attend(name, call, deed).await {
        return StatusCode::ACCEPTED.into_response();
    }
    problem(StatusCode::NOT_FOUND, &format!("call {call} is not in conference {name}"))
}

/// Silences a member for the others, or lets it be heard again.
pub(super) async fn mute(State(handle): State<Handle>, Path(name): Path<String>, body: Arrived) -> Response {
    match required::<Mute>(body, "{\"call\":\"c-f4bea8cd\",\"muted\":true}") {
        Ok(wish) => attend(&handle, &name, wish.call, Deed::Mute(wish.muted)).await,
        Err(problem) => problem,
    }
}

/// Makes a member louder or quieter for the others.
pub(super) async fn gain(State(handle): State<Handle>, Path(name): Path<String>, body: Arrived) -> Response {
    match required::<Gain>(body, "{\"call\":\"c-f4bea8cd\",\"decibels\":-6}") {
        Ok(wish) if (-40.0..=20.0).contains(&wish.decibels) => {
            attend(&handle, &name, wish.call, Deed::Gain(wish.decibels)).await
        }
        Ok(_) => problem(StatusCode::BAD_REQUEST, "decibels are from -40 to 20"),
        Err(problem) => problem,
    }
}

/// Lets a member talk to all, listen only, or whisper to one.
pub(super) async fn role(State(handle): State<Handle>, Path(name): Path<String>, body: Arrived) -> Response {
    let wish: As = match required(body, "{\"call\":\"c-f4bea8cd\",\"role\":\"listens\"}") {
        Ok(wish) => wish,
        Err(problem) => return problem,
    };
    match conference_role(&wish.role, wish.to) {
        Some(role) => attend(&handle, &name, wish.call, Deed::Role(role)).await,
        None => problem(StatusCode::BAD_REQUEST, ROLES),
    }
}

/// Hangs a member up.
pub(super) async fn kick(State(handle): State<Handle>, Path(name): Path<String>, body: Arrived) -> Response {
    match required::<Of>(body, "{\"call\":\"c-f4bea8cd\"}") {
        Ok(wish) => attend(&handle, &name, wish.call, Deed::Kick).await,
        Err(problem) => problem,
    }
}
