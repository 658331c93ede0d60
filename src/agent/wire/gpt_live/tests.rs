//! The wire against frames as the vendor's types have them.

use super::{super::Wire as _, *};
use crate::agent::wire::tool::Tool;

fn wire(codec: &str, settings: Settings) -> Wire {
    Wire::new(Arc::new(settings), &Facts { codec: codec.to_owned(), ..Facts::default() })
}

fn parsed(messages: &[String]) -> Vec<Value> {
    messages.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

fn receive(wire: &mut Wire, frame: &Value) -> Vec<Event> {
    let mut events = VecDeque::new();
    wire.receive(frame.to_string().as_bytes(), &mut events);
    events.into()
}

fn send(wire: &mut Wire, command: Command<'_>) -> Vec<Value> {
    let mut messages = Vec::new();
    wire.send(command, &mut messages);
    parsed(&messages)
}

fn set_up(wire: &mut Wire) -> Value {
    let mut messages = Vec::new();
    wire.setup(&mut messages, &mut VecDeque::new());
    parsed(&messages).remove(0)
}

fn live(settings: Settings) -> Wire {
    let mut wire = wire("pcmu", settings);
    set_up(&mut wire);
    assert_eq!(receive(&mut wire, &json!({"type": "session.started", "session": {"id": "s"}})), [Event::Ready]);
    wire
}

fn fresh() -> Wire {
    wire("pcmu", quiet())
}

fn quiet() -> Settings {
    Settings { greeting: None, ..Settings::default() }
}

/// 100 ms of the stream, loud or silent.
fn stream(loud: bool) -> Value {
    let byte = if loud { 0x31 } else { 0xff };
    let delta = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [byte; 800]);
    json!({"type": "session.output_audio.delta", "delta": delta})
}

#[test]
fn a_session_starts_with_every_field_in_its_place() {
    let settings = Settings {
        voice: Some("marin".into()),
        instructions: Some("Be brief.".into()),
        delegate: Some("gpt-5".into()),
        reasoning: Some("low".into()),
        tools: [Tool { name: "weather".into(), description: "d".into(), parameters: None }].into(),
        ..Settings::default()
    };
    for (codec, format) in [
        ("pcmu", json!({"type": "audio/pcmu", "rate": 8_000})),
        ("pcma", json!({"type": "audio/pcma", "rate": 8_000})),
        ("opus", json!({"type": "audio/pcm", "rate": 24_000})),
    ] {
        let start = set_up(&mut wire(codec, settings.clone()));
        let tool = json!({"type": "function", "name": "weather", "description": "d",
            "parameters": {"type": "object", "properties": {}}});
        let responses =
            json!({"model": "gpt-5", "instructions": "Be brief.", "tools": [tool], "reasoning": {"effort": "low"}});
        let session = json!({"model": "gpt-live-1", "instructions": "Be brief.",
            "audio": {"format": format, "output": {"voice": "marin"}},
            "delegation": {"type": "responses", "responses": responses}});
        assert_eq!(start, json!({"type": "session.start", "event_id": "v1", "session": session}));
    }
    let url = |base| (PROVIDER.url)(&Settings::default(), base, "");
    assert_eq!(url("wss://api.openai.com/v1"), "wss://api.openai.com/v1/live/sessions");
    assert_eq!(check(&Settings { reasoning: Some("low".into()), ..Settings::default() })[0].field, "reasoning");
}

#[test]
fn silence_of_the_stream_lies_between_turns() {
    let mut wire = live(quiet());
    assert_eq!(receive(&mut wire, &stream(false)), [], "the stream's silence is not passed on");
    let heard = |events: Vec<Event>| matches!(&events[..], [Event::Audio { samples, .. }] if samples.len() == 800);
    assert!(heard(receive(&mut wire, &stream(true))));
    let pause: Vec<bool> = (0..5).map(|_| heard(receive(&mut wire, &stream(false)))).collect();
    assert_eq!(pause, [true, true, false, false, false], "the rest of a pause passes by itself");
    assert!(heard(receive(&mut wire, &stream(true))));
    let ends: Vec<Event> = (0..7).flat_map(|_| receive(&mut wire, &stream(false))).collect();
    assert_eq!(ends.iter().filter(|event| **event == Event::TurnComplete).count(), 1, "{ends:?}");
    assert_eq!(ends.len(), 3, "a pause, the end, and nothing: {ends:?}");
}

#[test]
fn an_interrupted_stream_is_heard_again_when_it_yielded_or_goes_on() {
    let mut wire = live(quiet());
    receive(&mut wire, &stream(true));
    assert_eq!(send(&mut wire, Command::Interrupted { heard_ms: 40 }), [] as [Value; 0], "nothing to truncate");
    assert_eq!(receive(&mut wire, &stream(true)), [], "what was on its way");
    assert_eq!(receive(&mut wire, &stream(false)), []);
    assert_eq!(receive(&mut wire, &stream(false)), [Event::TurnComplete], "it has yielded");
    assert!(matches!(receive(&mut wire, &stream(true))[..], [Event::Audio { .. }]));
    send(&mut wire, Command::Interrupted { heard_ms: 40 });
    let events: Vec<Event> = (0..7).flat_map(|_| receive(&mut wire, &stream(true))).collect();
    assert!(matches!(events[..], [Event::TurnComplete, Event::Audio { .. }]), "it goes on: {events:?}");
}

#[test]
fn it_is_told_to_greet_and_of_keys_and_holds() {
    let mut wire = wire("pcmu", Settings { greeting: Some("Greet.".into()), ..Settings::default() });
    set_up(&mut wire);
    assert_eq!(send(&mut wire, Command::Start), [] as [Value; 0]);
    send(&mut wire, Command::Digit('5'));
    receive(&mut wire, &json!({"type": "session.started", "session": {}}));
    let mut due = Vec::new();
    wire.due(&mut due);
    let due = parsed(&due);
    let kinds: Vec<_> = due.iter().map(|message| message["type"].as_str().unwrap()).collect();
    let (instruct, speak) = ("session.instructions.append", "session.commentary.append");
    assert_eq!(kinds, [instruct, speak, instruct, speak]);
    assert_eq!((&due[0]["content"], &due[0]["delegation_id"]), (&json!("Greet."), &Value::Null));
    assert_eq!(send(&mut wire, Command::Held(true))[0]["type"], "session.input_audio.mute");
    assert_eq!(send(&mut wire, Command::Held(false))[0]["type"], "session.input_audio.unmute");
    assert_eq!(send(&mut wire, Command::Close)[0]["type"], "session.close");
}

#[test]
fn tools_are_called_by_the_second_model_and_go_on_when_all_have_answered() {
    let mut wire = live(quiet());
    let call = |id: &str| {
        let item = json!({"type": "function_call", "call_id": id, "name": "weather", "arguments": "{}"});
        json!({"type": "response.event", "delegation_id": "d", "event": {"type": "response.output_item.done", "item": item}})
    };
    assert!(matches!(&receive(&mut wire, &call("a"))[..], [Event::ToolCall(call)] if call.id == "a"));
    receive(&mut wire, &call("b"));
    let first = send(&mut wire, Command::ToolResult { id: "a", name: "weather", result: Ok(&json!({"sky": "clear"})) });
    assert_eq!(first.len(), 1, "{first:?}");
    let item = json!({"type": "function_call_output", "call_id": "a", "output": "{\"sky\":\"clear\"}"});
    assert_eq!((&first[0]["type"], &first[0]["item"]), (&json!("response.item.create"), &item));
    let last = send(&mut wire, Command::ToolResult { id: "b", name: "weather", result: Err("closed") });
    assert_eq!(last[1]["type"], "response.create");
    let text = json!({"type": "response.event", "event": {"type": "response.output_text.delta", "delta": "x"}});
    assert_eq!(receive(&mut wire, &text), []);
}

#[test]
fn a_new_connection_is_told_what_was_said_and_hears_the_open_question_again() {
    let mut wire = live(Settings::default());
    for (kind, words) in [("output", "Hel"), ("output", "lo."), ("input", "I lost"), ("input", " my card.")] {
        let delta =
            json!({"type": format!("session.{kind}_transcript.delta"), "delta": words, "start_ms": 0, "end_ms": 9});
        assert_eq!(receive(&mut wire, &delta).len(), 1);
    }
    send(&mut wire, Command::Speech(SpeechEdge::Started(crate::clock::Instant::ZERO)));
    send(&mut wire, Command::Audio { rate: SampleRate::HZ_8000, samples: &[9; 1_600] });
    send(&mut wire, Command::Speech(SpeechEdge::Ended(crate::clock::Instant::ZERO)));
    assert_eq!(wire.closed(1_006, ""), AfterClose::Reconnect);
    let start = set_up(&mut wire);
    let said =
        json!([{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}]);
    assert_eq!(start["session"]["input"], said, "the question is not told in words as well");
    receive(&mut wire, &json!({"type": "session.started", "session": {}}));
    let mut due = Vec::new();
    wire.due(&mut due);
    assert_eq!(due.len(), 2, "200 ms of sound, and no second greeting: {due:?}");
    assert!(due.iter().all(|message| message.starts_with(APPEND)));
}

#[test]
fn the_end_of_a_session_says_what_follows() {
    let closed = |reason: &str| json!({"type": "session.closed", "reason": reason, "usage": {"seconds": 4.0}});
    let mut wire = live(quiet());
    assert!(matches!(receive(&mut wire, &closed("expired"))[..], [Event::GoingAway(_)]));
    assert_eq!(wire.leaves_within(), Some(Duration::ZERO));
    let mut wire = live(quiet());
    assert!(matches!(&receive(&mut wire, &closed("content"))[..], [Event::Failed(text)] if text.contains("content")));
    let error = json!({"type": "error", "error": {"type": "invalid_request_error", "code": "model_not_found", "message": "no"}});
    assert!(matches!(&receive(&mut wire, &error)[..], [Event::Note(_)]));
    let mut wire = fresh();
    set_up(&mut wire);
    assert!(
        matches!(&receive(&mut wire, &error)[..], [Event::Failed(text)] if text.contains("agents.NAME.model")),
        "before it has begun"
    );
    assert!(matches!(wire.closed(1_008, "no"), AfterClose::GiveUp(_)));
    for frame in ["", "{", "[]", "{\"type\":1}", r#"{"type":"session.output_audio.delta","delta":"!!"}"#] {
        let mut events = VecDeque::new();
        wire.receive(frame.as_bytes(), &mut events);
        assert!(matches!(&events.make_contiguous()[..], [Event::Note(_)]), "{frame}: {events:?}");
    }
}
