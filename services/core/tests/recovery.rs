//! Recovery, taken apart: the simulator plays all of it, and comes to rest also where somebody is asked once more, is given
//! too much, or listens too early.

mod world;

#[path = "recovery/acts_beside.rs"]
mod acts_beside;
#[path = "recovery/asking.rs"]
mod asking;
#[path = "recovery/copies.rs"]
mod copies;
#[path = "recovery/giving.rs"]
mod giving;
#[path = "recovery/hearing.rs"]
mod hearing;
#[path = "recovery/reclaims.rs"]
mod reclaims;
#[path = "recovery/seeking.rs"]
mod seeking;
