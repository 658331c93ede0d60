//! One call on one page: parties, state, timers, codec, verdicts, checks that fired with what to try, notes.
//!
//! Owns: the drawing. Everything comes from the session's view; what nobody knows is `—`. `update` asks for
//! the number of rows so that scrolling ends where the page ends.

use super::{nothing, paint};
use crate::{
    api::model::SessionView,
    call::journal::{Body, Verdict},
    redact::mask,
    tui::{columns, model::Model, text, theme},
};
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

const LABEL_CELLS: usize = 12;
/// Width at which rows are counted for scrolling: narrower than any pane, so the count is never too small.
const COUNTING_CELLS: usize = 52;
/// Newest notes that are shown.
const NOTES_SHOWN: usize = 8;

/// Draws it.
pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let Some(view) = model.current() else {
        return nothing(frame, area, model, "no call is chosen");
    };
    let lines = lines(view, model, usize::from(area.width));
    let top = model.overview_top.min(lines.len().saturating_sub(usize::from(area.height)));
    paint(frame, area, lines.into_iter().skip(top).collect());
}

/// Rows of the page, at least.
#[must_use]
pub fn rows(view: &SessionView, model: &Model) -> usize {
    lines(view, model, COUNTING_CELLS).len()
}

fn lines(view: &SessionView, model: &Model, width: usize) -> Vec<Line<'static>> {
    let mut page = Page { lines: Vec::new(), width, model };
    let plain = model.theme.plain;
    let summary = view.summary.as_deref();
    page.row("parties", &super::parties(view, model.privacy), plain);
    page.row("direction", view.header.direction.name(), plain);
    let reason = if view.reason.is_empty() { String::new() } else { format!("  {}", view.reason) };
    let status = view.status.map(|status| format!("  {status}")).unwrap_or_default();
    page.row(
        "state",
        &format!("{} {}{status}{reason}", theme::state_glyph(view.state), view.state.name()),
        model.theme.state(view.state),
    );
    page.row("agent", or_unknown(&view.header.agent), plain);
    if !view.header.rule.is_empty() {
        page.row("rule", &view.header.rule, plain);
    }
    page.row("started", or_unknown(&view.header.started), plain);
    let answered = text::with_unit(view.answered_at, 3, " s");
    page.row("lasted", &format!("{}  answered after {answered}", text::clock(view.t)), plain);
    let media = view.media.as_ref().map_or_else(
        || text::UNKNOWN.to_owned(),
        |media| {
            let srtp = if media.srtp.is_empty() { String::new() } else { format!("  {}", media.srtp) };
            format!("{}  pt {}  {} ms  {}{srtp}", media.codec, media.payload_type, media.ptime_ms, media.direction)
        },
    );
    page.row("media", &media, plain);
    if let Some(connection) = &view.connection {
        let style = if connection.ice == "disconnected" { model.theme.warn } else { plain };
        page.row("browser", &super::connection(connection, model.privacy), style);
    }
    if view.recording_paused {
        page.row("recording", "paused: silence in the place of sound", model.theme.warn);
    }
    let column = |name| columns::by_name(name).and_then(|at| columns::COLUMNS.get(at));
    let figure = |name| column(name).map(|column| (column.cell)(view, columns::Look::default())).unwrap_or_default();
    page.row(
        "quality",
        &format!("MOS {}  loss {} %  jitter {} ms", figure("mos"), figure("loss"), figure("jitter")),
        plain,
    );
    page.row(
        "turns",
        &format!("{}  cut {}  gap p50 {}  p95 {} ms", view.turns.len(), figure("cuts"), figure("p50"), figure("p95")),
        plain,
    );
    if !view.dtmf.is_empty() {
        // Digits are PINs and card numbers as often as menu choices.
        page.row(
            "digits",
            &if model.privacy { "x".repeat(view.dtmf.chars().count()) } else { view.dtmf.clone() },
            plain,
        );
    }
    page.row(
        "Call-ID",
        or_unknown(&if model.privacy { mask(&view.header.sip_call_id) } else { view.header.sip_call_id.clone() }),
        plain,
    );
    if let Some(summary) = summary {
        let verdicts =
            [("sip", summary.sip), ("media", summary.media), ("agent", summary.agent), ("checks", summary.checks)];
        let words: Vec<String> = verdicts.iter().map(|(name, verdict)| format!("{name} {}", verdict.name())).collect();
        let bad = verdicts.iter().any(|(_, verdict)| *verdict == Verdict::Fail);
        page.row("verdicts", &words.join("  "), if bad { model.theme.bad } else { model.theme.good });
        page.row("ended by", &format!("{}  {}", summary.ended_by, summary.reason), plain);
    }
    for lint in &view.lints {
        page.gap();
        let words = format!("{} {}  {}", theme::level_mark(lint.level), lint.name, lint.evidence);
        page.row("lint", &words, model.theme.level(lint.level));
        page.row("try", &lint.cure, plain);
    }
    let notes: Vec<_> = view
        .events
        .iter()
        .rev()
        .filter_map(|event| match &event.body {
            Body::Note(note) => Some((event.t, note)),
            _ => None,
        })
        .take(NOTES_SHOWN)
        .collect();
    if !notes.is_empty() {
        page.gap();
    }
    for (t, note) in notes.into_iter().rev() {
        let words = format!("{} {}", theme::level_mark(note.level), note.text);
        page.row(&format!("{t:.3}"), &words, model.theme.level(note.level));
    }
    page.lines
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { text::UNKNOWN } else { text }
}

struct Page<'m> {
    lines: Vec<Line<'static>>,
    width: usize,
    model: &'m Model,
}

impl Page<'_> {
    fn row(&mut self, label: &str, value: &str, style: Style) {
        let room = self.width.saturating_sub(LABEL_CELLS + 2);
        let mut label = label;
        for part in text::wrap(value, room) {
            self.lines.push(Line::from(vec![
                Span::styled(format!(" {} ", text::left(label, LABEL_CELLS)), self.model.theme.dim),
                Span::styled(part, style),
            ]));
            label = "";
        }
    }

    fn gap(&mut self) {
        self.lines.push(Line::default());
    }
}
