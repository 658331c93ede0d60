//! A browser for tests: str0m in frame mode with PCMU and digits, one socket, and both ways of signalling.
#![allow(dead_code, reason = "shared by several test targets")]

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    channel::ChannelId,
    format::{Codec, FormatParams},
    media::{Direction, Frequency, MediaKind, MediaTime, Mid, TelephoneEvent},
    net::{Protocol, Receive},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};
use voxgw::{
    media::codec::{Wanted, by_name},
    unit::SampleRate,
};

/// The browser's side of one connection.
pub struct Browser {
    pub rtc: Rtc,
    socket: UdpSocket,
    mid: Option<Mid>,
    channel: Option<ChannelId>,
    pending: Option<SdpPendingOffer>,
    codec: Codec,
    /// What was heard, decoded.
    pub heard: Vec<i16>,
    /// Digits heard are not of interest; texts on the data channel are.
    pub texts: Vec<String>,
    pub connected: bool,
    pub closed: bool,
    sent: u64,
}

impl Browser {
    pub async fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut config = Rtc::builder().clear_codecs();
        config.codec_config().enable_pcmu(true, false);
        let format = FormatParams { telephone_event_max: Some(15), ..FormatParams::default() };
        config.codec_config().add_config(126.into(), None, Codec::Tele, Frequency::EIGHT_KHZ, None, format);
        let mut rtc = config.build(Instant::now());
        rtc.add_local_candidate(Candidate::host(socket.local_addr().unwrap(), "udp").unwrap());
        Self {
            rtc,
            socket,
            mid: None,
            channel: None,
            pending: None,
            codec: Codec::PCMU,
            heard: Vec::new(),
            texts: Vec::new(),
            connected: false,
            closed: false,
            sent: 0,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// An offer with audio and a data channel.
    pub fn offer(&mut self, _codecs: &[&str]) -> String {
        let mut change = self.rtc.sdp_api();
        self.mid = Some(change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
        change.add_channel("events".to_owned());
        let (offer, pending) = change.apply().unwrap();
        self.pending = Some(pending);
        self.drain_quietly();
        offer.to_sdp_string()
    }

    /// An offer that restarts ICE.
    pub fn restart(&mut self) -> String {
        let mut change = self.rtc.sdp_api();
        change.ice_restart(true);
        let (offer, pending) = change.apply().unwrap();
        self.pending = Some(pending);
        self.drain_quietly();
        offer.to_sdp_string()
    }

    pub fn take_answer(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        self.rtc.sdp_api().accept_answer(self.pending.take().unwrap(), answer).unwrap();
        self.drain_quietly();
    }

    /// Sends what is to be sent; gives when it wants to hear of the time.
    fn drain_quietly(&mut self) -> Instant {
        loop {
            let Ok(output) = self.rtc.poll_output() else {
                // What str0m says of a goodbye in the middle of something.
                self.closed = true;
                self.rtc.disconnect();
                return Instant::now();
            };
            match output {
                Output::Timeout(at) => return at,
                Output::Transmit(transmit) => {
                    let _ = self.socket.try_send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::ChannelOpen(id, _)) => self.channel = Some(id),
                Output::Event(Event::Closed) => self.closed = true,
                Output::Event(Event::MediaData(data)) if data.params.spec().codec == self.codec => {
                    self.heard.extend(data.data.iter().map(|byte| from_ulaw(*byte)));
                }
                Output::Event(Event::ChannelData(data)) => {
                    self.texts.push(String::from_utf8_lossy(&data.data).into_owned());
                }
                Output::Event(_) => {}
            }
        }
    }

    /// Writes on the data channel; false if there is none yet.
    pub fn write(&mut self, message: &Value) -> bool {
        let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) else { return false };
        channel.write(false, message.to_string().as_bytes()).unwrap();
        self.drain_quietly();
        true
    }

    /// Runs until `until`, or until `done` says so.
    pub async fn run(&mut self, until: Instant, mut done: impl FnMut(&Self) -> bool) {
        let mut buffer = vec![0; 2_048];
        loop {
            let at = self.drain_quietly().min(until);
            if done(self) || self.closed || !self.rtc.is_alive() {
                return;
            }
            let local = self.address();
            let waited = tokio::time::timeout_at(at.into(), self.socket.recv_from(&mut buffer)).await;
            let input = match waited {
                Ok(received) => {
                    let (length, source) = received.unwrap();
                    let Ok(receive) = Receive::new(Protocol::Udp, source, local, &buffer[..length]) else { continue };
                    Input::Receive(Instant::now(), receive)
                }
                Err(_) => Input::Timeout(Instant::now()),
            };
            self.rtc.handle_input(input).unwrap();
            if Instant::now() >= until {
                self.drain_quietly();
                return;
            }
        }
    }

    pub async fn connect(&mut self) {
        self.run(Instant::now() + Duration::from_secs(15), |browser| browser.connected).await;
        assert!(self.connected, "no connection");
    }

    /// Sends a tone for `span` and gives what came back meanwhile.
    pub async fn sing(&mut self, frequency_hz: f64, span: Duration) -> Vec<i16> {
        self.heard.clear();
        let begun = Instant::now();
        for n in 0..span.as_millis() as u64 / 20 {
            self.run(begun + Duration::from_millis(20 * n), |_| false).await;
            let start = self.sent * 160;
            let frame: Vec<u8> = (start..start + 160)
                .map(|sample| {
                    let angle = std::f64::consts::TAU * frequency_hz * sample as f64 / 8_000.0;
                    to_ulaw((angle.sin() * 12_000.0) as i16)
                })
                .collect();
            self.sent += 1;
            let mid = self.mid.unwrap();
            let writer = self.rtc.writer(mid).unwrap();
            let pt = writer.payload_params().find(|params| params.spec().codec == Codec::PCMU).unwrap().pt();
            let time = MediaTime::new(start, Frequency::EIGHT_KHZ);
            writer.write(pt, Instant::now(), time, frame).unwrap();
            self.drain_quietly();
        }
        self.run(Instant::now() + Duration::from_millis(300), |_| false).await;
        std::mem::take(&mut self.heard)
    }

    /// Presses a key as an event of RFC 4733.
    pub async fn press(&mut self, digit: char) {
        let mid = self.mid.unwrap();
        let writer = self.rtc.writer(mid).unwrap();
        let pt = writer.payload_params().find(|params| params.spec().codec == Codec::PCMU).unwrap().pt();
        let event = digit.to_digit(10).unwrap() as u8;
        let event = TelephoneEvent { event, end: true, volume: 10, duration: Duration::from_millis(160) };
        let time = MediaTime::new(self.sent * 160, Frequency::EIGHT_KHZ);
        self.sent += 10;
        writer.telephone_event(event).write(pt, Instant::now(), time, Vec::new()).unwrap();
        self.run(Instant::now() + Duration::from_millis(300), |_| false).await;
    }
}

fn to_ulaw(sample: i16) -> u8 {
    let mut bytes = Vec::new();
    let wanted = Wanted { rate: SampleRate::HZ_8000, fmtp: "" };
    by_name("pcmu").unwrap().encoder(&wanted).encode(&[sample], &mut bytes);
    bytes[0]
}

fn from_ulaw(byte: u8) -> i16 {
    let mut samples = Vec::new();
    by_name("pcmu").unwrap().decoder(SampleRate::HZ_8000).decode(&[byte], &mut samples);
    samples[0]
}

/// How much of the sound's power lies at a frequency, 0 to 1: the mean over the pieces of 100 ms that are loud. A late
/// packet shifts the phase, which is no matter of who is heard.
pub fn share_at(frequency_hz: f64, samples: &[i16]) -> f64 {
    let loud = |piece: &&[i16]| piece.iter().any(|sample| sample.unsigned_abs() > 3_000);
    let pieces: Vec<&[i16]> = samples.chunks_exact(800).filter(loud).collect();
    let rate = SampleRate::HZ_8000;
    let shares = pieces.iter().map(|piece| voxgw::media::dsp::tone::share_at(frequency_hz, rate, piece));
    shares.sum::<f64>() / pieces.len().max(1) as f64
}

/// An answer of HTTP.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

/// One request on a connection of its own.
pub async fn http(place: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut stream = TcpStream::connect(place).await.unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text.extend(["Host: ", place, "\r\n"]);
    }
    for (name, value) in headers {
        text.extend([*name, ": ", *value, "\r\n"]);
    }
    text.push_str("\r\n");
    text.push_str(body);
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(15), stream.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or("0").parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    Answer { status, headers, body: body.to_owned() }
}

/// The page's WebSocket.
pub struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Everything that the gateway said.
    pub heard: Vec<Value>,
}

impl Page {
    pub async fn open(place: &str) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://{place}/ws")).await.unwrap();
        Self { socket, heard: Vec::new() }
    }

    pub async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    pub async fn say_text(&mut self, text: &str) {
        let _ = self.socket.send(Message::text(text.to_owned())).await;
    }

    /// The next message of this type; those before are kept in `heard`.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let next = async {
            loop {
                let message = self.next().await.unwrap_or_else(|| panic!("no {kind}; heard {:?}", self.heard));
                if message["type"] == kind {
                    return message;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(15), next).await.unwrap_or_else(|_| panic!("no {kind} in time"))
    }

    /// The next message; none when the gateway has closed.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => {
                    let value: Value = serde_json::from_str(&text).unwrap();
                    self.heard.push(value.clone());
                    return Some(value);
                }
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Joins with this browser's offer.
    pub async fn join(&mut self, browser: &mut Browser, to: &str, token: &str) {
        self.say(json!({ "type": "join", "to": to, "name": "anna", "token": token })).await;
        self.expect("joined").await;
        let offer = browser.offer(&[]);
        self.say(json!({ "type": "offer", "sdp": offer })).await;
        let answer = self.expect("answer").await;
        browser.take_answer(answer["sdp"].as_str().unwrap());
    }
}
