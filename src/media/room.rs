//! A conference: the sound of many legs on one clock, mixed, and given back to each.
//!
//! ```text
//! say(leg, frame) → its playout → resampled to 16 kHz ┐
//!                                                     ├ every 20 ms → mix-minus → hear(leg)
//! say(leg, frame) → its playout → resampled to 16 kHz ┘
//! ```
//!
//! Owns each leg's wait ([`Playout`]: legs come unevenly and by clocks of their own) and the frames that wait to be fetched.
//! The mixing is `dsp::mix`'s. Has no timer: whoever is due calls [`Room::advance`] and then fetches, so what it hears is
//! there in the moment its packet goes out. Called by `gateway::line`, which holds rooms for the sessions of one worker.

use super::{
    dsp::{
        mix::{MemberId, Mixer, Role},
        resample::Resampler,
    },
    relay::FarSound,
    rtp::playout::{Playout, Pulled},
};
use crate::{clock::Instant, unit::SampleRate};
use std::{collections::BTreeMap, time::Duration};

/// Rate of the mix: wideband legs keep what they have.
pub const RATE: SampleRate = SampleRate::HZ_16000;
/// One frame of the mix.
const FRAME: Duration = Duration::from_millis(20);
const LENGTH: usize = 320;
/// A standstill longer than this is not made up for.
const STANDSTILL_MAX: Duration = Duration::from_millis(200);
/// Sound that waits for a leg that does not fetch it; the oldest goes.
const UNFETCHED_MAX: usize = LENGTH * 10;

/// One leg.
#[derive(Debug, Default)]
struct Leg {
    playout: Option<(SampleRate, Playout)>,
    resampler: Option<(SampleRate, Resampler)>,
    /// Sound at the room's rate that fills no frame yet.
    rest: Vec<i16>,
    heard: Vec<i16>,
}

/// The machine.
#[derive(Debug)]
pub struct Room {
    mixer: Mixer,
    legs: BTreeMap<MemberId, Leg>,
    next_at: Instant,
    pulled: Vec<i16>,
}

impl Room {
    /// An empty room that begins at `now`; `tones` tell of coming and going.
    #[must_use]
    pub fn new(now: Instant, tones: bool) -> Self {
        let mixer = Mixer::new(RATE, LENGTH, tones);
        Self { mixer, legs: BTreeMap::new(), next_at: now, pulled: Vec::new() }
    }

    /// Somebody comes.
    pub fn join(&mut self, id: MemberId, role: Role) {
        self.legs.insert(id, Leg::default());
        self.mixer.join(id, role);
    }

    /// Whom a leg hears and who hears it, from now on; false if it is not here.
    pub fn set_role(&mut self, id: MemberId, role: Role) -> bool {
        self.mixer.set_role(id, role)
    }

    /// Somebody goes.
    pub fn leave(&mut self, id: MemberId) {
        self.legs.remove(&id);
        self.mixer.leave(id);
    }

    /// Silences a leg for the others, or not; false if it is not here.
    pub fn mute(&mut self, id: MemberId, muted: bool) -> bool {
        self.mixer.mute(id, muted)
    }

    /// How loud a leg is for the others, in decibels from −40 to 20; false if it is not here.
    pub fn set_gain(&mut self, id: MemberId, decibels: f32) -> bool {
        self.mixer.set_gain(id, decibels)
    }

    /// Who speaks.
    #[must_use]
    pub const fn speaker(&self) -> Option<MemberId> {
        self.mixer.speaker()
    }

    /// What a leg says from now on is from another source.
    pub fn begin_anew(&mut self, id: MemberId) {
        if let Some((_, playout)) = self.legs.get_mut(&id).and_then(|leg| leg.playout.as_mut()) {
            playout.restart();
        }
    }

    /// A frame of a leg, as it came from its network.
    pub fn say(&mut self, id: MemberId, sound: &FarSound<'_>) {
        // What is only there so that something is there is silence in a room.
        let Some(leg) = self.legs.get_mut(&id).filter(|_| !sound.is_filling) else { return };
        if leg.playout.as_ref().is_none_or(|(known, _)| *known != sound.rate) {
            leg.playout = Some((sound.rate, Playout::new(sound.rate, sound.rate)));
            leg.rest.clear();
        }
        #[expect(clippy::cast_possible_truncation, reason = "wraps as RTP's do")]
        let timestamp = sound.position as u32;
        if let Some((_, playout)) = &mut leg.playout {
            playout.push(sound.at, timestamp, sound.samples);
        }
    }

    /// Mixes all frames whose turn has come.
    pub fn advance(&mut self, now: Instant) {
        if now.since(self.next_at) > STANDSTILL_MAX {
            self.next_at = now;
        }
        while self.next_at <= now {
            let at = self.next_at;
            self.next_at += FRAME;
            for (id, leg) in &mut self.legs {
                leg.pull(at, &mut self.pulled);
                if leg.rest.len() >= LENGTH {
                    self.mixer.say(*id, &leg.rest[..LENGTH]);
                    leg.rest.drain(..LENGTH);
                }
            }
            let legs = &mut self.legs;
            self.mixer.mix(|id, samples| {
                if let Some(leg) = legs.get_mut(&id) {
                    leg.heard.extend_from_slice(samples);
                    let over = leg.heard.len().saturating_sub(UNFETCHED_MAX);
                    leg.heard.drain(..over);
                }
            });
        }
    }

    /// Moves what a leg hears into `samples`, at [`RATE`]; false if there is nothing.
    pub fn hear(&mut self, id: MemberId, samples: &mut Vec<i16>) -> bool {
        samples.clear();
        let Some(leg) = self.legs.get_mut(&id) else { return false };
        samples.append(&mut leg.heard);
        !samples.is_empty()
    }

    /// Who is here.
    pub fn members(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.legs.keys().copied()
    }
}

impl Leg {
    /// The leg's sound of one frame, behind what is left of the frame before.
    fn pull(&mut self, at: Instant, pulled: &mut Vec<i16>) {
        let Some((rate, playout)) = &mut self.playout else { return };
        let kind = playout.pull(at, rate.samples_in(FRAME), pulled);
        if kind == Pulled::Silence && self.rest.is_empty() && self.resampler.is_none() {
            return;
        }
        if *rate == RATE {
            self.rest.extend_from_slice(pulled);
            return;
        }
        if self.resampler.as_ref().is_none_or(|(from, _)| from != rate) {
            self.resampler = Resampler::new(*rate, RATE).ok().map(|resampler| (*rate, resampler));
        }
        if let Some((_, resampler)) = &mut self.resampler {
            resampler.process(pulled, &mut self.rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{
        codec::CODECS,
        dsp::tone::{share_at, sine},
    };

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// Legs at 8, 16 and 24 kHz say their tones for `ms`; what each hears.
    fn talk(room: &mut Room, ms: u64, from_ms: u64) -> BTreeMap<u32, Vec<i16>> {
        let legs =
            [(1, SampleRate::HZ_8000, 400.0), (2, SampleRate::HZ_16000, 1_000.0), (3, SampleRate::HZ_24000, 1_900.0)];
        let mut heard: BTreeMap<u32, Vec<i16>> = BTreeMap::new();
        let mut fetched = Vec::new();
        for n in from_ms / 20..(from_ms + ms) / 20 {
            for (id, rate, hz) in legs {
                let length = rate.samples_in(FRAME);
                let (mut samples, start) = (Vec::new(), n * length as u64);
                sine(hz, 6_000.0, rate, usize::try_from(start).unwrap(), length, &mut samples);
                let sound = FarSound {
                    at: at(20 * n + u64::from(id)),
                    position: start,
                    is_filling: false,
                    is_digit: false,
                    codec: &CODECS[0],
                    rate,
                    payload: &[],
                    samples: &samples,
                };
                room.say(MemberId(id), &sound);
                room.advance(at(20 * n + 3 * u64::from(id)));
                if room.hear(MemberId(id), &mut fetched) {
                    heard.entry(id).or_default().extend_from_slice(&fetched);
                }
            }
        }
        heard
    }

    fn room() -> Room {
        let mut room = Room::new(at(0), false);
        (1..=3).for_each(|id| room.join(MemberId(id), Role::Talks));
        room
    }

    #[test]
    fn legs_of_different_rates_hear_each_other_and_not_themselves() {
        let heard = talk(&mut room(), 2_000, 0);
        for (listener, samples) in heard {
            assert!((31_000..=32_320).contains(&samples.len()), "{listener}: {}", samples.len());
            let settled = &samples[8_000..];
            for (id, hz) in [(1, 400.0), (2, 1_000.0), (3, 1_900.0)] {
                let share = share_at(hz, RATE, settled);
                if id == listener {
                    assert!(share < 0.001, "{listener} hears itself: {share}");
                } else {
                    assert!((0.45..0.55).contains(&share), "{listener} hears {id}: {share}");
                }
            }
        }
    }

    #[test]
    fn who_is_muted_or_gone_is_not_heard() {
        let mut room = room();
        talk(&mut room, 1_000, 0);
        assert!(room.mute(MemberId(1), true) && !room.mute(MemberId(9), true));
        let heard = talk(&mut room, 1_000, 1_000);
        assert!(share_at(400.0, RATE, &heard[&2][4_000..]) < 0.001);
        assert!(share_at(1_900.0, RATE, &heard[&2][4_000..]) > 0.95);
        room.leave(MemberId(3));
        let heard = talk(&mut room, 1_000, 2_000);
        assert!(!heard.contains_key(&3) && share_at(1_900.0, RATE, &heard[&1][4_000..]) < 0.001);
        assert_eq!(room.members().collect::<Vec<_>>(), [MemberId(1), MemberId(2)]);
    }

    #[test]
    fn nobody_who_does_not_fetch_fills_the_memory_and_a_standstill_is_left_behind() {
        let mut room = room();
        for n in 0..200 {
            room.advance(at(20 * n));
        }
        let mut samples = Vec::new();
        assert!(room.hear(MemberId(1), &mut samples));
        assert_eq!(samples.len(), UNFETCHED_MAX);
        room.advance(at(60_000));
        room.hear(MemberId(1), &mut samples);
        assert_eq!(samples.len(), LENGTH);
    }
}
