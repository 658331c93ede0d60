//! The gateway goes: what happens when its calls have had their time, and when the last is over.

use super::Engine;
use crate::{
    clock::SystemClock,
    gateway::{bindings, session::In},
};
use std::time::Duration;
use tokio::sync::oneshot;

impl Engine {
    pub(super) fn drain_deadline(&mut self) {
        for known in self.sessions.values() {
            let _ = known.to.try_send(In::HangUp("the gateway shuts down".into()));
        }
        // BYEs are answered within moments, or not at all: the second time nobody is waited for.
        if std::mem::replace(&mut self.deadline_passed, true) {
            self.sessions.clear();
        } else if let Some((at, _)) = &mut self.draining {
            *at = tokio::time::Instant::now() + Duration::from_secs(2);
        }
    }

    pub(super) fn finish_drain(&mut self) {
        let now = SystemClock::now();
        if self.leaving_until.is_some_and(|until| now >= until || !self.trunks.is_leaving(now)) {
            self.leaving_until = None;
        }
        if self.draining.is_some()
            && self.sessions.is_empty()
            && self.leaving_until.is_none()
            && let Some((_, reply)) = self.draining.take()
        {
            if self.bindings_due.take().is_some()
                && let Some(path) = &self.config.signalling.bindings_file
            {
                // After one that may be under way.
                bindings::keep(path, now, self.endpoint.registrar().save(now), &self.bindings_written);
            }
            let _ = reply.send(());
            // Still refusing new calls until the program ends.
            let (never, _) = oneshot::channel();
            self.draining = Some((tokio::time::Instant::now() + Duration::from_hours(24), never));
        }
    }
}
