//! The engine from outside: what others ask of it, and how.

use super::{
    Errand,
    conference::{Deed, View},
    join::Join,
    pages::{PageId, PickUp, Presence},
};
use crate::{
    agent::{
        attach::{Claims, Slot, Used},
        event::Outcome,
        seat::Plan,
    },
    error::{Error, Kind, Result},
    gateway::{
        hub::HubHandle,
        post::Watch,
        session::{web::Refused, whip::Whip},
        worker::Workers,
        writer::WriterHandle,
    },
    jwt::Key,
    media::dsp::mix::Role,
    net::resolve::{Found, Resolver},
    network::url::Url,
    route::Target,
    sip::{
        auth::Credentials,
        endpoint::{LegId, Reply},
        uri::Uri,
    },
    unit::CallId,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// A call to place.
#[derive(Debug)]
pub struct Originate {
    /// Whom; without a host a user who is registered here.
    pub to: Uri,
    /// As whom.
    pub from: Uri,
    /// First hop instead of the target's own address.
    pub proxy: Option<Uri>,
    /// A WHIP server, instead of SIP: then `to` is for the journal, and of the credentials the password is a bearer token.
    pub whip: Option<Url>,
    /// Extra headers.
    pub headers: Vec<(String, String)>,
    /// For a challenge.
    pub credentials: Option<Credentials>,
    /// The trunk that it goes by, whose codecs count.
    pub trunk: Option<String>,
    /// Who talks on our side.
    pub plan: Arc<Plan>,
    /// For how long it may ring.
    pub ring: Duration,
    /// Longest call; none is the config's.
    pub max_duration: Option<Duration>,
    /// Hang up when the far end has been silent for so long after speaking.
    pub hang_up_after_silence: Option<Duration>,
    /// Hang up after so many turns.
    pub hang_up_after_turns: Option<u32>,
}

/// What a handle asks the engine for.
#[derive(Debug)]
pub(super) enum Request {
    /// The first hop's servers; none for a user who is registered here.
    Originate(Box<Originate>, Option<Found>, oneshot::Sender<Result<CallId>>),
    /// A call to a WHIP server.
    Whip(Box<Originate>, Box<Whip>, oneshot::Sender<Result<CallId>>),
    HangUp(CallId, String, oneshot::Sender<bool>),
    Press(CallId, String, oneshot::Sender<bool>),
    PauseRecording(CallId, bool, oneshot::Sender<bool>),
    Transfer(CallId, Uri, oneshot::Sender<bool>),
    Join(Box<Join>),
    /// A page can be called, is gone, does not want a call, takes one.
    Present(Box<Presence>, oneshot::Sender<Result<PageId, Refused>>),
    Absent(PageId),
    Decline(PageId, String),
    PickUp(Box<PickUp>),
    Text(Box<Writing>, Option<Found>, oneshot::Sender<Result<Reply>>),
    TransferTo(CallId, CallId, oneshot::Sender<Option<bool>>),
    Hold(CallId, bool, oneshot::Sender<bool>),
    /// A platform wants to attach to a call.
    Attach(CallId, Box<(Claims, Slot)>, oneshot::Sender<Result<(), String>>),
    Plan(Option<String>, oneshot::Sender<Option<Arc<Plan>>>),
    /// The name of an errand's server was found, or not.
    Errand(Box<Errand>, Result<Found>),
    /// The name of this trunk's server was looked up.
    TrunkIsAt(usize, Uri, Result<Found>),
    /// Whom a REFER names: found, or not.
    Referral(LegId, Uri, Result<Found>),
    /// A session has made an offer for them.
    Elsewhere(Box<super::transfer::Elsewhere>, Option<String>),
    /// A name that a dialog goes by.
    Located(LegId, Uri, Result<Found>),
    /// The servers of a Via's name, for a response.
    Deliver(Box<super::answers::Parcel>, Result<Found>),
    /// Whom a 3xx names: found, or not.
    Redirected(LegId, Uri, Result<Found>),
    /// The names of a trunk's servers were looked up, for this bridge.
    Onward(u64, Vec<(Uri, Result<Found>)>),
    /// A caller is to be put through to a user or a trunk's number.
    Bridge(CallId, Target, String, oneshot::Sender<Result<CallId>>),
    /// What became of an action of an agent's that was done beside the engine.
    Acted(CallId, u32, Outcome),
    Conferences(oneshot::Sender<Vec<View>>),
    Confer(CallId, String, Role, oneshot::Sender<Result<()>>),
    Attend(String, CallId, Deed, oneshot::Sender<bool>),
    Drain(Duration, oneshot::Sender<()>),
    HangUpAll(String),
    Alive(oneshot::Sender<(usize, usize, usize)>),
}

/// A text to send.
#[derive(Clone, Debug)]
pub struct Writing {
    /// To whom; without a host a user who is registered here.
    pub to: Uri,
    /// From whom.
    pub from: Uri,
    /// The words, `text/plain`.
    pub text: String,
    /// For a challenge.
    pub credentials: Option<Credentials>,
}

/// A way to reach the engine. Clones share it.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) to: mpsc::Sender<Request>,
    /// The hub.
    pub hub: HubHandle,
    pub(super) writer: Option<WriterHandle>,
    /// Where SIP listens.
    pub listening: Vec<String>,
    pub(super) workers: Workers,
    /// What join tokens are signed with.
    pub join_key: Arc<Key>,
    /// What tokens of platforms that attach are signed with: this run's own.
    pub stream_key: Arc<Key>,
    /// Those of them that were used.
    pub streams_used: Arc<Used>,
    pub(super) upstreams: Arc<[crate::config::Trunk]>,
    pub(super) resolver: Arc<Resolver>,
    /// Whether everything still runs that must.
    pub posts: Watch,
    /// The first lists of tools of MCP servers, on their way.
    pub(super) lists: Arc<tokio::sync::Mutex<Vec<tokio::task::JoinHandle<()>>>>,
}

impl Handle {
    /// Waits until the MCP servers of all agents have told their tools, or could not: calls before that begin without.
    pub async fn tools_known(&self) {
        for list in self.lists.lock().await.drain(..) {
            let _ = list.await;
        }
    }

    /// Places a call.
    ///
    /// # Errors
    /// The target cannot be resolved, no port is free, the gateway is draining.
    pub async fn originate(&self, originate: Originate) -> Result<CallId> {
        // Names are looked up here, by the caller: the engine waits for nobody.
        if let Some(url) = &originate.whip {
            let whip = self.whip_server(&originate, url).await?;
            let (reply, answer) = oneshot::channel();
            let _ = self.to.send(Request::Whip(Box::new(originate), Box::new(whip), reply)).await;
            return answer.await.unwrap_or_else(|_| Err(Error::new(Kind::Bug, "the engine has stopped")));
        }
        let found = match originate.proxy.as_ref().unwrap_or(&originate.to) {
            user if user.host.is_empty() => None,
            hop => Some(self.resolver.find(hop).await?),
        };
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Originate(Box::new(originate), found, reply)).await;
        answer.await.unwrap_or_else(|_| Err(Error::new(Kind::Bug, "the engine has stopped")))
    }

    /// Ends a call; false if there is none of that name.
    pub async fn hang_up(&self, call: CallId, reason: &str) -> bool {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::HangUp(call, reason.to_owned(), reply)).await;
        answer.await.unwrap_or(false)
    }

    /// Whom to call to reach `number` through a trunk, at the server that the trunk uses now; our address there; our
    /// credentials. None if there is no such trunk.
    pub async fn through(&self, trunk: &str, number: &str) -> Option<(Uri, Uri, Option<Credentials>)> {
        let upstream = self.upstreams.iter().find(|upstream| upstream.name == trunk)?;
        let views = self.hub.gateway().await.map(|gateway| gateway.trunks).unwrap_or_default();
        let current = views.iter().find(|view| view.name == trunk).and_then(|view| Uri::parse(&view.server).ok());
        let mut to = current.or_else(|| upstream.servers.first().cloned())?;
        number.clone_into(&mut to.user);
        Some((to, upstream.aor.clone(), upstream.credentials.clone()))
    }

    /// The proxies that requests through a trunk must pass, first hop first (RFC 3608): `Route` of what we send there,
    /// whose first is where it goes. Often none.
    pub async fn service_route(&self, trunk: &str) -> Vec<String> {
        let views = self.hub.gateway().await.map(|gateway| gateway.trunks).unwrap_or_default();
        views.into_iter().find(|view| view.name == trunk).map(|view| view.service_route).unwrap_or_default()
    }

    /// The agent called `name`, or the one that answers calls; only those that the gateway was started with.
    pub async fn plan(&self, name: Option<&str>) -> Option<Arc<Plan>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Plan(name.map(str::to_owned), reply)).await;
        answer.await.ok().flatten()
    }

    /// Sends digits to a call's far end; false if there is no such call.
    pub async fn press(&self, call: CallId, digits: &str) -> bool {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Press(call, digits.to_owned(), reply)).await;
        answer.await.unwrap_or(false)
    }

    /// Pauses a call's recording, or goes on with it; false if there is no such call.
    pub async fn pause_recording(&self, call: CallId, paused: bool) -> bool {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::PauseRecording(call, paused, reply)).await;
        answer.await.unwrap_or(false)
    }

    /// Asks a call's far end to call `to` instead; false if there is no such call. What comes of it is in the journal.
    pub async fn transfer(&self, call: CallId, to: Uri) -> bool {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Transfer(call, to, reply)).await;
        answer.await.unwrap_or(false)
    }

    /// Asks a call's far end to take the place of ours in another call (REFER with Replaces, RFC 5589 §7). None if there
    /// is no such call, false if they are not both up. What comes of it is in the journal.
    pub async fn transfer_to(&self, call: CallId, other: CallId) -> Option<bool> {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::TransferTo(call, other, reply)).await;
        answer.await.ok().flatten()
    }

    /// Holds a call's far end, or takes it back; false if there is no such call. What comes of it is in the journal.
    pub async fn hold(&self, call: CallId, hold: bool) -> bool {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Hold(call, hold, reply)).await;
        answer.await.unwrap_or(false)
    }

    /// Seats a platform that has come with these claims at its call; its connection will be in the slot. The agent that
    /// sits there now is closed, and comes back if the platform is lost.
    ///
    /// # Errors
    /// Why not: the call is not up, is held, was put through; none if there is no such call.
    pub async fn attach(&self, call: CallId, claims: Claims, slot: Slot) -> Option<Result<(), String>> {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Attach(call, Box::new((claims, slot)), reply)).await;
        answer.await.ok()
    }

    /// Puts a caller through: to a user who is registered here, or to a number through a trunk. The agent stays until
    /// somebody answers, and goes on if nobody does. Gives the new leg's session.
    ///
    /// # Errors
    /// There is no such call, user or trunk; limits say no; the gateway is draining.
    pub async fn bridge(&self, call: CallId, to: &str, trunk: Option<&str>) -> Result<CallId> {
        let target = trunk.map_or_else(|| Target::User(to.to_owned()), |trunk| Target::Trunk(trunk.to_owned()));
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Bridge(call, target, to.to_owned(), reply)).await;
        answer.await.unwrap_or_else(|_| Err(Error::new(Kind::Bug, "the engine has stopped")))
    }

    /// All conferences.
    pub async fn conferences(&self) -> Vec<View> {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Conferences(reply)).await;
        answer.await.unwrap_or_default()
    }

    /// Puts a running call into a conference, which is made if it is not there.
    ///
    /// # Errors
    /// There is no such call, it is bridged or in a conference, or it lives on another media worker.
    pub async fn confer(&self, call: CallId, name: &str, role: Role) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Confer(call, name.to_owned(), role, reply)).await;
        answer.await.unwrap_or_else(|_| Err(Error::new(Kind::Bug, "the engine has stopped")))
    }

    /// Does something to a conference's member; false if it is not there.
    pub async fn attend(&self, name: &str, call: CallId, deed: Deed) -> bool {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Attend(name.to_owned(), call, deed, reply)).await;
        answer.await.unwrap_or(false)
    }

    /// Sends a text; gives the status that says whether it arrived.
    ///
    /// # Errors
    /// The target cannot be resolved or reached from here.
    pub async fn text(&self, writing: Writing) -> Result<Reply> {
        let found = if writing.to.host.is_empty() { None } else { Some(self.resolver.find(&writing.to).await?) };
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Text(Box::new(writing), found, reply)).await;
        answer.await.unwrap_or_else(|_| Err(Error::new(Kind::Bug, "the engine has stopped")))
    }

    /// A browser joins; the answer comes back through `join.reply`.
    pub async fn join(&self, join: Join) {
        let _ = self.to.send(Request::Join(Box::new(join))).await;
    }

    /// Takes no new calls, waits for the running ones, ends what is left at the deadline.
    pub async fn drain(&self, within: Duration) {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Drain(within, reply)).await;
        let _ = answer.await;
    }

    /// Ends all calls now.
    pub async fn hang_up_all(&self, reason: &str) {
        let _ = self.to.send(Request::HangUpAll(reason.to_owned())).await;
    }

    /// Transactions, dialogs and legs that are alive.
    pub async fn alive(&self) -> Option<(usize, usize, usize)> {
        let (reply, answer) = oneshot::channel();
        self.to.send(Request::Alive(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Finishes all files.
    pub fn finish_files(&self) {
        if let Some(writer) = self.writer.clone() {
            writer.stop();
        }
    }

    /// Calls that are running.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.workers.calls()
    }
}
