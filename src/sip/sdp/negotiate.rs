//! Offer and answer (RFC 3264): one audio stream is taken, everything else is refused in its place.
//!
//! Payload types are the receiver's: in our answer the offer's numbers stand, to our offer the answer may have others,
//! and then each direction has its own. telephone-event is offered at each clock that the codecs have (RFC 4733 §2.1),
//! and taken at the chosen codec's clock, or at whichever there is. Comfort noise is neither offered nor taken: silence
//! suppression cuts the beginnings of words. `media::inbound` understands it all the same.

use super::{
    Description, Flow, Media,
    crypto::{Secured, Security, is_secure},
};
use crate::unit::{PayloadType, Ptime};
use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

/// What we can do, in our order of preference.
#[derive(Clone, Debug)]
pub struct Offerable {
    /// Codecs in our order.
    pub codecs: Vec<Format>,
    /// Packet length that we like.
    pub ptime: Ptime,
    /// Whether telephone-event is offered and taken.
    pub events: bool,
    /// Whether and how media are encrypted.
    pub security: Security,
}

/// One codec as descriptions name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Our own name of it.
    pub name: &'static str,
    /// `a=rtpmap` without its number: `opus/48000/2`.
    pub rtpmap: String,
    /// RTP clock.
    pub clock: u32,
    /// Its number in our offers; below 96 it is known without an rtpmap (RFC 3551 table 4).
    pub payload_type: PayloadType,
    /// What we say of ourselves in `a=fmtp`; may be empty.
    pub fmtp: String,
    /// Milliseconds that one packet may hold, ascending.
    pub lengths_ms: &'static [u8],
}

impl Format {
    /// Whether this is what a description calls by that encoding name, in lower case, and clock.
    fn is(&self, encoding: &str, clock: u32) -> bool {
        self.clock == clock && self.rtpmap.split('/').next().is_some_and(|own| own.eq_ignore_ascii_case(encoding))
    }

    /// The nearest length at or below `wanted`, or the shortest.
    fn length(&self, wanted: Ptime) -> Ptime {
        let below = self.lengths_ms.iter().rev().find(|ms| **ms <= wanted.ms());
        below.or(self.lengths_ms.first()).map_or(wanted, |ms| Ptime::nearest(u32::from(*ms)))
    }
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
    /// What we send: our name of the codec and the payload type that the far end gave it.
    pub codec: (String, PayloadType),
    /// The far end's `a=fmtp` of that codec, without its number.
    pub fmtp: String,
    /// What we accept, by the payload types that we announced; the codec that we send comes first.
    pub accepts: Vec<(PayloadType, String)>,
    /// telephone-event that we send, if both know it: the far end's number, and its clock.
    pub event: Option<(PayloadType, u32)>,
    /// Those that we receive: our own numbers in an offer, else the same (RFC 3264 §5.1).
    pub events_in: Vec<(PayloadType, u32)>,
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
    /// Keys of SRTP; none is plain RTP.
    pub secured: Option<Secured>,
}

/// Payload types that we give telephone-event at 8 kHz, and at other clocks, in our offers.
const EVENT: u8 = 101;
const EVENTS_ELSEWHERE: std::ops::RangeInclusive<u8> = 102..=110;
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
    /// Encryption came to nothing, and why.
    Unsecured(String),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoAudio => f.write_str("no audio over RTP/AVP was offered"),
            Self::NoCommonCodec { offered } => write!(f, "no codec in common; offered were {offered}"),
            Self::NoAddress => f.write_str("the audio has no address"),
            Self::Unsecured(why) => f.write_str(why),
        }
    }
}

/// Answers an offer: what was agreed on, and the description to send.
///
/// # Errors
/// Says why it must be refused with 488.
pub fn answer(offer: &Description, can: &Offerable, local: &Local) -> Result<(Agreed, String), Refused> {
    let takes = |media: &&Media| media.kind == "audio" && media.port != 0 && is_rtp(&media.protocol);
    // Some offer the same audio twice, with SRTP and without: the encrypted one, else the first that can be.
    let mut outcomes: Vec<(usize, Result<Option<Secured>, String>)> = Vec::new();
    for (n, media) in offer.media.iter().enumerate().filter(|(_, media)| takes(media)) {
        outcomes.push((n, can.security.answer(media)));
    }
    let encrypted = outcomes.iter().position(|(_, outcome)| matches!(outcome, Ok(Some(_))));
    let best = encrypted.or_else(|| outcomes.iter().position(|(_, outcome)| outcome.is_ok())).unwrap_or(0);
    if outcomes.is_empty() {
        return Err(Refused::NoAudio);
    }
    let (chosen, secured) = outcomes.swap_remove(best);
    let secured = secured.map_err(Refused::Unsecured)?;
    let media = &offer.media[chosen];
    let agreed = Agreed { secured, ..agree(media, can, local)? };
    let mut text = head(local);
    for (n, media) in offer.media.iter().enumerate() {
        if n == chosen {
            write_audio(&mut text, &agreed, media, can, local);
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
    let events = events_of(can);
    let numbers = can.codecs.iter().map(|format| format.payload_type).chain(events.iter().map(|(event, _)| *event));
    let formats: Vec<String> = numbers.map(|number| number.0.to_string()).collect();
    let (port, protocol) = (local.address.port(), can.security.protocol());
    let _ = write!(text, "m=audio {port} {protocol} {}\r\n{}", formats.join(" "), can.security.offered());
    for format in &can.codecs {
        write_format(&mut text, format.payload_type, format);
    }
    write_events(&mut text, &events);
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
    let secured = can.security.accept(media).map_err(Refused::Unsecured)?;
    let mut agreed = Agreed { secured, ..agree(media, can, local)? };
    // We receive by our own numbers. An answer that uses others says what it wants to be sent (§6.1); who sends us by
    // those too is understood, as far as they are no numbers of ours.
    let own = |name: &str| can.codecs.iter().find(|format| format.name == name).map(|format| format.payload_type);
    let theirs = std::mem::take(&mut agreed.accepts);
    agreed.accepts = theirs.iter().filter_map(|(_, name)| Some((own(name)?, name.clone()))).collect();
    for format in &can.codecs {
        if agreed.accepts.iter().all(|(_, known)| known != format.name) {
            agreed.accepts.push((format.payload_type, format.name.to_owned()));
        }
    }
    agreed.events_in = if agreed.event.is_some() { events_of(can) } else { Vec::new() };
    for (number, name) in theirs {
        let taken = agreed.accepts.iter().any(|(known, _)| *known == number)
            || agreed.events_in.iter().any(|(known, _)| *known == number);
        if !taken {
            agreed.accepts.push((number, name));
        }
    }
    Ok(agreed)
}

/// telephone-event of our offers: one for each clock.
fn events_of(can: &Offerable) -> Vec<(PayloadType, u32)> {
    let mut events: Vec<(PayloadType, u32)> = Vec::new();
    for clock in can.codecs.iter().map(|format| format.clock).filter(|_| can.events) {
        if events.iter().any(|(_, known)| *known == clock) {
            continue;
        }
        let is_free = |number: u8| {
            can.codecs.iter().all(|format| format.payload_type.0 != number)
                && events.iter().all(|(known, _)| known.0 != number)
        };
        let preferred = Some(EVENT).filter(|number| clock == 8_000 && is_free(*number));
        let number = preferred.or_else(|| EVENTS_ELSEWHERE.rev().chain(96..=127).find(|number| is_free(*number)));
        events.extend(number.map(|number| (PayloadType(number), clock)));
    }
    events
}

fn is_rtp(protocol: &str) -> bool {
    protocol.eq_ignore_ascii_case("RTP/AVP") || protocol.eq_ignore_ascii_case("RTP/AVPF") || is_secure(protocol)
}

fn agree(media: &Media, can: &Offerable, local: &Local) -> Result<Agreed, Refused> {
    let address = media.address.ok_or(Refused::NoAddress)?;
    // The far end's order decides (§6.1); every common codec is accepted.
    let common: Vec<(PayloadType, &Format)> = media
        .formats
        .iter()
        .filter_map(|format| {
            let payload_type: u8 = format.parse().ok()?;
            Some((PayloadType(payload_type), format_of(media, payload_type, can)?))
        })
        .collect();
    let Some((payload_type, chosen)) = common.first().copied() else {
        return Err(Refused::NoCommonCodec { offered: names(media) });
    };
    let fmtp = media.fmtps.iter().find(|(pt, _)| *pt == payload_type.0).map(|(_, parameters)| parameters.clone());
    let events: Vec<(PayloadType, u32)> = media
        .rtpmaps
        .iter()
        .filter(|(pt, name, ..)| {
            can.events && name == "telephone-event" && media.formats.iter().any(|format| *format == pt.to_string())
        })
        .map(|(pt, _, clock, _)| (PayloadType(*pt), *clock))
        .filter(|(_, clock)| *clock == 8_000 || common.iter().any(|(_, format)| format.clock == *clock))
        .collect();
    let event = events.iter().find(|(_, clock)| *clock == chosen.clock).or(events.first()).copied();
    let wanted = media.ptime_ms.unwrap_or_else(|| u32::from(can.ptime.ms()));
    let ptime = Ptime::nearest(wanted.min(media.maxptime_ms.filter(|max| *max >= 10).unwrap_or(60)));
    let ptime = chosen.length(ptime);
    let remote = SocketAddr::new(address, media.port);
    let rtcp_port = media.rtcp_port.unwrap_or_else(|| media.port.saturating_add(1));
    let remote_rtcp = if media.rtcp_mux { remote } else { SocketAddr::new(address, rtcp_port) };
    Ok(Agreed {
        codec: (chosen.name.to_owned(), payload_type),
        fmtp: fmtp.unwrap_or_default(),
        accepts: common.iter().map(|(payload_type, format)| (*payload_type, format.name.to_owned())).collect(),
        event,
        events_in: events,
        ptime,
        remote,
        remote_rtcp,
        rtcp_mux: media.rtcp_mux,
        rtcp_xr: media.rtcp_xr.clone(),
        // §6.1: sendonly is answered with recvonly, and so on.
        flow: Flow::of(media.flow.receives(), media.flow.sends() && !local.hold),
        secured: None,
    })
}

/// What a payload type means: by rtpmap, else the static table (RFC 3551 table 4). The number of channels is not
/// looked at: some leave out the 2 that RFC 7587 wants of Opus.
fn format_of<'a>(media: &Media, payload_type: u8, can: &'a Offerable) -> Option<&'a Format> {
    match media.rtpmaps.iter().find(|(pt, ..)| *pt == payload_type) {
        Some((_, name, clock, _)) => can.codecs.iter().find(|format| format.is(name, *clock)),
        None => can.codecs.iter().find(|format| payload_type < 96 && format.payload_type.0 == payload_type),
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

fn write_format(text: &mut String, number: PayloadType, format: &Format) {
    let _ = write!(text, "a=rtpmap:{} {}\r\n", number.0, format.rtpmap);
    if !format.fmtp.is_empty() {
        let _ = write!(text, "a=fmtp:{} {}\r\n", number.0, format.fmtp);
    }
}

fn write_events(text: &mut String, events: &[(PayloadType, u32)]) {
    for (number, clock) in events {
        let _ = write!(text, "a=rtpmap:{0} telephone-event/{clock}\r\na=fmtp:{0} 0-15\r\n", number.0);
    }
}

fn write_audio(text: &mut String, agreed: &Agreed, offered: &Media, can: &Offerable, local: &Local) {
    let numbers =
        agreed.accepts.iter().map(|(number, _)| number).chain(agreed.events_in.iter().map(|(event, _)| event));
    let formats: Vec<String> = numbers.map(|number| number.0.to_string()).collect();
    let _ = write!(text, "m=audio {} {} {}\r\n", local.address.port(), offered.protocol, formats.join(" "));
    text.extend(agreed.secured.as_ref().map(Secured::line));
    for (number, name) in &agreed.accepts {
        if let Some(format) = can.codecs.iter().find(|format| format.name == name) {
            write_format(text, *number, format);
        }
    }
    write_events(text, &agreed.events_in);
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

    fn format(name: &'static str, rtpmap: &str, clock: u32, number: u8, fmtp: &str) -> Format {
        let lengths_ms: &[u8] = if name == "opus" { &[10, 20, 40, 60] } else { &[10, 20, 30, 40, 50, 60] };
        let (rtpmap, payload_type) = (rtpmap.to_owned(), PayloadType(number));
        Format { name, rtpmap, clock, payload_type, fmtp: fmtp.to_owned(), lengths_ms }
    }

    fn can() -> Offerable {
        let codecs = vec![format("pcmu", "PCMU/8000", 8_000, 0, ""), format("pcma", "PCMA/8000", 8_000, 8, "")];
        Offerable { codecs, ptime: Ptime::MS_20, events: true, security: Security::default() }
    }

    fn can_wideband() -> Offerable {
        let mut can = can();
        can.codecs.insert(0, format("g722", "G722/8000", 8_000, 9, ""));
        can.codecs.insert(1, format("opus", "opus/48000/2", 48_000, 111, "useinbandfec=1"));
        can
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
        assert_eq!((agreed.event, agreed.ptime.ms()), (Some((PayloadType(97), 8_000)), 30));
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
        assert!(agreed.rtcp_mux && agreed.event == Some((PayloadType(101), 8_000)) && agreed.flow == Flow::SendRecv);
    }

    #[test]
    fn g722_is_known_by_its_number_and_opus_by_its_name() {
        let offer = description(
            "m=audio 4000 RTP/AVP 107 9 0 101 102\r\na=rtpmap:107 OPUS/48000/2\r\n\
             a=fmtp:107 maxaveragebitrate=20000; usedtx=1\r\na=rtpmap:101 telephone-event/8000\r\n\
             a=rtpmap:102 telephone-event/48000\r\na=ptime:30\r\n",
        );
        let (agreed, text) = answer(&offer, &can_wideband(), &local()).unwrap();
        assert_eq!(agreed.codec, ("opus".into(), PayloadType(107)));
        assert_eq!(agreed.fmtp, "maxaveragebitrate=20000; usedtx=1");
        assert_eq!(agreed.event, Some((PayloadType(102), 48_000)), "at the clock of the sound");
        assert_eq!(agreed.ptime.ms(), 20, "Opus has no packets of 30 ms");
        assert_eq!(agreed.accepts[1], (PayloadType(9), "g722".into()));
        for line in ["m=audio 10000 RTP/AVP 107 9 0 101 102", "a=rtpmap:107 opus/48000/2", "a=fmtp:107 useinbandfec=1"]
        {
            assert!(text.lines().any(|own| own == line), "{line}: {text}");
        }
        assert!(text.contains("a=rtpmap:9 G722/8000\r\n"));
    }

    #[test]
    fn each_direction_has_the_receivers_numbers() {
        let can = can_wideband();
        let ours = offer(&can, &local());
        assert!(ours.contains("RTP/AVP 9 111 0 8 101 110\r\n") && ours.contains("a=rtpmap:110 telephone-event/48000"));
        let theirs = description(
            "m=audio 4000 RTP/AVP 96 97\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/48000\r\n",
        );
        let agreed = accept(&theirs, &can, &local()).unwrap();
        assert_eq!(agreed.codec, ("opus".into(), PayloadType(96)), "we send by their number");
        assert_eq!(agreed.accepts[0], (PayloadType(111), "opus".into()), "and hear by ours");
        assert!(agreed.accepts.contains(&(PayloadType(96), "opus".into())), "theirs is free, so it is understood too");
        assert_eq!(agreed.event, Some((PayloadType(97), 48_000)));
        assert!(agreed.events_in.contains(&(PayloadType(110), 48_000)));
    }

    #[test]
    fn numbers_that_clash_are_not_given_twice() {
        let mut can = can_wideband();
        can.codecs[1].payload_type = PayloadType(101);
        let events = events_of(&can);
        assert_eq!(events.len(), 2);
        assert!(events.iter().all(|(number, _)| number.0 != 101), "{events:?}");
        // Their number for Opus is ours for telephone-event: then it is telephone-event.
        let theirs = description(
            "m=audio 4000 RTP/AVP 110 98\r\na=rtpmap:110 opus/48000/2\r\na=rtpmap:98 telephone-event/48000\r\n",
        );
        let agreed = accept(&theirs, &can_wideband(), &local()).unwrap();
        assert!(agreed.accepts.iter().all(|(number, _)| number.0 != 110));
    }
}
