//! `SIPp` calls the echo: the sound must reach the recording and come back, for both laws and three ways to send.

use crate::{
    audio::{self, Law, assert_heard, voice},
    capture::{self, Capture, Packet},
    gateway::{Call, Gateway},
    process::kit,
    sipp::Sipp,
};
use std::fs;

/// How long the synthetic voice speaks.
const SPEECH_SECONDS: u32 = 5;
/// Echo that comes later than this is not at once.
const ROUND_TRIP_MS: f64 = 500.0;

/// A finished call to the echo. The gateway's folder lives as long as this.
struct Echoed {
    packets: Vec<Packet>,
    media: u16,
    call: Call,
    _gateway: Gateway,
}

/// One call to the echo that is captured; gives what came back and the call's record.
fn call_the_echo(make: impl FnOnce(&Gateway) -> Sipp) -> Echoed {
    let mut gateway = Gateway::start("echo:live");
    let sipp = make(&gateway);
    let capture = Capture::of_port(sipp.media);
    let ended = sipp.run();
    let packets = capture.finish();
    let call = gateway.only_call();
    gateway.stop();
    Echoed { packets, media: ended.media, call, _gateway: gateway }
}

/// Judges such a call against what was said.
fn assert_echoed(said: &[f32], law: Law, Echoed { packets, media, call, .. }: &Echoed) {
    call.assert_ended_well(law.name());
    let (caller, agent) = call.voices();
    assert_heard("caller in call.wav", said, &caller);
    assert_heard("agent in call.wav", said, &agent);
    let (sent, returned): (Vec<Packet>, Vec<Packet>) =
        packets.iter().cloned().partition(|packet| packet.source == *media);
    capture::assert_one_stream("RTP to sipp", &returned, law);
    let found = assert_heard("sound at sipp", said, &capture::sound_of(&returned, law));
    let [Some(first_sent), Some(first_returned)] = [sent.first(), returned.first()] else {
        panic!("nothing was sent or nothing came back");
    };
    let round_trip = (first_returned.time - first_sent.time) * 1_000.0 + found.delay_ms;
    eprintln!("round trip {round_trip:.0} ms");
    assert!((0.0..ROUND_TRIP_MS).contains(&round_trip), "the echo takes {round_trip:.0} ms");
}

/// A capture of our own, played by `SIPp`; its numbers and timestamps wrap around on the way.
fn own_capture(law: Law) {
    let said = voice(SPEECH_SECONDS, 1);
    let outcome = call_the_echo(|gateway| {
        let sipp = Sipp::caller("uac_pcap", &gateway.target())
            .key("law", law.name())
            .key("type", &law.payload_type().to_string())
            .key("ptime", "20")
            .talking_for(SPEECH_SECONDS + 2);
        capture::write_rtp(&sipp.folder().join("audio.pcap"), &law.encode(&said), law);
        sipp
    });
    assert_echoed(&said, law, &outcome);
}

/// `SIPp`'s own RTP sender.
fn own_stream(law: Law, scenario: &str) {
    let said = voice(SPEECH_SECONDS, 2);
    let outcome = call_the_echo(|gateway| {
        let sipp = Sipp::caller(scenario, &gateway.target()).talking_for(SPEECH_SECONDS + 2);
        fs::write(sipp.folder().join("audio.raw"), law.encode(&said)).expect("the payload can be written");
        sipp
    });
    assert_echoed(&said, law, &outcome);
}

#[test]
#[ignore = "needs sipp, dumpcap, root"]
fn a_played_capture_in_pcmu_is_recorded_and_comes_back() {
    own_capture(Law::Mu);
}

#[test]
#[ignore = "needs sipp, dumpcap, root"]
fn a_played_capture_in_pcma_is_recorded_and_comes_back() {
    own_capture(Law::A);
}

#[test]
#[ignore = "needs sipp, dumpcap, root"]
fn a_pcmu_stream_of_sipp_is_recorded_and_comes_back() {
    own_stream(Law::Mu, "uac_stream_pcmu");
}

#[test]
#[ignore = "needs sipp, dumpcap, root"]
fn a_pcma_stream_of_sipp_is_recorded_and_comes_back() {
    own_stream(Law::A, "uac_stream_pcma");
}

#[test]
#[ignore = "needs sipp, dumpcap, root, and the kit"]
fn speech_in_packets_of_thirty_milliseconds_is_recorded_and_comes_back() {
    let Some(recording) = kit("pcap/sipp/g711a.pcap") else { return };
    let said = capture::sound_of(&capture::read_rtp(&recording), Law::A);
    assert!(audio::level(&said) > 0.005, "the kit's capture is speech");
    let Echoed { packets, media, call, _gateway } = call_the_echo(|gateway| {
        let sipp = Sipp::caller("uac_pcap", &gateway.target())
            .key("law", "PCMA")
            .key("type", "8")
            .key("ptime", "30")
            .talking_for(9);
        fs::copy(&recording, sipp.folder().join("audio.pcap")).expect("the capture can be copied");
        sipp
    });
    call.assert_ended_well("PCMA");
    assert_heard("caller in call.wav", &said, &call.voices().0);
    let returned: Vec<Packet> = packets.into_iter().filter(|packet| packet.destination == media).collect();
    assert_heard("sound at sipp", &said, &capture::sound_of(&returned, Law::A));
}

#[test]
#[ignore = "needs sipp, dumpcap, root"]
fn the_scripted_agent_speaks_first_and_is_heard() {
    let mut gateway = Gateway::start("scripted");
    let sipp = Sipp::caller("uac_call", &gateway.target()).talking_for(6);
    let capture = Capture::of_port(sipp.media);
    let ended = sipp.run();
    let packets = capture.finish();
    let call = gateway.only_call();
    gateway.stop();
    let law = if packets.iter().any(|packet| packet.payload_type == 8) { Law::A } else { Law::Mu };
    let returned: Vec<Packet> = packets.into_iter().filter(|packet| packet.destination == ended.media).collect();
    capture::assert_one_stream("RTP to sipp", &returned, law);
    let heard = capture::sound_of(&returned, law);
    let speech = audio::sounding(&heard, 0.01);
    assert!(speech.len() > 4_000, "the greeting lasts {} samples", speech.len());
    let agent = call.voices().1;
    assert!(audio::level(audio::sounding(&agent, 0.01)) > 0.01, "the greeting is in call.wav");
    if speech.len() > 8_000 {
        assert_heard("the greeting in call.wav", speech, &agent);
    }
}
