//! A session whose far end is a browser: between the pipeline and a [`Peer`], and between the page and the call.
//!
//! The peer's datagrams go over the session's RTP socket; signalling comes as [`FromPage`] messages from a WebSocket or
//! WHIP and goes back as events. What SIP would answer, this answers: there is no leg behind it.

use super::{Session, SipAction};
use crate::{
    call::{
        journal::{Direction, IceChange, Level, Record, SipMessage},
        pipeline::Input,
    },
    clock::{Instant, SystemClock},
    gateway::engine::Taken,
    media::rtp::report::RemoteReport,
    redact::sip_text,
    unit::CallId,
    webrtc::{
        peer::{Accepted, Peer, Said, Settings, State},
        protocol::{self, FromPage, MESSAGES_PER_SECOND, Pace, TEXTS_MAX, TEXTS_WITHIN, ToPage},
    },
};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// Messages of a page that may wait for its session.
pub const FROM_PAGE_MAX: usize = 128;
/// Events that wait for a data channel; without one no more are kept.
const EARLY_MAX: usize = 32;

/// A page that wants to join: what signalling hands over.
#[derive(Debug)]
pub struct Joining {
    /// Its offer.
    pub offer: String,
    /// Where its signalling comes from, and the address that it reached.
    pub source: SocketAddr,
    /// Ours.
    pub local: SocketAddr,
    /// `wss`, `ws`, `https`, `http`: for the ladder.
    pub transport: &'static str,
    /// How peers are set up.
    pub settings: Arc<Settings>,
    /// The shared port for its media, where it is bound; none is the call's own.
    pub shared: Option<SocketAddr>,
    /// The answer, or why there is none.
    pub reply: oneshot::Sender<Result<Joined, Refused>>,
    /// Where events go; none for those who have no way to hear them but the data channel.
    pub events: Option<mpsc::Sender<String>>,
}

/// A page that is in.
#[derive(Debug)]
pub struct Joined {
    /// Its call.
    pub call: CallId,
    /// Our description.
    pub answer: String,
    /// What it says from now on; closed when the session is over.
    pub to: mpsc::Sender<FromPage>,
}

/// A page that is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// As SIP would have it.
    pub status: u16,
    /// For the page.
    pub why: String,
}

/// The browser's side of one session.
#[derive(Debug)]
pub(super) struct Link {
    peer: Peer,
    /// Who the page is to the call: `caller`, or `callee` of a call of ours.
    who: &'static str,
    /// The address that stands for the browser in the pipeline.
    stand_in: SocketAddr,
    /// None when the page's signalling is gone.
    from: Option<mpsc::Receiver<FromPage>>,
    events: Option<mpsc::Sender<String>>,
    source: SocketAddr,
    local: SocketAddr,
    transport: &'static str,
    /// What the browser would have offered over SIP.
    described: String,
    /// What the pipeline hears right now.
    saying: String,
    /// What the pipeline is to hear next.
    pending: VecDeque<Pending>,
    /// What the page described when it took a call of ours, until it can be heard.
    takes: Option<String>,
    answered: bool,
    acknowledged: bool,
    refused: Option<Refused>,
    path: Option<(SocketAddr, SocketAddr)>,
    packet: Vec<u8>,
    /// Events from before the data channel was open.
    early: VecDeque<String>,
    /// Events that the page did not take in time.
    lost_events: u64,
    /// What the page said on its data channel.
    typed: VecDeque<FromPage>,
    messages: Pace,
    /// Texts for the agent.
    texts: Pace,
    /// Messages of signalling so far.
    traced: u32,
}

/// Messages of signalling that are written down of a call, and bytes of each.
const TRACED_MAX: u32 = 256;
const TRACED_BYTES_MAX: usize = 8_192;

#[derive(Debug)]
enum Pending {
    Acknowledged,
    Ended { by: &'static str, status: Option<u16>, reason: String },
    Ice(IceChange),
    Report(RemoteReport),
    Trace(Box<SipMessage>),
    Note(Level, String),
    Changed(String),
    Reinvite(String),
    Takes(String),
}

impl Link {
    /// A peer whose signalling goes from `local` to `source`.
    pub(super) const fn new(
        peer: Peer,
        who: &'static str,
        (source, local): (SocketAddr, SocketAddr),
        transport: &'static str,
    ) -> Self {
        Self {
            peer,
            who,
            takes: None,
            stand_in: SocketAddr::new(source.ip(), 9),
            from: None,
            events: None,
            source,
            local,
            transport,
            described: String::new(),
            saying: String::new(),
            pending: VecDeque::new(),
            answered: false,
            acknowledged: false,
            refused: None,
            path: None,
            packet: Vec::new(),
            early: VecDeque::new(),
            lost_events: 0,
            typed: VecDeque::new(),
            messages: Pace::new(MESSAGES_PER_SECOND, Duration::from_secs(1)),
            texts: Pace::new(TEXTS_MAX, TEXTS_WITHIN),
            traced: 0,
        }
    }

    /// The answer to our offer: the call is up when the far end can be heard.
    pub(super) fn answered_with(&mut self, now: Instant, answer: &str) -> Result<(), String> {
        self.described = self.peer.take_answer(now, answer, self.stand_in)?;
        self.takes = Some(self.described.clone());
        Ok(())
    }

    /// When the peer wants to hear of the time.
    pub(super) fn timeout(&self) -> Instant {
        self.peer.timeout()
    }

    /// Sends a packet of the pipeline.
    pub(super) fn rtp(&mut self, now: Instant, packet: &[u8]) {
        self.peer.rtp(now, packet);
    }

    /// Does what SIP would do; gives what the engine is to hear of it.
    pub(super) fn sip(&mut self, now: Instant, action: SipAction) -> Option<SipAction> {
        match action {
            SipAction::Answer(_) => {
                self.answered = true;
                self.acknowledge();
            }
            SipAction::Refuse(status, why) => {
                self.refused = Some(Refused { status, why: why.clone() });
                self.pending.push_back(Pending::Ended { by: "us", status: Some(status), reason: why });
            }
            SipAction::HangUp(reason) => {
                self.peer.close(now);
                self.trace(Direction::Out, "bye", &reason);
                self.pending.push_back(Pending::Ended { by: "us", status: None, reason: String::new() });
            }
            // Hold from our side: the browser hears it and need not agree. The answer by our own numbers would change
            // whose payload types hold, so theirs are told again.
            SipAction::Reinvite(text) => {
                let flow = ["sendonly", "inactive", "recvonly"].iter().find(|flow| text.contains(&format!("a={flow}")));
                let theirs = match flow {
                    Some(&"sendonly") => "recvonly",
                    Some(&"recvonly") => "sendonly",
                    Some(other) => other,
                    None => "sendrecv",
                };
                let described = self.described.replace("a=sendrecv", &format!("a={theirs}"));
                self.pending.push_back(Pending::Changed(described.clone()));
                self.pending.push_back(Pending::Reinvite(described));
            }
            // Nothing rings at a browser, and what it offers again the peer has answered.
            SipAction::Ring
            | SipAction::Digit(..)
            | SipAction::Held(_)
            | SipAction::Accepted
            | SipAction::RingWithMedia(_)
            | SipAction::AnswerReinvite(_)
            | SipAction::RefuseReinvite(_) => {}
            // The page has taken the telephones' place: it is the callee.
            SipAction::AnswerReplacing(_) => return Some(SipAction::Accepted),
            SipAction::RefuseReplacing(status) => {
                let reason = "the page and we have no media in common".to_owned();
                self.close(now, &reason);
                self.pending.push_back(Pending::Ended { by: "us", status: Some(status), reason });
            }
        }
        None
    }

    /// The call came to nothing or is over, and nobody asks the page.
    pub(super) fn close(&mut self, now: Instant, reason: &str) {
        if self.peer.state() != State::Closed {
            self.peer.close(now);
            self.trace(Direction::Out, "bye", reason);
        }
    }

    /// An agent may greet when it was answered and can be heard; who calls a page hears it then.
    fn acknowledge(&mut self) {
        if let Some(described) = self.takes.take_if(|_| self.peer.state() == State::Connected) {
            self.pending.push_back(Pending::Takes(described));
        }
        if self.answered && !self.acknowledged && self.peer.state() == State::Connected {
            self.acknowledged = true;
            self.pending.push_back(Pending::Acknowledged);
        }
    }

    /// Tells the page what happened to its call.
    pub(super) fn record(&mut self, now: Instant, record: &Record) {
        if let Some(text) = protocol::event(record) {
            self.tell(now, text);
        }
    }

    fn tell(&mut self, now: Instant, text: String) {
        if let Some(events) = &self.events {
            self.lost_events += u64::from(events.try_send(text).is_err());
            return;
        }
        // The data channel opens after the call has begun.
        while let Some(early) = self.early.pop_front() {
            if !self.peer.text(now, &early) {
                self.early.push_front(early);
                break;
            }
        }
        if (!self.early.is_empty() || !self.peer.text(now, &text)) && self.early.len() < EARLY_MAX {
            self.early.push_back(text);
        }
    }

    /// What the pipeline is to hear now.
    pub(super) fn next(&mut self) -> Option<Input<'_>> {
        Some(match self.pending.pop_front()? {
            Pending::Acknowledged => Input::Acknowledged(None),
            Pending::Ended { by, status, reason } => Input::SipEnded { by, status, reason },
            Pending::Ice(change) => Input::Ice(change),
            Pending::Report(report) => Input::FarReport(report),
            Pending::Trace(message) => Input::SipTrace(*message),
            Pending::Note(level, text) => Input::Note(level, text),
            Pending::Changed(text) => {
                self.saying = text;
                Input::Changed(Some(self.saying.as_bytes()))
            }
            Pending::Reinvite(text) => {
                self.saying = text;
                Input::Reinvite(Some(self.saying.as_bytes()))
            }
            Pending::Takes(text) => {
                self.saying = text;
                Input::Replaced(Some(self.saying.as_bytes()), false)
            }
        })
    }

    /// A message for the ladder, as long as there are not too many: a page must not fill the disk.
    fn trace(&mut self, direction: Direction, label: &str, text: &str) {
        self.traced += 1;
        if self.traced == TRACED_MAX {
            let text = format!("more than {TRACED_MAX} messages of signalling; the rest is not written down");
            self.pending.push_back(Pending::Note(Level::Warn, text));
        }
        if self.traced >= TRACED_MAX {
            return;
        }
        let end = text.floor_char_boundary(TRACED_BYTES_MAX);
        let text = &text[..end];
        let message = SipMessage {
            direction,
            peer: self.source.to_string(),
            local: self.local.to_string(),
            transport: self.transport.to_owned(),
            label: label.to_owned(),
            method: label.to_owned(),
            status: None,
            cseq: 0,
            sdp: crate::gateway::engine::sdp_words(text),
            retransmission: false,
            text: sip_text(text),
        };
        self.pending.push_back(Pending::Trace(Box::new(message)));
    }

    /// What the peer said, except packets; true if a packet waits in `packet`.
    fn said(&mut self, now: Instant, said: Said) -> bool {
        match said {
            Said::Rtp => {
                self.peer.packet(&mut self.packet);
                return true;
            }
            Said::State(state) => {
                self.ice(state.name());
                self.acknowledge();
            }
            Said::Path(ours, theirs) => {
                self.path = Some((ours, theirs));
                let state = self.peer.state().name();
                self.ice(state);
            }
            Said::Report(report) => self.pending.push_back(Pending::Report(RemoteReport {
                loss_percent: report.loss_percent.unwrap_or_default(),
                lost: 0,
                jitter_ms: report.jitter_ms.unwrap_or_default(),
                rtt_ms: report.rtt_ms,
            })),
            Said::Text(text) => self.typed(now, &text),
            Said::Failed(why) => {
                let by = if why.starts_with("the browser closed") { self.who } else { "network" };
                let why = if self.from.is_some() { why.to_owned() } else { why.replace("the browser", "the far end") };
                self.pending.push_back(Pending::Ended { by, status: None, reason: why });
            }
        }
        false
    }

    /// A message on the data channel is what it would be on the WebSocket. A far end that we called is no page.
    fn typed(&mut self, now: Instant, text: &str) {
        if self.from.is_none() {
            return;
        }
        let read = if self.messages.step(now) { protocol::read(text) } else { Err("too many messages".to_owned()) };
        match read {
            Ok(message) => self.typed.push_back(message),
            Err(why) => self.tell(now, ToPage::Error { status: 400, why: &why }.json()),
        }
    }

    fn ice(&mut self, state: &str) {
        let (local, remote) =
            self.path.map(|(ours, theirs)| (ours.to_string(), theirs.to_string())).unwrap_or_default();
        self.pending.push_back(Pending::Ice(IceChange { state: state.to_owned(), local, remote }));
    }
}

/// The standard clock's reading at our clock's origin.
pub(super) fn origin(now: Instant) -> std::time::Instant {
    let std_now = std::time::Instant::now();
    std_now.checked_sub(Duration::from_nanos(now.as_nanos())).unwrap_or(std_now)
}

/// The next message of the page; waits for ever where there is no page.
pub(super) async fn page(link: &mut Option<Box<Link>>) -> Option<FromPage> {
    match link.as_mut().and_then(|link| link.from.as_mut()) {
        Some(from) => from.recv().await,
        None => std::future::pending().await,
    }
}

impl Session {
    /// A message of signalling passed.
    pub(super) async fn traced(&mut self, direction: Direction, label: &str, text: &str) {
        if let Some(link) = &mut self.web {
            link.trace(direction, label, text);
            self.hear_link().await;
        }
    }

    /// Answers the page's offer and begins the call.
    pub(super) async fn join(&mut self, joining: Joining) {
        let now = SystemClock::now();
        let Some((accepted, reply, to)) = self.meet(now, joining, self.local, "caller").await else { return };
        self.input(Input::Offered(Some(accepted.described.as_bytes()))).await;
        let Some(link) = &mut self.web else { return };
        if let Some(refused) = link.refused.take() {
            link.peer.close(now);
            let _ = reply.send(Err(refused));
            return;
        }
        self.answer_page(accepted.answer, reply, to).await;
    }

    /// A page takes this call of ours: the telephones that it was offered to are out of it, and so are their keys.
    pub(super) async fn taken(&mut self, taken: Taken) {
        let Taken { joining, media: (_, tell) } = taken;
        let now = SystemClock::now();
        let port = joining.shared.map_or(self.local.port(), |shared| shared.port());
        let local = SocketAddr::new(tell, port);
        let Some((accepted, reply, to)) = self.meet(now, joining, local, "callee").await else { return };
        self.pipeline.forget_keys();
        if let Some(link) = &mut self.web {
            link.takes = Some(accepted.described);
        }
        self.answer_page(accepted.answer, reply, to).await;
    }

    async fn answer_page(
        &mut self,
        answer: String,
        reply: oneshot::Sender<Result<Joined, Refused>>,
        to: mpsc::Sender<FromPage>,
    ) {
        if let Some(link) = &mut self.web {
            link.trace(Direction::Out, "answer", &answer);
        }
        if reply.send(Ok(Joined { call: self.call, answer, to })).is_err() {
            self.input(Input::HangUp("the page went away".to_owned())).await;
        }
        self.peer_turn().await;
    }

    /// Answers a page's offer, so that it is the far end from here on; nothing if that cannot be.
    async fn meet(
        &mut self,
        now: Instant,
        joining: Joining,
        media: SocketAddr,
        who: &'static str,
    ) -> Option<(Accepted, oneshot::Sender<Result<Joined, Refused>>, mpsc::Sender<FromPage>)> {
        let Joining { offer, source, local, transport, settings, shared, reply, events } = joining;
        if let Some(shared) = shared {
            match self.mux.sit(shared, &self.sink.hub.counters) {
                Ok(seat) => self.seat = Some(seat),
                Err(why) => {
                    self.no_link(reply, Refused { status: 503, why }).await;
                    return None;
                }
            }
        }
        let base = origin(now);
        let codecs = (&self.peer_codecs.0[..], self.peer_codecs.1);
        let accepted = Peer::accept(now, base, &settings, media, source.ip(), codecs, &offer);
        let (peer, accepted) = match accepted {
            Ok(accepted) => accepted,
            Err(why) => {
                self.no_link(reply, Refused { status: 488, why }).await;
                return None;
            }
        };
        if let Some(seat) = &self.seat {
            seat.answered(&accepted.answer);
        }
        let (to, from) = mpsc::channel(FROM_PAGE_MAX);
        let mut link = Link::new(peer, who, (source, local), transport);
        (link.from, link.events) = (Some(from), events);
        (link.stand_in, link.described) = (accepted.stand_in, accepted.described.clone());
        link.trace(Direction::In, "offer", &offer);
        self.web = Some(Box::new(link));
        Some((accepted, reply, to))
    }

    /// The page has no media with us: it and the call hear why.
    async fn no_link(&mut self, reply: oneshot::Sender<Result<Joined, Refused>>, refused: Refused) {
        let Refused { status, why } = refused.clone();
        let _ = reply.send(Err(refused));
        self.input(Input::Note(Level::Error, format!("{status}: {why}"))).await;
        self.input(Input::SipEnded { by: "us", status: Some(status), reason: why }).await;
    }

    /// What came for it on a shared port.
    pub(super) async fn shared(&mut self, mut source: SocketAddr, mut bytes: Vec<u8>) {
        // What else has arrived is taken in the same turn of the loop.
        for _ in 0..8 {
            self.web_datagram(source, &bytes).await;
            let Some(seat) = &self.seat else { return };
            seat.give_back(bytes);
            let Some(next) = seat.take() else { return };
            (source, bytes) = next;
        }
        self.web_datagram(source, &bytes).await;
    }

    /// A datagram for the peer, and what follows from it.
    pub(super) async fn web_datagram(&mut self, source: SocketAddr, bytes: &[u8]) {
        if let Some(link) = &mut self.web {
            if !link.peer.datagram(SystemClock::now(), source, bytes) {
                self.sink.hub.counters.web_strays.fetch_add(1, Ordering::Relaxed);
            } else if let Some(seat) = &self.seat {
                seat.authentic(source);
            }
            self.peer_turn().await;
        }
    }

    /// The peer's timer.
    pub(super) async fn web_due(&mut self) {
        let now = SystemClock::now();
        if let Some(link) = &mut self.web
            && link.timeout() <= now
        {
            link.peer.handle_timeout(now);
            self.peer_turn().await;
        }
    }

    /// Everything that the peer has to say.
    pub(super) async fn peer_turn(&mut self) {
        while let Some(link) = &mut self.web
            && let Some(said) = link.peer.poll()
        {
            if link.said(SystemClock::now(), said) {
                let packet = std::mem::take(&mut link.packet);
                let stand_in = link.stand_in;
                self.keep(stand_in, self.local, &packet);
                self.input(Input::Datagram { from: stand_in, bytes: &packet }).await;
                if let Some(link) = &mut self.web {
                    link.packet = packet;
                }
            }
        }
        while let Some(message) = self.web.as_mut().and_then(|link| link.typed.pop_front()) {
            self.page_said(Some(message)).await;
        }
        self.hear_link().await;
    }

    /// What the link has for the pipeline although nothing else happened.
    async fn hear_link(&mut self) {
        if self.web.as_ref().is_some_and(|link| !link.pending.is_empty()) {
            // Whatever the pipeline is told, it then hears what is pending.
            self.input(Input::Timeout).await;
        }
        self.flush();
    }

    /// Puts the peer's datagrams on the network.
    pub(super) fn flush(&mut self) {
        let Some(link) = &mut self.web else { return };
        while let Some((to, bytes)) = link.peer.transmit() {
            let sent = match (&self.seat, &self.rtp) {
                (Some(seat), _) => seat.send(&bytes, to),
                (None, Some(rtp)) => rtp.try_send_to(&bytes, to).is_ok(),
                (None, None) => false,
            };
            if !sent {
                self.unsent += 1;
            }
        }
    }

    /// What the page says; none when its signalling is gone.
    pub(super) async fn page_says(&mut self, message: Option<FromPage>) {
        self.page_said(message).await;
        self.peer_turn().await;
    }

    async fn page_said(&mut self, message: Option<FromPage>) {
        let now = SystemClock::now();
        let Some(link) = &mut self.web else { return };
        match message {
            None => {
                link.peer.close(now);
                let reason = "the page is gone".to_owned();
                link.pending.push_back(Pending::Ended { by: link.who, status: None, reason });
                link.from = None;
            }
            Some(FromPage::Bye { reason }) => {
                link.trace(Direction::In, "bye", &reason);
                link.peer.close(now);
                link.pending.push_back(Pending::Ended { by: link.who, status: None, reason });
            }
            Some(FromPage::Candidate { candidate }) => {
                link.trace(Direction::In, "candidate", &candidate);
                if let Err(problem) = link.peer.candidate(now, &candidate) {
                    link.pending.push_back(Pending::Note(Level::Warn, format!("a candidate was refused: {problem}")));
                }
            }
            Some(FromPage::Offer { sdp }) => {
                link.trace(Direction::In, "offer", &sdp);
                match link.peer.offer_again(now, &sdp) {
                    Ok(answer) => {
                        link.trace(Direction::Out, "answer", &answer);
                        if let Some(seat) = &self.seat {
                            seat.answered(&answer);
                        }
                        let call = self.call.to_string();
                        link.tell(now, ToPage::Answer { call: &call, sdp: &answer }.json());
                    }
                    Err(why) => {
                        link.pending.push_back(Pending::Note(Level::Warn, format!("a new offer was refused: {why}")));
                        link.tell(now, ToPage::Error { status: 488, why: &why }.json());
                    }
                }
            }
            Some(FromPage::Dtmf { digit, ms }) => {
                link.trace(Direction::In, "dtmf", "");
                self.input(Input::InfoDigit(digit, ms)).await;
            }
            Some(FromPage::Mute { muted }) => {
                link.trace(Direction::In, if muted { "mute" } else { "unmute" }, "");
            }
            Some(FromPage::Text { text }) => self.wrote(now, text).await,
            Some(FromPage::Join { .. } | FromPage::Register { .. } | FromPage::Decline { .. } | FromPage::Unknown) => {}
        }
    }

    /// The page writes to the agent; if nobody can read it, the page and the journal hear of that.
    async fn wrote(&mut self, now: Instant, text: String) {
        let Some(link) = &mut self.web else { return };
        link.trace(Direction::In, "text", "");
        let refused = if link.texts.step(now) {
            self.pipeline.may_write().err().map(|why| (501, why.to_owned()))
        } else {
            Some((429, format!("more than {TEXTS_MAX} texts within {} s", TEXTS_WITHIN.as_secs())))
        };
        let Some((status, why)) = refused else { return self.input(Input::Wrote(text)).await };
        link.pending.push_back(Pending::Note(Level::Warn, format!("a text of the page was refused: {why}")));
        link.tell(now, ToPage::Error { status, why: &why }.json());
    }
}
