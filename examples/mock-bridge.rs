//! A mock bot in the shape of Media Streams, to try voxgw without a key: `cargo run --example mock-bridge [ADDRESS]`.
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

#[path = "../tests/support/mock_bridge.rs"]
mod mock;

use mock::{MockBridge, Script};
use std::{collections::HashSet, time::Duration};

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8803".to_owned());
    let script = Script { replies: vec![(700.0, 600), (900.0, 3_000), (1_100.0, 800)], ..Script::default() };
    let mock = MockBridge::listen(script, &address).await;
    println!("[agents.mock]\nkind = \"bridge\"\nendpoint = \"{}\"\n", mock.url);
    println!("Put this into voxgw.toml, then: voxgw serve --agent mock");
    let mut told = HashSet::new();
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for words in mock.violations().into_iter().filter(|words| told.insert(words.clone())) {
            println!("wrong: {words}");
        }
    }
}
