//! Bad input, through the public API and through the courier: each has a clear error with a stable number, and leaves
//! no record about any dossier.

mod asks;
mod codec;
mod courier;
mod custody;
mod envelopes;
mod fields;
mod limits;
mod refused;
mod rig;
