//! Text to speech as ElevenLabs streams it (`/v1/text-to-speech/{voice}/stream-input`): one connection for a sentence.
//!
//! Owns the address, the messages and how answers are read. Up: first `{"text":" "}` with the voice's settings, then the
//! sentence, which ends with a space, with `flush`, then `{"text":""}`, the end. Down: `{"audio":BASE64}`, alignments that
//! nobody wants here, at last `{"isFinal":true}`; or an `error`. Shapes of the vendor's SDK and reference. Driven by
//! `gateway::session`.

use super::{Problem, Settings, speech::Format};
use crate::network::url::escaped;
use base64::Engine as _;
use serde_json::{Value, json};

/// Speaks, if the profile names no model.
pub const MODEL: &str = "eleven_flash_v2_5";
/// Where the vendor is.
pub const ENDPOINT: &str = "https://api.elevenlabs.io/v1";

/// Path and query behind the base URL; the profile has a voice.
#[must_use]
pub fn path(settings: &Settings) -> String {
    let told = &settings.told;
    let rate = match settings.format {
        Format::Pcm(rate) => rate.0,
        // A stream of samples is what there is; 24 kHz is its usual.
        Format::Wav => 24_000,
    };
    let mut path = format!(
        "/text-to-speech/{}/stream-input?model_id={}&output_format=pcm_{rate}&auto_mode=true",
        escaped(told.voice.as_deref().unwrap_or_default()),
        escaped(settings.tts_model.as_deref().unwrap_or(MODEL)),
    );
    if let Some(language) = &told.language {
        // ISO 639: the region of en-US says nothing here.
        path.push_str("&language_code=");
        path.push_str(&escaped(language.split('-').next().unwrap_or_default()));
    }
    path
}

/// What is sent before any sentence is known.
#[must_use]
pub fn hello(settings: &Settings) -> String {
    match settings.told.speed {
        Some(speed) => json!({"text": " ", "voice_settings": {"speed": speed}}).to_string(),
        None => json!({"text": " "}).to_string(),
    }
}

/// A sentence and its end.
#[must_use]
pub fn sentence(text: &str) -> [String; 2] {
    [json!({"text": format!("{} ", text.trim()), "flush": true}).to_string(), json!({"text": ""}).to_string()]
}

/// What a message means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// More samples, 16-bit little-endian; perhaps none.
    Sound(Vec<u8>),
    /// All of it is here.
    End,
}

/// Reads a message.
///
/// # Errors
/// The service reports one, or the message is not what it should be.
pub fn receive(text: &str) -> Result<Said, Problem> {
    let odd = |problem: String| Problem { text: format!("a message could not be read: {problem}"), passing: true };
    let message: Value = serde_json::from_str(text).map_err(|problem| odd(problem.to_string()))?;
    if let Some(error) = message.get("error").filter(|error| !error.is_null()) {
        let words = message["message"].as_str().or(error.as_str()).unwrap_or("an error without words");
        return Err(Problem { text: format!("the service reports: {words}"), passing: true });
    }
    if let Some(audio) = message["audio"].as_str() {
        let bytes = base64::engine::general_purpose::STANDARD.decode(audio);
        return bytes.map(Said::Sound).map_err(|problem| odd(format!("base64: {problem}")));
    }
    // `is_final` in some of its SDKs.
    if message["isFinal"] == true || message["is_final"] == true {
        return Ok(Said::End);
    }
    Ok(Said::Sound(Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::SampleRate;

    #[test]
    fn a_sentence_goes_out_whole_and_samples_come_back() {
        assert_eq!(sentence(" Hello. "), [r#"{"flush":true,"text":"Hello. "}"#, r#"{"text":""}"#]);
        assert_eq!(receive(r#"{"audio":"AQID","isFinal":null,"alignment":null}"#), Ok(Said::Sound(vec![1, 2, 3])));
        assert_eq!(receive(r#"{"audio":null,"isFinal":true}"#), Ok(Said::End));
        assert_eq!(receive(r#"{"normalizedAlignment":{}}"#), Ok(Said::Sound(vec![])));
        let error = receive(r#"{"message":"voice not found","error":"voice_not_found","code":1008}"#).unwrap_err();
        assert!(error.text.contains("voice not found"), "{error:?}");
        for odd in ["", "[", "{\"audio\":\"*\"}"] {
            assert!(receive(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn the_address_holds_voice_model_and_format() {
        let told = crate::agent::wire::Settings {
            voice: Some("a/b".into()),
            language: Some("en-US".into()),
            speed: Some(1.1),
            ..Default::default()
        };
        let format = Format::Pcm(SampleRate::HZ_16000);
        let settings = Settings { told: told.into(), format, ..Settings::default() };
        let expected = "/text-to-speech/a%2Fb/stream-input?model_id=eleven_flash_v2_5&output_format=pcm_16000\
            &auto_mode=true&language_code=en";
        assert_eq!(path(&settings), expected);
        assert_eq!(hello(&settings), r#"{"text":" ","voice_settings":{"speed":1.1}}"#);
    }
}
