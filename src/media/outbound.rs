//! From the agent's sound to paced RTP, one screen, in order.
//!
//! ```text
//! agent audio → resample → playout queue → tick → digit or voice or silence → encode → RTP → datagram
//! ```
//!
//! Owns what of each turn the caller has been sent, and the
//! pace: packet `n` is due at `start + n × ptime`, whatever happened to the packets before. The first packet of a
//! talk spurt may go up to one ptime early; the lead is given back when silence returns. Called by
//! `call::pipeline`. RFC 3550, 3551, 4733.

use super::{
    codec::Codec,
    dsp::{
        beep::Beep,
        digits,
        level::{Energy, LevelMeter},
        resample::Resampler,
    },
    encoding::Encoding,
    relay::{Far, FarSound, Relay},
    rtp::{dtmf::Speaker, packet::Packet, report::SentTotals},
};
use crate::{
    call::journal::{OutboundStats, PlayoutStats, rounded},
    clock::Instant,
    unit::{PayloadType, Ptime, SampleRate, Ssrc, TurnId},
};
use std::{collections::VecDeque, time::Duration};

/// Sound that waits while its agent is held back: nothing more is read of it until some has been played.
pub const QUEUE_FULL: Duration = Duration::from_mins(1);
/// Sound that may wait all the same, because an agent cannot be held back while the caller speaks: it may have been
/// interrupted, and that stands behind its sound. What comes beyond is dropped and said so.
pub const QUEUE_MAX: Duration = Duration::from_mins(5);
/// After the queue ran dry inside a turn, this much is gathered before going on.
const REBUFFER: Duration = Duration::from_millis(60);
/// A tick later than this is not caught up with.
const LATE_MAX: Duration = Duration::from_millis(60);
/// What was agreed on for this direction.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How to encode.
    pub codec: &'static Codec,
    /// Rate of the sound before the encoder: one of the codec's, best the one that the agent speaks at.
    pub rate: SampleRate,
    /// The far end's parameters of this codec (`a=fmtp` without its number).
    pub fmtp: String,
    /// The payload type that the far end gave this codec.
    pub payload_type: PayloadType,
    /// Payload type of telephone-event, if agreed on, and its clock.
    pub event: Option<(PayloadType, SampleRate)>,
    /// Sound in one packet.
    pub ptime: Ptime,
    /// Whether we may send (not while held by the far end).
    pub sending: bool,
}

/// What one tick sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticked {
    /// A packet was written.
    pub sent: bool,
    /// The packet holds the agent's voice.
    pub voice: bool,
    /// Position of its first sample on our clock, for the recording; counts from the start.
    pub position: Duration,
    /// First packet of this turn.
    pub began: Option<TurnId>,
    /// Last packet of this turn: the caller has been sent all of it.
    pub finished: Option<TurnId>,
    /// A digit that was just sent.
    pub digit: Option<char>,
}

/// What a cut threw away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// The turn that was playing, if one was.
    pub turn: Option<TurnId>,
    /// Its sound that the caller was sent.
    pub heard_ms: u32,
    /// Sound thrown away.
    pub flushed_ms: u32,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    turn: TurnId,
    waiting: usize,
    complete: bool,
}

/// The machine.
#[derive(Debug)]
pub struct Outbound {
    settings: Settings,
    ssrc: Ssrc,
    sequence: u16,
    timestamp: u32,
    position: Duration,
    due: Instant,
    lead: Duration,
    // 9 playout, 12 codec
    encoding: Encoding,
    segments: VecDeque<Segment>,
    playing: Option<TurnId>,
    heard: usize,
    prebuffer: usize,
    gathering: bool,
    /// The next packet of sound begins a talk spurt.
    marked: bool,
    in_spurt: bool,
    /// Silence is sent; what waits, waits.
    paused: bool,
    /// Another leg's sound goes out instead of an agent's.
    relay: Option<Relay>,
    // 10
    resampler: Option<(SampleRate, Resampler)>,
    resampled: Vec<i16>,
    // 13
    speaker: Speaker,
    /// Digits as tones, if they may be.
    tones: Option<digits::Speaker>,
    event_timestamp: u32,
    level: LevelMeter,
    /// Of the packet that the last tick wrote.
    energy: Energy,
    beep: Beep,
    packets: u64,
    octets: u64,
    voice_packets: u64,
    underruns: u64,
    late_ticks: u64,
}

impl Outbound {
    /// A direction that starts at `now`; `seed` gives the random first sequence number and timestamp
    /// (RFC 3550 §5.1).
    #[must_use]
    pub fn new(now: Instant, settings: Settings, ssrc: Ssrc, seed: u64) -> Self {
        let bytes = seed.to_le_bytes();
        let timestamp = u32::from_le_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]);
        Self {
            encoding: Encoding::new(settings.codec, settings.rate, &settings.fmtp),
            settings,
            ssrc,
            // Below 2^15: room to grow before the wrap helps old phones.
            sequence: u16::from_le_bytes([bytes[0], bytes[1]]) >> 1,
            timestamp,
            position: Duration::ZERO,
            due: now,
            lead: Duration::ZERO,
            segments: VecDeque::new(),
            playing: None,
            heard: 0,
            prebuffer: 0,
            gathering: true,
            marked: true,
            in_spurt: false,
            paused: false,
            relay: None,
            resampler: None,
            resampled: Vec::new(),
            speaker: Speaker::default(),
            tones: None,
            event_timestamp: 0,
            level: LevelMeter::default(),
            energy: Energy::of(SampleRate::HZ_8000, &[]),
            beep: Beep::new(),
            packets: 0,
            octets: 0,
            voice_packets: 0,
            underruns: 0,
            late_ticks: 0,
        }
    }

    /// Gathers so much of a turn before it starts to play: for agents that send in real time.
    pub fn set_prebuffer(&mut self, span: Duration) {
        self.prebuffer = self.settings.rate.samples_in(span);
    }

    /// Takes over what a new offer or answer agreed on. What waits is kept.
    pub fn renegotiate(&mut self, settings: Settings) {
        let (from, to) = (self.settings.rate, settings.rate);
        if settings.codec != self.settings.codec || from != to || settings.fmtp != self.settings.fmtp {
            self.encoding.change(settings.codec, to, &settings.fmtp);
            self.resampler = None;
            self.heard = scaled(self.heard, from, to);
            self.prebuffer = scaled(self.prebuffer, from, to);
            // What waits was converted as one piece: what rounding gave or took is the last turn's.
            let mut left = self.encoding.len();
            let last = self.segments.len().saturating_sub(1);
            for (n, segment) in self.segments.iter_mut().enumerate() {
                segment.waiting = if n == last { left } else { scaled(segment.waiting, from, to).min(left) };
                left -= segment.waiting;
            }
        }
        if let Some(relay) = &mut self.relay {
            relay.change(settings.codec, settings.rate, settings.ptime);
        }
        self.settings = settings;
    }

    /// Another leg is heard from now on, instead of an agent.
    pub fn join(&mut self) {
        self.relay.get_or_insert_with(|| Relay::new(self.settings.codec, self.settings.rate, self.settings.ptime));
    }

    /// The way of another leg's sound, if one is heard.
    #[must_use]
    pub const fn relay(&self) -> Option<&Relay> {
        self.relay.as_ref()
    }

    /// What another leg gave; false if the far end cannot be given it (a digit that it does not take).
    pub fn relayed(&mut self, far: Far<'_>) -> bool {
        match (far, &mut self.relay) {
            // A digit goes on once: as an event where those are taken, and then not as a tone too.
            (Far::Sound(sound), Some(relay)) if sound.is_digit && self.settings.event.is_some() => {
                self.resampled.clear();
                self.resampled.resize(sound.samples.len(), 0);
                relay.push(&FarSound { payload: &[], samples: &self.resampled, ..sound });
                true
            }
            (Far::Sound(sound), Some(relay)) => {
                relay.push(&sound);
                true
            }
            (Far::Anew, relay) => {
                relay.iter_mut().for_each(Relay::begin_anew);
                true
            }
            (Far::Paced(rate, samples), Some(relay)) => {
                relay.push_paced(rate, samples);
                true
            }
            (Far::Sound(_) | Far::Paced(..), None) => false,
            (Far::Digit(digit, _), _) => self.press(digit),
            // Without events it has gone on as what it came as, in the sound.
            (Far::Tone(digit, _), _) => self.settings.event.is_none() || self.press(digit),
        }
    }

    /// Whether packets may go out: not before the answer, not while held.
    pub const fn set_sending(&mut self, sending: bool) {
        self.settings.sending = sending;
    }

    /// Puts sound of `turn` in line. Gives how many milliseconds did not fit.
    pub fn enqueue(&mut self, now: Instant, turn: TurnId, rate: SampleRate, samples: &[i16]) -> u32 {
        let own = self.settings.rate;
        let mut resampled = std::mem::take(&mut self.resampled);
        resampled.clear();
        let samples = if rate == own {
            samples
        } else {
            if self.resampler.as_ref().is_none_or(|(from, _)| *from != rate) {
                self.resampler = Resampler::new(rate, own).ok().map(|resampler| (rate, resampler));
            }
            let Some((_, resampler)) = &mut self.resampler else {
                self.resampled = resampled;
                return ms_of(rate, samples.len());
            };
            resampler.process(samples, &mut resampled);
            &resampled
        };
        let room = own.samples_in(QUEUE_MAX).saturating_sub(self.encoding.len());
        let fits = samples.len().min(room);
        self.encoding.push(&samples[..fits]);
        match self.segments.back_mut() {
            Some(last) if last.turn == turn => last.waiting += fits,
            _ => self.segments.push_back(Segment { turn, waiting: fits, complete: false }),
        }
        let dropped = ms_of(own, samples.len() - fits);
        self.resampled = resampled;
        if !self.in_spurt && self.may_play() {
            // First packet of a talk spurt: at once, at most one packet ahead of the schedule.
            self.lead = self.due.since(now).min(self.settings.ptime.duration());
        }
        dropped
    }

    /// No more sound of `turn` will come.
    pub fn complete(&mut self, turn: TurnId) {
        let Some(segment) = self.segments.iter_mut().find(|segment| segment.turn == turn) else { return };
        segment.complete = true;
        if let Some((_, resampler)) = &mut self.resampler
            && self.segments.back().is_some_and(|last| last.turn == turn)
        {
            // Its last milliseconds are still in the filter, and are not the beginning of the next turn.
            self.resampled.clear();
            resampler.flush(&mut self.resampled);
            self.encoding.push(&self.resampled);
            if let Some(last) = self.segments.back_mut() {
                last.waiting += self.resampled.len();
            }
        }
    }

    /// Throws away all that waits; the caller hears silence from the next packet on, after a short fade.
    pub fn cut(&mut self) -> Cut {
        let rate = self.settings.rate;
        let turn = self.playing.or_else(|| self.segments.front().map(|segment| segment.turn));
        let cut = Cut {
            turn,
            heard_ms: if self.playing.is_some() { ms_of(rate, self.heard) } else { 0 },
            flushed_ms: ms_of(rate, self.encoding.len()),
        };
        self.encoding.cut(self.in_spurt);
        if let Some((_, resampler)) = &mut self.resampler {
            resampler.reset();
        }
        self.segments.clear();
        self.playing = None;
        self.heard = 0;
        self.in_spurt = false;
        self.gathering = true;
        self.paused = false;
        cut
    }

    /// Silence is sent from the next packet on, after a short fade; what waits stays, and more may come.
    pub fn pause(&mut self) {
        if !std::mem::replace(&mut self.paused, true) {
            self.encoding.pause(self.in_spurt);
            self.in_spurt = false;
        }
    }

    /// What waits goes on, from the sample that would have been next.
    pub const fn resume(&mut self) {
        self.paused = false;
    }

    /// The far end hears a beep with the next packets, over whatever else it hears.
    pub const fn beep(&mut self) {
        self.beep.start();
    }

    /// Puts a digit in line; false if the far end takes none, or it is no digit.
    pub fn press(&mut self, digit: char) -> bool {
        if self.settings.event.is_some() {
            return self.speaker.press(digit);
        }
        self.tones.as_mut().is_some_and(|tones| tones.press(digit))
    }

    /// Digits go out as tones where the far end takes no telephone-event, or not.
    pub fn set_tones(&mut self, make: bool) {
        self.tones = if make { self.tones.take().or_else(|| Some(digits::Speaker::default())) } else { None };
    }

    fn sounds_digits(&self) -> bool {
        self.tones.as_ref().is_some_and(digits::Speaker::is_busy)
    }

    /// Whether everything has been sent: sound and digits.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.encoding.is_empty() && !self.speaker.is_busy() && !self.sounds_digits()
    }

    /// Sound that waits.
    #[must_use]
    pub fn queued(&self) -> Duration {
        self.settings.rate.duration_of(self.encoding.len())
    }

    /// When the next packet is due.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        self.due - self.lead
    }

    /// Writes the packet that is due into `datagram`. Call while [`Self::timeout`] is not after `now`.
    pub fn tick(&mut self, now: Instant, datagram: &mut Vec<u8>) -> Ticked {
        let ptime = self.settings.ptime.duration();
        let count = self.settings.rate.samples_in(ptime);
        let step = u32::try_from(self.settings.codec.clock.samples_in(ptime)).unwrap_or(160);
        if !self.lead.is_zero()
            && now < self.due
            && !self.has_voice()
            && !self.speaker.is_busy()
            && !self.sounds_digits()
        {
            // The spurt is over: give the lead back before the silence.
            self.lead = Duration::ZERO;
            let mut ticked = Ticked::default();
            self.finish_empty(&mut ticked);
            return ticked;
        }
        let late = now.since(self.timeout());
        if late > LATE_MAX {
            // Never burst: drop to now; the timestamp keeps true time.
            self.late_ticks += 1;
            let skipped = u32::try_from(late.as_nanos() / ptime.as_nanos()).unwrap_or(0);
            self.timestamp = self.timestamp.wrapping_add(step.wrapping_mul(skipped));
            self.due += ptime * skipped;
            self.position += ptime * skipped;
        } else if late >= ptime {
            self.late_ticks += 1;
        }
        self.due += ptime;
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(step);
        let mut ticked = Ticked { position: self.position, ..Ticked::default() };
        self.position += ptime;
        // Taken in any case: what the other leg says while we hold, or send a digit, is not said later.
        let relayed = self.relay.as_mut().is_some_and(|relay| relay.take(now));
        if !self.settings.sending {
            self.lead = Duration::ZERO;
            return ticked;
        }
        if let Some((event, clock)) = self.settings.event
            && self.speaker.is_busy()
            && let Some(digit) = self.speaker.tick(u32::from(self.settings.ptime.ms()), clock.0)
        {
            if digit.marker {
                self.event_timestamp = timestamp;
            }
            ticked.sent = true;
            ticked.digit = digit.finished;
            self.encoding.skip(count);
            let packet = (digit.marker, event, self.event_timestamp);
            self.send(packet, &digit.payload, datagram);
            return ticked;
        }
        if self.sounds_digits()
            && let Some(tones) = &mut self.tones
        {
            let rate = self.settings.rate;
            self.encoding.instead(|played| ticked.digit = tones.next(rate, count, played));
            self.measure();
            let packet = (std::mem::take(&mut self.marked), self.settings.payload_type, timestamp);
            let payload = self.encoding.take_payload();
            self.send(packet, &payload, datagram);
            self.encoding.give_back(payload);
            ticked.sent = true;
            return ticked;
        }
        let was_in_spurt = self.in_spurt;
        // What is said here, music on hold, goes before what the other leg says.
        if let Some(relay) = self.relay.as_ref().filter(|_| relayed && self.encoding.is_empty()) {
            let (payload, samples) = relay.taken();
            self.encoding.pass(payload, samples, &mut self.beep);
            (ticked.voice, self.in_spurt) = (true, true);
        } else {
            ticked.voice = !self.paused && self.take_voice(count, &mut ticked);
            if !ticked.voice {
                self.lead = Duration::ZERO;
                self.encoding.begin_silence();
            }
            self.encoding.finish(count, &mut self.beep);
        }
        self.measure();
        self.marked |= ticked.voice && !was_in_spurt;
        self.voice_packets += u64::from(ticked.voice);
        // The encoder may have nothing to say in silence (DTX): the timestamp goes on alone.
        if !self.encoding.payload().is_empty() {
            let packet = (std::mem::take(&mut self.marked), self.settings.payload_type, timestamp);
            let payload = self.encoding.take_payload();
            self.send(packet, &payload, datagram);
            self.encoding.give_back(payload);
            ticked.sent = true;
        }
        ticked
    }

    /// Samples of the packet that the last tick wrote, for the recording.
    #[must_use]
    pub fn played(&self) -> &[i16] {
        self.encoding.played()
    }

    /// How loud [`Self::played`] is.
    #[must_use]
    pub const fn energy(&self) -> &Energy {
        &self.energy
    }

    fn measure(&mut self) {
        self.energy = Energy::of(self.settings.rate, self.encoding.played());
        self.level.add(self.encoding.played(), &self.energy);
    }

    /// Rate of [`Self::played`].
    #[must_use]
    pub const fn rate(&self) -> SampleRate {
        self.settings.rate
    }

    /// The far end reports that it loses so many packets in a hundred.
    pub fn expect_loss(&mut self, percent: f32) {
        self.encoding.expect_loss(percent);
    }

    /// What was sent, for our sender reports; none before the first packet.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "RTCP counts in 32 bits and wraps")]
    pub fn totals(&self) -> Option<SentTotals> {
        (self.packets > 0).then_some(SentTotals {
            packets: self.packets as u32,
            octets: self.octets as u32,
            timestamp: self.timestamp,
        })
    }

    /// The journal's figures. The level starts a new window with each call of this.
    pub fn take_stats(&mut self) -> OutboundStats {
        OutboundStats {
            packets: self.packets,
            queue_ms: self.relay.as_ref().map_or_else(
                || ms_of(self.settings.rate, self.encoding.len()),
                |relay| u32::try_from(relay.waits().as_millis()).unwrap_or(u32::MAX),
            ),
            level_dbfs: rounded(f64::from(self.level.take_level().0)),
            talk_percent: rounded(self.voice_packets as f64 * 100.0 / self.packets.max(1) as f64),
            underruns: self.underruns + self.relay.as_ref().map_or(0, |relay| relay.counters().underruns),
            late_ticks: self.late_ticks,
            playout: self.relay.as_ref().and_then(Relay::figures).map(|figures| PlayoutStats {
                delay_ms: rounded(figures.delay_ms),
                target_ms: rounded(figures.target_ms),
                concealed_ms: rounded(figures.concealed_ms),
                inserted_ms: rounded(figures.inserted_ms),
                dropped_ms: rounded(figures.dropped_ms),
                late: figures.late,
            }),
            remote_loss_percent: None,
            remote_jitter_ms: None,
            rtt_ms: None,
            mos: None,
            mos_lq: None,
            r_factor: None,
            remote_mos: None,
            ssrc: self.ssrc.to_string(),
        }
    }

    /// Whether enough has been gathered to start or go on.
    fn may_play(&self) -> bool {
        let Some(front) = self.segments.front() else { return false };
        if self.encoding.is_empty() || self.paused {
            return false;
        }
        let ptime = self.settings.rate.samples_in(self.settings.ptime.duration());
        front.complete || self.encoding.len() >= self.prebuffer.max(ptime)
    }

    fn has_voice(&self) -> bool {
        if self.gathering { self.may_play() } else { !self.encoding.is_empty() && !self.paused }
    }

    /// 9: up to `count` samples of what waits; false if there is nothing to play.
    fn take_voice(&mut self, count: usize, ticked: &mut Ticked) -> bool {
        if self.gathering {
            if !self.may_play() {
                self.finish_empty(ticked);
                return false;
            }
            self.gathering = false;
        }
        let take = self.encoding.begin(count);
        let mut left = take;
        while let Some(segment) = self.segments.front_mut() {
            if left > 0 && self.playing != Some(segment.turn) {
                self.playing = Some(segment.turn);
                self.heard = 0;
                ticked.began = Some(segment.turn);
            }
            let part = left.min(segment.waiting);
            segment.waiting -= part;
            self.heard += part;
            left -= part;
            if segment.waiting > 0 {
                break;
            }
            if segment.complete || self.segments.len() > 1 {
                ticked.finished = self.segments.pop_front().map(|segment| segment.turn);
                self.playing = None;
                continue;
            }
            break;
        }
        self.in_spurt = take > 0;
        if self.encoding.is_empty() {
            self.gathering = true;
            if self.segments.is_empty() {
                // The turn is over.
                self.prebuffer = self.prebuffer.min(self.settings.rate.samples_in(REBUFFER));
            } else if take < count {
                self.underruns += 1;
                self.prebuffer = self.prebuffer.max(self.settings.rate.samples_in(REBUFFER));
            }
        }
        take > 0
    }

    /// A turn that was completed after its last sample had been sent.
    fn finish_empty(&mut self, ticked: &mut Ticked) {
        self.in_spurt = false;
        if let Some(front) = self.segments.front()
            && front.waiting == 0
            && front.complete
        {
            ticked.finished = self.segments.pop_front().map(|segment| segment.turn);
            self.playing = None;
        }
    }

    /// 13: the packet.
    fn send(
        &mut self,
        (marker, payload_type, timestamp): (bool, PayloadType, u32),
        payload: &[u8],
        datagram: &mut Vec<u8>,
    ) {
        let packet = Packet { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc, payload };
        packet.write(datagram);
        self.sequence = self.sequence.wrapping_add(1);
        self.packets += 1;
        self.octets += payload.len() as u64;
    }
}

fn scaled(samples: usize, from: SampleRate, to: SampleRate) -> usize {
    if from == to { samples } else { to.samples_in(from.duration_of(samples)) }
}

fn ms_of(rate: SampleRate, samples: usize) -> u32 {
    u32::try_from(rate.duration_of(samples).as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec;

    fn outbound() -> Outbound {
        let settings = Settings {
            codec: &codec::CODECS[0],
            rate: SampleRate::HZ_8000,
            fmtp: String::new(),
            payload_type: PayloadType(0),
            event: Some((PayloadType(101), SampleRate::HZ_8000)),
            ptime: Ptime::MS_20,
            sending: true,
        };
        Outbound::new(Instant::ZERO, settings, Ssrc(1), 42)
    }

    fn voice(ms: usize) -> Vec<i16> {
        vec![5_000; 8 * ms]
    }

    /// Ticks on time until `until_ms`; gives the ticks with their times.
    fn run(outbound: &mut Outbound, until_ms: u64) -> Vec<(u64, Ticked)> {
        let mut datagram = Vec::new();
        let mut ticks = Vec::new();
        while outbound.timeout() < Instant::from_millis(until_ms) {
            let now = outbound.timeout();
            ticks.push((now.as_nanos() / 1_000_000, outbound.tick(now, &mut datagram)));
        }
        ticks
    }

    #[test]
    fn a_pause_loses_no_sample_and_fades() {
        for codec in ["pcmu", "l16-8k"] {
            let mut outbound = outbound();
            let codec = codec::by_name(codec).unwrap();
            outbound.renegotiate(Settings { codec, ..outbound.settings.clone() });
            let sound: Vec<i16> = (1..=800).map(|n| n * 30).collect();
            outbound.enqueue(Instant::ZERO, TurnId(1), SampleRate::HZ_8000, &sound);
            outbound.complete(TurnId(1));
            let (mut datagram, mut heard, mut finished) = (Vec::new(), Vec::new(), false);
            for n in 0..9 {
                match n {
                    2 => outbound.pause(),
                    5 => outbound.resume(),
                    _ => {}
                }
                let now = outbound.timeout();
                let ticked = outbound.tick(now, &mut datagram);
                let paused = (2..5).contains(&n);
                assert_eq!(ticked.voice, !paused && n < 8, "{} {n}", codec.name);
                assert!(!paused || ticked.began.or(ticked.finished).is_none());
                finished |= ticked.finished == Some(TurnId(1));
                if ticked.voice {
                    heard.extend_from_slice(outbound.played());
                } else {
                    let loud = outbound.played().iter().filter(|sample| sample.abs() > 500).count();
                    assert!(if n == 2 { (20..=40).contains(&loud) } else { loud == 0 }, "{} {n}: {loud}", codec.name);
                }
            }
            assert!(finished && heard.len() == 800, "{}", codec.name);
            let near =
                |(one, other): (&i16, &i16)| (i32::from(*one) - i32::from(*other)).abs() <= i32::from(*other) / 16 + 16;
            assert!(heard.iter().zip(&sound).all(near), "{}", codec.name);
        }
    }

    #[test]
    fn the_first_packet_of_a_spurt_goes_at_once_and_the_schedule_is_kept() {
        let mut outbound = outbound();
        assert_eq!(run(&mut outbound, 100).len(), 5);
        outbound.enqueue(Instant::from_millis(87), TurnId(1), SampleRate::HZ_8000, &voice(60));
        outbound.complete(TurnId(1));
        let ticks: Vec<_> = run(&mut outbound, 201)
            .into_iter()
            .filter(|(_, tick)| tick.sent)
            .map(|(at, tick)| (at, tick.voice))
            .collect();
        assert_eq!(
            ticks,
            [(87, true), (107, true), (127, true), (160, false), (180, false), (200, false)],
            "early by 13 ms, then back on the schedule with the silence"
        );
    }

    #[test]
    fn a_turn_has_a_beginning_and_an_end_and_its_sound_is_counted() {
        let mut outbound = outbound();
        outbound.enqueue(Instant::ZERO, TurnId(3), SampleRate::HZ_8000, &voice(50));
        outbound.complete(TurnId(3));
        let ticks = run(&mut outbound, 80);
        assert_eq!(ticks[0].1.began, Some(TurnId(3)));
        assert_eq!(ticks[2].1.finished, Some(TurnId(3)));
        assert!(ticks[2].1.voice && !ticks[3].1.voice);
        assert!(outbound.is_drained());
    }

    #[test]
    fn a_cut_is_silent_within_one_packet_and_knows_what_was_heard() {
        let mut outbound = outbound();
        outbound.enqueue(Instant::ZERO, TurnId(1), SampleRate::HZ_8000, &voice(1_000));
        run(&mut outbound, 100);
        let cut = outbound.cut();
        assert_eq!(cut, Cut { turn: Some(TurnId(1)), heard_ms: 100, flushed_ms: 900 });
        let mut datagram = Vec::new();
        outbound.tick(Instant::from_millis(100), &mut datagram);
        assert!(outbound.played()[40..].iter().all(|sample| sample.abs() < 9));
        assert!(outbound.played()[0] > 4_000, "faded, not chopped");
        outbound.tick(Instant::from_millis(120), &mut datagram);
        assert!(outbound.played().iter().all(|sample| sample.abs() < 9));
    }

    #[test]
    fn a_queue_that_ran_dry_gathers_before_it_goes_on() {
        let mut outbound = outbound();
        let at = |ms| Instant::from_millis(ms);
        outbound.enqueue(at(0), TurnId(1), SampleRate::HZ_8000, &voice(30));
        run(&mut outbound, 60);
        assert_eq!(outbound.take_stats().underruns, 1);
        outbound.enqueue(at(60), TurnId(1), SampleRate::HZ_8000, &voice(20));
        assert!(run(&mut outbound, 100).iter().all(|(_, tick)| !tick.voice));
        outbound.enqueue(at(100), TurnId(1), SampleRate::HZ_8000, &voice(60));
        assert!(run(&mut outbound, 160).iter().all(|(_, tick)| tick.voice));
    }

    #[test]
    fn a_late_tick_drops_to_now_instead_of_bursting() {
        let mut outbound = outbound();
        let mut datagram = Vec::new();
        outbound.tick(Instant::ZERO, &mut datagram);
        let first = Packet::parse(&datagram).unwrap().timestamp;
        outbound.tick(Instant::from_millis(520), &mut datagram);
        assert!(outbound.timeout() > Instant::from_millis(520));
        assert_eq!(outbound.take_stats().late_ticks, 1);
        let packet = Packet::parse(&datagram).unwrap();
        assert_eq!(outbound.position, Duration::from_millis(540));
        assert_eq!(packet.timestamp.wrapping_sub(first), 520 * 8);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let mut outbound = outbound();
        assert_eq!(outbound.enqueue(Instant::ZERO, TurnId(1), SampleRate::HZ_8000, &voice(299_000)), 0);
        assert_eq!(outbound.enqueue(Instant::ZERO, TurnId(1), SampleRate::HZ_8000, &voice(3_000)), 2_000);
        assert_eq!(outbound.queued(), QUEUE_MAX);
    }

    #[test]
    fn digits_take_the_place_of_sound() {
        let mut outbound = outbound();
        assert!(outbound.press('7'));
        let ticks = run(&mut outbound, 400);
        assert_eq!(ticks.iter().filter_map(|(_, tick)| tick.digit).collect::<String>(), "7");
        assert!(outbound.is_drained());
    }
}
