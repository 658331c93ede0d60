//! `SIPp` and dialogs that change: early media both ways, hold from our side, Replaces.

use crate::{
    audio::{Law, assert_heard, tone_share, voice},
    capture::{self, Capture},
    gateway::{Call, Dial, Gateway, Settings},
    process::wait_until,
    sipp::Sipp,
};
use serde_json::{Value, json};
use std::{fs, net::TcpListener, time::Duration};

/// A gateway whose agent never comes up: callers hear our ring tone for a while before they are answered.
fn ringing(deaf: &TcpListener) -> (Gateway, Settings) {
    let settings = Settings::of_slow_agent(deaf, "2s");
    let path = settings.path();
    let text = fs::read_to_string(&path).expect("the config can be read") + "early_media = true\n";
    fs::write(&path, text).expect("the config can be written");
    (Gateway::start_configured("slow", &path), settings)
}

#[test]
#[ignore = "needs sipp, dumpcap, root"]
fn a_caller_hears_our_ring_tone_before_the_answer() {
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (mut gateway, _settings) = ringing(&deaf);
    let sipp = Sipp::caller("early", &gateway.target());
    let capture = Capture::of_port(sipp.media);
    let sipp = sipp.run();
    let heard: Vec<_> = capture.finish().into_iter().filter(|packet| packet.destination == sipp.media).collect();
    let sound = capture::sound_of(&heard, Law::Mu);
    let share = tone_share(&sound[800..7_200], 425.0);
    assert!(share > 0.9, "the ring tone is heard: {share:.2}");
    gateway.only_call();
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_caller_that_supports_100rel_gets_its_description_once_and_may_change_it() {
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (mut gateway, _settings) = ringing(&deaf);
    Sipp::caller("early_reliable", &gateway.target()).run();
    let call = gateway.only_call();
    assert_eq!(call.of_kind("media").filter(|media| media["source"] == "sdp").count(), 2, "INVITE and UPDATE");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn dial_hears_and_records_what_comes_before_the_answer() {
    let said = voice(3, 21);
    let phone = Sipp::called("uas_early").talking_for(4);
    fs::write(phone.folder().join("audio.raw"), Law::Mu.encode(&said)).expect("the payload can be written");
    let mut phone = phone.listen();
    let mut dial = Dial::start(phone.port, &voice(1, 22), &["--max", "20s"]);
    dial.assert_ends_with(0, Duration::from_secs(30));
    phone.assert_succeeds();
    let (_, heard) = dial.voices();
    assert_heard("early media in dial's recording", &said, &heard);
    assert!(dial.document().to_string().contains("\"answered_after_ms\""), "{}", dial.report());
}

/// Holds and resumes a call by the API; gives the call.
fn held(gateway: &Gateway, sipp: &mut Sipp) -> Call {
    let api = gateway.api();
    let call = api.wait_for_call("up");
    assert!(wait_until(Duration::from_secs(5), || sipp.messages().contains("ACK sip:")), "{}", sipp.report());
    let (status, document) = api.post(&format!("/v1/sessions/{call}/hold"), &Value::Null);
    assert_eq!(status, 202, "{document}");
    // after 491 it takes up to two seconds, and a second of music
    let agreed = wait_until(Duration::from_secs(10), || sipp.messages().contains("a=recvonly"));
    assert!(agreed, "{}", sipp.report());
    std::thread::sleep(Duration::from_secs(1));
    let (status, document) = api.post(&format!("/v1/sessions/{call}/resume"), &Value::Null);
    assert_eq!(status, 202, "{document}");
    sipp.assert_succeeds();
    gateway.only_call()
}

#[test]
#[ignore = "needs sipp, dumpcap, root"]
fn a_caller_that_we_hold_hears_music_and_is_taken_back() {
    let mut gateway = Gateway::start("echo:live");
    let mut sipp = Sipp::caller("uac_held", &gateway.target()).start();
    let capture = Capture::of_port(sipp.media);
    let call = held(&gateway, &mut sipp);
    let states = call.states();
    assert_eq!(states, ["offered", "up", "held", "up", "ended"], "{}", call.notes());
    let heard: Vec<_> = capture.finish().into_iter().filter(|packet| packet.destination == sipp.media).collect();
    let sound = capture::sound_of(&heard, Law::Mu);
    assert!(sound.iter().any(|sample| sample.abs() > 0.03), "the tune");
    gateway.stop();
}

/// What a Replaces says of a call that came in: as its far end would be named by others.
fn name_of(session: &Value) -> String {
    let events = session["events"].as_array().cloned().unwrap_or_default();
    let answer = events.iter().find(|event| event["label"] == "200 OK").expect("it was answered");
    let text = answer["text"].as_str().unwrap_or_default();
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)).expect("a response has it").trim().to_owned()
    };
    let tag = |name: &str| field(name).split("tag=").nth(1).expect("a tag").to_owned();
    format!("{};to-tag={};from-tag={}", field("Call-ID:"), tag("To:"), tag("From:"))
}

#[test]
#[ignore = "needs sipp"]
fn a_second_phone_takes_the_place_of_the_first_and_the_conversation_goes_on() {
    let mut gateway = Gateway::start("echo:live");
    let api = gateway.api();
    let mut first = Sipp::caller("uac_replaced", &gateway.target()).start();
    let call = api.wait_for_call("up");
    assert!(wait_until(Duration::from_secs(5), || first.messages().contains("ACK sip:")), "{}", first.report());
    let name = name_of(&api.get(&format!("/v1/sessions/{call}")));
    let second = Sipp::caller("uac_replaces", &gateway.target()).key("replaces", &name).run();
    first.assert_succeeds();
    let only = gateway.only_call();
    assert_eq!(only.summary().expect("it is over")["status"], json!(200), "{}", second.report());
    assert!(only.notes().contains("takes the place of the far end"), "{}", only.notes());
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_place_that_nobody_has_is_not_taken() {
    let mut gateway = Gateway::start("echo:live");
    Sipp::caller("uac_replaces_nobody", &gateway.target()).key("replaces", "nobody;to-tag=1;from-tag=2").run();
    gateway.stop();
}
