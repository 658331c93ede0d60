//! Playout for human ears: frames come unevenly, sound goes out evenly.
//!
//! ```text
//! push(arrival, timestamp, frame) → spread of delays → target      ┐
//!                                 → frames by timestamp            ├→ pull(now) → frame | concealed | silence
//!                                 → clock drift                    ┘
//! ```
//!
//! Owns the wait between a frame's arrival and its turn. The wait is measured against the least delayed frame of the
//! last ten seconds; what it should be follows from the spread of delays. It grows at once (a starving buffer waits, a
//! frame is stretched by a pitch period) and shrinks where nobody hears it (in silence, else one pitch period now and
//! then). The same steps take up the drift between the sender's clock and ours. Does not know codecs, sequence numbers
//! or sockets. A speech AI needs none of this (`order`); a leg with a person at its end does. RFC 3550 §6.4.1 for the
//! clock, RFC 3551 §4.1 for talk spurts.

use super::drift::DriftMeter;
use crate::{
    clock::Instant,
    media::dsp::{plc::Concealer, stretch},
    unit::{DbFs, SampleRate},
};
use std::{collections::VecDeque, time::Duration};

/// The wait is never aimed below this…
pub const TARGET_MIN_MS: f64 = 20.0;
/// …nor above this: a longer wait costs a conversation more than lost words do.
pub const TARGET_MAX_MS: f64 = 200.0;
/// A delay that changes by more than this for two frames in a row is another clock, not the network.
const JUMP_MS: f64 = 1_000.0;
/// Sound that may wait at most; a flood of frames drops the oldest.
const STORED_MAX: Duration = Duration::from_secs(1);
/// Frames held at most, however short they are.
const FRAMES_MAX: usize = 256;
/// Longer than the target by so much, the wait shrinks.
const SLACK_MS: f64 = 15.0;
/// Shorter than the target by so much, it grows.
const SHORT_MS: f64 = 5.0;
/// In speech a period is taken out this often at most…
const SHRINK_EVERY: Duration = Duration::from_millis(200);
/// …or this often when the wait is far too long.
const SHRINK_FAST_EVERY: Duration = Duration::from_millis(60);
const FAR_TOO_LONG_MS: f64 = 60.0;
/// Below this nobody hears a cut.
const QUIET_DBFS: f32 = -50.0;
/// Nor so far below the voice.
const QUIET_BELOW_VOICE_DB: f32 = 30.0;
/// Two pieces must be so alike before a period between them is taken out or doubled.
const ALIKE_MIN: f32 = 0.5;

/// What [`Playout::pull`] gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// What the sender said, all of it.
    Frame,
    /// Some of it is made up from what was heard before.
    Concealed,
    /// Nothing is there to play: before the first frame, in a pause, or after concealment has faded.
    Silence,
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Frames taken in; duplicates and late ones not counted.
    pub frames: u64,
    /// Came after their turn and were thrown away.
    pub late: u64,
    /// Came twice.
    pub duplicate: u64,
    /// Came behind a later one.
    pub reordered: u64,
    /// The timestamps began anew: a new source, a jump.
    pub restarts: u64,
    /// Sound made up, pauses not counted.
    pub concealed_ms: f64,
    /// Sound put in, to wait longer.
    pub inserted_ms: f64,
    /// Sound taken out, to wait less.
    pub dropped_ms: f64,
    /// All sound given.
    pub played_ms: f64,
    /// The wait now.
    pub delay_ms: f64,
    /// The wait that is wanted.
    pub target_ms: f64,
    /// Sender's clock against ours; none before a minute.
    pub drift_ppm: Option<f64>,
}

#[derive(Debug)]
struct Slot {
    /// First sample that is left, on the sender's clock, in samples.
    start: i64,
    /// Where the frame began: its name.
    origin: i64,
    samples: Vec<i16>,
    /// The same as it came; empty once a part is gone, or if there was none.
    payload: Vec<u8>,
}

impl Slot {
    const fn end(&self) -> i64 {
        self.start + self.samples.len().cast_signed() as i64
    }
}

/// One direction's buffer.
#[derive(Debug)]
pub struct Playout {
    rate: SampleRate,
    clock: SampleRate,
    origin: Option<Instant>,
    slots: VecDeque<Slot>,
    spare: Vec<Vec<i16>>,
    /// Newest timestamp, as it came and extended.
    newest: Option<(u32, i64)>,
    /// The sample whose turn is next; none until the first frame has waited.
    next: Option<i64>,
    /// Samples made up since `next` stood still.
    held: i64,
    /// Starts of frames that were played: a duplicate is not a late frame.
    played: VecDeque<i64>,
    floor: Floor,
    spread: Spread,
    drift: DriftMeter,
    suspect: Option<f64>,
    concealer: Concealer,
    voice_dbfs: f32,
    shrink_at: Instant,
    figures: Figures,
    /// Steps in silence are whole frames.
    whole: bool,
    /// Payload of the newest pull, if it is exactly one frame as it came.
    payload: Vec<u8>,
    spare_payloads: Vec<Vec<u8>>,
}

impl Playout {
    /// A buffer for frames of `rate` whose timestamps tick at `clock` (the same, but for G.722 and Opus).
    #[must_use]
    pub fn new(rate: SampleRate, clock: SampleRate) -> Self {
        Self {
            rate,
            clock,
            origin: None,
            slots: VecDeque::new(),
            spare: Vec::new(),
            newest: None,
            next: None,
            held: 0,
            played: VecDeque::new(),
            floor: Floor::default(),
            spread: Spread::default(),
            drift: DriftMeter::default(),
            suspect: None,
            concealer: Concealer::new(rate),
            voice_dbfs: -60.0,
            shrink_at: Instant::ZERO,
            figures: Figures { target_ms: TARGET_MIN_MS, ..Figures::default() },
            whole: false,
            payload: Vec::new(),
            spare_payloads: Vec::new(),
        }
    }

    /// For frames that go on as they came wherever that is possible: what is put in or taken out in silence is whole
    /// frames, and after a step in speech the next silence leads back to the frames' bounds.
    #[must_use]
    pub fn of_whole_frames(rate: SampleRate, clock: SampleRate) -> Self {
        Self { whole: true, ..Self::new(rate, clock) }
    }

    /// Takes in a frame that arrived at `at`. Frames may come in any order and have any length.
    pub fn push(&mut self, at: Instant, timestamp: u32, frame: &[i16]) {
        self.push_packet(at, timestamp, frame, &[]);
    }

    /// The same with the frame's payload, which [`Self::payload`] gives back if the frame is played as it came.
    pub fn push_packet(&mut self, at: Instant, timestamp: u32, frame: &[i16], payload: &[u8]) {
        if frame.is_empty() {
            return;
        }
        let origin = *self.origin.get_or_insert(at);
        let arrival_ms = at.signed_ms_since(origin);
        let (start, ticks) = self.extend(timestamp);
        let transit_ms = arrival_ms - self.ms(start);
        if let Some(least) = self.floor.least()
            && (transit_ms - least).abs() > JUMP_MS
        {
            // One stray frame moves nothing; two that agree do.
            if self.suspect.is_none_or(|suspect| (suspect - transit_ms).abs() > JUMP_MS) {
                self.suspect = Some(transit_ms);
                return;
            }
            self.restart();
            return self.push_packet(at, timestamp, frame, payload);
        }
        self.suspect = None;
        if self.slots.iter().any(|slot| slot.origin == start) || self.played.contains(&start) {
            self.figures.duplicate += 1;
            return;
        }
        if self.newest.is_some_and(|(_, newest)| start < newest) {
            self.figures.reordered += 1;
        } else {
            self.newest = Some((timestamp, start));
            // By its end, which is when it left: longer frames from now on are no drift.
            let length = frame.len() as u64 * u64::from(self.clock.0) / u64::from(self.rate.0.max(1));
            self.drift.add(at, ticks + length, self.clock);
        }
        self.floor.add(arrival_ms, transit_ms);
        self.spread.add(transit_ms - self.floor.least().unwrap_or(transit_ms));
        self.figures.target_ms = (self.spread.wanted_ms() + SHORT_MS).clamp(TARGET_MIN_MS, TARGET_MAX_MS);
        let length = frame.len().cast_signed() as i64;
        let past = self.next.map_or(0, |next| (next - start).clamp(0, length));
        if past == length {
            self.figures.late += 1;
            return;
        }
        self.figures.frames += 1;
        let mut samples = self.spare.pop().unwrap_or_default();
        samples.clear();
        samples.extend_from_slice(&frame[usize::try_from(past).unwrap_or(0)..]);
        let mut kept = self.spare_payloads.pop().unwrap_or_default();
        kept.clear();
        if past == 0 {
            kept.extend_from_slice(payload);
        }
        let place = self.slots.partition_point(|slot| slot.start < start);
        self.slots.insert(place, Slot { start: start + past, origin: start, samples, payload: kept });
        self.bound();
    }

    /// Fills `samples` with the `count` samples whose turn is `now`: always exactly so many.
    pub fn pull(&mut self, now: Instant, count: usize, samples: &mut Vec<i16>) -> Pulled {
        samples.clear();
        self.payload.clear();
        let mut made_up = false;
        let was_silent = self.concealer.is_spent();
        if self.whole {
            self.skip_backlog(now);
            if self.stepped(now, count) || self.passes(now, count) {
                self.take_whole(samples);
                self.after(now, samples.len());
                return Pulled::Frame;
            }
        }
        if self.scaled(now, count, samples) {
            self.after(now, samples.len());
            return Pulled::Frame;
        }
        while samples.len() < count {
            let want = count - samples.len();
            let ahead_ms = self.ms(samples.len().cast_signed() as i64);
            let Some((start, available)) = self.slots.front().map(|slot| (slot.start, slot.samples.len())) else {
                self.wait(now, ahead_ms, want, samples);
                made_up = true;
                break;
            };
            let next = *self.next.get_or_insert(start);
            if start > next {
                // What was made up while we waited lies in the gap.
                let covered = (start - next).min(self.held);
                self.held -= covered;
                let left = start - next - covered;
                self.next = Some(next + covered);
                if left > 0 {
                    let take = want.min(usize::try_from(left).unwrap_or(want));
                    self.make_up(take, samples);
                    self.next = Some(next + covered + take.cast_signed() as i64);
                    made_up = true;
                }
                continue;
            }
            let short_ms = self.figures.target_ms - self.delay_ms(now, ahead_ms, next).unwrap_or(0.0);
            if self.concealer.is_spent() && short_ms > 1.0 {
                // A talk spurt begins: nobody hears that it begins later.
                let take = if self.whole { want } else { want.min(self.samples(short_ms).max(1)) };
                self.make_up(take, samples);
                made_up = true;
                continue;
            }
            self.figures.inserted_ms += self.ms(self.held);
            self.held = 0;
            let take = want.min(available);
            self.take(take, samples);
        }
        self.after(now, samples.len());
        match (made_up, was_silent && self.concealer.is_spent()) {
            (false, _) => Pulled::Frame,
            (true, false) => Pulled::Concealed,
            (true, true) => Pulled::Silence,
        }
    }

    /// Payload of the newest pull, if what it gave is exactly one frame as it came; else empty.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// A new source: what waits is thrown away, its delays are learnt anew; what the network is like is kept.
    pub fn restart(&mut self) {
        while let Some(slot) = self.slots.pop_front() {
            self.recycle(slot);
        }
        self.newest = None;
        self.next = None;
        self.held = 0;
        self.played.clear();
        self.floor = Floor::default();
        self.drift = DriftMeter::default();
        self.suspect = None;
        self.figures.restarts += 1;
    }

    /// Counts so far.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures { drift_ppm: self.drift.ppm(), ..self.figures }
    }

    /// The timestamp without its wraps: in samples of sound, and in ticks for the drift.
    fn extend(&self, timestamp: u32) -> (i64, u64) {
        let ratio = |ticks: i64| ticks * i64::from(self.rate.0) / i64::from(self.clock.0.max(1));
        let start = self.newest.map_or_else(
            || ratio(i64::from(timestamp) + (1 << 32)),
            |(newest, start)| start + ratio(i64::from(timestamp.wrapping_sub(newest).cast_signed())),
        );
        let ticks = start.max(0).unsigned_abs() * u64::from(self.clock.0) / u64::from(self.rate.0.max(1));
        (start, ticks)
    }

    /// How long a frame at `next` would have waited, were it played `ahead_ms` after `now`.
    fn delay_ms(&self, now: Instant, ahead_ms: f64, next: i64) -> Option<f64> {
        let now_ms = now.signed_ms_since(self.origin?) + ahead_ms;
        Some(now_ms - self.ms(next) - self.floor.least()?)
    }

    /// Nothing to play: made-up sound while the wait may still grow, then time goes on without it.
    fn wait(&mut self, now: Instant, ahead_ms: f64, count: usize, samples: &mut Vec<i16>) {
        self.make_up(count, samples);
        let Some(next) = self.next else { return };
        let count = count.cast_signed() as i64;
        if self.delay_ms(now, ahead_ms, next).is_some_and(|delay| delay < TARGET_MAX_MS) {
            self.held += count;
        } else {
            self.next = Some(next + count);
        }
    }

    fn make_up(&mut self, count: usize, samples: &mut Vec<i16>) {
        if !self.concealer.is_spent() {
            self.figures.concealed_ms += self.ms(count.cast_signed() as i64);
        }
        self.concealer.conceal(count, samples);
    }

    /// The next `count` samples of the front frame.
    fn take(&mut self, count: usize, samples: &mut Vec<i16>) {
        let from = samples.len();
        self.take_raw(count, samples);
        self.concealer.good(&mut samples[from..]);
    }

    fn take_raw(&mut self, count: usize, samples: &mut Vec<i16>) {
        let mut left = count;
        while left > 0
            && let Some(slot) = self.slots.front_mut()
        {
            let take = left.min(slot.samples.len());
            samples.extend_from_slice(&slot.samples[..take]);
            left -= take;
            self.next = Some(slot.start + take.cast_signed() as i64);
            if take < slot.samples.len() {
                slot.samples.drain(..take);
                slot.payload.clear();
                slot.start += take.cast_signed() as i64;
                return;
            }
            if let Some(slot) = self.slots.pop_front() {
                if self.played.len() == 64 {
                    self.played.pop_front();
                }
                self.played.push_back(slot.origin);
                self.recycle(slot);
            }
        }
    }

    fn recycle(&mut self, slot: Slot) {
        self.spare.push(slot.samples);
        self.spare_payloads.push(slot.payload);
    }

    /// Before the first sound, or after a pause: sound from before a standstill is not played.
    fn skip_backlog(&mut self, now: Instant) {
        if !self.concealer.is_spent() {
            return;
        }
        while self.slots.len() > 1
            && let Some(front) = self.slots.front()
            && self.delay_ms(now, 0.0, front.end()).is_some_and(|delay| delay > self.figures.target_ms)
        {
            let (length, end) = (front.samples.len().cast_signed() as i64, front.end());
            self.figures.dropped_ms += self.ms(length);
            self.next = Some(self.next.map_or(end, |next| next.max(end)));
            self.held = 0;
            if let Some(slot) = self.slots.pop_front() {
                self.recycle(slot);
            }
        }
    }

    /// The front frame can be played as it came.
    fn passes(&self, now: Instant, count: usize) -> bool {
        let Some(front) = self.slots.front() else { return false };
        let next = self.next.unwrap_or(front.start);
        let over = self.delay_ms(now, 0.0, next).map_or(0.0, |delay| delay - self.figures.target_ms);
        let is_whole = front.samples.len() == count && front.start == front.origin && front.start == next;
        let begins = self.concealer.is_spent();
        is_whole
            && (begins || self.concealer.is_fresh())
            && over >= if begins { -1.0 } else { -SHORT_MS }
            && (begins || over <= self.slack_ms(count) || now < self.shrink_at)
    }

    /// In silence: a frame is dropped, or played twice, or the bounds of the frames are sought. Whether the front frame
    /// is to be played now as it is.
    fn stepped(&mut self, now: Instant, count: usize) -> bool {
        let (Some(next), Some(front)) = (self.next, self.slots.front()) else { return false };
        if !self.concealer.is_fresh() || front.start != next || !self.is_quiet() {
            return false;
        }
        let Some(delay) = self.delay_ms(now, 0.0, next) else { return false };
        let over = delay - self.figures.target_ms;
        let frame_ms = self.ms(count.cast_signed() as i64);
        let front_len = self.slots.front().map_or(0, |slot| slot.samples.len());
        let is_cut = front_len < count;
        let may_drop = self.unbroken() >= front_len + count;
        if may_drop
            && (over > self.slack_ms(count) || is_cut && over - self.ms(front_len.cast_signed() as i64) >= -SHORT_MS)
        {
            self.figures.dropped_ms += self.ms(front_len.cast_signed() as i64);
            if let Some(slot) = self.slots.pop_front() {
                self.next = Some(slot.end());
                self.recycle(slot);
            }
            return self.slots.front().is_some_and(|slot| slot.samples.len() == count);
        }
        if !is_cut && front_len == count && over < -SHORT_MS {
            // Played now, and once more afterwards.
            let again = self.slots.front().map(|slot| (slot.start, slot.origin));
            if let Some((start, origin)) = again {
                let shift = count.cast_signed() as i64;
                let (mut samples, mut payload) =
                    (self.spare.pop().unwrap_or_default(), self.spare_payloads.pop().unwrap_or_default());
                samples.clear();
                payload.clear();
                if let Some(slot) = self.slots.front() {
                    samples.extend_from_slice(&slot.samples);
                    payload.extend_from_slice(&slot.payload);
                }
                self.figures.inserted_ms += frame_ms;
                self.slots.push_front(Slot { start: start - shift, origin, samples, payload });
                self.next = Some(start - shift);
            }
            return true;
        }
        false
    }

    /// The front frame as it is.
    fn take_whole(&mut self, samples: &mut Vec<i16>) {
        let Some(slot) = self.slots.pop_front() else { return };
        if self.concealer.is_spent() {
            self.concealer.begin();
        }
        self.figures.inserted_ms += self.ms(self.held);
        self.held = 0;
        samples.extend_from_slice(&slot.samples);
        self.concealer.good(samples);
        self.payload.clear();
        self.payload.extend_from_slice(&slot.payload);
        self.next = Some(slot.end());
        if self.played.len() == 64 {
            self.played.pop_front();
        }
        self.played.push_back(slot.origin);
        self.recycle(slot);
    }

    /// Longer than the target by so much, the wait shrinks.
    fn slack_ms(&self, count: usize) -> f64 {
        // Of whole frames nothing finer can be had.
        if self.whole { SLACK_MS.max(self.ms(count.cast_signed() as i64) + SHORT_MS) } else { SLACK_MS }
    }

    /// Nobody hears a cut in the front frame.
    fn is_quiet(&mut self) -> bool {
        let sound = self.slots.front().map_or(&[][..], |slot| &slot.samples[..]);
        let level = level(sound);
        self.voice_dbfs = if level > self.voice_dbfs { level } else { self.voice_dbfs - 0.02 };
        level < QUIET_DBFS || level < self.voice_dbfs - QUIET_BELOW_VOICE_DB
    }

    /// Samples without a gap from `next` on.
    fn unbroken(&self) -> usize {
        let Some(mut next) = self.next else { return 0 };
        let mut count = 0;
        for slot in &self.slots {
            if slot.start != next {
                break;
            }
            next = slot.end();
            count += slot.samples.len();
        }
        count
    }

    /// Gives `count` samples made from fewer or more, if the wait is to change and the sound allows it.
    fn scaled(&mut self, now: Instant, count: usize, samples: &mut Vec<i16>) -> bool {
        let Some(next) = self.next else { return false };
        let available = self.unbroken();
        if self.held > 0 || available < count {
            return false;
        }
        let Some(delay) = self.delay_ms(now, 0.0, next) else { return false };
        let over = delay - self.figures.target_ms;
        let longest = count.min(self.rate.0 as usize * 15 / 1_000);
        let quiet = self.is_quiet();
        if over > self.slack_ms(count) && (quiet || now >= self.shrink_at) && available >= count + longest {
            self.take_raw(count + longest, samples);
            let lag = if quiet {
                longest.min(self.samples(over))
            } else {
                match stretch::best_lag(self.rate, samples, longest) {
                    Some((lag, alike)) if alike >= ALIKE_MIN => lag,
                    _ => 0,
                }
            };
            stretch::shorten(samples, lag);
            self.figures.dropped_ms += self.ms(lag.cast_signed() as i64);
            let every = if over > FAR_TOO_LONG_MS { SHRINK_FAST_EVERY } else { SHRINK_EVERY };
            self.shrink_at = now + every;
            self.give_back(count, samples);
            self.concealer.good(samples);
            return true;
        }
        if over < -SHORT_MS {
            self.take_raw(count, samples);
            let longest = longest.min(count / 2);
            let lag = if quiet {
                longest
            } else {
                match stretch::best_lag(self.rate, samples, longest) {
                    Some((lag, alike)) if alike >= ALIKE_MIN => lag,
                    _ => 0,
                }
            };
            stretch::lengthen(samples, lag);
            self.figures.inserted_ms += self.ms(lag.cast_signed() as i64);
            self.give_back(count, samples);
            self.concealer.good(samples);
            return true;
        }
        false
    }

    /// What is more than `count` samples waits for the next pull.
    fn give_back(&mut self, count: usize, samples: &mut Vec<i16>) {
        let surplus = samples.len() - count;
        if surplus == 0 {
            return;
        }
        let Some(next) = self.next else { return };
        let mut own = self.spare.pop().unwrap_or_default();
        own.clear();
        own.extend_from_slice(&samples[count..]);
        samples.truncate(count);
        let start = next - surplus.cast_signed() as i64;
        self.next = Some(start);
        let mut payload = self.spare_payloads.pop().unwrap_or_default();
        payload.clear();
        self.slots.push_front(Slot { start, origin: start, samples: own, payload });
    }

    fn after(&mut self, now: Instant, count: usize) {
        let played = self.ms(count.cast_signed() as i64);
        self.figures.played_ms += played;
        // In a pause nothing waits.
        if let Some(next) = self.next.filter(|_| self.held == 0 && !self.concealer.is_spent()) {
            self.figures.delay_ms = self.delay_ms(now, played, next).unwrap_or(0.0);
        }
    }

    /// Throws the oldest away when too much waits.
    fn bound(&mut self) {
        let most = self.rate.samples_in(STORED_MAX).cast_signed() as i64;
        while self.slots.len() > 1
            && let (Some(front), Some(back)) = (self.slots.front(), self.slots.back())
            && (back.end() - front.start > most || self.slots.len() > FRAMES_MAX)
        {
            let length = front.samples.len().cast_signed() as i64;
            self.figures.dropped_ms += self.ms(length);
            if let Some(slot) = self.slots.pop_front() {
                self.recycle(slot);
            }
            let start = self.slots.front().map_or(0, |slot| slot.start);
            self.next = self.next.map(|next| next.max(start));
        }
    }

    fn ms(&self, samples: i64) -> f64 {
        samples as f64 * 1_000.0 / f64::from(self.rate.0.max(1))
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred milliseconds")]
    fn samples(&self, ms: f64) -> usize {
        (ms.max(0.0) * f64::from(self.rate.0) / 1_000.0) as usize
    }
}

fn level(samples: &[i16]) -> f32 {
    let squares: i64 = samples.iter().map(|sample| i64::from(i32::from(*sample) * i32::from(*sample))).sum();
    DbFs::of_mean_square(squares as f32 / samples.len().max(1) as f32).0
}

/// The least transit time of the last ten seconds: what a frame takes that waits for nothing. A window, because the
/// clocks drift and routes change.
#[derive(Clone, Debug, Default)]
struct Floor {
    /// Least of each of the last ten seconds, with its second.
    seconds: VecDeque<(i64, f64)>,
}

impl Floor {
    fn add(&mut self, arrival_ms: f64, transit_ms: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "seconds of a call")]
        let second = (arrival_ms / 1_000.0) as i64;
        match self.seconds.back_mut() {
            Some((last, least)) if *last >= second => *least = least.min(transit_ms),
            _ => self.seconds.push_back((second, transit_ms)),
        }
        while self.seconds.front().is_some_and(|(old, _)| *old + 10 <= second) {
            self.seconds.pop_front();
        }
    }

    fn least(&self) -> Option<f64> {
        self.seconds.iter().map(|(_, least)| *least).reduce(f64::min)
    }
}

/// How much later than the least delayed frame the others are: the newest 512 in bins of 2 ms.
#[derive(Clone, Debug)]
struct Spread {
    bins: [u16; Self::BINS],
    recent: VecDeque<u8>,
}

impl Default for Spread {
    fn default() -> Self {
        Self { bins: [0; Self::BINS], recent: VecDeque::with_capacity(Self::FRAMES) }
    }
}

impl Spread {
    const BINS: usize = 128;
    const BIN_MS: f64 = 2.0;
    const FRAMES: usize = 512;
    /// The newest frames, by which it grows fast.
    const NEWEST: usize = 50;

    fn add(&mut self, later_ms: f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the bins")]
        let bin = (later_ms / Self::BIN_MS).clamp(0.0, (Self::BINS - 1) as f64) as u8;
        if self.recent.len() == Self::FRAMES
            && let Some(old) = self.recent.pop_front()
        {
            self.bins[usize::from(old)] -= 1;
        }
        self.recent.push_back(bin);
        self.bins[usize::from(bin)] += 1;
    }

    /// Covers 98 of 100 frames of ten seconds, and 90 of 100 of the last one.
    fn wanted_ms(&self) -> f64 {
        let spare = self.recent.len() / 50;
        let mut above = 0;
        let long = (0..Self::BINS).rev().find(|bin| {
            above += usize::from(self.bins[*bin]);
            above > spare
        });
        // The sixth largest of the newest fifty.
        let mut largest = [0_u8; 6];
        for bin in self.recent.iter().rev().take(Self::NEWEST) {
            if *bin > largest[5] {
                largest[5] = *bin;
                largest.sort_unstable_by(|a, b| b.cmp(a));
            }
        }
        let short = if self.recent.len() >= Self::NEWEST { usize::from(largest[5]) } else { 0 };
        (long.unwrap_or(0).max(short) + 1) as f64 * Self::BIN_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playout() -> Playout {
        Playout::new(SampleRate::HZ_8000, SampleRate::HZ_8000)
    }

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// Pulls 20 ms at each of `ms`.
    fn pulls(playout: &mut Playout, ms: impl Iterator<Item = u64>) -> Vec<(Pulled, i16)> {
        let mut samples = Vec::new();
        ms.map(|ms| {
            let pulled = playout.pull(at(ms), 160, &mut samples);
            assert_eq!(samples.len(), 160);
            (pulled, samples[80])
        })
        .collect()
    }

    #[test]
    fn order_is_restored_duplicates_and_late_frames_are_told_apart() {
        let mut playout = playout();
        for (ms, n) in [(0, 0), (20, 2), (22, 1), (23, 1), (60, 3)] {
            playout.push(at(ms), n * 160, &[1_000 * i16::try_from(n).unwrap(); 160]);
        }
        let heard = pulls(&mut playout, (25..185).step_by(20));
        let values: Vec<i16> = heard.iter().take(4).map(|(_, value)| *value).collect();
        assert_eq!(values, [0, 1_000, 2_000, 3_000], "{heard:?}");
        playout.push(at(400), 160, &[1; 160]);
        playout.push(at(400), 60 * 160, &[1; 160]);
        let figures = playout.figures();
        assert_eq!((figures.duplicate, figures.reordered), (2, 1));
    }

    #[test]
    fn timestamps_wrap_without_a_restart_and_a_jump_needs_two_frames() {
        let mut playout = playout();
        for n in 0..20_u32 {
            playout.push(at(u64::from(n) * 20), (u32::MAX - 800).wrapping_add(n * 160), &[500; 160]);
        }
        assert_eq!(playout.figures().restarts, 0);
        playout.push(at(400), 77_000_000, &[500; 160]);
        assert_eq!(playout.figures().restarts, 0, "one stray frame");
        playout.push(at(420), 77_000_160, &[500; 160]);
        playout.push(at(440), 77_000_320, &[500; 160]);
        assert_eq!(playout.figures().restarts, 1);
        let heard = pulls(&mut playout, (440..520).step_by(20));
        assert!(heard.iter().any(|(kind, _)| *kind == Pulled::Frame), "{heard:?}");
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut playout = playout();
        for n in 0..2_000_u32 {
            playout.push(at(0), n * 40, &[500; 40]);
        }
        assert!(playout.slots.len() <= FRAMES_MAX);
        assert!(playout.figures().dropped_ms > 500.0);
    }
}
