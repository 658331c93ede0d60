//! Whole calls with SRTP: bad networks, new keys, forgeries, refusals.

use super::{QUIET, SPOILT, TALKER, toned};
use crate::world::{FakeAgent, Faults, Happening, PHONE, Piece, Setup, Sound, World, burst, script};
use std::time::Duration;
use voxgw::{
    agent::local::echo::Echo,
    call::{
        BargeIn,
        journal::{Body, MediaChange, Verdict},
        pipeline::SipAction,
    },
    media::rtp::packet::Packet,
    sip::sdp::crypto::{Policy, SUITES},
    unit::{PayloadType, Ssrc},
};

const CM80: &str = "AES_CM_128_HMAC_SHA1_80";

fn media(world: &World) -> Vec<&MediaChange> {
    let bodies = world.records.iter().map(|record| &record.body);
    bodies.filter_map(|body| if let Body::Media(change) = body { Some(change) } else { None }).collect()
}

fn notes(world: &World) -> String {
    let bodies = world.records.iter().map(|record| &record.body);
    bodies.filter_map(|body| if let Body::Note(note) = body { Some(note.text.clone() + "\n") } else { None }).collect()
}

fn refusal(world: &World) -> Option<(u16, &str)> {
    let mut actions = world.sip.iter().map(|(_, action)| action);
    actions.find_map(
        |action| if let SipAction::Refuse(status, why) = action { Some((*status, why.as_str())) } else { None },
    )
}

#[test]
fn with_every_suite_both_sides_hear_each_other_through_loss_jitter_and_reordering() {
    for (suite, _) in SUITES {
        for (protocol, policy) in [("RTP/SAVP", Policy::Required), ("RTP/AVP", Policy::Optional)] {
            let faults = Faults { duplicate_percent: 0, ..SPOILT };
            let setup = Setup { barge_in: BargeIn::Off, ..Setup::local(Echo::new(true)) };
            let mut world = World::new(Setup { srtp: policy, uplink: faults, downlink: faults, ..setup });
            world.phone.wants_srtp(protocol, suite, 1);
            world.say(1_000, 6_000, Sound::Tone(450.0));
            // What is under way when the call ends cannot be counted.
            world.at(8_000, Happening::PhoneSends(false));
            world.caller_hangs_up(8_500);
            world.run_to_end(9_000);

            // The first packets of the phone wrap its sequence number: the rollover counter is at work.
            let echoed = toned(&world.phone.heard, 450.0).len();
            assert!(echoed > 240, "{suite}: {echoed} of 300 packets");
            let (stats, delivery) = (&world.summary().stats.inbound, world.uplink.delivery());
            assert_eq!((stats.packets, stats.lost), (delivery.packets, delivery.lost), "{suite}");
            assert_eq!((stats.srtp_failed, stats.srtp_replayed, world.phone.unopened), (0, 0, 0), "{suite}");
            assert!(media(&world).iter().all(|change| change.srtp == suite), "{:?}", media(&world));
            // What went over the network is not what was said.
            let payload = |bytes: &[u8]| Packet::parse(bytes).unwrap().payload.to_vec();
            let silent = world.wire.iter().filter(|bytes| payload(bytes).iter().all(|byte| *byte == 0xff)).count();
            assert_eq!(silent, 0, "{suite}: silence can be seen");
            assert!(!world.lines().contains("inline:") && !world.lines().contains("AQEB"), "a key in the journal");
            assert_eq!(world.summary().media, Verdict::Pass);
        }
    }
}

#[test]
fn duplicates_of_the_network_are_replays_and_no_fault() {
    let uplink = Faults { duplicate_percent: 20, ..Faults::default() };
    let mut world = World::new(Setup { uplink, ..Setup::local(script(QUIET)) });
    world.phone.wants_srtp("RTP/SAVP", CM80, 1);
    world.at(4_000, Happening::PhoneSends(false));
    world.caller_hangs_up(5_000);
    world.run_to_end(6_000);

    let (stats, delivery) = (&world.summary().stats.inbound, world.uplink.delivery());
    assert_eq!((stats.srtp_replayed, stats.srtp_failed), (delivery.duplicate, 0));
    assert_eq!(world.summary().lints, [""; 0]);
}

#[test]
fn a_new_key_in_the_middle_of_a_call_costs_neither_side_a_word() {
    let mut world = World::new(Setup { barge_in: BargeIn::Off, ..Setup::local(Echo::new(true)) });
    world.phone.wants_srtp("RTP/SAVP", CM80, 1);
    world.say(1_000, 5_000, Sound::Tone(450.0));
    for (n, ms) in [2_000, 3_000, 4_000].into_iter().enumerate() {
        world.at(ms, Happening::PhoneRekeys(2 + n as u8));
    }
    world.caller_hangs_up(7_000);
    world.run_to_end(8_000);

    let ours: Vec<&str> = world
        .reinvite_answers()
        .into_iter()
        .map(|text| text.lines().find(|line| line.starts_with("a=crypto:")).expect("our key"))
        .collect();
    assert!(ours.len() == 3 && ours[0] != ours[1] && ours[1] != ours[2], "a new key of ours each time: {ours:?}");
    let stats = &world.summary().stats.inbound;
    // What was under way with the old key was opened.
    assert_eq!((stats.srtp_failed, stats.lost), (0, 0));
    // The phone of this world has our new key at once; what was under way to it is two packets.
    assert!(world.phone.unopened <= 6, "{} packets unopened", world.phone.unopened);
    assert!(toned(&world.phone.heard, 450.0).len() >= 240);
}

#[test]
fn the_same_key_again_keeps_ours_and_the_rollover_counters() {
    let mut world = World::new(Setup::local(script(TALKER)));
    world.phone.wants_srtp("RTP/SAVP", CM80, 1);
    world.at(3_000, Happening::Reinvite("sendonly"));
    world.at(5_000, Happening::Reinvite("sendrecv"));
    world.caller_hangs_up(8_000);
    world.run_to_end(9_000);

    let answers = world.reinvite_answers();
    let line = |text: &str| text.lines().find(|line| line.starts_with("a=crypto:")).unwrap().to_owned();
    assert_eq!(line(answers[0]), line(answers[1]));
    let stats = &world.summary().stats.inbound;
    assert_eq!((stats.srtp_failed, stats.srtp_replayed, stats.lost, world.phone.unopened), (0, 0, 0, 0));
    let voiced = world.phone.heard.iter().rev().take(100).filter(|piece| piece.is_voiced()).count();
    assert!(voiced > 90, "{voiced} of the last 100 packets");
}

#[test]
fn a_flood_of_forged_packets_is_counted_and_changes_nothing() {
    let mut says = burst(300, 1_400.0, 4_000);
    says.push((Duration::from_millis(700), voxgw::agent::event::Event::TurnComplete));
    let mut world = World::new(Setup::remote(FakeAgent::ready(says)));
    world.phone.wants_srtp("RTP/SAVP", CM80, 1);
    world.say(1_000, 4_000, Sound::Tone(450.0));
    let strangers = "198.51.100.9:4000".parse().unwrap();
    for n in 0..2_000_u16 {
        let mut bytes = Vec::new();
        let forged = Packet {
            marker: false,
            payload_type: PayloadType(0),
            sequence: n,
            timestamp: u32::from(n) * 160,
            ssrc: Ssrc(if n % 2 == 0 { 0x00c0_ffee } else { u32::from(n) }),
            payload: &[0x20; 170],
        };
        forged.write(&mut bytes);
        let from = if n % 3 == 0 { strangers } else { PHONE };
        world.at(500 + u64::from(n) * 2, Happening::AtGateway(from, bytes));
    }
    world.caller_hangs_up(6_000);
    world.run_to_end(7_000);

    let stats = &world.summary().stats.inbound;
    assert_eq!((stats.srtp_failed, stats.lost, stats.refused), (2_000, 0, 0));
    let heard = world.agent.heard_between(1_200, 4_800);
    let share = voxgw::media::dsp::tone::share_at(450.0, voxgw::unit::SampleRate::HZ_8000, &heard);
    assert!(share > 0.95, "the agent hears the caller: {share}");
    assert!(toned(&world.phone.heard, 1_400.0).len() > 190, "and the caller the agent");
    assert!(media(&world).iter().all(|change| change.source == "sdp"), "nobody was latched");
    assert!(world.summary().lints.iter().any(|name| name == "srtp-failures"), "{:?}", world.summary().lints);
}

#[test]
fn what_cannot_be_as_encrypted_as_it_must_is_refused_with_the_reason() {
    // policy, readable signalling, protocol, keys offered → what the refusal says.
    let table = [
        (Policy::Required, false, "RTP/AVP", false, "SRTP is required, and no key can be used: there is no a=crypto"),
        (Policy::Required, true, "RTP/SAVP", true, "SRTP keys would travel in the clear"),
        (Policy::Optional, true, "RTP/SAVP", true, "media.srtp_over_plain"),
        (Policy::Off, false, "RTP/SAVP", true, "media.srtp is off"),
    ];
    for (srtp, in_clear, protocol, keys, why) in table {
        let mut world = World::new(Setup { srtp, in_clear, ..Setup::local(script(QUIET)) });
        if keys {
            world.phone.wants_srtp(protocol, CM80, 1);
        }
        world.run_to_end(5_000);
        let (status, reason) = refusal(&world).expect("the call was taken");
        assert!(status == 488 && reason.contains(why), "{srtp:?}: {status} {reason}");
        assert!(notes(&world).contains(why));
        assert!(world.wire.is_empty());
    }
    // An INVITE without an offer: ours would have to bring keys.
    let setup = Setup { srtp: Policy::Required, in_clear: true, offers: false, ..Setup::local(script(QUIET)) };
    let mut world = World::new(setup);
    world.run_to_end(5_000);
    assert!(refusal(&world).is_some_and(|(status, why)| status == 488 && why.contains("in the clear")));
}

#[test]
fn optional_keys_over_readable_signalling_are_left_and_the_journal_says_so() {
    let setup = Setup { in_clear: true, ..Setup::local(script(TALKER)) };
    let mut world = World::new(setup);
    world.phone.wants_srtp("RTP/AVP", CM80, 1);
    world.caller_hangs_up(3_000);
    world.run_to_end(4_000);
    assert!(media(&world).iter().all(|change| change.srtp.is_empty()));
    assert!(world.phone.heard.iter().any(Piece::is_voiced), "the call is plain and works");
    assert!(notes(&world).contains("SRTP was offered and not taken"), "{}", notes(&world));
    // Without SRTP there is nothing to say.
    let mut world = World::new(Setup { in_clear: true, ..Setup::local(script(TALKER)) });
    world.caller_hangs_up(3_000);
    world.run_to_end(4_000);
    assert_eq!(notes(&world), "");
}
