//! Addresses and networks of them, as people write them: `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32`.

pub mod url;

use std::{fmt, net::IpAddr, str::FromStr};

/// An address, or all that share its first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    ip: IpAddr,
    bits: u8,
}

impl Network {
    /// Whether `ip` lies in it. An IPv4 address that a dual-stack socket shows as IPv6 is IPv4.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.ip, ip.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                same(u128::from(net.to_bits()), u128::from(ip.to_bits()), 32, self.bits)
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => same(net.to_bits(), ip.to_bits(), 128, self.bits),
            _ => false,
        }
    }
}

/// Whom an address belongs to: an IPv4 address is somebody, of an IPv6 address the upper 64 bits are; the lower half is
/// its owner's to vary.
#[must_use]
pub fn owner(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() >> 64 << 64).into()),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// Whether two addresses of `width` bits agree in the first `bits`.
fn same(one: u128, other: u128, width: u32, bits: u8) -> bool {
    (one ^ other).checked_shr(width - u32::from(bits)).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no address; write 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32");
        let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let ip: IpAddr = ip.trim().parse().map_err(|_| wrong())?;
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), |bits| bits.trim().parse().map_err(|_| wrong()))?;
        if bits > width {
            return Err(format!("'{text}': the part behind / is at most {width}"));
        }
        Ok(Self { ip, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = if self.ip.is_ipv4() { 32 } else { 128 };
        if self.bits == whole { write!(f, "{}", self.ip) } else { write!(f, "{}/{}", self.ip, self.bits) }
    }
}
