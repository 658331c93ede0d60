//! The wire against frames as the vendor documents them.

use super::{super::Wire as _, *};
use crate::{agent::wire::tool::Tool, call::journal::Usage};

fn wire(codec: &str, settings: Settings) -> Wire {
    Wire::new(Arc::new(settings), &Facts { codec: codec.to_owned(), ..Facts::default() })
}

fn receive(wire: &mut Wire, frame: &Value) -> Vec<Event> {
    let mut events = VecDeque::new();
    wire.receive(frame.to_string().as_bytes(), &mut events);
    events.into()
}

fn send(wire: &mut Wire, command: Command<'_>) -> Vec<Value> {
    let mut messages = Vec::new();
    wire.send(command, &mut messages);
    messages.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

fn due(wire: &mut Wire) -> Vec<Value> {
    let mut messages = Vec::new();
    wire.due(&mut messages);
    messages.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

fn live(codec: &str) -> Wire {
    let mut wire = wire(codec, Settings { greeting: None, ..Settings::default() });
    wire.setup(&mut Vec::new(), &mut VecDeque::new());
    let format = session::wanted(&wire.settings, wire.encoding, true)["audio"]["output"]["format"].clone();
    let updated = json!({"type": "session.updated", "session": {"audio": {"output": {"format": format}}}});
    assert_eq!(receive(&mut wire, &updated), [Event::Ready]);
    wire
}

fn audio(response: &str, item: &str, samples: usize) -> Value {
    let delta = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, vec![0x31; samples]);
    json!({"type": "response.output_audio.delta", "response_id": response, "item_id": item, "delta": delta})
}

fn begun(wire: &mut Wire, response: &str) {
    receive(wire, &json!({"type": "response.created", "response": {"id": response}}));
}

fn ended(wire: &mut Wire, response: &str) -> Vec<Event> {
    receive(wire, &json!({"type": "response.done", "response": {"id": response, "status": "completed"}}))
}

#[test]
fn the_session_has_every_field_in_its_place_and_follows_the_codec() {
    let settings = Settings {
        voice: Some("marin".into()),
        language: Some("en-US".into()),
        instructions: Some("Be brief.".into()),
        silence_ms: Some(400),
        vad_threshold: Some(0.6),
        ..Settings::default()
    };
    for (codec, format) in [
        ("pcmu", json!({"type": "audio/pcmu"})),
        ("pcma", json!({"type": "audio/pcma"})),
        ("g722", json!({"type": "audio/pcm", "rate": 24_000})),
    ] {
        let mut messages = Vec::new();
        wire(codec, settings.clone()).setup(&mut messages, &mut VecDeque::new());
        let update: Value = serde_json::from_str(&messages[0]).unwrap();
        let session = &update["session"];
        assert_eq!((&update["type"], &session["type"]), (&json!("session.update"), &json!("realtime")));
        assert_eq!(session["audio"]["input"]["format"], format);
        assert_eq!(session["audio"]["output"], json!({"format": format, "voice": "marin"}));
        assert_eq!(session["audio"]["input"]["transcription"], json!({"model": TRANSCRIPTION, "language": "en"}));
        let detection = json!({"type": "server_vad", "threshold": 0.6, "silence_duration_ms": 400,
            "create_response": true, "interrupt_response": true});
        assert_eq!(session["audio"]["input"]["turn_detection"], detection);
    }
    let semantic = Settings { vad: Some("semantic_vad".into()), eagerness: Some("low".into()), ..settings };
    let detection = session::turn_detection(&semantic, true);
    assert_eq!(detection["eagerness"], "low");
    assert!(detection.get("silence_duration_ms").is_none(), "a field of the other kind");
}

#[test]
fn addresses_and_keys_follow_the_service() {
    let settings = Settings { model: Some("my model".into()), ..Settings::default() };
    let url = |base| (PROVIDER.url)(&settings, base, "");
    assert_eq!(url("wss://api.openai.com/v1"), "wss://api.openai.com/v1/realtime?model=my%20model");
    assert_eq!(url("ws://[::1]:8000/v1/realtime"), "ws://[::1]:8000/v1/realtime?model=my%20model");
    assert_eq!(
        (PROVIDER.auth)(&settings, "wss://x.openai.azure.com/openai/v1", ""),
        Auth::Header(Cow::Borrowed("api-key"))
    );
    assert_eq!((PROVIDER.auth)(&settings, "wss://api.openai.com/v1", ""), Auth::Bearer);
}

#[test]
fn a_barge_in_truncates_what_was_not_heard_and_drops_late_sound() {
    let mut wire = live("pcmu");
    begun(&mut wire, "r1");
    receive(&mut wire, &audio("r1", "i1", 8_000));
    receive(&mut wire, &audio("r1", "i2", 16_000));
    let started = json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": 1, "item_id": "u"});
    assert_eq!(receive(&mut wire, &started), [Event::Interrupted, Event::TurnComplete]);
    let messages = send(&mut wire, Command::Interrupted { heard_ms: 1_700 });
    assert_eq!(messages.len(), 1, "the first item was heard whole: {messages:?}");
    assert_eq!(messages[0]["item_id"], "i2");
    assert_eq!(messages[0]["audio_end_ms"], 700);
    assert_eq!(receive(&mut wire, &audio("r1", "i2", 800)), [], "late sound of the cut answer");
    ended(&mut wire, "r1");
    begun(&mut wire, "r2");
    assert_eq!(receive(&mut wire, &audio("r2", "i3", 800)).len(), 1);
    // Never more than was received.
    assert_eq!(send(&mut wire, Command::Interrupted { heard_ms: 101 }).len(), 1, "only the cancel");
}

#[test]
fn our_own_detector_cancels_the_answer_first() {
    let mut wire = live("pcmu");
    begun(&mut wire, "r1");
    receive(&mut wire, &audio("r1", "i1", 8_000));
    let messages = send(&mut wire, Command::Interrupted { heard_ms: 500 });
    let kinds: Vec<_> = messages.iter().map(|message| message["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["response.cancel", "conversation.item.truncate"]);
    assert_eq!(receive(&mut wire, &audio("r1", "i1", 800)), []);
}

#[test]
fn words_of_the_caller_come_in_the_order_they_were_said() {
    let mut wire = live("pcmu");
    let said = |kind: &str, id: &str, field: &str, text: &str| json!({"type": format!("conversation.item.input_audio_transcription.{kind}"), "item_id": id, field: text});
    for id in ["u1", "u2"] {
        receive(&mut wire, &json!({"type": "input_audio_buffer.committed", "item_id": id}));
    }
    assert_eq!(receive(&mut wire, &said("completed", "u2", "transcript", "second")), []);
    assert_eq!(receive(&mut wire, &said("delta", "u1", "delta", "fir")), [Event::CallerText(" fir".into())]);
    assert_eq!(receive(&mut wire, &said("delta", "u1", "delta", "st")), [Event::CallerText("st".into())]);
    assert_eq!(
        receive(&mut wire, &said("completed", "u1", "transcript", "first")),
        [Event::CallerText(" second".into())]
    );
}

#[test]
fn a_new_connection_is_told_what_was_said() {
    let mut wire = live("pcmu");
    let completed = json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": "u1",
        "transcript": "I lost my card."});
    receive(&mut wire, &completed);
    begun(&mut wire, "r1");
    let words = json!({"type": "response.output_audio_transcript.delta", "response_id": "r1", "delta": "Which card?"});
    receive(&mut wire, &words);
    assert_eq!(wire.closed(1_011, "oops"), AfterClose::Reconnect);
    let mut messages = Vec::new();
    wire.setup(&mut messages, &mut VecDeque::new());
    receive(&mut wire, &json!({"type": "session.updated", "session": {}}));
    let told = due(&mut wire);
    assert_eq!(told[0]["item"]["content"][0], json!({"type": "input_text", "text": "I lost my card."}));
    assert_eq!(told[1]["item"]["content"][0], json!({"type": "output_text", "text": "Which card?"}));
    assert_eq!(told[2]["type"], "response.create", "the answer was broken off");
    assert!(matches!(wire.closed(1_008, "no"), AfterClose::GiveUp(_)));
}

#[test]
fn a_failed_answer_is_asked_for_once_more() {
    let mut wire = live("pcmu");
    let failed = json!({"type": "response.done", "response": {"id": "r", "status": "failed",
        "status_details": {"type": "failed", "error": {"type": "server_error", "code": null, "message": "oops"}}}});
    begun(&mut wire, "r");
    assert!(matches!(&receive(&mut wire, &failed)[0], Event::Note(text) if text.contains("oops")));
    assert_eq!(due(&mut wire)[0]["type"], "response.create");
    begun(&mut wire, "r");
    assert!(matches!(&receive(&mut wire, &failed)[0], Event::Failed(text) if text.contains("oops")));
}

#[test]
fn beta_names_and_formats_are_understood() {
    let mut wire = live("g722");
    let updated = json!({"type": "session.updated", "session": {"output_audio_format": "g711_ulaw"}});
    assert!(matches!(&receive(&mut wire, &updated)[0], Event::Note(text) if text.contains("pcmu")));
    let delta = json!({"type": "response.audio.delta", "delta": "/////w=="});
    let events = receive(&mut wire, &delta);
    assert_eq!(events, [Event::Audio { rate: SampleRate::HZ_8000, samples: vec![0; 4] }]);
}

#[test]
fn odd_frames_are_notes_not_failures() {
    let mut wire = live("pcmu");
    for frame in ["", "{", "[]", "null", "{\"type\":1}", r#"{"type":"response.output_audio.delta","delta":"!!"}"#] {
        let mut events = VecDeque::new();
        wire.receive(frame.as_bytes(), &mut events);
        assert!(matches!(&events.make_contiguous()[..], [Event::Note(_)]), "{frame}: {events:?}");
    }
    assert_eq!(receive(&mut wire, &json!({"type": "something.new", "delta": {"x": 1}})), []);
}

#[test]
fn tools_are_declared_flat_and_called_once() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let tool = |name: &str, parameters| Tool { name: name.into(), description: "d".into(), parameters };
    let tools = [tool("weather", Some(schema.clone())), tool("time", None)].into();
    let mut wire = wire("pcmu", Settings { tools, greeting: None, ..Settings::default() });
    let mut setup = Vec::new();
    super::super::Wire::setup(&mut wire, &mut setup, &mut VecDeque::new());
    let session: Value = serde_json::from_str(&setup[0]).unwrap();
    assert_eq!(
        session["session"]["tools"],
        json!([{"type": "function", "name": "weather", "description": "d", "parameters": schema},
            {"type": "function", "name": "time", "description": "d", "parameters": {"type": "object", "properties": {}}}])
    );
    receive(&mut wire, &json!({"type": "session.updated", "session": {}}));

    // Two calls of one answer: each told once, and the model goes on after both results and not before.
    receive(&mut wire, &json!({"type": "response.created", "response": {"id": "r1"}}));
    let done = |id: &str| {
        json!({"type": "response.function_call_arguments.done", "response_id": "r1", "call_id": id, "name": "weather",
            "arguments": "{\"city\":\"Ulm\"}"})
    };
    let call =
        Event::ToolCall(ToolCall { id: "a".into(), name: "weather".into(), arguments: "{\"city\":\"Ulm\"}".into() });
    assert_eq!(receive(&mut wire, &done("a")), [call]);
    assert_eq!(receive(&mut wire, &done("a")), []);
    let first = send(&mut wire, Command::ToolResult { id: "a", name: "weather", result: Ok(&json!({"sky": "clear"})) });
    assert_eq!(first.len(), 1, "the answer that calls is still being made: {first:?}");
    assert_eq!(
        first[0]["item"],
        json!({"type": "function_call_output", "call_id": "a", "output": "{\"sky\":\"clear\"}"})
    );
    let output = json!([{"type": "function_call", "call_id": "a", "name": "weather", "arguments": "{}"},
        {"type": "function_call", "call_id": "b", "name": "time", "arguments": "{}"}]);
    let events = receive(
        &mut wire,
        &json!({"type": "response.done", "response": {"id": "r1", "status": "completed", "output": output}}),
    );
    assert!(matches!(&events[..], [Event::ToolCall(call), Event::TurnComplete] if call.id == "b"), "{events:?}");
    let mut due = Vec::new();
    super::super::Wire::due(&mut wire, &mut due);
    assert_eq!(due, Vec::<String>::new(), "one result is missing");
    let last = send(&mut wire, Command::ToolResult { id: "b", name: "time", result: Err("too late") });
    assert_eq!(last[0]["item"]["output"], "{\"error\":\"too late\"}");
    assert_eq!(last[1]["type"], "response.create");
}

#[test]
fn a_result_after_a_new_connection_is_told_in_words() {
    let mut wire = wire("pcmu", Settings { greeting: None, ..Settings::default() });
    receive(&mut wire, &json!({"type": "session.updated", "session": {}}));
    let call =
        json!({"type": "response.function_call_arguments.done", "call_id": "a", "name": "weather", "arguments": "{}"});
    receive(&mut wire, &call);
    assert_eq!(super::super::Wire::closed(&mut wire, 1_006, ""), AfterClose::Reconnect);
    assert_eq!(
        send(&mut wire, Command::ToolResult { id: "a", name: "weather", result: Ok(&json!("sunny")) }),
        [] as [Value; 0]
    );
    receive(&mut wire, &json!({"type": "session.updated", "session": {}}));
    let mut due = Vec::new();
    super::super::Wire::due(&mut wire, &mut due);
    assert!(due[0].contains("The tool weather, which you called before, has answered: sunny"), "{due:?}");
    assert!(due[1].contains("response.create"));
}

#[test]
fn what_a_cut_answer_had_begun_to_call_is_not_called_and_results_do_not_talk_into_the_caller() {
    let mut wire = wire("pcmu", Settings { greeting: None, ..Settings::default() });
    receive(&mut wire, &json!({"type": "session.updated", "session": {}}));
    receive(&mut wire, &json!({"type": "response.created", "response": {"id": "r1"}}));
    receive(
        &mut wire,
        &json!({"type": "response.function_call_arguments.done", "response_id": "r1", "call_id": "a", "name": "t"}),
    );
    receive(&mut wire, &json!({"type": "input_audio_buffer.speech_started"}));
    let output = json!([{"type": "function_call", "call_id": "b", "name": "t", "arguments": "{"}]);
    let done = json!({"type": "response.done", "response": {"id": "r1", "status": "cancelled", "output": output}});
    assert_eq!(receive(&mut wire, &done), [Event::TurnComplete]);
    let sent = send(&mut wire, Command::ToolResult { id: "a", name: "t", result: Ok(&Value::Null) });
    assert_eq!(sent.len(), 1, "the caller speaks: the service answers when that ends");
}

#[test]
fn what_was_asked_for_and_had_not_begun_is_asked_for_anew() {
    let again = |wire: &mut Wire| {
        assert_eq!(wire.closed(1_012, "restart"), AfterClose::Reconnect);
        wire.setup(&mut Vec::new(), &mut VecDeque::new());
        receive(wire, &json!({"type": "session.updated", "session": {}}));
        due(wire).into_iter().map(|message| message["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // The caller's words were taken; the connection went before their answer began.
    let mut wire = live("pcmu");
    receive(&mut wire, &json!({"type": "input_audio_buffer.committed", "item_id": "u1"}));
    assert_eq!(again(&mut wire), ["response.create"]);
    begun(&mut wire, "r1");
    ended(&mut wire, "r1");
    assert_eq!(again(&mut wire), [""; 0], "nothing is open");
    // The same with the greeting, which nothing but the greeting tells the model to say.
    let settings = Settings { greeting: Some("Greet.".into()), ..Settings::default() };
    let mut wire = Wire::new(Arc::new(settings), &Facts { codec: "pcmu".into(), ..Facts::default() });
    wire.setup(&mut Vec::new(), &mut VecDeque::new());
    send(&mut wire, Command::Start);
    receive(&mut wire, &json!({"type": "session.updated", "session": {}}));
    assert_eq!(due(&mut wire).len(), 2);
    assert_eq!(again(&mut wire), ["conversation.item.create", "response.create"]);
}

#[test]
fn an_answer_owed_to_a_key_is_not_spoken_into_the_caller() {
    let mut wire = live("pcmu");
    begun(&mut wire, "r1");
    assert_eq!(send(&mut wire, Command::Digit('5')).len(), 1, "the key, and no answer yet");
    receive(&mut wire, &json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": 100, "item_id": "u1"}));
    receive(&mut wire, &json!({"type": "response.done", "response": {"id": "r1", "status": "cancelled"}}));
    assert_eq!(due(&mut wire), [] as [Value; 0]);
    // A key while the connection is made anew is told when it is there.
    assert_eq!(wire.closed(1_012, "restart"), AfterClose::Reconnect);
    assert_eq!(send(&mut wire, Command::Digit('6')), [] as [Value; 0]);
    wire.setup(&mut Vec::new(), &mut VecDeque::new());
    receive(&mut wire, &json!({"type": "session.updated", "session": {}}));
    assert!(due(&mut wire)[0].to_string().contains("pressed the key 6"));
}

#[test]
fn tokens_and_limits_are_counted() {
    let mut wire = wire("pcmu", Settings::default());
    let mut events = VecDeque::new();
    let limits = r#"{"type":"rate_limits.updated","rate_limits":[{"name":"tokens","limit":1000,"remaining":990,"reset_seconds":0.5}]}"#;
    wire.receive(limits.as_bytes(), &mut events);
    let done = r#"{"type":"response.done","response":{"id":"r","status":"completed","usage":{"total_tokens":30,"input_tokens":10,
        "output_tokens":20,"input_token_details":{"audio_tokens":6,"cached_tokens":3},"output_token_details":{"audio_tokens":15}}}}"#;
    wire.receive(done.as_bytes(), &mut events);
    let mut sum = Usage::default();
    for event in events {
        match event {
            Event::Usage(usage) => sum.add(&usage),
            other => assert_eq!(other, Event::TurnComplete),
        }
    }
    assert_eq!(sum.words(), "in 10 (audio 6, cached 3) out 20 (audio 15)");
    assert_eq!((sum.limits[0].name.as_str(), sum.limits[0].remaining), ("tokens", 990.0));
}

#[test]
fn a_question_without_words_is_asked_again_as_it_was_spoken() {
    use crate::clock::Instant;
    let ask = |wire: &mut Wire| {
        send(wire, Command::Speech(SpeechEdge::Started(Instant::ZERO)));
        send(wire, Command::Audio { rate: SampleRate::HZ_8000, samples: &[9; 800] });
        send(wire, Command::Speech(SpeechEdge::Ended(Instant::ZERO)));
        receive(wire, &json!({"type": "input_audio_buffer.committed", "item_id": "u1"}));
    };
    let again = |wire: &mut Wire| {
        assert_eq!(wire.closed(1_006, "stalled"), AfterClose::Reconnect);
        wire.setup(&mut Vec::new(), &mut VecDeque::new());
        receive(wire, &json!({"type": "session.updated", "session": {}}));
        due(wire).into_iter().map(|message| message["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut wire = live("pcmu");
    ask(&mut wire);
    assert_eq!(again(&mut wire), ["input_audio_buffer.append"], "the service answers by itself when it ends");
    begun(&mut wire, "r1");
    receive(&mut wire, &audio("r1", "i1", 800));
    ended(&mut wire, "r1");
    assert_eq!(again(&mut wire), [""; 0], "it was answered");
    // With its words there, these are told, and not a second time as sound.
    ask(&mut wire);
    let words =
        json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": "u1", "transcript": "Why?"});
    receive(&mut wire, &words);
    let sent = again(&mut wire);
    assert_eq!(sent, ["conversation.item.create", "response.create"], "{sent:?}");
}
