//! A mock of the three services of a `pipeline` agent, to try voxgw without a key: `cargo run --example mock-pipeline
//! [ADDRESS]`.
//!
//! It plays tones, hears no words, and says what the gateway sent wrong.
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

#[path = "../tests/support/mock_pipeline.rs"]
mod mock;
#[path = "../tests/support/standalone.rs"]
mod standalone;

use mock::{MockPipeline, Reply, Script};

#[tokio::main]
async fn main() {
    let script = Script {
        hears: vec!["something".to_owned()],
        replies: vec![
            Reply::text("Hello. How can I help?"),
            Reply::text("This is a long answer. It has three sentences. You may interrupt any of them."),
            Reply::text("A short one."),
        ],
        voices: vec![("Hello", 700.0, 600), ("short", 1_100.0, 800)],
        ..Script::default()
    };
    let mock = MockPipeline::listen(script, &standalone::address(8_804)).await;
    standalone::serve("pipeline", &mock.url, "", || mock.violations()).await;
}
