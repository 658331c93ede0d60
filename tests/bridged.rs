//! Calls that go on to somebody else, over real sockets: our program in the middle, and on both sides our programs or a
//! party whose every message the test decides.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/party.rs"]
mod party;
#[path = "support/program.rs"]
mod program;

use party::Party;
use program::{Gateway, Home, Journal, LIMIT, finished_journals, until};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::net::UnixStream,
    thread,
    time::Duration,
};
use voxgw::{
    media::dsp::{digits, tone},
    unit::SampleRate,
};

/// Payload types of PCMU, and of telephone-event.
const SOUND: &[u8] = &[0];
const BOTH: &[u8] = &[0, 101];
const SECOND: Duration = Duration::from_secs(1);

/// A gateway that sends all calls through a trunk with these servers.
fn onward(home: &Home, servers: &[String], rule: &str, more: &str) -> Gateway {
    let config = format!(
        "{more}\n[trunks.carrier]\nserver = {servers:?}\nping = '0s'\n[[routes]]\nname = 'on'\ntrunk_out = 'carrier'\n{rule}\n"
    );
    home.file("voxgw.toml", config);
    home.serve("echo:live", &[])
}

fn at(party: &Party) -> String {
    format!("sip:{}", party.address)
}

fn of(gateway: &Gateway) -> String {
    format!("sip:127.0.0.1:{}", gateway.udp)
}

/// The caller's journal and the callee's.
fn both(gateway: &Gateway) -> (Journal, Journal) {
    let mut journals = finished_journals(&gateway.recordings, 2);
    journals.sort_by_key(|journal| journal.records[0]["direction"] == "out");
    let callee = journals.pop().unwrap();
    (journals.pop().unwrap(), callee)
}

fn digits_of(journal: &Journal, direction: &str) -> String {
    let digits = journal.of_kind("dtmf").into_iter().filter(|digit| digit["direction"] == direction);
    digits.map(|digit| digit["digit"].as_str().unwrap().to_owned()).collect()
}

fn ask(gateway: &Gateway, line: &str, body: &Value) -> (u16, Value) {
    let mut stream = UnixStream::connect(&gateway.socket).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    write!(stream, "{line} HTTP/1.1\r\nHost: v\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

fn sessions(gateway: &Gateway) -> Vec<Value> {
    ask(gateway, "GET /v1/sessions", &Value::Null).1["sessions"].as_array().cloned().unwrap_or_default()
}

fn states(gateway: &Gateway) -> Vec<String> {
    sessions(gateway).iter().map(|session| session["state"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn wait_for_states(gateway: &Gateway, wanted: &[&str]) {
    assert!(until(LIMIT, || states(gateway) == wanted), "{:?} is not {wanted:?}", states(gateway));
}

// Before the answer

#[test]
fn what_the_callee_says_before_the_answer_is_heard_by_the_caller() {
    let (there, here) = (Home::new(), Home::new());
    there.file("desk.toml", "name = 'desk'\n[greeting]\nsay = 'tone:1000:2000'\n");
    there.file("voxgw.toml", "[agents.desk]\nkind = 'scripted'\nscript = 'desk.toml'\nspeaks_early = true\n");
    let callee = there.serve("desk", &[]);
    let gateway = onward(&here, &[of(&callee)], "", "");
    let done = here
        .dial(&gateway.target(), &["--silence", "--hangup-after", "500ms", "--record", "call.wav", "--codec", "pcmu"])
        .exits(0);
    assert!(done.stderr.contains("183 Session Progress") && done.stderr.contains("early:"), "{}", done.stderr);
    let (caller, callee_of_it) = both(&gateway);
    let answered = caller.summary()["answered_after_ms"].as_f64().unwrap();
    assert!(answered > 1_500.0, "the far end answers after its greeting: {answered}");
    let heard = &program::read_wav(&here.path().join("call.wav"))[1];
    let early = &heard[4_000..heard.len().min(12_000)];
    let share = tone::share_at(1_000.0, SampleRate::HZ_8000, early);
    assert!(share > 0.9, "the greeting, before the answer: {share}");
    for journal in [&caller, &callee_of_it] {
        assert_eq!(journal.summary()["status"], 200);
    }
    gateway.stop().exits(0);
    callee.stop().exits(0);
}

#[test]
fn a_caller_hears_a_ring_tone_of_ours_where_the_rule_says_so() {
    let (there, home) = (Party::new(), Home::new());
    let gateway = onward(&home, &[at(&there)], "ringback = true", "");
    let (here, port) = (Party::at("127.0.0.2"), gateway.udp);
    let invite = here.invite("bob", port, &[], BOTH);
    let call = there.request("INVITE");
    there.answer(&call, 180, &[], None);
    let progress = here.response(183);
    assert!(progress.sdp().is_some());
    let (rung, _) = here.heard(2 * SECOND);
    let loud: Vec<i16> =
        rung.chunks(160).filter(|frame| frame.iter().any(|s| s.abs() > 1_000)).flatten().copied().collect();
    assert!(loud.len() > 4_000, "{} samples of a ring tone", loud.len());
    assert!(tone::share_at(425.0, SampleRate::HZ_8000, &loud) > 0.9);
    let talk = there.take(&call, &[], BOTH);
    let caller = here.answered(&invite);
    // What waits on its way is gone soon.
    here.heard(SECOND / 2);
    let mut voice = Vec::new();
    tone::sine(1_000.0, 8_000.0, SampleRate::HZ_8000, 0, 8_000, &mut voice);
    there.speak(&talk, &voice);
    let (heard, _) = here.heard(SECOND / 2);
    let end = &heard[heard.len().saturating_sub(8_000)..heard.len().saturating_sub(4_000)];
    assert!(tone::share_at(1_000.0, SampleRate::HZ_8000, end) > 0.9, "the callee, and no ring tone any more");
    here.hang_up(caller);
    let bye = there.request("BYE");
    there.answer(&bye, 200, &[], None);
    both(&gateway);
    gateway.stop().exits(0);
}

// Who, and how far

#[test]
fn a_caller_who_wants_to_stay_unknown_is_unknown_to_the_callee() {
    let (there, home) = (Party::new(), Home::new());
    let gateway = onward(&home, &[at(&there)], "", "");
    let here = Party::at("127.0.0.2");
    let headers = [
        ("Privacy", "id"),
        ("P-Asserted-Identity", "<sip:+493012345@h>"),
        ("Diversion", "<sip:+4930999@h>;privacy=full"),
        ("X-Tenant", "acme"),
    ];
    here.invite("bob", gateway.udp, &headers, BOTH);
    let call = there.request("INVITE");
    let text = String::from_utf8(call.to_bytes()).unwrap();
    assert!(call.headers.first("From").unwrap().contains("anonymous@anonymous.invalid"), "{text}");
    assert_eq!(call.headers.first("Privacy"), Some("id"), "{text}");
    assert_eq!(call.headers.first("X-Tenant"), Some("acme"), "{text}");
    for secret in ["party@127.0.0.2", "493012345", "4930999"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    there.answer(&call, 486, &[], None);
    here.response(486);
    gateway.stop().exits(0);
}

#[test]
fn hops_are_counted_and_a_call_that_comes_back_ends() {
    let (there, home) = (Party::new(), Home::new());
    let gateway = onward(&home, &[at(&there)], "", "");
    let here = Party::at("127.0.0.2");
    // none is left
    here.invite("bob", gateway.udp, &[("Max-Forwards", "0")], BOTH);
    let refused = here.response(483);
    assert!(refused.headers.first("Warning").unwrap().contains("rule on"), "{refused:?}");
    // A proxy that sends the call back to where it came from.
    here.invite("bob", gateway.udp, &[("Max-Forwards", "9")], BOTH);
    let call = there.request("INVITE");
    assert_eq!(call.headers.first("Max-Forwards"), Some("8"));
    let gateway_address = there.last_from();
    let mut back = call.clone();
    back.headers.push_front("Via", format!("SIP/2.0/UDP {};branch=z9hG4bKback;rport", there.address));
    there.send_to(&back.to_bytes(), gateway_address);
    let mut circle = there.response(482);
    circle.headers.remove("Via");
    for via in call.headers.all("Via") {
        circle.headers.push("Via", via);
    }
    there.send_to(&circle.to_bytes(), gateway_address);
    here.response(482);
    let journals = finished_journals(&gateway.recordings, 4);
    let rules: Vec<&Value> = journals.iter().map(|journal| &journal.summary()["status"]).collect();
    assert_eq!(rules.iter().filter(|status| **status == 482).count(), 3, "{rules:?}");
    gateway.stop().exits(0);
}

// Digits

/// A caller's digits through a gateway to a callee.
fn keys(
    dtmf: &str,
    callee: &[u8],
    allow: &str,
    caller: &[u8],
) -> (Party, party::Talk, Party, party::Talk, Gateway, Home) {
    let (there, home) = (Party::new(), Home::new());
    let gateway = onward(&home, &[at(&there)], "", &format!("media.dtmf = '{dtmf}'"));
    let here = Party::at("127.0.0.2");
    let invite = here.invite("bob", gateway.udp, &[], caller);
    let call = there.request("INVITE");
    let talk = there.take(&call, &[("Allow", allow)], callee);
    let ours = here.answered(&invite);
    (here, ours, there, talk, gateway, home)
}

const RELAY: (&str, &str) = ("Content-Type", "application/dtmf-relay");

#[test]
fn digits_pass_as_events() {
    let (there, home) = (Home::new(), Home::new());
    let callee = there.serve("echo:live", &[]);
    let gateway = onward(&home, &[of(&callee)], "", "");
    home.dial(&gateway.target(), &["--silence", "--dtmf", "1,#@500ms", "--hangup-after", "1s"]).exits(0);
    let (caller_leg, callee_leg) = both(&gateway);
    assert_eq!((digits_of(&caller_leg, "in"), digits_of(&callee_leg, "out")), ("1#".to_owned(), "1#".to_owned()));
    assert_eq!(digits_of(&finished_journals(&callee.recordings, 1)[0], "in"), "1#");
    gateway.stop().exits(0);
    callee.stop().exits(0);
}

#[test]
fn a_digit_of_an_info_goes_on_as_an_event() {
    let (here, mut ours, there, theirs, gateway, _home) = keys("auto", BOTH, "INVITE, ACK, BYE", BOTH);
    for digit in ["5", "*"] {
        here.send(&mut ours, "INFO", &[RELAY], &format!("Signal={digit}\r\nDuration=100\r\n"));
        here.response(200);
    }
    let (_, events) = there.heard(SECOND);
    assert_eq!(events, [5, 10]);
    over(&here, ours, &there, theirs, gateway);
}

#[test]
fn a_digit_heard_as_a_tone_goes_on_once() {
    // DTMF 5 for 120 ms, 60 ms before and after
    let mut voice = vec![0; 960];
    let (mut low, mut high) = (Vec::new(), Vec::new());
    tone::sine(770.0, 6_000.0, SampleRate::HZ_8000, 0, 960, &mut low);
    tone::sine(1_336.0, 7_000.0, SampleRate::HZ_8000, 0, 960, &mut high);
    voice.extend(low.iter().zip(&high).map(|(low, high)| low + high));
    voice.extend([0; 1_600]);
    let as_tones = |samples: &[i16]| {
        let mut listener = digits::Listener::new(SampleRate::HZ_8000);
        let heard: Vec<char> = samples.chunks(160).filter_map(|frame| listener.add(frame)).map(|h| h.digit).collect();
        heard.into_iter().collect::<String>()
    };
    assert_eq!(as_tones(&voice), "5");
    // as an event where those are taken, and as the sound that it is elsewhere
    for (callee, events, tones) in [(BOTH, &[5_u8][..], ""), (SOUND, &[], "5")] {
        let (here, ours, there, theirs, gateway, _home) = keys("auto", callee, "INVITE, ACK, BYE", SOUND);
        here.speak(&ours, &voice);
        let (sound, heard) = there.heard(SECOND);
        assert_eq!((heard.as_slice(), as_tones(&sound).as_str()), (events, tones), "{callee:?}");
        over(&here, ours, &there, theirs, gateway);
    }
}

#[test]
fn digits_go_on_in_infos_where_neither_events_nor_tones_are_wanted() {
    let (here, mut ours, there, theirs, gateway, _home) = keys("events", SOUND, "INVITE, ACK, BYE, INFO", SOUND);
    for digit in ["1", "2", "#"] {
        here.send(&mut ours, "INFO", &[RELAY], &format!("Signal={digit}\r\nDuration=120\r\n"));
        here.response(200);
    }
    // One after the other: the next waits for the answer.
    let first = there.request("INFO");
    assert!(!there.hears("INFO", SECOND / 4));
    assert_eq!(first.headers.first("Content-Type"), Some("application/dtmf-relay"));
    assert_eq!(first.body, b"Signal=1\r\nDuration=120\r\n");
    there.answer(&first, 200, &[], None);
    for digit in ["2", "#"] {
        let info = there.request("INFO");
        assert_eq!(info.body, format!("Signal={digit}\r\nDuration=120\r\n").into_bytes());
        there.answer(&info, 200, &[], None);
    }
    over(&here, ours, &there, theirs, gateway);
    // And to one that does not take them.
    let (here, mut ours, there, theirs, gateway, _home) = keys("events", SOUND, "INVITE, ACK, BYE", SOUND);
    here.send(&mut ours, "INFO", &[RELAY], "Signal=1\r\n");
    here.response(200);
    let told = || sessions(&gateway).iter().any(|session| session.to_string().contains("takes no INFO"));
    assert!(until(LIMIT, told), "{:?}", sessions(&gateway));
    over(&here, ours, &there, theirs, gateway);
}

// Who is called

#[test]
fn a_long_invite_goes_by_tcp_and_as_a_datagram_where_nobody_takes_it_there() {
    let long = "x".repeat(600);
    let headers = [("X-Long", long.as_str())];
    for listens in [true, false] {
        let (there, home, here) = (Party::new(), Home::new(), Party::at("127.0.0.2"));
        let listener = listens.then(|| TcpListener::bind(there.address).unwrap());
        let gateway = onward(&home, &[at(&there)], "", "");
        here.invite("bob", gateway.udp, &headers, BOTH);
        if let Some(listener) = listener {
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = vec![0; 1_400];
            stream.read_exact(&mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(text.starts_with("INVITE ") && text.contains("Via: SIP/2.0/TCP") && text.contains(&long), "{text}");
            assert!(text.contains(";transport=tcp>"), "the way back is the same: {text}");
            drop((stream, listener));
        }
        let call = there.request("INVITE");
        assert!(call.headers.first("Via").unwrap().contains("/UDP"), "{call:?}");
        there.answer(&call, 486, &[], None);
        here.response(486);
        gateway.stop().exits(0);
    }
}

#[test]
fn a_trunk_s_next_server_is_called_when_the_first_is_silent_or_broken() {
    for status in [None, Some(503), Some(500)] {
        let (first, second, home) = (Party::new(), Party::new(), Home::new());
        let gateway = onward(&home, &[at(&first), at(&second)], "", "");
        let here = Party::at("127.0.0.2");
        let invite = here.invite("bob", gateway.udp, &[], BOTH);
        let call = first.request("INVITE");
        if let Some(status) = status {
            first.answer(&call, status, &[], None);
        }
        let call = second.request("INVITE");
        let theirs = second.take(&call, &[], BOTH);
        let ours = here.answered(&invite);
        over(&here, ours, &second, theirs, gateway);
    }
    // A no is a no.
    let (first, second, home) = (Party::new(), Party::new(), Home::new());
    let gateway = onward(&home, &[at(&first), at(&second)], "", "");
    let here = Party::at("127.0.0.2");
    here.invite("bob", gateway.udp, &[], BOTH);
    let call = first.request("INVITE");
    first.answer(&call, 486, &[], None);
    here.response(486);
    assert!(!second.hears("INVITE", SECOND / 2));
    gateway.stop().exits(0);
}

/// A call through a gateway to another, and what the other has of it; the caller is `dial`.
fn talking(home: &Home, there: &Home, codec: &str) -> (Gateway, Gateway, program::Running) {
    let callee = there.serve("echo:live", &[]);
    let gateway = onward(home, &[of(&callee)], "", "");
    let caller = home.start_dial(&gateway.target(), &["--silence", "--max", "25s", "--codec", codec]);
    wait_for_states(&callee, &["up"]);
    wait_for_states(&gateway, &["up", "up"]);
    assert!(until(LIMIT, || sessions(&gateway).iter().all(|session| session.to_string().contains("\"joined\""))));
    (gateway, callee, caller)
}

fn only_call(gateway: &Gateway) -> String {
    sessions(gateway)[0]["header"]["call"].as_str().unwrap().to_owned()
}

#[test]
fn sound_passes_undecoded_in_opus_and_g722() {
    for codec in ["opus", "g722"] {
        let (home, there) = (Home::new(), Home::new());
        let (gateway, callee, caller) = talking(&home, &there, codec);
        thread::sleep(SECOND);
        let call = only_call(&callee);
        assert_eq!(ask(&callee, &format!("POST /v1/sessions/{call}/hangup"), &Value::Null).0, 202);
        caller.wait().exits(0);
        let (caller_leg, callee_leg) = both(&gateway);
        for journal in [&caller_leg, &callee_leg] {
            let summary = journal.summary();
            assert_eq!(summary["codec"], codec, "{summary}");
            let changes = journal.of_kind("bridge");
            let left = changes.iter().find(|change| change["state"] == "left").unwrap();
            let [passed, transcoded] = ["passed", "transcoded"].map(|name| left[name].as_u64().unwrap_or(0));
            assert!(passed > 30 && transcoded * 5 < passed, "{codec}: {left}");
        }
        gateway.stop().exits(0);
        callee.stop().exits(0);
    }
}

#[test]
fn a_callee_sends_its_caller_to_somebody_else() {
    let (home, there, elsewhere) = (Home::new(), Home::new(), Home::new());
    let (gateway, callee, caller) = talking(&home, &there, "pcmu");
    let other = elsewhere.serve("echo:live", &[]);
    let call = only_call(&callee);
    let (status, document) =
        ask(&callee, &format!("POST /v1/sessions/{call}/transfer"), &json!({"to": other.target()}));
    assert_eq!(status, 202, "{document}");
    wait_for_states(&other, &["up"]);
    wait_for_states(&callee, &["ended"]);
    assert_eq!(states(&gateway), ["up", "up"], "the bridge goes on with somebody else at its end");
    let call = only_call(&other);
    ask(&other, &format!("POST /v1/sessions/{call}/hangup"), &Value::Null);
    caller.wait().exits(0);
    let (caller_leg, callee_leg) = both(&gateway);
    for journal in [&caller_leg, &callee_leg] {
        assert_eq!(journal.summary()["ended_by"], "callee", "{}", journal.summary());
    }
    for gateway in [gateway, callee, other] {
        gateway.stop().exits(0);
    }
}

#[test]
fn somebody_takes_the_callee_s_place_in_a_bridge() {
    let (home, there, elsewhere) = (Home::new(), Home::new(), Home::new());
    // Who sends it is the callee; it goes where it is sent.
    elsewhere.file("voxgw.toml", "outbound.transfers = 'all'\n");
    let (gateway, callee, caller) = talking(&home, &there, "pcmu");
    let other = elsewhere.serve("echo:live", &[]);
    let with_us = only_call(&callee);
    let (status, document) = ask(&callee, "POST /v1/calls", &json!({"to": other.target()}));
    assert_eq!(status, 201, "{document}");
    let with_other = document["call"].as_str().unwrap().to_owned();
    wait_for_states(&callee, &["up", "up"]);
    let path = format!("POST /v1/sessions/{with_other}/transfer");
    let (status, document) = ask(&callee, &path, &json!({"to_call": with_us}));
    assert_eq!(status, 202, "{document}");
    wait_for_states(&callee, &["ended", "ended"]);
    assert_eq!((states(&gateway), states(&other)), (vec!["up".to_owned(); 2], vec!["up".to_owned()]));
    let ours = sessions(&gateway).iter().map(ToString::to_string).collect::<String>();
    assert!(ours.contains("takes the place of the far end"), "{ours}");
    let call = only_call(&other);
    ask(&other, &format!("POST /v1/sessions/{call}/hangup"), &Value::Null);
    caller.wait().exits(0);
    both(&gateway);
    for gateway in [gateway, callee, other] {
        gateway.stop().exits(0);
    }
}

// Agents that ask

/// A party that calls a gateway whose agent does what this script says.
fn agent(home: &Home, script: &str, config: &str, allow: &str) -> (Gateway, Party, party::Talk) {
    home.file("desk.toml", format!("name = 'desk'\n{script}"));
    home.file("voxgw.toml", format!("[agents.desk]\nkind = 'scripted'\nscript = 'desk.toml'\n{config}"));
    let gateway = home.serve("desk", &[]);
    let here = Party::at("127.0.0.2");
    let ours = here.call("desk", gateway.udp, &[("Allow", allow)], BOTH);
    (gateway, here, ours)
}

#[test]
fn a_transfer_that_the_caller_s_side_does_not_know_becomes_a_bridge() {
    let (home, there) = (Home::new(), Party::new());
    // Its caller comes by the trunk that it is to be sent to, which takes REFER as far as its Allow says.
    let trunk = format!("[trunks.carrier]\nserver = ['{}', 'sip:127.0.0.2:9']\nping = '0s'\n", at(&there));
    let script = "[greeting]\ntext = 'moment'\ntransfer = '+4930'\n";
    let (gateway, here, ours) = agent(&home, script, &trunk, "INVITE, ACK, BYE, REFER");
    let refer = here.request("REFER");
    assert!(refer.headers.first("Refer-To").unwrap().contains("+4930"), "{refer:?}");
    here.answer(&refer, 405, &[], None);
    let call = there.request("INVITE");
    assert!(call.uri.starts_with("sip:+4930@"), "{call:?}");
    let theirs = there.take(&call, &[], BOTH);
    over(&here, ours, &there, theirs, gateway);
}

#[test]
fn texts_go_both_ways_within_a_call() {
    let home = Home::new();
    let script = "[greeting]\ntext = 'hello'\nwrite = 'I am here'\n";
    let (gateway, here, mut ours) = agent(&home, script, "", "INVITE, ACK, BYE, MESSAGE");
    let text = here.request("MESSAGE");
    here.answer(&text, 202, &[], None);
    assert_eq!((text.body.as_slice(), text.headers.to().unwrap().tag().is_some()), (&b"I am here"[..], true));
    here.send(&mut ours, "MESSAGE", &[("Content-Type", "text/plain")], "so am I");
    here.response(200);
    here.send(&mut ours, "MESSAGE", &[("Content-Type", "image/png")], "x");
    here.response(415);
    here.hang_up(ours);
    let journal = finished_journals(&gateway.recordings, 1).remove(0);
    let told = journal.records.iter().any(|record| record.to_string().contains("202"));
    assert!(told, "what became of it is in the journal");
    gateway.stop().exits(0);
}

// Refused before any rule

#[test]
fn a_call_that_is_refused_without_a_rule_leaves_a_short_journal_too() {
    let home = Home::new();
    home.file(
        "voxgw.toml",
        "recording.refused_per_minute = 4\nsip.authenticate = 'users'\n[users.alice]\npassword = 'rabbit-hole'\n",
    );
    let gateway = home.serve("echo", &[]);
    let here = Party::new();
    let invite = |from: &str, more: &[(&str, &str)]| {
        let from = format!("<sip:{from}@h>;tag=1");
        let mut headers = vec![("From", from.as_str())];
        headers.extend(more);
        here.invite("bob", gateway.udp, &headers, BOTH);
    };
    invite("carl", &[("Require", "teleport")]);
    here.response(420);
    // Asked for a password: no refusal. A wrong one is.
    invite("alice", &[]);
    let challenge = here.response(401);
    let (_, nonce) = challenge.headers.first("WWW-Authenticate").unwrap().split_once("nonce=\"").unwrap();
    let nonce = nonce.split('"').next().unwrap();
    let answer = format!(
        "Digest username=\"alice\", realm=\"voxgw\", nonce=\"{nonce}\", uri=\"sip:bob@h\", qop=auth, nc=00000001, \
         cnonce=\"1\", response=\"00000000000000000000000000000000\", algorithm=MD5"
    );
    invite("alice", &[("Authorization", &answer)]);
    here.response(401);
    let journals = finished_journals(&gateway.recordings, 2);
    let found = |journal: &Journal| {
        let labels: Vec<String> =
            journal.of_kind("sip").iter().map(|message| message["label"].as_str().unwrap().to_owned()).collect();
        (journal.records[0]["rule"].as_str().unwrap().to_owned(), journal.summary()["status"].clone(), labels.len())
    };
    assert_eq!(found(&journals[0]), ("require".to_owned(), json!(420), 2));
    assert_eq!(found(&journals[1]), ("password".to_owned(), json!(401), 2));
    let whole = journals[1].records.iter().map(ToString::to_string).collect::<String>();
    assert!(!whole.contains("response=\\\"0000"), "no answer to a challenge is written down: {whole}");
    // More than so many a minute are counted only.
    for _ in 0..5 {
        invite("carl", &[("Require", "teleport")]);
        here.response(420);
    }
    let health = ask(&gateway, "GET /v1/health", &Value::Null).1;
    assert_eq!(health["refused_unrecorded_total"], 3, "{health}");
    let log = gateway.stop().exits(0).stderr;
    for words in ["rule=\"require\"", "teleport", "rule=\"password\""] {
        assert!(log.contains(words), "no {words} in\n{log}");
    }
}

/// The caller hangs up; everything ends, and the gateway goes.
fn over(here: &Party, ours: party::Talk, there: &Party, _theirs: party::Talk, gateway: Gateway) {
    here.hang_up(ours);
    let bye = there.request("BYE");
    there.answer(&bye, 200, &[], None);
    both(&gateway);
    gateway.stop().exits(0);
}
