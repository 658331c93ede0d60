//! Join tokens: what a browser that joins has been allowed. `jwt` signs and reads them.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use serde::{Deserialize, Serialize};

/// Shortest secret: anybody may try to guess it from one token, offline.
pub const SECRET_MIN: usize = 16;

/// What a token says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who joins; shown as the caller.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sub: String,
    /// The only one it may call; empty for anybody.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub to: String,
    /// Valid until then, seconds since 1970.
    pub exp: u64,
}
