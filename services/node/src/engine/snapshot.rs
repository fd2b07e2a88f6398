//! Taking snapshots: the states as of one commit, written beside the loop, their hash recorded in each ledger.

use super::Hosts;
use super::handle::Handle;
use super::persist::Persisted;
use super::pressure::{Level, Pressure};
use lienthong_core::custody::state::State;
use lienthong_core::node::Input;
use lienthong_store::{Position, snapshots};
use lienthong_wire::snapshot::{self, Snapshot};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Records for each dossier of the last snapshot before the next. Profiled: a snapshot takes some 2 µs for each dossier, and a
/// record some 15 µs in all; so snapshots take a thirtieth of the time however many dossiers there are.
const RECORDS_PER_DOSSIER: u64 = 4;

/// Takes a snapshot every so many records, or when there are four times as many as there were dossiers in the last one.
#[derive(Debug)]
pub(crate) struct Taker {
    every: u64,
    since: u64,
    /// Dossiers of the last one, or at the start.
    dossiers: Option<u64>,
    dir: PathBuf,
    handle: Handle,
    busy: Arc<AtomicBool>,
    pressure: Arc<Pressure>,
}

impl Taker {
    /// `since` records were replayed at the start, and count. Where there was no snapshot, `dossiers` of the last one are none.
    pub(crate) fn new(
        every: u64,
        (since, dossiers): (u64, Option<u64>),
        handle: Handle,
        pressure: Arc<Pressure>,
    ) -> Self {
        let dir = pressure.space().dir.clone();
        Self { every, since, dossiers, dir, handle, busy: Arc::default(), pressure }
    }

    /// The states to be kept with this commit, when it is time. Tracks are shared, so this copies little. A snapshot costs
    /// as much as there are dossiers: with many of them it is taken less often, or a large node would do little else.
    pub(crate) fn freeze(&mut self, hosts: &Hosts, records: u64) -> Option<Vec<State>> {
        self.since += records;
        let dossiers: usize = hosts.values().map(|h| h.node.state().tracks.len()).sum();
        let dossiers = dossiers as u64;
        let last = *self.dossiers.get_or_insert(dossiers);
        if self.since < self.every.max(last * RECORDS_PER_DOSSIER) {
            return None;
        }
        // It only makes the next start faster, and takes room that a decision may need.
        if self.pressure.level() > Level::Ample {
            self.since = 0;
            self.pressure.snapshot_put_off();
            return None;
        }
        if self.busy.swap(true, Ordering::AcqRel) {
            return None;
        }
        self.since = 0;
        self.dossiers = Some(dossiers);
        Some(hosts.values().map(|h| h.node.state().clone()).collect())
    }

    /// The commit with these states is durable: write them, then record that in each ledger.
    pub(crate) fn save(&self, mut states: Vec<State>, persisted: &Persisted) {
        for state in &mut states {
            if let Some(head) = persisted.durable.head(&state.me) {
                state.durable = head;
            }
        }
        let agencies: Vec<_> = states.iter().map(|s| s.me.clone()).collect();
        let snapshot = Snapshot {
            position: persisted.end.to_bytes().to_vec(),
            physical_head: persisted.physical_head,
            states,
        };
        let (dir, index) = (self.dir.clone(), file_index(persisted.end));
        let (handle, busy, pressure) = (self.handle.clone(), self.busy.clone(), self.pressure.clone());
        tokio::spawn(async move {
            let looking = pressure.clone();
            let writing = move || {
                let saved = snapshots::save_with(&dir, index, |out| snapshot::write(&snapshot, out));
                // Want of room is the likeliest reason, and who begins something should hear of it now.
                saved.inspect_err(|_| looking.look())
            };
            match tokio::task::spawn_blocking(writing).await {
                Ok(Ok(sha256)) => {
                    pressure.snapshot_taken();
                    for agency in agencies {
                        if let Err(reason) = handle.input_in_turn(agency, Input::Snapshot(sha256)).await {
                            tracing::warn!(reason = reason.number(), "a snapshot could not be recorded");
                        }
                    }
                }
                Ok(Err(error)) => {
                    pressure.snapshot_put_off();
                    tracing::error!(%error, "a snapshot could not be written");
                }
                Err(error) => tracing::error!(%error, "writing a snapshot was cut off"),
            }
            busy.store(false, Ordering::Release);
        });
    }
}

/// Rises with the ledger.
fn file_index(end: Position) -> u64 {
    u64::from(end.segment) << 32 | u64::from(end.commit)
}
