//! SRTP of one call: keys for descriptions, and packets through the contexts that the agreed ones make (RFC 4568).
//!
//! Owns which key holds: whoever keeps theirs gets ours kept, and the rollover counters go on; a new key begins anew,
//! and for two seconds what was still under way with the old one is opened too. Random numbers come as a seed.

use crate::{
    clock::Instant,
    media::rtp::srtp::{Inbound, Outbound, Refused, Suite},
    sip::sdp::crypto::{Crypto, Key, Policy, SUITES, Secured, Security},
};
use bytes::BytesMut;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::{fmt, time::Duration};

/// Packets sent before the far end took over a new key are on their way for so long at most.
const OLD_KEY: Duration = Duration::from_secs(2);

/// How one call is to be encrypted.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether.
    pub policy: Policy,
    /// Suites in our order, names of [`SUITES`].
    pub suites: Vec<&'static str>,
    /// Signalling is readable on its way: no TLS.
    pub in_clear: bool,
    /// Keys may travel all the same: `media.srtp_over_plain`.
    pub over_plain: bool,
    /// Makes our keys.
    pub seed: Seed,
}

impl Default for Settings {
    /// No encryption.
    fn default() -> Self {
        Self { policy: Policy::Off, suites: Vec::new(), in_clear: false, over_plain: false, seed: Seed([0; 32]) }
    }
}

impl Settings {
    /// All suites in their usual order, for signalling that nobody can read.
    #[must_use]
    pub fn new(policy: Policy, seed: Seed) -> Self {
        let suites = SUITES.iter().map(|(name, _)| *name).collect();
        Self { policy, suites, in_clear: false, over_plain: false, seed }
    }
}

/// 32 random bytes that nobody else may know.
#[derive(Clone)]
pub struct Seed(pub [u8; 32]);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// The keys of a call, and what they do.
#[derive(Debug)]
pub(super) struct Srtp {
    settings: Settings,
    random: StdRng,
    /// What our newest offer brings, and whether its signalling can be read.
    offered: Option<(Security, bool)>,
    /// The same of an offer to somebody else: both may be open at a time.
    elsewhere: Option<(Security, bool)>,
    active: Option<Active>,
    /// The old key, and until when it counts.
    previous: Option<(Inbound, Instant)>,
    /// Figures of contexts that are gone.
    past: (u64, u64),
    /// The newest packet that was opened, and whether the newest of all was.
    opened: BytesMut,
    is_open: bool,
    /// The newest packet of ours.
    sealed: BytesMut,
}

#[derive(Debug)]
struct Active {
    secured: Secured,
    inbound: Inbound,
    outbound: Outbound,
}

impl Srtp {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            random: StdRng::from_seed(settings.seed.0),
            settings,
            offered: None,
            elsewhere: None,
            active: None,
            previous: None,
            past: (0, 0),
            opened: BytesMut::new(),
            is_open: false,
            sealed: BytesMut::new(),
        }
    }

    // Descriptions

    /// What an answer to their offer is made from.
    pub(super) fn for_answer(&mut self) -> Security {
        let current = self.active.as_ref().map(|active| (active.secured.theirs.clone(), active.secured.ours.clone()));
        self.security(self.settings.in_clear, current)
    }

    /// What an offer to the far end that we have is made from: the key that holds stays.
    pub(super) fn for_offer(&mut self) -> Security {
        let mut security = self.security(self.settings.in_clear, None);
        if let Some(active) = &self.active {
            let ours = &active.secured.ours;
            for line in security.lines.iter_mut().filter(|line| line.suite == ours.suite) {
                line.key = ours.key.clone();
            }
        }
        self.offered = Some((security.clone(), self.settings.in_clear));
        security
    }

    /// What an offer to somebody else is made from: new keys, because the far end knows the old ones.
    pub(super) fn for_offer_elsewhere(&mut self, in_clear: bool) -> Security {
        let security = self.security(in_clear, None);
        self.elsewhere = Some((security.clone(), in_clear));
        security
    }

    /// The answer that comes now is to the offer that went elsewhere.
    pub(super) fn arrived_elsewhere(&mut self) {
        self.offered = self.elsewhere.take().or(self.offered.take());
    }

    /// What the answer to our newest offer is read with. An answer may come more than once.
    pub(super) fn offered(&mut self) -> Security {
        let Some((security, in_clear)) = self.offered.clone() else { return Security::default() };
        self.settings.in_clear = in_clear;
        security
    }

    /// What the operator should know of an agreement with a far end that offered or took keys, or wanted to.
    pub(super) fn warning(&self, they_have_keys: bool, secured: bool) -> Option<&'static str> {
        let in_clear = self.settings.in_clear && self.settings.policy != Policy::Off;
        match (in_clear && they_have_keys, secured) {
            (true, true) => {
                Some("SRTP keys travel over signalling that can be read on its way (media.srtp_over_plain)")
            }
            (true, false) => Some(
                "SRTP was offered and not taken: the keys would travel in the clear; signal over TLS, or set \
                 media.srtp_over_plain",
            ),
            (false, _) => None,
        }
    }

    fn security(&mut self, in_clear: bool, current: Option<(Key, Crypto)>) -> Security {
        let policy = self.settings.policy;
        let exposed = in_clear && !self.settings.over_plain;
        let mut lines = Vec::new();
        if policy != Policy::Off && !exposed {
            let known = self.settings.suites.iter().filter_map(|name| SUITES.iter().find(|(known, _)| known == name));
            for ((suite, length), tag) in known.zip(1..) {
                let mut key = vec![0; *length];
                self.random.fill_bytes(&mut key);
                lines.push(Crypto { tag, suite, key: Key::new(key) });
            }
        }
        Security { policy, lines, exposed, current }
    }

    /// Takes over what was agreed on.
    pub(super) fn agreed(&mut self, now: Instant, secured: Option<&Secured>) {
        let old = self.active.take();
        let Some(secured) = secured else {
            self.remember(now, old.map(|old| old.inbound));
            return;
        };
        let (mut inbound, mut outbound) = (None, None);
        if let Some(old) = old {
            let is_same = old.secured.ours.suite == secured.ours.suite;
            if is_same && old.secured.theirs == secured.theirs {
                inbound = Some(old.inbound);
            } else {
                self.remember(now, Some(old.inbound));
            }
            outbound = Some(old.outbound).filter(|_| is_same && old.secured.ours.key == secured.ours.key);
        }
        let suite = Suite::by_name(secured.ours.suite);
        let inbound = inbound.or_else(|| Inbound::new(suite?, secured.theirs.reveal()));
        let outbound = outbound.or_else(|| Outbound::new(suite?, secured.ours.key.reveal()));
        // Plain RTP in place of what was agreed on would be worse than no call.
        let (inbound, outbound) = inbound.zip(outbound).expect("negotiation and media know the same suites");
        self.active = Some(Active { secured: secured.clone(), inbound, outbound });
    }

    fn remember(&mut self, now: Instant, old: Option<Inbound>) {
        let Some(old) = old else { return };
        let (forged, replayed) = old.refused();
        self.past = (self.past.0 + forged, self.past.1 + replayed);
        self.previous = Some((old, now + OLD_KEY));
    }

    /// A new far end: whether its signalling can be read on its way. Gives how it was before.
    pub(super) const fn moves(&mut self, in_clear: bool) -> bool {
        std::mem::replace(&mut self.settings.in_clear, in_clear)
    }

    // Packets

    /// The suite that holds; empty for plain RTP.
    pub(super) fn suite(&self) -> &'static str {
        self.active.as_ref().map_or("", |active| active.secured.ours.suite)
    }

    /// Packets that were not authentic, and those that came again.
    pub(super) fn refused(&self) -> (u64, u64) {
        let (forged, replayed) = self.active.as_ref().map_or((0, 0), |active| active.inbound.refused());
        (self.past.0 + forged, self.past.1 + replayed)
    }

    /// A packet of the far end as it was before encryption; none if it must be dropped.
    pub(super) fn open<'a>(&'a mut self, now: Instant, bytes: &'a [u8]) -> Option<&'a [u8]> {
        self.is_open = false;
        if let Some((previous, until)) = &mut self.previous {
            if *until <= now {
                self.previous = None;
            } else if let Ok(opened) = previous.open(bytes) {
                return Some(self.keep(opened));
            }
        }
        let Some(active) = &mut self.active else { return Some(bytes) };
        match active.inbound.open(bytes) {
            Ok(opened) => Some(self.keep(opened)),
            // Nothing is no RTP either: it is refused and counted there.
            Err(Refused::NotRtp) => Some(&[]),
            Err(Refused::Forged | Refused::Replayed) => None,
        }
    }

    fn keep(&mut self, opened: BytesMut) -> &[u8] {
        self.opened = opened;
        self.is_open = true;
        &self.opened
    }

    /// For a capture: the newest packet of the far end before encryption, which arrived as `bytes`; none if it was
    /// dropped.
    pub(super) fn plain<'a>(&'a self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        if self.is_open { Some(&self.opened) } else { Some(bytes).filter(|_| self.active.is_none()) }
    }

    /// A packet of ours as it goes out; none if it must not.
    pub(super) fn protect<'a>(&'a mut self, packet: &'a [u8]) -> Option<&'a [u8]> {
        let Some(active) = &mut self.active else { return Some(packet) };
        self.sealed = active.outbound.protect(packet)?;
        Some(&self.sealed)
    }
}
