//! Digest as a server: challenges, and whether what answers them is right.
//!
//! Nonces carry their own time under a keyed hash, so nothing is remembered of people who never come back; only
//! nonces that were used with the right password are, for their counts (`nc`). Users are known by HA1, never by
//! password.

use super::{Algorithm, Params, hexadecimal, params_of};
use crate::{
    clock::Instant,
    redact::Secret,
    secret::same,
    sip::uri::{Uri, find_param},
};
use sha2::{Digest as _, Sha256};
use std::{collections::HashMap, time::Duration};

/// A nonce is good for this long; after it the client is told `stale=true` and answers again without asking anybody.
const NONCE_LIFE: Duration = Duration::from_mins(5);
/// Counted nonces; beyond it the old ones are swept.
const COUNTED_MAX: usize = 10_000;

/// One user: what is needed to check a password without having it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// User name, and the user part of the AOR.
    pub name: String,
    /// HA1 for MD5, if it is known.
    pub md5: Option<Secret>,
    /// HA1 for SHA-256, if it is known.
    pub sha256: Option<Secret>,
}

impl Account {
    /// Both hashes of a password.
    #[must_use]
    pub fn of_password(name: &str, realm: &str, password: &Secret) -> Self {
        let ha1 =
            |algorithm: Algorithm| Some(Secret::new(&algorithm.hash(&format!("{name}:{realm}:{}", password.reveal()))));
        Self { name: name.to_owned(), md5: ha1(Algorithm::Md5), sha256: ha1(Algorithm::Sha256) }
    }

    /// Whether this is its password, for those who come without a digest.
    #[must_use]
    pub fn has_password(&self, realm: &str, password: &Secret) -> bool {
        let given = Self::of_password(&self.name, realm, password);
        let known = |algorithm: Algorithm| self.ha1(algorithm).zip(given.ha1(algorithm));
        // Either hash is enough; which of them is known says nothing about the password.
        let pair = known(Algorithm::Sha256).or_else(|| known(Algorithm::Md5));
        pair.is_some_and(|(ours, theirs)| same(ours.reveal().as_bytes(), theirs.reveal().as_bytes()))
    }

    const fn ha1(&self, algorithm: Algorithm) -> Option<&Secret> {
        match algorithm {
            Algorithm::Md5 => self.md5.as_ref(),
            Algorithm::Sha256 => self.sha256.as_ref(),
        }
    }
}

/// What a request's credentials are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are this user's.
    Known(String),
    /// There are none, or their nonce is too old: challenge.
    Challenge {
        /// They were right but for the nonce's age.
        stale: bool,
    },
    /// Unknown user, wrong password or a count used twice: challenge, and remember who tried.
    Wrong {
        /// The user name that was tried.
        user: String,
    },
    /// They make no sense: 400 with this reason.
    Malformed(&'static str),
}

/// The judge.
#[derive(Debug)]
pub struct Gate {
    realm: String,
    secret: [u8; 32],
    made: u64,
    /// What is offered, in this order.
    algorithms: Vec<Algorithm>,
    accounts: HashMap<String, Account>,
    /// Highest `nc` of nonces that were used rightly, and when they were made.
    counts: HashMap<String, (u32, Instant)>,
}

impl Gate {
    /// A gate for `realm`; `secret` is random and makes nonces nobody else can.
    #[must_use]
    pub fn new(realm: &str, secret: [u8; 32], algorithms: Vec<Algorithm>, accounts: Vec<Account>) -> Self {
        let accounts = accounts.into_iter().map(|account| (account.name.clone(), account)).collect();
        Self { realm: realm.to_owned(), secret, made: 0, algorithms, accounts, counts: HashMap::new() }
    }

    /// Whether anybody is known here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Whether there is such a user.
    #[must_use]
    pub fn knows(&self, user: &str) -> bool {
        self.accounts.contains_key(user)
    }

    /// Values for `WWW-Authenticate` or `Proxy-Authenticate`, one for each algorithm that some user has a hash for; if
    /// none of those on offer is one, what there is.
    #[must_use]
    pub fn challenges(&mut self, now: Instant, stale: bool) -> Vec<String> {
        let nonce = self.nonce(now);
        let known = |algorithm: &Algorithm| self.accounts.values().any(|account| account.ha1(*algorithm).is_some());
        let mut offered: Vec<Algorithm> = self.algorithms.iter().copied().filter(known).collect();
        if offered.is_empty() {
            offered = [Algorithm::Sha256, Algorithm::Md5].into_iter().filter(known).collect();
        }
        offered
            .into_iter()
            .map(|algorithm| {
                let stale = if stale { ", stale=true" } else { "" };
                let (realm, name) = (&self.realm, algorithm.name());
                format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={name}, qop=\"auth\"{stale}")
            })
            .collect()
    }

    /// Judges the values of a request's `Authorization` or `Proxy-Authorization` fields.
    pub fn check<'a>(
        &mut self,
        now: Instant,
        method: &str,
        request_uri: &str,
        values: impl Iterator<Item = &'a str>,
    ) -> Verdict {
        // Credentials for other realms pass through here on their way to somebody else.
        let ours = values
            .filter_map(params_of)
            .find(|params| find_param(params, "realm").is_some_and(|realm| realm == self.realm));
        match ours {
            Some(params) => self.judge(now, method, request_uri, &params),
            None => Verdict::Challenge { stale: false },
        }
    }

    /// The user that such values name for our realm, proven or not.
    pub fn claimed<'a>(&self, values: impl Iterator<Item = &'a str>) -> Option<String> {
        let ours = values
            .filter_map(params_of)
            .find(|params| find_param(params, "realm").is_some_and(|realm| realm == self.realm))?;
        find_param(&ours, "username").map(str::to_owned)
    }

    fn judge(&mut self, now: Instant, method: &str, request_uri: &str, params: &Params) -> Verdict {
        let param = |name: &str| find_param(params, name).filter(|value| !value.is_empty());
        let (Some(user), Some(nonce), Some(uri), Some(response)) =
            (param("username"), param("nonce"), param("uri"), param("response"))
        else {
            return Verdict::Malformed("incomplete credentials");
        };
        if !same_place(uri, request_uri) {
            return Verdict::Malformed("the digest is for another URI");
        }
        let Some(algorithm) = Algorithm::named(param("algorithm")) else {
            return Verdict::Challenge { stale: false };
        };
        let Some(made_at) = self.made_at(nonce) else { return Verdict::Challenge { stale: false } };
        let wrong = Verdict::Wrong { user: user.to_owned() };
        let Some(ha1) = self.accounts.get(user).and_then(|account| account.ha1(algorithm)) else { return wrong };
        let ha2 = algorithm.hash(&format!("{method}:{uri}"));
        let count = match param("qop") {
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let count = param("nc").and_then(|count| u32::from_str_radix(count, 16).ok());
                let (Some(count), Some(cnonce)) = (count, param("cnonce")) else {
                    return Verdict::Malformed("qop without nc or cnonce");
                };
                Some((count, cnonce))
            }
            Some(_) => return Verdict::Malformed("qop was not offered"),
            None => None,
        };
        let expected = match count {
            Some((_, cnonce)) => {
                let nc = param("nc").unwrap_or_default();
                algorithm.hash(&format!("{}:{nonce}:{nc}:{cnonce}:auth:{ha2}", ha1.reveal()))
            }
            None => algorithm.hash(&format!("{}:{nonce}:{ha2}", ha1.reveal())),
        };
        if !same(expected.as_bytes(), response.to_ascii_lowercase().as_bytes()) {
            return wrong;
        }
        if now.since(made_at) > NONCE_LIFE || made_at > now {
            return Verdict::Challenge { stale: true };
        }
        // RFC 7616 §3.4: a count that does not grow is a replay. Without qop there is none; the nonce's age must do.
        let (count, _) = count.unwrap_or((1, ""));
        let highest = self.counts.get(nonce).map_or(0, |(highest, _)| *highest);
        if param("qop").is_some() && count <= highest {
            return Verdict::Challenge { stale: true };
        }
        if self.counts.len() >= COUNTED_MAX {
            self.counts.retain(|_, (_, made_at)| now.since(*made_at) <= NONCE_LIFE);
        }
        if self.counts.len() < COUNTED_MAX {
            self.counts.insert(nonce.to_owned(), (count.max(highest), made_at));
        }
        Verdict::Known(user.to_owned())
    }

    /// No two are the same: a count belongs to one client.
    fn nonce(&mut self, now: Instant) -> String {
        self.made += 1;
        let stamp = format!("{:x}-{:x}", now.as_nanos() / 1_000_000, self.made);
        let seal = self.seal(&stamp);
        format!("{stamp}.{seal}")
    }

    /// When we made this nonce; none if we did not.
    fn made_at(&self, nonce: &str) -> Option<Instant> {
        let (stamp, seal) = nonce.split_once('.')?;
        if !same(self.seal(stamp).as_bytes(), seal.as_bytes()) {
            return None;
        }
        u64::from_str_radix(stamp.split('-').next()?, 16).ok().map(Instant::from_millis)
    }

    fn seal(&self, stamp: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        hash.update(stamp.as_bytes());
        hash.update(self.secret);
        hexadecimal(&hash.finalize()[..12])
    }
}

/// The digest's URI names the same user as the Request-URI, if it names one; the rest is rewritten on the way.
fn same_place(uri: &str, request_uri: &str) -> bool {
    if uri == request_uri {
        return true;
    }
    match (Uri::parse(uri), Uri::parse(request_uri)) {
        (Ok(digest), Ok(request)) => digest.user.is_empty() || request.user.is_empty() || digest.user == request.user,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::auth::{Challenge, Credentials};

    const URI: &str = "sip:voxgw.example";

    fn gate() -> Gate {
        Gate::new(
            "voxgw",
            [7; 32],
            vec![Algorithm::Sha256, Algorithm::Md5],
            vec![Account::of_password("alice", "voxgw", &Secret::new("rabbit-hole"))],
        )
    }

    fn answer(gate: &mut Gate, now: Instant, sha256: bool, user: &str, password: &str) -> String {
        let text = gate.challenges(now, false).into_iter().nth(usize::from(!sha256)).unwrap();
        let challenge = Challenge::parse(&text).unwrap();
        assert_eq!(challenge.is_sha256(), sha256);
        let credentials = Credentials { user: user.into(), password: Secret::new(password) };
        challenge.answer(&credentials, "REGISTER", URI, "abc", 1)
    }

    fn check(gate: &mut Gate, now: Instant, value: &str) -> Verdict {
        gate.check(now, "REGISTER", URI, [value].into_iter())
    }

    #[test]
    fn the_right_password_opens_with_both_algorithms_and_only_once() {
        let (mut gate, now) = (gate(), Instant::from_millis(1_000));
        for sha256 in [true, false] {
            let value = answer(&mut gate, now, sha256, "alice", "rabbit-hole");
            assert_eq!(check(&mut gate, now, &value), Verdict::Known("alice".into()));
            assert_eq!(check(&mut gate, now, &value), Verdict::Challenge { stale: true }, "a replay");
        }
    }

    #[test]
    fn wrong_passwords_users_methods_and_nonces_do_not_open() {
        let (mut gate, now) = (gate(), Instant::from_millis(1_000));
        let wrong = |user: &str| Verdict::Wrong { user: user.into() };
        let value = answer(&mut gate, now, true, "alice", "tea-party");
        assert_eq!(check(&mut gate, now, &value), wrong("alice"));
        let value = answer(&mut gate, now, true, "bob", "rabbit-hole");
        assert_eq!(check(&mut gate, now, &value), wrong("bob"));
        let value = answer(&mut gate, now, true, "alice", "rabbit-hole");
        assert_eq!(gate.check(now, "INVITE", URI, [value.as_str()].into_iter()), wrong("alice"));
        assert_eq!(
            gate.check(
                now,
                "REGISTER",
                "sip:bob@voxgw.example",
                [value.replace(URI, "sip:mallory@voxgw.example").as_str()].into_iter()
            ),
            Verdict::Malformed("the digest is for another URI")
        );
        let mut other = Gate::new(
            "voxgw",
            [8; 32],
            vec![Algorithm::Sha256],
            vec![Account::of_password("alice", "voxgw", &Secret::new("rabbit-hole"))],
        );
        let value = answer(&mut other, now, true, "alice", "rabbit-hole");
        assert_eq!(check(&mut gate, now, &value), Verdict::Challenge { stale: false }, "somebody else's nonce");
        assert_eq!(check(&mut gate, now, "Basic YTpi"), Verdict::Challenge { stale: false });
        assert!(matches!(check(&mut gate, now, "Digest realm=\"voxgw\""), Verdict::Malformed(_)));
    }

    #[test]
    fn an_old_nonce_is_stale_and_says_so() {
        let (mut gate, now) = (gate(), Instant::from_millis(1_000));
        let value = answer(&mut gate, now, true, "alice", "rabbit-hole");
        let later = now + NONCE_LIFE + Duration::from_secs(1);
        assert_eq!(check(&mut gate, later, &value), Verdict::Challenge { stale: true });
        assert!(gate.challenges(later, true)[0].ends_with("stale=true"));
    }
}
