//! Kamailio's dispatcher in front of two gateways: calls are split, and go to the other one when one drains or is gone.

use crate::{
    gateway::Gateway,
    kamailio::Kamailio,
    process::{free_ports, wait_until},
    sipp::Sipp,
};
use std::{fs, thread, time::Duration};

/// Kamailio asks each gateway every second; so long after a change it knows.
const KNOWN_AFTER: Duration = Duration::from_secs(3);

/// Two gateways and the proxy before them, which has heard of both.
fn two_behind_one() -> ([Gateway; 2], Kamailio, String) {
    let gateways = [(); 2].map(|()| Gateway::start("echo:live"));
    let port = free_ports(2);
    let list = gateways.each_ref().map(|gateway| format!("1 sip:127.0.0.1:{} 0 0\n", gateway.sip)).concat();
    let kamailio = Kamailio::with_config(port, "kamailio/dispatcher.cfg", |text, folder| {
        fs::write(folder.join("dispatcher.list"), &list).expect("the list can be written");
        text.replace("@DIR@", &folder.display().to_string())
    });
    thread::sleep(KNOWN_AFTER);
    (gateways, kamailio, format!("127.0.0.1:{port}"))
}

/// One short call through the proxy.
fn call(target: &str) {
    let sipp = Sipp::caller("uac_call", target).with(&["-d", "300"]).run();
    assert!(sipp.messages().contains("Record-Route:"), "Kamailio stays in the way\n{}", sipp.report());
}

#[test]
#[ignore = "needs kamailio, sipp"]
fn calls_are_split_and_a_gateway_that_drains_gets_no_more_while_its_call_goes_on() {
    let ([mut one, mut two], _kamailio, target) = two_behind_one();
    for _ in 0..4 {
        call(&target);
    }
    assert_eq!((one.calls(2).len(), two.calls(2).len()), (2, 2), "two each");
    // A long call, then the gateway that has it drains.
    let mut long = Sipp::caller("uac_call", &target).with(&["-d", "9000"]).start();
    let has_call = |gateway: &Gateway| gateway.call_folders().len() == 3;
    assert!(wait_until(Duration::from_secs(5), || has_call(&one) || has_call(&two)), "{}", long.report());
    let (draining, other) = if has_call(&one) { (&mut one, &mut two) } else { (&mut two, &mut one) };
    draining.begin_to_stop();
    // At once: 503 sends the call on. Later: the ping has told.
    call(&target);
    thread::sleep(KNOWN_AFTER);
    call(&target);
    call(&target);
    long.assert_succeeds();
    draining.finish();
    assert_eq!((draining.calls(3).len(), other.calls(5).len()), (3, 5));
    other.stop();
}

#[test]
#[ignore = "needs kamailio, sipp"]
fn calls_go_to_the_other_gateway_when_one_is_killed() {
    let ([mut one, mut two], _kamailio, target) = two_behind_one();
    one.kill();
    // Nobody has told yet: within two seconds Kamailio tries the other.
    call(&target);
    call(&target);
    thread::sleep(KNOWN_AFTER);
    call(&target);
    call(&target);
    assert_eq!((one.call_folders().len(), two.calls(4).len()), (0, 4));
    two.stop();
}
