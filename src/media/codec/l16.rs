//! L16: samples as they are, 16 bits in network order, mono (RFC 3551 §4.5.11, RFC 2586).
//!
//! 256 kbit/s at 16 kHz: for networks of one's own. Packets stay below an Ethernet frame.

use super::{Codec, Decode, Encode};
use crate::unit::{PayloadType, SampleRate};

pub(super) const L16: Codec = Codec {
    name: "l16",
    encoding: "L16",
    payload_type: PayloadType(116),
    rates: &[SampleRate::HZ_16000],
    clock: SampleRate::HZ_16000,
    channels: 1,
    lengths_ms: &[10, 20, 30, 40],
    silence: None,
    impairment: (0.0, 4.9),
    fmtp: |_| String::new(),
    decoder: |_| Box::new(Octets),
    encoder: |_| Box::new(Octets),
};

pub(super) const L16_8K: Codec = Codec {
    name: "l16-8k",
    payload_type: PayloadType(115),
    impairment: (0.0, 25.1),
    rates: &[SampleRate::HZ_8000],
    clock: SampleRate::HZ_8000,
    lengths_ms: super::TENS,
    ..L16
};

pub(super) const L16_24K: Codec = Codec {
    name: "l16-24k",
    payload_type: PayloadType(117),
    rates: &[SampleRate::HZ_24000],
    clock: SampleRate::HZ_24000,
    lengths_ms: &[10, 20],
    ..L16
};

#[derive(Debug)]
struct Octets;

impl Decode for Octets {
    fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        samples.extend(payload.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])));
    }
}

impl Encode for Octets {
    fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        payload.extend(samples.iter().flat_map(|sample| sample.to_be_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_byte_goes_first() {
        let mut payload = Vec::new();
        Octets.encode(&[0x0102, -2], &mut payload);
        assert_eq!(payload, [1, 2, 0xff, 0xfe]);
        let mut samples = Vec::new();
        Octets.decode(&[1, 2, 0xff, 0xfe, 9], &mut samples);
        assert_eq!(samples, [0x0102, -2], "half a sample is none");
    }
}
