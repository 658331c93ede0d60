//! Requests within a call besides INVITE and BYE: UPDATE (RFC 3311), INFO with digits (RFC 6086), MESSAGE (RFC 3428),
//! REFER and its NOTIFYs (RFC 3515, RFC 3891, RFC 5589); and those of ours.

use super::{Endpoint, Event, Instant, Key, LegId, Method, Path, Request, Response, is_open, leg::Stage};
use crate::sip::{
    method::reason_phrase,
    uri::{NameAddr, Uri},
};

/// Digits that wait for the answers to those before them.
const DIGITS_MAX: usize = 64;

/// A text message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The call that it came in, if it did.
    pub leg: Option<LegId>,
    /// From's URI.
    pub from: Uri,
    /// To's URI.
    pub to: Uri,
    /// Whose credentials it carried.
    pub user: Option<String>,
    /// `text/plain`, …
    pub content_type: String,
    /// The body, as text.
    pub body: String,
}

/// The status in a `message/sipfrag` body (RFC 3420): of `SIP/2.0 486 Busy Here` 486.
#[must_use]
pub fn sipfrag_status(body: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(body).ok()?;
    let status = text.trim_start().strip_prefix("SIP/2.0 ")?.split_whitespace().next()?.parse().ok()?;
    (100..700).contains(&status).then_some(status)
}

/// The digit and its length in milliseconds of an INFO: `application/dtmf-relay` or `application/dtmf`.
fn digit_of(content_type: &str, body: &[u8]) -> Option<(char, u32)> {
    let text = std::str::from_utf8(body).ok()?;
    let digit = |word: &str| match word.trim() {
        "10" => Some('*'),
        "11" => Some('#'),
        word => word.chars().next().map(|c| c.to_ascii_uppercase()).filter(|c| "0123456789*#ABCD".contains(*c)),
    };
    if content_type.eq_ignore_ascii_case("application/dtmf") {
        return digit(text).map(|digit| (digit, 160));
    }
    if !content_type.eq_ignore_ascii_case("application/dtmf-relay") {
        return None;
    }
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let (known, value) = line.split_once('=')?;
            known.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let length = field("Duration").and_then(|text| text.parse().ok()).unwrap_or(160);
    digit(field("Signal")?).map(|digit| (digit, length))
}

fn content_type(request: &Request) -> String {
    let value = request.headers.first("Content-Type").unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

impl Endpoint {
    /// INFO, UPDATE, MESSAGE, REFER, NOTIFY that belong to a leg; out-of-order ones are refused.
    pub(super) fn inside(&mut self, now: Instant, key: Key, request: &Request) {
        let Some(id) = self.leg_of(request) else {
            let response = self.dressed(request, 481);
            self.respond(now, &key, &response);
            return;
        };
        let tag = request.headers.from().ok().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        let in_order = request.headers.cseq().is_ok_and(|cseq| {
            self.legs.get_mut(&id).and_then(|leg| leg.dialog_with(&tag)).is_some_and(|dialog| dialog.accepts(&cseq))
        });
        if !in_order {
            let response = self.dressed(request, 500);
            self.respond(now, &key, &response);
            return;
        }
        match request.method {
            Method::Update => self.update(now, key, id, &tag, request),
            Method::Info => self.info(now, &key, id, request),
            Method::Refer => self.refer(now, &key, id, request),
            Method::Notify => self.notify(now, &key, id, request),
            _ => self.text(now, &key, Some(id), request, None),
        }
    }

    fn update(&mut self, now: Instant, key: Key, id: LegId, tag: &str, request: &Request) {
        let Some(leg) = self.legs.get(&id) else { return };
        let open = |key: &Option<Key>| key.as_ref().and_then(|key| self.transactions.get(key)).filter(|tx| is_open(tx));
        let has_offer = request.sdp().is_some();
        let early = leg.stage == Stage::Early;
        let described_early = early && leg.is_described_early(tag);
        // RFC 3311 §5.2: one exchange at a time; ours on its way is glare, theirs unanswered is a fault.
        let status = if leg.stage == Stage::Closing {
            Some(481)
        } else if has_offer && described_early && leg.update.is_none() {
            None
        } else if has_offer && open(&leg.invite).is_some_and(|tx| tx.kind == super::Kind::InviteClient) {
            Some(491)
        } else if has_offer && (open(&leg.invite).is_some() || leg.update.is_some()) {
            Some(500)
        } else {
            None
        };
        if let Some(status) = status {
            let mut response = self.dressed(request, status);
            if status == 500 {
                response.headers.push("Retry-After", (now.as_nanos() % 10).to_string());
            }
            self.respond(now, &key, &response);
            return;
        }
        if let Some(dialog) = self.legs.get_mut(&id).and_then(|leg| leg.dialog_with(tag)) {
            dialog.refresh_target(&request.headers);
        }
        self.look_for(id);
        if early && has_offer {
            self.updated_early(id, request);
        }
        if let Some(sdp) = request.sdp() {
            let sdp = sdp.to_vec();
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.update = Some(key);
            }
            self.event(Event::Reinvite(id, Some(sdp)));
            return;
        }
        let response = self.update_response(now, id, request, None);
        self.respond(now, &key, &response);
    }

    /// The answer to an UPDATE: with a description if it made an offer.
    fn update_response(&mut self, now: Instant, id: LegId, request: &Request, sdp: Option<String>) -> Response {
        // The session's timer starts with the 200.
        let early = self.legs.get(&id).is_some_and(|leg| leg.stage == Stage::Early);
        match if early { Ok(Vec::new()) } else { self.agree_on_timer(now, id, request) } {
            Ok(headers) => {
                let mut response = self.dressed(request, 200);
                let path = self.legs.get(&id).map(|leg| leg.path);
                if let Some(path) = path {
                    response.headers.push("Contact", self.contact(path, &request.uri));
                }
                for (name, value) in headers {
                    response.headers.push(name, value);
                }
                if let Some(sdp) = sdp {
                    response.headers.push("Content-Type", "application/sdp");
                    response.body = sdp.into_bytes();
                }
                response
            }
            Err((status, headers)) => {
                let mut response = self.dressed(request, status);
                for (name, value) in headers {
                    response.headers.push(name, value);
                }
                response
            }
        }
    }

    /// The engine's answer to an UPDATE with an offer; false if none is pending.
    pub(super) fn answer_update(&mut self, now: Instant, id: LegId, answer: &Result<String, u16>) -> bool {
        let Some(key) = self.legs.get_mut(&id).and_then(|leg| leg.update.take()) else { return false };
        let Some(request) = self.transactions.get(&key).map(|tx| tx.request.clone()) else { return false };
        let response = match answer {
            Ok(sdp) => self.update_response(now, id, &request, Some(sdp.clone())),
            Err(status) => self.dressed(&request, *status),
        };
        self.respond(now, &key, &response);
        true
    }

    fn info(&mut self, now: Instant, key: &Key, id: LegId, request: &Request) {
        let content_type = content_type(request);
        let digit = digit_of(&content_type, &request.body);
        // An empty INFO is a question whether the call lives; what is not understood is not taken.
        let status = if digit.is_some() || request.body.is_empty() { 200 } else { 415 };
        let mut response = self.dressed(request, status);
        if status == 415 {
            response.headers.push("Accept", "application/dtmf-relay, application/dtmf");
        }
        self.respond(now, key, &response);
        if let Some((digit, duration_ms)) = digit {
            self.event(Event::Digit(id, digit, duration_ms));
        }
    }

    /// MESSAGE, within a call or outside.
    pub(super) fn text(
        &mut self,
        now: Instant,
        key: &Key,
        leg: Option<LegId>,
        request: &Request,
        user: Option<String>,
    ) {
        let content_type = content_type(request);
        let plain = request.plain_text();
        let mut response = self.dressed(request, if plain.is_some() { 200 } else { 415 });
        if plain.is_none() {
            response.headers.push("Accept", "text/plain");
        }
        self.respond(now, key, &response);
        let (Ok(from), Ok(to), Some(plain)) = (request.headers.from(), request.headers.to(), plain) else { return };
        let body = String::from_utf8_lossy(plain).into_owned();
        self.event(Event::Text(Box::new(Text { leg, from: from.uri, to: to.uri, user, content_type, body })));
    }

    // REFER

    fn refer(&mut self, now: Instant, key: &Key, id: LegId, request: &Request) {
        let targets: Vec<&str> = request.headers.all("Refer-To").collect();
        let target = match targets.as_slice() {
            [one] => NameAddr::parse(one).ok().map(|address| address.uri).filter(Uri::is_sip),
            _ => None,
        };
        let busy = self.legs.get(&id).is_none_or(|leg| leg.referred || leg.stage != Stage::Confirmed);
        let status = match target {
            None => 400,
            Some(_) if busy => 491,
            Some(_) => 202,
        };
        let mut response = self.dressed(request, status);
        if let (202, Some(path)) = (status, self.legs.get(&id).map(|leg| leg.path)) {
            response.headers.push("Contact", self.contact(path, &request.uri));
        }
        self.respond(now, key, &response);
        if let (202, Some(target)) = (status, target) {
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.referred = true;
            }
            self.tell_referrer(now, id, 100);
            self.event(Event::Referred(id, target));
        }
    }

    /// NOTIFY with the status of the call that the far end asked for.
    pub(super) fn tell_referrer(&mut self, now: Instant, id: LegId, status: u16) {
        if !self.legs.get(&id).is_some_and(|leg| leg.referred) {
            return;
        }
        let Some((mut notify, path)) = self.request_within(id, Method::Notify) else { return };
        notify.headers.push("Event", "refer");
        let state = if status >= 200 { "terminated;reason=noresource" } else { "active;expires=60" };
        notify.headers.push("Subscription-State", state);
        let contact = self.contact(path, &notify.uri);
        notify.headers.push("Contact", contact);
        notify.headers.push("Content-Type", "message/sipfrag;version=2.0");
        notify.body = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status)).into_bytes();
        if let Some(leg) = self.legs.get_mut(&id).filter(|_| status >= 200) {
            leg.referred = false;
        }
        let key = self.send_request(now, notify, path);
        self.clients.insert(key, id);
    }

    /// Progress of our REFER.
    fn notify(&mut self, now: Instant, key: &Key, id: LegId, request: &Request) {
        let event = request.headers.first("Event").unwrap_or_default();
        let is_refer = event.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("refer"));
        let ours = self.legs.get(&id).is_some_and(|leg| leg.refers);
        let mut response = self.dressed(request, if is_refer && ours { 200 } else { 489 });
        if !is_refer {
            response.headers.push("Allow-Events", "refer");
        }
        self.respond(now, key, &response);
        if !is_refer || !ours {
            return;
        }
        let state = request.headers.first("Subscription-State").unwrap_or_default().trim().to_ascii_lowercase();
        let over = state.starts_with("terminated");
        // A subscription that ends without a final word says nothing of success (RFC 5589 §4).
        let status = match sipfrag_status(&request.body) {
            Some(status) if status >= 200 || !over => status,
            _ if over => 487,
            _ => return,
        };
        if status >= 200
            && let Some(leg) = self.legs.get_mut(&id)
        {
            leg.refers = false;
        }
        self.event(Event::Transfer(id, status));
    }

    /// REFER: asks the far end to call `to`. A `Replaces` goes into its headers (RFC 3891).
    pub(super) fn send_refer(&mut self, now: Instant, id: LegId, to: &Uri) {
        let up = self.legs.get(&id).is_some_and(|leg| leg.stage == Stage::Confirmed && !leg.refers);
        let request = self.request_within(id, Method::Refer).filter(|_| up);
        let Some((mut refer, path)) = request else {
            self.event(Event::Transfer(id, 491));
            return;
        };
        refer.headers.push("Refer-To", format!("<{to}>"));
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.refers = true;
            if let Some(dialog) = &leg.dialog {
                refer.headers.push("Referred-By", format!("<{}>", dialog.local.uri));
            }
        }
        let contact = self.contact(path, &refer.uri);
        refer.headers.push("Contact", contact);
        let key = self.send_request(now, refer, path);
        self.clients.insert(key, id);
    }

    /// MESSAGE: a text within the call, as `text/plain`.
    pub(super) fn send_text(&mut self, now: Instant, id: LegId, text: String) {
        let up = self.legs.get(&id).is_some_and(|leg| leg.stage == Stage::Confirmed);
        let request = self.request_within(id, Method::Message).filter(|_| up);
        let Some((mut message, path)) = request else {
            self.event(Event::Texted(id, 481));
            return;
        };
        message.headers.push("Content-Type", "text/plain;charset=UTF-8");
        message.body = text.into_bytes();
        let key = self.send_request(now, message, path);
        self.clients.insert(key, id);
    }

    /// INFO with a digit, when those before it were answered: two under way may change places.
    pub(super) fn press(&mut self, now: Instant, id: LegId, digit: char, duration_ms: u32) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if !leg.takes_info {
            return self.event(Event::NotPressed(id, 405));
        }
        if leg.stage != Stage::Confirmed || leg.digits.len() >= DIGITS_MAX {
            return self.event(Event::NotPressed(id, 481));
        }
        leg.digits.push_back((digit, duration_ms));
        if leg.digits.len() == 1 {
            self.send_digit(now, id);
        }
    }

    fn send_digit(&mut self, now: Instant, id: LegId) {
        let Some((digit, duration_ms)) = self.legs.get(&id).and_then(|leg| leg.digits.front().copied()) else { return };
        let Some((mut info, path)) = self.request_within(id, Method::Info) else { return };
        info.headers.push("Content-Type", "application/dtmf-relay");
        info.body = format!("Signal={digit}\r\nDuration={duration_ms}\r\n").into_bytes();
        let key = self.send_request(now, info, path);
        self.clients.insert(key, id);
    }

    /// The newest INFO of ours was answered.
    pub(super) fn pressed(&mut self, now: Instant, id: LegId, status: u16) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.digits.pop_front();
        if status >= 300 {
            self.event(Event::NotPressed(id, status));
        }
        self.send_digit(now, id);
    }

    /// How a leg's far end is reached, whether it takes REFER as far as its `Allow` says, and who we are to it; none if
    /// it is not up.
    #[must_use]
    pub fn far_side(&self, id: LegId) -> Option<(Path, bool, Uri)> {
        let leg = self.legs.get(&id).filter(|leg| leg.stage == Stage::Confirmed)?;
        let own = leg.dialog.as_ref().map(|dialog| dialog.local.uri.clone())?;
        Some((leg.path, leg.takes_refer, own))
    }

    /// Our REFER was answered: 202 says no more than that NOTIFYs will come.
    pub(super) fn refer_answered(&mut self, id: LegId, response: &Response) {
        if response.status >= 300 {
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.refers = false;
            }
            self.event(Event::Transfer(id, response.status));
        }
    }

    /// A request in a leg's dialog and where it goes.
    pub(super) fn request_within(&mut self, id: LegId, method: Method) -> Option<(Request, Path)> {
        let leg = self.legs.get_mut(&id)?;
        let path = Self::dialog_path(leg);
        Some((leg.dialog.as_mut()?.request(method, None), path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_both_kinds_of_info() {
        let relay = |body: &str| digit_of("application/dtmf-relay", body.as_bytes());
        assert_eq!(relay("Signal=5\r\nDuration=250\r\n"), Some(('5', 250)));
        assert_eq!(relay("Signal= *\r\n"), Some(('*', 160)));
        assert_eq!(relay("signal = d\nduration = x"), Some(('D', 160)));
        assert_eq!(relay("Signal=11"), Some(('#', 160)));
        assert_eq!(relay("Duration=250"), None);
        assert_eq!(digit_of("application/dtmf", b"7"), Some(('7', 160)));
        assert_eq!(digit_of("application/dtmf", b"\xff"), None);
        assert_eq!(digit_of("text/plain", b"7"), None);
    }

    #[test]
    fn fragments_name_their_status() {
        assert_eq!(sipfrag_status(b"SIP/2.0 200 OK\r\n"), Some(200));
        assert_eq!(sipfrag_status(b"SIP/2.0 9999 x"), None);
        assert_eq!(sipfrag_status(b"INVITE sip:a SIP/2.0"), None);
    }
}
