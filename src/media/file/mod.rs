//! Sound and captures as bytes: WAV, Opus in Ogg, pcap and pcapng. Reading and writing files is the shells' business.

pub mod ogg;
pub mod pcap;
pub mod wav;
