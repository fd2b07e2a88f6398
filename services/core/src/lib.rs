//! Custody and delivery of dossiers, pure: no IO, no clock, no randomness, no logging, no async.
//!
//! Four words, never mixed: a *command* is an intent and may be refused; a *record* is a fact; an *envelope* is a
//! message to a peer; a *rejection* is a reason to say no. Begin with [`node`], then [`custody`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod authority;
pub mod code;
pub mod codec;
pub mod custody;
pub mod delivery;
pub mod directory;
pub mod durable;
pub mod ids;
pub mod limits;
pub mod node;
pub mod pages;
pub mod reason;
pub mod record;
pub mod recovery;
pub mod statement;
