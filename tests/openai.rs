//! Whole calls through the gateway to a MOCK of OpenAI Realtime that checks every client message. Real sockets on
//! loopback: SIP, RTP and WebSocket.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

#[allow(dead_code, reason = "shared by several test targets")]
#[path = "support/conversation.rs"]
mod conversation;
#[allow(dead_code, reason = "shared by several test targets")]
#[path = "support/door.rs"]
mod door;
#[allow(dead_code, reason = "shared by several test targets")]
#[path = "support/mock_http.rs"]
mod mock_http;
#[allow(dead_code, reason = "shared by several test targets")]
#[path = "support/mock_openai.rs"]
mod mock_openai;

use conversation::{Conversation, voice};
use door::{Door, Visit};
use mock_openai::{Fault, MockOpenAi, Reply, Script};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use voxgw::{
    call::journal::{Body, Verdict, Who},
    media::dsp::tone,
    unit::SampleRate,
};

const KEY: &str = "sk-test-0123456789abcdef";

async fn call(mock: &MockOpenAi, ports: u16, settings: &str, sound: Vec<i16>, stay_ms: u64) -> Conversation {
    let agent = format!("kind = 'openai'\nendpoint = '{}'\n{settings}", mock.url);
    conversation::call(&agent, ("OPENAI_API_KEY", KEY), ports, sound, Duration::from_millis(stay_ms)).await
}

fn replies() -> Vec<Reply> {
    vec![
        Reply::tone(700.0, 600, &["Hello ", "there."]),
        Reply::tone(900.0, 5_000, &["This answer ", "is very long ", "and will be cut."]),
        Reply::tone(1_100.0, 800, &["Sorry, ", "go on."]),
    ]
}

fn notes(conversation: &Conversation) -> String {
    let notes = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    let of = |line: &str| serde_json::from_str(line).ok().map(|record: voxgw::call::journal::Record| record.body);
    let bodies = notes.lines().filter_map(of);
    bodies.filter_map(|body| if let Body::Note(note) = body { Some(note.text + "\n") } else { None }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_conversation_with_barge_in() {
    let hears = vec!["I have a question.".to_owned(), "Another one.".to_owned()];
    let script = Script { key: Some(KEY.into()), replies: replies(), hears, ..Script::default() };
    let mock = MockOpenAi::start(script).await;
    let sound = voice(&[(1_200, 2_500), (900, 2_600)]);
    let settings = "voice = 'marin'\nlanguage = 'en-US'\ninstructions = 'Be brief.'\nend_of_speech = '500ms'\n\
                    [media]\ncodecs = ['pcmu']";
    let conversation = call(&mock, 25_100, settings, sound, 1_500).await;
    let view = &conversation.gateway;

    assert_eq!(mock.violations(), Vec::<String>::new());
    let log = &mock.logs()[0];
    assert_eq!(log.path, "/v1/realtime?model=gpt-realtime-2.1");
    assert_eq!(log.session["audio"]["input"]["format"], json!({"type": "audio/pcmu"}), "G.711 end to end");
    assert_eq!(log.session["audio"]["output"]["voice"], "marin");
    let half = log.heard.chunks(800).any(|chunk| tone::share_at(320.0, SampleRate::HZ_8000, chunk) > 0.9);
    assert!(half, "the caller's voice arrived");

    let turns = &view.turns;
    assert_eq!(turns.len(), 3, "greeting, cut answer, second answer: {turns:?}");
    assert!(turns[1].cut && (500..3_500).contains(&turns[1].heard_ms), "{:?}", turns[1]);
    let gap = turns[1].gap_ms.unwrap();
    assert!((450.0..1_300.0).contains(&gap), "{gap}");
    let parts: f64 = turns[1].parts.iter().map(|part| part.ms).sum();
    assert!((parts - gap).abs() < 0.01, "parts sum to the gap: {:?}", turns[1].parts);
    assert!(turns[1].caller.0.contains("I have a question."), "{:?}", turns[1]);
    assert!(!turns[2].cut && turns[2].agent.0 == "Sorry, go on.", "{:?}", turns[2]);

    // The model was told exactly what was heard of the answer that was cut.
    let truncated = log.of("conversation.item.truncate");
    assert_eq!(truncated.len(), 1, "{truncated:?}");
    assert_eq!(truncated[0]["audio_end_ms"], turns[1].heard_ms);
    for frequency in [700.0, 900.0, 1_100.0] {
        assert!(conversation.heard_tone(frequency), "{frequency} Hz was never heard");
    }
    let summary = view.summary.as_ref().unwrap();
    assert_eq!((summary.sip, summary.media, summary.agent), (Verdict::Pass, Verdict::Pass, Verdict::Pass));
    assert!(summary.uplink.is_some() && summary.downlink.is_some());
    let cassette = std::fs::read_to_string(conversation.file("serve", "agent.jsonl")).unwrap();
    assert!(!cassette.contains(KEY) && cassette.contains("\"wire\":\"openai pcmu\""), "the cassette knows its wire");
    assert!(!cassette.contains("input_audio_buffer.append"), "our own sound is in the recording");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_far_ahead_is_held_back_and_can_be_interrupted_all_the_same() {
    let mut replies = replies();
    replies[1].ms = 180_000;
    let mock = MockOpenAi::start(Script { replies, ..Script::default() }).await;
    // It comes ten times faster than it is heard: after seven seconds a minute waits here, and the rest on its way.
    let sound = voice(&[(1_200, 9_500), (900, 2_600)]);
    let conversation = call(&mock, 25_780, "end_of_speech = '500ms'", sound, 1_500).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    let turns = &conversation.gateway.turns;
    assert!(turns.len() == 3 && turns[1].cut && (6_000..12_500).contains(&turns[1].heard_ms), "{turns:?}");
    assert!(turns[2].gap_ms.is_some_and(|gap| gap < 2_000.0) && conversation.heard_tone(1_100.0), "{:?}", turns[2]);
    assert_eq!(mock.logs().len(), 1, "the connection lives on");
    assert!(!notes(&conversation).contains("dropped"), "{}", notes(&conversation));
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    let queued = journal.lines().filter_map(|line| {
        let record: Value = serde_json::from_str(line).ok()?;
        record["outbound"]["queue_ms"].as_u64()
    });
    let most_ms = queued.max().unwrap_or(0);
    assert!((55_000..=62_000).contains(&most_ms), "{most_ms} ms wait");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pcm_and_the_betas_names_work_as_well() {
    let script = Script { replies: replies(), beta_names: true, ..Script::default() };
    let mock = MockOpenAi::start(script).await;
    let conversation =
        call(&mock, 25_140, "audio = 'pcm24'\nvad = 'semantic_vad'\neagerness = 'high'", vec![], 3_000).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    assert_eq!(mock.logs()[0].session["audio"]["output"]["format"], json!({"type": "audio/pcm", "rate": 24_000}));
    assert!(conversation.heard_tone(700.0), "the greeting was heard");
    assert_eq!(conversation.gateway.turns[0].agent.0, "Hello there.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_key_leads_to_an_apology_with_the_cause() {
    let mock = MockOpenAi::start(Script { key: Some("another".into()), ..Script::default() }).await;
    let conversation = call(&mock, 25_180, "", vec![], 12_000).await;
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert_eq!((summary.sip, summary.agent, mock.refused()), (Verdict::Pass, Verdict::Fail, 1), "{summary:?}");
    assert!(summary.reason.contains("401") && summary.reason.contains("OPENAI_API_KEY"), "{}", summary.reason);
    assert!(!summary.reason.contains("sk-"), "nothing of the key: {}", summary.reason);
    assert!(conversation.loud_ms() > 2_000, "the apology was heard for {} ms", conversation.loud_ms());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_refused_says_why() {
    let script = Script { fault: Some((Fault::Refused("model_not_found"), 9)), ..Script::default() };
    let mock = MockOpenAi::start(script).await;
    let conversation = call(&mock, 25_220, "", vec![], 12_000).await;
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert!(summary.reason.contains("model_not_found") && summary.reason.contains("agents.NAME.model"), "{summary:?}");
    assert!(conversation.loud_ms() > 2_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breaks_are_bridged_once_and_apologised_for_in_the_end() {
    for (ports, code) in [(25_260, 1_006), (25_300, 1_011)] {
        let script = Script { replies: replies(), fault: Some((Fault::CloseMidReply(code), 1)), ..Script::default() };
        let mock = MockOpenAi::start(script).await;
        let conversation = call(&mock, ports, "", voice(&[(800, 3_000)]), 2_000).await;
        assert_eq!(mock.violations(), Vec::<String>::new());
        let logs = mock.logs();
        assert_eq!(logs.len(), 2, "{code}: a second connection");
        let told = logs[1].of("conversation.item.create");
        assert!(told.iter().any(|item| item.to_string().contains("Hello")), "{code}: told what was said: {told:?}");
        let view = &conversation.gateway;
        assert!(view.talk.iter().any(|said| said.who == Who::Agent && said.text.contains("long")), "{:?}", view.talk);
        assert_eq!(view.summary.as_ref().unwrap().agent, Verdict::Pass);
    }
    let script = Script { replies: replies(), fault: Some((Fault::CloseMidReply(1_008), 9)), ..Script::default() };
    let mock = MockOpenAi::start(script).await;
    let conversation = call(&mock, 25_340, "", vec![], 12_000).await;
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert!(summary.agent == Verdict::Fail && summary.reason.contains("1008"), "{summary:?}");
    assert!(conversation.loud_ms() > 2_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connecting_again_is_tried_three_times_once_a_session_was_live() {
    let script = Script { replies: replies(), fault: Some((Fault::CloseMidReply(1_011), 1)), ..Script::default() };
    let mock = MockOpenAi::start(script).await;
    let bad = [Visit::Through, Visit::Dropped, Visit::Unavailable, Visit::Closed(1_013)];
    let door = Door::before(&mock.url, bad).await;
    let agent = format!("kind = 'openai'\nendpoint = '{}'", door.url);
    let stay = Duration::from_millis(3_500);
    let conversation = conversation::call(&agent, ("OPENAI_API_KEY", KEY), 25_700, voice(&[(10, 3_000)]), stay).await;
    assert_eq!((mock.violations(), mock.logs().len()), (Vec::new(), 2));
    let view = &conversation.gateway;
    assert!(view.talk.iter().any(|said| said.who == Who::Agent && said.text.contains("long")), "{:?}", view.talk);
    assert_eq!(view.summary.as_ref().unwrap().agent, Verdict::Pass);
    let notes = notes(&conversation);
    assert!(notes.contains("503 Service Unavailable; trying again") && notes.contains("1013: try later"), "{notes}");

    // Before the first session there is one try: the caller would wait for nothing.
    let mock = MockOpenAi::start(Script { replies: replies(), ..Script::default() }).await;
    let door = Door::before(&mock.url, [Visit::Dropped]).await;
    let agent = format!("kind = 'openai'\nendpoint = '{}'", door.url);
    let stay = Duration::from_secs(12);
    let conversation = conversation::call(&agent, ("OPENAI_API_KEY", KEY), 25_740, vec![], stay).await;
    assert_eq!((conversation.gateway.summary.as_ref().unwrap().agent, mock.logs().len()), (Verdict::Fail, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_service_leads_to_an_apology() {
    let mock = MockOpenAi::start(Script { fault: Some((Fault::Silent, 9)), ..Script::default() }).await;
    let conversation = call(&mock, 25_380, "", vec![], 20_000).await;
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert!(summary.reason.contains("not ready within 10 s"), "{summary:?}");
    assert!(conversation.loud_ms() > 2_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_fail_are_asked_for_once_more_then_apologised_for() {
    let script = Script { fault: Some((Fault::Failed("server_error"), 9)), ..Script::default() };
    let mock = MockOpenAi::start(script).await;
    let conversation = call(&mock, 25_420, "", vec![], 12_000).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert!(summary.reason.contains("server_error: The model is down."), "{summary:?}");
    assert_eq!(mock.logs()[0].of("response.create").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_frames_do_not_stop_the_call() {
    let frames = vec![
        Message::text("{"),
        Message::Binary(vec![0xff; 700].into()),
        Message::text(
            json!({"type": "response.output_audio.delta", "response_id": "x", "item_id": "y", "delta": "!!"})
                .to_string(),
        ),
        Message::text(json!({"type": "unheard.of", "fill": "x".repeat(10 << 20)}).to_string()),
    ];
    let script = Script { replies: replies(), fault: Some((Fault::Frames(frames), 1)), ..Script::default() };
    let mock = MockOpenAi::start(script).await;
    let conversation = call(&mock, 25_460, "", vec![], 4_000).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    assert!(conversation.heard_tone(700.0), "the greeting was heard all the same");
    let notes = notes(&conversation);
    assert!(notes.contains("could not be read") && notes.contains("not base64"), "{notes}");
    assert_eq!(conversation.gateway.summary.as_ref().unwrap().agent, Verdict::Pass);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_is_not_there_is_answered_and_the_model_goes_on() {
    let script =
        Script { replies: replies(), calls: Some(("transfer_call", json!({"to": "100"}))), ..Script::default() };
    let mock = MockOpenAi::start(script).await;
    let conversation = call(&mock, 25_500, "", vec![], 4_000).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    assert!(
        mock.logs()[0].of("conversation.item.create").iter().any(|item| item["item"]["type"] == "function_call_output")
    );
    assert!(conversation.heard_tone(700.0), "the model went on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_fails_is_told_to_the_model_which_goes_on() {
    let shop = mock_http::MockHttp::start([mock_http::Answer::of(503, "closed for today").after(80)]).await;
    let calls = Some(("order", json!({"number": "17", "pin": "4711"})));
    let mock = MockOpenAi::start(Script { calls, replies: replies(), ..Script::default() }).await;
    let settings = format!(
        r#"
tools = ["order", "transfer"]
[tools.order]
description = "How far an order is."
url = "{}/orders"
parameters = '{{"type":"object","properties":{{"number":{{"type":"string"}},"pin":{{"format":"password"}}}}}}'
"#,
        shop.url
    );
    let conversation = call(&mock, 25_420, &settings, vec![], 3_000).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    let log = &mock.logs()[0];
    assert_eq!(log.session["tools"][0]["name"], "order");
    assert_eq!(log.session["tools"][1]["parameters"]["required"], json!(["to"]));
    let asked = shop.asked();
    assert_eq!((asked.len(), asked[0].line.as_str()), (1, "POST /orders"), "once: it may not bear being done twice");
    assert_eq!(asked[0].body, r#"{"number":"17","pin":"4711"}"#);
    let results = log.of("conversation.item.create");
    let result = results.iter().find(|item| item["item"]["type"] == "function_call_output").unwrap();
    assert_eq!(result["item"]["output"], r#"{"error":"answered 503 Service Unavailable: closed for today"}"#);
    assert_eq!(log.of("response.create").len(), 2, "the greeting, and the answer after the tool");
    assert!(conversation.heard_tone(700.0), "the model went on");
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    assert!(journal.contains(r#""state":"failed""#) && !journal.contains("4711"), "secret arguments are cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_hangs_up_after_its_last_word() {
    let calls = Some(("hang_up", json!({"reason": "all said"})));
    let mock = MockOpenAi::start(Script { calls, ..Script::default() }).await;
    let conversation = call(&mock, 25_460, "tools = ['hang_up']", vec![], 9_000).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert_eq!((summary.reason.as_str(), summary.ended_by.as_str()), ("all said", "agent"));
    assert_eq!(mock.logs()[0].of("response.create").len(), 1, "it is not asked to speak again");
}
