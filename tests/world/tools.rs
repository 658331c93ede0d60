//! Tools that the model calls: what runs, what the gateway performs itself, what the model is told, what is written down.

use super::after;
use crate::world::{FakeAgent, Happening, Setup, World};
use voxgw::{
    agent::{
        event::{Action, Event, Outcome, ToolCall},
        wire::{
            builtin,
            tool::{Tool, schema},
        },
    },
    call::journal::{Body, ToolState},
};

fn calls(at_ms: u64, id: &str, name: &str, arguments: &str) -> (std::time::Duration, Event) {
    after(at_ms, Event::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() }))
}

/// A world whose provider may call `weather`, which wants a city, and the gateway's own.
fn world(says: Vec<(std::time::Duration, Event)>) -> World {
    let wants =
        r#"{"type":"object","properties":{"city":{"type":"string"},"pin":{"format":"password"}},"required":["city"]}"#;
    let weather = Tool { name: "weather".into(), description: "w".into(), parameters: Some(schema(wants).unwrap()) };
    let mut setup = Setup::remote(FakeAgent::ready(says));
    setup.tools = builtin::BUILT_IN.iter().map(builtin::BuiltIn::tool).chain([weather]).collect();
    World::new(setup)
}

/// What the journal says: name, state, words, milliseconds.
fn story(world: &World) -> Vec<(String, ToolState, String, Option<f64>)> {
    let changes = world.records.iter().filter_map(|record| match &record.body {
        Body::Tool(change) => Some(change),
        _ => None,
    });
    let words = |one: &str, other: &str| if one.is_empty() { other.to_owned() } else { one.to_owned() };
    changes.map(|c| (c.id.clone(), c.state, words(&c.arguments.0, &c.result.0), c.took_ms)).collect()
}

#[test]
fn a_tool_runs_and_its_result_goes_back_with_its_time_in_the_journal() {
    let mut world = world(vec![
        calls(100, "a", "weather", r#"{"city":"Ulm","pin":"4711"}"#),
        calls(200, "b", "weather", "{}"),
        calls(300, "c", "wether", "{}"),
        calls(400, "d", "weather", r#"{"city":"Bonn"}"#),
        after(700, Event::ToolsCancelled(vec!["d".into(), "x".into()])),
    ]);
    world.at(2_000, Happening::ToolDone("a", Ok("sunny".into())));
    world.at(2_100, Happening::ToolDone("d", Ok("late".into())));
    world.at(2_100, Happening::ToolDone("a", Ok("twice".into())));
    world.caller_hangs_up(3_000);
    world.run_to_end(4_000);

    let run: Vec<(&str, String)> =
        world.tools.iter().map(|run| (run.id.as_str(), run.arguments["city"].to_string())).collect();
    assert_eq!(run, [("a", "\"Ulm\"".to_owned()), ("d", "\"Bonn\"".to_owned())]);
    assert_eq!(
        world.tools_told,
        [
            "b weather failed: missing arguments: city",
            "c wether failed: there is no tool called wether",
            "a weather: \"sunny\"",
        ]
    );
    assert_eq!(world.tools_cancelled, ["d"]);
    let story = story(&world);
    let states: Vec<_> = story.iter().map(|(id, state, ..)| (id.as_str(), *state)).collect();
    assert_eq!(
        states,
        [
            ("a", ToolState::Called),
            ("b", ToolState::Failed),
            ("c", ToolState::Failed),
            ("d", ToolState::Called),
            ("d", ToolState::Cancelled),
            ("a", ToolState::Answered),
        ]
    );
    assert_eq!(story[0].2, r#"{"city":"Ulm","pin":"…"}"#, "what the schema calls secret is cut");
    let took = story[5].3.unwrap();
    assert!((1_500.0..2_000.0).contains(&took), "{took}");
}

#[test]
fn the_gateways_own_tools_become_actions_and_their_outcomes_results() {
    let mut world = world(vec![
        calls(100, "a", "set_variable", r#"{"name":"order","value":17}"#),
        calls(200, "b", "send_dtmf", r#"{"digits":"x"}"#),
        calls(300, "c", "bridge", r#"{"to":"alice"}"#),
        calls(400, "d", "transfer", "{}"),
        calls(500, "e", "hold", ""),
    ]);
    world.at(1_500, Happening::Acted(3, Outcome::Begun("calling user alice".to_owned())));
    world.at(1_600, Happening::Takes("recvonly"));
    world.at(2_000, Happening::Acted(3, Outcome::Refused("busy".to_owned())));
    world.caller_hangs_up(3_000);
    world.run_to_end(4_000);
    let acts: Vec<_> = world.acts.iter().map(|(_, _, action)| action.clone()).collect();
    assert_eq!(acts, [Action::Bridge { to: "alice".to_owned(), trunk: None }]);
    assert_eq!(
        world.tools_told,
        [
            "a set_variable: \"done\"",
            "b send_dtmf failed: digits are 0-9, *, # and A-D",
            "d transfer failed: missing arguments: to",
            "c bridge: \"calling user alice\"",
            "e hold: \"done\"",
            "c bridge failed: busy",
        ]
    );
}

#[test]
fn hanging_up_by_a_tool_lets_the_last_word_out_and_asks_for_no_more() {
    let mut says = super::burst(500, 900.0, 1_000);
    says.push(after(900, Event::TurnComplete));
    says.push(calls(900, "a", "hang_up", r#"{"reason":"all said"}"#));
    let mut world = world(says);
    world.run_to_end(10_000);
    assert_eq!((world.summary().reason.as_str(), world.summary().ended_by.as_str()), ("all said", "agent"));
    assert_eq!(world.tools_told, Vec::<String>::new());
    assert_eq!(story(&world).last().unwrap().1, ToolState::Answered);
}
