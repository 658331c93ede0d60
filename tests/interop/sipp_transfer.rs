//! Transfers: `SIPp` sends us to another `SIPp`, and we send it elsewhere.

use crate::{
    audio::{Law, assert_heard, voice},
    capture::{self, Capture, Packet},
    gateway::Gateway,
    process::wait_until,
    sipp::Sipp,
};
use serde_json::json;
use std::{fs, time::Duration};
use tempfile::TempDir;

/// A gateway that lets callers without a password send it elsewhere.
fn obliging() -> (Gateway, TempDir) {
    let folder = TempDir::with_prefix("voxgw-transfers-").expect("a temporary folder");
    let config = folder.path().join("voxgw.toml");
    fs::write(&config, "[outbound]\ntransfers = \"all\"\n").expect("a config can be written");
    (Gateway::start_configured("echo:live", &config), folder)
}

/// A phone that answers, says something, and hangs up after some seconds.
pub fn speaking(said: &[f32], seconds: u32) -> Sipp {
    let phone = Sipp::called("uas_stream").talking_for(seconds);
    fs::write(phone.folder().join("audio.raw"), Law::Mu.encode(said)).expect("the payload can be written");
    phone.listen()
}

/// A caller sends us to a phone that speaks; the session, with its echo, goes on there.
fn transferred(scenario: &str) {
    let said = voice(4, 18);
    let (mut gateway, _config) = obliging();
    let mut phone = speaking(&said, 6);
    let capture = Capture::of_port(phone.media);
    let target = format!("sip:carol@127.0.0.1:{}", phone.port);
    let caller = Sipp::caller(scenario, &gateway.target()).tolerant().key("target", &target).run();
    phone.assert_succeeds();
    let returned: Vec<Packet> =
        capture.finish().into_iter().filter(|packet| packet.destination == phone.media).collect();
    assert_heard("the echo at the new phone", &said, &capture::sound_of(&returned, Law::Mu));
    assert!(phone.messages().contains("INVITE sip:carol@"), "{}", phone.report());
    let call = gateway.only_call();
    let summary = call.summary().expect("it is over");
    assert_eq!((&summary["status"], &summary["sip"]), (&json!(200), &json!("pass")), "{summary}\n{}", caller.report());
    assert!(call.notes().contains("transfer"), "the journal tells of it: {}", call.notes());
    gateway.stop();
}

#[test]
#[ignore = "needs sipp, dumpcap, root"]
fn a_caller_sends_us_to_another_phone_and_the_session_goes_on_there() {
    transferred("refer");
}

#[test]
#[ignore = "needs sipp, dumpcap, root"]
fn a_caller_that_hangs_up_right_after_its_refer_is_transferred_all_the_same() {
    transferred("refer_leaving");
}

#[test]
#[ignore = "needs sipp"]
fn a_refer_to_with_replaces_makes_us_take_that_place() {
    let (mut gateway, _config) = obliging();
    let mut phone = speaking(&voice(1, 19), 3);
    let target = format!("sip:carol@127.0.0.1:{}?Replaces=abc%40there%3Bto-tag%3D11%3Bfrom-tag%3D22", phone.port);
    Sipp::caller("refer", &gateway.target()).tolerant().key("target", &target).run();
    phone.assert_succeeds();
    let messages = phone.messages();
    assert!(messages.contains("Replaces: abc@there;to-tag=11;from-tag=22"), "{}", phone.report());
    gateway.only_call();
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn sent_to_a_busy_phone_we_say_so_and_the_call_goes_on() {
    let (mut gateway, _config) = obliging();
    let mut busy = Sipp::called("uas_busy").listen();
    let target = format!("sip:carol@127.0.0.1:{}", busy.port);
    Sipp::caller("refer_busy", &gateway.target()).key("target", &target).run();
    busy.assert_succeeds();
    let call = gateway.only_call();
    assert_eq!(call.summary().expect("it is over")["ended_by"], "caller");
    assert!(call.notes().contains("the transfer failed with 486"), "{}", call.notes());
    gateway.stop();
}

/// We send the caller elsewhere by API; gives who ended the call, and its notes.
fn transfers(scenario: &str) -> (String, String) {
    let mut gateway = Gateway::start("echo:live");
    let api = gateway.api();
    let mut sipp = Sipp::caller(scenario, &gateway.target()).start();
    let call = api.wait_for_call("up");
    // the transfer needs the ACK, which follows the answer
    assert!(wait_until(Duration::from_secs(5), || sipp.messages().contains("ACK sip:")), "{}", sipp.report());
    let (status, document) = api.post(&format!("/v1/sessions/{call}/transfer"), &json!({"to": "sip:carol@127.0.0.1"}));
    assert_eq!(status, 202, "{document}");
    sipp.assert_succeeds();
    let call = gateway.only_call();
    gateway.stop();
    let ended_by = call.summary().expect("it is over")["ended_by"].as_str().unwrap_or_default().to_owned();
    (ended_by, call.notes())
}

#[test]
#[ignore = "needs sipp"]
fn we_send_a_caller_elsewhere_and_let_go_once_it_is_there() {
    let (ended_by, notes) = transfers("uac_referred");
    assert_ne!(ended_by, "caller");
    assert!(notes.contains("transfer done: 200"), "{notes}");
}

#[test]
#[ignore = "needs sipp"]
fn we_send_a_caller_to_our_place_in_another_call() {
    let mut gateway = Gateway::start("echo:live");
    let api = gateway.api();
    let mut other = Sipp::caller("uac_call", &gateway.target()).talking_for(5).start();
    let to_call = api.wait_for_call("up");
    let mut caller = Sipp::caller("uac_referred_to_call", &gateway.target()).start();
    let second = || {
        let sessions = api.get("/v1/sessions")["sessions"].as_array().cloned().unwrap_or_default();
        let up = sessions.iter().filter(|session| session["state"] == "up");
        let mut names = up.filter_map(|session| session["header"]["call"].as_str().map(str::to_owned));
        names.find(|name| *name != to_call)
    };
    let acknowledged = || second().is_some() && caller.messages().contains("ACK sip:");
    assert!(wait_until(Duration::from_secs(5), acknowledged), "{}", caller.report());
    let call = second().expect("it is up");
    let (status, document) = api.post(&format!("/v1/sessions/{call}/transfer"), &json!({"to_call": to_call}));
    assert_eq!(status, 202, "{document}");
    caller.assert_succeeds();
    other.assert_succeeds();
    let done = gateway.calls(2).iter().filter(|call| call.notes().contains("transfer done: 200")).count();
    assert_eq!(done, 1, "{}", caller.report());
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn we_send_a_caller_to_a_busy_phone_and_the_call_goes_on() {
    let (ended_by, notes) = transfers("uac_referred_busy");
    assert_eq!(ended_by, "caller");
    assert!(notes.contains("the call goes on: 486"), "{notes}");
}

#[test]
#[ignore = "needs sipp"]
fn a_caller_that_does_not_let_itself_be_sent_stays() {
    let (ended_by, notes) = transfers("uac_referred_not");
    assert_eq!(ended_by, "caller");
    assert!(notes.contains("the call goes on: 603"), "{notes}");
}
