//! Routing from the outside: `config route` explains, `serve` does the same, and every refusal names its rule.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/program.rs"]
mod program;

use program::{Done, Home, finished_journals};
use serde_json::json;

const RULES: &str = r#"
[[routes]]
name = "blocked"
from = "13*"
refuse = 403
reason = "not from here"

[[routes]]
name = "closed"
to = "9*"
time = ["Sat-Sun", "18:00-08:00"]
refuse = 480

[[routes]]
name = "desk"
to = "100"
source = "127.0.0.0/8"
agent = "echo:live"

[[routes]]
name = "sales"
to = ["/^00(49|43)/", "200"]
agent = "scripted"
rewrite_to = { strip = 2, prefix = "+" }

[[routes]]
name = "users"
to = "3*"
user = "alice"
"#;

fn home() -> Home {
    let home = Home::new();
    home.file("voxgw.toml", RULES);
    home
}

#[track_caller]
fn ask(home: &Home, more: &[&str]) -> Done {
    let mut arguments = vec!["config", "route"];
    arguments.extend(more);
    home.run(&arguments)
}

#[test]
fn the_winner_is_named_and_the_others_say_why_not() {
    let home = home();
    let done = ask(&home, &["--to", "0049301", "--from", "77", "--source", "192.0.2.1"]).exits(0);
    for words in [
        "rule sales: agent scripted",
        "0049301 becomes +49301",
        "from = 13*: was 77",
        "to = 100: was 0049301; source = 127.0.0.0/8: was 192.0.2.1",
        "sales    wins",
        "to = 3*: was 0049301",
    ] {
        assert!(done.stdout.contains(words), "no {words:?} in\n{}", done.stdout);
    }
    let saturday = ask(&home, &["--to", "900", "--at", "2026-11-21T09:00"]).exits(4);
    assert!(saturday.stdout.starts_with("rule closed: refuse 480"), "{}", saturday.stdout);
    let monday = ask(&home, &["--to", "900", "--at", "2026-11-23T09:00"]).exits(4);
    for words in ["refused with 404", "nearest closed", "was Mon 09:00"] {
        assert!(monday.stdout.contains(words), "no {words:?} in\n{}", monday.stdout);
    }
    let users = ask(&home, &["--to", "300"]).exits(0);
    assert!(users.stdout.contains("rule users: user alice"), "{}", users.stdout);
}

#[test]
fn the_explanation_is_a_document_too() {
    let home = home();
    let found = ask(&home, &["--to", "100", "--from", "1399", "--source", "127.0.0.1", "-o", "json"]).exits(4).json();
    assert_eq!((&found["schema"], &found["result"]), (&json!("voxgw.route/1"), &json!("refuse")), "{found}");
    assert_eq!((&found["rule"], &found["status"], &found["exit_code"]), (&json!("blocked"), &json!(403), &json!(4)));
    let verdicts: Vec<_> = found["rules"].as_array().unwrap().iter().map(|rule| rule["verdict"].clone()).collect();
    assert_eq!(verdicts, [json!("wins"), json!("no"), json!("too late"), json!("no"), json!("no")]);
    assert_eq!(found["rules"][3]["failed"][0]["seen"], "100");
}

#[test]
fn without_rules_everything_goes_to_the_agent() {
    let home = Home::new();
    let done = ask(&home, &["--to", "1"]).exits(0);
    assert!(done.stdout.contains("agent scripted") && done.stdout.contains("no rules"), "{}", done.stdout);
    ask(&home, &["--to", "1", "--header", "nocolon"]).exits(2).complains();
}

#[test]
fn mistakes_in_rules_are_found_before_any_call() {
    let home = Home::new();
    let check = |rules: &str| {
        home.file("voxgw.toml", rules);
        home.run(&["config", "check"])
    };
    let wrong = |rules: &str, words: &[&str]| {
        check(rules).exits(2).complains().says(words);
    };
    wrong("[[routes]]\nname = 'a'\nagent = 'scipted'", &["routes.1.agent", "line 3", "did you mean scripted?"]);
    wrong("[[routes]]\nname = 'a'\nform = '1'\nagent = 'echo'", &["routes.1.form", "line 3", "routes.1.from"]);
    wrong("[routes]\nto = '1'", &["routes is a list", "[[routes]]"]);
    check("[[routes]]\nname = 'all'\nagent = 'echo'\n[[routes]]\nname = 'late'\nuser = 'bob'").exits(0).says(&[
        "warning: rule late: never reached",
        "rule all",
        "rule late: there is no user bob in [users]",
    ]);
    let shown = home.run(&["config", "show", "routes.2.name"]).exits(0).stdout;
    assert!(shown.contains("late") && shown.contains("voxgw.toml line 5"), "{shown}");
}

#[test]
fn an_ivr_is_explained_and_its_script_is_read_before_any_call() {
    let home = Home::new();
    let script =
        home.file("menus.toml", "name = 'desk'\n[menu.main]\n[[menu.main.digit]]\npress = '1'\nagent = 'echo'");
    let rule = format!("[[routes]]\nname = 'menus'\nto = '1*'\nivr = '{}'\n", script.display());
    home.file("voxgw.toml", &rule);
    let done = ask(&home, &["--to", "100"]).exits(0);
    let words = format!("rule menus: ivr {} (desk: menus main; begins with main)", script.display());
    assert!(done.stdout.starts_with(&words), "{}", done.stdout);
    let document = ask(&home, &["--to", "100", "-o", "json"]).exits(0).json();
    assert_eq!((&document["result"], &document["rule"]), (&json!("ivr"), &json!("menus")));
    let check = |line: &str| {
        home.file("menus.toml", format!("name = 'desk'\n[menu.main]\n[[menu.main.digit]]\npress = '1'\n{line}"));
        home.run(&["serve", "--check", "--api", "off", "--sip", "udp:127.0.0.1:0"])
    };
    check("agent = 'echo'").exits(0);
    check("goto = 'mian'").exits(2).complains().says(&[
        "menus.toml",
        "menu.main.digit[1].goto",
        "hint: did you mean main?",
    ]);
    check("agnet = 'echo'").exits(2).complains().says(&[
        "menus.toml",
        "line 5: unknown field `agnet`",
        "hint: did you mean agent?",
    ]);
    check("agent = 'ecko'").exits(2).complains().says(&["script of agent ivr:", "agent = ecko", "there is no agent"]);
    home.file("voxgw.toml", format!("{rule}[trunks.carrier]\nserver = 'sip:127.0.0.1:9'\n"));
    check("bridge = '1'\ntrunk = 'carier'").exits(2).complains().says(&["trunk = carier", "did you mean carrier?"]);
    home.file("voxgw.toml", "[[routes]]\nname = 'menus'\nivr = 'nowhere.toml'");
    let gone = home.run(&["serve", "--check", "--api", "off", "--sip", "udp:127.0.0.1:0"]);
    gone.complains().says(&["nowhere.toml"]);
    assert!(ask(&home, &["--to", "1"]).exits(0).stdout.contains("cannot be used"));
}

#[test]
fn a_rules_agent_without_a_key_is_told_at_the_start() {
    let home = Home::new();
    home.file("voxgw.toml", "[[routes]]\nname = 'ai'\nagent = 'gemini'");
    home.run(&["serve", "--check", "--api", "off", "--sip", "udp:127.0.0.1:0"]).exits(5).complains().says(&["key"]);
}

#[test]
fn calls_go_where_the_rules_say() {
    let home = home();
    let gateway = home.serve("echo", &[]);
    let said = gateway.running.stderr();
    for words in ["by rule: blocked, closed, desk", "--agent echo answers nothing", "there is no user alice"] {
        assert!(said.contains(words), "no {words:?} in\n{said}");
    }
    let target = |number: &str| format!("sip:{number}@127.0.0.1:{}", gateway.udp);
    let talk = ["--silence", "--hangup-after", "300ms"];
    home.dial(&target("100"), &talk).exits(0);
    home.dial(&target("004930"), &talk).exits(0);
    let journals = finished_journals(&gateway.recordings, 2);
    for (journal, wanted) in journals.iter().zip([["desk", "echo:live", "100"], ["sales", "scripted", "+4930"]]) {
        let header = &journal.records[0];
        assert_eq!(json!([header["rule"], header["agent"], header["to"]]), json!(wanted));
    }

    let refused = |number: &str, from: &str, status: u16, words: &str| {
        let from = format!("sip:{from}@127.0.0.1");
        let done = home.dial(&target(number), &["--silence", "--from", &from, "-o", "json"]).exits(4);
        let summary = &done.json()["calls"][0]["summary"];
        assert_eq!(summary["status"], status, "{summary}");
        assert!(summary["reason"].as_str().unwrap().contains(words), "no {words:?} in {summary}");
    };
    refused("100", "1301", 403, "rule blocked: not from here");
    refused("%31%30%30", "1301", 403, "rule blocked");
    // Which one is the nearest depends on the day: `closed` has a time.
    refused("555", "77", 404, "no rule matched; the nearest is ");
    refused("301", "77", 480, "rule users: user alice has no telephone registered here");
    let shown = home.dial(&target("100"), &["--silence", "--from", "sip:1301@127.0.0.1"]).exits(4);
    assert!(format!("{}{}", shown.stdout, shown.stderr).contains("rule blocked"), "{shown:?}");

    let seen = home.run(&["monitor", &gateway.api, "--once", "-o", "json"]).exits(0).json();
    assert_eq!(seen["gateway"]["refused_by"], json!({ "blocked": 3, "none": 1, "users": 1 }), "{}", seen["gateway"]);
    let log = gateway.stop().exits(0).stderr;
    for words in ["sip.refused", "rule=\"blocked\"", "rule=\"none\"", "rule=\"users\"", ": was 555"] {
        assert!(log.contains(words), "no {words:?} in\n{log}");
    }
}
