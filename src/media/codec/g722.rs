//! ITU-T G.722 at 64 kbit/s: 16 kHz sound in the bandwidth of G.711, by the `audio-codec` crate.
//!
//! Its RTP clock ticks at 8 kHz although the sound has 16,000 samples a second: an error of RFC 1890 that RFC 3551
//! §4.5.2 keeps for the sake of everybody who has built it since.

use super::{Codec, Decode, Encode};
use crate::unit::{PayloadType, SampleRate};
use audio_codec::{
    Decoder as _, Encoder as _,
    g722::{G722Decoder, G722Encoder},
};

pub(super) const G722: Codec = Codec {
    name: "g722",
    encoding: "G722",
    payload_type: PayloadType(9),
    rates: &[SampleRate::HZ_16000],
    clock: SampleRate::HZ_8000,
    channels: 1,
    lengths_ms: super::TENS,
    silence: None,
    impairment: (13.0, 4.9),
    fmtp: |_| String::new(),
    decoder: |_| Box::new(Subbands(G722Decoder::new())),
    encoder: |_| Box::new(Coder(G722Encoder::new())),
};

struct Subbands(G722Decoder);

impl Decode for Subbands {
    fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        // One byte is two samples.
        let start = samples.len();
        samples.resize(start + self.0.max_decode_samples(payload.len()), 0);
        let written = self.0.decode_into(payload, &mut samples[start..]).unwrap_or(0);
        samples.truncate(start + written);
    }
}

struct Coder(G722Encoder);

impl Encode for Coder {
    fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        let start = payload.len();
        payload.resize(start + self.0.max_encode_bytes(samples.len()), 0);
        let written = self.0.encode_into(samples, &mut payload[start..]).unwrap_or(0);
        payload.truncate(start + written);
    }
}

impl std::fmt::Debug for Subbands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("G722Decoder")
    }
}

impl std::fmt::Debug for Coder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("G722Encoder")
    }
}
