//! From states to bytes.

use super::{Snapshot, memory};
use crate::statement::hash;
use bytes::Bytes;
use lienthong_core::custody::state::{CommandDone, State};
use lienthong_core::custody::track::{Entry, Phase, Track, Transfer};
use lienthong_core::delivery::outbox::{Awaits, Row, RowKey};
use lienthong_core::ids::Digest;
use lienthong_core::statement::{Channel, Commitment, RefusalCause};
use lienthong_proto::v1;
use prost::Message;

/// An encoded `Snapshot`.
pub fn encode(snapshot: &Snapshot) -> Vec<u8> {
    v1::Snapshot {
        format: 1,
        position: Bytes::copy_from_slice(&snapshot.position),
        physical_head: hash(snapshot.physical_head),
        agencies: snapshot.states.iter().map(agency).collect(),
    }
    .encode_to_vec()
}

fn agency(state: &State) -> v1::AgencySnapshot {
    let mut encoded = v1::AgencySnapshot {
        agency: state.me.as_str().into(),
        incarnation: state.incarnation.0,
        size: state.next.0,
        head: hash(state.durable.hash),
        tracks: state.tracks.iter().map(|(id, kept)| track(id, &kept.read())).collect(),
        commands: state.commands.iter().map(|(key, done)| command(key, done)).collect(),
        numbers: state
            .numbers
            .iter()
            .map(|(day, number)| v1::NumberSnapshot { day: day.to_string(), number: *number })
            .collect(),
        outbox: state.outbox.rows().map(outbox).collect(),
        quarantined: state
            .quarantined
            .iter()
            .map(|(peer, kept)| v1::QuarantineSnapshot {
                peer: peer.as_str().into(),
                indices: kept.values().map(|i| i.0).collect(),
                digests: kept.keys().map(|d| hash(*d)).collect(),
            })
            .collect(),
        ..Default::default()
    };
    memory::put(&state.memory, &mut encoded);
    encoded
}

fn track(id: &Digest, t: &Track) -> v1::TrackSnapshot {
    let (phase, tid) = match t.phase {
        Phase::Followed => (v1::Phase::Followed, None),
        Phase::Held => (v1::Phase::Held, None),
        Phase::Offered(tid) => (v1::Phase::Offered, Some(tid)),
        Phase::Inbox(tid) => (v1::Phase::Inbox, Some(tid)),
        Phase::Gone => (v1::Phase::Gone, None),
        Phase::Out => (v1::Phase::Out, None),
    };
    v1::TrackSnapshot {
        id: hash(*id),
        origin: t.origin.as_str().into(),
        code: t.code.to_string(),
        procedure_code: t.procedure.to_string(),
        procedure_version: t.procedure_version,
        channel: match t.channel {
            Channel::Counter => v1::Channel::Counter,
            Channel::Online => v1::Channel::Online,
            Channel::Post => v1::Channel::Post,
        } as i32,
        received_at_ms: t.received_at.0,
        due_at_ms: t.due_at.map(|d| d.0),
        commitment: t.commitment.as_ref().map(commitment),
        content: t.content.map(|i| i.0),
        phase: phase as i32,
        phase_tid: optional(tid),
        hop: t.hop.0,
        entries: t.entries.iter().map(entry).collect(),
        transfers: t.transfers.iter().map(|(tid, t)| transfer(tid, t)).collect(),
        completed: optional(t.completed),
        returned: optional(t.returned),
    }
}

fn commitment(c: &Commitment) -> v1::ContentCommitment {
    v1::ContentCommitment { format: c.format.clone(), commitment: hash(c.digest), length: c.length }
}

fn entry(e: &Entry) -> v1::EntrySnapshot {
    v1::EntrySnapshot {
        sid: hash(e.sid),
        kind: e.kind.name().into(),
        prev: optional(e.prev),
        index: e.index.0,
        answer: e.answer.map(|i| i.0),
        maker: e.maker.as_str().into(),
        cause: of_cause(e.cause) as i32,
        size: e.size,
    }
}

fn transfer(tid: &Digest, t: &Transfer) -> v1::TransferSnapshot {
    v1::TransferSnapshot {
        tid: hash(*tid),
        hop: t.hop.0,
        from: t.from.as_str().into(),
        to: t.to.as_str().into(),
        offer: t.offer.0,
        arrived: t.arrived,
        receipt: t.receipt.map(|i| i.0),
        outcome: optional(t.outcome.map(|o| o.sid)),
        outcome_index: t.outcome.map_or(0, |o| o.index.0),
        refused: of_cause(t.outcome.and_then(|o| o.refused)) as i32,
        cancel: t.cancel.map(|i| i.0),
    }
}

fn of_cause(cause: Option<RefusalCause>) -> v1::RefusalCause {
    match cause {
        None => v1::RefusalCause::Unspecified,
        Some(RefusalCause::Officer) => v1::RefusalCause::Officer,
        Some(RefusalCause::Recalled) => v1::RefusalCause::Recalled,
        Some(RefusalCause::Policy) => v1::RefusalCause::Policy,
    }
}

fn command(key: &str, done: &CommandDone) -> v1::CommandSnapshot {
    v1::CommandSnapshot {
        key: key.into(),
        digest: hash(done.digest),
        track: hash(done.track),
        sid: hash(done.sid),
        index: done.index.0,
    }
}

fn outbox(((index, to), row): (&RowKey, &Row)) -> v1::OutboxSnapshot {
    v1::OutboxSnapshot {
        index: index.0,
        to: to.as_str().into(),
        sid: hash(row.sid),
        kind: row.kind.name().into(),
        track: hash(row.track),
        awaits: match row.awaits {
            Awaits::Receipt => v1::AwaitsSnapshot::Receipt,
            Awaits::Decision => v1::AwaitsSnapshot::Decision,
            Awaits::Answer => v1::AwaitsSnapshot::Answer,
            Awaits::Ack => v1::AwaitsSnapshot::Ack,
        } as i32,
        since_ms: row.since.0,
    }
}

fn optional(digest: Option<Digest>) -> Bytes {
    digest.map(hash).unwrap_or_default()
}
