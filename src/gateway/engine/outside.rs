//! What the engine does besides calls: trunks, texts, registered users.

use super::{
    AskId, AskedFor, Command, Engine, Errand, Reply, Request, Wish, Writing, printable,
    targets::{Trail, by_length},
};
use crate::{
    api::model::{StreamItem, UserView},
    clock::SystemClock,
    error::{Error, Kind, Result},
    net::resolve::Found,
    redact::Pii,
    sip::{
        endpoint,
        message::Headers,
        method::Method,
        registrar::Binding,
        tx::Path,
        uri::{NameAddr, Uri},
    },
};
use rand::RngExt as _;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A text that is longer goes by TCP: with its headers it would be cut into datagrams (RFC 3261 §18.1.1).
pub(super) const DATAGRAM_MAX: usize = 1_000;

impl Engine {
    /// Looks up the names of trunks whose time has come, and sends off what trunks want asked; beside the engine.
    pub(super) fn run_errands(&mut self) {
        let now = SystemClock::now();
        for (trunk, server) in self.trunk_addresses.due(now) {
            let (to, resolver) = (self.requests_to.clone(), self.resolver.clone());
            tokio::spawn(async move {
                let found = resolver.find(&server).await;
                if let Some(to) = to.upgrade() {
                    let _ = to.send(Request::TrunkIsAt(trunk, server, found)).await;
                }
            });
        }
        while let Some(errand) = self.trunks.poll(now) {
            let (to, resolver) = (self.requests_to.clone(), self.resolver.clone());
            tokio::spawn(async move {
                let found = resolver.find(&errand.server).await;
                if let Some(to) = to.upgrade() {
                    let _ = to.send(Request::Errand(Box::new(errand), found)).await;
                }
            });
        }
    }

    /// The name of a trunk's server was looked up. What was known stays where there is no answer.
    pub(super) fn trunk_found(&mut self, trunk: usize, server: &Uri, found: Result<Found>) {
        match found {
            Ok(found) => {
                let ips: Vec<_> = found.targets.iter().map(|target| target.remote.ip()).collect();
                self.trunk_is_at(trunk, server, &ips);
            }
            Err(problem) => {
                let trunk = self.trunks.name(trunk).unwrap_or_default();
                tracing::warn!(target: "sip", event = "sip.trunk_not_found", trunk, "{}", printable(&problem.to_string()));
            }
        }
    }

    /// What comes from there from now on comes from the trunk; what came from where its name led before does not.
    fn trunk_is_at(&mut self, trunk: usize, server: &Uri, ips: &[std::net::IpAddr]) {
        let change = self.trunk_addresses.found(SystemClock::now(), trunk, server, ips);
        let name = self.trunks.name(trunk).unwrap_or_default();
        for (ip, other) in change.new {
            if let Some(other) = other {
                let what = "a call from there is the trunk's whose user it calls, else the first one's by name";
                tracing::warn!(target: "sip", event = "sip.trunks_share", trunk = name, other, address = %ip, "{what}");
            }
            tracing::debug!(target: "sip", event = "sip.trunk_at", trunk = name, address = %ip);
            self.endpoint.trust(ip);
            self.crowd.spare(ip);
        }
        for ip in change.gone {
            tracing::info!(target: "sip", event = "sip.trunk_gone", address = %ip, "no trunk's name leads there any more");
            self.endpoint.distrust(ip);
            self.crowd.spare_no_more(ip);
        }
    }

    /// The server's address was found, or not.
    pub(super) fn errand(&mut self, errand: Errand, found: Result<Found>) {
        let ips: Vec<_> = found.iter().flat_map(|found| &found.targets).map(|target| target.remote.ip()).collect();
        let (path, trail) = match found.and_then(|found| self.set_out(&errand.server, found)) {
            Ok(found) => found,
            Err(problem) => {
                let reply = Reply { status: 503, reason: problem.to_string(), headers: Headers::default(), cseq: 0 };
                self.trunk_answered(errand.trunk, errand.wish, &reply);
                return;
            }
        };
        self.trunk_is_at(errand.trunk, &errand.server, &ips);
        // The registrar's own address without a user (RFC 3261 §10.2).
        let mut uri = errand.server.clone();
        uri.user.clear();
        let ask = endpoint::Ask {
            to: if errand.method == Method::Register { errand.aor.clone() } else { uri.clone() },
            method: errand.method,
            uri,
            from: errand.aor,
            path,
            sequence: errand.sequence,
            headers: errand.headers,
            body: None,
            credentials: errand.credentials,
        };
        self.ask(AskedFor::Trunk(errand.trunk, errand.wish, path.connection), ask, Some(trail));
    }

    fn ask(&mut self, what_for: AskedFor, ask: endpoint::Ask, trail: Option<Trail>) {
        let id = AskId(self.next_ask);
        self.next_ask += 1;
        self.asked.insert(id, what_for);
        self.endpoint.command(SystemClock::now(), Command::Ask(id, Box::new(ask)));
        if let Some(trail) = trail {
            self.go_along(endpoint::Attempt::Ask(id), trail, None);
        }
    }

    pub(super) fn replied(&mut self, id: AskId, reply: Reply) {
        match self.asked.remove(&id) {
            Some(AskedFor::Trunk(trunk, wish, connection)) => {
                if let (Some(connection), Wish::Register(..), 200..=299) = (connection, wish, reply.status) {
                    self.flows.insert(connection, trunk);
                    self.connections.keep_alive(connection);
                }
                self.trunk_answered(trunk, wish, &reply);
            }
            Some(AskedFor::Text(waiting)) => {
                tracing::info!(target: "sip", event = "sip.text_sent", status = reply.status);
                let _ = waiting.send(Ok(reply));
            }
            None => {}
        }
    }

    fn trunk_answered(&mut self, trunk: usize, wish: Wish, reply: &Reply) {
        let now = SystemClock::now();
        if let Some(text) = self.trunks.answered(now, trunk, wish, reply, rand::rng().random::<f64>()) {
            if reply.status < 300 {
                tracing::info!(target: "sip", event = "sip.trunk", "{text}");
            } else {
                tracing::warn!(target: "sip", event = "sip.trunk", "{text}");
            }
        }
        self.sink.hub.trunks(self.trunks.views(now));
    }

    // Texts

    pub(super) fn text(&self, text: endpoint::Text) {
        tracing::info!(
            target: "sip", event = "sip.text", from = %printable(text.from.number()), to = %printable(text.to.number()),
            content_type = %printable(&text.content_type), length = text.body.len()
        );
        self.sink.hub.text(StreamItem::Text {
            at: SystemClock::wall().rfc3339(),
            call: text.leg.and_then(|leg| self.sessions.get(&leg)).map(|known| known.call),
            from: Pii(text.from.number().to_owned()),
            to: Pii(text.to.number().to_owned()),
            user: text.user,
            content_type: text.content_type,
            text: Pii(text.body),
        });
    }

    /// Sends a text.
    pub(super) fn write(&mut self, writing: Writing, found: Option<Found>, waiting: oneshot::Sender<Result<Reply>>) {
        let length = writing.text.len();
        let tcp = self.has_tcp();
        let mut trail = None;
        let way = match found {
            Some(found) => {
                self.set_out(&writing.to, by_length(found, length > DATAGRAM_MAX && tcp)).map(|(path, rest)| {
                    trail = Some(rest);
                    (path, writing.to.clone(), Vec::new())
                })
            }
            None => self.registered(&writing.to.user),
        };
        let (path, uri, route) = match way {
            Ok(way) => way,
            Err(problem) => {
                let _ = waiting.send(Err(problem));
                return;
            }
        };
        let body = writing.text.into_bytes();
        let mut to = writing.to;
        if to.host.is_empty() {
            // Who is registered here is at home here.
            to.host = path.local.ip().to_string();
        }
        let ask = endpoint::Ask {
            method: Method::Message,
            uri,
            to,
            from: writing.from,
            path,
            sequence: None,
            headers: route.into_iter().map(|value| ("Route".to_owned(), value)).collect(),
            body: Some(("text/plain;charset=UTF-8".to_owned(), body)),
            credentials: writing.credentials,
        };
        self.ask(AskedFor::Text(waiting), ask, trail);
    }

    // Users

    /// The way to a registered user's preferred telephone: the flow it registered on, its Contact, the proxies between.
    pub(super) fn registered(&self, user: &str) -> Result<(Path, Uri, Vec<String>)> {
        let now = SystemClock::now();
        let binding = self.endpoint.registrar().bindings(now, user).next().ok_or_else(|| {
            Error::new(Kind::Unreachable, format!("user {user} has no telephone registered here"))
                .hint("voxgw monitor --once -o json lists who is registered; or write a whole address, like sip:a@host")
        })?;
        Ok((way_to(binding), binding.contact.clone(), binding.path.clone()))
    }

    pub(super) fn show_users(&self) {
        let now = SystemClock::now();
        let registrar = self.endpoint.registrar();
        let view = |(user, _): (&str, _)| UserView {
            name: user.to_owned(),
            contacts: registrar.bindings(now, user).map(|binding| binding.contact.to_string()).collect(),
        };
        let mut views = registrar.users().map(view).collect();
        self.pages.show(&mut views);
        self.sink.hub.users(views);
    }

    pub(super) fn keep_bindings(&self) {
        let Some(path) = &self.config.signalling.bindings_file else { return };
        let (path, now, written) = (path.clone(), SystemClock::now(), Arc::clone(&self.bindings_written));
        let saved = self.endpoint.registrar().save(now);
        // A slow disk is not signalling's to wait for.
        tokio::task::spawn_blocking(move || super::bindings::keep(&path, now, saved, &written));
    }
}

/// Where a binding's telephone, or the first proxy before it, takes requests. The port that a REGISTER came from need
/// not be that place: a source tells of NAT by its address (RFC 3261 §18.2.1), and only behind NAT it is the better one.
pub(super) fn way_to(binding: &Binding) -> Path {
    let proxy = binding.path.first().and_then(|first| NameAddr::parse(first).ok()).map(|first| first.uri);
    let hop = proxy.as_ref().unwrap_or(&binding.contact);
    let mut path = binding.flow;
    if path.connection.is_none() && hop.host.parse() == Ok(path.remote.ip()) {
        path.remote.set_port(hop.port.unwrap_or(path.transport.default_port()));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{message::Message, registrar::Registrar, tx::Transport};

    #[test]
    fn a_phone_is_called_where_it_listens_and_behind_nat_where_it_came_from() {
        let way = |headers: &str| {
            let text = format!(
                "REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:alice@a>;tag=1\r\n\
                 To: <sip:alice@a>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n{headers}\r\nContent-Length: 0\r\n\r\n"
            );
            let Ok(Message::Request(request)) = Message::parse(text.as_bytes()) else { panic!("{text}") };
            let (transport, remote) = (Transport::Udp, "192.0.2.7:40000".parse().unwrap());
            let flow = Path { transport, remote, local: "192.0.2.1:5060".parse().unwrap(), connection: None };
            let mut registrar = Registrar::new(crate::sip::registrar::Settings::default());
            let now = crate::clock::Instant::from_millis(1);
            registrar.register(now, "alice", &request, flow).expect("it registers");
            let binding = registrar.bindings(now, "alice").next().expect("it is there");
            way_to(binding).remote.to_string()
        };
        assert_eq!(way("Contact: <sip:alice@192.0.2.7:5070>"), "192.0.2.7:5070");
        assert_eq!(way("Contact: <sip:alice@192.0.2.7>"), "192.0.2.7:5060");
        assert_eq!(way("Contact: <sip:alice@10.0.0.3:5070>"), "192.0.2.7:40000", "NAT");
        assert_eq!(way("Contact: <sip:alice@10.0.0.3:5070>\r\nPath: <sip:192.0.2.7:5080;lr>"), "192.0.2.7:5080");
        assert_eq!(way("Contact: <sip:alice@192.0.2.7:5070>\r\nPath: <sip:edge.example.org;lr>"), "192.0.2.7:40000");
    }
}
