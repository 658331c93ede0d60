//! What keys do to the model: pure functions from a model and a key to the next model.
//!
//! Owns: the meaning of each action, typing into the filter and into help, and the reasons why an action
//! cannot act now. Draws nothing and waits for nothing; a wish that the server has to fulfil is returned as
//! a [`Command`]. Called by `run` for each key, and by tests.

use super::{
    Command,
    action::{self, Action, Binding, Place},
    columns::COLUMNS,
    model::{Model, Overlay, TimeStyle},
    overlay::help,
    pane::{Pane, ladder, overview, turns},
};
use crate::{
    call::journal::{Body, CallState},
    unit::CallId,
};
use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Rows of a page; the model does not know how high the screen is.
const PAGE_ROWS: isize = 10;
/// Longest text that can be typed into a line.
const LONGEST_INPUT: usize = 200;

/// Takes a key: to the overlay if there is one, to the filter while it is written, else to the table.
pub fn key(model: &mut Model, event: &KeyEvent) -> Option<Command> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    if event.code == KeyCode::Char('c') && event.modifiers.contains(KeyModifiers::CONTROL) {
        return update(model, Action::Quit);
    }
    match &model.overlay {
        Overlay::Help { .. } => return help_key(model, event),
        Overlay::ConfirmHangup(call) => {
            let call = *call;
            model.overlay = Overlay::None;
            return matches!(event.code, KeyCode::Char('y' | 'Y')).then_some(Command::Hangup(call));
        }
        Overlay::None => {}
    }
    if model.filter_editing {
        filter_key(model, event);
        return None;
    }
    let place = model.place();
    update(model, action::of_key(event, place)?.action)
}

/// Does an action, unless there is a reason against it.
pub fn update(model: &mut Model, action: Action) -> Option<Command> {
    if action::binding(action).and_then(|binding| reason_against(binding, model)).is_some() {
        return None;
    }
    match action {
        Action::Up => step(model, -1),
        Action::Down => step(model, 1),
        Action::PageUp => step(model, -PAGE_ROWS),
        Action::PageDown => step(model, PAGE_ROWS),
        Action::First => step(model, isize::MIN),
        Action::Last | Action::Follow => step(model, isize::MAX),
        Action::Open => open(model),
        Action::Back => back(model),
        Action::Peel => peel(model),
        Action::NextPane => {
            let next = model.pane.next();
            show(model, next);
        }
        Action::PreviousPane => {
            let previous = model.pane.previous();
            show(model, previous);
        }
        Action::ShowOverview if !model.in_call() => {}
        Action::ShowOverview => show(model, Pane::Overview),
        Action::ShowLadder => show(model, Pane::Ladder),
        Action::ShowMedia => show(model, Pane::Media),
        Action::ShowTalk => show(model, Pane::Talk),
        Action::ShowTurns => show(model, Pane::Turns),
        Action::Zoom => model.zoom = !model.zoom,
        Action::Freeze if model.frozen => model.unfreeze(),
        Action::Freeze => model.frozen = true,
        Action::Filter => model.filter_editing = true,
        Action::SortLeft => {
            let left = model.sort.and_then(|at| at.checked_sub(1));
            sort_by(model, left);
        }
        Action::SortRight => {
            let last = COLUMNS.len().saturating_sub(1);
            let right = model.sort.map_or(0, |at| at.saturating_add(1).min(last));
            sort_by(model, Some(right));
        }
        Action::Reverse => model.reverse = !model.reverse,
        Action::NextProblem => problem(model, true),
        Action::PreviousProblem => problem(model, false),
        Action::TimeStyle => {
            model.time_style = match model.time_style {
                TimeStyle::Relative => TimeStyle::Delta,
                TimeStyle::Delta => TimeStyle::Clock,
                TimeStyle::Clock => TimeStyle::Relative,
            };
        }
        Action::Privacy => model.privacy = !model.privacy,
        Action::Theme => model.theme = model.theme.next(),
        Action::Hangup => {
            if let Some(call) = model.current().map(super::super::api::model::SessionView::call) {
                model.overlay = Overlay::ConfirmHangup(call);
            }
        }
        Action::Hold => {
            return model.current().map(|view| Command::Hold(view.call(), view.state != CallState::Held));
        }
        Action::Help => model.overlay = Overlay::Help { filter: String::new(), selected: 0 },
        Action::Quit => model.quit = true,
    }
    None
}

/// Why an action cannot act now, for help to say.
#[must_use]
pub fn reason_against(binding: &Binding, model: &Model) -> Option<&'static str> {
    if !binding.place.overlaps(model.place()) {
        return Some(if binding.place == Place::Call { "open a call first" } else { "works in the sessions table" });
    }
    let call = model.current();
    match binding.action {
        Action::Hangup | Action::Hold if !model.control => Some("started without --control"),
        Action::Hangup | Action::Hold if call.is_some_and(|view| view.state.is_over()) => Some("the call is over"),
        Action::Hold if call.is_some_and(|view| view.answered_at.is_none()) => Some("the call is not answered"),
        Action::Hangup
        | Action::Hold
        | Action::Open
        | Action::NextPane
        | Action::PreviousPane
        | Action::ShowLadder
        | Action::ShowMedia
        | Action::ShowTalk
        | Action::ShowTurns
            if call.is_none() =>
        {
            Some("there is no call")
        }
        Action::Follow if !matches!(model.pane, Pane::Ladder | Pane::Talk | Pane::Turns) => {
            Some("nothing to follow here")
        }
        Action::Reverse if model.sort.is_none() => Some("choose a column first"),
        _ => None,
    }
}

fn help_key(model: &mut Model, event: &KeyEvent) -> Option<Command> {
    let Overlay::Help { filter, selected } = &mut model.overlay else { return None };
    match event.code {
        KeyCode::Esc => model.overlay = Overlay::None,
        KeyCode::Enter => {
            let chosen = help::matching(filter).get(*selected).copied();
            if let Some(binding) = chosen
                && reason_against(binding, model).is_none()
            {
                model.overlay = Overlay::None;
                return update(model, binding.action);
            }
        }
        KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown | KeyCode::Home | KeyCode::End => {
            let last = help::matching(filter).len().saturating_sub(1);
            let rows = match event.code {
                KeyCode::Up => -1,
                KeyCode::Down => 1,
                KeyCode::PageUp => -PAGE_ROWS,
                KeyCode::PageDown => PAGE_ROWS,
                KeyCode::Home => isize::MIN,
                _ => isize::MAX,
            };
            *selected = selected.saturating_add_signed(rows).min(last);
        }
        _ => {
            if type_into(filter, event) {
                *selected = 0;
            }
        }
    }
    None
}

fn filter_key(model: &mut Model, event: &KeyEvent) {
    match event.code {
        KeyCode::Enter | KeyCode::Esc => model.filter_editing = false,
        KeyCode::Up => step(model, -1),
        KeyCode::Down => step(model, 1),
        _ => {
            if type_into(&mut model.filter_text, event) {
                model.read_filter();
            }
        }
    }
}

/// Letters, Backspace and Ctrl-u of a one-line input. Tells whether the text changed.
fn type_into(line: &mut String, event: &KeyEvent) -> bool {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    match event.code {
        KeyCode::Backspace => line.pop().is_some(),
        KeyCode::Char('u') if control => {
            line.clear();
            true
        }
        KeyCode::Char(character) if !control && !character.is_control() && line.len() < LONGEST_INPUT => {
            line.push(character);
            true
        }
        _ => false,
    }
}

/// Moves in whatever the pane shows.
fn step(model: &mut Model, rows: isize) {
    match model.pane {
        Pane::Sessions => step_session(model, rows),
        Pane::Overview => {
            let lines = model.current().map_or(0, |view| overview::rows(view, model));
            model.overview_top = model.overview_top.saturating_add_signed(rows).min(lines.saturating_sub(1));
        }
        Pane::Ladder if model.raw => {
            let lines = model.current().map_or(0, |view| ladder::raw_lines(view, model).len());
            model.raw_top = model.raw_top.saturating_add_signed(rows).min(lines.saturating_sub(1));
        }
        Pane::Ladder => {
            let length = model.current().map_or(0, |view| ladder::entries(view).len());
            model.ladder.step(rows, length);
        }
        Pane::Media => {}
        Pane::Talk => {
            let length = model.current().map_or(0, |view| view.talk.len());
            model.talk.step(rows, length);
        }
        Pane::Turns => {
            let length = model.current().map_or(0, |view| view.turns.len());
            model.turn.step(rows, length);
        }
    }
}

fn step_session(model: &mut Model, rows: isize) {
    let calls: Vec<CallId> = model.visible().iter().map(|view| view.call()).collect();
    let now = calls.iter().position(|call| Some(*call) == model.selected).unwrap_or(0);
    let next = now.saturating_add_signed(rows).min(calls.len().saturating_sub(1));
    if let Some(call) = calls.get(next) {
        model.select(*call);
    }
}

fn show(model: &mut Model, pane: Pane) {
    // The panes of a call stay with it even when the table is sorted anew.
    if let Some(call) = model.current().map(super::super::api::model::SessionView::call) {
        model.select(call);
    }
    model.pane = pane;
    model.raw = false;
    model.filter_editing = false;
    if pane != Pane::Sessions {
        model.call_pane = pane;
    }
}

fn open(model: &mut Model) {
    match model.pane {
        Pane::Sessions => {
            let pane = model.call_pane;
            show(model, pane);
        }
        Pane::Ladder => {
            model.raw = true;
            model.raw_top = 0;
        }
        Pane::Overview | Pane::Media | Pane::Talk | Pane::Turns => {}
    }
}

fn back(model: &mut Model) {
    if model.raw {
        model.raw = false;
    } else {
        model.pane = Pane::Sessions;
    }
}

fn peel(model: &mut Model) {
    if model.raw {
        model.raw = false;
    } else if model.zoom {
        model.zoom = false;
    } else if model.in_call() {
        model.pane = Pane::Sessions;
    } else if !model.filter_text.is_empty() {
        model.filter_text.clear();
        model.read_filter();
    }
}

fn sort_by(model: &mut Model, column: Option<usize>) {
    model.sort = column;
    // Of figures one wants the largest first, of names the first letter.
    model.reverse = column.and_then(|at| COLUMNS.get(at)).is_some_and(|column| column.right);
}

/// To the next thing worth looking at: a call with a lint, a slow turn, a failure in the ladder.
fn problem(model: &mut Model, forwards: bool) {
    if model.pane == Pane::Sessions {
        let rows: Vec<(CallId, bool)> =
            model.visible().iter().map(|view| (view.call(), !view.lints.is_empty())).collect();
        let now = rows.iter().position(|(call, _)| Some(*call) == model.selected);
        let bad: Vec<usize> = rows.iter().enumerate().filter(|(_, row)| row.1).map(|(at, _)| at).collect();
        if let Some((call, _)) = next_of(&bad, now, forwards).and_then(|at| rows.get(at)) {
            model.select(*call);
        }
        return;
    }
    let Some(view) = model.current() else { return };
    if model.pane == Pane::Turns {
        let slow: Vec<usize> =
            view.turns.iter().enumerate().filter(|(_, turn)| turns::is_slow(turn)).map(|(at, _)| at).collect();
        if let Some(at) = next_of(&slow, model.turn.at(view.turns.len()), forwards) {
            model.turn.0 = Some(at);
        }
    } else if model.pane == Pane::Ladder {
        let entries = ladder::entries(view);
        let bad: Vec<usize> = entries
            .iter()
            .enumerate()
            .filter(|(_, event)| view.events.get(**event).is_some_and(|event| is_problem(&event.body)))
            .map(|(at, _)| at)
            .collect();
        if let Some(at) = next_of(&bad, model.ladder.at(entries.len()), forwards) {
            model.ladder.0 = Some(at);
        }
    }
}

fn is_problem(body: &Body) -> bool {
    match body {
        Body::Lint(_) => true,
        Body::Check(check) => !check.passed,
        Body::Sip(message) => message.retransmission || message.status.is_some_and(|status| status >= 400),
        _ => false,
    }
}

/// The entry of `rows` after (or before) `now`; past the end it begins again.
fn next_of(rows: &[usize], now: Option<usize>, forwards: bool) -> Option<usize> {
    if forwards {
        rows.iter().find(|row| now.is_none_or(|now| **row > now)).or_else(|| rows.first()).copied()
    } else {
        rows.iter().rev().find(|row| now.is_none_or(|now| **row < now)).or_else(|| rows.last()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::model::StreamItem,
        tui::{Feed, Options, demo},
    };

    fn model() -> Model {
        let mut model = Model::new(Options { control: true, ..Options::default() });
        model.apply(Feed::Item(Box::new(StreamItem::Snapshot(Box::new(demo::snapshot())))));
        model
    }

    fn press(model: &mut Model, code: KeyCode) -> Option<Command> {
        key(model, &KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn every_action_runs_in_every_pane_and_without_calls() {
        for action in Action::ALL {
            for pane in Pane::ALL {
                for mut model in [model(), Model::new(Options::default())] {
                    model.pane = *pane;
                    update(&mut model, *action);
                    update(&mut model, Action::Up);
                    update(&mut model, Action::Down);
                }
            }
        }
    }

    #[test]
    fn typing_a_filter_acts_at_once_and_escape_peels_it() {
        let mut model = model();
        let all = model.visible().len();
        for character in "/state:failed".chars() {
            press(&mut model, KeyCode::Char(character));
        }
        assert_eq!(model.visible().len(), 1, "of {all}");
        press(&mut model, KeyCode::Enter);
        press(&mut model, KeyCode::Esc);
        assert_eq!(model.visible().len(), all);
        assert!(!model.quit);
    }

    #[test]
    fn hanging_up_asks_and_only_y_means_yes() {
        let mut model = model();
        assert_eq!(press(&mut model, KeyCode::Char('x')), None);
        assert!(matches!(model.overlay, Overlay::ConfirmHangup(_)));
        assert_eq!(press(&mut model, KeyCode::Enter), None);
        press(&mut model, KeyCode::Char('x'));
        let call = model.current().map(crate::api::model::SessionView::call);
        assert_eq!(press(&mut model, KeyCode::Char('y')), call.map(Command::Hangup));
        model.control = false;
        press(&mut model, KeyCode::Char('x'));
        assert_eq!(model.overlay, Overlay::None);
    }

    #[test]
    fn a_call_that_is_up_is_held_and_one_that_is_held_is_resumed() {
        let mut model = model();
        let held = |model: &Model| model.current().is_some_and(|view| view.state == CallState::Held);
        let call = model.current().map(crate::api::model::SessionView::call).unwrap();
        let wanted = Command::Hold(call, !held(&model));
        assert_eq!(press(&mut model, KeyCode::Char('H')), Some(wanted));
        model.control = false;
        assert_eq!(press(&mut model, KeyCode::Char('H')), None);
    }

    #[test]
    fn help_can_be_paged() {
        let mut model = model();
        press(&mut model, KeyCode::Char('?'));
        let mut at = |code| {
            press(&mut model, code);
            let Overlay::Help { selected, .. } = model.overlay else { panic!() };
            selected
        };
        let last = help::matching("").len() - 1;
        assert_eq!([at(KeyCode::PageDown), at(KeyCode::PageUp), at(KeyCode::PageUp)], [10, 0, 0]);
        assert_eq!([at(KeyCode::End), at(KeyCode::PageDown), at(KeyCode::Home)], [last, last, 0]);
    }

    #[test]
    fn help_filters_as_typed_and_runs_the_chosen_action() {
        let mut model = model();
        for character in "?privacy".chars() {
            press(&mut model, KeyCode::Char(character));
        }
        press(&mut model, KeyCode::Enter);
        assert!(model.privacy);
        assert_eq!(model.overlay, Overlay::None);
    }
}
