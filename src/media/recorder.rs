//! Two voices on one clock: left the caller, right the agent, aligned by sample.
//!
//! Takes frames with their positions, gives interleaved stereo in pieces. It holds back a little, so that frames
//! that come late still find their place, a little more each time that one comes later still. A frame that must be a
//! sample longer or shorter, because its sender's clock runs wrong, is bent to it as a whole: nothing clicks. It has one rate from start to end, 8 kHz or 16 kHz; sound at another is
//! converted, and put where it belongs in spite of the converter's delay. Writing files is the shell's business.

use super::dsp::resample::Resampler;
use crate::unit::SampleRate;
use std::time::Duration;

/// Left or right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The person on the phone.
    Caller,
    /// The speech AI.
    Agent,
}

/// Part of a second that is held back for late frames: 80 ms, twice the reorder window…
const HELD_MS: u32 = 80;
/// …and as much more as frames came too late, up to this: what a crash loses stays below a second.
const HELD_MAX_MS: u32 = 500;
/// Pieces are given when this much is ready: an eighth of a second. With what is held back and a frame it stays below
/// 2,048 samples at 8 kHz, so that a channel's buffer is 4 KiB on a line without stalls.
const PIECE_MS: u32 = 125;
/// A position further ahead than this is wrong, not late: one minute.
const AHEAD_MAX_S: u64 = 60;

/// One call's recording.
#[derive(Debug)]
pub struct Recorder {
    rate: SampleRate,
    /// Of each side whose sound comes at another rate: that rate, and the way from it.
    converters: [Option<(SampleRate, Resampler)>; 2],
    converted: Vec<i16>,
    bent: Vec<i16>,
    /// Position of the first sample of both channels.
    start: u64,
    caller: Vec<i16>,
    agent: Vec<i16>,
    /// Samples held back, and those that came too late all the same.
    held: usize,
    late: u64,
}

impl Recorder {
    /// An empty recording at `rate`.
    #[must_use]
    pub fn new(rate: SampleRate) -> Self {
        let held = (rate.0 * HELD_MS / 1_000) as usize;
        let converters = [None, None];
        let (converted, bent, caller, agent) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { rate, converters, converted, bent, start: 0, caller, agent, held, late: 0 }
    }

    /// Samples a second of what comes out.
    #[must_use]
    pub const fn rate(&self) -> SampleRate {
        self.rate
    }

    /// How much sound came too late to be kept.
    #[must_use]
    pub fn missed(&self) -> Duration {
        Duration::from_secs_f64(self.late as f64 / f64::from(self.rate.0.max(1)))
    }

    /// Puts `samples` at `rate` where `position` is, in samples of the recording, and makes them so much longer: −1, 0
    /// or 1 sample of the recording.
    pub fn add(&mut self, side: Side, position: u64, rate: SampleRate, samples: &[i16], slip: i8) {
        if rate == self.rate && slip == 0 {
            self.put(side, position, samples);
            return;
        }
        if rate == self.rate {
            let mut bent = std::mem::take(&mut self.bent);
            bend(samples, slip, &mut bent);
            self.put(side, position, &bent);
            self.bent = bent;
            return;
        }
        let slot = &mut self.converters[usize::from(side == Side::Agent)];
        if slot.as_ref().is_none_or(|(from, _)| *from != rate) {
            *slot = Resampler::new(rate, self.rate).ok().map(|resampler| (rate, resampler));
        }
        let Some((_, resampler)) = slot else { return };
        let mut converted = std::mem::take(&mut self.converted);
        converted.clear();
        resampler.process(samples, &mut converted);
        if slip != 0 {
            bend(&converted, slip, &mut self.bent);
            std::mem::swap(&mut converted, &mut self.bent);
        }
        let late = self.rate.samples_in(resampler.delay()) as u64;
        if position >= late {
            self.put(side, position - late, &converted);
        } else {
            let before = usize::try_from(late - position).unwrap_or(0).min(converted.len());
            self.put(side, 0, &converted[before..]);
        }
        self.converted = converted;
    }

    /// Puts `samples` at `position`; what is before the pieces already given is cut off.
    fn put(&mut self, side: Side, position: u64, samples: &[i16]) {
        let skip = usize::try_from(self.start.saturating_sub(position)).unwrap_or(usize::MAX);
        if skip > 0 {
            self.late += skip.min(samples.len()) as u64;
            self.held = self.held.saturating_add(skip).min((self.rate.0 * HELD_MAX_MS / 1_000) as usize);
        }
        let Some(samples) = samples.get(skip..).filter(|rest| !rest.is_empty()) else {
            return;
        };
        let offset = (position + skip as u64).saturating_sub(self.start);
        if offset > AHEAD_MAX_S * u64::from(self.rate.0) {
            return;
        }
        let offset = usize::try_from(offset).unwrap_or(0);
        let channel = match side {
            Side::Caller => &mut self.caller,
            Side::Agent => &mut self.agent,
        };
        if channel.len() < offset {
            channel.resize(offset, 0);
        }
        let over = (channel.len() - offset).min(samples.len());
        channel[offset..offset + over].copy_from_slice(&samples[..over]);
        channel.extend_from_slice(&samples[over..]);
    }

    /// The next piece, once an eighth of a second is ready.
    pub fn take_piece(&mut self) -> Option<Vec<i16>> {
        let ready = self.caller.len().max(self.agent.len()).saturating_sub(self.held);
        (ready >= (self.rate.0 * PIECE_MS / 1_000) as usize).then(|| self.interleave(ready))
    }

    /// All that is left.
    pub fn finish(&mut self) -> Vec<i16> {
        self.interleave(self.caller.len().max(self.agent.len()))
    }

    fn interleave(&mut self, count: usize) -> Vec<i16> {
        // A side that has not come so far is silent.
        for channel in [&mut self.caller, &mut self.agent] {
            channel.resize(channel.len().max(count), 0);
        }
        let piece =
            self.caller[..count].iter().zip(&self.agent[..count]).flat_map(|(left, right)| [*left, *right]).collect();
        for channel in [&mut self.caller, &mut self.agent] {
            channel.copy_within(count.., 0);
            channel.truncate(channel.len() - count);
        }
        self.start += count as u64;
        piece
    }
}

/// `samples` with one more (`slip` 1) or one fewer (−1), first and last where they were: read between the samples by eight
/// neighbours each, so that the pitch is off by less than a per cent for one frame, and no seam is heard.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positions and samples within bounds")]
fn bend(samples: &[i16], slip: i8, bent: &mut Vec<i16>) {
    use std::f32::consts::PI;
    bent.clear();
    if samples.len() < 16 {
        bent.extend_from_slice(samples);
        return;
    }
    let count = samples.len().saturating_add_signed(slip.into());
    let last = samples.len() - 1;
    let step = last as f32 / (count - 1) as f32;
    bent.extend((0..count).map(|n| {
        let at = n as f32 * step;
        let from = (at as usize).min(last - 1);
        let part = at - from as f32;
        if !(0.001..0.999).contains(&part) {
            return samples[from + usize::from(part > 0.5)];
        }
        // A windowed sinc: its sines differ in sign alone.
        let sine = (PI * part).sin();
        let (mut sum, mut whole, mut sign) = (0.0, 0.0, -1.0);
        for tap in 0..8_u8 {
            let distance = part + 3.0 - f32::from(tap);
            let weight = sign * sine / distance * (PI * distance / 8.0).cos().powi(2);
            let neighbour = (from + usize::from(tap)).saturating_sub(3).min(last);
            sum += weight * f32::from(samples[neighbour]);
            whole += weight;
            sign = -sign;
        }
        (sum / whole).round() as i16
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_lie_where_they_were_said() {
        let mut recorder = Recorder::new(SampleRate::HZ_8000);
        recorder.put(Side::Agent, 0, &[1, 2, 3]);
        recorder.put(Side::Caller, 2, &[7, 8]);
        recorder.put(Side::Caller, 0, &[5]);
        assert_eq!(recorder.finish(), [5, 1, 0, 2, 7, 3, 8, 0]);
        recorder.put(Side::Agent, 1, &[9, 9, 9, 9]);
        assert_eq!(recorder.finish(), [0, 9], "what was given cannot be changed");
    }

    #[test]
    fn a_wild_position_does_not_fill_the_memory() {
        let mut recorder = Recorder::new(SampleRate::HZ_8000);
        recorder.put(Side::Caller, u64::MAX, &[1]);
        recorder.put(Side::Caller, u64::MAX / 2, &[1]);
        assert!(recorder.finish().is_empty());
    }

    #[test]
    fn pieces_come_soon() {
        let mut recorder = Recorder::new(SampleRate::HZ_8000);
        let mut given = 0;
        for frame in 0..100 {
            recorder.put(Side::Agent, frame * 160, &[1; 160]);
            given += recorder.take_piece().map_or(0, |piece| piece.len() / 2);
        }
        assert_eq!(given + recorder.finish().len() / 2, 16_000);
    }

    #[test]
    fn sound_of_another_rate_lies_where_it_was_said() {
        use crate::media::dsp::tone;
        let mut recorder = Recorder::new(SampleRate::HZ_16000);
        // 100 ms of silence, then the same tone on both sides, from 8 kHz and from 24 kHz.
        for (side, rate) in [(Side::Caller, SampleRate::HZ_8000), (Side::Agent, SampleRate::HZ_24000)] {
            let mut sound = vec![0; rate.0 as usize / 10];
            tone::sine(400.0, 10_000.0, rate, 0, rate.0 as usize / 5, &mut sound);
            for (n, frame) in (0..).zip(sound.chunks(rate.0 as usize / 50)) {
                recorder.add(side, n * 320, rate, frame, 0);
            }
        }
        let sound = recorder.finish();
        for side in 0..2 {
            let channel: Vec<i16> = sound.chunks_exact(2).map(|pair| pair[side]).collect();
            let onset = channel.iter().position(|sample| sample.abs() > 3_000).unwrap();
            // 3,000 of 10,000 is reached after 0.12 ms.
            assert!((1_598..=1_604).contains(&onset), "side {side}: {onset}");
        }
    }

    #[test]
    fn a_frame_that_becomes_a_sample_longer_or_shorter_keeps_its_sound() {
        let rate = SampleRate::HZ_8000;
        for hz in [200.0, 1_000.0, 3_000.0] {
            let mut sound = Vec::new();
            crate::media::dsp::tone::sine(hz, 10_000.0, rate, 0, 160, &mut sound);
            for slip in [-1, 1] {
                let mut bent = Vec::new();
                bend(&sound, slip, &mut bent);
                assert_eq!(bent.len(), 160_usize.saturating_add_signed(slip.into()));
                assert_eq!((bent[0], bent[bent.len() - 1]), (sound[0], sound[159]));
                // The same tone at a pitch that is off by a 159th.
                let step = hz * 159.0 / (bent.len() - 1) as f64 / 8_000.0;
                let (mut error, mut whole) = (0.0, 0.0);
                for (n, sample) in (0_u32..).zip(&bent) {
                    let wanted = 10_000.0 * (f64::from(n) * step * std::f64::consts::TAU).sin();
                    error += (f64::from(*sample) - wanted).powi(2);
                    whole += wanted.powi(2);
                }
                let below_db = 10.0 * (error / whole).log10();
                let at_most = if hz > 2_000.0 { -15.0 } else { -30.0 };
                assert!(below_db < at_most, "{hz} Hz, {slip}: {below_db:.1} dB");
            }
        }
        for samples in [&[][..], &[1; 7], &[i16::MIN; 8], &[i16::MAX; 160]] {
            bend(samples, -1, &mut Vec::new());
            bend(samples, 1, &mut Vec::new());
        }
    }

    #[test]
    fn what_comes_too_late_is_counted_and_waited_for_the_next_time() {
        let mut recorder = Recorder::new(SampleRate::HZ_8000);
        let mut missed = Vec::new();
        // The caller's sound stalls for 300 ms in each of three seconds, then comes at once.
        for frame in 0..150_u64 {
            recorder.put(Side::Agent, frame * 160, &[1; 160]);
            let from = frame % 50;
            if from == 15 {
                for late in 0..=15 {
                    recorder.put(Side::Caller, (frame - 15 + late) * 160, &[2; 160]);
                }
                missed.push(recorder.missed().as_millis());
            } else if from > 15 {
                recorder.put(Side::Caller, frame * 160, &[2; 160]);
            }
            recorder.take_piece();
        }
        assert!((100..300).contains(&missed[0]), "{missed:?}");
        assert_eq!((missed[1], missed[2]), (missed[0], missed[0]));
    }
}
