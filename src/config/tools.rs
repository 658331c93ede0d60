//! `[tools.NAME]`: what agents may call over HTTP, and which profile may call what.

use super::Reader;
use crate::{
    agent::wire::{
        builtin::{self, BUILT_IN},
        tool::{self, Tool},
    },
    error::{Error, Result, nearest},
    network::url::Url,
    redact::Secret,
    unit::parse_duration,
};
use hyper::Method;
use std::{sync::Arc, time::Duration};

/// How long a tool may take, if its table does not say: models and callers lose patience after that.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A tool that is a request.
#[derive(Clone, Debug)]
pub struct HttpTool {
    /// What models are told of it.
    pub tool: Tool,
    /// Where it is; `{{name}}` stands for an argument or what is known of the call.
    pub url: String,
    /// How it is asked.
    pub method: Method,
    /// Headers that it is sent; values may hold `{{name}}` too.
    pub headers: Vec<(String, Secret)>,
    /// How long it may take.
    pub timeout: Duration,
}

impl HttpTool {
    /// Whether arguments go into the query and not into a body.
    #[must_use]
    pub fn asks_by_query(&self) -> bool {
        matches!(self.method, Method::GET | Method::DELETE | Method::HEAD)
    }
}

impl Reader<'_> {
    pub(super) fn tools(&self) -> Result<Vec<Arc<HttpTool>>> {
        self.layers.names_under("tools").iter().map(|name| self.tool(name).map(Arc::new)).collect()
    }

    fn tool(&self, name: &str) -> Result<HttpTool> {
        let key = |field: &str| format!("tools.{name}.{field}");
        if !tool::is_name(name) {
            let problem = format!("[tools.{name}]: models take no such name");
            return Err(Error::usage(problem).hint("letters, digits, _ and -, no digit first, 64 at most"));
        }
        if builtin::by_name(name).is_some() || name == "callback" {
            let problem = format!("[tools.{name}]: the gateway has a tool of this name itself");
            return Err(Error::usage(problem).hint("choose another name"));
        }
        let text = |field: &str| self.optional(&key(field), |text| Ok(text.to_owned()));
        let needed = |field: &str, example: &str| {
            text(field)?.ok_or_else(|| Error::usage(format!("{} is not given", key(field))).hint(example.to_owned()))
        };
        let description = needed("description", "say what it does and when to call it: the model reads it")?;
        needed("url", "name where it is: url = \"https://crm.example.com/orders\"")?;
        let url = self.parsed(&key("url"), template)?;
        let headers = self.layers.value(&key("headers")).map(|(value, _)| match value {
            super::Value::Text(text) => vec![text.clone()],
            super::Value::List(items) => items.clone(),
        });
        let headers = headers.unwrap_or_default().into_iter().filter(|line| !line.trim().is_empty());
        let headers: Option<Vec<_>> = headers.map(|line| header(&line)).collect();
        Ok(HttpTool {
            tool: Tool {
                name: name.to_owned(),
                description,
                parameters: self.optional(&key("parameters"), tool::schema)?,
            },
            url,
            method: self
                .optional(&key("method"), |text| match text.to_ascii_uppercase().as_str() {
                    "GET" => Ok(Method::GET),
                    "POST" => Ok(Method::POST),
                    "PUT" => Ok(Method::PUT),
                    "PATCH" => Ok(Method::PATCH),
                    "DELETE" => Ok(Method::DELETE),
                    _ => Err("must be one of GET, POST, PUT, PATCH, DELETE".to_owned()),
                })?
                .unwrap_or(Method::POST),
            headers: headers.ok_or_else(|| self.wrong(&key("headers"), "must be a list of \"NAME: VALUE\""))?,
            timeout: self.optional(&key("timeout"), parse_duration)?.unwrap_or(TIMEOUT),
        })
    }
}

/// The tools of a profile by their names: requests of ours, and what its model is told of all of them.
///
/// # Errors
/// Names one that is not there.
pub fn named(all: &[Arc<HttpTool>], names: &[String], key: &str) -> Result<(Vec<Arc<HttpTool>>, Vec<Tool>)> {
    let (mut requests, mut offered) = (Vec::new(), Vec::<Tool>::new());
    for name in names {
        if offered.iter().any(|known| known.name == *name) {
            continue;
        }
        if let Some(tool) = all.iter().find(|tool| tool.tool.name == *name) {
            requests.push(Arc::clone(tool));
            offered.push(tool.tool.clone());
        } else if let Some(row) = builtin::by_name(name) {
            offered.push(row.tool());
        } else {
            let error = Error::usage(format!("{key} names {name}, but there is no [tools.{name}]"));
            let known = all.iter().map(|tool| tool.tool.name.as_str()).chain(BUILT_IN.iter().map(|row| row.name));
            return Err(match nearest(name, known) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error.hint(format!("describe it: [tools.{name}] with description and url")),
            });
        }
    }
    Ok((requests, offered))
}

/// An address whose path and query may have `{{name}}`. Its host may not: no caller chooses whom we ask.
fn template(text: &str) -> Result<String, String> {
    let host_ends = text.find("://").and_then(|at| text[at + 3..].find(['/', '?']).map(|end| at + 3 + end));
    if text[..host_ends.unwrap_or(text.len())].contains("{{") {
        return Err("must name its host without {{…}}".to_owned());
    }
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let (_, behind) = after.split_once("}}").ok_or("has {{ without }}")?;
        plain.push_str(before);
        plain.push('x');
        rest = behind;
    }
    plain.push_str(rest);
    Url::parse(&plain).map(|_| text.to_owned())
}

pub(super) fn header(line: &str) -> Option<(String, Secret)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim();
    let fits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (fits && !value.chars().any(char::is_control)).then(|| (name.to_owned(), Secret::new(value)))
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
    fn a_tool_is_read_and_its_secrets_are_not_shown() {
        let file = r#"
            [tools.order]
            description = "State of an order"
            url = "https://crm.example.com/orders/{{number}}?by={{from}}"
            method = "get"
            headers = ["Authorization: Bearer s3cret-of-the-crm"]
            parameters = '{"type":"object","properties":{"number":{"type":"string"}},"required":["number"]}'
            [agents.shop]
            kind = "gemini"
            tools = ["order", "hang_up", "order"]
        "#;
        let config = config(file).unwrap();
        let shop = config.profile("shop").unwrap();
        let offered: Vec<&str> = shop.remote.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!((offered, shop.tools.len()), (vec!["order", "hang_up"], 1));
        let tool = &shop.tools[0];
        assert_eq!((tool.method.as_str(), tool.timeout.as_secs()), ("GET", 10));
        assert!(!format!("{tool:?}").contains("s3cret"));
        assert!(crate::config::is_secret("tools.order.headers") && !crate::config::is_secret("sip.headers"));
    }

    #[test]
    fn mistakes_in_tools_are_named() {
        let full = |more: &str| format!("[tools.order]\ndescription = 'x'\nurl = 'https://h/x'\n{more}");
        for (file, wrong) in [
            ("[tools.order]\nurl = 'https://h/x'".to_owned(), "tools.order.description is not given"),
            ("[tools.order]\ndescription = 'x'".to_owned(), "tools.order.url is not given"),
            ("[tools.hang_up]\nurl = 'https://h/x'".to_owned(), "of this name itself"),
            ("[tools.1st]\nurl = 'https://h/x'".to_owned(), "models take no such name"),
            (full("method = 'TRACE'"), "must be one of GET"),
            (full("headers = ['Authorization']"), "must be a list of \"NAME: VALUE\""),
            (full("parameters = '{}'"), "JSON Schema of an object"),
            (full("[agents.a]\nkind = 'openai'\ntools = ['ordr']"), "there is no [tools.ordr]"),
            (full("").replace("https://h", "https://{{from}}"), "without {{…}}"),
            (full("").replace("https://h", "wss://h"), "must begin with https://"),
        ] {
            let problem = config(&file).unwrap_err().to_string();
            assert!(problem.contains(wrong), "{problem}");
            assert!(!problem.contains("Authorization"), "{problem}");
        }
    }

    #[test]
    fn a_tool_of_an_agent_that_calls_none_is_without_effect() {
        let config = config("[tools.t]\ndescription = 'x'\nurl = 'https://h/x'\n[agents.echo]\ntools = ['t']").unwrap();
        assert_eq!(config.warnings(), ["agents.echo.tools is without effect: echo has no such setting"]);
    }
}
