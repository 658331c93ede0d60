//! Which calls are shown: the little language of the filter line and of `--filter`.
//!
//! Words are joined by "and". `field:value` looks into one field (`state agent from to codec id`), `a|b`
//! inside a value is "or", a number field takes a comparison (`mos<3.8 loss>1 jitter>30 p95>1200ms`),
//! `NOT` turns the next word round, and any other word is looked for in id, parties, agent and transcript.
//! Upper and lower case are the same. Knows session views and nothing of screens; called by the model, the
//! table of `--once` and the CSV.

use crate::api::model::SessionView;

/// A parsed filter; the default one lets everything through.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    negated: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Anywhere(Vec<String>),
    Id(Vec<String>),
    Text(TextField, Vec<String>),
    Number(NumberField, Comparison, f64),
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
}

type TextField = fn(&SessionView) -> &str;
type NumberField = fn(&SessionView) -> Option<f64>;

/// Text fields by name; `id` is matched apart because a call has it as a number.
const TEXT_FIELDS: &[(&str, TextField)] = &[
    ("state", |view| view.state.name()),
    ("agent", |view| &view.header.agent),
    ("from", |view| &view.header.from.0),
    ("to", |view| &view.header.to.0),
    ("codec", |view| view.media.as_ref().map_or("", |media| media.codec.as_str())),
    ("dir", |view| view.header.direction.name()),
];

/// Number fields by name. A figure that nobody knows matches no comparison.
const NUMBER_FIELDS: &[(&str, NumberField)] = &[
    ("mos", |view| view.inbound.mos),
    ("loss", |view| (view.inbound.packets > 0).then_some(view.inbound.loss_percent)),
    ("jitter", |view| (view.inbound.packets > 0).then_some(view.inbound.jitter_ms)),
    ("p50", |view| view.gap_percentile_ms(50.0)),
    ("p95", |view| view.gap_percentile_ms(95.0)),
    ("dur", |view| Some(view.t)),
];

impl Filter {
    /// Reads a filter line; an empty one matches everything.
    ///
    /// # Errors
    /// Says which word is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        let mut negated = false;
        for word in text.split_whitespace() {
            if word == "NOT" {
                negated = !negated;
                continue;
            }
            terms.push(Term { negated, test: test(word)? });
            negated = false;
        }
        if negated {
            return Err("NOT needs a word after it".to_owned());
        }
        Ok(Self { terms })
    }

    /// Whether every word of the filter holds for this call.
    #[must_use]
    pub fn matches(&self, view: &SessionView) -> bool {
        self.terms.iter().all(|term| term.test.holds(view) != term.negated)
    }
}

impl Test {
    fn holds(&self, view: &SessionView) -> bool {
        match self {
            Self::Anywhere(any) => any.iter().any(|wanted| found_anywhere(view, wanted)),
            Self::Id(any) => {
                let id = view.call().to_string();
                any.iter().any(|wanted| id.contains(wanted.as_str()))
            }
            Self::Text(field, any) => {
                let text = field(view).to_lowercase();
                any.iter().any(|wanted| text.contains(wanted.as_str()))
            }
            Self::Number(field, comparison, limit) => field(view).is_some_and(|value| match comparison {
                Comparison::Less => value < *limit,
                Comparison::AtMost => value <= *limit,
                Comparison::More => value > *limit,
                Comparison::AtLeast => value >= *limit,
                Comparison::Equal => (value - limit).abs() < 1e-9,
            }),
        }
    }
}

fn found_anywhere(view: &SessionView, wanted: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(wanted);
    has(&view.call().to_string())
        || has(&view.header.from.0)
        || has(&view.header.to.0)
        || has(&view.header.agent)
        || view.talk.iter().any(|said| has(&said.text))
}

fn test(word: &str) -> Result<Test, String> {
    if let Some(at) = word.find(['<', '>', '='])
        && let Some((_, field)) = NUMBER_FIELDS.iter().find(|(name, _)| *name == word[..at].to_lowercase())
    {
        let (comparison, value) = comparison(&word[at..]);
        return Ok(Test::Number(*field, comparison, number(word, value)?));
    }
    let Some((name, value)) = word.split_once(':') else { return Ok(Test::Anywhere(alternatives(word))) };
    let name = name.to_lowercase();
    if name == "id" {
        return Ok(Test::Id(alternatives(value)));
    }
    if let Some((_, field)) = TEXT_FIELDS.iter().find(|(known, _)| *known == name) {
        return Ok(Test::Text(*field, alternatives(value)));
    }
    if NUMBER_FIELDS.iter().any(|(known, _)| *known == name) {
        return Err(format!("'{word}': write {name}>{value} or {name}<{value}"));
    }
    let names: Vec<_> = TEXT_FIELDS.iter().map(|(known, _)| *known).collect();
    Err(format!("'{name}' is no field; there are id {} and {}", names.join(" "), number_names()))
}

fn number_names() -> String {
    NUMBER_FIELDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

fn alternatives(value: &str) -> Vec<String> {
    value.split('|').map(str::to_lowercase).collect()
}

fn comparison(text: &str) -> (Comparison, &str) {
    for (sign, comparison) in [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("<", Comparison::Less),
        (">", Comparison::More),
        ("=", Comparison::Equal),
    ] {
        if let Some(value) = text.strip_prefix(sign) {
            return (comparison, value);
        }
    }
    (Comparison::Equal, text)
}

fn number(word: &str, value: &str) -> Result<f64, String> {
    let digits = value.trim_end_matches("ms").trim_end_matches('%');
    digits
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .ok_or_else(|| format!("'{word}' needs a number, as in p95>1200"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        call::journal::{CallState, Turn},
        redact::Pii,
        unit::CallId,
    };

    fn view() -> SessionView {
        let mut view = SessionView { state: CallState::Up, ..SessionView::default() };
        view.header.call = CallId(0x7f3a);
        view.header.from = Pii("+49301234567".to_owned());
        view.header.agent = "Gemini".to_owned();
        view.inbound.packets = 10;
        view.inbound.loss_percent = 2.0;
        view.turns.push(Turn { gap_ms: Some(1_180.0), ..Turn::default() });
        view
    }

    fn matches(text: &str) -> bool {
        Filter::parse(text).unwrap().matches(&view())
    }

    #[test]
    fn an_empty_filter_lets_everything_through() {
        assert!(matches(""));
        assert!(Filter::default().matches(&view()));
    }

    #[test]
    fn fields_alternatives_and_negation() {
        assert!(matches("state:ringing|up agent:gemini"));
        assert!(!matches("state:failed"));
        assert!(matches("NOT state:failed"));
        assert!(matches("id:7f3a"));
        assert!(matches("+4930"));
        assert!(!matches("NOT gemini"));
    }

    #[test]
    fn numbers_compare_and_the_unknown_never_matches() {
        assert!(matches("loss>1 p95>=1180ms"));
        assert!(!matches("p95>1200"));
        assert!(!matches("mos<5"), "nobody knows the MOS of this call");
        assert!(matches("loss=2%"));
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        assert!(Filter::parse("stat:up").unwrap_err().contains("state"));
        assert!(Filter::parse("mos:3").unwrap_err().contains("mos>3"));
        assert!(Filter::parse("mos<x").unwrap_err().contains("number"));
        assert!(Filter::parse("a NOT").is_err());
    }
}
