//! Whole calls between two engines on loopback, one of which has a provider's agent: shared by the tests of providers.

use std::{sync::Arc, time::Duration};
use voxgw::{
    agent::{
        event::Sound,
        seat::{Plan, PlayPlan},
    },
    api::model::{SessionView, StreamItem},
    config::{Config, Layers},
    gateway::{Engine, Handle, Originate, Router},
    media::dsp::tone,
    sip::uri::Uri,
    unit::SampleRate,
};

fn config(folder: &std::path::Path, ports: &str, agent: &str) -> Arc<Config> {
    let mut layers = Layers::defaults();
    layers.add_flag("sip.listen", "udp:127.0.0.1:0");
    layers.add_flag("media.rtp_ports", ports);
    layers.add_flag("recording.folder", &folder.display().to_string());
    layers.add_flag("recording.agent_frames", "true");
    layers.add_file_text(agent, std::path::Path::new("voxgw.toml")).unwrap();
    Arc::new(Config::from_layers(&layers).unwrap())
}

/// What both sides saw.
pub struct Conversation {
    pub gateway: SessionView,
    pub caller: SessionView,
    pub folder: tempfile::TempDir,
}

/// One call to a gateway whose agent is `[agents.ai]` with these settings; the caller plays `sound` after a second.
pub async fn call(agent: &str, key: (&str, &str), ports: u16, sound: Vec<i16>, stay: Duration) -> Conversation {
    call_ringing(agent, key, ports, sound, stay, Duration::from_secs(10)).await
}

/// The same; the caller gives up after `ring`.
pub async fn call_ringing(
    agent: &str,
    key: (&str, &str),
    ports: u16,
    sound: Vec<i16>,
    stay: Duration,
    ring: Duration,
) -> Conversation {
    let folder = tempfile::tempdir().unwrap();
    let agent = format!("[agents.ai]\n{agent}\n");
    let serve_config = config(&folder.path().join("serve"), &format!("{ports}-{}", ports + 9), &agent);
    let environment = |name: &str| (name == key.0).then(|| key.1.to_owned());
    let plan = |name: &str| Plan::named(&serve_config, name, &environment).map(Arc::new);
    let router = Router::from(Some(plan("ai").unwrap())).with_others(&serve_config, plan).unwrap();
    let gateway = Engine::start(Arc::clone(&serve_config), router).unwrap();
    gateway.tools_known().await;
    let dial_config = config(&folder.path().join("dial"), &format!("{}-{}", ports + 10, ports + 19), "");
    let caller = Engine::start(dial_config, None).unwrap();
    let address = gateway.listening[0].trim_start_matches("udp:").to_owned();
    let play = PlayPlan {
        files: if sound.is_empty() { vec![] } else { vec![Sound { rate: SampleRate::HZ_8000, samples: sound.into() }] },
        digits: vec![],
        start_after: Duration::from_secs(1),
        hang_up_after: Some(stay),
        waits_to_begin: false,
        waits_to_end: false,
    };
    let originate = Originate {
        whip: None,
        to: Uri::parse(&format!("sip:support@{address}")).unwrap(),
        from: Uri::parse("sip:+4930123456@test.invalid").unwrap(),
        proxy: None,
        headers: vec![],
        credentials: None,
        trunk: None,
        plan: Arc::new(Plan::play("play", play)),
        ring,
        max_duration: None,
        hang_up_after_silence: None,
        hang_up_after_turns: None,
    };
    caller.originate(originate).await.unwrap();
    let (ours, theirs) = tokio::join!(finished(&gateway), finished(&caller));
    gateway.finish_files();
    caller.finish_files();
    Conversation { gateway: ours, caller: theirs, folder }
}

async fn finished(handle: &Handle) -> SessionView {
    let (snapshot, mut items) = handle.hub.subscribe().await.unwrap();
    let mut view = snapshot.sessions.into_iter().next().unwrap_or_default();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(40);
    while view.summary.is_none() {
        let item = tokio::time::timeout_at(deadline, items.recv()).await.expect("the call ends in time").unwrap();
        if let StreamItem::Record { record, .. } = &*item {
            view.apply(record);
        }
    }
    view
}

/// Something like speech: a tone that swells, `(voice ms, silence ms)` again and again.
pub fn voice(parts: &[(usize, usize)]) -> Vec<i16> {
    let mut samples = Vec::new();
    for (voiced, silent) in parts {
        tone::sine(320.0, 9_000.0, SampleRate::HZ_8000, samples.len(), voiced * 8, &mut samples);
        samples.resize(samples.len() + silent * 8, 0);
    }
    samples
}

impl Conversation {
    /// A file of the call's folder; `side` is `serve` or `dial`.
    pub fn file(&self, side: &str, name: &str) -> std::path::PathBuf {
        let folder = std::fs::read_dir(self.folder.path().join(side)).unwrap().flatten().next().unwrap();
        folder.path().join(name)
    }

    /// What the caller heard, and its rate.
    pub fn heard(&self) -> (SampleRate, Vec<i16>) {
        let wav = std::fs::read(self.file("dial", "call.wav")).unwrap();
        let wav = voxgw::media::file::wav::read(&wav).unwrap();
        (wav.rate, wav.channels[1].clone())
    }

    /// Whether the caller heard a tenth of a second of this tone.
    pub fn heard_tone(&self, hz: f64) -> bool {
        let (rate, heard) = self.heard();
        heard.chunks(rate.0 as usize / 10).any(|chunk| tone::share_at(hz, rate, chunk) > 0.9)
    }

    /// Milliseconds in which the caller heard something loud.
    pub fn loud_ms(&self) -> usize {
        let (rate, heard) = self.heard();
        let frames = heard.chunks(rate.0 as usize / 50);
        frames.filter(|frame| frame.iter().any(|sample| sample.abs() > 1_000)).count() * 20
    }
}

/// The loudest tenth of a second.
pub fn loudest(samples: &[i16]) -> &[i16] {
    samples.chunks(1_600).max_by_key(|chunk| chunk.iter().map(|s| u64::from(s.unsigned_abs())).sum::<u64>()).unwrap()
}
