//! `recorded`, for a `pipeline` agent: its own [`Talk`] with stages that answer from the cassette, no key, no network.
//!
//! The n-th request of a stage gets what the n-th request of that stage got, as long after it as then; tools answer the
//! same way. So a replay runs the code of the live call, and goes on sensibly where it differs by some milliseconds. Seated by
//! `replay`.

use super::{
    event::{CassetteFrame, Command, Event, Output},
    local::LocalAgent,
    stages::{
        Input, Interrupts, Output as Wanted, Problem, Stage,
        talk::Talk,
        tape::{Entry, Setup},
    },
};
use crate::{clock::Instant, unit::SampleRate};
use base64::Engine as _;
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// What a request got, with the time since it was asked.
type Answer = Vec<(Duration, Part)>;

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Piece(Vec<u8>),
    End,
    Failed(Problem),
}

/// What comes at its time.
#[derive(Debug)]
enum Due {
    Of(u32, Part),
    Tool(String, ToolAnswer),
}

/// The tool, and its result or why there is none.
type ToolAnswer = (String, Result<Value, String>);

/// The agent.
#[derive(Debug)]
pub struct Taped {
    talk: Talk,
    rate: SampleRate,
    interrupts: Interrupts,
    answers: [VecDeque<Answer>; 3],
    tools: HashMap<String, (Duration, ToolAnswer)>,
    due: BTreeMap<(Instant, u64), Due>,
    scheduled: u64,
    now: Instant,
}

impl Taped {
    /// Whether `text` is the cassette of a pipeline agent.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        serde_json::from_str::<CassetteFrame>(first)
            .is_ok_and(|frame| frame.wire.as_deref() == Some(super::stages::tape::LABEL))
    }

    /// Who decided that the caller interrupts.
    #[must_use]
    pub const fn interrupts(&self) -> Interrupts {
        self.interrupts
    }

    /// Plays `text` (JSON Lines) on a call that starts at `origin`.
    ///
    /// # Errors
    /// Names the line that is no frame.
    pub fn parse(text: &str, origin: Instant) -> Result<Self, String> {
        let mut setup: Option<Setup> = None;
        let mut asked: HashMap<u32, (Stage, usize, f64)> = HashMap::new();
        let mut answers: [Vec<Answer>; 3] = Default::default();
        let (mut called, mut tools) = (HashMap::new(), HashMap::new());
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = |problem: &str| format!("line {}: {problem}", number + 1);
            let frame: CassetteFrame = serde_json::from_str(line).map_err(|problem| wrong(&problem.to_string()))?;
            if !frame.t.is_finite() || frame.t < 0.0 || frame.t > 1e7 {
                return Err(wrong("t is out of range"));
            }
            let entry: Entry = serde_json::from_str(&frame.text).map_err(|problem| wrong(&problem.to_string()))?;
            let mut add = |id: u32, part: Part| {
                // What came of a request that nobody waited for any more is not there.
                if let Some((stage, nth, at)) = asked.get(&id) {
                    let after = Duration::from_secs_f64((frame.t - at).max(0.0));
                    answers[*stage as usize][*nth].push((after, part));
                }
            };
            match entry {
                Entry::Setup(found) => setup = setup.or(Some(found)),
                Entry::Ask { id, stage, .. } => {
                    let stage = Stage::ALL.into_iter().find(|known| known.name() == stage);
                    let stage = stage.ok_or_else(|| wrong("there is no such stage"))?;
                    let of_stage = &mut answers[stage as usize];
                    of_stage.push(Vec::new());
                    asked.insert(id, (stage, of_stage.len() - 1, frame.t));
                }
                Entry::Text { id, text } => add(id, Part::Piece(text.into_bytes())),
                Entry::Bytes { id, base64 } => {
                    let bytes = base64::engine::general_purpose::STANDARD.decode(base64);
                    add(id, Part::Piece(bytes.map_err(|problem| wrong(&problem.to_string()))?));
                }
                Entry::End { id } => add(id, Part::End),
                Entry::Failed { id, text, passing } => add(id, Part::Failed(Problem { text, passing })),
                Entry::ToolCalled { id } => {
                    called.insert(id, frame.t);
                }
                Entry::ToolResult { id, name, result, error } => {
                    let at = called.get(&id).copied().unwrap_or(frame.t);
                    let answer = result.ok_or_else(|| error.unwrap_or_default());
                    tools.insert(id, (Duration::from_secs_f64((frame.t - at).max(0.0)), (name, answer)));
                }
            }
        }
        let setup = setup.ok_or("holds no setup of a pipeline agent")?;
        let rate = SampleRate(setup.rate);
        let interrupts = setup.interrupts;
        let talk = Talk::new(origin, Arc::new(setup.settings()));
        let answers = answers.map(VecDeque::from);
        Ok(Self { talk, rate, interrupts, answers, tools, due: BTreeMap::new(), scheduled: 0, now: origin })
    }

    fn at(&mut self, after: Duration, due: Due) {
        self.scheduled += 1;
        self.due.insert((self.now + after, self.scheduled), due);
    }

    fn perform(&mut self, due: Due) {
        let now = self.now;
        match due {
            Due::Of(id, Part::Piece(bytes)) => self.talk.handle(now, Input::Piece(id, &bytes)),
            Due::Of(id, Part::End) => self.talk.handle(now, Input::End(id)),
            Due::Of(id, Part::Failed(problem)) => self.talk.handle(now, Input::Failed(id, problem)),
            Due::Tool(id, (name, answer)) => {
                let result = answer.as_ref().map_err(String::as_str);
                self.talk.handle(now, Input::Call(Command::ToolResult { id: &id, name: &name, result }));
            }
        }
    }
}

impl LocalAgent for Taped {
    fn handle(&mut self, now: Instant, command: Command<'_>) {
        self.now = now;
        match command {
            // What was heard is on the tape already; only its length matters.
            Command::Audio { rate, samples } if rate != self.rate => {
                let silence = vec![0; self.rate.samples_in(rate.duration_of(samples.len()))];
                self.talk.handle(now, Input::Call(Command::Audio { rate: self.rate, samples: &silence }));
            }
            command => self.talk.handle(now, Input::Call(command)),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if self.talk.timeout() <= now {
            self.talk.handle(now, Input::Timeout);
        }
        // One at a time: what follows from it may let the next one go.
        if let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let due = entry.remove();
            self.perform(due);
        }
    }

    fn timeout(&self) -> Instant {
        let due = self.due.first_key_value().map_or(Instant::FAR_FUTURE, |((at, _), _)| *at);
        self.talk.timeout().min(due)
    }

    fn poll(&mut self) -> Output {
        loop {
            match self.talk.poll() {
                Wanted::Event(event) => {
                    if let Event::ToolCall(call) = &event
                        && let Some((after, answer)) = self.tools.remove(&call.id)
                    {
                        self.at(after, Due::Tool(call.id.clone(), answer));
                    }
                    return Output::Event(event);
                }
                Wanted::Ask(ask) => {
                    let parts = self.answers[ask.stage as usize].pop_front().unwrap_or_else(|| {
                        let text = format!("the cassette holds no more answers of {}", ask.stage.name());
                        vec![(Duration::ZERO, Part::Failed(Problem { text, passing: false }))]
                    });
                    for (after, part) in parts {
                        self.at(after, Due::Of(ask.id, part));
                    }
                }
                Wanted::Drop(id) => self.due.retain(|_, due| !matches!(due, Due::Of(of, _) if *of == id)),
                Wanted::Hear(_) | Wanted::HeardOut => {}
                Wanted::Timeout(_) => return Output::Timeout(self.timeout()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{call::journal::Direction, media::dsp::vad::SpeechEdge};

    fn line(t: f64, direction: Direction, entry: &Entry) -> String {
        let wire = matches!(entry, Entry::Setup(_)).then(|| "pipeline".to_owned());
        serde_json::to_string(&CassetteFrame { t, direction, wire, text: entry.text() }).unwrap()
    }

    fn tape() -> String {
        let settings = crate::agent::stages::Settings {
            told: Arc::new(crate::agent::wire::Settings { greeting: None, ..Default::default() }),
            ..Default::default()
        };
        let ask = |id, stage: &str| Entry::Ask { id, stage: stage.into(), body: String::new() };
        let words = r#"data: {"choices":[{"delta":{"content":"Ten."},"finish_reason":"stop"}]}"#;
        let entries = [
            (0.0, Direction::Out, Entry::Setup(Setup::of(&settings))),
            (2.0, Direction::Out, ask(1, "stt")),
            (2.2, Direction::In, Entry::Text { id: 1, text: r#"{"text":"What time?"}"#.into() }),
            (2.2, Direction::In, Entry::End { id: 1 }),
            (2.6, Direction::Out, ask(2, "llm")),
            (2.9, Direction::In, Entry::piece(2, format!("{words}\n\ndata: [DONE]\n\n").as_bytes())),
            (2.9, Direction::Out, ask(3, "tts")),
            (3.0, Direction::In, Entry::piece(3, &[0xff; 480])),
            (3.1, Direction::In, Entry::End { id: 3 }),
        ];
        entries.iter().map(|(t, direction, entry)| line(*t, *direction, entry)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn stages_answer_as_they_did_and_as_late() {
        let origin = Instant::from_millis(1_000);
        let mut agent = Taped::parse(&tape(), origin).unwrap();
        let mut events = Vec::new();
        let mut drain = |agent: &mut Taped, now: Instant| {
            while let Output::Event(event) = agent.poll() {
                events.push((now, event));
            }
        };
        drain(&mut agent, origin);
        agent.handle(origin, Command::Start);
        // The caller speaks at another time than then.
        let (from, to) = (Instant::from_millis(5_000), Instant::from_millis(5_800));
        agent.handle(from, Command::Speech(SpeechEdge::Started(from)));
        agent.handle(to, Command::Audio { rate: SampleRate::HZ_8000, samples: &[5; 6_400] });
        agent.handle(to, Command::Speech(SpeechEdge::Ended(to)));
        drain(&mut agent, to);
        let mut now = to;
        while agent.timeout() < Instant::from_millis(20_000) {
            now = now.max(agent.timeout());
            agent.handle_timeout(now);
            drain(&mut agent, now);
        }
        let at = |wanted: &dyn Fn(&Event) -> bool| {
            events.iter().find(|(_, event)| wanted(event)).map(|(at, _)| at.as_nanos() / 1_000_000)
        };
        assert_eq!(at(&|event| *event == Event::EndOfSpeech), Some(6_400), "600 ms after the last voice");
        assert_eq!(at(&|event| matches!(event, Event::CallerText(text) if text == "What time?")), Some(6_400));
        assert_eq!(
            at(&|event| matches!(event, Event::Audio { .. })),
            Some(6_800),
            "300 ms of the model, 100 of the voice"
        );
        assert_eq!(at(&|event| *event == Event::TurnComplete), Some(6_900));
    }

    #[test]
    fn what_the_cassette_does_not_hold_is_said() {
        let mut agent = Taped::parse(&tape(), Instant::ZERO).unwrap();
        agent.answers[0].clear();
        agent.handle(Instant::ZERO, Command::Start);
        agent.handle(Instant::ZERO, Command::Speech(SpeechEdge::Started(Instant::ZERO)));
        let to = Instant::from_millis(900);
        agent.handle(to, Command::Speech(SpeechEdge::Ended(to)));
        while agent.poll() != Output::Timeout(agent.timeout()) {}
        agent.handle_timeout(to);
        let failed = std::iter::from_fn(|| if let Output::Event(event) = agent.poll() { Some(event) } else { None });
        let failed: Vec<Event> = failed.collect();
        assert!(matches!(&failed[..], [Event::Failed(text)] if text.contains("no more answers of stt")), "{failed:?}");
        assert!(Taped::parse("{", Instant::ZERO).unwrap_err().starts_with("line 1"));
        assert!(Taped::parse("", Instant::ZERO).unwrap_err().contains("no setup"));
        assert!(
            Taped::is_one(&tape())
                && !Taped::is_one("{\"t\":0,\"direction\":\"in\",\"wire\":\"gemini\",\"text\":\"\"}")
        );
    }
}
