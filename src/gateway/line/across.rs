//! A seat in a conference that lives on another media worker: two bounded rings between the session's thread and the
//! room's, without locks and without waking anybody.
//!
//! [`Away`] is the session's end, [`Host`] goes to the room's thread and becomes a [`Guest`] there, who is to
//! [`Guest::carry`] every [`TICK`], so both ways are later by that at most than those of callers of the same worker. What a ring does not
//! hold is from before a standstill, and dropped. Knows neither calls nor sockets. Called by `gateway::line`, `gateway::worker`.

use super::{Chair, End, Held, Lines, What};
use crate::{
    clock::Instant,
    media::{
        codec::Codec,
        dsp::mix::Role,
        relay::{Far, FarSound},
        room,
    },
    unit::SampleRate,
};
use rtrb::{Consumer, Producer, RingBuffer};
use std::{cell::RefCell, time::Duration};

/// How often the room's thread looks into the rings.
pub const TICK: Duration = Duration::from_millis(10);
/// Samples of one piece: 10 ms at 48 kHz, a packet of 30 ms at 16 kHz. Longer frames are cut.
const PIECE: usize = 480;
/// Pieces that wait: at least a fifth of a second.
const PIECES: usize = 32;
/// Samples of the room that wait for the session: a fifth of a second.
const HEARD: usize = room::RATE.0 as usize / 5;

/// What the session tells its seat.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "slots of a ring: nearly all of them hold sound")]
enum Up {
    Sit,
    Mute(bool),
    Gain(f32),
    Role(Role),
    Sound { position: u64, codec: &'static Codec, rate: SampleRate, count: usize, samples: [i16; PIECE] },
}

/// The session's end.
#[derive(Debug)]
pub struct Away {
    up: RefCell<Producer<Up>>,
    down: RefCell<Consumer<i16>>,
    held: RefCell<Option<Held>>,
}

/// The other end, on its way to the room's thread.
#[derive(Debug)]
pub struct Host {
    chair: Chair,
    up: Consumer<Up>,
    down: Producer<i16>,
}

/// The other end, in the room.
#[derive(Debug)]
pub struct Guest {
    host: Host,
    lines: Lines,
    /// The seat, once the session has taken it.
    end: Option<End>,
}

/// Both ends of a seat that is `chair`.
#[must_use]
pub fn pair(chair: Chair) -> (Away, Host) {
    let (to_room, from_session) = RingBuffer::new(PIECES);
    let (to_session, from_room) = RingBuffer::new(HEARD);
    let away = Away { up: RefCell::new(to_room), down: RefCell::new(from_room), held: RefCell::default() };
    (away, Host { chair, up: from_session, down: to_session })
}

impl Away {
    /// Takes the seat: from here on it is heard, and hears.
    #[must_use]
    pub fn sit(self) -> End {
        self.tell(Up::Sit);
        End::Away(self)
    }

    fn tell(&self, what: Up) -> bool {
        self.up.borrow_mut().push(what).is_ok()
    }

    pub(super) fn mute(&self, muted: bool) -> bool {
        self.tell(Up::Mute(muted))
    }

    pub(super) fn set_gain(&self, decibels: f32) -> bool {
        self.tell(Up::Gain(decibels))
    }

    pub(super) fn set_role(&self, role: Role) -> bool {
        self.tell(Up::Role(role))
    }

    pub(super) fn push(&self, sound: &FarSound<'_>) {
        // What is only there so that something is there is silence in a room.
        if sound.is_filling {
            return;
        }
        let mut position = sound.position;
        for piece in sound.samples.chunks(PIECE) {
            let mut samples = [0; PIECE];
            samples[..piece.len()].copy_from_slice(piece);
            self.tell(Up::Sound { position, codec: sound.codec, rate: sound.rate, count: piece.len(), samples });
            position += piece.len() as u64;
        }
    }

    pub(super) fn take(&self) -> Option<Held> {
        let mut down = self.down.borrow_mut();
        let waiting = down.slots();
        let chunk = down.read_chunk(waiting).ok().filter(|chunk| !chunk.is_empty())?;
        let mut held = self.held.take().unwrap_or_default();
        held.what = What::Paced(room::RATE);
        held.samples.clear();
        let (first, second) = chunk.as_slices();
        held.samples.extend_from_slice(first);
        held.samples.extend_from_slice(second);
        chunk.commit_all();
        Some(held)
    }

    pub(super) fn give_back(&self, held: Held) {
        self.held.replace(Some(held));
    }
}

impl Host {
    /// Comes to the room, by the `lines` of its worker.
    #[must_use]
    pub const fn at(self, lines: Lines) -> Guest {
        Guest { host: self, lines, end: None }
    }
}

impl Guest {
    /// Carries what waits, both ways, at `now`. False once the session is gone.
    pub fn carry(&mut self, now: Instant) -> bool {
        while let Ok(what) = self.host.up.pop() {
            match (what, &self.end) {
                (Up::Sit, None) => self.end = Some(self.lines.seat(now, &self.host.chair)),
                (Up::Mute(muted), Some(end)) => _ = end.mute(muted),
                (Up::Gain(decibels), Some(end)) => _ = end.set_gain(decibels),
                (Up::Role(role), Some(end)) => _ = end.set_role(role),
                (Up::Sound { position, codec, rate, count, samples }, Some(end)) => {
                    // It arrives here now: the room's wait fits this way too.
                    end.push(Far::Sound(FarSound {
                        at: now,
                        position,
                        is_filling: false,
                        is_digit: false,
                        codec,
                        rate,
                        payload: &[],
                        samples: &samples[..count],
                    }));
                }
                (_, None) | (Up::Sit, Some(_)) => {}
            }
        }
        if let Some(end) = &self.end {
            end.due(now);
            while let Some(held) = end.take() {
                let fits = held.samples.len().min(self.host.down.slots());
                if let Ok(chunk) = self.host.down.write_chunk_uninit(fits) {
                    chunk.fill_from_iter(held.samples.iter().copied());
                }
                end.give_back(held);
            }
        }
        !self.host.up.is_abandoned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        media::{codec::CODECS, dsp::tone},
        unit::CallId,
    };
    use std::sync::Arc;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn chair(call: u32) -> Chair {
        Chair { room: "team".into(), call: CallId(call), role: Role::Talks, speaker: Arc::default() }
    }

    fn say(end: &End, n: u32, hz: f64, rate: SampleRate) {
        let (mut samples, length) = (Vec::new(), rate.samples_in(Duration::from_millis(20)));
        tone::sine(hz, 6_000.0, rate, n as usize * length, length, &mut samples);
        end.push(Far::Sound(FarSound {
            at: at(u64::from(n) * 20),
            position: u64::from(n) * length as u64,
            is_filling: false,
            is_digit: false,
            codec: &CODECS[0],
            rate,
            payload: &[],
            samples: &samples,
        }));
    }

    fn hear(end: &End, heard: &mut Vec<i16>) {
        while let Some(held) = end.take() {
            heard.extend_from_slice(&held.samples);
            end.give_back(held);
        }
    }

    #[test]
    fn who_is_on_another_thread_hears_and_is_heard_and_leaves_with_its_session() {
        let lines = Lines::default();
        let local = lines.seat(at(0), &chair(1));
        let (away, host) = pair(chair(2));
        // They part.
        let away = std::thread::spawn(move || away).join().expect("it may");
        let (session, mut guest) = (away.sit(), host.at(lines.clone()));
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for n in 0..100 {
            say(&local, n, 400.0, SampleRate::HZ_8000);
            say(&session, n, 1_900.0, SampleRate::HZ_48000);
            for tick in [0, 10].map(|ms| u64::from(n) * 20 + ms) {
                assert!(guest.carry(at(tick)));
            }
            local.due(at(u64::from(n) * 20 + 10));
            hear(&local, &mut here);
            hear(&session, &mut there);
        }
        for (heard, own, other) in [(&here, 400.0, 1_900.0), (&there, 1_900.0, 400.0)] {
            assert!(heard.len() > 30_000, "{}", heard.len());
            let settled = &heard[8_000..];
            assert!(
                tone::share_at(other, room::RATE, settled) > 0.95 && tone::share_at(own, room::RATE, settled) < 0.001
            );
        }
        assert!(session.mute(true) && session.set_gain(3.0) && session.set_role(Role::Talks));
        assert!(guest.carry(at(2_000)));
        drop(session);
        assert!(!guest.carry(at(2_010)), "it is told");
        drop(guest);
        let End::Room(seat) = &local else { panic!("a seat") };
        assert_eq!(seat.room.borrow().members().count(), 1);
    }

    #[test]
    fn standstills_of_either_thread_fill_no_memory_and_nobody_sits_before_it_may() {
        let lines = Lines::default();
        let (away, host) = pair(chair(2));
        let mut guest = host.at(lines);
        assert!(guest.carry(at(0)) && guest.end.is_none(), "not answered yet");
        let session = away.sit();
        for n in 0..1_000 {
            say(&session, n, 400.0, SampleRate::HZ_8000);
        }
        assert!(guest.carry(at(20_000)) && guest.end.is_some());
        let mut heard = Vec::new();
        for n in 0..1_000 {
            guest.carry(at(20_000 + n * 10));
        }
        hear(&session, &mut heard);
        assert_eq!(heard.len(), HEARD);
    }
}
