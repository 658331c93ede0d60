//! Nanoseconds for 20 ms of sound: each codec both ways, each ratio of the resampler, and the whole path in and out with
//! each codec. The path is without sockets.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures and helpers of tests"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use std::{hint::black_box, net::SocketAddr, time::Duration};
use voxgw::{
    clock::Instant,
    media::{
        codec::{CODECS, Codec, Wanted},
        dsp::resample::Resampler,
        inbound::{self, Inbound},
        outbound::{self, Outbound},
        rtp::packet::Packet,
    },
    unit::{PayloadType, Ptime, SampleRate, Ssrc, TurnId},
};

/// Something like a voice: a gliding buzz of harmonics with syllables; encoders work less on a pure tone.
fn speech(rate: SampleRate, seconds: usize) -> Vec<i16> {
    let sample = |n: usize| {
        let t = n as f64 / f64::from(rate.0);
        let phase = std::f64::consts::TAU * (130.0 * t + 20.0 * (2.1 * t).sin());
        let harmonics: f64 = (1..24).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum();
        let syllable = 0.55 + 0.45 * (std::f64::consts::TAU * 4.0 * t).sin();
        (harmonics * syllable * 6_000.0) as i16
    };
    (0..rate.0 as usize * seconds).map(sample).collect()
}

fn frames(rate: SampleRate) -> Vec<Vec<i16>> {
    speech(rate, 2).chunks_exact(rate.0 as usize / 50).map(<[i16]>::to_vec).collect()
}

fn codecs(criterion: &mut Criterion) {
    for codec in CODECS {
        for rate in codec.rates {
            let frames = frames(*rate);
            let mut encoder = codec.encoder(&Wanted { rate: *rate, fmtp: "" });
            let mut payload = Vec::new();
            let mut n = 0;
            criterion.bench_function(&format!("codec/{}_encode_{}k", codec.name, rate.0 / 1_000), |bencher| {
                bencher.iter(|| {
                    n = (n + 1) % frames.len();
                    payload.clear();
                    encoder.encode(black_box(&frames[n]), &mut payload);
                    black_box(payload.len())
                });
            });
            let payloads = encoded(codec, *rate);
            let mut decoder = codec.decoder(*rate);
            let mut samples = Vec::new();
            criterion.bench_function(&format!("codec/{}_decode_{}k", codec.name, rate.0 / 1_000), |bencher| {
                bencher.iter(|| {
                    n = (n + 1) % payloads.len();
                    samples.clear();
                    decoder.decode(black_box(&payloads[n]), &mut samples);
                    black_box(samples.len())
                });
            });
        }
    }
}

fn encoded(codec: &Codec, rate: SampleRate) -> Vec<Vec<u8>> {
    let mut encoder = codec.encoder(&Wanted { rate, fmtp: "" });
    let encode = |frame: &Vec<i16>| {
        let mut payload = Vec::new();
        encoder.encode(frame, &mut payload);
        payload
    };
    frames(rate).iter().map(encode).collect()
}

fn resamplers(criterion: &mut Criterion) {
    let khz = [(8, 16), (16, 8), (8, 24), (24, 8), (16, 24), (24, 16), (48, 8), (48, 16), (48, 24), (24, 48)];
    for (from, to) in khz {
        let frames = frames(SampleRate(from * 1_000));
        let mut resampler = Resampler::new(SampleRate(from * 1_000), SampleRate(to * 1_000)).unwrap();
        let mut output = Vec::new();
        let mut n = 0;
        criterion.bench_function(&format!("resample/{from}k_to_{to}k"), |bencher| {
            bencher.iter(|| {
                n = (n + 1) % frames.len();
                output.clear();
                resampler.process(black_box(&frames[n]), &mut output);
                black_box(output.len())
            });
        });
    }
}

/// RTP in → samples at 16 kHz; samples at 24 kHz → RTP out.
fn paths(criterion: &mut Criterion) {
    let source = SocketAddr::from(([192, 0, 2, 1], 4_000));
    for codec in CODECS {
        let rate = codec.rate_for(SampleRate::HZ_16000);
        let payloads = encoded(codec, rate);
        let step = codec.ticks_of(rate.0 as usize / 50, rate);
        let settings = inbound::Settings {
            codecs: vec![(codec.payload_type, codec)],
            events: Vec::new(),
            wanted: SampleRate::HZ_16000,
            described: Some(source),
            expected: true,
        };
        let mut path = Inbound::new(Instant::ZERO, settings, Ptime::MS_20);
        let mut resampler = Resampler::new(rate, SampleRate::HZ_16000).unwrap();
        let (mut datagram, mut samples, mut wide) = (Vec::new(), Vec::new(), Vec::new());
        let mut n = 0_u32;
        criterion.bench_function(&format!("path/in_{}_to_16k", codec.name), |bencher| {
            bencher.iter(|| {
                n = n.wrapping_add(1);
                let packet = Packet {
                    marker: false,
                    payload_type: codec.payload_type,
                    sequence: n as u16,
                    timestamp: n.wrapping_mul(step),
                    ssrc: Ssrc(1),
                    payload: &payloads[n as usize % payloads.len()],
                };
                packet.write(&mut datagram);
                path.handle_rtp(Instant::from_millis(u64::from(n) * 20), source, black_box(&datagram));
                while let Some(out) = path.poll(&mut samples) {
                    if matches!(out, inbound::Out::Frame { .. }) {
                        wide.clear();
                        resampler.process(&samples, &mut wide);
                    }
                }
                black_box(wide.len())
            });
        });
        let settings = outbound::Settings {
            codec,
            rate: codec.rate_for(SampleRate::HZ_24000),
            fmtp: String::new(),
            payload_type: PayloadType(96),
            event: None,
            ptime: Ptime::MS_20,
            sending: true,
        };
        let mut path = Outbound::new(Instant::ZERO, settings, Ssrc(1), 7);
        let said = frames(SampleRate::HZ_24000);
        let mut now = Instant::ZERO;
        criterion.bench_function(&format!("path/out_24k_to_{}", codec.name), |bencher| {
            bencher.iter(|| {
                n = n.wrapping_add(1);
                path.enqueue(now, TurnId(1), SampleRate::HZ_24000, black_box(&said[n as usize % said.len()]));
                path.tick(now, &mut datagram);
                now += Duration::from_millis(20);
                black_box(datagram.len())
            });
        });
    }
}

criterion_group!(benches, codecs, resamplers, paths);
criterion_main!(benches);
