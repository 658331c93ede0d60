//! Sound of another leg on its way out: what passes between two legs, and the short queue before the packets.
//!
//! Owns packets of exactly the length that this leg sends. Sound that comes in the same codec and length passes as it is;
//! all other is resampled, cut to length and encoded when it goes out. A person listens, so the queue stays short: it gathers 40 ms before it
//! begins, and what lies beyond 120 ms is dropped, oldest first. How much to gather and drop is decided in [`Relay::take`]
//! and `Relay::trim` alone; the rest does not care. Called by `media::outbound`.

use super::{codec::Codec, dsp::resample::Resampler};
use crate::unit::{Ptime, SampleRate};
use std::{collections::VecDeque, time::Duration};

/// Gathered before sound goes out, at the beginning and after the queue ran dry.
const GATHERED: Duration = Duration::from_millis(40);
/// What may wait; beyond it the oldest is dropped until [`GATHERED`] is left.
const WAITING_MAX: Duration = Duration::from_millis(120);

/// What one leg gives the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Far<'a> {
    /// Sound, in order and continuous.
    Sound {
        /// Codec of `payload`.
        codec: &'static Codec,
        /// Rate of `samples`.
        rate: SampleRate,
        /// As it came from the network; empty if the sound was made up for a lost packet.
        payload: &'a [u8],
        /// The same, decoded.
        samples: &'a [i16],
    },
    /// A digit that was pressed for so many milliseconds.
    Digit(char, u32),
}

/// What has passed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that went out with the payload they came with.
    pub passed: u64,
    /// Packets that were encoded here.
    pub transcoded: u64,
    /// Packets dropped because the queue was too long.
    pub dropped: u64,
    /// Times the queue ran dry.
    pub underruns: u64,
}

/// One packet that waits; without a payload it is encoded when it goes out.
#[derive(Debug, Default)]
struct Waiting {
    payload: Vec<u8>,
    samples: Vec<i16>,
}

/// The machine.
#[derive(Debug)]
pub struct Relay {
    codec: &'static Codec,
    rate: SampleRate,
    ptime: Ptime,
    queue: VecDeque<Waiting>,
    taken: Waiting,
    spare: Vec<Waiting>,
    /// Samples at our rate that fill no packet yet.
    rest: Vec<i16>,
    resampler: Option<(SampleRate, Resampler)>,
    playing: bool,
    counters: Counters,
}

impl Relay {
    /// An empty queue of packets in `codec`, of sound at `rate`, each `ptime` long.
    #[must_use]
    pub const fn new(codec: &'static Codec, rate: SampleRate, ptime: Ptime) -> Self {
        Self {
            codec,
            rate,
            ptime,
            queue: VecDeque::new(),
            taken: Waiting { payload: Vec::new(), samples: Vec::new() },
            spare: Vec::new(),
            rest: Vec::new(),
            resampler: None,
            playing: false,
            counters: Counters { passed: 0, transcoded: 0, dropped: 0, underruns: 0 },
        }
    }

    /// Another codec, rate or length was agreed on: what waits is in the old one and is dropped.
    pub fn change(&mut self, codec: &'static Codec, rate: SampleRate, ptime: Ptime) {
        if codec != self.codec || rate != self.rate || ptime != self.ptime {
            self.spare.extend(self.queue.drain(..));
            self.rest.clear();
            self.playing = false;
            self.resampler = None;
            (self.codec, self.rate, self.ptime) = (codec, rate, ptime);
        }
    }

    /// Counters since the start.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Sound that waits.
    #[must_use]
    pub fn queued(&self) -> Duration {
        let packets = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        self.ptime.duration() * packets + self.rate.duration_of(self.rest.len())
    }

    /// Takes sound at `rate` in. `payload` is empty, or the same in `codec`.
    pub fn push(&mut self, codec: &'static Codec, rate: SampleRate, payload: &[u8], samples: &[i16]) {
        let passes =
            codec == self.codec && !payload.is_empty() && rate.duration_of(samples.len()) == self.ptime.duration();
        let mut rest = std::mem::take(&mut self.rest);
        if passes {
            // A rest of concealed sound that fills no packet would make us encode for ever.
            rest.clear();
        }
        if rate == self.rate {
            rest.extend_from_slice(samples);
        } else {
            if self.resampler.as_ref().is_none_or(|(from, _)| *from != rate) {
                self.resampler = Resampler::new(rate, self.rate).ok().map(|resampler| (rate, resampler));
            }
            if let Some((_, resampler)) = &mut self.resampler {
                resampler.process(samples, &mut rest);
            }
        }
        if passes {
            self.counters.passed += 1;
            self.line_up(payload, &rest);
            rest.clear();
        } else {
            let count = self.rate.samples_in(self.ptime.duration()).max(1);
            let whole = rest.len() - rest.len() % count;
            for packet in rest[..whole].chunks_exact(count) {
                self.counters.transcoded += 1;
                self.line_up(&[], packet);
            }
            rest.drain(..whole);
        }
        self.rest = rest;
        self.trim();
    }

    fn line_up(&mut self, payload: &[u8], samples: &[i16]) {
        let mut waiting = self.spare.pop().unwrap_or_default();
        waiting.samples.clear();
        waiting.samples.extend_from_slice(samples);
        waiting.payload.clear();
        waiting.payload.extend_from_slice(payload);
        self.queue.push_back(waiting);
    }

    fn packets_in(&self, span: Duration) -> usize {
        usize::from(u8::try_from(span.as_millis()).unwrap_or(u8::MAX)).div_ceil(usize::from(self.ptime.ms())).max(1)
    }

    /// The queue does not grow: delay that a burst brought is not kept.
    fn trim(&mut self) {
        if self.queue.len() > self.packets_in(WAITING_MAX) {
            let over = self.queue.len() - self.packets_in(GATHERED);
            self.counters.dropped += over as u64;
            self.spare.extend(self.queue.drain(..over));
        }
    }

    /// Takes the next packet; false if there is nothing to play.
    pub fn take(&mut self) -> bool {
        if !self.playing && self.queue.len() < self.packets_in(GATHERED) {
            return false;
        }
        let Some(next) = self.queue.pop_front() else {
            self.counters.underruns += u64::from(std::mem::take(&mut self.playing));
            return false;
        };
        self.playing = true;
        self.spare.push(std::mem::replace(&mut self.taken, next));
        true
    }

    /// Payload (empty if it is to be encoded) and samples of what was taken.
    #[must_use]
    pub fn taken(&self) -> (&[u8], &[i16]) {
        (&self.taken.payload, &self.taken.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::CODECS;

    const HZ: SampleRate = SampleRate::HZ_8000;

    fn empty() -> Relay {
        Relay::new(&CODECS[0], HZ, Ptime::MS_20)
    }

    fn taken(relay: &mut Relay) -> Option<Vec<u8>> {
        relay.take().then(|| relay.taken().0.to_vec())
    }

    #[test]
    fn the_same_codec_passes_untouched_and_another_is_encoded() {
        let mut relay = empty();
        // What no encoder of ours would make of silence shows that it was not encoded again.
        relay.push(&CODECS[0], HZ, &[0x42; 160], &[0; 160]);
        assert_eq!(taken(&mut relay), None, "40 ms are gathered first");
        relay.push(&CODECS[0], HZ, &[0x43; 160], &[0; 160]);
        assert_eq!(taken(&mut relay), Some(vec![0x42; 160]));
        assert_eq!(taken(&mut relay), Some(vec![0x43; 160]));
        relay.push(&CODECS[1], HZ, &[0xd5; 160], &[0; 160]);
        relay.push(&CODECS[0], HZ, &[], &[0; 160]);
        assert_eq!(taken(&mut relay), Some(Vec::new()), "to be encoded");
        assert_eq!(taken(&mut relay), Some(Vec::new()));
        assert_eq!(relay.taken().1, [0; 160]);
        let counters = relay.counters();
        assert_eq!((counters.passed, counters.transcoded, counters.dropped), (2, 2, 0));
    }

    #[test]
    fn packets_of_another_length_are_cut_to_ours() {
        let mut relay = empty();
        for _ in 0..2 {
            relay.push(&CODECS[0], HZ, &[0x42; 240], &[0; 240]);
        }
        assert_eq!(relay.queued(), Duration::from_millis(60));
        assert!(taken(&mut relay).is_some());
        assert_eq!(relay.taken().1.len(), 160);
        assert_eq!(relay.counters().transcoded, 3);
    }

    #[test]
    fn a_burst_does_not_stay_as_delay() {
        let mut relay = empty();
        for n in 0..50 {
            relay.push(&CODECS[0], HZ, &[n; 160], &[0; 160]);
            assert!(relay.queued() <= WAITING_MAX, "{:?}", relay.queued());
        }
        let dropped = relay.counters().dropped;
        assert_eq!(dropped + relay.queue.len() as u64, 50);
        assert!(relay.queued() >= GATHERED);
    }

    #[test]
    fn after_it_ran_dry_it_gathers_again() {
        let mut relay = empty();
        for n in 0..2 {
            relay.push(&CODECS[0], HZ, &[n; 160], &[0; 160]);
        }
        assert!(taken(&mut relay).is_some() && taken(&mut relay).is_some());
        assert_eq!(taken(&mut relay), None);
        relay.push(&CODECS[0], HZ, &[7; 160], &[0; 160]);
        assert_eq!(taken(&mut relay), None);
        relay.push(&CODECS[0], HZ, &[8; 160], &[0; 160]);
        assert_eq!(taken(&mut relay), Some(vec![7; 160]));
        assert_eq!(relay.counters().underruns, 1);
    }

    #[test]
    fn another_rate_is_resampled_and_the_same_codec_passes_at_any() {
        let mut relay = empty();
        for _ in 0..3 {
            relay.push(&CODECS[1], SampleRate::HZ_16000, &[], &[1_000; 320]);
        }
        assert!(taken(&mut relay).is_some());
        assert_eq!(relay.taken().1.len(), 160);
        relay.push(&CODECS[0], SampleRate::HZ_16000, &[0x42; 160], &[1_000; 320]);
        assert_eq!(relay.counters().passed, 1);
    }
}
