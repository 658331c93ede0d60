//! What a page writes to the agent, over the data channel and over the WebSocket: over real sockets, to mocks of providers
//! that check each message of ours, and to agents that do not read.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

#[path = "support/browser.rs"]
mod browser;
#[allow(dead_code, reason = "shared by several test targets")]
#[path = "support/mock_gemini.rs"]
mod mock_gemini;
#[allow(dead_code, reason = "shared by several test targets")]
#[path = "support/mock_openai.rs"]
mod mock_openai;
#[path = "support/web_gateway.rs"]
mod web_gateway;

use browser::{Browser, Page, http};
use mock_gemini::MockGemini;
use mock_openai::MockOpenAi;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use web_gateway::{Gateway, LIMIT, kinds};

/// Calls over WHIP and waits for the data channel; where to hang up.
async fn whip(gateway: &Gateway, browser: &mut Browser) -> String {
    let offer = browser.offer(&["pcmu"]);
    let answer =
        http(&gateway.place, "POST", "/whip/ai?name=anna", &[("Content-Type", "application/sdp")], &offer).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    browser.take_answer(&answer.body);
    tokio::time::timeout(LIMIT, browser.connect()).await.expect("a connection");
    until(browser, |browser| browser.texts.iter().any(|text| text.contains("\"ready\""))).await;
    answer.header("location")
}

async fn until(browser: &mut Browser, done: impl Fn(&Browser) -> bool) {
    browser.run(Instant::now() + LIMIT, |browser| done(browser)).await;
    assert!(done(browser), "it never came; heard {:?}", browser.texts);
}

/// The words that a browser was told were said, by whom.
fn words(browser: &Browser, who: &str) -> String {
    let read = browser.texts.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let said = read.filter(|event| event["type"] == "transcript" && event["who"] == who);
    said.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
}

async fn hang_up(gateway: &Gateway, location: &str) -> Vec<Value> {
    http(&gateway.place, "DELETE", location, &[], "").await;
    gateway.is_empty().await;
    gateway.journal().await
}

fn assert_written(journal: &[Value]) {
    let said = kinds(journal, "transcript");
    let written = said.iter().find(|line| line["written"] == true).expect("the words in the journal");
    assert_eq!((&written["who"], &written["text"]), (&json!("caller"), &json!(" Where is my parcel?")));
    let turn = kinds(journal, "turn").into_iter().find(|line| line["turn"] == written["turn"]).expect("its answer");
    assert_eq!(turn["caller"], "Where is my parcel?", "{turn}");
    assert!(turn["agent"].as_str().unwrap().contains("In Ulm"), "{turn}");
    let ladder = kinds(journal, "sip");
    let text = ladder.iter().find(|line| line["label"] == "text").expect("a line of the ladder");
    assert_eq!(text["text"], "", "the words are in the transcript only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gemini_answers_what_is_written_on_the_data_channel() {
    let script = mock_gemini::Script::new()
        .greeting(mock_gemini::Reply::tone(700.0, 300).saying(["Hello."]))
        .reply(mock_gemini::Reply::tone(900.0, 400).saying(["In ", "Ulm."]))
        .answer_texts();
    let mock = MockGemini::start(script).await;
    let agent = format!("[agents.ai]\nkind = 'gemini'\nendpoint = '{}'\n", mock.url);
    let gateway = Gateway::start("24440-24449", "ai", &agent).await;
    let mut browser = Browser::new().await;
    let location = whip(&gateway, &mut browser).await;
    until(&mut browser, |browser| browser.texts.iter().any(|text| text.contains("\"turn\",\"turn\":1"))).await;
    browser.heard.clear();
    assert!(browser.write(&json!({ "type": "text", "text": "Where is my parcel?" })));
    until(&mut browser, |browser| browser.texts.iter().any(|text| text.contains("\"turn\",\"turn\":2"))).await;
    assert_eq!(words(&browser, "caller"), " Where is my parcel?");
    assert!(words(&browser, "agent").ends_with("In Ulm."), "{}", words(&browser, "agent"));
    assert!(browser::share_at(900.0, &browser.heard) > 0.8, "the answer is heard");
    let journal = hang_up(&gateway, &location).await;
    assert_written(&journal);
    assert_eq!(mock.violations(), Vec::<String>::new());
    let texts = &mock.sessions()[0].texts;
    assert_eq!(texts.last().map(String::as_str), Some("Where is my parcel?"), "{texts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_answers_what_is_written_on_the_websocket() {
    let replies =
        vec![mock_openai::Reply::tone(700.0, 300, &["Hello."]), mock_openai::Reply::tone(900.0, 400, &["In ", "Ulm."])];
    let mock = MockOpenAi::start(mock_openai::Script { replies, ..mock_openai::Script::default() }).await;
    let agent = format!("[agents.ai]\nkind = 'openai'\nendpoint = '{}'\n", mock.url);
    let gateway = Gateway::start("24450-24459", "ai", &agent).await;
    let mut browser = Browser::new().await;
    let mut page = Page::open(&gateway.place).await;
    page.join(&mut browser, "ai", "").await;
    tokio::time::timeout(LIMIT, browser.connect()).await.expect("a connection");
    page.expect("turn").await;
    page.say(json!({ "type": "text", "text": "Where is my parcel?" })).await;
    let mine = loop {
        let said = page.expect("transcript").await;
        if said["who"] == "caller" {
            break said;
        }
    };
    assert_eq!(mine["text"], " Where is my parcel?");
    browser.run(Instant::now() + Duration::from_secs(1), |_| false).await;
    let turn = page.expect("turn").await;
    assert_eq!(turn["turn"], mine["turn"], "the next turn answers it");
    page.say(json!({ "type": "bye" })).await;
    page.expect("bye").await;
    gateway.is_empty().await;
    assert_written(&gateway.journal().await);
    assert_eq!(mock.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_does_not_read_and_who_writes_too_much_are_refused_visibly() {
    let gateway = Gateway::start("24460-24469", "echo", "").await;
    let mut browser = Browser::new().await;
    let location = whip(&gateway, &mut browser).await;
    let refusals = |browser: &Browser| -> Vec<(u64, String)> {
        let read = browser.texts.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
        let errors = read.filter(|event| event["type"] == "error");
        errors.map(|error| (error["status"].as_u64().unwrap(), error["why"].as_str().unwrap().to_owned())).collect()
    };
    assert!(browser.write(&json!({ "type": "text", "text": "Hello?" })));
    until(&mut browser, |browser| !refusals(browser).is_empty()).await;
    assert_eq!(refusals(&browser), [(501, "this agent reads no texts".to_owned())]);
    browser.write(&json!("no object"));
    browser.write(&json!({ "type": "text", "text": "x".repeat(5_000) }));
    until(&mut browser, |browser| refusals(browser).len() == 3).await;
    assert!(refusals(&browser)[1..].iter().all(|(status, _)| *status == 400), "{:?}", refusals(&browser));
    for _ in 0..12 {
        browser.write(&json!({ "type": "text", "text": "again" }));
    }
    until(&mut browser, |browser| refusals(browser).len() == 15).await;
    let too_many = refusals(&browser).into_iter().filter(|(status, _)| *status == 429).count();
    assert_eq!(too_many, 3, "ten in ten seconds: {:?}", refusals(&browser));
    let journal = hang_up(&gateway, &location).await;
    let notes: Vec<&str> = kinds(&journal, "note").iter().filter_map(|line| line["text"].as_str()).collect();
    assert!(notes[0].contains("this agent reads no texts"), "{notes:?}");
    assert!(kinds(&journal, "transcript").is_empty());
}
