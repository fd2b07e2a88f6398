//! Bringing the queues level with the ledger: the rows of everything after their mark.

use super::BootError;
use crate::engine::news;
use crate::engine::records::decode;
use crate::engine::rows::{self, Numbered};
use lienthong_core::custody::state::State;
use lienthong_core::ids::{AgencyId, TrackId};
use lienthong_core::record::Record;
use lienthong_store::queues::{Change, Queues};
use lienthong_store::{Position, Reader, StoredRecord};
use std::collections::BTreeMap;

/// Changes applied at one go: enough to be quick, few enough to bound the memory.
const CHUNK: usize = 8_192;

/// What the queues are brought level with.
pub(crate) struct Standing<'a> {
    pub(crate) reader: Reader,
    /// Everything before this place is durable, and the states know all of it.
    pub(crate) end: Position,
    pub(crate) states: &'a BTreeMap<AgencyId, State>,
}

/// Fills in what the queues lack. Running it again changes nothing.
pub(crate) fn fill(
    queues: &Queues,
    replayed: &Standing<'_>,
    report: &mut Vec<String>,
) -> Result<(), BootError> {
    let (reader, end) = (&replayed.reader, replayed.end);
    if queues.mark().is_some_and(|mark| mark > end) {
        queues.reset("the queues are of a longer ledger than this one")?;
        report.push("queues rebuilt: they were of a longer ledger than this one".into());
    }
    let was = queues.mark();
    let from = was.unwrap_or_else(|| reader.start());
    if from == end {
        return Ok(());
    }
    let mut filling = Filling { queues, from, changes: Vec::new() };
    let mut commits = 0_u64;
    for commit in reader.scan(from) {
        let commit = commit?;
        if commit.first().is_some_and(|stored| stored.position >= end) {
            break;
        }
        filling.places(replayed, &commit)?;
        // By agency, as the loop tells them.
        let mut told: BTreeMap<AgencyId, Told> = BTreeMap::new();
        for stored in commit {
            let (agency, index) = (stored.agency.clone(), stored.index.0);
            if let Some(state) = replayed.states.get(&agency) {
                let told = told.entry(agency).or_insert_with(|| Told::from(index));
                told.record(state, index, &decode(stored)?);
            }
        }
        for (agency, told) in told {
            filling.add(rows::inbox_rows(&agency, told.first, &told.news))?;
            filling.add(rows::dossier_rows(&agency, &told.begun))?;
        }
        commits += 1;
    }
    queues.apply(end, filling.changes)?;
    report.push(match was {
        Some(_) => format!("queues brought level with the ledger: {commits} commits"),
        None => format!("queues were empty: rebuilt from the whole ledger, {commits} commits"),
    });
    Ok(())
}

/// What one commit says of an agency.
struct Told {
    /// The first of its records.
    first: u64,
    /// Those of which an officer is told.
    news: Vec<Numbered>,
    /// Dossiers that begin with them.
    begun: Vec<Numbered>,
}

impl Told {
    fn from(first: u64) -> Self {
        Self { first, news: Vec::new(), begun: Vec::new() }
    }

    fn record(&mut self, state: &State, index: u64, record: &Record) {
        let Record::Statement(record) = record else { return };
        self.news.extend(news::of(state, index, record).map(|news| (index, news.track)));
        let begins = |id: &TrackId| state.tracks.kept(id).is_some_and(|t| rows::number(&t.read()) == index);
        self.begun.extend(record.statement.track().filter(begins).map(|id| (index, id)));
    }
}

struct Filling<'a> {
    queues: &'a Queues,
    from: Position,
    changes: Vec<Change>,
}

impl Filling<'_> {
    /// The rows of where the records of a commit are: those of one agency follow each other in it.
    fn places(&mut self, replayed: &Standing<'_>, commit: &[StoredRecord]) -> Result<(), BootError> {
        for part in commit.chunk_by(|a, b| a.agency == b.agency) {
            let (agency, first) = (&part[0].agency, part[0].index.0);
            if replayed.states.contains_key(agency) {
                let places: Vec<_> = part.iter().map(|stored| stored.position).collect();
                self.add(rows::record_rows(agency, first, &places))?;
            }
        }
        Ok(())
    }

    /// Until the last chunk the mark stays where it was, so that an interrupted filling begins again.
    fn add(&mut self, changes: impl IntoIterator<Item = Change>) -> Result<(), BootError> {
        // A filling that was interrupted comes over the same rows again.
        self.changes.extend(changes.into_iter().map(|change| match change {
            Change::New(table, key, value) => Change::Put(table, key, value),
            other => other,
        }));
        if self.changes.len() >= CHUNK {
            self.queues.apply(self.from, std::mem::take(&mut self.changes))?;
        }
        Ok(())
    }
}
