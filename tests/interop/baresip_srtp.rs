//! Encrypted calls with baresip, whose SRTP is its own: keys in SDP over TLS, both ways, and no agreement where there
//! must be none.

use crate::{
    audio::{Law, assert_heard, padded, voice},
    baresip::{Baresip, Papers},
    gateway::{Call, Dial, Gateway},
    process::free_ports,
};
use std::time::Duration;

/// What baresip offers first, and what it takes of ours first.
const ITS_FIRST: &str = "AES_CM_128_HMAC_SHA1_80";
const OUR_FIRST: &str = "AEAD_AES_256_GCM";
/// baresip 1.0 sends its first RTCP packet (an APP "PING") and its BYE in the clear; they must not count.
const ITS_PLAIN_RTCP: u64 = 4;

fn assert_encrypted(call: &Call, suite: &str) {
    let mut media = call.of_kind("media").peekable();
    assert!(media.peek().is_some(), "no media");
    assert!(media.all(|media| media["srtp"] == suite), "{suite} throughout");
    let stats = &call.summary().expect("a summary")["stats"]["inbound"];
    assert!(stats["packets"].as_u64() > Some(200), "{stats}");
    let failed = stats["srtp_failed"].as_u64().unwrap_or(0);
    let replayed = stats["srtp_replayed"].as_u64().unwrap_or(0);
    assert!(failed + replayed <= ITS_PLAIN_RTCP, "{stats}");
    for sip in call.of_kind("sip") {
        let text = sip["text"].as_str().unwrap_or_default();
        assert!(!text.contains("inline:") || text.contains("inline:(redacted)"), "a key in the ladder: {text}");
    }
}

/// baresip calls the echo with SRTP.
fn encrypted_echo(policy: &str, encryption: &'static str, seed: u64) {
    let (papers, said, port) = (Papers::new(), voice(5, seed), free_ports(2));
    papers.say(&format!("[media]\nsrtp = '{policy}'\n[recording]\npcap = 'all'"));
    let mut gateway = Gateway::start_secure("echo:live", &papers.config(), port);
    let mut phone = Baresip::calling_encrypted(&papers, port, &said, Law::A, encryption, 9);
    phone.wait(Duration::from_secs(20));
    let call = gateway.only_call();
    call.assert_ended_well(Law::A.name());
    gateway.stop();
    assert_encrypted(&call, ITS_FIRST);
    let (caller, agent) = call.voices();
    assert_heard("caller in call.wav", &said, &caller);
    assert_heard("agent in call.wav", &said, &agent);
    assert_heard("sound at baresip", &said, &phone.heard());
}

#[test]
#[ignore = "needs baresip"]
fn a_voice_of_baresip_comes_back_over_srtp_where_both_must() {
    encrypted_echo("required", ";mediaenc=srtp-mand", 21);
}

#[test]
#[ignore = "needs baresip"]
fn a_voice_of_baresip_comes_back_over_srtp_where_both_may() {
    encrypted_echo("optional", ";mediaenc=srtp", 22);
}

/// dial calls baresip with SRTP, and both talk.
fn encrypted_dial(policy: &str, encryption: &'static str, suites: &str, seed: u64) {
    let (papers, here, there) = (Papers::new(), voice(5, seed), voice(5, seed + 1));
    papers.say(suites);
    let mut phone = Baresip::answering_encrypted(&papers, &there, Law::Mu, encryption);
    let flags = ["--hangup-after", "silence:2s", "--max", "20s", "--srtp", policy, "--journal", "kept"];
    let mut dial = Dial::start_secure(phone.sip + 1, &padded(&here, 1), &papers.config(), &flags);
    dial.assert_ends_with(0, Duration::from_secs(30));
    phone.stop();
    let (sent, received) = dial.voices();
    assert_heard("what dial sent", &here, &sent);
    assert_heard("what dial heard", &there, &received);
    assert_heard("sound at baresip", &here, &phone.heard());
    let call = dial.call();
    assert_encrypted(&call, suites.split('"').nth(1).unwrap_or(OUR_FIRST));
}

#[test]
#[ignore = "needs baresip"]
fn dial_and_baresip_hear_each_other_over_srtp_where_both_must() {
    encrypted_dial("required", ";mediaenc=srtp-mand", "", 23);
}

#[test]
#[ignore = "needs baresip"]
fn dial_and_baresip_hear_each_other_over_srtp_where_both_may() {
    encrypted_dial("optional", ";mediaenc=srtp", "", 25);
}

#[test]
#[ignore = "needs baresip"]
fn dial_and_baresip_hear_each_other_with_the_short_tag() {
    encrypted_dial("required", ";mediaenc=srtp-mand", "[media]\nsrtp_suites = [\"AES_CM_128_HMAC_SHA1_32\"]", 27);
}

#[test]
#[ignore = "needs baresip"]
fn a_baresip_without_srtp_is_refused_where_it_is_required() {
    let (papers, port) = (Papers::new(), free_ports(2));
    papers.say("[media]\nsrtp = 'required'");
    let mut gateway = Gateway::start_secure("echo:live", &papers.config(), port);
    let mut phone = Baresip::calling_encrypted(&papers, port, &voice(2, 29), Law::A, "", 5);
    phone.wait(Duration::from_secs(20));
    let call = gateway.only_call();
    gateway.stop();
    assert!(phone.report().contains("488"), "{}", phone.report());
    let why = "SRTP is required, and no key can be used: there is no a=crypto";
    assert!(call.of_kind("note").any(|note| note["text"].as_str().is_some_and(|text| text.contains(why))));
}
