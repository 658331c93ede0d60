//! Calls in each codec in virtual time: a phone that speaks it, a network that loses, the gateway's whole pipeline, an
//! agent that hears at 16 kHz and speaks at 24 kHz.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures and helpers of tests"
)]

#[path = "support/program.rs"]
mod program;

use program::{Home, finished_journals};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use voxgw::{
    agent::{
        event::{Command, Event as AgentEvent},
        local::echo::Echo,
    },
    call::{
        self, BargeIn, Early,
        journal::{Body, Direction, Header, InboundStats, Record},
        pipeline::{Input, Music, Output, Pipeline, Seat, Settings, SipAction},
        turn::Owner,
    },
    clock::{Instant, WallTime},
    media::{
        Tuning,
        codec::{self, CODECS, Codec, Decode, Encode, Wanted},
        dsp::tone::{share_at, sine},
        rtp::packet::Packet,
    },
    unit::{PayloadType, Ptime, SampleRate, Ssrc},
};

const TICK: Duration = Duration::from_millis(20);
const AMPLITUDE: f64 = 8_000.0;
/// Carried by wideband only; no whole number of periods in a packet.
const BRIGHT: f64 = 5_113.0;
const DARK: f64 = 613.0;

fn phone() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4_000))
}

fn by_name(name: &str) -> &'static Codec {
    codec::by_name(name).unwrap()
}

/// A phone's way of speaking one codec.
struct Voice {
    codec: &'static Codec,
    number: PayloadType,
    rate: SampleRate,
    encoder: Box<dyn Encode>,
}

impl Voice {
    fn new(name: &str, number: u8, fmtp: &str) -> Self {
        let codec = by_name(name);
        let rate = codec.rate_for(SampleRate::HZ_16000);
        Self { codec, number: PayloadType(number), rate, encoder: codec.encoder(&Wanted { rate, fmtp }) }
    }
}

/// The call and everything around it.
struct Call {
    pipeline: Pipeline,
    now: Instant,
    sequence: u16,
    timestamp: u32,
    /// Samples that the phone has said, at the rate of its voice.
    said: usize,
    /// What the agent heard, at 16 kHz.
    heard: Vec<i16>,
    /// RTP that left the gateway.
    sent: Vec<(Instant, PayloadType, u32, Vec<u8>)>,
    records: Vec<Record>,
    recording: (SampleRate, Vec<i16>),
    descriptions: Vec<String>,
}

impl Call {
    /// A call whose offer has these formats and attributes.
    fn offered(formats: &str) -> Self {
        Self::new(formats, Seat::Remote)
    }

    fn new(formats: &str, seat: Seat) -> Self {
        let mut call = Self::silent(seat, false);
        let offer = description(formats);
        call.give(Input::Offered(Some(offer.as_bytes())));
        call.give(Input::Agent(AgentEvent::Ready));
        call.give(Input::Acknowledged(None));
        call
    }

    fn silent(seat: Seat, calls_out: bool) -> Self {
        let remote = matches!(seat, Seat::Remote);
        let direction = if calls_out { Direction::Out } else { Direction::In };
        let settings = Settings {
            call: call::Settings {
                direction,
                owner: Owner::Provider,
                barge_in: BargeIn::Off,
                manners: Arc::default(),
                patience: Duration::from_secs(3),
                agent_silence: Duration::ZERO,
                max_duration: Duration::from_hours(1),
                ring_max: Duration::from_secs(30),
                waits: false,
                early: Early::Off,
            },
            header: Header { direction, ..Header::default() },
            wall: WallTime(0),
            codecs: CODECS.iter().collect(),
            ptime: Ptime::MS_20,
            tuning: Tuning::default(),
            rtp: SocketAddr::from(([192, 0, 2, 2], 10_000)),
            seed: 7,
            agent_rate: remote.then_some(SampleRate::HZ_16000),
            agent_speaks: SampleRate::HZ_24000,
            tools: [].into(),
            prebuffer: Duration::ZERO,
            apology: Arc::from([]),
            hold_music: Music::Off,
            record: true,
            tone: call::pipeline::recording::Tone::default(),
            srtp: call::pipeline::srtp::Settings::default(),
            we_are_caller: calls_out,
            media_timeout: Duration::ZERO,
            hang_up_after_silence: None,
            hang_up_after_turns: None,
        };
        let now = Instant::from_millis(1_000);
        Self {
            pipeline: Pipeline::new(now, settings, seat),
            now,
            sequence: 65_500,
            timestamp: u32::MAX - 40_000,
            said: 0,
            heard: Vec::new(),
            sent: Vec::new(),
            records: Vec::new(),
            recording: (SampleRate::HZ_8000, Vec::new()),
            descriptions: Vec::new(),
        }
    }

    fn give(&mut self, input: Input<'_>) {
        self.pipeline.handle(self.now, input);
        loop {
            match self.pipeline.poll() {
                Output::Timeout(_) => return,
                Output::Rtp(_, bytes) => {
                    let packet = Packet::parse(bytes).unwrap();
                    self.sent.push((self.now, packet.payload_type, packet.timestamp, packet.payload.to_vec()));
                }
                Output::Agent { command: Command::Audio { rate, samples }, .. } => {
                    assert_eq!(rate, SampleRate::HZ_16000);
                    self.heard.extend(samples);
                }
                Output::Record(record) => self.records.push(record),
                Output::Sound { rate, samples } => {
                    assert!(self.recording.1.is_empty() || self.recording.0 == rate, "one file, one rate");
                    self.recording.0 = rate;
                    self.recording.1.extend(samples);
                }
                Output::Sip(SipAction::Answer(text) | SipAction::AnswerReinvite(text) | SipAction::Reinvite(text)) => {
                    self.descriptions.push(text);
                }
                _ => {}
            }
        }
    }

    /// The phone's next 20 ms: `sound` is said, `lost` says whether the network loses the packet.
    fn tick(&mut self, voice: &mut Voice, frequency_hz: f64, lost: bool) {
        let count = voice.rate.samples_in(TICK);
        let mut samples = Vec::new();
        if frequency_hz > 0.0 {
            sine(frequency_hz, AMPLITUDE, voice.rate, self.said, count, &mut samples);
        }
        samples.resize(count, 0);
        self.said += count;
        let mut payload = Vec::new();
        voice.encoder.encode(&samples, &mut payload);
        let ticks = voice.codec.ticks_of(count, voice.rate);
        self.packet(voice.number, ticks, &payload, lost);
    }

    /// One packet of the phone; an empty one is not sent (DTX), but its time passes.
    fn packet(&mut self, number: PayloadType, ticks: u32, payload: &[u8], lost: bool) {
        let packet = Packet {
            marker: false,
            payload_type: number,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: Ssrc(9),
            payload,
        };
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        self.timestamp = self.timestamp.wrapping_add(ticks);
        if !payload.is_empty() {
            self.sequence = self.sequence.wrapping_add(1);
            if !lost {
                self.give(Input::Datagram { from: phone(), bytes: &bytes });
            }
        }
        self.pass(TICK);
    }

    /// Time passes.
    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while self.pipeline.timeout() <= until {
            self.now = self.pipeline.timeout().max(self.now);
            self.give(Input::Timeout);
        }
        self.now = until;
    }

    /// The agent says a tone at 24 kHz, all at once.
    fn agent_says(&mut self, frequency_hz: f64, ms: usize) {
        let mut samples = Vec::new();
        sine(frequency_hz, AMPLITUDE, SampleRate::HZ_24000, 0, 24 * ms, &mut samples);
        self.give(Input::Agent(AgentEvent::Audio { rate: SampleRate::HZ_24000, samples }));
        self.give(Input::Agent(AgentEvent::TurnComplete));
    }

    fn hang_up(&mut self) -> InboundStats {
        self.give(Input::SipEnded { by: "caller", status: None, reason: "BYE".into() });
        let summary = self.records.iter().rev().find_map(|record| match &record.body {
            Body::Summary(summary) => Some(summary.stats.inbound.clone()),
            _ => None,
        });
        summary.unwrap()
    }

    /// What the phone heard of packets with that number.
    fn at_phone(&self, name: &str, number: u8, rate: SampleRate) -> Vec<i16> {
        let mut decoder = by_name(name).decoder(rate);
        let mut samples = Vec::new();
        for (_, _, _, payload) in self.sent.iter().filter(|(_, payload_type, ..)| payload_type.0 == number) {
            decoder.decode(payload, &mut samples);
        }
        samples
    }
}

fn description(formats: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP {formats}")
}

/// Name, number and formats of each codec as a phone offers it.
const OFFERS: [(&str, u8, &str); 6] = [
    ("pcmu", 0, "0\r\n"),
    ("pcma", 8, "8\r\na=rtpmap:8 PCMA/8000\r\n"),
    ("g722", 9, "9\r\n"),
    ("opus", 107, "107\r\na=rtpmap:107 opus/48000/2\r\na=fmtp:107 useinbandfec=1\r\n"),
    ("l16", 98, "98\r\na=rtpmap:98 L16/16000\r\n"),
    ("l16-8k", 99, "99\r\na=rtpmap:99 L16/8000/1\r\n"),
];

/// The loudest second's share of a tone.
fn best_share(frequency_hz: f64, rate: SampleRate, samples: &[i16]) -> f64 {
    let second = rate.0 as usize / 2;
    samples.chunks_exact(second).map(|part| share_at(frequency_hz, rate, part)).fold(0.0, f64::max)
}

fn level(samples: &[i16]) -> f64 {
    (samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum::<f64>() / samples.len().max(1) as f64).sqrt()
}

#[test]
fn both_sides_hear_each_other_and_wideband_stays_wideband() {
    for (name, number, formats) in OFFERS {
        let wide = by_name(name).is_wideband();
        let frequency = if wide { BRIGHT } else { DARK };
        let mut call = Call::offered(formats);
        let mut voice = Voice::new(name, number, "");
        call.agent_says(frequency, 2_000);
        for _ in 0..150 {
            call.tick(&mut voice, frequency, false);
        }
        let stats = call.hang_up();
        assert_eq!((stats.lost, stats.concealed_percent), (0, 0.0), "{name}");
        assert!(best_share(frequency, SampleRate::HZ_16000, &call.heard) > 0.9, "{name}: the agent hears it");
        let rate = if wide { SampleRate::HZ_16000 } else { SampleRate::HZ_8000 };
        let there = call.at_phone(name, number, rate);
        assert!(best_share(frequency, rate, &there) > 0.9, "{name}: the phone hears it");
        // Both voices in the recording, at the rate that the codec is worth.
        assert_eq!(call.recording.0, rate, "{name}");
        for side in 0..2 {
            let channel: Vec<i16> = call.recording.1.chunks_exact(2).map(|pair| pair[side]).collect();
            assert!(best_share(frequency, rate, &channel) > 0.9, "{name}: side {side} of the recording");
        }
    }
}

#[test]
fn loss_is_concealed_and_the_timeline_stays_whole() {
    for (name, number, formats) in OFFERS {
        let mut call = Call::offered(formats);
        let mut voice = Voice::new(name, number, "useinbandfec=1");
        voice.encoder.expect_loss(10.0);
        let mut lost = 0;
        for n in 0..500_u32 {
            // One in ten alone, and once three in a row.
            let gone = n > 10 && (n % 10 == 3 || (300..303).contains(&n));
            lost += u64::from(gone);
            call.tick(&mut voice, DARK, gone);
        }
        call.pass(Duration::from_millis(100));
        let stats = call.hang_up();
        assert_eq!((stats.lost, stats.expected), (lost, 500), "{name}");
        let share = stats.concealed_percent;
        assert!((share - lost as f64 / 5.0).abs() < 1.5, "{name}: {share} % concealed, {lost} of 500 lost");
        // 10 s, of which the newest silence may be on its way.
        let seconds = call.heard.len() as f64 / 16_000.0;
        assert!((9.9..10.2).contains(&seconds), "{name}: {seconds} s");
        assert!(best_share(DARK, SampleRate::HZ_16000, &call.heard) > 0.75, "{name}");
        // Single losses leave no hole; the 60 ms burst fades at its end.
        let holes = call.heard[16_000..150_000].chunks(160).filter(|part| level(part) < 400.0).count();
        // Opus takes a steady tone for a voice, and joins what it makes up with other phases.
        let most = if name == "opus" { 15 } else { 3 };
        assert!(holes <= most, "{name}: {holes} holes of 10 ms in a steady tone");
    }
}

/// How much of the lost packets' sound the decoder brought back: likeness in the lost 20 ms.
fn likeness_in_gaps(fec: bool) -> f64 {
    let codec = by_name("opus");
    let rate = SampleRate::HZ_16000;
    let fmtp = if fec { "useinbandfec=1" } else { "" };
    let mut encoder = codec.encoder(&Wanted { rate, fmtp });
    encoder.expect_loss(20.0);
    let (mut clean, mut lossy) = (codec.decoder(rate), codec.decoder(rate));
    // Something that changes from packet to packet, as a voice does: a gliding buzz.
    let sound = |n: usize| {
        let t = n as f64 / 16_000.0;
        let phase = std::f64::consts::TAU * (140.0 * t + 30.0 * (2.3 * t).sin());
        ((1..12).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum::<f64>() * 5_000.0) as i16
    };
    let packets: Vec<Vec<u8>> = (0..250)
        .map(|n| {
            let frame: Vec<i16> = (n * 320..(n + 1) * 320).map(sound).collect();
            let mut payload = Vec::new();
            encoder.encode(&frame, &mut payload);
            payload
        })
        .collect();
    let (mut product, mut own, mut other) = (0.0, 0.0, 0.0);
    for (n, payload) in packets.iter().enumerate() {
        let (mut reference, mut made) = (Vec::new(), Vec::new());
        clean.decode(payload, &mut reference);
        if n % 5 == 4 && n + 1 < packets.len() {
            lossy.conceal(320, Some(&packets[n + 1]), &mut made);
            for (a, b) in reference.iter().zip(&made) {
                let (a, b) = (f64::from(*a), f64::from(*b));
                (product, own, other) = (product + a * b, own + a * a, other + b * b);
            }
        } else {
            lossy.decode(payload, &mut made);
        }
    }
    product / (own * other).sqrt()
}

#[test]
fn the_copy_in_the_next_packet_brings_a_lost_one_back() {
    let (with, without) = (likeness_in_gaps(true), likeness_in_gaps(false));
    assert!(with > 0.75 && with > without + 0.2, "{with:.3} with FEC, {without:.3} without");
}

#[test]
fn a_sender_that_leaves_out_silence_loses_nothing() {
    let (_, number, formats) = OFFERS[3];
    let mut call = Call::offered(formats);
    let mut voice = Voice::new("opus", number, "usedtx=1");
    let before = call.sequence;
    for n in 0..500_u32 {
        call.tick(&mut voice, if n % 200 < 50 { DARK } else { 0.0 }, false);
    }
    let packets = call.sequence.wrapping_sub(before);
    assert!(packets < 350, "{packets} packets of 500: the sender must have been silent");
    let stats = call.hang_up();
    assert_eq!((stats.lost, stats.concealed_percent), (0, 0.0), "a pause is not a loss");
    let seconds = call.heard.len() as f64 / 16_000.0;
    assert!((9.8..10.2).contains(&seconds), "{seconds} s reached the agent");
    assert!(stats.talk_percent < 40.0, "{stats:?}");
}

#[test]
fn we_leave_out_silence_for_those_who_like_that() {
    for (fmtp, most) in [("usedtx=1", 60), ("usedtx=0", 300)] {
        let formats = format!("107\r\na=rtpmap:107 opus/48000/2\r\na=fmtp:107 {fmtp}\r\n");
        let mut call = Call::offered(&formats);
        call.pass(Duration::from_secs(5));
        assert!((5..most).contains(&call.sent.len()), "{fmtp}: {}", call.sent.len());
        // Then a word: its timestamp says when it is, whatever was left out before it.
        call.agent_says(DARK, 200);
        call.pass(Duration::from_secs(1));
        let (first, last) = (call.sent.first().unwrap(), call.sent.last().unwrap());
        let apart_ms = last.0.signed_ms_since(first.0);
        let ticks = f64::from(last.2.wrapping_sub(first.2)) / 48.0;
        assert!((apart_ms - ticks).abs() <= 20.0, "{fmtp}: {apart_ms} ms, {ticks} ms by the timestamps");
        let there = call.at_phone("opus", 107, SampleRate::HZ_16000);
        let word = there.chunks(320).filter(|part| share_at(DARK, SampleRate::HZ_16000, part) > 0.9).count();
        assert!((8..=14).contains(&word), "{fmtp}: 20 ms times {word}");
    }
}

#[test]
fn comfort_noise_fills_the_pause_as_loud_as_told() {
    for (name, number, formats) in [OFFERS[0], OFFERS[2]] {
        let mut call = Call::offered(formats);
        let mut voice = Voice::new(name, number, "");
        for _ in 0..50 {
            call.tick(&mut voice, DARK, false);
        }
        let before = call.heard.len();
        // −50 dBov, white; described anew each second (RFC 3389).
        for _ in 0..3 {
            call.packet(PayloadType(13), 160, &[50], false);
            for _ in 0..49 {
                call.packet(voice.number, 160, &[], false);
            }
        }
        let noise = call.heard[before + 3_200..].to_vec();
        for _ in 0..50 {
            call.tick(&mut voice, DARK, false);
        }
        let db = 20.0 * (level(&noise) / 32_768.0).log10();
        assert!((-53.0..-48.0).contains(&db), "{name}: {db:.1} dBov");
        let seconds = call.heard.len() as f64 / 16_000.0;
        assert!((4.9..5.2).contains(&seconds), "{name}: {seconds} s");
        let stats = call.hang_up();
        assert_eq!((stats.lost, stats.concealed_percent, stats.refused), (0, 0.0, 0), "{name}");
    }
}

#[test]
fn a_sender_may_change_among_what_was_agreed() {
    let formats = "0 8 9 107\r\na=rtpmap:107 opus/48000/2\r\n";
    let mut call = Call::offered(formats);
    let mut voices =
        [("pcmu", 0), ("g722", 9), ("opus", 107), ("pcma", 8)].map(|(name, number)| Voice::new(name, number, ""));
    let frequencies = [DARK, BRIGHT, BRIGHT, DARK];
    for round in 0..2 {
        for (voice, frequency) in voices.iter_mut().zip(frequencies) {
            call.said = 0;
            for _ in 0..50 {
                call.tick(voice, frequency, false);
            }
            let newest = &call.heard[call.heard.len() - 10_000..];
            let share = share_at(frequency, SampleRate::HZ_16000, newest);
            assert!(share > 0.9, "round {round}, {}: {share:.3}", voice.codec.name);
        }
    }
    let seconds = call.heard.len() as f64 / 16_000.0;
    assert!((7.8..8.2).contains(&seconds), "{seconds} s: nothing is lost or doubled at the changes");
    let stats = call.hang_up();
    assert_eq!((stats.lost, stats.refused), (0, 0));
    assert!(stats.jitter_max_ms < 5.0, "a change of clock is no jitter: {stats:?}");
}

#[test]
fn a_reinvite_changes_the_codec_in_the_middle_of_a_word() {
    let mut call = Call::offered("0\r\n");
    let mut voice = Voice::new("pcmu", 0, "");
    call.agent_says(DARK, 3_000);
    for _ in 0..50 {
        call.tick(&mut voice, DARK, false);
    }
    let offer = description("9\r\n");
    call.give(Input::Reinvite(Some(offer.as_bytes())));
    assert!(call.descriptions.last().unwrap().contains("a=rtpmap:9 G722/8000"));
    let mut voice = Voice::new("g722", 9, "");
    for _ in 0..150 {
        call.tick(&mut voice, DARK, false);
    }
    let (narrow, wide) =
        (call.at_phone("pcmu", 0, SampleRate::HZ_8000), call.at_phone("g722", 9, SampleRate::HZ_16000));
    // The word goes on where it was: one second in the old codec, two in the new.
    let loud = |samples: &[i16], rate: usize| {
        samples.chunks(rate / 100).filter(|part| level(part) > 2_000.0).count() as f64 / 100.0
    };
    assert!((loud(&narrow, 8_000) - 1.0).abs() < 0.06, "{}", loud(&narrow, 8_000));
    assert!((loud(&wide, 16_000) - 2.0).abs() < 0.06, "{}", loud(&wide, 16_000));
    assert_eq!(call.recording.0, SampleRate::HZ_8000, "a recording keeps the rate that it began with");
    let media = call.records.iter().filter_map(|record| match &record.body {
        Body::Media(change) => Some(change.codec.as_str()),
        _ => None,
    });
    assert_eq!(media.collect::<Vec<_>>(), ["pcmu", "g722"]);
}

#[test]
fn each_direction_uses_the_receivers_numbers() {
    let mut call = Call::silent(Seat::Remote, true);
    let offer = call.pipeline.offer();
    assert!(offer.contains("a=rtpmap:111 opus/48000/2\r\na=fmtp:111 maxplaybackrate=16000;"), "{offer}");
    call.give(Input::Dialled);
    call.give(Input::Agent(AgentEvent::Ready));
    let answer = description("96 97\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/48000\r\n");
    call.give(Input::Answered(Some(answer.as_bytes())));
    // They send by our numbers, we by theirs.
    let mut voice = Voice::new("opus", 111, "");
    call.agent_says(BRIGHT, 1_000);
    for _ in 0..100 {
        call.tick(&mut voice, BRIGHT, false);
    }
    assert!(best_share(BRIGHT, SampleRate::HZ_16000, &call.heard) > 0.9);
    assert!(call.sent.iter().all(|(_, number, ..)| number.0 == 96));
    assert!(best_share(BRIGHT, SampleRate::HZ_16000, &call.at_phone("opus", 96, SampleRate::HZ_16000)) > 0.9);
    // A new offer of ours gives no number a second meaning.
    let again = call.pipeline.offer();
    assert!(again.contains("a=rtpmap:111 opus/48000/2"), "{again}");
}

#[test]
fn digits_last_as_long_as_they_say_at_48_khz() {
    let formats = "107 110\r\na=rtpmap:107 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\n";
    let mut call = Call::offered(formats);
    let mut voice = Voice::new("opus", 107, "");
    for _ in 0..10 {
        call.tick(&mut voice, DARK, false);
    }
    let start = call.timestamp;
    for n in 1..=8_u32 {
        let [.., high, low] = (960 * n.min(5)).to_be_bytes();
        let flags = if n > 5 { 0x8a } else { 0x0a };
        call.timestamp = start;
        call.packet(PayloadType(110), 0, &[7, flags, high, low], false);
    }
    call.timestamp = start.wrapping_add(8 * 960);
    call.give(Input::Press("4"));
    for _ in 0..30 {
        call.tick(&mut voice, DARK, false);
    }
    let digits: Vec<(char, u32, Direction)> = call
        .records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Dtmf(digit) => Some((digit.digit, digit.duration_ms, digit.direction)),
            _ => None,
        })
        .collect();
    assert_eq!(digits, [('7', 100, Direction::In), ('4', 100, Direction::Out)]);
    let events: Vec<&(Instant, PayloadType, u32, Vec<u8>)> =
        call.sent.iter().filter(|(_, number, ..)| number.0 == 110).collect();
    assert!(events.iter().all(|event| event.2 == events[0].2), "one timestamp for one digit");
    let longest = events.iter().map(|event| u16::from_be_bytes([event.3[2], event.3[3]])).max();
    assert_eq!(longest, Some(4_800), "100 ms at 48 kHz");
}

#[test]
fn the_echo_of_an_offline_agent_is_wideband_too() {
    for (name, number, formats) in [OFFERS[2], OFFERS[3], OFFERS[4]] {
        let mut call = Call::new(formats, Seat::Local(Box::new(Echo::new(true))));
        let mut voice = Voice::new(name, number, "");
        for _ in 0..100 {
            call.tick(&mut voice, BRIGHT, false);
        }
        let share = best_share(BRIGHT, SampleRate::HZ_16000, &call.at_phone(name, number, SampleRate::HZ_16000));
        assert!(share > 0.9, "{name}: {share:.3}");
    }
}

#[test]
fn recorded_sides_stay_together_through_loss() {
    // Both sides beep at the same moments; the caller's packets are lost one in ten.
    for ((name, number, formats), seconds) in [(OFFERS[0], 400), (OFFERS[2], 100), (OFFERS[3], 100)] {
        let mut call = Call::offered(formats);
        let mut voice = Voice::new(name, number, "");
        let rate = if name == "pcmu" { 8_000 } else { 16_000_usize };
        let mut apart = Vec::new();
        for second in 0..seconds {
            let beeps = second % 50 == 4;
            if beeps {
                call.agent_says(DARK, 200);
            }
            for n in 0..50 {
                let lost = second > 1 && !beeps && (second * 50 + n) % 10 == 7;
                call.tick(&mut voice, if beeps && n < 10 { DARK } else { 0.0 }, lost);
            }
            if beeps {
                call.pass(Duration::ZERO);
                let tail = call.recording.1.len().saturating_sub(2 * rate * 5 / 4);
                let onset = |side: usize| {
                    call.recording.1[tail..].chunks_exact(2).position(|pair| pair[side].unsigned_abs() > 2_500).unwrap()
                };
                apart.push((onset(0) as f64 - onset(1) as f64) * 1_000.0 / rate as f64);
                call.recording.1.clear();
            }
        }
        // The agent's packet is made at the tick after the phone's: both begin within a packet of each other, and
        // that distance may not change by a millisecond.
        let (least, most) =
            (apart.iter().copied().fold(f64::MAX, f64::min), apart.iter().copied().fold(f64::MIN, f64::max));
        assert!(most - least < 1.0 && least.abs() < 45.0, "{name}: {apart:?} ms apart");
    }
}

/// Gaps, sizes and payload types of any kind, for each codec: never a panic, bounded output.
#[test]
fn broken_payload_is_survived_in_the_middle_of_a_call() {
    for (name, number, formats) in OFFERS {
        let mut call = Call::offered(formats);
        let mut voice = Voice::new(name, number, "");
        let mut random = 1_u32;
        for n in 0..300_u32 {
            if n % 3 == 1 {
                let length = 1 + n as usize % 90;
                let bytes: Vec<u8> = (0..length)
                    .map(|_| {
                        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        random.to_be_bytes()[0]
                    })
                    .collect();
                call.packet(voice.number, voice.codec.ticks_of(voice.rate.samples_in(TICK), voice.rate), &bytes, false);
            } else {
                call.tick(&mut voice, DARK, false);
            }
        }
        let seconds = call.heard.len() as f64 / 16_000.0;
        assert!((4.0..14.0).contains(&seconds), "{name}: {seconds} s of 6");
    }
}

/// Decoders by the table are told apart by what they keep.
#[test]
fn a_decoder_of_each_row_starts_from_silence() {
    for row in CODECS {
        let mut decoder: Box<dyn Decode> = row.decoder(row.rates[0]);
        let mut samples = Vec::new();
        decoder.conceal(160, None, &mut samples);
        assert!(samples.len() == 160 && samples.iter().all(|sample| *sample == 0), "{}", row.name);
        assert_eq!(decoder.conceals(), row.name == "opus", "{}: only Opus conceals by itself", row.name);
    }
}

/// The program with a config: what trunk and agent allow, over real sockets.
#[test]
fn trunk_and_agent_have_their_say() {
    let home = Home::new();
    home.file(
        "voxgw.toml",
        "[agents.desk]\nkind = 'echo'\ncodecs = ['opus', 'g722', 'pcma']\n\
         [trunks.here]\nserver = 'sip:127.0.0.1:9'\nping = '0s'\ncodecs = ['pcmu', 'pcma', 'g722']\n",
    );
    let gateway = home.serve("desk", &[]);
    let flags = |codecs: &'static str| ["--silence", "--hangup-after", "300ms", "--codec", codecs];
    // The trunk forbids Opus, the agent µ-law; among the rest the caller's order decides.
    home.dial(&gateway.target(), &flags("opus,pcmu,pcma,g722")).exits(0);
    home.dial(&gateway.target(), &flags("opus,g722")).exits(0);
    let refused = home.dial(&gateway.target(), &flags("pcmu,opus"));
    assert_ne!(refused.code, Some(0), "neither is allowed by both: {refused:?}");
    let journals = finished_journals(&gateway.recordings, 3);
    let mut codecs: Vec<String> =
        journals.iter().map(|journal| journal.summary()["codec"].as_str().unwrap_or_default().to_owned()).collect();
    codecs.sort();
    assert_eq!(codecs, ["", "g722", "pcma"]);
    assert!(journals.iter().any(|journal| journal.summary()["status"] == 488), "{codecs:?}");
    gateway.stop().exits(0);
}
