//! Digits as tones: recordings of others are recognised, speech is no digit.

use super::sounds::{Chance, kit, recording, voice};
use voxgw::{
    clock::Instant,
    media::{
        codec::{CODECS, Wanted},
        dsp::digits::{Listener, Speaker},
        inbound::{self, Inbound, Out},
        outbound::{self, Outbound},
    },
    unit::{PayloadType, Ptime, SampleRate, Ssrc},
};

fn hear(samples: &[i16]) -> String {
    let mut listener = Listener::new(SampleRate::HZ_8000);
    let mut heard: String =
        samples.chunks(160).filter_map(|frame| listener.add(frame)).map(|heard| heard.digit).collect();
    heard.extend(listener.finish().map(|heard| heard.digit));
    heard
}

#[test]
fn recordings_of_others_are_recognised() {
    let Some(kit) = kit() else { return println!("skipped: no kit") };
    for (name, digit) in [("0", "0"), ("1", "1"), ("5", "5"), ("9", "9"), ("star", "*"), ("pound", "#")] {
        let sound = recording(&kit, &format!("pipecat_dtmf-{name}"));
        assert_eq!(hear(&sound), digit, "{name}");
    }
}

#[test]
fn a_thousand_digits_through_g711_noise_and_lost_packets_are_heard_once() {
    let mut chance = Chance(11);
    let mut speaker = Speaker::default();
    let digits: String = (0..1_000).map(|_| b"0123456789*#"[(chance.next() * 12.0) as usize] as char).collect();
    let (mut wanted, mut heard) = (digits.chars(), String::new());
    let mut listener = Listener::new(SampleRate::HZ_8000);
    let (mut samples, mut payload, mut line) = (Vec::new(), Vec::new(), Vec::new());
    let rate = SampleRate::HZ_8000;
    let (mut encoder, mut decoder) = (CODECS[0].encoder(&Wanted { rate, fmtp: "" }), CODECS[0].decoder(rate));
    let mut since_loss = 0;
    loop {
        if !speaker.is_busy() && wanted.next().is_none_or(|digit| !speaker.press(digit)) {
            break;
        }
        speaker.next(SampleRate::HZ_8000, 160, &mut samples);
        payload.clear();
        line.clear();
        encoder.encode(&samples, &mut payload);
        decoder.decode(&payload, &mut line);
        // 30 dB below the tones.
        for sample in &mut line {
            *sample = sample.saturating_add(((chance.next() - 0.5) * 1_200.0) as i16);
        }
        // Concealment hides 10 ms of a lost packet; here 6 ms of one in twenty are gone.
        since_loss += 1;
        if since_loss > 10 && chance.next() < 0.05 {
            line[..48].fill(0);
            since_loss = 0;
        }
        heard.extend(listener.add(&line).map(|heard| heard.digit));
    }
    assert_eq!(heard.len(), 1_000);
    assert_eq!(heard, digits);
}

#[test]
fn digits_pressed_without_telephone_event_are_heard_at_the_other_end() {
    let ptime = Ptime::MS_20;
    let settings = outbound::Settings {
        codec: &CODECS[0],
        rate: SampleRate::HZ_8000,
        fmtp: String::new(),
        payload_type: PayloadType(0),
        event: None,
        ptime,
        sending: true,
    };
    let mut out = Outbound::new(Instant::ZERO, settings, Ssrc(1), 9);
    assert!(!out.press('5'), "not unless tones are wanted");
    out.set_tones(true);
    assert!("19*0#".chars().all(|digit| out.press(digit)));
    let codecs = vec![(PayloadType(0), &CODECS[0])];
    let settings =
        inbound::Settings { codecs, events: Vec::new(), wanted: SampleRate::HZ_8000, described: None, expected: true };
    let mut inbound = Inbound::new(Instant::ZERO, settings, ptime);
    inbound.set_tones(true);
    let (mut datagram, mut samples, mut sent, mut heard) = (Vec::new(), Vec::new(), String::new(), String::new());
    for _ in 0..100 {
        let now = out.timeout();
        sent.extend(out.tick(now, &mut datagram).digit);
        inbound.handle_rtp(now, "192.0.2.1:4000".parse().unwrap(), &datagram);
        while let Some(what) = inbound.poll(&mut samples) {
            if let Out::Digit { digit, duration_ms } = what {
                assert!((80..=130).contains(&duration_ms), "{digit}: {duration_ms}");
                heard.push(digit);
            }
        }
    }
    assert!(out.is_drained());
    assert_eq!((sent.as_str(), heard.as_str()), ("19*0#", "19*0#"));
}

/// Speech of the kit and a voice without words, with changing gain and offset, for so many seconds.
fn false_digits(seconds: usize) -> String {
    let mut chance = Chance(5);
    let mut sounds = vec![voice(20)];
    if let Some(kit) = kit() {
        for name in [
            "allison_demo-congrats",
            "allison_demo-instruct",
            "allison_demo-echotest",
            "allison_vm-intro",
            "allison_tt-weasels",
            "allison_agent-user",
            "own_long_8k",
            "own_q1_8k",
            "own_q2_8k",
        ] {
            sounds.push(recording(&kit, name));
        }
    }
    let (mut listener, mut heard, mut samples) = (Listener::new(SampleRate::HZ_8000), String::new(), 0);
    let mut frame = Vec::new();
    while samples < seconds * 8_000 {
        let sound = &sounds[(chance.next() * sounds.len() as f64) as usize];
        // Another speed is another voice, and another place of the blocks.
        let (gain, speed) = (0.3 + chance.next() * 2.2, 0.8 + chance.next() * 0.5);
        let mut at = chance.next() * 200.0;
        while (at as usize) + 1 < sound.len() {
            frame.clear();
            while frame.len() < 160 && (at as usize) + 1 < sound.len() {
                let (n, part) = (at as usize, at.fract());
                let value = f64::from(sound[n]) * (1.0 - part) + f64::from(sound[n + 1]) * part;
                frame.push((value * gain).clamp(-32_768.0, 32_767.0) as i16);
                at += speed;
            }
            samples += frame.len();
            heard.extend(listener.add(&frame).map(|heard| heard.digit));
        }
    }
    heard
}

#[test]
fn an_hour_of_speech_holds_no_digit() {
    assert_eq!(false_digits(3_600), "");
}
