//! Calls that the endpoint refuses by itself, told to the engine: it writes down what refused them.
//!
//! So many a minute and no more: what refuses a flood must not be slowed down by telling of it. Challenges, and 422, which
//! asks for another interval, are not refusals: the caller is expected to come again.

use super::{Endpoint, Event, Headers, Instant, Method, Offered, Path, Request, Response};
use crate::sip::uri::Uri;

/// A call that was refused here.
#[derive(Clone, Debug)]
pub struct Turned {
    /// Who called whom. A message that says so in no readable way has empty names.
    pub offered: Offered,
    /// The answer's status.
    pub status: u16,
    /// What refused it: a key of the config, or the part of SIP that was not kept to.
    pub rule: &'static str,
    /// In words.
    pub why: String,
    /// The INVITE as it came.
    pub invite: Vec<u8>,
    /// The answer as it went.
    pub answer: Vec<u8>,
}

/// How many more may be told of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Telling {
    left: f64,
    counted_at: Instant,
}

impl Telling {
    pub(super) fn new(per_minute: usize) -> Self {
        Self { left: per_minute as f64, counted_at: Instant::ZERO }
    }

    fn take(&mut self, now: Instant, per_minute: usize) -> bool {
        let most = per_minute as f64;
        let grown = now.since(self.counted_at).as_secs_f64() * most / 60.0;
        self.left = (self.left + grown).min(most);
        self.counted_at = now;
        let may = self.left >= 1.0;
        self.left -= f64::from(u8::from(may));
        may
    }
}

/// The part of SIP that a refusal of ours stands for.
const fn rule_of(status: u16) -> &'static str {
    match status {
        416 => "request-uri",
        415 => "content-type",
        420 => "require",
        482 => "loop",
        481 | 486 | 603 => "replaces",
        503 => "overload",
        _ => "syntax",
    }
}

impl Endpoint {
    /// An INVITE was refused without asking the engine. `rule` is none for what the status says.
    pub(super) fn note_turned(
        &mut self,
        now: Instant,
        path: Path,
        request: &Request,
        bytes: &[u8],
        response: &Response,
        rule: Option<&'static str>,
    ) {
        let is_call = request.method == Method::Invite && request.headers.to().is_ok_and(|to| to.tag().is_none());
        let is_challenge = matches!(response.status, 401 | 407 | 422) && rule.is_none();
        if !is_call || is_challenge {
            return;
        }
        if !self.telling.take(now, self.settings.refusals_per_minute) {
            self.counters.untold += 1;
            return;
        }
        let from = request.headers.from().unwrap_or_default();
        let offered = Offered {
            from: from.uri,
            display: from.display,
            to: request.headers.to().map(|to| to.uri).unwrap_or_default(),
            target: Uri::parse(&request.uri).unwrap_or_default(),
            call_id: request.headers.call_id().to_owned(),
            sdp: None,
            path,
            headers: request.headers.clone(),
            user: None,
            replaces: None,
        };
        let what = |headers: &Headers| {
            let named = ["Unsupported", "Warning"].into_iter().find_map(|name| headers.first(name));
            named.map_or_else(String::new, |value| format!(": {value}"))
        };
        let why = format!("{} {}{}", response.status, response.reason, what(&response.headers));
        let (status, rule) = (response.status, rule.unwrap_or_else(|| rule_of(response.status)));
        let (invite, answer) = (bytes.to_vec(), response.to_bytes());
        self.event(Event::Turned(Box::new(Turned { offered, status, rule, why, invite, answer })));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_minute_are_told_of() {
        let mut telling = Telling::new(10);
        assert_eq!((0..5_000).filter(|n| telling.take(Instant::from_millis(*n), 10)).count(), 10);
        assert!(telling.take(Instant::from_millis(12_000), 10), "one more after six seconds");
        assert!(!Telling::new(0).take(Instant::from_millis(99_999), 0));
    }
}
