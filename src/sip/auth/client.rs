//! Digest as a client: answers one challenge.

use super::{Algorithm, params_of};
use crate::{redact::Secret, sip::uri::find_param};
use std::fmt::Write as _;

/// Who we say we are.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// User name of the account.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// A challenge that we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// As written, if it was.
    algorithm_text: Option<String>,
    qop_auth: bool,
    /// The nonce was too old: the same credentials may be tried again.
    pub stale: bool,
}

impl Challenge {
    /// Reads a `WWW-Authenticate` or `Proxy-Authenticate`; none if it is no digest that we know.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let params = params_of(text)?;
        let param = |name: &str| find_param(&params, name).map(str::to_owned);
        let algorithm_text = param("algorithm");
        let algorithm = Algorithm::named(algorithm_text.as_deref())?;
        let qop = param("qop");
        let qop_auth = qop.as_deref().is_some_and(|list| list.split(',').any(|qop| qop.trim() == "auth"));
        if qop.is_some() && !qop_auth {
            return None;
        }
        Some(Self {
            realm: param("realm")?,
            nonce: param("nonce")?,
            opaque: param("opaque"),
            algorithm,
            algorithm_text,
            qop_auth,
            stale: param("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }

    /// Whether it asks for SHA-256.
    #[must_use]
    pub fn is_sha256(&self) -> bool {
        self.algorithm == Algorithm::Sha256
    }

    /// The value of `Authorization` for a request; `cnonce` is random, `count` says how often this nonce was answered
    /// with this request.
    #[must_use]
    pub fn answer(&self, credentials: &Credentials, method: &str, uri: &str, cnonce: &str, count: u32) -> String {
        let ha1 =
            self.algorithm.hash(&format!("{}:{}:{}", credentials.user, self.realm, credentials.password.reveal()));
        let ha2 = self.algorithm.hash(&format!("{method}:{uri}"));
        let response = if self.qop_auth {
            self.algorithm.hash(&format!("{ha1}:{}:{count:08x}:{cnonce}:auth:{ha2}", self.nonce))
        } else {
            self.algorithm.hash(&format!("{ha1}:{}:{ha2}", self.nonce))
        };
        let mut value = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", response=\"{response}\"",
            credentials.user, self.realm, self.nonce
        );
        if let Some(algorithm) = &self.algorithm_text {
            let _ = write!(value, ", algorithm={algorithm}");
        }
        if self.qop_auth {
            let _ = write!(value, ", qop=auth, nc={count:08x}, cnonce=\"{cnonce}\"");
        }
        if let Some(opaque) = &self.opaque {
            let _ = write!(value, ", opaque=\"{opaque}\"");
        }
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_7616_examples_come_out() {
        // RFC 7616 §3.9.1, both algorithms.
        let credentials = Credentials { user: "Mufasa".into(), password: Secret::new("Circle of Life") };
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let challenge = Challenge::parse(&format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            ))
            .unwrap();
            let answer = challenge.answer(&credentials, "GET", "/dir/index.html", cnonce, 1);
            assert!(answer.contains(&format!("response=\"{response}\"")), "{answer}");
        }
    }

    #[test]
    fn unknown_schemes_and_algorithms_are_not_answered() {
        for text in ["Basic realm=\"a\"", "Digest realm=\"a\", nonce=\"b\", algorithm=MD5-sess", "Digest", ""] {
            assert_eq!(Challenge::parse(text), None, "{text}");
        }
    }
}
