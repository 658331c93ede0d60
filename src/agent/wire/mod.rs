//! Providers' frames and what they mean: pure translation, one file per provider.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod gemini;
