//! `voxgw monitor`: the live view, or one look at it.

use super::{
    Global, Printer,
    arguments::{Format, Monitor},
    dot_env, environment,
};
use crate::{
    api::{
        client::Target,
        model::{GatewayView, SNAPSHOT_SCHEMA, SessionView, Snapshot, StreamItem},
    },
    call::journal::Record,
    config::read_secret,
    error::{Error, Result, nearest},
    tui::{self, Command, Feed, Filter, Pane},
    unit::CallId,
};
use std::{
    collections::HashMap,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::mpsc,
    time::Duration,
};

pub(super) fn run(_global: &Global, arguments: &Monitor, printer: &Printer) -> Result<u8> {
    let (filter, runtime) = (filter(arguments)?, runtime()?);
    let file = arguments.target.as_deref().and_then(journal_of);
    let once = arguments.once || arguments.watch || !std::io::stdout().is_terminal();
    if once {
        if !arguments.once && !arguments.watch {
            printer.note("stdout is no terminal: printing once, as with --once");
        }
        return print_once(&runtime, arguments, file.as_deref(), &filter, printer);
    }
    let (to, feed) = mpsc::channel();
    let mut target_name = "demo".to_owned();
    let mut control: Option<Target> = None;
    // Kept alive for as long as the screen is: the end of the feed is a state of the source.
    let _demo = to.clone();
    if arguments.demo {
        let _ = to.send(Feed::Connected("demo".into()));
        let _ = to.send(Feed::Item(Box::new(StreamItem::Snapshot(Box::new(tui::demo::snapshot())))));
    } else if let Some(path) = &file {
        target_name = path.display().to_string();
        let _ = to.send(Feed::Connected(target_name.clone()));
        let _ = to.send(Feed::Item(Box::new(StreamItem::Snapshot(Box::new(from_file(path)?)))));
        let _ = to.send(Feed::End);
    } else {
        let target = target(arguments)?;
        target_name = target.name();
        // Config errors and a missing gateway are said before the screen is taken.
        runtime.block_on(target.snapshot())?;
        runtime.spawn(follow(target.clone(), to));
        control = Some(target);
    }
    let options = tui::Options {
        target: target_name,
        pane: pane(arguments)?,
        call: arguments.call,
        filter: arguments.filter.clone(),
        ascii: arguments.ascii,
        privacy: arguments.privacy,
        control: arguments.control,
    };
    let commands = |command: Command| {
        if let Some(target) = control.clone() {
            runtime.spawn(async move {
                let _ = match command {
                    Command::Hangup(call) => target.hang_up(call).await,
                    Command::Hold(call, hold) => target.hold(call, hold).await,
                };
            });
        }
    };
    tui::run(feed, commands, options).map_err(|source| Error::machine(format!("the terminal failed: {source}")))?;
    Ok(0)
}

/// Follows a gateway and connects again when it is lost.
async fn follow(target: Target, to: mpsc::Sender<Feed>) {
    let mut pause = Duration::from_millis(250);
    loop {
        let mut connected = false;
        let outcome = target
            .follow(|item| {
                if !std::mem::replace(&mut connected, true) && to.send(Feed::Connected(target.name())).is_err() {
                    return false;
                }
                to.send(Feed::Item(Box::new(item))).is_ok()
            })
            .await;
        let why = outcome.err().map_or_else(|| "closed".to_owned(), |error| error.to_string());
        if to.send(Feed::Disconnected(why)).is_err() {
            return;
        }
        pause = if connected { Duration::from_millis(250) } else { (pause * 2).min(Duration::from_secs(5)) };
        tokio::time::sleep(pause).await;
    }
}

fn target(arguments: &Monitor) -> Result<Target> {
    gateway(arguments.target.as_deref(), arguments.token_file.as_deref())
}

/// The gateway that is named, with the token for it.
pub(super) fn gateway(name: Option<&str>, token_file: Option<&Path>) -> Result<Target> {
    dot_env()?;
    let token = match token_file {
        Some(path) => Some(read_secret(path)?),
        None => environment("VOXGW_TOKEN").map(|token| crate::redact::Secret::new(&token)),
    };
    Target::parse(name, token)
}

/// One look at it, as `--once` prints it.
pub(super) fn list(arguments: &Monitor, printer: &Printer) -> Result<u8> {
    print_once(&runtime()?, arguments, None, &filter(arguments)?, printer)
}

fn filter(arguments: &Monitor) -> Result<Filter> {
    Filter::parse(&arguments.filter)
        .map_err(|problem| Error::usage(format!("--filter: {problem}")).hint("write state:up, agent:gemini, mos<3.8 …"))
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|source| Error::machine(format!("could not start the runtime: {source}")))
}

fn pane(arguments: &Monitor) -> Result<Pane> {
    let Some(name) = &arguments.pane else { return Ok(tui::Options::default().pane) };
    Pane::from_name(name).ok_or_else(|| {
        let error = Error::usage(format!("there is no pane called {name}"));
        let names: Vec<&str> = Pane::ALL.iter().map(|pane| pane.name()).collect();
        match nearest(name, names.iter().copied()) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint(format!("panes are {}", names.join(", "))),
        }
    })
}

/// The journal that a target names, if it is a file or a call folder.
fn journal_of(target: &str) -> Option<PathBuf> {
    if target.starts_with("unix:") || target.starts_with("http://") {
        return None;
    }
    let path = Path::new(target);
    Some(if path.is_dir() { path.join("session.jsonl") } else { path.to_owned() })
}

fn from_file(path: &Path) -> Result<Snapshot> {
    let bytes = std::fs::read(path).map_err(|source| Error::file("read", path, &source))?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Error::usage(format!("{} is no journal: it is no text", path.display()))
            .hint("give a session.jsonl or a call folder")
    })?;
    let mut session = SessionView::default();
    let mut records = 0;
    for (number, line) in text.lines().enumerate() {
        // The last line of a call that still runs may be cut off.
        match Record::from_line(line) {
            Ok(Some(record)) => {
                session.apply(&record);
                records += 1;
            }
            Ok(None) => {}
            Err(_) if number + 1 == text.lines().count() => {}
            Err(problem) => {
                return Err(Error::usage(format!("{} line {}: {problem}", path.display(), number + 1))
                    .hint("give a session.jsonl or a call folder"));
            }
        }
    }
    if records == 0 {
        return Err(
            Error::usage(format!("{} holds no records", path.display())).hint("give a session.jsonl or a call folder")
        );
    }
    let gateway = GatewayView {
        name: session.header.gateway.clone(),
        version: session.header.version.clone(),
        ..GatewayView::default()
    };
    Ok(Snapshot { schema: SNAPSHOT_SCHEMA.to_owned(), gateway, sessions: vec![session] })
}

fn print_once(
    runtime: &tokio::runtime::Runtime,
    arguments: &Monitor,
    file: Option<&Path>,
    filter: &Filter,
    printer: &Printer,
) -> Result<u8> {
    if arguments.watch {
        if arguments.output != Format::Jsonl {
            return Err(Error::usage("--watch prints events: it needs -o jsonl"));
        }
        let mut watched = Watched { views: HashMap::new(), filter, call: arguments.call };
        let mut print = |item: StreamItem| match watched.pass(item) {
            Some(item) => printer.line(&serde_json::to_string(&item).unwrap_or_default()),
            None => true,
        };
        // Invented calls and finished files are all there at once: the first item is the last.
        if arguments.demo {
            print(StreamItem::Snapshot(Box::new(tui::demo::snapshot())));
        } else if let Some(path) = file {
            print(StreamItem::Snapshot(Box::new(from_file(path)?)));
        } else {
            runtime.block_on(target(arguments)?.follow(print))?;
        }
        return Ok(0);
    }
    let mut snapshot = if arguments.demo {
        tui::demo::snapshot()
    } else if let Some(path) = file {
        from_file(path)?
    } else {
        runtime.block_on(target(arguments)?.snapshot())?
    };
    if let Some(call) = arguments.call {
        snapshot.sessions.retain(|session| session.call() == call);
        if snapshot.sessions.is_empty() {
            return Err(Error::usage(format!("there is no call {call}")).hint("without --call all are printed"));
        }
    }
    match arguments.output {
        Format::Text => {
            let width = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(0);
            let text = tui::once_text(&snapshot, filter, &arguments.sort, width, arguments.privacy);
            printer.result(&text.map_err(Error::usage)?);
        }
        Format::Csv => {
            let text = tui::once_csv(&snapshot, filter, &arguments.sort, arguments.privacy);
            printer.result(&text.map_err(Error::usage)?);
        }
        Format::Json | Format::Jsonl => {
            if arguments.privacy {
                return Err(Error::usage("--privacy goes with text and csv").hint("JSON is the whole snapshot"));
            }
            let rows = tui::once_rows(&snapshot, filter, &arguments.sort).map_err(Error::usage)?;
            let sessions: Vec<SessionView> = rows.into_iter().cloned().collect();
            if arguments.output == Format::Json {
                snapshot.sessions = sessions;
                printer.result(&serde_json::to_string_pretty(&snapshot).unwrap_or_default());
            } else {
                for session in &sessions {
                    printer.line(&serde_json::to_string(session).unwrap_or_default());
                }
            }
        }
    }
    Ok(0)
}

/// What `--watch` prints of the stream: the calls that `--filter` and `--call` leave.
struct Watched<'a> {
    views: HashMap<CallId, SessionView>,
    filter: &'a Filter,
    call: Option<CallId>,
}

impl Watched<'_> {
    fn pass(&mut self, item: StreamItem) -> Option<StreamItem> {
        match item {
            StreamItem::Snapshot(mut snapshot) => {
                self.views = snapshot.sessions.iter().map(|view| (view.call(), view.clone())).collect();
                snapshot.sessions.retain(|view| self.wants(view));
                Some(StreamItem::Snapshot(snapshot))
            }
            StreamItem::Record { call, record } => {
                let mut view = self.views.remove(&call).unwrap_or_default();
                view.apply(&record);
                let wanted = self.wants(&view);
                if view.summary.is_none() {
                    self.views.insert(call, view);
                }
                wanted.then_some(StreamItem::Record { call, record })
            }
            other => Some(other),
        }
    }

    fn wants(&self, view: &SessionView) -> bool {
        self.call.is_none_or(|call| view.call() == call) && self.filter.matches(view)
    }
}
