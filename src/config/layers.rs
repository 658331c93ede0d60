//! The layers of a config and where each value came from.

use super::{KEYS, keys::row};
use crate::error::{Error, Result, nearest};
use std::{collections::BTreeMap, fmt, path::Path};
use toml::de::{DeTable, DeValue};

/// Keys whose flag is not called like the key's last word.
const FLAGS: &[(&str, &str)] = &[
    ("sip.listen", "sip"),
    ("api.listen", "api"),
    ("api.token_file", "api-token-file"),
    ("media.codecs", "codec"),
    ("recording.folder", "recordings"),
    ("recording.mode", "record"),
    ("log.level", "log"),
    ("log.format", "log-format"),
    ("log.file", "log-file"),
];

/// The one list of tables: `[[routes]]` is `routes.1`, `routes.2`, in the order of the file.
const RULES: &str = "routes";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The table of keys.
    Default,
    /// A file and its line.
    File(String, usize),
    /// `.env`.
    DotEnv(String),
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{path} line {line}"),
            Self::DotEnv(name) => write!(f, ".env {name}"),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A value: text, or a list of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// One.
    Text(String),
    /// Several.
    List(Vec<String>),
}

impl Value {
    /// All items; one text is a list of one, or of its parts between commas.
    #[must_use]
    pub fn items(&self) -> Vec<String> {
        match self {
            Self::Text(text) => {
                text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
            }
            Self::List(items) => items.clone(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::List(items) => f.write_str(&items.join(",")),
        }
    }
}

/// Values by dotted path, each with its origin; later layers replace earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    values: BTreeMap<String, (Value, Origin)>,
}

impl Layers {
    /// The defaults of the table of keys.
    #[must_use]
    pub fn defaults() -> Self {
        let mut layers = Self::default();
        for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
            let parsed: Result<toml::Table, _> = format!("x = {}", key.default).parse();
            if let Some(value) = parsed.ok().and_then(|table| table.get("x").and_then(value_of)) {
                layers.values.insert(key.path.to_owned(), (value, Origin::Default));
            }
        }
        layers
    }

    /// Adds the text of a config file; `path` is for messages and relative paths.
    ///
    /// # Errors
    /// Names the file and the place.
    pub fn add_file_text(&mut self, text: &str, path: &Path) -> Result<()> {
        let table: toml::Table = text.parse().map_err(|problem: toml::de::Error| {
            Error::usage(format!("{}: {}", path.display(), problem.to_string().trim_end()))
                .hint("voxgw config init --print shows a complete file")
        })?;
        if table
            .get(RULES)
            .is_some_and(|rules| !rules.as_array().is_some_and(|all| all.iter().all(toml::Value::is_table)))
        {
            let error = Error::usage(format!("{}: {RULES} is a list of rules", path.display()));
            return Err(error.hint(format!("begin each rule with [[{RULES}]]")));
        }
        let lines = lines_of(text);
        let mut found = Vec::new();
        flatten("", &toml::Value::Table(table), &mut found);
        for (key, value) in found {
            let value = value.map_err(|problem| Error::usage(format!("{}: {key}: {problem}", path.display())))?;
            let value =
                expand(value).map_err(|problem| Error::usage(format!("{}: {key}: {problem}", path.display())))?;
            let line = lines.get(&key).copied().unwrap_or(1);
            self.values.insert(key, (value, Origin::File(path.display().to_string(), line)));
        }
        Ok(())
    }

    /// Adds `VOXGW__SECTION__KEY` variables.
    ///
    /// # Errors
    /// Names a variable whose key is not known.
    pub fn add_environment(&mut self, variables: &[(String, String)], source: &str) -> Result<()> {
        for (name, value) in variables {
            let Some(path) = name.strip_prefix("VOXGW__") else { continue };
            let key = path.to_ascii_lowercase().replace("__", ".");
            self.add_variable(&key, value, name, source);
        }
        self.check_names()
    }

    /// Adds a flag's value.
    pub fn add_flag(&mut self, key: &str, value: &str) {
        let last = key.rsplit('.').next().unwrap_or(key);
        let name = FLAGS.iter().find(|(known, _)| *known == key).map_or(last, |(_, flag)| *flag).replace('_', "-");
        self.values.insert(key.to_owned(), (Value::Text(value.to_owned()), Origin::Flag(name)));
    }

    /// Adds a value under the origin of a variable: of `.env`, or else of the environment.
    pub fn add_variable(&mut self, key: &str, value: &str, name: &str, source: &str) {
        let origin =
            if source == ".env" { Origin::DotEnv(name.to_owned()) } else { Origin::Environment(name.to_owned()) };
        self.values.insert(key.to_owned(), (Value::Text(value.to_owned()), origin));
    }

    /// A value and its origin.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<(&Value, &Origin)> {
        self.values.get(key).map(|(value, origin)| (value, origin))
    }

    /// All values in order of their keys, rules by their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value, &Origin)> {
        let mut all: Vec<_> = self.values.iter().map(|(key, (value, origin))| (key.as_str(), value, origin)).collect();
        all.sort_by_key(|(key, ..)| rule_number(key).map_or((*key, 0), |number| (RULES, number)));
        all.into_iter()
    }

    /// Numbers of the rules, in order.
    #[must_use]
    pub fn rule_numbers(&self) -> Vec<usize> {
        let mut numbers: Vec<usize> = self.values.keys().filter_map(|key| rule_number(key)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Names of the tables right under `prefix`.
    #[must_use]
    pub fn names_under(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .values
            .keys()
            .filter_map(|key| key.strip_prefix(prefix)?.strip_prefix('.')?.rsplit_once('.'))
            .map(|(name, _)| name.to_owned())
            .collect();
        names.dedup();
        names
    }

    /// Every key must be in the table.
    ///
    /// # Errors
    /// Names the key, where it is, and the nearest name.
    pub fn check_names(&self) -> Result<()> {
        for (key, (_, origin)) in &self.values {
            if row(key).is_none() {
                let error = Error::usage(format!("unknown key {key} in {origin}"));
                if key.starts_with("routes.") && rule_number(key).is_none() {
                    return Err(error.hint("rules have numbers: routes.1.to is the first one's"));
                }
                let candidates: Vec<String> = KEYS.iter().map(|known| concrete(known.path, key)).collect();
                return Err(match nearest(key, candidates.iter().map(String::as_str)) {
                    Some(near) => error.hint(format!("did you mean {near}?")),
                    None => error.hint("voxgw config show lists all keys"),
                });
            }
        }
        Ok(())
    }
}

/// The number in `routes.1.to`.
fn rule_number(key: &str) -> Option<usize> {
    key.strip_prefix(RULES)?.strip_prefix('.')?.split('.').next()?.parse().ok()
}

/// The row with the name that `key` has in place of the `*`.
fn concrete(path: &str, key: &str) -> String {
    let name = key.split('.').nth(1).unwrap_or("NAME");
    path.replace('*', name)
}

fn value_of(value: &toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => Value::Text(text.clone()),
        toml::Value::Integer(number) => Value::Text(number.to_string()),
        toml::Value::Float(number) => Value::Text(number.to_string()),
        toml::Value::Boolean(flag) => Value::Text(flag.to_string()),
        toml::Value::Array(items) => {
            Value::List(items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()?)
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => return None,
    })
}

fn flatten(prefix: &str, value: &toml::Value, found: &mut Vec<(String, Result<Value, String>)>) {
    if let toml::Value::Table(table) = value {
        for (name, value) in table {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            flatten(&path, value, found);
        }
        return;
    }
    if let (RULES, toml::Value::Array(rules)) = (prefix, value) {
        for (number, rule) in rules.iter().enumerate() {
            flatten(&format!("{RULES}.{}", number + 1), rule, found);
        }
        return;
    }
    let read = value_of(value).ok_or_else(|| "must be text, a number, true, false or a list of texts".to_owned());
    found.push((prefix.to_owned(), read));
}

/// Lines of all keys in a file.
fn lines_of(text: &str) -> BTreeMap<String, usize> {
    fn places(prefix: &str, value: &DeValue<'_>, found: &mut BTreeMap<String, usize>) {
        let below = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        match value {
            DeValue::Table(table) => {
                for (name, value) in table {
                    let path = below(name.get_ref());
                    found.insert(path.clone(), name.span().start);
                    places(&path, value.get_ref(), found);
                }
            }
            DeValue::Array(items) if prefix == RULES => {
                for (number, rule) in items.iter().enumerate() {
                    places(&below(&(number + 1).to_string()), rule.get_ref(), found);
                }
            }
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    if let Ok(table) = DeTable::parse(text) {
        places("", &DeValue::Table(table.into_inner()), &mut found);
    }
    let breaks: Vec<usize> = text.match_indices('\n').map(|(at, _)| at).collect();
    for place in found.values_mut() {
        *place = breaks.partition_point(|at| at < place) + 1;
    }
    found
}

/// `${VAR}` and `${file:PATH}`.
fn expand(value: Value) -> Result<Value, String> {
    Ok(match value {
        Value::Text(text) => Value::Text(expand_text(&text)?),
        Value::List(items) => Value::List(items.iter().map(|text| expand_text(text)).collect::<Result<_, _>>()?),
    })
}

fn expand_text(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let (name, tail) = after.split_once('}').ok_or("${ without }")?;
        let value = match name.strip_prefix("file:") {
            Some(path) => std::fs::read_to_string(path).map_err(|problem| format!("{path}: {problem}"))?,
            None => std::env::var(name).map_err(|_| format!("the variable {name} is not set"))?,
        };
        out.push_str(value.trim_end());
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}
