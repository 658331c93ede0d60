//! Tokens that prove to a bot that a connection is ours: JWT with HS256 (RFC 7519, RFC 7515), one for each connection.
//!
//! Pure but for the clock that its caller reads. Called by `agent::seat`.

use crate::{clock::WallTime, redact::Secret};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How long a token is good: a connection is made at once or not at all.
pub const GOOD_FOR_S: u64 = 60;

/// A token for one connection of `call`.
#[must_use]
pub fn sign(secret: &Secret, call: &str, now: WallTime) -> String {
    let issued = now.0 / 1_000_000;
    let claims = serde_json::json!({"iss": "voxgw", "sub": call, "iat": issued, "exp": issued + GOOD_FOR_S});
    let signed = format!("{}.{}", encoded(br#"{"alg":"HS256","typ":"JWT"}"#), encoded(claims.to_string().as_bytes()));
    let signature = hmac(secret.reveal().as_bytes(), signed.as_bytes());
    format!("{signed}.{}", encoded(&signature))
}

/// HMAC takes keys of any length; its type does not say so.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard() {
        // RFC 7515 appendix A.1: its own header and claims, signed by the same steps.
        let key = URL_SAFE_NO_PAD
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let signature = hmac(&key, b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ");
        assert_eq!(encoded(&signature), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn a_token_names_its_call_and_ends_soon() {
        let token = sign(&Secret::new("s3cret"), "c-00000001", WallTime(1_700_000_000_000_000));
        let parts: Vec<_> = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()).collect();
        let claims: serde_json::Value = serde_json::from_slice(&parts[1]).unwrap();
        assert_eq!(claims["sub"], "c-00000001");
        assert_eq!((claims["iat"].as_u64(), claims["exp"].as_u64()), (Some(1_700_000_000), Some(1_700_000_060)));
        assert_eq!(parts[2].len(), 32);
    }
}
