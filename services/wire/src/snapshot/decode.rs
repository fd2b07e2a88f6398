//! From bytes to states; anything unexpected makes the snapshot unusable, and nothing is lost by that.

use super::{Snapshot, Unusable, memory};
use crate::statement;
use bytes::Bytes;
use lienthong_core::custody::state::{CommandDone, State};
use lienthong_core::custody::track::{Entry, Outcome, Phase, Track, Transfer};
use lienthong_core::custody::transfers::Transfers;
use lienthong_core::delivery::outbox::{Awaits, Outbox, Row, RowKey};
use lienthong_core::ids::{AgencyId, Digest, Head, Hop, Incarnation, LedgerIndex, WallMs};
use lienthong_core::statement::{Channel, Commitment, Kind, RefusalCause};
use lienthong_proto::v1;
use prost::Message;

/// Decodes a snapshot whose hash was checked.
///
/// # Errors
/// [`Unusable`], which names what is wrong.
pub fn decode(bytes: &[u8]) -> Result<Snapshot, Unusable> {
    let message = v1::Snapshot::decode(bytes).map_err(|_| Unusable("encoding"))?;
    if message.format != 1 {
        return Err(Unusable("format"));
    }
    Ok(Snapshot {
        position: message.position.to_vec(),
        physical_head: digest(&message.physical_head)?,
        states: message.agencies.into_iter().map(state).collect::<Result<_, _>>()?,
    })
}

fn state(m: v1::AgencySnapshot) -> Result<State, Unusable> {
    let mut state = State::new(agency(&m.agency)?);
    state.memory = memory::take(&m)?;
    state.incarnation = Incarnation(m.incarnation);
    state.next = LedgerIndex(m.size);
    state.durable = Head { size: m.size, hash: digest(&m.head)? };
    for t in m.tracks {
        state.tracks.insert(digest(&t.id)?, track(t)?);
    }
    state.tracks.settle();
    for c in m.commands {
        let done = CommandDone {
            digest: digest(&c.digest)?,
            track: digest(&c.track)?,
            sid: digest(&c.sid)?,
            index: LedgerIndex(c.index),
        };
        state.commands.insert(c.key.into(), done);
    }
    state.numbers = m.numbers.into_iter().map(|n| (n.day.into(), n.number)).collect();
    state.outbox = Outbox::from_rows(m.outbox.into_iter().map(row).collect::<Result<Vec<_>, _>>()?);
    for q in m.quarantined {
        let digests = q.digests.iter().map(digest).collect::<Result<Vec<_>, _>>()?;
        let kept = digests.into_iter().zip(q.indices.into_iter().map(LedgerIndex)).collect();
        state.quarantined.insert(agency(&q.peer)?, kept);
    }
    state.index_tracks();
    Ok(state)
}

fn track(m: v1::TrackSnapshot) -> Result<Track, Unusable> {
    let tid = optional(&m.phase_tid)?;
    let phase = match (m.phase(), tid) {
        (v1::Phase::Followed, None) => Phase::Followed,
        (v1::Phase::Held, None) => Phase::Held,
        (v1::Phase::Offered, Some(tid)) => Phase::Offered(tid),
        (v1::Phase::Inbox, Some(tid)) => Phase::Inbox(tid),
        (v1::Phase::Gone, None) => Phase::Gone,
        (v1::Phase::Out, None) => Phase::Out,
        _ => return Err(Unusable("phase")),
    };
    let channel = match m.channel() {
        v1::Channel::Counter => Channel::Counter,
        v1::Channel::Online => Channel::Online,
        v1::Channel::Post => Channel::Post,
        v1::Channel::Unspecified => return Err(Unusable("channel")),
    };
    let mut transfers = Transfers::default();
    for t in m.transfers {
        transfers.add(digest(&t.tid)?, transfer(t)?);
    }
    Ok(Track {
        origin: agency(&m.origin)?,
        code: m.code.into(),
        procedure: m.procedure_code.into(),
        procedure_version: m.procedure_version,
        channel,
        received_at: WallMs(m.received_at_ms),
        due_at: m.due_at_ms.map(WallMs),
        commitment: m.commitment.map(commitment).transpose()?,
        content: m.content.map(LedgerIndex),
        phase,
        hop: Hop(m.hop),
        entries: m.entries.into_iter().map(entry).collect::<Result<_, _>>()?,
        transfers,
        completed: optional(&m.completed)?,
        returned: optional(&m.returned)?,
    })
}

fn commitment(m: v1::ContentCommitment) -> Result<Commitment, Unusable> {
    Ok(Commitment { digest: digest(&m.commitment)?, format: m.format, length: m.length })
}

fn entry(m: v1::EntrySnapshot) -> Result<Entry, Unusable> {
    Ok(Entry {
        sid: digest(&m.sid)?,
        kind: kind(&m.kind)?,
        prev: optional(&m.prev)?,
        index: LedgerIndex(m.index),
        answer: m.answer.map(LedgerIndex),
        maker: agency(&m.maker)?,
        cause: cause(m.cause()),
        size: m.size,
    })
}

fn transfer(m: v1::TransferSnapshot) -> Result<Transfer, Unusable> {
    let refused = cause(m.refused());
    let outcome =
        optional(&m.outcome)?.map(|sid| Outcome { sid, index: LedgerIndex(m.outcome_index), refused });
    Ok(Transfer {
        hop: Hop(m.hop),
        from: agency(&m.from)?,
        to: agency(&m.to)?,
        offer: LedgerIndex(m.offer),
        arrived: m.arrived,
        receipt: m.receipt.map(LedgerIndex),
        outcome,
        cancel: m.cancel.map(LedgerIndex),
    })
}

fn cause(cause: v1::RefusalCause) -> Option<RefusalCause> {
    match cause {
        v1::RefusalCause::Unspecified => None,
        v1::RefusalCause::Officer => Some(RefusalCause::Officer),
        v1::RefusalCause::Recalled => Some(RefusalCause::Recalled),
        v1::RefusalCause::Policy => Some(RefusalCause::Policy),
    }
}

fn row(m: v1::OutboxSnapshot) -> Result<(RowKey, Row), Unusable> {
    let awaits = match m.awaits() {
        v1::AwaitsSnapshot::Receipt => Awaits::Receipt,
        v1::AwaitsSnapshot::Decision => Awaits::Decision,
        v1::AwaitsSnapshot::Answer => Awaits::Answer,
        v1::AwaitsSnapshot::Ack => Awaits::Ack,
        v1::AwaitsSnapshot::Unspecified => return Err(Unusable("outbox")),
    };
    let row = Row {
        sid: digest(&m.sid)?,
        kind: kind(&m.kind)?,
        track: digest(&m.track)?,
        awaits,
        since: WallMs(m.since_ms),
    };
    Ok(((LedgerIndex(m.index), agency(&m.to)?), row))
}

fn kind(name: &str) -> Result<Kind, Unusable> {
    Kind::ALL.into_iter().find(|k| k.name() == name).ok_or(Unusable("kind"))
}

pub(super) fn digest(bytes: &Bytes) -> Result<Digest, Unusable> {
    statement::digest(bytes).map_err(|_| Unusable("hash"))
}

pub(super) fn optional(bytes: &Bytes) -> Result<Option<Digest>, Unusable> {
    if bytes.is_empty() { Ok(None) } else { digest(bytes).map(Some) }
}

pub(super) fn agency(id: &str) -> Result<AgencyId, Unusable> {
    statement::agency(id).map_err(|_| Unusable("agency"))
}
