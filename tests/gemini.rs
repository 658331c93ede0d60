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
#[path = "support/mock_gemini.rs"]
mod mock_gemini;
#[path = "support/program.rs"]
mod program;

use mock_gemini::{Event, KeySeen, MIN_CONTINUITY, MockGemini, Reply, Script};
use std::{sync::Arc, time::Duration};
use voxgw::{
    agent::event::Sound,
    agent::seat::{Plan, PlayPlan},
    api::model::{SessionView, StreamItem},
    call::journal::{Verdict, Who},
    config::{Config, Layers},
    gateway::{Engine, Handle, Originate},
    media::dsp::tone,
    sip::uri::Uri,
    unit::SampleRate,
};

const KEY: &str = "AIzaTest-0123456789-abcd";

fn config(folder: &std::path::Path, ports: &str, agent: &str) -> Arc<Config> {
    let mut layers = Layers::defaults();
    layers.add_flag("sip.listen", "udp:127.0.0.1:0");
    layers.add_flag("media.rtp_ports", ports);
    layers.add_flag("recording.folder", &folder.display().to_string());
    layers.add_flag("recording.agent_frames", "true");
    layers.add_file_text(agent, std::path::Path::new("voxgw.toml")).unwrap();
    Arc::new(Config::from_layers(&layers).unwrap())
}

struct Conversation {
    gateway: SessionView,
    caller: SessionView,
    folder: tempfile::TempDir,
}

/// One call to a gateway whose agent is `mock`; the caller plays `sound` after a second.
async fn call(mock: &MockGemini, ports: u16, settings: &str, sound: Vec<i16>, stay: Duration) -> Conversation {
    let folder = tempfile::tempdir().unwrap();
    let agent = format!("[agents.ai]\nkind = 'gemini'\nendpoint = '{}'\n{settings}\n", mock.url);
    let serve_config = config(&folder.path().join("serve"), &format!("{ports}-{}", ports + 9), &agent);
    let plan =
        Plan::of(&serve_config.profile("ai").unwrap(), &|name| (name == "GEMINI_API_KEY").then(|| KEY.to_owned()))
            .unwrap();
    let gateway = Engine::start(serve_config, Some(Arc::new(plan))).unwrap();
    let dial_config = config(&folder.path().join("dial"), &format!("{}-{}", ports + 10, ports + 19), "");
    let caller = Engine::start(dial_config, None).unwrap();
    let address = gateway.listening[0].trim_start_matches("udp:").to_owned();
    let play = PlayPlan {
        files: if sound.is_empty() { vec![] } else { vec![Sound { rate: SampleRate::HZ_8000, samples: sound.into() }] },
        digits: vec![],
        start_after: Duration::from_secs(1),
        hang_up_after: Some(stay),
        waits_to_begin: false,
        waits_to_end: false,
    };
    let originate = Originate {
        to: Uri::parse(&format!("sip:support@{address}")).unwrap(),
        from: Uri::parse("sip:+4930123456@test.invalid").unwrap(),
        proxy: None,
        headers: vec![],
        credentials: None,
        plan: Arc::new(Plan::play("play", play)),
        ring: Duration::from_secs(10),
        max_duration: None,
        hang_up_after_silence: None,
        hang_up_after_turns: None,
    };
    caller.originate(originate).await.unwrap();
    let (ours, theirs) = tokio::join!(finished(&gateway), finished(&caller));
    gateway.finish_files();
    caller.finish_files();
    Conversation { gateway: ours, caller: theirs, folder }
}

async fn finished(handle: &Handle) -> SessionView {
    let (snapshot, mut items) = handle.hub.subscribe().await.unwrap();
    let mut view = snapshot.sessions.into_iter().next().unwrap_or_default();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(40);
    while view.summary.is_none() {
        let item = tokio::time::timeout_at(deadline, items.recv()).await.expect("the call ends in time").unwrap();
        if let StreamItem::Record { record, .. } = &*item {
            view.apply(record);
        }
    }
    view
}

/// Something like speech: a tone that swells, `(voice ms, silence ms)` again and again.
fn voice(parts: &[(usize, usize)]) -> Vec<i16> {
    let mut samples = Vec::new();
    for (voiced, silent) in parts {
        tone::sine(320.0, 9_000.0, SampleRate::HZ_8000, samples.len(), voiced * 8, &mut samples);
        samples.resize(samples.len() + silent * 8, 0);
    }
    samples
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
    let wav = std::fs::read(call_file(&conversation, "dial", "call.wav")).unwrap();
    let wav = voxgw::media::file::wav::read(&wav).unwrap();
    for frequency in [700.0, 900.0, 1_100.0] {
        let found = wav.channels[1].chunks(1_600).any(|chunk| tone::share_at(frequency, wav.rate, chunk) > 0.9);
        assert!(found, "{frequency} Hz was never heard");
    }
    assert!(conversation.caller.summary.as_ref().unwrap().stats.inbound.lost == 0);

    // The cassette plays the same conversation again, offline.
    let cassette = std::fs::read_to_string(call_file(&conversation, "serve", "agent.jsonl")).unwrap();
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
    let folder = call_file(conversation, "serve", "");
    let source = source::open(&folder, &source::Options::default()).unwrap();
    let text = std::fs::read_to_string(folder.join("agent.jsonl")).unwrap();
    let recorded = Recorded::parse(&text, Instant::from_millis(1_000)).unwrap();
    let seat = Seat::Local(Box::new(recorded));
    converse(&source.streams[0], &recorded_plan(), seat, "call", Speed::Max, &mut |_| {}).await
}

fn call_file(conversation: &Conversation, side: &str, name: &str) -> std::path::PathBuf {
    let folder = std::fs::read_dir(conversation.folder.path().join(side)).unwrap().flatten().next().unwrap();
    folder.path().join(name)
}

fn loudest(samples: &[i16]) -> &[i16] {
    samples.chunks(1_600).max_by_key(|chunk| chunk.iter().map(|s| u64::from(s.unsigned_abs())).sum::<u64>()).unwrap()
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
    let wav = std::fs::read(call_file(&conversation, "dial", "call.wav")).unwrap();
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
