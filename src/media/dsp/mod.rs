//! Signal processing on 16-bit mono samples: rates, levels, speech, tones, concealment.

pub mod beep;
pub mod digits;
pub mod echo;
pub mod level;
pub mod mix;
pub mod neural;
pub mod noise;
pub mod plc;
pub mod resample;
pub mod stretch;
pub mod tone;
pub mod vad;
