//! `[callback]`: who is asked about each incoming call before its agent is connected.

use super::{Config, Reader};
use crate::{error::Result, network::url::Url, redact::Secret};
use std::time::Duration;

/// Who is asked, and how long.
#[derive(Clone, Debug)]
pub struct Callback {
    /// Where.
    pub url: Url,
    /// Signs what is sent.
    pub secret: Option<Secret>,
    /// How long all tries may take together.
    pub timeout: Duration,
    /// Tries.
    pub tries: u32,
    /// What happens to the call if there is no answer.
    pub fallback: Fallback,
}

/// What happens to a call whose callback does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// It goes on with the agent that it was for.
    AsConfigured,
    /// This agent takes it.
    Agent(String),
    /// It is refused with 503.
    Refuse,
}

/// Whether an agent's calls are asked about, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Asks {
    /// Where `callback.url` says, if it does.
    #[default]
    AsAll,
    /// Nowhere.
    No,
    /// There.
    At(Url),
}

impl Config {
    /// Who is asked about calls for this agent.
    #[must_use]
    pub fn callback_of(&self, agent: &str) -> Option<Callback> {
        let asks = self.agents.iter().find(|profile| profile.name == agent).map(|profile| &profile.asks);
        let url = match asks {
            Some(Asks::No) => return None,
            Some(Asks::At(url)) => url.clone(),
            Some(Asks::AsAll) | None => self.callback.1.clone()?,
        };
        Some(Callback { url, ..self.callback.0.clone() })
    }
}

impl Reader<'_> {
    /// The settings, and the address for all.
    pub(super) fn callback(&self) -> Result<(Callback, Option<Url>)> {
        let url = self.optional("callback.url", Url::parse)?;
        let fallback = self.optional("callback.fallback", |text| {
            Ok(match text {
                "refuse" => Fallback::Refuse,
                agent => Fallback::Agent(agent.to_owned()),
            })
        })?;
        let nowhere = Url::parse("http://localhost/").map_err(crate::error::Error::usage)?;
        let settings = Callback {
            url: url.clone().unwrap_or(nowhere),
            secret: self.optional("callback.secret", |text| Ok(Secret::new(text)))?,
            timeout: self.span("callback.timeout")?,
            tries: self.parsed("callback.tries", |text| match text.parse() {
                Ok(tries @ 1..=10) => Ok(tries),
                _ => Err("must be from 1 to 10".to_owned()),
            })?,
            fallback: fallback.unwrap_or(Fallback::AsConfigured),
        };
        Ok((settings, url))
    }

    pub(super) fn asks(&self, key: &str) -> Result<Asks> {
        let asks = self.optional(key, |text| match text {
            "off" => Ok(Asks::No),
            url => Url::parse(url).map(Asks::At).map_err(|problem| format!("must be off, or an address: {problem}")),
        })?;
        Ok(asks.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;
    use std::path::Path;

    fn config(file: &str) -> Result<Config> {
        let mut layers = Layers::defaults();
        layers.add_file_text(file, Path::new("voxgw.toml"))?;
        Config::from_layers(&layers)
    }

    #[test]
    fn each_agent_may_have_its_own_or_none() {
        let all = "[callback]\nurl = 'https://h/a'\nsecret = 's3cret'\n[agents.x]\nkind = 'echo'\ncallback = 'off'\n\
                   [agents.y]\nkind = 'echo'\ncallback = 'https://h/y'\n";
        let config = config(all).unwrap();
        let url = |agent: &str| config.callback_of(agent).map(|callback| callback.url.to_string());
        assert_eq!(url("scripted").as_deref(), Some("https://h/a"));
        assert_eq!((url("x"), url("y").as_deref()), (None, Some("https://h/y")));
        let callback = config.callback_of("y").unwrap();
        assert_eq!(
            (callback.timeout, callback.tries, callback.fallback),
            (Duration::from_secs(2), 2, Fallback::AsConfigured)
        );
        assert!(!format!("{:?}", callback.secret).contains("s3cret"));
    }

    #[test]
    fn mistakes_are_named_and_none_is_the_default() {
        assert!(config("").unwrap().callback_of("scripted").is_none());
        for (file, wrong) in [
            ("[callback]\nurl = 'h/a'", "callback.url = h/a"),
            ("[callback]\ntries = 0", "must be from 1 to 10"),
            ("[callback]\nurl = 'https://h/a'\nfallback = 'suport'", "there is no agent called 'suport'"),
            ("[agents.x]\nkind = 'echo'\ncallback = 'on'", "must be off, or an address"),
        ] {
            let problem = config(file).unwrap_err().to_string();
            assert!(problem.contains(wrong), "{problem}");
        }
    }
}
