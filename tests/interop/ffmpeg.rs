//! ffmpeg reads every file of sound that we write: the recording, and its export as Opus in Ogg.

use crate::{
    audio::{Law, assert_heard, voice},
    gateway::Gateway,
    process::voxgw,
    sipp::Sipp,
};
use std::{fs, path::Path, process::Command};

/// What ffmpeg decodes of one channel, at 8 kHz.
pub fn decoded(file: &Path, channel: usize) -> Vec<f32> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-af", &format!("pan=mono|c0=c{channel}"), "-ar", "8000", "-f", "s16le", "-"])
        .output()
        .unwrap_or_else(|problem| panic!("ffmpeg does not start: {problem}; scripts/interop installs it"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "ffmpeg of {}: {said}", file.display());
    output.stdout.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect()
}

#[test]
#[ignore = "needs sipp and ffmpeg"]
fn the_recording_and_its_export_hold_what_both_sides_said() {
    let said = voice(4, 20);
    let mut gateway = Gateway::start("echo:live");
    let sipp = Sipp::caller("uac_stream_pcmu", &gateway.target()).talking_for(5);
    fs::write(sipp.folder().join("audio.raw"), Law::Mu.encode(&said)).expect("the payload can be written");
    sipp.run();
    let call = gateway.only_call();
    gateway.stop();

    let export = voxgw().args(["recordings", "export"]).arg(&call.folder).output().expect("it runs");
    assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
    let (wav, opus) = (call.folder.join("call.wav"), call.folder.join("call.opus"));
    let sizes = [&wav, &opus].map(|file| fs::metadata(file).expect("it is there").len());
    assert!(sizes[1] * 3 < sizes[0], "{sizes:?}");
    for (side, name) in ["caller", "agent"].iter().enumerate() {
        let (first, second) = (decoded(&wav, side), decoded(&opus, side));
        assert!(first.len().abs_diff(second.len()) <= 2, "{} and {} samples", first.len(), second.len());
        assert_heard(&format!("{name} in call.wav"), &said, &first);
        assert_heard(&format!("{name} in call.opus"), &said, &second);
    }
}
