//! One call in virtual time: the gateway's pipeline, a phone, a provider and the network between them, all seeded.
//!
//! The world keeps one agenda of what happens outside the pipeline and always goes to the earliest of that agenda and
//! the time that the pipeline asked for. Nothing here reads a clock, so a seed gives the same call byte for byte.
//! Times in tests are milliseconds since [`ORIGIN`], the moment of the INVITE.

use base64::Engine as _;
use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use voxgw::{
    agent::{
        event::{Action, Command, Event as AgentEvent, Outcome, Sound as Played},
        local::{
            LocalAgent,
            scripted::{Script, Scripted},
        },
        wire::tool::Tool,
    },
    call::{
        BargeIn, Early, Settings as CallSettings,
        journal::{Body, Direction, Header, Record, SCHEMA, Summary, Turn, Who},
        manners::Manners,
        pipeline::{
            Bridged, Input, Music, Newcomer, Output, Pipeline, Seat, Settings, SipAction, recording::Tone, srtp::Seed,
            srtp::Settings as Encryption,
        },
        tools::{Answer, Run},
        turn::Owner,
    },
    clock::{Instant, WallTime},
    gateway::line::{Chair, End, Lines},
    media::{
        codec,
        dsp::tone::{share_at, sine},
        rtp::{packet::Packet, srtp},
    },
    redact::Pii,
    sip::sdp::{
        Description,
        crypto::{Crypto, Policy},
    },
    unit::{CallId, PayloadType, Ptime, SampleRate, Ssrc},
};

/// The moment of the INVITE. Not the clock's zero, so that a forgotten origin shows.
pub const ORIGIN: Instant = Instant::from_millis(5_000);
/// Where the phone sends from and hears.
pub const PHONE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)), 4_000);
/// Frequency of the apology.
pub const APOLOGY_HZ: f64 = 700.0;

const GATEWAY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 5)), 10_000);
const EVENT: PayloadType = PayloadType(101);
const TICK_SAMPLES: usize = 160;
const AMPLITUDE: f64 = 8_000.0;
/// What a packet that loses its place waits longer than its neighbours.
const HELD_BACK: Duration = Duration::from_millis(25);
/// So many things may happen in one instant; more is a machine that makes no progress.
const STEPS_MAX: u32 = 20_000;

/// Milliseconds since the INVITE.
pub fn ms(at: Instant) -> f64 {
    at.signed_ms_since(ORIGIN)
}

/// The moment `ms` milliseconds after the INVITE.
pub fn at_ms(ms: u64) -> Instant {
    ORIGIN + Duration::from_millis(ms)
}

// Chance

/// Splitmix64: small, seeded, the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A source that always gives the same for the same `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    /// True in `percent` of all cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(10_000) < percent * 100
    }

    /// A span up to `most`, in microseconds.
    pub fn span(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap();
        Duration::from_micros(self.below(micros + 1))
    }

    /// One of `choices`.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    /// Up to `most` bytes of anything.
    pub fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.draw().to_le_bytes()[0]).collect()
    }
}

// The network

/// What a direction of the network does to packets.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// Lost for ever.
    pub loss_percent: u64,
    /// Held back behind their successors.
    pub reorder_percent: u64,
    /// Delivered twice.
    pub duplicate_percent: u64,
    /// Added to each packet's delay, evenly from zero to this.
    pub jitter: Duration,
    /// What every packet takes.
    pub delay: Duration,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            loss_percent: 0,
            reorder_percent: 0,
            duplicate_percent: 0,
            jitter: Duration::ZERO,
            // No multiple of a packet: ticks and arrivals do not fall together.
            delay: Duration::from_millis(23),
        }
    }
}

/// What became of the packets between the first and the last that arrived: all that a receiver can know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Sent.
    pub expected: u64,
    /// Arrived at least once.
    pub packets: u64,
    /// Never arrived.
    pub lost: u64,
    /// Arrived again.
    pub duplicate: u64,
}

/// One direction.
#[derive(Debug)]
pub struct Network {
    faults: Faults,
    random: Random,
    /// Copies delivered of each packet, in the order of sending.
    copies: Vec<u64>,
}

impl Network {
    fn new(faults: Faults, seed: u64) -> Self {
        Self { faults, random: Random::new(seed), copies: Vec::new() }
    }

    /// When the copies of a packet that is sent `now` arrive.
    fn carry(&mut self, now: Instant) -> Vec<Instant> {
        let lost = self.random.chance(self.faults.loss_percent);
        let twice = self.random.chance(self.faults.duplicate_percent);
        let copies = if lost { 0 } else { 1 + u64::from(twice) };
        self.copies.push(copies);
        (0..copies).map(|_| self.arrival(now)).collect()
    }

    fn arrival(&mut self, now: Instant) -> Instant {
        let held_back = if self.random.chance(self.faults.reorder_percent) { HELD_BACK } else { Duration::ZERO };
        now + self.faults.delay + self.random.span(self.faults.jitter) + held_back
    }

    /// What a receiver should have counted.
    pub fn delivery(&self) -> Delivery {
        let first = self.copies.iter().position(|copies| *copies > 0).unwrap_or(0);
        let last = self.copies.iter().rposition(|copies| *copies > 0).map_or(first, |last| last + 1);
        let copies = &self.copies[first..last];
        let lost = copies.iter().filter(|copies| **copies == 0).count() as u64;
        let expected = copies.len() as u64;
        let packets = expected - lost;
        Delivery { expected, packets, lost, duplicate: copies.iter().sum::<u64>() - packets }
    }
}

// The phone

/// One G.711 packet of the gateway, as it left or as it was heard.
#[derive(Clone, Debug)]
pub struct Piece {
    /// When.
    pub at: Instant,
    /// RTP sequence number.
    pub sequence: u16,
    /// Its sound.
    pub samples: Vec<i16>,
}

impl Piece {
    /// None for anything but G.711.
    fn read(at: Instant, bytes: &[u8]) -> Option<Self> {
        let packet = Packet::parse(bytes).expect("the gateway sends RTP");
        let codec = codec::by_payload_type(packet.payload_type)?;
        let mut samples = Vec::new();
        codec.decoder(codec.rates[0]).decode(packet.payload, &mut samples);
        Some(Self { at, sequence: packet.sequence, samples })
    }

    /// Sound up to its end; the fade after a cut fills only the first quarter of a packet.
    pub fn is_voiced(&self) -> bool {
        level(&self.samples[self.samples.len() / 2..]) > 300.0
    }

    /// Not even a fade.
    pub fn is_silent(&self) -> bool {
        level(&self.samples) < 50.0
    }

    /// Voiced, and nearly all of it is this tone.
    pub fn has_tone(&self, frequency_hz: f64) -> bool {
        self.is_voiced() && share_at(frequency_hz, SampleRate::HZ_8000, &self.samples) > 0.8
    }
}

/// Root mean square.
pub fn level(samples: &[i16]) -> f64 {
    let squares: f64 = samples.iter().map(|sample| f64::from(*sample) * f64::from(*sample)).sum();
    (squares / samples.len().max(1) as f64).sqrt()
}

/// What a caller says.
#[derive(Clone, Copy, Debug)]
pub enum Sound {
    /// A pure tone.
    Tone(f64),
    /// Syllables of two formants: 150 ms of voice, 50 ms of nothing.
    Speech,
    /// Two tones together, as a key makes them.
    Key(f64, f64),
}

impl Sound {
    fn render(self, start: usize, samples: &mut Vec<i16>) {
        let tone = |frequency_hz, amplitude| {
            let mut samples = Vec::new();
            sine(frequency_hz, amplitude, SampleRate::HZ_8000, start, TICK_SAMPLES, &mut samples);
            samples
        };
        match self {
            Self::Tone(frequency_hz) => samples.extend(tone(frequency_hz, AMPLITUDE)),
            Self::Key(low, high) => {
                let both = tone(low, AMPLITUDE).into_iter().zip(tone(high, AMPLITUDE));
                samples.extend(both.map(|(low, high)| low + high));
            }
            Self::Speech => {
                let (low, high) = (tone(180.0, AMPLITUDE / 2.0), tone(1_150.0, AMPLITUDE / 3.0));
                let in_syllable = |n: usize| (start + n) % 1_600 < 1_200;
                let mixed = low.iter().zip(&high).enumerate();
                samples.extend(mixed.map(|(n, (low, high))| if in_syllable(n) { low + high } else { 0 }));
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Utterance {
    from: Instant,
    until: Instant,
    sound: Sound,
}

/// A key that is held: five packets, then its end three times (RFC 4733 §2.5.1).
#[derive(Clone, Copy, Debug)]
struct Pressing {
    code: u8,
    timestamp: u32,
    packets: u16,
}

/// The caller's telephone.
#[derive(Debug)]
pub struct Phone {
    /// Whether it sends RTP; its clock runs on meanwhile.
    pub sending: bool,
    /// What it heard, in order of arrival.
    pub heard: Vec<Piece>,
    law: PayloadType,
    plan: Vec<Utterance>,
    keys: VecDeque<char>,
    pressing: Option<Pressing>,
    /// Ticks until the next key.
    pause: u32,
    sequence: u16,
    timestamp: u32,
    descriptions: u32,
    /// The protocol of its m-line, and its own key if it wants SRTP.
    protocol: &'static str,
    key: Option<Crypto>,
    seals: Option<srtp::Outbound>,
    opens: Option<srtp::Inbound>,
    heard_key: Option<voxgw::sip::sdp::crypto::Key>,
    /// Its key packets carry no marker.
    pub unmarked: bool,
    /// It never says that a key was let go.
    pub endless: bool,
    /// Packets that it could not open.
    pub unopened: u64,
    /// In place of its two laws and telephone-event: numbers and attributes of its descriptions.
    pub knows: Option<(&'static str, &'static str)>,
    /// The gateway's newest answer.
    pub answer: String,
}

impl Phone {
    fn new(law: u8) -> Self {
        Self {
            sending: true,
            heard: Vec::new(),
            law: PayloadType(law),
            plan: Vec::new(),
            keys: VecDeque::new(),
            pressing: None,
            pause: 0,
            // Close to their ends: every call of more than a second wraps both.
            sequence: u16::MAX - 40,
            timestamp: u32::MAX - 8_000,
            descriptions: 0,
            protocol: "RTP/AVP",
            key: None,
            seals: None,
            opens: None,
            heard_key: None,
            unmarked: false,
            endless: false,
            unopened: 0,
            knows: None,
            answer: String::new(),
        }
    }

    /// From its next description on it wants SRTP; `key` fills master key and salt.
    pub fn wants_srtp(&mut self, protocol: &'static str, suite: &'static str, key: u8) {
        let bytes = srtp::Suite::by_name(suite).unwrap().key_bytes();
        let key = voxgw::sip::sdp::crypto::Key::new(vec![key; bytes]);
        self.protocol = protocol;
        self.key = Some(Crypto { tag: 1, suite, key });
    }

    /// Takes the keys out of the gateway's answer.
    fn answered(&mut self, description: &str) {
        description.clone_into(&mut self.answer);
        let Some(ours) = &self.key else { return };
        let answer = Description::parse(description.as_bytes()).expect("the gateway answers");
        let Some(theirs) = answer.media[0].crypto.first() else { return };
        let theirs = Crypto::parse(theirs).expect("the gateway's line is good");
        assert_eq!((theirs.tag, theirs.suite), (ours.tag, ours.suite));
        let suite = srtp::Suite::by_name(ours.suite).unwrap();
        if self.seals.is_none() {
            self.seals = srtp::Outbound::new(suite, ours.key.reveal());
        }
        let changed = self.heard_key.replace(theirs.key.clone()) != Some(theirs.key.clone());
        if changed {
            self.opens = srtp::Inbound::new(suite, theirs.key.reveal());
        }
    }

    /// New keys of its own from now on; the description that says so follows.
    fn rekeys(&mut self, key: u8) {
        let suite = self.key.as_ref().unwrap().suite;
        let protocol = self.protocol;
        self.wants_srtp(protocol, suite, key);
        self.seals = None;
    }

    /// A packet as it goes out.
    fn sealed(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        match &mut self.seals {
            Some(seals) => seals.protect(&bytes).expect("RTP").to_vec(),
            None => bytes,
        }
    }

    fn hears(&mut self, now: Instant, bytes: &[u8]) {
        let Some(opens) = &mut self.opens else { return self.heard.extend(Piece::read(now, bytes)) };
        match opens.open(bytes) {
            Ok(plain) => self.heard.extend(Piece::read(now, &plain)),
            Err(_) => self.unopened += 1,
        }
    }

    fn description(&mut self, flow: &str) -> String {
        self.descriptions += 1;
        let (law, other) = (self.law.0, 8 - self.law.0);
        let (version, address, port, protocol) = (self.descriptions, PHONE.ip(), PHONE.port(), self.protocol);
        let mut crypto = String::new();
        if let Some(Crypto { tag, suite, key }) = &self.key {
            let key = base64::engine::general_purpose::STANDARD.encode(key.reveal());
            crypto = format!("a=crypto:{tag} {suite} inline:{key}|2^31\r\n");
        }
        if let Some((numbers, attributes)) = self.knows {
            return format!(
                "v=0\r\no=- 1 {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
                 m=audio {port} {protocol} {numbers}\r\n{attributes}a=ptime:20\r\na={flow}\r\n"
            );
        }
        format!(
            "v=0\r\no=- 1 {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
             m=audio {port} {protocol} {law} {other} {event}\r\n{crypto}a=rtpmap:{event} telephone-event/8000\r\n\
             a=fmtp:{event} 0-15\r\na=ptime:20\r\na={flow}\r\n",
            event = EVENT.0,
        )
    }

    /// The packet of this tick, if it sends one.
    fn tick(&mut self, now: Instant) -> Option<Vec<u8>> {
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(TICK_SAMPLES as u32);
        if !self.sending {
            return None;
        }
        if let Some((start, payload, marker)) = self.key_packet(timestamp) {
            return Some(self.packet(EVENT, start, marker, &payload));
        }
        let mut samples = Vec::new();
        match self.plan.iter().find(|utterance| (utterance.from..utterance.until).contains(&now)) {
            Some(utterance) => {
                let start = SampleRate::HZ_8000.samples_in(now.since(utterance.from)) / TICK_SAMPLES * TICK_SAMPLES;
                utterance.sound.render(start, &mut samples);
            }
            None => samples.resize(TICK_SAMPLES, 0),
        }
        let mut payload = Vec::new();
        let law = codec::by_payload_type(self.law).unwrap();
        law.encoder(&codec::Wanted { rate: law.rates[0], fmtp: "" }).encode(&samples, &mut payload);
        Some(self.packet(self.law, timestamp, false, &payload))
    }

    fn packet(&mut self, payload_type: PayloadType, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
        let packet =
            Packet { marker, payload_type, sequence: self.sequence, timestamp, ssrc: Ssrc(0x00c0_ffee), payload };
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        self.sequence = self.sequence.wrapping_add(1);
        self.sealed(bytes)
    }

    /// Timestamp, payload and marker of a key that is held now.
    fn key_packet(&mut self, timestamp: u32) -> Option<(u32, [u8; 4], bool)> {
        if self.pause > 0 {
            self.pause -= 1;
            return None;
        }
        if self.pressing.is_none() {
            let key = self.keys.pop_front()?;
            let code = "0123456789*#ABCD".find(key).expect("a key of a telephone");
            self.pressing = Some(Pressing { code: u8::try_from(code).unwrap(), timestamp, packets: 0 });
        }
        let pressing = self.pressing.as_mut()?;
        pressing.packets += 1;
        let [high, low] = (pressing.packets.min(5) * TICK_SAMPLES as u16).to_be_bytes();
        let flags = if pressing.packets > 5 { 0x8a } else { 0x0a };
        let marker = pressing.packets == 1 && !self.unmarked;
        let made = (pressing.timestamp, [pressing.code, flags, high, low], marker);
        if pressing.packets == if self.endless { 5 } else { 8 } {
            self.pressing = None;
            self.pause = 3;
        }
        Some(made)
    }
}

// The agents

/// What a remote agent was told, sound apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The call was answered.
    Start,
    /// Its turn was cut; so many milliseconds were heard.
    Interrupted(u32),
    /// All sound before this mark was sent.
    Marked(u32),
    /// The last of its turn was sent.
    Played,
    /// The caller holds, or is back.
    Held(bool),
    /// What became of something that it asked for: its number, and `begun`, `done` or `refused`.
    Acted(u32, &'static str),
    /// The call is over.
    Close,
    /// Speech, keys.
    Other,
}

/// A provider at the other end of a socket: says what it was told to say, after delays, and writes down what it heard.
#[derive(Debug, Default)]
pub struct FakeAgent {
    /// What it says so long after it was to connect.
    pub on_connect: Vec<(Duration, AgentEvent)>,
    /// What it says so long after it was to start.
    pub on_start: Vec<(Duration, AgentEvent)>,
    /// Sound that reached it.
    pub heard: Vec<(Instant, Vec<i16>)>,
    /// What else reached it.
    pub told: Vec<(Instant, Told)>,
}

impl FakeAgent {
    /// Ready after 150 ms, then says `on_start`.
    pub fn ready(on_start: Vec<(Duration, AgentEvent)>) -> Self {
        let on_connect = vec![(Duration::from_millis(150), AgentEvent::Ready)];
        Self { on_connect, on_start, ..Self::default() }
    }

    /// When it was told to start.
    pub fn started_at(&self) -> f64 {
        let start = self.told.iter().find(|(_, told)| *told == Told::Start);
        ms(start.expect("the agent was never started").0)
    }

    /// All that it heard in a time.
    pub fn heard_between(&self, from_ms: u64, until_ms: u64) -> Vec<i16> {
        let during = self.heard.iter().filter(|(at, _)| (at_ms(from_ms)..at_ms(until_ms)).contains(at));
        during.flat_map(|(_, samples)| samples.iter().copied()).collect()
    }
}

/// Samples of a tone.
pub fn tone(frequency_hz: f64, rate: SampleRate, span: Duration) -> Vec<i16> {
    let mut samples = Vec::new();
    sine(frequency_hz, AMPLITUDE, rate, 0, rate.samples_in(span), &mut samples);
    samples
}

/// A tone as providers send it: pieces of 100 ms at 24 kHz, ten times faster than it is heard.
pub fn burst(after_ms: u64, frequency_hz: f64, span_ms: u64) -> Vec<(Duration, AgentEvent)> {
    let rate = SampleRate::HZ_24000;
    let samples = tone(frequency_hz, rate, Duration::from_millis(span_ms));
    let pieces = samples.chunks(rate.samples_in(Duration::from_millis(100))).zip(0..);
    pieces
        .map(|(piece, n)| {
            let event = AgentEvent::Audio { rate, samples: piece.to_vec() };
            (Duration::from_millis(after_ms + 10 * n), event)
        })
        .collect()
}

/// A scripted agent; its sounds are called `tone:HERTZ:MILLISECONDS`.
pub fn script(text: &str) -> Scripted {
    Scripted::new(Arc::new(Script::parse(text, &mut load_tone).expect("a good script")))
}

fn load_tone(name: &str) -> Result<Played, String> {
    let mut words = name.split(':').skip(1);
    let mut number = || words.next().and_then(|word| word.parse::<u32>().ok()).ok_or("not tone:HERTZ:MILLISECONDS");
    let (frequency_hz, span_ms) = (number()?, number()?);
    let span = Duration::from_millis(u64::from(span_ms));
    let samples = Arc::from(tone(f64::from(frequency_hz), SampleRate::HZ_8000, span));
    Ok(Played { rate: SampleRate::HZ_8000, samples })
}

// The world

/// How a world begins.
#[derive(Debug)]
pub struct Setup {
    /// Of the network.
    pub seed: u64,
    /// Of the gateway: its first sequence number, timestamp and source.
    pub gateway_seed: u64,
    /// Who answers.
    pub seat: Seat,
    /// The provider, if the seat is remote.
    pub agent: FakeAgent,
    /// From the phone.
    pub uplink: Faults,
    /// To the phone.
    pub downlink: Faults,
    /// Who decides that the caller interrupts.
    pub barge_in: BargeIn,
    /// How it behaves.
    pub manners: Arc<Manners>,
    /// What the provider wants to hear; the codec's rate if none.
    pub agent_rate: Option<SampleRate>,
    /// The provider says when its turns end.
    pub ends_turns: bool,
    /// Silence of the network that ends the call.
    pub tuning: voxgw::media::Tuning,
    pub media_timeout: Duration,
    /// The phone's favourite: 0 µ-law, 8 A-law.
    pub law: u8,
    /// Both voices are recorded.
    pub record: bool,
    /// And whoever hears that they are.
    pub tone: Tone,
    /// The phone's 20 ms are longer by so many parts per million.
    pub skew_ppm: i64,
    /// What the caller hears before the answer.
    pub early: Early,
    /// What the caller hears while we hold.
    pub hold_music: Music,
    /// The INVITE carries the phone's offer; else the 200 carries ours.
    pub offers: bool,
    /// The phone acknowledges the 200.
    pub acknowledges: bool,
    /// Of the gateway.
    pub srtp: Policy,
    /// Signalling is readable on its way.
    pub in_clear: bool,
    /// We call the phone.
    pub calls_out: bool,
    /// What the provider may call.
    pub tools: Vec<Tool>,
}

impl Setup {
    /// An offline agent; our own detector decides about interruptions.
    pub fn local(agent: impl LocalAgent + 'static) -> Self {
        Self::new(Seat::Local(Box::new(agent)), FakeAgent::default(), BargeIn::Local)
    }

    /// A provider; it decides about interruptions.
    pub fn remote(agent: FakeAgent) -> Self {
        Self::new(Seat::Remote, agent, BargeIn::Provider)
    }

    /// Nobody of ours: somebody else's call, or a conference.
    pub fn far() -> Self {
        Self::new(Seat::Far, FakeAgent::default(), BargeIn::Off)
    }

    fn new(seat: Seat, agent: FakeAgent, barge_in: BargeIn) -> Self {
        Self {
            seed: 1,
            gateway_seed: 0x1234_5678_9abc_def0,
            seat,
            agent,
            uplink: Faults::default(),
            downlink: Faults::default(),
            barge_in,
            manners: Arc::default(),
            agent_rate: None,
            tools: Vec::new(),
            ends_turns: true,
            tuning: voxgw::media::Tuning::default(),
            media_timeout: Duration::from_secs(30),
            law: 0,
            record: false,
            tone: Tone::default(),
            skew_ppm: 0,
            srtp: Policy::Optional,
            in_clear: false,
            early: Early::Off,
            hold_music: Music::Tune,
            offers: true,
            acknowledges: true,
            calls_out: false,
        }
    }

    fn settings(&self) -> Settings {
        let owner = if matches!(self.seat, Seat::Local(_)) { Owner::Offline } else { Owner::Provider };
        Settings {
            call: CallSettings {
                direction: if self.calls_out { Direction::Out } else { Direction::In },
                owner,
                barge_in: self.barge_in,
                manners: Arc::clone(&self.manners),
                patience: Duration::from_secs(3),
                max_duration: Duration::from_mins(70),
                agent_silence: Duration::ZERO,
                ring_max: Duration::from_secs(30),
                early: self.early,
                waits: matches!(self.seat, Seat::Far),
            },
            header: Header {
                schema: SCHEMA.to_owned(),
                call: CallId(1),
                gateway: "world".to_owned(),
                direction: if self.calls_out { Direction::Out } else { Direction::In },
                from: Pii("+493012345".to_owned()),
                to: Pii("support".to_owned()),
                agent: "test".to_owned(),
                version: "0".to_owned(),
                ..Header::default()
            },
            wall: WallTime(1_700_000_000_000_000),
            codecs: codec::CODECS.iter().collect(),
            ptime: Ptime::MS_20,
            tuning: self.tuning,
            rtp: GATEWAY,
            srtp: Encryption { in_clear: self.in_clear, ..Encryption::new(self.srtp, Seed([9; 32])) },
            seed: self.gateway_seed,
            agent_rate: self.agent_rate,
            agent_speaks: SampleRate::HZ_16000,
            tools: self.tools.clone().into(),
            prebuffer: Duration::ZERO,
            apology: Arc::from(tone(APOLOGY_HZ, SampleRate::HZ_8000, Duration::from_secs(1))),
            hold_music: self.hold_music.clone(),
            record: self.record,
            tone: self.tone,
            we_are_caller: self.calls_out,
            media_timeout: self.media_timeout,
            hang_up_after_silence: None,
            hang_up_after_turns: None,
        }
    }
}

/// Something outside the pipeline.
#[derive(Clone, Debug)]
pub enum Happening {
    /// The INVITE arrives.
    Offer,
    /// The ACK arrives.
    Acknowledge,
    /// A re-INVITE with this direction arrives.
    Reinvite(&'static str),
    /// The signalling is over.
    SipEnds {
        /// Who ended it.
        by: &'static str,
        /// Final status of an INVITE that failed.
        status: Option<u16>,
    },
    /// The phone's 20 ms.
    PhoneTick,
    /// The phone begins or ceases to send RTP.
    PhoneSends(bool),
    /// The caller presses these keys.
    PhonePresses(String),
    /// An INFO brings a digit.
    Info(char),
    /// The operator pauses the recording, or goes on with it.
    PauseRecording(bool),
    /// The phone takes a new key and says so in a re-INVITE.
    PhoneRekeys(u8),
    /// A datagram arrives at the gateway.
    AtGateway(SocketAddr, Vec<u8>),
    /// A datagram arrives at the phone.
    AtPhone(Vec<u8>),
    /// The provider says something.
    AgentSays(AgentEvent),
    /// Somebody ends the call by hand.
    OperatorHangsUp,
    /// The operator holds the phone, or takes it back.
    OperatorHolds(bool),
    /// The phone takes our re-INVITE, with this direction of its own.
    Takes(&'static str),
    /// The phone refuses our re-INVITE.
    TakesNot(u16),
    /// The gateway has done what the agent asked for, or not.
    Acted(u32, Outcome),
    /// This agent takes over, as number 1 asked.
    Switch(fn() -> Seat),
    /// A tool has answered.
    ToolDone(&'static str, Answer),
    /// Our call rings with a description of this direction.
    EarlyMedia(&'static str),
    /// Our call was answered, with the description of its early media or with another.
    Answered {
        /// The same description as before.
        same: bool,
    },
    /// Another phone takes this one's place (it is at the same address).
    Replaced,
}

/// What the pipeline gave, owned.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time")]
enum Given {
    Rtp(SocketAddr, Vec<u8>),
    Rtcp,
    Sip(SipAction),
    ConnectAgent,
    Heard(Vec<i16>),
    Told(Told),
    Act(u32, Action),
    Tool(Run),
    CancelTool(String),
    ToolTold(String),
    Record(Record),
    Sound(Vec<i16>),
    Over,
    Nothing(Instant),
}

impl Given {
    fn of(output: Output<'_>) -> Self {
        match output {
            Output::Rtp(to, bytes) => Self::Rtp(to, bytes.to_vec()),
            Output::Rtcp { .. } | Output::Far(_) => Self::Rtcp,
            Output::Sip(action) => Self::Sip(action),
            Output::ConnectAgent => Self::ConnectAgent,
            Output::Agent { command: Command::Audio { samples, .. }, .. } => Self::Heard(samples.to_vec()),
            Output::Agent { command: Command::ToolResult { id, name, result }, .. } => Self::ToolTold(match result {
                Ok(value) => format!("{id} {name}: {value}"),
                Err(problem) => format!("{id} {name} failed: {problem}"),
            }),
            Output::Tool(run) => Self::Tool(run),
            Output::CancelTool(id) => Self::CancelTool(id),
            Output::Agent { command, .. } => Self::Told(match command {
                Command::Start => Told::Start,
                Command::Interrupted { heard_ms } => Told::Interrupted(heard_ms),
                Command::Played => Told::Played,
                Command::Held(held) => Told::Held(held),
                Command::Close => Told::Close,
                Command::Marked(mark) => Told::Marked(mark),
                Command::Acted { id, outcome } => Told::Acted(id, outcome.name()),
                Command::Audio { .. }
                | Command::Speech(_)
                | Command::Digit(_)
                | Command::Text(_)
                | Command::ToolResult { .. } => Told::Other,
            }),
            Output::Act(id, action) => Self::Act(id, action),
            Output::Record(record) => Self::Record(record),
            Output::Sound { samples, .. } => Self::Sound(samples),
            Output::Over => Self::Over,
            Output::Timeout(at) => Self::Nothing(at),
        }
    }
}

/// One call and everything around it.
#[derive(Debug)]
pub struct World {
    /// The caller.
    pub phone: Phone,
    /// The provider.
    pub agent: FakeAgent,
    /// From the phone to the gateway.
    pub uplink: Network,
    /// Sound that left the gateway, in order.
    pub sent: Vec<Piece>,
    /// RTP that left the gateway, as it left.
    pub wire: Vec<Vec<u8>>,
    /// Signalling that the call wanted.
    pub sip: Vec<(Instant, SipAction)>,
    /// What the agent asked of the gateway, with its numbers.
    pub acts: Vec<(Instant, u32, Action)>,
    /// Tools that were to run.
    pub tools: Vec<Run>,
    /// Tools that nobody waits for any more.
    pub tools_cancelled: Vec<String>,
    /// What the provider was told of its tools.
    pub tools_told: Vec<String>,
    /// The journal.
    pub records: Vec<Record>,
    /// The recording, interleaved.
    pub sound: Vec<i16>,
    downlink: Network,
    now: Instant,
    pub pipeline: Pipeline,
    /// The way to others, as a session has it.
    line: Option<End>,
    /// What the agent has said and nobody has read yet.
    held_back: VecDeque<AgentEvent>,
    wake_at: Instant,
    agenda: BTreeMap<(Instant, u64), Happening>,
    scheduled: u64,
    /// Steps since the time last moved.
    steps: u32,
    offers: bool,
    acknowledges: bool,
    calls_out: bool,
    /// What was offered before there was a pipeline.
    first_offer: String,
    early_answer: String,
    phone_ticks: bool,
    over: bool,
    tick: Duration,
    /// When packets of the phone left that arrived.
    pub delivered: Vec<Instant>,
}

impl World {
    /// A world in which the INVITE is about to arrive.
    pub fn new(setup: Setup) -> Self {
        let settings = setup.settings();
        let rate = setup.agent_rate.unwrap_or(SampleRate::HZ_8000);
        let first_offer = Pipeline::first_offer(&settings);
        let mut pipeline = Pipeline::new(ORIGIN, settings, setup.seat);
        pipeline.set_agent(rate, setup.ends_turns);
        let mut world = Self {
            phone: Phone::new(setup.law),
            agent: setup.agent,
            uplink: Network::new(setup.uplink, setup.seed),
            downlink: Network::new(setup.downlink, !setup.seed),
            sent: Vec::new(),
            wire: Vec::new(),
            sip: Vec::new(),
            acts: Vec::new(),
            tools: Vec::new(),
            tools_cancelled: Vec::new(),
            tools_told: Vec::new(),
            records: Vec::new(),
            sound: Vec::new(),
            now: ORIGIN,
            pipeline,
            line: None,
            held_back: VecDeque::new(),
            wake_at: Instant::FAR_FUTURE,
            agenda: BTreeMap::new(),
            scheduled: 0,
            steps: 0,
            offers: setup.offers,
            acknowledges: setup.acknowledges,
            calls_out: setup.calls_out,
            first_offer,
            early_answer: String::new(),
            phone_ticks: false,
            over: false,
            tick: Duration::from_nanos(20_000_000_u64.checked_add_signed(20 * setup.skew_ppm).unwrap()),
            delivered: Vec::new(),
        };
        world.at(0, Happening::Offer);
        world
    }

    /// Puts a happening on the agenda.
    pub fn at(&mut self, ms: u64, happening: Happening) {
        self.schedule(at_ms(ms), happening);
    }

    /// The caller says something.
    pub fn say(&mut self, from_ms: u64, span_ms: u64, sound: Sound) {
        self.phone.plan.push(Utterance { from: at_ms(from_ms), until: at_ms(from_ms + span_ms), sound });
    }

    /// BYE of the caller.
    pub fn caller_hangs_up(&mut self, ms: u64) {
        self.at(ms, Happening::SipEnds { by: "caller", status: None });
    }

    /// Runs until the call is over; a call that is not over by then is a failure.
    pub fn run_to_end(&mut self, limit_ms: u64) {
        while !self.over {
            assert!(self.step(at_ms(limit_ms)), "the call is not over after {limit_ms} ms");
        }
    }

    /// Runs until then, or until the call is over.
    pub fn run_until(&mut self, until_ms: u64) {
        while !self.over && self.step(at_ms(until_ms)) {}
    }

    /// Sits down in a conference, as a session does.
    pub fn enter(&mut self, lines: &Lines, chair: &Chair) {
        let now = self.now;
        self.sit(chair, || lines.seat(now, chair));
    }

    /// The same with an end that somebody else made.
    pub fn sit(&mut self, chair: &Chair, end: impl FnOnce() -> End) {
        self.give(Input::Bridged(Bridged::Answer));
        self.line = Some(end());
        self.give(Input::Bridged(Bridged::Enter(format!("conference {}", chair.room))));
    }

    /// The way to others.
    pub fn line(&self) -> Option<&End> {
        self.line.as_ref()
    }

    /// Goes away from the others.
    pub fn leave(&mut self) {
        self.line = None;
    }

    /// When something happens next.
    pub fn next_at(&self) -> Instant {
        let agenda_at = self.agenda.first_key_value().map_or(Instant::FAR_FUTURE, |((at, _), _)| *at);
        agenda_at.min(self.wake_at).max(self.now)
    }

    /// What the others have said, before a packet goes out.
    fn hear_line(&mut self) {
        let Some(line) = self.line.take() else { return };
        line.due(self.now);
        while let Some(held) = line.take() {
            if let Some(far) = held.far() {
                self.give(Input::Far(far));
            }
            line.give_back(held);
        }
        self.line = Some(line);
    }

    /// Goes to the next thing that happens; false if nothing happens until then.
    pub fn step(&mut self, until: Instant) -> bool {
        let agenda_at = self.agenda.first_key_value().map_or(Instant::FAR_FUTURE, |((at, _), _)| *at);
        let next = agenda_at.min(self.wake_at).max(self.now);
        if next > until {
            return false;
        }
        self.steps = if next > self.now { 0 } else { self.steps + 1 };
        assert!(self.steps < STEPS_MAX, "no progress at {} ms", ms(self.now));
        self.now = next;
        if agenda_at <= self.wake_at
            && let Some((_, happening)) = self.agenda.pop_first()
        {
            self.perform(happening);
        } else {
            self.hear_line();
            self.give(Input::Timeout);
        }
        while !self.pipeline.is_full()
            && let Some(event) = self.held_back.pop_front()
        {
            self.give(Input::Agent(event));
        }
        true
    }

    fn schedule(&mut self, at: Instant, happening: Happening) {
        self.scheduled += 1;
        self.agenda.insert((at, self.scheduled), happening);
    }

    fn perform(&mut self, happening: Happening) {
        match happening {
            Happening::Offer if self.calls_out => {
                assert_eq!(
                    self.pipeline.offer(),
                    self.first_offer,
                    "what the engine has sent is what the session knows"
                );
                self.give(Input::Dialled);
            }
            Happening::Offer => {
                let offer = self.offers.then(|| self.phone.description("sendrecv"));
                self.give(Input::Offered(offer.as_deref().map(str::as_bytes)));
            }
            Happening::Acknowledge => {
                let answer = (!self.offers).then(|| self.phone.description("sendrecv"));
                self.give(Input::Acknowledged(answer.as_deref().map(str::as_bytes)));
            }
            Happening::Reinvite(flow) => {
                let offer = self.phone.description(flow);
                self.give(Input::Reinvite(Some(offer.as_bytes())));
            }
            Happening::SipEnds { by, status } => {
                self.give(Input::SipEnded { by, status, reason: "the signalling ended".to_owned() });
            }
            Happening::PhoneTick => self.phone_tick(),
            Happening::PhoneSends(sends) => self.phone.sending = sends,
            Happening::PhonePresses(keys) => self.phone.keys.extend(keys.chars()),
            Happening::Info(digit) => self.give(Input::InfoDigit(digit, 100)),
            Happening::AtGateway(from, bytes) => self.give(Input::Datagram { from, bytes: &bytes }),
            Happening::PauseRecording(paused) => self.give(Input::PauseRecording(paused)),
            Happening::PhoneRekeys(key) => {
                self.phone.rekeys(key);
                self.perform(Happening::Reinvite("sendrecv"));
            }
            Happening::AtPhone(bytes) => self.phone.hears(self.now, &bytes),
            // As a session that does not read while there is no room.
            Happening::AgentSays(event) => self.held_back.push_back(event),
            Happening::ToolDone(id, answer) => self.give(Input::ToolDone(id, answer)),
            Happening::Acted(id, outcome) => self.give(Input::Acted(id, outcome)),
            Happening::Switch(seat) => {
                assert_eq!(self.pipeline.may_switch(), Ok(()));
                let newcomer = Newcomer {
                    id: Some(1),
                    name: "newcomer".to_owned(),
                    seat: seat(),
                    owner: Owner::Offline,
                    barge_in: BargeIn::Local,
                    manners: Arc::default(),
                    prebuffer: Duration::ZERO,
                    rate: None,
                    speaks: SampleRate::HZ_16000,
                    tools: [].into(),
                };
                self.give(Input::Switch(Box::new(newcomer)));
            }
            Happening::OperatorHolds(hold) => self.give(Input::Hold(hold)),
            Happening::Takes(flow) => {
                let answer = self.phone.description(flow);
                self.give(Input::Changed(Some(answer.as_bytes())));
            }
            Happening::TakesNot(status) => self.give(Input::NotChanged(status)),
            Happening::EarlyMedia(flow) => {
                let answer = self.phone.description(flow);
                self.early_answer.clone_from(&answer);
                self.give(Input::EarlyMedia(183, answer.as_bytes()));
                self.start_phone(self.now);
            }
            Happening::Answered { same } => {
                let answer = if same { self.early_answer.clone() } else { self.phone.description("sendrecv") };
                self.give(Input::Answered(Some(answer.as_bytes())));
            }
            Happening::Replaced => {
                let offer = self.phone.description("sendrecv");
                self.give(Input::Replaced(Some(offer.as_bytes()), false));
            }
            Happening::OperatorHangsUp => self.give(Input::HangUp("the operator wants it".to_owned())),
        }
    }

    /// The phone's clock starts with the first description that it has.
    fn start_phone(&mut self, at: Instant) {
        if !std::mem::replace(&mut self.phone_ticks, true) {
            self.schedule(at, Happening::PhoneTick);
        }
    }

    fn phone_tick(&mut self) {
        if let Some(bytes) = self.phone.tick(self.now) {
            let copies = self.uplink.carry(self.now);
            self.delivered.extend(copies.first().map(|_| self.now));
            for at in copies {
                self.schedule(at, Happening::AtGateway(PHONE, bytes.clone()));
            }
        }
        self.schedule(self.now + self.tick, Happening::PhoneTick);
    }

    fn give(&mut self, input: Input<'_>) {
        self.pipeline.handle(self.now, input);
        loop {
            let output = self.pipeline.poll();
            if let (Output::Far(far), Some(line)) = (&output, &self.line) {
                line.push(*far);
            }
            let given = Given::of(output);
            if let Given::Nothing(at) = given {
                self.wake_at = at;
                return;
            }
            assert!(!self.over, "after the end came {given:?}");
            self.take(given);
        }
    }

    fn take(&mut self, given: Given) {
        match given {
            Given::Rtp(to, bytes) => self.left_gateway(to, bytes),
            Given::Sip(action) => self.signalled(action),
            Given::ConnectAgent => {
                let events = std::mem::take(&mut self.agent.on_connect);
                self.agent_will_say(events);
            }
            Given::Heard(samples) => self.agent.heard.push((self.now, samples)),
            Given::Told(told) => {
                self.agent.told.push((self.now, told));
                if told == Told::Start {
                    let events = std::mem::take(&mut self.agent.on_start);
                    self.agent_will_say(events);
                }
            }
            Given::Act(id, action) => self.acts.push((self.now, id, action)),
            Given::Tool(run) => self.tools.push(run),
            Given::CancelTool(id) => self.tools_cancelled.push(id),
            Given::ToolTold(words) => self.tools_told.push(words),
            Given::Record(record) => self.records.push(record),
            Given::Sound(sound) => self.sound.extend(sound),
            Given::Over => self.over = true,
            Given::Rtcp | Given::Nothing(_) => {}
        }
    }

    fn agent_will_say(&mut self, events: Vec<(Duration, AgentEvent)>) {
        for (after, event) in events {
            self.schedule(self.now + after, Happening::AgentSays(event));
        }
    }

    fn left_gateway(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        // What was encrypted only the phone can read.
        if self.phone.opens.is_none() {
            self.sent.extend(Piece::read(self.now, &bytes));
        }
        self.wire.push(bytes.clone());
        if to == PHONE {
            for at in self.downlink.carry(self.now) {
                self.schedule(at, Happening::AtPhone(bytes.clone()));
            }
        }
    }

    /// The other side of the signalling does its part.
    fn signalled(&mut self, action: SipAction) {
        let heard_at = self.now + self.downlink.faults.delay;
        let answered_at = heard_at + self.uplink.faults.delay;
        if let SipAction::Answer(text) | SipAction::AnswerReinvite(text) = &action {
            self.phone.answered(text);
        }
        match &action {
            SipAction::Answer(_) if self.acknowledges => {
                self.start_phone(heard_at);
                self.schedule(answered_at, Happening::Acknowledge);
            }
            SipAction::RingWithMedia(_) => self.start_phone(heard_at),
            SipAction::AnswerReplacing(_) => self.schedule(answered_at, Happening::Acknowledge),
            SipAction::HangUp(_) => self.schedule(answered_at, Happening::SipEnds { by: "us", status: None }),
            SipAction::Refuse(status, _) => {
                self.schedule(answered_at, Happening::SipEnds { by: "us", status: Some(*status) });
            }
            _ => {}
        }
        self.sip.push((self.now, action));
    }

    // What was seen

    /// The last record, which must be the summary.
    pub fn summary(&self) -> &Summary {
        match self.records.last().map(|record| &record.body) {
            Some(Body::Summary(summary)) => summary,
            other => panic!("the journal ends with {other:?}"),
        }
    }

    /// Turns of the agent, in order.
    pub fn turns(&self) -> Vec<&Turn> {
        let bodies = self.records.iter().map(|record| &record.body);
        bodies.filter_map(|body| if let Body::Turn(turn) = body { Some(turn) } else { None }).collect()
    }

    /// When the journal says that the caller began to speak.
    pub fn caller_began_ms(&self) -> Vec<f64> {
        let mut began = Vec::new();
        for record in &self.records {
            if let Body::Speech(speech) = &record.body
                && speech.who == Who::Caller
                && speech.speaking
            {
                began.push(record.t * 1_000.0);
            }
        }
        began
    }

    /// When the call wanted to hang up, and with which `Reason`.
    pub fn hung_up(&self) -> Option<(f64, &str)> {
        self.sip.iter().find_map(|(at, action)| match action {
            SipAction::HangUp(reason) => Some((ms(*at), reason.as_str())),
            _ => None,
        })
    }

    /// Our own re-INVITEs, when and with which direction.
    pub fn reinvites(&self) -> Vec<(f64, &str)> {
        let flow = |text: &'_ str| {
            ["sendrecv", "sendonly", "recvonly", "inactive"]
                .into_iter()
                .find(|flow| text.contains(&format!("a={flow}\r\n")))
        };
        let actions = self.sip.iter();
        actions
            .filter_map(|(at, action)| match action {
                SipAction::Reinvite(text) => Some((ms(*at), flow(text)?)),
                _ => None,
            })
            .collect()
    }

    /// States of the journal, in order.
    pub fn states(&self) -> Vec<&'static str> {
        let states = self.records.iter().filter_map(|record| match &record.body {
            Body::State(change) => Some(change.state.name()),
            _ => None,
        });
        states.collect()
    }

    /// Answers to re-INVITEs, in order.
    pub fn reinvite_answers(&self) -> Vec<&str> {
        let actions = self.sip.iter().map(|(_, action)| action);
        actions
            .filter_map(|action| if let SipAction::AnswerReinvite(text) = action { Some(text.as_str()) } else { None })
            .collect()
    }

    /// Packets that left the gateway in a time.
    pub fn sent_between(&self, from_ms: f64, until_ms: f64) -> impl Iterator<Item = &Piece> {
        self.sent.iter().filter(move |piece| (from_ms..until_ms).contains(&ms(piece.at)))
    }

    /// When the last packet with voice left the gateway.
    pub fn last_voice_ms(&self) -> f64 {
        let last = self.sent.iter().rfind(|piece| piece.is_voiced());
        ms(last.expect("the gateway never sent voice").at)
    }

    /// The journal as it is written.
    pub fn lines(&self) -> String {
        self.records.iter().map(|record| record.to_line() + "\n").collect()
    }
}
