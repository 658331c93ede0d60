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
#[path = "../tests/support/standalone.rs"]
mod standalone;

use mock::{MockBridge, Script};

#[tokio::main]
async fn main() {
    let script = Script { replies: vec![(700.0, 600), (900.0, 3_000), (1_100.0, 800)], ..Script::default() };
    let mock = MockBridge::listen(script, &standalone::address(8_803)).await;
    standalone::serve("bridge", &mock.url, "", || mock.violations()).await;
}
