//! Captures: pcap and pcapng to UDP datagrams and SIP bytes on TCP, and back to pcap.
//!
//! Link layers: Ethernet with VLAN tags, Linux cooked v1 and v2, raw IP, BSD loopback. IPv4 and IPv6, fragments put
//! together, IP in IP. Over the crates `pcap-file` and `etherparse`. Bytes that are not understood are counted.

use crate::clock::Instant;
use etherparse::{EtherType, LaxSlicedPacket, SlicedPacket, TransportSlice, defrag::IpDefragPool, ip_number};
use pcap_file::{
    DataLink, TsResolution,
    pcap::PcapParser,
    pcapng::{Block, PcapNgParser, blocks::interface_description::InterfaceDescriptionOption},
};
use std::net::{IpAddr, SocketAddr};

/// What carried a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A UDP datagram.
    Udp,
    /// A segment of a TCP stream, in the order of capture.
    Tcp,
}

/// One payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// When, from the first packet of the capture.
    pub at: Instant,
    /// UDP or TCP.
    pub carrier: Carrier,
    /// From.
    pub source: SocketAddr,
    /// To.
    pub destination: SocketAddr,
    /// The bytes.
    pub payload: Vec<u8>,
}

/// A capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// Payloads in order of time.
    pub datagrams: Vec<Datagram>,
    /// Packets in the file.
    pub packets: u64,
    /// Packets that held nothing for us or could not be understood.
    pub skipped: u64,
    /// The file ends in the middle of a packet.
    pub truncated: bool,
    /// Wall clock of the first packet, nanoseconds since 1970.
    pub started_ns: u64,
}

impl Capture {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// Says what is wrong; no bytes can make it panic.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader::default();
        if bytes.len() < 24 {
            return Err("not a capture: too short".into());
        }
        if bytes[..4] == [0x0a, 0x0d, 0x0d, 0x0a] {
            reader.pcapng(bytes)?;
        } else {
            reader.pcap(bytes)?;
        }
        Ok(reader.finish())
    }
}

#[derive(Default)]
struct Reader {
    capture: Capture,
    /// Absolute nanoseconds beside each datagram.
    stamps: Vec<u64>,
    first_ns: Option<u64>,
    fragments: Option<IpDefragPool<(), ()>>,
}

impl Reader {
    fn pcap(&mut self, bytes: &[u8]) -> Result<(), String> {
        let (mut rest, parser) = PcapParser::new(bytes).map_err(|problem| format!("not a capture: {problem}"))?;
        let header = parser.header();
        let unit_ns = if header.ts_resolution == TsResolution::NanoSecond { 1 } else { 1_000 };
        while !rest.is_empty() {
            let Ok((after, packet)) = parser.next_raw_packet(rest) else {
                self.capture.truncated = true;
                return Ok(());
            };
            let at_ns = u64::from(packet.ts_sec) * 1_000_000_000 + u64::from(packet.ts_frac) * unit_ns;
            self.packet(at_ns, header.datalink, &packet.data);
            rest = after;
        }
        Ok(())
    }

    fn pcapng(&mut self, bytes: &[u8]) -> Result<(), String> {
        let (mut rest, mut parser) = PcapNgParser::new(bytes).map_err(|problem| format!("not a capture: {problem}"))?;
        while !rest.is_empty() {
            let Ok((after, block)) = parser.next_block(rest) else {
                self.capture.truncated = true;
                return Ok(());
            };
            match block {
                Block::EnhancedPacket(packet) => {
                    let interface = parser.packet_interface(&packet);
                    let link = interface.map_or(DataLink::ETHERNET, |interface| interface.linktype);
                    // The crate takes the raw count for nanoseconds; what it counts is the interface's to say.
                    let count = packet.timestamp.as_nanos();
                    let at_ns = nanoseconds(
                        count,
                        interface.map_or(6, |interface| {
                            interface
                                .options
                                .iter()
                                .find_map(|option| match option {
                                    InterfaceDescriptionOption::IfTsResol(resolution) => Some(*resolution),
                                    _ => None,
                                })
                                .unwrap_or(6)
                        }),
                    );
                    self.packet(at_ns, link, &packet.data);
                }
                Block::SimplePacket(packet) => {
                    let link = parser.interfaces().first().map_or(DataLink::ETHERNET, |interface| interface.linktype);
                    self.packet(self.first_ns.unwrap_or(0), link, &packet.data);
                }
                _ => {}
            }
            if after.len() >= rest.len() {
                return Ok(());
            }
            rest = after;
        }
        Ok(())
    }

    fn packet(&mut self, at_ns: u64, link: DataLink, data: &[u8]) {
        self.capture.packets += 1;
        self.first_ns.get_or_insert(at_ns);
        let before = self.stamps.len();
        match link {
            DataLink::ETHERNET if data.len() > 14 => {
                let kind = EtherType(u16::from_be_bytes([data[12], data[13]]));
                self.network(at_ns, kind, &data[14..], 0);
            }
            DataLink::LINUX_SLL if data.len() > 16 => {
                let kind = EtherType(u16::from_be_bytes([data[14], data[15]]));
                self.network(at_ns, kind, &data[16..], 0);
            }
            DataLink::LINUX_SLL2 if data.len() > 20 => {
                let kind = EtherType(u16::from_be_bytes([data[0], data[1]]));
                self.network(at_ns, kind, &data[20..], 0);
            }
            DataLink::NULL | DataLink::LOOP if data.len() > 4 => {
                self.ip(at_ns, &data[4..], 0);
            }
            // Raw IP has three more numbers, by system.
            DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 | DataLink::Unknown(12 | 14 | 101) => {
                self.ip(at_ns, data, 0);
            }
            _ => {}
        }
        if self.stamps.len() == before {
            self.capture.skipped += 1;
        }
    }

    fn ip(&mut self, at_ns: u64, data: &[u8], depth: u8) {
        match data.first().map(|byte| byte >> 4) {
            Some(4) => self.network(at_ns, EtherType::IPV4, data, depth),
            Some(6) => self.network(at_ns, EtherType::IPV6, data, depth),
            _ => {}
        }
    }

    /// From the network layer down; `depth` bounds IP in IP.
    fn network(&mut self, at_ns: u64, kind: EtherType, data: &[u8], depth: u8) {
        if depth > 4 {
            return;
        }
        let sliced = LaxSlicedPacket::from_ether_type(kind, data);
        let Some(payload) = sliced.ip_payload() else { return };
        let (source, destination) = match &sliced.net {
            Some(etherparse::LaxNetSlice::Ipv4(ip)) => {
                (IpAddr::V4(ip.header().source_addr()), IpAddr::V4(ip.header().destination_addr()))
            }
            Some(etherparse::LaxNetSlice::Ipv6(ip)) => {
                (IpAddr::V6(ip.header().source_addr()), IpAddr::V6(ip.header().destination_addr()))
            }
            _ => return,
        };
        if payload.fragmented {
            if let Some((number, whole)) = self.put_together(kind, data) {
                self.transport(at_ns, number, source, destination, &whole, depth);
            }
            return;
        }
        match &sliced.transport {
            Some(TransportSlice::Udp(udp)) => self.push(
                at_ns,
                Carrier::Udp,
                SocketAddr::new(source, udp.source_port()),
                SocketAddr::new(destination, udp.destination_port()),
                udp.payload(),
            ),
            Some(TransportSlice::Tcp(tcp)) => self.push(
                at_ns,
                Carrier::Tcp,
                SocketAddr::new(source, tcp.source_port()),
                SocketAddr::new(destination, tcp.destination_port()),
                tcp.payload(),
            ),
            _ => self.transport(at_ns, payload.ip_number.0, source, destination, payload.payload, depth),
        }
    }

    fn transport(&mut self, at_ns: u64, number: u8, source: IpAddr, destination: IpAddr, bytes: &[u8], depth: u8) {
        if number == ip_number::UDP.0 {
            if let [sh, sl, dh, dl, _, _, _, _, payload @ ..] = bytes {
                let port = |high: &u8, low: &u8| u16::from_be_bytes([*high, *low]);
                let (from, to) = (SocketAddr::new(source, port(sh, sl)), SocketAddr::new(destination, port(dh, dl)));
                self.push(at_ns, Carrier::Udp, from, to, payload);
            }
        } else if number == ip_number::IPV4.0 || number == ip_number::IPV6.0 {
            self.ip(at_ns, bytes, depth + 1);
        }
    }

    fn put_together(&mut self, kind: EtherType, data: &[u8]) -> Option<(u8, Vec<u8>)> {
        let strict = SlicedPacket::from_ether_type(kind, data).ok()?;
        let pool = self.fragments.get_or_insert_with(IpDefragPool::new);
        let whole = pool.process_sliced_packet(&strict, (), ()).ok()??;
        Some((whole.ip_number.0, whole.payload))
    }

    fn push(&mut self, at_ns: u64, carrier: Carrier, source: SocketAddr, destination: SocketAddr, payload: &[u8]) {
        if payload.is_empty() {
            return;
        }
        self.stamps.push(at_ns);
        self.capture.datagrams.push(Datagram {
            at: Instant::ZERO,
            carrier,
            source,
            destination,
            payload: payload.to_vec(),
        });
    }

    /// Times from the earliest packet on; order of time.
    fn finish(mut self) -> Capture {
        let start = self.stamps.iter().copied().chain(self.first_ns).min().unwrap_or(0);
        for (datagram, at_ns) in self.capture.datagrams.iter_mut().zip(&self.stamps) {
            datagram.at = Instant::from_nanos(at_ns - start);
        }
        self.capture.datagrams.sort_by_key(|datagram| datagram.at);
        self.capture.started_ns = start;
        self.capture
    }
}

/// pcapng §4.2, `if_tsresol`: a power of ten, or of two with the high bit set.
fn nanoseconds(count: u128, resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let nanos = if resolution & 0x80 == 0 {
        match exponent {
            0..=9 => count.saturating_mul(10_u128.pow(9 - exponent)),
            10..=28 => count / 10_u128.pow(exponent - 9),
            _ => 0,
        }
    } else {
        count.saturating_mul(1_000_000_000).checked_shr(exponent.min(127)).unwrap_or(0)
    };
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

/// Header of a pcap file with raw IP packets and nanosecond stamps.
#[must_use]
pub fn file_header() -> [u8; 24] {
    let mut header = [0; 24];
    header[..4].copy_from_slice(&0xa1b2_3c4d_u32.to_le_bytes());
    header[4..6].copy_from_slice(&2_u16.to_le_bytes());
    header[6..8].copy_from_slice(&4_u16.to_le_bytes());
    header[16..20].copy_from_slice(&262_144_u32.to_le_bytes());
    header[20..24].copy_from_slice(&101_u32.to_le_bytes());
    header
}

/// Appends one UDP datagram as a pcap record. SIP over TCP is written as UDP too, readable by any analyser.
pub fn write_record(out: &mut Vec<u8>, at_ns: u64, source: SocketAddr, destination: SocketAddr, payload: &[u8]) {
    let payload = &payload[..payload.len().min(65_000)];
    let mut packet = Vec::with_capacity(48 + payload.len());
    let builder = match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => etherparse::PacketBuilder::ipv4(from.octets(), to.octets(), 64),
        (from, to) => {
            let wide = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            etherparse::PacketBuilder::ipv6(wide(from), wide(to), 64)
        }
    };
    if builder.udp(source.port(), destination.port()).write(&mut packet, payload).is_err() {
        return;
    }
    let length = u32::try_from(packet.len()).unwrap_or(0);
    let seconds = u32::try_from(at_ns / 1_000_000_000).unwrap_or(u32::MAX);
    let nanos = u32::try_from(at_ns % 1_000_000_000).unwrap_or(0);
    for word in [seconds, nanos, length, length] {
        out.extend(word.to_le_bytes());
    }
    out.extend(packet);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = file_header().to_vec();
        let v4: (SocketAddr, SocketAddr) = ("192.0.2.1:4000".parse().unwrap(), "192.0.2.2:5000".parse().unwrap());
        let v6: (SocketAddr, SocketAddr) = ("[2001:db8::1]:1".parse().unwrap(), "[2001:db8::2]:2".parse().unwrap());
        write_record(&mut bytes, 1_000_000_000, v4.0, v4.1, b"one");
        write_record(&mut bytes, 1_020_000_001, v6.0, v6.1, b"two");
        let capture = Capture::read(&bytes).unwrap();
        assert_eq!((capture.packets, capture.skipped, capture.datagrams.len()), (2, 0, 2));
        assert_eq!(capture.datagrams[1].at, Instant::from_nanos(20_000_001));
        assert_eq!((capture.datagrams[1].source, &capture.datagrams[1].payload[..]), (v6.0, &b"two"[..]));
        let cut = Capture::read(&bytes[..bytes.len() - 2]).unwrap();
        assert!(cut.truncated && cut.datagrams.len() == 1);
    }

    #[test]
    fn resolutions_of_ten_and_two() {
        assert_eq!(nanoseconds(5, 6), 5_000);
        assert_eq!(nanoseconds(5, 9), 5);
        assert_eq!(nanoseconds(1 << 20, 0x94), 1_000_000_000);
        assert_eq!(nanoseconds(u128::MAX, 0), u64::MAX);
        assert_eq!(nanoseconds(5, 0x7f), 0);
    }

    #[test]
    fn nonsense_is_an_error() {
        assert!(Capture::read(b"").is_err() && Capture::read(&[7; 100]).is_err());
    }
}
