//! Order, gaps, sources: what comes out of the way in.
#![expect(clippy::cast_possible_truncation, reason = "small numbers of tests")]

use super::*;
use crate::media::codec;

const CALLER: &str = "192.0.2.1:4000";
const STRANGER: &str = "198.51.100.9:4000";

fn inbound() -> Inbound {
    let settings = Settings {
        codecs: vec![(PayloadType(0), &codec::CODECS[0])],
        events: vec![(PayloadType(101), SampleRate::HZ_8000)],
        wanted: SampleRate::HZ_16000,
        described: Some(CALLER.parse().unwrap()),
        expected: true,
    };
    Inbound::new(Instant::ZERO, settings, Ptime::MS_20)
}

fn send(inbound: &mut Inbound, ms: u64, from: &str, sequence: u16) {
    let packet = Packet {
        marker: false,
        payload_type: PayloadType(0),
        sequence,
        timestamp: u32::from(sequence) * 160,
        ssrc: Ssrc(5),
        payload: &[0x55; 160],
    };
    let mut bytes = Vec::new();
    packet.write(&mut bytes);
    inbound.handle_rtp(Instant::from_millis(ms), from.parse().unwrap(), &bytes);
}

fn frames(inbound: &mut Inbound) -> Vec<(usize, bool)> {
    let mut samples = Vec::new();
    let mut frames = Vec::new();
    while let Some(out) = inbound.poll(&mut samples) {
        if let Out::Frame { concealed, .. } = out {
            frames.push((samples.len(), concealed));
        }
    }
    frames
}

#[test]
fn packets_in_order_pass_at_once_and_a_lost_one_is_concealed_after_the_window() {
    let mut inbound = inbound();
    send(&mut inbound, 0, CALLER, 1);
    assert_eq!(frames(&mut inbound), [(160, false)]);
    send(&mut inbound, 40, CALLER, 3);
    assert_eq!(frames(&mut inbound), []);
    assert_eq!(inbound.timeout(), Instant::from_millis(80));
    inbound.handle_timeout(Instant::from_millis(80));
    assert_eq!(frames(&mut inbound), [(160, true), (160, false)]);
    let stats = inbound.take_stats(Duration::from_secs(1), None);
    assert_eq!((stats.packets, stats.lost, stats.burst_max), (2, 1, 1));
}

#[test]
fn a_reordered_packet_is_put_right_without_concealment() {
    let mut inbound = inbound();
    for (ms, sequence) in [(0, 1), (20, 3), (25, 2), (60, 4)] {
        send(&mut inbound, ms, CALLER, sequence);
    }
    assert_eq!(frames(&mut inbound), [(160, false); 4]);
    assert_eq!(inbound.take_stats(Duration::from_secs(1), None).reordered, 1);
}

#[test]
fn when_packets_stop_the_agent_still_gets_silence_in_real_time() {
    let mut inbound = inbound();
    send(&mut inbound, 0, CALLER, 1);
    frames(&mut inbound);
    inbound.handle_timeout(Instant::from_millis(1_080));
    let filled: usize = frames(&mut inbound).iter().map(|(samples, _)| samples).sum();
    assert_eq!(filled, 8_000 + 160, "one second, from the 80th millisecond on");
}

#[test]
fn a_burst_of_late_packets_does_not_stretch_the_timeline() {
    let mut inbound = inbound();
    for n in 0..10 {
        send(&mut inbound, u64::from(n) * 20, CALLER, n);
    }
    // 200 ms of nothing, then what was held up arrives at once.
    inbound.handle_timeout(Instant::from_millis(380));
    for n in 10..20 {
        send(&mut inbound, 390, CALLER, n);
    }
    let (mut samples, mut end) = (Vec::new(), 0);
    while let Some(out) = inbound.poll(&mut samples) {
        if let Out::Frame { position, .. } = out {
            end = position + samples.len() as u64;
        }
    }
    assert_eq!(end, 20 * 160);
}

#[test]
fn a_stranger_is_not_heard_and_cannot_take_over() {
    let mut inbound = inbound();
    send(&mut inbound, 0, CALLER, 1);
    for n in 0..50 {
        send(&mut inbound, 20 + n * 20, CALLER, 2 + n as u16);
        send(&mut inbound, 25 + n * 20, STRANGER, 500 + n as u16);
    }
    assert_eq!(inbound.source(), CALLER.parse().ok());
    assert_eq!(inbound.take_stats(Duration::from_secs(1), None).refused, 50);
}

/// What came out: where to send to, in order.
fn latches(inbound: &mut Inbound) -> Vec<String> {
    let mut samples = Vec::new();
    let mut latches = Vec::new();
    while let Some(out) = inbound.poll(&mut samples) {
        if let Out::Latched(source) = out {
            latches.push(source.to_string());
        }
    }
    latches
}

#[test]
fn a_stranger_who_sends_first_gets_nothing_and_the_phone_is_heard() {
    // Two packets a second from the start; the phone comes 1.2 s later, from where it said.
    let mut inbound = inbound();
    for ms in (0..10_000_u64).step_by(20) {
        if ms % 500 == 0 {
            send(&mut inbound, ms, STRANGER, (ms / 500) as u16);
        }
        if ms >= 1_200 {
            send(&mut inbound, ms + 1, CALLER, (ms / 20) as u16);
        }
    }
    assert_eq!(latches(&mut inbound), [CALLER]);
    let stats = inbound.take_stats(Duration::from_secs(10), None);
    assert_eq!((stats.packets, stats.refused), (440, 20));
}

#[test]
fn the_phone_wins_back_from_a_stranger_who_sent_a_whole_stream() {
    let mut inbound = inbound();
    for n in 0..500_u64 {
        send(&mut inbound, n * 20, STRANGER, n as u16);
        if n >= 60 {
            send(&mut inbound, n * 20 + 1, CALLER, 7_000 + n as u16);
        }
    }
    assert_eq!(latches(&mut inbound), [STRANGER, CALLER]);
}

#[test]
fn a_phone_behind_nat_is_latched_after_five_packets_whenever_it_begins() {
    for begin in [0, 300, 30_000] {
        let mut inbound = inbound();
        for n in 0..4 {
            send(&mut inbound, begin + n * 20, STRANGER, n as u16);
            assert_eq!(inbound.source(), None);
        }
        assert_eq!(frames(&mut inbound), [], "not heard before it is believed");
        send(&mut inbound, begin + 80, STRANGER, 4);
        assert_eq!(inbound.source(), STRANGER.parse().ok(), "symmetric RTP");
        assert_eq!(inbound.take_stats(Duration::from_secs(1), None).refused, 0, "they were the phone's");
    }
}

#[test]
fn what_signalling_moves_is_learned_anew_and_what_it_leaves_stays() {
    let mut inbound = inbound();
    for n in 0..5 {
        send(&mut inbound, n * 20, STRANGER, n as u16);
    }
    let settings = inbound.settings.clone();
    inbound.renegotiate(Instant::from_millis(100), settings.clone());
    assert_eq!(inbound.source(), STRANGER.parse().ok(), "a hold, a resume: the phone has not moved");
    let moved = "192.0.2.77:4000";
    inbound.renegotiate(Instant::from_millis(120), Settings { described: moved.parse().ok(), ..settings });
    send(&mut inbound, 140, STRANGER, 5);
    send(&mut inbound, 150, CALLER, 900);
    assert_eq!(inbound.source(), None, "neither the old source nor the old description");
    send(&mut inbound, 160, moved, 1);
    send(&mut inbound, 161, CALLER, 901);
    assert_eq!(inbound.source(), moved.parse().ok());
}

#[test]
fn a_moved_phone_is_followed_after_silence_and_five_packets() {
    let mut inbound = inbound();
    send(&mut inbound, 0, CALLER, 1);
    for n in 0..5 {
        assert_eq!(inbound.source(), CALLER.parse().ok());
        send(&mut inbound, 3_000 + n * 20, STRANGER, 2 + n as u16);
    }
    assert_eq!(inbound.source(), STRANGER.parse().ok());
    send(&mut inbound, 4_000, CALLER, 100);
    assert_eq!(inbound.source(), CALLER.parse().ok(), "and it comes back at once to where it said it is");
}
