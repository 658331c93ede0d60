//! Browsers: where they find us, who may join, how their media reach us.

use super::Reader;
use crate::error::{Error, Result};
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
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
    /// Answer ICE checks, make none.
    pub lite: bool,
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
            lite: self.one_of("web.ice", &["full", "lite"])? == "lite",
        };
        if web.certificate.is_some() != web.key.is_some() {
            return Err(
                Error::usage("web.tls_cert and web.tls_key belong together").hint("set both to PEM files, or neither")
            );
        }
        Ok(web)
    }
}
