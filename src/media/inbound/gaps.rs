//! Where nothing came: lost packets, pauses of the sender, its comfort noise.
//!
//! Owns that the timeline neither grows nor shrinks: what was filled with silence while waiting is not filled again. How
//! the sound is made up is `media::decoding`'s. Called by `media::inbound`. RFC 3389.

use super::Inbound;
use crate::clock::Instant;
use std::time::Duration;

/// Concealed at most for one gap; longer gaps are a pause of the sender.
const CONCEAL_MAX: Duration = Duration::from_millis(200);

impl Inbound {
    pub(super) fn conceal(&mut self, now: Instant, count: u32, until: u32) {
        let (codec, rate) = (self.codec(), self.rate());
        let by_packets = rate.samples_in(self.ptime.duration()) * count.min(1_000) as usize;
        let missing = self.expected_timestamp.map_or(by_packets, |expected| {
            let gap = until.wrapping_sub(expected);
            // A jump of the timestamp says nothing about how much is missing.
            if gap < codec.clock.0 * 2 { codec.samples_of(gap, rate) } else { by_packets }
        });
        // What was already filled with silence while waiting is not missing any more.
        self.take_back_silence(u32::try_from(missing).unwrap_or(u32::MAX));
        let missing = missing.saturating_sub(self.filled as usize).min(rate.samples_in(CONCEAL_MAX));
        if missing > 0 {
            // Only this is concealment; pauses and silence are not losses.
            self.frames_concealed += missing as u64;
            let mut samples = self.buffer();
            self.decoding.conceal(missing, self.order.next(), &mut samples);
            self.frame(now, samples, &[], false);
        }
        self.expected_timestamp = Some(until);
        self.filled = 0;
    }

    /// A pause of the sender before `timestamp`: silence suppression, digits. Nothing was lost.
    pub(super) fn bridge(&mut self, at: Instant, timestamp: u32) {
        let Some(expected) = self.expected_timestamp else { return };
        let (codec, rate) = (self.codec(), self.rate());
        let gap = timestamp.wrapping_sub(expected);
        if gap >= codec.clock.0 * 2 {
            return;
        }
        let gap = codec.samples_of(gap, rate);
        self.take_back_silence(u32::try_from(gap).unwrap_or(u32::MAX));
        let pause = gap.saturating_sub(self.filled as usize);
        if pause > 0 && pause <= rate.samples_in(CONCEAL_MAX) {
            self.pause(at, pause);
        } else {
            self.position += pause as u64;
        }
    }

    /// Comfort noise (RFC 3389): the sender is silent from here on and says how its silence sounds.
    pub(super) fn fall_silent(&mut self, at: Instant, timestamp: u32, payload: &[u8]) {
        self.bridge(at, timestamp);
        if self.decoding.begin_noise(payload) {
            self.expected_timestamp = Some(timestamp);
            self.filled = 0;
            if self.settings.expected {
                // At once: the pause is announced, nothing is late.
                self.next_fill_at = at;
            }
        }
    }

    /// Late packets take the place of the silence that was put in for them: the timeline must not grow.
    pub(super) fn take_back_silence(&mut self, gap: u32) {
        self.position = self.position.saturating_sub(u64::from(self.filled.saturating_sub(gap)));
    }

    pub(super) fn pause(&mut self, at: Instant, count: usize) {
        let mut samples = self.buffer();
        self.decoding.pause(count, &mut samples);
        self.frame(at, samples, &[], true);
    }
}
