//! Whole calls through the gateway to a MOCK of GPT-Live that checks every client message. Real sockets on loopback:
//! SIP, RTP and WebSocket.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
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
#[path = "support/mock_gpt_live.rs"]
mod mock_gpt_live;

use conversation::{Conversation, voice};
use door::{Door, Visit};
use mock_gpt_live::{Fault, MockGptLive, Reply, Script};
use serde_json::json;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use voxgw::{call::journal::Verdict, media::dsp::tone, unit::SampleRate};

const KEY: &str = "sk-test-0123456789abcdef";

async fn call(url: &str, ports: u16, settings: &str, sound: Vec<i16>, stay_ms: u64) -> Conversation {
    let agent = format!("kind = 'gpt-live'\nendpoint = '{url}'\n{settings}");
    conversation::call(&agent, ("OPENAI_API_KEY", KEY), ports, sound, Duration::from_millis(stay_ms)).await
}

fn replies() -> Vec<Reply> {
    vec![
        Reply { hz: 700.0, ms: 600, words: "Hello there." },
        Reply { hz: 900.0, ms: 5_000, words: "This answer is very long and will be cut." },
        Reply { hz: 1_100.0, ms: 800, words: "Sorry, go on." },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_conversation_without_turns_on_the_wire_has_them_in_the_journal() {
    let script = Script { key: Some(KEY.into()), replies: replies(), hears: "A question.", ..Script::default() };
    let mock = MockGptLive::start(script).await;
    let sound = voice(&[(10, 1_000), (1_200, 3_000), (1_200, 3_500)]);
    let settings = "voice = 'marin'\ninstructions = 'Be brief.'\n[media]\ncodecs = ['pcma']";
    let conversation = call(&mock.url, 27_100, settings, sound, 1_500).await;
    let view = &conversation.gateway;
    assert_eq!(mock.violations(), Vec::<String>::new());
    let log = &mock.logs()[0];
    assert_eq!(log.session["audio"]["format"], json!({"type": "audio/pcma", "rate": 8_000}), "G.711 end to end");
    assert_eq!(log.session["model"], "gpt-live-1");
    let heard = log.heard.chunks(800).any(|chunk| tone::share_at(320.0, SampleRate::HZ_8000, chunk) > 0.9);
    assert!(heard, "the caller's voice arrived");
    let turns = &view.turns;
    assert_eq!(turns.len(), 3, "greeting, cut answer, second answer: {turns:?}");
    assert!(!turns[0].cut && turns[0].agent.0 == "Hello there.", "{:?}", turns[0]);
    assert!(turns[1].cut && turns[1].heard_ms < 3_500 && turns[1].caller.0 == "A question.", "{:?}", turns[1]);
    let gap = turns[1].gap_ms.unwrap();
    assert!((450.0..1_500.0).contains(&gap), "{gap}");
    let parts: f64 = turns[1].parts.iter().map(|part| part.ms).sum();
    assert!((parts - gap).abs() < 0.01, "parts sum to the gap: {:?}", turns[1].parts);
    assert!(!turns[2].cut && turns[2].agent.0 == "Sorry, go on.", "{:?}", turns[2]);
    for frequency in [700.0, 900.0, 1_100.0] {
        assert!(conversation.heard_tone(frequency), "{frequency} Hz was never heard");
    }
    assert_eq!(log.of("session.close").len(), 1, "the session is ended properly");
    assert_eq!(view.summary.as_ref().unwrap().agent, Verdict::Pass);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_is_called_by_the_second_model_which_goes_on_with_its_result() {
    let calls = Some(("set_variable", json!({"name": "mood", "value": "good"})));
    let mock = MockGptLive::start(Script { replies: replies(), calls, ..Script::default() }).await;
    let settings = "greeting = 'none'\ntools = ['set_variable']\ndelegate = 'gpt-5-mini'\naudio = 'pcm16'";
    let conversation = call(&mock.url, 27_140, settings, voice(&[(800, 3_000)]), 500).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    let log = &mock.logs()[0];
    assert_eq!(log.session["delegation"]["responses"]["tools"][0]["name"], "set_variable");
    assert_eq!((log.of("response.item.create").len(), log.of("response.create").len()), (1, 1));
    assert!(conversation.heard_tone(700.0), "the model spoke of it");
    assert_eq!(conversation.gateway.summary.as_ref().unwrap().agent, Verdict::Pass);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_break_or_expire_are_made_anew_and_told_what_was_said() {
    for (ports, fault) in [(27_180, Fault::CloseMidReply(1_011)), (27_220, Fault::Closed("expired"))] {
        let script = Script { replies: replies(), fault: Some((fault.clone(), 1)), hears: "Why?", ..Script::default() };
        let mock = MockGptLive::start(script).await;
        let conversation = call(&mock.url, ports, "", voice(&[(10, 1_500), (800, 2_500)]), 500).await;
        assert_eq!((mock.violations(), mock.logs().len()), (Vec::new(), 2), "{fault:?}");
        let told = mock.logs()[1].session["input"].to_string();
        assert!(told.contains("Hello there."), "{fault:?}: {told}");
        assert!(conversation.heard_tone(900.0), "{fault:?}: the second session answers");
        assert_eq!(conversation.gateway.summary.as_ref().unwrap().agent, Verdict::Pass);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_into_a_connection_that_stalled_is_heard_by_the_next_one() {
    let mock = MockGptLive::start(Script { replies: replies(), ..Script::default() }).await;
    let door = Door::before(&mock.url, [Visit::ThroughFor(Duration::from_millis(2_500))]).await;
    let settings = "greeting = 'none'\n[media]\ncodecs = ['pcmu']";
    let conversation = call(&door.url, 27_260, settings, voice(&[(10, 2_500), (700, 12_500)]), 500).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    let logs = mock.logs();
    assert_eq!(logs.len(), 2);
    let asked = |log: &mock_gpt_live::Log| {
        log.heard.chunks(800).any(|chunk| tone::share_at(320.0, SampleRate::HZ_8000, chunk) > 0.9)
    };
    assert_eq!((asked(&logs[0]), asked(&logs[1])), (false, true));
    assert!(conversation.heard_tone(700.0), "it was answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_cannot_be_had_leads_to_an_apology_with_the_cause() {
    let start = |fault| Script { fault: Some((fault, 9)), replies: replies(), ..Script::default() };
    let wrong_key = Script { key: Some("another".into()), ..Script::default() };
    for (ports, script, cause) in [
        (27_300, wrong_key, "OPENAI_API_KEY"),
        (27_340, start(Fault::Refused("model_not_found")), "agents.NAME.model"),
        (27_380, start(Fault::CloseMidReply(1_008)), "1008"),
        (27_420, start(Fault::Closed("content")), "content"),
        (27_460, start(Fault::Silent), "not ready within 10 s"),
    ] {
        let mock = MockGptLive::start(script).await;
        let conversation = call(&mock.url, ports, "", vec![], 20_000).await;
        let summary = conversation.gateway.summary.as_ref().unwrap();
        assert!(summary.agent == Verdict::Fail && summary.reason.contains(cause), "{summary:?}");
        assert!(conversation.loud_ms() > 2_000, "{cause}: the apology was heard for {} ms", conversation.loud_ms());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_frames_do_not_stop_the_call() {
    let frames = vec![
        Message::text("{"),
        Message::Binary(vec![0xff; 700].into()),
        Message::text(json!({"type": "session.output_audio.delta", "delta": "!!"}).to_string()),
        Message::text(json!({"type": "unheard.of", "fill": "x".repeat(10 << 20)}).to_string()),
    ];
    let mock =
        MockGptLive::start(Script { replies: replies(), fault: Some((Fault::Frames(frames), 1)), ..Script::default() })
            .await;
    let conversation = call(&mock.url, 27_500, "", vec![], 4_000).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    assert!(conversation.heard_tone(700.0), "the greeting was heard all the same");
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    assert!(journal.contains("could not be read") && journal.contains("not base64"));
}
