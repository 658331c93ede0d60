//! The driver of a `pipeline` agent: carries the requests of [`Talk`] to its three services and their answers back.
//! `program` is the same for stages that are programs, `stream` for WebSockets.
//!
//! One task per call on the call's own worker, and one for each request; ending one closes its connection. Decides nothing.

mod program;
mod stream;

use crate::{
    agent::{
        event::{About, CassetteFrame, Command, Event},
        seat::{Service, StagePlan, StagedPlan},
        stages::{
            Ask, Input, Output, Problem, Settings, Shape, Stage,
            talk::Talk,
            tape::{self, Entry, Setup},
        },
    },
    call::journal::Direction,
    clock::{Instant, SystemClock},
    net::http,
    redact::Secret,
    unit::SampleRate,
};
use bytes::Bytes;
use hyper::Method;
use program::Programs;
use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};
use tokio::{
    sync::{Notify, mpsc},
    task::AbortHandle,
};

/// Pieces of answers that may wait; beyond, services are held back by TCP.
const PIECES_MAX: usize = 64;

/// A task that ends with its owner.
#[derive(Debug)]
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The agent of one call.
#[derive(Debug)]
pub(super) struct Stages {
    talk: Rc<RefCell<Talk>>,
    wake: Rc<Notify>,
    cassette: Cassette,
    /// The rate at which the caller is to be heard.
    pub(super) rate: SampleRate,
    _task: Task,
}

/// A piece of an answer.
enum Part {
    Piece(Bytes),
    End,
    Failed(Problem),
}

impl Stages {
    /// Seats `plan` at a call; what it says comes from the receiver.
    pub(super) fn open(
        plan: &Arc<StagedPlan>,
        about: &About,
        client: Arc<http::Client>,
        cassette: Cassette,
    ) -> (Self, mpsc::Receiver<Event>) {
        let settings = Arc::new(plan.for_call(about));
        let carriers = Carriers::new(plan, &settings, client);
        cassette.keep(Direction::Out, || Entry::Setup(Setup::of(&settings)));
        let rate = Talk::rate(&settings);
        let talk = Rc::new(RefCell::new(Talk::new(SystemClock::now(), settings)));
        let wake = Rc::new(Notify::new());
        let (to, events) = mpsc::channel(64);
        let running = run(carriers, Rc::clone(&talk), Rc::clone(&wake), cassette.clone(), to);
        let task = Task(tokio::task::spawn_local(running).abort_handle());
        (Self { talk, wake, cassette, rate, _task: task }, events)
    }

    /// The call says something.
    pub(super) fn say(&self, command: Command<'_>) {
        if let Command::ToolResult { id, name, result } = &command {
            self.cassette.keep(Direction::In, || Entry::ToolResult {
                id: (*id).to_owned(),
                name: (*name).to_owned(),
                result: result.ok().cloned(),
                error: result.err().map(str::to_owned),
            });
        }
        let mut talk = self.talk.borrow_mut();
        let before = talk.timeout();
        talk.handle(SystemClock::now(), Input::Call(command));
        // Most of what it hears means nothing yet.
        if talk.wants() || talk.timeout() != before {
            self.wake.notify_one();
        }
    }
}

/// Where the traffic is kept, if it is.
#[derive(Clone, Debug)]
pub(super) struct Cassette {
    /// Frames for `agent.jsonl`.
    pub(super) to: Option<mpsc::UnboundedSender<CassetteFrame>>,
    /// The call's start.
    pub(super) origin: Instant,
}

impl Cassette {
    fn keep(&self, direction: Direction, entry: impl FnOnce() -> Entry) {
        let Some(to) = &self.to else { return };
        let entry = entry();
        let wire = matches!(entry, Entry::Setup(_)).then(|| tape::LABEL.to_owned());
        let t = (SystemClock::now().signed_ms_since(self.origin) * 1_000.0).round() / 1e6;
        let _ = to.send(CassetteFrame { t, direction, wire, text: entry.text() });
    }
}

/// Who carries what to which stage, for one call.
#[derive(Debug)]
struct Carriers {
    plan: Arc<StagedPlan>,
    settings: Arc<Settings>,
    client: Arc<http::Client>,
    programs: Programs,
    /// The way to an ear that hears the present utterance.
    ear: Option<mpsc::UnboundedSender<stream::ToEar>>,
    voice: Option<stream::Voice>,
}

impl Carriers {
    fn new(plan: &Arc<StagedPlan>, settings: &Arc<Settings>, client: Arc<http::Client>) -> Self {
        let voice = match &plan.stages[Stage::Tts as usize] {
            StagePlan::Service(service) if settings.shapes[Stage::Tts as usize] == Shape::ElevenLabs => {
                Some(stream::Voice::new(service.clone(), Arc::clone(settings)))
            }
            _ => None,
        };
        let (plan, settings) = (Arc::clone(plan), Arc::clone(settings));
        let programs = Programs::new(&plan, &settings);
        Self { plan, settings, client, programs, ear: None, voice }
    }

    /// Sends a request on its way.
    fn start(&mut self, ask: Ask, to: &mpsc::Sender<(u32, Part)>) -> Option<Task> {
        let stage = ask.stage;
        if let (Stage::Llm, Some(voice)) = (stage, &mut self.voice) {
            voice.prepare();
        }
        if self.settings.shapes[stage as usize] == Shape::Deepgram {
            self.tell_ear(stream::ToEar::Ask(ask), to);
            return None;
        }
        let task = match (&self.plan.stages[stage as usize], &mut self.voice) {
            (StagePlan::Service(_), Some(voice)) if stage == Stage::Tts => voice.speak(ask, to.clone()),
            (StagePlan::Service(service), _) => {
                tokio::task::spawn_local(carry(service.clone(), Arc::clone(&self.client), ask, to.clone()))
            }
            (StagePlan::Program(_), _) => {
                let starting = self.programs.start(stage)?;
                tokio::task::spawn_local(program::carry(starting, ask, to.clone()))
            }
        };
        Some(Task(task.abort_handle()))
    }

    /// Tells the ear of this utterance, another one if that is gone: a request holds all that it needs.
    fn tell_ear(&mut self, told: stream::ToEar, to: &mpsc::Sender<(u32, Part)>) {
        let told = match &self.ear {
            Some(ear) => match ear.send(told) {
                Ok(()) => return,
                Err(mpsc::error::SendError(told)) => told,
            },
            // The first sound of an utterance.
            None => return self.open_ear(told, to),
        };
        if matches!(told, stream::ToEar::Ask(_)) {
            self.open_ear(told, to);
        }
    }

    fn open_ear(&mut self, told: stream::ToEar, to: &mpsc::Sender<(u32, Part)>) {
        let StagePlan::Service(service) = &self.plan.stages[Stage::Stt as usize] else { return };
        let (ear, from) = mpsc::unbounded_channel();
        let _ = ear.send(told);
        // It ends when its sender does, and says goodbye first.
        tokio::task::spawn_local(stream::listen(service.clone(), Arc::clone(&self.settings), from, to.clone()));
        self.ear = Some(ear);
    }
}

async fn run(
    mut carriers: Carriers,
    talk: Rc<RefCell<Talk>>,
    wake: Rc<Notify>,
    cassette: Cassette,
    events: mpsc::Sender<Event>,
) {
    let (to, mut parts) = mpsc::channel(PIECES_MAX);
    // Without a task what the ear's own carries.
    let mut running: HashMap<u32, Option<Task>> = HashMap::new();
    loop {
        let at = loop {
            let output = talk.borrow_mut().poll();
            match output {
                Output::Event(event) => {
                    if let Event::ToolCall(call) = &event {
                        cassette.keep(Direction::Out, || Entry::ToolCalled { id: call.id.clone() });
                    }
                    if events.send(event).await.is_err() {
                        return;
                    }
                }
                Output::Ask(ask) => {
                    cassette.keep(Direction::Out, || Entry::ask(&ask));
                    running.insert(ask.id, carriers.start(ask, &to));
                }
                Output::Drop(id) => drop(running.remove(&id)),
                Output::Hear(samples) => carriers.tell_ear(stream::ToEar::Sound(samples), &to),
                Output::HeardOut => carriers.ear = None,
                Output::Timeout(at) => break at,
            }
        };
        tokio::select! {
            () = wake.notified() => {}
            Some((id, part)) = parts.recv() => {
                // What was on its way when nobody waited for it any more.
                if !running.contains_key(&id) {
                    continue;
                }
                cassette.keep(Direction::In, || match &part {
                    Part::Piece(bytes) => Entry::piece(id, bytes),
                    Part::End => Entry::End { id },
                    Part::Failed(problem) => Entry::failed(id, problem),
                });
                let input = match &part {
                    Part::Piece(bytes) => Input::Piece(id, bytes),
                    Part::End => Input::End(id),
                    Part::Failed(problem) => Input::Failed(id, problem.clone()),
                };
                talk.borrow_mut().handle(SystemClock::now(), input);
                if !matches!(part, Part::Piece(_)) {
                    running.remove(&id);
                }
            }
            () = tokio::time::sleep_until(SystemClock::deadline(at)) => {
                talk.borrow_mut().handle(SystemClock::now(), Input::Timeout);
            }
            () = events.closed() => return,
        }
    }
}

/// One request, and its answer piece by piece.
async fn carry(stage: Service, client: Arc<http::Client>, ask: Ask, to: mpsc::Sender<(u32, Part)>) {
    let key = stage.key.as_ref().map(|key| Secret::new(&format!("Bearer {}", key.reveal())));
    let request = http::Request {
        method: Method::POST,
        url: stage.url.clone(),
        headers: key.map(|key| ("authorization".to_owned(), key)).into_iter().collect(),
        body: Some((ask.content_type.into(), Bytes::from_owner(ask.body))),
    };
    let mut stream = match client.open(&request).await {
        Ok(stream) => stream,
        Err(failed) => {
            let hint = match failed.status {
                Some(401 | 403) => format!("; check {}", stage.key_name),
                Some(404) => "; check the base URL and the model".to_owned(),
                _ => String::new(),
            };
            let text = format!("{}{hint}", plain(&failed.error.to_string()));
            let _ = to.send((ask.id, Part::Failed(Problem { text, passing: failed.passing }))).await;
            return;
        }
    };
    let kind = stream.content_type.as_str();
    if ask.stage == Stage::Tts && (kind.starts_with("text/") || kind == "application/json") {
        let text = format!("POST {}{}: answered {kind}, not sound", stage.url.authority(), stage.url.path());
        let _ = to.send((ask.id, Part::Failed(Problem { text, passing: true }))).await;
        return;
    }
    loop {
        let part = match stream.next().await {
            Ok(Some(bytes)) => Part::Piece(bytes),
            Ok(None) => Part::End,
            Err(error) => Part::Failed(Problem { text: plain(&error.to_string()), passing: true }),
        };
        let last = !matches!(part, Part::Piece(_));
        if to.send((ask.id, part)).await.is_err() || last {
            return;
        }
    }
}

/// Services quote parts of the key in what they refuse with; what looks like one is left out.
fn plain(text: &str) -> String {
    let words = text.split(' ').filter(|word| !word.contains("sk-") && !word.contains("**"));
    words.collect::<Vec<_>>().join(" ")
}
