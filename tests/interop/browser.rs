//! The softphone in a real browser, and aiortc over WHIP: programs with ICE, DTLS, SRTP and jitter buffers of their own.
//!
//! Both ignore loopback, so they run in one network namespace and the gateway in another, with a cable between them.

use crate::{
    audio::{self, padded, voice},
    baresip::Baresip,
    process::{Running, own, text_of, voxgw, wait_until},
};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// The gateway's end of the cable, and the browser's.
const GATEWAY: &str = "10.99.0.1";
const BROWSER: &str = "10.99.0.2";
/// Of `web.token_file`.
const TOKEN: &str = "through-the-looking-glass";
/// Where telephones at the gateway's end find it.
const PHONES: &str = "127.0.0.1:5070";
/// How long anything may take to come about.
const LIMIT: Duration = Duration::from_secs(30);

/// Two namespaces and the cable; gone when this is.
struct Cable {
    names: [String; 2],
}

impl Cable {
    fn new() -> Self {
        let id = std::process::id();
        let names = [format!("voxgw-gw-{id}"), format!("voxgw-br-{id}")];
        let ends = [format!("vg{id}"), format!("vb{id}")];
        let this = Self { names: names.clone() };
        for name in &names {
            ip(&["netns", "add", name]);
        }
        ip(&[
            "link", "add", &ends[0], "netns", &names[0], "type", "veth", "peer", "name", &ends[1], "netns", &names[1],
        ]);
        for ((name, end), address) in names.iter().zip(&ends).zip([GATEWAY, BROWSER]) {
            ip(&["-n", name, "addr", "add", &format!("{address}/24"), "dev", end]);
            ip(&["-n", name, "link", "set", end, "up"]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        this
    }

    /// One more address of the gateway, to which the browser has no way.
    fn hide(&self, address: &str) {
        ip(&["-n", &self.names[0], "addr", "add", &format!("{address}/32"), "dev", "lo"]);
    }

    /// A command that runs at the gateway's end (0) or the browser's (1).
    fn at(&self, end: usize, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[end]]).arg(program);
        command
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().expect("ip of iproute2; scripts/interop installs it");
    assert!(status.success(), "ip {arguments:?}: network namespaces need root");
}

/// A gateway at its end of the cable.
struct Gateway {
    running: Running,
    folder: TempDir,
}

impl Gateway {
    fn start(cable: &Cable, agent: &str) -> Self {
        Self::configured(cable, agent, "")
    }

    /// With more lines of config.
    fn configured(cable: &Cable, agent: &str, more: &str) -> Self {
        let folder = TempDir::with_prefix("voxgw-browser-").expect("a temporary folder");
        fs::write(folder.path().join("voxgw.toml"), format!("web.join = 'anybody'\nregistrar.file = ''\n{more}"))
            .expect("a config");
        fs::write(folder.path().join("token"), TOKEN).expect("a token");
        let binary = PathBuf::from(voxgw().get_program());
        let mut command = cable.at(0, &binary);
        command.env("GEMINI_API_KEY", "of-the-mock-0123456789");
        command.args(["serve", "--config", "voxgw.toml", "--agent", agent, "--record", "always"]);
        command.args(["--recordings", "calls", "--api", "off", "--rtp-ports", "20000-20100"]);
        command.args(["--sip", &format!("udp:{PHONES}"), "--web", &format!("{GATEWAY}:8088")]);
        let mut running = Running::start("voxgw-serve", &mut command, folder.path());
        running.wait_for_word("ready", LIMIT);
        Self { running, folder }
    }

    /// The journals of both legs of its only bridge, once that is over; the caller's first.
    fn bridge(&self) -> [Vec<Value>; 2] {
        let calls = self.folder.path().join("calls");
        let journals = || -> Vec<Vec<Value>> {
            let folders = fs::read_dir(&calls).into_iter().flatten().flatten();
            let texts = folders.map(|folder| text_of(&folder.path().join("session.jsonl")));
            texts.map(|text| text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()).collect()
        };
        let over = |lines: &Vec<Value>| lines.last().is_some_and(|line| line["kind"] == "summary");
        let both = wait_until(LIMIT, || journals().iter().filter(|lines| over(lines)).count() == 2);
        assert!(both, "no two summaries\n{}", self.running.report());
        let mut journals = journals();
        journals.sort_by_key(|lines| lines[0]["direction"] == "out");
        journals.try_into().expect("two")
    }

    /// The journal of its only call, once that is over, and the caller's sound.
    fn only_call(&self) -> (Vec<Value>, Vec<f32>) {
        let calls = self.folder.path().join("calls");
        let folder = || fs::read_dir(&calls).ok()?.flatten().next().map(|entry| entry.path());
        let journal = || -> Vec<Value> {
            let text = folder().map(|folder| text_of(&folder.join("session.jsonl"))).unwrap_or_default();
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
        };
        let over = wait_until(LIMIT, || journal().last().is_some_and(|line| line["kind"] == "summary"));
        assert!(over, "no summary\n{}", self.running.report());
        std::thread::sleep(Duration::from_millis(200));
        (journal(), channel(&folder().expect("a call").join("call.wav"), 0))
    }
}

/// A driver in Python at the browser's end; gives the JSON that it says and what was heard.
fn drive(cable: &Cable, script: &str, place: &str, said: &[f32], seconds: f64) -> (Value, Vec<f32>, TempDir) {
    drive_with(cable, script, place, said, seconds, &[], |_| {})
}

/// The same with more arguments; `meanwhile` is done while it runs.
fn drive_with(
    cable: &Cable,
    script: &str,
    place: &str,
    said: &[f32],
    seconds: f64,
    more: &[&str],
    meanwhile: impl FnOnce(&mut Running),
) -> (Value, Vec<f32>, TempDir) {
    let folder = TempDir::with_prefix("voxgw-driver-").expect("a temporary folder");
    let microphone = folder.path().join("said.wav");
    audio::write_wav(&microphone, audio::RATE, said);
    let python = env::var("VOXGW_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = cable.at(1, Path::new(&python));
    command.arg(own("browser").join(script)).arg(format!("http://{GATEWAY}:8088{place}"));
    command.arg(&microphone).arg(folder.path()).arg(seconds.to_string()).args(more);
    let mut running = Running::start("driver", &mut command, folder.path());
    meanwhile(&mut running);
    let status = running.wait(Duration::from_secs_f64(seconds + 60.0));
    assert!(
        status.success(),
        "{script} ended with {status}; it needs Chromium, aiortc and websockets\n{}",
        running.report()
    );
    let said: Value = serde_json::from_str(running.stdout().lines().last().unwrap_or_default())
        .unwrap_or_else(|problem| panic!("{script}: {problem}\n{}", running.report()));
    let heard = folder.path().join("heard.wav");
    (said, if heard.exists() { channel(&heard, 0) } else { Vec::new() }, folder)
}

/// One channel of a file of any rate that 8 kHz divides, at 8 kHz.
fn channel(path: &Path, which: usize) -> Vec<f32> {
    let mut reader = hound::WavReader::open(path).expect("a wav");
    let spec = reader.spec();
    let all: Vec<f32> = reader.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32_768.0).collect();
    let step = (spec.sample_rate / audio::RATE) as usize;
    let one: Vec<f32> = all.iter().skip(which).step_by(usize::from(spec.channels)).copied().collect();
    one.chunks_exact(step).map(|piece| piece.iter().sum::<f32>() / step as f32).collect()
}

/// What the journal of a browser's call must tell, whoever the browser is.
fn assert_told(journal: &[Value], from: &str) {
    let of = |kind: &'static str| journal.iter().filter(move |line| line["kind"] == kind);
    assert_eq!(journal[0]["from"], from);
    let states: Vec<&str> = of("ice").filter_map(|line| line["state"].as_str()).collect();
    assert_eq!(states[..3], ["checking", "handshake", "connected"], "{states:?}");
    let pair = of("ice").find(|line| line["remote"].is_string()).expect("a chosen pair");
    assert!(pair["local"].as_str().unwrap().starts_with(GATEWAY), "{pair}");
    assert!(pair["remote"].as_str().unwrap().starts_with(BROWSER), "{pair}");
    let summary = journal.last().expect("a summary");
    assert_eq!(summary["ended_by"], "caller", "{summary}");
    let loss = summary["stats"]["inbound"]["loss_percent"].as_f64().expect("a figure");
    assert!(loss < 2.0, "{loss} % of the browser's packets were lost");
    assert!(of("stats").any(|line| line["outbound"]["rtt_ms"].is_number()), "the browser's round trip");
}

#[test]
#[ignore = "needs Chromium, python3 with websockets, and network namespaces"]
fn chromium_talks_to_echo_through_the_page() {
    let cable = Cable::new();
    let gateway = Gateway::start(&cable, "echo");
    let words = voice(4, 6);
    let said = [vec![0.0; 16_000], padded(&words, 10)].concat();
    let (shown, heard, pictures) = drive(&cable, "softphone.py", "/?to=echo&name=chromium", &said, 13.0);
    eprintln!("{shown}");
    assert_eq!(shown["shown"]["state"], "In call");
    assert_eq!(shown["shown"]["problem"], "");
    assert_eq!(shown["shown"]["q-connection"], "connected");
    assert_eq!(shown["shown"]["q-codec"], "opus 48 kHz");
    assert_eq!(shown["after"], "Ended");
    assert_eq!(shown["complaints"], serde_json::json!([]), "the console is quiet: the policy holds");
    assert_eq!(shown["fits_a_phone"], true);
    assert_within_reach(&shown);
    assert!(shown["up_after_s"].as_f64().expect("a time") < 5.0);
    assert!(shown["shown"]["q-rtt"].as_str().unwrap().ends_with(" ms"), "{shown}");
    for picture in ["desk.png", "phone.png"] {
        assert!(pictures.path().join(picture).metadata().expect("a picture").len() > 10_000);
    }
    if let Some(keep) = env::var_os("VOXGW_PICTURES").map(PathBuf::from) {
        for picture in ["desk.png", "phone.png"] {
            fs::copy(pictures.path().join(picture), keep.join(picture)).expect("a picture to keep");
        }
    }
    let (journal, caller) = gateway.only_call();
    assert_told(&journal, "web:chromium");
    assert!(journal.iter().any(|line| line["kind"] == "dtmf" && line["digit"] == "5"), "the pressed key");
    let there = audio::find(&words, &caller).expect("the words at the gateway");
    eprintln!("there at the gateway: {there:?}");
    // Opus keeps the sound, not the waveform.
    assert!(there.typical > 0.75, "what the microphone said: {there:?}");
    let back = audio::find(&words, &heard).expect("the words in the browser");
    eprintln!("back in the browser: {back:?}");
    assert!(back.typical > 0.7, "what the speaker said: {back:?}");
}

#[test]
#[ignore = "needs Chromium, python3 with websockets, and network namespaces"]
fn chromium_talks_to_gemini_through_the_page_and_reads_what_was_said() {
    let cable = Cable::new();
    let binary = PathBuf::from(voxgw().get_program());
    let mock = binary.with_file_name("examples").join("mock-gemini");
    assert!(mock.exists(), "{} is missing: cargo build --example mock-gemini", mock.display());
    let folder = TempDir::with_prefix("voxgw-mock-").expect("a temporary folder");
    let mut command = cable.at(0, &mock);
    let mock = Running::start("mock-gemini", command.args(["127.0.0.1:8801", "echo"]), folder.path());
    std::thread::sleep(Duration::from_millis(500));
    let more = "[agents.mock]\nkind = 'gemini'\nendpoint = 'ws://127.0.0.1:8801'\ngreeting = 'Say hello.'\n";
    let gateway = Gateway::configured(&cable, "mock", more);
    let words = voice(4, 13);
    // After the greeting; then silence, in which the model says it back.
    let said = [vec![0.0; 32_000], padded(&words, 12)].concat();
    let more = ["", "", "And what I write?"];
    let (shown, heard, _pictures) =
        drive_with(&cable, "softphone.py", "/?to=mock&name=chromium", &said, 18.0, &more, |_| {});
    eprintln!("{shown}\n{}", mock.report());
    assert_eq!((&shown["shown"]["state"], &shown["shown"]["problem"]), (&"In call".into(), &"".into()));
    assert_eq!(shown["complaints"], serde_json::json!([]));
    assert_eq!(shown["shown"]["q-agent"], "ready");
    let lines: Vec<&str> = shown["shown"]["transcript"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(lines[0], "AgentHello.", "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("You") && line.contains("something")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("You") && line.contains("And what I write?")), "{lines:?}");
    assert!(shown["shown"]["q-gap"].as_str().unwrap().ends_with(" ms"), "{shown}");
    let (journal, caller) = gateway.only_call();
    assert_told(&journal, "web:chromium");
    assert!(journal.iter().any(|line| line["kind"] == "transcript" && line["written"] == true), "the written words");
    let there = audio::find(&words, &caller).expect("the words at the gateway");
    let back = audio::find(&words, &heard).expect("the words in the browser");
    eprintln!("there at the gateway: {there:?}\nback in the browser: {back:?}");
    assert!(there.typical > 0.75, "what the microphone said: {there:?}");
    assert!(back.typical > 0.65, "what the speaker said: {back:?}");
}

#[test]
#[ignore = "needs python3 with aiortc, and network namespaces"]
fn dial_calls_a_whip_server_of_aiortc() {
    let cable = Cable::new();
    let folder = TempDir::with_prefix("voxgw-whip-").expect("a temporary folder");
    let python = env::var("VOXGW_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = cable.at(1, Path::new(&python));
    command.arg(own("browser").join("whip_server.py")).args([BROWSER, "8089"]);
    let mut server = Running::start("aiortc", &mut command, folder.path());
    server.wait_for_word("ready", LIMIT);
    let words = voice(4, 14);
    audio::write_wav(&folder.path().join("said.wav"), audio::RATE, &[vec![0.0; 8_000], padded(&words, 4)].concat());
    fs::write(folder.path().join("password"), "secret").expect("a password");
    let dial = |more: &[&str]| {
        let mut command = cable.at(0, &PathBuf::from(voxgw().get_program()));
        command.args(["dial", &format!("http://{BROWSER}:8089/whip/echo"), "--no-config"]).args(more);
        let mut running = Running::start("voxgw-dial", &mut command, folder.path());
        let status = running.wait(Duration::from_mins(1));
        (status.code(), running.report())
    };
    let (code, said) = dial(&["--silence", "--max", "5s"]);
    assert_eq!(code, Some(4), "who has no token is refused: {said}");
    let more = ["--password-file", "password", "--play", "said.wav", "--record", "heard.wav", "--journal", "mine"];
    let (code, said) = dial(&more);
    assert_eq!(code, Some(0), "{said}");
    server.wait_for_word("deleted", LIMIT);
    let back = audio::find(&words, &channel(&folder.path().join("heard.wav"), 0)).expect("the words came back");
    eprintln!("back from aiortc: {back:?}");
    assert!(back.typical > 0.7, "{back:?}");
}

#[test]
#[ignore = "needs python3 with aiortc, and network namespaces"]
fn aiortc_talks_to_echo_over_whip() {
    let cable = Cable::new();
    let gateway = Gateway::start(&cable, "echo");
    let words = voice(4, 7);
    let said = [vec![0.0; 8_000], padded(&words, 10)].concat();
    let (shown, heard, _folder) = drive(&cable, "whip.py", "/whip/echo?name=aiortc", &said, 11.0);
    eprintln!("{shown}");
    assert_eq!((&shown["status"], &shown["state"], &shown["ended"]), (&201.into(), &"connected".into(), &200.into()));
    let events: Vec<&str> = shown["events"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for wanted in ["connection", "speech", "stats", "turn"] {
        assert!(events.contains(&wanted), "the data channel carries events: {events:?}");
    }
    let (journal, caller) = gateway.only_call();
    assert_told(&journal, "web:aiortc");
    let there = audio::find(&words, &caller).expect("the words at the gateway");
    eprintln!("there at the gateway: {there:?}");
    assert!(there.typical > 0.9, "what it said: {there:?}");
    let back = audio::find(&words, &heard).expect("the words at aiortc");
    eprintln!("back at aiortc: {back:?}");
    // It conceals nothing, so a late packet counts.
    assert!(back.typical > 0.8, "{back:?}");
}

/// Everything can be worked by the keyboard, in the order in which it stands, and has a name for screen readers.
fn assert_within_reach(shown: &Value) {
    assert_eq!(shown["unnamed"], serde_json::json!([]), "what a screen reader could not name");
    let focus: Vec<&str> = shown["focus"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(focus[0], "a Skip to the phone", "{focus:?}");
    let places: Vec<Option<usize>> =
        ["to", "name", "token", "microphone", "clean", "call", "user", "password", "register"]
            .iter()
            .map(|id| focus.iter().position(|at| at == id))
            .collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} of {focus:?}");
    let roles: Vec<&str> = shown["roles"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for role in ["main", "banner", "heading", "log", "status"] {
        assert!(roles.contains(&role), "{role} is not among {roles:?}");
    }
}

/// Anna has a browser, bob a telephone.
const USERS: &str = "web.token_file = 'token'\n[users.anna]\npassword = 'rabbit-hole'\n[users.bob]\npassword = 'looking-glass'\n\
                     [[routes]]\nname = 'anna'\nto = 'anna'\nuser = 'anna'\n\
                     [[routes]]\nname = 'bob'\nto = 'bob'\nuser = 'bob'\n";

/// Both legs of a bridge between a browser and a telephone: Opus here, G.711 there, and both were heard.
fn assert_bridged(legs: &[Vec<Value>; 2], browser: usize, ended_by: &str) {
    let codec = |lines: &[Value]| lines.last().expect("a summary")["codec"].as_str().unwrap_or_default().to_owned();
    assert_eq!([codec(&legs[browser]), codec(&legs[1 - browser])], ["opus".to_owned(), "pcmu".to_owned()]);
    for lines in legs {
        assert_eq!(lines.last().expect("a summary")["ended_by"], ended_by, "{lines:?}");
        let left = lines.iter().find(|line| line["kind"] == "bridge" && line["state"] == "left").expect("a bridge");
        assert!(left["transcoded"].as_u64().unwrap_or(0) > 200, "{left}");
    }
}

#[test]
#[ignore = "needs Chromium, baresip, python3 with websockets, and network namespaces"]
fn chromium_calls_baresip_and_both_hear_each_other() {
    let cable = Cable::new();
    let gateway = Gateway::configured(&cable, "echo", USERS);
    let (here, there) = (voice(4, 8), voice(6, 9));
    let mut bob = Baresip::elsewhere(&cable.names[0], (PHONES, "bob", "looking-glass"), "", &there, 60);
    std::thread::sleep(Duration::from_secs(2));
    let said = [vec![0.0; 24_000], padded(&here, 10)].concat();
    let (shown, heard, _pictures) = drive(&cable, "softphone.py", "/?to=bob&name=chromium", &said, 13.0);
    eprintln!("{shown}");
    assert_eq!((&shown["shown"]["state"], &shown["shown"]["problem"]), (&"In call".into(), &"".into()));
    assert_eq!(shown["complaints"], serde_json::json!([]));
    let legs = gateway.bridge();
    bob.stop();
    let at_bob = audio::find(&here, &bob.heard()).expect("the words at the telephone");
    let at_page = audio::find(&there, &heard).expect("the words in the browser");
    eprintln!("at the telephone {at_bob:?}\nin the browser {at_page:?}");
    assert!(at_bob.typical > 0.75, "what the telephone played: {at_bob:?}");
    assert!(at_page.typical > 0.7, "what the speaker said: {at_page:?}");
    assert_bridged(&legs, 0, "caller");
    assert_eq!(legs[1][0]["from"], "web:chromium", "nobody has proved to be chromium");
}

#[test]
#[ignore = "needs Chromium, baresip, python3 with websockets, and network namespaces"]
fn baresip_calls_chromium_which_rings_and_answers_by_the_keyboard() {
    let cable = Cable::new();
    let gateway = Gateway::configured(&cable, "echo", USERS);
    let (here, there) = (voice(8, 10), voice(4, 11));
    // The microphone's file begins when the page takes the call.
    let said = [vec![0.0; 16_000], padded(&there, 10)].concat();
    let namespace = cable.names[0].clone();
    let mut bob = None;
    let (shown, heard, pictures) = drive_with(&cable, "softphone.py", "/", &said, 11.0, &["anna", TOKEN], |page| {
        page.wait_for_word("registered", LIMIT);
        let place = (PHONES, "bob", "looking-glass");
        bob = Some(Baresip::elsewhere(&namespace, place, "anna", &here, 40));
    });
    eprintln!("{shown}");
    assert_eq!(shown["ring"], "bob / answer", "the dialog has the focus");
    assert_eq!((&shown["shown"]["state"], &shown["shown"]["problem"]), (&"In call".into(), &"".into()));
    assert_eq!(shown["complaints"], serde_json::json!([]));
    if let Some(keep) = env::var_os("VOXGW_PICTURES").map(PathBuf::from) {
        fs::copy(pictures.path().join("incoming.png"), keep.join("incoming.png")).expect("a picture to keep");
    }
    let legs = gateway.bridge();
    let mut bob = bob.expect("it called");
    bob.stop();
    let at_bob = audio::find(&there, &bob.heard()).expect("the words at the telephone");
    let at_page = audio::find(&here, &heard).expect("the words in the browser");
    eprintln!("at the telephone {at_bob:?}\nin the browser {at_page:?}");
    assert!(at_bob.typical > 0.75, "what the telephone played: {at_bob:?}");
    assert!(at_page.typical > 0.7, "what the speaker said: {at_page:?}");
    assert_bridged(&legs, 1, "callee");
}

#[test]
#[ignore = "needs Chromium, coturn, python3 with websockets, and network namespaces"]
fn chromium_talks_through_coturn_where_there_is_no_other_way() {
    const HIDDEN: &str = "10.98.0.1";
    let cable = Cable::new();
    cable.hide(HIDDEN);
    let folder = TempDir::with_prefix("voxgw-coturn-").expect("a temporary folder");
    let mut command = cable.at(0, Path::new("turnserver"));
    command.args(["-n", "--use-auth-secret", "--static-auth-secret=north", "--realm=voxgw", "--log-file=stdout"]);
    command.args(["--no-cli", "--no-tls", "--no-dtls", "--no-rfc5780", "--min-port=21000", "--max-port=21050"]);
    command.args([&format!("--listening-ip={GATEWAY}"), &format!("--relay-ip={GATEWAY}"), "--listening-port=3478"]);
    command.arg(format!("--pidfile={}/pid", folder.path().display()));
    command.arg(format!("--userdb={}/db", folder.path().display()));
    let turn = Running::start("coturn", &mut command, folder.path());
    // Our media are at an address that the browser cannot reach: only the relay can.
    let gateway = Gateway::configured(
        &cable,
        "echo",
        &format!(
            "web.address = '{HIDDEN}'\nweb.stun = ['stun:{GATEWAY}:3478']\n\
             web.turn = ['turn:{GATEWAY}:3478?transport=udp']\nweb.turn_secret = 'north'\nweb.turn_ttl = '5m'\n"
        ),
    );
    let words = voice(4, 12);
    let said = [vec![0.0; 24_000], padded(&words, 10)].concat();
    let (shown, heard, _pictures) = drive(&cable, "softphone.py", "/?to=echo&name=chromium", &said, 13.0);
    eprintln!("{shown}\n{}", turn.report());
    assert_eq!(shown["shown"]["q-connection"], "connected");
    let (journal, caller) = gateway.only_call();
    let of = |kind: &'static str| journal.iter().filter(move |line| line["kind"] == kind);
    let pair = of("ice").find(|line| line["remote"].is_string()).expect("a chosen pair");
    assert!(pair["local"].as_str().unwrap().starts_with(HIDDEN), "{pair}");
    let remote = pair["remote"].as_str().unwrap();
    assert!(remote.starts_with(&format!("{GATEWAY}:210")), "the relay's address: {pair}");
    let there = audio::find(&words, &caller).expect("the words at the gateway");
    let back = audio::find(&words, &heard).expect("the words in the browser");
    eprintln!("there {there:?}\nback {back:?}");
    assert!(there.typical > 0.75 && back.typical > 0.7, "there {there:?}, back {back:?}");
}
