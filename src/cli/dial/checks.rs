//! What `dial` checks: scenarios (`--scenario`), conditions (`--fail-if`), and the JUnit file that says how they went.

use super::{
    super::conditions,
    Dial,
    outcome::{CallOutcome, Outcome},
};
use crate::{
    agent::seat::{self, Plan},
    call::{
        check::Condition,
        journal::{Check, Summary, Verdict},
    },
    error::{Error, Result},
    media::codec,
    sip::{carried, uri::Uri},
};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// One scenario, ready for any number of calls.
pub(super) struct Script {
    pub(super) plan: Arc<Plan>,
    pub(super) from: Option<Uri>,
    pub(super) headers: Vec<(String, String)>,
    name: String,
    steps: Vec<String>,
    /// The far end is to end the call.
    ends_there: bool,
    expect: Vec<Condition>,
}

/// The scenarios of `--scenario`: files, and folders whose `.toml` files are taken in the order of their names.
pub(super) fn scripts(arguments: &Dial) -> Result<Vec<Script>> {
    let mut files = Vec::new();
    for path in &arguments.scenario {
        if path.is_dir() {
            files.extend(files_in(path)?);
        } else {
            files.push(path.clone());
        }
    }
    files.iter().map(|file| script(file, arguments)).collect()
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|source| Error::file("read", folder, &source))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml") && path.is_file());
    files.sort();
    if files.is_empty() {
        return Err(Error::usage(format!("--scenario {}: there is no .toml file in it", folder.display())));
    }
    Ok(files)
}

fn script(file: &Path, arguments: &Dial) -> Result<Script> {
    let scenario = seat::scenario(file)?;
    let wrong = |place: &str, problem: &str| Error::usage(format!("{}: {place}: {problem}", file.display()));
    let expect = scenario.expect.iter().map(|text| Condition::parse(text).map_err(|problem| wrong(text, &problem)));
    let expect = expect.collect::<Result<_>>()?;
    let from = scenario.caller.from.as_deref().map(|text| {
        let whole = if text.contains(':') { text.to_owned() } else { format!("sip:{text}@voxgw.invalid") };
        Uri::parse(&whole).map_err(|problem| wrong("caller.from", problem))
    });
    let headers: Vec<_> = scenario.caller.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, value) in &headers {
        carried::may_set(name, value).map_err(|problem| wrong(&format!("caller.headers.{name}"), &problem))?;
    }
    let codecs = scenario.caller.codec.iter().map(|name| {
        codec::by_name(name).ok_or_else(|| wrong("caller.codec", &format!("there is no codec called {name}")))
    });
    let codecs = codecs.collect::<Result<Vec<_>>>()?;
    let (name, from) = (scenario.name.clone(), from.transpose()?);
    let (steps, ends_there) = (scenario.steps().into_iter().map(str::to_owned).collect(), scenario.ends_there());
    let mut plan = Plan::scenario(scenario);
    if arguments.codec.is_empty() && !codecs.is_empty() {
        plan.codecs = Some(codecs);
    }
    Ok(Script { plan: Arc::new(plan), from, headers, name, steps, ends_there, expect })
}

/// Everything that was checked in a call that is over; the summary's verdict follows from it.
pub(super) fn judge(
    summary: &mut Summary,
    seen: Vec<Check>,
    script: Option<&Script>,
    fail_if: &[Condition],
) -> Vec<Check> {
    let mut checks = seen;
    if let Some(script) = script {
        let held = checks.iter().filter(|check| check.passed).map(|check| check.step).max().unwrap_or(0) as usize;
        if let Some(what) = script.steps.get(held)
            && checks.iter().all(|check| check.passed)
        {
            let passed = script.ends_there && held + 1 == script.steps.len() && summary.ended_by == "callee";
            let evidence = if passed { String::new() } else { format!("the call was over before: {}", summary.reason) };
            let step = u32::try_from(held + 1).unwrap_or(u32::MAX);
            checks.push(Check { step, what: what.clone(), passed, evidence });
        }
        checks.extend(script.expect.iter().map(|condition| {
            let (holds, evidence) = condition.holds(summary);
            Check { step: 0, what: condition.text().to_owned(), passed: holds == Some(true), evidence }
        }));
    }
    checks.extend(conditions::unwanted(fail_if, summary));
    if !checks.is_empty() {
        summary.checks = if checks.iter().all(|check| check.passed) { Verdict::Pass } else { Verdict::Fail };
    }
    checks
}

/// The name under which a call's checks are told.
pub(super) fn name(script: Option<&Script>) -> Option<String> {
    script.map(|script| script.name.clone())
}

/// What did not hold, a line each; of one call also the conditions that did.
pub(super) fn lines(outcome: &Outcome) -> String {
    let mut text = String::new();
    let single = outcome.calls.len() == 1;
    for call in &outcome.calls {
        for check in call.checks.iter().filter(|check| !check.passed || single && check.step == 0) {
            let of = if single {
                String::new()
            } else {
                format!("{} {}  ", call.call, call.scenario.as_deref().unwrap_or(""))
            };
            text.push_str(&conditions::line(check, &of));
        }
    }
    text
}

/// The calls as JUnit's XML: a call is a case, what did not hold a failure; a call that failed otherwise is an error.
pub(super) fn junit(target: &str, outcome: &Outcome) -> String {
    let failed = |call: &&CallOutcome| call.summary.checks == Verdict::Fail;
    let errors =
        outcome.calls.iter().filter(|call| !failed(call) && call.exit_code != 0).count() + outcome.failures.len();
    let seconds: f64 = outcome.calls.iter().map(|call| call.summary.duration_s).sum();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let _ = writeln!(
        xml,
        "  <testsuite name=\"voxgw dial {}\" tests=\"{}\" failures=\"{}\" errors=\"{errors}\" time=\"{seconds:.3}\">",
        escaped(target),
        outcome.calls.len() + outcome.failures.len(),
        outcome.calls.iter().filter(failed).count(),
    );
    for call in &outcome.calls {
        let name = call.scenario.as_deref().unwrap_or("call");
        let _ = writeln!(
            xml,
            "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\">",
            call.call,
            escaped(name),
            call.summary.duration_s
        );
        for check in call.checks.iter().filter(|check| !check.passed) {
            let _ = writeln!(xml, "      <failure message=\"{}\"/>", escaped(&check.words()));
        }
        if !failed(&call) && call.exit_code != 0 {
            let words = format!("exit code {}: {}", call.exit_code, call.summary.reason);
            let _ = writeln!(xml, "      <error message=\"{}\"/>", escaped(&words));
        }
        xml.push_str("    </testcase>\n");
    }
    for failure in &outcome.failures {
        let words = escaped(&failure.to_string());
        let _ =
            writeln!(xml, "    <testcase classname=\"voxgw\" name=\"call\"><error message=\"{words}\"/></testcase>");
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

/// As an attribute of XML; what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(step: u32) -> Check {
        Check { step, what: format!("step {step}"), passed: true, evidence: String::new() }
    }

    fn script(ends_there: bool) -> Script {
        let steps = (1..=2).map(|step| format!("step {step}")).collect();
        let expect = vec![Condition::parse("status == 200").unwrap()];
        let plan = Arc::new(Plan::play("x", seat::PlayPlan::default()));
        Script { plan, from: None, headers: vec![], name: "a & b".into(), steps, ends_there, expect }
    }

    #[test]
    fn a_call_that_ends_too_early_failed_at_the_next_step() {
        let mut summary = Summary { status: Some(200), ended_by: "callee".into(), ..Summary::default() };
        let checks = judge(&mut summary, vec![held(1)], Some(&script(false)), &[]);
        assert_eq!(summary.checks, Verdict::Fail);
        assert_eq!((checks[1].step, checks[1].passed), (2, false));
        let checks = judge(&mut summary, vec![held(1)], Some(&script(true)), &[]);
        assert!(checks.iter().all(|check| check.passed), "it was to end there: {checks:?}");
        assert_eq!(summary.checks, Verdict::Pass);
    }

    #[test]
    fn what_must_not_be_fails_when_it_is_or_cannot_be_known() {
        let mut summary = Summary { status: Some(200), ..Summary::default() };
        for (condition, verdict) in
            [("status != 200", Verdict::Pass), ("turns < 1", Verdict::Fail), ("mos < 3.8", Verdict::Fail)]
        {
            judge(&mut summary, vec![], None, &[Condition::parse(condition).unwrap()]);
            assert_eq!(summary.checks, verdict, "{condition}");
        }
        summary.checks = Verdict::None;
        judge(&mut summary, vec![], None, &[]);
        assert_eq!(summary.checks, Verdict::None, "nothing was asked");
    }
}
