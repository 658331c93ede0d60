//! `voxgw agents`: which agents there are, and a conversation with one of them without a telephone.
//!
//! A test is [`replay::converse`]: the pipeline of calls, a phone that plays a WAV, the agent's own socket. Owns what is
//! measured of it and how it is told. Tools are not called and fallbacks are not followed.

use super::{
    Global, Printer,
    arguments::{AgentTest, AgentsCommand},
    environment, is_log_level_set, layers, logging,
};
use crate::{
    agent::seat::{Plan, What},
    call::{
        journal::{AgentState, Body, Summary, Turn, Usage, Verdict, Who, rounded},
        latency::percentile,
        pipeline::Seat,
    },
    config::{AgentProfile, Config, agent_kinds},
    error::{Error, Kind, Result},
    redact::printable,
    replay::{Conversation, Speed, Stream, converse, source::of_sound},
};
use serde::Serialize;
use std::{fmt::Write as _, time::Duration};

/// What the caller says if no file is named.
const SOUND: &[u8] = include_bytes!("../../recordings/short-answer.wav");
/// An agent that greets may take so long for it.
const GREETING: Duration = Duration::from_secs(4);
/// Before the caller speaks to one that does not.
const START: Duration = Duration::from_millis(500);

pub(super) fn run(global: &Global, command: &AgentsCommand, printer: &Printer) -> Result<u8> {
    let config = Config::from_layers(&layers(global)?)?;
    let _log = logging::start(&config, "error", is_log_level_set(global))?;
    match command {
        AgentsCommand::Ls { output } => {
            let rows: Vec<Row> = profiles(&config)?.iter().map(|profile| Row::of(profile, &config)).collect();
            printer.result(&if output == "json" { json("voxgw.agents/1", "agents", &rows) } else { table(&rows) });
            Ok(0)
        }
        AgentsCommand::Test(arguments) => test(&config, arguments, printer),
    }
}

fn json<T: Serialize>(schema: &str, name: &str, value: &T) -> String {
    format!("{:#}", serde_json::json!({"schema": schema, name: value}))
}

/// Those of the config in its order, then the kinds that need no profile.
fn profiles(config: &Config) -> Result<Vec<AgentProfile>> {
    let mut all = config.agents.clone();
    for (kind, _) in agent_kinds() {
        if !all.iter().any(|profile| profile.name == kind) {
            all.push(config.profile(kind)?);
        }
    }
    Ok(all)
}

#[derive(Serialize)]
struct Row {
    name: String,
    kind: String,
    /// The model that the profile names.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Scheme and host of the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    fallback: Vec<String>,
    /// Nothing keeps it from taking calls, as far as can be told without asking it.
    ready: bool,
    /// What does.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Row {
    fn of(profile: &AgentProfile, config: &Config) -> Self {
        let plan = Plan::named(config, &profile.name, &environment).or_else(|_| Plan::of(profile, &environment));
        let place = match plan.as_ref().map(|plan| &plan.what) {
            Ok(What::Remote(remote)) => Some(remote.place()),
            _ => None,
        };
        Self {
            name: profile.name.clone(),
            kind: profile.kind.clone(),
            model: profile.remote.model.clone(),
            place,
            fallback: profile.fallback.clone(),
            ready: plan.is_ok(),
            problem: plan.err().map(|problem| problem.to_string()),
        }
    }
}

fn table(rows: &[Row]) -> String {
    let wide = |of: &dyn Fn(&Row) -> usize, least: usize| rows.iter().map(of).max().unwrap_or(0).max(least);
    let (name, kind) = (wide(&|row| row.name.len(), 4), wide(&|row| row.kind.len(), 4));
    let mut text = format!("{:<name$}  {:<kind$}  STATE\n", "NAME", "KIND");
    for row in rows {
        let state = match &row.problem {
            Some(problem) => format!("not ready: {}", problem.lines().next().unwrap_or_default()),
            None => "ready".to_owned(),
        };
        let more = [row.model.clone(), row.place.clone()].into_iter().flatten();
        let more = more.chain((!row.fallback.is_empty()).then(|| format!("then {}", row.fallback.join(", "))));
        let words: Vec<String> = std::iter::once(state).chain(more).collect();
        let _ = writeln!(text, "{:<name$}  {:<kind$}  {}", row.name, row.kind, words.join("  "));
    }
    text
}

#[derive(Serialize)]
struct Report {
    agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    exit_code: u8,
    runs: Vec<Run>,
    figures: Vec<Figure>,
}

/// One conversation.
#[derive(Serialize)]
struct Run {
    /// From connecting to being ready.
    setup_ms: Option<f64>,
    /// From being ready to the first packet of its voice.
    first_sound_ms: Option<f64>,
    agent: Verdict,
    reason: String,
    turns: Vec<Turn>,
    transcript: Vec<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct Said {
    t: f64,
    who: &'static str,
    text: String,
}

/// One span over all runs.
#[derive(Serialize)]
struct Figure {
    name: String,
    /// Who can shorten it; empty for sums.
    owner: String,
    count: usize,
    p50_ms: f64,
    p95_ms: f64,
    max_ms: f64,
}

impl Run {
    fn of(conversation: Conversation) -> Self {
        let at = |wanted: AgentState| {
            conversation.records.iter().find_map(|record| match &record.body {
                Body::Agent(change) if change.state == wanted => Some(record.t),
                _ => None,
            })
        };
        let heard = conversation.records.iter().find_map(|record| match &record.body {
            Body::Speech(speech) if speech.who == Who::Agent && speech.speaking => Some(record.t),
            _ => None,
        });
        let span = |from: Option<f64>, to: Option<f64>| Some(rounded((to? - from?) * 1_000.0));
        let ready = at(AgentState::Ready);
        let mut transcript: Vec<Said> = Vec::new();
        for record in &conversation.records {
            if let Body::Transcript(said) = &record.body {
                // Fragments of one side are one line until the other speaks.
                match transcript.last_mut() {
                    Some(last) if last.who == said.who.name() => last.text.push_str(&said.text.0),
                    _ => transcript.push(Said { t: record.t, who: said.who.name(), text: said.text.0.clone() }),
                }
            }
        }
        let Summary { agent, reason, usage, .. } = conversation.summary;
        // The apology is our voice, not the agent's.
        let first_sound_ms = if agent == Verdict::Pass { span(ready, heard) } else { None };
        let setup_ms = span(at(AgentState::Connecting), ready);
        Self { setup_ms, first_sound_ms, agent, reason, turns: conversation.turns, transcript, usage }
    }

    /// It has failed, or nothing was heard of it.
    fn is_bad(&self) -> bool {
        self.agent != Verdict::Pass || self.first_sound_ms.is_none()
    }
}

fn test(config: &Config, arguments: &AgentTest, printer: &Printer) -> Result<u8> {
    let plan = Plan::of(&config.profile(&arguments.name)?, &environment)?;
    if let What::Staged(_) = &plan.what {
        let problem = format!("agent {}: agents of kind pipeline cannot be tried without a call yet", plan.name);
        return Err(
            Error::usage(problem).hint("call it: voxgw serve --agent NAME, then voxgw dial sip:127.0.0.1 --play FILE")
        );
    }
    let greets = match &plan.what {
        What::Remote(remote) => remote.provider.settings.contains(&"greeting") && remote.settings.greeting.is_some(),
        What::Scripted(_) => true,
        _ => false,
    };
    let lead = arguments.delay.unwrap_or(if greets { GREETING } else { START });
    let (bytes, name) = match &arguments.wav {
        Some(path) => {
            let bytes = std::fs::read(path).map_err(|source| Error::file("read", path, &source))?;
            (bytes, path.display().to_string())
        }
        None => (SOUND.to_vec(), "the sound inside".to_owned()),
    };
    let source = of_sound(&bytes, lead).map_err(|problem| {
        Error::usage(format!("{name}: {problem}"))
            .hint("any WAV with sound in it will do: PCM, float or G.711, any rate")
    })?;
    let stream = source.streams.first().ok_or_else(|| Error::usage(format!("{name} holds no sound")))?;
    let runs = (0..arguments.runs).map(|_| once(stream, &plan, printer)).collect::<Result<Vec<Run>>>()?;
    let exit_code = if runs.iter().any(Run::is_bad) { Kind::Agent.exit_code() } else { 0 };
    let place = match &plan.what {
        What::Remote(remote) => Some(remote.place()),
        _ => None,
    };
    let report = Report { agent: plan.name, place, exit_code, figures: figures(&runs), runs };
    printer.result(&if arguments.output == "json" {
        json("voxgw.agent-test/1", "test", &report)
    } else {
        text(&report)
    });
    Ok(exit_code)
}

fn once(stream: &Stream, plan: &Plan, printer: &Printer) -> Result<Run> {
    let (seat, speed) = match plan.local() {
        Some(agent) => (Seat::Local(agent), Speed::Max),
        None => (Seat::Remote, Speed::Times(1.0)),
    };
    let bar = printer.bar(100, &plan.name);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "percent of a bar")]
    let mut progress = |share: f64| bar.set_position((share * 100.0) as u64);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::machine(format!("could not start the runtime: {source}")))?;
    let local = tokio::task::LocalSet::new();
    let conversation = local.block_on(&runtime, converse(stream, plan, seat, "test", speed, &mut progress));
    bar.finish_and_clear();
    Ok(Run::of(conversation))
}

fn figures(runs: &[Run]) -> Vec<Figure> {
    let turns = || runs.iter().flat_map(|run| &run.turns);
    let figure = |name: &str, owner: &str, values: Vec<f64>| {
        let at = |percent| percentile(values.clone(), percent);
        Some(Figure {
            name: name.to_owned(),
            owner: owner.to_owned(),
            count: values.len(),
            p50_ms: at(50.0)?,
            p95_ms: at(95.0)?,
            max_ms: at(100.0)?,
        })
    };
    let mut parts: Vec<(&str, &str)> = Vec::new();
    for part in turns().flat_map(|turn| &turn.parts) {
        if !parts.contains(&(&part.name, &part.owner)) {
            parts.push((&part.name, &part.owner));
        }
    }
    let sums = [
        ("setup", runs.iter().filter_map(|run| run.setup_ms).collect()),
        ("first sound", runs.iter().filter_map(|run| run.first_sound_ms).collect()),
        ("gap", turns().filter_map(|turn| turn.gap_ms).collect()),
    ];
    let sums = sums.into_iter().filter_map(|(name, values)| figure(name, "", values));
    let of = |name: &str| {
        turns().flat_map(|turn| &turn.parts).filter(|part| part.name == name).map(|part| part.ms).collect()
    };
    sums.chain(parts.iter().filter_map(|(name, owner)| figure(name, owner, of(name)))).collect()
}

fn text(report: &Report) -> String {
    let ms = |span: Option<f64>| span.map_or_else(|| "—".to_owned(), |ms| format!("{ms:.0}"));
    let place = report.place.as_ref().map(|place| format!("  at {place}")).unwrap_or_default();
    let mut text = format!("\n  agent {}{place}\n\n   run   setup   first sound   turns   agent\n", report.agent);
    for (number, run) in report.runs.iter().enumerate() {
        let why = if run.is_bad() { format!("  {}", printable(&run.reason)) } else { String::new() };
        let _ = writeln!(
            text,
            "  {:>4}  {:>6}  {:>12}  {:>6}   {}{why}",
            number + 1,
            ms(run.setup_ms),
            ms(run.first_sound_ms),
            run.turns.len(),
            run.agent.name()
        );
    }
    if !report.figures.is_empty() {
        text.push_str("\n  milliseconds         n     p50     p95     max\n");
    }
    for figure in &report.figures {
        let Figure { name, owner, count, p50_ms, p95_ms, max_ms } = figure;
        let owner = if owner.is_empty() { String::new() } else { format!("   {owner}") };
        let _ = writeln!(text, "  {name:<16}{count:>6}{p50_ms:>8.0}{p95_ms:>8.0}{max_ms:>8.0}{owner}");
    }
    if let Some(run) = report.runs.last() {
        text.push('\n');
        for said in &run.transcript {
            let _ = writeln!(text, "  {:>8.3}  {:<7} {}", said.t, said.who, printable(said.text.trim()));
        }
        if let Some(usage) = &run.usage {
            let _ = writeln!(text, "  tokens    {}", usage.words());
        }
    }
    text
}
