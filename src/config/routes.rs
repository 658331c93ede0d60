//! `[[routes]]`: from keys to rules, with every mistake named by its rule, key and line.

use super::{Config, Reader, Signalling, Trunk, Value};
use crate::{
    error::{Error, Result},
    route::{HeaderIs, Registered, Rewrite, Rule, Target},
    sip::endpoint::Authenticate,
    unit::parse_duration,
};
use jiff::tz::{Offset, TimeZone};
use std::str::FromStr;

/// Longest name of a rule: it goes into a header of every refusal.
const NAME_MAX: usize = 64;
const TARGETS: [&str; 6] = ["agent", "refuse", "user", "trunk_out", "ivr", "conference"];

impl Reader<'_> {
    /// All rules in order.
    pub(super) fn routes(&self) -> Result<Vec<Rule>> {
        let mut rules: Vec<Rule> = Vec::new();
        for number in self.layers.rule_numbers() {
            let rule = OneRule { reader: self, number }.read()?;
            if rules.iter().any(|known| known.name == rule.name) {
                return Err(self.wrong(&format!("routes.{number}.name"), "is the name of a rule before it"));
            }
            rules.push(rule);
        }
        Ok(rules)
    }
}

struct OneRule<'a> {
    reader: &'a Reader<'a>,
    number: usize,
}

impl OneRule<'_> {
    fn key(&self, field: &str) -> String {
        format!("routes.{}.{field}", self.number)
    }

    fn read(&self) -> Result<Rule> {
        let name = self.reader.optional(&self.key("name"), name)?.ok_or_else(|| {
            Error::usage(format!("routes.{}: this rule has no name{}", self.number, self.origin()))
                .hint("give it one: name = \"support\"")
        })?;
        let mut rule = Rule::new(&name, self.target(&name)?);
        rule.to = self.all("to", patterns)?;
        rule.from = self.all("from", patterns)?;
        rule.trunk = self.all("trunk", patterns)?;
        rule.source = self.all("source", Value::items)?;
        rule.headers = by_name(self.all("header", whole)?);
        rule.time = self.all("time", whole)?;
        rule.registered = match self.texts("registered", patterns).as_deref() {
            None => None,
            Some([word]) if word == "true" || word == "false" => Some(Registered::Is(word == "true")),
            Some(_) => Some(Registered::As(self.all("registered", patterns)?)),
        };
        rule.ring = self.reader.optional(&self.key("ring"), parse_duration)?;
        let flag = |text: &str| text.parse().map_err(|_| "must be true or false".to_owned());
        rule.ringback = self.reader.optional(&self.key("ringback"), flag)?.unwrap_or(false);
        if rule.ring.is_some() && !matches!(rule.target, Target::User(_) | Target::Trunk(_)) {
            return Err(self.reader.wrong(&self.key("ring"), &format!("rule {name} has no user and no trunk_out")));
        }
        rule.rewrite_to = self.rewrite("rewrite_to")?;
        rule.rewrite_from = self.rewrite("rewrite_from")?;
        Ok(rule)
    }

    /// Where the rule is, by its first key.
    fn origin(&self) -> String {
        let prefix = format!("routes.{}.", self.number);
        let first = self.reader.layers.iter().find(|(key, ..)| key.starts_with(&prefix));
        first.map(|(key, _, origin)| format!(" ({key} is in {origin})")).unwrap_or_default()
    }

    fn target(&self, name: &str) -> Result<Target> {
        let text = |field: &str| self.reader.optional(&self.key(field), |text| Ok(text.to_owned()));
        let given: Vec<&str> =
            TARGETS.into_iter().filter(|field| self.reader.layers.value(&self.key(field)).is_some()).collect();
        let targets = "agent, refuse, user, trunk_out, ivr or conference";
        match given[..] {
            [] => {
                let error = Error::usage(format!("routes.{}: rule {name} has no target{}", self.number, self.origin()));
                return Err(error.hint(format!("give it one of {targets}")));
            }
            [_] => {}
            [first, second, ..] => {
                let problem = format!("rule {name} has {first} already; a rule has one of {targets}");
                return Err(self.reader.wrong(&self.key(second), &problem));
            }
        }
        let reason = self.reader.optional(&self.key("reason"), quotable)?;
        if reason.is_some() && given[0] != "refuse" {
            return Err(self.reader.wrong(&self.key("reason"), &format!("rule {name} does not refuse")));
        }
        let empty = || self.reader.wrong(&self.key(given[0]), "is empty");
        Ok(match given[0] {
            "agent" => Target::Agent(text("agent")?.ok_or_else(empty)?),
            "ivr" => Target::Ivr(text("ivr")?.ok_or_else(empty)?),
            "user" => Target::User(text("user")?.ok_or_else(empty)?),
            "trunk_out" => Target::Trunk(text("trunk_out")?.ok_or_else(empty)?),
            "conference" => Target::Conference(self.reader.parsed(&self.key("conference"), self::name)?),
            _ => Target::Refuse { status: self.reader.parsed(&self.key("refuse"), status)?, reason },
        })
    }

    fn rewrite(&self, field: &str) -> Result<Rewrite> {
        let strip = self.reader.optional(&self.key(&format!("{field}.strip")), |text| {
            text.parse().map_err(|_| "must be a whole number of characters".to_owned())
        })?;
        let prefix = self.reader.optional(&self.key(&format!("{field}.prefix")), quotable)?;
        Ok(Rewrite { strip: strip.unwrap_or(0), prefix: prefix.unwrap_or_default() })
    }

    fn texts(&self, field: &str, split: fn(&Value) -> Vec<String>) -> Option<Vec<String>> {
        self.reader.layers.value(&self.key(field)).map(|(value, _)| split(value))
    }

    /// A condition's items; an empty list would be a condition that never holds, so it is a mistake.
    fn all<T: FromStr<Err = String>>(&self, field: &str, split: fn(&Value) -> Vec<String>) -> Result<Vec<T>> {
        let Some(texts) = self.texts(field, split) else { return Ok(Vec::new()) };
        if texts.is_empty() {
            return Err(self.reader.wrong(&self.key(field), "is empty; leave it out if anything will do"));
        }
        let items: Result<_, String> = texts.iter().map(|text| text.parse()).collect();
        items.map_err(|problem| self.reader.wrong(&self.key(field), &problem))
    }
}

/// A regex may hold commas; everything else is split at them.
fn patterns(value: &Value) -> Vec<String> {
    match value {
        Value::Text(text) if !text.starts_with('/') && !text.is_empty() => value.items(),
        _ => whole(value),
    }
}

/// One text is one item, commas and all.
fn whole(value: &Value) -> Vec<String> {
    match value {
        Value::Text(text) => vec![text.clone()],
        Value::List(items) => items.clone(),
    }
}

fn by_name(headers: Vec<HeaderIs>) -> Vec<HeaderIs> {
    let mut all: Vec<HeaderIs> = Vec::new();
    for header in headers {
        match all.iter_mut().find(|known| known.name.eq_ignore_ascii_case(&header.name)) {
            Some(known) => known.values.extend(header.values),
            None => all.push(header),
        }
    }
    all
}

fn name(text: &str) -> Result<String, String> {
    if text.chars().count() > NAME_MAX {
        return Err(format!("is longer than {NAME_MAX} characters"));
    }
    quotable(text)
}

/// What may stand between quotes in a SIP header.
fn quotable(text: &str) -> Result<String, String> {
    if text.chars().any(|c| c.is_control() || matches!(c, '"' | '\\')) {
        return Err("may hold no quotes, backslashes or control characters".into());
    }
    Ok(text.to_owned())
}

fn status(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|status| (300..700).contains(status)).ok_or_else(|| "must be from 300 to 699".to_owned())
}

/// `local`, `UTC`, `+01:00`, `Europe/Berlin`.
pub(super) fn zone(text: &str) -> Result<TimeZone, String> {
    match text {
        "local" => return Ok(TimeZone::system()),
        "UTC" | "utc" => return Ok(TimeZone::UTC),
        _ => {}
    }
    let Some(clock) = text.strip_prefix(['+', '-']) else {
        return TimeZone::get(text)
            .map_err(|_| "the system does not know this zone; write local, UTC or an offset like +01:00".to_owned());
    };
    let wrong = || "must be an offset like +01:00".to_owned();
    let (hours, minutes) = clock.split_once(':').ok_or_else(wrong)?;
    let part =
        |digits: &str, most: i32| digits.parse::<i32>().ok().filter(|n| digits.len() == 2 && (0..=most).contains(n));
    let seconds = (part(hours, 23).ok_or_else(wrong)? * 60 + part(minutes, 59).ok_or_else(wrong)?) * 60;
    let sign = if text.starts_with('-') { -1 } else { 1 };
    Offset::from_seconds(sign * seconds).map(TimeZone::fixed).map_err(|_| wrong())
}

/// Every agent that a rule names must exist.
pub(super) fn check_agents(config: &Config, reader: &Reader<'_>) -> Result<()> {
    for (number, rule) in reader.layers.rule_numbers().into_iter().zip(&config.routes) {
        if let Target::Agent(agent) = &rule.target
            && let Err(problem) = config.profile(agent)
        {
            let error = reader.wrong(&format!("routes.{number}.agent"), &format!("rule {}: {problem}", rule.name));
            return Err(match problem.hint_text() {
                Some(hint) => error.hint(hint),
                None => error,
            });
        }
    }
    Ok(())
}

/// A bridge to nobody, or one that strangers may spend money with.
fn bridge_warning(rule: &Rule, signalling: &Signalling) -> Option<String> {
    let name = &rule.name;
    match &rule.target {
        Target::User(user) if !signalling.users.iter().any(|known| known.name == *user) => {
            Some(format!("rule {name}: there is no user {user} in [users]; its calls are refused with 480"))
        }
        Target::Trunk(trunk) if !signalling.trunks.iter().any(|known| known.name == *trunk) => {
            Some(format!("rule {name}: there is no trunk {trunk} in [trunks]; its calls are refused with 500"))
        }
        Target::Trunk(_) if rule.trunk.is_empty() && rule.source.is_empty() && rule.registered.is_none() => {
            Some(format!("rule {name}: anybody who reaches this gateway may call out; add registered, source or trunk"))
        }
        _ => None,
    }
}

/// Trunks whose calls come from one address.
fn shared_servers(trunks: &[Trunk]) -> Vec<String> {
    let mut told = Vec::new();
    for (n, trunk) in trunks.iter().enumerate() {
        let hosts = || trunk.servers.iter().map(|server| &server.host);
        let other = trunks[..n]
            .iter()
            .find(|other| other.servers.iter().any(|server| hosts().any(|host| *host == server.host)));
        if let Some(other) = other {
            let (first, second) = (&other.name, &trunk.name);
            told.push(format!(
                "trunks {first} and {second} have the same server: a call from there is the one's whose user it calls, else {first}'s"
            ));
        }
    }
    told
}

/// Rules that will not do what they seem to.
pub(super) fn warnings(rules: &[Rule], signalling: &Signalling) -> Vec<String> {
    let mut told = shared_servers(&signalling.trunks);
    let mut catcher: Option<&Rule> = None;
    for rule in rules {
        if let Some(first) = catcher {
            told.push(format!(
                "rule {}: never reached, because rule {} before it matches every call",
                rule.name, first.name
            ));
        }
        told.extend(bridge_warning(rule, signalling));
        let matches = |trunk: &Trunk| rule.trunk.iter().any(|pattern| pattern.matches(&trunk.name));
        if !rule.trunk.is_empty() && !signalling.trunks.iter().any(matches) {
            told.push(format!("rule {}: no trunk in the config has that name; this rule never matches", rule.name));
        }
        if signalling.authenticate == Authenticate::Register
            && rule.registered.as_ref().is_some_and(|registered| !registered.matches(None))
        {
            told.push(format!(
                "rule {}: nobody proves who calls while sip.authenticate = register; set users or all",
                rule.name
            ));
        }
        if catcher.is_none() && rule.catches_all() {
            catcher = Some(rule);
        }
    }
    told
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
    fn rules_keep_the_order_of_the_file() {
        let rule = |number| format!("[[routes]]\nname = 'r{number}'\nto = '{number}'\nagent = 'echo'\n");
        let file: String = (1..=11).map(rule).collect();
        let names: Vec<String> = config(&file).unwrap().routes.into_iter().map(|rule| rule.name).collect();
        assert_eq!(names[1..], (2..=11).map(|n| format!("r{n}")).collect::<Vec<_>>());
        assert_eq!(names[0], "r1");
    }

    #[test]
    fn every_field_is_read() {
        let config = config(
            "[call]\ntime_zone = '+01:00'\n[[routes]]\nname = 'a'\nto = ['1*', '/^2,?/']\nfrom = '7,8'\n\
             source = '10.0.0.0/8'\nheader = ['X-A: 1', 'x-a: 2', 'X-B: *']\ntime = 'Mon,Tue 08:00-09:00'\n\
             registered = 'al*'\ntrunk = 't'\nrefuse = 486\nreason = 'busy, sorry'\n\
             rewrite_to = { strip = 1, prefix = '+' }\nrewrite_from.prefix = '0'\n",
        )
        .unwrap();
        let rule = &config.routes[0];
        assert_eq!((rule.to.len(), rule.from.len(), rule.source.len(), rule.time.len()), (2, 2, 1, 1));
        assert_eq!(rule.headers.iter().map(|header| header.values.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(rule.target.to_string(), "refuse 486 (busy, sorry)");
        assert_eq!((rule.rewrite_to.of("049"), rule.rewrite_from.of("7")), ("+49".into(), "07".into()));
        assert_eq!(config.warnings().len(), 2, "{:?}", config.warnings());
    }

    #[test]
    fn mistakes_name_rule_key_and_line() {
        let first = "[[routes]]\nname = 'one'\nto = '1'\nagent = 'echo'\n";
        for (second, words) in [
            (
                "[[routes]]\nname = 'two'\nto = '1*1'\nagent = 'echo'",
                &["routes.2.to = 1*1 (from voxgw.toml line 7)"][..],
            ),
            ("[[routes]]\nname = 'two'\nagent = 'ecko'", &["routes.2.agent", "line 7", "rule two", "ecko"]),
            ("[[routes]]\nname = 'one'\nagent = 'echo'", &["routes.2.name = one", "line 6", "before it"]),
            ("[[routes]]\nagent = 'echo'", &["routes.2", "no name", "line 6"]),
            ("[[routes]]\nname = 'two'", &["routes.2", "two", "no target", "line 6"]),
            ("[[routes]]\nname = 'two'\nagent = 'echo'\nrefuse = 403", &["routes.2.refuse", "line 8", "has agent"]),
            ("[[routes]]\nname = 'two'\nagent = 'echo'\nring = '5s'", &["routes.2.ring", "no trunk_out"]),
            ("[[routes]]\nname = 'two'\nrefuse = 200", &["routes.2.refuse = 200", "300 to 699"]),
            ("[[routes]]\nname = 'two'\nagent = 'echo'\nreason = 'x'", &["routes.2.reason", "does not refuse"]),
            ("[[routes]]\nname = 'a\"b'\nagent = 'echo'", &["routes.2.name", "quotes"]),
            ("[[routes]]\nname = 'two'\nto = []\nagent = 'echo'", &["routes.2.to", "empty"]),
            ("[[routes]]\nname = 'two'\nivr = ''", &["routes.2.ivr", "line 7", "empty"]),
            ("[[routes]]\nname = 'two'\nivr = 'a'\nring = '5s'", &["routes.2.ring", "no trunk_out"]),
            ("[[routes]]\nname = 'two'\ntoo = '1'\nagent = 'echo'", &["routes.2.too", "line 7"]),
            ("[[routes]]\nname = 'two'\nrewrite_to = { strip = 'x' }\nagent = 'echo'", &["routes.2.rewrite_to.strip"]),
            ("[call]\ntime_zone = 'Mars/Olympus'", &["call.time_zone = Mars/Olympus", "line 6"]),
        ] {
            let problem = config(&format!("{first}{second}\n")).unwrap_err();
            for word in words {
                assert!(problem.to_string().contains(word), "no {word:?} in {problem}");
            }
            assert!(problem.hint_text().is_some(), "{problem}");
        }
        let near = |file: &str| config(&format!("{first}{file}\n")).unwrap_err().hint_text().unwrap().to_owned();
        assert!(near("[[routes]]\nname = 'two'\nagent = 'ecko'").contains("echo"));
        assert!(near("[[routes]]\nname = 'two'\ntoo = '1'").contains("routes.2.to"));
        assert!(config("[routes]\nto = '1'").unwrap_err().hint_text().unwrap().contains("[[routes]]"));
        assert!(config("routes = 5").is_err() && config("[routes.x]\nto = '1'").is_err());
    }

    #[test]
    fn what_will_not_happen_is_warned_about() {
        let warnings = |file: &str| config(file).unwrap().warnings().join("\n");
        let all = "[[routes]]\nname = 'all'\nto = '*'\nagent = 'echo'\n";
        assert!(warnings(all).is_empty());
        assert!(warnings(&format!("{all}[[routes]]\nname = 'late'\nagent = 'echo'")).contains("late: never reached"));
        assert!(warnings("[[routes]]\nname = 'u'\nuser = 'bob'").contains("no user bob"));
        assert!(warnings("[[routes]]\nname = 'u'\ntrunk_out = 'bob'").contains("no trunk bob"));
        let carrier = "[trunks.carrier]\nserver = 'sip:h'\n[[routes]]\nname = 'u'\ntrunk_out = 'carrier'\n";
        assert!(warnings(carrier).contains("anybody"));
        assert!(warnings(&format!("{carrier}source = '10.0.0.0/8'")).is_empty());
        assert!(warnings("[[routes]]\nname = 'r'\nregistered = true\nagent = 'echo'").contains("sip.authenticate"));
        let known = "[sip]\nauthenticate = 'all'\n[trunks.carrier]\nserver = 'sip:h'\n[[routes]]\nname = 'r'\n";
        assert!(warnings(&format!("{known}registered = true\nagent = 'echo'")).is_empty());
        assert!(warnings(&format!("{known}trunk = 'carr*'\nagent = 'echo'")).is_empty());
        assert!(warnings(&format!("{known}trunk = 'other'\nagent = 'echo'")).contains("no trunk"));
        assert!(warnings("[[routes]]\nname = 'r'\nregistered = false\nagent = 'echo'").is_empty());
    }

    #[test]
    fn zones_are_offsets_or_names() {
        for good in ["local", "UTC", "+01:00", "-05:30"] {
            assert!(zone(good).is_ok(), "{good}");
        }
        for bad in ["", "+1", "+25:00", "+00:60", "+ü1:00", "Mars/Olympus"] {
            assert!(zone(bad).is_err(), "{bad}");
        }
    }
}
