//! Rows of the queues: what they are called, what is in them, and which ones a batch changes.
//!
//! | table | key | value |
//! |---|---|---|
//! | Records | agency, index of the first of records of one commit | their places |
//! | Inbox | agency, index | `InboxEvent` |
//! | Dossiers | agency, number of the first of those that began in one commit | their numbers and ids |
//!
//! A key begins with the agency's id and a zero byte, which no id contains; numbers are big-endian. The number of a dossier
//! is the index of its first record: so lists show the oldest first, and new rows lie beside each other. What a dossier is
//! the loop tells, which has it in memory, as it has the outbox: rows that said it too were a third of all processor time.

use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Track;
use lienthong_core::ids::{AgencyId, Digest, LedgerIndex, TrackId};
use lienthong_core::node::Batch;
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::statement::{Accept, Body, Refuse, Statement};
use lienthong_proto::v1;
use lienthong_store::Position;
use lienthong_store::queues::{Change, Queues, QueuesError, Row, Table};
use prost::Message;
use std::collections::BTreeSet;

/// Beginning of all keys of an agency.
pub(crate) fn of_agency(agency: &AgencyId) -> Vec<u8> {
    [agency.as_str().as_bytes(), &[0]].concat()
}

/// Key of a record, of its event in the inbox, and of the dossier that begins with it.
pub(crate) fn record_key(agency: &AgencyId, index: u64) -> Vec<u8> {
    [&of_agency(agency)[..], &index.to_be_bytes()].concat()
}

/// The number of a dossier in its agency: the index of its first record.
pub(crate) fn number(track: &Track) -> u64 {
    track.entries.first().map_or(0, |entry| entry.index.0)
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
    /// Tracks that it touched.
    pub(crate) touched: BTreeSet<TrackId>,
}

impl Changed {
    /// Takes the batch apart: the records go to the disk.
    pub(crate) fn of(batch: Batch) -> (Self, LedgerIndex, Vec<Record>) {
        let Batch { first, records, touched, .. } = batch;
        let came = (first.0..).zip(&records).filter(|(_, r)| may_be_news(r));
        let came = came.map(|(index, record)| (index, record.clone())).collect();
        (Self { first, came, touched }, first, records)
    }

    /// The rows, for the state right after the batch.
    pub(crate) fn rows(&self, state: &State) -> Vec<Change> {
        let mut rows = Vec::new();
        for (index, record) in &self.came {
            rows.extend(event_row(state, *index, record));
        }
        let number = |id: &TrackId| Some((number(&state.tracks.kept(id)?.read()), *id));
        let begun = self.touched.iter().filter_map(number).filter(|(number, _)| *number >= self.first.0);
        let mut begun: Vec<_> = begun.collect();
        begun.sort_unstable();
        rows.extend(dossier_rows(&state.me, &begun));
        rows
    }
}

/// Dossiers of one commit that one row tells: 36 bytes each, so that it stays below 4 KiB.
const DOSSIERS: usize = 100;

/// Rows that say which dossiers of an agency began in one commit, by number.
pub(crate) fn dossier_rows(agency: &AgencyId, begun: &[(u64, TrackId)]) -> Vec<Change> {
    let row = |begun: &[(u64, TrackId)]| {
        let first = begun[0].0;
        let one =
            |(number, id): &(u64, TrackId)| [&((number - first) as u32).to_be_bytes()[..], &id.0].concat();
        Change::New(Table::Dossiers, record_key(agency, first), begun.iter().flat_map(one).collect())
    };
    begun.chunks(DOSSIERS).map(row).collect()
}

/// The dossiers of an agency after a number, at most so many.
pub(crate) fn dossiers_after(
    queues: &Queues,
    agency: &AgencyId,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<(u64, TrackId)>, QueuesError> {
    let prefix = of_agency(agency);
    let from = after.map_or(0, |after| after.saturating_add(1));
    // The number may lie in the midst of a row.
    let row = queues.at_or_before(Table::Dossiers, &prefix, &record_key(agency, from))?;
    let mut found = row.map(|row| dossiers_of(&prefix, &row)).unwrap_or_default();
    found.retain(|(number, _)| *number >= from);
    let mut start = record_key(agency, from);
    while found.len() < limit {
        let rows = queues.scan(Table::Dossiers, &prefix, Some(&start), limit.div_ceil(DOSSIERS))?;
        let Some((last, _)) = rows.last() else { break };
        start.clone_from(last);
        found.extend(rows.iter().flat_map(|row| dossiers_of(&prefix, row)));
    }
    found.truncate(limit);
    Ok(found)
}

fn dossiers_of(prefix: &[u8], (key, value): &Row) -> Vec<(u64, TrackId)> {
    let Some(Ok(first)) = key.get(prefix.len()..).map(<[u8; 8]>::try_from) else { return Vec::new() };
    let first = u64::from_be_bytes(first);
    let one = |one: &[u8]| {
        let (offset, id) = one.split_first_chunk::<4>()?;
        Some((first + u64::from(u32::from_be_bytes(*offset)), Digest(id.try_into().ok()?)))
    };
    value.chunks(4 + 32).filter_map(one).collect()
}

/// Changes in parts of about so many, in the order of their rows; what changes one row stays together.
pub(crate) fn in_parts(mut changes: Vec<Change>, of: usize) -> Vec<Vec<Change>> {
    // Stable: of one row the last change is the last.
    changes.sort_by(|a, b| a.row().cmp(&b.row()));
    let mut parts: Vec<Vec<Change>> = Vec::new();
    for change in changes {
        match parts.last_mut() {
            Some(part) if part.len() < of || part.last().is_some_and(|last| last.row() == change.row()) => {
                part.push(change);
            }
            _ => parts.push(Vec::from([change])),
        }
    }
    parts
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
    let event = event(state, index, record)?;
    Some(Change::New(Table::Inbox, record_key(&state.me, index), event.encode_to_vec()))
}

fn event(state: &State, index: u64, record: &StatementRecord) -> Option<v1::InboxEvent> {
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
    Some(event)
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
    fn dossiers_are_found_from_any_number_on() {
        let dir = tempfile::tempdir().expect("a folder");
        let queues = Queues::open(&lienthong_store::Config::new(dir.path())).expect("opened").0;
        let [a, b] = ["a", "b"].map(|id| AgencyId::parse(id).expect("an id"));
        let begun =
            |from: u64, count| (0..count).map(move |n| (from + 3 * n, Digest([(from + n) as u8; 32])));
        let commits: [Vec<_>; 3] =
            [begun(7, 250).collect(), begun(900, 1).collect(), begun(901, 120).collect()];
        let mut changes: Vec<_> = commits.iter().flat_map(|begun| dossier_rows(&a, begun)).collect();
        changes.extend(dossier_rows(&b, &[(1, Digest::ZERO)]));
        assert_eq!(changes.len(), 3 + 1 + 2 + 1);
        queues.apply(Position { segment: 1, commit: 4_096, record: 64 }, changes).expect("applied");
        let all: Vec<_> = commits.concat();
        for after in [None, Some(0), Some(7), Some(8), Some(400), Some(899), Some(1_258), Some(9_999)] {
            for limit in [1, 99, 1_000] {
                let found = dossiers_after(&queues, &a, after, limit).expect("looked");
                let due = all.iter().filter(|(number, _)| after.is_none_or(|after| *number > after));
                assert_eq!(found, due.copied().take(limit).collect::<Vec<_>>(), "{after:?} {limit}");
            }
        }
    }

    #[test]
    fn parts_hold_whole_rows_in_order_and_the_last_change_last() {
        let put = |key: u8, value: u8| Change::Put(Table::Inbox, vec![key], vec![value]);
        let changes = vec![put(3, 1), put(1, 1), put(2, 1), put(1, 2), put(2, 2), put(2, 3)];
        let parts = in_parts(changes, 2);
        let expected = [vec![put(1, 1), put(1, 2)], vec![put(2, 1), put(2, 2), put(2, 3)], vec![put(3, 1)]];
        assert_eq!(parts, expected);
        assert!(in_parts(Vec::new(), 2).is_empty());
    }
}
