//! What happens in the calls while they run: lines for the terminal, meters, what is due when, and each call's end.

use super::{
    Deed, Template, checks,
    outcome::{CallOutcome, Outcome, exit_code_of},
};
use crate::{
    api::model::StreamItem,
    call::journal::{Body, CallState, Check, Record, Summary, Turn},
    cli::{
        arguments::{Dial, Format},
        devices,
        printer::Printer,
    },
    report,
    unit::CallId,
};
use indicatif::ProgressBar;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::sync::broadcast;

/// A call that is not over.
#[derive(Debug, Default)]
pub(super) struct Running {
    pub(super) script: Option<usize>,
    pub(super) turns: Vec<Turn>,
    pub(super) checks: Vec<Check>,
}

/// How often microphone and loudspeaker are shown.
pub(super) const METERS_EVERY: Duration = Duration::from_millis(150);

pub(super) struct Watch<'a> {
    pub(super) arguments: &'a Dial,
    pub(super) printer: &'a Printer,
    pub(super) progress: ProgressBar,
    pub(super) running: HashMap<CallId, Running>,
    pub(super) template: &'a Template,
    /// What is to be done when.
    pub(super) due: Vec<(tokio::time::Instant, CallId, Deed)>,
    pub(super) answered: HashSet<CallId>,
    pub(super) outcome: Outcome,
    pub(super) single: bool,
}

impl Watch<'_> {
    pub(super) fn show_meters(&self) {
        if let Some(devices) = &self.template.devices {
            self.progress.set_message(devices::meters(&devices.meters));
            self.progress.tick();
        }
    }

    /// True if items were lost.
    pub(super) fn item(&mut self, item: Result<Arc<StreamItem>, broadcast::error::RecvError>) -> bool {
        match item {
            Ok(item) => {
                if let StreamItem::Record { call, record } = &*item {
                    self.record(*call, record);
                }
            }
            Err(broadcast::error::RecvError::Lagged(count)) => {
                self.printer.note(&format!("warning: {count} events were dropped"));
                return true;
            }
            Err(broadcast::error::RecvError::Closed) => self.running.clear(),
        }
        false
    }

    /// What is due now, in order.
    pub(super) fn take_due(&mut self) -> Vec<(CallId, Deed)> {
        let now = tokio::time::Instant::now();
        let mut due: Vec<_> = self.due.extract_if(.., |(at, ..)| *at <= now).collect();
        due.sort_by_key(|(at, ..)| *at);
        due.into_iter().map(|(_, call, deed)| (call, deed)).collect()
    }

    pub(super) fn finished(&mut self, call: CallId, summary: &Summary) {
        let Some(running) = self.running.remove(&call) else { return };
        self.due.retain(|(_, known, _)| *known != call);
        let mut summary = summary.clone();
        let script = running.script.and_then(|at| self.template.scripts.get(at));
        let checks = checks::judge(&mut summary, running.checks, script, &self.template.fail_if);
        let (scenario, exit_code) = (checks::name(script), exit_code_of(&summary));
        self.outcome.calls.push(CallOutcome { call, scenario, summary, turns: running.turns, checks, exit_code });
        if !self.single {
            self.progress.inc(1);
        }
    }

    fn record(&mut self, call: CallId, record: &Record) {
        if self.arguments.output == Format::Jsonl {
            let line = serde_json::json!({"call": call, "record": record});
            self.printer.result(&line.to_string());
        } else if self.single
            && self.arguments.output == Format::Text
            // The player on our side is nobody's agent.
            && (self.arguments.agent.is_some() || !matches!(record.body, Body::Agent(_)))
            && let Some(line) = report::call::line(record)
        {
            self.progress.suspend(|| self.printer.note(&line));
        }
        match &record.body {
            // Up again after a hold is not the answer.
            Body::State(state) if state.state == CallState::Up && self.answered.insert(call) => {
                let now = tokio::time::Instant::now();
                self.due.extend(self.template.deeds.iter().map(|(after, deed)| (now + *after, call, deed.clone())));
            }
            Body::Turn(turn) => self.running.entry(call).or_default().turns.push(turn.clone()),
            Body::Check(check) => self.running.entry(call).or_default().checks.push(check.clone()),
            Body::Stats(stats) if self.single && self.template.devices.is_none() => {
                let (inbound, outbound) = (&stats.inbound, &stats.outbound);
                self.progress.set_message(format!(
                    "{:.0} s  in {:.0} dBFS  out {:.0} dBFS  jitter {:.1} ms  loss {:.1}%",
                    record.t, inbound.level_dbfs, outbound.level_dbfs, inbound.jitter_ms, inbound.loss_percent
                ));
                self.progress.tick();
            }
            Body::Summary(summary) => self.finished(call, summary),
            _ => {}
        }
    }
}
