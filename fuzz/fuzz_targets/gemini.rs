//! A frame of Gemini Live. No bytes may make it panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut events = std::collections::VecDeque::new();
    voxgw::agent::wire::gemini::Wire::listening().receive(data, &mut events);
});
