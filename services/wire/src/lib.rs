//! Core and proto: encoding, signing, verifying, evidence.

pub mod chain;
