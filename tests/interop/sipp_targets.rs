//! `SIPp` behind names and trunks: failover from a server that answers 503, calls through a trunk with its password, and
//! whose REFER is followed by default.

use crate::{
    audio::voice,
    dns::Zone,
    gateway::{Dial, Gateway, Settings},
    process::free_ports,
    sipp::Sipp,
    sipp_transfer::speaking,
};
use serde_json::json;
use std::time::Duration;

/// No dial takes longer.
const LIMIT: Duration = Duration::from_secs(40);

#[test]
#[ignore = "needs sipp"]
fn a_server_that_answers_503_is_left_for_the_next() {
    let mut full = Sipp::called("uas_unavailable").listen();
    let mut free = Sipp::called("uas_echo").with(&["-rtp_echo"]).key("law", "PCMU").key("type", "0").listen();
    let zone = Zone::serve(&format!(
        "carrier.test 60 NAPTR 10 10 s SIP+D2U _sip._udp.carrier.test
         _sip._udp.carrier.test 60 SRV 1 0 {} one.carrier.test
         _sip._udp.carrier.test 60 SRV 2 0 {} two.carrier.test
         one.carrier.test 60 A 127.0.0.1
         two.carrier.test 60 A 127.0.0.1",
        full.port, free.port
    ));
    let settings = Settings::new(&zone.config());
    let flags = ["--hangup-after", "silence:2s", "--max", "20s"];
    let mut dial = Dial::start_named("sip:echo@carrier.test", &voice(2, 31), &settings.path(), &flags);
    dial.assert_ends_with(0, LIMIT);
    full.assert_succeeds();
    free.assert_succeeds();
    assert_eq!((full.received("INVITE sip:echo@carrier.test", "1 INVITE"), zone.asked("NAPTR carrier.test")), (1, 1));
}

#[test]
#[ignore = "needs sipp"]
fn a_call_by_api_goes_out_through_a_trunk_with_its_password() {
    let mut carrier = Sipp::called("uas_challenge").talking_for(2).listen();
    let settings = Settings::new(&format!(
        "registrar.file = ''\n[trunks.carrier]\nserver = 'sip:127.0.0.1:{}'\nuser = '493012345'\n\
         domain = 'carrier.example'\nlogin = 'alice'\npassword = 'a-secret-word'\nping = '0s'\n",
        carrier.port
    ));
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let (status, document) = gateway.api().post("/v1/calls", &json!({"to": "+4930999", "trunk": "carrier"}));
    assert_eq!(status, 201, "{document}");
    // SIPp computes the digest itself, and goes on only if ours is the same.
    carrier.assert_succeeds();
    let said = carrier.messages();
    assert!(said.contains(&format!("INVITE sip:+4930999@127.0.0.1:{} ", carrier.port)), "{}", carrier.report());
    assert!(said.contains("From: <sip:493012345@carrier.example>"), "{}", carrier.report());
    assert_eq!(gateway.only_call().summary().expect("it is over")["status"], 200);
    let (status, document) = gateway.api().post("/v1/calls", &json!({"to": "1", "trunk": "nobody"}));
    assert_eq!(status, 400, "{document}");
    gateway.stop();
}

/// A caller that asks for a transfer, to a gateway with this config.
fn refers(config: &str, scenario: &str, target: u16) -> String {
    let settings = Settings::new(config);
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let target = format!("sip:carol@127.0.0.1:{target}");
    Sipp::caller(scenario, &gateway.target()).tolerant().key("target", &target).run();
    let call = gateway.only_call();
    gateway.stop();
    call.notes()
}

#[test]
#[ignore = "needs sipp"]
fn a_strangers_refer_is_refused_and_the_call_goes_on() {
    let notes = refers("registrar.file = ''\n", "refer_refused", free_ports(2));
    assert!(notes.contains("refused by outbound.transfers"), "{notes}");
}

#[test]
#[ignore = "needs sipp, root"]
fn a_trunks_refer_is_followed() {
    let mut phone = speaking(&voice(2, 32), 3);
    let trunk = format!(
        "registrar.file = ''\n[trunks.pbx]\nserver = 'sip:127.0.0.1:{}'\nuser = 'us'\nping = '0s'\n",
        free_ports(2)
    );
    let notes = refers(&trunk, "refer", phone.port);
    phone.assert_succeeds();
    assert!(notes.contains("the far end transfers us to sip:carol@"), "{notes}");
}
