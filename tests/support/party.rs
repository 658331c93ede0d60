//! A party of a call whose every message a test decides: one UDP socket for SIP, one for RTP.
//!
//! Says what our own programs would not say: a telephone that rings without end, one that takes no telephone-event, a proxy
//! that sends calls back. Reads and writes messages with the types of `sip::message`; repetitions are skipped.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use voxgw::{
    media::{codec::g711::Law, rtp::packet::Packet},
    sip::{
        header::CSeq,
        message::{Headers, Message, Request, Response},
        method::Method,
        uri::NameAddr,
    },
};

/// How long a message is waited for.
const LIMIT: Duration = Duration::from_secs(20);

/// One party.
pub struct Party {
    sip: UdpSocket,
    rtp: UdpSocket,
    /// Where its SIP is.
    pub address: SocketAddr,
    seen: RefCell<HashSet<String>>,
    from: Cell<SocketAddr>,
    sequence: Cell<u16>,
}

/// A dialog, as this party has it.
#[derive(Clone, Debug)]
pub struct Talk {
    local: String,
    remote: String,
    call_id: String,
    cseq: u32,
    target: String,
    there: SocketAddr,
    /// Where the other side takes RTP.
    pub rtp: Option<SocketAddr>,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

fn unique(what: &str) -> String {
    format!("{what}{}{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Party {
    /// On 127.0.0.1.
    pub fn new() -> Self {
        Self::at("127.0.0.1")
    }

    /// On another address of this machine.
    pub fn at(ip: &str) -> Self {
        let ip: IpAddr = ip.parse().unwrap();
        let [sip, rtp] = [(); 2].map(|()| UdpSocket::bind((ip, 0)).unwrap());
        let address = sip.local_addr().unwrap();
        let from = Cell::new(address);
        Self { sip, rtp, address, seen: RefCell::default(), from, sequence: Cell::new(1) }
    }

    /// A description with these payload types: 0, 8, 101.
    pub fn sdp(&self, formats: &[u8]) -> String {
        let (ip, port) = (self.address.ip(), self.rtp.local_addr().unwrap().port());
        let list: Vec<String> = formats.iter().map(ToString::to_string).collect();
        let known = formats.contains(&101);
        let events = if known { "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n" } else { "" };
        format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {}\r\n{events}a=ptime:20\r\n",
            list.join(" ")
        )
    }

    /// The next message that was not here before; none within the time.
    pub fn next(&self, within: Duration) -> Option<Message> {
        let deadline = Instant::now() + within;
        let mut buffer = vec![0; 65_536];
        loop {
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            self.sip.set_read_timeout(Some(left)).unwrap();
            let Ok((length, from)) = self.sip.recv_from(&mut buffer) else { continue };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.trim().is_empty() || !self.seen.borrow_mut().insert(text) {
                continue;
            }
            self.from.set(from);
            return Some(Message::parse(&buffer[..length]).unwrap());
        }
    }

    /// Waits for a request of a method; whatever else comes is passed over.
    #[track_caller]
    pub fn request(&self, method: &str) -> Request {
        let deadline = Instant::now() + LIMIT;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.next(left) {
                Some(Message::Request(request)) if request.method.token() == method => return request,
                _ => {}
            }
        }
        panic!("no {method} came")
    }

    /// Whether a request of a method comes within the time.
    pub fn hears(&self, method: &str, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.next(left) {
                Some(Message::Request(request)) if request.method.token() == method => return true,
                _ => {}
            }
        }
        false
    }

    /// Waits for a response of this status or, from 200 on, for any final one.
    #[track_caller]
    pub fn response(&self, status: u16) -> Response {
        let deadline = Instant::now() + LIMIT;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            match self.next(left) {
                Some(Message::Response(response)) if response.status == status || response.status >= 200 => {
                    assert_eq!(response.status, status, "{response:?}");
                    return response;
                }
                _ => {}
            }
        }
        panic!("no {status} came")
    }

    /// Answers a request.
    pub fn answer(&self, request: &Request, status: u16, headers: &[(&str, &str)], sdp: Option<&str>) {
        let mut response = request.response(status);
        if status > 100 && response.headers.to().unwrap().tag().is_none() {
            let to = response.headers.to().unwrap().with_tag("party").to_string();
            response.headers.set_first("To", to);
        }
        response.headers.push("Contact", format!("<sip:party@{}>", self.address));
        for (name, value) in headers {
            response.headers.push(name, *value);
        }
        if let Some(sdp) = sdp {
            response.headers.push("Content-Type", "application/sdp");
            response.body = sdp.as_bytes().to_vec();
        }
        self.sip.send_to(&response.to_bytes(), self.from.get()).unwrap();
    }

    /// Takes a call: 200 with a description, and waits for its ACK.
    pub fn take(&self, invite: &Request, headers: &[(&str, &str)], formats: &[u8]) -> Talk {
        let there = self.from.get();
        self.answer(invite, 200, headers, Some(&self.sdp(formats)));
        self.request("ACK");
        let headers = &invite.headers;
        Talk {
            local: headers.to().unwrap().with_tag("party").to_string(),
            remote: headers.from().unwrap().to_string(),
            call_id: headers.call_id().to_owned(),
            cseq: 1,
            target: headers.contact().unwrap().uri.to_string(),
            there,
            rtp: invite.sdp().and_then(rtp_of),
        }
    }

    /// Answers as one branch of a fork, with a tag of its own, whose sound is at another party.
    pub fn fork(&self, invite: &Request, status: u16, tag: &str, sound: &Self, formats: &[u8]) -> Talk {
        let mut response = invite.response(status);
        let to = invite.headers.to().unwrap().with_tag(tag).to_string();
        response.headers.set_first("To", to.clone());
        response.headers.push("Contact", format!("<sip:{tag}@{}>", self.address));
        response.headers.push("Content-Type", "application/sdp");
        response.body = sound.sdp(formats).into_bytes();
        self.sip.send_to(&response.to_bytes(), self.from.get()).unwrap();
        let headers = &invite.headers;
        Talk {
            local: to,
            remote: headers.from().unwrap().to_string(),
            call_id: headers.call_id().to_owned(),
            cseq: 1,
            target: headers.contact().unwrap().uri.to_string(),
            there: self.from.get(),
            rtp: invite.sdp().and_then(rtp_of),
        }
    }

    /// Calls somebody, and says nothing more.
    pub fn invite(&self, to: &str, port: u16, headers: &[(&str, &str)], formats: &[u8]) -> Request {
        let uri = format!("sip:{to}@127.0.0.1:{port}");
        let mut request = self.new_request(Method::Invite, &uri, &unique("call"));
        request.headers.push("From", format!("<sip:party@{}>;tag={}", self.address, unique("t")));
        request.headers.push("To", format!("<{uri}>"));
        request.headers.push("CSeq", CSeq { number: 1, method: Method::Invite }.to_string());
        request.headers.push("Contact", format!("<sip:party@{}>", self.address));
        for (name, value) in headers {
            request.headers.remove(name);
            request.headers.push(name, *value);
        }
        request.headers.push("Content-Type", "application/sdp");
        request.body = self.sdp(formats).into_bytes();
        self.sip.send_to(&request.to_bytes(), ("127.0.0.1", port)).unwrap();
        request
    }

    /// Waits until the call is answered, and acknowledges.
    #[track_caller]
    pub fn answered(&self, invite: &Request) -> Talk {
        let answer = self.response(200);
        let mut talk = Talk {
            local: invite.headers.first("From").unwrap().to_owned(),
            remote: answer.headers.first("To").unwrap().to_owned(),
            call_id: invite.headers.call_id().to_owned(),
            cseq: 1,
            target: answer.headers.contact().unwrap().uri.to_string(),
            there: self.from.get(),
            rtp: answer.sdp().and_then(rtp_of),
        };
        talk.cseq -= 1;
        self.send(&mut talk, "ACK", &[], "");
        talk
    }

    /// Calls somebody who answers.
    #[track_caller]
    pub fn call(&self, to: &str, port: u16, headers: &[(&str, &str)], formats: &[u8]) -> Talk {
        let invite = self.invite(to, port, headers, formats);
        self.answered(&invite)
    }

    /// Sends a request of a dialog.
    pub fn send(&self, talk: &mut Talk, method: &str, headers: &[(&str, &str)], body: &str) {
        talk.cseq += 1;
        let method = Method::from_token(method);
        let mut request = self.new_request(method.clone(), &talk.target, &talk.call_id);
        request.headers.push("From", talk.local.clone());
        request.headers.push("To", talk.remote.clone());
        request.headers.push("CSeq", CSeq { number: talk.cseq, method }.to_string());
        request.headers.push("Contact", format!("<sip:party@{}>", self.address));
        for (name, value) in headers {
            request.headers.push(name, *value);
        }
        request.body = body.as_bytes().to_vec();
        self.sip.send_to(&request.to_bytes(), talk.there).unwrap();
    }

    /// Ends a call.
    #[track_caller]
    pub fn hang_up(&self, mut talk: Talk) {
        self.send(&mut talk, "BYE", &[], "");
        self.response(200);
    }

    /// Sends a message as it is.
    pub fn send_to(&self, bytes: &[u8], to: SocketAddr) {
        self.sip.send_to(bytes, to).unwrap();
    }

    /// Who sent what came last.
    pub fn last_from(&self) -> SocketAddr {
        self.from.get()
    }

    fn new_request(&self, method: Method, uri: &str, call_id: &str) -> Request {
        let mut headers = Headers::default();
        let branch = unique("z9hG4bK");
        headers.push("Via", format!("SIP/2.0/UDP {};branch={branch};rport", self.address));
        headers.push("Max-Forwards", "70");
        headers.push("Call-ID", call_id);
        Request { method, uri: uri.to_owned(), headers, body: Vec::new() }
    }

    // Sound

    /// Says something in PCMU, in packets of 20 ms, as time passes.
    pub fn speak(&self, talk: &Talk, samples: &[i16]) {
        for chunk in samples.chunks(160) {
            let began = Instant::now();
            self.speak_at_once(talk, chunk);
            std::thread::sleep(Duration::from_millis(20).saturating_sub(began.elapsed()));
        }
    }

    /// One packet of it.
    pub fn speak_at_once(&self, talk: &Talk, chunk: &[i16]) {
        let mut payload = Vec::new();
        Law::Mu.compress(chunk, &mut payload);
        let number = self.sequence.get();
        self.sequence.set(number.wrapping_add(1));
        let mut datagram = vec![0x80, 0];
        datagram.extend(number.to_be_bytes());
        datagram.extend((u32::from(number) * 160).to_be_bytes());
        datagram.extend(u32::from(self.address.port()).to_be_bytes());
        datagram.extend(payload);
        self.rtp.send_to(&datagram, talk.rtp.unwrap()).unwrap();
    }

    /// What RTP came since it was asked last, and comes for so long: PCMU sound, telephone-events that ended.
    pub fn heard(&self, for_so_long: Duration) -> (Vec<i16>, Vec<u8>) {
        let (mut samples, mut events, mut ended) = (Vec::new(), Vec::new(), None);
        let mut buffer = [0; 2_048];
        let deadline = Instant::now() + for_so_long;
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.rtp.set_read_timeout(Some(left)).unwrap();
            let Ok((length, _)) = self.rtp.recv_from(&mut buffer) else { continue };
            let Ok(packet) = Packet::parse(&buffer[..length]) else { continue };
            match (packet.payload_type.0, packet.payload) {
                (0, payload) => Law::Mu.expand(payload, &mut samples),
                (101, [event, flags, ..]) if flags & 0x80 != 0 && ended != Some(packet.timestamp) => {
                    ended = Some(packet.timestamp);
                    events.push(*event);
                }
                _ => {}
            }
        }
        (samples, events)
    }
}

/// Where a description wants its sound.
fn rtp_of(sdp: &[u8]) -> Option<SocketAddr> {
    let text = std::str::from_utf8(sdp).ok()?;
    let value = |start: &str| text.lines().find_map(|line| line.strip_prefix(start)).map(str::trim);
    let port = value("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some(SocketAddr::new(value("c=IN IP4 ")?.parse().ok()?, port))
}

/// Tag of an address.
pub fn tag_of(address: &str) -> String {
    NameAddr::parse(address).unwrap().tag().unwrap().to_owned()
}
