//! Files through `replay`: every recording of the repository, sounds of many rates, and files that are none.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures and helpers of tests"
)]

#[path = "support/program.rs"]
mod program;

use program::{Home, write_wav};
use serde_json::{Value, json};
use std::{
    f64::consts::TAU,
    fs,
    path::{Path, PathBuf},
};

/// The recordings that the repository keeps: sounds, captures and call folders.
fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let mut all: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|problem| panic!("{}: {problem}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            path.is_dir() || ["wav", "pcap", "pcapng"].contains(&ending.as_str())
        })
        .collect();
    all.sort();
    let names: Vec<String> = all.iter().map(|path| name_of(path)).collect();
    for name in ["question.wav", "short-answer.wav", "two-party.pcap", "echo-call"] {
        assert!(names.iter().any(|known| known == name), "{name} is missing: {names:?}");
    }
    all
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The media report of a file.
#[track_caller]
fn report(home: &Home, arguments: &[&str]) -> Value {
    let mut all = vec!["replay", "-o", "json"];
    all.extend(arguments);
    let document = home.run(&all).exits(0).json();
    assert_eq!(document["schema"], "voxgw.replay/1");
    assert_eq!(document["exit_code"], 0);
    document["files"][0].clone()
}

fn sine(hz: f64, rate: u32, seconds: f64) -> Vec<i16> {
    let count = (f64::from(rate) * seconds).round() as usize;
    (0..count).map(|n| ((TAU * hz * n as f64 / f64::from(rate)).sin() * 8_000.0) as i16).collect()
}

#[test]
fn every_recording_replays_without_loss() {
    let home = Home::new();
    for path in recordings() {
        let file = report(&home, &[text(&path)]);
        let streams = file["streams"].as_array().unwrap();
        assert!(!streams.is_empty(), "{}", path.display());
        for stream in streams {
            let stats = &stream["stats"];
            assert_eq!(stats["lost"], 0, "{}: {stats}", path.display());
            assert_eq!(stats["loss_percent"].as_f64(), Some(0.0), "{}: {stats}", path.display());
            assert_eq!(stats["packets"], stats["expected"], "{}: {stats}", path.display());
            assert!(stats["packets"].as_u64().unwrap() > 50, "{}: {stats}", path.display());
            assert_eq!(stream["lints"].as_array().map(Vec::len), Some(0), "{}: {stream}", path.display());
        }
    }
}

#[test]
fn a_capture_of_a_call_has_both_directions_and_its_signalling() {
    let home = Home::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/two-party.pcap");
    let file = report(&home, &[text(&path)]);
    let streams = file["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 2, "{file}");
    assert_eq!(streams[0]["source"], streams[1]["destination"]);
    assert_eq!(streams[1]["source"], streams[0]["destination"]);
    // INVITE, 180, 200, ACK, BYE, 200.
    assert!(file["sip_messages"].as_u64().unwrap() >= 5, "{file}");
    assert_eq!(file["notes"].as_array().map(Vec::len), Some(0), "{}", file["notes"]);
}

#[test]
fn offline_agents_give_the_same_journal_to_the_byte() {
    let home = Home::new();
    for path in recordings() {
        for agent in ["echo", "scripted"] {
            let folder = |run: &str| home.path().join(format!("{}-{agent}-{run}", name_of(&path)));
            let folders = [folder("first"), folder("second")];
            for out in &folders {
                let file = report(&home, &[text(&path), "--agent", agent, "--out", text(out)]);
                assert_eq!(file["conversation"]["summary"]["agent"], "pass", "{}", path.display());
            }
            for name in ["session.jsonl", "call.wav", "sent.pcap"] {
                let [first, second] = folders.each_ref().map(|folder| fs::read(folder.join(name)).unwrap());
                assert!(!first.is_empty(), "{} {agent} {name}", path.display());
                assert!(first == second, "{} --agent {agent}: {name} differs between two runs", path.display());
            }
            let journal = fs::read_to_string(folders[0].join("session.jsonl")).unwrap();
            let kind = |line: Option<&str>| {
                line.and_then(|line| serde_json::from_str::<Value>(line).ok()).map(|record| record["kind"].clone())
            };
            assert_eq!(kind(journal.lines().next()), Some(json!("session")));
            assert_eq!(kind(journal.lines().next_back()), Some(json!("summary")));
        }
    }
}

#[test]
fn what_replay_wrote_can_be_replayed() {
    let home = Home::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/question.wav");
    report(&home, &[text(&path), "--agent", "echo", "--out", "run"]);
    for file in ["run", "run/call.wav", "run/sent.pcap"] {
        let again = report(&home, &[file]);
        assert_eq!(again["streams"][0]["stats"]["lost"], 0, "{file}");
    }
}

#[test]
fn the_caller_of_a_capture_is_who_sent_the_invite() {
    let home = Home::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/two-party.pcap");
    let bytes = fs::read(&path).unwrap();
    let packets = String::from_utf8_lossy(&bytes);
    let invite = packets.split_once("INVITE sip:").unwrap().1;
    let port: String = invite.split_once("m=audio ").unwrap().1.chars().take_while(char::is_ascii_digit).collect();
    report(&home, &[text(&path), "--agent", "echo", "--out", "run"]);
    let journal = fs::read_to_string(home.path().join("run/session.jsonl")).unwrap();
    let header: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    let from = header["from"].as_str().unwrap();
    assert!(from.ends_with(&format!(":{port}")), "the agent heard {from}, the caller sends from port {port}");
}

#[test]
fn sounds_of_any_rate_replay() {
    let home = Home::new();
    for rate in [8_000, 16_000, 44_100, 48_000] {
        for channels in [1_u16, 2] {
            let name = format!("{rate}-{channels}.wav");
            let samples = sine(440.0, rate, 1.0);
            let interleaved: Vec<i16> =
                samples.iter().flat_map(|sample| std::iter::repeat_n(*sample, usize::from(channels))).collect();
            write_wav(&home.path().join(&name), rate, channels, &interleaved);
            let file = report(&home, &[&name]);
            let streams = file["streams"].as_array().unwrap();
            assert_eq!(streams.len(), 1, "{name}");
            let (stream, stats) = (&streams[0], &streams[0]["stats"]);
            let duration = stream["duration_s"].as_f64().unwrap();
            assert!((duration - 1.0).abs() < 0.05, "{name}: {duration} s");
            assert_eq!(stats["lost"], 0, "{name}");
            // A sine of 8000 has −15.3 dBFS.
            let level = stats["level_dbfs"].as_f64().unwrap();
            assert!((level + 15.3).abs() < 1.5, "{name}: {level} dBFS");
        }
    }
}

#[test]
fn the_side_of_a_stereo_sound_can_be_chosen() {
    let home = Home::new();
    let left = sine(440.0, 8_000, 1.0);
    let interleaved: Vec<i16> = left.iter().flat_map(|sample| [*sample, 0]).collect();
    write_wav(&home.path().join("sides.wav"), 8_000, 2, &interleaved);
    let level = |side: &str| {
        let file = report(&home, &["sides.wav", "--leg", side]);
        file["streams"][0]["stats"]["level_dbfs"].as_f64().unwrap()
    };
    let (caller, agent, both) = (level("caller"), level("agent"), level("both"));
    assert!(caller > -18.0, "{caller}");
    assert!(agent < -70.0, "{agent}");
    assert!(both > -30.0 && both <= caller + 0.5, "{both}");
}

#[test]
fn every_format_of_the_report_is_whole() {
    let home = Home::new();
    write_wav(&home.path().join("a.wav"), 8_000, 1, &sine(440.0, 8_000, 1.0));
    let csv = home.run(&["replay", "a.wav", "-o", "csv"]).exits(0).stdout;
    let rows: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert!(rows.len() == 2 && rows[0] == rows[1], "{csv}");
    let lines = home.run(&["replay", "a.wav", "a.wav", "-o", "jsonl"]).exits(0).stdout;
    assert_eq!(lines.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 2, "{lines}");
    let shown = home.run(&["replay", "a.wav"]).exits(0);
    assert!(shown.stdout.contains("a.wav") && shown.stdout.contains("pcmu"), "{}", shown.stdout);
    assert_eq!(shown.stderr, "");
}

#[test]
fn files_that_are_no_recording_are_one_error_and_a_hint() {
    let home = Home::new();
    let capture = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/two-party.pcap")).unwrap();
    home.file("empty.wav", "");
    home.file("text.pcap", "This is a letter, not a capture.\n".repeat(20));
    // The file's header without a packet, a piece of a header, half of the first packet.
    home.file("header.pcap", &capture[..24]);
    home.file("piece.pcap", &capture[..10]);
    home.file("half.pcap", &capture[..60]);
    fs::create_dir(home.path().join("folder")).unwrap();
    for name in ["empty.wav", "text.pcap", "header.pcap", "piece.pcap", "half.pcap", "folder"] {
        for format in ["text", "json"] {
            let done = home.run(&["replay", name, "-o", format]).exits(2).complains().says(&[name]);
            assert_eq!(done.stdout, "", "{name}");
        }
    }
}

#[test]
fn a_capture_that_ends_in_a_packet_is_read_so_far_and_says_so() {
    let home = Home::new();
    let capture = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/two-party.pcap")).unwrap();
    home.file("cut.pcap", &capture[..capture.len() / 2 + 7]);
    let file = report(&home, &["cut.pcap"]);
    assert!(!file["streams"].as_array().unwrap().is_empty());
    assert!(file["notes"].to_string().contains("middle of a packet"), "{}", file["notes"]);
}

#[test]
fn a_wav_that_is_broken_is_one_error_and_a_hint() {
    let home = Home::new();
    write_wav(&home.path().join("good.wav"), 8_000, 1, &sine(440.0, 8_000, 0.5));
    let good = fs::read(home.path().join("good.wav")).unwrap();
    home.file("cut-in-header.wav", &good[..30]);
    home.file("no-format.wav", b"RIFF\x10\0\0\0WAVEfmt \x99\0\0\0");
    write_wav(&home.path().join("no-samples.wav"), 8_000, 1, &[]);
    // A format that is none: 0x4242.
    let mut strange = good;
    strange[20..22].copy_from_slice(b"BB");
    home.file("strange.wav", &strange);
    for name in ["cut-in-header.wav", "no-format.wav", "no-samples.wav", "strange.wav"] {
        home.run(&["replay", name]).exits(2).complains().says(&[name]);
    }
}

#[test]
fn a_missing_file_is_this_machines_fault() {
    let home = Home::new();
    home.run(&["replay", "nowhere.wav"]).exits(7).complains().says(&["nowhere.wav"]);
}

#[test]
fn wrong_flags_name_the_right_ones() {
    let home = Home::new();
    write_wav(&home.path().join("a.wav"), 8_000, 1, &sine(440.0, 8_000, 0.2));
    let wrong = |arguments: &[&str], words: &[&str]| {
        let mut all = vec!["replay", "a.wav"];
        all.extend(arguments);
        home.run(&all).exits(2).says(words);
    };
    wrong(&["--codec", "pcmuu"], &["similar value exists: 'pcmu'"]);
    wrong(&["--agent", "scriptd"], &["did you mean scripted?"]);
    wrong(&["--ssrc", "hello"], &["0x3f21a9c4"]);
    wrong(&["--speed", "fast", "--agent", "echo"], &["max, real or 2x"]);
    wrong(&["--leg", "left"], &["caller", "agent", "both"]);
    home.run(&["replay", "a.wav", "--agent", "recorded"]).exits(7).complains().says(&["--agent-frames"]);
}
