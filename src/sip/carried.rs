//! What an INVITE says besides who calls whom, for those who answer: Diversion (RFC 5806), History-Info (RFC 7044),
//! P-Asserted-Identity and Privacy (RFC 3325, 3323), User-to-User (RFC 7433), Reason (RFC 3326), headers of one's own.
//!
//! Owns which of them are carried and how much of them, what privacy cuts out, and which headers others may put into
//! INVITEs of ours. Does not know journals or agents. Called by `gateway::engine`, the API and `dial`.

use super::message::Headers;

/// Headers carried from one INVITE; more are left out.
pub const COUNT_MAX: usize = 32;
/// Bytes of one value; the rest is cut. A User-to-User is 256 at most (RFC 7433 §4.1), History-Info grows with hops.
pub const VALUE_MAX: usize = 1_024;
/// Bytes of all values together: a call's journal begins with them.
pub const TOTAL_MAX: usize = 8 * 1_024;
/// What stands in place of a value that its owner wants kept private.
pub const PRIVATE: &str = "(private)";

/// Headers that say who somebody is: Privacy is about them.
const IDENTITIES: &[&str] = &["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"];
/// Headers that say which way a call came (RFC 7044 §10.1, RFC 5806 §4.1).
const HISTORIES: &[&str] = &["History-Info", "Diversion"];

/// What the stack makes itself; another's value would break the dialog or lie about it.
const OURS: &[&str] = &[
    "Accept",
    "Allow",
    "Allow-Events",
    "Authorization",
    "CSeq",
    "Call-ID",
    "Contact",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Event",
    "From",
    "Max-Forwards",
    "Min-SE",
    "Proxy-Authorization",
    "Proxy-Require",
    "RAck",
    "RSeq",
    "Record-Route",
    "Refer-To",
    "Require",
    "Route",
    "Session-Expires",
    "Subscription-State",
    "Supported",
    "To",
    "User-Agent",
    "Via",
];

/// Whether a list of names takes a header: whole names, or a beginning with `*` like `X-*`, in any case.
#[must_use]
pub fn takes(wanted: &[String], name: &str) -> bool {
    wanted.iter().any(|known| match known.strip_suffix('*') {
        Some(beginning) => {
            name.len() >= beginning.len()
                && name.is_char_boundary(beginning.len())
                && name[..beginning.len()].eq_ignore_ascii_case(beginning)
        }
        None => known.eq_ignore_ascii_case(name),
    })
}

/// What Privacy asks for (RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1): the identity, the history.
#[must_use]
pub fn privacy(headers: &Headers) -> (bool, bool) {
    let asks = |word: &str| {
        headers
            .all("Privacy")
            .flat_map(|list| list.split([';', ',']))
            .any(|item| item.trim().eq_ignore_ascii_case(word))
    };
    (asks("id") || asks("user"), asks("history") || asks("header"))
}

/// What an INVITE carries of what is `wanted`, in order. An asserted identity counts only from those whom we trust to
/// assert one (RFC 3325 §5); what its owner wants private is [`PRIVATE`].
#[must_use]
pub fn carried(headers: &Headers, wanted: &[String], trusted: bool) -> Vec<(String, String)> {
    let (identity, history) = privacy(headers);
    let is_one_of = |names: &[&str], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let mut left = TOTAL_MAX;
    headers
        .iter()
        .filter(|(name, _)| takes(wanted, name))
        .filter(|(name, _)| trusted || !name.eq_ignore_ascii_case("P-Asserted-Identity"))
        .take(COUNT_MAX)
        .map(|(name, value)| {
            let is_private = (identity && is_one_of(IDENTITIES, name))
                || (history && is_one_of(HISTORIES, name))
                || (is_one_of(HISTORIES, name) && entry_is_private(value));
            let value = if is_private { PRIVATE } else { value };
            let fits = &value[..value.floor_char_boundary(VALUE_MAX.min(left))];
            left -= fits.len();
            (name.to_owned(), fits.to_owned())
        })
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// What of it goes on to whoever a call is bridged to: nothing private, nothing that the stack makes itself, no identity
/// and no Reason, which a leg of ours has of its own.
#[must_use]
pub fn across(headers: &Headers, wanted: &[String]) -> Vec<(String, String)> {
    let own = |name: &str| {
        let made = IDENTITIES.iter().chain(&["Privacy", "Reason", "P-Charging-Vector", "Replaces"]);
        made.clone().any(|known| known.eq_ignore_ascii_case(name))
    };
    let mut across = carried(headers, wanted, false);
    across.retain(|(name, value)| value != PRIVATE && !own(name) && may_set(name, value).is_ok());
    across
}

/// One entry asks for privacy of itself: `privacy=full` of a Diversion, `Privacy=history` escaped in a History-Info.
fn entry_is_private(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    ["privacy=full", "privacy=\"full\"", "privacy=name", "privacy=uri", "privacy=history"]
        .iter()
        .any(|asked| value.contains(asked))
}

/// Whether others may put this header into an INVITE of ours.
///
/// # Errors
/// Says why not.
pub fn may_set(name: &str, value: &str) -> Result<(), String> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_token) {
        return Err("its name must be letters, digits and hyphens".to_owned());
    }
    if super::header::long_name(name).len() != name.len() {
        return Err(format!("write its long name, {}", super::header::long_name(name)));
    }
    if OURS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Err(format!("{name} is made by the stack itself"));
    }
    if value.len() > VALUE_MAX || value.chars().any(char::is_control) {
        return Err(format!("its value must be a line of {VALUE_MAX} bytes at most"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in fields {
            headers.push(name, *value);
        }
        headers
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_goes_on_is_neither_private_nor_ours() {
        let fields = headers(&[
            ("Diversion", "<sip:+4930@x>;reason=no-answer"),
            ("Diversion", "<sip:+4931@x>;privacy=full"),
            ("User-to-User", "56a390f3;encoding=hex"),
            ("X-Tenant", "acme"),
            ("X-Long", &"x".repeat(3_000)),
            ("P-Asserted-Identity", "<sip:ceo@x>"),
            ("Privacy", "history"),
            ("Reason", "SIP;cause=200"),
            ("Contact", "<sip:evil@x>"),
            ("Subject", "not asked for"),
        ]);
        let all = names(&["Diversion", "User-to-User", "X-*", "P-Asserted-Identity", "Privacy", "Reason", "Contact"]);
        let found: Vec<String> = across(&fields, &all).into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, ["User-to-User", "X-Tenant", "X-Long"], "Privacy: history hides both Diversions");
        let open = headers(&[("Diversion", "<sip:+4930@x>"), ("Diversion", "<sip:+4931@x>;privacy=full")]);
        assert_eq!(across(&open, &all), [("Diversion".to_owned(), "<sip:+4930@x>".to_owned())]);
        assert!(across(&fields, &[]).is_empty());
    }

    #[test]
    fn what_is_wanted_is_carried_within_bounds() {
        let wanted = names(&["Diversion", "x-*"]);
        let long = "ä".repeat(VALUE_MAX);
        let given = headers(&[("diversion", "<sip:a@h>"), ("X-Tenant", "acme"), ("Subject", "no"), ("X-Long", &long)]);
        let found = carried(&given, &wanted, false);
        assert_eq!(found[..2], [("diversion".into(), "<sip:a@h>".into()), ("X-Tenant".into(), "acme".into())]);
        assert_eq!((found.len(), found[2].1.len()), (3, VALUE_MAX));
        let many: Vec<(&str, &str)> = (0..100).map(|_| ("X-Many", long.as_str())).collect();
        let found = carried(&headers(&many), &wanted, false);
        assert_eq!(found.iter().map(|(_, value)| value.len()).sum::<usize>(), TOTAL_MAX);
        let small: Vec<(&str, &str)> = (0..100).map(|_| ("X-Many", "1")).collect();
        assert_eq!(carried(&headers(&small), &wanted, false).len(), COUNT_MAX);
    }

    #[test]
    fn an_identity_is_kept_private_on_request_and_believed_from_the_trusted_only() {
        let wanted = names(&["P-Asserted-Identity", "Diversion", "History-Info"]);
        let known = ("P-Asserted-Identity", "<tel:+4930123>");
        let value = |fields: &[(&str, &str)], trusted| {
            carried(&headers(fields), &wanted, trusted).first().map(|(_, value)| value.clone())
        };
        assert_eq!(value(&[known], true).as_deref(), Some("<tel:+4930123>"));
        assert_eq!(value(&[known], false), None);
        assert_eq!(value(&[known, ("Privacy", "header; id")], true).as_deref(), Some(PRIVATE));
        assert_eq!(value(&[("History-Info", "<sip:a@h>"), ("Privacy", "history")], true).as_deref(), Some(PRIVATE));
        assert_eq!(value(&[("Diversion", "<sip:a@h>;privacy=full")], true).as_deref(), Some(PRIVATE));
        assert_eq!(value(&[("Diversion", "<sip:a@h>;privacy=off")], true).as_deref(), Some("<sip:a@h>;privacy=off"));
    }

    #[test]
    fn headers_of_the_stack_are_not_for_others() {
        assert_eq!(may_set("X-Tenant", "acme"), Ok(()));
        assert_eq!(may_set("Diversion", "<sip:a@h>;reason=no-answer"), Ok(()));
        for (name, value) in [
            ("via", "x"),
            ("CSeq", "1"),
            ("X Y", "1"),
            ("", "1"),
            ("i", "1"),
            ("X", "a\r\nVia: b"),
            ("Route", "<sip:a>"),
        ] {
            assert!(may_set(name, value).is_err(), "{name}");
        }
    }
}
