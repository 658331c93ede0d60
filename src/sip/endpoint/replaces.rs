//! Replaces (RFC 3891): an INVITE that takes the place of a dialog of ours, and the address with which others may be
//! sent to take one's place (RFC 5589 §7).

use super::{Endpoint, LegId, Request, Role, leg::Stage};
use crate::{network::url::percent_encoded, sip::uri::Uri};

/// What a Replaces header names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Replaces {
    call_id: String,
    to_tag: String,
    from_tag: String,
    early_only: bool,
}

impl Replaces {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let call_id = parts.next().filter(|id| !id.is_empty())?.to_owned();
        let (mut to_tag, mut from_tag, mut early_only) = (None, None, false);
        for part in parts {
            let (name, value) = part.split_once('=').map_or((part, ""), |(name, value)| (name.trim(), value.trim()));
            let slot = match name.to_ascii_lowercase().as_str() {
                "to-tag" => &mut to_tag,
                "from-tag" => &mut from_tag,
                "early-only" => {
                    early_only = true;
                    continue;
                }
                _ => continue,
            };
            // Each once (§6.1).
            if slot.replace(value.to_owned()).is_some() {
                return None;
            }
        }
        Some(Self { call_id, to_tag: to_tag?, from_tag: from_tag?, early_only })
    }
}

impl Endpoint {
    /// Which leg an INVITE wants to replace, if any (§3).
    ///
    /// # Errors
    /// The status to refuse it with.
    pub(super) fn replaced_by(&self, request: &Request) -> Result<Option<LegId>, u16> {
        let mut all = request.headers.all("Replaces");
        let Some(text) = all.next() else { return Ok(None) };
        let wish = Replaces::parse(text).filter(|_| all.next().is_none()).ok_or(400_u16)?;
        let key = (wish.call_id, wish.to_tag, wish.from_tag);
        let leg = self.dialogs.get(&key).and_then(|id| Some((*id, self.legs.get(id)?)));
        let Some((id, leg)) = leg else { return Err(481) };
        match (leg.role, leg.stage) {
            // It is over already: nobody takes a place that is gone.
            (_, Stage::Closing) => Err(603),
            // An early dialog that we did not begin cannot be replaced.
            (Role::Server, Stage::Early) => Err(481),
            (_, Stage::Confirmed | Stage::Unacknowledged) if wish.early_only => Err(486),
            _ => Ok(Some(id)),
        }
    }

    /// Where somebody must call to take our place in a leg: its far end, with Replaces. None if it is not up.
    #[must_use]
    pub fn place_in(&self, id: LegId) -> Option<Uri> {
        let leg = self.legs.get(&id).filter(|leg| leg.stage == Stage::Confirmed)?;
        let dialog = leg.dialog.as_ref()?;
        let (local, remote) = (dialog.local.tag().unwrap_or_default(), dialog.remote.tag().unwrap_or_default());
        // Seen from the far end, To is its own side.
        let replaces = format!("{};to-tag={remote};from-tag={local}", dialog.call_id);
        let mut uri = dialog.remote_target.clone();
        uri.headers = format!("Replaces={}", escaped(&replaces));
        Some(uri)
    }

    /// Whether a leg is there that was not answered yet, by whichever side.
    #[must_use]
    pub fn is_ringing(&self, id: LegId) -> bool {
        self.legs.get(&id).is_some_and(|leg| leg.stage == Stage::Early)
    }

    /// Our address on a leg's way; none if the leg is over.
    #[must_use]
    pub fn local_ip_of(&self, id: LegId) -> Option<std::net::IpAddr> {
        self.legs.get(&id).map(|leg| leg.path.local.ip())
    }

    /// Where a leg's requests come from, for those who ask whether somebody else is that far end.
    #[must_use]
    pub fn source_of(&self, id: LegId) -> Option<std::net::IpAddr> {
        self.legs.get(&id).map(|leg| leg.path.remote.ip())
    }
}

/// With everything escaped that a URI's headers cannot hold (RFC 3261 §25.1).
fn escaped(text: &str) -> String {
    percent_encoded(text, b"-_.!~*'()")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaces_names_one_dialog() {
        let read = Replaces::parse("98732@sip.example.com ;from-tag=r33th4x0r; to-tag=ff87ff;early-only;x=y").unwrap();
        assert_eq!((read.call_id.as_str(), read.to_tag.as_str()), ("98732@sip.example.com", "ff87ff"));
        assert!(read.from_tag == "r33th4x0r" && read.early_only);
        for wrong in ["", "a", "a;to-tag=1", "a;from-tag=1", "a;to-tag=1;to-tag=2;from-tag=3", ";to-tag=1;from-tag=2"] {
            assert_eq!(Replaces::parse(wrong), None, "{wrong}");
        }
        assert_eq!(escaped("a@b;to-tag=1"), "a%40b%3Bto-tag%3D1");
    }
}
