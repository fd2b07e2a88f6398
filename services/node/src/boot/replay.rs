//! From ledger and snapshot to the states of the agencies.

use super::BootError;
use super::fill::Standing;
use crate::engine::records::decode;
use lienthong_core::custody::state::State;
use lienthong_core::ids::{AgencyId, Digest};
use lienthong_core::record::Record;
use lienthong_store::{Config, Ledger, OpenError, OpenReport, Position, ScanFrom, StoredRecord, snapshots};
use lienthong_wire::record::RecordError;
use lienthong_wire::snapshot::{self, Snapshot};
use std::collections::{BTreeMap, BTreeSet};

/// What a replay came to.
pub(super) struct Replayed {
    pub(super) ledger: Ledger,
    pub(super) states: BTreeMap<AgencyId, State>,
    /// Records replayed.
    pub(super) records: u64,
    /// Where the replay began, when a snapshot spared the rest.
    pub(super) from: Option<Position>,
}

impl Replayed {
    /// What the queues are brought level with.
    pub(super) fn standing(&self) -> Standing<'_> {
        let (reader, end) = (self.ledger.reader(), self.ledger.end_position());
        Standing { reader, end, states: &self.states }
    }
}

/// Replays from the newest snapshot that the ledger vouches for, else from the start.
pub(super) fn replay<'a>(
    store: &Config,
    agencies: impl Iterator<Item = &'a AgencyId>,
    report: &mut Vec<String>,
) -> Result<Replayed, BootError> {
    let agencies: BTreeSet<&AgencyId> = agencies.collect();
    for index in snapshots::list(&store.dir).unwrap_or_default() {
        match with_snapshot(store, index, &agencies) {
            Ok((replayed, opened)) => {
                tell(&opened, report);
                return Ok(replayed);
            }
            Err(why) => report.push(format!("snapshot {index} not used: {why}")),
        }
    }
    whole(store, report)
}

/// Replays everything.
pub(super) fn whole(store: &Config, report: &mut Vec<String>) -> Result<Replayed, BootError> {
    let mut replay = Replay::default();
    let (ledger, opened) = Ledger::open(store, ScanFrom::Start, |stored| replay.take(stored))?;
    tell(&opened, report);
    Ok(Replayed { ledger, states: replay.finish(), records: opened.records, from: None })
}

fn tell(opened: &OpenReport, report: &mut Vec<String>) {
    if let Some(cut) = opened.cut {
        report.push(format!(
            "the ledger's torn tail was cut: an unacknowledged commit at {}, {} bytes",
            cut.position, cut.bytes
        ));
    }
    if opened.erasures_finished > 0 {
        report.push(format!("{} interrupted erasures were finished", opened.erasures_finished));
    }
}

fn with_snapshot(
    store: &Config,
    index: u64,
    agencies: &BTreeSet<&AgencyId>,
) -> Result<(Replayed, OpenReport), String> {
    let (mut content, hash) = snapshots::open(&store.dir, index).map_err(|e| e.to_string())?;
    let snapshot = snapshot::read(&mut content).map_err(|e| e.to_string())?;
    let position = Position::from_slice(&snapshot.position).ok_or("its position is wrong")?;
    if !agencies.iter().all(|a| snapshot.states.iter().any(|s| s.me == **a)) {
        return Err("it is from before an agency joined this node".into());
    }
    let from = ScanFrom::At {
        position,
        physical_head: snapshot.physical_head,
        heads: snapshot.states.iter().map(|s| (s.me.clone(), s.durable)).collect(),
    };
    let mut replay = Replay::with(snapshot);
    let opened = Ledger::open(store, from, |stored| replay.take(stored));
    let (ledger, opened) = opened.map_err(|e: OpenError| e.to_string())?;
    if !agencies.iter().all(|a| replay.vouched.contains(&((*a).clone(), hash))) {
        return Err("the ledger does not record it".into());
    }
    let (records, from) = (opened.records, Some(position));
    Ok((Replayed { ledger, states: replay.finish(), records, from }, opened))
}

#[derive(Default)]
struct Replay {
    states: BTreeMap<AgencyId, State>,
    vouched: BTreeSet<(AgencyId, Digest)>,
}

impl Replay {
    fn with(snapshot: Snapshot) -> Self {
        let states = snapshot.states.into_iter().map(|s| (s.me.clone(), s)).collect();
        Self { states, vouched: BTreeSet::new() }
    }

    fn take(&mut self, stored: StoredRecord) -> Result<(), RecordError> {
        let (agency, index, hash) = (stored.agency.clone(), stored.index, stored.hash);
        let record = decode(stored)?;
        if let Record::SnapshotTaken { sha256, .. } = &record {
            self.vouched.insert((agency.clone(), *sha256));
        }
        let state = self.states.entry(agency).or_insert_with_key(|a| State::new(a.clone()));
        state.apply(&record);
        state.durable = lienthong_core::ids::Head { size: index.0 + 1, hash };
        Ok(())
    }

    fn finish(self) -> BTreeMap<AgencyId, State> {
        self.states
    }
}
