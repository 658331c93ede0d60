//! Session descriptions (RFC 4566/8866): read leniently over the `sdp` crate, written by hand.
//!
//! Owns what a description says about audio, and [`negotiate`] (RFC 3264). Knows codecs by name and payload type
//! only; what they do is `media`'s.

pub mod crypto;
pub mod negotiate;

use sdp::description::session::SessionDescription;
use std::{fmt::Write as _, io::Cursor, net::IpAddr};

/// Longest description that is looked at.
const LENGTH_MAX: usize = 16 * 1024;
/// m-lines that are looked at.
const MEDIA_MAX: usize = 32;

/// What a description says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Media sections in order.
    pub media: Vec<Media>,
}

/// Who sends (RFC 3264 §5.1), as the describing side sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Both ways.
    #[default]
    SendRecv,
    /// It sends, it does not want to hear: hold with music.
    SendOnly,
    /// It listens only.
    RecvOnly,
    /// Nobody sends.
    Inactive,
}

impl Flow {
    const ALL: [(Self, &'static str); 4] = [
        (Self::SendRecv, "sendrecv"),
        (Self::SendOnly, "sendonly"),
        (Self::RecvOnly, "recvonly"),
        (Self::Inactive, "inactive"),
    ];

    /// The attribute's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(flow, _)| *flow == self).map_or("sendrecv", |(_, name)| name)
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(flow, _)| *flow)
    }

    /// Whether the describing side sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the describing side wants to hear.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// From these two facts.
    #[must_use]
    pub const fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }
}

/// One m-line with its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, …
    pub kind: String,
    /// 0 refuses it.
    pub port: u16,
    /// `RTP/AVP`, …
    pub protocol: String,
    /// Formats as written.
    pub formats: Vec<String>,
    /// Its address, or the session's.
    pub address: Option<IpAddr>,
    /// Payload type, encoding in lower case, clock, channels.
    pub rtpmaps: Vec<(u8, String, u32, u8)>,
    /// Payload type and parameters.
    pub fmtps: Vec<(u8, String)>,
    /// `a=ptime`.
    pub ptime_ms: Option<u32>,
    /// `a=maxptime`.
    pub maxptime_ms: Option<u32>,
    /// Direction; an address of 0.0.0.0 is the old spelling of hold.
    pub flow: Flow,
    /// `a=rtcp:` port.
    pub rtcp_port: Option<u16>,
    /// `a=rtcp-mux`.
    pub rtcp_mux: bool,
    /// Values of `a=crypto`, unread: they hold keys.
    pub crypto: Vec<String>,
    /// `a=rtcp-xr` (RFC 3611 §5): what the describing side wants to be told.
    pub rtcp_xr: Option<String>,
}

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// Says what is wrong; no bytes can make it panic.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > LENGTH_MAX {
            return Err("session description too long".into());
        }
        let text = normalised(&String::from_utf8_lossy(bytes));
        let session = SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes()))
            .map_err(|problem| format!("session description: {problem}"))?;
        let session_address = session.connection_information.as_ref().and_then(address_of);
        let session_flow = session.attributes.iter().find_map(|attribute| Flow::from_name(&attribute.key));
        let media = session.media_descriptions.iter().take(MEDIA_MAX);
        Ok(Self { media: media.map(|media| read_media(media, session_address, session_flow)).collect() })
    }
}

fn address_of(connection: &sdp::description::common::ConnectionInformation) -> Option<IpAddr> {
    let address = connection.address.as_ref()?;
    address.address.split('/').next()?.parse().ok()
}

fn read_media(
    media: &sdp::description::media::MediaDescription,
    session_address: Option<IpAddr>,
    session_flow: Option<Flow>,
) -> Media {
    let name = &media.media_name;
    let mut read = Media {
        kind: name.media.clone(),
        port: u16::try_from(name.port.value).unwrap_or(0),
        protocol: name.protos.join("/"),
        formats: name.formats.clone(),
        address: media.connection_information.as_ref().map_or(session_address, address_of),
        rtpmaps: Vec::new(),
        fmtps: Vec::new(),
        ptime_ms: None,
        maxptime_ms: None,
        flow: session_flow.unwrap_or_default(),
        rtcp_port: None,
        rtcp_mux: false,
        crypto: Vec::new(),
        rtcp_xr: None,
    };
    for attribute in &media.attributes {
        let value = attribute.value.as_deref().unwrap_or_default().trim();
        match attribute.key.as_str() {
            "rtpmap" => read.rtpmaps.extend(rtpmap(value)),
            "fmtp" => read
                .fmtps
                .extend(value.split_once(' ').and_then(|(pt, rest)| Some((pt.parse().ok()?, rest.trim().to_owned())))),
            "ptime" => read.ptime_ms = value.parse().ok(),
            "maxptime" => read.maxptime_ms = value.parse().ok(),
            "rtcp" => read.rtcp_port = value.split(' ').next().and_then(|port| port.parse().ok()),
            "rtcp-mux" => read.rtcp_mux = true,
            "crypto" => read.crypto.push(value.to_owned()),
            "rtcp-xr" => read.rtcp_xr = Some(attribute.value.clone().unwrap_or_default()),
            key => read.flow = Flow::from_name(key).unwrap_or(read.flow),
        }
    }
    if read.address.is_some_and(|address| address.is_unspecified()) {
        // RFC 2543's hold: it does not want to hear.
        read.flow = Flow::of(read.flow.sends(), false);
    }
    read
}

fn rtpmap(value: &str) -> Option<(u8, String, u32, u8)> {
    let (payload_type, encoding) = value.split_once(' ')?;
    let mut parts = encoding.trim().split('/');
    let name = parts.next()?.to_ascii_lowercase();
    let clock = parts.next()?.trim().parse().ok()?;
    let channels = parts.next().and_then(|channels| channels.trim().parse().ok()).unwrap_or(1);
    Some((payload_type.parse().ok().filter(|pt| *pt < 128)?, name, clock, channels))
}

/// What the crate is too strict about: a missing `s=` or `t=`, lines out of order, lines it does not know, numbers
/// that do not fit. Gives the same description in the order of RFC 4566 §5.
fn normalised(text: &str) -> String {
    let mut origin = "o=- 0 0 IN IP4 0.0.0.0".to_owned();
    let (mut connection, mut attributes, mut media) =
        (None, Vec::new(), Vec::<(String, Option<String>, Vec<String>)>::new());
    for line in text.lines().map(str::trim_end) {
        let Some((kind, value)) = line.split_once('=') else { continue };
        match kind.trim() {
            "o" if value.split_whitespace().count() == 6 => {
                let words: Vec<&str> = value.split_whitespace().collect();
                let number = |word: &str| word.parse::<u64>().unwrap_or(0);
                origin = format!(
                    "o={} {} {} {} {} {}",
                    words[0],
                    number(words[1]),
                    number(words[2]),
                    words[3],
                    words[4],
                    words[5]
                );
            }
            "c" if value.split_whitespace().count() == 3 => match media.last_mut() {
                Some((_, own, _)) => *own = Some(value.to_owned()),
                None => connection = Some(value.to_owned()),
            },
            "a" => match media.last_mut() {
                Some((_, _, own)) => own.push(value.to_owned()),
                None => attributes.push(value.to_owned()),
            },
            "m" => media.push((value.to_owned(), None, Vec::new())),
            _ => {}
        }
    }
    let mut out = format!("v=0\r\n{origin}\r\ns=-\r\n");
    if let Some(connection) = connection {
        let _ = write!(out, "c={connection}\r\n");
    }
    out.push_str("t=0 0\r\n");
    for attribute in attributes {
        let _ = write!(out, "a={attribute}\r\n");
    }
    for (line, connection, attributes) in media {
        let _ = write!(out, "m={line}\r\n");
        if let Some(connection) = connection {
            let _ = write!(out, "c={connection}\r\n");
        }
        for attribute in attributes {
            let _ = write!(out, "a={attribute}\r\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_descriptions_are_understood() {
        // No s= and t=, attributes before the m-line's c=, an unknown line, a session id of 70 bits.
        let odd = "v=0\no=- 99999999999999999999999 1 IN IP4 192.0.2.1\nX=what\na=sendonly\nm=audio 4000 RTP/AVP 0 101\n\
                   a=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000\nc=IN IP4 192.0.2.7\na=ptime:30\n";
        let media = Description::parse(odd.as_bytes()).unwrap().media.remove(0);
        assert_eq!(media.address, "192.0.2.7".parse().ok());
        assert_eq!((media.port, media.ptime_ms, media.flow), (4000, Some(30), Flow::SendOnly));
        assert_eq!(media.rtpmaps[1], (101, "telephone-event".into(), 8000, 1));
    }

    #[test]
    fn the_old_spelling_of_hold_is_hold() {
        let old = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
        assert_eq!(Description::parse(old.as_bytes()).unwrap().media[0].flow, Flow::SendOnly);
    }

    #[test]
    fn nonsense_is_an_error_or_empty_but_never_a_panic() {
        for bytes in [&b""[..], b"\xff\xfe", b"m=audio", b"m=audio x RTP/AVP 0", b"v=0\r\nm=audio 99999999 RTP/AVP 0"] {
            let _ = Description::parse(bytes);
        }
        assert!(Description::parse(&vec![b'a'; LENGTH_MAX + 1]).is_err());
    }
}
