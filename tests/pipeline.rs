//! Whole calls through the gateway to a MOCK of three HTTP services (speech to text, chat, speech) that checks every
//! request. Real sockets on loopback: SIP, RTP and HTTP.
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
#[path = "support/mock_http.rs"]
mod mock_http;
#[allow(dead_code, reason = "shared by several test targets")]
#[path = "support/mock_pipeline.rs"]
mod mock_pipeline;

use conversation::{Conversation, voice};
use mock_pipeline::{Fault, MockPipeline, Reply, Script};
use serde_json::{Value, json};
use std::time::Duration;
use voxgw::{call::journal::Verdict, media::dsp::tone, unit::SampleRate};

const KEY: &str = "sk-test-0123456789abcdef";

async fn call(mock: &MockPipeline, ports: u16, settings: &str, sound: Vec<i16>, stay_ms: u64) -> Conversation {
    let agent = format!("kind = 'pipeline'\nendpoint = '{}'\n{settings}", mock.url);
    conversation::call(&agent, ("OPENAI_API_KEY", KEY), ports, sound, Duration::from_millis(stay_ms)).await
}

fn script() -> Script {
    Script {
        key: Some(KEY.into()),
        hears: vec!["I have a question.".to_owned(), "Another one.".to_owned()],
        replies: vec![
            Reply::text("Hello there."),
            Reply::text("This answer is long. Its second sentence will be cut in the middle. Nobody hears a third."),
            Reply::text("Sorry, go on."),
        ],
        voices: vec![
            ("Hello", 700.0, 600),
            ("answer", 900.0, 1_000),
            ("second", 1_300.0, 4_000),
            ("third", 1_700.0, 1_000),
            ("Sorry", 1_100.0, 800),
        ],
        delays: [60, 80, 40],
        ..Script::default()
    }
}

fn sentences(mock: &MockPipeline) -> Vec<String> {
    mock.of("tts").iter().map(|asked| asked.fields["input"].as_str().unwrap().to_owned()).collect()
}

fn journal(conversation: &Conversation) -> String {
    std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_conversation_with_barge_in() {
    let mock = MockPipeline::start(Script { pace: 1, ..script() }).await;
    let sound = voice(&[(1_200, 3_400), (900, 3_000)]);
    let settings =
        "instructions = 'Be brief.'\nlanguage = 'en-US'\nvoice = 'marin'\nmodel = 'brain'\nend_of_speech = '500ms'";
    let conversation = call(&mock, 26_100, settings, sound, 1_500).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    let view = &conversation.gateway;

    // The ear got the caller's voice, and nothing but that.
    let ear = mock.of("stt");
    assert_eq!((&ear[0].fields["language"], &ear[0].fields["rate"]), (&json!("en"), &json!(16_000)));
    let tones =
        ear[0].heard.chunks(1_600).filter(|chunk| tone::share_at(320.0, SampleRate::HZ_16000, chunk) > 0.9).count();
    assert!((9..=14).contains(&tones), "{tones} tenths of a second of {}", ear[0].heard.len() / 1_600);

    let turns = &view.turns;
    assert_eq!(turns.len(), 3, "greeting, cut answer, second answer: {turns:?}");
    assert_eq!((turns[0].agent.0.as_str(), turns[0].gap_ms), ("Hello there.", None));
    assert_eq!(turns[1].caller.0, "I have a question.");
    assert!(turns[1].cut && (1_200..4_800).contains(&turns[1].heard_ms), "{:?}", turns[1]);
    assert_eq!((turns[2].caller.0.as_str(), turns[2].agent.0.as_str()), ("Another one.", "Sorry, go on."));

    // Each part of the gap has its owner, and they sum to it.
    let names: Vec<&str> = turns[1].parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["endpoint", "stt", "llm", "tts", "playout"]);
    let place = mock.url.trim_start_matches("http://").trim_end_matches("/v1");
    assert!(turns[1].parts[1..4].iter().all(|part| part.owner == place), "{:?}", turns[1].parts);
    let gap = turns[1].gap_ms.unwrap();
    let sum: f64 = turns[1].parts.iter().map(|part| part.ms).sum();
    assert!((sum - gap).abs() < 0.01 && (600.0..1_500.0).contains(&gap), "{gap}: {:?}", turns[1].parts);
    assert!(turns[1].parts[1].ms < 30.0, "written down while the pause lasted: {:?}", turns[1].parts);
    assert!(turns[1].parts[2].ms > 75.0 && turns[1].parts[3].ms > 35.0, "{:?}", turns[1].parts);

    // The model is told what was heard of the answer that was cut, no more.
    let questions = mock.of("llm");
    let last = questions.last().unwrap().fields["messages"].as_array().unwrap().clone();
    let said: Vec<&Value> = last.iter().filter(|message| message["role"] == "assistant").collect();
    assert_eq!(said[0]["content"], "Hello there.");
    let cut = said[1]["content"].as_str().unwrap();
    assert!(cut.starts_with("This answer is long. Its") && !cut.contains("middle"), "{cut}");
    assert_eq!(last.last().unwrap(), &json!({"role": "user", "content": "Another one."}));
    assert!(mock.of("tts").iter().any(|asked| asked.cut), "the sentence that was cut is not made to its end");
    for hz in [700.0, 900.0, 1_300.0, 1_100.0] {
        assert!(conversation.heard_tone(hz), "{hz} Hz was never heard");
    }
    assert!(!conversation.heard_tone(1_700.0), "what was cut is not heard");
    let summary = view.summary.as_ref().unwrap();
    assert_eq!((summary.sip, summary.media, summary.agent), (Verdict::Pass, Verdict::Pass, Verdict::Pass));
    assert!(!journal(&conversation).contains(KEY));

    // The cassette holds all of it without the key, and replays without network, to the byte.
    let tape = std::fs::read_to_string(conversation.file("serve", "agent.jsonl")).unwrap();
    assert!(!tape.contains(KEY) && tape.contains("{\\\"setup\\\":"), "{}", &tape[..200]);
    let folder = conversation.file("serve", "");
    let replayed = |name: &str| {
        let out = conversation.folder.path().join(name);
        let program = std::process::Command::new(env!("CARGO_BIN_EXE_voxgw"))
            .args(["replay", "--agent", "recorded", "--out"])
            .args([&out, &folder])
            .env_remove("OPENAI_API_KEY")
            .output()
            .unwrap();
        assert!(program.status.success(), "{}", String::from_utf8_lossy(&program.stderr));
        std::fs::read_to_string(out.join("session.jsonl")).unwrap()
    };
    let asked = mock.asked().len();
    let (one, other) = (replayed("one"), replayed("other"));
    assert!(one == other, "the same journal each time");
    assert_eq!(mock.asked().len(), asked, "nobody is asked");
    let said: Vec<String> = one
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|record| record["kind"] == "turn")
        .map(|record| {
            format!(
                "{} / {} / {}",
                record["caller"].as_str().unwrap(),
                record["agent"].as_str().unwrap(),
                record["cut"]
            )
        })
        .collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!(said[0], " / Hello there. / false");
    assert!(said[1].starts_with("I have a question. / This answer is long.") && said[1].ends_with("true"), "{said:?}");
    assert_eq!(said[2], "Another one. / Sorry, go on. / false");
    // The greeting and the last answer were written to their ends; the counts of one that is cut never come.
    let usage = summary.usage.as_ref().unwrap();
    assert_eq!(usage.total_tokens, 27 * (usage.input_tokens / 20), "{usage:?}");
    assert!((2..=3).contains(&(usage.input_tokens / 20)), "{usage:?}");
}

/// Two programs instead of two services: one prints words, the other a WAV.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_write_down_and_speak_and_are_killed_when_the_caller_interrupts() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, hz: f64, ms: usize| {
        let mut samples = Vec::new();
        tone::sine(hz, 9_000.0, SampleRate::HZ_16000, 0, ms * 16, &mut samples);
        let mut wav = voxgw::media::file::wav::header(SampleRate::HZ_16000, 1, samples.len() as u64 * 2).to_vec();
        wav.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        let path = folder.path().join(name);
        std::fs::write(&path, wav).unwrap();
        path.display().to_string()
    };
    let (short, long) = (file("short.wav", 700.0, 600), file("long.wav", 900.0, 5_000));
    let voice_sh = folder.path().join("voice.sh");
    // The long one is spoken as it is made: two seconds at once, then nothing for a while.
    let word = format!("voxgw-voice-{}", std::process::id());
    let script = format!(
        "read -r line\ncase \"$line\" in\n*long*) head -c 64000 {long}; exec -a {word} sleep 30;;\n*) cat {short};;\nesac\n"
    );
    std::fs::write(&voice_sh, script).unwrap();
    let ear_sh = folder.path().join("ear.sh");
    let kept = folder.path().join("heard");
    std::fs::write(&ear_sh, format!("cat > {}.$$; echo ' I have a\n question. '\n", kept.display())).unwrap();
    let replies = vec![Reply::text("A long one."), Reply::text("Go on.")];
    let mock = MockPipeline::start(Script { replies, key: Some(KEY.into()), ..Script::default() }).await;
    let settings = format!(
        "greeting = 'none'\nstt_command = ['bash', '{}']\ntts_command = ['bash', '{}']\ncommand_ahead = true\naudio = 'pcm8'",
        ear_sh.display(),
        voice_sh.display()
    );
    let sound = voice(&[(800, 2_500), (900, 2_500)]);
    let conversation = call(&mock, 26_620, &settings, sound, 500).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    let turns = &conversation.gateway.turns;
    assert_eq!(turns.len(), 2, "{turns:?}");
    assert_eq!((turns[0].caller.0.as_str(), turns[0].cut), ("I have a question.", true));
    assert_eq!((turns[1].agent.0.as_str(), turns[1].cut), ("Go on.", false));
    assert!(turns[1].parts.iter().any(|part| part.name == "tts" && part.owner == "bash"), "{:?}", turns[1].parts);
    assert!(conversation.heard_tone(900.0) && conversation.heard_tone(700.0));
    let heard = std::fs::read_dir(folder.path()).unwrap().flatten();
    let heard: Vec<Vec<u8>> = heard
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("heard."))
        .map(|entry| std::fs::read(entry.path()).unwrap())
        .filter(|bytes| !bytes.is_empty())
        .collect();
    assert!((2..=4).contains(&heard.len()), "one process for each time it was asked: {}", heard.len());
    let samples: Vec<i16> = heard[0].chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
    assert!(tone::share_at(320.0, SampleRate::HZ_8000, &samples[4_000..6_000]) > 0.9, "8 kHz samples of the caller");
    // Nothing is left: neither the voice that was cut nor what waited ahead.
    let left = || {
        let lines = std::fs::read_dir("/proc").unwrap().flatten();
        let lines = lines.map(|entry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default());
        let folder = folder.path().display().to_string();
        lines
            .map(|line| String::from_utf8_lossy(&line).into_owned())
            .filter(|line| line.contains(&word) || line.contains(&folder))
            .count()
    };
    for _ in 0..200 {
        if left() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} processes are left", left());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_sentence_is_heard_while_the_model_writes() {
    let slow = Reply {
        pause: Duration::from_millis(250),
        ..Reply::text("One first sentence. And a second one that takes a while.")
    };
    let voices = vec![("first", 700.0, 900), ("second", 900.0, 900)];
    let script = Script { replies: vec![slow], voices, hears: vec!["Go.".into()], ..Script::default() };
    let mock = MockPipeline::start(script).await;
    let conversation = call(&mock, 26_140, "greeting = 'none'\ntts_format = 'wav'", voice(&[(800, 5_500)]), 500).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    assert_eq!(sentences(&mock), ["One first sentence.", "And a second one that takes a while."]);
    let turn = &conversation.gateway.turns[0];
    let llm = turn.parts.iter().find(|part| part.name == "llm").unwrap().ms;
    assert!((700.0..1_300.0).contains(&llm), "four words of eleven: {:?}", turn.parts);
    assert!(conversation.heard_tone(700.0) && conversation.heard_tone(900.0));
    assert!((1_750..=1_850).contains(&turn.generated_ms), "{turn:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_are_asked_and_the_model_goes_on_with_the_result() {
    let shop = mock_http::MockHttp::start([mock_http::Answer::of(200, r#"{"at":"Ulm"}"#).after(80)]).await;
    let replies = vec![
        Reply { calls: vec![("order", json!({"number": "17"}))], ..Reply::text("I look. ") },
        Reply { calls: vec![("hang_up", json!({"reason": "all said"}))], ..Reply::text("It is in Ulm.") },
    ];
    let voices = vec![("look", 700.0, 500), ("Ulm", 900.0, 900)];
    let mock = MockPipeline::start(Script { replies, voices, ..Script::default() }).await;
    let settings = format!(
        r#"
tools = ["order", "hang_up"]
[tools.order]
description = "How far an order is."
url = "{}/orders"
parameters = '{{"type":"object","properties":{{"number":{{"type":"string"}}}}}}'
"#,
        shop.url
    );
    let conversation = call(&mock, 26_180, &settings, vec![], 9_000).await;
    assert_eq!(mock.violations(), Vec::<String>::new());
    assert_eq!((shop.asked().len(), shop.asked()[0].body.as_str()), (1, r#"{"number":"17"}"#));
    let questions = mock.of("llm");
    assert_eq!(questions.len(), 2, "it is not asked to speak after the goodbye");
    assert_eq!(questions[0].fields["tools"][1]["function"]["name"], "hang_up");
    let result = questions[1].fields["messages"].as_array().unwrap().last().unwrap();
    assert_eq!((&result["role"], &result["content"]), (&json!("tool"), &json!(r#"{"at":"Ulm"}"#)));
    assert!(conversation.heard_tone(700.0) && conversation.heard_tone(900.0), "the last word is heard");
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert_eq!((summary.reason.as_str(), summary.ended_by.as_str()), ("all said", "agent"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_key_leads_to_an_apology_with_the_cause() {
    let mock = MockPipeline::start(Script { key: Some("another".into()), ..script() }).await;
    let conversation = call(&mock, 26_220, "", vec![], 12_000).await;
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert_eq!((summary.sip, summary.agent, mock.refused()), (Verdict::Pass, Verdict::Fail, 1), "{summary:?}");
    assert!(summary.reason.contains("llm: ") && summary.reason.contains("401"), "{}", summary.reason);
    assert!(summary.reason.contains("check OPENAI_API_KEY"), "{}", summary.reason);
    assert!(!summary.reason.contains("sk-"), "nothing of the key: {}", summary.reason);
    assert!(conversation.loud_ms() > 2_000, "the apology was heard for {} ms", conversation.loud_ms());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_that_stumble_once_are_asked_again() {
    for (ports, stage, fault) in [
        (26_260, "llm", Fault::Status(429)),
        (26_300, "tts", Fault::Status(500)),
        (26_340, "stt", Fault::BreaksOff),
        (26_380, "llm", Fault::Rubbish),
    ] {
        let mock = MockPipeline::start(Script { fault: Some((stage, fault.clone(), 1)), ..script() }).await;
        let conversation = call(&mock, ports, "", voice(&[(800, 4_000)]), 500).await;
        assert_eq!(mock.violations(), Vec::<String>::new());
        assert!(conversation.heard_tone(700.0) && conversation.heard_tone(900.0), "{stage} {fault:?}");
        let notes = journal(&conversation);
        assert!(notes.contains("asking again") && !notes.contains("sk-"), "{stage} {fault:?}: {notes}");
        assert_eq!(conversation.gateway.summary.as_ref().unwrap().agent, Verdict::Pass);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_that_fail_for_good_are_apologised_for_in_time() {
    for (ports, stage, fault, words) in [
        (26_420, "llm", Fault::Silent, "llm: nothing came for 2 s"),
        (26_460, "tts", Fault::Status(503), "tts: "),
        (26_500, "tts", Fault::Rubbish, "tts: "),
        (26_540, "llm", Fault::BreaksOff, "broke off"),
    ] {
        let mock = MockPipeline::start(Script { fault: Some((stage, fault.clone(), 99)), ..script() }).await;
        let conversation = call(&mock, ports, "stage_timeout = '2s'", vec![], 9_000).await;
        let summary = conversation.gateway.summary.as_ref().unwrap();
        assert!(summary.agent == Verdict::Fail && summary.reason.contains(words), "{stage} {fault:?}: {summary:?}");
        assert!(conversation.loud_ms() > 2_000, "{stage} {fault:?}");
        assert!(summary.duration_s < 9.0, "{stage} {fault:?}: {} s", summary.duration_s);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_that_breaks_off_does_not_end_the_call() {
    let mock = MockPipeline::start(Script { fault: Some(("tts", Fault::BreaksOff, 1)), ..script() }).await;
    let conversation = call(&mock, 26_580, "", voice(&[(800, 3_500)]), 500).await;
    let notes = journal(&conversation);
    assert!(notes.contains("the rest of a sentence is lost"), "{notes}");
    assert!(conversation.heard_tone(700.0) && conversation.heard_tone(900.0));
    assert_eq!(conversation.gateway.summary.as_ref().unwrap().agent, Verdict::Pass);
}
