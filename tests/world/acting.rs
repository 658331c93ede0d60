//! What agents ask of the gateway: judged by the call, done by media or by the gateway, told and written down.

use super::{after, burst, toned};
use crate::world::{FakeAgent, Happening, Random, Setup, Told, World, script};
use voxgw::{
    agent::event::{Action, Event, Outcome},
    call::{
        journal::{ActionState, AgentState, Body},
        pipeline::{Seat, SipAction},
    },
};

/// One of the actions, for random worlds.
pub fn any(random: &mut Random) -> Event {
    let to = ["alice", "+4930123", "sip:a@b.example", "", "\r\n"][random.below(5) as usize].to_owned();
    let action = match random.below(9) {
        0 => Action::HangUp { reason: to },
        1 => Action::Transfer { to, trunk: None },
        2 => Action::Bridge { to, trunk: Some("carrier".to_owned()) },
        3 => Action::Digits("12#".to_owned()),
        4 => Action::Hold,
        5 => Action::Resume,
        6 => Action::Text { to: None, text: to },
        7 => Action::Switch { agent: to },
        _ => Action::Set { name: "order".to_owned(), value: to },
    };
    Event::Act { id: random.below(4) as u32, action }
}

fn act(at_ms: u64, id: u32, action: Action) -> (std::time::Duration, Event) {
    after(at_ms, Event::Act { id, action })
}

/// What the journal says of number `id`: states and words.
pub fn story(world: &World, id: u32) -> Vec<(ActionState, String)> {
    let changes = world.records.iter().filter_map(|record| match &record.body {
        Body::Action(change) if change.id == id => Some(change),
        _ => None,
    });
    changes
        .map(|change| match change.state {
            ActionState::Asked => (change.state, format!("{} {}{}", change.action, change.name, change.about.0)),
            state => (state, change.text.clone()),
        })
        .collect()
}

fn told(world: &World, id: u32) -> Vec<&'static str> {
    let acted = world.agent.told.iter().filter_map(|(_, told)| match told {
        Told::Acted(known, outcome) if *known == id => Some(*outcome),
        _ => None,
    });
    acted.collect()
}

#[test]
fn an_agent_presses_keys_holds_notes_and_hangs_up_after_its_last_word() {
    let mut says = vec![
        act(100, 1, Action::Digits("4 2,#".to_owned())),
        act(100, 2, Action::Set { name: "order".to_owned(), value: "17".to_owned() }),
        act(1_500, 3, Action::Hold),
        act(1_600, 4, Action::Resume),
        act(2_000, 5, Action::Resume),
        act(3_000, 6, Action::Digits("x".to_owned())),
    ];
    says.extend(burst(3_500, 900.0, 1_000));
    says.push(after(3_900, Event::TurnComplete));
    says.push(act(3_900, 7, Action::HangUp { reason: "all said".to_owned() }));
    says.push(act(4_000, 8, Action::Bridge { to: "alice".to_owned(), trunk: None }));
    let mut world = World::new(Setup::remote(FakeAgent::ready(says)));
    world.at(1_900, Happening::Takes("recvonly"));
    world.at(2_600, Happening::Takes("sendrecv"));
    world.run_to_end(10_000);

    assert_eq!(world.summary().reason, "all said");
    assert_eq!(world.summary().ended_by, "agent");
    let digits = world.records.iter().filter_map(|record| match &record.body {
        Body::Dtmf(digit) => Some(digit.digit),
        _ => None,
    });
    assert_eq!(digits.collect::<String>(), "42#");
    let asked = |words: &str| (ActionState::Asked, words.to_owned());
    let done = |words: &str| (ActionState::Done, words.to_owned());
    let refused = |words: &str| (ActionState::Refused, words.to_owned());
    assert_eq!(story(&world, 1), [asked("digits 4 2,#"), done("3 digits are being sent")]);
    assert_eq!(story(&world, 2), [asked("set order17"), done("")]);
    assert_eq!(story(&world, 3), [asked("hold "), done("")]);
    assert_eq!(story(&world, 4), [asked("resume "), refused("the call is being changed already")]);
    assert_eq!(story(&world, 5), [asked("resume "), done("")]);
    assert_eq!(story(&world, 6)[1], refused("digits are 0-9, *, # and A-D"));
    assert_eq!(story(&world, 8)[1], refused("the call is ending"));
    for (id, outcome) in [(1, "done"), (2, "done"), (3, "done"), (4, "refused"), (5, "done"), (7, "done")] {
        assert_eq!(told(&world, id), [outcome], "number {id}");
    }
    let bye = world.sip.iter().find(|(_, action)| matches!(action, SipAction::HangUp(_))).expect("it hangs up").0;
    // The greeting's second is heard to its end.
    assert!(crate::world::ms(bye) > 4_600.0, "{} ms", crate::world::ms(bye));
    assert!(world.acts.is_empty(), "the call did all of it itself");
}

#[test]
fn what_takes_the_gateway_goes_out_and_each_outcome_comes_back_once() {
    let bridge = Action::Bridge { to: "alice".to_owned(), trunk: None };
    let says = vec![
        act(100, 1, bridge.clone()),
        act(200, 1, Action::Text { to: None, text: "hello".to_owned() }),
        act(300, 2, Action::Switch { agent: "other".to_owned() }),
    ];
    let mut world = World::new(Setup::remote(FakeAgent::ready(says)));
    world.at(1_000, Happening::Acted(1, Outcome::Begun("calling user alice".to_owned())));
    world.at(1_200, Happening::Acted(2, Outcome::Refused("no such agent".to_owned())));
    world.at(2_000, Happening::Acted(1, Outcome::Refused("busy".to_owned())));
    world.at(2_100, Happening::Acted(1, Outcome::Done(String::new())));
    world.at(2_100, Happening::Acted(77, Outcome::Done(String::new())));
    world.caller_hangs_up(3_000);
    world.run_to_end(4_000);

    let out: Vec<(u32, &Action)> = world.acts.iter().map(|(_, id, action)| (*id, action)).collect();
    assert_eq!(out, [(1, &bridge), (2, &Action::Switch { agent: "other".to_owned() })]);
    assert_eq!(told(&world, 1), ["refused", "begun", "refused"], "a number in use, then the bridge");
    assert_eq!(told(&world, 2), ["refused"]);
    assert!(story(&world, 77).is_empty() && told(&world, 77).is_empty());
    assert_eq!(story(&world, 1).last(), Some(&(ActionState::Refused, "busy".to_owned())));
}

#[test]
fn before_the_answer_and_beyond_measure_an_agent_asks_in_vain() {
    let mut agent = FakeAgent::ready((0..600).map(|n| act(10 * n, 10, Action::Resume)).collect());
    agent.on_connect.insert(0, act(50, 9, Action::Transfer { to: "alice".to_owned(), trunk: None }));
    let mut world = World::new(Setup::remote(agent));
    world.caller_hangs_up(9_000);
    world.run_to_end(10_000);
    assert_eq!(story(&world, 9)[1].1, "the call is not answered yet");
    let all = story(&world, 10);
    assert_eq!(all.len(), 2 * 500, "what comes after that leaves no trace");
    assert_eq!(all.last().unwrap().1, "this call has had 500 actions");
}

#[test]
fn another_agent_starts_when_the_last_word_of_the_old_one_was_heard() {
    // Says a second of sound in 100 ms and passes the call on at once.
    let mut says = burst(100, 900.0, 1_000);
    says.push(after(200, Event::TurnComplete));
    says.push(act(210, 1, Action::Switch { agent: "newcomer".to_owned() }));
    let mut world = World::new(Setup::remote(FakeAgent::ready(says)));
    let newcomer = || Seat::Local(Box::new(script("name = 'n'\n[greeting]\nsay = 'tone:1300:500'\n")));
    world.at(500, Happening::Switch(newcomer));
    world.caller_hangs_up(4_000);
    world.run_to_end(5_000);

    assert_eq!(told(&world, 1), ["done"]);
    let old: Vec<Told> = world.agent.told.iter().map(|(_, told)| *told).collect();
    assert_eq!(old[old.len() - 2..], [Told::Acted(1, "done"), Told::Close], "{old:?}");
    let (first, second) = (toned(&world.phone.heard, 900.0), toned(&world.phone.heard, 1_300.0));
    assert!((48..=51).contains(&first.len()), "the old one's second is heard: {} packets", first.len());
    assert!((23..=26).contains(&second.len()), "{} packets", second.len());
    assert!(second[0] > *first.last().unwrap(), "one after the other");
    let pause = second[0] - first.last().unwrap();
    assert!(pause < 5, "without a pause: {pause} packets");
    let states: Vec<AgentState> = world
        .records
        .iter()
        .filter_map(|record| match &record.body {
            Body::Agent(change) => Some(change.state),
            _ => None,
        })
        .collect();
    use AgentState::{Closed, Connecting, Ready};
    assert_eq!(states, [Connecting, Ready, Closed, Connecting, Ready]);
    assert_eq!(world.turns().len(), 2);
    assert_eq!(world.summary().lints, [""; 0]);
}
