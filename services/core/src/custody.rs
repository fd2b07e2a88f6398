//! Custody: who holds a track, who may decide its next hand-off, and what proves it (protocol.md 1–5).
//!
//! [`state`] is what an agency knows, [`apply`] makes it from records and never refuses, [`command`] and
//! [`arrival`] decide and never change anything. [`spine`] is the one place that says which statement may follow
//! which; the offline verifier walks with it too.

pub mod apply;
pub mod arrival;
pub mod check;
pub mod command;
pub mod commands;
pub mod packed;
pub mod spine;
pub mod state;
pub mod table;
pub mod track;
pub mod tracks;
pub mod transfers;

use crate::record::{CommandRef, StatementRecord, TraceContext};
use crate::statement::{Body, Officer};
use alloc::boxed::Box;
use alloc::sync::Arc;

/// A decision on its way to becoming a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Draft {
    /// Somebody else's statement, to be kept as it came.
    Keep(StatementRecord),
    /// A statement this agency makes: claim, bytes and sid are added when its place in the ledger is known.
    Make(Box<Make>),
}

/// A statement to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Make {
    /// What it says.
    pub body: Body,
    /// Who acts; none where the node itself speaks.
    pub officer: Option<Officer>,
    /// The command behind it.
    pub command: Option<CommandRef>,
    /// The trace it belongs to.
    pub trace: Option<Arc<TraceContext>>,
    /// Content that goes beside the record.
    pub content: Option<Arc<[u8]>>,
}
