//! From a URI to an address.

use crate::{
    error::{Error, Kind, Result},
    sip::{tx::Transport, uri::Uri},
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// The transport that a URI asks for.
///
/// # Errors
/// There is none of that name.
pub fn transport_of(hop: &Uri) -> Result<Transport> {
    hop.transport().ok_or_else(|| {
        Error::usage(format!("there is no way to {hop}")).hint("transports are udp, tcp, tls, ws and wss")
    })
}

/// Address of a URI's host: a number, or the first that the system's resolver gives.
///
/// # Errors
/// There is no such host, or the resolver does not answer.
pub async fn resolve(uri: &Uri) -> Result<SocketAddr> {
    let port = uri.port.unwrap_or(transport_of(uri)?.default_port());
    let host =
        if uri.host.is_empty() { return Err(Error::usage(format!("{uri} has no host to call"))) } else { &uri.host };
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let looked_up = tokio::time::timeout(Duration::from_secs(5), tokio::net::lookup_host((host.as_str(), port))).await;
    let unreachable = |what: String| {
        Error::new(Kind::Unreachable, format!("could not find the host of {uri}: {what}"))
            .hint("check the name, or give an address")
    };
    match looked_up {
        Ok(Ok(mut found)) => found.next().ok_or_else(|| unreachable("it has no address".into())),
        Ok(Err(problem)) => Err(unreachable(problem.to_string())),
        Err(_) => Err(unreachable("no answer from the resolver within 5 s".into())),
    }
}
