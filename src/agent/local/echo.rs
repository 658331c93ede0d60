//! `echo`: says back what it heard when the caller stops. `echo:live`: loops at once.

use super::LocalAgent;
use crate::{
    agent::event::{Command, Event, Output},
    clock::Instant,
    media::dsp::vad::SpeechEdge,
    unit::SampleRate,
};
use std::{collections::VecDeque, time::Duration};

/// Silence after speech that ends the caller's turn; the detector's hangover is part of it.
pub const END_OF_SPEECH: Duration = Duration::from_millis(500);
/// Sound kept from before the detector noticed speech.
const PRE_ROLL: Duration = Duration::from_millis(250);
/// Speech kept at most.
const HEARD_MAX: Duration = Duration::from_secs(30);

/// The agent.
#[derive(Debug)]
pub struct Echo {
    live: bool,
    rate: SampleRate,
    heard: VecDeque<i16>,
    speaking: bool,
    answer_at: Instant,
    answer_samples: usize,
    out: VecDeque<Event>,
}

impl Echo {
    /// `live` loops at once instead of waiting for the caller to stop.
    #[must_use]
    pub fn new(live: bool) -> Self {
        Self {
            live,
            rate: SampleRate::HZ_8000,
            heard: VecDeque::new(),
            speaking: false,
            answer_at: Instant::FAR_FUTURE,
            answer_samples: 0,
            out: VecDeque::from([Event::Ready]),
        }
    }

    fn keep(&mut self, rate: SampleRate, samples: &[i16]) {
        self.rate = rate;
        self.heard.extend(samples);
        let busy = self.speaking || !self.answer_at.is_far_future();
        let most = rate.samples_in(if busy { HEARD_MAX } else { PRE_ROLL });
        let surplus = self.heard.len().saturating_sub(most);
        self.heard.drain(..surplus);
    }
}

impl LocalAgent for Echo {
    fn handle(&mut self, _now: Instant, command: Command<'_>) {
        match command {
            Command::Audio { rate, samples } if self.live => {
                self.out.push_back(Event::Audio { rate, samples: samples.to_vec() });
            }
            Command::Audio { rate, samples } => self.keep(rate, samples),
            Command::Speech(SpeechEdge::Started(_)) if !self.live => {
                self.speaking = true;
                self.answer_at = Instant::FAR_FUTURE;
            }
            Command::Speech(SpeechEdge::Ended(at)) if !self.live => {
                self.speaking = false;
                self.answer_at = at + END_OF_SPEECH;
                // The silence of the hangover is not said back.
                let silence = self.rate.samples_in(crate::media::dsp::vad::Detector::HANGOVER);
                self.answer_samples = self.heard.len().saturating_sub(silence);
            }
            Command::Digit(digit) => self.out.push_back(Event::Digits(digit.to_string())),
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if now < self.answer_at {
            return;
        }
        self.answer_at = Instant::FAR_FUTURE;
        let samples: Vec<i16> = self.heard.drain(..).take(self.answer_samples).collect();
        self.out.push_back(Event::EndOfSpeech);
        self.out.push_back(Event::Audio { rate: self.rate, samples });
        self.out.push_back(Event::TurnComplete);
    }

    fn timeout(&self) -> Instant {
        self.answer_at
    }

    fn poll(&mut self) -> Output {
        self.out.pop_front().map_or_else(|| Output::Timeout(self.timeout()), Output::Event)
    }
}
