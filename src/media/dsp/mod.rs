//! Signal processing on 16-bit mono samples: rates, levels, speech, tones, concealment.

pub mod beep;
pub mod level;
pub mod noise;
pub mod plc;
pub mod resample;
pub mod tone;
pub mod vad;
