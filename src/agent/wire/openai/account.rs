//! What OpenAI Realtime counts: tokens of answers, limits of the account, and the names of models that end.
//!
//! Reads `usage` of `response.done` and `rate_limits.updated`. Does not know the conversation.

use super::DEFAULT_MODEL;
use crate::{
    agent::wire::{Finding, Settings},
    call::journal::{RateLimit, Usage},
};
use serde::Deserialize;
use std::borrow::Cow;

/// Models that the service does not have any more.
const RETIRED: &[&str] = &["gpt-4o-realtime-preview", "gpt-4o-mini-realtime-preview"];
/// Models that end on 2027-01-20.
const ENDING: &[&str] =
    &["gpt-realtime", "gpt-realtime-2025-08-28", "gpt-realtime-mini", "gpt-realtime-mini-2025-12-15", "gpt-audio-mini"];

/// What a profile asks for in vain. Endpoints of one's own name their models as they like.
pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let mut found = Vec::new();
    let model = settings.model.as_deref().unwrap_or(DEFAULT_MODEL);
    if RETIRED.iter().any(|retired| model.starts_with(retired)) {
        let text = format!("{model} was switched off on 2026-06-03; its successor is {DEFAULT_MODEL}");
        found.push(Finding::doubt("model", text));
    } else if ENDING.contains(&model) {
        found.push(Finding::doubt("model", format!("{model} ends on 2027-01-20; its successor is {DEFAULT_MODEL}")));
    }
    if settings.vad.as_deref() == Some("local") {
        found.push(Finding::error("vad", "must be one of server_vad, semantic_vad for openai".to_owned()));
    }
    found
}

/// `usage` of an answer.
#[expect(clippy::struct_field_names, reason = "the protocol's names")]
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Tokens {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    input_token_details: Details,
    output_token_details: Details,
}

#[expect(clippy::struct_field_names, reason = "the protocol's names")]
#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    audio_tokens: u64,
    cached_tokens: u64,
    reasoning_tokens: u64,
}

impl From<Tokens> for Usage {
    fn from(said: Tokens) -> Self {
        Self {
            input_tokens: said.input_tokens,
            output_tokens: said.output_tokens,
            total_tokens: said.total_tokens,
            input_audio_tokens: said.input_token_details.audio_tokens,
            output_audio_tokens: said.output_token_details.audio_tokens,
            cached_tokens: said.input_token_details.cached_tokens,
            thinking_tokens: said.output_token_details.reasoning_tokens,
            limits: Vec::new(),
        }
    }
}

/// `rate_limits.updated`.
#[derive(Deserialize)]
pub(super) struct Limits<'a> {
    #[serde(default, borrow)]
    rate_limits: Vec<Limit<'a>>,
}

#[expect(clippy::struct_field_names, reason = "the protocol's names")]
#[derive(Deserialize)]
struct Limit<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(default)]
    limit: f64,
    remaining: Option<f64>,
    #[serde(default)]
    reset_seconds: f64,
}

impl Limits<'_> {
    /// The first that is used up, in words.
    pub(super) fn spent(&self) -> Option<String> {
        let spent = self.rate_limits.iter().find(|limit| limit.remaining.is_some_and(|left| left <= 0.0))?;
        let name = spent.name.as_deref().unwrap_or_default();
        Some(format!("the account's limit of {name} is used up; it resets in {} s", spent.reset_seconds))
    }

    /// For the journal.
    pub(super) fn usage(&self) -> Usage {
        let limits = self.rate_limits.iter().take(8).filter_map(|limit| {
            Some(RateLimit {
                name: limit.name.as_deref()?.chars().take(40).collect(),
                limit: limit.limit,
                remaining: limit.remaining?,
                resets_in_s: limit.reset_seconds,
            })
        });
        Usage { limits: limits.collect(), ..Usage::default() }
    }
}
