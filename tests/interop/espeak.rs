//! espeak-ng as the voice of a `pipeline` agent: a program of this machine instead of a service.

use crate::{
    gateway::{Dial, Gateway},
    mock_pipeline::{MockPipeline, Reply, Script},
};
use std::{fs, process::Command, time::Duration};
use voxgw::media::file::wav;

const WORDS: &str = "The quick brown fox jumps over the lazy dog, and nobody minds.";

#[test]
#[ignore = "needs espeak-ng"]
fn espeak_speaks_the_answers_of_a_model() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let script = Script { replies: vec![Reply::text(WORDS)], ..Script::default() };
    let mock = runtime.block_on(MockPipeline::start(script));
    // What it says by itself, for comparison.
    let alone = Command::new("espeak-ng").args(["--stdout", "-v", "en", WORDS]).output().expect("espeak-ng runs");
    let alone = wav::read(&alone.stdout).unwrap();
    let expected = alone.rate.duration_of(alone.channels[0].len());

    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("voxgw.toml");
    let text = format!(
        "[agents.local]\nkind = 'pipeline'\nllm = '{}'\nstt_command = ['true']\n\
         tts_command = ['espeak-ng', '--stdin', '--stdout', '-v', '{{{{language}}}}']\nlanguage = 'en'\n",
        mock.url
    );
    fs::write(&config, text).unwrap();
    let mut gateway = Gateway::start_configured("local", &config);
    let mut dial = Dial::start(gateway.sip, &vec![0.0; 8 * 8_000], &["--codec", "pcmu", "--hangup-after", "1s"]);
    dial.assert_ends_with(0, Duration::from_secs(40));
    gateway.stop();
    assert_eq!(mock.violations(), Vec::<String>::new());
    let call = gateway.only_call();
    let turns: Vec<_> = call.of_kind("turn").collect();
    assert_eq!(turns.len(), 1, "the greeting: {turns:?}");
    assert_eq!((turns[0]["agent"].as_str(), turns[0]["cut"].as_bool()), (Some(WORDS), Some(false)), "{turns:?}");
    let spoken = turns[0]["heard_ms"].as_f64().unwrap() / 1_000.0;
    assert!((spoken - expected.as_secs_f64()).abs() < 0.1, "{spoken} s, alone {expected:?}");
    println!("espeak-ng: {spoken:.2} s through the gateway, {:.2} s alone", expected.as_secs_f64());
}

#[test]
#[ignore = "needs espeak-ng"]
fn espeak_speaks_the_lines_of_a_script() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.toml");
    let text = format!(
        "name = 'spoken'\ntts_command = ['espeak-ng', '--stdin', '--stdout', '-v', 'en']\n[greeting]\ntext = \"{WORDS}\"\nhang_up = true\n"
    );
    fs::write(&script, text).unwrap();
    let config = folder.path().join("voxgw.toml");
    fs::write(&config, format!("[agents.spoken]\nkind = 'scripted'\nscript = '{}'\n", script.display())).unwrap();
    let mut gateway = Gateway::start_configured("spoken", &config);
    let mut dial = Dial::start(gateway.sip, &vec![0.0; 8 * 8_000], &["--codec", "pcmu"]);
    dial.assert_ends_with(0, Duration::from_secs(40));
    gateway.stop();
    let call = gateway.only_call();
    let turns: Vec<_> = call.of_kind("turn").collect();
    assert_eq!(turns[0]["agent"].as_str(), Some(WORDS));
    let spoken = turns[0]["heard_ms"].as_f64().unwrap();
    assert!((3_500.0..5_000.0).contains(&spoken), "{spoken} ms");
}
