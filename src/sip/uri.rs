//! URIs and name-addrs (RFC 3261 §19.1, §20.10; RFC 3966 for tel): lenient in, exact out.

use super::tx::Transport;
use crate::network::url::percent_encoded;
use std::fmt;

/// A SIP, SIPS, tel or any other URI. Parts that are not understood are kept as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Uri {
    /// Lower case: `sip`, `sips`, `tel`, …
    pub scheme: String,
    /// Before the `@`, password included, escapes kept; for tel and others everything after the colon.
    pub user: String,
    /// Host as written; IPv6 without its brackets.
    pub host: String,
    /// Port if written.
    pub port: Option<u16>,
    /// `;name=value` pairs, names in lower case.
    pub params: Vec<(String, Option<String>)>,
    /// Everything behind `?`.
    pub headers: String,
}

impl Uri {
    /// Reads a URI.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let (scheme, rest) = text.split_once(':').ok_or("URI without scheme")?;
        let good_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if !good_scheme {
            return Err("bad URI scheme");
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>\"".contains(c)) {
            return Err("white space or quotes in URI");
        }
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "sip" && scheme != "sips" {
            return Ok(Self { scheme, user: rest.to_owned(), ..Self::default() });
        }
        // A user part may hold ';' and '?' (RFC 3261 §25.1), so look for the '@' first.
        let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(user, rest)| (user, rest));
        let (rest, headers) = rest.split_once('?').map_or((rest, ""), |(rest, headers)| (rest, headers));
        let (host_port, params) = rest.split_once(';').map_or((rest, ""), |(host, params)| (host, params));
        // Without brackets nobody knows where the address ends and the port begins (RFC 5118 §4.2).
        if !host_port.starts_with('[') && host_port.matches(':').count() > 1 {
            return Err("IPv6 address without brackets");
        }
        let (host, port) = split_host_port(host_port)?;
        Ok(Self {
            scheme,
            user: user.to_owned(),
            host: host.to_owned(),
            port,
            params: parse_params(params),
            headers: headers.to_owned(),
        })
    }

    /// `sip:host:port`.
    #[must_use]
    pub fn sip(user: &str, host: &str, port: Option<u16>) -> Self {
        Self { scheme: "sip".into(), user: user.into(), host: host.into(), port, ..Self::default() }
    }

    /// The value of a parameter; an empty text for one without value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        find_param(&self.params, name)
    }

    /// The user part without a password, or the host if there is none: what people call the number.
    #[must_use]
    pub fn number(&self) -> &str {
        let user = self.user.split(':').next().unwrap_or_default();
        if user.is_empty() { &self.host } else { user.split(';').next().unwrap_or(user) }
    }

    /// What carries requests to this URI (RFC 3263 §4.1 without NAPTR, RFC 7118 §5.5): `sips` is TLS, whatever else it
    /// names. None if the URI asks for something that we do not speak.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        let named = self.param("transport").map(|name| Transport::from_name(name).ok_or(())).transpose().ok()?;
        match (self.scheme.as_str(), named) {
            ("sips", None | Some(Transport::Tcp | Transport::Tls)) => Some(Transport::Tls),
            ("sips", Some(Transport::Ws | Transport::Wss)) => Some(Transport::Wss),
            // DTLS.
            ("sips", Some(Transport::Udp)) => None,
            (_, named) => Some(named.unwrap_or(Transport::Udp)),
        }
    }

    /// Whether this is `sip` or `sips`.
    #[must_use]
    pub fn is_sip(&self) -> bool {
        self.scheme == "sip" || self.scheme == "sips"
    }
}

impl Uri {
    /// Whether both are the same address (RFC 3261 §19.1.4): users by case, the rest without; a port that is written
    /// is not one that is not; of the parameters those count that both have, and `transport`, `user`, `method`,
    /// `ttl`, `maddr` that only one has.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let one_sided = |left: &Self, right: &Self| {
            left.params.iter().all(|(name, value)| match right.params.iter().find(|(known, _)| known == name) {
                Some((_, theirs)) => {
                    value.as_deref().unwrap_or_default().eq_ignore_ascii_case(theirs.as_deref().unwrap_or_default())
                }
                None => !["transport", "user", "method", "ttl", "maddr"].contains(&name.as_str()),
            })
        };
        self.scheme == other.scheme
            && self.user == other.user
            && self.host.eq_ignore_ascii_case(&other.host)
            && self.port == other.port
            && one_sided(self, other)
            && one_sided(other, self)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme)?;
        if !self.is_sip() {
            return f.write_str(&self.user);
        }
        if !self.user.is_empty() {
            write!(f, "{}@", self.user)?;
        }
        write_host(f, &self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write_params(f, &self.params)?;
        if !self.headers.is_empty() {
            write!(f, "?{}", self.headers)?;
        }
        Ok(())
    }
}

/// `"Display" <uri>;param=value`, as in From, To, Contact and Route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameAddr {
    /// Display name without quotes; empty if there is none.
    pub display: String,
    /// The address.
    pub uri: Uri,
    /// Header parameters (`tag`, `expires`, …).
    pub params: Vec<(String, Option<String>)>,
}

impl NameAddr {
    /// Reads one address.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let (display, rest) = if let Some(quoted) = text.strip_prefix('"') {
            let end = closing_quote(quoted).ok_or("display name without closing quote")?;
            (quoted[..end].replace("\\\"", "\"").replace("\\\\", "\\"), quoted[end + 1..].trim_start())
        } else if let Some(open) = text.find('<') {
            (text[..open].trim().to_owned(), &text[open..])
        } else {
            // addr-spec form: parameters belong to the header, not to the URI (§20).
            let (uri, params) = text.split_once(';').map_or((text, ""), |(uri, params)| (uri, params));
            if uri.contains(['?', ',']) {
                return Err("an address with ? or , needs < >");
            }
            return Ok(Self { display: String::new(), uri: Uri::parse(uri)?, params: parse_params(params) });
        };
        let inner = rest.strip_prefix('<').ok_or("address without <")?;
        let (uri, params) = inner.split_once('>').ok_or("address without >")?;
        if uri.trim() != uri {
            return Err("white space within < >");
        }
        let params = params.trim_start().strip_prefix(';').unwrap_or_default();
        Ok(Self { display, uri: Uri::parse(uri)?, params: parse_params(params) })
    }

    /// An address without display name and parameters.
    #[must_use]
    pub fn of(uri: Uri) -> Self {
        Self { uri, ..Self::default() }
    }

    /// The value of a header parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        find_param(&self.params, name)
    }

    /// The `tag` (§19.3).
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.param("tag").filter(|tag| !tag.is_empty())
    }

    /// This address with another `tag`.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.retain(|(name, _)| name != "tag");
        self.params.push(("tag".into(), Some(tag.into())));
        self
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.display.is_empty() {
            write!(f, "\"{}\" ", self.display.replace('\\', "\\\\").replace('"', "\\\""))?;
        }
        write!(f, "<{}>", self.uri)?;
        write_params(f, &self.params)
    }
}

/// Escapes undone: `%31` is `1` (§19.1.4). What is no escape, or would be no text, stays as it is.
#[must_use]
pub fn unescaped(text: &str) -> String {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match after {
            [high, low, ..] if *first == b'%' => digit(*high).zip(digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            bytes.push(high << 4 | low);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// What may not stand in a user part as it is becomes `%XX` (RFC 3261 §25.1, `user`).
#[must_use]
pub fn escaped(text: &str) -> String {
    percent_encoded(text, b"-_.!~*'()&=+$,/")
}

/// Splits `host:port`, with IPv6 in brackets.
///
/// # Errors
/// Says what is wrong.
pub fn split_host_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let text = text.trim();
    let (host, port) = if let Some(inner) = text.strip_prefix('[') {
        let (host, rest) = inner.split_once(']').ok_or("IPv6 address without ]")?;
        // A fault of RFC 3261's grammar makes three colons of two (RFC 5118 §4.10).
        host.replace(":::", "::").parse::<std::net::Ipv6Addr>().map_err(|_| "bad IPv6 address")?;
        (host, rest.trim_start().strip_prefix(':'))
    } else {
        match text.split_once(':') {
            // A bare IPv6 address is wrong but common.
            Some((_, rest)) if rest.contains(':') => {
                text.parse::<std::net::Ipv6Addr>().map_err(|_| "bad host")?;
                (text, None)
            }
            Some((host, port)) => (host.trim_end(), Some(port)),
            None => (text, None),
        }
    };
    let good = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:%".contains(c));
    if !good {
        return Err("bad host");
    }
    let port = port.map(|port| port.trim().parse().map_err(|_| "bad port")).transpose()?;
    Ok((host, port))
}

/// Reads `a=b;c;d="e;f"`.
#[must_use]
pub fn parse_params(text: &str) -> Vec<(String, Option<String>)> {
    split_outside_quotes(text, ';')
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, value)) => (name.trim().to_ascii_lowercase(), Some(value.trim().to_owned())),
            None => (part.to_ascii_lowercase(), None),
        })
        .collect()
}

/// The value of the parameter called `name`, in lower case; an empty text for one without value.
#[must_use]
pub fn find_param<'a>(params: &'a [(String, Option<String>)], name: &str) -> Option<&'a str> {
    params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_deref().unwrap_or_default())
}

pub(super) fn write_params(f: &mut fmt::Formatter<'_>, params: &[(String, Option<String>)]) -> fmt::Result {
    for (name, value) in params {
        match value {
            Some(value) => write!(f, ";{name}={value}")?,
            None => write!(f, ";{name}")?,
        }
    }
    Ok(())
}

pub(super) fn write_host(f: &mut fmt::Formatter<'_>, host: &str) -> fmt::Result {
    if host.contains(':') { write!(f, "[{host}]") } else { f.write_str(host) }
}

/// Splits at `separator` where it is neither in quotes nor in angle brackets.
#[must_use]
pub fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped, mut depth) = (0, false, false, 0_u32);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => depth += 1,
            '>' if !quoted => depth = depth.saturating_sub(1),
            c if c == separator && !quoted && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        if escaped {
            escaped = false;
            return None;
        }
        match c {
            '\\' => {
                escaped = true;
                None
            }
            '"' => Some(at),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_printed_as_they_were_read() {
        for text in [
            "sip:alice@example.org",
            "sips:+4930;ext=1@[2001:db8::1]:5061;transport=tls;lr?Replaces=a%3Bb",
            "tel:+49-30-1234;phone-context=example.org",
            "sip:192.0.2.1:5060",
            "urn:service:sos",
        ] {
            assert_eq!(Uri::parse(text).map(|uri| uri.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "sip:", "alice", "sip:a@b:99999", "sip:a b@c", "sip:[::1", "1x:foo"] {
            assert!(Uri::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_with_commas_quotes_and_brackets_are_kept_apart() {
        let address = NameAddr::parse(r#""Smith, <J> \"Jo\"" <sip:jo@example.org;user=phone>;tag=x1"#).unwrap();
        assert_eq!(address.display, r#"Smith, <J> "Jo""#);
        assert_eq!(address.uri.param("user"), Some("phone"));
        assert_eq!(address.tag(), Some("x1"));
        assert_eq!(NameAddr::parse(&address.to_string()), Ok(address));
        let bare = NameAddr::parse("sip:bob@example.org;tag=7").unwrap();
        assert_eq!((bare.tag(), bare.uri.params.len()), (Some("7"), 0));
        assert!(NameAddr::parse("<sip:a@b").is_err() && NameAddr::parse("\"x <sip:a@b>").is_err());
    }

    #[test]
    fn lists_are_split_outside_quotes_only() {
        assert_eq!(split_outside_quotes(r#"<sip:a,b@c>, "x,y" <sip:d>"#, ','), ["<sip:a,b@c>", r#" "x,y" <sip:d>"#]);
    }

    #[test]
    fn the_transport_follows_from_scheme_and_parameter() {
        let of = |text: &str| Uri::parse(text).unwrap().transport();
        for (text, transport) in [
            ("sip:a", Transport::Udp),
            ("sip:a;transport=TCP", Transport::Tcp),
            ("sip:a;transport=tls", Transport::Tls),
            ("sip:a;transport=ws", Transport::Ws),
            ("sip:a;transport=wss", Transport::Wss),
            ("sips:a", Transport::Tls),
            ("sips:a;transport=tcp", Transport::Tls),
            ("sips:a;transport=ws", Transport::Wss),
        ] {
            assert_eq!(of(text), Some(transport), "{text}");
        }
        assert_eq!((of("sip:a;transport=sctp"), of("sips:a;transport=udp")), (None, None));
    }

    #[test]
    fn the_number_is_what_people_dial() {
        assert_eq!(Uri::parse("sip:+4930:pw@host").unwrap().number(), "+4930");
        assert_eq!(Uri::parse("sip:host").unwrap().number(), "host");
    }
}
