//! Who is heard at all: access lists, rates per source and in all, bans after wrong passwords, scanners, overload.
//!
//! Asked once for each message that comes in, before anything is remembered of it. Memory is bounded: a flood from
//! forged addresses fills a table of fixed size and is then limited as one. Time is the caller's.

use crate::{clock::Instant, network::Network};
use std::{collections::HashMap, net::IpAddr, time::Duration};

/// Sources that are remembered at once; beyond it the idle ones go, and newcomers share one bucket.
const SOURCES_MAX: usize = 20_000;
/// How often idle sources are looked for when the table is full.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// The longest ban.
const BAN_MAX: Duration = Duration::from_hours(1);
/// Wrong passwords are forgotten after this long without another.
const FORGIVEN_AFTER: Duration = Duration::from_mins(10);

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
    /// Wrong passwords from one address before it is banned; zero never.
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
    /// Say nothing: not allowed here, banned, or a scanner.
    Silence,
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
    wrong: u32,
    wrong_at: Instant,
    bans: u32,
    banned_until: Instant,
}

/// The guard at the door.
#[derive(Debug)]
pub struct Guard {
    settings: Settings,
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
        }
    }

    /// Judges anything from `source`, before it is read.
    pub fn knock(&mut self, now: Instant, source: IpAddr) -> Verdict {
        let within = |networks: &[Network]| networks.iter().any(|network| network.contains(source));
        if within(&self.settings.deny) || (!self.settings.allow.is_empty() && !within(&self.settings.allow)) {
            self.counters.denied += 1;
            return Verdict::Silence;
        }
        if self.sources.get(&owner(source)).is_some_and(|known| known.banned_until > now)
            && !within(&self.settings.trusted)
        {
            self.counters.banned += 1;
            return Verdict::Silence;
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

    /// A wrong password came from `source`; true if that bans it.
    pub fn wrong_password(&mut self, now: Instant, source: IpAddr) -> bool {
        let trusted = self.settings.trusted.iter().any(|network| network.contains(source));
        if trusted || self.settings.ban_after == 0 {
            return false;
        }
        let (limit, first) = (self.settings.ban_after, self.settings.ban_for);
        let Some(known) = self.source(now, source) else { return false };
        if now.since(known.wrong_at) > FORGIVEN_AFTER {
            known.wrong = 0;
        }
        known.wrong += 1;
        known.wrong_at = now;
        if known.wrong < limit {
            return false;
        }
        known.wrong = 0;
        known.banned_until = now + (first * 2_u32.pow(known.bans.min(16))).min(BAN_MAX);
        known.bans += 1;
        self.counters.bans += 1;
        true
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
                known.banned_until > now
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
            wrong_at: now,
            bans: 0,
            banned_until: Instant::ZERO,
        }))
    }
}

/// Whom an address belongs to: the lower half of an IPv6 address is its owner's to vary.
fn owner(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() >> 64 << 64).into()),
        ip @ IpAddr::V4(_) => ip,
    }
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
    fn wrong_passwords_ban_for_longer_each_time_and_trusted_ones_never() {
        let mut guard = guard(|settings| settings.trusted = vec!["10.0.0.0/8".parse().unwrap()]);
        let source = ip("192.0.2.1");
        assert!(!guard.wrong_password(at(0), source) && !guard.wrong_password(at(1), source));
        assert!(guard.wrong_password(at(2), source));
        assert_eq!(guard.knock(at(59_000), source), Verdict::Silence);
        assert_eq!(guard.knock(at(61_000), source), Verdict::Heard);
        let again = at(61_000);
        assert!((0..3).any(|_| guard.wrong_password(again, source)));
        assert_eq!(guard.knock(again + Duration::from_secs(119), source), Verdict::Silence);
        assert_eq!(guard.knock(again + Duration::from_secs(121), source), Verdict::Heard);
        for _ in 0..9 {
            assert!(!guard.wrong_password(again, ip("10.1.2.3")));
        }
        assert_eq!(guard.counters().bans, 2);
        for n in 0..3 {
            guard.wrong_password(again, ip(&format!("2001:db8::{n}")));
        }
        assert_eq!(guard.knock(again, ip("2001:db8::77")), Verdict::Silence, "the whole network of its owner");
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
