//! SIP messages: strict on structure, lenient on spelling (RFC 3261 §7, §25).
//!
//! Reads bytes within stated limits, unfolds lines, expands short names, splits the lists that matter. Writes
//! canonical text with a body that stays bytes. rsip's types serve for names and phrases; it never sees network
//! bytes (see docs/ARCHITECTURE.md).

use super::{
    header::{CSeq, LISTS, Via, long_name},
    method::{Method, reason_phrase},
    uri::{NameAddr, Uri, split_outside_quotes},
};
use std::fmt::Write as _;

/// A start line or header line may be so long, folded lines together.
pub const LINE_MAX: usize = 8 * 1024;
/// Header fields in one message.
pub const HEADERS_MAX: usize = 128;
/// A whole message.
pub const MESSAGE_MAX: usize = 64 * 1024;

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `INVITE sip:… SIP/2.0`
    Request(Request),
    /// `SIP/2.0 200 OK`
    Response(Response),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Request-URI as written.
    pub uri: String,
    /// Header fields in order.
    pub headers: Headers,
    /// Body, `Content-Length` bytes.
    pub body: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 100 to 699.
    pub status: u16,
    /// The phrase as written.
    pub reason: String,
    /// Header fields in order.
    pub headers: Headers,
    /// Body, `Content-Length` bytes.
    pub body: Vec<u8>,
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// A request that can be answered: with 400 and this reason, or another status.
    Answerable {
        /// What could be read of it.
        request: Box<Request>,
        /// 400, 413, 505, …
        status: u16,
        /// Put into the reason phrase.
        reason: &'static str,
    },
    /// Nothing to answer; counted and dropped.
    Drop(&'static str),
}

/// Header fields in order, names in their long form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first field called `name`, in any case.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All fields called `name`, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Appends a field. Line ends in `value` become spaces: nothing can smuggle in another header.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        let mut value = value.into();
        if value.contains(['\r', '\n']) {
            value = value.replace(['\r', '\n'], " ");
        }
        self.0.push((name.to_owned(), value));
    }

    /// Replaces the first field called `name`, or appends it.
    pub fn set_first(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.push(name, value),
        }
    }

    /// Puts a field before all others.
    pub fn push_front(&mut self, name: &str, value: String) {
        self.0.insert(0, (name.to_owned(), value));
    }

    /// Removes all fields called `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn via(&self) -> Result<Via, &'static str> {
        Via::parse(self.first("Via").ok_or("no Via")?)
    }

    /// `CSeq`.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn cseq(&self) -> Result<CSeq, &'static str> {
        CSeq::parse(self.first("CSeq").ok_or("no CSeq")?)
    }

    /// From.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn from(&self) -> Result<NameAddr, &'static str> {
        NameAddr::parse(self.first("From").ok_or("no From")?)
    }

    /// To.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn to(&self) -> Result<NameAddr, &'static str> {
        NameAddr::parse(self.first("To").ok_or("no To")?)
    }

    /// Call-ID, or nothing.
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.first("Call-ID").unwrap_or_default()
    }

    /// The first Contact that is an address.
    #[must_use]
    pub fn contact(&self) -> Option<NameAddr> {
        self.first("Contact").and_then(|contact| NameAddr::parse(contact).ok())
    }
}

impl Message {
    /// Reads one whole message: a datagram, or what [`super::stream`] cut out of a connection.
    ///
    /// # Errors
    /// Says whether and how it can be answered.
    pub fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        if bytes.len() > MESSAGE_MAX {
            return Err(Invalid::Drop("message too long"));
        }
        let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
        let bytes = &bytes[start..];
        if bytes.is_empty() {
            return Err(Invalid::Drop("keep-alive"));
        }
        let (head, rest) = split_head(bytes).unwrap_or((bytes, &[]));
        let unfinished = head.len() == bytes.len();
        let head = std::str::from_utf8(head).map_err(|_| Invalid::Drop("headers are not UTF-8"))?;
        let mut lines = unfold(head);
        let start_line = lines.next().unwrap_or_default();
        let mut headers = Headers::default();
        let mut problem = read_headers(lines, &mut headers);
        problem = problem.or_else(|| unfinished.then_some("no end of headers"));
        let body = read_body(&headers, rest, &mut problem);
        if let Some(response) = start_line.strip_prefix("SIP/2.0 ") {
            let (status, reason) = response.split_once(' ').unwrap_or((response, ""));
            let status = status.parse().ok().filter(|status| (100..700).contains(status));
            let status = status.ok_or(Invalid::Drop("bad status line"))?;
            if let Some(problem) = problem.or_else(|| missing(&headers).err()) {
                return Err(Invalid::Drop(problem));
            }
            return Ok(Self::Response(Response { status, reason: reason.trim().to_owned(), headers, body }));
        }
        request(&start_line, headers, body, problem)
    }

    /// Header fields of either.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

fn request(
    start_line: &str,
    headers: Headers,
    body: Vec<u8>,
    mut problem: Option<&'static str>,
) -> Result<Message, Invalid> {
    let mut words = start_line.split(' ');
    let (Some(method), Some(uri), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Err(Invalid::Drop("no start line"));
    };
    let good_token =
        !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte));
    if !good_token || !version.to_ascii_uppercase().starts_with("SIP/") && words.clone().count() == 0 {
        return Err(Invalid::Drop("not SIP"));
    }
    let mut status = 400;
    if words.next().is_some() {
        problem = problem.or(Some("extra words in the request line"));
    } else if !version.eq_ignore_ascii_case("SIP/2.0") {
        problem = problem.or(Some("version not supported"));
        status = 505;
    }
    let request = Request { method: Method::from_token(method), uri: uri.to_owned(), headers, body };
    let problem = problem
        .or_else(|| missing(&request.headers).err())
        .or_else(|| match Uri::parse(uri) {
            Err(_) => Some("bad Request-URI"),
            // RFC 3261 §19.1.1, table 1: a Request-URI has none.
            Ok(uri) => (!uri.headers.is_empty()).then_some("headers in the Request-URI"),
        })
        .or_else(|| {
            let bad = |contact: &str| contact.trim() != "*" && NameAddr::parse(contact).is_err();
            request.headers.all("Contact").any(bad).then_some("bad Contact")
        })
        .or_else(|| {
            let other = |via: &str| !Via::parse(via).is_ok_and(|via| via.version == "2.0");
            request.headers.all("Via").any(other).then_some("bad Via")
        })
        .or_else(|| {
            let agrees = request.headers.cseq().is_ok_and(|cseq| cseq.method == request.method);
            (!agrees).then_some("CSeq method does not match")
        });
    match problem {
        None => Ok(Message::Request(request)),
        // ACK is never answered; without these a response would find nobody.
        Some(_) if request.method == Method::Ack || request.headers.via().is_err() => {
            Err(Invalid::Drop(problem.unwrap_or("bad ACK")))
        }
        Some(reason) => Err(Invalid::Answerable { request: Box::new(request), status, reason }),
    }
}

/// What every message must have (RFC 3261 §8.1.1).
fn missing(headers: &Headers) -> Result<(), &'static str> {
    headers.via()?;
    headers.cseq()?;
    headers.from()?;
    headers.to()?;
    if headers.call_id().is_empty() {
        return Err("no Call-ID");
    }
    for single in ["CSeq", "From", "To", "Call-ID", "Max-Forwards", "Content-Length"] {
        let mut values = headers.all(single);
        if let Some(first) = values.next()
            && values.any(|other| other != first)
        {
            return Err("a single header came twice");
        }
    }
    Ok(())
}

fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        return Some((&bytes[..at], &bytes[at + 4..]));
    }
    // Bare line feeds are against the grammar, but hand-written messages have them.
    let at = bytes.windows(2).position(|two| two == b"\n\n")?;
    Some((&bytes[..at], &bytes[at + 2..]))
}

/// Logical lines: a line that starts with white space continues the one before (§7.3.1).
fn unfold(head: &str) -> impl Iterator<Item = String> + '_ {
    let mut lines = head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).peekable();
    std::iter::from_fn(move || {
        let mut line = lines.next()?.to_owned();
        while let Some(more) = lines.next_if(|next| next.starts_with([' ', '\t'])) {
            line.push(' ');
            line.push_str(more.trim());
        }
        Some(line)
    })
}

fn read_headers(lines: impl Iterator<Item = String>, headers: &mut Headers) -> Option<&'static str> {
    let mut problem = None;
    for line in lines {
        if line.len() > LINE_MAX {
            problem = problem.or(Some("header too long"));
            continue;
        }
        let Some((name, value)) = line.split_once(':') else {
            problem = problem.or(Some("header without colon"));
            continue;
        };
        let name = long_name(name.trim());
        let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        if !good {
            problem = problem.or(Some("bad header name"));
            continue;
        }
        let value = value.trim();
        let canonical = LISTS.iter().find(|list| list.eq_ignore_ascii_case(name));
        let parts = if canonical.is_some() { split_outside_quotes(value, ',') } else { vec![value] };
        for part in parts {
            if headers.len() == HEADERS_MAX {
                return problem.or(Some("too many headers"));
            }
            headers.0.push((canonical.map_or(name, |list| list).to_owned(), part.trim().to_owned()));
        }
    }
    problem
}

fn read_body(headers: &Headers, rest: &[u8], problem: &mut Option<&'static str>) -> Vec<u8> {
    let Some(length) = headers.first("Content-Length") else {
        return rest.to_vec();
    };
    match length.trim().parse::<usize>() {
        // Surplus bytes of a datagram are discarded (§18.3).
        Ok(length) if length <= rest.len() => rest[..length].to_vec(),
        Ok(_) => {
            *problem = problem.or(Some("body shorter than Content-Length"));
            Vec::new()
        }
        Err(_) => {
            *problem = problem.or(Some("bad Content-Length"));
            Vec::new()
        }
    }
}

impl Request {
    /// The bytes on the wire; `Content-Length` is made.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        write(&format!("{} {} SIP/2.0", self.method, self.uri), &self.headers, &self.body)
    }

    /// A response to this with the headers that every response copies (§8.2.6.2), and no To tag of its own.
    #[must_use]
    pub fn response(&self, status: u16) -> Response {
        let mut headers = Headers::default();
        for via in self.headers.all("Via") {
            headers.push("Via", via);
        }
        for name in ["From", "To", "Call-ID", "CSeq"] {
            if let Some(value) = self.headers.first(name) {
                headers.push(name, value);
            }
        }
        Response { status, reason: reason_phrase(status), headers, body: Vec::new() }
    }

    /// The plain text, if the body is one, holds one, or says nothing of its type.
    #[must_use]
    pub fn plain_text(&self) -> Option<&[u8]> {
        if self.headers.first("Content-Type").is_none() {
            return Some(&self.body);
        }
        part_of(&self.headers, &self.body, "text/")
    }

    /// The session description, if the body is one or holds one.
    #[must_use]
    pub fn sdp(&self) -> Option<&[u8]> {
        part_of(&self.headers, &self.body, "application/sdp")
    }
}

impl Response {
    /// The bytes on the wire; `Content-Length` is made.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        write(&format!("SIP/2.0 {} {}", self.status, self.reason), &self.headers, &self.body)
    }

    /// The session description, if the body is one or holds one.
    #[must_use]
    pub fn sdp(&self) -> Option<&[u8]> {
        part_of(&self.headers, &self.body, "application/sdp")
    }
}

fn write(start_line: &str, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let mut text = String::with_capacity(512 + body.len());
    let _ = write!(text, "{}\r\n", start_line.replace(['\r', '\n'], " "));
    for (name, value) in headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("Content-Length")) {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    let _ = write!(text, "Content-Length: {}\r\n\r\n", body.len());
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The part of a body that is of the `wanted` type: all of it, or one inside a multipart (RFC 5621 §3).
fn part_of<'a>(headers: &Headers, body: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    if body.is_empty() {
        return None;
    }
    let content_type = headers.first("Content-Type")?.trim().to_ascii_lowercase();
    if content_type.starts_with(wanted) {
        return Some(body);
    }
    if !content_type.starts_with("multipart/") {
        return None;
    }
    let original = headers.first("Content-Type")?;
    let at = content_type.find("boundary=")? + "boundary=".len();
    let boundary = original.get(at..)?.split(';').next()?.trim().trim_matches('"');
    if boundary.is_empty() {
        return None;
    }
    let delimiter = format!("--{boundary}");
    let mut rest = body;
    while let Some(at) = find(rest, delimiter.as_bytes()) {
        rest = &rest[at + delimiter.len()..];
        let part = find(rest, delimiter.as_bytes()).map_or(rest, |end| &rest[..end]);
        if let Some((head, content)) = split_head(part)
            && String::from_utf8_lossy(head).to_ascii_lowercase().contains(wanted)
        {
            return Some(content);
        }
    }
    None
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:support@example.org SIP/2.0\r\n\
        v: SIP/2.0/UDP a.example.org;branch=z9hG4bK1, SIP/2.0/TCP b.example.org;branch=z9hG4bK2\r\n\
        f: \"Caller\" <sip:+4930@example.org>;tag=1\r\nt : <sip:support@example.org>\r\ni: x@y\r\n\
        CSeq: 1\r\n INVITE\r\nm: <sip:a,b@192.0.2.1>, <sip:c@192.0.2.1>\r\nc: application/sdp\r\nl: 3\r\n\r\nv=0 and more";

    fn parse(text: &str) -> Result<Message, Invalid> {
        Message::parse(text.as_bytes())
    }

    #[test]
    fn short_names_folds_lists_and_surplus_bytes() {
        let Ok(Message::Request(request)) = parse(INVITE) else { panic!("{:?}", parse(INVITE)) };
        assert_eq!(request.headers.all("Via").count(), 2);
        assert_eq!(request.headers.all("contact").count(), 2);
        assert_eq!(request.headers.cseq().unwrap().method, Method::Invite);
        assert_eq!(request.sdp(), Some(&b"v=0"[..]));
        let Ok(Message::Request(again)) = Message::parse(&request.to_bytes()) else { panic!() };
        assert_eq!(again.headers.all("Via").count(), 2);
        assert_eq!(again.body, request.body);
    }

    #[test]
    fn broken_requests_are_answered_and_nonsense_is_dropped() {
        let without_from = INVITE.replace("f: \"Caller\" <sip:+4930@example.org>;tag=1\r\n", "");
        assert!(matches!(parse(&without_from), Err(Invalid::Answerable { status: 400, reason: "no From", .. })));
        let newer = INVITE.replace("org SIP/2.0", "org SIP/7.0");
        assert!(matches!(parse(&newer), Err(Invalid::Answerable { status: 505, .. })));
        let short = INVITE.replace("l: 3", "l: 300");
        assert!(matches!(parse(&short), Err(Invalid::Answerable { status: 400, .. })));
        for nonsense in ["", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\0\0\0\0", "SIP/2.0 99 X\r\n\r\n", "INVITE\r\n\r\n"]
        {
            assert!(matches!(parse(nonsense), Err(Invalid::Drop(_))), "{nonsense:?}");
        }
    }

    #[test]
    fn limits_hold() {
        let many = INVITE.replace("i: x@y\r\n", &format!("i: x@y\r\n{}", "X: 1\r\n".repeat(200)));
        assert!(matches!(parse(&many), Err(Invalid::Answerable { reason: "too many headers", .. })));
        let long = INVITE.replace("i: x@y\r\n", &format!("i: x@y\r\nX: {}\r\n", "a".repeat(LINE_MAX)));
        assert!(matches!(parse(&long), Err(Invalid::Answerable { reason: "header too long", .. })));
        assert!(matches!(Message::parse(&vec![b'a'; MESSAGE_MAX + 1]), Err(Invalid::Drop(_))));
    }

    #[test]
    fn a_description_inside_a_multipart_is_found() {
        let body =
            "--b1\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b1--";
        let mut headers = Headers::default();
        headers.push("Content-Type", "multipart/mixed;boundary=\"b1\"");
        assert_eq!(part_of(&headers, body.as_bytes(), "application/sdp"), Some(&b"v=0\r\n"[..]));
    }

    #[test]
    fn nothing_can_smuggle_in_a_header() {
        let mut headers = Headers::default();
        headers.push("Subject", "a\r\nEvil: 1");
        let bytes = Response { status: 200, reason: "OK\r\nX: 1".into(), headers, body: vec![] }.to_bytes();
        assert_eq!(String::from_utf8(bytes).unwrap().lines().count(), 4);
    }
}
