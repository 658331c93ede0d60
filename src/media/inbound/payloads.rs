//! Payloads kept beside their frames: another leg in the same codec takes them as they came.
//!
//! Owns what waits beside the frames and how long a gap is held open where such a leg listens. Called by
//! `media::inbound` and, of what it gives, `call::pipeline`.

use super::{Inbound, REORDER_WINDOW};
use crate::{clock::Instant, media::inbound::Out};
use std::{collections::VecDeque, time::Duration};

/// Where another leg listens, who waits anyhow, it is three times the jitter within these bounds…
const REORDER_MIN: Duration = Duration::from_millis(5);
const REORDER_MAX: Duration = Duration::from_millis(120);
/// …and not below [`REORDER_WINDOW`] if a packet came behind its gap within this time.
const UNRULY: Duration = Duration::from_secs(10);

/// What a frame is besides its sound.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Nature {
    /// It was put in while nothing came.
    pub(super) is_filling: bool,
    /// It holds the tone of a digit.
    pub(super) is_digit: bool,
}

/// Payloads beside the frames that wait in `out`.
#[derive(Debug, Default)]
pub(super) struct Packets {
    /// Payloads, and what each frame is.
    pub(super) waiting: VecDeque<(Vec<u8>, Nature)>,
    pub(super) current: (Vec<u8>, Nature),
    pub(super) spare: Vec<Vec<u8>>,
    /// Late packets so far, and when they became more.
    pub(super) late: (u64, Option<Instant>),
}

impl Inbound {
    /// Keeps payloads from now on: another leg may take them as they are.
    pub fn keep_payloads(&mut self) {
        let frames = self.out.iter().filter(|(out, _)| matches!(out, Out::Frame { .. })).count();
        self.packets.get_or_insert_default().waiting.resize_with(frames, Default::default);
    }

    /// Whether the frame that [`Self::poll`] gave last was put in while nothing came, or in a pause of the sender.
    #[must_use]
    pub fn is_filling(&self) -> bool {
        self.packets.as_ref().is_some_and(|packets| packets.current.1.is_filling)
    }

    /// Whether the frame that [`Self::poll`] gave last holds the tone of a digit, as far as can be told by then: the
    /// first of it may not be known yet.
    #[must_use]
    pub fn is_digit(&self) -> bool {
        self.packets.as_ref().is_some_and(|packets| packets.current.1.is_digit)
    }

    /// For another leg a gap is held open no longer than the network needs: what waits for it waits for nothing.
    pub(super) fn fit_window(&mut self, now: Instant) {
        let Some(packets) = &mut self.packets else { return };
        let late = self.order.late();
        if late > packets.late.0 {
            packets.late = (late, Some(now));
        }
        let is_calm = packets.late.1.is_none_or(|at| now.since(at) > UNRULY);
        let jitter_ms = self.stats.as_ref().map_or(0.0, |stats| stats.jitter_ms().0);
        let by_jitter = Duration::from_secs_f64((jitter_ms * 3.0).clamp(0.0, 1_000.0) / 1_000.0);
        let least = if is_calm { REORDER_MIN } else { REORDER_WINDOW };
        self.order.set_window(by_jitter.clamp(least, REORDER_MAX));
    }

    /// The payload of the frame that [`Self::poll`] gave last; empty if its sound was made up, or payloads are not kept.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.packets.as_ref().map_or(&[], |packets| &packets.current.0)
    }
}
