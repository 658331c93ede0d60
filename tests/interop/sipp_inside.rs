//! `SIPp` within a call: INFO, UPDATE, re-INVITE without an offer, reliable answers, session timers, redirection.

use crate::{
    audio::voice,
    gateway::{Call, Dial, Gateway, Settings},
    sipp::Sipp,
};
use serde_json::Value;
use std::{net::TcpListener, time::Duration};

/// Exit code of a call without sound from the far end.
const NO_MEDIA: i32 = 6;

/// One call of a scenario to the echo.
fn call(scenario: &str, flags: &[&str]) -> (Call, Gateway) {
    let mut gateway = Gateway::start("echo:live");
    Sipp::caller(scenario, &gateway.target()).with(flags).run();
    let call = gateway.only_call();
    assert_eq!(call.summary().expect("it is over")["ended_by"], "caller");
    gateway.stop();
    (call, gateway)
}

/// Fails unless the call was on hold once and up again after it.
fn assert_held_and_resumed(call: &Call) {
    let states = call.states();
    let held = states.iter().position(|state| *state == "held");
    let resumed = states.iter().rposition(|state| *state == "up");
    assert!(held.is_some() && held < resumed, "held, then up again: {states:?}");
}

#[test]
#[ignore = "needs sipp"]
fn a_digit_in_an_info_counts_once_and_unknown_infos_are_refused() {
    let (call, _gateway) = call("info", &["-pause_msg_ign"]);
    // the echo sends them back, which is not meant here
    let heard: Vec<&Value> = call.of_kind("dtmf").filter(|record| record["direction"] == "in").collect();
    let digits: Vec<&str> = heard.iter().filter_map(|record| record["digit"].as_str()).collect();
    assert_eq!(digits, ["5", "*"], "each digit once");
    assert_eq!(heard[0]["duration_ms"], 250, "{heard:?}");
}

#[test]
#[ignore = "needs sipp"]
fn update_holds_resumes_and_refreshes() {
    assert_held_and_resumed(&call("update", &[]).0);
}

#[test]
#[ignore = "needs sipp"]
fn a_reinvite_without_an_offer_gets_ours_and_its_answer_counts() {
    assert_held_and_resumed(&call("offerless", &[]).0);
}

#[test]
#[ignore = "needs sipp"]
fn a_caller_that_requires_100rel_gets_a_reliable_180() {
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let settings = Settings::of_slow_agent(&deaf, "3s");
    let mut gateway = Gateway::start_configured("slow", &settings.path());
    let sipp = Sipp::caller("prack", &gateway.target()).run();
    let ringing = sipp.received("SIP/2.0 180", "1 INVITE");
    // at once, after 0.5 and after 1.5 seconds; the PRACK comes at 1.7
    assert_eq!(ringing, 3, "the 180 is repeated until PRACK\n{}", sipp.report());
    gateway.only_call();
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn dial_acknowledges_a_reliable_183() {
    let mut sipp = Sipp::called("uas_reliable").talking_for(1).listen();
    let mut dial = Dial::start(sipp.port, &voice(10, 16), &["--max", "20s"]);
    dial.assert_ends_with(NO_MEDIA, Duration::from_secs(30));
    sipp.assert_succeeds();
}

#[test]
#[ignore = "needs sipp"]
fn dial_follows_a_phone_that_moved() {
    let mut there = Sipp::called("uas_hangup").talking_for(1).listen();
    let mut here = Sipp::called("uas_moved").key("target", &format!("sip:elsewhere@127.0.0.1:{}", there.port)).listen();
    let mut dial = Dial::start(here.port, &voice(10, 17), &["--max", "20s"]);
    dial.assert_ends_with(NO_MEDIA, Duration::from_secs(30));
    here.assert_succeeds();
    there.assert_succeeds();
    assert!(there.messages().contains("INVITE sip:elsewhere@"), "{}", there.report());
}

#[test]
#[ignore = "needs sipp"]
fn a_session_timer_is_agreed_to_as_asked() {
    call("timer", &["-d", "500"]);
}

#[test]
#[ignore = "needs sipp"]
fn a_session_timer_that_is_too_short_is_refused_with_422() {
    let mut gateway = Gateway::start("echo:live");
    Sipp::caller("timer_brief", &gateway.target()).run();
    assert!(gateway.call_folders().is_empty(), "it makes no call");
    gateway.stop();
}

/// RFC 4028 allows no interval under 90 s, so this takes a minute: three calls at once, one that dies silently and two
/// that leave the refreshing to us.
#[test]
#[ignore = "needs sipp"]
fn sessions_are_refreshed_by_us_and_ended_if_nobody_refreshes() {
    let settings = Settings::new("media.timeout = '0s'");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let start = |scenario| Sipp::caller(scenario, &gateway.target()).lasting(70).start();
    let mut calls = ["timer_expiry", "timer_refreshed", "timer_reinvited"].map(start);
    for sipp in &mut calls {
        sipp.assert_succeeds();
    }
    let calls = gateway.calls(3);
    let dead = calls.iter().filter(|call| {
        call.summary().is_some_and(|summary| summary.to_string().contains("did not refresh the session within 90 s"))
    });
    assert_eq!(dead.count(), 1, "one call's summary says why it ended");
    gateway.stop();
}
