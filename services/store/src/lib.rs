//! What is kept: the ledger, which is the truth, and the queues, which can always be rebuilt from it.
//!
//! This crate knows agencies, indices, hashes and bytes. It knows nothing of statements.

pub mod anchor;
pub mod attempts;
pub mod backup;
pub mod config;
pub mod error;
mod files;
pub mod format;
pub mod ledger;
pub mod lock;
pub mod position;
pub mod queues;
pub mod record;
pub mod restore;
mod sealed_text;
pub mod snapshots;
pub mod space;
pub mod verify;

pub use config::Config;
pub use error::{Fault, OpenError, StoreError, Wrong};
pub use ledger::{Appended, Cut, Footing, Ledger, OpenReport, Piece, Reader, ScanFrom};
pub use position::Position;
pub use record::{Body, NewRecord, StoredRecord};
pub use space::{Room, Space};
