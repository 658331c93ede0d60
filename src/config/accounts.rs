//! Users who register here, and trunks that we register at.

use super::Reader;
use crate::{
    error::Result,
    media::codec::Codec,
    redact::Secret,
    route::tolls,
    sip::{
        auth::{Algorithm, Credentials, server::Account},
        endpoint::{Authenticate, Reliability, TimerSettings},
        limits, registrar,
        uri::Uri,
    },
    unit::{parse_duration, parse_rate},
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Everything about signalling that is not an address to listen on.
#[derive(Clone, Debug)]
pub struct Signalling {
    /// Realm of our challenges.
    pub realm: String,
    /// Algorithms of our challenges.
    pub algorithms: Vec<Algorithm>,
    /// Whose requests are challenged.
    pub authenticate: Authenticate,
    /// Session timers.
    pub timers: TimerSettings,
    /// When provisional responses are reliable.
    pub reliability: Reliability,
    /// Who is heard at all.
    pub limits: limits::Settings,
    /// What the registrar agrees to.
    pub registrar: registrar::Settings,
    /// Headers of an INVITE that reach journal, API and agent.
    pub headers: Vec<String>,
    /// Those that go on to whoever a call is bridged to.
    pub headers_across: Vec<String>,
    /// Where bindings are kept between runs.
    pub bindings_file: Option<PathBuf>,
    /// Who may register.
    pub users: Vec<Account>,
    /// Whom to ask for names; none is the system's.
    pub dns: Vec<SocketAddr>,
    /// How often connections that we are registered over are pinged; zero never.
    pub keep_alive: Duration,
    /// Connections that others may have with us at once.
    pub connections_max: usize,
    /// Of one address, or one IPv6 network of 64 bits.
    pub connections_per_source: usize,
    /// Calls at once of one stranger; zero is no limit.
    pub calls_per_source: usize,
    /// Web pages that may connect by WebSocket, by their origin; none is all.
    pub origins: Vec<String>,
    /// Upstreams.
    pub trunks: Vec<Trunk>,
}

/// One upstream.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// Its name.
    pub name: String,
    /// Where it is, in order of preference; the next is tried when one fails.
    pub servers: Vec<Uri>,
    /// Our address there.
    pub aor: Uri,
    /// For its challenges.
    pub credentials: Option<Credentials>,
    /// Register there.
    pub register: bool,
    /// Asked for when registering.
    pub expires: Duration,
    /// OPTIONS this often; zero never.
    pub ping: Duration,
    /// Whether its media are encrypted; none is `media.srtp`.
    pub srtp: Option<crate::sip::sdp::crypto::Policy>,
    /// Codecs of calls by it in their order; none is the gateway's.
    pub codecs: Option<Vec<&'static Codec>>,
    /// As whom callers who go on through it are shown.
    pub identity: Identity,
}

/// Who calls through a trunk, as its far end sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// Our own name there: what most carriers insist on.
    #[default]
    Trunk,
    /// The caller's number, in From and P-Asserted-Identity.
    Caller,
}

/// Fields that are never shown.
pub(super) const SECRET_FIELDS: [&str; 3] = ["password", "ha1", "ha1_sha256"];

/// Whether a key's value must not be shown.
#[must_use]
pub fn is_secret(key: &str) -> bool {
    // Headers of tools carry keys; those of SIP are names.
    let of_tool = (key.starts_with("tools.") || key.starts_with("mcp.")) && key.ends_with(".headers");
    of_tool
        || matches!(key, "callback.secret" | "web.turn_password" | "web.turn_secret")
        || key.rsplit('.').next().is_some_and(|field| SECRET_FIELDS.contains(&field))
}

/// An address with or without a port.
fn dns_server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| text.parse().ok().map(|ip| SocketAddr::new(ip, 53)))
}

impl Reader<'_> {
    pub(super) fn signalling(&self) -> Result<Signalling> {
        let realm = self.text("sip.realm")?;
        if realm.is_empty() || realm.contains(['"', '\\']) {
            return Err(self.wrong("sip.realm", "must be a name without quotes"));
        }
        let algorithms: Option<Vec<Algorithm>> =
            self.list::<String>("sip.digest")?.iter().map(|name| Algorithm::named(Some(name))).collect();
        Ok(Signalling {
            algorithms: algorithms
                .filter(|all| !all.is_empty())
                .ok_or_else(|| self.wrong("sip.digest", "algorithms are md5 and sha-256"))?,
            authenticate: match self.one_of("sip.authenticate", &["register", "users", "all"])?.as_str() {
                "users" => Authenticate::Users,
                "all" => Authenticate::All,
                _ => Authenticate::Register,
            },
            timers: TimerSettings {
                expires: self.span("sip.session_expires")?,
                min: self.parsed("sip.session_expires_min", |text| {
                    // RFC 4028 §5.
                    parse_duration(text).and_then(|span| {
                        if span >= Duration::from_secs(90) { Ok(span) } else { Err("must be 90s or more".to_owned()) }
                    })
                })?,
            },
            reliability: match self.one_of("sip.reliable_provisional", &["off", "required", "supported"])?.as_str() {
                "off" => Reliability::Off,
                "supported" => Reliability::Supported,
                _ => Reliability::Required,
            },
            limits: self.limits()?,
            registrar: registrar::Settings {
                expires_default: self.span("registrar.expires_default")?,
                expires_min: self.span("registrar.expires_min")?,
                expires_max: self.span("registrar.expires_max")?,
                contacts_max: self.count("registrar.contacts_max")?,
                service_route: self
                    .optional("registrar.service_route", |text| Ok(text.to_owned()))?
                    .unwrap_or_default(),
            },
            dns: self
                .list::<String>("sip.dns")?
                .iter()
                .map(|text| {
                    dns_server(text).ok_or_else(|| {
                        self.wrong("sip.dns", "is a list of addresses, like 192.0.2.53 or 127.0.0.1:5353")
                    })
                })
                .collect::<Result<_>>()?,
            keep_alive: self.span("sip.keep_alive")?,
            connections_max: self.count("sip.limits.connections")?,
            connections_per_source: self.count("sip.limits.connections_per_source")?,
            calls_per_source: self.count("sip.limits.calls_per_source")?,
            origins: self.list("sip.ws.origins")?,
            headers: self.list("sip.headers")?,
            headers_across: self.list("sip.headers_across")?,
            bindings_file: self.optional("registrar.file", |text| Ok(PathBuf::from(text)))?,
            users: self
                .layers
                .names_under("users")
                .iter()
                .map(|name| self.user(name, &realm))
                .collect::<Result<_>>()?,
            trunks: self.layers.names_under("trunks").iter().map(|name| self.trunk(name)).collect::<Result<_>>()?,
            realm,
        })
    }

    fn limits(&self) -> Result<limits::Settings> {
        let rate = |key: &str| self.parsed(key, |text| if text == "0" { Ok(0.0) } else { parse_rate(text) });
        Ok(limits::Settings {
            allow: self.list("sip.limits.allow")?,
            deny: self.list("sip.limits.deny")?,
            trusted: self.list("sip.limits.trusted")?,
            per_source: rate("sip.limits.per_source")?,
            global: rate("sip.limits.global")?,
            ban_after: u32::try_from(self.count("sip.limits.ban_after")?).unwrap_or(u32::MAX),
            ban_for: self.span("sip.limits.ban_for")?,
            scanners: self.list::<String>("sip.limits.scanners")?.iter().map(|word| word.to_lowercase()).collect(),
        })
    }

    pub(super) fn tolls(&self) -> Result<tolls::Settings> {
        Ok(tolls::Settings {
            allow: self.list("outbound.allow")?,
            calls_per_minute: self.count("outbound.calls_per_minute")?,
            minutes_per_day: self.count("outbound.minutes_per_day")? as u64,
        })
    }

    /// A list of whatever can be read from text; nothing is an empty one.
    pub(super) fn list<T: std::str::FromStr<Err: std::fmt::Display>>(&self, key: &str) -> Result<Vec<T>> {
        let items = self.layers.value(key).map(|(value, _)| value.items()).unwrap_or_default();
        items
            .iter()
            .filter(|text| !text.is_empty())
            .map(|text| text.parse().map_err(|problem: T::Err| self.wrong(key, &problem.to_string())))
            .collect()
    }

    fn user(&self, name: &str, realm: &str) -> Result<Account> {
        let key = |field: &str| format!("users.{name}.{field}");
        let hash = |field: &str, length: usize| {
            self.optional(&key(field), |text| {
                let good = text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
                if good {
                    Ok(Secret::new(&text.to_ascii_lowercase()))
                } else {
                    Err(format!("must be {length} hexadecimal digits"))
                }
            })
        };
        let (md5, sha256) = (hash("ha1", 32)?, hash("ha1_sha256", 64)?);
        if let Some(password) = self.optional(&key("password"), |text| Ok(Secret::new(text)))? {
            return Ok(Account::of_password(name, realm, &password));
        }
        if md5.is_none() && sha256.is_none() {
            return Err(self.wrong(&key("password"), "a user needs password, ha1 or ha1_sha256"));
        }
        Ok(Account { name: name.to_owned(), md5, sha256 })
    }

    fn trunk(&self, name: &str) -> Result<Trunk> {
        let key = |field: &str| format!("trunks.{name}.{field}");
        let text = |field: &str| self.optional(&key(field), |text| Ok(text.to_owned()));
        let span = |field: &str, otherwise: Duration| {
            self.optional(&key(field), parse_duration).map(|span| span.unwrap_or(otherwise))
        };
        let servers = self.layers.value(&key("server")).map(|(value, _)| value.items()).unwrap_or_default();
        if servers.is_empty() {
            return Err(self.wrong(&key("server"), "a trunk needs a server, like sip:sip.example.org"));
        }
        let uri = |text: &str| {
            let text =
                if text.contains(':') && text.starts_with("sip") { text.to_owned() } else { format!("sip:{text}") };
            Uri::parse(&text).ok().filter(Uri::is_sip).ok_or_else(|| "is no SIP address, like sip:host:5060".to_owned())
        };
        let servers: Vec<Uri> = servers
            .iter()
            .map(|text| uri(text))
            .collect::<Result<_, String>>()
            .map_err(|problem| self.wrong(&key("server"), &problem))?;
        let user = text("user")?;
        let domain = text("domain")?.unwrap_or_else(|| servers[0].host.clone());
        let register = self
            .optional(&key("register"), |text| text.parse().map_err(|_| "must be true or false".to_owned()))?
            .unwrap_or(false);
        if register && user.is_none() {
            return Err(self.wrong(&key("user"), "a trunk that we register at needs a user"));
        }
        let password = text("password")?;
        let login = text("login")?.or_else(|| user.clone());
        Ok(Trunk {
            name: name.to_owned(),
            aor: Uri {
                scheme: "sip".into(),
                user: user.unwrap_or_else(|| "voxgw".into()),
                host: domain,
                ..Uri::default()
            },
            credentials: login
                .zip(password)
                .map(|(user, password)| Credentials { user, password: Secret::new(&password) }),
            servers,
            register,
            expires: span("expires", Duration::from_mins(10))?,
            ping: span("ping", Duration::from_secs(30))?,
            srtp: self.optional(&key("srtp"), str::parse)?,
            codecs: self.codecs_of(&key("codecs"))?,
            identity: self
                .optional(&key("identity"), |text| match text {
                    "trunk" => Ok(Identity::Trunk),
                    "caller" => Ok(Identity::Caller),
                    _ => Err("must be trunk or caller".to_owned()),
                })?
                .unwrap_or_default(),
        })
    }
}
