//! `--fail-if`: conditions that must not hold at the end of a call or of a recording.

use crate::{
    call::{
        check::Condition,
        journal::{Check, Summary},
    },
    error::{Error, Result},
};

/// Reads the conditions of a command line.
pub(super) fn read(texts: &[String]) -> Result<Vec<Condition>> {
    let read = |text: &String| {
        Condition::parse(text).map_err(|problem| {
            let hint = "write FIELD OPERATOR VALUE, like 'mos < 3.8', 'gap.p95 > 1200ms' or 'lint >= error'";
            Error::usage(format!("--fail-if '{text}': {problem}")).hint(hint)
        })
    };
    texts.iter().map(read).collect()
}

/// Each of them, held up to what was found: passed if it does not hold.
pub(super) fn unwanted(conditions: &[Condition], summary: &Summary) -> impl Iterator<Item = Check> {
    conditions.iter().map(|condition| {
        let (holds, evidence) = condition.holds(summary);
        Check { step: 0, what: format!("--fail-if {}", condition.text()), passed: holds == Some(false), evidence }
    })
}

/// A line of a result: `  failed    --fail-if mos < 3.8: 3.6`.
pub(super) fn line(check: &Check, of: &str) -> String {
    let word = if check.passed { "held" } else { "failed" };
    format!("  {word:<9} {of}{}\n", check.words())
}
