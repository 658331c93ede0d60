//! Speech to text as Deepgram streams it (`/v1/listen`): sound goes up while the caller speaks, so that little is left to do
//! when the caller is done.
//!
//! Owns the address and the messages of one utterance. Up: binary 16-bit little-endian mono; text `Finalize` when the
//! caller pauses, `KeepAlive` in a long pause, `CloseStream`. Down: `Results` (words count when `is_final`; the answer to
//! `Finalize` has `from_finalize`, which the vendor does not promise when little sound was left), `Metadata`,
//! `SpeechStarted`, `UtteranceEnd`, `Error`. Shapes of developers.deepgram.com (listen-streaming, finalize, close-stream,
//! audio-keep-alive). Driven by `gateway::session`.

use super::{Problem, Settings};
use crate::{network::url::escaped, unit::SampleRate};
use serde::Deserialize;
use std::time::Duration;

/// Writes down what the caller says, if the profile names no model.
pub const MODEL: &str = "nova-3";
/// Where the vendor is.
pub const ENDPOINT: &str = "https://api.deepgram.com/v1";
/// Behind the base URL.
pub const PATH: &str = "/listen";
/// After `Finalize` the words are whole at the latest then, whatever was said of it.
pub const WHOLE_WITHIN: Duration = Duration::from_millis(1_500);
/// The service closes after ten seconds without sound.
pub const KEEP_ALIVE: Duration = Duration::from_secs(4);
/// Text messages of ours.
pub const FINALIZE: &str = r#"{"type":"Finalize"}"#;
/// See [`KEEP_ALIVE`].
pub const KEEP_ALIVE_TEXT: &str = r#"{"type":"KeepAlive"}"#;
/// The last one.
pub const CLOSE: &str = r#"{"type":"CloseStream"}"#;
/// Words of one utterance.
const WORDS_MAX: usize = 64 << 10;

/// Names and values of the query.
#[must_use]
pub fn query(settings: &Settings, rate: SampleRate) -> String {
    let model = settings.stt_model.as_deref().unwrap_or(MODEL);
    let mut query = format!(
        "model={}&encoding=linear16&sample_rate={}&channels=1&punctuate=true&smart_format=true&interim_results=false",
        escaped(model),
        rate.0
    );
    if let Some(language) = &settings.told.language {
        query.push_str("&language=");
        query.push_str(&escaped(language));
    }
    query
}

/// What a message means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing that is waited for.
    Nothing,
    /// All words so far are here: the answer to `Finalize`.
    Whole,
    /// It cannot go on.
    Failed(Problem),
}

/// The words of one utterance.
#[derive(Debug, Default)]
pub struct Listener {
    words: String,
}

#[derive(Deserialize)]
struct Told {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    is_final: bool,
    #[serde(default)]
    from_finalize: bool,
    channel: Option<serde_json::Value>,
    description: Option<String>,
    message: Option<String>,
}

impl Listener {
    /// A text message of the service's. What cannot be read means nothing.
    pub fn receive(&mut self, text: &str) -> Heard {
        let Ok(message) = serde_json::from_str::<Told>(text) else { return Heard::Nothing };
        match message.kind.as_str() {
            "Results" => {
                let said =
                    message.channel.as_ref().and_then(|channel| channel["alternatives"][0]["transcript"].as_str());
                if let Some(said) = said.map(str::trim).filter(|said| message.is_final && !said.is_empty())
                    && self.words.len() + said.len() < WORDS_MAX
                {
                    if !self.words.is_empty() {
                        self.words.push(' ');
                    }
                    self.words.push_str(said);
                }
                if message.from_finalize { Heard::Whole } else { Heard::Nothing }
            }
            "Error" => {
                let text =
                    message.description.or(message.message).unwrap_or_else(|| "an error without words".to_owned());
                Heard::Failed(Problem { text: format!("the service reports: {text}"), passing: true })
            }
            _ => Heard::Nothing,
        }
    }

    /// All words so far.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(words: &str, is_final: bool, from_finalize: bool) -> String {
        serde_json::json!({"type": "Results", "channel_index": [0, 1], "duration": 1.0, "start": 0.0, "is_final": is_final,
            "speech_final": false, "from_finalize": from_finalize,
            "channel": {"alternatives": [{"transcript": words, "confidence": 0.9, "words": []}]}})
        .to_string()
    }

    #[test]
    fn final_words_add_up_until_the_end_is_confirmed() {
        let mut listener = Listener::default();
        assert_eq!(listener.receive(&results("I have", true, false)), Heard::Nothing);
        assert_eq!(listener.receive(&results("a quest", false, false)), Heard::Nothing, "not final");
        assert_eq!(listener.receive(r#"{"type":"SpeechStarted","timestamp":0.1}"#), Heard::Nothing);
        assert_eq!(listener.receive(&results(" a question. ", true, true)), Heard::Whole);
        assert_eq!(listener.words(), "I have a question.");
        assert_eq!(listener.receive(&results("", true, true)), Heard::Whole, "nothing more was left");
        let error = listener.receive(r#"{"type":"Error","variant":"X","description":"too slow","message":"m"}"#);
        assert!(matches!(error, Heard::Failed(problem) if problem.text.contains("too slow")));
        for odd in ["", "{", "[]", "{\"type\":7}", "{\"type\":\"Results\",\"channel\":[]}", "null"] {
            assert_eq!(listener.receive(odd), Heard::Nothing, "{odd}");
        }
    }

    #[test]
    fn the_address_says_what_the_sound_is() {
        let told = crate::agent::wire::Settings { language: Some("de&x".into()), ..Default::default() };
        let settings = Settings { told: told.into(), ..Settings::default() };
        let query = query(&settings, SampleRate::HZ_8000);
        assert!(query.starts_with("model=nova-3&encoding=linear16&sample_rate=8000&channels=1&"), "{query}");
        assert!(query.ends_with("&language=de%26x"), "{query}");
    }
}
