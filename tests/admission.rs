//! Who gets a place, over real sockets: strangers that would take all of them, and calls of ours that would cost too much.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/party.rs"]
mod party;
#[path = "support/program.rs"]
mod program;

use party::Party;
use program::{Gateway, Home, LIMIT, finished_journals, until};
use serde_json::json;
use std::time::Duration;

/// Payload types of PCMU.
const SOUND: &[u8] = &[0];

fn serve(home: &Home, config: &str) -> Gateway {
    home.file("voxgw.toml", config);
    home.serve("echo:live", &[])
}

/// Calls, and never acknowledges what is answered; the status.
fn half_a_call(party: &Party, gateway: &Gateway) -> u16 {
    let invite = party.invite("anybody", gateway.udp, &[], SOUND);
    let mut status = 0;
    until(LIMIT, || {
        while let Some(voxgw::sip::message::Message::Response(response)) = party.next(Duration::from_millis(200)) {
            if response.headers.call_id() == invite.headers.call_id() && response.status >= 200 {
                let retry = response.headers.first("Retry-After").is_some();
                assert_eq!(retry, response.status == 503, "{response:?}");
                status = response.status;
            }
        }
        status > 0
    });
    status
}

#[test]
fn one_stranger_that_never_acknowledges_leaves_room_for_others() {
    let home = Home::new();
    let gateway = serve(&home, "[sip.limits]\ntrusted = ['127.0.0.9']\ncalls_per_source = 3\n");
    let (one, other, proxy) = (Party::at("127.0.0.2"), Party::at("127.0.0.3"), Party::at("127.0.0.9"));
    let statuses: Vec<u16> = (0..5).map(|_| half_a_call(&one, &gateway)).collect();
    assert_eq!(statuses, [200, 200, 200, 503, 503]);
    assert_eq!(half_a_call(&other, &gateway), 200);
    let proxied: Vec<u16> = (0..5).map(|_| half_a_call(&proxy, &gateway)).collect();
    assert_eq!(proxied, [200; 5], "a proxy that we trust");
    let (_, health) = gateway.ask("GET /v1/health", "");
    assert_eq!(health["refused_by"]["sip.limits.calls_per_source"], json!(2), "{health}");
    let log = gateway.running.stderr();
    assert!(log.contains("sip.limits.trusted"), "the way out is in the log: {log}");
}

#[test]
fn strangers_never_fill_the_gateway() {
    let home = Home::new();
    let config = "[gateway]\nmax_calls = 4\nreserved_percent = 50\n[sip.limits]\ntrusted = []\n\
                  [trunks.carrier]\nserver = 'sip:127.0.0.5'\nping = '0s'\n";
    let gateway = serve(&home, config);
    let strangers = ["127.0.0.2", "127.0.0.3", "127.0.0.4"].map(Party::at);
    let statuses = strangers.each_ref().map(|party| half_a_call(party, &gateway));
    assert_eq!(statuses, [200, 200, 503]);
    let trunk = Party::at("127.0.0.5");
    let statuses = [(); 3].map(|()| half_a_call(&trunk, &gateway));
    assert_eq!(statuses, [200, 200, 503], "all four places are taken");
    let (_, health) = gateway.ask("GET /v1/health", "");
    let by = &health["refused_by"];
    assert_eq!((&by["gateway.reserved_percent"], &by["gateway.max_calls"]), (&json!(1), &json!(1)), "{health}");
}

#[test]
fn a_call_whose_next_minute_is_one_too_many_ends() {
    let home = Home::new();
    let gateway = serve(&home, "[outbound]\nminutes_per_day = 1\n");
    let callees = [Party::new(), Party::new()];
    let invites = callees.each_ref().map(|callee| {
        let body = json!({ "to": format!("sip:{}", callee.address) }).to_string();
        let (status, document) = gateway.ask("POST /v1/calls", &body);
        assert_eq!(status, 201, "{document}");
        callee.request("INVITE")
    });
    let [first, second] = &callees;
    let talk = first.take(&invites[0], &[], SOUND);
    // It rang while nobody talked; now the day's only minute is the first call's.
    second.take(&invites[1], &[], SOUND);
    second.answer(&second.request("BYE"), 200, &[], None);
    assert!(!first.hears("BYE", Duration::from_millis(500)), "its minute goes on");
    let (status, document) = gateway.ask("POST /v1/calls", &json!({ "to": "sip:127.0.0.1:9" }).to_string());
    assert!(status >= 400 && document.to_string().contains("outbound.minutes_per_day"), "{status} {document}");
    first.hang_up(talk);
    let reasons: Vec<String> = finished_journals(&gateway.recordings, 2)
        .iter()
        .map(|journal| journal.summary()["reason"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(reasons.iter().any(|reason| reason.contains("outbound.minutes_per_day")), "{reasons:?}");
    gateway.stop().exits(0);
}
