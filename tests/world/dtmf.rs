//! A thousand keys on a bad network: each heard once, in order.

use super::QUIET;
use crate::world::{Faults, Happening, Random, Setup, World, script};
use std::time::Duration;
use voxgw::{call::journal::Body, sip::sdp::crypto::Policy};

const KEYS: usize = 1_000;

/// What is heard of a thousand keys, and what was pressed.
fn press(seed: u64, uplink: Faults, unmarked: bool, endless: bool, encrypted: bool) -> (String, String, usize) {
    let srtp = if encrypted { Policy::Required } else { Policy::Off };
    let mut world = World::new(Setup { seed, uplink, srtp, ..Setup::local(script(QUIET)) });
    (world.phone.unmarked, world.phone.endless) = (unmarked, endless);
    if encrypted {
        world.phone.wants_srtp("RTP/SAVP", "AES_CM_128_HMAC_SHA1_80", 1);
    }
    let mut random = Random::new(seed);
    // Every fifth key is its neighbour again: only the timestamp tells them apart.
    let mut keys = String::new();
    while keys.len() < KEYS {
        let last = keys.chars().last().filter(|_| random.chance(20));
        keys.push(last.unwrap_or_else(|| char::from(random.pick(b"0123456789*#ABCD"))));
    }
    world.at(1_000, Happening::PhonePresses(keys.clone()));
    world.caller_hangs_up(240_000);
    world.run_to_end(241_000);
    let records = world.records.iter().filter(|record| matches!(record.body, Body::Dtmf(_))).count();
    (world.summary().dtmf.clone(), keys, records)
}

#[test]
fn a_thousand_keys_are_each_heard_once_through_loss_and_reordering() {
    let lossy = Faults { loss_percent: 10, ..Faults::default() };
    let spoilt = Faults {
        loss_percent: 10,
        reorder_percent: 5,
        duplicate_percent: 2,
        jitter: Duration::from_millis(15),
        ..lossy
    };
    for (what, faults, unmarked, endless, encrypted) in [
        ("loss", lossy, false, false, false),
        ("loss and reordering", spoilt, false, false, false),
        ("no markers", spoilt, true, false, false),
        ("no ends", spoilt, true, true, false),
        ("SRTP", spoilt, false, false, true),
    ] {
        for seed in 1..=2 {
            let (heard, pressed, records) = press(seed, faults, unmarked, endless, encrypted);
            assert_eq!(heard, pressed, "{what}, seed {seed}");
            assert_eq!(records, KEYS, "{what}, seed {seed}");
        }
    }
}
