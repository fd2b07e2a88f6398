//! From the core's state to the messages callers see.

use crate::engine::Level;
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::{Phase, Track, Transfer};
use lienthong_core::delivery::courier::Trouble;
use lienthong_core::delivery::outbox::{Awaits, Row, RowKey};
use lienthong_core::ids::{Tid, TrackId};
use lienthong_core::statement::{Channel, RefusalCause};
use lienthong_proto::v1;

pub(crate) fn phase(phase: Phase, closed: bool) -> v1::Phase {
    match phase {
        _ if closed => v1::Phase::Closed,
        Phase::Followed => v1::Phase::Followed,
        Phase::Held => v1::Phase::Held,
        Phase::Offered(_) => v1::Phase::Offered,
        Phase::Inbox(_) => v1::Phase::Inbox,
        Phase::Gone => v1::Phase::Gone,
        Phase::Out => v1::Phase::Out,
    }
}

pub(crate) fn level(level: Level) -> v1::AckLevel {
    match level {
        Level::Stored => v1::AckLevel::Stored,
        Level::Received => v1::AckLevel::Received,
        Level::Decided => v1::AckLevel::Decided,
        Level::Acknowledged => v1::AckLevel::Acknowledged,
    }
}

fn channel(channel: Channel) -> v1::Channel {
    match channel {
        Channel::Counter => v1::Channel::Counter,
        Channel::Online => v1::Channel::Online,
        Channel::Post => v1::Channel::Post,
    }
}

pub(crate) fn dossier(state: &State, id: &TrackId, track: &Track) -> v1::Dossier {
    v1::Dossier {
        id: id.to_string(),
        code: track.code.to_string(),
        procedure_code: track.procedure.to_string(),
        channel: channel(track.channel) as i32,
        received_at_agency: track.origin.to_string(),
        phase: phase(track.phase, track.returned.is_some()) as i32,
        custodian: track.custodian().to_string(),
        hand_off: track.last_transfer().map(|(tid, t)| hand_off(state, tid, t)),
        completed: track.completed.is_some(),
        content_length: track.commitment.as_ref().map_or(0, |c| c.length),
        hops: track.hop.0,
        due_at_ms: track.due_at.map(|d| d.0),
        received_at_ms: track.received_at.0,
    }
}

fn hand_off(state: &State, tid: &Tid, t: &Transfer) -> v1::HandOff {
    use v1::HandOffOutcome as O;
    let outcome = match t.outcome.map(|o| o.refused) {
        None => O::Open,
        Some(None) => O::Accepted,
        Some(Some(RefusalCause::Recalled)) => O::Recalled,
        Some(Some(RefusalCause::Officer | RefusalCause::Policy)) => O::Refused,
        Some(Some(RefusalCause::Reclaimed)) => O::Reclaimed,
        Some(Some(RefusalCause::Succeeded)) => O::Succeeded,
    };
    // At the decider the decision is acknowledged once its outbox row is free.
    let acknowledged =
        t.to == state.me && t.outcome.is_some_and(|o| state.outbox.row(&(o.index, t.from.clone())).is_none());
    let reached = if acknowledged { Level::Acknowledged } else { Level::of(t) };
    v1::HandOff {
        id: tid.to_string(),
        hop: t.hop.0,
        from: t.from.to_string(),
        to: t.to.to_string(),
        level: level(reached) as i32,
        outcome: outcome as i32,
        recall_requested: t.cancel.is_some(),
    }
}

/// Why a row waits: the courier's trouble when it has one, else what the row awaits.
pub(crate) fn wait_reason(awaits: Awaits, trouble: Option<Trouble>) -> v1::WaitReason {
    match (awaits, trouble) {
        (Awaits::Decision, _) => v1::WaitReason::Decision,
        (_, Some(Trouble::NoMailbox)) => v1::WaitReason::NoMailbox,
        (_, Some(Trouble::MailboxFull)) => v1::WaitReason::MailboxFull,
        (_, Some(Trouble::Unreachable)) => v1::WaitReason::Unreachable,
        (Awaits::Receipt | Awaits::Answer | Awaits::Ack, None) => v1::WaitReason::Receipt,
    }
}

/// A row of the outbox, and how often it was sent.
pub(crate) fn outbox_row(
    (index, to): &RowKey,
    row: &Row,
    attempts: u32,
    reason: v1::WaitReason,
) -> v1::OutboxRow {
    v1::OutboxRow {
        statement_id: row.sid.to_string(),
        ledger_index: index.0,
        kind: row.kind.name().to_owned(),
        to: to.to_string(),
        dossier_id: row.track.to_string(),
        reason: reason as i32,
        since_ms: row.since.0,
        attempts,
    }
}
