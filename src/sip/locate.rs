//! From a URI to the servers to try, in their order (RFC 3263, RFC 2782): what to ask the DNS, and what follows from it.
//!
//! [`locate`] is the whole of it: what is wanted and the answers so far give the questions that are still open, or the
//! targets. Also [`Dead`]: which targets did not answer of late. Asks nothing itself: `net::resolve` does, with random
//! bits for the weights. Called by `net::resolve` and `gateway::engine`.

use super::{tx::Transport, uri::Uri};
use crate::clock::Instant;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// More targets than anybody waits for.
const TARGETS_MAX: usize = 16;
/// Services of one domain that are asked for.
const SERVICES_MAX: usize = 6;
/// More records of one answer than a zone needs; the rest is left out.
const RECORDS_MAX: usize = 32;
/// A target that failed is tried last for so long.
pub const DEAD_FOR: Duration = Duration::from_mins(1);
/// The longest that a `Retry-After` is believed.
const DEAD_MAX: Duration = Duration::from_mins(10);
/// Dead targets that are remembered.
const DEAD_COUNT_MAX: usize = 1_024;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// A name or a number.
    pub host: String,
    /// The port that was written.
    pub port: Option<u16>,
    /// The transport that was named.
    pub transport: Option<Transport>,
    /// Only what is secure will do: `sips`.
    pub secure: bool,
}

impl Wanted {
    /// Of a URI: `maddr` is the host if there is one (RFC 3263 §4).
    ///
    /// # Errors
    /// Says why there is no way to it.
    pub fn of(uri: &Uri) -> Result<Self, String> {
        let host = uri.param("maddr").filter(|maddr| !maddr.is_empty()).unwrap_or(&uri.host);
        if host.is_empty() {
            return Err(format!("{uri} has no host to call"));
        }
        let transport = uri.transport().ok_or_else(|| format!("there is no way to {uri}"))?;
        let secure = uri.scheme == "sips";
        let named = uri.param("transport").is_some();
        Ok(Self { host: host.to_owned(), port: uri.port, transport: named.then_some(transport), secure })
    }

    /// What carries requests when nobody says otherwise (§4.1).
    const fn fallback(&self) -> Transport {
        match (self.transport, self.secure) {
            (Some(named), _) => named,
            (None, true) => Transport::Tls,
            (None, false) => Transport::Udp,
        }
    }
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// NAPTR of a domain.
    Naptr(String),
    /// SRV of a service.
    Srv(String),
    /// A and AAAA of a host.
    Host(String),
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Naptr(name) => write!(f, "NAPTR {name}"),
            Self::Srv(name) => write!(f, "SRV {name}"),
            Self::Host(name) => write!(f, "A/AAAA {name}"),
        }
    }
}

/// A NAPTR record (RFC 3403); only those that end in SRV (flag `s`) are of use here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower first; the first that can be used excludes higher ones.
    pub order: u16,
    /// Lower first within one order.
    pub preference: u16,
    /// `s`.
    pub flags: String,
    /// Like `SIP+D2U`.
    pub service: String,
    /// What to ask SRV for.
    pub replacement: String,
}

/// A SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower first.
    pub priority: u16,
    /// Share among those of one priority.
    pub weight: u16,
    /// Port.
    pub port: u16,
    /// Host; `.` says that the service is not there.
    pub target: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To NAPTR.
    Naptr(Vec<Naptr>),
    /// To SRV.
    Srv(Vec<Srv>),
    /// To A and AAAA, in the order to use them.
    Hosts(Vec<IpAddr>),
    /// Nothing, and why.
    Nothing(String),
}

/// Questions and their answers.
pub type Answers = [(Question, Answer)];

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These must be asked; all at once.
    Ask(Vec<Question>),
    /// To be tried in this order; none if there is no way.
    Found(Vec<Target>),
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How.
    pub transport: Transport,
    /// Where.
    pub remote: SocketAddr,
    /// The host's name, or nothing for a number.
    pub host: String,
}

impl Target {
    /// Its place without its name.
    #[must_use]
    pub const fn end(&self) -> (Transport, SocketAddr) {
        (self.transport, self.remote)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.transport.lower_name(), self.remote)?;
        if self.host.is_empty() { Ok(()) } else { write!(f, " ({})", self.host) }
    }
}

/// Services of NAPTR, what carries them, and the prefix of their SRV. RFC 7118 gives WebSocket no SRV: a URI says it all.
const SERVICES: &[(&str, Transport, &str)] = &[
    ("SIP+D2U", Transport::Udp, "_sip._udp"),
    ("SIP+D2T", Transport::Tcp, "_sip._tcp"),
    ("SIPS+D2T", Transport::Tls, "_sips._tcp"),
];

/// Questions, then targets. `spoken` is what we can speak; the same `seed` gives the same order.
#[must_use]
pub fn locate(wanted: &Wanted, spoken: &[Transport], answers: &Answers, seed: u64) -> Step {
    let fallback = wanted.fallback();
    let place = |port: Option<u16>| port.unwrap_or(fallback.default_port());
    if let Ok(ip) = wanted.host.parse::<IpAddr>() {
        let remote = SocketAddr::new(ip, place(wanted.port));
        return Step::Found(vec![Target { transport: fallback, remote, host: String::new() }]);
    }
    // §4.1 and §4.2: who writes a port wants no SRV.
    if wanted.port.is_some() || fallback.is_websocket() {
        return hosts(&[(fallback, wanted.host.clone(), place(wanted.port))], answers);
    }
    let name = wanted.host.trim_end_matches('.');
    let usable = |transport: Transport| spoken.contains(&transport) && (!wanted.secure || transport.is_secure());
    let by_name = |transport: Transport| {
        let row = SERVICES.iter().find(|(_, known, _)| *known == transport);
        row.map(|(_, _, prefix)| (transport, format!("{prefix}.{name}")))
    };
    let services: Vec<(Transport, String)> = if wanted.transport.is_some() {
        by_name(fallback).into_iter().collect()
    } else {
        let question = Question::Naptr(name.to_owned());
        let Some(answer) = answer_to(answers, &question) else { return Step::Ask(vec![question]) };
        let found = if let Answer::Naptr(records) = answer { chosen(records, usable) } else { Vec::new() };
        if found.is_empty() {
            SERVICES.iter().filter(|row| usable(row.1)).filter_map(|row| by_name(row.1)).collect()
        } else {
            found
        }
    };
    let open: Vec<Question> = services
        .iter()
        .map(|(_, service)| Question::Srv(service.clone()))
        .filter(|question| answer_to(answers, question).is_none())
        .collect();
    if !open.is_empty() {
        return Step::Ask(open);
    }
    let mut random = StdRng::seed_from_u64(seed);
    let (mut places, mut any) = (Vec::new(), false);
    for (transport, service) in &services {
        if let Some(Answer::Srv(records)) = answer_to(answers, &Question::Srv(service.clone())) {
            any = any || !records.is_empty();
            places.extend(ordered(records, &mut random).into_iter().map(|srv| (*transport, srv.target, srv.port)));
        }
    }
    if !any {
        // §4.2: no SRV at all: the name is a host.
        let transport = services.first().map_or(fallback, |(transport, _)| *transport);
        let transport = if usable(fallback) { fallback } else { transport };
        return hosts(&[(transport, wanted.host.clone(), transport.default_port())], answers);
    }
    places.truncate(TARGETS_MAX);
    hosts(&places, answers)
}

fn answer_to<'a>(answers: &'a Answers, question: &Question) -> Option<&'a Answer> {
    answers.iter().find(|(known, _)| known == question).map(|(_, answer)| answer)
}

/// The services of the lowest order that has one that we can use, by preference (RFC 3403 §4.1, RFC 3263 §4.1).
fn chosen(records: &[Naptr], usable: impl Fn(Transport) -> bool) -> Vec<(Transport, String)> {
    let mut fitting: Vec<(&Naptr, Transport)> = records
        .iter()
        .take(RECORDS_MAX)
        .filter(|record| record.flags.eq_ignore_ascii_case("s") && record.replacement != ".")
        .filter_map(|record| {
            let row = SERVICES.iter().find(|(service, ..)| record.service.eq_ignore_ascii_case(service))?;
            usable(row.1).then_some((record, row.1))
        })
        .collect();
    fitting.sort_by_key(|(record, _)| (record.order, record.preference));
    let lowest = fitting.first().map(|(record, _)| record.order);
    fitting
        .into_iter()
        .filter(|(record, _)| Some(record.order) == lowest)
        .take(SERVICES_MAX)
        .map(|(record, transport)| (transport, record.replacement.trim_end_matches('.').to_owned()))
        .collect()
}

/// By priority; within one at random by weight (RFC 2782). A service that says it is not there gives none.
fn ordered(records: &[Srv], random: &mut StdRng) -> Vec<Srv> {
    let mut left: Vec<Srv> = records.iter().take(RECORDS_MAX).filter(|record| record.target != ".").cloned().collect();
    // Those without weight come first among equals, so that they have a small chance.
    left.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut out = Vec::with_capacity(left.len());
    while let Some(priority) = left.first().map(|record| record.priority) {
        let group = left.iter().take_while(|record| record.priority == priority).count();
        let total: u32 = left[..group].iter().map(|record| u32::from(record.weight)).sum();
        let mut drawn = random.random_range(0..=total);
        let at = left[..group].iter().position(|record| {
            let weight = u32::from(record.weight);
            let here = drawn <= weight;
            drawn = drawn.saturating_sub(weight);
            here
        });
        out.push(left.remove(at.unwrap_or(0)));
    }
    out
}

/// The addresses of hosts, in the order of the hosts.
fn hosts(places: &[(Transport, String, u16)], answers: &Answers) -> Step {
    let (mut open, mut targets) = (Vec::new(), Vec::<Target>::new());
    for (transport, host, port) in places {
        let host = host.trim_end_matches('.');
        let ips = if let Ok(ip) = host.parse::<IpAddr>() {
            vec![ip]
        } else {
            let question = Question::Host(host.to_owned());
            match answer_to(answers, &question) {
                Some(Answer::Hosts(ips)) => ips.clone(),
                Some(_) => Vec::new(),
                None => {
                    if !open.contains(&question) {
                        open.push(question);
                    }
                    continue;
                }
            }
        };
        for ip in ips {
            let target = Target { transport: *transport, remote: SocketAddr::new(ip, *port), host: host.to_owned() };
            if !targets.iter().any(|known| known.end() == target.end()) {
                targets.push(target);
            }
        }
    }
    if !open.is_empty() {
        return Step::Ask(open);
    }
    targets.truncate(TARGETS_MAX);
    Step::Found(targets)
}

/// What was asked and what came back, for people.
#[must_use]
pub fn words(answers: &Answers) -> String {
    let one = |(question, answer): &(Question, Answer)| match answer {
        Answer::Naptr(records) => format!("{question}: {} records", records.len()),
        Answer::Srv(records) => {
            let all: Vec<String> = records.iter().map(|srv| format!("{}:{}", srv.target, srv.port)).collect();
            format!("{question}: {}", all.join(" "))
        }
        Answer::Hosts(ips) => {
            let all: Vec<String> = ips.iter().map(ToString::to_string).collect();
            format!("{question}: {}", all.join(" "))
        }
        Answer::Nothing(why) => format!("{question}: {why}"),
    };
    answers.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Targets that did not answer of late: they are tried last (RFC 3263 §4.3 leaves how long to us).
#[derive(Debug, Default)]
pub struct Dead {
    until: HashMap<(Transport, SocketAddr), Instant>,
}

impl Dead {
    /// This one failed; `after` is its `Retry-After`.
    pub fn mark(&mut self, now: Instant, end: (Transport, SocketAddr), after: Option<Duration>) {
        if self.until.len() >= DEAD_COUNT_MAX {
            self.until.retain(|_, until| *until > now);
            if self.until.len() >= DEAD_COUNT_MAX {
                self.until.clear();
            }
        }
        self.until.insert(end, now + after.unwrap_or(DEAD_FOR).min(DEAD_MAX));
    }

    /// This one has answered.
    pub fn revive(&mut self, end: (Transport, SocketAddr)) {
        self.until.remove(&end);
    }

    /// Those that are dead behind the others; when all are, all are tried.
    #[must_use]
    pub fn last(&self, now: Instant, targets: Vec<Target>) -> Vec<Target> {
        let is_dead = |target: &Target| self.until.get(&target.end()).is_some_and(|until| *until > now);
        let (dead, mut alive): (Vec<Target>, Vec<Target>) = targets.into_iter().partition(is_dead);
        alive.extend(dead);
        alive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Transport] = &[Transport::Udp, Transport::Tcp, Transport::Tls];

    fn naptr(order: u16, preference: u16, service: &str, replacement: &str) -> Naptr {
        let (flags, service, replacement) = ("s".to_owned(), service.to_owned(), replacement.to_owned());
        Naptr { order, preference, flags, service, replacement }
    }

    fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Srv {
        Srv { priority, weight, port, target: target.to_owned() }
    }

    /// A zone: names with their records; everything else is not there.
    #[derive(Default)]
    struct Zone {
        naptr: Vec<(&'static str, Vec<Naptr>)>,
        srv: Vec<(&'static str, Vec<Srv>)>,
        hosts: Vec<(&'static str, &'static str)>,
    }

    /// The targets of a URI, and what was asked on the way.
    fn find(zone: &Zone, uri: &str, spoken: &[Transport], seed: u64) -> (Vec<String>, Vec<String>) {
        let wanted = Wanted::of(&Uri::parse(uri).unwrap()).unwrap();
        let mut answers = Vec::new();
        for _ in 0..4 {
            match locate(&wanted, spoken, &answers, seed) {
                Step::Found(targets) => {
                    let targets = targets.iter().map(|t| format!("{} {}", t.transport.lower_name(), t.remote));
                    return (targets.collect(), answers.iter().map(|(asked, _)| asked.to_string()).collect());
                }
                Step::Ask(questions) => {
                    assert!(!questions.is_empty());
                    for question in questions {
                        let nothing = Answer::Nothing("no such name".to_owned());
                        let answer = match &question {
                            Question::Naptr(name) => {
                                let found = zone.naptr.iter().find(|(known, _)| known == name);
                                found.map_or(nothing, |(_, records)| Answer::Naptr(records.clone()))
                            }
                            Question::Srv(name) => {
                                let found = zone.srv.iter().find(|(known, _)| known == name);
                                found.map_or(nothing, |(_, records)| Answer::Srv(records.clone()))
                            }
                            Question::Host(name) => {
                                let ips = zone.hosts.iter().filter(|(known, _)| known == name);
                                let ips: Vec<IpAddr> = ips.map(|(_, ip)| ip.parse().unwrap()).collect();
                                if ips.is_empty() { nothing } else { Answer::Hosts(ips) }
                            }
                        };
                        assert!(!answers.iter().any(|(known, _)| *known == question), "{question} is asked twice");
                        answers.push((question, answer));
                    }
                }
            }
        }
        panic!("{uri}: no end of questions");
    }

    /// RFC 3263 §4.1 and §4.2.
    fn example() -> Zone {
        Zone {
            naptr: vec![(
                "example.com",
                vec![
                    naptr(90, 50, "SIP+D2T", "_sip._tcp.example.com."),
                    naptr(50, 50, "SIPS+D2T", "_sips._tcp.example.com."),
                    naptr(100, 50, "SIP+D2U", "_sip._udp.example.com."),
                ],
            )],
            srv: vec![
                (
                    "_sip._tcp.example.com",
                    vec![srv(0, 1, 5060, "server1.example.com."), srv(0, 2, 5060, "server2.example.com.")],
                ),
                ("_sips._tcp.example.com", vec![srv(0, 0, 5061, "server1.example.com.")]),
                ("_sip._udp.example.com", vec![srv(0, 0, 5060, "server2.example.com.")]),
            ],
            hosts: vec![
                ("server1.example.com", "192.0.2.1"),
                ("server2.example.com", "192.0.2.2"),
                ("example.com", "192.0.2.9"),
            ],
        }
    }

    #[test]
    fn naptr_chooses_the_transport_among_those_that_we_speak() {
        let zone = example();
        let (targets, asked) = find(&zone, "sip:user@example.com", &[Transport::Udp, Transport::Tcp], 1);
        let mut sorted = targets.clone();
        sorted.sort();
        assert_eq!(sorted, ["tcp 192.0.2.1:5060", "tcp 192.0.2.2:5060"], "order 90, not 100 as well");
        assert_eq!(asked[..2], ["NAPTR example.com", "SRV _sip._tcp.example.com"]);
        assert_eq!(find(&zone, "sip:user@example.com", ALL, 1).0, ["tls 192.0.2.1:5061"]);
        assert_eq!(find(&zone, "sips:user@example.com", ALL, 1).0, ["tls 192.0.2.1:5061"]);
        assert_eq!(find(&zone, "sip:user@example.com", &[Transport::Udp], 1).0, ["udp 192.0.2.2:5060"]);
    }

    #[test]
    fn what_the_uri_says_is_not_asked() {
        let zone = example();
        let cases: [(&str, &[&str], &[&str]); 9] = [
            ("sip:192.0.2.7", &["udp 192.0.2.7:5060"], &[]),
            ("sip:[2001:db8::1]:5070;transport=tcp", &["tcp [2001:db8::1]:5070"], &[]),
            ("sips:192.0.2.7", &["tls 192.0.2.7:5061"], &[]),
            ("sip:server1.example.com:5070", &["udp 192.0.2.1:5070"], &["A/AAAA server1.example.com"]),
            ("sips:server1.example.com:5070", &["tls 192.0.2.1:5070"], &["A/AAAA server1.example.com"]),
            (
                "sip:example.com;transport=udp",
                &["udp 192.0.2.2:5060"],
                &["SRV _sip._udp.example.com", "A/AAAA server2.example.com"],
            ),
            (
                "sip:example.com;transport=tls",
                &["tls 192.0.2.1:5061"],
                &["SRV _sips._tcp.example.com", "A/AAAA server1.example.com"],
            ),
            ("sip:example.com;transport=ws", &["ws 192.0.2.9:80"], &["A/AAAA example.com"]),
            ("sip:example.com;maddr=192.0.2.8", &["udp 192.0.2.8:5060"], &[]),
        ];
        for (uri, targets, asked) in cases {
            let found = find(&zone, uri, ALL, 1);
            assert_eq!((&found.0[..], &found.1[..]), (&targets.map_strings()[..], &asked.map_strings()[..]), "{uri}");
        }
    }

    trait Strings {
        fn map_strings(&self) -> Vec<String>;
    }

    impl Strings for &[&str] {
        fn map_strings(&self) -> Vec<String> {
            self.iter().map(|text| (*text).to_owned()).collect()
        }
    }

    #[test]
    fn without_naptr_srv_is_asked_and_without_srv_the_name_is_a_host() {
        let mut zone = example();
        zone.naptr.clear();
        zone.srv.retain(|(name, _)| *name != "_sips._tcp.example.com");
        let (targets, asked) = find(&zone, "sip:example.com", ALL, 1);
        assert_eq!(targets[0], "udp 192.0.2.2:5060");
        assert_eq!(targets.len(), 3, "then TCP: {targets:?}");
        assert_eq!(
            asked[..4],
            [
                "NAPTR example.com",
                "SRV _sip._udp.example.com",
                "SRV _sip._tcp.example.com",
                "SRV _sips._tcp.example.com"
            ]
        );
        zone.srv.clear();
        assert_eq!(find(&zone, "sip:example.com", ALL, 1).0, ["udp 192.0.2.9:5060"]);
        assert_eq!(find(&zone, "sips:example.com", ALL, 1).0, ["tls 192.0.2.9:5061"]);
        assert_eq!(find(&zone, "sip:example.com", &[Transport::Tcp], 1).0, ["tcp 192.0.2.9:5060"], "no UDP socket");
        zone.hosts.clear();
        let (targets, asked) = find(&zone, "sip:example.com", ALL, 1);
        assert_eq!((targets.len(), asked.last().map(String::as_str)), (0, Some("A/AAAA example.com")));
    }

    #[test]
    fn a_service_that_is_not_there_is_not_looked_for_elsewhere() {
        let mut zone = example();
        zone.naptr.clear();
        zone.srv = vec![("_sip._udp.example.com", vec![srv(0, 0, 0, ".")])];
        assert_eq!(find(&zone, "sip:example.com;transport=udp", ALL, 1).0, Vec::<String>::new());
    }

    #[test]
    fn records_that_are_not_for_us_are_passed_over() {
        let mut zone = example();
        zone.naptr[0].1.insert(0, naptr(1, 1, "E2U+sip", "x.example.com."));
        zone.naptr[0].1.insert(0, naptr(1, 2, "SIP+D2S", "_sip._sctp.example.com."));
        zone.naptr[0].1.insert(0, Naptr { flags: "u".into(), ..naptr(1, 3, "SIP+D2U", "y.example.com.") });
        assert_eq!(find(&zone, "sip:example.com", &[Transport::Udp], 1).0, ["udp 192.0.2.2:5060"]);
    }

    #[test]
    fn priority_comes_before_weight_and_weight_is_a_share() {
        let records = [srv(2, 0, 1, "late."), srv(1, 75, 2, "big."), srv(1, 25, 3, "small."), srv(1, 0, 4, "spare.")];
        let (mut big, mut spare) = (0, 0);
        for seed in 0..4_000 {
            let order = ordered(&records, &mut StdRng::seed_from_u64(seed));
            assert_eq!((order.len(), order[3].port), (4, 1), "{order:?}");
            big += u32::from(order[0].port == 2);
            spare += u32::from(order[0].port == 4);
        }
        // RFC 2782: the running sum is drawn from 0 to 100, so a weight of 0 has one chance in 101.
        assert!((2_850..3_120).contains(&big), "{big}");
        assert!((10..90).contains(&spare), "{spare}");
    }

    #[test]
    fn the_same_seed_gives_the_same_order() {
        let zone = example();
        let all: Vec<Vec<String>> =
            (0..20).map(|seed| find(&zone, "sip:example.com;transport=tcp", ALL, seed).0).collect();
        assert!(all.iter().any(|one| *one != all[0]), "weights are drawn");
        assert_eq!(find(&zone, "sip:example.com;transport=tcp", ALL, 3).0, all[3]);
    }

    #[test]
    fn addresses_are_bounded_and_each_once() {
        let mut zone = example();
        zone.naptr.clear();
        zone.srv =
            vec![("_sip._udp.example.com", (0..200).map(|port| srv(0, 0, port, "server1.example.com.")).collect())];
        let (targets, _) = find(&zone, "sip:example.com;transport=udp", ALL, 1);
        assert_eq!(targets.len(), TARGETS_MAX);
    }

    #[test]
    fn who_failed_is_tried_last_for_a_minute() {
        let target = |port: u16| Target {
            transport: Transport::Udp,
            remote: SocketAddr::from(([192, 0, 2, 1], port)),
            host: String::new(),
        };
        let ports = |dead: &Dead, now: Instant| -> Vec<u16> {
            dead.last(now, vec![target(1), target(2), target(3)]).iter().map(|t| t.remote.port()).collect()
        };
        let (mut dead, begin) = (Dead::default(), Instant::from_millis(1_000));
        dead.mark(begin, target(1).end(), None);
        assert_eq!(ports(&dead, begin), [2, 3, 1]);
        assert_eq!(ports(&dead, begin + DEAD_FOR), [1, 2, 3], "forgotten");
        dead.mark(begin, target(2).end(), Some(Duration::from_mins(2)));
        assert_eq!(ports(&dead, begin + DEAD_FOR), [1, 3, 2], "as long as Retry-After says");
        dead.revive(target(2).end());
        assert_eq!(ports(&dead, begin), [2, 3, 1]);
    }
}
