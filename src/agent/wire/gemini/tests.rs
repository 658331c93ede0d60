//! What Gemini's wire says and understands.

use super::{super::Wire as _, *};

fn receive(wire: &mut Wire, frame: &str) -> Vec<Event> {
    let mut events = VecDeque::new();
    wire.receive(frame.as_bytes(), &mut events);
    events.into()
}

fn setup_of(wire: &mut Wire) -> String {
    let mut messages = Vec::new();
    wire.setup(&mut messages, &mut VecDeque::new());
    assert_eq!(messages.len(), 1);
    messages.remove(0)
}

#[test]
fn nothing_is_sent_before_the_setup_is_complete_and_what_waited_follows() {
    let mut wire = Wire::listening();
    let mut messages = Vec::new();
    wire.send(Command::Start, &mut messages);
    wire.send(Command::Audio { rate: UPLINK_RATE, samples: &vec![1; 50_000] }, &mut messages);
    assert!(messages.is_empty());
    assert_eq!(receive(&mut wire, r#"{"setupComplete":{}}"#), [Event::Ready]);
    wire.due(&mut messages);
    assert!(messages[0].contains("Greet them"));
    assert_eq!(messages.len(), 1 + 20, "two seconds in pieces of 100 ms, the oldest dropped");
    assert!(messages[1].starts_with(r#"{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"AQAB"#));
}

#[test]
fn the_setup_has_every_field_in_its_place_and_nothing_empty() {
    let settings = Settings {
        voice: Some("Kore".into()),
        language: Some("en-US".into()),
        instructions: Some("Be brief.".into()),
        temperature: Some(0.5),
        silence_ms: Some(500),
        ..Settings::default()
    };
    let setup: Value = serde_json::from_str(&setup_of(&mut Wire::new(Arc::new(settings), true))).unwrap();
    let setup = &setup["setup"];
    assert_eq!(setup["model"], "models/gemini-3.8-live");
    assert_eq!(setup["generationConfig"]["responseModalities"][0], "AUDIO");
    assert_eq!(setup["generationConfig"]["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"], "Kore");
    assert_eq!(setup["systemInstruction"]["parts"][0]["text"], "Be brief.");
    let bare = setup_of(&mut Wire::listening());
    assert!(!bare.contains("null") && !bare.contains("[]") && !bare.contains("speechConfig"));
}

#[test]
fn one_message_may_say_many_things() {
    let mut wire = Wire::listening();
    let events = receive(
        &mut wire,
        r#"{"serverContent":{"interrupted":true,"turnComplete":true,"newThing":1,
            "inputTranscription":{"text":" I was \u00e4"},"outputTranscription":{"text":"Sure"},
            "modelTurn":{"parts":[{"text":"hm","thought":true},{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AQD_fw"}}]}},
            "usageMetadata":{"totalTokenCount":"7"}}"#,
    );
    assert_eq!(
        events,
        [
            Event::Usage(Usage { total_tokens: 7, ..Usage::default() }),
            Event::Interrupted,
            Event::CallerText(" I was ä".into()),
            Event::Audio { rate: SampleRate::HZ_24000, samples: vec![1, i16::MAX] },
            Event::AgentText("Sure".into()),
            Event::TurnComplete,
        ]
    );
}

#[test]
fn odd_frames_are_notes_not_failures() {
    let mut wire = Wire::listening();
    for frame in [
        "",
        "{",
        "[]",
        "null",
        &"[".repeat(10_000),
        r#"{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"!!"}}]}}}"#,
        r#"{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=11025","data":"AAAA"}}]}}}"#,
    ] {
        for event in receive(&mut wire, frame) {
            assert!(matches!(event, Event::Note(_)), "{event:?}");
        }
    }
}

#[test]
fn closes_are_retried_only_when_that_can_help() {
    let mut wire = Wire::listening();
    let give_up = wire.closed(1_007, "API key not valid. Please pass a valid API key.");
    assert!(matches!(give_up, AfterClose::GiveUp(text) if text.contains("GEMINI_API_KEY")));
    receive(&mut wire, r#"{"setupComplete":{}}"#);
    receive(&mut wire, r#"{"sessionResumptionUpdate":{"newHandle":"h1","resumable":true}}"#);
    receive(&mut wire, r#"{"sessionResumptionUpdate":{"newHandle":"h2","resumable":false}}"#);
    receive(&mut wire, r#"{"goAway":{"timeLeft":"9.5s"}}"#);
    assert_eq!(wire.leaves_within(), Some(Duration::ZERO));
    assert_eq!(wire.closed(1_011, "Deadline expired"), AfterClose::Reconnect);
    assert!(setup_of(&mut wire).contains(r#""handle":"h1""#));
    assert_eq!(wire.closed(1_007, "invalid handle"), AfterClose::Reconnect);
    assert!(!setup_of(&mut wire).contains("h1"), "once more without the handle");
    assert!(matches!(wire.closed(1_007, "x"), AfterClose::GiveUp(_)));
}

#[test]
fn an_answer_is_heard_to_its_end_before_a_connection_is_left() {
    const SOUND: &str = r#"{"serverContent":{"outputTranscription":{"text":"Your order is"},
        "modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AAAA"}}]}}}"#;
    for end in ["generationComplete", "turnComplete", "interrupted"] {
        let mut wire = Wire::listening();
        receive(&mut wire, r#"{"setupComplete":{}}"#);
        receive(&mut wire, SOUND);
        assert_eq!(wire.leaves_within(), None);
        receive(&mut wire, r#"{"goAway":{"timeLeft":"9.5s"}}"#);
        assert_eq!(wire.leaves_within(), Some(Duration::from_millis(7_500)), "two seconds before it closes");
        receive(&mut wire, &format!(r#"{{"serverContent":{{"{end}":true}}}}"#));
        assert_eq!(wire.leaves_within(), Some(Duration::ZERO), "{end}");
        // Nothing broke off: nothing is said of it.
        wire.suspend();
        let (mut messages, mut events) = (Vec::new(), VecDeque::new());
        wire.setup(&mut messages, &mut events);
        assert!(events.is_empty());
        receive(&mut wire, r#"{"setupComplete":{}}"#);
        wire.due(&mut messages);
        assert_eq!(messages.len(), 1, "{messages:?}");
    }
    for (left, within) in [("{}", 5_000), (r#"{"timeLeft":"1s"}"#, 0), (r#"{"timeLeft":"-x"}"#, 5_000)] {
        let mut wire = Wire::listening();
        receive(&mut wire, r#"{"setupComplete":{}}"#);
        receive(&mut wire, SOUND);
        receive(&mut wire, &format!(r#"{{"goAway":{left}}}"#));
        assert_eq!(wire.leaves_within(), Some(Duration::from_millis(within)), "{left}");
        // It did not end in time: the turn is closed, once, and the model is asked to go on, once.
        wire.suspend();
        let (mut messages, mut events) = (Vec::new(), VecDeque::new());
        for setup in 0..2 {
            wire.setup(&mut messages, &mut events);
            assert_eq!(events.drain(..).collect::<Vec<_>>(), [Event::TurnComplete][setup..], "{left}");
            assert!(matches!(wire.closed(1_011, "try later"), AfterClose::TryAgain(_)));
        }
        wire.setup(&mut messages, &mut events);
        messages.clear();
        receive(&mut wire, r#"{"setupComplete":{}}"#);
        for _ in 0..2 {
            wire.due(&mut messages);
        }
        assert!(messages.len() == 1 && messages[0].contains("Your order is"), "{messages:?}");
    }
}

#[test]
fn tools_are_declared_called_answered_and_taken_back() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tool = |name: &str, parameters| Tool { name: name.into(), description: "d".into(), parameters };
    let tools = [tool("weather", Some(schema.clone())), tool("time", None)].into();
    let mut wire = Wire::new(Arc::new(Settings { tools, ..Settings::default() }), true);
    let setup: Value = serde_json::from_str(&setup_of(&mut wire)).unwrap();
    let functions = json!([{"name": "weather", "description": "d", "parametersJsonSchema": schema},
        {"name": "time", "description": "d"}]);
    assert_eq!(setup["setup"]["tools"], json!([{"functionDeclarations": functions}]));
    receive(&mut wire, r#"{"setupComplete":{}}"#);
    let called = receive(
        &mut wire,
        r#"{"toolCall":{"functionCalls":[{"id":"1","name":"weather","args":{"city":"Ulm"}},{"id":"2","name":"time"}]}}"#,
    );
    let call = |id: &str, name: &str, arguments: &str| {
        Event::ToolCall(ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() })
    };
    assert_eq!(called, [call("1", "weather", r#"{"city":"Ulm"}"#), call("2", "time", "")]);
    let cancelled = receive(&mut wire, r#"{"toolCallCancellation":{"ids":["2"]}}"#);
    assert_eq!(cancelled, [Event::ToolsCancelled(vec!["2".into()])]);
    let mut messages = Vec::new();
    wire.send(Command::ToolResult { id: "1", name: "weather", result: Ok(&json!("sunny")) }, &mut messages);
    let sent: Value = serde_json::from_str(&messages[0]).unwrap();
    let wanted = json!([{"id": "1", "name": "weather", "response": {"output": "sunny"}}]);
    assert_eq!(sent["toolResponse"]["functionResponses"], wanted);
}

#[test]
fn a_result_after_a_new_connection_is_told_in_words() {
    let mut wire = Wire::listening();
    receive(&mut wire, r#"{"setupComplete":{}}"#);
    receive(&mut wire, r#"{"toolCall":{"functionCalls":[{"id":"1","name":"weather","args":{}}]}}"#);
    assert_eq!(wire.closed(1_006, ""), AfterClose::Reconnect);
    setup_of(&mut wire);
    let mut messages = Vec::new();
    wire.send(Command::ToolResult { id: "1", name: "weather", result: Err("no answer") }, &mut messages);
    assert_eq!(messages, Vec::<String>::new());
    receive(&mut wire, r#"{"setupComplete":{}}"#);
    wire.due(&mut messages);
    assert_eq!(messages, [text_message("The tool weather, which you called before, has failed: no answer")]);
}

#[test]
fn settings_go_into_their_places() {
    let settings = Settings {
        model: Some("gemini-2.5-flash-native-audio-preview-12-2025".into()),
        thinking_budget: Some(0),
        proactive_audio: Some(true),
        affective_dialog: Some(true),
        start_sensitivity: Some("low".into()),
        end_sensitivity: Some("high".into()),
        vad_prefix_ms: Some(40),
        turn_coverage: Some("all".into()),
        max_tokens: Some(4096),
        compress_at: Some(25_600),
        compress_to: Some(12_800),
        transcription: Some("none".into()),
        ..Settings::default()
    };
    let setup: Value = serde_json::from_str(&setup_of(&mut Wire::new(Arc::new(settings.clone()), false))).unwrap();
    let setup = &setup["setup"];
    let generation = &setup["generationConfig"];
    assert_eq!(generation["thinkingConfig"], json!({"thinkingBudget": 0}));
    assert_eq!((&generation["enableAffectiveDialog"], &generation["maxOutputTokens"]), (&json!(true), &json!(4096)));
    assert_eq!(setup["proactivity"], json!({"proactiveAudio": true}));
    let detection = json!({"startOfSpeechSensitivity": "START_SENSITIVITY_LOW",
        "endOfSpeechSensitivity": "END_SENSITIVITY_HIGH", "prefixPaddingMs": 40});
    let listening = json!({"automaticActivityDetection": detection, "activityHandling": "NO_INTERRUPTION",
        "turnCoverage": "TURN_INCLUDES_ALL_INPUT"});
    assert_eq!(setup["realtimeInputConfig"], listening);
    let compression = json!({"triggerTokens": "25600", "slidingWindow": {"targetTokens": "12800"}});
    assert_eq!(setup["contextWindowCompression"], compression);
    assert!(setup.get("inputAudioTranscription").is_none() && setup.get("outputAudioTranscription").is_some());
    // What needs v1alpha is asked for there.
    assert!((PROVIDER.url)(&settings, ENDPOINT, "").contains(".v1alpha."));
    let always = Settings { proactive_audio: Some(true), ..Settings::default() };
    assert!(
        !setup_of(&mut Wire::new(Arc::new(always), true)).contains("proactivity"),
        "3.8 does it without being asked"
    );
}

#[test]
fn the_address_and_the_credential_follow_the_api_and_the_key() {
    let developer = Settings::default();
    let url = |settings: &Settings, key| (PROVIDER.url)(settings, ENDPOINT, key);
    let path = "wss://generativelanguage.googleapis.com/ws/google.ai.generativelanguage";
    assert_eq!(url(&developer, "AIza"), format!("{path}.v1beta.GenerativeService.BidiGenerateContent"));
    let token = "auth_tokens/abc";
    assert_eq!(url(&developer, token), format!("{path}.v1alpha.GenerativeService.BidiGenerateContentConstrained"));
    assert_eq!((PROVIDER.auth)(&developer, ENDPOINT, token), Auth::Token);
    assert_eq!((PROVIDER.auth)(&developer, ENDPOINT, "AIza"), Auth::Header(Cow::Borrowed("x-goog-api-key")));

    let vertex = Settings { project: Some("shop".into()), location: Some("europe-west4".into()), ..developer };
    let service = "ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent";
    assert_eq!(url(&vertex, ""), format!("wss://europe-west4-aiplatform.googleapis.com/{service}"));
    assert_eq!((PROVIDER.url)(&vertex, "ws://127.0.0.1:1", ""), format!("ws://127.0.0.1:1/{service}"));
    assert_eq!((PROVIDER.auth)(&vertex, ENDPOINT, "ya29"), Auth::Bearer);
    assert_eq!((PROVIDER.keys_of)(&vertex), ["GOOGLE_OAUTH_ACCESS_TOKEN"]);
    let setup: Value = serde_json::from_str(&setup_of(&mut Wire::new(Arc::new(vertex), true))).unwrap();
    let name = "projects/shop/locations/europe-west4/publishers/google/models/gemini-3.8-live";
    assert_eq!(setup["setup"]["model"], name);
}

#[test]
fn with_our_own_detector_the_model_hears_speech_and_what_lay_before_it() {
    let settings = Settings { vad: Some("local".into()), vad_prefix_ms: Some(100), ..Settings::default() };
    let mut wire = Wire::new(Arc::new(settings), true);
    assert!(setup_of(&mut wire).contains(r#""automaticActivityDetection":{"disabled":true}"#));
    receive(&mut wire, r#"{"setupComplete":{}}"#);
    let mut messages = Vec::new();
    let audio = |samples| Command::Audio { rate: UPLINK_RATE, samples };
    for _ in 0..50 {
        wire.send(audio(&[1; 320]), &mut messages);
    }
    assert_eq!(messages, Vec::<String>::new(), "silence is not sent");
    wire.send(Command::Speech(SpeechEdge::Started(crate::clock::Instant::ZERO)), &mut messages);
    wire.send(audio(&[1; 320]), &mut messages);
    wire.send(Command::Speech(SpeechEdge::Ended(crate::clock::Instant::ZERO)), &mut messages);
    wire.send(audio(&[1; 320]), &mut messages);
    let kinds: Vec<&str> = messages.iter().map(|text| &text[19..28]).collect();
    assert_eq!(kinds, ["activityS", "audio\":{\"", "audio\":{\"", "activityE"]);
    assert_eq!(messages[1].len(), wire.audio_message(&[1; 1_600]).len(), "a tenth of a second from before");
}

#[test]
fn every_family_hears_in_the_field_of_today_and_the_table_finds_it() {
    let models =
        models::FAMILIES.iter().flat_map(|family| family.names).copied().chain(["gemini-9-live", DEFAULT_MODEL]);
    for model in models {
        let mut wire = Wire::new(Arc::new(Settings { model: Some(model.into()), ..Settings::default() }), true);
        receive(&mut wire, r#"{"setupComplete":{}}"#);
        let mut messages = Vec::new();
        wire.send(Command::Audio { rate: UPLINK_RATE, samples: &[1; 320] }, &mut messages);
        assert!(messages[0].starts_with(r#"{"realtimeInput":{"audio":{"mimeType":"#), "{model}: {}", messages[0]);
    }
}

/// Model, what the profile says besides, what is found wrong.
type Case<'a> = (&'a str, &'a dyn Fn(&mut Settings), &'a [(&'a str, bool)]);

#[test]
fn what_a_model_has_not_is_said_before_it_closes_the_session() {
    let of = |model: &str, change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings { model: Some(model.into()), ..Settings::default() };
        change(&mut settings);
        let found = models::check(&settings);
        found.iter().map(|found| (found.field, found.is_error)).collect::<Vec<_>>()
    };
    let (old, now) = ("gemini-2.5-flash-native-audio-preview-12-2025", "models/gemini-3.8-live");
    let cases: [Case; 14] = [
        (now, &|_| {}, &[]),
        (now, &|all| all.reasoning = Some("low".into()), &[("reasoning", true)]),
        (now, &|all| all.proactive_audio = Some(false), &[("proactive_audio", true)]),
        (now, &|all| all.proactive_audio = Some(true), &[]),
        (now, &|all| all.affective_dialog = Some(true), &[("affective_dialog", true)]),
        (now, &|all| all.vad = Some("server_vad".into()), &[("vad", true)]),
        (now, &|all| all.location = Some("global".into()), &[("location", true)]),
        ("gemini-3.1-flash-live-preview", &|all| all.reasoning = Some("low".into()), &[("reasoning", false)]),
        ("gemini-3.1-flash-live-preview", &|all| all.proactive_audio = Some(true), &[("proactive_audio", true)]),
        ("gemini-3.5-live-translate-preview", &|_| {}, &[("translate_to", true)]),
        (old, &|all| all.thinking_budget = Some(0), &[("model", false)]),
        (
            old,
            &|all| {
                all.api_version = Some("v1beta".into());
                all.affective_dialog = Some(true);
            },
            &[("model", false), ("api_version", true)],
        ),
        ("gemini-live-2.5-flash-preview", &|_| {}, &[("model", false)]),
        ("gemini-9-live", &|all| (all.reasoning, all.affective_dialog) = (Some("low".into()), Some(true)), &[]),
    ];
    for (at, (model, change, wanted)) in cases.into_iter().enumerate() {
        assert_eq!(of(model, change), wanted, "case {at}: {model}");
    }
    let retired = Settings { model: Some("models/gemini-live-2.5-flash-preview".into()), ..Settings::default() };
    assert!(models::check(&retired)[0].problem.contains("its successor is gemini-3.8-live"));
}

#[test]
fn counts_of_tokens_come_with_whatever_brings_them() {
    let events = receive(
        &mut Wire::listening(),
        r#"{"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":"120","responseTokenCount":80,
            "totalTokenCount":210,"thoughtsTokenCount":10,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":100},
            {"modality":"TEXT","tokenCount":20}],"responseTokensDetails":[{"modality":"AUDIO","tokenCount":80}],"odd":[]}}"#,
    );
    let counted = Usage {
        input_tokens: 120,
        output_tokens: 80,
        total_tokens: 210,
        input_audio_tokens: 100,
        output_audio_tokens: 80,
        thinking_tokens: 10,
        ..Usage::default()
    };
    assert_eq!(events, [Event::Usage(counted), Event::TurnComplete]);
}

#[test]
fn silence_is_no_fault_of_a_model_that_speaks_when_it_is_meant() {
    let of = |model: Option<&str>, proactive_audio| Settings {
        model: model.map(str::to_owned),
        proactive_audio,
        ..Settings::default()
    };
    assert!(models::may_stay_silent(&of(None, None)), "the default model decides itself");
    assert!(!models::may_stay_silent(&of(Some("gemini-3.1-flash-live-preview"), None)));
    assert!(models::may_stay_silent(&of(Some("gemini-2.5-flash-native-audio-preview"), Some(true))));
}

#[test]
fn a_question_that_the_next_session_cannot_know_is_asked_again() {
    use crate::clock::Instant;
    const HANDLE: &str = r#"{"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}"#;
    const SOUND: &str = r#"{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AAAA"}}]},"turnComplete":true}}"#;
    let ask = |wire: &mut Wire| {
        let mut messages = Vec::new();
        wire.send(Command::Speech(SpeechEdge::Started(Instant::ZERO)), &mut messages);
        wire.send(Command::Audio { rate: UPLINK_RATE, samples: &[9; 1_600] }, &mut messages);
        wire.send(Command::Speech(SpeechEdge::Ended(Instant::ZERO)), &mut messages);
        messages
    };
    let again = |wire: &mut Wire| {
        assert_eq!(wire.closed(1_006, "stalled"), AfterClose::Reconnect);
        setup_of(wire);
        receive(wire, r#"{"setupComplete":{}}"#);
        let mut due = Vec::new();
        wire.due(&mut due);
        due.into_iter().filter(|message| !message.contains("\"text\"")).collect::<Vec<_>>()
    };
    let mut wire = Wire::listening();
    receive(&mut wire, r#"{"setupComplete":{}}"#);
    receive(&mut wire, HANDLE);
    let asked = ask(&mut wire);
    assert_eq!(again(&mut wire), asked, "the handle stands for what was before the question");
    receive(&mut wire, HANDLE);
    assert_eq!(again(&mut wire), [""; 0], "the session that is resumed has heard it");
    ask(&mut wire);
    receive(&mut wire, SOUND);
    assert_eq!(again(&mut wire), [""; 0], "it was answered");

    // With our own detector the question comes in its own activity.
    let settings = Settings { vad: Some("local".into()), greeting: None, ..Settings::default() };
    let mut wire = Wire::new(Arc::new(settings), true);
    setup_of(&mut wire);
    receive(&mut wire, r#"{"setupComplete":{}}"#);
    let asked = ask(&mut wire);
    assert_eq!(asked.len(), 3, "start, sound, end: {asked:?}");
    assert_eq!(again(&mut wire), asked);
}
