//! baresip as a user of the gateway's own registrar: it registers with a password, calls, and is called by its name.

use crate::{
    audio::{Law, assert_heard, voice},
    baresip::Baresip,
    gateway::{Gateway, Settings},
    process::wait_until,
};
use serde_json::json;
use std::time::Duration;

/// Of the only user.
const PASSWORD: &str = "rabbit-hole";

/// A gateway that challenges everybody and knows one user. baresip 1.0 gives up where any challenge is not MD5, so
/// only that hash of the password is known.
fn gateway() -> (Gateway, Settings) {
    let settings = Settings::of_alice("sip.authenticate = 'all'");
    (Gateway::start_configured("echo:live", &settings.path()), settings)
}

fn assert_registers(gateway: &Gateway, phone: &Baresip) {
    let api = gateway.api();
    let registered = wait_until(Duration::from_secs(10), || !api.contacts("alice").is_empty());
    assert!(registered, "it never registers\n{}\n{}", phone.report(), gateway.report());
}

#[test]
#[ignore = "needs baresip"]
fn a_registered_baresip_calls_and_hears_its_echo() {
    let said = voice(5, 19);
    let (mut gateway, _settings) = gateway();
    let mut phone = Baresip::registered_calling(gateway.sip, "alice", PASSWORD, &said, Law::Mu, 9);
    assert_registers(&gateway, &phone);
    phone.wait(Duration::from_secs(20));
    let call = gateway.only_call();
    call.assert_ended_well(Law::Mu.name());
    let (caller, agent) = call.voices();
    assert_heard("caller in call.wav", &said, &caller);
    assert_heard("agent in call.wav", &said, &agent);
    assert_heard("sound at baresip", &said, &phone.heard());
    // a phone that goes takes its binding with it
    assert!(gateway.api().contacts("alice").is_empty(), "{}", phone.report());
    gateway.stop();
}

#[test]
#[ignore = "needs baresip"]
fn a_registered_baresip_is_called_by_its_name_and_hears_its_echo() {
    let said = voice(5, 20);
    let (mut gateway, _settings) = gateway();
    let mut phone = Baresip::registered(gateway.sip, "alice", PASSWORD, &said, Law::A);
    assert_registers(&gateway, &phone);
    let api = gateway.api();
    let (status, document) = api.post("/v1/calls", &json!({"to": "alice", "agent": "echo:live"}));
    assert_eq!(status, 201, "{document}");
    let call = api.wait_for_call("up");
    assert_eq!(document["call"], json!(call));
    std::thread::sleep(Duration::from_secs(7));
    let (status, document) = api.post(&format!("/v1/sessions/{call}/hangup"), &json!({"reason": "it was said"}));
    assert_eq!(status, 202, "{document}");
    let call = gateway.only_call();
    phone.stop();
    gateway.stop();
    let (_, heard) = call.voices();
    assert_heard("the phone in call.wav", &said, &heard);
    assert_heard("sound at baresip", &said, &phone.heard());
}

#[test]
#[ignore = "needs baresip"]
fn a_baresip_with_a_wrong_password_is_not_registered() {
    let (mut gateway, _settings) = gateway();
    let _phone = Baresip::registered(gateway.sip, "alice", "looking-glass", &voice(1, 21), Law::Mu);
    let refused = wait_until(Duration::from_secs(10), || gateway.report().contains("wrong_password"));
    assert!(refused, "{}", gateway.report());
    assert!(gateway.api().contacts("alice").is_empty());
    gateway.stop();
}
