//! One direction of a bridge under the network's moods: from the packets of one leg to those of the other.

use super::{
    golden,
    playout::{PATTERNS, Pattern, SECONDS, arrivals},
    sounds::{Chance, voice},
};
use std::fmt::Write as _;
use voxgw::{
    clock::Instant,
    media::{
        codec,
        inbound::{Inbound, Out, Settings},
        relay::{Counters, FarSound, Relay},
        rtp::{packet::Packet, playout::Figures},
    },
    unit::{PayloadType, Ptime, SampleRate, Ssrc},
};

const HZ: SampleRate = SampleRate::HZ_8000;

/// One leg's packets in, the other leg's out.
struct Bridge {
    inbound: Inbound,
    relay: Relay,
    heard: Vec<i16>,
}

impl Bridge {
    fn new() -> Self {
        let law = &codec::CODECS[0];
        let settings = Settings {
            codecs: vec![(PayloadType(0), law)],
            events: Vec::new(),
            wanted: HZ,
            described: None,
            expected: true,
        };
        let mut inbound = Inbound::new(Instant::ZERO, settings, Ptime::MS_20);
        inbound.keep_payloads();
        Self { inbound, relay: Relay::new(law, HZ, Ptime::MS_20), heard: Vec::new() }
    }

    fn arrives(&mut self, at: Instant, sequence: usize, timestamp: u32, frame: &[i16]) {
        let mut payload = Vec::new();
        let law = &codec::CODECS[0];
        law.encoder(&codec::Wanted { rate: HZ, fmtp: "" }).encode(frame, &mut payload);
        let sequence = sequence as u16;
        let packet = Packet {
            marker: false,
            payload_type: PayloadType(0),
            sequence,
            timestamp,
            ssrc: Ssrc(7),
            payload: &payload,
        };
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        self.inbound.handle_rtp(at, "192.0.2.1:4000".parse().unwrap(), &bytes);
        self.pass();
    }

    fn pass(&mut self) {
        let mut samples = Vec::new();
        while let Some(out) = self.inbound.poll(&mut samples) {
            if let Out::Frame { rate, at, position, .. } = out {
                let (payload, is_filling) = (self.inbound.payload(), self.inbound.is_filling());
                let codec = self.inbound.codec();
                self.relay.push(&FarSound {
                    at,
                    position,
                    is_filling,
                    is_digit: false,
                    codec,
                    rate,
                    payload,
                    samples: &samples,
                });
            }
        }
    }

    /// Time passes until a packet goes out; whether one did.
    fn goes_out(&mut self, now: Instant) -> bool {
        while self.inbound.timeout() <= now {
            let at = self.inbound.timeout();
            self.inbound.handle_timeout(at);
            self.pass();
        }
        let is_sound = self.relay.take(now);
        if is_sound {
            let (payload, samples) = self.relay.taken();
            assert_eq!(samples.len(), 160);
            if payload.is_empty() {
                self.heard.extend_from_slice(samples);
            } else {
                codec::CODECS[0].decoder(HZ).decode(payload, &mut self.heard);
            }
        } else {
            self.heard.extend_from_slice(&[0; 160]);
        }
        is_sound
    }
}

struct Outcome {
    figures: Figures,
    counters: Counters,
    loss: f64,
    delay_max_ms: f64,
    made_up: f64,
    step_max: i32,
}

fn run(pattern: &Pattern, sound: &[i16]) -> Outcome {
    let (arrivals, lost, sent) = arrivals(pattern, sound);
    let mut arrivals = arrivals.into_iter().peekable();
    let mut bridge = Bridge::new();
    let mut delay_max_ms = 0.0_f64;
    for tick in 0..(SECONDS * 50) as u64 {
        let now = Instant::from_micros(tick * 20_000 + 7_000);
        while let Some((micros, timestamp, frame, n)) =
            arrivals.next_if(|(micros, ..)| Instant::from_micros(*micros) <= now)
        {
            let at = Instant::from_micros(micros);
            while bridge.inbound.timeout() <= at {
                let due = bridge.inbound.timeout();
                bridge.inbound.handle_timeout(due);
                bridge.pass();
            }
            bridge.arrives(at, n, timestamp, frame);
        }
        bridge.goes_out(now);
        if tick > 50 {
            delay_max_ms = delay_max_ms.max(bridge.relay.figures().map_or(0.0, |figures| figures.delay_ms));
        }
    }
    let made_up = bridge.inbound.take_stats(std::time::Duration::from_secs(SECONDS as u64), None).concealed_percent;
    let steps = bridge.heard.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs());
    Outcome {
        figures: bridge.relay.figures().unwrap(),
        counters: bridge.relay.counters(),
        loss: lost as f64 / sent as f64,
        delay_max_ms,
        made_up,
        step_max: steps.max().unwrap(),
    }
}

#[test]
fn figures_of_a_bridge_are_as_known() {
    let sound = voice(SECONDS);
    let steady_step = sound.windows(2).map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs()).max().unwrap();
    let mut table = String::from(
        "pattern                   |  pass%  late | concl%  more%  insert  drop ms | target delay  max ms\n",
    );
    for pattern in PATTERNS {
        let Outcome { figures, counters, loss, delay_max_ms, made_up, step_max } = run(pattern, &sound);
        let packets = (counters.passed + counters.transcoded) as f64;
        let passed = counters.passed as f64 * 100.0 / packets;
        let more = figures.concealed_ms * 100.0 / figures.played_ms;
        let _ = writeln!(
            table,
            "{:25} | {passed:6.1} {:5} | {made_up:6.1} {more:6.1} {:7.0} {:8.0} | {:6.0} {:5.0} {delay_max_ms:7.0}",
            pattern.name, figures.late, figures.inserted_ms, figures.dropped_ms, figures.target_ms, figures.delay_ms,
        );
        let name = pattern.name;
        assert!(delay_max_ms <= 240.0, "{name}: {delay_max_ms}");
        assert!(more + made_up < 100.0 * (1.4 * loss + 0.04), "{name}: {made_up} and {more} made up, {loss} lost");
        assert!((figures.delay_ms - figures.target_ms).abs() < 60.0, "{name}: {figures:?}");
        assert!(step_max < 2 * steady_step, "{name}: a click of {step_max}, the voice itself has {steady_step}");
        if pattern.ptime_ms == 20 && pattern.loss == 0.0 && pattern.jitter_ms == 0.0 {
            assert!(passed > 70.0, "{name}: {counters:?}");
        }
    }
    golden("bridge.txt", &table);
}

#[test]
fn on_a_calm_line_every_packet_passes_as_it_came_and_waits_no_longer_than_a_packet_and_the_tick() {
    let sound = voice(SECONDS);
    let Outcome { figures, counters, delay_max_ms, .. } = run(&PATTERNS[0], &sound);
    assert_eq!((counters.transcoded, counters.dropped, counters.underruns), (0, 0, 0));
    assert!(delay_max_ms <= 40.0, "{delay_max_ms}");
    assert_eq!((figures.inserted_ms, figures.dropped_ms), (0.0, 0.0), "{figures:?}");
}

#[test]
fn the_wait_grows_with_the_jitter_and_shrinks_again() {
    let sound = voice(60);
    let mut chance = Chance(3);
    let mut packets: Vec<(u64, usize)> = (0..2_900)
        .map(|n| {
            // Jitter of 80 ms from the 10th to the 20th second.
            let jitter_ms = if (500..1_000).contains(&n) { chance.next() * 80.0 } else { 0.0 };
            (n as u64 * 20_000 + (jitter_ms * 1e3) as u64, n)
        })
        .collect();
    packets.sort_unstable();
    let mut packets = packets.into_iter().peekable();
    let mut bridge = Bridge::new();
    let mut delays = Vec::new();
    for tick in 0..2_900_u64 {
        let now = Instant::from_micros(tick * 20_000 + 3_000);
        while let Some((micros, n)) = packets.next_if(|(micros, _)| Instant::from_micros(*micros) <= now) {
            bridge.arrives(Instant::from_micros(micros), n, n as u32 * 160, &sound[n * 160..][..160]);
        }
        bridge.goes_out(now);
        delays.push(bridge.relay.figures().map_or(0.0, |figures| figures.delay_ms));
    }
    let mean = |from: usize, to: usize| delays[from * 50..to * 50].iter().sum::<f64>() / ((to - from) * 50) as f64;
    assert!(mean(5, 10) < 45.0, "calm: {}", mean(5, 10));
    assert!(mean(11, 20) > 60.0, "after one second of jitter: {}", mean(11, 20));
    assert!(mean(45, 57) < 50.0, "calm again: {}", mean(45, 57));
}
