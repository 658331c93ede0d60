//! Browsers: where they find us, who may join, how their media reach us.

use super::Reader;
use crate::{
    error::{Error, Result},
    redact::Secret,
};
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// Who may join without a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joining {
    /// Anybody if we listen on loopback only, else nobody.
    Auto,
    /// Nobody.
    Token,
    /// Anybody.
    Anybody,
}

/// The listener for browsers.
#[derive(Clone, Debug)]
pub struct Web {
    /// Where it listens; none is not at all.
    pub listen: Option<SocketAddr>,
    /// PEM file with its certificate; none is plain HTTP.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// File with the token that may always join.
    pub token_file: Option<PathBuf>,
    /// File with the secret that join tokens are signed with; none is a new one each run.
    pub secret_file: Option<PathBuf>,
    /// Who may join without a token.
    pub joining: Joining,
    /// Pages from elsewhere that may join: `https://example.org`.
    pub origins: Vec<String>,
    /// The address that browsers are told for media; none is where they reached us.
    pub address: Option<IpAddr>,
    /// The first of the UDP ports that browsers share, one for each media worker; none is a port for each browser.
    pub media_port: Option<u16>,
    /// Answer ICE checks, make none.
    pub lite: bool,
    /// STUN servers that browsers are told.
    pub stun: Vec<String>,
    /// TURN servers that browsers are told.
    pub turn: Vec<String>,
    /// How browsers prove at them who they are.
    pub turn_access: TurnAccess,
}

/// What browsers show to TURN servers.
#[derive(Clone, Debug)]
pub enum TurnAccess {
    /// Nothing: there is no TURN server.
    None,
    /// User name and password, the same for all.
    Static(String, Secret),
    /// Credentials made from a secret that the servers share with us, good for so long.
    Timed(Secret, Duration),
}

impl Reader<'_> {
    pub(super) fn web(&self) -> Result<Web> {
        let web = Web {
            listen: self.parsed("web.listen", |text| match text {
                "off" => Ok(None),
                place => place.parse().map(Some).map_err(|_| "must be ADDRESS:PORT or off".to_owned()),
            })?,
            certificate: self.optional("web.tls_cert", |text| Ok(PathBuf::from(text)))?,
            key: self.optional("web.tls_key", |text| Ok(PathBuf::from(text)))?,
            token_file: self.optional("web.token_file", |text| Ok(PathBuf::from(text)))?,
            secret_file: self.optional("web.secret_file", |text| Ok(PathBuf::from(text)))?,
            joining: match self.one_of("web.join", &["auto", "token", "anybody"])?.as_str() {
                "token" => Joining::Token,
                "anybody" => Joining::Anybody,
                _ => Joining::Auto,
            },
            origins: self.parsed("web.origins", |text| {
                let inner = text.trim_start_matches('[').trim_end_matches(']');
                let all = inner.split(',').map(|one| one.trim().trim_matches('"').to_owned());
                let all: Vec<String> = all.filter(|one| !one.is_empty()).collect();
                match all.iter().find(|one| !one.starts_with("http://") && !one.starts_with("https://")) {
                    Some(wrong) => Err(format!("{wrong} is no origin; write https://example.org")),
                    None => Ok(all.iter().map(|one| one.trim_end_matches('/').to_ascii_lowercase()).collect()),
                }
            })?,
            address: self
                .optional("web.address", |text| {
                    if text == "auto" {
                        return Ok(None);
                    }
                    text.parse().map(Some).map_err(|_| "is no IP address".to_owned())
                })?
                .flatten(),
            media_port: self.parsed("web.media_port", |text| match text.parse::<u16>() {
                Ok(port) => Ok((port > 0).then_some(port)),
                Err(_) => Err("is no port: 1 to 65535, or 0".to_owned()),
            })?,
            lite: self.one_of("web.ice", &["full", "lite"])? == "lite",
            stun: self.ice_urls("web.stun", &["stun:", "stuns:"])?,
            turn: self.ice_urls("web.turn", &["turn:", "turns:"])?,
            turn_access: self.turn_access()?,
        };
        if web.turn.is_empty() != matches!(web.turn_access, TurnAccess::None) {
            return Err(Error::usage("web.turn and its credentials belong together")
                .hint("with web.turn set web.turn_secret, or web.turn_user and web.turn_password"));
        }
        if web.certificate.is_some() != web.key.is_some() {
            return Err(
                Error::usage("web.tls_cert and web.tls_key belong together").hint("set both to PEM files, or neither")
            );
        }
        Ok(web)
    }

    fn ice_urls(&self, key: &str, schemes: &[&str]) -> Result<Vec<String>> {
        let all: Vec<String> = self.list(key)?;
        let good = |url: &String| {
            let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
            // It goes into a header field too (RFC 9725 §4.6).
            rest.is_some_and(|rest| !rest.is_empty()) && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'>')
        };
        match all.iter().find(|url| !good(url)) {
            Some(wrong) => Err(self.wrong(key, &format!("holds {wrong}; write {}HOST:PORT", schemes[0]))),
            None => Ok(all),
        }
    }

    fn turn_access(&self) -> Result<TurnAccess> {
        let text = |key: &str| self.optional(key, |text| Ok(text.to_owned()));
        let ttl = self.span("web.turn_ttl")?;
        match (text("web.turn_secret")?, text("web.turn_user")?, text("web.turn_password")?) {
            (None, None, None) => Ok(TurnAccess::None),
            (Some(secret), None, None) => Ok(TurnAccess::Timed(Secret::new(&secret), ttl)),
            (None, Some(user), Some(password)) if !user.contains(['"', '\\']) && !password.contains(['"', '\\']) => {
                Ok(TurnAccess::Static(user, Secret::new(&password)))
            }
            (None, Some(_), Some(_)) => Err(self.wrong("web.turn_user", "and its password must be without quotes")),
            _ => Err(Error::usage("web.turn_secret, or web.turn_user and web.turn_password: one way, and whole")
                .hint("time-limited credentials: web.turn_secret alone")),
        }
    }
}
