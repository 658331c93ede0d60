//! The monitor on a terminal that is none: every pane at the sizes that matter.
//!
//! Pictures are text files under `tests/fixtures/tui`; `VOXGW_BLESS=1 cargo test --test tui` writes them
//! anew, and the difference is reviewed like code.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    reason = "figures and helpers of tests"
)]

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend};
use std::{fs, path::Path};
use voxgw::{
    api::model::StreamItem,
    tui::{
        Feed, Options, Pane,
        action::{ACTIONS, Action, Place, of_key},
        demo, layout,
        model::Model,
        update,
    },
};

fn demo_model(options: Options) -> Model {
    let mut model = Model::new(Options { target: "demo".to_owned(), ..options });
    model.apply(Feed::Connected(String::new()));
    model.apply(Feed::Item(Box::new(StreamItem::Snapshot(Box::new(demo::snapshot())))));
    model
}

fn drawn(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test backend always opens");
    terminal.draw(|frame| layout::draw(frame, model)).expect("a test backend always draws");
    let buffer = terminal.backend().buffer();
    let mut picture = String::new();
    for y in 0..height {
        let line: String = (0..width).filter_map(|x| buffer.cell((x, y)).map(ratatui::buffer::Cell::symbol)).collect();
        picture.push_str(line.trim_end());
        picture.push('\n');
    }
    picture
}

fn compare(name: &str, picture: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tui").join(format!("{name}.txt"));
    if std::env::var_os("VOXGW_BLESS").is_some() {
        fs::write(&path, picture).expect("fixtures can be written");
        return;
    }
    let wanted =
        fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} is missing; VOXGW_BLESS=1 writes it", path.display()));
    assert!(wanted == picture, "{name} looks different\nwanted:\n{wanted}\nis:\n{picture}");
}

#[test]
fn every_pane_looks_as_it_did() {
    for pane in Pane::ALL {
        let mut model = demo_model(Options::default());
        model.pane = *pane;
        compare(&format!("{}-80x24", pane.name()), &drawn(&model, 80, 24));
        compare(&format!("{}-140x45", pane.name()), &drawn(&model, 140, 45));
        model.zoom = true;
        compare(&format!("{}-zoom-140x45", pane.name()), &drawn(&model, 140, 45));
    }
}

#[test]
fn help_and_the_question_before_a_hangup_look_as_they_did() {
    let mut model = demo_model(Options { control: true, ..Options::default() });
    update::update(&mut model, Action::Help);
    compare("help-80x24", &drawn(&model, 80, 24));
    compare("help-140x45", &drawn(&model, 140, 45));
    update::key(&mut model, &KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
    update::update(&mut model, Action::Hangup);
    compare("hangup-80x24", &drawn(&model, 80, 24));
}

#[test]
fn a_message_is_shown_whole_and_three_panes_fit_in_between() {
    let mut model = demo_model(Options { pane: Pane::Ladder, ..Options::default() });
    update::update(&mut model, Action::First);
    compare("three-panes-120x36", &drawn(&model, 120, 36));
    update::update(&mut model, Action::Open);
    compare("raw-80x24", &drawn(&model, 80, 24));
}

#[test]
fn no_size_and_no_pane_panics() {
    let sizes = [(0, 0), (1, 1), (20, 5), (59, 15), (60, 16), (61, 3), (110, 32), (138, 40), (200, 1), (1, 200)];
    for (width, height) in sizes {
        for pane in Pane::ALL {
            for mut model in [demo_model(Options::default()), Model::new(Options::default())] {
                model.pane = *pane;
                for zoom in [false, true] {
                    model.zoom = zoom;
                    model.raw = zoom;
                    drawn(&model, width, height);
                }
                update::update(&mut model, Action::Help);
                drawn(&model, width, height);
            }
        }
    }
}

#[test]
fn hostile_text_is_drawn_harmlessly() {
    let mut snapshot = demo::snapshot();
    let hostile = format!("\u{1b}[2J\u{202e}日本語\u{7}{}", "x".repeat(100_000));
    for view in &mut snapshot.sessions {
        view.header.from.0.clone_from(&hostile);
        view.header.agent.clone_from(&hostile);
        view.reason.clone_from(&hostile);
        for said in &mut view.talk {
            said.text.clone_from(&hostile);
        }
        for lint in &mut view.lints {
            lint.name.clone_from(&hostile);
        }
    }
    let mut model = Model::new(Options::default());
    model.apply(Feed::Item(Box::new(StreamItem::Snapshot(Box::new(snapshot)))));
    for pane in Pane::ALL {
        model.pane = *pane;
        for (width, height) in [(59, 15), (80, 24), (140, 45)] {
            let picture = drawn(&model, width, height);
            assert!(!picture.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{picture}");
        }
    }
}

#[test]
fn privacy_masks_numbers_and_words_on_every_pane() {
    let mut model = demo_model(Options { privacy: true, ..Options::default() });
    for pane in Pane::ALL {
        model.pane = *pane;
        for raw in [false, true] {
            model.raw = raw;
            for (width, height) in [(80, 24), (140, 45)] {
                let picture = drawn(&model, width, height);
                for secret in ["+4930", "1234567", "charged twice", "two charges", "192.0.2.10:5060", "dtmf 1"] {
                    assert!(!picture.contains(secret), "{secret} in\n{picture}");
                }
            }
        }
    }
}

#[test]
fn ascii_draws_with_ascii_only() {
    let mut model = demo_model(Options { ascii: true, ..Options::default() });
    for pane in Pane::ALL {
        model.pane = *pane;
        for (width, height) in [(80, 24), (140, 45)] {
            let picture = drawn(&model, width, height);
            assert!(picture.is_ascii(), "{:?}", picture.chars().filter(|c| !c.is_ascii()).collect::<String>());
        }
    }
}

#[test]
fn every_action_can_be_reached_by_each_of_its_keys() {
    for binding in ACTIONS {
        for key in binding.keys {
            let modifiers = if key.control { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
            let place = if binding.place == Place::Any { Place::Call } else { binding.place };
            let found = of_key(&KeyEvent::new(key.code, modifiers), place).map(|row| row.action);
            assert_eq!(found, Some(binding.action), "{}", binding.name);
        }
    }
}
