//! The Media Streams WebSocket shape on the wire (Twilio's): JSON text frames, base64 sound. voxgw is the platform,
//! the far end is a bot.
//!
//! Owns the messages of a stream: connected, start, media, dtmf, mark, stop towards the bot; media, mark, clear from
//! it. A bot says neither when it is ready nor when its turn ends: the stream is ready once it is open, and the
//! pipeline ends a turn that has fallen silent. A mark is answered when all sound before it was played, at once when
//! the sound was cleared. Does not know sockets, nor who may connect.

use super::{AfterClose, Auth, Encoding, Facts, Provider, Settings, Uplink, decode_base64};
use crate::{
    agent::event::{Command, Event},
    unit::SampleRate,
};
use serde::Deserialize;
use serde_json::{Map, json};
use std::{borrow::Cow, collections::VecDeque, fmt::Write as _, sync::Arc, time::Duration};

/// The row.
pub const PROVIDER: Provider = Provider {
    name: "bridge",
    about: "a bot of yours, reached by WebSocket in the shape of Twilio's Media Streams; needs endpoint",
    endpoint: "",
    keys: &["VOXGW_BRIDGE_KEY"],
    key_optional: true,
    settings: &["endpoint", "key_file", "auth", "parameters", "audio", "reconnects"],
    check: |_| Vec::new(),
    keys_of: |_| &["VOXGW_BRIDGE_KEY"],
    url: |_, base, _| base.to_owned(),
    auth: |settings, _, _| match settings.auth.as_deref() {
        None | Some("bearer") => Auth::Bearer,
        Some("jwt") => Auth::Jwt,
        Some(header) => Auth::Header(Cow::Owned(header.to_owned())),
    },
    sound: MEDIA,
    retries: RECONNECTS,
    retries_once_live: RECONNECTS,
    speaks: None,
    ends_turns: false,
    full_duplex: false,
    answers: |_| false,
    reads: false,
    encodings: &["pcmu", "pcm8", "pcm16", "pcm24"],
    wire: |settings, facts| Box::new(Wire::new(Arc::clone(settings), facts)),
};

/// How a message with sound begins.
const MEDIA: &str = r#"{"event":"media","#;
/// Sound in one message, as bots know it.
const FRAME_MS: usize = 20;
/// Broken connections are replaced so often, if the profile does not say.
const RECONNECTS: u32 = 2;
/// Marks that wait to be played; a bot that sets more is not heard on the rest.
const MARKS_MAX: usize = 1_000;

/// One call's translation.
#[derive(Debug)]
pub struct Wire {
    settings: Arc<Settings>,
    facts: Facts,
    stream: String,
    /// Connections so far: each is a stream of its own.
    streams: u32,
    started: bool,
    open: bool,
    sequence: u64,
    chunk: u64,
    samples: u64,
    reconnects: u32,
    uplink: Uplink,
    /// Less than a frame of the caller's sound, which waits for the rest.
    partial: Vec<i16>,
    /// Names of the marks that wait, each with its number.
    marks: VecDeque<(u32, String)>,
    last_mark: u32,
}

impl Wire {
    /// A wire for a new call.
    #[must_use]
    pub fn new(settings: Arc<Settings>, facts: &Facts) -> Self {
        let encoding = settings.audio.unwrap_or(Encoding::Pcmu);
        Self {
            settings,
            facts: facts.clone(),
            stream: String::new(),
            streams: 0,
            started: false,
            open: false,
            sequence: 0,
            chunk: 0,
            samples: 0,
            reconnects: 0,
            uplink: Uplink::new(encoding),
            partial: Vec::new(),
            marks: VecDeque::new(),
            last_mark: 0,
        }
    }

    /// `connected` needs no number; all others count from 1.
    fn next(&mut self) -> String {
        self.sequence += 1;
        self.sequence.to_string()
    }

    fn call_sid(&self) -> String {
        sid("CA", &self.facts.call, 0)
    }

    fn start(&mut self, messages: &mut Vec<String>) {
        if !self.open || !self.started {
            return;
        }
        let (encoding, rate) = match self.uplink.encoding {
            Encoding::Pcmu => ("audio/x-mulaw", 8_000),
            Encoding::Pcma => ("audio/x-alaw", 8_000),
            Encoding::Pcm(rate) => ("audio/l16", rate.0),
        };
        let mut parameters = Map::new();
        for (name, value) in [
            ("call_id", &self.facts.call),
            ("from_number", &self.facts.about.from),
            ("to_number", &self.facts.about.to),
        ] {
            parameters.insert(name.to_owned(), json!(value));
        }
        for (name, value) in &self.settings.parameters {
            parameters.insert(name.clone(), json!(value));
        }
        let start = json!({
            "streamSid": self.stream,
            "accountSid": account(),
            "callSid": self.call_sid(),
            "tracks": ["inbound"],
            "customParameters": parameters,
            "mediaFormat": {"encoding": encoding, "sampleRate": rate, "channels": 1},
        });
        let number = self.next();
        let message = json!({"event": "start", "sequenceNumber": number, "start": start, "streamSid": self.stream});
        messages.push(message.to_string());
        while let Some(chunk) = self.uplink.next_pending() {
            self.media(&chunk, messages);
        }
    }

    fn media(&mut self, samples: &[i16], messages: &mut Vec<String>) {
        let rate = self.uplink.encoding.rate().0 as usize;
        let mut sound = std::mem::take(&mut self.partial);
        sound.extend_from_slice(samples);
        // Whole frames only, as bots expect: packets of 30 ms bring one and a half.
        let length = rate * FRAME_MS / 1_000;
        for frame in sound.chunks_exact(length) {
            self.sequence += 1;
            self.chunk += 1;
            let ms = self.samples * 1_000 / rate as u64;
            self.samples += frame.len() as u64;
            let mut head = String::with_capacity(192);
            let _ = write!(
                head,
                "{MEDIA}\"sequenceNumber\":\"{}\",\"streamSid\":\"{}\",\"media\":{{\"track\":\"inbound\",\"chunk\":\"{}\",\
                 \"timestamp\":\"{ms}\",\"payload\":\"",
                self.sequence, self.stream, self.chunk
            );
            messages.push(self.uplink.message(&head, frame, "\"}}"));
        }
        sound.drain(..sound.len() - sound.len() % length);
        self.partial = sound;
    }

    fn is_streaming(&self) -> bool {
        self.open && self.started
    }
}

impl super::Wire for Wire {
    fn label(&self) -> String {
        format!("{} {}", PROVIDER.name, self.uplink.encoding.name())
    }

    fn rate(&self) -> SampleRate {
        self.uplink.encoding.rate()
    }

    fn setup(&mut self, messages: &mut Vec<String>, events: &mut VecDeque<Event>) {
        self.streams += 1;
        self.stream = sid("MZ", &self.facts.call, self.streams);
        self.open = true;
        (self.sequence, self.chunk, self.samples) = (0, 0, 0);
        self.marks.clear();
        messages.push(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#.to_owned());
        self.start(messages);
        events.push_back(Event::Ready);
    }

    fn send(&mut self, command: Command<'_>, messages: &mut Vec<String>) {
        match command {
            Command::Start if !self.started => {
                self.started = true;
                self.start(messages);
            }
            Command::Audio { samples, .. } if self.is_streaming() => self.media(samples, messages),
            Command::Audio { samples, .. } => self.uplink.wait(samples),
            Command::Digit(digit) if self.is_streaming() => {
                let dtmf = json!({"track": "inbound_track", "digit": digit.to_string()});
                let number = self.next();
                let message =
                    json!({"event": "dtmf", "streamSid": self.stream, "sequenceNumber": number, "dtmf": dtmf});
                messages.push(message.to_string());
            }
            Command::Marked(reached) => {
                while let Some((number, _)) = self.marks.front()
                    && *number <= reached
                    && let Some((_, name)) = self.marks.pop_front()
                {
                    let number = self.next();
                    let mark = json!({"name": name});
                    let message =
                        json!({"event": "mark", "sequenceNumber": number, "streamSid": self.stream, "mark": mark});
                    messages.push(message.to_string());
                }
            }
            Command::Close if self.is_streaming() => {
                self.started = false;
                let stop = json!({"accountSid": account(), "callSid": self.call_sid()});
                let number = self.next();
                let message =
                    json!({"event": "stop", "sequenceNumber": number, "stop": stop, "streamSid": self.stream});
                messages.push(message.to_string());
            }
            _ => {}
        }
    }

    fn receive(&mut self, frame: &[u8], events: &mut VecDeque<Event>) {
        let message: BotMessage<'_> = match serde_json::from_slice(frame) {
            Ok(message) => message,
            Err(problem) => {
                events.push_back(Event::Note(format!("a frame from the bot could not be read: {problem}")));
                return;
            }
        };
        // A cassette is read without having been the stream.
        let foreign = |sid: &Cow<'_, str>| !self.stream.is_empty() && **sid != *self.stream;
        if let Some(sid) = message.stream_sid.as_ref().filter(|sid| foreign(sid)) {
            let sid: String = sid.chars().take(40).collect();
            events.push_back(Event::Note(format!("the bot speaks to the stream {sid}, which is not this one")));
            return;
        }
        match &*message.event {
            "media" => {
                let payload = message.media.and_then(|media| decode_base64(&media.payload));
                match payload {
                    Some(bytes) if bytes.is_empty() => {}
                    Some(bytes) => {
                        let samples = self.uplink.encoding.decode(&bytes);
                        events.push_back(Event::Audio { rate: self.rate(), samples });
                    }
                    None => events.push_back(Event::Note("the bot sent audio that is not base64".into())),
                }
            }
            "mark" => {
                if let Some(mark) = message.mark.filter(|_| self.marks.len() < MARKS_MAX) {
                    self.last_mark += 1;
                    self.marks.push_back((self.last_mark, mark.name.into_owned()));
                    events.push_back(Event::Mark(self.last_mark));
                }
            }
            // What it sends from here on is new.
            "clear" => events.extend([Event::Interrupted, Event::TurnComplete]),
            other => {
                let other: String = other.chars().take(40).collect();
                events.push_back(Event::Note(format!("the bot sent '{other}', which Media Streams do not have")));
            }
        }
    }

    fn due(&mut self, _messages: &mut Vec<String>) {}

    fn leaves_within(&self) -> Option<Duration> {
        None
    }

    fn suspend(&mut self) {
        self.open = false;
        self.partial.clear();
    }

    fn closed(&mut self, code: u16, reason: &str) -> AfterClose {
        self.suspend();
        let said = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        match code {
            // It closes to end the call: there is no message for that.
            1_000 | 1_005 => AfterClose::HangUp("the bot closed the stream".into()),
            1_001 | 1_006 | 1_011 | 1_012 | 1_013
                if self.reconnects < self.settings.reconnects.unwrap_or(RECONNECTS) =>
            {
                self.reconnects += 1;
                AfterClose::Reconnect
            }
            _ => AfterClose::GiveUp(format!("the bot closed with {code}{said}")),
        }
    }
}

/// Sids name an account: ours is always the same.
fn account() -> String {
    format!("AC{:032x}", 0)
}

/// A name in the shape that bots check for: two letters and 32 hex digits, the same for the same call.
fn sid(prefix: &str, call: &str, number: u32) -> String {
    // FNV-1a, twice over the same text from two beginnings: these are names, not secrets.
    let hash = |seed: u64| {
        call.bytes()
            .chain(number.to_le_bytes())
            .fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    };
    format!("{prefix}{:016x}{:016x}", hash(0xcbf2_9ce4_8422_2325), hash(0x8422_2325_cbf2_9ce4))
}

#[derive(Deserialize)]
struct BotMessage<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow, rename = "streamSid")]
    stream_sid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    media: Option<Media<'a>>,
    #[serde(borrow)]
    mark: Option<Mark<'a>>,
}

#[derive(Deserialize)]
struct Media<'a> {
    #[serde(borrow)]
    payload: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Mark<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::{super::Wire as _, *};
    use crate::agent::event::About;
    use serde_json::Value;

    fn started(settings: Settings) -> (Wire, Vec<Value>) {
        let about = About { from: "+49301".into(), to: "100".into(), ..About::default() };
        let facts = Facts { call: "c-00000001".into(), about, ..Facts::default() };
        let mut wire = Wire::new(Arc::new(settings), &facts);
        let (mut messages, mut events) = (Vec::new(), VecDeque::new());
        wire.send(Command::Audio { rate: wire.rate(), samples: &[5; 320] }, &mut messages);
        wire.setup(&mut messages, &mut events);
        assert_eq!(events, [Event::Ready]);
        wire.send(Command::Start, &mut messages);
        (wire, messages.iter().map(|text| serde_json::from_str(text).unwrap()).collect())
    }

    fn send(wire: &mut Wire, command: Command<'_>) -> Vec<Value> {
        let mut messages = Vec::new();
        wire.send(command, &mut messages);
        messages.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    fn receive(wire: &mut Wire, frame: &str) -> Vec<Event> {
        let mut events = VecDeque::new();
        wire.receive(frame.replace('$', &wire.stream).as_bytes(), &mut events);
        events.into()
    }

    #[test]
    fn a_stream_begins_as_bots_expect_it() {
        let settings = Settings { parameters: vec![("tenant".into(), "7".into())], ..Settings::default() };
        let (mut wire, messages) = started(settings);
        assert_eq!(messages[0], json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}));
        let start = &messages[1]["start"];
        assert_eq!((&messages[1]["event"], &messages[1]["sequenceNumber"]), (&json!("start"), &json!("1")));
        assert_eq!(start["mediaFormat"], json!({"encoding": "audio/x-mulaw", "sampleRate": 8_000, "channels": 1}));
        let parameters = json!({"call_id": "c-00000001", "from_number": "+49301", "to_number": "100", "tenant": "7"});
        assert_eq!(start["customParameters"], parameters);
        for (name, prefix) in [("streamSid", "MZ"), ("callSid", "CA"), ("accountSid", "AC")] {
            let sid = start[name].as_str().unwrap();
            assert!(sid.starts_with(prefix) && sid.len() == 34, "{name} {sid}");
        }
        let media = &messages[2];
        assert_eq!((&media["media"]["chunk"], &media["media"]["timestamp"]), (&json!("1"), &json!("0")));
        assert_eq!(media["media"]["payload"].as_str().unwrap().len(), 216, "160 bytes in base64");
        assert_eq!((&messages[3]["sequenceNumber"], &messages[3]["media"]["timestamp"]), (&json!("3"), &json!("20")));
        let digit = send(&mut wire, Command::Digit('5'));
        assert_eq!(digit[0]["dtmf"], json!({"track": "inbound_track", "digit": "5"}));
        let stop = send(&mut wire, Command::Close);
        assert_eq!(
            (stop.len(), &stop[0]["event"], &stop[0]["stop"]["callSid"]),
            (1, &json!("stop"), &start["callSid"])
        );
    }

    #[test]
    fn sound_goes_out_in_whole_frames_whatever_the_callers_packets_are() {
        let (mut wire, _) = started(Settings::default());
        let lengths: Vec<usize> = (0..4)
            .flat_map(|_| send(&mut wire, Command::Audio { rate: SampleRate::HZ_8000, samples: &[100; 240] }))
            .map(|message| message["media"]["payload"].as_str().unwrap().len())
            .collect();
        assert_eq!(lengths, [216; 6], "four packets of 30 ms are six of 20 ms");
    }

    #[test]
    fn marks_are_answered_in_order_when_they_are_reached() {
        let (mut wire, _) = started(Settings::default());
        let mark = |name: &str| format!(r#"{{"event":"mark","streamSid":"$","mark":{{"name":"{name}"}}}}"#);
        assert_eq!(receive(&mut wire, &mark("a")), [Event::Mark(1)]);
        assert_eq!(receive(&mut wire, &mark("b")), [Event::Mark(2)]);
        assert_eq!(receive(&mut wire, &mark("c")), [Event::Mark(3)]);
        let names = |messages: Vec<Value>| {
            messages.iter().map(|m| m["mark"]["name"].as_str().unwrap().to_owned()).collect::<String>()
        };
        assert_eq!(names(send(&mut wire, Command::Marked(2))), "ab");
        assert_eq!(names(send(&mut wire, Command::Marked(3))), "c");
    }

    #[test]
    fn sound_in_every_encoding_is_understood() {
        for (audio, payload, samples) in
            [(Encoding::Pcmu, "//8=", vec![0, 0]), (Encoding::Pcm(SampleRate::HZ_16000), "AQD/fw==", vec![1, i16::MAX])]
        {
            let (mut wire, messages) = started(Settings { audio: Some(audio), ..Settings::default() });
            assert_eq!(messages[1]["start"]["mediaFormat"]["sampleRate"], audio.rate().0);
            let frame = format!(r#"{{"event":"media","streamSid":"$","media":{{"payload":"{payload}"}}}}"#);
            assert_eq!(receive(&mut wire, &frame), [Event::Audio { rate: audio.rate(), samples }]);
        }
    }

    #[test]
    fn odd_frames_are_notes_and_closes_mean_what_they_say() {
        let (mut wire, _) = started(Settings::default());
        for frame in [
            "",
            "{",
            "[]",
            "null",
            r#"{"event":"media"}"#,
            r#"{"event":"media","media":{"payload":"!!"}}"#,
            r#"{"event":"dance"}"#,
            r#"{"event":"clear","streamSid":"MZother"}"#,
        ] {
            let events = receive(&mut wire, frame);
            assert!(matches!(events[..], [Event::Note(_)]), "{frame}: {events:?}");
        }
        assert!(matches!(wire.closed(1_000, ""), AfterClose::HangUp(_)));
        assert_eq!(wire.closed(1_006, ""), AfterClose::Reconnect);
        assert_eq!(wire.closed(1_011, ""), AfterClose::Reconnect);
        assert!(matches!(wire.closed(1_011, ""), AfterClose::GiveUp(_)));
        assert!(matches!(wire.closed(1_008, "no"), AfterClose::GiveUp(text) if text.contains("1008: no")));
    }

    #[test]
    fn a_second_connection_is_a_stream_of_its_own_and_starts_at_once() {
        let (mut wire, first) = started(Settings::default());
        let mut messages = Vec::new();
        wire.setup(&mut messages, &mut VecDeque::new());
        let start: Value = serde_json::from_str(&messages[1]).unwrap();
        assert_ne!(start["streamSid"], first[1]["streamSid"]);
        assert_eq!(start["start"]["callSid"], first[1]["start"]["callSid"]);
        assert_eq!(start["sequenceNumber"], "1");
    }
}
