//! Who is challenged, and REGISTER (RFC 3261 §10.3, §22).

use super::{Endpoint, Event, Instant, Key, Method, Path, Request, Response, Reverse, Role, TimerOf};
use crate::sip::{
    auth::server::Verdict,
    registrar::{Registrar, Saved},
};
use std::time::Duration;

/// Whose requests are challenged, besides those of everybody who registers. Trunks never are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authenticate {
    /// Nobody's but the REFER of who says in From that it is one of our users.
    #[default]
    Register,
    /// INVITE, MESSAGE and REFER of those who say in From that they are one of our users.
    Users,
    /// All INVITE, MESSAGE and REFER.
    All,
}

impl Endpoint {
    /// The registrar, for those who look for a user.
    #[must_use]
    pub const fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    /// Requests from this address are not challenged any more: it is a trunk's.
    pub fn trust(&mut self, source: std::net::IpAddr) {
        if !self.settings.trusted.contains(&source) {
            self.settings.trusted.push(source);
            self.guard.trust(source);
        }
    }

    /// It is no trunk's any more.
    pub fn distrust(&mut self, source: std::net::IpAddr) {
        self.settings.trusted.retain(|known| *known != source);
        self.guard.distrust(source);
    }

    /// Takes back the bindings of an earlier run.
    pub fn restore_bindings(&mut self, now: Instant, ago: Duration, saved: Vec<Saved>) {
        self.registrar.restore(now, ago, saved);
        self.arm_bindings();
    }

    /// The user that a request proves to be, if it must or does; else the response that challenges it, or refuses it by
    /// a rule.
    pub(super) fn authenticated(
        &mut self,
        now: Instant,
        path: Path,
        request: &Request,
    ) -> Result<Option<String>, (Box<Response>, Option<&'static str>)> {
        let registers = request.method == Method::Register;
        let may_be_asked = registers || matches!(request.method, Method::Invite | Method::Message | Method::Refer);
        let in_dialog = request.headers.to().is_ok_and(|to| to.tag().is_some());
        // Within a call only REFER, which makes us call somebody, of who has not said yet who it is.
        let refers = in_dialog && request.method == Method::Refer && self.is_unproven(request);
        if !may_be_asked || (in_dialog && !registers && !refers) {
            return Ok(None);
        }
        if registers && self.gate.is_empty() {
            let mut response = self.dressed(request, 403);
            response.headers.push("Warning", "399 voxgw \"no users are configured here\"");
            return Err((Box::new(response), None));
        }
        let claims = request.headers.from().is_ok_and(|from| self.gate.knows(from.uri.number()));
        let must = registers
            || (!self.settings.trusted.contains(&path.remote.ip())
                && match self.settings.authenticate {
                    Authenticate::Register => refers && claims,
                    Authenticate::Users => claims,
                    Authenticate::All => true,
                });
        if !must && credentials(request).next().is_none() {
            return Ok(None);
        }
        let verdict = self.gate.check(now, request.method.token(), &request.uri, credentials(request));
        let mut rule = None;
        let stale = match verdict {
            Verdict::Known(user) => {
                self.guard.right_password(path.remote.ip(), &user);
                if refers {
                    self.proved(request, &user);
                }
                return Ok(Some(user));
            }
            Verdict::Challenge { .. } | Verdict::Wrong { .. } if !must => return Ok(None),
            Verdict::Challenge { stale } => stale,
            Verdict::Wrong { user } => {
                let banned = self.guard.wrong_password(now, path.remote.ip(), Some(&user));
                self.event(Event::WrongPassword(user, path.remote.ip(), banned));
                if banned {
                    let response = self.dressed(request, 403);
                    return Err((Box::new(response), Some("sip.limits.ban_after")));
                }
                // It may come again, but this call was refused.
                rule = Some("password");
                false
            }
            Verdict::Malformed(reason) => {
                let mut response = self.dressed(request, 400);
                reason.clone_into(&mut response.reason);
                return Err((Box::new(response), None));
            }
        };
        let mut response = self.dressed(request, 401);
        for challenge in self.gate.challenges(now, stale) {
            response.headers.push("WWW-Authenticate", challenge);
        }
        Err((Box::new(response), rule))
    }

    /// Whether a request belongs to a call whose caller has shown no password.
    fn is_unproven(&self, request: &Request) -> bool {
        let leg = self.leg_of(request).and_then(|id| self.legs.get(&id));
        leg.is_some_and(|leg| leg.role == Role::Server && leg.user.is_none())
    }

    fn proved(&mut self, request: &Request, user: &str) {
        let Some(id) = self.leg_of(request) else { return };
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.user = Some(user.to_owned());
        }
        self.event(Event::Proven(id, user.to_owned()));
    }

    /// Whom a request says it is from, with a password or about to be asked for one.
    pub(super) fn who_is_meant(&self, request: &Request) -> Option<String> {
        self.gate.claimed(credentials(request)).or_else(|| {
            let to = request.headers.to().ok().filter(|_| request.method == Method::Register)?;
            Some(to.uri.number().to_owned())
        })
    }

    pub(super) fn register(&mut self, now: Instant, key: &Key, path: Path, request: &Request, user: &str) {
        let response = match request.headers.to().map(|to| to.uri.number().to_owned()) {
            Ok(aor) if aor != user => {
                let mut response = self.dressed(request, 403);
                response.headers.push("Warning", "399 voxgw \"these credentials are another user's\"");
                response
            }
            Err(reason) => {
                let mut response = self.dressed(request, 400);
                reason.clone_into(&mut response.reason);
                response
            }
            Ok(aor) => match self.registrar.register(now, &aor, request, path) {
                Ok(headers) => {
                    let mut response = self.dressed(request, 200);
                    for (name, value) in headers {
                        response.headers.push(name, value);
                    }
                    let count = self.registrar.bindings(now, &aor).count();
                    self.arm_bindings();
                    self.event(Event::Bindings(aor, count));
                    response
                }
                Err(refused) => {
                    let mut response = self.dressed(request, refused.status);
                    refused.reason.clone_into(&mut response.reason);
                    for (name, value) in refused.headers {
                        response.headers.push(name, value);
                    }
                    response
                }
            },
        };
        self.respond(now, key, &response);
    }

    pub(super) fn bindings_timer(&mut self, now: Instant) {
        self.bindings_due = Instant::FAR_FUTURE;
        let before: Vec<String> = self.registrar.users().map(|(user, _)| user.to_owned()).collect();
        if self.registrar.expire(now) {
            for user in before {
                let count = self.registrar.bindings(now, &user).count();
                if count == 0 {
                    self.event(Event::Bindings(user, 0));
                }
            }
        }
        self.arm_bindings();
    }

    fn arm_bindings(&mut self) {
        let at = self.registrar.timeout();
        if at < self.bindings_due {
            self.bindings_due = at;
            self.timers.push(Reverse((at, TimerOf::Bindings)));
        }
    }
}

/// The values that prove who somebody is.
fn credentials(request: &Request) -> impl Iterator<Item = &str> {
    request.headers.all("Authorization").chain(request.headers.all("Proxy-Authorization"))
}
