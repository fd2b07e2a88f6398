//! Bringing the queues level with the ledger: the rows of everything after their mark.

use super::BootError;
use crate::engine::records::decode;
use crate::engine::rows;
use lienthong_core::custody::state::State;
use lienthong_core::ids::{AgencyId, TrackId};
use lienthong_core::record::Record;
use lienthong_core::statement::Body;
use lienthong_store::queues::{Change, Queues};
use lienthong_store::{Position, Reader, StoredRecord};
use std::collections::{BTreeMap, BTreeSet};

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
    let mut filling = Filling { queues, from, changes: Vec::new(), touched: BTreeSet::new() };
    let mut commits = 0_u64;
    for commit in reader.scan(from) {
        let commit = commit?;
        if commit.first().is_some_and(|stored| stored.position >= end) {
            break;
        }
        filling.places(replayed, &commit)?;
        for stored in commit {
            filling.record(replayed, stored)?;
        }
        commits += 1;
    }
    for (agency, id) in std::mem::take(&mut filling.touched) {
        let state = replayed.states.get(&agency);
        if let Some((state, kept)) = state.and_then(|s| s.tracks.kept(&id).map(|kept| (s, kept))) {
            filling.add([rows::dossier_row(state, &id, &kept.read())])?;
        }
    }
    queues.apply(end, rows::with_phases(queues, filling.changes)?)?;
    report.push(match was {
        Some(_) => format!("queues brought level with the ledger: {commits} commits"),
        None => format!("queues were empty: rebuilt from the whole ledger, {commits} commits"),
    });
    Ok(())
}

struct Filling<'a> {
    queues: &'a Queues,
    from: Position,
    changes: Vec<Change>,
    touched: BTreeSet<(AgencyId, TrackId)>,
}

impl Filling<'_> {
    fn record(&mut self, replayed: &Standing<'_>, stored: StoredRecord) -> Result<(), BootError> {
        let (agency, index) = (stored.agency.clone(), stored.index);
        let Some(state) = replayed.states.get(&agency) else { return Ok(()) };
        let record = decode(stored)?;
        if let Record::Statement(record) = &record {
            match &record.statement.body {
                Body::Received(items) => {
                    let tracks = items.iter().filter_map(|i| state.transfers.get(&i.tid));
                    self.touched.extend(tracks.map(|id| (agency.clone(), *id)));
                }
                Body::Ack(items) => self.touched.extend(items.iter().map(|i| (agency.clone(), i.track))),
                _ => self.touched.extend(record.statement.track().map(|id| (agency.clone(), id))),
            }
        }
        self.add(rows::event_row(state, index.0, &record))
    }

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
            let changes = rows::with_phases(self.queues, std::mem::take(&mut self.changes))?;
            self.queues.apply(self.from, changes)?;
        }
        Ok(())
    }
}
