//! WAV. No bytes may make it panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = voxgw::media::file::wav::read(data);
});
