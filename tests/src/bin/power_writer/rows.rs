//! The rows that the queues must hold after each commit.

use lienthong_store::queues::{Change, Queues, QueuesError, QueuesReport, Table};
use lienthong_store::{NewRecord, Position};
use std::collections::BTreeMap;

/// After how many commits a row is written over.
const STAYS: usize = 10;

/// The commits there are: their records, where those are.
#[derive(Default)]
pub(crate) struct Commits {
    records: Vec<Vec<NewRecord>>,
    places: Vec<Vec<Position>>,
}

impl Commits {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn push(&mut self, records: Vec<NewRecord>, places: Vec<Position>) {
        self.records.push(records);
        self.places.push(places);
    }

    pub(crate) fn place(&self, commit: usize, record: usize) -> Position {
        self.places[commit][record]
    }

    /// What the rows are marked with after a commit: the place of its last record.
    fn mark(&self, commit: usize) -> Position {
        *self.places[commit].last().expect("a commit holds a record")
    }

    fn changes(&self, commit: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        for (record, place) in self.records[commit].iter().zip(&self.places[commit]) {
            changes.push(Change::Put(Table::Records, key(record), place.to_bytes().to_vec()));
            let head = record.payload[..record.payload.len().min(2000)].to_vec();
            changes.push(Change::Put(Table::Inbox, key(record), head));
        }
        let done = commit.checked_sub(STAYS).map(|done| &self.records[done]);
        let over = |record| Change::Put(Table::Inbox, key(record), commit.to_be_bytes().to_vec());
        changes.extend(done.into_iter().flatten().map(over));
        changes
    }

    /// Applies the rows of a commit.
    pub(crate) fn apply(&self, queues: &Queues, commit: usize) -> Result<(), QueuesError> {
        queues.apply(self.mark(commit), self.changes(commit))
    }

    /// How many commits the rows reflect; `None` when they tell a place where no commit ends.
    pub(crate) fn reflected(&self, queues: &Queues) -> Option<usize> {
        let Some(mark) = queues.mark() else { return Some(0) };
        (0..self.len()).rev().find(|commit| self.mark(*commit) == mark).map(|commit| commit + 1)
    }

    /// Whether the rows are those of the first `commits` commits, each byte.
    pub(crate) fn exact(&self, queues: &Queues, commits: usize) -> Result<bool, QueuesError> {
        let mut due: BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>> = BTreeMap::new();
        for change in (0..commits).flat_map(|commit| self.changes(commit)) {
            match change {
                Change::New(table, key, value) | Change::Put(table, key, value) => {
                    drop(due.entry(table).or_default().insert(key, value))
                }
            }
        }
        for table in [Table::Records, Table::Inbox] {
            let found = queues.scan(table, b"", None, usize::MAX)?;
            if found != due.remove(&table).unwrap_or_default().into_iter().collect::<Vec<_>>() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A word for how the queues were found.
pub(crate) fn word(report: &QueuesReport) -> &'static str {
    match report {
        QueuesReport::Fresh => "fresh",
        QueuesReport::Opened { .. } => "exact",
        QueuesReport::Rebuilding { .. } => "rebuilt",
    }
}

fn key(record: &NewRecord) -> Vec<u8> {
    [record.agency.as_str().as_bytes(), &record.index.0.to_be_bytes()].concat()
}
