//! Conversations in virtual time: stages that answer when the test says so.

use super::*;
use crate::agent::{stages::Shape, wire};
use serde_json::json;

struct Room {
    talk: Talk,
    now: Instant,
    events: Vec<Event>,
    asks: Vec<Ask>,
    dropped: Vec<u32>,
    /// Samples that a streaming ear got; 0 is the end of an utterance.
    streamed: Vec<usize>,
}

fn settings(change: impl FnOnce(&mut Settings, &mut wire::Settings)) -> Arc<Settings> {
    let mut told = wire::Settings { greeting: None, ..wire::Settings::default() };
    let mut settings = Settings::default();
    change(&mut settings, &mut told);
    settings.told = Arc::new(told);
    Arc::new(settings)
}

impl Room {
    fn new(settings: Arc<Settings>) -> Self {
        let now = Instant::from_millis(1_000);
        let mut room = Self {
            talk: Talk::new(now, settings),
            now,
            events: Vec::new(),
            asks: Vec::new(),
            dropped: Vec::new(),
            streamed: Vec::new(),
        };
        room.drain();
        room
    }

    /// A call without a greeting that was answered.
    fn answered(change: impl FnOnce(&mut Settings, &mut wire::Settings)) -> Self {
        let mut room = Self::new(settings(change));
        room.call(Command::Start);
        room
    }

    fn drain(&mut self) {
        loop {
            match self.talk.poll() {
                Output::Event(event) => self.events.push(event),
                Output::Ask(ask) => self.asks.push(ask),
                Output::Drop(id) => self.dropped.push(id),
                Output::Hear(samples) => self.streamed.push(samples.len()),
                Output::HeardOut => self.streamed.push(0),
                Output::Timeout(_) => return,
            }
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.talk.handle(self.now, input);
        self.drain();
    }

    fn call(&mut self, command: Command<'_>) {
        self.handle(Input::Call(command));
    }

    /// Time passes; what falls due is done in between.
    fn pass(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while self.talk.timeout() <= until {
            self.now = self.now.max(self.talk.timeout());
            self.handle(Input::Timeout);
        }
        self.now = until;
    }

    /// The caller speaks for so long, and is silent for `END_OF_SPEECH` and a bit.
    fn caller_speaks(&mut self, ms: u64) {
        self.caller_begins(ms);
        self.call(Command::Speech(SpeechEdge::Ended(self.now)));
        self.pass(700);
    }

    fn caller_begins(&mut self, ms: u64) {
        self.call(Command::Speech(SpeechEdge::Started(self.now)));
        for _ in 0..ms / 20 {
            self.call(Command::Audio { rate: SampleRate::HZ_16000, samples: &[500; 320] });
            self.pass(20);
        }
    }

    /// The caller breaks in after so much of the turn, and the call cuts it.
    fn caller_interrupts(&mut self, heard_ms: u32) {
        self.call(Command::Speech(SpeechEdge::Started(self.now)));
        self.call(Command::Interrupted { heard_ms });
        self.caller_begins(200);
    }

    /// The newest request of a stage.
    fn asked(&self, stage: Stage) -> &Ask {
        self.asks.iter().rev().find(|ask| ask.stage == stage).unwrap_or_else(|| panic!("{stage:?}: {:?}", self.asks))
    }

    fn count(&self, stage: Stage) -> usize {
        self.asks.iter().filter(|ask| ask.stage == stage).count()
    }

    fn messages(&self) -> Value {
        serde_json::from_slice::<Value>(&self.asked(Stage::Llm).body).unwrap()["messages"].clone()
    }

    fn sentence(ask: &Ask) -> String {
        serde_json::from_slice::<Value>(&ask.body).unwrap()["input"].as_str().unwrap().to_owned()
    }

    /// The ear's newest request is answered.
    fn heard(&mut self, words: &str) {
        let id = self.asked(Stage::Stt).id;
        self.handle(Input::Piece(id, json!({"text": words}).to_string().as_bytes()));
        self.handle(Input::End(id));
    }

    fn writes(&mut self, text: &str) {
        let id = self.asked(Stage::Llm).id;
        let chunk = json!({"choices": [{"index": 0, "delta": {"content": text}}]});
        self.handle(Input::Piece(id, format!("data: {chunk}\n\n").as_bytes()));
    }

    fn has_written(&mut self) {
        let id = self.asked(Stage::Llm).id;
        self.handle(Input::Piece(
            id,
            b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
        ));
        self.handle(Input::End(id));
    }

    /// So much sound of the sentence that this request is for.
    fn speaks(&mut self, ask: u32, ms: usize) {
        self.handle(Input::Piece(ask, &vec![1; ms * 48]));
    }

    /// All sentences that were asked for are spoken, a second each.
    fn speaks_all(&mut self) {
        let open: Vec<u32> = self.talk.asks.iter().map(|pending| pending.ask.id).collect();
        for ask in self.asks.clone().iter().filter(|ask| ask.stage == Stage::Tts && open.contains(&ask.id)) {
            self.speaks(ask.id, 1_000);
            self.handle(Input::End(ask.id));
        }
    }

    fn sound_ms(&self) -> u128 {
        let sound = self.events.iter().filter_map(|event| match event {
            Event::Audio { rate, samples } => Some(rate.duration_of(samples.len())),
            _ => None,
        });
        sound.sum::<Duration>().as_millis()
    }

    fn has(&self, event: &Event) -> bool {
        self.events.contains(event)
    }

    fn failed(&self) -> Option<&str> {
        self.events.iter().find_map(|event| if let Event::Failed(text) = event { Some(text.as_str()) } else { None })
    }

    fn notes(&self) -> String {
        self.events
            .iter()
            .filter_map(|event| if let Event::Note(text) = event { Some(text.clone()) } else { None })
            .collect()
    }
}

fn problem(text: &str, passing: bool) -> Problem {
    Problem { text: text.to_owned(), passing }
}

#[test]
fn a_turn_goes_through_the_three_stages_and_speaks_while_the_model_writes() {
    let mut room = Room::answered(|_, told| told.instructions = Some("Be brief.".into()));
    assert_eq!(room.events, [Event::Ready]);
    room.caller_speaks(800);
    room.heard("What time is it?");
    assert_eq!(
        room.messages(),
        json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What time is it?"}])
    );
    room.writes("It is ten. ");
    room.writes("Or so");
    assert_eq!(room.count(Stage::Tts), 1, "the first sentence is spoken while the second is written");
    let first = room.asked(Stage::Tts).id;
    room.speaks(first, 500);
    assert_eq!(room.sound_ms(), 500);
    room.writes(". Bye. Four. Five. Six.");
    room.has_written();
    assert_eq!(room.count(Stage::Tts), 2, "one more is fetched ahead");
    let second = room.asked(Stage::Tts).clone();
    room.speaks(second.id, 300);
    room.handle(Input::End(second.id));
    assert_eq!((Room::sentence(&second).as_str(), room.sound_ms()), ("Or so.", 500), "it waits for the first");
    room.handle(Input::End(first));
    assert_eq!(room.sound_ms(), 800);
    room.speaks_all();
    room.speaks_all();
    assert_eq!(room.count(Stage::Tts), 4, "nobody makes sound far ahead of the caller");
    assert!(!room.has(&Event::TurnComplete));
    room.call(Command::Marked(4));
    room.speaks_all();
    assert_eq!(room.count(Stage::Tts), 6);
    assert_eq!(room.events.last(), Some(&Event::TurnComplete));
    let steps: Vec<&Event> =
        room.events.iter().filter(|event| !matches!(event, Event::Audio { .. } | Event::Mark(_))).collect();
    let step = |name| Event::Step { name, owner: name.to_owned() };
    let expected = [
        Event::Ready,
        Event::EndOfSpeech,
        step("stt"),
        Event::CallerText("What time is it?".into()),
        step("llm"),
        step("tts"),
        Event::AgentText("It is ten.".into()),
        Event::AgentText(" Or so.".into()),
    ];
    assert_eq!(steps[..8], expected.iter().collect::<Vec<_>>());
}

#[test]
fn a_greeting_is_made_before_the_call_is_answered() {
    let mut room = Room::new(settings(|_, told| told.greeting = Some("Greet.".into())));
    assert_eq!((room.events.len(), room.messages()[0]["content"].as_str()), (0, Some("Greet.")));
    room.writes("Hello. ");
    let ask = room.asked(Stage::Tts).id;
    room.speaks(ask, 200);
    assert_eq!(room.events, [Event::Ready], "the call is answered with the first sound, which waits for that");
    room.call(Command::Start);
    assert_eq!(room.sound_ms(), 200);
    room.has_written();
    room.handle(Input::End(ask));
    assert_eq!(room.events.last(), Some(&Event::TurnComplete));
}

#[test]
fn a_breath_is_not_the_end_and_what_was_said_is_written_down_as_a_whole() {
    let mut room = Room::answered(|_, _| {});
    room.caller_begins(600);
    room.call(Command::Speech(SpeechEdge::Ended(room.now)));
    room.pass(300);
    assert_eq!(room.count(Stage::Stt), 1, "asked in the pause already");
    room.heard("My name");
    assert_eq!(room.count(Stage::Llm), 0);
    room.caller_begins(400);
    room.call(Command::Speech(SpeechEdge::Ended(room.now)));
    assert_eq!(room.count(Stage::Stt), 2);
    // 600 and 400 ms; nothing was heard in the pause.
    assert!(room.asked(Stage::Stt).body.len() > 32_000, "{}", room.asked(Stage::Stt).body.len());
    room.heard("My name is Ann");
    assert_eq!(room.count(Stage::Llm), 0, "the pause has to last");
    room.pass(600);
    assert_eq!(room.messages()[0]["content"], "My name is Ann");
    let words: Vec<&Event> = room.events.iter().filter(|event| matches!(event, Event::CallerText(_))).collect();
    assert_eq!(words.len(), 1);
}

#[test]
fn a_caller_who_goes_on_before_the_answer_is_answered_as_a_whole() {
    let mut room = Room::answered(|_, _| {});
    room.caller_speaks(500);
    room.heard("I want a bicycle.");
    room.writes("Certainly, ");
    let (llm, asked) = (room.asked(Stage::Llm).id, room.count(Stage::Llm));
    room.caller_begins(300);
    assert_eq!(room.dropped, [llm]);
    room.call(Command::Speech(SpeechEdge::Ended(room.now)));
    room.pass(700);
    room.heard("A red one.");
    assert_eq!(room.count(Stage::Llm), asked + 1);
    assert_eq!(room.messages(), json!([{"role": "user", "content": "I want a bicycle. A red one."}]));
    assert!(room.has(&Event::CallerText(" A red one.".into())) && !room.has(&Event::Interrupted));
    // A cough instead: the question is still answered.
    room.caller_speaks(200);
    room.heard("");
    assert_eq!(room.count(Stage::Llm), asked + 2);
}

#[test]
fn a_barge_in_cuts_all_stages_and_the_history_keeps_what_was_heard() {
    let mut room = Room::answered(|_, _| {});
    room.caller_speaks(500);
    room.heard("Tell me.");
    room.writes("One two three four. Five six seven eight. Never heard. And still wri");
    let asks: Vec<u32> = room.asks.iter().filter(|ask| ask.stage == Stage::Tts).map(|ask| ask.id).collect();
    let llm = room.asked(Stage::Llm).id;
    room.speaks(asks[0], 1_000);
    room.handle(Input::End(asks[0]));
    room.speaks(asks[1], 1_600);
    let third = room.asked(Stage::Tts).id;
    room.caller_interrupts(1_800);
    assert!(room.has(&Event::Interrupted));
    assert_eq!(room.events.last(), Some(&Event::TurnComplete), "what comes next is not late");
    for id in [llm, asks[1], third] {
        assert!(room.dropped.contains(&id), "{id}: {:?}", room.dropped);
    }
    let sound = room.sound_ms();
    room.speaks(asks[1], 500);
    assert_eq!(room.sound_ms(), sound, "late sound is nobody's");
    room.call(Command::Speech(SpeechEdge::Ended(room.now)));
    room.pass(700);
    room.heard("Stop!");
    let messages = room.messages();
    assert_eq!(messages[1], json!({"role": "assistant", "content": "One two three four. Five six"}));
    assert_eq!(messages[2], json!({"role": "user", "content": "Stop!"}));
}

#[test]
fn a_cough_cuts_but_the_model_goes_on() {
    let mut room = Room::answered(|_, _| {});
    room.caller_speaks(500);
    room.heard("Tell me.");
    room.writes("A long story begins. ");
    let ask = room.asked(Stage::Tts).id;
    room.speaks(ask, 2_000);
    room.caller_interrupts(1_000);
    room.call(Command::Speech(SpeechEdge::Ended(room.now)));
    room.pass(700);
    room.heard(" ");
    let messages = room.messages();
    assert_eq!(messages[1]["content"], "A long");
    assert!(messages[2]["content"].as_str().unwrap().contains("Go on where you were interrupted"));
}

#[test]
fn words_interrupt_where_voice_does_not_and_nothing_does_where_it_may_not() {
    for (interrupts, answers) in [(Interrupts::Words, 2), (Interrupts::Never, 1)] {
        let mut room = Room::answered(|settings, _| settings.interrupts = interrupts);
        room.caller_speaks(500);
        room.heard("Tell me.");
        room.writes("A long story. ");
        room.has_written();
        room.speaks_all();
        room.caller_speaks(300);
        assert!(!room.has(&Event::Interrupted));
        room.heard("");
        assert!(!room.has(&Event::Interrupted), "{interrupts:?}: a cough");
        room.caller_speaks(300);
        room.heard("Enough.");
        assert_eq!(room.has(&Event::Interrupted), interrupts == Interrupts::Words);
        if interrupts == Interrupts::Words {
            room.call(Command::Interrupted { heard_ms: 500 });
        }
        assert_eq!(room.count(Stage::Llm), answers, "{interrupts:?}");
        if interrupts == Interrupts::Never {
            room.call(Command::Marked(1));
            room.call(Command::Played);
            assert_eq!(room.count(Stage::Llm), 2, "when all was said it is answered");
        }
        assert_eq!(room.messages().as_array().unwrap().last().unwrap()["content"], "Enough.");
    }
}

#[test]
fn a_cut_that_the_call_does_not_confirm_does_not_stop_the_conversation() {
    let mut room = Room::answered(|settings, _| settings.interrupts = Interrupts::Words);
    room.caller_speaks(500);
    room.heard("Tell me.");
    room.writes("So. ");
    room.speaks_all();
    room.caller_speaks(300);
    room.heard("Enough.");
    assert_eq!(room.count(Stage::Llm), 1);
    room.pass(300);
    assert_eq!(room.count(Stage::Llm), 2);
}

#[test]
fn tools_are_called_and_the_model_goes_on_with_their_results() {
    let mut room = Room::answered(|_, _| {});
    room.caller_speaks(500);
    room.heard("Where is it?");
    room.writes("I look. ");
    let id = room.asked(Stage::Llm).id;
    let calls = json!([{"index": 0, "id": "c1", "function": {"name": "order", "arguments": "{\"n\":"}}]);
    let more =
        json!([{"index": 0, "function": {"arguments": "7}"}}, {"index": 1, "id": "", "function": {"name": "time"}}]);
    for calls in [calls, more] {
        let chunk = json!({"choices": [{"delta": {"tool_calls": calls}}]});
        room.handle(Input::Piece(id, format!("data: {chunk}\n\n").as_bytes()));
    }
    room.has_written();
    let call = |id: &str, name: &str, arguments: &str| {
        Event::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() })
    };
    assert!(room.has(&call("c1", "order", "{\"n\":7}")));
    let other = room.events.iter().find_map(|event| match event {
        Event::ToolCall(call) if call.name == "time" => Some(call.id.clone()),
        _ => None,
    });
    let other = other.unwrap();
    room.call(Command::ToolResult { id: "c1", name: "order", result: Ok(&json!("in Ulm")) });
    assert_eq!(room.count(Stage::Llm), 1, "the other is at work");
    room.call(Command::ToolResult { id: &other, name: "time", result: Err("no clock") });
    let messages = room.messages();
    assert_eq!(messages[1]["content"], "I look.");
    assert_eq!(messages[2], json!({"role": "tool", "tool_call_id": "c1", "content": "in Ulm"}));
    assert_eq!(messages[3]["content"], "{\"error\":\"no clock\"}");
    room.speaks_all();
    assert!(!room.has(&Event::TurnComplete), "the model is about to go on");
    room.writes("It is in Ulm.");
    room.has_written();
    room.speaks_all();
    assert_eq!(room.events.last(), Some(&Event::TurnComplete));
}

#[test]
fn last_words_are_not_interrupted_and_keys_are_told_together() {
    let mut room = Room::answered(|_, _| {});
    for key in ['1', '2', '#'] {
        room.call(Command::Digit(key));
        room.pass(300);
    }
    assert_eq!(room.count(Stage::Llm), 0);
    room.pass(1_000);
    assert_eq!(room.messages()[0]["content"], "The caller pressed on the telephone: 1 2 #");
    let id = room.asked(Stage::Llm).id;
    let chunk = json!({"choices": [{"delta": {"content": "Goodbye.",
        "tool_calls": [{"index": 0, "id": "c1", "function": {"name": "hang_up", "arguments": "{}"}}]}}]});
    room.handle(Input::Piece(id, format!("data: {chunk}\n\n").as_bytes()));
    room.has_written();
    room.speaks_all();
    room.caller_begins(200);
    assert!(!room.has(&Event::Interrupted));
}

#[test]
fn what_passes_is_asked_again_and_what_does_not_ends_in_the_reason() {
    for (stage, what) in Stage::ALL.into_iter().zip(["stt", "llm", "tts"]) {
        for passing in [true, false] {
            let mut room = Room::answered(|_, _| {});
            room.caller_speaks(500);
            if stage != Stage::Stt {
                room.heard("Hello.");
            }
            if stage == Stage::Tts {
                room.writes("Hi. ");
            }
            let first = room.asked(stage).id;
            room.handle(Input::Failed(first, problem("answered 429", passing)));
            if !passing {
                assert_eq!(room.failed(), Some(format!("{what}: answered 429").as_str()));
                continue;
            }
            assert_eq!((room.failed(), room.count(stage)), (None, 1));
            room.pass(250);
            assert_eq!(room.count(stage), 2, "{what}: asked again");
            assert_ne!(room.asked(stage).id, first);
            room.handle(Input::Failed(room.asked(stage).id, problem("answered 500", true)));
            assert!(room.failed().is_some_and(|text| text.contains(what) && text.contains("500")), "{:?}", room.events);
            room.pass(60_000);
            assert_eq!(room.count(stage), 2, "nobody is asked after that");
        }
    }
}

#[test]
fn an_ear_that_streams_hears_all_that_is_asked_for_and_when_an_utterance_ends() {
    let mut room = Room::answered(|settings, _| settings.shapes[0] = Shape::Deepgram);
    room.call(Command::Audio { rate: SampleRate::HZ_16000, samples: &[1; 320] });
    assert!(room.streamed.is_empty(), "silence is nobody's");
    room.caller_begins(400);
    room.call(Command::Speech(SpeechEdge::Ended(room.now)));
    let sum = |room: &Room| room.streamed.iter().sum::<usize>();
    assert_eq!((room.streamed[0], sum(&room)), (320, 320 + 20 * 320), "what was before the onset, then all of it");
    assert_eq!(room.asked(Stage::Stt).body.len(), 2 * sum(&room), "the request holds the same");
    // A breath: the same utterance goes on.
    room.caller_begins(200);
    room.call(Command::Speech(SpeechEdge::Ended(room.now)));
    assert!(!room.streamed.contains(&0));
    assert_eq!(room.asked(Stage::Stt).body.len(), 2 * sum(&room));
    room.heard("What time is it?");
    room.pass(700);
    assert_eq!(room.streamed.last(), Some(&0));
    room.caller_begins(20);
    room.call(Command::Held(true));
    assert_eq!(room.streamed.last(), Some(&0));
}

#[test]
fn what_an_answer_costs_is_told_once_with_its_end() {
    let mut room = Room::answered(|_, _| {});
    room.caller_speaks(500);
    room.heard("Hello.");
    room.writes("Hi. ");
    let id = room.asked(Stage::Llm).id;
    for tokens in [3, 5] {
        let chunk = json!({"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": tokens}});
        room.handle(Input::Piece(id, format!("data: {chunk}\n\n").as_bytes()));
    }
    room.has_written();
    let told: Vec<_> = room.events.iter().filter(|event| matches!(event, Event::Usage(_))).collect();
    let usage = Usage { input_tokens: 20, output_tokens: 5, total_tokens: 25, ..Usage::default() };
    assert_eq!(told, [&Event::Usage(usage)], "a server that counts on is not counted twice");
}

#[test]
fn a_silent_stage_is_given_up_in_time() {
    for stage in Stage::ALL {
        let mut room = Room::answered(|settings, _| settings.within = Duration::from_secs(4));
        room.caller_speaks(500);
        if stage != Stage::Stt {
            room.heard("Hello.");
        }
        if stage == Stage::Tts {
            room.writes("Hi. ");
        }
        room.pass(3_200);
        assert_eq!(room.failed(), None);
        room.pass(900);
        assert!(room.failed().unwrap().contains("nothing came for 4 s"), "{:?}", room.failed());
        assert!(room.dropped.contains(&room.asked(stage).id));
    }
}

#[test]
fn an_answer_that_breaks_off_is_gone_on_with() {
    let mut room = Room::answered(|_, _| {});
    room.caller_speaks(500);
    room.heard("Tell me.");
    room.writes("One. Two. Thr");
    let id = room.asked(Stage::Llm).id;
    room.handle(Input::Failed(id, problem("the answer broke off", true)));
    room.speaks_all();
    assert!(!room.has(&Event::TurnComplete), "the rest follows");
    room.pass(300);
    let messages = room.messages();
    assert_eq!(messages[1]["content"], "One. Two.");
    assert!(messages[2]["content"].as_str().unwrap().contains("broken off"));
    room.writes("Three.");
    room.has_written();
    room.speaks_all();
    assert_eq!(room.events.last(), Some(&Event::TurnComplete));
    // A stream that just ends, without a word or an end, is no answer.
    room.call(Command::Marked(9));
    room.call(Command::Played);
    room.caller_speaks(500);
    room.heard("And?");
    for _ in 0..2 {
        assert_eq!(room.failed(), None);
        let id = room.asked(Stage::Llm).id;
        room.handle(Input::Piece(id, b"data: {\"choices\":[\n\n: ping\n"));
        room.handle(Input::End(id));
        room.pass(300);
    }
    assert!(room.failed().unwrap().contains("broke off") && room.notes().contains("could not be read"));
}

#[test]
fn a_sentence_that_breaks_off_loses_its_rest_and_three_in_a_row_are_too_many() {
    let mut room = Room::answered(|_, _| {});
    room.caller_speaks(500);
    room.heard("Tell me.");
    room.writes("One. Two. Three. Four.");
    room.has_written();
    for n in 0..3 {
        assert_eq!(room.failed(), None, "{n}");
        let id = room.talk.asks[0].ask.id;
        room.speaks(id, 400);
        room.handle(Input::Failed(id, problem("the answer broke off", true)));
    }
    assert!(room.notes().contains("the rest of a sentence is lost"));
    assert!(room.failed().is_some(), "{:?}", room.events);
    assert_eq!(room.sound_ms(), 1_200);
}

#[test]
fn text_instead_of_sound_is_not_played() {
    let mut room = Room::answered(|_, _| {});
    room.caller_speaks(500);
    room.heard("Tell me.");
    room.writes("One. ");
    let id = room.asked(Stage::Tts).id;
    room.handle(Input::Piece(id, br#"{"error":"no"}"#));
    room.pass(300);
    let again = room.asked(Stage::Tts).id;
    assert!(again != id && room.dropped.contains(&id));
    room.handle(Input::End(again));
    assert!(room.failed().unwrap().contains("no sound"), "{:?}", room.failed());
    assert_eq!(room.sound_ms(), 0);
}

#[test]
fn a_monologue_is_written_down_in_pieces_and_a_hold_forgets_half_a_word() {
    let mut room = Room::answered(|_, _| {});
    room.caller_begins(61_000);
    assert_eq!(room.count(Stage::Stt), 1);
    room.heard("A minute.");
    assert_eq!(room.count(Stage::Llm), 0, "still speaking");
    room.call(Command::Speech(SpeechEdge::Ended(room.now)));
    room.heard("And a bit.");
    room.pass(700);
    assert_eq!(room.messages()[0]["content"], "A minute. And a bit.");
    let mut room = Room::answered(|_, _| {});
    room.caller_begins(300);
    room.call(Command::Held(true));
    room.call(Command::Speech(SpeechEdge::Ended(room.now)));
    room.pass(2_000);
    room.call(Command::Held(false));
    assert_eq!(room.count(Stage::Stt), 0);
}

#[test]
fn an_hour_of_turns_grows_nothing() {
    let mut room = Room::answered(|_, _| {});
    for n in 0..600 {
        room.caller_speaks(1_000);
        room.heard(&format!("Question {n}, {}", "which is long ".repeat(20)));
        room.writes("An answer. And another sentence.");
        room.has_written();
        room.speaks_all();
        assert_eq!(room.events.last(), Some(&Event::TurnComplete), "{n}");
        room.call(Command::Marked(2 * (n + 1)));
        room.call(Command::Played);
        room.pass(3_000);
        assert!(room.asks.last().unwrap().body.len() < 200_000);
        (room.events, room.asks) = (Vec::new(), Vec::new());
        assert_eq!((room.talk.asks.len(), room.talk.mouth.is_busy()), (0, false));
    }
    assert_eq!(room.failed(), None);
}
