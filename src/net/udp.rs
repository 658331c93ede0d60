//! SIP over UDP: one socket per listening address.

use super::local_ip_towards;
use crate::{
    config::Listen,
    error::{Error, Result},
    sip::{
        message::MESSAGE_MAX,
        tx::{Path, Transport},
    },
};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::{net::UdpSocket, sync::mpsc};

/// What a socket hands on.
#[derive(Debug)]
pub struct Received {
    /// How it came and how to answer.
    pub path: Path,
    /// One message.
    pub bytes: Vec<u8>,
}

/// Binds a SIP socket.
///
/// # Errors
/// Names the address and what to do about a busy port.
pub fn bind(listen: Listen) -> Result<Arc<UdpSocket>> {
    let socket = bound(listen.address, socket2::Type::DGRAM)
        .and_then(|socket| UdpSocket::from_std(socket.into()))
        .map_err(|source| busy(listen, &source))?;
    let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
    Ok(Arc::new(socket))
}

/// Sends a datagram now. What the socket says first may be of an earlier datagram to somebody else, as [`refusals`] asks
/// for; this one has not gone then.
///
/// # Errors
/// It cannot go out.
pub fn send(socket: &UdpSocket, bytes: &[u8], remote: SocketAddr) -> std::io::Result<()> {
    let mut sent = socket.try_send_to(bytes, remote);
    for _ in 0..3 {
        match &sent {
            Err(problem) if problem.kind() == std::io::ErrorKind::ConnectionRefused => {
                sent = socket.try_send_to(bytes, remote);
            }
            _ => break,
        }
    }
    sent.map(|_| ())
}

/// Tells of datagrams that could not be delivered, as ICMP says: host, network, port or protocol unreachable (RFC 3261
/// §18.4). Ends with the receiver. On Linux only; elsewhere nobody is told, and silence is what is noticed.
#[cfg(target_os = "linux")]
pub async fn refusals(socket: Arc<UdpSocket>, to: mpsc::Sender<super::stream::Event>) {
    use nix::{
        errno::Errno,
        sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt},
    };
    use std::{io::IoSliceMut, os::fd::AsRawFd as _};

    let asked = match socket.local_addr() {
        Ok(bound) if bound.is_ipv4() => setsockopt(&*socket, sockopt::Ipv4RecvErr, &true),
        _ => setsockopt(&*socket, sockopt::Ipv6RecvErr, &true),
    };
    if let Err(problem) = asked {
        tracing::debug!(target: "sip", event = "sip.no_icmp", "{problem}");
        return;
    }
    let read = || -> std::io::Result<Option<(SocketAddr, std::io::Error)>> {
        // What comes back of the datagram says nothing that its address does not.
        let (mut bytes, mut control) = ([0; 64], nix::cmsg_space!([u8; 64], [u8; 64]));
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
        let errno = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                i32::try_from(error.ee_errno).ok()
            }
            _ => None,
        });
        let remote = message.address.and_then(|address| {
            let four = address.as_sockaddr_in().map(|four| SocketAddr::new(four.ip().into(), four.port()));
            four.or_else(|| address.as_sockaddr_in6().map(|six| SocketAddr::new(six.ip().into(), six.port())))
        });
        let fatal = [Errno::ECONNREFUSED, Errno::EHOSTUNREACH, Errno::ENETUNREACH, Errno::ENOPROTOOPT];
        let errno = errno.filter(|errno| fatal.contains(&Errno::from_raw(*errno)));
        Ok(remote.zip(errno.map(std::io::Error::from_raw_os_error)))
    };
    loop {
        match socket.async_io(tokio::io::Interest::ERROR, read).await {
            Ok(Some((remote, problem))) => {
                let why = format!("udp {remote}: {problem}");
                // Full: the far end is silent then, which is noticed too.
                if let Err(mpsc::error::TrySendError::Closed(_)) =
                    to.try_send(super::stream::Event::Undelivered { remote, why })
                {
                    return;
                }
            }
            Ok(None) => {}
            Err(_) => tokio::task::yield_now().await,
        }
        if to.is_closed() {
            return;
        }
    }
}

/// Nothing is known of what ICMP says here.
#[cfg(not(target_os = "linux"))]
pub async fn refusals(_: Arc<UdpSocket>, _: mpsc::Sender<super::stream::Event>) {}

/// A bound socket for the runtime. IPv6 is IPv6 only: both families may have the same port, and an IPv4 caller is not
/// shown as a mapped address.
pub(super) fn bound(address: SocketAddr, kind: socket2::Type) -> std::io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == socket2::Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// The error of an address that cannot be bound.
#[must_use]
pub fn busy(listen: Listen, source: &std::io::Error) -> Error {
    let error = Error::machine(format!("could not listen on {listen}: {source}"));
    match source.kind() {
        std::io::ErrorKind::AddrInUse => error.hint(format!(
            "another program has port {}; choose one with --sip {}:…:5070",
            listen.address.port(),
            listen.transport.lower_name()
        )),
        std::io::ErrorKind::PermissionDenied => error.hint("ports below 1024 need a capability; choose a higher one"),
        std::io::ErrorKind::AddrNotAvailable => error.hint("this machine has no such address; 0.0.0.0 is all of them"),
        _ => error,
    }
}

/// Hands on what arrives until the receiver is gone. When it is full, datagrams are dropped: the far end repeats.
pub async fn receive(socket: Arc<UdpSocket>, to: mpsc::Sender<Received>) {
    let Ok(bound) = socket.local_addr() else { return };
    let mut buffer = vec![0; MESSAGE_MAX + 1];
    let mut reached: HashMap<IpAddr, IpAddr> = HashMap::new();
    loop {
        let Ok((length, remote)) = socket.recv_from(&mut buffer).await else {
            // An ICMP error of an earlier packet: nothing of ours.
            tokio::task::yield_now().await;
            continue;
        };
        let local = if bound.ip().is_unspecified() {
            if reached.len() > 4_096 {
                reached.clear();
            }
            let ip = *reached.entry(remote.ip()).or_insert_with(|| local_ip_towards(remote.ip()));
            SocketAddr::new(ip, bound.port())
        } else {
            bound
        };
        let path = Path { transport: Transport::Udp, remote, local, connection: None };
        let received = Received { path, bytes: buffer[..length].to_vec() };
        if let Err(mpsc::error::TrySendError::Closed(_)) = to.try_send(received) {
            return;
        }
    }
}
