//! A thousand keys on a bad network: each heard once, in order. Keys in all ways that there are, as `media.dtmf` says.

use super::QUIET;
use crate::world::{Faults, Happening, Random, Setup, Sound, World, script};
use std::time::Duration;
use voxgw::{
    call::journal::{Body, Direction},
    media::dsp::{digits::Mode, tone::share_at},
    sip::sdp::crypto::Policy,
    unit::SampleRate,
};

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

/// What one call saw: its digits, the gateway's answer, lints, and digits that went out.
struct Seen {
    heard: String,
    answer: String,
    lints: Vec<String>,
    /// Keys heard by the phone as sound.
    sounded: bool,
    sent: String,
}

/// A phone that knows telephone-event or not presses 1 as event at 1 s (if it knows), 5 as tone at 3 s, 9 by INFO at
/// 5 s; the agent presses 7.
fn ways(mode: Mode, knows: Option<(&'static str, &'static str)>) -> Seen {
    let agent = script("name = \"keys\"\n[[reply]]\nsay = \"tone:800:100\"\nsend_digits = \"7\"\n");
    let mut setup = Setup::local(agent);
    setup.tuning.dtmf = mode;
    let mut world = World::new(setup);
    world.phone.knows = knows;
    if knows.is_none() {
        world.at(1_000, Happening::PhonePresses("1".to_owned()));
    }
    world.say(3_000, 100, Sound::Key(770.0, 1_336.0));
    world.at(5_000, Happening::Info('9'));
    world.say(6_000, 1_500, Sound::Speech);
    world.caller_hangs_up(12_000);
    world.run_to_end(13_000);
    let sent = world.records.iter().filter_map(|record| match &record.body {
        Body::Dtmf(digit) if digit.direction == Direction::Out => Some(digit.digit),
        _ => None,
    });
    let sounded = world.phone.heard.iter().any(|piece| {
        let share = |hz| share_at(hz, SampleRate::HZ_8000, &piece.samples);
        piece.is_voiced() && share(852.0) > 0.3 && share(1_209.0) > 0.3
    });
    Seen {
        heard: world.summary().dtmf.clone(),
        answer: world.phone.answer.clone(),
        lints: world.summary().lints.clone(),
        sounded,
        // It answers what it takes for speech once or twice.
        sent: sent.map(String::from).next_back().unwrap_or_default(),
    }
}

#[test]
fn digits_come_and_go_as_configured_and_our_description_says_so() {
    let plain = Some(("0 8", ""));
    for (mode, knows, heard, sent, sounded, offered) in [
        // 9 by INFO is passed over once a key came in RTP.
        (Mode::Auto, None, "1", "7", false, true),
        (Mode::Auto, plain, "5", "7", true, false),
        (Mode::Events, None, "1", "7", false, true),
        // ours in an INFO
        (Mode::Events, plain, "9", "7", false, false),
        (Mode::Inband, None, "5", "7", true, false),
        (Mode::Inband, plain, "5", "7", true, false),
        (Mode::Off, None, "", "", false, false),
        (Mode::Off, plain, "", "", false, false),
    ] {
        let seen = ways(mode, knows);
        assert_eq!((seen.heard.as_str(), seen.sent.as_str()), (heard, sent), "{mode:?} {knows:?}");
        assert_eq!(seen.sounded, sounded, "{mode:?} {knows:?}");
        assert_eq!(seen.answer.contains("telephone-event"), offered, "{mode:?} {knows:?}: {}", seen.answer);
        let is_lint = |name: &str| seen.lints.iter().any(|lint| lint == name);
        assert_eq!(is_lint("dtmf-inband"), mode == Mode::Auto && knows.is_some(), "{mode:?} {knows:?}");
        let twice = mode.events() && !heard.ends_with('9');
        assert_eq!(is_lint("dtmf-duplicate"), twice, "9 came by INFO after a key in RTP: {mode:?} {knows:?}");
        assert!(!is_lint("codec-fallback"), "{mode:?}: {:?}", seen.lints);
    }
}

#[test]
fn our_offer_names_no_telephone_event_that_is_not_wanted() {
    for (mode, offered) in [(Mode::Auto, true), (Mode::Events, true), (Mode::Inband, false), (Mode::Off, false)] {
        let mut setup = Setup { calls_out: true, ..Setup::local(script(QUIET)) };
        setup.tuning.dtmf = mode;
        let mut world = World::new(setup);
        let offer = world.pipeline.offer();
        assert_eq!(offer.contains("telephone-event"), offered, "{mode:?}: {offer}");
        assert!(offer.contains("PCMU/8000"), "{offer}");
    }
}

#[test]
fn a_key_in_info_and_as_event_counts_once_even_if_the_info_is_first() {
    let mut world = World::new(Setup::local(script(QUIET)));
    world.at(990, Happening::Info('1'));
    world.at(1_000, Happening::PhonePresses("12".to_owned()));
    world.caller_hangs_up(8_000);
    world.run_to_end(9_000);
    assert_eq!(world.summary().dtmf, "12");
    assert!(world.summary().lints.iter().any(|lint| lint == "dtmf-duplicate"), "{:?}", world.summary().lints);
}

#[test]
fn narrowband_is_remarked_upon_only_where_wideband_was_possible() {
    for (knows, fires) in [
        (("0 9 101", "a=rtpmap:101 telephone-event/8000\r\n"), true),
        (("0 8 101", "a=rtpmap:101 telephone-event/8000\r\n"), false),
    ] {
        let mut world = World::new(Setup::local(script(QUIET)));
        world.phone.knows = Some(knows);
        world.caller_hangs_up(4_000);
        world.run_to_end(5_000);
        let lints = &world.summary().lints;
        assert_eq!(lints.iter().any(|lint| lint == "codec-fallback"), fires, "{knows:?} {lints:?}");
    }
}
