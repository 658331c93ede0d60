//! One browser as a machine: an offer and datagrams in; an answer, datagrams and plain RTP packets out.
//!
//! ICE (RFC 8445), DTLS-SRTP (RFC 5764) and RTCP are str0m's; this owns how they are set up, what of them the call
//! hears, and the deadlines. The pipeline sees the browser as a far end that offered plain RTP: [`Accepted::described`].
//! No clock and no socket; random numbers are str0m's own. `gateway::session::web` drives it.
//!
//! Rule: after each call that changes something, drain [`Peer::poll`] and [`Peer::transmit`].
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::clock::Instant;
use std::{
    collections::VecDeque,
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant as StdInstant},
};
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    channel::ChannelId,
    config::{CryptoProvider, DtlsCert},
    format::{Codec, FormatParams},
    media::{Direction as MediaDirection, Frequency, MediaKind, Mid},
    net::{Protocol, Receive},
    rtp::RtpWrite,
};

/// Longest description that is looked at: browsers with a dozen interfaces write 8 KB.
pub const OFFER_MAX: usize = 32 * 1024;
/// m-lines of an offer.
const MEDIA_MAX: usize = 8;
/// Candidates of one browser, offered and trickled.
pub const CANDIDATES_MAX: usize = 64;
/// Longest candidate line.
const CANDIDATE_MAX: usize = 512;
/// ICE and DTLS must be done within this time of the offer.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// How often a check is repeated before ICE calls the connection lost: 8 to 10 s, as they double from 250 ms to 3 s.
const STUN_RETRANSMITS: usize = 5;
/// A connection that ICE calls lost may come back within this time.
pub const RECONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Longest text on the data channel, either way.
pub const TEXT_MAX: usize = 16 * 1024;
/// Texts that wait for a slow data channel, in bytes; more are dropped and counted.
const UNSENT_MAX: usize = 256 * 1024;

/// How peers are set up; one for the whole gateway.
#[derive(Clone, Debug)]
pub struct Settings {
    /// ICE lite (RFC 8445 §2.5): we answer checks and make none. For gateways on a public address.
    pub lite: bool,
    /// Our certificate, the same for all peers while the gateway runs.
    pub certificate: Option<Arc<DtlsCert>>,
}

impl Settings {
    /// With a certificate made now, so that no call pays for one.
    #[must_use]
    pub fn new(lite: bool) -> Self {
        let provider: CryptoProvider = str0m::crypto::from_feature_flags();
        Self { lite, certificate: provider.dtls_provider.generate_certificate().map(Arc::new) }
    }
}

/// What came of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// For the browser.
    pub answer: String,
    /// For the pipeline: the far end as if it had offered plain RTP from [`Accepted::stand_in`].
    pub described: String,
    /// The address that stands for the browser until ICE has chosen, and in packets after that.
    pub stand_in: SocketAddr,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Candidates are being tried.
    #[default]
    Checking,
    /// A pair of candidates works; keys are being agreed on.
    Handshake,
    /// Media flows.
    Connected,
    /// The browser does not answer checks any more; it may come back.
    Disconnected,
    /// Over.
    Closed,
}

impl State {
    /// The word in journals and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Handshake => "handshake",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Closed => "closed",
        }
    }
}

/// What a peer has to say.
#[derive(Debug, PartialEq)]
pub enum Said {
    /// A packet from the browser, decrypted: read it with [`Peer::packet`].
    Rtp,
    /// The connection's state changed.
    State(State),
    /// Another pair of addresses carries it: ours, theirs.
    Path(SocketAddr, SocketAddr),
    /// Once a second, what the browser reports and ICE measures.
    Report(FarReport),
    /// Text on the data channel.
    Text(String),
    /// It will not come to anything any more: why.
    Failed(&'static str),
}

/// What the browser reports about what it hears of us.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FarReport {
    /// There and back.
    pub rtt_ms: Option<f64>,
    /// Of our packets.
    pub loss_percent: Option<f64>,
    /// At the browser.
    pub jitter_ms: Option<f64>,
}

/// The machine.
pub struct Peer {
    rtc: Rtc,
    /// str0m's clock at our origin.
    base: StdInstant,
    local: SocketAddr,
    mid: Option<Mid>,
    /// Our offer that has no answer yet.
    pending: Option<SdpPendingOffer>,
    /// 16-bit sequence numbers of the pipeline, counted on.
    sequence: Option<u64>,
    /// Clock of what we send, for the browser's jitter.
    clock: u32,
    channel: Option<ChannelId>,
    candidates: usize,
    state: State,
    path: Option<(SocketAddr, SocketAddr)>,
    /// The connection must have come (back) by then.
    deadline: Instant,
    next_at: Instant,
    said: VecDeque<Said>,
    packets: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    transmits: VecDeque<(SocketAddr, Vec<u8>)>,
    report: FarReport,
    /// Texts that did not fit on the data channel.
    unsent: u64,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("local", &self.local).field("state", &self.state).finish_non_exhaustive()
    }
}

impl Peer {
    /// Answers `offer`. `base` is the standard clock's reading at our clock's origin; `local` where we receive, as the
    /// browser reaches it; `source` where the offer came from; `codecs` by our names, in order; whether digits come as
    /// telephone-`events`.
    ///
    /// # Errors
    /// Says why there is no session: for the browser, in words.
    pub fn accept(
        now: Instant,
        base: StdInstant,
        settings: &Settings,
        local: SocketAddr,
        source: IpAddr,
        (codecs, events): (&[&str], bool),
        offer: &str,
    ) -> Result<(Self, Accepted), String> {
        let offer = read_offer(offer)?;
        let mut rtc = build(now, base, settings, local, (codecs, events))?;
        let answer = rtc.sdp_api().accept_offer(offer).map_err(|problem| format!("the offer: {problem}"))?;
        let answer = answer.to_sdp_string();
        let stand_in = SocketAddr::new(source, 9);
        let described = plain(&answer, stand_in, true)?;
        let mut peer = Self::new(now, base, local, rtc);
        peer.clock = first_clock(&described);
        peer.deadline = now + CONNECT_WITHIN;
        peer.said.push_back(Said::State(State::Checking));
        peer.drain(now);
        Ok((peer, Accepted { answer, described, stand_in }))
    }

    /// Makes an offer of ours, for a far end that answers (a WHIP server): [`Peer::take_answer`] comes next.
    ///
    /// # Errors
    /// There is nothing to offer.
    pub fn offer(
        now: Instant,
        base: StdInstant,
        settings: &Settings,
        local: SocketAddr,
        codecs: (&[&str], bool),
    ) -> Result<(Self, String), String> {
        let mut rtc = build(now, base, settings, local, codecs)?;
        let mut change = rtc.sdp_api();
        let mid = change.add_media(MediaKind::Audio, MediaDirection::SendRecv, None, None, None);
        let (offer, pending) = change.apply().ok_or("there is nothing to offer")?;
        let mut peer = Self::new(now, base, local, rtc);
        (peer.mid, peer.pending) = (Some(mid), Some(pending));
        peer.drain(now);
        Ok((peer, offer.to_sdp_string()))
    }

    /// Takes the answer to our offer; gives the far end as if it had offered plain RTP from `stand_in`.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn take_answer(&mut self, now: Instant, answer: &str, stand_in: SocketAddr) -> Result<String, String> {
        if answer.len() > OFFER_MAX {
            return Err(format!("an answer of {} bytes; {OFFER_MAX} is the most", answer.len()));
        }
        let pending = self.pending.take().ok_or("there is no offer that it answers")?;
        let read = SdpAnswer::from_sdp_string(answer).map_err(|_| "the answer cannot be read as SDP".to_owned())?;
        let taken = self.rtc.sdp_api().accept_answer(pending, read);
        taken.map_err(|problem| format!("the answer: {problem}"))?;
        let described = plain(answer, stand_in, false)?;
        self.clock = first_clock(&described);
        self.deadline = now + CONNECT_WITHIN;
        self.said.push_back(Said::State(State::Checking));
        self.drain(now);
        Ok(described)
    }

    const fn new(now: Instant, base: StdInstant, local: SocketAddr, rtc: Rtc) -> Self {
        Self {
            rtc,
            base,
            local,
            mid: None,
            pending: None,
            sequence: None,
            clock: 8_000,
            channel: None,
            candidates: 0,
            state: State::Checking,
            path: None,
            deadline: Instant::FAR_FUTURE,
            next_at: now,
            said: VecDeque::new(),
            packets: VecDeque::new(),
            spare: Vec::new(),
            transmits: VecDeque::new(),
            report: FarReport { rtt_ms: None, loss_percent: None, jitter_ms: None },
            unsent: 0,
        }
    }

    /// A new offer within the session: ICE restart (RFC 8445 §9), or media that the page adds and we refuse.
    ///
    /// # Errors
    /// Says what is wrong with it; the session goes on as it was.
    pub fn offer_again(&mut self, now: Instant, offer: &str) -> Result<String, String> {
        let offer = read_offer(offer)?;
        let answer = self.rtc.sdp_api().accept_offer(offer).map_err(|problem| format!("the offer: {problem}"))?;
        self.drain(now);
        Ok(answer.to_sdp_string())
    }

    /// A candidate that the browser found later (RFC 8838). An empty one says that there are no more.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn candidate(&mut self, now: Instant, text: &str) -> Result<(), String> {
        let text = text.trim().trim_start_matches("a=");
        if text.is_empty() || text == "end-of-candidates" {
            return Ok(());
        }
        if text.len() > CANDIDATE_MAX {
            return Err(format!("a candidate of {} bytes; {CANDIDATE_MAX} is the most", text.len()));
        }
        if self.candidates >= CANDIDATES_MAX {
            return Err(format!("more than {CANDIDATES_MAX} candidates"));
        }
        self.candidates += 1;
        // A name that only its own network can resolve (mDNS): its checks tell us the address.
        let address = text.split_whitespace().nth(4).unwrap_or_default();
        if address.parse::<IpAddr>().is_err() && address.to_ascii_lowercase().ends_with(".local") {
            return Ok(());
        }
        let candidate = Candidate::from_sdp_string(text).map_err(|_| "it cannot be read as a candidate".to_owned())?;
        if candidate.proto() == Protocol::Udp {
            self.rtc.add_remote_candidate(candidate);
            self.drain(now);
        }
        Ok(())
    }

    /// A datagram from the network; false if it is not this browser's and was dropped.
    pub fn datagram(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> bool {
        let Ok(received) = Receive::new(Protocol::Udp, from, self.local, bytes) else { return false };
        let input = Input::Receive(self.std(now), received);
        // STUN by its user name and integrity, everything else only from where checks succeeded.
        if !self.rtc.accepts(&input) {
            return false;
        }
        if self.rtc.handle_input(input).is_err() {
            // One bad packet: str0m has said what it thinks of it; its state is sound.
            tracing::trace!(target: "rtp", event = "webrtc.bad_packet", %from);
        }
        self.drain(now);
        true
    }

    /// Sends an RTP packet of the pipeline: a header of twelve bytes without extensions, then the payload.
    pub fn rtp(&mut self, now: Instant, packet: &[u8]) {
        let (Some(mid), true) = (self.mid, self.state == State::Connected) else { return };
        let Some((header, payload)) = packet.split_first_chunk::<12>() else { return };
        let number = u16::from_be_bytes([header[2], header[3]]);
        let sequence = match self.sequence {
            None => u64::from(number),
            Some(last) => last + u64::from(number.wrapping_sub(u16::try_from(last & 0xffff).unwrap_or(0))),
        };
        self.sequence = Some(sequence);
        let time = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let std_now = self.std(now);
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else { return };
        let write = RtpWrite::new((header[1] & 0x7f).into(), sequence.into(), time, std_now, payload);
        stream.write_rtp(write.marker(header[1] & 0x80 != 0));
        self.drain(now);
    }

    /// Sends a text on the data channel; false if there is none (yet). Texts beyond what may wait are dropped.
    pub fn text(&mut self, now: Instant, text: &str) -> bool {
        let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) else { return false };
        let fits = text.len() <= TEXT_MAX && channel.buffered_amount() <= UNSENT_MAX;
        if !fits || !channel.write(false, text.as_bytes()).unwrap_or(false) {
            self.unsent += 1;
        }
        self.drain(now);
        true
    }

    /// Texts that were dropped because the browser does not take them.
    #[must_use]
    pub const fn unsent(&self) -> u64 {
        self.unsent
    }

    /// Says goodbye to the browser: what goes out is in [`Peer::transmit`].
    pub fn close(&mut self, now: Instant) {
        if self.state != State::Closed {
            let _ = self.rtc.close();
            self.drain(now);
            self.change(State::Closed);
            self.deadline = Instant::FAR_FUTURE;
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline <= now {
            self.deadline = Instant::FAR_FUTURE;
            let why = match self.state {
                State::Disconnected => "the browser has vanished",
                State::Handshake => "DTLS did not come about",
                _ => "ICE did not connect",
            };
            self.said.push_back(Said::Failed(why));
        }
        if self.next_at <= now {
            let input = Input::Timeout(self.std(now));
            let _ = self.rtc.handle_input(input);
            self.drain(now);
        }
    }

    /// When [`Peer::handle_timeout`] is wanted.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        self.next_at.min(self.deadline)
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The next thing that it says.
    pub fn poll(&mut self) -> Option<Said> {
        self.said.pop_front()
    }

    /// The packet that the newest [`Said::Rtp`] spoke of, put into `into`.
    pub fn packet(&mut self, into: &mut Vec<u8>) {
        if let Some(packet) = self.packets.pop_front() {
            let used = std::mem::replace(into, packet);
            self.spare.push(used);
        }
    }

    /// The next datagram for the network.
    pub fn transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.transmits.pop_front()
    }

    // Inside

    fn std(&self, now: Instant) -> StdInstant {
        self.base + Duration::from_nanos(now.as_nanos())
    }

    /// Takes everything out of str0m; it must be empty before the next change.
    fn drain(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    let ahead = at.saturating_duration_since(self.std(now));
                    // Its "not happening" lies years ahead.
                    self.next_at = if ahead > Duration::from_hours(1) { Instant::FAR_FUTURE } else { now + ahead };
                    break;
                }
                Ok(Output::Transmit(transmit)) => {
                    let (ours, theirs) = (transmit.source, transmit.destination);
                    let bytes: Vec<u8> = transmit.contents.into();
                    // Checks (RFC 7983: below 20) go to all candidates, everything else over the chosen pair.
                    let is_check = bytes.first().is_some_and(|first| *first < 20);
                    if !is_check && self.state == State::Connected && self.path != Some((ours, theirs)) {
                        self.note_path(ours, theirs);
                    }
                    self.transmits.push_back((theirs, bytes));
                }
                Ok(Output::Event(event)) => self.event(now, event),
                Err(problem) => {
                    tracing::debug!(target: "rtp", event = "webrtc.broken", "{problem}");
                    self.next_at = Instant::FAR_FUTURE;
                    self.said.push_back(Said::Failed("the connection broke"));
                    self.rtc.disconnect();
                    break;
                }
            }
        }
        if !self.rtc.is_alive() && self.state != State::Closed {
            self.change(State::Closed);
            self.deadline = Instant::FAR_FUTURE;
            self.said.push_back(Said::Failed("the browser closed the connection"));
        }
    }

    fn note_path(&mut self, ours: SocketAddr, theirs: SocketAddr) {
        self.path = Some((ours, theirs));
        self.said.push_back(Said::Path(ours, theirs));
    }

    fn change(&mut self, state: State) {
        if self.state != state {
            self.state = state;
            self.said.push_back(Said::State(state));
        }
    }

    fn event(&mut self, now: Instant, event: Event) {
        match event {
            Event::RtpPacket(packet) => {
                let mut bytes = self.spare.pop().unwrap_or_default();
                bytes.clear();
                let header = &packet.header;
                bytes.extend([0x80, (u8::from(header.marker) << 7) | *header.payload_type]);
                bytes.extend(header.sequence_number.to_be_bytes());
                bytes.extend(header.timestamp.to_be_bytes());
                bytes.extend(header.ssrc.to_be_bytes());
                bytes.extend_from_slice(&packet.payload);
                self.packets.push_back(bytes);
                self.said.push_back(Said::Rtp);
            }
            Event::IceConnectionStateChange(state) => self.ice(now, state),
            Event::Connected => {
                self.deadline = Instant::FAR_FUTURE;
                self.change(State::Connected);
            }
            Event::MediaAdded(media) => self.mid = Some(self.mid.unwrap_or(media.mid)),
            Event::ChannelOpen(id, _) => self.channel = Some(self.channel.unwrap_or(id)),
            Event::ChannelClose(id) if self.channel == Some(id) => self.channel = None,
            Event::ChannelData(data) if data.data.len() <= TEXT_MAX => {
                if let Ok(text) = String::from_utf8(data.data) {
                    self.said.push_back(Said::Text(text));
                }
            }
            Event::PeerStats(stats) => {
                self.report.rtt_ms = stats.rtt.map(|rtt| rtt.as_secs_f64() * 1e3);
                if self.report.rtt_ms.is_none()
                    && let Some(pair) = &stats.selected_candidate_pair
                {
                    self.report.rtt_ms = pair.current_round_trip_time.map(|rtt| rtt.as_secs_f64() * 1e3);
                }
                self.said.push_back(Said::Report(self.report));
            }
            Event::MediaEgressStats(stats) => {
                self.report.loss_percent = stats.loss.map(|loss| f64::from(loss) * 100.0);
                let jitter = stats.remote.map(|remote| f64::from(remote.jitter) * 1e3 / f64::from(self.clock));
                self.report.jitter_ms = jitter;
            }
            Event::Closed => self.rtc.disconnect(),
            _ => {}
        }
    }

    fn ice(&mut self, now: Instant, state: IceConnectionState) {
        match state {
            IceConnectionState::Connected | IceConnectionState::Completed => match self.state {
                State::Checking => {
                    self.change(State::Handshake);
                }
                State::Disconnected => {
                    self.deadline = Instant::FAR_FUTURE;
                    self.change(State::Connected);
                }
                _ => {}
            },
            IceConnectionState::Disconnected if self.state == State::Connected => {
                self.deadline = now + RECONNECT_WITHIN;
                self.change(State::Disconnected);
            }
            _ => {}
        }
    }
}

fn build(
    now: Instant,
    base: StdInstant,
    settings: &Settings,
    local: SocketAddr,
    (codecs, events): (&[&str], bool),
) -> Result<Rtc, String> {
    let mut config = Rtc::builder()
        .set_rtp_mode(true)
        .set_ice_lite(settings.lite)
        .clear_codecs()
        .set_stats_interval(Some(Duration::from_secs(1)));
    config.set_max_stun_retransmits(STUN_RETRANSMITS);
    if let Some(certificate) = &settings.certificate {
        config = config.set_dtls_cert(DtlsCert::clone(certificate));
    }
    offer_codecs(&mut config, codecs, events);
    let mut rtc = config.build(base + Duration::from_nanos(now.as_nanos()));
    let host = Candidate::host(local, "udp").map_err(|problem| format!("our address {local}: {problem}"))?;
    rtc.add_local_candidate(host);
    Ok(rtc)
}

fn read_offer(offer: &str) -> Result<SdpOffer, String> {
    if offer.len() > OFFER_MAX {
        return Err(format!("an offer of {} bytes; {OFFER_MAX} is the most", offer.len()));
    }
    let count = |prefix: &str| offer.lines().filter(|line| line.starts_with(prefix)).count();
    if count("m=") > MEDIA_MAX {
        return Err(format!("more than {MEDIA_MAX} media sections"));
    }
    if count("a=candidate:") > CANDIDATES_MAX {
        return Err(format!("more than {CANDIDATES_MAX} candidates"));
    }
    if !offer.lines().any(|line| line.starts_with("m=audio ")) {
        return Err("no audio was offered".to_owned());
    }
    // The parser's own words name addresses in our memory.
    SdpOffer::from_sdp_string(offer).map_err(|_| "the offer cannot be read as SDP".to_owned())
}

/// What we can do: our order decides what is sent, and to browsers Opus is best whatever telephones get.
fn offer_codecs(config: &mut str0m::RtcConfig, codecs: &[&str], with_events: bool) {
    let (mut narrow, mut full) = (false, false);
    let (opus, others): (Vec<&&str>, Vec<&&str>) = codecs.iter().partition(|name| **name == "opus");
    for name in opus.into_iter().chain(others) {
        let known = config.codec_config();
        match *name {
            "pcmu" => known.enable_pcmu(true, false),
            "pcma" => known.enable_pcma(true, false),
            "g722" => known.enable_g722(true, false),
            "opus" => known.enable_opus(true, false),
            _ => continue,
        }
        narrow |= *name != "opus";
        full |= *name == "opus";
    }
    let events = [(full, 110, Frequency::FORTY_EIGHT_KHZ), (narrow, 126, Frequency::EIGHT_KHZ)];
    for (_, number, frequency) in events.into_iter().filter(|(wanted, ..)| *wanted && with_events) {
        let format = FormatParams { telephone_event_max: Some(15), ..FormatParams::default() };
        config.codec_config().add_config(number.into(), None, Codec::Tele, frequency, None, format);
    }
}

/// Clock of the first format, the one that we send.
fn first_clock(described: &str) -> u32 {
    let words = described.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap_or_default();
    let map = format!("a=rtpmap:{} ", words.split(' ').nth(2).unwrap_or_default());
    let line = described.lines().find_map(|line| line.strip_prefix(&map)).unwrap_or_default();
    line.split('/').nth(1).and_then(|clock| clock.parse().ok()).filter(|clock| *clock > 0).unwrap_or(8_000)
}

/// The audio of an answer, ours or theirs, told as if the far end had offered it as plain RTP.
fn plain(answer: &str, stand_in: SocketAddr, ours: bool) -> Result<String, String> {
    let mut formats = None;
    let mut lines = String::new();
    let mut inside = false;
    for line in answer.lines() {
        if let Some(rest) = line.strip_prefix("m=") {
            let words: Vec<&str> = rest.split_whitespace().collect();
            inside = formats.is_none() && words.first() == Some(&"audio") && words.get(1) != Some(&"0");
            if inside {
                formats = Some(words.get(3..).unwrap_or_default().join(" "));
            }
        } else if inside {
            if line.starts_with("a=rtpmap:") || line.starts_with("a=fmtp:") {
                let _ = write!(lines, "{line}\r\n");
            }
            // Theirs is the mirror of ours.
            let theirs = match line {
                "a=sendonly" if ours => "recvonly",
                "a=recvonly" if ours => "sendonly",
                "a=sendonly" => "sendonly",
                "a=recvonly" => "recvonly",
                "a=sendrecv" => "sendrecv",
                "a=inactive" => "inactive",
                _ => continue,
            };
            let _ = write!(lines, "a={theirs}\r\n");
        }
    }
    let formats = formats.filter(|formats| !formats.is_empty()).ok_or("no codec in common with the offer")?;
    let family = if stand_in.is_ipv4() { "IP4" } else { "IP6" };
    Ok(format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {formats}\r\n\
         {lines}a=rtcp-mux\r\n",
        ip = stand_in.ip(),
        port = stand_in.port()
    ))
}

#[cfg(test)]
mod tests;
