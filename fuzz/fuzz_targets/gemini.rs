//! A frame of any provider. No bytes may make its wire panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for provider in voxgw::agent::wire::PROVIDERS {
        let mut wire = voxgw::agent::wire::listening(provider.name).expect("every provider has a wire");
        wire.receive(data, &mut std::collections::VecDeque::new());
        wire.due(&mut Vec::new());
    }
});
