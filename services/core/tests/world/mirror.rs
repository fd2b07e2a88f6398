//! What the queues of a node know: rows and tracks copied from batches alone, as the store does. A batch that does not
//! name a row or a track it changed would leave a queue that shows an answered OFFER as waiting for ever.

use super::Fault;
use lienthong_core::custody::state::State;
use lienthong_core::custody::tracks::Kept;
use lienthong_core::delivery::outbox::{Row, RowKey};
use lienthong_core::ids::TrackId;
use lienthong_core::node::Batch;
use std::collections::BTreeMap;

/// Rows and tracks as the batches told them.
#[derive(Default)]
pub struct Mirror {
    rows: BTreeMap<RowKey, Row>,
    tracks: BTreeMap<TrackId, Kept>,
}

impl Mirror {
    /// Filled anew, as at a start.
    pub fn of(state: &State) -> Self {
        let rows = state.outbox.rows().map(|(key, row)| (key.clone(), row.clone())).collect();
        Self { rows, tracks: tracks(state) }
    }

    /// Goes on by what a batch names, and must then know what the state knows.
    pub fn follow(&mut self, batch: &Batch, state: &State) -> Result<(), Fault> {
        for key in &batch.rows {
            match state.outbox.row(key) {
                Some(row) => self.rows.insert(key.clone(), row.clone()),
                None => self.rows.remove(key),
            };
        }
        let touched = batch.touched.iter().filter_map(|id| state.tracks.kept(id).map(|t| (*id, t)));
        self.tracks.extend(touched);
        if !self.rows.iter().eq(state.outbox.rows()) {
            return Err(format!("{}: a batch does not name an outbox row it changed", state.me));
        }
        if self.tracks != tracks(state) {
            return Err(format!("{}: a batch does not name a track it changed", state.me));
        }
        Ok(())
    }
}

fn tracks(state: &State) -> BTreeMap<TrackId, Kept> {
    state.tracks.iter().map(|(id, kept)| (*id, kept)).collect()
}
