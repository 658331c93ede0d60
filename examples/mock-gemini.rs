//! A mock of Gemini Live, to try voxgw without a key: `cargo run --example mock-gemini [ADDRESS [echo]]`.
//!
//! It plays tones, or with `echo` says back what it heard, hears speech by its energy, and says what the gateway sent wrong.
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

#[path = "../tests/support/mock_gemini.rs"]
mod mock;
#[path = "../tests/support/standalone.rs"]
mod standalone;

use mock::{MockGemini, Reply, Script};

#[tokio::main]
async fn main() {
    let script = Script::new()
        .greeting(Reply::tone(700.0, 600).saying(["Hello."]))
        .reply(Reply::tone(900.0, 3_000).saying(["A long ", "answer."]))
        .reply(Reply::tone(1_100.0, 800).saying(["A short one."]))
        .hears([" something"])
        .answer_texts()
        .lenient();
    let script = if std::env::args().nth(2).as_deref() == Some("echo") { script.echo() } else { script };
    let mock = MockGemini::listen(script, &standalone::address(8_801)).await;
    standalone::serve("gemini", &mock.url, "GEMINI_API_KEY=any ", || mock.violations()).await;
}
