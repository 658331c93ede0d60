//! RTCP. No bytes may make it panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    use voxgw::{
        clock::{Instant, WallTime},
        media::rtp::report::Reporter,
        unit::{SampleRate, Ssrc},
    };
    let mut reporter = Reporter::new(Instant::ZERO, Ssrc(1), "x".into());
    reporter.handle(Instant::ZERO, WallTime(0), data, SampleRate::HZ_8000);
});
