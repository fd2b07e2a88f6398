//! The wire contract of Liên Thông, package `lienthong.v1`, as generated Rust types; and [`acts`], for callers in Rust.

pub mod acts;

/// Messages and services of `lienthong.v1`; the `.proto` files beside this crate are the text of reference.
#[allow(missing_docs, clippy::all, clippy::pedantic)] // generated
pub mod v1 {
    tonic::include_proto!("lienthong.v1");
}

/// The encoded `FileDescriptorSet` of the contract, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/lienthong.v1.bin"));
