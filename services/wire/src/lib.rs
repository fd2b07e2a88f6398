//! Core and proto: encoding, signing, verifying, evidence.
//!
//! The only crate that knows both the core's types and the wire contract. Nothing here decides anything about custody
//! and nothing reads a clock.

pub mod act;
pub mod chain;
pub mod content;
pub mod directory;
pub mod envelope;
pub mod evidence;
pub mod keys;
pub mod limits;
pub mod record;
mod scan;
pub mod snapshot;
pub mod statement;
pub mod verify;
