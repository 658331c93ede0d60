//! Whole calls whose ear and voice are streams: MOCKS of Deepgram's and ElevenLabs' WebSockets that check every message, and
//! of a language model over HTTP. Real sockets on loopback.
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
#[path = "support/mock_pipeline.rs"]
mod mock_pipeline;
#[path = "support/mock_streams.rs"]
mod mock_streams;

use conversation::{Conversation, voice};
use mock_pipeline::{MockPipeline, Reply};
use mock_streams::{MockStreams, Script};
use std::time::Duration;
use voxgw::{call::journal::Verdict, media::dsp::tone, unit::SampleRate};

const KEY: &str = "stream-key-0123456789";

fn script() -> Script {
    Script {
        key: KEY.into(),
        hears: vec!["I have a question.".into(), "Another one.".into()],
        voices: vec![("Hello", 700.0, 600), ("long", 900.0, 5_000), ("Sorry", 1_100.0, 800)],
        ..Script::default()
    }
}

async fn call(
    streams: &MockStreams,
    ports: u16,
    settings: &str,
    sound: Vec<i16>,
    stay_ms: u64,
) -> (MockPipeline, Conversation) {
    let replies = vec![Reply::text("Hello there."), Reply::text("This answer is long."), Reply::text("Sorry, go on.")];
    let llm = MockPipeline::start(mock_pipeline::Script { replies, ..mock_pipeline::Script::default() }).await;
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    let agent = format!(
        "kind = 'pipeline'\nllm = '{}'\nstt_api = 'deepgram'\nstt = '{}'\nstt_key_file = '{}'\ntts_api = 'elevenlabs'\ntts = '{}'\n\
         tts_key_file = '{}'\nvoice = 'JBF'\nlanguage = 'en-US'\n{settings}",
        llm.url,
        streams.url,
        key.display(),
        streams.url.replace("ws:", "http:"),
        key.display()
    );
    let conversation = conversation::call(&agent, ("X", ""), ports, sound, Duration::from_millis(stay_ms)).await;
    assert_eq!(llm.violations(), Vec::<String>::new());
    (llm, conversation)
}

fn journal(conversation: &Conversation) -> String {
    std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_conversation_with_barge_in() {
    let streams = MockStreams::start(Script { pace: Duration::from_millis(80), ..script() }).await;
    let settings = "tts_format = 'pcm16'\naudio = 'pcm8'\nspeed = 1.1";
    let (llm, conversation) = call(&streams, 27_100, settings, voice(&[(1_000, 2_800), (900, 3_000)]), 1_000).await;
    assert_eq!(streams.violations(), Vec::<String>::new());
    let turns = &conversation.gateway.turns;
    assert_eq!(turns.len(), 3, "{turns:?}");
    assert_eq!((turns[0].agent.0.as_str(), turns[1].caller.0.as_str()), ("Hello there.", "I have a question."));
    assert!(turns[1].cut && !turns[2].cut, "{turns:?}");
    assert_eq!((turns[2].caller.0.as_str(), turns[2].agent.0.as_str()), ("Another one.", "Sorry, go on."));
    for hz in [700.0, 900.0, 1_100.0] {
        assert!(conversation.heard_tone(hz), "{hz} Hz was never heard");
    }
    // One connection for each utterance, with the caller's voice in it, from before its onset on.
    let heard = streams.heard();
    assert_eq!(heard.len(), 2, "{:?}", heard.iter().map(|(rate, samples)| (rate, samples.len())).collect::<Vec<_>>());
    for ((rate, samples), voiced_ms) in heard.iter().zip([1_000, 900]) {
        let tones = samples.chunks(800).filter(|chunk| tone::share_at(320.0, SampleRate::HZ_8000, chunk) > 0.9).count();
        assert_eq!(*rate, 8_000);
        assert!((voiced_ms / 100 - 3..=voiced_ms / 100 + 1).contains(&tones), "{tones} tenths of a second");
    }
    let spoken = streams.spoken();
    assert!(spoken.contains(&("This answer is long.".into(), true)), "the barge-in closed it: {spoken:?}");
    assert!(spoken.contains(&("Sorry, go on.".into(), false)), "{spoken:?}");
    // Written down while it was said: nearly nothing is left to wait for.
    let stt = turns[2].parts.iter().find(|part| part.name == "stt").unwrap();
    assert!(stt.ms < 50.0, "{:?}", turns[2].parts);
    assert_eq!(llm.of("llm").len(), 3);
    assert!(!journal(&conversation).contains(KEY));
    assert_eq!(conversation.gateway.summary.as_ref().unwrap().agent, Verdict::Pass);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_break_are_made_anew_and_nothing_is_lost() {
    let streams = MockStreams::start(Script { ear_breaks: 1, voice_breaks: 1, ..script() }).await;
    let (_, conversation) = call(&streams, 27_140, "", voice(&[(1_000, 4_500)]), 500).await;
    assert_eq!(streams.violations(), Vec::<String>::new());
    let turns = &conversation.gateway.turns;
    assert_eq!(turns[1].caller.0, "I have a question.", "{turns:?}");
    assert!(conversation.heard_tone(700.0) && conversation.heard_tone(900.0));
    let heard = streams.heard();
    let tones = |samples: &[i16]| {
        samples.chunks(1_600).filter(|chunk| tone::share_at(320.0, SampleRate::HZ_16000, chunk) > 0.9).count()
    };
    assert!(heard.len() == 2 && tones(&heard[1].1) >= 8, "the second connection got all of it: {}", heard.len());
    let notes = journal(&conversation);
    assert!(notes.contains("stt: ") && notes.contains("1011 busy") && notes.contains("asking again"), "{notes}");
    assert_eq!(conversation.gateway.summary.as_ref().unwrap().agent, Verdict::Pass);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_nobody_confirms_count_after_a_while() {
    let streams = MockStreams::start(Script { unconfirmed: true, ..script() }).await;
    let (_, conversation) = call(&streams, 27_180, "", voice(&[(1_000, 5_500)]), 500).await;
    assert_eq!(streams.violations(), Vec::<String>::new());
    let turns = &conversation.gateway.turns;
    assert_eq!(turns[1].caller.0, "I have a question.", "{turns:?}");
    let gap = turns[1].gap_ms.unwrap();
    assert!((1_500.0..2_600.0).contains(&gap), "{gap}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_key_leads_to_an_apology_with_the_cause() {
    let streams = MockStreams::start(Script { key: "another".into(), ..script() }).await;
    let (_, conversation) = call(&streams, 27_220, "", vec![], 12_000).await;
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert_eq!(summary.agent, Verdict::Fail);
    assert!(summary.reason.contains("tts: ") && summary.reason.contains("401"), "{}", summary.reason);
    assert!(summary.reason.contains("check VOXGW_TTS_KEY") && !summary.reason.contains(KEY), "{}", summary.reason);
    assert!(conversation.loud_ms() > 2_000);
}
