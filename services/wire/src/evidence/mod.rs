//! Evidence files: the part of one agency's ledger that proves a trail, checked without network or database.

mod beside;
mod build;
mod chain;
mod check;
mod fault;
mod texts;
mod verdict;
pub mod walk;

pub use build::EvidenceBuilder;
pub use check::verify;
pub use fault::{Fault, Position, What};
pub use verdict::{CustodyStep, HandOver, Outcome, Verdict};

/// The format this version writes and reads.
pub const FORMAT: u32 = 1;
