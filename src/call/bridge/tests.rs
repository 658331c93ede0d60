//! The machine in virtual time: forking, failover, early media, who is told what, and every order of events.

use super::*;

const RING: Duration = Duration::from_secs(30);

fn bridge(groups: &[usize], same_place: bool) -> Bridge {
    let settings = Settings {
        groups: groups.to_vec(),
        same_place,
        ring: RING,
        sign_within: Duration::from_secs(4),
        caller_up: false,
        nobody: (480, "nobody is there".to_owned()),
    };
    Bridge::new(settings)
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn actions(bridge: &mut Bridge, ms: u64, input: Input) -> Vec<Action> {
    bridge.handle(at(ms), input);
    std::iter::from_fn(|| bridge.poll()).collect()
}

fn progress(branch: usize, status: u16) -> Input {
    Input::Progress { branch, status, sound: false }
}

fn failed(branch: usize, status: u16) -> Input {
    Input::Ended { branch, status: Some(status), by_peer: true, reason: String::new() }
}

fn told(actions: &[Action]) -> Option<u16> {
    actions.iter().find_map(|action| match action {
        Action::Fail { status, .. } => Some(*status),
        _ => None,
    })
}

use Action::{Drop, HangUp, Invite, Join, Over, Ring, Sound};

#[test]
fn all_of_a_group_ring_and_the_first_answer_wins() {
    let mut bridge = bridge(&[3, 1], false);
    assert_eq!(actions(&mut bridge, 0, Input::Begin), [Invite(0), Invite(1), Invite(2)]);
    assert_eq!(actions(&mut bridge, 50, progress(0, 100)), []);
    assert_eq!(actions(&mut bridge, 100, progress(1, 180)), [Ring]);
    assert_eq!(actions(&mut bridge, 110, progress(0, 180)), [], "the caller hears of it once");
    let answered = actions(&mut bridge, 2_000, Input::Answered { branch: 1 });
    assert_eq!(answered, [Join(1), Drop(0, ELSEWHERE), Drop(2, ELSEWHERE)]);
    // The others go as they were told, and nobody hears of that.
    assert_eq!(actions(&mut bridge, 2_050, failed(0, 487)), []);
    assert_eq!(actions(&mut bridge, 2_060, Input::Answered { branch: 2 }), [Drop(2, ELSEWHERE)], "too late");
    assert_eq!(actions(&mut bridge, 2_090, failed(2, 487)), []);
    assert_eq!(bridge.timeout(), Instant::FAR_FUTURE);
    let bye = Input::CallerEnded { reason: "Q.850;cause=16;text=\"bye\"".into() };
    assert_eq!(actions(&mut bridge, 9_000, bye), [HangUp(Side::Callee, "Q.850;cause=16;text=\"bye\"".into())]);
    let gone = Input::Ended { branch: 1, status: None, by_peer: true, reason: "BYE".into() };
    assert_eq!(actions(&mut bridge, 9_100, gone), [Over]);
}

#[test]
fn the_next_group_rings_when_all_of_the_first_have_failed() {
    let mut bridge = bridge(&[2, 1], false);
    actions(&mut bridge, 0, Input::Begin);
    assert_eq!(actions(&mut bridge, 10, failed(0, 480)), []);
    assert_eq!(actions(&mut bridge, 20, failed(1, 404)), [Invite(2)]);
    let last = actions(&mut bridge, 30, failed(2, 486));
    assert_eq!(told(&last), Some(486), "busy says more than absent: {last:?}");
    assert_eq!(last.last(), Some(&Over));
}

#[test]
fn a_global_failure_ends_the_search() {
    let mut bridge = bridge(&[2, 1], false);
    actions(&mut bridge, 0, Input::Begin);
    let declined = actions(&mut bridge, 10, failed(1, 603));
    assert_eq!(declined[0], Drop(0, NO_ANSWER));
    assert_eq!(told(&declined), Some(603));
    assert!(!declined.contains(&Over), "branch 0 is on its way out");
    assert_eq!(actions(&mut bridge, 40, failed(0, 487)), [Over]);
}

#[test]
fn nobody_answers_within_the_ring_time() {
    let mut bridge = bridge(&[1], false);
    actions(&mut bridge, 0, Input::Begin);
    actions(&mut bridge, 100, progress(0, 180));
    assert_eq!(bridge.timeout(), at(30_000));
    let given_up = actions(&mut bridge, 30_000, Input::Timeout);
    assert_eq!(given_up[0], Drop(0, NO_ANSWER));
    let Action::Fail { status, reason, .. } = &given_up[1] else { panic!("{given_up:?}") };
    assert_eq!((*status, reason.as_str()), (480, NO_ANSWER));
    assert_eq!(actions(&mut bridge, 30_050, failed(0, 487)), [Over]);
}

#[test]
fn each_group_has_its_ring_time() {
    let mut bridge = bridge(&[1, 1], false);
    actions(&mut bridge, 0, Input::Begin);
    assert_eq!(actions(&mut bridge, 30_000, Input::Timeout), [Drop(0, NO_ANSWER), Invite(1)]);
    assert_eq!(bridge.timeout(), at(60_000));
    assert_eq!(actions(&mut bridge, 40_000, Input::Answered { branch: 1 }), [Join(1)]);
}

#[test]
fn a_trunk_server_that_is_broken_leads_to_the_next_but_a_no_does_not() {
    let mut trunk = bridge(&[1, 1, 1], true);
    assert_eq!(actions(&mut trunk, 0, Input::Begin), [Invite(0)]);
    assert_eq!(actions(&mut trunk, 10, failed(0, 503)), [Invite(1)]);
    assert_eq!(trunk.timeout(), at(4_010), "the next one must give a sign");
    assert_eq!(actions(&mut trunk, 4_010, Input::Timeout)[1..], [Invite(2)]);
    assert_eq!(trunk.timeout(), at(34_010), "nobody is after the last");
    assert_eq!(told(&actions(&mut trunk, 5_000, failed(2, 486))), Some(486));
    let mut clear = bridge(&[1, 1], true);
    actions(&mut clear, 0, Input::Begin);
    assert_eq!(actions(&mut clear, 50, progress(0, 100)), []);
    assert_eq!(clear.timeout(), at(30_000), "a sign was given: now it may take its time");
    assert_eq!(told(&actions(&mut clear, 60, failed(0, 404))), Some(404), "the next server knows no more");
}

#[test]
fn a_caller_who_gives_up_ends_every_branch() {
    let mut bridge = bridge(&[2], false);
    actions(&mut bridge, 0, Input::Begin);
    let gone = actions(&mut bridge, 500, Input::CallerEnded { reason: "CANCEL".into() });
    assert_eq!(gone, [Drop(0, CALLER_GONE), Drop(1, CALLER_GONE)]);
    assert_eq!(actions(&mut bridge, 510, failed(0, 487)), []);
    // Answered while the CANCEL was on its way.
    assert_eq!(actions(&mut bridge, 515, Input::Answered { branch: 1 }), [Drop(1, ELSEWHERE)]);
    assert_eq!(actions(&mut bridge, 520, failed(1, 487)), [Over]);
}

#[test]
fn the_callee_hangs_up_with_its_reason() {
    let mut bridge = bridge(&[1], false);
    actions(&mut bridge, 0, Input::Begin);
    actions(&mut bridge, 10, Input::Answered { branch: 0 });
    let reason = "Q.850;cause=31;text=\"whatever\"".to_owned();
    let bye = Input::Ended { branch: 0, status: None, by_peer: true, reason: reason.clone() };
    assert_eq!(actions(&mut bridge, 5_000, bye), [HangUp(Side::Caller, reason), Over]);
    assert_eq!(actions(&mut bridge, 5_050, Input::CallerEnded { reason: "BYE".into() }), []);
}

#[test]
fn early_media_is_one_branch_s() {
    let mut bridge = bridge(&[2], false);
    actions(&mut bridge, 0, Input::Begin);
    assert_eq!(actions(&mut bridge, 10, progress(0, 180)), [Ring]);
    let sound = |branch| Input::Progress { branch, status: 183, sound: true };
    assert_eq!(actions(&mut bridge, 20, sound(1)), [Sound(1)]);
    assert_eq!(actions(&mut bridge, 30, sound(0)), []);
    assert_eq!(actions(&mut bridge, 40, Input::Answered { branch: 0 })[0], Join(0));
}

#[test]
fn a_caller_who_talks_already_hears_nothing_of_it() {
    let mut bridge = bridge(&[1], false);
    bridge.settings.caller_up = true;
    actions(&mut bridge, 0, Input::Begin);
    assert_eq!(actions(&mut bridge, 10, progress(0, 180)), []);
    assert_eq!(actions(&mut bridge, 10, Input::Progress { branch: 0, status: 183, sound: true }), []);
    assert_eq!(told(&actions(&mut bridge, 20, failed(0, 486))), Some(486));
}

#[test]
fn what_a_caller_cannot_act_on_is_not_passed_on() {
    for (status, heard) in
        [(401, 502), (407, 502), (503, 502), (408, 480), (487, 480), (302, 480), (486, 486), (603, 603)]
    {
        assert_eq!(told_to_caller(status), heard);
    }
    let mut bridge = bridge(&[1], false);
    actions(&mut bridge, 0, Input::Begin);
    let busy = Input::Ended {
        branch: 0,
        status: Some(486),
        by_peer: true,
        reason: "Busy Here: Q.850;cause=17;text=\"User busy\"".into(),
    };
    let told = actions(&mut bridge, 10, busy);
    assert!(
        matches!(&told[0], Action::Fail { reason, .. } if reason == "Q.850;cause=17;text=\"User busy\""),
        "{told:?}"
    );
    assert!(matches!(
        &actions(&mut self::bridge(&[], false), 0, Input::Begin)[..],
        [Action::Fail { status: 480, .. }, Over]
    ));
}

#[test]
fn any_order_of_events_ends_with_nobody_left() {
    // Every pair of ends and answers in every order: whoever was called is dropped, joined or ended, and it ends once.
    let inputs: Vec<fn() -> Input> = vec![
        || progress(0, 180),
        || Input::Answered { branch: 0 },
        || Input::Answered { branch: 1 },
        || failed(0, 486),
        || failed(1, 404),
        || Input::CallerEnded { reason: "CANCEL".into() },
        || Input::Timeout,
        || Input::GiveUp,
    ];
    for first in &inputs {
        for second in &inputs {
            for third in &inputs {
                let mut bridge = bridge(&[2, 1], false);
                let mut all = actions(&mut bridge, 0, Input::Begin);
                for (ms, input) in [(10, first), (30_001, second), (60_002, third)] {
                    all.extend(actions(&mut bridge, ms, input()));
                }
                all.extend(actions(&mut bridge, 70_000, Input::CallerEnded { reason: "BYE".into() }));
                for branch in 0..3 {
                    all.extend(actions(&mut bridge, 80_000, failed(branch, 487)));
                }
                assert_eq!(all.iter().filter(|action| **action == Over).count(), 1, "{all:?}");
                assert!(all.iter().filter(|action| matches!(action, Join(_))).count() <= 1, "{all:?}");
                assert!(all.iter().filter(|action| matches!(action, Action::Fail { .. })).count() <= 1, "{all:?}");
            }
        }
    }
}
