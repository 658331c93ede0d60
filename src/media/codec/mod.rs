//! The codecs that calls may use: one table, one file per row.
//!
//! Called by `media::{inbound,outbound}` for sound and by `sip::sdp` users for names and payload types.

mod g711;

use crate::unit::{PayloadType, SampleRate};

/// How a codec turns payload into 16-bit samples and back.
#[derive(Clone, Copy)]
pub struct Codec {
    /// Encoding name in SDP, lower case (RFC 3551 §6); also the value of `--codec`.
    pub name: &'static str,
    /// The static payload type (RFC 3551 table 4).
    pub payload_type: PayloadType,
    /// Sampling rate of the sound.
    pub rate: SampleRate,
    /// RTP clock.
    pub clock: SampleRate,
    /// Payload that decodes to silence.
    pub silence: u8,
    /// Equipment impairment and packet-loss robustness with concealment (G.113 Appendix I).
    pub impairment: (f32, f32),
    decode: fn(&[u8], &mut Vec<i16>),
    encode: fn(&[i16], &mut Vec<u8>),
}

impl Codec {
    /// Appends the samples of `payload`.
    pub fn decode(&self, payload: &[u8], samples: &mut Vec<i16>) {
        (self.decode)(payload, samples);
    }

    /// Appends the payload of `samples`.
    pub fn encode(&self, samples: &[i16], payload: &mut Vec<u8>) {
        (self.encode)(samples, payload);
    }

    /// Bytes of payload that hold `samples` samples; one byte a sample for all rows so far.
    #[must_use]
    pub const fn payload_bytes(&self, samples: usize) -> usize {
        samples
    }
}

impl std::fmt::Debug for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Codec {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Codec {}

/// All codecs, in our order of preference.
pub static CODECS: &[Codec] = &[g711::PCMU, g711::PCMA];

/// The row called `name`, in any case.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Codec> {
    CODECS.iter().find(|codec| codec.name.eq_ignore_ascii_case(name))
}

/// The row with the static payload type `payload_type`.
#[must_use]
pub fn by_payload_type(payload_type: PayloadType) -> Option<&'static Codec> {
    CODECS.iter().find(|codec| codec.payload_type == payload_type)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small numbers of tests")]
mod tests {
    use super::*;

    #[test]
    fn every_codec_keeps_a_sine_recognisable_and_silence_silent() {
        for codec in CODECS {
            let sine: Vec<i16> = (0..160).map(|n| ((n as f32 * 0.3).sin() * 12_000.0) as i16).collect();
            let (mut payload, mut back) = (Vec::new(), Vec::new());
            codec.encode(&sine, &mut payload);
            codec.decode(&payload, &mut back);
            assert_eq!(payload.len(), codec.payload_bytes(sine.len()));
            let worst = sine.iter().zip(&back).map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs()).max();
            assert!(worst < Some(600), "{}: {worst:?}", codec.name);
            let mut silence = Vec::new();
            codec.decode(&[codec.silence], &mut silence);
            assert!(silence[0].abs() <= 8, "{}", codec.name);
            assert_eq!(by_name(&codec.name.to_uppercase()), Some(codec));
            assert_eq!(by_payload_type(codec.payload_type), Some(codec));
        }
    }
}
