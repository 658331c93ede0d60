//! Every file that a call leaves is read by others: the recording and its export by ffmpeg, the capture by tshark,
//! extended reports in it (RFC 3611) too. Each codec has its call, of the program with itself.

use crate::{
    audio::tone_share,
    ffmpeg::decoded,
    gateway::{Call, Dial, Gateway, Settings},
    process::voxgw,
    tshark::{streams, tshark},
};
use std::{f64::consts::TAU, path::Path, time::Duration};

const SECONDS: u32 = 8;
const HZ: f64 = 713.0;

/// A call of `SECONDS` in one codec, captured; what is said comes back.
fn call(codec: &str) -> (Call, Gateway) {
    let settings = Settings::new(&format!("media.codecs = ['{codec}']\n[recording]\npcap = 'all'"));
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let said: Vec<f32> =
        (0..SECONDS * 16_000).map(|n| (0.3 * (TAU * HZ * f64::from(n) / 16_000.0).sin()) as f32).collect();
    let flags = ["--codec", codec, "--delay", "0s", "--hangup-after", "1s"];
    let mut dial = Dial::start_at(gateway.sip, 16_000, &said, &flags);
    dial.assert_ends_with(0, Duration::from_secs(30));
    let call = gateway.only_call();
    gateway.stop();
    (call, gateway)
}

/// Loss of both streams, and nothing malformed.
fn assert_captured(codec: &str, file: &Path) {
    let table = tshark(file, &["-q", "-z", "rtp,streams"]);
    let found = streams(&table);
    assert_eq!(found.len(), 2, "{codec}: one stream each way:\n{table}");
    assert!(found.iter().all(|&(packets, lost)| packets >= 350 && lost == 0), "{codec}: whole streams:\n{table}");
    assert_eq!(tshark(file, &["-Y", "_ws.malformed"]), "", "{codec}: packets that tshark cannot read");
}

#[test]
#[ignore = "needs ffmpeg and tshark"]
fn in_each_codec_ffmpeg_hears_both_sides_and_tshark_sees_whole_streams() {
    for (codec, rate) in [("pcmu", 8_000), ("pcma", 8_000), ("g722", 16_000), ("opus", 16_000), ("l16", 16_000)] {
        let (call, _gateway) = call(codec);
        let export = voxgw().args(["recordings", "export"]).arg(&call.folder).output().expect("it runs");
        assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
        let (kept, _) = call.wideband_voices();
        assert_eq!(kept, rate, "{codec}: rate of call.wav");
        for file in ["call.wav", "call.opus"] {
            for side in 0..2 {
                let heard = decoded(&call.folder.join(file), side);
                assert!(heard.len() > 7 * 8_000, "{codec} {file} {side}: {} samples", heard.len());
                let share = tone_share(&heard[8_000..6 * 8_000], HZ);
                assert!(share > 0.97, "{codec} {file} {side}: {share:.3} of its power at {HZ} Hz");
            }
        }
        assert_captured(codec, &call.folder.join("call.pcap"));
    }
}

#[test]
#[ignore = "needs tshark"]
fn tshark_reads_our_extended_reports_as_they_were_meant() {
    let (call, _gateway) = call("pcmu");
    let file = call.folder.join("call.pcap");
    let fields = ["rtcp.xr.bt", "rtcp.xr.voipmetrics.rfactor", "rtcp.xr.voipmetrics.moslq", "rtcp.xr.voipmetrics.gmin"];
    let mut flags = vec!["-Y", "rtcp.xr.voipmetrics.rfactor", "-T", "fields"];
    for field in fields {
        flags.extend(["-e", field]);
    }
    let found = tshark(&file, &flags);
    let reports: Vec<Vec<&str>> = found.lines().map(|line| line.split('\t').collect()).collect();
    // One of each side at least: ours of the caller's packets, dial's of ours.
    assert!(reports.len() >= 2, "VoIP metrics in the capture:\n{found}");
    for report in &reports {
        assert!(report[0].split(',').any(|block| block == "7"), "{report:?}");
        let (r, mos_lq): (f64, f64) = (report[1].parse().expect("R"), report[2].parse().expect("MOS"));
        assert!((85.0..=94.0).contains(&r) && report[3] == "16", "{report:?}");
        // tshark shows it as it is on the wire, in tenths, or divided.
        let mos_lq = if mos_lq > 5.0 { mos_lq / 10.0 } else { mos_lq };
        assert!((4.0..=4.5).contains(&mos_lq), "{report:?}");
    }
    let blocks = tshark(&file, &["-Y", "rtcp.xr.bt", "-T", "fields", "-e", "rtcp.xr.bt"]);
    let has = |kind: &str| blocks.lines().any(|line| line.split(',').any(|block| block == kind));
    assert!(has("4") && has("5"), "receiver reference times, and what answers them:\n{blocks}");
    assert_eq!(tshark(&file, &["-Y", "rtcp && _ws.malformed"]), "");
}
