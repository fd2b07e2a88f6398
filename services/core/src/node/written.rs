//! What a record touches: its outbox rows, and the bytes it takes.

use crate::custody::state::State;
use crate::delivery::outbox::RowKey;
use crate::ids::LedgerIndex;
use crate::limits;
use crate::record::Record;
use crate::recovery::Word;
use crate::statement::Body;
use alloc::vec::Vec;

/// Outbox rows a record may free or change, those of what it answers, before it is applied. What it adds has its own place.
pub(super) fn rows_answered(state: &State, record: &Record) -> Vec<RowKey> {
    let Record::Statement(record) = record else { return Vec::new() };
    let statement = &*record.statement;
    let outbox = &state.outbox;
    let mut indices = Vec::new();
    let mut of_transfer = |tid| {
        let track = state.transfers.get(tid).and_then(|id| state.track(id));
        let transfer = track.and_then(|t| t.transfers.get(tid));
        indices.extend(transfer.into_iter().flat_map(|t| [Some(t.offer), t.cancel]).flatten());
    };
    match &statement.body {
        Body::Received(items) => items.iter().for_each(|i| of_transfer(&i.tid)),
        Body::Accept(b) => of_transfer(&b.tid),
        Body::Refuse(b) => of_transfer(&b.tid),
        Body::Reclaim(b) => of_transfer(&b.tid),
        Body::Ack(items) => {
            let from = &statement.claim.agency;
            indices.extend(items.iter().filter_map(|i| outbox.awaiting_ack(&i.sid, from)));
        }
        // A fence sends offers again, a recovery's end lets everything go.
        Body::Recovery(Word::Fence { .. } | Word::Resumed { last: true, .. }) => {
            let (maker, me) = (&statement.claim.agency, &state.me);
            return outbox.rows().map(|(k, _)| k).filter(|k| maker == me || k.1 == *maker).cloned().collect();
        }
        Body::Retire(retire) => {
            return outbox.rows().map(|(k, _)| k).filter(|k| k.1 == retire.agency).cloned().collect();
        }
        _ => {}
    }
    indices.into_iter().flat_map(|i| rows_of(state, i)).collect()
}

/// Outbox rows of the statement at a place.
pub(super) fn rows_of(state: &State, index: LedgerIndex) -> impl Iterator<Item = RowKey> {
    state.outbox.of(index).map(|(key, _)| key.clone())
}

/// Bytes a record takes on disk, at the most: what it carries, and room for its frame, its proof and its fields.
pub(super) fn stored_bytes(record: &Record) -> usize {
    const ROOM: usize = 600;
    ROOM + match record {
        Record::Statement(record) => {
            let content = record.content.as_ref().map_or(0, |c| c.len());
            let trace = record.trace.as_ref().map_or(0, |t| t.traceparent.len() + t.tracestate.len());
            record.statement.sealed.body.len() + content + trace
        }
        Record::Quarantined(kept) => kept.bytes.as_ref().map_or(0, |b| b.len()),
        Record::QuarantineSettled(settled) => settled.why.len() + 2 * limits::OFFICER_BYTES,
        Record::ContentRead { purpose, .. } => purpose.len() + 2 * limits::OFFICER_BYTES,
        Record::Opened { .. } | Record::SnapshotTaken { .. } => 0,
    }
}
