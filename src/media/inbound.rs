//! From RTP to frames, one screen, in order.
//!
//! ```text
//! datagram → source (latch) → packet → stats → demux → order → codec / concealment → speech, level → frame
//!                                        telephone-event → digit
//! ```
//!
//! Owns one direction of one call. What comes out is continuous: lost packets are concealed, and when nothing
//! arrives for a while silence is put in, because a speech AI that gets no audio never hears the end of speech.
//! Frames have the codec's rate, and follow a sender that changes to another of the agreed codecs in the middle.
//! Called by `call::pipeline`. RFC 3389, 3550, 3551, 4733.

mod figures;
mod gaps;
mod payloads;
#[cfg(test)]
mod tests;

use self::{
    figures::Past,
    payloads::{Nature, Packets},
};
use super::{
    codec::Codec,
    decoding::Decoding,
    dsp::{
        digits,
        level::{Energy, LevelMeter},
        vad::{Detector, Kind, SpeechEdge},
    },
    latch::{Latch, Verdict},
    rtp::{
        burst::{BurstFigures, Bursts},
        dtmf::{Heard, Listener},
        order::{Order, Ordered},
        packet::Packet,
        stats::{Arrival, StreamStats},
    },
};
use crate::{
    clock::Instant,
    unit::{PayloadType, Ptime, SampleRate, Ssrc},
};
use std::{collections::VecDeque, net::SocketAddr, time::Duration};

/// How long a gap is held open for packets that come out of order.
pub const REORDER_WINDOW: Duration = Duration::from_millis(40);
/// RFC 3389 §4: understood although never agreed on, because many trunks send it unasked.
const COMFORT_NOISE: PayloadType = PayloadType(13);
/// Silence is put in when the next packet is this late.
const STARVED_AFTER: Duration = Duration::from_millis(60);

/// What was agreed on for this direction.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Codecs that the far end may send, by payload type.
    pub codecs: Vec<(PayloadType, &'static Codec)>,
    /// Payload types of telephone-event, if agreed on, with their clocks.
    pub events: Vec<(PayloadType, SampleRate)>,
    /// Rate that the listener would like, of codecs that leave the choice.
    pub wanted: SampleRate,
    /// Where the far end said it is; none accepts any source (a capture).
    pub described: Option<SocketAddr>,
    /// Whether the far end is expected to send at all (not while it holds us).
    pub expected: bool,
}

/// What came out. Samples, if any, are in the buffer given to [`Inbound::poll`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Out {
    /// Samples at the codec's rate: [`Inbound::rate`] until the next change.
    Frame {
        /// Rate of the samples.
        rate: SampleRate,
        /// Arrival of the packet, or the moment it was made up.
        at: Instant,
        /// Position on the sender's clock in samples at `rate`, for the recording; counts from the first packet.
        position: u64,
        /// Made up: lost or not sent.
        concealed: bool,
        /// The frame holds voice.
        voiced: bool,
        /// How loud it is.
        energy: Energy,
    },
    /// Speech began or ended.
    Speech(SpeechEdge),
    /// A digit.
    Digit {
        /// Which.
        digit: char,
        /// How long it was held.
        duration_ms: u32,
    },
    /// Packets come from here now; send there.
    Latched(SocketAddr),
    /// The source number changed.
    NewSource(Ssrc),
}

/// The machine.
#[derive(Debug)]
pub struct Inbound {
    settings: Settings,
    ptime: Ptime,
    // 1 packet
    latch: Latch,
    last_packet_at: Instant,
    refused: u64,
    // 2 stats
    stats: Option<StreamStats>,
    past: Past,
    unexpected: u64,
    comfort_noise: u64,
    // 3 demux
    listener: Listener,
    event_clock: SampleRate,
    event_deadline: Instant,
    tones: Option<digits::Listener>,
    // 4 order
    order: Order,
    bursts: Bursts,
    /// In ticks of the codec's clock.
    expected_timestamp: Option<u32>,
    /// Samples of silence put in since the last real packet.
    filled: u32,
    next_fill_at: Instant,
    // 5 codec, concealment
    decoding: Decoding,
    payload: Vec<u8>,
    // 6, 7
    position: u64,
    vad: Detector,
    level: LevelMeter,
    /// Mean square of the frames with voice, summed, and how many.
    speech: (f64, u32),
    frames_total: u64,
    frames_concealed: u64,
    out: VecDeque<(Out, Vec<i16>)>,
    spare: Vec<Vec<i16>>,
    /// The frames' payloads as they came, for another leg in the same codec; empty where the sound was made up.
    packets: Option<Packets>,
}

impl Inbound {
    /// A direction that starts at `now`.
    #[must_use]
    pub fn new(now: Instant, settings: Settings, ptime: Ptime) -> Self {
        let first = settings.codecs.first().copied();
        let (payload_type, codec) = first.unwrap_or((PayloadType(0), &super::codec::CODECS[0]));
        let decoding = Decoding::new(payload_type, codec, settings.wanted);
        Self {
            ptime,
            latch: Latch::default(),
            last_packet_at: now,
            refused: 0,
            stats: None,
            past: Past::default(),
            unexpected: 0,
            comfort_noise: 0,
            listener: Listener::default(),
            event_clock: SampleRate::HZ_8000,
            event_deadline: Instant::FAR_FUTURE,
            tones: None,
            order: Order::new(REORDER_WINDOW),
            bursts: Bursts::default(),
            expected_timestamp: None,
            filled: 0,
            next_fill_at: if settings.expected { now + ptime.duration() + STARVED_AFTER } else { Instant::FAR_FUTURE },
            payload: Vec::new(),
            position: 0,
            vad: Detector::new(decoding.rate()),
            decoding,
            level: LevelMeter::default(),
            speech: (0.0, 0),
            frames_total: 0,
            frames_concealed: 0,
            out: VecDeque::new(),
            spare: Vec::new(),
            packets: None,
            settings,
        }
    }

    /// Listens for digits as tones, or not any more.
    pub fn set_tones(&mut self, listen: bool) {
        let rate = self.rate();
        self.tones = if listen { self.tones.take().or_else(|| Some(digits::Listener::new(rate))) } else { None };
    }

    /// Tells voice from noise in this way from now on.
    pub fn set_vad(&mut self, kind: Kind) {
        self.vad = Detector::of_kind(self.rate(), kind);
    }

    /// Takes over what a new offer or answer agreed on. The source may move: signalling said so.
    pub fn renegotiate(&mut self, now: Instant, settings: Settings) {
        if settings.described != self.settings.described {
            self.latch.reset();
        }
        self.next_fill_at =
            if settings.expected { now + self.ptime.duration() + STARVED_AFTER } else { Instant::FAR_FUTURE };
        // What was not sent while held is not missing.
        self.last_packet_at = now;
        self.settings = settings;
    }

    /// Takes in one datagram from `from`.
    pub fn handle_rtp(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let Ok(packet) = Packet::parse(bytes) else {
            self.refused += 1;
            return;
        };
        let codec = self.codec_of(packet.payload_type);
        let event =
            self.settings.events.iter().find(|(known, _)| *known == packet.payload_type).map(|(_, clock)| *clock);
        let is_event = event.is_some();
        let is_known = codec.is_some() || is_event;
        // What we did not agree on may not take the call over, but from a known source it counts: the network
        // delivered it.
        if !(self.latch.is_source(from) || is_known && self.believes(now, from, &packet)) {
            self.refused += 1;
            return;
        }
        self.last_packet_at = now;
        let is_noise = packet.payload_type == COMFORT_NOISE && codec.is_none();
        let timed = codec.is_some() || is_noise;
        let clock = codec.map_or(self.decoding.codec().clock, |codec| codec.clock);
        let (arrival, sequence) = self.count(now, &packet, clock, timed);
        if matches!(arrival, Arrival::Duplicate | Arrival::Suspect) {
            return;
        }
        if arrival == Arrival::First {
            self.order.reset();
            self.expected_timestamp = None;
        }
        if let Some(clock) = event {
            self.event(now, &packet, clock);
        }
        self.comfort_noise += u64::from(is_noise);
        let is_foreign = !is_known && !is_noise;
        self.refused += u64::from(is_foreign);
        self.unexpected += u64::from(is_foreign);
        // Events, and what we cannot decode, share the sequence numbers: an empty payload keeps their place.
        let payload = if codec.is_some() || is_noise { packet.payload } else { &[] };
        self.fit_window(now);
        if self.order.push(now, sequence, packet.timestamp, packet.payload_type, payload) {
            self.bursts.played();
            self.unpack(now, packet.timestamp, packet.payload_type, payload);
        }
        self.drain(now);
    }

    /// Something is due: a gap to give up, silence to put in, an event whose end never came.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.event_deadline {
            self.event_deadline = Instant::FAR_FUTURE;
            if let Some(heard) = self.listener.finish() {
                self.digit(heard);
            }
        }
        self.drain(now);
        while now >= self.next_fill_at {
            let at = self.next_fill_at;
            self.next_fill_at = at + self.ptime.duration();
            let count = self.rate().samples_in(self.ptime.duration());
            self.filled += u32::try_from(count).unwrap_or(0);
            self.pause(at, count);
        }
    }

    /// When [`Self::handle_timeout`] wants to be called.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        self.order.timeout().min(self.next_fill_at).min(self.event_deadline)
    }

    /// The next thing that came out; a frame's samples replace what is in `samples`.
    pub fn poll(&mut self, samples: &mut Vec<i16>) -> Option<Out> {
        let (out, mut own) = self.out.pop_front()?;
        if matches!(out, Out::Frame { .. }) {
            std::mem::swap(samples, &mut own);
            self.spare.push(own);
            if let Some(packets) = &mut self.packets
                && let Some(next) = packets.waiting.pop_front()
            {
                packets.spare.push(std::mem::replace(&mut packets.current, next).0);
            }
        }
        Some(out)
    }

    /// Rate of the samples that come out.
    #[must_use]
    pub fn rate(&self) -> SampleRate {
        self.decoding.rate()
    }

    /// The codec of the newest packet.
    #[must_use]
    pub fn codec(&self) -> &'static Codec {
        self.decoding.codec()
    }

    /// Where packets come from, once they do.
    #[must_use]
    pub const fn source(&self) -> Option<SocketAddr> {
        self.latch.source()
    }

    /// When the newest packet arrived, or when this began.
    #[must_use]
    pub const fn last_packet_at(&self) -> Instant {
        self.last_packet_at
    }

    /// Whether the caller speaks.
    #[must_use]
    pub const fn is_speaking(&self) -> bool {
        self.vad.is_speaking()
    }

    /// Sound in the packets that come.
    #[must_use]
    pub const fn ptime(&self) -> Ptime {
        self.ptime
    }

    /// Arrival of the newest voiced frame.
    #[must_use]
    pub const fn last_voiced(&self) -> Instant {
        self.vad.last_voiced()
    }

    /// How the losses lay together.
    #[must_use]
    pub fn bursts(&self) -> BurstFigures {
        self.bursts.figures()
    }

    /// Figures of the present source, for our reception reports.
    pub const fn stream(&mut self) -> Option<&mut StreamStats> {
        self.stats.as_mut()
    }

    /// 1: whether a packet from elsewhere belongs to this call; moves the latch if it may.
    fn believes(&mut self, now: Instant, from: SocketAddr, packet: &Packet<'_>) -> bool {
        let number = (packet.ssrc, packet.sequence);
        match self.latch.judge(now, from, self.settings.described, self.last_packet_at, number) {
            Verdict::Heard => true,
            Verdict::Latched(refused) => {
                // They were the caller's after all.
                self.refused = self.refused.saturating_sub(refused.into());
                self.push(Out::Latched(from));
                true
            }
            Verdict::Refused => false,
        }
    }

    /// 2: the network's figures.
    fn count(&mut self, now: Instant, packet: &Packet<'_>, clock: SampleRate, timed: bool) -> (Arrival, u64) {
        if self.stats.as_ref().is_some_and(|stats| stats.ssrc != packet.ssrc) {
            self.bury_source();
            self.push(Out::NewSource(packet.ssrc));
        }
        let stats = self.stats.get_or_insert_with(|| StreamStats::new(clock, packet.ssrc));
        stats.set_clock(clock);
        stats.arrived(now, packet, timed)
    }

    fn codec_of(&self, payload_type: PayloadType) -> Option<&'static Codec> {
        self.settings.codecs.iter().find(|(known, _)| *known == payload_type).map(|(_, codec)| *codec)
    }

    /// 3: a digit's packet.
    fn event(&mut self, now: Instant, packet: &Packet<'_>, clock: SampleRate) {
        self.event_clock = clock;
        if let Some(heard) = self.listener.packet(packet.timestamp, packet.payload) {
            self.digit(heard);
        }
        // An event whose packets stop coming has ended.
        self.event_deadline =
            if self.listener.is_open() { now + Duration::from_millis(200) } else { Instant::FAR_FUTURE };
    }

    fn digit(&mut self, heard: Heard) {
        let duration_ms = heard.duration.saturating_mul(1_000) / self.event_clock.0.max(1);
        self.push(Out::Digit { digit: heard.digit, duration_ms });
    }

    /// 4: what the order lets go on.
    fn drain(&mut self, now: Instant) {
        let mut payload = std::mem::take(&mut self.payload);
        while let Some(ordered) = self.order.poll(now, &mut payload) {
            match ordered {
                Ordered::Packet { timestamp, payload_type, at } => {
                    self.bursts.played();
                    self.unpack(at.max(now), timestamp, payload_type, &payload);
                }
                Ordered::Missing { count, until } => {
                    self.bursts.lost(u64::from(count));
                    self.conceal(now, count, until);
                }
            }
        }
        self.payload = payload;
    }

    /// 5: a packet whose turn it is, by its kind; an empty payload is an event's place.
    fn unpack(&mut self, at: Instant, timestamp: u32, payload_type: PayloadType, payload: &[u8]) {
        if payload.is_empty() {
            return;
        }
        match self.codec_of(payload_type) {
            Some(codec) => self.decode(at, timestamp, (payload_type, codec), payload),
            None if payload_type == COMFORT_NOISE => self.fall_silent(at, timestamp, payload),
            // Waited for a gap while its codec was given up.
            None => {}
        }
    }

    fn decode(&mut self, at: Instant, timestamp: u32, codec: (PayloadType, &'static Codec), payload: &[u8]) {
        if self.codec().clock == codec.1.clock {
            self.bridge(at, timestamp);
        }
        self.follow(codec);
        let mut samples = self.buffer();
        self.decoding.decode(payload, &mut samples);
        let rate = self.rate();
        self.expected_timestamp = Some(timestamp.wrapping_add(codec.1.ticks_of(samples.len(), rate)));
        self.filled = 0;
        if self.settings.expected {
            self.next_fill_at = at + rate.duration_of(samples.len()) + STARVED_AFTER;
        }
        let heard_ms = u32::try_from(samples.len()).unwrap_or(0) * 1_000 / rate.0.max(1);
        if heard_ms >= 10 {
            self.ptime = Ptime::nearest(heard_ms);
        }
        self.frame(at, samples, payload, false);
    }

    /// The sender may change among the agreed codecs with any packet (RFC 3264 §5.1); what depends on the rate
    /// follows.
    fn follow(&mut self, (payload_type, codec): (PayloadType, &'static Codec)) {
        let before = self.rate();
        if self.decoding.use_codec(payload_type, codec) {
            let now = self.rate();
            self.vad.set_rate(now);
            if let Some(tones) = &mut self.tones {
                *tones = digits::Listener::new(now);
            }
            self.position = self.position * u64::from(now.0) / u64::from(before.0.max(1));
        }
    }

    fn buffer(&mut self) -> Vec<i16> {
        let mut samples = self.spare.pop().unwrap_or_default();
        samples.clear();
        samples
    }

    /// 6 and 7: on its way to the call.
    fn frame(&mut self, at: Instant, samples: Vec<i16>, payload: &[u8], is_filling: bool) {
        let tone = self.tones.as_mut().and_then(|tones| tones.add(&samples));
        if let Some(packets) = &mut self.packets {
            let mut kept = packets.spare.pop().unwrap_or_default();
            kept.clear();
            kept.extend_from_slice(payload);
            let is_digit = tone.is_some() || self.tones.as_ref().is_some_and(digits::Listener::is_hearing);
            packets.waiting.push_back((kept, Nature { is_filling, is_digit }));
        }
        let concealed = payload.is_empty();
        self.frames_total += samples.len() as u64;
        let rate = self.rate();
        let energy = Energy::of(rate, &samples);
        self.level.add(&samples, &energy);
        if let Some(tone) = tone {
            let duration_ms = u32::try_from(tone.duration.as_millis()).unwrap_or(u32::MAX);
            self.push(Out::Digit { digit: tone.digit, duration_ms });
        }
        let edge = self.vad.add(at, &samples, &energy);
        let position = self.position;
        self.position += samples.len() as u64;
        if self.vad.is_voiced_now() && !concealed {
            self.speech.0 += f64::from(energy.mean_square());
            self.speech.1 += 1;
        }
        let voiced = self.vad.is_speaking() || self.vad.is_voiced_now();
        self.out.push_back((Out::Frame { rate, at, position, concealed, voiced, energy }, samples));
        if let Some(edge) = edge {
            self.push(Out::Speech(edge));
        }
    }

    fn push(&mut self, out: Out) {
        self.out.push_back((out, Vec::new()));
    }
}
