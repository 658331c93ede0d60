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

use super::{
    codec::Codec,
    decoding::Decoding,
    dsp::{
        digits,
        level::LevelMeter,
        vad::{Detector, Kind, SpeechEdge},
    },
    latch::{Latch, Verdict},
    rtp::{
        burst::{BurstFigures, Bursts},
        dtmf::{Heard, Listener},
        mos,
        order::{Order, Ordered},
        packet::Packet,
        stats::{Arrival, StreamStats},
    },
};
use crate::{
    call::journal::{InboundStats, rounded},
    clock::Instant,
    unit::{DbFs, PayloadType, Ptime, SampleRate, Ssrc},
};
use std::{collections::VecDeque, net::SocketAddr, time::Duration};

/// How long a gap is held open for packets that come out of order.
pub const REORDER_WINDOW: Duration = Duration::from_millis(40);
/// Where another leg listens, who waits anyhow, it is three times the jitter within these bounds…
const REORDER_MIN: Duration = Duration::from_millis(5);
const REORDER_MAX: Duration = Duration::from_millis(120);
/// …and not below [`REORDER_WINDOW`] if a packet came behind its gap within this time.
const UNRULY: Duration = Duration::from_secs(10);
/// RFC 3389 §4: understood although never agreed on, because many trunks send it unasked.
const COMFORT_NOISE: PayloadType = PayloadType(13);
/// Silence is put in when the next packet is this late.
const STARVED_AFTER: Duration = Duration::from_millis(60);
/// Concealed at most for one gap; longer gaps are a pause of the sender.
const CONCEAL_MAX: Duration = Duration::from_millis(200);

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

/// What a frame is besides its sound.
#[derive(Clone, Copy, Debug, Default)]
struct Nature {
    /// It was put in while nothing came.
    is_filling: bool,
    /// It holds the tone of a digit.
    is_digit: bool,
}

/// Payloads beside the frames that wait in `out`.
#[derive(Debug, Default)]
struct Packets {
    /// Payloads, and what each frame is.
    waiting: VecDeque<(Vec<u8>, Nature)>,
    current: (Vec<u8>, Nature),
    spare: Vec<Vec<u8>>,
    /// Late packets so far, and when they became more.
    late: (u64, Option<Instant>),
}

/// Figures of sources that are gone.
#[derive(Clone, Copy, Debug, Default)]
struct Past {
    packets: u64,
    expected: u64,
    lost: u64,
    late: u64,
    duplicate: u64,
    reordered: u64,
    burst_max: u32,
    jitter_max_ms: f64,
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

    /// Keeps payloads from now on: another leg may take them as they are.
    pub fn keep_payloads(&mut self) {
        let frames = self.out.iter().filter(|(out, _)| matches!(out, Out::Frame { .. })).count();
        self.packets.get_or_insert_default().waiting.resize_with(frames, Default::default);
    }

    /// Whether the frame that [`Self::poll`] gave last was put in while nothing came, or in a pause of the sender.
    #[must_use]
    pub fn is_filling(&self) -> bool {
        self.packets.as_ref().is_some_and(|packets| packets.current.1.is_filling)
    }

    /// Whether the frame that [`Self::poll`] gave last holds the tone of a digit, as far as can be told by then: the
    /// first of it may not be known yet.
    #[must_use]
    pub fn is_digit(&self) -> bool {
        self.packets.as_ref().is_some_and(|packets| packets.current.1.is_digit)
    }

    /// For another leg a gap is held open no longer than the network needs: what waits for it waits for nothing.
    fn fit_window(&mut self, now: Instant) {
        let Some(packets) = &mut self.packets else { return };
        let late = self.order.late();
        if late > packets.late.0 {
            packets.late = (late, Some(now));
        }
        let is_calm = packets.late.1.is_none_or(|at| now.since(at) > UNRULY);
        let jitter_ms = self.stats.as_ref().map_or(0.0, |stats| stats.jitter_ms().0);
        let by_jitter = Duration::from_secs_f64((jitter_ms * 3.0).clamp(0.0, 1_000.0) / 1_000.0);
        let least = if is_calm { REORDER_MIN } else { REORDER_WINDOW };
        self.order.set_window(by_jitter.clamp(least, REORDER_MAX));
    }

    /// The payload of the frame that [`Self::poll`] gave last; empty if its sound was made up, or payloads are not kept.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.packets.as_ref().map_or(&[], |packets| &packets.current.0)
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

    /// The journal's figures. Levels start a new window with each call of this.
    #[expect(clippy::cast_possible_truncation, reason = "figures for people")]
    pub fn take_stats(&mut self, elapsed: Duration, round_trip_ms: Option<f64>) -> InboundStats {
        let Past { mut packets, mut expected, mut lost, late, mut duplicate, mut reordered, mut burst_max, .. } =
            self.past;
        let mut jitter_max_ms = self.past.jitter_max_ms;
        let (mut jitter_ms, mut jitter_mean_ms, mut drift_ppm, mut ssrc) = (0.0, 0.0, None, String::new());
        if let Some(stats) = &self.stats {
            let (stream_expected, stream_lost) = stats.counts();
            packets += stats.received();
            expected += stream_expected;
            lost += stream_lost;
            duplicate += stats.duplicate();
            reordered += stats.reordered();
            burst_max = burst_max.max(stats.burst_max());
            let (now, max, mean) = stats.jitter_ms();
            jitter_ms = now;
            jitter_mean_ms = mean;
            jitter_max_ms = jitter_max_ms.max(max);
            drift_ppm = stats.drift_ppm().map(rounded);
            ssrc = stats.ssrc.to_string();
        }
        let loss_percent = if expected == 0 { 0.0 } else { lost as f64 * 100.0 / expected as f64 };
        let burst = self.bursts.figures();
        let delay_ms = round_trip_ms.unwrap_or(0.0) / 2.0 + f64::from(self.ptime.ms()) + 2.0 * jitter_ms;
        let quality = (packets >= 50).then(|| {
            mos::estimate(&mos::Line {
                delay_ms: delay_ms as f32,
                loss_percent: loss_percent as f32,
                burst_ratio: burst.ratio as f32,
                impairment: self.codec().impairment,
                wideband: self.codec().is_wideband(),
            })
        });
        let hundredths = |mos: crate::unit::Mos| (f64::from(mos.0) * 100.0).round() / 100.0;
        let ptime_ms = f64::from(self.ptime.ms());
        let share = |part: Duration| rounded(part.as_secs_f64() * 100.0 / elapsed.as_secs_f64().max(0.001));
        InboundStats {
            packets,
            expected,
            lost,
            loss_percent: rounded(loss_percent),
            burst_max,
            late: late + self.order.late(),
            duplicate,
            reordered,
            jitter_ms: rounded(jitter_ms),
            jitter_max_ms: rounded(jitter_max_ms),
            jitter_mean_ms: rounded(jitter_mean_ms),
            concealed_percent: rounded(self.frames_concealed as f64 * 100.0 / self.frames_total.max(1) as f64),
            level_dbfs: rounded(f64::from(self.level.take_level().0)),
            peak_dbfs: rounded(f64::from(self.level.peak().0)),
            talk_percent: share(self.vad.spoken()).min(100.0),
            drift_ppm,
            mos: quality.map(|quality| hundredths(quality.mos_cq)),
            mos_lq: quality.map(|quality| hundredths(quality.mos_lq)),
            r_factor: quality.map(|quality| rounded(f64::from(quality.r))),
            delay_ms: (packets > 0).then(|| rounded(delay_ms)),
            bursts: burst.bursts,
            burst_percent: rounded(burst.burst_density * 100.0),
            burst_ms: rounded(burst.burst_packets * ptime_ms),
            gap_percent: rounded(burst.gap_density * 100.0),
            gap_ms: rounded(burst.gap_packets * ptime_ms),
            speech_dbfs: (self.speech.1 >= 50)
                .then(|| rounded(f64::from(DbFs::of_mean_square((self.speech.0 / f64::from(self.speech.1)) as f32).0))),
            clipped: self.level.clipped(),
            comfort_noise: self.comfort_noise,
            unexpected: self.unexpected,
            // Both directions are needed: `call::pipeline` knows.
            echo_delay_ms: None,
            echo_loss_db: None,
            double_talk_percent: 0.0,
            ssrc,
            refused: self.refused,
            // Counted before packets come here.
            srtp_failed: 0,
            srtp_replayed: 0,
            // The recorder knows.
            unrecorded_ms: 0,
        }
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

    fn bury_source(&mut self) {
        let Some(gone) = self.stats.take() else { return };
        let (expected, lost) = gone.counts();
        self.past.packets += gone.received();
        self.past.expected += expected;
        self.past.lost += lost;
        self.past.duplicate += gone.duplicate();
        self.past.reordered += gone.reordered();
        self.past.burst_max = self.past.burst_max.max(gone.burst_max());
        self.past.jitter_max_ms = self.past.jitter_max_ms.max(gone.jitter_ms().1);
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

    fn conceal(&mut self, now: Instant, count: u32, until: u32) {
        let (codec, rate) = (self.codec(), self.rate());
        let by_packets = rate.samples_in(self.ptime.duration()) * count.min(1_000) as usize;
        let missing = self.expected_timestamp.map_or(by_packets, |expected| {
            let gap = until.wrapping_sub(expected);
            // A jump of the timestamp says nothing about how much is missing.
            if gap < codec.clock.0 * 2 { codec.samples_of(gap, rate) } else { by_packets }
        });
        // What was already filled with silence while waiting is not missing any more.
        self.take_back_silence(u32::try_from(missing).unwrap_or(u32::MAX));
        let missing = missing.saturating_sub(self.filled as usize).min(rate.samples_in(CONCEAL_MAX));
        if missing > 0 {
            // Only this is concealment; pauses and silence are not losses.
            self.frames_concealed += missing as u64;
            let mut samples = self.buffer();
            self.decoding.conceal(missing, self.order.next(), &mut samples);
            self.frame(now, samples, &[], false);
        }
        self.expected_timestamp = Some(until);
        self.filled = 0;
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

    /// Comfort noise (RFC 3389): the sender is silent from here on and says how its silence sounds.
    fn fall_silent(&mut self, at: Instant, timestamp: u32, payload: &[u8]) {
        self.bridge(at, timestamp);
        if self.decoding.begin_noise(payload) {
            self.expected_timestamp = Some(timestamp);
            self.filled = 0;
            if self.settings.expected {
                // At once: the pause is announced, nothing is late.
                self.next_fill_at = at;
            }
        }
    }

    /// A pause of the sender before `timestamp`: silence suppression, digits. Nothing was lost.
    fn bridge(&mut self, at: Instant, timestamp: u32) {
        let Some(expected) = self.expected_timestamp else { return };
        let (codec, rate) = (self.codec(), self.rate());
        let gap = timestamp.wrapping_sub(expected);
        if gap >= codec.clock.0 * 2 {
            return;
        }
        let gap = codec.samples_of(gap, rate);
        self.take_back_silence(u32::try_from(gap).unwrap_or(u32::MAX));
        let pause = gap.saturating_sub(self.filled as usize);
        if pause > 0 && pause <= rate.samples_in(CONCEAL_MAX) {
            self.pause(at, pause);
        } else {
            self.position += pause as u64;
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

    /// Late packets take the place of the silence that was put in for them: the timeline must not grow.
    fn take_back_silence(&mut self, gap: u32) {
        self.position = self.position.saturating_sub(u64::from(self.filled.saturating_sub(gap)));
    }

    fn pause(&mut self, at: Instant, count: usize) {
        let mut samples = self.buffer();
        self.decoding.pause(count, &mut samples);
        self.frame(at, samples, &[], true);
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
        let mean_square = self.level.add(&samples);
        if let Some(tone) = tone {
            let duration_ms = u32::try_from(tone.duration.as_millis()).unwrap_or(u32::MAX);
            self.push(Out::Digit { digit: tone.digit, duration_ms });
        }
        let edge = self.vad.add(at, &samples);
        let (rate, position) = (self.rate(), self.position);
        self.position += samples.len() as u64;
        if self.vad.is_voiced_now() && !concealed {
            self.speech.0 += f64::from(mean_square);
            self.speech.1 += 1;
        }
        let voiced = self.vad.is_speaking() || self.vad.is_voiced_now();
        self.out.push_back((Out::Frame { rate, at, position, concealed, voiced }, samples));
        if let Some(edge) = edge {
            self.push(Out::Speech(edge));
        }
    }

    fn push(&mut self, out: Out) {
        self.out.push_back((out, Vec::new()));
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small numbers of tests")]
mod tests {
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
}
