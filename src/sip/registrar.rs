//! The registrar: which addresses a user can be reached at, and for how long (RFC 3261 §10.3, RFC 3327 Path).
//!
//! One user part is one address of record: this gateway is one domain. Authentication is done before a request comes
//! here. Time is the caller's; bindings that must outlive a restart leave and return as [`Saved`].

use super::{
    message::Request,
    tx::Path,
    uri::{NameAddr, Uri},
};
use crate::clock::Instant;
use std::{collections::BTreeMap, time::Duration};

/// What a registrar agrees to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Given when nothing is asked for.
    pub expires_default: Duration,
    /// Shorter wishes are refused with 423.
    pub expires_min: Duration,
    /// Longer wishes are cut.
    pub expires_max: Duration,
    /// Contacts of one user.
    pub contacts_max: usize,
    /// Put into `Service-Route` of each 200 (RFC 3608); empty for none.
    pub service_route: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            expires_default: Duration::from_hours(1),
            expires_min: Duration::from_mins(1),
            expires_max: Duration::from_hours(24),
            contacts_max: 10,
            service_route: String::new(),
        }
    }
}

/// One address of a user.
#[derive(Clone, Debug)]
pub struct Binding {
    /// As the client wrote it, without header parameters.
    pub contact: Uri,
    /// Preference in thousandths, 0 to 1000.
    pub q: u16,
    /// When it ends.
    pub expires_at: Instant,
    /// Proxies to pass on the way there, first hop first (RFC 3327).
    pub path: Vec<String>,
    /// How the REGISTER came: the way back through NAT or on its connection.
    pub flow: Path,
    /// `User-Agent`.
    pub user_agent: String,
    /// `+sip.instance` with `reg-id` (RFC 5626 §6): the same telephone on the same flow, whatever its Contact.
    pub instance: Option<String>,
    call_id: String,
    cseq: u32,
}

/// A binding between two runs: `expires_in` counts from the moment it was saved.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Saved {
    /// The user.
    pub user: String,
    /// Contact URI.
    pub contact: String,
    /// Thousandths.
    pub q: u16,
    /// Seconds that were left.
    pub expires_in: u64,
    /// Path header values.
    pub path: Vec<String>,
    /// `udp`, …: how it came.
    pub transport: String,
    /// Where from.
    pub remote: std::net::SocketAddr,
    /// To which address of ours.
    pub local: std::net::SocketAddr,
    /// `User-Agent`.
    pub user_agent: String,
    /// Instance and flow.
    pub instance: Option<String>,
    /// Call-ID of the REGISTER.
    pub call_id: String,
    /// Its number.
    pub cseq: u32,
}

/// Why a REGISTER changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// 400, 423, 500, 503.
    pub status: u16,
    /// In words.
    pub reason: &'static str,
    /// Headers of the answer.
    pub headers: Vec<(&'static str, String)>,
}

impl Refused {
    const fn bad(reason: &'static str) -> Self {
        Self { status: 400, reason, headers: Vec::new() }
    }
}

/// All bindings.
#[derive(Debug, Default)]
pub struct Registrar {
    settings: Settings,
    users: BTreeMap<String, Vec<Binding>>,
}

/// One Contact of a REGISTER, judged.
struct Wish {
    contact: Uri,
    q: u16,
    expires: Duration,
    instance: Option<String>,
}

impl Registrar {
    /// Without bindings.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings, users: BTreeMap::new() }
    }

    /// Does what an authenticated REGISTER of `user` asks for, wholly or not at all; gives the headers of its 200.
    ///
    /// # Errors
    /// Says with which status it is refused.
    pub fn register(
        &mut self,
        now: Instant,
        user: &str,
        request: &Request,
        flow: Path,
    ) -> Result<Vec<(&'static str, String)>, Refused> {
        self.expire(now);
        let call_id = request.headers.call_id().to_owned();
        let cseq = request.headers.cseq().map_err(Refused::bad)?.number;
        let contacts: Vec<&str> = request.headers.all("Contact").collect();
        let asked = match request.headers.first("Expires").map(|text| text.trim().parse::<u64>()) {
            // A malformed value counts as 3600 (§20.19 by way of §10.2.1.1).
            Some(Err(_)) | None => None,
            Some(Ok(seconds)) => Some(Duration::from_secs(seconds)),
        };
        let known = self.users.get(user).cloned().unwrap_or_default();
        let in_order = |binding: &Binding| binding.call_id != call_id || cseq > binding.cseq;
        let out_of_order = || Refused {
            status: 500,
            reason: "CSeq is not higher than before",
            headers: vec![("Retry-After", "1".into())],
        };
        let bindings = if contacts.iter().any(|contact| contact.trim() == "*") {
            if contacts.len() != 1 || asked != Some(Duration::ZERO) {
                return Err(Refused::bad("Contact: * needs Expires: 0 and no other Contact"));
            }
            if !known.iter().all(in_order) {
                return Err(out_of_order());
            }
            Vec::new()
        } else {
            let wishes =
                contacts.iter().map(|contact| self.wish(contact, asked)).collect::<Result<Vec<_>, Refused>>()?;
            let mut bindings = known;
            for wish in wishes {
                let same = |binding: &Binding| match (&binding.instance, &wish.instance) {
                    (Some(theirs), Some(ours)) => theirs == ours,
                    _ => binding.contact.is_same_as(&wish.contact),
                };
                if let Some(at) = bindings.iter().position(same) {
                    if !in_order(&bindings[at]) {
                        return Err(out_of_order());
                    }
                    bindings.remove(at);
                }
                if wish.expires.is_zero() {
                    continue;
                }
                bindings.push(Binding {
                    contact: wish.contact,
                    q: wish.q,
                    expires_at: now + wish.expires,
                    path: request.headers.all("Path").map(str::to_owned).collect(),
                    flow,
                    user_agent: request.headers.first("User-Agent").unwrap_or_default().to_owned(),
                    instance: wish.instance,
                    call_id: call_id.clone(),
                    cseq,
                });
            }
            bindings
        };
        if bindings.len() > self.settings.contacts_max {
            return Err(Refused { status: 503, reason: "too many contacts of one user", headers: Vec::new() });
        }
        if bindings.is_empty() {
            self.users.remove(user);
        } else {
            self.users.insert(user.to_owned(), bindings);
        }
        Ok(self.answer(now, user, request))
    }

    fn wish(&self, contact: &str, asked: Option<Duration>) -> Result<Wish, Refused> {
        let address = NameAddr::parse(contact).map_err(|_| Refused::bad("bad Contact"))?;
        if !address.uri.headers.is_empty() {
            // RFC 4475 §3.1.2.16: headers in a Contact are for nobody to register.
            return Err(Refused::bad("a Contact with headers"));
        }
        let param = |name: &str| super::uri::find_param(&address.params, name);
        let own = param("expires").map(|text| text.parse::<u64>().map_or(Duration::from_hours(1), Duration::from_secs));
        let wanted = own.or(asked).unwrap_or(self.settings.expires_default);
        if !wanted.is_zero() && wanted < self.settings.expires_min && wanted < Duration::from_hours(1) {
            let seconds = self.settings.expires_min.as_secs().to_string();
            let headers = vec![("Min-Expires", seconds)];
            return Err(Refused { status: 423, reason: "Interval Too Brief", headers });
        }
        let q = match param("q") {
            None => 1_000,
            Some(text) => thousandths(text).ok_or_else(|| Refused::bad("bad q"))?,
        };
        let instance = param("+sip.instance").map(|instance| {
            let flow = param("reg-id").unwrap_or_default();
            format!("{} {flow}", instance.trim_matches('"'))
        });
        Ok(Wish { contact: address.uri, q, expires: wanted.min(self.settings.expires_max), instance })
    }

    /// What the 200 says: all bindings with the time they have left.
    fn answer(&self, now: Instant, user: &str, request: &Request) -> Vec<(&'static str, String)> {
        let mut headers: Vec<(&'static str, String)> = self
            .bindings(now, user)
            .map(|binding| {
                let left = binding.expires_at.since(now).as_secs_f64().round();
                let q =
                    if binding.q == 1_000 { String::new() } else { format!(";q={}", f64::from(binding.q) / 1_000.0) };
                ("Contact", format!("<{}>;expires={left}{q}", binding.contact))
            })
            .collect();
        // RFC 3327 §5.3: the client learns the path only if it said that it understands it.
        let understands =
            request.headers.all("Supported").flat_map(|list| list.split(',')).any(|option| option.trim() == "path");
        if understands {
            headers.extend(request.headers.all("Path").map(|path| ("Path", path.to_owned())));
        }
        if !self.settings.service_route.is_empty() {
            headers.push(("Service-Route", self.settings.service_route.clone()));
        }
        headers
    }

    /// Where `user` can be reached, the preferred first, the newest first among equals.
    pub fn bindings(&self, now: Instant, user: &str) -> impl Iterator<Item = &Binding> {
        let mut found: Vec<&Binding> =
            self.users.get(user).into_iter().flatten().filter(|binding| binding.expires_at > now).collect();
        found.sort_by_key(|binding| std::cmp::Reverse((binding.q, binding.expires_at)));
        found.into_iter()
    }

    /// All users with at least one binding, in order.
    pub fn users(&self) -> impl Iterator<Item = (&str, &[Binding])> {
        self.users.iter().map(|(user, bindings)| (user.as_str(), bindings.as_slice()))
    }

    /// Forgets what has run out; true if something had.
    pub fn expire(&mut self, now: Instant) -> bool {
        let count = |users: &BTreeMap<String, Vec<Binding>>| users.values().map(Vec::len).sum::<usize>();
        let before = count(&self.users);
        self.users.retain(|_, bindings| {
            bindings.retain(|binding| binding.expires_at > now);
            !bindings.is_empty()
        });
        before != count(&self.users)
    }

    /// When the next binding runs out.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        self.users.values().flatten().map(|binding| binding.expires_at).min().unwrap_or(Instant::FAR_FUTURE)
    }

    /// A connection is gone: what was bound to it cannot be reached any more.
    pub fn connection_lost(&mut self, connection: u64) {
        self.users.retain(|_, bindings| {
            bindings.retain(|binding| binding.flow.connection != Some(connection));
            !bindings.is_empty()
        });
    }

    /// Everything, for the next run.
    #[must_use]
    pub fn save(&self, now: Instant) -> Vec<Saved> {
        let of = |user: &str, binding: &Binding| Saved {
            user: user.to_owned(),
            contact: binding.contact.to_string(),
            q: binding.q,
            expires_in: binding.expires_at.since(now).as_secs(),
            path: binding.path.clone(),
            transport: binding.flow.transport.lower_name().to_owned(),
            remote: binding.flow.remote,
            local: binding.flow.local,
            user_agent: binding.user_agent.clone(),
            instance: binding.instance.clone(),
            call_id: binding.call_id.clone(),
            cseq: binding.cseq,
        };
        // A connection does not survive us, and what hangs on it must register again.
        self.users
            .iter()
            .flat_map(|(user, bindings)| bindings.iter().map(move |binding| (user, binding)))
            .filter(|(_, binding)| binding.flow.connection.is_none() && binding.expires_at > now)
            .map(|(user, binding)| of(user, binding))
            .collect()
    }

    /// Takes back what was saved `ago`; what has run out meanwhile or cannot be read is left out.
    pub fn restore(&mut self, now: Instant, ago: Duration, saved: Vec<Saved>) {
        for binding in saved {
            let left = Duration::from_secs(binding.expires_in).saturating_sub(ago);
            let (Ok(contact), Some(transport)) =
                (Uri::parse(&binding.contact), super::tx::Transport::from_name(&binding.transport))
            else {
                continue;
            };
            if left.is_zero() {
                continue;
            }
            self.users.entry(binding.user).or_default().push(Binding {
                contact,
                q: binding.q,
                expires_at: now + left,
                path: binding.path,
                flow: Path { transport, remote: binding.remote, local: binding.local, connection: None },
                user_agent: binding.user_agent,
                instance: binding.instance,
                call_id: binding.call_id,
                cseq: binding.cseq,
            });
        }
    }
}

/// `0.7` → 700; none if it is no q-value (RFC 3261 §25.1).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let whole: u16 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    let value = digits.then(|| format!("{fraction:0<3}").parse::<u16>().ok())?? + whole * 1_000;
    (value <= 1_000).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{message::Message, tx::Transport};

    fn request(cseq: u32, headers: &str) -> Request {
        let text = format!(
            "REGISTER sip:voxgw SIP/2.0\r\nVia: SIP/2.0/UDP p;branch=z9hG4bK1\r\nFrom: <sip:alice@voxgw>;tag=1\r\n\
             To: <sip:alice@voxgw>\r\nCall-ID: one\r\nCSeq: {cseq} REGISTER\r\n{headers}\r\n"
        );
        match Message::parse(text.as_bytes()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn flow() -> Path {
        let any = std::net::SocketAddr::from(([192, 0, 2, 1], 5060));
        Path { transport: Transport::Udp, remote: any, local: any, connection: None }
    }

    fn registered(registrar: &mut Registrar, at_s: u64, cseq: u32, headers: &str) -> Result<Vec<String>, u16> {
        registrar
            .register(Instant::from_millis(at_s * 1_000), "alice", &request(cseq, headers), flow())
            .map(|headers| headers.into_iter().map(|(name, value)| format!("{name}: {value}")).collect())
            .map_err(|refused| refused.status)
    }

    #[test]
    fn contacts_come_are_refreshed_listed_and_go() {
        let mut registrar = Registrar::default();
        let one =
            registered(&mut registrar, 0, 1, "Contact: <sip:a@192.0.2.1>;q=0.5, <sip:a@192.0.2.2>;expires=120\r\n");
        assert_eq!(
            one.unwrap(),
            ["Contact: <sip:a@192.0.2.2>;expires=120", "Contact: <sip:a@192.0.2.1>;expires=3600;q=0.5"]
        );
        let listed = registered(&mut registrar, 60, 2, "").unwrap();
        assert_eq!(listed[0], "Contact: <sip:a@192.0.2.2>;expires=60");
        assert_eq!(registered(&mut registrar, 130, 3, "").unwrap().len(), 1, "the short one has run out");
        let gone = registered(&mut registrar, 131, 4, "Contact: <sip:A@192.0.2.1>;expires=0\r\n").unwrap();
        assert_eq!(gone.len(), 1, "user parts are case-sensitive");
        let gone =
            registered(&mut registrar, 131, 5, "Contact: \"Al\" <sip:a@192.0.2.1:5060>\r\nExpires: 0\r\n").unwrap();
        assert_eq!(gone.len(), 1, "an explicit port is another address (§19.1.4)");
        assert!(registered(&mut registrar, 131, 6, "Contact: <sip:a@192.0.2.1>\r\nExpires: 0\r\n").unwrap().is_empty());
    }

    #[test]
    fn wildcards_brief_intervals_and_old_numbers() {
        let mut registrar = Registrar::default();
        registered(&mut registrar, 0, 5, "Contact: <sip:a@h>\r\n").unwrap();
        assert_eq!(registered(&mut registrar, 0, 6, "Contact: *\r\n"), Err(400));
        assert_eq!(registered(&mut registrar, 0, 6, "Contact: *, <sip:a@h>\r\nExpires: 0\r\n"), Err(400));
        assert_eq!(registered(&mut registrar, 0, 4, "Contact: *\r\nExpires: 0\r\n"), Err(500));
        assert_eq!(registered(&mut registrar, 0, 7, "Contact: <sip:a@h>;expires=10\r\n"), Err(423));
        assert_eq!(registered(&mut registrar, 0, 5, "Contact: <sip:a@h>\r\n"), Err(500));
        // Wholly or not at all: the good one does not come in beside the brief one.
        assert_eq!(registered(&mut registrar, 0, 7, "Contact: <sip:b@h>, <sip:c@h>;expires=1\r\n"), Err(423));
        assert_eq!(registered(&mut registrar, 0, 8, "").unwrap().len(), 1);
        assert!(registered(&mut registrar, 0, 9, "Contact: *\r\nExpires: 0\r\n").unwrap().is_empty());
        for bad in ["Contact: <sip:a@h>;q=2\r\n", "Contact: <sip:a@h?Route=%3Csip:x%3E>\r\n"] {
            assert_eq!(registered(&mut registrar, 0, 10, bad), Err(400), "{bad}");
        }
    }

    #[test]
    fn an_instance_replaces_itself_wherever_it_moves() {
        let mut registrar = Registrar::default();
        let contact =
            |host: &str, id: u8| format!("Contact: <sip:a@{host}>;+sip.instance=\"<urn:uuid:1>\";reg-id={id}\r\n");
        registered(&mut registrar, 0, 1, &contact("192.0.2.1", 1)).unwrap();
        assert_eq!(registered(&mut registrar, 0, 2, &contact("192.0.2.2", 1)).unwrap().len(), 1);
        assert_eq!(registered(&mut registrar, 0, 3, &contact("192.0.2.2", 2)).unwrap().len(), 2);
    }

    #[test]
    fn bindings_survive_a_restart_but_not_their_time() {
        let mut registrar = Registrar::default();
        let headers =
            "Supported: path\r\nPath: <sip:proxy;lr>\r\nContact: <sip:a@h>;expires=100, <sip:b@h>;expires=900\r\n";
        let answer = registered(&mut registrar, 0, 1, headers).unwrap();
        assert!(answer.contains(&"Path: <sip:proxy;lr>".to_owned()));
        let saved = registrar.save(Instant::from_millis(50_000));
        let mut again = Registrar::default();
        let now = Instant::from_millis(7_000);
        again.restore(now, Duration::from_mins(1), saved);
        let left: Vec<(String, u64)> =
            again.bindings(now, "alice").map(|b| (b.contact.to_string(), b.expires_at.since(now).as_secs())).collect();
        assert_eq!(left, [("sip:b@h".to_owned(), 790)]);
        assert_eq!(again.bindings(now, "alice").next().unwrap().path, ["<sip:proxy;lr>"]);
        assert!(again.expire(again.timeout()) && again.users().next().is_none());
    }

    #[test]
    fn q_values() {
        assert_eq!(["1", "0.5", "0", "1.000", "0.25"].map(thousandths), [1_000, 500, 0, 1_000, 250].map(Some));
        assert_eq!(["2", "1.5", "x", "0.1234", "-1", ""].map(thousandths), [None; 6]);
    }
}
