//! Conditions on a call's summary: `mos >= 3.8`, `no lint >= error`, `gap.p95 > 1200ms`.
//!
//! One table of fields. A scenario's `expect` must hold, `--fail-if` must not. Knows journals only.

use super::{
    journal::{Level, Summary},
    lint::LINTS,
};
use crate::{error::nearest, unit::parse_duration};

/// What a figure is counted in; a span is compared in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// A span of time: needs `ms`, `s` or `m`.
    Span,
    /// 0 to 100, written with or without `%`.
    Percent,
    /// A plain number.
    Number,
}

/// How a field is read.
#[derive(Clone, Copy)]
enum Read {
    Figure(Unit, fn(&Summary) -> Option<f64>),
    Word(fn(&Summary) -> String),
    /// Lints that fired; compared by level, or by name.
    Lints,
}

/// One field: its name, how it is read, what it is.
type Field = (&'static str, Read, &'static str);

/// The rows.
#[rustfmt::skip]
static FIELDS: &[Field] = &[
    ("status",       Read::Figure(Unit::Number,  |s| s.status.map(f64::from)),                "SIP status of the call"),
    ("answered",     Read::Figure(Unit::Span,    |s| s.answered_after_ms),                    "INVITE to 200"),
    ("duration",     Read::Figure(Unit::Span,    |s| Some(s.duration_s * 1_000.0)),           "first INVITE to the end"),
    ("lost",         Read::Figure(Unit::Percent, |s| heard(s).then_some(s.stats.inbound.loss_percent)),      "packets that did not come"),
    ("concealed",    Read::Figure(Unit::Percent, |s| heard(s).then_some(s.stats.inbound.concealed_percent)), "sound made up for lost packets"),
    ("jitter",       Read::Figure(Unit::Span,    |s| heard(s).then_some(s.stats.inbound.jitter_ms)),         "jitter at the end (RFC 3550)"),
    ("jitter.max",   Read::Figure(Unit::Span,    |s| heard(s).then_some(s.stats.inbound.jitter_max_ms)),     "largest jitter"),
    ("mos",          Read::Figure(Unit::Number,  |s| s.stats.inbound.mos),                    "quality of what came, 1 to 4.5"),
    ("mos.there",    Read::Figure(Unit::Number,  |s| s.stats.outbound.mos),                   "quality of what we sent, as the far end reports it"),
    ("packets.in",   Read::Figure(Unit::Number,  |s| Some(s.stats.inbound.packets as f64)),   "packets received"),
    ("packets.out",  Read::Figure(Unit::Number,  |s| Some(s.stats.outbound.packets as f64)),  "packets sent"),
    ("turns",        Read::Figure(Unit::Number,  |s| Some(f64::from(s.turns))),               "answers heard"),
    ("cuts",         Read::Figure(Unit::Number,  |s| Some(f64::from(s.cuts))),                "answers that were interrupted"),
    ("gap.p50",      Read::Figure(Unit::Span,    |s| s.gap_p50_ms),                           "silence before an answer, median"),
    ("gap.p95",      Read::Figure(Unit::Span,    |s| s.gap_p95_ms),                           "95th percentile of it"),
    ("gap.max",      Read::Figure(Unit::Span,    |s| s.gap_max_ms),                           "longest of it"),
    ("uplink.p99",   Read::Figure(Unit::Span,    |s| s.uplink.map(|spans| spans.p99_ms)),     "packet in to provider's socket"),
    ("downlink.p99", Read::Figure(Unit::Span,    |s| s.downlink.map(|spans| spans.p99_ms)),   "provider's socket to packet out"),
    ("codec",        Read::Word(|s| s.codec.clone()),                                         "codec at the end"),
    ("dtmf",         Read::Word(|s| s.dtmf.clone()),                                          "keys heard"),
    ("ended_by",     Read::Word(|s| s.ended_by.clone()),                                      "caller, callee, us, agent, network"),
    ("sip",          Read::Word(|s| s.sip.name().to_owned()),                                 "verdict: pass, fail, none"),
    ("media",        Read::Word(|s| s.media.name().to_owned()),                               "verdict"),
    ("agent",        Read::Word(|s| s.agent.name().to_owned()),                               "verdict"),
    ("lint",         Read::Lints,                                                             "checks that fired: lint >= warn, lint == jitter"),
];

/// Figures of packets mean something once one has come.
const fn heard(summary: &Summary) -> bool {
    summary.stats.inbound.packets > 0
}

/// Operators, the longer first.
const OPERATORS: [&str; 6] = ["<=", ">=", "==", "!=", "<", ">"];

/// One condition, checked when it was read.
#[derive(Clone)]
pub struct Condition {
    text: String,
    field: &'static Field,
    negated: bool,
    operator: &'static str,
    value: Value,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    /// In the field's unit.
    Figure(f64),
    Word(String),
    Level(Level),
    /// Any lint at all.
    Any,
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Condition({})", self.text)
    }
}

impl Condition {
    /// Reads `[no] FIELD OPERATOR VALUE`; `lint` may stand alone.
    ///
    /// # Errors
    /// Says what is wrong, and names what was probably meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (negated, rest) = text.strip_prefix("no ").map_or((false, text), |rest| (true, rest.trim_start()));
        let found = OPERATORS.iter().filter_map(|operator| rest.find(operator).map(|at| (at, *operator)));
        let found = found.min_by_key(|(at, operator)| (*at, usize::MAX - operator.len()));
        let (name, operator, value) = match found {
            Some((at, operator)) => (rest[..at].trim(), operator, rest[at + operator.len()..].trim()),
            None => (rest, "", ""),
        };
        let field = FIELDS.iter().find(|(known, ..)| *known == name).ok_or_else(|| {
            let names = || FIELDS.iter().map(|(name, ..)| *name);
            match nearest(name, names()) {
                Some(near) => format!("there is no {name}; did you mean {near}?"),
                None => format!("there is no {name}; there are {}", names().collect::<Vec<_>>().join(", ")),
            }
        })?;
        let value = field_value(field, operator, value)?;
        Ok(Self { text: text.to_owned(), field, negated, operator, value })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds, and what was found; none if the call has no such figure.
    #[must_use]
    pub fn holds(&self, summary: &Summary) -> (Option<bool>, String) {
        let (held, found) = match (self.field.1, &self.value) {
            (Read::Figure(unit, read), Value::Figure(wanted)) => match read(summary) {
                Some(figure) => (Some(self.compares(figure.total_cmp(wanted))), unit.written(figure)),
                None => (None, "the call has no such figure".to_owned()),
            },
            (Read::Word(read), Value::Word(wanted)) => {
                let word = read(summary);
                (Some(self.compares(word.as_str().cmp(wanted))), if word.is_empty() { "nothing".into() } else { word })
            }
            (Read::Lints, value) => {
                let found: Vec<&str> =
                    summary.lints.iter().map(String::as_str).filter(|name| self.takes(name, value)).collect();
                let words = if found.is_empty() { "none fired".to_owned() } else { found.join(", ") };
                (Some(!found.is_empty()), words)
            }
            _ => (None, "cannot be compared".to_owned()),
        };
        (held.map(|held| held != self.negated), found)
    }

    fn compares(&self, order: std::cmp::Ordering) -> bool {
        match self.operator {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            ">=" => order.is_ge(),
            "!=" => order.is_ne(),
            _ => order.is_eq(),
        }
    }

    fn takes(&self, lint: &str, wanted: &Value) -> bool {
        match wanted {
            Value::Any => true,
            Value::Word(name) => self.compares(lint.cmp(name.as_str())),
            Value::Level(level) => LINTS
                .iter()
                .find(|(name, ..)| *name == lint)
                .is_some_and(|(_, found, ..)| self.compares(found.cmp(level))),
            Value::Figure(_) => false,
        }
    }
}

impl Unit {
    fn written(self, figure: f64) -> String {
        match self {
            Self::Span if figure >= 10_000.0 => format!("{:.1} s", figure / 1_000.0),
            Self::Span => format!("{figure:.0} ms"),
            Self::Percent => format!("{figure:.2} %"),
            Self::Number => format!("{figure}"),
        }
    }
}

fn field_value(field: &Field, operator: &str, value: &str) -> Result<Value, String> {
    let (name, read, _) = field;
    if operator.is_empty() {
        return match read {
            Read::Lints => Ok(Value::Any),
            _ => Err(format!("compare {name} with something: {name} >= …")),
        };
    }
    if value.is_empty() {
        return Err(format!("{name} {operator} what?"));
    }
    match read {
        Read::Figure(Unit::Span, _) => {
            let span = parse_duration(value).map_err(|problem| format!("{name} {operator} {value}: {problem}"))?;
            Ok(Value::Figure(span.as_secs_f64() * 1_000.0))
        }
        Read::Figure(unit, _) => {
            let number = if *unit == Unit::Percent { value.trim_end_matches('%').trim_end() } else { value };
            let figure = number.parse().ok().filter(|figure: &f64| figure.is_finite());
            figure.map(Value::Figure).ok_or_else(|| format!("{name} {operator} {value}: {value} is no number"))
        }
        Read::Word(_) if ["==", "!="].contains(&operator) => Ok(Value::Word(value.to_owned())),
        Read::Word(_) => Err(format!("{name} is a word: compare it with == or !=")),
        Read::Lints => match value {
            "info" => Ok(Value::Level(Level::Info)),
            "warn" => Ok(Value::Level(Level::Warn)),
            "error" => Ok(Value::Level(Level::Error)),
            lint if LINTS.iter().any(|(name, ..)| *name == lint) => match operator {
                "==" => Ok(Value::Word(lint.to_owned())),
                _ => Err(format!("a lint's name is compared with ==, its level with >=: {lint}")),
            },
            other => {
                let near = nearest(other, LINTS.iter().map(|(name, ..)| *name));
                let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                Err(format!("there is no lint and no level {other}{near}"))
            }
        },
    }
}

/// The fields for people: name and meaning.
pub fn fields() -> impl Iterator<Item = (&'static str, &'static str)> {
    FIELDS.iter().map(|(name, _, meaning)| (*name, *meaning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(condition: &str, summary: &Summary) -> (Option<bool>, String) {
        Condition::parse(condition).unwrap().holds(summary)
    }

    #[test]
    fn conditions_compare_what_the_summary_says() {
        let mut summary =
            Summary { status: Some(200), gap_p95_ms: Some(900.0), codec: "pcmu".into(), ..Summary::default() };
        summary.stats.inbound.packets = 10;
        summary.stats.inbound.loss_percent = 1.5;
        summary.lints = vec!["jitter".into(), "ptime-mismatch".into()];
        for (condition, holds) in [
            ("status == 200", true),
            ("status!=200", false),
            ("gap.p95 <= 1s", true),
            ("gap.p95<900ms", false),
            ("lost > 1%", true),
            ("lost > 2", false),
            ("codec == pcmu", true),
            ("lint", true),
            ("no lint", false),
            ("lint >= warn", true),
            ("no lint >= error", true),
            ("lint == jitter", true),
            ("no lint == echo", true),
            ("turns < 1", true),
        ] {
            assert_eq!(found(condition, &summary).0, Some(holds), "{condition}");
        }
        assert_eq!(found("gap.p95 < 1s", &summary).1, "900 ms");
        assert_eq!(found("lint >= warn", &summary).1, "jitter");
    }

    #[test]
    fn every_field_is_described() {
        let page = include_str!("../../docs/SCENARIOS.md");
        for (name, meaning) in fields() {
            assert!(page.contains(&format!("| `{name}` | {meaning} (")), "docs/SCENARIOS.md lacks {name}: {meaning}");
        }
    }

    #[test]
    fn a_figure_that_is_not_there_holds_nothing() {
        let nothing = Summary::default();
        assert_eq!(found("mos < 3.8", &nothing).0, None);
        assert_eq!(found("lost < 1%", &nothing).0, None, "no packet came");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, words) in [
            ("moss > 3", "did you mean mos?"),
            ("gap.p95 > 1200", "unit"),
            ("lost > much", "is no number"),
            ("mos", "compare mos"),
            ("codec < pcmu", "== or !="),
            ("lint >= jiter", "did you mean jitter?"),
            ("lint >= jitter", "compared with =="),
            ("mos >", "what?"),
            ("", "there is no"),
        ] {
            let problem = Condition::parse(text).unwrap_err();
            assert!(problem.contains(words), "{text}: {problem}");
        }
    }
}
