//! Between a device's clock and the call's: rate conversion that follows how full the buffer is.
//!
//! Owns two rings of samples, each with a converter of rubato's whose ratio is nudged by at most half a per cent, so that a
//! device whose clock runs wrong neither runs dry nor falls behind. The device's side (a ring's other end) is `sound`'s.

use crate::{
    agent::local::handset::{Ends, RATE},
    unit::SampleRate,
};
use audioadapter_buffers::direct::SequentialSlice;
use rtrb::{Consumer, Producer};
use rubato::{
    Adjustable as _, Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

/// Milliseconds that wait for the call, and for the loudspeaker: a call's packets come less evenly.
const MIC_MS: u32 = 40;
const SPEAKER_MS: u32 = 80;
/// More than this is from before a standstill.
const WAITING_MAX_MS: u32 = 300;
/// Samples of a ring, of a device of 192 kHz too.
pub(super) const RING: usize = 192_000;
/// Half a per cent is not heard, and no clock runs wronger.
const NUDGE_MAX: f64 = 0.005;

fn converter(from: u32, to: u32, chunk: usize, fixed: FixedAsync) -> Option<Async<f32>> {
    let ratio = f64::from(to) / f64::from(from.max(1));
    let parameters = SincInterpolationParameters {
        sinc_len: 64,
        f_cutoff: Some(0.9),
        interpolation: SincInterpolationType::Linear,
        oversampling_factor: 128,
        window: WindowFunction::Blackman,
    };
    Async::new_sinc(ratio, 1.1, &parameters, chunk, 1, fixed).ok()
}

/// How much the ratio is nudged where so many samples wait and `target` should.
fn nudge(waiting: usize, target: u32, rate: u32) -> f64 {
    let too_many = waiting as f64 - f64::from(target);
    // A tenth of the error each second.
    (too_many / f64::from(rate.max(1)) * 0.1).clamp(-NUDGE_MAX, NUDGE_MAX)
}

/// Runs `converter` over `input`; what came out is in `output` from its beginning.
fn convert(converter: &mut Async<f32>, input: &[f32], output: &mut [f32]) -> usize {
    let room = output.len();
    let source = SequentialSlice::new(input, 1, input.len());
    let sink = SequentialSlice::new_mut(output, 1, room);
    let (Ok(source), Ok(mut sink)) = (source, sink) else { return 0 };
    converter.process_into_buffer(&source, &mut sink, None).map_or(0, |(_, written)| written)
}

/// From the microphone to the call.
pub(super) struct Mic {
    ring: Consumer<f32>,
    rate: u32,
    converter: Option<Async<f32>>,
    input: Vec<f32>,
    output: Vec<f32>,
    /// Enough has waited once.
    flows: bool,
}

impl Mic {
    pub(super) fn new(ring: Consumer<f32>, rate: u32) -> Self {
        let chunk = (RATE.0 / 50) as usize;
        let converter = converter(rate, RATE.0, chunk, FixedAsync::Output);
        let (inputs, outputs) = converter
            .as_ref()
            .map_or((0, 0), |converter| (converter.input_frames_max(), converter.output_frames_max()));
        Self { ring, rate, converter, input: Vec::with_capacity(inputs), output: vec![0.0; outputs], flows: false }
    }

    #[expect(clippy::cast_possible_truncation, reason = "clamped to 16 bits")]
    fn next(&mut self, samples: &mut Vec<i16>) {
        samples.clear();
        samples.resize((RATE.0 / 50) as usize, 0);
        let Some(converter) = &mut self.converter else { return };
        let target = self.rate / 1_000 * MIC_MS;
        if self.ring.slots() > (self.rate / 1_000 * WAITING_MAX_MS) as usize {
            let surplus = self.ring.slots() - target as usize;
            if let Ok(old) = self.ring.read_chunk(surplus) {
                old.commit_all();
            }
        }
        let waiting = self.ring.slots();
        self.flows |= waiting >= target as usize;
        // More input for the same output is a smaller ratio.
        let _ = converter.set_resample_ratio_relative(1.0 - nudge(waiting, target, self.rate), true);
        let needed = converter.input_frames_next();
        if !self.flows || waiting < needed {
            self.flows = false;
            return;
        }
        self.input.clear();
        self.input.extend(std::iter::from_fn(|| self.ring.pop().ok()).take(needed));
        let written = convert(converter, &self.input, &mut self.output);
        for (sample, value) in samples.iter_mut().zip(&self.output[..written]) {
            *sample = (value * 32_767.0).clamp(-32_768.0, 32_767.0) as i16;
        }
    }
}

/// From the call to the loudspeaker.
pub(super) struct Speaker {
    ring: Producer<f32>,
    rate: u32,
    converter: Option<(SampleRate, Async<f32>)>,
    /// Less than a chunk that waits for more.
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Speaker {
    pub(super) const fn new(ring: Producer<f32>, rate: u32) -> Self {
        Self { ring, rate, converter: None, input: Vec::new(), output: Vec::new() }
    }

    fn take(&mut self, rate: SampleRate, samples: &[i16]) {
        // 10 ms.
        let chunk = (rate.0 / 100) as usize;
        if self.converter.as_ref().is_none_or(|(of, _)| *of != rate) {
            self.input.clear();
            self.converter = converter(rate.0, self.rate, chunk, FixedAsync::Input).map(|converter| (rate, converter));
        }
        let Some((_, converter)) = &mut self.converter else { return };
        self.output.resize(converter.output_frames_max(), 0.0);
        self.input.extend(samples.iter().map(|sample| f32::from(*sample) / 32_768.0));
        let target = self.rate / 1_000 * SPEAKER_MS;
        while self.input.len() >= chunk {
            let waiting = RING - self.ring.slots();
            if waiting == 0 {
                // It begins, or ran dry: what comes next may be late too.
                for _ in 0..target {
                    let _ = self.ring.push(0.0);
                }
            }
            if waiting <= (self.rate / 1_000 * WAITING_MAX_MS) as usize {
                let _ = converter.set_resample_ratio_relative(1.0 - nudge(waiting, target, self.rate), true);
                let written = convert(converter, &self.input[..chunk], &mut self.output);
                for value in &self.output[..written] {
                    let _ = self.ring.push(*value);
                }
            }
            self.input.drain(..chunk);
        }
    }
}

/// A person's devices.
pub(super) struct Desk {
    pub(super) mic: Mic,
    pub(super) speaker: Speaker,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Desk").field("mic", &self.mic.rate).field("speaker", &self.speaker.rate).finish()
    }
}

impl Ends for Desk {
    fn spoken(&mut self, samples: &mut Vec<i16>) {
        self.mic.next(samples);
    }

    fn play(&mut self, rate: SampleRate, samples: &[i16]) {
        self.speaker.take(rate, samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::tone::share_at;

    /// A tone of 1 kHz as a device of this rate has it.
    fn wave(rate: f64, n: usize) -> f32 {
        #[expect(clippy::cast_possible_truncation, reason = "a sample")]
        let sample = (n as f64 / rate * 1_000.0 * std::f64::consts::TAU).sin() as f32;
        sample * 0.3
    }

    #[test]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of samples")]
    fn a_device_whose_clock_runs_wrong_leaves_no_hole_and_no_growing_delay() {
        for (rate, ppm) in [(48_000_u32, 500.0), (44_100, -500.0), (16_000, 0.0)] {
            let (mut device, ring) = rtrb::RingBuffer::new(RING);
            let mut mic = Mic::new(ring, rate);
            let (ring, mut loudspeaker) = rtrb::RingBuffer::new(RING);
            let mut speaker = Speaker::new(ring, rate);
            let real = f64::from(rate) * (1.0 + ppm / 1e6);
            let (mut given, mut taken, mut dry) = (0_usize, 0_usize, 0);
            let (mut heard, mut played, mut said) = (Vec::new(), Vec::new(), Vec::new());
            for tick in 1..3_000_u32 {
                // What the device does in 20 ms.
                let until = (f64::from(tick) * 0.02 * real) as usize;
                while given < until {
                    let _ = device.push(wave(real, given));
                    given += 1;
                }
                mic.next(&mut said);
                assert_eq!(said.len(), 320);
                let call: Vec<i16> =
                    (0..160).map(|n| (wave(8_000.0, (tick as usize - 1) * 160 + n) * 32_767.0) as i16).collect();
                speaker.take(SampleRate::HZ_8000, &call);
                while taken < until {
                    taken += 1;
                    match loudspeaker.pop() {
                        Ok(value) if tick > 2_500 => played.push((value * 32_767.0) as i16),
                        Ok(_) => {}
                        Err(_) => dry += u32::from(tick > 50),
                    }
                }
                if tick > 2_500 {
                    heard.extend_from_slice(&said);
                }
                if tick > 500 {
                    let waiting = [mic.ring.slots(), loudspeaker.slots()];
                    assert!(waiting.iter().all(|n| *n < rate as usize / 5), "{rate} Hz, {ppm} ppm: {waiting:?}");
                }
            }
            assert_eq!(dry, 0, "{rate} Hz, {ppm} ppm: the loudspeaker ran dry");
            // Counted in the device's samples, which are more or fewer a second than it says.
            let pitch = 1_000.0 * f64::from(rate) / real;
            for (of, sound, pitch) in [(RATE, &heard, 1_000.0), (SampleRate(rate), &played, pitch)] {
                let shares = sound.chunks_exact(of.0 as usize / 10).map(|part| share_at(pitch, of, part));
                let least = shares.fold(1.0, f64::min);
                assert!(least > 0.98, "{rate} Hz, {ppm} ppm: {least:.3} of the sound at {} is the tone", of.0);
            }
        }
    }
}
