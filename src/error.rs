//! The one error that leaves a module's own borders.
//!
//! It says what was tried and what came back, carries a hint, and its [`Kind`] alone decides the exit code.

use std::fmt;

/// What failed, in the order of the exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It ran, but something checked did not hold.
    Check,
    /// Wrong use: flags, config, a broken input file.
    Usage,
    /// The peer or server could not be reached: DNS, refused, no answer, TLS.
    Unreachable,
    /// The peer said no: SIP 4xx, 5xx, 6xx.
    Refused,
    /// The AI provider failed: credentials, quota, closed, no audio.
    Agent,
    /// Media failed: no RTP, one-way, no common codec.
    Media,
    /// This machine: port in use, file missing, disk full, permission.
    Machine,
    /// A bug in voxgw.
    Bug,
    /// Ended by Ctrl-C after a clean finish.
    Interrupted,
}

impl Kind {
    /// The process's exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Check => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Refused => 4,
            Self::Agent => 5,
            Self::Media => 6,
            Self::Machine => 7,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }
}

/// What was tried, what came back, and what to do next.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; `message` says what was tried and what came back.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// With one line that says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What failed.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do, if there is something.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// A wrong flag, config or input file.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Something about this machine.
    #[must_use]
    pub fn machine(message: impl Into<String>) -> Self {
        Self::new(Kind::Machine, message)
    }

    /// A file that could not be opened, read or written, with the usual cures.
    #[must_use]
    pub fn file(doing: &str, path: &std::path::Path, source: &std::io::Error) -> Self {
        let hint = match source.kind() {
            std::io::ErrorKind::NotFound => "check the path; relative paths start at the current folder",
            std::io::ErrorKind::PermissionDenied => "check the owner and mode of the file and its folder",
            std::io::ErrorKind::StorageFull => "free some space, or choose another folder",
            _ => "see the system's message",
        };
        Self::machine(format!("could not {doing} {}: {source}", path.display())).hint(hint)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The entry of `names` that `wrong` was most likely meant to be.
#[must_use]
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_ascii_lowercase();
    names
        .into_iter()
        .map(|name| (edits(&wrong, &name.to_ascii_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len().max(wrong.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Levenshtein distance in characters; long inputs are cut to keep it cheap.
fn edits(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if from == to { diagonal } else { 1 + diagonal.min(above).min(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_and_nonsense_is_not() {
        let names = ["silence", "record", "recordings", "concurrency"];
        assert_eq!(nearest("recrod", names), Some("record"));
        assert_eq!(nearest("Silense", names), Some("silence"));
        assert_eq!(nearest("xyzzy", names), None);
    }

    #[test]
    fn each_kind_has_its_own_exit_code() {
        let codes =
            [Kind::Check, Kind::Usage, Kind::Unreachable, Kind::Refused, Kind::Agent, Kind::Media, Kind::Machine]
                .map(Kind::exit_code);
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7]);
    }
}
