//! `voxgw serve`: the gateway until a signal.

use super::{Global, Printer, arguments::Serve, default_agent, environment, expand_home, layers, logging};
use crate::{
    agent::seat::Plan,
    api,
    config::{Config, read_secret},
    error::{Error, Kind, Result},
    gateway::{Engine, Handle, Router, writer},
    webrtc,
};
use std::{sync::Arc, time::Duration};
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(super) fn run(global: &Global, arguments: &Serve, printer: &Printer) -> Result<u8> {
    let mut config = config(global, arguments)?;
    if arguments.check {
        // The log of a gateway that runs is not to say that it is ready.
        config.log_file = None;
    }
    let _log = logging::start(&config, "info", true)?;
    for warning in config.warnings() {
        printer.note(&format!("warning: {warning}"));
    }
    let plan = |name: &str| {
        let plan = Arc::new(Plan::named(&config, name, &environment)?);
        Ok(plan)
    };
    let other = |name: &str| Plan::named(&config, name, &environment).map(Arc::new);
    let (router, agent) = if config.routes.is_empty() {
        let agent = default_agent(&config)?;
        (Router::from(Some(plan(&agent)?)), agent)
    } else {
        if let Some(agent) = &arguments.agent {
            printer.note(&format!("warning: --agent {agent} answers nothing: the rules decide"));
        }
        let names: Vec<&str> = config.routes.iter().map(|rule| rule.name.as_str()).collect();
        (Router::of(&config, plan)?, format!("by rule: {}", names.join(", ")))
    };
    let router = router.with_others(&config, other)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("gateway")
        .enable_all()
        .build()
        .map_err(|source| Error::machine(format!("could not start the runtime: {source}")))?;
    if arguments.check {
        return runtime.block_on(check(config, router, &agent, printer));
    }
    runtime.block_on(serve(Arc::new(config), router, &agent, printer))
}

fn config(global: &Global, arguments: &Serve) -> Result<Config> {
    let mut layers = layers(global)?;
    let mut flag = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            layers.add_flag(key, &value);
        }
    };
    flag("sip.listen", (!arguments.sip.is_empty()).then(|| arguments.sip.join(",")));
    flag("media.rtp_ports", arguments.rtp_ports.clone());
    flag("sip.advertise", arguments.advertise.clone());
    flag("call.agent", arguments.agent.clone());
    flag("api.listen", arguments.api.clone());
    flag("api.token_file", arguments.api_token_file.as_ref().map(|path| path.display().to_string()));
    flag("web.listen", arguments.web.clone());
    flag("recording.mode", arguments.record.clone());
    flag("recording.folder", arguments.recordings.as_ref().map(|path| path.display().to_string()));
    flag("recording.pcap", arguments.pcap.clone());
    flag("recording.agent_frames", arguments.agent_frames.then(|| "true".to_owned()));
    flag("gateway.max_calls", arguments.max_calls.map(|count| count.to_string()));
    flag("gateway.drain", arguments.drain.clone());
    flag("gateway.workers", arguments.workers.map(|count| count.to_string()));
    let mut config = Config::from_layers(&layers)?;
    expand_home(&mut config);
    Ok(config)
}

/// `--check`: binds everything, says what it got, and changes nothing on disk: no folder is made, nothing is pruned.
async fn check(mut config: Config, router: Router, agent: &str, printer: &Printer) -> Result<u8> {
    let kept = kept(&config);
    if config.recording.journal {
        writer::check(&config.recording.folder)?;
        config.recording.journal = false;
    }
    let token = config.api_token_file.as_deref().map(read_secret).transpose()?;
    let place = api::server::check(&config.api, token.as_ref()).await?;
    let config = Arc::new(config);
    let handle = Engine::start(Arc::clone(&config), router)?;
    let web = webrtc::server::check(&config).await?;
    printer.note(&ready(&handle, agent, &place, web.as_deref(), &kept));
    Ok(0)
}

fn kept(config: &Config) -> String {
    if config.recording.journal { config.recording.folder.display().to_string() } else { "nothing is kept".into() }
}

fn ready(handle: &Handle, agent: &str, place: &str, web: Option<&str>, kept: &str) -> String {
    let web = web.map(|web| format!("  web     {web}\n")).unwrap_or_default();
    format!(
        "voxgw {} ready\n  sip     {}\n  agent   {agent}\n  api     {place}\n{web}  calls   {kept}",
        env!("CARGO_PKG_VERSION"),
        handle.listening.join("  ")
    )
}

async fn serve(config: Arc<Config>, router: Router, agent: &str, printer: &Printer) -> Result<u8> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|source| Error::machine(source.to_string()))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|source| Error::machine(source.to_string()))?;
    let mut hangup = signal(SignalKind::hangup()).map_err(|source| Error::machine(source.to_string()))?;
    raise_file_limit(&config, printer);
    let token = config.api_token_file.as_deref().map(read_secret).transpose()?;
    let handle = Engine::start(Arc::clone(&config), router)?;
    let api = api::server::start(&config.api, token, handle.clone()).await?;
    let web = webrtc::server::start(&config, handle.clone()).await?;
    handle.tools_known().await;
    let place = api.as_ref().map_or("off", |api| api.place.as_str());
    printer.note(&format!("{}\n  Ctrl-C drains", ready(&handle, agent, place, web.as_deref(), &kept(&config))));
    tracing::info!(target: "gateway", event = "gateway.ready", listening = handle.listening.join(" "), agent, api = place);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = ignore(&mut hangup, printer) => {}
        left = handle.posts.left() => return Err(bug(left)),
    }
    let running = handle.calls();
    printer.note(&format!(
        "draining: no new calls, {running} running, {} s at most; again to stop now",
        config.drain.as_secs()
    ));
    tracing::info!(target: "gateway", event = "gateway.draining", running);
    tokio::select! {
        () = handle.drain(config.drain) => {}
        _ = terminate.recv() => stop_now(&handle).await,
        _ = interrupt.recv() => stop_now(&handle).await,
    }
    handle.finish_files();
    tracing::info!(target: "gateway", event = "gateway.stopped");
    Ok(0)
}

/// A closed terminal, a reload that somebody expects: calls go on.
async fn ignore(hangup: &mut Signal, printer: &Printer) {
    while hangup.recv().await.is_some() {
        printer
            .note("SIGHUP: calls go on; the config is read at the start only\nhint: SIGTERM drains, then start again");
        tracing::warn!(target: "gateway", event = "gateway.hangup", "SIGHUP is not for reloading yet; calls go on");
    }
}

/// A part without which nobody is answered has ended: better a restart than a gateway that is half alive.
fn bug(part: &str) -> Error {
    tracing::error!(target: "gateway", event = "gateway.broken", part, "the gateway stops");
    Error::new(Kind::Bug, format!("a bug of voxgw ended the {part}; the gateway stops"))
        .hint("let a supervisor start it again, and report the lines of the log before this one")
}

/// Each call holds some six files. The system's limit is raised as far as it allows, and what it is then is said if it is
/// too low for the calls that the config permits.
fn raise_file_limit(config: &Config, printer: &Printer) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    const OWN: u64 = 100;
    const PER_CALL: u64 = 6;
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    // Unlimited may be more than some systems take for a soft limit; a million is enough for anybody.
    let wanted = hard.min(1 << 20).max(soft);
    let granted = if setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() { wanted } else { soft };
    let needed = OWN + PER_CALL * config.max_calls as u64;
    if granted < needed {
        printer.note(&format!(
            "warning: {granted} files may be open at once; gateway.max_calls = {} needs some {needed}\nhint: ulimit -n {needed}, \
             or LimitNOFILE= of the service",
            config.max_calls
        ));
    }
}

/// The second signal: BYEs go out, files are finished, nobody is waited for any longer than that takes.
async fn stop_now(handle: &Handle) {
    handle.hang_up_all("the gateway was stopped").await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(2);
    while handle.calls() > 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
