//! Whole calls through the gateway to a MOCK bot that speaks the Media Streams shape and checks every message of ours.
//! Real sockets on loopback: SIP, RTP and WebSocket.
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
#[path = "support/mock_bridge.rs"]
mod mock_bridge;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use conversation::{Conversation, voice};
use mock_bridge::{Fault, MockBridge, Script};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use voxgw::{call::journal::Verdict, media::dsp::tone, unit::SampleRate};

const KEY: &str = "a-shared-secret-of-32-characters";

async fn call(mock: &MockBridge, ports: u16, settings: &str, sound: Vec<i16>, stay_ms: u64) -> Conversation {
    let agent = format!("kind = 'bridge'\nendpoint = '{}'\n{settings}", mock.url);
    conversation::call(&agent, ("VOXGW_BRIDGE_KEY", KEY), ports, sound, Duration::from_millis(stay_ms)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_conversation_with_barge_in() {
    let script = Script { replies: vec![(700.0, 600), (900.0, 5_000), (1_100.0, 800)], ..Script::default() };
    let mock = MockBridge::start(script).await;
    // Speaks, hears the answer begin, interrupts it, hears the second answer.
    let sound = voice(&[(1_200, 2_500), (900, 3_200)]);
    let conversation = call(&mock, 26_100, "auth = 'jwt'\nparameters = ['tenant=7', 'lang=en']", sound, 1_500).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    let log = &mock.logs()[0];
    assert_eq!(log.path, "/media");
    let parameters = &log.start["customParameters"];
    assert_eq!((&parameters["tenant"], &parameters["lang"]), (&json!("7"), &json!("en")));
    assert!(parameters["from_number"].as_str().unwrap().contains("+4930123456"), "{parameters}");

    // Each call brings a token that names it and ends soon.
    let token = log.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer ")).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["sub"], parameters["call_id"]);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);

    let half = log.heard.chunks(800).any(|chunk| tone::share_at(320.0, SampleRate::HZ_8000, chunk) > 0.9);
    assert!(half, "the caller's voice arrived");
    // Marks: the greeting's when it was played, the cut answer's at once when it was cleared, the last one's in time.
    let marks: Vec<(&str, u128)> = log.marks.iter().map(|(name, after)| (name.as_str(), after.as_millis())).collect();
    assert_eq!(marks.len(), 3, "{marks:?}");
    assert!((500..1_500).contains(&marks[0].1), "played, not received: {marks:?}");
    assert!((700..4_000).contains(&marks[1].1), "cleared before its 5 s were over: {marks:?}");
    assert!((700..1_600).contains(&marks[2].1), "{marks:?}");
    assert_eq!(log.clears, 1);
    assert!(log.stopped, "the end of the call was said");

    let view = &conversation.gateway;
    let turns = &view.turns;
    assert_eq!(turns.len(), 3, "{turns:?}");
    assert!(turns[1].cut && (500..3_500).contains(&turns[1].heard_ms), "{:?}", turns[1]);
    assert!((450.0..1_400.0).contains(&turns[1].gap_ms.unwrap()), "{:?}", turns[1]);
    assert!(!turns[2].cut && turns[2].gap_ms.is_some(), "{:?}", turns[2]);
    for frequency in [700.0, 900.0, 1_100.0] {
        assert!(conversation.heard_tone(frequency), "{frequency} Hz was never heard");
    }
    let summary = view.summary.as_ref().unwrap();
    assert_eq!((summary.sip, summary.media, summary.agent), (Verdict::Pass, Verdict::Pass, Verdict::Pass));
    assert!(summary.uplink.is_some() && summary.downlink.is_some());
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    assert!(!journal.contains(KEY) && !journal.contains(token));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pcm_at_every_rate_and_a_key_in_a_header_of_its_own() {
    for (ports, audio, rate) in [(26_140, "pcm8", 8_000), (26_180, "pcm16", 16_000), (26_220, "pcm24", 24_000)] {
        let mock = MockBridge::start(Script { replies: vec![(700.0, 800)], ..Script::default() }).await;
        let settings = format!("audio = '{audio}'\nauth = 'authorization'");
        let conversation = call(&mock, ports, &settings, voice(&[(600, 100)]), 500).await;
        assert_eq!(mock.violations(), Vec::<String>::new());
        let log = &mock.logs()[0];
        assert_eq!(log.start["mediaFormat"], json!({"encoding": "audio/l16", "sampleRate": rate, "channels": 1}));
        assert_eq!(log.authorization.as_deref(), Some(KEY));
        let tenth = rate as usize / 10;
        let found = log.heard.chunks(tenth).any(|chunk| tone::share_at(320.0, SampleRate(rate), chunk) > 0.9);
        assert!(found, "{audio}: the caller's voice arrived at its own pitch");
        assert!(conversation.heard_tone(700.0), "{audio}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_hands_its_caller_to_a_bot() {
    let mock = MockBridge::start(Script { replies: vec![(700.0, 800)], ..Script::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("desk.toml");
    std::fs::write(&script, "name = 'desk'\n[greeting]\nsay = 'tone:1000:400'\nagent = 'bot'\n").unwrap();
    let agents = format!(
        "kind = 'scripted'\nscript = '{}'\n[agents.bot]\nkind = 'bridge'\nendpoint = '{}'\n",
        script.display(),
        mock.url
    );
    let stay = Duration::from_millis(2_500);
    let key = ("VOXGW_BRIDGE_KEY", KEY);
    let conversation = conversation::call(&agents, key, 26_580, voice(&[(600, 1_500), (600, 100)]), stay).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    assert!(conversation.heard_tone(1_000.0), "the script's greeting");
    assert!(conversation.heard_tone(700.0), "the bot");
    assert!(mock.logs()[0].stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_that_closes_ends_the_call_after_its_last_word() {
    let script = Script { replies: vec![(700.0, 1_500)], fault: Some((Fault::HangsUp, 9)) };
    let mock = MockBridge::start(script).await;
    let conversation = call(&mock, 26_260, "", vec![], 15_000).await;
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert_eq!((summary.ended_by.as_str(), summary.agent), ("agent", Verdict::Pass), "{summary:?}");
    assert!(conversation.loud_ms() >= 1_400, "{} ms of the last word were heard", conversation.loud_ms());
    assert!(summary.duration_s < 6.0, "{summary:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_stream_is_opened_again_and_given_up_in_the_end() {
    for (ports, code) in [(26_300, 1_006), (26_340, 1_011)] {
        let script = Script { replies: vec![(700.0, 1_000)], fault: Some((Fault::CloseMidReply(code), 1)) };
        let mock = MockBridge::start(script).await;
        let conversation = call(&mock, ports, "", vec![], 3_000).await;
        assert_eq!(mock.violations(), Vec::<String>::new());
        let logs = mock.logs();
        assert_eq!(logs.len(), 2, "{code}");
        assert_eq!(logs[0].start["callSid"], logs[1].start["callSid"]);
        assert_ne!(logs[0].start["streamSid"], logs[1].start["streamSid"]);
        assert_eq!(conversation.gateway.summary.as_ref().unwrap().agent, Verdict::Pass);
    }
    let script = Script { replies: vec![(700.0, 1_000)], fault: Some((Fault::CloseMidReply(1_008), 9)) };
    let mock = MockBridge::start(script).await;
    let conversation = call(&mock, 26_380, "", vec![], 12_000).await;
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert!(summary.agent == Verdict::Fail && summary.reason.contains("1008"), "{summary:?}");
    assert!(conversation.loud_ms() > 2_000, "the apology");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_final_and_an_overload_is_tried_again() {
    for (ports, status, connections) in [(26_420, 401, 1), (26_460, 503, 3)] {
        let mock = MockBridge::start(Script { fault: Some((Fault::Refused(status), 9)), ..Script::default() }).await;
        let conversation = call(&mock, ports, "", vec![], 12_000).await;
        let summary = conversation.gateway.summary.as_ref().unwrap();
        assert_eq!((summary.agent, mock.logs().len()), (Verdict::Fail, connections), "{status}");
        assert!(summary.reason.contains(&status.to_string()), "{summary:?}");
        assert!(conversation.loud_ms() > 2_000, "the apology");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_frames_and_a_silent_bot_do_not_stop_the_call() {
    let frames = vec![
        Message::text("{"),
        Message::Binary(vec![0xff; 700].into()),
        Message::text(r#"{"event":"media","media":{"payload":"!!"}}"#),
        Message::text(json!({"event": "mark", "mark": {"name": "x".repeat(10 << 20)}, "streamSid": "MZ"}).to_string()),
    ];
    let script = Script { replies: vec![(700.0, 800)], fault: Some((Fault::Frames(frames), 1)) };
    let mock = MockBridge::start(script).await;
    let conversation = call(&mock, 26_500, "", vec![], 3_000).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    assert!(conversation.heard_tone(700.0), "the greeting was heard all the same");
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    assert!(journal.contains("could not be read") && journal.contains("not base64"), "{journal}");
    // One that only listens is no failure.
    let mock = MockBridge::start(Script::default()).await;
    let conversation = call(&mock, 26_540, "", vec![], 1_000).await;
    assert_eq!(conversation.gateway.summary.as_ref().unwrap().agent, Verdict::Pass);
    assert!(mock.logs()[0].stopped);
}
