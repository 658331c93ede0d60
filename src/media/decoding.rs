//! Payload to samples: the codecs that the far end may use, the one that it uses, and what takes the place of missing
//! sound.
//!
//! Owns a decoder for each codec that was heard, the concealment of those that have none of their own, and comfort
//! noise (RFC 3389). Does not know packets, order or time. Called by `media::inbound`.

use super::{
    codec::{Codec, Decode},
    dsp::{noise::ComfortNoise, plc::Concealer},
};
use crate::unit::{PayloadType, SampleRate};

/// One direction's decoders.
#[derive(Debug)]
pub struct Decoding {
    /// What the listener would like to hear, of codecs that leave the choice.
    wanted: SampleRate,
    current: usize,
    voices: Vec<Voice>,
    noise: Option<ComfortNoise>,
    /// The last sound was noise, or a pause that it fills.
    in_noise: bool,
}

/// One codec as it is heard.
#[derive(Debug)]
struct Voice {
    payload_type: PayloadType,
    codec: &'static Codec,
    rate: SampleRate,
    decoder: Box<dyn Decode>,
    /// Beside a decoder that does not conceal itself.
    concealer: Option<Concealer>,
}

impl Voice {
    fn new(payload_type: PayloadType, codec: &'static Codec, wanted: SampleRate) -> Self {
        let rate = codec.rate_for(wanted);
        let decoder = codec.decoder(rate);
        let concealer = (!decoder.conceals()).then(|| Concealer::new(rate));
        Self { payload_type, codec, rate, decoder, concealer }
    }
}

impl Decoding {
    /// Starts with `codec`; the others are made when they are first heard.
    #[must_use]
    pub fn new(payload_type: PayloadType, codec: &'static Codec, wanted: SampleRate) -> Self {
        Self { wanted, current: 0, voices: vec![Voice::new(payload_type, codec, wanted)], noise: None, in_noise: false }
    }

    /// Rate of the samples now.
    #[must_use]
    pub fn rate(&self) -> SampleRate {
        self.voices[self.current].rate
    }

    /// The codec now.
    #[must_use]
    pub fn codec(&self) -> &'static Codec {
        self.voices[self.current].codec
    }

    /// The sender uses this codec from here on; true if the rate of the samples changes with it.
    pub fn use_codec(&mut self, payload_type: PayloadType, codec: &'static Codec) -> bool {
        let now = &self.voices[self.current];
        if now.payload_type == payload_type && now.codec == codec {
            return false;
        }
        let before = now.rate;
        let known = self.voices.iter().position(|voice| voice.codec == codec);
        self.current = known.unwrap_or(self.voices.len());
        match known {
            Some(known) => self.voices[known].payload_type = payload_type,
            // At most one for each row of the table.
            None => self.voices.push(Voice::new(payload_type, codec, self.wanted)),
        }
        self.voices[self.current].rate != before
    }

    /// Appends the samples of `payload`, softening the seam behind what was made up.
    pub fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        self.in_noise = false;
        let start = samples.len();
        let voice = &mut self.voices[self.current];
        voice.decoder.decode(payload, samples);
        if let Some(concealer) = &mut voice.concealer {
            concealer.good(&mut samples[start..]);
        }
    }

    /// Appends `count` samples in place of lost ones; `next` is the packet behind the gap, if it is there.
    pub fn conceal(&mut self, count: usize, next: Option<(PayloadType, &[u8])>, samples: &mut Vec<i16>) {
        let voice = &mut self.voices[self.current];
        let next = next.filter(|(payload_type, _)| *payload_type == voice.payload_type).map(|(_, payload)| payload);
        match &mut voice.concealer {
            Some(concealer) => concealer.conceal(count, samples),
            None => voice.decoder.conceal(count, next, samples),
        }
    }

    /// Appends `count` samples of a pause that the sender makes: its comfort noise, or what concealment fades into.
    pub fn pause(&mut self, count: usize, samples: &mut Vec<i16>) {
        match &mut self.noise {
            Some(noise) if self.in_noise => noise.make(count, samples),
            _ => self.conceal(count, None, samples),
        }
    }

    /// The sender falls silent and says how its silence sounds. False if it does not say.
    pub fn begin_noise(&mut self, payload: &[u8]) -> bool {
        let Some(described) = ComfortNoise::parse(payload) else { return false };
        match &mut self.noise {
            Some(noise) => noise.become_like(&described),
            slot => *slot = Some(described),
        }
        self.in_noise = true;
        true
    }
}
