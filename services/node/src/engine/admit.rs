//! What may still be begun when room is short, and what is left with its sender (protocol.md 7).

use super::Host;
use super::complaints::Complaints;
use super::pressure::Level;
use lienthong_core::custody::arrival::Arrival;
use lienthong_core::custody::command::Act;
use lienthong_core::custody::track::Phase;
use lienthong_core::ids::AgencyId;
use lienthong_core::node::Input;
use lienthong_core::reason::Reason;
use lienthong_core::statement::Body;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Numbers that bound what waits for or from one peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    /// Undecided offers of one peer.
    pub(crate) inbox: usize,
    /// Statements that wait for one peer's answer.
    pub(crate) outbox: usize,
}

/// Whether an input may be taken at this level. What an earlier call with the same key did is always told.
pub(crate) fn input(level: Level, caps: Caps, host: &Host, input: &Input) -> Result<(), Reason> {
    let (room, key) = match input {
        Input::Command(command) => (for_act(level, caps, host, &command.act), &command.call.key),
        Input::Settle(settled) => (written(level), &settled.command.key),
        Input::Read { .. } | Input::Snapshot(_) => return written(level),
        Input::Arrival(_)
        | Input::Quarantine(_)
        | Input::Trouble(..)
        | Input::Recover
        | Input::Greet
        | Input::Act(_) => return Ok(()),
    };
    // Nearly always there is room, and whether the key is known need not be asked.
    room.or_else(|reason| if host.node.state().commands.contains_key(key) { Ok(()) } else { Err(reason) })
}

fn for_act(level: Level, caps: Caps, host: &Host, act: &Act) -> Result<(), Reason> {
    match act {
        Act::Offer(offer) => {
            let (flying, waiting) = host.node.courier().load(&offer.to);
            if flying + waiting >= caps.outbox {
                return Err(Reason::PeerBacklog);
            }
            begun(level)
        }
        Act::Submit(_) | Act::Note { .. } | Act::Attest { .. } => begun(level),
        Act::Accept { .. }
        | Act::Refuse { .. }
        | Act::Recall { .. }
        | Act::Complete { .. }
        | Act::Return { .. } => written(level),
    }
}

fn begun(level: Level) -> Result<(), Reason> {
    if level == Level::Ample { Ok(()) } else { Err(Reason::StorageFull) }
}

fn written(level: Level) -> Result<(), Reason> {
    if level < Level::Out { Ok(()) } else { Err(Reason::StorageFull) }
}

/// Whether what a peer sent is left with it for now: it is not taken and not acknowledged, and comes again.
pub(crate) fn leaves(level: Level, host: &Host, arrival: &Arrival) -> bool {
    match level {
        Level::Ample => false,
        Level::Out => true,
        Level::FinishingOnly => match &arrival.statement.body {
            Body::Offer(offer) if offer.to == host.node.state().me => !is_known(host, arrival),
            Body::Offer(_) | Body::Note(_) | Body::Intake(_) | Body::Checkpoint { .. } => true,
            Body::Accept(_)
            | Body::Refuse(_)
            | Body::Received(_)
            | Body::Ack(_)
            | Body::Cancel(_)
            | Body::Completed(_)
            | Body::Returned(_)
            | Body::Recovery(_)
            | Body::Retire(_)
            | Body::Reclaim(_)
            | Body::Succeed(_) => false,
        },
    }
}

/// An offer that was taken before is answered from the ledger.
fn is_known(host: &Host, arrival: &Arrival) -> bool {
    let (state, tid) = (host.node.state(), arrival.statement.sid());
    let track = state.transfers.get(&tid).and_then(|id| state.track(id));
    track.and_then(|t| t.transfers.get(&tid)).is_some_and(|t| t.arrived)
}

/// A count that has reached its bound is taken again no more often than this: it goes through all tracks.
const COUNT_EVERY: Duration = Duration::from_secs(10);

/// How many undecided offers each peer has in each inbox, counted only when it may matter.
#[derive(Debug, Default)]
pub(crate) struct Inboxes {
    counts: BTreeMap<(AgencyId, AgencyId), (usize, Instant)>,
    /// Those who found no room.
    pub(crate) full: Complaints,
}

impl Inboxes {
    /// Whether an offer finds room; it is counted as taken. Between two counts decided ones count too.
    pub(crate) fn admits(&mut self, cap: usize, host: &Host, arrival: &Arrival) -> bool {
        let state = host.node.state();
        let Body::Offer(offer) = &arrival.statement.body else { return true };
        if offer.to != state.me || is_known(host, arrival) {
            return true;
        }
        let fresh = || {
            let from = |tid| state.transfers.get(&tid).and_then(|id| state.track(id)?.transfers.get(&tid));
            let theirs = state.tracks.open().filter(|(_, track)| {
                matches!(track.phase, Phase::Inbox(tid) if from(tid).is_some_and(|t| t.from == arrival.from))
            });
            (theirs.count(), Instant::now())
        };
        let count = self.counts.entry((state.me.clone(), arrival.from.clone())).or_insert_with(fresh);
        if count.0 >= cap && count.1.elapsed() >= COUNT_EVERY {
            *count = fresh();
        }
        if count.0 >= cap {
            return false;
        }
        count.0 += 1;
        true
    }
}
