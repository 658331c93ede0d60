//! What the packet path takes from the allocator once it runs: nothing. Opus alone does, inside its crate: some for a
//! packet that it encodes, some for a lost one that it reads from the next. And what a call that says nothing holds.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "figures and helpers of tests")]
#![expect(unsafe_code, reason = "an allocator can only be counted by being one")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    net::SocketAddr,
    time::Duration,
};
use voxgw::{
    clock::Instant,
    media::{
        codec::{CODECS, Codec, Wanted},
        dsp::{
            mix::{MemberId, Role},
            resample::Resampler,
            tone,
        },
        inbound::{self, Inbound},
        outbound::{self, Outbound},
        recorder::{Recorder, Side},
        relay::{FarSound, Relay},
        room::Room,
        rtp::packet::Packet,
    },
    sip::{
        endpoint::{self, Command, Endpoint, Event, Output},
        tx::{Path, Transport},
    },
    unit::{PayloadType, Ptime, SampleRate, Ssrc, TurnId},
};

/// The system's allocator, counted per thread.
struct Counting;

/// Bytes that this thread has got more than it gave back.
fn grown(bytes: usize, sign: i64) {
    let _ = LIVE.try_with(|live| live.set(live.get() + sign * i64::try_from(bytes).unwrap_or(i64::MAX)));
}

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size(), 1);
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        grown(layout.size(), -1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grown(size, 1);
        grown(layout.size(), -1);
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations of this thread within `work`.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

const WARM: u32 = 300;
const COUNTED: u32 = 500;

fn caller() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4_000))
}

/// A second of sound at a rate, again and again, encoded.
fn packets(codec: &'static Codec, rate: SampleRate) -> Vec<Vec<u8>> {
    let mut encoder = codec.encoder(&Wanted { rate, fmtp: "useinbandfec=1" });
    let mut samples = Vec::new();
    tone::sine(440.0, 9_000.0, rate, 0, rate.0 as usize, &mut samples);
    let packet = |frame: &[i16]| {
        let mut payload = Vec::new();
        encoder.encode(frame, &mut payload);
        payload
    };
    samples.chunks_exact(rate.0 as usize / 50).map(packet).collect()
}

/// RTP in → frames → 16 kHz → recording; one packet in ten is lost.
fn inbound(codec: &'static Codec) -> u64 {
    let rate = codec.rate_for(SampleRate::HZ_16000);
    let payloads = packets(codec, rate);
    let settings = inbound::Settings {
        codecs: vec![(codec.payload_type, codec)],
        events: Vec::new(),
        wanted: SampleRate::HZ_16000,
        described: Some(caller()),
        expected: true,
    };
    let mut path = Inbound::new(Instant::ZERO, settings, Ptime::MS_20);
    let mut resampler = Resampler::new(rate, SampleRate::HZ_16000).unwrap();
    let (mut datagram, mut samples, mut wide) = (Vec::new(), Vec::new(), Vec::new());
    let step = codec.ticks_of(rate.0 as usize / 50, rate);
    let mut run = |from: u32, to: u32| {
        for n in from..to {
            let now = Instant::from_millis(u64::from(n) * 20);
            while path.timeout() <= now {
                path.handle_timeout(path.timeout());
            }
            if n % 10 != 7 {
                let packet = Packet {
                    marker: false,
                    payload_type: codec.payload_type,
                    sequence: n as u16,
                    timestamp: n * step,
                    ssrc: Ssrc(1),
                    payload: &payloads[n as usize % payloads.len()],
                };
                packet.write(&mut datagram);
                path.handle_rtp(now, caller(), &datagram);
            }
            while let Some(out) = path.poll(&mut samples) {
                if matches!(out, inbound::Out::Frame { .. }) {
                    wide.clear();
                    resampler.process(&samples, &mut wide);
                }
            }
        }
    };
    run(0, WARM);
    allocations(|| run(WARM, WARM + COUNTED))
}

/// Sound at 24 kHz → queue → RTP out, and silence.
fn outbound(codec: &'static Codec) -> u64 {
    let settings = outbound::Settings {
        codec,
        rate: codec.rate_for(SampleRate::HZ_24000),
        fmtp: String::new(),
        payload_type: codec.payload_type,
        event: Some((PayloadType(101), SampleRate::HZ_8000)),
        ptime: Ptime::MS_20,
        sending: true,
    };
    let mut path = Outbound::new(Instant::ZERO, settings, Ssrc(1), 7);
    let mut samples = Vec::new();
    tone::sine(440.0, 9_000.0, SampleRate::HZ_24000, 0, 480, &mut samples);
    let mut datagram = Vec::new();
    let mut run = |from: u32, to: u32| {
        for n in from..to {
            let now = Instant::from_millis(u64::from(n) * 20);
            // Two seconds of voice, one of silence.
            if n % 150 < 100 {
                path.enqueue(now, TurnId(1 + n / 150), SampleRate::HZ_24000, &samples);
            } else if n % 150 == 100 {
                path.complete(TurnId(1 + n / 150));
            }
            while path.timeout() <= now {
                path.tick(path.timeout(), &mut datagram);
            }
        }
    };
    run(0, WARM);
    allocations(|| run(WARM, WARM + COUNTED))
}

#[test]
fn packets_in_take_nothing_from_the_allocator() {
    let found: Vec<(&str, u64)> = CODECS.iter().map(|codec| (codec.name, inbound(codec))).collect();
    println!("allocations of {COUNTED} packets in, one in ten lost: {found:?}");
    for (name, count) in found {
        // One packet in ten is lost; for those the crate reads the frames of the packet behind.
        let most = if name == "opus" { u64::from(COUNTED) / 10 * 4 } else { 0 };
        assert!(count <= most, "{name}: {count}");
    }
}

#[test]
fn packets_out_take_nothing_from_the_allocator() {
    let found: Vec<(&str, u64)> = CODECS.iter().map(|codec| (codec.name, outbound(codec))).collect();
    println!("allocations of {COUNTED} packets out: {found:?}");
    for (name, count) in found {
        let most = if name == "opus" { u64::from(COUNTED) * 10 } else { 0 };
        assert!(count <= most, "{name}: {count}");
    }
}

/// Pieces of the recording are handed over whole: one allocation for an eighth of a second.
#[test]
fn a_recording_takes_one_buffer_for_each_piece() {
    for (rate, own) in [(SampleRate::HZ_8000, SampleRate::HZ_8000), (SampleRate::HZ_24000, SampleRate::HZ_16000)] {
        let mut recorder = Recorder::new(own);
        let frame = vec![100; rate.samples_in(Duration::from_millis(20))];
        let mut run = |from: u64, to: u64| {
            let mut pieces = 0;
            for n in from..to {
                for side in [Side::Caller, Side::Agent] {
                    // A sender's clock that runs wrong costs a sample now and then.
                    recorder.add(side, n * u64::from(own.0) / 50, rate, &frame, i8::from(n % 50 == 0));
                }
                pieces += u64::from(recorder.take_piece().is_some());
            }
            pieces
        };
        run(0, 200);
        let mut pieces = 0;
        let count = allocations(|| pieces = run(200, 1_000));
        assert!(pieces > 100 && count <= pieces, "{count} allocations, {pieces} pieces");
    }
}

/// Frame `n` of a leg that speaks in G.711 and comes unevenly.
fn far<'a>(n: u32, payload: &'a [u8], samples: &'a [i16]) -> FarSound<'a> {
    let late_us = u64::from(n * 7 % 13) * 1_500;
    FarSound {
        at: Instant::from_micros(u64::from(n) * 20_000 + late_us),
        position: u64::from(n) * 160,
        is_filling: false,
        is_digit: false,
        codec: &CODECS[0],
        rate: SampleRate::HZ_8000,
        payload,
        samples,
    }
}

#[test]
fn what_passes_from_leg_to_leg_and_through_a_conference_takes_nothing_from_the_allocator() {
    let mut samples = Vec::new();
    tone::sine(440.0, 9_000.0, SampleRate::HZ_8000, 0, 160, &mut samples);
    let payload = vec![0x42; 160];
    for (codec, rate) in [(&CODECS[0], SampleRate::HZ_8000), (&CODECS[2], SampleRate::HZ_16000)] {
        let mut relay = Relay::new(codec, rate, Ptime::MS_20);
        let mut run = |from: u32, to: u32| {
            for n in from..to {
                if n % 10 != 7 {
                    relay.push(&far(n, &payload, &samples));
                }
                relay.take(Instant::from_millis(u64::from(n) * 20 + 19));
            }
        };
        run(0, WARM * 4);
        assert_eq!(allocations(|| run(WARM * 4, WARM * 4 + COUNTED)), 0, "{codec:?}");
    }
    let mut room = Room::new(Instant::ZERO, true);
    (0..3).for_each(|id| room.join(MemberId(id), Role::Talks));
    let mut heard = Vec::new();
    let mut run = |from: u32, to: u32| {
        for n in from..to {
            for id in 0..3 {
                room.say(MemberId(id), &far(n, &[], &samples));
                room.advance(Instant::from_millis(u64::from(n) * 20 + 19));
                room.hear(MemberId(id), &mut heard);
            }
        }
    };
    run(0, WARM * 4);
    assert_eq!(allocations(|| run(WARM * 4, WARM * 4 + COUNTED)), 0, "the room");
}

/// What a telephone sends, and the To with our tag that it was given.
fn said(method: &str, n: usize, to: &str, cseq: u32) -> String {
    let body =
        "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n";
    let body = if method == "INVITE" { body } else { "" };
    format!(
        "{method} sip:us@203.0.113.5 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{n}{method}\r\n\
         From: <sip:caller@example.org>;tag=f{n}\r\nTo: {to}\r\nCall-ID: {n}@192.0.2.10\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:caller@192.0.2.10:5060>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn an_idle_dialog_takes_less_than_eight_kibibytes_and_nothing_is_left_of_it() {
    const COUNT: usize = 500;
    const CALLS: i64 = 500;
    let [remote, local] = ["192.0.2.10:5060", "203.0.113.5:5060"].map(|text| text.parse().unwrap());
    let path = Path { transport: Transport::Udp, remote, local, connection: None };
    let mut endpoint = Endpoint::new(endpoint::Settings::default());
    let live = || LIVE.with(Cell::get);
    // A round of calls first: tables grow once and keep their size.
    let mut figures = Vec::new();
    let mut now = Instant::ZERO;
    for round in 0..2 {
        let before = live();
        let mut tags = Vec::with_capacity(COUNT);
        for n in 0..COUNT {
            now += Duration::from_millis(60);
            let n = n + round * COUNT;
            endpoint.handle(now, path, said("INVITE", n, "<sip:us@203.0.113.5>", 1).as_bytes());
            let mut to = String::new();
            loop {
                match endpoint.poll() {
                    Output::Timeout(_) => break,
                    Output::Event(Event::Invite(leg, _)) => {
                        endpoint.command(now, Command::Answer(leg, "v=0\r\n".repeat(40)));
                    }
                    Output::Transmit(_, bytes) => {
                        let text = String::from_utf8(bytes).unwrap();
                        text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap().clone_into(&mut to);
                    }
                    _ => {}
                }
            }
            endpoint.handle(now, path, said("ACK", n, &to, 1).as_bytes());
            while !matches!(endpoint.poll(), Output::Timeout(_)) {}
            tags.push(to);
        }
        now += Duration::from_secs(33);
        endpoint.handle_timeout(now);
        while !matches!(endpoint.poll(), Output::Timeout(_)) {}
        assert_eq!(endpoint.alive(), (0, COUNT, COUNT), "the INVITE transactions are over");
        let held = live() - before;
        for (n, to) in tags.iter().enumerate() {
            endpoint.handle(now, path, said("BYE", n + round * COUNT, to, 2).as_bytes());
            while !matches!(endpoint.poll(), Output::Timeout(_)) {}
        }
        now += Duration::from_secs(33);
        endpoint.handle_timeout(now);
        while !matches!(endpoint.poll(), Output::Timeout(_)) {}
        assert_eq!(endpoint.alive(), (0, 0, 0), "64·T1 after the last call");
        drop(tags);
        figures.push((held / CALLS, live() - before));
    }
    let (each, left) = figures[1];
    assert!((500..8 * 1_024).contains(&each), "{each} bytes a dialog");
    assert!(left < 1_024, "{left} bytes are left of {COUNT} calls: {figures:?}");
}
