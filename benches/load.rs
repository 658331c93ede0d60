//! Whole calls under load, all on this machine: `voxgw dial` → `voxgw serve` → a MOCK of Gemini Live.
//!
//! `cargo bench --bench load -- --calls 100 --seconds 20 [--record always|journal|never]`
//!
//! Prints the gateway's CPU and memory per call and the latency that it adds, measured at its sockets. The mock
//! talks half of the time in 100 ms messages; the caller's sound is speech. Figures move from machine to machine:
//! compare runs of one machine.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

#[allow(dead_code, reason = "shared with the tests")]
#[path = "../tests/support/mock_gemini.rs"]
mod mock_gemini;

use mock_gemini::{MockGemini, Script};
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

struct Options {
    calls: u32,
    seconds: u64,
    record: String,
}

fn options() -> Options {
    let words: Vec<String> = std::env::args().collect();
    let after = |flag: &str| words.iter().position(|word| word == flag).and_then(|at| words.get(at + 1)).cloned();
    let number = |flag: &str, otherwise: u64| after(flag).and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    Options {
        calls: u32::try_from(number("--calls", 100)).unwrap_or(100),
        seconds: number("--seconds", 20),
        record: after("--record").unwrap_or_else(|| "journal".to_owned()),
    }
}

/// Clock ticks of user and system time, and resident KiB, of a process.
fn usage(process: &Child) -> (u64, u64) {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    (field(11) + field(12), resident)
}

fn main() {
    let options = options();
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let mock = runtime.block_on(MockGemini::start(Script::new().talk_duty(2_000, 2_000).chunk_ms(100)));
    let config = temporary.path().join("voxgw.toml");
    let text = format!("[agents.load]\nkind = \"gemini\"\nendpoint = \"{}\"\ngreeting = \"none\"\n", mock.url);
    std::fs::write(&config, text).expect("a config");
    let calls_folder = temporary.path().join("calls");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_voxgw"))
        .args([
            "serve",
            "--sip",
            "udp:127.0.0.1:25060",
            "--agent",
            "load",
            "--rtp-ports",
            "30000-39999",
            "--log",
            "error",
        ])
        .args(["--record", &options.record, "--api"])
        .arg(format!("unix:{}", temporary.path().join("api.sock").display()))
        .arg("--recordings")
        .arg(&calls_folder)
        .arg("--config")
        .arg(&config)
        .env("GEMINI_API_KEY", "load-test-key-0123456789")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the gateway starts");
    let mut talk = BufReader::new(serve.stderr.take().expect("its stderr"));
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        assert!(talk.read_line(&mut line).unwrap_or(0) != 0, "the gateway did not start");
    }
    std::thread::spawn(move || std::io::copy(&mut talk, &mut std::io::sink()));
    std::thread::sleep(Duration::from_millis(500));
    let (_, idle_kib) = usage(&serve);

    let ramp = Duration::from_secs_f64(f64::from(options.calls) / 50.0);
    let stay = ramp + Duration::from_secs(options.seconds) + Duration::from_secs(4);
    let mut dial = Command::new(env!("CARGO_BIN_EXE_voxgw"))
        .args([
            "dial",
            "sip:127.0.0.1:25060",
            "--no-config",
            "--rtp-ports",
            "40000-49999",
            "--rate",
            "50/s",
            "-o",
            "json",
            "--codec",
            "pcmu",
        ])
        .args(["--repeat", &options.calls.to_string(), "--concurrency", &options.calls.to_string()])
        .args(["--max", &format!("{}ms", stay.as_millis()), "--hangup-after", "10m", "--delay", "500ms"])
        .args(std::iter::repeat_n(["--play", "recordings/question.wav"], 12).flatten())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("dial starts");
    std::thread::sleep(ramp + Duration::from_secs(2));
    let (before_ticks, _) = usage(&serve);
    let (dial_before, _) = usage(&dial);
    let watch = Instant::now();
    std::thread::sleep(Duration::from_secs(options.seconds));
    let (after_ticks, loaded_kib) = usage(&serve);
    let (dial_after, _) = usage(&dial);
    let elapsed = watch.elapsed().as_secs_f64();
    let mut document = String::new();
    if let Some(mut out) = dial.stdout.take() {
        let _ = std::io::Read::read_to_string(&mut out, &mut document);
    }
    let code = dial.wait().ok().and_then(|status| status.code());
    let outcome: serde_json::Value = serde_json::from_str(&document).unwrap_or_default();
    let _ = Command::new("kill").arg(serve.id().to_string()).status();
    let _ = serve.wait();

    let calls = f64::from(options.calls);
    let ms = |ticks: u64| ticks as f64 * 10.0 / elapsed / calls;
    println!("calls            {} for {elapsed:.1} s, recording {}", options.calls, options.record);
    println!("succeeded        {} of {}, dial's exit code {code:?}", outcome["succeeded"], outcome["placed"]);
    println!("lost packets     {} %", outcome["loss_percent"]);
    println!("gateway CPU      {:.2} ms per call-second", ms(after_ticks - before_ticks));
    println!("dial CPU         {:.2} ms per call-second", ms(dial_after - dial_before));
    println!(
        "gateway memory   {:.0} KiB per call (idle {idle_kib} KiB, loaded {loaded_kib} KiB)",
        (loaded_kib.saturating_sub(idle_kib)) as f64 / calls
    );
    if options.record != "never" {
        latency(&calls_folder, "uplink", "RTP in → provider socket, voiced frames");
        latency(&calls_folder, "downlink", "provider socket → RTP out, first packet of a spurt");
    }
    let violations = mock.violations();
    println!("protocol         {} violations, continuity {:.3}", violations.len(), mock.continuity());
    for violation in violations.iter().take(3) {
        println!("  {violation}");
    }
}

/// Percentiles over the calls of what each call's summary says.
fn latency(folder: &Path, field: &str, what: &str) {
    let mut found: Vec<(f64, f64, f64)> = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(entry.path().join("session.jsonl")).unwrap_or_default();
        let summary: serde_json::Value =
            serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default();
        let value = &summary[field];
        if let (Some(p50), Some(p99), Some(max)) =
            (value["p50_ms"].as_f64(), value["p99_ms"].as_f64(), value["max_ms"].as_f64())
        {
            found.push((p50, p99, max));
        }
    }
    if found.is_empty() {
        println!("{what}: nothing measured");
        return;
    }
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let worst = |values: &dyn Fn(&(f64, f64, f64)) -> f64| found.iter().map(values).fold(0.0, f64::max);
    println!(
        "{what}: p50 {:.1} ms, p99 {:.1} ms (median of the calls), worst call's p99 {:.1} ms, max {:.1} ms",
        middle(found.iter().map(|f| f.0).collect()),
        middle(found.iter().map(|f| f.1).collect()),
        worst(&|f| f.1),
        worst(&|f| f.2)
    );
}
