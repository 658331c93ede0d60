//! `[mcp.NAME]`: servers of the Model Context Protocol whose tools agents may call.

use super::{Reader, tools::header};
use crate::{
    error::{Error, Result, nearest},
    network::url::Url,
    redact::Secret,
    unit::parse_duration,
};
use std::{sync::Arc, time::Duration};

/// How long a server may take, if its table does not say.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One server.
#[derive(Clone, Debug, PartialEq)]
pub struct McpServer {
    /// Its name.
    pub name: String,
    /// Where it takes POSTs.
    pub url: Url,
    /// Headers that it is sent.
    pub headers: Vec<(String, Secret)>,
    /// The tools of it that are offered; empty is all.
    pub tools: Vec<String>,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Reader<'_> {
    pub(super) fn mcp(&self) -> Result<Vec<Arc<McpServer>>> {
        self.layers.names_under("mcp").iter().map(|name| self.mcp_server(name).map(Arc::new)).collect()
    }

    fn mcp_server(&self, name: &str) -> Result<McpServer> {
        let key = |field: &str| format!("mcp.{name}.{field}");
        let list = |field: &str| self.layers.value(&key(field)).map(|(value, _)| value.items()).unwrap_or_default();
        if self.layers.value(&key("url")).is_none() {
            let problem = format!("{} is not given", key("url"));
            return Err(Error::usage(problem).hint("name where it is: url = \"https://tools.example.com/mcp\""));
        }
        let lines = list("headers").into_iter().filter(|line| !line.trim().is_empty());
        let headers: Option<Vec<_>> = lines.map(|line| header(&line)).collect();
        Ok(McpServer {
            name: name.to_owned(),
            url: self.parsed(&key("url"), Url::parse)?,
            headers: headers.ok_or_else(|| self.wrong(&key("headers"), "must be a list of \"NAME: VALUE\""))?,
            tools: list("tools"),
            timeout: self.optional(&key("timeout"), parse_duration)?.unwrap_or(TIMEOUT),
        })
    }

    /// The servers of a profile by their names.
    pub(super) fn mcp_named(&self, all: &[Arc<McpServer>], key: &str) -> Result<Vec<Arc<McpServer>>> {
        let names = self.layers.value(key).map(|(names, _)| names.items()).unwrap_or_default();
        let one = |name: &String| {
            all.iter().find(|server| server.name == *name).cloned().ok_or_else(|| {
                let error = Error::usage(format!("{key} names {name}, but there is no [mcp.{name}]"));
                match nearest(name, all.iter().map(|server| server.name.as_str())) {
                    Some(near) => error.hint(format!("did you mean {near}?")),
                    None => error.hint(format!("describe it: [mcp.{name}] with url")),
                }
            })
        };
        names.iter().filter(|name| !name.is_empty()).map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Layers};
    use std::path::Path;

    fn config(file: &str) -> crate::error::Result<Config> {
        let mut layers = Layers::defaults();
        layers.add_file_text(file, Path::new("voxgw.toml"))?;
        layers.check_names()?;
        Config::from_layers(&layers)
    }

    #[test]
    fn a_server_is_read_and_its_secrets_are_not_shown() {
        let file = "[mcp.shop]\nurl = 'https://h/mcp'\nheaders = ['Authorization: Bearer s3cret']\ntools = ['order']\n\
                    timeout = '3s'\n[agents.a]\nkind = 'gemini'\nmcp = ['shop']";
        let config = config(file).unwrap();
        let server = &config.profile("a").unwrap().mcp[0];
        assert_eq!((server.tools.as_slice(), server.timeout.as_secs()), (&["order".to_owned()][..], 3));
        assert!(!format!("{server:?}").contains("s3cret") && crate::config::is_secret("mcp.shop.headers"));
    }

    #[test]
    fn mistakes_are_named() {
        for (file, wrong) in [
            ("[mcp.a]\ntimeout = '1s'", "mcp.a.url is not given"),
            ("[mcp.a]\nurl = 'ftp://h/x'", "must begin with https://"),
            ("[mcp.a]\nurl = 'https://h/x'\nheaders = ['x']", "NAME: VALUE"),
            ("[mcp.shop]\nurl = 'https://h/x'\n[agents.b]\nkind = 'openai'\nmcp = ['shp']", "there is no [mcp.shp]"),
        ] {
            let problem = config(file).unwrap_err().to_string();
            assert!(problem.contains(wrong), "{problem}");
        }
    }
}
