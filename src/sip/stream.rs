//! Cuts a byte stream into messages (RFC 3261 §18.3): headers to the empty line, then `Content-Length` bytes.

use super::message::MESSAGE_MAX;

/// The first byte of a client that wants TLS; no message begins with it, and without an answer it would wait.
const TLS_HANDSHAKE: u8 = 0x16;

/// One connection's bytes on their way to messages.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// So much of it holds no end of headers.
    searched: usize,
}

/// What is at the front of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Cut {
    /// A whole message.
    Message(Vec<u8>),
    /// An empty line pair: the other side pings; answer with one empty line (RFC 5626 §3.5.1).
    Ping,
    /// Not complete yet.
    More,
    /// The stream cannot be understood any more: close it.
    Broken(&'static str),
}

impl Framer {
    /// Takes in what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that wait.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// Takes out a pong, if that is what waits.
    pub fn take_pong(&mut self) -> bool {
        let pong = self.buffer == b"\r\n";
        if pong {
            self.buffer.clear();
            self.searched = 0;
        }
        pong
    }

    /// Only line ends wait: half a ping.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        !self.buffer.is_empty() && self.buffer.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    /// The next thing in the stream.
    pub fn cut(&mut self) -> Cut {
        if self.buffer.first() == Some(&TLS_HANDSHAKE) {
            return Cut::Broken("this is TLS, and plain TCP is spoken here");
        }
        if self.buffer.starts_with(b"\r\n\r\n") {
            self.searched = 0;
            self.buffer.drain(..4);
            return Cut::Ping;
        }
        // A lone line end between messages says nothing; two of them may still become a ping.
        if self.buffer.starts_with(b"\r\n") && self.buffer.len() > 2 && !b"\r\n\r\n".starts_with(&self.buffer[..]) {
            self.searched = 0;
            self.buffer.drain(..2);
        }
        // A sender of single bytes must not make us read everything again for each.
        let from = self.searched.saturating_sub(3).min(self.buffer.len());
        let found = self.buffer[from..].windows(4).position(|four| four == b"\r\n\r\n");
        let Some(end) = found.map(|at| from + at) else {
            self.searched = self.buffer.len();
            return if self.buffer.len() > MESSAGE_MAX { Cut::Broken("headers without end") } else { Cut::More };
        };
        let length = match content_length(&self.buffer[..end]) {
            Ok(length) => length,
            Err(problem) => return Cut::Broken(problem),
        };
        if length > MESSAGE_MAX || end + 4 + length > MESSAGE_MAX {
            return Cut::Broken("message too long");
        }
        let total = end + 4 + length;
        if self.buffer.len() < total {
            self.searched = end;
            return Cut::More;
        }
        self.searched = 0;
        let rest = self.buffer.split_off(total);
        Cut::Message(std::mem::replace(&mut self.buffer, rest))
    }
}

/// `Content-Length` is mandatory on a stream; one that lies or comes twice ends it.
fn content_length(head: &[u8]) -> Result<usize, &'static str> {
    let mut found = None;
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = line[..colon].trim_ascii();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let value = std::str::from_utf8(line[colon + 1..].trim_ascii()).map_err(|_| "bad Content-Length")?;
        let value: usize = value.parse().map_err(|_| "bad Content-Length")?;
        if found.is_some_and(|known| known != value) {
            return Err("two different Content-Lengths");
        }
        found = Some(value);
    }
    found.ok_or("no Content-Length")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabc";

    #[test]
    fn messages_are_cut_whatever_the_pieces() {
        let stream: Vec<u8> = [b"\r\n\r\n", ONE, b"\r\n", ONE].concat();
        for size in 1..stream.len() {
            let mut framer = Framer::default();
            let mut cuts = Vec::new();
            for piece in stream.chunks(size) {
                framer.push(piece);
                loop {
                    match framer.cut() {
                        Cut::More => break,
                        cut => cuts.push(cut),
                    }
                }
            }
            let messages = cuts.iter().filter(|cut| **cut == Cut::Message(ONE.to_vec())).count();
            assert_eq!(messages, 2, "pieces of {size}: {cuts:?}");
        }
    }

    #[test]
    fn lies_end_the_stream() {
        // Found by fuzzing: 2⁶⁴ − 1.
        const OVERFLOWS: &str = "l:\r    00018446744073709551615";
        for bad in ["l: 5\r\nContent-Length: 6", "Content-Length: -1", "Content-Length: 99999999", "X: 1", OVERFLOWS] {
            let mut framer = Framer::default();
            framer.push(format!("OPTIONS sip:a SIP/2.0\r\n{bad}\r\n\r\n").as_bytes());
            assert!(matches!(framer.cut(), Cut::Broken(_)), "{bad}");
        }
        let mut tls = Framer::default();
        tls.push(&[0x16, 3, 1]);
        assert!(matches!(tls.cut(), Cut::Broken(_)));
        let mut endless = Framer::default();
        endless.push(&vec![b'a'; MESSAGE_MAX + 1]);
        assert!(matches!(endless.cut(), Cut::Broken(_)));
    }
}
