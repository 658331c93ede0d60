//! What a call is told and what it asks for: [`Settings`], [`Input`], [`Effect`].
//!
//! Words only; what follows from them is [`super::Call`]'s. Spoken by `pipeline`.

use super::{
    aside::Aside,
    journal::{Body, Direction},
    manners::Manners,
    turn::Owner,
};
use crate::{
    agent::event::{Action, Event as AgentEvent, Outcome},
    media::dsp::vad::SpeechEdge,
    unit::TurnId,
};
use std::{sync::Arc, time::Duration};

/// Who decides that the caller interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BargeIn {
    /// The provider says so.
    Provider,
    /// Our own detector: 50 ms of voice while the agent is heard, or as long as its [`Manners`] want.
    Local,
    /// The same, but the agent pauses at once, and goes on where it was if it was a cough.
    Pause,
    /// Nobody: the agent talks to its end.
    Off,
}

/// What a caller hears before the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Early {
    /// Nothing of ours: 180.
    #[default]
    Off,
    /// Our ring tone: 183 with a description.
    Ring,
    /// The agent, which begins as soon as it is ready; the call is answered when its first turn is over.
    Agent,
}

/// How a call behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who called whom.
    pub direction: Direction,
    /// Whose the model is.
    pub owner: Owner,
    /// Who decides that the caller interrupts.
    pub barge_in: BargeIn,
    /// How it behaves towards the caller.
    pub manners: Arc<Manners>,
    /// Answer after this even if the agent is not ready yet.
    pub patience: Duration,
    /// An answer that an agent owes is missed after this; zero never.
    pub agent_silence: Duration,
    /// End the call after this.
    pub max_duration: Duration,
    /// For how long an outgoing call may ring.
    pub ring_max: Duration,
    /// What a caller hears before the answer.
    pub early: Early,
    /// Another leg answers for us: it says when to ring and to answer, and how long all may take.
    pub waits: bool,
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Input {
    /// An offer that can be taken came in, or ours went out.
    Begin,
    /// The offer cannot be taken: it was refused.
    Refused(String),
    /// An outgoing call rings.
    Progress(u16),
    /// An outgoing call has media before the answer.
    EarlyMedia(u16),
    /// An outgoing call was answered and media agreed on.
    Answered,
    /// Our 200 was acknowledged.
    Acknowledged,
    /// The signalling is over.
    SipEnded {
        /// `caller`, `us`, `network`: who ended it.
        by: &'static str,
        /// Final status of an INVITE that failed.
        status: Option<u16>,
        /// In words.
        reason: String,
    },
    /// The agent says something other than sound.
    Agent(AgentEvent),
    /// The caller began or ceased to speak.
    Speech(SpeechEdge),
    /// The caller pressed a key.
    Digit(char),
    /// The caller wrote to an agent that reads.
    Wrote(String),
    /// The first packet of this turn went out.
    Began(TurnId),
    /// The last packet of this turn went out.
    Finished,
    /// Everything that was to be said has been sent.
    Drained,
    /// The far end holds us, or is back.
    Held(bool),
    /// Somebody wants the call to end: the operator, a drain, a lost medium.
    HangUp {
        /// Who.
        by: &'static str,
        /// Why.
        reason: String,
    },
    /// The other leg rings: so do we.
    Ring,
    /// The other leg was answered: so are we.
    Answer,
    /// The other leg could not be had, and why: this one is about to be refused.
    NotAnswered(String),
    /// The other leg is over: so are we, with this `Reason`.
    FarEnded {
        /// Who ended it.
        by: &'static str,
        /// `Reason` header.
        header: String,
    },
    /// The agent has handed the caller over to another leg; in words, to whom.
    HandedOver(String),
    /// What became of an action of the agent's.
    Acted(u32, Outcome),
    /// The agent has failed, and another, of this name, will take its place.
    FellBack {
        /// Why it failed.
        reason: String,
        /// Profile of the other.
        to: String,
    },
    /// Another agent sits on the chair.
    Switched {
        /// Its profile.
        name: String,
        /// Whose the model is.
        owner: Owner,
        /// Who decides that the caller interrupts.
        barge_in: BargeIn,
        /// How it behaves.
        manners: Arc<Manners>,
    },
    /// What [`Effect::Say`] asked for was heard, or could not be.
    AsideOver,
    /// Time passed.
    Timeout,
}

/// What the path must do.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a few wait for a moment")]
pub enum Effect {
    /// Connect the agent.
    ConnectAgent,
    /// 180, or 183 with media.
    Ring,
    /// 200.
    Answer,
    /// End the signalling: refuse, CANCEL or BYE, with this `Reason`.
    HangUp(String),
    /// Tell the agent to start.
    StartAgent,
    /// Tell the agent that its turn was played.
    Played,
    /// Throw away what waits to be played; tell the agent unless it said so itself.
    Cut {
        /// The agent does not know yet.
        tell_agent: bool,
    },
    /// Nothing is played for now; what waits stays.
    Pause,
    /// It goes on, from the same sample.
    Resume,
    /// Say this, unless something is heard; [`Input::AsideOver`] tells when it was.
    Say(Aside),
    /// No more sound of this turn will come.
    CompleteTurn(TurnId),
    /// Say the apology.
    Apologise,
    /// Send digits.
    Press(String),
    /// Tell the agent about hold.
    TellHeld(bool),
    /// Do what the agent asks for; [`Input::Acted`] says what became of it.
    Act(u32, Action),
    /// Tell the agent what became of it.
    TellActed(u32, Outcome),
    /// For the journal.
    Record(Body),
    /// The call is over: close the agent, finish the files.
    Over,
}
