//! Which codecs a call may use: the trunk's word on what the way carries, the agent's on what it likes.

use super::Engine;
use crate::{agent::seat::Plan, media::codec::Codec};

impl Engine {
    /// Codecs of a call with this agent, by this trunk if it goes by one, in the order of our offers.
    pub(super) fn codecs(&self, plan: &Plan, trunk: Option<&str>) -> Vec<&'static Codec> {
        let trunk = trunk.and_then(|name| self.config.signalling.trunks.iter().find(|trunk| trunk.name == name));
        let allowed = trunk.and_then(|trunk| trunk.codecs.as_deref()).unwrap_or(&self.config.codecs);
        agreed(allowed, plan.codecs.as_deref())
    }
}

/// What the way allows, in the order that the agent likes, if it has one. Nothing in common is nothing: then an offer
/// is refused with 488, and a call of ours is not made.
fn agreed(allowed: &[&'static Codec], liked: Option<&[&'static Codec]>) -> Vec<&'static Codec> {
    let Some(liked) = liked else { return allowed.to_vec() };
    liked.iter().filter(|codec| allowed.contains(codec)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::by_name;

    fn codecs(names: &[&str]) -> Vec<&'static Codec> {
        names.iter().map(|name| by_name(name).unwrap()).collect()
    }

    #[test]
    fn the_way_allows_and_the_agent_orders() {
        let way = codecs(&["pcma", "g722", "pcmu"]);
        assert_eq!(agreed(&way, None), way);
        assert_eq!(agreed(&way, Some(&codecs(&["opus", "g722", "pcma"]))), codecs(&["g722", "pcma"]));
        assert!(agreed(&way, Some(&codecs(&["opus"]))).is_empty());
    }
}
