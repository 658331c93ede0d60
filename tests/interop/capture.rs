//! Captures of the loopback interface, and the RTP in capture files: read and written without other crates.

use crate::{audio::Law, process::Running};
use std::{fs, path::Path, process::Command, thread, time::Duration};
use tempfile::TempDir;

/// IPv4 and UDP header together.
const HEADERS: usize = 20 + 8;
/// RTP's own header.
const RTP_HEADER: usize = 12;
/// Samples in a packet of 20 ms.
const PACKET: usize = 160;

/// dumpcap on loopback. Needs root or its capabilities.
pub struct Capture {
    running: Running,
    folder: TempDir,
}

impl Capture {
    /// Captures UDP to and from a port until `finish`, at most a minute.
    pub fn of_port(port: u16) -> Self {
        let folder = TempDir::with_prefix("voxgw-capture-").expect("a temporary folder");
        let filter = format!("udp port {port}");
        let mut command = Command::new("dumpcap");
        command.args(["-i", "lo", "-P", "-q", "-w", "lo.pcap", "-a", "duration:60", "-f", &filter]);
        let mut running = Running::start("dumpcap", &mut command, folder.path());
        running.wait_for_word("File:", Duration::from_secs(5));
        // it says so a moment before it hears
        thread::sleep(Duration::from_millis(300));
        Self { running, folder }
    }

    /// Ends it and gives its RTP.
    pub fn finish(mut self) -> Vec<Packet> {
        // the last packets are with the kernel for a while
        thread::sleep(Duration::from_millis(500));
        self.running.terminate();
        let status = self.running.wait(Duration::from_secs(5));
        assert!(status.success(), "dumpcap ended with {status}\n{}", self.running.report());
        read_rtp(&self.folder.path().join("lo.pcap"))
    }
}

/// An RTP packet in a capture.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Seconds.
    pub time: f64,
    /// UDP port it came from.
    pub source: u16,
    /// UDP port it went to.
    pub destination: u16,
    /// 0 for PCMU, 8 for PCMA, 101 for digits.
    pub payload_type: u8,
    /// Number that grows by one.
    pub sequence: u16,
    /// Position in samples.
    pub timestamp: u32,
    /// Who speaks.
    pub ssrc: u32,
    /// Sound.
    pub payload: Vec<u8>,
}

/// Reads the RTP of a capture file, in the old format and little endian, as dumpcap and `SIPp` use it.
pub fn read_rtp(path: &Path) -> Vec<Packet> {
    let bytes = fs::read(path).unwrap_or_else(|problem| panic!("{} cannot be read: {problem}", path.display()));
    let unit = match bytes.get(..4) {
        Some([0xd4, 0xc3, 0xb2, 0xa1]) => 1e-6,
        Some([0x4d, 0x3c, 0xb2, 0xa1]) => 1e-9,
        other => panic!("{} is no capture: {other:02x?}", path.display()),
    };
    let link_header = match bytes.get(20) {
        Some(1) => 14,
        Some(101 | 228) => 0,
        Some(113) => 16,
        other => panic!("{} has link type {other:?}", path.display()),
    };
    let mut packets = Vec::new();
    let mut rest = &bytes[24..];
    while let Some((header, after)) = rest.split_at_checked(16) {
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let time = f64::from(word(0)) + f64::from(word(4)) * unit;
        let Some((frame, next)) = after.split_at_checked(word(8) as usize) else { break };
        packets.extend(frame.get(link_header..).and_then(|datagram| rtp_in(datagram, time)));
        rest = next;
    }
    packets
}

/// The RTP in a datagram, if it is IPv4 without options, UDP, RTP version 2 with a plain header, and not RTCP.
fn rtp_in(datagram: &[u8], time: f64) -> Option<Packet> {
    let short = |at: usize| Some(u16::from_be_bytes([*datagram.get(at)?, *datagram.get(at + 1)?]));
    let is_udp = *datagram.first()? == 0x45 && *datagram.get(9)? == 17;
    let length = usize::from(short(24)?).checked_sub(8)?;
    let rtp = datagram.get(HEADERS..HEADERS + length)?;
    let is_rtp = rtp.len() > RTP_HEADER && rtp[0] == 0x80 && !(192..224).contains(&rtp[1]);
    if !is_udp || !is_rtp {
        return None;
    }
    Some(Packet {
        time,
        source: short(20)?,
        destination: short(22)?,
        payload_type: rtp[1] & 0x7f,
        sequence: u16::from_be_bytes([rtp[2], rtp[3]]),
        timestamp: u32::from_be_bytes([rtp[4], rtp[5], rtp[6], rtp[7]]),
        ssrc: u32::from_be_bytes([rtp[8], rtp[9], rtp[10], rtp[11]]),
        payload: rtp[RTP_HEADER..].to_vec(),
    })
}

/// The sound of a stream, every packet where its timestamp says.
pub fn sound_of(packets: &[Packet], law: Law) -> Vec<f32> {
    let voiced: Vec<&Packet> = packets.iter().filter(|packet| packet.payload_type == law.payload_type()).collect();
    let Some(first) = voiced.first() else { return Vec::new() };
    let mut sound = Vec::new();
    for packet in &voiced {
        let start = packet.timestamp.wrapping_sub(first.timestamp) as usize;
        assert!(start < 10_000_000, "a timestamp jumps: {packet:?}");
        sound.resize(sound.len().max(start + packet.payload.len()), 0.0);
        for (place, &byte) in sound[start..].iter_mut().zip(&packet.payload) {
            *place = law.decode(byte);
        }
    }
    sound
}

/// Fails unless the packets are one stream in its order: one source, no number missing, timestamps in step, the
/// codec that was agreed on.
pub fn assert_one_stream(what: &str, packets: &[Packet], law: Law) {
    assert!(packets.len() > 50, "{what}: only {} packets", packets.len());
    for pair in packets.windows(2) {
        let [before, after] = pair else { continue };
        assert_eq!(before.ssrc, after.ssrc, "{what}: the source changes");
        assert_eq!(after.sequence, before.sequence.wrapping_add(1), "{what}: a packet is missing or out of order");
        let step = after.timestamp.wrapping_sub(before.timestamp);
        assert!(step > 0 && step % 80 == 0 && step < 1_000_000, "{what}: timestamp moves by {step}");
    }
    assert!(packets.iter().all(|packet| packet.payload_type == law.payload_type()), "{what}: not only {}", law.name());
    assert!(packets.iter().all(|packet| packet.payload.len() == PACKET), "{what}: packets are not all 20 ms");
}

/// Writes a capture of an RTP stream that `SIPp` can play: Ethernet, IPv4, UDP, 20 ms a packet.
pub fn write_rtp(path: &Path, payload: &[u8], law: Law) {
    let packets = payload.chunks_exact(PACKET).map(<[u8]>::to_vec);
    let first = u32::MAX - 8_000;
    let stamped = packets
        .zip(0_u32..)
        .map(|(part, n)| ((u8::from(n == 0) << 7) | law.payload_type(), n.wrapping_mul(160).wrapping_add(first), part));
    write_packets(path, stamped);
}

/// Writes a capture of somebody who says nothing in µ-law and presses keys, each at its millisecond for 160 ms, as
/// telephone-events (RFC 4733) of payload type 101.
pub fn write_keys(path: &Path, keys: &[(u32, char)], seconds: u32) {
    let mut packets = Vec::new();
    let mut n = 0;
    while n < seconds * 50 {
        let Some((at, key)) = keys.iter().find(|(at, _)| at / 20 == n) else {
            packets.push((u8::from(n == 0) << 7, n * 160, vec![0xff; PACKET]));
            n += 1;
            continue;
        };
        let event = "0123456789*#ABCD".find(*key).expect("a key") as u8;
        for step in 1..=10_u32 {
            // eight steps, and the end twice more
            let (end, duration) = (if step >= 8 { 0x80 } else { 0 }, (step.min(8) * 160) as u16);
            let [high, low] = duration.to_be_bytes();
            let marker = u8::from(step == 1) << 7;
            packets.push((marker + 101, at / 20 * 160, vec![event, end + 10, high, low]));
        }
        n += 10;
    }
    write_packets(path, packets.into_iter());
}

/// Marker with payload type, timestamp, payload of packets 20 ms apart.
fn write_packets(path: &Path, packets: impl Iterator<Item = (u8, u32, Vec<u8>)>) {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    file.extend_from_slice(&[0; 8]);
    file.extend_from_slice(&65_535_u32.to_le_bytes());
    file.extend_from_slice(&1_u32.to_le_bytes());
    for ((kind, timestamp, payload), index) in packets.zip(0_u32..) {
        let frame = frame_with(index, kind, timestamp, &payload);
        let length = u32::try_from(frame.len()).expect("a short frame");
        for word in [1_000 + index / 50, index % 50 * 20_000, length, length] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(&frame);
    }
    fs::write(path, file).expect("a capture can be written");
}

/// One frame of it.
fn frame_with(index: u32, kind: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let length = |below: usize| u16::try_from(below + RTP_HEADER + payload.len()).expect("a short packet");
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00];
    frame.extend_from_slice(&[0x45, 0]);
    frame.extend_from_slice(&length(28).to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0x40, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
    frame.extend_from_slice(&5_000_u16.to_be_bytes());
    frame.extend_from_slice(&5_002_u16.to_be_bytes());
    frame.extend_from_slice(&length(8).to_be_bytes());
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(&[0x80, kind]);
    frame.extend_from_slice(&(index as u16).wrapping_add(65_500).to_be_bytes());
    frame.extend_from_slice(&timestamp.to_be_bytes());
    frame.extend_from_slice(&0x5150_0001_u32.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}
