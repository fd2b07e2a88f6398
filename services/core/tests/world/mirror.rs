//! What is known of a node from its batches alone: tracks, as lists by phase follow them. A batch that does not name a track
//! it changed would leave a list that shows an answered OFFER as waiting for ever.

use super::Fault;
use lienthong_core::custody::state::State;
use lienthong_core::custody::tracks::Kept;
use lienthong_core::ids::TrackId;
use lienthong_core::node::Batch;
use std::collections::BTreeMap;

/// Tracks as the batches told them.
#[derive(Default)]
pub struct Mirror {
    tracks: BTreeMap<TrackId, Kept>,
}

impl Mirror {
    /// Filled anew, as at a start.
    pub fn of(state: &State) -> Self {
        Self { tracks: tracks(state) }
    }

    /// Goes on by what a batch names, and must then know what the state knows.
    pub fn follow(&mut self, batch: &Batch, state: &State) -> Result<(), Fault> {
        let touched = batch.touched.iter().filter_map(|id| state.tracks.kept(id).map(|t| (*id, t)));
        self.tracks.extend(touched);
        if self.tracks != tracks(state) {
            return Err(format!("{}: a batch does not name a track it changed", state.me));
        }
        Ok(())
    }
}

fn tracks(state: &State) -> BTreeMap<TrackId, Kept> {
    state.tracks.iter().map(|(id, kept)| (*id, kept)).collect()
}
