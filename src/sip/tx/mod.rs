//! One transaction: the table's state, its timers, and what it last sent (RFC 3261 §17, RFC 6026).
//!
//! Owns matching keys and timer arithmetic. Does not know dialogs; [`super::endpoint`] owns all transactions.

pub mod table;

use super::{
    header::MAGIC_COOKIE,
    message::{Headers, Request},
    method::Method,
};
use crate::clock::Instant;
use std::{net::SocketAddr, time::Duration};
use table::{Action, Event, Kind, Pace, Span, State};

/// RFC 3261 §17.1.1.1: an estimate of the round trip.
pub const T1: Duration = Duration::from_millis(500);
/// §17.1.2.2: the longest interval of retransmissions.
pub const T2: Duration = Duration::from_secs(4);
/// §17.1.2.2: how long a message stays in the network.
pub const T4: Duration = Duration::from_secs(5);
/// How long an unanswered transaction lives.
pub const T1_64: Duration = Duration::from_secs(32);

/// What carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream within TLS.
    Tls,
    /// WebSocket (RFC 7118).
    Ws,
    /// WebSocket within TLS.
    Wss,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];

    /// In a Via.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// In an address to listen on, a log, a journal.
    #[must_use]
    pub const fn lower_name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// The transport with this lower name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transport| transport.lower_name().eq_ignore_ascii_case(name))
    }

    /// `;transport=` of our Contact: none for UDP; `ws` for both kinds of WebSocket (RFC 7118 §5.5).
    #[must_use]
    pub const fn uri_param(self) -> Option<&'static str> {
        match self {
            Self::Udp => None,
            Self::Tcp => Some("tcp"),
            Self::Tls => Some("tls"),
            Self::Ws | Self::Wss => Some("ws"),
        }
    }

    /// Messages go over a connection: nothing is repeated, and answers take the way the question came.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Certificates are in play.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Messages are WebSocket messages; such peers cannot be connected to (RFC 7118 §5.3: `.invalid` in their Via).
    #[must_use]
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// The port of a URI without one.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

/// Where a message goes and through which socket: what the shell needs to send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// What carries it.
    pub transport: Transport,
    /// The other side.
    pub remote: SocketAddr,
    /// Our side: the socket's or connection's address as the other side can reach it.
    pub local: SocketAddr,
    /// The connection it came on, for streams; reused while it lives.
    pub connection: Option<u64>,
}

/// What finds a transaction again (§17.1.3, §17.2.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// As text, for tables that hold names only.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The key with this text.
    #[must_use]
    pub const fn from_text(text: String) -> Self {
        Self(text)
    }

    /// Of a request that came in; ACK finds its INVITE.
    #[must_use]
    pub fn of_request(request: &Request) -> Option<Self> {
        let via = request.headers.via().ok()?;
        let method = if request.method == Method::Ack { "INVITE" } else { request.method.token() };
        Some(match via.branch() {
            Some(branch) if branch.starts_with(MAGIC_COOKIE) => {
                Self(format!("s {branch} {}:{} {method}", via.host.to_ascii_lowercase(), via.port.unwrap_or(5060)))
            }
            // RFC 2543 peers: everything that does not change between a request and its ACK.
            _ => {
                let headers = &request.headers;
                Self(format!(
                    "o {} {} {} {} {method}",
                    headers.call_id(),
                    headers.cseq().map_or(0, |cseq| cseq.number),
                    headers.from().ok().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default(),
                    via.host
                ))
            }
        })
    }

    /// Of the INVITE that a CANCEL is about (§9.2).
    #[must_use]
    pub fn of_cancelled(cancel: &Request) -> Option<Self> {
        let mut invite = cancel.clone();
        invite.method = Method::Invite;
        Self::of_request(&invite)
    }

    /// Of a response that came in, and of the request that we send with this branch.
    #[must_use]
    pub fn of_client(branch: &str, method: &Method) -> Self {
        Self(format!("c {branch} {method}"))
    }

    /// Of a response.
    #[must_use]
    pub fn of_response(headers: &Headers) -> Option<Self> {
        let via = headers.via().ok()?;
        Some(Self::of_client(via.branch()?, &headers.cseq().ok()?.method))
    }
}

/// One transaction.
#[derive(Debug)]
pub struct Transaction {
    /// Which machine.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// The request that began it.
    pub request: Request,
    /// Where messages go.
    pub path: Path,
    /// What is sent again: the request, or the newest response.
    pub last_sent: Vec<u8>,
    pace: Pace,
    interval: Duration,
    retransmit_at: Instant,
    end_at: Instant,
}

impl Transaction {
    /// A transaction that begins at `now` with `request`; `sent` is what went out, if anything did.
    #[must_use]
    pub fn new(now: Instant, kind: Kind, request: Request, path: Path, sent: Vec<u8>) -> Self {
        let mut transaction = Self {
            kind,
            state: State::Trying,
            request,
            path,
            last_sent: sent,
            pace: Pace::Stop,
            interval: T1,
            retransmit_at: Instant::FAR_FUTURE,
            end_at: Instant::FAR_FUTURE,
        };
        for action in table::first_timers(kind) {
            transaction.set_timer(now, *action);
        }
        transaction
    }

    /// Moves to the next state; gives what the endpoint must do.
    pub fn handle(&mut self, now: Instant, event: Event) -> Vec<Action> {
        let Some((next, actions)) = table::step(self.kind, self.state, event) else { return Vec::new() };
        if next != self.state {
            self.state = next;
            self.interval = T1;
        }
        if event == Event::RetransmitTimer {
            self.space_out(now);
        }
        if next == State::Terminated {
            self.retransmit_at = Instant::FAR_FUTURE;
            self.end_at = Instant::FAR_FUTURE;
        }
        actions
            .iter()
            .copied()
            .filter(|action| match action {
                Action::Retransmit(_) | Action::EndAfter(_) => {
                    self.set_timer(now, *action);
                    false
                }
                _ => true,
            })
            .collect()
    }

    /// Says nothing more, and waits for what may still come.
    pub const fn fall_silent(&mut self) {
        self.retransmit_at = Instant::FAR_FUTURE;
    }

    /// Ends it at `at` unless it ends before: a cancelled INVITE waits 64·T1 for its final response (§9.1).
    pub const fn end_by(&mut self, at: Instant) {
        self.end_at = at;
    }

    /// When this wants to hear of the time again.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        self.retransmit_at.min(self.end_at)
    }

    /// The timer that has run out at `now`, if one has.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Event> {
        if now >= self.end_at {
            Some(Event::EndTimer)
        } else if now >= self.retransmit_at {
            Some(Event::RetransmitTimer)
        } else {
            None
        }
    }

    fn set_timer(&mut self, now: Instant, action: Action) {
        let reliable = self.path.transport.is_stream();
        match action {
            Action::Retransmit(pace) => {
                self.pace = pace;
                // Reliable transports do not repeat, but a final response to INVITE is not acknowledged by TCP.
                let quiet = pace == Pace::Stop || reliable;
                self.interval = if pace == Pace::EveryT2 { T2 } else { T1 };
                self.retransmit_at = if quiet { Instant::FAR_FUTURE } else { now + self.interval };
            }
            Action::EndAfter(span) => {
                self.end_at = match span {
                    Span::Always64T1 => now + T1_64,
                    Span::Absorb64T1 => now + if reliable { Duration::ZERO } else { T1_64 },
                    Span::AbsorbT4 => now + if reliable { Duration::ZERO } else { T4 },
                    Span::Never => Instant::FAR_FUTURE,
                };
            }
            _ => {}
        }
    }

    fn space_out(&mut self, now: Instant) {
        self.interval = match self.pace {
            Pace::Stop => return,
            Pace::Doubling => self.interval * 2,
            Pace::DoublingToT2 => (self.interval * 2).min(T2),
            Pace::EveryT2 => T2,
        };
        self.retransmit_at = now + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite() -> Request {
        let mut headers = Headers::default();
        headers.push("Via", "SIP/2.0/UDP a;branch=z9hG4bK1");
        Request { method: Method::Invite, uri: "sip:b".into(), headers, body: Vec::new() }
    }

    fn path(transport: Transport) -> Path {
        let any = SocketAddr::from(([127, 0, 0, 1], 5060));
        Path { transport, remote: any, local: any, connection: None }
    }

    /// Runs timers alone; gives the times (ms) and the events.
    fn run(transaction: &mut Transaction) -> Vec<(u64, Event)> {
        let mut fired = Vec::new();
        while !transaction.timeout().is_far_future() {
            let now = transaction.timeout();
            let event = transaction.due(now).unwrap();
            transaction.handle(now, event);
            fired.push((now.as_nanos() / 1_000_000, event));
        }
        fired
    }

    #[test]
    fn an_unanswered_invite_is_repeated_seven_times_and_given_up_after_32_seconds() {
        let mut transaction =
            Transaction::new(Instant::ZERO, Kind::InviteClient, invite(), path(Transport::Udp), vec![]);
        let fired = run(&mut transaction);
        let repeats: Vec<u64> =
            fired.iter().filter(|(_, event)| *event == Event::RetransmitTimer).map(|(at, _)| *at).collect();
        assert_eq!(repeats, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
        assert_eq!(fired.last(), Some(&(32_000, Event::EndTimer)));
        assert_eq!(transaction.state, State::Terminated);
    }

    #[test]
    fn a_stream_does_not_repeat_requests() {
        for transport in Transport::ALL.into_iter().filter(|transport| transport.is_stream()) {
            let mut transaction =
                Transaction::new(Instant::ZERO, Kind::InviteClient, invite(), path(transport), vec![]);
            assert_eq!(run(&mut transaction), [(32_000, Event::EndTimer)], "{transport:?}");
        }
    }

    #[test]
    fn a_refusal_is_repeated_until_acknowledged() {
        let mut transaction =
            Transaction::new(Instant::ZERO, Kind::InviteServer, invite(), path(Transport::Udp), vec![]);
        transaction.handle(Instant::ZERO, Event::Failure);
        assert_eq!(transaction.timeout(), Instant::from_millis(500));
        transaction.handle(Instant::from_millis(500), Event::RetransmitTimer);
        assert_eq!(transaction.timeout(), Instant::from_millis(1_500));
        transaction.handle(Instant::from_millis(1_600), Event::Ack);
        assert_eq!(transaction.state, State::Confirmed);
        assert_eq!(transaction.timeout(), Instant::from_millis(6_600));
    }

    #[test]
    fn an_ack_finds_the_invite_it_belongs_to() {
        let mut ack = invite();
        ack.method = Method::Ack;
        assert_eq!(Key::of_request(&ack), Key::of_request(&invite()));
    }
}
