//! Requests outside of calls: REGISTER and OPTIONS to trunks, MESSAGE (RFC 3428). Answers challenges.

use super::{Endpoint, Event, Failure, Headers, Instant, Key, Method, Path, Request, Response};
use crate::sip::{
    auth::{Challenge, Credentials},
    header::CSeq,
    uri::{NameAddr, Uri},
};

/// Names a request until its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// What is asked, of whom.
#[derive(Clone, Debug)]
pub struct Ask {
    /// REGISTER, OPTIONS, MESSAGE.
    pub method: Method,
    /// Request-URI.
    pub uri: Uri,
    /// To; for REGISTER the AOR.
    pub to: Uri,
    /// From.
    pub from: Uri,
    /// First hop.
    pub path: Path,
    /// Call-ID and number of a sequence (REGISTER); none makes them.
    pub sequence: Option<(String, u32)>,
    /// Extra headers; `Contact` is made here for REGISTER.
    pub headers: Vec<(String, String)>,
    /// Content type and body.
    pub body: Option<(String, Vec<u8>)>,
    /// For a challenge.
    pub credentials: Option<Credentials>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Final status; 408 when nothing came, 503 when the connection was lost.
    pub status: u16,
    /// Its phrase, or what happened.
    pub reason: String,
    /// Its headers.
    pub headers: Headers,
    /// The number that was used last: a challenge takes one more.
    pub cseq: u32,
}

#[derive(Debug)]
pub(super) struct Asked {
    pub(super) id: AskId,
    pub(super) ask: Ask,
    call_id: String,
    from_tag: String,
    cseq: u32,
    /// Challenges answered: one of each kind, and one more for a stale nonce.
    pub(super) answered: Vec<u16>,
    /// Other targets that are left.
    pub(super) spares: usize,
}

impl Endpoint {
    pub(super) fn ask(&mut self, now: Instant, id: AskId, ask: Ask) {
        let (call_id, cseq) = ask
            .sequence
            .clone()
            .unwrap_or_else(|| (format!("{}@{}", self.token(), self.host_of(ask.path.local).ip()), 1));
        let from_tag = self.token();
        self.send_ask(now, Asked { id, ask, call_id, from_tag, cseq, answered: Vec::new(), spares: 0 }, Vec::new());
    }

    pub(super) fn send_ask(&mut self, now: Instant, asked: Asked, authorization: Vec<(&'static str, String)>) {
        let ask = &asked.ask;
        let mut headers = Headers::default();
        headers.push("From", NameAddr::of(ask.from.clone()).with_tag(&asked.from_tag).to_string());
        headers.push("To", NameAddr::of(ask.to.clone()).to_string());
        headers.push("Call-ID", asked.call_id.clone());
        headers.push("CSeq", CSeq { number: asked.cseq, method: ask.method.clone() }.to_string());
        headers.push("Max-Forwards", "70");
        if ask.method == Method::Register {
            headers.push("Contact", self.contact_as(ask.path, &ask.uri.to_string(), &ask.to.user));
            headers.push("Allow", super::allow());
        }
        for (name, value) in &ask.headers {
            headers.push(name, value.clone());
        }
        for (name, value) in authorization {
            headers.push(name, value);
        }
        let mut body = Vec::new();
        if let Some((content_type, bytes)) = &ask.body {
            headers.push("Content-Type", content_type.clone());
            body.clone_from(bytes);
        }
        let request = Request { method: ask.method.clone(), uri: ask.uri.to_string(), headers, body };
        let key = self.send_request(now, request, ask.path);
        self.asks.insert(key, asked);
    }

    /// A final response to something asked; true if it was one.
    pub(super) fn ask_answered(&mut self, now: Instant, key: &Key, response: &Response) -> bool {
        let Some(mut asked) = (response.status >= 200).then(|| self.asks.remove(key)).flatten() else {
            self.ask_is_heard(now, key);
            return self.asks.contains_key(key);
        };
        if response.status == 503 && asked.spares > 0 {
            self.ask_elsewhere(asked, &Failure::of(response));
            return true;
        }
        if matches!(response.status, 401 | 407)
            && let Some(authorization) = self.authorization(&asked, response)
        {
            asked.answered.push(response.status);
            asked.cseq += 1;
            self.send_ask(now, asked, vec![authorization]);
            return true;
        }
        let reply = Reply {
            status: response.status,
            reason: response.reason.clone(),
            headers: response.headers.clone(),
            cseq: asked.cseq,
        };
        self.event(Event::Replied(asked.id, reply));
        true
    }

    /// Nobody answered.
    pub(super) fn ask_timed_out(&mut self, key: &Key) {
        self.ask_failed(key, &Failure::silent());
    }

    /// It could not be sent, or the connection is gone.
    pub(super) fn ask_lost(&mut self, key: &Key, why: &str) {
        self.ask_failed(key, &Failure::lost(why));
    }

    fn ask_failed(&mut self, key: &Key, failure: &Failure) {
        let Some(asked) = self.asks.remove(key) else { return };
        if asked.spares > 0 {
            self.ask_elsewhere(asked, failure);
        } else {
            self.ask_over(&asked, failure.status, failure.why.clone());
        }
    }

    /// Tells the engine that nothing came.
    pub(super) fn ask_over(&mut self, asked: &Asked, status: u16, reason: String) {
        let reply = Reply { status, reason, headers: Headers::default(), cseq: asked.cseq };
        self.event(Event::Replied(asked.id, reply));
    }

    fn authorization(&mut self, asked: &Asked, response: &Response) -> Option<(&'static str, String)> {
        let credentials = asked.ask.credentials.as_ref()?;
        let (challenge, name) = strongest_challenge(response)?;
        let tried = asked.answered.iter().filter(|status| **status == response.status).count();
        if tried > usize::from(challenge.stale) {
            return None;
        }
        let cnonce = self.token();
        Some((name, challenge.answer(credentials, asked.ask.method.token(), &asked.ask.uri.to_string(), &cnonce, 1)))
    }
}

/// The challenge that we answer, the strongest first (RFC 8760 §2.4 leaves the choice to the client), and the header
/// that answers it.
pub(super) fn strongest_challenge(response: &Response) -> Option<(Challenge, &'static str)> {
    let (asks, answers) = if response.status == 401 {
        ("WWW-Authenticate", "Authorization")
    } else {
        ("Proxy-Authenticate", "Proxy-Authorization")
    };
    let mut challenges: Vec<Challenge> = response.headers.all(asks).filter_map(Challenge::parse).collect();
    challenges.sort_by_key(|challenge| !challenge.is_sha256());
    challenges.into_iter().next().map(|challenge| (challenge, answers))
}
