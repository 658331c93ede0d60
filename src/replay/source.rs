//! Files as streams: captures by their SIP or by heuristics, WAV as packets of a phone that sends it.

use super::Stream;
use crate::{
    clock::Instant,
    error::{Error, Result},
    media::{
        codec::{self, CODECS, Codec, Wanted},
        file::{
            pcap::{Capture, Carrier, Datagram},
            wav,
        },
        rtp::packet::{Packet, is_rtcp},
    },
    sip::{
        message::Message,
        method::Method,
        sdp::Description,
        stream::{Cut, Framer},
    },
    unit::{PayloadType, Ptime, SampleRate, Ssrc},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Audio streams in order of their first packet.
    pub streams: Vec<Stream>,
    /// What was read: `pcap, 236 packets`, `wav, 8000 Hz`.
    pub what: String,
    /// What could not be used and why.
    pub notes: Vec<String>,
    /// SIP messages seen.
    pub sip_messages: usize,
}

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Codec of streams that nothing describes, and of a WAV.
    pub codec: Option<&'static Codec>,
    /// Only this stream.
    pub ssrc: Option<Ssrc>,
    /// `caller`, `agent` or `both` of a stereo WAV.
    pub leg: String,
}

/// Reads a file or call folder.
///
/// # Errors
/// A file that is missing, broken or empty, with what to do.
pub fn open(path: &Path, options: &Options) -> Result<Source> {
    let path = if path.is_dir() { in_folder(path)? } else { path.to_owned() };
    let bytes = std::fs::read(&path).map_err(|source| Error::file("read", &path, &source))?;
    let wrong = |problem: String| Error::usage(format!("{}: {problem}", path.display()));
    if bytes.is_empty() {
        return Err(wrong("is empty".into()).hint("give a WAV, pcap or pcapng with something in it"));
    }
    let source = if bytes.starts_with(b"RIFF") {
        of_wav(&bytes, options)
            .map_err(|problem| wrong(problem).hint("any WAV with sound in it will do: PCM, float or G.711, any rate"))?
    } else {
        of_capture(&bytes, options)
            .map_err(|problem| wrong(problem).hint("files are WAV, pcap or pcapng, or a call folder"))?
    };
    if source.streams.is_empty() {
        let hint = if source.notes.is_empty() {
            "no RTP was found; --codec NAME reads streams that no SIP describes".to_owned()
        } else {
            source.notes.join("; ")
        };
        return Err(wrong("holds no audio stream that can be used".into()).hint(hint));
    }
    Ok(source)
}

/// Sound that is no file: `lead` of silence, then the WAV in `bytes`, mono or its left channel.
///
/// # Errors
/// What is wrong with it.
pub fn of_sound(bytes: &[u8], lead: Duration) -> Result<Source, String> {
    let wav = wav::read(bytes)?;
    let mut samples = vec![0; wav.rate.samples_in(lead)];
    samples.extend(wav.channels.first().into_iter().flatten());
    of_wav(&wav::write(wav.rate, 1, &samples), &Options::default())
}

fn in_folder(folder: &Path) -> Result<std::path::PathBuf> {
    let all = |name: &str| folder.join(name);
    // A capture that holds sound is nearer to what happened than the recording.
    let capture = all("call.pcap");
    if capture.is_file()
        && std::fs::read(&capture)
            .is_ok_and(|bytes| of_capture(&bytes, &Options::default()).is_ok_and(|s| !s.streams.is_empty()))
    {
        return Ok(capture);
    }
    let sound = all("call.wav");
    if sound.is_file() {
        return Ok(sound);
    }
    Err(Error::usage(format!("{} holds neither call.wav nor call.pcap", folder.display()))
        .hint("give a call folder, or a file"))
}

/// A phone that sends the sound, 20 ms in a packet, without loss.
fn of_wav(bytes: &[u8], options: &Options) -> Result<Source, String> {
    let wav = wav::read(bytes)?;
    let samples = match (options.leg.as_str(), &wav.channels[..]) {
        ("agent", [_, right, ..]) => right.clone(),
        ("both", _) | (_, [_]) => wav.mono(),
        (_, [left, ..]) => left.clone(),
        (_, []) => Vec::new(),
    };
    let what = format!("wav  {}  {} channel(s)  {:.1} s", wav.rate, wav.channels.len(), wav.duration().as_secs_f64());
    let codec = options.codec.unwrap_or(&CODECS[0]);
    let rate = codec.rate_for(SampleRate::HZ_16000);
    let mut samples = wav::resample(&samples, wav.rate, rate)?;
    let ptime = Ptime::MS_20.duration();
    let frame = rate.samples_in(ptime);
    samples.resize(samples.len().next_multiple_of(frame), 0);
    let step = codec.ticks_of(frame, rate);
    let mut encoder = codec.encoder(&Wanted { rate, fmtp: "useinbandfec=1" });
    let mut packets = Vec::new();
    let mut payload = Vec::new();
    for (n, frame) in (0_u32..).zip(samples.chunks(frame)) {
        payload.clear();
        encoder.encode(frame, &mut payload);
        let mut bytes = Vec::new();
        Packet {
            marker: n == 0,
            payload_type: codec.payload_type,
            #[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
            sequence: n as u16,
            timestamp: n.wrapping_mul(step),
            ssrc: Ssrc(0x7761_7621),
            payload: &payload,
        }
        .write(&mut bytes);
        packets.push((Instant::from_millis(u64::from(n) * 20), bytes));
    }
    let stream = Stream {
        source: SocketAddr::from(([192, 0, 2, 1], 4_000)),
        destination: SocketAddr::from(([192, 0, 2, 2], 4_002)),
        codecs: vec![(codec.payload_type, codec)],
        events: vec![(PayloadType(101), SampleRate::HZ_8000)],
        ptime: Ptime::MS_20,
        packets,
        is_caller: true,
        call_id: String::new(),
    };
    Ok(Source { streams: vec![stream], what, ..Source::default() })
}

/// What SIP said about one address.
#[derive(Clone, Debug, Default)]
struct Described {
    codecs: Vec<(PayloadType, &'static Codec)>,
    events: Vec<(PayloadType, SampleRate)>,
    ptime_ms: Option<u32>,
    /// By an INVITE rather than by its answer.
    by_invite: bool,
    call_id: String,
}

/// RTP packets of one source number between two addresses.
type StreamKey = (SocketAddr, SocketAddr, u32);

fn of_capture(bytes: &[u8], options: &Options) -> Result<Source, String> {
    let capture = Capture::read(bytes)?;
    let mut source = Source { what: format!("capture  {} packets", capture.packets), ..Source::default() };
    if capture.truncated {
        source.notes.push("the file ends in the middle of a packet".into());
    }
    let (described, messages) = descriptions(&capture.datagrams);
    source.sip_messages = messages;
    let mut streams: BTreeMap<(Instant, StreamKey), Vec<&Datagram>> = BTreeMap::new();
    let mut firsts: HashMap<StreamKey, Instant> = HashMap::new();
    let mut images: HashSet<SocketAddr> = HashSet::new();
    for datagram in &capture.datagrams {
        if datagram.carrier != Carrier::Udp || is_rtcp(&datagram.payload) {
            continue;
        }
        note_images(&datagram.payload, &mut images);
        // A port that signalling has turned into fax (T.38) carries no audio from then on.
        if images.contains(&datagram.destination) || images.contains(&datagram.source) {
            continue;
        }
        let Ok(packet) = Packet::parse(&datagram.payload) else { continue };
        let known = described.contains_key(&datagram.destination) || described.contains_key(&datagram.source);
        if !known && !looks_like_audio(&packet, options) {
            continue;
        }
        let key = (datagram.source, datagram.destination, packet.ssrc.0);
        let first = *firsts.entry(key).or_insert(datagram.at);
        streams.entry((first, key)).or_default().push(datagram);
    }
    if let Some(wanted) = options.ssrc
        && !streams.is_empty()
        && !streams.keys().any(|(_, key)| key.2 == wanted.0)
    {
        let there: Vec<String> = streams.keys().map(|(_, key)| Ssrc(key.2).to_string()).collect();
        source.notes.push(format!("--ssrc {wanted} is none of its streams; they are {}", there.join(", ")));
    }
    for ((_, key), datagrams) in streams {
        if options.ssrc.is_some_and(|wanted| wanted.0 != key.2) {
            continue;
        }
        match stream_of(key, &datagrams, &described, options) {
            Ok(stream) => source.streams.push(stream),
            Err(note) => source.notes.push(format!("{}→{} {}: {note}", key.0, key.1, Ssrc(key.2))),
        }
    }
    Ok(source)
}

/// Without a description: static audio payload types, telephone-event as everybody numbers it, or what `--codec` says.
fn looks_like_audio(packet: &Packet<'_>, options: &Options) -> bool {
    let length = packet.payload.len();
    match packet.payload_type.0 {
        0 | 8 | 9 => (40..=1_600).contains(&length),
        101 => length == 4,
        13 => length <= 32,
        // 72 to 76 would be RTCP.
        // Opus may be as short as it likes.
        96..=127 => options.codec.is_some() && (1..=1_600).contains(&length),
        _ => false,
    }
}

fn stream_of(
    key: StreamKey,
    datagrams: &[&Datagram],
    described: &HashMap<SocketAddr, Described>,
    options: &Options,
) -> Result<Stream, String> {
    // The receiver numbers the payload types; many senders use the same.
    let to = described.get(&key.1).or_else(|| described.get(&key.0)).cloned().unwrap_or_default();
    let mut codecs: Vec<(PayloadType, &'static Codec)> = to.codecs.clone();
    let mut events = to.events.clone();
    let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
    let mut spans: BTreeMap<usize, usize> = BTreeMap::new();
    for packet in datagrams.iter().filter_map(|datagram| Packet::parse(&datagram.payload).ok()) {
        *counts.entry(packet.payload_type.0).or_default() += 1;
        if matches!(packet.payload_type.0, 0 | 8 | 9) {
            *spans.entry(packet.payload.len()).or_default() += 1;
        }
    }
    for payload_type in counts.keys().map(|pt| PayloadType(*pt)) {
        let is_known = codecs.iter().any(|(known, _)| *known == payload_type)
            || events.iter().any(|(known, _)| *known == payload_type);
        if is_known {
            continue;
        }
        if let Some(codec) = codec::by_payload_type(payload_type) {
            codecs.push((payload_type, codec));
        } else if payload_type.0 == 101 && events.is_empty() {
            events.push((payload_type, SampleRate::HZ_8000));
        } else if payload_type.0 >= 96
            && to.codecs.is_empty()
            && let Some(codec) = options.codec
        {
            codecs.push((payload_type, codec));
        }
    }
    let usable =
        |pt: &u8| codecs.iter().any(|(known, _)| known.0 == *pt) || events.iter().any(|(known, _)| known.0 == *pt);
    let usable_packets: usize = counts.iter().filter(|(pt, _)| usable(pt)).map(|(_, count)| count).sum();
    if usable_packets == 0 {
        let types: Vec<String> = counts.keys().map(u8::to_string).collect();
        return Err(format!("payload type {} is none of ours", types.join(", ")));
    }
    if usable_packets < 3 && described.is_empty() {
        return Err("too short to be sure that it is RTP".into());
    }
    if codecs.is_empty() {
        codecs.push((PayloadType(0), &CODECS[0]));
    }
    let by_length =
        spans.into_iter().max_by_key(|(_, count)| *count).map(|(length, _)| u32::try_from(length / 8).unwrap_or(20));
    Ok(Stream {
        source: key.0,
        destination: key.1,
        codecs,
        events,
        ptime: Ptime::nearest(by_length.or(to.ptime_ms).unwrap_or(20)),
        packets: datagrams.iter().map(|datagram| (datagram.at, datagram.payload.clone())).collect(),
        is_caller: described.get(&key.0).is_some_and(|source| source.by_invite),
        call_id: to.call_id,
    })
}

/// All descriptions in a capture, by the address they describe; and how many SIP messages there were.
fn descriptions(datagrams: &[Datagram]) -> (HashMap<SocketAddr, Described>, usize) {
    let mut described = HashMap::new();
    let mut framers: HashMap<(SocketAddr, SocketAddr), Framer> = HashMap::new();
    let mut messages = 0;
    for datagram in datagrams {
        match datagram.carrier {
            Carrier::Udp => messages += usize::from(describe(&datagram.payload, &mut described)),
            Carrier::Tcp => {
                let framer = framers.entry((datagram.source, datagram.destination)).or_default();
                framer.push(&datagram.payload);
                loop {
                    match framer.cut() {
                        Cut::Message(bytes) => messages += usize::from(describe(&bytes, &mut described)),
                        Cut::Ping => {}
                        Cut::More => break,
                        Cut::Broken(_) => {
                            *framer = Framer::default();
                            break;
                        }
                    }
                }
            }
        }
    }
    (described, messages)
}

/// Addresses that a description turns into something other than audio, and back.
fn note_images(bytes: &[u8], images: &mut HashSet<SocketAddr>) {
    if !bytes.first().is_some_and(u8::is_ascii_uppercase) {
        return;
    }
    let Ok(message) = Message::parse(bytes) else { return };
    let sdp = match &message {
        Message::Request(request) => request.sdp(),
        Message::Response(response) => response.sdp(),
    };
    for media in sdp.and_then(|sdp| Description::parse(sdp).ok()).map(|sdp| sdp.media).unwrap_or_default() {
        let Some(address) = media.address.filter(|_| media.port != 0) else { continue };
        let place = SocketAddr::new(address, media.port);
        match media.kind.as_str() {
            "audio" => images.remove(&place),
            "image" => images.insert(place),
            _ => false,
        };
    }
}

fn describe(bytes: &[u8], described: &mut HashMap<SocketAddr, Described>) -> bool {
    if !bytes.first().is_some_and(u8::is_ascii_uppercase) {
        return false;
    }
    let Ok(message) = Message::parse(bytes) else { return false };
    let (sdp, call_id, by_invite) = match &message {
        Message::Request(request) => (request.sdp(), request.headers.call_id(), request.method == Method::Invite),
        Message::Response(response) => (response.sdp(), response.headers.call_id(), false),
    };
    let Some(description) = sdp.and_then(|sdp| Description::parse(sdp).ok()) else { return true };
    for media in description.media.iter().filter(|media| media.kind == "audio" && media.port != 0) {
        let Some(address) = media.address else { continue };
        let mut known =
            Described { call_id: call_id.to_owned(), ptime_ms: media.ptime_ms, by_invite, ..Described::default() };
        for format in media.formats.iter().filter_map(|format| format.parse::<u8>().ok()) {
            let map = media.rtpmaps.iter().find(|(payload_type, ..)| *payload_type == format);
            let number = PayloadType(format);
            match map {
                Some((_, name, clock, _)) if name == "telephone-event" => {
                    known.events.push((number, SampleRate(*clock)));
                }
                Some((_, name, clock, _)) => {
                    known.codecs.extend(codec::by_rtpmap(name, *clock).map(|codec| (number, codec)));
                }
                None => known.codecs.extend(codec::by_payload_type(number).map(|codec| (number, codec))),
            }
        }
        described.insert(SocketAddr::new(address, media.port), known);
    }
    true
}

/// Length of a stream from its first to its last packet.
#[must_use]
pub fn span_of(stream: &Stream) -> Duration {
    match (stream.packets.first(), stream.packets.last()) {
        (Some((first, _)), Some((last, _))) => last.since(*first),
        _ => Duration::ZERO,
    }
}
