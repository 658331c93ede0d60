//! SRTP against known packets, replays, forgeries, rollovers and any bytes.
#![expect(clippy::cast_possible_truncation, reason = "small numbers of tests")]

use super::*;
use crate::{
    media::rtp::packet::Packet,
    unit::{PayloadType, Ssrc},
};
use proptest::prelude::*;

/// RFC 3711 B.3: master key and salt.
const KEY: &str = "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|two| u8::try_from(two[0] * 16 + two[1]).unwrap()).collect()
}

fn key_of(suite: &Suite, seed: u8) -> Vec<u8> {
    (0..suite.key_bytes()).map(|n| seed.wrapping_add(u8::try_from(n * 7 % 256).unwrap())).collect()
}

fn pair(suite: &'static Suite) -> (Outbound, Inbound) {
    let key = key_of(suite, 3);
    (Outbound::new(suite, &key).unwrap(), Inbound::new(suite, &key).unwrap())
}

fn packet(sequence: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let timestamp = u32::from(sequence) * 160;
    Packet { marker: false, payload_type: PayloadType(0), sequence, timestamp, ssrc: Ssrc(ssrc), payload }
        .write(&mut bytes);
    bytes
}

fn protected(outbound: &mut Outbound, sequence: u16, ssrc: u32) -> Vec<u8> {
    outbound.protect(&packet(sequence, ssrc, &[0x55; 160])).unwrap().to_vec()
}

/// A sender report of source 5.
fn rtcp() -> Vec<u8> {
    let mut bytes = vec![0x80, 200, 0, 6, 0, 0, 0, 5];
    bytes.extend([0x11; 20]);
    bytes
}

#[test]
fn known_packets_come_out_as_other_implementations_make_them() {
    let rtp = "800f1234decafbadcafebabe abababababababababababababababab";
    let known = [
        (
            "AES_CM_128_HMAC_SHA1_80",
            KEY,
            rtp,
            "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb",
        ),
        ("AES_CM_128_HMAC_SHA1_32", KEY, rtp, "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc"),
        (
            "AES_CM_128_HMAC_SHA1_80",
            KEY,
            "81c8000bcafebabe abababababababababababababababab",
            "81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798",
        ),
        (
            "AEAD_AES_128_GCM",
            "000102030405060708090a0b0c0d0e0f a0a1a2a3a4a5a6a7a8a9aaab",
            rtp,
            "800f1234decafbadcafebabe c5002ede04cfdd2eb91159e0880aa06e d2976826f796b201df3131a127e8a392",
        ),
    ];
    for (name, key, plain, sealed) in known {
        let suite = Suite::by_name(name).unwrap();
        let bytes = Outbound::new(suite, &hex(key)).unwrap().protect(&hex(plain)).unwrap();
        assert_eq!(bytes, hex(sealed), "{name}");
        let mut inbound = Inbound::new(suite, &hex(key)).unwrap();
        assert_eq!(inbound.open(&bytes).unwrap(), hex(plain), "{name}");
    }
}

#[test]
fn a_key_of_another_length_is_refused() {
    for suite in &SUITES {
        let key = key_of(suite, 1);
        assert!(Outbound::new(suite, &key[1..]).is_none() && Inbound::new(suite, &key[1..]).is_none());
        assert!(Outbound::new(suite, &[&key[..], &[0]].concat()).is_none());
        assert!(Outbound::new(suite, &[]).is_none());
    }
}

#[test]
fn replayed_changed_and_foreign_packets_are_refused_and_counted() {
    for suite in &SUITES {
        let (mut outbound, mut inbound) = pair(suite);
        let first = protected(&mut outbound, 1, 5);
        assert!(inbound.open(&first).is_ok());
        assert_eq!(inbound.open(&first), Err(Refused::Replayed), "{}", suite.name);
        let second = protected(&mut outbound, 2, 5);
        for at in 0..second.len() {
            let mut changed = second.clone();
            changed[at] ^= 0x10;
            assert!(inbound.open(&changed).is_err(), "{}: byte {at}", suite.name);
        }
        let mut stranger = Outbound::new(suite, &key_of(suite, 99)).unwrap();
        assert_eq!(inbound.open(&protected(&mut stranger, 3, 5)), Err(Refused::Forged));
        assert_eq!(inbound.open(&packet(3, 5, &[0x55; 160])), Err(Refused::Forged), "not protected at all");
        assert!(inbound.open(&second).is_ok(), "{}: forgeries must not spoil the real one", suite.name);
        assert!(inbound.refused().0 > 100 && inbound.refused().1 >= 1);
    }
}

#[test]
fn forgeries_ahead_of_the_first_packet_do_not_shut_the_stream_out() {
    for suite in &SUITES {
        let (mut outbound, mut inbound) = pair(suite);
        let mut forged = protected(&mut outbound, 20_000, 5);
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(inbound.open(&forged), Err(Refused::Forged));
        let mut outbound = Outbound::new(suite, &key_of(suite, 3)).unwrap();
        assert!(inbound.open(&protected(&mut outbound, 7, 5)).is_ok(), "{}", suite.name);
    }
}

#[test]
fn strangers_with_many_source_numbers_cost_no_memory() {
    let (_, mut inbound) = pair(&SUITES[2]);
    for source in 0..500 {
        assert_eq!(inbound.open(&packet(1, source, &[1; 60])), Err(Refused::Forged));
    }
    assert!(inbound.sources.is_empty());
}

#[test]
fn sources_may_change_but_not_without_end_and_an_old_ones_packets_are_still_replays() {
    let (mut outbound, mut inbound) = pair(&SUITES[2]);
    let first = protected(&mut outbound, 1, 0);
    assert!(inbound.open(&first).is_ok());
    for source in 1..200 {
        let taken = inbound.open(&protected(&mut outbound, 1, source)).is_ok();
        assert_eq!(taken, (source as usize) < SOURCES_MAX, "source {source}");
    }
    assert_eq!(inbound.open(&first), Err(Refused::Replayed));
}

#[test]
fn the_rollover_counter_survives_loss_and_reordering_around_the_wrap() {
    for suite in &SUITES {
        let (mut outbound, mut inbound) = pair(suite);
        // Three rollovers. Around each wrap every packet, a seventh of them lost and neighbours swapped; between them
        // one in five hundred, because the others would only cost time.
        let mut sealed: Vec<Vec<u8>> = Vec::new();
        for n in 65_000..262_644_u32 {
            let is_near = !(500..65_036).contains(&(n % 65_536));
            if (is_near && n % 7 != 3) || n % 500 == 0 {
                sealed.push(protected(&mut outbound, (n % 65_536) as u16, 5));
            }
        }
        let sequence = |bytes: &[u8]| u16::from_be_bytes([bytes[2], bytes[3]]);
        for two in sealed.chunks_exact_mut(2) {
            if sequence(&two[1]).wrapping_sub(sequence(&two[0])) < 60 {
                two.reverse();
            }
        }
        for (n, bytes) in sealed.iter().enumerate() {
            assert!(inbound.open(bytes).is_ok(), "{}: packet {n}", suite.name);
        }
        assert!(inbound.open(&sealed[0]).is_err(), "{}: from before the wraps", suite.name);
    }
}

#[test]
fn rtcp_is_protected_and_must_be() {
    for suite in &SUITES {
        let (mut outbound, mut inbound) = pair(suite);
        let sealed = outbound.protect(&rtcp()).unwrap();
        assert_ne!(sealed[8..28], rtcp()[8..28], "{}: encrypted", suite.name);
        assert_eq!(inbound.open(&sealed).unwrap(), rtcp());
        assert_eq!(inbound.open(&sealed), Err(Refused::Replayed));
        assert_eq!(inbound.open(&rtcp()), Err(Refused::Forged), "{}: in the clear", suite.name);
        // What an attacker can make without any key: the bit that says "encrypted" is off.
        let mut bare = rtcp();
        bare.extend([0, 0, 0, 9]);
        bare.extend([0; 26]);
        for length in 28..bare.len() {
            assert_eq!(inbound.open(&bare[..length]), Err(Refused::Forged), "{}: {length} bytes", suite.name);
        }
    }
}

#[test]
fn headers_with_sources_and_extensions_stay_readable_and_whole() {
    for suite in &SUITES {
        let (mut outbound, mut inbound) = pair(suite);
        // Two contributing sources and an extension of one word with padding inside.
        let mut plain = hex("92000001 000000a0 00000005 00000006 00000007 bede0001 10550000");
        plain.extend([0x77; 40]);
        let sealed = outbound.protect(&plain).unwrap();
        assert_eq!(sealed[..28], plain[..28], "the header is not encrypted");
        assert_ne!(sealed[28..68], plain[28..68]);
        assert_eq!(inbound.open(&sealed).unwrap(), plain);
    }
}

#[test]
fn nothing_shows_a_key() {
    let (outbound, inbound) = pair(&SUITES[2]);
    assert_eq!(format!("{outbound:?} {inbound:?}"), {
        let name = SUITES[2].name;
        format!("Outbound({name}) Inbound({name}, 0 sources)")
    });
}

proptest! {
    #[test]
    fn any_bytes_are_opened_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), version in any::<bool>()) {
        let mut bytes = bytes;
        if version && !bytes.is_empty() {
            bytes[0] = 0x80 | bytes[0] & 0x3f;
        }
        for suite in &SUITES {
            let (mut outbound, mut inbound) = pair(suite);
            prop_assert!(inbound.open(&bytes).is_err());
            if let Some(sealed) = outbound.protect(&bytes) {
                prop_assert_eq!(inbound.open(&sealed).unwrap(), &bytes);
            }
        }
    }

    #[test]
    fn what_was_sealed_opens_to_the_same(
        payload in proptest::collection::vec(any::<u8>(), 0..400), sequence in any::<u16>(), ssrc in any::<u32>(),
    ) {
        for suite in &SUITES {
            let (mut outbound, mut inbound) = pair(suite);
            let plain = packet(sequence, ssrc, &payload);
            let sealed = outbound.protect(&plain).unwrap();
            prop_assert_eq!(inbound.open(&sealed).unwrap(), &plain);
            prop_assert_eq!(inbound.open(&sealed), Err(Refused::Replayed));
        }
    }
}
