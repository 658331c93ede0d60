//! A caller leads himself through menus, over a network that loses every tenth packet.

use super::acting::story;
use crate::world::{Faults, Happening, Setup, World, at_ms, ms, script};
use voxgw::{
    agent::event::{Action, Outcome},
    call::{
        BargeIn,
        journal::{ActionState, Body},
    },
};

const BOARD: &str = r#"
name = "board"
[menu.main]
say = "tone:600:1000"
text = "Choose."
no_input = { say = "tone:700:300" }
[[menu.main.digit]]
press = "1"
say = "tone:800:400"
bridge = "alice"
failed = { say = "tone:900:400", goto = "main" }
[[menu.main.digit]]
press = "2"
goto = "number"
[menu.number]
collect = { into = "number", least = 4, most = 11 }
then = { text = "Noted: {{number}}", say = "tone:1000:400", hang_up = true }
"#;

fn heard(world: &World, frequency_hz: f64, from_ms: u64, until_ms: u64) -> usize {
    let during = world.phone.heard.iter().filter(|piece| (at_ms(from_ms)..at_ms(until_ms)).contains(&piece.at));
    during.filter(|piece| piece.has_tone(frequency_hz)).count()
}

#[test]
fn keys_lead_to_a_bridge_that_fails_to_a_number_and_to_the_end() {
    let lossy = Faults { loss_percent: 10, ..Faults::default() };
    let setup = Setup { uplink: lossy, barge_in: BargeIn::Off, record: true, ..Setup::local(script(BOARD)) };
    let mut world = World::new(setup);
    // In the middle of the prompt.
    world.at(600, Happening::PhonePresses("1".to_owned()));
    world.at(1_800, Happening::Acted(1, Outcome::Begun("calling user alice".to_owned())));
    world.at(6_000, Happening::Acted(1, Outcome::Refused("user alice: 486 Busy Here".to_owned())));
    world.at(9_500, Happening::PhonePresses("2".to_owned()));
    world.at(11_000, Happening::PauseRecording(true));
    world.at(11_500, Happening::PhonePresses("03012345#".to_owned()));
    world.run_to_end(25_000);

    assert!(heard(&world, 600.0, 0, 1_000) < 45, "the key cuts the prompt");
    assert!((15..=21).contains(&heard(&world, 800.0, 600, 1_700)), "connecting");
    let bridge = &world.acts[0];
    assert_eq!((bridge.1, &bridge.2), (1, &Action::Bridge { to: "alice".to_owned(), trunk: None }));
    assert!((1_000.0..1_700.0).contains(&ms(bridge.0)), "once the words were heard: {} ms", ms(bridge.0));
    let ringing = heard(&world, 425.0, 1_800, 2_900);
    assert!((45..=51).contains(&ringing), "a second of ring tone: {ringing} packets");
    assert_eq!(heard(&world, 425.0, 3_000, 5_900), 0, "four of silence");
    assert!((17..=21).contains(&heard(&world, 900.0, 6_000, 8_500)), "nobody is there");
    assert!((45..=51).contains(&heard(&world, 600.0, 6_000, 9_400)), "the menu again");
    assert!((15..=21).contains(&heard(&world, 1_000.0, 11_500, 25_000)), "the last word");
    let summary = world.summary();
    assert_eq!((summary.reason.as_str(), summary.ended_by.as_str()), ("the script ended", "agent"));
    assert_eq!(story(&world, 1).last().unwrap().0, ActionState::Refused);
    // The number was typed while nothing was recorded: that something was set is known, not what.
    assert_eq!(story(&world, 2)[0], (ActionState::Asked, "set number".to_owned()));
    let journal = serde_json::to_string(&world.records).unwrap();
    assert!(!journal.contains("03012345"), "{journal}");
    assert_eq!(world.acts.len(), 1, "notes are the call's own");
}

#[test]
fn who_presses_nothing_is_asked_three_times() {
    let mut world = World::new(Setup { barge_in: BargeIn::Off, ..Setup::local(script(BOARD)) });
    world.run_to_end(60_000);
    let states = world.records.iter().filter(|record| matches!(&record.body, Body::Turn(_))).count();
    assert!(states >= 3, "{states} turns");
    assert_eq!(heard(&world, 600.0, 0, 60_000) / 45, 3, "the prompt three times");
    assert_eq!(heard(&world, 700.0, 0, 60_000) / 14, 2, "a reminder twice, then the end");
    let end = ms(world.phone.heard.last().unwrap().at);
    assert!((23_000.0..27_000.0).contains(&end), "three timeouts of 7 s: {end} ms");
}

#[test]
fn the_example_script_is_a_good_one() {
    let text = std::fs::read_to_string("scenarios/switchboard.toml").unwrap();
    let script = voxgw::agent::seat::script(Some(std::path::Path::new("scenarios/switchboard.toml"))).unwrap();
    assert_eq!(script.menus(), (vec!["callback", "main"], Some("main")));
    assert_eq!(script.names().0, ["echo"]);
    assert!(text.contains("ivr = \"scenarios/switchboard.toml\""));
}

#[test]
fn a_call_that_ends_while_it_rings_ends() {
    let mut world = World::new(Setup { barge_in: BargeIn::Off, ..Setup::local(script(BOARD)) });
    world.at(600, Happening::PhonePresses("1".to_owned()));
    world.at(1_800, Happening::Acted(1, Outcome::Begun("calling user alice".to_owned())));
    world.at(3_000, Happening::Acted(1, Outcome::Done(String::new())));
    world.at(3_100, Happening::OperatorHangsUp);
    world.run_to_end(5_000);
    assert_eq!(world.summary().reason, "the operator wants it");
}
