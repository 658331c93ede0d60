//! Sockets: bytes with where they came from and which of our addresses they reached.
//!
//! Owns UDP, TCP, TLS and WebSocket for SIP, and the pool of RTP ports. Knows nothing of what the bytes mean but where a
//! stream's messages end. Called by `gateway`.

pub mod connections;
pub mod crowd;
pub mod http;
mod keep;
pub mod ports;
pub mod resolve;
pub mod stream;
pub mod tcp;
pub mod tls;
pub mod udp;
mod ws;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The address of ours that packets to `remote` leave from; no packet is sent.
#[must_use]
pub fn local_ip_towards(remote: IpAddr) -> IpAddr {
    let unspecified =
        if remote.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let probe = std::net::UdpSocket::bind(SocketAddr::new(unspecified, 0)).and_then(|socket| {
        socket.connect(SocketAddr::new(remote, 9))?;
        socket.local_addr()
    });
    probe.map_or(unspecified, |address| address.ip())
}
