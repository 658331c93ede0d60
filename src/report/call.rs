//! One call's summary and its turns.

use super::or_dash;
use crate::call::journal::{ActionState, Body, Direction, Record, Summary, Turn, Who};
use std::fmt::Write as _;

/// The summary of a call as `dial` and `replay` print it.
#[must_use]
pub fn summary(summary: &Summary, turns: &[Turn]) -> String {
    let mut text = String::new();
    let answered =
        summary.answered_after_ms.map_or_else(|| "not answered".to_owned(), |ms| format!("answered in {ms:.0} ms"));
    let status = summary.status.map_or_else(String::new, |status| format!("  status {status}"));
    let _ = writeln!(
        text,
        "  call      {:.1} s  {answered}  ended by {}: {}{status}",
        summary.duration_s, summary.ended_by, summary.reason
    );
    if summary.answered_after_ms.is_some() {
        let (inbound, outbound) = (&summary.stats.inbound, &summary.stats.outbound);
        let _ = writeln!(
            text,
            "  media     {}  in {} out {} packets  lost {:.1}%  jitter {:.1} ms max {:.1}  MOS {}{}",
            summary.codec,
            inbound.packets,
            outbound.packets,
            inbound.loss_percent,
            inbound.jitter_ms,
            inbound.jitter_max_ms,
            or_dash(inbound.mos, 1),
            outbound.mos.map_or_else(String::new, |mos| format!(", there {mos:.1}"))
        );
    }
    if !summary.dtmf.is_empty() {
        let _ = writeln!(text, "  dtmf      {}", summary.dtmf);
    }
    if summary.turns > 0 {
        let _ = writeln!(
            text,
            "  turns     {}  cut {}  gap p50 {} p95 {} max {} ms",
            summary.turns,
            summary.cuts,
            or_dash(summary.gap_p50_ms, 0),
            or_dash(summary.gap_p95_ms, 0),
            or_dash(summary.gap_max_ms, 0)
        );
    }
    if let Some(uplink) = summary.uplink {
        let _ = writeln!(text, "  added     RTP in → provider p50 {:.1} p99 {:.1} ms", uplink.p50_ms, uplink.p99_ms);
    }
    if let Some(downlink) = summary.downlink {
        let _ =
            writeln!(text, "            provider → RTP out p50 {:.1} p99 {:.1} ms", downlink.p50_ms, downlink.p99_ms);
    }
    if let Some(usage) = &summary.usage {
        let _ = writeln!(text, "  tokens    {}", usage.words());
        for limit in &usage.limits {
            let (name, left, most, resets) = (&limit.name, limit.remaining, limit.limit, limit.resets_in_s);
            let _ = writeln!(text, "  limit     {name} {left} of {most} left  whole again in {resets} s");
        }
    }
    if !summary.lints.is_empty() {
        let _ = writeln!(text, "  lint      {}", summary.lints.join("  "));
    }
    if turns.iter().any(|turn| turn.gap_ms.is_some()) {
        text.push('\n');
        text.push_str(&turn_table(turns));
    }
    let _ = writeln!(
        text,
        "\n  sip {}   media {}   agent {}   checks {}",
        summary.sip.name(),
        summary.media.name(),
        summary.agent.name(),
        summary.checks.name()
    );
    text
}

/// Turns with their gaps drawn to scale, and what each letter means.
#[must_use]
pub fn turn_table(turns: &[Turn]) -> String {
    const WIDTH: f64 = 40.0;
    let longest = turns.iter().filter_map(|turn| turn.gap_ms).fold(400.0_f64, f64::max);
    let mut text = format!("  turn  gap ms   0{longest:>38.0}\n");
    let mut owners: Vec<(String, String)> = Vec::new();
    for turn in turns {
        let mut bar = String::new();
        for part in &turn.parts {
            let letter = part.name.chars().next().unwrap_or('?');
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "cells of a bar")]
            let cells = (part.ms / longest * WIDTH).round() as usize;
            bar.extend(std::iter::repeat_n(letter, cells));
            if !owners.iter().any(|(name, _)| *name == part.name) {
                owners.push((part.name.clone(), part.owner.clone()));
            }
        }
        let cut = if turn.cut { "  ⤺ cut" } else { "" };
        let _ = writeln!(text, "  {:>4}  {:>6}   {bar}{cut}", turn.turn.0, or_dash(turn.gap_ms, 0));
    }
    if !owners.is_empty() {
        let words: Vec<String> = owners
            .iter()
            .map(|(name, owner)| format!("{} {name} ({owner})", name.chars().next().unwrap_or('?')))
            .collect();
        let _ = writeln!(text, "        {}", words.join("   "));
    }
    text
}

/// One line for a record, as it happens; none for what people need not see.
#[must_use]
pub fn line(record: &Record) -> Option<String> {
    let (what, rest) = match &record.body {
        Body::Sip(message) => {
            let direction = if message.direction == Direction::Out { "→" } else { "←" };
            let sdp = if message.sdp.is_empty() { String::new() } else { format!("  ({})", message.sdp) };
            let again = if message.retransmission { "  again" } else { "" };
            ("sip", format!("{direction} {}{sdp}{again}", message.label))
        }
        Body::Media(media) => {
            let srtp = if media.srtp.is_empty() { String::new() } else { format!(" {}", media.srtp) };
            ("media", format!("{} {} ms{srtp} to {} ({})", media.codec, media.ptime_ms, media.remote, media.source))
        }
        Body::State(change) if change.reason == "early media" => {
            ("media", "early: what comes before the answer is heard".to_owned())
        }
        Body::Ice(change) => ("ice", format!("{} {}", change.state, change.remote)),
        Body::Agent(agent) => ("agent", format!("{} {}", agent.state.name(), agent.text)),
        Body::Bridge(bridge) => ("bridge", format!("{} {}", bridge.state.name(), bridge.text)),
        Body::Action(change) => {
            let asked = [change.name.as_str(), &change.about.0].join(" ");
            let words = if change.state == ActionState::Asked { asked.trim() } else { &change.text };
            ("action", format!("{} {} {words}", change.action, change.state.name()))
        }
        Body::Tool(change) => ("tool", change.words()),
        Body::Dtmf(digit) => ("dtmf", format!("{} {}", digit.direction.name(), digit.digit)),
        Body::Transcript(said) => (said.who.name(), said.text.0.trim().to_owned()),
        Body::Speech(speech) if speech.who == Who::Caller => {
            ("far end", if speech.speaking { "speaks".to_owned() } else { "is silent".to_owned() })
        }
        Body::Check(check) => (if check.passed { "held" } else { "failed" }, check.words()),
        Body::Lint(lint) => ("lint", format!("{}: {}", lint.name, lint.evidence)),
        Body::Recording(change) => ("recording", change.state.name().to_owned()),
        Body::Note(note) => ("note", note.text.clone()),
        _ => return None,
    };
    Some(format!("{:>8.3}  {what:<8} {}", record.t, crate::redact::printable(rest.trim_end())))
}
