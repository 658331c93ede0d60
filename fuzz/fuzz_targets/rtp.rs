//! RTP and its way in. No bytes may make it panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    use voxgw::{
        clock::Instant,
        media::{
            codec::CODECS,
            inbound::{Inbound, Settings},
        },
        unit::{PayloadType, Ptime},
    };
    let settings = Settings {
        codecs: vec![(PayloadType(0), &CODECS[0]), (PayloadType(8), &CODECS[1])],
        event: Some(PayloadType(101)),
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
