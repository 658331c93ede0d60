//! TCP sockets: the listeners of every stream transport, and sockets to connect from.

use super::udp::{bound, busy};
use crate::{config::Listen, error::Result};
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket};

/// Binds a listener.
///
/// # Errors
/// Names the address and what to do about a busy port.
pub fn bind(listen: Listen) -> Result<TcpListener> {
    bound(listen.address, socket2::Type::STREAM)
        .and_then(|socket| {
            socket.listen(1_024)?;
            TcpListener::from_std(socket.into())
        })
        .map_err(|source| busy(listen, &source))
}

/// A socket to connect from, with the address that the far end will see: a call over it can say so in its Contact.
pub(super) fn socket_from(ip: IpAddr) -> std::io::Result<(TcpSocket, SocketAddr)> {
    let socket = if ip.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(ip, 0))?;
    let local = socket.local_addr()?;
    Ok((socket, local))
}
