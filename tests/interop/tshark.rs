//! tshark reads the capture that the gateway writes of a call: all of SIP, all of RTP, nothing malformed.

use crate::{
    audio::{Law, assert_heard, voice},
    capture,
    gateway::Gateway,
    sipp::Sipp,
};
use std::{fs, path::Path, process::Command};

/// What tshark says to a capture.
pub fn tshark(file: &Path, flags: &[&str]) -> String {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(file)
        .args(["--enable-heuristic", "rtp_udp"])
        // It claims the UDP ports from 12000 on, which are ours here.
        .args(["--disable-protocol", "llc"])
        .args(flags)
        .output()
        .unwrap_or_else(|problem| panic!("tshark does not start: {problem}; scripts/interop installs it"));
    assert!(output.status.success(), "tshark {flags:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Packets and lost packets of every stream in tshark's table.
pub fn streams(table: &str) -> Vec<(u64, i64)> {
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let percent = words.iter().position(|word| word.starts_with('(') && word.ends_with("%)"))?;
        let packets = words.get(percent.checked_sub(2)?)?.parse::<u64>().ok()?;
        Some((packets, words[percent - 1].parse::<i64>().ok()?))
    };
    table.lines().filter_map(row).collect()
}

#[test]
#[ignore = "needs sipp and tshark"]
fn the_capture_of_a_call_is_whole_and_well_formed() {
    let said = voice(4, 20);
    let mut gateway = Gateway::start_with("echo:live", &["--pcap", "all"]);
    let sipp = Sipp::caller("uac_stream_pcmu", &gateway.target()).talking_for(5);
    fs::write(sipp.folder().join("audio.raw"), Law::Mu.encode(&said)).expect("the payload can be written");
    let ended = sipp.run();
    let call = gateway.only_call();
    gateway.stop();
    let file = call.folder.join("call.pcap");

    let messages = tshark(&file, &["-Y", "sip", "-T", "fields", "-e", "sip.CSeq.method", "-e", "sip.Status-Code"]);
    let count = |line: &str| messages.lines().filter(|found| found.trim_end() == line).count();
    assert_eq!([count("INVITE"), count("ACK"), count("BYE")], [1, 1, 1], "requests in:\n{messages}");
    assert_eq!([count("INVITE\t200"), count("BYE\t200")], [1, 1], "answers in:\n{messages}");
    let journalled = call.of_kind("sip").count();
    assert_eq!(messages.lines().count(), journalled, "messages in the capture and in the journal:\n{messages}");

    let table = tshark(&file, &["-q", "-z", "rtp,streams"]);
    let found = streams(&table);
    assert_eq!(found.len(), 2, "one stream each way:\n{table}");
    assert!(found.iter().all(|&(packets, lost)| packets >= 195 && lost == 0), "whole streams:\n{table}");
    let inbound = &call.summary().expect("it is over")["stats"]["inbound"]["packets"];
    assert!(
        found.iter().any(|(packets, _)| inbound == packets),
        "{inbound} packets came in, says the summary:\n{table}"
    );

    let malformed = tshark(&file, &["-Y", "_ws.malformed"]);
    assert_eq!(malformed, "", "packets that tshark cannot read");
    assert_sound(&file, &said, ended.media);
}

/// The sound of both directions is in the capture.
fn assert_sound(file: &Path, said: &[f32], media: u16) {
    let (sent, returned): (Vec<_>, Vec<_>) =
        capture::read_rtp(file).into_iter().partition(|packet| packet.source == media);
    assert_heard("caller in call.pcap", said, &capture::sound_of(&sent, Law::Mu));
    assert_heard("agent in call.pcap", said, &capture::sound_of(&returned, Law::Mu));
}
