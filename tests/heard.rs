//! What the journal says was said, for each provider: words stay in order and with their turn however their fragments
//! come, and what was heard of an answer that was cut differs from what was generated exactly by what was cut.
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
#[path = "support/mock_gemini.rs"]
mod mock_gemini;
#[path = "support/mock_gpt_live.rs"]
mod mock_gpt_live;
#[path = "support/mock_openai.rs"]
mod mock_openai;

use conversation::{Conversation, voice};
use mock_gemini::MockGemini;
use mock_gpt_live::MockGptLive;
use mock_openai::MockOpenAi;
use std::time::Duration;
use voxgw::call::journal::{Body, Record, Who};

const GREETING: &str = "Hello there.";
const ANSWER: &str = "one two three four five six seven eight nine ten eleven twelve";
const LAST: &str = "Yes of course.";
const ASKED: &str = "I have a question.";

async fn call(agent: &str, key: &str, ports: u16) -> Conversation {
    // Speaks, hears the answer begin, interrupts it, hears the last answer.
    let sound = voice(&[(10, 600), (1_200, 2_500), (900, 2_600)]);
    conversation::call(agent, (key, "AIzaTest-0123456789-abcd"), ports, sound, Duration::from_millis(1_500)).await
}

/// The first `share` of a text, to whole words.
fn first_share(text: &str, share: f64) -> &str {
    let at = (text.len() as f64 * share) as usize;
    if at >= text.len() { text } else { text[..at].rfind(' ').map_or("", |end| &text[..end]) }
}

fn judge(provider: &str, conversation: &Conversation) {
    let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
    let records = journal.lines().filter_map(|line| serde_json::from_str::<Record>(line).ok());
    let mut generated = String::new();
    let mut order = Vec::new();
    for record in records {
        if let Body::Transcript(said) = record.body {
            order.push((said.turn.0, said.who == Who::Agent));
            if said.turn.0 == 2 && said.who == Who::Agent {
                generated.push_str(&said.text.0);
            }
        }
    }
    let turns = &conversation.gateway.turns;
    assert_eq!(turns.len(), 3, "{provider}: {turns:?}");
    assert_eq!((turns[0].agent.0.as_str(), turns[0].cut), (GREETING, false), "{provider}");
    let cut = &turns[1];
    assert!(cut.cut && cut.caller.0 == ASKED, "{provider}: {cut:?}");
    assert!(cut.heard_ms < cut.generated_ms, "{provider}: {cut:?}");
    let share = f64::from(cut.heard_ms) / f64::from(cut.generated_ms);
    assert_eq!(cut.agent.0, first_share(generated.trim(), share), "{provider}: of '{generated}'");
    assert!(
        ANSWER.starts_with(generated.trim()) && generated.trim().len() > cut.agent.0.len(),
        "{provider}: {generated}"
    );
    assert!(!turns[2].cut && turns[2].agent.0 == LAST, "{provider}: {:?}", turns[2]);
    // Each turn's words are together, whoever's came first.
    assert!(order.is_sorted_by_key(|(turn, _)| *turn), "{provider}: {order:?}");
}

fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(' ').collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gemini() {
    let reply = |ms, text: &'static str| mock_gemini::Reply::tone(700.0, ms).saying(words(text));
    let script = mock_gemini::Script::new()
        .greeting(reply(600, GREETING))
        .reply(reply(6_000, ANSWER))
        .reply(reply(800, LAST))
        .hears([" I have", " a question."]);
    let mock = MockGemini::start(script).await;
    let agent = format!("kind = 'gemini'\nendpoint = '{}'", mock.url);
    judge("gemini", &call(&agent, "GEMINI_API_KEY", 24_600).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai() {
    let reply = |ms, text: &'static str| mock_openai::Reply::tone(700.0, ms, &words(text));
    let replies = vec![reply(600, GREETING), reply(6_000, ANSWER), reply(800, LAST)];
    let hears = vec![ASKED.to_owned()];
    let mock = MockOpenAi::start(mock_openai::Script { replies, hears, ..mock_openai::Script::default() }).await;
    let agent = format!("kind = 'openai'\nendpoint = '{}'", mock.url);
    judge("openai", &call(&agent, "OPENAI_API_KEY", 24_640).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gpt_live() {
    let reply = |ms, words| mock_gpt_live::Reply { hz: 700.0, ms, words };
    let replies = vec![reply(600, GREETING), reply(6_000, ANSWER), reply(800, LAST)];
    let script = mock_gpt_live::Script { replies, hears: ASKED, ..mock_gpt_live::Script::default() };
    let mock = MockGptLive::start(script).await;
    let agent = format!("kind = 'gpt-live'\nendpoint = '{}'", mock.url);
    let conversation = call(&agent, "OPENAI_API_KEY", 24_680).await;
    // Its words come before its sound, which is made in real time: what was heard is what was made, nearly.
    let turns = &conversation.gateway.turns;
    assert_eq!((turns.len(), turns[0].agent.0.as_str()), (3, GREETING), "{turns:?}");
    assert!(turns[1].cut && turns[1].caller.0 == ASKED, "{turns:?}");
    let kept = turns[1].generated_ms - turns[1].heard_ms;
    assert!(kept < 400, "no more than what waited: {kept} ms");
    assert!(ANSWER.starts_with(&turns[1].agent.0), "{turns:?}");
    assert_eq!(turns[2].agent.0, LAST, "{turns:?}");
}
