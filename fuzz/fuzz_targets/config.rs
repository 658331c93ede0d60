//! A config file. No bytes may make it panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    use voxgw::config::{Config, Layers};
    let mut layers = Layers::defaults();
    if layers.add_file_text(&String::from_utf8_lossy(data), std::path::Path::new("fuzz.toml")).is_ok() {
        let _ = Config::from_layers(&layers);
    }
});
