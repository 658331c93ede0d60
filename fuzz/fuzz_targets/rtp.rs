//! RTP and its way in. No bytes may make it panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    use voxgw::{
        clock::Instant,
        media::{
            codec::CODECS,
            inbound::{Inbound, Settings},
        },
        unit::{PayloadType, Ptime, SampleRate},
    };
    let settings = Settings {
        codecs: CODECS.iter().map(|codec| (codec.payload_type, codec)).collect(),
        events: vec![(PayloadType(101), SampleRate::HZ_8000)],
        wanted: SampleRate::HZ_16000,
        described: None,
        expected: true,
    };
    let mut inbound = Inbound::new(Instant::ZERO, settings, Ptime::MS_20);
    let mut samples = Vec::new();
    for (n, packet) in data.chunks(64).enumerate() {
        let now = Instant::from_millis(20 * n as u64);
        inbound.handle_rtp(now, ([192, 0, 2, 1], 4000).into(), packet);
        inbound.handle_timeout(now);
        while inbound.poll(&mut samples).is_some() {}
    }
});
