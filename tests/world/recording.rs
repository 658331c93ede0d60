//! Whole calls: pausing the recording, the consent tone.

use super::{QUIET, TALKER, assert_tone, toned};
use crate::world::{FakeAgent, Faults, Happening, Setup, Sound, World, at_ms, burst, level, ms, script};
use std::time::Duration;
use voxgw::{
    agent::{event::Event as AgentEvent, local::echo::Echo},
    call::{
        BargeIn,
        journal::{Body, RecordingState},
        pipeline::recording::Tone,
    },
    media::dsp::tone::share_at,
    unit::SampleRate,
};

/// A channel between two times of the call; the recording begins with the answer.
fn channel(world: &World, side: usize, from_ms: usize, until_ms: usize) -> Vec<i16> {
    world.sound.iter().copied().skip(side).step_by(2).skip(from_ms * 8).take((until_ms - from_ms) * 8).collect()
}

fn changes(world: &World) -> Vec<(f64, RecordingState)> {
    let records = world.records.iter();
    records
        .filter_map(
            |record| if let Body::Recording(change) = &record.body { Some((record.t, change.state)) } else { None },
        )
        .collect()
}

#[test]
fn while_it_is_paused_silence_lies_in_the_place_of_both_voices_and_words_and_digits_are_not_kept() {
    // Longer than a minute: the recorder must not take what follows for nonsense.
    let mut says = burst(300, 1_400.0, 50_000);
    says.extend(burst(50_000, 1_400.0, 50_000));
    says.push((Duration::from_secs(20), AgentEvent::CallerText("my number is 4711".to_owned())));
    let setup = Setup { record: true, barge_in: BargeIn::Off, ..Setup::remote(FakeAgent::ready(says)) };
    let mut world = World::new(setup);
    world.say(500, 95_000, Sound::Tone(450.0));
    world.at(10_000, Happening::PauseRecording(true));
    world.at(12_000, Happening::PhonePresses("4711".to_owned()));
    world.at(80_000, Happening::PauseRecording(false));
    world.caller_hangs_up(90_000);
    world.run_to_end(95_000);

    for (side, hz, other) in [(0, 450.0, 1_400.0), (1, 1_400.0, 450.0)] {
        let rate = SampleRate::HZ_8000;
        assert_tone("before", &channel(&world, side, 2_000, 9_500), rate, hz, other);
        let paused = channel(&world, side, 10_200, 79_500);
        assert!(paused.iter().all(|sample| *sample == 0), "side {side} is heard while it is paused");
        assert_tone("afterwards", &channel(&world, side, 80_300, 89_000), rate, hz, other);
    }
    let length_ms = world.sound.len() / 16;
    assert!((89_000..=90_100).contains(&length_ms), "silence keeps the time: {length_ms} ms");
    assert_eq!(changes(&world), [(10.0, RecordingState::Paused), (80.0, RecordingState::On)]);
    assert!(!world.lines().contains("4711") && world.summary().dtmf.is_empty(), "digits and words are in the journal");
    // The call itself went on.
    assert!(world.phone.heard.iter().filter(|piece| piece.has_tone(1_400.0)).count() > 4_000);
}

#[test]
fn pausing_twice_says_so_once() {
    let mut world = World::new(Setup { record: true, ..Setup::local(script(QUIET)) });
    for ms in [1_000, 1_500] {
        world.at(ms, Happening::PauseRecording(true));
    }
    world.at(2_000, Happening::PauseRecording(false));
    world.caller_hangs_up(3_000);
    world.run_to_end(4_000);
    assert_eq!(changes(&world).len(), 2);
}

#[test]
fn the_tone_is_heard_by_whom_it_is_for_at_the_beginning_and_then_on_time() {
    for (to_far_end, to_agent) in [(true, true), (true, false), (false, true)] {
        let tone = Tone { every: Duration::from_secs(5), to_far_end, to_agent };
        let setup = Setup { record: true, tone, ..Setup::remote(FakeAgent::ready(Vec::new())) };
        let mut world = World::new(setup);
        world.caller_hangs_up(13_000);
        world.run_to_end(14_000);

        let tones: Vec<f64> =
            changes(&world).iter().filter(|(_, state)| *state == RecordingState::Tone).map(|(t, _)| *t).collect();
        assert_eq!(tones.len(), 3, "{tones:?}");
        assert!(tones[0] < 0.3 && (4.9..5.2).contains(&(tones[1] - tones[0])), "{tones:?}");
        let beeps = world.sent.iter().filter(|piece| level(&piece.samples) > 300.0).count();
        assert_eq!(beeps, if to_far_end { 30 } else { 0 }, "ten packets each");
        let heard: Vec<i16> = world.agent.heard.iter().flat_map(|(_, samples)| samples.iter().copied()).collect();
        let loud = heard.iter().filter(|sample| sample.abs() > 500).count() > 1_000;
        assert_eq!(loud, to_agent);
        // The caller's channel holds what the caller said, the agent's what the caller heard.
        assert!(channel(&world, 0, 0, 12_000).iter().all(|sample| sample.abs() < 50));
        let right = channel(&world, 1, 0, 600);
        assert_eq!(share_at(1_400.0, SampleRate::HZ_8000, &right) > 0.2, to_far_end);
    }
}

#[test]
fn the_tone_lies_over_the_voice_and_does_not_replace_it() {
    let tone = Tone { every: Duration::from_secs(2), to_far_end: true, to_agent: true };
    let mut world = World::new(Setup { record: true, tone, ..Setup::local(script(TALKER)) });
    world.caller_hangs_up(9_000);
    world.run_to_end(10_000);
    // TALKER speaks at 1000 Hz, eight times as loud.
    let voiced = toned(&world.phone.heard, 1_000.0).len();
    assert!(voiced > 400, "{voiced} packets of the voice");
}

#[test]
fn without_a_recording_or_while_it_is_paused_there_is_no_tone() {
    let tone = Tone { every: Duration::from_secs(1), to_far_end: true, to_agent: true };
    let mut world = World::new(Setup { record: false, tone, ..Setup::local(Echo::new(false)) });
    world.caller_hangs_up(5_000);
    world.run_to_end(6_000);
    assert_eq!(changes(&world), []);
    let mut world = World::new(Setup { record: true, tone, ..Setup::local(script(QUIET)) });
    world.at(500, Happening::PauseRecording(true));
    world.caller_hangs_up(5_000);
    world.run_to_end(6_000);
    let tones = changes(&world).iter().filter(|(_, state)| *state == RecordingState::Tone).count();
    assert_eq!(tones, 1, "only the first, before the pause");
}

/// How far a tone in a channel is behind where it should begin, for each of its beginnings.
fn lags_ms(channel: &[i16], begins_ms: &[f64]) -> Vec<f64> {
    let onset = |from: usize| channel[from..].iter().position(|sample| sample.abs() > 2_000).map(|n| from + n);
    let lag = |ms: &f64| onset((*ms - 60.0) as usize * 8).map(|at| at as f64 / 8.0 - ms);
    begins_ms.iter().filter_map(lag).collect()
}

#[test]
fn both_channels_stay_aligned_through_an_hour_with_loss_jitter_and_a_wrong_clock() {
    for (skew_ppm, minutes) in [(-100, 10_u64), (100, 60)] {
        // The agent speaks every 20 s and the caller 10 s later.
        let mut says = Vec::new();
        for n in 0..3 * minutes {
            says.extend(burst(n * 20_000, 1_400.0, 300));
            says.push((Duration::from_millis(n * 20_000 + 100), AgentEvent::TurnComplete));
        }
        let uplink = Faults { loss_percent: 5, jitter: Duration::from_millis(20), ..Faults::default() };
        let setup =
            Setup { record: true, barge_in: BargeIn::Off, uplink, skew_ppm, ..Setup::remote(FakeAgent::ready(says)) };
        let mut world = World::new(setup);
        for n in 0..3 * minutes {
            world.say(10_000 + n * 20_000, 300, Sound::Tone(450.0));
        }
        world.caller_hangs_up(minutes * 60_000);
        world.run_to_end(minutes * 60_000 + 1_000);

        let whole = |side: usize| channel(&world, side, 0, minutes as usize * 60_000);
        // Of the caller's beginnings those whose first packet arrived, and the one before it: after a lost one the voice
        // is faded in.
        let left: Vec<f64> = (0..3 * minutes)
            .filter_map(|n| {
                let from = at_ms(10_000 + n * 20_000);
                let next = world.delivered.partition_point(|at| *at < from);
                let (before, sent) = (world.delivered[next - 1], world.delivered[next]);
                (sent.signed_ms_since(before) < 21.0).then(|| ms(sent))
            })
            .collect();
        let mut right: Vec<f64> = Vec::new();
        for piece in world.sent.iter().filter(|piece| piece.has_tone(1_400.0)) {
            if right.last().is_none_or(|last| ms(piece.at) - last > 1_000.0) {
                right.push(ms(piece.at));
            }
        }
        assert!(left.len() > 20 && right.len() > 20);
        let spread = |lags: &[f64]| {
            let (least, most) = lags.iter().fold((f64::MAX, f64::MIN), |(l, m), lag| (l.min(*lag), m.max(*lag)));
            most - least
        };
        // The far end's path takes its time, the same at the end as at the beginning.
        let (left, right) = (lags_ms(&whole(0), &left), lags_ms(&whole(1), &right));
        assert!(spread(&right[1..]) < 0.2, "{skew_ppm} ppm: {right:?}");
        // The first half minute is what it takes to know the clock.
        eprintln!("{skew_ppm} ppm: left {:.2} ms, right {:.2} ms", spread(&left[2..]), spread(&right[1..]));
        assert!(spread(&left[2..]) < 1.0, "{skew_ppm} ppm: {left:?}");
    }
}
