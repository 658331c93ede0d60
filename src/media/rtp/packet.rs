//! One RTP packet (RFC 3550 §5): parsed over the `rtp` crate without copying, written into a reused buffer.

use crate::unit::{PayloadType, Ssrc};
use rtc_shared::marshal::{Marshal, Unmarshal};
use rtp::header::Header;

/// The fields that this gateway uses, and where the payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// First packet of a talk spurt (RFC 3551 §4.1).
    pub marker: bool,
    /// What the payload is.
    pub payload_type: PayloadType,
    /// Counts packets, wraps.
    pub sequence: u16,
    /// Sampling instant of the first sample, in the codec's clock, wraps.
    pub timestamp: u32,
    /// Whose clock.
    pub ssrc: Ssrc,
    /// The payload without padding.
    pub payload: &'a [u8],
}

/// Why bytes are no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRtp {
    /// Shorter than its own header says.
    Short,
    /// Version is not 2.
    Version,
    /// The padding count is larger than the payload (RFC 3550 §5.1, P).
    Padding,
}

impl<'a> Packet<'a> {
    /// Reads one datagram.
    ///
    /// # Errors
    /// Says what makes it no RTP packet; no bytes can make it panic.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotRtp> {
        let first = *bytes.first().ok_or(NotRtp::Short)?;
        if first >> 6 != 2 {
            return Err(NotRtp::Version);
        }
        let mut rest = bytes;
        let header = Header::unmarshal(&mut rest).map_err(|_| NotRtp::Short)?;
        // The crate stops early at a reserved extension id; the length field is what counts.
        let mut start = 12 + 4 * usize::from(first & 15);
        if header.extension {
            let words = bytes.get(start + 2..start + 4).ok_or(NotRtp::Short)?;
            start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        let mut payload = bytes.get(start..).ok_or(NotRtp::Short)?;
        if header.padding {
            let count = usize::from(*payload.last().ok_or(NotRtp::Padding)?);
            if count == 0 || count > payload.len() {
                return Err(NotRtp::Padding);
            }
            payload = &payload[..payload.len() - count];
        }
        Ok(Self {
            marker: header.marker,
            payload_type: PayloadType(header.payload_type),
            sequence: header.sequence_number,
            timestamp: header.timestamp,
            ssrc: Ssrc(header.ssrc),
            payload,
        })
    }

    /// Replaces what is in `buffer` by this packet's bytes.
    pub fn write(&self, buffer: &mut Vec<u8>) {
        let header = Header {
            version: 2,
            marker: self.marker,
            payload_type: self.payload_type.0,
            sequence_number: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc.0,
            ..Header::default()
        };
        buffer.clear();
        buffer.resize(12, 0);
        if header.marshal_to(buffer).is_ok() {
            buffer.extend_from_slice(self.payload);
        }
    }
}

/// Whether a datagram on an RTP port is RTCP (RFC 5761 §4): packet types 192 to 223 in the second byte.
#[must_use]
pub fn is_rtcp(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes[0] >> 6 == 2 && (192..=223).contains(&bytes[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(payload: &[u8]) -> Packet<'_> {
        Packet {
            marker: true,
            payload_type: PayloadType(101),
            sequence: 65_535,
            timestamp: 0xdead_beef,
            ssrc: Ssrc(7),
            payload,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let packet = sample(&[1, 2, 3]);
        let mut bytes = Vec::new();
        packet.write(&mut bytes);
        assert_eq!(Packet::parse(&bytes), Ok(packet));
    }

    #[test]
    fn padding_that_lies_is_refused_and_honest_padding_is_cut() {
        let mut bytes = Vec::new();
        sample(&[9, 9, 0, 2]).write(&mut bytes);
        bytes[0] |= 0x20;
        assert_eq!(Packet::parse(&bytes).map(|p| p.payload), Ok(&[9, 9][..]));
        *bytes.last_mut().unwrap() = 200;
        assert_eq!(Packet::parse(&bytes), Err(NotRtp::Padding));
    }

    #[test]
    fn extensions_and_sources_are_skipped() {
        let mut bytes = vec![0x92, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7];
        bytes.extend([0; 8]); // two contributing sources
        bytes.extend([0xbe, 0xde, 0, 1, 0xf0, 1, 2, 3]); // reserved id 15
        bytes.extend([0xff; 4]);
        assert_eq!(Packet::parse(&bytes).map(|p| p.payload.len()), Ok(4));
        assert_eq!(Packet::parse(&[]), Err(NotRtp::Short));
        assert_eq!(Packet::parse(&[0x00; 40]), Err(NotRtp::Version));
        assert_eq!(Packet::parse(&[0x9f; 20]), Err(NotRtp::Short));
    }
}
