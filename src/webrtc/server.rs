//! The listener for browsers: HTTP/1.1 with or without TLS, who may come from where, and the page.
//!
//! Owns connections and admission (origin, token, rates); [`super::whip`] and [`super::signal`] are its routes. Starts
//! with `voxgw serve --web`.

use super::{
    ice_servers, page,
    peer::{OFFER_MAX, Settings},
    protocol::IceServer,
    signal,
    token::Claims,
    whip::{self, Sessions},
};
use crate::{
    clock::SystemClock,
    config::{self, Config, Joining, read_secret},
    error::{Error, Result},
    gateway::{
        Handle, Join, PageId, PickUp, Presence, Workers,
        session::{
            self,
            web::{Joined, Refused},
        },
    },
    net::{local_ip_towards, tls},
    redact::Secret,
    secret::same,
    sip::{
        auth::server::Account,
        limits::{Guard, Verdict},
    },
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Extension, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, options},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
};
use tokio_rustls::TlsAcceptor;

/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 2_048;
/// TLS, and the head of a request, must be there within this time; an idle connection is closed after it.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// A request, body included, is answered within this time: longer than a call takes to begin or to end.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What all routes share.
#[derive(Debug)]
pub(super) struct Web {
    handle: Handle,
    settings: Arc<Settings>,
    guard: Mutex<Guard>,
    token: Option<Secret>,
    anybody: bool,
    origins: Vec<String>,
    address: Option<IpAddr>,
    secure: bool,
    /// What pages are told of STUN and TURN.
    ice: config::Web,
    users: Vec<Account>,
    realm: String,
    pub(super) whip: Sessions,
}

/// A connection's place among [`CONNECTIONS_MAX`]; free again when request and WebSocket are both over.
#[derive(Clone, Debug)]
pub(super) struct Room {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Both ends of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
}

/// Whom a page wants, and who it is.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) to: String,
    pub(super) name: String,
    pub(super) user: Option<String>,
}

/// Who somebody says to be, and the proof.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) user: String,
    pub(super) password: Secret,
    pub(super) token: String,
}

/// Starts the listener; gives where it is, as a URL, or nothing if it is off.
///
/// # Errors
/// The place is taken, a file cannot be read, a certificate does not fit its key.
pub async fn start(config: &Config, handle: Handle) -> Result<Option<String>> {
    let Some((listener, tls, place)) = bind(config).await? else { return Ok(None) };
    let web = &config.web;
    let loopback = listener.local_addr().is_ok_and(|address| address.ip().is_loopback());
    let shared = Arc::new(Web {
        handle,
        settings: Arc::new(Settings::new(web.lite)),
        guard: Mutex::new(Guard::new(SystemClock::now(), config.signalling.limits.clone())),
        token: web.token_file.as_deref().map(read_secret).transpose()?,
        anybody: match web.joining {
            // Pages of elsewhere reach loopback through a proxy: then everybody's address is loopback.
            Joining::Auto => loopback && web.origins.is_empty(),
            Joining::Token => false,
            Joining::Anybody => true,
        },
        origins: web.origins.clone(),
        address: web.address,
        secure: tls.is_some(),
        ice: web.clone(),
        users: config.signalling.users.clone(),
        realm: config.signalling.realm.clone(),
        whip: Sessions::default(),
    });
    tokio::spawn(accept(listener, tls, router(shared)));
    Ok(Some(place))
}

/// Binds as [`start`] would and lets go again, for `serve --check`.
///
/// # Errors
/// As [`start`].
pub async fn check(config: &Config) -> Result<Option<String>> {
    Ok(bind(config).await?.map(|(_, _, place)| place))
}

async fn bind(config: &Config) -> Result<Option<(TcpListener, Option<TlsAcceptor>, String)>> {
    let web = &config.web;
    let Some(listen) = web.listen else { return Ok(None) };
    let tls = match &web.certificate {
        Some(_) => Some(tls::acceptor(&config::Tls {
            certificate: web.certificate.clone(),
            key: web.key.clone(),
            ..config::Tls::default()
        })?),
        None => None,
    };
    if let Some(first) = web.media_port {
        media_ports(listen.ip(), first, config)?;
    }
    let listener = TcpListener::bind(listen).await.map_err(|source| {
        Error::machine(format!("could not listen on {listen} for browsers: {source}"))
            .hint("choose another port with --web ADDRESS:PORT")
    })?;
    let bound = listener.local_addr().unwrap_or(listen);
    let scheme = if tls.is_some() { "https" } else { "http" };
    Ok(Some((listener, tls, format!("{scheme}://{bound}/"))))
}

/// The ports that browsers share can be had. The workers bind them, each when its first browser comes.
fn media_ports(ip: IpAddr, first: u16, config: &Config) -> Result<()> {
    for number in 0..Workers::count(config.workers) {
        let port = u16::try_from(number).ok().and_then(|number| first.checked_add(number));
        let port = port.filter(|port| !config.rtp_ports.contains(port)).ok_or_else(|| {
            Error::usage(format!("web.media_port = {first}: each of the media workers needs a port from there on"))
                .hint("leave room outside of media.rtp_ports, or set gateway.workers = 1")
        })?;
        UdpSocket::bind(SocketAddr::new(ip, port)).map_err(|source| {
            Error::machine(format!("could not bind udp:{ip}:{port} for browsers' media: {source}"))
                .hint("choose another web.media_port")
        })?;
    }
    Ok(())
}

fn router(web: Arc<Web>) -> Router {
    Router::new()
        .route("/", get(|| async { page::index() }))
        .route("/{asset}", get(page::asset))
        .route("/ws", any(signal::upgrade))
        .route("/whip/{to}", options(whip::preflight).post(whip::begin))
        .route("/whip/session/{id}", options(whip::preflight).patch(whip::trickle).delete(whip::end))
        .method_not_allowed_fallback(|| async { problem(StatusCode::METHOD_NOT_ALLOWED, "see docs/WEBRTC.md") })
        .fallback(|| async { problem(StatusCode::NOT_FOUND, "there is no such place; see docs/WEBRTC.md") })
        .layer(DefaultBodyLimit::max(OFFER_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&web), admit))
        .with_state(web)
}

// Connections

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, app: Router) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(problem) => {
                // Out of descriptors, mostly: it passes.
                tracing::warn!(target: "web", event = "web.accept", "{problem}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, app) = (tls.clone(), app.clone().layer(Extension(Room { _permit: Arc::new(permit) })));
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            if let Err(problem) = connection(stream, remote, tls, app).await {
                tracing::debug!(target: "web", event = "web.closed", %remote, "{problem}");
            }
        });
    }
}

async fn connection(
    stream: TcpStream,
    remote: SocketAddr,
    tls: Option<TlsAcceptor>,
    app: Router,
) -> Result<(), String> {
    let local = stream.local_addr().map_err(|problem| problem.to_string())?;
    let app = app.layer(Extension(Ends { remote, local }));
    match tls {
        None => talk(stream, app).await,
        Some(tls) => {
            let stream = tokio::time::timeout(HEAD_WITHIN, tls.accept(stream));
            let stream = stream.await.map_err(|_| "no TLS in time".to_owned())?;
            talk(stream.map_err(|problem| problem.to_string())?, app).await
        }
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, app: Router) -> Result<(), String> {
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(32 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
        .with_upgrades()
        .await
        .map_err(|problem| problem.to_string())
}

// Admission

/// Before anything else: banned and unwanted addresses, pages of others.
async fn admit(
    State(web): State<Arc<Web>>,
    Extension(ends): Extension<Ends>,
    request: Request,
    next: Next,
) -> Response {
    let source = ends.remote.ip().to_canonical();
    if web.guard().knock(SystemClock::now(), source) != Verdict::Heard {
        return problem(StatusCode::FORBIDDEN, "this address is not heard");
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    if !web.is_welcome(&ends, request.headers()) {
        return problem(StatusCode::FORBIDDEN, "pages of this origin are not in web.origins");
    }
    let Ok(mut response) = tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await else {
        return problem(StatusCode::REQUEST_TIMEOUT, "the request did not come whole in time");
    };
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        let exposed = HeaderValue::from_static("Location, ETag, Link");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

impl Web {
    fn guard(&self) -> std::sync::MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// No origin (not a page), our own page, or one of `web.origins`.
    fn is_welcome(&self, ends: &Ends, headers: &HeaderMap) -> bool {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
        let host = text(header::HOST);
        let origin = text(header::ORIGIN).to_ascii_lowercase();
        if self.origins.contains(&origin) {
            return true;
        }
        // On loopback anybody may join: a name that others point at us must not do.
        if ends.local.ip().is_loopback() && !is_loopback_name(host) {
            return false;
        }
        let scheme = if self.secure { "https" } else { "http" };
        !headers.contains_key(header::ORIGIN) || origin == format!("{scheme}://{}", host.to_ascii_lowercase())
    }

    pub(super) const fn transport(&self, plain: &'static str, secure: &'static str) -> &'static str {
        if self.secure { secure } else { plain }
    }

    /// Judges a join, and tells the operator of those that are refused. Gives whom it may call and as whom.
    pub(super) fn judge(&self, ends: &Ends, token: &str, to: &str, name: &str) -> Result<Wish, Refused> {
        self.judged(ends, token, to, name).inspect_err(|refused| {
            let counters = &self.handle.hub.counters;
            counters.refuse("web.join");
            tracing::warn!(target: "web", event = "web.refused", source = %ends.remote.ip(), status = refused.status, "{}", refused.why);
        })
    }

    /// Whose page it is: a user of the config, by its password, or by a token whose `sub` it is and that may call anybody.
    pub(super) fn prove(&self, ends: &Ends, proof: &Proof) -> Result<String, Refused> {
        self.proved(ends, proof).inspect_err(|refused| {
            self.handle.hub.counters.refuse("web.user");
            tracing::warn!(target: "web", event = "web.refused", source = %ends.remote.ip(), status = refused.status, "{}", refused.why);
        })
    }

    fn proved(&self, ends: &Ends, proof: &Proof) -> Result<String, Refused> {
        let source = ends.remote.ip().to_canonical();
        let refused = |status, why: &str| Err(Refused { status, why: why.to_owned() });
        let account = |name: &str| self.users.iter().find(|account| account.name == name);
        if !proof.token.is_empty() {
            let wish = self.judged(ends, &proof.token, "", "")?;
            if !wish.to.is_empty() {
                return refused(403, "the token is for calling somebody, not for being called");
            }
            let name = match wish.user {
                Some(sub) if proof.user.is_empty() || proof.user == sub => sub,
                Some(_) => return refused(403, "the token is another user's"),
                // Who has the gateway's own token may be anybody.
                None => proof.user.clone(),
            };
            return match account(&name) {
                Some(_) => Ok(name),
                None => refused(404, "there is no such user in the config"),
            };
        }
        match self.guard().request(SystemClock::now(), source, "") {
            Verdict::Heard => {}
            Verdict::Silence | Verdict::Banned => return refused(403, "this address is not heard"),
            Verdict::TooMany(_) => return refused(429, "too many requests from this address, or in all"),
        }
        if proof.password.reveal().is_empty() {
            return refused(401, "a token or a password is needed to be somebody");
        }
        if !self.secure && !ends.local.ip().is_loopback() {
            return refused(403, "passwords are taken over https only: set web.tls_cert, or send a join token");
        }
        if self.guard().is_banned(SystemClock::now(), source, &proof.user) {
            return refused(403, "too many wrong passwords for this user from this address; try again later");
        }
        if account(&proof.user).is_some_and(|account| account.has_password(&self.realm, &proof.password)) {
            self.guard().right_password(source, &proof.user);
            return Ok(proof.user.clone());
        }
        self.guard().wrong_password(SystemClock::now(), source, Some(&proof.user));
        refused(401, "there is no such user, or the password is wrong")
    }

    /// A page can be called from now on.
    pub(super) async fn present(&self, ends: &Ends, user: &str, to: mpsc::Sender<String>) -> Result<PageId, Refused> {
        let (user, source, media) = (user.to_owned(), ends.remote, self.media(ends));
        self.handle.present(Presence { user, source, media, to }).await
    }

    /// STUN and TURN servers for a page.
    pub(super) fn ice_servers(&self, name: &str) -> Vec<IceServer> {
        ice_servers::servers(&self.ice, SystemClock::wall().0 / 1_000_000, name)
    }

    /// The engine.
    pub(super) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Rates first, then the token.
    fn judged(&self, ends: &Ends, token: &str, to: &str, name: &str) -> Result<Wish, Refused> {
        let source = ends.remote.ip().to_canonical();
        let refused = |status, why: &str| Err(Refused { status, why: why.to_owned() });
        match self.guard().request(SystemClock::now(), source, "") {
            Verdict::Heard => {}
            Verdict::Silence | Verdict::Banned => return refused(403, "this address is not heard"),
            Verdict::TooMany(_) => {
                return refused(429, "too many calls from this address, or in all; try again in a few seconds");
            }
        }
        let mut wish = Wish { to: to.to_owned(), name: name.to_owned(), user: None };
        if token.is_empty() {
            return if self.anybody { Ok(wish) } else { refused(401, "a token is needed to join") };
        }
        if self.token.as_ref().is_some_and(|known| same(known.reveal().as_bytes(), token.as_bytes())) {
            return Ok(wish);
        }
        let now = SystemClock::wall().0 / 1_000_000;
        match self.handle.join_key.read(token, now) {
            Ok(Claims { sub, to: only, .. }) => {
                if !only.is_empty() {
                    if !wish.to.is_empty() && wish.to != only {
                        return refused(403, "the token is for somebody else");
                    }
                    wish.to = only;
                }
                if !sub.is_empty() {
                    wish.name.clone_from(&sub);
                    wish.user = Some(sub);
                }
                Ok(wish)
            }
            Err(why) => {
                self.guard().wrong_password(SystemClock::now(), source, None);
                refused(401, why)
            }
        }
    }

    /// Begins a call; gives its answer.
    pub(super) async fn join(
        &self,
        ends: &Ends,
        wish: Wish,
        offer: String,
        transport: &'static str,
        events: Option<mpsc::Sender<String>>,
    ) -> Result<Joined, Refused> {
        let (joining, answer) = self.joining(ends, offer, transport, events);
        let media = self.media(ends);
        self.handle.join(Join { to: wish.to, name: wish.name, user: wish.user, media, joining }).await;
        answer.await.unwrap_or_else(|_| Err(Refused { status: 503, why: "the gateway stops".to_owned() }))
    }

    /// Takes the call that rings under this name; gives its answer.
    pub(super) async fn pick_up(
        &self,
        ends: &Ends,
        ring: String,
        offer: String,
        transport: &'static str,
        events: mpsc::Sender<String>,
    ) -> Result<Joined, Refused> {
        let (joining, answer) = self.joining(ends, offer, transport, Some(events));
        self.handle.pick_up(PickUp { ring, joining }).await;
        answer.await.unwrap_or_else(|_| Err(Refused { status: 410, why: "the call is over".to_owned() }))
    }

    fn joining(
        &self,
        ends: &Ends,
        offer: String,
        transport: &'static str,
        events: Option<mpsc::Sender<String>>,
    ) -> (session::web::Joining, oneshot::Receiver<Result<Joined, Refused>>) {
        let (reply, answer) = oneshot::channel();
        let (source, local, settings) = (ends.remote, ends.local, Arc::clone(&self.settings));
        (session::web::Joining { offer, source, local, transport, settings, shared: None, reply, events }, answer)
    }

    /// Where a browser's media come in: the socket's address, and what the browser is told.
    fn media(&self, ends: &Ends) -> (IpAddr, IpAddr) {
        let reached = ends.local.ip().to_canonical();
        let own = match self.address {
            Some(told) if UdpSocket::bind(SocketAddr::new(told, 0)).is_ok() => told,
            // Somebody translates addresses before us.
            Some(told) => {
                let any: IpAddr = if told.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
                return (any, told);
            }
            // Browsers do not use loopback for media: on the same machine they reach us at its outward address.
            None if reached.is_loopback() => {
                let outward = local_ip_towards([192, 0, 2, 1].into());
                if outward.is_unspecified() { reached } else { outward }
            }
            None => reached,
        };
        (own, own)
    }
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The bearer token of a request; empty if there is none.
pub(super) fn bearer(headers: &HeaderMap) -> &str {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split_once(' '));
    given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map_or("", |(_, token)| token.trim())
}

/// A refusal in words.
pub(super) fn problem(status: StatusCode, why: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{why}\n")).into_response()
}

/// A refusal of a call, as HTTP has it: SIP's statuses that HTTP does not know become the nearest.
pub(super) fn refusal(refused: &Refused) -> Response {
    let status = match refused.status {
        401 | 403 | 404 | 413 | 429 | 500..=503 => refused.status,
        488 => 406,
        480 | 486 => 503,
        400..=499 => 403,
        _ => 503,
    };
    let mut response = problem(StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN), &refused.why);
    if status == 401 {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if matches!(status, 429 | 503) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_told_from_others() {
        for (host, is) in [
            ("localhost:8088", true),
            ("127.0.0.1:8088", true),
            ("[::1]:8088", true),
            ("evil.example:8088", false),
            ("127.0.0.1.evil.example", false),
            ("192.0.2.1", false),
            ("", false),
        ] {
            assert_eq!(is_loopback_name(host), is, "{host}");
        }
    }

    #[test]
    fn a_bearer_token_is_found_in_any_case() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), "");
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("bEARER  abc"));
        assert_eq!(bearer(&headers), "abc");
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic abc"));
        assert_eq!(bearer(&headers), "");
    }
}
