//! Two voices on one clock: left the caller, right the agent, aligned by sample.
//!
//! Takes frames with their positions, gives interleaved stereo in pieces. It holds back a little, so that frames
//! that come late still find their place. Writing files is the shell's business.

use std::collections::VecDeque;

/// Left or right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The person on the phone.
    Caller,
    /// The speech AI.
    Agent,
}

/// Samples held back for late frames: 80 ms at 8 kHz, twice the reorder window.
const HELD: usize = 640;
/// Pieces are given when this much is ready: an eighth of a second at 8 kHz. With what is held back and a frame it
/// stays below 2,048 samples, so that a channel's buffer is 4 KiB.
const PIECE: usize = 1_000;
/// A position further ahead than this is wrong, not late: one minute.
const AHEAD_MAX: u64 = 480_000;

/// One call's recording at 8 kHz.
#[derive(Debug, Default)]
pub struct Recorder {
    /// Position of the first sample of both channels.
    start: u64,
    caller: VecDeque<i16>,
    agent: VecDeque<i16>,
    clipped: u64,
}

impl Recorder {
    /// Puts `samples` at `position`; what is before the pieces already given is cut off.
    pub fn add(&mut self, side: Side, position: u64, samples: &[i16]) {
        let skip = usize::try_from(self.start.saturating_sub(position)).unwrap_or(usize::MAX);
        let Some(samples) = samples.get(skip..).filter(|rest| !rest.is_empty()) else {
            self.clipped += 1;
            return;
        };
        let offset = (position + skip as u64).saturating_sub(self.start);
        if offset > AHEAD_MAX {
            self.clipped += 1;
            return;
        }
        let offset = usize::try_from(offset).unwrap_or(0);
        let channel = match side {
            Side::Caller => &mut self.caller,
            Side::Agent => &mut self.agent,
        };
        if channel.len() < offset {
            // A sample or two are a clock that runs wrong: a hole in the voice would click.
            let filler = if offset - channel.len() <= 2 { channel.back().copied().unwrap_or(0) } else { 0 };
            channel.resize(offset, filler);
        }
        let over = (channel.len() - offset).min(samples.len());
        for (at, sample) in samples[..over].iter().enumerate() {
            channel[offset + at] = *sample;
        }
        channel.extend(&samples[over..]);
    }

    /// The next piece, once an eighth of a second is ready.
    pub fn take_piece(&mut self) -> Option<Vec<i16>> {
        let ready = self.caller.len().max(self.agent.len()).saturating_sub(HELD);
        (ready >= PIECE).then(|| self.interleave(ready))
    }

    /// All that is left.
    pub fn finish(&mut self) -> Vec<i16> {
        self.interleave(self.caller.len().max(self.agent.len()))
    }

    fn interleave(&mut self, count: usize) -> Vec<i16> {
        let mut piece = vec![0; 2 * count];
        for (channel, offset) in [(&mut self.caller, 0), (&mut self.agent, 1)] {
            let have = count.min(channel.len());
            let (front, back) = channel.as_slices();
            for (frame, sample) in piece.chunks_exact_mut(2).zip(front.iter().chain(back).take(have)) {
                frame[offset] = *sample;
            }
            channel.drain(..have);
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
        let mut recorder = Recorder::default();
        recorder.add(Side::Agent, 0, &[1, 2, 3]);
        recorder.add(Side::Caller, 2, &[7, 8]);
        recorder.add(Side::Caller, 0, &[5]);
        assert_eq!(recorder.finish(), [5, 1, 0, 2, 7, 3, 8, 0]);
        recorder.add(Side::Agent, 1, &[9, 9, 9, 9]);
        assert_eq!(recorder.finish(), [0, 9], "what was given cannot be changed");
    }

    #[test]
    fn a_wild_position_does_not_fill_the_memory() {
        let mut recorder = Recorder::default();
        recorder.add(Side::Caller, u64::MAX, &[1]);
        recorder.add(Side::Caller, u64::MAX / 2, &[1]);
        assert!(recorder.finish().is_empty());
    }

    #[test]
    fn pieces_come_soon() {
        let mut recorder = Recorder::default();
        let mut given = 0;
        for frame in 0..100 {
            recorder.add(Side::Agent, frame * 160, &[1; 160]);
            given += recorder.take_piece().map_or(0, |piece| piece.len() / 2);
        }
        assert_eq!(given + recorder.finish().len() / 2, 16_000);
    }
}
