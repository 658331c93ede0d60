//! RTP ports: an even one for RTP and the next for RTCP, bound together, counted.

use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    ops::RangeInclusive,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The pool. Clones share it.
#[derive(Clone, Debug)]
pub struct Ports {
    range: RangeInclusive<u16>,
    /// Where the search goes on: freshly closed ports rest as long as possible, late packets find nobody.
    next: Arc<Mutex<u16>>,
    used: Arc<AtomicUsize>,
}

/// Two bound sockets; the pair goes back when this is dropped.
#[derive(Debug)]
pub struct PortPair {
    /// Even port.
    pub rtp: UdpSocket,
    /// The next one.
    pub rtcp: UdpSocket,
    /// Held for as long as the ports are in use.
    pub lease: Lease,
}

/// Counts the pair as used until it is dropped.
#[derive(Debug)]
pub struct Lease(Arc<AtomicUsize>);

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ports {
    /// A pool over `range`.
    #[must_use]
    pub fn new(range: RangeInclusive<u16>) -> Self {
        let first = range.start() + range.start() % 2;
        Self { range, next: Arc::new(Mutex::new(first)), used: Arc::new(AtomicUsize::new(0)) }
    }

    /// Pairs in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Pairs in the range.
    #[must_use]
    pub fn capacity(&self) -> usize {
        usize::from(self.range.end() - self.range.start()).div_ceil(2)
    }

    /// Binds the next free pair on `ip`. Ports that others hold are passed over.
    ///
    /// # Errors
    /// Says that all ports of the range are taken.
    pub fn bind(&self, ip: IpAddr) -> Result<PortPair, String> {
        let mut next = self.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for _ in 0..self.capacity() {
            let port = *next;
            let following =
                port.checked_add(2).filter(|port| port.checked_add(1).is_some_and(|odd| odd <= *self.range.end()));
            *next = following.unwrap_or(self.range.start() + self.range.start() % 2);
            match bind(ip, port).and_then(|rtp| Ok((rtp, bind(ip, port.saturating_add(1))?))) {
                Ok((rtp, rtcp)) => {
                    self.used.fetch_add(1, Ordering::Relaxed);
                    return Ok(PortPair { rtp, rtcp, lease: Lease(Arc::clone(&self.used)) });
                }
                // No other port would do better.
                Err(problem) if FILES_EXHAUSTED.contains(&problem.raw_os_error()) => {
                    return Err(format!("{problem}; raise the limit of open files (ulimit -n, LimitNOFILE=)"));
                }
                Err(_) => {}
            }
        }
        Err(format!("all RTP ports from {} to {} are taken", self.range.start(), self.range.end()))
    }
}

/// `ENFILE`, `EMFILE`: this program or the system has too many files open.
const FILES_EXHAUSTED: [Option<i32>; 2] = [Some(nix::libc::ENFILE), Some(nix::libc::EMFILE)];

fn bind(ip: IpAddr, port: u16) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(SocketAddr::new(ip, port))?;
    socket.set_nonblocking(true)?;
    // Expedited forwarding (RFC 4594 §4.1); not permitted everywhere, so its failure is no failure.
    if ip.is_ipv4() {
        let _ = socket2::SockRef::from(&socket).set_tos_v4(0xb8);
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_even_odd_distinct_and_come_back() {
        let ports = Ports::new(23_401..=23_406);
        let ip = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(ports.capacity(), 3);
        let first = ports.bind(ip).unwrap();
        let second = ports.bind(ip).unwrap();
        let (a, b) = (first.rtp.local_addr().unwrap().port(), second.rtp.local_addr().unwrap().port());
        assert!(a % 2 == 0 && b % 2 == 0 && a != b);
        assert_eq!(first.rtcp.local_addr().unwrap().port(), a + 1);
        assert_eq!(ports.used(), 2);
        assert!(ports.bind(ip).is_err(), "23406 has no odd partner");
        drop(first);
        assert_eq!(ports.used(), 1);
        ports.bind(ip).unwrap();
    }
}
