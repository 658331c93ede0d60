//! Conditions one by one, whole decisions, and any strings at all.

use super::*;
use crate::clock::WallTime;
use jiff::tz::{Offset, TimeZone};

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn at(text: &str) -> Moment {
    Moment::of(text.parse().unwrap())
}

fn agent(name: &str) -> Rule {
    Rule::new(name, Target::Agent("echo".into()))
}

fn call(to: &str, from: &str) -> Facts {
    Facts { to: to.into(), from: from.into(), ..Facts::default() }
}

#[test]
fn patterns_match_what_they_say() {
    for (pattern, yes, no) in [
        ("100", &["100"][..], &["1000", "10", ""][..]),
        ("+49*", &["+49", "+4930123"], &["0049", "+4"]),
        ("*00", &["00", "12300"], &["001", ""]),
        ("*55*", &["55", "15551"], &["5"]),
        ("*", &["", "anything"], &[]),
        (r"/^(10|20)\d$/", &["105", "209"], &["305", "1050"]),
        ("/(?i)bob/", &["Bob", "xBOBx"], &["rob"]),
        ("a.c", &["a.c"], &["abc"]),
    ] {
        let parsed: Pattern = pattern.parse().unwrap();
        assert!(yes.iter().all(|value| parsed.matches(value)), "{pattern}");
        assert!(!no.iter().any(|value| parsed.matches(value)), "{pattern}");
        assert_eq!(parsed.to_string(), pattern);
    }
    for wrong in ["", "1*2", "/open", "/(/", "/a{9999}{9999}/"] {
        assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
    }
}

#[test]
fn networks_hold_their_addresses() {
    for (network, ip, holds) in [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("10.0.0.0/8", "10.200.0.1", true),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("0.0.0.0/0", "203.0.113.9", true),
        ("::/0", "2001:db8::1", true),
        ("2001:db8::/32", "2001:db8:1::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
        ("10.0.0.0/8", "::ffff:10.1.1.1", true),
        ("0.0.0.0/0", "2001:db8::1", false),
    ] {
        let parsed: Network = network.parse().unwrap();
        assert_eq!(parsed.contains(ip.parse().unwrap()), holds, "{network} {ip}");
        assert_eq!(parsed.to_string(), network);
    }
    for wrong in ["", "10.0.0.0/33", "::/129", "host.example", "10.0.0.0/x", "/8"] {
        assert!(wrong.parse::<Network>().is_err(), "{wrong}");
    }
}

#[test]
fn hours_know_weekdays_and_midnight() {
    // 2026-11-20 is a Friday.
    for (hours, moment, holds) in [
        ("Mon-Fri 08:00-18:00", "2026-11-20T08:00", true),
        ("Mon-Fri 08:00-18:00", "2026-11-20T17:59", true),
        ("Mon-Fri 08:00-18:00", "2026-11-20T18:00", false),
        ("Mon-Fri 08:00-18:00", "2026-11-21T09:00", false),
        ("Fri 22:00-06:00", "2026-11-20T23:00", true),
        ("Fri 22:00-06:00", "2026-11-21T05:59", true),
        ("Fri 22:00-06:00", "2026-11-21T06:00", false),
        ("Fri 22:00-06:00", "2026-11-20T05:00", false),
        ("Sun 22:00-06:00", "2026-11-23T05:00", true),
        ("22:00-00:00", "2026-11-20T23:59", true),
        ("Fri-Mon", "2026-11-22T12:00", true),
        ("Fri-Mon", "2026-11-24T12:00", false),
        ("tue,sat 8:00-24:00", "2026-11-21T23:59", true),
    ] {
        assert_eq!(hours.parse::<Hours>().unwrap().contains(at(moment)), holds, "{hours} {moment}");
    }
    for wrong in
        ["", "Mo-Fr", "08:00", "08:00-08:00", "08:00-25:00", "24:00-06:00", "8-18", "08:00-18:00 Mon", "Mon Tue"]
    {
        assert!(wrong.parse::<Hours>().is_err(), "{wrong}");
    }
}

#[test]
fn the_clock_of_the_zone_counts() {
    let wall = WallTime(1_795_219_200_000_000); // 2026-11-21T00:00:00Z, a Saturday
    assert_eq!(Moment::in_zone(wall, &TimeZone::UTC).to_string(), "Sat 00:00");
    assert_eq!(Moment::in_zone(wall, &TimeZone::fixed(Offset::constant(-5))).to_string(), "Fri 19:00");
    let _ = Moment::in_zone(WallTime(u64::MAX), &TimeZone::UTC);
}

#[test]
fn the_first_rule_that_matches_wins_and_the_others_say_why_not() {
    let rules = [
        Rule { to: patterns(&["1*"]), time: vec!["Sat".parse().unwrap()], ..agent("weekend") },
        Rule { to: patterns(&["2*", "3*"]), from: patterns(&["anonymous"]), ..agent("hidden") },
        Rule { to: patterns(&["2*", "3*"]), ..agent("numbers") },
        agent("rest"),
    ];
    let monday = Facts { at: at("2026-11-23T10:00"), ..call("300", "alice") };
    let decision = decide(&rules, &monday);
    assert_eq!(decision.rule.unwrap().name, "numbers");
    let told: Vec<Vec<String>> =
        decision.misses.iter().map(|miss| miss.verdict.failed.iter().map(Failure::to_string).collect()).collect();
    assert_eq!(told[0], ["to = 1*: was 300", "time = Sat: was Mon 10:00"]);
    assert_eq!(told[1], ["from = anonymous: was alice"]);
    assert_eq!(decision.misses[1].verdict.held, ["to"]);
    assert_eq!(decision.nearest().unwrap().rule.name, "hidden");
    assert_eq!(decide(&rules, &call("9", "alice")).rule.unwrap().name, "rest");
    let none = decide(&rules[..2], &call("9", "alice"));
    assert!(none.rule.is_none() && none.nearest().unwrap().rule.name == "weekend");
    assert!(decide(&[], &call("9", "alice")).nearest().is_none());
}

#[test]
fn every_condition_is_looked_at() {
    let header = |text: &str| text.parse::<HeaderIs>().unwrap();
    let facts = Facts {
        source: Some("192.0.2.7".parse().unwrap()),
        trunk: Some("carrier".into()),
        headers: vec![("X-Tenant".into(), "acme".into()), ("x-tenant".into(), "shop".into())],
        registered: Some("alice".into()),
        ..call("100", "200")
    };
    let cases: Vec<(Rule, bool, &str)> = vec![
        (Rule { trunk: patterns(&["carrier"]), ..agent("r") }, true, ""),
        (Rule { trunk: patterns(&["other"]), ..agent("r") }, false, "trunk = other: was carrier"),
        (Rule { source: vec!["192.0.2.0/24".parse().unwrap()], ..agent("r") }, true, ""),
        (
            Rule { source: vec!["10.0.0.0/8".parse().unwrap()], ..agent("r") },
            false,
            "source = 10.0.0.0/8: was 192.0.2.7",
        ),
        (Rule { headers: vec![header("x-TENANT: shop")], ..agent("r") }, true, ""),
        (
            Rule { headers: vec![header("X-Tenant: *"), header("X-Other: *")], ..agent("r") },
            false,
            "header = X-Other: *: was none",
        ),
        (Rule { headers: vec![header("X-Tenant: b*")], ..agent("r") }, false, "header = X-Tenant: b*: was acme, shop"),
        (Rule { registered: Some(Registered::Is(true)), ..agent("r") }, true, ""),
        (Rule { registered: Some(Registered::Is(false)), ..agent("r") }, false, "registered = false: was alice"),
        (Rule { registered: Some(Registered::As(patterns(&["al*"]))), ..agent("r") }, true, ""),
        (
            Rule { registered: Some(Registered::As(patterns(&["bob"]))), ..agent("r") },
            false,
            "registered = bob: was alice",
        ),
    ];
    for (rule, holds, told) in cases {
        let verdict = judge(&rule, &facts);
        let failed: Vec<String> = verdict.failed.iter().map(Failure::to_string).collect();
        assert_eq!((verdict.failed.is_empty(), failed.join(";").as_str()), (holds, told));
        assert!(!rule.catches_all());
    }
    let nothing = call("100", "200");
    for rule in [
        Rule { trunk: patterns(&["*"]), ..agent("r") },
        Rule { source: vec!["0.0.0.0/0".parse().unwrap()], ..agent("r") },
        Rule { registered: Some(Registered::Is(true)), ..agent("r") },
    ] {
        assert!(judge(&rule, &nothing).failed[0].seen == "none", "{rule:?}");
    }
    assert!(agent("r").catches_all() && Rule { to: patterns(&["*"]), ..agent("r") }.catches_all());
}

#[test]
fn numbers_are_rewritten() {
    for (strip, prefix, number, wanted) in [
        (0, "", "100", "100"),
        (2, "+49", "0030123", "+4930123"),
        (1, "", "9", ""),
        (5, "x", "12", "x"),
        (1, "", "ü1", "1"),
    ] {
        assert_eq!(Rewrite { strip, prefix: prefix.into() }.of(number), wanted);
    }
    let rule = Rule { rewrite_to: Rewrite { strip: 1, prefix: "+".into() }, ..agent("r") };
    let rules = [rule];
    let decision = decide(&rules, &call("049", "7"));
    assert_eq!((decision.to.as_str(), decision.from.as_str()), ("+49", "7"));
}

#[test]
fn targets_are_told_in_words() {
    let refuse = |reason: Option<&str>| Target::Refuse { status: 403, reason: reason.map(str::to_owned) };
    assert_eq!(refuse(None).to_string(), "refuse 403");
    assert_eq!(refuse(Some("closed")).to_string(), "refuse 403 (closed)");
}

mod any_strings {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn never_panic(texts in prop::collection::vec("\\PC*|[/*0-9+a-c()\\[\\]{},:. -]{0,12}", 12), strip in 0_usize..9) {
            let parse = |text: &String| text.parse::<Pattern>().into_iter().collect::<Vec<_>>();
            let rule = Rule {
                to: parse(&texts[0]),
                from: parse(&texts[1]),
                trunk: parse(&texts[2]),
                source: texts[3].parse().into_iter().collect(),
                headers: texts[4].parse().into_iter().collect(),
                time: texts[5].parse().into_iter().collect(),
                registered: Some(Registered::As(parse(&texts[6]))),
                rewrite_to: Rewrite { strip, prefix: texts[7].clone() },
                ..agent(&texts[8])
            };
            let facts = Facts {
                to: texts[9].clone(),
                from: texts[10].clone(),
                trunk: Some(texts[11].clone()),
                registered: Some(texts[0].clone()),
                headers: vec![(texts[1].clone(), texts[2].clone())],
                ..Facts::default()
            };
            let all = Rule { rewrite_to: Rewrite { strip, prefix: String::new() }, ..agent("all") };
            let rules = [rule, all];
            let decision = decide(&rules, &facts);
            prop_assert!(decision.rule.is_some());
            for miss in &decision.misses {
                prop_assert!(!miss.verdict.failed.is_empty());
            }
        }
    }
}
