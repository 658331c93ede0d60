//! Opus in Ogg (RFC 7845) of a recording: a tenth of the WAV's size, played by every browser.
//!
//! Owns encoding and the container's figures; both are `opus-pure`'s. Length and place of the sound are those of the
//! recording to the sample: what the encoder adds in front is declared (pre-skip), what fills the last packet is cut off.
//! Called by `cli::recordings`.

use super::wav::{self, Wav};
use crate::unit::SampleRate;
use opus_pure::{Application, OggOpusWriter, OpusEncoder, OpusHead, OpusTags};
use std::io::Write;

/// Bits a second for each side: speech of 8 or 16 kHz gains nothing above it, and the sides stay apart.
const BITRATE: i32 = 32_000;
/// Packets of 20 ms, as everywhere.
const PACKETS_A_SECOND: usize = 50;
/// Longest packet of two channels (RFC 6716 §3.2.1).
const PACKET_MAX: usize = 2 * 1_275;

/// Writes `wav`, one or two channels, into `sink` as Opus in Ogg; `title` goes into its tags, and `step` is called after
/// each second.
///
/// # Errors
/// In words: the channels are more than two, or what the sink said.
pub fn write<W: Write>(wav: &Wav, title: &str, sink: W, mut step: impl FnMut()) -> Result<W, String> {
    let problem = |problem: opus_pure::Error| format!("not encoded: {problem}");
    let count = wav.channels.len();
    if !(1..=2).contains(&count) {
        return Err(format!("{count} channels: Opus in Ogg is made of one or two"));
    }
    // Opus knows these alone.
    let rate = if matches!(wav.rate.0, 8_000 | 16_000 | 24_000 | 48_000) { wav.rate } else { SampleRate::HZ_48000 };
    let converted: Vec<Vec<i16>>;
    let channels = if rate == wav.rate {
        &wav.channels
    } else {
        let convert = |channel: &Vec<i16>| wav::resample(channel, wav.rate, rate);
        converted = wav.channels.iter().map(convert).collect::<Result<_, _>>()?;
        &converted
    };
    let hz = i32::try_from(rate.0).unwrap_or(i32::MAX);
    let mut encoder = OpusEncoder::new(hz, count, Application::Audio).map_err(problem)?;
    encoder.bitrate_bps = BITRATE * i32::try_from(count).unwrap_or(1);
    let mut tags = OpusTags::new();
    tags.push("TITLE", title).map_err(problem)?;
    tags.push("ENCODER", concat!("voxgw ", env!("CARGO_PKG_VERSION"))).map_err(problem)?;
    let head = OpusHead::for_encoder(&encoder, wav.rate.0);
    let skip = u64::from(head.pre_skip);
    let mut writer = OggOpusWriter::with_tags(sink, head, tags).map_err(problem)?;

    let frame = rate.0 as usize / PACKETS_A_SECOND;
    let per_sample = u64::from(SampleRate::HZ_48000.0 / rate.0);
    let length = channels.iter().map(Vec::len).max().unwrap_or(0);
    // All that is to be heard, and what lies before it, in ticks of 48 kHz.
    let mut left = skip + length as u64 * per_sample;
    let (mut samples, mut packet) = (vec![0; frame * count], [0; PACKET_MAX]);
    for number in 0_usize.. {
        if left == 0 {
            break;
        }
        for (side, channel) in channels.iter().enumerate() {
            let from = channel.get(number * frame..).unwrap_or(&[]);
            for (n, sample) in samples.iter_mut().skip(side).step_by(count).enumerate() {
                *sample = from.get(n).copied().unwrap_or(0);
            }
        }
        let bytes = encoder.encode_s16(&samples, frame, &mut packet).map_err(problem)?;
        let ticks = left.min(frame as u64 * per_sample);
        left -= ticks;
        let ticks = u32::try_from(ticks).unwrap_or(0);
        writer.write_packet_with_duration(&packet[..bytes], ticks).map_err(problem)?;
        if number % PACKETS_A_SECOND == 0 {
            step();
        }
    }
    writer.finish().map_err(problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::tone;
    use opus_pure::{OggOpusReader, Trim};

    /// Both channels at 48 kHz as a player would have them.
    fn play(bytes: &[u8]) -> Vec<[f32; 2]> {
        let mut reader = OggOpusReader::new(bytes).unwrap();
        let mut decoder = reader.head().decoder(48_000).unwrap();
        let mut trim = Trim::new(reader.head(), 48_000, 2).unwrap();
        let mut played = Vec::new();
        while let Some(packet) = reader.read_packet().unwrap() {
            let mut sound = vec![0.0_f32; 960 * 2];
            decoder.decode(&packet.data, 960, &mut sound).unwrap();
            played.extend(trim.keep(&packet, &sound).chunks_exact(2).map(|pair| [pair[0], pair[1]]));
        }
        played
    }

    #[test]
    fn the_sides_keep_their_places_and_the_whole_its_length() {
        for hz in [8_000, 16_000, 11_025] {
            let rate = SampleRate(hz);
            // 1.237 s; the left says 400 Hz from 0.5 s on, the right 700 Hz from 1 s on.
            let length = hz as usize * 1_237 / 1_000;
            let side = |pitch: f64, from: usize| {
                let mut sound = vec![0; from];
                tone::sine(pitch, 10_000.0, rate, 0, length - from, &mut sound);
                sound
            };
            let channels = vec![side(400.0, hz as usize / 2), side(700.0, hz as usize)];
            let mut seconds = 0;
            let bytes = write(&Wav { rate, channels }, "a call", Vec::new(), || seconds += 1).unwrap();
            let played = play(&bytes);
            assert!(played.len().abs_diff(59_376) <= 5, "{hz}: {}", played.len());
            assert_eq!(seconds, 2);
            for (side, wanted) in [(0, 24_000), (1, 48_000)] {
                let onset = played.iter().position(|pair| pair[side].abs() > 0.1).unwrap();
                assert!(onset.abs_diff(wanted) < 96, "{hz}, side {side}: {onset} and not {wanted} of 48,000 a second");
            }
            let reader = OggOpusReader::new(&bytes[..]).unwrap();
            assert_eq!(reader.tags().get("TITLE"), Some("a call"));
        }
        let nine = Wav { rate: SampleRate::HZ_8000, channels: vec![vec![0; 160]; 3] };
        assert!(write(&nine, "", Vec::new(), || ()).unwrap_err().contains("3 channels"));
    }
}
