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

use mock::{MockOpenAi, Reply, Script};
use std::{collections::HashSet, time::Duration};

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8802".to_owned());
    let script = Script {
        replies: vec![
            Reply::tone(700.0, 600, &["Hello."]),
            Reply::tone(900.0, 3_000, &["A long ", "answer."]),
            Reply::tone(1_100.0, 800, &["A short one."]),
        ],
        hears: vec!["something".to_owned()],
        ..Script::default()
    };
    let mock = MockOpenAi::listen(script, &address).await;
    println!("[agents.mock]\nkind = \"openai\"\nendpoint = \"{}\"\n", mock.url);
    println!("Put this into voxgw.toml, then: voxgw serve --agent mock");
    let mut told = HashSet::new();
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for words in mock.violations().into_iter().filter(|words| told.insert(words.clone())) {
            println!("wrong: {words}");
        }
    }
}
