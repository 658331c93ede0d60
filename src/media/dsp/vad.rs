//! Speech or not, every 10 ms, from energy over an adaptive floor, or from a network behind such a gate.
//!
//! Says when speech began and when it ended, on the clock of the packets that carried it. It decides turns of
//! the offline agents and marks the ends of silence that latency is measured from; a provider's own detector
//! decides its turns.

use super::{level::Energy, neural::Neural};
use crate::{clock::Instant, unit::SampleRate};
use std::time::Duration;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpeechEdge {
    /// Speech began at this moment; reported once it has lasted [`Detector::ONSET`].
    Started(Instant),
    /// Speech ended at this moment; reported once silence has lasted [`Detector::HANGOVER`].
    Ended(Instant),
}

/// By what voice is told from noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Level over the noise floor: costs nothing, and takes every loud noise for a voice.
    #[default]
    Energy,
    /// A neural network behind a lower gate: some 0.4 ms of CPU for a second of sound.
    Neural,
}

impl Kind {
    /// Its names in the configuration.
    pub const NAMES: [(&str, Self); 2] = [("energy", Self::Energy), ("neural", Self::Neural)];
}

/// One direction's detector. It decides every 10 ms.
#[derive(Debug)]
pub struct Detector {
    rate: SampleRate,
    neural: Option<Neural>,
    /// What the network says of the newest 16 ms.
    score: f32,
    /// Mean squares of up to 10 ms that is not complete yet.
    partial_squares: f32,
    partial_samples: usize,
    /// Noise floor, dBFS.
    floor_db: f32,
    speaking: bool,
    voiced_run: u32,
    silent_run: u32,
    last_voiced: Instant,
    onset_at: Instant,
    /// Speech so far.
    voiced_total: Duration,
}

impl Detector {
    /// Voice that must last so long to count as speech.
    pub const ONSET: Duration = Duration::from_millis(50);
    /// Silence that must last so long to end it.
    pub const HANGOVER: Duration = Duration::from_millis(200);
    const STEP: Duration = Duration::from_millis(10);
    /// How far above the floor voice is.
    const OVER_FLOOR_DB: f32 = 12.0;
    /// Nothing below this is voice.
    const GATE_DB: f32 = -52.0;
    /// The same where a network decides: these only keep it from inventing voices in near silence.
    const NEURAL_OVER_FLOOR_DB: f32 = 4.0;
    const NEURAL_GATE_DB: f32 = -58.0;
    /// Voice, and surely no voice (then the floor may be learnt).
    const SCORE_VOICE: f32 = 0.5;
    const SCORE_NOISE: f32 = 0.3;

    /// A detector for sound at `rate`, by its level.
    #[must_use]
    pub fn new(rate: SampleRate) -> Self {
        Self::of_kind(rate, Kind::Energy)
    }

    /// A detector for sound at `rate`.
    #[must_use]
    pub fn of_kind(rate: SampleRate, kind: Kind) -> Self {
        Self {
            rate,
            neural: if kind == Kind::Neural { Neural::new(rate) } else { None },
            score: 0.0,
            partial_squares: 0.0,
            partial_samples: 0,
            floor_db: -65.0,
            speaking: false,
            voiced_run: 0,
            silent_run: 0,
            last_voiced: Instant::ZERO,
            onset_at: Instant::ZERO,
            voiced_total: Duration::ZERO,
        }
    }

    /// The sound goes on at another rate.
    pub fn set_rate(&mut self, rate: SampleRate) {
        self.rate = rate;
        self.neural = self.neural.take().and_then(|_| Neural::new(rate));
        self.partial_squares = 0.0;
        self.partial_samples = 0;
    }

    /// Takes in a frame that ends at `at`, and its energy; gives at most one edge. What a frame holds beyond whole 10 ms
    /// counts for the first of the next one.
    pub fn add(&mut self, at: Instant, samples: &[i16], energy: &Energy) -> Option<SpeechEdge> {
        let step_samples = (self.rate.0 / 100) as usize;
        let mut edge = None;
        if let Some(neural) = &mut self.neural {
            self.score = neural.add(samples);
        }
        for (squares, samples) in energy.pieces() {
            self.partial_squares += squares;
            self.partial_samples += samples;
            if self.partial_samples >= step_samples {
                let level = crate::unit::DbFs::of_mean_square(self.partial_squares / self.partial_samples as f32).0;
                self.partial_squares = 0.0;
                self.partial_samples = 0;
                edge = self.step(at, level).or(edge);
            }
        }
        edge
    }

    /// Whether somebody speaks, hangover included.
    #[must_use]
    pub const fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// Whether the newest 10 ms held voice.
    #[must_use]
    pub const fn is_voiced_now(&self) -> bool {
        self.voiced_run > 0
    }

    /// Speech so far.
    #[must_use]
    pub const fn spoken(&self) -> Duration {
        self.voiced_total
    }

    /// When the newest voice was.
    #[must_use]
    pub const fn last_voiced(&self) -> Instant {
        self.last_voiced
    }

    fn step(&mut self, at: Instant, level_db: f32) -> Option<SpeechEdge> {
        let voiced = if self.neural.is_some() {
            let gate = (self.floor_db + Self::NEURAL_OVER_FLOOR_DB).max(Self::NEURAL_GATE_DB);
            self.score >= Self::SCORE_VOICE && level_db > gate
        } else {
            level_db > (self.floor_db + Self::OVER_FLOOR_DB).max(Self::GATE_DB)
        };
        let learns = self.neural.is_none() || self.score < Self::SCORE_NOISE;
        // The floor falls fast and rises slowly (3 dB a second), so that speech does not lift it much.
        self.floor_db = if level_db < self.floor_db {
            self.floor_db + (level_db - self.floor_db) * 0.2
        } else if !learns {
            self.floor_db
        } else {
            self.floor_db + 0.03_f32.min(level_db - self.floor_db)
        }
        .clamp(-75.0, -30.0);
        if voiced {
            self.last_voiced = at;
            self.silent_run = 0;
            self.voiced_run += 1;
            if self.voiced_run == 1 {
                self.onset_at = at;
            }
            if self.speaking {
                self.voiced_total += Self::STEP;
            } else if Self::STEP * self.voiced_run >= Self::ONSET {
                self.speaking = true;
                self.voiced_total += Self::ONSET;
                return Some(SpeechEdge::Started(self.onset_at));
            }
            return None;
        }
        self.silent_run += 1;
        // A gap of 20 ms inside a word's beginning does not start the count again.
        if self.silent_run > 2 {
            self.voiced_run = 0;
        }
        if self.speaking && Self::STEP * self.silent_run >= Self::HANGOVER {
            self.speaking = false;
            self.voiced_run = 0;
            return Some(SpeechEdge::Ended(self.last_voiced));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(detector: &mut Detector, from_ms: u64, ms: u64, amplitude: f64) -> Vec<SpeechEdge> {
        let mut edges = Vec::new();
        for frame in 0..ms / 20 {
            let mut samples = Vec::new();
            super::super::tone::sine(300.0, amplitude, SampleRate::HZ_8000, 0, 160, &mut samples);
            let energy = Energy::of(SampleRate::HZ_8000, &samples);
            edges.extend(detector.add(Instant::from_millis(from_ms + (frame + 1) * 20), &samples, &energy));
        }
        edges
    }

    #[test]
    fn speech_has_a_start_and_an_end_on_the_packets_clock() {
        let mut detector = Detector::new(SampleRate::HZ_8000);
        assert_eq!(feed(&mut detector, 0, 400, 20.0), []);
        let started = feed(&mut detector, 400, 600, 6_000.0);
        assert_eq!(started, [SpeechEdge::Started(Instant::from_millis(420))]);
        let ended = feed(&mut detector, 1_000, 400, 20.0);
        assert_eq!(ended, [SpeechEdge::Ended(Instant::from_millis(1_000))]);
        assert_eq!(detector.spoken(), Duration::from_millis(600));
    }

    #[test]
    fn a_click_is_not_speech() {
        let mut detector = Detector::new(SampleRate::HZ_8000);
        feed(&mut detector, 0, 400, 20.0);
        assert_eq!(feed(&mut detector, 400, 20, 9_000.0), []);
        assert_eq!(feed(&mut detector, 420, 400, 20.0), []);
    }

    #[test]
    fn steady_noise_stops_being_speech() {
        let mut detector = Detector::new(SampleRate::HZ_8000);
        feed(&mut detector, 0, 10_000, 120.0);
        assert!(!detector.is_speaking(), "floor should have risen to the hum");
    }
}
