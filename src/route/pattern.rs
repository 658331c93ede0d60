//! What texts are compared with: `100`, `+49*`, `*00`, `/^(10|20)\d$/`; headers and users in the same words.

use regex::{Regex, RegexBuilder};
use std::{fmt, str::FromStr};

/// Compiled size of one expression: enough for any number plan, too little to exhaust memory.
const REGEX_MAX: usize = 1 << 20;

/// A pattern. Letters are compared as they are; `/(?i)…/` does not mind their case.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Any,
    Exact,
    Starts(String),
    Ends(String),
    Holds(String),
    Regex(Regex),
}

impl Pattern {
    /// Whether `value` is meant.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match &self.kind {
            Kind::Any => true,
            Kind::Exact => self.text == value,
            Kind::Starts(start) => value.starts_with(start),
            Kind::Ends(end) => value.ends_with(end),
            Kind::Holds(part) => value.contains(part),
            Kind::Regex(regex) => regex.is_match(value),
        }
    }

    /// `*`.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        matches!(self.kind, Kind::Any)
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let inner = text.strip_prefix('/').map(|rest| rest.strip_suffix('/').ok_or("a /regex/ ends with a slash"));
        let kind = if let Some(inner) = inner.transpose()? {
            // Linear in the value's length whatever it says: callers choose the value.
            let regex = RegexBuilder::new(inner).size_limit(REGEX_MAX).build();
            Kind::Regex(regex.map_err(|problem| format!("'{text}' is no regular expression: {}", last_line(&problem)))?)
        } else {
            let (starts_open, ends_open) = (text.starts_with('*'), text.ends_with('*'));
            let core = text.trim_matches('*');
            if core.contains('*') {
                return Err(format!("'{text}': * stands at either end only; else write a /regex/"));
            }
            match (starts_open, ends_open) {
                _ if text.is_empty() => return Err("an empty pattern matches nothing; * matches anything".into()),
                _ if core.is_empty() => Kind::Any,
                (false, false) => Kind::Exact,
                (false, true) => Kind::Starts(core.to_owned()),
                (true, false) => Kind::Ends(core.to_owned()),
                (true, true) => Kind::Holds(core.to_owned()),
            }
        };
        Ok(Self { text: text.to_owned(), kind })
    }
}

/// The crate draws the place on lines of its own; the last one says what is wrong.
fn last_line(problem: &regex::Error) -> String {
    let text = problem.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A header that must be there: `X-Tenant: acme*`.
#[derive(Clone, Debug)]
pub struct HeaderIs {
    /// Its name, in any case.
    pub name: String,
    /// What its value may be.
    pub values: Vec<Pattern>,
}

impl FromStr for HeaderIs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or_else(|| format!("'{text}': write NAME: PATTERN"))?;
        let name = name.trim();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("'{text}': '{name}' is no header name"));
        }
        Ok(Self { name: name.to_owned(), values: vec![value.trim().parse()?] })
    }
}

/// Whether a registered user calls, and who.
#[derive(Clone, Debug)]
pub enum Registered {
    /// Somebody, or nobody.
    Is(bool),
    /// One of these users.
    As(Vec<Pattern>),
}

impl Registered {
    /// Whether `user` is meant.
    #[must_use]
    pub fn matches(&self, user: Option<&str>) -> bool {
        match self {
            Self::Is(wanted) => user.is_some() == *wanted,
            Self::As(patterns) => user.is_some_and(|user| patterns.iter().any(|pattern| pattern.matches(user))),
        }
    }
}

impl fmt::Display for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(wanted) => write!(f, "{wanted}"),
            Self::As(patterns) => f.write_str(&super::either(patterns)),
        }
    }
}
