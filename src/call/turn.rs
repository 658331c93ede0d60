//! Turns: who holds the floor, what was heard, and what each silence was made of.
//!
//! A turn of the agent opens with its first sound or text and closes when the caller has been sent its last sample,
//! or when it is cut. Words are put to the turn they belong to by the time of the voices, not by arrival.
//! The gap is measured on the wire: last voiced packet in to first packet of the answer out; its parts sum to it.

use super::journal::{Part, Turn, rounded};
use crate::{clock::Instant, redact::Pii, unit::TurnId};
use std::time::Duration;

/// How long late sound of a cut turn is refused when the agent never says that the turn is over.
const REFUSE_MAX: Duration = Duration::from_secs(2);

/// What is open.
#[derive(Debug)]
struct Open {
    turn: Turn,
    caller_silent_since: Option<Instant>,
    decided_at: Option<Instant>,
    first_audio_at: Option<Instant>,
    first_sent_at: Option<Instant>,
    steps: Vec<Step>,
    generated: Duration,
    complete: bool,
    has_audio: bool,
}

/// Something that an answer waited for: until when, what, whose.
type Step = (Instant, &'static str, String);

/// From the last step to the sound that it was for, at most.
const STEP_SLACK: Duration = Duration::from_millis(10);
/// Steps of one answer that are kept.
const STEPS_MAX: usize = 12;

/// The floor of one call.
#[derive(Debug, Default)]
pub struct Turns {
    open: Option<Open>,
    last: u32,
    /// Late sound of a cut turn is refused until then or until the agent closes the turn.
    refuse_until: Option<Instant>,
    caller_speaks: bool,
    /// The newest end of the caller's speech that no turn has answered yet.
    caller_silent_since: Option<Instant>,
    decided_at: Option<Instant>,
    /// What the answer waited for since then, if the agent tells.
    steps: Vec<Step>,
    caller_words: String,
    gaps_ms: Vec<f64>,
    cuts: u32,
    count: u32,
}

/// Who has the settings, the model and the socket: owners of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// An offline agent: its end-of-speech time is a setting, its answer is immediate.
    Offline,
    /// A provider.
    Provider,
}

impl Turns {
    /// The caller began to speak.
    pub const fn caller_started(&mut self) {
        self.caller_speaks = true;
    }

    /// The caller's last voiced packet was at `at`.
    pub const fn caller_ended(&mut self, at: Instant) {
        self.caller_speaks = false;
        self.caller_silent_since = Some(at);
        self.decided_at = None;
    }

    /// The agent decided that the caller's turn is over.
    pub fn decided(&mut self, now: Instant) {
        self.decided_at = Some(now);
        self.steps.clear();
    }

    /// Up to now the answer waited for this.
    pub fn step(&mut self, now: Instant, name: &'static str, owner: String) {
        if self.decided_at.is_some() && self.steps.len() < STEPS_MAX {
            self.steps.push((now, name, owner));
        }
    }

    /// The turn that sound of the agent belongs to; none if it is late sound of a cut turn.
    pub fn audio(&mut self, now: Instant, span: Duration) -> Option<TurnId> {
        if self.refuse_until.is_some_and(|until| now < until) {
            return None;
        }
        self.refuse_until = None;
        if self.open.as_ref().is_some_and(|open| open.complete && open.has_audio) {
            // A new turn before the last one has been played to its end: it follows seamlessly, but is its own.
            return Some(self.follow_up(now, span));
        }
        let open = self.ensure_open();
        open.has_audio = true;
        open.first_audio_at.get_or_insert(now);
        open.generated += span;
        Some(open.turn.turn)
    }

    fn follow_up(&mut self, now: Instant, span: Duration) -> TurnId {
        // The open turn goes on under its number; whoever listens hears one answer.
        let open = self.ensure_open();
        open.complete = false;
        open.first_audio_at.get_or_insert(now);
        open.generated += span;
        open.turn.turn
    }

    fn ensure_open(&mut self) -> &mut Open {
        let (silent_since, decided_at) = (self.caller_silent_since, self.decided_at);
        let words = &mut self.caller_words;
        let last = &mut self.last;
        self.open.get_or_insert_with(|| {
            *last += 1;
            Open {
                turn: Turn {
                    turn: TurnId(*last),
                    caller: Pii(std::mem::take(words).trim().to_owned()),
                    ..Turn::default()
                },
                caller_silent_since: silent_since,
                decided_at,
                first_audio_at: None,
                first_sent_at: None,
                steps: Vec::new(),
                generated: Duration::ZERO,
                complete: false,
                has_audio: false,
            }
        })
    }

    /// Words of the caller; gives the turn they belong to: the one that answers them.
    pub fn caller_text(&mut self, text: &str) -> TurnId {
        // The provider's transcript may come after its answer began.
        if !self.caller_speaks
            && let Some(open) = &mut self.open
        {
            open.turn.caller.0.push_str(text);
            return open.turn.turn;
        }
        self.caller_words.push_str(text);
        TurnId(self.last + 1)
    }

    /// What the caller wrote; whatever is being said, the next turn answers it.
    pub fn caller_wrote(&mut self, text: &str) -> TurnId {
        self.caller_words.push_str(text);
        TurnId(self.last + 1)
    }

    /// Words of the agent; gives the turn they belong to, none if they are late words of a cut turn.
    pub fn agent_text(&mut self, now: Instant, text: &str) -> Option<TurnId> {
        if self.refuse_until.is_some_and(|until| now < until) {
            return None;
        }
        let open = self.ensure_open();
        open.turn.agent.0.push_str(text);
        Some(open.turn.turn)
    }

    /// All sound of the open turn has been given. Gives the turn, and whether it has sound at all.
    pub fn complete(&mut self) -> Option<(TurnId, bool)> {
        self.refuse_until = None;
        let open = self.open.as_mut()?;
        open.complete = true;
        Some((open.turn.turn, open.has_audio))
    }

    /// The first packet of `turn` went out.
    pub fn first_sent(&mut self, now: Instant, turn: TurnId) {
        if let Some(open) = self.open.as_mut().filter(|open| open.turn.turn == turn) {
            if open.first_sent_at.is_none() {
                open.first_sent_at = Some(now);
                open.steps = std::mem::take(&mut self.steps);
            }
            self.caller_silent_since = None;
            self.decided_at = None;
        }
    }

    /// The turn that is open and has sound, if any.
    #[must_use]
    pub fn audible(&self) -> Option<TurnId> {
        self.open.as_ref().filter(|open| open.has_audio).map(|open| open.turn.turn)
    }

    /// Closes the open turn: played to its end, or cut after `heard_ms`.
    pub fn close(&mut self, now: Instant, origin: Instant, owner: Owner, heard_ms: Option<u32>) -> Option<Turn> {
        self.close_as(now, origin, owner, heard_ms, heard_ms.is_some())
    }

    /// As [`Self::close`]; a turn that the end of the call broke off was not cut by anybody.
    pub fn close_as(
        &mut self,
        now: Instant,
        origin: Instant,
        owner: Owner,
        heard_ms: Option<u32>,
        cut: bool,
    ) -> Option<Turn> {
        let open = self.open.take()?;
        let mut turn = open.turn;
        turn.generated_ms = u32::try_from(open.generated.as_millis()).unwrap_or(u32::MAX);
        turn.cut = cut;
        turn.heard_ms = heard_ms.unwrap_or(turn.generated_ms);
        turn.agent = Pii(turn.agent.0.trim().to_owned());
        turn.caller = Pii(turn.caller.0.trim().to_owned());
        if heard_ms.is_some() && turn.generated_ms > 0 && turn.heard_ms < turn.generated_ms {
            let share = f64::from(turn.heard_ms) / f64::from(turn.generated_ms);
            turn.agent = Pii(heard_words(&turn.agent.0, share).to_owned());
        }
        if let Some(sent_at) = open.first_sent_at {
            turn.at = Some(rounded(sent_at.signed_ms_since(origin) / 1_000.0));
            if let Some(silent_since) = open.caller_silent_since.filter(|since| *since <= sent_at) {
                let gap_ms = rounded(sent_at.signed_ms_since(silent_since));
                turn.gap_ms = Some(gap_ms);
                turn.parts = parts(silent_since, open.decided_at, &open.steps, open.first_audio_at, sent_at, owner);
                self.gaps_ms.push(gap_ms);
            }
        }
        if turn.cut {
            self.cuts += 1;
            self.refuse_until = Some(now + REFUSE_MAX);
        }
        self.count += 1;
        Some(turn)
    }

    /// Forgets that late sound is refused: the agent stopped by itself.
    pub const fn stop_refusing(&mut self) {
        self.refuse_until = None;
    }

    /// All words of the open turn, as far as they have come.
    #[must_use]
    pub fn words(&self) -> String {
        self.open.as_ref().map(|open| open.turn.agent.0.trim().to_owned()).unwrap_or_default()
    }

    /// All gaps so far, in order.
    #[must_use]
    pub fn gaps_ms(&self) -> &[f64] {
        &self.gaps_ms
    }

    /// Turns closed, and how many of them were cut.
    #[must_use]
    pub const fn counts(&self) -> (u32, u32) {
        (self.count, self.cuts)
    }
}

/// The parts between four moments; what is not known joins its neighbour. They sum to the whole.
fn parts(
    silent_since: Instant,
    decided_at: Option<Instant>,
    steps: &[Step],
    first_audio_at: Option<Instant>,
    sent_at: Instant,
    owner: Owner,
) -> Vec<Part> {
    let audio_at = first_audio_at.unwrap_or(sent_at).clamp(silent_since, sent_at);
    let model_owner = if owner == Owner::Offline { "yours" } else { "provider" };
    let span = |name: &str, from: Instant, to: Instant, owner: &str| Part {
        name: name.to_owned(),
        ms: rounded(to.signed_ms_since(from)),
        owner: owner.to_owned(),
    };
    let mut parts = Vec::with_capacity(3);
    match decided_at.filter(|at| (silent_since..=audio_at).contains(at)) {
        Some(decided_at) => {
            parts.push(span("endpoint", silent_since, decided_at, "setting"));
            let mut from = decided_at;
            for (n, (at, name, owner)) in steps.iter().enumerate() {
                let to = (*at).clamp(from, audio_at);
                // The first sound follows the last step at once; what passes between is nobody's.
                let is_last = n + 1 == steps.len() && audio_at.since(to) < STEP_SLACK;
                let to = if is_last { audio_at } else { to };
                parts.push(span(name, from, to, owner));
                from = to;
            }
            if steps.is_empty() || from < audio_at {
                parts.push(span("model", from, audio_at, model_owner));
            }
        }
        // A provider that does not say when it decided: both are its.
        None => parts.push(span("endpoint+model", silent_since, audio_at, model_owner)),
    }
    parts.push(span("playout", audio_at, sent_at, "voxgw"));
    parts
}

/// The words of the first `share` of a text, cut at a word's end.
fn heard_words(text: &str, share: f64) -> &str {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
    let mut at = (text.len() as f64 * share.clamp(0.0, 1.0)) as usize;
    while at < text.len() && !text.is_char_boundary(at) {
        at += 1;
    }
    if at >= text.len() {
        return text;
    }
    text[..at].rfind(char::is_whitespace).map_or("", |end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn the_parts_sum_to_the_silence_that_the_caller_heard() {
        let mut turns = Turns::default();
        turns.caller_started();
        turns.caller_ended(at(1_000));
        turns.decided(at(1_600));
        let turn = turns.audio(at(1_750), Duration::from_millis(500)).unwrap();
        turns.first_sent(at(1_755), turn);
        turns.complete();
        let closed = turns.close(at(2_300), at(0), Owner::Provider, None).unwrap();
        assert_eq!(closed.gap_ms, Some(755.0));
        let sum: f64 = closed.parts.iter().map(|part| part.ms).sum();
        assert!((sum - 755.0).abs() < 1e-6, "{:?}", closed.parts);
        assert_eq!(closed.heard_ms, 500);
    }

    #[test]
    fn the_steps_of_an_answer_are_parts_with_owners() {
        let mut turns = Turns::default();
        turns.step(at(10), "llm", "greeting".into());
        turns.caller_started();
        turns.caller_ended(at(1_000));
        turns.step(at(1_100), "stt", "of a pause that was none".into());
        turns.decided(at(1_600));
        for (ms, name) in [(1_700, "stt"), (2_000, "llm"), (2_150, "tts")] {
            turns.step(at(ms), name, "local".into());
        }
        let turn = turns.audio(at(2_150), Duration::from_millis(500)).unwrap();
        turns.first_sent(at(2_160), turn);
        turns.step(at(2_300), "llm", "of the next".into());
        turns.complete();
        let closed = turns.close(at(3_000), at(0), Owner::Provider, None).unwrap();
        let parts: Vec<_> =
            closed.parts.iter().map(|part| (part.name.as_str(), part.ms, part.owner.as_str())).collect();
        let expected = [
            ("endpoint", 600.0, "setting"),
            ("stt", 100.0, "local"),
            ("llm", 300.0, "local"),
            ("tts", 150.0, "local"),
            ("playout", 10.0, "voxgw"),
        ];
        assert_eq!(parts, expected);
        assert_eq!(closed.gap_ms, Some(1_160.0));
    }

    #[test]
    fn a_greeting_has_no_gap() {
        let mut turns = Turns::default();
        let turn = turns.audio(at(100), Duration::from_millis(20)).unwrap();
        turns.first_sent(at(105), turn);
        assert_eq!(turns.close(at(200), at(0), Owner::Offline, None).unwrap().gap_ms, None);
    }

    #[test]
    fn late_sound_of_a_cut_turn_is_refused_until_the_agent_closes_it() {
        let mut turns = Turns::default();
        turns.audio(at(0), Duration::from_secs(4));
        turns.agent_text(at(0), "one two three four");
        let cut = turns.close(at(2_000), at(0), Owner::Provider, Some(2_000)).unwrap();
        assert_eq!((cut.cut, cut.agent.0.as_str()), (true, "one two"), "only what was heard");
        assert_eq!(turns.audio(at(2_010), Duration::from_millis(20)), None);
        assert_eq!(turns.agent_text(at(2_010), "four"), None);
        turns.complete();
        assert_eq!(turns.audio(at(2_020), Duration::from_millis(20)), Some(TurnId(2)));
    }

    #[test]
    fn the_callers_words_go_to_the_turn_that_answers_them() {
        let mut turns = Turns::default();
        turns.caller_started();
        assert_eq!(turns.caller_text("hello"), TurnId(1));
        turns.caller_ended(at(10));
        turns.audio(at(500), Duration::from_millis(20));
        assert_eq!(turns.caller_text(" there"), TurnId(1), "after the answer began");
        turns.caller_started();
        assert_eq!(turns.caller_text("wait"), TurnId(2), "barge-in");
    }
}
