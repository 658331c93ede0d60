//! What the mocks do when they run alone: say how to use them, and tell what the gateway sent wrong.

use std::{collections::HashSet, time::Duration};

/// Where it listens: the first argument, or this port of this machine.
pub fn address(port: u16) -> String {
    std::env::args().nth(1).unwrap_or_else(|| format!("127.0.0.1:{port}"))
}

/// Says what to put into the configuration, then each new fault once; never ends.
pub async fn serve(kind: &str, url: &str, environment: &str, faults: impl Fn() -> Vec<String>) {
    println!("[agents.mock]\nkind = \"{kind}\"\nendpoint = \"{url}\"\n");
    println!("Put this into voxgw.toml, then: {environment}voxgw serve --agent mock");
    let mut told = HashSet::new();
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for words in faults().into_iter().filter(|words| told.insert(words.clone())) {
            println!("wrong: {words}");
        }
    }
}
