//! The journal's last line: what the call was, in numbers and four verdicts.

use super::journal::{Body, CallState, Record, StateChange, Stats, Summary, Verdict};
use std::time::Duration;

/// A call that was up for so long should have heard something.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// What the verdicts are made from.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Last state.
    pub state: CallState,
    /// It was answered.
    pub answered: bool,
    /// Who ended it.
    pub ended_by: &'static str,
    /// From the answer to the end.
    pub up_for: Duration,
    /// The far end was expected to send during the whole call.
    pub expected_media: bool,
    /// The agent was ready at least once.
    pub agent_ready: bool,
    /// The agent failed.
    pub agent_failed: bool,
}

/// The last two records of a call that did not come to its own end, at `t` seconds: it failed, and why.
#[must_use]
pub fn broken_off(t: f64, reason: &str) -> [Record; 2] {
    let summary = Summary {
        duration_s: t,
        ended_by: "crash".to_owned(),
        reason: reason.to_owned(),
        sip: Verdict::Fail,
        ..Summary::default()
    };
    let state = StateChange { state: CallState::Failed, reason: reason.to_owned(), status: None };
    [Body::State(state), Body::Summary(Box::new(summary))].map(|body| Record { t, body })
}

/// Signalling, media and agent, each judged by itself.
pub fn judge(summary: &mut Summary, outcome: &Outcome, stats: &Stats) {
    let of = |good: bool| if good { Verdict::Pass } else { Verdict::Fail };
    summary.sip = of(outcome.answered && outcome.ended_by != "network");
    summary.media = if !outcome.answered {
        Verdict::None
    } else if outcome.expected_media && stats.inbound.packets == 0 {
        // Too short a call says nothing about its media.
        if outcome.up_for >= LONG_ENOUGH { Verdict::Fail } else { Verdict::None }
    } else {
        let deaf = summary.lints.iter().any(|lint| lint == "one-way-audio" || lint == "no-rtp");
        of(!deaf)
    };
    summary.agent = match (outcome.agent_failed, outcome.agent_ready) {
        (true, _) => Verdict::Fail,
        (false, true) => Verdict::Pass,
        (false, false) => Verdict::None,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_do_not_mix() {
        let mut outcome = Outcome {
            state: CallState::Ended,
            answered: true,
            up_for: Duration::from_secs(9),
            ended_by: "caller",
            expected_media: true,
            agent_ready: true,
            agent_failed: false,
        };
        let mut stats = Stats::default();
        let mut summary = Summary::default();
        judge(&mut summary, &outcome, &stats);
        assert_eq!((summary.sip, summary.media, summary.agent), (Verdict::Pass, Verdict::Fail, Verdict::Pass));
        stats.inbound.packets = 10;
        outcome.agent_failed = true;
        judge(&mut summary, &outcome, &stats);
        assert_eq!((summary.sip, summary.media, summary.agent), (Verdict::Pass, Verdict::Pass, Verdict::Fail));
        outcome.answered = false;
        judge(&mut summary, &outcome, &stats);
        assert_eq!((summary.sip, summary.media), (Verdict::Fail, Verdict::None));
    }
}
