//! Keys for SRTP in descriptions (`a=crypto`, RFC 4568, RFC 7714 §14): reading, choosing, writing.
//!
//! Owns which lines can be used and what is agreed on under a [`Policy`]. Knows suites by name and key length; what
//! they do to packets is `media::rtp::srtp`'s. Keys come from `call::pipeline`; [`Key`] never shows itself.

use super::Media;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use std::fmt::{self, Write as _};

/// Whether media are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Never.
    Off,
    /// If both sides can: offered as `RTP/AVP` with `a=crypto`.
    #[default]
    Optional,
    /// Or there is no call: offered as `RTP/SAVP`.
    Required,
}

impl std::str::FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "optional" => Ok(Self::Optional),
            "required" => Ok(Self::Required),
            _ => Err("must be off, optional or required".to_owned()),
        }
    }
}

/// Suites that can be agreed on, and bytes of master key and salt: the default order of our offers.
pub static SUITES: [(&str, usize); 4] = [
    ("AEAD_AES_256_GCM", 44),
    ("AEAD_AES_128_GCM", 28),
    ("AES_CM_128_HMAC_SHA1_80", 30),
    ("AES_CM_128_HMAC_SHA1_32", 30),
];

/// Lines of one description that are looked at.
const LINES_MAX: usize = 16;
/// A key that may not protect so many packets (six hours of them) might end before its call: we do not change keys by
/// ourselves.
const LIFETIME_MIN: u64 = 1 << 20;

/// Padding may be left away (RFC 4568 §6.1).
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Master key and salt. It can be used, not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// Takes charge of master key and salt.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the one place that uses them.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// One line that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// By which an answer names the line.
    pub tag: u32,
    /// One of [`SUITES`].
    pub suite: &'static str,
    /// For what its writer sends.
    pub key: Key,
}

impl Crypto {
    /// Reads what follows `a=crypto:`.
    ///
    /// # Errors
    /// Says why the line cannot be used; the key is not in it.
    pub fn parse(value: &str) -> Result<Self, String> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next().unwrap_or_default();
        let tag = if tag.len() <= 9 && tag.bytes().all(|byte| byte.is_ascii_digit()) { tag.parse().ok() } else { None };
        let tag: u32 = tag.ok_or("its tag is no number")?;
        let name = words.next().ok_or_else(|| format!("line {tag} names no suite"))?;
        let Some((suite, length)) = SUITES.iter().find(|(known, _)| *known == name) else {
            return Err(format!("line {tag}: suite {} is not known", crate::redact::printable(name)));
        };
        let params = words.next().ok_or_else(|| format!("line {tag} has no key"))?;
        let key = key(params, *length).map_err(|problem| format!("line {tag}: {problem}"))?;
        for param in words {
            session_param(param).map_err(|problem| format!("line {tag}: {problem}"))?;
        }
        Ok(Self { tag, suite, key })
    }

    fn write(&self, text: &mut String) {
        let _ = write!(text, "a=crypto:{} {} inline:{}\r\n", self.tag, self.suite, BASE64.encode(self.key.reveal()));
    }
}

/// `inline:KEY|2^20|1:4` (§6.1).
fn key(params: &str, length: usize) -> Result<Key, String> {
    if params.contains(';') {
        return Err("several keys in one line are not supported".to_owned());
    }
    let (method, info) = params.split_once(':').ok_or("its key has no method")?;
    if !method.eq_ignore_ascii_case("inline") {
        return Err("its key method is not inline".to_owned());
    }
    let mut parts = info.split('|');
    let bytes = BASE64.decode(parts.next().unwrap_or_default()).map_err(|_| "its key is no base64".to_owned())?;
    if bytes.len() != length {
        return Err(format!("its key has {} bytes instead of {length}", bytes.len()));
    }
    let mut next = parts.next();
    if let Some(text) = next.filter(|text| !text.contains(':')) {
        let lifetime = lifetime(text).ok_or("its key's lifetime is no number up to 2^48")?;
        if lifetime < LIFETIME_MIN {
            return Err("its key's lifetime is shorter than 2^20 packets".to_owned());
        }
        next = parts.next();
    }
    if next.is_some() {
        // Each packet would carry it.
        return Err("a master key identifier (MKI) is not supported".to_owned());
    }
    Ok(Key(bytes))
}

/// `2^31` or digits; RTP's limit is 2^48 packets.
fn lifetime(text: &str) -> Option<u64> {
    let number = |text: &str| {
        (!text.is_empty() && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u64>().ok())
            .flatten()
    };
    let packets = match text.strip_prefix("2^") {
        Some(power) => 1_u64.checked_shl(u32::try_from(number(power)?).ok()?)?,
        None => number(text)?,
    };
    (1..=1 << 48).contains(&packets).then_some(packets)
}

/// §6.3: what changes packets cannot be taken; a window's size is a hint, and a dash says "if you know it".
fn session_param(param: &str) -> Result<(), String> {
    if param.starts_with('-') {
        return Ok(());
    }
    let (name, value) = param.split_once('=').unwrap_or((param, ""));
    if name.eq_ignore_ascii_case("WSH") && value.parse::<u32>().is_ok_and(|size| size >= 64) {
        return Ok(());
    }
    Err(format!("session parameter {} is not supported", crate::redact::printable(param)))
}

/// What a side brings into a negotiation.
#[derive(Clone, Debug, Default)]
pub struct Security {
    /// Whether media are encrypted.
    pub policy: Policy,
    /// Our lines in our order, each with a key of its own; none at all while [`Policy::Off`].
    pub lines: Vec<Crypto>,
    /// Signalling is readable on its way, and keys must not be in it.
    pub exposed: bool,
    /// Their key and our line that hold now: who keeps the one keeps the other.
    pub current: Option<(Key, Crypto)>,
}

/// Both keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secured {
    /// What we send with, and the line that says so.
    pub ours: Crypto,
    /// What they send with.
    pub theirs: Key,
}

/// Words for a refusal.
const EXPOSED: &str = "SRTP keys would travel in the clear: signal over TLS, or allow it with media.srtp_over_plain";

/// Whether a protocol promises SRTP with keys in the description.
#[must_use]
pub fn is_secure(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case("RTP/SAVP") || protocol.eq_ignore_ascii_case("RTP/SAVPF")
}

impl Security {
    /// The protocol of our offers.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        if self.policy == Policy::Required { "RTP/SAVP" } else { "RTP/AVP" }
    }

    /// Our lines for an offer; none where keys must not travel.
    #[must_use]
    pub fn offered(&self) -> String {
        let mut text = String::new();
        if !self.exposed && self.policy != Policy::Off {
            for line in &self.lines {
                line.write(&mut text);
            }
        }
        text
    }

    /// Why we may not make an offer at all.
    #[must_use]
    pub fn forbids_offer(&self) -> Option<&'static str> {
        (self.policy == Policy::Required && self.exposed).then_some(EXPOSED)
    }

    /// What an offered medium comes to: keys, or none for plain RTP.
    ///
    /// # Errors
    /// Says why it must be refused.
    pub fn answer(&self, offered: &Media) -> Result<Option<Secured>, String> {
        let is_promised = is_secure(&offered.protocol);
        let is_needed = is_promised || self.policy == Policy::Required;
        if self.policy == Policy::Off {
            return if is_promised { Err("SRTP is offered, and media.srtp is off".to_owned()) } else { Ok(None) };
        }
        if self.exposed {
            return if is_needed { Err(EXPOSED.to_owned()) } else { Ok(None) };
        }
        // The offerer's order decides (§5.1.2).
        let mut why = String::from("there is no a=crypto");
        for value in offered.crypto.iter().take(LINES_MAX) {
            match Crypto::parse(value) {
                Ok(theirs) => match self.for_them(&theirs) {
                    Some(ours) => return Ok(Some(Secured { ours, theirs: theirs.key })),
                    None => why = format!("{} is not in media.srtp_suites", theirs.suite),
                },
                Err(problem) => why = problem,
            }
        }
        if is_needed { Err(format!("SRTP is required, and no key can be used: {why}")) } else { Ok(None) }
    }

    /// Our line that answers theirs: with the key that holds while theirs does, else with a new one.
    fn for_them(&self, theirs: &Crypto) -> Option<Crypto> {
        let line = self.lines.iter().find(|line| line.suite == theirs.suite)?;
        let kept = self.current.as_ref().filter(|(key, ours)| *key == theirs.key && ours.suite == theirs.suite);
        let key = kept.map_or(&line.key, |(_, ours)| &ours.key).clone();
        Some(Crypto { tag: theirs.tag, suite: line.suite, key })
    }

    /// What the answer to our offer comes to. `self` is what the offer was made from.
    ///
    /// # Errors
    /// Says why the call cannot go on.
    pub fn accept(&self, answered: &Media) -> Result<Option<Secured>, String> {
        let can = self.policy != Policy::Off && !self.exposed;
        if !can || answered.crypto.is_empty() {
            return if is_secure(&answered.protocol) || self.policy == Policy::Required {
                Err("SRTP is required, and the answer has no a=crypto".to_owned())
            } else {
                Ok(None)
            };
        }
        // One line, with the tag and the suite of one of ours (§5.1.3).
        let theirs =
            Crypto::parse(&answered.crypto[0]).map_err(|problem| format!("the answer's a=crypto: {problem}"))?;
        let ours = self.lines.iter().find(|line| line.tag == theirs.tag && line.suite == theirs.suite);
        match ours {
            Some(ours) => Ok(Some(Secured { ours: ours.clone(), theirs: theirs.key })),
            None => Err(format!("the answer's a=crypto is none of those offered: {} {}", theirs.tag, theirs.suite)),
        }
    }
}

impl Secured {
    /// Our line for the answer.
    #[must_use]
    pub fn line(&self) -> String {
        let mut text = String::new();
        self.ours.write(&mut text);
        text
    }
}

#[cfg(test)]
#[path = "crypto/tests.rs"]
mod tests;
