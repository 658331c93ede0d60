//! What is done with secrets: comparing them, and proving with them who has said something (HMAC, RFC 2104).
//!
//! One place, so that no other comparison is in use. Pure.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq as _;

/// Whether both are the same, in a time that does not depend on where they differ. That they differ in length may show.
#[must_use]
pub fn same(ours: &[u8], theirs: &[u8]) -> bool {
    bool::from(ours.ct_eq(theirs))
}

/// A key for HMAC-SHA-256.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey(…)")
    }
}

impl MacKey {
    /// From a secret of any length.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The code of `message`: 32 bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, message).as_ref().to_vec()
    }

    /// Whether `tag` is the code of `message`, in constant time.
    #[must_use]
    pub fn is_signed(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, message, tag).is_ok()
    }
}

/// HMAC-SHA-1, for TURN servers, whose convention has nothing newer.
#[must_use]
pub fn sign_sha1(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret), message).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_compared_whole() {
        assert!(same(b"abc", b"abc") && same(b"", b""));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab") && !same(b"", b"a"));
    }

    #[test]
    fn the_code_is_that_of_rfc_4231() {
        // Test case 2.
        let key = MacKey::new(b"Jefe");
        let tag = key.sign(b"what do ya want for nothing?");
        let number = tag.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        assert_eq!((tag.len(), number), (32, 0x5bdc_c146_bf60_754e));
        assert!(key.is_signed(b"what do ya want for nothing?", &tag));
        assert!(!key.is_signed(b"what do ya want for nothing!", &tag) && !key.is_signed(b"", &tag[..31]));
    }
}
