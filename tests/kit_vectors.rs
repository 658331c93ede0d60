//! The kit's vectors: G.711 and G.722 as the ITU says them, Opus of others, SIP as RFC 4475 and RFC 5118 say it.
//!
//! The kit is other people's data and not part of the project: `$VOXGW_KIT` or `../shared/kit`; without it these
//! tests say that they are skipped.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

use std::{
    collections::BTreeSet,
    io::Write as _,
    net::SocketAddr,
    path::{Path as FilePath, PathBuf},
};
use voxgw::{
    clock::Instant,
    media::{
        codec,
        inbound::{self, Inbound},
    },
    replay::source,
    sip::{
        endpoint::{Endpoint, Event, Output, Settings},
        message::{Invalid, Message},
        tx::{Path, Transport},
    },
    unit::SampleRate,
};

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

fn read(folder: &FilePath, name: &str) -> Vec<u8> {
    let path = folder.join(name);
    std::fs::read(&path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

// G.711

/// Little-endian 16-bit words: samples in the source, one code each in the references.
fn words(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect()
}

fn assert_codes(law: &str, reference: &str) {
    let Some(kit) = kit() else { return };
    let folder = kit.join("vectors/g711");
    let samples: Vec<i16> = words(&read(&folder, "sweep.src")).into_iter().map(u16::cast_signed).collect();
    let codes = words(&read(&folder, reference));
    let every: BTreeSet<i16> = samples.iter().copied().collect();
    assert_eq!((every.len(), codes.len()), (65_536, 65_536), "every sample once");
    let mut payload = Vec::new();
    let row = codec::by_name(law).expect("a row of the table");
    row.encoder(&codec::Wanted { rate: row.rates[0], fmtp: "" }).encode(&samples, &mut payload);
    for ((sample, code), ours) in samples.iter().zip(&codes).zip(&payload) {
        assert_eq!(u16::from(*ours), *code, "{law} of {sample}");
    }
}

#[test]
fn every_sample_has_the_itus_mu_law_code() {
    assert_codes("pcmu", "sweep-r.u");
}

#[test]
fn every_sample_has_the_itus_a_law_code() {
    assert_codes("pcma", "sweep-r.a");
}

// G.722

/// 16-bit words of a file of the ITU's tools.
fn g722_words(name: &str) -> Option<Vec<u16>> {
    Some(words(&read(&kit()?.join("vectors/g722"), name)))
}

fn g722_decoded(codes: &[u8]) -> Vec<i16> {
    let row = codec::by_name("g722").expect("a row of the table");
    let mut decoder = row.decoder(row.rates[0]);
    let mut samples = Vec::new();
    for payload in codes.chunks(160) {
        decoder.decode(payload, &mut samples);
    }
    samples
}

/// From the first fifth of a second on, sample by sample; before, states that begin at zero instead of at the
/// recommendation's values have not met yet, which is 46 of 32,768 at most.
#[test]
fn the_itus_g722_codes_give_its_speech() {
    let (Some(codes), Some(speech)) = (g722_words("codspw.cod"), g722_words("outsp1.bin")) else { return };
    let codes: Vec<u8> = codes.iter().map(|code| (*code & 0xff) as u8).collect();
    let samples = g722_decoded(&codes);
    assert_eq!(samples.len(), speech.len());
    let off = |(ours, theirs): (&i16, &u16)| (i32::from(*ours) - i32::from(theirs.cast_signed())).abs();
    let worst = |from: usize, to: usize| samples[from..to].iter().zip(&speech[from..to]).map(off).max();
    assert_eq!(worst(3_200, samples.len()), Some(0));
    assert!(worst(0, 3_200) <= Some(46));
}

/// Our codes are not the ITU's, because the crate's filter bank rounds otherwise; what they carry is as near to the
/// speech.
#[test]
fn our_g722_codes_carry_speech_as_well_as_the_itus() {
    let (Some(speech), Some(codes)) = (g722_words("inpsp.bin"), g722_words("codspw.cod")) else { return };
    let speech: Vec<i16> = speech.into_iter().map(u16::cast_signed).collect();
    let row = codec::by_name("g722").expect("a row of the table");
    let mut encoder = row.encoder(&codec::Wanted { rate: row.rates[0], fmtp: "" });
    let mut ours = Vec::new();
    for frame in speech.chunks(320) {
        encoder.encode(frame, &mut ours);
    }
    let theirs: Vec<u8> = codes.iter().map(|code| (*code & 0xff) as u8).collect();
    assert_eq!(ours.len(), theirs.len());
    // Both filter banks together delay by 22 samples.
    let snr_db = |codes: &[u8]| {
        let samples = g722_decoded(codes);
        let (mut signal, mut noise) = (0.0, 0.0);
        for (said, heard) in speech.iter().zip(&samples[22..]) {
            signal += f64::from(*said).powi(2);
            noise += (f64::from(*said) - f64::from(*heard)).powi(2);
        }
        10.0 * (signal / noise).log10()
    };
    let (ours, theirs) = (snr_db(&ours), snr_db(&theirs));
    assert!(ours > theirs - 0.1, "{ours:.2} dB, the ITU's {theirs:.2} dB");
}

// Opus

/// Packets of an Ogg file, as RTP would carry them.
fn opus_packets(name: &str) -> Option<Vec<Vec<u8>>> {
    let bytes = read(&kit()?.join("vectors/opus"), name);
    let mut reader = opus_pure::OggOpusReader::new(std::io::Cursor::new(bytes)).expect("an Ogg Opus file");
    Some(reader.packets().map(|packet| packet.expect("a whole packet").data).collect())
}

#[test]
fn opus_of_others_is_heard_alike_at_each_rate() {
    let row = codec::by_name("opus").expect("a row of the table");
    for name in ["16_bit_48khz_2_4_2.opus", "opus.1.8k.11k.speech.ogg"] {
        let Some(packets) = opus_packets(name) else { return };
        let mut levels = Vec::new();
        for rate in row.rates {
            let mut decoder = row.decoder(*rate);
            let mut samples = Vec::new();
            for packet in &packets {
                decoder.decode(packet, &mut samples);
            }
            let ticks: usize = packets.iter().map(|packet| opus_pure::packet::samples_48k(packet).unwrap()).sum();
            assert_eq!(samples.len(), ticks / (48_000 / rate.0 as usize), "{name} at {rate}");
            let squares: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
            levels.push(10.0 * (squares / samples.len() as f64).log10());
        }
        assert!(levels[0] > 40.0, "{name}: silence, {levels:?} dB");
        let spread = levels.iter().copied().fold(f64::MIN, f64::max) - levels.iter().copied().fold(f64::MAX, f64::min);
        assert!(spread < 3.0, "{name}: {levels:?} dB");
    }
}

/// The same minute of Opus with FEC twice, once with 29 packets dropped: what FEC and concealment make of them is like
/// what was there, and the rest does not suffer.
#[test]
fn dropped_opus_packets_come_back_from_the_next_ones() {
    let Some(kit) = kit() else { return };
    let heard = |name: &str| {
        let options = source::Options { codec: codec::by_name("opus"), ..source::Options::default() };
        let source = source::open(&kit.join("pcap/asterisk").join(name), &options).expect("a capture");
        let stream = &source.streams[0];
        let settings = inbound::Settings {
            codecs: stream.codecs.clone(),
            events: Vec::new(),
            wanted: SampleRate::HZ_16000,
            described: Some(stream.source),
            expected: false,
        };
        let mut inbound = Inbound::new(Instant::ZERO, settings, stream.ptime);
        let (mut samples, mut all, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
        for (at, bytes) in &stream.packets {
            if inbound.timeout() <= *at {
                inbound.handle_timeout(*at);
            }
            inbound.handle_rtp(*at, stream.source, bytes);
            while let Some(out) = inbound.poll(&mut samples) {
                if let inbound::Out::Frame { concealed, .. } = out {
                    if concealed {
                        gaps.push(all.len()..all.len() + samples.len());
                    }
                    all.extend_from_slice(&samples);
                }
            }
        }
        (all, gaps)
    };
    let (whole, none) = heard("16_bit_48khz_60_fec_rtp.pcapng");
    let (lossy, gaps) = heard("16_bit_48khz_60_fec_dropped.pcapng");
    assert!(none.is_empty());
    assert_eq!(gaps.iter().map(ExactSizeIterator::len).sum::<usize>(), 29 * 320);
    let likeness = |parts: &mut dyn Iterator<Item = usize>| {
        let (mut product, mut one, mut other) = (0.0, 0.0, 1.0);
        for n in parts {
            let (a, b) = (f64::from(whole[n]), f64::from(lossy[n]));
            (product, one, other) = (product + a * b, one + a * a, other + b * b);
        }
        product / (one * other).sqrt()
    };
    let all = likeness(&mut (0..whole.len().min(lossy.len())));
    let made_up = likeness(&mut gaps.iter().cloned().flatten());
    println!("{all:.3} over all, {made_up:.3} in the gaps");
    assert!(all > 0.95 && made_up > 0.6, "{all:.3} over all, {made_up:.3} in the gaps");
}

// Torture messages: the parser

/// What becomes of a message before any transaction or application looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Read.
    Accepted,
    /// Answered with this status.
    Refused(u16),
    /// Thrown away: it is no request, or nobody could be answered.
    Dropped,
}

use Fate::{Accepted, Dropped, Refused};

impl Fate {
    fn of(bytes: &[u8]) -> Self {
        match Message::parse(bytes) {
            Ok(_) => Accepted,
            Err(Invalid::Answerable { status, .. }) => Refused(status),
            Err(Invalid::Drop(_)) => Dropped,
        }
    }
}

/// What RFC 4475 wants of a parser. Faults above syntax (unknown schemes, extensions, bodies) are accepted here and
/// refused by the endpoint: see [`ENDPOINT`].
const RFC4475: &[(&str, Fate)] = &[
    // 3.1.1 valid
    ("wsinv", Accepted),
    ("intmeth", Accepted),
    ("esc01", Accepted),
    ("escnull", Accepted),
    ("esc02", Accepted),
    ("lwsdisp", Accepted),
    ("longreq", Accepted),
    ("dblreq", Accepted),
    ("semiuri", Accepted),
    ("transports", Accepted),
    ("mpart01", Accepted),
    ("unreason", Accepted),
    ("noreason", Accepted),
    // 3.1.2 invalid
    ("badinv01", Refused(400)),
    ("clerr", Refused(400)),
    ("ncl", Refused(400)),
    ("scalar02", Refused(400)),
    ("scalarlg", Dropped),
    ("quotbal", Refused(400)),
    ("ltgtruri", Refused(400)),
    ("lwsruri", Refused(400)),
    ("lwsstart", Refused(400)),
    ("trws", Refused(400)),
    ("escruri", Refused(400)),
    // An element that does not use Date may ignore it.
    ("baddate", Accepted),
    ("regbadct", Refused(400)),
    ("badaspec", Refused(400)),
    ("baddn", Refused(400)),
    ("badvers", Refused(505)),
    ("mismatch01", Refused(400)),
    ("mismatch02", Refused(400)),
    ("bigcode", Dropped),
    // 3.2 transactions
    ("badbranch", Accepted),
    // 3.3 applications
    ("insuf", Refused(400)),
    ("unkscm", Accepted),
    ("novelsc", Accepted),
    ("unksm2", Accepted),
    ("bext01", Accepted),
    ("invut", Accepted),
    ("regaut01", Accepted),
    ("multi01", Refused(400)),
    ("mcl01", Refused(400)),
    ("bcast", Accepted),
    ("zeromf", Accepted),
    ("cparam01", Accepted),
    ("cparam02", Accepted),
    ("regescrt", Accepted),
    ("sdp01", Accepted),
    // 3.4 backward compatibility
    ("inv2543", Accepted),
];

/// What RFC 5118 wants of a parser.
const RFC5118: &[(&str, Fate)] = &[
    ("ipv6-good", Accepted),
    ("ipv6-bad", Refused(400)),
    ("port-ambiguous", Accepted),
    ("port-unambiguous", Accepted),
    ("via-received-param-with-delim", Accepted),
    ("via-received-param-no-delim", Accepted),
    ("ipv6-in-sdp", Accepted),
    ("mult-ip-in-header", Accepted),
    ("mult-ip-in-sdp", Accepted),
    ("ipv4-mapped-ipv6", Accepted),
    ("ipv6-correct-abnf-2-colons", Accepted),
    // 4.10: the third colon comes from a fault of RFC 3261's grammar and should be put up with.
    ("ipv6-bug-abnf-3-colons", Accepted),
];

/// Where our parser does otherwise: message, what it does, why.
const KNOWN_FAILURES: &[(&str, Fate, &str)] = &[];

fn assert_fates(folder: &str, extension: &str, table: &[(&str, Fate)]) {
    let Some(kit) = kit() else { return };
    let folder = kit.join("torture").join(folder);
    let mut unexpected = Vec::new();
    for (name, wanted) in table {
        let known = KNOWN_FAILURES.iter().find(|(known, ..)| known == name);
        let expected = known.map_or(*wanted, |(_, fate, _)| *fate);
        assert!(known.is_none() || expected != *wanted, "{name} is no failure");
        let fate = Fate::of(&read(&folder, &format!("{name}{extension}")));
        if fate != expected {
            unexpected.push(format!("{name}: {fate:?} instead of {expected:?} (the RFC wants {wanted:?})"));
        }
    }
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    let files = folder.read_dir().unwrap().count();
    assert_eq!(files, table.len(), "every file of {} has its row", folder.display());
}

#[test]
fn rfc_4475_messages_are_taken_and_refused_as_they_should_be() {
    assert_fates("rfc4475", ".dat", RFC4475);
}

#[test]
fn rfc_5118_messages_are_taken_and_refused_as_they_should_be() {
    assert_fates("rfc5118", "", RFC5118);
}

#[test]
fn every_known_failure_has_a_reason_and_a_message() {
    for (name, _, reason) in KNOWN_FAILURES {
        assert!(!reason.is_empty());
        assert!(RFC4475.iter().chain(RFC5118).any(|(known, _)| known == name), "{name} is no message of the kit");
    }
}

// Torture messages: the endpoint

/// What the endpoint makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// A final response.
    Status(u16),
    /// A new call.
    Call,
    /// Neither.
    Nothing,
}

use Outcome::{Call, Nothing, Status};

/// Requests whose fault, if they have one, is above syntax (RFC 4475 §3.3), and some good ones.
const ENDPOINT: &[(&str, Outcome)] = &[
    ("insuf", Status(400)),
    ("unkscm", Status(416)),
    ("novelsc", Status(416)),
    ("bext01", Status(420)),
    ("invut", Status(415)),
    ("zeromf", Status(200)),
    // Methods that this gateway does not take.
    ("intmeth", Status(405)),
    ("esc02", Status(405)),
    ("mpart01", Status(200)),
    ("mpart01", Status(200)),
    ("regaut01", Status(403)),
    // Good calls.
    ("esc01", Call),
    ("longreq", Call),
    ("sdp01", Call),
    // It has a To tag, but belongs to no dialog.
    ("wsinv", Status(481)),
    // Known failure: RFC 2543 asked for no Contact; without one we could never send BYE.
    ("inv2543", Status(400)),
    // Responses to nobody.
    ("bcast", Nothing),
    ("bigcode", Nothing),
    ("scalarlg", Nothing),
];

fn outcome_of(bytes: &[u8]) -> Outcome {
    let settings = Settings { transactions_max: 100, ..Settings::default() };
    let mut endpoint = Endpoint::new(settings);
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let path = Path {
        transport: Transport::Udp,
        remote: address("192.0.2.1:5060"),
        local: address("203.0.113.5:5060"),
        connection: None,
    };
    endpoint.handle(Instant::ZERO, path, bytes);
    loop {
        match endpoint.poll() {
            Output::Timeout(_) => return Nothing,
            Output::Event(Event::Invite(..)) => return Call,
            Output::Transmit(_, bytes) => return Status(status_of(&bytes)),
            Output::Event(_) | Output::Trace(_) => {}
        }
    }
}

/// Status of a response; the answer to a broken request may be too broken for our own parser.
fn status_of(bytes: &[u8]) -> u16 {
    let text = std::str::from_utf8(bytes).expect("we send text");
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a response")
}

#[test]
fn the_endpoint_answers_rfc_4475_requests_with_the_right_status() {
    let Some(kit) = kit() else { return };
    let folder = kit.join("torture/rfc4475");
    for (name, expected) in ENDPOINT {
        assert_eq!(outcome_of(&read(&folder, &format!("{name}.dat"))), *expected, "{name}");
    }
}
