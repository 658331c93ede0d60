//! Agents that work offline, with no key: pure machines under the call's clock.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod echo;
pub mod handset;
pub mod play;
pub mod recorded;
pub mod scenario;
pub mod scripted;

use super::event::{About, Command, Output};
use crate::clock::Instant;

/// An offline agent: takes what the call says, gives what it wants.
pub trait LocalAgent: std::fmt::Debug + Send {
    /// What is known of the call, before anything else. Most do not care.
    fn about(&mut self, _about: &About) {}

    /// Takes in what the call says.
    fn handle(&mut self, now: Instant, command: Command<'_>);

    /// Something may be due.
    fn handle_timeout(&mut self, now: Instant);

    /// When it wants to hear of the time.
    fn timeout(&self) -> Instant;

    /// The next thing it wants; drain until [`Output::Timeout`].
    fn poll(&mut self) -> Output;
}
