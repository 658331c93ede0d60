//! Kamailio as the provider upstream that we register at, and as the proxy between us and telephones.

use crate::{
    audio::{Law, assert_heard, voice},
    baresip::Baresip,
    gateway::{Gateway, Settings},
    process::{Running, free_ports, own, text_of, wait_for_udp, wait_until},
    sipp::Sipp,
};
use serde_json::json;
use std::{fs, path::Path, process::Command, thread, time::Duration};
use tempfile::TempDir;

/// What Kamailio wants to hear from the trunk.
const PASSWORD: &str = "a-plain-password";

/// A running Kamailio.
pub struct Kamailio {
    running: Running,
    _folder: TempDir,
}

impl Kamailio {
    /// On a port, before a gateway.
    pub fn start(port: u16, gateway: u16) -> Self {
        Self::with_config(port, "kamailio/upstream.cfg", |text, _| {
            text.replace("@GATEWAY@", &format!("127.0.0.1:{gateway}"))
                .replace("@GATEWAY_PORT@", &gateway.to_string())
                .replace("@PASSWORD@", PASSWORD)
        })
    }

    /// On a port, with a config of ours whose words in @…@ `fill` replaces; it is told the folder that Kamailio runs in.
    pub fn with_config(port: u16, config: &str, fill: impl FnOnce(String, &Path) -> String) -> Self {
        let folder = TempDir::with_prefix("voxgw-kamailio-").expect("a temporary folder");
        let text = fill(text_of(&own(config)).replace("@SIP@", &port.to_string()), folder.path());
        let file = folder.path().join("kamailio.cfg");
        fs::write(&file, text).expect("the config can be written");
        let mut command = Command::new("kamailio");
        // in the foreground, with little memory, its pid and sockets in the folder
        command.arg("-f").arg(&file).args(["-DD", "-E", "-m", "32", "-M", "8"]);
        command.arg("-P").arg(folder.path().join("pid")).arg("-Y").arg(folder.path());
        let mut running = Running::start("kamailio", &mut command, folder.path());
        wait_for_udp(port, &mut running);
        Self { running, _folder: folder }
    }
}

/// A gateway with a trunk that registers at a port.
fn gateway_with_trunk(upstream: u16, password: &str) -> (Gateway, Settings) {
    let settings = Settings::new(&format!(
        "registrar.file = ''\n[trunks.carrier]\nserver = 'sip:127.0.0.1:{upstream}'\nuser = 'trunk'\n\
         password = '{password}'\nregister = true\nexpires = '10m'\nping = '1s'\n"
    ));
    (Gateway::start_configured("echo:live", &settings.path()), settings)
}

#[test]
#[ignore = "needs kamailio, sipp"]
fn a_trunk_registers_at_kamailio_and_is_called_by_its_number() {
    let upstream = free_ports(2);
    let kamailio = Kamailio::start(upstream, upstream);
    let (mut gateway, _settings) = gateway_with_trunk(upstream, PASSWORD);
    let trunk = gateway.api().wait_for_trunk("carrier", "up");
    // Kamailio cuts ten minutes to two
    let left = trunk["registered_for_s"].as_u64().expect("it is registered");
    assert!((100..=120).contains(&left), "{trunk}");
    let pinged = wait_until(Duration::from_secs(5), || gateway.api().trunk("carrier")["ping_ms"].is_number());
    assert!(pinged, "{}", gateway.api().trunk("carrier"));
    let sipp = Sipp::caller("timer", &format!("127.0.0.1:{upstream}")).with(&["-s", "trunk", "-d", "1000"]);
    let sipp = sipp.run();
    assert!(sipp.messages().contains("Record-Route:"), "Kamailio stays in the way\n{}", sipp.report());
    assert_eq!(gateway.only_call().summary().expect("it is over")["ended_by"], "caller");
    gateway.stop();
    // a gateway that goes takes its registration back
    let mut late = Sipp::caller("uac_call", &format!("127.0.0.1:{upstream}")).with(&["-s", "trunk"]).start();
    late.assert_fails();
    assert_eq!(
        late.received("SIP/2.0 404 Not registered", "1 INVITE"),
        1,
        "{}\n{}",
        late.report(),
        kamailio.running.report()
    );
}

#[test]
#[ignore = "needs kamailio"]
fn a_trunk_with_a_wrong_password_is_down() {
    let upstream = free_ports(2);
    let _kamailio = Kamailio::start(upstream, upstream);
    let (mut gateway, _settings) = gateway_with_trunk(upstream, "another-password");
    let trunk = gateway.api().wait_for_trunk("carrier", "down");
    assert_eq!(trunk["status"], 401, "{trunk}");
    gateway.stop();
}

#[test]
#[ignore = "needs kamailio"]
fn a_trunk_without_an_upstream_comes_up_with_it() {
    let upstream = free_ports(2);
    let (mut gateway, _settings) = gateway_with_trunk(upstream, PASSWORD);
    thread::sleep(Duration::from_secs(1));
    let _kamailio = Kamailio::start(upstream, upstream);
    gateway.api().wait_for_trunk("carrier", "up");
    gateway.stop();
}

#[test]
#[ignore = "needs kamailio, sipp"]
fn a_call_through_kamailio_holds_resumes_and_ends() {
    let upstream = free_ports(2);
    let mut gateway = Gateway::start("echo:live");
    let _kamailio = Kamailio::start(upstream, gateway.sip);
    let sipp = Sipp::caller("hold", &format!("127.0.0.1:{upstream}")).run();
    assert!(sipp.messages().contains("Record-Route:"), "{}", sipp.report());
    let call = gateway.only_call();
    assert!(call.states().contains(&"held"), "{:?}", call.states());
    gateway.stop();
}

#[test]
#[ignore = "needs kamailio, baresip"]
fn a_baresip_behind_kamailio_registers_with_path_and_is_called_through_it() {
    let said = voice(5, 22);
    let upstream = free_ports(2);
    let settings = Settings::of_alice("");
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let kamailio = Kamailio::start(upstream, gateway.sip);
    let mut phone = Baresip::registered(upstream, "alice", "rabbit-hole", &said, Law::Mu);
    let api = gateway.api();
    let registered = wait_until(Duration::from_secs(10), || !api.contacts("alice").is_empty());
    assert!(registered, "{}\n{}", phone.report(), kamailio.running.report());
    let (status, document) = api.post("/v1/calls", &json!({"to": "alice"}));
    assert_eq!(status, 201, "{document}");
    let call = api.wait_for_call("up");
    thread::sleep(Duration::from_secs(7));
    let (status, document) = api.post(&format!("/v1/sessions/{call}/hangup"), &json!({"reason": "it was said"}));
    assert_eq!(status, 202, "{document}");
    let call = gateway.only_call();
    phone.stop();
    gateway.stop();
    let proxy = format!("127.0.0.1:{upstream}");
    assert!(call.of_kind("sip").all(|message| message["peer"] == proxy.as_str()), "all of it passed Kamailio");
    assert_heard("sound at baresip", &said, &phone.heard());
}
