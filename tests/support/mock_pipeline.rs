//! A MOCK of the three services of a `pipeline` agent, in OpenAI's HTTP shapes, for tests and for trying voxgw without a
//! key. It hears no words, does not think, and speaks in tones: a [`Script`] says what is answered and when.
//!
//! What it checks of each request: method and path, the key, the content type; of a transcription the form's parts, no
//! others, and a 16-bit mono WAV that is as long as it says; of a chat that every field is documented, that roles,
//! contents and calls of tools have their shape and order (results follow the calls that asked for them, all of them),
//! that it streams; of speech the fields and their ranges. A violation is written down and answered with 400.
//!
//! What it imitates: server-sent events in pieces, calls of tools in fragments, sound in pieces faster than real time.

use serde_json::{Map, Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use voxgw::{
    media::{dsp::tone, file::wav},
    unit::SampleRate,
};

/// One answer of the model.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// What it writes, in these pieces.
    pub pieces: Vec<String>,
    /// Tools that it calls: name, arguments.
    pub calls: Vec<(&'static str, Value)>,
    /// Between two pieces.
    pub pause: Duration,
}

impl Reply {
    /// It writes this, word by word.
    pub fn text(text: &str) -> Self {
        Self { pieces: text.split_inclusive(' ').map(str::to_owned).collect(), ..Self::default() }
    }

    /// It calls this.
    pub fn call(name: &'static str, arguments: Value) -> Self {
        Self { calls: vec![(name, arguments)], ..Self::default() }
    }
}

/// Something unpleasant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status, with a body that quotes the key as the vendor does.
    Status(u16),
    /// Nothing comes.
    Silent,
    /// The body ends in its middle, and the connection with it.
    BreaksOff,
    /// The body is none.
    Rubbish,
}

/// What the mock does.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Any other key is refused with 401.
    pub key: Option<String>,
    /// What the caller said, per transcription; then the last again and again.
    pub hears: Vec<String>,
    /// Answers, one after the other, then from the start again.
    pub replies: Vec<Reply>,
    /// A sentence that holds these words has this pitch and this length in milliseconds; others 700 Hz, 60 ms a letter.
    pub voices: Vec<(&'static str, f64, usize)>,
    /// Before each answer begins: of `stt`, `llm`, `tts`, milliseconds.
    pub delays: [u64; 3],
    /// Sound comes so many times faster than it is heard; 0 is at once.
    pub pace: u32,
    /// Stage, what it does, how many of its first requests.
    pub fault: Option<(&'static str, Fault, usize)>,
}

/// What one request was.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `stt`, `llm`, `tts`.
    pub stage: &'static str,
    /// Its fields; of a transcription without the file.
    pub fields: Value,
    /// The caller's sound.
    pub heard: Vec<i16>,
    /// The answer was let go before its end.
    pub cut: bool,
}

#[derive(Debug, Default)]
struct Shared {
    script: Script,
    asked: Mutex<Vec<Asked>>,
    violations: Mutex<Vec<String>>,
    refused: Mutex<usize>,
}

/// The running mock.
#[derive(Debug)]
pub struct MockPipeline {
    /// `http://127.0.0.1:PORT/v1`.
    pub url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl MockPipeline {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start(script: Script) -> Self {
        Self::listen(script, "127.0.0.1:0").await
    }

    /// Listens there.
    pub async fn listen(script: Script, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("the address is free");
        let url = format!("http://{}/v1", listener.local_addr().expect("bound"));
        let shared = Arc::new(Shared { script, ..Shared::default() });
        let state = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                connections.spawn(async move {
                    let _ = connection(stream, &state).await;
                });
            }
        });
        Self { url, shared, task }
    }

    /// What it was asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// What this stage was asked.
    pub fn of(&self, stage: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.stage == stage).collect()
    }

    /// All rules broken.
    pub fn violations(&self) -> Vec<String> {
        lock(&self.shared.violations).clone()
    }

    /// Requests with a wrong key.
    pub fn refused(&self) -> usize {
        *lock(&self.shared.refused)
    }
}

impl Drop for MockPipeline {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// A piece of an answer, after so long.
type Piece = (Duration, Vec<u8>);

async fn connection(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(request) = read(&mut stream, &mut bytes).await? {
        let (stage, answer) = answer(&request, shared);
        let number = lock(&shared.asked).len().saturating_sub(1);
        match answer {
            Answer::Refused(status, body) => {
                let text = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(text.as_bytes()).await?;
            }
            Answer::Silent => {
                // Until it is let go.
                let _ = stream.read(&mut [0; 64]).await;
                lock(&shared.asked)[number].cut = true;
                return Ok(());
            }
            Answer::Pieces(kind, pieces, breaks_off) => {
                let delay =
                    shared.script.delays[["stt", "llm", "tts"].iter().position(|name| *name == stage).unwrap_or(0)];
                let sent = send(&mut stream, kind, Duration::from_millis(delay), pieces, breaks_off).await;
                if !matches!(sent, Ok(true)) {
                    lock(&shared.asked)[number].cut = !breaks_off;
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Sends an answer in chunks. Tells whether all of it went out; a client that closes is noticed between pieces.
async fn send(
    stream: &mut TcpStream,
    kind: &str,
    delay: Duration,
    pieces: Vec<Piece>,
    breaks_off: bool,
) -> std::io::Result<bool> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n");
    let mut first = Some((delay, head.into_bytes()));
    for (pause, piece) in pieces {
        let (wait, mut out) = first.take().map_or((pause, Vec::new()), |(delay, head)| (delay + pause, head));
        out.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        out.extend(piece);
        out.extend(b"\r\n");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // Nobody sends a second request before the answer: this is the close.
            _ = stream.readable(), if !wait.is_zero() => {
                if matches!(stream.try_read(&mut [0; 1]), Ok(0)) {
                    return Ok(false);
                }
                tokio::time::sleep(wait).await;
            }
        }
        stream.write_all(&out).await?;
    }
    if !breaks_off {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(!breaks_off)
}

async fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> std::io::Result<Option<Request>> {
    let mut buffer = vec![0; 64 << 10];
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            length => bytes.extend_from_slice(&buffer[..length]),
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request = Request { line, headers, body: Vec::new() };
    let length: usize = request.header("content-length").parse().unwrap_or(0);
    while bytes.len() < head + 4 + length {
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
    request.body = bytes[head + 4..head + 4 + length].to_vec();
    bytes.drain(..head + 4 + length);
    Ok(Some(request))
}

enum Answer {
    Refused(u16, String),
    Silent,
    /// Content type, pieces, whether it ends in its middle.
    Pieces(&'static str, Vec<Piece>, bool),
}

fn error(status: u16, message: &str) -> Answer {
    Answer::Refused(status, json!({"error": {"message": message, "type": "invalid_request_error"}}).to_string())
}

fn answer(request: &Request, shared: &Shared) -> (&'static str, Answer) {
    let script = &shared.script;
    let stage = match request.line.as_str() {
        "POST /v1/audio/transcriptions HTTP/1.1" => "stt",
        "POST /v1/chat/completions HTTP/1.1" => "llm",
        "POST /v1/audio/speech HTTP/1.1" => "tts",
        line => {
            lock(&shared.violations).push(format!("request {line}"));
            return ("stt", error(404, "Invalid URL"));
        }
    };
    if script.key.is_some() && request.header("authorization").strip_prefix("Bearer ") != script.key.as_deref() {
        *lock(&shared.refused) += 1;
        return (stage, error(401, "Incorrect API key provided: sk-wr**ong. You can find your API key."));
    }
    let (asked, wrong) = match stage {
        "stt" => transcription(request),
        "llm" => chat(request),
        _ => speech(request),
    };
    let (number, count) = {
        let mut all = lock(&shared.asked);
        let count = all.iter().filter(|asked| asked.stage == stage).count();
        all.push(Asked { stage, ..asked.clone() });
        (all.len() - 1, count)
    };
    if !wrong.is_empty() {
        let words = wrong.join("; ");
        lock(&shared.violations).push(format!("{stage} {number}: {words}"));
        return (stage, error(400, &words));
    }
    let fault =
        script.fault.as_ref().filter(|(of, _, first)| *of == stage && count < *first).map(|(_, fault, _)| fault);
    match fault {
        Some(Fault::Status(status)) => return (stage, error(*status, "You exceeded sk-ab**cd your quota.")),
        Some(Fault::Silent) => return (stage, Answer::Silent),
        Some(Fault::Rubbish) => {
            let rubbish = b"data: {\"choices\":[}\n\n\xff\xfe<html>".to_vec();
            return (stage, Answer::Pieces("text/html", vec![(Duration::ZERO, rubbish)], false));
        }
        Some(Fault::BreaksOff) | None => {}
    }
    // What failed is asked for again.
    let failed = script.fault.as_ref().filter(|(of, ..)| *of == stage).map_or(0, |(_, _, first)| *first);
    let count = count.saturating_sub(failed);
    let (kind, mut pieces) = match stage {
        "stt" => {
            let words = script.hears.get(count).or(script.hears.last()).cloned().unwrap_or_default();
            ("application/json", vec![(Duration::ZERO, json!({"text": words}).to_string().into_bytes())])
        }
        "llm" => {
            let reply = script.replies.get(count % script.replies.len().max(1)).cloned().unwrap_or_default();
            ("text/event-stream", stream_of(&reply, count))
        }
        _ => sound_of(&asked.fields, script),
    };
    let breaks_off = fault.is_some();
    if breaks_off {
        match pieces.len() {
            1 => {
                let half = pieces[0].1.len() / 2;
                pieces[0].1.truncate(half);
            }
            length => pieces.truncate(length / 2),
        }
    }
    (stage, Answer::Pieces(kind, pieces, breaks_off))
}

/// The chunks of an answer, as the service cuts them.
fn stream_of(reply: &Reply, count: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut push = |pause: Duration, choices: Value, usage: Value| {
        let chunk = json!({"id": format!("chatcmpl-{count}"), "object": "chat.completion.chunk", "created": 1, "model": "mock",
            "choices": choices, "usage": usage});
        pieces.push((pause, format!("data: {chunk}\n\n").into_bytes()));
    };
    let delta =
        |delta: Value, reason: Value| json!([{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": null}]);
    push(Duration::ZERO, delta(json!({"role": "assistant", "content": ""}), Value::Null), Value::Null);
    for piece in &reply.pieces {
        push(reply.pause, delta(json!({"content": piece}), Value::Null), Value::Null);
    }
    for (index, (name, arguments)) in reply.calls.iter().enumerate() {
        let call = json!({"index": index, "id": format!("call_{count}_{index}"), "type": "function",
            "function": {"name": name, "arguments": ""}});
        push(reply.pause, delta(json!({"tool_calls": [call]}), Value::Null), Value::Null);
        let arguments = arguments.to_string();
        let (one, other) = arguments.split_at(arguments.len() / 2);
        for part in [one, other] {
            let call = json!({"index": index, "function": {"arguments": part}});
            push(Duration::ZERO, delta(json!({"tool_calls": [call]}), Value::Null), Value::Null);
        }
    }
    let reason = if reply.calls.is_empty() { "stop" } else { "tool_calls" };
    push(Duration::ZERO, delta(json!({}), json!(reason)), Value::Null);
    push(Duration::ZERO, json!([]), json!({"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27}));
    pieces.push((Duration::ZERO, b"data: [DONE]\n\n".to_vec()));
    pieces
}

/// A tone, in pieces of a tenth of a second.
fn sound_of(fields: &Value, script: &Script) -> (&'static str, Vec<Piece>) {
    let text = fields["input"].as_str().unwrap_or_default();
    let voice = script.voices.iter().find(|(words, ..)| text.contains(words));
    let (hz, ms) = voice.map_or((700.0, text.chars().count() * 60), |(_, hz, ms)| (*hz, *ms));
    let mut samples = Vec::new();
    tone::sine(hz, 9_000.0, SampleRate::HZ_24000, 0, ms * 24, &mut samples);
    let mut bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let kind = if fields["response_format"] == "wav" {
        // A stream's length is not known when its head goes out.
        let mut file = wav::header(SampleRate::HZ_24000, 1, u64::from(u32::MAX)).to_vec();
        file.append(&mut bytes);
        bytes = file;
        "audio/wav"
    } else {
        "audio/pcm"
    };
    // Odd on purpose: samples are cut in two.
    let pause = if script.pace == 0 { Duration::ZERO } else { Duration::from_millis(100) / script.pace };
    (kind, bytes.chunks(4_801).map(|piece| (pause, piece.to_vec())).collect())
}

// Checks

fn transcription(request: &Request) -> (Asked, Vec<String>) {
    let (mut wrong, mut fields, mut heard) = (Vec::new(), Map::new(), Vec::new());
    let kind = request.header("content-type");
    let Some(boundary) = kind.strip_prefix("multipart/form-data; boundary=") else {
        return (Asked::default(), vec![format!("content type {kind}")]);
    };
    let fence = format!("--{boundary}");
    let mut rest = &request.body[..];
    if !request.body.starts_with(fence.as_bytes()) || !request.body.ends_with(format!("\r\n{fence}--\r\n").as_bytes()) {
        wrong.push("the form does not begin and end with its boundary".to_owned());
    }
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|part| part == what);
    while let Some(at) = find(rest, fence.as_bytes()) {
        rest = &rest[at + fence.len()..];
        if rest.starts_with(b"--") {
            break;
        }
        let (Some(head_ends), Some(part_ends)) =
            (find(rest, b"\r\n\r\n"), find(rest, format!("\r\n{fence}").as_bytes()))
        else {
            wrong.push("a part does not end".to_owned());
            break;
        };
        let head = String::from_utf8_lossy(&rest[..head_ends]).into_owned();
        let content = &rest[head_ends + 4..part_ends];
        let name =
            head.split("; name=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned();
        if name == "file" {
            if !head.contains("filename=\"") || !head.contains("Content-Type: audio/wav") {
                wrong.push("the file has no name or no type".to_owned());
            }
            match wav::read(content) {
                Ok(sound) if sound.channels.len() == 1 && content.len() == 44 + sound.channels[0].len() * 2 => {
                    if sound.channels[0].len() < sound.rate.0 as usize / 10 {
                        wrong.push("Audio file is too short. Minimum audio length is 0.1 seconds.".to_owned());
                    }
                    fields.insert("rate".into(), json!(sound.rate.0));
                    heard.clone_from(&sound.channels[0]);
                }
                Ok(_) => wrong.push("the WAV is not mono, or longer or shorter than it says".to_owned()),
                Err(problem) => wrong.push(format!("the WAV: {problem}")),
            }
        } else {
            fields.insert(name, json!(String::from_utf8_lossy(content)));
        }
        rest = &rest[part_ends..];
    }
    for name in fields.keys() {
        if !["model", "language", "prompt", "response_format", "temperature", "rate"].contains(&name.as_str()) {
            wrong.push(format!("unknown part {name}"));
        }
    }
    if fields.get("model").is_none_or(|model| model == "") || heard.is_empty() {
        wrong.push("model or file is missing".to_owned());
    }
    if fields.get("language").and_then(Value::as_str).is_some_and(|code| code.len() != 2) {
        wrong.push("language is not ISO 639-1".to_owned());
    }
    (Asked { fields: Value::Object(fields), heard, ..Asked::default() }, wrong)
}

fn json_of(request: &Request, known: &[&str], wrong: &mut Vec<String>) -> Value {
    if request.header("content-type") != "application/json" {
        wrong.push(format!("content type {}", request.header("content-type")));
    }
    let Ok(Value::Object(fields)) = serde_json::from_slice(&request.body) else {
        wrong.push("the body is no JSON object".to_owned());
        return Value::Null;
    };
    wrong.extend(
        fields.keys().filter(|name| !known.contains(&name.as_str())).map(|name| format!("unknown field {name}")),
    );
    Value::Object(fields)
}

fn chat(request: &Request) -> (Asked, Vec<String>) {
    const KNOWN: &[&str] = &[
        "model",
        "messages",
        "stream",
        "stream_options",
        "temperature",
        "max_completion_tokens",
        "reasoning_effort",
        "tools",
    ];
    let mut wrong = Vec::new();
    let fields = json_of(request, KNOWN, &mut wrong);
    if fields["model"].as_str().is_none_or(str::is_empty) {
        wrong.push("model is missing".to_owned());
    }
    if fields["stream"] != true || fields["stream_options"] != json!({"include_usage": true}) {
        wrong.push("it does not stream with usage".to_owned());
    }
    if !fields["temperature"].is_null() && !fields["temperature"].as_f64().is_some_and(|t| (0.0..=2.0).contains(&t)) {
        wrong.push("temperature is out of range".to_owned());
    }
    for tool in fields["tools"].as_array().into_iter().flatten() {
        let function = &tool["function"];
        let good = tool["type"] == "function"
            && function["name"].as_str().is_some_and(|name| !name.is_empty() && name.len() <= 64)
            && function["description"].is_string()
            && function["parameters"]["type"] == "object";
        if !good {
            wrong.push(format!("tool {tool}"));
        }
    }
    let Some(messages) = fields["messages"].as_array().filter(|messages| !messages.is_empty()) else {
        wrong.push("messages are missing".to_owned());
        return (Asked { fields, ..Asked::default() }, wrong);
    };
    // Calls that have no result yet.
    let mut open: VecDeque<String> = VecDeque::new();
    for (at, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        let fields: Vec<&str> = message.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        if !open.is_empty() && role != "tool" {
            wrong.push(format!("message {at}: calls of tools without results: {open:?}"));
            open.clear();
        }
        let known: &[&str] = match role {
            "system" | "user" => &["role", "content"],
            "assistant" => &["role", "content", "tool_calls"],
            "tool" => &["role", "content", "tool_call_id"],
            _ => &[],
        };
        if fields.iter().any(|field| !known.contains(field)) {
            wrong.push(format!("message {at} of {role}: fields {fields:?}"));
        }
        let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
        let has_words = message["content"].as_str().is_some_and(|text| !text.is_empty());
        if !has_words && (calls.is_empty() || !message["content"].is_null()) {
            wrong.push(format!("message {at} of {role} has no content"));
        }
        for call in &calls {
            let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
            let is_object = serde_json::from_str::<Value>(arguments).is_ok_and(|value| value.is_object());
            if call["type"] != "function" || !call["function"]["name"].is_string() || !is_object {
                wrong.push(format!("message {at}: call {call}"));
            }
            open.push_back(call["id"].as_str().unwrap_or_default().to_owned());
        }
        if role == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            match open.iter().position(|known| known == id) {
                Some(at) => drop(open.remove(at)),
                None => wrong.push(format!("message {at}: the result of {id}, which was not called there")),
            }
        }
    }
    if !open.is_empty() {
        wrong.push(format!("calls of tools without results: {open:?}"));
    }
    (Asked { fields, ..Asked::default() }, wrong)
}

fn speech(request: &Request) -> (Asked, Vec<String>) {
    let mut wrong = Vec::new();
    let fields = json_of(request, &["model", "voice", "input", "response_format", "speed"], &mut wrong);
    for name in ["model", "voice", "input"] {
        if fields[name].as_str().is_none_or(|text| text.trim().is_empty() || text.chars().count() > 4_096) {
            wrong.push(format!("{name} is missing, or too long"));
        }
    }
    if !["wav", "pcm"].contains(&fields["response_format"].as_str().unwrap_or_default()) {
        wrong.push(format!("response_format {}", fields["response_format"]));
    }
    if !fields["speed"].is_null() && !fields["speed"].as_f64().is_some_and(|speed| (0.25..=4.0).contains(&speed)) {
        wrong.push("speed is out of range".to_owned());
    }
    (Asked { fields, ..Asked::default() }, wrong)
}
