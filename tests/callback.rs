//! Whole calls whose gateway asks a server about them first: what it is told, what its answer changes, and what happens
//! when it is slow, wrong, or gone. Real sockets on loopback.
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
#[path = "support/mock_gemini.rs"]
mod mock_gemini;
#[allow(dead_code, reason = "shared by several test targets")]
#[path = "support/mock_http.rs"]
mod mock_http;

use conversation::Conversation;
use mock_gemini::{MockGemini, Reply, Script};
use mock_http::{Answer, MockHttp};
use std::time::Duration;
use voxgw::{agent::callback::signature, call::journal::Verdict, redact::Secret};

const KEY: (&str, &str) = ("GEMINI_API_KEY", "AIzaTest-0123456789-abcd");

async fn call(model: &MockGemini, crm: &MockHttp, ports: u16, more: &str, ring_ms: u64) -> Conversation {
    let agent = format!(
        "kind = 'gemini'\nendpoint = '{}'\ninstructions = 'As configured.'\n[callback]\nurl = '{}/calls?key=k3y'\n{more}",
        model.url, crm.url
    );
    let stay = Duration::from_millis(1_500);
    conversation::call_ringing(&agent, KEY, ports, vec![], stay, Duration::from_millis(ring_ms)).await
}

async fn model() -> MockGemini {
    MockGemini::start(Script::new().greeting(Reply::tone(700.0, 400).saying(["Hello."]))).await
}

fn journal(conversation: &Conversation) -> String {
    std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap()
}

fn instruction(model: &MockGemini) -> String {
    let setup = model.sessions()[0].setup.clone().unwrap();
    setup["systemInstruction"]["parts"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_makes_the_agent_and_the_question_is_signed() {
    let answer = r#"{"system_instructions":"Serve {{name}}, who calls from {{from}}.","voice":"Puck","language":"de-DE",
        "greeting":"Say hello to {{name}}.","tools":["order","nothing"],"variables":{"name":"Ann"},"mood":"good"}"#;
    let crm = MockHttp::start([Answer::of(500, "not yet"), Answer::of(200, answer).after(300)]).await;
    let model = model().await;
    let more = "secret = 's3cret-of-both'\n[tools.order]\ndescription = 'x'\nurl = 'https://h.invalid/x'\n";
    let conversation = call(&model, &crm, 26_100, more, 10_000).await;
    assert_eq!(model.violations(), Vec::<String>::new());

    let asked = crm.asked();
    assert_eq!((asked.len(), asked[1].line.as_str()), (2, "POST /calls?key=k3y"), "a second try after 500");
    let question: serde_json::Value = serde_json::from_str(&asked[1].body).unwrap();
    assert_eq!((question["from"].as_str(), question["to"].as_str()), (Some("+4930123456"), Some("support")));
    assert!(question["uri"].as_str().unwrap().starts_with("sip:support@127.0.0.1:"), "{question}");
    assert_eq!(question["call_id"], conversation.gateway.call().to_string());
    assert_eq!((question["agent"].as_str(), question["headers"].is_object()), (Some("ai"), true));
    let timestamp = asked[1].header("x-voxgw-timestamp").parse().unwrap();
    let signed = signature(&Secret::new("s3cret-of-both"), timestamp, &asked[1].body);
    assert_eq!(asked[1].header("x-voxgw-signature"), signed);

    let setup = model.sessions()[0].setup.clone().unwrap();
    assert_eq!(instruction(&model), "Serve Ann, who calls from +4930123456.");
    let speech = &setup["generationConfig"]["speechConfig"];
    assert_eq!(speech["voiceConfig"]["prebuiltVoiceConfig"]["voiceName"], "Puck");
    assert_eq!(speech["languageCode"], "de-DE");
    let functions = setup["tools"][0]["functionDeclarations"].as_array().unwrap();
    assert_eq!((functions.len(), functions[0]["name"].as_str()), (1, Some("order")));
    assert!(
        model.sessions()[0].texts.iter().any(|text| text.contains("hello to Ann")),
        "{:?}",
        model.sessions()[0].texts
    );

    let view = &conversation.gateway;
    let summary = view.summary.as_ref().unwrap();
    assert_eq!((summary.sip, summary.agent), (Verdict::Pass, Verdict::Pass));
    let rings = view.sip_messages().filter(|(_, message)| message.label.starts_with("180")).count();
    assert_eq!(rings, 1, "once, and before the answer came");
    let journal = journal(&conversation);
    for wanted in [
        r#""name":"callback","state":"called""#,
        "/calls?…",
        r#""state":"answered""#,
        "took_ms",
        "unknown fields: mood",
        "no [tools.nothing]",
    ] {
        assert!(journal.contains(wanted), "{wanted}: {journal}");
    }
    for secret in ["s3cret-of-both", "k3y", "\"Ann\"}"] {
        assert!(!journal.contains(secret), "{secret}: {journal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_reaches_the_caller_with_its_reason() {
    let crm = MockHttp::start([Answer::of(200, r#"{"refuse":{"status":486,"reason":"closed today"}}"#)]).await;
    let model = model().await;
    let conversation = call(&model, &crm, 26_140, "", 10_000).await;
    assert_eq!(conversation.caller.summary.as_ref().unwrap().status, Some(486));
    let refusal = conversation.caller.sip_messages().find(|(_, message)| message.status == Some(486)).unwrap().1;
    assert!(refusal.text.contains("399 voxgw \"closed today\""), "{}", refusal.text);
    assert_eq!(model.connections(), 0, "no agent was connected");
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert!(summary.reason.contains("closed today"), "{summary:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_slow_or_wrong_leads_to_the_fallback() {
    let slow = || Answer::of(200, "{}").after(20_000);
    for (port, answer, more, wanted) in [
        (26_180, slow(), "timeout = '300ms'", "no answer within 300 ms"),
        (26_220, Answer::of(200, "<html>"), "", "the answer is not JSON"),
        (26_260, Answer::of(200, r#"{"voice":7}"#), "", "voice must be text, not a number"),
        (26_300, Answer::of(404, "nobody"), "", "answered 404 Not Found: nobody"),
    ] {
        let (crm, model) = (MockHttp::start([answer]).await, model().await);
        let conversation = call(&model, &crm, port, more, 10_000).await;
        assert_eq!(instruction(&model), "As configured.", "{wanted}");
        assert_eq!(conversation.gateway.summary.as_ref().unwrap().agent, Verdict::Pass);
        let journal = journal(&conversation);
        assert!(journal.contains(r#""state":"failed""#) && journal.contains(wanted), "{wanted}: {journal}");
    }
    let (crm, model) = (MockHttp::start([Answer::of(500, "")]).await, model().await);
    let conversation = call(&model, &crm, 26_340, "fallback = 'refuse'", 10_000).await;
    assert_eq!(conversation.caller.summary.as_ref().unwrap().status, Some(503));
    let (crm, other) = (MockHttp::start([Answer::of(500, "")]).await, MockGemini::start(Script::new()).await);
    let more = format!("fallback = 'spare'\n[agents.spare]\nkind = 'gemini'\nendpoint = '{}'\n", other.url);
    call(&model, &crm, 26_380, &more, 10_000).await;
    assert_eq!((model.connections(), other.connections()), (0, 1), "the spare agent took it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_agent_may_take_the_call_even_one_of_another_kind() {
    let crm = MockHttp::start([Answer::of(200, r#"{"agent":"local","voice":"Puck"}"#)]).await;
    let model = model().await;
    let conversation = call(&model, &crm, 26_420, "[agents.local]\nkind = 'scripted'\n", 10_000).await;
    assert_eq!(model.connections(), 0);
    assert!(conversation.loud_ms() > 500, "the script's greeting was heard");
    let journal = journal(&conversation);
    assert!(journal.contains("agent local takes the call instead of ai"), "{journal}");
    assert!(journal.contains("callback's voice is without effect"), "{journal}");
    // One that is not there: said, and the call goes on.
    let crm = MockHttp::start([Answer::of(200, r#"{"agent":"lokal"}"#)]).await;
    let conversation = call(&model, &crm, 26_460, "[agents.local]\nkind = 'scripted'\n", 10_000).await;
    let journal = self::journal(&conversation);
    assert!(journal.contains("there is no agent lokal; did you mean local?"), "{journal}");
    assert_eq!(model.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_gives_up_meanwhile_is_let_go_and_so_is_the_server() {
    let (crm, model) = (MockHttp::start([Answer::of(200, "{}").after(20_000)]).await, model().await);
    let began = std::time::Instant::now();
    let conversation = call(&model, &crm, 26_500, "timeout = '15s'", 700).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    let summary = conversation.gateway.summary.as_ref().unwrap();
    assert_eq!((summary.ended_by.as_str(), model.connections()), ("caller", 0), "{summary:?}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(crm.gone(), 1, "the request is given up");
    assert!(journal(&conversation).contains(r#""state":"called""#));
}
