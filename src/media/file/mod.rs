//! Sound and captures as bytes: WAV, pcap and pcapng. Reading and writing files is the shells' business.

pub mod pcap;
pub mod wav;
