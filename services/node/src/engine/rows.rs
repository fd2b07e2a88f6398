//! Rows of the queues: what they are called, what is in them, and which ones a batch changes.
//!
//! | table | key | value |
//! |---|---|---|
//! | Records | agency, index of the first of records of one commit | their places |
//! | Outbox | agency, index, receiver | `OutboxRow` |
//! | Inbox | agency, index | number of its dossier, `InboxEvent` |
//! | Dossiers | agency, number | `Dossier` |
//! | States | agency, phase, number | nothing |
//!
//! A key begins with the agency's id and a zero byte, which no id contains; numbers are big-endian. The number of a dossier
//! is the index of its first record: so lists show the oldest first, and new rows lie beside each other.

use crate::grpc::shape;
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Track;
use lienthong_core::delivery::outbox::RowKey;
use lienthong_core::ids::{AgencyId, LedgerIndex, TrackId};
use lienthong_core::node::Batch;
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::statement::{Accept, Body, Refuse, Statement};
use lienthong_proto::v1;
use lienthong_store::Position;
use lienthong_store::queues::{Change, Queues, QueuesError, Table};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};

/// Length of a dossier's number, the end of its key.
const NUMBER_BYTES: usize = 8;

/// Beginning of all keys of an agency.
pub(crate) fn of_agency(agency: &AgencyId) -> Vec<u8> {
    [agency.as_str().as_bytes(), &[0]].concat()
}

/// Key of a record, of its event in the inbox, of the dossier that begins with it, and beginning of its rows in the outbox.
pub(crate) fn record_key(agency: &AgencyId, index: u64) -> Vec<u8> {
    [&of_agency(agency)[..], &index.to_be_bytes()].concat()
}

/// The number of a dossier in its agency: the index of its first record.
fn number(track: &Track) -> u64 {
    track.entries.first().map_or(0, |entry| entry.index.0)
}

/// Beginning of the keys of dossiers in a phase.
pub(crate) fn phase_prefix(agency: &AgencyId, phase: v1::Phase) -> Vec<u8> {
    [&of_agency(agency)[..], &[phase as u8]].concat()
}

fn outbox_key(agency: &AgencyId, index: LedgerIndex, to: &AgencyId) -> Vec<u8> {
    [&record_key(agency, index.0)[..], to.as_str().as_bytes()].concat()
}

/// Records of one commit that one row tells the places of: 4 bytes each, so that it stays below 2 KiB.
const PLACES: usize = 480;

/// Rows that say where an agency's records of one commit are; they follow each other from `first` on.
pub(crate) fn record_rows(agency: &AgencyId, first: u64, places: &[Position]) -> Vec<Change> {
    let chunks = places.chunks(PLACES).zip((first..).step_by(PLACES));
    let row = |(places, first): (&[Position], u64)| {
        let commit = places[0].to_bytes();
        let mut value = commit[..8].to_vec();
        value.extend(places.iter().flat_map(|place| place.record.to_be_bytes()));
        Change::New(Table::Records, record_key(agency, first), value)
    };
    chunks.map(row).collect()
}

/// Where a record is; `None` when no row says so.
pub(crate) fn place(queues: &Queues, agency: &AgencyId, index: u64) -> Result<Option<Position>, QueuesError> {
    let prefix = of_agency(agency);
    let row = queues.at_or_before(Table::Records, &prefix, &record_key(agency, index))?;
    Ok(row.and_then(|(key, value)| {
        let first = u64::from_be_bytes(key.get(prefix.len()..)?.try_into().ok()?);
        let (commit, records) = value.split_at_checked(8)?;
        let nth = usize::try_from(index.checked_sub(first)?).ok()?;
        let record = records.get(nth.checked_mul(4)?..)?.get(..4)?;
        Position::from_slice(&[commit, record].concat())
    }))
}

/// What a batch changes, while its records are on their way to the disk.
#[derive(Debug)]
pub(crate) struct Changed {
    first: LedgerIndex,
    /// Records of which an officer may be told.
    came: Vec<(u64, Record)>,
    outbox: BTreeSet<RowKey>,
    /// Tracks that it touched.
    pub(crate) touched: BTreeSet<TrackId>,
}

impl Changed {
    /// Takes the batch apart: the records go to the disk.
    pub(crate) fn of(batch: Batch) -> (Self, LedgerIndex, Vec<Record>) {
        let Batch { first, records, touched, rows: outbox } = batch;
        let came = (first.0..).zip(&records).filter(|(_, r)| may_be_news(r));
        let came = came.map(|(index, record)| (index, record.clone())).collect();
        (Self { first, came, outbox, touched }, first, records)
    }

    /// The rows, for the state right after the batch.
    pub(crate) fn rows(&self, state: &State) -> Vec<Change> {
        let mut rows = Vec::new();
        for (index, record) in &self.came {
            rows.extend(event_row(state, *index, record));
        }
        for (index, to) in &self.outbox {
            rows.push(match outbox_row(state, *index, to) {
                Change::Put(table, key, value) if *index >= self.first => Change::New(table, key, value),
                other => other,
            });
        }
        for id in &self.touched {
            rows.extend(state.tracks.kept(id).map(|kept| dossier_row(state, id, &kept.read())));
        }
        rows
    }
}

/// A row of the outbox, or its end.
pub(crate) fn outbox_row(state: &State, index: LedgerIndex, to: &AgencyId) -> Change {
    let key = outbox_key(&state.me, index, to);
    match state.outbox.row(&(index, to.clone())) {
        Some(row) => Change::Put(Table::Outbox, key, shape::outbox_row(index, to, row).encode_to_vec()),
        None => Change::Delete(Table::Outbox, key),
    }
}

/// A dossier. [`with_phases`] puts the row of its phase beside it.
pub(crate) fn dossier_row(state: &State, id: &TrackId, track: &Track) -> Change {
    let dossier = shape::dossier(state, id, track);
    Change::Put(Table::Dossiers, record_key(&state.me, number(track)), dossier.encode_to_vec())
}

/// The changes, each dossier once, and with it the one phase it is listed under: it leaves the phase that its row shows
/// so far.
pub(crate) fn with_phases(queues: &Queues, changes: Vec<Change>) -> Result<Vec<Change>, QueuesError> {
    let mut dossiers: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut all = Vec::with_capacity(changes.len());
    for change in changes {
        match change {
            Change::Put(Table::Dossiers, key, value) => drop(dossiers.insert(key, value)),
            other => all.push(other),
        }
    }
    for (key, value) in dossiers {
        let was = queues.get(Table::Dossiers, &key)?;
        let (left, phase) = (was.as_deref().map(phase_of), phase_of(&value));
        if left != Some(phase) {
            all.extend(left.map(|left| Change::Remove(Table::States, state_key(&key, left), Vec::new())));
            all.push(Change::New(Table::States, state_key(&key, phase), Vec::new()));
        }
        all.push(match was {
            Some(was) => Change::Replace(Table::Dossiers, key, was, value),
            None => Change::New(Table::Dossiers, key, value),
        });
    }
    Ok(all)
}

/// The phase a dossier's row shows.
fn phase_of(row: &[u8]) -> v1::Phase {
    // The rows are our own, and the sum over them proves them when they are opened.
    OnlyPhase::decode(row).unwrap_or_default().phase()
}

/// A `Dossier` of which nothing else is read.
#[derive(Clone, PartialEq, prost::Message)]
struct OnlyPhase {
    #[prost(enumeration = "v1::Phase", tag = "6")]
    phase: i32,
}

/// Key of a dossier, told by its own key, in the list of a phase.
fn state_key(dossier: &[u8], phase: v1::Phase) -> Vec<u8> {
    let (agency, number) = dossier.split_at(dossier.len() - NUMBER_BYTES);
    [agency, &[phase as u8], number].concat()
}

/// What comes from others may be news, and of what is made here only what no officer asked for.
fn may_be_news(record: &Record) -> bool {
    let Record::Statement(record) = record else { return false };
    match record.origin {
        Origin::Taken | Origin::Learned => true,
        Origin::Made | Origin::Returned => matches!(record.statement.body, Body::Succeed(_)),
    }
}

/// The event of a record that came in, if it is news for an officer.
pub(crate) fn event_row(state: &State, index: u64, record: &Record) -> Option<Change> {
    let Record::Statement(record) = record else { return None };
    let (number, event) = event(state, index, record)?;
    let mut value = number.to_be_bytes().to_vec();
    event.encode(&mut value).ok()?;
    Some(Change::New(Table::Inbox, record_key(&state.me, index), value))
}

/// An event of the inbox, and the number of its dossier.
pub(crate) fn read_event(value: &[u8]) -> Option<(u64, v1::InboxEvent)> {
    let (number, event) = value.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), v1::InboxEvent::decode(event).ok()?))
}

fn event(state: &State, index: u64, record: &StatementRecord) -> Option<(u64, v1::InboxEvent)> {
    use v1::InboxEventKind as K;
    let statement = &*record.statement;
    let id = statement.track()?;
    let kept = state.tracks.kept(&id)?;
    let track = &*kept.read();
    let given = |tid| track.transfers.get(tid).is_some_and(|t| t.from == state.me);
    let is_news = match record.origin {
        Origin::Made | Origin::Returned => matches!(statement.body, Body::Succeed(_)),
        Origin::Taken => true,
        Origin::Learned => is_learned_news(statement, track, &state.me),
    };
    if !is_news {
        return None;
    }
    let (kind, tid) = match &statement.body {
        Body::Offer(offer) if offer.to == state.me => (K::Offered, Some(statement.sid())),
        Body::Accept(b) if given(&b.tid) => (K::Accepted, Some(b.tid)),
        Body::Refuse(b) if given(&b.tid) => (K::Refused, Some(b.tid)),
        Body::Cancel(b) => (K::Recalled, Some(b.tid)),
        Body::Offer(_) => (K::Followed, Some(statement.sid())),
        Body::Accept(b) => (K::Followed, Some(b.tid)),
        Body::Refuse(b) => (K::Followed, Some(b.tid)),
        Body::Reclaim(b) => (K::Followed, Some(b.tid)),
        Body::Succeed(_) if statement.claim.agency == state.me => (K::Succeeded, None),
        Body::Succeed(_) => (K::Followed, None),
        Body::Note(_) | Body::Completed(_) | Body::Returned(_) => (K::Followed, None),
        Body::Intake(_)
        | Body::Received(_)
        | Body::Ack(_)
        | Body::Checkpoint { .. }
        | Body::Recovery(_)
        | Body::Retire(_) => return None,
    };
    let event = v1::InboxEvent {
        cursor: index,
        kind: kind as i32,
        dossier_id: id.to_string(),
        dossier_code: track.code.to_string(),
        hand_off_id: tid.map_or_else(String::new, |t| t.to_string()),
        from: statement.claim.agency.to_string(),
        statement_id: statement.sid().to_string(),
        made_at_ms: statement.claim.made_at.0,
        undecided: false,
    };
    Some((number(track), event))
}

/// A certificate may bring what its own envelope has not brought yet. The late envelope is a duplicate then, so whoever
/// gave or took in the dossier is told now or never. To everyone else a certificate is only history.
fn is_learned_news(statement: &Statement, track: &Track, me: &AgencyId) -> bool {
    let is_origin = track.origin == *me;
    match &statement.body {
        Body::Accept(Accept { tid, .. }) | Body::Refuse(Refuse { tid, .. }) => {
            is_origin || track.transfers.get(tid).is_some_and(|t| t.from == *me)
        }
        // One to this agency came with a recall, or comes still: it is in the inbox only when it arrives itself.
        Body::Offer(offer) => is_origin && offer.to != *me,
        Body::Note(_) | Body::Completed(_) | Body::Returned(_) | Body::Reclaim(_) | Body::Succeed(_) => {
            is_origin
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_where_the_rows_tell_them() {
        let dir = tempfile::tempdir().expect("a folder");
        let config = lienthong_store::Config::new(dir.path());
        let queues = Queues::open(&config).expect("opened").0;
        let agency = |id: &str| AgencyId::parse(id).expect("an id");
        let place = |record| Position { segment: 2, commit: 8_192, record };
        let places: Vec<_> = (0..1_000).map(|n| place(100 + 7 * n)).collect();
        let mut changes = record_rows(&agency("a"), 5, &places);
        assert_eq!(changes.len(), 3);
        changes.extend(record_rows(&agency("b"), 1_004, &[place(3)]));
        queues.apply(place(9), changes).expect("applied");
        for (index, at) in (5..).zip(&places) {
            assert_eq!(super::place(&queues, &agency("a"), index).expect("looked"), Some(*at));
        }
        let none = [("a", 4), ("a", 1_005), ("b", 1_003), ("b", 1_005), ("c", 0)];
        for (id, index) in none {
            assert_eq!(super::place(&queues, &agency(id), index).expect("looked"), None, "{id} {index}");
        }
    }

    #[test]
    fn the_phase_is_read_where_a_dossier_has_it() {
        for phase in [v1::Phase::Held, v1::Phase::Offered, v1::Phase::Closed] {
            let dossier = v1::Dossier { id: "id".into(), hops: 7, phase: phase as i32, ..Default::default() };
            assert_eq!(phase_of(&dossier.encode_to_vec()), phase);
        }
    }
}
