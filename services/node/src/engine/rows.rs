//! Rows of the queues: what they are called, what is in them, and which ones a batch changes.
//!
//! | table | key | value |
//! |---|---|---|
//! | Records | agency, index of the first of records of one commit | their places |
//! | Inbox | agency, index of the first of records of one commit | places and dossiers of those that are news |
//! | Dossiers | agency, number of the first of those that began in one commit | their numbers and ids |
//!
//! A key begins with the agency's id and a zero byte, which no id contains; numbers are big-endian. The number of a dossier
//! is the index of its first record: so lists show the oldest first, and new rows lie beside each other. What a dossier is
//! the loop tells, which has it in memory, as it has the outbox, and what an event is the ledger: rows that said it too were
//! a third of all processor time.

use super::news::{self, News};
use super::places::Run;
use lienthong_core::custody::state::State;
use lienthong_core::custody::track::Track;
use lienthong_core::ids::{AgencyId, Digest, LedgerIndex, TrackId};
use lienthong_core::node::Batch;
use lienthong_core::record::Record;
use lienthong_store::Position;
use lienthong_store::queues::{Change, Queues, QueuesError, Row, Table};
use std::collections::BTreeSet;

/// Beginning of all keys of an agency.
pub(crate) fn of_agency(agency: &AgencyId) -> Vec<u8> {
    [agency.as_str().as_bytes(), &[0]].concat()
}

/// Key of a row about records from one on, or about dossiers that begin with them.
pub(crate) fn record_key(agency: &AgencyId, index: u64) -> Vec<u8> {
    [&of_agency(agency)[..], &index.to_be_bytes()].concat()
}

/// Where a page begins: behind a cursor.
pub(crate) fn next(after: Option<u64>) -> u64 {
    after.map_or(0, |after| after.saturating_add(1))
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

/// The records of one commit that the row tells in which a record's place would be, with the index of the first; `None`
/// when there is no such row.
pub(crate) fn run(queues: &Queues, agency: &AgencyId, index: u64) -> Result<Option<(u64, Run)>, QueuesError> {
    let prefix = of_agency(agency);
    let row = queues.at_or_before(Table::Records, &prefix, &record_key(agency, index))?;
    Ok(row.and_then(|(key, value)| {
        let first = u64::from_be_bytes(key.get(prefix.len()..)?.try_into().ok()?);
        let (commit, records) = value.split_at_checked(8)?;
        let commit = Position::from_slice(&[commit, &[0; 4]].concat())?;
        let (records, _) = records.as_chunks::<4>();
        let records = records.iter().map(|record| u32::from_be_bytes(*record)).collect();
        Some((first, Run { commit, records }))
    }))
}

/// What a batch changes, while its records are on their way to the disk.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) first: LedgerIndex,
    /// Records of which an officer may be told.
    came: Vec<(u64, Record)>,
    /// Tracks that it touched.
    pub(crate) touched: BTreeSet<TrackId>,
}

impl Changed {
    /// Takes the batch apart: the records go to the disk.
    pub(crate) fn of(batch: Batch) -> (Self, LedgerIndex, Vec<Record>) {
        let Batch { first, records, touched } = batch;
        let came = (first.0..).zip(&records).filter(|(_, r)| news::may_be(r));
        let came = came.map(|(index, record)| (index, record.clone())).collect();
        (Self { first, came, touched }, first, records)
    }

    /// What of it is news for an officer, for the state right after the batch.
    pub(crate) fn news(&self, state: &State) -> Vec<News> {
        let news = |(index, record): &(u64, Record)| match record {
            Record::Statement(record) => news::of(state, *index, record),
            _ => None,
        };
        self.came.iter().filter_map(news).collect()
    }

    /// The rows: what is news, and the dossiers that began, in order.
    pub(crate) fn rows(&self, agency: &AgencyId, news: &[News], begun: &[Numbered]) -> Vec<Change> {
        let news: Vec<Numbered> = news.iter().map(|news| (news.index, news.track)).collect();
        let mut rows = inbox_rows(agency, self.first.0, &news);
        rows.extend(dossier_rows(agency, begun));
        rows
    }
}

/// A dossier, and a record or the first record of it.
pub(crate) type Numbered = (u64, TrackId);

/// Dossiers that one row tells: 36 bytes each, so that it stays below 4 KiB.
const DOSSIERS: usize = 100;

/// Rows that say which records of a commit are news, each of so many records: the same rows whenever they are made, also
/// when what is known since makes news of one more.
pub(crate) fn inbox_rows(agency: &AgencyId, first: u64, news: &[Numbered]) -> Vec<Change> {
    let row_of = |index: u64| first + (index - first) / DOSSIERS as u64 * DOSSIERS as u64;
    let rows = news.chunk_by(|(one, _), (next, _)| row_of(*one) == row_of(*next));
    rows.map(|news| numbered_row(Table::Inbox, agency, row_of(news[0].0), news)).collect()
}

/// Rows that say which dossiers of an agency began in one commit, by number.
pub(crate) fn dossier_rows(agency: &AgencyId, begun: &[Numbered]) -> Vec<Change> {
    let rows = begun.chunks(DOSSIERS);
    rows.map(|begun| numbered_row(Table::Dossiers, agency, begun[0].0, begun)).collect()
}

fn numbered_row(table: Table, agency: &AgencyId, from: u64, some: &[Numbered]) -> Change {
    let one = |(number, id): &Numbered| [&((number - from) as u32).to_be_bytes()[..], &id.0].concat();
    Change::New(table, record_key(agency, from), some.iter().flat_map(one).collect())
}

/// What the rows of [`Table::Inbox`] or [`Table::Dossiers`] tell of an agency, from a number on, at most so many.
pub(crate) fn numbered(
    queues: &Queues,
    table: Table,
    agency: &AgencyId,
    from: u64,
    limit: usize,
) -> Result<Vec<Numbered>, QueuesError> {
    let prefix = of_agency(agency);
    // The number may lie in the midst of a row.
    let row = queues.at_or_before(table, &prefix, &record_key(agency, from))?;
    let mut found = row.map(|row| of_row(&prefix, &row)).unwrap_or_default();
    found.retain(|(number, _)| *number >= from);
    let mut start = record_key(agency, from);
    // A row tells of one or of many.
    let mut rows_read = limit.div_ceil(DOSSIERS);
    while found.len() < limit {
        let rows = queues.scan(table, &prefix, Some(&start), rows_read.min(limit - found.len()))?;
        let Some((last, _)) = rows.last() else { break };
        start.clone_from(last);
        found.extend(rows.iter().flat_map(|row| of_row(&prefix, row)));
        rows_read *= 2;
    }
    found.truncate(limit);
    Ok(found)
}

fn of_row(prefix: &[u8], (key, value): &Row) -> Vec<Numbered> {
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
        let place = |id: &str, index| {
            let run = run(&queues, &agency(id), index).expect("looked");
            run.and_then(|(first, run)| run.place(first, index))
        };
        for (index, at) in (5..).zip(&places) {
            assert_eq!(place("a", index), Some(*at));
        }
        let none = [("a", 4), ("a", 1_005), ("b", 1_003), ("b", 1_005), ("c", 0)];
        for (id, index) in none {
            assert_eq!(place(id, index), None, "{id} {index}");
        }
    }

    /// What rows of a table tell, from numbers before, in the midst of and behind them, is what they were made of.
    fn expect_numbered(table: Table, queues: &Queues, agency: &AgencyId, all: &[Numbered]) {
        for from in [0, 1, 7, 8, 9, 106, 107, 108, 401, 900, 1_259, 10_000, u64::MAX] {
            for limit in [1, 99, 1_000] {
                let found = numbered(queues, table, agency, from, limit).expect("looked");
                let due = all.iter().filter(|(number, _)| *number >= from);
                assert_eq!(found, due.copied().take(limit).collect::<Vec<_>>(), "{table:?} {from} {limit}");
            }
        }
    }

    fn commits() -> [Vec<Numbered>; 4] {
        let begun =
            |from: u64, count| (0..count).map(move |n| (from + 3 * n, Digest([(from + n) as u8; 32])));
        let single = begun(9_000, 300).collect();
        [begun(7, 250).collect(), begun(900, 1).collect(), begun(901, 120).collect(), single]
    }

    #[test]
    fn dossiers_are_found_from_any_number_on() {
        let dir = tempfile::tempdir().expect("a folder");
        let queues = Queues::open(&lienthong_store::Config::new(dir.path())).expect("opened").0;
        let [a, b] = ["a", "b"].map(|id| AgencyId::parse(id).expect("an id"));
        let [one, two, three, single] = commits();
        let mut changes: Vec<_> =
            [&one, &two, &three].into_iter().flat_map(|begun| dossier_rows(&a, begun)).collect();
        changes.extend(dossier_rows(&b, &[(1, Digest::ZERO)]));
        assert_eq!(changes.len(), 3 + 1 + 2 + 1);
        changes.extend(single.iter().flat_map(|begun| dossier_rows(&a, &[*begun])));
        queues.apply(Position { segment: 1, commit: 4_096, record: 64 }, changes).expect("applied");
        expect_numbered(Table::Dossiers, &queues, &a, &[one, two, three, single].concat());
        expect_numbered(Table::Dossiers, &queues, &b, &[(1, Digest::ZERO)]);
    }

    #[test]
    fn news_are_found_from_any_index_on() {
        let dir = tempfile::tempdir().expect("a folder");
        let queues = Queues::open(&lienthong_store::Config::new(dir.path())).expect("opened").0;
        let [a, b] = ["a", "b"].map(|id| AgencyId::parse(id).expect("an id"));
        let [one, two, three, single] = commits();
        let mut changes = inbox_rows(&a, 4, &one);
        // 750 records from 4 on, 100 in a row.
        assert_eq!(changes.len(), 8);
        changes.extend(inbox_rows(&a, 800, &two));
        changes.extend(inbox_rows(&a, 901, &three));
        changes.extend(single.iter().flat_map(|news| inbox_rows(&a, news.0 - 1, &[*news])));
        changes.extend(inbox_rows(&b, 0, &[(1, Digest::ZERO)]));
        assert!(inbox_rows(&b, 5, &[]).is_empty(), "what is no news needs no row");
        queues.apply(Position { segment: 1, commit: 4_096, record: 64 }, changes).expect("applied");
        expect_numbered(Table::Inbox, &queues, &a, &[one, two, three, single].concat());
        expect_numbered(Table::Inbox, &queues, &b, &[(1, Digest::ZERO)]);
        expect_numbered(Table::Dossiers, &queues, &a, &[]);
    }

    /// Whoever fills the queues later may know more: then a row is written over, and none is there twice.
    #[test]
    fn one_more_that_is_news_changes_no_key() {
        let a = AgencyId::parse("a").expect("an id");
        let all: Vec<Numbered> = (50..350).map(|index| (index, Digest([index as u8; 32]))).collect();
        let keys = |news: &[Numbered]| {
            let rows = inbox_rows(&a, 50, news);
            for row in &rows {
                let Change::New(_, _, value) = row else { panic!("{row:?}") };
                assert!(value.len() <= lienthong_store::queues::VALUE_LIMIT);
            }
            rows.iter().map(|row| row.row().1.to_vec()).collect::<Vec<_>>()
        };
        let due = [50, 150, 250].map(|first| record_key(&a, first));
        assert_eq!(keys(&all), due);
        assert_eq!(keys(&all[99..201]), due, "the last of one row, one, and the first of another");
        assert_eq!(keys(&all[100..101]), due[1..2]);
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
