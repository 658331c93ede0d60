//! A TCP stream of SIP in pieces of any size. No bytes may make it panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    use voxgw::sip::stream::{Cut, Framer};
    let mut framer = Framer::default();
    for piece in data.chunks(7) {
        framer.push(piece);
        while let Cut::Message(_) | Cut::Ping = framer.cut() {}
    }
});
