//! The codecs that calls may use: one table, one file per row.
//!
//! A row says what descriptions call a codec, at which rate its sound comes and its clock ticks, and makes the two
//! machines that turn payload into 16-bit mono samples and back: [`Decode`] and [`Encode`]. They keep what the codec
//! keeps from packet to packet, so each direction of a call has its own. Called by `media::{decoding,encoding}` for
//! sound and by users of `sip::sdp` for names and payload types.

pub mod g711;
mod g722;
mod l16;
mod opus;

use crate::unit::{PayloadType, SampleRate};

/// Payload to samples, one direction of one call.
pub trait Decode: std::fmt::Debug + Send {
    /// Appends the samples of one packet's `payload`. Broken payload gives silence or nothing, never a panic.
    fn decode(&mut self, payload: &[u8], samples: &mut Vec<i16>);

    /// Whether the codec itself makes up what is missing, by [`Self::conceal`].
    fn conceals(&self) -> bool {
        false
    }

    /// Appends `count` samples in place of what was lost or not sent. `next` is the payload of the packet after the
    /// gap, if it is there: some codecs carry the packet before once more. Silence if the codec cannot.
    fn conceal(&mut self, count: usize, next: Option<&[u8]>, samples: &mut Vec<i16>) {
        let _ = next;
        samples.resize(samples.len() + count, 0);
    }
}

/// Samples to payload, one direction of one call.
pub trait Encode: std::fmt::Debug + Send {
    /// Appends the payload of `samples`, which are one packet for codecs that keep something from packet to packet.
    /// Nothing is appended if there is nothing to send (silence, where the far end likes that).
    fn encode(&mut self, samples: &[i16], payload: &mut Vec<u8>);

    /// The far end loses so many packets in a hundred.
    fn expect_loss(&mut self, percent: f32) {
        let _ = percent;
    }
}

/// How to encode.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Rate of the samples: one of the row's.
    pub rate: SampleRate,
    /// The far end's `a=fmtp`, without its number; empty if it gave none.
    pub fmtp: &'a str,
}

/// One codec.
#[derive(Clone, Copy)]
pub struct Codec {
    /// Our name: the value of `--codec` and of the configuration.
    pub name: &'static str,
    /// Encoding name in SDP (RFC 3551 §6), as it is written there.
    pub encoding: &'static str,
    /// The static payload type (RFC 3551 table 4), or the dynamic one of our offers.
    pub payload_type: PayloadType,
    /// Rates that the sound may have, ascending.
    pub rates: &'static [SampleRate],
    /// RTP clock.
    pub clock: SampleRate,
    /// Channels as `a=rtpmap` says; the sound is mono always.
    pub channels: u8,
    /// Milliseconds that one packet may hold, ascending.
    pub lengths_ms: &'static [u8],
    /// A byte that decodes to one sample of silence, where one byte is one sample and needs none of its neighbours:
    /// such sound may wait encoded.
    pub silence: Option<u8>,
    /// Equipment impairment and packet-loss robustness with concealment: of G.113 Appendix I, or of Appendix IV on the
    /// wideband scale of G.107.1 if it is wideband.
    pub impairment: (f32, f32),
    /// What we say about ourselves in `a=fmtp`, for sound that we want at this rate.
    pub fmtp: fn(SampleRate) -> String,
    decoder: fn(SampleRate) -> Box<dyn Decode>,
    encoder: fn(&Wanted<'_>) -> Box<dyn Encode>,
}

impl Codec {
    /// The rate at which its sound is best had by somebody who wants `wanted`: the next one up, or the highest.
    #[must_use]
    pub fn rate_for(&self, wanted: SampleRate) -> SampleRate {
        let next = self.rates.iter().find(|rate| **rate >= wanted).or(self.rates.last());
        next.copied().unwrap_or(self.clock)
    }

    /// Whether its sound reaches beyond 4 kHz.
    #[must_use]
    pub fn is_wideband(&self) -> bool {
        self.rates.last().is_some_and(|rate| *rate > SampleRate::HZ_8000)
    }

    /// A decoder that gives sound at `rate`, one of the row's.
    #[must_use]
    pub fn decoder(&self, rate: SampleRate) -> Box<dyn Decode> {
        (self.decoder)(rate)
    }

    /// An encoder.
    #[must_use]
    pub fn encoder(&self, wanted: &Wanted<'_>) -> Box<dyn Encode> {
        (self.encoder)(wanted)
    }

    /// `a=rtpmap` without its number: `G722/8000`.
    #[must_use]
    pub fn rtpmap(&self) -> String {
        match self.channels {
            1 => format!("{}/{}", self.encoding, self.clock.0),
            channels => format!("{}/{}/{channels}", self.encoding, self.clock.0),
        }
    }

    /// Whether its number means this codec without an rtpmap.
    #[must_use]
    pub const fn is_static(&self) -> bool {
        self.payload_type.0 < 96
    }

    /// Samples at `rate` that last `ticks` of the RTP clock.
    #[must_use]
    pub fn samples_of(&self, ticks: u32, rate: SampleRate) -> usize {
        if rate == self.clock {
            return ticks as usize;
        }
        usize::try_from(u64::from(ticks) * u64::from(rate.0) / u64::from(self.clock.0.max(1))).unwrap_or(usize::MAX)
    }

    /// Ticks of the RTP clock that `samples` at `rate` last.
    #[must_use]
    pub fn ticks_of(&self, samples: usize, rate: SampleRate) -> u32 {
        let samples = u32::try_from(samples).unwrap_or(u32::MAX);
        if rate == self.clock {
            return samples;
        }
        u32::try_from(u64::from(samples) * u64::from(self.clock.0) / u64::from(rate.0.max(1))).unwrap_or(u32::MAX)
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

/// Whole tens of milliseconds, as all do that have no frames of their own.
const TENS: &[u8] = &[10, 20, 30, 40, 50, 60];

/// All codecs.
pub static CODECS: &[Codec] = &[g711::PCMU, g711::PCMA, g722::G722, opus::OPUS, l16::L16, l16::L16_8K, l16::L16_24K];

/// The row called `name`, in any case.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Codec> {
    CODECS.iter().find(|codec| codec.name.eq_ignore_ascii_case(name))
}

/// The row with the static payload type `payload_type`.
#[must_use]
pub fn by_payload_type(payload_type: PayloadType) -> Option<&'static Codec> {
    CODECS.iter().find(|codec| codec.is_static() && codec.payload_type == payload_type)
}

/// The row that a description calls `encoding` (in any case) with this clock.
#[must_use]
pub fn by_rtpmap(encoding: &str, clock: u32) -> Option<&'static Codec> {
    CODECS.iter().find(|codec| codec.encoding.eq_ignore_ascii_case(encoding) && codec.clock.0 == clock)
}

/// All names, for messages.
#[must_use]
pub fn names() -> String {
    let names: Vec<&str> = CODECS.iter().map(|codec| codec.name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::tone;

    /// Signal to noise of `back` against `sine` at the delay that fits best, in decibels.
    pub(super) fn snr_db(sine: &[i16], back: &[i16], delay_max: usize) -> f64 {
        let span = sine.len().min(back.len()) - delay_max;
        let noise = |delay: usize| -> f64 {
            (span / 4..span).map(|n| (f64::from(sine[n]) - f64::from(back[n + delay])).powi(2)).sum()
        };
        let best = (0..delay_max).map(noise).fold(f64::MAX, f64::min);
        let signal: f64 = (span / 4..span).map(|n| f64::from(sine[n]).powi(2)).sum();
        10.0 * (signal / best.max(1.0)).log10()
    }

    #[test]
    fn every_codec_keeps_a_sine_and_silence_at_each_of_its_rates_and_lengths() {
        for codec in CODECS {
            for (rate, ms) in codec.rates.iter().flat_map(|rate| codec.lengths_ms.iter().map(move |ms| (*rate, *ms))) {
                let mut encoder = codec.encoder(&Wanted { rate, fmtp: "" });
                let mut decoder = codec.decoder(rate);
                let mut sine = Vec::new();
                tone::sine(513.0, 12_000.0, rate, 0, rate.0 as usize / 2, &mut sine);
                let frame = rate.0 as usize * usize::from(ms) / 1_000;
                let (mut back, mut payload) = (Vec::new(), Vec::new());
                for samples in sine.chunks_exact(frame) {
                    payload.clear();
                    encoder.encode(samples, &mut payload);
                    let before = back.len();
                    decoder.decode(&payload, &mut back);
                    assert_eq!(back.len() - before, frame, "{codec:?} at {rate}, {ms} ms");
                    assert_eq!(codec.ticks_of(frame, rate), codec.clock.0 * u32::from(ms) / 1_000);
                    assert_eq!(codec.samples_of(codec.ticks_of(frame, rate), rate), frame);
                }
                let found = snr_db(&sine, &back, rate.0 as usize / 50);
                let least = if codec.name == "opus" { 12.0 } else { 30.0 };
                assert!(found > least, "{codec:?} at {rate}, {ms} ms: {found:.1} dB");
            }
        }
    }

    #[test]
    fn rows_are_found_by_what_others_call_them() {
        for codec in CODECS {
            assert_eq!(by_name(&codec.name.to_uppercase()), Some(codec));
            assert_eq!(by_rtpmap(&codec.encoding.to_lowercase(), codec.clock.0), Some(codec));
            assert_eq!(by_payload_type(codec.payload_type), codec.is_static().then_some(codec));
            if let Some(silence) = codec.silence {
                let mut samples = Vec::new();
                codec.decoder(codec.rates[0]).decode(&[silence], &mut samples);
                assert!(samples.len() == 1 && samples[0].abs() <= 8, "{codec:?}");
            }
        }
        let mut numbers: Vec<u8> = CODECS.iter().map(|codec| codec.payload_type.0).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), CODECS.len());
        assert_eq!(by_name("opus").map(Codec::rtpmap).as_deref(), Some("opus/48000/2"));
        assert_eq!(by_name("g722").map(Codec::rtpmap).as_deref(), Some("G722/8000"));
        assert_eq!(by_name("opus").unwrap().rate_for(SampleRate(16_000)).0, 16_000);
        assert_eq!(by_name("pcmu").unwrap().rate_for(SampleRate(24_000)).0, 8_000);
    }

    #[test]
    fn any_bytes_decode_to_something_bounded() {
        let mut seed = 7_u32;
        let mut bytes = Vec::new();
        for codec in CODECS {
            let mut decoder = codec.decoder(codec.rates[0]);
            for length in 0..200 {
                bytes.clear();
                bytes.extend((0..length).map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    seed.to_be_bytes()[0]
                }));
                let mut samples = Vec::new();
                decoder.decode(&bytes, &mut samples);
                assert!(samples.len() <= 5_760, "{codec:?}");
            }
        }
    }

    #[test]
    fn the_docs_have_this_table() {
        let page = include_str!("../../../docs/MEDIA.md");
        for codec in CODECS {
            let list = |numbers: Vec<String>| numbers.join(" ");
            let rates = list(codec.rates.iter().map(|rate| (rate.0 / 1_000).to_string()).collect());
            let lengths = list(codec.lengths_ms.iter().map(ToString::to_string).collect());
            let row = format!(
                "| `{}` | `{}` | {} | {rates} kHz | {lengths} |",
                codec.name,
                codec.rtpmap(),
                codec.payload_type.0
            );
            assert!(page.contains(&row), "docs/MEDIA.md lacks {row}");
        }
    }
}
