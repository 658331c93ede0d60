//! A mock of OpenAI Realtime, to try voxgw without a key: `cargo run --example mock-openai [ADDRESS]`.
//!
//! It plays tones, hears speech by its energy, and says what the gateway sent wrong.
#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "shared with the tests"
)]

#[path = "../tests/support/mock_openai.rs"]
mod mock;
#[path = "../tests/support/standalone.rs"]
mod standalone;

use mock::{MockOpenAi, Reply, Script};

#[tokio::main]
async fn main() {
    let script = Script {
        replies: vec![
            Reply::tone(700.0, 600, &["Hello."]),
            Reply::tone(900.0, 3_000, &["A long ", "answer."]),
            Reply::tone(1_100.0, 800, &["A short one."]),
        ],
        hears: vec!["something".to_owned()],
        ..Script::default()
    };
    let mock = MockOpenAi::listen(script, &standalone::address(8_802)).await;
    standalone::serve("openai", &mock.url, "", || mock.violations()).await;
}
