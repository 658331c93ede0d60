//! What must not be shown in full: secrets never, people's numbers only on request.
//!
//! [`Secret`] is for keys and passwords: no `Display`, `Debug` shows the last four characters at most.
//! [`Pii`] is for phone numbers and words: shown as they are, or masked with `--privacy`.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// A key or a password. It can be used, not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes charge of `value`; surrounding white space (a file's last newline) is cut.
    #[must_use]
    pub fn new(value: &str) -> Self {
        Self(value.trim().to_owned())
    }

    /// The value itself, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The last four characters, or nothing of a short one: enough to tell two keys apart.
    #[must_use]
    pub fn hint(&self) -> String {
        let count = self.0.chars().count();
        if count < 12 {
            return "…".to_owned();
        }
        format!("…{}", self.0.chars().skip(count - 4).collect::<String>())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.hint())
    }
}

/// A phone number, an address or words of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pii(pub String);

impl Pii {
    /// The text with every letter and digit but the last two replaced, or as it is.
    #[must_use]
    pub fn shown(&self, private: bool) -> Cow<'_, str> {
        if private { Cow::Owned(mask(&self.0)) } else { Cow::Borrowed(&self.0) }
    }
}

/// Replaces every letter and digit except the last two by `x`; punctuation stays.
#[must_use]
pub fn mask(text: &str) -> String {
    let total = text.chars().filter(|c| c.is_alphanumeric()).count();
    let keep = if total > 4 { 2 } else { 0 };
    let mut seen = 0;
    text.chars()
        .map(|c| {
            if !c.is_alphanumeric() {
                return c;
            }
            seen += 1;
            if seen > total - keep { c } else { 'x' }
        })
        .collect()
}

/// Text that came from outside, made safe for a log line or a terminal: control characters,
/// line ends and ANSI escapes are shown as escapes.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| !c.is_control()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
            .collect(),
    )
}

/// A SIP message's text with the values of its credentials cut, and of what its Privacy asks to hide (RFC 3323, 3325):
/// what journals and ladders hold.
#[must_use]
pub fn sip_text(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut hidden = false;
    let private = private_headers(raw);
    for line in raw.split_inclusive('\n') {
        // A folded line belongs to the header above it.
        if hidden && line.starts_with([' ', '\t']) {
            continue;
        }
        hidden = false;
        let name = line.split(':').next().unwrap_or_default().trim();
        if ["authorization", "proxy-authorization"].iter().any(|secret| name.eq_ignore_ascii_case(secret)) {
            text.push_str(name);
            text.push_str(": (redacted)\r\n");
            hidden = true;
        } else if private.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            text.push_str(name);
            text.push_str(": (private)\r\n");
            hidden = true;
        } else if let Some(at) = key_in(line) {
            text.push_str(&line[..at]);
            text.push_str("(redacted)\r\n");
        } else if line.starts_with("a=ice-pwd:") {
            text.push_str("a=ice-pwd:(redacted)\r\n");
        } else {
            text.push_str(line);
        }
    }
    text
}

/// Where the key of an `a=crypto` line begins (RFC 4568), in any spelling that somebody might take for one.
fn key_in(line: &str) -> Option<usize> {
    let lower = line.to_ascii_lowercase();
    let value = lower.trim_start().strip_prefix('a')?.trim_start().strip_prefix('=')?;
    value.trim_start().strip_prefix("crypto")?;
    let attribute = lower.find("crypto")? + "crypto".len();
    Some(lower.find("inline:").map_or(attribute, |at| at + "inline:".len()))
}

/// The headers whose values a message's own Privacy asks to hide.
fn private_headers(raw: &str) -> Vec<&'static str> {
    let head = raw.split("\r\n\r\n").next().unwrap_or_default();
    let mut headers = Vec::new();
    for line in head.lines() {
        let Some((name, wishes)) = line.split_once(':') else { continue };
        if !name.trim().eq_ignore_ascii_case("privacy") {
            continue;
        }
        for wish in wishes.split([';', ',']) {
            match wish.trim().to_ascii_lowercase().as_str() {
                "id" | "user" => headers.extend(["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"]),
                "history" | "header" => headers.extend(["History-Info", "Diversion"]),
                _ => {}
            }
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_its_end_only() {
        let key = Secret::new("AIzaSyA-very-secret-9f3c\n");
        assert_eq!(format!("{key:?}"), "Secret(…9f3c)");
        assert_eq!(format!("{:?}", Secret::new("short")), "Secret(…)");
        assert_eq!(key.reveal(), "AIzaSyA-very-secret-9f3c");
    }

    #[test]
    fn numbers_are_masked_but_keep_their_shape() {
        assert_eq!(mask("+49 301 234567"), "+xx xxx xxxx67");
        assert_eq!(mask("anna"), "xxxx");
        assert_eq!(Pii("sip:+4930@example.org".into()).shown(true), "xxx:+xxxx@xxxxxxx.xrg");
    }

    #[test]
    fn escapes_cannot_reach_a_terminal() {
        assert_eq!(printable("evil\x1b[2Jname\r\n"), "evil\\u{1b}[2Jname\\r\\n");
    }

    #[test]
    fn credentials_leave_no_trace_in_a_ladder() {
        let raw = "INVITE sip:a SIP/2.0\r\nAuthorization: Digest\r\n response=\"abcd\"\r\nTo: <sip:a>\r\n\r\na=crypto:1 X inline:KEY\r\n";
        let shown = sip_text(raw);
        assert!(!shown.contains("abcd") && !shown.contains("KEY"), "{shown}");
        assert!(shown.contains("To: <sip:a>"));
    }

    #[test]
    fn keys_of_srtp_leave_no_trace_in_a_ladder() {
        for line in ["a=crypto:1 X inline:KEY|2^31", "a=CRYPTO:1 X INLINE:KEY", " a = crypto:1 X KEY", "a=crypto KEY"] {
            let shown = sip_text(&format!("SIP/2.0 200 OK\r\n\r\n{line}\r\na=ptime:20\r\n"));
            assert!(!shown.contains("KEY") && shown.contains("(redacted)\r\na=ptime:20\r\n"), "{shown}");
        }
        assert!(
            sip_text("a=crypto:2 AEAD_AES_128_GCM inline:KEY\r\n").contains("2 AEAD_AES_128_GCM inline:(redacted)")
        );
    }

    #[test]
    fn who_wants_to_stay_private_does_in_a_ladder() {
        let raw = |privacy: &str| {
            format!(
                "INVITE sip:a SIP/2.0\r\nP-Asserted-Identity: <tel:+4930123>\r\nPrivacy: {privacy}\r\nTo: <sip:a>\r\n\r\n"
            )
        };
        assert!(sip_text(&raw("none")).contains("4930123"));
        let shown = sip_text(&raw("header;id"));
        assert!(!shown.contains("4930123") && shown.contains("P-Asserted-Identity: (private)\r\n"), "{shown}");
    }
}
