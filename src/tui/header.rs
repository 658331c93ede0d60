//! The lines around the panes: what is watched, totals, the call's own line, tabs, and the keys.
//!
//! Owns: their texts. The header says when data is missing: link lost, frozen, dropped. The footer comes
//! from the action table and leaves out what cannot act now. Called by the layout.

use super::{
    action::{ACTIONS, Action},
    model::{Link, Model},
    pane::{self, PANES},
    text, theme, update,
};
use crate::api::model::SessionView;
use ratatui::{
    style::Style,
    text::{Line, Span},
};

const BAR: &str = " ▏";

/// What is watched and how it is doing.
#[must_use]
pub fn first(model: &Model, width: u16) -> Line<'static> {
    let theme = &model.theme;
    let gateway = &model.gateway;
    let (link, style) = match &model.link {
        Link::Connecting => ("CONNECTING".to_owned(), theme.warn),
        Link::Live => ("LIVE".to_owned(), theme.good),
        Link::Ended => ("ENDED".to_owned(), theme.dim),
        Link::Lost(why) => (format!("LOST {}", text::clean(why)), theme.bad),
    };
    let mut pieces = vec![
        (" voxgw".to_owned(), theme.title),
        (text::fit(&text::clean(&model.target), usize::from(width) / 3), theme.plain),
        (link, style),
    ];
    if model.frozen {
        pieces.push((format!("FROZEN +{}", model.waiting()), theme.warn));
    }
    if gateway.draining {
        pieces.push(("DRAINING".to_owned(), theme.warn));
    }
    if gateway.overloaded {
        pieces.push(("OVERLOADED".to_owned(), theme.bad));
    }
    pieces.push((format!("{} up {} ringing", gateway.up, gateway.ringing), theme.plain));
    if let Some(time) = text::time_of_day(&gateway.now, 0.0) {
        pieces.push((time.get(..8).unwrap_or_default().to_owned(), theme.plain));
    }
    if !gateway.name.is_empty() && width >= 110 {
        let words = format!("{} {} up {}", gateway.name, gateway.version, text::clock(gateway.uptime_s));
        pieces.push((text::clean(&words), theme.dim));
    }
    joined(pieces, model)
}

/// Totals over the calls that are shown, and what was lost on the way to us.
#[must_use]
pub fn second(model: &Model, width: u16) -> Line<'static> {
    let theme = &model.theme;
    let gateway = &model.gateway;
    let totals = model.totals();
    let mut pieces = vec![
        (format!(" calls {}  refused {}", gateway.calls_total, gateway.refused_total), theme.plain),
        (format!("loss {}", text::with_unit(totals.loss_percent, 1, "%")), theme.plain),
        (format!("ai p50 {} p95 {} ms", text::number(totals.p50_ms, 0), text::number(totals.p95_ms, 0)), theme.plain),
        (format!("drops {}", model.drops), if model.drops > 0 { theme.warn } else { theme.plain }),
        (
            format!("lint !! {}  ! {}", totals.errors, totals.warnings),
            if totals.errors > 0 { theme.bad } else { theme.plain },
        ),
    ];
    for trunk in gateway.trunks.iter().filter(|trunk| trunk.state == "down") {
        let status = trunk.status.map_or_else(String::new, |status| format!(" {status}"));
        pieces.push((format!("trunk {} down{status}", text::clean(&trunk.name)), theme.bad));
    }
    if !gateway.recording_problem.is_empty() {
        pieces.push((format!("recording: {}", text::clean(&gateway.recording_problem)), theme.bad));
    }
    if width >= 110 {
        let lost = (gateway.sip_dropped_total, gateway.records_dropped_total);
        pieces.push((format!("sip dropped {}  records dropped {}", lost.0, lost.1), theme.dim));
    }
    joined(pieces, model)
}

/// The line of one call.
#[must_use]
pub fn call(view: &SessionView, model: &Model, width: u16) -> Line<'static> {
    let theme = &model.theme;
    let mut pieces = vec![
        (format!(" {}", view.call()), theme.title),
        (text::fit(&pane::parties(view, model.privacy), usize::from(width) / 3), theme.plain),
        (text::fit(&text::clean(&view.header.agent), 12), theme.plain),
        (format!("{} {}", theme::state_glyph(view.state), text::clock(view.t)), theme.state(view.state)),
        (format!("MOS {}", text::number(view.inbound.mos, 1)), theme.plain),
        (format!("p95 {}", text::number(view.gap_percentile_ms(95.0), 0)), theme.plain),
    ];
    if model.frozen {
        pieces.push((format!("FROZEN +{}", model.waiting()), theme.warn));
    }
    if let Link::Lost(_) = model.link {
        pieces.push(("LOST".to_owned(), theme.bad));
    }
    if let Some(level) = view.worst_lint() {
        pieces.push((format!("{} {}", theme::level_mark(level), view.lints.len()), theme.level(level)));
    }
    joined(pieces, model)
}

/// The panes of a call, the shown one in brackets.
#[must_use]
pub fn tabs(model: &Model) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    for row in PANES.iter().filter(|row| row.key != ' ') {
        if row.pane == model.pane {
            spans.push(Span::styled(format!("[{} {}]  ", row.key, row.name), model.theme.title));
        } else {
            spans.push(Span::styled(format!("{} {}  ", row.key, row.name), model.theme.dim));
        }
    }
    Line::from(spans)
}

/// The keys that act now; help and quit are always there.
#[must_use]
pub fn footer(model: &Model, width: u16) -> Line<'static> {
    let always = |action: Action| matches!(action, Action::Help | Action::Quit);
    let acts = ACTIONS.iter().filter(|binding| {
        !binding.short.is_empty()
            && binding.place.overlaps(model.place())
            && update::reason_against(binding, model).is_none()
    });
    let cells = |key: &str, word: &str| text::width(key) + text::width(word) + 3;
    let (mut chosen, mut last) = (Vec::new(), Vec::new());
    for binding in acts {
        let key = binding.keys.first().map(super::action::Key::name).unwrap_or_default();
        if always(binding.action) { last.push((key, binding.short)) } else { chosen.push((key, binding.short)) }
    }
    let mut left = usize::from(width).saturating_sub(1);
    left = left.saturating_sub(last.iter().map(|(key, word)| cells(key, word)).sum());
    let mut spans = vec![Span::raw(" ")];
    let fitting = chosen.into_iter().map_while(|(key, word)| {
        left = left.checked_sub(cells(&key, word))?;
        Some((key, word))
    });
    let fitting: Vec<_> = fitting.collect();
    for (key, word) in fitting.into_iter().chain(last) {
        spans.push(Span::styled(key, model.theme.key));
        spans.push(Span::raw(format!(" {word}  ")));
    }
    Line::from(spans)
}

fn joined(pieces: Vec<(String, Style)>, model: &Model) -> Line<'static> {
    let mut spans = Vec::new();
    for (at, (words, style)) in pieces.into_iter().enumerate() {
        if at > 0 {
            spans.push(Span::styled(BAR, model.theme.border));
        }
        spans.push(Span::styled(words, style));
    }
    Line::from(spans)
}
