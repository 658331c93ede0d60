//! Who is heard at all: access lists, rates per source and in all, bans after wrong passwords, scanners, overload.
//!
//! Asked once for each message that comes in, before anything is remembered of it. Memory is bounded: a flood from
//! forged addresses fills a table of fixed size and is then limited as one. Time is the caller's.

use crate::{
    clock::Instant,
    network::{Network, owner},
};
use std::{collections::HashMap, net::IpAddr, time::Duration};

/// Sources that are remembered at once; beyond it the idle ones go, and newcomers share one bucket.
const SOURCES_MAX: usize = 20_000;
/// How often idle sources are looked for when the table is full.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// The longest ban.
const BAN_MAX: Duration = Duration::from_hours(1);
/// Wrong passwords are forgotten after this long without another.
const FORGIVEN_AFTER: Duration = Duration::from_mins(10);
/// Who tries the passwords of so many users guesses; one telephone that has a wrong one tries its own.
const GUESSED_USERS: usize = 3;
/// So many times the limit ban an address whatever the users' names.
const LIMITS_IN_ALL: u32 = 10;
/// Names that are remembered for one address; one more than needed to tell that they are many.
const NAMES_MAX: usize = GUESSED_USERS + 1;
/// So much of a name is remembered.
const NAME_MAX: usize = 64;

/// The limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Only these are heard; empty is everybody.
    pub allow: Vec<Network>,
    /// These are not.
    pub deny: Vec<Network>,
    /// No rates, no bans: our own proxies.
    pub trusted: Vec<Network>,
    /// Requests outside of calls per second from one address; zero is no limit. Bursts are five times that.
    pub per_source: f64,
    /// The same from all addresses together.
    pub global: f64,
    /// Wrong passwords for one user from one address before that user is banned there, or, if they were for several
    /// users, the whole address; zero never.
    pub ban_after: u32,
    /// The first ban; each further one is twice as long, an hour at most.
    pub ban_for: Duration,
    /// Words in `User-Agent` that only scanners have, in lower case.
    pub scanners: Vec<String>,
}

impl Default for Settings {
    /// No limits at all.
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            trusted: Vec::new(),
            per_source: 0.0,
            global: 0.0,
            ban_after: 0,
            ban_for: Duration::from_mins(1),
            scanners: Vec::new(),
        }
    }
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take it.
    Heard,
    /// Say nothing: not allowed here, or a scanner.
    Silence,
    /// Say nothing, unless it belongs to what goes on: banned.
    Banned,
    /// 503 with `Retry-After`: too many, by this limit.
    TooMany(&'static str),
}

/// What was turned away since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Not on the list of those allowed, or on that of those denied.
    pub denied: u64,
    /// Beyond its own rate.
    pub limited: u64,
    /// Beyond everybody's rate.
    pub limited_globally: u64,
    /// While banned.
    pub banned: u64,
    /// Bans that began.
    pub bans: u64,
    /// Scanners.
    pub scanners: u64,
    /// While the gateway was overloaded.
    pub overload: u64,
}

/// Tokens that come back with time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    const fn full(now: Instant, rate: f64) -> Self {
        Self { tokens: rate * 5.0, at: now }
    }

    fn take(&mut self, now: Instant, rate: f64) -> bool {
        self.tokens = (self.tokens + now.since(self.at).as_secs_f64() * rate).min(rate * 5.0);
        self.at = now;
        let has = self.tokens >= 1.0;
        if has {
            self.tokens -= 1.0;
        }
        has
    }
}

#[derive(Debug)]
struct Source {
    bucket: Bucket,
    /// Wrong passwords, for whomever.
    wrong: u32,
    /// Those among them that named nobody.
    nameless: u32,
    wrong_at: Instant,
    ban: Ban,
    /// Whose password was tried; `NAMES_MAX` at most.
    tried: Vec<Tried>,
}

impl Source {
    /// Wrong passwords are forgotten; bans, and how many there were, are not.
    fn forgive(&mut self) {
        (self.wrong, self.nameless) = (0, 0);
        for tried in &mut self.tried {
            (tried.wrong, tried.in_all) = (0, 0);
        }
    }

    /// What is known of a user here; none if there are too many.
    fn tried(&mut self, now: Instant, user: &str) -> Option<&mut Tried> {
        let user = shortened(user);
        if let Some(place) = self.tried.iter().position(|tried| tried.user == user) {
            return self.tried.get_mut(place);
        }
        self.tried.retain(|tried| tried.in_all > 0 || tried.ban.until > now);
        if self.tried.len() >= NAMES_MAX {
            return None;
        }
        self.tried.push(Tried { user: user.to_owned(), wrong: 0, in_all: 0, ban: Ban::default() });
        self.tried.last_mut()
    }
}

/// One user's password, as it was tried from one address.
#[derive(Debug)]
struct Tried {
    user: String,
    /// Since the newest ban.
    wrong: u32,
    in_all: u32,
    ban: Ban,
}

/// Bans, one after the other.
#[derive(Clone, Copy, Debug)]
struct Ban {
    count: u32,
    until: Instant,
}

impl Default for Ban {
    fn default() -> Self {
        Self { count: 0, until: Instant::ZERO }
    }
}

impl Ban {
    /// The next one, twice as long as the one before.
    fn begin(&mut self, now: Instant, first: Duration) {
        self.until = now + (first * 2_u32.pow(self.count.min(16))).min(BAN_MAX);
        self.count += 1;
    }
}

/// The guard at the door.
#[derive(Debug)]
pub struct Guard {
    settings: Settings,
    /// Addresses that are trusted besides those of the settings.
    learned: Vec<IpAddr>,
    sources: HashMap<IpAddr, Source>,
    global: Bucket,
    /// What newcomers share while the table is full.
    crowd: Bucket,
    swept_at: Instant,
    overloaded: bool,
    counters: Counters,
}

impl Guard {
    /// A guard that has seen nobody.
    #[must_use]
    pub fn new(now: Instant, settings: Settings) -> Self {
        Self {
            global: Bucket::full(now, settings.global),
            crowd: Bucket::full(now, settings.per_source),
            settings,
            learned: Vec::new(),
            sources: HashMap::new(),
            swept_at: now,
            overloaded: false,
            counters: Counters::default(),
        }
    }

    /// What was turned away.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The gateway cannot keep up, or can again: new requests are told to come later.
    pub const fn set_overloaded(&mut self, overloaded: bool) {
        self.overloaded = overloaded;
    }

    /// Another address to trust.
    pub fn trust(&mut self, ip: IpAddr) {
        let known = self.settings.trusted.iter().any(|network| network.contains(ip));
        if let (false, Ok(network)) = (known, ip.to_string().parse()) {
            self.settings.trusted.push(network);
            self.learned.push(ip);
        }
    }

    /// An address that was trusted since is not any more; what the settings trust they go on trusting.
    pub fn distrust(&mut self, ip: IpAddr) {
        let Some(at) = self.learned.iter().position(|known| *known == ip) else { return };
        self.learned.swap_remove(at);
        if let Ok(network) = ip.to_string().parse::<Network>() {
            self.settings.trusted.retain(|known| *known != network);
        }
    }

    /// Something from a banned address, or for a user who is banned there, was met with silence.
    pub const fn silenced(&mut self) {
        self.counters.banned += 1;
    }

    /// Judges anything from `source`, before it is read. What is [`Verdict::Banned`] and really met with silence is
    /// told with [`Self::silenced`].
    pub fn knock(&mut self, now: Instant, source: IpAddr) -> Verdict {
        let within = |networks: &[Network]| networks.iter().any(|network| network.contains(source));
        if within(&self.settings.deny) || (!self.settings.allow.is_empty() && !within(&self.settings.allow)) {
            self.counters.denied += 1;
            return Verdict::Silence;
        }
        if self.sources.get(&owner(source)).is_some_and(|known| known.ban.until > now)
            && !within(&self.settings.trusted)
        {
            return Verdict::Banned;
        }
        Verdict::Heard
    }

    /// Judges a request outside of calls that was heard.
    pub fn request(&mut self, now: Instant, source: IpAddr, user_agent: &str) -> Verdict {
        let trusted = self.settings.trusted.iter().any(|network| network.contains(source));
        let name = user_agent.to_ascii_lowercase();
        if !trusted && self.settings.scanners.iter().any(|word| name.contains(word.as_str())) {
            self.counters.scanners += 1;
            return Verdict::Silence;
        }
        if self.overloaded {
            self.counters.overload += 1;
            return Verdict::TooMany("overload");
        }
        if trusted {
            return Verdict::Heard;
        }
        if self.settings.per_source > 0.0 && !self.within_rate(now, source) {
            self.counters.limited += 1;
            return Verdict::TooMany("sip.limits.per_source");
        }
        if self.settings.global > 0.0 && !self.global.take(now, self.settings.global) {
            self.counters.limited_globally += 1;
            return Verdict::TooMany("sip.limits.global");
        }
        Verdict::Heard
    }

    /// Whether somebody is banned at `source` by name: worth asking who is meant.
    #[must_use]
    pub fn has_banned_users(&self, now: Instant, source: IpAddr) -> bool {
        self.sources.get(&owner(source)).is_some_and(|known| known.tried.iter().any(|tried| tried.ban.until > now))
    }

    /// Whether `user` is banned at `source`, whose other users are heard.
    #[must_use]
    pub fn is_banned(&self, now: Instant, source: IpAddr, user: &str) -> bool {
        let user = shortened(user);
        self.sources
            .get(&owner(source))
            .is_some_and(|known| known.tried.iter().any(|tried| tried.user == user && tried.ban.until > now))
    }

    /// The right password of `user` came from `source`: its wrong ones are forgiven.
    pub fn right_password(&mut self, source: IpAddr, user: &str) {
        let user = shortened(user);
        if let Some(known) = self.sources.get_mut(&owner(source))
            && let Some(place) = known.tried.iter().position(|tried| tried.user == user)
        {
            let tried = known.tried.swap_remove(place);
            known.wrong = known.wrong.saturating_sub(tried.in_all);
        }
    }

    /// A wrong password for `user`, or a wrong token that names nobody, came from `source`; true if that bans the user
    /// there or the whole address.
    pub fn wrong_password(&mut self, now: Instant, source: IpAddr, user: Option<&str>) -> bool {
        let trusted = self.settings.trusted.iter().any(|network| network.contains(source));
        if trusted || self.settings.ban_after == 0 {
            return false;
        }
        let (limit, first) = (self.settings.ban_after, self.settings.ban_for);
        let Some(known) = self.source(now, source) else { return false };
        if now.since(known.wrong_at) > FORGIVEN_AFTER {
            known.forgive();
        }
        known.wrong += 1;
        known.wrong_at = now;
        let mut is_banned = false;
        match user.map(|user| known.tried(now, user)) {
            Some(Some(tried)) => {
                tried.wrong += 1;
                tried.in_all += 1;
                if tried.wrong >= limit {
                    tried.wrong = 0;
                    tried.ban.begin(now, first);
                    is_banned = true;
                }
            }
            // One of many.
            Some(None) => {}
            None => known.nameless += 1,
        }
        let users = known.tried.iter().filter(|tried| tried.in_all > 0).count();
        let guesses = known.wrong >= limit && users >= GUESSED_USERS;
        if guesses || known.nameless >= limit || known.wrong >= limit.saturating_mul(LIMITS_IN_ALL) {
            known.forgive();
            known.ban.begin(now, first);
            is_banned = true;
        }
        self.counters.bans += u64::from(is_banned);
        is_banned
    }

    fn within_rate(&mut self, now: Instant, source: IpAddr) -> bool {
        let rate = self.settings.per_source;
        match self.source(now, source) {
            Some(known) => known.bucket.take(now, rate),
            None => self.crowd.take(now, rate),
        }
    }

    /// What is known of a source; none if it is new and the table is full.
    fn source(&mut self, now: Instant, source: IpAddr) -> Option<&mut Source> {
        let source = owner(source);
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&source) {
            if now.since(self.swept_at) < SWEEP_EVERY {
                return None;
            }
            self.swept_at = now;
            // Whoever could fill its bucket again and is not banned has nothing to remember.
            self.sources.retain(|_, known| {
                known.ban.until > now
                    || known.tried.iter().any(|tried| tried.ban.until > now)
                    || now.since(known.bucket.at) < Duration::from_secs(5)
                    || (known.wrong > 0 && now.since(known.wrong_at) < FORGIVEN_AFTER)
            });
            if self.sources.len() >= SOURCES_MAX {
                return None;
            }
        }
        let rate = self.settings.per_source;
        Some(self.sources.entry(source).or_insert_with(|| Source {
            bucket: Bucket::full(now, rate),
            wrong: 0,
            nameless: 0,
            wrong_at: now,
            ban: Ban::default(),
            tried: Vec::new(),
        }))
    }
}

/// As much of a user's name as is remembered.
fn shortened(user: &str) -> &str {
    user.char_indices().nth(NAME_MAX).map_or(user, |(end, _)| user.get(..end).unwrap_or(user))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn guard(change: impl Fn(&mut Settings)) -> Guard {
        let mut settings = Settings { per_source: 10.0, ban_after: 3, ..Settings::default() };
        change(&mut settings);
        Guard::new(at(0), settings)
    }

    #[test]
    fn lists_decide_first() {
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Network>>();
        let mut guard = guard(|settings| {
            settings.allow = networks(&["192.0.2.0/24", "2001:db8::/32"]);
            settings.deny = networks(&["192.0.2.66"]);
        });
        for (source, verdict) in [
            ("192.0.2.1", Verdict::Heard),
            ("2001:db8::1", Verdict::Heard),
            ("192.0.2.66", Verdict::Silence),
            ("198.51.100.1", Verdict::Silence),
        ] {
            assert_eq!(guard.knock(at(0), ip(source)), verdict, "{source}");
        }
        assert_eq!(guard.counters().denied, 2);
    }

    #[test]
    fn a_source_has_its_rate_and_others_are_not_hurt() {
        let mut guard = guard(|_| {});
        let heard =
            |guard: &mut Guard, now: Instant, source: &str| guard.request(now, ip(source), "") == Verdict::Heard;
        let first = (0..200).filter(|_| heard(&mut guard, at(0), "192.0.2.1")).count();
        assert_eq!(first, 50, "a burst of five seconds' worth");
        assert!(heard(&mut guard, at(0), "192.0.2.2"));
        let later = (0..200).filter(|n| heard(&mut guard, at(1_000 + n * 10), "192.0.2.1")).count();
        assert!((29..=31).contains(&later), "{later} in two seconds and the one before");
        // One owner of a whole IPv6 network is one source.
        let first = (0..200).filter(|n| heard(&mut guard, at(0), &format!("2001:db8::{n:x}"))).count();
        assert_eq!(first, 50);
    }

    #[test]
    fn who_is_trusted_for_a_while_is_not_for_ever() {
        let (always, meanwhile): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [192, 0, 2, 1].into());
        let mut guard = guard(|settings| {
            settings.trusted = vec!["10.0.0.0/8".parse().unwrap()];
            settings.scanners = vec!["scan".to_owned()];
        });
        let heard = |guard: &mut Guard, ip| guard.request(Instant::ZERO, ip, "scanner") == Verdict::Heard;
        guard.trust(always);
        guard.trust(meanwhile);
        assert!(heard(&mut guard, always) && heard(&mut guard, meanwhile));
        guard.distrust(always);
        guard.distrust(meanwhile);
        assert!(heard(&mut guard, always) && !heard(&mut guard, meanwhile));
    }

    #[test]
    fn wrong_passwords_ban_a_user_for_longer_each_time_and_trusted_ones_never() {
        let mut guard = guard(|settings| settings.trusted = vec!["10.0.0.0/8".parse().unwrap()]);
        let source = ip("192.0.2.1");
        let wrong = |guard: &mut Guard, now: Instant| guard.wrong_password(now, source, Some("alice"));
        assert!(!wrong(&mut guard, at(0)) && !wrong(&mut guard, at(1)) && !guard.has_banned_users(at(1), source));
        assert!(wrong(&mut guard, at(2)));
        assert!(guard.has_banned_users(at(59_000), source) && guard.is_banned(at(59_000), source, "alice"));
        assert!(!guard.is_banned(at(59_000), source, "bob"), "others from there are heard");
        assert!(!guard.is_banned(at(59_000), ip("192.0.2.2"), "alice"), "and she is from elsewhere");
        assert_eq!(guard.knock(at(59_000), source), Verdict::Heard);
        let again = at(61_000);
        assert!(!guard.is_banned(again, source, "alice"));
        assert!((0..3).any(|_| wrong(&mut guard, again)));
        assert!(guard.is_banned(again + Duration::from_secs(119), source, "alice"));
        assert!(!guard.is_banned(again + Duration::from_secs(121), source, "alice"));
        for _ in 0..9 {
            assert!(!guard.wrong_password(again, ip("10.1.2.3"), Some("alice")));
        }
        assert_eq!(guard.counters().bans, 2);
    }

    #[test]
    fn who_tries_three_users_or_wrong_tokens_is_banned_with_the_whole_address() {
        let mut guard = guard(|_| {});
        for (n, user) in ["alice", "bob", "carol"].into_iter().enumerate() {
            assert_eq!(guard.knock(at(0), ip("2001:db8::77")), Verdict::Heard);
            assert_eq!(guard.wrong_password(at(0), ip(&format!("2001:db8::{n}")), Some(user)), n == 2);
        }
        assert_eq!(guard.knock(at(1), ip("2001:db8::77")), Verdict::Banned, "the whole network of its owner");
        let source = ip("192.0.2.1");
        assert!((0..3).all(|n| guard.wrong_password(at(0), source, None) == (n == 2)));
        assert_eq!(guard.knock(at(59_000), source), Verdict::Banned);
        assert_eq!(guard.knock(at(61_000), source), Verdict::Heard);
        assert!((0..3).all(|n| guard.wrong_password(at(61_000), source, None) == (n == 2)));
        assert_eq!(guard.knock(at(61_000 + 119_000), source), Verdict::Banned, "twice as long");
    }

    #[test]
    fn the_right_password_forgives_its_users_wrong_ones_and_nobody_elses() {
        let mut guard = guard(|_| {});
        let source = ip("192.0.2.1");
        for n in 0..20 {
            assert!(!guard.wrong_password(at(n), source, Some("alice")), "{n}");
            guard.right_password(source, "alice");
        }
        // A guesser's own account does not help it.
        for user in ["bob", "carol", "bob"] {
            assert!(!guard.wrong_password(at(30), source, Some(user)));
            guard.right_password(source, "alice");
        }
        assert!(guard.wrong_password(at(30), source, Some("dave")));
        assert_eq!(guard.knock(at(30), source), Verdict::Banned);
    }

    #[test]
    fn ten_times_the_limit_bans_an_address_and_ten_minutes_of_peace_forgive() {
        let (mut guard, source) = (guard(|settings| settings.ban_for = Duration::ZERO), ip("192.0.2.1"));
        let wrong = |guard: &mut Guard, ms: u64, user: &str| guard.wrong_password(at(ms), source, Some(user));
        for n in 0..29 {
            wrong(&mut guard, n, if n % 2 == 0 { "alice" } else { "bob" });
        }
        assert_eq!(guard.sources[&source].ban.count, 0);
        assert!(wrong(&mut guard, 29, "alice"));
        assert_eq!(guard.sources[&source].ban.count, 1);
        for n in 0..200 {
            wrong(&mut guard, 1_000 + n * 601_000, "alice");
        }
        assert_eq!(guard.sources[&source].ban.count, 1);
    }

    #[test]
    fn names_that_are_many_or_long_take_no_memory() {
        let (mut guard, source) = (guard(|settings| settings.ban_after = 1_000_000), ip("192.0.2.1"));
        for n in 0..1_000 {
            guard.wrong_password(at(0), source, Some(&format!("{}{n}", "ü".repeat(n))));
        }
        let tried = &guard.sources[&source].tried;
        assert!(tried.len() <= NAMES_MAX && tried.iter().all(|tried| tried.user.chars().count() <= NAME_MAX));
    }

    #[test]
    fn a_flood_from_forged_addresses_is_limited_as_one_and_takes_no_memory() {
        let mut guard = guard(|settings| settings.global = 1_000.0);
        let flood = |n: u32| IpAddr::from(n.to_be_bytes());
        let heard = (0..100_000).filter(|n| guard.request(at(0), flood(*n), "") == Verdict::Heard).count();
        assert_eq!(heard, 5_000, "the global burst");
        assert!(guard.sources.len() <= SOURCES_MAX);
        // Later there is room again.
        assert_eq!(guard.request(at(20_000), ip("192.0.2.1"), ""), Verdict::Heard);
        assert!(guard.sources.len() < 10);
    }

    #[test]
    fn scanners_hear_nothing_and_overload_says_when() {
        let mut guard = guard(|settings| settings.scanners = vec!["friendly-scanner".into()]);
        assert_eq!(guard.request(at(0), ip("192.0.2.1"), "Friendly-Scanner 1.0"), Verdict::Silence);
        guard.set_overloaded(true);
        assert_eq!(guard.request(at(0), ip("192.0.2.1"), "phone"), Verdict::TooMany("overload"));
        guard.set_overloaded(false);
        assert_eq!(guard.request(at(0), ip("192.0.2.1"), "phone"), Verdict::Heard);
    }
}
