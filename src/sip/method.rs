//! The methods this gateway takes: one table; `Allow`, dispatch and ladder labels come from it.

use std::fmt;

/// A request's method.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// RFC 3261 §13.
    Invite,
    /// RFC 3261 §13.2.2.4.
    Ack,
    /// RFC 3261 §15.
    Bye,
    /// RFC 3261 §9.
    Cancel,
    /// RFC 3261 §11.
    Options,
    /// RFC 3261 §10.
    Register,
    /// RFC 6086.
    Info,
    /// RFC 3311.
    Update,
    /// RFC 3262.
    Prack,
    /// RFC 3428.
    Message,
    /// RFC 3515.
    Refer,
    /// RFC 6665, for the progress of a REFER.
    Notify,
    /// Anything else, spelled as it came.
    Other(Box<str>),
}

/// The rows: what `Allow` lists, in this order. Everything else is answered with 405.
pub static METHODS: &[(Method, &str)] = &[
    (Method::Invite, "INVITE"),
    (Method::Ack, "ACK"),
    (Method::Bye, "BYE"),
    (Method::Cancel, "CANCEL"),
    (Method::Options, "OPTIONS"),
    (Method::Register, "REGISTER"),
    (Method::Info, "INFO"),
    (Method::Update, "UPDATE"),
    (Method::Prack, "PRACK"),
    (Method::Message, "MESSAGE"),
    (Method::Refer, "REFER"),
    (Method::Notify, "NOTIFY"),
];

impl Method {
    /// The method named `token`. Methods are case-sensitive (RFC 3261 §7.1).
    #[must_use]
    pub fn from_token(token: &str) -> Self {
        METHODS.iter().find(|(_, name)| *name == token).map_or_else(|| Self::Other(token.into()), |(m, _)| m.clone())
    }

    /// The token on the wire.
    #[must_use]
    pub fn token(&self) -> &str {
        match self {
            Self::Other(token) => token,
            known => METHODS.iter().find(|(method, _)| method == known).map_or("", |(_, name)| name),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

/// The value of `Allow`.
#[must_use]
pub fn allow() -> String {
    METHODS.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

/// The reason phrase that belongs to a status (RFC 3261 §21), from rsip's list of them.
#[must_use]
pub fn reason_phrase(status: u16) -> String {
    match status {
        200 => return "OK".to_owned(),
        // RFC 3515; rsip does not know it.
        202 => return "Accepted".to_owned(),
        481 => return "Call/Transaction Does Not Exist".to_owned(),
        _ => {}
    }
    // rsip names them in one word: "BusyHere".
    let rsip::StatusCode::Other(..) = rsip::StatusCode::from(status) else {
        let printed = format!("{:?}", rsip::StatusCode::from(status));
        let mut phrase = String::with_capacity(printed.len() + 4);
        for c in printed.chars() {
            if c.is_ascii_uppercase() && !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.push(c);
        }
        return phrase;
    };
    "Unknown".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_case_matters() {
        for (method, name) in METHODS {
            assert_eq!(&Method::from_token(name), method);
            assert_eq!(method.token(), *name);
        }
        assert_eq!(Method::from_token("invite"), Method::Other("invite".into()));
        assert!(allow().starts_with("INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, INFO"));
    }

    #[test]
    fn phrases_are_the_standards() {
        assert_eq!(reason_phrase(200), "OK");
        assert_eq!(reason_phrase(202), "Accepted");
        assert_eq!(reason_phrase(486), "Busy Here");
        assert_eq!(reason_phrase(481), "Call/Transaction Does Not Exist");
        assert_eq!(reason_phrase(499), "Unknown");
    }
}
