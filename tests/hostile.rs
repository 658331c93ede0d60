//! Every parser takes any bytes: no panic, no endless loop, and what it writes it can read again.
//!
//! Three sources of bytes: proptest, seeded mutations of good messages, and the kit (other projects' torture tests,
//! fuzzing corpora and captures; `$VOXGW_KIT` or `../shared/kit`), raw and mutated.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

use proptest::{collection::vec, prelude::*};
use std::{
    collections::VecDeque,
    io::Write as _,
    net::SocketAddr,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
    time::Duration,
};
use voxgw::{
    agent::{
        event::{Output as AgentOutput, Sound},
        local::{
            LocalAgent,
            recorded::Recorded,
            scripted::{self, Script},
        },
        wire::{PROVIDERS, listening},
    },
    call::{journal::Record, pipeline::formats},
    clock::{Instant, WallTime},
    media::{
        codec::{CODECS, Codec, Wanted},
        file::{pcap::Capture, wav},
        inbound::{Inbound, Settings as InboundSettings},
        rtp::{
            dtmf::Listener,
            packet::{Packet, is_rtcp},
            report::Reporter,
        },
    },
    redact::Secret,
    sip::{
        auth::{Challenge, Credentials},
        endpoint::{Command, Endpoint, Event, LegId, Output, Refusal, Settings},
        header::{CSeq, Via},
        message::Message,
        sdp::{
            Description,
            crypto::{Crypto, Key, SUITES, Security},
            negotiate::{self, Local, Offerable},
        },
        stream::{Cut, Framer},
        tx::{Path, T1_64, Transport},
        uri::{NameAddr, Uri, parse_params, split_host_port},
    },
    unit::{CallId, PayloadType, Ptime, SampleRate, Ssrc, parse_duration, parse_rate, parse_size},
};

const CALLER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 4_000);

// Chance

/// Splitmix64.
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() % bound.max(1) as u64).unwrap()
    }
}

/// Pieces that have broken parsers before.
const NASTY: &[&[u8]] = &[
    b"\0",
    b"\r\n",
    b"\r\n\r\n",
    b"\n ",
    b"\"",
    b"\\",
    b"<",
    b">",
    b"[",
    b"]",
    b"@",
    b":",
    b";",
    b";=",
    b",",
    b"%00",
    b"%",
    b"\xff\xfe",
    b"\xc3",
    "\u{a0}".as_bytes(),
    "\u{1f600}".as_bytes(),
    b"-1",
    b"65536",
    b"2147483648",
    b"4294967295",
    b"99999999999999999999999",
    b"1e308",
    b"NaN",
    b"\x80\x00\xff\xff",
];

/// `seed` with one to four changes.
fn mutated(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        mutate(&mut bytes, random);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = (at + 1 + random.below(24)).min(bytes.len());
    match random.below(8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let copy = bytes[at..end].to_vec();
            let to = random.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        3 => {
            let nasty = NASTY[random.below(NASTY.len())];
            bytes.splice(at..at, nasty.iter().copied());
        }
        4 => {
            let nasty = NASTY[random.below(NASTY.len())];
            bytes.splice(at..end, nasty.iter().copied());
        }
        5 => {
            let copies = bytes[at..end].repeat(1 + random.below(64));
            bytes.splice(at..at, copies);
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

/// `check`s each seed raw and `count` times mutated.
fn hammer(seeds: &[Vec<u8>], count: usize, mut check: impl FnMut(&[u8])) {
    for (number, seed) in seeds.iter().enumerate() {
        check(seed);
        let mut random = Random(number as u64);
        for _ in 0..count {
            check(&mutated(seed, &mut random));
        }
    }
}

// The kit

/// The kit's folder; says so when it is missing.
fn kit() -> Option<PathBuf> {
    let named = std::env::var_os("VOXGW_KIT").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../shared/kit"));
    if folder.is_dir() {
        return Some(folder);
    }
    // Straight to the terminal: what passes is not shown otherwise.
    let _ = writeln!(std::io::stderr(), "skipped: no kit at {}; set VOXGW_KIT", folder.display());
    None
}

/// All files below `folders` of the kit.
fn kit_files(folders: &[&str]) -> Vec<Vec<u8>> {
    let Some(kit) = kit() else { return Vec::new() };
    let mut paths: Vec<PathBuf> = folders.iter().map(|folder| kit.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let mut entries: Vec<PathBuf> = path.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
            entries.sort();
            paths.extend(entries);
        } else {
            files.push(std::fs::read(&path).unwrap());
        }
    }
    assert!(!files.is_empty(), "the kit has nothing in {folders:?}");
    files
}

// SIP

const INVITE: &str = "INVITE sip:support@203.0.113.5 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKinvite;rport\r\nMax-Forwards: 70\r\n\
    From: \"Anna, \\\"A\\\"\" <sip:anna@192.0.2.1>;tag=from\r\nTo: <sip:support@203.0.113.5>\r\nCall-ID: call@192.0.2.1\r\n\
    CSeq: 1 INVITE\r\nContact: <sip:anna@192.0.2.1:5060>\r\nSupported: timer, 100rel\r\n\
    Record-Route: <sip:proxy.example.org;lr>, <sip:192.0.2.9;lr>\r\nContent-Type: application/sdp\r\n\
    Content-Length: 128\r\n\r\n\
    v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n\
    a=rtpmap:101 telephone-event/8000\r\n";

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=sendrecv\r\n\
    m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
    a=ptime:20\r\na=maxptime:60\r\na=rtcp:4005 IN IP4 192.0.2.1\r\na=rtcp-mux\r\n\
    m=video 5000/2 RTP/AVPF 96\r\nc=IN IP6 2001:db8::1/64/2\r\na=rtpmap:96 VP8/90000\r\na=inactive\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";

/// A request of the same call as [`INVITE`].
fn request(method: &str, cseq: u32, branch: &str, to_tag: &str) -> Vec<u8> {
    format!(
        "{method} sip:voxgw@203.0.113.5 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{branch};rport\r\n\
         From: <sip:anna@192.0.2.1>;tag=from\r\nTo: <sip:support@203.0.113.5>{to_tag}\r\nCall-ID: call@192.0.2.1\r\n\
         CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

fn response(status: u16, headers: &str) -> Vec<u8> {
    format!(
        "SIP/2.0 {status} Words\r\nVia: SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKours\r\n\
         From: <sip:voxgw@203.0.113.5>;tag=ours\r\nTo: <sip:bob@192.0.2.1>;tag=theirs\r\nCall-ID: out@203.0.113.5\r\n\
         CSeq: 7 INVITE\r\nContact: <sip:bob@192.0.2.1>\r\n{headers}Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

fn sip_seeds() -> Vec<Vec<u8>> {
    vec![
        INVITE.as_bytes().to_vec(),
        request("ACK", 1, "ack", ";tag=to"),
        request("BYE", 2, "bye", ";tag=to"),
        request("CANCEL", 1, "invite", ""),
        request("OPTIONS", 1, "options", ""),
        request("SUBSCRIBE", 1, "subscribe", ""),
        response(180, "Require: 100rel\r\nRSeq: 1\r\n"),
        response(200, "Record-Route: <sip:192.0.2.9;lr>\r\n"),
        response(401, "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\", algorithm=SHA-256\r\n"),
        response(503, "Retry-After: 5 (soon)\r\n"),
    ]
}

fn kit_sip() -> Vec<Vec<u8>> {
    kit_files(&[
        "torture/rfc4475",
        "torture/rfc5118",
        "sip-msgs-sofia",
        "fuzz-pjsip/fuzz-sip",
        "fuzz-pjsip/fuzz-sip-dialog",
    ])
}

/// What is read can be written, and what was written is read the same.
fn check_message(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    let written = message.to_bytes();
    let again = Message::parse(&written);
    let shown = String::from_utf8_lossy(&written);
    let again = again.unwrap_or_else(|problem| panic!("what was written is refused: {problem:?}\n{shown}"));
    assert_eq!(String::from_utf8_lossy(&again.to_bytes()), shown, "written differently the second time");
    for (name, value) in message.headers().iter() {
        check_header(name, value);
    }
    let description = match &message {
        Message::Request(request) => request.sdp(),
        Message::Response(response) => response.sdp(),
    };
    if let Some(description) = description {
        check_sdp(description);
    }
    if let Message::Request(request) = &message {
        let _ = request.response(200).to_bytes();
    }
}

fn check_header(name: &str, value: &str) {
    match name {
        "From" | "To" | "Contact" | "Route" | "Record-Route" => check_name_addr(value),
        "Via" => check_via(value),
        "WWW-Authenticate" | "Proxy-Authenticate" => check_challenge(value),
        _ => {}
    }
}

fn check_uri(text: &str) {
    let Ok(uri) = Uri::parse(text) else { return };
    let _ = (uri.number(), uri.param("transport"));
    assert_eq!(Uri::parse(&uri.to_string()), Ok(uri.clone()), "{text:?} became {uri}");
}

fn check_name_addr(text: &str) {
    let Ok(address) = NameAddr::parse(text) else { return };
    assert_eq!(NameAddr::parse(&address.to_string()), Ok(address.clone()), "{text:?} became {address}");
    assert_eq!(address.with_tag("t").tag(), Some("t"));
}

fn check_via(text: &str) {
    let Ok(via) = Via::parse(text) else { return };
    assert_eq!(Via::parse(&via.to_string()), Ok(via.clone()), "{text:?} became {via}");
}

fn check_challenge(text: &str) {
    let Some(challenge) = Challenge::parse(text) else { return };
    let credentials = Credentials { user: "anna".to_owned(), password: Secret::new("secret") };
    assert!(challenge.answer(&credentials, "INVITE", "sip:a", "cnonce", 1).starts_with("Digest "));
}

fn check_words(text: &str) {
    check_uri(text);
    check_name_addr(text);
    check_via(text);
    check_challenge(text);
    check_challenge(&format!("Digest {text}"));
    if let Ok(cseq) = CSeq::parse(text) {
        assert_eq!(CSeq::parse(&cseq.to_string()), Ok(cseq));
    }
    let _ = (split_host_port(text), parse_params(text));
    let _ = (parse_duration(text), parse_size(text), parse_rate(text));
    if let Ok(call) = text.parse::<CallId>() {
        assert_eq!(call.to_string().parse::<CallId>(), Ok(call));
    }
    let _ = Record::from_line(text);
}

/// An answer has one m-line for each of the offer's, and can itself be read (RFC 3264 §6).
fn check_sdp(bytes: &[u8]) {
    let Ok(offer) = Description::parse(bytes) else { return };
    let all: Vec<&Codec> = CODECS.iter().collect();
    let codecs = formats::of(&all, SampleRate::HZ_16000, &[]);
    let lines =
        SUITES.iter().zip(1..).map(|((suite, bytes), tag)| Crypto { tag, suite, key: Key::new(vec![7; *bytes]) });
    let security = Security { lines: lines.collect(), ..Security::default() };
    let can = Offerable { codecs, ptime: Ptime::MS_20, events: true, security };
    let local = Local { address: "203.0.113.5:10000".parse().unwrap(), session: (1, 1), hold: false };
    let _ = negotiate::accept(&offer, &can, &local);
    let Ok((_, text)) = negotiate::answer(&offer, &can, &local) else { return };
    let answer = Description::parse(text.as_bytes());
    let answer = answer.unwrap_or_else(|problem| panic!("our answer is refused: {problem}\n{text}"));
    assert_eq!(answer.media.len(), offer.media.len(), "{text}");
}

fn check_stream(bytes: &[u8], piece: usize) {
    let mut framer = Framer::default();
    for chunk in bytes.chunks(piece.max(1)) {
        framer.push(chunk);
        loop {
            let before = framer.pending();
            match framer.cut() {
                Cut::Message(message) => check_message(&message),
                Cut::Ping => assert!(framer.pending() < before, "a ping that takes nothing"),
                Cut::More => break,
                Cut::Broken(_) => return,
            }
        }
    }
}

// RTP

fn reporter() -> Reporter {
    Reporter::new(Instant::ZERO, Ssrc(0x0102_0304), "cname".to_owned())
}

fn check_rtcp(bytes: &[u8]) {
    let _ = is_rtcp(bytes);
    let mut reporter = reporter();
    reporter.handle(Instant::from_millis(1_000), WallTime(1_700_000_000_000_000), bytes, SampleRate::HZ_8000);
    if let Some(report) = reporter.latest() {
        assert!((0.0..=100.0).contains(&report.loss_percent) && report.jitter_ms >= 0.0, "{report:?}");
    }
}

fn inbound() -> Inbound {
    let settings = InboundSettings {
        codecs: CODECS.iter().map(|codec| (codec.payload_type, codec)).collect(),
        events: vec![(PayloadType(101), SampleRate::HZ_8000)],
        wanted: SampleRate::HZ_16000,
        described: Some(CALLER),
        expected: true,
    };
    Inbound::new(Instant::ZERO, settings, Ptime::MS_20)
}

/// Feeds datagrams 5 ms apart, as the pipeline does, and takes what comes out.
fn check_rtp<'a>(datagrams: impl IntoIterator<Item = &'a [u8]>) {
    let mut inbound = inbound();
    let mut now = Instant::ZERO;
    let mut samples = Vec::new();
    for bytes in datagrams {
        now += Duration::from_millis(5);
        if inbound.timeout() <= now {
            inbound.handle_timeout(now);
        }
        inbound.handle_rtp(now, CALLER, bytes);
        while inbound.poll(&mut samples).is_some() {}
    }
    for _ in 0..10 {
        now = inbound.timeout().max(now);
        inbound.handle_timeout(now);
        while inbound.poll(&mut samples).is_some() {}
    }
    let stats = inbound.take_stats(now.since(Instant::ZERO), Some(10.0));
    assert!(stats.lost <= stats.expected && stats.loss_percent <= 100.0, "{stats:?}");
}

/// Any packet that says it is RTP, mostly of the agreed kinds.
fn any_rtp() -> impl Strategy<Value = Vec<u8>> {
    let payload_type = prop_oneof![Just(0_u8), Just(8), Just(101), 0..128_u8];
    let sequence = prop_oneof![0..40_u16, any::<u16>()];
    let timestamp = prop_oneof![(0..40_u32).prop_map(|n| n * 160), any::<u32>()];
    let fields = (payload_type, sequence, timestamp, 1..4_u32, any::<bool>(), vec(any::<u8>(), 0..400));
    fields.prop_map(|(payload_type, sequence, timestamp, ssrc, marker, payload)| {
        let packet = Packet {
            marker,
            payload_type: PayloadType(payload_type),
            sequence,
            timestamp,
            ssrc: Ssrc(ssrc),
            payload: &payload,
        };
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        bytes
    })
}

// Agents

const FRAMES: &[&str] = &[
    r#"{"setupComplete":{}}"#,
    r#"{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AQD_fw=="}}]}}}"#,
    r#"{"serverContent":{"interrupted":true,"turnComplete":true,"generationComplete":true}}"#,
    r#"{"serverContent":{"inputTranscription":{"text":" \u00e4h"},"outputTranscription":{"text":"Sure"}}}"#,
    r#"{"goAway":{"timeLeft":"9.5s"},"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}"#,
    r#"{"toolCall":{"functionCalls":[]},"voiceActivity":{"type":"ACTIVITY_END"},"error":{"code":3},"code":1007}"#,
    r#"{"type":"session.updated","session":{"audio":{"output":{"format":{"type":"audio/pcm","rate":24000}}}}}"#,
    r#"{"type":"response.output_audio.delta","response_id":"r","item_id":"i","content_index":0,"delta":"AQD_fw=="}"#,
    r#"{"type":"response.done","response":{"id":"r","status":"failed","status_details":{"error":{"code":"x"}},"output":[]}}"#,
    r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"u","transcript":"\u00e4h"}"#,
];

fn check_frame(bytes: &[u8]) {
    for provider in PROVIDERS {
        let mut wire = listening(provider.name).unwrap();
        let mut events = VecDeque::new();
        wire.receive(bytes, &mut events);
        let mut messages = Vec::new();
        wire.due(&mut messages);
        let _ = wire.closed(1_007, &String::from_utf8_lossy(bytes));
    }
}

fn cassette() -> String {
    let line = |(n, frame): (usize, &&str)| {
        let text = serde_json::to_string(frame).unwrap();
        format!("{{\"t\":0.{n},\"direction\":\"in\",\"text\":{text}}}\n")
    };
    FRAMES.iter().enumerate().map(line).collect()
}

fn check_cassette(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(mut agent) = Recorded::parse(&text, Instant::ZERO) else { return };
    for _ in 0..=text.lines().count() {
        loop {
            match agent.poll() {
                AgentOutput::Event(_) => {}
                AgentOutput::Timeout(at) if at.is_far_future() => return,
                AgentOutput::Timeout(at) => {
                    agent.handle_timeout(at);
                    break;
                }
            }
        }
    }
    panic!("a cassette without end");
}

fn check_script(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = Script::parse(&text, &mut |_| Ok(Sound { rate: SampleRate::HZ_8000, samples: Arc::from([0_i16; 8]) }));
}

const RECORDS: &[&str] = &[
    r##"{"t":1.25,"kind":"dtmf","direction":"in","digit":"#","duration_ms":100}"##,
    r#"{"t":0.0,"kind":"state","state":"up","status":200}"#,
    r#"{"t":2.5,"kind":"turn","turn":1,"gap_ms":512.5,"parts":[{"name":"endpoint","ms":500.0,"owner":"setting"}],"heard_ms":10,"generated_ms":20}"#,
    r#"{"t":3.0,"kind":"speech","who":"agent","speaking":true}"#,
    r#"{"t":4.0,"kind":"hologram","shape":"cube"}"#,
];

fn check_record(bytes: &[u8]) {
    let Ok(Some(record)) = Record::from_line(&String::from_utf8_lossy(bytes)) else { return };
    let line = record.to_line();
    assert!(matches!(Record::from_line(&line), Ok(Some(_))), "{line}");
}

// Files

/// A WAV file of some samples with an extra chunk.
fn wav_seed() -> Vec<u8> {
    let mut bytes = [
        &b"RIFF\x50\0\0\0WAVE"[..],
        b"LIST\x04\0\0\0INFO",
        b"fmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0",
        b"data\x20\0\0\0",
    ]
    .concat();
    bytes.extend((0..16_i16).flat_map(|n| (n * 1_000).to_le_bytes()));
    bytes
}

/// A capture (microseconds, Ethernet) of one UDP packet.
fn pcap_seed() -> Vec<u8> {
    let payload = b"OPTIONS sip:a SIP/2.0\r\n\r\n";
    let mut frame: Vec<u8> = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    let total = u16::try_from(28 + payload.len()).unwrap().to_be_bytes();
    frame.extend([0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    let length = u16::try_from(8 + payload.len()).unwrap().to_be_bytes();
    frame.extend([0x13, 0xc4, 0x13, 0xc4, length[0], length[1], 0, 0]);
    frame.extend(payload);
    let mut bytes: Vec<u8> =
        vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0];
    let captured = u32::try_from(frame.len()).unwrap().to_le_bytes();
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(captured);
    bytes.extend(captured);
    bytes.extend(frame);
    bytes
}

// Any bytes

fn few_cases() -> ProptestConfig {
    ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(few_cases())]

    #[test]
    fn any_bytes_are_survived_by_every_parser(bytes in vec(any::<u8>(), 0..1_500)) {
        check_message(&bytes);
        check_stream(&bytes, 7);
        check_sdp(&bytes);
        let _ = Packet::parse(&bytes);
        check_rtp([&bytes[..]]);
        check_rtcp(&bytes);
        check_frame(&bytes);
        check_cassette(&bytes);
        check_script(&bytes);
        check_record(&bytes);
        let _ = wav::read(&bytes);
        let _ = Capture::read(&bytes);
        check_words(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_text_is_survived_by_the_parsers_of_words(text in "\\PC{0,60}", uri in "[a-z@:;=?%.\\[\\]0-9]{0,40}") {
        check_words(&text);
        check_words(&uri);
        check_uri(&format!("sip:{uri}"));
        check_name_addr(&format!("\"{text}\" <sip:{uri}>;tag={uri}"));
        check_via(&format!("SIP/2.0/UDP {uri}"));
    }

    #[test]
    fn numbers_with_units_of_all_kinds_are_survived(
        number in "[0-9.]{0,30}",
        unit in "(ms|s|m|h|d|K|M|G|T|/s|/m|x)?",
    ) {
        check_words(&format!("{number}{unit}"));
    }

    #[test]
    fn rtp_that_is_written_is_read(
        marker in any::<bool>(),
        payload_type in 0..128_u8,
        sequence in any::<u16>(),
        timestamp in any::<u32>(),
        ssrc in any::<u32>(),
        payload in vec(any::<u8>(), 0..1_400),
    ) {
        let payload_type = PayloadType(payload_type);
        let packet = Packet { marker, payload_type, sequence, timestamp, ssrc: Ssrc(ssrc), payload: &payload };
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
    }

    #[test]
    fn g711_keeps_every_sample_within_a_sixteenth(samples in vec(any::<i16>(), 1..400)) {
        for codec in CODECS.iter().filter(|codec| codec.silence.is_some()) {
            let (mut payload, mut decoded) = (Vec::new(), Vec::new());
            let rate = codec.rates[0];
            codec.encoder(&Wanted { rate, fmtp: "" }).encode(&samples, &mut payload);
            codec.decoder(rate).decode(&payload, &mut decoded);
            prop_assert_eq!(decoded.len(), samples.len());
            for (sample, heard) in samples.iter().zip(&decoded) {
                let (sample, heard) = (i32::from(*sample), i32::from(*heard));
                let most = 16 + sample.abs() / 16;
                prop_assert!((sample - heard).abs() <= most, "{}: {} became {}", codec.name, sample, heard);
            }
        }
    }

    #[test]
    fn rtp_in_any_order_of_any_kind_is_survived(datagrams in vec(any_rtp(), 0..80)) {
        check_rtp(datagrams.iter().map(Vec::as_slice));
    }

    #[test]
    fn event_packets_of_any_kind_give_at_most_one_digit_each(
        events in vec((0..6_u32, vec(any::<u8>(), 0..8)), 0..60),
    ) {
        let mut listener = Listener::default();
        let mut heard = 0;
        for (event, payload) in &events {
            heard += usize::from(listener.packet(event * 800, payload).is_some());
        }
        heard += usize::from(listener.finish().is_some());
        prop_assert!(heard <= events.len());
    }
}

// Mutations of good ones

#[test]
fn mutated_sip_is_survived_and_round_trips() {
    hammer(&sip_seeds(), 300, check_message);
    hammer(&sip_seeds(), 100, |bytes| check_stream(bytes, 50));
}

#[test]
fn mutated_words_are_survived_and_round_trip() {
    let seeds = [
        "sips:+4930;ext=1@[2001:db8::1]:5061;transport=tls;lr?Replaces=a%3Bb",
        "\"Smith, <J> \\\"Jo\\\"\" <sip:jo@example.org;user=phone>;tag=x1;expires=60",
        "SIP / 2.0 / UDP  [2001:db8::9]:5070 ;branch = z9hG4bK.7 ;rport;received=192.0.2.1",
        "Digest realm=\"a,b\", nonce=\"c\", qop=\"auth,auth-int\", algorithm=SHA-256, opaque=\"\", stale=TRUE",
        "1.5s",
        "c-7f3a0c11",
        "30/m",
        "64KiB",
        "0009  INVITE",
    ];
    let seeds = seeds.map(|seed| seed.as_bytes().to_vec());
    hammer(&seeds, 1_500, |bytes| check_words(&String::from_utf8_lossy(bytes)));
}

#[test]
fn mutated_descriptions_are_survived_and_answers_match_their_offers() {
    hammer(&[OFFER.as_bytes().to_vec()], 4_000, check_sdp);
}

#[test]
fn mutated_rtcp_is_survived() {
    let made =
        reporter().make(Instant::from_millis(9_000), WallTime(1_700_000_000_000_000), None, None, SampleRate::HZ_8000);
    // A sender report with one reception report about the reporter that reads it.
    let mut sender: Vec<u8> = vec![0x81, 200, 0, 12];
    sender.extend([9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 160, 0, 0, 0, 1, 0, 0, 0, 160]);
    sender.extend([1, 2, 3, 4, 128, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 80, 3, 4, 5, 6, 0, 1, 0, 0]);
    hammer(&[made, reporter().goodbye(), sender], 4_000, check_rtcp);
}

#[test]
fn mutated_frames_cassettes_scripts_and_records_are_survived() {
    let frames: Vec<Vec<u8>> = FRAMES.iter().map(|frame| frame.as_bytes().to_vec()).collect();
    hammer(&frames, 500, check_frame);
    hammer(&[cassette().into_bytes()], 1_000, check_cassette);
    hammer(&[scripted::DEFAULT.as_bytes().to_vec()], 300, check_script);
    let records: Vec<Vec<u8>> = RECORDS.iter().map(|record| record.as_bytes().to_vec()).collect();
    hammer(&records, 500, check_record);
}

#[test]
fn mutated_files_are_survived() {
    assert!(wav::read(&wav_seed()).is_ok());
    assert!(Capture::read(&pcap_seed()).is_ok());
    hammer(&[wav_seed()], 2_000, |bytes| drop(wav::read(bytes)));
    hammer(&[pcap_seed()], 2_000, |bytes| drop(Capture::read(bytes)));
}

// Other people's nastiest

#[test]
fn the_kits_sip_messages_are_survived() {
    let files = kit_sip();
    hammer(&files, 40, check_message);
    hammer(&files, 4, |bytes| check_stream(bytes, 100));
}

#[test]
fn the_kits_descriptions_are_survived() {
    hammer(&kit_files(&["sdp-sofia", "fuzz-janus/sdp_fuzzer"]), 40, check_sdp);
}

#[test]
fn the_kits_rtp_and_rtcp_are_survived() {
    let rtp =
        kit_files(&["fuzz-janus/rtp_fuzzer", "fuzz-pjsip/fuzz-rtp", "fuzz-pjsip/fuzz-srtp", "fuzz-pjsip/fuzz-stun"]);
    hammer(&rtp, 60, |bytes| check_rtp([bytes]));
    hammer(&kit_files(&["fuzz-janus/rtcp_fuzzer", "fuzz-pjsip/fuzz-rtcp"]), 200, check_rtcp);
}

#[test]
fn the_kits_captures_are_survived() {
    const MUTATED_BYTES: usize = 60_000;
    for (number, file) in kit_files(&["pcap"]).iter().enumerate() {
        let mut random = Random(number as u64);
        let _ = Capture::read(file);
        for _ in 0..(MUTATED_BYTES / file.len().max(1)).clamp(1, 200) {
            let _ = Capture::read(&mutated(file, &mut random));
        }
    }
}

// The endpoint

/// Status of a response. The answer to a broken request may be too broken to be parsed.
fn status_of(bytes: &[u8]) -> Option<u16> {
    let status = bytes.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    Some(std::str::from_utf8(status).unwrap().parse().expect("three digits"))
}

/// An endpoint with an engine that decides by lot.
struct Gateway {
    endpoint: Endpoint,
    random: Random,
    now: Instant,
    legs: Vec<LegId>,
    /// Statuses sent since the last look.
    sent: Vec<u16>,
}

impl Gateway {
    fn new() -> Self {
        let settings = Settings { transactions_max: 10_000, seed: [7; 32], ..Settings::default() };
        let endpoint = Endpoint::new(settings);
        Self { endpoint, random: Random(7), now: Instant::ZERO, legs: Vec::new(), sent: Vec::new() }
    }

    fn handle(&mut self, transport: Transport, bytes: &[u8]) {
        let connection = (transport == Transport::Tcp).then_some(1);
        let path = Path {
            transport,
            remote: "192.0.2.1:5060".parse().unwrap(),
            local: "203.0.113.5:5060".parse().unwrap(),
            connection,
        };
        self.endpoint.handle(self.now, path, bytes);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.endpoint.poll() {
                Output::Timeout(_) => return,
                Output::Transmit(_, bytes) => self.sent.extend(status_of(&bytes)),
                Output::Event(Event::Invite(leg, _) | Event::Reinvite(leg, _) | Event::Acknowledged(leg, _)) => {
                    self.legs.push(leg);
                    self.decide(leg);
                }
                Output::Event(_) | Output::Trace(_) => {}
            }
        }
    }

    fn decide(&mut self, leg: LegId) {
        let command = match self.random.below(7) {
            0 => Command::Ring(leg, None),
            1 => Command::Answer(leg, OFFER.to_owned()),
            2 => Command::AnswerReinvite(leg, OFFER.to_owned()),
            3 => Command::RefuseReinvite(leg, 488),
            4 => Command::HangUp(leg, Some("Q.850;cause=16".to_owned())),
            5 => return,
            _ => Command::Refuse(leg, Refusal::status(486)),
        };
        self.endpoint.command(self.now, command);
    }

    fn pass(&mut self, span: Duration) {
        self.now += span;
        self.endpoint.handle_timeout(self.now);
        self.drain();
    }
}

#[test]
fn after_five_thousand_mutated_messages_the_endpoint_still_answers_options_and_keeps_nothing() {
    let mut gateway = Gateway::new();
    let mut seeds = sip_seeds();
    seeds.extend(kit_sip());
    let mut random = Random(42);
    for n in 0..5_000 {
        let seed = &seeds[random.below(seeds.len())];
        let bytes = mutated(seed, &mut random);
        let transport = if n % 5 == 0 { Transport::Tcp } else { Transport::Udp };
        gateway.handle(transport, &bytes);
        gateway.pass(Duration::from_millis(50));
    }
    gateway.sent.clear();
    gateway.handle(Transport::Udp, &request("OPTIONS", 1, "the-last-one", ""));
    assert_eq!(gateway.sent, [200]);

    for leg in std::mem::take(&mut gateway.legs) {
        gateway.endpoint.command(gateway.now, Command::HangUp(leg, None));
    }
    gateway.drain();
    for _ in 0..400 {
        gateway.pass(T1_64 / 100);
    }
    assert_eq!(gateway.endpoint.alive(), (0, 0, 0), "transactions, dialogs, legs");
}
