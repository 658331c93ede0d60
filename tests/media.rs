//! Media machines in virtual time: arrival patterns in, golden figures out.
//!
//! Figures are compared with files in `tests/media`; `VOXGW_BLESS=1 cargo test --test media` writes them anew. Read the
//! difference like code.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures and helpers of tests"
)]

#[path = "media/bridge.rs"]
mod bridge;
#[path = "media/digits.rs"]
mod digits;
#[path = "media/playout.rs"]
mod playout;
#[path = "media/sounds.rs"]
mod sounds;

/// Compares `text` with the golden file `name`, or writes it.
fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media").join(name);
    if std::env::var_os("VOXGW_BLESS").is_some() {
        std::fs::write(path, text).unwrap();
        return;
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    for (line, (now, then)) in text.lines().zip(known.lines()).enumerate() {
        assert_eq!(now, then, "{}:{}", path.display(), line + 1);
    }
    assert_eq!(text.lines().count(), known.lines().count(), "{}", path.display());
}

#[path = "media/vad.rs"]
mod vad;
