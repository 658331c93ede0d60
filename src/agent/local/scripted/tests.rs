//! Scripts in virtual time.

use super::*;
use crate::agent::event::Sound;

fn agent() -> Scripted {
    let script = Script::parse(DEFAULT, &mut |_| {
        Ok(Sound { rate: crate::unit::SampleRate::HZ_8000, samples: Arc::from([1_i16; 80]) })
    })
    .unwrap();
    Scripted::new(Arc::new(script))
}

fn drain(agent: &mut Scripted) -> Vec<Event> {
    std::iter::from_fn(|| match agent.poll() {
        Output::Event(event) => Some(event),
        Output::Timeout(_) => None,
    })
    .collect()
}

#[test]
fn it_greets_answers_and_asks_into_silence() {
    let mut agent = agent();
    assert_eq!(drain(&mut agent), [Event::Ready]);
    agent.handle(Instant::ZERO, Command::Start);
    assert!(drain(&mut agent).contains(&Event::TurnComplete));
    agent.handle(Instant::from_millis(2_000), Command::Played);
    agent.handle(Instant::from_millis(5_000), Command::Speech(SpeechEdge::Ended(Instant::from_millis(4_800))));
    let Output::Timeout(at) = agent.poll() else { panic!() };
    agent.handle_timeout(at);
    assert_eq!(drain(&mut agent)[0], Event::EndOfSpeech);
    let mut now = Instant::from_millis(8_000);
    let mut prompts = 0;
    loop {
        agent.handle(now, Command::Played);
        let Output::Timeout(at) = agent.poll() else { panic!() };
        now = at;
        agent.handle_timeout(now);
        prompts += 1;
        if drain(&mut agent).iter().any(|event| matches!(event, Event::HangUp(_))) {
            break;
        }
    }
    assert_eq!(prompts, 3, "twice asked, then goodbye");
}

#[test]
fn what_the_invite_said_can_be_said_and_pressed() {
    let text = "name = 'x'\n[greeting]\ntext = 'For {{X-Tenant}}'\nsend_digits = '{{X-Pin}}#'";
    let script = Script::parse(text, &mut |_| Err("none".into())).unwrap();
    let mut agent = Scripted::new(Arc::new(script));
    let headers = vec![("X-Tenant".to_owned(), "acme".to_owned()), ("x-pin".to_owned(), "42".to_owned())];
    agent.about(&About { headers, ..About::default() });
    agent.handle(Instant::ZERO, Command::Start);
    let said = drain(&mut agent);
    assert!(said.contains(&Event::AgentText("For acme".into())), "{said:?}");
    assert!(said.contains(&Event::Digits("42#".into())), "{said:?}");
}

#[test]
fn mistakes_in_a_script_are_named() {
    let parse = |text: &str| Script::parse(text, &mut |name| Err(format!("no sound {name}"))).unwrap_err();
    assert!(parse("name = 'x'\ngreting = 1").contains("greting"));
    assert!(parse("name = 'x'\n[greeting]\nsay = 'a.wav'").contains("greeting.say: no sound a.wav"));
    assert!(parse("name = 'x'\n[[digit]]\npress = '12'").contains("one key"));
    assert!(parse("name = 'x'\n[silence]\nafter = '5'").contains("did you mean 5s"));
}

// Menus

const BOARD: &str = r##"
name = "switchboard"
[greeting]
say = "hello"
text = "Hello."

[menu.main]
say = "choose"
text = "Choose."
timeout = "5s"
gap = "2s"
tries = 2
no_input = { say = "anybody" }
invalid = { say = "no such" }

[[menu.main.digit]]
press = "1"
say = "connecting"
bridge = "alice"
failed = { say = "busy", text = "Not there: {{outcome}}" }

[[menu.main.digit]]
press = "2"
goto = "account"

[[menu.main.digit]]
press = "2xx"
bridge = "{{keys}}"
trunk = "carrier"

[[menu.main.digit]]
press = "9"
set = { mood = "bad" }
write = "Call {{from}} back"
write_to = "alice"
hang_up = true

[[menu.main.digit]]
press = "#"
text = "Open from nine to five."

[menu.account]
collect = { into = "account", least = 3, most = 5, again = "*" }
then = { text = "Thank you, {{account}}.", agent = "billing" }

[goodbye]
say = "bye"
"##;

/// The agent under a clock: sounds are as long as their names, in tenths of a second.
struct Stage {
    agent: Scripted,
    now: Instant,
    /// When the sound that plays is over.
    plays_until: Option<Instant>,
    seen: Vec<String>,
    /// Numbers and actions.
    asked: Vec<(u32, Action)>,
}

impl Stage {
    fn new(text: &str) -> Self {
        let mut load = |name: &str| {
            Ok(Sound { rate: crate::unit::SampleRate::HZ_8000, samples: vec![7; name.len() * 800].into() })
        };
        let mut agent = Scripted::new(Arc::new(Script::parse(text, &mut load).unwrap()));
        agent.about(&About { from: "+4930".into(), ..About::default() });
        let mut stage =
            Self { agent, now: Instant::from_millis(1_000), plays_until: None, seen: Vec::new(), asked: Vec::new() };
        stage.give(Command::Start);
        stage
    }

    fn give(&mut self, command: Command<'_>) {
        self.agent.handle(self.now, command);
        self.drain();
    }

    fn drain(&mut self) {
        while let Output::Event(event) = self.agent.poll() {
            match event {
                Event::Audio { samples, .. } => {
                    let from = self.plays_until.unwrap_or(self.now);
                    self.plays_until = Some(from + Duration::from_millis(samples.len() as u64 / 8));
                    self.seen.push(format!("{} ms", samples.len() / 8));
                }
                Event::Interrupted => {
                    self.plays_until = None;
                    self.seen.push("cut".into());
                }
                Event::AgentText(text) => self.seen.push(text),
                Event::HangUp(_) => self.seen.push("hang up".into()),
                Event::Act { id, action } => {
                    self.seen.push(format!("{} {}", action.name(), action.about().0));
                    self.asked.push((id, action));
                }
                Event::Ready | Event::TurnComplete => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Lets time pass.
    fn pass(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        loop {
            let Output::Timeout(due) = self.agent.poll() else { panic!("events were left") };
            let played = self.plays_until.unwrap_or(Instant::FAR_FUTURE);
            let next = due.min(played);
            if next > until {
                break self.now = until;
            }
            self.now = self.now.max(next);
            if played == next {
                self.plays_until = None;
                self.give(Command::Played);
            } else {
                self.agent.handle_timeout(self.now);
                self.drain();
            }
        }
    }

    fn press(&mut self, keys: &str) {
        keys.chars().for_each(|key| self.give(Command::Digit(key)));
    }

    fn answer(&mut self, outcome: &Outcome) {
        let id = self.asked.last().unwrap().0;
        self.give(Command::Acted { id, outcome });
    }

    /// What was seen since the last look.
    fn look(&mut self) -> Vec<String> {
        std::mem::take(&mut self.seen)
    }

    /// A caller who has heard greeting and prompt.
    fn in_main() -> Self {
        let mut stage = Self::new(BOARD);
        stage.pass(500);
        assert_eq!(stage.look(), ["Hello.", "500 ms", "Choose.", "600 ms"]);
        stage.pass(600);
        stage
    }
}

#[test]
fn a_menu_asks_again_and_gives_up() {
    let mut stage = Stage::in_main();
    stage.pass(4_999);
    assert_eq!(stage.look(), [""; 0]);
    stage.pass(1);
    assert_eq!(stage.look(), ["700 ms"], "nobody pressed anything");
    stage.pass(700);
    assert_eq!(stage.look(), ["Choose.", "600 ms"]);
    // While the prompt is heard.
    stage.press("5");
    assert_eq!(stage.look(), ["cut", "300 ms", "hang up"], "the second try was the last");
    stage.press("1");
    stage.pass(20_000);
    assert_eq!(stage.look(), [""; 0], "keys and time change nothing any more");
}

#[test]
fn a_choice_is_put_through_and_comes_back_when_nobody_answers() {
    let mut stage = Stage::in_main();
    stage.press("1");
    assert_eq!(stage.look(), ["1000 ms"]);
    stage.press("2");
    assert_eq!(stage.look(), [""; 0], "what was chosen stays chosen");
    stage.pass(1_000);
    assert_eq!(stage.look(), ["bridge alice"]);
    stage.answer(&Outcome::Begun("calling user alice".into()));
    assert_eq!(stage.look(), ["200 ms", "200 ms"], "it rings");
    stage.pass(6_000);
    assert!(stage.look().len() >= 25, "it goes on ringing");
    stage.press("2");
    stage.answer(&Outcome::Refused("486".into()));
    assert_eq!(stage.look()[..2], ["Not there: 486", "400 ms"]);
    stage.pass(3_000);
    assert_eq!(stage.look(), ["Choose.", "600 ms"]);
    stage.press("1");
    stage.pass(1_000);
    stage.answer(&Outcome::Begun(String::new()));
    stage.answer(&Outcome::Done(String::new()));
    stage.give(Command::Close);
    let Output::Timeout(at) = stage.agent.poll() else { panic!("events were left") };
    assert!(at.is_far_future(), "whose agent has gone is rung no more");
}

#[test]
fn longer_numbers_wait_for_their_end_and_shorter_ones_for_a_pause() {
    let mut stage = Stage::in_main();
    stage.press("217");
    assert_eq!(stage.look(), ["bridge 217 by carrier"], "at once: nothing is longer");
    let mut stage = Stage::in_main();
    stage.press("2");
    assert_eq!(stage.look(), [""; 0], "it may become 2xx");
    stage.pass(2_000);
    assert!(stage.agent.at.as_ref().is_some_and(|at| at.menu == 0), "menus are in the order of their names");
    let mut stage = Stage::in_main();
    stage.press("2#");
    assert_eq!(stage.agent.at.as_ref().map(|at| at.menu), Some(0), "# ends it");
    let mut stage = Stage::in_main();
    stage.press("#");
    assert_eq!(stage.look(), ["Open from nine to five.", "Choose.", "600 ms"]);
    let mut stage = Stage::in_main();
    stage.press("21");
    stage.pass(2_000);
    assert_eq!(stage.look(), ["700 ms"], "21 is nothing: as long as `no such`");
}

#[test]
fn values_are_collected_noted_and_used() {
    let account = || {
        let mut stage = Stage::in_main();
        stage.press("2#");
        stage.look();
        stage
    };
    let mut stage = account();
    stage.press("12#");
    assert_eq!(stage.look(), [""; 0], "too short, and this menu says nothing to that");
    stage.press("99*1234#");
    assert_eq!(stage.look(), ["set 1234", "Thank you, 1234.", "switch billing"]);
    assert!(stage.asked.contains(&(1, Action::Set { name: "account".into(), value: "1234".into() })));
    let mut stage = account();
    stage.press("12345");
    assert_eq!(stage.look(), ["set 12345", "Thank you, 12345.", "switch billing"], "five are the most");
    stage.answer(&Outcome::Refused("no key".into()));
    stage.press("#321#");
    assert_eq!(stage.look()[0], "set 321", "the # that came too late is swallowed, and the menu asks again");
    let mut stage = account();
    stage.press("123");
    stage.pass(3_000);
    assert_eq!(stage.look()[0], "set 123", "a pause ends it");
    let mut stage = account();
    stage.pass(30_000);
    assert_eq!(stage.look(), ["300 ms", "hang up"], "three times nothing");
}

#[test]
fn a_line_notes_writes_and_hangs_up_and_whoever_knows_the_way_need_not_wait() {
    let mut stage = Stage::in_main();
    stage.press("9");
    assert_eq!(stage.look(), ["set bad", "text to alice: Call +4930 back", "hang up"]);
    let mut stage = Stage::new(BOARD);
    stage.look();
    stage.press("9");
    assert_eq!(stage.look()[..2], ["cut", "set bad"], "in the middle of the greeting");
    // Hold stops the clock.
    let mut stage = Stage::in_main();
    stage.give(Command::Held(true));
    stage.pass(60_000);
    assert_eq!(stage.look(), [""; 0]);
    stage.give(Command::Held(false));
    stage.pass(5_000);
    assert_eq!(stage.look(), ["700 ms"]);
    // Speech is nothing in a menu.
    let mut stage = Stage::in_main();
    stage.give(Command::Speech(SpeechEdge::Started(stage.now)));
    stage.give(Command::Speech(SpeechEdge::Ended(stage.now)));
    stage.pass(4_000);
    assert_eq!(stage.look(), [""; 0]);
}

#[test]
fn mistakes_in_menus_name_their_place_and_what_was_meant() {
    let parse = |text: &str| {
        let text = format!("name = 'x'\n{text}");
        let silence = Sound { rate: crate::unit::SampleRate::HZ_8000, samples: Arc::from([0; 8]) };
        Script::parse(&text, &mut |_| Ok(silence.clone())).unwrap_err()
    };
    let menu = |text: &str| parse(&format!("[menu.main]\n[[menu.main.digit]]\npress = '1'\n{text}"));
    assert!(parse("[menu.main]\ntimout = '3s'").ends_with("; did you mean timeout?"));
    assert_eq!(menu("goto = 'mian'"), "menu.main.digit[1].goto: there is no menu mian; did you mean main?");
    assert_eq!(parse("start = 'x'"), "start: there is no menu x; there are none");
    assert_eq!(
        menu("goto = 'main'\nbridge = 'a'"),
        "menu.main.digit[1].bridge: goto follows already; a line has one of them"
    );
    assert_eq!(menu("trunk = 'a'"), "menu.main.digit[1].trunk: goes with transfer or bridge");
    assert_eq!(
        menu("hang_up = true\nfailed = { text = 'a' }"),
        "menu.main.digit[1].failed: goes with transfer, bridge or agent"
    );
    assert_eq!(menu("[[menu.main.digit]]\npress = '1'"), "menu.main.digit: press = \"1\" is there twice");
    assert!(menu("[[menu.main.digit]]\npress = 'y'").contains("x is any digit"));
    assert_eq!(menu("after = '1s'"), "menu.main.digit[1].after: a menu.main.digit[1] has no such key");
    assert_eq!(parse("[menu.main]"), "menu.main: has neither a digit nor collect");
    let two = "[menu.a.collect]\ninto = 'a'\n[menu.b.collect]\ninto = 'b'";
    assert_eq!(parse(two), "start: say which of the menus is the first: a, b");
    assert!(parse("[menu.a.collect]\ninto = 'a'\nleast = 3\nmost = 2").contains("least is not more than most"));
    assert!(parse("[menu.a.collect]\ninto = 'a'\nend = '##'").starts_with("menu.a.collect.end: one key"));
    let beside = "[menu.a.collect]\ninto = 'a'\n[[menu.a.digit]]\npress = '1'\nhang_up = true";
    assert!(parse(beside).contains("beside collect one of * # A-D"));
    assert!(menu("set = { 'a b' = 'c' }").starts_with("menu.main.digit[1].set.a b: a name has"));
}

#[test]
fn words_without_a_sound_are_spoken_where_a_program_is_named() {
    let parse = |text: &str| {
        let mut asked = Vec::new();
        let sound = Sound { rate: crate::unit::SampleRate::HZ_8000, samples: [0; 8].into() };
        let outcome = Script::parse(text, &mut |name| {
            asked.push(name.to_owned());
            Ok(sound.clone())
        });
        (outcome.err(), asked)
    };
    let lines = "[greeting]\ntext = 'Hello.'\n[goodbye]\nsay = 'builtin:goodbye'\ntext = 'Bye.'\n[menu.main]\ntext = 'Press 1.'\n[[menu.main.digit]]\npress = '1'\nhang_up = true";
    let (wrong, asked) = parse(&format!("name = 'x'\ntts_command = ['espeak-ng']\n{lines}"));
    assert_eq!((wrong, asked), (None, ["text:Hello.", "builtin:goodbye", "text:Press 1."].map(str::to_owned).to_vec()));
    assert_eq!(parse(&format!("name = 'x'\n{lines}")).1, ["builtin:goodbye"]);
    let (wrong, _) = parse("name = 'x'\ntts_command = ['espeak-ng']\n[greeting]\ntext = 'Hello {{from}}.'");
    assert!(wrong.is_some_and(|wrong| wrong.contains("greeting.text") && wrong.contains("give it a say")));
}
