//! Callers who lead themselves: keys through the example script's menus to a telephone, and what scripts ask of the
//! gateway, with foreign phones at the other ends.

use crate::{
    audio::{Law, assert_heard, voice},
    baresip::Baresip,
    bridge::register,
    capture,
    gateway::{Call, Gateway, Settings},
    process::wait_until,
    sipp::Sipp,
};
use serde_json::json;
use std::{fs, path::Path, time::Duration};

const ALICE: &str = "rabbit-hole";

/// Calls to `echo` are led by a script; alice may register.
fn settings(script: &Path) -> Settings {
    let script = script.display();
    Settings::of_alice(&format!("[[routes]]\nname = 'menus'\nto = 'echo'\nivr = '{script}'\n"))
}

/// What was asked of the gateway: action, states, words.
fn actions(call: &Call) -> Vec<String> {
    let one = |change: &serde_json::Value| {
        let word = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
        let words = [word("action"), word("state"), word("name"), word("about")];
        words.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    call.of_kind("action").map(one).collect()
}

#[test]
#[ignore = "needs sipp, baresip, root"]
fn keys_lead_through_menus_to_a_registered_telephone() {
    let there = voice(6, 41);
    let settings = settings(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/switchboard.toml"));
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let mut alice = Baresip::registered(gateway.sip, "alice", ALICE, &there, Law::Mu);
    assert!(
        wait_until(Duration::from_secs(10), || !gateway.api().contacts("alice").is_empty()),
        "{}",
        gateway.report()
    );
    let sipp = Sipp::caller("uac_pcap", &gateway.target())
        .key("law", "PCMU")
        .key("type", "0")
        .key("ptime", "20")
        .talking_for(15);
    // a key that does nothing, a number of four digits, then Alice
    let typed = [(1_000, '9'), (4_000, '3'), (4_600, '4'), (5_000, '7'), (5_400, '1'), (5_800, '1'), (6_200, '#')];
    let keys: Vec<(u32, char)> = typed.into_iter().chain([(8_000, '1')]).collect();
    capture::write_keys(&sipp.folder().join("audio.pcap"), &keys, 14);
    sipp.run();
    let calls = gateway.calls(2);
    alice.stop();
    gateway.stop();
    let caller = calls.iter().find(|call| call.header()["direction"] == "in").expect("the caller's");
    assert_eq!(caller.header()["rule"], "menus");
    let expected = [
        "set asked number 4711",
        "set done",
        "set asked wish callback",
        "set done",
        "bridge asked alice",
        "bridge begun",
        "bridge done",
    ];
    assert_eq!(actions(caller), expected);
    let states: Vec<&str> = caller.of_kind("bridge").filter_map(|change| change["state"].as_str()).collect();
    assert_eq!(states, ["calling", "joined", "left"]);
    let (_, right) = caller.voices();
    // Her first packets may be there before both hear each other.
    assert_heard("alice in the caller's recording", &there[8_000..4 * 8_000], &right);
    let summary = caller.summary().expect("it is over");
    assert_eq!((&summary["dtmf"], &summary["ended_by"]), (&json!("934711#1"), &json!("caller")));
    assert!(alice.heard().len() > 3 * 8_000, "alice heard the caller's silence");
}

/// A script of one line, and what follows if that fails.
fn script(folder: &Settings, line: &str) -> std::path::PathBuf {
    let path = folder.path().with_file_name("line.toml");
    fs::write(&path, format!("name = 'line'\n[greeting]\nsay = 'tone:440:1500'\n{line}\n")).expect("a script");
    path
}

/// A caller whom a script transfers to carol.
fn transferred(scenario: &str) -> Call {
    let folder = Settings::new("");
    let line = "transfer = 'sip:carol@127.0.0.1'\nfailed = { text = 'Sorry: {{outcome}}', say = 'tone:880:200' }";
    let settings = settings(&script(&folder, line));
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    Sipp::caller(scenario, &gateway.target()).run();
    let call = gateway.only_call();
    gateway.stop();
    call
}

#[test]
#[ignore = "needs sipp"]
fn a_script_transfers_its_caller_and_lets_go() {
    let call = transferred("uac_referred");
    let expected = ["transfer asked sip:carol@127.0.0.1", "transfer begun", "transfer done"];
    assert_eq!(actions(&call), expected);
    assert_ne!(call.summary().expect("it is over")["ended_by"], "caller");
}

#[test]
#[ignore = "needs sipp"]
fn a_script_whose_caller_does_not_let_itself_be_sent_says_so_and_goes_on() {
    let call = transferred("uac_referred_not");
    let expected = ["transfer asked sip:carol@127.0.0.1", "transfer begun", "transfer refused"];
    assert_eq!(actions(&call), expected);
    let said: String = call.of_kind("transcript").filter_map(|said| said["text"].as_str()).collect();
    assert!(said.contains("Sorry: the transfer failed with 603"), "{said}");
    assert_eq!(call.summary().expect("it is over")["ended_by"], "caller");
}

#[test]
#[ignore = "needs sipp"]
fn a_script_writes_a_text_to_a_registered_telephone_and_hangs_up() {
    let folder = Settings::new("");
    let line = "text = 'Bye.'\nwrite = 'Good morning, telephone'\nwrite_to = 'alice'\nhang_up = true";
    let settings = settings(&script(&folder, line));
    let mut gateway = Gateway::start_configured("echo:live", &settings.path());
    let mut phone = Sipp::called("uas_message").key("refuse", "no").listen();
    register(&gateway, "alice", ALICE, phone.port);
    let mut caller = Sipp::caller("uac_ended", &gateway.target()).start();
    caller.assert_succeeds();
    phone.assert_succeeds();
    assert!(phone.messages().contains("Good morning, telephone"), "{}", phone.report());
    let call = gateway.only_call();
    gateway.stop();
    assert_eq!(actions(&call), ["text asked to alice: Good morning, telephone", "text done"]);
    let summary = call.summary().expect("it is over");
    assert_eq!((&summary["ended_by"], &summary["reason"]), (&json!("agent"), &json!("the script ended")));
}
