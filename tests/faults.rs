//! One table of faults for all providers: what the caller hears within which time, and what the journal says.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests, shared by several test targets"
)]

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/door.rs"]
mod door;
#[path = "support/mock_bridge.rs"]
mod mock_bridge;
#[path = "support/mock_gemini.rs"]
mod mock_gemini;
#[path = "support/mock_gpt_live.rs"]
mod mock_gpt_live;
#[path = "support/mock_openai.rs"]
mod mock_openai;
#[path = "support/spoiler.rs"]
mod spoiler;

use conversation::{Conversation, voice};
use door::{Door, Visit};
use futures_util::StreamExt as _;
use mock_bridge::MockBridge;
use mock_gemini::MockGemini;
use mock_gpt_live::MockGptLive;
use mock_openai::MockOpenAi;
use serde_json::json;
use spoiler::{Spoil, Spoiler};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use voxgw::media::dsp::tone;

/// What the caller is to hear, and when at the latest, in milliseconds since the call was answered.
#[derive(Clone, Copy, Debug)]
enum Hears {
    /// The greeting, 700 Hz.
    Greeting(usize),
    /// The greeting's beginning, then what the second connection says.
    Both(usize),
    /// Our apology: something long and loud that is no tone.
    Apology(usize),
}

struct Row {
    name: &'static str,
    spoil: Spoil,
    hears: Hears,
    /// The journal has this.
    says: &'static str,
    /// Who cannot have this fault, and why not.
    not: &'static [&'static str],
}

fn table() -> Vec<Row> {
    let row = |name, spoil, hears, says| Row { name, spoil, hears, says, not: &[] };
    let bad = |text: &str| Message::text(text.to_owned());
    let long = json!({"type": "unheard.of", "event": "unheard.of", "fill": "x".repeat(10 << 20)}).to_string();
    let quota = r#"{"error":{"message":"You exceeded your current quota."}}"#;
    vec![
        row("slow setup", Spoil::Slow(Duration::from_millis(1_500)), Hears::Greeting(3_000), "\"ready\""),
        row("refused key", Spoil::Refused(401, r#"{"error":"no such key"}"#), Hears::Apology(2_000), "401"),
        row("quota", Spoil::Refused(429, quota), Hears::Apology(2_000), "exceeded your current quota"),
        row("cut in the middle", Spoil::Close(1_006), Hears::Both(5_000), "connecting again"),
        row("1011 in the middle", Spoil::Close(1_011), Hears::Both(5_000), "1011"),
        row("1008 in the middle", Spoil::Close(1_008), Hears::Apology(5_000), "1008"),
        // A bot need not say anything: there it is no fault.
        Row { not: &["bridge"], ..row("silent", Spoil::Silent, Hears::Apology(12_000), "not ready within 10 s") },
        row(
            "malformed",
            Spoil::Between(vec![bad("{"), bad("[]"), bad("")]),
            Hears::Greeting(2_500),
            "could not be read",
        ),
        row(
            "binary",
            Spoil::Between(vec![Message::Binary(vec![0xff; 700].into())]),
            Hears::Greeting(2_500),
            "could not be read",
        ),
        row("10 MB", Spoil::Between(vec![bad(&long)]), Hears::Greeting(4_000), "\"ready\""),
    ]
}

const PROVIDERS: &[&str] = &["gemini", "openai", "gpt-live", "bridge"];

/// A mock of `provider` that says 700 Hz first and 900 Hz then, with its address; it lives as long as the box.
async fn mock(provider: &str) -> (Box<dyn std::any::Any + Send>, String) {
    match provider {
        "gemini" => {
            let reply = |hz| mock_gemini::Reply::tone(hz, 1_500).saying(["words "]);
            let script = mock_gemini::Script::new().greeting(reply(700.0)).reply(reply(900.0)).answer_texts();
            let mock = MockGemini::start(script).await;
            let url = mock.url.clone();
            (Box::new(mock), url)
        }
        "openai" => {
            let reply = |hz| mock_openai::Reply::tone(hz, 1_500, &["words "]);
            let replies = vec![reply(700.0), reply(900.0)];
            let mock = MockOpenAi::start(mock_openai::Script { replies, ..mock_openai::Script::default() }).await;
            let url = mock.url.clone();
            (Box::new(mock), url)
        }
        "gpt-live" => {
            let reply = |hz| mock_gpt_live::Reply { hz, ms: 1_500, words: "words " };
            let replies = vec![reply(700.0), reply(900.0)];
            let mock = MockGptLive::start(mock_gpt_live::Script { replies, ..mock_gpt_live::Script::default() }).await;
            let url = mock.url.clone();
            (Box::new(mock), url)
        }
        _ => {
            let replies = vec![(700.0, 1_500), (900.0, 1_500)];
            let mock = MockBridge::start(mock_bridge::Script { replies, ..mock_bridge::Script::default() }).await;
            let url = mock.url.clone();
            (Box::new(mock), url)
        }
    }
}

async fn call(provider: &str, url: &str, ports: u16, sound: Vec<i16>, stay_ms: u64) -> Conversation {
    let agent = format!("kind = '{provider}'\nendpoint = '{url}'");
    let key = match provider {
        "gemini" => ("GEMINI_API_KEY", "AIzaTest-0123456789-abcd"),
        "bridge" => ("VOXGW_BRIDGE_KEY", "a-shared-secret-of-32-characters"),
        _ => ("OPENAI_API_KEY", "sk-test-0123456789abcdef"),
    };
    conversation::call(&agent, key, ports, sound, Duration::from_millis(stay_ms)).await
}

/// When the caller first heard this tone, in milliseconds.
fn first(conversation: &Conversation, hz: f64) -> Option<usize> {
    let (rate, heard) = conversation.heard();
    let tenth = rate.0 as usize / 10;
    heard.chunks(tenth).position(|chunk| tone::share_at(hz, rate, chunk) > 0.9).map(|at| at * 100)
}

/// What is wrong with what a caller heard; empty if nothing is.
fn judge(row: &Row, again: f64, conversation: &Conversation) -> String {
    let within = |at: Option<usize>, limit: usize| at.is_some_and(|at| at <= limit);
    let (rate, heard) = conversation.heard();
    let loud = heard.chunks(rate.0 as usize / 10).position(|chunk| chunk.iter().any(|sample| sample.abs() > 1_000));
    let good = match row.hears {
        Hears::Greeting(limit) => within(first(conversation, 700.0), limit),
        // The first connection broke after the third piece: what is missing comes from the second.
        Hears::Both(limit) => {
            within(first(conversation, 700.0), 2_500)
                && within(first(conversation, again), limit)
                && conversation.loud_ms() >= 1_400
        }
        Hears::Apology(limit) => {
            let start = loud.map(|at| at * 100);
            within(start, limit) && conversation.loud_ms() > 2_000
        }
    };
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    let mut wrong = String::new();
    if !good {
        let tones = (first(conversation, 700.0), first(conversation, again));
        wrong = format!("heard {tones:?}, loud from {loud:?} for {} ms", conversation.loud_ms());
    }
    if !journal.contains(row.says) {
        wrong = format!("{wrong}; the journal does not say '{}'", row.says);
    }
    wrong
}

async fn one_row(provider: &'static str, row: &Row, ports: u16) -> Option<String> {
    let (_mock, url) = mock(provider).await;
    let spoiler = Spoiler::before(&url, row.spoil.clone()).await;
    // The second connection begins with the greeting again, where nothing tells the mock that there was one.
    let again = if matches!(provider, "bridge" | "gemini") { 700.0 } else { 900.0 };
    let stay_ms = match row.hears {
        Hears::Greeting(limit) | Hears::Both(limit) => limit as u64 + 500,
        Hears::Apology(_) => 20_000,
    };
    let conversation = call(provider, &spoiler.url, ports, vec![], stay_ms).await;
    let found = judge(row, again, &conversation);
    (!found.is_empty()).then(|| format!("{provider}, {}: {found}", row.name))
}

/// Three at once: most of the time is waiting.
async fn all_rows(provider: &'static str, ports: u16) {
    let rows = table();
    let fit = rows.iter().enumerate().filter(|(_, row)| !row.not.contains(&provider));
    let runs = fit.map(|(n, row)| one_row(provider, row, ports + n as u16 * 20));
    let found: Vec<_> = futures_util::stream::iter(runs).buffer_unordered(3).collect().await;
    let wrong: Vec<String> = found.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_gemini_is_survived_or_apologised_for() {
    all_rows("gemini", 29_100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_openai_is_survived_or_apologised_for() {
    all_rows("openai", 29_300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_gpt_live_is_survived_or_apologised_for() {
    all_rows("gpt-live", 29_500).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_a_bot_is_survived_or_apologised_for() {
    all_rows("bridge", 29_700).await;
}

/// The connection stalls after the greeting; the question that goes into it is answered by the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_into_a_connection_that_stalled_is_answered_by_the_next_one() {
    for (ports, provider) in [(29_900, "gemini"), (29_940, "openai")] {
        let (_mock, url) = mock(provider).await;
        let door = Door::before(&url, [Visit::ThroughFor(Duration::from_millis(3_200))]).await;
        let sound = voice(&[(10, 2_800), (900, 13_000)]);
        let conversation = call(provider, &door.url, ports, sound, 2_500).await;
        let (greeted, answered) = (first(&conversation, 700.0), first(&conversation, 900.0));
        assert!(greeted.is_some_and(|at| at < 2_500), "{provider}: {greeted:?}");
        assert!(answered.is_some_and(|at| (9_000..18_000).contains(&at)), "{provider}: {answered:?}");
        let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
        assert!(journal.contains("no pong"), "{provider}: {journal}");
    }
}
