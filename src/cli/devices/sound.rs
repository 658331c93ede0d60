//! The system's sound by cpal: what devices there are, and streams from and to two of them.
//!
//! A device's own thread moves samples between its buffer and a ring, one channel each way; nothing there waits or allocates.

use super::conversion::{Desk, Mic, RING, Speaker};
use crate::{
    agent::local::handset::Ends,
    error::{Error, Result},
};
use cpal::{
    Device, FromSample, SampleFormat, SizedSample, StreamConfig, SupportedStreamConfig,
    traits::{DeviceTrait as _, HostTrait as _, StreamTrait as _},
};
use rtrb::{Consumer, Producer, RingBuffer};
use serde::Serialize;

/// A device as it is listed.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    /// What `--mic=` and `--speaker=` take.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) microphone: bool,
    pub(super) speaker: bool,
}

/// Streams that run until they are let go.
pub(super) struct Streams {
    _mic: cpal::Stream,
    _speaker: cpal::Stream,
}

fn failed(what: &str, problem: &dyn std::fmt::Display) -> Error {
    Error::machine(format!("{what}: {problem}")).hint("voxgw devices lists what there is")
}

/// All devices that can be used either way.
pub(super) fn list() -> Result<Vec<Listed>> {
    let devices = cpal::default_host().devices().map_err(|problem| failed("the sound devices", &problem))?;
    let listed = devices.filter_map(|device| {
        let id = device.id().ok()?.id().to_owned();
        let name = device.description().map_or_else(|_| id.clone(), |about| about.name().to_owned());
        let (microphone, speaker) = (device.supports_input(), device.supports_output());
        (microphone || speaker).then_some(Listed { id, name, microphone, speaker })
    });
    Ok(listed.collect())
}

/// The named device, or the system's own if the name is empty.
fn find(name: &str, flag: &str, is_mic: bool) -> Result<Device> {
    let host = cpal::default_host();
    if name.is_empty() {
        let device = if is_mic { host.default_input_device() } else { host.default_output_device() };
        return device.ok_or_else(|| failed(flag, &"this machine has none"));
    }
    let devices = host.devices().map_err(|problem| failed(flag, &problem))?;
    let mut usable = devices.filter(|device| if is_mic { device.supports_input() } else { device.supports_output() });
    let named = |device: &Device| {
        device.id().is_ok_and(|id| id.id() == name) || device.description().is_ok_and(|about| about.name() == name)
    };
    usable.find(named).ok_or_else(|| failed(&format!("{flag}={name}"), &"there is no such device"))
}

/// Opens both and lets them run.
pub(super) fn open(mic: &str, speaker: &str) -> Result<(Box<dyn Ends>, Streams)> {
    let (from_mic, mic_ring) = RingBuffer::new(RING);
    let device = find(mic, "--mic", true)?;
    let config = device.default_input_config().map_err(|problem| failed("--mic", &problem))?;
    let mic_rate = config.sample_rate();
    let mic_stream = listen(&device, &config, from_mic)?;
    let (speaker_ring, to_speaker) = RingBuffer::new(RING);
    let device = find(speaker, "--speaker", false)?;
    let config = device.default_output_config().map_err(|problem| failed("--speaker", &problem))?;
    let speaker_rate = config.sample_rate();
    let speaker_stream = sound(&device, &config, to_speaker)?;
    for (stream, flag) in [(&mic_stream, "--mic"), (&speaker_stream, "--speaker")] {
        stream.play().map_err(|problem| failed(flag, &problem))?;
    }
    let desk = Desk { mic: Mic::new(mic_ring, mic_rate), speaker: Speaker::new(speaker_ring, speaker_rate) };
    Ok((Box::new(desk), Streams { _mic: mic_stream, _speaker: speaker_stream }))
}

/// Says once in the log that a device is gone; its ring runs dry, which is silence.
fn broke(flag: &'static str) -> impl FnMut(cpal::Error) + Send + 'static {
    move |problem| tracing::warn!(event = "device.error", device = flag, %problem)
}

fn listen(device: &Device, config: &SupportedStreamConfig, ring: Producer<f32>) -> Result<cpal::Stream> {
    fn of<T>(device: &Device, config: StreamConfig, mut ring: Producer<f32>) -> Result<cpal::Stream, cpal::Error>
    where
        T: SizedSample,
        f32: FromSample<T>,
    {
        let channels = usize::from(config.channels.max(1));
        let hear = move |data: &[T], _: &cpal::InputCallbackInfo| {
            for frame in data.chunks_exact(channels) {
                // The first channel; a microphone has one.
                let _ = ring.push(frame[0].to_sample::<f32>());
            }
        };
        device.build_input_stream(config, hear, broke("microphone"), None)
    }
    let plain = config.config();
    let stream = match config.sample_format() {
        SampleFormat::F32 => of::<f32>(device, plain, ring),
        SampleFormat::I16 => of::<i16>(device, plain, ring),
        SampleFormat::U16 => of::<u16>(device, plain, ring),
        SampleFormat::I32 => of::<i32>(device, plain, ring),
        SampleFormat::U8 => of::<u8>(device, plain, ring),
        other => return Err(failed("--mic", &format!("its samples ({other}) are not understood"))),
    };
    stream.map_err(|problem| failed("--mic", &problem))
}

fn sound(device: &Device, config: &SupportedStreamConfig, ring: Consumer<f32>) -> Result<cpal::Stream> {
    fn of<T>(device: &Device, config: StreamConfig, mut ring: Consumer<f32>) -> Result<cpal::Stream, cpal::Error>
    where
        T: SizedSample + FromSample<f32>,
    {
        let channels = usize::from(config.channels.max(1));
        let play = move |data: &mut [T], _: &cpal::OutputCallbackInfo| {
            for frame in data.chunks_exact_mut(channels) {
                frame.fill(T::from_sample(ring.pop().unwrap_or(0.0)));
            }
        };
        device.build_output_stream(config, play, broke("loudspeaker"), None)
    }
    let plain = config.config();
    let stream = match config.sample_format() {
        SampleFormat::F32 => of::<f32>(device, plain, ring),
        SampleFormat::I16 => of::<i16>(device, plain, ring),
        SampleFormat::U16 => of::<u16>(device, plain, ring),
        SampleFormat::I32 => of::<i32>(device, plain, ring),
        SampleFormat::U8 => of::<u8>(device, plain, ring),
        other => return Err(failed("--speaker", &format!("its samples ({other}) are not understood"))),
    };
    stream.map_err(|problem| failed("--speaker", &problem))
}
