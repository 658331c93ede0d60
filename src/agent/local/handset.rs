//! `dial --mic`: a person with a microphone and a loudspeaker takes part in the call.
//!
//! Owns the rhythm (20 ms of the microphone at a time) and the echo guard: while the far end speaks from a loudspeaker,
//! and as long as the room may still sound, the microphone is silent. So both cannot speak at once; with a headset the
//! guard is not needed. Knows no devices: they are [`Ends`], which `cli::devices` opens.

use super::LocalAgent;
use crate::{
    agent::event::{Command, Event, Output},
    clock::Instant,
    media::dsp::level::sum_of_squares,
    unit::{DbFs, SampleRate},
};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

/// Rate at which a person speaks here.
pub const RATE: SampleRate = SampleRate::HZ_16000;
/// Taken from the microphone at once.
const FRAME: Duration = Duration::from_millis(20);
/// Further behind than this nothing is caught up with.
const BEHIND_MAX: Duration = Duration::from_millis(200);
/// The microphone opens so long after the far end was loud: the device's buffer, and the room.
const GUARDED: Duration = Duration::from_millis(350);
/// This loud is a voice.
const LOUD: DbFs = DbFs(-45.0);

/// What a person speaks into and hears from.
pub trait Ends: std::fmt::Debug + Send {
    /// Replaces `samples` by the next 20 ms of the microphone at [`RATE`]; silence if there is none.
    fn spoken(&mut self, samples: &mut Vec<i16>);

    /// Takes sound of the call for the loudspeaker.
    fn play(&mut self, rate: SampleRate, samples: &[i16]);
}

/// How loud both are, for a display: whole dBFS of the newest 20 ms.
#[derive(Debug)]
pub struct Meters {
    spoken: AtomicI32,
    played: AtomicI32,
    guarded: AtomicI32,
}

impl Default for Meters {
    fn default() -> Self {
        let silent = || AtomicI32::new(-100);
        Self { spoken: silent(), played: silent(), guarded: AtomicI32::new(0) }
    }
}

impl Meters {
    /// Microphone and loudspeaker in dBFS, and whether the guard keeps the microphone silent.
    #[must_use]
    pub fn read(&self) -> (i32, i32, bool) {
        let [spoken, played, guarded] =
            [&self.spoken, &self.played, &self.guarded].map(|value| value.load(Ordering::Relaxed));
        (spoken, played, guarded != 0)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a level")]
fn level(samples: &[i16]) -> DbFs {
    DbFs::of_mean_square((f64::from(sum_of_squares(samples)) / samples.len().max(1) as f64) as f32)
}

/// The agent.
#[derive(Debug)]
pub struct Handset {
    ends: Box<dyn Ends>,
    meters: Arc<Meters>,
    /// Both may speak at once.
    headset: bool,
    next_at: Instant,
    guarded_until: Instant,
    samples: Vec<i16>,
    out: VecDeque<Event>,
}

impl Handset {
    /// A person at `ends`; with a `headset` the echo guard is off.
    #[must_use]
    pub fn new(ends: Box<dyn Ends>, meters: Arc<Meters>, headset: bool) -> Self {
        Self {
            ends,
            meters,
            headset,
            next_at: Instant::FAR_FUTURE,
            guarded_until: Instant::ZERO,
            samples: Vec::new(),
            out: VecDeque::from([Event::Ready]),
        }
    }
}

impl LocalAgent for Handset {
    #[expect(clippy::cast_possible_truncation, reason = "whole decibels")]
    fn handle(&mut self, now: Instant, command: Command<'_>) {
        match command {
            Command::Start => self.next_at = now,
            Command::Audio { rate, samples } => {
                let level = level(samples);
                self.meters.played.store(level.0 as i32, Ordering::Relaxed);
                if level.0 > LOUD.0 {
                    self.guarded_until = now + GUARDED;
                }
                self.ends.play(rate, samples);
            }
            _ => {}
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "whole decibels")]
    fn handle_timeout(&mut self, now: Instant) {
        if self.next_at.is_far_future() {
            return;
        }
        if now.since(self.next_at) > BEHIND_MAX {
            self.next_at = now;
        }
        while self.next_at <= now {
            self.next_at += FRAME;
            self.ends.spoken(&mut self.samples);
            self.meters.spoken.store(level(&self.samples).0 as i32, Ordering::Relaxed);
            let guarded = !self.headset && now < self.guarded_until;
            self.meters.guarded.store(i32::from(guarded), Ordering::Relaxed);
            if guarded {
                self.samples.fill(0);
            }
            self.out.push_back(Event::Audio { rate: RATE, samples: self.samples.clone() });
        }
    }

    fn timeout(&self) -> Instant {
        self.next_at
    }

    fn poll(&mut self) -> Output {
        self.out.pop_front().map_or_else(|| Output::Timeout(self.timeout()), Output::Event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A microphone that always hears somebody.
    #[derive(Debug, Default)]
    struct Room(Arc<Mutex<Vec<i16>>>);

    impl Ends for Room {
        fn spoken(&mut self, samples: &mut Vec<i16>) {
            samples.clear();
            samples.resize(320, 5_000);
        }

        fn play(&mut self, _rate: SampleRate, samples: &[i16]) {
            self.0.lock().unwrap().extend_from_slice(samples);
        }
    }

    /// Five seconds, of which the far end speaks the second one: for each 20 ms whether the person is heard.
    fn heard(headset: bool) -> Vec<bool> {
        let played = Arc::new(Mutex::new(Vec::new()));
        let meters = Arc::new(Meters::default());
        let mut handset = Handset::new(Box::new(Room(Arc::clone(&played))), Arc::clone(&meters), headset);
        assert_eq!(handset.poll(), Output::Event(Event::Ready));
        assert!(handset.timeout().is_far_future(), "nothing before the answer");
        handset.handle(Instant::ZERO, Command::Start);
        let mut heard = Vec::new();
        for n in 0..250_u64 {
            let now = Instant::ZERO + FRAME * u32::try_from(n).unwrap();
            let far = if (50..100).contains(&n) { [8_000; 160] } else { [3; 160] };
            handset.handle(now, Command::Audio { rate: SampleRate::HZ_8000, samples: &far });
            assert!(handset.timeout() <= now);
            handset.handle_timeout(now);
            while let Output::Event(event) = handset.poll() {
                let Event::Audio { rate, samples } = event else { panic!("{event:?}") };
                assert_eq!((rate, samples.len()), (RATE, 320));
                heard.push(samples[0] != 0);
            }
            if n == 75 {
                assert_eq!(meters.read(), (-16, -12, !headset));
            }
        }
        assert_eq!(played.lock().unwrap().len(), 250 * 160, "all that the far end says is played");
        heard
    }

    #[test]
    fn while_the_far_end_speaks_the_microphone_is_silent_and_a_moment_longer() {
        let heard = heard(false);
        assert_eq!(heard.len(), 250);
        let silent: Vec<usize> = (0..250).filter(|n| !heard[*n]).collect();
        assert_eq!((silent[0], silent[silent.len() - 1], silent.len()), (50, 116, 67));
    }

    #[test]
    fn with_a_headset_both_may_speak() {
        assert!(heard(true).iter().all(|heard| *heard));
    }

    #[test]
    fn after_a_standstill_nothing_is_caught_up_with() {
        let mut handset = Handset::new(Box::new(Room::default()), Arc::default(), false);
        handset.handle(Instant::ZERO, Command::Start);
        handset.handle_timeout(Instant::from_millis(5_000));
        let frames = std::iter::from_fn(|| match handset.poll() {
            Output::Event(event) => Some(event),
            Output::Timeout(_) => None,
        });
        assert_eq!(frames.filter(|event| matches!(event, Event::Audio { .. })).count(), 1);
    }
}
