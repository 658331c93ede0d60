//! Scenarios on a clock of their own: what the far end does is told, what the player wants is looked at.

use super::*;
use crate::{agent::event::Sound, unit::SampleRate};

const SCENARIO: &str = r#"
    name = "refund, interrupted"
    [[step]]
    wait = { agent_stops = "600ms", within = "10s" }
    [[step]]
    say = "question"
    expect = { agent_speaks_within = "2s" }
    [[step]]
    interrupt = "no"
    after = "1s"
    expect = { agent_silent_within = "300ms" }
    [[step]]
    dtmf = "1#"
    [[step]]
    wait = { digits = "42", within = "3s" }
    [[step]]
    hang_up = true
"#;

fn scenario(text: &str) -> Result<Scenario, String> {
    let sound = || Sound { rate: SampleRate::HZ_8000, samples: Arc::from([1_i16; 8]) };
    Scenario::parse(text, &mut |name| if name == "missing" { Err("not there".into()) } else { Ok(sound()) })
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

/// A player and what it has said so far.
struct Run {
    player: Player,
    events: Vec<(u64, Event)>,
    now: u64,
}

impl Run {
    fn new(text: &str) -> Self {
        let mut run = Self { player: Player::new(Arc::new(scenario(text).unwrap())), events: Vec::new(), now: 0 };
        run.tell(0, Command::Start);
        run
    }

    /// Runs the clock to `ms`, each time-out on its way at its moment.
    fn until(&mut self, ms: u64) {
        loop {
            while let Output::Event(event) = self.player.poll() {
                self.events.push((self.now, event));
            }
            let due = self.player.timeout();
            if due > at(ms) {
                break;
            }
            self.now = self.now.max(u64::try_from(due.since(at(0)).as_millis()).unwrap());
            self.player.handle_timeout(due);
        }
        self.now = ms;
    }

    fn tell(&mut self, ms: u64, command: Command<'_>) {
        self.until(ms);
        self.player.handle(at(ms), command);
        self.until(ms);
    }

    /// The far end speaks from one moment to another; both are told late, as the detector does.
    fn far_end(&mut self, from: u64, to: u64) {
        self.tell(from + 50, Command::Speech(SpeechEdge::Started(at(from))));
        self.tell(to + 200, Command::Speech(SpeechEdge::Ended(at(to))));
    }

    fn checks(&self) -> Vec<(u32, bool, &str)> {
        let checks = self.events.iter().filter_map(|(_, event)| match event {
            Event::Checked(check) => Some((check.step, check.passed, check.evidence.as_str())),
            _ => None,
        });
        checks.collect()
    }

    fn when(&self, is: impl Fn(&Event) -> bool) -> Vec<u64> {
        self.events.iter().filter(|(_, event)| is(event)).map(|(at, _)| *at).collect()
    }

    fn hung_up(&self) -> Option<&str> {
        self.events.iter().find_map(|(_, event)| match event {
            Event::HangUp(reason) => Some(reason.as_str()),
            _ => None,
        })
    }
}

#[test]
fn a_whole_scenario_holds() {
    let mut run = Run::new(SCENARIO);
    run.far_end(100, 2_000);
    run.until(2_700);
    assert_eq!(run.when(|event| matches!(event, Event::Audio { .. })), [2_600], "600 ms after the last word");
    run.tell(4_000, Command::Played);
    run.tell(4_450, Command::Speech(SpeechEdge::Started(at(4_400))));
    run.until(5_500);
    assert_eq!(run.when(|event| matches!(event, Event::Audio { .. })), [2_600, 5_400], "it has spoken for a second");
    run.tell(5_850, Command::Speech(SpeechEdge::Ended(at(5_650))));
    run.tell(6_000, Command::Played);
    run.until(6_200);
    assert_eq!(run.when(|event| matches!(event, Event::Digits(keys) if keys == "1#")), [6_150]);
    run.tell(7_000, Command::Digit('4'));
    run.tell(7_100, Command::Digit('2'));
    run.until(8_000);
    assert_eq!(
        run.checks(),
        [
            (1, true, "done after 2.0 s"),
            (2, true, "spoke after 400 ms"),
            (3, true, "silent after 250 ms"),
            (4, true, ""),
            (5, true, "after 550 ms"),
            (6, true, ""),
        ]
    );
    assert_eq!(run.hung_up(), Some("the scenario's end"));
}

#[test]
fn the_first_step_that_does_not_hold_ends_the_call() {
    let mut run = Run::new(SCENARIO);
    run.until(20_000);
    assert_eq!(run.checks(), [(1, false, "did not speak within 10.0 s")]);
    assert!(run.hung_up().unwrap().starts_with("step 1, wait until the agent has spoken"));
    assert!(run.player.timeout().is_far_future(), "nothing follows");
}

#[test]
fn a_slow_answer_and_a_late_silence_are_told_with_their_times() {
    let answered = "name = \"x\"\n[[step]]\nsay = \"a\"\nexpect = { agent_speaks_within = \"1s\" }";
    let mut run = Run::new(answered);
    run.tell(1_000, Command::Played);
    run.tell(2_350, Command::Speech(SpeechEdge::Started(at(2_300))));
    assert_eq!(run.checks(), [(1, false, "spoke after 1.3 s")]);
    let mut run = Run::new(answered);
    run.tell(1_000, Command::Played);
    run.until(9_000);
    assert_eq!(run.checks(), [(1, false, "did not speak within 1.0 s")]);

    let cut = "name = \"x\"\n[[step]]\ninterrupt = \"a\"\nexpect = { agent_silent_within = \"300ms\" }";
    let mut run = Run::new(cut);
    run.far_end(0, 1_200);
    run.until(9_000);
    assert_eq!(run.checks(), [(1, false, "silent after 700 ms")], "it was interrupted at 500");
    let mut run = Run::new(cut);
    run.tell(50, Command::Speech(SpeechEdge::Started(at(0))));
    run.until(9_000);
    assert_eq!(run.checks(), [(1, false, "still speaking after 300 ms")]);
    let mut run = Run::new(cut);
    run.until(20_000);
    assert_eq!(run.checks(), [(1, false, "nobody spoke within 10.0 s")]);
}

#[test]
fn a_pause_between_words_is_no_silence() {
    let mut run = Run::new("name = \"x\"\n[[step]]\ninterrupt = \"a\"\nexpect = { agent_silent_within = \"300ms\" }");
    run.far_end(0, 600);
    run.tell(950, Command::Speech(SpeechEdge::Started(at(900))));
    run.until(9_000);
    assert_eq!(run.checks(), [(1, false, "still speaking after 300 ms")]);
}

#[test]
fn keys_that_came_before_their_step_count_once() {
    let mut run = Run::new(
        "name = \"x\"\n[[step]]\npause = \"1s\"\n[[step]]\nwait = { digits = \"7\" }\n[[step]]\nwait = { digits = \"7\", within = \"2s\" }",
    );
    run.tell(500, Command::Digit('7'));
    run.until(9_000);
    assert_eq!(run.checks(), [(1, true, ""), (2, true, "after 0 ms"), (3, false, "heard no key within 2.0 s")]);
}

#[test]
fn mistakes_in_a_file_are_named_by_their_place() {
    let step = |body: &str| scenario(&format!("name = \"x\"\n[[step]]\n{body}")).unwrap_err();
    for (body, words) in [
        ("", "step 1: does one thing of wait, say"),
        ("say = \"a\"\ndtmf = \"1\"", "this one has 2"),
        ("say = \"missing\"", "step 1.say: not there"),
        ("sayy = \"a\"", "did you mean say?"),
        ("dtmf = \"1x\"", "step 1.dtmf: keys are"),
        ("pause = \"5\"", "has no unit"),
        ("wait = {}", "step 1.wait: one of"),
        ("wait = { digits = \"\" }", "step 1.wait.digits"),
        ("say = \"a\"\nafter = \"1s\"", "goes with interrupt"),
        ("pause = \"1s\"\nexpect = { agent_silent_within = \"1s\" }", "goes with say or interrupt"),
        ("hang_up = true\n[[step]]\npause = \"1s\"", "never reached"),
    ] {
        let problem = step(body);
        assert!(problem.contains(words), "{body}: {problem}");
    }
    assert!(scenario("name = \"x\"").unwrap_err().contains("has no [[step]]"));
}
