//! Whole calls in virtual time whose dialogs change: early media, hold from our side, a far end that is replaced.

use crate::world::{FakeAgent, Happening, Piece, Setup, Sound, Told, World, burst, ms, script};
use std::{sync::Arc, time::Duration};
use voxgw::{
    agent::event::Event as AgentEvent,
    call::{
        Early,
        journal::{Body, Verdict},
        pipeline::{Music, SipAction},
    },
    media::dsp::tone::share_at,
    unit::SampleRate,
};

const TALKER: &str = "name = \"talker\"\n[greeting]\nsay = \"tone:1000:2000\"\n";

fn heard_between(world: &World, from_ms: f64, until_ms: f64) -> Vec<i16> {
    let during = |piece: &&Piece| (from_ms..until_ms).contains(&ms(piece.at));
    world.phone.heard.iter().filter(during).flat_map(|piece| piece.samples.iter().copied()).collect()
}

fn notes(world: &World) -> Vec<String> {
    let notes = world.records.iter().filter_map(|record| match &record.body {
        Body::Note(note) => Some(note.text.clone()),
        _ => None,
    });
    notes.collect()
}

fn action_at(world: &World, wanted: impl Fn(&SipAction) -> bool) -> f64 {
    ms(world.sip.iter().find(|(_, action)| wanted(action)).expect("the call wanted it").0)
}

// Early media, called

#[test]
fn a_caller_hears_our_ring_tone_until_the_agent_is_there() {
    let agent = FakeAgent { on_connect: vec![(Duration::from_secs(2), AgentEvent::Ready)], ..FakeAgent::default() };
    let mut world = World::new(Setup { early: Early::Ring, ..Setup::remote(agent) });
    world.caller_hangs_up(5_000);
    world.run_to_end(6_000);
    let rung = heard_between(&world, 100.0, 900.0);
    assert!(share_at(425.0, SampleRate::HZ_8000, &rung) > 0.95, "the tone of a ring");
    let answered = action_at(&world, |action| matches!(action, SipAction::Answer(_)));
    assert!((1_990.0..2_010.0).contains(&answered), "{answered}");
    let (SipAction::RingWithMedia(early), SipAction::Answer(last)) = (&world.sip[0].1, &world.sip[1].1) else {
        panic!("{:?}", world.sip)
    };
    assert_eq!(early, last, "the same description twice");
    assert!(heard_between(&world, 2_100.0, 4_900.0).iter().all(|sample| sample.abs() < 50), "silence afterwards");
    assert_eq!(world.summary().sip, Verdict::Pass);
}

#[test]
fn an_agent_may_speak_before_the_answer_which_follows_its_first_turn() {
    let mut world = World::new(Setup { early: Early::Agent, ..Setup::local(script(TALKER)) });
    world.caller_hangs_up(5_000);
    world.run_to_end(6_000);
    assert!(matches!(world.sip[0].1, SipAction::RingWithMedia(_)));
    let early = heard_between(&world, 200.0, 1_800.0);
    assert!(share_at(1_000.0, SampleRate::HZ_8000, &early) > 0.95);
    let answered = action_at(&world, |action| matches!(action, SipAction::Answer(_)));
    assert!((1_950.0..2_100.0).contains(&answered), "{answered}");
    assert_eq!(world.turns().len(), 1, "the greeting was said once");
}

#[test]
fn an_agent_with_nothing_to_say_before_the_answer_does_not_keep_the_caller_waiting() {
    let mut world = World::new(Setup { early: Early::Agent, ..Setup::local(script("name = \"quiet\"")) });
    world.caller_hangs_up(8_000);
    world.run_to_end(9_000);
    let answered = action_at(&world, |action| matches!(action, SipAction::Answer(_)));
    assert!((2_990.0..3_010.0).contains(&answered), "call.patience: {answered}");
}

#[test]
fn a_caller_that_speaks_into_the_announcement_is_answered() {
    let long = "name = \"talker\"\n[greeting]\nsay = \"tone:1000:20000\"\n";
    let mut world = World::new(Setup { early: Early::Agent, ..Setup::local(script(long)) });
    world.say(1_000, 1_000, Sound::Speech);
    world.caller_hangs_up(5_000);
    world.run_to_end(6_000);
    let answered = action_at(&world, |action| matches!(action, SipAction::Answer(_)));
    assert!((1_000.0..1_500.0).contains(&answered), "{answered}");
}

#[test]
fn an_announcement_that_ends_the_call_is_never_answered() {
    let closed = "name = \"closed\"\n[greeting]\nsay = \"tone:1000:1000\"\nhang_up = true\n";
    let mut world = World::new(Setup { early: Early::Agent, ..Setup::local(script(closed)) });
    world.run_to_end(6_000);
    assert!(!world.sip.iter().any(|(_, action)| matches!(action, SipAction::Answer(_))), "{:?}", world.sip);
    assert!(share_at(1_000.0, SampleRate::HZ_8000, &heard_between(&world, 200.0, 900.0)) > 0.95, "it was heard");
}

#[test]
fn without_an_offer_there_is_no_early_media() {
    let mut world = World::new(Setup { early: Early::Agent, offers: false, ..Setup::local(script(TALKER)) });
    world.caller_hangs_up(5_000);
    world.run_to_end(6_000);
    assert_eq!(world.sip[0].1, SipAction::Ring);
    assert!(matches!(world.sip[1].1, SipAction::Answer(_)));
}

// Early media, calling

#[test]
fn early_media_is_recorded_and_nobodys_turn() {
    let agent = FakeAgent::ready(burst(0, 1_400.0, 500));
    let setup = Setup { calls_out: true, record: true, ..Setup::remote(agent) };
    let mut world = World::new(setup);
    world.at(500, Happening::EarlyMedia("sendrecv"));
    world.say(600, 2_000, Sound::Tone(425.0));
    world.at(3_000, Happening::Answered { same: true });
    world.say(4_500, 1_000, Sound::Tone(600.0));
    world.caller_hangs_up(7_000);
    world.run_to_end(8_000);
    assert_eq!(world.states()[..3], ["offered", "ringing", "up"]);
    let right: Vec<i16> = world.sound.iter().copied().skip(1).step_by(2).collect();
    assert!(share_at(425.0, SampleRate::HZ_8000, &right[8_000..16_000]) > 0.9, "the far end's channel");
    assert!(world.agent.heard.iter().all(|(at, _)| ms(*at) >= 3_000.0), "the agent hears nothing before the answer");
    assert!(world.caller_began_ms().iter().all(|at| *at > 3_000.0), "{:?}", world.caller_began_ms());
    assert!(world.agent.started_at() >= 3_000.0);
    let before = world.sent_between(600.0, 2_900.0).collect::<Vec<_>>();
    assert!(before.len() > 100 && before.iter().all(|piece| piece.is_silent()), "silence goes out, for NAT");
    let media =
        world.records.iter().filter(|record| matches!(&record.body, Body::Media(change) if change.source == "sdp"));
    assert_eq!(media.count(), 1, "the same description changes nothing");
}

#[test]
fn another_branch_answers_with_its_own_description() {
    let mut world = World::new(Setup { calls_out: true, ..Setup::local(script(TALKER)) });
    world.at(500, Happening::EarlyMedia("sendrecv"));
    world.at(1_000, Happening::EarlyMedia("recvonly"));
    world.at(2_000, Happening::Answered { same: false });
    world.caller_hangs_up(6_000);
    world.run_to_end(7_000);
    let flows: Vec<&str> = world
        .records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Media(change) if change.source == "sdp" => Some(change.direction.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(flows, ["sendrecv", "sendonly", "sendrecv"]);
    assert_eq!(world.summary().sip, Verdict::Pass);
}

// Hold

/// A talker that is held from two to five seconds.
fn held(music: Music) -> World {
    let agent = FakeAgent::ready(burst(0, 1_000.0, 20_000));
    let mut world = World::new(Setup { hold_music: music, ..Setup::remote(agent) });
    world.at(2_000, Happening::OperatorHolds(true));
    world.at(2_050, Happening::Takes("recvonly"));
    world.say(3_000, 1_000, Sound::Speech);
    world.at(5_000, Happening::OperatorHolds(false));
    world.at(5_050, Happening::Takes("sendrecv"));
    world.at(6_000, Happening::AgentSays(AgentEvent::TurnComplete));
    for (after, event) in burst(6_500, 1_400.0, 1_000) {
        world.at(u64::try_from(after.as_millis()).unwrap(), Happening::AgentSays(event));
    }
    world.caller_hangs_up(9_000);
    world.run_to_end(10_000);
    world
}

#[test]
fn whom_we_hold_hears_music_and_the_agent_pauses() {
    let file: Arc<[i16]> = Arc::from(crate::world::tone(700.0, SampleRate::HZ_8000, Duration::from_secs(1)));
    let world = held(Music::Sound(file));
    let flows: Vec<&str> = world.reinvites().iter().map(|(_, flow)| *flow).collect();
    assert_eq!(flows, ["sendonly", "sendrecv"]);
    let music = heard_between(&world, 2_200.0, 4_900.0);
    assert!(share_at(700.0, SampleRate::HZ_8000, &music) > 0.95, "music, and nothing of the agent");
    let told: Vec<Told> = world.agent.told.iter().map(|(_, told)| *told).filter(|told| *told != Told::Other).collect();
    assert!(matches!(told[..3], [Told::Start, Told::Interrupted(_), Told::Held(true)]), "{told:?}");
    assert!(told.contains(&Told::Held(false)), "{told:?}");
    assert!(world.agent.heard_between(2_200, 4_900).is_empty(), "it does not hear whom it cannot answer");
    let after = heard_between(&world, 6_700.0, 7_300.0);
    assert!(share_at(1_400.0, SampleRate::HZ_8000, &after) > 0.9, "and goes on afterwards");
    assert_eq!(world.states(), ["offered", "up", "held", "up", "ended"]);
}

#[test]
fn without_music_the_session_is_inactive() {
    let world = held(Music::Off);
    let flows: Vec<&str> = world.reinvites().iter().map(|(_, flow)| *flow).collect();
    assert_eq!(flows, ["inactive", "sendrecv"]);
}

#[test]
fn a_hold_that_meets_theirs_is_asked_for_again_and_one_that_is_refused_changes_nothing() {
    let mut world = World::new(Setup::local(script(TALKER)));
    world.at(2_000, Happening::OperatorHolds(true));
    world.at(2_030, Happening::TakesNot(491));
    // While one waits there is no second.
    world.at(2_040, Happening::OperatorHolds(true));
    world.at(4_200, Happening::TakesNot(488));
    world.at(5_000, Happening::OperatorHolds(false));
    world.caller_hangs_up(6_000);
    world.run_to_end(7_000);
    let asked = world.reinvites();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!((0.0..=2_010.0).contains(&(asked[1].0 - 2_030.0)), "they made the Call-ID: {asked:?}");
    let notes = notes(&world).join("\n");
    assert!(notes.contains("hold: the call is being changed already"), "{notes}");
    assert!(
        notes.contains("hold was refused with 488") && notes.contains("resume: the call is not held by us"),
        "{notes}"
    );
    assert_eq!(world.states(), ["offered", "up", "held", "up", "ended"]);
}

#[test]
fn who_called_waits_longer_after_glare() {
    let mut world = World::new(Setup { calls_out: true, ..Setup::local(script(TALKER)) });
    world.at(100, Happening::Answered { same: false });
    world.at(2_000, Happening::OperatorHolds(true));
    world.at(2_030, Happening::TakesNot(491));
    world.caller_hangs_up(7_000);
    world.run_to_end(8_000);
    let waited = world.reinvites()[1].0 - 2_030.0;
    assert!((2_100.0..=4_000.0).contains(&waited), "{waited}");
}

#[test]
fn a_call_that_is_not_answered_cannot_be_held() {
    let agent = FakeAgent { on_connect: vec![(Duration::from_secs(2), AgentEvent::Ready)], ..FakeAgent::default() };
    let mut world = World::new(Setup::remote(agent));
    world.at(500, Happening::OperatorHolds(true));
    world.caller_hangs_up(5_000);
    world.run_to_end(6_000);
    assert!(world.reinvites().is_empty());
    assert!(notes(&world).contains(&"hold: the call is not up".to_owned()));
}

// Replaces

#[test]
fn the_conversation_goes_on_when_another_takes_the_far_ends_place() {
    let mut world = World::new(Setup::local(script(TALKER)));
    world.at(3_000, Happening::Replaced);
    world.at(4_000, Happening::PhonePresses("5".to_owned()));
    world.caller_hangs_up(6_000);
    world.run_to_end(7_000);
    assert!(
        world
            .sip
            .iter()
            .any(|(_, action)| matches!(action, SipAction::AnswerReplacing(text) if text.contains("m=audio")))
    );
    assert_eq!(world.turns().len(), 1, "it does not greet again");
    assert_eq!(world.summary().dtmf, "5");
    assert_eq!(world.summary().ended_by, "caller");
}
