//! `dial --scenario` and `--fail-if` against a gateway on this machine: the scenarios that ship hold, and what does not
//! hold is told with its evidence, by exit code, in JSON, in JUnit's XML and in the journal.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/program.rs"]
mod program;

use program::{Done, Home};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Steps of a call: number, whether it held, what was seen.
fn checks(call: &Value) -> Vec<(u64, bool, String)> {
    let checks = call["checks"].as_array().map_or(&[][..], Vec::as_slice);
    let of = |check: &Value| {
        let evidence = check["evidence"].as_str().unwrap_or_default().to_owned();
        (check["step"].as_u64().unwrap(), check["passed"].as_bool().unwrap(), evidence)
    };
    checks.iter().map(of).collect()
}

fn call<'a>(document: &'a Value, scenario: &str) -> &'a Value {
    let calls = document["calls"].as_array().unwrap();
    calls.iter().find(|call| call["scenario"] == scenario).unwrap_or_else(|| panic!("no {scenario} in {document:#}"))
}

fn dial(home: &Home, port: u16, more: &[&str]) -> Done {
    home.dial(&format!("sip:127.0.0.1:{port}"), &[more, &["-o", "json"]].concat())
}

#[test]
fn the_scenarios_that_ship_hold() {
    let home = Home::new();
    let gateway = home.serve("scripted", &[]);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/calls");
    let (folder, xml) = (folder.display().to_string(), home.path().join("calls.xml"));
    let arguments = ["--scenario", &folder, "--concurrency", "2", "--junit", &xml.display().to_string()];
    let document = dial(&home, gateway.udp, &arguments).exits(0).json();
    assert_eq!((&document["checks"], &document["placed"]), (&json!("pass"), &json!(2)));
    let interrupted = call(&document, "the greeting is interrupted");
    let steps: Vec<u64> = checks(interrupted).iter().map(|(step, ..)| *step).collect();
    assert_eq!(steps, [1, 1, 2, 3, 4, 0, 0, 0, 0], "silence and speech of the first, then one each, then conditions");
    let goodbye = call(&document, "the star key ends the call");
    assert_eq!(goodbye["summary"]["ended_by"], "callee");
    assert!(checks(goodbye).iter().all(|(_, held, _)| *held), "{goodbye:#}");
    let xml = fs::read_to_string(xml).unwrap();
    assert!(xml.contains("tests=\"2\" failures=\"0\" errors=\"0\""), "{xml}");
    assert!(xml.contains("name=\"the star key ends the call\""), "{xml}");
}

#[test]
fn what_does_not_hold_ends_the_call_with_its_evidence() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let file = home.file(
        "wrong.toml",
        "name = \"wants too much\"\nexpect = [\"duration < 1m\", \"codec == opus\"]\n[caller]\ncodec = [\"pcma\"]\n\
         [[step]]\npause = \"200ms\"\n[[step]]\nwait = { agent_speaks = true, within = \"700ms\" }\n[[step]]\nhang_up = true\n",
    );
    let (xml, calls) = (home.path().join("calls.xml"), home.path().join("journals"));
    let (file, xml_path, folder) = (file.display().to_string(), xml.display().to_string(), calls.display().to_string());
    let done = dial(&home, gateway.udp, &["--scenario", &file, "--junit", &xml_path, "--journal", &folder]).exits(1);
    let document = done.json();
    assert_eq!(
        checks(&document["calls"][0]),
        [
            (1, true, String::new()),
            (2, false, "did not speak within 700 ms".to_owned()),
            (0, true, format!("{:.0} ms", document["calls"][0]["summary"]["duration_s"].as_f64().unwrap() * 1_000.0)),
            (0, false, "pcma".to_owned()),
        ]
    );
    let verdicts = ["sip", "media", "agent", "checks"].map(|name| document[name].as_str().unwrap().to_owned());
    assert_eq!(verdicts, ["pass", "pass", "pass", "fail"]);
    let xml = fs::read_to_string(xml).unwrap();
    assert!(xml.contains("failures=\"1\"") && xml.contains("did not speak within 700 ms"), "{xml}");
    let journal = &program::finished_journals(&calls, 1)[0];
    let steps: Vec<bool> = journal.of_kind("check").iter().map(|check| check["passed"].as_bool().unwrap()).collect();
    assert_eq!(steps, [true, false]);
}

#[test]
fn conditions_fail_any_call_and_a_call_that_failed_keeps_its_own_code() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let short = ["--silence", "--hangup-after", "1s"];
    let with = |more: &[&str]| dial(&home, gateway.udp, &[&short, more].concat());
    with(&["--fail-if", "lost > 50%", "--fail-if", "status != 200"]).exits(0);
    with(&["--fail-if", "packets.in < 100000"]).exits(1);
    with(&["--fail-if", "gap.p95 > 1s"]).exits(1);
    let text = home.dial(
        &format!("sip:127.0.0.1:{}", gateway.udp),
        &["--silence", "--hangup-after", "1s", "--fail-if", "turns < 1", "--fail-if", "lost > 50%"],
    );
    let text = text.exits(1);
    assert!(text.stdout.contains("failed    --fail-if turns < 1: 0"), "{}", text.stdout);
    assert!(text.stdout.contains("held      --fail-if lost > 50%: 0.00 %"), "{}", text.stdout);

    let file = home.file("any.toml", "name = \"any\"\n[[step]]\npause = \"1s\"\n");
    let nobody = home.dial("sip:127.0.0.1:9;transport=tcp", &["--scenario", &file.display().to_string()]);
    nobody.exits(3);
}

#[test]
fn mistakes_are_named_with_their_place_before_anybody_is_called() {
    let home = Home::new();
    let wrong = |arguments: &[&str], words: &[&str]| {
        home.dial("sip:127.0.0.1:9", arguments).exits(2).says(words);
    };
    let file = |text: &str| home.file("wrong.toml", text).display().to_string();
    wrong(&["--scenario", &file("name = \"x\"\n[[stepp]]\n")], &["line 2", "hint: did you mean step?"]);
    wrong(&["--scenario", &file("name = \"x\"\n[[step]]\nsay = \"no.wav\"\n")], &["step 1.say", "no.wav", "hint: "]);
    wrong(
        &["--scenario", &file("name = \"x\"\nexpect = [\"moss > 3\"]\n[[step]]\nhang_up = true\n")],
        &["moss", "did you mean mos?"],
    );
    wrong(
        &["--scenario", &file("name = \"x\"\n[caller]\ncodec = [\"g729\"]\n[[step]]\nhang_up = true\n")],
        &["caller.codec", "g729"],
    );
    wrong(&["--silence", "--fail-if", "jiter > 20ms"], &["--fail-if 'jiter > 20ms'", "did you mean jitter?"]);
    wrong(&["--silence", "--fail-if", "jitter > 20"], &["20s or 20ms", "hint: "]);
    wrong(&["--scenario", &home.path().join("run").display().to_string()], &["there is no .toml file in it"]);
}

#[test]
fn a_recording_is_held_to_conditions_too() {
    let home = Home::new();
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("recordings/two-party.pcap").display().to_string();
    let replay = |more: &[&str]| home.run(&[&["replay", &capture], more].concat());
    replay(&["--fail-if", "lost > 1%", "--fail-if", "lint >= error"]).exits(0);
    let done = replay(&["--fail-if", "dtmf == 5"]).exits(1);
    assert_eq!(done.stdout.matches("--fail-if dtmf == 5: 5").count(), 2, "both streams\n{}", done.stdout);
    let document = replay(&["--agent", "echo", "--fail-if", "turns > 0", "-o", "json"]).exits(1).json();
    assert_eq!(document["files"][0]["conversation"]["summary"]["checks"], "fail");
    assert_eq!(document["files"][0]["checks"][0]["passed"], false);
}
