//! Statements: their types, the bytes that are signed (DSSE), and the way between those bytes and the core's facts.

mod decode;
mod encode;
mod recovery;
mod straight;
mod types;

pub(crate) use decode::{agency, digest, officer, parse};
pub use encode::{WireCodec, to_proto};
pub(crate) use encode::{hash, of_officer};
pub(crate) use straight::{Checkpoint, Direct, Proof, Signed, Way, straightened};
pub use types::{COMMIT_TYPE, commit_body, kind_of, pae, sid, type_name};
