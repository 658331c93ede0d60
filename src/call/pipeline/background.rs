//! Sound that nobody says: the ring tone of early media and music on hold.
//!
//! It goes the agent's way through the playout, a little ahead of time, under a turn that belongs to nobody; so every
//! codec and packet length works, and the recording has it. Made here or from a file; repeats without end.

use super::Pipeline;
use crate::{
    clock::Instant,
    unit::{SampleRate, TurnId},
};
use std::{f64::consts::TAU, sync::Arc, time::Duration};

/// What those hear whom we hold.
#[derive(Clone, Debug, Default)]
pub enum Music {
    /// Nothing: the session is inactive meanwhile.
    Off,
    /// A quiet tune, made here.
    #[default]
    Tune,
    /// A sound at 8 kHz; silence if it is empty.
    Sound(Arc<[i16]>),
}

/// What plays.
#[derive(Clone, Debug)]
pub(super) enum Sound {
    /// 425 Hz, one second of five (ETSI TR 101 041-2).
    Ringing,
    Music(Music),
}

/// The turn that belongs to nobody.
pub(super) const NOBODY: TurnId = TurnId(u32::MAX - 1);

/// So much is put in line at a time, and the line is never longer than twice that.
const PIECE: Duration = Duration::from_millis(100);
const RATE: SampleRate = SampleRate::HZ_8000;
/// −18 dBFS: a ring tone that wakes nobody.
const RING_AMPLITUDE: f64 = 4_000.0;
const TUNE_AMPLITUDE: f64 = 2_500.0;
/// Two bars of broken chords, in Hz; one note takes [`NOTE`] samples.
const NOTES: [f64; 16] = [
    261.63, 329.63, 392.0, 523.25, 392.0, 329.63, 440.0, 392.0, 220.0, 261.63, 349.23, 440.0, 349.23, 293.66, 392.0,
    329.63,
];
const NOTE: usize = 4_000;

/// What plays, and how far it has come.
#[derive(Debug)]
pub(super) struct Background {
    sound: Sound,
    position: usize,
}

impl Background {
    /// The next `count` samples at 8 kHz.
    #[expect(clippy::cast_possible_truncation, reason = "samples well below full scale")]
    fn render(&mut self, count: usize, samples: &mut Vec<i16>) {
        let positions = self.position..self.position + count;
        self.position += count;
        match &self.sound {
            Sound::Ringing => samples.extend(positions.map(|n| {
                let on = n % 40_000 < 8_000;
                if on { ((n as f64 * TAU * 425.0 / 8_000.0).sin() * RING_AMPLITUDE) as i16 } else { 0 }
            })),
            Sound::Music(Music::Sound(file)) if !file.is_empty() => {
                samples.extend(positions.map(|n| file[n % file.len()]));
            }
            Sound::Music(Music::Tune) => samples.extend(positions.map(|n| {
                let (note, within) = (NOTES[n / NOTE % NOTES.len()], n % NOTE);
                // Struck and dying away, with a soft beginning so that nothing clicks.
                let strike = (within as f64 / 80.0).min(1.0) * (-3.0 * within as f64 / NOTE as f64).exp();
                let rest = ((NOTE - within) as f64 / 80.0).min(1.0);
                let phase = within as f64 * TAU * note / 8_000.0;
                ((phase.sin() + 0.3 * (2.0 * phase).sin()) * TUNE_AMPLITUDE * strike * rest) as i16
            })),
            Sound::Music(_) => samples.extend(positions.map(|_| 0)),
        }
    }
}

impl Pipeline {
    /// Plays this instead of what played, or nothing. What the agent had in line is thrown away.
    pub(super) fn play(&mut self, sound: Option<Sound>) {
        let played = self.background.take().is_some();
        if let Some(media) = self.media.as_mut().filter(|_| played || sound.is_some()) {
            media.outbound.cut();
        }
        self.background = sound.map(|sound| Background { sound, position: 0 });
    }

    /// Keeps a little of it in line.
    pub(super) fn feed(&mut self, now: Instant) {
        let (Some(background), Some(media)) = (&mut self.background, &mut self.media) else { return };
        while media.outbound.queued() < PIECE {
            let mut piece = self.spare_samples.pop().unwrap_or_default();
            piece.clear();
            background.render(RATE.samples_in(PIECE), &mut piece);
            let dropped_ms = media.outbound.enqueue(now, NOBODY, RATE, &piece);
            self.spare_samples.push(piece);
            if dropped_ms > 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::tone::share_at;

    fn rendered(sound: Sound, seconds: usize) -> Vec<i16> {
        let mut background = Background { sound, position: 0 };
        let mut samples = Vec::new();
        (0..seconds * 10).for_each(|_| background.render(800, &mut samples));
        samples
    }

    #[test]
    fn the_ring_tone_rings_one_second_of_five() {
        let samples = rendered(Sound::Ringing, 10);
        assert!(share_at(425.0, RATE, &samples[..8_000]) > 0.95);
        assert!(samples[8_000..40_000].iter().all(|sample| *sample == 0));
        assert!(share_at(425.0, RATE, &samples[40_000..48_000]) > 0.95);
    }

    #[test]
    fn music_goes_on_without_a_click_and_files_repeat() {
        let tune = rendered(Sound::Music(Music::Tune), 12);
        assert!(tune.chunks(NOTE).all(|note| note.iter().any(|sample| sample.abs() > 1_000)), "every note is heard");
        let steepest = tune.windows(2).map(|pair| (pair[0] - pair[1]).abs()).max().unwrap();
        assert!(steepest < 2_500, "{steepest}");
        let file = rendered(Sound::Music(Music::Sound(Arc::from([1, 2, 3]))), 1);
        assert_eq!(file[..7], [1, 2, 3, 1, 2, 3, 1]);
    }
}
