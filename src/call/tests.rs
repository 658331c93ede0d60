//! Tests of the machine that decides.

use super::*;

fn call(direction: Direction) -> Call {
    let settings = Settings {
        direction,
        owner: Owner::Offline,
        barge_in: BargeIn::Local,
        manners: Arc::default(),
        patience: Duration::from_secs(3),
        agent_silence: Duration::from_secs(15),
        max_duration: Duration::from_hours(1),
        ring_max: Duration::from_secs(30),
        early: Early::Off,
        waits: false,
    };
    Call::new(Instant::ZERO, settings)
}

fn effects(call: &mut Call, at_ms: u64, input: Input) -> Vec<Effect> {
    call.handle(Instant::from_millis(at_ms), input);
    std::iter::from_fn(|| call.poll()).filter(|effect| !matches!(effect, Effect::Record(_))).collect()
}

#[test]
fn a_call_is_answered_when_the_agent_is_ready_and_the_agent_starts_after_the_ack() {
    let mut call = call(Direction::In);
    assert_eq!(effects(&mut call, 0, Input::Begin), [Effect::ConnectAgent, Effect::Ring]);
    assert_eq!(effects(&mut call, 200, Input::Agent(AgentEvent::Ready)), [Effect::Answer]);
    assert_eq!(effects(&mut call, 250, Input::Acknowledged), [Effect::StartAgent]);
}

#[test]
fn patience_is_not_endless() {
    let mut call = call(Direction::In);
    effects(&mut call, 0, Input::Begin);
    assert_eq!(call.timeout(), Instant::from_millis(3_000));
    assert_eq!(effects(&mut call, 3_000, Input::Timeout), [Effect::Answer]);
    assert_eq!(effects(&mut call, 3_050, Input::Acknowledged), []);
    assert_eq!(effects(&mut call, 4_000, Input::Agent(AgentEvent::Ready)), [Effect::StartAgent]);
}

#[test]
fn an_agent_that_cannot_be_reached_leads_to_an_apology_and_its_cause() {
    let mut call = call(Direction::In);
    effects(&mut call, 0, Input::Begin);
    assert_eq!(effects(&mut call, 100, Input::Agent(AgentEvent::Failed("refused".into()))), [Effect::Answer]);
    assert_eq!(effects(&mut call, 150, Input::Acknowledged), [Effect::Apologise]);
    let last = effects(&mut call, 5_000, Input::Drained);
    assert!(matches!(&last[..], [Effect::HangUp(reason)] if reason.contains("503")));
}

#[test]
fn an_agent_that_says_nothing_more_is_lost_in_the_end() {
    let mut call = call(Direction::In);
    let said = |call: &mut Call, from_ms: u64, to_ms: u64| {
        effects(call, from_ms, Input::Speech(SpeechEdge::Started(Instant::from_millis(from_ms))));
        effects(call, to_ms, Input::Speech(SpeechEdge::Ended(Instant::from_millis(to_ms))));
    };
    effects(&mut call, 0, Input::Begin);
    effects(&mut call, 0, Input::Agent(AgentEvent::Ready));
    effects(&mut call, 0, Input::Acknowledged);
    said(&mut call, 1_000, 2_000);
    assert_eq!(call.timeout(), Instant::from_millis(3_600_000), "an echo owes nothing");
    call.set_agent_answers(true);
    said(&mut call, 1_000, 2_000);
    assert_eq!(call.timeout(), Instant::from_millis(17_000));
    // Its words hold it off until they have been heard; an empty turn is an answer too.
    let turn = call.accept_audio(Instant::from_millis(3_000), Duration::from_secs(1)).unwrap();
    effects(&mut call, 3_000, Input::Began(turn));
    said(&mut call, 3_100, 3_500);
    assert_eq!(call.timeout(), Instant::from_millis(3_600_000));
    effects(&mut call, 4_000, Input::Finished);
    assert_eq!(call.timeout(), Instant::from_millis(19_000));
    effects(&mut call, 5_000, Input::Agent(AgentEvent::TurnComplete));
    assert_eq!(call.timeout(), Instant::from_millis(3_600_000));
    // A hold ends the waiting; the result of a tool begins it.
    call.tool_answered(Instant::from_millis(20_000));
    effects(&mut call, 21_000, Input::Held(true));
    effects(&mut call, 40_000, Input::Held(false));
    assert_eq!(call.timeout(), Instant::from_millis(3_600_000));
    call.tool_answered(Instant::from_millis(50_000));
    assert_eq!(call.agent_stalled(), None);
    assert_eq!(effects(&mut call, 65_000, Input::Timeout), []);
    assert_eq!(call.agent_stalled(), Some("nothing from the agent for 15 s after a tool's result"));
    assert_eq!((call.take_lost(), call.timeout()), (None, Instant::from_millis(80_000)));
    effects(&mut call, 80_000, Input::Timeout);
    assert!(call.take_lost().is_some_and(|why| why.contains("30 s")));
    assert_eq!(call.take_lost(), None);
}

#[test]
fn hanging_up_waits_for_the_last_word_but_not_for_ever() {
    let mut call = call(Direction::In);
    effects(&mut call, 0, Input::Begin);
    effects(&mut call, 0, Input::Agent(AgentEvent::Ready));
    effects(&mut call, 0, Input::Acknowledged);
    assert_eq!(effects(&mut call, 1_000, Input::Agent(AgentEvent::HangUp("bye".into()))), []);
    assert_eq!(call.timeout(), Instant::from_millis(21_000));
    assert_eq!(effects(&mut call, 21_000, Input::Timeout).len(), 1);
    assert_eq!(effects(&mut call, 21_001, Input::Drained), []);
}

#[test]
fn the_caller_interrupts_only_what_is_heard() {
    let mut call = call(Direction::In);
    effects(&mut call, 0, Input::Begin);
    effects(&mut call, 0, Input::Agent(AgentEvent::Ready));
    assert_eq!(effects(&mut call, 10, Input::Speech(SpeechEdge::Started(Instant::ZERO))), []);
    let turn = call.accept_audio(Instant::from_millis(20), Duration::from_secs(1)).unwrap();
    effects(&mut call, 25, Input::Began(turn));
    let cut = effects(&mut call, 500, Input::Speech(SpeechEdge::Started(Instant::from_millis(450))));
    assert_eq!(cut, [Effect::Cut { tell_agent: true }]);
}
