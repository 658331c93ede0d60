//! Opus for voice (RFC 6716, RFC 7587): mono, by the `opus-pure` crate.
//!
//! Descriptions always say `opus/48000/2` and the RTP clock ticks at 48 kHz, whatever is inside (RFC 7587 §4.1). The
//! decoder gives the rate that the agent wants and the encoder takes the rate that it speaks, so no resampler stands
//! between. A lost packet comes back from the copy in the next one (in-band FEC) if that is there and has one;
//! otherwise the decoder conceals. What a sender leaves out in silence (DTX) the decoder fills with its noise.

use super::{Codec, Decode, Encode, Wanted};
use crate::unit::{PayloadType, SampleRate};
use opus_pure::{Application, Bandwidth, OpusDecoder, OpusEncoder, Signal, packet};

pub(super) const OPUS: Codec = Codec {
    name: "opus",
    encoding: "opus",
    payload_type: PayloadType(111),
    rates: &[SampleRate::HZ_8000, SampleRate::HZ_16000, SampleRate::HZ_24000, SampleRate::HZ_48000],
    clock: SampleRate::HZ_48000,
    channels: 2,
    // 30 and 50 ms are no lengths of an Opus packet (RFC 6716 §2.1.4).
    lengths_ms: &[10, 20, 40, 60],
    silence: None,
    impairment: (0.0, 15.0),
    fmtp: |rate| format!("maxplaybackrate={};stereo=0;sprop-stereo=0;useinbandfec=1", rate.0),
    decoder: |rate| match OpusDecoder::new(signed(rate), 1) {
        Ok(decoder) => Box::new(Unpacker { decoder, rate }),
        Err(_) => Box::new(Mute),
    },
    encoder: |wanted| match encoder(wanted) {
        Some(encoder) => Box::new(Packer(encoder)),
        None => Box::new(Mute),
    },
};

/// Bits a second when the far end sets no limit: speech up to 12 kHz, the copies of FEC included.
const BITRATE: i32 = 32_000;
/// Effort of the encoder, 0 to 10: speech hardly gains above it, and time doubles.
const COMPLEXITY: i32 = 5;
/// Longest packet that we make: a second at the highest rate of a mono stream is never near it.
const PACKET_MAX: usize = 1_275;
/// A packet of two bytes or less holds nothing (DTX): it need not be sent (RFC 7587 §3.1.3).
const NOTHING: usize = 2;

fn signed(rate: SampleRate) -> i32 {
    i32::try_from(rate.0).unwrap_or(0)
}

/// What the far end says about itself (RFC 7587 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parameters {
    max_playback_hz: u32,
    max_average_bitrate: Option<i32>,
    fec: bool,
    dtx: bool,
    constant: bool,
}

impl Parameters {
    fn parse(fmtp: &str) -> Self {
        let mut read =
            Self { max_playback_hz: 48_000, max_average_bitrate: None, fec: false, dtx: false, constant: false };
        for (name, value) in fmtp.split(';').filter_map(|parameter| parameter.split_once('=')) {
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "maxplaybackrate" => read.max_playback_hz = value.parse().unwrap_or(48_000),
                "maxaveragebitrate" => read.max_average_bitrate = value.parse().ok(),
                "useinbandfec" => read.fec = value == "1",
                "usedtx" => read.dtx = value == "1",
                "cbr" => read.constant = value == "1",
                _ => {}
            }
        }
        read
    }
}

fn encoder(wanted: &Wanted<'_>) -> Option<OpusEncoder> {
    let far = Parameters::parse(wanted.fmtp);
    let mut encoder = OpusEncoder::new(signed(wanted.rate), 1, Application::Voip).ok()?;
    encoder.bitrate_bps = far.max_average_bitrate.unwrap_or(BITRATE).clamp(6_000, BITRATE);
    encoder.complexity = COMPLEXITY;
    encoder.signal_type = Some(Signal::Voice);
    encoder.use_inband_fec = far.fec;
    // Copies cost bits that clean networks have a better use for: they come with the first report of loss.
    encoder.packet_loss_perc = 0;
    encoder.use_dtx = far.dtx;
    if far.constant {
        encoder.rate_control = opus_pure::RateControl::Cbr;
    }
    encoder.max_bandwidth = match far.max_playback_hz.min(wanted.rate.0) {
        0..=8_000 => Bandwidth::Narrowband,
        8_001..=12_000 => Bandwidth::Mediumband,
        12_001..=16_000 => Bandwidth::Wideband,
        16_001..=24_000 => Bandwidth::Superwideband,
        _ => Bandwidth::Fullband,
    };
    Some(encoder)
}

#[derive(Debug)]
struct Packer(OpusEncoder);

impl Encode for Packer {
    fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        let start = payload.len();
        payload.resize(start + PACKET_MAX, 0);
        let length = self.0.encode_s16(samples, samples.len(), &mut payload[start..]).unwrap_or(0);
        payload.truncate(start + if length <= NOTHING { 0 } else { length });
    }

    #[expect(clippy::cast_possible_truncation, reason = "clamped")]
    fn expect_loss(&mut self, percent: f32) {
        if self.0.use_inband_fec {
            self.0.packet_loss_perc = percent.clamp(0.0, 50.0).ceil() as i32;
        }
    }
}

#[derive(Debug)]
struct Unpacker {
    decoder: OpusDecoder,
    rate: SampleRate,
}

impl Decode for Unpacker {
    fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>) {
        let Ok(count) = packet::samples(payload, signed(self.rate)) else { return };
        let start = samples.len();
        samples.resize(start + count, 0);
        // What cannot be decoded stays the silence that it is.
        let _ = self.decoder.decode_s16(payload, count, &mut samples[start..]);
    }

    fn conceal(&mut self, count: usize, next: Option<&[u8]>, samples: &mut Vec<i16>) -> bool {
        let start = samples.len();
        samples.resize(start + count, 0);
        // Concealment knows whole 2.5 ms only; the rest, of a stream with odd timestamps, is silence.
        let step = (self.rate.0 / 400) as usize;
        let whole = count / step * step;
        if whole == 0 {
            return true;
        }
        let made = &mut samples[start..start + whole];
        let _ = match next.filter(|next| !next.is_empty()) {
            Some(next) => self.decoder.decode_fec_s16(next, whole, made),
            None => self.decoder.decode_s16(&[], whole, made),
        };
        true
    }
}

/// Stands where the crate refused a rate, which the table's rates exclude.
#[derive(Debug)]
struct Mute;

impl Decode for Mute {
    fn decode(&mut self, _payload: &[u8], _samples: &mut Vec<i16>) {}
}

impl Encode for Mute {
    fn encode(&mut self, _samples: &[i16], _payload: &mut Vec<u8>) {}
}
