//! Who has the floor: coughs and interruptions, keys, silences that last, answers that take their time.

use super::{after, toned};
use crate::world::{FakeAgent, Faults, Happening, Setup, Sound, Told, World, burst, ms, tone};
use std::{sync::Arc, time::Duration};
use voxgw::{
    agent::{
        event::{Event as AgentEvent, Sound as Played, ToolCall},
        wire::tool::Tool,
    },
    call::{
        BargeIn,
        journal::{Body, Turn},
        manners::{DeadAir, Filler, Manners},
    },
    unit::SampleRate,
};

const ASKS_HZ: f64 = 600.0;
const FILLS_HZ: f64 = 800.0;

fn sound(hz: f64, span_ms: u64) -> Played {
    Played { rate: SampleRate::HZ_8000, samples: tone(hz, SampleRate::HZ_8000, Duration::from_millis(span_ms)).into() }
}

/// An agent that greets for four seconds, half a second after it may.
fn talker(barge_in: BargeIn, manners: Manners) -> World {
    let mut says = burst(300, 1_400.0, 4_000);
    says.push(after(800, AgentEvent::TurnComplete));
    let setup = Setup { barge_in, manners: Arc::new(manners), ..Setup::remote(FakeAgent::ready(says)) };
    World::new(Setup { downlink: Faults { delay: Duration::from_millis(1), ..Faults::default() }, ..setup })
}

fn turns(world: &World) -> Vec<&Turn> {
    let bodies = world.records.iter().map(|record| &record.body);
    bodies.filter_map(|body| if let Body::Turn(turn) = body { Some(turn) } else { None }).collect()
}

fn notes(world: &World) -> Vec<&str> {
    let bodies = world.records.iter().map(|record| &record.body);
    bodies.filter_map(|body| if let Body::Note(note) = body { Some(note.text.as_str()) } else { None }).collect()
}

/// When the phone heard each packet of this tone, in milliseconds.
fn heard_at(world: &World, hz: f64) -> Vec<f64> {
    toned(&world.phone.heard, hz).into_iter().map(|n| ms(world.phone.heard[n].at)).collect()
}

/// The longest time between two packets of it, and when it began.
fn hole(at: &[f64]) -> (f64, f64) {
    at.windows(2).map(|two| (two[0], two[1] - two[0])).max_by(|one, other| one.1.total_cmp(&other.1)).unwrap()
}

#[test]
fn an_agent_pauses_for_a_cough_and_goes_on_with_the_next_sample() {
    let mut world = talker(BargeIn::Pause, Manners::default());
    world.say(2_000, 160, Sound::Tone(450.0));
    world.caller_hangs_up(8_000);
    world.run_to_end(9_000);
    let at = heard_at(&world, 1_400.0);
    assert!((198..=200).contains(&at.len()), "nothing of four seconds is lost: {}", at.len());
    let (from, span) = hole(&at);
    assert!((2_050.0..2_160.0).contains(&from), "silent soon after the onset at 2,023 ms: {from}");
    assert!((280.0..420.0).contains(&span), "until 200 ms of silence have told that it was a cough: {span}");
    // The tone's phase goes on: the packets around the hole fit together as one sine.
    let heard = &world.phone.heard;
    let around: Vec<i16> = [-1.0, 1.0]
        .iter()
        .flat_map(|side| {
            let at = if *side < 0.0 { from } else { from + span };
            heard.iter().find(|piece| (ms(piece.at) - at).abs() < 1e-6).unwrap().samples.clone()
        })
        .collect();
    let share = voxgw::media::dsp::tone::share_at(1_400.0, SampleRate::HZ_8000, &around);
    assert!(share > 0.95, "{share}");
    let turns = turns(&world);
    assert_eq!((turns.len(), turns[0].cut, turns[0].heard_ms), (1, false, 4_000), "{turns:?}");
    assert!(!world.agent.told.iter().any(|(_, told)| matches!(told, Told::Interrupted(_))));
    assert!(notes(&world).iter().any(|note| note.starts_with("the agent paused for a sound")), "{:?}", notes(&world));
}

#[test]
fn a_voice_that_lasts_makes_the_pause_a_cut_with_its_account() {
    let mut world = talker(BargeIn::Pause, Manners::default());
    world.say(2_000, 1_500, Sound::Speech);
    world.caller_hangs_up(8_000);
    world.run_to_end(9_000);
    let at = heard_at(&world, 1_400.0);
    assert!((2_040.0..2_160.0).contains(at.last().unwrap()), "silent from the pause on: {:?}", at.last());
    let turn = turns(&world)[0];
    let audit = turn.barge_in.as_ref().unwrap();
    assert!(turn.cut && audit.by == "voice", "{turn:?}");
    assert!((2.0..2.1).contains(&audit.at.unwrap()), "{audit:?}");
    assert!((400.0..520.0).contains(&audit.decided_ms.unwrap()), "the policy's own 400 ms: {audit:?}");
    assert!((40.0..140.0).contains(&audit.silent_ms.unwrap()), "silence began with the pause: {audit:?}");
    // What the resampler still held, some milliseconds, is nobody's.
    assert!((3_990..=4_010).contains(&(turn.heard_ms + audit.flushed_ms)), "{turn:?}");
    assert!(
        world.agent.told.iter().any(|(_, told)| *told == Told::Interrupted(turn.heard_ms)),
        "{:?}",
        world.agent.told
    );
    assert!(!world.summary().lints.iter().any(|lint| lint == "barge-in-slow"));
}

#[test]
fn coughs_do_not_cut_where_more_voice_is_wanted_and_nobody_cuts_the_first_words() {
    let wanted = Manners { speech_min: Some(Duration::from_millis(300)), ..Manners::default() };
    let mut world = talker(BargeIn::Local, wanted.clone());
    world.say(1_500, 160, Sound::Tone(450.0));
    world.say(3_000, 1_000, Sound::Speech);
    world.caller_hangs_up(7_000);
    world.run_to_end(8_000);
    let last = *heard_at(&world, 1_400.0).last().unwrap();
    assert!((3_310.0..3_420.0).contains(&last), "cut 300 ms after the onset at 3,023 ms, not by the cough: {last}");
    assert!(turns(&world)[0].cut);

    let polite = Manners { grace: Duration::from_secs(2), ..Manners::default() };
    for (span_ms, cut) in [(600, false), (2_500, true)] {
        let mut world = talker(BargeIn::Local, polite.clone());
        world.say(1_000, span_ms, Sound::Speech);
        world.caller_hangs_up(7_000);
        world.run_to_end(8_000);
        assert_eq!(turns(&world)[0].cut, cut, "{span_ms}: {:?}", turns(&world));
        let at = heard_at(&world, 1_400.0);
        let spoke = at.last().unwrap() - at[0];
        assert!(if cut { (1_950.0..2_150.0).contains(&spoke) } else { spoke > 3_900.0 }, "{span_ms}: {spoke}");
    }
}

#[test]
fn a_key_interrupts_where_it_is_to() {
    for (keys, cut) in [(None, false), (Some(false), false), (Some(true), true)] {
        let mut world = talker(BargeIn::Provider, Manners { keys, ..Manners::default() });
        world.at(2_000, Happening::PhonePresses("5".into()));
        world.caller_hangs_up(7_000);
        world.run_to_end(8_000);
        let turn = turns(&world)[0];
        assert_eq!((turn.cut, turn.barge_in.is_some()), (cut, cut), "{keys:?}");
        if cut {
            let audit = turn.barge_in.as_ref().unwrap();
            assert_eq!((audit.by.as_str(), audit.decided_ms), ("key", Some(0.0)));
            assert!(audit.silent_ms.unwrap() <= 20.0 && turn.heard_ms < 2_000, "{turn:?}");
        }
    }
}

fn asks(prompts: u32) -> Manners {
    let dead_air =
        DeadAir { after: Duration::from_secs(5), prompts, sound: sound(ASKS_HZ, 500), text: "Hello?".into() };
    Manners { dead_air: Some(dead_air), ..Manners::default() }
}

#[test]
fn a_caller_who_says_nothing_is_asked_and_let_go() {
    let mut world = talker(BargeIn::Provider, asks(2));
    world.run_to_end(60_000);
    let greeted = *heard_at(&world, 1_400.0).last().unwrap();
    let asked = heard_at(&world, ASKS_HZ);
    assert!((48..=50).contains(&asked.len()), "twice half a second: {}", asked.len());
    assert!((4_950.0..5_100.0).contains(&(asked[0] - greeted)), "{} after {greeted}", asked[0]);
    let (_, between) = hole(&asked);
    assert!((4_950.0..5_100.0).contains(&between), "{between}");
    let summary = world.summary();
    assert_eq!(summary.reason, "silence: nobody has spoken for 5 s, after 2 questions");
    assert_eq!(summary.ended_by, "us");
    let end = ms(world.phone.heard.last().unwrap().at);
    assert!((4_900.0..5_200.0).contains(&(end - asked.last().unwrap())), "{end}");
    assert_eq!(turns(&world).len(), 1, "questions of ours are no turns");
    assert_eq!(world.agent.told.iter().filter(|(_, told)| *told == Told::Played).count(), 1, "nor the agent's");
    assert_eq!(
        notes(&world).iter().filter(|note| note.starts_with("said \"Hello?\"")).count(),
        2,
        "{:?}",
        notes(&world)
    );
}

#[test]
fn a_word_answers_the_question_and_cuts_it_short() {
    let mut world = talker(BargeIn::Provider, asks(1));
    // The greeting is over at 4.5 s: asked at 9.5, and again at 14.9 and 20.5 after words of the caller's.
    world.say(9_700, 400, Sound::Speech);
    world.at(15_200, Happening::PhonePresses("5".into()));
    world.caller_hangs_up(22_000);
    world.run_to_end(23_000);
    let asked = heard_at(&world, ASKS_HZ);
    let starts: Vec<f64> = asked.windows(2).filter(|two| two[1] - two[0] > 1_000.0).map(|two| two[1]).collect();
    assert_eq!(starts.len(), 2, "asked three times in all: {starts:?}");
    let first = asked.iter().filter(|at| **at < 11_000.0).count();
    assert!((9..=20).contains(&first), "the first was cut when the caller spoke: {first}");
    assert_eq!(world.summary().ended_by, "caller");
}

#[test]
fn who_waits_for_a_tool_hears_a_filler_and_the_answer_is_not_late_for_it() {
    let filler =
        Filler { after: Duration::from_millis(2_500), sound: sound(FILLS_HZ, 1_200), text: "One moment.".into() };
    let call = ToolCall { id: "a".into(), name: "slow".into(), arguments: "{}".into() };
    let says = vec![after(500, AgentEvent::ToolCall(call))];
    let setup = Setup {
        manners: Arc::new(Manners { filler: Some(filler), ..asks(2) }),
        ..Setup::remote(FakeAgent::ready(says))
    };
    let tool = Tool { name: "slow".into(), description: "s".into(), parameters: None };
    let mut world = World::new(Setup { tools: vec![tool], ..setup });
    world.at(7_000, Happening::ToolDone("a", Ok("found".into())));
    for (span, event) in burst(7_100, 1_400.0, 1_000) {
        world.at(u64::try_from(span.as_millis()).unwrap(), Happening::AgentSays(event));
    }
    world.at(7_300, Happening::AgentSays(AgentEvent::TurnComplete));
    world.caller_hangs_up(9_000);
    world.run_to_end(10_000);
    let (filled, said) = (heard_at(&world, FILLS_HZ), heard_at(&world, 1_400.0));
    assert!(heard_at(&world, ASKS_HZ).is_empty(), "who waits is not asked whether they are there");
    let (_, between) = hole(&filled);
    assert!((2_450.0..2_600.0).contains(&between), "again 2.5 s after it was heard: {between}");
    assert!((3_000.0..3_500.0).contains(&filled[0]), "2.5 s after the tool was called: {}", filled[0]);
    assert!((7_100.0..7_180.0).contains(&said[0]) && said.len() >= 48, "the answer at once: {}", said[0]);
    assert!(filled.last().unwrap() < &said[0]);
    assert_eq!(turns(&world).len(), 1);
    assert_eq!((turns(&world)[0].generated_ms, turns(&world)[0].cut), (1_000, false));
}

/// One turn each six seconds for an hour: three words of the caller, an answer, sometimes cut.
#[test]
fn an_hour_of_turns_back_to_back_drifts_not_and_grows_not() {
    const TURNS: u64 = 600;
    let manners = Manners { speech_min: Some(Duration::from_millis(200)), ..asks(2) };
    let setup =
        Setup { barge_in: BargeIn::Pause, manners: Arc::new(manners), ..Setup::remote(FakeAgent::ready(Vec::new())) };
    let mut world = World::new(Setup { skew_ppm: 50, ..setup });
    let mut kept = Vec::new();
    let answer = sound(1_400.0, 3_000);
    for n in 0..TURNS {
        let start = 1_000 + n * 6_000;
        world.say(start, 900, Sound::Speech);
        // Every tenth caller interrupts the answer.
        if n % 10 == 9 {
            world.say(start + 3_000, 700, Sound::Speech);
        }
        world.at(start + 1_590, Happening::AgentSays(AgentEvent::AgentText("An answer of some words.".into())));
        for (piece, n) in answer.samples.chunks(800).zip(0..) {
            let event = AgentEvent::Audio { rate: answer.rate, samples: piece.to_vec() };
            world.at(start + 1_600 + 10 * n, Happening::AgentSays(event));
        }
        world.at(start + 2_000, Happening::AgentSays(AgentEvent::TurnComplete));
        world.run_until(start + 5_900);
        kept.push(world.pipeline.held());
        // The world writes everything down: what it keeps is not the gateway's.
        if n % 50 == 49 {
            (world.phone.heard, world.sent, world.wire, world.agent.heard) = Default::default();
            world.records.retain(|record| matches!(record.body, Body::Turn(_) | Body::Summary(_)));
        }
    }
    world.caller_hangs_up(1_000 + TURNS * 6_000);
    world.run_to_end(10_000 + TURNS * 6_000);
    let turns = turns(&world);
    assert_eq!((turns.len(), turns.iter().filter(|turn| turn.cut).count()), (600, 60));
    let gaps: Vec<f64> = turns.iter().filter_map(|turn| turn.gap_ms).collect();
    assert_eq!(gaps.len(), 600);
    // The phone's clock is 50 ppm slow: 180 ms within the hour, which are its own; what we add stays the same.
    let (first, last) = (gaps[..50].iter().sum::<f64>() / 50.0, gaps[550..].iter().sum::<f64>() / 50.0);
    assert!((first - last).abs() < 200.0, "{first} then {last}");
    let spread = |gaps: &[f64]| {
        gaps.iter().fold(0.0_f64, |most, gap| most.max(*gap)) - gaps.iter().fold(1e9_f64, |least, gap| least.min(*gap))
    };
    assert!(
        spread(&gaps[..50]) < 60.0 && spread(&gaps[550..]) < 60.0,
        "{} {}",
        spread(&gaps[..50]),
        spread(&gaps[550..])
    );
    let audits: Vec<f64> = turns.iter().filter_map(|turn| turn.barge_in.as_ref()?.silent_ms).collect();
    assert!(audits.len() == 60 && audits.iter().all(|ms| *ms < 150.0), "{audits:?}");
    // After each turn all queues are as they were after the tenth.
    assert!(kept[20..].iter().all(|held| *held <= kept[..20].iter().copied().max().unwrap()), "{kept:?}");
    assert!(world.summary().stats.inbound.lost == 0);
}
