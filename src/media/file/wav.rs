//! WAV of any rate and width, mono or stereo, to 16-bit samples at the rate that is needed.
//!
//! PCM and float over hound; G.711 inside WAV by our own tables; odd rates over rubato (files may take their time).

use crate::{media::codec, unit::SampleRate};
use audioadapter_buffers::direct::SequentialSlice;
use rubato::{Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction};
use std::io::Cursor;

/// Samples of one file at most: an hour of stereo at 48 kHz.
const SAMPLES_MAX: usize = 3_600 * 48_000 * 2;

/// Sound of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Wav {
    /// Samples a second of one channel.
    pub rate: SampleRate,
    /// One `Vec` per channel, equally long.
    pub channels: Vec<Vec<i16>>,
}

/// Reads a WAV file's bytes. Files that a program could not finish are read as far as they go: cut off, or written
/// into a pipe with a length that nobody mended.
///
/// # Errors
/// Says what is wrong; no bytes can make it panic or allocate more than they hold.
pub fn read(bytes: &[u8]) -> Result<Wav, String> {
    let mended = mend(bytes);
    let bytes = mended.as_deref().unwrap_or(bytes);
    if let Some(wav) = read_g711(bytes)? {
        return Ok(wav);
    }
    let reader = hound::WavReader::new(Cursor::new(bytes)).map_err(|problem| format!("not a WAV file: {problem}"))?;
    let spec = reader.spec();
    let count = usize::from(spec.channels);
    if !(1..=8).contains(&count) || !(1_000..=384_000).contains(&spec.sample_rate) {
        return Err(format!("{} channels at {} Hz cannot be used", spec.channels, spec.sample_rate));
    }
    let samples = interleaved(reader, spec)?;
    if samples.is_empty() {
        return Err("the WAV file holds no sound".into());
    }
    let mut channels = vec![Vec::with_capacity(samples.len() / count); count];
    for frame in samples.chunks_exact(count) {
        for (channel, sample) in channels.iter_mut().zip(frame) {
            channel.push(*sample);
        }
    }
    Ok(Wav { rate: SampleRate(spec.sample_rate), channels })
}

/// The file with the length that its sound has, if the header says another: too much, or nothing although sound
/// follows.
fn mend(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return None;
    }
    let mut at = 12;
    let mut format: Option<&[u8]> = None;
    while let Some(head) = bytes.get(at..at + 8) {
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let body = &bytes[at + 8..];
        if &head[..4] == b"fmt " {
            format = body.get(..size);
        } else if &head[..4] == b"data" {
            let format = format.filter(|format| format.len() >= 16)?;
            if (size > 0 || is_chunk(body)) && size <= body.len() {
                return None;
            }
            let frame = usize::from(u16::from_le_bytes([format[12], format[13]]));
            let sound = &body[..body.len() - body.len().checked_rem(frame)?];
            let length = |bytes: &[u8]| u32::try_from(bytes.len()).ok().map(u32::to_le_bytes);
            let mut mended = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
            mended.extend(length(format)?);
            mended.extend_from_slice(format);
            mended.resize(mended.len() + format.len() % 2, 0);
            mended.extend_from_slice(b"data");
            mended.extend(length(sound)?);
            mended.extend_from_slice(sound);
            let whole = length(&mended[8..])?;
            mended[4..8].copy_from_slice(&whole);
            return Some(mended);
        }
        at = at.checked_add(8 + size + size % 2)?;
    }
    None
}

/// Whether another chunk, or nothing, follows an empty one.
fn is_chunk(bytes: &[u8]) -> bool {
    let Some(head) = bytes.get(..8) else { return bytes.is_empty() };
    let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    head[..4].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b' ') && size <= bytes.len() - 8
}

#[expect(clippy::cast_possible_truncation, reason = "scaled to 16 bits")]
fn interleaved(reader: hound::WavReader<Cursor<&[u8]>>, spec: hound::WavSpec) -> Result<Vec<i16>, String> {
    let broken = |problem: hound::Error| format!("the WAV file breaks off: {problem}");
    match spec.sample_format {
        hound::SampleFormat::Float => reader
            .into_samples::<f32>()
            .take(SAMPLES_MAX)
            .map(|sample| sample.map(|x| (x.clamp(-1.0, 1.0) * 32_767.0) as i16))
            .collect::<Result<_, _>>()
            .map_err(broken),
        hound::SampleFormat::Int => {
            let shift = i32::from(spec.bits_per_sample) - 16;
            reader
                .into_samples::<i32>()
                .take(SAMPLES_MAX)
                .map(|sample| {
                    sample
                        .map(|x| if shift >= 0 { (x >> shift.min(31)) as i16 } else { (x << (-shift).min(15)) as i16 })
                })
                .collect::<Result<_, _>>()
                .map_err(broken)
        }
    }
}

/// G.711 inside WAV (formats 6 and 7), which hound does not read.
fn read_g711(bytes: &[u8]) -> Result<Option<Wav>, String> {
    if bytes.len() < 12 || &bytes[..4] != b"RIFF" || &bytes[8..12] != b"WAVE" {
        return Ok(None);
    }
    let mut rest = &bytes[12..];
    let mut format = None;
    while rest.len() >= 8 {
        let size = u32::from_le_bytes([rest[4], rest[5], rest[6], rest[7]]) as usize;
        let (id, body) = (&rest[..4], &rest[8..]);
        let content = &body[..size.min(body.len())];
        if id == b"fmt " && content.len() >= 16 {
            let tag = u16::from_le_bytes([content[0], content[1]]);
            let channels = usize::from(u16::from_le_bytes([content[2], content[3]]));
            let rate = u32::from_le_bytes([content[4], content[5], content[6], content[7]]);
            let law = match tag {
                6 => codec::by_name("pcma"),
                7 => codec::by_name("pcmu"),
                _ => return Ok(None),
            };
            if !(1..=8).contains(&channels) || !(1_000..=384_000).contains(&rate) {
                return Err(format!("{channels} channels at {rate} Hz cannot be used"));
            }
            format = law.map(|law| (law, channels, rate));
        } else if id == b"data" {
            let Some((law, count, rate)) = format else { return Ok(None) };
            let mut samples = Vec::new();
            law.decoder(law.rates[0]).decode(content, &mut samples);
            if samples.len() < count {
                return Err("the WAV file holds no sound".into());
            }
            let channels =
                (0..count).map(|channel| samples.chunks_exact(count).map(|frame| frame[channel]).collect()).collect();
            return Ok(Some(Wav { rate: SampleRate(rate), channels }));
        }
        let step = 8 + size + size % 2;
        rest = rest.get(step..).unwrap_or_default();
    }
    Ok(None)
}

impl Wav {
    /// Length of the sound.
    #[must_use]
    pub fn duration(&self) -> std::time::Duration {
        self.rate.duration_of(self.channels.first().map_or(0, Vec::len))
    }

    /// All channels as one.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a mean of 16-bit samples")]
    pub fn mono(&self) -> Vec<i16> {
        match &self.channels[..] {
            [] => Vec::new(),
            [one] => one.clone(),
            many => (0..many[0].len())
                .map(|n| {
                    let sum: i64 = many.iter().map(|channel| i64::from(channel[n])).sum();
                    (sum / i64::try_from(many.len()).unwrap_or(1)) as i16
                })
                .collect(),
        }
    }
}

/// Converts `samples` from one rate to another, whole files at once.
///
/// # Errors
/// Says which pair of rates is not possible.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sample counts and clamped samples")]
pub fn resample(samples: &[i16], from: SampleRate, to: SampleRate) -> Result<Vec<i16>, String> {
    if from == to {
        return Ok(samples.to_vec());
    }
    let ratio = f64::from(to.0) / f64::from(from.0.max(1));
    let parameters = SincInterpolationParameters {
        sinc_len: 64 * ((1.0 / ratio).ceil().max(1.0) as usize).min(8),
        f_cutoff: Some(0.95),
        interpolation: SincInterpolationType::Cubic,
        oversampling_factor: 64,
        window: WindowFunction::Blackman,
    };
    let chunk = 1_024;
    let failed = |problem: &dyn std::fmt::Display| format!("cannot convert {from} to {to}: {problem}");
    let mut resampler = Async::<f32>::new_sinc(ratio, 1.1, &parameters, chunk, 1, FixedAsync::Input)
        .map_err(|problem| failed(&problem))?;
    let wanted = (samples.len() as f64 * ratio).round() as usize;
    let delay = resampler.output_delay();
    let mut out = Vec::with_capacity(wanted + delay);
    let mut input = vec![0.0_f32; chunk];
    let mut output = vec![0.0_f32; resampler.output_frames_max()];
    let mut rest = samples;
    while out.len() < wanted + delay {
        let (now, later) = rest.split_at(rest.len().min(chunk));
        input.fill(0.0);
        for (x, sample) in input.iter_mut().zip(now) {
            *x = f32::from(*sample);
        }
        rest = later;
        let frames_out = output.len();
        let source = SequentialSlice::new(&input[..], 1, chunk).map_err(|problem| failed(&problem))?;
        let mut sink = SequentialSlice::new_mut(&mut output[..], 1, frames_out).map_err(|problem| failed(&problem))?;
        let (_, written) =
            resampler.process_into_buffer(&source, &mut sink, None).map_err(|problem| failed(&problem))?;
        out.extend(output[..written].iter().map(|x| x.clamp(-32_768.0, 32_767.0).round() as i16));
    }
    Ok(out.into_iter().skip(delay).take(wanted).collect())
}

/// Length of [`header`].
pub const HEADER_BYTES: usize = 44;

/// The head of a WAV file with 16-bit samples and `length` bytes of sound, for files that are written as they grow.
/// Sound beyond what the format can count (4 GiB) is still played by readers that go to the end of the file.
#[must_use]
pub fn header(rate: SampleRate, channels: u16, length: u64) -> [u8; HEADER_BYTES] {
    let length = u32::try_from(length).unwrap_or(u32::MAX - 36);
    let frame_bytes = channels * 2;
    let mut bytes = [0; HEADER_BYTES];
    let mut at = 0;
    let mut put = |part: &[u8]| {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    };
    put(b"RIFF");
    put(&length.saturating_add(36).to_le_bytes());
    put(b"WAVEfmt ");
    put(&16_u32.to_le_bytes());
    put(&1_u16.to_le_bytes());
    put(&channels.to_le_bytes());
    put(&rate.0.to_le_bytes());
    put(&(rate.0 * u32::from(frame_bytes)).to_le_bytes());
    put(&frame_bytes.to_le_bytes());
    put(&16_u16.to_le_bytes());
    put(b"data");
    put(&length.to_le_bytes());
    bytes
}

/// Bytes of a WAV file with 16-bit samples, interleaved.
#[must_use]
pub fn write(rate: SampleRate, channels: u16, interleaved: &[i16]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::with_capacity(44 + interleaved.len() * 2));
    let spec =
        hound::WavSpec { channels, sample_rate: rate.0, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    if let Ok(mut writer) = hound::WavWriter::new(&mut bytes, spec) {
        for sample in interleaved {
            let _ = writer.write_sample(*sample);
        }
        let _ = writer.finalize();
    }
    bytes.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::tone;

    #[test]
    fn a_header_written_by_hand_is_the_librarys() {
        let whole = write(SampleRate::HZ_8000, 2, &[1, -2, 3, -4]);
        assert_eq!(header(SampleRate::HZ_8000, 2, 8), whole[..HEADER_BYTES]);
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = write(SampleRate::HZ_8000, 2, &[1, -1, 2, -2]);
        let wav = read(&bytes).unwrap();
        assert_eq!(wav, Wav { rate: SampleRate::HZ_8000, channels: vec![vec![1, 2], vec![-1, -2]] });
        assert_eq!(wav.mono(), [0, 0]);
    }

    #[test]
    fn g711_in_a_wav_is_read() {
        let mut bytes =
            b"RIFF\0\0\0\0WAVEfmt \x12\0\0\0\x07\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0\0\0data\x02\0\0\0"
                .to_vec();
        bytes.extend([0xff, 0x00]);
        assert_eq!(read(&bytes).unwrap().channels, [[0, -32_124]]);
    }

    #[test]
    fn odd_rates_keep_pitch_length_and_level() {
        for rate in [11_025, 22_050, 44_100, 16_000, 48_000, 8_000] {
            let mut input = Vec::new();
            tone::sine(1_013.0, 12_000.0, SampleRate(rate), 0, rate as usize, &mut input);
            let output = resample(&input, SampleRate(rate), SampleRate::HZ_8000).unwrap();
            assert_eq!(output.len(), 8_000);
            assert!(tone::share_at(1_013.0, SampleRate::HZ_8000, &output[400..7_600]) > 0.99, "{rate}");
            let peak = output[400..7_600].iter().map(|s| s.abs()).max().unwrap();
            assert!((11_500..12_500).contains(&peak), "{rate}: {peak}");
        }
    }

    #[test]
    fn files_that_nobody_finished_are_read_as_far_as_they_go() {
        let samples: Vec<i16> = (0..800).collect();
        let whole = write(SampleRate::HZ_8000, 2, &samples);
        let with_length = |length: u32| {
            let mut bytes = whole.clone();
            bytes[4..8].copy_from_slice(&length.saturating_add(36).to_le_bytes());
            bytes[40..44].copy_from_slice(&length.to_le_bytes());
            bytes
        };
        for length in [0, u32::MAX, 0x7fff_f000, 100_000] {
            assert_eq!(read(&with_length(length)).unwrap(), read(&whole).unwrap(), "{length}");
        }
        let cut = read(&whole[..whole.len() - 399]).unwrap();
        assert_eq!(cut.channels[0].len(), 400 - 100, "whole frames only");
        let mut listed = header(SampleRate::HZ_8000, 1, 0).to_vec();
        listed.extend(b"LIST\x04\0\0\0abcd");
        assert!(read(&listed).unwrap_err().contains("no sound"));
    }

    #[test]
    fn broken_files_are_errors() {
        for bytes in [&b""[..], b"RIFF", b"RIFF\0\0\0\0WAVE", b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff"] {
            assert!(read(bytes).is_err());
        }
    }
}
