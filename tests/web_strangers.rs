//! Who does browsers' media ports harm: strangers, floods, pages that vanish, and many browsers on one port. Each test
//! counts what is left afterwards; they run one after the other, for descriptors are the process's.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/web_gateway.rs"]
mod web_gateway;

use browser::{Browser, Page, http};
use serde_json::json;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{net::UdpSocket, sync::Mutex};
use web_gateway::{Gateway, LIMIT, kinds};

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// What a gateway holds when nobody calls.
#[derive(Clone, Debug, PartialEq)]
struct Held {
    files: usize,
    tasks: usize,
    port_pairs: usize,
    calls: usize,
}

async fn held(gateway: &Gateway) -> Held {
    let snapshot = gateway.handle.hub.snapshot().await.unwrap();
    Held {
        files: std::fs::read_dir("/proc/self/fd").unwrap().count(),
        tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
        port_pairs: snapshot.gateway.rtp_ports_used,
        calls: gateway.handle.calls(),
    }
}

/// Everything is as it was, soon.
async fn assert_as_before(gateway: &Gateway, before: &Held) {
    let since = Instant::now();
    loop {
        let now = held(gateway).await;
        if now == *before {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(5), "left behind: {now:?}; before {before:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn strays(gateway: &Gateway) -> u64 {
    gateway.handle.hub.snapshot().await.unwrap().gateway.web_strays_total
}

/// Calls over WHIP; where to hang up, and where we take media.
async fn whip(gateway: &Gateway, browser: &mut Browser) -> (String, SocketAddr) {
    let offer = browser.offer(&[]);
    let answer = http(&gateway.place, "POST", "/whip/echo", &[("Content-Type", "application/sdp")], &offer).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    browser.take_answer(&answer.body);
    let candidate = answer.body.lines().find(|line| line.starts_with("a=candidate:")).unwrap();
    let words: Vec<&str> = candidate.split(' ').collect();
    (answer.header("location"), format!("{}:{}", words[4], words[5]).parse().unwrap())
}

async fn connected(browser: &mut Browser) {
    tokio::time::timeout(LIMIT, browser.connect()).await.expect("a connection");
}

/// The first flight of DTLS 1.2 (RFC 6347): a record with a hello.
fn client_hello() -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([7; 32]);
    body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let length = (body.len() as u32).to_be_bytes();
    let mut message = vec![1];
    message.extend(&length[1..]);
    message.extend([0, 0, 0, 0, 0]);
    message.extend(&length[1..]);
    message.extend(body);
    let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
    record.extend((message.len() as u16).to_be_bytes());
    record.extend(message);
    record
}

/// A binding request for `name` with a MESSAGE-INTEGRITY that nobody signed.
fn forged_check(name: &str, id: u8) -> Vec<u8> {
    let user = format!("{name}:evil");
    let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    bytes.extend([id; 12]);
    bytes.extend([0, 6, 0, user.len() as u8]);
    bytes.extend(user.bytes());
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend([0, 8, 0, 20]);
    bytes.extend([id; 20]);
    let length = (bytes.len() - 20) as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

const SHARED: &str = "web.media_port = 24500\ngateway.workers = 1\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dtls_hello_from_a_stranger_is_not_answered_and_nothing_is_left() {
    let _one = ONE_AT_A_TIME.lock().await;
    for (more, ports) in [("", "24480-24489"), (SHARED, "24480-24489")] {
        let gateway = Gateway::start(ports, "echo:live", more).await;
        // The shared port stays, once it is there.
        let (location, _) = whip(&gateway, &mut Browser::new().await).await;
        http(&gateway.place, "DELETE", &location, &[], "").await;
        gateway.is_empty().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let before = held(&gateway).await;
        let mut browser = Browser::new().await;
        let (location, media) = whip(&gateway, &mut browser).await;
        let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        // Before the browser's own handshake, and in the middle of the call.
        stranger.send_to(&client_hello(), media).await.unwrap();
        connected(&mut browser).await;
        for _ in 0..10 {
            stranger.send_to(&client_hello(), media).await.unwrap();
        }
        let heard = browser.sing(1_013.0, Duration::from_secs(1)).await;
        assert!(browser::share_at(1_013.0, &heard) > 0.8, "the call goes on");
        let mut answer = [0; 2_048];
        assert!(stranger.try_recv_from(&mut answer).is_err(), "strangers get no handshake");
        assert_eq!(strays(&gateway).await, 11, "each was counted: {more}");
        http(&gateway.place, "DELETE", &location, &[], "").await;
        gateway.is_empty().await;
        drop((browser, stranger));
        assert_as_before(&gateway, &before).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_stun_costs_no_call_and_leaves_nothing() {
    let _one = ONE_AT_A_TIME.lock().await;
    for more in ["", SHARED] {
        let gateway = Gateway::start("24490-24499", "echo:live", more).await;
        let (location, _) = whip(&gateway, &mut Browser::new().await).await;
        http(&gateway.place, "DELETE", &location, &[], "").await;
        gateway.is_empty().await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let before = held(&gateway).await;
        let mut browser = Browser::new().await;
        let offer = browser.offer(&[]);
        let answer = http(&gateway.place, "POST", "/whip/echo", &[("Content-Type", "application/sdp")], &offer).await;
        browser.take_answer(&answer.body);
        let of = |key: &str| answer.body.lines().find_map(|line| line.strip_prefix(key)).unwrap().to_owned();
        let name = of("a=ice-ufrag:");
        let candidate = of("a=candidate:");
        let port: u16 = candidate.split(' ').nth(5).unwrap().parse().unwrap();
        connected(&mut browser).await;
        const FLOOD: usize = 4_000;
        let flood = tokio::spawn(async move {
            // Who knows our name, who does not, answers to checks that were never made, and an indication.
            let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let mut answer = forged_check("none", 9);
            answer[..2].copy_from_slice(&[1, 1]);
            let mut indication = forged_check("none", 9);
            indication[..2].copy_from_slice(&[0, 0x11]);
            let kinds = [forged_check(&name, 9), forged_check("none", 9), answer, indication];
            for n in 0..FLOOD {
                let _ = stranger.send_to(&kinds[n % 4], ("127.0.0.1", port)).await;
                if n % 40 == 0 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        });
        let heard = browser.sing(1_013.0, Duration::from_secs(2)).await;
        flood.await.unwrap();
        let share = browser::share_at(1_013.0, &heard);
        assert!(heard.len() > 8_000 && share > 0.8, "{} samples, {share}: {more}", heard.len());
        let counted = strays(&gateway).await;
        println!("{counted} of {FLOOD} counted as nobody's");
        assert!(counted > FLOOD as u64 * 9 / 10, "{counted}");
        http(&gateway.place, "DELETE", &answer.header("location"), &[], "").await;
        gateway.is_empty().await;
        drop(browser);
        assert_as_before(&gateway, &before).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_vanish_leave_no_port_and_no_task() {
    let _one = ONE_AT_A_TIME.lock().await;
    let gateway = Gateway::start("24470-24479", "echo", "").await;
    let before = held(&gateway).await;
    // One goes before its offer, one in the middle of ICE, one in the call, one whose media only is gone.
    let mut page = Page::open(&gateway.place).await;
    page.say(json!({ "type": "join", "to": "echo" })).await;
    page.expect("joined").await;
    drop(page);
    for connects in [false, true] {
        let mut browser = Browser::new().await;
        let mut page = Page::open(&gateway.place).await;
        page.join(&mut browser, "echo", "").await;
        if connects {
            connected(&mut browser).await;
        }
        let gone = Instant::now();
        drop((page, browser));
        gateway.is_empty().await;
        assert!(gone.elapsed() < Duration::from_secs(2), "after {:?}", gone.elapsed());
        assert_as_before(&gateway, &before).await;
    }
    let mut browser = Browser::new().await;
    let (location, _) = whip(&gateway, &mut browser).await;
    connected(&mut browser).await;
    let gone = Instant::now();
    drop(browser);
    while gateway.handle.calls() > 0 {
        assert!(gone.elapsed() < Duration::from_secs(32), "it is still there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("a browser without a goodbye was given up after {:?}", gone.elapsed());
    assert_eq!(http(&gateway.place, "DELETE", &location, &[], "").await.status, 404, "its name is gone too");
    assert_as_before(&gateway, &before).await;
    let journals = gateway.journals(3).await;
    let reasons: Vec<&str> = journals.iter().filter_map(|lines| lines.last()?["reason"].as_str()).collect();
    assert!(reasons.contains(&"the browser has vanished"), "{reasons:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_share_one_port_and_hear_only_themselves() {
    let _one = ONE_AT_A_TIME.lock().await;
    let gateway = Gateway::start("24470-24479", "echo:live", SHARED).await;
    let mut browsers = Vec::new();
    for _ in 0..3 {
        let mut browser = Browser::new().await;
        let (location, media) = whip(&gateway, &mut browser).await;
        assert_eq!(media.port(), 24_500);
        connected(&mut browser).await;
        browsers.push((browser, location));
    }
    let snapshot = gateway.handle.hub.snapshot().await.unwrap();
    assert_eq!((snapshot.gateway.rtp_ports_used, snapshot.gateway.web_strays_total), (0, 0));
    let [first, second, third] = &mut browsers[..] else { unreachable!() };
    let span = Duration::from_secs(2);
    let sung = tokio::join!(first.0.sing(600.0, span), second.0.sing(1_013.0, span), third.0.sing(1_700.0, span));
    for (hz, heard) in [(600.0, sung.0), (1_013.0, sung.1), (1_700.0, sung.2)] {
        let share = browser::share_at(hz, &heard);
        assert!(heard.len() > 8_000 && share > 0.8, "{share} of {} samples at {hz} Hz", heard.len());
    }
    for (_, location) in &browsers {
        assert_eq!(http(&gateway.place, "DELETE", location, &[], "").await.status, 200);
    }
    gateway.is_empty().await;

    // Over the page: another network, and the same port.
    let mut browser = Browser::new().await;
    let mut page = Page::open(&gateway.place).await;
    page.join(&mut browser, "echo", "").await;
    connected(&mut browser).await;
    let offer = browser.restart();
    page.say(json!({ "type": "offer", "sdp": offer })).await;
    let answer = page.expect("answer").await;
    browser.take_answer(answer["sdp"].as_str().unwrap());
    let heard = browser.sing(1_013.0, Duration::from_secs(1)).await;
    assert!(browser::share_at(1_013.0, &heard) > 0.8, "the tone after the restart");
    drop(page);
    gateway.is_empty().await;
    for journal in gateway.journals(4).await {
        let pair = kinds(&journal, "ice").into_iter().find(|line| line["local"].is_string()).expect("a pair");
        assert_eq!(pair["local"], "127.0.0.1:24500");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_port_that_cannot_be_had_is_told() {
    let _one = ONE_AT_A_TIME.lock().await;
    let taken = std::net::UdpSocket::bind("127.0.0.1:24510").unwrap();
    let mut layers = voxgw::config::Layers::defaults();
    for (key, value) in [("web.listen", "127.0.0.1:0"), ("web.media_port", "24510"), ("gateway.workers", "1")] {
        layers.add_flag(key, value);
    }
    let config = voxgw::config::Config::from_layers(&layers).unwrap();
    let problem = voxgw::webrtc::server::check(&config).await.unwrap_err().to_string();
    assert!(problem.contains("127.0.0.1:24510") && problem.contains("in use"), "{problem}");
    drop(taken);
    voxgw::webrtc::server::check(&config).await.expect("now it is free");
    layers.add_flag("gateway.workers", "4");
    layers.add_flag("web.media_port", "65534");
    let config = voxgw::config::Config::from_layers(&layers).unwrap();
    let problem = voxgw::webrtc::server::check(&config).await.unwrap_err().to_string();
    assert!(problem.contains("each of the media workers"), "{problem}");
}
