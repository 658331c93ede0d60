//! Why a call ended, in the telephone network's own numbers (ITU-T Q.850), by RFC 3326 and RFC 3398 §8.2.6.1.

/// Final SIP statuses and the causes that stand for them (RFC 3398, table of §8.2.6.1 read backwards).
const CAUSES: &[(u16, u8)] = &[
    (400, 41),
    (401, 21),
    (402, 21),
    (403, 21),
    (404, 1),
    (405, 63),
    (406, 79),
    (407, 21),
    (408, 102),
    (410, 22),
    (413, 127),
    (414, 127),
    (415, 79),
    (416, 127),
    (420, 127),
    (421, 127),
    (423, 127),
    (480, 18),
    (481, 41),
    (482, 25),
    (483, 25),
    (484, 28),
    (485, 1),
    (486, 17),
    (487, 16),
    (488, 65),
    (500, 41),
    (501, 79),
    (502, 38),
    (503, 41),
    (504, 102),
    (505, 127),
    (513, 127),
    (600, 17),
    (603, 21),
    (604, 1),
    (606, 65),
];

/// The cause that a `Reason` names (`Q.850;cause=16;text="…"`), else the one that stands for the status (its own, or
/// that of a `SIP;cause=…` reason). A call that simply ended has 16, normal clearing.
#[must_use]
pub fn q850(reason: &str, status: Option<u16>) -> Option<u8> {
    let named = |protocol: &str| {
        let lower = reason.to_ascii_lowercase();
        let rest = &lower[lower.find(&protocol.to_ascii_lowercase())?..];
        let digits: String = rest.split_once("cause=")?.1.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u16>().ok()
    };
    if let Some(cause) = named("q.850;").and_then(|cause| u8::try_from(cause).ok()).filter(|cause| *cause <= 127) {
        return Some(cause);
    }
    let status = status.filter(|status| *status >= 300).or_else(|| named("sip;").filter(|status| *status >= 300));
    match status {
        Some(status) => {
            // Of what is not in the table the class decides: x00.
            let of = |status: u16| CAUSES.iter().find(|(known, _)| *known == status).map(|(_, cause)| *cause);
            of(status).or_else(|| of(status / 100 * 100))
        }
        None => Some(16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_and_statuses_have_their_cause() {
        for (reason, status, cause) in [
            ("Q.850;cause=16;text=\"Terminated\"", None, Some(16)),
            ("Busy Here: Q.850 ;cause=34", Some(486), Some(17)),
            ("q.850;cause=34;text=\"no circuit\"", Some(503), Some(34)),
            ("Q.850;cause=999", Some(404), Some(1)),
            ("SIP;cause=408;text=\"no ACK\"", None, Some(102)),
            ("SIP;cause=200;text=\"Call completed elsewhere\"", None, Some(16)),
            ("BYE", None, Some(16)),
            ("Not Found", Some(404), Some(1)),
            ("odd", Some(499), Some(41)),
            ("moved", Some(302), None),
        ] {
            assert_eq!(q850(reason, status), cause, "{reason} {status:?}");
        }
    }
}
