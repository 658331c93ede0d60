//! Dialogs over real sockets, voxgw with voxgw: headers of INVITEs, refused calls, early media, hold, attended transfer.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/program.rs"]
mod program;

use program::{Gateway, Home, LIMIT, finished_journals, until};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
};

/// Status and document of a request to a gateway's API.
#[track_caller]
fn ask(gateway: &Gateway, line: &str, body: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(&gateway.socket).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let length = body.len();
    write!(stream, "{line} HTTP/1.1\r\nHost: v\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

fn sessions(gateway: &Gateway) -> Vec<Value> {
    ask(gateway, "GET /v1/sessions", "").1["sessions"].as_array().cloned().unwrap_or_default()
}

/// Waits until one session is in a state, and gives its name.
#[track_caller]
fn call_in(gateway: &Gateway, state: &str) -> String {
    let find = || sessions(gateway).into_iter().find(|session| session["state"] == state);
    assert!(until(LIMIT, || find().is_some()), "no call is {state}: {:?}", states(gateway));
    find().unwrap()["header"]["call"].as_str().unwrap().to_owned()
}

fn states(gateway: &Gateway) -> Vec<Value> {
    sessions(gateway).into_iter().map(|session| session["state"].clone()).collect()
}

/// Calls somebody; gives the call's name.
#[track_caller]
fn call(gateway: &Gateway, body: &Value) -> String {
    let (status, document) = ask(gateway, "POST /v1/calls", &body.to_string());
    assert_eq!(status, 201, "{document}");
    document["call"].as_str().unwrap().to_owned()
}

#[test]
fn headers_of_an_invite_reach_journal_view_and_agent_and_privacy_is_kept() {
    let home = Home::new();
    home.file("desk.toml", "name = 'desk'\n[greeting]\ntext = 'For {{X-Tenant}}, called by {{from}}'\n");
    home.file("voxgw.toml", "[agents.desk]\nkind = 'scripted'\nscript = 'desk.toml'\n");
    let gateway = home.serve("desk", &[]);
    let headers = [
        "X-Tenant: acme",
        "Diversion: <sip:+4930555@h>;reason=no-answer",
        "History-Info: <sip:a@h>;index=1",
        "User-to-User: 48656c6c6f;encoding=hex",
        "P-Asserted-Identity: <tel:+4930123>",
        "Privacy: id",
        "Subject: not asked for",
    ];
    let mut arguments = vec!["--silence", "--hangup-after", "500ms", "--from", "sip:anna@h"];
    for header in headers {
        arguments.extend(["-H", header]);
    }
    home.dial(&gateway.target(), &arguments).exits(0);
    let journals = finished_journals(&gateway.recordings, 1);
    let carried = &journals[0].records[0]["headers"];
    let value = |name: &str| {
        let all = carried.as_array().unwrap();
        all.iter().find(|header| header["name"] == name).map(|header| header["value"].as_str().unwrap().to_owned())
    };
    assert_eq!(value("X-Tenant").as_deref(), Some("acme"));
    assert_eq!(value("Diversion").as_deref(), Some("<sip:+4930555@h>;reason=no-answer"));
    assert_eq!(value("P-Asserted-Identity").as_deref(), Some("(private)"));
    assert_eq!(carried.as_array().unwrap().len(), 6, "{carried}");
    let whole = journals[0].records.iter().map(ToString::to_string).collect::<String>();
    assert!(!whole.contains("+4930123"), "who wants to stay private does, in the ladder too");
    let said: String = journals[0].of_kind("transcript").iter().map(|said| said["text"].as_str().unwrap()).collect();
    assert_eq!(said, "For acme, called by anna");
    assert_eq!(&sessions(&gateway)[0]["header"]["headers"], carried, "the API shows the same");
    for own in ["Via: x", "Call-ID: 1", "Route: <sip:h>", "i: 1", "X Y: 1"] {
        home.dial(&gateway.target(), &["--silence", "-H", own]).exits(2).complains();
    }
    gateway.stop().exits(0);
}

#[test]
fn headers_can_be_set_by_the_api() {
    let (a, b) = (Home::new(), Home::new());
    let there = b.serve("echo", &[]);
    let here = a.serve("echo", &[]);
    let ours = call(&here, &json!({"to": there.target(), "headers": {"X-Order": "17"}}));
    let name = call_in(&there, "up");
    let header = sessions(&there).into_iter().find(|session| session["header"]["call"] == json!(name)).unwrap();
    assert_eq!(header["header"]["headers"], json!([{"name": "X-Order", "value": "17"}]));
    let body = json!({"to": there.target(), "headers": {"Via": "x"}}).to_string();
    assert_eq!(ask(&here, "POST /v1/calls", &body).0, 400);
    ask(&here, &format!("POST /v1/sessions/{ours}/hangup"), "");
    assert!(until(LIMIT, || states(&there) == [json!("ended")]));
    here.stop().exits(0);
    there.stop().exits(0);
}

#[test]
fn refused_calls_leave_a_short_journal_so_many_a_minute() {
    let home = Home::new();
    home.file(
        "voxgw.toml",
        "recording.refused_per_minute = 3\n[[routes]]\nname = 'closed'\nto = '9*'\nrefuse = 480\nreason = 'come back'\n\
         [[routes]]\nname = 'all'\nagent = 'echo'\n",
    );
    let gateway = home.serve("echo", &[]);
    let target = format!("sip:900@127.0.0.1:{}", gateway.udp);
    home.dial(&target, &["--silence", "--repeat", "5", "-H", "X-Why: test"]).exits(4);
    let journals = finished_journals(&gateway.recordings, 3);
    assert_eq!(journals.len(), 3);
    let journal = &journals[0];
    assert_eq!(journal.records[0]["rule"], "closed");
    assert_eq!(journal.records[0]["headers"], json!([{"name": "X-Why", "value": "test"}]));
    let labels: Vec<&Value> = journal.of_kind("sip").into_iter().map(|message| &message["label"]).collect();
    assert_eq!(labels.len(), 2, "{labels:?}");
    assert!(labels[0] == "INVITE" && labels[1].as_str().unwrap().starts_with("480"), "{labels:?}");
    assert!(journal.of_kind("note")[0]["text"].as_str().unwrap().contains("closed"));
    let summary = journal.summary();
    assert_eq!((&summary["status"], &summary["sip"]), (&json!(480), &json!("fail")), "{summary}");
    let (_, health) = ask(&gateway, "GET /v1/health", "");
    assert_eq!(health["refused_unrecorded_total"], 2, "{health}");
    gateway.stop().exits(0);
}

#[test]
fn a_caller_hears_the_agent_before_the_answer() {
    let home = Home::new();
    home.file("desk.toml", "name = 'desk'\n[greeting]\nsay = 'builtin:greeting'\n");
    home.file("voxgw.toml", "[agents.desk]\nkind = 'scripted'\nscript = 'desk.toml'\nspeaks_early = true\n");
    let gateway = home.serve("desk", &[]);
    let done = home.dial(&gateway.target(), &["--silence", "--hangup-after", "500ms", "--record", "call.wav"]).exits(0);
    assert!(done.stderr.contains("183 Session Progress") && done.stderr.contains("early:"), "{}", done.stderr);
    assert!(done.stderr.contains("PRACK"), "dial takes 100rel, so it is reliable: {}", done.stderr);
    let journals = finished_journals(&gateway.recordings, 1);
    let answered = journals[0].summary()["answered_after_ms"].as_f64().unwrap();
    assert!(answered > 1_000.0, "only after the greeting: {answered}");
    let heard = &program::read_wav(&home.path().join("call.wav"))[1];
    // What dial heard before the answer is in its recording.
    let early = &heard[..8_000.min(heard.len())];
    assert!(early.iter().any(|sample| sample.unsigned_abs() > 1_000), "the greeting");
    gateway.stop().exits(0);
}

#[test]
fn a_call_is_held_and_resumed_by_the_api() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let dial = home.start_dial(&gateway.target(), &["--silence", "--max", "20s"]);
    let name = call_in(&gateway, "up");
    assert!(until(LIMIT, || sessions(&gateway)[0].to_string().contains("\"label\":\"ACK\"")), "acknowledged");
    assert_eq!(ask(&gateway, &format!("POST /v1/sessions/{name}/hold"), "").0, 202);
    call_in(&gateway, "held");
    let media = |direction: &str| until(LIMIT, || sessions(&gateway)[0]["media"]["direction"] == direction);
    assert!(media("sendonly"), "{:?}", sessions(&gateway)[0]["media"]);
    assert_eq!(ask(&gateway, &format!("POST /v1/sessions/{name}/resume"), "").0, 202);
    assert!(media("sendrecv"));
    call_in(&gateway, "up");
    assert_eq!(ask(&gateway, "POST /v1/sessions/c-00000001/hold", "").0, 404);
    ask(&gateway, &format!("POST /v1/sessions/{name}/hangup"), "");
    let done = dial.wait();
    assert!(done.stderr.contains("(g722") && done.stderr.matches("← INVITE").count() == 2, "{}", done.stderr);
    gateway.stop().exits(0);
}

#[test]
fn one_far_end_takes_our_place_with_the_other() {
    let (a, b, c) = (Home::new(), Home::new(), Home::new());
    // Alice's gateway lets us send it elsewhere.
    a.file("voxgw.toml", "outbound.transfers = 'all'\n");
    let alice = a.serve("echo", &[]);
    let bob = b.serve("echo", &[]);
    let us = c.serve("echo", &[]);
    let to_alice = call(&us, &json!({"to": alice.target()}));
    let to_bob = call(&us, &json!({"to": bob.target()}));
    assert!(until(LIMIT, || states(&us) == [json!("up"), json!("up")]), "{:?}", states(&us));
    let wrong = json!({"to_call": to_alice}).to_string();
    assert_eq!(ask(&us, &format!("POST /v1/sessions/{to_alice}/transfer"), &wrong).0, 400);
    let body = json!({"to_call": to_bob}).to_string();
    assert_eq!(ask(&us, &format!("POST /v1/sessions/{to_alice}/transfer"), &body).0, 202);
    assert!(until(LIMIT, || states(&us) == [json!("ended"), json!("ended")]), "{:?}", states(&us));
    assert_eq!((states(&alice), states(&bob)), (vec![json!("up")], vec![json!("up")]), "they talk to each other");
    let bobs = sessions(&bob)[0].to_string();
    assert!(bobs.contains("takes the place of the far end") && bobs.contains("Replaces: "), "{bobs}");
    let ours = sessions(&us).iter().map(ToString::to_string).collect::<String>();
    assert!(ours.contains("transfer done: 200"), "{ours}");
    let alices = call_in(&alice, "up");
    ask(&alice, &format!("POST /v1/sessions/{alices}/hangup"), "");
    assert!(until(LIMIT, || states(&bob) == [json!("ended")]), "{:?}", states(&bob));
    for gateway in [us, alice, bob] {
        gateway.stop().exits(0);
    }
}

#[test]
fn a_stranger_does_not_take_anothers_place() {
    let (b, c) = (Home::new(), Home::new());
    b.file("voxgw.toml", "outbound.transfers = 'off'\n");
    let bob = b.serve("echo", &[]);
    let dial = c.start_dial(&bob.target(), &["--silence", "--max", "20s"]);
    let name = call_in(&bob, "up");
    let session = sessions(&bob).remove(0);
    let answer = session["events"].as_array().unwrap().iter().find(|event| event["label"] == "200 OK").unwrap();
    let text = answer["text"].as_str().unwrap();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let tag = |name: &str| field(name).split("tag=").nth(1).unwrap().to_owned();
    let (ours, theirs) = (tag("To:"), tag("From:"));
    let replaces = format!("Replaces: {};to-tag={ours};from-tag={theirs}", field("Call-ID:"));
    let refused = c.dial(&bob.target(), &["--silence", "-H", &replaces, "-o", "json"]).exits(4).json();
    assert_eq!(refused["calls"][0]["summary"]["status"], 403, "{refused}");
    assert_eq!(call_in(&bob, "up"), name, "the call goes on");
    ask(&bob, &format!("POST /v1/sessions/{name}/hangup"), "");
    dial.wait();
    bob.stop().exits(0);
}
