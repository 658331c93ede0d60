//! Offer and answer (RFC 3264): one audio stream is taken, everything else is refused in its place.

use super::{Description, Flow, Media};
use crate::unit::{PayloadType, Ptime};
use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

/// What we can do, in our order of preference.
#[derive(Clone, Debug)]
pub struct Offerable {
    /// Encoding names in lower case with their static payload types.
    pub codecs: Vec<(&'static str, PayloadType)>,
    /// Packet length that we like.
    pub ptime: Ptime,
}

/// Our side of the media.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    /// Where we receive RTP, as the far end can reach it.
    pub address: SocketAddr,
    /// Session id and version of `o=`; the version grows with each description.
    pub session: (u64, u64),
    /// We want to hear and send, or hold.
    pub hold: bool,
}

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// What we send: encoding name and the payload type that the far end gave it.
    pub codec: (String, PayloadType),
    /// What we accept, by the payload types that we announced.
    pub accepts: Vec<(PayloadType, String)>,
    /// Payload type of telephone-event that we send, if both know it: the far end's number.
    pub event: Option<PayloadType>,
    /// The one that we receive: our own number in an offer, else the same (RFC 3264 §5.1).
    pub event_in: Option<PayloadType>,
    /// Packet length that we send.
    pub ptime: Ptime,
    /// Where the far end receives RTP.
    pub remote: SocketAddr,
    /// Where it receives RTCP.
    pub remote_rtcp: SocketAddr,
    /// RTCP comes and goes on the RTP port.
    pub rtcp_mux: bool,
    /// Extended reports that the far end wants (RFC 3611 §5), as it wrote them.
    pub rtcp_xr: Option<String>,
    /// Our direction.
    pub flow: Flow,
}

/// Payload type that we give telephone-event in our offers.
const EVENT: u8 = 101;
/// Extended reports that we read (RFC 3611 §5).
const RTCP_XR: &str = "a=rtcp-xr:rcvr-rtt=all voip-metrics\r\n";

/// Why there is no agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No audio m-line that we could take.
    NoAudio,
    /// Audio, but no codec in common.
    NoCommonCodec {
        /// What was offered.
        offered: String,
    },
    /// Audio without an address.
    NoAddress,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoAudio => f.write_str("no audio over RTP/AVP was offered"),
            Self::NoCommonCodec { offered } => write!(f, "no codec in common; offered were {offered}"),
            Self::NoAddress => f.write_str("the audio has no address"),
        }
    }
}

/// Answers an offer: what was agreed on, and the description to send.
///
/// # Errors
/// Says why it must be refused with 488.
pub fn answer(offer: &Description, can: &Offerable, local: &Local) -> Result<(Agreed, String), Refused> {
    let takes = |media: &&Media| media.kind == "audio" && media.port != 0 && is_rtp(&media.protocol);
    let chosen = offer.media.iter().position(|media| takes(&media)).ok_or(Refused::NoAudio)?;
    let media = &offer.media[chosen];
    let agreed = agree(media, can, local)?;
    let mut text = head(local);
    for (n, media) in offer.media.iter().enumerate() {
        if n == chosen {
            write_audio(&mut text, &agreed, media, local);
        } else {
            // §6: refused in its place, with port 0 and its own formats.
            let formats = if media.formats.is_empty() { "0".to_owned() } else { media.formats.join(" ") };
            let _ = write!(text, "m={} 0 {} {formats}\r\n", media.kind, media.protocol);
        }
    }
    Ok((agreed, text))
}

/// Makes an offer.
#[must_use]
pub fn offer(can: &Offerable, local: &Local) -> String {
    let mut text = head(local);
    let formats: Vec<String> = can.codecs.iter().map(|(_, payload_type)| payload_type.0.to_string()).collect();
    let _ = write!(text, "m=audio {} RTP/AVP {} {EVENT}\r\n", local.address.port(), formats.join(" "));
    for (name, payload_type) in &can.codecs {
        let _ = write!(text, "a=rtpmap:{} {}/8000\r\n", payload_type.0, name.to_ascii_uppercase());
    }
    let _ = write!(text, "a=rtpmap:{EVENT} telephone-event/8000\r\na=fmtp:{EVENT} 0-15\r\n");
    let flow = if local.hold { Flow::SendOnly } else { Flow::SendRecv };
    let _ = write!(text, "a=ptime:{}\r\na=rtcp-mux\r\n{RTCP_XR}a={}\r\n", can.ptime.ms(), flow.name());
    text
}

/// Reads the answer to our offer.
///
/// # Errors
/// Says why the call cannot go on.
pub fn accept(answer: &Description, can: &Offerable, local: &Local) -> Result<Agreed, Refused> {
    let media =
        answer.media.first().filter(|media| media.kind == "audio" && media.port != 0).ok_or(Refused::NoAudio)?;
    let mut agreed = agree(media, can, local)?;
    // We receive by our own numbers; the answer may use others.
    agreed.accepts.extend(can.codecs.iter().map(|(name, payload_type)| (*payload_type, (*name).to_owned())));
    agreed.accepts.dedup();
    agreed.event_in = agreed.event.map(|_| PayloadType(EVENT));
    Ok(agreed)
}

fn is_rtp(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case("RTP/AVP") || protocol.eq_ignore_ascii_case("RTP/AVPF")
}

fn agree(media: &Media, can: &Offerable, local: &Local) -> Result<Agreed, Refused> {
    let address = media.address.ok_or(Refused::NoAddress)?;
    // The far end's order decides (§6.1); every common codec is accepted.
    let common: Vec<(PayloadType, String)> = media
        .formats
        .iter()
        .filter_map(|format| {
            let payload_type: u8 = format.parse().ok()?;
            let name = encoding_of(media, payload_type)?;
            can.codecs.iter().any(|(known, _)| *known == name).then_some((PayloadType(payload_type), name))
        })
        .collect();
    let Some((payload_type, name)) = common.first().cloned() else {
        return Err(Refused::NoCommonCodec { offered: names(media) });
    };
    let event = media
        .rtpmaps
        .iter()
        .find(|(pt, name, clock, _)| {
            name == "telephone-event" && *clock == 8_000 && media.formats.iter().any(|format| *format == pt.to_string())
        })
        .map(|(pt, ..)| PayloadType(*pt));
    let wanted = media.ptime_ms.unwrap_or_else(|| u32::from(can.ptime.ms()));
    let ptime = Ptime::nearest(wanted.min(media.maxptime_ms.filter(|max| *max >= 10).unwrap_or(60)));
    let remote = SocketAddr::new(address, media.port);
    let rtcp_port = media.rtcp_port.unwrap_or_else(|| media.port.saturating_add(1));
    let remote_rtcp = if media.rtcp_mux { remote } else { SocketAddr::new(address, rtcp_port) };
    Ok(Agreed {
        codec: (name, payload_type),
        accepts: common,
        event,
        event_in: event,
        ptime,
        remote,
        remote_rtcp,
        rtcp_mux: media.rtcp_mux,
        rtcp_xr: media.rtcp_xr.clone(),
        // §6.1: sendonly is answered with recvonly, and so on.
        flow: Flow::of(media.flow.receives(), media.flow.sends() && !local.hold),
    })
}

/// Name of a payload type: by rtpmap, else the static table (RFC 3551 table 4).
fn encoding_of(media: &Media, payload_type: u8) -> Option<String> {
    if let Some((_, name, clock, channels)) = media.rtpmaps.iter().find(|(pt, ..)| *pt == payload_type) {
        return (*clock == 8_000 && *channels == 1).then(|| name.clone());
    }
    match payload_type {
        0 => Some("pcmu".into()),
        8 => Some("pcma".into()),
        _ => None,
    }
}

fn names(media: &Media) -> String {
    let names: Vec<String> = media
        .formats
        .iter()
        .take(16)
        .map(|format| {
            let map = media.rtpmaps.iter().find(|(pt, ..)| pt.to_string() == *format);
            map.map_or_else(|| format.clone(), |(_, name, clock, _)| format!("{name}/{clock}"))
        })
        .collect();
    names.join(", ")
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IP4" } else { "IP6" }
}

fn head(local: &Local) -> String {
    let address = local.address.ip();
    let family = family(address);
    let (id, version) = local.session;
    format!("v=0\r\no=- {id} {version} IN {family} {address}\r\ns=voxgw\r\nc=IN {family} {address}\r\nt=0 0\r\n")
}

fn write_audio(text: &mut String, agreed: &Agreed, offered: &Media, local: &Local) {
    let mut formats: Vec<String> = agreed.accepts.iter().map(|(pt, _)| pt.0.to_string()).collect();
    formats.extend(agreed.event.map(|pt| pt.0.to_string()));
    let _ = write!(text, "m=audio {} {} {}\r\n", local.address.port(), offered.protocol, formats.join(" "));
    for (payload_type, name) in &agreed.accepts {
        let _ = write!(text, "a=rtpmap:{} {}/8000\r\n", payload_type.0, name.to_ascii_uppercase());
    }
    if let Some(event) = agreed.event {
        let _ = write!(text, "a=rtpmap:{0} telephone-event/8000\r\na=fmtp:{0} 0-15\r\n", event.0);
    }
    let _ = write!(text, "a=ptime:{}\r\n", agreed.ptime.ms());
    if agreed.rtcp_mux {
        text.push_str("a=rtcp-mux\r\n");
    }
    if agreed.rtcp_xr.is_some() {
        text.push_str(RTCP_XR);
    }
    let _ = write!(text, "a={}\r\n", agreed.flow.name());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn can() -> Offerable {
        Offerable { codecs: vec![("pcmu", PayloadType(0)), ("pcma", PayloadType(8))], ptime: Ptime::MS_20 }
    }

    fn local() -> Local {
        Local { address: "203.0.113.5:10000".parse().unwrap(), session: (7, 1), hold: false }
    }

    fn description(media: &str) -> Description {
        let text = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}");
        Description::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_far_ends_order_decides_and_other_media_are_refused_in_their_place() {
        let offer = description(
            "m=video 5000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\nm=audio 4000 RTP/AVP 18 8 0 97\r\n\
             a=rtpmap:97 telephone-event/8000\r\na=ptime:30\r\nm=application 9 TCP/BFCP *\r\n",
        );
        let (agreed, text) = answer(&offer, &can(), &local()).unwrap();
        assert_eq!(agreed.codec, ("pcma".into(), PayloadType(8)));
        assert_eq!((agreed.event, agreed.ptime.ms()), (Some(PayloadType(97)), 30));
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
        assert_eq!(lines, ["m=video 0 RTP/AVP 96", "m=audio 10000 RTP/AVP 8 0 97", "m=application 0 TCP/BFCP *"]);
        assert_eq!(agreed.remote_rtcp.port(), 4001);
    }

    #[test]
    fn hold_is_mirrored() {
        for (theirs, ours) in
            [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")]
        {
            let offer = description(&format!("m=audio 4000 RTP/AVP 0\r\na={theirs}\r\n"));
            let (agreed, text) = answer(&offer, &can(), &local()).unwrap();
            assert_eq!(agreed.flow.name(), ours);
            assert!(text.contains(&format!("a={ours}\r\n")));
        }
    }

    #[test]
    fn dynamic_numbers_for_known_names_are_taken_and_wrong_clocks_are_not() {
        let offer =
            description("m=audio 4000 RTP/AVP 111 112\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:112 PCMU/16000\r\n");
        let refused = answer(&offer, &can(), &local()).unwrap_err();
        assert_eq!(refused.to_string(), "no codec in common; offered were opus/48000, pcmu/16000");
        let offer = description("m=audio 4000 RTP/AVP 120\r\na=rtpmap:120 PCMA/8000\r\n");
        assert_eq!(answer(&offer, &can(), &local()).unwrap().0.codec.1, PayloadType(120));
        assert_eq!(answer(&description(""), &can(), &local()).unwrap_err(), Refused::NoAudio);
    }

    #[test]
    fn extended_reports_are_answered_when_they_are_asked_for() {
        let asked = description("m=audio 4000 RTP/AVP 0\r\na=rtcp-xr:voip-metrics\r\n");
        let (agreed, text) = answer(&asked, &can(), &local()).unwrap();
        assert_eq!(agreed.rtcp_xr.as_deref(), Some("voip-metrics"));
        assert!(text.contains(RTCP_XR));
        let (agreed, text) = answer(&description("m=audio 4000 RTP/AVP 0\r\n"), &can(), &local()).unwrap();
        assert!(agreed.rtcp_xr.is_none() && !text.contains("rtcp-xr"));
    }

    #[test]
    fn our_offer_is_understood_by_ourselves() {
        let text = offer(&can(), &local());
        let theirs = Description::parse(text.as_bytes()).unwrap();
        let (_, answered) = answer(&theirs, &can(), &local()).unwrap();
        let agreed = accept(&Description::parse(answered.as_bytes()).unwrap(), &can(), &local()).unwrap();
        assert_eq!(agreed.codec, ("pcmu".into(), PayloadType(0)));
        assert!(agreed.rtcp_mux && agreed.event == Some(PayloadType(101)) && agreed.flow == Flow::SendRecv);
    }
}
