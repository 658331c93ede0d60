//! Which lines are taken, and what offers and answers come to under each policy.

use super::*;
use crate::{
    sip::sdp::{
        Description,
        negotiate::{self, Format, Local, Offerable},
    },
    unit::{PayloadType, Ptime},
};
use proptest::prelude::*;

const CM80: &str = "AES_CM_128_HMAC_SHA1_80";
/// 30 bytes.
const KEY30: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

fn line(tag: u32, suite: usize, byte: u8) -> Crypto {
    let (suite, length) = SUITES[suite];
    Crypto { tag, suite, key: Key::new(vec![byte; length]) }
}

fn ours(policy: Policy) -> Security {
    let lines = if policy == Policy::Off { Vec::new() } else { (0..4).map(|n| line(n + 1, n as usize, 7)).collect() };
    Security { policy, lines, exposed: false, current: None }
}

fn can(security: Security) -> Offerable {
    let pcmu = Format {
        name: "pcmu",
        rtpmap: "PCMU/8000".to_owned(),
        clock: 8_000,
        payload_type: PayloadType(0),
        fmtp: String::new(),
        lengths_ms: &[20],
    };
    Offerable { codecs: vec![pcmu], ptime: Ptime::MS_20, events: true, security }
}

fn local() -> Local {
    Local { address: "203.0.113.5:10000".parse().unwrap(), session: (7, 1), hold: false }
}

fn described(media: &str) -> Description {
    let text = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}");
    Description::parse(text.as_bytes()).unwrap()
}

/// The suite agreed on, `plain`, or the refusal.
fn answered(security: Security, media: &str) -> String {
    match negotiate::answer(&described(media), &can(security), &local()) {
        Ok((agreed, text)) => {
            let secured = agreed.secured.map_or("plain", |secured| secured.ours.suite);
            assert_eq!(text.contains("a=crypto:"), secured != "plain", "{text}");
            secured.to_owned()
        }
        Err(refused) => refused.to_string(),
    }
}

#[test]
fn lines_are_read_strictly() {
    let good = [
        format!("1 {CM80} inline:{KEY30}"),
        format!("1 {CM80} inline:{KEY30}|2^31"),
        format!("1 {CM80} inline:{KEY30}|2147483648 WSH=64"),
        format!("999999999 {CM80} INLINE:{KEY30}|2^48 -UNKNOWN=1"),
        "2 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0OD6ChoqOkpaanqKmqqw==".to_owned(),
        "2 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0OD6ChoqOkpaanqKmqqw".to_owned(),
    ];
    for value in good {
        let read = Crypto::parse(&value).unwrap_or_else(|problem| panic!("{value}: {problem}"));
        assert_eq!(read.key.reveal().len(), SUITES.iter().find(|(name, _)| *name == read.suite).unwrap().1);
    }
    let bad = [
        (String::new(), "tag"),
        (format!("x {CM80} inline:{KEY30}"), "tag"),
        (format!("1234567890 {CM80} inline:{KEY30}"), "tag"),
        (format!("-1 {CM80} inline:{KEY30}"), "tag"),
        ("1".to_owned(), "no suite"),
        ("1 F8_128_HMAC_SHA1_80 inline:x".to_owned(), "F8_128_HMAC_SHA1_80 is not known"),
        (format!("1 {CM80}"), "no key"),
        (format!("1 {CM80} {KEY30}"), "no method"),
        (format!("1 {CM80} other:{KEY30}"), "not inline"),
        (format!("1 {CM80} inline:{KEY30}|1:4"), "MKI"),
        (format!("1 {CM80} inline:{KEY30}|2^20|1:4"), "MKI"),
        (format!("1 {CM80} inline:{KEY30}|2^20|"), "MKI"),
        (format!("1 {CM80} inline:{KEY30};inline:{KEY30}"), "several keys"),
        (format!("1 {CM80} inline:{KEY30}|2^19"), "shorter"),
        (format!("1 {CM80} inline:{KEY30}|2^49"), "lifetime"),
        (format!("1 {CM80} inline:{KEY30}|2^9999999999"), "lifetime"),
        (format!("1 {CM80} inline:{KEY30}|0"), "lifetime"),
        (format!("1 {CM80} inline:{KEY30}|"), "lifetime"),
        (format!("1 {CM80} inline:{KEY30}|soon"), "lifetime"),
        (format!("1 {CM80} inline:{KEY30} KDR=1"), "KDR=1"),
        (format!("1 {CM80} inline:{KEY30} UNENCRYPTED_SRTP"), "UNENCRYPTED_SRTP"),
        (format!("1 {CM80} inline:{KEY30} UNENCRYPTED_SRTCP"), "UNENCRYPTED_SRTCP"),
        (format!("1 {CM80} inline:{KEY30} UNAUTHENTICATED_SRTP"), "UNAUTHENTICATED_SRTP"),
        (format!("1 {CM80} inline:{KEY30} WSH=32"), "WSH=32"),
        (format!("1 {CM80} inline:{KEY30}WVNf"), "33 bytes instead of 30"),
        (format!("1 {CM80} inline:{}", &KEY30[4..]), "27 bytes instead of 30"),
        (format!("1 {CM80} inline:"), "0 bytes"),
        (format!("1 {CM80} inline:{}!", &KEY30[1..]), "base64"),
        (format!("1 AEAD_AES_256_GCM inline:{KEY30}"), "30 bytes instead of 44"),
    ];
    for (value, why) in bad {
        let problem = Crypto::parse(&value).expect_err(&value);
        assert!(problem.contains(why), "{value}: {problem}");
        assert!(!problem.contains("WVNf"), "a key in a message: {problem}");
    }
}

#[test]
fn each_policy_answers_each_offer_as_it_should() {
    let key = |suite: &str| format!("a=crypto:1 {suite} inline:{KEY30}\r\n");
    let (avp, savp) = ("m=audio 4000 RTP/AVP 0\r\n", "m=audio 4000 RTP/SAVP 0\r\n");
    let (good, f8) = (key(CM80), key("F8_128_HMAC_SHA1_80"));
    #[rustfmt::skip]
    let table = [
        // what is offered             off             optional        required
        (avp.to_owned(),               ["plain",       "plain",        "there is no a=crypto"]),
        (format!("{avp}{good}"),       ["plain",       CM80,           CM80]),
        (format!("{avp}{f8}"),         ["plain",       "plain",        "is not known"]),
        (savp.to_owned(),              ["srtp is off", "no a=crypto",  "there is no a=crypto"]),
        (format!("{savp}{good}"),      ["srtp is off", CM80,           CM80]),
        (format!("{savp}{f8}"),        ["srtp is off", "is not known", "is not known"]),
        (format!("{savp}{f8}{good}"),  ["srtp is off", CM80,           CM80]),
        // The same audio twice: the encrypted one is taken, wherever it stands.
        (format!("{savp}{good}{avp}"), ["plain",       CM80,           CM80]),
        (format!("{avp}{savp}{good}"), ["plain",       CM80,           CM80]),
        (format!("{savp}{f8}{avp}"),   ["plain",       "plain",        "is not known"]),
    ];
    for (offer, outcomes) in table {
        for (policy, expected) in [Policy::Off, Policy::Optional, Policy::Required].into_iter().zip(outcomes) {
            let came = answered(ours(policy), &offer);
            assert!(came.contains(expected), "{policy:?} for {offer}: {came}");
        }
    }
}

#[test]
fn keys_do_not_travel_where_signalling_can_be_read() {
    let exposed = |policy| Security { exposed: true, ..ours(policy) };
    let with_key = |protocol: &str| format!("m=audio 4000 {protocol} 0\r\na=crypto:1 {CM80} inline:{KEY30}\r\n");
    assert_eq!(answered(exposed(Policy::Optional), &with_key("RTP/AVP")), "plain");
    for (policy, protocol) in [(Policy::Optional, "RTP/SAVP"), (Policy::Required, "RTP/AVP")] {
        let refused = answered(exposed(policy), &with_key(protocol));
        assert!(refused.contains("in the clear") && refused.contains("media.srtp_over_plain"), "{refused}");
    }
    for policy in [Policy::Optional, Policy::Required] {
        assert!(!negotiate::offer(&can(exposed(policy)), &local()).contains("inline:"));
    }
    assert!(exposed(Policy::Required).forbids_offer().is_some() && exposed(Policy::Optional).forbids_offer().is_none());
}

#[test]
fn offers_name_every_suite_in_order_and_only_one_of_them_can_be_the_answer() {
    for (policy, protocol) in [(Policy::Optional, "RTP/AVP"), (Policy::Required, "RTP/SAVP")] {
        let text = negotiate::offer(&can(ours(policy)), &local());
        assert!(text.contains(&format!("m=audio 10000 {protocol} 0 101\r\n")), "{text}");
        let offer = Description::parse(text.as_bytes()).unwrap();
        let suites: Vec<&str> = offer.media[0].crypto.iter().map(|value| Crypto::parse(value).unwrap().suite).collect();
        assert_eq!(suites, SUITES.map(|(name, _)| name));
        // Somebody who knows only the third answers with its tag and a key of its own.
        let theirs = Security { lines: vec![line(1, 2, 9)], ..ours(Policy::Optional) };
        let (agreed, answer) = negotiate::answer(&offer, &can(theirs), &local()).unwrap();
        assert_eq!(agreed.secured.as_ref().unwrap().theirs.reveal(), [7; 30]);
        let answer = Description::parse(answer.as_bytes()).unwrap();
        let agreed = negotiate::accept(&answer, &can(ours(policy)), &local()).unwrap().secured.unwrap();
        assert_eq!((agreed.ours.tag, agreed.ours.suite, agreed.theirs.reveal()), (3, CM80, &[9; 30][..]));
    }
    let accepted = |policy, media: &str| {
        let agreed = negotiate::accept(&described(media), &can(ours(policy)), &local());
        agreed.map(|agreed| agreed.secured.is_some()).map_err(|refused| refused.to_string())
    };
    assert_eq!(accepted(Policy::Optional, "m=audio 4000 RTP/AVP 0\r\n"), Ok(false));
    assert!(accepted(Policy::Required, "m=audio 4000 RTP/AVP 0\r\n").is_err());
    assert!(accepted(Policy::Optional, "m=audio 4000 RTP/SAVP 0\r\n").is_err());
    // The tag of one line with the suite of another, or a key that cannot be used.
    for wrong in [format!("1 {CM80} inline:{KEY30}"), format!("3 {CM80} inline:{KEY30}|1:1")] {
        let media = format!("m=audio 4000 RTP/AVP 0\r\na=crypto:{wrong}\r\n");
        assert!(accepted(Policy::Optional, &media).is_err(), "{wrong}");
    }
}

#[test]
fn who_keeps_the_key_gets_ours_kept_and_who_changes_it_gets_a_new_one() {
    let theirs = Crypto::parse(&format!("1 {CM80} inline:{KEY30}")).unwrap();
    let current = Some((theirs.key.clone(), line(4, 2, 1)));
    let security = Security { current, ..ours(Policy::Optional) };
    let key = |offered: &str| {
        let media = described(&format!("m=audio 4000 RTP/SAVP 0\r\na=crypto:{offered}\r\n"));
        negotiate::answer(&media, &can(security.clone()), &local()).unwrap().0.secured.unwrap().ours
    };
    assert_eq!(key(&format!("9 {CM80} inline:{KEY30}")), Crypto { tag: 9, ..line(4, 2, 1) });
    assert_eq!(key(&format!("9 {CM80} inline:A{}", &KEY30[1..])), Crypto { tag: 9, ..line(3, 2, 7) });
    let other_suite = key(&format!("9 AES_CM_128_HMAC_SHA1_32 inline:{KEY30}"));
    assert_eq!(other_suite, Crypto { tag: 9, ..line(4, 3, 7) });
}

#[test]
fn nothing_shows_a_key() {
    let shown = format!("{:?}", line(1, 0, 65));
    assert!(shown.contains("Key(…)") && !shown.contains("65"), "{shown}");
}

proptest! {
    #[test]
    fn any_line_is_read_or_refused(value in ".{0,80}") {
        let _ = Crypto::parse(&value);
    }

    #[test]
    fn whatever_follows_a_good_beginning_is_read_or_refused(rest in "[ |:;=2^0-9A-Za-z+/-]{0,60}") {
        let _ = Crypto::parse(&format!("1 {CM80} inline:{rest}"));
        let _ = Crypto::parse(&format!("1 {CM80} inline:{KEY30}{rest}"));
    }

    #[test]
    fn what_we_write_reads_back(tag in 0_u32..=999_999_999, suite in 0_usize..4, seed in any::<u8>()) {
        let made = line(tag, suite, seed);
        let mut text = String::new();
        made.write(&mut text);
        let value = text.strip_prefix("a=crypto:").and_then(|text| text.strip_suffix("\r\n")).unwrap();
        prop_assert_eq!(Crypto::parse(value), Ok(made));
    }
}
