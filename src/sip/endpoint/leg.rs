//! What the endpoint keeps of one INVITE session.

use super::{
    Instant, Key, Outgoing, Path,
    names::Names,
    reliable::{Early, Provisional},
    session_timer::SessionTimer,
};
use crate::sip::{
    auth::{Challenge, Credentials},
    dialog::Dialog,
    uri::Uri,
};
use std::collections::VecDeque;

/// Names a leg within its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId(pub u64);

/// Which side began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// They called us.
    Server,
    /// We called them.
    Client,
}

/// Where a leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No final response yet.
    Early,
    /// 200 sent, no ACK yet.
    Unacknowledged,
    /// Up.
    Confirmed,
    /// We sent BYE or CANCEL and wait for its end.
    Closing,
}

/// One INVITE session.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) role: Role,
    pub(super) stage: Stage,
    pub(super) call_id: String,
    pub(super) local_tag: String,
    pub(super) dialog: Option<Dialog>,
    pub(super) path: Path,
    /// The pending INVITE or re-INVITE.
    pub(super) invite: Option<Key>,
    /// 100 Trying is due then.
    pub(super) trying_at: Instant,
    /// The 200 that waits for its ACK.
    pub(super) unacknowledged: Option<Unacknowledged>,
    /// BYE must wait for ACK (§15).
    pub(super) hang_up_when_acknowledged: bool,
    /// The ACK we sent for the newest 2xx, to be repeated with it.
    pub(super) last_ack: Option<Vec<u8>>,
    /// What we asked for, to ask again with credentials.
    pub(super) outgoing: Option<Box<Outgoing>>,
    /// For challenges to requests within the dialog.
    pub(super) credentials: Option<Credentials>,
    /// Whose password came with its INVITE, or a REFER since.
    pub(super) user: Option<String>,
    /// Names in Contact and Record-Route.
    pub(super) names: Names,
    /// Challenges that our INVITE has answered, the header that answers each, and how often.
    pub(super) challenges: Vec<(Challenge, &'static str, u32)>,
    /// Requests within the dialog that have answered a challenge once: their `CSeq` numbers.
    pub(super) proven: Vec<u32>,
    /// The reason given with our hang-up.
    pub(super) reason: Option<String>,
    /// Our provisional response is to be repeated then, and its status.
    pub(super) rings_again: (Instant, u16),
    /// A provisional response of ours that waits for PRACK.
    pub(super) provisional: Option<Provisional>,
    /// Our answer went out in a reliable provisional response that has its PRACK.
    pub(super) described_early: bool,
    /// Our 200, which waits for that PRACK.
    pub(super) answer_waiting: Option<String>,
    /// The newest `RSeq` of ours.
    pub(super) rseq: u32,
    /// Branches of our INVITE that answered provisionally.
    pub(super) early: Vec<Early>,
    /// An UPDATE with an offer that waits for the engine's answer.
    pub(super) update: Option<Key>,
    /// Our re-INVITE that waits for an answer.
    pub(super) reinvite: Option<Key>,
    /// Our description as it stands: what a refreshing re-INVITE repeats.
    pub(super) described: Option<String>,
    pub(super) timer: Option<SessionTimer>,
    /// The far end's `Min-SE`, from a 422.
    pub(super) min_se: std::time::Duration,
    /// The far end's Allow has UPDATE.
    pub(super) takes_update: bool,
    /// The far end has no Allow, or one with INFO.
    pub(super) takes_info: bool,
    /// Digits that go out in INFOs, one after the other: the first is under way.
    pub(super) digits: VecDeque<(char, u32)>,
    /// The far end has no Allow, or one with REFER.
    pub(super) takes_refer: bool,
    /// The far end has sent REFER and hears of its progress.
    pub(super) referred: bool,
    /// How often a 3xx was followed.
    pub(super) redirections: u8,
    /// Contacts of 3xx that are left, the best first, and those that were tried.
    pub(super) contacts: VecDeque<Uri>,
    pub(super) contacts_tried: Vec<Uri>,
    /// We have sent REFER and wait for its end.
    pub(super) refers: bool,
    /// Targets that are left for our INVITE.
    pub(super) spares: usize,
    /// Nobody is waited for any longer than until then.
    pub(super) give_up_at: Instant,
    /// A target of our INVITE that has given no sign by then is left for the next.
    pub(super) sign_by: Instant,
    /// The number of our INVITE when it goes to another target; none while it is under way.
    pub(super) resumes: Option<u32>,
}

/// A 200 that is repeated until ACK (§13.3.1.4).
#[derive(Debug)]
pub(super) struct Unacknowledged {
    pub(super) bytes: Vec<u8>,
    pub(super) path: Path,
    pub(super) cseq: u32,
    pub(super) interval: std::time::Duration,
    pub(super) next_at: Instant,
    pub(super) give_up_at: Instant,
}

impl Leg {
    pub(super) fn new(role: Role, call_id: &str, local_tag: &str, path: Path) -> Self {
        Self {
            role,
            stage: Stage::Early,
            call_id: call_id.to_owned(),
            local_tag: local_tag.to_owned(),
            dialog: None,
            path,
            invite: None,
            trying_at: Instant::FAR_FUTURE,
            unacknowledged: None,
            hang_up_when_acknowledged: false,
            last_ack: None,
            outgoing: None,
            credentials: None,
            user: None,
            names: Names::default(),
            challenges: Vec::new(),
            proven: Vec::new(),
            reason: None,
            rings_again: (Instant::FAR_FUTURE, 180),
            provisional: None,
            described_early: false,
            answer_waiting: None,
            rseq: 0,
            early: Vec::new(),
            update: None,
            reinvite: None,
            described: None,
            timer: None,
            min_se: std::time::Duration::ZERO,
            takes_update: false,
            takes_info: true,
            digits: VecDeque::new(),
            takes_refer: true,
            referred: false,
            redirections: 0,
            contacts: VecDeque::new(),
            contacts_tried: Vec::new(),
            refers: false,
            spares: 0,
            give_up_at: Instant::FAR_FUTURE,
            sign_by: Instant::FAR_FUTURE,
            resumes: None,
        }
    }

    pub(super) fn timeout(&self) -> Instant {
        self.unacknowledged
            .as_ref()
            .map_or(Instant::FAR_FUTURE, |waiting| waiting.next_at.min(waiting.give_up_at))
            .min(self.trying_at)
            .min(self.give_up_at)
            .min(self.sign_by)
            .min(self.rings_again.0)
            .min(self.names.until)
            .min(
                self.provisional
                    .as_ref()
                    .map_or(Instant::FAR_FUTURE, |waiting| waiting.next_at.min(waiting.give_up_at)),
            )
            .min(self.timer.map_or(Instant::FAR_FUTURE, |timer| timer.at))
    }
}
