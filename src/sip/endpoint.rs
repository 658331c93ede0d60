//! The endpoint: bytes in, events and bytes out. One machine for all transactions, dialogs and legs.
//!
//! A leg is one INVITE session with its dialog, whichever side began it. Owns the user-agent core of RFC 3261: §8.2
//! (what is refused and how), §9 (CANCEL), §12, §13.3 (the 200 is repeated until ACK), §14 (re-INVITE, glare), §15.
//! Does not know media or agents: descriptions pass through as bytes. Called by `gateway::engine` alone.
//!
//! Rule: after each call of [`Endpoint::handle`] or [`Endpoint::command`], drain [`Endpoint::poll`] to the end.

mod ask;
mod client;
mod early;
mod elsewhere;
mod inside;
mod large;
mod leg;
mod names;
mod redirect;
mod register;
mod reliable;
mod replaces;
mod server;
mod session_timer;
mod turned;

use super::{
    auth::{
        Algorithm, Credentials,
        server::{Account, Gate},
    },
    dialog::Dialog,
    header::{CSeq, MAGIC_COOKIE},
    limits::{self, Guard},
    message::{Headers, Invalid, Message, Request, Response},
    method::{Method, allow},
    registrar::{self, Registrar},
    tx::{
        Key, Path, Transaction,
        table::{Action, Event as TxEvent, Kind, State},
    },
    uri::Uri,
};
use crate::clock::Instant;
pub use ask::{Ask, AskId, Reply};
pub use client::label_of;
pub use elsewhere::{Attempt, Failure};
pub use inside::{Text, sipfrag_status};
use leg::Leg;
pub use leg::{LegId, Role};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
pub use register::Authenticate;
pub use reliable::Reliability;
use server::is_open;
pub use session_timer::TimerSettings;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Duration,
};
pub use turned::Turned;

/// 100 Trying goes out if nothing else has within this time (§17.2.1).
const TRYING_AFTER: Duration = Duration::from_millis(200);

/// How the endpoint presents itself, and how much it takes on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `User-Agent` and `Server`.
    pub user_agent: String,
    /// The address that others reach us at, if it is not the socket's.
    pub advertise: Option<IpAddr>,
    /// Transactions at once; more are answered with 503.
    pub transactions_max: usize,
    /// Random bytes for tags and branches: nobody may guess them.
    pub seed: [u8; 32],
    /// Realm of our challenges.
    pub realm: String,
    /// Algorithms of our challenges, in order. Many telephones give up when they are offered one that they do not know.
    pub algorithms: Vec<Algorithm>,
    /// Who may register, and call if [`Self::authenticate`] says so.
    pub accounts: Vec<Account>,
    /// Whose requests are challenged.
    pub authenticate: Authenticate,
    /// Sources that are never challenged: trunks.
    pub trusted: Vec<IpAddr>,
    /// What the registrar agrees to.
    pub registrar: registrar::Settings,
    /// Session timers.
    pub timers: TimerSettings,
    /// When provisional responses are reliable.
    pub reliability: Reliability,
    /// Who is heard at all.
    pub limits: limits::Settings,
    /// Calls refused here that [`Event::Turned`] tells of, in a minute; the others are counted.
    pub refusals_per_minute: usize,
    /// A 3xx is followed to another number too; not where only some numbers may be called.
    pub redirected_anywhere: bool,
}

impl Default for Settings {
    /// An open endpoint without users; for tests and tools. The seed is not random.
    fn default() -> Self {
        Self {
            user_agent: concat!("voxgw/", env!("CARGO_PKG_VERSION")).to_owned(),
            advertise: None,
            transactions_max: 20_000,
            seed: [1; 32],
            realm: "voxgw".to_owned(),
            algorithms: vec![Algorithm::Md5],
            accounts: Vec::new(),
            authenticate: Authenticate::Register,
            trusted: Vec::new(),
            registrar: registrar::Settings::default(),
            timers: TimerSettings::default(),
            reliability: Reliability::Required,
            limits: limits::Settings::default(),
            refusals_per_minute: 10,
            redirected_anywhere: true,
        }
    }
}

/// Where an outgoing INVITE goes: resolved by the shell.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// To, and the Request-URI unless `target` is another.
    pub to: Uri,
    /// Request-URI, if it is not `to`: a registered Contact, a redirection.
    pub target: Option<Uri>,
    /// Our address of record.
    pub from: Uri,
    /// Display name, may be empty.
    pub display: String,
    /// First hop.
    pub path: Path,
    /// Our description.
    pub sdp: String,
    /// Extra headers.
    pub headers: Vec<(String, String)>,
    /// For a challenge.
    pub credentials: Option<Credentials>,
}

/// What the engine asks for.
#[derive(Debug)]
pub enum Command {
    /// Call somebody; the leg is the engine's to number.
    Invite(LegId, Box<Outgoing>),
    /// 180, or 183 with early media.
    Ring(LegId, Option<String>),
    /// 200 with our description; repeated until ACK.
    Answer(LegId, String),
    /// A final refusal.
    Refuse(LegId, Refusal),
    /// Answer a re-INVITE.
    AnswerReinvite(LegId, String),
    /// Refuse a re-INVITE; the session goes on as it was.
    RefuseReinvite(LegId, u16),
    /// End it, whatever its state demands: CANCEL, a refusal or BYE.
    HangUp(LegId, Option<String>),
    /// Change the session from our side: hold, resume, another codec.
    Reinvite(LegId, String),
    /// Ask the far end to call somebody else instead (REFER).
    Transfer(LegId, Uri),
    /// Write a text within the call (MESSAGE); [`Event::Texted`] answers.
    Text(LegId, String),
    /// Press a digit for so many milliseconds, in an INFO; [`Event::NotPressed`] tells if it was not taken.
    Press(LegId, char, u32),
    /// Tell the far end how the call is getting on that it asked for with REFER: a status of ours.
    TellReferrer(LegId, u16),
    /// A request outside of dialogs.
    Ask(AskId, Box<Ask>),
    /// End our call if nobody has answered it by then.
    GiveUpAfter(LegId, Duration),
    /// So many other targets are left for what was just begun: [`Event::TryNext`] asks for them.
    Spares(Attempt, usize),
    /// The answer to [`Event::Locate`]: where the name is, if it is anywhere.
    Located(LegId, Uri, Option<SocketAddr>),
    /// For challenges to what we ask within a call that came in: it is a trunk's.
    Credentials(LegId, Credentials),
    /// The answer to [`Event::TryNext`] and [`Event::Redirected`]: the next target, or why there is none.
    Next(Attempt, Result<Path, String>),
}

/// A final refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 300 to 699.
    pub status: u16,
    /// Extra headers: `Retry-After`, `Warning`.
    pub headers: Vec<(String, String)>,
}

impl Refusal {
    /// A refusal with nothing but its status.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self { status, headers: Vec::new() }
    }
}

/// An INVITE that came in.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Who calls: From's URI.
    pub from: Uri,
    /// From's display name.
    pub display: String,
    /// Whom: To's URI.
    pub to: Uri,
    /// Request-URI.
    pub target: Uri,
    /// Call-ID.
    pub call_id: String,
    /// Their offer, if they made one.
    pub sdp: Option<Vec<u8>>,
    /// Where it came from.
    pub path: Path,
    /// All headers, for routing and for the agent.
    pub headers: Headers,
    /// Whose credentials it carried.
    pub user: Option<String>,
    /// The leg whose place it wants to take (Replaces).
    pub replaces: Option<LegId>,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A new call.
    Invite(LegId, Box<Offered>),
    /// Our 200 was acknowledged; with a description if our 200 made the offer.
    Acknowledged(LegId, Option<Vec<u8>>),
    /// The far end wants to change the session.
    Reinvite(LegId, Option<Vec<u8>>),
    /// Our call is on its way (100) or rings; with a description when a branch of it has early media, or other media than
    /// before.
    Progress(LegId, u16, Option<Vec<u8>>),
    /// Our call was answered: with the description that counts, if the branch gave one before or now.
    Answered(LegId, Option<Vec<u8>>),
    /// It is over; nothing more will come for this leg.
    Ended(LegId, Ended),
    /// The far end took or refused our change of the session.
    Changed(LegId, Result<Option<Vec<u8>>, u16>),
    /// A digit in an INFO: which, and for how many milliseconds.
    Digit(LegId, char, u32),
    /// A digit of ours was not taken: the far end's answer to the INFO; 405 if its `Allow` says that it takes none.
    NotPressed(LegId, u16),
    /// The far end asks us to call somebody else instead: Refer-To with its headers.
    Referred(LegId, Uri),
    /// How our REFER is getting on: a status; from 200 on it is the last.
    Transfer(LegId, u16),
    /// What the far end says to our text within the call: a final status.
    Texted(LegId, u16),
    /// A text came in.
    Text(Box<Text>),
    /// The target did not do (RFC 3263 §4.3), and there are others: [`Command::Next`] says which.
    TryNext(Attempt, Failure),
    /// A 3xx names this, under the number that was called or another: [`Command::Next`] says where that is, or that
    /// it may not be called.
    Redirected(LegId, Uri, bool),
    /// A dialog goes by this name: [`Command::Located`] says where that is. Meanwhile, and where it is nowhere, requests
    /// take the way that the call came.
    Locate(LegId, Uri),
    /// Who called has now proved to be this user.
    Proven(LegId, String),
    /// The answer to an [`Command::Ask`].
    Replied(AskId, Reply),
    /// A user's bindings changed: how many there are now.
    Bindings(String, usize),
    /// A call was refused here.
    Turned(Box<Turned>),
    /// Wrong credentials: the user that was tried, from where, and whether that banned the source.
    WrongPassword(String, IpAddr, bool),
}

/// How a leg ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Who ended it.
    pub by: EndedBy,
    /// Final status of an INVITE that was not answered.
    pub status: Option<u16>,
    /// In words, `Reason` header included.
    pub reason: String,
    /// The final response came from the far end (and was not made here for a timeout).
    pub answered_by_peer: bool,
}

/// Who ended a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// BYE or CANCEL from them, or their refusal.
    Far,
    /// We did.
    Us,
    /// Nobody answered: no ACK, no response, a lost connection.
    Network,
}

/// A message that passed, for ladders.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Whose it is, if it belongs to a leg.
    pub leg: Option<LegId>,
    /// It was sent, not received.
    pub sent: bool,
    /// Where to or from.
    pub path: Path,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Seen before.
    pub retransmission: bool,
}

/// What [`Endpoint::poll`] gives.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes there.
    Transmit(Path, Vec<u8>),
    /// Tell the engine.
    Event(Event),
    /// For the ladder.
    Trace(Trace),
    /// Nothing more; call [`Endpoint::handle_timeout`] then.
    Timeout(Instant),
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that were read.
    pub received: u64,
    /// Bytes that were no message and could not be answered.
    pub dropped: u64,
    /// Requests refused here, without the engine.
    pub refused: u64,
    /// Refused calls that [`Event::Turned`] did not tell of, because there were too many.
    pub untold: u64,
}

/// The machine.
#[derive(Debug)]
pub struct Endpoint {
    settings: Settings,
    random: StdRng,
    transactions: HashMap<Key, Transaction>,
    legs: HashMap<LegId, Leg>,
    /// Call-ID, our tag, their tag.
    dialogs: HashMap<(String, String, String), LegId>,
    /// By Call-ID, for the ladder only: a Call-ID may be forged.
    calls: HashMap<String, LegId>,
    /// INVITE server transactions by what stays the same when a request comes by two ways (§8.2.2.2).
    invites: HashMap<String, Key>,
    /// Whose our client transactions are.
    clients: HashMap<Key, LegId>,
    /// What goes by TCP for its length.
    large: large::Large,
    guard: Guard,
    /// No new calls are wanted any more.
    leaving: bool,
    gate: Gate,
    registrar: Registrar,
    /// Requests outside of calls that wait for their answers.
    asks: HashMap<Key, ask::Asked>,
    /// Such requests between two targets.
    between: HashMap<AskId, ask::Asked>,
    /// When the next binding runs out, as far as a timer was set for it.
    bindings_due: Instant,
    timers: BinaryHeap<Reverse<(Instant, TimerOf)>>,
    telling: turned::Telling,
    next_leg: u64,
    outputs: VecDeque<Output>,
    counters: Counters,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TimerOf {
    Transaction(String),
    Leg(u64),
    Bindings,
}

impl Endpoint {
    /// An endpoint with nothing going on.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut random = StdRng::from_seed(settings.seed);
        let mut secret = [0; 32];
        random.fill_bytes(&mut secret);
        Self {
            random,
            guard: guard_of(&settings),
            leaving: false,
            gate: Gate::new(&settings.realm, secret, settings.algorithms.clone(), settings.accounts.clone()),
            registrar: Registrar::new(settings.registrar.clone()),
            asks: HashMap::new(),
            between: HashMap::new(),
            bindings_due: Instant::FAR_FUTURE,
            telling: turned::Telling::new(settings.refusals_per_minute),
            settings,
            transactions: HashMap::new(),
            legs: HashMap::new(),
            dialogs: HashMap::new(),
            calls: HashMap::new(),
            invites: HashMap::new(),
            clients: HashMap::new(),
            large: large::Large::default(),
            timers: BinaryHeap::new(),
            next_leg: 1,
            outputs: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// A number for an outgoing leg.
    pub const fn new_leg(&mut self) -> LegId {
        let leg = LegId(self.next_leg);
        self.next_leg += 1;
        leg
    }

    /// Counters since the start.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Transactions, dialogs and legs that are alive: all zero again when everything is over.
    #[must_use]
    pub fn alive(&self) -> (usize, usize, usize) {
        (self.transactions.len(), self.dialogs.len(), self.legs.len())
    }

    /// Whether a Call-ID is one of a call of ours that has not ended.
    #[must_use]
    pub fn is_own_call(&self, call_id: &str) -> bool {
        self.legs.values().any(|leg| leg.role == Role::Client && leg.call_id == call_id)
    }

    /// What was turned away since the start.
    #[must_use]
    pub const fn turned_away(&self) -> limits::Counters {
        self.guard.counters()
    }

    /// The gateway cannot keep up, or can again: new requests are told to come later.
    pub const fn set_overloaded(&mut self, overloaded: bool) {
        self.guard.set_overloaded(overloaded);
    }

    /// From now on OPTIONS is answered with 503: whoever asks whether we are there sends calls elsewhere.
    pub const fn set_leaving(&mut self) {
        self.leaving = true;
    }

    /// Takes in one message from the network.
    pub fn handle(&mut self, now: Instant, path: Path, bytes: &[u8]) {
        let verdict = self.guard.knock(now, path.remote.ip());
        if !matches!(verdict, limits::Verdict::Heard | limits::Verdict::Banned) {
            return;
        }
        let parsed = Message::parse(bytes);
        // A ban ends no call: what belongs to one, or answers us, is heard.
        if verdict == limits::Verdict::Banned && !parsed.as_ref().is_ok_and(|message| self.goes_on(message)) {
            self.guard.silenced();
            return;
        }
        match parsed {
            Ok(message) => {
                self.counters.received += 1;
                match message {
                    Message::Request(mut request) => {
                        stamp_source(&mut request, path.remote);
                        self.request(now, path, request, bytes);
                    }
                    Message::Response(response) => self.response(now, path, &response, bytes),
                }
            }
            Err(Invalid::Answerable { mut request, status, reason }) => {
                self.counters.refused += 1;
                stamp_source(&mut request, path.remote);
                self.trace(None, false, path, bytes.to_vec(), false);
                let mut response = self.dressed(&request, status);
                reason.clone_into(&mut response.reason);
                self.transmit(None, reply_path(&request, path), response.to_bytes(), false);
            }
            // A keep-alive (RFC 5626 §3.5.1) has arrived whole.
            Err(Invalid::Drop("keep-alive")) => {}
            Err(Invalid::Drop(_)) => self.counters.dropped += 1,
        }
    }

    /// A connection is gone, or could not be made, and why: what waits for an answer on it will get none.
    pub fn connection_lost(&mut self, now: Instant, path: Path, why: &str) {
        let lost: Vec<(Key, Kind)> = self
            .transactions
            .iter()
            .filter(|(_, tx)| {
                tx.path.transport == path.transport
                    && (tx.path.remote == path.remote
                        || path.connection.is_some_and(|id| tx.path.connection == Some(id)))
                    && matches!(tx.kind, Kind::InviteClient | Kind::OtherClient)
                    && matches!(tx.state, State::Trying)
            })
            .map(|(key, tx)| (key.clone(), tx.kind))
            .collect();
        for (key, kind) in lost {
            if self.as_datagram(now, &key) {
                continue;
            }
            self.ask_lost(&key, why);
            let leg = self.clients.get(&key).copied();
            let unanswered = leg.filter(|id| self.legs.get(id).is_some_and(|leg| leg.dialog.is_none()));
            if let Some(id) = unanswered.filter(|_| kind == Kind::InviteClient) {
                if self.leg_elsewhere(id, &Failure::lost(why)) {
                    self.drive(now, &key, TxEvent::EndTimer, None);
                    continue;
                }
                let number = self.transactions.get(&key).map_or(1, |tx| number_of(&tx.request.headers));
                if self.next_contact(id, number + 1) {
                    self.drive(now, &key, TxEvent::EndTimer, None);
                    continue;
                }
                let reason = why.to_owned();
                self.end(now, id, Ended { by: EndedBy::Network, status: Some(408), reason, answered_by_peer: false });
            }
            self.drive(now, &key, TxEvent::EndTimer, None);
        }
        if let Some(connection) = path.connection {
            self.registrar.connection_lost(connection);
        }
    }

    /// Something is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(Reverse((at, _))) = self.timers.peek()
            && *at <= now
        {
            let Some(Reverse((_, of))) = self.timers.pop() else { break };
            match of {
                TimerOf::Transaction(key) => {
                    let key = Key::from_text(key);
                    if let Some(event) = self.transactions.get(&key).and_then(|tx| tx.due(now)) {
                        self.drive(now, &key, event, None);
                    }
                }
                TimerOf::Leg(leg) => self.leg_timer(now, LegId(leg)),
                TimerOf::Bindings => self.bindings_timer(now),
            }
        }
    }

    /// Does what the engine asks for. A command for a leg that is gone does nothing.
    pub fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Invite(leg, outgoing) => self.invite(now, leg, *outgoing),
            Command::Ring(leg, sdp) => self.ring(now, leg, sdp),
            Command::Answer(leg, sdp) => self.answer(now, leg, sdp),
            Command::Refuse(leg, refusal) => self.refuse(now, leg, &refusal),
            Command::AnswerReinvite(leg, sdp) => self.answer_reinvite(now, leg, Ok(sdp)),
            Command::RefuseReinvite(leg, status) => self.answer_reinvite(now, leg, Err(status)),
            Command::HangUp(leg, reason) => self.hang_up(now, leg, reason.as_deref()),
            Command::Reinvite(leg, sdp) => self.send_reinvite(now, leg, Some(sdp)),
            Command::Transfer(leg, to) => self.send_refer(now, leg, &to),
            Command::Press(leg, digit, duration_ms) => self.press(now, leg, digit, duration_ms),
            Command::Text(leg, text) => self.send_text(now, leg, text),
            Command::TellReferrer(leg, status) => self.tell_referrer(now, leg, status),
            Command::Ask(id, ask) => self.ask(now, id, *ask),
            Command::GiveUpAfter(leg, span) => self.give_up_after(now, leg, span),
            Command::Spares(attempt, count) => self.spares(now, attempt, count),
            Command::Located(leg, name, place) => self.located(now, leg, &name, place),
            Command::Credentials(leg, credentials) => self.is_known_as(leg, credentials),
            Command::Next(attempt, path) => self.next_target(now, attempt, path),
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        Output::Timeout(self.timers.peek().map_or(Instant::FAR_FUTURE, |Reverse((at, _))| *at))
    }

    // Transactions

    /// Moves a transaction and does what its table says; `response` is what a server sends or a client got.
    fn drive(&mut self, now: Instant, key: &Key, event: TxEvent, response: Option<&Response>) {
        let Some(tx) = self.transactions.get_mut(key) else { return };
        if let Some(response) = response
            && matches!(tx.kind, Kind::InviteServer | Kind::OtherServer)
        {
            tx.last_sent = response.to_bytes();
        }
        let actions = tx.handle(now, event);
        let (path, state) = (tx.path, tx.state);
        for action in actions {
            match action {
                Action::SendResponse | Action::SendAgain => {
                    let Some(tx) = self.transactions.get(key) else { return };
                    let bytes = tx.last_sent.clone();
                    if !bytes.is_empty() {
                        let leg = self.calls.get(tx.request.headers.call_id()).copied();
                        self.transmit(leg, path, bytes, action == Action::SendAgain);
                    }
                }
                Action::SendAck => {
                    if let Some(response) = response {
                        self.send_failure_ack(key, response);
                    }
                }
                Action::PassUp => {
                    if let Some(response) = response {
                        self.client_response(now, key, response);
                    }
                }
                Action::TimedOut => self.transaction_timed_out(now, key),
                Action::Retransmit(_) | Action::EndAfter(_) => {}
            }
        }
        if state == State::Terminated {
            if let Some(tx) = self.transactions.remove(key).filter(|tx| tx.kind == Kind::InviteServer) {
                let name = invite_name(&tx.request);
                if self.invites.get(&name) == Some(key) {
                    self.invites.remove(&name);
                }
            }
            self.clients.remove(key);
            self.asks.remove(key);
            self.large.over(key);
        } else {
            self.arm(key);
        }
    }

    fn arm(&mut self, key: &Key) {
        if let Some(tx) = self.transactions.get(key) {
            let at = tx.timeout();
            if !at.is_far_future() {
                self.timers.push(Reverse((at, TimerOf::Transaction(key.text().to_owned()))));
            }
        }
    }

    fn begin(&mut self, now: Instant, key: Key, kind: Kind, request: Request, path: Path, sent: Vec<u8>) {
        if kind == Kind::InviteServer {
            self.invites.entry(invite_name(&request)).or_insert_with(|| key.clone());
        }
        let transaction = Transaction::new(now, kind, request, path, sent);
        self.transactions.insert(key.clone(), transaction);
        self.arm(&key);
    }

    /// Answers a request through its server transaction.
    fn respond(&mut self, now: Instant, key: &Key, response: &Response) {
        let event = match response.status {
            100..=199 => TxEvent::Provisional,
            200..=299 => TxEvent::Success,
            _ => TxEvent::Failure,
        };
        self.drive(now, key, event, Some(response));
    }

    /// Sends a request through a new client transaction with a Via of ours; gives its key.
    fn send_request(&mut self, now: Instant, mut request: Request, path: Path) -> Key {
        let branch = format!("{MAGIC_COOKIE}{}", self.token());
        request.headers.push("User-Agent", self.settings.user_agent.clone());
        let before = path;
        let path = self.way_for(now, &request, path, self.via(path, branch.clone()).len() + "Via: \r\n".len());
        let via = self.via(path, branch.clone());
        request.headers.push_front("Via", via);
        let kind = if request.method == Method::Invite { Kind::InviteClient } else { Kind::OtherClient };
        let key = Key::of_client(&branch, &request.method);
        if path != before {
            self.goes_by_tcp(&key, before);
        }
        let bytes = request.to_bytes();
        let leg = self.calls.get(request.headers.call_id()).copied();
        self.begin(now, key.clone(), kind, request, path, bytes.clone());
        self.transmit(leg, path, bytes, false);
        key
    }

    fn transmit(&mut self, leg: Option<LegId>, path: Path, bytes: Vec<u8>, again: bool) {
        self.trace(leg, true, path, bytes.clone(), again);
        self.outputs.push_back(Output::Transmit(path, bytes));
    }

    fn trace(&mut self, leg: Option<LegId>, sent: bool, path: Path, bytes: Vec<u8>, retransmission: bool) {
        self.outputs.push_back(Output::Trace(Trace { leg, sent, path, bytes, retransmission }));
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    // Words

    /// 64 random bits as text.
    fn token(&mut self) -> String {
        format!("{:016x}", self.random.next_u64())
    }

    /// Our address as others reach it.
    fn host_of(&self, local: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.settings.advertise.unwrap_or_else(|| local.ip()), local.port())
    }

    /// Our Contact on a path; `sips` if the request was to such a URI (§12.1.1, §8.1.1.8).
    fn contact(&self, path: Path, request_uri: &str) -> String {
        self.contact_as(path, request_uri, "voxgw")
    }

    /// Our Contact under a user's name.
    fn contact_as(&self, path: Path, request_uri: &str, user: &str) -> String {
        let host = self.host_of(path.local);
        let mut uri = Uri::sip(user, &host.ip().to_string(), Some(host.port()));
        if path.transport.is_secure() && request_uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"))
        {
            uri.scheme = "sips".into();
        }
        if let Some(name) = path.transport.uri_param() {
            uri.params.push(("transport".into(), Some(name.into())));
        }
        format!("<{uri}>")
    }

    /// A response with what every response of ours carries; a To tag if there was none.
    fn dressed(&mut self, request: &Request, status: u16) -> Response {
        let mut response = request.response(status);
        if status > 100
            && let Ok(to) = request.headers.to()
            && to.tag().is_none()
        {
            let tag = self.token();
            response.headers.set_first("To", to.with_tag(&tag).to_string());
        }
        response.headers.push("Server", self.settings.user_agent.clone());
        if matches!(status, 405 | 501) {
            response.headers.push("Allow", allow());
        }
        response
    }
}

/// The guard with the trunks among those it trusts.
fn guard_of(settings: &Settings) -> Guard {
    let mut guard = Guard::new(Instant::ZERO, settings.limits.clone());
    for ip in &settings.trusted {
        guard.trust(*ip);
    }
    guard
}

/// RFC 3261 §18.2.1 and RFC 3581 §4: notes where a request really came from.
fn stamp_source(request: &mut Request, remote: SocketAddr) {
    let Ok(mut via) = request.headers.via() else { return };
    let wants_rport = via.param("rport").is_some();
    if wants_rport {
        via.set_param("rport", remote.port().to_string());
    }
    if wants_rport || via.host.parse() != Ok(remote.ip()) {
        via.set_param("received", remote.ip().to_string());
    }
    request.headers.set_first("Via", via.to_string());
}

/// Where a response goes (§18.2.2, RFC 3581 §4).
fn reply_path(request: &Request, path: Path) -> Path {
    if path.transport.is_stream() {
        return path;
    }
    let Ok(via) = request.headers.via() else { return path };
    let port = match via.param("rport").map(str::parse::<u16>) {
        Some(Ok(port)) => port,
        _ => via.port.unwrap_or(5060),
    };
    Path { remote: SocketAddr::new(path.remote.ip(), port), ..path }
}

/// Call-ID, number and From tag of an INVITE.
fn invite_name(invite: &Request) -> String {
    let from = invite.headers.from().unwrap_or_default();
    format!("{} {} {}", invite.headers.call_id(), number_of(&invite.headers), from.tag().unwrap_or_default())
}

/// `CSeq` number of a message that was checked already.
fn number_of(headers: &Headers) -> u32 {
    headers.cseq().map_or(0, |CSeq { number, .. }| number)
}

#[cfg(test)]
mod tests;
