//! The ladder: SIP, agent and media events between three lifelines, caller, gateway and agent.
//!
//! Owns: which events are drawn, arrows and their labels, relative time, folding of quiet spans, the lines
//! about the chosen message and its whole text. The caller's lifeline is the other party of the SIP dialog,
//! whoever called. With privacy on, message texts are not shown at all: numbers hide in too many headers.

use super::{nothing, paint, rule, take_bottom, take_top};
use crate::{
    api::model::{Event, SessionView},
    call::journal::{ActionState, AgentState, Body, BridgeState, CallState, Direction, Level, SipMessage, ToolState},
    tui::{
        model::{Model, TimeStyle},
        text, theme,
    },
};
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

/// Quiet for longer than this is folded into one line.
const FOLD_AFTER_S: f64 = 5.0;
/// A narrower pane writes events as lines of text.
const LANES_FROM_COLUMNS: usize = 50;
/// A lower pane has no room for the chosen message.
const DETAIL_FROM_ROWS: u16 = 12;
const DETAIL_ROWS: u16 = 3;
const HIDDEN: &str = "hidden while privacy is on";

/// Draws it.
pub fn render(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let Some(view) = model.current() else {
        return nothing(frame, area, model, "no call is chosen");
    };
    let entries = entries(view);
    let Some(chosen) = model.ladder.at(entries.len()) else {
        return nothing(frame, area, model, "no signalling yet");
    };
    let event = entries.get(chosen).and_then(|at| view.events.get(*at));
    let mut area = area;
    if model.raw {
        return raw(frame, area, view, model);
    }
    if area.height >= DETAIL_FROM_ROWS
        && let Some(event) = event
    {
        let number = entries.iter().take(chosen + 1).filter(|at| is_sip(view, **at)).count();
        detail(frame, take_bottom(&mut area, DETAIL_ROWS), model, event, number);
    }
    let lanes = Lanes::of(usize::from(area.width), model.time_style);
    paint(frame, take_top(&mut area, 2), lanes.heads(view, model));

    let rows = rows(view, &entries);
    let visible = usize::from(area.height);
    let at = rows.iter().position(|row| matches!(row, Row::Event { entry, .. } if *entry == chosen)).unwrap_or(0);
    // The chosen line stays in the lower third, so that what led to it is seen.
    let top = (at + 1 + visible / 3).saturating_sub(visible).min(rows.len().saturating_sub(visible));
    let lines = rows.iter().skip(top).take(visible).map(|row| match row {
        Row::Quiet(seconds) => Line::styled(
            format!("{}┄ {seconds:.0} s without signalling ┄", " ".repeat(lanes.gutter / 2)),
            model.theme.dim,
        ),
        Row::Event { entry, event, number, before } => {
            lanes.line(view, model, event, *number, *before, *entry == chosen)
        }
    });
    let lines = lines.collect();
    paint(frame, area, lines);
}

/// Indices of the events that the ladder shows; state changes that a message already tells are left out.
#[must_use]
pub fn entries(view: &SessionView) -> Vec<usize> {
    let shown = |body: &Body| match body {
        Body::State(change) => change.state == CallState::Held || change.state.is_over(),
        Body::Sip(_)
        | Body::Media(_)
        | Body::Ice(_)
        | Body::Agent(_)
        | Body::Bridge(_)
        | Body::Action(_)
        | Body::Tool(_)
        | Body::Dtmf(_)
        | Body::Check(_)
        | Body::Lint(_)
        | Body::Recording(_)
        | Body::Note(_) => true,
        _ => false,
    };
    view.events.iter().enumerate().filter(|(_, event)| shown(&event.body)).map(|(at, _)| at).collect()
}

/// The whole text of the chosen event, line by line.
#[must_use]
pub fn raw_lines(view: &SessionView, model: &Model) -> Vec<String> {
    if model.privacy {
        return vec![HIDDEN.to_owned()];
    }
    let entries = entries(view);
    let event = model.ladder.at(entries.len()).and_then(|at| view.events.get(*entries.get(at)?));
    let text = match event.map(|event| &event.body) {
        Some(Body::Sip(message)) => message.text.clone(),
        Some(body) => serde_json::to_string_pretty(body).unwrap_or_default(),
        None => String::new(),
    };
    text.lines().map(text::clean).collect()
}

fn raw(frame: &mut Frame<'_>, area: Rect, view: &SessionView, model: &Model) {
    let mut area = area;
    let lines = raw_lines(view, model);
    let title = format!("whole text, {} lines", lines.len());
    paint(frame, take_top(&mut area, 1), vec![rule(area.width, &title, "Esc back", model)]);
    let top = model.raw_top.min(lines.len().saturating_sub(usize::from(area.height)));
    paint(frame, area, lines.into_iter().skip(top).map(|line| Line::raw(format!(" {line}"))).collect());
}

enum Row<'v> {
    Quiet(f64),
    Event { entry: usize, event: &'v Event, number: Option<usize>, before: f64 },
}

fn rows<'v>(view: &'v SessionView, entries: &[usize]) -> Vec<Row<'v>> {
    let mut rows = Vec::new();
    let mut before: Option<f64> = None;
    let mut messages = 0;
    for (entry, at) in entries.iter().enumerate() {
        let Some(event) = view.events.get(*at) else { continue };
        let quiet = before.map_or(0.0, |before| event.t - before);
        if quiet > FOLD_AFTER_S {
            rows.push(Row::Quiet(quiet));
        }
        let number = matches!(event.body, Body::Sip(_)).then(|| {
            messages += 1;
            messages
        });
        rows.push(Row::Event { entry, event, number, before: before.unwrap_or(event.t) });
        before = Some(event.t);
    }
    rows
}

fn is_sip(view: &SessionView, at: usize) -> bool {
    view.events.get(at).is_some_and(|event| matches!(event.body, Body::Sip(_)))
}

/// What an event looks like: an arrow in the left or the right space, or words across.
enum Shape {
    Caller { label: String, inward: bool, heavy: bool },
    Agent { label: String, inward: bool },
    Words(String),
}

fn shape(event: &Event, model: &Model) -> (Shape, Style) {
    let theme = &model.theme;
    match &event.body {
        Body::Sip(message) => (
            Shape::Caller { label: sip_label(message), inward: message.direction == Direction::In, heavy: false },
            match message.status {
                Some(400..) => theme.bad,
                _ if message.retransmission => theme.warn,
                _ => theme.plain,
            },
        ),
        Body::Agent(change) => {
            let (name, inward) = match change.state {
                AgentState::Connecting => ("connect", false),
                other => (other.name(), true),
            };
            let style = match change.state {
                AgentState::Failed => theme.bad,
                AgentState::GoingAway => theme.warn,
                AgentState::Connecting | AgentState::Ready | AgentState::Closed => theme.agent,
            };
            let label = if change.text.is_empty() { name.to_owned() } else { format!("{name} {}", change.text) };
            (Shape::Agent { label: text::clean(&label), inward }, style)
        }
        Body::Bridge(change) => {
            let peer = change.peer.map(|peer| format!(" ({peer})")).unwrap_or_default();
            let label = text::clean(&format!("{} {}{peer}", change.state.name(), change.text));
            let style = if change.state == BridgeState::Failed { theme.bad } else { theme.agent };
            (Shape::Agent { label, inward: change.state != BridgeState::Calling }, style)
        }
        Body::Action(change) => {
            let words = match change.state {
                ActionState::Asked => [change.name.as_str(), &change.about.shown(model.privacy)].join(" "),
                _ => change.text.clone(),
            };
            let state =
                if change.state == ActionState::Asked { String::new() } else { format!(" {}", change.state.name()) };
            let style = if change.state == ActionState::Refused { theme.warn } else { theme.agent };
            let label = text::clean(format!("{}{state} {}", change.action, words.trim()).trim_end());
            (Shape::Agent { label, inward: change.state == ActionState::Asked }, style)
        }
        Body::Tool(change) => {
            // Words of people, or what they are known by.
            let words = if model.privacy { crate::redact::mask(&change.words()) } else { change.words() };
            let style = if change.state == ToolState::Failed { theme.warn } else { theme.agent };
            (
                Shape::Agent {
                    label: text::clean(&words),
                    inward: matches!(change.state, ToolState::Called | ToolState::Cancelled),
                },
                style,
            )
        }
        Body::Media(media) => {
            let label = format!("RTP {} {} ms {}", media.codec, media.ptime_ms, media.source);
            (Shape::Caller { label: text::clean(&label), inward: true, heavy: true }, theme.good)
        }
        Body::Ice(change) => {
            let style = match change.state.as_str() {
                "connected" => theme.good,
                "disconnected" => theme.warn,
                _ => theme.plain,
            };
            let label = text::clean(&format!("ICE {} {}", change.state, change.remote));
            (Shape::Caller { label, inward: true, heavy: change.state == "connected" }, style)
        }
        Body::Dtmf(digit) => {
            // A digit may be one of a PIN.
            let shown = if model.privacy { 'x' } else { digit.digit };
            let label = text::clean(&format!("dtmf {shown}"));
            (Shape::Caller { label, inward: digit.direction == Direction::In, heavy: false }, theme.caller)
        }
        Body::State(change) => {
            let words = format!("{} {} {}", theme::state_glyph(change.state), change.state.name(), change.reason);
            (Shape::Words(text::clean(&words)), theme.state(change.state))
        }
        Body::Check(check) => {
            let level = if check.passed { Level::Info } else { Level::Error };
            let word = if check.passed { "held" } else { "failed" };
            (
                Shape::Words(text::clean(&format!("{} {word}  {}", theme::level_mark(level), check.words()))),
                theme.level(level),
            )
        }
        Body::Lint(lint) => {
            let words = format!("{} {}  {}", theme::level_mark(lint.level), lint.name, lint.evidence);
            (Shape::Words(text::clean(&words)), theme.level(lint.level))
        }
        Body::Recording(change) => {
            let colour = if change.state.name() == "paused" { theme.warn } else { theme.plain };
            (Shape::Words(format!("recording {}", change.state.name())), colour)
        }
        Body::Note(note) => {
            let words = format!("{} {}", theme::level_mark(note.level), note.text);
            (Shape::Words(text::clean(&words)), theme.level(note.level))
        }
        _ => (Shape::Words(String::new()), theme.plain),
    }
}

fn sip_label(message: &SipMessage) -> String {
    let again = if message.retransmission { " ↻" } else { "" };
    let sdp = if message.sdp.is_empty() { String::new() } else { format!(" ({})", message.sdp) };
    text::clean(&format!("{}{sdp}{again}", message.label))
}

/// Where the lifelines stand.
struct Lanes {
    gutter: usize,
    time: usize,
    left: usize,
    right: usize,
    width: usize,
}

impl Lanes {
    fn of(width: usize, style: TimeStyle) -> Self {
        let time = if style == TimeStyle::Clock { 12 } else { 9 };
        let gutter = time + 6;
        // Two cells at the right edge let the agent's name stand over its line.
        let room = width.saturating_sub(gutter + 5);
        let left = room * 3 / 5;
        Self { gutter, time, left, right: room - left, width }
    }

    fn has_lanes(&self) -> bool {
        self.width >= LANES_FROM_COLUMNS
    }

    fn heads(&self, view: &SessionView, model: &Model) -> Vec<Line<'static>> {
        let time = match model.time_style {
            TimeStyle::Relative => "t (s)",
            TimeStyle::Delta => "+ (s)",
            TimeStyle::Clock => "UTC",
        };
        let head = format!(" {}   # ", text::right(time, self.time));
        if !self.has_lanes() {
            return vec![Line::styled(head, model.theme.title)];
        }
        let first = view.sip_messages().next().map(|(_, message)| message);
        let peer = if view.header.direction == Direction::In { "caller" } else { "callee" };
        let agent = if view.header.agent.is_empty() { "agent".to_owned() } else { text::clean(&view.header.agent) };
        let address = |address: Option<&String>| address.map(|address| text::clean(address)).unwrap_or_default();
        let addresses = self.three(
            &address(first.map(|message| &message.peer).filter(|_| !model.privacy)),
            &address(first.map(|message| &message.local)),
            "",
        );
        vec![
            Line::styled(
                text::fit(&format!("{head}{}", self.three(peer, "voxgw", &agent)), self.width),
                model.theme.title,
            ),
            Line::styled(text::fit(&format!("{}{addresses}", " ".repeat(self.gutter)), self.width), model.theme.dim),
        ]
    }

    /// Three words, each over its lifeline.
    fn three(&self, caller: &str, gateway: &str, agent: &str) -> String {
        let gateway_cells = self.right.saturating_sub(4);
        let left = text::left(caller, (self.left + 1).saturating_sub(4));
        format!("{left}    {} {agent}", text::left(gateway, gateway_cells + 4))
    }

    fn line(
        &self,
        view: &SessionView,
        model: &Model,
        event: &Event,
        number: Option<usize>,
        before: f64,
        chosen: bool,
    ) -> Line<'static> {
        let time = match model.time_style {
            TimeStyle::Relative => format!("{:.3}", event.t),
            TimeStyle::Delta => format!("+{:.3}", (event.t - before).max(0.0)),
            TimeStyle::Clock => {
                text::time_of_day(&view.header.started, event.t).unwrap_or_else(|| format!("{:.3}", event.t))
            }
        };
        let marker = if chosen { "▶" } else { " " };
        let number = number.map(|number| number.to_string()).unwrap_or_default();
        let gutter = format!("{marker}{} {} ", text::right(&time, self.time), text::right(&number, 3));
        let (shape, style) = shape(event, model);
        let style = if chosen { style.patch(model.theme.title) } else { style };
        let mut spans = vec![Span::styled(gutter, if chosen { model.theme.title } else { model.theme.dim })];
        let bar = || Span::styled("│", model.theme.border);
        if !self.has_lanes() {
            let words = match shape {
                Shape::Caller { label, .. } | Shape::Agent { label, .. } => label,
                Shape::Words(words) => words,
            };
            spans.push(Span::styled(words, style));
            return Line::from(spans);
        }
        match shape {
            Shape::Caller { label, inward, heavy } => {
                let arrow = arrow(&label, self.left, inward, heavy);
                spans.extend([bar(), Span::styled(arrow, style), bar(), Span::raw(" ".repeat(self.right)), bar()]);
            }
            Shape::Agent { label, inward } => {
                // Inward is towards the gateway, which stands to the left of the agent.
                let arrow = arrow(&label, self.right, !inward, false);
                spans.extend([bar(), Span::raw(" ".repeat(self.left)), bar(), Span::styled(arrow, style), bar()]);
            }
            Shape::Words(words) => {
                spans.push(Span::styled(text::fit(&words, self.width.saturating_sub(self.gutter)), style));
            }
        }
        Line::from(spans)
    }
}

/// An arrow with its label near the sender: `──INVITE────▶`.
fn arrow(label: &str, cells: usize, rightwards: bool, heavy: bool) -> String {
    if cells == 0 {
        return String::new();
    }
    let fill = if heavy { "═" } else { "─" };
    let label = text::fit(label, cells.saturating_sub(4));
    let rest = cells.saturating_sub(text::width(&label) + 1);
    let near = fill.repeat(rest.min(2));
    let far = fill.repeat(rest.saturating_sub(2));
    if rightwards { format!("{near}{label}{far}▶") } else { format!("◀{far}{label}{near}") }
}

fn detail(frame: &mut Frame<'_>, area: Rect, model: &Model, event: &Event, number: usize) {
    let width = usize::from(area.width);
    let mut lines = Vec::new();
    if let Body::Sip(message) = &event.body {
        let title = format!("message {number}");
        lines.push(rule(area.width, &title, &format!("{} B ─ ⏎ full text", message.text.len()), model));
        let first =
            if model.privacy { message.label.as_str() } else { message.text.lines().next().unwrap_or_default() };
        let mut words = format!("{first}  CSeq {} {}", message.cseq, message.method);
        if !model.privacy
            && let Some(contact) = header(&message.text, &["contact", "m"])
        {
            words = format!("{words}  Contact {contact}");
        }
        lines.push(Line::raw(text::fit(&format!(" {}", text::clean(&words)), width)));
        let way = if message.direction == Direction::In { "from" } else { "to" };
        let peer = if model.privacy { HIDDEN } else { &message.peer };
        let media = message.text.lines().find(|line| line.starts_with("m=")).unwrap_or_default();
        let words = format!(" {way} {peer} over {}  {media}", message.transport);
        lines.push(Line::styled(text::fit(&text::clean(&words), width), model.theme.dim));
    } else {
        lines.push(rule(area.width, &format!("{:.3} s", event.t), "⏎ as record", model));
        let (shape, style) = shape(event, model);
        let words = match shape {
            Shape::Caller { label, .. } | Shape::Agent { label, .. } => label,
            Shape::Words(words) => words,
        };
        lines.push(Line::styled(text::fit(&format!(" {words}"), width), style));
        if let Body::Lint(lint) = &event.body {
            lines.push(Line::raw(text::fit(&format!(" try: {}", text::clean(&lint.cure)), width)));
        }
    }
    paint(frame, area, lines);
}

/// The first header of one of these names, which are lower case.
fn header<'t>(text: &'t str, names: &[&str]) -> Option<&'t str> {
    text.lines().skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        names.contains(&name.trim().to_ascii_lowercase().as_str()).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_fill_their_space_exactly() {
        for cells in 0..40 {
            for (label, rightwards) in [("INVITE (sdp pcmu)", true), ("180", false), ("", true), ("日本語", false)] {
                let arrow = arrow(label, cells, rightwards, false);
                assert_eq!(text::width(&arrow), cells, "{arrow}");
            }
        }
        assert_eq!(arrow("ACK", 10, true, false), "──ACK────▶");
        assert_eq!(arrow("180", 10, false, true), "◀════180══");
    }

    #[test]
    fn headers_are_found_long_and_short_but_not_in_the_body() {
        let text = "SIP/2.0 200 OK\r\nm: <sip:a>\r\n\r\nContact: no\r\n";
        assert_eq!(header(text, &["contact", "m"]), Some("<sip:a>"));
        assert_eq!(header("", &["contact"]), None);
    }
}
