//! The live monitor: calls, ladders, media and talk on a terminal.
//!
//! Owns: everything between a feed of [`Feed`] items and a screen. It does not know where the feed comes
//! from: live from the API, from a journal file, or made up ([`demo`]); the caller brings it, and carries
//! out the [`Command`]s. Three layers: `model` (what is known and shown, pure), `update` (what keys do to
//! it, pure), `layout` with `pane` and `overlay` (how it is drawn, pure). Clock and terminal are in [`run`]
//! and `screen` alone. `columns`, `filter` and `once` serve `monitor --once` without a screen.
//!
//! ```text
//! feed ─▶ model ─▶ layout ─▶ panes ─▶ terminal
//! keys ─▶ update ─┘    └─ commands ─▶ caller
//! ```

pub mod action;
pub mod columns;
pub mod demo;
pub mod filter;
pub mod header;
pub mod layout;
pub mod model;
pub mod once;
pub mod overlay;
pub mod pane;
mod screen;
pub mod text;
pub mod theme;
pub mod update;

pub use filter::Filter;
pub use once::{once_csv, once_rows, once_text};
pub use pane::Pane;

use crate::{api::model::StreamItem, unit::CallId};
use crossterm::event::{self, Event};
use model::{Link, Model};
use screen::Screen;
use std::{
    io,
    sync::mpsc::{Receiver, TryRecvError},
    time::{Duration, Instant},
};

/// Fifteen pictures a second are as many as a reader sees.
const BETWEEN_PICTURES: Duration = Duration::from_millis(66);
/// Without news the clocks still move.
const BETWEEN_CLOCKS: Duration = Duration::from_secs(1);
/// How long a key may wait for the feed to be looked at, and the feed for a key.
const POLL: Duration = Duration::from_millis(30);
/// Items taken in before keys get their turn again: a flood must not make the monitor deaf.
const ITEMS_AT_ONCE: usize = 2_000;

/// What a source sends.
#[derive(Clone, Debug, PartialEq)]
pub enum Feed {
    /// The source is there; what it calls itself, or nothing.
    Connected(String),
    /// A line of the event stream.
    Item(Box<StreamItem>),
    /// The source is gone, and why; it tries again by itself.
    Disconnected(String),
    /// The source has no more.
    End,
}

/// How the monitor starts.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What is watched, for the header.
    pub target: String,
    /// The pane to begin with.
    pub pane: Pane,
    /// The call to open.
    pub call: Option<CallId>,
    /// The filter to begin with.
    pub filter: String,
    /// Draw with ASCII only.
    pub ascii: bool,
    /// Mask numbers and words.
    pub privacy: bool,
    /// Calls may be ended from here.
    pub control: bool,
}

/// What the user asks the server to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// End this call.
    Hangup(CallId),
    /// Hold this call, or take it off hold.
    Hold(CallId, bool),
}

/// Runs the monitor on the calling thread until the user leaves it.
///
/// # Errors
/// When the terminal cannot be read or written. It is restored in any case.
pub fn run(feed: Receiver<Feed>, commands: impl Fn(Command), options: Options) -> io::Result<()> {
    let mut screen = Screen::open()?;
    let mut model = Model::new(options);
    let mut changed = true;
    let mut drawn: Option<Instant> = None;
    while !model.quit {
        changed |= drain(&feed, &mut model);
        let pause = if changed { BETWEEN_PICTURES } else { BETWEEN_CLOCKS };
        if drawn.is_none_or(|at| at.elapsed() >= pause) {
            screen.draw(&model)?;
            drawn = Some(Instant::now());
            changed = false;
        }
        if !event::poll(POLL)? {
            continue;
        }
        match event::read()? {
            Event::Key(key) => {
                if let Some(command) = update::key(&mut model, &key) {
                    commands(command);
                }
                changed = true;
            }
            Event::Resize(..) => changed = true,
            _ => {}
        }
    }
    Ok(())
}

/// Takes in what waits. Tells whether there was anything.
fn drain(feed: &Receiver<Feed>, model: &mut Model) -> bool {
    for taken in 0..ITEMS_AT_ONCE {
        match feed.try_recv() {
            Ok(item) => model.apply(item),
            Err(TryRecvError::Empty) => return taken > 0,
            Err(TryRecvError::Disconnected) => {
                // A source that just goes away has no more; why it was lost stays on the screen.
                let first_time = matches!(model.link, Link::Connecting | Link::Live);
                if first_time {
                    model.apply(Feed::End);
                }
                return first_time || taken > 0;
            }
        }
    }
    true
}
