//! The agency node: one event loop over core, store and link, hosting one or more agencies, and its gRPC services.
//!
//! Begin with [`engine`], the loop; [`boot`] is how it comes up, [`grpc`] what callers see.

pub mod boot;
pub mod engine;
pub mod grpc;
pub mod running;

pub use boot::{BootError, Fsck, fsck};
pub use running::{Node, Running};
