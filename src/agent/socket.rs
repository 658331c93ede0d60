//! The one WebSocket client: carries a wire's frames to a provider and back, and connects again when that helps.
//!
//! One task per call, on the call's own worker: the wire is shared with the session by `Rc`, nothing crosses a
//! thread. Reading stops while the session's queue is full, so a provider that floods is held back by TCP.

use super::{
    event::{CassetteFrame, Event},
    seat::GeminiPlan,
    wire::gemini::{AfterClose, Wire},
};
use crate::{
    call::{journal::Direction, latency::Histogram},
    clock::{Instant, SystemClock},
};
use futures_util::{SinkExt as _, StreamExt as _};
use std::{cell::RefCell, collections::VecDeque, rc::Rc, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        self, Message,
        client::IntoClientRequest as _,
        http::HeaderValue,
        protocol::{WebSocketConfig, frame::coding::CloseCode},
    },
};

/// From dialling to the WebSocket being open.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// From there to the service being ready.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// A connection that is sent away sooner than this was of no use.
const SHORT_LIVED: Duration = Duration::from_secs(2);
/// The vendor's 16 MiB, and some.
const MESSAGE_MAX: usize = 20 << 20;

/// A message for the provider, and since when the voice in it has waited.
pub type Outgoing = (String, Option<Instant>);

/// What the session shares with its socket.
#[derive(Debug)]
pub struct Shared {
    /// The translation.
    pub wire: RefCell<Wire>,
    /// RTP in to provider socket, voiced frames.
    pub uplink: RefCell<Histogram>,
    /// Frames for the cassette, if it is kept.
    pub cassette: Option<mpsc::UnboundedSender<CassetteFrame>>,
    /// The call's start.
    pub origin: Instant,
}

type Stream = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// Runs until the session drops its sender, or the provider is lost for good.
pub async fn run(
    plan: Arc<GeminiPlan>,
    shared: Rc<Shared>,
    mut outgoing: mpsc::Receiver<Outgoing>,
    events: mpsc::Sender<Event>,
) {
    let mut short_lived = 0;
    loop {
        let connected_at = SystemClock::now();
        let mut stream = match connect(&plan).await {
            Ok(stream) => stream,
            Err(problem) => {
                let _ = events.send(Event::Failed(problem)).await;
                return;
            }
        };
        let setup = shared.wire.borrow_mut().setup();
        // What was meant for the last connection may not come before this one is ready.
        while outgoing.try_recv().is_ok() {}
        keep(&shared, Direction::Out, &setup);
        if stream.send(Message::text(setup)).await.is_err() {
            let _ = events.send(Event::Failed("the provider closed the connection at once".into())).await;
            return;
        }
        match converse(&mut stream, &shared, &mut outgoing, &events).await {
            End::SessionOver => {
                let _ = tokio::time::timeout(Duration::from_secs(1), stream.close(None)).await;
                return;
            }
            End::GoAway => {
                shared.wire.borrow_mut().suspend();
                // A provider that sends us away at once, again and again, is gone for good.
                short_lived = if SystemClock::now().since(connected_at) < SHORT_LIVED { short_lived + 1 } else { 0 };
                if short_lived > 3 {
                    let _ = events.send(Event::Failed("the provider sends every connection away at once".into())).await;
                    return;
                }
                let _ = tokio::time::timeout(Duration::from_millis(200), stream.close(None)).await;
                let _ = events.send(Event::Note("connecting again before the provider closes".into())).await;
            }
            End::Closed(code, reason) => {
                let next = shared.wire.borrow_mut().closed(code, &reason);
                match next {
                    AfterClose::Reconnect => {
                        let text = format!("the provider closed with {code} {reason}; connecting again");
                        let _ = events.send(Event::Note(text)).await;
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

enum End {
    SessionOver,
    GoAway,
    Closed(u16, String),
}

async fn converse(
    stream: &mut Stream,
    shared: &Rc<Shared>,
    outgoing: &mut mpsc::Receiver<Outgoing>,
    events: &mpsc::Sender<Event>,
) -> End {
    let ready_by = tokio::time::sleep(READY_WITHIN);
    tokio::pin!(ready_by);
    let mut ready = false;
    let mut found = VecDeque::new();
    let mut due = Vec::new();
    loop {
        tokio::select! {
            biased;
            message = outgoing.recv() => {
                let Some((text, voiced_since)) = message else { return End::SessionOver };
                keep(shared, Direction::Out, &text);
                if let Err(problem) = stream.send(Message::text(text)).await {
                    return closed_by(&problem);
                }
                if let Some(since) = voiced_since {
                    shared.uplink.borrow_mut().add(SystemClock::now().since(since));
                }
            }
            frame = stream.next() => {
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
                    keep(shared, Direction::In, &String::from_utf8_lossy(&bytes));
                }
                {
                    let mut wire = shared.wire.borrow_mut();
                    wire.receive(&bytes, &mut found);
                    wire.due(&mut due);
                }
                for text in due.drain(..) {
                    keep(shared, Direction::Out, &text);
                    if let Err(problem) = stream.send(Message::text(text)).await {
                        return closed_by(&problem);
                    }
                }
                for event in found.drain(..) {
                    ready |= event == Event::Ready;
                    if events.send(event).await.is_err() {
                        return End::SessionOver;
                    }
                }
                if shared.wire.borrow().is_going_away() {
                    return End::GoAway;
                }
            }
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
fn keep(shared: &Shared, direction: Direction, text: &str) {
    let Some(cassette) = &shared.cassette else { return };
    let text = if direction == Direction::Out && text.starts_with("{\"realtimeInput\":{\"audio\"") {
        format!("{{\"audioBytes\":{}}}", text.len())
    } else {
        text.to_owned()
    };
    let t = (SystemClock::now().signed_ms_since(shared.origin) * 1_000.0).round() / 1e6;
    let _ = cassette.send(CassetteFrame { t, direction, text });
}

async fn connect(plan: &GeminiPlan) -> Result<Stream, String> {
    let place = plan.url.split("/ws/").next().unwrap_or_default().to_owned();
    let failed = |problem: String| format!("could not connect to {place}: {problem}");
    let mut request = plan.url.as_str().into_client_request().map_err(|problem| failed(problem.to_string()))?;
    let mut key = HeaderValue::from_str(plan.key.reveal())
        .map_err(|_| failed("the key has characters that no key has".into()))?;
    // Not shown by anybody's debug output.
    key.set_sensitive(true);
    request.headers_mut().insert("x-goog-api-key", key);
    // tungstenite's defaults of 128 KiB would cost more memory than the rest of the call.
    let config = WebSocketConfig::default()
        .read_buffer_size(8 << 10)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX));
    let connecting = tokio_tungstenite::connect_async_with_config(request, Some(config), true);
    match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
        Ok(Ok((stream, _))) => Ok(stream),
        Ok(Err(problem)) => Err(failed(problem.to_string())),
        Err(_) => Err(failed(format!("no answer within {} s", CONNECT_WITHIN.as_secs()))),
    }
}
