//! Tokens that prove to a bot that a connection is ours: one for each connection. `jwt` signs them.
//!
//! Pure but for the clock that its caller reads. Called by `agent::seat`.

use crate::{clock::WallTime, jwt::Key, redact::Secret};

/// How long a token is good: a connection is made at once or not at all.
pub const GOOD_FOR_S: u64 = 60;

/// A token for one connection of `call`.
#[must_use]
pub fn sign(secret: &Secret, call: &str, now: WallTime) -> String {
    let issued = now.0 / 1_000_000;
    let claims = serde_json::json!({"iss": "voxgw", "sub": call, "iat": issued, "exp": issued + GOOD_FOR_S});
    Key::new(secret.reveal().as_bytes()).sign(&claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_call_and_ends_soon() {
        let token = sign(&Secret::new("s3cret"), "c-00000001", WallTime(1_700_000_000_000_000));
        let key = Key::new(b"s3cret");
        let claims: serde_json::Value = key.read(&token, 1_700_000_059).unwrap();
        assert_eq!((&claims["sub"], &claims["iat"]), (&"c-00000001".into(), &1_700_000_000.into()));
        assert_eq!(key.read::<serde_json::Value>(&token, 1_700_000_060), Err("the token has expired"));
    }
}
