//! Server-sent events as chat completions are streamed: bytes in, chunks of the answer out.
//!
//! Owns the framing (WHATWG, "Server-sent events") and what a chunk means. Bodies that are one JSON object instead of a
//! stream are read as well: some servers do not stream. No bytes make it panic. Called by [`super::talk`].

use crate::call::journal::Usage;
use serde::Deserialize;

/// A line that is longer is no chunk of an answer.
const LINE_MAX: usize = 1 << 20;

/// What a piece of the body means.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// More of the text.
    Text(String),
    /// More of a call of a tool.
    Call(CallPiece),
    /// Why the answer ends: `stop`, `length`, `tool_calls`, `content_filter`.
    Finished(String),
    /// What it cost so far, in tokens.
    Usage(Usage),
    /// The service reports a failure.
    Error(String),
    /// `[DONE]`: nothing follows.
    Done,
    /// Something that could not be read.
    Odd(String),
}

/// A fragment of a call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallPiece {
    /// Which of the answer's calls.
    pub index: usize,
    /// Its name, in its first fragment.
    pub id: String,
    /// The tool, in its first fragment.
    pub name: String,
    /// More of the arguments' JSON text.
    pub arguments: String,
}

/// The reader of one body.
#[derive(Debug, Default)]
pub struct Reader {
    line: Vec<u8>,
    data: String,
    /// A carriage return came last: a line feed belongs to it.
    after_return: bool,
    began: bool,
    /// The body is one JSON object.
    whole: bool,
}

impl Reader {
    /// More of the body; what it means is appended.
    pub fn push(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) {
        for byte in bytes {
            if !self.began && !byte.is_ascii_whitespace() {
                self.began = true;
                self.whole = *byte == b'{';
            }
            if self.whole {
                self.line.push(*byte);
                if self.line.len() > LINE_MAX {
                    self.line.clear();
                    self.whole = false;
                    pieces.push(Piece::Odd("an answer of more than a megabyte".into()));
                }
                continue;
            }
            match byte {
                b'\n' if std::mem::take(&mut self.after_return) => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    self.line_ends(pieces);
                }
                _ => {
                    self.after_return = false;
                    if self.line.len() < LINE_MAX {
                        self.line.push(*byte);
                    }
                }
            }
        }
    }

    /// The body is over: what waited is read.
    pub fn finish(&mut self, pieces: &mut Vec<Piece>) {
        if std::mem::take(&mut self.whole) {
            let line = std::mem::take(&mut self.line);
            chunk(&String::from_utf8_lossy(&line), pieces);
        } else {
            // An event without the empty line behind it: servers forget it before they close.
            self.line_ends(pieces);
            self.event_ends(pieces);
        }
    }

    fn line_ends(&mut self, pieces: &mut Vec<Piece>) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.event_ends(pieces);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_start_matches('\u{feff}');
        if let Some(data) = text.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            if self.data.len() < LINE_MAX {
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
        }
        // Comments keep the connection open; event, id and retry say nothing here.
    }

    fn event_ends(&mut self, pieces: &mut Vec<Piece>) {
        let data = std::mem::take(&mut self.data);
        match data.trim() {
            "" => {}
            "[DONE]" => pieces.push(Piece::Done),
            data => chunk(data, pieces),
        }
    }
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Counts>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice {
    // A stream has deltas, a whole answer a message.
    #[serde(alias = "message")]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<Called>>,
}

#[derive(Deserialize)]
struct Called {
    index: Option<usize>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
    #[serde(default)]
    total_tokens: u64,
    prompt_tokens_details: Option<Details>,
    completion_tokens_details: Option<Details>,
}

#[derive(Default, Deserialize)]
struct Details {
    cached_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
}

impl From<Counts> for Usage {
    fn from(tokens: Counts) -> Self {
        let both = tokens.prompt_tokens.saturating_add(tokens.completion_tokens);
        Self {
            input_tokens: tokens.prompt_tokens,
            output_tokens: tokens.completion_tokens,
            // Some servers leave the sum to whoever reads.
            total_tokens: tokens.total_tokens.max(both),
            cached_tokens: tokens.prompt_tokens_details.unwrap_or_default().cached_tokens.unwrap_or_default(),
            thinking_tokens: tokens.completion_tokens_details.unwrap_or_default().reasoning_tokens.unwrap_or_default(),
            ..Self::default()
        }
    }
}

fn chunk(data: &str, pieces: &mut Vec<Piece>) {
    let chunk: Chunk = match serde_json::from_str(data) {
        Ok(chunk) => chunk,
        Err(problem) => return pieces.push(Piece::Odd(format!("a chunk could not be read: {problem}"))),
    };
    if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
        let words = error["message"].as_str().or(error.as_str()).map_or_else(|| error.to_string(), str::to_owned);
        pieces.push(Piece::Error(words));
    }
    for choice in chunk.choices {
        if let Some(delta) = choice.delta {
            // What it says instead of an answer is to be heard like one.
            for text in [delta.content, delta.refusal].into_iter().flatten().filter(|text| !text.is_empty()) {
                pieces.push(Piece::Text(text));
            }
            for (at, call) in delta.tool_calls.into_iter().flatten().enumerate() {
                let (name, arguments) = call.function.map_or((None, None), |call| (call.name, call.arguments));
                // Some servers give arguments as an object instead of its text.
                let arguments = match arguments {
                    Some(serde_json::Value::String(text)) => text,
                    Some(value) if !value.is_null() => value.to_string(),
                    _ => String::new(),
                };
                pieces.push(Piece::Call(CallPiece {
                    index: call.index.unwrap_or(at),
                    id: call.id.unwrap_or_default(),
                    name: name.unwrap_or_default(),
                    arguments,
                }));
            }
        }
        if let Some(reason) = choice.finish_reason {
            pieces.push(Piece::Finished(reason));
        }
    }
    if let Some(tokens) = chunk.usage {
        pieces.push(Piece::Usage(tokens.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8], step: usize) -> Vec<Piece> {
        let (mut reader, mut pieces) = (Reader::default(), Vec::new());
        for part in body.chunks(step) {
            reader.push(part, &mut pieces);
        }
        reader.finish(&mut pieces);
        pieces
    }

    #[test]
    fn a_stream_is_read_whatever_its_pieces_are() {
        let body = ": ping\r\n\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\r\n\r\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"Grüß dich\"}}]}\n\nevent: x\ndata:{\"choices\":\ndata: [{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
            data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12,\"prompt_tokens_details\":{\"cached_tokens\":4,\"audio_tokens\":0},\"completion_tokens_details\":null}}\r\rdata: [DONE]\n";
        let usage = Usage { input_tokens: 9, output_tokens: 3, total_tokens: 12, cached_tokens: 4, ..Usage::default() };
        let expected =
            [Piece::Text("Grüß dich".into()), Piece::Finished("stop".into()), Piece::Usage(usage), Piece::Done];
        for step in [1, 2, 7, 1_000] {
            assert_eq!(read(body.as_bytes(), step), expected, "{step} bytes at a time");
        }
    }

    #[test]
    fn calls_of_tools_come_in_fragments() {
        let body = "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"order\",\"arguments\":\"\"}}]}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"n\\\":1}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n";
        let first = CallPiece { index: 0, id: "call_1".into(), name: "order".into(), arguments: String::new() };
        let second = CallPiece { arguments: "{\"n\":1}".into(), ..CallPiece::default() };
        assert_eq!(
            read(body.as_bytes(), 5),
            [Piece::Call(first), Piece::Call(second), Piece::Finished("tool_calls".into())]
        );
    }

    #[test]
    fn whole_answers_errors_and_rubbish_are_told_apart() {
        let whole = br#"{"choices":[{"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}]}"#;
        assert_eq!(read(whole, 10), [Piece::Text("Hi.".into()), Piece::Finished("stop".into())]);
        let error = b"data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n";
        assert_eq!(read(error, 10), [Piece::Error("overloaded".into())]);
        for body in [&b"data: {\n\ndata: [1]\n\n"[..], b"data: \xff\xfe\n\n", b"{"] {
            assert!(read(body, 3).iter().all(|piece| matches!(piece, Piece::Odd(_))), "{body:?}");
        }
        assert_eq!(read(b"<html>no</html>", 3), []);
    }
}
