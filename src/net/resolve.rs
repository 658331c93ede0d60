//! From a URI to addresses: asks the DNS what [`locate`] wants to know.
//!
//! Owns the resolver and its cache, which keeps answers for their TTL. The system's servers and its hosts file, or those
//! of `sip.dns`. What to ask and what follows is `sip::locate`'s. Called by `gateway`, never on the engine's own task.

use crate::{
    error::{Error, Kind, Result},
    sip::{
        locate::{Answer, Naptr, Question, Srv, Step, Target, Wanted, locate, words},
        tx::Transport,
        uri::Uri,
    },
};
use futures_util::future::join_all;
use hickory_resolver::{
    Hosts, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::Query,
        rr::{Name, RData, RecordType},
    },
};
use rand::Rng as _;
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// A server of the DNS may take so long before it is asked once more.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);
/// All questions of one search together.
const SEARCH_WITHIN: Duration = Duration::from_secs(12);
/// Rounds of questions: NAPTR, SRV, addresses, and one to spare.
const ROUNDS_MAX: usize = 4;

/// The transport that a URI asks for.
///
/// # Errors
/// There is none of that name.
pub fn transport_of(hop: &Uri) -> Result<Transport> {
    hop.transport().ok_or_else(|| {
        Error::usage(format!("there is no way to {hop}")).hint("transports are udp, tcp, tls, ws and wss")
    })
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// To be tried in this order; at least one.
    pub targets: Vec<Target>,
    /// What was asked and answered, in words; empty for a number.
    pub asked: String,
}

/// Finds servers. One for the whole gateway: it remembers answers for their TTL.
pub struct Resolver {
    dns: Option<TokioResolver>,
    hosts: Hosts,
    /// The system's own ways to find a host (mDNS, LDAP, …) are asked too.
    system: bool,
    spoken: Vec<Transport>,
    /// Whether a UDP socket of the family is open: IPv4, IPv6.
    families: [bool; 2],
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver").field("system", &self.system).field("spoken", &self.spoken).finish_non_exhaustive()
    }
}

impl Resolver {
    /// One that asks `servers`, or the system's if there are none. `udp` are the addresses of our datagram sockets:
    /// UDP is spoken over them only.
    ///
    /// # Errors
    /// The resolver cannot be made of these servers.
    pub fn new(servers: &[SocketAddr], udp: &[SocketAddr]) -> Result<Self> {
        let unusable = |problem: NetError| Error::machine(format!("could not set up the DNS resolver: {problem}"));
        let builder = if servers.is_empty() {
            // Without /etc/resolv.conf the system's own lookup is what is left.
            TokioResolver::builder_tokio().ok()
        } else {
            let server = |server: &SocketAddr| {
                let connection = |protocol| {
                    let mut connection = ConnectionConfig::new(protocol);
                    connection.port = server.port();
                    connection
                };
                let connections = vec![connection(ProtocolConfig::Udp), connection(ProtocolConfig::Tcp)];
                NameServerConfig::new(server.ip(), true, connections)
            };
            let config = ResolverConfig::from_parts(None, Vec::new(), servers.iter().map(server).collect());
            Some(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
        };
        let dns = builder
            .map(|mut builder| {
                let options = builder.options_mut();
                options.timeout = ANSWER_WITHIN;
                options.attempts = 1;
                options.use_hosts_file = ResolveHosts::Always;
                builder.build()
            })
            .transpose()
            .map_err(unusable)?;
        let mut spoken = Transport::ALL.to_vec();
        spoken.retain(|transport| *transport != Transport::Udp || !udp.is_empty());
        let families = [udp.iter().any(SocketAddr::is_ipv4), udp.iter().any(SocketAddr::is_ipv6)];
        let hosts = Hosts::from_system().unwrap_or_default();
        Ok(Self { dns, hosts, system: servers.is_empty(), spoken, families })
    }

    /// The servers of a URI, in the order to try them.
    ///
    /// # Errors
    /// There is none; says what was asked and what came back.
    pub async fn find(&self, hop: &Uri) -> Result<Found> {
        transport_of(hop)?;
        let wanted = Wanted::of(hop).map_err(Error::usage)?;
        self.search(&wanted, &hop.to_string()).await
    }

    /// The same for what is no URI: where a response goes (RFC 3263 §5).
    ///
    /// # Errors
    /// As [`Self::find`].
    pub async fn search(&self, wanted: &Wanted, name: &str) -> Result<Found> {
        let seed = rand::rng().next_u64();
        let deadline = tokio::time::Instant::now() + SEARCH_WITHIN;
        let mut answers: Vec<(Question, Answer)> = Vec::new();
        for _ in 0..ROUNDS_MAX {
            match locate(wanted, &self.spoken, &answers, seed) {
                Step::Ask(questions) => {
                    let asked = questions.iter().map(|question| async {
                        let answer = tokio::time::timeout_at(deadline, self.ask(question, &wanted.host)).await;
                        answer.unwrap_or_else(|_| Answer::Nothing("no answer in time".to_owned()))
                    });
                    let answered = join_all(asked).await;
                    answers.extend(questions.iter().cloned().zip(answered));
                }
                Step::Found(mut targets) => {
                    let asked = words(&answers);
                    let found = targets.len();
                    targets.retain(|target| self.reaches(target));
                    if !targets.is_empty() {
                        return Ok(Found { targets, asked });
                    }
                    let why = if found > 0 { "no socket of ours reaches its addresses" } else { "no address" };
                    return Err(Error::new(
                        Kind::Unreachable,
                        format!("could not find the host of {name}: {why}; asked {asked}"),
                    )
                    .hint(if found > 0 {
                        "add --sip udp:[::]:0"
                    } else {
                        "check the name, or give an address"
                    }));
                }
            }
        }
        Err(Error::new(Kind::Bug, format!("the search for {name} does not end: {}", words(&answers))))
    }

    /// A number was written by somebody who knows; of a name's addresses those of our families count.
    fn reaches(&self, target: &Target) -> bool {
        target.host.is_empty() || target.transport != Transport::Udp || {
            self.families[usize::from(target.remote.is_ipv6())]
        }
    }

    async fn ask(&self, question: &Question, host: &str) -> Answer {
        match question {
            Question::Naptr(name) => {
                self.records(name, host, RecordType::NAPTR).await.map_or_else(Answer::Nothing, naptr)
            }
            Question::Srv(name) => self.records(name, host, RecordType::SRV).await.map_or_else(Answer::Nothing, srv),
            Question::Host(name) => self.addresses(name).await,
        }
    }

    /// Records of a kind. A name in the hosts file is this machine's to say: the DNS is not asked for its services.
    async fn records(&self, name: &str, host: &str, kind: RecordType) -> std::result::Result<Vec<RData>, String> {
        if self.is_local(host) {
            return Err("the host is in the hosts file".to_owned());
        }
        self.look_up(name, kind).await
    }

    async fn look_up(&self, name: &str, kind: RecordType) -> std::result::Result<Vec<RData>, String> {
        if let Some(local) = self.in_hosts_file(name, kind) {
            return Ok(local);
        }
        let Some(dns) = &self.dns else { return Err("there is no DNS server".to_owned()) };
        let lookup = dns.lookup(name, kind).await.map_err(|problem| in_words(&problem))?;
        Ok(lookup
            .answers()
            .iter()
            .filter(|record| record.record_type() == kind)
            .map(|record| record.data.clone())
            .collect())
    }

    fn is_local(&self, host: &str) -> bool {
        let top = host.trim_end_matches('.').rsplit('.').next();
        top.is_some_and(|top| top.eq_ignore_ascii_case("localhost"))
            || [RecordType::A, RecordType::AAAA].into_iter().any(|kind| self.in_hosts_file(host, kind).is_some())
    }

    fn in_hosts_file(&self, host: &str, kind: RecordType) -> Option<Vec<RData>> {
        let lookup = self.hosts.lookup_static_host(&Query::query(Name::from_utf8(host).ok()?, kind))?;
        Some(lookup.answers().iter().map(|record| record.data.clone()).collect())
    }

    /// IPv6 first where it leads somewhere, as RFC 6724 has it.
    async fn addresses(&self, name: &str) -> Answer {
        let (four, six) = tokio::join!(self.look_up(name, RecordType::A), self.look_up(name, RecordType::AAAA));
        let mut why = Vec::new();
        let mut ips: Vec<IpAddr> = Vec::new();
        for records in [six, four] {
            match records {
                Ok(records) => ips.extend(records.iter().filter_map(RData::ip_addr)),
                Err(problem) => why.push(problem),
            }
        }
        if ips.is_empty() && self.system {
            // Names that only the system knows.
            match tokio::net::lookup_host((name, 0)).await {
                Ok(found) => ips.extend(found.map(|address| address.ip())),
                Err(problem) => why.push(problem.to_string()),
            }
        }
        let reachable = |ip: &IpAddr| !super::local_ip_towards(*ip).is_unspecified();
        if ips.iter().any(reachable) {
            ips.retain(reachable);
        }
        // A call that moves on to another family would have its sound in the wrong one: those that we listen on first.
        ips.sort_by_key(|ip| !self.families[usize::from(ip.is_ipv6())]);
        why.dedup();
        if ips.is_empty() { Answer::Nothing(why.join(", ")) } else { Answer::Hosts(ips) }
    }
}

fn naptr(records: Vec<RData>) -> Answer {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let one = |record: RData| match record {
        RData::NAPTR(naptr) => Some(Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            service: text(&naptr.services),
            replacement: naptr.replacement.to_utf8(),
        }),
        _ => None,
    };
    Answer::Naptr(records.into_iter().filter_map(one).collect())
}

fn srv(records: Vec<RData>) -> Answer {
    let one = |record: RData| match record {
        RData::SRV(srv) => {
            Some(Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target: srv.target.to_utf8() })
        }
        _ => None,
    };
    Answer::Srv(records.into_iter().filter_map(one).collect())
}

fn in_words(problem: &NetError) -> String {
    if problem.is_nx_domain() {
        "no such name".to_owned()
    } else if problem.is_no_records_found() {
        "none".to_owned()
    } else if matches!(problem, NetError::Timeout) {
        "no answer from the DNS server".to_owned()
    } else {
        problem.to_string()
    }
}
