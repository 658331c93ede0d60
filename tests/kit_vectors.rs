//! The kit's vectors: G.711 as the ITU says it, SIP as RFC 4475 and RFC 5118 say it.
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
    media::codec,
    sip::{
        endpoint::{Endpoint, Event, Output, Settings},
        message::{Invalid, Message},
        tx::{Path, Transport},
    },
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
