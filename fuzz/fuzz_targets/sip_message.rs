//! A SIP message: what is read is written and read again. No bytes may make it panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    use voxgw::sip::message::Message;
    if let Ok(message) = Message::parse(data) {
        let _ = Message::parse(&message.to_bytes());
    }
});
