//! Whole calls through the gateway to a MOCK of Gemini Live that checks every client message against the vendor's
//! protocol. Real sockets on loopback: SIP, RTP and WebSocket; the caller is the same engine that `dial` uses.
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
#[path = "support/mock_gemini.rs"]
mod mock_gemini;
#[path = "support/mock_http.rs"]
#[allow(dead_code, reason = "shared by several test targets")]
mod mock_http;
#[path = "support/program.rs"]
mod program;

use conversation::{Conversation, loudest, voice};
use door::{Door, Visit};
use mock_gemini::{Event, KeySeen, MIN_CONTINUITY, MockGemini, Reply, Script};
use std::time::Duration;
use voxgw::{
    call::journal::{Verdict, Who},
    media::dsp::tone,
    unit::SampleRate,
};

const KEY: &str = "AIzaTest-0123456789-abcd";

/// One call to a gateway whose agent is `mock`; the caller plays `sound` after a second.
async fn call(mock: &MockGemini, ports: u16, settings: &str, sound: Vec<i16>, stay: Duration) -> Conversation {
    let agent = format!("kind = 'gemini'\nendpoint = '{}'\n{settings}", mock.url);
    conversation::call(&agent, ("GEMINI_API_KEY", KEY), ports, sound, stay).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_conversation_with_barge_in() {
    let script = Script::new()
        .require_key(KEY)
        .greeting(Reply::tone(700.0, 600).saying(["Hello ", "there."]))
        .reply(Reply::tone(900.0, 5_000).saying(["This answer ", "is very long ", "and will be cut."]))
        .reply(Reply::tone(1_100.0, 800).saying(["Sorry, ", "go on."]))
        .hears([" I have", " a question"])
        .split_extra()
        .unknown_fields()
        .odd_base64()
        .thought("the caller must never hear this");
    let mock = MockGemini::start(script).await;
    // Speaks, hears the answer begin, interrupts it, hears the second answer.
    let sound = voice(&[(1_200, 2_500), (900, 2_600)]);
    let settings = "voice = 'Kore'\nlanguage = 'en-US'\ninstructions = 'Be brief.'\nend_of_speech = '500ms'";
    let conversation = call(&mock, 24_100, settings, sound, Duration::from_millis(1_500)).await;
    let view = &conversation.gateway;

    assert_eq!(mock.violations(), Vec::<String>::new());
    assert!(mock.continuity() >= MIN_CONTINUITY, "audio must not pause: {}", mock.continuity());
    let log = &mock.sessions()[0];
    assert!(matches!(&log.key, Some(KeySeen::Header(key)) if key == KEY), "the key goes into a header: {:?}", log.key);
    let setup = log.setup.clone().unwrap();
    assert_eq!(setup["systemInstruction"]["parts"][0]["text"], "Be brief.");
    assert!(tone::share_at(320.0, SampleRate::HZ_16000, loudest(&log.audio)) > 0.9, "the caller's voice arrived");

    let turns = &view.turns;
    assert_eq!(turns.len(), 3, "greeting, cut answer, second answer: {turns:?}");
    assert_eq!(turns[0].gap_ms, None);
    assert!(turns[1].cut && turns[1].heard_ms < turns[1].generated_ms, "{:?}", turns[1]);
    assert!((500..3_500).contains(&turns[1].heard_ms), "{:?}", turns[1]);
    let gap = turns[1].gap_ms.unwrap();
    assert!((450.0..1_200.0).contains(&gap), "{gap}");
    let parts: f64 = turns[1].parts.iter().map(|part| part.ms).sum();
    assert!((parts - gap).abs() < 0.01, "parts sum to the gap: {:?}", turns[1].parts);
    assert!(turns[1].caller.0.contains("I have a question"), "{:?}", turns[1]);
    assert!(!turns[2].cut && turns[2].agent.0 == "Sorry, go on.");
    assert!(!format!("{view:?}").contains("must never hear"), "thoughts are not spoken");
    let summary = view.summary.as_ref().unwrap();
    assert_eq!((summary.sip, summary.media, summary.agent), (Verdict::Pass, Verdict::Pass, Verdict::Pass));
    assert!(summary.uplink.is_some() && summary.downlink.is_some());

    // The caller heard each answer's own tone, and silence soon after cutting in.
    let wav = std::fs::read(conversation.file("dial", "call.wav")).unwrap();
    let wav = voxgw::media::file::wav::read(&wav).unwrap();
    for frequency in [700.0, 900.0, 1_100.0] {
        let found = wav.channels[1].chunks(1_600).any(|chunk| tone::share_at(frequency, wav.rate, chunk) > 0.9);
        assert!(found, "{frequency} Hz was never heard");
    }
    assert!(conversation.caller.summary.as_ref().unwrap().stats.inbound.lost == 0);

    // The cassette plays the same conversation again, offline.
    let cassette = std::fs::read_to_string(conversation.file("serve", "agent.jsonl")).unwrap();
    assert!(!cassette.contains(KEY), "no key in the cassette");
    let again = replay_recorded(&conversation).await;
    assert_eq!(again.turns.len(), 3, "{:?}", again.turns);
    assert!(again.turns[1].cut);
    assert_eq!(again.journal(), replay_recorded(&conversation).await.journal(), "byte for byte");
}

/// `voxgw replay FILE --agent ai -o json`: the program itself, the same path at the speed of life.
#[test]
fn a_recording_talks_to_the_provider_again() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let script = Script::new().reply(Reply::tone(900.0, 700).saying(["Yes."])).hears([" hi"]);
    let mock = runtime.block_on(MockGemini::start(script));
    let home = program::Home::new();
    home.file("voxgw.toml", format!("[agents.ai]\nkind = 'gemini'\nendpoint = '{}'\ngreeting = 'none'\n", mock.url));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/short-answer.wav");
    let arguments = ["replay", file, "--agent", "ai", "--config", "voxgw.toml", "-o", "json"];
    let done = home.run_with(&[("GEMINI_API_KEY", KEY)], &arguments).exits(0);
    assert_eq!(mock.violations(), Vec::<String>::new());
    let report = done.json();
    let conversation = &report["files"][0]["conversation"];
    assert_eq!(conversation["turns"].as_array().map(Vec::len), Some(1), "{report:#}");
    assert_eq!(conversation["turns"][0]["agent"], "Yes.");
    assert!(conversation["turns"][0]["gap_ms"].is_number());
    // Without a key the error names where to put one.
    home.run(&arguments).exits(5).says(&["GEMINI_API_KEY"]);
}

async fn replay_recorded(conversation: &Conversation) -> voxgw::replay::Conversation {
    use voxgw::{
        agent::local::recorded::Recorded,
        call::pipeline::Seat,
        clock::Instant,
        replay::{Speed, converse, recorded_plan, source},
    };
    let folder = conversation.file("serve", "");
    let source = source::open(&folder, &source::Options::default()).unwrap();
    let text = std::fs::read_to_string(folder.join("agent.jsonl")).unwrap();
    let recorded = Recorded::parse(&text, Instant::from_millis(1_000)).unwrap();
    let seat = Seat::Local(Box::new(recorded));
    converse(&source.streams[0], &recorded_plan(), seat, "call", Speed::Max, &mut |_| {}).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_leads_to_an_apology_with_the_right_cause() {
    let mock = MockGemini::start(Script::new().require_key("another key")).await;
    let conversation = call(&mock, 24_140, "", vec![], Duration::from_secs(12)).await;
    let view = &conversation.gateway;
    let summary = view.summary.as_ref().unwrap();
    assert_eq!((summary.sip, summary.agent), (Verdict::Pass, Verdict::Fail), "{summary:?}");
    assert!(
        summary.reason.contains("API key not valid") && summary.reason.contains("GEMINI_API_KEY"),
        "{}",
        summary.reason
    );
    let bye = view.sip_messages().find(|(_, message)| message.label == "BYE").unwrap().1;
    assert!(bye.text.contains("cause=503"), "{}", bye.text);
    let wav = std::fs::read(conversation.file("dial", "call.wav")).unwrap();
    let heard = &voxgw::media::file::wav::read(&wav).unwrap().channels[1];
    let loud = heard.chunks(160).filter(|frame| frame.iter().any(|s| s.abs() > 1_000)).count();
    assert!(loud > 100, "the apology was heard for {} ms", loud * 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_go_away_is_survived_on_a_new_connection_with_the_handle() {
    let script = Script::new()
        .greeting(Reply::tone(700.0, 400).saying(["Hello."]))
        .reply(Reply::tone(900.0, 500).saying(["Yes."]))
        .go_away_after(Duration::from_millis(2_500), Duration::from_secs(9))
        .faults_on_first(1);
    let mock = MockGemini::start(script).await;
    let sound = voice(&[(800, 3_700), (800, 2_000)]);
    let conversation = call(&mock, 24_180, "", sound, Duration::from_secs(1)).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    assert_eq!(mock.connections(), 2);
    assert!(mock.sessions()[1].resumed_with.is_some(), "the second connection brings the handle");
    assert!(mock.sessions()[1].count(Event::SpeechStarted) >= 1, "the caller is heard on the new connection");
    let view = &conversation.gateway;
    assert_eq!(view.summary.as_ref().unwrap().agent, Verdict::Pass);
    assert!(view.talk.iter().any(|said| said.who == Who::Agent && said.text.contains("Yes")), "{:?}", view.talk);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_go_away_does_not_cut_what_is_being_said() {
    for (ports, left, asked_to_go_on) in [(24_580, 9, false), (24_620, 3, true)] {
        let script = Script::new()
            .greeting(Reply::tone(700.0, 4_000).saying(["A long hello."]).realtime())
            .go_away_after(Duration::from_secs(1), Duration::from_secs(left))
            .faults_on_first(1);
        let mock = MockGemini::start(script).await;
        let conversation = call(&mock, ports, "", voice(&[(10, 8_500)]), Duration::from_millis(500)).await;
        assert_eq!((mock.violations(), mock.connections()), (Vec::new(), 2));
        let sessions = mock.sessions();
        assert!(sessions[1].resumed_with.is_some(), "the handle of the first connection");
        let heard_ms = conversation.loud_ms();
        let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
        if asked_to_go_on {
            // 3 s less 2 s after the goAway it is left, mid-word; the mock answers words by saying its greeting.
            assert!(heard_ms > 5_000, "half of it, and the model goes on: {heard_ms} ms");
            assert_eq!(sessions[1].count(Event::TurnComplete), 1);
        } else {
            assert!((3_900..4_300).contains(&heard_ms), "all of it, once: {heard_ms} ms");
        }
        let turns = &conversation.gateway.turns;
        assert!(turns.iter().all(|turn| !turn.cut && turn.heard_ms == turn.generated_ms), "{turns:?}");
        assert!(journal.contains("connecting again before the provider closes"), "{journal}");
        assert_eq!(conversation.gateway.summary.as_ref().unwrap().agent, Verdict::Pass);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_stalls_is_noticed_and_reached_again() {
    let script = Script::new()
        .greeting(Reply::tone(700.0, 400).saying(["Hello."]))
        .reply(Reply::tone(900.0, 500).saying(["Yes."]));
    let mock = MockGemini::start(script).await;
    let door = Door::before(&mock.url, [Visit::ThroughFor(Duration::from_secs(2))]).await;
    // The default model may keep silent.
    let model = "model = 'gemini-3.1-flash-live-preview'";
    let agent = format!("kind = 'gemini'\n{model}\nendpoint = '{}'\n[call]\nagent_silence = '6s'", door.url);
    // Says something into the stall, and again when the connection is a new one.
    let sound = voice(&[(10, 2_000), (800, 10_000), (800, 2_500)]);
    let conversation =
        conversation::call(&agent, ("GEMINI_API_KEY", KEY), 24_660, sound, Duration::from_millis(500)).await;
    assert_eq!((mock.violations(), mock.connections()), (Vec::new(), 2));
    assert!(mock.sessions()[1].resumed_with.is_some());
    let view = &conversation.gateway;
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    assert!(journal.contains("nothing for 10 s, and no pong"), "{journal}");
    assert!(view.talk.iter().any(|said| said.who == Who::Agent && said.text.contains("Yes")), "{:?}", view.talk);
    let summary = view.summary.as_ref().unwrap();
    assert!(summary.lints.iter().any(|lint| lint == "ai-stall"), "{:?}", summary.lints);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_stays_silent_is_replaced_or_apologised_for() {
    for (ports, fallback) in [(24_700, "fallback = ['echo']\n"), (24_740, "")] {
        // It answers pings, and nothing else.
        let mock = MockGemini::start(Script::new().stall()).await;
        // The default model may keep silent.
        let model = "model = 'gemini-3.1-flash-live-preview'\n";
        let settings = format!("greeting = 'none'\n{model}{fallback}[call]\nagent_silence = '2s'");
        let sound = voice(&[(900, 5_500), (900, 2_000)]);
        let conversation = call(&mock, ports, &settings, sound, Duration::from_secs(6)).await;
        assert_eq!((mock.violations(), mock.connections()), (Vec::new(), 1), "the connection is well");
        let summary = conversation.gateway.summary.as_ref().unwrap();
        assert!(summary.lints.iter().any(|lint| lint == "ai-stall"), "{:?}", summary.lints);
        if fallback.is_empty() {
            assert_eq!(summary.agent, Verdict::Fail);
            assert!(summary.reason.contains("nothing from the agent for 4 s"), "{}", summary.reason);
            assert!(conversation.loud_ms() > 2_000, "the apology");
        } else {
            assert_eq!(summary.agent, Verdict::Pass, "{summary:?}");
            assert!(conversation.heard_tone(320.0), "the echo says back what the caller said");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connecting_again_is_tried_three_times_once_a_session_was_live() {
    let script = || {
        Script::new()
            .greeting(Reply::tone(700.0, 400).saying(["Hello."]))
            .reply(Reply::tone(900.0, 500).saying(["Yes."]))
            .go_away_after(Duration::from_millis(1_500), Duration::from_secs(9))
            .faults_on_first(1)
    };
    // The field's case is the 1011: the service holds on to the old connection.
    let bad = [Visit::Through, Visit::Dropped, Visit::Unavailable, Visit::Closed(1_011)];
    let mock = MockGemini::start(script()).await;
    let door = Door::before(&mock.url, bad.clone()).await;
    let agent = format!("kind = 'gemini'\nendpoint = '{}'", door.url);
    let sound = voice(&[(10, 4_500), (800, 2_000)]);
    let key = ("GEMINI_API_KEY", KEY);
    let conversation = conversation::call(&agent, key, 24_500, sound, Duration::from_secs(1)).await;
    assert_eq!((mock.violations(), mock.connections()), (Vec::new(), 2));
    assert!(mock.sessions()[1].resumed_with.is_some(), "the handle survives the tries");
    let view = &conversation.gateway;
    assert_eq!(view.summary.as_ref().unwrap().agent, Verdict::Pass);
    assert!(view.talk.iter().any(|said| said.who == Who::Agent && said.text.contains("Yes")), "{:?}", view.talk);
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    for said in ["503 Service Unavailable; trying again", "closed with 1011: try later; trying again"] {
        assert!(journal.contains(said), "{said}: {journal}");
    }

    // A fourth one in vain is the end.
    let mock = MockGemini::start(script()).await;
    let door = Door::before(&mock.url, bad.into_iter().chain([Visit::Dropped])).await;
    let agent = format!("kind = 'gemini'\nendpoint = '{}'", door.url);
    let conversation = conversation::call(&agent, key, 24_540, vec![], Duration::from_secs(12)).await;
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert_eq!(summary.agent, Verdict::Fail);
    assert!(summary.reason.contains("could not connect"), "{}", summary.reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_breaks_off_for_good_leads_to_an_apology() {
    let script = Script::new()
        .greeting(Reply::tone(700.0, 3_000).saying(["A long hello."]))
        .close_mid_reply(1_008, "Operation is not implemented, or supported, or enabled");
    let mock = MockGemini::start(script).await;
    let conversation = call(&mock, 24_220, "", vec![], Duration::from_secs(12)).await;
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert_eq!(summary.agent, Verdict::Fail);
    assert!(summary.reason.contains("1008"), "{}", summary.reason);
}

/// A tool that asks a server of ours, `{URL}` its address.
const ORDER: &str = r#"
tools = ["order", "hang_up"]
[tools.order]
description = "How far an order is."
url = "{URL}/orders/{{number}}?by={{from}}"
method = "GET"
headers = ["Authorization: Bearer s3cret-of-the-shop"]
parameters = '{"type":"object","properties":{"number":{"type":"string"}},"required":["number"]}'
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_is_asked_while_the_caller_waits_and_its_answer_is_spoken_of() {
    let shop = mock_http::MockHttp::start([mock_http::Answer::of(200, r#"{"state":"on its way"}"#).after(120)]).await;
    let script = Script::new()
        .greeting(Reply::tone(700.0, 400).saying(["Hello."]))
        .reply(Reply::tone(900.0, 600).saying(["It is on its way."]))
        .tool_call("call-1", "order", serde_json::json!({"number": "17"}));
    let mock = MockGemini::start(script).await;
    let settings = ORDER.replace("{URL}", &shop.url);
    let conversation = call(&mock, 24_260, &settings, voice(&[(900, 3_000)]), Duration::from_millis(500)).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    let log = &mock.sessions()[0];
    let names = &log.setup.as_ref().unwrap()["tools"][0]["functionDeclarations"];
    assert_eq!((names[0]["name"].as_str(), names[1]["name"].as_str()), (Some("order"), Some("hang_up")));
    assert_eq!(log.tool_answers[0]["response"]["output"]["state"], "on its way");

    let asked = &shop.asked()[0];
    assert_eq!(asked.line, "GET /orders/17?by=%2B4930123456");
    assert_eq!((asked.header("authorization"), asked.header("x-voxgw-tool")), ("Bearer s3cret-of-the-shop", "order"));
    assert_eq!(asked.header("x-voxgw-call"), conversation.gateway.call().to_string());
    assert!(
        conversation.gateway.talk.iter().any(|said| said.text.contains("on its way")),
        "{:?}",
        conversation.gateway.talk
    );
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    let tools: Vec<&str> = journal.lines().filter(|line| line.contains(r#""kind":"tool""#)).collect();
    assert!(tools[0].contains("called") && tools[0].contains("17"), "{tools:?}");
    assert!(
        tools[1].contains("answered") && tools[1].contains("took_ms") && tools[1].contains("on its way"),
        "{tools:?}"
    );
    assert!(!journal.contains("s3cret-of-the-shop"));
    let view = &conversation.gateway;
    assert!(
        view.events.iter().any(|event| matches!(&event.body, voxgw::call::journal::Body::Tool(_))),
        "in the ladder"
    );
    // What was recorded calls nothing again.
    let again = replay_recorded(&conversation).await;
    assert_eq!((again.turns.len(), shop.asked().len()), (view.turns.len(), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_is_taken_back_is_let_go() {
    let shop = mock_http::MockHttp::start([mock_http::Answer::of(200, "late").after(20_000)]).await;
    let script = Script::new()
        .reply(Reply::tone(900.0, 600).saying(["Never mind."]))
        .tool_call("call-1", "order", serde_json::json!({"number": "17"}))
        .cancel_tool_after(Duration::from_millis(300));
    let mock = MockGemini::start(script).await;
    let settings = format!("greeting = 'none'{}", ORDER.replace("{URL}", &shop.url));
    let conversation = call(&mock, 24_300, &settings, voice(&[(900, 2_500)]), Duration::from_millis(300)).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    assert_eq!((shop.asked().len(), shop.gone()), (1, 1), "the shop's connection is closed");
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    assert!(journal.contains(r#""state":"cancelled""#), "{journal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vertex_takes_a_token_from_a_file_that_is_read_anew_and_tokens_are_counted() {
    let script = Script::new()
        .greeting(Reply::tone(700.0, 400).saying(["Hello."]))
        .reply(Reply::tone(900.0, 400).saying(["Yes."]))
        .go_away_after(Duration::from_millis(1_800), Duration::from_secs(9))
        .faults_on_first(1);
    let mock = MockGemini::start(script).await;
    let token = std::env::temp_dir().join(format!("voxgw-vertex-{}", std::process::id()));
    std::fs::write(&token, "ya29.first\n").unwrap();
    let settings = format!(
        "project = 'shop'\nlocation = 'europe-west4'\nkey_file = '{}'\nbarge_in = 'off'\nstart_sensitivity = 'low'\n\
         compress_at = 25600\ncompress_to = 12800",
        token.display()
    );
    // Whoever renews tokens does so while the gateway runs.
    let renewed = token.clone();
    let renewal = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        std::fs::write(renewed, "ya29.second").unwrap();
    });
    let conversation =
        call(&mock, 24_340, &settings, voice(&[(800, 2_700), (800, 2_000)]), Duration::from_millis(500)).await;
    renewal.await.unwrap();
    std::fs::remove_file(&token).unwrap();
    assert_eq!(mock.violations(), Vec::<String>::new());
    let sessions = mock.sessions();
    let keys: Vec<&str> = sessions.iter().map(|log| log.key.as_ref().map_or("", KeySeen::value)).collect();
    assert_eq!(keys, ["Bearer ya29.first", "Bearer ya29.second"]);
    let log = &sessions[0];
    assert!(log.path.contains("aiplatform"), "{}", log.path);
    let setup = log.setup.as_ref().unwrap();
    assert_eq!(setup["model"], "projects/shop/locations/europe-west4/publishers/google/models/gemini-3.8-live");
    assert_eq!(setup["realtimeInputConfig"]["activityHandling"], "NO_INTERRUPTION");
    let summary = conversation.gateway.summary.as_ref().unwrap();
    let usage = summary.usage.as_ref().unwrap();
    // The greeting and two answers: the question that goAway fell into is asked again on the second connection.
    assert_eq!((usage.input_tokens, usage.input_audio_tokens, usage.output_audio_tokens), (360, 300, 240), "{usage:?}");
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    assert_eq!(journal.matches(r#""kind":"usage""#).count(), 3);
    assert!(!journal.contains("ya29"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ephemeral_token_and_our_own_detector() {
    let script = Script::new()
        .require_key("Token auth_tokens/once")
        .greeting(Reply::tone(700.0, 400).saying(["Hello."]))
        .reply(Reply::tone(900.0, 600).saying(["Yes."]));
    let mock = MockGemini::start(script).await;
    let agent = format!("kind = 'gemini'\nendpoint = '{}'\nvad = 'local'\nvad_prefix = '200ms'", mock.url);
    let sound = voice(&[(1_200, 2_000)]);
    let key = ("GEMINI_API_KEY", "auth_tokens/once");
    let conversation = conversation::call(&agent, key, 24_380, sound, Duration::from_millis(500)).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    let log = &mock.sessions()[0];
    assert!(log.path.ends_with("v1alpha.GenerativeService.BidiGenerateContentConstrained"), "{}", log.path);
    assert_eq!((log.count(Event::ActivityStart), log.count(Event::ActivityEnd)), (1, 1));
    let heard_ms = log.audio_samples / 16;
    assert!((1_200..2_200).contains(&heard_ms), "speech, and a little before and after: {heard_ms} ms");
    let talk = &conversation.gateway.talk;
    assert!(talk.iter().any(|said| said.who == Who::Agent && said.text.contains("Yes")), "{talk:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_refuses_us_is_replaced_before_the_caller_hears_of_it() {
    let refusing = MockGemini::start(Script::new().require_key("another key")).await;
    let script = Script::new().greeting(Reply::tone(1_100.0, 500).saying(["Hello from the second."]));
    let second = MockGemini::start(script).await;
    // Nobody listens on the first address of the chain.
    let settings = format!(
        "fallback = ['nowhere', 'second', 'scripted']\n[agents.nowhere]\nkind = 'gemini'\nendpoint = 'ws://127.0.0.1:9'\n\
         [agents.second]\nkind = 'gemini'\nendpoint = '{}'\nlanguage = 'de-DE'",
        second.url
    );
    let conversation = call(&refusing, 24_420, &settings, voice(&[(10, 2_500)]), Duration::from_millis(500)).await;
    assert_eq!(second.violations(), Vec::<String>::new());
    assert_eq!(
        second.sessions()[0].setup.as_ref().unwrap()["generationConfig"]["speechConfig"]["languageCode"],
        "de-DE"
    );
    let view = &conversation.gateway;
    let summary = view.summary.as_ref().unwrap();
    assert_eq!((summary.sip, summary.agent), (Verdict::Pass, Verdict::Pass), "{summary:?}");
    assert!(summary.lints.iter().any(|lint| lint == "ai-fallback"), "{:?}", summary.lints);
    assert!(conversation.heard_tone(1_100.0), "the second agent greets");
    assert!(conversation.loud_ms() < 900, "and nothing else is heard, no apology: {} ms", conversation.loud_ms());
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    for said in [
        "API key not valid",
        "nowhere takes the call",
        "could not connect to ws://127.0.0.1:9",
        "second takes the call",
    ] {
        assert!(journal.contains(said), "{said}: {journal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_breaks_off_for_good_is_replaced_by_an_offline_agent() {
    let script = Script::new()
        .greeting(Reply::tone(700.0, 1_500).saying(["A long hello."]))
        .close_mid_reply(1_008, "Operation is not implemented, or supported, or enabled");
    let mock = MockGemini::start(script).await;
    let sound = voice(&[(10, 4_500), (900, 2_500)]);
    let conversation = call(&mock, 24_460, "fallback = ['echo']", sound, Duration::from_millis(500)).await;
    let view = &conversation.gateway;
    let summary = view.summary.as_ref().unwrap();
    assert_eq!(summary.agent, Verdict::Pass, "{summary:?}");
    assert!(!summary.reason.contains("the agent failed"), "{}", summary.reason);
    assert!(conversation.heard_tone(700.0), "what the first had said is heard");
    assert!(conversation.heard_tone(320.0), "the echo says back what the caller said");
    assert!(view.events.iter().any(|event| matches!(&event.body, voxgw::call::journal::Body::Note(note)
        if note.text.contains("1008") && note.text.contains("echo takes the call"))));
}

/// `voxgw agents ls` and `agents test`: the program itself.
#[test]
fn agents_are_listed_and_tried_without_a_telephone() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let greeting = Reply::tone(700.0, 700).saying(["Hello."]);
    let script = Script::new().require_key(KEY).greeting(greeting).reply(Reply::tone(900.0, 700).saying(["Yes."]));
    let mock = runtime.block_on(MockGemini::start(script));
    let home = program::Home::new();
    let profile = format!("[agents.ai]\nkind = 'gemini'\nendpoint = '{}'\nfallback = ['echo']\n", mock.url);
    home.file("voxgw.toml", profile);
    let keyed = [("GEMINI_API_KEY", KEY)];
    let config = ["--config", "voxgw.toml"];

    let listed = home.run_with(&keyed, &[&["agents", "ls", "-o", "json"][..], &config].concat()).exits(0).json();
    let rows = listed["agents"].as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!((&row("ai")["ready"], &row("ai")["fallback"][0]), (&true.into(), &"echo".into()), "{listed:#}");
    assert_eq!(row("bridge")["ready"], false);
    assert!(row("openai")["problem"].as_str().unwrap().contains("no key"), "{listed:#}");
    let prints = |done: program::Done, words: &[&str]| {
        assert!(words.iter().all(|word| done.stdout.contains(word)), "{words:?}: {}", done.stdout);
    };
    prints(home.run_with(&keyed, &[&["agents", "ls"][..], &config].concat()).exits(0), &["ready", "then echo"]);

    let test = ["agents", "test", "ai", "--runs", "2", "--delay", "2s", "-o", "json"];
    let report = home.run_with(&keyed, &[&test[..], &config].concat()).exits(0).json();
    assert_eq!(mock.violations(), Vec::<String>::new());
    let runs = report["test"]["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2, "{report:#}");
    for run in runs {
        let said: Vec<&str> =
            run["transcript"].as_array().unwrap().iter().filter_map(|said| said["text"].as_str()).collect();
        assert_eq!(said.concat(), "Hello.Yes.", "{report:#}");
        let ms = |name: &str| run[name].as_f64().unwrap();
        assert!(ms("setup_ms") >= 20.0 && ms("first_sound_ms") < 1_000.0, "the mock takes 20 ms: {report:#}");
    }
    let figures = report["test"]["figures"].as_array().unwrap();
    let figure = |name: &str| figures.iter().find(|figure| figure["name"] == name).unwrap();
    assert_eq!((&figure("setup")["count"], &figure("gap")["count"]), (&2.into(), &2.into()));
    assert!(figure("gap")["p95_ms"].as_f64().unwrap() >= 450.0, "500 ms of silence end a turn: {report:#}");
    assert_eq!(figure("playout")["owner"], "voxgw");

    // A key that the provider refuses, and an agent that needs none.
    let refused = home.run_with(&[("GEMINI_API_KEY", "wrong")], &[&["agents", "test", "ai"][..], &config].concat());
    prints(refused.exits(5), &["fail", "API key not valid"]);
    prints(home.run(&["agents", "test", "echo", "--delay", "0s"]).exits(0), &["first sound", "gap", "pass"]);
    home.run(&["agents", "test", "nobody"]).exits(2).says(&["no agent called 'nobody'"]);
}
