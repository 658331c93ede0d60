//! Conferences: who is in which, on which media worker, and what the API does to them.
//!
//! Sound never comes here: a room lives on one worker (`gateway::line`). Rules enter at [`Engine::sit_down`] with a call
//! that begins on that worker; the API moves a running call in by [`Engine::confer`], and if it lives on another, its sound
//! is carried across. Called by the engine.

use super::{Engine, In, LegId};
use crate::{
    error::{Error, Kind, Result},
    gateway::line::{Chair, across},
    media::dsp::mix::{MemberId, Role},
    unit::CallId,
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Longest name.
const NAME_MAX: usize = 64;

/// All conferences.
#[derive(Debug, Default)]
pub(super) struct Conferences(BTreeMap<Arc<str>, Conference>);

#[derive(Debug)]
struct Conference {
    worker: usize,
    speaker: Arc<AtomicU64>,
    members: Vec<Member>,
}

/// One call in a conference, as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    /// Its session.
    pub call: CallId,
    /// `talks`, `listens`, `whispers`.
    pub role: &'static str,
    /// The others do not hear it.
    pub muted: bool,
    /// How loud it is for the others.
    pub gain_db: f32,
    /// It speaks: the loudest at this moment.
    pub speaks: bool,
}

/// A conference, as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Who is in it, in the order of their coming.
    pub members: Vec<Member>,
}

/// What may be done to a member.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// It is silenced for the others, or not.
    Mute(bool),
    /// It is so much louder for the others, in decibels from −40 to 20.
    Gain(f32),
    /// It talks to all, listens only, or whispers to one.
    Role(Role),
    /// It is hung up.
    Kick,
}

impl Conferences {
    /// Who is where.
    pub(super) fn views(&self) -> Vec<View> {
        let view = |(name, conference): (&Arc<str>, &Conference)| {
            let speaker = conference.speaker.load(Ordering::Relaxed);
            let speaks = |member: &Member| speaker == u64::from(member.call.0) + 1;
            let members =
                conference.members.iter().map(|member| Member { speaks: speaks(member), ..member.clone() }).collect();
            View { name: name.to_string(), members }
        };
        self.0.iter().map(view).collect()
    }

    /// The worker that a conference lives on, if it does.
    pub(super) fn worker(&self, name: &str) -> Option<usize> {
        self.0.get(name).map(|conference| conference.worker)
    }

    fn room_of(&self, call: CallId) -> Option<&Arc<str>> {
        let is_in = |conference: &Conference| conference.members.iter().any(|member| member.call == call);
        self.0.iter().find(|(_, conference)| is_in(conference)).map(|(name, _)| name)
    }

    fn add(&mut self, name: &str, worker: usize, call: CallId, role: Role) -> Chair {
        let room: Arc<str> = Arc::from(name);
        let conference = self.0.entry(Arc::clone(&room)).or_insert_with(|| Conference {
            worker,
            speaker: Arc::default(),
            members: Vec::new(),
        });
        conference.members.push(Member { call, role: word(role), muted: false, gain_db: 0.0, speaks: false });
        Chair { room, call, role, speaker: Arc::clone(&conference.speaker) }
    }

    /// A call is over.
    pub(super) fn leave(&mut self, call: CallId) {
        self.0.retain(|_, conference| {
            conference.members.retain(|member| member.call != call);
            !conference.members.is_empty()
        });
    }

    fn member(&mut self, name: &str, call: CallId) -> Option<&mut Member> {
        self.0.get_mut(name)?.members.iter_mut().find(|member| member.call == call)
    }
}

/// A role in the API's words.
const fn word(role: Role) -> &'static str {
    match role {
        Role::Talks => "talks",
        Role::Listens => "listens",
        Role::Whispers(_) => "whispers",
    }
}

/// A role from the API's words; whispering needs somebody.
#[must_use]
pub fn role(word: &str, to: Option<CallId>) -> Option<Role> {
    match (word, to) {
        ("talks", None) => Some(Role::Talks),
        ("listens", None) => Some(Role::Listens),
        ("whispers", Some(call)) => Some(Role::Whispers(MemberId(call.0))),
        _ => None,
    }
}

/// A name that may be written into journals and addresses.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_MAX && !name.chars().any(|c| c.is_control() || c == '/')
}

impl Engine {
    /// A call takes its seat when it is answered.
    pub(super) fn sit_down(&mut self, leg: LegId, name: &str, role: Role) {
        let Some((call, worker)) = self.sessions.get(&leg).map(|known| (known.call, known.worker)) else { return };
        let home = self.conferences.worker(name).unwrap_or(worker);
        let chair = self.conferences.add(name, home, call, role);
        let away = (home != worker).then(|| {
            let (away, host) = across::pair(chair.clone());
            self.workers.host(home, host);
            Box::new(away)
        });
        self.tell(leg, In::Enter(chair, away));
    }

    /// A running call goes into a conference; its agent is told good-bye.
    pub(super) fn confer(&mut self, call: CallId, name: &str, role: Role) -> Result<()> {
        let refused = |why: String| Error::new(Kind::Refused, why);
        if !is_name(name) {
            return Err(Error::usage("a conference's name has 1 to 64 characters and no slash"));
        }
        let leg = self.leg_of(call).ok_or_else(|| refused("the call is over".to_owned()))?;
        if let Some(room) = self.conferences.room_of(call) {
            return Err(refused(format!("call {call} is in conference {room} already")));
        }
        if self.is_bridged(leg) {
            return Err(refused(format!("call {call} is bridged")));
        }
        self.sit_down(leg, name, role);
        Ok(())
    }

    /// Whether a call is in a conference.
    pub(super) fn is_in_conference(&self, call: CallId) -> bool {
        self.conferences.room_of(call).is_some()
    }

    /// Does something to a member; false if it is not there.
    pub(super) fn attend(&mut self, name: &str, call: CallId, deed: Deed) -> bool {
        let Some(member) = self.conferences.member(name, call) else { return false };
        let input = match deed {
            Deed::Mute(muted) => {
                member.muted = muted;
                In::Mute(muted)
            }
            Deed::Gain(decibels) => {
                member.gain_db = decibels.clamp(-40.0, 20.0);
                In::Gain(member.gain_db)
            }
            Deed::Role(role) => {
                member.role = word(role);
                In::Role(role)
            }
            Deed::Kick => In::HangUp("removed from the conference".to_owned()),
        };
        self.tell_call(call, input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conference_is_there_as_long_as_somebody_is_in_it() {
        let mut all = Conferences::default();
        let (one, two) = (CallId(1), CallId(2));
        let chair = all.add("team", 3, one, Role::Talks);
        assert_eq!(all.worker("team"), Some(3));
        all.add("team", 3, two, Role::Listens);
        chair.speaker.store(3, Ordering::Relaxed);
        let view = all.views().remove(0);
        assert_eq!(
            view.members.iter().map(|member| (member.call, member.speaks)).collect::<Vec<_>>(),
            [(one, false), (two, true)]
        );
        if let Some(member) = all.member("team", two) {
            member.muted = true;
        }
        assert!(all.views()[0].members[1].muted && all.room_of(two).is_some());
        all.leave(one);
        all.leave(two);
        assert!(all.views().is_empty() && all.worker("team").is_none());
    }

    #[test]
    fn names_are_short_and_have_no_slash() {
        assert!(is_name("team 7") && is_name("Straße"));
        assert!(!is_name("") && !is_name("a/b") && !is_name(&"x".repeat(65)));
    }
}
