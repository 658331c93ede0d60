//! Header fields: names with their short forms, and the structured ones every request has: Via and `CSeq`.

use super::{
    method::Method,
    uri::{find_param, parse_params, split_host_port, write_host, write_params},
};
use std::fmt;

/// Short forms (RFC 3261 §7.3.3 and the registry) and the names they stand for.
const SHORT_FORMS: &[(&str, &str)] = &[
    ("i", "Call-ID"),
    ("m", "Contact"),
    ("e", "Content-Encoding"),
    ("l", "Content-Length"),
    ("c", "Content-Type"),
    ("f", "From"),
    ("s", "Subject"),
    ("k", "Supported"),
    ("t", "To"),
    ("v", "Via"),
    ("a", "Accept-Contact"),
    ("u", "Allow-Events"),
    ("o", "Event"),
    ("r", "Refer-To"),
    ("b", "Referred-By"),
    ("j", "Reject-Contact"),
    ("d", "Request-Disposition"),
    ("x", "Session-Expires"),
    ("y", "Identity"),
];

/// Headers whose value is a comma-separated list that is split into one field each, keeping the order.
pub(super) const LISTS: &[&str] = &["Via", "Route", "Record-Route", "Contact"];

/// The long form of a header name.
#[must_use]
pub fn long_name(name: &str) -> &str {
    SHORT_FORMS.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)).map_or(name, |(_, long)| long)
}

/// One Via (RFC 3261 §20.42, RFC 3581).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// `2.0`; a request of another version is answered along its Via all the same (505).
    pub version: String,
    /// `UDP`, `TCP`, … in upper case.
    pub transport: String,
    /// Host as written, IPv6 without brackets.
    pub host: String,
    /// Port if written.
    pub port: Option<u16>,
    /// `branch`, `rport`, `received`, …
    pub params: Vec<(String, Option<String>)>,
}

/// Start of the branches of RFC 3261 peers.
pub const MAGIC_COOKIE: &str = "z9hG4bK";

impl Via {
    /// Reads one Via.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (left, params) = text.split_once(';').map_or((text, ""), |(left, params)| (left, params));
        // LWS may stand around the slashes: "SIP / 2.0 / UDP host".
        let mut parts = left.splitn(3, '/');
        let (Some(name), Some(version), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("Via without protocol");
        };
        let version = version.trim();
        let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !name.trim().eq_ignore_ascii_case("SIP") || !is_version {
            return Err("Via of another protocol");
        }
        let rest = rest.trim();
        let (transport, sent_by) = rest.split_once(char::is_whitespace).ok_or("Via without sent-by")?;
        let (host, port) = split_host_port(sent_by)?;
        Ok(Self {
            version: version.to_owned(),
            transport: transport.to_ascii_uppercase(),
            host: host.to_owned(),
            port,
            params: parse_params(params),
        })
    }

    /// The value of a parameter; an empty text for one without value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        find_param(&self.params, name)
    }

    /// The transaction's branch.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.param("branch").filter(|branch| !branch.is_empty())
    }

    /// Adds or replaces a parameter.
    pub fn set_param(&mut self, name: &str, value: String) {
        match self.params.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = Some(value),
            None => self.params.push((name.to_owned(), Some(value))),
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/{}/{} ", self.version, self.transport)?;
        write_host(f, &self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write_params(f, &self.params)
    }
}

/// `CSeq` (RFC 3261 §20.16): number below 2^31 and method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// The number.
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// Reads a `CSeq`.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (number, method) = text.trim().split_once(char::is_whitespace).ok_or("CSeq without method")?;
        let number: u32 = number.parse().map_err(|_| "CSeq number out of range")?;
        if number >= 1 << 31 {
            return Err("CSeq number out of range");
        }
        Ok(Self { number, method: Method::from_token(method.trim()) })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vias_with_spaces_and_ipv6_are_read() {
        let via = Via::parse("SIP / 2.0 / UDP  [2001:db8::9]:5070 ;branch = z9hG4bK.7 ;rport").unwrap();
        assert_eq!(via.branch(), Some("z9hG4bK.7"));
        assert_eq!(via.param("rport"), Some(""));
        assert_eq!(via.to_string(), "SIP/2.0/UDP [2001:db8::9]:5070;branch=z9hG4bK.7;rport");
        assert!(Via::parse("SIP/x/UDP a").is_err() && Via::parse("SIP/2.0/UDP").is_err());
    }

    #[test]
    fn cseq_has_limits() {
        assert!(CSeq::parse("36893488147419103232 REGISTER").is_err());
        assert!(CSeq::parse("2147483648 INVITE").is_err());
        assert_eq!(CSeq::parse("0009  INVITE").map(|cseq| cseq.number), Ok(9));
    }

    #[test]
    fn short_names_are_expanded() {
        assert_eq!(long_name("I"), "Call-ID");
        assert_eq!(long_name("X-Thing"), "X-Thing");
    }
}
