//! Two voices on one clock: left the caller, right the agent, aligned by sample.
//!
//! Takes frames with their positions, gives interleaved stereo in pieces. It holds back a little, so that frames
//! that come late still find their place. It has one rate from start to end, 8 kHz or 16 kHz; sound at another is
//! converted, and put where it belongs in spite of the converter's delay. Writing files is the shell's business.

use super::dsp::resample::Resampler;
use crate::unit::SampleRate;

/// Left or right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The person on the phone.
    Caller,
    /// The speech AI.
    Agent,
}

/// Part of a second that is held back for late frames: 80 ms, twice the reorder window.
const HELD_MS: u32 = 80;
/// Pieces are given when this much is ready: an eighth of a second. With what is held back and a frame it stays below
/// 2,048 samples at 8 kHz, so that a channel's buffer is 4 KiB.
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
    /// Position of the first sample of both channels.
    start: u64,
    caller: Vec<i16>,
    agent: Vec<i16>,
}

impl Recorder {
    /// An empty recording at `rate`.
    #[must_use]
    pub fn new(rate: SampleRate) -> Self {
        Self { rate, converters: [None, None], converted: Vec::new(), start: 0, caller: Vec::new(), agent: Vec::new() }
    }

    /// Samples a second of what comes out.
    #[must_use]
    pub const fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Puts `samples` at `rate` where `position` is, in samples of the recording.
    pub fn add(&mut self, side: Side, position: u64, rate: SampleRate, samples: &[i16]) {
        if rate == self.rate {
            self.put(side, position, samples);
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
            // A sample or two are a clock that runs wrong: a hole in the voice would click.
            let filler = if offset - channel.len() <= 2 { channel.last().copied().unwrap_or(0) } else { 0 };
            channel.resize(offset, filler);
        }
        let over = (channel.len() - offset).min(samples.len());
        channel[offset..offset + over].copy_from_slice(&samples[..over]);
        channel.extend_from_slice(&samples[over..]);
    }

    /// The next piece, once an eighth of a second is ready.
    pub fn take_piece(&mut self) -> Option<Vec<i16>> {
        let samples = |ms: u32| (self.rate.0 * ms / 1_000) as usize;
        let ready = self.caller.len().max(self.agent.len()).saturating_sub(samples(HELD_MS));
        (ready >= samples(PIECE_MS)).then(|| self.interleave(ready))
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
                recorder.add(side, n * 320, rate, frame);
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
}
