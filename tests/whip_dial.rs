//! `voxgw dial` at a WHIP URL: the binary on one side, a gateway for browsers on the other.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/web_gateway.rs"]
mod web_gateway;

use std::{path::Path, process::Output};
use web_gateway::{Gateway, kinds};

/// A tone of 8 kHz, two seconds.
fn tone(path: &Path) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..16_000 {
        let angle = std::f64::consts::TAU * 1_013.0 * f64::from(n) / 8_000.0;
        #[expect(clippy::cast_possible_truncation, reason = "12000 at most")]
        file.write_sample((angle.sin() * 12_000.0) as i16).unwrap();
    }
    file.finalize().unwrap();
}

/// The far end's channel of a recording: 8 kHz, and how much of it is the tone.
fn share(path: &Path) -> f64 {
    let mut file = hound::WavReader::open(path).unwrap();
    let spec = file.spec();
    let all: Vec<i16> = file.samples::<i16>().map(Result::unwrap).collect();
    let one: Vec<i16> = all.iter().step_by(usize::from(spec.channels)).copied().collect();
    let rate = voxgw::unit::SampleRate(spec.sample_rate);
    let loud = |piece: &&[i16]| piece.iter().any(|sample| sample.unsigned_abs() > 3_000);
    let pieces: Vec<&[i16]> = one.chunks_exact(spec.sample_rate as usize / 10).filter(loud).collect();
    assert!(pieces.len() > 10, "{} loud pieces", pieces.len());
    let sum: f64 = pieces.iter().map(|piece| voxgw::media::dsp::tone::share_at(1_013.0, rate, piece)).sum();
    #[expect(clippy::cast_precision_loss, reason = "a few dozen")]
    let count = pieces.len() as f64;
    sum / count
}

async fn dial(folder: &Path, url: String, more: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_voxgw"));
    command.current_dir(folder).args(["dial", "--no-config", &url, "-o", "json"]).args(more);
    let run = tokio::time::timeout(std::time::Duration::from_mins(1), command.output());
    run.await.expect("it ends").unwrap()
}

fn code(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dial_calls_a_whip_server_and_hears_its_echo() {
    let gateway = Gateway::start("24740-24759", "echo:live", "").await;
    let folder = tempfile::tempdir().unwrap();
    tone(&folder.path().join("said.wav"));
    let url = format!("http://{}/whip/echo", gateway.place);
    let more = ["--play", "said.wav", "--record", "heard.wav", "--journal", "mine"];
    let output = dial(folder.path(), url, &more).await;
    assert_eq!(code(&output).0, Some(0), "{}", code(&output).1);
    let share = share(&folder.path().join("heard.wav"));
    println!("{share:.3} of what came back is the tone");
    assert!(share > 0.8, "{share}");
    gateway.is_empty().await;
    let there = gateway.journal().await;
    assert_eq!((&there[0]["to"], &there.last().unwrap()["ended_by"]), (&"echo".into(), &"caller".into()));
    assert_eq!(there.last().unwrap()["reason"], "DELETE", "it said goodbye");
    let call = std::fs::read_dir(folder.path().join("mine")).unwrap().flatten().next().unwrap().path();
    let text = std::fs::read_to_string(call.join("session.jsonl")).unwrap();
    let mine: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let labels: Vec<&str> = kinds(&mine, "sip").iter().filter_map(|line| line["label"].as_str()).collect();
    assert_eq!(labels[..2], ["POST offer", "201 answer"], "{labels:?}");
    assert!(kinds(&mine, "ice").iter().any(|line| line["state"] == "connected"));
    assert_eq!(mine.last().unwrap()["codec"], "opus");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_whip_server_refuses_is_told_by_the_exit_code() {
    let gateway = Gateway::start("24760-24779", "echo:live", "web.join = 'token'").await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}/whip/echo", gateway.place);
    let refused = dial(folder.path(), url.clone(), &["--silence", "--max", "5s"]).await;
    assert_eq!(code(&refused).0, Some(4), "{}", code(&refused).1);
    let told = String::from_utf8_lossy(&refused.stdout);
    assert!(told.contains("401") && told.contains("a token is needed"), "{told}");
    let now = voxgw::clock::SystemClock::wall().0 / 1_000_000;
    let claims = voxgw::webrtc::token::Claims { sub: "anna".into(), to: "echo".into(), exp: now + 60 };
    std::fs::write(folder.path().join("token"), gateway.handle.join_key.sign(&claims)).unwrap();
    let more = ["--silence", "--max", "2s", "--password-file", "token"];
    let output = dial(folder.path(), url, &more).await;
    assert_eq!(code(&output).0, Some(0), "{}", code(&output).1);
    gateway.is_empty().await;
    assert_eq!(gateway.journal().await[0]["from"], "web:anna");
    let nobody = dial(folder.path(), "http://127.0.0.1:9/whip/echo".to_owned(), &["--silence"]).await;
    assert_eq!(code(&nobody).0, Some(3), "{}", code(&nobody).1);
}
