//! A DNS server on loopback with a zone written as text, and peers that answer SIP with one word.
#![allow(dead_code, reason = "each test uses a part")]

use hickory_proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{
        Name, RData, Record,
        rdata::{A, NAPTR, SOA, SRV},
    },
};
use std::{
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// A server with one zone, `.test`.
pub struct Zone {
    /// Where it is asked.
    pub address: SocketAddr,
    records: Arc<Mutex<Vec<Record>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

fn name(text: &str) -> Name {
    let mut name = Name::from_utf8(text).expect("a name");
    name.set_fqdn(true);
    name
}

/// `NAME TTL KIND DATA…`, as in a zone file.
fn record(line: &str) -> Record {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |at: usize| words[at].parse::<u16>().expect("a number");
    let bytes = |at: usize| words[at].as_bytes().into();
    let data = match words[2] {
        "A" => RData::A(A(words[3].parse().expect("an address"))),
        "SRV" => RData::SRV(SRV::new(number(3), number(4), number(5), name(words[6]))),
        "NAPTR" => RData::NAPTR(NAPTR::new(number(3), number(4), bytes(5), bytes(6), [].into(), name(words[7]))),
        other => panic!("{other} records are not known here"),
    };
    Record::from_rdata(name(words[0]), words[1].parse().expect("a TTL"), data)
}

impl Zone {
    /// Serves these records, one a line.
    pub fn serve(text: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let address = socket.local_addr().expect("its address");
        let (records, asked) = (Arc::default(), Arc::default());
        let zone = Self { address, records, asked };
        zone.set(text);
        let (records, asked) = (Arc::clone(&zone.records), Arc::clone(&zone.asked));
        thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
                let (records, mut asked) = (records.lock().expect("no panic"), asked.lock().expect("no panic"));
                let answer = answer(&question, &records, &mut asked);
                let _ = socket.send_to(&answer.to_vec().expect("an answer"), from);
            }
        });
        zone
    }

    /// Other records from now on.
    pub fn set(&self, text: &str) {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        *self.records.lock().expect("no panic") = lines.map(record).collect();
    }

    /// How often it was asked this, like `NAPTR gw.test`.
    pub fn asked(&self, question: &str) -> usize {
        self.asked.lock().expect("no panic").iter().filter(|known| *known == question).count()
    }

    /// The config that asks it.
    pub fn config(&self) -> String {
        format!("[sip]\ndns = [\"{}\"]\n", self.address)
    }
}

fn answer(question: &Message, records: &[Record], asked: &mut Vec<String>) -> Message {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.authoritative = true;
    for query in &question.queries {
        asked.push(format!("{} {}", query.query_type(), query.name().to_utf8().to_lowercase().trim_end_matches('.')));
        answer.add_query(query.clone());
        let same = |record: &&Record| record.name.to_utf8().eq_ignore_ascii_case(&query.name().to_utf8());
        let known: Vec<&Record> = records.iter().filter(same).collect();
        if known.is_empty() {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        let fitting = known.into_iter().filter(|record| record.record_type() == query.query_type());
        answer.add_answers(fitting.cloned().collect::<Vec<_>>());
        if answer.answers.is_empty() {
            let soa = SOA::new(name("test"), name("test"), 1, 60, 60, 60, 1);
            answer.add_authority(Record::from_rdata(name("test"), 1, RData::SOA(soa)));
        }
    }
    answer
}

/// Somebody who answers each INVITE and OPTIONS with one status over UDP, or with silence.
pub struct Peer {
    /// Its port on 127.0.0.1.
    pub port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    /// Says `status`, like `503 Service Unavailable`, with more header lines; an empty one is silence.
    pub fn saying(status: &str, headers: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("its address").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (into, status, more) = (Arc::clone(&heard), status.to_owned(), headers.to_owned());
        thread::spawn(move || {
            let mut buffer = vec![0; 65_535];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
                into.lock().expect("no panic").push(request.clone());
                if status.is_empty() || request.starts_with("ACK") || !request.contains("SIP/2.0") {
                    continue;
                }
                let copied = request
                    .lines()
                    .take_while(|line| !line.is_empty())
                    .filter(|line| ["Via:", "From:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name)));
                let copied: Vec<&str> = copied.collect();
                let to = request.lines().find(|line| line.starts_with("To:")).unwrap_or_default();
                let answer = format!(
                    "SIP/2.0 {status}\r\n{}\r\n{to};tag=peer\r\n{more}Content-Length: 0\r\n\r\n",
                    copied.join("\r\n")
                );
                let _ = socket.send_to(answer.as_bytes(), from);
            }
        });
        Self { port, heard }
    }

    /// The requests of a method that came, with what they said.
    pub fn heard(&self, method: &str) -> Vec<String> {
        let heard = self.heard.lock().expect("no panic");
        heard.iter().filter(|request| request.starts_with(method)).cloned().collect()
    }
}

/// A UDP port that nobody listens on.
pub fn closed_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("its address").port()
}

/// Gives others a moment.
pub fn pause(span: Duration) {
    thread::sleep(span);
}
