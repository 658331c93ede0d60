//! Decides what goes to stdout and stderr, in which colour, and whether there is progress.

use super::arguments::Global;
use crate::error::Error;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal as _, Write as _};

/// One for the whole program.
#[derive(Clone, Debug)]
pub struct Printer {
    quiet: u8,
    colour: bool,
    progress: bool,
}

impl Printer {
    /// As the flags, the environment and the terminal say.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let terminal = std::io::stderr().is_terminal();
        Self {
            quiet: global.quiet,
            colour: !set("NO_COLOR") && (set("CLICOLOR_FORCE") || terminal),
            progress: terminal
                && !global.no_progress
                && !set("VOXGW_NO_PROGRESS")
                && global.quiet == 0
                && global.verbose == 0,
        }
    }

    /// The result: stdout. A closed pipe is nobody's fault.
    pub fn result(&self, text: &str) {
        self.line(text);
    }

    /// One line of a stream of results; false when nobody reads any more.
    #[expect(clippy::unused_self, reason = "one place decides where results go")]
    pub fn line(&self, text: &str) -> bool {
        let mut out = std::io::stdout().lock();
        let end: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
        out.write_all(text.as_bytes()).and_then(|()| out.write_all(end)).and_then(|()| out.flush()).is_ok()
    }

    /// The talk: stderr, unless quiet.
    pub fn note(&self, text: &str) {
        if self.quiet == 0 {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// An error with its hint on its own line.
    pub fn error(&self, error: &Error) {
        let (red, cyan, plain) = if self.colour { ("\x1b[1;31m", "\x1b[36m", "\x1b[0m") } else { ("", "", "") };
        let mut err = std::io::stderr().lock();
        let _ =
            writeln!(err, "{red}error:{plain} {}", crate::redact::printable(&error.to_string()).replace("\\n", "\n"));
        if let Some(hint) = error.hint_text() {
            let _ = writeln!(err, "{cyan}hint:{plain} {hint}");
        }
    }

    /// A bar of `length` steps, hidden without a terminal.
    #[must_use]
    pub fn bar(&self, length: u64, what: &str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(length), self.target());
        let style = ProgressStyle::with_template("  {msg}  {wide_bar} {pos}/{len}  {elapsed_precise}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what.to_owned());
        bar
    }

    /// A line that goes away at the end.
    #[must_use]
    pub fn spinner(&self) -> ProgressBar {
        let bar = MultiProgress::with_draw_target(self.target()).add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("  {spinner} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar
    }

    fn target(&self) -> ProgressDrawTarget {
        if self.progress { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
    }
}
