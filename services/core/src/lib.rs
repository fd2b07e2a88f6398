//! Custody and delivery of dossiers, pure: no IO, no clock, no randomness, no logging, no async.
#![no_std]

extern crate alloc;

pub mod durable;
pub mod ids;
