//! The codec table in the words of descriptions: where `media` and `sip::sdp` meet.

use crate::{
    media::codec::{self, CODECS, Codec},
    sip::sdp::{Description, Media, negotiate::Format},
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

/// Why narrowband is spoken (`spoken`) where it need not be, in words: the far end's description names a wideband codec
/// too, or one was spoken `before`. None if what is spoken is wideband.
#[must_use]
pub fn fallback(theirs: &Description, spoken: &str, before: Option<&str>) -> Option<String> {
    let is_wideband = |name: &str| codec::by_name(name).is_some_and(Codec::is_wideband);
    if is_wideband(spoken) {
        return None;
    }
    if let Some(before) = before.filter(|name| is_wideband(name)) {
        return Some(format!("{spoken} is spoken, it was {before} before"));
    }
    let audio = theirs.media.iter().filter(|media| media.kind == "audio" && media.port != 0);
    let wide = audio.flat_map(|media| media.formats.iter().filter_map(|number| wideband(media, number))).next()?;
    Some(format!("{spoken} is spoken, though the far end knows {} too", wide.name))
}

/// The wideband codec of ours that a format of `media` means.
fn wideband(media: &Media, number: &str) -> Option<&'static Codec> {
    let number: u8 = number.parse().ok()?;
    let is_meant = |codec: &&Codec| match media.rtpmaps.iter().find(|(known, ..)| *known == number) {
        Some((_, name, clock, _)) => codec.encoding.eq_ignore_ascii_case(name) && codec.clock.0 == *clock,
        None => codec.is_static() && codec.payload_type.0 == number,
    };
    CODECS.iter().filter(|codec| codec.is_wideband()).find(is_meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowband_that_need_not_be_is_seen() {
        let described = |media: &str| {
            let text = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}");
            Description::parse(text.as_bytes()).unwrap()
        };
        let narrow = described("m=audio 4000 RTP/AVP 0 8 97\r\na=rtpmap:97 telephone-event/8000\r\n");
        let wide = described("m=audio 4000 RTP/AVP 0 9\r\n");
        let opus = described("m=audio 4000 RTP/AVP 8 96\r\na=rtpmap:96 OPUS/48000/2\r\n");
        assert_eq!(fallback(&narrow, "pcmu", None), None);
        assert_eq!(fallback(&narrow, "pcmu", Some("pcma")), None);
        assert_eq!(fallback(&wide, "g722", None), None);
        let fallen = fallback(&wide, "pcmu", None).unwrap();
        assert_eq!(fallen, "pcmu is spoken, though the far end knows g722 too");
        assert!(fallback(&opus, "pcma", None).unwrap().contains("knows opus"));
        assert_eq!(fallback(&narrow, "pcmu", Some("opus")).unwrap(), "pcmu is spoken, it was opus before");
    }

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
