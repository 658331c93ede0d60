//! A small HTTP server of our own that answers as it is told and writes down what it was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    /// More header lines.
    pub headers: String,
    pub after: Duration,
    /// The body ends after half of it, and the connection with it.
    pub breaks: bool,
}

impl Answer {
    pub fn of(status: u16, body: &str) -> Self {
        Self { status, body: body.to_owned(), headers: String::new(), after: Duration::ZERO, breaks: false }
    }

    pub fn after(mut self, ms: u64) -> Self {
        self.after = Duration::from_millis(ms);
        self
    }

    pub fn header(mut self, line: &str) -> Self {
        self.headers.push_str(line);
        self.headers.push_str("\r\n");
        self
    }
}

/// One request.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `POST /path?query`
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The connection that it came over, counted from 1.
    pub connection: usize,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Answer>,
    asked: Vec<Asked>,
    connections: usize,
    gone: usize,
}

/// The running server; its answers are given in order, the last again and again.
#[derive(Debug)]
pub struct MockHttp {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

impl MockHttp {
    pub async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { answers: answers.into_iter().collect(), ..State::default() }));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    let number = {
                        let mut state = state.lock().unwrap();
                        state.connections += 1;
                        state.connections
                    };
                    let _ = serve(stream, number, &state).await;
                    state.lock().unwrap().gone += 1;
                });
            }
        });
        Self { url, state, task }
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// Connections that are over.
    pub fn gone(&self) -> usize {
        self.state.lock().unwrap().gone
    }
}

impl Drop for MockHttp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, connection: usize, state: &Mutex<State>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4_096];
        let head = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            bytes.extend_from_slice(&buffer[..read]);
        };
        let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
        let mut lines = text.lines();
        let line = lines.next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut asked = Asked { line, headers, body: String::new(), connection };
        let length: usize = asked.header("content-length").parse().unwrap_or(0);
        while bytes.len() < head + 4 + length {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            bytes.extend_from_slice(&buffer[..read]);
        }
        asked.body = String::from_utf8_lossy(&bytes[head + 4..head + 4 + length]).into_owned();
        bytes.drain(..head + 4 + length);
        let answer = {
            let mut state = state.lock().unwrap();
            state.asked.push(asked);
            match state.answers.len() {
                0 => Answer::of(200, ""),
                1 => state.answers[0].clone(),
                _ => state.answers.pop_front().unwrap(),
            }
        };
        // One who does not wait for the answer closes: that is seen here.
        let wait = tokio::time::sleep(answer.after);
        tokio::pin!(wait);
        tokio::select! {
            () = &mut wait => {}
            _ = stream.readable(), if !answer.after.is_zero() => {
                if matches!(stream.try_read(&mut buffer), Ok(0) | Err(_)) {
                    return Ok(());
                }
            }
        }
        let Answer { status, body, headers, breaks, .. } = answer;
        let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len());
        let sent = if breaks { &text[..text.len() - body.len() / 2] } else { &text };
        stream.write_all(sent.as_bytes()).await?;
        if breaks {
            return Ok(());
        }
    }
}
