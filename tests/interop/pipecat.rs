//! A bot of pipecat's, reached through `bridge`: its own transport, provider detection and Twilio serializer.
//!
//! `VOXGW_BOT_PYTHON` names a Python that has `pipecat-ai[websocket]` and `uvicorn`; `scripts/interop` makes one.

use crate::{
    gateway::{Dial, Gateway},
    process::{Running, free_ports, wait_until},
};
use std::{env, fs, net::TcpStream, path::Path, process::Command, time::Duration};
use voxgw::{media::dsp::tone, unit::SampleRate};

#[test]
#[ignore = "needs pipecat in a Python, scripts/interop"]
fn a_pipecat_bot_talks_is_interrupted_and_hears_digits() {
    let python =
        env::var("VOXGW_BOT_PYTHON").expect("VOXGW_BOT_PYTHON names a Python with pipecat; scripts/interop makes one");
    let folder = tempfile::tempdir().unwrap();
    let port = free_ports(1);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/bots/pipecat_bot.py");
    let mut bot = Running::start("bot", Command::new(python).arg(script).arg(port.to_string()), folder.path());
    let up = wait_until(Duration::from_mins(1), || TcpStream::connect(("127.0.0.1", port)).is_ok() || bot.has_ended());
    assert!(up && !bot.has_ended(), "{}", bot.report());

    let config = folder.path().join("voxgw.toml");
    let text =
        format!("[agents.bot]\nkind = 'bridge'\nendpoint = 'ws://127.0.0.1:{port}/ws'\nparameters = ['tenant=7']\n");
    fs::write(&config, text).unwrap();
    // Speaks, hears the answer begin, speaks into it, hears the second answer.
    let mut sound = Vec::new();
    for (voiced, silent) in [(1_200, 3_000), (900, 3_500)] {
        let mut samples = Vec::new();
        tone::sine(320.0, 9_000.0, SampleRate::HZ_8000, 0, voiced * 8, &mut samples);
        samples.resize(samples.len() + silent * 8, 0_i16);
        sound.extend(samples.iter().map(|sample| f32::from(*sample) / 32_768.0));
    }
    let mut gateway = Gateway::start_configured("bot", &config);
    let mut dial = Dial::start(gateway.sip, &sound, &["--codec", "pcmu", "--dtmf", "5@8s", "--hangup-after", "1s"]);
    dial.assert_ends_with(0, Duration::from_secs(40));
    gateway.stop();
    let gone = wait_until(Duration::from_secs(5), || bot.stdout().contains("disconnected"));
    let said = bot.stdout();
    assert!(gone, "{}", bot.report());
    assert!(said.contains("detected twilio"), "pipecat takes us for Twilio: {said}");
    assert!(
        said.lines().any(|line| line.starts_with("detected") && line.ends_with(" 7")),
        "its parameters came: {said}"
    );
    assert!(said.contains("digit 5"), "{said}");
    let heard: Vec<i16> = dial.voices().1.iter().map(|sample| (sample * 32_767.0) as i16).collect();
    let ms_of =
        |hz: f64| heard.chunks(400).filter(|chunk| tone::share_at(hz, SampleRate::HZ_8000, chunk) > 0.9).count() * 50;
    assert!((400..=700).contains(&ms_of(700.0)), "the greeting was heard for {} ms", ms_of(700.0));
    assert!((1_000..4_000).contains(&ms_of(900.0)), "the cut answer was heard for {} ms of 5 s", ms_of(900.0));
    assert!((600..=900).contains(&ms_of(1_100.0)), "the last answer was heard for {} ms", ms_of(1_100.0));
}
