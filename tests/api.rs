//! The API as any client sees it: HTTP/1.1 written by hand over the Unix socket and over TCP.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures and helpers of tests"
)]

#[path = "support/program.rs"]
mod program;

use program::{Gateway, Home, LIMIT, finished_journals, journals, until};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Read, Write},
    net::TcpStream,
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::UnixStream,
    },
    time::Duration,
};

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|problem| panic!("{problem}: {self:?}"))
    }
}

/// Sends a request and reads the answer to its end.
#[track_caller]
fn exchange(mut stream: impl Read + Write, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request =
        format!("{line} HTTP/1.1\r\nHost: voxgw\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    request.push_str("\r\n");
    request.push_str(body);
    // A server that has heard enough answers and closes.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    // It may do so with our words unread: then the end of its answer is a reset.
    let end = stream.read_to_end(&mut answer);
    assert!(end.is_ok() || !answer.is_empty(), "{end:?}");
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer but {answer:?}"));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Answer { status: status.unwrap_or_else(|| panic!("no status in {head}")), body: body.to_owned() }
}

/// A connection to a gateway's socket that does not wait forever.
fn connect(gateway: &Gateway) -> UnixStream {
    let stream = UnixStream::connect(&gateway.socket).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

#[track_caller]
fn ask(gateway: &Gateway, line: &str) -> Answer {
    exchange(connect(gateway), line, &[], "")
}

#[track_caller]
fn ask_with(gateway: &Gateway, line: &str, body: &str) -> Answer {
    exchange(connect(gateway), line, &[], body)
}

/// The sessions of a gateway in a state.
fn sessions(gateway: &Gateway, state: &str) -> Vec<Value> {
    let snapshot = ask(gateway, "GET /v1/sessions").json();
    let sessions = snapshot["sessions"].as_array().unwrap();
    sessions.iter().filter(|session| session["state"] == state).cloned().collect()
}

/// The name of the one call that is up.
#[track_caller]
fn call_that_is_up(gateway: &Gateway) -> String {
    assert!(until(LIMIT, || sessions(gateway, "up").len() == 1), "no call is up");
    sessions(gateway, "up")[0]["header"]["call"].as_str().unwrap().to_owned()
}

/// Begins to read the events; items are the lines of the chunks that are objects.
fn follow(gateway: &Gateway) -> impl Iterator<Item = Value> {
    let mut stream = connect(gateway);
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: voxgw\r\n\r\n").unwrap();
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(&line).unwrap())
}

#[test]
fn the_socket_is_for_its_owner_only_and_goes_away() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let meta = fs::metadata(&gateway.socket).unwrap();
    assert!(meta.file_type().is_socket());
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(gateway.socket.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
    let socket = gateway.socket.clone();
    gateway.stop().exits(0);
    assert!(!socket.exists());
}

#[test]
fn a_socket_in_use_is_not_taken_and_a_dead_one_is_replaced() {
    let home = Home::new();
    let mut first = home.serve("echo:live", &[]);
    let place = format!("unix:{}", first.socket.display());
    let second = ["serve", "--agent", "echo", "--sip", "udp:127.0.0.1:0", "--record", "never", "--api", &place];
    home.run(&second).exits(7).complains().says(&["another gateway", "--api"]);
    assert_eq!(ask(&first, "GET /v1/health").status, 200, "the first goes on");
    first.running.signal("KILL");
    assert!(until(LIMIT, || first.running.has_ended()));
    assert!(first.socket.exists(), "killed programs leave their socket");
    let third = home.serve("echo:live", &[]);
    assert_eq!(ask(&third, "GET /v1/health").status, 200);
}

#[test]
fn a_snapshot_has_a_schema_the_gateway_and_its_sessions() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let empty = ask(&gateway, "GET /v1/sessions");
    assert_eq!(empty.status, 200);
    let empty = empty.json();
    assert_eq!(empty["schema"], "voxgw.snapshot/1");
    assert_eq!(empty["sessions"].as_array().map(Vec::len), Some(0));
    let listening = empty["gateway"]["listening"].to_string();
    assert!(listening.contains(&format!("udp:127.0.0.1:{}", gateway.udp)), "{listening}");
    home.dial(&gateway.target(), &["--silence", "--hangup-after", "300ms"]).exits(0);
    assert!(until(LIMIT, || sessions(&gateway, "ended").len() == 1));
    let session = sessions(&gateway, "ended").remove(0);
    assert_eq!((&session["header"]["agent"], &session["status"]), (&json!("echo:live"), &json!(200)));
    let call = session["header"]["call"].as_str().unwrap();
    let alone = ask(&gateway, &format!("GET /v1/sessions/{call}"));
    assert_eq!((alone.status, alone.json()), (200, session.clone()));
    let health = ask(&gateway, "GET /v1/health");
    assert_eq!((health.status, &health.json()["calls_total"]), (200, &json!(1)));
}

#[test]
fn events_begin_with_the_snapshot_and_go_on_with_records() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let mut events = follow(&gateway);
    let first = events.next().unwrap();
    assert_eq!((&first["type"], &first["schema"]), (&json!("snapshot"), &json!("voxgw.snapshot/1")));
    home.dial(&gateway.target(), &["--silence", "--dtmf", "5@100ms", "--hangup-after", "700ms"]).exits(0);
    let mut records = Vec::new();
    for item in events {
        if item["type"] == "gateway" {
            continue;
        }
        assert_eq!(item["type"], "record", "{item}");
        let is_last = item["record"]["kind"] == "summary";
        records.push(item);
        if is_last {
            break;
        }
    }
    let journal = &finished_journals(&gateway.recordings, 1)[0];
    let streamed: Vec<&Value> = records.iter().map(|item| &item["record"]).collect();
    assert_eq!(streamed, journal.records.iter().collect::<Vec<_>>(), "the stream is the journal");
    assert!(records.iter().all(|item| item["call"] == journal.records[0]["call"]));
    assert_eq!(
        streamed.iter().filter(|record| record["kind"] == "dtmf").count(),
        2,
        "heard, and sent back by the echo"
    );
}

#[test]
fn a_call_can_be_hung_up_by_the_operator() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    for (line, body, reason) in [
        ("POST /v1/sessions/CALL/hangup", "", "hung up by the operator"),
        ("POST /v1/sessions/CALL/hangup", "{\"reason\":\"closing time\"}", "closing time"),
        ("DELETE /v1/sessions/CALL", "", "hung up by the operator"),
    ] {
        let dial = home.start_dial(&gateway.target(), &["--silence", "-o", "json"]);
        let call = call_that_is_up(&gateway);
        assert_eq!(ask_with(&gateway, &line.replace("CALL", &call), body).status, 202);
        let document = dial.wait().exits(0).json();
        assert_eq!(document["sip"], "pass");
        assert!(until(LIMIT, || sessions(&gateway, "up").is_empty()));
        let session = ask(&gateway, &format!("GET /v1/sessions/{call}")).json();
        assert_eq!((&session["summary"]["ended_by"], &session["summary"]["reason"]), (&json!("us"), &json!(reason)));
        assert_eq!(ask_with(&gateway, &line.replace("CALL", &call), body).status, 409, "it is over");
        let keys = format!("POST /v1/sessions/{call}/dtmf");
        assert_eq!(ask_with(&gateway, &keys, "{\"digits\":\"1\"}").status, 409);
    }
    let journals = finished_journals(&gateway.recordings, 3);
    for journal in &journals {
        assert_eq!(journal.summary()["ended_by"], "us");
    }
    assert_eq!(journals.iter().filter(|journal| journal.summary()["reason"] == "hung up by the operator").count(), 2);
}

#[test]
fn keys_can_be_pressed_by_the_operator() {
    let home = Home::new();
    let gateway = home.serve("scripted", &[]);
    let dial = home.start_dial(&gateway.target(), &["--silence", "--hangup-after", "2s", "-o", "json"]);
    let call = call_that_is_up(&gateway);
    let line = format!("POST /v1/sessions/{call}/dtmf");
    assert_eq!(ask_with(&gateway, &line, "{\"digits\":\"12#\"}").status, 202);
    assert_eq!(ask_with(&gateway, &line, "{\"keys\":\"12#\"}").status, 400);
    assert_eq!(ask_with(&gateway, &line, "12#").status, 400);
    let document = dial.wait().exits(0).json();
    assert_eq!(document["calls"][0]["summary"]["dtmf"], "12#", "{document}");
}

#[test]
fn what_is_not_there_is_404_and_json() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    for line in [
        "GET /v1/sessions/c-00000001",
        "GET /v1/sessions/nonsense",
        "POST /v1/sessions/c-00000001/hangup",
        "DELETE /v1/sessions/c-00000001",
        "GET /v2/sessions",
        "GET /",
    ] {
        let answer = ask(&gateway, line);
        assert_eq!(answer.status, 404, "{line}: {answer:?}");
        assert!(answer.json()["error"].is_string(), "{line}: {answer:?}");
    }
    let wrong = ask(&gateway, "PATCH /v1/sessions");
    assert_eq!(wrong.status, 405);
    assert!(wrong.json()["error"].is_string(), "{wrong:?}");
    let large = ask_with(&gateway, "POST /v1/sessions/c-00000001/dtmf", &" ".repeat(3 << 20));
    assert_eq!(large.status, 413);
    assert!(large.json()["error"].is_string(), "{large:?}");
    assert_eq!(ask_with(&gateway, "POST /v1/sessions/c-00000001/hangup", "{\"why\":1}").status, 400);
    assert_eq!(ask(&gateway, "GET /v1/health").status, 200, "and it goes on");
}

#[test]
fn on_tcp_nothing_is_told_without_the_token() {
    let home = Home::new();
    home.file("token", "a-token-for-tests\n");
    let gateway = home.serve("echo:live", &["--api", "127.0.0.1:0", "--api-token-file", "token"]);
    let place = gateway.api.strip_prefix("http://").unwrap_or_else(|| panic!("{:?}", gateway.api));
    let status = |line: &str, headers: &[(&str, &str)]| {
        let stream = TcpStream::connect(place).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        exchange(stream, line, headers, "").status
    };
    let right = [("Authorization", "Bearer a-token-for-tests")];
    for line in ["GET /v1/sessions", "GET /v1/health", "GET /v1/events", "POST /v1/sessions/c-1/hangup", "GET /nowhere"]
    {
        assert_eq!(status(line, &[]), 401, "{line}");
        assert_eq!(status(line, &[("Authorization", "Bearer a-token-for-test")]), 401, "{line}");
        assert_eq!(status(line, &[("Authorization", "Bearer ")]), 401, "{line}");
    }
    assert_eq!(status("GET /v1/sessions", &right), 200);
    assert_eq!(status("GET /nowhere", &right), 404);
    home.run(&["monitor", &gateway.api, "--once"]).exits(4).complains().says(&["--token-file"]);
    home.run(&["monitor", &gateway.api, "--once", "--token-file", "token"]).exits(0);
    home.file("wrong", "another-token");
    let wrong = home.run(&["monitor", &gateway.api, "--once", "--token-file", "wrong"]).exits(4);
    wrong.complains().says(&["refused the token", "--token-file"]);
    let api = gateway.api.clone();
    let done = gateway.stop().exits(0);
    assert!(!done.stderr.contains("a-token-for-tests"), "{}", done.stderr);
    home.run(&["monitor", &api, "--once", "--token-file", "token"]).exits(3).complains();
}

#[test]
fn a_client_that_does_not_read_loses_items_and_holds_nobody_up() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &["--record", "never", "--log", "error"]);
    let mut slow = connect(&gateway);
    slow.write_all(b"GET /v1/events HTTP/1.1\r\nHost: voxgw\r\n\r\n").unwrap();
    let arguments = ["--silence", "--hangup-after", "20ms", "--repeat", "250", "--concurrency", "6", "-o", "json"];
    let document = home.dial(&gateway.target(), &arguments).exits(0).json();
    assert_eq!(document["succeeded"], 250);
    assert_eq!(ask(&gateway, "GET /v1/health").status, 200);
    slow.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let lines = BufReader::new(slow).lines().map_while(Result::ok);
    let mut items =
        lines.filter(|line| line.starts_with('{')).map(|line| serde_json::from_str::<Value>(&line).unwrap());
    let dropped = items.find(|item| item["type"] == "dropped").expect("it is told how many it missed");
    assert!(dropped["count"].as_u64().unwrap() > 0, "{dropped}");
    let after = items.next().expect("the stream goes on");
    assert!(["record", "gateway"].contains(&after["type"].as_str().unwrap()), "{after}");
}

#[test]
fn health_tells_how_many_rtp_ports_are_in_use() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let ports = || {
        let health = ask(&gateway, "GET /v1/health").json();
        (health["rtp_ports_used"].as_u64().unwrap(), health["rtp_ports"].as_u64().unwrap())
    };
    let (used, all) = ports();
    assert!(used == 0 && all > 1, "{used} of {all}");
    let dial = home.start_dial(&gateway.target(), &["--silence", "--hangup-after", "2s"]);
    call_that_is_up(&gateway);
    assert_eq!(ports(), (1, all));
    dial.wait().exits(0);
    assert!(until(LIMIT, || ports() == (0, all)), "they come back");
}

#[test]
fn a_draining_gateway_says_so() {
    let home = Home::new();
    let mut gateway = home.serve("echo:live", &["--drain", "20s"]);
    let dial = home.start_dial(&gateway.target(), &["--silence", "--hangup-after", "2s"]);
    call_that_is_up(&gateway);
    gateway.running.signal("TERM");
    gateway.running.wait_for_word("draining");
    assert!(until(LIMIT, || ask(&gateway, "GET /v1/health").status == 503));
    assert_eq!(ask(&gateway, "GET /v1/sessions").json()["gateway"]["draining"], true);
    dial.wait().exits(0);
    gateway.running.wait().exits(0);
}

#[test]
fn a_recording_can_be_paused_by_the_operator() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &["--pcap", "all"]);
    let question = home.file("tone.wav", tone_wav(7.0));
    let sound = question.display().to_string();
    let more = ["--play", &sound, "--delay", "0s", "--hangup-after", "1s", "-o", "json"];
    let dial = home.start_dial(&gateway.target(), &more);
    let call = call_that_is_up(&gateway);
    let line = format!("POST /v1/sessions/{call}/recording");
    let view = || ask(&gateway, &format!("GET /v1/sessions/{call}")).json();
    let wait = |seconds: f64| assert!(until(LIMIT, || view()["t"].as_f64().unwrap() > seconds));
    wait(1.5);
    assert_eq!(ask_with(&gateway, &line, "{\"state\":\"paused\"}").status, 202);
    assert!(until(LIMIT, || view()["recording_paused"] == true));
    wait(4.5);
    assert_eq!(ask_with(&gateway, &line, "{\"state\":\"on\"}").status, 202);
    for wrong in ["{\"state\":\"off\"}", "{\"paused\":true}", ""] {
        assert_eq!(ask_with(&gateway, &line, wrong).status, 400, "{wrong}");
    }
    dial.wait().exits(0);
    assert!(view().get("recording_paused").is_none());
    assert_eq!(ask_with(&gateway, &line, "{\"state\":\"on\"}").status, 409, "it is over");
    assert_eq!(ask_with(&gateway, "POST /v1/sessions/c-00000001/recording", "{\"state\":\"on\"}").status, 404);

    let journal = finished_journals(&gateway.recordings, 1).remove(0);
    let changes = journal.of_kind("recording");
    assert_eq!((changes.len(), &changes[0]["state"], &changes[1]["state"]), (2, &json!("paused"), &json!("on")));
    let whole = hound::WavReader::open(journal.folder.join("call.wav")).unwrap();
    let rate = whole.spec().sample_rate as usize;
    let at = |n: usize| (changes[n]["t"].as_f64().unwrap() * rate as f64) as usize;
    let samples: Vec<i16> = whole.into_samples().map(Result::unwrap).collect();
    for side in 0..2 {
        let channel: Vec<i16> = samples.iter().copied().skip(side).step_by(2).collect();
        // Half a second around each change is left out: packets have a length, and the recorder holds some back.
        let loud = |part: &[i16]| part.iter().filter(|sample| sample.abs() > 1_000).count() * 2 > part.len();
        assert!(channel[at(0) + rate / 2..at(1) - rate / 2].iter().all(|sample| *sample == 0), "side {side}");
        assert!(
            loud(&channel[rate / 2..at(0) - rate / 2]) && loud(&channel[at(1) + rate / 2..at(1) + rate]),
            "side {side}"
        );
    }
    gateway.stop().exits(0);
}

/// A tone at 8 kHz.
fn tone_wav(seconds: f64) -> Vec<u8> {
    tone_wav_of(440.0, seconds)
}

fn tone_wav_of(hz: f64, seconds: f64) -> Vec<u8> {
    let samples: Vec<i16> = (0..(seconds * 8_000.0) as usize)
        .map(|n| ((n as f64 * hz * std::f64::consts::TAU / 8_000.0).sin() * 8_000.0) as i16)
        .collect();
    voxgw::media::file::wav::write(voxgw::unit::SampleRate::HZ_8000, 1, &samples)
}

#[test]
fn after_a_crash_the_next_start_mends_the_recording_and_little_is_lost() {
    let home = Home::new();
    let gateway = home.serve("echo:live", &[]);
    let dial = home.start_dial(&gateway.target(), &["--silence", "--hangup-after", "20s", "-o", "json"]);
    let call = call_that_is_up(&gateway);
    let lasted = || ask(&gateway, &format!("GET /v1/sessions/{call}")).json()["t"].as_f64().unwrap();
    assert!(until(LIMIT, || lasted() > 3.3));
    let folder = journals(&gateway.recordings).remove(0).folder;
    let lasted_s = lasted();
    gateway.running.signal("KILL");
    let sound = folder.join("call.wav");
    let there = || fs::read(&sound).unwrap();
    let said = |bytes: &[u8]| u32::from_le_bytes([bytes[40], bytes[41], bytes[42], bytes[43]]) as usize;
    drop(gateway);
    let crashed = there();
    let kept_s = (crashed.len() - 44) as f64 / 32_000.0;
    assert!(lasted_s - kept_s < 1.0, "{kept_s} s of {lasted_s} s are on the disk");
    // A crash at the worst moment: the header is from before the first piece.
    let mut worst = crashed.clone();
    worst[40..44].copy_from_slice(&0_u32.to_le_bytes());
    worst[4..8].copy_from_slice(&36_u32.to_le_bytes());
    fs::write(&sound, worst).unwrap();

    let mut again = home.serve("echo:live", &[]);
    again.running.wait_for_word("recording.mended");
    let mended = there();
    assert_eq!(said(&mended), mended.len() - 44, "the header says what is there");
    assert_eq!(mended[44..], crashed[44..mended.len()]);
    let read = hound::WavReader::open(&sound).unwrap();
    assert!(f64::from(read.duration()) / 8_000.0 > lasted_s - 1.0);
    again.stop().exits(0);
    drop(dial);
}

/// The members of the only conference.
fn members(gateway: &Gateway) -> Vec<Value> {
    let all = ask(gateway, "GET /v1/conferences").json();
    let all = all["conferences"].as_array().unwrap();
    assert!(all.len() < 2, "{all:?}");
    all.first().map(|conference| conference["members"].as_array().unwrap().clone()).unwrap_or_default()
}

#[test]
fn calls_of_a_rule_hear_each_other_in_a_conference_and_the_operator_mutes_and_removes() {
    let home = Home::new();
    let rules = home.file(
        "rules.toml",
        "[gateway]\nworkers = 2\n[[routes]]\nname = 'together'\nto = 'team*'\nconference = 'team'\n",
    );
    let gateway = home.serve("echo:live", &["--config", &rules.display().to_string()]);
    let target = format!("sip:team@127.0.0.1:{}", gateway.udp);
    let tones = [400.0, 1_000.0, 1_900.0];
    let mut dials = Vec::new();
    for (n, hz) in tones.into_iter().enumerate() {
        let sound = home.file(&format!("{n}.wav"), tone_wav_of(hz, 9.0)).display().to_string();
        let record = home.path().join(format!("heard-{n}.wav")).display().to_string();
        let more = ["--play", &sound, "--delay", "0s", "--hangup-after", "1s", "--record", &record, "-o", "json"];
        dials.push((home.start_dial(&target, &more), record));
        assert!(until(LIMIT, || members(&gateway).len() == n + 1), "{n}: {:?}", members(&gateway));
    }
    let of = |call: &Value, more: &str| format!("{{\"call\":{call}{more}}}");
    assert!(until(LIMIT, || members(&gateway).iter().any(|member| member["speaks"] == true)));
    let first = members(&gateway)[0]["call"].clone();
    std::thread::sleep(Duration::from_secs(3));
    // From here on the first is not heard, and after two seconds not there.
    let mute = of(&first, ",\"muted\":true");
    assert_eq!(ask_with(&gateway, "POST /v1/conferences/team/mute", &mute).status, 202);
    assert!(until(LIMIT, || members(&gateway)[0]["muted"] == true));
    let quieter = of(&members(&gateway)[1]["call"], ",\"decibels\":-6");
    assert_eq!(ask_with(&gateway, "POST /v1/conferences/team/gain", &quieter).status, 202);
    assert_eq!(ask_with(&gateway, "POST /v1/conferences/team/gain", &quieter.replace("-6", "60")).status, 400);
    assert_eq!(ask_with(&gateway, "POST /v1/conferences/other/mute", &mute).status, 404);
    let role = of(&first, ",\"role\":\"whispers\"");
    assert_eq!(ask_with(&gateway, "POST /v1/conferences/team/role", &role).status, 400, "to whom?");
    assert_eq!(ask_with(&gateway, "POST /v1/conferences/team/role", &role.replace("whispers", "listens")).status, 202);
    assert_eq!(members(&gateway)[0]["role"], "listens");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(ask_with(&gateway, "POST /v1/conferences/team/kick", &of(&first, "")).status, 202);
    assert!(until(LIMIT, || members(&gateway).len() == 2));
    for (n, (dial, record)) in dials.into_iter().enumerate() {
        dial.wait().exits(0);
        let heard = program::read_wav(std::path::Path::new(&record)).remove(1);
        let rate = hound::WavReader::open(&record).unwrap().spec().sample_rate;
        let share = |hz, from: usize, until: usize| {
            let part = &heard[from * rate as usize / 1_000..until * rate as usize / 1_000];
            voxgw::media::dsp::tone::share_at(hz, voxgw::unit::SampleRate(rate), part)
        };
        // The last two seconds that all three spoke.
        let (from, until) = if n == 2 { (500, 2_300) } else { (1_500, 2_800) };
        for (other, hz) in tones.into_iter().enumerate() {
            let share = share(hz, from, until);
            if other == n {
                assert!(share < 0.01, "{n} hears itself: {share}");
            } else {
                assert!(share > 0.2, "{n} hears {other}: {share}");
            }
        }
    }
    assert!(until(LIMIT, || members(&gateway).is_empty()));
    gateway.stop().exits(0);
}

#[test]
fn the_operator_puts_agents_callers_into_a_conference() {
    let home = Home::new();
    // Each lives on a worker of its own.
    let two = home.file("two.toml", "[gateway]\nworkers = 2\n");
    let gateway = home.serve("echo:live", &["--config", &two.display().to_string()]);
    let tones = [400.0, 1_900.0];
    let dial = |hz: f64| {
        let sound = home.file(&format!("{hz}.wav"), tone_wav_of(hz, 20.0)).display().to_string();
        let record = home.path().join(format!("heard-{hz}.wav")).display().to_string();
        (
            home.start_dial(&gateway.target(), &["--play", &sound, "--delay", "0s", "--record", &record, "-o", "json"]),
            record,
        )
    };
    let dials = tones.map(dial);
    assert!(until(LIMIT, || sessions(&gateway, "up").len() == 2));
    let calls: Vec<String> =
        sessions(&gateway, "up").iter().map(|call| call["header"]["call"].as_str().unwrap().to_owned()).collect();
    for call in &calls {
        let line = format!("POST /v1/sessions/{call}/conference");
        assert_eq!(ask_with(&gateway, &line, "{\"name\":\"a/b\"}").status, 400);
        assert_eq!(ask_with(&gateway, &line, "{\"name\":\"team\"}").status, 202);
        assert_eq!(ask_with(&gateway, &line, "{\"name\":\"team\"}").status, 409, "it is there already");
    }
    assert_eq!(ask_with(&gateway, "POST /v1/sessions/c-00000001/conference", "{\"name\":\"team\"}").status, 404);
    assert_eq!(members(&gateway).len(), 2);
    std::thread::sleep(Duration::from_secs(4));
    for call in &calls {
        ask_with(&gateway, "POST /v1/conferences/team/kick", &format!("{{\"call\":\"{call}\"}}"));
    }
    for (n, (dial, record)) in dials.into_iter().enumerate() {
        dial.wait().exits(0);
        let heard = program::read_wav(std::path::Path::new(&record)).remove(1);
        let rate = voxgw::unit::SampleRate(hound::WavReader::open(&record).unwrap().spec().sample_rate);
        // The last two seconds but a half.
        let half = rate.0 as usize / 2;
        let part = &heard[heard.len() - 5 * half..heard.len() - half];
        let shares = tones.map(|hz| voxgw::media::dsp::tone::share_at(hz, rate, part));
        assert!(shares[1 - n] > 0.8 && shares[n] < 0.01, "{n} hears {shares:?}");
    }
    let journals = finished_journals(&gateway.recordings, 2);
    for journal in &journals {
        let changes: Vec<&Value> = journal.of_kind("bridge");
        assert_eq!((&changes[0]["state"], &changes[0]["text"]), (&json!("joined"), &json!("conference team")));
        assert_eq!(journal.summary()["reason"], "removed from the conference");
    }
    gateway.stop().exits(0);
}

#[test]
fn an_agent_takes_part_by_a_call_of_the_gateway_to_itself() {
    let home = Home::new();
    let rules = home.file(
        "rules.toml",
        "[[routes]]\nname = 'together'\nto = 'team'\nconference = 'team'\n[[routes]]\nname = 'agent'\nagent = 'scripted'\n",
    );
    let gateway = home.serve("scripted", &["--config", &rules.display().to_string()]);
    let target = format!("sip:team@127.0.0.1:{}", gateway.udp);
    let record = home.path().join("heard.wav").display().to_string();
    let dial = home.start_dial(&target, &["--silence", "--hangup-after", "6s", "--record", &record, "-o", "json"]);
    assert!(until(LIMIT, || members(&gateway).len() == 1));
    let placed = ask_with(&gateway, "POST /v1/calls", &format!("{{\"to\":\"{target}\",\"agent\":\"scripted\"}}"));
    assert_eq!(placed.status, 201, "{placed:?}");
    assert!(until(LIMIT, || members(&gateway).len() == 2), "{:?}", members(&gateway));
    dial.wait().exits(0);
    let heard = program::read_wav(std::path::Path::new(&record)).remove(1);
    let loud = heard.iter().filter(|sample| sample.abs() > 1_500).count();
    assert!(loud > 2_000, "the agent's greeting is not heard: {loud} of {}", heard.len());
    let agent = placed.json()["call"].as_str().unwrap().to_owned();
    ask_with(&gateway, &format!("POST /v1/sessions/{agent}/hangup"), "");
    assert!(until(LIMIT, || members(&gateway).is_empty()));
    gateway.stop().exits(0);
}

#[test]
fn a_call_of_ours_goes_into_a_conference_when_it_is_answered() {
    let home = Home::new();
    let one = home.file("one.toml", "[gateway]\nworkers = 1\n");
    let there = Home::new();
    let callee = there.serve("echo:live", &[]);
    let gateway = home.serve("scripted", &["--config", &one.display().to_string()]);
    let placed = ask_with(&gateway, "POST /v1/calls", &format!("{{\"to\":\"{}\"}}", callee.target()));
    assert_eq!(placed.status, 201, "{placed:?}");
    let call = placed.json()["call"].as_str().unwrap().to_owned();
    // Whether it still rings or not.
    let line = format!("POST /v1/sessions/{call}/conference");
    assert_eq!(ask_with(&gateway, &line, "{\"name\":\"team\"}").status, 202);
    let journal = || journals(&gateway.recordings).into_iter().next();
    let joined =
        |journal: &program::Journal| journal.of_kind("bridge").iter().any(|change| change["state"] == "joined");
    assert!(until(LIMIT, || journal().is_some_and(|journal| joined(&journal))));
    ask_with(&gateway, "POST /v1/conferences/team/kick", &format!("{{\"call\":\"{call}\"}}"));
    assert!(until(LIMIT, || members(&gateway).is_empty()));
    gateway.stop().exits(0);
    callee.stop().exits(0);
}
