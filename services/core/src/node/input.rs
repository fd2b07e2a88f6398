//! What goes into a node, and what each input came to.

use crate::custody::arrival::Arrival;
use crate::custody::command::Command;
use crate::delivery::courier::Trouble;
use crate::ids::{AgencyId, Digest, Instant, LedgerIndex, Sid, TrackId, WallMs};
use crate::record::{QuarantineSettled, Quarantined};
use crate::statement::{Officer, Statement};
use alloc::string::String;
use alloc::sync::Arc;

/// Both clocks. Wall time becomes a claim; monotonic time only triggers attempts.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic.
    pub mono: Instant,
    /// Wall.
    pub wall: WallMs,
}

/// What can happen to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// An officer asks.
    Command(Command),
    /// A peer's envelope came.
    Arrival(Arrival),
    /// An envelope could not be opened or was refused: keep it.
    Quarantine(Quarantined),
    /// An officer takes an envelope out of quarantine.
    Settle(QuarantineSettled),
    /// A content is about to be read.
    Read {
        /// Of this track.
        track: TrackId,
        /// By.
        officer: Officer,
        /// Why.
        purpose: String,
    },
    /// A snapshot up to now is durable.
    Snapshot(Digest),
    /// This ledger is an old copy: nothing is given out of hand before all peers gave back what they hold of it.
    Recover,
    /// The node has started: peers who know more of it than it does itself are asked to say so.
    Greet,
    /// An act of the authority, verified by the caller, is brought to the node.
    Act(Arc<Statement>),
    /// The courier could not take an envelope for a peer.
    Trouble(AgencyId, Trouble),
}

/// What an input came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The statement a command made, now or under the same key earlier.
    Done {
        /// What it was about.
        track: TrackId,
        /// The statement.
        sid: Sid,
        /// Its place, the effect id.
        index: LedgerIndex,
        /// Whether an earlier call made it.
        repeated: bool,
    },
    /// A record was written here.
    Noted(LedgerIndex),
    /// Nothing to tell.
    Nothing,
}
