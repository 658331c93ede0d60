//! Agents that send faster than real time, far ahead of the caller.

use crate::world::{FakeAgent, Setup, Sound, World, burst};
use voxgw::call::{BargeIn, journal::Body};

fn notes(world: &World) -> Vec<&str> {
    let records = world.records.iter();
    records
        .filter_map(|record| if let Body::Note(note) = &record.body { Some(note.text.as_str()) } else { None })
        .collect()
}

fn most_queued_ms(world: &World) -> u32 {
    let queued = |record: &voxgw::call::journal::Record| {
        if let Body::Stats(stats) = &record.body { Some(stats.outbound.queue_ms) } else { None }
    };
    world.records.iter().filter_map(queued).max().unwrap_or(0)
}

#[test]
fn an_agent_ten_times_faster_than_the_caller_hears_is_held_back_and_every_second_of_it_is_heard() {
    let agent = FakeAgent::ready(burst(300, 1_400.0, 200_000));
    let mut world = World::new(Setup { barge_in: BargeIn::Off, ..Setup::remote(agent) });
    world.caller_hangs_up(205_000);
    world.run_to_end(206_000);
    let heard = world.phone.heard.iter().filter(|piece| piece.has_tone(1_400.0)).count();
    assert!(heard >= 9_995, "{heard} of 10,000 packets");
    assert_eq!(notes(&world), [""; 0]);
    let queued_ms = most_queued_ms(&world);
    assert!((59_000..=60_200).contains(&queued_ms), "{queued_ms} ms wait at most");
}

#[test]
fn while_the_caller_speaks_it_is_read_all_the_same_up_to_a_limit_that_is_told() {
    let agent = FakeAgent::ready(burst(300, 1_400.0, 400_000));
    let mut world = World::new(Setup { barge_in: BargeIn::Off, ..Setup::remote(agent) });
    world.say(1_000, 60_000, Sound::Tone(450.0));
    world.caller_hangs_up(70_000);
    world.run_to_end(71_000);
    assert!((299_000..=300_000).contains(&most_queued_ms(&world)), "{} ms", most_queued_ms(&world));
    assert!(notes(&world).iter().any(|note| note.contains("five minutes ahead")), "{:?}", notes(&world));
}
