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
    // Not in G.113: near AMR-WB at the same rate, whose concealment is of the same kind.
    impairment: (5.0, 12.0),
    fmtp: |rate| format!("maxplaybackrate={};stereo=0;sprop-stereo=0;useinbandfec=1", rate.0),
    decoder: |rate| match OpusDecoder::new(signed(rate), 1) {
        Ok(decoder) => Box::new(Unpacker { decoder, rate }),
        Err(_) => Box::new(Mute),
    },
    encoder: |wanted| match encoder(wanted) {
        Some(encoder) => Box::new(Packer { encoder, still: 0, quiet: Vec::new() }),
        None => Box::new(Mute),
    },
};

/// Bits a second when the far end sets no limit: speech up to 12 kHz, the copies of FEC included.
const BITRATE: i32 = 32_000;
/// Effort of the encoder, 0 to 10: speech hardly gains above it, and time doubles.
const COMPLEXITY: i32 = 5;
/// Longest packet that we make: a second at the highest rate of a mono stream is never near it.
const PACKET_MAX: usize = 1_275;
/// After so many packets of digital silence the last one is sent again and nothing is encoded: both ends have settled,
/// and silence costs as much to encode as a voice.
const SETTLED: u32 = 10;
/// With DTX one packet of that many is sent all the same, so that the far end knows we are here.
const SIGN_OF_LIFE: u32 = 20;
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
struct Packer {
    encoder: OpusEncoder,
    /// Packets of digital silence in a row.
    still: u32,
    /// The newest of them.
    quiet: Vec<u8>,
}

impl Encode for Packer {
    fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>) {
        self.still = if samples.iter().all(|sample| *sample == 0) { self.still.saturating_add(1) } else { 0 };
        if self.still > SETTLED && !self.quiet.is_empty() {
            if !self.encoder.use_dtx || self.still.is_multiple_of(SIGN_OF_LIFE) {
                payload.extend_from_slice(&self.quiet);
            }
            return;
        }
        let start = payload.len();
        payload.resize(start + PACKET_MAX, 0);
        let length = self.encoder.encode_s16(samples, samples.len(), &mut payload[start..]).unwrap_or(0);
        payload.truncate(start + if length <= NOTHING { 0 } else { length });
        if self.still == 0 {
            self.quiet.clear();
        } else if payload.len() > start {
            self.quiet.clear();
            self.quiet.extend_from_slice(&payload[start..]);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "clamped")]
    fn expect_loss(&mut self, percent: f32) {
        if self.encoder.use_inband_fec {
            self.encoder.packet_loss_perc = percent.clamp(0.0, 50.0).ceil() as i32;
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

    fn conceals(&self) -> bool {
        true
    }

    fn conceal(&mut self, count: usize, next: Option<&[u8]>, samples: &mut Vec<i16>) {
        let start = samples.len();
        samples.resize(start + count, 0);
        // Concealment knows whole 2.5 ms only; the rest, of a stream with odd timestamps, is silence.
        let step = (self.rate.0 / 400) as usize;
        let whole = count / step * step;
        if whole == 0 {
            return;
        }
        let made = &mut samples[start..start + whole];
        let _ = match next.filter(|next| !next.is_empty()) {
            Some(next) => self.decoder.decode_fec_s16(next, whole, made),
            None => self.decoder.decode_s16(&[], whole, made),
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::tone;

    #[test]
    fn what_the_far_end_says_of_itself_is_kept_to() {
        let said = "maxplaybackrate=16000; maxaveragebitrate=20000;UseInbandFEC=1; usedtx=1;cbr=0";
        let wanted = Wanted { rate: SampleRate::HZ_24000, fmtp: said };
        let encoder = encoder(&wanted).unwrap();
        assert_eq!((encoder.bitrate_bps, encoder.max_bandwidth), (20_000, Bandwidth::Wideband));
        assert!(encoder.use_inband_fec && encoder.use_dtx && encoder.packet_loss_perc == 0);
        let nothing = Parameters::parse("minptime=10;stereo;x=;=1;maxaveragebitrate=much");
        assert_eq!(nothing, Parameters::parse(""));
        for fmtp in ["maxaveragebitrate=-5", "maxaveragebitrate=999999999", "maxplaybackrate=0"] {
            let mut packets = OPUS.encoder(&Wanted { rate: SampleRate::HZ_16000, fmtp });
            let mut payload = Vec::new();
            packets.encode(&[50; 320], &mut payload);
            assert!(payload.len() > NOTHING && payload.len() < 200, "{fmtp}: {}", payload.len());
        }
    }

    #[test]
    fn settled_silence_is_silent_and_the_word_behind_it_whole() {
        let rate = SampleRate::HZ_16000;
        let mut word = Vec::new();
        tone::sine(513.0, 12_000.0, rate, 0, 8_000, &mut word);
        let mut encoder = OPUS.encoder(&Wanted { rate, fmtp: "" });
        let mut decoder = OPUS.decoder(rate);
        let (mut heard, mut payload) = (Vec::new(), Vec::new());
        for frame in [&word[..], &vec![0; 32_000], &word].concat().chunks_exact(320) {
            payload.clear();
            encoder.encode(frame, &mut payload);
            assert!(!payload.is_empty(), "without DTX every packet is sent");
            decoder.decode(&payload, &mut heard);
        }
        let pause = &heard[12_000..39_000];
        assert!(pause.iter().all(|sample| sample.abs() < 20), "{:?}", pause.iter().max());
        let behind = super::super::tests::snr_db(&word, &heard[40_000..], 400);
        let before = super::super::tests::snr_db(&word, &heard, 400);
        assert!(behind > before - 3.0 && behind > 12.0, "{before:.1} dB before, {behind:.1} dB behind");
    }

    #[test]
    fn with_dtx_settled_silence_gives_signs_of_life_only() {
        let mut encoder = OPUS.encoder(&Wanted { rate: SampleRate::HZ_16000, fmtp: "usedtx=1" });
        let mut payload = Vec::new();
        let mut sent = 0;
        for n in 0..500_u32 {
            payload.clear();
            encoder.encode(&[0; 320], &mut payload);
            sent += u32::from(n >= 100 && !payload.is_empty());
        }
        assert_eq!(sent, 20, "one each 400 ms");
    }
}
