//! Every capture of the kit that holds G.711: loss and jitter as tshark counts them (`-z rtp,streams`), and every
//! other capture without a panic. The kit is third-party data beside the project; without it this says so.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

use std::{collections::BTreeMap, path::PathBuf};
use voxgw::replay::{
    media_report,
    source::{self, Options},
};

fn kit() -> Option<PathBuf> {
    let path = std::env::var_os("VOXGW_KIT").map_or_else(|| PathBuf::from("../shared/kit"), PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no kit at {} (set VOXGW_KIT)", path.display());
    None
}

/// One line of tshark's table: packets, lost, mean and maximum jitter.
#[derive(Debug)]
struct Expected {
    packets: i64,
    lost: i64,
    jitter_mean_ms: f64,
    jitter_max_ms: f64,
}

/// By file, by source number.
fn expectations(text: &str) -> BTreeMap<String, BTreeMap<String, Expected>> {
    let mut files: BTreeMap<String, BTreeMap<String, Expected>> = BTreeMap::new();
    let mut file = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            name.trim().clone_into(&mut file);
        }
        if !line.contains("g711") || !line.contains(" 0x") {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let ssrc = words[6].to_ascii_lowercase();
        let percent = words.iter().position(|word| word.ends_with("%)")).unwrap();
        let number = |at: usize| words[at].parse::<f64>().unwrap();
        let expected = Expected {
            packets: words[percent - 2].parse().unwrap(),
            lost: words[percent - 1].parse().unwrap(),
            jitter_mean_ms: number(percent + 5),
            jitter_max_ms: number(percent + 6),
        };
        files.entry(file.clone()).or_default().insert(ssrc, expected);
    }
    files
}

#[test]
fn loss_and_jitter_are_those_of_tshark() {
    let Some(kit) = kit() else { return };
    let table = std::fs::read_to_string(kit.join("pcap/EXPECT-tshark.md")).unwrap();
    let files = expectations(&table);
    assert!(files.len() >= 9, "the table was not understood: {files:?}");
    for (file, streams) in &files {
        let source = source::open(&kit.join("pcap").join(file), &Options::default()).unwrap();
        for (ssrc, expected) in streams {
            let mut stream = source
                .streams
                .iter()
                .find(|stream| media_report(stream).stats.ssrc == *ssrc)
                .unwrap_or_else(|| panic!("{file}: no stream {ssrc}"))
                .clone();
            if file.contains("t38") {
                // The session goes to T.38 and back to audio within 100 ms; tshark reads the rest of the port as T.38,
                // although the bytes are RTP. We read on; compare what both read.
                stream.packets.truncate(expected.packets as usize);
            }
            let report = media_report(&stream);
            let (mean, max) = report.jitter_wireshark_ms;
            assert_eq!(report.stats.lost as i64, expected.lost, "{file} {ssrc}");
            assert_eq!(report.stats.packets as i64, expected.packets, "{file} {ssrc}");
            assert!((mean - expected.jitter_mean_ms).abs() < 0.1, "{file} {ssrc}: mean {mean}, tshark {expected:?}");
            assert!((max - expected.jitter_max_ms).abs() < 0.1, "{file} {ssrc}: max {max}, tshark {expected:?}");
            // Without digits or foreign payload types in between, our own figure is the same.
            if report.digits.is_empty() && report.stats.refused == 0 {
                assert!((report.stats.jitter_mean_ms - expected.jitter_mean_ms).abs() < 0.1, "{file} {ssrc}");
            }
        }
    }
}

#[test]
fn every_capture_is_read_or_refused_with_a_reason() {
    let Some(kit) = kit() else { return };
    let mut read = 0;
    for folder in std::fs::read_dir(kit.join("pcap")).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
            match source::open(&file.path(), &Options::default()) {
                Ok(source) => {
                    read += 1;
                    for stream in &source.streams {
                        assert!(media_report(stream).stats.packets > 0 || stream.packets.len() < 3);
                    }
                }
                Err(error) => assert!(error.hint_text().is_some(), "{}: {error}", file.path().display()),
            }
        }
    }
    assert!(read >= 20, "{read}");
}

#[test]
fn digits_of_real_captures_are_heard_once() {
    let Some(kit) = kit() else { return };
    for digit in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "star", "pound"] {
        let path = kit.join(format!("pcap/sipp/dtmf_2833_{digit}.pcap"));
        let source = source::open(&path, &Options::default()).unwrap();
        let heard: String = media_report(&source.streams[0]).digits.iter().map(|(_, digit)| *digit).collect();
        let expected = digit.replace("star", "*").replace("pound", "#");
        assert_eq!(heard, expected);
    }
}
