//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760), both sides.
//!
//! [`client`] answers challenges of others, [`server`] makes ours and judges what comes back. Passwords leave a
//! [`Secret`](crate::redact::Secret) only into a hash.

pub mod client;
pub mod server;

pub use client::{Challenge, Credentials};

use super::uri::split_outside_quotes;
use md5::{Digest as _, Md5};
use sha2::Sha256;
use std::fmt::Write as _;

/// A hash that both sides know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RFC 7616's `MD5`: what most telephones know.
    Md5,
    /// RFC 8760's `SHA-256`.
    Sha256,
}

impl Algorithm {
    /// The one that `algorithm=` names; MD5 if it is not given, none if we do not know it.
    #[must_use]
    pub fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None => Some(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case("MD5") => Some(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Some(Self::Sha256),
            Some(_) => None,
        }
    }

    /// On the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The hash of `text` in hexadecimal.
    #[must_use]
    pub fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hexadecimal(&Md5::digest(text)),
            Self::Sha256 => hexadecimal(&Sha256::digest(text)),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Name and value, unquoted.
type Params = Vec<(String, Option<String>)>;

/// The parameters of a `Digest …` value; none for another scheme.
fn params_of(text: &str) -> Option<Params> {
    let (scheme, rest) = text.trim().split_once(char::is_whitespace)?;
    if !scheme.eq_ignore_ascii_case("digest") {
        return None;
    }
    let pairs = split_outside_quotes(rest, ',').into_iter().filter_map(|part| part.split_once('='));
    Some(
        pairs
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), Some(value.trim().trim_matches('"').to_owned())))
            .collect(),
    )
}
