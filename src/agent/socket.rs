//! The one WebSocket client: carries a wire's frames to a provider and back, and connects again when that helps.
//!
//! One task per call, on the call's own worker: the wire is shared with the session by `Rc`, nothing crosses a
//! thread. Reading stops while the session takes nothing more, so a provider that floods is held back by TCP; what it is
//! told goes on meanwhile.

use super::{
    attach::Connection,
    event::{CassetteFrame, Event},
    seat::RemotePlan,
    wire::{AfterClose, Facts, Wire},
};
use crate::{
    call::{journal::Direction, latency::Histogram},
    clock::{Instant, SystemClock},
    config::read_secret,
    redact::Secret,
};
use futures_util::{SinkExt as _, StreamExt as _};
use std::{cell::RefCell, collections::VecDeque, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        self, Message,
        client::IntoClientRequest as _,
        http::{HeaderName, HeaderValue},
        protocol::{WebSocketConfig, frame::coding::CloseCode},
    },
};

/// From dialling to the WebSocket being open.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// From there to the service being ready.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// A connection that is sent away sooner than this was of no use.
const SHORT_LIVED: Duration = Duration::from_secs(2);
/// A provider that has sent nothing for so long is pinged…
const PING_AFTER: Duration = Duration::from_secs(5);
/// …and its connection counts as lost if it does not say anything within this.
const PONG_WITHIN: Duration = Duration::from_secs(5);
/// Before a connection is tried again; twice as long each time.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// The vendor's 16 MiB, and some.
const MESSAGE_MAX: usize = 20 << 20;

/// A message for the provider, and since when the voice in it has waited.
pub type Outgoing = (String, Option<Instant>);

/// What the session shares with its socket.
#[derive(Debug)]
pub struct Shared {
    /// The translation.
    pub wire: RefCell<Box<dyn Wire>>,
    /// RTP in to provider socket, voiced frames.
    pub uplink: RefCell<Histogram>,
    /// Frames for the cassette, if it is kept.
    pub cassette: Option<mpsc::UnboundedSender<CassetteFrame>>,
    /// The call's start.
    pub origin: Instant,
}

/// A socket that was opened, as the session sees it.
#[derive(Debug)]
pub struct Opened {
    /// The translation and the figures.
    pub shared: Rc<Shared>,
    /// Messages for the provider.
    pub to: mpsc::Sender<Outgoing>,
    /// What the provider means.
    pub events: mpsc::Receiver<Event>,
}

/// Seats `plan` at a call: its wire, and a task that carries frames until the session drops its sender.
#[must_use]
pub fn open(
    plan: &Arc<RemotePlan>,
    facts: &Facts,
    origin: Instant,
    cassette: Option<mpsc::UnboundedSender<CassetteFrame>>,
) -> Opened {
    let (to, outgoing) = mpsc::channel(512);
    let (events_to, events) = mpsc::channel(64);
    let wire = RefCell::new(plan.wire(facts));
    let call = facts.call.clone();
    let shared = Rc::new(Shared { wire, uplink: RefCell::default(), cassette, origin });
    tokio::task::spawn_local(run(Arc::clone(plan), call, Rc::clone(&shared), outgoing, events_to));
    Opened { shared, to, events }
}

type Stream = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// Who opened the connection.
enum Way {
    Out(Box<Stream>),
    In(Box<Connection>),
}

async fn connected(plan: &RemotePlan, call: &str) -> Result<Way, Unreachable> {
    let Some(slot) = &plan.slot else { return connect(plan, call).await.map(|stream| Way::Out(Box::new(stream))) };
    let gone = || Unreachable { text: "the platform that attached is gone".to_owned(), is_final: true };
    slot.take(CONNECT_WITHIN).await.map(|stream| Way::In(Box::new(stream))).ok_or_else(gone)
}

/// One connection, until it is closed.
async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: WebSocketStream<S>,
    sound: &str,
    shared: &Rc<Shared>,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    events: &mpsc::Sender<Event>,
    tries: &mut Tries,
) -> End {
    let end = serve(&mut stream, sound, shared, outgoing, events, tries).await;
    let patience = match end {
        End::SessionOver => Duration::from_secs(1),
        // The old connection first: a session that is resumed while it lives is refused.
        End::GoAway => Duration::from_millis(200),
        End::Closed(..) => Duration::ZERO,
    };
    if !patience.is_zero() {
        let _ = tokio::time::timeout(patience, stream.close(None)).await;
    }
    end
}

/// Runs until the session drops its sender, or the provider is lost for good.
async fn run(
    plan: Arc<RemotePlan>,
    call: String,
    shared: Rc<Shared>,
    mut outgoing: mpsc::Receiver<Outgoing>,
    events: mpsc::Sender<Event>,
) {
    let mut tries = Tries::of(&plan);
    let mut short_lived = 0;
    loop {
        let connected_at = SystemClock::now();
        let connected = tokio::select! {
            biased;
            // The call is over: nobody wants this connection any more.
            () = events.closed() => return,
            // On the heap only while it connects: TLS and HTTP need more room than all that follows.
            connected = Box::pin(connected(&plan, &call)) => connected,
        };
        let sound = plan.provider.sound;
        let end = match connected {
            Ok(Way::Out(stream)) => Box::pin(carry(*stream, sound, &shared, &mut outgoing, &events, &mut tries)).await,
            Ok(Way::In(stream)) => Box::pin(carry(*stream, sound, &shared, &mut outgoing, &events, &mut tries)).await,
            Err(problem) if problem.is_final => {
                let _ = events.send(Event::Failed(problem.text)).await;
                return;
            }
            Err(problem) => {
                if try_again(&mut tries, problem.text, &events).await.is_none() {
                    return;
                }
                continue;
            }
        };
        match end {
            End::SessionOver => return,
            End::GoAway => {
                shared.wire.borrow_mut().suspend();
                // A provider that sends us away at once, again and again, is gone for good.
                short_lived = if SystemClock::now().since(connected_at) < SHORT_LIVED { short_lived + 1 } else { 0 };
                if short_lived > 3 {
                    let _ = events.send(Event::Failed("the provider sends every connection away at once".into())).await;
                    return;
                }
                let _ = events.send(Event::Note("connecting again before the provider closes".into())).await;
            }
            End::Closed(code, reason) => {
                let next = shared.wire.borrow_mut().closed(code, &reason);
                match next {
                    AfterClose::Reconnect => {
                        let text = format!("the provider closed with {code} {reason}; connecting again");
                        let _ = events.send(Event::Note(text)).await;
                    }
                    AfterClose::TryAgain(problem) => {
                        if try_again(&mut tries, problem, &events).await.is_none() {
                            return;
                        }
                    }
                    AfterClose::HangUp(reason) => {
                        let _ = events.send(Event::HangUp(reason.clone())).await;
                        let _ = events.send(Event::Closed(reason)).await;
                        return;
                    }
                    AfterClose::GiveUp(problem) => {
                        let _ = events.send(Event::Failed(problem)).await;
                        return;
                    }
                }
            }
        }
    }
}

/// How often connecting is tried: connections that came to nothing since the last session that was ready.
#[derive(Debug)]
struct Tries {
    most: u32,
    most_once_live: u32,
    failed: u32,
}

impl Tries {
    fn of(plan: &RemotePlan) -> Self {
        let wanted = plan.settings.reconnects;
        Self {
            most: wanted.unwrap_or(plan.provider.retries),
            most_once_live: wanted.unwrap_or(plan.provider.retries_once_live),
            failed: 0,
        }
    }

    /// A session is ready: whoever calls is in the middle of it from now on.
    const fn ready(&mut self) {
        self.failed = 0;
        self.most = self.most_once_live;
    }

    /// The pause before the next one; none if that would be one too many.
    fn next(&mut self) -> Option<Duration> {
        let pause = RETRY_AFTER * 2_u32.saturating_pow(self.failed);
        (self.failed < self.most).then(|| {
            self.failed += 1;
            pause
        })
    }
}

/// Waits for the time to connect again; none if there is none: the provider is lost, or the call is over.
async fn try_again(tries: &mut Tries, problem: String, events: &mpsc::Sender<Event>) -> Option<()> {
    let Some(pause) = tries.next() else {
        let _ = events.send(Event::Failed(problem)).await;
        return None;
    };
    let _ = events.send(Event::Note(format!("{problem}; trying again"))).await;
    tokio::select! {
        () = events.closed() => None,
        () = tokio::time::sleep(pause) => Some(()),
    }
}

/// One connection, from its first message to its end.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut WebSocketStream<S>,
    sound: &str,
    shared: &Rc<Shared>,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    events: &mpsc::Sender<Event>,
    tries: &mut Tries,
) -> End {
    let (mut setup, mut known) = (Vec::new(), VecDeque::new());
    shared.wire.borrow_mut().setup(&mut setup, &mut known);
    let mut label = Some(shared.wire.borrow().label());
    // What was meant for the last connection may not come before this one is ready.
    while outgoing.try_recv().is_ok() {}
    for text in setup {
        keep(shared, sound, Direction::Out, &text, label.take());
        if let Err(end) = send(stream, text).await {
            return end;
        }
    }
    let ready = known.contains(&Event::Ready);
    if ready {
        tries.ready();
    }
    for event in known {
        let _ = events.send(event).await;
    }
    converse(stream, sound, ready, shared, outgoing, events, tries).await
}

/// A provider that takes nothing for so long is gone, though its machine still answers for it.
const SEND_WITHIN: Duration = Duration::from_secs(10);

async fn send<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut WebSocketStream<S>, text: String) -> Result<(), End> {
    send_message(stream, Message::text(text)).await
}

async fn send_message<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut WebSocketStream<S>,
    message: Message,
) -> Result<(), End> {
    match tokio::time::timeout(SEND_WITHIN, stream.send(message)).await {
        Ok(sent) => sent.map_err(|problem| closed_by(&problem)),
        Err(_) => Err(End::Closed(1_006, format!("it has taken nothing for {} s", SEND_WITHIN.as_secs()))),
    }
}

enum End {
    SessionOver,
    GoAway,
    Closed(u16, String),
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut WebSocketStream<S>,
    sound: &str,
    mut ready: bool,
    shared: &Rc<Shared>,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    events: &mpsc::Sender<Event>,
    tries: &mut Tries,
) -> End {
    let ready_by = tokio::time::sleep(READY_WITHIN);
    let leave_by = tokio::time::sleep(READY_WITHIN);
    let silent_until = tokio::time::sleep(PING_AFTER);
    tokio::pin!(ready_by, leave_by, silent_until);
    let (mut leaves, mut pinged) = (false, false);
    let mut found = VecDeque::new();
    let mut due = Vec::new();
    loop {
        if found.is_empty() {
            match shared.wire.borrow().leaves_within() {
                Some(Duration::ZERO) => return End::GoAway,
                Some(within) if !leaves => {
                    leaves = true;
                    leave_by.as_mut().reset(tokio::time::Instant::now() + within);
                }
                _ => {}
            }
        }
        tokio::select! {
            biased;
            message = outgoing.recv() => {
                let Some((text, voiced_since)) = message else { return End::SessionOver };
                keep(shared, sound, Direction::Out, &text, None);
                if let Err(end) = send(stream, text).await {
                    return end;
                }
                if let Some(since) = voiced_since {
                    shared.uplink.borrow_mut().add(SystemClock::now().since(since));
                }
            }
            permit = events.reserve(), if !found.is_empty() => {
                let (Ok(permit), Some(event)) = (permit, found.pop_front()) else { return End::SessionOver };
                if event == Event::Ready {
                    ready = true;
                    tries.ready();
                }
                let failed = matches!(event, Event::Failed(_));
                permit.send(event);
                if failed {
                    // What it cannot go on after ends here: the session has said what there is to say.
                    return End::SessionOver;
                }
                if found.is_empty() {
                    // Held back, it could not be heard.
                    silent_until.as_mut().reset(tokio::time::Instant::now() + PING_AFTER);
                }
            }
            // While the session has no room nothing is read: TCP holds the provider back. What it is told goes on.
            frame = stream.next(), if found.is_empty() => {
                // Whatever it is, it lives.
                pinged = false;
                silent_until.as_mut().reset(tokio::time::Instant::now() + PING_AFTER);
                let bytes = match frame {
                    Some(Ok(Message::Text(text))) => bytes::Bytes::from(text),
                    Some(Ok(Message::Binary(bytes))) => bytes,
                    Some(Ok(Message::Close(close))) => {
                        let (code, reason) = close.map_or((1_005, String::new()), |close| {
                            (u16::from(close.code), close.reason.to_string())
                        });
                        return End::Closed(code, reason);
                    }
                    Some(Ok(_)) => continue,
                    Some(Err(problem)) => return closed_by(&problem),
                    None => return End::Closed(1_006, "connection lost".into()),
                };
                if shared.cassette.is_some() {
                    keep(shared, sound, Direction::In, &String::from_utf8_lossy(&bytes), None);
                }
                {
                    let mut wire = shared.wire.borrow_mut();
                    wire.receive(&bytes, &mut found);
                    wire.due(&mut due);
                }
                for text in due.drain(..) {
                    keep(shared, sound, Direction::Out, &text, None);
                    if let Err(end) = send(stream, text).await {
                        return end;
                    }
                }
            }
            () = &mut silent_until, if ready && found.is_empty() => {
                if pinged {
                    let silent = PING_AFTER + PONG_WITHIN;
                    return End::Closed(1_006, format!("nothing for {} s, and no pong", silent.as_secs()));
                }
                pinged = true;
                silent_until.as_mut().reset(tokio::time::Instant::now() + PONG_WITHIN);
                if let Err(end) = send_message(stream, Message::Ping(bytes::Bytes::new())).await {
                    return end;
                }
            }
            () = &mut leave_by, if leaves && found.is_empty() => return End::GoAway,
            () = &mut ready_by, if !ready => {
                return End::Closed(1_008, format!("not ready within {} s", READY_WITHIN.as_secs()));
            }
        }
    }
}

fn closed_by(problem: &tungstenite::Error) -> End {
    End::Closed(u16::from(CloseCode::Abnormal), problem.to_string())
}

/// One line of the cassette; our own audio is left out, it is in the recording.
fn keep(shared: &Shared, sound: &str, direction: Direction, text: &str, wire: Option<String>) {
    let Some(cassette) = &shared.cassette else { return };
    let text = if direction == Direction::Out && text.starts_with(sound) {
        format!("{{\"audioBytes\":{}}}", text.len())
    } else {
        text.to_owned()
    };
    let t = (SystemClock::now().signed_ms_since(shared.origin) * 1_000.0).round() / 1e6;
    let _ = cassette.send(CassetteFrame { t, direction, wire, text });
}

/// What a connection with an agent may hold: tungstenite's defaults of 128 KiB would cost more memory than the rest of
/// the call.
#[must_use]
pub fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(8 << 10)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
}

/// Why there is no connection.
struct Unreachable {
    text: String,
    /// Trying again would bring the same.
    is_final: bool,
}

async fn connect(plan: &RemotePlan, call: &str) -> Result<Stream, Unreachable> {
    let place = plan.place();
    let because =
        |problem: String, is_final| Unreachable { text: format!("could not connect to {place}: {problem}"), is_final };
    let failed = |problem: String| because(problem, true);
    let mut request = plan.url.as_str().into_client_request().map_err(|problem| failed(problem.to_string()))?;
    let key = newest_key(plan).await;
    if let Some((name, value)) = plan.credentials(key.as_ref(), call, SystemClock::wall()) {
        let mut value = HeaderValue::from_str(value.reveal())
            .map_err(|_| failed("the key has characters that no key has".into()))?;
        // Not shown by anybody's debug output.
        value.set_sensitive(true);
        let name = HeaderName::try_from(name).map_err(|_| failed("auth names no header".into()))?;
        request.headers_mut().insert(name, value);
    }
    let connecting = tokio_tungstenite::connect_async_with_config(request, Some(limits()), true);
    match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
        Ok(Ok((stream, _))) => Ok(stream),
        Ok(Err(tungstenite::Error::Http(response))) => {
            let status = response.status();
            let said = response.body().as_deref().map(refusal).unwrap_or_default();
            let hint = match (status.as_u16(), (plan.provider.keys_of)(&plan.settings).first()) {
                (401 | 403, Some(key)) => plan
                    .key_file
                    .as_ref()
                    .map_or_else(|| format!("; check {key}"), |file| format!("; check the key in {}", file.display())),
                (404, _) => "; check agents.NAME.endpoint and model".to_owned(),
                _ => String::new(),
            };
            Err(because(format!("refused with {status}{said}{hint}"), !status.is_server_error()))
        }
        Ok(Err(problem)) => Err(because(problem.to_string(), false)),
        Err(_) => Err(because(format!("no answer within {} s", CONNECT_WITHIN.as_secs()), false)),
    }
}

/// The key as its file has it now: tokens end within the hour, and whoever renews them writes the file anew. While
/// that cannot be read, the last key that was there.
async fn newest_key(plan: &RemotePlan) -> Option<Secret> {
    let Some(path) = plan.key_file.clone() else { return plan.key.clone() };
    let read = tokio::task::spawn_blocking(move || read_secret(&path)).await;
    read.ok().and_then(Result::ok).or_else(|| plan.key.clone())
}

/// What a refusal's body says, if it is the usual JSON: `: message`. Services quote parts of the key in it; what looks
/// like one is left out.
fn refusal(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return String::new() };
    let said = [&body["error"]["message"], &body["message"], &body["error"]].into_iter().find_map(|said| said.as_str());
    let Some(said) = said else { return String::new() };
    let plain = |word: &&str| !word.starts_with("sk-") && !word.contains("**");
    let words: Vec<&str> = said.split_whitespace().filter(plain).take(40).collect();
    format!(": {}", words.join(" "))
}
