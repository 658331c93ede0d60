//! Conferences in virtual time: calls of one worker, each on its own bad network, hear each other and not themselves.

use crate::world::{Faults, Piece, Setup, Sound, World};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use voxgw::{
    call::journal::{Body, BridgeState},
    clock::Instant,
    gateway::line::{
        Chair, Lines,
        across::{self, Guest},
    },
    media::dsp::{
        mix::{MemberId, Role},
        tone::share_at,
    },
    unit::{CallId, SampleRate},
};

const TONES: [f64; 3] = [400.0, 1_000.0, 1_900.0];

/// Callers who are all in one room from the beginning; each says its tone from the first second on.
struct Room {
    lines: Lines,
    speaker: Arc<AtomicU64>,
    callers: Vec<World>,
    /// Seats of callers who live on other workers, and when they are looked after next.
    guests: Vec<Guest>,
    carried_at: Instant,
}

impl Room {
    fn of(uplinks: &[Faults], until_ms: u64) -> Self {
        Self::with(uplinks, &[], until_ms)
    }

    /// The same; these of the callers live on other workers.
    fn with(uplinks: &[Faults], away: &[u32], until_ms: u64) -> Self {
        let mut room = Self {
            lines: Lines::default(),
            speaker: Arc::default(),
            callers: Vec::new(),
            guests: Vec::new(),
            carried_at: crate::world::at_ms(0),
        };
        for (n, uplink) in (0..).zip(uplinks) {
            let law = if n == 1 { 8 } else { 0 };
            let setup = Setup { seed: u64::from(n) + 1, uplink: *uplink, law, ..Setup::far() };
            let mut caller = World::new(setup);
            caller.say(1_000, until_ms - 1_000, Sound::Tone(TONES[n as usize]));
            // The INVITE comes first.
            caller.step(caller.next_at());
            let chair =
                Chair { room: "team".into(), call: CallId(n), role: Role::Talks, speaker: Arc::clone(&room.speaker) };
            if away.contains(&n) {
                let (away, host) = across::pair(chair.clone());
                caller.sit(&chair, || away.sit());
                room.guests.push(host.at(room.lines.clone()));
            } else {
                caller.enter(&room.lines, &chair);
            }
            room.callers.push(caller);
        }
        room
    }

    /// Time passes for all of them.
    fn run(&mut self, until_ms: u64) {
        let until = crate::world::at_ms(until_ms);
        while let Some(next) = self.callers.iter_mut().min_by_key(|caller| caller.next_at()) {
            if !self.guests.is_empty() && self.carried_at <= next.next_at().min(until) {
                self.guests.retain_mut(|guest| guest.carry(self.carried_at));
                self.carried_at += across::TICK;
                continue;
            }
            if !next.step(until) {
                return;
            }
        }
    }

    /// How much of what `listener` hears in a time is each caller's tone.
    fn shares(&self, listener: usize, from_ms: u64, until_ms: u64) -> Vec<f64> {
        let between = crate::world::at_ms(from_ms)..crate::world::at_ms(until_ms);
        let heard = self.callers[listener].phone.heard.iter().filter(|piece| between.contains(&piece.at));
        let samples: Vec<i16> = heard.flat_map(|piece: &Piece| piece.samples.iter().copied()).collect();
        assert!(samples.len() > 4_000, "{listener} hears nothing");
        TONES.iter().map(|hz| share_at(*hz, SampleRate::HZ_8000, &samples)).collect()
    }
}

#[test]
fn three_callers_each_hear_the_two_others_and_not_themselves() {
    let mut room = Room::of(&[Faults::default(); 3], 8_000);
    room.run(6_000);
    for listener in 0..3 {
        for (speaker, share) in room.shares(listener, 3_000, 6_000).into_iter().enumerate() {
            if speaker == listener {
                assert!(share < 0.001, "{listener} hears itself: {share}");
            } else {
                assert!((0.4..0.6).contains(&share), "{listener} hears {speaker}: {share}");
            }
        }
    }
    assert!(room.speaker.load(Ordering::Relaxed) > 0, "somebody speaks");
}

#[test]
fn callers_of_other_workers_hear_and_are_heard_alike() {
    let bad = Faults { loss_percent: 3, jitter: Duration::from_millis(40), ..Faults::default() };
    for (faults, share) in [(Faults::default(), 0.45..0.55), (bad, 0.40..0.60)] {
        let mut room = Room::with(&[Faults::default(), faults, Faults::default()], &[1, 2], 12_000);
        room.run(6_000);
        for listener in 0..3 {
            for (speaker, heard) in room.shares(listener, 3_000, 6_000).into_iter().enumerate() {
                let expected = if speaker == listener { 0.0..0.001 } else { share.clone() };
                assert!(expected.contains(&heard), "{listener} hears {speaker}: {heard}");
            }
        }
        assert!(room.speaker.load(Ordering::Relaxed) > 0, "somebody speaks");
        // What a seat can do, that of a guest can.
        assert!(room.callers[1].line().is_some_and(|end| end.mute(true)));
        assert!(room.callers[2].line().is_some_and(|end| end.set_role(Role::Whispers(MemberId(0)))));
        room.run(9_000);
        assert!(room.shares(0, 7_000, 9_000)[1] < 0.001 && room.shares(0, 7_000, 9_000)[2] > 0.9);
        assert!(room.shares(1, 7_000, 9_000)[2] < 0.001, "a whisper is for one");
        // The first one goes: the room stays for the others.
        room.callers[0].leave();
        assert!(room.callers[1].line().is_some_and(|end| end.mute(false)));
        room.run(12_000);
        assert!(room.shares(2, 10_000, 11_500)[1] > 0.9);
        room.callers[2].leave();
        room.run(12_100);
        assert_eq!(room.guests.len(), 1, "a guest goes with its session");
    }
}

#[test]
fn jitter_and_loss_of_one_are_heard_as_little_as_in_a_bridge() {
    let bad = Faults { loss_percent: 3, jitter: Duration::from_millis(60), ..Faults::default() };
    let mut room = Room::of(&[bad, Faults::default(), Faults::default()], 12_000);
    room.run(10_000);
    let shares = room.shares(1, 5_000, 10_000);
    assert!(shares[0] > 0.40 && shares[2] > 0.40 && shares[1] < 0.001, "{shares:?}");
    let between_the_good = room.shares(2, 5_000, 10_000);
    assert!((0.45..0.58).contains(&between_the_good[1]), "{between_the_good:?}");
}

#[test]
fn who_is_muted_or_leaves_is_not_heard_and_coming_and_going_are_told() {
    let mut room = Room::of(&[Faults::default(); 3], 12_000);
    room.run(4_000);
    assert!(room.callers[0].line().is_some_and(|end| end.mute(true)));
    room.run(6_000);
    let shares = room.shares(1, 4_500, 6_000);
    assert!(shares[0] < 0.001 && shares[2] > 0.9, "{shares:?}");
    assert!(room.callers[0].line().is_some_and(|end| end.mute(false) && end.set_gain(6.0)));
    room.run(8_000);
    let shares = room.shares(1, 6_500, 8_000);
    assert!((0.75..0.85).contains(&shares[0]), "6 dB are four fifths of the energy: {shares:?}");
    room.callers[2].leave();
    room.run(8_300);
    let tone = room.callers[0].phone.heard.iter().filter(|piece| piece.at > crate::world::at_ms(8_000));
    let low: Vec<i16> = tone.flat_map(|piece| piece.samples.iter().copied()).collect();
    assert!(share_at(440.0, SampleRate::HZ_8000, &low) > 0.005, "the tone of going");
    room.run(10_000);
    assert!(room.shares(1, 8_800, 10_000)[2] < 0.001);
}

#[test]
fn the_journal_says_when_it_came_and_that_it_left() {
    let mut room = Room::of(&[Faults::default(); 2], 3_000);
    room.callers[0].caller_hangs_up(3_000);
    room.run(4_000);
    let changes: Vec<_> = room.callers[0]
        .records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Bridge(change) => Some((change.state, change.peer, change.text.clone(), change.transcoded > 100)),
            _ => None,
        })
        .collect();
    let name = "conference team".to_owned();
    assert_eq!(changes, [(BridgeState::Joined, None, name.clone(), false), (BridgeState::Left, None, name, true)]);
    assert_eq!(room.callers[0].summary().lints, [""; 0]);
}

#[test]
fn a_supervisor_listens_and_whispers_to_one() {
    let mut room = Room::of(&[Faults::default(); 3], 10_000);
    assert!(room.callers[2].line().is_some_and(|end| end.set_role(Role::Listens)));
    room.run(4_000);
    assert!(room.shares(0, 2_000, 4_000)[2] < 0.001 && room.shares(2, 2_000, 4_000)[0] > 0.4);
    assert!(room.callers[2].line().is_some_and(|end| end.set_role(Role::Whispers(MemberId(1)))));
    room.run(7_000);
    assert!(room.shares(0, 5_000, 7_000)[2] < 0.001, "the customer does not hear it");
    assert!(room.shares(1, 5_000, 7_000)[2] > 0.4, "the agent does");
    // Barging in: both hear it.
    assert!(room.callers[2].line().is_some_and(|end| end.set_role(Role::Talks)));
    room.run(9_500);
    for listener in [0, 1] {
        assert!(room.shares(listener, 8_000, 9_500)[2] > 0.4, "{listener}");
    }
}
