//! Whole calls in virtual time: a phone, a network with faults, the gateway's real pipeline, an agent.
//!
//! `VOXGW_WORLD=SEED cargo test --test world random` runs one of the random worlds again.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

#[path = "world/acting.rs"]
mod acting;
#[path = "world/ahead.rs"]
mod ahead;
#[path = "world/conference.rs"]
mod conference;
#[path = "world/dtmf.rs"]
mod dtmf;
#[path = "world/floor.rs"]
mod floor;
#[path = "world/ivr.rs"]
mod ivr;
#[path = "world/recording.rs"]
mod recording;
#[path = "world/srtp.rs"]
mod srtp;
#[path = "world/tools.rs"]
mod tools;
#[path = "support/world.rs"]
mod world;

#[path = "support/world_dialogs.rs"]
mod dialogs;

use std::time::Duration;
use voxgw::{
    agent::{
        event::Event as AgentEvent,
        local::{echo::Echo, scripted},
    },
    call::{
        BargeIn,
        journal::{Body, CallState, Verdict},
    },
    clock::Instant,
    media::dsp::tone::share_at,
    unit::SampleRate,
};
use world::{
    APOLOGY_HZ, FakeAgent, Faults, Happening, PHONE, Piece, Random, Setup, Sound, Told, World, burst, level, ms,
    script, tone,
};

const QUIET: &str = "name = \"quiet\"";
const TALKER: &str = "name = \"talker\"\n[greeting]\nsay = \"tone:1000:20000\"\n";

fn after(after_ms: u64, event: AgentEvent) -> (Duration, AgentEvent) {
    (Duration::from_millis(after_ms), event)
}

fn toned(pieces: &[Piece], frequency_hz: f64) -> Vec<usize> {
    (0..pieces.len()).filter(|n| pieces[*n].has_tone(frequency_hz)).collect()
}

fn assert_tone(what: &str, samples: &[i16], rate: SampleRate, present_hz: f64, absent_hz: f64) {
    let (present, absent) = (share_at(present_hz, rate, samples), share_at(absent_hz, rate, samples));
    assert!(present > 0.9 && absent < 0.02, "{what}: {present:.3} at {present_hz} Hz, {absent:.3} at {absent_hz} Hz");
}

// A clean network

#[test]
fn echo_live_gives_the_callers_tone_back_soon_and_whole() {
    let mut world = World::new(Setup { barge_in: BargeIn::Off, ..Setup::local(Echo::new(true)) });
    world.say(1_000, 2_000, Sound::Tone(450.0));
    world.caller_hangs_up(4_000);
    world.run_to_end(5_000);

    let heard = &world.phone.heard;
    let echoed = toned(heard, 450.0);
    assert_eq!(echoed.len(), 100, "two seconds of tone");
    let (first, last) = (echoed[0], echoed[99]);
    assert_eq!(last - first, 99, "no packet without tone among them");
    assert!(heard[first..=last].windows(2).all(|two| two[1].sequence == two[0].sequence.wrapping_add(1)));
    let delay_ms = ms(heard[first].at) - 1_000.0;
    assert!((0.0..150.0).contains(&delay_ms), "{delay_ms} ms");
    let summary = world.summary();
    assert_eq!((summary.sip, summary.media, summary.agent), (Verdict::Pass, Verdict::Pass, Verdict::Pass));
    assert_eq!(summary.lints, [""; 0]);
    assert_eq!(summary.ended_by, "caller");
}

#[test]
fn each_side_hears_the_others_tone_and_not_its_own() {
    let mut says = burst(300, 1_400.0, 3_000);
    says.push(after(700, AgentEvent::TurnComplete));
    let setup = Setup::remote(FakeAgent::ready(says));
    let mut world = World::new(Setup { agent_rate: Some(SampleRate::HZ_16000), law: 8, record: true, ..setup });
    world.say(500, 3_500, Sound::Tone(450.0));
    world.caller_hangs_up(5_000);
    world.run_to_end(6_000);

    let caller_heard: Vec<i16> = world
        .phone
        .heard
        .iter()
        .filter(|piece| (1_000.0..3_000.0).contains(&ms(piece.at)))
        .flat_map(|piece| piece.samples.iter().copied())
        .collect();
    assert_tone("the caller hears", &caller_heard, SampleRate::HZ_8000, 1_400.0, 450.0);
    let agent_heard = world.agent.heard_between(1_000, 3_000);
    assert_tone("the agent hears", &agent_heard, SampleRate::HZ_16000, 450.0, 1_400.0);
    let recorded = &world.sound[2 * 8_000..2 * 24_000];
    let left: Vec<i16> = recorded.iter().copied().step_by(2).collect();
    let right: Vec<i16> = recorded.iter().copied().skip(1).step_by(2).collect();
    assert_tone("left is the caller", &left, SampleRate::HZ_8000, 450.0, 1_400.0);
    assert_tone("right is the agent", &right, SampleRate::HZ_8000, 1_400.0, 450.0);
}

#[test]
fn echo_answers_when_the_caller_stops_and_the_parts_sum_to_the_gap() {
    let mut world = World::new(Setup::local(Echo::new(false)));
    world.say(1_000, 1_200, Sound::Tone(600.0));
    world.caller_hangs_up(6_000);
    world.run_to_end(7_000);

    let turns = world.turns();
    assert_eq!(turns.len(), 1);
    let gap_ms = turns[0].gap_ms.expect("the caller spoke before");
    assert!((500.0..=540.0).contains(&gap_ms), "echo waits half a second: {gap_ms} ms");
    let sum_ms: f64 = turns[0].parts.iter().map(|part| part.ms).sum();
    assert!((sum_ms - gap_ms).abs() < 0.01, "{gap_ms} ms is not the sum of {:?}", turns[0].parts);
    assert!(!turns[0].cut);
    assert_eq!(turns[0].heard_ms, turns[0].generated_ms);
    let echoed = toned(&world.phone.heard, 600.0).len();
    assert!((58..=60).contains(&echoed), "all that was said comes back: {echoed} packets");
}

// A bad network

const SPOILT: Faults = Faults {
    loss_percent: 5,
    reorder_percent: 3,
    duplicate_percent: 1,
    jitter: Duration::from_millis(30),
    delay: Duration::from_millis(40),
};

#[test]
fn loss_jitter_and_reordering_leave_the_agents_audio_continuous_and_are_counted_exactly() {
    for seed in 1..=3 {
        let setup = Setup::remote(FakeAgent::ready(Vec::new()));
        let mut world = World::new(Setup { seed, uplink: SPOILT, downlink: SPOILT, ..setup });
        world.say(1_000, 27_000, Sound::Speech);
        // What is under way when the call ends cannot be counted: the phone falls silent before.
        world.at(30_000, Happening::PhoneSends(false));
        world.caller_hangs_up(30_500);
        world.run_to_end(31_000);

        let heard_ms = world.agent.heard_between(1_000, 30_000).len() as f64 / 8.0;
        assert!((28_420.0..=29_580.0).contains(&heard_ms), "seed {seed}: {heard_ms} of 29000 ms");
        let (counted, delivery) = (&world.summary().stats.inbound, world.uplink.delivery());
        assert!(delivery.lost > 30 && delivery.duplicate > 5, "seed {seed}: {delivery:?}");
        assert_eq!(
            (counted.expected, counted.packets, counted.lost, counted.duplicate),
            (delivery.expected, delivery.packets, delivery.lost, delivery.duplicate),
            "seed {seed}: the journal against the network"
        );
        assert_eq!(counted.refused, 0, "seed {seed}");
    }
}

#[test]
fn a_hundred_digits_under_loss_are_each_heard_once() {
    for seed in 1..=3 {
        let uplink = Faults { loss_percent: 10, ..Faults::default() };
        let mut world = World::new(Setup { seed, uplink, ..Setup::local(script(QUIET)) });
        let mut random = Random::new(seed);
        let keys: String = (0..100).map(|_| char::from(random.pick(b"0123456789*#ABCD"))).collect();
        world.at(1_000, Happening::PhonePresses(keys.clone()));
        world.caller_hangs_up(25_000);
        world.run_to_end(26_000);

        assert_eq!(world.summary().dtmf, keys, "seed {seed}");
        let records = world.records.iter().filter(|record| matches!(record.body, Body::Dtmf(_))).count();
        assert_eq!(records, 100, "seed {seed}");
    }
}

#[test]
fn when_rtp_stops_the_agent_hears_silence_until_the_call_is_given_up() {
    let setup = Setup::remote(FakeAgent::ready(Vec::new()));
    let mut world = World::new(Setup { media_timeout: Duration::from_secs(5), ..setup });
    world.say(1_000, 3_000, Sound::Speech);
    world.at(4_000, Happening::PhoneSends(false));
    world.run_to_end(20_000);

    let silence = world.agent.heard_between(4_500, 8_500);
    assert!((31_000..=33_000).contains(&silence.len()), "{} of 32000 samples", silence.len());
    assert!(level(&silence) < 1.0);
    let (hung_up_ms, _) = world.hung_up().expect("the call was never given up");
    assert!((8_900.0..=10_100.0).contains(&hung_up_ms), "{hung_up_ms} ms");
    let summary = world.summary();
    assert_eq!((summary.ended_by.as_str(), summary.reason.as_str()), ("network", "nothing was received for 5 s"));
}

// Interruptions

#[test]
fn when_the_caller_barges_in_the_agent_is_silent_within_one_packet() {
    let mut world = World::new(Setup::local(script(TALKER)));
    world.say(3_000, 1_500, Sound::Speech);
    world.caller_hangs_up(8_000);
    world.run_to_end(9_000);

    let decided_ms = world.caller_began_ms()[0];
    assert!((3_000.0..3_200.0).contains(&decided_ms), "{decided_ms} ms");
    assert!(world.last_voice_ms() <= decided_ms + 20.0, "voice at {} ms", world.last_voice_ms());
    assert!(world.sent_between(decided_ms + 40.0, 8_000.0).all(Piece::is_silent), "not even the fade");
    let turns = world.turns();
    assert_eq!(turns.len(), 1);
    assert!(turns[0].cut);
    assert_eq!(turns[0].generated_ms, 20_000);
    let voiced = world.sent.iter().filter(|piece| piece.is_voiced()).count();
    let sent_ms = 20 * u32::try_from(voiced).unwrap();
    assert!(turns[0].heard_ms.abs_diff(sent_ms) <= 20, "{} ms heard, {sent_ms} ms sent", turns[0].heard_ms);
}

#[test]
fn when_the_provider_says_interrupted_its_late_audio_is_refused_until_the_turn_is_complete() {
    let mut says = burst(200, 700.0, 5_000);
    says.push(after(1_700, AgentEvent::Interrupted));
    says.extend(burst(1_750, 700.0, 400));
    says.extend(burst(1_900, 700.0, 400));
    says.push(after(2_000, AgentEvent::TurnComplete));
    says.extend(burst(2_200, 1_150.0, 1_000));
    says.push(after(2_400, AgentEvent::TurnComplete));
    let mut world = World::new(Setup::remote(FakeAgent::ready(says)));
    world.caller_hangs_up(6_000);
    world.run_to_end(7_000);

    let started_ms = world.agent.started_at();
    let interrupted_ms = started_ms + 1_700.0;
    let first_turn = world.sent.iter().rfind(|piece| piece.has_tone(700.0)).expect("the first turn was heard");
    assert!(ms(first_turn.at) <= interrupted_ms + 20.0, "voice at {} ms", ms(first_turn.at));
    let mut between = world.sent_between(interrupted_ms + 40.0, started_ms + 2_200.0);
    assert!(between.all(Piece::is_silent), "late audio was played");
    assert!((49..=51).contains(&toned(&world.sent, 1_150.0).len()), "the next turn is heard");
    let turns = world.turns();
    let cuts: Vec<bool> = turns.iter().map(|turn| turn.cut).collect();
    assert_eq!(cuts, [true, false]);
    assert_eq!((turns[0].generated_ms, turns[1].generated_ms), (5_000, 1_000));
    assert!((1_400..=1_520).contains(&turns[0].heard_ms), "{} ms", turns[0].heard_ms);
}

#[test]
fn a_turn_that_is_cut_before_its_first_packet_was_not_heard() {
    let mut says = burst(100, 700.0, 500);
    says.push(after(200, AgentEvent::TurnComplete));
    says.extend(burst(2_000, 1_150.0, 100));
    says.push(after(2_000, AgentEvent::Interrupted));
    let mut world = World::new(Setup::remote(FakeAgent::ready(says)));
    world.caller_hangs_up(4_000);
    world.run_to_end(5_000);

    let turns = world.turns();
    assert_eq!(turns.len(), 2);
    assert_eq!((turns[1].cut, turns[1].generated_ms, turns[1].heard_ms), (true, 100, 0));
}

#[test]
fn a_stream_without_ends_of_turns_has_turns_and_its_marks_are_reached_when_they_are_heard() {
    let mut says = burst(100, 700.0, 1_000);
    says.push(after(200, AgentEvent::Mark(1)));
    says.push(after(200, AgentEvent::Mark(2)));
    says.extend(burst(3_000, 1_150.0, 5_000));
    says.push(after(3_600, AgentEvent::Mark(3)));
    // A clear: what waits is thrown away, what follows is new.
    says.extend([after(4_000, AgentEvent::Interrupted), after(4_000, AgentEvent::TurnComplete)]);
    says.extend(burst(4_100, 900.0, 500));
    says.push(after(4_200, AgentEvent::Mark(4)));
    let mut world = World::new(Setup { ends_turns: false, ..Setup::remote(FakeAgent::ready(says)) });
    world.caller_hangs_up(7_000);
    world.run_to_end(8_000);

    let started_ms = world.agent.started_at();
    let marked = |told: &(Instant, Told)| match told.1 {
        Told::Marked(mark) => Some((mark, ms(told.0) - started_ms)),
        _ => None,
    };
    let marks: Vec<(u32, f64)> = world.agent.told.iter().filter_map(marked).collect();
    assert_eq!(marks.iter().map(|(mark, _)| *mark).collect::<Vec<_>>(), [2, 3, 4], "the newest of those reached");
    for ((_, at_ms), expected_ms) in marks.iter().zip([1_100.0, 4_000.0, 4_600.0]) {
        assert!((at_ms - expected_ms).abs() <= 45.0, "{at_ms} ms instead of {expected_ms} ms");
    }
    let turns = world.turns();
    let ends: Vec<(bool, u32)> = turns.iter().map(|turn| (turn.cut, turn.generated_ms)).collect();
    assert_eq!(ends, [(false, 1_000), (true, 5_000), (false, 500)]);
    assert!((900..=1_020).contains(&turns[1].heard_ms), "{} ms", turns[1].heard_ms);
    assert_eq!(toned(&world.sent, 900.0).len(), 25, "what follows a clear is heard whole");
}

// Endings

#[test]
fn an_agent_that_cannot_be_reached_leads_to_an_apology_and_503() {
    let failed = after(200, AgentEvent::Failed("connection refused".to_owned()));
    let agent = FakeAgent { on_connect: vec![failed], ..FakeAgent::default() };
    let mut world = World::new(Setup::remote(agent));
    world.run_to_end(10_000);

    let apology = toned(&world.phone.heard, APOLOGY_HZ).len();
    assert!((49..=50).contains(&apology), "one second of it: {apology} packets");
    let (hung_up_ms, reason) = world.hung_up().expect("the call was never ended");
    assert!(reason.contains("cause=503"), "{reason}");
    assert!(hung_up_ms >= world.last_voice_ms());
    let summary = world.summary();
    assert_eq!((summary.agent, summary.sip), (Verdict::Fail, Verdict::Pass));
    assert_eq!(summary.ended_by, "agent");
}

#[test]
fn hanging_up_waits_for_the_agents_last_word() {
    let mut says = burst(100, 1_150.0, 3_000);
    says.push(after(450, AgentEvent::TurnComplete));
    says.push(after(450, AgentEvent::HangUp("said all".to_owned())));
    let mut world = World::new(Setup::remote(FakeAgent::ready(says)));
    world.run_to_end(10_000);

    let (hung_up_ms, _) = world.hung_up().expect("the call was never ended");
    assert_eq!(toned(&world.sent, 1_150.0).len(), 150, "three seconds");
    assert!(world.last_voice_ms() <= hung_up_ms, "{} ms against {hung_up_ms} ms", world.last_voice_ms());
    let turns = world.turns();
    assert_eq!((turns[0].heard_ms, turns[0].generated_ms), (3_000, 3_000));
    assert!(world.agent.told.iter().any(|(_, told)| *told == Told::Played));
    assert_eq!((world.summary().ended_by.as_str(), world.summary().reason.as_str()), ("agent", "said all"));
}

// Hold

fn states(world: &World) -> Vec<CallState> {
    let bodies = world.records.iter().map(|record| &record.body);
    bodies.filter_map(|body| if let Body::State(change) = body { Some(change.state) } else { None }).collect()
}

#[test]
fn on_hold_nothing_is_sent_and_afterwards_the_agent_goes_on() {
    let mut world = World::new(Setup::local(script(TALKER)));
    world.at(2_000, Happening::Reinvite("sendonly"));
    world.at(6_000, Happening::Reinvite("sendrecv"));
    world.caller_hangs_up(9_000);
    world.run_to_end(10_000);

    let answers = world.reinvite_answers();
    assert!(answers[0].contains("a=recvonly\r\n"), "{}", answers[0]);
    assert!(answers[1].contains("a=sendrecv\r\n"), "{}", answers[1]);
    assert_eq!(world.sent_between(2_000.1, 6_000.0).count(), 0);
    let voiced = world.sent_between(6_000.0, 7_000.0).filter(|piece| piece.is_voiced()).count();
    assert!(voiced >= 48, "{voiced} of 50 packets");
    let states = states(&world);
    assert!(states.ends_with(&[CallState::Held, CallState::Up, CallState::Ended]), "{states:?}");
}

#[test]
fn a_hold_in_silence_is_no_lost_medium() {
    // Most phones that hold with sendonly send no music.
    for flow in ["sendonly", "inactive"] {
        let setup = Setup::local(script(TALKER));
        let mut world = World::new(Setup { media_timeout: Duration::from_secs(5), ..setup });
        world.at(2_000, Happening::Reinvite(flow));
        world.at(2_000, Happening::PhoneSends(false));
        world.caller_hangs_up(12_000);
        world.run_to_end(13_000);
        assert_eq!(world.summary().ended_by, "caller", "{flow}: {}", world.summary().reason);
    }
}

#[test]
fn after_a_hold_the_medium_has_its_full_time_to_come_back() {
    let setup = Setup::local(script(TALKER));
    let mut world = World::new(Setup { media_timeout: Duration::from_secs(5), ..setup });
    world.at(2_000, Happening::Reinvite("inactive"));
    world.at(2_000, Happening::PhoneSends(false));
    world.at(10_000, Happening::Reinvite("sendrecv"));
    world.at(12_500, Happening::PhoneSends(true));
    world.caller_hangs_up(15_000);
    world.run_to_end(16_000);
    assert_eq!(world.summary().ended_by, "caller", "{}", world.summary().reason);
}

// Any world

fn troubled(seed: u64) -> String {
    let mut world = World::new(Setup { seed, uplink: SPOILT, downlink: SPOILT, ..Setup::local(Echo::new(false)) });
    world.say(1_000, 1_500, Sound::Speech);
    world.say(5_000, 2_000, Sound::Speech);
    world.at(7_500, Happening::PhonePresses("42#".to_owned()));
    world.caller_hangs_up(11_000);
    world.run_to_end(12_000);
    world.lines()
}

#[test]
fn a_seed_gives_the_same_journal_byte_for_byte() {
    assert!(troubled(7) == troubled(7), "the same world gave two journals");
    assert!(troubled(7) != troubled(8), "the network's faults left no trace");
}

const WORLDS: u64 = 300;

#[test]
fn random_worlds_end_with_one_summary_whatever_happens() {
    let chosen = std::env::var("VOXGW_WORLD").ok().and_then(|seed| seed.parse().ok());
    let seeds = chosen.map_or(0..WORLDS, |seed: u64| seed..seed + 1);
    for seed in seeds {
        let _said_on_failure = SaySeed(seed);
        let mut world = random_world(seed);
        world.run_to_end(10_000);
        check_journal(&world);
    }
}

/// Names the seed when its world fails.
struct SaySeed(u64);

impl Drop for SaySeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was VOXGW_WORLD={}", self.0);
        }
    }
}

fn check_journal(world: &World) {
    let bodies: Vec<&Body> = world.records.iter().map(|record| &record.body).collect();
    assert!(matches!(bodies.first(), Some(Body::Session(_))));
    assert!(matches!(bodies.last(), Some(Body::Summary(_))), "the last record is {:?}", bodies.last());
    assert_eq!(bodies.iter().filter(|body| matches!(body, Body::Summary(_))).count(), 1);
    assert!(world.records.is_sorted_by(|one, next| one.t <= next.t), "the journal goes back in time");
    for body in bodies {
        match body {
            Body::Stats(stats) => assert!(stats.outbound.queue_ms <= 300_020, "{} ms wait", stats.outbound.queue_ms),
            // The resampler may carry the end of one turn into the next: less than a millisecond.
            Body::Turn(turn) => assert!(turn.heard_ms <= turn.generated_ms + 1, "more heard than made: {turn:?}"),
            _ => {}
        }
    }
}

fn random_world(seed: u64) -> World {
    let mut random = Random::new(seed);
    let mut world = World::new(random_setup(&mut random));
    for _ in 0..random.below(4) {
        let sound = random.pick(&[Sound::Speech, Sound::Tone(300.0)]);
        world.say(random.below(6_000), 100 + random.below(2_500), sound);
    }
    for _ in 0..random.below(8) {
        let happening = random_happening(&mut random);
        world.at(random.below(7_000), happening);
    }
    if random.chance(60) {
        world.caller_hangs_up(200 + random.below(7_000));
    }
    // Whatever else happened, the signalling gives up in the end.
    world.at(8_000, Happening::SipEnds { by: "network", status: None });
    world
}

fn random_setup(random: &mut Random) -> Setup {
    let seat = match random.below(6) {
        0 => Setup::local(Echo::new(true)),
        1 => Setup::local(Echo::new(false)),
        2 => Setup::local(random_script(random)),
        _ => Setup::remote(random_agent(random)),
    };
    Setup {
        seed: random.draw(),
        gateway_seed: random.draw(),
        uplink: random_faults(random),
        downlink: random_faults(random),
        barge_in: random.pick(&[BargeIn::Provider, BargeIn::Local, BargeIn::Off]),
        agent_rate: random.pick(&[None, None, None, Some(SampleRate::HZ_16000)]),
        media_timeout: Duration::from_secs(random.pick(&[0, 2, 30])),
        law: random.pick(&[0, 8]),
        record: random.chance(20),
        offers: random.chance(90),
        acknowledges: random.chance(95),
        ..seat
    }
}

fn random_faults(random: &mut Random) -> Faults {
    Faults {
        loss_percent: random.pick(&[0, 0, 1, 5, 20, 60, 100]),
        reorder_percent: random.pick(&[0, 0, 2, 30]),
        duplicate_percent: random.pick(&[0, 0, 2, 50]),
        jitter: Duration::from_millis(random.pick(&[0, 0, 10, 30, 200])),
        delay: Duration::from_millis(random.pick(&[0, 1, 23, 150])),
    }
}

fn random_script(random: &mut Random) -> scripted::Scripted {
    let chatty = format!(
        "name = \"chatty\"\nend_of_speech = \"{}ms\"\n[greeting]\nsay = \"tone:1000:{}\"\ntext = \"Hello you.\"\n\
         [[reply]]\nsay = \"tone:800:{}\"\nsend_digits = \"1\"\n[[digit]]\npress = \"?\"\nsay = \"tone:600:300\"\n\
         [silence]\nafter = \"1s\"\nsay = \"tone:500:200\"\ntimes = 2\n[interrupted]\nsay = \"tone:400:500\"\n\
         [goodbye]\nsay = \"tone:300:500\"\n",
        random.below(900),
        random.below(4_000),
        random.below(2_000),
    );
    script(&chatty)
}

/// A provider that may stall, flood, fail, or say anything in any order.
fn random_agent(random: &mut Random) -> FakeAgent {
    let mut agent = FakeAgent::default();
    let patience = Duration::from_secs(4);
    match random.below(10) {
        0 => {}
        1 => agent.on_connect.push((random.span(patience), AgentEvent::Failed("refused".to_owned()))),
        _ => agent.on_connect.push((random.span(patience / 8), AgentEvent::Ready)),
    }
    for _ in 0..random.below(14) {
        let event = random_agent_event(random);
        agent.on_start.push((random.span(patience), event));
    }
    if random.chance(12) {
        let flood = tone(900.0, SampleRate::HZ_8000, Duration::from_secs(90));
        agent.on_start.push((random.span(patience), AgentEvent::Audio { rate: SampleRate::HZ_8000, samples: flood }));
    }
    agent
}

fn random_agent_event(random: &mut Random) -> AgentEvent {
    match random.below(20) {
        0 | 1 => AgentEvent::TurnComplete,
        2 => AgentEvent::Interrupted,
        3 => AgentEvent::EndOfSpeech,
        4 => AgentEvent::CallerText("what the caller said ".to_owned()),
        5 => AgentEvent::AgentText("words of the agent ".to_owned()),
        6 => AgentEvent::Digits("12#x".to_owned()),
        7 => AgentEvent::HangUp("enough".to_owned()),
        8 => AgentEvent::GoingAway("soon".to_owned()),
        9 => AgentEvent::Note("a note".to_owned()),
        10 => AgentEvent::Failed("broke".to_owned()),
        11 => AgentEvent::Closed("bye".to_owned()),
        12 => AgentEvent::Ready,
        13 => acting::any(random),
        _ => {
            let rates = [0, 8_000, 11_025, 16_000, 24_000, 48_000];
            let span = random.span(Duration::from_millis(1_500));
            let rate = SampleRate(random.pick(&rates));
            AgentEvent::Audio { rate, samples: tone(900.0, SampleRate::HZ_8000, span) }
        }
    }
}

fn random_happening(random: &mut Random) -> Happening {
    match random.below(8) {
        0 | 1 => Happening::PhoneSends(random.chance(60)),
        2 => Happening::Reinvite(random.pick(&["sendrecv", "sendonly", "recvonly", "inactive", "nonsense"])),
        3 => Happening::PhonePresses("1*D".to_owned()),
        4 => Happening::OperatorHangsUp,
        5 => Happening::SipEnds { by: "caller", status: Some(487) },
        6 => Happening::AtGateway(PHONE, random.bytes(200)),
        _ => Happening::AtGateway("198.51.100.9:9".parse().unwrap(), random.bytes(200)),
    }
}
