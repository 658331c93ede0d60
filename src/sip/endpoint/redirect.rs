//! 3xx: our call goes to the Contacts that it names, the best first (RFC 3261 §8.1.3.4).
//!
//! Whether a Contact may be called and where its servers are is the engine's to say ([`Event::Redirected`]). The next is
//! tried when one fails in whatever way but 6xx, which is everybody's answer.

use super::{Endpoint, Event, LegId, Request, Response, leg::Stage, number_of};
use crate::sip::uri::{NameAddr, unescaped};

/// A ring of redirections must end: so many 3xx, as others do…
const REDIRECTIONS_MAX: u8 = 5;
/// …and so many Contacts of each.
const CONTACTS_MAX: usize = 5;

impl Endpoint {
    /// Follows a 3xx; true if there is anybody whom it names.
    pub(super) fn redirected(&mut self, id: LegId, request: &Request, response: &Response) -> bool {
        let anywhere = self.settings.redirected_anywhere;
        let Some(leg) = self.legs.get_mut(&id) else { return false };
        let Some(outgoing) = leg.outgoing.as_ref() else { return false };
        let number = number_of(&request.headers) + 1;
        if leg.stage == Stage::Early && leg.redirections < REDIRECTIONS_MAX {
            leg.redirections += 1;
            let called = unescaped(outgoing.to.number());
            let mut contacts: Vec<NameAddr> = response
                .headers
                .all("Contact")
                .filter_map(|contact| NameAddr::parse(contact).ok())
                .filter(|contact| {
                    contact.uri.is_sip() && !contact.uri.host.is_empty() && contact.uri.transport().is_some()
                })
                // Another number is another call, which nobody here has allowed.
                .filter(|contact| anywhere || unescaped(contact.uri.number()) == called)
                .filter(|contact| !leg.contacts_tried.iter().any(|tried| tried.is_same_as(&contact.uri)))
                .collect();
            // §20.10: q is 1 if nobody says.
            let q = |contact: &NameAddr| contact.param("q").and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
            contacts.sort_by(|one, other| q(other).total_cmp(&q(one)));
            for contact in contacts.into_iter().take(CONTACTS_MAX).rev() {
                leg.contacts.retain(|known| !known.is_same_as(&contact.uri));
                leg.contacts.push_front(contact.uri);
            }
        }
        self.next_contact(id, number)
    }

    /// Our INVITE, as `number`, is to go to the next Contact; false if none is left.
    pub(super) fn next_contact(&mut self, id: LegId, number: u32) -> bool {
        let Some(leg) = self.legs.get_mut(&id).filter(|leg| leg.stage == Stage::Early) else { return false };
        let Some(outgoing) = leg.outgoing.as_mut() else { return false };
        let Some(target) = leg.contacts.pop_front() else { return false };
        if target.host != outgoing.to.host {
            // A password is for the one it was given for.
            outgoing.credentials = None;
            leg.challenges.clear();
        }
        leg.spares = 0;
        let same_number = unescaped(target.number()) == unescaped(outgoing.to.number());
        outgoing.target = Some(target.clone());
        leg.contacts_tried.push(target.clone());
        leg.invite = None;
        leg.resumes = Some(number);
        self.event(Event::Redirected(id, target, same_number));
        true
    }
}
