//! Gemini's live models: which family has what, in one table, and what a profile asks for that its model has not.
//!
//! Knows names and settings only; the wire sends what is left. A model that no row knows gets what is asked for.

use super::{DEFAULT_MODEL, is_ephemeral};
use crate::agent::wire::{Finding, Settings};

/// Whether a family has a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Has {
    /// It does.
    Yes,
    /// On `v1alpha` only; Vertex has it anywhere.
    Alpha,
    /// The vendor does not say, or people report otherwise: it is sent, and warned of.
    Doubtful(&'static str),
    /// The service closes the session over it.
    No(&'static str),
}

/// Whether a family may stay silent when it is not spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proactive {
    /// Always; saying no is an error.
    Always,
    /// If asked for.
    If(Has),
}

/// Models that share their rules.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// How their names begin, without `models/`.
    pub names: &'static [&'static str],
    /// `reasoning`: `thinkingLevel`.
    pub level: Has,
    /// `thinking_budget`.
    pub budget: Has,
    /// `proactive_audio`.
    pub proactive: Proactive,
    /// `affective_dialog`.
    pub affective: Has,
    /// It translates, and must be told into which language.
    pub translates: bool,
}

const UNTOLD: Has = Has::Doubtful("the vendor does not say whether this model has it");
const SINCE_3: Has = Has::Doubtful("it is a setting of the 2.5 models; reasoning is that of later ones");

/// The families, longer names before those they begin with.
pub static FAMILIES: &[Family] = &[
    Family {
        names: &["gemini-3.8-live-extended-thinking"],
        level: UNTOLD,
        budget: SINCE_3,
        proactive: Proactive::If(UNTOLD),
        affective: Has::No("it was removed from this model"),
        translates: false,
    },
    Family {
        names: &["gemini-3.8-live"],
        level: Has::No("this model has no thinkingLevel; gemini-3.8-live-extended-thinking thinks by itself"),
        budget: UNTOLD,
        proactive: Proactive::Always,
        affective: Has::No("it was removed from this model"),
        translates: false,
    },
    Family {
        names: &["gemini-3.5-live-translate"],
        level: UNTOLD,
        budget: SINCE_3,
        proactive: Proactive::If(UNTOLD),
        affective: UNTOLD,
        translates: true,
    },
    Family {
        names: &["gemini-3.1-flash-live"],
        level: Has::Doubtful("it is documented for this model, but closes with 1007 were reported"),
        budget: SINCE_3,
        proactive: Proactive::If(Has::No("this model has none")),
        affective: Has::No("this model has none"),
        translates: false,
    },
    Family {
        names: &["gemini-2.5-flash-native-audio", "gemini-live-2.5-flash-native-audio"],
        level: Has::No("this model has a thinking_budget instead"),
        budget: Has::Yes,
        proactive: Proactive::If(Has::Alpha),
        affective: Has::Alpha,
        translates: false,
    },
];

/// Whoever is not in the table.
static OTHER: Family = Family {
    names: &[],
    level: Has::Yes,
    budget: Has::Yes,
    proactive: Proactive::If(Has::Yes),
    affective: Has::Yes,
    translates: false,
};

/// Models that were shut down and what took their place; `-001` and previews of later days have longer names.
const RETIRED: &[&str] = &["gemini-live-2.5-flash-preview", "gemini-2.0-flash-live", "gemini-2.0-flash-exp"];
/// Models that are going to be.
const DEPRECATED: &[&str] = &["gemini-2.5-flash-native-audio"];

/// A model's name as profiles and tables have it.
#[must_use]
pub fn plain(model: &str) -> &str {
    model.trim_start_matches("models/")
}

/// The family of `model`.
#[must_use]
pub fn family_of(model: &str) -> &'static Family {
    let model = plain(model);
    FAMILIES.iter().find(|family| family.names.iter().any(|name| model.starts_with(name))).unwrap_or(&OTHER)
}

/// Whether the model keeps silent when it thinks that it is not meant: then its silence is no fault.
#[must_use]
pub fn may_stay_silent(settings: &Settings) -> bool {
    let family = family_of(settings.model.as_deref().unwrap_or(DEFAULT_MODEL));
    settings.proactive_audio == Some(true) || family.proactive == Proactive::Always
}

/// The model that took the place of a retired one.
#[must_use]
pub fn successor_of(model: &str) -> Option<&'static str> {
    RETIRED.iter().any(|retired| plain(model).starts_with(retired)).then_some(DEFAULT_MODEL)
}

/// The API's version for a profile: its own, else the one that has what it asks for.
#[must_use]
pub fn version<'a>(settings: &'a Settings, key: &str) -> &'a str {
    let default = match () {
        () if settings.project.is_some() => "v1beta1",
        () if is_ephemeral(key) || wants_alpha(settings).is_some() => "v1alpha",
        () => "v1beta",
    };
    settings.api_version.as_deref().unwrap_or(default)
}

/// The setting that `v1alpha` alone has, if there is one.
fn wants_alpha(settings: &Settings) -> Option<&'static str> {
    let family = family_of(settings.model.as_deref().unwrap_or(DEFAULT_MODEL));
    if settings.proactive_audio.is_some() && family.proactive == Proactive::If(Has::Alpha) {
        return Some("proactive_audio");
    }
    (settings.affective_dialog == Some(true) && family.affective == Has::Alpha).then_some("affective_dialog")
}

/// What a profile asks for that its model has not.
#[must_use]
pub fn check(settings: &Settings) -> Vec<Finding> {
    let model = plain(settings.model.as_deref().unwrap_or(DEFAULT_MODEL));
    let family = family_of(model);
    let mut found = Vec::new();
    if let Some(successor) = successor_of(model) {
        let text = format!("{model} was shut down on 2025-12-09; its successor is {successor}");
        found.push(Finding::doubt("model", text));
    } else if DEPRECATED.iter().any(|name| model.starts_with(name)) {
        let text = format!("{model} is deprecated; its successor is {DEFAULT_MODEL}");
        found.push(Finding::doubt("model", text));
    }
    let mut has = |field: &'static str, given: bool, has: Has| {
        if given {
            match has {
                Has::Yes | Has::Alpha => {}
                Has::Doubtful(why) => found.push(Finding::doubt(field, format!("is sent to {model}, but {why}"))),
                Has::No(why) => found.push(Finding::error(field, format!("{model} refuses it: {why}"))),
            }
        }
    };
    has("reasoning", settings.reasoning.is_some(), family.level);
    has("thinking_budget", settings.thinking_budget.is_some(), family.budget);
    has("affective_dialog", settings.affective_dialog == Some(true), family.affective);
    match family.proactive {
        Proactive::If(of) => has("proactive_audio", settings.proactive_audio.is_some(), of),
        Proactive::Always if settings.proactive_audio == Some(false) => {
            found.push(Finding::error("proactive_audio", format!("{model} refuses it: it is always on")));
        }
        Proactive::Always => {}
    }
    let mut wrong = |field: &'static str, is_wrong: bool, text: &str| {
        if is_wrong {
            found.push(Finding::error(field, text.to_owned()));
        }
    };
    let both = settings.reasoning.is_some() && settings.thinking_budget.is_some();
    wrong("thinking_budget", both, "and reasoning are alternatives: give one of them");
    if let Some(level) = settings.reasoning.as_deref() {
        let known = ["minimal", "low", "medium", "high"].contains(&level);
        wrong("reasoning", !known, "must be one of minimal, low, medium, high for gemini");
    }
    let lacks = family.translates && settings.translate_to.is_none();
    wrong("translate_to", lacks, "is not given: a model that translates must be told into which language");
    let vain = !family.translates && settings.translate_to.is_some() && !family.names.is_empty();
    wrong("translate_to", vain, "is for models that translate, like gemini-3.5-live-translate-preview");
    wrong(
        "vad",
        settings.vad.as_deref().is_some_and(|vad| vad != "local"),
        "gemini detects speech by itself; local is the other choice",
    );
    let other = settings.transcription.as_deref().is_some_and(|word| word != "none");
    wrong("transcription", other, "gemini writes the caller down by itself; none is the other choice");
    let less = settings.compress_at.zip(settings.compress_to).is_some_and(|(at, to)| to >= at);
    wrong("compress_to", less, "must be less than compress_at");
    wrong("location", settings.location.is_some() && settings.project.is_none(), "is for Vertex: project is not given");
    if settings.project.is_none()
        && let (Some(field), Some(version)) = (wants_alpha(settings), settings.api_version.as_deref())
        && version != "v1alpha"
    {
        found.push(Finding::error("api_version", format!("{model} has {field} with v1alpha only")));
    }
    if settings.vad.as_deref() == Some("local") {
        let vain = [
            ("end_of_speech", settings.silence_ms.is_some()),
            ("start_sensitivity", settings.start_sensitivity.is_some()),
            ("end_sensitivity", settings.end_sensitivity.is_some()),
        ];
        for (field, _) in vain.into_iter().filter(|(_, given)| *given) {
            found.push(Finding::doubt(field, "is without effect: with vad = local our own detector decides".into()));
        }
    }
    found
}
