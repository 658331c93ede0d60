//! JSON Web Tokens signed with HMAC-SHA-256 (RFC 7519, RFC 7515, RFC 7518 §3.2), made and read: for bots that we connect to
//! and for browsers that join.
//!
//! Only this one algorithm is taken, whatever a token's header says. Pure: the time is the caller's.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::secret::MacKey;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Longest token that is looked at.
const TOKEN_MAX: usize = 2_048;

#[derive(Deserialize)]
struct Head {
    alg: String,
}

#[derive(Deserialize)]
struct Expiry {
    exp: u64,
}

/// The secret that tokens are signed with.
#[derive(Clone)]
pub struct Key(MacKey);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// From a secret of any length.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(MacKey::new(secret))
    }

    /// A token that says `claims`, which are plain data.
    #[must_use]
    pub fn sign(&self, claims: &impl Serialize) -> String {
        let body = serde_json::to_string(claims).unwrap_or_default();
        let signed = format!("{}.{}", BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#), BASE64.encode(body));
        let tag = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(tag))
    }

    /// What a token says, if we signed it and its `exp` is after `now` (seconds since 1970).
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn read<T: DeserializeOwned>(&self, token: &str, now: u64) -> Result<T, &'static str> {
        const NONE: &str = "this is no token";
        if token.len() > TOKEN_MAX {
            return Err(NONE);
        }
        let (signed, tag) = token.rsplit_once('.').ok_or(NONE)?;
        let (head, body) = signed.split_once('.').ok_or(NONE)?;
        let tag = BASE64.decode(tag).map_err(|_| NONE)?;
        if !self.0.is_signed(signed.as_bytes(), &tag) {
            return Err("the token was not signed with our secret");
        }
        let head: Head = serde_json::from_slice(&BASE64.decode(head).map_err(|_| NONE)?).map_err(|_| NONE)?;
        if head.alg != "HS256" {
            return Err("the token's algorithm must be HS256");
        }
        let body = BASE64.decode(body).map_err(|_| NONE)?;
        let expiry: Expiry = serde_json::from_slice(&body).map_err(|_| "the token has no exp, or says it oddly")?;
        if expiry.exp <= now {
            return Err("the token has expired");
        }
        serde_json::from_slice(&body).map_err(|_| "the token does not say what it should")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_token_says_what_was_signed_until_it_expires() {
        let key = Key::new(b"a secret of some length");
        let claims = json!({"sub": "anna", "exp": 1_000});
        let token = key.sign(&claims);
        assert_eq!(key.read(&token, 999), Ok(claims));
        assert_eq!(key.read::<Value>(&token, 1_000), Err("the token has expired"));
        assert!(Key::new(b"another secret entirely").read::<Value>(&token, 0).is_err());
        assert!(key.read::<Value>(&key.sign(&json!({"sub": "anna"})), 0).unwrap_err().contains("no exp"));
        // Another body under the same signature, no signature, no token at all.
        let (_, rest) = token.split_once('.').unwrap();
        let forged = format!("{}.{rest}", BASE64.encode(r#"{"alg":"none"}"#));
        for wrong in [forged.as_str(), "", "a.b.c", token.trim_end_matches(|c| c != '.')] {
            assert!(key.read::<Value>(wrong, 0).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_tokens_are_what_others_call_jwt() {
        // The example of RFC 7515 A.1, with its key.
        let secret = BASE64
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                     Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(Key::new(&secret).read::<Value>(token, 1_300_000_000).unwrap()["exp"], 1_300_819_380);
    }
}
