//! `voxgw dial` calls `SIPp`: sound both ways, a busy phone, one that nobody answers, one that hangs up, no phone.

use crate::{
    audio::{Law, assert_heard, padded, voice},
    gateway::Dial,
    process::free_ports,
    sipp::Sipp,
};
use serde_json::Value;
use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

/// No dial takes longer.
const LIMIT: Duration = Duration::from_secs(40);
/// Ends a call when both have been silent.
const AFTER_SILENCE: &[&str] = &["--hangup-after", "silence:2s", "--max", "20s"];
/// Exit code: the peer could not be reached.
/// Exit code of a call without sound from the far end.
const NO_MEDIA: i32 = 6;
const UNREACHABLE: i32 = 3;
/// Exit code: the peer said no.
const REFUSED: i32 = 4;

/// Whether a JSON document has a key with a value, at any depth.
fn holds(document: &Value, key: &str, value: &str) -> bool {
    match document {
        Value::Object(fields) => {
            fields.get(key).is_some_and(|found| found == value) || fields.values().any(|inner| holds(inner, key, value))
        }
        Value::Array(items) => items.iter().any(|inner| holds(inner, key, value)),
        _ => false,
    }
}

/// Calls a `SIPp` that echoes RTP, and checks what dial recorded.
fn echo_call(law: Law) {
    let said = voice(4, 3);
    let mut sipp = Sipp::called("uas_echo")
        .with(&["-rtp_echo"])
        .key("law", law.name())
        .key("type", &law.payload_type().to_string())
        .listen();
    let mut dial = Dial::start(sipp.port, &padded(&said, 1), AFTER_SILENCE);
    dial.assert_ends_with(0, LIMIT);
    sipp.assert_succeeds();
    let (sent, heard) = dial.voices();
    assert_heard("what dial sent", &said, &sent);
    let found = assert_heard("what dial heard", &said, &heard);
    assert!(found.delay_ms > -50.0, "the echo is no earlier than the voice: {found:?}");
    let document = dial.document();
    assert!(holds(&document, "sip", "pass"), "{document:#}");
}

#[test]
#[ignore = "needs sipp"]
fn dial_hears_its_echo_in_pcmu() {
    echo_call(Law::Mu);
}

#[test]
#[ignore = "needs sipp"]
fn dial_hears_its_echo_in_pcma() {
    echo_call(Law::A);
}

#[test]
#[ignore = "needs sipp"]
fn a_busy_phone_is_exit_code_four() {
    let mut sipp = Sipp::called("uas_busy").listen();
    let mut dial = Dial::start(sipp.port, &voice(1, 4), AFTER_SILENCE);
    dial.assert_ends_with(REFUSED, LIMIT);
    assert!(dial.report().contains("486"), "dial tells the status\n{}", dial.report());
    sipp.assert_succeeds();
}

#[test]
#[ignore = "needs sipp"]
fn a_phone_that_nobody_answers_is_cancelled_and_exit_code_three() {
    let mut sipp = Sipp::called("uas_silent").listen();
    let mut dial = Dial::start(sipp.port, &voice(1, 5), &["--ring", "2s"]);
    dial.assert_ends_with(UNREACHABLE, LIMIT);
    sipp.assert_succeeds();
}

#[test]
#[ignore = "needs sipp"]
fn a_phone_that_hangs_up_ends_dial() {
    let mut sipp = Sipp::called("uas_hangup").talking_for(2).listen();
    let mut dial = Dial::start(sipp.port, &voice(10, 6), &["--max", "20s"]);
    // This phone never sends sound: the signalling is fine, the media are not.
    dial.assert_ends_with(NO_MEDIA, LIMIT);
    sipp.assert_succeeds();
}

#[test]
#[ignore = "needs sipp"]
fn a_challenge_is_answered_with_the_right_digest() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let password = folder.path().join("password");
    std::fs::write(&password, "a-secret-word\n").expect("the password can be written");
    let mut sipp = Sipp::called("uas_challenge").talking_for(2).listen();
    let flags = ["--max", "20s", "--user", "alice", "--password-file", &password.display().to_string()];
    let mut dial = Dial::start(sipp.port, &voice(10, 9), &flags);
    // sipp goes on only if the digest is right; it sends no sound.
    dial.assert_ends_with(NO_MEDIA, LIMIT);
    sipp.assert_succeeds();
}

#[test]
#[ignore = "needs sipp"]
fn a_closed_port_is_exit_code_three() {
    let port = free_ports(2);
    let begin = Instant::now();
    let mut dial = Dial::start(port, &voice(1, 7), &["--ring", "5s"]);
    dial.assert_ends_with(UNREACHABLE, LIMIT);
    eprintln!("a closed port was noticed after {:?}", begin.elapsed());
}

#[test]
#[ignore = "needs sipp"]
fn a_deaf_port_is_exit_code_three() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("its number").port();
    let mut dial = Dial::start(port, &voice(1, 8), &["--ring", "3s"]);
    dial.assert_ends_with(UNREACHABLE, LIMIT);
}
