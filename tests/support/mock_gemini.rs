//! A MOCK of Google's Gemini Live WebSocket service, for tests only. Nobody thinks here and no model speaks: a
//! [`Script`] says what is played and when, and a strict checker judges every message of the client.
//!
//! What it checks is in [`gemini_check`], after the vendor's protocol as its SDKs define it; besides that: the request path, a
//! double slash in it, binary messages from the client, a client that does not read for ten seconds, and resumption
//! handles that nobody handed out. A violation is recorded ([`MockGemini::violations`]) and answered like the real
//! service does: close 1007 with a reason.
//!
//! What it imitates: JSON in binary frames; credentials that are judged after the upgrade; replies several times
//! faster than real time in chunks of varying length; `turnComplete` only when the reply would have been heard;
//! transcripts out of step with the audio; barge-in; resumption handles; and, if the script asks for it, most of the
//! unpleasant things the notes tell of.
//!
//! What it does not: it does not hear words (speech is energy), does not know voices, and its timing is that of a local
//! socket.
//!
//! Included by several test targets with `#[path]`; allow `dead_code` there. Dropping a [`MockGemini`] cuts all its
//! connections.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use futures_util::{SinkExt as _, StreamExt as _};
use gemini_check::{Checker, ClientEvent, Family, SetupFacts, Violation, check_path};
use serde_json::{Value, json};
use std::{
    collections::{HashSet, VecDeque},
    future::pending,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::StatusCode,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

#[path = "gemini_check.rs"]
pub mod gemini_check;

/// Samples per millisecond of caller audio.
const IN_PER_MS: usize = 16;
/// Samples per millisecond of reply audio.
const OUT_PER_MS: usize = 24;
/// How much faster than real time a fast reply is sent.
const FASTER: u32 = 10;
/// A client that does not read for so long is broken.
const SEND_LIMIT: Duration = Duration::from_secs(10);
/// How long a closing handshake may take.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// How long a bad key waits for the setup before it is refused.
const KEY_LIMIT: Duration = Duration::from_millis(250);
/// Longest utterance that an echo repeats.
const ECHO_LIMIT: usize = 30_000 * IN_PER_MS;
/// What the service says to a bad key.
pub const BAD_KEY: &str = "API key not valid. Please pass a valid API key.";
/// Less caller audio than this part of the wall time is not a continuous stream.
pub const MIN_CONTINUITY: f64 = 0.85;

// ---------------------------------------------------------------------------------------------------------------
// what to play

/// One spoken reply.
#[derive(Clone, Debug)]
pub struct Reply {
    /// 24 kHz mono.
    pub audio: Vec<i16>,
    /// Chunks have pseudo-random lengths out of this range, in milliseconds.
    pub chunk_ms: Range<u32>,
    /// Fragments of the output transcription.
    pub output_text: Vec<String>,
    /// Sent ten times faster than it plays, like the real service; otherwise in real time.
    pub faster_than_realtime: bool,
}

impl Reply {
    /// Speaks this 24 kHz audio.
    #[must_use]
    pub fn new(audio: Vec<i16>) -> Self {
        Self { audio, chunk_ms: 40..200, output_text: Vec::new(), faster_than_realtime: true }
    }

    /// Speaks a tone.
    #[must_use]
    pub fn tone(hz: f64, ms: u32) -> Self {
        Self::new(tone(24_000, hz, ms, 8_000.0))
    }

    /// With these transcript fragments.
    #[must_use]
    pub fn saying<T: Into<String>>(mut self, fragments: impl IntoIterator<Item = T>) -> Self {
        self.output_text = fragments.into_iter().map(Into::into).collect();
        self
    }

    /// With chunks of these lengths.
    #[must_use]
    pub fn chunks(mut self, chunk_ms: Range<u32>) -> Self {
        self.chunk_ms = chunk_ms;
        self
    }

    /// Sent no faster than it plays.
    #[must_use]
    pub fn realtime(mut self) -> Self {
        self.faster_than_realtime = false;
        self
    }
}

/// A tool call the mock makes.
#[derive(Clone, Debug)]
pub struct ToolCall {
    /// Of the call.
    pub id: String,
    /// Of the function.
    pub name: String,
    /// An object.
    pub args: Value,
    /// Takes the call back after this time.
    pub cancel_after: Option<Duration>,
}

/// What the mock does. Everything is off or harmless by default: a default script completes the setup and listens.
#[derive(Clone, Debug)]
pub struct Script {
    /// Spoken when the first text arrives.
    pub greeting: Option<Reply>,
    /// The greeting comes right after setupComplete, without a text.
    pub greet_unasked: bool,
    /// Spoken after the caller has ended, one after the other, then from the start again.
    pub replies: Vec<Reply>,
    /// Spoken turns that follow each reply without a request (extended thinking: `IN_PROGRESS`, then IDLE).
    pub follow_ups: Vec<Reply>,
    /// Texts after the greeting get a reply too.
    pub answer_texts: bool,
    /// Between the end of caller speech and the first audio.
    pub reply_delay: Duration,
    /// Fragments of the input transcription, the same for every utterance.
    pub input_text: Vec<String>,
    /// Called at the end of the first caller speech; the reply waits for the answer.
    pub tool_call: Option<ToolCall>,
    /// Quiet that ends the caller's speech; by default what the setup says, else 500.
    pub silence_ms: Option<u32>,
    /// RMS of 10 ms from which it counts as voice.
    pub speech_rms: f64,
    /// Voice that begins an utterance.
    pub speech_ms: u32,
    /// Voice that interrupts a reply.
    pub barge_in_ms: u32,
    /// The reply is what the caller said.
    pub echo: bool,
    /// Chunk length of echoes and of the talk stream.
    pub chunk_ms: u32,
    /// Talks by itself: milliseconds on, milliseconds off, paced in real time, not interruptible, deaf.
    pub talk_duty: Option<(u32, u32)>,
    /// JSON in text frames instead of binary ones.
    pub text_frames: bool,
    /// Any other key, or none, is refused.
    pub require_key: Option<String>,
    /// The model is unknown: close 1008.
    pub model_unknown: bool,
    /// Closes so instead of setupComplete.
    pub refuse: Option<(u16, String)>,
    /// Setups with a resumption handle are closed with 1007.
    pub refuse_handles: bool,
    /// Between setup and setupComplete; not zero, to catch what is sent too early.
    pub setup_delay: Duration,
    /// No setupComplete, no close.
    pub never_setup_complete: bool,
    /// goAway so long after setupComplete.
    pub go_away_after: Option<Duration>,
    /// The `timeLeft` of goAway; the close follows then.
    pub go_away_left: Duration,
    /// The close after goAway.
    pub go_away_close: (u16, String),
    /// In the middle of each reply; 1006 cuts the connection without a close frame.
    pub close_mid_reply: Option<(u16, String)>,
    /// Sent right before every scripted close. With no such close: instead of the first reply, then close 1011.
    pub error_json: Option<Value>,
    /// The go-away, mid-reply and error faults happen on this many first connections only.
    pub faulty_connections: usize,
    /// Never answers after the setup.
    pub stall: bool,
    /// Audio in the URL-safe alphabet without padding.
    pub odd_base64: bool,
    /// Several fields in one serverContent, and two audio parts in one modelTurn.
    pub split_extra: bool,
    /// Text of a thought part (`thought: true`) in every reply. Must never be heard or shown.
    pub thought: Option<String>,
    /// Fields nobody knows in every message.
    pub unknown_fields: bool,
    /// `voiceActivity` messages.
    pub voice_activity: bool,
    /// A needless `interrupted` after every turn.
    pub spurious_interrupted: bool,
    /// Records violations, but does not close.
    pub lenient: bool,
    /// How much caller audio a session log keeps.
    pub keep_audio: Duration,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            greeting: None,
            greet_unasked: false,
            replies: Vec::new(),
            follow_ups: Vec::new(),
            answer_texts: false,
            reply_delay: Duration::ZERO,
            input_text: Vec::new(),
            tool_call: None,
            silence_ms: None,
            speech_rms: 400.0,
            speech_ms: 60,
            barge_in_ms: 100,
            echo: false,
            chunk_ms: 40,
            talk_duty: None,
            text_frames: false,
            require_key: None,
            model_unknown: false,
            refuse: None,
            refuse_handles: false,
            setup_delay: Duration::from_millis(20),
            never_setup_complete: false,
            go_away_after: None,
            go_away_left: Duration::from_secs(1),
            go_away_close: (1000, String::new()),
            close_mid_reply: None,
            error_json: None,
            faulty_connections: usize::MAX,
            stall: false,
            odd_base64: false,
            split_extra: false,
            thought: None,
            unknown_fields: false,
            voice_activity: false,
            spurious_interrupted: false,
            lenient: false,
            keep_audio: Duration::from_mins(2),
        }
    }
}

impl Script {
    /// Completes the setup and listens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// See [`Script::greeting`].
    #[must_use]
    pub fn greeting(mut self, reply: Reply) -> Self {
        self.greeting = Some(reply);
        self
    }

    /// See [`Script::greet_unasked`].
    #[must_use]
    pub fn greet_unasked(mut self) -> Self {
        self.greet_unasked = true;
        self
    }

    /// One more reply; see [`Script::replies`].
    #[must_use]
    pub fn reply(mut self, reply: Reply) -> Self {
        self.replies.push(reply);
        self
    }

    /// One more turn after each reply; see [`Script::follow_ups`].
    #[must_use]
    pub fn follow_up(mut self, reply: Reply) -> Self {
        self.follow_ups.push(reply);
        self
    }

    /// See [`Script::answer_texts`].
    #[must_use]
    pub fn answer_texts(mut self) -> Self {
        self.answer_texts = true;
        self
    }

    /// See [`Script::reply_delay`].
    #[must_use]
    pub fn reply_delay(mut self, delay: Duration) -> Self {
        self.reply_delay = delay;
        self
    }

    /// See [`Script::input_text`].
    #[must_use]
    pub fn hears<T: Into<String>>(mut self, fragments: impl IntoIterator<Item = T>) -> Self {
        self.input_text = fragments.into_iter().map(Into::into).collect();
        self
    }

    /// See [`Script::tool_call`].
    #[must_use]
    pub fn tool_call(mut self, id: &str, name: &str, args: Value) -> Self {
        self.tool_call = Some(ToolCall { id: id.to_owned(), name: name.to_owned(), args, cancel_after: None });
        self
    }

    /// Takes the tool call back after this time.
    #[must_use]
    pub fn cancel_tool_after(mut self, time: Duration) -> Self {
        if let Some(call) = &mut self.tool_call {
            call.cancel_after = Some(time);
        }
        self
    }

    /// See [`Script::silence_ms`].
    #[must_use]
    pub fn silence_ms(mut self, ms: u32) -> Self {
        self.silence_ms = Some(ms);
        self
    }

    /// See [`Script::speech_rms`].
    #[must_use]
    pub fn speech_rms(mut self, rms: f64) -> Self {
        self.speech_rms = rms;
        self
    }

    /// See [`Script::echo`].
    #[must_use]
    pub fn echo(mut self) -> Self {
        self.echo = true;
        self
    }

    /// See [`Script::chunk_ms`].
    #[must_use]
    pub fn chunk_ms(mut self, ms: u32) -> Self {
        self.chunk_ms = ms;
        self
    }

    /// See [`Script::talk_duty`]. For load tests: keeps no caller audio unless [`Script::keep_audio`] is set
    /// afterwards.
    #[must_use]
    pub fn talk_duty(mut self, on_ms: u32, off_ms: u32) -> Self {
        self.talk_duty = Some((on_ms, off_ms));
        self.keep_audio = Duration::ZERO;
        self
    }

    /// See [`Script::text_frames`].
    #[must_use]
    pub fn text_frames(mut self) -> Self {
        self.text_frames = true;
        self
    }

    /// See [`Script::require_key`].
    #[must_use]
    pub fn require_key(mut self, key: &str) -> Self {
        self.require_key = Some(key.to_owned());
        self
    }

    /// See [`Script::model_unknown`].
    #[must_use]
    pub fn model_unknown(mut self) -> Self {
        self.model_unknown = true;
        self
    }

    /// See [`Script::refuse`].
    #[must_use]
    pub fn refuse(mut self, code: u16, reason: &str) -> Self {
        self.refuse = Some((code, reason.to_owned()));
        self
    }

    /// See [`Script::refuse_handles`].
    #[must_use]
    pub fn refuse_handles(mut self) -> Self {
        self.refuse_handles = true;
        self
    }

    /// See [`Script::setup_delay`].
    #[must_use]
    pub fn setup_delay(mut self, delay: Duration) -> Self {
        self.setup_delay = delay;
        self
    }

    /// See [`Script::never_setup_complete`].
    #[must_use]
    pub fn never_setup_complete(mut self) -> Self {
        self.never_setup_complete = true;
        self
    }

    /// See [`Script::go_away_after`] and [`Script::go_away_left`].
    #[must_use]
    pub fn go_away_after(mut self, after: Duration, left: Duration) -> Self {
        self.go_away_after = Some(after);
        self.go_away_left = left;
        self
    }

    /// See [`Script::go_away_close`].
    #[must_use]
    pub fn go_away_close(mut self, code: u16, reason: &str) -> Self {
        self.go_away_close = (code, reason.to_owned());
        self
    }

    /// See [`Script::close_mid_reply`].
    #[must_use]
    pub fn close_mid_reply(mut self, code: u16, reason: &str) -> Self {
        self.close_mid_reply = Some((code, reason.to_owned()));
        self
    }

    /// See [`Script::error_json`].
    #[must_use]
    pub fn error_json(mut self, error: Value) -> Self {
        self.error_json = Some(error);
        self
    }

    /// See [`Script::faulty_connections`].
    #[must_use]
    pub fn faults_on_first(mut self, connections: usize) -> Self {
        self.faulty_connections = connections;
        self
    }

    /// See [`Script::stall`].
    #[must_use]
    pub fn stall(mut self) -> Self {
        self.stall = true;
        self
    }

    /// See [`Script::odd_base64`].
    #[must_use]
    pub fn odd_base64(mut self) -> Self {
        self.odd_base64 = true;
        self
    }

    /// See [`Script::split_extra`].
    #[must_use]
    pub fn split_extra(mut self) -> Self {
        self.split_extra = true;
        self
    }

    /// See [`Script::thought`].
    #[must_use]
    pub fn thought(mut self, text: &str) -> Self {
        self.thought = Some(text.to_owned());
        self
    }

    /// See [`Script::unknown_fields`].
    #[must_use]
    pub fn unknown_fields(mut self) -> Self {
        self.unknown_fields = true;
        self
    }

    /// See [`Script::voice_activity`].
    #[must_use]
    pub fn voice_activity(mut self) -> Self {
        self.voice_activity = true;
        self
    }

    /// See [`Script::spurious_interrupted`].
    #[must_use]
    pub fn spurious_interrupted(mut self) -> Self {
        self.spurious_interrupted = true;
        self
    }

    /// See [`Script::lenient`].
    #[must_use]
    pub fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    /// See [`Script::keep_audio`].
    #[must_use]
    pub fn keep_audio(mut self, time: Duration) -> Self {
        self.keep_audio = time;
        self
    }
}

// ---------------------------------------------------------------------------------------------------------------
// what was seen

/// How the credential came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySeen {
    /// `x-goog-api-key`.
    Header(String),
    /// `?key=`, not percent-decoded.
    Query(String),
    /// `?access_token=` or the whole `Authorization` header.
    Token(String),
}

impl KeySeen {
    /// The bare credential.
    #[must_use]
    pub fn value(&self) -> &str {
        match self {
            Self::Header(key) | Self::Query(key) | Self::Token(key) => key,
        }
    }
}

/// What happened in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// setupComplete went out.
    SetupComplete,
    /// The caller speaks, by energy or by activityStart.
    SpeechStarted,
    /// The caller has ended.
    SpeechEnded,
    /// The client sent activityStart.
    ActivityStart,
    /// The client sent activityEnd.
    ActivityEnd,
    /// The client sent audioStreamEnd.
    AudioStreamEnd,
    /// The client sent a text.
    Text,
    /// A reply (or greeting) began.
    ReplyStarted,
    /// Its first audio went out.
    FirstAudio,
    /// generationComplete went out: all of the audio is sent.
    LastAudio,
    /// turnComplete went out.
    TurnComplete,
    /// `interrupted` went out.
    Interrupted,
    /// A tool call went out.
    ToolCalled,
    /// Its answer came.
    ToolAnswered,
    /// goAway went out.
    GoAway,
}

/// Everything about one connection.
#[derive(Clone, Debug, Default)]
pub struct SessionLog {
    /// Of the request, without the query.
    pub path: String,
    /// The credential and how it came.
    pub key: Option<KeySeen>,
    /// The `setup` object.
    pub setup: Option<Value>,
    /// The handle the client resumed with.
    pub resumed_with: Option<String>,
    /// Caller audio at 16 kHz, as far as [`Script::keep_audio`] allows.
    pub audio: Vec<i16>,
    /// All caller samples, kept or not.
    pub audio_samples: usize,
    /// Messages with caller audio.
    pub audio_messages: usize,
    /// Their durations in milliseconds.
    pub chunk_ms: Vec<f32>,
    /// `realtimeInput.text`.
    pub texts: Vec<String>,
    /// Texts of `clientContent`.
    pub contents: Vec<String>,
    /// `functionResponses` entries.
    pub tool_answers: Vec<Value>,
    /// `contextUpdate` objects.
    pub context_updates: Vec<Value>,
    /// What happened when.
    pub events: Vec<(std::time::Instant, Event)>,
    /// Reply audio sent, in samples at 24 kHz.
    pub samples_sent: usize,
    /// The worst delay of the paced talk stream: how late the mock itself was.
    pub worst_late: Duration,
    /// Pongs to the mock's ping.
    pub pongs: usize,
    /// The close frame of the client, if it was the first to close.
    pub close_seen: Option<(u16, String)>,
    /// The close of the mock.
    pub close_sent: Option<(u16, String)>,
    /// What was wrong.
    pub violations: Vec<String>,
    /// When setupComplete went out.
    pub live_since: Option<std::time::Instant>,
    /// When the connection ended.
    pub ended: Option<std::time::Instant>,
    /// Announced pauses (audioStreamEnd) that are over.
    paused: Duration,
    /// The pause that is not over.
    pause_began: Option<std::time::Instant>,
}

impl SessionLog {
    /// The model asked for.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.setup.as_ref()?.get("model")?.as_str()
    }

    /// How often something happened.
    #[must_use]
    pub fn count(&self, event: Event) -> usize {
        self.events.iter().filter(|(_, what)| *what == event).count()
    }

    /// When something happened first.
    #[must_use]
    pub fn first(&self, event: Event) -> Option<std::time::Instant> {
        self.events.iter().find(|(_, what)| *what == event).map(|(at, _)| *at)
    }

    /// Caller audio received as a part of the wall time since setupComplete, without the pauses that were announced by
    /// audioStreamEnd. 1 if there was hardly any time. Less than [`MIN_CONTINUITY`] is wrong: the service's speech
    /// detection needs a stream without holes.
    #[must_use]
    pub fn continuity(&self) -> f64 {
        let Some(since) = self.live_since else { return 1.0 };
        let end = self.ended.unwrap_or_else(std::time::Instant::now);
        let pause = self.pause_began.map_or(Duration::ZERO, |began| end.saturating_duration_since(began));
        let wall = end.saturating_duration_since(since).saturating_sub(self.paused + pause);
        if wall < Duration::from_millis(100) {
            return 1.0;
        }
        self.audio_samples as f64 / 16_000.0 / wall.as_secs_f64()
    }

    fn note(&mut self, event: Event) {
        self.events.push((std::time::Instant::now(), event));
    }
}

// ---------------------------------------------------------------------------------------------------------------
// the server

/// The running mock.
#[derive(Debug)]
pub struct MockGemini {
    /// `ws://127.0.0.1:PORT`, without a path.
    pub url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl MockGemini {
    /// Listens on a free port of 127.0.0.1 and plays the script on every connection.
    ///
    /// # Panics
    ///
    /// If there is no port to be had.
    pub async fn start(script: Script) -> Self {
        Self::listen(script, "127.0.0.1:0").await
    }

    /// Listens there.
    ///
    /// # Panics
    ///
    /// If the address is taken.
    pub async fn listen(script: Script, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            play: Mutex::new(Play::new(script)),
            logs: Mutex::default(),
            early: Mutex::default(),
            handles: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let task = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self { url: format!("ws://{address}"), shared, task }
    }

    /// What the next connections get.
    pub fn set_script(&self, script: Script) {
        *lock(&self.shared.play) = Play::new(script);
    }

    /// Every violation so far, in words, with the number of its connection.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let mut all = lock(&self.shared.early).clone();
        for (i, log) in self.logs().iter().enumerate() {
            all.extend(lock(log).violations.iter().map(|words| format!("session {i}: {words}")));
        }
        all
    }

    /// Copies of all logs, one for each WebSocket connection, in the order of arrival.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionLog> {
        self.logs().iter().map(|log| lock(log).clone()).collect()
    }

    /// TCP connections so far, with those that never became a WebSocket.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// The worst [`SessionLog::continuity`]; 1 without sessions.
    #[must_use]
    pub fn continuity(&self) -> f64 {
        self.logs().iter().map(|log| lock(log).continuity()).fold(1.0, f64::min)
    }

    /// Waits until the log of some session passes; false if none did within `limit`.
    pub async fn wait_for(&self, limit: Duration, passes: impl Fn(&SessionLog) -> bool) -> bool {
        let until = Instant::now() + limit;
        loop {
            if self.logs().iter().any(|log| passes(&lock(log))) {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn logs(&self) -> Vec<Arc<Mutex<SessionLog>>> {
        lock(&self.shared.logs).clone()
    }
}

impl Drop for MockGemini {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The lock, also after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A script with what is made of it once.
#[derive(Clone, Debug)]
struct Play {
    script: Arc<Script>,
    talk: Option<Arc<Talk>>,
}

impl Play {
    fn new(script: Script) -> Self {
        let talk = script.talk_duty.map(|duty| Arc::new(Talk::new(&script, duty)));
        Self { script: Arc::new(script), talk }
    }
}

/// The talk stream: one message, sent again and again.
#[derive(Debug)]
struct Talk {
    message: Message,
    samples: usize,
    chunk: Duration,
    chunks: u32,
    off: Duration,
}

impl Talk {
    fn new(script: &Script, (on_ms, off_ms): (u32, u32)) -> Self {
        let chunk_ms = script.chunk_ms.max(5);
        // 400 Hz: whole periods in every multiple of 5 ms, so the chunks fit together
        let audio = tone(24_000, 400.0, chunk_ms, 8_000.0);
        let content = model_turn(vec![audio_part(&audio, script.odd_base64)]);
        Self {
            message: wire(script, json!({ "serverContent": content })),
            samples: audio.len(),
            chunk: Duration::from_millis(u64::from(chunk_ms)),
            chunks: on_ms.div_ceil(chunk_ms).max(1),
            off: Duration::from_millis(u64::from(off_ms)),
        }
    }
}

#[derive(Debug)]
struct Shared {
    play: Mutex<Play>,
    logs: Mutex<Vec<Arc<Mutex<SessionLog>>>>,
    /// Violations of connections that never became a session.
    early: Mutex<Vec<String>>,
    /// All resumption handles ever handed out.
    handles: Mutex<HashSet<String>>,
    connections: AtomicUsize,
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    tasks.spawn(connection(stream, Arc::clone(&shared)));
                }
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
            Some(done) = tasks.join_next(), if !tasks.is_empty() => {
                if done.is_err_and(|error| error.is_panic()) {
                    lock(&shared.early).push("the mock itself panicked in a session".to_owned());
                }
            }
        }
    }
}

/// What the upgrade request said.
#[derive(Debug, Default)]
struct Asked {
    path: String,
    key: Option<KeySeen>,
}

impl Asked {
    fn of(request: &Request) -> Self {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let query = |name: &str| {
            let pairs = request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next()
        };
        let key = header("x-goog-api-key")
            .map(KeySeen::Header)
            .or_else(|| query("key").map(KeySeen::Query))
            .or_else(|| query("access_token").map(KeySeen::Token))
            .or_else(|| header("authorization").map(KeySeen::Token));
        Self { path: request.uri().path().to_owned(), key }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut asked = Asked::default();
    let config = WebSocketConfig::default().read_buffer_size(8 * 1024).write_buffer_size(0);
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let judge = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        asked = Asked::of(request);
        if check_path(&asked.path).is_ok() {
            return Ok(response);
        }
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = StatusCode::NOT_FOUND;
        Err(refusal)
    };
    let accepted = timeout(Duration::from_secs(5), accept_hdr_async_with_config(stream, judge, Some(config))).await;
    let ws = match accepted {
        Ok(Ok(ws)) => ws,
        Ok(Err(error)) => {
            if !asked.path.is_empty() {
                lock(&shared.early).push(format!("upgrade of {} failed: {error}", asked.path));
            }
            return;
        }
        Err(_) => return,
    };
    let Ok(path) = check_path(&asked.path) else { return };
    let mut log = SessionLog { path: asked.path, key: asked.key, ..SessionLog::default() };
    // Each kind of credential belongs to its address.
    let fits = match &log.key {
        Some(KeySeen::Token(token)) if path.vertex => token.starts_with("Bearer "),
        Some(KeySeen::Token(token)) => {
            path.constrained && token.trim_start_matches("Token ").starts_with("auth_tokens/")
        }
        Some(_) => !path.vertex && !path.constrained,
        None => true,
    };
    if !fits {
        log.violations.push(format!("this credential is not for {}", log.path));
    }
    if path.double_slash {
        log.violations.push("the path begins with two slashes".to_owned());
    }
    let play = lock(&shared.play).clone();
    let key_ok =
        play.script.require_key.as_deref().is_none_or(|key| log.key.as_ref().is_some_and(|k| k.value() == key));
    let log = Arc::new(Mutex::new(log));
    let number = {
        let mut logs = lock(&shared.logs);
        logs.push(Arc::clone(&log));
        logs.len() - 1
    };
    let mut session = Session {
        ws,
        check: Checker::new(&path.version).of_vertex(path.vertex),
        version: path.version,
        faulty: number < play.script.faulty_connections,
        vad: Detector::new(&play.script, play.script.silence_ms.unwrap_or(500)),
        script: play.script,
        talk: play.talk,
        shared,
        log: Arc::clone(&log),
        number,
        key_ok,
        facts: None,
        timers: Vec::new(),
        turn: None,
        follow_ups: VecDeque::new(),
        talking: None,
        greeted: false,
        queued: false,
        replies: 0,
        tool_called: false,
        waiting_for: None,
        utterance: Vec::new(),
        handles: 0,
        dice: 0x2545_F491,
    };
    session.run().await;
    lock(&log).ended = Some(std::time::Instant::now());
}

// ---------------------------------------------------------------------------------------------------------------
// one session

/// The connection is over.
struct Ended;

type Go = Result<(), Ended>;

#[derive(Clone, Copy, Debug)]
enum Timer {
    BadKey,
    SetupComplete,
    GoAway,
    GoAwayClose,
    CancelTool,
}

/// What a turn does next.
#[derive(Debug)]
enum Step {
    Input(String),
    Output(String),
    Thought(String),
    Audio { samples: Range<usize>, text: Option<String> },
    GenerationComplete,
    TurnComplete,
    Close(u16, String),
}

/// A reply that is being generated or heard.
#[derive(Debug)]
struct Turn {
    audio: Vec<i16>,
    started: Instant,
    steps: VecDeque<(Duration, Step)>,
    spoken: bool,
}

impl Turn {
    fn due(&self) -> Option<Instant> {
        self.steps.front().map(|(offset, _)| self.started + *offset)
    }
}

#[derive(Debug)]
struct Talking {
    next: Instant,
    left: u32,
}

struct Session {
    ws: WebSocketStream<TcpStream>,
    check: Checker,
    version: String,
    faulty: bool,
    vad: Detector,
    script: Arc<Script>,
    talk: Option<Arc<Talk>>,
    shared: Arc<Shared>,
    log: Arc<Mutex<SessionLog>>,
    number: usize,
    key_ok: bool,
    facts: Option<SetupFacts>,
    timers: Vec<(Instant, Timer)>,
    turn: Option<Turn>,
    follow_ups: VecDeque<Reply>,
    talking: Option<Talking>,
    greeted: bool,
    /// A reply is owed as soon as the running turn is over.
    queued: bool,
    replies: usize,
    tool_called: bool,
    /// The reply waits for the answer to this tool call.
    waiting_for: Option<String>,
    /// Caller audio of this utterance, for the echo.
    utterance: Vec<i16>,
    handles: usize,
    dice: u32,
}

impl Session {
    async fn run(&mut self) {
        if !self.key_ok {
            self.after(KEY_LIMIT, Timer::BadKey);
        }
        loop {
            let due = self.due();
            let wake = async {
                match due {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            let went = tokio::select! {
                biased;
                read = self.ws.next() => match read {
                    Some(Ok(message)) => self.message(message).await,
                    Some(Err(_)) | None => Err(Ended),
                },
                () = wake => self.act().await,
            };
            if went.is_err() {
                return;
            }
        }
    }

    fn note(&self, event: Event) {
        lock(&self.log).note(event);
    }

    fn after(&mut self, time: Duration, timer: Timer) {
        self.timers.push((Instant::now() + time, timer));
    }

    /// When there is something to do.
    fn due(&self) -> Option<Instant> {
        let timers = self.timers.iter().map(|(at, _)| *at);
        let turn = self.turn.as_ref().and_then(Turn::due);
        timers.chain(turn).chain(self.talking.as_ref().map(|talking| talking.next)).min()
    }

    /// Does one thing that is due.
    async fn act(&mut self) -> Go {
        let now = Instant::now();
        if let Some(i) = self.timers.iter().position(|(at, _)| *at <= now) {
            let (_, timer) = self.timers.swap_remove(i);
            return self.timer(timer).await;
        }
        if self.turn.as_ref().and_then(Turn::due).is_some_and(|at| at <= now) {
            return self.step().await;
        }
        if self.talking.as_ref().is_some_and(|talking| talking.next <= now) {
            return self.talk_on(now).await;
        }
        Ok(())
    }

    // -- sending

    async fn send(&mut self, value: Value) -> Go {
        let message = wire(&self.script, value);
        self.send_message(message).await
    }

    async fn send_message(&mut self, message: Message) -> Go {
        match timeout(SEND_LIMIT, self.ws.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended),
            Err(_) => {
                lock(&self.log).violations.push(format!("the client did not read for {} s", SEND_LIMIT.as_secs()));
                Err(Ended)
            }
        }
    }

    /// Closes and waits for the client's close; 1006 just drops the connection.
    async fn close(&mut self, code: u16, reason: &str) -> Go {
        let reason = clip(reason, 123);
        lock(&self.log).close_sent = Some((code, reason.to_owned()));
        if code == 1006 {
            return Err(Ended);
        }
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        let ws = &mut self.ws;
        let _ = timeout(CLOSE_LIMIT, async move {
            if ws.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = ws.next().await {}
            }
        })
        .await;
        Err(Ended)
    }

    /// A close that the script asked for, with its error JSON before it.
    async fn fault(&mut self, code: u16, reason: &str) -> Go {
        if let Some(error) = self.script.error_json.clone() {
            self.send(error).await?;
        }
        self.close(code, reason).await
    }

    /// Records violations, and closes for the first one unless the script is lenient.
    async fn blame(&mut self, violations: Vec<Violation>) -> Go {
        let reason = violations.first().map(|violation| violation.reason.clone());
        lock(&self.log).violations.extend(violations.into_iter().map(|violation| violation.words));
        match reason {
            Some(reason) if !self.script.lenient => self.close(gemini_check::BAD_MESSAGE, &reason).await,
            _ => Ok(()),
        }
    }

    // -- receiving

    async fn message(&mut self, message: Message) -> Go {
        if !self.key_ok && !message.is_close() {
            return self.fault(1007, BAD_KEY).await;
        }
        match message {
            Message::Text(text) => {
                let checked = self.check.check(text.as_str());
                self.blame(checked.violations).await?;
                for event in checked.events {
                    self.event(event).await?;
                }
                Ok(())
            }
            Message::Binary(_) => self.blame(vec![Violation::new("a binary message; clients send text")]).await,
            Message::Pong(_) => {
                lock(&self.log).pongs += 1;
                Ok(())
            }
            Message::Close(frame) => {
                let seen = frame
                    .map_or((1005, String::new()), |frame| (u16::from(frame.code), frame.reason.as_str().to_owned()));
                lock(&self.log).close_seen = Some(seen);
                Ok(()) // the next read sends the answer and ends
            }
            Message::Ping(_) | Message::Frame(_) => Ok(()),
        }
    }

    async fn event(&mut self, event: ClientEvent) -> Go {
        match event {
            ClientEvent::Setup(facts) => self.setup(*facts).await,
            ClientEvent::Audio(samples) => self.audio(samples).await,
            ClientEvent::AudioStreamEnd => {
                self.note(Event::AudioStreamEnd);
                lock(&self.log).pause_began.get_or_insert_with(std::time::Instant::now);
                if self.vad.flush() { self.speech_ended().await } else { Ok(()) }
            }
            ClientEvent::ActivityStart => {
                self.note(Event::ActivityStart);
                self.utterance.clear();
                self.speech_started().await?;
                self.barge_in().await
            }
            ClientEvent::ActivityEnd => {
                self.note(Event::ActivityEnd);
                self.speech_ended().await
            }
            ClientEvent::Text(text) => {
                self.note(Event::Text);
                lock(&self.log).texts.push(text);
                self.asked();
                Ok(())
            }
            ClientEvent::Content { texts, complete } => {
                lock(&self.log).contents.extend(texts);
                if !complete {
                    return Ok(());
                }
                if self.family().is_38() {
                    self.interrupt().await?;
                }
                self.asked();
                Ok(())
            }
            ClientEvent::ToolAnswer { id, answer } => {
                lock(&self.log).tool_answers.push(answer);
                self.note(Event::ToolAnswered);
                if self.waiting_for.as_deref() == Some(id.as_str()) {
                    self.waiting_for = None;
                    self.reply_or_queue();
                }
                Ok(())
            }
            ClientEvent::ContextUpdate(update) => {
                lock(&self.log).context_updates.push(update);
                Ok(())
            }
        }
    }

    fn family(&self) -> Family {
        self.facts.as_ref().map_or(Family::Other, SetupFacts::family)
    }

    async fn setup(&mut self, facts: SetupFacts) -> Go {
        {
            let mut log = lock(&self.log);
            log.setup = Some(facts.json.clone());
            log.resumed_with.clone_from(&facts.handle);
        }
        let script = Arc::clone(&self.script);
        if script.model_unknown || facts.family() == Family::Dead {
            let reason = format!(
                "models/{} is not found for API version {}, or is not supported for bidiGenerateContent",
                facts.model, self.version
            );
            return self.fault(1008, &reason).await;
        }
        if let Some((code, reason)) = &script.refuse {
            return self.fault(*code, reason).await;
        }
        if let Some(handle) = &facts.handle {
            if script.refuse_handles {
                return self.fault(1007, "Request contains an invalid argument.").await;
            }
            if !lock(&self.shared.handles).contains(handle) {
                let words = format!("resumes with a handle that nobody handed out: \"{handle}\"");
                self.blame(vec![Violation::new(words)]).await?;
            }
        }
        if script.silence_ms.is_none() {
            self.vad = Detector::new(&script, facts.silence_ms.unwrap_or(500));
        }
        self.facts = Some(facts);
        if !script.never_setup_complete {
            self.after(script.setup_delay, Timer::SetupComplete);
        }
        Ok(())
    }

    async fn audio(&mut self, samples: Vec<i16>) -> Go {
        {
            let mut log = lock(&self.log);
            if let Some(began) = log.pause_began.take() {
                log.paused += began.elapsed();
            }
            log.audio_messages += 1;
            log.audio_samples += samples.len();
            log.chunk_ms.push(samples.len() as f32 / IN_PER_MS as f32);
            let most =
                usize::try_from(self.script.keep_audio.as_millis()).unwrap_or(usize::MAX).saturating_mul(IN_PER_MS);
            let room = most.saturating_sub(log.audio.len()).min(samples.len());
            log.audio.extend_from_slice(&samples[..room]);
        }
        if self.talk.is_some() {
            return Ok(());
        }
        if self.script.echo {
            self.utterance.extend_from_slice(&samples);
            let most = if self.vad.speaking || !self.automatic() { ECHO_LIMIT } else { 200 * IN_PER_MS };
            let extra = self.utterance.len().saturating_sub(most);
            self.utterance.drain(..extra);
        }
        if !self.automatic() {
            return Ok(());
        }
        for heard in self.vad.push(&samples) {
            match heard {
                Heard::Started => self.speech_started().await?,
                Heard::Sustained => self.barge_in().await?,
                Heard::Ended => self.speech_ended().await?,
            }
        }
        Ok(())
    }

    fn automatic(&self) -> bool {
        self.facts.as_ref().is_none_or(|facts| facts.automatic)
    }

    fn interrupts(&self) -> bool {
        self.facts.as_ref().is_none_or(|facts| facts.interrupts)
    }

    async fn speech_started(&mut self) -> Go {
        self.note(Event::SpeechStarted);
        self.voice_activity("ACTIVITY_START").await
    }

    async fn barge_in(&mut self) -> Go {
        if self.interrupts() { self.interrupt().await } else { Ok(()) }
    }

    async fn speech_ended(&mut self) -> Go {
        self.note(Event::SpeechEnded);
        self.voice_activity("ACTIVITY_END").await?;
        let script = Arc::clone(&self.script);
        if script.stall || self.talk.is_some() {
            self.utterance.clear();
            return Ok(());
        }
        if self.turn.is_some() {
            // too short to interrupt: ignored; not allowed to interrupt: answered later
            self.queued = !self.interrupts();
            return Ok(());
        }
        let closes = script.close_mid_reply.is_some() || script.go_away_after.is_some();
        if self.faulty && script.error_json.is_some() && !closes {
            return self.fault(1011, "Internal error encountered.").await;
        }
        if let Some(call) = &script.tool_call
            && !self.tool_called
        {
            self.tool_called = true;
            self.waiting_for = Some(call.id.clone());
            self.check.called(&call.id, &call.name);
            self.note(Event::ToolCalled);
            let one = json!({"id": call.id, "name": call.name, "args": call.args});
            self.send(json!({"toolCall": {"functionCalls": [one]}})).await?;
            if let Some(time) = call.cancel_after {
                self.after(time, Timer::CancelTool);
            }
            return Ok(());
        }
        self.start_reply();
        Ok(())
    }

    async fn voice_activity(&mut self, kind: &str) -> Go {
        if !self.script.voice_activity {
            return Ok(());
        }
        let samples = lock(&self.log).audio_samples;
        let offset = format!("{}s", samples as f64 / 16_000.0);
        self.send(json!({"voiceActivity": {"type": kind, "audioOffset": offset}})).await
    }

    /// A text wants an answer: the greeting first, then replies if the script says so.
    fn asked(&mut self) {
        if self.script.stall || self.talk.is_some() {
            return;
        }
        if !self.greeted && self.script.greeting.is_some() && self.turn.is_none() {
            self.greet();
        } else if self.script.answer_texts {
            self.reply_or_queue();
        }
    }

    fn reply_or_queue(&mut self) {
        if self.turn.is_some() {
            self.queued = true;
        } else {
            self.start_reply();
        }
    }

    // -- speaking

    fn greet(&mut self) {
        self.greeted = true;
        if let Some(greeting) = self.script.greeting.clone() {
            self.start_turn(greeting, false);
        }
    }

    fn start_reply(&mut self) {
        let reply = if self.script.echo {
            let silence = self.vad.silence_ms.saturating_sub(100) as usize * IN_PER_MS;
            let mut words = std::mem::take(&mut self.utterance);
            if self.automatic() {
                words.truncate(words.len().saturating_sub(silence));
            }
            let chunk = self.script.chunk_ms.max(1);
            Reply::new(to_24k(&words)).chunks(chunk..chunk + 1)
        } else if let Some(reply) = self.script.replies.get(self.replies % self.script.replies.len().max(1)) {
            reply.clone()
        } else {
            // nothing to say: the transcript of the caller is all there is
            Reply::new(Vec::new())
        };
        self.replies += 1;
        if reply.audio.is_empty() && reply.output_text.is_empty() && self.script.input_text.is_empty() {
            return;
        }
        self.follow_ups = self.script.follow_ups.clone().into();
        self.start_turn(reply, true);
    }

    /// Plans a turn; the run loop plays it.
    fn start_turn(&mut self, reply: Reply, answers_speech: bool) {
        self.note(Event::ReplyStarted);
        self.vad.restart_run();
        let facts = self.facts.as_ref();
        let wants_input = answers_speech && facts.is_some_and(|facts| facts.input_transcription);
        let wants_output = facts.is_some_and(|facts| facts.output_transcription);
        let steps = plan(&self.script, &reply, wants_input, wants_output, self.faulty, &mut self.dice);
        self.turn = Some(Turn { audio: reply.audio, started: Instant::now(), steps: steps.into(), spoken: false });
    }

    async fn step(&mut self) -> Go {
        let Some(turn) = self.turn.as_mut() else { return Ok(()) };
        let Some((_, step)) = turn.steps.pop_front() else { return Ok(()) };
        let script = Arc::clone(&self.script);
        match step {
            Step::Input(text) => self.send(json!({"serverContent": {"inputTranscription": {"text": text}}})).await,
            Step::Output(text) => self.send(json!({"serverContent": {"outputTranscription": {"text": text}}})).await,
            Step::Thought(text) => {
                let content = model_turn(vec![json!({"text": text, "thought": true})]);
                self.send(json!({ "serverContent": content })).await
            }
            Step::Audio { samples, text } => {
                let first = !std::mem::replace(&mut turn.spoken, true);
                let audio = turn.audio.get(samples).unwrap_or_default();
                let cut = if script.split_extra { audio.len() / 2 } else { 0 };
                let (left, right) = audio.split_at(cut);
                let mut parts = Vec::new();
                if !left.is_empty() {
                    parts.push(audio_part(left, script.odd_base64));
                }
                parts.push(audio_part(right, script.odd_base64));
                let mut content = model_turn(parts);
                if let Some(text) = text {
                    content["outputTranscription"] = json!({ "text": text });
                }
                let sent = audio.len();
                if first {
                    self.note(Event::FirstAudio);
                    self.resumable(false).await?;
                }
                self.send(json!({ "serverContent": content })).await?;
                lock(&self.log).samples_sent += sent;
                Ok(())
            }
            Step::GenerationComplete => {
                self.note(Event::LastAudio);
                self.send(json!({"serverContent": {"generationComplete": true}})).await
            }
            Step::TurnComplete => self.turn_complete().await,
            Step::Close(code, reason) => self.fault(code, &reason).await,
        }
    }

    async fn turn_complete(&mut self) -> Go {
        self.turn = None;
        let next = self.follow_ups.pop_front();
        let mut content = json!({"turnComplete": true});
        if self.family().is_38() {
            content["interactionStatus"] = json!(if next.is_some() { "IN_PROGRESS" } else { "IDLE" });
        }
        self.note(Event::TurnComplete);
        self.send(json!({"serverContent": content, "usageMetadata": usage()})).await?;
        if self.script.spurious_interrupted {
            self.send(json!({"serverContent": {"interrupted": true}})).await?;
        }
        self.resumable(true).await?;
        if let Some(next) = next {
            self.start_turn(next, false);
        } else if std::mem::take(&mut self.queued) {
            self.start_reply();
        }
        Ok(())
    }

    /// Stops the running turn, if there is one.
    async fn interrupt(&mut self) -> Go {
        if self.turn.take().is_none() {
            return Ok(());
        }
        self.follow_ups.clear();
        self.queued = false;
        self.note(Event::Interrupted);
        let mut content = json!({"turnComplete": true});
        if self.family().is_38() {
            content["interactionStatus"] = json!("IDLE");
        }
        if self.script.split_extra {
            content["interrupted"] = json!(true);
        } else {
            self.send(json!({"serverContent": {"interrupted": true}})).await?;
        }
        self.note(Event::TurnComplete);
        self.send(json!({"serverContent": content, "usageMetadata": usage()})).await?;
        self.resumable(true).await
    }

    /// `sessionResumptionUpdate`, if the client wants handles.
    async fn resumable(&mut self, resumable: bool) -> Go {
        if !self.facts.as_ref().is_some_and(|facts| facts.resumption) {
            return Ok(());
        }
        if !resumable {
            return self.send(json!({"sessionResumptionUpdate": {"resumable": false}})).await;
        }
        self.handles += 1;
        let handle = format!("mock-handle-{}-{}", self.number, self.handles);
        lock(&self.shared.handles).insert(handle.clone());
        self.send(json!({"sessionResumptionUpdate": {"newHandle": handle, "resumable": true}})).await
    }

    // -- the clock

    async fn timer(&mut self, timer: Timer) -> Go {
        let script = Arc::clone(&self.script);
        match timer {
            Timer::BadKey => self.fault(1007, BAD_KEY).await,
            Timer::SetupComplete => self.live().await,
            Timer::GoAway => {
                self.note(Event::GoAway);
                let left = format!("{}s", script.go_away_left.as_secs_f64());
                self.after(script.go_away_left, Timer::GoAwayClose);
                self.send(json!({"goAway": {"timeLeft": left}})).await
            }
            Timer::GoAwayClose => self.fault(script.go_away_close.0, &script.go_away_close.1).await,
            Timer::CancelTool => {
                let Some(id) = self.waiting_for.take() else { return Ok(()) };
                self.check.cancelled(&id);
                self.send(json!({"toolCallCancellation": {"ids": [id]}})).await
            }
        }
    }

    /// The setup is complete.
    async fn live(&mut self) -> Go {
        self.check.set_live();
        {
            let mut log = lock(&self.log);
            log.live_since = Some(std::time::Instant::now());
            log.note(Event::SetupComplete);
        }
        self.send(json!({"setupComplete": {}})).await?;
        self.send_message(Message::Ping(b"mock".to_vec().into())).await?;
        self.resumable(true).await?;
        if self.faulty
            && let Some(time) = self.script.go_away_after
        {
            self.after(time, Timer::GoAway);
        }
        if self.script.stall {
            return Ok(());
        }
        if let Some(talk) = &self.talk {
            self.talking = Some(Talking { next: Instant::now() + talk.chunk, left: talk.chunks });
        } else if self.script.greet_unasked {
            self.greet();
        }
        Ok(())
    }

    /// The next chunk of the talk stream, or the end of a turn of it.
    async fn talk_on(&mut self, now: Instant) -> Go {
        let (Some(talk), Some(talking)) = (self.talk.clone(), self.talking.as_mut()) else { return Ok(()) };
        let late = now.saturating_duration_since(talking.next);
        let first = talking.left == talk.chunks;
        if talking.left > 0 {
            talking.left -= 1;
            talking.next += talk.chunk;
            {
                let mut log = lock(&self.log);
                log.worst_late = log.worst_late.max(late);
                log.samples_sent += talk.samples;
                if first {
                    log.note(Event::FirstAudio);
                }
            }
            return self.send_message(talk.message.clone()).await;
        }
        talking.left = talk.chunks;
        talking.next += talk.off;
        self.send(json!({"serverContent": {"generationComplete": true}})).await?;
        self.note(Event::TurnComplete);
        self.send(json!({"serverContent": {"turnComplete": true}, "usageMetadata": usage()})).await
    }
}

// ---------------------------------------------------------------------------------------------------------------
// pure parts

/// The steps of a turn, each with its time from the start, in order.
fn plan(
    script: &Script,
    reply: &Reply,
    wants_input: bool,
    wants_output: bool,
    faulty: bool,
    dice: &mut u32,
) -> Vec<(Duration, Step)> {
    let mut steps = Vec::new();
    let mut heard: VecDeque<String> = if wants_input { script.input_text.clone().into() } else { VecDeque::new() };
    let mut said: VecDeque<String> = if wants_output { reply.output_text.clone().into() } else { VecDeque::new() };
    // the end of what the caller said comes late, as it may
    let mut heard_late = if heard.len() > 1 { heard.pop_back() } else { None };
    steps.extend(heard.into_iter().map(|text| (Duration::ZERO, Step::Input(text))));
    let begin = script.reply_delay;
    if let Some(thought) = &script.thought {
        steps.push((begin, Step::Thought(thought.clone())));
    }
    let said_late = if said.len() > 1 && !script.split_extra { said.pop_back() } else { None };

    let chunks = cut(reply.audio.len(), &reply.chunk_ms, dice);
    let close = script.close_mid_reply.as_ref().filter(|_| faulty);
    let speed = if reply.faster_than_realtime { FASTER } else { 1 };
    let mut at = begin;
    for (i, samples) in chunks.iter().enumerate() {
        at = begin + played(samples.start) / speed;
        let text = said.pop_front();
        if script.split_extra {
            steps.push((at, Step::Audio { samples: samples.clone(), text }));
        } else {
            // words run ahead of their sound
            steps.extend(text.map(|text| (at, Step::Output(text))));
            steps.push((at, Step::Audio { samples: samples.clone(), text: None }));
        }
        steps.extend(heard_late.take().map(|text| (at, Step::Input(text))));
        if let Some((code, reason)) = close
            && i == chunks.len() / 2
        {
            steps.push((at, Step::Close(*code, reason.clone())));
            return steps;
        }
    }
    steps.extend(heard_late.map(|text| (at, Step::Input(text))));
    steps.extend(said.into_iter().map(|text| (at, Step::Output(text))));
    if let Some((code, reason)) = close {
        steps.push((at, Step::Close(*code, reason.clone())));
        return steps;
    }
    steps.push((at, Step::GenerationComplete));
    steps.extend(said_late.map(|text| (at, Step::Output(text))));
    steps.push((begin + played(reply.audio.len()), Step::TurnComplete));
    steps
}

/// How long so many samples at 24 kHz sound.
fn played(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000 / OUT_PER_MS as u64)
}

/// Cuts so many samples at 24 kHz into chunks of pseudo-random lengths.
fn cut(samples: usize, chunk_ms: &Range<u32>, dice: &mut u32) -> Vec<Range<usize>> {
    let mut chunks = Vec::new();
    let mut from = 0;
    while from < samples {
        *dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let width = chunk_ms.end.saturating_sub(chunk_ms.start).max(1);
        let ms = (chunk_ms.start + (*dice >> 8) % width).max(1);
        let to = (from + ms as usize * OUT_PER_MS).min(samples);
        chunks.push(from..to);
        from = to;
    }
    chunks
}

/// A message as it goes on the wire.
fn wire(script: &Script, mut value: Value) -> Message {
    if script.unknown_fields {
        if let Some(content) = value.get_mut("serverContent") {
            content["xNewField"] = json!(["a", 1, null]);
        }
        value["xNewTopLevelField"] = json!({"deep": {"er": [{}]}});
    }
    let text = value.to_string();
    if script.text_frames { Message::text(text) } else { Message::binary(text.into_bytes()) }
}

fn model_turn(parts: Vec<Value>) -> Value {
    json!({"modelTurn": {"role": "model", "parts": parts}})
}

fn audio_part(samples: &[i16], odd: bool) -> Value {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let data = if odd { BASE64_URL_SAFE_NO_PAD.encode(&bytes) } else { BASE64_STANDARD.encode(&bytes) };
    json!({"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}})
}

fn usage() -> Value {
    json!({
        "promptTokenCount": 120, "responseTokenCount": 80, "totalTokenCount": 200,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 100}, {"modality": "TEXT", "tokenCount": 20}],
        "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 80}],
    })
}

/// At most so many bytes, whole characters.
fn clip(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// A sine.
#[must_use]
pub fn tone(rate: u32, hz: f64, ms: u32, amplitude: f64) -> Vec<i16> {
    let samples = u64::from(rate) * u64::from(ms) / 1_000;
    let turn = std::f64::consts::TAU * hz / f64::from(rate);
    (0..samples).map(|i| ((i as f64 * turn).sin() * amplitude).round() as i16).collect()
}

/// Linear interpolation from 16 to 24 kHz: good enough for an echo.
#[must_use]
pub fn to_24k(samples: &[i16]) -> Vec<i16> {
    let at = |i: usize| samples.get(i).or(samples.last()).copied().map_or(0, i32::from);
    (0..samples.len() * 3 / 2)
        .map(|k| {
            let (whole, third) = (k * 2 / 3, (k * 2 % 3) as i32);
            ((at(whole) * (3 - third) + at(whole + 1) * third) / 3) as i16
        })
        .collect()
}

/// What the detector noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The caller began to speak.
    Started,
    /// Long enough to interrupt.
    Sustained,
    /// The caller has ended.
    Ended,
}

/// Speech by energy, in frames of 10 ms, timed by the audio itself and not by a clock.
#[derive(Clone, Debug)]
pub struct Detector {
    speech_rms: f64,
    speech_ms: u32,
    barge_in_ms: u32,
    silence_ms: u32,
    frame: Vec<i16>,
    /// Voice in this stretch; short gaps do not end it.
    run: u32,
    /// Quiet since the last voice.
    quiet: u32,
    sustained: bool,
    speaking: bool,
}

impl Detector {
    const FRAME_MS: u32 = 10;
    /// Gaps in a word.
    const GAP_MS: u32 = 50;

    /// With the script's thresholds.
    #[must_use]
    pub fn new(script: &Script, silence_ms: u32) -> Self {
        Self {
            speech_rms: script.speech_rms,
            speech_ms: script.speech_ms,
            barge_in_ms: script.barge_in_ms,
            silence_ms,
            frame: Vec::new(),
            run: 0,
            quiet: 0,
            sustained: false,
            speaking: false,
        }
    }

    /// A turn begins: voice counts from here on.
    fn restart_run(&mut self) {
        self.run = 0;
        self.sustained = false;
    }

    /// The stream ends; true if the caller was speaking.
    fn flush(&mut self) -> bool {
        self.frame.clear();
        self.restart_run();
        self.quiet = 0;
        std::mem::take(&mut self.speaking)
    }

    /// Hears 16 kHz audio.
    pub fn push(&mut self, samples: &[i16]) -> Vec<Heard> {
        let mut heard = Vec::new();
        for sample in samples {
            self.frame.push(*sample);
            if self.frame.len() == Self::FRAME_MS as usize * IN_PER_MS {
                let power: f64 = self.frame.iter().map(|s| f64::from(*s).powi(2)).sum();
                let rms = (power / self.frame.len() as f64).sqrt();
                self.frame.clear();
                self.frame_of(rms >= self.speech_rms, &mut heard);
            }
        }
        heard
    }

    fn frame_of(&mut self, voiced: bool, heard: &mut Vec<Heard>) {
        if voiced {
            self.run += Self::FRAME_MS;
            self.quiet = 0;
        } else {
            self.quiet += Self::FRAME_MS;
            if self.quiet > Self::GAP_MS {
                self.restart_run();
            }
        }
        if !self.speaking && self.run >= self.speech_ms {
            self.speaking = true;
            heard.push(Heard::Started);
        }
        if !self.sustained && self.run >= self.barge_in_ms {
            self.sustained = true;
            heard.push(Heard::Sustained);
        }
        if self.speaking && self.quiet >= self.silence_ms {
            self.speaking = false;
            self.restart_run();
            heard.push(Heard::Ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::{MaybeTlsStream, connect_async};

    const PATH: &str = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";

    type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

    async fn client(mock: &MockGemini, query: &str) -> Client {
        connect_async(format!("{}{PATH}{query}", mock.url)).await.expect("the mock accepts").0
    }

    async fn say(client: &mut Client, value: Value) {
        client.send(Message::text(value.to_string())).await.expect("the mock reads");
    }

    fn setup() -> Value {
        json!({"setup": {"model": "models/gemini-3.8-live", "generationConfig": {"responseModalities": ["AUDIO"]},
            "outputAudioTranscription": {}, "inputAudioTranscription": {}}})
    }

    /// The next JSON or the close frame.
    async fn next(client: &mut Client) -> Result<Value, (u16, String)> {
        loop {
            let message = timeout(Duration::from_secs(5), client.next()).await.expect("an answer within 5 s");
            match message.expect("not the end").expect("no error") {
                Message::Binary(bytes) => return Ok(serde_json::from_slice(&bytes).expect("JSON")),
                Message::Close(frame) => {
                    let frame = frame.expect("a reason");
                    return Err((u16::from(frame.code), frame.reason.as_str().to_owned()));
                }
                _ => {}
            }
        }
    }

    fn audio(samples: &[i16]) -> Value {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let data = BASE64_STANDARD.encode(&bytes);
        json!({"realtimeInput": {"audio": {"mimeType": gemini_check::AUDIO_IN, "data": data}}})
    }

    #[test]
    fn the_detector_times_by_audio() {
        let mut detector = Detector::new(&Script::new(), 300);
        assert!(detector.push(&tone(16_000, 440.0, 50, 8_000.0)).is_empty(), "a click");
        assert!(detector.push(&[0; 1_600]).is_empty());
        let heard = detector.push(&tone(16_000, 440.0, 200, 8_000.0));
        assert_eq!(heard, [Heard::Started, Heard::Sustained]);
        assert!(detector.push(&[0; 290 * IN_PER_MS]).is_empty());
        assert_eq!(detector.push(&[0; 10 * IN_PER_MS]), [Heard::Ended]);
    }

    #[test]
    fn chunks_cover_everything() {
        let chunks = cut(24_000, &(40..200), &mut 1);
        assert_eq!(chunks.iter().map(ExactSizeIterator::len).sum::<usize>(), 24_000);
        assert!(chunks.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert!(chunks[..chunks.len() - 1].iter().all(|chunk| (960..4_800).contains(&chunk.len())));
    }

    #[test]
    fn echo_keeps_the_pitch() {
        assert_eq!(to_24k(&[0, 300, 600, 900]), [0, 200, 400, 600, 800, 900]);
        assert!(to_24k(&[]).is_empty());
    }

    #[test]
    fn turns_end_when_they_were_heard() {
        let script = Script::new().hears(["good ", "day"]);
        let reply = Reply::tone(440.0, 1_000).saying(["a", "b", "c"]);
        let steps = plan(&script, &reply, true, true, true, &mut 1);
        assert!(steps.is_sorted_by_key(|(at, _)| *at));
        let (at, last) = steps.last().expect("steps");
        assert!(matches!(last, Step::TurnComplete) && *at == Duration::from_secs(1), "{steps:?}");
        let fragments: String = steps
            .iter()
            .filter_map(|(_, step)| if let Step::Output(text) = step { Some(text.as_str()) } else { None })
            .collect();
        assert_eq!(fragments, "abc");
    }

    #[tokio::test]
    async fn greets_replies_and_is_interrupted() {
        let script = Script::new()
            .greeting(Reply::tone(440.0, 100).saying(["hello"]))
            .reply(Reply::tone(880.0, 3_000))
            .hears(["I say"])
            .silence_ms(100);
        let mock = MockGemini::start(script).await;
        let mut client = client(&mock, "?key=abc").await;
        say(&mut client, setup()).await;
        assert_eq!(next(&mut client).await, Ok(json!({"setupComplete": {}})));
        say(&mut client, json!({"realtimeInput": {"text": "greet"}})).await;
        let mut seen = String::new();
        while !seen.contains("turnComplete") {
            seen += &next(&mut client).await.expect("JSON").to_string();
        }
        assert!(seen.contains("hello") && seen.contains("inlineData") && seen.contains("usageMetadata"), "{seen}");
        for chunk in tone(16_000, 440.0, 200, 8_000.0).chunks(320).chain([0; 1_920].chunks(320)) {
            say(&mut client, audio(chunk)).await;
        }
        while !next(&mut client).await.expect("JSON").to_string().contains("inlineData") {}
        for chunk in tone(16_000, 440.0, 100, 8_000.0).chunks(320) {
            say(&mut client, audio(chunk)).await;
        }
        while !next(&mut client).await.expect("JSON").to_string().contains("interrupted") {}
        assert!(next(&mut client).await.expect("JSON").to_string().contains("turnComplete"));
        assert!(mock.violations().is_empty(), "{:?}", mock.violations());
        let log = &mock.sessions()[0];
        assert_eq!(log.key, Some(KeySeen::Query("abc".to_owned())));
        assert_eq!((log.audio_messages, log.audio.len()), (21, 21 * 320));
    }

    #[tokio::test]
    async fn closes_with_the_reasons_of_the_service() {
        let mock = MockGemini::start(Script::new().require_key("right")).await;
        let mut wrong = client(&mock, "?key=wrong").await;
        assert_eq!(next(&mut wrong).await, Err((1007, BAD_KEY.to_owned())));
        let mut right = client(&mock, "?key=right").await;
        let mut bad = setup();
        bad["setup"]["speechConfig"] = json!({});
        say(&mut right, bad).await;
        let (code, reason) = next(&mut right).await.expect_err("a close");
        assert_eq!(code, 1007);
        assert_eq!(
            reason,
            "Invalid JSON payload received. Unknown name \"speechConfig\" at 'setup': Cannot find field."
        );
        let words = "session 1: unknown field \"speechConfig\" in setup, it belongs into setup.generationConfig";
        assert_eq!(mock.violations(), [words]);
        assert_eq!(mock.connections(), 2);
    }
}
