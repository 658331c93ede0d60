//! `voxgw replay`: a media report, or a conversation, of recordings and captures.

use super::{
    Global, Printer,
    arguments::{Format, Replay},
    conditions, environment, is_log_level_set, layers, logging,
};
use crate::{
    agent::{
        local::recorded::Recorded,
        seat::{Plan, What},
        stages::Interrupts,
        taped::Taped,
    },
    call::{
        BargeIn,
        check::Condition,
        journal::{Body, Check, Stats, Summary, Verdict},
        pipeline::Seat,
    },
    clock::Instant,
    config::Config,
    error::{Error, Kind, Result},
    media::{
        codec,
        file::{pcap, wav},
    },
    replay::{
        Conversation, Speed, Stream, StreamReport, converse, is_bad, media_report, recorded_plan,
        source::{self, Options, Source},
    },
    report,
    unit::Ssrc,
};
use serde::Serialize;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Instant as Stopwatch,
};

pub(super) fn run(global: &Global, arguments: &Replay, printer: &Printer) -> Result<u8> {
    let config = Config::from_layers(&layers(global)?)?;
    let _log = logging::start(&config, "error", is_log_level_set(global))?;
    let options = options(arguments)?;
    if arguments.agent == "none" && arguments.speed.as_deref().is_some_and(|speed| speed != "max") {
        return Err(Error::usage("--speed says how fast a conversation runs: a media report is read, not played")
            .hint("add --agent NAME, or leave --speed out"));
    }
    let fail_if = conditions::read(&arguments.fail_if)?;
    let outs = outs(arguments)?;
    let mut documents = Vec::new();
    let mut code = 0;
    for (file, out) in arguments.files.iter().zip(&outs) {
        let document = one(file, out.as_deref(), arguments, &options, &config, &fail_if, printer)?;
        if arguments.output == Format::Text {
            printer.result(&text(&document));
        }
        code = code.max(document.exit_code);
        documents.push(document);
    }
    match arguments.output {
        Format::Text => {}
        Format::Json => {
            let whole = serde_json::json!({"schema": "voxgw.replay/1", "exit_code": code, "files": documents});
            printer.result(&serde_json::to_string_pretty(&whole).unwrap_or_default());
        }
        Format::Jsonl => {
            for document in &documents {
                printer.result(&serde_json::to_string(document).unwrap_or_default());
            }
        }
        Format::Csv => printer.result(&csv(&documents)),
    }
    Ok(code)
}

/// Where each input's results go: `--out` itself for one, a folder of the input's name below it for several.
///
/// # Errors
/// The results would take the place of an input.
fn outs(arguments: &Replay) -> Result<Vec<Option<PathBuf>>> {
    let Some(out) = &arguments.out else { return Ok(vec![None; arguments.files.len()]) };
    let mut taken: Vec<PathBuf> = Vec::new();
    for file in &arguments.files {
        let mut folder = out.clone();
        if arguments.files.len() > 1 {
            // The name of `calls/..` is known once it is resolved.
            let whole = file.canonicalize().unwrap_or_else(|_| file.clone());
            let name = if whole.is_dir() { whole.file_name() } else { whole.file_stem() };
            let name = name.unwrap_or_default().to_string_lossy().into_owned();
            folder = out.join(&name);
            let mut number = 1;
            while taken.contains(&folder) {
                number += 1;
                folder = out.join(format!("{name}-{number}"));
            }
        }
        taken.push(folder);
    }
    for (folder, file) in taken.iter().flat_map(|folder| arguments.files.iter().map(move |file| (folder, file))) {
        if would_overwrite(folder, file) {
            return Err(Error::usage(format!("--out {}: the results would replace {}", out.display(), file.display()))
                .hint("choose another folder"));
        }
    }
    Ok(taken.into_iter().map(Some).collect())
}

/// Files that a replay writes.
const WRITTEN: [&str; 4] = ["report.json", "session.jsonl", "call.wav", "sent.pcap"];

/// Whether results in `folder` would take the place of the input or of what belongs to it.
fn would_overwrite(folder: &Path, input: &Path) -> bool {
    let (Ok(folder), Ok(input)) = (folder.canonicalize(), input.canonicalize()) else { return false };
    let is_written = |path: PathBuf| path.canonicalize().is_ok_and(|path| path == input);
    // Beside a call's sound or capture lies its journal.
    let of_a_call = input.file_name().is_some_and(|name| name == "call.pcap" || name == "agent.jsonl");
    folder == input
        || WRITTEN.iter().any(|name| is_written(folder.join(name)))
        || (of_a_call && input.parent() == Some(&folder))
}

fn options(arguments: &Replay) -> Result<Options> {
    // The parser knows the names.
    let codec = arguments.codec.as_deref().and_then(codec::by_name);
    let ssrc = arguments
        .ssrc
        .as_deref()
        .map(|text| {
            u32::from_str_radix(text.trim_start_matches("0x"), 16)
                .map(Ssrc)
                .map_err(|_| Error::usage(format!("--ssrc {text}: write it as 0x3f21a9c4")))
        })
        .transpose()?;
    Ok(Options { codec, ssrc, leg: arguments.leg.clone() })
}

fn speed(arguments: &Replay, remote: bool) -> Result<Speed> {
    let wrong = |text: &str| Error::usage(format!("--speed {text}: write max, real or 2x"));
    let speed = match arguments.speed.as_deref() {
        None if remote => Speed::Times(1.0),
        None | Some("max") => Speed::Max,
        Some("real") => Speed::Times(1.0),
        Some(text) => {
            let factor: f64 = text.strip_suffix('x').and_then(|n| n.parse().ok()).ok_or_else(|| wrong(text))?;
            if !(0.01..=1_000.0).contains(&factor) {
                return Err(wrong(text));
            }
            Speed::Times(factor)
        }
    };
    if remote && speed != Speed::Times(1.0) {
        return Err(Error::usage("a remote agent runs at --speed real").hint("offline agents and recorded run at max"));
    }
    Ok(speed)
}

#[derive(Serialize)]
struct Document {
    file: String,
    what: String,
    notes: Vec<String>,
    sip_messages: usize,
    streams: Vec<StreamReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<ConversationReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
    read_ms: f64,
    times_real_time: f64,
    exit_code: u8,
    /// Where this document is kept.
    #[serde(skip)]
    kept: Option<PathBuf>,
}

#[derive(Serialize)]
struct ConversationReport {
    agent: String,
    summary: Summary,
    turns: Vec<crate::call::journal::Turn>,
    transcript: Vec<Said>,
    saved: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Said {
    t: f64,
    who: &'static str,
    text: String,
}

fn one(
    file: &Path,
    out: Option<&Path>,
    arguments: &Replay,
    options: &Options,
    config: &Config,
    fail_if: &[Condition],
    printer: &Printer,
) -> Result<Document> {
    let watch = Stopwatch::now();
    let source = source::open(file, options)?;
    let streams: Vec<StreamReport> = source.streams.iter().map(media_report).collect();
    let span: f64 = source.streams.iter().map(|stream| source::span_of(stream).as_secs_f64()).sum();
    let elapsed = watch.elapsed().as_secs_f64();
    let mut document = Document {
        file: file.display().to_string(),
        what: source.what.clone(),
        notes: source.notes.clone(),
        sip_messages: source.sip_messages,
        exit_code: 0,
        checks: Vec::new(),
        kept: out.map(|folder| folder.join("report.json")),
        streams,
        conversation: None,
        read_ms: (elapsed * 1_000_000.0).round() / 1_000.0,
        times_real_time: (span / elapsed.max(1e-6)).round(),
    };
    if arguments.agent == "none" {
        document.checks = document.streams.iter().flat_map(|stream| unwanted_of(stream, fail_if)).collect();
    } else {
        let mut conversation = conversation(file, out, &source, arguments, config, printer)?;
        document.checks = conditions::unwanted(fail_if, &conversation.summary).collect();
        if !document.checks.is_empty() {
            let held = document.checks.iter().all(|check| check.passed);
            conversation.summary.checks = if held { Verdict::Pass } else { Verdict::Fail };
        }
        if conversation.summary.agent == Verdict::Fail {
            document.exit_code = Kind::Agent.exit_code();
        }
        document.conversation = Some(conversation);
    }
    if document.exit_code == 0 && document.checks.iter().any(|check| !check.passed) {
        document.exit_code = Kind::Check.exit_code();
    }
    if let Some(folder) = out {
        save_report(folder, &document)?;
    }
    Ok(document)
}

/// The conditions on one stream: what a call's summary would say of it.
fn unwanted_of(stream: &StreamReport, fail_if: &[Condition]) -> Vec<Check> {
    let summary = Summary {
        duration_s: stream.duration_s,
        codec: stream.codec.clone(),
        dtmf: stream.digits.iter().map(|(_, digit)| digit).collect(),
        lints: stream.lints.iter().map(|lint| lint.name.clone()).collect(),
        stats: Stats { inbound: stream.stats.clone(), ..Stats::default() },
        ..Summary::default()
    };
    let of = |check: Check| Check { what: format!("{} {}", stream.stats.ssrc, check.what), ..check };
    conditions::unwanted(fail_if, &summary).map(of).collect()
}

fn conversation(
    file: &Path,
    out: Option<&Path>,
    source: &Source,
    arguments: &Replay,
    config: &Config,
    printer: &Printer,
) -> Result<ConversationReport> {
    // The caller sent the INVITE; without one it is whoever was heard first.
    let stream: &Stream = source.streams.iter().find(|stream| stream.is_caller).unwrap_or(&source.streams[0]);
    let (plan, seat) = agent(file, arguments, config)?;
    let remote = matches!(seat, Seat::Remote);
    let speed = speed(arguments, remote)?;
    let bar = printer.bar(100, &file.file_name().unwrap_or_default().to_string_lossy());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::machine(format!("could not start the runtime: {source}")))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "percent of a bar")]
    let mut progress = |share: f64| bar.set_position((share * 100.0) as u64);
    let local = tokio::task::LocalSet::new();
    let conversation = local.block_on(&runtime, converse(stream, &plan, seat, &name, speed, &mut progress));
    bar.finish_and_clear();
    let saved = match out {
        Some(folder) => save(folder, stream, &conversation)?,
        None => Vec::new(),
    };
    let mut transcript: Vec<Said> = Vec::new();
    for record in &conversation.records {
        if let Body::Transcript(said) = &record.body {
            transcript.push(Said { t: record.t, who: said.who.name(), text: said.text.0.trim().to_owned() });
        }
    }
    Ok(ConversationReport {
        agent: plan.name.clone(),
        summary: conversation.summary,
        turns: conversation.turns,
        transcript,
        saved,
    })
}

fn agent(file: &Path, arguments: &Replay, config: &Config) -> Result<(Plan, Seat)> {
    if arguments.agent == "recorded" {
        let folder = if file.is_dir() { file } else { file.parent().unwrap_or(Path::new(".")) };
        let path = folder.join("agent.jsonl");
        let text = std::fs::read_to_string(&path).map_err(|problem| {
            Error::file("read", &path, &problem)
                .hint("calls keep it with serve --agent-frames; give the call's folder, not its sound")
        })?;
        if Taped::is_one(&text) {
            let taped = Taped::parse(&text, Instant::from_millis(1_000))
                .map_err(|problem| Error::usage(format!("{}: {problem}", path.display())))?;
            let barge_in = match taped.interrupts() {
                Interrupts::Voice => BargeIn::Local,
                Interrupts::Words => BargeIn::Provider,
                Interrupts::Call => BargeIn::Pause,
                Interrupts::Never => BargeIn::Off,
            };
            return Ok((Plan { barge_in, ..recorded_plan() }, Seat::Local(Box::new(taped))));
        }
        let recorded = Recorded::parse(&text, Instant::from_millis(1_000))
            .map_err(|problem| Error::usage(format!("{}: {problem}", path.display())))?;
        return Ok((recorded_plan(), Seat::Local(Box::new(recorded))));
    }
    let plan = Plan::of(&config.profile(&arguments.agent)?, &environment)?;
    if let What::Staged(_) = &plan.what {
        let problem = format!("agent {}: replay does not ask the services of a pipeline agent", plan.name);
        return Err(Error::usage(problem).hint("replay its cassette: --agent recorded; or take another agent"));
    }
    let seat = match (&plan.what, plan.local()) {
        (What::Remote(_), _) | (_, None) => Seat::Remote,
        (_, Some(local)) => Seat::Local(local),
    };
    Ok((plan, seat))
}

fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|source| Error::file("make", folder, &source))
}

fn write(path: PathBuf, bytes: &[u8]) -> Result<PathBuf> {
    std::fs::write(&path, bytes).map_err(|source| Error::file("write", &path, &source))?;
    Ok(path)
}

/// Journal, sound and packets of a conversation.
fn save(folder: &Path, stream: &Stream, conversation: &Conversation) -> Result<Vec<PathBuf>> {
    make(folder)?;
    let mut capture = pcap::file_header().to_vec();
    for (at, bytes) in &conversation.sent {
        pcap::write_record(&mut capture, at.as_nanos(), stream.destination, stream.source, bytes);
    }
    Ok(vec![
        write(folder.join("session.jsonl"), conversation.journal().as_bytes())?,
        write(folder.join("call.wav"), &wav::write(conversation.rate, 2, &conversation.sound))?,
        write(folder.join("sent.pcap"), &capture)?,
    ])
}

fn save_report(folder: &Path, document: &Document) -> Result<()> {
    make(folder)?;
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    write(folder.join("report.json"), text.as_bytes()).map(|_| ())
}

fn text(document: &Document) -> String {
    let mut text = format!("\n  {}   {}", document.file, document.what);
    if document.sip_messages > 0 {
        let _ = write!(text, "  {} SIP messages", document.sip_messages);
    }
    let _ = writeln!(text, "  read in {:.1} ms\n", document.read_ms);
    text.push_str(&report::media::streams(&document.streams));
    for note in &document.notes {
        let _ = writeln!(text, "  note  {note}");
    }
    if let Some(conversation) = &document.conversation {
        let _ = writeln!(text, "\n  agent {}\n", conversation.agent);
        for said in &conversation.transcript {
            let _ = writeln!(text, "  {:>8.3}  {:<7} {}", said.t, said.who, crate::redact::printable(&said.text));
        }
        if !conversation.transcript.is_empty() {
            text.push('\n');
        }
        text.push_str(&report::call::summary(&conversation.summary, &conversation.turns));
        for path in &conversation.saved {
            let _ = writeln!(text, "  saved {}", path.display());
        }
    } else {
        let bad = document.streams.iter().flat_map(|stream| &stream.lints).filter(|lint| is_bad(lint)).count();
        let _ = writeln!(text, "\n  {} stream(s), {bad} with errors", document.streams.len());
    }
    for check in &document.checks {
        text.push_str(&conditions::line(check, ""));
    }
    if let Some(path) = &document.kept {
        let _ = writeln!(text, "  saved {}", path.display());
    }
    text
}

fn csv(documents: &[Document]) -> String {
    let mut text = String::from(
        "file,source,destination,ssrc,codec,packets,expected,lost,loss_percent,burst_max,jitter_mean_ms,jitter_max_ms,drift_ppm,mos\n",
    );
    for document in documents {
        for stream in &document.streams {
            let stats = &stream.stats;
            let _ = writeln!(
                text,
                "\"{}\",{},{},{},{},{},{},{},{},{},{},{},{},{}",
                document.file.replace('"', "\"\""),
                stream.source,
                stream.destination,
                stats.ssrc,
                stream.codec,
                stats.packets,
                stats.expected,
                stats.lost,
                stats.loss_percent,
                stats.burst_max,
                stats.jitter_mean_ms,
                stats.jitter_max_ms,
                stats.drift_ppm.map_or_else(String::new, |ppm| ppm.to_string()),
                stats.mos.map_or_else(String::new, |mos| mos.to_string())
            );
        }
    }
    text
}
