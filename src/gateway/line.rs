//! The line between the two legs of a bridge: sound and digits from one session to the other, within one media worker.
//!
//! Both sessions live on one thread, so the line is plain memory without locks, and nobody is woken: a session looks in
//! when its next packet is due. Buffers are used again. Called by `gateway::session`; who is bridged with whom is the
//! engine's business. A conference is a line with many ends: a [`Room`] that mixes, found by its name; who sits in it from another
//! worker is heard by way of [`across`].

pub mod across;

use crate::{
    call::bridge::Side,
    clock::Instant,
    media::{
        codec::Codec,
        dsp::mix::{MemberId, Role},
        relay::{Far, FarSound},
        room::{self, Room},
    },
    unit::{CallId, SampleRate},
};
use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    rc::{Rc, Weak},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Names a line within the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LineId(pub u64);

/// What may wait in one direction: the other session takes it every packet, so more is from before a standstill.
const WAITING_MAX: usize = 32;

/// One thing that waits; the buffers are used again.
#[derive(Debug, Default)]
pub struct Held {
    what: What,
    payload: Vec<u8>,
    samples: Vec<i16>,
}

#[derive(Clone, Copy, Debug, Default)]
enum What {
    #[default]
    Nothing,
    Anew,
    Paced(SampleRate),
    Sound {
        at: Instant,
        position: u64,
        is_filling: bool,
        is_digit: bool,
        codec: &'static Codec,
        rate: SampleRate,
    },
    Digit(char, u32),
    Tone(char, u32),
}

impl Held {
    /// As a pipeline takes it.
    #[must_use]
    pub fn far(&self) -> Option<Far<'_>> {
        match self.what {
            What::Nothing => None,
            What::Anew => Some(Far::Anew),
            What::Paced(rate) => Some(Far::Paced(rate, &self.samples)),
            What::Sound { at, position, is_filling, is_digit, codec, rate } => {
                let (payload, samples) = (&self.payload[..], &self.samples[..]);
                Some(Far::Sound(FarSound { at, position, is_filling, is_digit, codec, rate, payload, samples }))
            }
            What::Digit(digit, duration_ms) => Some(Far::Digit(digit, duration_ms)),
            What::Tone(digit, duration_ms) => Some(Far::Tone(digit, duration_ms)),
        }
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    waiting: VecDeque<Held>,
    spare: Vec<Held>,
}

/// Both directions between two ends.
#[derive(Debug, Default)]
pub struct Line {
    to_caller: Way,
    to_callee: Way,
}

/// The lines of one media worker. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    lines: Rc<RefCell<HashMap<LineId, Weak<RefCell<Line>>>>>,
    rooms: Rc<RefCell<HashMap<String, Weak<RefCell<Room>>>>>,
}

/// A seat in a conference.
#[derive(Clone, Debug)]
pub struct Chair {
    /// The conference's name.
    pub room: Arc<str>,
    /// Whose call.
    pub call: CallId,
    /// Whom it hears and who hears it.
    pub role: Role,
    /// Who speaks, for those outside of the worker: its call and one more, or 0.
    pub speaker: Arc<AtomicU64>,
}

impl Lines {
    /// One end of a line; whoever comes first makes it, and it goes with the last.
    #[must_use]
    pub fn end(&self, id: LineId, side: Side) -> End {
        let mut lines = self.lines.borrow_mut();
        lines.retain(|_, line| line.strong_count() > 0);
        let line = lines.get(&id).and_then(Weak::upgrade).unwrap_or_default();
        lines.insert(id, Rc::downgrade(&line));
        End::Line { line, side }
    }

    /// A seat in a conference; whoever comes first makes it, and it goes with the last.
    #[must_use]
    pub fn seat(&self, now: Instant, chair: &Chair) -> End {
        let mut rooms = self.rooms.borrow_mut();
        rooms.retain(|_, room| room.strong_count() > 0);
        let known = rooms.get(&*chair.room).and_then(Weak::upgrade);
        let room = known.unwrap_or_else(|| Rc::new(RefCell::new(Room::new(now, true))));
        rooms.insert(chair.room.to_string(), Rc::downgrade(&room));
        let id = MemberId(chair.call.0);
        room.borrow_mut().join(id, chair.role);
        End::Room(Seat { room, id, speaker: Arc::clone(&chair.speaker), held: RefCell::default() })
    }
}

/// One session's seat in a room.
#[derive(Debug)]
pub struct Seat {
    room: Rc<RefCell<Room>>,
    id: MemberId,
    speaker: Arc<AtomicU64>,
    held: RefCell<Option<Held>>,
}

impl Seat {
    fn hear(&self) -> Option<Held> {
        let mut held = self.held.take().unwrap_or_default();
        held.what = What::Paced(room::RATE);
        if self.room.borrow_mut().hear(self.id, &mut held.samples) {
            return Some(held);
        }
        self.held.replace(Some(held));
        None
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.borrow_mut().leave(self.id);
    }
}

/// One session's end of a line.
#[derive(Debug)]
pub enum End {
    /// Of two.
    Line {
        /// The line.
        line: Rc<RefCell<Line>>,
        /// Which end.
        side: Side,
    },
    /// Of many.
    Room(Seat),
    /// Of many, on another worker.
    Away(across::Away),
}

impl End {
    /// Gives the other end something; the oldest goes when nobody takes it.
    pub fn push(&self, far: Far<'_>) {
        let (line, side) = match self {
            Self::Line { line, side } => (line, side),
            Self::Room(seat) => {
                match far {
                    Far::Sound(sound) => seat.room.borrow_mut().say(seat.id, &sound),
                    Far::Anew => seat.room.borrow_mut().begin_anew(seat.id),
                    _ => {}
                }
                return;
            }
            Self::Away(away) => {
                if let Far::Sound(sound) = far {
                    away.push(&sound);
                }
                return;
            }
        };
        let mut line = line.borrow_mut();
        let way = match side {
            Side::Caller => &mut line.to_callee,
            Side::Callee => &mut line.to_caller,
        };
        let spare = if way.waiting.len() < WAITING_MAX { way.spare.pop() } else { way.waiting.pop_front() };
        let mut held = spare.unwrap_or_default();
        match far {
            Far::Sound(FarSound { at, position, is_filling, is_digit, codec, rate, payload, samples }) => {
                held.what = What::Sound { at, position, is_filling, is_digit, codec, rate };
                held.payload.clear();
                held.payload.extend_from_slice(payload);
                held.samples.clear();
                held.samples.extend_from_slice(samples);
            }
            Far::Anew => held.what = What::Anew,
            Far::Digit(digit, duration_ms) => held.what = What::Digit(digit, duration_ms),
            Far::Tone(digit, duration_ms) => held.what = What::Tone(digit, duration_ms),
            Far::Paced(rate, samples) => {
                held.what = What::Paced(rate);
                held.samples.clear();
                held.samples.extend_from_slice(samples);
            }
        }
        way.waiting.push_back(held);
    }

    /// A packet is due: a conference mixes what there is for everybody.
    pub fn due(&self, now: Instant) {
        if let Self::Room(seat) = self {
            let mut room = seat.room.borrow_mut();
            room.advance(now);
            seat.speaker.store(room.speaker().map_or(0, |id| u64::from(id.0) + 1), Ordering::Relaxed);
        }
    }

    /// Silences this end for the others of a conference, or not; true if it is one.
    #[must_use]
    pub fn mute(&self, muted: bool) -> bool {
        match self {
            Self::Line { .. } => false,
            Self::Room(seat) => seat.room.borrow_mut().mute(seat.id, muted),
            Self::Away(away) => away.mute(muted),
        }
    }

    /// Whom this end hears in a conference, and who hears it; true if it is one.
    #[must_use]
    pub fn set_role(&self, role: Role) -> bool {
        match self {
            Self::Line { .. } => false,
            Self::Room(seat) => seat.room.borrow_mut().set_role(seat.id, role),
            Self::Away(away) => away.set_role(role),
        }
    }

    /// How loud this end is for the others of a conference, in decibels; true if it is one.
    #[must_use]
    pub fn set_gain(&self, decibels: f32) -> bool {
        match self {
            Self::Line { .. } => false,
            Self::Room(seat) => seat.room.borrow_mut().set_gain(seat.id, decibels),
            Self::Away(away) => away.set_gain(decibels),
        }
    }

    /// The next thing that the other end gave; [`Self::give_back`] it.
    #[must_use]
    pub fn take(&self) -> Option<Held> {
        let (line, side) = match self {
            Self::Line { line, side } => (line, side),
            Self::Room(seat) => return seat.hear(),
            Self::Away(away) => return away.take(),
        };
        let mut line = line.borrow_mut();
        match side {
            Side::Caller => line.to_caller.waiting.pop_front(),
            Side::Callee => line.to_callee.waiting.pop_front(),
        }
    }

    /// The buffers of what was taken.
    pub fn give_back(&self, held: Held) {
        let (line, side) = match self {
            Self::Line { line, side } => (line, side),
            Self::Room(seat) => {
                seat.held.replace(Some(held));
                return;
            }
            Self::Away(away) => return away.give_back(held),
        };
        let mut line = line.borrow_mut();
        match side {
            Side::Caller => line.to_caller.spare.push(held),
            Side::Callee => line.to_callee.spare.push(held),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::CODECS;

    #[test]
    fn each_end_hears_the_other_and_buffers_are_used_again() {
        let lines = Lines::default();
        let (caller, callee) = (lines.end(LineId(1), Side::Caller), lines.end(LineId(1), Side::Callee));
        for n in 0..3 {
            caller.push(Far::Sound(FarSound {
                at: Instant::ZERO,
                position: 0,
                is_filling: false,
                is_digit: false,
                codec: &CODECS[0],
                rate: SampleRate::HZ_8000,
                payload: &[n; 160],
                samples: &[0; 160],
            }));
            assert!(caller.take().is_none(), "nobody hears himself");
            let held = callee.take().expect("it is there");
            assert!(matches!(held.far(), Some(Far::Sound(sound)) if sound.payload == [n; 160]));
            callee.give_back(held);
        }
        let End::Line { line, .. } = &caller else { panic!("a line") };
        assert_eq!(line.borrow().to_callee.spare.len(), 1);
        callee.push(Far::Digit('5', 100));
        assert_eq!(caller.take().and_then(|held| held.far().map(|far| far == Far::Digit('5', 100))), Some(true));
        drop((caller, callee));
        let _ = lines.end(LineId(2), Side::Caller);
        assert_eq!(lines.lines.borrow().len(), 1, "a line goes with its ends");
    }

    #[test]
    fn a_standstill_does_not_fill_the_memory() {
        let lines = Lines::default();
        let (caller, callee) = (lines.end(LineId(1), Side::Caller), lines.end(LineId(1), Side::Callee));
        for n in 0..1_000 {
            caller.push(Far::Digit('1', n));
        }
        let held: Vec<Held> = std::iter::from_fn(|| callee.take()).collect();
        assert_eq!(held.len(), WAITING_MAX);
        assert!(matches!(held.last().and_then(Held::far), Some(Far::Digit('1', 999))));
    }
}
