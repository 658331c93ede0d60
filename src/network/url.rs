//! Web addresses of the config: `https://host:port/path?query`, and how they are shown.

use hyper::Uri;
use std::fmt::{self, Write as _};

/// An `http://` or `https://` address.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(Uri);

impl Url {
    /// Reads an address.
    ///
    /// # Errors
    /// Says what it lacks.
    pub fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|_| "is no address; write https://HOST/PATH".to_owned())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("must begin with https:// or http://".to_owned());
        }
        match uri.authority() {
            Some(authority) if authority.as_str().contains('@') => {
                Err("must not hold a user or password: give them in a header".to_owned())
            }
            Some(authority) if !authority.host().is_empty() => Ok(Self(uri)),
            _ => Err("names no host".to_owned()),
        }
    }

    /// Whether it is encrypted.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// Whether it is encrypted, its host, its port.
    #[must_use]
    pub fn origin(&self) -> (bool, String, u16) {
        let port = self.0.port_u16().unwrap_or(if self.is_secure() { 443 } else { 80 });
        (self.is_secure(), self.0.host().unwrap_or_default().to_ascii_lowercase(), port)
    }

    /// Host and port as they are written.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }

    /// Path and query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.path_and_query().map_or("/", |path| path.as_str())
    }

    /// With more names and values in the query.
    #[must_use]
    pub fn with_query<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let mut text = self.0.to_string();
        let mut separator = if self.0.query().is_some() { '&' } else { '?' };
        for (name, value) in pairs {
            let _ = write!(text, "{separator}{}={}", escaped(name), escaped(&value));
            separator = '&';
        }
        Self::parse(&text).unwrap_or_else(|_| self.clone())
    }

    /// A path that was given relative to this one (RFC 3986 §5.2).
    fn beside(&self, relative: &str) -> String {
        let (path, query) = relative.split_once('?').map_or((relative, None), |(path, query)| (path, Some(query)));
        let mut parts: Vec<&str> = self.0.path().trim_start_matches('/').split('/').collect();
        if !path.is_empty() {
            parts.pop();
        }
        let last = path.rsplit('/').next().unwrap_or_default();
        for part in path.split('/').filter(|_| !path.is_empty()) {
            match part {
                "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        if matches!(last, "." | "..") {
            parts.push("");
        }
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("/{}{query}", parts.join("/"))
    }

    /// Where a redirect leads, if that is the same host.
    #[must_use]
    pub fn redirected(&self, location: &str) -> Option<Self> {
        if location.is_empty() {
            return None;
        }
        let next = if location.starts_with('/') && !location.starts_with("//") {
            Self::parse(&format!("{}://{}{location}", self.0.scheme_str()?, self.authority())).ok()?
        } else if location.split(['/', '?']).next().unwrap_or_default().contains(':') || location.starts_with("//") {
            Self::parse(location).ok()?
        } else {
            Self::parse(&format!("{}://{}{}", self.0.scheme_str()?, self.authority(), self.beside(location))).ok()?
        };
        (next.origin() == self.origin()).then_some(next)
    }
}

/// For messages: without its query, whose values may be people's or secret.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.0.scheme_str().unwrap_or_default(), self.authority(), self.0.path())?;
        f.write_str(if self.0.query().is_some() { "?…" } else { "" })
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As a part of a path or a query: what is not plain is escaped (RFC 3986 §2.1).
#[must_use]
pub fn escaped(text: &str) -> String {
    percent_encoded(text, b"-._~")
}

/// Letters, digits and the bytes of `kept` as they are, all others as `%` and two digits (RFC 3986 §2.1).
#[must_use]
pub fn percent_encoded(text: &str, kept: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_their_query() {
        let url = Url::parse("https://crm.example.com/hook?token=s3cret").unwrap();
        assert_eq!(url.to_string(), "https://crm.example.com/hook?…");
        assert_eq!(format!("{url:?}"), url.to_string());
        assert_eq!(url.origin(), (true, "crm.example.com".to_owned(), 443));
        assert_eq!(url.with_query([("a b", "1&2".to_owned())]).path(), "/hook?token=s3cret&a%20b=1%262");
        assert_eq!(Url::parse("http://[::1]:8080").unwrap().path(), "/");
        for (text, wrong) in [
            ("crm.example.com/x", "is no address"),
            ("ftp://h/x", "must begin"),
            ("https://user:pw@h/", "in a header"),
            ("https:///x", "is no address"),
            ("https://h/a b", "is no address"),
        ] {
            let problem = Url::parse(text).unwrap_err();
            assert!(problem.contains(wrong), "{text}: {problem}");
        }
    }

    #[test]
    fn redirects_stay_at_their_host() {
        let url = Url::parse("https://h.example/a").unwrap();
        for (location, path) in [
            ("/b?c=d", Some("/b?c=d")),
            ("https://h.example:443/b", Some("/b")),
            ("https://H.example/b", Some("/b")),
            ("http://h.example/b", None),
            ("https://other.example/b", None),
            ("//other.example/b", None),
            ("b", Some("/b")),
            ("?c=d", Some("/a?c=d")),
            ("mailto:x", None),
            ("", None),
        ] {
            assert_eq!(url.redirected(location).as_ref().map(Url::path), path, "{location}");
        }
        let deep = Url::parse("https://h.example/whip/echo").unwrap();
        for (location, path) in
            [("x", "/whip/x"), ("./x/y", "/whip/x/y"), ("../s/1?k", "/s/1?k"), ("../../../x", "/x"), ("..", "/")]
        {
            assert_eq!(deep.redirected(location).unwrap().path(), path, "{location}");
        }
    }
}
