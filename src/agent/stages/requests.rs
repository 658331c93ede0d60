//! The bodies of requests to the ear and the voice: a form with a WAV (RFC 7578), and JSON; for programs sound and text
//! as they are.
//!
//! Called by [`super::talk`]. The model's question is [`super::history`]'s.

use super::{Ask, STT_MODEL, Settings, Shape, Stage, TTS_MODEL, VOICE, speech::Format};
use crate::{media::file::wav, unit::SampleRate};
use serde_json::{Map, Value, json};

/// `POST /audio/transcriptions` for these samples, or the samples themselves for a program or a stream.
#[must_use]
pub fn transcription(id: u32, settings: &Settings, rate: SampleRate, samples: &[i16]) -> Ask {
    let shape = settings.shapes[Stage::Stt as usize];
    let mut sound = match shape {
        Shape::Http | Shape::ProgramOfWav => wav::header(rate, 1, samples.len() as u64 * 2).to_vec(),
        Shape::Program | Shape::Deepgram | Shape::ElevenLabs => Vec::with_capacity(samples.len() * 2),
    };
    sound.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    if shape != Shape::Http {
        return Ask { id, stage: Stage::Stt, content_type: String::new(), body: sound.into() };
    }
    let boundary = boundary(&sound);
    let mut body = Vec::with_capacity(sound.len() + 1_024);
    let mut part = |head: &str, content: &[u8]| {
        body.extend_from_slice(format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    };
    part("name=\"model\"", settings.stt_model.as_deref().unwrap_or(STT_MODEL).as_bytes());
    part("name=\"response_format\"", b"json");
    if let Some(language) = &settings.told.language {
        // ISO 639: the region of en-US says nothing about words.
        part("name=\"language\"", language.split('-').next().unwrap_or_default().as_bytes());
    }
    part("name=\"file\"; filename=\"caller.wav\"\r\nContent-Type: audio/wav", &sound);
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let content_type = format!("multipart/form-data; boundary={boundary}");
    Ask { id, stage: Stage::Stt, content_type, body: body.into() }
}

/// One that the sound does not hold.
fn boundary(sound: &[u8]) -> String {
    let mut number = 0_u32;
    loop {
        let boundary = format!("voxgw-{number:08x}");
        if !sound.windows(boundary.len()).any(|part| part == boundary.as_bytes()) {
            return boundary;
        }
        number += 1;
    }
}

/// `POST /audio/speech` for this sentence, or the sentence itself, as a line, for a program or a stream.
#[must_use]
pub fn speech(id: u32, settings: &Settings, sentence: &str) -> Ask {
    if settings.shapes[Stage::Tts as usize] != Shape::Http {
        // A line is what programs read: nothing within it may end it.
        let mut line: String = sentence.split(char::is_control).collect::<Vec<_>>().join(" ");
        line.push('\n');
        return Ask { id, stage: Stage::Tts, content_type: String::new(), body: line.into_bytes().into() };
    }
    let mut body = Map::new();
    body.insert("model".into(), json!(settings.tts_model.as_deref().unwrap_or(TTS_MODEL)));
    body.insert("voice".into(), json!(settings.told.voice.as_deref().unwrap_or(VOICE)));
    body.insert("input".into(), json!(sentence));
    let format = if settings.format == Format::Wav { "wav" } else { "pcm" };
    body.insert("response_format".into(), json!(format));
    if let Some(speed) = settings.told.speed {
        body.insert("speed".into(), json!(speed));
    }
    let body = Value::Object(body).to_string().into_bytes();
    Ask { id, stage: Stage::Tts, content_type: "application/json".to_owned(), body: body.into() }
}

/// What the ear has written down: JSON with a `text`, or, from a program, also text as it is.
///
/// # Errors
/// In words: it is not what was asked for.
pub fn words(shape: Shape, body: &[u8]) -> Result<String, String> {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    if shape.is_program() && body.trim_ascii_start().first() != Some(&b'{') {
        return Ok(one_line(&String::from_utf8_lossy(body)));
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => match value["text"].as_str() {
            Some(text) => Ok(one_line(text)),
            None => Err("the transcription has no text".to_owned()),
        },
        Err(problem) => Err(format!("the transcription is not JSON: {problem}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_holds_a_whole_wav() {
        let told = crate::agent::wire::Settings { language: Some("de-AT".into()), ..Default::default() };
        let settings = Settings { told: told.into(), ..Settings::default() };
        let ask = transcription(7, &settings, SampleRate::HZ_16000, &[1, -2, 3]);
        let boundary = ask.content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let file = ask.body.windows(4).position(|part| part == b"RIFF").unwrap();
        let sound = wav::read(&ask.body[file..file + 50]).unwrap();
        assert_eq!((sound.rate, &sound.channels[0][..]), (SampleRate::HZ_16000, &[1, -2, 3][..]));
        let text = String::from_utf8_lossy(&ask.body);
        assert!(text.starts_with(&format!("--{boundary}\r\n")) && text.ends_with(&format!("\r\n--{boundary}--\r\n")));
        assert!(text.contains("name=\"language\"\r\n\r\nde\r\n"), "{text}");
        assert_ne!(super::boundary(b"xxvoxgw-00000000"), "voxgw-00000000");
    }

    #[test]
    fn what_is_no_transcription_is_said() {
        let words = |shape, body: &[u8]| words(shape, body);
        assert_eq!(words(Shape::Http, br#"{"text":"  I said\n so. "}"#), Ok("I said so.".into()));
        assert!(words(Shape::Http, b"{}").unwrap_err().contains("no text"));
        assert!(words(Shape::Http, b"<html>").unwrap_err().contains("not JSON"));
        assert_eq!(words(Shape::Program, b" I said\n so.\n"), Ok("I said so.".into()));
        assert_eq!(words(Shape::Program, b"{\"text\" : \"so\"}\n"), Ok("so".into()), "as vosk writes it");
        assert_eq!(words(Shape::ProgramOfWav, b"\n"), Ok(String::new()), "nothing was said");
    }

    #[test]
    fn programs_get_sound_and_sentences_as_they_are() {
        let of = |shape| Settings { shapes: [shape; 3], ..Settings::default() };
        let ask = transcription(1, &of(Shape::Program), SampleRate::HZ_16000, &[1, -2]);
        assert_eq!((&ask.body[..], ask.content_type.as_str()), (&[1, 0, 0xfe, 0xff][..], ""));
        let ask = transcription(1, &of(Shape::ProgramOfWav), SampleRate::HZ_8000, &[1, -2]);
        assert_eq!(wav::read(&ask.body).unwrap().channels[0], [1, -2]);
        let ask = speech(1, &of(Shape::Program), "-v is\na word.\u{1b}");
        assert_eq!(&ask.body[..], b"-v is a word. \n", "one line, whatever the model wrote");
    }
}
