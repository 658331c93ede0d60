//! Pages that wait to be called: who is there, whose telephone rings in a browser, who takes the call.
//!
//! A page that has proved to be a user rings like that user's other telephones: it is a branch of a bridge
//! ([`super::bridge`]), without a SIP leg behind it. What it is told goes out as messages of `webrtc::protocol`; it takes a
//! call by joining with the ring's name, which only it knows. `webrtc::presence` holds its socket.

use super::{Engine, In, LegId, Request, endpoint::Ended};
use crate::{
    api::model::UserView,
    gateway::{
        Handle,
        session::web::{Joining, Refused},
    },
    redact::printable,
    sip::endpoint::EndedBy,
    webrtc::protocol::ToPage,
};
use rand::Rng as _;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::{IpAddr, SocketAddr},
};
use tokio::sync::{mpsc, oneshot};

/// A page that can be called from now on.
#[derive(Debug)]
pub struct Presence {
    /// As whom: a user of the config; it has been proved.
    pub user: String,
    /// Where its signalling comes from.
    pub source: SocketAddr,
    /// Where we receive its media: the socket's address, and what browsers are told.
    pub media: (IpAddr, IpAddr),
    /// What it is told.
    pub to: mpsc::Sender<String>,
}

/// A page that takes a call.
#[derive(Debug)]
pub struct PickUp {
    /// The ring's name.
    pub ring: String,
    /// Its side of the connection.
    pub joining: Joining,
}

/// A call that a page took, on its way to the callee's session.
#[derive(Debug)]
pub struct Taken {
    /// Its side of the connection.
    pub joining: Joining,
    /// Where we receive its media: the socket's address, and what it is told.
    pub media: (IpAddr, IpAddr),
}

/// Names a page that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageId(u64);

/// All pages that are there.
#[derive(Debug, Default)]
pub(super) struct Pages {
    all: BTreeMap<PageId, Presence>,
    /// What rings, by its name.
    rings: HashMap<String, Ringing>,
    /// Calls of ours that ring at pages and nowhere else.
    pub(super) direct: HashSet<LegId>,
    newest: u64,
}

#[derive(Clone, Copy, Debug)]
struct Ringing {
    page: PageId,
    /// The branch of its bridge.
    leg: LegId,
}

impl Pages {
    /// Those of a user, the oldest first.
    pub(super) fn of<'a>(&'a self, user: &'a str) -> impl Iterator<Item = PageId> + 'a {
        self.all.iter().filter(move |(_, page)| page.user == user).map(|(id, _)| *id)
    }

    /// Where a page's media come in: the socket's address, and what it is told.
    pub(super) fn media(&self, page: PageId) -> Option<(IpAddr, IpAddr)> {
        self.all.get(&page).map(|page| page.media)
    }

    /// Whether it rings somewhere for this leg.
    pub(super) fn is_rung_for(&self, leg: LegId) -> bool {
        self.rings.values().any(|ringing| ringing.leg == leg)
    }

    /// Adds the pages to those who are registered.
    pub(super) fn show(&self, views: &mut Vec<UserView>) {
        for page in self.all.values() {
            let contact = format!("web:{}", page.source);
            match views.iter_mut().find(|view| view.name == page.user) {
                Some(view) => view.contacts.push(contact),
                None => views.push(UserView { name: page.user.clone(), contacts: vec![contact] }),
            }
        }
        views.sort_by(|one, other| one.name.cmp(&other.name));
    }
}

impl Handle {
    /// A page can be called from now on.
    ///
    /// # Errors
    /// Says why not.
    pub async fn present(&self, presence: Presence) -> Result<PageId, Refused> {
        let (reply, answer) = oneshot::channel();
        let _ = self.to.send(Request::Present(Box::new(presence), reply)).await;
        answer.await.unwrap_or_else(|_| Err(Refused { status: 503, why: "the gateway stops".to_owned() }))
    }

    /// It is gone.
    pub async fn absent(&self, page: PageId) {
        let _ = self.to.send(Request::Absent(page)).await;
    }

    /// It does not want this call.
    pub async fn decline(&self, page: PageId, ring: String) {
        let _ = self.to.send(Request::Decline(page, ring)).await;
    }

    /// It takes this call; the answer comes back through `joining.reply`.
    pub async fn pick_up(&self, taken: PickUp) {
        let _ = self.to.send(Request::PickUp(Box::new(taken))).await;
    }
}

impl Engine {
    pub(super) fn present(&mut self, presence: Presence) -> Result<PageId, Refused> {
        let refused = |status, why: &str| Err(Refused { status, why: why.to_owned() });
        if self.draining.is_some() {
            return refused(503, "the gateway is draining");
        }
        if self.pages.of(&presence.user).count() >= self.config.signalling.registrar.contacts_max {
            return refused(503, "registrar.contacts_max: too many pages of one user");
        }
        tracing::info!(
            target: "web", event = "web.present", user = %printable(&presence.user), source = %presence.source
        );
        self.pages.newest += 1;
        let id = PageId(self.pages.newest);
        self.pages.all.insert(id, presence);
        self.show_users();
        Ok(id)
    }

    pub(super) fn absent(&mut self, page: PageId) {
        let Some(gone) = self.pages.all.remove(&page) else { return };
        tracing::info!(target: "web", event = "web.absent", user = %printable(&gone.user), source = %gone.source);
        let rings = self.pages.rings.iter().filter(|(_, ringing)| ringing.page == page);
        let legs: Vec<LegId> = rings.map(|(_, ringing)| ringing.leg).collect();
        self.pages.rings.retain(|_, ringing| ringing.page != page);
        for leg in legs {
            self.branch_over(leg, 480, "the page is gone");
        }
        self.show_users();
    }

    pub(super) fn decline(&mut self, page: PageId, ring: &str) {
        if self.pages.rings.get(ring).is_none_or(|ringing| ringing.page != page) {
            return;
        }
        if let Some(Ringing { leg, .. }) = self.pages.rings.remove(ring) {
            self.branch_over(leg, 486, "declined");
        }
    }

    pub(super) fn pick_up(&mut self, taken: PickUp) {
        let PickUp { ring, joining } = taken;
        let found = self.pages.rings.remove(&ring);
        let found = found.and_then(|ringing| Some((ringing.leg, self.pages.all.get(&ringing.page)?.media)));
        let Some((leg, media)) = found else {
            let why = "the call is over, or somebody else took it".to_owned();
            let _ = joining.reply.send(Err(Refused { status: 410, why }));
            return;
        };
        if let Some(taken) = self.direct_taken(leg, Taken { joining, media }) {
            self.bridge_taken(leg, taken);
        }
    }

    /// Rings at a page for this branch; a page that does not take it up is no telephone.
    pub(super) fn ring_page(&mut self, page: PageId, leg: LegId, from: &str, name: &str) {
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        let ring = format!("{:032x}", u128::from_be_bytes(bytes));
        let told = ToPage::Incoming { ring: &ring, from, name }.json();
        let heard = self.pages.all.get(&page).is_some_and(|page| page.to.try_send(told).is_ok());
        if !heard {
            return self.branch_over(leg, 480, "the page is gone");
        }
        self.pages.rings.insert(ring, Ringing { page, leg });
        self.bridge_progress(leg, 180, None);
    }

    /// Ends the ringing of this branch; true if it rang at a page.
    pub(super) fn stop_ringing(&mut self, leg: LegId, reason: &str) -> bool {
        let Some(ring) = self.pages.rings.iter().find(|(_, ringing)| ringing.leg == leg).map(|(ring, _)| ring.clone())
        else {
            return false;
        };
        if let Some(ringing) = self.pages.rings.remove(&ring)
            && let Some(page) = self.pages.all.get(&ringing.page)
        {
            let _ = page.to.try_send(ToPage::Cancelled { ring: &ring, reason: words_of(reason) }.json());
        }
        self.branch_over(leg, 487, reason);
        true
    }

    fn branch_over(&mut self, leg: LegId, status: u16, reason: &str) {
        if self.pages.direct.contains(&leg) {
            return self.direct_over(leg, status, reason);
        }
        let ended = Ended { by: EndedBy::Far, status: Some(status), reason: reason.to_owned(), answered_by_peer: true };
        self.bridge_ended(leg, &ended);
    }

    /// Ends a page's call that came to nothing; false if the leg is a telephone's.
    pub(super) fn refuse_page(&self, leg: LegId, status: u16, reason: &str) -> bool {
        if self.sessions.get(&leg).is_none_or(|known| !known.is_page) {
            return false;
        }
        let (by, reason) = (EndedBy::Us, reason.to_owned());
        self.tell(leg, In::Ended(Ended { by, status: Some(status), reason, answered_by_peer: true }));
        true
    }
}

/// The words of a `Reason` header, or the text itself.
fn words_of(reason: &str) -> &str {
    let text = reason.split_once("text=\"").and_then(|(_, rest)| rest.split('"').next());
    text.unwrap_or(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_hears_words_and_no_header() {
        assert_eq!(words_of("SIP;cause=200;text=\"Call completed elsewhere\""), "Call completed elsewhere");
        assert_eq!(words_of("given up"), "given up");
    }
}
