//! Sound that waits to be sent, and the encoder behind it.
//!
//! Where one byte is one sample (G.711) sound waits encoded: a second is 8 KB. Codecs that keep something from packet
//! to packet encode at the moment of sending, because what the far end hears (silence, a cut turn, a digit) decides
//! what comes next: their sound waits as samples. Called by `media::outbound`.

use super::{
    codec::{Codec, Decode, Encode, Wanted},
    dsp::{beep::Beep, resample::Resampler},
};
use crate::unit::SampleRate;
use std::collections::VecDeque;

/// One direction's encoder and its queue.
#[derive(Debug)]
pub struct Encoding {
    codec: &'static Codec,
    rate: SampleRate,
    encoder: Box<dyn Encode>,
    /// Of codecs whose sound waits encoded: what waits is read back when it is cut, and when it is sent.
    decoder: Option<Box<dyn Decode>>,
    /// Encoded sound that waits, if `codec.silence` says that it can.
    coded: VecDeque<u8>,
    /// Samples that wait otherwise.
    plain: VecDeque<i16>,
    /// What a cut left to fade.
    fade: Vec<i16>,
    /// The packet that is being made.
    payload: Vec<u8>,
    played: Vec<i16>,
}

impl Encoding {
    /// An empty queue before an encoder for `rate`, one of the codec's; `fmtp` is what the far end said of itself.
    #[must_use]
    pub fn new(codec: &'static Codec, rate: SampleRate, fmtp: &str) -> Self {
        Self {
            codec,
            rate,
            encoder: codec.encoder(&Wanted { rate, fmtp }),
            decoder: codec.silence.map(|_| codec.decoder(rate)),
            coded: VecDeque::new(),
            plain: VecDeque::new(),
            fade: Vec::new(),
            payload: Vec::new(),
            played: Vec::new(),
        }
    }

    /// Rate of the sound that waits.
    #[must_use]
    pub const fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Samples that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.coded.len() + self.plain.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.coded.is_empty() && self.plain.is_empty()
    }

    /// Puts `samples` at the queue's rate in line.
    pub fn push(&mut self, samples: &[i16]) {
        if self.codec.silence.is_some() {
            self.payload.clear();
            self.encoder.encode(samples, &mut self.payload);
            self.coded.extend(&self.payload);
        } else {
            self.plain.extend(samples);
        }
    }

    /// Throws away what waits; if `audible`, its first 5 ms fade with the next silent packet, because a step clicks.
    pub fn cut(&mut self, audible: bool) {
        self.pause(audible);
        self.coded.clear();
        self.plain.clear();
    }

    /// The next packets are silent, though sound waits; if `audible`, its first 5 ms fade with the first of them.
    pub fn pause(&mut self, audible: bool) {
        self.fade.clear();
        if audible {
            let span = (self.rate.0 / 200) as usize;
            if let Some(decoder) = &mut self.decoder {
                let first = self.coded.len().min(span);
                decoder.decode(&self.coded.make_contiguous()[..first], &mut self.fade);
            } else {
                self.fade.extend(self.plain.iter().take(span));
            }
        }
    }

    /// Begins a packet with up to `count` samples that wait; gives how many it took.
    pub fn begin(&mut self, count: usize) -> usize {
        self.payload.clear();
        self.played.clear();
        let take = count.min(self.len());
        if self.codec.silence.is_some() {
            self.payload.extend(self.coded.drain(..take));
        } else {
            self.played.extend(self.plain.drain(..take));
        }
        take
    }

    /// Begins a packet of silence, with what a cut left to fade.
    pub fn begin_silence(&mut self) {
        self.payload.clear();
        self.played.clear();
        let count = i32::try_from(self.fade.len()).unwrap_or(1).max(1);
        for (n, sample) in (0..count).zip(&mut self.fade) {
            *sample = i16::try_from(i32::from(*sample) * (count - n) / count).unwrap_or(0);
        }
        if self.codec.silence.is_some() {
            self.encoder.encode(&self.fade, &mut self.payload);
        } else {
            self.played.extend_from_slice(&self.fade);
        }
        self.fade.clear();
    }

    /// Fills the packet up to `count` samples with silence, mixes a beep in that is on its way, and encodes it.
    pub fn finish(&mut self, count: usize, beep: &mut Beep) {
        if let Some(silence) = self.codec.silence {
            self.payload.resize(count, silence);
            if let Some(decoder) = &mut self.decoder {
                decoder.decode(&self.payload, &mut self.played);
            }
            if beep.is_on() {
                beep.mix(self.rate, &mut self.played);
                self.payload.clear();
                self.encoder.encode(&self.played, &mut self.payload);
            }
        } else {
            self.played.resize(count, 0);
            beep.mix(self.rate, &mut self.played);
            self.encoder.encode(&self.played, &mut self.payload);
        }
    }

    /// A packet of what `fill` puts in, in the place of what waits.
    pub fn instead(&mut self, fill: impl FnOnce(&mut Vec<i16>)) {
        self.payload.clear();
        self.played.clear();
        fill(&mut self.played);
        self.encoder.encode(&self.played, &mut self.payload);
    }

    /// A packet of another leg's sound: its payload as it came, or, if that is empty, its samples.
    /// A beep that is on its way is mixed in.
    pub fn pass(&mut self, payload: &[u8], samples: &[i16], beep: &mut Beep) {
        self.payload.clear();
        self.played.clear();
        self.played.extend_from_slice(samples);
        if payload.is_empty() || beep.is_on() {
            beep.mix(self.rate, &mut self.played);
            self.encoder.encode(&self.played, &mut self.payload);
        } else {
            self.payload.extend_from_slice(payload);
        }
    }

    /// A packet without sound of ours goes out in this one's place.
    pub fn skip(&mut self, count: usize) {
        self.played.clear();
        self.played.resize(count, 0);
    }

    /// Payload of the packet; empty if there is nothing to send.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Lends the payload; [`Self::give_back`] saves making another.
    pub fn take_payload(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.payload)
    }

    /// Takes back what [`Self::take_payload`] lent.
    pub fn give_back(&mut self, payload: Vec<u8>) {
        self.payload = payload;
    }

    /// Samples of the packet.
    #[must_use]
    pub fn played(&self) -> &[i16] {
        &self.played
    }

    /// The far end loses so many packets in a hundred.
    pub fn expect_loss(&mut self, percent: f32) {
        self.encoder.expect_loss(percent);
    }

    /// Goes on with another codec; what waits is kept, at its rate.
    pub fn change(&mut self, codec: &'static Codec, rate: SampleRate, fmtp: &str) {
        let mut next = Self::new(codec, rate, fmtp);
        let mut waiting = Vec::with_capacity(self.len());
        if let Some(decoder) = &mut self.decoder {
            decoder.decode(self.coded.make_contiguous(), &mut waiting);
        }
        waiting.extend(&self.plain);
        match Resampler::new(self.rate, rate) {
            Ok(mut resampler) if rate != self.rate => {
                let mut converted = Vec::new();
                resampler.process(&waiting, &mut converted);
                next.push(&converted);
            }
            Ok(_) => next.push(&waiting),
            // No such pair is in the table.
            Err(_) => {}
        }
        *self = next;
    }
}
