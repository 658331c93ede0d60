//! The command line: what is printed where, exit codes, and whole calls between two programs on this machine.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures and helpers of tests"
)]

#[path = "support/program.rs"]
mod program;

use program::{Gateway, Home, LIMIT, files_under, finished_journals, read_wav, until, write_wav};
use serde_json::{Value, json};
use std::{
    fs,
    io::Read as _,
    net::{TcpListener, UdpSocket},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

/// A key as a provider gives it; nothing may show it.
const KEY: &str = "AIzaSyNobodyMayEverReadThisOne0123456789";

// Orientation and mistakes

#[test]
fn the_bare_program_says_what_to_do_next() {
    let home = Home::new();
    let bare = home.run(&[]).exits(0);
    for word in ["voxgw serve", "voxgw dial", "voxgw replay", "voxgw monitor", "no config file found"] {
        assert!(bare.stdout.contains(word), "no {word:?} in\n{}", bare.stdout);
    }
    assert!(bare.stdout.lines().count() <= 8, "{}", bare.stdout);
    assert_eq!(bare.stderr, "");
    home.file("voxgw.toml", "");
    assert!(home.run(&[]).exits(0).stdout.contains("config: voxgw.toml"));
}

#[test]
fn help_and_version_are_results() {
    let home = Home::new();
    for arguments in [&["--help"][..], &["--version"], &["dial", "--help"], &["serve", "-h"]] {
        let done = home.run(arguments).exits(0);
        assert!(!done.stdout.is_empty() && done.stderr.is_empty(), "{done:?}");
    }
}

#[test]
fn a_hangup_signal_ends_no_call_and_draining_is_told_to_who_asks() {
    let home = Home::new();
    let mut gateway = home.serve("echo:live", &["--drain", "20s"]);
    let caller = home.start_dial(&gateway.target(), &["--silence", "--hangup-after", "3s", "-o", "json"]);
    gateway.wait_until_up();
    gateway.running.signal("HUP");
    gateway.running.wait_for_word("SIGHUP");
    let asker = UdpSocket::bind("127.0.0.1:0").unwrap();
    asker.set_read_timeout(Some(LIMIT)).unwrap();
    let ask = |number: u32| {
        let port = asker.local_addr().unwrap().port();
        let options = format!(
            "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n\
             From: <sip:a@b.example>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: {number}@b\r\nCSeq: 1 OPTIONS\r\n\
             Content-Length: 0\r\n\r\n"
        );
        asker.send_to(options.as_bytes(), ("127.0.0.1", gateway.udp)).unwrap();
        let mut answer = [0; 2_000];
        let length = asker.recv(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    };
    assert!(ask(1).starts_with("SIP/2.0 200"));
    gateway.running.signal("TERM");
    gateway.running.wait_for_word("draining");
    // It is said a moment before the engine knows.
    let mut number = 1;
    let mut refused = String::new();
    assert!(until(LIMIT, || {
        number += 1;
        refused = ask(number);
        refused.starts_with("SIP/2.0 503")
    }));
    assert!(refused.contains("Retry-After: "), "{refused}");
    let document = caller.wait().exits(0).json();
    assert_eq!(document["calls"][0]["summary"]["ended_by"], "us", "the call went on to its own end");
    gateway.running.wait().exits(0);
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let home = Home::new();
    let wrong = |arguments: &[&str], words: &[&str]| {
        let done = home.run(arguments).exits(2).says(words);
        assert_eq!(done.stdout, "", "`{}`", done.name);
    };
    wrong(&["dial", "--recrod", "x", "127.0.0.1"], &["--recrod", "'--record'"]);
    wrong(&["dail", "127.0.0.1"], &["'dail'", "'dial'"]);
    wrong(&["dial", "127.0.0.1", "--agent", "scipted"], &["'scipted'", "hint: did you mean scripted?"]);
    wrong(&["config", "show", "gatway.name"], &["gatway.name", "hint: did you mean gateway.name?"]);
    wrong(&["man", "seve"], &["seve", "hint: did you mean serve?"]);
    wrong(&["dial", "127.0.0.1", "--silence", "--hangup-after", "laughter:3s"], &["laughter", "hint: "]);
    wrong(&["dial", "127.0.0.1", "--dtmf", "12x"], &["12x", "hint: "]);
    wrong(&["dial", "127.0.0.1", "--silence", "--codec", "pcmuu"], &["pcmuu", "similar value exists: 'pcmu'"]);
    wrong(&["dial", "tel:+4930123456"], &["tel:+4930123456", "hint: write sip:"]);
}

#[test]
fn numbers_without_a_unit_are_answered_with_the_right_spelling() {
    let home = Home::new();
    let wrong = |arguments: &[&str], words: &[&str]| {
        home.run(arguments).exits(2).says(words);
    };
    wrong(&["dial", "127.0.0.1", "--silence", "--hangup-after", "30"], &["30s or 30ms", "hint: "]);
    wrong(&["dial", "127.0.0.1", "--silence", "--ring", "30"], &["--ring", "30s or 30ms"]);
    wrong(&["dial", "127.0.0.1", "--silence", "--rate", "10"], &["--rate", "10/s"]);
    wrong(&["serve", "--drain", "5", "--api", "off"], &["gateway.drain = 5", "--drain", "5s or 5ms"]);
}

#[test]
fn a_wrong_value_names_the_flag_it_came_from() {
    let home = Home::new();
    home.run(&["serve", "--sip", "nonsense", "--api", "off"]).exits(2).says(&["nonsense", "from --sip)"]);
    home.run(&["serve", "--rtp-ports", "5"]).exits(2).says(&["from --rtp-ports)"]);
}

#[test]
fn a_bad_config_key_names_its_place_and_the_nearest_key() {
    let home = Home::new();
    home.file("voxgw.toml", "[gateway]\nname = \"desk\"\nmax_cals = 5\n");
    for arguments in [&["serve", "--check"][..], &["config", "check"], &["dial", "127.0.0.1", "--silence"]] {
        home.run(arguments).exits(2).complains().says(&[
            "gateway.max_cals",
            "voxgw.toml line 3",
            "did you mean gateway.max_calls?",
        ]);
    }
    home.run(&["--no-config", "config", "check"]).exits(0);
}

#[test]
fn files_that_are_missing_are_said_before_anybody_is_called() {
    let home = Home::new();
    let target = "sip:127.0.0.1:9";
    let missing = |arguments: &[&str], word: &str| {
        let done = home.run(arguments).exits(7).complains().says(&[word]);
        assert!(!done.stderr.contains("INVITE"), "{}", done.stderr);
    };
    missing(&["dial", target, "--play", "nope.wav"], "nope.wav");
    missing(&["dial", target, "--silence", "--record", "nofolder/out.wav"], "nofolder");
    missing(&["dial", target, "--silence", "--pcap", "nofolder/out.pcap"], "nofolder");
    missing(&["dial", target, "--silence", "--user", "bob", "--password-file", "nopassword"], "nopassword");
    missing(&["serve", "--config", "nope.toml"], "nope.toml");
}

// Nobody there

/// A port that nobody has: it was free a moment ago.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn silence_is_exit_code_3_after_the_ringing_time() {
    let home = Home::new();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = format!("sip:bob@{}", silent.local_addr().unwrap());
    let done = home.dial(&target, &["--silence", "--ring", "1s", "-o", "json"]).exits(3);
    let document = done.json();
    assert_eq!((&document["exit_code"], &document["sip"]), (&json!(3), &json!("fail")), "{document}");
    assert_eq!((&document["placed"], &document["failed"]), (&json!(1), &json!(1)), "{document}");
    assert!(done.took > Duration::from_secs(1), "{:?}", done.took);
}

#[test]
fn nobody_there_is_exit_code_3_and_said_at_once() {
    let home = Home::new();
    for transport in ["udp", "tcp"] {
        let target = format!("sip:bob@127.0.0.1:{};transport={transport}", closed_port());
        let done =
            home.dial(&target, &["--silence", "--ring", "8s"]).exits(3).complains().says(&["127.0.0.1:", transport]);
        assert!(done.took < Duration::from_secs(4), "{transport}: a refusal was waited for: {:?}", done.took);
    }
    home.dial("sip:bob@voxgw.invalid", &["--silence"]).exits(3).says(&["voxgw.invalid", "hint: "]);
    let target = format!("sip:bob@localhost:{};transport=tcp", closed_port());
    home.dial(&target, &["--silence"]).exits(3).complains().says(&["could not connect to tcp "]);
}

// serve

#[test]
fn a_busy_port_is_exit_code_7_and_a_hint() {
    let home = Home::new();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    for place in [format!("udp:{}", udp.local_addr().unwrap()), format!("tcp:{}", tcp.local_addr().unwrap())] {
        let port = place.rsplit(':').next().unwrap().to_owned();
        for check in [&["--check"][..], &[]] {
            let mut arguments = vec!["serve", "--agent", "echo", "--api", "off", "--record", "never", "--sip", &place];
            arguments.extend(check);
            home.run(&arguments).exits(7).complains().says(&[&place, &format!("port {port}"), "--sip"]);
        }
    }
    let place = tcp.local_addr().unwrap().to_string();
    home.file("token", "a-token-for-tests");
    let arguments = ["serve", "--agent", "echo", "--sip", "udp:127.0.0.1:0", "--record", "never"];
    let mut arguments = arguments.to_vec();
    arguments.extend(["--api", &place, "--api-token-file", "token"]);
    home.run(&arguments).exits(7).complains().says(&[&place, "--api"]);
}

#[test]
fn check_binds_and_ends() {
    let home = Home::new();
    let arguments = ["serve", "--check", "--agent", "echo", "--sip", "udp:127.0.0.1:0", "--sip", "tcp:127.0.0.1:0"];
    let done = home.run(&arguments).exits(0).says(&["ready", "udp:127.0.0.1:", "tcp:127.0.0.1:", "echo"]);
    assert!(done.took < Duration::from_secs(5), "{:?}", done.took);
    assert!(!home.path().join("run/voxgw.sock").exists(), "the API's socket was left behind");
}

#[test]
fn the_api_on_tcp_needs_a_token() {
    let home = Home::new();
    let arguments = ["serve", "--agent", "echo", "--sip", "udp:127.0.0.1:0", "--api", "127.0.0.1:0"];
    home.run(&arguments).exits(2).complains().says(&["token"]);
    home.file("empty", "\n");
    let mut with_empty = arguments.to_vec();
    with_empty.extend(["--api-token-file", "empty"]);
    home.run(&with_empty).exits(2).complains().says(&["empty"]);
}

#[test]
fn a_recordings_folder_that_cannot_be_made_is_exit_code_7() {
    let home = Home::new();
    home.file("in-the-way", "");
    let arguments = ["serve", "--agent", "echo", "--sip", "udp:127.0.0.1:0", "--api", "off"];
    for folder in ["in-the-way", "in-the-way/calls"] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--recordings", folder]);
        home.run(&arguments).exits(7).complains().says(&[folder]);
    }
}

#[test]
fn one_call_too_many_is_refused_politely() {
    let home = Home::new();
    let mut gateway = home.serve("echo:live", &["--max-calls", "1"]);
    let first = home.start_dial(&gateway.target(), &["--silence", "--hangup-after", "2s"]);
    gateway.wait_until_up();
    let second = home.dial(&gateway.target(), &["--silence", "-o", "json"]).exits(4).json();
    assert_eq!(second["calls"][0]["summary"]["status"], 503, "{second}");
    first.wait().exits(0);
}

// The end

#[test]
fn sigterm_lets_the_running_call_finish_and_takes_no_new_one() {
    let home = Home::new();
    let mut gateway = home.serve("echo:live", &["--drain", "20s"]);
    let first = home.start_dial(&gateway.target(), &["--silence", "--hangup-after", "2500ms", "-o", "json"]);
    gateway.wait_until_up();
    gateway.running.signal("TERM");
    gateway.running.wait_for_word("draining");
    let second = home.dial(&gateway.target(), &["--silence", "-o", "json"]).exits(4).json();
    assert_eq!(second["calls"][0]["summary"]["status"], 503, "{second}");
    let first = first.wait().exits(0).json();
    assert!(first["calls"][0]["summary"]["duration_s"].as_f64().unwrap() > 2.4, "cut short: {first}");
    let recordings = gateway.recordings.clone();
    gateway.running.wait().exits(0);
    let journals = finished_journals(&recordings, 2);
    let of_status = |status: u16| journals.iter().find(|journal| journal.summary()["status"] == status).unwrap();
    assert_eq!(of_status(200).summary()["ended_by"], "caller");
    assert_eq!(of_status(200).summary()["sip"], "pass");
    assert_eq!(of_status(503).records[0]["rule"], "gateway.drain", "the refused one leaves a short journal");
}

#[test]
fn a_call_that_outlives_the_drain_is_ended_politely() {
    let home = Home::new();
    let mut gateway = home.serve("echo:live", &["--drain", "500ms"]);
    let call = home.start_dial(&gateway.target(), &["--silence", "-o", "json"]);
    gateway.wait_until_up();
    let recordings = gateway.recordings.clone();
    let done = gateway.stop().exits(0).says(&["gateway.draining", "gateway.stopped"]);
    assert!(done.took < Duration::from_secs(10), "{:?}", done.took);
    assert_eq!(call.wait().exits(0).json()["sip"], "pass");
    let journal = &finished_journals(&recordings, 1)[0];
    assert_eq!(journal.summary()["ended_by"], "us");
    assert!(journal.of_kind("sip").iter().any(|sip| sip["label"] == "BYE" && sip["direction"] == "out"));
    assert_eq!(read_wav(&journal.folder.join("call.wav")).len(), 2, "the sound was not finished");
}

#[test]
fn a_second_signal_does_not_wait_for_the_drain() {
    let home = Home::new();
    let mut gateway = home.serve("echo:live", &["--drain", "1h"]);
    let call = home.start_dial(&gateway.target(), &["--silence"]);
    gateway.wait_until_up();
    gateway.running.signal("TERM");
    gateway.running.wait_for_word("draining");
    let done = gateway.stop().exits(0);
    assert!(done.took < Duration::from_secs(10), "{:?}", done.took);
    call.wait().exits(0);
}

#[test]
fn ctrl_c_hangs_up_and_prints_the_summary() {
    let home = Home::new();
    let mut gateway = home.serve("echo:live", &[]);
    let call = home.start_dial(&gateway.target(), &["--silence", "-o", "json"]);
    gateway.wait_until_up();
    call.signal("INT");
    let document = call.wait().exits(130).json();
    assert_eq!(document["sip"], "pass");
    let journal = &finished_journals(&gateway.recordings, 1)[0];
    assert!(journal.of_kind("sip").iter().any(|sip| sip["label"] == "BYE" && sip["direction"] == "in"));
    assert_eq!(fs::read_dir(home.temporary()).unwrap().count(), 0, "dial left its temporary folder");
}

#[test]
fn sigterm_hangs_up_a_dialled_call() {
    let home = Home::new();
    let mut gateway = home.serve("echo:live", &[]);
    let call = home.start_dial(&gateway.target(), &["--silence", "-o", "json", "--pcap", "out.pcap"]);
    gateway.wait_until_up();
    call.signal("TERM");
    let done = call.wait();
    assert_eq!(done.code, Some(143), "TERM ends a call after a clean finish: {done:?}");
    finished_journals(&gateway.recordings, 1);
    assert_eq!(fs::read_dir(home.temporary()).unwrap().count(), 0, "dial left its temporary folder");
}

// Calls

#[test]
fn the_document_of_a_call_has_a_schema_and_four_verdicts() {
    let home = Home::new();
    let gateway = home.serve("scripted", &[]);
    let document = home.dial(&gateway.target(), &["--silence", "--hangup-after", "1s", "-o", "json"]).exits(0).json();
    assert_eq!(document["schema"], "voxgw.dial/1");
    let verdicts = ["sip", "media", "agent", "checks"];
    for holder in [&document, &document["calls"][0]["summary"]] {
        for verdict in verdicts {
            let word = holder[verdict].as_str().unwrap_or_default();
            assert!(["pass", "fail", "none"].contains(&word), "{verdict}: {holder}");
        }
        assert_eq!((&holder["sip"], &holder["media"]), (&json!("pass"), &json!("pass")));
    }
    assert_eq!((&document["placed"], &document["succeeded"], &document["failed"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(document["exit_code"], 0);
    assert_eq!(document["target"], gateway.target());
    assert!(document["answered_p50_ms"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_result_is_on_stdout_and_the_talk_on_stderr() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let with = |flag: &str| {
        let arguments = ["--silence", "--hangup-after", "300ms", "--record", "out.wav", flag];
        home.dial(&gateway.target(), &arguments).exits(0)
    };
    let loud = with("--no-progress");
    assert!(loud.stderr.contains("INVITE") && loud.stderr.contains("saved out.wav"), "{}", loud.stderr);
    assert!(loud.stdout.contains("media pass") && !loud.stdout.contains("INVITE"), "{}", loud.stdout);
    let quiet = with("-q");
    assert_eq!(quiet.stderr, "");
    assert!(quiet.stdout.contains("media pass"), "{}", quiet.stdout);
    let lines = home.dial(&gateway.target(), &["--silence", "--hangup-after", "300ms", "-o", "jsonl"]).exits(0).stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["record"]["kind"], "session");
    assert_eq!(lines.last().unwrap()["schema"], "voxgw.dial/1");
    let csv = home.dial(&gateway.target(), &["--silence", "--hangup-after", "300ms", "-o", "csv"]).exits(0).stdout;
    let rows: Vec<usize> = csv.lines().map(|line| line.split(',').count()).collect();
    assert!(rows.len() == 2 && rows[0] == rows[1], "{csv}");
}

/// Noise at 8 kHz: 400 ms of sound, 100 ms of silence, and so on.
fn bursts(seconds: f64) -> Vec<i16> {
    let mut state = 0x1234_5678_u32;
    (0..(seconds * 8_000.0) as usize)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let loud = i32::try_from(state >> 16).unwrap() - 32_768;
            if n % 4_000 < 3_200 { (loud / 4) as i16 } else { 0 }
        })
        .collect()
}

/// Where a piece of sound is found again.
#[derive(Debug)]
struct Found {
    at: usize,
    /// Normalised cross-correlation, 1 for the same wave.
    likeness: f64,
    /// Louder than the piece.
    gain_db: f64,
}

fn energy(samples: &[i16]) -> i64 {
    samples.iter().map(|sample| i64::from(*sample) * i64::from(*sample)).sum()
}

/// The place from `from` to before `to` where `sound` is most like `piece`.
fn find(piece: &[i16], sound: &[i16], from: usize, to: usize) -> Found {
    let mut best = Found { at: from, likeness: -1.0, gain_db: f64::NEG_INFINITY };
    let own = energy(piece) as f64;
    for at in from..to.min(sound.len().saturating_sub(piece.len())) {
        let there = &sound[at..at + piece.len()];
        let product: i64 = piece.iter().zip(there).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum();
        // Most places are not like it: their energy need not be known.
        if (product as f64) < 0.2 * own {
            continue;
        }
        let other = energy(there) as f64;
        let likeness = product as f64 / (own * other).sqrt();
        if likeness > best.likeness {
            best = Found { at, likeness, gain_db: 10.0 * (other / own).log10() };
        }
    }
    best
}

#[test]
fn what_is_said_comes_back_whole_soon_and_as_loud() {
    let home = Home::new();
    let said = bursts(1.5);
    write_wav(&home.path().join("said.wav"), 8_000, 1, &said);
    let gateway = home.serve("echo:live", &[]);
    let arguments = ["--play", "said.wav", "--record", "out.wav", "--hangup-after", "800ms", "--codec", "pcmu"];
    home.dial(&gateway.target(), &arguments).exits(0);
    let sides = read_wav(&home.path().join("out.wav"));
    let [sent, heard] = &sides[..] else { panic!("{} channels", sides.len()) };
    let begin = find(&said[..1_000], sent, 0, 12_000);
    assert!(begin.likeness > 0.95, "the left channel is what we sent: {begin:?}");
    assert!((3_200..6_000).contains(&begin.at), "played 500 ms after the answer: {begin:?}");
    let (within, mut delay) = (2_000, 0);
    for start in (0..said.len()).step_by(2_000) {
        let piece = &said[start..start + 2_000];
        let earliest = begin.at + start;
        let found = find(piece, heard, earliest, earliest + within);
        assert!(found.likeness > 0.8, "at {start}: nothing like it came back within 250 ms: {found:?}");
        assert!(found.gain_db.abs() < 3.0, "at {start}: {found:?}");
        delay = found.at - earliest;
    }
    assert!(delay > 0, "nothing comes back before it was sent");
    let (mut gap, mut longest) = (0, 0);
    for (start, frame) in said.chunks_exact(160).enumerate().map(|(n, frame)| (n * 160, frame)) {
        let from = begin.at + start + delay;
        let there = heard.get(from..from + 160).unwrap_or_default();
        let lost = energy(frame) > 160 * 1_000 * 1_000 && energy(there) * 100 < energy(frame);
        gap = if lost { gap + 20 } else { 0 };
        longest = longest.max(gap);
    }
    assert!(longest <= 60, "a gap of {longest} ms");
}

#[test]
fn pressed_keys_arrive_once_each() {
    let home = Home::new();
    let gateway = home.serve("scripted", &[]);
    let arguments = ["--silence", "--dtmf", "12#@1s", "--hangup-after", "500ms", "-o", "json"];
    let document = home.dial(&gateway.target(), &arguments).exits(0).json();
    assert_eq!(document["sip"], "pass");
    let journal = &finished_journals(&gateway.recordings, 1)[0];
    let heard: Vec<(f64, &str)> = journal
        .of_kind("dtmf")
        .into_iter()
        .filter(|digit| digit["direction"] == "in")
        .map(|digit| (digit["t"].as_f64().unwrap(), digit["digit"].as_str().unwrap()))
        .collect();
    let digits: String = heard.iter().map(|(_, digit)| *digit).collect();
    assert_eq!(digits, "12#");
    assert!((0.9..1.6).contains(&heard[0].0), "pressed a second after the answer: {heard:?}");
    assert_eq!(journal.summary()["dtmf"], "12#");
}

#[test]
fn an_echo_and_an_agent_press_keys_and_hang_up_at_their_time() {
    let home = Home::new();
    let gateway = home.serve("scripted", &[]);
    for source in [&["--echo"][..], &["--agent", "scripted"]] {
        let arguments = ["--dtmf", "12@500ms", "--dtmf", "#@1s", "--hangup-after", "500ms", "-o", "json"];
        let document = home.dial(&gateway.target(), &[source, &arguments].concat()).exits(0).json();
        let summary = &document["calls"][0]["summary"];
        assert_eq!((&summary["ended_by"], &summary["reason"]), (&json!("us"), &json!("the time was over")));
        let seconds = summary["duration_s"].as_f64().unwrap();
        assert!((1.4..2.5).contains(&seconds), "{source:?}: {seconds} s");
    }
    for journal in finished_journals(&gateway.recordings, 2) {
        assert_eq!(journal.summary()["dtmf"], "12#");
    }
    home.file("said.wav", "");
    let short = ["--play", "said.wav", "--hangup-after", "silence:500ms"];
    home.dial(&gateway.target(), &short).exits(2).complains().says(&["at least 1s", "--delay"]);
    let delay = ["--echo", "--delay", "1s"];
    home.dial(&gateway.target(), &delay).exits(2).complains().says(&["--delay", "--play"]);
    let snapshot = home.run(&["monitor", &gateway.api, "--once", "-o", "json"]).exits(0).json();
    assert_eq!(snapshot["gateway"]["sip_dropped_total"], 0, "looking whether anybody is there is no broken message");
}

#[test]
fn a_rule_for_the_end_does_not_talk_over_the_greeting() {
    let home = Home::new();
    write_wav(&home.path().join("said.wav"), 8_000, 1, &bursts(0.5));
    let gateway = home.serve("scripted", &[]);
    let arguments = ["--play", "said.wav", "--hangup-after", "200ms", "-o", "json"];
    home.dial(&gateway.target(), &arguments).exits(0);
    let journal = &finished_journals(&gateway.recordings, 1)[0];
    assert_eq!(journal.summary()["cuts"], 0, "the greeting was cut");
    assert!(journal.summary()["duration_s"].as_f64().unwrap() > 3.0, "{}", journal.summary());
}

#[test]
fn a_rule_of_silence_waits_for_the_answer_to_what_was_played() {
    let home = Home::new();
    write_wav(&home.path().join("said.wav"), 8_000, 1, &bursts(2.0));
    let gateway = home.serve("scripted", &[]);
    let arguments = ["--play", "said.wav", "--hangup-after", "silence:1200ms", "-o", "json"];
    let document = home.dial(&gateway.target(), &arguments).exits(0).json();
    let summary = &document["calls"][0]["summary"];
    assert_eq!((&summary["turns"], &summary["reason"]), (&json!(1), &json!("the far end fell silent")), "{summary}");
}

#[test]
fn several_calls_at_once_all_succeed() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let arguments = ["--silence", "--hangup-after", "300ms", "--repeat", "6", "--concurrency", "3", "-o", "json"];
    let document = home.dial(&gateway.target(), &arguments).exits(0).json();
    assert_eq!((&document["placed"], &document["succeeded"], &document["failed"]), (&json!(6), &json!(6), &json!(0)));
    assert_eq!(document["calls"].as_array().unwrap().len(), 6);
    let journals = finished_journals(&gateway.recordings, 6);
    assert!(journals.iter().all(|journal| journal.summary()["sip"] == "pass"));
}

#[test]
fn calls_over_tcp_are_calls_too() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let target = format!("sip:bob@127.0.0.1:{};transport=tcp", gateway.tcp);
    let document = home.dial(&target, &["--silence", "--hangup-after", "500ms", "-o", "json"]).exits(0).json();
    assert_eq!((&document["sip"], &document["media"]), (&json!("pass"), &json!("pass")));
    let journal = &finished_journals(&gateway.recordings, 1)[0];
    assert!(journal.of_kind("sip").iter().all(|sip| sip["transport"] == "tcp"));
}

#[test]
fn a_call_folder_holds_journal_sound_and_capture() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &["--pcap", "all"]);
    let arguments = ["--silence", "--hangup-after", "1s", "--journal", "ours", "--pcap", "ours.pcap"];
    home.dial(&gateway.target(), &arguments).exits(0);
    let theirs = finished_journals(&gateway.recordings, 1).remove(0);
    let ours = finished_journals(&home.path().join("ours"), 1).remove(0);
    gateway.stop().exits(0);
    for (journal, direction) in [(&theirs, "in"), (&ours, "out")] {
        let header = &journal.records[0];
        assert_eq!((&header["kind"], &header["schema"]), (&json!("session"), &json!("voxgw.journal/1")));
        assert_eq!(header["direction"], direction);
        let text = fs::read_to_string(journal.folder.join("session.jsonl")).unwrap();
        assert_eq!(text.lines().count(), journal.records.len(), "a line is no record");
        assert_eq!(journal.of_kind("session").len(), 1);
        assert_eq!(journal.of_kind("summary").len(), 1);
        assert_eq!(journal.summary()["status"], 200);
        let call = header["call"].as_str().unwrap();
        assert!(journal.folder.to_string_lossy().ends_with(call), "{}", journal.folder.display());
        let times: Vec<f64> = journal.records.iter().map(|record| record["t"].as_f64().unwrap()).collect();
        assert!(times.is_sorted(), "{times:?}");
        for path in files_under(&journal.folder).iter().chain([&journal.folder]) {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "others can read {}", path.display());
        }
        let sides = read_wav(&journal.folder.join("call.wav"));
        assert_eq!(sides.len(), 2);
        // The call was G.722: both sides have what it carries.
        let seconds = sides[0].len() as f64 / 16_000.0;
        let duration = journal.summary()["duration_s"].as_f64().unwrap();
        assert!((seconds - duration).abs() < 0.2, "{seconds} s of sound of a call of {duration} s");
    }
    let capture = theirs.folder.join("call.pcap");
    let report = home.run(&["replay", capture.to_str().unwrap(), "-o", "json"]).exits(0).json();
    assert_eq!(report["files"][0]["streams"].as_array().unwrap().len(), 2, "{report}");
    assert!(home.path().join("ours.pcap").is_file());
}

#[test]
fn replay_replaces_no_input_and_gives_each_its_folder() {
    let home = Home::new();
    for folder in ["a", "b"] {
        fs::create_dir(home.path().join(folder)).unwrap();
        write_wav(&home.path().join(folder).join("call.wav"), 8_000, 1, &bursts(1.0));
        fs::write(home.path().join(folder).join("session.jsonl"), "the journal").unwrap();
    }
    let before = fs::read(home.path().join("a/call.wav")).unwrap();
    for (input, out) in [("a", "a"), ("a/call.wav", "a"), ("a/call.wav", "./b/../a")] {
        let done = home.run(&["replay", input, "--agent", "echo", "--out", out]).exits(2);
        done.complains().says(&["--out", "would replace"]);
    }
    home.run(&["replay", "a", "--out", "a"]).exits(2).complains();
    assert_eq!(fs::read(home.path().join("a/call.wav")).unwrap(), before);
    home.run(&["replay", "a", "b", "a/call.wav", "--agent", "echo", "--out", "both"]).exits(0);
    for folder in ["a", "b", "call"] {
        for name in ["session.jsonl", "call.wav", "sent.pcap", "report.json"] {
            assert!(home.path().join("both").join(folder).join(name).is_file(), "{folder}/{name}");
        }
    }
    home.run(&["replay", "b", "--out", "one"]).exits(0);
    assert!(home.path().join("one/report.json").is_file());
}

#[test]
fn replay_says_what_does_not_fit() {
    let home = Home::new();
    write_wav(&home.path().join("said.wav"), 8_000, 1, &bursts(1.0));
    for speed in ["0", "real", "2x"] {
        home.run(&["replay", "said.wav", "--speed", speed]).exits(2).complains().says(&["--agent"]);
    }
    home.run(&["replay", "said.wav", "--agent", "echo", "--out", "run"]).exits(0);
    home.run(&["replay", "run/sent.pcap", "--codec", "pcmu"]).exits(0);
    let done = home.run(&["replay", "run/sent.pcap", "--codec", "pcmu", "--ssrc", "0x00000001"]).exits(2);
    done.complains().says(&["--ssrc 0x00000001", "they are 0x"]);
    // What a program writes into a pipe, and what is left of a copy.
    let mut whole = fs::read(home.path().join("said.wav")).unwrap();
    whole.truncate(whole.len() - 1_001);
    home.file("cut.wav", &whole);
    whole[40..44].copy_from_slice(&[0xff; 4]);
    home.file("piped.wav", &whole);
    home.run(&["replay", "cut.wav", "piped.wav"]).exits(0);
}

// Gemini

#[test]
fn gemini_without_a_key_is_exit_code_5_and_a_hint() {
    let home = Home::new();
    let serve = ["serve", "--agent", "gemini", "--sip", "udp:127.0.0.1:0", "--api", "off"];
    home.run(&serve).exits(5).complains().says(&["key", "GEMINI_API_KEY", "--agent scripted"]);
    home.run(&["dial", "127.0.0.1", "--agent", "gemini"]).exits(5).complains().says(&["GEMINI_API_KEY"]);
    home.file("voxgw.toml", "[agents.gemini]\nkey_file = \"nowhere\"\n");
    home.run(&serve).exits(7).complains().says(&["nowhere"]);
    let auto = ["serve", "--sip", "udp:127.0.0.1:0", "--api", "off"];
    home.run(&auto).exits(7).complains().says(&["nowhere"]);
    fs::remove_file(home.path().join("voxgw.toml")).unwrap();
    let named = [("GEMINI_API_KEY_FILE", "nokey.txt")];
    home.run_with(&named, &auto).exits(7).complains().says(&["nokey.txt", "GEMINI_API_KEY_FILE"]);
}

/// A gateway whose agent is Gemini at another address.
fn serve_gemini(home: &Home, endpoint: &str, more: &[&str]) -> Gateway {
    home.file("key", format!("{KEY}\n"));
    let config = format!("[agents.desk]\nkind = \"gemini\"\nendpoint = \"{endpoint}\"\nkey_file = \"key\"\n");
    home.file("voxgw.toml", config);
    home.serve("desk", more)
}

#[test]
fn a_caller_hears_an_apology_when_the_provider_is_not_there() {
    let home = Home::new();
    let gateway = serve_gemini(&home, &format!("ws://127.0.0.1:{}", closed_port()), &["--agent-frames", "-v"]);
    let arguments = ["--silence", "--record", "out.wav", "--max", "20s", "-o", "json"];
    // The far gateway says in its BYE that its agent failed.
    home.dial(&gateway.target(), &arguments).exits(5);
    let heard = read_wav(&home.path().join("out.wav")).remove(1);
    let spoken = heard.chunks_exact(160).filter(|frame| energy(frame) > 160 * 300 * 300).count() * 20;
    assert!(spoken >= 2_000, "{spoken} ms of speech");
    let journal = &finished_journals(&gateway.recordings, 1)[0];
    assert_eq!(journal.summary()["agent"], "fail");
    assert_eq!(journal.summary()["ended_by"], "agent");
    let sip = journal.of_kind("sip");
    let bye = sip.iter().find(|sip| sip["label"] == "BYE").expect("a BYE");
    assert_eq!(bye["direction"], "out");
    assert!(bye["text"].as_str().unwrap().contains("cause=503"), "{bye}");
    gateway.stop().exits(0);
    nowhere(&home, KEY, &["key"]);
}

/// No file of the home holds the secret, but those that must.
#[track_caller]
fn nowhere(home: &Home, secret: &str, but: &[&str]) {
    for path in files_under(home.path()) {
        let name = path.strip_prefix(home.path()).unwrap();
        if but.iter().any(|known| Path::new(known) == name) {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{} shows a secret", name.display());
    }
}

#[test]
fn the_key_goes_to_the_provider_and_into_no_log() {
    let home = Home::new();
    let provider = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("ws://{}", provider.local_addr().unwrap());
    let (to, request) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = provider.accept().unwrap();
        let mut bytes = Vec::new();
        let mut buffer = [0; 1_024];
        while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut buffer) {
                Ok(length @ 1..) => bytes.extend_from_slice(&buffer[..length]),
                _ => break,
            }
        }
        let _ = to.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    let mut gateway = serve_gemini(&home, &endpoint, &["--agent-frames", "--pcap", "all", "--drain", "200ms", "-vv"]);
    let call = home.start_dial(&gateway.target(), &["--silence", "-q"]);
    let request = request.recv_timeout(LIMIT).expect("the gateway connects to its provider");
    let (line, headers) = request.split_once("\r\n").unwrap();
    assert!(headers.contains(KEY) && !line.contains(KEY), "the key is a header, not part of the address: {line}");
    gateway.running.wait_for_word("state=\"failed\"");
    gateway.stop().exits(0);
    call.wait().exits(5);
    nowhere(&home, KEY, &["key"]);
}

// Logs and journals

#[test]
fn json_logs_are_json_with_events() {
    let home = Home::new();
    let gateway = home.serve_with(&[("LOG_FORMAT", "json")], "echo:live", &[]);
    home.dial(&gateway.target(), &["--silence", "--hangup-after", "300ms"]).exits(0);
    let recordings = gateway.recordings.clone();
    let call = finished_journals(&recordings, 1)[0].records[0]["call"].clone();
    let done = gateway.stop().exits(0);
    let lines: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with('{')).collect();
    let records: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in ["gateway.ready", "call.started", "call.ended", "gateway.draining", "gateway.stopped"] {
        let record = records.iter().find(|record| record["event"] == event);
        let record = record.unwrap_or_else(|| panic!("no {event} in\n{}", done.stderr));
        assert!(record["timestamp"].is_string() && record["level"].is_string() && record["target"].is_string());
        if event.starts_with("call.") {
            assert_eq!(record["call"], call);
        }
    }
}

#[test]
fn a_log_filter_names_modules_and_leaves_the_others_alone() {
    let home = Home::new();
    let check = |filter: &str| {
        let arguments = ["serve", "--check", "--agent", "echo", "--sip", "udp:127.0.0.1:0", "--api", "off"];
        home.run(&[&arguments[..], &["--log", filter]].concat())
    };
    check("sipp=debug").exits(2).complains().says(&["sipp", "did you mean sip?"]);
    let said = |filter: &str| home.serve("echo", &["--log", filter]).stop().exits(0).stderr;
    assert!(said("sip=debug").contains("gateway.ready"), "the level of the rest is as if nothing was said");
    assert!(!said("warn,sip=debug").contains("gateway.ready"));
}

#[test]
fn a_log_file_takes_the_log_from_stderr() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &["--log-file", "gateway.log", "--log-format", "json"]);
    let done = gateway.stop().exits(0);
    assert!(!done.stderr.contains("gateway.ready"), "{}", done.stderr);
    let log = fs::read_to_string(home.path().join("gateway.log")).unwrap();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(log.contains("gateway.ready") && log.contains("gateway.stopped"), "{log}");
}

#[test]
fn journals_captures_and_logs_hold_no_credentials() {
    let home = Home::new();
    home.file("password", "rabbit-hole");
    home.file("voxgw.toml", "sip.authenticate = 'all'\nusers.bob.password = 'rabbit-hole'\n");
    let gateway = home.serve("echo:live", &["--pcap", "all", "-v"]);
    let mut arguments = vec!["--silence", "--hangup-after", "300ms", "--journal", "ours", "--pcap", "ours.pcap", "-v"];
    arguments.extend(["--user", "bob", "--password-file", "password"]);
    home.dial(&gateway.target(), &arguments).exits(0);
    let journal = &finished_journals(&gateway.recordings, 1)[0];
    let invite = journal.of_kind("sip")[0]["text"].as_str().unwrap().to_owned();
    assert!(invite.contains("Authorization: (redacted)"), "the header was not sent at all:\n{invite}");
    gateway.stop().exits(0);
    // What only an answer to a challenge holds.
    nowhere(&home, "nc=00000001", &[]);
}

// Config

#[test]
fn config_show_says_where_each_value_is_from() {
    let home = Home::new();
    home.file("voxgw.toml", "[gateway]\nname = \"desk\"\nmax_calls = 7\n");
    home.file(".env", "VOXGW__MEDIA__PTIME=30ms\nVOXGW__GATEWAY__MAX_CALLS=8\n");
    let variables = [("VOXGW__GATEWAY__DRAIN", "9s"), ("LOG_FORMAT", "json")];
    let show = |more: &[&str]| {
        let mut arguments = vec!["config", "show"];
        arguments.extend(more);
        home.run_with(&variables, &arguments).exits(0).stdout
    };
    let all = show(&[]);
    let is = |key: &str, value: &str, origin: &str| {
        let line = all.lines().find(|line| line.split_whitespace().next() == Some(key));
        let line = line.unwrap_or_else(|| panic!("no {key} in\n{all}"));
        assert!(line.contains(value) && line.trim_end().ends_with(origin), "{line}");
    };
    is("gateway.name", "desk", "voxgw.toml line 2");
    is("gateway.max_calls", "8", ".env VOXGW__GATEWAY__MAX_CALLS");
    is("media.ptime", "30ms", ".env VOXGW__MEDIA__PTIME");
    is("gateway.drain", "9s", "$VOXGW__GATEWAY__DRAIN");
    is("log.format", "json", "$LOG_FORMAT");
    is("call.patience", "3s", "default");
    let changed = show(&["--changed"]);
    assert_eq!(changed.lines().count(), 5, "{changed}");
    assert!(!changed.contains("default"), "{changed}");
    let one = show(&["gateway.name"]);
    assert!(one.contains("Name of this gateway") && one.contains("desk"), "{one}");
    let elsewhere = home.path().join("elsewhere.toml");
    fs::write(&elsewhere, "[gateway]\nname = \"other\"\n").unwrap();
    let named = show(&["--changed", "--config", "elsewhere.toml"]);
    assert!(named.contains("other") && !named.contains("desk"), "files are never merged:\n{named}");
}

#[test]
fn the_template_is_a_config() {
    let home = Home::new();
    let template = home.run(&["config", "init", "--print"]).exits(0).stdout;
    assert_eq!(template, voxgw::config::template());
    assert!(template.parse::<toml::Table>().unwrap().is_empty(), "all of it is commented out");
    let whole: String =
        template.lines().map(|line| line.strip_prefix("#= ").unwrap_or(line).to_owned() + "\n").collect();
    assert!(whole.parse::<toml::Table>().unwrap().contains_key("gateway"));
    home.file("whole.toml", whole);
    home.run(&["config", "check", "whole.toml"]).exits(0);
    home.run(&["config", "init"]).exits(0);
    home.run(&["config", "check"]).exits(0);
    assert_eq!(fs::read_to_string(home.path().join("voxgw.toml")).unwrap(), template);
    home.run(&["config", "init"]).exits(2).complains().says(&["--force"]);
    home.run(&["config", "init", "--force"]).exits(0);
}

#[test]
fn a_dot_env_that_cannot_be_read_is_one_error() {
    let home = Home::new();
    let show = |more: &[&str]| home.run(&[&["config", "show"], more].concat());
    home.file(".env", "VOXGW__GATEWAY__NAME=front desk # ours\nnonsense\n");
    show(&[]).exits(2).complains().says(&[".env line 2", "NAME=value"]);
    home.run(&["monitor", "--once"]).exits(2).complains().says(&[".env line 2"]);
    home.file(".env", b"A=b\nVOXGW__GATEWAY__NAME=\xff\n");
    show(&[]).exits(2).complains().says(&[".env line 2", "UTF-8"]);
    home.file(".env", "\u{feff}VOXGW__GATEWAY__NAME=front desk # ours\n");
    assert!(show(&["--changed"]).exits(0).stdout.contains("front desk"));
    fs::remove_file(home.path().join(".env")).unwrap();
    fs::create_dir(home.path().join(".env")).unwrap();
    let done = show(&[]).exits(7).complains().says(&[".env"]);
    assert!(done.took < Duration::from_secs(5), "{:?}", done.took);
}

#[test]
fn the_environment_beats_dot_env_in_either_spelling() {
    let home = Home::new();
    home.file(".env", "LOG_LEVEL=debug\nVOXGW_RECORDINGS=/Srv/Calls\n");
    let show = |variables: &[(&str, &str)]| home.run_with(variables, &["config", "show", "--changed"]).exits(0).stdout;
    let inside = show(&[]);
    assert!(inside.lines().any(|line| line.contains("debug") && line.ends_with(".env LOG_LEVEL")), "{inside}");
    assert!(inside.lines().any(|line| line.contains("/Srv/Calls") && line.contains(".env ")), "{inside}");
    let outside = show(&[("VOXGW__LOG__LEVEL", "warn")]);
    assert!(outside.lines().any(|line| line.contains("warn") && line.ends_with("$VOXGW__LOG__LEVEL")), "{outside}");
    home.file(".env", "VOXGW__LOG__LEVEL=debug\n");
    let outside = show(&[("LOG_LEVEL", "warn")]);
    assert!(outside.lines().any(|line| line.contains("warn") && line.ends_with("$LOG_LEVEL")), "{outside}");
}

#[test]
fn a_size_without_a_unit_is_refused_before_anything_is_removed() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    home.dial(&gateway.target(), &["--silence", "--hangup-after", "300ms"]).exits(0);
    let kept = finished_journals(&gateway.recordings, 1).remove(0).folder;
    let folder = gateway.recordings.display().to_string();
    gateway.stop().exits(0);
    let arguments = ["serve", "--agent", "echo", "--sip", "udp:127.0.0.1:0", "--api", "off", "--recordings", &folder];
    for (key, value) in [("MAX_SIZE", "20"), ("MAX_SIZE", "0"), ("MAX_SIZE", "0G"), ("KEEP", "0s")] {
        let name = format!("VOXGW__RECORDING__{key}");
        home.run_with(&[(&name, value)], &arguments).exits(2).complains().says(&[&name, value]);
    }
    assert!(kept.join("session.jsonl").is_file());
}

// The disk

#[test]
fn check_changes_nothing_on_disk() {
    let home = Home::new();
    let limits = [("VOXGW__RECORDING__MAX_SIZE", "1B")];
    let mut gateway = home.serve("echo:live", &[]);
    let call = home.start_dial(&gateway.target(), &["--silence", "--hangup-after", "2s"]);
    gateway.wait_until_up();
    let folder = gateway.recordings.display().to_string();
    let api = format!("unix:{}", home.path().join("run/other.sock").display());
    let check = |recordings: &str, log: &str| {
        let arguments = ["serve", "--check", "--agent", "echo", "--sip", "udp:127.0.0.1:0", "--api", &api];
        let more = ["--recordings", recordings, "--log-file", log];
        home.run_with(&limits, &[&arguments[..], &more].concat())
    };
    check(&folder, "check.log").exits(0).says(&["ready", &folder]);
    check("not/there", "check.log").exits(0).says(&["not/there"]);
    for name in ["not", "check.log", "run/other.sock"] {
        assert!(!home.path().join(name).exists(), "{name} was made");
    }
    home.file("in-the-way", "");
    check("in-the-way/calls", "check.log").exits(7).complains().says(&["in-the-way"]);
    // Another gateway with a smaller limit takes everything but the call that runs.
    let arguments = ["serve", "--agent", "echo", "--sip", "udp:127.0.0.1:0", "--api", "off", "--recordings", &folder];
    let mut other = home.start(&limits, &arguments);
    other.wait_for_word("Ctrl-C drains");
    call.wait().exits(0);
    let journal = finished_journals(&gateway.recordings, 1).remove(0);
    assert!(journal.folder.join("call.wav").is_file());
    other.signal("TERM");
    other.wait().exits(0);
}

/// What the gateway says of its recordings.
fn recording_problem(home: &Home, gateway: &Gateway) -> String {
    let snapshot = home.run(&["monitor", &gateway.api, "--once", "-o", "json"]).exits(0).json();
    snapshot["gateway"]["recording_problem"].as_str().unwrap_or_default().to_owned()
}

/// Puts a file where the recordings were.
fn break_recordings(gateway: &Gateway) {
    fs::remove_dir_all(&gateway.recordings).unwrap();
    fs::write(&gateway.recordings, "").unwrap();
}

#[test]
fn calls_go_on_without_a_disk_and_the_monitor_says_so() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    assert_eq!(recording_problem(&home, &gateway), "");
    break_recordings(&gateway);
    let call = home.start_dial(&gateway.target(), &["--silence", "--hangup-after", "3s", "-o", "json"]);
    let said = until(Duration::from_millis(2_500), || {
        recording_problem(&home, &gateway).contains(gateway.recordings.to_str().unwrap())
    });
    assert!(said, "the monitor does not say that recording fails");
    let text = home.run(&["monitor", &gateway.api, "--once"]).exits(0).stdout;
    assert!(text.contains("\nrecording: cannot write to "), "{text}");
    let document = call.wait().exits(0).json();
    assert_eq!((&document["sip"], &document["media"]), (&json!("pass"), &json!("pass")));
    gateway.stop().exits(0).says(&["recording.failed"]);
}

#[test]
fn a_broken_disk_is_known_until_it_works_again() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    break_recordings(&gateway);
    let call = || home.dial(&gateway.target(), &["--silence", "--hangup-after", "300ms"]).exits(0);
    call();
    // The gateway ends its side a moment after ours.
    thread::sleep(Duration::from_millis(300));
    assert_ne!(recording_problem(&home, &gateway), "", "nothing was written since, but the problem is said to be over");
    fs::remove_file(&gateway.recordings).unwrap();
    fs::create_dir(&gateway.recordings).unwrap();
    call();
    finished_journals(&gateway.recordings, 1);
    // Without a call too: the disk is tried while it fails.
    assert!(until(LIMIT, || recording_problem(&home, &gateway).is_empty()), "the problem is never said to be over");
    let said = gateway.stop().exits(0).stderr;
    let count = |word: &str| said.matches(word).count();
    assert_eq!((count("recording.failed"), count("recording.resumed")), (1, 1), "{said}");
}

// The monitor without a screen

#[test]
fn the_monitor_prints_a_journal_and_a_gateway_once() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    home.dial(&gateway.target(), &["--silence", "--hangup-after", "300ms"]).exits(0);
    let journal = finished_journals(&gateway.recordings, 1).remove(0);
    let call = journal.records[0]["call"].as_str().unwrap().to_owned();
    for target in [gateway.api.as_str(), journal.folder.to_str().unwrap()] {
        let table = home.run(&["monitor", target, "--once"]).exits(0).stdout;
        assert!(table.contains(&call) && table.contains("echo:live"), "{table}");
        let snapshot = home.run(&["monitor", target, "--once", "-o", "json"]).exits(0).json();
        assert_eq!(snapshot["schema"], "voxgw.snapshot/1");
        assert_eq!(snapshot["sessions"][0]["state"], "ended");
        let none = home.run(&["monitor", target, "--once", "-o", "json", "--filter", "state:up"]).exits(0).json();
        assert_eq!(none["sessions"].as_array().map(Vec::len), Some(0), "{none}");
    }
    let once = |more: &[&str]| home.run(&[&["monitor", "--demo"], more].concat());
    let lines = |text: &str| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
    let all = lines(&once(&["--once", "-o", "jsonl"]).exits(0).stdout);
    assert!(all.len() > 3 && all.iter().all(|session| session["header"]["call"].is_string()));
    let first = all[0]["header"]["call"].as_str().unwrap();
    let one = lines(&once(&["--once", "-o", "jsonl", "--call", first]).exits(0).stdout);
    assert_eq!(one, all[..1]);
    assert_eq!(once(&["--once", "-o", "csv", "--call", first]).exits(0).stdout.lines().count(), 2);
    assert!(once(&["--once", "--call", first]).exits(0).stdout.contains(first));
    once(&["--once", "--call", "c-00000000"]).exits(2).complains();
    let watched = lines(&once(&["--watch", "-o", "jsonl", "--call", first]).exits(0).stdout);
    assert_eq!((watched.len(), &watched[0]["type"]), (1, &json!("snapshot")));
    assert_eq!(watched[0]["sessions"].as_array().map(Vec::len), Some(1));
    let journal = journal.folder.to_str().unwrap();
    let watched = lines(&home.run(&["monitor", journal, "--watch", "-o", "jsonl"]).exits(0).stdout);
    assert_eq!(watched[0]["sessions"][0]["header"]["call"], call.as_str());
    home.file("garbage.jsonl", b"\xff\xfe\x00garbage");
    home.file("words.jsonl", "one\ntwo\n");
    for name in ["garbage.jsonl", "words.jsonl"] {
        home.run(&["monitor", name, "--once"]).exits(2).complains().says(&[name]);
    }
    home.run(&["monitor", "unix:/nowhere/voxgw.sock", "--once"]).exits(3).complains();
    home.run(&["monitor", "nowhere.jsonl", "--once"]).exits(7).complains();
    home.run(&["monitor", "--demo", "--once", "--filter", "mos<"]).exits(2).complains();
}

#[test]
fn secrets_are_not_shown() {
    let home = Home::new();
    home.file(
        "voxgw.toml",
        "[users.alice]\npassword = 'rabbit-hole'\n[trunks.t]\nserver = 'sip:h'\npassword = 'tea-party'\n",
    );
    for arguments in
        [&["config", "show"][..], &["config", "show", "users.alice.password"], &["config", "show", "--changed"]]
    {
        let shown = home.run(arguments).exits(0).stdout;
        assert!(shown.contains("(secret)"), "{shown}");
        assert!(!shown.contains("rabbit-hole") && !shown.contains("tea-party"), "{shown}");
    }
    home.file("voxgw.toml", "[users.alice]\nha1 = 'rabbit-hole'\n");
    let wrong = home.run(&["config", "check"]).exits(2);
    assert!(!wrong.stderr.contains("rabbit-hole"), "{}", wrong.stderr);
}
