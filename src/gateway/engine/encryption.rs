//! How a leg's media are encrypted: the trunk's word, else `media.srtp`; keys only where signalling is.

use super::Engine;
use crate::{
    call::pipeline::srtp::{Seed, Settings},
    error::{Error, Result},
    sip::{sdp::crypto::Policy, tx::Path},
};
use rand::Rng as _;

impl Engine {
    /// For a leg of this `trunk`; of one whose next hop is `path`, called by `host`, if nobody named a trunk.
    pub(super) fn encryption(&self, path: &Path, trunk: Option<&str>, host: &str) -> Settings {
        let by_address = self.trunk_addresses.at(path.remote.ip());
        let trunk = self.config.signalling.trunks.iter().find(|known| match trunk {
            Some(name) => known.name == name,
            None => {
                by_address == Some(known.name.as_str())
                    || known.servers.iter().any(|server| !host.is_empty() && server.host.eq_ignore_ascii_case(host))
            }
        });
        let wanted = &self.config.encryption;
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        Settings {
            policy: trunk.and_then(|trunk| trunk.srtp).unwrap_or(wanted.policy),
            suites: wanted.suites.clone(),
            in_clear: !path.transport.is_secure(),
            over_plain: wanted.over_plain,
            seed: Seed(seed),
        }
    }
}

/// Whether a description of ours holds keys that must not be read on their way.
pub(super) fn has_keys(settings: &Settings) -> bool {
    settings.policy != Policy::Off && !settings.in_clear && !settings.over_plain
}

/// Whether a call of ours can begin with these.
///
/// # Errors
/// It must be encrypted, and its keys must not travel.
pub(super) fn check(settings: &Settings, path: &Path) -> Result<()> {
    if settings.policy != Policy::Required || !settings.in_clear || settings.over_plain {
        return Ok(());
    }
    let transport = path.transport.lower_name();
    Err(Error::usage(format!("SRTP is required, and its keys would travel in the clear over {transport}"))
        .hint("call over TLS (sips: or ;transport=tls), or allow it with media.srtp_over_plain = true"))
}
