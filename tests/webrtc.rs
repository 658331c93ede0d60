//! Browsers' calls over real sockets on this machine: str0m is the browser, over WHIP and over the page's WebSocket.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

#[path = "support/browser.rs"]
mod browser;

use browser::{Browser, Page, http};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use voxgw::{
    agent::seat::Plan,
    call::journal::Body,
    config::{Config, Layers},
    gateway::{Engine, Handle},
    webrtc::{server, token::Claims},
};

/// Nothing here takes longer than this.
const LIMIT: Duration = Duration::from_secs(20);

struct Gateway {
    handle: Handle,
    /// `127.0.0.1:PORT`
    place: String,
    folder: tempfile::TempDir,
}

impl Gateway {
    async fn start(ports: &str, agent: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut layers = Layers::defaults();
        layers.add_flag("sip.listen", "udp:127.0.0.1:0");
        layers.add_flag("media.rtp_ports", ports);
        layers.add_flag("recording.folder", &folder.path().display().to_string());
        layers.add_flag("registrar.file", "");
        layers.add_flag("web.listen", "127.0.0.1:0");
        layers.add_flag("web.address", "127.0.0.1");
        layers.add_file_text(more, std::path::Path::new("voxgw.toml")).unwrap();
        let config = Arc::new(Config::from_layers(&layers).unwrap());
        let plan = Plan::of(&config.profile(agent).unwrap(), &|_| None).unwrap();
        let handle = Engine::start(Arc::clone(&config), Some(Arc::new(plan))).unwrap();
        let url = server::start(&config, handle.clone()).await.unwrap().unwrap();
        let place = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { handle, place, folder }
    }

    /// Nothing is left of any call.
    async fn is_empty(&self) {
        let emptied = async {
            while self.handle.calls() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT, emptied).await.expect("calls that end");
    }

    /// The journal of the only call, once it is closed.
    async fn journal(&self) -> Vec<Value> {
        let read = async {
            loop {
                let folders: Vec<_> = std::fs::read_dir(self.folder.path()).unwrap().flatten().collect();
                let text = folders
                    .first()
                    .and_then(|folder| std::fs::read_to_string(folder.path().join("session.jsonl")).ok())
                    .unwrap_or_default();
                let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
                if lines.last().is_some_and(|line| line["kind"] == "summary") {
                    return lines;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LIMIT, read).await.expect("a journal with a summary")
    }
}

fn kinds<'l>(lines: &'l [Value], kind: &'l str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tone_comes_back_over_whip_and_the_call_ends_with_delete() {
    let gateway = Gateway::start("24100-24119", "echo:live", "").await;
    let mut browser = Browser::new().await;
    let offer = browser.offer(&["pcmu"]);
    let answer =
        http(&gateway.place, "POST", "/whip/echo?name=anna", &[("Content-Type", "application/sdp")], &offer).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/sdp");
    let location = answer.header("location");
    browser.take_answer(&answer.body);
    tokio::time::timeout(LIMIT, browser.connect()).await.expect("a connection");
    let heard = browser.sing(1_013.0, Duration::from_secs(2)).await;
    let share = browser::share_at(1_013.0, &heard);
    println!("{} samples came back, {share:.3} of their power at 1013 Hz", heard.len());
    assert!(heard.len() > 8_000, "{} samples came back", heard.len());
    assert!(share > 0.9, "{share} of the sound is the tone");

    let ended = http(&gateway.place, "DELETE", &location, &[], "").await;
    assert_eq!(ended.status, 200);
    gateway.is_empty().await;
    assert_eq!(http(&gateway.place, "DELETE", &location, &[], "").await.status, 404, "it is gone");
    let journal = gateway.journal().await;
    assert_eq!(journal[0]["from"], "web:anna");
    assert_eq!(journal[0]["to"], "echo");
    let states: Vec<&str> = kinds(&journal, "ice").iter().filter_map(|line| line["state"].as_str()).collect();
    assert!(states.contains(&"checking") && states.contains(&"connected"), "{states:?}");
    let pair = kinds(&journal, "ice").into_iter().find(|line| line["remote"].is_string()).expect("a chosen pair");
    assert_eq!(pair["remote"], browser.address().to_string());
    let summary = journal.last().unwrap();
    assert_eq!(summary["ended_by"], "caller", "{summary}");
    assert_eq!(summary["codec"], "pcmu");
    let labels: Vec<&str> = kinds(&journal, "sip").iter().filter_map(|line| line["label"].as_str()).collect();
    assert!(labels.starts_with(&["offer", "answer"]) && labels.contains(&"bye"), "{labels:?}");
    let folder = std::fs::read_dir(gateway.folder.path()).unwrap().flatten().next().unwrap().path();
    assert!(folder.join("call.wav").metadata().unwrap().len() > 30_000, "the call was recorded");
}
