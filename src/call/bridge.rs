//! A call that goes on to somebody else (B2BUA): whom to try when, who wins, and what the caller is told.
//!
//! Owns the decisions between one caller's leg and the branches of its callee: forking by groups (RFC 3261 §16.7), failover,
//! ring time, which failure the caller hears (RFC 3261 §16.7, RFC 3398 in its spirit), who is hung up after whom. Does not
//! know messages, addresses, media or sessions: branches are numbers. Called by `gateway::engine`.
//!
//! Rule: after each [`Bridge::handle`], drain [`Bridge::poll`] to the end.

use crate::{clock::Instant, sip::cause};
use std::{collections::VecDeque, time::Duration};

/// A branch that was answered elsewhere is told so (RFC 3326 §2): its telephone shows no missed call.
const ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";
/// Nobody answered in time.
const NO_ANSWER: &str = "Q.850;cause=19;text=\"no answer\"";
/// The caller is gone.
const CALLER_GONE: &str = "SIP;cause=487;text=\"the caller is gone\"";

/// How a bridge behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Branches by group: those of one group ring together, the next group's turn comes when all of it have failed.
    pub groups: Vec<usize>,
    /// The groups are ways to the same place (a trunk's servers): the next is tried only when a way is broken, not when
    /// the place says no.
    pub same_place: bool,
    /// One group rings for so long.
    pub ring: Duration,
    /// A way that gives no sign at all for so long is broken, if there is another.
    pub sign_within: Duration,
    /// The caller talks to somebody else already, and goes on if this fails.
    pub caller_up: bool,
    /// What the caller hears if there is nobody to call: a status and words.
    pub nobody: (u16, String),
}

/// Either end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who called.
    Caller,
    /// Who is called.
    Callee,
}

/// What happens. Branches count from 0 through all groups.
#[derive(Clone, Debug)]
pub enum Input {
    /// Everything is ready: begin.
    Begin,
    /// A branch gives a sign: a provisional status, 100 included; with a description it can be heard.
    Progress {
        /// Which.
        branch: usize,
        /// 100 to 199.
        status: u16,
        /// It came with a description.
        sound: bool,
    },
    /// A branch was answered.
    Answered {
        /// Which.
        branch: usize,
    },
    /// A branch is over; before its answer, or after it.
    Ended {
        /// Which.
        branch: usize,
        /// Final status, if it was not answered.
        status: Option<u16>,
        /// Its far end said so; else nobody did.
        by_peer: bool,
        /// In words, or a `Reason`.
        reason: String,
    },
    /// The caller's leg is over.
    CallerEnded {
        /// In words, or a `Reason`.
        reason: String,
    },
    /// Somebody (the operator) gives the attempt up.
    GiveUp,
    /// Time passed.
    Timeout,
}

/// What must be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Call this branch.
    Invite(usize),
    /// End this branch, whatever its state, with this `Reason`.
    Drop(usize, &'static str),
    /// 180 to the caller.
    Ring,
    /// The caller hears this branch before the answer: 183.
    Sound(usize),
    /// This branch is the callee: answer the caller and join them.
    Join(usize),
    /// The caller gets this status (or, if it talks to somebody else, keeps that) with this `Reason` and words.
    Fail {
        /// 400 to 699.
        status: u16,
        /// `Reason` header.
        reason: String,
        /// For people.
        text: String,
    },
    /// End the other side of the call that stood, with this `Reason`.
    HangUp(Side, String),
    /// Nothing will come any more.
    Over,
}

/// Where a branch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Branch {
    Waiting,
    Tried,
    /// It gave a sign.
    Alive,
    /// It is being dropped; its end will come.
    Dropped,
    Ended,
}

/// Where the whole stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Calling,
    Joined(usize),
    /// Decided; branches may still be on their way out.
    Ending,
    Over,
}

/// The machine.
#[derive(Debug)]
pub struct Bridge {
    settings: Settings,
    branches: Vec<Branch>,
    /// The group that rings.
    group: usize,
    stage: Stage,
    ring_until: Instant,
    sign_until: Instant,
    rung: bool,
    heard: Option<usize>,
    /// The failure that the caller will hear, the best so far.
    failure: Option<(u16, String)>,
    actions: VecDeque<Action>,
}

impl Bridge {
    /// A bridge that has not begun.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let count = settings.groups.iter().sum();
        Self {
            branches: vec![Branch::Waiting; count],
            settings,
            group: 0,
            stage: Stage::New,
            ring_until: Instant::FAR_FUTURE,
            sign_until: Instant::FAR_FUTURE,
            rung: false,
            heard: None,
            failure: None,
            actions: VecDeque::new(),
        }
    }

    /// When [`Input::Timeout`] is wanted.
    #[must_use]
    pub fn timeout(&self) -> Instant {
        if self.stage == Stage::Calling { self.ring_until.min(self.sign_until) } else { Instant::FAR_FUTURE }
    }

    /// The branch that was answered.
    #[must_use]
    pub const fn joined(&self) -> Option<usize> {
        match self.stage {
            Stage::Joined(branch) => Some(branch),
            _ => None,
        }
    }

    /// Whether the caller hears this branch before the answer, or would if it could be heard now.
    #[must_use]
    pub fn would_be_heard(&self, branch: usize) -> bool {
        self.stage == Stage::Calling
            && matches!(self.branches.get(branch), Some(Branch::Tried | Branch::Alive))
            && self.heard.is_none_or(|heard| heard == branch)
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Begin if self.stage == Stage::New => {
                self.stage = Stage::Calling;
                self.try_group(now);
            }
            Input::Begin => {}
            Input::Progress { branch, status, sound } => self.progress(branch, status, sound),
            Input::Answered { branch } => self.answered(branch),
            Input::Ended { branch, status, by_peer, reason } => self.ended(now, branch, status, by_peer, reason),
            Input::CallerEnded { reason } => self.caller_ended(&reason),
            Input::GiveUp => {
                if matches!(self.stage, Stage::New | Stage::Calling) {
                    self.fail(CALLER_GONE, Some((480, "given up".to_owned())));
                }
            }
            Input::Timeout => self.timed_out(now),
        }
        if self.stage == Stage::Ending
            && self.branches.iter().all(|branch| matches!(branch, Branch::Waiting | Branch::Ended))
        {
            self.stage = Stage::Over;
            self.actions.push_back(Action::Over);
        }
    }

    fn group_range(&self) -> std::ops::Range<usize> {
        let start: usize = self.settings.groups.iter().take(self.group).sum();
        start..start + self.settings.groups.get(self.group).copied().unwrap_or(0)
    }

    fn try_group(&mut self, now: Instant) {
        let range = self.group_range();
        if range.is_empty() {
            let nobody = self.settings.nobody.clone();
            self.fail(NO_ANSWER, Some(nobody));
            return;
        }
        self.ring_until = now + self.settings.ring;
        // Whoever was heard is gone.
        self.heard = None;
        let last = self.group + 1 >= self.settings.groups.len();
        let watched = self.settings.same_place && !last;
        self.sign_until = if watched { now + self.settings.sign_within } else { Instant::FAR_FUTURE };
        for branch in range {
            self.branches[branch] = Branch::Tried;
            self.actions.push_back(Action::Invite(branch));
        }
    }

    fn progress(&mut self, branch: usize, status: u16, sound: bool) {
        if self.stage != Stage::Calling {
            return;
        }
        let Some(state @ (Branch::Tried | Branch::Alive)) = self.branches.get_mut(branch) else { return };
        *state = Branch::Alive;
        self.sign_until = Instant::FAR_FUTURE;
        if status == 100 || self.settings.caller_up {
            return;
        }
        // Of several that can be heard, the first is (RFC 3261 says nothing; two voices at once help nobody).
        if sound && self.heard.is_none() {
            self.heard = Some(branch);
            self.rung = true;
            self.actions.push_back(Action::Sound(branch));
        } else if !self.rung {
            self.rung = true;
            self.actions.push_back(Action::Ring);
        }
    }

    fn answered(&mut self, branch: usize) {
        match (self.stage, self.branches.get(branch)) {
            (Stage::Calling, Some(Branch::Tried | Branch::Alive)) => {
                self.branches[branch] = Branch::Alive;
                self.stage = Stage::Joined(branch);
                self.actions.push_back(Action::Join(branch));
                self.drop_all(ELSEWHERE);
            }
            // Two answered in one moment, or it did while it was being dropped.
            (_, Some(_)) => self.actions.push_back(Action::Drop(branch, ELSEWHERE)),
            _ => {}
        }
    }

    /// Ends every branch that is still tried, but not the one that was answered.
    fn drop_all(&mut self, reason: &'static str) {
        let joined = self.joined();
        for (branch, state) in self.branches.iter_mut().enumerate() {
            if matches!(state, Branch::Tried | Branch::Alive) && joined != Some(branch) {
                *state = Branch::Dropped;
                self.actions.push_back(Action::Drop(branch, reason));
            }
        }
    }

    fn ended(&mut self, now: Instant, branch: usize, status: Option<u16>, by_peer: bool, reason: String) {
        let Some(state) = self.branches.get_mut(branch) else { return };
        let before = std::mem::replace(state, Branch::Ended);
        if self.stage == Stage::Joined(branch) {
            self.stage = Stage::Ending;
            self.actions.push_back(Action::HangUp(Side::Caller, reason_of(&reason)));
            return;
        }
        if self.stage != Stage::Calling || !matches!(before, Branch::Tried | Branch::Alive) {
            return;
        }
        let status = status.unwrap_or(503);
        self.note_failure(status, reason);
        let global = status >= 600;
        // RFC 3263 §4.3: 503, no answer and a broken transport send us to the next way.
        let broken = !by_peer || matches!(status, 408 | 500 | 502 | 503 | 504);
        if global || (self.settings.same_place && !broken) {
            self.fail(NO_ANSWER, None);
        } else {
            self.next_group(now);
        }
    }

    /// Goes on to the next group if nobody of this one is left.
    fn next_group(&mut self, now: Instant) {
        if self.group_range().any(|branch| matches!(self.branches[branch], Branch::Tried | Branch::Alive)) {
            return;
        }
        if self.group + 1 < self.settings.groups.len() {
            self.group += 1;
            self.try_group(now);
        } else {
            self.fail(NO_ANSWER, None);
        }
    }

    fn note_failure(&mut self, status: u16, reason: String) {
        if self.failure.as_ref().is_none_or(|(known, _)| rank(status) < rank(*known)) {
            self.failure = Some((status, reason));
        }
    }

    /// Nobody will answer: the caller hears why.
    fn fail(&mut self, dropped_because: &'static str, why: Option<(u16, String)>) {
        self.drop_all(dropped_because);
        let (status, text) = why.or_else(|| self.failure.take()).unwrap_or((480, "nobody answered".to_owned()));
        let told = told_to_caller(status);
        let cause = if status == 480 && dropped_because == NO_ANSWER && text == "nobody answered" {
            NO_ANSWER.to_owned()
        } else {
            header_in(&text).map_or_else(|| q850_header(&text, status), str::to_owned)
        };
        self.stage = Stage::Ending;
        self.actions.push_back(Action::Fail { status: told, reason: cause, text });
    }

    fn caller_ended(&mut self, reason: &str) {
        match self.stage {
            Stage::New | Stage::Calling => {
                self.stage = Stage::Ending;
                self.drop_all(CALLER_GONE);
            }
            Stage::Joined(branch) => {
                self.stage = Stage::Ending;
                self.branches[branch] = Branch::Dropped;
                self.actions.push_back(Action::HangUp(Side::Callee, reason_of(reason)));
            }
            Stage::Ending | Stage::Over => {}
        }
    }

    fn timed_out(&mut self, now: Instant) {
        if self.stage != Stage::Calling {
            return;
        }
        if now >= self.ring_until {
            if self.failure.is_none() || self.settings.same_place {
                self.failure = Some((480, "nobody answered".to_owned()));
            }
            self.drop_group(NO_ANSWER);
            if self.settings.same_place {
                self.fail(NO_ANSWER, None);
            } else {
                self.next_group(now);
            }
        } else if now >= self.sign_until {
            self.note_failure(408, "no sign of the server".to_owned());
            self.drop_group("SIP;cause=408;text=\"no sign\"");
            self.next_group(now);
        }
    }

    fn drop_group(&mut self, reason: &'static str) {
        for branch in self.group_range() {
            if matches!(self.branches[branch], Branch::Tried | Branch::Alive) {
                self.branches[branch] = Branch::Dropped;
                self.actions.push_back(Action::Drop(branch, reason));
            }
        }
    }
}

/// Which failure says most; the smallest is told. 6xx is final for all, then that somebody is busy or declined, then what
/// is wrong with the call; that nobody was found, or that a way is broken, comes last.
const fn rank(status: u16) -> u8 {
    match status {
        600..=699 => 0,
        486 => 1,
        403 | 484 | 415 | 488 => 2,
        480 => 4,
        404 | 410 => 5,
        408 | 487 => 6,
        400..=499 => 3,
        _ => 7,
    }
}

/// What a caller is told of a callee's failure. Challenges and redirections meant for us, and the state of a server behind
/// us, are nothing that a caller could act on (RFC 3261 §16.7 step 6).
#[must_use]
pub const fn told_to_caller(status: u16) -> u16 {
    match status {
        401 | 407 | 503 => 502,
        408 | 487 | 300..=399 => 480,
        400..=699 => status,
        _ => 500,
    }
}

/// A `Reason` header within a text.
fn header_in(text: &str) -> Option<&str> {
    let at = ["Q.850", "SIP;"].iter().filter_map(|protocol| text.find(protocol)).min()?;
    text[at..].contains("cause=").then(|| &text[at..])
}

/// What a `Reason` of one side says to the other: the same, or a normal end.
#[must_use]
pub fn reason_of(text: &str) -> String {
    header_in(text).map_or_else(|| "Q.850;cause=16;text=\"Normal call clearing\"".to_owned(), str::to_owned)
}

fn q850_header(text: &str, status: u16) -> String {
    cause::q850(text, Some(status))
        .map_or_else(|| format!("SIP;cause={status}"), |cause| format!("Q.850;cause={cause}"))
}

#[cfg(test)]
mod tests;
