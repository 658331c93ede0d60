//! What became of all calls: the exit code, and the report as text, JSON, JSON Lines or CSV.

use super::checks;
use crate::{
    call::journal::{Check, Summary, Turn, Verdict},
    cli::{
        arguments::{Dial, Format},
        printer::Printer,
    },
    error::{Error, Kind},
    report,
    unit::CallId,
};
use serde::Serialize;
use std::fmt::Write as _;

/// One call's end.
#[derive(Debug, Serialize)]
pub(super) struct CallOutcome {
    pub(super) call: CallId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scenario: Option<String>,
    pub(super) summary: Summary,
    pub(super) turns: Vec<Turn>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) checks: Vec<Check>,
    pub(super) exit_code: u8,
}

#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) calls: Vec<CallOutcome>,
    pub(super) failures: Vec<Error>,
    /// Exit code of the signal that ended it.
    pub(super) interrupted: Option<u8>,
}

impl Outcome {
    /// 0 only if all succeeded; otherwise the first cause in the order 7, 2, 3, 4, 6, 5, 1.
    pub(super) fn exit_code(&self) -> u8 {
        let codes: Vec<u8> = self
            .calls
            .iter()
            .map(|call| call.exit_code)
            .chain(self.failures.iter().map(|error| error.kind().exit_code()))
            .filter(|code| *code != 0)
            .collect();
        let first = [7, 2, 3, 4, 6, 5, 1].into_iter().find(|code| codes.contains(code));
        match first.or_else(|| codes.first().copied()) {
            Some(code) => code,
            None => self.interrupted.unwrap_or(0),
        }
    }
}

/// What failed in a call, as an exit code.
pub(super) fn exit_code_of(summary: &Summary) -> u8 {
    if summary.sip == Verdict::Fail {
        return match summary.status {
            // 408 made here: nobody answered.
            None | Some(408 | 200) => Kind::Unreachable.exit_code(),
            Some(487) if summary.ended_by == "us" => Kind::Unreachable.exit_code(),
            Some(_) if summary.reason.starts_with("no media") => Kind::Media.exit_code(),
            Some(_) => Kind::Refused.exit_code(),
        };
    }
    match (summary.media, summary.agent, summary.checks) {
        (Verdict::Fail, _, _) => Kind::Media.exit_code(),
        (_, Verdict::Fail, _) => Kind::Agent.exit_code(),
        (_, _, Verdict::Fail) => Kind::Check.exit_code(),
        _ => 0,
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'a str,
    target: &'a str,
    placed: usize,
    succeeded: usize,
    failed: usize,
    failures: Vec<String>,
    sip: Verdict,
    media: Verdict,
    agent: Verdict,
    checks: Verdict,
    answered_p50_ms: Option<f64>,
    answered_p95_ms: Option<f64>,
    gap_p50_ms: Option<f64>,
    gap_p95_ms: Option<f64>,
    loss_percent: f64,
    exit_code: u8,
    calls: &'a [CallOutcome],
}

fn document<'a>(arguments: &'a Dial, outcome: &'a Outcome) -> Document<'a> {
    let of = |pick: fn(&Summary) -> Verdict| {
        let verdicts = || outcome.calls.iter().map(|call| pick(&call.summary));
        if verdicts().any(|verdict| verdict == Verdict::Fail) {
            Verdict::Fail
        } else if verdicts().any(|verdict| verdict == Verdict::Pass) {
            Verdict::Pass
        } else {
            Verdict::None
        }
    };
    let percentile = crate::call::latency::percentile;
    let answered: Vec<f64> = outcome.calls.iter().filter_map(|call| call.summary.answered_after_ms).collect();
    let gaps: Vec<f64> =
        outcome.calls.iter().flat_map(|call| call.turns.iter().filter_map(|turn| turn.gap_ms)).collect();
    let (expected, lost) = outcome.calls.iter().fold((0, 0), |(expected, lost), call| {
        (expected + call.summary.stats.inbound.expected, lost + call.summary.stats.inbound.lost)
    });
    let loss_percent = if expected == 0 { 0.0 } else { lost as f64 * 100.0 / expected as f64 };
    let succeeded = outcome.calls.iter().filter(|call| call.exit_code == 0).count();
    Document {
        schema: "voxgw.dial/1",
        target: &arguments.target,
        placed: outcome.calls.len() + outcome.failures.len(),
        succeeded,
        failed: outcome.calls.len() - succeeded + outcome.failures.len(),
        failures: outcome.failures.iter().map(ToString::to_string).collect(),
        sip: if outcome.failures.is_empty() { of(|summary| summary.sip) } else { Verdict::Fail },
        media: of(|summary| summary.media),
        agent: of(|summary| summary.agent),
        checks: of(|summary| summary.checks),
        answered_p50_ms: percentile(answered.clone(), 50.0),
        answered_p95_ms: percentile(answered, 95.0),
        gap_p50_ms: percentile(gaps.clone(), 50.0),
        gap_p95_ms: percentile(gaps, 95.0),
        loss_percent: crate::call::journal::rounded(loss_percent),
        exit_code: outcome.exit_code(),
        calls: &outcome.calls,
    }
}

pub(super) fn report(arguments: &Dial, outcome: &Outcome, printer: &Printer) {
    if let Some(failure) = outcome.failures.first() {
        printer.error(failure);
    }
    let document = document(arguments, outcome);
    match arguments.output {
        Format::Json => printer.result(&serde_json::to_string_pretty(&document).unwrap_or_default()),
        Format::Jsonl => printer.result(&serde_json::to_string(&document).unwrap_or_default()),
        Format::Csv => {
            let mut text = String::from("call,status,answered_ms,duration_s,lost_percent,jitter_ms,mos,turns,exit_code\n");
            for call in &outcome.calls {
                let (summary, inbound) = (&call.summary, &call.summary.stats.inbound);
                let _ = writeln!(
                    text,
                    "{},{},{},{},{},{},{},{},{}",
                    call.call,
                    summary.status.unwrap_or(0),
                    summary.answered_after_ms.unwrap_or(0.0),
                    summary.duration_s,
                    inbound.loss_percent,
                    inbound.jitter_ms,
                    inbound.mos.unwrap_or(0.0),
                    summary.turns,
                    call.exit_code
                );
            }
            printer.result(&text);
        }
        Format::Text => match &outcome.calls[..] {
            [] if document.placed == 1 => {}
            [call] if outcome.failures.is_empty() => {
                printer.result(&report::call::summary(&call.summary, &call.turns));
                printer.result(&checks::lines(outcome));
            }
            _ => printer.result(&format!(
                "  calls     {} placed  {} succeeded  {} failed\n  answered  p50 {} p95 {} ms\n  media     lost {:.2}%\n  gaps      p50 {} p95 {} ms\n\n  sip {}   media {}   agent {}   checks {}",
                document.placed,
                document.succeeded,
                document.failed,
                report::or_dash(document.answered_p50_ms, 0),
                report::or_dash(document.answered_p95_ms, 0),
                document.loss_percent,
                report::or_dash(document.gap_p50_ms, 0),
                report::or_dash(document.gap_p95_ms, 0),
                document.sip.name(),
                document.media.name(),
                document.agent.name(),
                document.checks.name()
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cause_decides_the_exit_code() {
        use Verdict::{Fail, None, Pass};
        let summary = |sip, media, agent, status| Summary { status, sip, media, agent, ..Summary::default() };
        assert_eq!(exit_code_of(&summary(Pass, Pass, Pass, Some(200))), 0);
        assert_eq!(exit_code_of(&summary(Fail, None, None, Some(486))), 4);
        assert_eq!(exit_code_of(&summary(Fail, None, None, Some(408))), 3);
        assert_eq!(exit_code_of(&summary(Pass, Fail, Fail, Some(200))), 6);
        assert_eq!(exit_code_of(&summary(Pass, Pass, Fail, Some(200))), 5);
    }
}
