//! WebRTC under load, all on this machine: sessions of our own WHIP peer → `voxgw serve --web` → a MOCK of Gemini Live.
//!
//! `cargo bench --bench web_load -- --sessions 100 --seconds 20 --short 1000 [--shared]`
//!
//! First many sessions at once, in Opus at complexity 5, the agent talking half of the time: the gateway's CPU for a second
//! of one session, and its memory. Then short sessions, twenty at a time: what of them is left. Each figure stands beside
//! its goal. `--shared` lets all sessions of a worker share a port (`web.media_port`). Compare runs of one machine only.
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
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
};
use voxgw::{
    clock::SystemClock,
    media::codec::{Wanted, by_name},
    unit::SampleRate,
    webrtc::peer::{Peer, Said, Settings, State},
};

const WEB: &str = "127.0.0.1:25088";
/// Goals of the project.
const CPU_GOAL_MS: f64 = 5.0;
const MEMORY_GOAL_KIB: f64 = 300.0;
/// Memory that a short session may leave behind: the last 500 finished sessions stay in the monitor.
const LEFT_GOAL_KIB: f64 = 1.0;

fn number(flag: &str, otherwise: u64) -> u64 {
    let words: Vec<String> = std::env::args().collect();
    let at = words.iter().position(|word| word == flag);
    at.and_then(|at| words.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// What a process takes now.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    ticks: u64,
    resident_kib: u64,
    files: usize,
    threads: u64,
}

fn usage(process: &Child) -> Usage {
    let place = format!("/proc/{}", process.id());
    let read = |name: &str| std::fs::read_to_string(format!("{place}/{name}")).unwrap_or_default();
    let stat = read("stat");
    let fields: Vec<u64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .map(|text| text.parse().unwrap_or_default())
        .collect();
    let field = |at: usize| fields.get(at).copied().unwrap_or_default();
    let status = read("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Usage {
        ticks: field(11) + field(12),
        resident_kib: line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default(),
        files: std::fs::read_dir(format!("{place}/fd")).map_or(0, Iterator::count),
        threads: field(17),
    }
}

/// A request on a connection of its own: status, Location, body.
async fn http(method: &str, path: &str, body: &str) -> Option<(u16, String, String)> {
    let mut stream = TcpStream::connect(WEB).await.ok()?;
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {WEB}\r\nConnection: close\r\nContent-Type: application/sdp\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let location = head.lines().filter_map(|line| line.split_once(": "));
    let location = location.filter(|(name, _)| name.eq_ignore_ascii_case("location")).map(|(_, value)| value).next();
    Some((status, location.unwrap_or_default().to_owned(), body.to_owned()))
}

/// What all sessions of a run came to.
#[derive(Debug, Default)]
struct Tally {
    connected: AtomicU64,
    failed: AtomicU64,
    sent: AtomicU64,
    heard: AtomicU64,
}

/// One session that talks for `stay` once it is connected.
async fn session(voice: Arc<Vec<Vec<u8>>>, settings: Arc<Settings>, stay: Duration, tally: Arc<Tally>) {
    if converse(&voice, &settings, stay, &tally).await.is_none() {
        tally.failed.fetch_add(1, Ordering::Relaxed);
    }
}

async fn converse(voice: &[Vec<u8>], settings: &Settings, stay: Duration, tally: &Tally) -> Option<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.ok()?;
    let local = socket.local_addr().ok()?;
    let now = SystemClock::now();
    let std_now = Instant::now();
    let base = std_now.checked_sub(Duration::from_nanos(now.as_nanos())).unwrap_or(std_now);
    let (mut peer, offer) = Peer::offer(now, base, settings, local, (&["opus"], false)).ok()?;
    let (status, location, answer) = http("POST", "/whip/load?name=bench", &offer).await?;
    if status != 201 {
        eprintln!("refused: {status} {answer}");
        return None;
    }
    let described = peer.take_answer(SystemClock::now(), &answer, local).ok()?;
    let media = described.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    let payload_type: u8 = media.split(' ').nth(2)?.parse().ok()?;
    let give_up = Instant::now() + Duration::from_secs(15);
    let (mut buffer, mut packet) = (vec![0; 2_048], Vec::new());
    let mut talks: Option<(Instant, u64)> = None;
    loop {
        while let Some((to, bytes)) = peer.transmit() {
            let _ = socket.try_send_to(&bytes, to);
        }
        while let Some(said) = peer.poll() {
            match said {
                Said::Rtp => {
                    peer.packet(&mut packet);
                    tally.heard.fetch_add(1, Ordering::Relaxed);
                }
                Said::State(State::Connected) if talks.is_none() => {
                    tally.connected.fetch_add(1, Ordering::Relaxed);
                    talks = Some((Instant::now(), 0));
                }
                Said::Failed(why) => {
                    eprintln!("failed: {why}");
                    return None;
                }
                _ => {}
            }
        }
        let mut at = SystemClock::deadline(peer.timeout());
        match &mut talks {
            None if Instant::now() > give_up => return None,
            None => at = at.min(give_up.into()),
            Some((began, _)) if began.elapsed() >= stay => break,
            Some((began, sent)) => {
                let due = *began + Duration::from_millis(20 * *sent);
                if due <= Instant::now() {
                    let n = *sent;
                    *sent += 1;
                    let mut bytes = vec![0x80, payload_type | if n == 0 { 0x80 } else { 0 }];
                    bytes.extend((n as u16).to_be_bytes());
                    bytes.extend((n as u32).wrapping_mul(960).to_be_bytes());
                    bytes.extend(7_u32.to_be_bytes());
                    bytes.extend_from_slice(&voice[n as usize % voice.len()]);
                    peer.rtp(SystemClock::now(), &bytes);
                    tally.sent.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                at = at.min(due.into());
            }
        }
        match tokio::time::timeout_at(at, socket.recv_from(&mut buffer)).await {
            Ok(Ok((length, from))) => {
                peer.datagram(SystemClock::now(), from, &buffer[..length]);
            }
            Ok(Err(_)) => {}
            Err(_) => peer.handle_timeout(SystemClock::now()),
        }
    }
    peer.close(SystemClock::now());
    while let Some((to, bytes)) = peer.transmit() {
        let _ = socket.try_send_to(&bytes, to);
    }
    let (status, ..) = http("DELETE", &location, "").await?;
    // Our goodbye over DTLS may have been quicker.
    matches!(status, 200 | 404).then_some(())
}

/// Speech as Opus packets of 20 ms, as a browser would send it.
fn voice() -> Vec<Vec<u8>> {
    let file = std::fs::read("recordings/question.wav").expect("a recording of ours");
    let speech = voxgw::media::file::wav::read(&file).expect("a wav");
    let wanted = Wanted { rate: SampleRate::HZ_8000, fmtp: "useinbandfec=1" };
    let mut encoder = by_name("opus").expect("opus").encoder(&wanted);
    let pieces = speech.channels[0].chunks_exact(160);
    pieces
        .map(|piece| {
            let mut payload = Vec::new();
            encoder.encode(piece, &mut payload);
            payload
        })
        .collect()
}

fn serve(folder: &Path, provider: &str, shared: bool) -> Child {
    let config = folder.join("voxgw.toml");
    let port = if shared { "web.media_port = 29000\n" } else { "" };
    let text = format!(
        "web.address = \"127.0.0.1\"\nmedia.codecs = [\"opus\"]\n{port}[agents.load]\nkind = \"gemini\"\n\
         endpoint = \"{provider}\"\ngreeting = \"none\"\n"
    );
    std::fs::write(&config, text).expect("a config");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_voxgw"))
        .args(["serve", "--sip", "udp:127.0.0.1:25062", "--agent", "load", "--rtp-ports", "30000-39999"])
        .args(["--web", WEB, "--log", "error", "--record", "journal"])
        .arg("--api")
        .arg(format!("unix:{}", folder.join("api.sock").display()))
        .arg("--recordings")
        .arg(folder.join("calls"))
        .arg("--config")
        .arg(&config)
        .env("GEMINI_API_KEY", "load-test-key-0123456789")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the gateway starts");
    let mut talk = BufReader::new(serve.stderr.take().expect("its stderr"));
    let mut line = String::new();
    while !line.contains("drains") {
        line.clear();
        assert!(talk.read_line(&mut line).unwrap_or(0) != 0, "the gateway did not start");
    }
    std::thread::spawn(move || std::io::copy(&mut talk, &mut std::io::sink()));
    std::thread::sleep(Duration::from_millis(500));
    serve
}

fn verdict(name: &str, measured: f64, goal: f64, unit: &str) {
    let word = if measured <= goal { "met" } else { "MISSED" };
    println!("{name:<28} {measured:>8.2} {unit}   goal {goal} {unit}: {word}");
}

async fn at_once(gateway: &Child, voice: &Arc<Vec<Vec<u8>>>, settings: &Arc<Settings>, sessions: u64, seconds: u64) {
    let idle = usage(gateway);
    let tally = Arc::new(Tally::default());
    let ramp = Duration::from_millis(20 * sessions);
    let stay = ramp + Duration::from_secs(seconds + 5);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..sessions {
        tasks.spawn(session(Arc::clone(voice), Arc::clone(settings), stay, Arc::clone(&tally)));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (before, watch) = (usage(gateway), Instant::now());
    let (sent, heard) = (tally.sent.load(Ordering::Relaxed), tally.heard.load(Ordering::Relaxed));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let (after, elapsed) = (usage(gateway), watch.elapsed().as_secs_f64());
    let of = |counter: &AtomicU64, was: u64| (counter.load(Ordering::Relaxed) - was) as f64 / elapsed;
    let rates = (of(&tally.sent, sent), of(&tally.heard, heard));
    let counted = sessions as f64;
    println!("sessions at once             {sessions} for {elapsed:.1} s");
    println!("connected, failed            {}, {}", tally.connected.load(Ordering::Relaxed), {
        tally.failed.load(Ordering::Relaxed)
    });
    println!("packets a second, each way   {:.1} sent, {:.1} heard", rates.0 / counted, rates.1 / counted);
    verdict("CPU of a call-second", (after.ticks - before.ticks) as f64 * 10.0 / elapsed / counted, CPU_GOAL_MS, "ms");
    let grown = after.resident_kib.saturating_sub(idle.resident_kib) as f64;
    verdict("memory of a session", grown / counted, MEMORY_GOAL_KIB, "KiB");
    while tasks.join_next().await.is_some() {}
}

async fn one_after_the_other(gateway: &Child, voice: &Arc<Vec<Vec<u8>>>, settings: &Arc<Settings>, short: u64) {
    const AT_ONCE: usize = 20;
    let tally = Arc::new(Tally::default());
    // The first half fills what is kept of finished sessions on purpose; the second must add nothing.
    let mut half = Usage::default();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..short {
        if n == short / 2 {
            while tasks.join_next().await.is_some() {}
            tokio::time::sleep(Duration::from_secs(2)).await;
            half = usage(gateway);
        }
        if tasks.len() >= AT_ONCE {
            tasks.join_next().await;
        }
        let stay = Duration::from_millis(300);
        tasks.spawn(session(Arc::clone(voice), Arc::clone(settings), stay, Arc::clone(&tally)));
    }
    while tasks.join_next().await.is_some() {}
    tokio::time::sleep(Duration::from_secs(2)).await;
    let end = usage(gateway);
    println!("short sessions               {short}, {AT_ONCE} at a time");
    println!("connected, failed            {}, {}", tally.connected.load(Ordering::Relaxed), {
        tally.failed.load(Ordering::Relaxed)
    });
    let more = end.files as f64 - half.files as f64;
    verdict("descriptors left", more.max(0.0), 0.0, "");
    verdict("threads left", end.threads as f64 - half.threads as f64, 0.0, "");
    let grown = end.resident_kib as f64 - half.resident_kib as f64;
    verdict("memory left by a session", (grown / (short - short / 2).max(1) as f64).max(0.0), LEFT_GOAL_KIB, "KiB");
}

fn main() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let mock = runtime.block_on(MockGemini::start(Script::new().talk_duty(2_000, 2_000).chunk_ms(100)));
    let shared = std::env::args().any(|word| word == "--shared");
    let mut gateway = serve(temporary.path(), &mock.url, shared);
    let (voice, settings) = (Arc::new(voice()), Arc::new(Settings::new(false)));
    runtime.block_on(async {
        at_once(&gateway, &voice, &settings, number("--sessions", 100), number("--seconds", 20)).await;
        one_after_the_other(&gateway, &voice, &settings, number("--short", 1_000)).await;
    });
    let _ = Command::new("kill").arg(gateway.id().to_string()).status();
    let _ = gateway.wait();
    let violations = mock.violations();
    println!("protocol                     {} violations", violations.len());
}
