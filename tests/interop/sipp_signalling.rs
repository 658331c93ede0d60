//! `SIPp` calls: answers to requests of all kinds, hold, CANCEL, loss, late ACK, TCP, Record-Route, drain.

use crate::{
    gateway::{Gateway, Settings},
    process::{self, BadLine},
    sipp::Sipp,
};
use std::{net::TcpListener, thread, time::Duration};

/// Runs one scenario against the echo, and gives the gateway, which must still live.
fn run(scenario: &str, flags: &[&str]) -> Gateway {
    let gateway = Gateway::start("echo:live");
    Sipp::caller(scenario, &gateway.target()).with(flags).run();
    gateway
}

/// Runs a scenario that makes no call.
fn run_without_call(scenario: &str, flags: &[&str]) {
    let mut gateway = run(scenario, flags);
    assert!(gateway.call_folders().len() <= 1, "one request made several calls");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn options_tells_what_is_allowed() {
    run_without_call("options", &[]);
}

#[test]
#[ignore = "needs sipp"]
fn options_works_over_tcp() {
    run_without_call("options", &["-t", "t1"]);
}

#[test]
#[ignore = "needs sipp"]
fn an_unknown_method_is_refused_with_405() {
    run_without_call("unknown_method", &[]);
}

#[test]
#[ignore = "needs sipp"]
fn bye_without_a_dialog_is_refused_with_481() {
    run_without_call("bye_unknown", &[]);
}

#[test]
#[ignore = "needs sipp"]
fn an_offer_without_a_known_codec_is_refused_with_488() {
    run_without_call("no_codec", &[]);
}

#[test]
#[ignore = "needs sipp"]
fn a_call_over_udp_completes() {
    let mut gateway = run("uac_call", &["-d", "1000"]);
    let call = gateway.only_call();
    assert_eq!(call.summary().expect("it is over")["ended_by"], "caller");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_call_over_tcp_completes() {
    let mut gateway = run("uac_call", &["-d", "1000", "-t", "t1"]);
    let call = gateway.only_call();
    assert_eq!(call.summary().expect("it is over")["ended_by"], "caller");
    assert!(call.of_kind("sip").all(|message| message["transport"] == "tcp"), "a message left TCP");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_call_over_ipv6_completes() {
    let port = process::free_ports(2);
    let mut gateway = Gateway::start_with("echo:live", &["--sip", &format!("udp:[::1]:{port}")]);
    let flags = ["-i", "::1", "-mi", "::1", "-d", "1000"];
    Sipp::caller("uac_call", &format!("[::1]:{port}")).with(&flags).run();
    let call = gateway.only_call();
    assert_eq!(call.summary().expect("it is over")["ended_by"], "caller");
    let text = call.of_kind("sip").filter_map(|sip| sip["text"].as_str()).collect::<String>();
    assert!(text.matches("c=IN IP6 ::1").count() >= 2, "both sides' sound is there: {text}");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn hold_and_resume_are_answered_and_written_down() {
    let mut gateway = run("hold", &[]);
    let call = gateway.only_call();
    let states = call.states();
    let held = states.iter().position(|state| *state == "held");
    let resumed = states.iter().rposition(|state| *state == "up");
    assert!(held.is_some() && held < resumed, "held, then up again: {states:?}");
    assert!(call.of_kind("media").any(|change| change["direction"] == "recvonly"), "our direction on hold");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn duplicates_and_a_late_ack_make_one_call() {
    let mut gateway = Gateway::start("echo:live");
    let ended = Sipp::caller("late_ack", &gateway.target()).with(&["-pause_msg_ign"]).run();
    // at once, perhaps for the duplicate, after 0.5 and after 1.5 seconds; the ACK comes before the one at 3.5
    let answers = ended.received("SIP/2.0 200", "1 INVITE");
    assert!((3..=6).contains(&answers), "the 200 was sent {answers} times\n{}", ended.report());
    gateway.only_call();
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn record_route_is_kept_and_followed_by_our_bye() {
    let mut gateway = Gateway::start_with("echo:live", &["--drain", "1s"]);
    let mut sipp = Sipp::caller("record_route", &gateway.target()).start();
    let up = process::wait_until(Duration::from_secs(10), || sipp.messages().contains("ACK sip:"));
    assert!(up, "the call came up\n{}", sipp.report());
    thread::sleep(Duration::from_millis(500));
    gateway.begin_to_stop();
    sipp.assert_succeeds();
    gateway.finish();
}

/// Calls an agent that never comes up, so that the call rings until it is cancelled.
fn cancelled_while_ringing(scenario: &str) {
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let settings = Settings::of_slow_agent(&deaf, "20s");
    let mut gateway = Gateway::start_configured("slow", &settings.path());
    Sipp::caller(scenario, &gateway.target()).tolerant().run();
    let call = gateway.only_call();
    assert_eq!(call.summary().expect("it is over")["status"], 487);
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn cancel_while_ringing_is_answered_with_487() {
    cancelled_while_ringing("cancel");
}

#[test]
#[ignore = "needs sipp"]
fn cancel_right_behind_the_invite_is_answered_with_487() {
    cancelled_while_ringing("cancel_at_once");
}

/// The call is answered 200 ms after the INVITE: whichever comes first, both sides agree on what became of it.
#[test]
#[ignore = "needs sipp"]
fn cancel_that_races_the_answer_leaves_no_call_behind() {
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let settings = Settings::of_slow_agent(&deaf, "200ms");
    let mut gateway = Gateway::start_configured("slow", &settings.path());
    let gaps = [100, 190, 196, 198, 200, 202, 204, 210, 300];
    for milliseconds in gaps {
        let gap = milliseconds.to_string();
        Sipp::caller("cancel_race", &gateway.target()).tolerant().with(&["-d", &gap]).run();
    }
    let calls = gateway.calls(gaps.len());
    let ended_with =
        |status| calls.iter().filter(|call| call.summary().is_some_and(|summary| summary["status"] == status)).count();
    let (cancelled, answered) = (ended_with(487), ended_with(200));
    assert!(cancelled > 0 && answered > 0, "{cancelled} were cancelled, {answered} answered");
    assert_eq!(cancelled + answered, gaps.len());
    gateway.stop();
}

/// Between `SIPp` and the gateway: the first copy of each message is lost, later ones come twice.
#[test]
#[ignore = "needs sipp"]
fn a_call_survives_that_each_message_is_lost_once_and_then_comes_twice() {
    let mut gateway = Gateway::start("echo:live");
    let line = BadLine::towards(gateway.sip);
    let sipp = Sipp::caller("uac_call", &line.target()).with(&["-d", "1000"]).run();
    assert!(sipp.received("SIP/2.0 200", "1 INVITE") >= 2, "nothing came twice\n{}", sipp.report());
    let call = gateway.only_call();
    assert_eq!(call.summary().expect("it is over")["ended_by"], "caller");
    let again = call.of_kind("sip").filter(|message| message["retransmission"] == true).count();
    assert!(again >= 2, "the ladder shows what was repeated: {again}");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn calls_survive_a_sipp_that_loses_a_third_of_its_messages() {
    let mut gateway = Gateway::start("echo:live");
    for _ in 0..3 {
        Sipp::caller("uac_call", &gateway.target()).with(&["-d", "1000", "-lost", "33"]).run();
    }
    gateway.calls(3);
    gateway.stop();
}
