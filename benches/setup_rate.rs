//! Calls set up and ended per second and core: `voxgw serve` beside `SIPp`'s own answering side, in one run.
//!
//! `cargo bench --bench setup_rate -- --calls 5000 --rate 300`
//!
//! `SIPp` calls each of them the same way (INVITE, 180, 200, ACK, BYE); what is compared is their CPU time per call.
//! The gateway does everything that it does for a call: ports, a session, an agent; only nothing is kept. Also prints
//! the memory of an idle dialog in the endpoint alone, and what is left of it after 64·T1. Needs `sipp`.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures of a bench"
)]

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};
use voxgw::{
    clock::Instant,
    sip::{
        endpoint::{self, Endpoint, Event, Output},
        tx::{Path, Transport},
    },
};

fn number(flag: &str, otherwise: u64) -> u64 {
    let words: Vec<String> = std::env::args().collect();
    let at = words.iter().position(|word| word == flag);
    at.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(otherwise)
}

/// CPU seconds and resident KiB of a process.
fn usage(pid: u32) -> (f64, u64) {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    ((field(11) + field(12)) / 100.0, resident.unwrap_or(0))
}

/// `SIPp` calls 127.0.0.1:`port`; how many calls succeeded.
fn call(port: u16, calls: u64, rate: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new("sipp")
        .args(["-sn", "uac", &format!("127.0.0.1:{port}"), "-i", "127.0.0.1", "-p", "27500", "-mp", "27700"])
        .args(["-m", &calls.to_string(), "-r", &rate.to_string(), "-d", "0", "-nostdin", "-timeout", "120"])
        .current_dir(folder.path())
        .output()
        .expect("sipp runs");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let line = text.lines().rfind(|line| line.contains("Successful call")).unwrap_or_default();
    line.split('|').next_back().and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

fn measured(name: &str, process: &Child, port: u16, calls: u64, rate: u64) -> f64 {
    call(port, 200, rate);
    let (before, _) = usage(process.id());
    let succeeded = call(port, calls, rate);
    let (after, resident) = usage(process.id());
    let each_ms = (after - before) * 1_000.0 / calls as f64;
    println!(
        "{name:<10} {succeeded} of {calls} calls, {each_ms:.3} ms of CPU each: {:.0} per second and core; {resident} KiB",
        1_000.0 / each_ms
    );
    each_ms
}

fn main() {
    let (calls, rate) = (number("--calls", 5_000), number("--rate", 300));
    dialogs();
    let mut sipp = Command::new("sipp")
        .args(["-sn", "uas", "-i", "127.0.0.1", "-p", "27062", "-mp", "27900", "-nostdin"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sipp starts");
    std::thread::sleep(Duration::from_secs(1));
    let theirs = measured("sipp -sn uas", &sipp, 27_062, calls, rate);
    let _ = sipp.kill();
    let _ = sipp.wait();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_voxgw"))
        .args(["serve", "--no-config", "--agent", "echo:live", "--sip", "udp:127.0.0.1:27061", "--record", "never"])
        .args(["--api", "off", "--rtp-ports", "30000-39999", "--max-calls", "5000", "--log", "error"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the gateway starts");
    let mut talk = BufReader::new(serve.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("ready") && talk.read_line(&mut line).unwrap_or(0) != 0 {}
    std::thread::spawn(move || std::io::copy(&mut talk, &mut std::io::sink()));
    let ours = measured("voxgw", &serve, 27_061, calls, rate);
    let _ = Command::new("kill").arg(serve.id().to_string()).status();
    let _ = serve.wait();
    println!("ratio      voxgw takes {:.1} times the CPU of sipp's own answering side", ours / theirs);
}

/// Memory of dialogs that are up and say nothing, and of the endpoint when all is over.
fn dialogs() {
    const COUNT: u64 = 20_000;
    let own = std::process::id();
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let path = Path {
        transport: Transport::Udp,
        remote: address("192.0.2.10:5060"),
        local: address("203.0.113.5:5060"),
        connection: None,
    };
    let mut endpoint = Endpoint::new(endpoint::Settings { transactions_max: usize::MAX, ..Default::default() });
    let (_, before) = usage(own);
    let mut now = Instant::ZERO;
    let mut ends = Vec::new();
    for n in 0..COUNT {
        now = Instant::from_millis(n);
        let headers = |method: &str, to: &str, cseq: u32| {
            format!(
                "{method} sip:us@203.0.113.5 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{n:x}{method}\r\n\
                 From: <sip:caller@example.org>;tag=f{n:x}\r\nTo: {to}\r\nCall-ID: {n:x}@192.0.2.10\r\nCSeq: {cseq} {method}\r\n\
                 Contact: <sip:caller@192.0.2.10:5060>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            )
        };
        endpoint.handle(now, path, headers("INVITE", "<sip:us@203.0.113.5>", 1).as_bytes());
        let mut to = String::new();
        loop {
            match endpoint.poll() {
                Output::Timeout(_) => break,
                Output::Event(Event::Invite(leg, _)) => {
                    endpoint.command(now, endpoint::Command::Answer(leg, "v=0\r\n".to_owned()));
                }
                Output::Transmit(_, bytes) => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap_or_default().clone_into(&mut to);
                }
                _ => {}
            }
        }
        endpoint.handle(now, path, headers("ACK", &to, 1).as_bytes());
        while !matches!(endpoint.poll(), Output::Timeout(_)) {}
        ends.push(headers("BYE", &to, 2));
    }
    let sentences: u64 = ends.iter().map(|text| text.capacity() as u64).sum();
    // All INVITE transactions are over; the dialogs stay.
    now += Duration::from_secs(40);
    endpoint.handle_timeout(now);
    while !matches!(endpoint.poll(), Output::Timeout(_)) {}
    let (transactions, dialogs, _) = endpoint.alive();
    let (_, idle) = usage(own);
    println!(
        "dialogs    {dialogs} idle, {transactions} transactions: {:.1} KiB each",
        (idle.saturating_sub(before).saturating_sub(sentences / 1_024)) as f64 / COUNT as f64
    );
    for bye in &ends {
        endpoint.handle(now, path, bye.as_bytes());
        while !matches!(endpoint.poll(), Output::Timeout(_)) {}
    }
    now += Duration::from_secs(40);
    endpoint.handle_timeout(now);
    while !matches!(endpoint.poll(), Output::Timeout(_)) {}
    println!("after BYE and 64·T1: transactions, dialogs, legs alive: {:?}", endpoint.alive());
}
