//! Sound of another leg on its way out: what passes between two legs, and the wait before the packets.
//!
//! A person listens, so what comes unevenly goes out evenly: [`Playout`] decides how long frames wait (20 to 200 ms, by
//! the spread of their delays) and takes up the drift between the two clocks. Frames that come in the codec and length
//! of this leg and are played as they came pass with their payload; all other sound is resampled, cut to length and
//! encoded when it goes out. What a leg makes up while nothing comes, comfort noise, is played where there is nothing
//! else. Called by `media::outbound`.

use super::{
    codec::Codec,
    dsp::resample::Resampler,
    rtp::playout::{Figures, Playout, Pulled},
};
use crate::{
    clock::Instant,
    unit::{Ptime, SampleRate},
};
use std::{collections::VecDeque, time::Duration};

/// Paced sound that waits at most: more is from before a standstill.
const PACED_MAX: Duration = Duration::from_millis(60);
/// Filling that waits at most: it has no time of its own.
const FILLING_MAX: usize = 3;

/// What one leg gives the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Far<'a> {
    /// Sound, in order.
    Sound(FarSound<'a>),
    /// What comes from now on is from another source (another SSRC): its clock says nothing about the one before.
    Anew,
    /// Sound that comes as evenly as packets go out, of a conference: it waits for nothing.
    Paced(SampleRate, &'a [i16]),
    /// A digit that was pressed for so many milliseconds.
    Digit(char, u32),
    /// The same, heard as a tone in the sound, which goes on too ([`FarSound::is_digit`]).
    Tone(char, u32),
}

/// One frame of another leg.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FarSound<'a> {
    /// When it came out of the other leg's network.
    pub at: Instant,
    /// Its place on its sender's clock, in samples at `rate`.
    pub position: u64,
    /// Not from the sender: put in while nothing came. It has no place.
    pub is_filling: bool,
    /// It holds the tone of a digit.
    pub is_digit: bool,
    /// Codec of `payload`.
    pub codec: &'static Codec,
    /// Rate of `samples`.
    pub rate: SampleRate,
    /// As it came from the network; empty if the sound was made up for a lost packet.
    pub payload: &'a [u8],
    /// The same, decoded.
    pub samples: &'a [i16],
}

/// What has passed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that went out with the payload they came with.
    pub passed: u64,
    /// Packets that were encoded here.
    pub transcoded: u64,
    /// Frames that came too late for their turn.
    pub dropped: u64,
    /// Times that sound ran out in the middle.
    pub underruns: u64,
}

/// The machine.
#[derive(Debug)]
pub struct Relay {
    codec: &'static Codec,
    rate: SampleRate,
    ptime: Ptime,
    playout: Option<(SampleRate, Playout)>,
    /// Of playouts that are gone.
    late_before: u64,
    filling: VecDeque<Vec<i16>>,
    spare: Vec<Vec<i16>>,
    pulled: Vec<i16>,
    /// Samples at our rate that fill no packet yet.
    rest: Vec<i16>,
    taken: Vec<i16>,
    payload: Vec<u8>,
    resampler: Option<(SampleRate, Resampler)>,
    was_frame: bool,
    counters: Counters,
}

impl Relay {
    /// Nothing waits yet; packets will be in `codec`, of sound at `rate`, each `ptime` long.
    #[must_use]
    pub const fn new(codec: &'static Codec, rate: SampleRate, ptime: Ptime) -> Self {
        Self {
            codec,
            rate,
            ptime,
            playout: None,
            late_before: 0,
            filling: VecDeque::new(),
            spare: Vec::new(),
            pulled: Vec::new(),
            rest: Vec::new(),
            taken: Vec::new(),
            payload: Vec::new(),
            resampler: None,
            was_frame: false,
            counters: Counters { passed: 0, transcoded: 0, dropped: 0, underruns: 0 },
        }
    }

    /// Another codec, rate or length was agreed on; what waits goes out in it.
    pub fn change(&mut self, codec: &'static Codec, rate: SampleRate, ptime: Ptime) {
        if rate != self.rate {
            self.rest.clear();
            self.resampler = None;
        }
        if codec != self.codec {
            // What waits may not pass any more.
            self.forget();
        }
        (self.codec, self.rate, self.ptime) = (codec, rate, ptime);
    }

    fn forget(&mut self) {
        if let Some((_, playout)) = self.playout.take() {
            self.late_before += playout.figures().late;
        }
        self.rest.clear();
    }

    /// Counters since the start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let late = self.figures().map_or(0, |figures| figures.late);
        Counters { dropped: self.late_before + late, ..self.counters }
    }

    /// What the wait is like; none before the first sound.
    #[must_use]
    pub fn figures(&self) -> Option<Figures> {
        self.playout.as_ref().map(|(_, playout)| playout.figures())
    }

    /// How long sound waits now.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a second at most")]
    pub fn waits(&self) -> Duration {
        Duration::from_micros(
            self.figures().map_or(0.0, |figures| figures.delay_ms.clamp(0.0, 2_000.0) * 1_000.0) as u64
        )
    }

    /// The next frame is from another source: held against the clock of the one before it would be late, or early, for
    /// as long as that is remembered.
    pub fn begin_anew(&mut self) {
        if let Some((_, playout)) = &mut self.playout {
            playout.restart();
        }
    }

    /// Takes a frame in.
    pub fn push(&mut self, sound: &FarSound<'_>) {
        let rate = sound.rate;
        if self.playout.as_ref().is_none_or(|(known, _)| *known != rate) {
            self.forget();
            self.playout = Some((rate, Playout::of_whole_frames(rate, rate)));
        }
        if sound.is_filling {
            if self.filling.len() == FILLING_MAX {
                self.spare.extend(self.filling.pop_front());
            }
            let mut own = self.spare.pop().unwrap_or_default();
            own.clear();
            own.extend_from_slice(sound.samples);
            self.filling.push_back(own);
            return;
        }
        let payload = if sound.codec == self.codec { sound.payload } else { &[] };
        #[expect(clippy::cast_possible_truncation, reason = "wraps as RTP's do")]
        let timestamp = sound.position as u32;
        if let Some((_, playout)) = &mut self.playout {
            playout.push_packet(sound.at, timestamp, sound.samples, payload);
        }
    }

    /// Takes sound in that is paced already: it goes out with the next packets.
    pub fn push_paced(&mut self, rate: SampleRate, samples: &[i16]) {
        if self.playout.is_some() {
            self.forget();
        }
        self.resample(rate, samples);
        let most = self.rate.samples_in(PACED_MAX).max(2 * self.rate.samples_in(self.ptime.duration()));
        let over = self.rest.len().saturating_sub(most);
        self.rest.drain(..over);
    }

    fn resample(&mut self, rate: SampleRate, samples: &[i16]) {
        if rate == self.rate {
            return self.rest.extend_from_slice(samples);
        }
        if self.resampler.as_ref().is_none_or(|(from, _)| *from != rate) {
            self.resampler = Resampler::new(rate, self.rate).ok().map(|resampler| (rate, resampler));
        }
        if let Some((_, resampler)) = &mut self.resampler {
            resampler.process(samples, &mut self.rest);
        }
    }

    fn take_paced(&mut self) -> bool {
        let count = self.rate.samples_in(self.ptime.duration());
        if self.rest.len() < count {
            return false;
        }
        self.payload.clear();
        self.taken.clear();
        self.taken.extend_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        self.counters.transcoded += 1;
        true
    }

    /// Takes the packet whose turn is `now`; false if there is nothing to play.
    pub fn take(&mut self, now: Instant) -> bool {
        let Some((rate, playout)) = &mut self.playout else { return self.take_paced() };
        let count = self.rate.samples_in(self.ptime.duration());
        self.taken.clear();
        self.payload.clear();
        while self.rest.len() < count {
            let kind = playout.pull(now, rate.samples_in(self.ptime.duration()), &mut self.pulled);
            self.counters.underruns += u64::from(kind == Pulled::Concealed && self.was_frame);
            self.was_frame = kind == Pulled::Frame;
            if kind == Pulled::Silence {
                let Some(filling) = self.filling.pop_front() else {
                    self.rest.clear();
                    return false;
                };
                let length = self.pulled.len();
                self.pulled.clear();
                self.pulled.extend_from_slice(&filling);
                self.pulled.resize(length, 0);
                self.spare.push(filling);
            } else {
                self.spare.extend(self.filling.pop_front());
            }
            if self.rest.is_empty() {
                self.payload.extend_from_slice(playout.payload());
            }
            if *rate == self.rate {
                self.rest.extend_from_slice(&self.pulled);
                continue;
            }
            if self.resampler.as_ref().is_none_or(|(from, _)| from != rate) {
                self.resampler = Resampler::new(*rate, self.rate).ok().map(|resampler| (*rate, resampler));
            }
            let Some((_, resampler)) = &mut self.resampler else { return false };
            resampler.process(&self.pulled, &mut self.rest);
        }
        self.taken.extend_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        if !self.rest.is_empty() {
            // The sound lies across the bounds of packets.
            self.payload.clear();
        }
        if self.payload.is_empty() {
            self.counters.transcoded += 1;
        } else {
            self.counters.passed += 1;
        }
        true
    }

    /// Payload (empty if it is to be encoded) and samples of what was taken.
    #[must_use]
    pub fn taken(&self) -> (&[u8], &[i16]) {
        (&self.payload, &self.taken)
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

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn sound<'a>(n: u64, codec: usize, payload: &'a [u8], samples: &'a [i16]) -> FarSound<'a> {
        let position = n * samples.len() as u64;
        FarSound {
            at: at(20 * n),
            position,
            is_filling: false,
            is_digit: false,
            codec: &CODECS[codec],
            rate: HZ,
            payload,
            samples,
        }
    }

    fn taken(relay: &mut Relay, ms: u64) -> Option<Vec<u8>> {
        relay.take(at(ms)).then(|| relay.taken().0.to_vec())
    }

    #[test]
    fn the_same_codec_passes_untouched_and_another_is_encoded() {
        let mut relay = empty();
        // What no encoder of ours would make of silence shows that it was not encoded again.
        relay.push(&sound(0, 0, &[0x42; 160], &[0; 160]));
        assert_eq!(taken(&mut relay, 5), None, "it waits first");
        relay.push(&sound(1, 0, &[0x43; 160], &[0; 160]));
        assert_eq!(taken(&mut relay, 25), Some(vec![0x42; 160]));
        relay.push(&sound(2, 1, &[0xd5; 160], &[0; 160]));
        assert_eq!(taken(&mut relay, 45), Some(vec![0x43; 160]));
        relay.push(&sound(3, 0, &[], &[0; 160]));
        assert_eq!(taken(&mut relay, 65), Some(Vec::new()), "to be encoded");
        assert_eq!(taken(&mut relay, 85), Some(Vec::new()));
        assert_eq!(relay.taken().1, [0; 160]);
        let counters = relay.counters();
        assert_eq!((counters.passed, counters.transcoded, counters.dropped), (2, 2, 0));
    }

    #[test]
    fn another_source_begins_anew_and_is_not_late() {
        // A fork's next branch, or a telephone that a call was put through to: its clock is 600 ms behind.
        let heard_of_the_second = |is_told: bool| {
            let mut relay = empty();
            let mut heard = 0;
            for n in 0..100_u64 {
                if n == 50 && is_told {
                    relay.begin_anew();
                }
                let (law, place) = if n < 50 { (0x42, n) } else { (0x43, n - 30) };
                relay.push(&FarSound { position: 160 * place, ..sound(n, 0, &[law; 160], &[0; 160]) });
                heard += usize::from(taken(&mut relay, 20 * n + 5).is_some_and(|payload| payload == [0x43; 160]));
            }
            heard
        };
        assert!(heard_of_the_second(true) > 45, "{}", heard_of_the_second(true));
        assert!(heard_of_the_second(false) < 30, "what it guards against: {}", heard_of_the_second(false));
    }

    #[test]
    fn packets_of_another_length_are_cut_to_ours() {
        let mut relay = empty();
        let mut lengths = Vec::new();
        for n in 0..20_u64 {
            let frame = FarSound { at: at(30 * n), position: 240 * n, ..sound(0, 0, &[0x42; 240], &[0; 240]) };
            relay.push(&frame);
            for ms in [30 * n + 7, 30 * n + 27].into_iter().filter(|ms| ms / 10 % 2 == 0) {
                if relay.take(at(ms)) {
                    lengths.push(relay.taken().1.len());
                }
            }
        }
        assert!(lengths.len() > 10 && lengths.iter().all(|length| *length == 160), "{lengths:?}");
        assert_eq!(relay.counters().passed, 0);
    }

    #[test]
    fn comfort_noise_fills_pauses_and_gives_way_to_sound() {
        let mut relay = empty();
        relay.push(&sound(0, 0, &[0x42; 160], &[5_000; 160]));
        relay.push(&sound(1, 0, &[0x42; 160], &[5_000; 160]));
        for n in 1..30 {
            relay.push(&FarSound { is_filling: true, ..sound(n, 0, &[], &[7; 160]) });
            relay.take(at(20 * n + 5));
        }
        assert_eq!(relay.taken().1, [7; 160]);
        assert!(relay.filling.len() <= FILLING_MAX);
        for n in 30..34 {
            relay.push(&sound(n, 0, &[0x42; 160], &[5_000; 160]));
            relay.take(at(20 * n + 5));
        }
        assert_eq!(relay.taken().0, [0x42; 160]);
    }

    #[test]
    fn another_rate_is_resampled_and_the_same_codec_passes_at_any() {
        let mut relay = empty();
        let wide = |n: u64, codec: usize, payload: &'static [u8]| FarSound {
            position: 320 * n,
            rate: SampleRate::HZ_16000,
            ..sound(n, codec, payload, &[1_000; 320])
        };
        for n in 0..4 {
            relay.push(&wide(n, 1, &[]));
            relay.take(at(20 * n + 5));
        }
        assert_eq!(relay.taken().1.len(), 160);
        for n in 4..8 {
            relay.push(&wide(n, 0, &[0x42; 160]));
            relay.take(at(20 * n + 5));
        }
        assert!(relay.counters().passed > 0, "{:?}", relay.counters());
    }
}
