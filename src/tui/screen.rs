//! The terminal: raw mode and the alternate screen, and both taken back whatever happens.
//!
//! Owns: the terminal's state while the monitor runs. It is restored when [`Screen`] is dropped and when the
//! thread that opened it panics, before the panic's own message; a panic of another thread leaves the screen
//! alone. Draws through `layout`. Called by `run` only.

use super::{layout, model::Model};
use crossterm::{
    cursor::Show,
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use ratatui::{Terminal, backend::CrosstermBackend};
use std::{
    io::{self, Stdout, stdout},
    panic,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// Set while the terminal is ours; whoever clears it restores it, so that happens once.
static OURS: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    // Dropped after the terminal, which shows the cursor once more.
    _restore: Restore,
}

#[derive(Debug)]
struct Restore;

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When stdout is no terminal or cannot be written.
    pub(super) fn open() -> io::Result<Self> {
        let owner = thread::current().id();
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if thread::current().id() == owner {
                restore();
            }
            earlier(panic);
        }));
        enable_raw_mode()?;
        OURS.store(true, Ordering::SeqCst);
        let restore = Restore;
        execute!(stdout(), EnterAlternateScreen)?;
        Ok(Self { terminal: Terminal::new(CrosstermBackend::new(stdout()))?, _restore: restore })
    }

    /// Draws the model.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub(super) fn draw(&mut self, model: &Model) -> io::Result<()> {
        self.terminal.draw(|frame| layout::draw(frame, model)).map(|_| ())
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back. Errors are not told: there is nobody left to tell.
fn restore() {
    if OURS.swap(false, Ordering::SeqCst) {
        let _ = disable_raw_mode();
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
    }
}
