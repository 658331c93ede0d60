//! SRTP and SRTCP (RFC 3711, RFC 7714) over the `srtp` crate: one [`Outbound`] and one [`Inbound`] per agreed key.
//!
//! Owns what the crate leaves to its caller: a window of 64 packets against replay, a context per source that is kept
//! only once a packet of it was authentic (strangers cost no memory and cannot move the window), no SRTCP without
//! encryption, counts of what was refused. Knows nothing of descriptions: `call::pipeline` brings the keys that
//! `sip::sdp::crypto` read.
//!
//! Each packet costs one allocation in each direction: the crate gives a new buffer.

use super::packet::is_rtcp;
use bytes::BytesMut;
use rtc_shared::error::Error;
use rtp::header::Header;
use srtp::{
    context::Context,
    crypto::{SecretVec, default_provider},
    option::{srtcp_replay_protection, srtp_replay_protection},
    protection_profile::ProtectionProfile,
};
use std::fmt;

/// Packets that may come out of order and still be told from replays (RFC 3711 §3.3.2).
const REPLAY_WINDOW: usize = 64;
/// Sources under one key. A far end restarts its stream now and then; a forgotten one could be replayed.
const SOURCES_MAX: usize = 64;

/// What packets are protected with.
#[derive(Clone, Copy, Debug)]
pub struct Suite {
    /// As SDP calls it (RFC 4568 §6.2, RFC 7714 §14.2).
    pub name: &'static str,
    profile: ProtectionProfile,
}

/// All that we know, strongest first.
pub static SUITES: [Suite; 4] = [
    Suite { name: "AEAD_AES_256_GCM", profile: ProtectionProfile::AeadAes256Gcm },
    Suite { name: "AEAD_AES_128_GCM", profile: ProtectionProfile::AeadAes128Gcm },
    Suite { name: "AES_CM_128_HMAC_SHA1_80", profile: ProtectionProfile::Aes128CmHmacSha1_80 },
    Suite { name: "AES_CM_128_HMAC_SHA1_32", profile: ProtectionProfile::Aes128CmHmacSha1_32 },
];

impl Suite {
    /// The suite of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        SUITES.iter().find(|suite| suite.name == name)
    }

    /// Bytes of a master key and its salt together.
    #[must_use]
    pub fn key_bytes(&self) -> usize {
        self.profile.key_len() + self.profile.salt_len()
    }

    /// Keys for one direction; none if `key` is not [`Self::key_bytes`] long.
    fn context(&self, key: &[u8]) -> Option<Context> {
        let (key, salt) = key.split_at_checked(self.profile.key_len())?;
        let window = Some(srtp_replay_protection(REPLAY_WINDOW));
        let window_rtcp = Some(srtcp_replay_protection(REPLAY_WINDOW));
        let provider = default_provider().ok()?;
        Context::new(key, salt, self.profile, window, window_rtcp, provider.crypto()).ok()
    }
}

/// What we send, protected.
pub struct Outbound {
    context: Context,
    suite: &'static Suite,
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outbound({})", self.suite.name)
    }
}

impl Outbound {
    /// Begins with a rollover counter of 0: a key serves one of these, and never two streams of one source number.
    /// None if `key` is not master key and salt of the suite.
    #[must_use]
    pub fn new(suite: &'static Suite, key: &[u8]) -> Option<Self> {
        Some(Self { context: suite.context(key)?, suite })
    }

    /// The protected form of an RTP packet or a compound RTCP packet; none if it is neither, or the key is used up
    /// (2^48 packets): then it must not be sent.
    pub fn protect(&mut self, packet: &[u8]) -> Option<BytesMut> {
        if is_rtcp(packet) {
            return self.context.encrypt_rtcp(packet).ok();
        }
        let header = header_of(packet)?.for_crate();
        self.context.encrypt_rtp_with_header(packet, &header).ok()
    }
}

/// Why a packet was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Neither RTP nor RTCP.
    NotRtp,
    /// Not protected with the agreed key, or changed on its way.
    Forged,
    /// Seen before, or more than 64 packets older than the newest.
    Replayed,
}

/// What the far end sends, opened.
pub struct Inbound {
    suite: &'static Suite,
    key: SecretVec,
    /// Sources of which a packet was authentic.
    sources: Vec<(u32, Context)>,
    forged: u64,
    replayed: u64,
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbound({}, {} sources)", self.suite.name, self.sources.len())
    }
}

impl Inbound {
    /// None if `key` is not master key and salt of the suite.
    #[must_use]
    pub fn new(suite: &'static Suite, key: &[u8]) -> Option<Self> {
        suite.context(key)?;
        Some(Self { suite, key: SecretVec::new(key.to_vec()), sources: Vec::new(), forged: 0, replayed: 0 })
    }

    /// Opens a protected RTP or RTCP packet.
    ///
    /// # Errors
    /// Says why it must be dropped; counted. No bytes can make it panic.
    pub fn open(&mut self, bytes: &[u8]) -> Result<BytesMut, Refused> {
        let opened = self.opened(bytes);
        match opened {
            Err(Refused::Forged) => self.forged += 1,
            Err(Refused::Replayed) => self.replayed += 1,
            _ => {}
        }
        opened
    }

    /// Packets that were not authentic, and those that came again.
    #[must_use]
    pub const fn refused(&self) -> (u64, u64) {
        (self.forged, self.replayed)
    }

    fn opened(&mut self, bytes: &[u8]) -> Result<BytesMut, Refused> {
        let (source, header) = if is_rtcp(bytes) {
            self.check_rtcp(bytes)?;
            (u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]), None)
        } else {
            let header = header_of(bytes).ok_or(Refused::NotRtp)?;
            (header.source, Some(header.for_crate()))
        };
        let open = |context: &mut Context| {
            let opened = match &header {
                Some(header) => context.decrypt_rtp_with_header(bytes, header),
                None => context.decrypt_rtcp(bytes),
            };
            opened.map_err(|problem| match problem {
                Error::SrtpSsrcDuplicated(..) | Error::SrtcpSsrcDuplicated(..) => Refused::Replayed,
                _ => Refused::Forged,
            })
        };
        if let Some((_, context)) = self.sources.iter_mut().find(|(known, _)| *known == source) {
            return open(context);
        }
        if self.sources.len() >= SOURCES_MAX {
            return Err(Refused::Forged);
        }
        // A new source's counters begin with its first authentic packet, not with what anybody made up.
        let mut context = self.suite.context(self.key.as_ref()).ok_or(Refused::Forged)?;
        let opened = open(&mut context)?;
        self.sources.push((source, context));
        Ok(opened)
    }

    /// Encryption must be on: we never agree to less, and the crate does not look at the tag when it is off.
    fn check_rtcp(&self, bytes: &[u8]) -> Result<(), Refused> {
        let tag = self.suite.profile.rtcp_auth_tag_len();
        let at = bytes.len().checked_sub(tag + 4).filter(|at| *at >= 8).ok_or(Refused::Forged)?;
        if bytes[at] & 0x80 == 0 { Err(Refused::Forged) } else { Ok(()) }
    }
}

/// What the crate must know of a packet's header.
#[derive(Clone, Copy)]
struct Outline {
    source: u32,
    sequence: u16,
    /// Bytes of the header with sources and extension: not encrypted.
    length: usize,
}

impl Outline {
    /// A header of the same length: all that its content matters for. Only unusual ones allocate.
    fn for_crate(self) -> Header {
        Header {
            version: 2,
            ssrc: self.source,
            sequence_number: self.sequence,
            csrc: vec![0; (self.length - 12) / 4],
            ..Header::default()
        }
    }
}

fn header_of(bytes: &[u8]) -> Option<Outline> {
    let fixed: &[u8; 12] = bytes.first_chunk()?;
    if fixed[0] >> 6 != 2 {
        return None;
    }
    let mut length = 12 + 4 * usize::from(fixed[0] & 15);
    if fixed[0] & 0x10 != 0 {
        let words = bytes.get(length + 2..length + 4)?;
        length += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (bytes.len() >= length).then(|| Outline {
        source: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
        length,
    })
}

#[cfg(test)]
#[path = "srtp/tests.rs"]
mod tests;
