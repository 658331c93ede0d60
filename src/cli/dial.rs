//! `voxgw dial`: places calls through the same engine that `serve` runs.

mod checks;
mod outcome;
mod watch;

use super::{
    Global, Printer, arguments::Dial, conditions, devices, environment, expand_home, is_log_level_set, layers, logging,
};
use crate::{
    agent::{
        prompts,
        seat::{Plan, PlayPlan},
    },
    call::check::Condition,
    config::{Config, read_secret},
    error::{Error, Kind, Result},
    gateway::{Engine, Handle, Originate},
    network::url::Url,
    redact::Secret,
    sip::{auth::Credentials, carried, tx::Transport, uri::Uri},
    unit::{CallId, parse_duration},
};
use checks::Script;
use outcome::{CallOutcome, Outcome};
use rand::Rng as _;
use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use watch::{METERS_EVERY, Running, Watch};

pub(super) fn run(global: &Global, arguments: &Dial, printer: &Printer) -> Result<u8> {
    let devices = devices::open(arguments)?;
    let whip = whip(&arguments.target)?;
    let target = match &whip {
        Some(url) => named(url),
        None => target(&arguments.target)?,
    };
    let folder = KeptFolder::new(arguments)?;
    let config = config(global, arguments, &target, &folder)?;
    // Events are printed as lines; the log would say them twice.
    let _log = logging::start(&config, "error", is_log_level_set(global))?;
    let template = Template { whip, ..Template::new(arguments, &config, target, devices)? };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|source| Error::machine(format!("could not start the runtime: {source}")))?;
    let config = Arc::new(config);
    let outcome = runtime.block_on(dial(arguments, &config, &template, printer))?;
    folder.deliver(arguments, &outcome.calls, printer)?;
    outcome::report(arguments, &outcome, printer);
    if let Some(file) = &arguments.junit {
        let xml = checks::junit(&arguments.target, &outcome);
        std::fs::write(file, xml).map_err(|problem| Error::file("write", file, &problem))?;
    }
    Ok(outcome.exit_code())
}

/// A WHIP server's URL, if the target is one.
fn whip(text: &str) -> Result<Option<Url>> {
    if !text.starts_with("http:") && !text.starts_with("https:") {
        return Ok(None);
    }
    let wrong = |problem| Error::usage(format!("{text}: {problem}")).hint("write https://HOST/whip/NAME");
    Url::parse(text).map(Some).map_err(wrong)
}

/// Whom a WHIP URL calls, in the words of the journal: the last part of its path.
fn named(url: &Url) -> Uri {
    let path = url.path().split('?').next().unwrap_or_default();
    let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or("whip");
    Uri::sip(name, url.origin().1.trim_matches(['[', ']']), None)
}

/// `HOST`, `NAME@HOST` and `tel:` are spelled out.
fn target(text: &str) -> Result<Uri> {
    let spelled = if text.contains(':') && Uri::parse(text).is_ok_and(|uri| uri.is_sip()) {
        text.to_owned()
    } else if text.starts_with("tel:") {
        let error = Error::usage(format!("{text}: a number alone says not by whom it is reached"));
        return Err(error.hint("write sip:NUMBER@HOST"));
    } else {
        format!("sip:{text}")
    };
    let uri = Uri::parse(&spelled).map_err(|problem| {
        Error::usage(format!("'{text}' is no target: {problem}")).hint("write sip:NAME@HOST or sip:HOST:PORT")
    })?;
    Ok(uri)
}

fn config(global: &Global, arguments: &Dial, target: &Uri, folder: &KeptFolder) -> Result<Config> {
    let mut layers = layers(global)?;
    let any = if target.host.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
    // Over TCP the far end must be able to reach our Contact; over TLS and WebSocket it has our connection.
    let proxy = arguments.proxy.as_deref().and_then(|text| Uri::parse(text).ok());
    let hop = proxy.as_ref().unwrap_or(target);
    // A name may lead to TCP too.
    let is_name = hop.host.parse::<IpAddr>().is_err() && hop.port.is_none();
    let tcp = hop.transport() == Some(Transport::Tcp) || is_name && hop.param("transport").is_none();
    let listen = match &arguments.sip[..] {
        [] if tcp => format!("udp:{any},tcp:{any}"),
        [] => format!("udp:{any}"),
        named => named.join(","),
    };
    layers.add_flag("sip.listen", &listen);
    layers.add_flag("media.rtp_ports", arguments.rtp_ports.as_deref().unwrap_or("20002-29999"));
    layers.add_flag("api.listen", "off");
    layers.add_flag("recording.folder", &folder.path.display().to_string());
    let mode = match (&arguments.record, &arguments.journal) {
        (Some(_), _) | (None, Some(_)) => "always",
        (None, None) if arguments.pcap.is_some() => "journal",
        (None, None) => "never",
    };
    layers.add_flag("recording.mode", mode);
    layers.add_flag("recording.pcap", if arguments.pcap.is_some() { "all" } else { "off" });
    if !arguments.codec.is_empty() {
        layers.add_flag("media.codecs", &arguments.codec.join(","));
    }
    if let Some(policy) = &arguments.srtp {
        layers.add_flag("media.srtp", policy);
    }
    if let Some(ptime) = &arguments.ptime {
        layers.add_flag("media.ptime", ptime);
    }
    let mut config = Config::from_layers(&layers)?;
    expand_home(&mut config);
    // --concurrency says how many.
    config.max_calls = usize::MAX;
    // Nothing of the user's is removed by a call.
    config.recording.keep = Duration::MAX;
    config.recording.max_size = u64::MAX;
    Ok(config)
}

/// Where the calls' folders are while they run; a temporary one goes away at the end.
struct KeptFolder {
    path: PathBuf,
    temporary: bool,
}

impl KeptFolder {
    fn new(arguments: &Dial) -> Result<Self> {
        if let Some(path) = &arguments.journal {
            return Ok(Self { path: path.clone(), temporary: false });
        }
        for file in [&arguments.record, &arguments.pcap].into_iter().flatten() {
            if let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.is_dir()) {
                return Err(Error::machine(format!("there is no folder {}", parent.display())).hint("make it first"));
            }
        }
        // A name that nobody can make first.
        let path = std::env::temp_dir().join(format!("voxgw-dial-{:016x}", rand::rng().next_u64()));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|source| Error::file("make", &path, &source))?;
        Ok(Self { path, temporary: true })
    }

    /// Copies what was asked for to where it was asked for; numbered when there are several calls.
    fn deliver(&self, arguments: &Dial, calls: &[CallOutcome], printer: &Printer) -> Result<()> {
        let wanted = [(&arguments.record, "call.wav"), (&arguments.pcap, "call.pcap")];
        for (number, call) in calls.iter().enumerate() {
            for (file, name) in &wanted {
                let Some(file) = file else { continue };
                let Some(source) =
                    self.folder_of(call.call).map(|folder| folder.join(name)).filter(|path| path.is_file())
                else {
                    continue;
                };
                let to = if calls.len() == 1 { file.clone() } else { numbered(file, number + 1) };
                std::fs::copy(&source, &to).map_err(|problem| Error::file("write", &to, &problem))?;
                if calls.len() == 1 {
                    printer.note(&format!("  saved {}", to.display()));
                }
            }
        }
        Ok(())
    }

    fn folder_of(&self, call: CallId) -> Option<PathBuf> {
        let ending = format!("-{call}");
        let entries = std::fs::read_dir(&self.path).ok()?;
        entries.flatten().map(|entry| entry.path()).find(|path| path.to_string_lossy().ends_with(&ending))
    }
}

impl Drop for KeptFolder {
    fn drop(&mut self) {
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn numbered(file: &Path, number: usize) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().map_or_else(String::new, |extension| format!(".{}", extension.to_string_lossy()));
    file.with_file_name(format!("{stem}-{number}{extension}"))
}

/// What is done to a call whose agent does not do it itself.
#[derive(Clone, Debug)]
enum Deed {
    Press(String),
    HangUp,
}

/// What every call of this run is made from.
struct Template {
    to: Uri,
    from: Uri,
    /// `--from` was given.
    named_from: bool,
    proxy: Option<Uri>,
    whip: Option<Url>,
    headers: Vec<(String, String)>,
    credentials: Option<Credentials>,
    plan: Arc<Plan>,
    /// Of `--scenario`: one call each, instead of the plan.
    scripts: Vec<Script>,
    fail_if: Vec<Condition>,
    /// What is done to each call at its time, counted from the answer.
    deeds: Vec<(Duration, Deed)>,
    /// Microphone and loudspeaker of who speaks here.
    devices: Option<devices::Open>,
    ring: Duration,
    max: Duration,
    silence: Option<Duration>,
    turns: Option<u32>,
}

impl Template {
    fn new(arguments: &Dial, config: &Config, to: Uri, devices: Option<devices::Open>) -> Result<Self> {
        let uri = |name: &str, text: &str| {
            Uri::parse(text)
                .map_err(|problem| Error::usage(format!("{name} {text}: {problem}")).hint("write sip:NAME@HOST"))
        };
        let from = match &arguments.from {
            Some(text) => uri("--from", text)?,
            None => Uri::sip(arguments.user.as_deref().unwrap_or("voxgw"), "voxgw.invalid", None),
        };
        let proxy = arguments.proxy.as_deref().map(|text| uri("--proxy", text)).transpose()?;
        let headers = arguments
            .header
            .iter()
            .map(|header| {
                let (name, value) = header.split_once(':').unwrap_or((header, ""));
                if !header.contains(':') {
                    return Err(Error::usage(format!("-H '{header}': write 'Name: value'")));
                }
                let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
                carried::may_set(&name, &value)
                    .map_err(|problem| Error::usage(format!("-H '{header}': {problem}")).hint("write 'Name: value'"))?;
                Ok((name, value))
            })
            .collect::<Result<Vec<_>>>()?;
        let (after, silence, turns) = hang_up_rule(arguments.hangup_after.as_deref())?;
        // A player begins when the far end has paused: a shorter silence would end the call before that.
        if silence.is_some_and(|span| span < Duration::from_secs(1))
            && !arguments.play.is_empty()
            && arguments.delay.is_none()
        {
            return Err(Error::usage("--hangup-after silence: with --play at least 1s")
                .hint("a shorter one would end the call before the sound begins; or say when with --delay TIME"));
        }
        let (plan, deeds) = plan(arguments, config, devices.as_ref(), after)?;
        Ok(Self {
            to,
            from,
            named_from: arguments.from.is_some(),
            proxy,
            whip: None,
            headers,
            credentials: credentials(arguments)?,
            plan: Arc::new(plan),
            scripts: checks::scripts(arguments)?,
            fail_if: conditions::read(&arguments.fail_if)?,
            deeds,
            devices,
            ring: arguments.ring,
            max: arguments.max,
            silence,
            turns,
        })
    }

    /// Which scenario the call of this number plays.
    fn script(&self, number: u32) -> Option<usize> {
        (number as usize).checked_rem(self.scripts.len())
    }

    /// The call of this number, from 0.
    fn originate(&self, number: u32) -> Originate {
        let script = self.script(number).map(|at| &self.scripts[at]);
        // What the command line says counts.
        let from = script.and_then(|script| script.from.clone()).filter(|_| !self.named_from);
        let of_script = script.map_or(&[][..], |script| &script.headers);
        let unsaid = |name: &str| !self.headers.iter().any(|(said, _)| said.eq_ignore_ascii_case(name));
        let more = of_script.iter().filter(|(name, _)| unsaid(name));
        Originate {
            to: self.to.clone(),
            from: from.unwrap_or_else(|| self.from.clone()),
            proxy: self.proxy.clone(),
            whip: self.whip.clone(),
            headers: self.headers.iter().chain(more).cloned().collect(),
            credentials: self.credentials.clone(),
            trunk: None,
            plan: Arc::clone(script.map_or(&self.plan, |script| &script.plan)),
            ring: self.ring,
            max_duration: Some(self.max),
            hang_up_after_silence: self.silence,
            hang_up_after_turns: self.turns,
        }
    }
}

fn credentials(arguments: &Dial) -> Result<Option<Credentials>> {
    // A WHIP server's token is a password without a user.
    let nobody = String::new();
    let token = arguments.target.starts_with("http") && arguments.password_file.is_some();
    let Some(user) = arguments.user.as_ref().or_else(|| token.then_some(&nobody)) else { return Ok(None) };
    let password = match &arguments.password_file {
        Some(path) => read_secret(path)?,
        None => environment("VOXGW_PASSWORD").map(|text| Secret::new(&text)).ok_or_else(|| {
            Error::usage("--user needs a password").hint("set VOXGW_PASSWORD, or give --password-file FILE")
        })?,
    };
    Ok(Some(Credentials { user: user.clone(), password }))
}

type HangUpRule = (Option<Duration>, Option<Duration>, Option<u32>);

/// A time after the last sound, `silence:TIME` or `turns:N`.
fn hang_up_rule(text: Option<&str>) -> Result<HangUpRule> {
    let Some(text) = text else { return Ok((None, None, None)) };
    let wrong = |problem: String| {
        Error::usage(format!("--hangup-after {text}: {problem}")).hint("write 5s, silence:2s or turns:3")
    };
    match text.split_once(':') {
        Some(("silence", span)) => Ok((None, Some(parse_duration(span).map_err(wrong)?), None)),
        Some(("turns", count)) => {
            let count = count.parse().map_err(|_| wrong("is no number of turns".into()))?;
            Ok((None, None, Some(count)))
        }
        Some((word, _)) => Err(wrong(format!("there is no rule called {word}"))),
        None => Ok((Some(parse_duration(text).map_err(wrong)?), None, None)),
    }
}

/// `1,2,#@3s`: keys and when they are pressed.
fn digits(text: &str) -> Result<(Duration, String)> {
    let wrong = |problem: &str| Error::usage(format!("--dtmf {text}: {problem}")).hint("write 12#@3s: keys, then when");
    let (keys, at) = match text.split_once('@') {
        Some((keys, at)) => (keys, parse_duration(at).map_err(|problem| wrong(&problem))?),
        None => (text, Duration::from_secs(1)),
    };
    let keys: String = keys.chars().filter(|c| *c != ',' && !c.is_whitespace()).collect();
    let good = !keys.is_empty() && keys.chars().all(|key| crate::media::rtp::dtmf::event_of(key).is_some());
    if good { Ok((at, keys)) } else { Err(wrong("keys are 0-9, *, # and A-D")) }
}

/// Who talks, and what it leaves to us. The player keeps its own times, because they follow its sound.
fn plan(
    arguments: &Dial,
    config: &Config,
    devices: Option<&devices::Open>,
    hang_up_after: Option<Duration>,
) -> Result<(Plan, Vec<(Duration, Deed)>)> {
    let mut presses = arguments.dtmf.iter().map(|text| digits(text)).collect::<Result<Vec<_>>>()?;
    presses.sort_by_key(|(at, _)| *at);
    if arguments.delay.is_some() && arguments.play.is_empty() {
        return Err(Error::usage("--delay says when --play begins: there is nothing to play").hint("add --play FILE"));
    }
    let named = arguments.agent.as_deref().or(arguments.echo.then_some("echo:live"));
    let someone = match (named, devices) {
        (Some(name), _) => Some(Plan::named(config, name, &environment)?),
        (None, Some(devices)) => Some(devices.plan.clone()),
        (None, None) => None,
    };
    if let Some(plan) = someone {
        let last = presses.last().map_or(Duration::ZERO, |(at, _)| *at);
        let end = hang_up_after.map(|after| (last + after, Deed::HangUp));
        let deeds = presses.into_iter().map(|(at, keys)| (at, Deed::Press(keys))).chain(end).collect();
        return Ok((plan, deeds));
    }
    let files = arguments.play.iter().map(|path| prompts::load(path)).collect::<Result<Vec<_>>>()?;
    // With something to play and no rule the call ends a moment after it: time for an echo or an answer.
    let nothing_said = arguments.hangup_after.is_none();
    let after = hang_up_after.or_else(|| (nothing_said && !files.is_empty()).then(|| Duration::from_secs(3)));
    let play = PlayPlan {
        files,
        digits: presses,
        start_after: arguments.delay.unwrap_or(Duration::from_millis(500)),
        hang_up_after: after,
        waits_to_begin: arguments.delay.is_none(),
        waits_to_end: arguments.delay.is_none() && nothing_said,
    };
    Ok((Plan::play(if arguments.play.is_empty() { "silence" } else { "play" }, play), Vec::new()))
}

async fn dial(arguments: &Dial, config: &Arc<Config>, template: &Template, printer: &Printer) -> Result<Outcome> {
    if let Err(nobody) = anybody_there(template).await {
        return Ok(Outcome { failures: vec![nobody], ..Outcome::default() });
    }
    let signal = |kind| signal(kind).map_err(|source| Error::machine(format!("could not listen to signals: {source}")));
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let handle = Engine::start(Arc::clone(config), None)?;
    let (_, mut items) = handle.hub.subscribe().await.ok_or_else(|| Error::new(Kind::Bug, "the hub has stopped"))?;
    let count = arguments.repeat.saturating_mul(u32::try_from(template.scripts.len()).unwrap_or(u32::MAX).max(1));
    let single = count == 1;
    let progress = if single { printer.spinner() } else { printer.bar(u64::from(count), "calls") };
    let mut watch = Watch {
        arguments,
        printer,
        progress,
        running: HashMap::new(),
        template,
        due: Vec::new(),
        answered: HashSet::new(),
        outcome: Outcome::default(),
        single,
    };
    let mut started = 0;
    let pace = arguments.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
    let mut next_start = tokio::time::Instant::now();
    let mut asked_to_stop = false;
    loop {
        let may_start = started < count && !asked_to_stop && watch.running.len() < arguments.concurrency as usize;
        if !may_start && watch.running.is_empty() {
            break;
        }
        let next_due = watch.due.iter().map(|(at, ..)| *at).min();
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(next_due.unwrap_or(next_start)), if next_due.is_some() => {
                for (call, deed) in watch.take_due() {
                    match deed {
                        Deed::Press(keys) => handle.press(call, &keys).await,
                        Deed::HangUp => handle.hang_up(call, "the time was over").await,
                    };
                }
            }
            () = tokio::time::sleep_until(next_start), if may_start => {
                let number = started;
                started += 1;
                next_start += pace.unwrap_or_default();
                next_start = next_start.max(tokio::time::Instant::now() - Duration::from_millis(100));
                match handle.originate(template.originate(number)).await {
                    Ok(call) => {
                        let script = template.script(number);
                        watch.running.insert(call, Running { script, ..Running::default() });
                    }
                    Err(error) => watch.outcome.failures.push(error),
                }
            }
            item = items.recv() => {
                if watch.item(item) && let Some(all) = handle.hub.snapshot().await {
                    // What was dropped may have been the end of calls.
                    for view in all.sessions {
                        if let Some(summary) = view.summary {
                            watch.finished(view.header.call, &summary);
                        }
                    }
                }
            }
            () = tokio::time::sleep(METERS_EVERY), if template.devices.is_some() => watch.show_meters(),
            code = ended_by(&mut interrupt, &mut terminate) => {
                if asked_to_stop {
                    break;
                }
                asked_to_stop = true;
                watch.outcome.interrupted = Some(code);
                printer.note("hanging up; again to stop at once");
                handle.hang_up_all("interrupted").await;
            }
        }
    }
    finish(&handle, &watch).await;
    Ok(watch.outcome)
}

/// Exit code of the signal that came.
async fn ended_by(interrupt: &mut Signal, terminate: &mut Signal) -> u8 {
    tokio::select! {
        _ = interrupt.recv() => Kind::Interrupted.exit_code(),
        _ = terminate.recv() => 143,
    }
}

/// One empty line (a SIP keep-alive, RFC 5626 §3.5.1) to a UDP target, a connection to a TCP target: a closed port says
/// so at once instead of after 32 seconds. Silence says nothing, and is not waited for.
async fn anybody_there(template: &Template) -> Result<()> {
    if template.whip.is_some() {
        return Ok(());
    }
    let hop = template.proxy.as_ref().unwrap_or(&template.to);
    let port = hop.port.unwrap_or(5060);
    // A name may stand for several: they are the engine's to try. This machine's own is no name.
    let ips = match hop.host.parse::<IpAddr>() {
        Ok(ip) => vec![ip],
        Err(_) if hop.host == "localhost" => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Err(_) => return Ok(()),
    };
    let mut nobody = Ok(());
    for ip in ips {
        let remote = SocketAddr::new(ip, port);
        let refused = match hop.transport() {
            Some(Transport::Udp) => refuses_udp(remote).await,
            Some(Transport::Tcp) => refuses_tcp(remote).await,
            _ => Ok(()),
        };
        match refused {
            Ok(()) => return Ok(()),
            Err(problem) => nobody = nobody.and(Err(problem)),
        }
    }
    nobody
}

async fn refuses_tcp(remote: SocketAddr) -> Result<()> {
    match tokio::time::timeout(Duration::from_secs(1), tokio::net::TcpStream::connect(remote)).await {
        Ok(Err(problem)) => Err(Error::new(Kind::Unreachable, format!("could not connect to tcp {remote}: {problem}"))
            .hint("is `voxgw serve` running there, and does it listen on tcp?")),
        _ => Ok(()),
    }
}

async fn refuses_udp(remote: SocketAddr) -> Result<()> {
    let any: SocketAddr = if remote.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let probe = async {
        let socket = tokio::net::UdpSocket::bind(any).await?;
        socket.connect(remote).await?;
        socket.send(b"\r\n\r\n").await?;
        let mut buffer = [0; 16];
        socket.recv(&mut buffer).await
    };
    match tokio::time::timeout(Duration::from_millis(100), probe).await {
        Ok(Err(problem)) if problem.kind() == std::io::ErrorKind::ConnectionRefused => {
            Err(Error::new(Kind::Unreachable, format!("nobody listens on udp {remote}: {problem}"))
                .hint("is `voxgw serve` running there?"))
        }
        _ => Ok(()),
    }
}

async fn finish(handle: &Handle, watch: &Watch<'_>) {
    watch.progress.finish_and_clear();
    // BYE has been answered; sessions end within moments.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
    while handle.calls() > 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    handle.finish_files();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_spelled_out() {
        assert_eq!(target("127.0.0.1").unwrap().to_string(), "sip:127.0.0.1");
        assert_eq!(target("bob@example.org:5070").unwrap().to_string(), "sip:bob@example.org:5070");
        assert_eq!(target("sip:bob@[::1];transport=tcp").unwrap().param("transport"), Some("tcp"));
        assert_eq!(target("sips:bob@example.org").unwrap().transport(), Some(Transport::Tls));
        assert!(target("tel:+49").is_err() && target("").is_err());
    }

    #[test]
    fn rules_and_keys_are_checked() {
        assert_eq!(hang_up_rule(Some("silence:2s")).unwrap().1, Some(Duration::from_secs(2)));
        assert_eq!(hang_up_rule(Some("turns:3")).unwrap().2, Some(3));
        assert!(hang_up_rule(Some("laughter:3")).is_err() && hang_up_rule(Some("3")).is_err());
        assert_eq!(digits("1,2,#@3s").unwrap(), (Duration::from_secs(3), "12#".to_owned()));
        assert!(digits("1x").is_err() && digits("@3s").is_err());
        assert_eq!(numbered(Path::new("a/out.wav"), 3), Path::new("a/out-3.wav"));
    }
}
