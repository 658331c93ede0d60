//! Encryption of media: `media.srtp…` and what a trunk says differently.

use super::Reader;
use crate::{
    error::Result,
    sip::sdp::crypto::{Policy, SUITES},
};

/// How media are encrypted.
#[derive(Clone, Debug)]
pub struct Encryption {
    /// Whether; a trunk may say otherwise.
    pub policy: Policy,
    /// Suites in our order.
    pub suites: Vec<&'static str>,
    /// Keys may travel over signalling that can be read on its way.
    pub over_plain: bool,
}

impl Reader<'_> {
    pub(super) fn encryption(&self) -> Result<Encryption> {
        let names: Vec<String> = self.list("media.srtp_suites")?;
        let known = |name: &String| SUITES.iter().find(|(known, _)| known == name).map(|(known, _)| *known);
        let suites: Option<Vec<&'static str>> = names.iter().map(known).collect();
        Ok(Encryption {
            policy: self.parsed("media.srtp", str::parse)?,
            suites: suites.filter(|all| !all.is_empty()).ok_or_else(|| {
                let all = SUITES.map(|(name, _)| name).join(", ");
                self.wrong("media.srtp_suites", &format!("suites are {all}"))
            })?,
            over_plain: self.flag("media.srtp_over_plain")?,
        })
    }
}
