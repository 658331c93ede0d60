//! Several voices in one room: each hears all others, and not itself (mix-minus).
//!
//! Owns the sum, each member's gain, who speaks, the tones of coming and going, and a limiter: three loud voices are
//! quieter together instead of clipping. Works in frames of one length and rate; bringing members' sound there is the caller's
//! business. Does not know calls. A member that gave nothing for a frame is silent in it.

use crate::unit::SampleRate;
use std::{collections::BTreeMap, f32::consts::TAU};

/// Names a member within its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u32);

/// Loudest sample that goes out: 1 dB below full scale.
const CEILING: f32 = 29_204.0;
/// The limiter lets go so slowly: back to full gain within half a second at 20 ms frames.
const RELEASE: f32 = 0.04;
/// Mean square above which a frame counts as speech: −40 dBFS.
const SPEAKS_ABOVE: f32 = 107_374.0;
/// Who speaks stays the speaker until somebody else is so much louder (3 dB), or silence.
const TAKES_OVER: f32 = 2.0;
/// Smoothing of levels from frame to frame.
const SMOOTHED: f32 = 0.3;
/// Tones: 100 ms, −20 dBFS.
const TONE_MS: u32 = 100;
const TONE_AMPLITUDE: f32 = 3_277.0;
const JOIN_HZ: f32 = 880.0;
const LEAVE_HZ: f32 = 440.0;

/// Whom a member hears and who hears it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Everybody, by everybody.
    #[default]
    Talks,
    /// Hears everybody, by nobody: a supervisor who listens.
    Listens,
    /// Hears everybody, and is heard by one member alone: a supervisor who whispers.
    Whispers(MemberId),
}

/// One member.
#[derive(Debug)]
struct Member {
    gain: f32,
    muted: bool,
    role: Role,
    frame: Vec<i16>,
    /// Smoothed mean square of what it said, after its gain.
    power: f32,
    /// What the limiter lets through to it, 0 to 1.
    limit: f32,
}

/// The machine.
#[derive(Debug)]
pub struct Mixer {
    rate: SampleRate,
    length: usize,
    members: BTreeMap<MemberId, Member>,
    sum: Vec<f32>,
    /// Buffers of [`Self::mix`], used again.
    own: Vec<f32>,
    heard: Vec<i16>,
    ids: Vec<MemberId>,
    speaker: Option<MemberId>,
    /// Frequency and position of the tone that plays.
    tone: Option<(f32, u32)>,
    tones: bool,
}

impl Mixer {
    /// An empty room with frames of `length` samples at `rate`; `tones` tell of coming and going.
    #[must_use]
    pub const fn new(rate: SampleRate, length: usize, tones: bool) -> Self {
        Self {
            rate,
            length,
            members: BTreeMap::new(),
            sum: Vec::new(),
            own: Vec::new(),
            heard: Vec::new(),
            ids: Vec::new(),
            speaker: None,
            tone: None,
            tones,
        }
    }

    /// Somebody comes.
    pub fn join(&mut self, id: MemberId, role: Role) {
        let member =
            Member { gain: 1.0, muted: false, role, frame: Vec::with_capacity(self.length), power: 0.0, limit: 1.0 };
        self.members.insert(id, member);
        if role == Role::Talks {
            self.ring(JOIN_HZ);
        }
    }

    /// Somebody goes.
    pub fn leave(&mut self, id: MemberId) {
        if self.members.remove(&id).is_some_and(|member| member.role == Role::Talks) {
            self.ring(LEAVE_HZ);
        }
        if self.speaker == Some(id) {
            self.speaker = None;
        }
    }

    const fn ring(&mut self, hz: f32) {
        if self.tones {
            self.tone = Some((hz, 0));
        }
    }

    /// Members, in the order of their names.
    pub fn members(&self) -> impl Iterator<Item = MemberId> + '_ {
        self.members.keys().copied()
    }

    /// Silences a member, or not; false if there is none of that name.
    pub fn mute(&mut self, id: MemberId, muted: bool) -> bool {
        self.members.get_mut(&id).map(|member| member.muted = muted).is_some()
    }

    /// How loud a member is for the others, in decibels from −40 to 20; false if there is none of that name.
    pub fn set_gain(&mut self, id: MemberId, decibels: f32) -> bool {
        let gain = 10_f32.powf(decibels.clamp(-40.0, 20.0) / 20.0);
        self.members.get_mut(&id).map(|member| member.gain = gain).is_some()
    }

    /// Whom a member hears and who hears it; false if there is none of that name.
    pub fn set_role(&mut self, id: MemberId, role: Role) -> bool {
        self.members.get_mut(&id).map(|member| member.role = role).is_some()
    }

    /// Who speaks: the loudest, as long as somebody does.
    #[must_use]
    pub const fn speaker(&self) -> Option<MemberId> {
        self.speaker
    }

    /// What a member says in this frame; longer frames are cut, shorter ones end in silence.
    pub fn say(&mut self, id: MemberId, samples: &[i16]) {
        if let Some(member) = self.members.get_mut(&id) {
            member.frame.clear();
            member.frame.extend_from_slice(&samples[..samples.len().min(self.length)]);
        }
    }

    /// Ends a frame: gives each member what it hears, in the order of their names.
    pub fn mix(&mut self, mut hears: impl FnMut(MemberId, &[i16])) {
        let mut sum = std::mem::take(&mut self.sum);
        sum.clear();
        sum.resize(self.length, 0.0);
        for member in self.members.values_mut() {
            member.measure(self.length);
            if member.role == Role::Talks && !member.muted {
                for (total, sample) in sum.iter_mut().zip(&member.frame) {
                    *total += f32::from(*sample) * member.gain;
                }
            }
        }
        self.find_speaker();
        self.add_tone(&mut sum);
        let (mut ids, mut own, mut heard) =
            (std::mem::take(&mut self.ids), std::mem::take(&mut self.own), std::mem::take(&mut self.heard));
        ids.clear();
        ids.extend(self.members.keys());
        for &id in &ids {
            own.clear();
            own.extend_from_slice(&sum);
            for (other, member) in &self.members {
                let (sign, counts) = match member.role {
                    Role::Talks => (-1.0, *other == id),
                    Role::Whispers(to) => (1.0, to == id && *other != id),
                    Role::Listens => (0.0, false),
                };
                if counts && !member.muted {
                    for (total, sample) in own.iter_mut().zip(&member.frame) {
                        *total += sign * f32::from(*sample) * member.gain;
                    }
                }
            }
            if let Some(member) = self.members.get_mut(&id) {
                member.limit(&own, &mut heard);
            }
            hears(id, &heard);
        }
        for member in self.members.values_mut() {
            member.frame.clear();
        }
        (self.sum, self.ids, self.own, self.heard) = (sum, ids, own, heard);
    }

    fn find_speaker(&mut self) {
        let power = |id: MemberId| self.members.get(&id).map_or(0.0, |member| member.power);
        let talks = self.members.iter().filter(|(_, member)| member.role == Role::Talks && !member.muted);
        let loudest = talks.max_by(|one, other| one.1.power.total_cmp(&other.1.power)).map(|(id, _)| *id);
        let loudest = loudest.filter(|id| power(*id) > SPEAKS_ABOVE);
        self.speaker = match (self.speaker, loudest) {
            (Some(now), Some(next)) if power(now) > SPEAKS_ABOVE && power(next) < power(now) * TAKES_OVER => Some(now),
            (_, next) => next,
        };
    }

    fn add_tone(&mut self, sum: &mut [f32]) {
        let Some((hz, position)) = self.tone else { return };
        let end = self.rate.0 * TONE_MS / 1_000;
        let edge = (self.rate.0 / 200) as f32;
        for (at, total) in (position..end).zip(sum.iter_mut()) {
            // 5 ms in and out, so that nothing clicks.
            let envelope = (at as f32 / edge).min((end - at) as f32 / edge).min(1.0);
            *total += (TAU * hz * at as f32 / self.rate.0 as f32).sin() * TONE_AMPLITUDE * envelope;
        }
        let next = position + u32::try_from(sum.len()).unwrap_or(end);
        self.tone = (next < end).then_some((hz, next));
    }
}

impl Member {
    fn measure(&mut self, length: usize) {
        let squares: f32 = self.frame.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
        let power = squares / length.max(1) as f32 * self.gain * self.gain;
        self.power += SMOOTHED * (power - self.power);
    }

    /// Gain goes down over the frame to where nothing clips, and comes back slowly. The frame's own peak is known, so
    /// nothing is ahead of it; what still stands out in the slope is clipped.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to 16 bits")]
    fn limit(&mut self, samples: &[f32], heard: &mut Vec<i16>) {
        let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let fits = if peak > CEILING { CEILING / peak } else { 1.0 };
        let from = self.limit.min(fits);
        let to = if fits < self.limit { fits } else { (self.limit + RELEASE).min(fits) };
        let step = (to - from) / samples.len().max(1) as f32;
        heard.clear();
        heard.extend(
            samples
                .iter()
                .enumerate()
                .map(|(n, sample)| (sample * (from + step * n as f32)).clamp(-CEILING, CEILING) as i16),
        );
        self.limit = to;
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small numbers of tests")]
mod tests {
    use super::*;

    const LENGTH: usize = 320;
    const RATE: SampleRate = SampleRate(16_000);

    fn tone(hz: f32, amplitude: f32, frame: usize) -> Vec<i16> {
        let at = |n: usize| (frame * LENGTH + n) as f32 / 16_000.0;
        (0..LENGTH).map(|n| ((TAU * hz * at(n)).sin() * amplitude) as i16).collect()
    }

    fn room(members: u32) -> Mixer {
        let mut mixer = Mixer::new(RATE, LENGTH, false);
        (0..members).for_each(|id| mixer.join(MemberId(id), Role::Talks));
        mixer
    }

    /// Mixes `frames` in which member `n` says its tone; gives what each heard.
    fn mixed(mixer: &mut Mixer, voices: &[(u32, f32, f32)], frames: usize) -> BTreeMap<MemberId, Vec<i16>> {
        let mut heard: BTreeMap<MemberId, Vec<i16>> = BTreeMap::new();
        for frame in 0..frames {
            for (id, hz, amplitude) in voices {
                mixer.say(MemberId(*id), &tone(*hz, *amplitude, frame));
            }
            mixer.mix(|id, samples| heard.entry(id).or_default().extend_from_slice(samples));
        }
        heard
    }

    /// Amplitude of one frequency (a whole number of periods).
    fn amplitude(samples: &[i16], hz: f32) -> f32 {
        let (mut sine, mut cosine) = (0.0_f64, 0.0_f64);
        for (n, sample) in samples.iter().enumerate() {
            let angle = f64::from(TAU) * f64::from(hz) * n as f64 / 16_000.0;
            sine += f64::from(*sample) * angle.sin();
            cosine += f64::from(*sample) * angle.cos();
        }
        (2.0 * sine.hypot(cosine) / samples.len() as f64) as f32
    }

    #[test]
    fn everybody_hears_all_others_and_not_himself() {
        let voices = [(0, 400.0, 4_000.0), (1, 700.0, 5_000.0), (2, 1_100.0, 6_000.0)];
        let heard = mixed(&mut room(3), &voices, 50);
        for (listener, samples) in &heard {
            for (id, hz, said) in voices {
                let found = amplitude(samples, hz);
                if listener.0 == id {
                    // 60 dB below what was said.
                    assert!(found < said / 1_000.0, "{listener:?} hears itself: {found}");
                } else {
                    assert!((found - said).abs() < said * 0.01, "{listener:?} hears {id} at {found} of {said}");
                }
            }
        }
    }

    #[test]
    fn loud_voices_together_do_not_clip() {
        // Four full voices at one frequency add up to 12 dB over full scale.
        let voices: Vec<_> = (0..5).map(|id| (id, 500.0, 30_000.0)).collect();
        let heard = mixed(&mut room(5), &voices, 50);
        let samples = &heard[&MemberId(0)][20 * LENGTH..];
        assert!(samples.iter().all(|sample| f32::from(*sample).abs() <= CEILING));
        // A clipped sine would have a third harmonic of a tenth and more; it is 40 dB down.
        let (first, third) = (amplitude(samples, 500.0), amplitude(samples, 1_500.0));
        assert!(first > 25_000.0 && third < first / 100.0, "{first} {third}");
    }

    #[test]
    fn after_a_loud_moment_the_gain_comes_back() {
        let mut mixer = room(3);
        mixed(&mut mixer, &[(0, 500.0, 30_000.0), (1, 500.0, 30_000.0)], 10);
        let heard = mixed(&mut mixer, &[(0, 500.0, 8_000.0)], 100);
        let end = amplitude(&heard[&MemberId(2)][50 * LENGTH..], 500.0);
        assert!((end - 8_000.0).abs() < 80.0, "{end}");
    }

    #[test]
    fn gain_and_mute_are_for_the_others() {
        let mut mixer = room(2);
        assert!(mixer.set_gain(MemberId(0), -6.02) && !mixer.set_gain(MemberId(7), 0.0));
        let heard = mixed(&mut mixer, &[(0, 500.0, 8_000.0)], 50);
        let half = amplitude(&heard[&MemberId(1)], 500.0);
        assert!((half - 4_000.0).abs() < 40.0, "{half}");
        assert!(mixer.mute(MemberId(0), true));
        let heard = mixed(&mut mixer, &[(0, 500.0, 8_000.0)], 10);
        assert!(heard[&MemberId(1)].iter().all(|sample| *sample == 0));
    }

    #[test]
    fn a_supervisor_listens_or_whispers_to_one() {
        let mut mixer = room(2);
        mixer.join(MemberId(2), Role::Listens);
        let voices = [(0, 400.0, 4_000.0), (2, 900.0, 4_000.0)];
        let heard = mixed(&mut mixer, &voices, 50);
        assert!(amplitude(&heard[&MemberId(2)], 400.0) > 3_900.0);
        assert!(amplitude(&heard[&MemberId(0)], 900.0) < 4.0 && amplitude(&heard[&MemberId(1)], 900.0) < 4.0);
        assert!(mixer.set_role(MemberId(2), Role::Whispers(MemberId(1))));
        let heard = mixed(&mut mixer, &voices, 50);
        assert!(amplitude(&heard[&MemberId(1)], 900.0) > 3_900.0);
        assert!(amplitude(&heard[&MemberId(0)], 900.0) < 4.0, "whispered to the other alone");
        assert!(amplitude(&heard[&MemberId(2)], 900.0) < 4.0, "nor does he hear himself");
    }

    #[test]
    fn the_loudest_is_the_speaker_and_does_not_flicker() {
        let mut mixer = room(3);
        mixed(&mut mixer, &[(0, 400.0, 8_000.0)], 10);
        assert_eq!(mixer.speaker(), Some(MemberId(0)));
        mixed(&mut mixer, &[(0, 400.0, 8_000.0), (1, 700.0, 9_000.0)], 20);
        assert_eq!(mixer.speaker(), Some(MemberId(0)), "a little louder is not enough");
        mixed(&mut mixer, &[(0, 400.0, 8_000.0), (1, 700.0, 20_000.0)], 20);
        assert_eq!(mixer.speaker(), Some(MemberId(1)));
        mixed(&mut mixer, &[], 40);
        assert_eq!(mixer.speaker(), None);
    }

    #[test]
    fn coming_and_going_can_be_heard() {
        let mut mixer = Mixer::new(RATE, LENGTH, true);
        mixer.join(MemberId(0), Role::Talks);
        let heard = mixed(&mut mixer, &[], 5);
        assert!(amplitude(&heard[&MemberId(0)], 880.0) > 2_800.0);
        mixer.join(MemberId(1), Role::Listens);
        assert!(mixed(&mut mixer, &[], 5)[&MemberId(0)].iter().all(|sample| *sample == 0), "who listens comes quietly");
        mixer.join(MemberId(2), Role::Talks);
        mixed(&mut mixer, &[], 5);
        mixer.leave(MemberId(2));
        let heard = mixed(&mut mixer, &[], 6);
        assert!(amplitude(&heard[&MemberId(0)][..5 * LENGTH], 440.0) > 2_800.0);
        assert!(heard[&MemberId(0)][5 * LENGTH..].iter().all(|sample| *sample == 0), "it is over after 100 ms");
    }

    #[test]
    fn short_and_missing_frames_are_silence() {
        let mut mixer = room(2);
        mixer.say(MemberId(0), &[1_000; 10]);
        mixer.say(MemberId(9), &[1_000; 10]);
        let mut heard = Vec::new();
        mixer.mix(|id, samples| heard.push((id, samples.to_vec())));
        assert_eq!(heard[1].1[9..11], [1_000, 0]);
        assert_eq!(heard[1].1.len(), LENGTH);
    }
}
