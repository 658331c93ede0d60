//! `SIPp` registers, is called by its name, proves who it is when it calls, and writes texts.

use crate::{
    gateway::{Call, Gateway, Settings},
    process::{free_ports, wait_until},
    sipp::Sipp,
};
use serde_json::json;
use std::time::Duration;

/// The right one.
const PASSWORD: &str = "rabbit-hole";

/// Runs a scenario as alice with a Contact and a wish for its life.
fn register(gateway: &Gateway, scenario: &str, password: &str, contact: &str, expires: &str) -> Sipp {
    Sipp::caller(scenario, &gateway.target())
        .credentials("alice", password)
        .key("contact", contact)
        .key("expires", expires)
        .run()
}

#[test]
#[ignore = "needs sipp"]
fn without_users_register_is_refused_with_403() {
    let mut gateway = Gateway::start("echo:live");
    let mut sipp = Sipp::caller("register", &gateway.target()).key("contact", "<sip:a@127.0.0.1>").key("expires", "60");
    sipp = sipp.start();
    sipp.assert_fails();
    assert_eq!(sipp.received("SIP/2.0 403", "1 REGISTER"), 1, "{}", sipp.report());
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_binding_is_made_refreshed_and_taken_back() {
    let settings = Settings::of_alice("");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let api = gateway.api();
    let (first, second) = ("<sip:alice@127.0.0.1:40001>", "<sip:alice@127.0.0.1:40002>");
    let made = register(&gateway, "register", PASSWORD, first, "120");
    assert!(made.messages().contains("expires=120"), "{}", made.report());
    assert_eq!(api.contacts("alice"), ["sip:alice@127.0.0.1:40001"]);
    let refreshed = register(&gateway, "register", PASSWORD, first, "300");
    assert!(refreshed.messages().contains("expires=300"), "{}", refreshed.report());
    assert_eq!(api.contacts("alice").len(), 1, "a refresh makes no second binding");
    register(&gateway, "register", PASSWORD, second, "120");
    assert_eq!(api.contacts("alice").len(), 2);
    register(&gateway, "unregister", PASSWORD, "*", "0");
    assert_eq!(api.contacts("alice"), Vec::<String>::new());
    register(&gateway, "register", PASSWORD, first, "120");
    register(&gateway, "unregister", PASSWORD, first, "0");
    assert_eq!(api.contacts("alice"), Vec::<String>::new());
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_wrong_password_binds_nothing() {
    let settings = Settings::of_alice("");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    register(&gateway, "register_refused", "looking-glass", "<sip:alice@127.0.0.1:40001>", "120");
    assert_eq!(gateway.api().contacts("alice"), Vec::<String>::new());
    assert!(gateway.report().contains("wrong_password"), "the log tells of it\n{}", gateway.report());
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn five_seconds_are_too_brief() {
    let settings = Settings::of_alice("");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    register(&gateway, "register_brief", PASSWORD, "<sip:alice@127.0.0.1:40001>", "5");
    assert_eq!(gateway.api().contacts("alice"), Vec::<String>::new());
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_binding_runs_out_and_is_gone() {
    let settings = Settings::of_alice("registrar.expires_min = '1s'");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    register(&gateway, "register", PASSWORD, "<sip:alice@127.0.0.1:40001>", "2");
    let api = gateway.api();
    assert_eq!(api.contacts("alice").len(), 1);
    assert!(wait_until(Duration::from_secs(5), || api.contacts("alice").is_empty()), "it is still there");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_registered_phone_is_called_by_its_name_even_after_a_restart() {
    let settings = Settings::of_alice("");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let mut phone = Sipp::called("uas_hangup").talking_for(1);
    let contact = format!("<sip:alice@127.0.0.1:{}>", phone.port);
    register(&gateway, "register", PASSWORD, &contact, "120");
    gateway.restart();
    assert_eq!(gateway.api().contacts("alice").len(), 1, "the binding is kept");
    phone = phone.listen();
    let (status, document) = gateway.api().post("/v1/calls", &json!({"to": "alice"}));
    assert_eq!(status, 201, "{document}");
    phone.assert_succeeds();
    assert!(phone.messages().contains(&format!("INVITE sip:alice@127.0.0.1:{}", phone.port)), "{}", phone.report());
    let call = gateway.only_call();
    let summary = call.summary().expect("it is over");
    assert_eq!((&summary["status"], &summary["ended_by"]), (&json!(200), &json!("callee")), "{summary}");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_user_without_a_phone_cannot_be_called() {
    let settings = Settings::of_alice("");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let (status, document) = gateway.api().post("/v1/calls", &json!({"to": "alice"}));
    assert_eq!(status, 502, "{document}");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_call_is_challenged_and_taken_with_the_right_digest() {
    let settings = Settings::of_alice("sip.authenticate = 'all'");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    // SIPp leaves the user out of the digest's URI by itself, which is another URI than the request's
    let uri = format!("alice@{}", gateway.target());
    let caller = |scenario, password| {
        Sipp::caller(scenario, &gateway.target()).credentials("alice", password).with(&["-auth_uri", &uri])
    };
    caller("uac_unauthorized", "looking-glass").run();
    let refused = gateway.only_call();
    let summary = refused.summary().expect("it is over");
    let wrong = (json!(401), json!("refused by password: 401 Unauthorized"));
    assert_eq!((&summary["status"], &summary["reason"]), (&wrong.0, &wrong.1), "a wrong password makes no call");
    caller("uac_authorized", PASSWORD).talking_for(1).run();
    let ended_by = |call: &Call| call.summary().expect("it is over")["ended_by"].clone();
    assert_eq!(gateway.calls(2).iter().map(ended_by).collect::<Vec<_>>(), ["us", "caller"]);
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn a_text_is_taken_and_told_to_the_event_stream() {
    let mut gateway = Gateway::start("echo:live");
    let events = gateway.api().events();
    Sipp::caller("message", &gateway.target()).run();
    let item = events.wait_for(|item| item["type"] == "text");
    // SIPp ends every body with a line break
    assert_eq!(item["text"].as_str().map(str::trim_end), Some("Good morning, gateway"), "{item}");
    assert_eq!((&item["from"], &item["to"]), (&json!("sipp"), &json!("echo")), "{item}");
    assert_eq!(item["content_type"], "text/plain", "{item}");
    gateway.stop();
}

#[test]
#[ignore = "needs sipp"]
fn texts_of_ours_are_delivered_or_not() {
    let mut gateway = Gateway::start("echo:live");
    let api = gateway.api();
    for (refuse, code, delivered) in [("no", 200, true), ("yes", 502, false)] {
        let mut phone = Sipp::called("uas_message").key("refuse", refuse).listen();
        let text = json!({
            "to": format!("sip:bob@127.0.0.1:{}", phone.port),
            "from": "sip:desk@example.org",
            "text": "Good morning, telephone",
        });
        let (answer, document) = api.post("/v1/messages", &text);
        assert_eq!((answer, &document["delivered"]), (code, &json!(delivered)), "{document}");
        phone.assert_succeeds();
    }
    let no_answer = |port: u16, status: u16| {
        let to = format!("sip:bob@127.0.0.1:{port}");
        let (answer, document) = api.post("/v1/messages", &json!({"to": to, "from": "sip:a@b.invalid", "text": "?"}));
        assert_eq!((answer, &document["status"]), (502, &json!(status)), "{document}");
    };
    // the system says at once that nobody has this port open: as if answered 503 (RFC 3261 §8.1.3.1)
    no_answer(free_ports(2), 503);
    // somebody has it and keeps silent: 64·T1, then as if answered 408
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    no_answer(silent.local_addr().unwrap().port(), 408);
    gateway.stop();
}
