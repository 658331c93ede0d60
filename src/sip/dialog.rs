//! Dialogs (RFC 3261 §12): who talks to whom, on which route, with which numbers.
//!
//! Makes in-dialog requests and checks those that come in. Does not know transactions or media.

use super::{
    header::CSeq,
    message::{Headers, Request, Response},
    method::Method,
    uri::{NameAddr, Uri},
};

/// One dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: String,
    /// Our address with our tag: From of our requests.
    pub local: NameAddr,
    /// Their address with their tag, once known: To of our requests.
    pub remote: NameAddr,
    /// Their Contact.
    pub remote_target: Uri,
    /// Routes to take, first hop first.
    pub route_set: Vec<String>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
}

impl Dialog {
    /// Of an INVITE that came in (§12.1.1); `local_tag` is ours. None if it has no Contact to answer to.
    #[must_use]
    pub fn of_server(invite: &Request, local_tag: &str) -> Option<Self> {
        let contact = invite.headers.contact()?;
        Some(Self {
            call_id: invite.headers.call_id().to_owned(),
            local: invite.headers.to().ok()?.with_tag(local_tag),
            remote: invite.headers.from().ok()?,
            remote_target: contact.uri,
            route_set: invite.headers.all("Record-Route").map(str::to_owned).collect(),
            local_cseq: 0,
            remote_cseq: invite.headers.cseq().ok().map(|cseq| cseq.number),
        })
    }

    /// Of a response to our INVITE (§12.1.2). None if the response makes no dialog.
    #[must_use]
    pub fn of_client(invite: &Request, response: &Response) -> Option<Self> {
        let remote = response.headers.to().ok()?;
        remote.tag()?;
        let contact = response.headers.contact().map(|contact| contact.uri);
        let mut route_set: Vec<String> = response.headers.all("Record-Route").map(str::to_owned).collect();
        route_set.reverse();
        Some(Self {
            call_id: invite.headers.call_id().to_owned(),
            local: invite.headers.from().ok()?,
            remote,
            remote_target: contact.or_else(|| Uri::parse(&invite.uri).ok())?,
            route_set,
            local_cseq: invite.headers.cseq().ok()?.number,
            remote_cseq: None,
        })
    }

    /// Call-ID, our tag, their tag: what in-dialog requests are found by.
    #[must_use]
    pub fn key(&self) -> (String, String, String) {
        let tag = |address: &NameAddr| address.tag().unwrap_or_default().to_owned();
        (self.call_id.clone(), tag(&self.local), tag(&self.remote))
    }

    /// Whether a request's number is the next (§12.2.2); remembers it. Equal or lower numbers are out of order.
    pub fn accepts(&mut self, cseq: &CSeq) -> bool {
        if self.remote_cseq.is_some_and(|known| cseq.number <= known) {
            return false;
        }
        self.remote_cseq = Some(cseq.number);
        true
    }

    /// Takes over the Contact of a target refresh (§12.2).
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Some(contact) = headers.contact() {
            self.remote_target = contact.uri;
        }
    }

    /// Goes on with the numbers of the early dialog that this one grew out of.
    pub fn continues(&mut self, early: &Self) {
        self.local_cseq = self.local_cseq.max(early.local_cseq);
        self.remote_cseq = self.remote_cseq.max(early.remote_cseq);
    }

    /// Leaves out so many numbers.
    pub const fn skips(&mut self, numbers: u32) {
        self.local_cseq = self.local_cseq.saturating_add(numbers);
    }

    /// Where requests go first: the top route if there is one, else the target.
    #[must_use]
    pub fn next_hop(&self) -> Uri {
        self.route_set
            .first()
            .and_then(|route| NameAddr::parse(route).ok())
            .map_or_else(|| self.remote_target.clone(), |route| route.uri)
    }

    /// A request within the dialog (§12.2.1.1) without Via. ACK takes the INVITE's number, others the next.
    pub fn request(&mut self, method: Method, ack_of: Option<u32>) -> Request {
        let number = ack_of.unwrap_or_else(|| {
            self.local_cseq += 1;
            self.local_cseq
        });
        let mut headers = Headers::default();
        let loose = self
            .route_set
            .first()
            .and_then(|route| NameAddr::parse(route).ok())
            .is_none_or(|route| route.uri.param("lr").is_some());
        let uri = if loose {
            for route in &self.route_set {
                headers.push("Route", route.clone());
            }
            self.remote_target.to_string()
        } else {
            // A strict router: its URI is the Request-URI, the target goes to the end.
            for route in &self.route_set[1..] {
                headers.push("Route", route.clone());
            }
            headers.push("Route", format!("<{}>", self.remote_target));
            self.next_hop().to_string()
        };
        headers.push("From", self.local.to_string());
        headers.push("To", self.remote.to_string());
        headers.push("Call-ID", self.call_id.clone());
        headers.push("CSeq", CSeq { number, method: method.clone() }.to_string());
        headers.push("Max-Forwards", "70");
        Request { method, uri, headers, body: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Message;

    fn invite(record_route: &str) -> Request {
        let text = format!(
            "INVITE sip:us@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP p;branch=z9hG4bK1\r\n{record_route}\
             From: <sip:a@x>;tag=them\r\nTo: <sip:us@y>\r\nCall-ID: c\r\nCSeq: 5 INVITE\r\nContact: <sip:a@192.0.2.1>\r\n\r\n"
        );
        match Message::parse(text.as_bytes()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requests_go_through_the_recorded_proxies_in_order() {
        let invite = invite("Record-Route: <sip:p2;lr>, <sip:p1;lr>\r\n");
        let mut dialog = Dialog::of_server(&invite, "ours").unwrap();
        let bye = dialog.request(Method::Bye, None);
        assert_eq!(bye.uri, "sip:a@192.0.2.1");
        assert_eq!(bye.headers.all("Route").collect::<Vec<_>>(), ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!(dialog.next_hop().host, "p2");
        assert_eq!(bye.headers.to().unwrap().tag(), Some("them"));
        assert_eq!(bye.headers.from().unwrap().tag(), Some("ours"));
    }

    #[test]
    fn a_strict_router_gets_its_own_uri() {
        let invite = invite("Record-Route: <sip:p1>\r\n");
        let bye = Dialog::of_server(&invite, "ours").unwrap().request(Method::Bye, None);
        assert_eq!(bye.uri, "sip:p1");
        assert_eq!(bye.headers.first("Route"), Some("<sip:a@192.0.2.1>"));
    }

    #[test]
    fn numbers_must_grow() {
        let mut dialog = Dialog::of_server(&invite(""), "ours").unwrap();
        let cseq = |number| CSeq { number, method: Method::Bye };
        assert!(!dialog.accepts(&cseq(5)));
        assert!(dialog.accepts(&cseq(6)) && !dialog.accepts(&cseq(6)));
    }
}
