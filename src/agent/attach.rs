//! A platform that comes to us: it opens a WebSocket with a token for one call, and takes the agent's chair in it, in the
//! shape of the Media Streams that a `bridge` agent speaks.
//!
//! Owns what a token says, the plan that it becomes, and the slot that the connection is put into when it is there. Does
//! not know HTTP: `api` opens the door. [`super::socket`] takes the connection out of the slot.

use super::{
    seat::{Plan, RemotePlan, What},
    wire::{Auth, Encoding, Settings, bridge},
};
use crate::call::{BargeIn, Early, turn::Owner};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};
use tokio_tungstenite::WebSocketStream;

/// The longest life of a token, and the one that it gets without a wish, in seconds.
pub const TOKEN_MAX_S: u64 = 3_600;
/// See [`TOKEN_MAX_S`].
pub const TOKEN_S: u64 = 60;
/// Characters of all parameters: they travel in the token.
const PARAMETERS_MAX: usize = 1_024;

/// What a token says. It is good for one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// What it is for: always [`PURPOSE`], so that no other token of ours passes for one.
    pub aud: String,
    /// The call.
    pub sub: String,
    /// Valid until then, seconds since 1970.
    pub exp: u64,
    /// Its number.
    pub jti: String,
    /// The encoding, by the name that `agents.*.audio` has for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<String>,
    /// More of what `start` tells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// `aud` of our tokens.
pub const PURPOSE: &str = "voxgw:stream";

impl Claims {
    /// Whether it asks for what there is.
    ///
    /// # Errors
    /// Names what is wrong.
    pub fn check(&self) -> Result<(), String> {
        if let Some(audio) = &self.audio
            && !bridge::PROVIDER.encodings.contains(&audio.as_str())
        {
            return Err(format!("audio is one of {}", bridge::PROVIDER.encodings.join(", ")));
        }
        let size: usize = self.parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > PARAMETERS_MAX {
            return Err(format!("parameters have more than {PARAMETERS_MAX} characters"));
        }
        Ok(())
    }
}

/// Bytes both ways.
pub trait Pipe: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Pipe for T {}

/// A platform's connection.
pub type Connection = WebSocketStream<Box<dyn Pipe>>;

/// Where its connection will be, for the one who takes it.
#[derive(Clone)]
pub struct Slot(Arc<Mutex<Option<oneshot::Receiver<Connection>>>>);

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Slot(…)")
    }
}

impl Slot {
    /// A slot, and what puts the connection into it.
    #[must_use]
    pub fn new() -> (oneshot::Sender<Connection>, Self) {
        let (to, from) = oneshot::channel();
        (to, Self(Arc::new(Mutex::new(Some(from)))))
    }

    /// The connection as soon as it is there, once; none if it does not come `within`, or was taken.
    pub async fn take(&self, within: Duration) -> Option<Connection> {
        let from = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        tokio::time::timeout(within, from).await.ok()?.ok()
    }
}

/// The plan of a platform that attaches with these claims; who sat there before takes over when it is lost.
#[must_use]
pub fn plan(claims: &Claims, slot: Slot, before: &Arc<Plan>) -> Plan {
    let settings = Settings {
        audio: claims.audio.as_deref().and_then(Encoding::parse),
        parameters: claims.parameters.clone().into_iter().collect(),
        // Whoever came to us comes again; we know no way to them.
        reconnects: Some(0),
        ..Settings::default()
    };
    let what = What::Remote(Arc::new(RemotePlan {
        provider: &bridge::PROVIDER,
        url: "ws://the-platform".to_owned(),
        auth: Auth::Bearer,
        key: None,
        key_file: None,
        settings: Arc::new(settings),
        interruptible: true,
        slot: Some(slot),
    }));
    // One that was attached itself has no connection any more.
    let was_attached = matches!(&before.what, What::Remote(remote) if remote.slot.is_some());
    let mut fallback = before.fallback.to_vec();
    if !was_attached {
        fallback.insert(0, Arc::new(Plan { fallback: Arc::default(), ..(**before).clone() }));
    }
    Plan {
        name: "attached".to_owned(),
        manners: Arc::default(),
        barge_in: BargeIn::Provider,
        owner: Owner::Provider,
        prebuffer: Duration::ZERO,
        early: Early::Off,
        codecs: None,
        tools: Arc::default(),
        mcp: Arc::default(),
        fallback: fallback.into(),
        what,
    }
}

/// A token's number, from random bytes of its maker's.
#[must_use]
pub fn number(random: u64) -> String {
    format!("{random:016x}")
}

/// Numbers of tokens that were used, until they would have expired.
#[derive(Debug, Default)]
pub struct Used(Mutex<BTreeMap<String, u64>>);

impl Used {
    /// Uses a token: false if it was used before.
    pub fn once(&self, claims: &Claims, now: u64) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|_, exp| *exp > now);
        used.insert(claims.jti.clone(), claims.exp).is_none()
    }

    /// It opened nothing: it may be used again.
    pub fn not_used(&self, number: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            aud: PURPOSE.into(),
            sub: "c-00000001".into(),
            exp: 1_000,
            jti: number(7),
            audio: None,
            parameters: BTreeMap::new(),
        }
    }

    #[test]
    fn a_token_is_good_once_and_forgotten_when_it_has_expired() {
        let used = Used::default();
        assert!(used.once(&claims(), 10) && !used.once(&claims(), 10));
        assert!(used.once(&Claims { jti: number(8), ..claims() }, 10));
        used.once(&Claims { jti: number(9), exp: 9_000, ..claims() }, 2_000);
        assert_eq!(used.0.lock().unwrap().len(), 1, "expired numbers are dropped");
    }

    #[test]
    fn tokens_ask_for_what_there_is() {
        assert_eq!(claims().check(), Ok(()));
        assert!(Claims { audio: Some("mp3".into()), ..claims() }.check().unwrap_err().contains("pcm16"));
        let parameters = BTreeMap::from([("x".to_owned(), "y".repeat(PARAMETERS_MAX))]);
        assert!(Claims { parameters, ..claims() }.check().is_err());
    }
}
