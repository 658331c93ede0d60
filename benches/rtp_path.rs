//! The media path without sockets: RTP in → PCM at 16 kHz, and agent PCM at 24 kHz → RTP out, per 20 ms frame.
//!
//! Compare with the floor in one run: decode, resample and copy alone.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use std::{hint::black_box, net::SocketAddr, time::Duration};
use voxgw::{
    clock::Instant,
    media::{
        codec::{CODECS, Wanted},
        dsp::{resample::Resampler, tone},
        inbound::{self, Inbound},
        outbound::{self, Outbound},
        rtp::{packet::Packet, srtp},
    },
    unit::{PayloadType, Ptime, SampleRate, Ssrc, TurnId},
};

const NARROW: Wanted<'static> = Wanted { rate: SampleRate::HZ_8000, fmtp: "" };

fn speech(rate: SampleRate, count: usize) -> Vec<i16> {
    let mut samples = Vec::new();
    tone::sine(310.0, 8_000.0, rate, 0, count, &mut samples);
    samples
}

fn inbound_frame(criterion: &mut Criterion) {
    let source: SocketAddr = SocketAddr::from(([192, 0, 2, 1], 4000));
    let mut payload = Vec::new();
    CODECS[0].encoder(&NARROW).encode(&speech(SampleRate::HZ_8000, 160), &mut payload);
    let settings = inbound::Settings {
        codecs: vec![(PayloadType(0), &CODECS[0])],
        events: Vec::new(),
        wanted: SampleRate::HZ_16000,
        described: Some(source),
        expected: true,
    };
    let mut path = Inbound::new(Instant::ZERO, settings, Ptime::MS_20);
    let mut resampler = Resampler::new(SampleRate::HZ_8000, SampleRate::HZ_16000).expect("rates divide");
    let (mut datagram, mut samples, mut wide) = (Vec::new(), Vec::new(), Vec::new());
    let mut n = 0_u32;
    criterion.bench_function("rtp_path/in_8k_to_16k", |bencher| {
        bencher.iter(|| {
            n = n.wrapping_add(1);
            let packet = Packet {
                marker: false,
                payload_type: PayloadType(0),
                sequence: n as u16,
                timestamp: n.wrapping_mul(160),
                ssrc: Ssrc(1),
                payload: &payload,
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
}

fn outbound_frame(criterion: &mut Criterion) {
    let settings = outbound::Settings {
        codec: &CODECS[0],
        rate: SampleRate::HZ_8000,
        fmtp: String::new(),
        payload_type: PayloadType(0),
        event: None,
        ptime: Ptime::MS_20,
        sending: true,
    };
    let mut path = Outbound::new(Instant::ZERO, settings, Ssrc(1), 7);
    let samples = speech(SampleRate::HZ_24000, 480);
    let mut datagram = Vec::new();
    let mut now = Instant::ZERO;
    criterion.bench_function("rtp_path/out_24k_to_8k", |bencher| {
        bencher.iter(|| {
            path.enqueue(now, TurnId(1), SampleRate::HZ_24000, black_box(&samples));
            path.tick(now, &mut datagram);
            now += Duration::from_millis(20);
            black_box(datagram.len())
        });
    });
}

fn floor(criterion: &mut Criterion) {
    let mut payload = Vec::new();
    CODECS[0].encoder(&NARROW).encode(&speech(SampleRate::HZ_8000, 160), &mut payload);
    let (mut samples, mut wide) = (Vec::new(), Vec::new());
    let mut decoder = CODECS[0].decoder(SampleRate::HZ_8000);
    let mut up = Resampler::new(SampleRate::HZ_8000, SampleRate::HZ_16000).expect("rates divide");
    criterion.bench_function("rtp_path/floor_decode_resample_up", |bencher| {
        bencher.iter(|| {
            samples.clear();
            wide.clear();
            decoder.decode(black_box(&payload), &mut samples);
            up.process(&samples, &mut wide);
            black_box(wide.len())
        });
    });
    let source = speech(SampleRate::HZ_24000, 480);
    let mut encoder = CODECS[0].encoder(&NARROW);
    let mut down = Resampler::new(SampleRate::HZ_24000, SampleRate::HZ_8000).expect("rates divide");
    criterion.bench_function("rtp_path/floor_resample_down_encode", |bencher| {
        bencher.iter(|| {
            wide.clear();
            payload.clear();
            down.process(black_box(&source), &mut wide);
            encoder.encode(&wide, &mut payload);
            black_box(payload.len())
        });
    });
}

/// One packet of 20 ms of G.711 through each suite, and a forged one of a source that nobody knows.
fn protection(criterion: &mut Criterion) {
    let mut bytes = Vec::new();
    let mut packet = |sequence: u16| {
        let timestamp = u32::from(sequence) * 160;
        let payload = &[0x55; 160];
        Packet { marker: false, payload_type: PayloadType(0), sequence, timestamp, ssrc: Ssrc(7), payload }
            .write(&mut bytes);
        bytes.clone()
    };
    for suite in &srtp::SUITES {
        let key = vec![7; suite.key_bytes()];
        let mut outbound = srtp::Outbound::new(suite, &key).unwrap();
        let mut sequence = 0_u16;
        let plain = packet(0);
        criterion.bench_function(&format!("srtp/protect {}", suite.name), |bench| {
            let mut plain = plain.clone();
            bench.iter(|| {
                sequence = sequence.wrapping_add(1);
                plain[2..4].copy_from_slice(&sequence.to_be_bytes());
                black_box(outbound.protect(black_box(&plain)))
            });
        });
        let mut sealing = srtp::Outbound::new(suite, &key).unwrap();
        let sealed: Vec<_> = (0..20_000).map(|n| sealing.protect(&packet(n)).unwrap()).collect();
        criterion.bench_function(&format!("srtp/open {}", suite.name), |bench| {
            let mut inbound = srtp::Inbound::new(suite, &key).unwrap();
            let mut next = sealed.iter();
            bench.iter(|| {
                let bytes = next.next().unwrap_or_else(|| {
                    // From the start again, as a new stream: one key derivation in 20,000 packets.
                    inbound = srtp::Inbound::new(suite, &key).unwrap();
                    next = sealed.iter();
                    next.next().unwrap()
                });
                inbound.open(black_box(bytes)).unwrap()
            });
        });
        criterion.bench_function(&format!("srtp/forged {}", suite.name), |bench| {
            let mut inbound = srtp::Inbound::new(suite, &key).unwrap();
            bench.iter(|| inbound.open(black_box(&plain)).unwrap_err());
        });
    }
}

criterion_group!(benches, inbound_frame, outbound_frame, protection, floor);
criterion_main!(benches);
