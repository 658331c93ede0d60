//! One call's whole machine for 20 ms: a packet in, the agent's echo, a packet out. No sockets, virtual time.
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
use std::{hint::black_box, net::SocketAddr, sync::Arc, time::Duration};
use voxgw::{
    agent::local::echo::Echo,
    call::{
        self, BargeIn,
        journal::{Direction, Header},
        pipeline::{Input, Output, Pipeline, Seat, Settings},
        turn::Owner,
    },
    clock::{Instant, WallTime},
    media::{
        codec::{CODECS, Wanted},
        dsp::tone,
        rtp::packet::Packet,
    },
    unit::{PayloadType, Ptime, SampleRate, Ssrc},
};

const OFFER: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fn pipeline() -> Pipeline {
    let settings = Settings {
        tone: call::pipeline::recording::Tone::default(),
        srtp: call::pipeline::srtp::Settings::default(),
        call: call::Settings {
            direction: Direction::In,
            owner: Owner::Offline,
            barge_in: BargeIn::Off,
            manners: Arc::default(),
            patience: Duration::from_secs(3),
            max_duration: Duration::from_hours(2_000),
            agent_silence: Duration::ZERO,
            ring_max: Duration::from_secs(30),
            early: call::Early::Off,
            waits: false,
        },
        header: Header::default(),
        wall: WallTime(0),
        codecs: CODECS.iter().collect(),
        ptime: Ptime::MS_20,
        tuning: voxgw::media::Tuning::default(),
        rtp: SocketAddr::from(([192, 0, 2, 2], 10_000)),
        seed: 7,
        agent_rate: None,
        agent_speaks: SampleRate::HZ_16000,
        tools: [].into(),
        prebuffer: Duration::from_millis(40),
        apology: Arc::from([]),
        hold_music: call::pipeline::Music::Off,
        record: false,
        we_are_caller: false,
        media_timeout: Duration::ZERO,
        hang_up_after_silence: None,
        hang_up_after_turns: None,
    };
    Pipeline::new(Instant::ZERO, settings, Seat::Local(Box::new(Echo::new(true))))
}

fn drain(pipeline: &mut Pipeline) -> usize {
    let mut packets = 0;
    loop {
        match pipeline.poll() {
            Output::Timeout(_) => return packets,
            Output::Rtp(_, bytes) => packets += black_box(bytes).len().min(1),
            _ => {}
        }
    }
}

fn tick(criterion: &mut Criterion) {
    let mut pipeline = pipeline();
    pipeline.handle(Instant::ZERO, Input::Offered(Some(OFFER.as_bytes())));
    drain(&mut pipeline);
    pipeline.handle(Instant::ZERO, Input::Acknowledged(None));
    drain(&mut pipeline);
    let source = SocketAddr::from(([192, 0, 2, 1], 4000));
    let (mut samples, mut payload, mut datagram) = (Vec::new(), Vec::new(), Vec::new());
    tone::sine(310.0, 8_000.0, SampleRate::HZ_8000, 0, 160, &mut samples);
    CODECS[0].encoder(&Wanted { rate: SampleRate::HZ_8000, fmtp: "" }).encode(&samples, &mut payload);
    let mut n = 0_u32;
    criterion.bench_function("session_tick/packet_in_echo_packet_out", |bencher| {
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
            let now = Instant::from_millis(u64::from(n) * 20);
            pipeline.handle(now, Input::Datagram { from: source, bytes: &datagram });
            let mut packets = drain(&mut pipeline);
            pipeline.handle(now, Input::Timeout);
            packets += drain(&mut pipeline);
            packets
        });
    });
}

criterion_group!(benches, tick);
criterion_main!(benches);
