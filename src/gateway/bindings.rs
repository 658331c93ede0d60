//! Registered contacts between two runs: one JSON file, replaced whole, readable by its owner only.

use crate::{
    clock::{Instant, SystemClock},
    sip::registrar::Saved,
};
use serde::{Deserialize, Serialize};
use std::{
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

#[derive(Serialize, Deserialize)]
struct Stored {
    schema: String,
    /// Microseconds since 1970.
    saved_at_us: u64,
    bindings: Vec<Saved>,
}

const SCHEMA: &str = "voxgw.bindings/1";

/// What the last run left, and how long ago. Nothing is not worth a word; a file that cannot be read is.
#[must_use]
pub fn read(path: &Path) -> Option<(Duration, Vec<Saved>)> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return None,
        Err(problem) => {
            tracing::warn!(target: "sip", event = "sip.bindings_unread", "{}: {problem}", path.display());
            return None;
        }
    };
    match serde_json::from_str::<Stored>(&text) {
        Ok(stored) if stored.schema == SCHEMA => {
            let ago = Duration::from_micros(SystemClock::wall().0.saturating_sub(stored.saved_at_us));
            Some((ago, stored.bindings))
        }
        Ok(stored) => {
            tracing::warn!(target: "sip", event = "sip.bindings_unread", "{}: schema {}", path.display(), stored.schema);
            None
        }
        Err(problem) => {
            tracing::warn!(target: "sip", event = "sip.bindings_unread", "{}: {problem}", path.display());
            None
        }
    }
}

/// Which state was written last: one write at a time, and never an older state over a newer one.
pub type Written = Arc<Mutex<Instant>>;

/// Replaces the file with the state of `now`, and says so in the log if it cannot.
pub fn keep(path: &Path, now: Instant, bindings: Vec<Saved>, written: &Mutex<Instant>) {
    let mut newest = written.lock().unwrap_or_else(PoisonError::into_inner);
    if now < *newest {
        return;
    }
    *newest = now;
    if let Err(problem) = write(path, bindings) {
        tracing::error!(target: "sip", event = "sip.bindings_unwritten", "{}: {problem}", path.display());
    }
}

/// Replaces the file: a crash leaves the old one or the new one, never half of one.
///
/// # Errors
/// The folder or the file cannot be written.
pub fn write(path: &Path, bindings: Vec<Saved>) -> std::io::Result<()> {
    let stored = Stored { schema: SCHEMA.to_owned(), saved_at_us: SystemClock::wall().0, bindings };
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let beside = path.with_extension("new");
    let mut file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(&serde_json::to_vec_pretty(&stored).map_err(std::io::Error::other)?)?;
    std::fs::rename(&beside, path)
}
