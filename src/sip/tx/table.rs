//! The four transaction machines of RFC 3261 §17 with RFC 6026's Accepted state, as one table.
//!
//! `step` is the whole of it: kind, state and event give the next state and what to do. What is not in the table
//! changes nothing.

/// Which of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// §17.1.1, figure 5.
    InviteClient,
    /// §17.1.2, figure 6.
    OtherClient,
    /// §17.2.1, figure 7, with RFC 6026 §7.1.
    InviteServer,
    /// §17.2.2, figure 8.
    OtherServer,
}

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Request sent (Calling or Trying), or received and not answered (non-INVITE server).
    Trying,
    /// A provisional response was sent or received.
    Proceeding,
    /// A 2xx was sent or received; only the INVITE machines have this.
    Accepted,
    /// Another final response was sent or received.
    Completed,
    /// ACK was received.
    Confirmed,
    /// Forget it.
    Terminated,
}

/// What happens to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The same request again, from the network.
    Request,
    /// ACK, from the network.
    Ack,
    /// A response: from the network for a client, from the user for a server.
    Provisional,
    /// 200 to 299.
    Success,
    /// 300 to 699.
    Failure,
    /// Timer A, E or G.
    RetransmitTimer,
    /// Timer B, D, F, H, I, J, K, L or M.
    EndTimer,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Give the response or ACK to the user.
    PassUp,
    /// Send the response that the user gave.
    SendResponse,
    /// Send what was last sent again.
    SendAgain,
    /// Acknowledge a failure (§17.1.1.3).
    SendAck,
    /// Tell the user that nobody answered.
    TimedOut,
    /// Start or restart timers for the state.
    Retransmit(Pace),
    /// End the state after this long.
    EndAfter(Span),
}

/// How retransmissions are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Not any more.
    Stop,
    /// T1, then doubling without limit (timer A).
    Doubling,
    /// T1, then doubling up to T2 (timers E and G).
    DoublingToT2,
    /// Every T2 (timer E in Proceeding).
    EveryT2,
}

/// How long a state lasts. On reliable transports the spans that only absorb repeats are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// 64·T1 whatever the transport (timers B, F, H, L, M).
    Always64T1,
    /// 64·T1 on UDP (timers D, J).
    Absorb64T1,
    /// T4 on UDP (timers I, K).
    AbsorbT4,
    /// 180 s: a client INVITE that was answered provisionally only (timer C is the proxy's; ours is the ring time).
    Never,
}

use Action::{EndAfter, PassUp, Retransmit, SendAck, SendAgain, SendResponse, TimedOut};
use Event::{Ack, EndTimer, Failure, Provisional, Request, RetransmitTimer, Success};
use Kind::{InviteClient, InviteServer, OtherClient, OtherServer};
use State::{Accepted, Completed, Confirmed, Proceeding, Terminated, Trying};

type Row = (Kind, &'static [State], Event, State, &'static [Action]);

#[rustfmt::skip]
static TABLE: &[Row] = &[
    // Figure 5.
    (InviteClient, &[Trying],             RetransmitTimer, Trying,     &[SendAgain]),
    // In Proceeding the end is set by a CANCEL only (§9.1).
    (InviteClient, &[Trying, Proceeding], EndTimer,        Terminated, &[TimedOut]),
    (InviteClient, &[Trying],             Provisional,     Proceeding, &[PassUp, Retransmit(Pace::Stop), EndAfter(Span::Never)]),
    (InviteClient, &[Proceeding],         Provisional,     Proceeding, &[PassUp]),
    (InviteClient, &[Trying, Proceeding], Success,         Accepted,   &[PassUp, Retransmit(Pace::Stop), EndAfter(Span::Always64T1)]),
    (InviteClient, &[Trying, Proceeding], Failure,         Completed,  &[SendAck, PassUp, Retransmit(Pace::Stop), EndAfter(Span::Absorb64T1)]),
    (InviteClient, &[Accepted],           Success,         Accepted,   &[PassUp]),
    (InviteClient, &[Completed],          Failure,         Completed,  &[SendAck]),
    (InviteClient, &[Accepted, Completed], EndTimer,       Terminated, &[]),
    // Figure 6.
    (OtherClient,  &[Trying, Proceeding], RetransmitTimer, Trying,     &[SendAgain]),
    (OtherClient,  &[Trying, Proceeding], EndTimer,        Terminated, &[TimedOut]),
    (OtherClient,  &[Trying, Proceeding], Provisional,     Proceeding, &[PassUp, Retransmit(Pace::EveryT2)]),
    (OtherClient,  &[Trying, Proceeding], Success,         Completed,  &[PassUp, Retransmit(Pace::Stop), EndAfter(Span::AbsorbT4)]),
    (OtherClient,  &[Trying, Proceeding], Failure,         Completed,  &[PassUp, Retransmit(Pace::Stop), EndAfter(Span::AbsorbT4)]),
    (OtherClient,  &[Completed],          EndTimer,        Terminated, &[]),
    // Figure 7 and RFC 6026.
    (InviteServer, &[Trying, Proceeding], Request,         Proceeding, &[SendAgain]),
    (InviteServer, &[Trying, Proceeding], Provisional,     Proceeding, &[SendResponse]),
    (InviteServer, &[Trying, Proceeding], Success,         Accepted,   &[SendResponse, EndAfter(Span::Always64T1)]),
    (InviteServer, &[Trying, Proceeding], Failure,         Completed,  &[SendResponse, Retransmit(Pace::DoublingToT2), EndAfter(Span::Always64T1)]),
    (InviteServer, &[Accepted],           Ack,             Accepted,   &[PassUp]),
    (InviteServer, &[Accepted],           EndTimer,        Terminated, &[]),
    (InviteServer, &[Completed],          Request,         Completed,  &[SendAgain]),
    (InviteServer, &[Completed],          RetransmitTimer, Completed,  &[SendAgain]),
    (InviteServer, &[Completed],          Ack,             Confirmed,  &[Retransmit(Pace::Stop), EndAfter(Span::AbsorbT4)]),
    (InviteServer, &[Completed],          EndTimer,        Terminated, &[TimedOut]),
    (InviteServer, &[Confirmed],          EndTimer,        Terminated, &[]),
    // Figure 8.
    (OtherServer,  &[Proceeding, Completed], Request,      Completed,  &[SendAgain]),
    (OtherServer,  &[Trying, Proceeding], Provisional,     Proceeding, &[SendResponse]),
    (OtherServer,  &[Trying, Proceeding], Success,         Completed,  &[SendResponse, EndAfter(Span::Absorb64T1)]),
    (OtherServer,  &[Trying, Proceeding], Failure,         Completed,  &[SendResponse, EndAfter(Span::Absorb64T1)]),
    (OtherServer,  &[Completed],          EndTimer,        Terminated, &[]),
];

/// The next state and what to do; none if the event changes nothing.
#[must_use]
pub fn step(kind: Kind, state: State, event: Event) -> Option<(State, &'static [Action])> {
    // A request repeated in Proceeding is answered with what was said last, but stays in Proceeding.
    let row = TABLE.iter().find(|row| row.0 == kind && row.1.contains(&state) && row.2 == event)?;
    let stays = kind == OtherServer && event == Request || kind == OtherClient && event == RetransmitTimer;
    Some((if stays { state } else { row.3 }, row.4))
}

/// Timers that start with the transaction.
#[must_use]
pub const fn first_timers(kind: Kind) -> &'static [Action] {
    match kind {
        InviteClient => &[Retransmit(Pace::Doubling), EndAfter(Span::Always64T1)],
        OtherClient => &[Retransmit(Pace::DoublingToT2), EndAfter(Span::Always64T1)],
        InviteServer | OtherServer => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answered_invite_absorbs_retransmissions_without_answering_them_again() {
        // RFC 6026 §7.1: the copies of the INVITE are absorbed in Accepted; the 2xx is the user's to repeat.
        assert_eq!(step(InviteServer, Accepted, Request), None);
        assert_eq!(step(InviteServer, Accepted, Failure), None);
    }

    #[test]
    fn every_state_but_the_last_has_a_way_out() {
        for kind in [InviteClient, OtherClient, InviteServer, OtherServer] {
            for state in TABLE.iter().filter(|row| row.0 == kind).flat_map(|row| row.1) {
                let leaves = TABLE.iter().any(|row| row.0 == kind && row.1.contains(state) && row.3 != *state);
                assert!(leaves, "{kind:?} {state:?}");
            }
        }
    }
}
