//! Deterministic simulator: the real core, the real codec and real signatures under every fault that a province has.
//!
//! One thread, one seed, virtual time. [`world`] is what there is, [`engine`] what a node's loop does, and each
//! dimension that can fail is a module: [`net`], [`nats`], [`disk`], [`clock`], [`officer`]. [`truth`] is a shadow
//! beside the system that says who has each dossier; `checks` compares after every step, `ending` at the end.
#![forbid(unsafe_code)]

pub mod cast;
mod checks;
pub mod clock;
pub mod disk;
mod ending;
mod engine;
mod evidence;
mod faults;
mod gone;
mod mail;
pub mod mutant;
pub mod nats;
pub mod net;
pub mod officer;
mod people;
pub mod place;
pub mod queue;
pub mod random;
mod restore;
pub mod run;
pub mod tally;
pub mod trace;
pub mod truth;
pub mod violation;
pub mod workload;
pub mod world;
