//! A call of ours to a WHIP server (RFC 9725): the offering side of [`super::web`], with HTTP as its signalling.
//!
//! POST brings the answer, DELETE is our goodbye; what the far end says goodbye with is its DTLS. No trickle: our one
//! candidate is in the offer.

use super::{In, Session, web::Link};
use crate::{
    call::{
        journal::{Direction, Level},
        pipeline::Input,
    },
    clock::SystemClock,
    error::Kind,
    net::http,
    network::url::Url,
    redact::Secret,
    webrtc::peer::{OFFER_MAX, Peer, Settings},
};
use bytes::Bytes;
use hyper::Method;
use std::{net::SocketAddr, time::Duration};
use tokio::sync::mpsc;

/// The server must answer within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// It hears our goodbye within this time, or never.
const GOODBYE_WITHIN: Duration = Duration::from_secs(2);

/// A WHIP server to call.
#[derive(Clone, Debug)]
pub struct Whip {
    /// Where.
    pub url: Url,
    /// Its address.
    pub remote: SocketAddr,
    /// Headers of all requests to it.
    pub headers: Vec<(String, Secret)>,
}

impl Whip {
    fn request(&self, method: Method, url: Url, offer: Option<String>) -> http::Request {
        let body = offer.map(|offer| ("application/sdp".into(), Bytes::from(offer)));
        http::Request { method, url, headers: self.headers.clone(), body }
    }
}

/// What ends such a call.
#[derive(Debug)]
pub(super) struct Goodbye(http::Request);

impl Session {
    /// Offers and waits for the answer; what the engine says meanwhile is done.
    pub(super) async fn call_whip(&mut self, whip: Whip, client: &http::Client, from: &mut mpsc::Receiver<In>) {
        let now = SystemClock::now();
        self.input(Input::Dialled).await;
        let codecs = (&self.peer_codecs.0[..], self.peer_codecs.1);
        let (peer, offer) = match Peer::offer(now, super::web::origin(now), &Settings::new(false), self.local, codecs) {
            Ok(made) => made,
            Err(why) => return self.not_there(None, why).await,
        };
        let secure = if whip.url.is_secure() { "https" } else { "http" };
        let local = SocketAddr::new(self.local.ip(), 0);
        self.web = Some(Box::new(Link::new(peer, "callee", (whip.remote, local), secure)));
        self.traced(Direction::Out, "POST offer", &offer).await;
        let request = whip.request(Method::POST, whip.url.clone(), Some(offer));
        let answer = client.once(&request, ANSWER_WITHIN, OFFER_MAX);
        tokio::pin!(answer);
        let answer = loop {
            tokio::select! {
                biased;
                input = from.recv() => match input {
                    Some(input) => self.engine_says(input).await,
                    None => return,
                },
                answer = &mut answer => break answer,
            }
            if self.over {
                return;
            }
        };
        let reply = match answer {
            Ok(reply) => reply,
            Err(error) => {
                let status = (error.kind() == Kind::Refused).then_some(403);
                return self.not_there(status, error.to_string()).await;
            }
        };
        self.traced(Direction::In, &format!("{} answer", reply.status), &reply.body).await;
        if !(200..300).contains(&reply.status) {
            let words: Vec<&str> = reply.body.split_whitespace().take(20).collect();
            let why = format!("POST {}: {} {}", whip.url, reply.status, words.join(" "));
            return self.not_there(Some(reply.status), why).await;
        }
        let location = whip.url.redirected(&reply.location);
        let now = SystemClock::now();
        let Some(link) = &mut self.web else { return };
        match link.answered_with(now, &reply.body) {
            Ok(()) => {
                self.goodbye = location.map(|location| Goodbye(whip.request(Method::DELETE, location, None)));
                if self.goodbye.is_none() {
                    let text = "the server names no Location that we could DELETE".to_owned();
                    self.input(Input::Note(Level::Warn, text)).await;
                }
                self.peer_turn().await;
            }
            Err(why) => self.not_there(Some(488), format!("no media: {why}")).await,
        }
    }

    /// The call has come to nothing.
    async fn not_there(&mut self, status: Option<u16>, why: String) {
        self.input(Input::SipEnded { by: "callee", status, reason: why }).await;
    }

    /// Ends the server's session before our connection is closed.
    pub(super) async fn say_goodbye(&mut self) {
        let Some(Goodbye(request)) = self.goodbye.take() else { return };
        if let Err(problem) = self.http.once(&request, GOODBYE_WITHIN, 1_024).await {
            tracing::debug!(target: "call", event = "call.whip_unended", call = %self.call, "{problem}");
        }
    }
}
