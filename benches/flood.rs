//! Bad input at full speed beside good calls: what does it do to them?
//!
//! `cargo bench --bench flood -- --seconds 60 --rate 5000 --calls 20`
//!
//! Twenty calls talk to `voxgw serve --agent echo:live`; meanwhile mutated SIP (requests, responses, headers without end,
//! bytes of anything) comes in by UDP, thousands of datagrams a second. Prints the longest gap between two packets that
//! any call received, the gateway's memory before and after, and whether it said anything about a panic; fails if a gap
//! was longer than 60 ms or there was one.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures of a bench"
)]

use rand::{Rng as _, RngExt as _, SeedableRng as _, rngs::StdRng};
use std::{
    io::Read as _,
    net::UdpSocket,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const GATEWAY: &str = "127.0.0.1:27063";

fn number(flag: &str, otherwise: u64) -> u64 {
    let words: Vec<String> = std::env::args().collect();
    let at = words.iter().position(|word| word == flag);
    at.and_then(|at| words.get(at + 1)?.parse().ok()).unwrap_or(otherwise)
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// One call for as long as `go_on`; the longest time between two packets that came in, after the first second.
fn talk(number: usize, go_on: &AtomicBool) -> Duration {
    let sip = UdpSocket::bind("127.0.0.1:0").unwrap();
    let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
    sip.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (here, media) = (sip.local_addr().unwrap(), rtp.local_addr().unwrap().port());
    let body = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {media} RTP/AVP 0\r\n"
    );
    let request = |method: &str, to_tag: &str, cseq: u32, body: &str| {
        format!(
            "{method} sip:echo@{GATEWAY} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKgood{number}{method}\r\n\
             From: <sip:good{number}@{here}>;tag=g{number}\r\nTo: <sip:echo@{GATEWAY}>{to_tag}\r\nCall-ID: good{number}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:good{number}@{here}>\r\nMax-Forwards: 70\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    sip.send_to(request("INVITE", "", 1, &body).as_bytes(), GATEWAY).unwrap();
    let mut buffer = [0; 4_096];
    let (to_tag, port) = loop {
        let length = sip.recv(&mut buffer).expect("an answer");
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if text.starts_with("SIP/2.0 200") {
            let to = text.lines().find(|line| line.starts_with("To:")).unwrap();
            let tag = to.split_once(";tag=").unwrap().1.to_owned();
            let media = text.lines().find(|line| line.starts_with("m=audio")).unwrap();
            break (format!(";tag={tag}"), media.split_whitespace().nth(1).unwrap().parse::<u16>().unwrap());
        }
        assert!(text.starts_with("SIP/2.0 1"), "{text}");
    };
    sip.send_to(request("ACK", &to_tag, 1, "").as_bytes(), GATEWAY).unwrap();
    rtp.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let began = Instant::now();
    let (mut sent, mut last, mut longest) = (0_u32, None::<Instant>, Duration::ZERO);
    while go_on.load(Ordering::Relaxed) {
        if began.elapsed() >= Duration::from_millis(20) * sent {
            let mut packet = vec![0x80, 0];
            packet.extend_from_slice(&(sent as u16).to_be_bytes());
            packet.extend_from_slice(&(sent * 160).to_be_bytes());
            packet.extend_from_slice(&(number as u32).to_be_bytes());
            packet.extend_from_slice(&[0x55; 160]);
            let _ = rtp.send_to(&packet, ("127.0.0.1", port));
            sent += 1;
        }
        if rtp.recv(&mut buffer).is_ok() {
            let now = Instant::now();
            if let Some(before) = last.replace(now).filter(|_| began.elapsed() > Duration::from_secs(1)) {
                longest = longest.max(now - before);
            }
        }
    }
    longest = longest.max(last.map_or(Duration::MAX, |at| at.elapsed()));
    sip.send_to(request("BYE", &to_tag, 2, "").as_bytes(), GATEWAY).unwrap();
    longest
}

const SEEDS: [&str; 5] = [
    "INVITE sip:echo@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
     To: <sip:echo@c>\r\nCall-ID: flood\r\nCSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.1:5999>\r\nContent-Type: application/sdp\r\n\
     Content-Length: 60\r\n\r\nv=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n",
    "REGISTER sip:c SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bK2\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n\
     Call-ID: flood\r\nCSeq: 1 REGISTER\r\nContact: <sip:a@b>;q=0.5;expires=60\r\n\
     Authorization: Digest username=\"a\", realm=\"voxgw\", nonce=\"1.2\", uri=\"sip:c\", response=\"0\"\r\nContent-Length: 0\r\n\r\n",
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bK3\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n\
     Call-ID: good3\r\nCSeq: 1 INVITE\r\nContact: <sip:x@127.0.0.1>\r\nContent-Length: 0\r\n\r\n",
    "BYE sip:echo@c SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bK4\r\nFrom: <sip:a@b>;tag=g1\r\nTo: <sip:echo@c>;tag=0\r\n\
     Call-ID: good1\r\nCSeq: 2 BYE\r\nContent-Length: 0\r\n\r\n",
    "MESSAGE sip:echo@c SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bK5\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
     Call-ID: flood\r\nCSeq: 1 MESSAGE\r\nContent-Type: multipart/mixed;boundary=\"x\"\r\nContent-Length: 9\r\n\r\n--x\r\n\r\n--x",
];

/// A seed with a few bytes changed, cut, doubled; its branch and Call-ID mostly new.
fn mutated(random: &mut StdRng) -> Vec<u8> {
    let fresh = random.next_u32().to_string();
    let seed = SEEDS[random.random_range(0..SEEDS.len())];
    let mut bytes = seed.replace("z9hG4bK", &format!("z9hG4bK{fresh}")).replace("flood", &fresh).into_bytes();
    for _ in 0..random.random_range(1..7) {
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..5) {
            0 => bytes[at] = random.next_u32() as u8,
            1 => bytes.truncate(at + 1),
            2 => bytes.insert(at, b"\r\n:;,<>\"@= "[random.random_range(0..11)]),
            3 => {
                let piece = bytes[at..].to_vec();
                bytes.extend_from_slice(&piece);
            }
            _ => bytes.splice(at..at, std::iter::repeat_n(b'A', 2_000)).for_each(drop),
        }
    }
    bytes.truncate(60_000);
    bytes
}

/// Mutated addresses may be anybody's: all this happens in a network of its own, with nothing but loopback in it.
fn alone() -> bool {
    let interfaces = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let others = interfaces.lines().skip(2).filter(|line| !line.trim_start().starts_with("lo:")).count();
    std::env::var_os("VOXGW_FLOOD_ALONE").is_some() && others == 0
}

fn main() {
    if !alone() {
        assert!(std::env::var_os("VOXGW_FLOOD_ALONE").is_none(), "there are other networks than loopback in here");
        let status = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args(std::env::args().skip(1))
            .env("VOXGW_FLOOD_ALONE", "1")
            .status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "needs root, unshare and ip: it runs in a network of its own"
        );
        return;
    }
    let (seconds, rate, calls) = (number("--seconds", 60), number("--rate", 5_000), number("--calls", 20) as usize);
    let mut serve = Command::new(env!("CARGO_BIN_EXE_voxgw"))
        .args(["serve", "--no-config", "--agent", "echo:live", "--sip", &format!("udp:{GATEWAY}"), "--record", "never"])
        .args(["--api", "off", "--rtp-ports", "30000-39999", "--log", "error"])
        .env("VOXGW__SIP__LIMITS__TRUSTED", "192.0.2.1")
        // Nobody reads this until the end: a log that is stuck may not stop calls either.
        .stderr(Stdio::piped())
        .spawn()
        .expect("the gateway starts");
    std::thread::sleep(Duration::from_secs(1));
    let go_on = Arc::new(AtomicBool::new(true));
    let talks: Vec<_> = (0..calls)
        .map(|n| {
            let go_on = Arc::clone(&go_on);
            std::thread::sleep(Duration::from_millis(7));
            std::thread::spawn(move || talk(n, &go_on))
        })
        .collect();
    std::thread::sleep(Duration::from_secs(2));
    let before = resident_kib(serve.id());
    let mut random = StdRng::seed_from_u64(1);
    let sockets: Vec<UdpSocket> = (0..16).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let (began, mut sent, mut highest) = (Instant::now(), 0_u64, before);
    while began.elapsed() < Duration::from_secs(seconds) {
        while began.elapsed().as_secs_f64() * rate as f64 > sent as f64 {
            let bytes = mutated(&mut random);
            let _ = sockets[sent as usize % sockets.len()].send_to(&bytes, GATEWAY);
            sent += 1;
            if sent.is_multiple_of(rate) {
                highest = highest.max(resident_kib(serve.id()));
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    go_on.store(false, Ordering::Relaxed);
    let mut gaps: Vec<Duration> = talks.into_iter().map(|talk| talk.join().expect("a call")).collect();
    gaps.sort();
    let longest = gaps.last().copied().unwrap_or_default();
    let alive = serve.try_wait().ok().flatten().is_none();
    // Transactions of the flood end after 64·T1.
    std::thread::sleep(Duration::from_secs(40));
    let after = resident_kib(serve.id());
    let _ = Command::new("kill").arg(serve.id().to_string()).status();
    let mut said = String::new();
    let _ = serve.stderr.take().unwrap().read_to_string(&mut said);
    let _ = serve.wait();
    println!("flood      {sent} datagrams in {seconds} s beside {calls} calls");
    let ms = |gap: Duration| gap.as_secs_f64() * 1_000.0;
    let median = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
    println!("audio      longest gap {:.1} ms in the worst call, {:.1} ms in the median one", ms(longest), ms(median));
    println!("memory     {before} KiB before, {highest} KiB at most, {after} KiB after");
    println!("gateway    {}, panics: {}", if alive { "alive" } else { "GONE" }, said.matches("panicked").count());
    // What the docs promise.
    assert!(alive && !said.contains("panicked"), "the gateway did not live through it");
    assert!(longest <= Duration::from_millis(60), "a call had a gap of more than 60 ms");
}
