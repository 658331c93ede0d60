//! A mock of Gemini Live, to try voxgw without a key: `cargo run --example mock-gemini [ADDRESS]`.
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

#[path = "../tests/support/mock_gemini.rs"]
mod mock;

use mock::{MockGemini, Reply, Script};
use std::{collections::HashSet, time::Duration};

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8801".to_owned());
    let script = Script::new()
        .greeting(Reply::tone(700.0, 600).saying(["Hello."]))
        .reply(Reply::tone(900.0, 3_000).saying(["A long ", "answer."]))
        .reply(Reply::tone(1_100.0, 800).saying(["A short one."]))
        .hears([" something"])
        .lenient();
    let mock = MockGemini::listen(script, &address).await;
    println!("[agents.mock]\nkind = \"gemini\"\nendpoint = \"{}\"\n", mock.url);
    println!("Put this into voxgw.toml, then: GEMINI_API_KEY=any voxgw serve --agent mock");
    let mut told = HashSet::new();
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for words in mock.violations().into_iter().filter(|words| told.insert(words.clone())) {
            println!("wrong: {words}");
        }
    }
}
