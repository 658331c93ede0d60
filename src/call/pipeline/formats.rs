//! The codec table in the words of descriptions: where `media` and `sip::sdp` meet.

use crate::{
    media::codec::Codec,
    sip::sdp::negotiate::Format,
    unit::{PayloadType, SampleRate},
};

/// `codecs` for a description of ours, in that order; sound is wanted at `wanted`. `known` are numbers that this
/// session has given already: a number keeps its meaning as long as the session lasts (RFC 3264 §8.3.2).
#[must_use]
pub fn of(codecs: &[&Codec], wanted: SampleRate, known: &[(PayloadType, String)]) -> Vec<Format> {
    let mut taken: Vec<PayloadType> = known.iter().map(|(number, _)| *number).collect();
    let formats = codecs.iter().map(|codec| {
        let number = match known.iter().find(|(_, name)| name == codec.name) {
            Some((number, _)) => *number,
            None if taken.contains(&codec.payload_type) => {
                let free = (96..=127).map(PayloadType).find(|number| !taken.contains(number));
                free.unwrap_or(codec.payload_type)
            }
            None => codec.payload_type,
        };
        taken.push(number);
        Format {
            name: codec.name,
            rtpmap: codec.rtpmap(),
            clock: codec.clock.0,
            payload_type: number,
            fmtp: (codec.fmtp)(codec.rate_for(wanted)),
            lengths_ms: codec.lengths_ms,
        }
    });
    formats.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::CODECS;

    #[test]
    fn numbers_stay_what_they_were() {
        let all: Vec<&Codec> = CODECS.iter().collect();
        let fresh = of(&all, SampleRate::HZ_16000, &[]);
        assert!(fresh.iter().zip(CODECS).all(|(format, codec)| format.payload_type == codec.payload_type));
        let known = [(PayloadType(96), "opus".to_owned()), (PayloadType(116), "l16-8k".to_owned())];
        let again = of(&all, SampleRate::HZ_16000, &known);
        let number = |name: &str| again.iter().find(|format| format.name == name).map(|format| format.payload_type.0);
        assert_eq!((number("opus"), number("l16-8k")), (Some(96), Some(116)));
        assert_eq!(number("l16"), Some(97), "116 means something else here");
        assert!(fresh.iter().any(|format| format.fmtp.contains("maxplaybackrate=16000")));
    }
}
