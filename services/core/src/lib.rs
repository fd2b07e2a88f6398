//! Custody and delivery of dossiers, pure: no IO, no clock, no randomness, no logging, no async.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod ids;
pub mod limits;
pub mod reason;
pub mod statement;
pub mod record;
pub mod directory;
pub mod code;
pub mod codec;
pub mod durable;
