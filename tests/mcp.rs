//! Tools of MCP servers in whole calls: a mock of a server and a mock of a model, both strict, over real sockets.
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
#[path = "support/mock_mcp.rs"]
mod mock_mcp;
#[allow(dead_code, reason = "shared by several test targets")]
#[path = "support/mock_openai.rs"]
mod mock_openai;

use conversation::Conversation;
use mock_mcp::MockMcp;
use mock_openai::{MockOpenAi, Reply, Script};
use serde_json::{Value, json};
use std::time::Duration;

async fn call(model: &MockOpenAi, server: &str, ports: u16, more: &str) -> Conversation {
    let agent = format!(
        "kind = 'openai'\nendpoint = '{}'\ntools = ['hang_up']\nmcp = ['shop']\n[mcp.shop]\nurl = '{server}'\n\
         headers = ['Authorization: Bearer s3cret-of-the-shop']\n{more}",
        model.url
    );
    let key = ("OPENAI_API_KEY", "sk-test-0123456789abcdef");
    conversation::call(&agent, key, ports, vec![], Duration::from_secs(2)).await
}

async fn model(calls: Option<(&'static str, Value)>) -> MockOpenAi {
    MockOpenAi::start(Script { calls, replies: vec![Reply::tone(700.0, 400, &["Yes."])], ..Script::default() }).await
}

fn result(model: &MockOpenAi) -> Value {
    let log = &model.logs()[0];
    let results = log.of("conversation.item.create");
    results.iter().find(|item| item["item"]["type"] == "function_call_output").unwrap()["item"]["output"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_calls_a_tool_of_a_server_and_speaks_of_what_it_said() {
    for (ports, events, forgets_after) in [(28_100, false, None), (28_140, true, None), (28_180, true, Some(3))] {
        let script = mock_mcp::Script { events, forgets_after, key: Some("Bearer s3cret-of-the-shop") };
        let shop = MockMcp::start(script).await;
        let model = model(Some(("weather", json!({"city": "Ulm"})))).await;
        let conversation = call(&model, &shop.url, ports, "").await;
        assert_eq!((model.violations(), shop.violations()), (vec![], vec![]));
        let offered = model.logs()[0].session["tools"].clone();
        let names: Vec<&str> = offered.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["hang_up", "weather", "broken"], "the profile's own first, those with odd names not");
        assert!(offered[1]["parameters"].get("$schema").is_none());
        assert_eq!(result(&model), "sunny in Ulm");
        let sessions = if forgets_after.is_some() { 2 } else { 1 };
        assert_eq!((shop.asked("initialize").len(), shop.asked("tools/list").len()), (sessions, 2));
        assert!(conversation.heard_tone(700.0), "the model went on");
        let journal = std::fs::read_to_string(conversation.file("serve", "session.jsonl")).unwrap();
        assert!(journal.contains(r#""state":"answered""#) && !journal.contains("s3cret"), "{journal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_fails_says_why_and_one_that_is_not_wanted_is_not_there() {
    let shop = MockMcp::start(mock_mcp::Script::default()).await;
    let failing = model(Some(("broken", json!({})))).await;
    call(&failing, &shop.url, 28_220, "").await;
    assert_eq!(result(&failing), r#"{"error":"out of order"}"#);
    let other = model(Some(("broken", json!({})))).await;
    call(&other, &shop.url, 28_260, "tools = ['weather']").await;
    assert_eq!(other.logs()[0].session["tools"].as_array().unwrap().len(), 2);
    assert_eq!(result(&other), r#"{"error":"there is no tool called broken"}"#);
    assert_eq!(shop.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_be_had_costs_its_tools_and_nothing_else() {
    let shop = MockMcp::start(mock_mcp::Script { key: Some("Bearer another"), ..mock_mcp::Script::default() }).await;
    for (ports, url) in [(28_300, shop.url.as_str()), (28_340, "http://127.0.0.1:9/mcp")] {
        let model = model(None).await;
        let conversation = call(&model, url, ports, "timeout = '1s'").await;
        assert_eq!(model.logs()[0].session["tools"].as_array().unwrap().len(), 1, "only hang_up");
        assert!(conversation.heard_tone(700.0), "the call is as ever");
    }
    assert_eq!(shop.asked("initialize").len(), 0, "nothing without the key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Python with mcp, scripts/interop"]
async fn a_server_made_with_the_python_package_is_understood_in_both_ways_of_answering() {
    let python = std::env::var("VOXGW_MCP_PYTHON").expect("VOXGW_MCP_PYTHON names a Python with mcp");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/bots/mcp_server.py");
    for (ports, port, way) in [(28_380, 28_501, "events"), (28_420, 28_502, "json")] {
        let mut server = std::process::Command::new(&python).args([script, &port.to_string(), way]).spawn().unwrap();
        let began = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "the server does not come up");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let url = format!("http://127.0.0.1:{port}/mcp");
        let counts = model(Some(("stock_of", json!({"article": "bell", "least": 3})))).await;
        call(&counts, &url, ports, "").await;
        let orders = model(Some(("order", json!({"article": "bell"})))).await;
        call(&orders, &url, ports, "").await;
        server.kill().unwrap();
        server.wait().unwrap();
        let tools = counts.logs()[0].session["tools"].clone();
        let names: Vec<&str> = tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["hang_up", "stock_of", "order"], "{way}");
        assert_eq!(tools[1]["description"], "How many of an article are there.");
        let stock: Value = serde_json::from_str(result(&counts).as_str().unwrap()).unwrap();
        assert_eq!(stock, json!({"article": "bell", "count": 7, "enough": true}), "{way}");
        // The package keeps the exception's words to itself.
        assert_eq!(result(&orders), r#"{"error":"Error executing tool order"}"#, "{way}");
    }
}
