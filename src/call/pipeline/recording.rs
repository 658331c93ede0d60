//! What of a call is kept, and who is told: pause and resume, the consent tone.
//!
//! While it is paused nothing of what is said or pressed is kept: silence lies in the place of the sound, and words and
//! digits are not in the journal. Whether files are written at all is the shell's business.

use super::Pipeline;
use crate::{
    call::journal::{Body, RecordingChange, RecordingState},
    clock::Instant,
    media::dsp::beep::Beep,
    unit::SampleRate,
};
use std::time::Duration;

/// The tone that says that a call is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tone {
    /// This often, first when media begin; zero never.
    pub every: Duration,
    /// The far end hears it.
    pub to_far_end: bool,
    /// Our agent hears it.
    pub to_agent: bool,
}

/// State of one call's recording.
#[derive(Debug)]
pub(super) struct Recording {
    tone: Tone,
    paused: bool,
    /// So many turns may still hold words that were said while it was paused.
    spoiled_turns: u8,
    next_tone_at: Instant,
    agent_beep: Beep,
    /// Silence, or sound with a beep in it.
    scratch: Vec<i16>,
    silence: Vec<i16>,
}

impl Recording {
    pub(super) const fn new(tone: Tone) -> Self {
        Self {
            tone,
            paused: false,
            spoiled_turns: 0,
            next_tone_at: Instant::FAR_FUTURE,
            agent_beep: Beep::new(),
            scratch: Vec::new(),
            silence: Vec::new(),
        }
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Takes out of a record what was said or typed while it is paused; true if nothing of it is to be kept.
    pub(super) fn withholds(&mut self, body: &mut Body) -> bool {
        if let Body::Turn(turn) = body {
            if self.spoiled_turns > 0 {
                turn.caller.0.clear();
                turn.agent.0.clear();
                if let Some(barge_in) = &mut turn.barge_in {
                    barge_in.generated.0.clear();
                }
                self.spoiled_turns -= u8::from(!self.paused);
            }
            return false;
        }
        if !self.paused {
            return false;
        }
        match body {
            Body::Transcript(_) => {
                // The caller's words may belong to the turn that is open, or to the next.
                self.spoiled_turns = 2;
                true
            }
            Body::Dtmf(_) => true,
            Body::Action(change) => {
                change.about.0.clear();
                false
            }
            _ => false,
        }
    }

    /// What the recording gets for these samples.
    pub(super) fn kept<'a>(&'a mut self, samples: &'a [i16]) -> &'a [i16] {
        if !self.paused {
            return samples;
        }
        if self.silence.len() < samples.len() {
            self.silence.resize(samples.len(), 0);
        }
        &self.silence[..samples.len()]
    }

    /// What the agent hears for these samples.
    pub(super) fn heard_by_agent<'a>(&'a mut self, rate: SampleRate, samples: &'a [i16]) -> &'a [i16] {
        if !self.agent_beep.is_on() {
            return samples;
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(samples);
        self.agent_beep.mix(rate, &mut self.scratch);
        &self.scratch
    }
}

impl Pipeline {
    /// Media run from now on: the first tone is due.
    pub(super) fn begin_tones(&mut self, now: Instant) {
        let recording = &mut self.recording;
        if self.settings.record && !recording.tone.every.is_zero() && recording.next_tone_at.is_far_future() {
            recording.next_tone_at = now;
        }
    }

    /// The operator pauses the recording, or goes on with it.
    pub(super) fn pause_recording(&mut self, now: Instant, paused: bool) {
        if self.recording.paused == paused {
            return;
        }
        let state = if paused { RecordingState::Paused } else { RecordingState::On };
        self.record(now, Body::Recording(RecordingChange { state }));
        self.recording.paused = paused;
    }

    /// Whether the recording is paused: captures are too.
    #[must_use]
    pub const fn is_recording_paused(&self) -> bool {
        self.recording.is_paused()
    }

    /// Begins a tone if one is due. Called with each packet that goes out.
    pub(super) fn sound_tone(&mut self, now: Instant) {
        let recording = &mut self.recording;
        if now < recording.next_tone_at || self.call.answered_at().is_none() {
            return;
        }
        recording.next_tone_at = now + recording.tone.every;
        if recording.paused {
            return;
        }
        if recording.tone.to_agent {
            recording.agent_beep.start();
        }
        if recording.tone.to_far_end
            && let Some(media) = &mut self.media
        {
            media.outbound.beep();
        }
        self.record(now, Body::Recording(RecordingChange { state: RecordingState::Tone }));
    }
}
