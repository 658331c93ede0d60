//! A mock of OpenAI's GPT-Live, to try voxgw without a key: `cargo run --example mock-gpt-live [ADDRESS]`.
//!
//! It plays tones in real time, yields when it is spoken over, and says what the gateway sent wrong.
#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::items_after_statements,
    reason = "shared with the tests"
)]

#[path = "../tests/support/mock_gpt_live.rs"]
mod mock;
#[path = "../tests/support/standalone.rs"]
mod standalone;

use mock::{MockGptLive, Reply, Script};

#[tokio::main]
async fn main() {
    let replies = vec![
        Reply { hz: 700.0, ms: 600, words: "Hello." },
        Reply { hz: 900.0, ms: 4_000, words: "A long answer." },
        Reply { hz: 1_100.0, ms: 800, words: "A short one." },
    ];
    let mock =
        MockGptLive::listen(Script { replies, hears: "something", ..Script::default() }, &standalone::address(8_805))
            .await;
    standalone::serve("gpt-live", &mock.url, "", || mock.violations()).await;
}
