//! The gateway's local API over its Unix socket: questions, wishes, and the event stream.

use crate::process::wait_until;
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// No answer takes longer: a text is waited for as long as SIP waits.
const PATIENCE: Duration = Duration::from_secs(40);

/// The API of one gateway.
pub struct Api {
    socket: PathBuf,
}

impl Api {
    /// At a socket.
    pub const fn at(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Status and document; `Null` if there is none.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = self.open(method, path, body);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the answer can be read");
        let (head, document) = answer.split_once("\r\n\r\n").expect("a whole answer");
        let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, serde_json::from_str(document).unwrap_or(Value::Null))
    }

    fn open(&self, method: &str, path: &str, body: &str) -> UnixStream {
        let mut stream = UnixStream::connect(&self.socket).expect("the API is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time can be set");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("the API listens");
        stream
    }

    /// The document of a GET that succeeds.
    pub fn get(&self, path: &str) -> Value {
        let (status, document) = self.ask("GET", path, "");
        assert_eq!(status, 200, "GET {path}: {document}");
        document
    }

    /// Status and document of a POST.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask("POST", path, &body.to_string())
    }

    /// Contacts of a user who is registered.
    pub fn contacts(&self, user: &str) -> Vec<String> {
        let health = self.get("/v1/health");
        let users = health["users"].as_array().cloned().unwrap_or_default();
        let known = users.iter().find(|known| known["name"] == user);
        let contacts = known.and_then(|known| known["contacts"].as_array().cloned()).unwrap_or_default();
        contacts.iter().filter_map(|contact| contact.as_str().map(str::to_owned)).collect()
    }

    /// A trunk as the API shows it.
    pub fn trunk(&self, name: &str) -> Value {
        let health = self.get("/v1/health");
        let trunks = health["trunks"].as_array().cloned().unwrap_or_default();
        trunks.into_iter().find(|known| known["name"] == name).unwrap_or(Value::Null)
    }

    /// Waits until a trunk is in a state, and gives it.
    pub fn wait_for_trunk(&self, name: &str, state: &str) -> Value {
        let reached = wait_until(Duration::from_secs(10), || self.trunk(name)["state"] == state);
        let trunk = self.trunk(name);
        assert!(reached, "trunk {name} is never {state}: {trunk}");
        trunk
    }

    /// Waits for the only call to be in a state, and gives its name.
    pub fn wait_for_call(&self, state: &str) -> String {
        let call = || {
            let sessions = self.get("/v1/sessions");
            let found = sessions["sessions"].as_array()?.iter().find(|session| session["state"] == state)?.clone();
            found["header"]["call"].as_str().map(str::to_owned)
        };
        assert!(wait_until(Duration::from_secs(10), || call().is_some()), "no call is ever {state}");
        call().expect("it was there a moment ago")
    }

    /// Listens to the event stream; the snapshot has come when this returns.
    pub fn events(&self) -> Events {
        let stream = self.open("GET", "/v1/events", "");
        let items = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&items);
        thread::spawn(move || {
            // each item is a chunk of its own, which has its length on a line before it
            for line in BufReader::new(stream).lines().map_while(Result::ok).filter(|line| line.starts_with('{')) {
                if let (Ok(item), Ok(mut items)) = (serde_json::from_str::<Value>(&line), into.lock()) {
                    items.push(item);
                }
            }
        });
        let events = Events { items };
        events.wait_for(|item| item["type"] == "snapshot");
        events
    }
}

/// Items of an event stream so far.
pub struct Events {
    items: Arc<Mutex<Vec<Value>>>,
}

impl Events {
    /// Waits for the first item that is meant.
    pub fn wait_for(&self, meant: impl Fn(&Value) -> bool) -> Value {
        let found = || self.items.lock().ok().and_then(|items| items.iter().find(|item| meant(item)).cloned());
        assert!(wait_until(Duration::from_secs(10), || found().is_some()), "the item never comes");
        found().expect("it was there a moment ago")
    }
}
