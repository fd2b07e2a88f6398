//! Delivery: what waits for an answer of a peer, and when it is sent again (protocol.md 3, architecture.md 5).
//!
//! [`outbox`] is the durable part, made from records; [`courier`] is the timing, which decides nothing and is
//! forgotten at a restart.

pub mod courier;
pub mod outbox;
