//! A gateway for browsers, in this process.
#![allow(dead_code, reason = "shared by several test targets")]

use serde_json::Value;
use std::{sync::Arc, time::Duration};
use voxgw::{
    agent::seat::Plan,
    config::{Config, Layers},
    gateway::{Engine, Handle, Router},
    webrtc::server,
};

/// Nothing here takes longer than this.
pub const LIMIT: Duration = Duration::from_secs(20);

pub struct Gateway {
    pub handle: Handle,
    /// `127.0.0.1:PORT`
    pub place: String,
    pub folder: tempfile::TempDir,
}

impl Gateway {
    pub async fn start(ports: &str, agent: &str, more: &str) -> Self {
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
        let plan =
            Plan::of(&config.profile(agent).unwrap(), &|_| Some("test-key-0123456789abcdef".to_owned())).unwrap();
        let plan = Arc::new(plan);
        let answering = if config.routes.is_empty() {
            Some(plan).into()
        } else {
            Router::of(&config, |_| Ok(Arc::clone(&plan))).unwrap()
        };
        let handle = Engine::start(Arc::clone(&config), answering).unwrap();
        let url = server::start(&config, handle.clone()).await.unwrap().unwrap();
        let place = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { handle, place, folder }
    }

    /// Nothing is left of any call.
    pub async fn is_empty(&self) {
        let emptied = async {
            while self.handle.calls() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT, emptied).await.expect("calls that end");
    }

    /// The journal of the only call, once it is closed.
    pub async fn journal(&self) -> Vec<Value> {
        self.journals(1).await.remove(0)
    }

    /// The journals of all calls, which are so many, once they are closed; those that came in first.
    pub async fn journals(&self, count: usize) -> Vec<Vec<Value>> {
        let read = async {
            loop {
                let folders = std::fs::read_dir(self.folder.path()).unwrap().flatten();
                let texts =
                    folders.filter_map(|folder| std::fs::read_to_string(folder.path().join("session.jsonl")).ok());
                let lines = |text: String| text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
                let mut all: Vec<Vec<Value>> = texts.map(lines).collect();
                all.retain(|lines| lines.last().is_some_and(|line| line["kind"] == "summary"));
                if all.len() == count {
                    all.sort_by_key(|lines| lines[0]["direction"] == "out");
                    return all;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LIMIT, read).await.expect("journals with summaries")
    }

    /// The SIP port.
    pub fn sip(&self) -> u16 {
        self.handle.listening[0].rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Users who are there, with the number of their contacts.
    pub async fn users(&self) -> Vec<(String, usize)> {
        let snapshot = self.handle.hub.snapshot().await.unwrap();
        snapshot.gateway.users.into_iter().map(|user| (user.name, user.contacts.len())).collect()
    }
}

/// Records of one kind.
pub fn kinds<'l>(lines: &'l [Value], kind: &'l str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}
