//! The sound in figures: both directions side by side, then jitter, loss and voice over time.
//!
//! Owns: the drawing of the two-column table and the graphs, one cell for each second. A figure that nobody
//! knows is `—`: before the first packet there is no jitter of 0. Scales never go below what is audible, so
//! a good line looks flat.

use super::{nothing, paint, rule};
use crate::{
    api::model::{Second, SessionView},
    tui::{
        model::Model,
        text::{self, count, with_unit},
    },
};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

const LABEL_CELLS: usize = 10;
/// A lower pane has graphs without rules.
const RULED_FROM_ROWS: usize = 17;
/// Rows of the graphs with rules, and without.
const RULED_GRAPH_ROWS: usize = 6;
const SHORT_GRAPH_ROWS: usize = 4;
/// Jitter at the top of the graph, at least.
const JITTER_FULL_MS: f32 = 20.0;
/// Loss at the top of the graph, at least.
const LOSS_FULL_PERCENT: f32 = 5.0;
/// A second with more loss than this is marked.
const LOSS_BAD_PERCENT: f32 = 1.0;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws it.
pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let Some(view) = model.current() else {
        return nothing(frame, area, model, "no call is chosen");
    };
    let width = usize::from(area.width);
    let mut lines = table(view, model, width);
    let height = usize::from(area.height);
    let ruled = height >= RULED_FROM_ROWS;
    // Graphs say more than the last rows of the table, so they get their rows first.
    let graph_rows = if ruled { RULED_GRAPH_ROWS } else { SHORT_GRAPH_ROWS };
    lines.truncate(height.saturating_sub(graph_rows).max(2));
    lines.extend(if ruled { ruled_graphs(view, model, area.width) } else { short_graphs(view, model, width) });
    paint(frame, area, lines);
}

fn table(view: &SessionView, model: &Model, width: usize) -> Vec<Line<'static>> {
    let (inbound, outbound) = (&view.inbound, &view.outbound);
    let heard = inbound.packets > 0;
    let sent = outbound.packets > 0;
    let unknown = || text::UNKNOWN.to_owned();
    let got = |words: String| if heard { words } else { unknown() };
    let gave = |words: String| if sent { words } else { unknown() };
    let media = view.media.as_ref();
    let codec =
        media.map_or_else(unknown, |media| format!("{} pt {} {} ms", media.codec, media.payload_type, media.ptime_ms));
    let peer = media.map_or_else(unknown, |media| {
        if model.privacy {
            format!("hidden ({})", media.source)
        } else {
            format!("{} ({})", media.remote, media.source)
        }
    });
    let local = media.map_or_else(unknown, |media| media.local.clone());
    let lost = format!("{}  {:.2}%  burst max {}", count(inbound.lost), inbound.loss_percent, inbound.burst_max);
    let late = format!("{} / {}  reordered {}", inbound.late, inbound.duplicate, inbound.reordered);
    let jitter =
        format!("{:.1} ms  mean {:.1}  max {:.1}", inbound.jitter_ms, inbound.jitter_mean_ms, inbound.jitter_max_ms);
    let level = format!("{:.0} dBFS  peak {:.0}", inbound.level_dbfs, inbound.peak_dbfs);
    let queue = format!("queue {} ms  ran dry {}", outbound.queue_ms, outbound.underruns);
    let rows = [
        ("codec", codec.clone(), codec),
        ("peer", peer, format!("from {local}")),
        (
            "packets",
            got(format!("{}  expected {}", count(inbound.packets), count(inbound.expected))),
            gave(count(outbound.packets)),
        ),
        ("lost", got(lost), format!("remote says {}", with_unit(outbound.remote_loss_percent, 1, "%"))),
        ("jitter", got(jitter), format!("remote says {}", with_unit(outbound.remote_jitter_ms, 1, " ms"))),
        ("buffer", got(format!("concealed {:.1}%", inbound.concealed_percent)), gave(queue)),
        ("level", got(level), gave(format!("{:.0} dBFS", outbound.level_dbfs))),
        ("MOS-CQ est", quality(inbound.mos, inbound.r_factor), quality(outbound.mos, outbound.r_factor)),
        ("rtt", unknown(), with_unit(outbound.rtt_ms, 0, " ms")),
        ("late/dup", got(late), gave(format!("late ticks {}", outbound.late_ticks))),
        ("talk", got(format!("{:.0}%", inbound.talk_percent)), gave(format!("{:.0}%", outbound.talk_percent))),
        ("drift", with_unit(inbound.drift_ppm, 0, " ppm"), unknown()),
        ("ssrc", or_unknown(&inbound.ssrc), or_unknown(&outbound.ssrc)),
        ("refused", count(inbound.refused), unknown()),
    ];
    let label = LABEL_CELLS + 2;
    let column = width.saturating_sub(label) / 2;
    let head = format!("{}{}{}", " ".repeat(label), text::left("caller → voxgw", column), "voxgw → caller");
    let mut lines = vec![Line::styled(text::fit(&head, width), model.theme.title)];
    for (name, left, right) in rows {
        let left = text::left(&text::clean(&left), column.saturating_sub(1));
        lines.push(Line::from(vec![
            Span::styled(format!(" {} ", text::left(name, LABEL_CELLS)), model.theme.dim),
            Span::raw(format!("{left} {}", text::fit(&text::clean(&right), column))),
        ]));
    }
    lines
}

fn quality(mos: Option<f64>, r_factor: Option<f64>) -> String {
    let r = r_factor.map_or_else(String::new, |r| format!("  R {r:.0}"));
    format!("{}{r}", with_unit(mos, 1, ""))
}

fn or_unknown(text: &str) -> String {
    if text.is_empty() { text::UNKNOWN.to_owned() } else { text.to_owned() }
}

fn ruled_graphs(view: &SessionView, model: &Model, width: u16) -> Vec<Line<'static>> {
    let seconds = newest(view, usize::from(width).saturating_sub(2));
    let jitter_max = seconds.iter().map(|second| second.jitter_ms).fold(0.0, f32::max);
    let loss_max = seconds.iter().map(|second| second.loss_percent).fold(0.0, f32::max);
    let row = |cells: String| Line::raw(format!(" {cells}"));
    vec![
        rule(width, "jitter ms, 1 s per cell", &format!("max {jitter_max:.1}"), model),
        row(jitter(&seconds)),
        rule(width, "loss %, bad cells show ✕", &format!("max {loss_max:.1}"), model),
        row(loss(&seconds)),
        rule(width, "voice activity ─ caller ▀  agent ▄  both █", "", model),
        row(voices(&seconds)),
    ]
}

fn short_graphs(view: &SessionView, model: &Model, width: usize) -> Vec<Line<'static>> {
    let seconds = newest(view, width.saturating_sub(9));
    let row = |name: &str, cells: String| {
        Line::from(vec![Span::styled(format!(" {} ", text::left(name, 6)), model.theme.dim), Span::raw(cells)])
    };
    vec![
        row("jitter", jitter(&seconds)),
        row("loss", loss(&seconds)),
        row("talk", voices(&seconds)),
        Line::styled("        caller ▀  agent ▄  both █", model.theme.dim),
    ]
}

fn newest(view: &SessionView, cells: usize) -> Vec<Second> {
    view.seconds.iter().skip(view.seconds.len().saturating_sub(cells)).copied().collect()
}

fn jitter(seconds: &[Second]) -> String {
    let full = seconds.iter().map(|second| second.jitter_ms).fold(JITTER_FULL_MS, f32::max);
    seconds.iter().map(|second| level(second.jitter_ms, full)).collect()
}

fn loss(seconds: &[Second]) -> String {
    let full = seconds.iter().map(|second| second.loss_percent).fold(LOSS_FULL_PERCENT, f32::max);
    let cell = |second: &Second| {
        if second.loss_percent > LOSS_BAD_PERCENT { '✕' } else { level(second.loss_percent, full) }
    };
    seconds.iter().map(cell).collect()
}

fn voices(seconds: &[Second]) -> String {
    let cell = |second: &Second| match (second.caller, second.agent) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    seconds.iter().map(cell).collect()
}

fn level(value: f32, full: f32) -> char {
    let step = text::whole(f64::from(value / full * 8.0)).min(7);
    BARS[usize::try_from(step).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_in_their_range() {
        assert_eq!(level(0.0, 20.0), '▁');
        assert_eq!(level(20.0, 20.0), '█');
        assert_eq!(level(f32::INFINITY, f32::INFINITY), '▁');
        assert_eq!(level(-3.0, 20.0), '▁');
    }

    #[test]
    fn voices_and_bad_seconds_are_told_apart() {
        let second = |caller, agent, loss_percent| Second { loss_percent, caller, agent, ..Second::default() };
        let seconds =
            [second(true, false, 0.0), second(false, true, 2.0), second(true, true, 0.0), second(false, false, 0.0)];
        assert_eq!(voices(&seconds), "▀▄█ ");
        assert_eq!(loss(&seconds), "▁✕▁▁");
    }
}
